//! Waiting for a person to come back.

use std::time::Duration;

use super::state::Phase;
use super::{Call, HoldSound, ToolCallId};
use crate::journal::{Fact, HoldBy};
use crate::time::Timestamp;

/// How a call has waited so far.
#[derive(Debug, Default)]
pub(super) struct Hold {
    /// In holds that are over.
    spent: Duration,
}

impl Hold {
    /// Of all the waiting that is allowed, what is left.
    pub fn left(&self, budget: Duration) -> Duration {
        budget.saturating_sub(self.spent)
    }
}

impl Call {
    pub(super) fn wait_on_hold(&mut self, now: Timestamp, id: ToolCallId) {
        const TOOL: &str = "wait_on_hold";
        let Some(conversation) = self.conversation() else { return };
        match conversation.phase {
            Phase::Opening(_) | Phase::Talking => {
                self.enter(Phase::OnHold { since: now, by: HoldBy::Voice }, now);
                self.journal(Fact::HoldStarted { by: HoldBy::Voice });
            }
            Phase::OnHold { .. } => {}
            Phase::Listening { .. } | Phase::AwaitingBeep { .. } | Phase::Parting(_) => {
                return self.tool_answered(id, TOOL, "noted; there is nothing to wait for now", false);
            }
        }
        self.owe_disclosure();
        self.tool_answered(id, TOOL, "on hold; stay silent until a person speaks to you", false);
    }

    pub(super) fn sound_heard(&mut self, _now: Timestamp, _sound: HoldSound) {}
}
