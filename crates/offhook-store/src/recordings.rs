//! Where the recording of a call is, until when, and which files are still to be unlinked.
//!
//! A row and a file can't be removed in one step. So a removal first notes the path in `files_to_unlink`, in the
//! transaction that forgets the recording; the caller unlinks the file and says so with [`Store::unlinked`]. What a
//! crash left in between is in [`Store::files_to_unlink`] at the next start.

use std::path::PathBuf;

use offhook_core::{CallId, Timestamp};

use crate::batch::Batch;
use crate::db::{Row, Tx, params};
use crate::{Store, StoreError, path_from_text, path_text};

#[derive(Clone, Debug)]
pub struct NewRecording {
    pub path: PathBuf,
    pub bytes: u64,
    pub duration_ms: u32,
    pub created_at: Timestamp,
    /// `None`: as long as retention allows.
    pub expires_at: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingRow {
    /// `None` once it was removed.
    pub path: Option<PathBuf>,
    pub bytes: u64,
    pub duration_ms: u32,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub removed_at: Option<Timestamp>,
}

impl RecordingRow {
    /// Reads the columns that come with a call; `None` where there is no recording.
    pub(crate) fn of(row: &Row) -> Result<Option<Self>, StoreError> {
        let Some(bytes) = row.opt_number("bytes")? else {
            return Ok(None);
        };
        Ok(Some(Self {
            path: row.get::<Option<String>>("path")?.map(path_from_text),
            bytes,
            duration_ms: row.opt_number("duration_ms")?.unwrap_or(0),
            created_at: row.at("created_at")?,
            expires_at: row.opt_at("expires_at")?,
            removed_at: row.opt_at("removed_at")?,
        }))
    }
}

impl Store {
    /// Sets the recording of a call, in place of an earlier one. [`StoreError::Gone`] when the call was deleted: then
    /// the file must go too.
    pub async fn set_recording(&self, call: CallId, new: &NewRecording) -> Result<(), StoreError> {
        let batch = Batch { recordings: vec![(call, new.clone())], ..Batch::default() };
        let written = self.write(&batch).await?;
        if written.homeless.is_empty() { Ok(()) } else { Err(StoreError::Gone) }
    }

    /// The calls whose recordings are noted and not removed.
    pub async fn recorded_calls(&self) -> Result<Vec<CallId>, StoreError> {
        const SQL: &str = "SELECT call_id FROM recordings WHERE path IS NOT NULL";
        let rows = self.db.rows(SQL, vec![]).await?;
        rows.iter().map(|row| row.parsed("call_id", |id| id.parse().ok())).collect()
    }

    /// The files whose rows are gone and that nobody has reported as unlinked.
    pub async fn files_to_unlink(&self) -> Result<Vec<PathBuf>, StoreError> {
        let rows = self.db.rows("SELECT path FROM files_to_unlink ORDER BY path", vec![]).await?;
        rows.iter().map(|row| row.text("path").map(path_from_text)).collect()
    }

    /// These files are gone.
    pub async fn unlinked(&self, files: &[PathBuf]) -> Result<(), StoreError> {
        if files.is_empty() {
            return Ok(());
        }
        let mut tx = self.db.begin().await?;
        for path in files {
            tx.execute("DELETE FROM files_to_unlink WHERE path = $1", params![path_text(path)]).await?;
        }
        tx.commit().await?;
        self.scrub().await;
        Ok(())
    }
}

/// Sets the recording of a call, in place of an earlier one; false when there is no such call.
pub(crate) async fn set(tx: &mut Tx, call: CallId, new: &NewRecording) -> Result<bool, StoreError> {
    const REPLACED: &str = "INSERT INTO files_to_unlink (path) \
        SELECT path FROM recordings WHERE call_id = $1 AND path <> $2 ON CONFLICT (path) DO NOTHING";
    const KEPT: &str = "DELETE FROM files_to_unlink WHERE path = $1";
    const SET: &str = "INSERT INTO recordings (call_id, path, bytes, duration_ms, created_at, expires_at) \
        SELECT $1, $2, $3, $4, $5, $6 WHERE EXISTS (SELECT 1 FROM calls WHERE id = $1) \
        ON CONFLICT (call_id) DO UPDATE SET path = excluded.path, \
        bytes = excluded.bytes, duration_ms = excluded.duration_ms, created_at = excluded.created_at, \
        expires_at = excluded.expires_at, removed_at = NULL";
    let path = path_text(&new.path);
    let bytes = i64::try_from(new.bytes).unwrap_or(i64::MAX);
    let duration_ms = i64::from(new.duration_ms);
    let params = params![call, path.as_str(), bytes, duration_ms, new.created_at, new.expires_at];
    tx.execute(REPLACED, params![call, path.as_str()]).await?;
    if tx.execute(SET, params).await? == 0 {
        return Ok(false);
    }
    tx.execute(KEPT, params![path]).await?;
    Ok(true)
}

/// Forgets where the recording of a call is, and notes the file for unlinking.
pub(crate) async fn remove(tx: &mut Tx, call: CallId, at: Timestamp) -> Result<Option<PathBuf>, StoreError> {
    const REMOVE: &str = "UPDATE recordings SET path = NULL, removed_at = $2 WHERE call_id = $1";
    let path = doom(tx, call).await?;
    if path.is_some() {
        tx.execute(REMOVE, params![call, at]).await?;
    }
    Ok(path)
}

/// Notes the file of a call for unlinking.
pub(crate) async fn doom(tx: &mut Tx, call: CallId) -> Result<Option<PathBuf>, StoreError> {
    const FIND: &str = "SELECT path FROM recordings WHERE call_id = $1 AND path IS NOT NULL";
    const DOOM: &str = "INSERT INTO files_to_unlink (path) VALUES ($1) ON CONFLICT (path) DO NOTHING";
    let Some(row) = tx.row(FIND, params![call]).await? else {
        return Ok(None);
    };
    let path = row.text("path")?;
    tx.execute(DOOM, params![path.as_str()]).await?;
    Ok(Some(path_from_text(path)))
}
