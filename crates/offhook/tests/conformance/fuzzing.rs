//! Schemathesis, a fuzzer that others wrote, against a running offhook: what the OpenAPI document allows is
//! understood, what it does not allow is refused, every answer is as documented, and nothing breaks.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::approvals::Approving as _;
use crate::campaigns::Campaigning as _;
use crate::rig::{BUSY, SILENT, Setup};
use crate::schedules::{Scheduling as _, schedule_of};

/// Two minutes on an idle machine at most; CI may be busy.
const PATIENCE: Duration = Duration::from_secs(210);

/// The program of the Python environment of `./test`.
fn program() -> PathBuf {
    let python = std::env::var_os("OFFHOOK_PYTHON");
    let python = python.expect("OFFHOOK_PYTHON names a Python with the packages of the tests; run ./test");
    Path::new(&python).with_file_name("st")
}

/// No limit is in the way.
fn limitless() -> Setup {
    let mut setup = Setup::new();
    setup.lines = 512;
    let policy = &mut setup.config.policy;
    for limit in [
        &mut policy.concurrent_calls,
        &mut policy.concurrent_calls_per_owner,
        &mut policy.concurrent_calls_per_destination,
        &mut policy.calls_per_day_per_owner,
        &mut policy.calls_per_day_per_destination,
    ] {
        *limit = 100_000;
    }
    policy.cool_down = Duration::ZERO;
    setup.config.limits.silence = Duration::from_secs(900);
    // Somebody to call there is always.
    setup.config.voice_target = Some(BUSY.parse().unwrap());
    setup
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fuzzer_finds_nothing() {
    let rig = limitless().start().await;
    let owner = rig.stranger().await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/schemathesis");
    let scratch = tempfile::tempdir().unwrap();
    let mut command = Command::new(program());
    command.arg("--config-file").arg(folder.join("schemathesis.toml"));
    command.args(["run", "--no-color", "--url", &rig.app.url()]);
    command.args(["--header", &format!("X-Api-Key: {}", owner.key().unwrap())]);
    command.arg(format!("{}/openapi.json", rig.app.url()));
    let key_id = owner.get("/me/keys").await.json()["keys"][0]["id"].as_str().unwrap().to_owned();
    let (live, bridged, over) = (owner.call(SILENT).await, owner.call(SILENT).await, owner.call(BUSY).await);
    live.until_code("call.answered").await;
    bridged.until_code("call.answered").await;
    over.over().await;
    command.env("FUZZER_KEY_ID", key_id).env("FUZZER_CAMPAIGN", owner.campaign(BUSY).await);
    let wanted = schedule_of(BUSY, "Ask when they open.");
    command.env("FUZZER_SCHEDULE", owner.schedule(BUSY, "Ask when they open.").await);
    command.env("FUZZER_APPROVAL", owner.approval("Pay Acme").await);
    command.env("FUZZER_LATER", wanted["at"].as_str().unwrap());
    command.env("FUZZER_LIVE_CALL", &live.id).env("FUZZER_OVER_CALL", &over.id);
    command.env("FUZZER_BRIDGED_CALL", &bridged.id);
    command.current_dir(scratch.path()).env("PYTHONPATH", &folder).env("PYTHONDONTWRITEBYTECODE", "1");
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output =
        tokio::time::timeout(PATIENCE, command.output()).await.expect("the fuzzer comes to its end").unwrap();
    let printed =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}");
    // That it found nothing because it tried nothing would be no news.
    let cases =
        printed.lines().find_map(|line| line.trim().split_once(" generated,")?.0.parse::<usize>().ok());
    assert!(cases.is_some_and(|cases| cases > 1_000), "{printed}");
    let steered =
        live.events(0).await.until("a word of the owner's", |event| event["code"] == "owner.said").await;
    assert!(!steered.is_empty(), "the fuzzer guided a call that was under way");
    // After all of it a call still works.
    let call = rig.stranger().await.call(BUSY).await;
    assert_eq!(call.over().await["outcome"], "busy");
    rig.stop().await;
}
