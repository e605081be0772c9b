//! The user's own phones, which the operator has confirmed.

use offhook_core::{OwnerId, Timestamp};

use crate::db::params;
use crate::{Store, StoreError};

/// A phone of an owner's. `Debug` prints no number.
#[derive(Clone, PartialEq, Eq)]
pub struct PhoneRow {
    pub number: String,
    /// Of several the one that is called.
    pub primary: bool,
    pub confirmed_at: Timestamp,
}

impl std::fmt::Debug for PhoneRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PhoneRow").field("primary", &self.primary).finish_non_exhaustive()
    }
}

impl Store {
    /// The phones of an owner, the primary one first.
    pub async fn phones(&self, owner: OwnerId) -> Result<Vec<PhoneRow>, StoreError> {
        const SQL: &str = "SELECT number, is_primary, confirmed_at FROM owner_phones WHERE owner_id = $1 \
            ORDER BY is_primary DESC, confirmed_at, number";
        let rows = self.db.rows(SQL, params![owner]).await?;
        let phone = |row: &crate::db::Row| {
            let (number, primary) = (row.text("number")?, row.int("is_primary")? != 0);
            Ok(PhoneRow { number, primary, confirmed_at: row.at("confirmed_at")? })
        };
        rows.iter().map(phone).collect()
    }

    /// Notes a phone of an owner's as confirmed; a primary one takes the place of the one before. False when there is
    /// no such owner.
    pub async fn add_phone(&self, owner: OwnerId, new: &PhoneRow) -> Result<bool, StoreError> {
        const NO_OTHER: &str = "UPDATE owner_phones SET is_primary = 0 WHERE owner_id = $1";
        const SQL: &str = "INSERT INTO owner_phones (owner_id, number, is_primary, confirmed_at) \
            SELECT $1, $2, $3, $4 WHERE EXISTS (SELECT 1 FROM owners WHERE id = $1) \
            ON CONFLICT (owner_id, number) DO UPDATE SET is_primary = EXCLUDED.is_primary, \
                confirmed_at = EXCLUDED.confirmed_at";
        let mut tx = self.db.begin().await?;
        if new.primary {
            tx.execute(NO_OTHER, params![owner]).await?;
        }
        let params = params![owner, new.number.as_str(), i64::from(new.primary), new.confirmed_at];
        let written = tx.execute(SQL, params).await?;
        tx.commit().await?;
        Ok(written == 1)
    }

    /// False when this was no phone of the owner's.
    pub async fn remove_phone(&self, owner: OwnerId, number: &str) -> Result<bool, StoreError> {
        const SQL: &str = "DELETE FROM owner_phones WHERE owner_id = $1 AND number = $2";
        Ok(self.db.execute(SQL, params![owner, number]).await? == 1)
    }
}
