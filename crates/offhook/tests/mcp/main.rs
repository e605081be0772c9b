//! The tools as agents use them: through the official clients in Python and TypeScript, beside the agent and over HTTP.

#[allow(dead_code, reason = "shared with the tests of the whole product, which use all of it")]
#[path = "../product/agent.rs"]
mod agent;
#[allow(dead_code, reason = "shared with the tests of the whole product, which use all of it")]
#[path = "../product/rig.rs"]
mod rig;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use axum::http::StatusCode;
use offhook_sandbox::Step;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::agent::Agent;
use crate::rig::{BUSY, HANGS_UP, NEVER_ANSWERS, Rig, Setup};

/// Nothing here takes this long unless it is broken.
const PATIENCE: Duration = Duration::from_secs(150);

/// Somebody who asks for what the task doesn't say.
const CLINIC: &str = "+14155550150";
const ASKS: [Step; 12] = [
    Step::Ring { ms: 300 },
    Step::Answer,
    Step::Pause { ms: 300 },
    Step::Say("Hello, this is City Clinic."),
    Step::Listen { patience_ms: 12_000 },
    Step::Say("What is your date of birth?"),
    Step::Await { ms: 90_000 },
    Step::Await { ms: 90_000 },
    Step::Say("Thank you, that is booked."),
    Step::Listen { patience_ms: 12_000 },
    Step::Say("Goodbye."),
    Step::Linger { ms: 9_000 },
];

/// Somebody who says hello and then only listens.
const LISTENER: &str = "+14155550151";
const LISTENS: [Step; 5] = [
    Step::Ring { ms: 300 },
    Step::Answer,
    Step::Pause { ms: 300 },
    Step::Say("Hello, this is Oak Street Library."),
    Step::Linger { ms: 120_000 },
];

/// Somebody who has little time.
const SHORT: &str = "+14155550153";
const IS_SHORT: [Step; 5] = [
    Step::Ring { ms: 300 },
    Step::Answer,
    Step::Pause { ms: 300 },
    Step::Say("Friday at three is free. Goodbye."),
    Step::HangUp,
];

/// The user, who picks up and stays.
const USER: &str = "+14155550152";
const PICKS_UP: [Step; 3] = [Step::Ring { ms: 600 }, Step::Answer, Step::Linger { ms: 120_000 }];

async fn rig() -> Rig {
    let mut setup = Setup::new();
    setup.exchange.numbers =
        [(CLINIC, &ASKS[..]), (LISTENER, &LISTENS), (SHORT, &IS_SHORT), (USER, &PICKS_UP)]
            .map(|(number, steps)| (number.to_owned(), steps.to_vec()))
            .to_vec();
    setup.start().await
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Run a client; it says `ok` when all went as it should.
async fn run(mut command: Command, script: &str, transport: &str, rig: &Rig, key: Option<&str>) {
    let home = tempfile::tempdir().unwrap();
    let given = json!({
        "url": rig.app.url(), "program": env!("CARGO_BIN_EXE_offhook"), "home": home.path(), "key": key,
        "node_modules": root().join("crates/offhook-testkit/node"),
        "hangs_up": HANGS_UP, "asks": CLINIC, "rings": NEVER_ANSWERS, "busy": BUSY, "short": SHORT,
        "listens": LISTENER, "user": USER, "over": over(rig, key).await,
    });
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mcp").join(script);
    command.arg(path).args([transport, &given.to_string()]).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await.expect("it ends").expect("it runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.trim() == "ok", "{script} over {transport}:\n{out}{err}");
    assert!(!err.contains("clawcall_sk_"), "a key was logged: {err}");
}

/// A call of this key that is over.
async fn over(rig: &Rig, key: Option<&str>) -> Option<String> {
    let agent = Agent::new(rig.door.clone(), Some(key?));
    let call = agent.call(BUSY).await;
    call.over().await;
    Some(call.id)
}

fn python() -> Command {
    let Some(python) = std::env::var_os("OFFHOOK_PYTHON") else {
        panic!("OFFHOOK_PYTHON does not name a Python with the packages of the tests; ./test sets it up");
    };
    Command::new(python)
}

fn node() -> Command {
    let packages = root().join("crates/offhook-testkit/node/node_modules");
    assert!(packages.is_dir(), "the packages of the TypeScript client are not there; ./test fetches them");
    Command::new("node")
}

#[tokio::test]
async fn python_beside_the_agent() {
    let rig = rig().await;
    run(python(), "client.py", "stdio", &rig, None).await;
    rig.stop().await;
}

#[tokio::test]
async fn python_over_http() {
    let rig = rig().await;
    let agent = rig.stranger().await;
    run(python(), "client.py", "http", &rig, agent.key()).await;
    rig.stop().await;
}

#[tokio::test]
async fn typescript_beside_the_agent() {
    let rig = rig().await;
    let agent = rig.stranger().await;
    run(node(), "client.mjs", "stdio", &rig, agent.key()).await;
    rig.stop().await;
}

#[tokio::test]
async fn typescript_over_http() {
    let rig = rig().await;
    let agent = rig.stranger().await;
    run(node(), "client.mjs", "http", &rig, agent.key()).await;
    rig.stop().await;
}

fn tool(name: &str, arguments: Value) -> Value {
    let params = json!({ "name": name, "arguments": arguments });
    json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params })
}

/// Over HTTP a request says whose it is, where it comes from and how much it wants, and is judged like any other.
#[tokio::test]
async fn the_door_is_as_narrow_as_the_api_s() {
    let rig = rig().await;
    let key = rig.stranger().await.key().unwrap().to_owned();
    let post = |body: &Value| rig.door.request(Method::POST, "/mcp").header("X-Api-Key", &key).json(body);
    let balance = tool("get_balance", json!({}));
    let answer = post(&balance).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let answer: Value = answer.json().await.unwrap();
    let text = answer["result"]["content"][0]["text"].as_str().unwrap();
    assert!(serde_json::from_str::<Value>(text).unwrap()["tier"].is_string(), "{text}");

    let big = tool("place_call", json!({ "to": HANGS_UP, "task": "x".repeat(300_000) }));
    for (request, status) in [
        (post(&balance).header("Origin", "https://evil.example"), StatusCode::FORBIDDEN),
        (post(&balance).header("Host", "evil.example"), StatusCode::FORBIDDEN),
        (post(&big), StatusCode::PAYLOAD_TOO_LARGE),
        (post(&balance).body("{"), StatusCode::BAD_REQUEST),
        (rig.door.get("/mcp"), StatusCode::METHOD_NOT_ALLOWED),
        (rig.door.request(Method::DELETE, "/mcp"), StatusCode::METHOD_NOT_ALLOWED),
    ] {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status, "{answer:?}");
    }

    // A first call over HTTP: there is nowhere to keep the key but the client's own settings.
    let request = rig.door.request(Method::POST, "/mcp");
    let placed: Value = request
        .json(&tool("place_call", json!({ "to": NEVER_ANSWERS, "task": "Ask." })))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let placed: Value =
        serde_json::from_str(placed["result"]["content"][0]["text"].as_str().unwrap()).unwrap();
    assert!(placed["keep_this_key"].is_string(), "{placed}");
    let owner = rig.owner();
    owner.learn_key(&placed);
    owner.known(placed["call_id"].as_str().unwrap()).hang_up().await;
    rig.stop().await;
}
