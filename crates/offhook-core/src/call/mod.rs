//! One call as a state machine: an input goes in, actions come out, nothing else happens.
//!
//! The session gives [`Call::handle`] one [`Input`], drains [`Call::poll`] to `None`, then waits for the next input
//! or for [`Call::deadline`]. Audio itself does not pass through here: the session moves frames between leg, pump
//! and model, and tells `Call` only what changes the course of the call.
//!
//! `state.rs` is where a call can be. What moves it: `setup.rs` up to the answer, `opening.rs` the first words, `talk.rs`
//! who speaks when, `tools.rs` what the voice wants done, `steer.rs` what the owner wants done, `consult.rs` what
//! it is asked, `delegate.rs` what agents do for the voice, `pin.rs` who must show who they are, `approval.rs` what is to
//! be approved, `reception.rs` callers who leave word or are unwanted, `menu.rs` keypresses, `answering.rs` what picked up, `hold.rs` waiting for a person, `handoff.rs` the user
//! on a second leg, `ending.rs` the hang-up, `report.rs` what became of the task, held against
//! `evidence.rs`. `turns.rs` is the transcript.

mod answering;
mod approval;
mod consult;
mod delegate;
mod ending;
mod event;
mod evidence;
mod greeting;
mod handoff;
mod hidden;
mod hold;
mod masking;
mod menu;
mod opening;
mod pin;
mod reception;
mod report;
mod setup;
mod state;
mod steer;
mod talk;
mod through;
mod tools;
mod turns;

use std::collections::VecDeque;
use std::time::Duration;

pub use delegate::{THEM, US, is_answer};
pub use event::*;
pub use handoff::{ALONE_AGAIN, IN_PRIVATE};
pub use menu::are_keys;
use reception::Reception;
use report::Report;
pub use state::CallState;
use state::{Conversation, Due, Phase};
pub use steer::NotNow;
use turns::Turns;

pub use crate::audio::hold::HoldSound;
use crate::brief::{Brief, Pin, Voicemail};
use crate::end::EndReason;
use crate::journal::{AnsweredBy, Fact, Part, Party};
use crate::mask::Masker;
use crate::policy::HandoffAllow;
use crate::pump::{Heard, PumpEvent};
use crate::time::Timestamp;
use crate::words::Words;

/// How long each part of a call may take. Every live state has a deadline made of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From the first request to the speech model until it is ready to talk.
    pub speech_ready: Duration,
    /// From the dial request until somebody picks up.
    pub ring: Duration,
    /// From the answer until the call is cut off.
    pub talk: Duration,
    /// With nobody speaking; half of it earns a question whether anybody is there.
    pub silence: Duration,
    /// Waiting on hold, all holds of a call together. It is no talk, and does not count as such.
    pub hold: Duration,
    /// Whether it does: somebody pays for every minute of the call.
    pub hold_is_talk: bool,
    /// From our hang-up until it counts as done without the far end's word.
    pub close: Duration,
    /// From the end of the leg until a recognizer's last words are given up on.
    pub flush: Duration,
    /// From the voice's decision to end until the last words must have been played.
    pub goodbye: Duration,
    /// For a machine's beep before a message is left all the same.
    pub beep: Duration,
    /// How often the voice may ask its owner back.
    pub consults: u32,
    /// From the dial request to the user until somebody picks up.
    pub user_ring: Duration,
    /// From the user's answer until the user must have said whether to join.
    pub introduction: Duration,
    /// From the join of remote and user until they are cut off.
    pub bridged: Duration,
    /// How often a dial request that never left is made again.
    pub redials: u32,
    /// Before it is; longer where it was a line that was missing.
    pub redial: Duration,
    pub redial_no_line: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            speech_ready: Duration::from_secs(15),
            ring: Duration::from_secs(60),
            talk: Duration::from_secs(15 * 60),
            silence: Duration::from_secs(30),
            hold: Duration::from_secs(15 * 60),
            hold_is_talk: false,
            close: Duration::from_secs(40),
            flush: Duration::from_secs(5),
            goodbye: Duration::from_secs(20),
            beep: Duration::from_secs(25),
            consults: 5,
            user_ring: Duration::from_secs(30),
            introduction: Duration::from_secs(25),
            bridged: Duration::from_secs(60 * 60),
            redials: 1,
            redial: Duration::from_secs(2),
            redial_no_line: Duration::from_secs(15),
        }
    }
}

/// How long a process that stops waits for the far ends of calls that are closing.
const LAST_MOMENT: Duration = Duration::from_secs(5);

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    Command(CallCommand),
    Leg(LegEvent),
    Speech(SpeechEvent),
    Pump(PumpEvent),
    /// The pump was emptied on [`Action::StopPlayout`] in the middle of this utterance.
    CutOff(Heard),
    /// A machine's beep; reported only while [`Call::listens_for_beep`].
    Beep,
    /// What the remote's audio sounds like.
    Sound(HoldSound),
    /// What the user's leg reports. One that could not be dialled is `Failed`.
    Second(LegEvent),
    /// After [`Action::Join`]: how long after the user's answer the first frame of each reached the other.
    FirstCrossed {
        to_user_ms: u32,
        to_remote_ms: u32,
    },
    Agent(AgentEvent),
    /// Something failed beside the call, e.g. its recording.
    Problem {
        part: Part,
        code: String,
        message: String,
    },
    /// [`Call::deadline`] was reached.
    Tick,
}

/// What to do about it, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Send the dial request. Comes once in the life of a call, and once more if that surely never left the machine.
    Dial,
    /// Begin to record, and to pass the remote's audio to the model.
    Connect,
    Leg(LegCommand),
    Speech(SpeechCommand),
    /// Drop what waits in the pump; answer with [`Input::CutOff`] when that cut an utterance off.
    StopPlayout,
    Journal(Fact),
    Agent(AgentOrder),
    /// Dial the user, on a leg of its own.
    DialSecond {
        to: HandoffAllow,
    },
    Second(LegCommand),
    /// Whom the voice hears and speaks to from now on.
    Attach(Party),
    /// Keep company with a sound now and then, to whoever waits while nobody speaks to them.
    Company(bool),
    /// Nothing more is recorded.
    StopRecording,
    /// Pass the audio of each leg to the other; the model is closed already.
    Join,
    /// Make this part of the recording silent, in milliseconds since the answer.
    MaskRecording {
        from_ms: u32,
        to_ms: u32,
    },
}

/// One call, placed or received.
#[derive(Debug)]
pub struct Call {
    direction: Direction,
    brief: Brief,
    limits: Limits,
    state: CallState,
    turns: Turns,
    actions: VecDeque<Action>,
    answered_at: Option<Timestamp>,
    report: Report,
    reception: Reception,
    /// What the owner was asked and did not answer.
    missing: Vec<Words>,
    answered_by: Option<AnsweredBy>,
    /// Whoever answered let us wait, or took keys.
    is_system: bool,
    sip_status: Option<u16>,
    q850_cause: Option<u8>,
    /// The only number the voice can have the user called on.
    user: Option<HandoffAllow>,
    dial_retried: bool,
    /// The caller is for the user alone: there is no voice, and nothing to tell of what was said.
    put_through: bool,
    /// Where the operator wants secrets masked.
    masker: Option<Masker>,
    /// One that was asked for and is not any more: it may be said again.
    hidden_pin: Option<Pin>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Outbound,
    Inbound,
}

impl Call {
    /// A call that starts now. The session has already begun to open the speech model.
    pub fn new(direction: Direction, brief: Brief, limits: Limits, now: Timestamp) -> Self {
        let masker = brief.mask_secrets.then(Masker::default);
        Self {
            direction,
            brief,
            limits,
            state: CallState::Preparing { give_up_at: now + limits.speech_ready },
            turns: Turns::default(),
            actions: VecDeque::new(),
            answered_at: None,
            report: Report::default(),
            reception: Reception::default(),
            missing: Vec::new(),
            answered_by: None,
            is_system: false,
            sip_status: None,
            q850_cause: None,
            user: None,
            dial_retried: false,
            put_through: false,
            masker,
            hidden_pin: None,
        }
    }

    /// The user can be connected on this number.
    pub fn with_user(self, user: Option<HandoffAllow>) -> Self {
        Self { user, ..self }
    }

    pub fn state(&self) -> &CallState {
        &self.state
    }

    pub fn is_over(&self) -> bool {
        matches!(self.state, CallState::Ended(_))
    }

    /// Whether the session should look for a machine's beep in the remote's audio: only a call that would leave a
    /// message has a use for it, or one that may be talking to a machine.
    pub fn listens_for_beep(&self) -> bool {
        let wanted = matches!(self.brief.voicemail, Voicemail::LeaveMessage(_));
        matches!(&self.state, CallState::Connected(conversation)
            if (wanted || conversation.answering.is_suspicious()) && !matches!(conversation.phase, Phase::Parting(_)))
    }

    /// The next action, until there is none.
    pub fn poll(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When to call [`Self::handle`] with [`Input::Tick`] at the latest; `None` only once the call is over.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.state.next(&self.limits).map(|(at, _)| at)
    }

    /// Take one input. After the end every input is ignored: carriers repeat and reorder themselves.
    pub fn handle(&mut self, now: Timestamp, input: Input) {
        if self.is_over() || (self.put_through && through::is_of_the_voice(&input)) {
            return;
        }
        match self.state {
            CallState::Bridged(_) => return self.handle_bridged(now, input),
            CallState::PuttingThrough(_) => return self.handle_through(now, input),
            _ => {}
        }
        if self.is_private() {
            if let Some(input) = self.handle_private(now, input) {
                self.handle_input(now, input);
            }
        } else {
            self.handle_input(now, input);
        }
        self.settle_hold(now);
        self.check_deadlines(now);
        self.settle_hold(now);
        self.settle_silence();
        self.say_for_owner();
    }

    fn handle_input(&mut self, now: Timestamp, input: Input) {
        match input {
            Input::Command(command) => self.handle_command(now, command),
            Input::Leg(event) => self.handle_leg(now, event),
            Input::Speech(event) => self.handle_speech(now, event),
            Input::Pump(event) => self.handle_pump(now, event),
            Input::CutOff(heard) => self.voice_cut_off(now, heard),
            Input::Beep => self.beep_heard(now),
            Input::Problem { part, code, message } => self.journal(Fact::Problem { part, code, message }),
            Input::Sound(sound) => self.sound_heard(now, sound),
            Input::Second(event) => self.handle_second(now, event),
            Input::Agent(event) => self.agent_reports(now, event),
            Input::FirstCrossed { .. } | Input::Tick => {}
        }
    }

    fn handle_command(&mut self, now: Timestamp, command: CallCommand) {
        if self.refusal(&command).is_some() {
            return;
        }
        match command {
            CallCommand::HangUp => self.hang_up(now, EndReason::OwnerCancelled),
            CallCommand::Fault => self.hang_up(now, EndReason::GatewayFault),
            CallCommand::Shutdown => {
                self.hang_up(now, EndReason::GatewayShutdown);
                if let CallState::Ending(closing) = &mut self.state {
                    closing.give_up_at = closing.give_up_at.min(now + LAST_MOMENT);
                }
            }
            CallCommand::Say { text } => self.owner_says(text),
            CallCommand::Instruct { text } => self.owner_instructs(text),
            CallCommand::Press { digits } => self.owner_presses(digits),
            CallCommand::Answer { text, .. } => self.owner_answers(now, text),
            CallCommand::Bridge { to, introduction } => self.owner_hands_over(now, to, introduction),
            CallCommand::Withdraw => self.withdraw_approval(now),
            CallCommand::Approve(approval) => self.approve_within(now, *approval),
        }
    }

    fn handle_leg(&mut self, now: Timestamp, event: LegEvent) {
        match event {
            LegEvent::Ringing { early_media } => self.ringing(early_media),
            LegEvent::Answered { sip_call_id } => self.answered(now, sip_call_id),
            LegEvent::MediaUp { format, encrypted } => {
                self.journal(Fact::MediaUp { codec: format.name().to_owned(), encrypted });
            }
            LegEvent::Digit(_) if self.turns.are_over() => {}
            LegEvent::Digit(digit) if self.awaits_pin() => self.pin_key(now, digit),
            LegEvent::Digit(_) if self.hides_keys() => self.hide_key(now),
            LegEvent::Digit(digit) if self.awaits_decision() => self.approval_key(now, digit),
            LegEvent::Digit(digit) => {
                let digit = self.key_shown(now, digit).to_string();
                self.journal(Fact::DigitReceived { digit });
                self.remote_is_there(now);
            }
            LegEvent::DigitsSent => self.digits_sent(now),
            LegEvent::Held => self.held(now),
            LegEvent::Resumed => self.resumed(now),
            // Early media may stop without anybody being gone.
            LegEvent::MediaLost if self.answered_at.is_none() => {}
            LegEvent::MediaLost => self.hang_up(now, EndReason::CarrierMediaLost),
            LegEvent::Failed(failure) => self.dial_failed(now, failure),
            LegEvent::HungUp { q850_cause } => {
                self.q850_cause = self.q850_cause.or(q850_cause);
                self.leg_gone(now, EndReason::RemoteHungUp);
            }
            LegEvent::Closed | LegEvent::Lost => self.leg_gone(now, EndReason::CarrierLost),
        }
    }

    fn handle_speech(&mut self, now: Timestamp, event: SpeechEvent) {
        match event {
            SpeechEvent::Ready { model } => self.speech_ready(now, model),
            SpeechEvent::RemoteSpeechStarted => self.remote_speech_started(now),
            SpeechEvent::RemoteSpeechStopped => self.remote_speech_stopped(now),
            SpeechEvent::RemoteSaid { text, confidence, started_ms, ended_ms } => {
                self.remote_said(now, text, confidence, (started_ms, ended_ms));
            }
            SpeechEvent::VoiceText { utterance, text } => {
                let said = self.turns.text(utterance, text);
                self.note_reading(now, said.as_ref());
                self.journal_said(said);
            }
            // The pump reports when an utterance has really gone out.
            SpeechEvent::UtteranceDone { .. } => {}
            SpeechEvent::Opened { utterance } => self.opening_handed_over(now, utterance),
            SpeechEvent::ToolCall { id, tool } => self.tool_called(now, id, tool),
            SpeechEvent::Problem { code, message } => {
                self.journal(Fact::Problem { part: Part::Speech, code, message });
            }
            SpeechEvent::Reopening { why } => self.journal(Fact::SpeechReopening { why }),
            SpeechEvent::Reopened => self.journal(Fact::SpeechReopened {}),
            SpeechEvent::Lost { why } => self.speech_lost(now, why),
        }
    }

    fn handle_pump(&mut self, now: Timestamp, event: PumpEvent) {
        match event {
            PumpEvent::Started(utterance) => {
                self.turns.started(utterance, self.call_ms(now));
                self.voice_started(now, utterance);
            }
            PumpEvent::Finished(heard) => self.voice_finished(now, heard),
        }
    }

    /// Do what is due. What follows from one deadline can be due at once, too; the bound is generous.
    fn check_deadlines(&mut self, now: Timestamp) {
        for _ in 0..8 {
            match self.state.next(&self.limits) {
                Some((at, due)) if at <= now => self.deadline_reached(now, due),
                _ => return,
            }
        }
    }

    fn deadline_reached(&mut self, now: Timestamp, due: Due) {
        match due {
            Due::Open => self.open(now),
            Due::NotOpened => self.not_opened(now),
            Due::AskIfThere => self.ask_if_there(now),
            Due::StillAsking => self.still_asking(now),
            Due::Unanswered => self.unanswered(now),
            Due::WrapUp => self.wrap_up(),
            Due::LeaveMessage => self.leave_message(now),
            Due::KeysHeard => self.keys_heard(),
            Due::MenuStuck => self.menu_stuck(now),
            Due::Answering => self.answering_due(now),
            Due::Handoff => self.handoff_due(now),
            Due::Agents => self.agents_due(now),
            Due::Pin => self.pin_due(now),
            Due::Approval => self.approval_due(now),
            Due::Redial => self.redial(now),
            Due::HoldTooLong => self.held_too_long(now),
            Due::HangUp(reason) => self.hang_up(now, reason),
            Due::Finish(reason) => self.finish(now, reason),
        }
    }

    /// Milliseconds since the answer, the zero of transcript and recording.
    fn call_ms(&self, now: Timestamp) -> u32 {
        self.answered_at.map_or(0, |at| now.since(at).as_millis().min(u32::MAX.into()) as u32)
    }

    fn conversation(&mut self) -> Option<&mut Conversation> {
        match &mut self.state {
            CallState::Connected(conversation) => Some(conversation),
            _ => None,
        }
    }

    fn journal(&mut self, fact: Fact) {
        let is_said = self.take_note(&fact);
        self.write_masked(fact);
        if is_said {
            self.tell_commitments();
            self.tell_result(false);
        }
    }

    fn speech(&mut self, command: SpeechCommand) {
        self.actions.push_back(Action::Speech(command));
    }
}
