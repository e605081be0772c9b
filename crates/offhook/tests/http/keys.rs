//! The keys of whoever asks.

use reqwest::Method;
use serde_json::{Value, json};

use crate::me::account;
use crate::server::{Agent, Answer, BUSY, Server, TASK, send};

async fn make(agent: &Agent<'_>, body: &Value) -> Answer {
    send(agent.server.post("/me/keys").header("X-Api-Key", &agent.key).json(body)).await
}

async fn delete(agent: &Agent<'_>, id: &str) -> Answer {
    let path = format!("/me/keys/{id}");
    send(agent.server.request(Method::DELETE, &path).header("X-Api-Key", &agent.key)).await
}

async fn keys(agent: &Agent<'_>) -> Vec<Value> {
    agent.get("/me/keys").await.json()["keys"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_key_is_made_replaced_and_revoked_by_whoever_has_one() {
    let server = Server::start().await;
    let mira = account(&server, false).await;
    let first = keys(&mira).await;
    assert_eq!((first.len(), &first[0]["current"], &first[0]["revoked_at"]), (1, &json!(true), &Value::Null));
    let placed = mira.place(&json!({ "to": BUSY, "task": TASK })).await.json();
    let call = placed["call_id"].as_str().unwrap();
    mira.finalized(call).await;

    let made = make(&mira, &json!({ "label": " the other agent " })).await;
    assert_eq!((made.status.as_u16(), made.header("cache-control")), (201, Some("no-store")));
    let key = made.json()["api_key"].as_str().unwrap().to_owned();
    assert!(key.starts_with("clawcall_sk_"));
    let mut other = Agent { server: &server, key };
    assert_eq!(other.get(&format!("/call/{call}")).await.status, 200);
    assert_eq!(other.get("/me").await.json()["userId"], mira.get("/me").await.json()["userId"]);
    let listed = keys(&other).await;
    assert_eq!(
        (listed.len(), &listed[1]["label"], &listed[1]["current"]),
        (2, &json!("the other agent"), &json!(true))
    );
    assert!(!listed[1].to_string().contains(&other.key));

    // Replaced: the label stays, the old one is worthless.
    let id = listed[1]["id"].as_str().unwrap();
    let rotated = other.post(&format!("/me/keys/{id}/rotate")).await;
    assert_eq!(rotated.status, 201);
    assert_eq!(other.get("/balance").await.code(), "invalid_api_key");
    other.key = rotated.json()["api_key"].as_str().unwrap().to_owned();
    let listed = keys(&other).await;
    assert_eq!((&listed[2]["label"], &listed[2]["id"]), (&json!("the other agent"), &rotated.json()["id"]));
    assert!(listed[1]["revoked_at"].is_string());

    let id = rotated.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(delete(&mira, &id).await.json(), json!({ "id": id, "revoked": true }));
    assert_eq!(other.get("/balance").await.code(), "invalid_api_key");
    for gone in [id.as_str(), listed[1]["id"].as_str().unwrap(), "no-id"] {
        for answer in [delete(&mira, gone).await, mira.post(&format!("/me/keys/{gone}/rotate")).await] {
            assert_eq!((answer.status.as_u16(), answer.code().as_str()), (404, "not_found"), "{gone}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn another_s_keys_are_as_unknown_as_none() {
    let server = Server::start().await;
    let (mira, stranger) = (account(&server, false).await, account(&server, false).await);
    let theirs = keys(&stranger).await[0]["id"].as_str().unwrap().to_owned();
    for answer in [delete(&mira, &theirs).await, mira.post(&format!("/me/keys/{theirs}/rotate")).await] {
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (404, "not_found"));
    }
    assert_eq!(stranger.get("/me").await.status, 200);
    assert!(keys(&mira).await.iter().all(|key| key["id"] != theirs));
    server.stop().await;
}

#[tokio::test]
async fn the_key_of_a_first_call_can_be_replaced_and_further_ones_need_an_account() {
    let server = Server::start().await;
    let (call, mut agent) = server.first_call(BUSY).await;
    agent.finalized(&call).await;
    let refused = make(&agent, &json!({})).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (403, "account_link_required"));
    let action = &refused.json()["error"]["action"];
    assert!(action["url"].as_str().unwrap().ends_with(&format!("/sign-up?token={}", agent.key)), "{action}");

    let id = keys(&agent).await[0]["id"].as_str().unwrap().to_owned();
    let rotated = agent.post(&format!("/me/keys/{id}/rotate")).await.json();
    assert_eq!(agent.get(&format!("/call/{call}")).await.code(), "invalid_api_key");
    agent.key = rotated["api_key"].as_str().unwrap().to_owned();
    assert_eq!(agent.get(&format!("/call/{call}")).await.status, 200);
    // What it is, stays: still no account's.
    assert_eq!(agent.get("/me").await.code(), "auth_required");
    server.stop().await;
}

#[tokio::test]
async fn what_is_wrong_with_the_wish_for_a_key() {
    let server = Server::start().await;
    let mira = account(&server, false).await;
    for body in [json!([]), json!({ "label": 7 }), json!({ "label": "x".repeat(101) })] {
        let answer = make(&mira, &body).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, "invalid_request"), "{body}");
    }
    // No body at all is no label.
    assert_eq!(mira.post("/me/keys").await.status, 201);
    for _ in keys(&mira).await.len()..100 {
        assert_eq!(mira.post("/me/keys").await.status, 201);
    }
    let refused = mira.post("/me/keys").await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (409, "conflict"));
    server.stop().await;
}
