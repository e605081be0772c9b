//! What belongs to an owner besides keys and calls: limits, preferences, and what was used of the limits.

use std::fmt;

use offhook_core::{OwnerId, Timestamp};

use crate::db::{Row, params};
use crate::{Store, StoreError};

/// Whoever asks for calls. `Debug` prints no address.
#[derive(Clone, PartialEq, Eq)]
pub struct OwnerRow {
    pub id: OwnerId,
    pub label: Option<String>,
    pub email: Option<String>,
    /// A JSON object; `None` means the configured defaults.
    pub limits: Option<String>,
    pub created_at: Timestamp,
}

impl fmt::Debug for OwnerRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, label, limits, .. } = self;
        let mut shown = f.debug_struct("OwnerRow");
        shown.field("id", id).field("label", label).field("limits", limits).finish_non_exhaustive()
    }
}

/// What an owner's calls are like where a call does not say otherwise. `Debug` prints none of it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Preferences {
    pub voice: Option<String>,
    pub personality: Option<String>,
    pub greeting: Option<String>,
    pub warm_greeting: Option<bool>,
}

impl fmt::Debug for Preferences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Preferences").field("voice", &self.voice).finish_non_exhaustive()
    }
}

/// A conversation that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Talk {
    pub over_at: Timestamp,
    pub talk_ms: u64,
}

/// How many conversations there were, and how long they were together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Talked {
    pub calls: u64,
    pub talk_ms: u64,
}

impl Store {
    /// The owner's conversations on calls we placed that were over since then, oldest first.
    pub async fn talks_of(&self, owner: OwnerId, since: Timestamp) -> Result<Vec<Talk>, StoreError> {
        const SQL: &str = "SELECT finalized_at, talk_ms FROM calls \
            WHERE owner_id = $1 AND finalized_at >= $2 AND talk_ms IS NOT NULL AND direction = 'outbound' \
            ORDER BY finalized_at, id";
        self.db.rows(SQL, params![owner, since]).await?.iter().map(talk_of).collect()
    }

    /// The same of all owners who were given a key on their first call.
    pub async fn talks_of_minted_keys(&self, since: Timestamp) -> Result<Vec<Talk>, StoreError> {
        const SQL: &str = "SELECT finalized_at, talk_ms FROM calls \
            WHERE finalized_at >= $1 AND talk_ms IS NOT NULL AND direction = 'outbound' \
            AND EXISTS (SELECT 1 FROM api_keys WHERE api_keys.owner_id = calls.owner_id AND kind = 'proto') \
            ORDER BY finalized_at, id";
        self.db.rows(SQL, params![since]).await?.iter().map(talk_of).collect()
    }

    /// All conversations of the owner on calls we placed that lasted so long or longer.
    pub async fn talked(&self, owner: OwnerId, shortest_ms: u64) -> Result<Talked, StoreError> {
        const SQL: &str = "SELECT COUNT(*) AS calls, CAST(COALESCE(SUM(talk_ms), 0) AS BIGINT) AS talk_ms FROM calls \
            WHERE owner_id = $1 AND talk_ms >= $2 AND direction = 'outbound'";
        let shortest = i64::try_from(shortest_ms).unwrap_or(i64::MAX);
        let row = self.db.row(SQL, params![owner, shortest]).await?.ok_or(StoreError::Gone)?;
        Ok(Talked { calls: count(&row, "calls")?, talk_ms: count(&row, "talk_ms")? })
    }

    pub async fn owner(&self, owner: OwnerId) -> Result<Option<OwnerRow>, StoreError> {
        const SQL: &str = "SELECT id, label, email, limits, created_at FROM owners WHERE id = $1";
        self.db.row(SQL, params![owner]).await?.as_ref().map(owner_of).transpose()
    }

    /// All owners, oldest first.
    pub async fn owners(&self) -> Result<Vec<OwnerRow>, StoreError> {
        const SQL: &str = "SELECT id, label, email, limits, created_at FROM owners ORDER BY created_at, id";
        self.db.rows(SQL, vec![]).await?.iter().map(owner_of).collect()
    }

    /// Sets the limits of an owner, a JSON object. False when there is no such owner.
    pub async fn set_limits(&self, owner: OwnerId, limits: Option<&str>) -> Result<bool, StoreError> {
        const SQL: &str = "UPDATE owners SET limits = $2 WHERE id = $1";
        Ok(self.db.execute(SQL, params![owner, limits]).await? == 1)
    }

    /// Sets the address of an owner. False when there is no such owner.
    pub async fn set_email(&self, owner: OwnerId, email: Option<&str>) -> Result<bool, StoreError> {
        const SQL: &str = "UPDATE owners SET email = $2 WHERE id = $1";
        Ok(self.db.execute(SQL, params![owner, email.map(str::to_lowercase)]).await? == 1)
    }

    /// `None` when none were set.
    pub async fn preferences(&self, owner: OwnerId) -> Result<Option<Preferences>, StoreError> {
        const SQL: &str =
            "SELECT voice, personality, greeting, warm_greeting FROM preferences WHERE owner_id = $1";
        let row = self.db.row(SQL, params![owner]).await?;
        row.map(|row| {
            Ok(Preferences {
                voice: row.get("voice")?,
                personality: row.get("personality")?,
                greeting: row.get("greeting")?,
                warm_greeting: row.get::<Option<i64>>("warm_greeting")?.map(|warm| warm != 0),
            })
        })
        .transpose()
    }

    /// Replaces the preferences of an owner. False when there is no such owner.
    pub async fn set_preferences(
        &self,
        owner: OwnerId,
        new: &Preferences,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        const SQL: &str = "INSERT INTO preferences \
                (owner_id, voice, personality, greeting, warm_greeting, changed_at) \
            SELECT $1, $2, $3, $4, $5, $6 WHERE EXISTS (SELECT 1 FROM owners WHERE id = $1) \
            ON CONFLICT (owner_id) DO UPDATE SET voice = EXCLUDED.voice, personality = EXCLUDED.personality, \
                greeting = EXCLUDED.greeting, warm_greeting = EXCLUDED.warm_greeting, \
                changed_at = EXCLUDED.changed_at";
        let Preferences { voice, personality, greeting, warm_greeting } = new.clone();
        let params = params![owner, voice, personality, greeting, warm_greeting.map(i64::from), at];
        Ok(self.db.execute(SQL, params).await? == 1)
    }

    pub async fn clear_preferences(&self, owner: OwnerId) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM preferences WHERE owner_id = $1";
        self.db.execute(SQL, params![owner]).await.map(drop)
    }
}

fn owner_of(row: &Row) -> Result<OwnerRow, StoreError> {
    Ok(OwnerRow {
        id: row.parsed("id", |id| id.parse().ok())?,
        label: row.get("label")?,
        email: row.get("email")?,
        limits: row.get("limits")?,
        created_at: row.at("created_at")?,
    })
}

fn talk_of(row: &Row) -> Result<Talk, StoreError> {
    Ok(Talk { over_at: row.at("finalized_at")?, talk_ms: count(row, "talk_ms")? })
}

fn count(row: &Row, column: &'static str) -> Result<u64, StoreError> {
    u64::try_from(row.int(column)?).map_err(|_| StoreError::Unreadable { column })
}
