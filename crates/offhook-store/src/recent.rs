//! What the calling rules need to know of calls that are over: how many there were lately, and when.

use offhook_core::policy::Recent;
use offhook_core::{OwnerId, Timestamp};

use crate::db::{Row, params};
use crate::{Store, StoreError};

impl Store {
    /// The calls this owner placed since then.
    pub async fn recent_calls_of(&self, owner: OwnerId, since: Timestamp) -> Result<Recent, StoreError> {
        const SQL: &str = "SELECT COUNT(*) AS n, MIN(queued_at) AS oldest_at FROM calls \
            WHERE owner_id = $1 AND queued_at >= $2 AND direction = 'outbound'";
        recent_of(self.db.row(SQL, params![owner, since]).await?)
    }

    /// The calls anybody placed to this number since then.
    pub async fn recent_calls_to(&self, to: &str, since: Timestamp) -> Result<Recent, StoreError> {
        const SQL: &str = "SELECT COUNT(*) AS n, MIN(queued_at) AS oldest_at FROM calls \
            WHERE to_number = $1 AND queued_at >= $2 AND direction = 'outbound'";
        recent_of(self.db.row(SQL, params![to, since]).await?)
    }

    /// When the last call that anybody placed to this number was over.
    pub async fn last_call_to_ended_at(&self, to: &str) -> Result<Option<Timestamp>, StoreError> {
        const SQL: &str =
            "SELECT MAX(finalized_at) AS at FROM calls WHERE to_number = $1 AND direction = 'outbound'";
        self.db.row(SQL, params![to]).await?.map_or(Ok(None), |row| row.opt_at("at"))
    }
}

fn recent_of(row: Option<Row>) -> Result<Recent, StoreError> {
    let Some(row) = row else { return Ok(Recent::default()) };
    Ok(Recent { count: row.opt_number("n")?.unwrap_or(0), oldest_at: row.opt_at("oldest_at")? })
}
