//! Phone trees: keys are pressed more slowly each time, and not for ever.

use offhook_sandbox::Step;
use offhook_sandbox::script::Menu;
use offhook_testkit::realtime::{FakeRealtime, Reply, Script};
use serde_json::{Value, json};

use crate::realtime::{CLINIC, goodbye, model, record, rig};

const PROMPT: &str = "For opening hours, press one. For everything else, press two.";

/// Leads nowhere.
const LOOP: Menu = Menu {
    prompt: PROMPT,
    key: None,
    others: &[],
    unknown_key: "No.",
    wait_ms: 9_000,
    tries: 12,
    give_up: "Goodbye.",
    settle_ms: 0,
};

/// Does not listen until a while after its prompt.
const SLOW: Menu = Menu { key: Some('2'), settle_ms: 900, ..LOOP };

fn digits(journal: &[Value]) -> Vec<&str> {
    let sent = journal.iter().filter(|event| event["code"] == "leg.digits_sent");
    sent.map(|event| event["digits"].as_str().unwrap()).collect()
}

fn presses(key: char) -> Reply {
    Reply::call("send_digits", &json!({ "digits": key.to_string() }).to_string())
}

/// The fake understands everything that is said as the prompt.
fn hears_the_prompt(replies: Vec<Reply>) -> Script {
    model(replies, &[PROMPT])
}

#[tokio::test]
async fn a_menu_that_leads_nowhere_is_reported_by_whoever_is_lost_in_it() {
    let fake = FakeRealtime::start(hears_the_prompt(vec![presses('1')])).await;
    let rig = rig(fake.url(), vec![Step::Answer, Step::Menu(&LOOP), Step::Linger { ms: 9_000 }]).await;
    let call = rig.owner().call(CLINIC).await;
    let over = call.over().await;
    assert_eq!(over["result"]["status"], "blocked", "{over:#}");
    assert_eq!(over["answered_by"], "ivr");
    let journal = call.journal().await;
    assert_eq!(digits(&journal), ["1", "w1", "W1"]);
    let blocker = journal.iter().find(|event| event["code"] == "result.item").expect("what stood in the way");
    assert_eq!((&blocker["kind"], &blocker["name"]), (&json!("blocker"), &json!("stuck_menu")));
    assert_eq!(record(&rig).await.digits_text(), "111");
    rig.stop().await;
}

#[tokio::test]
async fn a_menu_that_is_slow_to_listen_is_given_the_time() {
    let replies = vec![presses('2'), presses('2'), presses('2'), goodbye("Thank you, goodbye.")];
    let fake = FakeRealtime::start(hears_the_prompt(replies)).await;
    let then = [Step::Answer, Step::Menu(&SLOW), Step::Say("You are through."), Step::Linger { ms: 9_000 }];
    let rig = rig(fake.url(), then.to_vec()).await;
    let call = rig.owner().call(CLINIC).await;
    call.over().await;
    let journal = call.journal().await;
    let sent = digits(&journal);
    assert!(sent.len() > 1 && sent[1] == "w2", "{sent:?}");
    let said = record(&rig).await.said;
    assert!(said.iter().any(|sentence| sentence == "You are through."), "the slower key led on: {said:?}");
    rig.stop().await;
}
