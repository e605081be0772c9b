//! The entry point of the fuzz target: not part of the API.

use std::sync::Arc;

use offhook_core::Timestamp;

use super::config::{Auth, Config};
use super::protocol::{Protocol, Settings};

/// A session that is sent these lines as events.
pub fn server_event(text: &str) {
    let now = Timestamp::from_unix_millis(0);
    let config = Config::new("ws://localhost/v1".to_owned(), Auth::None, "model".to_owned());
    let mut protocol = Protocol::new(Settings { config: Arc::new(config), prompt: super::trial() }, now);
    protocol.connected(now);
    for line in text.lines() {
        protocol.handle(line, now);
        while protocol.poll_output().is_some() {}
        while protocol.poll_outgoing().is_some() {}
    }
}
