//! Calls that are placed by the clock, when something is the case. The time a schedule is due is an argument here, so
//! that nobody waits for it; the schedules themselves are far in the future.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp as Instant};
use offhook::agents::{self, Agent as Helper, Kind};
use offhook::gateway::{ScheduleProgram, ScheduleSecret};
use offhook_core::Timestamp;
use offhook_testkit::realtime::FakeRealtime;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::agent::{Agent, Answer};
use crate::realtime::{CLINIC, HELLO, goodbye, model, person, setup};
use crate::receiver::{Receiver, Reply};
use crate::rig::{BUSY, HANGS_UP, NEVER_ANSWERS, PATIENCE, Rig, Setup};

const DAILY: &str = "0 9 * * *";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const HOUR: Duration = Duration::from_secs(60 * 60);

async fn send(agent: &Agent, method: Method, path: &str, body: &Value) -> Answer {
    Answer::to(agent.request(method, path).json(body)).await
}

/// A schedule of somebody's.
struct Schedule {
    agent: Agent,
    id: String,
}

impl Schedule {
    async fn new(agent: &Agent, body: &Value) -> Self {
        let answer = send(agent, Method::POST, "/schedules", body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        Self { agent: agent.clone(), id: answer.json()["schedule_id"].as_str().unwrap().to_owned() }
    }

    fn path(&self, below: &str) -> String {
        format!("/schedules/{}{below}", self.id)
    }

    async fn view(&self) -> Value {
        let answer = self.agent.get(&self.path("")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    async fn due(&self) -> Timestamp {
        let view = self.view().await;
        let due: Instant = view["next_due_at"].as_str().unwrap_or_else(|| panic!("{view}")).parse().unwrap();
        Timestamp::from_unix_micros(due.as_microsecond())
    }

    async fn post(&self, below: &str) -> Answer {
        self.agent.post(&self.path(below)).await
    }

    /// Its last run, done at the time it is due.
    async fn run(&self, rig: &Rig) -> Value {
        let due = self.due().await;
        over(start_due(rig, due).await).await;
        self.view().await["runs"][0].clone()
    }
}

async fn start_due(rig: &Rig, now: Timestamp) -> Vec<JoinHandle<()>> {
    rig.app.gateway().start_due(now).await.unwrap()
}

async fn over(runs: Vec<JoinHandle<()>>) {
    for run in runs {
        tokio::time::timeout(PATIENCE, run).await.expect("a run comes to its end").unwrap();
    }
}

fn daily(to: &str) -> Value {
    json!({ "cron": DAILY, "call": { "to": to, "task": "Ask when they open." } })
}

fn when(to: &str, condition: Value) -> Value {
    let mut body = daily(to);
    body["condition"] = condition;
    body
}

fn dialled(rig: &Rig, to: &str) -> usize {
    rig.exchange.calls().iter().filter(|call| call.number == to).count()
}

async fn price(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("GET")).and(path("/chain")).respond_with(answer).mount(&server).await;
    server
}

fn costs(price: u32) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({ "price": price, "name": "Chain" }))
}

fn below_40(server: &MockServer) -> Value {
    json!({ "type": "http", "url": format!("{}/chain?key=1", server.uri()), "pointer": "/price", "op": "<", "value": 40 })
}

#[tokio::test]
async fn a_schedule_calls_when_it_is_due() {
    let rig = Rig::start().await;
    let owner = rig.stranger().await;
    let receiver = Receiver::start([]).await;
    let mut body = daily(HANGS_UP);
    body["name"] = "Opening hours".into();
    body["call"]["webhook_url"] = receiver.url("/").into();
    let schedule = Schedule::new(&owner, &body).await;
    let before = schedule.view().await;
    assert_eq!((&before["state"], &before["runs"]), (&json!("waiting"), &json!([])));
    let due = schedule.due().await;
    over(start_due(&rig, due - Duration::from_millis(1)).await).await;
    assert_eq!(schedule.view().await["runs"], json!([]), "not before its time");

    let run = schedule.run(&rig).await;
    assert_eq!((&run["state"], &run["refusal"]), (&json!("called"), &Value::Null), "{run}");
    let call = owner.known(run["call"]["call_id"].as_str().unwrap());
    let over = call.over().await;
    assert_eq!((&over["outcome"], &over["schedule_id"]), (&json!("answered"), &json!(schedule.id)));
    let ended = receiver.until_event("call.ended").await;
    assert_eq!(ended.last().unwrap().json()["data"]["schedule_id"], json!(schedule.id));

    let after = schedule.view().await;
    assert_eq!((&after["name"], &after["state"]), (&json!("Opening hours"), &json!("waiting")));
    assert_eq!(after["runs"][0]["call"]["outcome"], "answered");
    assert_eq!(schedule.due().await, due + DAY);
    rig.stop().await;
}

/// Row 59 of what has to be better: a task of 200 seconds at nine made the one of two past nine miss its day.
#[tokio::test]
async fn a_slow_condition_delays_nobody() {
    let rig = Rig::start().await;
    let owner = rig.stranger().await;
    let silent = Receiver::start([]).await;
    silent.answer(Reply::Never);
    let slow = Schedule::new(
        &owner,
        &when(BUSY, json!({ "type": "http", "url": silent.url("/"), "timeout_seconds": 60 })),
    )
    .await;
    let quick = Schedule::new(&owner, &daily(BUSY)).await;
    let runs = start_due(&rig, quick.due().await).await;
    assert_eq!(runs.len(), 2);
    let called = async {
        let mut every = tokio::time::interval(Duration::from_millis(50));
        while quick.view().await["runs"][0]["state"] != "called" {
            every.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, called).await.expect("the quick one is done");
    assert_eq!(slow.view().await["runs"][0]["state"], "running");
    assert_eq!(runs.iter().filter(|run| run.is_finished()).count(), 1);
    // Nor does it pile up: due again while it still asks, it is left out, and that is written down.
    over(start_due(&rig, slow.due().await).await).await;
    assert_eq!(slow.view().await["runs"][0]["state"], "overlapped");
    assert_eq!(slow.post("/run-now").await.error(), (409, "conflict".to_owned()));
    rig.stop().await;
}

/// Row 60: looked at 59 seconds late, an hourly schedule was not run at the next full hour.
#[tokio::test]
async fn a_late_look_costs_no_run() {
    let rig = Rig::start().await;
    let owner = rig.stranger().await;
    let mut body = daily(BUSY);
    body["cron"] = "0 * * * *".into();
    let schedule = Schedule::new(&owner, &body).await;
    let due = schedule.due().await;
    over(start_due(&rig, due + Duration::from_secs(59)).await).await;
    over(start_due(&rig, due + HOUR).await).await;
    let view = schedule.view().await;
    let states: Vec<&str> =
        view["runs"].as_array().unwrap().iter().map(|run| run["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["called", "called"], "{view}");
    assert_eq!(schedule.due().await, due + 2 * HOUR);
    rig.stop().await;
}

/// Row 61 among them: two fires of that expression are a minute apart, once a year.
#[tokio::test]
async fn what_can_t_be_a_schedule_is_told() {
    let rig = Rig::start().await;
    let owner = rig.stranger().await;
    let http = |fields: Value| {
        let mut condition = json!({ "type": "http", "url": "https://example.com/" });
        condition.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        json!({ "condition": condition })
    };
    let past = (Instant::now() - SignedDuration::from_hours(1)).to_string();
    for (fields, message) in [
        (json!({ "cron": "0,1 0 1 1 *" }), "cron two of its calls are closer than the 60 minutes"),
        (json!({ "cron": "*/30 * * * *" }), "cron two of its calls are closer"),
        (json!({ "cron": "0 9 30 2 *" }), "cron never comes"),
        (json!({ "cron": "at nine" }), "cron must have five fields"),
        (json!({ "cron": null }), "cron is needed, or at"),
        (json!({ "at": "2030-01-01T00:00:00Z" }), "cron is needed, or at"),
        (json!({ "cron": null, "at": past }), "at is over already"),
        (json!({ "cron": null, "at": "tomorrow" }), "at must be an instant"),
        (json!({ "timezone": "Mars/Olympus" }), "timezone must be a zone"),
        (json!({ "quiet_hours": { "from": "22:00", "to": "22:00" } }), "quiet_hours must have"),
        (json!({ "quiet_hours": { "from": "10 pm", "to": "08:00" } }), "quiet_hours must have"),
        (json!({ "missed": "all" }), "missed must be"),
        (json!({ "condition": { "type": "weather" } }), "condition.type must be"),
        (json!({ "condition": { "type": "http" } }), "condition.url is needed"),
        (http(json!({ "url": "http://169.254.169.254/latest" })), "condition.url must begin with https://"),
        (http(json!({ "url": "https://10.0.0.1/" })), "condition.url is no public address"),
        (http(json!({ "method": "DELETE" })), "condition.method must be"),
        (
            http(json!({ "headers": { "Authorization": "Bearer x" } })),
            "condition.headers: Authorization is a secret",
        ),
        (http(json!({ "headers": { "Host": "x" } })), "condition.headers: Host can't be sent"),
        (
            http(json!({ "headers": { "X-A": { "secret": "none" } } })),
            "condition.headers: X-A names the secret",
        ),
        (http(json!({ "op": "<" })), "condition.value is needed"),
        (http(json!({ "op": "<", "value": "cheap" })), "condition.value must be a number"),
        (http(json!({ "pointer": "/a" })), "condition.op is needed"),
        (http(json!({ "pointer": "a", "op": "exists" })), "condition.pointer must be"),
        (http(json!({ "status": "fine" })), "condition.status must be"),
        (http(json!({ "question": "Is it?" })), "condition.question means nothing"),
        (
            json!({ "condition": { "type": "command", "command": "rm -rf /" } }),
            "condition.command must be the name",
        ),
        (json!({ "condition": { "type": "agent", "question": " " } }), "condition.question must be"),
        (
            json!({ "call": { "to": BUSY, "task": "x", "not_before": "2030-01-01T00:00:00Z" } }),
            "call.not_before",
        ),
        (json!({ "call": { "task": "x" } }), "call.to: names nobody"),
    ] {
        let mut body = daily(BUSY);
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let answer = send(&owner, Method::POST, "/schedules", &body).await;
        assert_eq!(answer.error(), (400, "invalid_request".to_owned()), "{fields}: {answer:?}");
        let told = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(told.starts_with(message), "{fields}: {told}");
    }
    let emergency = send(&owner, Method::POST, "/schedules", &daily("+1911")).await;
    assert_eq!(emergency.error(), (400, "invalid_phone".to_owned()));
    assert_eq!(owner.get("/schedules").await.json(), json!({ "schedules": [] }));
    rig.stop().await;
}

/// Row 62: what was missed is told, by a policy of each schedule, in its own zone; and a restart keeps it all.
#[tokio::test]
async fn what_was_missed_is_told_and_not_piled_up() {
    let rig = Rig::start().await;
    let owner = rig.stranger().await;
    let mut skips = daily(BUSY);
    (skips["missed"], skips["timezone"]) = ("skip".into(), "America/Los_Angeles".into());
    let skips = Schedule::new(&owner, &skips).await;
    let late = Schedule::new(&owner, &daily(BUSY)).await;
    let (due, la_due) = (late.due().await, skips.due().await);
    assert_ne!(due, la_due, "nine o'clock is later there");
    let rig = rig.restart().await;
    assert_eq!((late.due().await, skips.due().await), (due, la_due));

    // Nobody was there for three days.
    let now = due.max(la_due) + 2 * DAY + HOUR;
    over(start_due(&rig, now).await).await;
    let runs = |view: &Value| {
        let runs = view["runs"].as_array().unwrap().iter();
        runs.map(|run| (run["state"].as_str().unwrap().to_owned(), run["times"].as_u64())).collect::<Vec<_>>()
    };
    let missed = |times| ("missed".to_owned(), Some(times));
    let found = late.view().await;
    assert_eq!(runs(&found)[0].0, "called", "once, late: {found}");
    assert_eq!(runs(&found)[1..].len(), 1, "{found}");
    let times = runs(&found)[1].1.unwrap();
    assert_eq!(found["missed_runs"], json!(times));
    let found = skips.view().await;
    assert_eq!(runs(&found).len(), 1, "{found}");
    assert_eq!(runs(&found)[0], missed(found["missed_runs"].as_u64().unwrap()));
    assert!(late.due().await > now && skips.due().await > now);
    assert_eq!(dialled(&rig, BUSY), 1);
    rig.stop().await;
}

/// A run that offhook is stopped in the middle of is done by the next start, and its call is placed once.
#[tokio::test]
async fn a_restart_in_the_middle_of_a_run_places_its_call_once() {
    let rig = Rig::start().await;
    let owner = rig.stranger().await;
    let server = Receiver::start([Reply::Never]).await;
    let schedule =
        Schedule::new(&owner, &when(HANGS_UP, json!({ "type": "http", "url": server.url("/") }))).await;
    let due = schedule.due().await;
    let runs = start_due(&rig, due).await;
    server.until("the condition is asked", |received| received.len() == 1).await;
    let rig = rig.restart().await;
    over(runs).await;
    let done = async {
        let mut every = tokio::time::interval(Duration::from_millis(50));
        loop {
            let run = schedule.view().await["runs"][0].clone();
            if run["state"] != "running" {
                return run;
            }
            every.tick().await;
        }
    };
    let run = tokio::time::timeout(PATIENCE, done).await.expect("the run is resumed");
    assert_eq!(run["state"], "called", "{run}");
    owner.known(run["call"]["call_id"].as_str().unwrap()).over().await;
    assert_eq!(schedule.due().await, due + DAY);
    over(start_due(&rig, due).await).await;
    assert_eq!(dialled(&rig, HANGS_UP), 1);
    rig.stop().await;
}

/// Row 63.
#[tokio::test]
async fn where_its_condition_does_not_hold_nobody_is_called() {
    let rig = Rig::start().await;
    let owner = rig.stranger().await;
    let server = price(costs(41)).await;
    let schedule = Schedule::new(&owner, &when(BUSY, below_40(&server))).await;
    let run = schedule.run(&rig).await;
    assert_eq!((&run["state"], &run["call"]), (&json!("not_met"), &Value::Null));
    assert_eq!(run["evidence"]["reason"], "/price is 41, which is not < 40");
    assert_eq!((&run["evidence"]["status"], &run["evidence"]["value"]), (&json!(200), &json!("41")));
    let asked = run["evidence"]["asked"].as_str().unwrap();
    assert_eq!(asked, format!("GET {}/chain", server.uri()), "without its query");

    // What can't be told is no yes.
    server.reset().await;
    let run = schedule.run(&rig).await;
    assert_eq!(run["state"], "unclear", "{run}");
    assert_eq!(run["evidence"]["reason"], "it answered 404, and not 2xx");
    drop(server);
    let run = schedule.run(&rig).await;
    assert_eq!(run["state"], "unclear", "{run}");
    assert_eq!(dialled(&rig, BUSY), 0);
    rig.stop().await;
}

#[tokio::test]
async fn where_it_holds_the_call_is_placed_once_in_a_while() {
    let rig = Rig::start().await;
    let owner = rig.stranger().await;
    let server = price(costs(38)).await;
    let mut body = when(BUSY, below_40(&server));
    body["cooldown_seconds"] = json!(7_200);
    let schedule = Schedule::new(&owner, &body).await;
    let run = schedule.run(&rig).await;
    assert_eq!((&run["state"], &run["evidence"]["value"]), (&json!("called"), &json!("38")), "{run}");
    let asked = server.received_requests().await.unwrap().len();
    let run = schedule.run(&rig).await;
    assert_eq!(run["state"], "cooling_down", "{run}");
    assert_eq!(server.received_requests().await.unwrap().len(), asked, "nobody is even asked");
    assert_eq!(dialled(&rig, BUSY), 1);

    // A site that is down is one that answers otherwise, or not at all.
    let down = json!({ "type": "http", "url": format!("{}/up", server.uri()), "status": "!2xx" });
    let schedule = Schedule::new(&owner, &when(HANGS_UP, down)).await;
    drop(server);
    let run = schedule.run(&rig).await;
    assert_eq!(run["state"], "called", "{run}");
    rig.stop().await;
}

#[tokio::test]
async fn a_command_and_a_secret_are_the_operator_s() {
    let server = MockServer::start().await;
    let with_key = Mock::given(method("GET")).and(header("authorization", "Bearer shop-7"));
    with_key.respond_with(ResponseTemplate::new(204)).mount(&server).await;
    let mut setup = Setup::new();
    let program = |name: &str, script: &str| ScheduleProgram {
        name: name.to_owned(),
        argv: ["sh", "-c", script].map(str::to_owned).to_vec(),
        directory: None,
        limit: Duration::from_secs(2),
    };
    setup.config.schedules.commands = vec![
        program("disk", "echo '{\"used\": 93}'; exit 3"),
        program("asks", "cat; test -z \"$SHELL_SECRET\""),
        program("hangs", "sleep 600 & sleep 600"),
    ];
    setup.config.schedules.secrets = vec![ScheduleSecret {
        name: "shop".to_owned(),
        value: "Bearer shop-7".to_owned().into(),
        hosts: vec!["127.0.0.1".to_owned()],
    }];
    let rig = setup.start().await;
    let owner = rig.stranger().await;
    let command = |name: &str, more: Value| {
        let mut condition = json!({ "type": "command", "command": name });
        condition.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        condition
    };
    for (condition, state, reason) in [
        (command("disk", json!({})), "not_met", "it ended with 3, and not 0"),
        (
            command("disk", json!({ "exit_code": 3, "pointer": "/used", "op": ">", "value": 90 })),
            "called",
            "/used is 93",
        ),
        (command("disk", json!({ "op": "contains", "value": "full" })), "not_met", "the answer is"),
        (command("asks", json!({})), "called", "it ended with 0"),
        (command("hangs", json!({})), "unclear", "it was not over after 2 s"),
        (
            json!({ "type": "http", "url": server.uri(), "headers": { "Authorization": { "secret": "shop" } } }),
            "called",
            "it answered 204",
        ),
    ] {
        let schedule = Schedule::new(&owner, &when(BUSY, condition.clone())).await;
        let run = schedule.run(&rig).await;
        assert_eq!(run["state"], state, "{condition}: {run}");
        let told = run["evidence"]["reason"].as_str().unwrap();
        assert!(told.starts_with(reason), "{condition}: {told}");
        if let Some(call) = run["call"]["call_id"].as_str() {
            owner.known(call).over().await;
        }
        assert_eq!(send(&owner, Method::DELETE, &schedule.path(""), &json!({})).await.status, 200);
    }
    let elsewhere = json!({ "type": "http", "url": "https://example.com/", "headers": { "X-Key": { "secret": "shop" } } });
    let refused = send(&owner, Method::POST, "/schedules", &when(BUSY, elsewhere)).await;
    let told = refused.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(told.ends_with("which is not for this host"), "{told}");
    // Where others can reach offhook, what works for the operator is the operator's, and was it not before.
    let with_secret = || json!({ "type": "http", "url": server.uri(), "headers": { "Authorization": { "secret": "shop" } } });
    let before = Schedule::new(&owner, &when(BUSY, with_secret())).await;
    let rig = rig.restart_with(|config| config.agents.any_key = false).await;
    let asked = server.received_requests().await.unwrap().len();
    assert_eq!(before.post("/dry-run").await.error(), (403, "forbidden".to_owned()));
    let run = before.run(&rig).await;
    assert_eq!((&run["state"], &run["refusal"]["code"]), (&json!("refused"), &json!("forbidden")), "{run}");
    assert_eq!(server.received_requests().await.unwrap().len(), asked, "nobody is asked");
    let admin = rig.admin().await;
    for condition in [command("asks", json!({})), with_secret()] {
        let refused = send(&owner, Method::POST, "/schedules", &when(BUSY, condition.clone())).await;
        assert_eq!(refused.error(), (403, "forbidden".to_owned()), "{condition}");
        let schedule = Schedule::new(&admin, &when(BUSY, condition.clone())).await;
        let run = schedule.run(&rig).await;
        assert_eq!(run["state"], "called", "{condition}: {run}");
        admin.known(run["call"]["call_id"].as_str().unwrap()).over().await;
        assert_eq!(send(&admin, Method::DELETE, &schedule.path(""), &json!({})).await.status, 200);
    }
    rig.stop().await;
}

#[tokio::test]
async fn an_agent_says_yes_with_a_reason() {
    let mut setup = Setup::new();
    let helper = |name: &str, script: &str| Helper {
        name: name.to_owned(),
        description: String::new(),
        kind: Kind::Command(agents::Program {
            argv: ["sh", "-c", script].map(str::to_owned).to_vec(),
            directory: None,
            env: vec![("PATH".to_owned(), std::env::var("PATH").unwrap().into())],
        }),
    };
    setup.config.agents = agents::Settings {
        agents: vec![
            helper("main", "grep -q 'Does it rain' && echo 'YES: rain is expected at nine.'"),
            helper("doubts", "echo 'It might.'"),
            helper("denies", "echo 'NO. The sky is clear.'"),
            helper("broken", "exit 1"),
        ],
        ..agents::Settings::default()
    };
    let rig = setup.start().await;
    let owner = rig.stranger().await;
    for (agent, state, reason) in [
        (Value::Null, "called", "rain is expected at nine."),
        (json!("doubts"), "unclear", "the agent answered neither yes nor no"),
        (json!("denies"), "not_met", "The sky is clear."),
        (json!("broken"), "unclear", "the agent failed"),
        (json!("nobody"), "unclear", "there is no agent called"),
    ] {
        let condition = json!({ "type": "agent", "question": "Does it rain tomorrow?", "agent": agent });
        let schedule = Schedule::new(&owner, &when(BUSY, condition)).await;
        let run = schedule.run(&rig).await;
        assert_eq!(run["state"], state, "{agent}: {run}");
        let told = run["evidence"]["reason"].as_str().unwrap();
        assert!(told.starts_with(reason), "{agent}: {told}");
        assert_eq!(send(&owner, Method::DELETE, &schedule.path(""), &json!({})).await.status, 200);
    }
    assert_eq!(dialled(&rig, BUSY), 1);
    rig.stop().await;
}

/// The voice knows why it calls; what others wrote is data to it.
#[tokio::test]
async fn what_was_found_is_part_of_the_briefing() {
    let fake = FakeRealtime::start(model(vec![goodbye("Goodbye.")], &[HELLO])).await;
    let rig = setup(fake.url(), person(&[])).start().await;
    let owner = rig.stranger().await;
    let server = price(costs(38)).await;
    let schedule = Schedule::new(&owner, &when(CLINIC, below_40(&server))).await;
    let run = schedule.run(&rig).await;
    owner.known(run["call"]["call_id"].as_str().unwrap()).over().await;
    let told = fake.events("session.update")[0]["session"]["instructions"].as_str().unwrap().to_owned();
    assert!(told.contains("Found: /price is 38, which is < 40"), "{told}");
    rig.stop().await;
}

async fn set_target(agent: &Agent, number: &str) {
    let answer = send(agent, Method::PUT, "/me/voice-target", &json!({ "number": number })).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// An hour before now until an hour after it, in UTC.
fn around_now() -> Value {
    let hour =
        |hours: i64| (Instant::now() + SignedDuration::from_hours(hours)).strftime("%H:%M").to_string();
    json!({ "from": hour(-1), "to": hour(1) })
}

/// Rows 64 and 65: the user is called, with consent, not at night, not too often; and a dry run calls nobody.
#[tokio::test]
async fn a_user_is_called_as_often_as_it_likes() {
    let rig = Rig::start().await;
    let user = rig.stranger().await;
    let body = json!({ "cron": DAILY, "prompt": "Say good morning.", "opening_message": "Good morning." });
    let refused = send(&user, Method::POST, "/schedules", &body).await;
    assert_eq!(refused.error(), (400, "invalid_request".to_owned()), "nobody said who the user is");
    set_target(&user, HANGS_UP).await;
    let schedule = Schedule::new(&user, &body).await;
    let wishes = |wishes: Value| {
        let user = user.clone();
        async move {
            let answer = send(&user, Method::PUT, "/me/proactive", &wishes).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            answer.json()
        }
    };

    for (wanted, code) in [
        (json!({ "quiet_hours": around_now() }), "quiet_hours"),
        (json!({ "enabled": false }), "destination_blocked"),
        (json!({ "calls_per_day": 0 }), "quota_exceeded"),
    ] {
        wishes(wanted.clone()).await;
        let dry = schedule.post("/dry-run").await.json();
        assert_eq!((&dry["would_call"], &dry["condition"]), (&json!(false), &json!("holds")), "{dry}");
        assert_eq!(dry["refusal"]["code"], code, "{dry}");
        let run = schedule.run(&rig).await;
        assert_eq!((&run["state"], &run["refusal"]["code"]), (&json!("refused"), &json!(code)), "{run}");
        assert_eq!(run["refusal"]["rule"], "proactive", "{run}");
        let tool = send(&user, Method::POST, "/tools/make_voice_call", &json!({ "prompt": "Hello." })).await;
        assert_eq!(tool.error().1, code, "{wanted}: whichever way the agent calls");
        let plain = user.ask(&json!({ "to": HANGS_UP, "task": "Say hello." })).await;
        assert_eq!(plain.error().1, code, "{wanted}: by whatever route");
    }
    assert_eq!(dialled(&rig, HANGS_UP), 0);

    wishes(json!({ "calls_per_day": 1, "quiet_hours": { "from": "00:00", "to": "00:01" } })).await;
    assert_eq!(schedule.post("/dry-run").await.json()["would_call"], json!(true));
    assert_eq!(dialled(&rig, HANGS_UP), 0, "it was dry");
    let run = schedule.run(&rig).await;
    assert_eq!(run["state"], "called", "{run}");
    let over = user.known(run["call"]["call_id"].as_str().unwrap()).over().await;
    assert_eq!((&over["numbers"]["to"], &over["task"]), (&json!(HANGS_UP), &json!("Say good morning.")));
    let now = user.get("/me/proactive").await.json();
    assert_eq!((&now["calls_today"], &now["calls_per_day"]), (&json!(1), &json!(1)));
    let run = schedule.run(&rig).await;
    assert_eq!(run["refusal"]["code"], "quota_exceeded", "{run}");
    // Others may be called all the same, and nothing goes beyond what the operator has.
    user.call(BUSY).await.over().await;
    assert_eq!(wishes(json!({ "calls_per_day": 500 })).await["calls_per_day"], json!(20));

    // An agent whose key is bound to the user's number changes nothing of it.
    let bound = send(&user, Method::POST, "/me/keys", &json!({ "voice_only": true })).await.json();
    let agent = Agent::new(rig.door.clone(), None);
    agent.learn_key(&bound);
    let refused = send(&agent, Method::PUT, "/me/proactive", &json!({ "enabled": true })).await;
    assert_eq!(refused.status, 403, "{refused:?}");
    let other = send(&agent, Method::POST, "/schedules", &daily(BUSY)).await;
    assert_eq!(other.error(), (403, "destination_blocked".to_owned()));
    Schedule::new(&agent, &body).await;
    rig.stop().await;
}

/// What the key was allowed when it was asked for is kept: agents on an admin's calls, and none on anybody else's.
#[tokio::test]
async fn agents_come_with_the_key_that_asked_for_the_schedule() {
    let mut setup = Setup::new();
    let me = Helper { name: "me".to_owned(), description: String::new(), kind: Kind::Owner };
    setup.config.agents =
        agents::Settings { agents: vec![me], any_key: false, ..agents::Settings::default() };
    let rig = setup.start().await;
    let admin = rig.admin().await;
    let mut body = daily(BUSY);
    body["call"]["agents"] = json!(true);
    let run = Schedule::new(&admin, &body).await.run(&rig).await;
    assert_eq!(run["state"], "called", "{run}");
    let refused = send(&rig.stranger().await, Method::POST, "/schedules", &body).await;
    assert_eq!(refused.error(), (400, "invalid_request".to_owned()));
    rig.stop().await;
}

/// An agent that was refused gains nothing by saying that the user typed it.
#[tokio::test]
async fn a_bound_key_calls_nobody_at_night_by_typing() {
    let rig = Rig::start().await;
    let user = rig.stranger().await;
    set_target(&user, BUSY).await;
    let made = send(&user, Method::POST, "/me/keys", &json!({ "voice_only": true })).await;
    let agent = Agent::new(rig.door.clone(), None);
    agent.learn_key(&made.json());
    for (wishes, code) in [
        (json!({ "quiet_hours": around_now() }), "quiet_hours"),
        (json!({ "enabled": false }), "destination_blocked"),
    ] {
        assert_eq!(send(&user, Method::PUT, "/me/proactive", &wishes).await.status, 200);
        for (path, body) in [
            ("/tools/make_voice_call", json!({})),
            ("/tools/chat_command", json!({ "text": "/call about the deploy" })),
        ] {
            let refused = send(&agent, Method::POST, path, &body).await;
            assert_eq!(refused.error().1, code, "{path}");
        }
    }
    assert_eq!(dialled(&rig, BUSY), 0);
    rig.stop().await;
}

/// Who has just asked to be called is awake. It counts all the same, so that it is no way around the limit of a day.
#[tokio::test]
async fn who_asks_to_be_called_is_called_at_any_hour() {
    let rig = Rig::start().await;
    let user = rig.stranger().await;
    set_target(&user, BUSY).await;
    let wishes = json!({ "calls_per_day": 1, "least_gap_minutes": 60, "quiet_hours": around_now() });
    assert_eq!(send(&user, Method::PUT, "/me/proactive", &wishes).await.status, 200);
    let asked = send(&user, Method::POST, "/tools/chat_command", &json!({ "text": "/call" })).await;
    assert_eq!(asked.status, 200, "{asked:?}");
    let id = user.get("/calls").await.json()["calls"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(user.known(&id).over().await["outcome"], "busy");
    assert_eq!(user.get("/me/proactive").await.json()["calls_today"], 1);
    send(&user, Method::POST, "/tools/chat_command", &json!({ "text": "/call" })).await;
    assert_eq!(dialled(&rig, BUSY), 1);
    rig.stop().await;
}

/// It counts when the phone rings: neither against itself while it waits, nor never because it was asked for long ago.
#[tokio::test]
async fn a_call_for_later_is_held_to_the_limits_of_when_it_is_placed() {
    let rig = Rig::start().await;
    let user = rig.stranger().await;
    set_target(&user, BUSY).await;
    let wishes = json!({ "calls_per_day": 1, "least_gap_minutes": 60 });
    assert_eq!(send(&user, Method::PUT, "/me/proactive", &wishes).await.status, 200);
    let soon = |wait: u64| (jiff::Timestamp::now() + Duration::from_millis(wait)).to_string();
    let wish = json!({
        "to": BUSY, "task": "Ask.", "not_before": soon(1_500), "not_after": soon(4_000),
    });
    let (first, second) = (user.place(&wish).await, user.place(&wish).await);
    let mut ends = Vec::new();
    for call in [first, second] {
        let over = call.over().await;
        ends.push(over["end_reason"].as_str().unwrap().to_owned());
    }
    ends.sort_unstable();
    assert_eq!((ends[0].as_str(), dialled(&rig, BUSY)), ("policy.window", 1), "{ends:?}");
    assert_eq!(user.get("/me/proactive").await.json()["calls_today"], 1);
    rig.stop().await;
}

#[tokio::test]
async fn schedules_are_paused_changed_run_and_removed() {
    let rig = Rig::start().await;
    let owner = rig.stranger().await;
    let once = owner.request(Method::POST, "/schedules").header("Idempotency-Key", "bins").json(&daily(BUSY));
    let again = once.try_clone().unwrap();
    let (first, second) = (Answer::to(once).await, Answer::to(again).await);
    assert_eq!((first.status.as_u16(), second.header("idempotent-replayed")), (201, Some("true")));
    let id = first.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(second.json()["id"], json!(id));
    let schedule = Schedule { agent: owner.clone(), id };
    let due = schedule.due().await;

    let paused = send(&owner, Method::PATCH, &schedule.path(""), &json!({ "enabled": false })).await.json();
    assert_eq!((&paused["state"], &paused["next_due_at"]), (&json!("paused"), &Value::Null));
    over(start_due(&rig, due).await).await;
    assert_eq!(schedule.view().await["runs"], json!([]));
    let change = json!({
        "enabled": true, "cron": "30 10 * * *", "name": "Bins", "call": { "to": HANGS_UP, "greeting": "Good morning." },
    });
    let changed = send(&owner, Method::PATCH, &schedule.path(""), &change).await.json();
    assert_eq!((&changed["state"], &changed["cron"]), (&json!("waiting"), &json!("30 10 * * *")));
    assert_eq!(
        changed["call"],
        json!({ "to": HANGS_UP, "task": "Ask when they open.", "greeting": "Good morning." })
    );
    let wrong = send(&owner, Method::PATCH, &schedule.path(""), &json!({ "cron": "* * * * *" })).await;
    assert_eq!(wrong.error(), (400, "invalid_request".to_owned()));
    let over =
        send(&owner, Method::PATCH, &schedule.path(""), &json!({ "at": "2020-01-01T00:00:00Z" })).await;
    assert_eq!(over.error(), (400, "invalid_request".to_owned()));
    let due = schedule.due().await;

    let run = schedule.post("/run-now").await;
    assert_eq!((run.status.as_u16(), &run.json()["state"]), (202, &json!("running")));
    let done = async {
        let mut every = tokio::time::interval(Duration::from_millis(50));
        while schedule.view().await["runs"][0]["state"] != "called" {
            every.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, done).await.expect("it is run at once");
    assert_eq!(schedule.due().await, due, "beside its own times");

    let listed = owner.get("/schedules").await.json();
    assert_eq!(listed["schedules"][0]["schedule_id"], json!(schedule.id));
    let stranger = rig.stranger().await;
    assert_eq!(stranger.get(&schedule.path("")).await.status, 404);
    assert_eq!(stranger.get("/schedules").await.json(), json!({ "schedules": [] }));
    assert_eq!(send(&owner, Method::DELETE, &schedule.path(""), &json!({})).await.status, 200);
    assert_eq!(send(&owner, Method::DELETE, &schedule.path(""), &json!({})).await.status, 404);
    rig.stop().await;
}

#[tokio::test]
async fn once_is_once_and_its_own_clock_runs_it() {
    let rig = Rig::start().await;
    let owner = rig.stranger().await;
    let soon = (Instant::now() + SignedDuration::from_millis(800)).to_string();
    let body = json!({ "at": soon, "call": { "to": BUSY, "task": "Ask when they open." } });
    let schedule = Schedule::new(&owner, &body).await;
    let done = async {
        let mut every = tokio::time::interval(Duration::from_millis(100));
        while schedule.view().await["runs"][0]["call"]["outcome"] != "busy" {
            every.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, done).await.expect("nobody has to ask for it");
    assert_eq!(schedule.view().await["state"], "done");
    rig.stop().await;
}

/// What a rule refuses is told with the rule; what passes soon is waited for.
#[tokio::test]
async fn the_rules_are_asked_when_its_time_has_come() {
    let rig = Rig::start().await;
    let owner = rig.stranger().await;
    let schedule = Schedule::new(&owner, &daily(NEVER_ANSWERS)).await;
    let blocked = NEVER_ANSWERS.parse().unwrap();
    let rig = rig.restart_with(|config| config.policy.blocked_destinations = vec![blocked]).await;
    let run = schedule.run(&rig).await;
    assert_eq!((&run["state"], &run["refusal"]["rule"]), (&json!("refused"), &json!("blocked_destination")));
    assert_eq!(run["refusal"]["code"], "destination_blocked");
    let rig = rig.restart_with(|config| config.policy.blocked_destinations.clear()).await;

    // The phone is ringing for somebody else; a moment later it is not.
    let other = owner.call(NEVER_ANSWERS).await;
    other.until_code("call.ringing").await;
    let due = schedule.due().await;
    let runs = start_due(&rig, due).await;
    other.hang_up().await;
    over(runs).await;
    let run = schedule.view().await["runs"][0].clone();
    assert_eq!(run["state"], "called", "{run}");
    owner.known(run["call"]["call_id"].as_str().unwrap()).hang_up().await;
    rig.stop().await;
}
