//! Work that agents do for the voice while the conversation goes on.

use super::state::Due;
use super::{AgentEvent, Call, ToolCallId};
use crate::time::Timestamp;
use crate::words::Words;

/// What is under way.
#[derive(Debug, Default)]
pub(super) struct Delegation {}

impl Delegation {
    pub fn next(&self) -> Option<(Timestamp, Due)> {
        None
    }
}

const NOBODY: &str = "there is nobody to ask on this call; say that you do not have it at hand";

impl Call {
    pub(super) fn invoke_agent(
        &mut self,
        _now: Timestamp,
        id: ToolCallId,
        _agent: Option<Words>,
        _prompt: Words,
    ) {
        self.tool_answered(id, "invoke_agent", NOBODY, true);
    }

    pub(super) fn invoke_agent_async(
        &mut self,
        _now: Timestamp,
        id: ToolCallId,
        _agent: Option<Words>,
        _prompt: Words,
    ) {
        self.tool_answered(id, "invoke_agent_async", NOBODY, true);
    }

    pub(super) fn check_agent_task(&mut self, id: ToolCallId, _task_id: &str) {
        self.tool_answered(id, "check_agent_task", NOBODY, true);
    }

    pub(super) fn agent_reports(&mut self, _now: Timestamp, _event: AgentEvent) {}

    pub(super) fn agents_due(&mut self, _now: Timestamp) {}

    /// Nobody wants to know any more.
    pub(super) fn cancel_agents(&mut self) {}
}
