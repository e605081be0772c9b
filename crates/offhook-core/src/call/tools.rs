//! The tools of the voice: keypresses, hold, voicemail, ending.

use std::time::Duration;

use super::state::{CallState, Parting, Phase};
use super::steer::{Sending, are_keys};
use super::{Action, Call, Claim, SpeechCommand, ToolCall, ToolCallId};
use crate::brief::Voicemail;
use crate::end::EndReason;
use crate::journal::{AnsweredBy, Fact, TaskStatus};
use crate::time::Timestamp;
use crate::words::Words;

/// A beep this long ago was the machine's: it takes a moment to understand that one is talking to a machine.
const RECENT_BEEP: Duration = Duration::from_secs(10);

/// Told to the voice when its owner pressed keys.
const PRESSED: &str = "Keys were pressed for you just now. Listen to what answers them.";

impl Call {
    pub(super) fn tool_called(&mut self, now: Timestamp, id: ToolCallId, tool: ToolCall) {
        match (&self.state, tool) {
            (CallState::Connected(_), tool) => self.use_tool(now, id, tool),
            // What became of the task may be told a moment after the other side has hung up.
            (CallState::Ending(_), ToolCall::EndCall { result: Some(claim), .. }) => self.claim(claim),
            _ => {}
        }
    }

    fn use_tool(&mut self, now: Timestamp, id: ToolCallId, tool: ToolCall) {
        self.journal(Fact::ToolCalled { tool: tool.name().to_owned(), arguments: tool.arguments() });
        match tool {
            ToolCall::EndCall { reason: _, result } => self.end_call(now, result),
            ToolCall::SendDigits { digits } => self.send_digits(id, &digits),
            ToolCall::ReportVoicemail { kind } => self.report_answered_by(now, id, kind),
            ToolCall::WaitOnHold => self.wait_on_hold(now, id),
            ToolCall::AskOwner { question } => self.ask_owner(now, id, &question),
            ToolCall::Invalid { name, why, .. } => self.tool_answered(id, &name, &why, true),
        }
    }

    pub(super) fn tool_answered(&mut self, id: ToolCallId, tool: &str, output: &str, respond: bool) {
        self.journal(Fact::ToolAnswered { tool: tool.to_owned(), output: output.to_owned() });
        self.speech(SpeechCommand::ToolOutput { id, output: output.to_owned(), respond });
    }

    /// The voice is done: let its last words play, then hang up.
    fn end_call(&mut self, now: Timestamp, result: Option<Claim>) {
        if self.leaves_message() {
            // What becomes of the message is the result, and the call ends after it.
            return;
        }
        self.give_up_question();
        self.claim(result.unwrap_or_else(|| Claim {
            status: TaskStatus::Unclear,
            summary: "The voice ended the call without a result.".into(),
            quotes: Vec::new(),
        }));
        let longest = self.limits.goodbye;
        let Some(conversation) = self.conversation() else { return };
        if let Phase::Parting(_) = conversation.phase {
            return;
        }
        let speaking = conversation.voice_speaking;
        let parting = Parting::after_last_words(EndReason::VoiceFinished, speaking, longest, now);
        self.enter(Phase::Parting(parting), now);
    }

    fn send_digits(&mut self, id: ToolCallId, digits: &str) {
        const TOOL: &str = "send_digits";
        if !are_keys(digits) {
            let why = "not sent: digits are 0-9 * # A-D, w for a pause of half a second, W for one second";
            return self.tool_answered(id, TOOL, why, true);
        }
        let Some(conversation) = self.conversation() else { return };
        if conversation.sending.is_some() {
            let why = "not sent: the digits before are still being sent";
            return self.tool_answered(id, TOOL, why, false);
        }
        self.press(Some(id), digits);
    }

    /// After keys the voice listens: a menu answers them, and talking over it loses the answer.
    pub(super) fn digits_sent(&mut self, now: Timestamp) {
        self.remote_is_there(now);
        let sent = self.conversation().and_then(|conversation| conversation.sending.take());
        let Some(Sending { by, digits }) = sent else { return };
        self.journal(Fact::DigitsSent { digits: digits.into() });
        if self.answered_by == Some(AnsweredBy::Menu) {
            self.owe_disclosure();
        }
        match by {
            Some(id) => {
                self.tool_answered(id, "send_digits", "sent; now listen to what the menu says", false);
            }
            None => self.speech(SpeechCommand::Note { text: PRESSED.into(), respond: false }),
        }
    }

    fn report_answered_by(&mut self, now: Timestamp, id: ToolCallId, answered_by: AnsweredBy) {
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
        let beeped = conversation.beep_at.is_some_and(|at| now.since(at) < RECENT_BEEP);
        let until = if beeped { now } else { now + patience };
        self.enter(Phase::AwaitingBeep { until, message }, now);
        self.settle_silence();
        self.actions.push_back(Action::StopPlayout);
    }

    pub(super) fn beep_heard(&mut self, now: Timestamp) {
        if let Some(conversation) = self.conversation() {
            conversation.beep_at = Some(now);
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

    fn leaves_message(&self) -> bool {
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

    fn wait_on_hold(&mut self, now: Timestamp, id: ToolCallId) {
        const TOOL: &str = "wait_on_hold";
        let Some(conversation) = self.conversation() else { return };
        match conversation.phase {
            Phase::Opening(_) | Phase::Talking => {
                self.enter(Phase::OnHold { since: now }, now);
                self.journal(Fact::HoldStarted {});
            }
            Phase::OnHold { .. } => {}
            Phase::Listening { .. } | Phase::AwaitingBeep { .. } | Phase::Parting(_) => {
                return self.tool_answered(id, TOOL, "noted; there is nothing to wait for now", false);
            }
        }
        self.owe_disclosure();
        self.tool_answered(id, TOOL, "on hold; stay silent until a person speaks to you", false);
    }
}

fn voicemail(summary: &str) -> Claim {
    Claim { status: TaskStatus::Blocked, summary: summary.into(), quotes: Vec::new() }
}
