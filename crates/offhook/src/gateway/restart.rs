//! On start every call that was live is finalized with what was written. Nothing is ever dialled again.

use offhook_core::journal::Part;
use offhook_core::{EndReason, Fact};
use offhook_store::{CallRow, StoreError};
use tokio::sync::broadcast;

use super::Gateway;
use crate::engine;

impl Gateway {
    /// Finalize the calls a previous process left unfinished; how many there were.
    pub async fn reconcile(&self) -> Result<usize, StoreError> {
        let unfinished = self.inner.store.unfinished().await?;
        for call in &unfinished {
            self.finalize(call).await?;
        }
        if !unfinished.is_empty() {
            tracing::warn!(
                calls = unfinished.len(),
                "calls of a process that stopped unexpectedly were finalized"
            );
        }
        Ok(unfinished.len())
    }

    async fn finalize(&self, call: &CallRow) -> Result<(), StoreError> {
        let journal = self.inner.store.journal(call.id, 0).await?;
        let last_seq = journal.last().map_or(0, |entry| entry.seq);
        // The call ended when it was last heard of, as far as anybody can tell.
        let ended_at = journal.last().map_or(call.queued_at, |entry| entry.at);
        let (feed, _) = broadcast::channel(1);
        let mut journal = self.inner.engine.writer().journal(call.id, last_seq, feed);
        if self.inner.engine.recorder().recover(call.id) {
            let message =
                "the recording was closed after a restart; it ends where the process stopped".to_owned();
            let code = "recovered".to_owned();
            journal.write(ended_at, Fact::Problem { part: Part::Recording, code, message });
        }
        self.inner.engine.recorder().keep(call.id).await;
        journal.write(ended_at, engine::ended(EndReason::GatewayRestarted, call.answered_at, ended_at));
        journal.close().await;
        Ok(())
    }
}
