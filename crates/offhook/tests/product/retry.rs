//! The same call again: one other try in all, whoever makes it.

use offhook::config::Config;
use offhook_sandbox::Step;
use serde_json::{Value, json};

use crate::agent::{Agent, Call};
use crate::rig::{BUSY, RECEPTIONIST, Rig, Setup};

const OUT_OF_ORDER: &str = "+14155550150";

fn wish(task: &str) -> Value {
    json!({ "to": OUT_OF_ORDER, "task": task })
}

async fn rig(change: impl FnOnce(&mut Config)) -> Rig {
    let mut setup = Setup::new();
    setup.exchange.numbers = vec![(OUT_OF_ORDER.to_owned(), vec![Step::Reject { status: 503 }])];
    change(&mut setup.config);
    setup.start().await
}

fn advice(call: &Value) -> (bool, Option<&str>) {
    let retryable = call["outcome_detail"]["reason"]["retryable"].as_bool().unwrap();
    (retryable, call.get("retry_of").and_then(Value::as_str))
}

async fn place(agent: &Agent, body: &Value) -> Call {
    let call = agent.place(body).await;
    call.over().await;
    call
}

#[tokio::test]
async fn the_same_call_again_is_the_one_other_try() {
    let rig = rig(|_| ()).await;
    let owner = rig.owner();
    let first = place(&owner, &wish("Ask when they open.")).await;
    let view = first.view().await;
    assert_eq!((view["end_reason"].as_str(), advice(&view)), (Some("carrier.failed"), (true, None)));

    let second = place(&owner, &wish(" Ask when they open. ")).await;
    assert_eq!(advice(&second.view().await), (false, Some(&first.id[..])), "the retry is used up");
    let third = owner.ask(&wish("Ask when they open.")).await;
    assert_eq!(third.error(), (409, "conflict".to_owned()), "{third:?}");
    let wait: u64 = third.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=120).contains(&wait), "{wait}");

    // Something else, somebody else, and a call that got somewhere are nobody's other try.
    let other = place(&owner, &wish("Ask what it costs.")).await;
    assert_eq!(advice(&other.view().await), (true, None));
    let stranger = place(&rig.stranger().await, &wish("Ask when they open.")).await;
    assert_eq!(advice(&stranger.view().await), (true, None));
    for _ in 0..3 {
        let busy = place(&owner, &json!({ "to": BUSY, "task": "Ask when they open." })).await;
        assert_eq!(advice(&busy.view().await), (false, None));
    }
    assert_eq!(first.view().await["outcome_detail"]["reason"]["retryable"], true, "what was said stays said");
    rig.stop().await;
}

#[tokio::test]
async fn a_window_is_the_operator_s_and_ends_with_the_process() {
    let first_rig = rig(|_| ()).await;
    let owner = first_rig.owner();
    for _ in 0..2 {
        place(&owner, &wish("Ask when they open.")).await;
    }
    let rig = first_rig.restart_with(|config| config.repeat_window = std::time::Duration::ZERO).await;
    for _ in 0..3 {
        let again = place(&owner, &wish("Ask when they open.")).await;
        assert_eq!(advice(&again.view().await), (true, None));
    }
    rig.stop().await;
}

#[tokio::test]
async fn what_never_left_is_dialled_once_more_and_that_is_the_retry() {
    let mut setup = Setup::new();
    setup.cut_off = true;
    let rig = setup.start().await;
    let owner = rig.owner();
    let call = owner.call(RECEPTIONIST).await;
    let codes: Vec<String> = call
        .journal()
        .await
        .iter()
        .map(|event| event["code"].as_str().unwrap().to_owned())
        .filter(|code| code.starts_with("call."))
        .collect();
    assert_eq!(codes.iter().filter(|code| *code == "call.dialing").count(), 2, "{codes:?}");
    assert_eq!(codes.iter().filter(|code| *code == "call.dial_retried").count(), 1, "{codes:?}");
    let view = call.over().await;
    assert_eq!((view["end_reason"].as_str(), advice(&view)), (Some("carrier.unreachable"), (false, None)));
    let again = owner.ask(&json!({ "to": RECEPTIONIST, "task": "Ask when they open on Sunday." })).await;
    assert_eq!(again.error(), (409, "conflict".to_owned()), "{again:?}");
    assert!(rig.exchange.calls().is_empty());
    rig.stop().await;
}
