//! What a process keeps of calls that are over: nothing that grows with their number.

use std::net::UdpSocket;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream;
use offhook_sandbox::{Sandbox, SandboxConfig, Step};
use offhook_speech::local::tagged;
use offhook_testkit::realtime::{FakeRealtime, Script};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::world::PATIENCE;

/// Not fictional, so that they may be called over a trunk; only the exchange knows them.
fn number(n: usize) -> String {
    format!("+1202555{:04}", 3_000 + n)
}

const AT_ONCE: usize = 20;
const WAVE: usize = 60;
/// What a call that is kept by mistake holds at least: its session alone is several times this.
const LEAK_KIB: u64 = 12;
/// Waves until it must be over.
const WAVES: usize = 12;

/// Answers, hears the first words, hangs up.
const PERSON: &[Step] = &[Step::Ring { ms: 20 }, Step::Answer, Step::Listen { patience_ms: 300 }];

fn configuration(home: &Path, exchange: &Sandbox, fake: &FakeRealtime) -> String {
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    format!(
        r#"
        listen = "127.0.0.1:0"
        data_dir = {:?}
        log = "warn"
        [carrier.sip]
        listen = ["udp:127.0.0.1:{port}"]
        [[carrier.sip.trunk]]
        server = "{}"
        [[line]]
        number = "+12025550343"
        max_calls = 100
        [speech]
        model = "openai-realtime"
        [speech.openai]
        base_url = "{}"
        api_key = "sk-test-not-a-real-key"
        [policy]
        concurrent_calls_per_owner = 100
        calls_per_day_per_owner = 100000
        calls_per_day_per_destination = 100000
        "#,
        home.join("data"),
        exchange.addr(),
        fake.url(),
    )
}

struct Program {
    child: Child,
    url: String,
    http: reqwest::Client,
}

impl Program {
    async fn start(home: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_offhook"));
        command.args(["--json", "serve", "--config"]).arg(home.join("offhook.toml"));
        command.env_clear().env("HOME", home).kill_on_drop(true);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap();
        let told: Value = serde_json::from_str(&line.expect("it says where it answers")).unwrap();
        Self { child, url: told["url"].as_str().unwrap().to_owned(), http: reqwest::Client::new() }
    }

    /// A call from request to report.
    async fn call(&self, n: usize) {
        let wish = json!({ "to": number(n), "task": "Ask when they open." });
        let placed = self.http.post(format!("{}/call", self.url)).json(&wish).send().await.unwrap();
        assert_eq!(placed.status(), 201);
        let placed: Value = placed.json().await.unwrap();
        let (id, key) = (placed["call_id"].as_str().unwrap(), placed["api_key"].as_str().unwrap());
        let events = self.http.get(format!("{}/call/{id}/events", self.url)).header("X-Api-Key", key);
        // It ends with the call.
        let told = timeout(PATIENCE, async { events.send().await.unwrap().text().await.unwrap() });
        let told = told.await.expect("the call ends");
        assert!(told.contains("call.ended") && told.contains("call.answered"), "{told}");
    }

    async fn wave(&self) {
        let calls = stream::iter(0..WAVE).map(|n| self.call(n)).buffer_unordered(AT_ONCE);
        calls.collect::<Vec<()>>().await;
    }

    fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id().unwrap())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        line.trim().trim_end_matches(" kB").trim().parse().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_does_not_grow_with_the_number_of_calls() {
    let home = tempfile::tempdir().unwrap();
    let fake = FakeRealtime::start(Script { ms_per_char: 1, ..Script::default() }).await;
    let mut config = SandboxConfig::new(Arc::new(tagged::encode));
    config.numbers = (0..WAVE).map(|n| (number(n), PERSON.to_vec())).collect();
    config.speed = 10.0;
    let exchange = Sandbox::start(config).await.unwrap();
    std::fs::write(home.path().join("offhook.toml"), configuration(home.path(), &exchange, &fake)).unwrap();
    let program = Program::start(home.path()).await;
    // Caches and pools fill up at first; then a wave leaves nothing behind. With a leak each would, for ever.
    let mut resident = vec![program.resident_kib()];
    while resident.len() <= WAVES {
        program.wave().await;
        let (most, now) = (resident.iter().copied().max().unwrap_or_default(), program.resident_kib());
        if now < most + WAVE as u64 * LEAK_KIB {
            return exchange.shutdown().await;
        }
        resident.push(now);
    }
    panic!("{WAVE} calls more each time, and more memory: {resident:?} KiB");
}
