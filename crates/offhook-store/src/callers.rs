//! What callers did on our lines before.

use std::collections::HashMap;

use offhook_core::{OwnerId, Timestamp};

use crate::db::{Row, params};
use crate::{Store, StoreError};

/// What there was of a line and of one caller on it. Calls that were declined do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallsOfCaller {
    pub of_caller: u32,
    pub on_line: u32,
    /// Of these the ones that are not over.
    pub live_of_caller: u32,
    pub live_on_line: u32,
}

/// Wrong PINs of one caller, and of all callers of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WrongPins {
    pub of_caller: u32,
    pub on_line: u32,
}

/// Nobody needs to know of more.
const MOST_CALLS: i64 = 500;

impl Store {
    /// The calls to a line since then, and those of one caller; callers without a number are one.
    pub async fn calls_of_caller(
        &self,
        line: &str,
        caller: Option<&str>,
        since: Timestamp,
    ) -> Result<CallsOfCaller, StoreError> {
        const SQL: &str = "SELECT COUNT(*) AS on_line, \
                CAST(COALESCE(SUM(CASE WHEN COALESCE(from_number, '') = $2 THEN 1 ELSE 0 END), 0) AS BIGINT) \
                    AS of_caller, \
                CAST(COALESCE(SUM(CASE WHEN lifecycle <> 'finalized' THEN 1 ELSE 0 END), 0) AS BIGINT) \
                    AS live_on_line, \
                CAST(COALESCE(SUM(CASE WHEN lifecycle <> 'finalized' AND COALESCE(from_number, '') = $2 \
                    THEN 1 ELSE 0 END), 0) AS BIGINT) AS live_of_caller \
            FROM calls WHERE to_number = $1 AND direction = 'inbound' AND queued_at >= $3 \
                AND COALESCE(end_reason, '') <> 'policy.refused'";
        let row = self.db.row(SQL, params![line, caller.unwrap_or_default(), since]).await?;
        let row = row.ok_or(StoreError::Gone)?;
        Ok(CallsOfCaller {
            of_caller: count(&row, "of_caller")?,
            on_line: count(&row, "on_line")?,
            live_of_caller: count(&row, "live_of_caller")?,
            live_on_line: count(&row, "live_on_line")?,
        })
    }

    /// How many calls of this number to lines of this owner were spam since then.
    pub async fn spam_calls(
        &self,
        owner: OwnerId,
        caller: &str,
        since: Timestamp,
    ) -> Result<u32, StoreError> {
        const SQL: &str = "SELECT COUNT(*) AS calls FROM calls WHERE from_number = $2 AND owner_id = $1 \
            AND direction = 'inbound' AND queued_at >= $3 AND end_reason = 'voice.spam'";
        let row = self.db.row(SQL, params![owner, caller, since]).await?.ok_or(StoreError::Gone)?;
        count(&row, "calls")
    }

    /// How often the PIN of a line was wrong since then.
    pub async fn wrong_pins(
        &self,
        line: &str,
        caller: Option<&str>,
        since: Timestamp,
    ) -> Result<WrongPins, StoreError> {
        const SQL: &str = "SELECT calls.id AS id, from_number, fields FROM calls \
            JOIN journal ON call_id = calls.id AND code = 'caller.unverified' \
            WHERE to_number = $1 AND direction = 'inbound' AND queued_at >= $2 \
            ORDER BY calls.id DESC, seq DESC LIMIT $3";
        // What a call says last counts all that was wrong in it.
        let mut of_call: HashMap<String, (bool, u32)> = HashMap::new();
        for row in &self.db.rows(SQL, params![line, since, MOST_CALLS]).await? {
            let is_callers = row.get::<Option<String>>("from_number")?.as_deref() == caller;
            let wrong = of_call.entry(row.text("id")?).or_insert((is_callers, 0));
            wrong.1 = wrong.1.max(attempts(&row.text("fields")?));
        }
        let sum = |calls: &mut dyn Iterator<Item = u32>| calls.fold(0_u32, u32::saturating_add);
        Ok(WrongPins {
            of_caller: sum(&mut of_call.values().filter(|(callers, _)| *callers).map(|(_, wrong)| *wrong)),
            on_line: sum(&mut of_call.values().map(|(_, wrong)| *wrong)),
        })
    }
}

fn attempts(fields: &str) -> u32 {
    let fields: Option<serde_json::Value> = serde_json::from_str(fields).ok();
    let attempts = fields.and_then(|fields| fields["attempts"].as_u64());
    attempts.and_then(|attempts| attempts.try_into().ok()).unwrap_or(1)
}

fn count(row: &Row, column: &'static str) -> Result<u32, StoreError> {
    Ok(u32::try_from(row.int(column)?.max(0)).unwrap_or(u32::MAX))
}
