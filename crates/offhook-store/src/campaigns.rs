//! The same asked of several, and what became of it.
//!
//! Which calls a campaign placed is not noted with its targets: the calls say so themselves, and are written in one
//! statement with that, so that no call is ever missing from its campaign.

use std::fmt;

use offhook_core::{CallId, CampaignId, OwnerId, Timestamp};

use crate::calls::{Idempotency, hex};
use crate::db::{Db, Row, Tx, params};
use crate::{Store, StoreError};

macro_rules! coded {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $code:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            pub const ALL: &[$name] = &[$(Self::$variant),*];

            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)*
                }
            }

            pub fn from_code(code: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.code() == code)
            }
        }
    };
}

coded! {
    CampaignState {
        /// Calls are placed.
        Running = "running",
        /// No more are placed; those under way are hung up.
        Stopping = "stopping",
        Done = "done",
    }
}

coded! {
    /// Why no more calls were placed.
    CampaignEnding {
        /// Every target was called, or can't be.
        Completed = "completed",
        /// One was found that fits.
        FirstFit = "first_fit",
        /// The owner said so.
        Stopped = "stopped",
        /// A call may have committed to something; another could do so again.
        Committed = "committed",
        /// offhook was started again; nothing is dialled for what was asked of the process before.
        Restarted = "restarted",
    }
}

coded! {
    TargetState {
        /// Waits for its call, or has one.
        Open = "open",
        /// The rules did not let it be called.
        Refused = "refused",
        /// Is not called any more.
        Cancelled = "cancelled",
    }
}

#[derive(Clone)]
pub struct NewCampaign {
    pub id: CampaignId,
    pub owner: OwnerId,
    /// A JSON object.
    pub request: String,
    /// A JSON object.
    pub notes: String,
    pub idempotency: Option<Idempotency>,
    /// Numbers, each once, and what they are called.
    pub targets: Vec<(String, Option<String>)>,
    pub created_at: Timestamp,
}

/// What became of an insert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InsertedCampaign {
    New,
    /// The same key stands for this one already, and it was the same request.
    Existing(CampaignId),
    KeyReused,
    /// No such owner.
    UnknownOwner,
}

#[derive(Clone, PartialEq, Eq)]
pub struct CampaignRow {
    pub id: CampaignId,
    pub owner: OwnerId,
    pub request: String,
    pub notes: String,
    pub state: CampaignState,
    pub ending: Option<CampaignEnding>,
    pub created_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    pub targets: Vec<TargetRow>,
}

#[derive(Clone, PartialEq, Eq)]
pub struct TargetRow {
    pub number: String,
    pub name: Option<String>,
    pub state: TargetState,
    /// Code and message, where it was refused.
    pub refusal: Option<(String, String)>,
    /// The calls to it in this campaign, oldest first.
    pub calls: Vec<CallId>,
}

/// Without the words and the numbers.
impl fmt::Debug for NewCampaign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewCampaign").field("id", &self.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for CampaignRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, state, ending, targets, .. } = self;
        let mut shown = f.debug_struct("CampaignRow");
        shown.field("id", id).field("state", state).field("ending", ending).field("targets", targets);
        shown.finish_non_exhaustive()
    }
}

impl fmt::Debug for TargetRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { state, calls, .. } = self;
        f.debug_struct("TargetRow").field("state", state).field("calls", calls).finish_non_exhaustive()
    }
}

macro_rules! select_campaigns {
    ($tail:literal) => {
        concat!(
            "SELECT id, owner_id, request, notes, state, ending, created_at, finished_at FROM campaigns ",
            $tail
        )
    };
}

impl Store {
    /// Writes a campaign with its targets, unless its idempotency key stands for one already.
    pub async fn insert_campaign(&self, new: &NewCampaign) -> Result<InsertedCampaign, StoreError> {
        let mut tx = self.db.begin().await?;
        let inserted = insert(&mut tx, new).await?;
        tx.commit().await?;
        Ok(inserted)
    }

    /// What this idempotency key stands for already; `None` when it is free.
    pub async fn idempotent_campaign(
        &self,
        owner: OwnerId,
        idempotency: &Idempotency,
    ) -> Result<Option<InsertedCampaign>, StoreError> {
        let found = self.db.row(KEY_HOLDER, params![owner, idempotency.key.as_str()]).await?;
        found.as_ref().map(|row| held_by(row, idempotency)).transpose()
    }

    pub async fn campaign(&self, id: CampaignId) -> Result<Option<CampaignRow>, StoreError> {
        const SQL: &str = select_campaigns!("WHERE id = $1");
        let Some(row) = self.db.row(SQL, params![id]).await? else { return Ok(None) };
        self.with_targets(&row).await.map(Some)
    }

    /// The newest campaigns of an owner, or of everybody.
    pub async fn campaigns(
        &self,
        owner: Option<OwnerId>,
        limit: u32,
    ) -> Result<Vec<CampaignRow>, StoreError> {
        const OWN: &str = select_campaigns!("WHERE owner_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2");
        const ALL: &str = select_campaigns!("ORDER BY created_at DESC, id DESC LIMIT $1");
        let limit = i64::from(limit);
        let rows = match owner {
            Some(owner) => self.db.rows(OWN, params![owner, limit]).await?,
            None => self.db.rows(ALL, params![limit]).await?,
        };
        let mut campaigns = Vec::with_capacity(rows.len());
        for row in &rows {
            campaigns.push(self.with_targets(row).await?);
        }
        Ok(campaigns)
    }

    async fn with_targets(&self, row: &Row) -> Result<CampaignRow, StoreError> {
        const TARGETS: &str = "SELECT number, name, state, code, message FROM campaign_targets \
            WHERE campaign_id = $1 ORDER BY position";
        const CALLS: &str = "SELECT id, to_number FROM calls WHERE campaign = $1 ORDER BY queued_at, id";
        let mut campaign = campaign_of(row)?;
        let targets = self.db.rows(TARGETS, params![campaign.id]).await?;
        campaign.targets = targets.iter().map(target_of).collect::<Result<_, _>>()?;
        for call in self.db.rows(CALLS, params![campaign.id]).await? {
            let (id, number) = (call.parsed("id", |id| id.parse().ok())?, call.text("to_number")?);
            let target = campaign.targets.iter_mut().find(|target| target.number == number);
            target.into_iter().for_each(|target| target.calls.push(id));
        }
        Ok(campaign)
    }

    /// The owner's notes, in the place of those there were. False when there is no such campaign.
    pub async fn set_campaign_notes(&self, id: CampaignId, notes: &str) -> Result<bool, StoreError> {
        const SQL: &str = "UPDATE campaigns SET notes = $2 WHERE id = $1";
        Ok(self.db.execute(SQL, params![id, notes]).await? == 1)
    }

    /// The rules did not let this target be called.
    pub async fn refuse_target(
        &self,
        id: CampaignId,
        position: u32,
        code: &str,
        message: &str,
    ) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE campaign_targets SET state = 'refused', code = $3, message = $4 \
            WHERE campaign_id = $1 AND position = $2 AND state = 'open'";
        self.db.execute(SQL, params![id, i64::from(position), code, message]).await.map(drop)
    }

    /// No more calls are placed, for this reason; false when that was so already. Targets without a call are
    /// cancelled.
    pub async fn stop_campaign(&self, id: CampaignId, ending: CampaignEnding) -> Result<bool, StoreError> {
        const STOP: &str =
            "UPDATE campaigns SET state = 'stopping', ending = $2 WHERE id = $1 AND state = 'running'";
        let mut tx = self.db.begin().await?;
        let stopped = tx.execute(STOP, params![id, ending.code()]).await? == 1;
        if stopped {
            cancel_uncalled(&mut tx, id).await?;
        }
        tx.commit().await?;
        Ok(stopped)
    }

    /// The last call is over. Why no more were placed stays what it was, or is `ending`.
    pub async fn finish_campaign(
        &self,
        id: CampaignId,
        ending: CampaignEnding,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        const FINISH: &str = "UPDATE campaigns SET state = 'done', ending = COALESCE(ending, $2), finished_at = $3 \
            WHERE id = $1 AND state <> 'done'";
        let mut tx = self.db.begin().await?;
        if tx.execute(FINISH, params![id, ending.code(), at]).await? == 1 {
            cancel_uncalled(&mut tx, id).await?;
        }
        tx.commit().await
    }

    /// The campaigns that are not done: what a start has to end.
    pub async fn unfinished_campaigns(&self) -> Result<Vec<CampaignId>, StoreError> {
        const SQL: &str = "SELECT id FROM campaigns WHERE state <> 'done' ORDER BY id";
        let rows = self.db.rows(SQL, vec![]).await?;
        rows.iter().map(|row| row.parsed("id", |id| id.parse().ok())).collect()
    }
}

const KEY_HOLDER: &str =
    "SELECT id, request_hash FROM campaigns WHERE owner_id = $1 AND idempotency_key = $2";

fn held_by(row: &Row, idempotency: &Idempotency) -> Result<InsertedCampaign, StoreError> {
    if row.text("request_hash")? != hex(&idempotency.request_hash) {
        return Ok(InsertedCampaign::KeyReused);
    }
    row.parsed("id", |id| id.parse().ok()).map(InsertedCampaign::Existing)
}

async fn insert(tx: &mut Tx, new: &NewCampaign) -> Result<InsertedCampaign, StoreError> {
    const SQL: &str = "INSERT INTO campaigns \
            (id, owner_id, request, notes, state, idempotency_key, request_hash, created_at) \
        SELECT $1, $2, $3, $4, 'running', $5, $6, $7 WHERE EXISTS (SELECT 1 FROM owners WHERE id = $2) \
        ON CONFLICT DO NOTHING";
    const TARGET: &str = "INSERT INTO campaign_targets (campaign_id, position, number, name, state) \
        VALUES ($1, $2, $3, $4, 'open')";
    let (key, hash) = match &new.idempotency {
        Some(Idempotency { key, request_hash }) => (Some(key.as_str()), Some(hex(request_hash))),
        None => (None, None),
    };
    let params =
        params![new.id, new.owner, new.request.as_str(), new.notes.as_str(), key, hash, new.created_at];
    if tx.execute(SQL, params).await? == 0 {
        let holder = match key {
            Some(key) => tx.row(KEY_HOLDER, params![new.owner, key]).await?,
            None => None,
        };
        let held = holder.as_ref().zip(new.idempotency.as_ref());
        return held.map_or(Ok(InsertedCampaign::UnknownOwner), |(row, key)| held_by(row, key));
    }
    for (position, (number, name)) in new.targets.iter().enumerate() {
        tx.execute(TARGET, params![new.id, position as i64, number.as_str(), name.as_deref()]).await?;
    }
    Ok(InsertedCampaign::New)
}

/// Those that were done before then, and whose last call is gone.
pub(crate) async fn purge(db: &Db, before: Timestamp) -> Result<u64, StoreError> {
    const SQL: &str = "DELETE FROM campaigns WHERE finished_at < $1 \
        AND NOT EXISTS (SELECT 1 FROM calls WHERE calls.campaign = campaigns.id)";
    db.execute(SQL, params![before]).await
}

async fn cancel_uncalled(tx: &mut Tx, id: CampaignId) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE campaign_targets SET state = 'cancelled' WHERE campaign_id = $1 AND state = 'open' \
        AND NOT EXISTS (SELECT 1 FROM calls WHERE calls.campaign = $1 AND calls.to_number = number)";
    tx.execute(SQL, params![id]).await.map(drop)
}

fn campaign_of(row: &Row) -> Result<CampaignRow, StoreError> {
    // An ending that a newer version wrote is unknown to this one.
    let ending: Option<String> = row.get("ending")?;
    Ok(CampaignRow {
        id: row.parsed("id", |id| id.parse().ok())?,
        owner: row.parsed("owner_id", |id| id.parse().ok())?,
        request: row.text("request")?,
        notes: row.text("notes")?,
        state: row.parsed("state", CampaignState::from_code)?,
        ending: ending.and_then(|code| CampaignEnding::from_code(&code)),
        created_at: row.at("created_at")?,
        finished_at: row.opt_at("finished_at")?,
        targets: Vec::new(),
    })
}

fn target_of(row: &Row) -> Result<TargetRow, StoreError> {
    let (code, message): (Option<String>, Option<String>) = (row.get("code")?, row.get("message")?);
    Ok(TargetRow {
        number: row.text("number")?,
        name: row.get("name")?,
        state: row.parsed("state", TargetState::from_code)?,
        refusal: code.zip(message),
        calls: Vec::new(),
    })
}
