//! PINs, taken out of everything that leaves a call, whatever the operator wants masked otherwise.

use std::cell::Cell;

use super::masking::{KEY_MS, MARGIN_MS, Secret};
use super::state::{CallState, Phase};
use super::{Action, Call};
use crate::brief::Pin;
use crate::journal::{Fact, SecretKind};
use crate::mask;
use crate::time::Timestamp;

/// Numbers of one text that are held against the PIN, which takes a hash each while audio waits.
const LOOKS: u32 = 8;

/// Whether a number is the PIN; of many that are as long, those beyond the first few are hidden unseen.
fn may_be(pin: &Pin, digits: &str, looks: &Cell<u32>) -> bool {
    let left = looks.get();
    if digits.len() != pin.len() || left == 0 {
        return digits.len() == pin.len();
    }
    looks.set(left - 1);
    pin.is(digits)
}

impl Call {
    /// A key of a PIN: its tone may be on the recording.
    pub(super) fn hide_key(&mut self, now: Timestamp) {
        let to_ms = self.call_ms(now);
        let from_ms = to_ms.saturating_sub(KEY_MS);
        self.actions.push_back(Action::MaskRecording { from_ms, to_ms: to_ms + MARGIN_MS });
    }

    /// What is typed after the end of a PIN, or of the attempts to give it, is nobody's business either.
    pub(super) fn hides_keys(&self) -> bool {
        let CallState::Connected(conversation) = &self.state else { return false };
        matches!(conversation.phase, Phase::Parting(_)) && self.pin_in_use().is_some()
    }

    /// While a PIN is awaited every number of the remote's may be one, or nearly; at any other time only the PIN is.
    pub(super) fn hide_pin(&self, fact: &mut Fact) -> Option<Secret> {
        let awaited = self.awaits_pin() || self.awaits_decision();
        let pin = self.pin_in_use()?;
        let looks = Cell::new(LOOKS);
        let is_pin = |digits: &str| may_be(&pin, digits, &looks);
        match fact {
            Fact::RemoteSaid { turn, started_ms, ended_ms, text, .. } => {
                *text = mask::without_numbers(text, |digits| awaited || is_pin(digits))?;
                let kinds = vec![SecretKind::Code];
                return Some(Secret { turn: *turn, from_ms: *started_ms, to_ms: *ended_ms, kinds });
            }
            // A person may understand what a recognizer did not.
            Fact::NotUnderstood { turn, started_ms, ended_ms } if awaited => {
                let kinds = vec![SecretKind::Code];
                return Some(Secret { turn: *turn, from_ms: *started_ms, to_ms: *ended_ms, kinds });
            }
            Fact::VoiceSaid { text, .. }
            | Fact::ToolCalled { arguments: text, .. }
            | Fact::ToolAnswered { output: text, .. }
            | Fact::AgentAsked { prompt: text, .. }
            | Fact::OwnerAsked { question: text, .. }
            | Fact::MessageTaken { message: text, .. }
            | Fact::Result { summary: text, .. }
            | Fact::ResultItem { value: text, .. } => {
                *text = mask::without_numbers(text, is_pin)?;
            }
            _ => {}
        }
        None
    }

    fn pin_in_use(&self) -> Option<Pin> {
        let gate = self.brief.gate.as_ref().map(|gate| &gate.pin);
        let approval = self.brief.approval.as_ref().and_then(|approval| approval.pin.as_ref());
        gate.or(approval).or(self.hidden_pin.as_ref()).cloned()
    }
}
