//! A strict SIP exchange of test numbers on the loopback interface.
//!
//! Each of its [numbers](NUMBERS) is a person or machine with one behaviour, reached by real SIP, SDP, RTP and RTCP
//! over UDP. It shares no line of code with the carrier it is called by, and holds it to the RFCs: a broken rule is
//! answered as the RFC says and listed in [`Sandbox::violations`].
//!
//! [`exchange::Exchange`] is the whole of it without sockets or clock; [`Sandbox`] drives one on real sockets.

mod config;
mod driver;
pub mod exchange;
mod media;
pub mod numbers;
mod person;
mod record;
pub mod script;
mod sdp;
mod sip;

pub use config::{Render, SandboxConfig};
pub use driver::Sandbox;
pub use numbers::{Expected, NUMBERS, TestNumber};
pub use record::{CallKey, CallRecord, Ending, Heard, Stage, Violation, VoiceMessage};
pub use script::Step;
pub use sip::digest::{Algorithm, Challenge};

/// What the exchange calls itself.
const SERVER: &str = concat!("offhook-sandbox/", env!("CARGO_PKG_VERSION"));
