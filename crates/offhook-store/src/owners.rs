//! What belongs to an owner besides keys and calls: limits, preferences, and what was used of the limits.

use std::fmt;

use offhook_core::policy::Trial;
use offhook_core::{CallId, OwnerId, Timestamp};

use crate::db::{Row, Tx, params};
use crate::{Store, StoreError};

/// Whoever asks for calls. `Debug` prints no address.
#[derive(Clone, PartialEq, Eq)]
pub struct OwnerRow {
    pub id: OwnerId,
    pub label: Option<String>,
    pub email: Option<String>,
    /// A JSON object; `None` means the configured defaults.
    pub limits: Option<String>,
    pub balance: Option<BalanceRow>,
    pub created_at: Timestamp,
}

/// Conversation that was paid for in advance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BalanceRow {
    /// What was left at `at`.
    pub left_ms: u64,
    pub at: Timestamp,
    /// What was used since then by calls that are deleted by now.
    pub erased_ms: u64,
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

/// A conversation that is over. `Debug` prints no number.
#[derive(Clone, PartialEq, Eq)]
pub struct Talk {
    pub call: CallId,
    /// Whom we called; `None`: we were called.
    pub to: Option<String>,
    /// Who was called into it, and for how long.
    pub user: Option<(String, u64)>,
    pub over_at: Timestamp,
    pub talk_ms: u64,
}

impl fmt::Debug for Talk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { call, over_at, talk_ms, .. } = self;
        let mut shown = f.debug_struct("Talk");
        shown.field("call", call).field("over_at", over_at).field("talk_ms", talk_ms).finish_non_exhaustive()
    }
}

/// How many conversations there were, and how long they were together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Talked {
    pub calls: u64,
    pub talk_ms: u64,
}

/// The conversations of these calls that count: on calls we placed, and on those to our lines that the user was called
/// into.
macro_rules! talks {
    ($of:literal, $since:literal, $but:literal) => {
        concat!(
            "SELECT id, direction, to_number, finalized_at, talk_ms, user_number, CASE WHEN user_number IS NOT NULL \
                THEN (SELECT MIN(at) FROM journal WHERE call_id = id AND code = 'handoff.dialing') END AS user_at \
             FROM calls WHERE ",
            $of,
            " AND finalized_at >= ",
            $since,
            " AND talk_ms IS NOT NULL AND (direction = 'outbound' OR (user_number IS NOT NULL AND EXISTS \
                (SELECT 1 FROM journal WHERE call_id = id AND code = 'handoff.dialing'))) AND ",
            $but,
            " NOT LIKE '%' || id || '%' ORDER BY finalized_at, id"
        )
    };
}

impl Store {
    /// The owner's conversations that count and were over since then, oldest first, but those of the calls named.
    pub async fn talks_of(
        &self,
        owner: OwnerId,
        since: Timestamp,
        but: &[CallId],
    ) -> Result<Vec<Talk>, StoreError> {
        const SQL: &str = talks!("owner_id = $1", "$2", "$3");
        self.db.rows(SQL, params![owner, since, listed(but)]).await?.iter().map(talk_of).collect()
    }

    /// The same of all owners who were given a key on their first call.
    pub async fn talks_of_minted_keys(
        &self,
        since: Timestamp,
        but: &[CallId],
    ) -> Result<Vec<Talk>, StoreError> {
        const SQL: &str = talks!(
            "EXISTS (SELECT 1 FROM api_keys WHERE api_keys.owner_id = calls.owner_id AND kind = 'proto')",
            "$1",
            "$2"
        );
        self.db.rows(SQL, params![since, listed(but)]).await?.iter().map(talk_of).collect()
    }

    /// What the owner has used of a trial, ever: the conversations on calls we placed that count, but those of the
    /// calls named.
    pub async fn trial_use(&self, owner: OwnerId, but: &[CallId]) -> Result<Talked, StoreError> {
        const SQL: &str = "SELECT COUNT(calls.id) + trial_erased_calls AS calls, \
                CAST(COALESCE(SUM(talk_ms), 0) + trial_erased_ms AS BIGINT) AS talk_ms \
            FROM owners LEFT JOIN calls ON owner_id = owners.id AND talk_ms >= $2 AND direction = 'outbound' \
                AND $3 NOT LIKE '%' || calls.id || '%' \
            WHERE owners.id = $1 GROUP BY owners.id, trial_erased_calls, trial_erased_ms";
        let Some(row) = self.db.row(SQL, params![owner, SHORTEST_MS, listed(but)]).await? else {
            return Ok(Talked::default());
        };
        Ok(Talked { calls: count(&row, "calls")?, talk_ms: count(&row, "talk_ms")? })
    }

    /// What of a balance was used by calls that are in the store, but those named.
    pub async fn used_since(
        &self,
        owner: OwnerId,
        since: Timestamp,
        but: &[CallId],
    ) -> Result<u64, StoreError> {
        const SQL: &str = "SELECT CAST(COALESCE(SUM(talk_ms), 0) AS BIGINT) AS talk_ms FROM calls \
            WHERE owner_id = $1 AND finalized_at >= $2 AND talk_ms > 0 AND (direction = 'outbound' \
                OR (user_number IS NOT NULL AND EXISTS \
                    (SELECT 1 FROM journal WHERE call_id = id AND code = 'handoff.dialing'))) \
            AND $3 NOT LIKE '%' || id || '%'";
        let row = self.db.row(SQL, params![owner, since, listed(but)]).await?.ok_or(StoreError::Gone)?;
        count(&row, "talk_ms")
    }

    /// Sets what an owner may still talk, from now on; `None`: nothing is paid for in advance. False when there is no
    /// such owner.
    pub async fn set_balance(
        &self,
        owner: OwnerId,
        left_ms: Option<u64>,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        const SQL: &str =
            "UPDATE owners SET balance_ms = $2, balance_at = $3, balance_erased_ms = 0 WHERE id = $1";
        let left = left_ms.map(|ms| i64::try_from(ms).unwrap_or(i64::MAX));
        let at = left.map(|_| at);
        Ok(self.db.execute(SQL, params![owner, left, at]).await? == 1)
    }

    pub async fn owner(&self, owner: OwnerId) -> Result<Option<OwnerRow>, StoreError> {
        const SQL: &str = "SELECT id, label, email, limits, balance_ms, balance_at, balance_erased_ms, created_at \
            FROM owners WHERE id = $1";
        self.db.row(SQL, params![owner]).await?.as_ref().map(owner_of).transpose()
    }

    /// All owners, oldest first.
    pub async fn owners(&self) -> Result<Vec<OwnerRow>, StoreError> {
        const SQL: &str = "SELECT id, label, email, limits, balance_ms, balance_at, balance_erased_ms, created_at \
            FROM owners ORDER BY created_at, id";
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
        balance: balance_of(row)?,
        created_at: row.at("created_at")?,
    })
}

fn balance_of(row: &Row) -> Result<Option<BalanceRow>, StoreError> {
    let left: Option<u64> = row.opt_number("balance_ms")?;
    let Some((left_ms, at)) = left.zip(row.opt_at("balance_at")?) else { return Ok(None) };
    Ok(Some(BalanceRow { left_ms, at, erased_ms: count(row, "balance_erased_ms")? }))
}

fn talk_of(row: &Row) -> Result<Talk, StoreError> {
    let call = row.parsed("id", |id| id.parse().ok())?;
    let (over_at, talk_ms) = (row.at("finalized_at")?, count(row, "talk_ms")?);
    let outbound = row.text("direction")? == "outbound";
    let to = if outbound { Some(row.text("to_number")?) } else { None };
    let user = row.get::<Option<String>>("user_number")?.zip(row.opt_at("user_at")?);
    // No longer than the call: it is paid for from the answer on.
    let user = user.map(|(number, at)| (number, talk_ms.min(over_at.since(at).as_millis() as u64)));
    Ok(Talk { call, to, user, over_at, talk_ms })
}

/// As a statement searches it.
fn listed(calls: &[CallId]) -> String {
    calls.iter().map(CallId::to_string).collect::<Vec<_>>().join(",")
}

/// What a call that is about to be deleted has used of its owner's trial and balance stays used.
pub(crate) async fn keep_use(tx: &mut Tx, call: CallId) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE owners SET \
            trial_erased_calls = trial_erased_calls \
                + (SELECT CASE WHEN talk_ms >= $2 THEN 1 ELSE 0 END FROM calls WHERE id = $1), \
            trial_erased_ms = trial_erased_ms \
                + (SELECT CASE WHEN talk_ms >= $2 THEN talk_ms ELSE 0 END FROM calls WHERE id = $1), \
            balance_erased_ms = balance_erased_ms \
                + (SELECT CASE WHEN finalized_at >= balance_at THEN talk_ms ELSE 0 END FROM calls WHERE id = $1) \
        WHERE id = (SELECT owner_id FROM calls WHERE id = $1 AND talk_ms > 0 AND (direction = 'outbound' \
            OR (user_number IS NOT NULL AND EXISTS \
                (SELECT 1 FROM journal WHERE call_id = $1 AND code = 'handoff.dialing'))))";
    tx.execute(SQL, params![call, SHORTEST_MS]).await.map(drop)
}

/// A shorter conversation is not counted in a trial.
const SHORTEST_MS: i64 = Trial::SHORTEST.as_millis() as i64;

fn count(row: &Row, column: &'static str) -> Result<u64, StoreError> {
    u64::try_from(row.int(column)?).map_err(|_| StoreError::Unreadable { column })
}
