//! SIP (RFC 3261): a user agent for trunks and softphones.
//!
//! One task, the `agent`, owns all signalling: sockets, transactions, dialogs, registrations. What it decides is
//! decided by state machines without IO (`transaction`, `dialog`, `usage`, `session_timer`, `digest`); what it does is
//! in `net`, `connection` and `resolve`. Audio never passes through it.

mod agent;
pub mod config;
mod connection;
mod dialog;
mod digest;
#[doc(hidden)]
pub mod fuzzing;
mod identity;
pub(crate) mod leg;
pub mod message;
mod net;
mod network;
mod reason;
mod resolve;
mod session_timer;
#[cfg(test)]
mod shown;
pub mod stream;
mod targets;
mod ticket;
mod tls;
mod transaction;
mod trunk;
pub mod uri;
mod usage;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use offhook_core::{AudioFormat, PhoneNumber};
use tokio::sync::{mpsc, oneshot};

pub(crate) use agent::Errand;
use agent::{Agent, Dialing};
pub use config::{
    FromUser, Identity, Inbound, LineConfig, Listen, NumberFormat, ParseServerError, Server, SipConfig,
    TlsIdentity, TlsTrust, Transport, Trunk,
};
pub use network::{Network, ParseNetworkError};
pub use transaction::Timing;

use leg::SipLeg;
use trunk::Health;

use crate::leg::Leg;
use crate::line::{LinePool, LineStatus, Load, TakeError};
use crate::media::{Media, MediaConfig};
use crate::{Dial, DialError, IncomingCall, Released, TrunkCheck};

/// Commands waiting for the agent.
const ASKS: usize = 1_024;
/// Signals waiting for a leg.
const SIGNALS: usize = 32;

/// Why a SIP carrier could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("line {number:?} names the trunk {trunk:?}, which is not configured")]
    UnknownTrunk { number: PhoneNumber, trunk: String },
    #[error("no SIP trunk is configured")]
    NoTrunk,
    #[error("trunk {0:?} is to be registered with, but has no username and password")]
    NoCredentials(String),
    #[error("trunk {0:?} is to be called from its account, but has no username")]
    NoAccount(String),
    #[error(
        "trunk {0:?} hides the number from the one who is called, and has no header to tell it the trunk"
    )]
    NoIdentity(String),
    #[error("a SIP address can't be listened on, or its certificate can't be used: {0}")]
    Listen(#[source] io::Error),
    #[error("the certificates to trust for trunk {0:?} can't be used: {1}")]
    Trust(String, #[source] io::Error),
}

/// The SIP carrier; cheap to clone. It stops when the last clone and the last leg are dropped.
#[derive(Clone)]
pub struct SipCarrier {
    config: Arc<SipConfig>,
    lines: LinePool,
    health: Arc<[Arc<Health>]>,
    listening: Arc<[(Transport, SocketAddr)]>,
    asks: mpsc::Sender<Errand>,
    next_call: Arc<AtomicU64>,
}

impl SipCarrier {
    /// Bind the sockets and start the agent. Inbound calls go to `incoming`; a full channel refuses them with 503.
    pub async fn start(config: SipConfig, incoming: mpsc::Sender<IncomingCall>) -> Result<Self, StartError> {
        check(&config)?;
        let config = Arc::new(with_media_address(config));
        let (net, arrivals) =
            net::Net::bind(&config.listen, config.public_ip).await.map_err(StartError::Listen)?;
        let listening = net.listening().into();
        let lines = LinePool::new(config.lines.iter().map(|line| (line.number.clone(), line.max_calls)));
        let (asks, asked) = mpsc::channel(ASKS);
        let next_call = Arc::new(AtomicU64::new(1));
        let agent =
            Agent::new(config.clone(), net, lines.clone(), incoming, asks.downgrade(), next_call.clone())?;
        let health = agent.health();
        tokio::spawn(agent.run(arrivals, asked));
        Ok(Self { config, lines, health, listening, asks, next_call })
    }

    /// Where it really listens, with the ports the system chose.
    pub fn listening(&self) -> &[(Transport, SocketAddr)] {
        &self.listening
    }

    fn is_well(&self, line: usize) -> bool {
        self.health[trunk_of(&self.config, &self.config.lines[line])].is_well()
    }

    pub(crate) fn load(&self, from: Option<&PhoneNumber>) -> Load {
        self.lines.load(from, |line| self.is_well(line))
    }

    pub fn dial(&self, dial: &Dial) -> Result<Leg, DialError> {
        let slot =
            self.lines.take(dial.from.as_ref(), |line| self.is_well(line)).map_err(|error| match error {
                TakeError::NoLine => DialError::NoLine,
                TakeError::UnknownLine => DialError::UnknownLine,
            })?;
        let unsent = |why: &str| DialError::Unsent { why: why.to_owned() };
        let place = self.asks.try_reserve().map_err(|error| match error {
            mpsc::error::TrySendError::Full(()) => unsent("the carrier has too much to do"),
            mpsc::error::TrySendError::Closed(()) => unsent("the carrier was shut down"),
        })?;
        let line = self.config.lines[slot.index].number.clone();
        let mut media = Media::bind(&self.media_config(slot.index))
            .map_err(|error| unsent(&format!("no port for audio: {error}")))?;
        let (signals, leg_signals) = mpsc::channel(SIGNALS);
        let handle = self.next_call.fetch_add(1, Ordering::Relaxed);
        let local_sdp = media.offer();
        place.send(Errand::Dial(Box::new(Dialing {
            handle,
            to: dial.to.clone(),
            slot,
            local_sdp,
            leg: signals,
        })));
        Ok(SipLeg::new(handle, line, media, leg_signals, self.asks.clone(), None).into())
    }

    fn media_config(&self, line: usize) -> MediaConfig {
        media_config(&self.config, line)
    }

    pub fn preferred_format(&self) -> AudioFormat {
        self.config.rtp.formats.first().copied().unwrap_or(AudioFormat::Pcmu)
    }

    pub fn lines(&self) -> Vec<LineStatus> {
        let busy = self.lines.busy();
        let status = |(index, line): (usize, &LineConfig)| {
            let trunk = trunk_of(&self.config, line);
            LineStatus {
                number: line.number.clone(),
                display_name: line.display_name.clone(),
                trunk: line.trunk.clone(),
                busy: busy[index],
                limit: line.max_calls,
                registered: self.config.trunks[trunk].register.then(|| self.health[trunk].is_registered()),
            }
        };
        self.config.lines.iter().enumerate().map(status).collect()
    }

    /// Ask every trunk whether it is there.
    pub async fn check(&self) -> TrunkCheck {
        let (reply, answer) = oneshot::channel();
        if self.asks.send(Errand::Check(reply)).await.is_err() {
            return TrunkCheck::default();
        }
        answer.await.unwrap_or_default()
    }

    /// Hang up a call of a process before this one.
    pub async fn release(&self, ticket: &str) -> Released {
        let (reply, outcome) = oneshot::channel();
        let _ = self.asks.send(Errand::Release { ticket: ticket.to_owned(), reply }).await;
        let why = "the carrier was shut down".to_owned();
        outcome.await.unwrap_or(Released::Unreachable { why })
    }

    /// Hang up every call, take the registrations back, and stop; waits at most five seconds for far ends.
    pub async fn shutdown(&self) {
        let (reply, done) = oneshot::channel();
        if self.asks.send(Errand::Shutdown(reply)).await.is_ok() {
            let _ = tokio::time::timeout(Duration::from_secs(6), done).await;
        }
    }
}

impl fmt::Debug for SipCarrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SipCarrier").field("listening", &self.listening).finish_non_exhaustive()
    }
}

fn check(config: &SipConfig) -> Result<(), StartError> {
    if config.trunks.is_empty() {
        return Err(StartError::NoTrunk);
    }
    for line in &config.lines {
        if !config.trunks.iter().any(|trunk| trunk.name == line.trunk) {
            return Err(StartError::UnknownTrunk { number: line.number.clone(), trunk: line.trunk.clone() });
        }
    }
    config.trunks.iter().try_for_each(check_trunk)
}

fn check_trunk(trunk: &Trunk) -> Result<(), StartError> {
    let name = || trunk.name.clone();
    match (trunk.from_user, trunk.identity) {
        _ if trunk.register && trunk.credentials().is_none() => Err(StartError::NoCredentials(name())),
        (FromUser::Account, _) if trunk.username.is_none() => Err(StartError::NoAccount(name())),
        (FromUser::Anonymous, Identity::From) => Err(StartError::NoIdentity(name())),
        _ => Ok(()),
    }
}

/// Media bound to every address still has to name one in SDP: the one that faces the first trunk.
fn with_media_address(mut config: SipConfig) -> SipConfig {
    config.rtp.advertised_ip = config.rtp.advertised_ip.or(config.public_ip);
    if config.rtp.bind_ip.is_unspecified() && config.rtp.advertised_ip.is_none() {
        let toward = resolve::literal(config.trunks[0].hop()).map(|target| target.addr);
        config.rtp.advertised_ip =
            net::local_ip_toward(toward.unwrap_or_else(|| ([192, 0, 2, 1], 5060).into())).ok();
    }
    config
}

/// Checked at the start: every line's trunk exists.
fn trunk_of(config: &SipConfig, line: &LineConfig) -> usize {
    config.trunks.iter().position(|trunk| trunk.name == line.trunk).unwrap_or(0)
}

fn media_config(config: &SipConfig, line: usize) -> MediaConfig {
    let trunk = &config.trunks[trunk_of(config, &config.lines[line])];
    let mut media = config.rtp.clone();
    media.srtp = trunk.srtp;
    media
}

/// A fresh tag, branch or Call-ID: 128 random bits.
fn token() -> String {
    format!("{:032x}", rand::random::<u128>())
}
