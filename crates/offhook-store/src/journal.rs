//! Appending facts and reading them back.
//!
//! A fact is stored as its code and a JSON object of its fields. Appending is idempotent: an entry whose `seq` the
//! call already has is left as it was, so a batch whose commit was never confirmed can be sent again.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::LazyLock;

use offhook_core::journal::Value;
use offhook_core::{CallId, Fact, JournalEntry};
use serde_json::{Map, Value as Json};

use crate::batch::Batch;
use crate::db::{Param, Row, Tx, params};
use crate::projection::Changes;
use crate::{Store, StoreError};

#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    #[error("no such call; it was deleted, and so are its facts")]
    UnknownCall,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Appends to the journal of one call and updates its row. For many calls, see [`Store::write`].
    pub async fn append(&self, call: CallId, entries: &[JournalEntry]) -> Result<(), AppendError> {
        let batch = Batch { entries: vec![(call, entries.to_vec())], ..Batch::default() };
        let written = self.write(&batch).await?;
        if written.gone.is_empty() { Ok(()) } else { Err(AppendError::UnknownCall) }
    }

    /// The facts of a call after `after_seq`, in order; 0 reads them all. A fact this version does not know is left
    /// out with a warning.
    pub async fn journal(&self, call: CallId, after_seq: u64) -> Result<Vec<JournalEntry>, StoreError> {
        const SQL: &str = "SELECT seq, at, code, fields FROM journal \
            WHERE call_id = $1 AND seq > $2 ORDER BY seq";
        let after = i64::try_from(after_seq).unwrap_or(i64::MAX);
        let rows = self.db.rows(SQL, params![call, after]).await?;
        let mut entries = Vec::with_capacity(rows.len());
        for row in &rows {
            entries.extend(entry_of(call, row)?);
        }
        Ok(entries)
    }

    /// The facts with one of these codes, 24 at most, of several calls at once, each call's in order.
    pub async fn journals(
        &self,
        calls: &[CallId],
        codes: &[&str],
    ) -> Result<HashMap<CallId, Vec<JournalEntry>>, StoreError> {
        let mut journals: HashMap<CallId, Vec<JournalEntry>> = HashMap::with_capacity(calls.len());
        for some in calls.chunks(CALLS_PER_READ) {
            // A prepared statement has a fixed length: the last call fills it up.
            let filled = (0..CALLS_PER_READ).map(|n| some[n.min(some.len() - 1)].into());
            let codes = (0..CODES_PER_READ).map(|n| codes.get(n).copied().unwrap_or_default().into());
            let params = codes.chain(filled).collect();
            for row in &self.db.rows(&READ, params).await? {
                let call = row.parsed("call_id", |id| id.parse().ok())?;
                journals.entry(call).or_default().extend(entry_of(call, row)?);
            }
        }
        Ok(journals)
    }

    /// The `seq` of the last fact of a call; 0 when it has none.
    pub async fn last_seq(&self, call: CallId) -> Result<u64, StoreError> {
        const SQL: &str = "SELECT COALESCE(MAX(seq), 0) AS seq FROM journal WHERE call_id = $1";
        let row = self.db.row(SQL, params![call]).await?;
        row.map_or(Ok(0), |row| row.int("seq").map(|seq| seq.max(0) as u64))
    }
}

/// Writes entries and what they change in the rows of their calls. Returns the calls that do not exist.
pub(crate) async fn write<'a>(
    tx: &mut Tx,
    batch: impl Iterator<Item = (CallId, &'a [JournalEntry])>,
) -> Result<Vec<CallId>, StoreError> {
    // In the order of the ids, so that two writers never wait for each other.
    let mut calls: BTreeMap<CallId, Vec<&'a JournalEntry>> = BTreeMap::new();
    for (call, entries) in batch {
        calls.entry(call).or_default().extend(entries);
    }
    let flat: Vec<_> =
        calls.iter().flat_map(|(call, entries)| entries.iter().map(|entry| (*call, *entry))).collect();
    let written = insert(tx, &flat).await?;

    let mut gone = Vec::new();
    for (call, mut entries) in calls {
        let asked = entries.len();
        entries.retain(|entry| written.contains(&(call, entry.seq)));
        if entries.is_empty() && asked > 0 && !exists(tx, call).await? {
            gone.push(call);
        }
        let changes = Changes::of(entries);
        if !changes.is_empty() {
            tx.execute(Changes::UPDATE, changes.params(call)).await?;
        }
    }
    Ok(gone)
}

async fn exists(tx: &mut Tx, call: CallId) -> Result<bool, StoreError> {
    Ok(tx.row("SELECT id FROM calls WHERE id = $1", params![call]).await?.is_some())
}

/// Calls whose journals are read by one statement: the longest list that is shown.
const CALLS_PER_READ: usize = 200;
const CODES_PER_READ: usize = 24;

static READ: LazyLock<String> = LazyLock::new(|| {
    let numbered =
        |from: usize, to: usize| (from..to).map(|n| format!("${}", n + 1)).collect::<Vec<_>>().join(", ");
    let codes = numbered(0, CODES_PER_READ);
    let calls = numbered(CODES_PER_READ, CODES_PER_READ + CALLS_PER_READ);
    format!(
        "SELECT call_id, seq, at, code, fields FROM journal \
         WHERE code IN ({codes}) AND call_id IN ({calls}) ORDER BY call_id, seq"
    )
});

/// Entries per statement: round trips are what a batch costs, and a prepared statement has a fixed length.
const CHUNKS: [usize; 3] = [64, 8, 1];

static INSERT: LazyLock<[String; 3]> = LazyLock::new(|| CHUNKS.map(insert_sql));

/// An entry whose call is gone, or that is there already, is passed over; what was written is returned.
fn insert_sql(entries: usize) -> String {
    let row = |n: usize| format!("(${}, ${}, ${}, ${}, ${})", n + 1, n + 2, n + 3, n + 4, n + 5);
    let rows = (0..entries).map(|entry| row(entry * 5)).collect::<Vec<_>>().join(", ");
    format!(
        "INSERT INTO journal (call_id, seq, at, code, fields) \
         SELECT column1, column2, column3, column4, column5 FROM (VALUES {rows}) AS facts \
         WHERE EXISTS (SELECT 1 FROM calls WHERE calls.id = column1) \
         ON CONFLICT (call_id, seq) DO NOTHING RETURNING call_id, seq"
    )
}

async fn insert(
    tx: &mut Tx,
    mut entries: &[(CallId, &JournalEntry)],
) -> Result<HashSet<(CallId, u64)>, StoreError> {
    let mut written = HashSet::with_capacity(entries.len());
    for (size, sql) in CHUNKS.into_iter().zip(LazyLock::force(&INSERT)) {
        while entries.len() >= size {
            let (chunk, rest) = entries.split_at(size);
            entries = rest;
            let params = chunk.iter().flat_map(|(call, entry)| entry_params(*call, entry)).collect();
            for row in tx.rows(sql, params).await? {
                let seq = row.int("seq")?.max(0) as u64;
                written.insert((row.parsed("call_id", |id| id.parse().ok())?, seq));
            }
        }
    }
    Ok(written)
}

fn entry_params(call: CallId, entry: &JournalEntry) -> Vec<Param> {
    let seq = i64::try_from(entry.seq).unwrap_or(i64::MAX);
    params![call, seq, entry.at, entry.fact.code(), fields_to_json(&entry.fact)]
}

fn entry_of(call: CallId, row: &Row) -> Result<Option<JournalEntry>, StoreError> {
    let seq = row.int("seq")?.max(0) as u64;
    let code = row.text("code")?;
    let Some(fact) = fact_from_json(&code, &row.text("fields")?) else {
        tracing::warn!(call_id = %call, seq, code, "skipped a fact that this version of offhook does not know");
        return Ok(None);
    };
    Ok(Some(JournalEntry { seq, at: row.at("at")?, fact }))
}

fn fields_to_json(fact: &Fact) -> String {
    let fields: Map<String, Json> =
        fact.fields().into_iter().map(|(name, value)| (name.to_owned(), to_json(value))).collect();
    Json::Object(fields).to_string()
}

fn fact_from_json(code: &str, fields: &str) -> Option<Fact> {
    let mut fields: Map<String, Json> = serde_json::from_str(fields).ok()?;
    Fact::from_fields(code, |name| fields.remove(name).map_or(Value::Null, from_json))
}

fn to_json(value: Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(flag) => flag.into(),
        Value::Int(int) => int.into(),
        Value::Text(text) => text.into(),
        Value::List(list) => list.into(),
    }
}

/// What no field can hold becomes null, and the fact is skipped if the field must not be.
fn from_json(json: Json) -> Value {
    match json {
        Json::Bool(flag) => Value::Bool(flag),
        Json::Number(number) => number.as_i64().map_or(Value::Null, Value::Int),
        Json::String(text) => Value::Text(text),
        Json::Array(list) => {
            list.iter().map(Json::as_i64).collect::<Option<_>>().map_or(Value::Null, Value::List)
        }
        Json::Null | Json::Object(_) => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use offhook_core::EndReason;

    #[test]
    fn a_fact_survives_its_text_form() {
        let facts = [
            Fact::Answered { sip_call_id: None },
            Fact::Result {
                status: offhook_core::journal::TaskStatus::Achieved,
                summary: "\"Yes\" \u{1f600}\n".into(),
                evidence_turns: vec![2, 3],
            },
            Fact::Ended {
                reason: EndReason::RemoteBusy,
                answered: false,
                talk_ms: 0,
                sip_status: Some(486),
                q850_cause: None,
            },
            Fact::Held {},
        ];
        for fact in facts {
            assert_eq!(fact_from_json(fact.code(), &fields_to_json(&fact)), Some(fact));
        }
    }

    #[test]
    fn what_this_version_does_not_know_is_no_fact() {
        for (code, fields) in [
            ("call.teleported", "{}"),
            ("call.dialing", "{}"),
            ("call.dialing", r#"{"line": 7}"#),
            ("call.dialing", "not json"),
        ] {
            assert_eq!(fact_from_json(code, fields), None, "{code} {fields}");
        }
        assert!(fact_from_json("call.dialing", r#"{"line": "a", "newer": {}}"#).is_some());
    }
}
