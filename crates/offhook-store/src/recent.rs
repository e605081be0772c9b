//! What the calling rules need to know of the calls of the last day: when the newest of them were placed.
//!
//! A call that waits for its time was not placed yet; one that waited was placed when its time had come, as far as it
//! matters here.

use offhook_core::{DAY, OwnerId, Timestamp};

use crate::db::{Param, params};
use crate::{Store, StoreError};

/// In two halves, so that each finds its rows by an index.
macro_rules! newest {
    ($whose:literal, $since:literal, $limit:literal) => {
        concat!(
            "SELECT at FROM (SELECT queued_at AS at FROM calls WHERE ",
            $whose,
            " not_before IS NULL AND queued_at >= ",
            $since,
            " AND direction = 'outbound' ORDER BY queued_at DESC LIMIT ",
            $limit,
            ") AS placed_at_once \
             UNION ALL SELECT not_before AS at FROM calls WHERE ",
            $whose,
            " not_before >= ",
            $since,
            " AND waits = 0 AND direction = 'outbound' ORDER BY at DESC LIMIT ",
            $limit
        )
    };
}

impl Store {
    /// When this owner placed its newest calls since then, the newest first.
    pub async fn newest_calls_of(
        &self,
        owner: OwnerId,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<Timestamp>, StoreError> {
        const SQL: &str = newest!("owner_id = $1 AND", "$2", "$3");
        self.instants(SQL, params![owner, since, i64::from(limit)]).await
    }

    /// When the newest calls were placed by owners who were given a key on their first call, the newest first.
    pub async fn newest_calls_of_minted_keys(
        &self,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<Timestamp>, StoreError> {
        const SQL: &str = newest!(
            "EXISTS (SELECT 1 FROM api_keys WHERE api_keys.owner_id = calls.owner_id AND kind = 'proto') AND",
            "$1",
            "$2"
        );
        self.instants(SQL, params![since, i64::from(limit)]).await
    }

    /// When anybody placed the newest calls to this number since then, the newest first.
    pub async fn newest_calls_to(
        &self,
        to: &str,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<Timestamp>, StoreError> {
        const SQL: &str = newest!("to_number = $1 AND", "$2", "$3");
        self.instants(SQL, params![to, since, i64::from(limit)]).await
    }

    /// When the newest calls were placed to this number, or the first time of others was that it was called into them
    /// as their user: since then, the newest first.
    pub async fn newest_calls_to_user(
        &self,
        user: &str,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<Timestamp>, StoreError> {
        const SQL: &str = "SELECT MIN(journal.at) AS at FROM calls \
            JOIN journal ON journal.call_id = calls.id AND journal.code = 'handoff.dialing' \
            WHERE user_number = $1 AND COALESCE(not_before, queued_at) >= $2 GROUP BY calls.id ORDER BY at DESC LIMIT $3";
        let mut newest = self.newest_calls_to(user, since, limit).await?;
        // A call is over in less than a day after it was placed, or begins a new one.
        newest.extend(self.instants(SQL, params![user, since - DAY, i64::from(limit)]).await?);
        newest.retain(|at| *at >= since);
        newest.sort_unstable_by(|a, b| b.cmp(a));
        newest.truncate(limit as usize);
        Ok(newest)
    }

    /// When the last call that anybody placed to this number was over.
    pub async fn last_call_to_ended_at(&self, to: &str) -> Result<Option<Timestamp>, StoreError> {
        const SQL: &str =
            "SELECT MAX(finalized_at) AS at FROM calls WHERE to_number = $1 AND direction = 'outbound'";
        self.db.row(SQL, params![to]).await?.map_or(Ok(None), |row| row.opt_at("at"))
    }

    async fn instants(&self, sql: &'static str, params: Vec<Param>) -> Result<Vec<Timestamp>, StoreError> {
        self.db.rows(sql, params).await?.iter().map(|row| row.at("at")).collect()
    }
}
