//! Callers who show by a PIN who they are: what the model knows before, and after.

use offhook_sandbox::Step;
use offhook_testkit::realtime::Reply;
use serde_json::json;

use crate::inbound::{ANA, Desk, PIN, SECRET, STRANGER, goodbye, instructions, sent, tools};
use crate::realtime::{model, turns};
use crate::rig::LINE;

const ASKS_PIN: &str = "callers = \"pin\"\npin = \"24680\"\n";

/// Says nothing but keys, once the question was heard.
fn keys(tries: &[&'static str]) -> Vec<Step> {
    let each = tries.iter().flat_map(|keys| [Step::Await { ms: 30_000 }, Step::Press(keys)]);
    each.chain([Step::Await { ms: 30_000 }, Step::Say("What is new?"), Step::Linger { ms: 30_000 }]).collect()
}

fn delegates(tools: &[String]) -> bool {
    tools.iter().any(|tool| tool.contains("agent"))
}

#[tokio::test]
async fn with_the_right_keys_the_model_learns_what_the_line_is_for() {
    let replies = vec![Reply::say("Hello Mira, what can I do?"), goodbye()];
    let desk = Desk::open(ASKS_PIN, model(replies, &["What is new?"])).await;
    desk.call(STRANGER, LINE, &keys(&[PIN])).await;
    let calls = desk.calls(1).await;
    let call = &calls[0];
    assert_eq!(
        (&call["caller_verified"], &call["end_reason"]),
        (&json!(true), &json!("voice.finished")),
        "{call}"
    );

    let updates = desk.updates();
    let knows = |update: &serde_json::Value| instructions(update).contains(SECRET);
    let first = updates.iter().position(knows).expect("it was told in the end");
    assert!(first > 0, "not before the PIN was given");
    for update in &updates[..first] {
        assert!(!delegates(&tools(update)) && !instructions(update).contains("bicycles"), "{update}");
    }
    assert!(delegates(&tools(&updates[first])), "{:?}", tools(&updates[first]));

    // The PIN is nowhere: not with the model, nor in what is kept.
    let journal = desk.journal().await;
    let verified = journal.iter().find(|fact| fact["code"] == "caller.verified").unwrap();
    assert_eq!(verified["by"], "keys");
    for kept in [sent(&desk.fake.recorded()), call.to_string(), json!(journal).to_string()] {
        assert!(!kept.contains(PIN));
    }
    desk.rig.stop().await;
}

#[tokio::test]
async fn the_pin_may_be_spoken() {
    let heard = ["Two four six eight zero.", "What is new?"];
    let replies = vec![Reply::say("Hello Mira, what can I do?"), goodbye()];
    let desk = Desk::open(ASKS_PIN, model(replies, &heard)).await;
    let steps = [
        Step::Await { ms: 30_000 },
        Step::Say("Two four six eight zero."),
        Step::Await { ms: 30_000 },
        Step::Say("What is new?"),
        Step::Linger { ms: 30_000 },
    ];
    desk.call(STRANGER, LINE, &steps).await;
    let calls = desk.calls(1).await;
    assert_eq!(calls[0]["caller_verified"], true, "{}", calls[0]);
    let said = turns(&calls[0]).into_iter().any(|(_, text)| text.to_lowercase().contains("four six"));
    assert!(!said, "the digits are masked: {}", calls[0]);
    assert!(desk.updates().iter().any(|update| instructions(update).contains(SECRET)));
    let journal = desk.journal().await;
    assert!(journal.iter().any(|fact| fact["code"] == "caller.verified" && fact["by"] == "voice"));
    desk.rig.stop().await;
}

#[tokio::test]
async fn wrong_three_times_ends_the_call_and_after_six_nobody_is_asked_again() {
    let desk = Desk::open(ASKS_PIN, model(vec![goodbye()], &["Hm."])).await;
    let wrong = keys(&["11111", "22222", "33333"]);
    for n in 1..=2 {
        desk.call(STRANGER, LINE, &wrong).await;
        let calls = desk.calls(n).await;
        assert_eq!(
            (&calls[0]["end_reason"], &calls[0]["caller_verified"]),
            (&json!("policy.pin"), &json!(false))
        );
    }
    for update in desk.updates() {
        assert!(!delegates(&tools(&update)) && !instructions(&update).contains(SECRET));
    }
    assert!(desk.call(STRANGER, LINE, &wrong).await.answered_at.is_none());
    assert_eq!(desk.declined(1).await[0]["rule"], "inbound_pin");
    // It is this caller who guesses.
    assert!(desk.call(ANA, LINE, &wrong).await.answered_at.is_some());
    desk.rig.stop().await;
}

#[tokio::test]
async fn who_hangs_up_in_time_has_guessed_all_the_same() {
    let desk = Desk::open(ASKS_PIN, model(vec![goodbye()], &["Hm."])).await;
    let guesses = [
        Step::Await { ms: 30_000 },
        Step::Press("11111"),
        Step::Await { ms: 30_000 },
        Step::Press("22222"),
        Step::Await { ms: 30_000 },
        Step::HangUp,
    ];
    for n in 1..=3 {
        assert!(desk.call(STRANGER, LINE, &guesses).await.answered_at.is_some(), "call {n}");
        let calls = desk.calls(n).await;
        assert_eq!(
            (&calls[0]["end_reason"], &calls[0]["caller_verified"]),
            (&json!("remote.hung_up"), &json!(false))
        );
    }
    assert!(desk.call(STRANGER, LINE, &guesses).await.answered_at.is_none());
    desk.rig.stop().await;
}

#[tokio::test]
async fn a_number_that_is_trusted_still_needs_the_pin() {
    let listed = "pin = \"24680\"\n[[inbound.caller]]\nnumber = \"+12065551001\"\nname = \"Ana\"\ntrusted = true\n\
                  pin = \"1357\"\n";
    let replies = vec![goodbye()];
    let desk = Desk::open(listed, model(replies, &["What is new?"])).await;
    // Somebody shows Ana's number, and knows the PIN of the line only.
    desk.call(ANA, LINE, &keys(&[PIN, PIN, PIN])).await;
    assert_eq!(desk.calls(1).await[0]["end_reason"], "policy.pin");
    assert!(!desk.updates().iter().any(|update| instructions(update).contains(SECRET)));
    desk.call(ANA, LINE, &keys(&["1357"])).await;
    assert_eq!(desk.calls(2).await[0]["caller_verified"], true);
    assert!(desk.updates().iter().any(|update| instructions(update).contains(SECRET)));
    // Anybody else is a stranger, and asked for nothing.
    desk.call(STRANGER, LINE, &crate::inbound::caller()).await;
    assert_eq!(desk.calls(3).await[0].get("caller_verified"), None);
    desk.rig.stop().await;
}

#[tokio::test]
async fn an_account_has_a_pin_and_the_operator_says_which_agents_come_with_it() {
    let replies = vec![Reply::say("Hello."), goodbye(), Reply::say("Hello."), goodbye()];
    let desk = Desk::open("account_agents = [\"main\"]\n", model(replies, &["What is new?"])).await;
    let mira = desk.rig.stranger().await;
    desk.rig.reserve(&mira).await;
    let reception = json!({ "callers": "pin", "pin": "97531", "trusted_instructions": "The cellar is dry." });
    let inbound = json!({ "instructions": "Answer for me.", "greeting": "Hello.", "reception": reception });
    let put = mira.request(reqwest::Method::PUT, "/me/call-preferences").json(&json!({ "inbound": inbound }));
    assert_eq!(put.send().await.unwrap().status(), 200);

    desk.call(STRANGER, LINE, &keys(&["97531"])).await;
    let call = &desk.calls(1).await[0];
    assert_eq!((&call["caller_verified"], &call["task"]), (&json!(true), &json!("Answer for me.")), "{call}");
    let updates = desk.updates();
    let beyond = updates.iter().find(|update| instructions(update).contains("The cellar is dry.")).unwrap();
    assert!(delegates(&tools(beyond)));
    // What the operator says of its own lines is for those.
    assert!(!updates.iter().any(|update| instructions(update).contains(SECRET)));
    assert!(!updates.iter().any(|update| update.to_string().contains("97531")));
    assert_eq!(mira.get("/me/calls?direction=inbound").await.json()["calls"][0]["id"], call["id"]);
    desk.rig.stop().await;
}
