//! The gateway under test: `offhook serve` as a child process on a core of its own.

use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::net::{SocketAddr, SocketAddrV4};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::net;

/// What the gateway is told.
#[derive(Debug)]
pub struct Setup<'a> {
    pub program: &'a Path,
    /// Where the people are who are called.
    pub far: Far,
    pub model: SocketAddr,
    /// The certificate of the model's server, in PEM.
    pub certificate: Option<String>,
    pub core: Option<usize>,
    pub max_calls: u32,
    /// Further lines for the configuration file.
    pub extra: &'a str,
}

/// The far side of the telephone network.
#[derive(Clone, Debug)]
pub enum Far {
    /// A SIP trunk.
    Trunk(SocketAddrV4),
    /// A resource of Communication Services, and where the gateway is to wait for it.
    Resource { endpoint: SocketAddr, doors: SocketAddr },
}

/// The running gateway; dropping it kills it and deletes its files.
#[derive(Debug)]
pub struct Gateway {
    child: Child,
    /// Kept open, or the gateway could not print any more.
    _stdout: BufReader<ChildStdout>,
    pub api: SocketAddr,
    _files: tempfile::TempDir,
}

/// What the process uses, as the kernel tells.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    pub cpu: Duration,
    pub user: Duration,
    pub system: Duration,
    pub rss_kib: u64,
}

impl Gateway {
    pub fn start(setup: &Setup<'_>) -> anyhow::Result<Self> {
        let files = tempfile::Builder::new().prefix("offhook-bench").tempdir()?;
        let config = files.path().join("offhook.toml");
        fs::write(&config, configuration(setup, &files.path().join("data")))?;
        let mut command = Command::new(setup.program);
        command
            .args(["serve", "--json", "--config"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        command.env_clear().env("HOME", files.path());
        if let Some(pem) = &setup.certificate {
            let path = files.path().join("certificate.pem");
            fs::write(&path, pem)?;
            command.env("SSL_CERT_FILE", path);
        }
        if let Some(core) = setup.core {
            // SAFETY: between fork and exec it does one system call and nothing else.
            unsafe { command.pre_exec(move || net::pin(core)) };
        }
        let mut child =
            command.spawn().with_context(|| format!("{} can't be started", setup.program.display()))?;
        let mut stdout = BufReader::new(child.stdout.take().context("a pipe from the gateway")?);
        let mut line = String::new();
        stdout.read_line(&mut line)?;
        let api = serde_json::from_str::<Value>(&line)
            .ok()
            .and_then(|line| line["url"].as_str()?.strip_prefix("http://")?.parse().ok());
        let Some(api) = api else {
            let _ = child.kill();
            bail!("the gateway did not start: {}", child.wait()?);
        };
        Ok(Self { child, _stdout: stdout, api, _files: files })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn usage(&self) -> anyhow::Result<Usage> {
        let read = |name: &str| fs::read_to_string(format!("/proc/{}/{name}", self.pid()));
        let stat = read("stat").context("the gateway is gone")?;
        // The name of the program may hold spaces; behind its bracket all fields are plain.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |index: usize| -> Option<Duration> {
            Some(Duration::from_millis(fields.get(index)?.parse::<u64>().ok()? * 10))
        };
        let status = read("status")?;
        let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let rss_kib = rss.and_then(|rss| rss.trim().trim_end_matches("kB").trim().parse().ok());
        Ok(Usage {
            cpu: net::cpu_time(self.pid())?,
            user: ticks(11).context("user time")?,
            system: ticks(12).context("system time")?,
            rss_kib: rss_kib.context("resident memory")?,
        })
    }

    pub fn has_ended(&mut self) -> io::Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// As in production, with room for the calls: recordings on, SQLite on disk, warnings logged.
fn configuration(setup: &Setup<'_>, data_dir: &Path) -> String {
    let scheme = if setup.certificate.is_some() { "https" } else { "http" };
    let model = format!("{scheme}://{}/v1", setup.model);
    let Setup { max_calls, extra, .. } = setup;
    let carrier = carrier(&setup.far, *max_calls);
    format!(
        r#"listen = "127.0.0.1:0"
data_dir = {data_dir:?}
log = "warn"
allow_anonymous_keys = true
{carrier}
[speech]
model = "openai-realtime"
opening = "speak_first"

[speech.openai]
base_url = "{model}"
auth = "none"

[policy]
concurrent_calls = {max_calls}
concurrent_calls_per_owner = {max_calls}
calls_per_day_per_owner = 1000000
{extra}
"#
    )
}

fn carrier(far: &Far, max_calls: u32) -> String {
    let (carrier, trunk) = match far {
        Far::Trunk(callees) => (
            format!(
                r#"
[carrier.sip]
listen = ["udp:127.0.0.1:0"]
max_calls = {max_calls}

[[carrier.sip.trunk]]
name = "callees"
server = "{callees}"
"#
            ),
            "callees",
        ),
        Far::Resource { endpoint, doors } => (
            format!(
                r#"
[carrier.acs]
connection_string = "endpoint=http://{endpoint}/;accesskey=YmVuY2g="
public_url = "https://bench.example.org"
listen = "{doors}"
audience = "{}"
keys_url = "http://{endpoint}{}"
"#,
                crate::acs::AUDIENCE,
                crate::acs::KEYS,
            ),
            "acs",
        ),
    };
    format!(
        r#"{carrier}
[[line]]
number = "+14152000000"
trunk = "{trunk}"
max_calls = {max_calls}
"#
    )
}

/// How busy a core was since the machine started, and of what it was possible.
pub fn core_busy(core: usize) -> anyhow::Result<Duration> {
    let stat = fs::read_to_string("/proc/stat")?;
    let name = format!("cpu{core} ");
    let line = stat.lines().find_map(|line| line.strip_prefix(&name)).context("this core is unknown")?;
    let ticks: Vec<u64> = line.split_whitespace().filter_map(|field| field.parse().ok()).collect();
    // user, nice, system, idle, iowait, irq, softirq, steal
    let busy = ticks.iter().enumerate().filter(|(index, _)| ![3, 4].contains(index) && *index < 8);
    Ok(Duration::from_millis(busy.map(|(_, ticks)| ticks * 10).sum()))
}
