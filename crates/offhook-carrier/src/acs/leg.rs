//! The leg of a call over ACS: drives the state machine of the call and its media connection.
//!
//! Whoever polls the leg does all of that. Only requests have tasks of their own, and a call that is dropped before its
//! end: it is hung up in one.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use offhook_core::{AudioFormat, EndReason, Frame, LegCommand, LegEvent, PhoneNumber};
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::call::{Call, HandOver, MediaNews, Output};
use super::calls::Named;
use super::client::{Client, Reply};
use super::event::Event;
use super::media::{Heard, Metadata};
use super::request::{Operation, Request};
use super::socket::{Arrival, ByteStream, MediaSocket};
use crate::leg::{Busy, LegOutput};
use crate::line::LineSlot;
use crate::media::MediaStats;

/// Frames of silence after which nothing is sent: the far end plays silence by itself, and what it was late is made up.
const SILENT_FRAMES: u32 = 10;
/// Frames that are kept from before the answer: the audio of a call may be there before the callback that says so, and
/// whoever picks up says hello at once.
const EARLY_FRAMES: usize = 15;

/// What comes for a call from outside.
pub(crate) enum Mail {
    Events(Vec<Event>),
    Reply(Operation, Reply),
    /// A media connection, and the callConnectionId it came with.
    Socket(Box<dyn ByteStream>, String),
    Shutdown,
}

/// What all calls share.
#[derive(Debug)]
pub(super) struct Shared {
    pub client: Client,
    /// Calls that are ended although nobody has their leg any more.
    pub farewells: TaskTracker,
}

/// Dropping it hangs up.
#[derive(Debug)]
pub(crate) struct AcsLeg {
    line: PhoneNumber,
    /// `None` once the call is over.
    driver: Option<Box<Driver>>,
    stats: MediaStats,
}

/// A call with all it needs to go on.
pub(super) struct Driver {
    call: Call,
    named: Named,
    shared: Arc<Shared>,
    slot: Option<LineSlot>,
    mailbox: mpsc::Receiver<Mail>,
    /// For the replies to requests.
    post: mpsc::Sender<Mail>,
    /// The call is not to be asked for any more.
    called_off: CancellationToken,
    socket: Option<MediaSocket>,
    socket_of: String,
    format: AudioFormat,
    ready: VecDeque<LegOutput>,
    early: VecDeque<Frame>,
    timer: Pin<Box<Sleep>>,
    armed_for: Option<Instant>,
    silent: u32,
    heard_at: Option<Instant>,
    stats: Counters,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counters {
    received: u64,
    sent: u64,
    dropped: u64,
    /// Sixteenths of a microsecond, as RFC 3550 smooths it.
    jitter: u64,
}

impl AcsLeg {
    pub(super) fn new(line: PhoneNumber, driver: Driver) -> Self {
        Self { line, driver: Some(Box::new(driver)), stats: MediaStats::default() }
    }

    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<LegOutput> {
        let Some(driver) = &mut self.driver else { return Poll::Pending };
        let output = std::task::ready!(driver.poll(cx));
        if let LegOutput::Event(
            LegEvent::Failed(_) | LegEvent::HungUp { .. } | LegEvent::Closed | LegEvent::Lost,
        ) = &output
        {
            self.dismiss();
        }
        Poll::Ready(output)
    }

    pub fn send(&mut self, command: LegCommand) -> Result<(), Busy> {
        if let Some(driver) = &mut self.driver {
            driver.call.told(now(), command);
            driver.settle();
        }
        Ok(())
    }

    pub fn play(&mut self, model_frame: &Frame) {
        if let Some(driver) = &mut self.driver {
            driver.play(model_frame);
        }
    }

    pub fn stop_audio(&mut self) {
        if let Some(socket) = self.driver.as_mut().and_then(|driver| driver.socket.as_mut()) {
            socket.stop_audio();
        }
    }

    /// See [`Call::hand_over`].
    pub fn hand_over(&mut self, how: HandOver, to: &PhoneNumber) -> bool {
        let Some(driver) = &mut self.driver else { return false };
        let done = driver.call.hand_over(how, to);
        driver.settle();
        done
    }

    pub fn leave(&mut self) {
        if let Some(driver) = &mut self.driver {
            driver.call.leave(now());
            driver.settle();
        }
    }

    pub fn media_stats(&self) -> MediaStats {
        self.driver.as_ref().map_or(self.stats, |driver| driver.media_stats())
    }

    pub fn line(&self) -> &PhoneNumber {
        &self.line
    }

    /// The leg has nothing more to say. What is still to be done is done without it.
    fn dismiss(&mut self) {
        let Some(mut driver) = self.driver.take() else { return };
        self.stats = driver.media_stats();
        driver.call.told(now(), LegCommand::HangUp { reason: EndReason::GatewayFault });
        driver.settle();
        driver.say_farewell();
    }
}

impl Drop for AcsLeg {
    fn drop(&mut self) {
        self.dismiss();
    }
}

impl Driver {
    pub fn new(
        call: Call,
        named: Named,
        shared: Arc<Shared>,
        slot: Option<LineSlot>,
        mailbox: mpsc::Receiver<Mail>,
        post: mpsc::Sender<Mail>,
        format: AudioFormat,
    ) -> Self {
        let mut driver = Self {
            call,
            named,
            shared,
            slot,
            mailbox,
            post,
            called_off: CancellationToken::new(),
            socket: None,
            socket_of: String::new(),
            format,
            ready: VecDeque::new(),
            early: VecDeque::new(),
            timer: Box::pin(tokio::time::sleep_until(Instant::now())),
            armed_for: None,
            silent: 0,
            heard_at: None,
            stats: Counters::default(),
        };
        driver.settle();
        driver
    }

    /// See the call to its end, if it is not there.
    pub fn say_farewell(mut self: Box<Self>) {
        self.slot = None;
        if self.call.is_finished() {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let shared = Arc::clone(&self.shared);
        let farewell = async move {
            poll_fn(|cx| {
                loop {
                    self.ready.clear();
                    if self.call.is_finished() {
                        return Poll::Ready(());
                    }
                    std::task::ready!(self.poll(cx).map(drop));
                }
            })
            .await;
        };
        shared.farewells.spawn_on(farewell, &runtime);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<LegOutput> {
        loop {
            if let Some(output) = self.ready.pop_front() {
                return Poll::Ready(output);
            }
            // It holds a sender itself: the channel is never closed.
            if let Poll::Ready(Some(mail)) = self.mailbox.poll_recv(cx) {
                self.take(mail);
                continue;
            }
            if let Some(socket) = &mut self.socket
                && let Poll::Ready(arrival) = socket.poll(cx, self.format)
            {
                if let Some(frame) = self.arrived(arrival) {
                    return Poll::Ready(LegOutput::Audio(frame));
                }
                continue;
            }
            let Some(deadline) = self.call.deadline().map(Instant::from_std) else {
                // A farewell that is finished has no deadline, and must not wait for one.
                if self.call.is_finished() && self.armed_for.take().is_some() {
                    continue;
                }
                return Poll::Pending;
            };
            // Armed too early it costs less than being armed for each frame.
            if self.armed_for.is_none_or(|armed| deadline < armed) {
                self.timer.as_mut().reset(deadline);
                self.armed_for = Some(deadline);
            }
            std::task::ready!(self.timer.as_mut().poll(cx));
            self.armed_for = None;
            let now = now();
            if self.call.deadline().is_some_and(|at| at <= now) {
                self.call.on_deadline(now);
                self.settle();
            }
        }
    }

    fn take(&mut self, mail: Mail) {
        let now = now();
        match mail {
            Mail::Events(events) => events.into_iter().for_each(|event| self.call.on_event(now, event)),
            Mail::Reply(operation, reply) => self.call.on_reply(now, operation, reply),
            Mail::Shutdown => {
                self.call.told(now, LegCommand::HangUp { reason: EndReason::GatewayShutdown });
            }
            Mail::Socket(_, connection) if self.call.is_over() => self.call.on_late_media(&connection),
            Mail::Socket(_, connection) if !self.is_own(&connection) => {}
            // The last one to come is the one that is used.
            Mail::Socket(stream, connection) => {
                self.socket_of = connection;
                if let Some(mut earlier) = self.socket.replace(MediaSocket::new(stream)) {
                    earlier.close(1000);
                    self.stats.dropped += earlier.dropped;
                }
            }
        }
        self.settle();
    }

    /// Do what the call wants.
    fn settle(&mut self) {
        while let Some(output) = self.call.poll() {
            match output {
                Output::Ask(request) => self.ask(request),
                Output::Leg(event) => {
                    let answered = matches!(event, LegEvent::Answered { .. });
                    self.ready.push_back(LegOutput::Event(event));
                    if answered {
                        self.ready.extend(std::mem::take(&mut self.early).into_iter().map(LegOutput::Audio));
                    }
                }
                Output::Ticket(ticket) => self.ready.push_back(LegOutput::Ticket(ticket)),
                Output::Connection(connection) => {
                    self.named.is_connection(&connection);
                    // It came before anybody could know whose it was.
                    if self.socket.is_some() && self.socket_of != connection {
                        self.close_media();
                        self.early.clear();
                        self.call.on_media(now(), MediaNews::Lost);
                    }
                }
                Output::CallOff => self.called_off.cancel(),
                Output::CloseMedia => self.close_media(),
            }
        }
    }

    fn is_own(&self, connection: &str) -> bool {
        self.call.connection().is_none_or(|ours| ours == connection)
    }

    fn close_media(&mut self) {
        if let Some(mut socket) = self.socket.take() {
            socket.close(1000);
            self.stats.dropped += socket.dropped;
        }
    }

    fn ask(&self, request: Request) {
        let (shared, post) = (Arc::clone(&self.shared), self.post.clone());
        let called_off = match request.operation {
            Operation::Create => self.called_off.clone(),
            _ => CancellationToken::new(),
        };
        tokio::spawn(async move {
            let reply = shared.client.perform_unless(&called_off, &request).await;
            // Where nobody waits for it any more, nothing is to be done.
            let _ = post.send(Mail::Reply(request.operation, reply)).await;
        });
    }

    /// What came over the media connection; a frame where it is one.
    fn arrived(&mut self, arrival: Arrival) -> Option<Frame> {
        match arrival {
            Arrival::Heard(Heard::Frame(frame)) => {
                self.note_frame();
                match (self.call.is_answered(), self.ready.is_empty()) {
                    (true, true) => return Some(frame),
                    (true, false) => self.ready.push_back(LegOutput::Audio(frame)),
                    (false, _) => self.keep_early(frame),
                }
                return None;
            }
            Arrival::Heard(Heard::Audio(audio)) => {
                self.note_frame();
                for bytes in audio.chunks(self.format.frame_len()) {
                    match Frame::from_bytes(self.format, bytes) {
                        Some(frame) if self.call.is_answered() => {
                            self.ready.push_back(LegOutput::Audio(frame))
                        }
                        Some(frame) => self.keep_early(frame),
                        None => {}
                    }
                }
            }
            Arrival::Heard(Heard::Metadata(Metadata::Pcm(rate))) => {
                self.format = AudioFormat::Pcm16(rate);
                self.call.on_media(now(), MediaNews::Up(self.format));
            }
            Arrival::Heard(Heard::Metadata(Metadata::Unusable)) => {
                self.call.on_media(now(), MediaNews::Unusable);
            }
            Arrival::Heard(Heard::Digit(key)) => self.call.pressed(key),
            Arrival::Heard(Heard::Other | Heard::Junk) => {}
            Arrival::Closed => {
                if let Some(socket) = self.socket.take() {
                    self.stats.dropped += socket.dropped;
                    if socket.junk > 0 {
                        tracing::debug!(messages = socket.junk, "ACS sent what could not be read");
                    }
                }
                self.heard_at = None;
                self.call.on_media(now(), MediaNews::Lost);
            }
        }
        self.settle();
        None
    }

    fn keep_early(&mut self, frame: Frame) {
        if self.early.len() == EARLY_FRAMES {
            self.early.pop_front();
        }
        self.early.push_back(frame);
    }

    fn note_frame(&mut self) {
        let now = Instant::now();
        if self.stats.received == 0 || self.heard_at.is_none() {
            // Audio without metadata is what was asked for.
            self.call.on_media(now.into_std(), MediaNews::Up(self.format));
            self.settle();
        }
        self.stats.received += 1;
        if let Some(before) = self.heard_at.replace(now) {
            let gap = now.saturating_duration_since(before);
            let off = gap.abs_diff(offhook_core::audio::FRAME).as_micros().min(1_000_000) as u64;
            self.stats.jitter = self.stats.jitter - self.stats.jitter / 16 + off;
        }
        self.call.heard(now.into_std());
    }

    fn play(&mut self, model_frame: &Frame) {
        let Some(socket) = &mut self.socket else { return };
        // In the format that was agreed, or not at all.
        if model_frame.format() != self.format {
            return;
        }
        self.silent = if is_silent(model_frame) { self.silent.saturating_add(1) } else { 0 };
        if self.silent <= SILENT_FRAMES {
            socket.play(model_frame);
            self.stats.sent += 1;
        }
    }

    fn media_stats(&self) -> MediaStats {
        let Counters { received, sent, dropped, jitter } = self.stats;
        MediaStats {
            received_frames: received,
            sent_frames: sent,
            dropped_frames: dropped + self.socket.as_ref().map_or(0, |socket| socket.dropped),
            jitter_ms: (jitter / 16 / 1_000) as u32,
            ..MediaStats::default()
        }
    }
}

/// Every bit of it: whoever hums ever so softly is not silent.
fn is_silent(frame: &Frame) -> bool {
    let (words, rest) = frame.bytes().as_chunks::<8>();
    words.iter().all(|word| *word == [0; 8]) && rest.iter().all(|byte| *byte == 0)
}

/// The runtime's clock, so that paused time in tests is our time too.
fn now() -> std::time::Instant {
    Instant::now().into_std()
}

/// Without the call: it holds ids and numbers.
impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("format", &self.format).finish_non_exhaustive()
    }
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Events(events) => write!(f, "Events({})", events.len()),
            Self::Reply(operation, _) => write!(f, "Reply({operation:?})"),
            Self::Socket(..) => f.write_str("Socket"),
            Self::Shutdown => f.write_str("Shutdown"),
        }
    }
}
