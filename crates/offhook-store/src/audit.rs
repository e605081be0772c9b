//! Who did what: append-only, erased only together with the owner it concerns.

use offhook_core::{OwnerId, Timestamp};

use crate::db::{Row, params};
use crate::keys::new_id;
use crate::{Store, StoreError};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    pub at: Timestamp,
    /// The owner it concerns.
    pub owner: Option<OwnerId>,
    /// Who: an owner, a key, `operator`, `offhook`.
    pub actor: String,
    /// Did what: `key.created`, `call.placed`.
    pub action: String,
    /// To what: the id of a call, a key, an owner.
    pub subject: Option<String>,
    /// A JSON object.
    pub detail: Option<String>,
}

/// Which entries to read; what is `None` does not matter.
#[derive(Clone, Debug)]
pub struct AuditFilter {
    pub owner: Option<OwnerId>,
    pub action: Option<String>,
    pub since: Option<Timestamp>,
    pub limit: u32,
}

impl Default for AuditFilter {
    fn default() -> Self {
        Self { owner: None, action: None, since: None, limit: 100 }
    }
}

impl Store {
    pub async fn append_audit(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO audit (id, at, owner_id, actor, action, subject, detail) \
            VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let AuditEntry { at, owner, actor, action, subject, detail } = entry.clone();
        let id = new_id(at).to_string();
        self.db.execute(SQL, params![id, at, owner, actor, action, subject, detail]).await.map(drop)
    }

    /// Entries, newest first.
    pub async fn audit_log(&self, filter: &AuditFilter) -> Result<Vec<AuditEntry>, StoreError> {
        const SQL: &str = "SELECT at, owner_id, actor, action, subject, detail FROM audit \
            WHERE ($1 IS NULL OR owner_id = $1) AND ($2 IS NULL OR action = $2) AND ($3 IS NULL OR at >= $3) \
            ORDER BY at DESC, id DESC LIMIT $4";
        let limit = i64::from(filter.limit);
        let params = params![filter.owner, filter.action.as_deref(), filter.since, limit];
        self.db.rows(SQL, params).await?.iter().map(entry_of).collect()
    }
}

fn entry_of(row: &Row) -> Result<AuditEntry, StoreError> {
    Ok(AuditEntry {
        at: row.at("at")?,
        owner: row.opt_parsed("owner_id", |id| id.parse().ok())?,
        actor: row.text("actor")?,
        action: row.text("action")?,
        subject: row.get("subject")?,
        detail: row.get("detail")?,
    })
}
