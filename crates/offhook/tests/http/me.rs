//! The account behind a key, and its history.

use offhook::gateway::keys;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::server::{Agent, BUSY, HANGS_UP, NEVER_ANSWERS, Server, TASK, send};

/// Somebody whom the operator gave a key.
pub async fn account(server: &Server, admin: bool) -> Agent<'_> {
    let key = keys::create(server.app().gateway().store(), None, admin).await.unwrap();
    Agent { server, key: key.expose_secret().to_owned() }
}

fn fields(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn ids(history: &Value) -> Vec<&str> {
    history["calls"].as_array().unwrap().iter().map(|call| call["id"].as_str().unwrap()).collect()
}

async fn call(agent: &Agent<'_>, to: &str) -> String {
    let placed = agent.place(&json!({ "to": to, "task": TASK })).await.json();
    let id = placed["call_id"].as_str().unwrap_or_else(|| panic!("{placed}")).to_owned();
    agent.finalized(&id).await;
    id
}

#[tokio::test]
async fn a_key_of_the_operator_is_an_account() {
    let server = Server::start().await;
    let mira = account(&server, false).await;
    let answer = mira.get("/me").await;
    assert_eq!(answer.status, 200);
    let me = answer.json();
    assert_eq!(fields(&me), ["balanceSeconds", "email", "phones", "plan", "tier", "unlimited", "userId"]);
    assert_eq!(
        (&me["email"], &me["balanceSeconds"], &me["unlimited"]),
        (&Value::Null, &Value::Null, &json!(true))
    );
    assert_eq!((&me["tier"], &me["plan"]["id"]), (&json!("paid"), &json!("unlimited")));
    assert_eq!(answer.header("x-clawcall-balance-seconds"), Some("unlimited"));

    let owner = me["userId"].as_str().unwrap().parse().unwrap();
    let store = server.app().gateway().store();
    store.set_email(owner, Some("mira@example.com")).await.unwrap();
    assert_eq!(mira.get("/me").await.json()["email"], "mira@example.com");
    server.stop().await;
}

#[tokio::test]
async fn a_key_of_a_first_call_is_not_linked() {
    let server = Server::start().await;
    let (id, agent) = server.first_call(BUSY).await;
    agent.finalized(&id).await;
    for path in ["/me", "/me/calls", "/me/calls?limit=0"] {
        let answer = agent.get(path).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "auth_required"), "{path}");
        assert_eq!(answer.json()["error"]["action"]["type"], "link", "{path}");
    }
    for (request, code) in [
        (server.get("/me"), "auth_required"),
        (server.get("/me/calls"), "auth_required"),
        (server.get("/balance"), "auth_required"),
        (server.get("/me").header("X-Api-Key", "clawcall_sk_nobody"), "invalid_api_key"),
        (server.get("/balance").header("X-Api-Key", "clawcall_sk_nobody"), "invalid_api_key"),
    ] {
        let answer = send(request).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, code));
    }
    server.stop().await;
}

#[tokio::test]
async fn a_history_holds_what_is_over() {
    let server = Server::start().await;
    let (mira, stranger) = (account(&server, false).await, account(&server, false).await);
    let first = call(&mira, BUSY).await;
    let second = call(&mira, HANGS_UP).await;
    let foreign = call(&stranger, BUSY).await;
    let running = mira.place(&json!({ "to": NEVER_ANSWERS, "task": TASK })).await.json();
    mira.events_until(running["call_id"].as_str().unwrap(), "call.ringing").await;

    let history = mira.get("/me/calls").await.json();
    assert_eq!(fields(&history), ["calls", "recordingWindowMinutes"]);
    assert_eq!(ids(&history), [&second, &first]);
    assert!(history["recordingWindowMinutes"].as_u64().is_some_and(|minutes| minutes > 0), "{history}");
    let (talk, busy) = (&history["calls"][0], &history["calls"][1]);
    for field in ["id", "direction", "handling_mode", "task", "voice", "numbers", "lifecycle", "outcome"] {
        assert!(talk[field] != Value::Null, "{field} is missing in {talk}");
    }
    assert!(talk["talk_seconds"].as_u64().is_some_and(|talk| talk >= 2), "{talk}");
    assert!(talk["transcript"].is_array() && talk["recording_url"].is_string(), "{talk}");
    assert!(talk["recording_available_until"].as_str().is_some_and(|until| until.ends_with('Z')), "{talk}");
    assert_eq!((&talk["recording_expired"], &busy["recording_expired"]), (&json!(false), &json!(false)));
    assert_eq!((&busy["recording_url"], &busy["recording_available_until"]), (&Value::Null, &Value::Null));

    let ended_at = talk["timestamps"]["finalized_at"].as_str().unwrap();
    let exactly = ended_at.replace('Z', "%2B00:00");
    for (query, expected) in [
        ("?limit=1".to_owned(), vec![&second]),
        ("?direction=outbound".to_owned(), vec![&second, &first]),
        // To the millisecond, which is how the instant is written: the call is from then or a little later.
        (format!("?since={exactly}"), vec![&second]),
        ("?since=2100-01-01T00:00:00Z".to_owned(), vec![]),
        ("?since=2026-01-01T02:00:00%2B02:00&limit=200".to_owned(), vec![&second, &first]),
    ] {
        assert_eq!(ids(&mira.get(&format!("/me/calls{query}")).await.json()), expected, "{query}");
    }
    for (query, status, code) in [
        ("limit=0", 400, "invalid_query"),
        ("limit=201", 400, "invalid_query"),
        ("limit=many", 400, "invalid_query"),
        ("direction=up", 400, "invalid_query"),
        ("since=2026-11-03", 400, "invalid_query"),
        ("since=2026-11-03T18:00:00", 400, "invalid_query"),
        ("since=yesterday", 400, "invalid_query"),
        ("direction=inbound", 403, "inbound_plan_required"),
    ] {
        let answer = mira.get(&format!("/me/calls?{query}")).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code), "{query}");
    }

    assert_eq!(ids(&stranger.get("/me/calls").await.json()), [&foreign]);
    let admin = account(&server, true).await;
    assert_eq!(ids(&admin.get("/me/calls").await.json()), [&foreign, &second, &first]);
    assert!(ids(&admin.get("/me/calls?direction=inbound").await.json()).is_empty());
    server.stop().await;
}
