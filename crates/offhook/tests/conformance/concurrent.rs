//! A hundred agents at once: each gets its own key, its own call, and nothing of anybody else's.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::json;

use crate::clawcall::ClawCall;
use crate::rig::{BUSY, Rig, Setup};

const AGENTS: usize = 100;

fn room_for_all(setup: &mut Setup) {
    setup.lines = AGENTS + 10;
    let policy = &mut setup.config.policy;
    policy.concurrent_calls = AGENTS as u32 * 2;
    policy.concurrent_calls_per_owner = AGENTS as u32 * 2;
    policy.concurrent_calls_per_destination = AGENTS as u32 * 2;
    policy.calls_per_day_per_owner = 1_000;
    policy.calls_per_day_per_destination = 1_000;
}

async fn one(rig: &Rig, number: usize) -> (String, String) {
    let agent = ClawCall::of(rig);
    let task = format!("Ask when they open, for customer number {number}.");
    let id =
        agent.place(&json!({ "to": BUSY, "task": task })).await.unwrap_or_else(|error| panic!("{error:?}"));
    let call = agent.finalized(&id).await.call;
    assert_eq!((&call["task"], &call["outcome"]), (&json!(task), &json!("busy")));
    let mine = agent.get("/calls").await.unwrap().body;
    assert_eq!(mine["calls"].as_array().unwrap().len(), 1, "{mine}");
    (id, agent.key().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_agents_at_once() {
    let mut setup = Setup::new();
    room_for_all(&mut setup);
    let rig = setup.start().await;
    let all = join_all((0..AGENTS).map(|number| one(&rig, number))).await;
    let ids: BTreeSet<&String> = all.iter().map(|(id, _)| id).collect();
    let keys: BTreeSet<&String> = all.iter().map(|(_, key)| key).collect();
    assert_eq!((ids.len(), keys.len()), (AGENTS, AGENTS), "no two share a call or a key");
    rig.stop().await;
}

/// A hundred hang-ups of one call are one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_hang_ups_at_once() {
    let rig = Rig::start().await;
    let agent = ClawCall::of(&rig);
    let id = agent.call(crate::rig::NEVER_ANSWERS).await;
    agent.until(&id, "dialing").await;
    let answers = join_all((0..AGENTS).map(|_| agent.hang_up(&id))).await;
    assert!(answers.iter().all(|answer| answer["status"] == "failed"), "{answers:#?}");
    let call = agent.finalized(&id).await.call;
    assert_eq!(call["outcome"], "cancelled");
    rig.stop().await;
}

/// The same wish under the same key, a hundred times at once, is one call.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_repeats_at_once() {
    let rig = Rig::start().await;
    let agent = rig.stranger().await;
    let wish = json!({ "to": BUSY, "task": "Ask when they open." });
    let place = || async {
        let request = agent.request(reqwest::Method::POST, "/call").header("Idempotency-Key", "order-4711");
        let answer = crate::agent::Answer::to(request.json(&wish)).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        (answer.json()["call_id"].to_string(), answer.header("idempotent-replayed").is_some())
    };
    let answers = join_all((0..AGENTS).map(|_| place())).await;
    let ids: BTreeSet<&String> = answers.iter().map(|(id, _)| id).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(answers.iter().filter(|(_, repeated)| !repeated).count(), 1, "one placed it");
    rig.stop().await;
}
