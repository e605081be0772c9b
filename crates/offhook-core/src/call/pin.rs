//! Who is on the line: a PIN, by keys or by voice, before the voice knows what the call is about.

use super::Call;
use super::state::Due;
use crate::audio::Digit;
use crate::time::Timestamp;

/// How far the PIN is.
#[derive(Debug, Default)]
pub(super) struct PinEntry {}

impl PinEntry {
    pub fn next(&self) -> Option<(Timestamp, Due)> {
        None
    }
}

impl Call {
    /// Whether keys are part of a PIN, which is written down nowhere.
    pub(super) fn awaits_pin(&self) -> bool {
        false
    }

    /// The first words were heard.
    pub(super) fn ask_for_pin(&mut self, _now: Timestamp) {}

    pub(super) fn pin_key(&mut self, _now: Timestamp, _digit: Digit) {}

    pub(super) fn pin_said(&mut self, _now: Timestamp, _text: &str) {}

    pub(super) fn pin_due(&mut self, _now: Timestamp) {}
}
