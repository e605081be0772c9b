//! One-time codes and card numbers, taken out of everything that leaves a call, where the operator wants that.
//!
//! All of it passes one place on its way to the journal, and is masked there: store, events, webhooks and results have
//! never seen it. The model and the conversation itself have, or they could not use it.

use super::{Action, Call};
use crate::audio::Digit;
use crate::journal::{Fact, SecretKind};
use crate::mask::{MASK, Masked, Masker};
use crate::time::Timestamp;

/// What the transcript's times may be off by, of a turn that is not to be heard.
pub(super) const MARGIN_MS: u32 = 300;
/// How long ago a key was begun that is reported now.
pub(super) const KEY_MS: u32 = 500;

/// A turn with a secret.
pub(super) struct Secret {
    pub turn: u32,
    pub from_ms: u32,
    pub to_ms: u32,
    pub kinds: Vec<SecretKind>,
}

impl Call {
    /// Write it down without its secrets, which the recording is to lose, too.
    pub(super) fn write_masked(&mut self, mut fact: Fact) {
        let hidden = self.hide_pin(&mut fact);
        let secret = hidden.or(self.masker.as_mut().and_then(|masker| mask(masker, &mut fact)));
        self.keep_said(&fact);
        self.actions.push_back(Action::Journal(fact));
        let Some(Secret { turn, from_ms, to_ms, kinds }) = secret else { return };
        let (from_ms, to_ms) = (from_ms.saturating_sub(MARGIN_MS), to_ms.saturating_add(MARGIN_MS));
        self.actions.push_back(Action::MaskRecording { from_ms, to_ms });
        for kind in kinds {
            self.actions.push_back(Action::Journal(Fact::Masked { turn, from_ms, to_ms, kind }));
        }
    }

    /// A key of the remote's, as it may be shown.
    pub(super) fn key_shown(&mut self, now: Timestamp, key: Digit) -> char {
        let to_ms = self.call_ms(now);
        if !self.masker.as_mut().is_some_and(Masker::typed) {
            return key.as_char();
        }
        // Its tone may be heard, too.
        let from_ms = to_ms.saturating_sub(KEY_MS);
        self.actions.push_back(Action::MaskRecording { from_ms, to_ms: to_ms + MARGIN_MS });
        MASK
    }
}

/// Mask the texts of a fact; the turn whose sound is to go with them, if it is one.
fn mask(masker: &mut Masker, fact: &mut Fact) -> Option<Secret> {
    match fact {
        Fact::RemoteSaid { turn, started_ms, ended_ms, text, .. }
        | Fact::VoiceSaid { turn, started_ms, ended_ms, text, .. } => {
            let kinds = replace(text, masker.said(text))?;
            Some(Secret { turn: *turn, from_ms: *started_ms, to_ms: *ended_ms, kinds })
        }
        // A person may understand what a recognizer did not.
        Fact::NotUnderstood { turn, started_ms, ended_ms } => {
            let kinds = vec![masker.expects()?];
            Some(Secret { turn: *turn, from_ms: *started_ms, to_ms: *ended_ms, kinds })
        }
        Fact::OwnerAsked { question: text, .. }
        | Fact::OwnerAnswered { answer: text, .. }
        | Fact::OwnerSaid { text }
        | Fact::OwnerInstructed { text } => {
            replace(text, masker.said(text));
            None
        }
        Fact::ToolCalled { tool, arguments } if tool == "send_digits" => {
            replace(arguments, masker.keyed(arguments));
            None
        }
        Fact::DigitsSent { digits } | Fact::OwnerPressed { digits } | Fact::MenuStuck { digits, .. } => {
            replace(digits, masker.keyed(digits));
            None
        }
        Fact::ToolCalled { arguments: text, .. }
        | Fact::ToolAnswered { output: text, .. }
        | Fact::AgentAsked { prompt: text, .. }
        | Fact::AgentAnswered { answer: text, .. }
        | Fact::MessageTaken { message: text, .. }
        | Fact::Result { summary: text, .. }
        | Fact::ResultItem { value: text, .. }
        | Fact::Problem { message: text, .. } => {
            replace(text, masker.noted(text));
            None
        }
        _ => None,
    }
}

fn replace(text: &mut String, masked: Option<Masked>) -> Option<Vec<SecretKind>> {
    let Masked { text: without, kinds } = masked?;
    *text = without;
    Some(kinds)
}
