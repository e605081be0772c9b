//! What owners are asked to approve, and the PIN with which they do. An approval is decided once: whatever comes after
//! the first verdict changes nothing.

use std::fmt;

use offhook_core::journal::DecidedBy;
use offhook_core::{ApprovalId, CallId, OwnerId, Timestamp};

use crate::calls::{Idempotency, hex};
use crate::db::{Db, Row, params};
use crate::{Store, StoreError};

/// All columns of a row.
macro_rules! all_columns {
    () => {
        "SELECT id, owner_id, call_id, operation, details, digest, needs_pin, state, reason, decided_by, evidence, \
            created_at, expires_at, decided_at FROM approvals"
    };
}

/// Where an approval is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ApprovalState {
    Pending,
    Approved,
    Declined,
    /// Nobody decided in time.
    Expired,
    /// Whoever asked does not want it any more.
    Cancelled,
}

impl ApprovalState {
    pub const ALL: &[Self] = &[Self::Pending, Self::Approved, Self::Declined, Self::Expired, Self::Cancelled];

    pub const fn code(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Declined => "declined",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }

    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.code() == code)
    }
}

#[derive(Clone)]
pub struct NewApproval {
    pub id: ApprovalId,
    pub owner: OwnerId,
    pub operation: String,
    /// JSON.
    pub details: Option<String>,
    pub digest: String,
    pub needs_pin: bool,
    pub idempotency: Option<Idempotency>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

/// What became of an insert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InsertedApproval {
    New,
    Existing(ApprovalId),
    KeyReused,
    UnknownOwner,
}

#[derive(Clone, PartialEq, Eq)]
pub struct ApprovalRow {
    pub id: ApprovalId,
    pub owner: OwnerId,
    pub call: Option<CallId>,
    pub operation: String,
    pub details: Option<String>,
    pub digest: String,
    pub needs_pin: bool,
    pub verdict: Verdict,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub decided_at: Option<Timestamp>,
}

/// What was decided, and what shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub state: ApprovalState,
    /// A code, where it is not approved.
    pub reason: Option<String>,
    pub by: Option<DecidedBy>,
    /// Turns of the call.
    pub evidence: Vec<u32>,
}

/// A PIN as it is kept. `Debug` prints no hash.
#[derive(Clone, PartialEq, Eq)]
pub struct PinRow {
    /// How many.
    pub digits: usize,
    pub hash: String,
    pub set_at: Timestamp,
}

impl fmt::Debug for PinRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PinRow").field("set_at", &self.set_at).finish_non_exhaustive()
    }
}

/// Without the words.
impl fmt::Debug for NewApproval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewApproval").field("id", &self.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for ApprovalRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, call, verdict, .. } = self;
        let mut shown = f.debug_struct("ApprovalRow");
        shown.field("id", id).field("call", call).field("verdict", verdict).finish_non_exhaustive()
    }
}

impl Store {
    /// Writes an approval down that waits for its verdict; one with a known idempotency key is the one before.
    pub async fn insert_approval(&self, new: &NewApproval) -> Result<InsertedApproval, StoreError> {
        const BEFORE: &str =
            "SELECT id, request_hash FROM approvals WHERE owner_id = $1 AND idempotency_key = $2";
        const SQL: &str = "INSERT INTO approvals (id, owner_id, operation, details, digest, needs_pin, state, \
                idempotency_key, request_hash, created_at, expires_at) \
            SELECT $1, $2, $3, $4, $5, $6, 'pending', $7, $8, $9, $10 \
            WHERE EXISTS (SELECT 1 FROM owners WHERE id = $2) ON CONFLICT DO NOTHING";
        let mut tx = self.db.begin().await?;
        let (key, hash) = match &new.idempotency {
            Some(Idempotency { key, request_hash }) => (Some(key.as_str()), Some(hex(request_hash))),
            None => (None, None),
        };
        let params = params![
            new.id,
            new.owner,
            new.operation.as_str(),
            new.details.as_deref(),
            new.digest.as_str(),
            i64::from(new.needs_pin),
            key,
            hash.clone(),
            new.created_at,
            new.expires_at,
        ];
        if tx.execute(SQL, params).await? == 1 {
            tx.commit().await?;
            return Ok(InsertedApproval::New);
        }
        let Some(before) = tx.row(BEFORE, params![new.owner, key]).await? else {
            return Ok(InsertedApproval::UnknownOwner);
        };
        if before.get::<Option<String>>("request_hash")? != hash {
            return Ok(InsertedApproval::KeyReused);
        }
        Ok(InsertedApproval::Existing(id_of(&before)?))
    }

    pub async fn approval(&self, id: ApprovalId) -> Result<Option<ApprovalRow>, StoreError> {
        const SQL: &str = concat!(all_columns!(), " WHERE id = $1");
        self.db.row(SQL, params![id]).await?.as_ref().map(row_of).transpose()
    }

    /// Those of an owner, newest first.
    pub async fn approvals_of(&self, owner: OwnerId, limit: u32) -> Result<Vec<ApprovalRow>, StoreError> {
        const SQL: &str =
            concat!(all_columns!(), " WHERE owner_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2");
        self.db.rows(SQL, params![owner, i64::from(limit)]).await?.iter().map(row_of).collect()
    }

    /// Those that wait for a verdict.
    pub async fn pending_approvals(&self) -> Result<Vec<ApprovalRow>, StoreError> {
        const SQL: &str = concat!(all_columns!(), " WHERE state = 'pending' ORDER BY created_at, id");
        self.db.rows(SQL, params![]).await?.iter().map(row_of).collect()
    }

    /// This is the call in which it is asked.
    pub async fn ask_approval_in(&self, id: ApprovalId, call: CallId) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE approvals SET call_id = $2 WHERE id = $1";
        self.db.execute(SQL, params![id, call]).await.map(drop)
    }

    /// Writes the verdict down. False when there was one before, which stands.
    pub async fn decide_approval(
        &self,
        id: ApprovalId,
        verdict: &Verdict,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        const SQL: &str = "UPDATE approvals SET state = $2, reason = $3, decided_by = $4, evidence = $5, \
            decided_at = $6 WHERE id = $1 AND state = 'pending'";
        let evidence = serde_json::to_string(&verdict.evidence).unwrap_or_default();
        let by = verdict.by.map(DecidedBy::code);
        let params = params![id, verdict.state.code(), verdict.reason.as_deref(), by, evidence, at];
        Ok(self.db.execute(SQL, params).await? == 1)
    }

    /// It was refused before anybody was asked: there is nothing to keep.
    pub async fn forget_approval(&self, id: ApprovalId) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM approvals WHERE id = $1";
        self.db.execute(SQL, params![id]).await.map(drop)
    }

    pub async fn pin(&self, owner: OwnerId) -> Result<Option<PinRow>, StoreError> {
        const SQL: &str = "SELECT digits, hash, set_at FROM pins WHERE owner_id = $1";
        let Some(row) = self.db.row(SQL, params![owner]).await? else { return Ok(None) };
        let digits =
            usize::try_from(row.int("digits")?).map_err(|_| StoreError::Unreadable { column: "digits" })?;
        Ok(Some(PinRow { digits, hash: row.text("hash")?, set_at: row.at("set_at")? }))
    }

    /// Sets it, or takes it away. False when there is no such owner.
    pub async fn set_pin(&self, owner: OwnerId, pin: Option<&PinRow>) -> Result<bool, StoreError> {
        const SET: &str = "INSERT INTO pins (owner_id, digits, hash, set_at) \
            SELECT $1, $2, $3, $4 WHERE EXISTS (SELECT 1 FROM owners WHERE id = $1) \
            ON CONFLICT (owner_id) DO UPDATE SET digits = EXCLUDED.digits, hash = EXCLUDED.hash, \
                set_at = EXCLUDED.set_at";
        const CLEAR: &str = "DELETE FROM pins WHERE owner_id = $1";
        match pin {
            Some(pin) => {
                let params = params![owner, pin.digits as i64, pin.hash.as_str(), pin.set_at];
                Ok(self.db.execute(SET, params).await? == 1)
            }
            None => self.db.execute(CLEAR, params![owner]).await.map(|_| true),
        }
    }
}

/// What was decided before then.
pub(crate) async fn purge(db: &Db, before: Timestamp) -> Result<(), StoreError> {
    const SQL: &str = "DELETE FROM approvals WHERE decided_at < $1";
    db.execute(SQL, params![before]).await.map(drop)
}

fn id_of(row: &Row) -> Result<ApprovalId, StoreError> {
    row.parsed("id", |id| id.parse().ok())
}

fn row_of(row: &Row) -> Result<ApprovalRow, StoreError> {
    Ok(ApprovalRow {
        id: id_of(row)?,
        owner: row.parsed("owner_id", |id| id.parse().ok())?,
        call: row.opt_parsed("call_id", |id| id.parse().ok())?,
        operation: row.text("operation")?,
        details: row.get("details")?,
        digest: row.text("digest")?,
        needs_pin: row.int("needs_pin")? == 1,
        verdict: Verdict {
            state: row.parsed("state", ApprovalState::from_code)?,
            reason: row.get("reason")?,
            by: row.opt_parsed("decided_by", DecidedBy::from_code)?,
            evidence: row.parsed("evidence", |list| serde_json::from_str(list).ok())?,
        },
        created_at: row.at("created_at")?,
        expires_at: row.at("expires_at")?,
        decided_at: row.opt_at("decided_at")?,
    })
}
