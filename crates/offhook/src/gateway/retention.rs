//! What retention no longer allows: rows, words, files.
//!
//! The store knows which files are to go. What it does not know, because a process ended between writing a file and
//! noting it, is found by looking at the files themselves, at each start and with each purge.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use offhook_core::{CallId, DAY, Timestamp};
use offhook_store::{Retention, StoreError};

use super::Gateway;
use crate::clock;
use crate::config::RetentionDays;
use crate::recorder::RecordedFile;

impl Gateway {
    /// Delete what retention no longer allows. What fails is tried again the next time.
    pub async fn purge(&self, days: RetentionDays) {
        let now = clock::now();
        let before = |days: Option<u32>| days.map(|days| now - DAY * days);
        let retention = Retention {
            now,
            transcripts_before: before(days.transcripts),
            recordings_before: before(days.recordings),
            calls_before: before(days.calls),
        };
        if let Err(error) = self.settle_strays(&retention).await {
            tracing::error!(%error, "recordings could not be compared with the store; trying again in an hour");
        }
        match self.inner.store.purge(retention).await {
            Ok(purged) => self.unlink(purged.files).await,
            Err(error) => {
                tracing::error!(%error, "what has expired could not be deleted; trying again in an hour");
            }
        }
    }

    async fn unlink(&self, files: Vec<PathBuf>) {
        let gone: Vec<PathBuf> = files.into_iter().filter(|path| unlink(path)).collect();
        if let Err(error) = self.inner.store.unlinked(&gone).await {
            tracing::error!(%error, "deleted recordings could not be noted; they are tried again in an hour");
        }
    }

    /// Note the recordings that the store does not know of, and delete those that are past their time.
    async fn settle_strays(&self, retention: &Retention) -> Result<(), StoreError> {
        let recorder = self.inner.engine.recorder().clone();
        let files = tokio::task::spawn_blocking(move || recorder.files()).await.unwrap_or_default();
        let known: HashSet<CallId> = self.inner.store.recorded_calls().await?.into_iter().collect();
        for file in files.into_iter().filter(|file| !known.contains(&file.call)) {
            self.settle_stray(file, retention).await?;
        }
        Ok(())
    }

    async fn settle_stray(&self, file: RecordedFile, retention: &Retention) -> Result<(), StoreError> {
        let Some(call) = self.inner.store.call(file.call).await? else {
            // Whose call is gone. Or another database is in use than the one it was made with: it has its time.
            if past(file.written_at, retention) {
                unlink(&file.path);
            }
            return Ok(());
        };
        if call.finalized_at.is_none() {
            return Ok(());
        }
        if call.recording.is_some() {
            // Removed, says the store.
            unlink(&file.path);
            return Ok(());
        }
        tracing::warn!(call_id = %file.call, "a recording was not noted in the store; noted now");
        match self.inner.store.set_recording(file.call, &file.noted(clock::now())).await {
            Err(StoreError::Gone) | Ok(()) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Whether a recording that was written then would have been deleted, had the store known of it.
fn past(written_at: Timestamp, retention: &Retention) -> bool {
    let limits = [retention.recordings_before, retention.calls_before];
    limits.into_iter().flatten().any(|before| written_at < before)
}

/// Whether the file is gone.
fn unlink(path: &Path) -> bool {
    match std::fs::remove_file(path) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        Err(error) => {
            tracing::error!(%error, "a recording could not be deleted");
            false
        }
    }
}
