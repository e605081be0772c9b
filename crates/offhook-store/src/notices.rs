//! Calls to our lines that somebody is told about once they are over.
//!
//! What is told, and where, is not stored: it is read when it is sent, and a process that takes over goes on there.

use offhook_core::{CallId, OwnerId, Timestamp};

use crate::db::params;
use crate::{Store, StoreError};

/// A notice that is not delivered yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenNotice {
    pub call: CallId,
    pub owner: OwnerId,
    /// Attempts in vain.
    pub tries: u32,
    /// Not before; `None` where there is nothing to wait for.
    pub next_at: Option<Timestamp>,
}

/// How a notice goes on after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeNext {
    Done,
    Again { at: Timestamp },
    GivenUp,
}

impl Store {
    /// Somebody is to be told of this call; once, however often it is said.
    pub async fn add_notice(&self, call: CallId) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO notices (call_id, state, tries) VALUES ($1, 'open', 0) \
            ON CONFLICT (call_id) DO NOTHING";
        self.db.execute(SQL, params![call]).await.map(drop)
    }

    /// What is not delivered yet of calls that are over, what has waited longest first.
    pub async fn open_notices(&self, limit: u32) -> Result<Vec<OpenNotice>, StoreError> {
        const SQL: &str = "SELECT call_id, owner_id, tries, next_at FROM notices \
            JOIN calls ON calls.id = call_id WHERE state = 'open' AND lifecycle = 'finalized' \
            ORDER BY COALESCE(next_at, 0), call_id LIMIT $1";
        let rows = self.db.rows(SQL, params![i64::from(limit)]).await?;
        let open = |row: &crate::db::Row| {
            Ok(OpenNotice {
                call: row.parsed("call_id", |id| id.parse().ok())?,
                owner: row.parsed("owner_id", |id| id.parse().ok())?,
                tries: row.opt_number("tries")?.unwrap_or(0),
                next_at: row.opt_at("next_at")?,
            })
        };
        rows.iter().map(open).collect()
    }

    /// Notes an attempt, and what follows from it.
    pub async fn note_notice(&self, call: CallId, next: NoticeNext) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE notices SET state = $2, tries = tries + 1, next_at = $3 \
            WHERE call_id = $1 AND state = 'open'";
        let (state, at) = match next {
            NoticeNext::Done => ("done", None),
            NoticeNext::Again { at } => ("open", Some(at)),
            NoticeNext::GivenUp => ("given_up", None),
        };
        self.db.execute(SQL, params![call, state, at]).await.map(drop)
    }
}
