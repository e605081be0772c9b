//! One offhook per database.
//!
//! A start finalizes the calls it finds unfinished: two processes on one database would end each other's live calls.
//! So whoever takes calls holds a claim that ends with the process, however that ends: a lock on a file beside a
//! SQLite database, a session's advisory lock on PostgreSQL. Reading and making keys needs none.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::Store;
use crate::db::Db;

/// How long a process that was just killed may still seem to be there.
const PATIENCE: Duration = Duration::from_secs(3);
const AGAIN: Duration = Duration::from_millis(100);
/// Between two looks at the connection that holds the lock.
const LOOK: Duration = Duration::from_secs(2);
/// A server that does not answer this long has lost us.
const ANSWER: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    #[error(
        "another offhook{by} uses this database; stop it first, or give this one a data_dir and a database_url \
         of its own"
    )]
    Taken { by: String },
    #[error("{}: the lock file can't be used: {cause}", path.display())]
    File { path: PathBuf, cause: std::io::Error },
    #[error("the database can't be claimed: {0}")]
    Unreachable(#[from] sqlx::Error),
}

/// The right to take calls on a database. Lasts until it is released or dropped, or its connection is lost.
#[derive(Debug)]
pub struct Claim(Held);

#[derive(Debug)]
enum Held {
    /// Nobody else can reach a database in memory.
    Memory,
    /// Closing the file gives it back.
    File {
        lock: File,
    },
    Server(Keeper),
}

/// The task that keeps a connection, and with it the lock.
#[derive(Debug)]
struct Keeper {
    held: Arc<AtomicBool>,
    release: CancellationToken,
    ended: CancellationToken,
}

impl Store {
    /// Claim the database for this process.
    pub async fn claim(&self) -> Result<Claim, ClaimError> {
        let held = match &self.db {
            Db::Lite { file: None, .. } => Held::Memory,
            Db::Lite { file: Some(file), .. } => Held::File { lock: claim_file(file).await? },
            Db::Pg(pool) => Held::Server(Keeper::start(pool.connect_options().as_ref().clone()).await?),
        };
        Ok(Claim(held))
    }
}

impl Claim {
    /// False while the connection that held it is lost; it is then asked for again.
    pub fn is_held(&self) -> bool {
        match &self.0 {
            Held::Memory | Held::File { .. } => true,
            Held::Server(keeper) => keeper.held.load(Ordering::Relaxed),
        }
    }

    /// Give it back; when this returns, another may have it.
    pub async fn release(&self) {
        match &self.0 {
            Held::Memory => {}
            Held::File { lock } => {
                if let Err(error) = lock.unlock() {
                    tracing::warn!(%error, "the lock of the database ends with the process only");
                }
            }
            Held::Server(keeper) => {
                keeper.release.cancel();
                let _ = timeout(ANSWER, keeper.ended.cancelled()).await;
            }
        }
    }
}

async fn claim_file(database: &Path) -> Result<File, ClaimError> {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    let path = PathBuf::from(name);
    let failed = |cause| ClaimError::File { path: path.clone(), cause };
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&path).map_err(failed)?;
    let mut left = PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::Error(cause)) => return Err(failed(cause)),
            Err(TryLockError::WouldBlock) if left.is_zero() => {
                let mut by = String::new();
                let _ = file.read_to_string(&mut by);
                return Err(ClaimError::Taken { by: format!(" (process {})", by.trim()) });
            }
            Err(TryLockError::WouldBlock) => sleep(AGAIN).await,
        }
        left = left.saturating_sub(AGAIN);
    }
    // For whoever finds it locked.
    let note = file.set_len(0).and_then(|()| file.rewind());
    note.and_then(|()| writeln!(file, "{}", std::process::id())).map_err(failed)?;
    Ok(file)
}

impl Keeper {
    async fn start(options: PgConnectOptions) -> Result<Self, ClaimError> {
        let mut left = PATIENCE;
        let conn = loop {
            match take(&options).await? {
                Some(conn) => break conn,
                None if left.is_zero() => return Err(ClaimError::Taken { by: String::new() }),
                None => sleep(AGAIN).await,
            }
            left = left.saturating_sub(AGAIN);
        };
        let (release, ended) = (CancellationToken::new(), CancellationToken::new());
        let keeper = Self { held: Arc::new(AtomicBool::new(true)), release, ended };
        let (held, release) = (Arc::clone(&keeper.held), keeper.release.clone());
        let ended = keeper.ended.clone().drop_guard();
        tokio::spawn(async move {
            keep(options, conn, held, release).await;
            drop(ended);
        });
        Ok(keeper)
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.release.cancel();
    }
}

/// A connection that holds the lock; `None` when another one does.
async fn take(options: &PgConnectOptions) -> Result<Option<PgConnection>, sqlx::Error> {
    // Advisory locks are per database; the second half keeps installations in different schemas apart.
    const TAKE: &str = "SELECT pg_try_advisory_lock(1868983400, hashtext(COALESCE(current_schema(), '')))";
    let mut conn = timeout(ANSWER, options.connect()).await.map_err(|_| sqlx::Error::PoolTimedOut)??;
    let taken: bool = sqlx::query_scalar(TAKE).fetch_one(&mut conn).await?;
    if taken {
        return Ok(Some(conn));
    }
    conn.close().await?;
    Ok(None)
}

/// Hold the connection, and get the lock again when it is lost.
async fn keep(
    options: PgConnectOptions,
    mut conn: PgConnection,
    held: Arc<AtomicBool>,
    release: CancellationToken,
) {
    loop {
        tokio::select! {
            () = release.cancelled() => {
                let unlocked = sqlx::query("SELECT pg_advisory_unlock_all()").execute(&mut conn).await;
                if unlocked.is_ok() {
                    let _ = conn.close().await;
                }
                return;
            }
            () = sleep(LOOK) => {}
        }
        if matches!(timeout(ANSWER, conn.ping()).await, Ok(Ok(()))) {
            continue;
        }
        held.store(false, Ordering::Relaxed);
        tracing::error!(
            "the connection that claims the database is lost; no calls are accepted until it is back"
        );
        let Some(again) = take_again(&options, &release).await else { return };
        conn = again;
        held.store(true, Ordering::Relaxed);
        tracing::warn!("the database is claimed again");
    }
}

/// Ask for the lock until it is ours; `None` when nobody wants it any more.
async fn take_again(options: &PgConnectOptions, release: &CancellationToken) -> Option<PgConnection> {
    let mut told = false;
    loop {
        match take(options).await {
            Ok(Some(conn)) => return Some(conn),
            Ok(None) if !told => {
                told = true;
                tracing::error!("another offhook has claimed the database meanwhile; stop one of the two");
            }
            Ok(None) | Err(_) => {}
        }
        tokio::select! {
            () = release.cancelled() => return None,
            () = sleep(LOOK) => {}
        }
    }
}
