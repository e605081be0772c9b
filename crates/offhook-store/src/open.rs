//! Opening a database: from its URL to migrated connections.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migrate, MigrateError, Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};

use crate::Store;
use crate::db::Db;

const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "owners and calls", include_str!("../migrations/0001_owners_and_calls.sql")),
    (2, "recordings", include_str!("../migrations/0002_recordings.sql")),
    (3, "audit", include_str!("../migrations/0003_audit.sql")),
    (4, "accounts", include_str!("../migrations/0004_accounts.sql")),
    (5, "webhooks", include_str!("../migrations/0005_webhooks.sql")),
    (6, "link codes", include_str!("../migrations/0006_link_codes.sql")),
    (7, "lines and balances", include_str!("../migrations/0007_lines_and_balances.sql")),
    (8, "schedules and campaigns", include_str!("../migrations/0008_schedules_and_campaigns.sql")),
    (9, "users of calls", include_str!("../migrations/0009_users_of_calls.sql")),
    (10, "voice target", include_str!("../migrations/0010_voice_target.sql")),
    (11, "schedules", include_str!("../migrations/0011_schedules.sql")),
    (12, "approvals", include_str!("../migrations/0012_approvals.sql")),
    (13, "audiences of callbacks", include_str!("../migrations/0013_acs_audiences.sql")),
    (14, "callers", include_str!("../migrations/0014_callers.sql")),
];

/// The schema this version reads and writes.
pub(crate) const SCHEMA_VERSION: i64 = MIGRATIONS[MIGRATIONS.len() - 1].0;

/// How long to wait for a connection, or for another process that writes to the same SQLite file.
const PATIENCE: Duration = Duration::from_secs(10);
const READERS: u32 = 4;
const PG_CONNECTIONS: u32 = 12;
/// A server that is away is asked again for as long as this, and everybody waits meanwhile.
const PG_PATIENCE: Duration = Duration::from_secs(4);

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(
        "database_url: {why}; write sqlite:PATH, a plain path, or postgres://USER:PASSWORD@HOST/DATABASE"
    )]
    BadUrl { why: &'static str },
    #[error("{}: the database file can't be created: {cause}", path.display())]
    File { path: PathBuf, cause: std::io::Error },
    #[error("the database can't be opened: {0}")]
    Unreachable(sqlx::Error),
    #[error(
        "the database has schema {found}, this version of offhook knows up to {known}; start a newer offhook"
    )]
    NewerSchema { found: i64, known: i64 },
    #[error("the database could not be brought to schema {known}: {cause}")]
    Migrate { known: i64, cause: MigrateError },
}

/// What a database URL means.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place<'a> {
    Memory,
    File(&'a Path),
    Postgres(&'a str),
}

impl<'a> Place<'a> {
    fn parse(url: &'a str) -> Result<Self, OpenError> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Postgres(url));
        }
        let path = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")).unwrap_or(url);
        match path.strip_suffix("?mode=rwc").unwrap_or(path) {
            "" => Err(OpenError::BadUrl { why: "no path" }),
            ":memory:" => Ok(Self::Memory),
            path if path.contains("://") => Err(OpenError::BadUrl { why: "no such kind of database" }),
            path if path.contains('?') => Err(OpenError::BadUrl { why: "no options are known for SQLite" }),
            path => Ok(Self::File(Path::new(path))),
        }
    }
}

impl Store {
    /// Opens the database, creates it where it does not exist, and brings its schema up to date.
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        let db = match Place::parse(url)? {
            Place::Memory => open_memory().await?,
            Place::File(path) => open_file(path).await?,
            Place::Postgres(url) => open_postgres(url).await?,
        };
        Ok(Self { db })
    }

    /// Waits for running statements and closes the connections; SQLite folds its write-ahead log into the file.
    pub async fn close(&self) {
        match &self.db {
            Db::Lite { rd, wr, .. } => {
                rd.close().await;
                wr.close().await;
            }
            Db::Pg(pool) => pool.close().await,
        }
    }
}

/// WAL with `synchronous = FULL`: a commit is on the disk before it returns, so neither killing the process nor a power
/// cut loses one. With `NORMAL` a power cut could take the row of a call that was already dialled, and a client that
/// repeats its request with the same `Idempotency-Key` would then be dialled for twice.
///
/// `secure_delete` overwrites what is deleted with zeros, `auto_vacuum` lets [`Store::purge`] give the pages back.
/// `auto_vacuum` must be chosen before the first table exists.
fn sqlite_options() -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .auto_vacuum(SqliteAutoVacuum::Incremental)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(PATIENCE)
        .pragma("secure_delete", "ON")
}

/// One connection that lives as long as the pool: for a writer, and for a database that is only in memory.
fn one_connection() -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(1)
        .min_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .acquire_timeout(PATIENCE)
}

async fn open_memory() -> Result<Db, OpenError> {
    let options = sqlite_options().in_memory(true).shared_cache(false);
    let wr = one_connection().connect_with(options).await.map_err(OpenError::Unreachable)?;
    migrate_sqlite(&wr).await?;
    Ok(Db::Lite { rd: wr.clone(), wr, file: None })
}

async fn open_file(path: &Path) -> Result<Db, OpenError> {
    create_private(path).map_err(|cause| OpenError::File { path: path.to_owned(), cause })?;
    let options = sqlite_options().filename(path);
    let wr = connect_writer(options).await.map_err(OpenError::Unreachable)?;
    migrate_sqlite(&wr).await?;
    let rd = SqlitePoolOptions::new()
        .max_connections(READERS)
        .test_before_acquire(false)
        .acquire_timeout(PATIENCE)
        .connect_with(reader_options(path))
        .await
        .map_err(OpenError::Unreachable)?;
    Ok(Db::Lite { rd, wr, file: Some(path.into()) })
}

/// Turning a new file into one with a write-ahead log takes a lock that SQLite does not wait for, whatever the busy
/// timeout: another process that does the same at this moment makes us try again.
async fn connect_writer(options: SqliteConnectOptions) -> Result<SqlitePool, sqlx::Error> {
    const PAUSE: Duration = Duration::from_millis(20);
    let mut left = PATIENCE;
    loop {
        match one_connection().connect_with(options.clone()).await {
            Err(error) if is_locked(&error) && !left.is_zero() => tokio::time::sleep(PAUSE).await,
            done => return done,
        }
        left = left.saturating_sub(PAUSE);
    }
}

fn is_locked(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == "5")
}

/// Readers set none of the pragmas that write. They look at the newest rows mostly: a quarter of the usual two
/// mebibytes of pages each is enough, and the operating system has the rest.
fn reader_options(path: &Path) -> SqliteConnectOptions {
    let options = SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(PATIENCE);
    options.pragma("cache_size", "-512")
}

/// Creates the file and its directory for nobody but us to read: it holds what people said on the phone.
/// SQLite gives its write-ahead log the permissions of the file.
///
/// A file that exists is not even opened: closing it again would release the locks that this process holds on it.
fn create_private(path: &Path) -> std::io::Result<()> {
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent)?;
    }
    match create_new_private(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        done => done,
    }
}

/// Creates an empty file for nobody but us to read, never over an existing one.
pub(crate) fn create_new_private(path: &Path) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new();
    file.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
    file.open(path).map(drop)
}

async fn open_postgres(url: &str) -> Result<Db, OpenError> {
    let options: PgConnectOptions =
        url.parse().map_err(|_| OpenError::BadUrl { why: "not a PostgreSQL URL" })?;
    let options = options.application_name("offhook");
    let pool = PgPoolOptions::new()
        .max_connections(PG_CONNECTIONS)
        .acquire_timeout(PG_PATIENCE)
        .connect_with(options)
        .await
        .map_err(OpenError::Unreachable)?;
    let mut conn = pool.acquire().await.map_err(OpenError::Unreachable)?;
    migrate(&mut *conn).await?;
    drop(conn);
    Ok(Db::Pg(pool))
}

/// In one transaction that holds the write lock from the start, because several processes may open a new file at the
/// same time: the others wait, and find it done.
async fn migrate_sqlite(wr: &SqlitePool) -> Result<(), OpenError> {
    let mut tx = wr.begin_with("BEGIN IMMEDIATE").await.map_err(OpenError::Unreachable)?;
    migrate(&mut *tx).await?;
    tx.commit().await.map_err(OpenError::Unreachable)
}

async fn migrate<C: Migrate>(conn: &mut C) -> Result<(), OpenError> {
    let migrations = MIGRATIONS.iter().map(|&(version, name, sql)| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    });
    match Migrator::with_migrations(migrations.collect()).run_direct(None, conn, false).await {
        Ok(()) => Ok(()),
        Err(MigrateError::VersionMissing(found)) if found > SCHEMA_VERSION => {
            Err(OpenError::NewerSchema { found, known: SCHEMA_VERSION })
        }
        Err(cause) => Err(OpenError::Migrate { known: SCHEMA_VERSION, cause }),
    }
}
