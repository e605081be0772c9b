//! Lines that are one owner's, and how calls to them are answered.

use std::fmt;

use offhook_core::{OwnerId, Timestamp};

use crate::db::{Row, params};
use crate::{Store, StoreError};

/// A line of ours that is one owner's. `Debug` prints no number.
#[derive(Clone, PartialEq, Eq)]
pub struct ReservedRow {
    pub id: i64,
    pub number: String,
    pub owner: OwnerId,
    pub reserved_at: Timestamp,
}

impl fmt::Debug for ReservedRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReservedRow")
            .field("id", &self.id)
            .field("owner", &self.owner)
            .finish_non_exhaustive()
    }
}

/// How calls to an owner's lines are answered. `Debug` prints none of it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct InboundProfile {
    pub instructions: String,
    pub greeting: String,
    pub handoff_number: Option<String>,
    /// Hand over to the owner's own phone, or to nobody; `None`: to `handoff_number`, if there is one.
    pub loop_in_user: Option<bool>,
    /// Callers who are put through to the owner's own phone.
    pub passthrough_numbers: Vec<String>,
    /// Who may call and what happens then, a JSON object of the gateway's own; `None`: as is usual.
    pub reception: Option<String>,
}

impl fmt::Debug for InboundProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InboundProfile").field("loop_in_user", &self.loop_in_user).finish_non_exhaustive()
    }
}

impl InboundProfile {
    /// Whether this caller is put through.
    pub fn passes(&self, caller: &str) -> bool {
        self.passthrough_numbers.iter().any(|number| number == caller)
    }
}

/// Why a line can't be reserved.
#[derive(Debug, thiserror::Error)]
pub enum ReserveError {
    #[error("there is no such account")]
    UnknownOwner,
    #[error("this line is reserved already; release it first")]
    Taken,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Makes a line one owner's.
    pub async fn reserve(&self, number: &str, owner: OwnerId, at: Timestamp) -> Result<i64, ReserveError> {
        const SQL: &str = "INSERT INTO reserved_numbers (id, number, owner_id, reserved_at) \
            SELECT (SELECT COALESCE(MAX(id), 0) + 1 FROM reserved_numbers), $1, $2, $3 \
            WHERE EXISTS (SELECT 1 FROM owners WHERE id = $2) ON CONFLICT (number) DO NOTHING RETURNING id";
        let mut tx = self.db.begin().await?;
        let row = tx.row(SQL, params![number, owner, at]).await?;
        let id = row.map(|row| row.int("id")).transpose()?;
        tx.commit().await?;
        match id {
            Some(id) => Ok(id),
            None if self.owner(owner).await?.is_none() => Err(ReserveError::UnknownOwner),
            None => Err(ReserveError::Taken),
        }
    }

    /// Gives a line back to all; whose it was.
    pub async fn release(&self, number: &str) -> Result<Option<OwnerId>, StoreError> {
        const SQL: &str = "DELETE FROM reserved_numbers WHERE number = $1 RETURNING owner_id";
        let mut tx = self.db.begin().await?;
        let row = tx.row(SQL, params![number]).await?;
        let owner = row.map(|row| row.parsed("owner_id", |id| id.parse().ok())).transpose()?;
        tx.commit().await?;
        Ok(owner)
    }

    /// All lines that are somebody's, the oldest reservation first.
    pub async fn reserved_lines(&self) -> Result<Vec<ReservedRow>, StoreError> {
        const SQL: &str = "SELECT id, number, owner_id, reserved_at FROM reserved_numbers ORDER BY id";
        self.db.rows(SQL, vec![]).await?.iter().map(reserved_of).collect()
    }

    /// `None` when none was set.
    pub async fn inbound_profile(&self, owner: OwnerId) -> Result<Option<InboundProfile>, StoreError> {
        const SQL: &str = "SELECT instructions, greeting, handoff_number, loop_in_user, passthrough_numbers, \
                reception FROM inbound_profiles WHERE owner_id = $1";
        self.db.row(SQL, params![owner]).await?.as_ref().map(profile_of).transpose()
    }

    /// Puts a profile in the place of what there was, or removes it. False when there is no such owner.
    pub async fn set_inbound_profile(
        &self,
        owner: OwnerId,
        new: Option<&InboundProfile>,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        const SQL: &str = "INSERT INTO inbound_profiles (owner_id, instructions, greeting, handoff_number, \
                loop_in_user, passthrough_numbers, changed_at, reception) \
            SELECT $1, $2, $3, $4, $5, $6, $7, $8 WHERE EXISTS (SELECT 1 FROM owners WHERE id = $1) \
            ON CONFLICT (owner_id) DO UPDATE SET instructions = EXCLUDED.instructions, \
                greeting = EXCLUDED.greeting, handoff_number = EXCLUDED.handoff_number, \
                loop_in_user = EXCLUDED.loop_in_user, passthrough_numbers = EXCLUDED.passthrough_numbers, \
                changed_at = EXCLUDED.changed_at, reception = EXCLUDED.reception";
        const CLEAR: &str = "DELETE FROM inbound_profiles WHERE owner_id = $1";
        let Some(new) = new else {
            self.db.execute(CLEAR, params![owner]).await?;
            return Ok(true);
        };
        let numbers = serde_json::Value::from(new.passthrough_numbers.clone()).to_string();
        let (instructions, greeting) = (new.instructions.as_str(), new.greeting.as_str());
        let (handoff, loop_in) = (new.handoff_number.as_deref(), new.loop_in_user.map(i64::from));
        let reception = new.reception.as_deref();
        let params = params![owner, instructions, greeting, handoff, loop_in, numbers, at, reception];
        Ok(self.db.execute(SQL, params).await? == 1)
    }
}

fn reserved_of(row: &Row) -> Result<ReservedRow, StoreError> {
    let owner = row.parsed("owner_id", |id| id.parse().ok())?;
    let (id, number) = (row.int("id")?, row.text("number")?);
    Ok(ReservedRow { id, number, owner, reserved_at: row.at("reserved_at")? })
}

fn profile_of(row: &Row) -> Result<InboundProfile, StoreError> {
    Ok(InboundProfile {
        instructions: row.text("instructions")?,
        greeting: row.text("greeting")?,
        handoff_number: row.get("handoff_number")?,
        loop_in_user: row.get::<Option<i64>>("loop_in_user")?.map(|wanted| wanted != 0),
        passthrough_numbers: row.parsed("passthrough_numbers", |json| serde_json::from_str(json).ok())?,
        reception: row.get("reception")?,
    })
}
