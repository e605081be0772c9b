//! The user on a second leg: dialled while the first is kept company, told in private who is there, and joined.
//!
//! ```text
//! Off ─► Calling ─► Introducing ─► CallState::Bridged
//!  ▲        │ straight ──────────────────▲
//!  └────────┴─────── nobody comes: back to the remote, with the truth
//! ```
//!
//! What the user says before joining is private: it is neither recorded nor written down. From the join on nothing is.

use std::time::Duration;

use super::state::{CallState, Due, MustHear, Phase, Quiet};
use super::steer::NotNow;
use super::{
    Action, Call, CallCommand, Claim, Input, LegCommand, LegEvent, SpeechCommand, SpeechEvent, ToolCall,
    ToolCallId,
};
use crate::audio::Digit;
use crate::brief::Introduction;
use crate::end::EndReason;
use crate::journal::{AnsweredBy, Fact, HandoffBy, HandoffFailure, Party, TaskStatus};
use crate::policy::HandoffAllow;
use crate::pump::{Heard, PumpEvent};
use crate::time::Timestamp;
use crate::words::Words;

/// How far the user has come into the call.
#[derive(Debug, Default)]
pub(super) struct Handoff {
    stage: Stage,
    /// How often the user was dialled.
    tries: u32,
    /// Why the voice wanted the user last, as it said itself.
    reason: Option<Words>,
    /// The user's leg has not said its last word.
    leg_open: bool,
}

#[derive(Debug, Default)]
enum Stage {
    #[default]
    Off,
    Calling(Calling),
    Introducing(Introducing),
}

/// The user's phone is dialled, and the voice stays with the remote.
#[derive(Debug)]
struct Calling {
    introduction: Introduction,
    rang: bool,
    answered: bool,
    media_up: bool,
    give_up_at: Timestamp,
}

/// The voice is with the user, in private.
#[derive(Debug)]
struct Introducing {
    words: MustHear,
    /// They were heard.
    told: bool,
    decide_by: Timestamp,
}

/// Remote and user talk to each other; the voice is gone.
#[derive(Debug)]
pub struct Bridge {
    joined_at: Timestamp,
    cut_off_at: Timestamp,
    /// Not everything the model heard before was written down yet.
    speech_open: bool,
    user_open: bool,
}

impl Handoff {
    /// How often a user is dialled into one call.
    const TRIES: u32 = 2;

    pub fn next(&self) -> Option<(Timestamp, Due)> {
        match &self.stage {
            Stage::Off => None,
            Stage::Calling(calling) => Some((calling.give_up_at, Due::Handoff)),
            Stage::Introducing(introducing) => Some((introducing.decide_by, Due::Handoff)),
        }
    }

    /// The user is on the way: nobody is to be asked whether anybody is there.
    pub fn is_under_way(&self) -> bool {
        !matches!(self.stage, Stage::Off)
    }

    /// The voice speaks with the user, and the remote does not hear it.
    pub fn is_private(&self) -> bool {
        matches!(self.stage, Stage::Introducing(_))
    }

    /// Why the user can't be dialled now.
    pub fn refusal(&self, phase: &Phase) -> Option<NotNow> {
        match phase {
            Phase::Listening { .. } | Phase::Opening(_) => Some(NotNow::NotOpened),
            Phase::AwaitingBeep { .. } | Phase::Parting(_) => Some(NotNow::Ending),
            Phase::Talking | Phase::OnHold { .. } if self.is_under_way() || self.leg_open => {
                Some(NotNow::UserUnderWay)
            }
            Phase::Talking | Phase::OnHold { .. } if self.tries >= Self::TRIES => Some(NotNow::UserTried),
            Phase::Talking | Phase::OnHold { .. } => None,
        }
    }
}

impl Bridge {
    /// There never was a voice.
    pub(super) fn without_voice(joined_at: Timestamp, cut_off_at: Timestamp) -> Self {
        Self { joined_at, cut_off_at, speech_open: false, user_open: true }
    }

    pub(super) fn next(&self) -> (Timestamp, Due) {
        (self.cut_off_at, Due::HangUp(EndReason::PolicyTalkLimit))
    }

    /// Whether words that were said before may still come.
    pub(super) fn speech_open(&self) -> bool {
        self.speech_open
    }
}

const TOOL: &str = "loop_in_user";
const NOBODY: &str = "nobody can be connected on this call; say so, and offer a call back";
const CALLING: &str = "the user is being called. Until they come you stay with the other side: keep them company, \
                       answer what they ask, promise nothing";
/// Told to a voice that did not ask for the user itself.
const OWNER_CALLS: &str = "The user whom you are calling for is being called, and will join this call. Until then you \
                           stay with the other side: keep them company, answer what they ask, promise nothing.";
/// Told to the voice before it speaks to the user.
pub const IN_PRIVATE: &str = "From now on you speak with the user whom you are calling for, in private: the other side \
                          waits and does not hear you. Answer their questions about the call in a few words. As soon \
                          as they say whether they join, use user_decides. If it is a machine, use report_voicemail.";
/// Told to the voice when it is back with the other side.
pub const ALONE_AGAIN: &str = "You are with the other side of the call again; the user can't join now. Agree to nothing \
                               new, and say nothing of what they told you in private. Find out what the next step is, \
                               and when and where they can be called back; then say goodbye.";
const NOT_NOW: &str = "not now: you are speaking with the user in private. Use user_decides as soon as they say \
                       whether they join";
/// Who has not heard who is there has agreed to nothing; and a mailbox begins by saying something.
const NOT_TOLD: &str = "not yet: the user has not heard to the end who is there. Wait for their answer to it";
const CONNECTED: &str =
    "The user was connected with the other side; what they said to each other is not recorded.";
const JOIN: char = '1';
const DECLINE: char = '2';
/// To decide in, once all was told.
const TO_DECIDE: Duration = Duration::from_secs(10);

impl Call {
    pub(super) fn loop_in_user(&mut self, now: Timestamp, id: ToolCallId, reason: Words) {
        let (Some(introduction), Some(to)) = (self.brief.handoff, self.user.clone()) else {
            return self.tool_answered(id, TOOL, NOBODY, true);
        };
        let Some(conversation) = self.conversation() else { return };
        let why = match conversation.handoff.refusal(&conversation.phase) {
            None => "",
            Some(NotNow::Ending) => {
                return self.tool_answered(id, TOOL, "not called: the call is ending", false);
            }
            Some(NotNow::UserUnderWay) => {
                return self.tool_answered(
                    id,
                    TOOL,
                    "the user is being called already; wait for them",
                    false,
                );
            }
            Some(NotNow::UserTried) => {
                "not called: they were called and did not come; find out what the next step is without them"
            }
            Some(_) => "not called: first say who you are and why you call",
        };
        if !why.is_empty() {
            return self.tool_answered(id, TOOL, why, true);
        }
        self.tool_answered(id, TOOL, CALLING, false);
        self.call_user(now, HandoffBy::Voice, to, introduction, Some(reason));
    }

    pub(super) fn owner_hands_over(
        &mut self,
        now: Timestamp,
        to: Option<HandoffAllow>,
        introduction: Option<Introduction>,
    ) {
        let Some(to) = to.or_else(|| self.user.clone()) else { return };
        let introduction = introduction.or(self.brief.handoff).unwrap_or(Introduction::Warm);
        self.call_user(now, HandoffBy::Owner, to, introduction, None);
    }

    /// Dial the user. The remote is told, unless the voice is just telling them.
    fn call_user(
        &mut self,
        now: Timestamp,
        by: HandoffBy,
        to: HandoffAllow,
        introduction: Introduction,
        reason: Option<Words>,
    ) {
        let give_up_at = now + self.limits.user_ring;
        let connecting = self.brief.fixed_words().connecting;
        let Some(conversation) = self.conversation() else { return };
        let handoff = &mut conversation.handoff;
        handoff.tries += 1;
        handoff.leg_open = true;
        handoff.reason = reason;
        handoff.stage = Stage::Calling(Calling {
            introduction,
            rang: false,
            answered: false,
            media_up: false,
            give_up_at,
        });
        // Whoever is told by the voice need not be told by us.
        let untold = by == HandoffBy::Owner || !conversation.voice_speaking;
        if conversation.has_company() && untold {
            conversation.steer.say_next(connecting.into());
        }
        if by == HandoffBy::Owner {
            self.speech(SpeechCommand::Note { text: OWNER_CALLS.into(), respond: false });
        }
        self.journal(Fact::HandoffAsked { by, warm: introduction == Introduction::Warm });
        self.actions.push_back(Action::Company(true));
        self.actions.push_back(Action::DialSecond { to });
    }

    pub(super) fn handle_second(&mut self, now: Timestamp, event: LegEvent) {
        let over = matches!(
            event,
            LegEvent::Failed(_) | LegEvent::HungUp { .. } | LegEvent::Closed | LegEvent::Lost
        );
        match &mut self.state {
            CallState::Connected(conversation) => conversation.handoff.leg_open &= !over,
            CallState::Bridged(bridge) => {
                bridge.user_open &= !over;
                return self.bridged_user(now, event);
            }
            _ if over => return self.closed(now, |open| open.second = false),
            _ => return,
        }
        match event {
            LegEvent::Ringing { .. } => self.user_rings(),
            LegEvent::Answered { .. } => {
                if let Some(calling) = self.calling() {
                    calling.answered = true;
                    self.journal(Fact::HandoffAnswered {});
                }
                self.user_answers(now);
            }
            LegEvent::MediaUp { .. } => {
                if let Some(calling) = self.calling() {
                    calling.media_up = true;
                }
                self.user_answers(now);
            }
            LegEvent::Digit(digit) => self.user_presses(now, digit),
            LegEvent::Failed(failure) => self.user_absent(now, why_not(failure.reason)),
            LegEvent::HungUp { .. } if self.is_private() => {
                self.user_absent(now, HandoffFailure::UserDeclined)
            }
            LegEvent::HungUp { .. } | LegEvent::Closed | LegEvent::Lost | LegEvent::MediaLost => {
                self.user_absent(now, HandoffFailure::Failed);
            }
            LegEvent::DigitsSent | LegEvent::Held | LegEvent::Resumed => {}
        }
    }

    fn calling(&mut self) -> Option<&mut Calling> {
        match &mut self.conversation()?.handoff.stage {
            Stage::Calling(calling) => Some(calling),
            _ => None,
        }
    }

    fn introducing(&mut self) -> Option<&mut Introducing> {
        match &mut self.conversation()?.handoff.stage {
            Stage::Introducing(introducing) => Some(introducing),
            _ => None,
        }
    }

    /// Whether the voice speaks with the user.
    pub(super) fn is_private(&self) -> bool {
        matches!(&self.state, CallState::Connected(conversation) if conversation.handoff.is_private())
    }

    fn user_rings(&mut self) {
        if let Some(calling) = self.calling()
            && !std::mem::replace(&mut calling.rang, true)
        {
            self.journal(Fact::HandoffRinging {});
        }
    }

    /// Picked up, and can hear us: the two come in either order.
    fn user_answers(&mut self, now: Timestamp) {
        let there = self.calling().filter(|calling| calling.answered && calling.media_up);
        let Some(calling) = there else { return };
        match calling.introduction {
            Introduction::Straight => self.join(now),
            Introduction::Warm => self.introduce(now),
        }
    }

    /// Leave the remote for a moment, and tell the user who is there.
    fn introduce(&mut self, now: Timestamp) {
        let (fixed, at_ms) = (self.brief.fixed_words(), self.call_ms(now));
        let decide_by = now + self.limits.introduction;
        let Some(conversation) = self.conversation() else { return };
        let words = fixed.introduction(conversation.handoff.reason.as_deref());
        let introducing = Introducing { words: MustHear::default(), told: false, decide_by };
        conversation.handoff.stage = Stage::Introducing(introducing);
        self.move_voice(Party::User);
        self.turns.begin_private(at_ms);
        self.speech(SpeechCommand::Note { text: IN_PRIVATE.into(), respond: false });
        self.speech(SpeechCommand::Open { say: Some(words.into()) });
    }

    /// Nothing that was on its way to one of them reaches the other.
    fn move_voice(&mut self, to: Party) {
        self.actions.push_back(Action::StopPlayout);
        let Some(conversation) = self.conversation() else { return };
        conversation.remote_speaking = false;
        if !std::mem::replace(&mut conversation.silenced, true) {
            self.speech(SpeechCommand::Suspend);
        }
        self.actions.push_back(Action::Attach(to));
        self.settle_silence();
    }

    /// What comes while the voice is with the user: it has nothing to do with the remote. What is given back has.
    pub(super) fn handle_private(&mut self, now: Timestamp, input: Input) -> Option<Input> {
        match input {
            Input::Speech(event) => return self.handle_private_speech(now, event).map(Input::Speech),
            Input::Pump(PumpEvent::Started(utterance)) => {
                let at_ms = self.call_ms(now);
                self.turns.started(utterance, at_ms);
                self.voice_speaks(true);
            }
            Input::Pump(PumpEvent::Finished(heard)) => {
                let said = self.turns.finished(heard, self.call_ms(now));
                self.journal_said(said);
                self.voice_speaks(false);
                self.introduction_played(now, heard);
            }
            Input::CutOff(heard) => {
                self.speech(SpeechCommand::Truncate(heard));
                let said = self.turns.cut_off(heard, self.call_ms(now));
                self.journal_said(said);
                self.voice_speaks(false);
            }
            // Of whoever is listened to just now, who is not the remote.
            Input::Beep | Input::Sound(_) => {}
            input => return Some(input),
        }
        None
    }

    fn voice_speaks(&mut self, speaking: bool) {
        if let Some(conversation) = self.conversation() {
            conversation.voice_speaking = speaking;
        }
    }

    fn handle_private_speech(&mut self, now: Timestamp, event: SpeechEvent) -> Option<SpeechEvent> {
        match event {
            SpeechEvent::RemoteSpeechStarted => {
                let told = self.introducing().is_some_and(|introducing| introducing.told);
                if told && self.conversation().is_some_and(|conversation| conversation.voice_speaking) {
                    self.actions.push_back(Action::StopPlayout);
                }
            }
            SpeechEvent::RemoteSpeechStopped => {}
            SpeechEvent::Opened { utterance } => {
                if let Some(introducing) = self.introducing() {
                    introducing.words.handed_over(utterance);
                }
                self.consider_told(now);
            }
            SpeechEvent::ToolCall { id, tool } => self.private_tool(now, id, tool),
            SpeechEvent::Lost { .. } => {
                self.user_absent(now, HandoffFailure::Failed);
                return Some(event);
            }
            event => return Some(event),
        }
        None
    }

    fn introduction_played(&mut self, now: Timestamp, heard: Heard) {
        let whole = heard.heard_ms > 0 && heard.heard_ms >= heard.of_ms;
        if let Some(introducing) = self.introducing().filter(|_| whole) {
            introducing.words.played(heard.utterance);
        }
        self.consider_told(now);
    }

    fn consider_told(&mut self, now: Timestamp) {
        let Some(introducing) = self.introducing() else { return };
        if introducing.words.were_heard() && !std::mem::replace(&mut introducing.told, true) {
            introducing.decide_by = introducing.decide_by.max(now + TO_DECIDE);
            self.journal(Fact::HandoffIntroduced {});
        }
    }

    fn private_tool(&mut self, now: Timestamp, id: ToolCallId, tool: ToolCall) {
        self.journal(Fact::ToolCalled { tool: tool.name().to_owned(), arguments: private_arguments(&tool) });
        match tool {
            ToolCall::UserDecides { joins } => self.user_decides(now, id, joins),
            ToolCall::ReportVoicemail { kind: AnsweredBy::Voicemail } => {
                self.tool_answered(id, "report_voicemail", "noted; going back to the other side", false);
                self.user_absent(now, HandoffFailure::NoAnswer);
            }
            tool => self.tool_answered(id, tool.name(), NOT_NOW, false),
        }
    }

    pub(super) fn user_decides(&mut self, now: Timestamp, id: ToolCallId, joins: bool) {
        const TOOL: &str = "user_decides";
        if !self.is_private() {
            return self.tool_answered(id, TOOL, "nobody was asked to join", false);
        }
        if joins && !self.introducing().is_some_and(|introducing| introducing.told) {
            return self.tool_answered(id, TOOL, NOT_TOLD, false);
        }
        if joins {
            // The model is closed in the same moment.
            self.journal(Fact::ToolAnswered { tool: TOOL.to_owned(), output: "joined".to_owned() });
            return self.join(now);
        }
        self.tool_answered(id, TOOL, "noted; going back to the other side", false);
        self.user_absent(now, HandoffFailure::UserDeclined);
    }

    fn user_presses(&mut self, now: Timestamp, digit: Digit) {
        match digit.as_char() {
            JOIN if self.is_private() => self.join(now),
            DECLINE if self.is_private() => self.user_absent(now, HandoffFailure::UserDeclined),
            _ => {}
        }
    }

    /// The user did not pick up in time, or did not say whether to join.
    pub(super) fn handoff_due(&mut self, now: Timestamp) {
        self.user_absent(now, HandoffFailure::NoAnswer);
    }

    /// Back to the remote, with the truth. Without a user on the way nothing happens.
    fn user_absent(&mut self, now: Timestamp, why_not: HandoffFailure) {
        match self.abandon_user(now, why_not, EndReason::OwnerCancelled) {
            None | Some(Stage::Off) => return,
            Some(Stage::Calling(_)) => {}
            Some(Stage::Introducing(_)) => self.move_voice(Party::Remote),
        }
        let sorry = self.brief.fixed_words().user_absent;
        self.speech(SpeechCommand::Note { text: ALONE_AGAIN.into(), respond: false });
        if let Some(conversation) = self.conversation() {
            conversation.quiet = Quiet::Since(now);
            // On hold nobody was told that the user would come.
            if matches!(conversation.phase, Phase::Talking) {
                conversation.steer.say_next(sorry.into());
            }
        }
    }

    /// The voice ends the call: nobody is wanted on it any more.
    pub(super) fn cancel_handoff(&mut self, now: Timestamp) {
        self.abandon_user(now, HandoffFailure::Cancelled, EndReason::OwnerCancelled);
    }

    /// Give up on a user who is on the way; what was left of, if anything.
    fn abandon_user(&mut self, now: Timestamp, why_not: HandoffFailure, reason: EndReason) -> Option<Stage> {
        let at_ms = self.call_ms(now);
        let handoff = &mut self.conversation()?.handoff;
        let (stage, leg_open) = (std::mem::take(&mut handoff.stage), handoff.leg_open);
        if let Stage::Off = stage {
            return None;
        }
        if let Stage::Introducing(_) = stage {
            self.turns.end_private(at_ms);
        }
        self.journal(Fact::HandoffFailed { why_not });
        self.actions.push_back(Action::Company(false));
        if leg_open {
            self.actions.push_back(Action::Second(LegCommand::HangUp { reason }));
        }
        Some(stage)
    }

    /// The voice leaves, and takes recorder and recognizer with it; then the two hear each other.
    fn join(&mut self, now: Timestamp) {
        let at_ms = self.call_ms(now);
        // If the other side is not back yet, it is the user who waits for them.
        self.leave_hold(now);
        self.settle_hold(now);
        self.give_up_question();
        self.cancel_agents();
        self.tell_answered_by();
        self.tell_connected();
        self.actions.extend([
            Action::Company(false),
            Action::StopPlayout,
            Action::Speech(SpeechCommand::Close),
            Action::StopRecording,
            Action::Journal(Fact::HandoffJoined {}),
            Action::Join,
        ]);
        self.turns.end(at_ms);
        let Some(conversation) = self.conversation() else { return };
        let cut_off_at = conversation.cut_off_at;
        self.state = CallState::Bridged(Bridge {
            joined_at: now,
            cut_off_at: cut_off_at.max(now + self.limits.bridged),
            speech_open: true,
            user_open: true,
        });
    }

    /// What the voice knows is the result; the rest is between the two.
    fn tell_connected(&mut self) {
        let reason = self.conversation().and_then(|conversation| conversation.handoff.reason.take());
        let mut summary = CONNECTED.to_owned();
        if let Some(reason) = reason.filter(|reason| !reason.trim().is_empty()) {
            summary.push_str(" Why the user was wanted: ");
            summary.push_str(&reason);
        }
        self.claim(Claim::new(TaskStatus::Partly, summary.as_str()));
        self.tell_result(true);
    }

    /// Whatever comes while remote and user talk to each other.
    pub(super) fn handle_bridged(&mut self, now: Timestamp, input: Input) {
        match input {
            Input::Command(command @ (CallCommand::HangUp | CallCommand::Shutdown | CallCommand::Fault)) => {
                self.handle_command(now, command)
            }
            Input::Leg(event) => self.bridged_remote(now, event),
            Input::Second(event) => self.handle_second(now, event),
            Input::Speech(event) => self.late_words(now, event),
            Input::CutOff(heard) => {
                let said = self.turns.cut_off(heard, self.call_ms(now));
                self.journal_said(said);
            }
            Input::Pump(PumpEvent::Finished(heard)) => {
                let said = self.turns.finished(heard, self.call_ms(now));
                self.journal_said(said);
            }
            Input::FirstCrossed { to_user_ms, to_remote_ms } => {
                self.journal(Fact::HandoffCrossed { to_user_ms, to_remote_ms });
            }
            Input::Problem { part, code, message } => self.journal(Fact::Problem { part, code, message }),
            Input::Command(_)
            | Input::Pump(_)
            | Input::Beep
            | Input::Sound(_)
            | Input::Agent(_)
            | Input::Tick => {}
        }
        self.check_deadlines(now);
    }

    /// What was said before the join, and understood only now.
    fn late_words(&mut self, now: Timestamp, event: SpeechEvent) {
        match event {
            SpeechEvent::RemoteSaid { text, confidence, started_ms, ended_ms } => {
                self.remote_said(now, text, confidence, (started_ms, ended_ms));
            }
            SpeechEvent::VoiceText { utterance, text } => {
                let said = self.turns.text(utterance, text);
                self.journal_said(said);
            }
            SpeechEvent::Lost { .. } => {
                if let CallState::Bridged(bridge) = &mut self.state {
                    bridge.speech_open = false;
                }
            }
            _ => {}
        }
    }

    fn bridged_remote(&mut self, now: Timestamp, event: LegEvent) {
        match event {
            LegEvent::Digit(digit) => self.actions.push_back(Action::Second(press(digit))),
            LegEvent::MediaLost => self.hang_up(now, EndReason::CarrierMediaLost),
            LegEvent::HungUp { q850_cause } => {
                self.q850_cause = self.q850_cause.or(q850_cause);
                self.leg_gone(now, EndReason::RemoteHungUp);
            }
            LegEvent::Failed(_) | LegEvent::Closed | LegEvent::Lost => {
                self.leg_gone(now, EndReason::CarrierLost);
            }
            _ => {}
        }
    }

    fn bridged_user(&mut self, now: Timestamp, event: LegEvent) {
        match event {
            LegEvent::Digit(digit) => self.actions.push_back(Action::Leg(press(digit))),
            LegEvent::MediaLost => self.hang_up(now, EndReason::CarrierMediaLost),
            LegEvent::HungUp { .. } => self.hang_up(now, EndReason::UserHungUp),
            LegEvent::Failed(_) | LegEvent::Closed | LegEvent::Lost => {
                self.hang_up(now, EndReason::CarrierLost);
            }
            _ => {}
        }
    }

    /// The call ends: whether there is a second leg, which is told so.
    pub(super) fn hang_up_second(&mut self, now: Timestamp, reason: EndReason) -> bool {
        let by = match reason {
            EndReason::RemoteHungUp => Party::Remote,
            EndReason::UserHungUp => Party::User,
            _ => Party::Gateway,
        };
        match &mut self.state {
            CallState::Connected(conversation) => {
                let leg_open = conversation.handoff.leg_open;
                let why_not =
                    if by == Party::Remote { HandoffFailure::RemoteLeft } else { HandoffFailure::Cancelled };
                self.abandon_user(now, why_not, reason);
                leg_open
            }
            CallState::Bridged(Bridge { joined_at, user_open, .. }) => {
                let (joined_ms, user_open) =
                    (now.since(*joined_at).as_millis().min(u32::MAX.into()) as u32, *user_open);
                if user_open {
                    self.actions.push_back(Action::Second(LegCommand::HangUp { reason }));
                }
                self.journal(Fact::HandoffEnded { by, joined_ms });
                user_open
            }
            CallState::PuttingThrough(_) => self.hang_up_through(by, reason),
            _ => false,
        }
    }
}

pub(super) fn why_not(reason: EndReason) -> HandoffFailure {
    match reason {
        EndReason::RemoteBusy => HandoffFailure::Busy,
        EndReason::RemoteDeclined => HandoffFailure::Declined,
        EndReason::RemoteNoAnswer => HandoffFailure::NoAnswer,
        EndReason::RemoteUnreachable | EndReason::RemoteInvalidNumber | EndReason::CarrierUnreachable => {
            HandoffFailure::Unreachable
        }
        _ => HandoffFailure::Failed,
    }
}

fn press(digit: Digit) -> LegCommand {
    LegCommand::SendDigits(digit.as_char().to_string())
}

/// Without the reason of whoever ends or asks: it may be what the user said.
fn private_arguments(tool: &ToolCall) -> String {
    match tool {
        ToolCall::UserDecides { .. } | ToolCall::ReportVoicemail { .. } => tool.arguments(),
        _ => String::new(),
    }
}
