//! Waiting for a question of the voice.

use serde_json::{Value, json};

use crate::server::{Agent, BUSY, NEVER_ANSWERS, Server, send};

/// Asks for an account number before helping.
const ASKS: &str = "+14155550118";

async fn question(agent: &Agent<'_>, id: &str, seconds: u32) -> Value {
    let answer = agent.get(&format!("/call/{id}/question?wait_seconds={seconds}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

#[tokio::test]
async fn a_question_is_told_as_soon_as_it_is_asked() {
    let server = Server::start().await;
    let (first, agent) = server.first_call(BUSY).await;
    agent.finalized(&first).await;
    let task = "Ask what is still to pay on the account of Jordan Lee.";
    let placed = agent.place(&json!({ "to": ASKS, "task": task, "ask_owner_seconds": 60 })).await.json();
    let id = placed["call_id"].as_str().unwrap();
    let asked = loop {
        let told = question(&agent, id, 25).await;
        if told["pending_question"] != Value::Null || told["lifecycle"] == "finalized" {
            break told;
        }
    };
    let pending = &asked["pending_question"];
    assert!(pending["question"].as_str().is_some_and(|question| question.len() > 5), "{asked}");
    assert_eq!((&asked["lifecycle"], &asked["call_id"]), (&json!("answered"), &json!(id)));
    // It stays open until it is answered.
    assert_eq!(question(&agent, id, 0).await["pending_question"]["question_id"], pending["question_id"]);
    let answer = server.post(&format!("/call/{id}/answer")).header("X-Api-Key", &agent.key);
    assert_eq!(send(answer.json(&json!({ "answer": "It is 4 8 2 9 1 7." }))).await.status, 202);
    agent.events_until(id, "owner.answered").await;
    assert_eq!(question(&agent, id, 0).await["pending_question"], Value::Null);
    agent.post(&format!("/call/{id}/hangup")).await;
    agent.finalized(id).await;
    server.stop().await;
}

#[tokio::test]
async fn the_end_of_a_call_ends_the_wait_and_so_does_the_time() {
    let server = Server::start().await;
    let (id, agent) = server.first_call(NEVER_ANSWERS).await;
    agent.events_until(&id, "call.ringing").await;
    assert_eq!(question(&agent, &id, 1).await["pending_question"], Value::Null);
    let path = format!("/call/{id}/hangup");
    let (told, _) = tokio::join!(question(&agent, &id, 25), agent.post(&path));
    assert_eq!((&told["lifecycle"], &told["pending_question"]), (&json!("finalized"), &Value::Null));
    assert_eq!(question(&agent, &id, 25).await, told);

    let (_, stranger) = server.first_call(BUSY).await;
    for (agent, query, status, code) in [
        (&agent, "wait_seconds=26", 400, "invalid_query"),
        (&agent, "wait_seconds=-1", 400, "invalid_query"),
        (&agent, "wait_seconds=long", 400, "invalid_query"),
        (&stranger, "wait_seconds=0", 404, "not_found"),
    ] {
        let answer = agent.get(&format!("/call/{id}/question?{query}")).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code), "{query}");
    }
    server.stop().await;
}
