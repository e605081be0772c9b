//! What a call is told from outside, and its answer to that.

use std::collections::VecDeque;

use offhook_core::call::{Call, CallCommand, Input, NotNow};
use tokio::sync::oneshot;

/// A command, from somebody who may wait to hear whether it was taken.
#[derive(Debug)]
pub struct Order {
    pub command: CallCommand,
    /// The same key with the same command is the same order.
    pub key: Option<String>,
    pub answer: Option<oneshot::Sender<Result<Taken, NotTaken>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    Now,
    /// It was taken before; nothing was done.
    Before,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    #[error(transparent)]
    NotNow(#[from] NotNow),
    #[error("this Idempotency-Key was used for a different request; choose a new one")]
    KeyReused,
}

impl From<CallCommand> for Order {
    fn from(command: CallCommand) -> Self {
        Self { command, key: None, answer: None }
    }
}

/// The orders of one call that came with a key, the last ones.
#[derive(Debug, Default)]
pub(super) struct Orders {
    keyed: VecDeque<(String, CallCommand)>,
}

impl Orders {
    const REMEMBERED: usize = 64;

    /// Have the call told, and whoever asked; the input for the call, if there is anything to tell it.
    pub fn take(&mut self, order: Order, call: &Call) -> Option<Input> {
        let taken = self.look_at(&order, call);
        if let Some(answer) = order.answer {
            // Who does not wait any more need not know.
            let _ = answer.send(taken);
        }
        if taken != Ok(Taken::Now) {
            return None;
        }
        if let Some(key) = order.key {
            if self.keyed.len() == Self::REMEMBERED {
                self.keyed.pop_front();
            }
            self.keyed.push_back((key, order.command.clone()));
        }
        Some(Input::Command(order.command))
    }

    fn look_at(&self, order: &Order, call: &Call) -> Result<Taken, NotTaken> {
        let before = self.keyed.iter().find(|(key, _)| Some(key) == order.key.as_ref());
        match (before, call.refusal(&order.command)) {
            (Some((_, command)), _) if *command == order.command => Ok(Taken::Before),
            (Some(_), _) => Err(NotTaken::KeyReused),
            (None, Some(why)) => Err(why.into()),
            (None, None) => Ok(Taken::Now),
        }
    }
}
