//! The loop of one call: it owns leg, model, pump and state machine by value, and awaits in one place.
//!
//! One input, then every action it caused, then wait again. Frames go straight from leg to model and from pump to
//! leg; nothing slow runs between two of them: journal and recording leave through bounded channels.

mod audio;
mod company;
mod desk;
mod legs;
mod listening;
mod orders;
mod route;
mod side;
mod sources;

use std::collections::VecDeque;
use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

pub use desk::Desk;
use offhook_carrier::{Carrier, Dial, Leg, MediaStats};
use offhook_core::audio::FRAME;
use offhook_core::call::{Action, Call, CallCommand, Input, SpeechEvent};
use offhook_core::journal::{Fact, Part};
use offhook_core::policy::HandoffAllow;
use offhook_core::{CallId, PhoneNumber, SpeechCommand, Timestamp};
use offhook_speech::{SpeechOutput, SpeechSession};
use orders::Orders;
pub use orders::{NotTaken, Order, Taken};
use route::Route;
use side::Side;
use sources::{Source, Sources};
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep};

use crate::clock::Clock;
use crate::recorder::{Finished, Recorder};
use crate::writer::Journal;

/// What a session is made of.
#[derive(Debug)]
pub struct Parts {
    pub id: CallId,
    pub call: Call,
    pub speech: SpeechSession,
    /// Who works for the voice.
    pub desk: Desk,
    pub carrier: Carrier,
    pub origin: Origin,
    /// Where the user may be called from, besides the line of the call.
    pub lines: Vec<PhoneNumber>,
    pub orders: mpsc::Receiver<Order>,
    pub journal: Journal,
    pub recorder: Recorder,
    pub clock: Clock,
}

/// Where to dial; an inbound call has its leg already.
#[derive(Debug)]
pub enum Origin {
    Outbound(Dial),
    Inbound(Box<Leg>),
}

#[derive(Debug)]
pub struct Session {
    id: CallId,
    call: Call,
    speech: SpeechSession,
    desk: Desk,
    carrier: Carrier,
    dial: Option<Dial>,
    lines: Vec<PhoneNumber>,
    remote: Option<Side>,
    /// Whom the call is handed over to.
    user: Option<Side>,
    user_answered_at: Option<Instant>,
    inbox: mpsc::Receiver<Order>,
    inbox_closed: bool,
    orders: Orders,
    speech_closed: bool,
    journal: Journal,
    clock: Clock,
    recorder: Recorder,
    route: Route,
    /// A recording that ended before the call.
    recorded: Option<Finished>,
    /// What the voice had to say and the pump had no room for, until it left.
    overflow: Duration,
    connected: bool,
    /// Up to when the remote's audio is complete.
    remote_until: Instant,
    /// Frames of the remote beyond [`REMOTE_HASTE`].
    dropped_frames: u64,
    /// Dialling waits for the store.
    to_dial: bool,
    to_dial_user: Option<HandoffAllow>,
    /// The last fact, held back until the recording is whole.
    ended: Option<(Timestamp, Fact)>,
    /// Inputs that actions caused, handled before the next wait.
    inputs: VecDeque<Input>,
    /// How much earlier than its beat the speech that is playing began.
    ahead: Duration,
    sources: Sources,
    deadline: Pin<Box<Sleep>>,
    playout: Pin<Box<Sleep>>,
}

/// A playout that is later than this has missed its frames; it starts afresh instead of sending a burst.
const PLAYOUT_RESYNC: Duration = Duration::from_millis(200);
/// How far ahead of the clock the remote's audio may be, after a stall of the network.
const REMOTE_HASTE: Duration = Duration::from_secs(1);
/// How long the remote's audio may be late before silence stands in for it.
const REMOTE_PATIENCE: Duration = Duration::from_millis(200);
/// When to try again what a leg or the journal had no room for.
const BUSY_RETRY: Duration = Duration::from_millis(20);

impl Session {
    pub fn new(parts: Parts) -> Self {
        let (dial, remote) = match parts.origin {
            Origin::Outbound(dial) => (Some(dial), None),
            Origin::Inbound(leg) => (None, Some(Side::new(leg))),
        };
        let now = Instant::now();
        Self {
            id: parts.id,
            call: parts.call,
            speech: parts.speech,
            desk: parts.desk,
            carrier: parts.carrier,
            lines: parts.lines,
            dial,
            remote,
            user: None,
            user_answered_at: None,
            inbox: parts.orders,
            inbox_closed: false,
            orders: Orders::default(),
            speech_closed: false,
            journal: parts.journal,
            clock: parts.clock,
            recorder: parts.recorder,
            route: Route::new(),
            recorded: None,
            overflow: Duration::ZERO,
            connected: false,
            remote_until: now,
            dropped_frames: 0,
            to_dial: false,
            to_dial_user: None,
            ended: None,
            inputs: VecDeque::new(),
            ahead: Duration::ZERO,
            sources: Sources::new(),
            deadline: Box::pin(tokio::time::sleep_until(now)),
            playout: Box::pin(tokio::time::sleep_until(now)),
        }
    }

    /// Run the call to its end. The last journal entry is in the store when this returns.
    pub async fn run(mut self) {
        self.settle();
        while !self.call.is_over() {
            poll_fn(|cx| self.turn(cx)).await;
        }
        if let Some((at, ended)) = self.ended.take() {
            self.write_last_facts(at).await;
            self.journal.write(at, ended);
        }
        self.journal.close().await;
    }

    /// The one place where a call waits: take one thing from one source.
    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.sources.wake_task(cx.waker());
        while let Some(source) = self.sources.next() {
            let polled = match source {
                Source::Playout => self.poll_playout(),
                Source::Leg => self.poll_leg(),
                Source::Second => self.poll_second(),
                Source::Speech => self.poll_speech(),
                Source::Agents => self.poll_agents(),
                Source::Commands => self.poll_commands(),
                Source::Deadline => self.poll_deadline(),
            };
            if polled.is_ready() {
                self.sources.stir(source);
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }

    fn poll_playout(&mut self) -> Poll<()> {
        let open = self.remote.as_ref().is_some_and(Side::is_open);
        if !self.connected || !open || !self.route.plays() {
            return Poll::Pending;
        }
        ready!(self.playout.as_mut().poll(&mut self.sources.context(Source::Playout)));
        self.play_frame();
        Poll::Ready(())
    }

    fn poll_leg(&mut self) -> Poll<()> {
        let Some(remote) = &mut self.remote else { return Poll::Pending };
        let output = ready!(remote.poll_next(&mut self.sources.context(Source::Leg)));
        self.leg_output(output);
        Poll::Ready(())
    }

    fn poll_second(&mut self) -> Poll<()> {
        let Some(user) = &mut self.user else { return Poll::Pending };
        let output = ready!(user.poll_next(&mut self.sources.context(Source::Second)));
        self.second_output(output);
        Poll::Ready(())
    }

    fn poll_speech(&mut self) -> Poll<()> {
        if self.speech_closed {
            return Poll::Pending;
        }
        match ready!(self.speech.poll_next(&mut self.sources.context(Source::Speech))) {
            SpeechOutput::Audio { utterance, bytes } => self.model_audio(utterance, bytes),
            SpeechOutput::Event(event) => self.speech_event(event),
        }
        Poll::Ready(())
    }

    fn poll_agents(&mut self) -> Poll<()> {
        let event = ready!(self.desk.poll_next(&mut self.sources.context(Source::Agents)));
        self.handle(Input::Agent(event));
        Poll::Ready(())
    }

    fn poll_commands(&mut self) -> Poll<()> {
        if self.inbox_closed {
            return Poll::Pending;
        }
        let order = ready!(self.inbox.poll_recv(&mut self.sources.context(Source::Commands)));
        // Without an engine nobody could hang this call up any more.
        self.inbox_closed = order.is_none();
        let order = order.unwrap_or(CallCommand::Shutdown.into());
        if let Some(input) = self.orders.take(order, &self.call) {
            self.handle(input);
        }
        Poll::Ready(())
    }

    fn poll_deadline(&mut self) -> Poll<()> {
        ready!(self.deadline.as_mut().poll(&mut self.sources.context(Source::Deadline)));
        self.handle(Input::Tick);
        Poll::Ready(())
    }

    /// Wake when the call wants to, or soon when something waits for room.
    fn arm_deadline(&mut self) {
        let to_tell = [&self.remote, &self.user].into_iter().flatten().any(Side::is_behind);
        let to_dial = self.to_dial || self.to_dial_user.is_some();
        let is_behind = to_tell || to_dial || self.journal.is_behind();
        let retry_at = is_behind.then(|| Instant::now() + BUSY_RETRY);
        let Some(at) =
            self.call.deadline().map(|at| self.clock.instant(at)).into_iter().chain(retry_at).min()
        else {
            return;
        };
        if self.deadline.deadline() != at {
            self.deadline.as_mut().reset(at);
            self.sources.stir(Source::Deadline);
        }
    }

    fn reset_playout(&mut self, at: Instant) {
        self.playout.as_mut().reset(at);
        self.sources.stir(Source::Playout);
    }

    fn handle(&mut self, input: Input) {
        self.call.handle(self.clock.now(), input);
        self.settle();
    }

    /// Do what the call wants, and what follows from that, until it wants nothing more. Whatever tells the call or the
    /// journal something ends with this; frames tell them nothing.
    fn settle(&mut self) {
        loop {
            while let Some(action) = self.call.poll() {
                self.act(action);
            }
            self.journal.pass_on();
            self.dial();
            self.pass_leg_commands();
            let Some(input) = self.inputs.pop_front() else { break };
            self.call.handle(self.clock.now(), input);
        }
        self.settle_listening();
        self.journal.pass_on();
        self.arm_deadline();
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Dial => self.to_dial = true,
            Action::Connect => self.connect(),
            Action::Leg(command) => self.command_leg(command),
            Action::Speech(command) => self.command_speech(command),
            Action::StopPlayout => {
                let cut_off = self.route.stop_playout();
                self.stop_audio();
                self.inputs.extend(cut_off.map(Input::CutOff));
            }
            Action::Journal(fact) => self.write(fact),
            Action::Agent(order) => {
                self.desk.order(order);
                self.sources.stir(Source::Agents);
            }
            Action::DialSecond { to } => self.to_dial_user = Some(to),
            Action::Second(command) => self.command_second(command),
            Action::Attach(party) => self.attach(party),
            Action::Company(wanted) => self.keep_company(wanted),
            Action::StopRecording => self.stop_recording(),
            Action::Join => self.join(),
            Action::MaskRecording { from_ms, to_ms } => self.mask_recording(from_ms, to_ms),
        }
    }

    fn write(&mut self, fact: Fact) {
        if let Fact::Ended { .. } = &fact {
            self.ended = Some((self.clock.now(), fact));
            return;
        }
        self.journal.write(self.clock.now(), fact);
    }

    /// What belongs before the end: the recording's length and the counters of the audio path.
    async fn write_last_facts(&mut self, at: Timestamp) {
        self.stop_recording();
        let recorded = self.recorded.take();
        // Whoever reads that the call is over finds its recording whole.
        let kept_ms = self.recorder.keep(self.id).await;
        if let Some(recorded) = recorded {
            if let Some(message) = recorded.missing() {
                let code = "lost".to_owned();
                self.journal.write(at, Fact::Problem { part: Part::Recording, code, message });
            }
            self.journal.write(at, Fact::RecordingStopped { duration_ms: kept_ms.unwrap_or(0) });
        }
        let unheard_ms = self.speech.dropped_frames() * FRAME.as_millis() as u64;
        if unheard_ms > 0 {
            let message =
                format!("the model did not keep up: {unheard_ms} ms of the remote never reached it");
            let code = "unheard".to_owned();
            self.journal.write(at, Fact::Problem { part: Part::Speech, code, message });
        }
        if self.connected
            && let Some(remote) = &self.remote
        {
            let overflow = self.route.audio().map_or(self.overflow, |audio| audio.pump.overflow());
            let mut stats = remote.media_stats();
            stats.dropped_frames += self.dropped_frames;
            let fact = stats_fact(&stats, overflow);
            self.journal.write(at, fact);
        }
    }

    fn connect(&mut self) {
        self.connected = true;
        self.reset_playout(Instant::now());
        self.remote_until = Instant::now();
        self.start_recording();
    }

    fn start_recording(&mut self) {
        let Some(format) = self.remote.as_ref().and_then(Side::format) else { return };
        if let Some(voice) = self.route.voice()
            && self.connected
            && voice.recording.is_none()
        {
            voice.recording = Some(self.recorder.start_call(self.id, format));
        }
    }

    fn command_speech(&mut self, command: SpeechCommand) {
        if let SpeechCommand::Brief(brief) = &command {
            self.desk.rebrief(brief);
        }
        let words = matches!(command, SpeechCommand::Open { .. } | SpeechCommand::Say { .. });
        if self.speech.send(command).is_ok() {
            self.sources.stir(Source::Speech);
            return;
        }
        let message = "the speech model does not keep up; a command was refused".to_owned();
        self.inputs.push_back(if words {
            // Without these words nobody would know why nothing is said.
            Input::Speech(SpeechEvent::Lost { why: message })
        } else {
            Input::Problem { part: Part::Speech, code: "busy".to_owned(), message }
        });
    }

    fn speech_event(&mut self, event: SpeechEvent) {
        match &event {
            SpeechEvent::Lost { .. } => self.speech_closed = true,
            SpeechEvent::UtteranceDone { utterance } => {
                if let Some(audio) = self.route.audio() {
                    audio.pump.end(*utterance);
                }
            }
            SpeechEvent::RemoteSpeechStarted => {
                if let Some(voice) = self.route.voice() {
                    voice.hush_company();
                }
            }
            _ => {}
        }
        self.handle(Input::Speech(event));
        self.report_playout();
    }

    fn report_playout(&mut self) {
        while let Some(event) = self.route.audio().and_then(|audio| audio.pump.poll()) {
            self.handle(Input::Pump(event));
        }
    }
}

fn stats_fact(stats: &MediaStats, overflow: Duration) -> Fact {
    Fact::MediaStats {
        received_frames: stats.received_frames,
        sent_frames: stats.sent_frames,
        lost_frames: stats.lost_frames,
        concealed_frames: stats.concealed_frames,
        late_frames: stats.late_frames,
        jitter_ms: stats.jitter_ms,
        round_trip_ms: stats.round_trip_ms,
        dropped_frames: stats.dropped_frames + overflow.as_millis() as u64 / 20,
    }
}
