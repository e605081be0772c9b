//! Callers who leave word, and callers nobody wants.

use super::{Call, ToolCallId};
use crate::time::Timestamp;
use crate::words::Words;

impl Call {
    pub(super) fn take_message(
        &mut self,
        id: ToolCallId,
        _name: Option<Words>,
        _message: Words,
        _call_back: Option<Words>,
    ) {
        self.tool_answered(id, "take_message", "no messages are taken on this call", true);
    }

    pub(super) fn report_spam(&mut self, _now: Timestamp, id: ToolCallId) {
        self.tool_answered(id, "report_spam", "say goodbye and use end_call", true);
    }
}
