//! Asking somebody to approve an operation: it is read out, and keys or words decide, never the voice.

use super::state::Due;
use super::{Call, ToolCallId};
use crate::audio::Digit;
use crate::time::Timestamp;

/// How far the approval is.
#[derive(Debug, Default)]
pub(super) struct Approving {}

impl Approving {
    pub fn next(&self) -> Option<(Timestamp, Due)> {
        None
    }
}

impl Call {
    /// Whether keys decide.
    pub(super) fn awaits_decision(&self) -> bool {
        false
    }

    /// The first words were heard.
    pub(super) fn ask_for_approval(&mut self, _now: Timestamp) {}

    pub(super) fn approval_key(&mut self, _now: Timestamp, _digit: Digit) {}

    pub(super) fn decision_said(&mut self, _now: Timestamp, _text: &str) {}

    pub(super) fn voice_decides(&mut self, _now: Timestamp, id: ToolCallId, _approve: bool) {
        self.tool_answered(id, "decide", "there is nothing to decide on this call", true);
    }

    pub(super) fn approval_due(&mut self, _now: Timestamp) {}

    /// What is not decided when the call ends is declined.
    pub(super) fn settle_approval(&mut self) {}
}
