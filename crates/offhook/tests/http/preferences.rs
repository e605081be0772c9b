//! What calls are like where a call does not say otherwise.

use reqwest::Method;
use serde_json::{Value, json};

use crate::me::account;
use crate::server::{Agent, Answer, BUSY, Server, TASK, send};

const PATH: &str = "/me/call-preferences";

async fn put(agent: &Agent<'_>, body: &Value) -> Answer {
    send(agent.server.request(Method::PUT, PATH).header("X-Api-Key", &agent.key).json(body)).await
}

async fn delete(agent: &Agent<'_>) -> Answer {
    send(agent.server.request(Method::DELETE, PATH).header("X-Api-Key", &agent.key)).await
}

fn nothing() -> Value {
    json!({
        "configured": false, "voice": null, "personality": null, "greeting": null, "warm_greeting": true,
        "inbound": null,
    })
}

fn with(more: Value) -> Value {
    let mut all = nothing();
    all["configured"] = json!(true);
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    all
}

#[tokio::test]
async fn what_is_put_replaces_what_was() {
    let server = Server::start().await;
    let (id, minted) = server.first_call(BUSY).await;
    minted.finalized(&id).await;
    for agent in [minted, account(&server, false).await] {
        assert_eq!(agent.get(PATH).await.json(), nothing());
        for (body, expected) in [
            (
                json!({ "voice": "sarah", "personality": "Brief.", "greeting": "Hello.", "warm_greeting": false }),
                with(
                    json!({ "voice": "sarah", "personality": "Brief.", "greeting": "Hello.", "warm_greeting": false }),
                ),
            ),
            (json!({ "voice": "eric", "x": 1 }), with(json!({ "voice": "eric" }))),
            (json!({ "greeting": "Hi.", "voice": null }), with(json!({ "greeting": "Hi." }))),
            (with(json!({ "voice": "chris" })), with(json!({ "voice": "chris" }))),
            (json!({ "inbound": null, "personality": "Calm." }), with(json!({ "personality": "Calm." }))),
            (json!({ "personality": "  " }), nothing()),
            (json!({}), nothing()),
        ] {
            let answer = put(&agent, &body).await;
            assert_eq!((answer.status.as_u16(), answer.json()), (200, expected.clone()), "{body}");
            assert_eq!(agent.get(PATH).await.json(), expected, "{body}");
        }
        put(&agent, &json!({ "voice": "sarah" })).await;
        for _ in 0..2 {
            let answer = delete(&agent).await;
            assert_eq!((answer.status.as_u16(), answer.json()), (200, nothing()));
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn what_is_wrong_changes_nothing() {
    let server = Server::start().await;
    let (id, minted) = server.first_call(BUSY).await;
    minted.finalized(&id).await;
    let mira = account(&server, false).await;
    let profile = json!({ "instructions": "Answer for Mira.", "greeting": "Hello?" });
    for agent in [&minted, &mira] {
        put(agent, &json!({ "voice": "sarah" })).await;
        for (body, status, code) in [
            (json!([]), 400, "invalid_request"),
            (json!("sarah"), 400, "invalid_request"),
            (json!({ "voice": "rachel" }), 400, "invalid_preferences"),
            (json!({ "voice": 1 }), 400, "invalid_preferences"),
            (json!({ "personality": ["x"] }), 400, "invalid_preferences"),
            (json!({ "greeting": {} }), 400, "invalid_preferences"),
            (json!({ "warm_greeting": "yes" }), 400, "invalid_preferences"),
            (json!({ "voice": 1, "inbound": profile }), 400, "invalid_preferences"),
        ] {
            let answer = put(agent, &body).await;
            assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code), "{body}");
        }
        assert_eq!(agent.get(PATH).await.json(), with(json!({ "voice": "sarah" })));
    }
    // How calls to our lines are answered is for an account with a line of its own.
    for (agent, status, code) in [(&minted, 401, "auth_required"), (&mira, 403, "inbound_plan_required")] {
        let answer = put(agent, &json!({ "voice": "eric", "inbound": profile })).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code));
        assert_eq!(agent.get(PATH).await.json()["voice"], "sarah");
    }
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let answer = send(server.request(method, PATH)).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "auth_required"));
    }
    server.stop().await;
}

#[tokio::test]
async fn a_call_is_as_preferred_where_it_says_nothing_else() {
    let server = Server::start().await;
    let (mira, stranger) = (account(&server, false).await, account(&server, false).await);
    let preferred = json!({ "voice": "sarah", "personality": "Brief.", "greeting": "Hello for Mira." });
    put(&mira, &preferred).await;
    for (agent, more, expected) in [
        (&mira, json!({}), preferred.clone()),
        (
            &mira,
            json!({ "voice": "eric", "greeting": "Hi." }),
            json!({ "voice": "eric", "personality": "Brief.", "greeting": "Hi." }),
        ),
        (&stranger, json!({}), json!({ "voice": "jessica", "personality": null, "greeting": null })),
    ] {
        let mut body = json!({ "to": BUSY, "task": TASK });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let placed = agent.place(&body).await.json();
        let call = agent.finalized(placed["call_id"].as_str().unwrap()).await;
        for field in ["voice", "personality", "greeting"] {
            assert_eq!(call[field], expected[field], "{field} with {more}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_repeat_is_the_same_call_whatever_is_preferred_by_then() {
    let server = Server::start().await;
    let mira = account(&server, false).await;
    let mut ids = Vec::new();
    for voice in ["sarah", "eric"] {
        put(&mira, &json!({ "voice": voice })).await;
        let request =
            server.post("/call").header("X-Api-Key", &mira.key).header("Idempotency-Key", "order-17");
        let placed = send(request.json(&json!({ "to": BUSY, "task": TASK }))).await.json();
        ids.push(placed["call_id"].as_str().unwrap().to_owned());
    }
    assert_eq!(ids[0], ids[1]);
    assert_eq!(mira.finalized(&ids[0]).await["voice"], "sarah");
    server.stop().await;
}
