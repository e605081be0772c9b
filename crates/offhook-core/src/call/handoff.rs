//! The user on a second leg: dialled while the first is kept company, introduced or not, and joined to the remote.

use super::state::{CallState, Due};
use super::{Call, Input, LegEvent, ToolCallId};
use crate::brief::Introduction;
use crate::end::EndReason;
use crate::policy::HandoffAllow;
use crate::time::Timestamp;
use crate::words::Words;

/// How far the user has come into the call.
#[derive(Debug, Default)]
pub(super) enum Handoff {
    #[default]
    Off,
}

/// Remote and user talk to each other.
#[derive(Debug)]
pub struct Bridge {
    pub(super) cut_off_at: Timestamp,
}

impl Handoff {
    pub fn next(&self) -> Option<(Timestamp, Due)> {
        None
    }
}

impl Bridge {
    pub(super) fn next(&self) -> (Timestamp, Due) {
        (self.cut_off_at, Due::HangUp(EndReason::PolicyTalkLimit))
    }
}

const NOBODY: &str = "nobody can be connected on this call; say so, and offer a call back";

impl Call {
    pub(super) fn loop_in_user(&mut self, _now: Timestamp, id: ToolCallId, _reason: Words) {
        self.tool_answered(id, "loop_in_user", NOBODY, true);
    }

    pub(super) fn user_decides(&mut self, _now: Timestamp, id: ToolCallId, _joins: bool) {
        self.tool_answered(id, "user_decides", "nobody was asked to join", false);
    }

    pub(super) fn owner_hands_over(
        &mut self,
        _now: Timestamp,
        _to: HandoffAllow,
        _introduction: Option<Introduction>,
    ) {
    }

    pub(super) fn handoff_due(&mut self, _now: Timestamp) {}

    pub(super) fn handle_second(&mut self, now: Timestamp, event: LegEvent) {
        let over = matches!(
            event,
            LegEvent::Failed(_) | LegEvent::HungUp { .. } | LegEvent::Closed | LegEvent::Lost
        );
        if over && matches!(self.state, CallState::Ending(_)) {
            self.closed(now, |open| open.second = false);
        }
    }

    /// Whatever comes while remote and user talk to each other.
    pub(super) fn handle_bridged(&mut self, now: Timestamp, _input: Input) {
        self.check_deadlines(now);
    }

    /// The call ends: whether there is a second leg, which is told so.
    pub(super) fn hang_up_second(&mut self, _reason: EndReason) -> bool {
        false
    }
}
