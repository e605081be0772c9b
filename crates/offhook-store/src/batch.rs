//! Everything of many calls that waits to be written, in one transaction.
//!
//! A commit waits for the disk, whatever is in it: whoever writes for many calls gathers what has come up while the
//! last commit was under way, and writes that together.

use std::path::PathBuf;

use offhook_core::{CallId, JournalEntry, Timestamp};

use crate::calls::{self, InsertCallError, Inserted, NewCall};
use crate::db::Tx;
use crate::keys::{self, KeyId};
use crate::recordings::{self, NewRecording};
use crate::{Store, StoreError, journal};

/// What is written together. Writing it again, after an error that left open whether it was written, changes nothing.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    pub calls: Vec<NewCall>,
    /// Also of calls in [`Self::calls`].
    pub entries: Vec<(CallId, Vec<JournalEntry>)>,
    pub recordings: Vec<(CallId, NewRecording)>,
    /// When keys were used; an older instant than the one that is known changes nothing.
    pub key_uses: Vec<(KeyId, Timestamp)>,
}

/// What became of a batch.
#[derive(Debug, Default)]
pub struct Written {
    /// One for each of [`Batch::calls`], in the same order.
    pub calls: Vec<Result<Inserted, InsertCallError>>,
    /// The calls of [`Batch::entries`] that no longer exist, because their owner was deleted meanwhile; their facts
    /// are dropped, everybody else's are written.
    pub gone: Vec<CallId>,
    /// The files of [`Batch::recordings`] whose calls no longer exist: to be unlinked.
    pub homeless: Vec<PathBuf>,
}

impl Batch {
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
            && self.entries.is_empty()
            && self.recordings.is_empty()
            && self.key_uses.is_empty()
    }
}

impl Store {
    pub async fn write(&self, batch: &Batch) -> Result<Written, StoreError> {
        const ATTEMPTS: u32 = 3;
        for _ in 1..ATTEMPTS {
            match self.write_once(batch).await {
                // A row was deleted between the look and the write, or two writers crossed. Who was busy has waited already.
                Err(StoreError::Gone | StoreError::Crossed) => {}
                done => return done,
            }
        }
        self.write_once(batch).await
    }

    async fn write_once(&self, batch: &Batch) -> Result<Written, StoreError> {
        let mut tx = self.db.begin().await?;
        let written = write(&mut tx, batch).await?;
        tx.commit().await?;
        Ok(written)
    }
}

async fn write(tx: &mut Tx, batch: &Batch) -> Result<Written, StoreError> {
    let mut written = Written::default();
    for new in &batch.calls {
        written.calls.push(calls::insert(tx, new).await?);
    }
    let inserted = batch.calls.iter().zip(&written.calls);
    let first = inserted
        .filter(|(_, done)| matches!(done, Ok(Inserted::New)))
        .map(|(new, _)| (new.id, &new.entries[..]));
    let later = batch.entries.iter().map(|(call, entries)| (*call, &entries[..]));
    written.gone = journal::write(tx, first.chain(later)).await?;
    for (call, new) in &batch.recordings {
        if !recordings::set(tx, *call, new).await? {
            written.homeless.push(new.path.clone());
        }
    }
    for (key, at) in &batch.key_uses {
        keys::touch(tx, *key, *at).await?;
    }
    Ok(written)
}
