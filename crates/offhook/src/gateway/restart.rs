//! On start every call that was live is hung up at the far end and finalized with what was written. Nothing is ever
//! dialled again.

use futures_util::{StreamExt as _, stream};
use offhook_carrier::Released;
use offhook_core::journal::{Part, Release};
use offhook_core::{EndReason, Fact, JournalEntry};
use offhook_store::{CallRow, Direction, StoreError};
use tokio::sync::broadcast;

use super::Gateway;
use crate::clock;
use crate::writer::ended;

/// Calls hung up at a time.
const AT_ONCE: usize = 256;

impl Gateway {
    /// Finalize the calls a previous process left unfinished; how many there were.
    pub async fn reconcile(&self) -> Result<usize, StoreError> {
        self.inner.store.create_owner(Self::operator(), clock::now()).await?;
        let mut unfinished = self.inner.store.unfinished().await?;
        // Those that wait for their time were not begun; they wait on.
        unfinished.retain(|call| !call.ties.waits);
        // Together: a trunk that does not answer must not hold the start up for each call in turn.
        let calls = stream::iter(&unfinished);
        calls.for_each_concurrent(AT_ONCE, |call| self.finalize_or_tell(call)).await;
        self.end_campaigns().await?;
        self.end_approvals().await?;
        if !unfinished.is_empty() {
            tracing::warn!(
                calls = unfinished.len(),
                "calls of a process that stopped unexpectedly were finalized"
            );
        }
        Ok(unfinished.len())
    }

    /// One call that can't be read must not keep offhook from starting.
    async fn finalize_or_tell(&self, call: &CallRow) {
        if let Err(error) = self.finalize(call).await {
            tracing::error!(call_id = %call.id, %error, "a call was not finalized; the next start tries again");
        }
    }

    async fn finalize(&self, call: &CallRow) -> Result<(), StoreError> {
        let journal = self.inner.store.journal(call.id, 0).await?;
        let (released, user_left_over) =
            futures_util::join!(self.release(call.direction, &journal), self.release_user(&journal));
        // Not the last one that was read: a newer version may have written facts that this one skips.
        let last_seq = self.inner.store.last_seq(call.id).await?;
        // The call ended when it was last heard of, as far as anybody can tell.
        let ended_at = journal.last().map_or(call.queued_at, |entry| entry.at);
        let (feed, _) = broadcast::channel(1);
        let mut journal = self.inner.engine.writer().journal(call.id, last_seq, feed);
        if let Some(released) = released {
            journal.write(ended_at, released);
        }
        if let Some(message) = user_left_over {
            let code = "user_not_released".to_owned();
            journal.write(ended_at, Fact::Problem { part: Part::Leg, code, message });
        }
        if self.inner.engine.recorder().recover(call.id) {
            let message =
                "the recording was closed after a restart; it ends where the process stopped".to_owned();
            let code = "recovered".to_owned();
            journal.write(ended_at, Fact::Problem { part: Part::Recording, code, message });
        }
        self.inner.engine.recorder().keep(call.id).await;
        journal.write(ended_at, ended(EndReason::GatewayRestarted, call.answered_at, ended_at));
        journal.close().await;
        Ok(())
    }

    /// Hang up what may still be up; `None` where there was nothing to answer.
    async fn release(&self, direction: Direction, journal: &[JournalEntry]) -> Option<Fact> {
        let ticket = journal.iter().rev().find_map(|entry| match &entry.fact {
            Fact::Ticket { ticket } => Some(ticket),
            _ => None,
        });
        let released = match ticket {
            Some(ticket) => self.inner.engine.carrier().release(ticket).await,
            None => {
                let dialled =
                    |entry: &JournalEntry| matches!(entry.fact, Fact::Dialing { .. } | Fact::Answered { .. });
                let why = match direction {
                    _ if journal.iter().any(dialled) => {
                        "the process stopped before it could write down how to hang up"
                    }
                    // What is dialled is written down a moment later.
                    Direction::Outbound => "the process stopped before it wrote down whether it had dialled",
                    Direction::Inbound => return None,
                };
                Released::Unknown { why: why.to_owned() }
            }
        };
        let (how, detail) = match released {
            Released::Gone => (Release::Gone, None),
            Released::Unreachable { why } => (Release::Unreachable, Some(why)),
            Released::Unknown { why } => (Release::Unknown, Some(why)),
        };
        Some(Fact::Released { how, detail })
    }

    /// Hang up the user to whom the call was handed over; why that may not have worked.
    async fn release_user(&self, journal: &[JournalEntry]) -> Option<String> {
        let ticket = journal.iter().rev().find_map(|entry| match &entry.fact {
            Fact::HandoffTicket { ticket } => Some(ticket),
            _ => None,
        });
        match self.inner.engine.carrier().release(ticket?).await {
            Released::Gone => None,
            Released::Unreachable { why } | Released::Unknown { why } => Some(why),
        }
    }
}
