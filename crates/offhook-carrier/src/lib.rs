//! Telephone networks: SIP trunks and softphones, and Azure Communication Services (ACS).
//!
//! A [`Carrier`] dials and is dialled; each call is a [`Leg`], which reports [`LegEvent`]s and audio and takes
//! [`LegCommand`]s. Signalling of SIP runs in a task of the carrier, that of ACS in the leg; audio goes straight between
//! the leg and its socket.
//!
//! [`LegEvent`]: offhook_core::LegEvent
//! [`LegCommand`]: offhook_core::LegCommand

pub mod acs;
mod leg;
mod line;
pub mod media;
pub mod sip;

use std::fmt;
use std::time::Duration;

use offhook_core::policy::{Allow, HandoffAllow};
use offhook_core::{AudioFormat, PhoneNumber};

pub use acs::{AcsCarrier, AcsConfig};
pub use leg::{Busy, Leg, LegOutput};
pub use line::LineStatus;
pub use media::{MediaConfig, MediaStats, SrtpPolicy};
pub use sip::{SipCarrier, SipConfig, StartError};

/// The telephone networks we can use, with the lines of all of them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Carrier {
    sip: Option<SipCarrier>,
    acs: Option<AcsCarrier>,
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
    /// What the network calls it: the Call-ID of SIP, the server call id of ACS.
    pub carrier_call_id: String,
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
    /// Any status shows that somebody is there: to OPTIONS for a SIP trunk, to a request over HTTP for ACS.
    Answered {
        status: u16,
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

impl From<SipCarrier> for Carrier {
    fn from(sip: SipCarrier) -> Self {
        Self { sip: Some(sip), acs: None }
    }
}

impl From<AcsCarrier> for Carrier {
    fn from(acs: AcsCarrier) -> Self {
        Self { sip: None, acs: Some(acs) }
    }
}

/// The network of a line.
enum Network<'a> {
    Sip(&'a SipCarrier),
    Acs(&'a AcsCarrier),
}

impl Network<'_> {
    fn dial(&self, dial: &Dial) -> Result<Leg, DialError> {
        match self {
            Self::Sip(sip) => sip.dial(dial),
            Self::Acs(acs) => acs.dial(dial),
        }
    }
}

impl Carrier {
    /// The networks together, of which there is at least one. A number is a line of one of them.
    pub fn of(sip: Option<SipCarrier>, acs: Option<AcsCarrier>) -> Option<Self> {
        (sip.is_some() || acs.is_some()).then_some(Self { sip, acs })
    }

    pub fn acs(&self) -> Option<&AcsCarrier> {
        self.acs.as_ref()
    }

    /// Place a call. Returns at once; what becomes of it comes as events of the leg.
    pub fn dial(&self, dial: &Dial) -> Result<Leg, DialError> {
        let mut refused = DialError::UnknownLine;
        for network in self.networks(dial) {
            match network.dial(dial) {
                // Somebody else was quicker, or it is the other network's.
                Err(error @ DialError::NoLine) => refused = error,
                Err(DialError::UnknownLine) => {}
                done => return done,
            }
        }
        Err(refused)
    }

    /// Those with a line for this call, the one with the line that is freest first.
    fn networks(&self, dial: &Dial) -> Vec<Network<'_>> {
        let from = dial.from.as_ref();
        let sip = self.sip.iter().map(|sip| (sip.load(from), Network::Sip(sip)));
        let acs = self.acs.iter().map(|acs| (acs.load(from), Network::Acs(acs)));
        let mut networks: Vec<_> = sip.chain(acs).collect();
        networks.sort_by_key(|(load, _)| *load);
        networks.into_iter().map(|(_, network)| network).collect()
    }

    /// Hang up a call that a process before this one left behind, by the last [`LegOutput::Ticket`] of its leg.
    /// Takes a few seconds at most.
    pub async fn release(&self, ticket: &str) -> Released {
        let why = || "its network is not configured any more".to_owned();
        match (&self.sip, &self.acs) {
            (_, Some(acs)) if acs::is_ticket(ticket) => acs.release(ticket).await,
            (Some(sip), _) if !acs::is_ticket(ticket) => sip.release(ticket).await,
            _ => Released::Unknown { why: why() },
        }
    }

    /// What a leg will most likely carry, where nothing is known of it yet.
    pub fn preferred_format(&self) -> AudioFormat {
        match (&self.sip, &self.acs) {
            (None, Some(acs)) => acs.format(),
            (Some(sip), _) => sip.preferred_format(),
            (None, None) => AudioFormat::Pcmu,
        }
    }

    pub fn lines(&self) -> Vec<LineStatus> {
        let sip = self.sip.iter().flat_map(SipCarrier::lines);
        sip.chain(self.acs.iter().flat_map(AcsCarrier::lines)).collect()
    }

    /// Ask the networks whether they are there, and say what to do if not.
    pub async fn check(&self) -> TrunkCheck {
        let mut check = TrunkCheck::default();
        if let Some(sip) = &self.sip {
            check = sip.check().await;
        }
        if let Some(acs) = &self.acs {
            check.trunks.push(acs.check().await);
        }
        check
    }

    /// Hang up every call and stop.
    pub async fn shutdown(&self) {
        let sip = async {
            if let Some(sip) = &self.sip {
                sip.shutdown().await;
            }
        };
        let acs = async {
            if let Some(acs) = &self.acs {
                acs.shutdown().await;
            }
        };
        tokio::join!(sip, acs);
    }
}
