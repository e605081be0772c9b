//! Keypresses: what is pressed is heard by a menu, which answers, and talking over the answer loses it.

use super::state::Due;
use super::{Action, Call, LegCommand, SpeechCommand, ToolCallId};
use crate::audio::Digit;
use crate::journal::{AnsweredBy, Fact};
use crate::time::Timestamp;
use crate::words::Words;

/// The keys pressed in a call.
#[derive(Debug, Default)]
pub(super) struct Menu {
    sending: Option<Sending>,
}

/// Keys that the leg has not sent yet.
#[derive(Debug)]
struct Sending {
    /// The tool call that wanted them; the owner did where there is none.
    by: Option<ToolCallId>,
    digits: Words,
}

impl Menu {
    pub fn next(&self) -> Option<(Timestamp, Due)> {
        None
    }

    pub fn is_sending(&self) -> bool {
        self.sending.is_some()
    }
}

/// Keys and pauses in one go.
const MAX_KEYS: usize = 64;

/// Told to the voice when its owner pressed keys.
const PRESSED: &str = "Keys were pressed for you just now. Listen to what answers them.";

/// Whether this is something to press: keys and pauses, and not too many.
pub fn are_keys(digits: &str) -> bool {
    let known = |key: char| matches!(key, 'w' | 'W' | ',') || Digit::from_char(key).is_some();
    !digits.is_empty() && digits.len() <= MAX_KEYS && digits.chars().all(known)
}

impl Call {
    pub(super) fn send_digits(&mut self, id: ToolCallId, digits: &str) {
        const TOOL: &str = "send_digits";
        if !are_keys(digits) {
            let why = "not sent: digits are 0-9 * # A-D, w for a pause of half a second, W for one second";
            return self.tool_answered(id, TOOL, why, true);
        }
        let Some(conversation) = self.conversation() else { return };
        if conversation.menu.is_sending() {
            let why = "not sent: the digits before are still being sent";
            return self.tool_answered(id, TOOL, why, false);
        }
        self.press(Some(id), digits);
    }

    /// Send keys, of which none are under way.
    pub(super) fn press(&mut self, by: Option<ToolCallId>, digits: &str) {
        let Some(conversation) = self.conversation() else { return };
        let digits = digits.replace(',', "w");
        conversation.menu.sending = Some(Sending { by, digits: digits.as_str().into() });
        self.actions.push_back(Action::Leg(LegCommand::SendDigits(digits)));
    }

    /// After keys the voice listens: a menu answers them, and talking over it loses the answer.
    pub(super) fn digits_sent(&mut self, now: Timestamp) {
        self.remote_is_there(now);
        let sent = self.conversation().and_then(|conversation| conversation.menu.sending.take());
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

    pub(super) fn menu_stuck(&mut self, _now: Timestamp) {}
}
