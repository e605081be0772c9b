//! The rows of calls: inserting one exactly once, and looking them up.

use std::fmt;

use offhook_core::call::{Direction, TaskReport};
use offhook_core::journal::AnsweredBy;
use offhook_core::{CallId, JournalEntry, OwnerId, Timestamp};

use crate::batch::Batch;
use crate::db::{Row, Tx, params};
use crate::keys::{self, NewKey};
use crate::projection::{End, Lifecycle, end_of, result_of};
use crate::recordings::RecordingRow;
use crate::waiting::Ties;
use crate::{Store, StoreError, webhooks};

/// What was asked for, as it will be shown. `Debug` prints none of it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct CallRequest {
    pub to: String,
    /// The caller ID, where it is known before the call is dialled.
    pub from: Option<String>,
    /// The line that was asked for; [`CallRow::line`] is the one that was used.
    pub line: Option<String>,
    pub task: String,
    pub personality: Option<String>,
    pub greeting: Option<String>,
    pub voice: String,
    pub language: String,
    pub bridge_number: Option<String>,
    /// Who may be called into the call: that number, or whichever one is the user's.
    pub user_number: Option<String>,
    /// A JSON object of the gateway's own.
    pub extra: Option<String>,
}

impl fmt::Debug for CallRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallRequest").finish_non_exhaustive()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    pub key: String,
    /// SHA-256 of the canonical request.
    pub request_hash: [u8; 32],
}

#[derive(Clone, Debug)]
pub struct NewCall {
    pub id: CallId,
    pub owner: OwnerId,
    /// The key that is given out with this call; it and its owner are written with the call, or not at all.
    pub minted: Option<NewKey>,
    pub idempotency: Option<Idempotency>,
    pub direction: Direction,
    pub request: CallRequest,
    /// Where its events are sent.
    pub webhook_url: Option<String>,
    pub ties: Ties,
    pub queued_at: Timestamp,
    /// The first facts, from `seq` 1 on.
    pub entries: Vec<JournalEntry>,
}

/// What became of an insert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    New,
    /// The same key stands for this call already, and it was the same request.
    Existing(CallId),
    /// The same key was used for a different request.
    KeyReused,
}

#[derive(Debug, thiserror::Error)]
pub enum InsertCallError {
    #[error("no such owner; create it, or a key for it, first")]
    UnknownOwner,
    #[error("a call with this id exists already")]
    DuplicateId,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// One call as it stands. `Debug` prints nothing of what was said.
#[derive(Clone, PartialEq)]
pub struct CallRow {
    pub id: CallId,
    pub owner: OwnerId,
    pub direction: Direction,
    pub request: CallRequest,
    pub ties: Ties,
    pub lifecycle: Lifecycle,
    /// The line that was dialled on last.
    pub line: Option<String>,
    pub queued_at: Timestamp,
    pub dialing_at: Option<Timestamp>,
    pub answered_at: Option<Timestamp>,
    pub finalized_at: Option<Timestamp>,
    pub answered_by: Option<AnsweredBy>,
    pub result: Option<TaskReport>,
    pub end: Option<End>,
    pub recording: Option<RecordingRow>,
    /// When retention erased the words of the conversation.
    pub transcript_removed_at: Option<Timestamp>,
}

impl fmt::Debug for CallRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallRow")
            .field("id", &self.id)
            .field("owner", &self.owner)
            .field("direction", &self.direction)
            .field("lifecycle", &self.lifecycle)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

/// Which calls to list; what is `None` does not matter.
#[derive(Clone, Debug)]
pub struct CallFilter {
    pub owner: Option<OwnerId>,
    pub direction: Option<Direction>,
    /// Finalized then or later.
    pub finalized_since: Option<Timestamp>,
    /// `true`: only calls that are not over; `false`: only calls that are.
    pub live: Option<bool>,
    pub limit: u32,
}

impl Default for CallFilter {
    fn default() -> Self {
        Self { owner: None, direction: None, finalized_since: None, live: None, limit: 25 }
    }
}

macro_rules! select_calls {
    ($tail:literal) => {
        concat!(
            "SELECT calls.id AS id, owner_id, direction, to_number, from_number, requested_line, task, \
             personality, greeting, voice, language, bridge_number, user_number, extra, queued_at, \
             not_before, not_after, waits, follows, repeats, campaign, schedule, proactive, lifecycle, \
             line, dialing_at, answered_at, finalized_at, answered_by, end_reason, outcome, talk_ms, sip_status, q850_cause, \
             result_status, result_summary, result_evidence, transcript_removed_at, \
             recordings.path AS path, recordings.bytes AS bytes, recordings.duration_ms AS duration_ms, \
             recordings.created_at AS created_at, recordings.expires_at AS expires_at, \
             recordings.removed_at AS removed_at \
             FROM calls LEFT JOIN recordings ON recordings.call_id = calls.id ",
            $tail
        )
    };
}

impl Store {
    /// Who was called into a call, where that is somebody else than who was named when it was placed.
    pub async fn set_user(&self, call: CallId, number: &str) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE calls SET user_number = $2 WHERE id = $1";
        self.db.execute(SQL, params![call, number]).await.map(drop)
    }

    /// Writes a call with its first facts, unless its idempotency key stands for one already.
    ///
    /// Of any number of simultaneous inserts with the same key exactly one is [`Inserted::New`]. Trying again with
    /// the same id after an error whose commit is unknown gives `Existing` with that id, or
    /// [`InsertCallError::DuplicateId`] where there is no idempotency key.
    pub async fn insert_call(&self, new: &NewCall) -> Result<Inserted, InsertCallError> {
        let batch = Batch { calls: vec![new.clone()], ..Batch::default() };
        let mut written = self.write(&batch).await?;
        written.calls.pop().unwrap_or(Err(InsertCallError::DuplicateId))
    }

    /// What this idempotency key stands for already; `None` when it is free, never `New`. Lets a repeat be told
    /// from a new call before anything is decided about it.
    pub async fn idempotent_call(
        &self,
        owner: OwnerId,
        idempotency: &Idempotency,
    ) -> Result<Option<Inserted>, StoreError> {
        let found = self.db.row(KEY_HOLDER, params![owner, idempotency.key.as_str()]).await?;
        found.as_ref().map(|row| held_by(row, idempotency)).transpose()
    }

    pub async fn call(&self, id: CallId) -> Result<Option<CallRow>, StoreError> {
        const SQL: &str = select_calls!("WHERE calls.id = $1");
        self.db.row(SQL, params![id]).await?.as_ref().map(call_of).transpose()
    }

    /// Calls, newest first: by when they were placed, or where only those are asked for that are over, by when they
    /// ended. A row this version can't read is left out with a warning.
    pub async fn calls(&self, filter: &CallFilter) -> Result<Vec<CallRow>, StoreError> {
        // Several statements, so that an owner's calls are found by their index.
        const ALL: &str = select_calls!(
            "WHERE ($1 IS NULL OR owner_id = $1) AND ($2 IS NULL OR direction = $2) \
             AND ($3 IS NULL OR finalized_at >= $3) \
             AND ($4 IS NULL OR ($4 = 1 AND lifecycle <> 'finalized') OR ($4 = 0 AND lifecycle = 'finalized')) \
             ORDER BY queued_at DESC, calls.id DESC LIMIT $5"
        );
        const OWN: &str = select_calls!(
            "WHERE owner_id = $1 AND ($2 IS NULL OR direction = $2) \
             AND ($3 IS NULL OR finalized_at >= $3) \
             AND ($4 IS NULL OR ($4 = 1 AND lifecycle <> 'finalized') OR ($4 = 0 AND lifecycle = 'finalized')) \
             ORDER BY queued_at DESC, calls.id DESC LIMIT $5"
        );
        // A history is followed from the end that was seen last.
        const ALL_OVER: &str = select_calls!(
            "WHERE ($1 IS NULL OR owner_id = $1) AND ($2 IS NULL OR direction = $2) \
             AND ($3 IS NULL OR finalized_at >= $3) AND $4 = 0 AND lifecycle = 'finalized' \
             ORDER BY finalized_at DESC, calls.id DESC LIMIT $5"
        );
        const OWN_OVER: &str = select_calls!(
            "WHERE owner_id = $1 AND ($2 IS NULL OR direction = $2) \
             AND ($3 IS NULL OR finalized_at >= $3) AND $4 = 0 AND lifecycle = 'finalized' \
             ORDER BY finalized_at DESC, calls.id DESC LIMIT $5"
        );
        let params = params![
            filter.owner,
            filter.direction.map(direction_code),
            filter.finalized_since,
            filter.live.map(i64::from),
            i64::from(filter.limit),
        ];
        let sql = match (filter.live, filter.owner) {
            (Some(false), Some(_)) => OWN_OVER,
            (Some(false), None) => ALL_OVER,
            (_, Some(_)) => OWN,
            (_, None) => ALL,
        };
        let rows = self.db.rows(sql, params).await?;
        Ok(rows.iter().filter_map(readable).collect())
    }

    /// The calls that are not over, oldest first: what a start has to reconcile.
    pub async fn unfinished(&self) -> Result<Vec<CallRow>, StoreError> {
        const SQL: &str = select_calls!("WHERE lifecycle <> 'finalized' ORDER BY queued_at, calls.id");
        // One row this version can't read must not keep offhook from starting.
        Ok(self.db.rows(SQL, vec![]).await?.iter().filter_map(readable).collect())
    }
}

const KEY_HOLDER: &str =
    "SELECT call_id, request_hash FROM idempotency WHERE owner_id = $1 AND idempotency_key = $2";

fn held_by(row: &Row, idempotency: &Idempotency) -> Result<Inserted, StoreError> {
    if row.text("request_hash")? != hex(&idempotency.request_hash) {
        return Ok(Inserted::KeyReused);
    }
    row.parsed("call_id", |id| id.parse().ok()).map(Inserted::Existing)
}

/// Writes the row of a call, and its owner and key where those are new. Its first facts are for the caller to write.
///
/// What is wrong with one call must not fail the statement: on PostgreSQL that would end the whole transaction.
pub(crate) async fn insert(
    tx: &mut Tx,
    new: &NewCall,
) -> Result<Result<Inserted, InsertCallError>, StoreError> {
    if let Some(idempotency) = &new.idempotency
        && let Some(before) = claim_key(tx, new, idempotency).await?
    {
        return Ok(Ok(before));
    }
    if let Some(key) = &new.minted {
        keys::insert_minted(tx, key).await?;
    }
    if insert_row(tx, new).await? {
        if let Some(url) = &new.webhook_url {
            webhooks::insert(tx, new.id, url).await?;
        }
        return Ok(Ok(Inserted::New));
    }
    if new.idempotency.is_some() {
        const UNCLAIM: &str = "DELETE FROM idempotency WHERE call_id = $1 AND owner_id = $2";
        tx.execute(UNCLAIM, params![new.id, new.owner]).await?;
    }
    let exists = tx.row("SELECT id FROM calls WHERE id = $1", params![new.id]).await?.is_some();
    Ok(Err(if exists { InsertCallError::DuplicateId } else { InsertCallError::UnknownOwner }))
}

/// Claims the idempotency key of a call; what it stands for already, if it does. On PostgreSQL a second claim waits
/// here until the first was committed or failed; on SQLite it waited for the write connection.
async fn claim_key(
    tx: &mut Tx,
    new: &NewCall,
    idempotency: &Idempotency,
) -> Result<Option<Inserted>, StoreError> {
    const SQL: &str = "INSERT INTO idempotency (owner_id, idempotency_key, request_hash, call_id, created_at) \
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (owner_id, idempotency_key) DO NOTHING";
    let hash = hex(&idempotency.request_hash);
    let params = params![new.owner, idempotency.key.as_str(), hash, new.id, new.queued_at];
    if tx.execute(SQL, params).await? == 1 {
        return Ok(None);
    }
    let holder = tx.row(KEY_HOLDER, params![new.owner, idempotency.key.as_str()]).await?;
    // Deleted between the two statements, with its call: the whole is tried again.
    let holder = holder.ok_or(StoreError::Gone)?;
    held_by(&holder, idempotency).map(Some)
}

/// False when there is no such owner, or a call with this id exists.
async fn insert_row(tx: &mut Tx, new: &NewCall) -> Result<bool, StoreError> {
    const SQL: &str = "INSERT INTO calls (id, owner_id, direction, to_number, from_number, requested_line, task, \
            personality, greeting, voice, language, bridge_number, extra, queued_at, lifecycle, \
            user_number, not_before, not_after, waits, follows, repeats, campaign, schedule, proactive) \
        SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, \
            $23, $24 \
        WHERE EXISTS (SELECT 1 FROM owners WHERE id = $2) ON CONFLICT (id) DO NOTHING";
    let request = new.request.clone();
    let mut params = params![
        new.id,
        new.owner,
        direction_code(new.direction),
        request.to,
        request.from,
        request.line,
        request.task,
        request.personality,
        request.greeting,
        request.voice,
        request.language,
        request.bridge_number,
        request.extra,
        new.queued_at,
        Lifecycle::Queued.code(),
        request.user_number,
    ];
    params.extend(new.ties.params());
    Ok(tx.execute(SQL, params).await? == 1)
}

const fn direction_code(direction: Direction) -> &'static str {
    match direction {
        Direction::Outbound => "outbound",
        Direction::Inbound => "inbound",
    }
}

fn direction_from_code(code: &str) -> Option<Direction> {
    [Direction::Outbound, Direction::Inbound].into_iter().find(|direction| direction_code(*direction) == code)
}

pub(crate) fn hex(bytes: &[u8; 32]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    nibbles.map(|nibble| char::from(DIGITS[usize::from(nibble)])).collect()
}

fn readable(row: &Row) -> Option<CallRow> {
    call_of(row)
        .inspect_err(
            |error| tracing::warn!(call_id = row.text("id").unwrap_or_default(), %error, "skipped a call"),
        )
        .ok()
}

fn call_of(row: &Row) -> Result<CallRow, StoreError> {
    Ok(CallRow {
        id: row.parsed("id", |id| id.parse().ok())?,
        owner: row.parsed("owner_id", |id| id.parse().ok())?,
        direction: row.parsed("direction", direction_from_code)?,
        request: CallRequest {
            to: row.text("to_number")?,
            from: row.get("from_number")?,
            line: row.get("requested_line")?,
            task: row.text("task")?,
            personality: row.get("personality")?,
            greeting: row.get("greeting")?,
            voice: row.text("voice")?,
            language: row.text("language")?,
            bridge_number: row.get("bridge_number")?,
            user_number: row.get("user_number")?,
            extra: row.get("extra")?,
        },
        ties: Ties::of(row)?,
        lifecycle: row.parsed("lifecycle", Lifecycle::from_code)?,
        line: row.get("line")?,
        queued_at: row.at("queued_at")?,
        dialing_at: row.opt_at("dialing_at")?,
        answered_at: row.opt_at("answered_at")?,
        finalized_at: row.opt_at("finalized_at")?,
        // A kind that a newer version wrote is unknown to this one.
        answered_by: row
            .get::<Option<String>>("answered_by")?
            .map(|code| AnsweredBy::from_code(&code).unwrap_or(AnsweredBy::Unknown)),
        result: result_of(row)?,
        end: end_of(row)?,
        recording: RecordingRow::of(row)?,
        transcript_removed_at: row.opt_at("transcript_removed_at")?,
    })
}
