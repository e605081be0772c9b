//! What picked up: a person, a machine, a menu. And what is left on a machine.

use std::time::Duration;

use super::greeting::Greeting;
use super::state::{CallState, Due, Parting, Phase};
use super::{Action, BlockerClaim, Call, Claim, Direction, SpeechCommand, ToolCallId};
use crate::brief::Voicemail;
use crate::end::EndReason;
use crate::journal::{AnsweredBy, BlockerKind, Fact, TaskStatus};
use crate::time::Timestamp;
use crate::words::Words;

/// What is known of whoever picked up.
#[derive(Debug, Default)]
pub(super) struct Answering {
    /// When a machine's beep was heard last: it may sound before anybody knows that it is a machine.
    beep_at: Option<Timestamp>,
    /// Since when the remote has been speaking, of what it says first.
    speaking_since: Option<Timestamp>,
    /// How long it spoke before that.
    spoken: Duration,
    turns: u32,
    /// It has been speaking for longer than a person does who picks up.
    long_winded: bool,
    /// A menu or a screening service, which may put somebody on the line.
    gate: Gate,
    /// What the voice wanted to say gave way to the first words.
    unsaid: bool,
    /// It said that it is a machine: when that is acted on, unless the voice does so first.
    act_at: Option<Timestamp>,
}

/// A machine that puts people through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Gate {
    #[default]
    None,
    /// It asks something.
    Asks,
    /// The voice has told it: whoever speaks next may be a person.
    Told,
    /// Somebody spoke, who is to hear the first words; whoever has heard them was put through.
    Open,
}

impl Answering {
    /// Nobody who picks up says so much before the other side says a word.
    const LONG: Duration = Duration::from_secs(6);
    /// What was said first tells what picked up; later turns belong to the conversation.
    const FIRST_TURNS: u32 = 3;
    /// For the voice to notice by itself that it talks to a machine.
    const PATIENCE: Duration = Duration::from_secs(3);

    pub fn next(&self) -> Option<(Timestamp, Due)> {
        let long_at = self.speaking_since.filter(|_| self.is_early() && !self.long_winded);
        let long_at = long_at.map(|since| since + Self::LONG.saturating_sub(self.spoken));
        self.act_at.into_iter().chain(long_at).min().map(|at| (at, Due::Answering))
    }

    fn is_early(&self) -> bool {
        self.turns < Self::FIRST_TURNS
    }

    pub fn speech_started(&mut self, now: Timestamp) {
        self.speaking_since.get_or_insert(now);
    }

    pub fn speech_stopped(&mut self, now: Timestamp) {
        self.spoken += self.speaking_since.take().map_or(Duration::ZERO, |since| now.since(since));
    }

    /// Whether a beep now would say that it is a machine.
    pub fn is_suspicious(&self) -> bool {
        self.long_winded
    }
}

/// Told to the voice, not to the other side.
const SCREENING: &str = "A call screening service answers, and passes on what you say. Say in one sentence who is calling \
                         for whom and why, then wait for a person.";

const UNSAID: &str = "What you were about to say gave way to the words that say who you are. If it is still an answer to what \
                      was asked, say it now.";

/// A beep this long ago was the machine's: it takes a moment to understand that one is talking to a machine.
const RECENT_BEEP: Duration = Duration::from_secs(10);

impl Call {
    /// Decide by what the remote says first. The voice speaks and listens meanwhile as always: this only looks on.
    pub(super) fn consider_answering(&mut self, now: Timestamp, text: Option<&str>) {
        let outbound = self.direction == Direction::Outbound;
        let decided = self.answered_by;
        let Some(conversation) = self.conversation() else { return };
        let answering = &mut conversation.answering;
        // Somebody talks on who is no recording.
        answering.act_at = None;
        if !outbound || decided.is_some_and(|by| by != AnsweredBy::Human) || !answering.is_early() {
            return;
        }
        answering.turns += 1;
        let Some(said) = text.and_then(Greeting::of) else { return };
        match said {
            Greeting::Short if decided.is_none() => self.answered_by(AnsweredBy::Human),
            Greeting::Short => {}
            Greeting::Voicemail => answering.act_at = Some(now + Answering::PATIENCE),
            Greeting::Menu => {
                answering.gate = Gate::Asks;
                self.answered_by(AnsweredBy::Menu);
            }
            Greeting::Screening => {
                answering.gate = Gate::Asks;
                self.answered_by(AnsweredBy::Screening);
                self.speech(SpeechCommand::Note { text: SCREENING.into(), respond: false });
            }
        }
    }

    /// The voice said something of its own, to whomever.
    pub(super) fn gate_told(&mut self) {
        if let Some(conversation) = self.conversation()
            && conversation.answering.gate == Gate::Asks
        {
            conversation.answering.gate = Gate::Told;
        }
    }

    /// Somebody speaks: whoever was put through has not heard the first words.
    pub(super) fn gate_may_have_opened(&mut self) {
        if let Some(conversation) = self.conversation()
            && conversation.answering.gate == Gate::Told
        {
            conversation.answering.gate = Gate::Open;
            self.owe_disclosure();
        }
    }

    /// Somebody has heard the first words.
    pub(super) fn gate_passed(&mut self) {
        if let Some(conversation) = self.conversation()
            && conversation.answering.gate == Gate::Open
            && !conversation.undisclosed
        {
            conversation.answering.gate = Gate::None;
        }
    }

    /// The first words take the place of what the voice wanted to say.
    pub(super) fn gives_way(&mut self) {
        if let Some(conversation) = self.conversation() {
            conversation.answering.unsaid = conversation.answering.gate != Gate::None;
        }
    }

    /// A machine that waits for an answer gets it after the first words.
    pub(super) fn say_unsaid(&mut self) {
        let Some(conversation) = self.conversation() else { return };
        if std::mem::take(&mut conversation.answering.unsaid) {
            let respond = conversation.may_speak();
            self.speech(SpeechCommand::Note { text: UNSAID.into(), respond });
        }
    }

    pub(super) fn answering_due(&mut self, now: Timestamp) {
        let Some(conversation) = self.conversation() else { return };
        match conversation.answering.act_at.take_if(|at| *at <= now) {
            Some(_) => self.machine_answered(now),
            None => conversation.answering.long_winded = true,
        }
    }

    /// It is a machine, and the voice has not said so.
    fn machine_answered(&mut self, now: Timestamp) {
        let Some(conversation) = self.conversation() else { return };
        if let Phase::AwaitingBeep { .. } | Phase::Parting(_) = conversation.phase {
            return;
        }
        self.answered_by(AnsweredBy::Voicemail);
        self.treat_voicemail(now);
    }

    fn treat_voicemail(&mut self, now: Timestamp) {
        // A machine is nobody to be connected with.
        self.cancel_handoff(now);
        match self.brief.voicemail.clone() {
            Voicemail::HangUp => {
                self.claim(voicemail("Voicemail answered; no message was left."));
                self.hang_up(now, EndReason::VoiceVoicemail);
            }
            Voicemail::LeaveMessage(message) => self.await_beep(now, message.into()),
        }
    }

    /// If nobody said that it was a machine, whoever spoke counts as a person; what says nothing, and lets us wait or
    /// takes keys, as a phone system.
    pub(super) fn tell_answered_by(&mut self) {
        if self.answered_by.is_none() {
            self.answered_by(match (self.turns.remote_spoke(), self.is_system) {
                (true, _) => AnsweredBy::Human,
                (false, true) => AnsweredBy::Menu,
                (false, false) => AnsweredBy::Unknown,
            });
        }
    }

    pub(super) fn answered_by(&mut self, answered_by: AnsweredBy) {
        if self.answered_by.replace(answered_by) == Some(answered_by) {
            return;
        }
        self.journal(Fact::AnsweredByDetected { answered_by });
    }

    pub(super) fn report_answered_by(&mut self, now: Timestamp, id: ToolCallId, answered_by: AnsweredBy) {
        const TOOL: &str = "report_voicemail";
        self.answered_by(answered_by);
        if answered_by == AnsweredBy::Menu {
            self.owe_disclosure();
        }
        let output = match (answered_by, &self.brief.voicemail) {
            (AnsweredBy::Voicemail, Voicemail::HangUp) => "noted; hanging up without a message",
            (AnsweredBy::Voicemail, Voicemail::LeaveMessage(_)) => {
                "noted; the message is left after the beep"
            }
            _ => return self.tool_answered(id, TOOL, "noted; go on", true),
        };
        self.tool_answered(id, TOOL, output, false);
        self.treat_voicemail(now);
    }

    /// Not a word until the beep: the machine is not recording yet.
    fn await_beep(&mut self, now: Timestamp, message: Words) {
        let patience = self.limits.beep;
        let Some(conversation) = self.conversation() else { return };
        if let Phase::AwaitingBeep { .. } | Phase::Parting(_) = conversation.phase {
            return;
        }
        let beeped = conversation.answering.beep_at.is_some_and(|at| now.since(at) < RECENT_BEEP);
        let until = if beeped { now } else { now + patience };
        self.enter(Phase::AwaitingBeep { until, message }, now);
        self.settle_silence();
        self.actions.push_back(Action::StopPlayout);
    }

    pub(super) fn beep_heard(&mut self, now: Timestamp) {
        if let Some(conversation) = self.conversation() {
            conversation.answering.beep_at = Some(now);
            if conversation.answering.is_suspicious() && self.answered_by != Some(AnsweredBy::Voicemail) {
                self.machine_answered(now);
            }
            self.leave_message(now);
        }
    }

    /// Leave the message that waited for the beep, if one did.
    pub(super) fn leave_message(&mut self, now: Timestamp) {
        let at_latest = now + self.limits.goodbye * 3;
        let Some(conversation) = self.conversation() else { return };
        let Phase::AwaitingBeep { message, .. } = &conversation.phase else { return };
        if conversation.held_since.is_some() {
            return;
        }
        let message = message.clone();
        conversation.phase = Phase::Parting(Parting::after_message(at_latest));
        self.settle_silence();
        // What was said before the beep is not on the machine: whoever listens to it must be told, too.
        self.speech(SpeechCommand::Open { say: Some(self.brief.disclosed(&message).into()) });
    }

    pub(super) fn leaves_message(&self) -> bool {
        let CallState::Connected(conversation) = &self.state else { return false };
        match &conversation.phase {
            Phase::AwaitingBeep { .. } => true,
            Phase::Parting(parting) => parting.message.is_some(),
            _ => false,
        }
    }

    /// All of it was played after the beep.
    pub(super) fn message_left(&mut self) {
        self.claim(voicemail("Voicemail answered; the message was left."));
    }

    /// The call ends: say what became of a message that was not told yet.
    pub(super) fn claim_message(&mut self) {
        let CallState::Connected(conversation) = &self.state else { return };
        let summary = match &conversation.phase {
            Phase::AwaitingBeep { .. } => "Voicemail answered; the call ended before a message was left.",
            Phase::Parting(Parting { message: Some(_), .. }) => {
                "Voicemail answered; the message may not have been left, or not all of it."
            }
            _ => return,
        };
        self.claim(voicemail(summary));
    }
}

fn voicemail(summary: &str) -> Claim {
    let blocker = BlockerClaim { kind: BlockerKind::Voicemail, what: summary.into(), quotes: Vec::new() };
    Claim { blocker: Some(blocker), ..Claim::new(TaskStatus::Blocked, summary) }
}
