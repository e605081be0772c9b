//! A call that follows another one up.

use offhook_sandbox::Step;
use offhook_testkit::realtime::{FakeRealtime, Reply};
use reqwest::Method;
use serde_json::json;

use crate::agent::Answer;
use crate::realtime::{CLINIC, HELLO, goodbye, model, person, rig};
use crate::rig::{NEVER_ANSWERS, Rig};

const WANTS_BIRTH: &str = "+14155550108";
const ASKED: &str = "What is the date of birth?";
const SUPPLIED: &str = "The date of birth of Jordan Lee is March 3rd, 1984.";

fn blocked() -> Reply {
    let result = json!({
        "status": "blocked", "summary": "They want the date of birth.", "quotes": [ASKED],
        "blocker": { "kind": "missing_information", "what": "The date of birth of Jordan Lee.", "quotes": [ASKED] },
    });
    let end = json!({ "reason": "blocked", "result": result }).to_string();
    Reply::say("I do not have it at hand and will call back. Goodbye.").and_call("end_call", &end)
}

#[tokio::test]
async fn the_voice_knows_what_was_said_and_what_is_known_now() {
    let replies = vec![blocked(), goodbye("It is March 3rd, 1984. Thank you, goodbye.")];
    let heard = [HELLO, ASKED, HELLO, ASKED];
    let fake = FakeRealtime::start(model(replies, &heard)).await;
    let rig = rig(fake.url(), person(&[Step::Say(ASKED), Step::Linger { ms: 9_000 }])).await;
    let owner = rig.owner();
    let task = "Confirm the appointment of Jordan Lee.";
    let first = owner.place(&json!({ "to": CLINIC, "task": task })).await;
    let over = first.over().await;
    assert_eq!(over["result"]["blocker"]["kind"], "missing_information", "{over:#}");

    let body = json!({ "to": CLINIC, "task": task, "follow_up_to": first.id, "supplied": SUPPLIED });
    let foreign = rig.stranger().await.ask(&body).await;
    assert_eq!(foreign.error(), (404, "not_found".to_owned()), "nobody learns of another's call");
    let checked = Answer::to(owner.request(Method::POST, "/call/check").json(&body)).await;
    let prompt = checked.json()["prompt"].as_str().unwrap_or_else(|| panic!("{checked:?}")).to_owned();
    let second = owner.place(&body).await;
    second.over().await;

    let updates = fake.events("session.update");
    let told =
        updates.iter().filter_map(|update| update["session"]["instructions"].as_str()).next_back().unwrap();
    for part in
        [SUPPLIED, &format!("They: {ASKED}"), "You: I do not have it", "missing_information", "calling back"]
    {
        assert!(told.contains(part), "{part:?} in {told}");
        assert!(prompt.contains(part), "a check shows it too: {part:?}");
    }
    let shown = second.view().await;
    assert_eq!((&shown["follow_up_to"], shown.get("follow_ups")), (&json!(first.id), None));
    assert_eq!(first.view().await["follow_ups"], json!([second.id]));

    // Another number was not called before, and does not learn who said what elsewhere.
    let elsewhere =
        json!({ "to": NEVER_ANSWERS, "task": task, "follow_up_to": first.id, "supplied": SUPPLIED });
    let checked = Answer::to(owner.request(Method::POST, "/call/check").json(&elsewhere)).await.json();
    let told = checked["prompt"].as_str().unwrap();
    for part in [SUPPLIED, "missing_information", "somebody else"] {
        assert!(told.contains(part), "{part:?} in {told}");
    }
    for part in ["You called this number", "They: ", "You: "] {
        assert!(!told.contains(part), "{part:?} in {told}");
    }
    rig.stop().await;
}

#[tokio::test]
async fn only_a_call_of_one_s_own_that_is_over_is_followed_up() {
    let rig = Rig::start().await;
    let owner = rig.owner();
    let live = owner.call(NEVER_ANSWERS).await;
    let unknown = "0192f0c8-0000-7000-8000-000000000000";
    for (fields, status, code) in [
        (json!({ "follow_up_to": live.id }), 409, "conflict"),
        (json!({ "follow_up_to": unknown }), 404, "not_found"),
        (json!({ "follow_up_to": "the one of yesterday" }), 404, "not_found"),
        (json!({ "supplied": SUPPLIED }), 400, "invalid_request"),
        (json!({ "follow_up_to": 3 }), 400, "invalid_request"),
    ] {
        let mut body = json!({ "to": CLINIC, "task": "Confirm the appointment." });
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        assert_eq!(owner.ask(&body).await.error(), (status, code.to_owned()), "{fields}");
    }
    // Whoever has no key has no calls.
    let body = json!({ "to": CLINIC, "task": "Confirm the appointment.", "follow_up_to": live.id });
    assert_eq!(rig.owner().ask(&body).await.error(), (404, "not_found".to_owned()));
    live.hang_up().await;
    rig.stop().await;
}

/// Who asks for a date of birth before helping, with the voice of this machine.
#[tokio::test]
async fn what_was_missing_is_supplied_by_the_next_call() {
    let rig = Rig::start().await;
    let owner = rig.owner();
    let task = "Call on behalf of Jordan Lee and confirm the appointment.";
    let first = owner.place(&json!({ "to": WANTS_BIRTH, "task": task })).await;
    let blocked = first.over().await["result"].clone();
    assert_eq!(
        (&blocked["status"], &blocked["blocker"]["kind"]),
        (&json!("blocked"), &json!("missing_information"))
    );
    let supplied = "The date of birth of Jordan Lee is 05 03 84.";
    let body = json!({ "to": WANTS_BIRTH, "task": task, "follow_up_to": first.id, "supplied": supplied });
    let second = owner.place(&body).await.over().await;
    assert_eq!(second["result"]["status"], "achieved", "{second:#}");
    rig.stop().await;
}
