//! What picked up: a person, a machine, a menu. And what is left on a machine.

use std::time::Duration;

use super::state::{CallState, Due, Parting, Phase};
use super::{Action, Call, Claim, SpeechCommand, ToolCallId};
use crate::brief::Voicemail;
use crate::end::EndReason;
use crate::journal::{AnsweredBy, Fact, TaskStatus};
use crate::time::Timestamp;
use crate::words::Words;

/// What is known of whoever picked up.
#[derive(Debug, Default)]
pub(super) struct Answering {
    /// When a machine's beep was heard last: it may sound before anybody knows that it is a machine.
    beep_at: Option<Timestamp>,
}

impl Answering {
    pub fn next(&self) -> Option<(Timestamp, Due)> {
        None
    }
}

/// A beep this long ago was the machine's: it takes a moment to understand that one is talking to a machine.
const RECENT_BEEP: Duration = Duration::from_secs(10);

impl Call {
    pub(super) fn settle_answering(&mut self, _now: Timestamp) {}

    /// If nobody said that it was a machine, whoever spoke counts as a person.
    pub(super) fn tell_answered_by(&mut self) {
        if self.answered_by.is_none() {
            let spoke = self.turns.remote_spoke();
            self.answered_by(if spoke { AnsweredBy::Human } else { AnsweredBy::Unknown });
        }
    }

    pub(super) fn answered_by(&mut self, answered_by: AnsweredBy) {
        self.answered_by = Some(answered_by);
        self.journal(Fact::AnsweredByDetected { answered_by });
    }

    pub(super) fn report_answered_by(&mut self, now: Timestamp, id: ToolCallId, answered_by: AnsweredBy) {
        const TOOL: &str = "report_voicemail";
        self.answered_by(answered_by);
        if answered_by == AnsweredBy::Menu {
            self.owe_disclosure();
        }
        match (answered_by, self.brief.voicemail.clone()) {
            (AnsweredBy::Voicemail, Voicemail::HangUp) => {
                self.tool_answered(id, TOOL, "noted; hanging up without a message", false);
                self.claim(voicemail("Voicemail answered; no message was left."));
                self.hang_up(now, EndReason::VoiceVoicemail);
            }
            (AnsweredBy::Voicemail, Voicemail::LeaveMessage(message)) => {
                self.tool_answered(id, TOOL, "noted; the message is left after the beep", false);
                self.await_beep(now, message.into());
            }
            _ => self.tool_answered(id, TOOL, "noted; go on", true),
        }
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
    Claim::new(TaskStatus::Blocked, summary)
}
