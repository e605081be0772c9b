//! What was learned about Azure Communication Services resources.

use offhook_core::Timestamp;

use crate::db::params;
use crate::{Store, StoreError};

/// For whom the tokens of a resource's callbacks are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudienceRow {
    pub audience: String,
    pub learned_at: Timestamp,
}

impl Store {
    /// What was learned of this resource.
    pub async fn acs_audience(&self, resource: &str) -> Result<Option<AudienceRow>, StoreError> {
        const SQL: &str = "SELECT audience, learned_at FROM acs_audiences WHERE resource = $1";
        let row = self.db.row(SQL, params![resource]).await?;
        let audience = |row: crate::db::Row| {
            Ok(AudienceRow { audience: row.text("audience")?, learned_at: row.at("learned_at")? })
        };
        row.map(audience).transpose()
    }

    /// Notes the audience of a resource, unless one is known: the first counts. Returns the one that counts.
    pub async fn learn_acs_audience(
        &self,
        resource: &str,
        audience: &str,
        now: Timestamp,
    ) -> Result<AudienceRow, StoreError> {
        const SQL: &str = "INSERT INTO acs_audiences (resource, audience, learned_at) VALUES ($1, $2, $3) \
            ON CONFLICT (resource) DO NOTHING";
        self.db.execute(SQL, params![resource, audience, now]).await?;
        let known = self.acs_audience(resource).await?;
        // Somebody had it forgotten between the two statements: then ours has been the first.
        Ok(known.unwrap_or_else(|| AudienceRow { audience: audience.to_owned(), learned_at: now }))
    }

    /// The next callback teaches it anew. False when none was known.
    pub async fn forget_acs_audience(&self, resource: &str) -> Result<bool, StoreError> {
        const SQL: &str = "DELETE FROM acs_audiences WHERE resource = $1";
        Ok(self.db.execute(SQL, params![resource]).await? == 1)
    }
}
