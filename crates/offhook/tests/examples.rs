//! The examples, run as their readers run them: against a server with the test numbers, with nothing set but its
//! address.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use offhook::app::App;
use offhook::config::{Config, Env, SpeechModel};
use offhook::gateway::keys;
use offhook_speech::local;
use offhook_testkit::quiet::Quiet;
use secrecy::ExposeSecret as _;
use serde_json::json;
use tokio::process::Command;

const RECEPTIONIST: &str = "+14155550100";
const BUSY: &str = "+14155550101";
const UNREACHABLE: &str = "+14155550105";
const FRIEND: &str = "+14155550190";
const HANGS_UP: &str = "+14155550109";
const TASK: &str = "Ask \"when\" they open.\nThank them.";

/// Nothing here takes this long unless it is broken.
const PATIENCE: Duration = Duration::from_secs(120);

struct Bench {
    app: App,
    quiet: Quiet,
    dir: tempfile::TempDir,
}

impl Bench {
    async fn start() -> Self {
        let quiet = Quiet::install();
        offhook_sandbox::NUMBERS.iter().for_each(|number| quiet.never_number(number.number));
        offhook_sandbox::numbers::sentences().into_iter().for_each(|sentence| quiet.never_said(sentence));
        quiet.never_said(TASK);
        let dir = tempfile::tempdir().unwrap();
        let text = format!("listen = \"127.0.0.1:0\"\ndata_dir = {:?}", dir.path());
        let mut config = Config::parse(&text, &Env::default()).unwrap();
        config.speech = SpeechModel::Local(local::Config::tagged());
        Self { app: App::start(config).await.unwrap(), quiet, dir }
    }

    /// Run a script of `examples` with nothing but this server and a home of its own.
    async fn run(&self, script: &str, arguments: &[&str]) -> (i32, String) {
        self.run_with(script, arguments, &[]).await
    }

    /// The same with variables of its own.
    async fn run_with(&self, script: &str, arguments: &[&str], set: &[(&str, &str)]) -> (i32, String) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(script);
        let mut command = match script.ends_with(".py") {
            true => Command::new("python3"),
            false => Command::new("bash"),
        };
        command.arg(path).args(arguments);
        command.env("OFFHOOK_URL", self.app.url()).env("POLL_SECONDS", "0.2");
        command.env("XDG_CONFIG_HOME", self.dir.path()).env_remove("CLAWCALL_API_KEY");
        command.env_remove("OFFHOOK_API_KEY").stdin(Stdio::null()).kill_on_drop(true);
        command.envs(set.iter().copied());
        let output =
            tokio::time::timeout(PATIENCE, command.output()).await.expect("the example ends").unwrap();
        let Output { status, stdout, stderr } = output;
        let seen = format!("{}{}", String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
        (status.code().expect("it was not killed"), seen)
    }

    /// Nothing private may have been logged.
    async fn stop(self) {
        self.app.shutdown().await;
        self.quiet.check();
    }

    /// A key that was made for this agent.
    async fn key(&self) -> String {
        let key = keys::create(self.app.gateway().store(), None, false).await.unwrap();
        self.quiet.never(key.expose_secret());
        key.expose_secret().to_owned()
    }

    /// Where agents of this contract keep their key.
    fn saved_key(&self) -> PathBuf {
        self.dir.path().join("clawcall/key.json")
    }
}

#[track_caller]
fn expect_lines(seen: &str, lines: &[&str]) {
    for line in lines {
        assert!(seen.lines().any(|seen| seen.starts_with(line)), "no line {line:?} in:\n{seen}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_call() {
    let bench = Bench::start().await;
    let (code, seen) = bench.run("curl-call/call.sh", &[HANGS_UP, TASK]).await;
    expect_lines(
        &seen,
        &[
            "key: clawcall_sk_",
            "answered",
            "finalized",
            "outcome: answered (remote.hung_up)",
            "result: The call ended",
            "recording: http",
        ],
    );
    assert_eq!(code, 0, "{seen}");

    let (code, seen) = bench.run("curl-call/call.sh", &[BUSY, TASK]).await;
    expect_lines(&seen, &["outcome: busy (remote.busy)"]);
    assert_eq!(code, 1, "{seen}");

    let (code, seen) = bench.run("curl-call/call.sh", &["+1415", TASK]).await;
    expect_lines(&seen, &["refused (400 invalid_phone): to: "]);
    assert_eq!(code, 2, "{seen}");
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn python_agent() {
    let bench = Bench::start().await;
    let message = "Tell Alex that the table is booked for seven.";
    let (code, seen) = bench.run("python-agent/agent.py", &[FRIEND, message]).await;
    expect_lines(&seen, &["… answered", "… finalized", "outcome  answered", "result   achieved: ", " * "]);
    assert_eq!(code, 0, "{seen}");
    let key = std::fs::read_to_string(bench.saved_key()).expect("the minted key is saved");

    let (code, seen) = bench.run("python-agent/agent.py", &[BUSY, TASK]).await;
    expect_lines(&seen, &["outcome  busy", "Ask the user before calling again."]);
    assert_eq!(code, 1, "{seen}");
    assert_eq!(std::fs::read_to_string(bench.saved_key()).unwrap(), key, "the saved key is used again");

    std::fs::write(bench.saved_key(), key.replace("clawcall_sk_", "clawcall_sk_not")).unwrap();
    let (code, seen) = bench.run("python-agent/agent.py", &[UNREACHABLE, TASK]).await;
    expect_lines(&seen, &["outcome  unreachable", "Check the number before calling again."]);
    assert_eq!(code, 1, "{seen}");
    assert!(
        !std::fs::read_to_string(bench.saved_key()).unwrap().contains("_not"),
        "a worthless key is dropped"
    );

    let (code, seen) = bench.run("python-agent/agent.py", &["+442071234567", TASK]).await;
    expect_lines(&seen, &["unsupported_destination: "]);
    assert_eq!(code, 2, "{seen}");
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_options() {
    let bench = Bench::start().await;
    let (code, seen) = bench.run("parallel-options/compare.py", &[TASK, RECEPTIONIST]).await;
    expect_lines(&seen, &["auth_required: "]);
    assert_eq!(code, 2, "a campaign needs a key: {seen}");
    let saved = json!({ "api_key": bench.key().await }).to_string();
    std::fs::create_dir_all(bench.saved_key().parent().unwrap()).unwrap();
    std::fs::write(bench.saved_key(), saved).unwrap();

    let wanted = [TASK, RECEPTIONIST, BUSY, "+442071234567"];
    let (code, seen) = bench.run("parallel-options/compare.py", &wanted).await;
    expect_lines(
        &seen,
        &[
            "+14155550100 | answered | ",
            "+14155550101 | busy |  | False |  | The line is busy",
            "+442071234567 |  |  | False | this number belongs to GB",
            "(number | outcome | status | ",
            "ended: completed, 2 of 3 called",
        ],
    );
    assert_eq!(code, 0, "{seen}");

    let (code, seen) = bench.run("parallel-options/compare.py", &[TASK, BUSY, "--first"]).await;
    expect_lines(
        &seen,
        &["+14155550101 | busy | False | The line is busy", "ended: completed, 1 of 1 called"],
    );
    assert_eq!(code, 1, "{seen}");
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gated_deploy() {
    let bench = Bench::start().await;
    let key = bench.key().await;
    let beside = Path::new(env!("CARGO_BIN_EXE_offhook")).parent().unwrap().display().to_string();
    let path = format!("{beside}:{}", std::env::var("PATH").unwrap());
    for (build, phone, expected, exit) in [
        ("42", FRIEND, "deploying build 42", 0),
        ("43", "+14155550194", "the user said no: nothing was deployed", 5),
        ("44", BUSY, "the user said no: nothing was deployed", 5),
    ] {
        let target = reqwest::Client::new().put(format!("{}/me/voice-target", bench.app.url()));
        let target = target.header("X-Api-Key", &key).json(&json!({ "number": phone })).send().await.unwrap();
        assert_eq!(target.status(), 200);
        let set = [("OFFHOOK_API_KEY", key.as_str()), ("PATH", &path)];
        let (code, seen) = bench.run_with("gated-deploy/deploy.sh", &[build], &set).await;
        expect_lines(&seen, &[expected]);
        assert_eq!(code, exit, "{seen}");
    }
    let set = [("OFFHOOK_API_KEY", "clawcall_sk_none"), ("PATH", &path)];
    let (code, seen) = bench.run_with("gated-deploy/deploy.sh", &["45"], &set).await;
    expect_lines(&seen, &["the user could not be asked: nothing was deployed"]);
    assert_eq!(code, 1, "{seen}");
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn call_me_when() {
    let bench = Bench::start().await;
    let server = wiremock::MockServer::start().await;
    let price = wiremock::ResponseTemplate::new(200).set_body_json(json!({ "price": 38 }));
    wiremock::Mock::given(wiremock::matchers::method("GET")).respond_with(price).mount(&server).await;
    let key = bench.key().await;
    let run = async |limit: &str, key: &str| {
        let wanted = [BUSY, &format!("{}/chain", server.uri()), "/price", limit];
        bench.run_with("call-me-when/call-me-when.sh", &wanted, &[("OFFHOOK_API_KEY", key)]).await
    };
    let (code, seen) = run("40", &key).await;
    expect_lines(&seen, &["schedule: ", "now: holds: /price is 38, which is < 40", "it would call now"]);
    assert_eq!(code, 0, "{seen}");
    let (code, seen) = run("30", &key).await;
    expect_lines(&seen, &["now: does_not_hold: /price is 38, which is not < 30", "it would not call now"]);
    assert_eq!(code, 0, "{seen}");
    let (code, seen) = run("cheap", &key).await;
    assert_ne!(code, 0, "{seen}");
    let (code, seen) = run("40", "clawcall_sk_none").await;
    expect_lines(&seen, &["refused (401): "]);
    assert_eq!(code, 2, "{seen}");
    bench.stop().await;
}
