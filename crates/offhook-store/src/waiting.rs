//! How a call hangs together with the clock and with other calls, and the calls that wait for their time.
//!
//! A call that waits was not begun: nothing of it was dialled, so that it may outlive the process. It is begun by
//! whoever takes the mark off its row, which is in the store before anything is dialled; one does.

use offhook_core::{CallId, CampaignId, OwnerId, ScheduleId, Timestamp};

use crate::db::{Param, Row, params};
use crate::{Store, StoreError};

/// What a call has to do with the clock and with other calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ties {
    pub not_before: Option<Timestamp>,
    pub not_after: Option<Timestamp>,
    /// It was not begun yet.
    pub waits: bool,
    /// The call it follows up.
    pub follows: Option<CallId>,
    /// The call it is another try of.
    pub repeats: Option<CallId>,
    pub campaign: Option<CampaignId>,
    /// What placed it by the clock.
    pub schedule: Option<ScheduleId>,
    /// To its own user, of the agent's own accord.
    pub proactive: bool,
}

impl Ties {
    /// In the order of the columns as they are written.
    pub(crate) fn params(&self) -> [Param; 8] {
        [
            self.not_before.into(),
            self.not_after.into(),
            i64::from(self.waits).into(),
            self.follows.into(),
            self.repeats.into(),
            self.campaign.into(),
            self.schedule.into(),
            i64::from(self.proactive).into(),
        ]
    }

    pub(crate) fn of(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            not_before: row.opt_at("not_before")?,
            not_after: row.opt_at("not_after")?,
            waits: row.int("waits")? == 1,
            follows: row.opt_parsed("follows", |id| id.parse().ok())?,
            repeats: row.opt_parsed("repeats", |id| id.parse().ok())?,
            campaign: row.opt_parsed("campaign", |id| id.parse().ok())?,
            schedule: row.opt_parsed("schedule", |id| id.parse().ok())?,
            proactive: row.int("proactive")? == 1,
        })
    }
}

impl Store {
    /// The calls that wait, and until when; the next one first.
    pub async fn waiting_calls(&self) -> Result<Vec<(CallId, Timestamp)>, StoreError> {
        const SQL: &str = "SELECT id, COALESCE(not_before, queued_at) AS due FROM calls \
            WHERE waits = 1 ORDER BY not_before, id";
        let waiting = |row: &Row| Ok((row.parsed("id", |id| id.parse().ok())?, row.at("due")?));
        self.db.rows(SQL, vec![]).await?.iter().map(waiting).collect()
    }

    /// How many calls of this owner's wait.
    pub async fn waiting_calls_of(&self, owner: OwnerId) -> Result<u64, StoreError> {
        const SQL: &str = "SELECT COUNT(*) AS calls FROM calls WHERE waits = 1 AND owner_id = $1";
        let row = self.db.row(SQL, params![owner]).await?.ok_or(StoreError::Gone)?;
        Ok(row.int("calls")?.max(0) as u64)
    }

    /// How many calls of owners who were given a key on their first call wait.
    pub async fn waiting_calls_of_minted_keys(&self) -> Result<u64, StoreError> {
        const SQL: &str = "SELECT COUNT(*) AS calls FROM calls WHERE waits = 1 \
            AND EXISTS (SELECT 1 FROM api_keys WHERE api_keys.owner_id = calls.owner_id AND kind = 'proto')";
        let row = self.db.row(SQL, vec![]).await?.ok_or(StoreError::Gone)?;
        Ok(row.int("calls")?.max(0) as u64)
    }

    /// Begin a call that waits, or end it; of any who try, one may. From then on it is never begun again.
    pub async fn begin_waiting(&self, call: CallId) -> Result<bool, StoreError> {
        const SQL: &str = "UPDATE calls SET waits = 0 WHERE id = $1 AND waits = 1";
        Ok(self.db.execute(SQL, params![call]).await? == 1)
    }

    /// The calls that follow this one up, oldest first.
    pub async fn follow_ups(&self, call: CallId) -> Result<Vec<CallId>, StoreError> {
        const SQL: &str = "SELECT id FROM calls WHERE follows = $1 ORDER BY queued_at, id";
        let rows = self.db.rows(SQL, params![call]).await?;
        rows.iter().map(|row| row.parsed("id", |id| id.parse().ok())).collect()
    }

    /// Whether this owner was given its key on its first call, and has no other.
    pub async fn is_minted(&self, owner: OwnerId) -> Result<bool, StoreError> {
        const SQL: &str = "SELECT id FROM api_keys WHERE owner_id = $1 AND kind = 'proto' LIMIT 1";
        Ok(self.db.row(SQL, params![owner]).await?.is_some())
    }
}
