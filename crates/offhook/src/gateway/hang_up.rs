//! Hanging up a call, at any time and as often as one likes.

use offhook_core::{CallId, EndReason, Outcome};

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
    /// Hang up a call of the caller's; repeat at will. A call that is live is hung up whatever the store does.
    pub async fn hang_up(&self, caller: Caller, id: CallId) -> Result<HungUp, CallError> {
        if let Some(hung_up) = self.hang_up_live(caller, id) {
            return Ok(hung_up);
        }
        let call = self.own_call(caller, id).await?;
        if let Some(end) = &call.end {
            return Ok(HungUp::AlreadyOver { answered: end.outcome == Outcome::Answered });
        }
        if call.ties.waits {
            let ended = self.end_waiting(&call, EndReason::OwnerCancelled, None).await;
            if ended.map_err(|_| CallError::Store)? {
                return Ok(HungUp::Cancelled);
            }
        }
        // It may be in the store already and about to start.
        self.settled().await;
        if let Some(hung_up) = self.hang_up_live(caller, id) {
            return Ok(hung_up);
        }
        // It ended meanwhile, or its end waits for the store.
        let call = self.own_call(caller, id).await?;
        Ok(HungUp::AlreadyOver { answered: call.answered_at.is_some() })
    }

    fn hang_up_live(&self, caller: Caller, id: CallId) -> Option<HungUp> {
        let told = self.inner.engine.hang_up(id, (!caller.admin).then_some(caller.owner))?;
        Some(if told.answered { HungUp::Ended } else { HungUp::Cancelled })
    }
}
