//! Calls that come in over Communication Services.

use offhook_testkit::acs::{Offer, Operation, Stage, finds, speech};
use offhook_testkit::realtime::{Reply, reply_samples};
use serde_json::json;

use super::rig::{HELLO, MS_PER_CHAR, OURS, Setup, TONE_HZ, ending};

const CALLER: &str = "+12025550347";
const ANOTHER: &str = "+12025550348";
const GREETING: &str = "Bicycle workshop, hello.";

fn open() -> Setup {
    let tables = format!(
        "[inbound]\ncallers = \"open\"\ninstructions = \"You answer for the bicycle workshop.\"\ngreeting = {GREETING:?}\n"
    );
    Setup::new(vec![Reply::say("Certainly.")], &["Is my bicycle ready?"]).tables(&tables)
}

#[tokio::test]
async fn a_caller_is_answered_and_heard() {
    let rig = open().start().await;
    rig.subscribe().await;
    let person = rig.acs.ring(CALLER, OURS).await;
    person.until_streaming().await;
    let spoken = speech(24_000, 800, 5);
    person.says(&spoken).await;
    rig.until_model_heard(1, &spoken).await;
    let calls = rig.admin().await.get("/calls").await.json();
    let call = rig.admin().await.known(calls["calls"][0]["id"].as_str().unwrap_or_else(|| panic!("{calls}")));
    call.until_code("turn.remote").await;
    let greeting = reply_samples(TONE_HZ, GREETING.chars().count() as u32 * MS_PER_CHAR);
    person.until("the greeting", |seen| finds(&seen.sound.received(), &greeting)).await;
    person.hang_up();
    let over = call.over().await;
    assert_eq!(ending(&over), ("answered", "remote.hung_up"));
    assert_eq!((&over["direction"], &over["numbers"]["from"]), (&json!("inbound"), &json!(CALLER)));
    assert_eq!(rig.acs.requests_to(Operation::Answer).len(), 1);
    rig.until_quiet().await;
    rig.stop().await;
}

#[tokio::test]
async fn two_calls_in_one_delivery_are_both_answered() {
    let rig = open().start().await;
    rig.subscribe().await;
    let people = rig.acs.ring_all(&[(CALLER, OURS), (ANOTHER, OURS)]).await;
    for person in &people {
        person.until_streaming().await;
    }
    // Told of twice, answered once.
    rig.acs.ring_again().await;
    assert_eq!(rig.acs.requests_to(Operation::Answer).len(), 2);
    assert!(people.iter().all(|person| person.seen().offer == Offer::Answered));
    people.iter().for_each(|person| person.hang_up());
    for person in &people {
        person.until_ended().await;
    }
    rig.until_quiet().await;
    assert_eq!(rig.acs.requests_to(Operation::Answer).len(), 2);
    rig.stop().await;
}

#[tokio::test]
async fn a_line_that_is_closed_answers_nobody() {
    let rig = Setup::new(vec![Reply::say("Certainly.")], &[HELLO]).start().await;
    rig.subscribe().await;
    let person = rig.acs.ring(CALLER, OURS).await;
    let seen = person.until("a decision", |seen| (seen.offer != Offer::Open).then(|| seen.clone())).await;
    assert!(matches!(seen.offer, Offer::Rejected(_)), "{:?}", seen.offer);
    assert_eq!((seen.stage, rig.model.connections()), (Stage::Ended, 0));
    rig.stop().await;
}
