//! One owner can never see, hear, steer or guess another's call: every route, asked by everybody else.

use std::time::Duration;

use jiff::Timestamp;
use offhook::gateway::keys;
use offhook_sandbox::Step;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::agent::{Agent, Answer, Call};
use crate::approvals::Approving as _;
use crate::campaigns::Campaigning as _;
use crate::document::{Ids, operations, same};
use crate::rig::{BUSY, HANGS_UP, NEVER_ANSWERS, Rig, SILENT, Setup};
use crate::schedules::{Scheduling as _, schedule_of};

/// What a route tells somebody who asks about a call that is not theirs.
#[derive(Clone, Copy, Debug, PartialEq)]
enum About {
    /// One call, or something else of an owner's: it is as unknown as none, with this code.
    Theirs(&'static str),
    /// Whoever asks: their own things, and nothing of anybody else's. Needs a key.
    Asker,
    /// The same without a key.
    AskerOrNobody,
    /// Nobody in particular; a key changes nothing.
    Everybody,
    /// Behind a signature, not a key.
    Signed,
}

use About::{Asker, AskerOrNobody, Everybody, Signed, Theirs};

/// A route, and a body that would do something if the call were the asker's.
struct Row {
    name: &'static str,
    about: About,
    body: fn(&Victim) -> Value,
}

const fn row(name: &'static str, about: About, body: fn(&Victim) -> Value) -> Row {
    Row { name, about, body }
}

fn none(_: &Victim) -> Value {
    Value::Null
}

fn text(_: &Victim) -> Value {
    json!({ "text": "Goodbye." })
}

fn place(_: &Victim) -> Value {
    json!({ "to": BUSY, "task": "Ask when they open." })
}

const ROWS: &[Row] = &[
    row("POST /api/voice/call", Asker, |_| json!({ "number": BUSY })),
    row("GET /api/voice/status", Asker, none),
    row("GET /approvals", Asker, none),
    row("POST /approvals", Asker, |_| json!({ "operation": "Pay Acme" })),
    row("GET /approvals/{id}", Theirs("not_found"), none),
    row("DELETE /approvals/{id}", Theirs("not_found"), none),
    row("GET /balance", Asker, none),
    row("POST /call", AskerOrNobody, place),
    row("POST /call/check", AskerOrNobody, place),
    row("GET /call/{id}", Theirs("not_found"), none),
    row("POST /call/{id}/answer", Theirs("not_found"), |_| json!({ "answer": "The fifth of May." })),
    row("POST /call/{id}/bridge", Theirs("not_found"), |_| json!({ "bridge_number": "+14155550190" })),
    row("GET /call/{id}/deliveries", Theirs("not_found"), none),
    row("POST /call/{id}/digits", Theirs("not_found"), |_| json!({ "digits": "1" })),
    row("GET /call/{id}/events", Theirs("not_found"), none),
    row("POST /call/{id}/hangup", Theirs("not_found"), none),
    row("POST /call/{id}/instruct", Theirs("not_found"), text),
    row("GET /call/{id}/question", Theirs("not_found"), none),
    row("GET /call/{id}/recording", Theirs("recording_not_available"), none),
    row("POST /call/{id}/say", Theirs("not_found"), text),
    row("GET /calls", Asker, none),
    row("GET /campaigns", Asker, none),
    row(
        "POST /campaigns",
        Asker,
        |_| json!({ "task": "Ask what a chain costs.", "targets": [{ "to": BUSY }] }),
    ),
    row("GET /campaigns/{id}", Theirs("not_found"), none),
    row("PATCH /campaigns/{id}", Theirs("not_found"), |_| json!({ "notes": "Forget it." })),
    row("POST /campaigns/{id}/stop", Theirs("not_found"), none),
    row("GET /healthz", Everybody, none),
    row("GET /me", Asker, none),
    row("GET /me/call-preferences", Asker, none),
    row("PUT /me/call-preferences", Asker, |_| json!({ "voice": "eric" })),
    row("DELETE /me/call-preferences", Asker, none),
    row("GET /me/calls", Asker, none),
    row("GET /me/keys", Asker, none),
    row("POST /me/keys", Asker, |_| json!({ "label": "another" })),
    row("DELETE /me/keys/{id}", Theirs("not_found"), none),
    row("POST /me/keys/{id}/rotate", Theirs("not_found"), none),
    row("GET /me/pin", Asker, none),
    row("PUT /me/pin", Asker, |_| json!({ "pin": "4711" })),
    row("DELETE /me/pin", Asker, |_| json!({ "current_pin": "4711" })),
    row("GET /me/webhook-secret", Asker, none),
    row("POST /me/webhook-secret/rotate", Asker, none),
    row("GET /me/voice-target", Asker, none),
    row("PUT /me/voice-target", Asker, |_| json!({ "number": BUSY })),
    row("DELETE /me/voice-target", Asker, none),
    row("GET /me/proactive", Asker, none),
    row("PUT /me/proactive", Asker, |_| json!({ "calls_per_day": 3 })),
    row("GET /readyz", Everybody, none),
    row("GET /recordings/{id}", Signed, none),
    row("GET /schedules", Asker, none),
    row("POST /schedules", Asker, |_| schedule_of(BUSY, "Ask when they open.")),
    row("GET /schedules/{id}", Theirs("not_found"), none),
    row("PATCH /schedules/{id}", Theirs("not_found"), |_| json!({ "enabled": false })),
    row("DELETE /schedules/{id}", Theirs("not_found"), none),
    row("POST /schedules/{id}/dry-run", Theirs("not_found"), none),
    row("POST /schedules/{id}/run-now", Theirs("not_found"), none),
    row("POST /tools/chat_command", Asker, |_| json!({ "text": "/call" })),
    row("POST /tools/make_voice_call", Asker, |_| json!({})),
];

#[test]
fn every_route_of_the_document_has_a_row() {
    let rows: Vec<String> = ROWS.iter().map(|row| row.name.to_owned()).collect();
    let documented: Vec<String> = operations().iter().map(|operation| operation.name()).collect();
    same(&rows, &documented, "who may ask what");
}

/// Somebody who is minding their own business: a call under way, one that is over, a campaign, a schedule, an
/// approval, and settings.
struct Victim {
    agent: Agent,
    live: Call,
    over: Call,
    campaign: String,
    schedule: String,
    approval: String,
    /// Of its key, not the key itself.
    key_id: String,
    /// Texts that nobody else may ever be sent.
    secrets: Vec<String>,
    before: Value,
}

const TASK: &str = "Tell Doctor Ostrander that Mira Okafor needs another prescription.";
const PERSONALITY: &str = "Sam, who works for Mira Okafor and nobody else.";

const PHARMACY: &str = "+14155550150";
const TOLD: &str = "The prescription of Mira Okafor can be picked up after four.";

/// With a number that says something worth hearing.
async fn rig() -> Rig {
    let mut setup = Setup::new();
    let then = [
        Step::Ring { ms: 300 },
        Step::Answer,
        Step::Pause { ms: 300 },
        Step::Say("Hello?"),
        Step::Listen { patience_ms: 12_000 },
        Step::Say(TOLD),
        Step::HangUp,
    ];
    setup.exchange.numbers = vec![(PHARMACY.to_owned(), then.to_vec())];
    setup.start().await
}

impl Victim {
    async fn of(rig: &Rig) -> Self {
        let agent = rig.stranger().await;
        let set =
            agent.request(Method::PUT, "/me/call-preferences").json(&json!({ "personality": PERSONALITY }));
        assert_eq!(Answer::to(set).await.status, 200);
        let wish =
            |to: &str| json!({ "to": to, "task": TASK, "webhook_url": "https://hooks.example.com/mira" });
        let over = agent.place(&wish(PHARMACY)).await;
        let view = over.over().await;
        let live = agent.place(&json!({ "to": SILENT, "task": TASK, "ask_owner": true })).await;
        live.until_code("call.answered").await;
        let secret = agent.get("/me/webhook-secret").await.json();
        let turns = view["transcript"].as_array().unwrap().iter();
        let said = turns
            .filter_map(|turn| turn["text"].as_str())
            .filter(|text| text.contains("Mira"))
            .map(str::to_owned);
        let link = view["recording_url"].as_str().unwrap();
        let mut secrets: Vec<String> = said.collect();
        assert!(secrets.iter().any(|text| text == TOLD), "there is something to hear: {view:#}");
        secrets.extend([agent.key().unwrap().to_owned(), TASK.to_owned(), PERSONALITY.to_owned()]);
        let wanted = json!({
            "task": TASK, "purpose": "A prescription for Mira Okafor", "targets": [{ "to": BUSY, "name": "Ostrander" }],
        });
        let campaign = agent.campaign_of(&wanted).await;
        let schedule = agent.schedule(BUSY, TASK).await;
        let approval = agent.approval("Pay what Doctor Ostrander asks for").await;
        secrets.extend([schedule.clone(), approval.clone()]);
        secrets.extend([live.id.clone(), over.id.clone(), campaign.clone(), "Ostrander".to_owned()]);
        secrets.extend([link.split("signature=").nth(1).unwrap().to_owned()]);
        secrets.push(secret["secret"].as_str().unwrap().to_owned());
        secrets.push("hooks.example.com".to_owned());
        let key_id = agent.get("/me/keys").await.json()["keys"][0]["id"].as_str().unwrap().to_owned();
        secrets.push(key_id.clone());
        let mut victim =
            Self { key_id, agent, live, over, campaign, schedule, approval, secrets, before: Value::Null };
        victim.before = victim.state().await;
        victim
    }

    fn ids<'a>(&'a self, call: &'a Call) -> Ids<'a> {
        Ids {
            call: &call.id,
            campaign: &self.campaign,
            schedule: &self.schedule,
            approval: &self.approval,
            key: &self.key_id,
        }
    }

    /// All that nobody else may change.
    async fn state(&self) -> Value {
        let mut over = self.over.view().await;
        over["recording_url"] = Value::Null;
        let live = self.live.view().await;
        let keys = self.agent.get("/me/keys").await.json();
        let deliveries = self.agent.get(&self.over.path("/deliveries")).await.json();
        json!({
            "over": over,
            "live": [live["lifecycle"], live["task"], live["pending_question"], live["numbers"]],
            "schedule": self.agent.get(&format!("/schedules/{}", self.schedule)).await.json(),
            "approval": self.agent.get(&format!("/approvals/{}", self.approval)).await.json(),
            "pin": self.agent.get("/me/pin").await.json(),
            "proactive": self.agent.get("/me/proactive").await.json(),
            "campaign": self.agent.get(&format!("/campaigns/{}", self.campaign)).await.json(),
            "webhook": deliveries["webhook"]["url"],
            "keys": [keys["keys"][0]["id"], keys["keys"][0]["revoked_at"], keys["keys"].as_array().unwrap().len()],
            "preferences": self.agent.get("/me/call-preferences").await.json(),
            "secret": self.agent.get("/me/webhook-secret").await.json(),
            "me": self.agent.get("/me").await.json()["userId"],
            "calls": self.agent.get("/calls").await.json()["calls"].as_array().unwrap().len(),
        })
    }

    /// As it was, and nobody has had a word with the voice.
    async fn is_unharmed(&self) {
        assert_eq!(self.state().await, self.before);
        let hung_up = self.live.hang_up().await;
        assert_eq!(hung_up["status"], "completed", "it was still under way");
        let journal = self.live.journal().await;
        let steered: Vec<&Value> = journal
            .iter()
            .filter(|event| event["code"].as_str().is_some_and(|code| code.starts_with("owner.")))
            .collect();
        assert!(steered.is_empty(), "{steered:#?}");
    }
}

/// Everybody else.
struct Actor {
    what: &'static str,
    agent: Agent,
    /// How a route that needs a key refuses; `None`: the key is good.
    refused: Option<&'static str>,
}

async fn actors(rig: &Rig) -> Vec<Actor> {
    let stranger = rig.stranger().await;
    let other = rig.stranger().await;
    other.call(BUSY).await.over().await;
    let first_caller = rig.owner();
    first_caller.call(BUSY).await.over().await;
    let revoked = revoked(rig).await;
    let actor = |what, agent, refused| Actor { what, agent, refused };
    vec![
        actor("a stranger", stranger, None),
        actor("another owner", other, None),
        actor("somebody who had a first call", first_caller, None),
        actor("somebody without a key", rig.owner(), Some("auth_required")),
        actor("a revoked key", revoked, Some("invalid_api_key")),
        actor(
            "a made-up key",
            Agent::new(rig.door.clone(), Some("clawcall_sk_nobody")),
            Some("invalid_api_key"),
        ),
    ]
}

async fn revoked(rig: &Rig) -> Agent {
    let agent = rig.stranger().await;
    revoke(rig, &agent).await;
    agent
}

/// As the operator does it.
async fn revoke(rig: &Rig, agent: &Agent) {
    let listed = agent.get("/me/keys").await.json();
    let id = listed["keys"][0]["id"].as_str().unwrap();
    assert!(keys::revoke(rig.app.gateway().store(), id).await.unwrap());
}

/// What must come of a row, for somebody: a status and a code, or anything that is about themselves.
fn expected(about: About, refused: Option<&'static str>) -> Option<(u16, &'static str)> {
    match (about, refused) {
        (Everybody, _) | (Asker | AskerOrNobody, None) | (AskerOrNobody, Some("auth_required")) => None,
        (Signed, _) => Some((404, "recording_not_available")),
        (Asker | Theirs(_) | AskerOrNobody, Some(code)) => Some((401, code)),
        (Theirs(code), None) => Some((404, code)),
    }
}

fn request(actor: &Actor, row: &Row, path: &str, victim: &Victim) -> RequestBuilder {
    let (method, _) = row.name.split_once(' ').unwrap();
    let request = actor.agent.request(method.parse().unwrap(), path);
    match (row.body)(victim) {
        Value::Null => request,
        body => request.json(&body),
    }
}

/// Without what is different each time.
fn comparable(answer: &Answer) -> (u16, String, Vec<String>) {
    let names = answer.headers.iter().map(|(name, _)| name.to_string());
    (answer.status.as_u16(), String::from_utf8_lossy(&answer.bytes).into_owned(), names.collect())
}

async fn try_row(actor: &Actor, row: &Row, victim: &Victim) {
    let (_, template) = row.name.split_once(' ').unwrap();
    let what = format!("{} by {}", row.name, actor.what);
    for call in [&victim.live, &victim.over] {
        let path = victim.ids(call).fill(template);
        let answer = Answer::to(request(actor, row, &path, victim)).await;
        let text = String::from_utf8_lossy(&answer.bytes).into_owned() + &format!("{:?}", answer.headers);
        for secret in &victim.secrets {
            assert!(!text.contains(secret), "{what} shows {secret:?}: {text}");
        }
        match expected(row.about, actor.refused) {
            Some((status, code)) => assert_eq!(answer.error(), (status, code.to_owned()), "{what}: {text}"),
            None => assert!(answer.status.as_u16() < 500, "{what}: {text}"),
        }
        // A call of somebody else's and none are told apart by nothing.
        if matches!(row.about, Theirs(_)) {
            let path = Ids::all("0199a1e0-0000-7000-8000-000000000000").fill(template);
            let none = Answer::to(request(actor, row, &path, victim)).await;
            assert_eq!(comparable(&answer), comparable(&none), "{what}");
        }
        if !template.contains("{id}") {
            return;
        }
    }
}

#[tokio::test]
async fn nobody_sees_hears_or_steers_another_s_call() {
    let rig = rig().await;
    let victim = Victim::of(&rig).await;
    for actor in actors(&rig).await {
        for row in ROWS {
            try_row(&actor, row, &victim).await;
        }
    }
    victim.is_unharmed().await;
    rig.stop().await;
}

/// Bodies that would be refused tell nothing, either.
#[tokio::test]
async fn a_wrong_body_does_not_tell_whether_there_is_a_call() {
    let rig = rig().await;
    let victim = Victim::of(&rig).await;
    let stranger = rig.stranger().await;
    let no_such = "0199a1e0-0000-7000-8000-000000000000";
    for row in ROWS.iter().filter(|row| matches!(row.about, Theirs(_)) && row.name.starts_with("POST")) {
        let (_, template) = row.name.split_once(' ').unwrap();
        for body in ["", "{", "[]", "{}", "null", r#"{"text": 1, "digits": 1, "answer": 1}"#] {
            let mut seen = Vec::new();
            for ids in [victim.ids(&victim.live), Ids::all(no_such)] {
                let path = ids.fill(template);
                let request = stranger.request(Method::POST, &path).body(body.to_owned());
                seen.push(comparable(&Answer::to(request).await));
            }
            assert_eq!(seen[0], seen[1], "{} with {body:?}", row.name);
            assert!(seen[0].0 >= 400, "{} with {body:?}", row.name);
        }
    }
    victim.is_unharmed().await;
    rig.stop().await;
}

/// The same idempotency key of two owners is two calls, and the key of a first call is not given to who repeats it
/// with another wish.
#[tokio::test]
async fn an_idempotency_key_opens_nothing_of_another_s() {
    let rig = Rig::start().await;
    let (mira, other) = (rig.stranger().await, rig.stranger().await);
    let key = "c0ffee00-1234-4321-8888-0123456789ab";
    let place = |agent: &Agent, to: &str| {
        let wish = json!({ "to": to, "task": "Ask when they open." });
        Answer::to(agent.request(Method::POST, "/call").header("Idempotency-Key", key).json(&wish))
    };
    let first = place(&mira, BUSY).await.json();
    mira.known(first["call_id"].as_str().unwrap()).over().await;
    let second = place(&other, BUSY).await;
    assert_eq!(second.header("idempotent-replayed"), None);
    let second = second.json();
    assert_ne!(second["call_id"], first["call_id"]);
    other.known(second["call_id"].as_str().unwrap()).over().await;

    let minted = place(&rig.owner(), BUSY).await.json();
    let other_wish = place(&rig.owner(), HANGS_UP).await;
    let learned = other_wish.json();
    assert!(learned["api_key"] != minted["api_key"], "{learned}");
    assert!(learned["call_id"] != minted["call_id"], "{learned}");
    rig.stop().await;
}

/// A signed link is good for its recording, as it was signed.
#[tokio::test]
async fn a_link_to_a_recording_can_t_be_guessed() {
    let rig = rig().await;
    let victim = Victim::of(&rig).await;
    let link = victim.over.view().await["recording_url"].as_str().unwrap().to_owned();
    assert_eq!(Answer::to(rig.door.get(&link)).await.status, 200);
    let expires = link.split("expires=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    let later = (expires.parse::<i64>().unwrap() + 1).to_string();
    let signature = link.split("signature=").nth(1).unwrap().to_owned();
    let mut turned: Vec<char> = signature.chars().collect();
    turned[0] = if turned[0] == 'A' { 'B' } else { 'A' };
    let turned: String = turned.into_iter().collect();
    for forged in [
        link.replace(&expires, &later),
        link.replace(&expires, "99999999999"),
        link.replace(&expires, "9223372036854775807"),
        link.replace(&expires, "-1"),
        link.replace(&signature, &turned),
        link.replace(&signature, &signature[..signature.len() - 1]),
        link.replace(&signature, ""),
        link.replace(&signature, &signature.repeat(2)),
        link.replace(&victim.over.id, &victim.live.id),
        link.split('?').next().unwrap().to_owned(),
        format!("{link}&expires=99999999999"),
    ] {
        let answer = Answer::to(rig.door.get(&forged)).await;
        assert_eq!(answer.error(), (404, "recording_not_available".to_owned()), "{forged}");
    }
    rig.stop().await;
}

/// What a key asked for and was not done yet is not done once the last key of its owner is revoked.
#[tokio::test]
async fn a_revoked_key_calls_nobody_later() {
    let rig = Rig::start().await;
    let (agent, admin) = (rig.stranger().await, rig.admin().await);
    let not_before = (Timestamp::now() + Duration::from_secs(3)).to_string();
    let waits = agent.place(&json!({ "to": BUSY, "task": "Ask.", "not_before": not_before })).await;
    let campaign = json!({
        "task": "Ask when they open.", "parallel": 1, "targets": [{ "to": NEVER_ANSWERS }, { "to": HANGS_UP }],
    });
    let started = Answer::to(agent.request(Method::POST, "/campaigns").json(&campaign)).await.json();
    let path = format!("/campaigns/{}", started["id"].as_str().expect("a campaign has an id"));
    let rings = |number: &'static str| {
        rig.exchange.until(move |calls| calls.iter().any(|call| call.number == number).then_some(()))
    };
    rings(NEVER_ANSWERS).await;
    revoke(&rig, &agent).await;

    let ringing = admin.get(&path).await.json()["targets"][0]["call_id"].as_str().unwrap().to_owned();
    admin.known(&ringing).hang_up().await;
    let over = admin.get(&format!("{path}?wait_seconds=25")).await.json();
    assert_eq!(
        (&over["state"], &over["targets"][1]["refusal"]["code"]),
        (&json!("done"), &json!("invalid_api_key"))
    );
    let over = admin.known(&waits.id).over().await;
    assert_eq!(
        (&over["outcome"], &over["end_reason"]),
        (&json!("failed"), &json!("policy.refused")),
        "{over}"
    );
    let called = rig.exchange.calls();
    assert!(called.iter().all(|call| call.number == NEVER_ANSWERS), "{called:?}");
    rig.stop().await;
}

/// A key is worthless at once, also for what was begun with it: streams and waits tell it nothing more.
#[tokio::test]
async fn a_revoked_key_hears_no_more() {
    let rig = Rig::start().await;
    let (agent, admin) = (rig.stranger().await, rig.admin().await);
    let call = agent.call(SILENT).await;
    let told = call.until_code("call.answered").await;
    let mut events = call.events(told.last().unwrap()["seq"].as_u64().unwrap()).await;
    let waiting =
        tokio::spawn(Answer::to(agent.request(Method::GET, &call.path("/question?wait_seconds=25"))));
    let campaign = json!({ "task": "Ask when they open.", "targets": [{ "to": NEVER_ANSWERS }] });
    let started = Answer::to(agent.request(Method::POST, "/campaigns").json(&campaign)).await.json();
    let campaign = started["id"].as_str().expect("a campaign has an id");
    let path = format!("/campaigns/{campaign}?wait_seconds=25");
    let comparing = tokio::spawn(Answer::to(agent.request(Method::GET, &path)));
    rig.exchange.until(|calls| calls.iter().any(|call| call.number == NEVER_ANSWERS).then_some(())).await;
    revoke(&rig, &agent).await;
    // What was told already may still be on its way; the end is not.
    admin.known(&call.id).hang_up().await;
    assert_eq!(admin.post(&format!("/campaigns/{campaign}/stop")).await.status, 200);
    let mut last = String::new();
    while let Some(event) = events.next().await {
        last = event["code"].to_string();
    }
    assert_ne!(last, "\"call.ended\"", "the stream goes on for a key that was revoked");
    assert_eq!(waiting.await.unwrap().error(), (401, "invalid_api_key".to_owned()));
    assert_eq!(comparing.await.unwrap().error(), (401, "invalid_api_key".to_owned()));
    assert_eq!(agent.get(&call.path("")).await.error(), (401, "invalid_api_key".to_owned()));
    rig.stop().await;
}
