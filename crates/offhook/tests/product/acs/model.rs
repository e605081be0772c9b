//! The speech model's side of a call over Communication Services.

use std::collections::BTreeSet;
use std::time::Duration;

use offhook_testkit::acs::{Callee, Operation, finds, speech};
use offhook_testkit::realtime::{Names, Recorded, Reply, reply_samples};
use serde_json::json;

use super::rig::{
    CALLEE, HELLO, MS_PER_CHAR, OPENING, OTHER, Setup, TONE_HZ, codes, ending, goodbye, within,
};
use crate::realtime::turns;

#[tokio::test]
async fn the_model_is_ready_before_anybody_is_called() {
    let rig = Setup::new(vec![Reply::say("Certainly.")], &[HELLO]).start().await;
    let (call, person) = rig.connected(&rig.owner(), CALLEE).await;
    let journal = call.until_code("call.answered").await;
    let codes = codes(&journal);
    let at = |code: &str| {
        codes.iter().position(|one| *one == code).unwrap_or_else(|| panic!("no {code}: {codes:?}"))
    };
    assert!(at("speech.ready") < at("call.dialing") && at("call.dialing") < at("call.answered"));
    assert_eq!(rig.model.connections(), 1);
    assert_eq!(rig.acs.requests_to(Operation::Create).len(), 1);
    person.hang_up();
    call.over().await;
    rig.stop().await;
}

#[tokio::test]
async fn either_dialect_of_the_model_is_heard() {
    for names in [Names::Ga, Names::Beta] {
        let mut setup = Setup::new(vec![goodbye("Thank you, goodbye.")], &[HELLO, "We are open."]);
        setup.script.names = names;
        let rig = setup.start().await;
        let (call, person) = rig.greeted(&rig.owner(), CALLEE).await;
        person.says(&speech(24_000, 700, 2)).await;
        let over = call.over().await;
        assert_eq!(ending(&over), ("answered", "voice.finished"), "{names:?}");
        assert_eq!(turns(&over).last(), Some(&("assistant", "Thank you, goodbye.")), "{names:?}");
        let opening = reply_samples(TONE_HZ, OPENING.chars().count() as u32 * MS_PER_CHAR);
        assert!(finds(&person.seen().sound.received(), &opening).is_some(), "{names:?}");
        rig.stop().await;
    }
}

#[tokio::test]
async fn a_model_lost_once_is_reopened() {
    let replies =
        vec![Reply::say("Sorry, the line had a short problem. What did you say?"), goodbye("Thank you.")];
    let rig = Setup::new(replies, &[HELLO, "We are open on Sunday."]).start().await;
    let (call, person) = rig.greeted(&rig.owner(), CALLEE).await;
    rig.model.break_connections();
    call.until_code("speech.reopened").await;
    call.until("the apology", |event| event["code"] == "turn.voice" && event["text"] != OPENING).await;
    person.says(&speech(24_000, 700, 2)).await;
    assert_eq!(ending(&call.over().await), ("answered", "voice.finished"));
    assert_eq!(
        (rig.model.connections(), person.seen().sockets.len()),
        (2, 1),
        "the telephone stayed connected"
    );
    rig.stop().await;
}

#[tokio::test]
async fn a_model_lost_for_good_ends_the_call_with_an_apology() {
    let rig = Setup::new(vec![Reply::say("Certainly.")], &[HELLO]).start().await;
    let (call, person) = rig.greeted(&rig.owner(), CALLEE).await;
    rig.model.refuse_connections(1_000);
    rig.model.break_connections();
    let over = call.over().await;
    assert_eq!(ending(&over), ("answered", "speech.lost"));
    let apology = offhook_core::brief::Language::of("en").apology;
    assert_eq!(turns(&over).last(), Some(&("assistant", apology)), "the line is not just dropped");
    person.until_ended().await;
    rig.stop().await;
}

#[tokio::test]
async fn an_error_of_the_model_is_written_down() {
    let rig = Setup::new(vec![Reply::say("Certainly.")], &[HELLO]).start().await;
    let (call, person) = rig.greeted(&rig.owner(), CALLEE).await;
    rig.model.send_error("rate_limit_exceeded", "Too many tokens in this minute.");
    let journal = call.until_code("call.problem").await;
    let problem = journal.last().unwrap();
    assert_eq!(
        (&problem["part"], &problem["problem_code"]),
        (&json!("speech"), &json!("rate_limit_exceeded")),
        "{problem:#}"
    );
    person.hang_up();
    assert_eq!(ending(&call.over().await), ("answered", "remote.hung_up"));
    rig.stop().await;
}

#[tokio::test]
async fn a_tool_of_one_call_is_answered_in_that_call() {
    let question = json!({ "question": "What is the date of birth?" }).to_string();
    let replies = vec![
        Reply::say("One moment.").and_call("ask_owner", &question),
        Reply::say("I am checking."),
        Reply::say("Certainly, we are well."),
        Reply::say("The fifth of May."),
    ];
    let heard = [HELLO, "What is the date of birth?", "Good day.", "How are you?"];
    let rig = Setup::new(replies, &heard).start().await;
    let owner = rig.owner();
    rig.acs.callee(CALLEE, Callee::answers());
    let wish = json!({ "to": CALLEE, "task": "Make an appointment for Jordan.", "ask_owner_seconds": 60 });
    let one = owner.place(&wish).await;
    let asks = rig.acs.person(CALLEE).await;
    asks.until_streaming().await;
    asks.says(&speech(24_000, 700, 1)).await;
    one.until_code("turn.voice").await;
    asks.says(&speech(24_000, 700, 3)).await;
    one.until("that it checks", |event| event["text"] == "I am checking.").await;
    // Meanwhile another conversation has a response of its own, begun and done.
    let (other, chats) = rig.greeted(&owner, OTHER).await;
    chats.says(&speech(24_000, 700, 4)).await;
    other.until("its answer", |event| event["text"] == "Certainly, we are well.").await;
    let body = json!({ "answer": "The fifth of May.", "question_id": 1 });
    let given = owner.request(reqwest::Method::POST, &one.path("/answer")).json(&body).send().await.unwrap();
    assert_eq!(given.status(), 202);
    one.until("the answer is told", |event| {
        event["code"] == "turn.voice" && event["text"] == "The fifth of May."
    })
    .await;

    let waiting = rig.session_with("Jordan");
    let told = |recorded: &Recorded| recorded.event.to_string().contains("The fifth of May.");
    let sessions: BTreeSet<u64> = rig
        .model
        .recorded()
        .iter()
        .filter(|recorded| told(recorded))
        .map(|recorded| recorded.connection)
        .collect();
    assert_eq!(sessions, [waiting].into(), "nothing of it is told to the other call's model");
    asks.hang_up();
    chats.hang_up();
    within(Duration::from_secs(5), "the end", async { (one.over().await, other.over().await) }).await;
    rig.stop().await;
}
