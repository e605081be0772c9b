//! The voice asks its owner back: answered in time, not at all, and by the local voice.

use offhook_sandbox::Step;
use offhook_testkit::realtime::{FakeRealtime, Reply};
use reqwest::Method;
use serde_json::{Value, json};

use crate::agent::{Answer, Call};
use crate::realtime::{CLINIC, HELLO, OPENING, goodbye, model, person, rig, turns};
use crate::rig::{Rig, Setup};

const QUESTION: &str = "What is the date of birth of Jordan Lee?";
const WISH: &str = "Jordan Lee needs an appointment.";

fn asks() -> Reply {
    let question = json!({ "question": QUESTION }).to_string();
    Reply::say("One moment, I will check.").and_call("ask_owner", &question)
}

async fn answer(call: &Call, body: Value) -> Answer {
    let request = call.agent.request(Method::POST, &call.path("/answer"));
    Answer::to(request.json(&body)).await
}

async fn ask(rig: &Rig, to: &str, seconds: u32) -> Call {
    rig.owner().place(&json!({ "to": to, "task": WISH, "ask_owner_seconds": seconds })).await
}

fn codes(journal: &[Value]) -> Vec<&str> {
    let codes = journal.iter().map(|event| event["code"].as_str().unwrap());
    codes.filter(|code| code.starts_with("owner.")).collect()
}

#[tokio::test]
async fn an_answer_in_time_lets_the_call_go_on() {
    let replies =
        vec![asks(), Reply::say("I am checking."), goodbye("The fifth of May. Thank you, goodbye.")];
    let fake = FakeRealtime::start(model(replies, &[HELLO, "What is the date of birth?"])).await;
    let then = [
        Step::Say("What is the date of birth?"),
        Step::Await { ms: 60_000 },
        Step::Await { ms: 60_000 },
        Step::Linger { ms: 9_000 },
    ];
    let rig = rig(fake.url(), person(&then)).await;
    let call = ask(&rig, CLINIC, 60).await;
    call.until("the voice's word that it checks", |event| {
        event["code"] == "turn.voice" && event["text"] == "I am checking."
    })
    .await;

    let pending = call.view().await["pending_question"].clone();
    assert_eq!((&pending["question_id"], &pending["question"]), (&json!(1), &json!(QUESTION)));
    assert!(pending["asked_at"].as_str() < pending["answer_by"].as_str(), "{pending}");

    let stranger = rig.stranger().await.known(&call.id);
    assert_eq!(answer(&stranger, json!({ "answer": "Never." })).await.error(), (404, "not_found".to_owned()));
    for (body, status, code) in [
        (json!({ "answer": "No.", "question_id": 2 }), 409, "conflict"),
        (json!({ "answer": "No.", "question_id": "1" }), 400, "invalid_request"),
        (json!({ "question_id": 1 }), 400, "missing_fields"),
    ] {
        assert_eq!(answer(&call, body.clone()).await.error(), (status, code.to_owned()), "{body}");
    }
    let given = answer(&call, json!({ "answer": "The fifth of May.", "question_id": 1 })).await;
    assert_eq!(given.status, 202, "{given:?}");

    let over = call.over().await;
    // What the model quotes, nobody said.
    assert_eq!((&over["result"]["status"], over["result"].get("missing")), (&json!("unclear"), None));
    assert_eq!(over.get("pending_question"), None);
    let said: Vec<&str> =
        turns(&over).into_iter().filter(|(role, _)| *role == "assistant").map(|(_, text)| text).collect();
    let last = "The fifth of May. Thank you, goodbye.";
    assert_eq!(said, [OPENING, "One moment, I will check.", "I am checking.", last]);
    assert_eq!(codes(&call.journal().await), ["owner.asked", "owner.answered"]);
    let told = fake.events("conversation.item.create").iter().map(Value::to_string).collect::<String>();
    assert!(told.contains("The fifth of May."), "{told}");
    assert_eq!(answer(&call, json!({ "answer": "Too late." })).await.error(), (409, "conflict".to_owned()));
    rig.stop().await;
}

#[tokio::test]
async fn without_an_answer_the_voice_closes_and_the_result_names_what_was_missing() {
    let result = json!({ "status": "blocked", "summary": "They need a date of birth.", "quotes": [] });
    let closes = Reply::say("I do not have that at hand. Goodbye.")
        .and_call("end_call", &json!({ "reason": "missing", "result": result }).to_string());
    let replies = vec![asks(), Reply::say("I am checking."), closes];
    let fake = FakeRealtime::start(model(replies, &[HELLO, "What is the date of birth?"])).await;
    let then = [Step::Say("What is the date of birth?"), Step::Linger { ms: 90_000 }];
    let rig = rig(fake.url(), person(&then)).await;
    let call = ask(&rig, CLINIC, 10).await;
    let over = call.over().await;
    assert_eq!(over["end_reason"], "voice.finished");
    let result = &over["result"];
    assert_eq!((&result["status"], &result["missing"]), (&json!("blocked"), &json!([QUESTION])));
    assert!(result["summary"].as_str().unwrap().contains(QUESTION), "{result}");
    assert_eq!(codes(&call.journal().await), ["owner.asked", "owner.silent"]);
    rig.stop().await;
}

#[tokio::test]
async fn the_tool_is_offered_only_where_the_owner_may_be_asked() {
    let fake = FakeRealtime::start(model(vec![goodbye("Goodbye.")], &[HELLO])).await;
    let rig = rig(fake.url(), person(&[Step::Say("Yes?"), Step::Linger { ms: 9_000 }])).await;
    for (body, offered) in [
        (json!({ "to": CLINIC, "task": WISH, "ask_owner": true }), true),
        (json!({ "to": CLINIC, "task": WISH, "ask_owner": false, "ask_owner_seconds": 30 }), false),
    ] {
        let before = fake.events("session.update").len();
        rig.owner().place(&body).await.over().await;
        let sessions = fake.events("session.update").split_off(before);
        let told = sessions.iter().any(|session| session.to_string().contains("ask_owner"));
        assert_eq!(told, offered, "{body}");
    }
    for (field, value) in
        [("ask_owner", json!("yes")), ("ask_owner_seconds", json!(9)), ("ask_owner_seconds", json!(301))]
    {
        let mut body = json!({ "to": CLINIC, "task": WISH });
        body[field] = value;
        assert_eq!(rig.owner().ask(&body).await.error(), (400, "invalid_request".to_owned()), "{body}");
    }
    rig.stop().await;
}

#[tokio::test]
async fn the_local_voice_asks_too() {
    let mut setup = Setup::new();
    let then = [
        Step::Say("What is your date of birth?"),
        Step::Await { ms: 90_000 },
        Step::Await { ms: 90_000 },
        Step::Say("Thank you, that is booked."),
        Step::Listen { patience_ms: 12_000 },
        Step::Say("Goodbye."),
        Step::Linger { ms: 9_000 },
    ];
    setup.exchange.numbers = vec![(CLINIC.to_owned(), person(&then))];
    let rig = setup.start().await;
    let call = ask(&rig, CLINIC, 60).await;
    let asked = call.until_code("owner.asked").await;
    let question = asked.last().unwrap()["question"].as_str().unwrap().to_owned();
    assert!(question.contains("date of birth"), "{question}");
    assert_eq!(
        answer(&call, json!({ "answer": "The date of birth is the fifth of May 1980." })).await.status,
        202
    );
    let over = call.over().await;
    let said = turns(&over);
    assert!(said.contains(&("assistant", "The date of birth is the fifth of May 1980.")), "{said:#?}");
    assert_eq!(over["result"].get("missing"), None, "{over}");
    rig.stop().await;
}
