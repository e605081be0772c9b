//! The loop of one call: it owns leg, model, pump and state machine by value, and awaits in one place.
//!
//! One input, then every action it caused, then wait again. Frames go straight from leg to model and from pump to
//! leg; nothing slow runs between two of them: journal and recording leave through bounded channels.

mod audio;
mod beep;
mod orders;
mod sources;

use std::collections::VecDeque;
use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use audio::AudioPath;
use offhook_carrier::{Carrier, Dial, DialError, Leg, LegOutput, MediaStats};
use offhook_core::audio::FRAME;
use offhook_core::call::{Action, Call, CallCommand, DialFailure, Input, LegEvent, SpeechEvent, Utterance};
use offhook_core::journal::{Fact, Part};
use offhook_core::{CallId, EndReason, Frame, LegCommand, SpeechCommand, Timestamp};
use offhook_speech::{SpeechOutput, SpeechSession};
use orders::Orders;
pub use orders::{NotTaken, Order, Taken};
use sources::{Source, Sources};
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep};

use crate::clock::Clock;
use crate::recorder::{Recorder, Recording};
use crate::writer::Journal;

/// What a session is made of.
#[derive(Debug)]
pub struct Parts {
    pub id: CallId,
    pub call: Call,
    pub speech: SpeechSession,
    pub origin: Origin,
    pub orders: mpsc::Receiver<Order>,
    pub journal: Journal,
    pub recorder: Recorder,
    pub clock: Clock,
}

/// Where to dial; an inbound call has its leg already.
#[derive(Debug)]
pub enum Origin {
    Outbound { carrier: Carrier, dial: Dial },
    Inbound(Box<Leg>),
}

#[derive(Debug)]
pub struct Session {
    id: CallId,
    call: Call,
    speech: SpeechSession,
    carrier: Option<(Carrier, Dial)>,
    leg: Option<Box<Leg>>,
    inbox: mpsc::Receiver<Order>,
    inbox_closed: bool,
    orders: Orders,
    speech_closed: bool,
    /// The leg said its last word; it stays for its counters.
    leg_closed: bool,
    journal: Journal,
    clock: Clock,
    recorder: Recorder,
    recording: Option<Recording>,
    audio: Option<AudioPath>,
    connected: bool,
    /// What the leg had no room for yet, in order.
    leg_commands: VecDeque<LegCommand>,
    /// Keys go out instead of audio.
    sending_digits: bool,
    /// The far end does not want to hear us.
    held: bool,
    /// Up to when the remote's audio is complete.
    remote_until: Instant,
    /// Frames of the remote beyond [`REMOTE_HASTE`].
    dropped_frames: u64,
    /// Dialling waits for the store.
    to_dial: bool,
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
        let (carrier, leg) = match parts.origin {
            Origin::Outbound { carrier, dial } => (Some((carrier, dial)), None),
            Origin::Inbound(leg) => (None, Some(leg)),
        };
        let now = Instant::now();
        Self {
            id: parts.id,
            call: parts.call,
            speech: parts.speech,
            carrier,
            leg,
            inbox: parts.orders,
            inbox_closed: false,
            orders: Orders::default(),
            speech_closed: false,
            leg_closed: false,
            journal: parts.journal,
            clock: parts.clock,
            recorder: parts.recorder,
            recording: None,
            audio: None,
            connected: false,
            leg_commands: VecDeque::new(),
            sending_digits: false,
            held: false,
            remote_until: now,
            dropped_frames: 0,
            to_dial: false,
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
                Source::Speech => self.poll_speech(),
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
        if !self.connected || self.audio.is_none() || self.leg.is_none() || self.leg_closed {
            return Poll::Pending;
        }
        ready!(self.playout.as_mut().poll(&mut self.sources.context(Source::Playout)));
        self.play_frame();
        Poll::Ready(())
    }

    fn poll_leg(&mut self) -> Poll<()> {
        let Some(leg) = self.leg.as_mut().filter(|_| !self.leg_closed) else { return Poll::Pending };
        match ready!(leg.poll_next(&mut self.sources.context(Source::Leg))) {
            LegOutput::Audio(frame) => self.remote_frame(&frame),
            LegOutput::Event(event) => self.leg_event(event),
            LegOutput::Ticket(ticket) => {
                self.write(Fact::Ticket { ticket });
                self.settle();
            }
        }
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
        let is_behind = !self.leg_commands.is_empty() || self.journal.is_behind() || self.to_dial;
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
                if let Some(heard) = self.audio.as_mut().and_then(|audio| audio.pump.barge_in()) {
                    self.inputs.push_back(Input::CutOff(heard));
                }
            }
            Action::Journal(fact) => self.write(fact),
            Action::DialSecond { .. }
            | Action::Second(_)
            | Action::Attach(_)
            | Action::Company(_)
            | Action::StopRecording
            | Action::Join
            | Action::MaskRecording { .. } => {}
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
        let recorded = self.recording.take().map(Recording::finish);
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
            && let Some(leg) = &self.leg
        {
            let overflow = self.audio.as_ref().map_or(Duration::ZERO, |audio| audio.pump.overflow());
            let mut stats = leg.media_stats();
            stats.dropped_frames += self.dropped_frames;
            let fact = stats_fact(&stats, overflow);
            self.journal.write(at, fact);
        }
    }

    /// Nobody is called of whom a process that is killed next would not know: the store must be well, and what was
    /// told before on its way there.
    fn dial(&mut self) {
        if !self.to_dial || (self.journal.is_behind() && !self.journal.is_stuck()) {
            return;
        }
        self.to_dial = false;
        if self.journal.is_stuck() {
            let message = "nobody was dialled, because the store is away".to_owned();
            self.inputs.push_back(Input::Problem {
                part: Part::Gateway,
                code: "not_dialled".to_owned(),
                message,
            });
            self.inputs.push_back(Input::Command(CallCommand::Fault));
            return;
        }
        let Some((carrier, dial)) = &self.carrier else { return };
        match carrier.dial(dial) {
            Ok(leg) => {
                self.write(Fact::Dialing { line: leg.line().to_string() });
                self.leg = Some(Box::new(leg));
                self.leg_closed = false;
                self.sources.stir(Source::Leg);
            }
            Err(error) => self.inputs.push_back(Input::Leg(LegEvent::Failed(dial_failure(&error)))),
        }
    }

    fn connect(&mut self) {
        self.connected = true;
        self.reset_playout(Instant::now());
        self.remote_until = Instant::now();
        self.start_recording();
    }

    fn start_recording(&mut self) {
        if let Some(audio) = &self.audio
            && self.connected
            && self.recording.is_none()
        {
            self.recording = Some(self.recorder.start_call(self.id, audio.pump.format()));
        }
    }

    fn command_leg(&mut self, command: LegCommand) {
        self.leg_commands.push_back(command);
        self.pass_leg_commands();
    }

    /// Tell the leg what it has room for; the rest stays in order for the next turn of the loop.
    fn pass_leg_commands(&mut self) {
        while let Some(command) = self.leg_commands.front() {
            let Some(leg) = self.leg.as_mut().filter(|_| !self.leg_closed) else {
                self.leg_commands.clear();
                self.leg_closed = true;
                self.inputs.push_back(Input::Leg(LegEvent::Closed));
                return;
            };
            if leg.send(command.clone()).is_err() {
                return;
            }
            self.sources.stir(Source::Leg);
            self.sending_digits |= matches!(command, LegCommand::SendDigits(_));
            self.leg_commands.pop_front();
        }
    }

    fn command_speech(&mut self, command: SpeechCommand) {
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

    fn leg_event(&mut self, event: LegEvent) {
        match &event {
            LegEvent::MediaUp { format, .. } => {
                let cut_off = AudioPath::renew(&mut self.audio, *format, self.speech.use_format(*format));
                self.inputs.extend(cut_off.map(Input::CutOff));
                self.sources.stir(Source::Speech);
                self.sources.stir(Source::Playout);
                self.start_recording();
            }
            LegEvent::DigitsSent => self.sending_digits = false,
            LegEvent::Held => self.held = true,
            LegEvent::Resumed => self.held = false,
            LegEvent::Failed(_) | LegEvent::HungUp { .. } | LegEvent::Closed | LegEvent::Lost => {
                self.leg_closed = true;
            }
            _ => {}
        }
        self.handle(Input::Leg(event));
    }

    fn speech_event(&mut self, event: SpeechEvent) {
        match &event {
            SpeechEvent::Lost { .. } => self.speech_closed = true,
            SpeechEvent::UtteranceDone { utterance } => {
                if let Some(audio) = &mut self.audio {
                    audio.pump.end(*utterance);
                }
            }
            _ => {}
        }
        self.handle(Input::Speech(event));
        self.report_playout();
    }

    fn remote_frame(&mut self, frame: &Frame) {
        if !self.connected {
            return;
        }
        // Nobody speaks faster than time goes by; recording, transcript and the model's bill keep to the clock.
        if self.remote_until > Instant::now() + REMOTE_HASTE {
            self.dropped_frames += 1;
            return;
        }
        self.remote_until += frame.duration();
        if let Some(recording) = &mut self.recording {
            recording.remote(frame);
        }
        let Some(audio) = &mut self.audio else { return };
        audio.remote_frame(frame, &mut self.speech);
        self.sources.stir(Source::Speech);
        if self.call.listens_for_beep() && audio.heard_beep(frame) {
            self.handle(Input::Beep);
        }
    }

    /// Where the remote sends nothing there is silence: transcript and recording keep the time of the call, and the
    /// model's turn detection hears that nobody speaks.
    fn fill_remote_silence(&mut self, now: Instant) {
        while now.saturating_duration_since(self.remote_until) > REMOTE_PATIENCE {
            let Some(audio) = &self.audio else { return };
            let silence = audio.remote_silence();
            self.remote_frame(&silence);
        }
    }

    /// Speech after silence goes out at once instead of with the next beat; see [`Self::play_frame`].
    fn model_audio(&mut self, utterance: Utterance, bytes: Vec<u8>) {
        let Some(audio) = &mut self.audio else { return };
        let was_idle = audio.pump.is_idle();
        audio.model_audio(utterance, bytes);
        let wait = self.playout.deadline().saturating_duration_since(Instant::now());
        if was_idle && self.connected && !wait.is_zero() && self.ahead.is_zero() {
            self.ahead = wait;
            self.reset_playout(Instant::now());
        }
    }

    /// Send the frame that is due. What a first frame of speech was early, the next frame of silence is late, so that
    /// on the whole a frame leaves every 20 ms and the far end's jitter buffer never fills up.
    fn play_frame(&mut self) {
        let (Some(audio), Some(leg)) = (&mut self.audio, &mut self.leg) else { return };
        let mut due = self.playout.deadline() + FRAME;
        if audio.pump.is_idle() {
            due += std::mem::take(&mut self.ahead);
        }
        let now = Instant::now();
        self.playout.as_mut().reset(if now > due + PLAYOUT_RESYNC { now + FRAME } else { due });
        let frame = audio.next_model_frame(self.held || self.sending_digits);
        leg.play(frame);
        if let Some(recording) = &mut self.recording {
            recording.voice(frame);
        }
        self.fill_remote_silence(now);
        self.report_playout();
    }

    fn report_playout(&mut self) {
        while let Some(event) = self.audio.as_mut().and_then(|audio| audio.pump.poll()) {
            self.handle(Input::Pump(event));
        }
    }
}

fn dial_failure(error: &DialError) -> DialFailure {
    let reason = match error {
        DialError::NoLine => EndReason::CarrierNoLine,
        DialError::UnknownLine => EndReason::CarrierRefused,
        DialError::Unsent { .. } => EndReason::CarrierUnreachable,
    };
    DialFailure { reason, sip_status: None, q850_cause: None, detail: error.to_string() }
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
