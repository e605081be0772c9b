//! Telephone networks: SIP trunks and softphones.
//!
//! A [`Carrier`] dials and is dialled; each call is a [`Leg`], which reports [`LegEvent`]s and audio and takes
//! [`LegCommand`]s. Signalling runs in a task of the carrier; audio goes straight between the leg and its socket.
//!
//! [`LegEvent`]: offhook_core::LegEvent
//! [`LegCommand`]: offhook_core::LegCommand

mod leg;
mod line;
pub mod media;
pub mod sip;

use std::fmt;
use std::time::Duration;

use offhook_core::policy::{Allow, HandoffAllow};
use offhook_core::{AudioFormat, PhoneNumber};

pub use leg::{Busy, Leg, LegOutput};
pub use line::LineStatus;
pub use media::{MediaConfig, MediaStats, SrtpPolicy};
pub use sip::{SipCarrier, SipConfig, StartError};

/// A telephone network we can use. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Carrier {
    Sip(SipCarrier),
}

/// A call to be placed: to the number that was permitted, and to no other.
///
/// ```compile_fail
/// use offhook_carrier::Dial;
/// fn elsewhere(to: offhook_core::PhoneNumber) -> Dial {
///     Dial { to, from: None }
/// }
/// ```
#[derive(Debug)]
pub struct Dial {
    pub(crate) to: PhoneNumber,
    /// One of our lines; the least busy one when `None`.
    pub(crate) from: Option<PhoneNumber>,
}

impl Dial {
    /// What this permission is for; `None` where that is answering a call.
    pub fn permitted(allow: &Allow) -> Option<Self> {
        Some(Self { to: allow.destination()?.clone(), from: allow.line().cloned() })
    }

    /// The user of a call under way, on whichever line is free.
    pub fn user(allow: &HandoffAllow) -> Self {
        Self { to: allow.user().clone(), from: None }
    }

    /// The same from this line of ours.
    pub fn on(self, line: &PhoneNumber) -> Self {
        Self { from: Some(line.clone()), ..self }
    }
}

/// Why a call was not placed. In every case nothing has left this machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    #[error("all lines are in use; try again in 15 seconds")]
    NoLine,
    #[error("the number to call from is none of our lines")]
    UnknownLine,
    #[error("the call was not placed: {why}")]
    Unsent { why: String },
}

/// Somebody calls one of our lines. Answer with [`offhook_core::LegCommand::Answer`], or hang up.
pub struct IncomingCall {
    /// Who calls, where the network says so and it is a telephone number.
    pub from: Option<PhoneNumber>,
    pub from_name: Option<String>,
    pub to: PhoneNumber,
    pub sip_call_id: String,
    pub leg: Leg,
}

/// How the trunks are doing, for `doctor`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrunkCheck {
    pub trunks: Vec<TrunkReport>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrunkReport {
    pub name: String,
    pub server: String,
    pub reply: TrunkReply,
    /// `None` where no registration is asked for.
    pub registered: Option<bool>,
    /// What to do about it; `None` when all is well.
    pub advice: Option<String>,
}

/// What became of an OPTIONS request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrunkReply {
    /// Any status shows that somebody is there.
    Answered {
        sip_status: u16,
        round_trip: Duration,
    },
    Silence,
    Unreachable {
        why: String,
    },
}

/// What became of the far leg of a call that another process of ours left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Released {
    /// It confirmed the hang-up, or did not know the call any more.
    Gone,
    /// It did not confirm in time, or could not be asked.
    Unreachable { why: String },
    /// Whether it is gone can't be told.
    Unknown { why: String },
}

/// Without the caller's name.
impl fmt::Debug for IncomingCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, leg, .. } = self;
        let mut debug = f.debug_struct("IncomingCall");
        debug.field("from", from).field("to", to).field("leg", leg).finish_non_exhaustive()
    }
}

impl TrunkCheck {
    pub fn is_well(&self) -> bool {
        self.trunks.iter().all(|trunk| trunk.advice.is_none())
    }
}

impl Carrier {
    /// Place a call. Returns at once; what becomes of it comes as events of the leg.
    pub fn dial(&self, dial: &Dial) -> Result<Leg, DialError> {
        match self {
            Self::Sip(sip) => sip.dial(dial),
        }
    }

    /// Hang up a call that a process before this one left behind, by the last [`LegOutput::Ticket`] of its leg.
    /// Takes a few seconds at most.
    pub async fn release(&self, ticket: &str) -> Released {
        match self {
            Self::Sip(sip) => sip.release(ticket).await,
        }
    }

    /// What our offers prefer: most likely what a leg will carry.
    pub fn preferred_format(&self) -> AudioFormat {
        match self {
            Self::Sip(sip) => sip.preferred_format(),
        }
    }

    pub fn lines(&self) -> Vec<LineStatus> {
        match self {
            Self::Sip(sip) => sip.lines(),
        }
    }

    /// Ask the network whether it is there, and say what to do if not.
    pub async fn check(&self) -> TrunkCheck {
        match self {
            Self::Sip(sip) => sip.check().await,
        }
    }

    /// Hang up every call and stop.
    pub async fn shutdown(&self) {
        match self {
            Self::Sip(sip) => sip.shutdown().await,
        }
    }
}
