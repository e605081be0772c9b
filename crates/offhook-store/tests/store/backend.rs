//! The two databases a scenario can run on, and a look at their raw content.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

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

/// A PostgreSQL server of our own, on a Unix socket in a temporary directory. Ends with this value, and also when
/// the test process is killed: then the pipe it waits on closes.
pub struct Cluster {
    server: Child,
    alive: Option<ChildStdin>,
    dir: TempDir,
}

/// Runs the server until standard input ends.
const KEEPER: &str = r#""$@" </dev/null & server=$!; cat >/dev/null; kill -QUIT $server; wait $server"#;

impl Cluster {
    pub fn start() -> Self {
        let programs = programs();
        let dir = tempfile::tempdir().unwrap();
        let account = account(dir.path());
        if let Some((uid, gid)) = account {
            chown(dir.path(), Some(uid), Some(gid)).unwrap();
        }
        let data = dir.path().join("data");
        let mut initdb = command(&programs.join("initdb"), account, dir.path());
        initdb.args([
            "--username=offhook",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
            "-D",
        ]);
        let made = initdb.arg(&data).output().unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));

        let mut server = command(Path::new("sh"), account, dir.path());
        server.args(["-c", KEEPER, "keeper"]).arg(programs.join("postgres")).arg("-D").arg(&data);
        server.arg("-k").arg(dir.path()).args(["-c", "listen_addresses=", "-c", "fsync=off"]);
        let mut server = server.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let alive = server.stdin.take();
        let mut log = BufReader::new(server.stderr.take().unwrap()).lines().map_while(Result::ok);
        let mut seen = Vec::new();
        let ready = log.by_ref().any(|line| {
            seen.push(line);
            seen.last().is_some_and(|line| line.contains("ready to accept connections"))
        });
        assert!(ready, "PostgreSQL did not start:\n{}", seen.join("\n"));
        std::thread::spawn(move || log.for_each(drop));
        Self { server, alive, dir }
    }

    pub async fn database(&self, name: &'static str) -> Backend {
        let mut conn = PgConnection::connect(&self.url("postgres")).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
        Backend { url: self.url(name), dir: None }
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://offhook@localhost/{database}?host={}", self.dir.path().display())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.alive.take();
        self.server.wait().ok();
    }
}

/// Where the newest `initdb` is: on the `PATH`, or where Debian puts it.
fn programs() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut debian: Vec<_> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|versions| versions.flatten().map(|version| version.path()).collect())
        .unwrap_or_default();
    debian.sort_by_key(|version| version.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok()));
    let places =
        debian.into_iter().rev().map(|version| version.join("bin")).chain(std::env::split_paths(&path));
    let found =
        places.into_iter().find(|place| place.join("initdb").exists() && place.join("postgres").exists());
    found
        .expect("these tests need a PostgreSQL server: apt-get install postgresql, or put initdb on the PATH")
}

/// PostgreSQL refuses to run as root: root's tests run it as `postgres`, or as `nobody`.
fn account(ours: &Path) -> Option<(u32, u32)> {
    if std::fs::metadata(ours).unwrap().uid() != 0 {
        return None;
    }
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap();
    let ids = |name: &str| {
        let account =
            accounts.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|f| f[0] == name)?;
        Some((account.get(2)?.parse().ok()?, account.get(3)?.parse().ok()?))
    };
    let found = ids("postgres").or_else(|| ids("nobody"));
    Some(found.expect("root's tests run PostgreSQL as postgres or nobody, and there is neither account"))
}

fn command(program: &Path, account: Option<(u32, u32)>, dir: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(dir).env("LC_ALL", "C").stdout(Stdio::null());
    if let Some((uid, gid)) = account {
        command.uid(uid).gid(gid);
    }
    command
}
