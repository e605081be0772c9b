//! SIPp, with scenarios of our own (`sipp/*.xml`).

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use offhook_testkit::programs::{self, PATIENCE, Protocol, free_port, is_open};
use tempfile::TempDir;
use tokio::process::Child;
use tokio::time::timeout;

use crate::rig::OUR_NUMBER;

/// A scenario about to be played.
pub struct Scenario {
    name: &'static str,
    calls: u32,
    protocol: Protocol,
    keys: Vec<(String, String)>,
    contact: Option<String>,
    called: String,
}

/// A running SIPp.
pub struct Sipp {
    name: &'static str,
    child: Child,
    logs: TempDir,
    pub addr: SocketAddr,
}

impl Scenario {
    pub fn new(name: &'static str) -> Self {
        let (keys, called) = (Vec::new(), OUR_NUMBER.to_owned());
        Self { name, calls: 1, protocol: Protocol::Udp, keys, contact: None, called }
    }

    /// Put this in the place of `[key]`.
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.keys.push((key.to_owned(), value.into()));
        self
    }

    pub fn calls(mut self, calls: u32) -> Self {
        self.calls = calls;
        self
    }

    pub fn over_tcp(mut self) -> Self {
        self.protocol = Protocol::Tcp;
        self
    }

    /// Where requests for SIPp go, when that is not SIPp itself.
    pub fn reached_at(mut self, contact: impl Into<String>) -> Self {
        self.contact = Some(contact.into());
        self
    }

    pub fn dialling(mut self, number: &str) -> Self {
        self.called = number.to_owned();
        self
    }

    /// Be called.
    pub async fn answer(self) -> Sipp {
        // The port was free a moment ago; whoever took it since makes SIPp exit at once.
        let mut why = String::new();
        for _ in 0..3 {
            let mut sipp = self.spawn(None);
            let port = sipp.addr.port();
            tokio::select! {
                biased;
                _ = sipp.child.wait() => why = sipp.tell(),
                () = programs::until("SIPp listens", || is_open(self.protocol, port)) => return sipp,
            }
        }
        panic!("SIPp {} does not start\n{why}", self.name);
    }

    /// Call somebody.
    pub fn call(self, callee: SocketAddr) -> Sipp {
        self.spawn(Some(callee))
    }

    /// SIPp fills in its own keywords, but not everywhere: not in a status line.
    fn text(&self) -> String {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/sipp").join(self.name);
        let file = file.with_extension("xml");
        let text =
            std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        self.keys.iter().fold(text, |text, (key, value)| text.replace(&format!("[{key}]"), value))
    }

    fn spawn(&self, callee: Option<SocketAddr>) -> Sipp {
        let logs = tempfile::tempdir().expect("a directory for logs");
        let port = free_port(self.protocol);
        let addr = SocketAddr::from(([127, 0, 0, 1], port));
        let file = |name: &str| logs.path().join(name);
        let mut command = programs::command("sipp");
        if let Some(callee) = callee {
            command.arg(callee.to_string());
        }
        std::fs::write(file("scenario.xml"), self.text()).expect("a scenario");
        command.arg("-sf").arg(file("scenario.xml")).args(["-s", &self.called]);
        command.args(["-i", "127.0.0.1", "-mi", "127.0.0.1", "-ci", "127.0.0.1", "-p", &port.to_string()]);
        command.args(["-m", &self.calls.to_string(), "-l", &self.calls.to_string(), "-r", "1000"]);
        command.args(["-nostdin", "-timeout", "20s", "-timeout_error", "-rtp_echo"]);
        command.args(["-t", if self.protocol == Protocol::Tcp { "t1" } else { "u1" }]);
        command.arg("-trace_err").arg("-error_file").arg(file("errors"));
        command.arg("-trace_msg").arg("-message_file").arg(file("messages"));
        let transport = if self.protocol == Protocol::Tcp { "tcp" } else { "udp" };
        let contact = self.contact.clone().unwrap_or_else(|| format!("{addr};transport={transport}"));
        command.args(["-key", "contact", &contact]);
        let out = std::fs::File::create(file("out")).expect("a log file");
        command.stdout(Stdio::from(out.try_clone().expect("a log file"))).stderr(Stdio::from(out));
        command.current_dir(logs.path());
        Sipp { name: self.name, child: programs::start(&mut command), logs, addr }
    }
}

impl Sipp {
    /// Wait for the end of the scenario; anything that was not as it says fails the test.
    pub async fn finish(mut self) {
        let status = timeout(PATIENCE, self.child.wait()).await;
        match status {
            Ok(Ok(status)) if status.success() => {}
            other => panic!("SIPp {}: {other:?}\n{}", self.name, self.tell()),
        }
    }

    /// What it saw and did not like.
    fn tell(&self) -> String {
        let read = |name: &str| {
            let text = std::fs::read(self.logs.path().join(name)).unwrap_or_default();
            String::from_utf8_lossy(&text).into_owned()
        };
        let messages = read("messages");
        let last = messages.char_indices().rev().nth(12_000).map_or(0, |(at, _)| at);
        let errors = match read("errors") {
            none if none.is_empty() => read("out"),
            errors => errors,
        };
        format!("--- errors\n{errors}\n--- messages\n{}", &messages[last..])
    }
}

impl Drop for Sipp {
    fn drop(&mut self) {
        // A failing test shows what SIPp saw too.
        if std::thread::panicking() {
            eprintln!("SIPp {}\n{}", self.name, self.tell());
        }
    }
}
