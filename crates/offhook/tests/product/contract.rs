//! The contract from placing to hanging up, as an agent relies on it.

use std::time::Duration;

use futures_util::future::join_all;
use offhook::gateway::keys;
use reqwest::Method;
use serde_json::{Value, json};

use crate::agent::Answer;
use crate::rig::{BUSY, HANGS_UP, NEVER_ANSWERS, RECEPTIONIST, Rig, SILENT, Setup};

#[tokio::test]
async fn a_key_is_minted_once_and_sees_its_own_calls_only() {
    let rig = Rig::start().await;
    let owner = rig.owner();
    let answer = owner.ask(&json!({ "to": BUSY, "task": "Ask when they open." })).await;
    let placed = answer.json();
    let key = placed["api_key"].as_str().expect("the first call mints a key");
    assert_eq!(answer.header("x-clawcall-api-key"), Some(key));
    let call = owner.known(placed["call_id"].as_str().unwrap());
    call.over().await;

    let again = owner.ask(&json!({ "to": BUSY, "task": "Ask when they open." })).await;
    assert_eq!((again.json().get("api_key"), again.header("x-clawcall-api-key")), (None, None));
    let second = owner.known(again.json()["call_id"].as_str().unwrap());
    second.over().await;
    assert_ne!(call.id, second.id);

    let stranger = rig.stranger().await;
    for (method, rest, code) in [
        (Method::GET, "", "not_found"),
        (Method::GET, "/events", "not_found"),
        (Method::POST, "/hangup", "not_found"),
        (Method::GET, "/recording", "recording_not_available"),
    ] {
        let answer = Answer::to(stranger.request(method, &call.path(rest))).await;
        assert_eq!(answer.error(), (404, code.to_owned()), "{rest}");
    }
    let admin = rig.admin().await;
    assert_eq!(admin.known(&call.id).view().await["id"], call.id.as_str(), "who runs it sees all calls");
    rig.stop().await;
}

#[tokio::test]
async fn hanging_up_while_it_rings_cancels_and_nobody_answers() {
    let rig = Rig::start().await;
    let call = rig.owner().call(NEVER_ANSWERS).await;
    call.until_code("call.ringing").await;
    let running = call.view().await;
    for absent in ["outcome", "outcome_detail", "talk_seconds", "recording_url", "end_reason"] {
        assert_eq!(running.get(absent), None, "{absent} is known only at the end");
    }
    let answer = call.hang_up().await;
    assert_eq!((&answer["success"], &answer["status"]), (&json!(true), &json!("failed")));
    let over = call.over().await;
    assert_eq!((&over["outcome"], &over["end_reason"]), (&json!("cancelled"), &json!("owner.cancelled")));
    assert_eq!((&over["talk_seconds"], &over["transcript"]), (&Value::Null, &Value::Null));
    let ending = rig.exchange.until(|calls| calls[0].is_over().then(|| calls[0].stage)).await;
    assert_eq!(ending, offhook_sandbox::Stage::Ended(offhook_sandbox::Ending::Cancelled));
    rig.stop().await;
}

#[tokio::test]
async fn hanging_up_in_mid_conversation_is_an_answered_call_ended_by_the_caller() {
    let rig = Rig::start().await;
    let call = rig.owner().call(RECEPTIONIST).await;
    call.until_code("turn.remote").await;
    let answer = call.hang_up().await;
    assert_eq!((&answer["success"], &answer["status"]), (&json!(true), &json!("completed")));
    let over = call.over().await;
    assert_eq!((&over["outcome"], &over["end_reason"]), (&json!("answered"), &json!("owner.cancelled")));
    assert_eq!(over["outcome_detail"]["hangup_source"], "caller");
    assert_eq!(over["outcome_detail"]["reason"]["retryable"], false);
    let again = call.hang_up().await;
    assert_eq!((&again["success"], &again["status"]), (&json!(true), &json!("completed")));
    assert_eq!(call.view().await["timestamps"], over["timestamps"], "a repeat changes nothing");
    let ending = rig.exchange.until(|calls| calls[0].is_over().then(|| calls[0].stage)).await;
    assert_eq!(ending, offhook_sandbox::Stage::Ended(offhook_sandbox::Ending::RemoteHungUp));
    rig.stop().await;
}

#[tokio::test]
async fn a_transcript_is_in_order_with_times_on_the_recordings_clock() {
    let rig = Rig::start().await;
    let call = rig.owner().call(HANGS_UP).await;
    let over = call.over().await;
    let turns = over["transcript"].as_array().unwrap();
    assert!(turns.iter().any(|turn| turn["role"] == "user"), "{turns:#?}");
    let talk_ms = over["talk_seconds"].as_u64().unwrap() * 1_000 + 1_000;
    let mut before = 0;
    for turn in turns {
        let (started, ended) = (turn["started_ms"].as_u64().unwrap(), turn["ended_ms"].as_u64().unwrap());
        assert!(before <= started && started <= ended && ended <= talk_ms, "{turns:#?}");
        assert!(["assistant", "user", "tool"].contains(&turn["role"].as_str().unwrap()));
        assert!(turn["timestamp"].as_str().unwrap() >= over["timestamps"]["answered_at"].as_str().unwrap());
        before = started;
    }
    let times = &over["timestamps"];
    let order: Vec<&str> = ["queued_at", "dialing_at", "answered_at", "finalized_at"]
        .iter()
        .map(|at| times[*at].as_str().unwrap_or_else(|| panic!("{at} is missing in {times}")))
        .collect();
    assert!(order.is_sorted(), "{times}");
    assert_eq!(
        (&over["outcome"], &over["outcome_detail"]["hangup_source"]),
        (&json!("answered"), &json!("callee"))
    );
    rig.stop().await;
}

#[tokio::test]
async fn a_stream_that_broke_goes_on_without_gap_or_double() {
    let rig = Rig::start().await;
    let call = rig.owner().call(HANGS_UP).await;
    let (mut seen, mut last) = (Vec::new(), 0);
    // Every third event the connection is lost, in the middle of the call.
    'call: loop {
        let mut events = call.events(last).await;
        for _ in 0..3 {
            let event = events.next().await.expect("the call is not over");
            last = event["seq"].as_u64().unwrap();
            seen.push(event);
            if seen.last().unwrap()["code"] == "call.ended" {
                break 'call;
            }
        }
    }
    let numbers: Vec<u64> = seen.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert!(numbers.iter().copied().eq(1..=numbers.len() as u64), "{numbers:?}");
    assert!(numbers.len() > 10, "a whole conversation: {numbers:?}");
    // What is told live is what is told afterwards.
    assert_eq!(call.journal().await, seen);
    assert!(call.events(last).await.next().await.is_none(), "nothing comes after the end");
    rig.stop().await;
}

#[tokio::test]
async fn a_recording_link_works_until_it_expires() {
    let rig = Rig::start().await;
    let owner = rig.owner();
    let call = owner.call(HANGS_UP).await;
    let over = call.over().await;
    assert!(call.recording().await.starts_with(b"RIFF"));
    // The link of the report is as good, and each is good for one recording.
    let link = over["recording_url"].as_str().unwrap();
    assert_eq!(Answer::to(rig.door.get(link)).await.status, 200);
    let other = owner.call(BUSY).await;
    other.over().await;
    let stolen = link.replace(&call.id, &other.id);
    assert_eq!(Answer::to(rig.door.get(&stolen)).await.error(), (404, "recording_not_available".to_owned()));
    assert_eq!(
        owner.get(&other.path("/recording")).await.error(),
        (404, "recording_not_available".to_owned())
    );
    rig.stop().await;

    let mut setup = Setup::new();
    setup.config.recording_link = Duration::ZERO;
    let rig = setup.start().await;
    let call = rig.owner().call(HANGS_UP).await;
    let over = call.over().await;
    let expired = Answer::to(rig.door.get(over["recording_url"].as_str().unwrap())).await;
    assert_eq!(expired.error(), (404, "recording_not_available".to_owned()));
    rig.stop().await;
}

#[tokio::test]
async fn limits_are_answered_with_a_code_and_when_to_ask_again() {
    let mut setup = Setup::new();
    setup.config.policy.concurrent_calls_per_owner = 2;
    setup.config.policy.concurrent_calls = 3;
    let rig = setup.start().await;
    let (owner, other) = (rig.owner(), rig.stranger().await);
    let wish = |to: &str| json!({ "to": to, "task": "Ask when they open." });
    owner.call(NEVER_ANSWERS).await;

    let busy = other.ask(&wish(NEVER_ANSWERS)).await;
    assert_eq!(busy.error(), (409, "destination_busy".to_owned()));
    owner.call(SILENT).await;
    let many = owner.ask(&wish(RECEPTIONIST)).await;
    assert_eq!(many.error(), (429, "too_many_calls".to_owned()));
    assert!(many.header("retry-after").is_some_and(|wait| wait.parse::<u64>().is_ok()), "{many:?}");
    // Another owner still has room, until all together have none.
    other.call(RECEPTIONIST).await;
    assert_eq!(other.ask(&wish(BUSY)).await.error(), (429, "too_many_calls".to_owned()));

    let live = rig.admin().await.get("/calls?live=true").await.json();
    assert_eq!(live["calls"].as_array().unwrap().len(), 3, "no call exists after an error");
    rig.stop().await;
}

/// Whoever drops the key to be given another is still the same to the limits, and so is everybody who does that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_callers_without_a_key_have_the_limits_of_one() {
    const LIMIT: usize = 4;
    let mut setup = Setup::new();
    setup.config.policy.concurrent_calls_per_owner = LIMIT as u32;
    setup.config.policy.concurrent_calls_per_destination = 100;
    let rig = setup.start().await;
    let wish = json!({ "to": NEVER_ANSWERS, "task": "Ask when they open." });
    let callers: Vec<_> = (0..100).map(|_| rig.owner()).collect();
    let answers = join_all(callers.iter().map(|caller| caller.ask(&wish))).await;
    let placed = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(placed, LIMIT);
    for refused in answers.iter().filter(|answer| answer.status != 201) {
        assert_eq!(refused.error(), (429, "too_many_calls".to_owned()));
    }
    assert_eq!(rig.owner().ask(&wish).await.status, 429, "nor later");
    // Whoever was given a key by the operator has limits of their own.
    assert_eq!(rig.stranger().await.ask(&wish).await.status, 201);
    // Nothing is left of those who were refused, not even a key.
    assert_eq!(keys::list(rig.app.gateway().store()).await.unwrap().len(), LIMIT + 1);
    rig.stop().await;
}

#[tokio::test]
async fn when_no_line_is_free_the_pool_is_exhausted() {
    let mut setup = Setup::new();
    setup.lines = 1;
    let rig = setup.start().await;
    let owner = rig.owner();
    let ringing = owner.call(NEVER_ANSWERS).await;
    let full = owner.ask(&json!({ "to": BUSY, "task": "Ask when they open." })).await;
    assert_eq!(full.error(), (503, "number_pool_exhausted".to_owned()));
    assert_eq!(full.header("retry-after"), Some("15"));
    ringing.hang_up().await;
    ringing.over().await;
    // The line is free with the end of the call, not some time later.
    assert_eq!(owner.call(BUSY).await.over().await["outcome"], "busy");
    rig.stop().await;
}
