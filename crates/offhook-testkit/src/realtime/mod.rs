//! A Realtime server on the loopback interface, scripted: the other side of the protocol, spoken exactly.
//!
//! It finds speech by its energy, answers with a tone of the right length and a transcript, calls tools, and fails
//! on demand. It records every event it is sent. The vendor's own client checks it: see `python/`.

mod audio;
mod conversation;
mod event;
mod response;
mod script;
mod server;
mod session;
mod shown;

pub use audio::reply_samples;
pub use script::{End, Heard, Names, Reply, Script};
pub use server::{FakeRealtime, Recorded};
pub use shown::{shown, shown_tool};
