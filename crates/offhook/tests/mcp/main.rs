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

/// The text of a tool's result, and whether it is an error.
async fn answered(rig: &Rig, key: &str, name: &str, arguments: Value) -> (bool, String) {
    let request = rig.door.request(Method::POST, "/mcp").header("X-Api-Key", key);
    let answer = request.json(&tool(name, arguments)).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK, "{name}");
    let text = answer.text().await.unwrap();
    // A tool that waits answers with a stream of events.
    let data = text.lines().rev().find_map(|line| line.strip_prefix("data: ")).unwrap_or(&text);
    let answer: Value = serde_json::from_str(data).unwrap_or_else(|error| panic!("{name}: {error}: {text}"));
    let result = &answer["result"];
    let text = result["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{name}: {answer}"));
    (result["isError"] == true, text.to_owned())
}

async fn tools(rig: &Rig) -> Vec<Value> {
    let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
    let answer = rig.door.request(Method::POST, "/mcp").json(&list).send().await.unwrap();
    answer.json::<Value>().await.unwrap()["result"]["tools"].as_array().unwrap().clone()
}

/// A schedule that is not due while a test lasts.
fn later() -> Value {
    let at = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(300 * 24);
    json!({ "at": at.to_string(), "call": { "to": BUSY, "task": "Ask." } })
}

/// Something of the right kind for each argument that is needed.
fn fitting(tool: &Value, call: &str, campaign: &str, schedule: &str) -> Value {
    let schema = &tool["inputSchema"];
    let needed = schema["required"].as_array().map(Vec::as_slice).unwrap_or_default();
    let value = |name: &str| match name {
        "call_id" => json!(call),
        "campaign_id" => json!(campaign),
        "schedule_id" => json!(schedule),
        "to" => json!(HANGS_UP),
        "targets" => json!([{ "to": HANGS_UP }]),
        "digits" => json!("1"),
        _ => json!("Ask."),
    };
    needed.iter().map(|name| name.as_str().unwrap()).map(|name| (name.to_owned(), value(name))).collect()
}

/// Whatever tool there is or will be: with another's key it finds no call and no campaign.
#[tokio::test]
async fn another_s_calls_are_not_there_whatever_the_tool() {
    let rig = rig().await;
    let (victim, stranger) = (rig.stranger().await, rig.stranger().await);
    let key = stranger.key().unwrap();
    let call = victim.call(NEVER_ANSWERS).await;
    let start = json!({ "task": "Ask.", "targets": [{ "to": BUSY }] });
    let (wrong, started) = answered(&rig, victim.key().unwrap(), "start_campaign", start).await;
    assert!(!wrong, "{started}");
    let campaign: Value = serde_json::from_str(&started).unwrap();
    let campaign = campaign["id"].as_str().unwrap();
    let (_, made) = answered(&rig, victim.key().unwrap(), "schedule_call", later()).await;
    let made: Value = serde_json::from_str(&made).unwrap_or_else(|_| panic!("{made}"));
    let schedule = made["id"].as_str().unwrap();
    let mut tried = 0;
    for tool in tools(&rig).await {
        let (name, properties) = (tool["name"].as_str().unwrap(), &tool["inputSchema"]["properties"]);
        if ["call_id", "campaign_id", "schedule_id"].iter().all(|id| properties[*id].is_null()) {
            continue;
        }
        let (wrong, text) = answered(&rig, key, name, fitting(&tool, &call.id, campaign, schedule)).await;
        let unknown = text.contains("(not_found)") || text.contains("(recording_not_available)");
        assert!(wrong && unknown, "{name}: {text}");
        tried += 1;
    }
    assert!(tried > 10, "only {tried} tools take a call or a campaign");
    for name in ["list_calls", "list_campaigns", "list_schedules"] {
        let (wrong, text) = answered(&rig, key, name, json!({})).await;
        assert!(
            !wrong && !text.contains(&call.id) && !text.contains(campaign) && !text.contains(schedule),
            "{name}: {text}"
        );
    }
    assert_ne!(call.view().await["lifecycle"], "finalized", "nobody hung it up");
    call.hang_up().await;
    call.over().await;
    rig.stop().await;
}

/// An argument of the wrong kind is told to the agent; it is no fault of the server, and calls nobody.
#[tokio::test]
async fn arguments_of_the_wrong_kind_are_said_to_be_so() {
    let rig = rig().await;
    let agent = rig.stranger().await;
    let key = agent.key().unwrap();
    let id = "0199a1e0-0000-7000-8000-000000000000";
    let junk =
        [json!(-1), json!("\u{0}\u{1f}/../?#"), json!([[[]]]), json!({ "a": { "b": [1e300] } }), json!(true)];
    for tool in tools(&rig).await {
        let name = tool["name"].as_str().unwrap();
        for argument in tool["inputSchema"]["properties"].as_object().unwrap().keys() {
            for junk in &junk {
                let mut arguments = fitting(&tool, id, id, id);
                // Nobody is to be called, whatever the rest is.
                for to in
                    ["to", "targets"].iter().filter(|to| !tool["inputSchema"]["properties"][*to].is_null())
                {
                    arguments[*to] = json!("+442071234567");
                }
                arguments[argument] = junk.clone();
                let (_, text) = answered(&rig, key, name, arguments).await;
                assert!(!text.contains("internal_error"), "{name} {argument} {junk}: {text}");
            }
        }
    }
    let calls = answered(&rig, key, "list_calls", json!({})).await.1;
    assert_eq!(serde_json::from_str::<Value>(&calls).unwrap()["calls"], json!([]), "{calls}");
    rig.stop().await;
}

/// A schedule from its beginning to its end; also by the names that polyclaw has for it.
#[tokio::test]
async fn calls_by_the_clock() {
    let rig = rig().await;
    let agent = rig.stranger().await;
    let key = agent.key().unwrap();
    let json = |(wrong, text): (bool, String)| -> Value {
        assert!(!wrong, "{text}");
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"))
    };
    let made = json(answered(&rig, key, "schedule_call", later()).await);
    let id = made["schedule_id"].as_str().unwrap();
    let change = json!({ "schedule_id": id, "name": "Opening hours", "enabled": false });
    let changed = json(answered(&rig, key, "change_schedule", change).await);
    assert_eq!((&changed["name"], &changed["state"]), (&json!("Opening hours"), &json!("paused")));
    let forgotten = json!({ "schedule_id": id, "name": null });
    assert_eq!(json(answered(&rig, key, "change_schedule", forgotten).await)["name"], Value::Null);
    let dry = json(answered(&rig, key, "run_schedule", json!({ "schedule_id": id, "dry_run": true })).await);
    assert_eq!((&dry["would_call"], &dry["condition"]), (&json!(true), &json!("holds")), "{dry}");
    assert_eq!(
        json(answered(&rig, key, "get_schedule", json!({ "schedule_id": id })).await)["runs"],
        json!([])
    );

    let target = agent.request(Method::PUT, "/me/voice-target").json(&json!({ "number": BUSY }));
    assert_eq!(target.send().await.unwrap().status(), 200);
    let task = json!({ "description": "Bins", "prompt": "Remind me of the bins.", "cron": "0 19 * * 2" });
    let task = json(answered(&rig, key, "schedule_task", task).await);
    assert_eq!((&task["name"], &task["call"]["task"]), (&json!("Bins"), &json!("Remind me of the bins.")));
    let listed = json(answered(&rig, key, "list_scheduled_tasks", json!({})).await);
    assert_eq!(listed["schedules"].as_array().unwrap().len(), 2);
    for (tool, argument, id) in
        [("cancel_task", "task_id", &task["id"]), ("cancel_schedule", "schedule_id", &made["id"])]
    {
        assert_eq!(json(answered(&rig, key, tool, json!({ argument: id })).await)["success"], true);
    }
    assert_eq!(json(answered(&rig, key, "list_schedules", json!({})).await), json!({ "schedules": [] }));
    assert!(
        tools(&rig).await.iter().all(|tool| tool["name"] != "schedule_task"),
        "ours are listed, and no others"
    );
    rig.stop().await;
}
