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
mod calls;
mod config;
mod connection_string;
mod incoming;
mod leg;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use offhook_core::{AudioFormat, PhoneNumber};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

pub use config::{
    API_VERSION, AcsAuth, AcsConfig, AcsLine, AcsStartError, AcsTiming, Entra, MAX_CALLS, ManagedEndpoint,
};
pub use connection_string::{ConnectionString, ConnectionStringError, normal_endpoint};
pub use incoming::{IncomingCallError, IncomingCallEvent, IncomingRefusal};
pub(crate) use leg::AcsLeg;

use crate::leg::Leg;
use crate::line::{LinePool, LineStatus, Load};
use crate::{Dial, DialError, IncomingCall, Released, TrunkReply, TrunkReport};
use address::{Address, Urls};
use calls::{Calls, Stranger};
use leg::Mail;

/// What the lines of ACS name as their trunk.
pub const TRUNK: &str = "acs";
const TICKET: &str = "offhook-acs/1";

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
}

impl MediaPlace {
    /// Hand over the connection once it was upgraded: the next byte read is the first of a WebSocket frame. It takes the
    /// place of an earlier one of the same call.
    pub fn attach<S>(self, socket: S)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let _ = (self.mail, socket);
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
    incoming: mpsc::Sender<IncomingCall>,
}

/// Whether [`AcsCarrier::release`] is to be asked.
pub(crate) fn is_ticket(ticket: &str) -> bool {
    ticket.starts_with(TICKET)
}

impl AcsCarrier {
    /// Needs a tokio runtime. Inbound calls go to `incoming`; a full channel refuses them as busy.
    pub fn start(config: AcsConfig, incoming: mpsc::Sender<IncomingCall>) -> Result<Self, AcsStartError> {
        let lines = LinePool::new(config.lines.iter().map(|line| (line.number.clone(), line.max_calls)));
        let address = Address::of(&config.callback_url, &config.media_url);
        Ok(Self { config: Arc::new(config), lines, calls: Calls::default(), address, incoming })
    }

    /// Where Microsoft reaches us from now on, as a tunnel says; `None` while it does not: then no call is placed.
    pub fn set_public_url(&self, public_url: Option<&str>) {
        self.address.set(public_url.map(Urls::below));
    }

    pub fn dial(&self, dial: &Dial) -> Result<Leg, DialError> {
        let _ = dial;
        Err(DialError::Unsent { why: "not connected yet".to_owned() })
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
        let _ = (body, found.mail);
        Ok(())
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
        let named = call_connection_id.ok_or(MediaRefusal::Foreign)?;
        if found.connection.is_some_and(|connection| connection != named) {
            return Err(MediaRefusal::Foreign);
        }
        if found.is_over {
            return Err(MediaRefusal::Over);
        }
        Ok(MediaPlace { mail: found.mail })
    }

    /// Somebody calls; where it is one of our lines, it becomes an [`IncomingCall`].
    pub fn incoming(&self, event: IncomingCallEvent) -> Result<(), IncomingRefusal> {
        let _ = (event, &self.incoming);
        Err(IncomingRefusal::NotOurs)
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

    /// Ask for a call that does not exist: the answer shows that the endpoint is right and our key is known there.
    pub async fn check(&self) -> TrunkReport {
        TrunkReport {
            name: TRUNK.to_owned(),
            server: self.config.endpoint.clone(),
            reply: TrunkReply::Silence,
            registered: None,
            advice: None,
        }
    }

    /// Hang up a call of a process before this one.
    pub async fn release(&self, _ticket: &str) -> Released {
        Released::Unknown { why: "not connected yet".to_owned() }
    }

    /// Hang up every call.
    pub async fn shutdown(&self) {
        for call in self.calls.live() {
            let _ = call.send_timeout(Mail::Shutdown, Duration::from_secs(1)).await;
        }
    }
}

impl fmt::Debug for AcsCarrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcsCarrier").field("endpoint", &self.config.endpoint).finish_non_exhaustive()
    }
}
