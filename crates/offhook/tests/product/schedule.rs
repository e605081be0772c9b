//! Calls that wait for their time.

use std::time::Duration;

use jiff::Timestamp;
use offhook_core::policy::NumberPattern;
use serde_json::{Value, json};

use crate::agent::{Agent, Call};
use crate::receiver::Receiver;
use crate::rig::{BUSY, HANGS_UP, LINE, NEVER_ANSWERS, Rig};

fn after(wait: Duration) -> String {
    (Timestamp::now() + wait).to_string()
}

const SOON: Duration = Duration::from_millis(1_500);
const LATER: Duration = Duration::from_secs(3);
const TOMORROW: Duration = Duration::from_secs(24 * 60 * 60);

fn wish(to: &str, wait: Duration) -> Value {
    json!({ "to": to, "task": "Ask when they open.", "not_before": after(wait) })
}

fn dialled(rig: &Rig, to: &str) -> usize {
    rig.exchange.calls().iter().filter(|call| call.number == to).count()
}

async fn codes(call: &Call) -> Vec<String> {
    let journal = call.journal().await;
    let codes = journal.iter().map(|event| event["code"].as_str().unwrap().to_owned());
    codes.filter(|code| code.starts_with("call.")).collect()
}

/// A call that waits a little longer than what is looked at, and then is over.
async fn let_time_pass(owner: &Agent) {
    owner.place(&wish(HANGS_UP, LATER)).await.over().await;
}

#[tokio::test]
async fn a_call_waits_for_its_time() {
    let rig = Rig::start().await;
    let owner = rig.owner();
    let not_before = after(SOON);
    let call = owner
        .place(&json!({ "to": HANGS_UP, "task": "Ask when they open.", "not_before": not_before }))
        .await;
    let view = call.view().await;
    assert_eq!((&view["lifecycle"], dialled(&rig, HANGS_UP)), (&json!("queued"), 0), "{view}");
    let shown: Timestamp = view["not_before"].as_str().unwrap().parse().unwrap();
    assert_eq!(shown.as_millisecond(), not_before.parse::<Timestamp>().unwrap().as_millisecond());
    assert!(view["not_after"].as_str() > view["not_before"].as_str(), "an hour by itself: {view}");

    // The stream goes on from the first fact to the last.
    let codes = codes(&call).await;
    assert_eq!(codes[..3], ["call.scheduled", "call.queued", "call.dialing"], "{codes:?}");
    let over = call.over().await;
    assert_eq!(over["outcome"], "answered");
    let dialling: Timestamp = over["timestamps"]["dialing_at"].as_str().unwrap().parse().unwrap();
    assert!(dialling >= shown, "not before {shown}: {dialling}");
    rig.stop().await;
}

#[tokio::test]
async fn a_restart_keeps_it_and_it_is_dialled_once() {
    let rig = Rig::start().await;
    let owner = rig.owner();
    let receiver = Receiver::start([]).await;
    let mut body = wish(HANGS_UP, LATER);
    body["webhook_url"] = receiver.url("/").into();
    body["greeting"] = "Good morning.".into();
    let call = owner.place(&body).await;
    let rig = rig.restart().await;
    assert_eq!(call.view().await["lifecycle"], "queued");

    let over = call.over().await;
    assert_eq!((&over["outcome"], &over["greeting"]), (&json!("answered"), &json!("Good morning.")));
    receiver.until_event("call.ended").await;
    let rig = rig.restart().await;
    let_time_pass(&rig.owner()).await;
    assert_eq!(dialled(&rig, HANGS_UP), 2, "once, and the one that let time pass");
    rig.stop().await;
}

#[tokio::test]
async fn hanging_up_cancels_it() {
    let rig = Rig::start().await;
    let owner = rig.owner();
    let call = owner.place(&wish(BUSY, SOON)).await;
    assert_eq!(rig.stranger().await.known(&call.id).agent.post(&call.path("/hangup")).await.status, 404);
    for message in ["Cancelled before pickup.", "The call had already ended without an answer."] {
        let hung_up = call.hang_up().await;
        assert_eq!((&hung_up["status"], &hung_up["message"]), (&json!("failed"), &json!(message)));
    }
    let over = call.over().await;
    assert_eq!((&over["outcome"], &over["end_reason"]), (&json!("cancelled"), &json!("owner.cancelled")));
    assert_eq!(codes(&call).await, ["call.scheduled", "call.ended"]);
    let_time_pass(&owner).await;
    assert_eq!(dialled(&rig, BUSY), 0);
    rig.stop().await;
}

#[tokio::test]
async fn past_its_window_it_is_not_placed() {
    let rig = Rig::start().await;
    let owner = rig.owner();
    // While a number is being called it is not called again.
    let ringing = owner.call(NEVER_ANSWERS).await;
    let mut body = wish(NEVER_ANSWERS, SOON);
    body["not_after"] = after(LATER).into();
    let late = owner.place(&body).await.over().await;
    assert_eq!((&late["outcome"], &late["end_reason"]), (&json!("cancelled"), &json!("policy.window")));
    assert_eq!(late["timestamps"]["dialing_at"], Value::Null);
    ringing.hang_up().await;
    assert_eq!(dialled(&rig, NEVER_ANSWERS), 1);

    // Nor is one whose time passed while nobody was there to place it.
    let mut body = wish(BUSY, TOMORROW);
    body["not_after"] = after(TOMORROW * 2).into();
    let waits = owner.place(&body).await;
    let store = rig.app.gateway().store();
    assert_eq!(store.waiting_calls().await.unwrap().len(), 1);
    waits.hang_up().await;
    assert_eq!(store.waiting_calls().await.unwrap(), []);
    rig.stop().await;
}

#[tokio::test]
async fn the_rules_are_asked_when_the_time_has_come() {
    let rig = Rig::start().await;
    let owner = rig.owner();
    let call = owner.place(&wish(BUSY, LATER)).await;
    let blocked: NumberPattern = BUSY.parse().unwrap();
    let rig = rig.restart_with(|config| config.policy.blocked_destinations = vec![blocked]).await;
    let over = call.over().await;
    assert_eq!(over["end_reason"], "policy.refused", "{over}");
    assert_eq!(codes(&call).await, ["call.scheduled", "call.problem", "call.ended"]);
    assert_eq!(dialled(&rig, BUSY), 0);
    let refused = owner.ask(&wish(BUSY, TOMORROW)).await;
    assert_eq!(refused.error(), (403, "destination_blocked".to_owned()), "what never can be is told at once");
    rig.stop().await;
}

/// A line that is reserved carries one call at a time.
#[tokio::test]
async fn a_line_that_is_in_use_is_waited_for() {
    let rig = Rig::start().await;
    let owner = rig.stranger().await;
    rig.reserve(&owner).await;
    let on_own_line = |to: &str, wait| {
        let mut body = wish(to, wait);
        body["from"] = LINE.into();
        body
    };
    let ringing = owner.place(&on_own_line(NEVER_ANSWERS, Duration::ZERO)).await;
    ringing.until_code("call.dialing").await;
    let call = owner.place(&on_own_line(HANGS_UP, SOON)).await;
    let mut body = on_own_line(BUSY, SOON);
    body["not_after"] = after(LATER).into();
    let late = owner.place(&body).await.over().await;
    assert_eq!(late["end_reason"], "policy.window", "{late}");
    ringing.hang_up().await;
    assert_eq!(call.over().await["outcome"], "answered");
    assert_eq!((dialled(&rig, HANGS_UP), dialled(&rig, BUSY)), (1, 0));
    rig.stop().await;
}

#[tokio::test]
async fn a_time_that_can_t_be_is_told() {
    let rig = Rig::start().await;
    let owner = rig.owner();
    let past = (Timestamp::now() - TOMORROW).to_string();
    for (fields, message) in [
        (json!({ "not_before": after(TOMORROW * 31) }), "not_before: must be within the next 30 days"),
        (json!({ "not_after": past }), "not_after: is over already"),
        (
            json!({ "not_before": after(TOMORROW * 2), "not_after": after(TOMORROW) }),
            "not_after: must be later than not_before",
        ),
        (json!({ "not_before": "tomorrow" }), "not_before must be an instant"),
    ] {
        let mut body = json!({ "to": BUSY, "task": "Ask when they open." });
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let answer = owner.ask(&body).await;
        assert_eq!(answer.error(), (400, "invalid_request".to_owned()), "{fields}");
        let told = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(told.starts_with(message), "{told}");
    }
    // A time that has come already is now.
    let now = owner.place(&json!({ "to": BUSY, "task": "Ask when they open.", "not_before": past })).await;
    assert_eq!(now.over().await["outcome"], "busy");
    assert_eq!(codes(&now).await[0], "call.queued");
    rig.stop().await;
}

#[tokio::test]
async fn so_many_may_wait_also_when_asked_at_once() {
    let rig = Rig::start().await;
    let owner = rig.stranger().await;
    let asked = (0..130).map(|_| {
        let owner = owner.clone();
        async move { owner.ask(&wish(BUSY, TOMORROW)).await.status.as_u16() }
    });
    let answers = futures_util::future::join_all(asked).await;
    let placed = answers.iter().filter(|status| **status == 201).count();
    assert_eq!(placed, 100, "{answers:?}");
    rig.stop().await;
}

#[tokio::test]
async fn so_many_may_wait() {
    let rig = Rig::start().await;
    let owner = rig.owner();
    let first = owner.place(&wish(BUSY, TOMORROW)).await;
    for _ in 1..100 {
        owner.place(&wish(BUSY, TOMORROW)).await;
    }
    let refused = owner.ask(&wish(BUSY, TOMORROW)).await;
    assert_eq!(refused.error(), (429, "too_many_calls".to_owned()));
    assert_eq!(
        rig.owner().ask(&wish(BUSY, TOMORROW)).await.error().0,
        429,
        "another key is no way around it"
    );
    rig.stranger().await.place(&wish(BUSY, TOMORROW)).await;
    first.hang_up().await;
    owner.place(&wish(BUSY, TOMORROW)).await;
    rig.stop().await;
}
