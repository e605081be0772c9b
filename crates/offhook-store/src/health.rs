//! Is the database well: for `/readyz`, `offhook doctor` and backups.

use std::path::{Path, PathBuf};

use sqlx::Row as _;

use crate::db::{Db, params};
use crate::open::create_new_private;
use crate::{Store, StoreError, path_text};

#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("PostgreSQL is backed up with its own tools; use pg_dump")]
    UsePgDump,
    #[error("{}: the backup file can't be created: {cause}", path.display())]
    File { path: PathBuf, cause: std::io::Error },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Whether the database can be written to: takes and gives back the write lock.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        tx.row("SELECT 1 AS one", vec![]).await?;
        tx.commit().await
    }

    /// Whether something can be written, down to the disk: writes a few pages and takes them back.
    pub async fn probe(&self) -> Result<(), StoreError> {
        const PUT: &str = "INSERT INTO files_to_unlink (path) VALUES ($1) ON CONFLICT (path) DO NOTHING";
        const TAKE_BACK: &str = "DELETE FROM files_to_unlink WHERE path = $1";
        // PostgreSQL limits what fits into an index to a third of a page, compressed.
        let pages = if matches!(self.db, Db::Lite { .. }) { 4 } else { 0 };
        let path = format!("probe {}", "-".repeat(pages * 4_096));
        let mut tx = self.db.begin().await?;
        tx.execute(PUT, params![path.as_str()]).await?;
        tx.execute(TAKE_BACK, params![path.as_str()]).await?;
        tx.commit().await
    }

    /// Allow a SQLite file to grow to this many pages, as on a disk that is that small; 0 is as large as can be.
    #[doc(hidden)]
    pub async fn limit_pages(&self, pages: u32) -> Result<(), StoreError> {
        let Db::Lite { wr, .. } = &self.db else { return Ok(()) };
        let pages = if pages == 0 { u32::MAX - 1 } else { pages };
        let pragma = format!("PRAGMA max_page_count = {pages}");
        sqlx::query(sqlx::AssertSqlSafe(pragma)).execute(wr).await?;
        Ok(())
    }

    /// Statements of a test's own, on SQLite: damage, and what damages.
    #[doc(hidden)]
    pub async fn meddle(&self, sql: &str) -> Result<(), StoreError> {
        let Db::Lite { wr, .. } = &self.db else { return Ok(()) };
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(wr).await?;
        Ok(())
    }

    /// What is wrong with the database; empty when nothing is. Reads all of it.
    pub async fn integrity(&self) -> Result<Vec<String>, StoreError> {
        let mut problems = Vec::new();
        if let Db::Lite { rd, .. } = &self.db {
            let rows = sqlx::query("PRAGMA integrity_check").fetch_all(rd).await?;
            let lines = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, _>>()?;
            problems.extend(lines.into_iter().filter(|line| line != "ok"));
            let broken = sqlx::query("PRAGMA foreign_key_check").fetch_all(rd).await?.len();
            if broken > 0 {
                problems.push(format!("{broken} rows refer to rows that are gone"));
            }
        }
        for (sql, what) in CONTRADICTIONS {
            for row in self.db.rows(sql, vec![]).await? {
                problems.push(format!("call {}: {what}", row.text("id")?));
            }
        }
        Ok(problems)
    }

    /// Writes a copy of a SQLite database to a new file, while it is in use.
    pub async fn backup_to(&self, path: &Path) -> Result<(), BackupError> {
        if matches!(self.db, Db::Pg(_)) {
            return Err(BackupError::UsePgDump);
        }
        create_new_private(path).map_err(|cause| BackupError::File { path: path.to_owned(), cause })?;
        self.db.execute("VACUUM INTO $1", params![path_text(path)]).await?;
        Ok(())
    }
}

/// What must never be in the database, as queries that return the `id` of the calls concerned.
const CONTRADICTIONS: [(&str, &str); 3] = [
    (
        "SELECT call_id AS id FROM journal GROUP BY call_id HAVING MIN(seq) <> 1 OR MAX(seq) <> COUNT(*) LIMIT 20",
        "its journal has gaps",
    ),
    (
        "SELECT id FROM calls WHERE lifecycle = 'finalized' AND NOT EXISTS \
            (SELECT 1 FROM journal WHERE call_id = calls.id AND code = 'call.ended') LIMIT 20",
        "it is finalized, but its journal has no end",
    ),
    (
        "SELECT id FROM calls WHERE lifecycle <> 'finalized' AND EXISTS \
            (SELECT 1 FROM journal WHERE call_id = calls.id AND code = 'call.ended') LIMIT 20",
        "its journal has an end, but it is not finalized",
    ),
];
