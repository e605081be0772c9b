//! Transactions (RFC 3261 §17): what is sent again until it is answered, and what is answered again.

use std::net::SocketAddr;
use std::time::Duration;

use offhook_core::Timestamp;

use crate::record::CallKey;
use crate::sip::response::Asked;
use crate::sip::{Message, Method, Request, Via};

pub const T1: Duration = Duration::from_millis(500);
pub const T2: Duration = Duration::from_secs(4);
/// Timers B, F, H and J.
pub const GIVE_UP: Duration = Duration::from_secs(32);

/// Sends again at T1, 2·T1, 4·T1 … up to T2, until given up.
#[derive(Clone, Copy, Debug)]
pub struct Resend {
    pub at: Timestamp,
    interval: Duration,
    pub give_up_at: Timestamp,
    capped: bool,
}

impl Resend {
    pub fn new(now: Timestamp) -> Self {
        Self { at: now + T1, interval: T1, give_up_at: now + GIVE_UP, capped: true }
    }

    /// Timer A doubles without a limit.
    pub fn invite(now: Timestamp) -> Self {
        Self { capped: false, ..Self::new(now) }
    }

    pub fn due(&mut self, now: Timestamp) -> bool {
        if now < self.at {
            return false;
        }
        self.interval = if self.capped { (self.interval * 2).min(T2) } else { self.interval * 2 };
        self.at = now + self.interval;
        true
    }

    pub fn deadline(&self) -> Timestamp {
        self.at.min(self.give_up_at)
    }
}

/// What a request is matched by (RFC 3261 §17.2.3). An ACK and a CANCEL match as the INVITE they belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TxKey {
    branch: String,
    sent_by: (String, Option<u16>),
    method: Method,
}

impl TxKey {
    pub fn of(message: &Message, method: &Method) -> Option<Self> {
        let via = Via::parse(message.list("via").first()?)?;
        let sent_by = (via.host.clone(), via.port);
        Some(Self { branch: via.branch()?.to_owned(), sent_by, method: method.clone() })
    }
}

/// A request that came in, and the last answer to it.
#[derive(Debug)]
pub struct ServerTx {
    pub key: TxKey,
    pub request: Request,
    pub to: SocketAddr,
    pub source: SocketAddr,
    pub last: Option<Vec<u8>>,
    pub status: u16,
    /// A final answer to an INVITE that was not a 2xx, until the ACK.
    pub awaiting_ack: Option<Resend>,
    pub call: Option<CallKey>,
    pub expires_at: Option<Timestamp>,
}

impl ServerTx {
    pub fn is_final(&self) -> bool {
        self.status >= 200
    }
}

/// Why one of our own requests was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Invite,
    Reinvite,
    Cancel,
    Bye,
}

/// A request of ours, until it is finally answered.
#[derive(Debug)]
pub struct ClientTx {
    pub purpose: Purpose,
    pub call: CallKey,
    pub asked: Asked,
    pub bytes: Vec<u8>,
    pub to: SocketAddr,
    /// None once a provisional response stops an INVITE from being sent again.
    pub resend: Option<Resend>,
    pub progressed: bool,
    /// The final answer came; kept to answer its retransmissions with the same ACK.
    pub done: Option<Done>,
}

#[derive(Debug)]
pub struct Done {
    pub status: u16,
    pub ack: Option<Vec<u8>>,
    pub expires_at: Timestamp,
}

impl ClientTx {
    pub fn deadline(&self) -> Option<Timestamp> {
        match &self.done {
            Some(done) => Some(done.expires_at),
            None => self.resend.as_ref().map(Resend::deadline),
        }
    }
}
