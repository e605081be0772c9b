//! A PostgreSQL server of our own, on a Unix socket in a temporary directory, to be stopped and started at will.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use tempfile::TempDir;

/// Ends with this value, and also when the test process is killed: then the pipe it waits on closes.
#[derive(Debug)]
pub struct Cluster {
    server: Option<Server>,
    programs: PathBuf,
    account: Option<(u32, u32)>,
    dir: TempDir,
}

#[derive(Debug)]
struct Server {
    keeper: Child,
    alive: Option<ChildStdin>,
}

/// Runs the server until standard input ends.
const KEEPER: &str = r#""$@" </dev/null & server=$!; cat >/dev/null; kill -QUIT $server; wait $server"#;

impl Cluster {
    pub fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let account = account(dir.path());
        if let Some((uid, gid)) = account {
            chown(dir.path(), Some(uid), Some(gid)).expect("root may give it away");
        }
        let mut cluster = Self { server: None, programs: programs(), account, dir };
        let mut initdb = cluster.command("initdb");
        initdb.args(["--username=offhook", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]);
        run(initdb.arg("-D").arg(cluster.data()));
        cluster.start_again();
        cluster
    }

    /// After [`Self::stop`]; what was committed is there.
    pub fn start_again(&mut self) {
        let mut keeper = self.command("sh");
        keeper.args(["-c", KEEPER, "keeper"]).arg(self.programs.join("postgres")).arg("-D").arg(self.data());
        keeper.arg("-k").arg(self.dir.path()).args(["-c", "listen_addresses=", "-c", "fsync=off"]);
        let mut keeper = keeper.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a shell");
        let alive = keeper.stdin.take();
        let log = keeper.stderr.take().expect("it is piped");
        let mut log = BufReader::new(log).lines().map_while(Result::ok);
        let mut seen = Vec::new();
        let ready = log.by_ref().any(|line| {
            seen.push(line);
            seen.last().is_some_and(|line| line.contains("ready to accept connections"))
        });
        assert!(ready, "PostgreSQL did not start:\n{}", seen.join("\n"));
        std::thread::spawn(move || log.for_each(drop));
        self.server = Some(Server { keeper, alive });
    }

    /// At once, as in a crash: connections break.
    pub fn stop(&mut self) {
        self.server = None;
    }

    /// A new database; its URL.
    pub fn database(&self, name: &str) -> String {
        run(self.command("createdb").arg("-h").arg(self.dir.path()).args(["-U", "offhook", name]));
        format!("postgres://offhook@localhost/{name}?host={}", self.dir.path().display())
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn command(&self, program: &str) -> Command {
        let installed = self.programs.join(program);
        let mut command = Command::new(if installed.exists() { installed } else { program.into() });
        command.current_dir(self.dir.path()).env("LC_ALL", "C").stdout(Stdio::null());
        if let Some((uid, gid)) = self.account {
            command.uid(uid).gid(gid);
        }
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.alive.take();
        self.keeper.wait().ok();
    }
}

fn run(command: &mut Command) {
    let done = command.output().expect("it can be run");
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// Where the newest `initdb` is: where Debian puts it, or on the `PATH`.
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
    if std::fs::metadata(ours).expect("it was just made").uid() != 0 {
        return None;
    }
    let accounts = std::fs::read_to_string("/etc/passwd").expect("a list of accounts");
    let ids = |name: &str| {
        let account =
            accounts.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|f| f[0] == name)?;
        Some((account.get(2)?.parse().ok()?, account.get(3)?.parse().ok()?))
    };
    let found = ids("postgres").or_else(|| ids("nobody"));
    Some(found.expect("root's tests run PostgreSQL as postgres or nobody, and there is neither account"))
}
