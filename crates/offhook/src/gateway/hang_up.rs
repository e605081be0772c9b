//! Hanging up a call, at any time and as often as one likes.

use offhook_core::call::CallCommand;
use offhook_core::{CallId, Outcome};

use super::{CallError, Caller, Gateway};

/// What hanging up did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HungUp {
    /// It was ringing or waiting; nobody had picked up.
    Cancelled,
    /// A conversation was ended.
    Ended,
    AlreadyOver {
        answered: bool,
    },
}

impl Gateway {
    /// Hang up a call of the caller's; repeat at will.
    pub async fn hang_up(&self, caller: Caller, id: CallId) -> Result<HungUp, CallError> {
        let call = self.own_call(caller, id).await?;
        if let Some(end) = &call.end {
            return Ok(HungUp::AlreadyOver { answered: end.outcome == Outcome::Answered });
        }
        if !self.inner.engine.command(id, CallCommand::HangUp) {
            // It may be in the store already and about to start.
            self.settled().await;
            self.inner.engine.command(id, CallCommand::HangUp);
        }
        Ok(if call.answered_at.is_some() { HungUp::Ended } else { HungUp::Cancelled })
    }
}
