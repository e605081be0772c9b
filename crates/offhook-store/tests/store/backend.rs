//! The two databases a scenario can run on, and a look at their raw content.

use std::path::PathBuf;

use offhook_store::Store;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row, SqliteConnection};
use tempfile::TempDir;

pub struct Backend {
    pub url: String,
    dir: Option<TempDir>,
}

impl Backend {
    pub fn sqlite() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { url: format!("sqlite:{}", dir.path().join("data/offhook.db").display()), dir: Some(dir) }
    }

    pub fn postgres(url: String) -> Self {
        Self { url, dir: None }
    }

    pub async fn open(&self) -> Store {
        Store::open(&self.url).await.unwrap()
    }

    pub fn is_sqlite(&self) -> bool {
        self.dir.is_some()
    }

    /// The files of a SQLite database: the database itself, its write-ahead log and the index of that.
    pub fn files(&self) -> Vec<PathBuf> {
        let Some(dir) = &self.dir else { return Vec::new() };
        let files = std::fs::read_dir(dir.path().join("data")).unwrap();
        files.map(|file| file.unwrap().path()).collect()
    }

    /// Every row of every table, as text.
    pub async fn dump(&self) -> Vec<(String, String)> {
        if self.is_sqlite() { dump_sqlite(&self.url).await } else { dump_postgres(&self.url).await }
    }

    /// The tables with a row that mentions this.
    pub async fn mentions(&self, needle: &str) -> Vec<String> {
        self.dump()
            .await
            .into_iter()
            .filter(|(_, row)| row.contains(needle))
            .map(|(table, _)| table)
            .collect()
    }

    /// Runs a statement behind the store's back.
    pub async fn tamper(&self, sql: &'static str) {
        if self.is_sqlite() {
            let mut conn = SqliteConnection::connect(&self.url).await.unwrap();
            sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
            conn.close().await.unwrap();
        } else {
            let mut conn = PgConnection::connect(&self.url).await.unwrap();
            sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
            conn.close().await.unwrap();
        }
    }
}

async fn dump_sqlite(url: &str) -> Vec<(String, String)> {
    let mut conn = SqliteConnection::connect(url).await.unwrap();
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table'";
    let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&mut conn).await.unwrap();
    let mut dump = Vec::new();
    for table in tables {
        let columns = format!(
            "SELECT group_concat('quote(' || name || ')', ' || '' '' || ') FROM pragma_table_info('{table}')"
        );
        let columns: String = sqlx::query_scalar(AssertSqlSafe(columns)).fetch_one(&mut conn).await.unwrap();
        let rows = sqlx::query(AssertSqlSafe(format!("SELECT {columns} FROM {table}")));
        for row in rows.fetch_all(&mut conn).await.unwrap() {
            dump.push((table.clone(), row.get(0)));
        }
    }
    conn.close().await.unwrap();
    dump
}

async fn dump_postgres(url: &str) -> Vec<(String, String)> {
    let mut conn = PgConnection::connect(url).await.unwrap();
    let tables = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'";
    let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&mut conn).await.unwrap();
    let mut dump = Vec::new();
    for table in tables {
        let rows = sqlx::query(AssertSqlSafe(format!("SELECT t::text FROM {table} AS t")));
        for row in rows.fetch_all(&mut conn).await.unwrap() {
            dump.push((table.clone(), row.get(0)));
        }
    }
    conn.close().await.unwrap();
    dump
}
