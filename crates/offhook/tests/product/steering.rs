//! Guiding a call that is under way: what its owner has the voice say, keep in mind and press.

use offhook_sandbox::Step;
use offhook_testkit::realtime::{FakeRealtime, Reply};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::agent::{Agent, Answer, Call};
use crate::realtime::{CLINIC, HELLO, OPENING, goodbye, model, person, record, rig, turns};
use crate::rig::{NEVER_ANSWERS, RECEPTIONIST, Rig};

fn steer(agent: &Agent, call: &Call, what: &str, body: &Value) -> RequestBuilder {
    agent.request(Method::POST, &call.path(what)).json(body)
}

async fn told(call: &Call, what: &str, body: Value) -> Answer {
    Answer::to(steer(&call.agent, call, what, &body)).await
}

#[tokio::test]
async fn a_call_is_guided() {
    let replies = vec![Reply::say("And on Sunday?"), goodbye("Thank you, goodbye.")];
    let fake = FakeRealtime::start(model(replies, &[HELLO, "On Sunday too."])).await;
    let then = [
        Step::Await { ms: 40_000 },
        Step::Await { ms: 40_000 },
        Step::Say("On Sunday too."),
        Step::Linger { ms: 9_000 },
    ];
    let rig = rig(fake.url(), person(&then)).await;
    let call = rig.owner().call(CLINIC).await;
    call.until("the opening", |event| event["code"] == "turn.voice").await;

    let said = told(&call, "/say", json!({ "text": " Please ask for Rosa. " })).await;
    assert_eq!(said.status, 202, "{said:?}");
    let body = json!({ "success": true, "call_id": call.id, "status": "answered" });
    assert_eq!(said.json(), body);
    call.until("what was to be said", |event| {
        event["text"] == "Please ask for Rosa." && event["code"] == "turn.voice"
    })
    .await;

    assert_eq!(told(&call, "/digits", json!({ "digits": "1 2#" })).await.status, 202);
    call.until_code("leg.digits_sent").await;

    // The same again under its key is done once.
    let note = json!({ "text": "Ask about Sunday, too." });
    for replayed in [None, Some("true")] {
        let answer =
            Answer::to(steer(&call.agent, &call, "/instruct", &note).header("Idempotency-Key", "k")).await;
        assert_eq!((answer.status.as_u16(), answer.header("idempotent-replayed")), (202, replayed));
    }
    let other = json!({ "text": "Ask about Monday." });
    let reused =
        Answer::to(steer(&call.agent, &call, "/instruct", &other).header("Idempotency-Key", "k")).await;
    assert_eq!(reused.error(), (422, "idempotency_key_reused".to_owned()));

    let over = call.over().await;
    assert_eq!(over["end_reason"], "voice.finished");
    let voice: Vec<&str> =
        turns(&over).into_iter().filter(|(role, _)| *role == "assistant").map(|(_, text)| text).collect();
    assert_eq!(voice, [OPENING, "Please ask for Rosa.", "And on Sunday?", "Thank you, goodbye."]);
    assert_eq!(record(&rig).await.digits_text(), "12#");

    let notes: Vec<String> = fake.events("conversation.item.create").iter().map(Value::to_string).collect();
    assert_eq!(notes.iter().filter(|note| note.contains("Ask about Sunday, too.")).count(), 1);
    let journal = call.journal().await;
    let owner: Vec<&Value> = journal
        .iter()
        .map(|event| &event["code"])
        .filter(|code| code.as_str().unwrap().starts_with("owner."))
        .collect();
    assert_eq!(owner, ["owner.said", "owner.pressed", "owner.instructed"]);

    assert_eq!(told(&call, "/say", note).await.error(), (409, "conflict".to_owned()));
    rig.stop().await;
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_a_strangers_call_is_none() {
    let rig = Rig::start().await;
    let owner = rig.owner();
    let call = owner.call(NEVER_ANSWERS).await;
    call.until_code("call.ringing").await;
    for what in ["/say", "/instruct"] {
        assert_eq!(
            told(&call, what, json!({ "text": "Hello." })).await.error(),
            (409, "conflict".to_owned())
        );
    }
    assert_eq!(told(&call, "/digits", json!({ "digits": "1" })).await.error(), (409, "conflict".to_owned()));
    for (what, body, code) in [
        ("/say", json!({}), "missing_fields"),
        ("/say", json!({ "text": " " }), "missing_fields"),
        ("/say", json!({ "text": null }), "missing_fields"),
        ("/say", json!({ "text": 1 }), "invalid_request"),
        ("/say", json!(["text"]), "invalid_request"),
        ("/instruct", json!({ "text": "x".repeat(2_001) }), "invalid_request"),
        ("/digits", json!({ "digits": "one" }), "invalid_request"),
        ("/digits", json!({ "digits": "-" }), "missing_fields"),
        ("/digits", json!({ "digits": "1".repeat(65) }), "invalid_request"),
    ] {
        assert_eq!(told(&call, what, body.clone()).await.error(), (400, code.to_owned()), "{what} {body}");
    }
    let stranger = rig.stranger().await;
    for body in [json!({ "text": "Hello." }), json!({})] {
        let answer = Answer::to(steer(&stranger, &call, "/say", &body)).await;
        assert_eq!(answer.error(), (404, "not_found".to_owned()));
    }
    let nobody = rig.door.request(Method::POST, &call.path("/say")).json(&json!({ "text": "Hello." }));
    assert_eq!(Answer::to(nobody).await.error(), (401, "auth_required".to_owned()));
    call.hang_up().await;
    rig.stop().await;
}

#[tokio::test]
async fn the_local_voice_says_it_too_and_admits_that_it_follows_no_notes() {
    let rig = Rig::start().await;
    let call = rig.owner().call(RECEPTIONIST).await;
    call.until_code("turn.voice").await;
    assert_eq!(told(&call, "/instruct", json!({ "text": "Ask about Sunday." })).await.status, 202);
    assert_eq!(told(&call, "/say", json!({ "text": "Sunday would be fine." })).await.status, 202);
    let journal = call.journal().await;
    let said = |event: &Value| {
        event["code"] == "turn.voice"
            && event["text"].as_str().is_some_and(|text| text.contains("Sunday would be fine."))
    };
    assert!(journal.iter().any(said), "{journal:#?}");
    let ignored =
        |event: &Value| event["code"] == "call.problem" && event["problem_code"] == "instruction_ignored";
    assert!(journal.iter().any(ignored), "{journal:#?}");
    rig.stop().await;
}
