//! The tools of the voice, and the one that ends the call.

use super::state::{CallState, Parting, Phase};
use super::{Call, Claim, SpeechCommand, ToolCall, ToolCallId};
use crate::end::EndReason;
use crate::journal::{Fact, TaskStatus};
use crate::time::Timestamp;

impl Call {
    pub(super) fn tool_called(&mut self, now: Timestamp, id: ToolCallId, tool: ToolCall) {
        match (&self.state, tool) {
            (CallState::Connected(_), tool) => self.use_tool(now, id, tool),
            // What became of the task may be told a moment after the other side has hung up.
            (CallState::Ending(_), ToolCall::EndCall { result: Some(claim), .. }) => self.voice_claims(claim),
            _ => {}
        }
    }

    fn use_tool(&mut self, now: Timestamp, id: ToolCallId, tool: ToolCall) {
        self.journal(Fact::ToolCalled { tool: tool.name().to_owned(), arguments: tool.arguments() });
        if let Some(why) = self.refused_before_pin(&tool) {
            return self.tool_answered(id, tool.name(), why, false);
        }
        if self.awaits_decision() && !is_beside_decision(&tool) {
            return self.refuse_beside_decision(id, tool.name());
        }
        match tool {
            ToolCall::EndCall { reason: _, result } => self.end_call(now, result),
            ToolCall::SendDigits { digits } => self.send_digits(now, id, &digits),
            ToolCall::ReportVoicemail { kind } => self.report_answered_by(now, id, kind),
            ToolCall::WaitOnHold => self.wait_on_hold(now, id),
            ToolCall::AskOwner { question } => self.ask_owner(now, id, &question),
            ToolCall::LoopInUser { reason } => self.loop_in_user(now, id, reason),
            ToolCall::UserDecides { joins } => self.user_decides(now, id, joins),
            ToolCall::InvokeAgent { agent, prompt } => self.invoke_agent(now, id, agent, prompt),
            ToolCall::InvokeAgentAsync { agent, prompt } => self.invoke_agent_async(now, id, agent, prompt),
            ToolCall::CheckAgentTask { task_id } => self.check_agent_task(id, &task_id),
            ToolCall::Decide { approve } => self.voice_decides(now, id, approve),
            ToolCall::TakeMessage { name, message, call_back } => {
                self.take_message(id, name, message, call_back)
            }
            ToolCall::ReportSpam => self.report_spam(now, id),
            ToolCall::Invalid { name, why, .. } => self.tool_answered(id, &name, &why, true),
        }
    }

    pub(super) fn tool_answered(&mut self, id: ToolCallId, tool: &str, output: &str, respond: bool) {
        self.journal(Fact::ToolAnswered { tool: tool.to_owned(), output: output.to_owned() });
        self.speech(SpeechCommand::ToolOutput { id, output: output.to_owned(), respond });
    }

    /// The voice is done: let its last words play, then hang up.
    fn end_call(&mut self, now: Timestamp, result: Option<Box<Claim>>) {
        if self.leaves_message() {
            // What becomes of the message is the result, and the call ends after it.
            return;
        }
        self.give_up_question();
        self.cancel_handoff(now);
        self.voice_claims(result.unwrap_or_else(|| {
            Box::new(Claim::new(TaskStatus::Unclear, "The voice ended the call without a result."))
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
}

/// What a voice may do while somebody decides.
fn is_beside_decision(tool: &ToolCall) -> bool {
    matches!(
        tool,
        ToolCall::Decide { .. }
            | ToolCall::EndCall { .. }
            | ToolCall::ReportVoicemail { .. }
            | ToolCall::Invalid { .. }
    )
}
