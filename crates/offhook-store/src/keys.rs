//! Owners and their API keys.

use std::fmt;
use std::str::FromStr;

use offhook_core::{OwnerId, Timestamp};
use uuid::Uuid;

use crate::calls::hex;
use crate::db::{Param, Row, Tx, params};
use crate::{Store, StoreError};

/// One API key. Not the key itself: it may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(Uuid);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for KeyId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::parse_str(text).map(Self)
    }
}

/// A fresh UUIDv7 for what was created at this instant.
pub(crate) fn new_id(at: Timestamp) -> Uuid {
    let micros = at.unix_micros().max(0) as u64;
    let nanos = (micros % 1_000_000) as u32 * 1_000;
    Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, micros / 1_000_000, nanos))
}

/// What a key is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// Minted by a first call without a key; its own calls only.
    Proto,
    /// Belongs to a known owner.
    Owner,
    /// May see and do everything.
    Admin,
    /// Of a known owner, bound to its target: has that number called and no other.
    Voice,
}

impl KeyKind {
    pub const ALL: [KeyKind; 4] = [Self::Proto, Self::Owner, Self::Admin, Self::Voice];

    pub const fn code(self) -> &'static str {
        match self {
            Self::Proto => "proto",
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Voice => "voice",
        }
    }

    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

#[derive(Clone, Debug)]
pub struct NewKey {
    pub owner: OwnerId,
    /// SHA-256 of the key.
    pub hash: [u8; 32],
    pub kind: KeyKind,
    pub label: Option<String>,
    pub created_at: Timestamp,
}

impl NewKey {
    fn params(&self, id: KeyId) -> Vec<Param> {
        let (kind, label) = (self.kind.code(), self.label.as_deref());
        params![id.to_string(), self.owner, hex(&self.hash), kind, label, self.created_at]
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRow {
    pub id: KeyId,
    pub owner: OwnerId,
    pub kind: KeyKind,
    pub label: Option<String>,
    pub created_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

#[derive(Debug, thiserror::Error)]
pub enum CreateKeyError {
    #[error("this key exists already; make another")]
    Exists,
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for CreateKeyError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Duplicate => Self::Exists,
            other => Self::Store(other),
        }
    }
}

impl Store {
    /// Creates an owner, or changes nothing where it exists.
    pub async fn create_owner(&self, owner: OwnerId, created_at: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        ensure_owner(&mut tx, owner, created_at).await?;
        tx.commit().await
    }

    /// Writes a key, and its owner where it does not exist yet.
    pub async fn create_key(&self, new: &NewKey) -> Result<KeyId, CreateKeyError> {
        const SQL: &str = "INSERT INTO api_keys (id, owner_id, hash, kind, label, created_at) \
            VALUES ($1, $2, $3, $4, $5, $6)";
        let id = KeyId(new_id(new.created_at));
        let mut tx = self.db.begin().await?;
        ensure_owner(&mut tx, new.owner, new.created_at).await?;
        tx.execute(SQL, new.params(id)).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// The key with this hash, also when it was revoked. What is looked up is the hash of a long random key, so how
    /// long the look-up takes tells nothing about the key.
    pub async fn key_by_hash(&self, hash: &[u8; 32]) -> Result<Option<KeyRow>, StoreError> {
        const SQL: &str = "SELECT id, owner_id, kind, label, created_at, last_used_at, revoked_at FROM api_keys \
            WHERE hash = $1";
        self.db.row(SQL, params![hex(hash)]).await?.as_ref().map(key_of).transpose()
    }

    /// All keys, or those of one owner, oldest first.
    pub async fn keys(&self, owner: Option<OwnerId>) -> Result<Vec<KeyRow>, StoreError> {
        const SQL: &str = "SELECT id, owner_id, kind, label, created_at, last_used_at, revoked_at FROM api_keys \
            WHERE $1 IS NULL OR owner_id = $1 ORDER BY created_at, id";
        self.db.rows(SQL, params![owner]).await?.iter().map(key_of).collect()
    }

    /// Whether anybody can still ask for something in the name of this owner.
    pub async fn has_good_key(&self, owner: OwnerId) -> Result<bool, StoreError> {
        const SQL: &str = "SELECT id FROM api_keys WHERE owner_id = $1 AND revoked_at IS NULL LIMIT 1";
        Ok(self.db.row(SQL, params![owner]).await?.is_some())
    }

    /// False when there is no such key or it was revoked before.
    pub async fn revoke_key(&self, key: KeyId, at: Timestamp) -> Result<bool, StoreError> {
        const SQL: &str = "UPDATE api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";
        Ok(self.db.execute(SQL, params![key.to_string(), at]).await? == 1)
    }
}

/// Notes when a key was used last; an older instant changes nothing.
pub(crate) async fn touch(tx: &mut Tx, key: KeyId, at: Timestamp) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE api_keys SET last_used_at = $2 \
        WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)";
    tx.execute(SQL, params![key.to_string(), at]).await.map(drop)
}

/// Writes a key and its owner, or changes nothing where they exist: the same first call was repeated.
pub(crate) async fn insert_minted(tx: &mut Tx, new: &NewKey) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO api_keys (id, owner_id, hash, kind, label, created_at) \
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (hash) DO NOTHING";
    ensure_owner(tx, new.owner, new.created_at).await?;
    tx.execute(SQL, new.params(KeyId(new_id(new.created_at)))).await.map(drop)
}

async fn ensure_owner(tx: &mut Tx, owner: OwnerId, created_at: Timestamp) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO owners (id, created_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING";
    tx.execute(SQL, params![owner, created_at]).await.map(drop)
}

fn key_of(row: &Row) -> Result<KeyRow, StoreError> {
    Ok(KeyRow {
        id: row.parsed("id", |id| id.parse().ok())?,
        owner: row.parsed("owner_id", |id| id.parse().ok())?,
        kind: row.parsed("kind", KeyKind::from_code)?,
        label: row.get("label")?,
        created_at: row.at("created_at")?,
        last_used_at: row.opt_at("last_used_at")?,
        revoked_at: row.opt_at("revoked_at")?,
    })
}
