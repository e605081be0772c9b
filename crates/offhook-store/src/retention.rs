//! Deleting for good: what retention no longer allows, and everything about one owner.
//!
//! Deleted means gone from the file, not only unreachable. SQLite overwrites deleted content with zeros
//! (`secure_delete`), then the free pages are cut off and the write-ahead log, which still holds the old pages, is
//! folded in and truncated. PostgreSQL vacuums the tables; what remains in its own write-ahead log and backups is up
//! to whoever runs it.

use std::path::PathBuf;
use std::time::Duration;

use offhook_core::journal::ItemKind;
use offhook_core::{CallId, OwnerId, Timestamp};
use serde_json::{Map, Value as Json};
use sqlx::{ConnectOptions, Connection, Executor, SqlitePool};

use crate::db::{Db, Row, Tx, params};
use crate::{Store, StoreError, approvals, campaigns, owners, recordings, schedules};

/// What to delete; `None` keeps. Instants are compared with the end of a call: a call that is not over keeps all.
#[derive(Clone, Copy, Debug, Default)]
pub struct Retention {
    /// Recordings whose own `expires_at` has come are removed too.
    pub now: Timestamp,
    pub transcripts_before: Option<Timestamp>,
    pub recordings_before: Option<Timestamp>,
    pub calls_before: Option<Timestamp>,
}

/// What was deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    pub transcripts: u64,
    pub recordings: u64,
    pub calls: u64,
    /// To unlink and then report with [`Store::unlinked`]; with what an earlier purge left.
    pub files: Vec<PathBuf>,
}

impl Purged {
    fn rows(&self) -> u64 {
        self.transcripts + self.recordings + self.calls
    }
}

/// The fields that hold what somebody said, heard, typed or was told in the conversation, by fact. Emptied when the
/// transcript expires; the facts themselves stay, with their times. The result of a call is not among them: it is
/// what the call was for, and goes with the call. What of it is a sentence as it was said ([`SAID`]) goes with what was
/// said.
const WORDS: &[(&str, &[&str])] = &[
    ("turn.voice", &["text"]),
    ("turn.remote", &["text"]),
    ("leg.digit_received", &["digit"]),
    ("leg.digits_sent", &["digits"]),
    ("menu.stuck", &["digits"]),
    ("owner.asked", &["question"]),
    ("owner.answered", &["answer"]),
    ("owner.said", &["text"]),
    ("owner.instructed", &["text"]),
    ("owner.pressed", &["digits"]),
    ("tool.called", &["arguments"]),
    ("tool.answered", &["output"]),
    ("result.item", &["value"]),
    ("agent.asked", &["prompt"]),
    ("agent.answered", &["answer"]),
    ("approval.asked", &["operation"]),
    ("message.taken", &["name", "message", "call_back"]),
    // Free text, often another program's, that may quote the conversation.
    ("call.problem", &["message"]),
    ("speech.reopening", &["why"]),
];

/// Parts of a result that are quoted, and not told in the voice's words.
const SAID: &[ItemKind] = &[ItemKind::Commitment, ItemKind::AskedToCommit, ItemKind::Breach];

/// Calls per transaction: others get to write in between.
const BATCH: i64 = 100;

impl Store {
    /// Deletes what retention no longer allows, in several transactions. Interrupted, it is continued by the next.
    pub async fn purge(&self, retention: Retention) -> Result<Purged, StoreError> {
        let mut purged = Purged::default();
        if let Some(before) = retention.calls_before {
            purged.calls = self.purge_calls(before).await?;
        }
        purged.recordings = self.purge_recordings(retention.now, retention.recordings_before).await?;
        if let Some(before) = retention.transcripts_before {
            purged.transcripts = self.purge_transcripts(before, retention.now).await?;
        }
        // On SQLite also when nothing was deleted: the last time may have been interrupted.
        if purged.rows() > 0 || matches!(self.db, Db::Lite { .. }) {
            self.scrub().await;
        }
        purged.files = self.files_to_unlink().await?;
        Ok(purged)
    }

    /// Deletes an owner, its keys, calls, recordings and audit entries in one transaction. Returns the files to
    /// unlink; their paths are the last that is known of this owner until they are reported with
    /// [`Store::unlinked`]. Hang up its live calls first: facts that arrive later are dropped.
    pub async fn delete_owner(&self, owner: OwnerId) -> Result<Vec<PathBuf>, StoreError> {
        const FILES: &str = "SELECT calls.id AS id FROM calls JOIN recordings ON recordings.call_id = calls.id \
            WHERE owner_id = $1 AND path IS NOT NULL";
        const DELETE: [&str; 4] = [
            "DELETE FROM audit WHERE owner_id = $1 OR actor = $1 OR subject = $1 \
                OR subject IN (SELECT id FROM calls WHERE owner_id = $1) \
                OR subject IN (SELECT id FROM api_keys WHERE owner_id = $1)",
            "DELETE FROM idempotency WHERE owner_id = $1",
            "DELETE FROM calls WHERE owner_id = $1",
            "DELETE FROM owners WHERE id = $1",
        ];
        let mut tx = self.db.begin().await?;
        let mut files = Vec::new();
        for row in tx.rows(FILES, params![owner]).await? {
            files.extend(recordings::doom(&mut tx, id_of(&row)?).await?);
        }
        for sql in DELETE {
            tx.execute(sql, params![owner]).await?;
        }
        tx.commit().await?;
        self.scrub().await;
        Ok(files)
    }

    async fn purge_calls(&self, before: Timestamp) -> Result<u64, StoreError> {
        const FIND: &str = "SELECT id FROM calls WHERE finalized_at < $1 ORDER BY finalized_at, id LIMIT $2";
        let mut purged = 0;
        loop {
            let mut tx = self.db.begin().await?;
            let found = tx.rows(FIND, params![before, BATCH]).await?;
            for row in &found {
                let call = id_of(row)?;
                recordings::doom(&mut tx, call).await?;
                owners::keep_use(&mut tx, call).await?;
                purged += tx.execute("DELETE FROM calls WHERE id = $1", params![call]).await?;
            }
            tx.commit().await?;
            if found.is_empty() {
                break;
            }
        }
        campaigns::purge(&self.db, before).await?;
        approvals::purge(&self.db, before).await?;
        schedules::purge(&self.db, before).await?;
        Ok(purged)
    }

    async fn purge_recordings(&self, now: Timestamp, before: Option<Timestamp>) -> Result<u64, StoreError> {
        const FIND: &str = "SELECT call_id AS id FROM recordings JOIN calls ON calls.id = recordings.call_id \
            WHERE path IS NOT NULL AND (expires_at <= $1 OR finalized_at < $2) ORDER BY call_id LIMIT $3";
        let mut purged = 0;
        loop {
            let mut tx = self.db.begin().await?;
            let found = tx.rows(FIND, params![now, before, BATCH]).await?;
            for row in &found {
                recordings::remove(&mut tx, id_of(row)?, now).await?;
            }
            tx.commit().await?;
            if found.is_empty() {
                return Ok(purged);
            }
            purged += found.len() as u64;
        }
    }

    async fn purge_transcripts(&self, before: Timestamp, now: Timestamp) -> Result<u64, StoreError> {
        const FIND: &str = "SELECT id FROM calls WHERE finalized_at < $1 AND transcript_removed_at IS NULL \
            ORDER BY finalized_at, id LIMIT $2";
        let mut purged = 0;
        loop {
            let mut tx = self.db.begin().await?;
            let found = tx.rows(FIND, params![before, BATCH]).await?;
            for row in &found {
                erase_words(&mut tx, id_of(row)?, now).await?;
            }
            tx.commit().await?;
            if found.is_empty() {
                return Ok(purged);
            }
            purged += found.len() as u64;
        }
    }

    /// Gives the room of deleted rows back and removes what is left of their content. The rows are gone already, so
    /// a failure is no failure of the deletion.
    pub(crate) async fn scrub(&self) {
        let scrubbed = match &self.db {
            Db::Lite { wr, .. } => scrub_sqlite(wr).await,
            Db::Pg(pool) => pool.execute(VACUUM).await.map(drop),
        };
        if let Err(error) = scrubbed {
            tracing::warn!(%error, "the room of deleted rows was not given back; the next purge tries again");
        }
    }
}

const VACUUM: &str = "VACUUM owners, api_keys, calls, idempotency, journal, recordings, files_to_unlink, audit, \
     webhooks, webhook_deliveries, webhook_secrets, preferences, link_codes, owner_phones, \
     reserved_numbers, inbound_profiles, notices, campaigns, campaign_targets, pins, approvals, schedules, schedule_runs, proactive";

async fn scrub_sqlite(wr: &SqlitePool) -> Result<(), sqlx::Error> {
    let mut free = i64::MAX;
    loop {
        let left = free_pages(wr).await?;
        // A file that somebody made without `auto_vacuum` keeps its free pages, zeroed.
        if left == 0 || left >= free {
            return truncate_log(wr).await;
        }
        free = left;
    }
}

/// Cuts some free pages off the file; returns how many are left. In steps, so that others get to write in between.
async fn free_pages(wr: &SqlitePool) -> Result<i64, sqlx::Error> {
    let mut conn = wr.acquire().await?;
    conn.fetch_all("PRAGMA incremental_vacuum(2000)").await?;
    sqlx::query_scalar("PRAGMA freelist_count").fetch_one(&mut *conn).await
}

/// Folds the write-ahead log into the file and empties it. Writers wait meanwhile, and it waits for readers of old
/// pages, so it does that on a connection of its own with little patience.
async fn truncate_log(wr: &SqlitePool) -> Result<(), sqlx::Error> {
    let options = wr.connect_options().as_ref().clone().busy_timeout(Duration::from_millis(500));
    let mut conn = options.connect().await?;
    let (busy, _, _): (i64, i64, i64) =
        sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut conn).await?;
    if busy != 0 {
        tracing::warn!(
            "the write-ahead log is being read and still holds deleted content; the next purge tries again"
        );
    }
    conn.close().await
}

fn id_of(row: &Row) -> Result<CallId, StoreError> {
    row.parsed("id", |id| id.parse().ok())
}

async fn erase_words(tx: &mut Tx, call: CallId, now: Timestamp) -> Result<(), StoreError> {
    const READ: &str = "SELECT seq, code, fields FROM journal WHERE call_id = $1";
    const WRITE: &str = "UPDATE journal SET fields = $3 WHERE call_id = $1 AND seq = $2";
    const DONE: &str = "UPDATE calls SET transcript_removed_at = $2 WHERE id = $1";
    for row in tx.rows(READ, params![call]).await? {
        if let Some(fields) = without_words(&row.text("code")?, &row.text("fields")?) {
            tx.execute(WRITE, params![call, row.int("seq")?, fields]).await?;
        }
    }
    tx.execute(DONE, params![call, now]).await.map(drop)
}

/// The fields of a fact with the words emptied; `None` when there are none in this kind of fact.
fn without_words(code: &str, fields: &str) -> Option<String> {
    let (_, words) = WORDS.iter().find(|(fact, _)| *fact == code)?;
    let mut fields: Map<String, Json> = serde_json::from_str(fields).unwrap_or_default();
    let kind = fields.get("kind").and_then(Json::as_str).and_then(ItemKind::from_code);
    if code == "result.item" && kind.is_some_and(|kind| !SAID.contains(&kind)) {
        return None;
    }
    for word in *words {
        fields.insert((*word).to_owned(), Json::from(""));
    }
    Some(Json::Object(fields).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use offhook_core::Fact;

    /// Facts that hold nothing of the conversation. A new fact belongs here or into [`WORDS`].
    const WORDLESS: &[&str] = &[
        "call.queued",
        "call.dialing",
        "call.ringing",
        "call.answered",
        "call.answered_by",
        "call.result",
        "call.ended",
        "leg.media_up",
        "leg.ticket",
        "leg.released",
        "leg.held",
        "leg.resumed",
        "leg.media_stats",
        "speech.ready",
        "speech.reopened",
        "turn.not_understood",
        "turn.barge_in",
        "owner.silent",
        "hold.started",
        "hold.ended",
        "hold.announcement",
        "turn.private",
        "turn.masked",
        "call.dial_retried",
        "call.scheduled",
        "handoff.asked",
        "handoff.dialing",
        "handoff.ringing",
        "handoff.answered",
        "handoff.introduced",
        "handoff.ticket",
        "handoff.joined",
        "handoff.crossed",
        "handoff.failed",
        "handoff.ended",
        "recording.started",
        "recording.stopped",
        "agent.failed",
        "agent.cancelled",
        "approval.decided",
        "caller.verified",
        "caller.unverified",
    ];

    #[test]
    fn of_every_fact_it_is_decided_what_expires_with_the_transcript() {
        for (code, fields) in Fact::TABLE {
            match WORDS.iter().find(|(fact, _)| fact == code) {
                Some((_, words)) => assert!(words.iter().all(|word| fields.contains(word)), "{code}"),
                None => assert!(WORDLESS.contains(code), "does {code} hold words of the conversation?"),
            }
        }
    }
}
