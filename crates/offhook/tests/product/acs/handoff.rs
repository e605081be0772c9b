//! The user comes into a call over Communication Services: a second call, joined to the first by offhook.

use std::time::Duration;

use offhook_testkit::acs::{Callee, Operation, finds, speech};
use offhook_testkit::realtime::Reply;
use serde_json::json;

use super::rig::{AcsRig, CALLEE, HELLO, Setup, USER, codes, ending};
use crate::agent::Call;

const ASKED: &str = "May I speak with Jordan in person?";

async fn asked_for_user(warm: bool) -> (AcsRig, Call, offhook_testkit::acs::Person) {
    let reason = json!({ "reason": "They want to speak with you about your results." }).to_string();
    let replies = vec![Reply::call("loop_in_user", &reason), Reply::say("I am connecting you.")];
    let rig = Setup::new(replies, &[HELLO, ASKED]).start().await;
    rig.acs.callee(CALLEE, Callee::answers());
    let wish = json!({
        "to": CALLEE, "task": "Jordan Lee needs an appointment. Connect them when they are asked for.",
        "bridge_number": USER, "warm_greeting": warm,
    });
    let call = rig.owner().place(&wish).await;
    let person = rig.acs.person(CALLEE).await;
    person.until_streaming().await;
    person.says(&speech(24_000, 700, 1)).await;
    call.until_code("turn.voice").await;
    (rig, call, person)
}

#[tokio::test]
async fn the_user_and_the_person_hear_each_other_and_nobody_else_does() {
    let (rig, call, person) = asked_for_user(false).await;
    rig.acs.callee(USER, Callee::answers());
    person.says(&speech(24_000, 700, 2)).await;
    let user = rig.acs.person(USER).await;
    user.until_streaming().await;
    call.until_code("handoff.joined").await;
    // From here on no model is told anything.
    let before = rig.model_heard(1).len();
    let (of_person, of_user) = (speech(24_000, 900, 3), speech(24_000, 900, 4));
    tokio::join!(person.says(&of_person), user.says(&of_user));
    user.until("the person", |seen| finds(&seen.sound.received(), &of_person)).await;
    person.until("the user", |seen| finds(&seen.sound.received(), &of_user)).await;
    assert_eq!(rig.model_heard(1).len(), before);

    user.hang_up();
    let over = call.over().await;
    assert_eq!(ending(&over), ("answered", "user.hung_up"));
    person.until_ended().await;
    assert_eq!(rig.acs.requests_to(Operation::Create).len(), 2);
    rig.until_quiet().await;
    rig.stop().await;
}

#[tokio::test]
async fn a_user_who_is_busy_leaves_the_conversation_to_the_voice() {
    let (rig, call, person) = asked_for_user(false).await;
    rig.acs.callee(USER, Callee::busy());
    person.says(&speech(24_000, 700, 2)).await;
    let journal = call.until_code("handoff.failed").await;
    assert!(codes(&journal).contains(&"handoff.dialing"));
    person
        .until("the voice goes on", |seen| {
            let spoken = seen.sound.stretches(Duration::from_millis(100));
            (spoken.len() > 2).then_some(())
        })
        .await;
    person.hang_up();
    assert_eq!(ending(&call.over().await), ("answered", "remote.hung_up"));
    rig.until_quiet().await;
    rig.stop().await;
}
