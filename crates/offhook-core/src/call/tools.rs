//! Turn-taking and the tools of the voice: barge-in, keypresses, hold, voicemail, ending.

use std::time::Duration;

use super::state::{Goodbye, OpeningState};
use super::{Action, Call, CallState, LegCommand, SpeechCommand, TaskReport, ToolCall, ToolCallId};
use crate::audio::Digit;
use crate::brief::Voicemail;
use crate::end::EndReason;
use crate::journal::{AnsweredBy, Fact, TaskStatus};
use crate::time::Timestamp;

/// A beep this long ago was the machine's: it takes a moment to understand that one is talking to a machine.
const RECENT_BEEP: Duration = Duration::from_secs(10);

/// Keys and pauses in one `send_digits`.
const MAX_DIGITS: usize = 64;

impl Call {
    /// The remote began to speak. Whatever the voice was saying stops at once, except its first sentence.
    pub(super) fn remote_speech_started(&mut self, now: Timestamp) {
        self.remote_is_there(now);
        let Some(conversation) = self.conversation() else { return };
        conversation.remote_speaking = true;
        let protected = conversation.opening == OpeningState::Speaking || conversation.goodbye.is_some();
        if conversation.voice_speaking && !protected {
            self.actions.push_back(Action::StopPlayout);
        }
    }

    pub(super) fn remote_speech_stopped(&mut self, now: Timestamp) {
        self.remote_is_there(now);
        let Some(conversation) = self.conversation() else { return };
        conversation.remote_speaking = false;
        // They said hello: now it is our turn.
        if let OpeningState::Listening { .. } = conversation.opening {
            self.open(now);
        }
    }

    pub(super) fn voice_started(&mut self, now: Timestamp) {
        let Some(conversation) = self.conversation() else { return };
        conversation.voice_speaking = true;
        if let Some(goodbye) = &mut conversation.goodbye {
            goodbye.by = goodbye.at_latest;
        }
        if conversation.held_since.is_none()
            && let Some(since) = conversation.on_hold_since.take()
        {
            let waited_ms = now.since(since).as_millis().min(u32::MAX.into()) as u32;
            self.journal(Fact::HoldEnded { waited_ms });
        }
    }

    pub(super) fn voice_finished(&mut self, now: Timestamp) {
        let question = self.limits.silence / 2;
        let Some(conversation) = self.conversation() else { return };
        conversation.voice_speaking = false;
        // The question whether anybody is there is no answer to it.
        conversation.quiet_since = if conversation.asked_if_there { now - question } else { now };
        if conversation.opening == OpeningState::Speaking {
            conversation.opening = OpeningState::Done;
        }
    }

    /// Something was said to its end; with a goodbye pending, those were the last words. What was cut off for them
    /// was not.
    pub(super) fn said_goodbye(&mut self, now: Timestamp) {
        let Some(conversation) = self.conversation() else { return };
        if let Some(goodbye) = &mut conversation.goodbye {
            goodbye.by = goodbye.at_latest.min(now + Self::TAIL);
        }
    }

    pub(super) fn tool_called(&mut self, now: Timestamp, id: ToolCallId, tool: ToolCall) {
        match (&self.state, tool) {
            (CallState::Connected(_), tool) => self.use_tool(now, id, tool),
            // What became of the task may be told a moment after the other side has hung up.
            (CallState::Ending(_), ToolCall::EndCall { result: Some(report), .. }) => self.report(report),
            _ => {}
        }
    }

    fn use_tool(&mut self, now: Timestamp, id: ToolCallId, tool: ToolCall) {
        self.journal(Fact::ToolCalled { tool: tool.name().to_owned(), arguments: tool.arguments() });
        match tool {
            ToolCall::EndCall { reason: _, result } => self.end_call(now, result),
            ToolCall::SendDigits { digits } => self.send_digits(id, digits),
            ToolCall::ReportVoicemail { kind } => self.report_answered_by(now, id, kind),
            ToolCall::WaitOnHold => self.wait_on_hold(now, id),
            ToolCall::Invalid { name, why, .. } => self.tool_answered(id, &name, &why, true),
        }
    }

    fn tool_answered(&mut self, id: ToolCallId, tool: &str, output: &str, respond: bool) {
        self.journal(Fact::ToolAnswered { tool: tool.to_owned(), output: output.to_owned() });
        self.speech(SpeechCommand::ToolOutput { id, output: output.to_owned(), respond });
    }

    /// The voice is done: let its last words play, then hang up.
    fn end_call(&mut self, now: Timestamp, result: Option<TaskReport>) {
        let report = result.unwrap_or(TaskReport {
            status: TaskStatus::Unclear,
            summary: "The voice ended the call without a result.".to_owned(),
            evidence_turns: Vec::new(),
        });
        self.report(report);
        self.say_goodbye(now, EndReason::VoiceFinished);
    }

    /// Evidence that names no turn of this call is no evidence.
    fn report(&mut self, mut report: TaskReport) {
        if self.reported {
            return;
        }
        self.reported = true;
        let last = self.turns.last();
        report.evidence_turns.retain(|turn| (1..=last).contains(turn));
        let TaskReport { status, summary, evidence_turns } = report;
        self.journal(Fact::Result { status, summary, evidence_turns });
    }

    /// Hang up for `reason` once nothing is being said any more.
    fn say_goodbye(&mut self, now: Timestamp, reason: EndReason) {
        let longest = self.limits.goodbye;
        let Some(conversation) = self.conversation() else { return };
        if conversation.goodbye.is_some() {
            return;
        }
        // The last words may have come with the wish to end the call, and not have begun to play.
        let wait = if conversation.voice_speaking { longest } else { Self::TAIL };
        conversation.goodbye = Some(Goodbye { reason, by: now + wait, at_latest: now + longest });
    }

    fn send_digits(&mut self, id: ToolCallId, digits: String) {
        let valid = |key: char| matches!(key, 'w' | 'W' | ',') || Digit::from_char(key).is_some();
        if digits.is_empty() || digits.len() > MAX_DIGITS || !digits.chars().all(valid) {
            let why = "not sent: digits are 0-9 * # A-D, w for a pause of half a second, W for one second";
            return self.tool_answered(id, "send_digits", why, true);
        }
        let Some(conversation) = self.conversation() else { return };
        if conversation.sending_digits.is_some() {
            return self.tool_answered(
                id,
                "send_digits",
                "not sent: the digits before are still being sent",
                false,
            );
        }
        let digits = digits.replace(',', "w");
        conversation.sending_digits = Some((id, digits.clone()));
        self.actions.push_back(Action::Leg(LegCommand::SendDigits(digits)));
    }

    /// After keys the voice listens: a menu answers them, and talking over it loses the answer.
    pub(super) fn digits_sent(&mut self, now: Timestamp) {
        self.remote_is_there(now);
        let Some((id, digits)) =
            self.conversation().and_then(|conversation| conversation.sending_digits.take())
        else {
            return;
        };
        self.journal(Fact::DigitsSent { digits });
        self.tool_answered(id, "send_digits", "sent; now listen to what the menu says", false);
    }

    fn report_answered_by(&mut self, now: Timestamp, id: ToolCallId, answered_by: AnsweredBy) {
        self.answered_by(answered_by);
        if answered_by != AnsweredBy::Voicemail {
            return self.tool_answered(id, "report_voicemail", "noted; go on", true);
        }
        match &self.brief.voicemail {
            Voicemail::HangUp => {
                self.tool_answered(id, "report_voicemail", "noted; hanging up without a message", false);
                self.report_voicemail_result("Voicemail answered; no message was left.");
                self.hang_up(now, EndReason::VoiceVoicemail);
            }
            Voicemail::LeaveMessage(_) => {
                self.tool_answered(
                    id,
                    "report_voicemail",
                    "noted; the message is left after the beep",
                    false,
                );
                let by = now + self.limits.beep;
                if let Some(conversation) = self.conversation() {
                    let beeped = conversation.beep_at.is_some_and(|at| now.since(at) < RECENT_BEEP);
                    conversation.beep_by = Some(if beeped { now } else { by });
                    // Not a word until the beep: the machine is not recording yet.
                    self.speech(SpeechCommand::Suspend);
                    self.actions.push_back(Action::StopPlayout);
                }
            }
        }
    }

    fn report_voicemail_result(&mut self, summary: &str) {
        self.report(TaskReport {
            status: TaskStatus::Blocked,
            summary: summary.to_owned(),
            evidence_turns: Vec::new(),
        });
    }

    pub(super) fn handle_beep(&mut self, now: Timestamp) {
        let Some(conversation) = self.conversation() else { return };
        conversation.beep_at = Some(now);
        if conversation.beep_by.is_some() {
            self.leave_message(now);
        }
    }

    pub(super) fn leave_message(&mut self, now: Timestamp) {
        let Voicemail::LeaveMessage(text) = self.brief.voicemail.clone() else { return };
        let at_latest = now + self.limits.goodbye * 3;
        let Some(conversation) = self.conversation() else { return };
        conversation.beep_by = None;
        conversation.goodbye = Some(Goodbye { reason: EndReason::VoiceVoicemail, by: at_latest, at_latest });
        self.report_voicemail_result("Voicemail answered; the message was left.");
        self.speech(SpeechCommand::Resume);
        // What was said before the beep is not on the machine: whoever listens to it must be told, too.
        let text = match self.brief.disclosure.sentence() {
            Some(disclosure) => format!("{disclosure} {text}"),
            None => text,
        };
        self.speech(SpeechCommand::Say { text });
    }

    fn wait_on_hold(&mut self, now: Timestamp, id: ToolCallId) {
        let Some(conversation) = self.conversation() else { return };
        if conversation.on_hold_since.is_none() {
            conversation.on_hold_since = Some(now);
            self.journal(Fact::HoldStarted {});
        }
        let advice = "on hold; stay silent until a person speaks to you";
        self.tool_answered(id, "wait_on_hold", advice, false);
    }
}
