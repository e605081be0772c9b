//! What one client may cost: the one place for the limits of the HTTP server.

use std::time::Duration;

/// How much is taken, and how long is waited for it.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at a time; one more is answered with 503 and closed. An event stream holds one for its whole call.
    pub connections: usize,
    /// How long a connection may take to its first whole request line and headers: whoever has shown nothing yet holds
    /// no place for long.
    pub first_head_timeout: Duration,
    /// How long they may take later, counted from the answer before.
    pub head_timeout: Duration,
    /// What they may be long, in bytes. The server answers more with 431.
    pub head_bytes: usize,
    /// How many headers a request may have.
    pub headers: usize,
    /// How long a body may take from its first byte to its last.
    pub body_timeout: Duration,
    /// Instructions of a few pages fit; a book does not.
    pub body_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4_096,
            first_head_timeout: Duration::from_secs(10),
            head_timeout: Duration::from_secs(30),
            head_bytes: 16 * 1_024,
            headers: 64,
            body_timeout: Duration::from_secs(20),
            body_bytes: 256 * 1_024,
        }
    }
}
