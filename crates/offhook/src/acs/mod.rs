//! Azure Communication Services, seen from its callbacks: whom they are believed, what Event Grid tells, and how they
//! reach this machine.
//!
//! Two layers guard every callback: the secret of its call in the URL, and a token of Microsoft's ([`Trust`]).

pub mod event_grid;
mod guard;
mod keys;
#[cfg(test)]
mod minting;
mod token;
mod trust;
pub mod tunnel;

pub use guard::{Guard, IncomingGuard, Refusal};
pub use keys::{FetchError, KeyStatus, Source, Timing};
pub use token::TokenError;
pub use trust::{Audience, Bearer, Refused, Trust, TrustConfig};
