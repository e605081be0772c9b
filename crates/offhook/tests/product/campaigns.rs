//! The same asked of several, side by side.

use std::task::Poll;

use offhook::gateway::{PlaceCall, StartCampaign, Target};
use offhook_sandbox::Step;
use offhook_testkit::realtime::{FakeRealtime, Reply};
use reqwest::Method;
use serde_json::{Value, json};

use crate::agent::{Agent, Answer};
use crate::realtime::{CLINIC, HELLO, goodbye, model, person, rig as realtime_rig};
use crate::rig::{BUSY, HANGS_UP, LINE, NEVER_ANSWERS, PATIENCE, RECEPTIONIST, Rig, SILENT, Setup};

const ABROAD: &str = "+442071234567";
const DECLINES: &str = "+14155550103";
const TASK: &str = "Ask what a new chain costs, fitted.";

async fn start(agent: &Agent, body: &Value) -> Answer {
    Answer::to(agent.request(Method::POST, "/campaigns").json(body)).await
}

pub async fn started(agent: &Agent, body: &Value) -> Campaign {
    let answer = start(agent, body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let id = answer.json()["campaign_id"].as_str().unwrap().to_owned();
    Campaign { agent: agent.clone(), id }
}

pub struct Campaign {
    agent: Agent,
    id: String,
}

impl Campaign {
    fn path(&self, rest: &str) -> String {
        format!("/campaigns/{}{rest}", self.id)
    }

    async fn view(&self) -> Value {
        let answer = self.agent.get(&self.path("")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// What it is once it is over.
    pub async fn done(&self) -> Value {
        let waiting =
            async { while self.agent.get(&self.path("?wait_seconds=25")).await.json()["state"] != "done" {} };
        let over = tokio::time::timeout(PATIENCE, waiting).await;
        let view = self.view().await;
        assert!(over.is_ok(), "it does not end: {view:#}");
        view
    }
}

/// Until this number is called.
async fn rings(rig: &Rig, number: &'static str) {
    rig.exchange.until(move |calls| calls.iter().any(|call| call.number == number).then_some(())).await;
}

/// Of each target, by number.
fn states(view: &Value) -> Vec<(&str, &str)> {
    let targets = view["targets"].as_array().unwrap().iter();
    targets.map(|target| (target["to"].as_str().unwrap(), target["state"].as_str().unwrap())).collect()
}

/// A column of the comparison.
fn column<'a>(view: &'a Value, name: &str) -> Vec<&'a Value> {
    let columns = view["comparison"]["columns"].as_array().unwrap();
    let index = columns.iter().position(|column| column == name).unwrap_or_else(|| panic!("no {name}"));
    view["comparison"]["rows"].as_array().unwrap().iter().map(|row| &row[index]).collect()
}

fn targets(numbers: &[&str]) -> Value {
    numbers.iter().map(|to| json!({ "to": to })).collect()
}

#[tokio::test]
async fn several_are_asked_and_compared() {
    let rig = Rig::start().await;
    let owner = rig.stranger().await;
    let body = json!({
        "task": TASK,
        "purpose": "A new chain",
        "facts": ["It is a road bicycle."],
        "targets": [
            { "to": RECEPTIONIST, "name": "Green Street" }, { "to": BUSY }, { "to": ABROAD }, { "to": HANGS_UP },
        ],
    });
    let campaign = started(&owner, &body).await;
    let view = campaign.done().await;
    assert_eq!((&view["ending"], &view["purpose"]), (&json!("completed"), &json!("A new chain")));
    assert_eq!(
        states(&view),
        [(RECEPTIONIST, "done"), (BUSY, "done"), (ABROAD, "refused"), (HANGS_UP, "done")]
    );
    assert_eq!(column(&view, "name"), [&json!("Green Street"), &json!(null), &json!(null), &json!(null)]);
    assert_eq!(
        column(&view, "outcome"),
        [&json!("answered"), &json!("busy"), &json!(null), &json!("answered")]
    );
    assert!(
        column(&view, "next_action")
            .iter()
            .all(|action| action.as_str().is_some_and(|text| !text.is_empty()))
    );
    assert_eq!(view["targets"][2]["refusal"]["code"], "unsupported_destination");
    assert!(view["targets"][0]["result"]["summary"].is_string(), "{view:#}");

    // Each call is an enquiry, and knows where it belongs.
    let call = owner.known(view["targets"][0]["call_id"].as_str().unwrap()).view().await;
    assert_eq!(call["campaign_id"], json!(campaign.id));
    let task = call["task"].as_str().unwrap();
    for part in
        [TASK, "You are calling Green Street.", "It is a road bicycle.", "agree to nothing", "held without"]
    {
        assert!(task.contains(part), "{part:?} in {task}");
    }

    // It is kept, and its owner's alone.
    let listed = owner.get("/campaigns").await.json();
    assert_eq!(listed["campaigns"][0]["campaign_id"], json!(campaign.id));
    assert_eq!(
        (&listed["campaigns"][0]["targets_called"], &listed["campaigns"][0]["state"]),
        (&json!(3), &json!("done"))
    );
    let stranger = rig.stranger().await;
    assert_eq!(stranger.get("/campaigns").await.json(), json!({ "campaigns": [] }));
    let kept = json!({ "next_action": "Call Green Street back.", "decision_needed": "Which day?" });
    for (method, path) in [(Method::GET, ""), (Method::PATCH, ""), (Method::POST, "/stop")] {
        let foreign = stranger.request(method, &campaign.path(path)).json(&kept);
        assert_eq!(Answer::to(foreign).await.error(), (404, "not_found".to_owned()));
    }
    let noted = Answer::to(owner.request(Method::PATCH, &campaign.path("")).json(&kept)).await.json();
    assert_eq!(
        (&noted["next_action"], &noted["facts"]),
        (&kept["next_action"], &json!(["It is a road bicycle."]))
    );
    let forgotten = json!({ "facts": null, "decision_needed": null });
    let rig = rig.restart().await;
    Answer::to(owner.request(Method::PATCH, &campaign.path("")).json(&forgotten)).await;
    let view = campaign.view().await;
    assert_eq!(
        (&view["facts"], &view["decision_needed"], &view["next_action"]),
        (&json!([]), &json!(null), &kept["next_action"])
    );

    // A follow-up of one of its calls belongs to it.
    let follow_up = json!({ "to": HANGS_UP, "task": TASK, "follow_up_to": view["targets"][3]["call_id"] });
    let call = owner.place(&follow_up).await;
    call.over().await;
    let target = &campaign.view().await["targets"][3];
    assert_eq!((&target["call_id"], target["call_ids"].as_array().unwrap().len()), (&json!(call.id), 2));
    rig.stop().await;
}

#[tokio::test]
async fn the_first_fit_ends_the_rest() {
    let fake = FakeRealtime::start(model(
        vec![goodbye("Thursday at three is fine. Thank you, goodbye.")],
        &[HELLO, "Thursday at three is free."],
    ))
    .await;
    let then = [Step::Say("Thursday at three is free."), Step::Linger { ms: 9_000 }];
    let rig = realtime_rig(fake.url(), person(&then)).await;
    let owner = rig.stranger().await;
    let body = json!({
        "task": TASK, "targets": targets(&[NEVER_ANSWERS, SILENT, CLINIC, BUSY, DECLINES]), "parallel": 3,
        "stop_at_first_fit": true,
    });
    let campaign = started(&owner, &body).await;
    let view = campaign.done().await;
    assert_eq!(view["ending"], "first_fit", "{view:#}");
    assert_eq!(
        states(&view),
        [
            (NEVER_ANSWERS, "done"),
            (SILENT, "done"),
            (CLINIC, "done"),
            (BUSY, "cancelled"),
            (DECLINES, "cancelled"),
        ]
    );
    assert_eq!(column(&view, "fits"), [false, false, true, false, false]);
    assert_eq!(column(&view, "outcome")[0], "cancelled", "what only rang was hung up");
    // Whoever had picked up got a goodbye.
    let talking = owner.known(view["targets"][1]["call_id"].as_str().unwrap());
    let journal = talking.journal().await;
    assert!(journal.iter().any(|event| event["code"] == "owner.instructed"), "{journal:#?}");
    assert_eq!(journal.last().unwrap()["reason"], "voice.finished");
    let dialled: Vec<String> = rig.exchange.calls().iter().map(|call| call.number.clone()).collect();
    assert!(!dialled.iter().any(|number| number == BUSY || number == DECLINES), "{dialled:?}");
    rig.stop().await;
}

#[tokio::test]
async fn no_call_follows_one_that_may_have_committed() {
    let unclear = json!({ "reason": "done", "result": { "status": "unclear", "summary": "They were not sure.", "quotes": [] } });
    let reply = Reply::say("Thank you, goodbye.").and_call("end_call", &unclear.to_string());
    let fake = FakeRealtime::start(model(vec![reply], &[HELLO, "We may have written it down."])).await;
    let then = [Step::Say("We may have written it down."), Step::Linger { ms: 9_000 }];
    let rig = realtime_rig(fake.url(), person(&then)).await;
    let owner = rig.stranger().await;
    let body = json!({
        "task": "Book a table for two.", "targets": targets(&[BUSY, CLINIC, DECLINES]),
        "may_commit": "A table for two tonight, at no charge.", "stop_at_first_fit": true,
    });
    let view = started(&owner, &body).await.done().await;
    assert_eq!((&view["ending"], &view["parallel"]), (&json!("committed"), &json!(1)), "{view:#}");
    assert_eq!(states(&view), [(BUSY, "done"), (CLINIC, "done"), (DECLINES, "cancelled")]);
    rig.stop().await;
}

#[tokio::test]
async fn a_breach_ends_the_other_calls() {
    let booked = "Yes, please book it.";
    let unclear = json!({ "reason": "done", "result": { "status": "partly", "summary": "They have one.", "quotes": [] } });
    let reply = Reply::say(booked).and_call("end_call", &unclear.to_string());
    let fake = FakeRealtime::start(model(vec![reply], &[HELLO, "Shall I book it for you?"])).await;
    let then = [Step::Say("Shall I book it for you?"), Step::Linger { ms: 9_000 }];
    let rig = realtime_rig(fake.url(), person(&then)).await;
    let owner = rig.stranger().await;
    let body = json!({ "task": TASK, "targets": targets(&[NEVER_ANSWERS, CLINIC, BUSY]), "parallel": 2 });
    let view = started(&owner, &body).await.done().await;
    assert_eq!(view["targets"][1]["result"]["breaches"][0]["what"], booked, "{view:#}");
    assert_eq!(view["ending"], "committed");
    assert_eq!(states(&view), [(NEVER_ANSWERS, "done"), (CLINIC, "done"), (BUSY, "cancelled")]);
    rig.stop().await;
}

#[tokio::test]
async fn a_restart_calls_nobody() {
    let rig = Rig::start().await;
    let owner = rig.stranger().await;
    let body = json!({ "task": TASK, "targets": targets(&[NEVER_ANSWERS, BUSY]), "parallel": 1 });
    let campaign = started(&owner, &body).await;
    rings(&rig, NEVER_ANSWERS).await;
    let rig = rig.restart().await;
    let view = campaign.view().await;
    assert_eq!((&view["state"], &view["ending"]), (&json!("done"), &json!("restarted")));
    assert_eq!(states(&view), [(NEVER_ANSWERS, "done"), (BUSY, "cancelled")]);
    assert!(rig.exchange.calls().iter().all(|call| call.number == NEVER_ANSWERS));
    rig.stop().await;
}

#[tokio::test]
async fn it_can_be_stopped_and_asked_for_twice() {
    let rig = Rig::start().await;
    let owner = rig.stranger().await;
    let body = json!({ "task": TASK, "targets": targets(&[NEVER_ANSWERS, BUSY]), "parallel": 1 });
    let ask = |body: Value| {
        let request = owner.request(Method::POST, "/campaigns").header("Idempotency-Key", "chains");
        Answer::to(request.json(&body))
    };
    let first = ask(body.clone()).await;
    let again = ask(body.clone()).await;
    assert_eq!((first.status.as_u16(), again.header("idempotent-replayed")), (201, Some("true")));
    assert_eq!(first.json()["id"], again.json()["id"]);
    let other = json!({ "task": "Something else.", "targets": targets(&[BUSY]) });
    assert_eq!(ask(other).await.error(), (422, "idempotency_key_reused".to_owned()));

    let id = first.json()["campaign_id"].as_str().unwrap().to_owned();
    let campaign = Campaign { agent: owner.clone(), id };
    rings(&rig, NEVER_ANSWERS).await;
    let stopped = owner.post(&campaign.path("/stop")).await.json();
    assert_eq!((&stopped["success"], &stopped["campaign_id"]), (&json!(true), &json!(campaign.id)));
    let view = campaign.done().await;
    assert_eq!((&view["ending"], column(&view, "outcome")[0]), (&json!("stopped"), &json!("cancelled")));
    assert_eq!(states(&view), [(NEVER_ANSWERS, "done"), (BUSY, "cancelled")]);
    assert_eq!(owner.post(&campaign.path("/stop")).await.json()["state"], "done", "repeat at will");
    assert_eq!(ask(body).await.json()["state"], "done");
    rig.stop().await;
}

#[tokio::test]
async fn what_can_t_be_a_campaign_is_told() {
    let rig = Rig::start().await;
    let owner = rig.stranger().await;
    let two = targets(&[NEVER_ANSWERS, BUSY]);
    let schema = json!({ "type": "object", "properties": { "price": { "type": "number" } } });
    for (fields, code, told) in [
        (json!({ "targets": [] }), "missing_fields", "targets is required"),
        (json!({ "task": " " }), "missing_fields", "task is required"),
        (json!({ "targets": [{ "to": "+1415" }] }), "invalid_phone", "targets: 0: "),
        (json!({ "targets": [{ "name": "x" }] }), "invalid_request", "targets: 0 has no number"),
        (
            json!({ "targets": targets(&[BUSY, "+1 415 555 0101"]) }),
            "invalid_request",
            "targets: 1 is the same",
        ),
        (json!({ "parallel": 5 }), "invalid_request", "parallel: must be 1 to 4"),
        (json!({ "parallel": 0 }), "invalid_request", "parallel: must be 1 to 4"),
        (json!({ "may_commit": true }), "invalid_request", "may_commit: could commit twice"),
        (
            json!({ "may_commit": "One table.", "stop_at_first_fit": true, "parallel": 2 }),
            "invalid_request",
            "may_commit: could commit twice",
        ),
        (json!({ "bridge_number": BUSY }), "invalid_request", "bridge_number: is not possible in a campaign"),
        (json!({ "not_before": "2030-01-01T00:00:00Z" }), "invalid_request", "not_before: is not possible"),
        (json!({ "voice": "bob" }), "invalid_preferences", "voice must be one of"),
        (json!({ "compare": ["price"] }), "invalid_request", "compare: names a field"),
        (
            json!({ "result_schema": schema, "fit": { "field": "price" } }),
            "invalid_request",
            "fit: needs equals",
        ),
    ] {
        let mut body = json!({ "task": TASK, "targets": two });
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let answer = start(&owner, &body).await;
        assert_eq!(answer.error(), (400, code.to_owned()), "{fields}");
        let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.starts_with(told), "{fields}: {message}");
    }
    let body = json!({ "task": TASK, "targets": two });
    assert_eq!(start(&rig.owner(), &body).await.error(), (401, "auth_required".to_owned()));
    assert!(rig.exchange.calls().is_empty());
    rig.stop().await;
}

/// A line that is reserved carries one call at a time.
#[tokio::test]
async fn on_a_line_of_one_s_own_one_follows_the_other() {
    let rig = Rig::start().await;
    let owner = rig.stranger().await;
    rig.reserve(&owner).await;
    let body = json!({ "task": TASK, "targets": targets(&[BUSY, HANGS_UP, DECLINES]), "from": LINE });
    let view = started(&owner, &body).await.done().await;
    assert_eq!(view["parallel"], 3);
    assert_eq!(states(&view), [(BUSY, "done"), (HANGS_UP, "done"), (DECLINES, "done")], "{view:#}");
    rig.stop().await;
}

/// Whoever asked may be gone before the answer.
#[tokio::test]
async fn what_was_begun_goes_on_without_whoever_asked() {
    let rig = Rig::start().await;
    let owner = rig.stranger().await;
    let gateway = rig.app.gateway().clone();
    let caller = gateway.authenticate(owner.key()).await.unwrap();
    for patience in 1.. {
        let call = PlaceCall { task: TASK.to_owned(), ..PlaceCall::default() };
        let target = Target { to: BUSY.to_owned(), ..Target::default() };
        let start = StartCampaign { call, targets: vec![target], ..StartCampaign::default() };
        let answered = polled(patience, gateway.start_campaign(caller, start)).await;
        for campaign in owner.get("/campaigns").await.json()["campaigns"].as_array().unwrap() {
            let id = campaign["campaign_id"].as_str().unwrap().to_owned();
            let view = Campaign { agent: owner.clone(), id }.done().await;
            assert_eq!((patience, &view["ending"]), (patience, &json!("completed")));
        }
        if let Some(started) = answered {
            assert!(!started.unwrap().repeated && patience > 1);
            break;
        }
    }
    rig.stop().await;
}

/// What comes of it; `None` when it was given up after being looked at so many times.
async fn polled<T>(mut patience: usize, asked: impl Future<Output = T>) -> Option<T> {
    let mut asked = std::pin::pin!(asked);
    std::future::poll_fn(|context| match patience.checked_sub(1) {
        Some(left) => {
            patience = left;
            asked.as_mut().poll(context).map(Some)
        }
        None => Poll::Ready(None),
    })
    .await
}

#[tokio::test]
async fn the_operator_says_how_many() {
    let mut setup = Setup::new();
    setup.config.campaign_parallel = 1;
    let rig = setup.start().await;
    let owner = rig.stranger().await;
    let mut campaigns = Vec::new();
    for to in [NEVER_ANSWERS, BUSY, DECLINES, HANGS_UP] {
        let numbers = if to == NEVER_ANSWERS { vec![to] } else { vec![NEVER_ANSWERS, to] };
        let body = json!({ "task": TASK, "targets": targets(&numbers) });
        campaigns.push(started(&owner, &body).await);
    }
    assert_eq!(campaigns[1].view().await["parallel"], 1);
    let body = json!({ "task": TASK, "targets": targets(&[BUSY]) });
    assert_eq!(start(&owner, &body).await.error(), (429, "too_many_calls".to_owned()));
    // A number that is being called already is waited for; the others need not wait for that.
    rings(&rig, NEVER_ANSWERS).await;
    rings(&rig, BUSY).await;
    assert_eq!(states(&campaigns[1].view().await)[0], (NEVER_ANSWERS, "waiting"));
    for campaign in &campaigns {
        owner.post(&campaign.path("/stop")).await;
        assert_eq!(campaign.done().await["ending"], "stopped");
    }
    let rig = rig.restart_with(|config| config.campaign_parallel = 0).await;
    assert_eq!(start(&owner, &body).await.error(), (403, "forbidden".to_owned()));
    rig.stop().await;
}
