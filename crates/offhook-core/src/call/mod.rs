//! One call as a state machine: an input goes in, actions come out, nothing else happens.
//!
//! The session gives [`Call::handle`] one [`Input`], drains [`Call::poll`] to `None`, then waits for the next input
//! or for [`Call::deadline`]. Audio itself does not pass through here: the session moves frames between leg, pump
//! and model, and tells `Call` only what changes the course of the call.

mod event;

pub use event::*;
