//! Azure Communication Services: Call Automation with audio over a WebSocket.
//!
//! We ask over HTTPS (`request`, `client`), Microsoft tells us what happens with callbacks (`event`) and connects to us
//! for the audio of each call (`websocket`, `media`). What it means is decided by a state machine without IO (`call`);
//! the leg of a call drives it.
//!
//! Callbacks and media of a call come to paths of its own, which hold its name and a secret:
//! `{callback_url}/webhooks/acs/calls/{call}?token=…` and `{media_url}/webhooks/acs/media/{call}?token=…`. Whoever serves
//! those checks the token of Microsoft's and brings what came to [`AcsCarrier::callback`] and [`AcsCarrier::media`].

mod address;
mod call;
mod calls;
mod client;
mod config;
mod connection_string;
mod entra;
mod event;
#[doc(hidden)]
pub mod fuzzing;
mod incoming;
mod leg;
mod media;
mod release;
mod request;
pub mod result;
mod retry;
mod signature;
mod socket;
mod ticket;
mod tone;
mod websocket;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use offhook_core::{AudioFormat, EndReason, PhoneNumber};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::task::TaskTracker;

pub use call::HandOver;
pub use config::{
    API_VERSION, AcsAuth, AcsConfig, AcsLine, AcsStartError, AcsTiming, Entra, MAX_CALLS, ManagedEndpoint,
};
pub use connection_string::{ConnectionString, ConnectionStringError, is_here, normal_endpoint};
pub use entra::AUTHORITY;
pub use incoming::{IncomingCallError, IncomingCallEvent, IncomingRefusal};
pub(crate) use leg::AcsLeg;
pub use result::markdown_table as result_codes_table;
pub use signature::{AccessKey, Signable, Signature};

use crate::leg::Leg;
use crate::line::{LinePool, LineSlot, LineStatus, Load, TakeError};
use crate::{Dial, DialError, IncomingCall};
use address::{Address, Urls};
use call::{Call, Plan};
use calls::{Calls, Named, Stranger};
use client::Client;
use leg::{Driver, Mail, Shared};
use request::{Identifier, MediaOptions, Request};
use ticket::Ticket;

/// What the lines of ACS name as their trunk.
pub const TRUNK: &str = "acs";
/// How many callers are told at a time that we are busy; those above it hear it ring.
const REJECTIONS: usize = 64;
/// How long [`AcsCarrier::shutdown`] waits for calls to end.
const GOODBYE: Duration = Duration::from_secs(5);

/// Why a callback was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallbackError {
    #[error("no call of that name is known, or not any more")]
    Unknown,
    #[error("the token is not that of the call")]
    WrongToken,
    #[error("the body is not a list of events")]
    Malformed,
    #[error("the call takes no more at the moment; send it again")]
    Busy,
}

/// Why a media connection was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MediaRefusal {
    #[error("no call of that name is known, or not any more")]
    Unknown,
    #[error("the token is not that of the call")]
    WrongToken,
    #[error("x-ms-call-connection-id is missing, or that of another call")]
    Foreign,
    #[error("the call is over")]
    Over,
}

/// A call whose audio may be connected.
pub struct MediaPlace {
    mail: mpsc::Sender<Mail>,
    connection: String,
}

impl MediaPlace {
    /// Hand over the connection once it was upgraded: the next byte read is the first of a WebSocket frame. It takes the
    /// place of an earlier one of the same call.
    pub fn attach<S>(self, socket: S)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        // A call that does not even take its mail is over.
        let _ = self.mail.try_send(Mail::Socket(Box::new(socket), self.connection));
    }
}

impl fmt::Debug for MediaPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MediaPlace")
    }
}

/// The `Sec-WebSocket-Accept` to a `Sec-WebSocket-Key` (RFC 6455 §4.2.2).
pub fn websocket_accept(key: &str) -> String {
    use base64::Engine as _;
    let mut hash = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY);
    hash.update(key.trim().as_bytes());
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    base64::prelude::BASE64_STANDARD.encode(hash.finish())
}

/// The carrier; cheap to clone.
#[derive(Clone)]
pub struct AcsCarrier {
    config: Arc<AcsConfig>,
    lines: LinePool,
    calls: Calls,
    address: Address,
    shared: Arc<Shared>,
    incoming: mpsc::Sender<IncomingCall>,
    rejections: Arc<Semaphore>,
}

/// Whether [`AcsCarrier::release`] is to be asked.
pub(crate) fn is_ticket(ticket: &str) -> bool {
    Ticket::is_one(ticket)
}

impl AcsCarrier {
    /// Needs a tokio runtime. Inbound calls go to `incoming`; a full channel refuses them as busy.
    pub fn start(config: AcsConfig, incoming: mpsc::Sender<IncomingCall>) -> Result<Self, AcsStartError> {
        config.check()?;
        let client = Client::new(&config)?;
        let lines = LinePool::new(config.lines.iter().map(|line| (line.number.clone(), line.max_calls)));
        let shared = Arc::new(Shared { client, farewells: TaskTracker::new() });
        let address = Address::of(&config.callback_url, &config.media_url);
        let (calls, rejections) = (Calls::default(), Arc::new(Semaphore::new(REJECTIONS)));
        Ok(Self { config: Arc::new(config), lines, calls, address, shared, incoming, rejections })
    }

    /// Where Microsoft reaches us from now on, as a tunnel says; `None` while it does not: then no call is placed.
    pub fn set_public_url(&self, public_url: Option<&str>) {
        self.address.set(public_url.map(Urls::below));
    }

    pub fn dial(&self, dial: &Dial) -> Result<Leg, DialError> {
        let slot = self.lines.take(dial.from.as_ref(), |_| true).map_err(|error| match error {
            TakeError::NoLine => DialError::NoLine,
            TakeError::UnknownLine => DialError::UnknownLine,
        })?;
        let unsent = |why: &str| DialError::Unsent { why: why.to_owned() };
        if self.shared.farewells.is_closed() {
            return Err(unsent("the carrier was shut down"));
        }
        let urls =
            self.address.now().ok_or_else(|| unsent("nobody can reach us: there is no public address"))?;
        let line = self.config.lines[slot.index].clone();
        let remote = Some(Identifier::phone(&dial.to));
        Ok(self.leg(&urls, &line, remote, slot, |plan| Call::dial(now(), plan, &dial.to)))
    }

    /// A call on this line, with paths of its own.
    fn leg(
        &self,
        urls: &Urls,
        line: &AcsLine,
        remote: Option<Identifier>,
        slot: LineSlot,
        begin: impl FnOnce(Plan) -> Call,
    ) -> Leg {
        let (named, post, mailbox) = self.calls.open(self.config.timing.linger);
        let plan = self.plan(urls, &named, line, remote);
        let (shared, format) = (Arc::clone(&self.shared), self.config.format);
        let driver = Driver::new(begin(plan), named, shared, Some(slot), mailbox, post, format);
        AcsLeg::new(line.number.clone(), driver).into()
    }

    fn plan(&self, urls: &Urls, named: &Named, line: &AcsLine, remote: Option<Identifier>) -> Plan {
        let Named { reference, token, .. } = named;
        let AcsConfig { format, timing, .. } = &*self.config;
        let Urls { callback, media } = urls;
        let url = format!("{media}/webhooks/acs/media/{reference}?token={token}").into();
        Plan {
            reference: reference.clone(),
            token: token.clone().into(),
            callback_url: format!("{callback}/webhooks/acs/calls/{reference}?token={token}").into(),
            media: MediaOptions { url, format: *format },
            line: line.number.clone(),
            display_name: line.display_name.clone(),
            remote,
            encrypted: media.starts_with("wss:"),
            timing: *timing,
        }
    }

    /// Whether these are name and secret of a call of ours, also of one that was over a moment ago.
    pub fn knows(&self, call: &str, token: &str) -> bool {
        self.calls.find(call, token).is_ok()
    }

    /// Take the body of one callback, whenever it comes and however often.
    pub fn callback(&self, call: &str, token: &str, body: &[u8]) -> Result<(), CallbackError> {
        let found = self.calls.find(call, token).map_err(|stranger| match stranger {
            Stranger::Unknown => CallbackError::Unknown,
            Stranger::WrongToken => CallbackError::WrongToken,
        })?;
        let events = event::parse(body).map_err(|_| CallbackError::Malformed)?;
        match found.mail.try_send(Mail::Events(events)) {
            Err(mpsc::error::TrySendError::Full(_)) => Err(CallbackError::Busy),
            // Of a call that is over nothing more is of interest.
            Err(mpsc::error::TrySendError::Closed(_)) | Ok(()) => Ok(()),
        }
    }

    /// A media connection for a call: `call_connection_id` is the header `x-ms-call-connection-id` of its upgrade.
    pub fn media(
        &self,
        call: &str,
        token: &str,
        call_connection_id: Option<&str>,
    ) -> Result<MediaPlace, MediaRefusal> {
        let found = self.calls.find(call, token).map_err(|stranger| match stranger {
            Stranger::Unknown => MediaRefusal::Unknown,
            Stranger::WrongToken => MediaRefusal::WrongToken,
        })?;
        let named = call_connection_id.filter(|named| !named.is_empty()).ok_or(MediaRefusal::Foreign)?;
        if found.connection.is_some_and(|connection| connection != named) {
            return Err(MediaRefusal::Foreign);
        }
        if found.is_over || found.mail.is_closed() {
            return Err(MediaRefusal::Over);
        }
        Ok(MediaPlace { mail: found.mail, connection: named.to_owned() })
    }

    /// Somebody calls; where it is one of our lines, it becomes an [`IncomingCall`].
    ///
    /// Event Grid tells at least once: whoever takes its deliveries sees to it that each call gets here once.
    pub fn incoming(&self, event: IncomingCallEvent) -> Result<(), IncomingRefusal> {
        let to = event.to.as_ref().ok_or(IncomingRefusal::NotOurs)?;
        let line = self.config.lines.iter().find(|line| line.number == *to);
        let line = line.ok_or(IncomingRefusal::NotOurs)?;
        if self.shared.farewells.is_closed() {
            return Err(IncomingRefusal::Stopping);
        }
        let urls = self.address.now().ok_or(IncomingRefusal::Unreachable)?;
        let Ok(place) = self.incoming.try_reserve() else { return Err(self.reject(&event)) };
        let Ok(slot) = self.lines.take(Some(to), |_| true) else { return Err(self.reject(&event)) };
        let remote = Identifier::raw(&event.from_raw_id);
        let remote = remote.or_else(|| event.from.as_ref().map(Identifier::phone));
        let leg = self.leg(&urls, line, remote, slot, |plan| Call::offered(now(), plan, event.context));
        let carrier_call_id = event.correlation_id.or(event.server_call_id).unwrap_or_default();
        let (to, from, from_name) = (line.number.clone(), event.from, event.caller_name);
        place.send(IncomingCall { from, from_name, to, carrier_call_id, leg });
        Ok(())
    }

    fn reject(&self, event: &IncomingCallEvent) -> IncomingRefusal {
        let Ok(turn) = Arc::clone(&self.rejections).try_acquire_owned() else {
            tracing::warn!("so many callers are told to be busy that one is not told");
            return IncomingRefusal::Busy;
        };
        let request = Request::reject(&event.context, EndReason::CarrierNoLine);
        let shared = Arc::clone(&self.shared);
        self.shared.farewells.spawn(async move {
            shared.client.perform(&request).await;
            drop(turn);
        });
        IncomingRefusal::Busy
    }

    pub fn format(&self) -> AudioFormat {
        self.config.format
    }

    pub(crate) fn load(&self, from: Option<&PhoneNumber>) -> Load {
        self.lines.load(from, |_| true)
    }

    pub fn lines(&self) -> Vec<LineStatus> {
        let busy = self.lines.busy();
        let lines = self.config.lines.iter().zip(busy);
        lines
            .map(|(line, busy)| LineStatus {
                number: line.number.clone(),
                display_name: line.display_name.clone(),
                trunk: TRUNK.to_owned(),
                busy,
                limit: line.max_calls,
                registered: None,
            })
            .collect()
    }

    /// Hang up every call, and wait for that a few seconds.
    pub async fn shutdown(&self) {
        self.shared.farewells.close();
        for call in self.calls.live() {
            let _ = call.try_send(Mail::Shutdown);
        }
        let _ = tokio::time::timeout(GOODBYE, self.shared.farewells.wait()).await;
    }
}

/// The runtime's clock, so that paused time in tests is our time too.
fn now() -> std::time::Instant {
    tokio::time::Instant::now().into_std()
}

impl fmt::Debug for AcsCarrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcsCarrier").field("endpoint", &self.config.endpoint).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
