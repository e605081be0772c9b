//! SIP as RFC 3261 writes it: messages, the headers the exchange looks at, and the rules it holds requests to.

pub mod digest;
pub mod header;
pub mod message;
pub mod request;
pub mod response;

pub use header::{CSeq, NameAddr, Uri, Via};
pub use message::{Message, Method, Start};
pub use request::Request;

/// A broken rule: what is answered, and what is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    pub status: u16,
    /// Stable code of the rule, e.g. `via.branch`.
    pub rule: &'static str,
    pub detail: String,
}

impl Mistake {
    pub fn new(status: u16, rule: &'static str, detail: impl Into<String>) -> Self {
        Self { status, rule, detail: detail.into() }
    }
}

/// The usual reason phrase of a status.
pub fn phrase(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        180 => "Ringing",
        183 => "Session Progress",
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        407 => "Proxy Authentication Required",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        420 => "Bad Extension",
        422 => "Session Interval Too Small",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        483 => "Too Many Hops",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        491 => "Request Pending",
        500 => "Server Internal Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        505 => "Version Not Supported",
        603 => "Decline",
        _ => "Unknown",
    }
}
