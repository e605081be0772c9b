//! The one number that the voice calls for an account, and the keys that may have no other called.

use offhook_core::OwnerId;

use crate::db::params;
use crate::{KeyId, KeyKind, Store, StoreError};

impl Store {
    /// The number, as it was written; `None` where none is set.
    pub async fn voice_target(&self, owner: OwnerId) -> Result<Option<String>, StoreError> {
        const SQL: &str = "SELECT voice_target FROM owners WHERE id = $1";
        let row = self.db.row(SQL, params![owner]).await?;
        row.map_or(Ok(None), |row| row.get("voice_target"))
    }

    /// False when there is no such owner.
    pub async fn set_voice_target(&self, owner: OwnerId, number: Option<&str>) -> Result<bool, StoreError> {
        const SQL: &str = "UPDATE owners SET voice_target = $2 WHERE id = $1";
        Ok(self.db.execute(SQL, params![owner, number]).await? == 1)
    }

    /// Whether anybody can still have whomever called in the name of this owner.
    pub async fn has_free_key(&self, owner: OwnerId) -> Result<bool, StoreError> {
        const SQL: &str =
            "SELECT id FROM api_keys WHERE owner_id = $1 AND revoked_at IS NULL AND kind <> 'voice' LIMIT 1";
        Ok(self.db.row(SQL, params![owner]).await?.is_some())
    }

    /// Binds an owner's key to the target, or frees it. False when there is no such key, or it is of another kind.
    pub async fn bind_key(&self, key: KeyId, bound: bool) -> Result<bool, StoreError> {
        const SQL: &str = "UPDATE api_keys SET kind = $2 WHERE id = $1 AND revoked_at IS NULL \
            AND kind IN ('owner', 'voice')";
        let kind = if bound { KeyKind::Voice } else { KeyKind::Owner };
        Ok(self.db.execute(SQL, params![key.to_string(), kind.code()]).await? == 1)
    }
}
