//! One `Idempotency-Key` is one call: whoever repeats, however often, whenever.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::agent::{Agent, Answer};
use crate::rig::{BUSY, NEVER_ANSWERS, Rig};

const AT_ONCE: usize = 100;
const KEY: &str = "order 17 of 2026-11-21, 4f9d";

async fn repeat(agent: &Agent, body: &Value) -> Answer {
    let request = agent.request(Method::POST, "/call").header("Idempotency-Key", KEY);
    let answer = Answer::to(request.json(body)).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer
}

fn call_id(answer: &Answer) -> String {
    answer.json()["call_id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_at_once_and_a_restart_are_one_call() {
    let rig = Rig::start().await;
    let body = json!({ "to": BUSY, "task": "Ask when they open." });
    let owner = rig.owner();
    owner.call(NEVER_ANSWERS).await.hang_up().await;

    // Somebody with a key, and somebody without: each is one call, and whoever got no answer gets the same key.
    let known = join_all((0..AT_ONCE).map(|_| repeat(&owner, &body))).await;
    let unknown: Vec<Agent> = (0..AT_ONCE).map(|_| rig.owner()).collect();
    let minted = join_all(unknown.iter().map(|agent| repeat(agent, &body))).await;
    let ids: Vec<String> = known.iter().map(call_id).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let first = minted[0].json();
    for answer in &minted {
        assert_eq!((call_id(answer), &answer.json()["api_key"]), (call_id(&minted[0]), &first["api_key"]));
    }
    assert_ne!(call_id(&minted[0]), ids[0], "the key is another owner's");

    let newcomer = rig.owner();
    newcomer.learn_key(&first);
    owner.known(&ids[0]).over().await;
    newcomer.known(&call_id(&minted[0])).over().await;
    let dialled = |rig: &Rig| rig.exchange.calls().iter().filter(|call| call.number == BUSY).count();
    assert_eq!(dialled(&rig), 2);

    let rig = rig.restart().await;
    assert_eq!(call_id(&repeat(&owner, &body).await), ids[0]);
    let again = repeat(&rig.owner(), &body).await;
    assert_eq!((call_id(&again), &again.json()["api_key"]), (call_id(&minted[0]), &first["api_key"]));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(dialled(&rig), 2, "nothing is dialled again");

    let other = json!({ "to": BUSY, "task": "Ask something else." });
    let request = owner.request(Method::POST, "/call").header("Idempotency-Key", KEY);
    assert_eq!(Answer::to(request.json(&other)).await.error(), (422, "idempotency_key_reused".to_owned()));
    rig.stop().await;
}

#[tokio::test]
async fn strangers_who_choose_the_same_weak_key_share_nothing() {
    let rig = Rig::start().await;
    let body = json!({ "to": BUSY, "task": "Ask when they open." });
    let place = rig.owner().request(Method::POST, "/call").header("Idempotency-Key", "1").json(&body);
    assert_eq!(Answer::to(place).await.error(), (400, "invalid_request".to_owned()));
    assert!(rig.exchange.calls().is_empty());
    rig.stop().await;
}
