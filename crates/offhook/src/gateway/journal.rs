//! A call's journal as a stream: what was already written, then what comes, until the call ended.

use std::collections::VecDeque;

use offhook_core::{CallId, Fact, JournalEntry};
use offhook_store::Store;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::watch;

use super::{CallError, Caller, Gateway};

#[derive(Debug)]
pub struct JournalStream {
    call: CallId,
    store: Store,
    backlog: VecDeque<JournalEntry>,
    live: Option<broadcast::Receiver<JournalEntry>>,
    /// It waits for its time, and tells nothing until then.
    waits: Option<(Gateway, watch::Receiver<u64>)>,
    last_seq: u64,
    over: bool,
}

impl Gateway {
    /// The entries after `after_seq`; 0 is from the start.
    pub async fn journal(
        &self,
        caller: Caller,
        id: CallId,
        after_seq: u64,
    ) -> Result<JournalStream, CallError> {
        let begun = self.begun();
        let row = self.own_call(caller, id).await?;
        let waits = row.ties.waits.then(|| (self.clone(), begun));
        // Subscribe first and read second: what is written in between comes twice and is dropped by its number.
        let live = self.inner.engine.subscribe(id);
        let backlog = self.inner.store.journal(id, after_seq).await.map_err(|_| CallError::Store)?;
        Ok(JournalStream {
            call: id,
            store: self.inner.store.clone(),
            backlog: backlog.into(),
            live,
            waits,
            last_seq: after_seq,
            over: false,
        })
    }
}

impl JournalStream {
    /// The next entry; `None` after the call's last one.
    pub async fn next(&mut self) -> Option<JournalEntry> {
        loop {
            if let Some(entry) = self.backlog.pop_front() {
                if let Some(entry) = self.advance(entry) {
                    return Some(entry);
                }
                continue;
            }
            if self.over {
                return None;
            }
            if self.waits.is_some() {
                self.wait_for_begin().await?;
                continue;
            }
            match self.live.as_mut()?.recv().await {
                Ok(entry) => self.backlog.push_back(entry),
                // Too slow, or the session is gone: the store has it all.
                Err(RecvError::Lagged(_)) => self.read_again().await?,
                Err(RecvError::Closed) => {
                    self.live = None;
                    self.read_again().await?;
                }
            }
        }
    }

    /// Until the call waits no more; then there is something to read.
    async fn wait_for_begin(&mut self) -> Option<()> {
        let (gateway, begun) = self.waits.as_mut()?;
        let row = self.store.call(self.call).await.ok()??;
        if row.ties.waits {
            return begun.changed().await.ok();
        }
        // What it tells from now on, and what it told before.
        self.live = gateway.inner.engine.subscribe(self.call);
        self.waits = None;
        self.read_again().await
    }

    async fn read_again(&mut self) -> Option<()> {
        self.backlog = self.store.journal(self.call, self.last_seq).await.ok()?.into();
        Some(())
    }

    fn advance(&mut self, entry: JournalEntry) -> Option<JournalEntry> {
        if entry.seq <= self.last_seq {
            return None;
        }
        self.last_seq = entry.seq;
        self.over = matches!(entry.fact, Fact::Ended { .. });
        Some(entry)
    }
}
