//! Webhooks: the events of a call, sent to the address its owner named, signed as Standard Webhooks says.
//!
//! What is to be sent is never stored: it is read from the journal, after the fact that was delivered last. So an
//! event is delivered at least once and in order whatever stops this process, and nothing is sent that is not in the
//! store. [`schedule`] says whose turn it is, [`courier`] goes one round for one call, [`send`] is one attempt,
//! [`reach`] says where an attempt may go, [`sign`] makes it believable. [`notices`] tells chats of calls that came in.

mod courier;
mod notices;
mod queue;
mod reach;
mod schedule;
mod send;
pub mod sign;

use std::time::Duration;

use offhook_carrier::sip::Network;

pub use courier::{Courier, run};
pub use notices::Teller;
pub use queue::Queue;
pub use reach::{Reach, UrlError};
pub use sign::Keys;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// How webhooks are sent.
#[derive(Clone, Debug)]
pub struct Settings {
    pub reach: Reach,
    /// How long a receiver may take to answer.
    pub timeout: Duration,
    /// The waits between attempts at one event; after the last of them it is given up, and the call's webhook with it.
    pub waits: Vec<Duration>,
    /// Attempts at once, all together and for one owner.
    pub at_once: usize,
    pub at_once_per_owner: usize,
}

impl Settings {
    pub fn new(allow_http: bool, allowed: Vec<Network>) -> Self {
        /// Quickly while it may be a hiccup, then for a day.
        const WAITS: [u64; 10] =
            [5, 30, 2 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, 8 * HOUR];
        Self {
            reach: Reach::new(allow_http, allowed),
            timeout: Duration::from_secs(10),
            waits: WAITS.map(Duration::from_secs).to_vec(),
            at_once: 32,
            at_once_per_owner: 8,
        }
    }
}

/// The facts of a call that are sent, by their codes. The last one is the last of every call.
pub const EVENTS: [&str; 15] = [
    "call.answered",
    "call.answered_by",
    "hold.started",
    "hold.ended",
    "owner.asked",
    "owner.silent",
    "handoff.asked",
    "handoff.answered",
    "handoff.joined",
    "handoff.failed",
    "handoff.ended",
    "message.taken",
    "result.item",
    "call.result",
    LAST_EVENT,
];
pub const LAST_EVENT: &str = "call.ended";

#[cfg(test)]
mod tests {
    use offhook_core::Fact;

    use super::*;

    #[test]
    fn every_event_is_a_fact() {
        for event in EVENTS {
            assert!(Fact::TABLE.iter().any(|(code, _)| *code == event), "{event}");
        }
    }

    #[test]
    fn an_event_is_tried_for_about_a_day() {
        let waits: Duration = Settings::new(false, vec![]).waits.iter().sum();
        assert!((23 * HOUR..=24 * HOUR).contains(&waits.as_secs()), "{waits:?}");
    }
}
