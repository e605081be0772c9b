//! The thin driver: one WebSocket, polled inline by the session task of the call.
//!
//! A poll writes everything that waits with one flush, then reads until there is an output. Nothing here decides
//! anything; that is the protocol's.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::OnceLock;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::{Sink, Stream};
use offhook_core::audio::AudioFormat;
use offhook_core::call::SpeechCommand;
use offhook_core::{Frame, Timestamp};
use tokio::time::{Instant, Sleep};
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::frame::Frame as WsFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Error as WsError, Message};

use super::protocol::{Ending, Outgoing, Protocol, Settings};
use super::target::{ConnectError, Socket, Target};
use crate::{Busy, SpeechOutput};

/// A session and its socket.
pub(crate) struct Connection {
    target: Arc<Target>,
    protocol: Protocol,
    link: Link,
    /// Which connection of the protocol `link` is.
    number: u32,
    /// Something was written that is not flushed yet.
    unflushed: bool,
    timer: Pin<Box<Sleep>>,
}

enum Link {
    Down,
    Connecting(Connecting),
    Up(Box<Socket>),
}

type Connecting = Pin<Box<dyn Future<Output = Result<Socket, ConnectError>> + Send>>;

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("target", &self.target).finish_non_exhaustive()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.hang_up();
    }
}

impl Connection {
    pub(super) fn open(target: Arc<Target>, settings: Settings) -> Self {
        let protocol = Protocol::new(settings, now());
        let timer = Box::pin(tokio::time::sleep(Duration::from_secs(3_600)));
        Self { target, protocol, link: Link::Down, number: 0, unflushed: false, timer }
    }

    /// On a connection that is up already.
    pub(super) fn with_socket(target: Arc<Target>, settings: Settings, socket: Socket) -> Self {
        let mut this = Self::open(target, settings);
        this.number = this.protocol.connection().unwrap_or_default();
        this.link = Link::Up(Box::new(socket));
        this.protocol.connected(now());
        this
    }

    pub fn hear(&mut self, remote_frame: &Frame) {
        self.protocol.hear(remote_frame);
    }

    pub fn send(&mut self, command: SpeechCommand) -> Result<(), Busy> {
        self.protocol.command(command, now())
    }

    /// Whether audio is in this format from now on.
    pub fn use_format(&mut self, format: AudioFormat) -> bool {
        self.protocol.use_format(format)
    }

    pub fn dropped_frames(&self) -> u64 {
        self.protocol.dropped_frames()
    }

    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<SpeechOutput> {
        loop {
            if let Some(output) = self.protocol.poll_output() {
                return Poll::Ready(output);
            }
            self.follow_protocol();
            let progress = self.poll_link(cx) | self.poll_timer(cx);
            if !progress {
                return Poll::Pending;
            }
        }
    }

    /// Have the connection the protocol wants, and no other.
    fn follow_protocol(&mut self) {
        match self.protocol.connection() {
            Some(number) if number == self.number => {}
            Some(number) => {
                let (target, within) = (Arc::clone(&self.target), self.protocol.connect_within());
                self.number = number;
                self.unflushed = false;
                self.link = Link::Connecting(Box::pin(async move { target.connect(within).await }));
            }
            None => self.hang_up(),
        }
    }

    /// Say goodbye as far as the socket takes it at once; nobody waits for the answer.
    fn hang_up(&mut self) {
        if let Link::Up(mut socket) = std::mem::replace(&mut self.link, Link::Down)
            && Pin::new(&mut *socket).start_send(Message::Close(None)).is_ok()
        {
            let mut cx = Context::from_waker(std::task::Waker::noop());
            let _ = Pin::new(&mut *socket).poll_flush(&mut cx);
        }
    }

    /// Whether anything happened.
    fn poll_link(&mut self, cx: &mut Context<'_>) -> bool {
        match &mut self.link {
            Link::Down => false,
            Link::Connecting(connecting) => {
                let Poll::Ready(connected) = connecting.as_mut().poll(cx) else { return false };
                match connected {
                    Ok(socket) => {
                        self.link = Link::Up(Box::new(socket));
                        self.protocol.connected(now());
                    }
                    Err(error) => {
                        self.link = Link::Down;
                        let ending = if error.may_pass() { Ending::Passing } else { Ending::Final };
                        self.protocol.disconnected(&error.to_string(), ending, now());
                    }
                }
                true
            }
            Link::Up(_) => self.poll_write(cx) || self.poll_read(cx),
        }
    }

    /// Write what waits, and flush it together. Whether the connection was lost over it.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> bool {
        let Link::Up(socket) = &mut self.link else { return false };
        match write_all(socket, &mut self.protocol, &mut self.unflushed, cx) {
            Ok(()) => false,
            Err(error) => self.lose(&closing_words(&error)),
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> bool {
        let Link::Up(socket) = &mut self.link else { return false };
        match Pin::new(&mut **socket).poll_next(cx) {
            Poll::Pending => false,
            Poll::Ready(Some(Ok(message))) => {
                self.read(message);
                true
            }
            Poll::Ready(Some(Err(error))) => self.lose(&closing_words(&error)),
            Poll::Ready(None) => self.lose("the server closed the connection"),
        }
    }

    fn read(&mut self, message: Message) {
        match message {
            Message::Text(text) => self.protocol.handle(text.as_str(), now()),
            Message::Close(Some(frame)) if !frame.reason.is_empty() => {
                let why = format!("the server closed the connection: {}", frame.reason);
                self.lose(&why);
            }
            Message::Close(_) => {
                self.lose("the server closed the connection");
            }
            _ => self.protocol.received(now()),
        }
    }

    fn lose(&mut self, why: &str) -> bool {
        self.link = Link::Down;
        self.protocol.disconnected(why, Ending::Passing, now());
        true
    }

    /// The timer may be early, never late: moving it for every message would cost more than a spare wake-up.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(deadline) = self.protocol.deadline() else { return false };
        let at = instant(deadline);
        if at < self.timer.deadline() {
            self.timer.as_mut().reset(at);
        }
        if self.timer.as_mut().poll(cx).is_pending() {
            return false;
        }
        self.protocol.tick(now());
        let next =
            self.protocol.deadline().map_or_else(|| Instant::now() + Duration::from_secs(3_600), instant);
        // Never in the past: a deadline that stays due would spin.
        self.timer.as_mut().reset(next.max(Instant::now() + Duration::from_millis(1)));
        true
    }
}

fn write_all(
    socket: &mut Socket,
    protocol: &mut Protocol,
    unflushed: &mut bool,
    cx: &mut Context<'_>,
) -> Result<(), WsError> {
    let mut socket = Pin::new(socket);
    loop {
        // What the socket did not take the last time comes first; meanwhile audio waits where it is bounded.
        if *unflushed {
            match socket.as_mut().poll_flush(cx) {
                Poll::Pending => return Ok(()),
                Poll::Ready(flushed) => flushed?,
            }
            *unflushed = false;
        }
        if !protocol.has_audio() && !protocol.has_outgoing() {
            return Ok(());
        }
        if let Some(event) = protocol.poll_audio() {
            socket.as_mut().start_send(text_frame(event))?;
        }
        while let Some(outgoing) = protocol.poll_outgoing() {
            let message = match outgoing {
                Outgoing::Text(text) => Message::text(text),
                Outgoing::Ping => Message::Ping(Bytes::new()),
            };
            socket.as_mut().start_send(message)?;
        }
        *unflushed = true;
    }
}

/// Our own text is known to be UTF-8: a bare frame skips the check.
fn text_frame(event: Bytes) -> Message {
    Message::Frame(WsFrame::message(event, OpCode::Data(Data::Text), true))
}

fn closing_words(error: &WsError) -> String {
    match error {
        WsError::ConnectionClosed | WsError::AlreadyClosed => "the server closed the connection".to_owned(),
        WsError::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
            "the connection broke off".to_owned()
        }
        error => format!("the connection broke: {error}"),
    }
}

/// One reading of the wall clock, from then on only the monotonic one: no jump of it ends a call.
fn anchor() -> (Instant, Timestamp) {
    static ANCHOR: OnceLock<(Instant, Timestamp)> = OnceLock::new();
    *ANCHOR.get_or_init(|| {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let micros = i64::try_from(wall.as_micros()).unwrap_or(i64::MAX);
        (Instant::now(), Timestamp::from_unix_micros(micros))
    })
}

fn now() -> Timestamp {
    let (instant, timestamp) = anchor();
    timestamp + instant.elapsed()
}

fn instant(at: Timestamp) -> Instant {
    let (instant, timestamp) = anchor();
    instant + at.since(timestamp)
}
