//! Linking a key that was given out on a first call to an account: the key stays what it is, and it and all that was
//! its owner's become the account's.

use offhook_core::{OwnerId, Timestamp};

use crate::calls::hex;
use crate::db::{Tx, params};
use crate::keys::{self, KeyId, NewKey};
use crate::{Store, StoreError};

/// A code that lets its holder link one key to an account.
#[derive(Clone, Debug)]
pub struct NewLinkCode {
    pub owner: OwnerId,
    /// SHA-256 of the code.
    pub hash: [u8; 32],
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    #[error("this key is unknown or was revoked; place a first call without a key to get another")]
    UnknownKey,
    #[error("this key belongs to an account already")]
    AlreadyLinked,
    #[error("this code is unknown, was used or has expired; ask for another")]
    WrongCode,
    #[error("a call of this key is under way; try again when it is over")]
    CallUnderWay,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// False when there is no such owner.
    pub async fn create_link_code(&self, new: &NewLinkCode) -> Result<bool, StoreError> {
        const SQL: &str = "INSERT INTO link_codes (hash, owner_id, created_at, expires_at) \
            SELECT $1, $2, $3, $4 WHERE EXISTS (SELECT 1 FROM owners WHERE id = $2)";
        let params = params![hex(&new.hash), new.owner, new.created_at, new.expires_at];
        Ok(self.db.execute(SQL, params).await? == 1)
    }

    /// Links the key with this hash, and all that belongs to its owner, to the account that this code is for. All or
    /// nothing, and the code is used up only then.
    pub async fn link(&self, key: &[u8; 32], code: &[u8; 32], at: Timestamp) -> Result<OwnerId, LinkError> {
        let mut tx = self.db.begin().await?;
        let from = proto_owner(&mut tx, key).await?;
        let to = use_code(&mut tx, code, at).await?;
        if is_calling(&mut tx, from).await? {
            return Err(LinkError::CallUnderWay);
        }
        move_all(&mut tx, from, to).await?;
        tx.commit().await?;
        Ok(to)
    }

    /// Puts a new key in the place of one: the same owner, kind and label. False when there is no such key, or it was
    /// revoked.
    pub async fn rotate_key(&self, old: KeyId, new: &NewKey) -> Result<bool, StoreError> {
        const REVOKE: &str = "UPDATE api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";
        const INSERT: &str = "INSERT INTO api_keys (id, owner_id, hash, kind, label, created_at) \
            SELECT $1, owner_id, $2, kind, label, $3 FROM api_keys WHERE id = $4";
        let mut tx = self.db.begin().await?;
        if tx.execute(REVOKE, params![old.to_string(), new.created_at]).await? == 0 {
            return Ok(false);
        }
        let id = keys::new_id(new.created_at).to_string();
        tx.execute(INSERT, params![id, hex(&new.hash), new.created_at, old.to_string()]).await?;
        tx.commit().await?;
        Ok(true)
    }
}

async fn proto_owner(tx: &mut Tx, key: &[u8; 32]) -> Result<OwnerId, LinkError> {
    const SQL: &str = "SELECT owner_id, kind FROM api_keys WHERE hash = $1 AND revoked_at IS NULL";
    let row = tx.row(SQL, params![hex(key)]).await?.ok_or(LinkError::UnknownKey)?;
    if row.text("kind")? != keys::KeyKind::Proto.code() {
        return Err(LinkError::AlreadyLinked);
    }
    Ok(row.parsed("owner_id", |id| id.parse().ok())?)
}

/// Of any who use a code at once, one does.
async fn use_code(tx: &mut Tx, code: &[u8; 32], at: Timestamp) -> Result<OwnerId, LinkError> {
    const SQL: &str = "UPDATE link_codes SET used_at = $2 \
        WHERE hash = $1 AND used_at IS NULL AND expires_at > $2 RETURNING owner_id";
    let row = tx.row(SQL, params![hex(code), at]).await?.ok_or(LinkError::WrongCode)?;
    Ok(row.parsed("owner_id", |id| id.parse().ok())?)
}

async fn is_calling(tx: &mut Tx, owner: OwnerId) -> Result<bool, StoreError> {
    // A call that waits for its time is found by whoever begins it, whose it is by then.
    const CALLS: &str =
        "SELECT id FROM calls WHERE owner_id = $1 AND lifecycle <> 'finalized' AND waits = 0 LIMIT 1";
    const CAMPAIGNS: &str = "SELECT id FROM campaigns WHERE owner_id = $1 AND state <> 'done' LIMIT 1";
    let calls = tx.row(CALLS, params![owner]).await?.is_some();
    Ok(calls || tx.row(CAMPAIGNS, params![owner]).await?.is_some())
}

async fn move_all(tx: &mut Tx, from: OwnerId, to: OwnerId) -> Result<(), StoreError> {
    // What the account has already stays as it is.
    const MOVE: &[&str] = &[
        "UPDATE calls SET owner_id = $2 WHERE owner_id = $1",
        "UPDATE campaigns SET idempotency_key = NULL WHERE owner_id = $1 \
            AND idempotency_key IN (SELECT idempotency_key FROM campaigns WHERE owner_id = $2)",
        "UPDATE campaigns SET owner_id = $2 WHERE owner_id = $1",
        "DELETE FROM idempotency WHERE owner_id = $1 \
            AND idempotency_key IN (SELECT idempotency_key FROM idempotency WHERE owner_id = $2)",
        "UPDATE idempotency SET owner_id = $2 WHERE owner_id = $1",
        "UPDATE preferences SET owner_id = $2 WHERE owner_id = $1 \
            AND NOT EXISTS (SELECT 1 FROM preferences WHERE owner_id = $2)",
        "UPDATE owner_phones SET owner_id = $2, is_primary = 0 WHERE owner_id = $1 \
            AND number NOT IN (SELECT number FROM owner_phones WHERE owner_id = $2)",
        "UPDATE reserved_numbers SET owner_id = $2 WHERE owner_id = $1",
        "UPDATE inbound_profiles SET owner_id = $2 WHERE owner_id = $1 \
            AND NOT EXISTS (SELECT 1 FROM inbound_profiles WHERE owner_id = $2)",
        "UPDATE approvals SET idempotency_key = NULL WHERE owner_id = $1 \
            AND idempotency_key IN (SELECT idempotency_key FROM approvals WHERE owner_id = $2)",
        "UPDATE approvals SET owner_id = $2 WHERE owner_id = $1",
        "UPDATE pins SET owner_id = $2 WHERE owner_id = $1 \
            AND NOT EXISTS (SELECT 1 FROM pins WHERE owner_id = $2)",
        "UPDATE schedules SET idempotency_key = NULL WHERE owner_id = $1 \
            AND idempotency_key IN (SELECT idempotency_key FROM schedules WHERE owner_id = $2)",
        "UPDATE schedules SET owner_id = $2 WHERE owner_id = $1",
        "UPDATE proactive SET owner_id = $2 WHERE owner_id = $1 \
            AND NOT EXISTS (SELECT 1 FROM proactive WHERE owner_id = $2)",
        "UPDATE audit SET owner_id = $2 WHERE owner_id = $1",
        "UPDATE owners SET voice_target = (SELECT voice_target FROM owners WHERE id = $1) \
            WHERE id = $2 AND voice_target IS NULL",
        "UPDATE api_keys SET owner_id = $2, kind = 'owner' WHERE owner_id = $1",
        "DELETE FROM owners WHERE id = $1 AND id <> $2",
    ];
    for sql in MOVE {
        tx.execute(sql, params![from, to]).await?;
    }
    Ok(())
}
