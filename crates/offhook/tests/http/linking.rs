//! Linking the key of a first call to an account.

use offhook::gateway::{keys, linking};
use offhook_core::OwnerId;
use reqwest::RequestBuilder;
use secrecy::ExposeSecret as _;
use serde_json::json;

use crate::me::account;
use crate::server::{Answer, BUSY, NEVER_ANSWERS, Server, TASK, send};

async fn new_account(server: &Server) -> OwnerId {
    linking::create_account(server.app().gateway().store(), Some("Mira@example.com")).await.unwrap()
}

async fn new_code(server: &Server, owner: OwnerId) -> String {
    let code = linking::create_code(server.app().gateway().store(), owner).await.unwrap();
    code.expect("there is such an account").expose_secret().to_owned()
}

async fn submit(page: RequestBuilder, token: &str, code: &str) -> Answer {
    // Keys and codes are made of characters that a form leaves as they are.
    let body = format!("token={}&code={code}", token.replace('<', "%3C").replace('>', "%3E"));
    send(page.header("Content-Type", "application/x-www-form-urlencoded").body(body)).await
}

fn text(answer: &Answer) -> String {
    String::from_utf8(answer.bytes.clone()).unwrap()
}

#[tokio::test]
async fn a_linked_key_stays_the_same_and_brings_its_calls() {
    let server = Server::start().await;
    let (id, agent) = server.first_call(BUSY).await;
    agent.finalized(&id).await;
    let mut pages = Vec::new();
    for field in ["url", "sign_in_url"] {
        let refused = agent.get("/me").await.json();
        pages.push(refused["error"]["action"][field].as_str().unwrap().to_owned());
    }
    assert!(pages[0].ends_with(&format!("/sign-up?token={}", agent.key)), "{}", pages[0]);
    assert!(pages[1].ends_with(&format!("/sign-in?token={}", agent.key)), "{}", pages[1]);
    for page in &pages {
        let answer = send(server.get(page)).await;
        assert_eq!((answer.status.as_u16(), answer.header("referrer-policy")), (200, Some("no-referrer")));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("form-action 'self'"), "{policy}");
        assert!(text(&answer).contains("<form method=\"post\">"), "{}", text(&answer));
    }

    let owner = new_account(&server).await;
    let code = new_code(&server, owner).await;
    let linked = submit(server.post("/sign-in").header("Origin", server.url()), &agent.key, &code).await;
    assert_eq!(linked.status, 200, "{}", text(&linked));
    let me = agent.get("/me").await.json();
    assert_eq!((&me["userId"], &me["email"]), (&json!(owner.to_string()), &json!("mira@example.com")));
    assert_eq!(agent.get("/me/calls").await.json()["calls"][0]["id"], json!(id));
    assert_eq!(agent.get(&format!("/call/{id}")).await.status, 200);
    let placed = agent.place(&json!({ "to": BUSY, "task": TASK })).await;
    assert_eq!((placed.status.as_u16(), placed.header("x-clawcall-api-key")), (201, None));
    server.stop().await;
}

#[tokio::test]
async fn what_can_t_be_linked() {
    let server = Server::start().await;
    let (id, agent) = server.first_call(BUSY).await;
    agent.finalized(&id).await;
    let (ringing, calling) = server.first_call(NEVER_ANSWERS).await;
    let mira = account(&server, false).await;
    let code = new_code(&server, new_account(&server).await).await;
    for (key, code, status) in [
        ("clawcall_sk_nobody", code.as_str(), 401),
        (&agent.key, "guessed", 403),
        (&agent.key, "", 403),
        (&mira.key, &code, 409),
        (&calling.key, &code, 409),
        ("<script>", &code, 400),
        ("", &code, 400),
    ] {
        let answer = submit(server.post("/sign-up"), key, code).await;
        assert_eq!(answer.status.as_u16(), status, "{key} {code}");
        assert!(!text(&answer).contains("<script>"), "{}", text(&answer));
    }
    for path in ["/sign-in", "/sign-up", "/sign-in?token=%3Cscript%3E", "/sign-up?token=a&token=b"] {
        let answer = send(server.get(path)).await;
        assert_eq!(answer.status, 400, "{path}");
        assert!(!text(&answer).contains("<form") && !text(&answer).contains("<script>"), "{path}");
    }
    let foreign = server.post("/sign-in").header("Origin", "https://evil.example");
    assert_eq!(submit(foreign, &agent.key, &code).await.status, 403);
    assert_eq!(agent.get("/me").await.code(), "auth_required");

    // The code is still good, once; and the call can be hung up before and its key linked after.
    calling.post(&format!("/call/{ringing}/hangup")).await;
    calling.finalized(&ringing).await;
    assert_eq!(submit(server.post("/sign-in"), &calling.key, &code).await.status, 200);
    assert_eq!(submit(server.post("/sign-in"), &agent.key, &code).await.status, 403);
    server.stop().await;
}

#[tokio::test]
async fn a_key_is_rotated_and_revoked() {
    let server = Server::start().await;
    let mut mira = account(&server, false).await;
    let placed = mira.place(&json!({ "to": BUSY, "task": TASK })).await.json();
    let id = placed["call_id"].as_str().unwrap().to_owned();
    mira.finalized(&id).await;
    let store = server.app().gateway().store();
    let key = keys::list(store).await.unwrap().pop().unwrap().id;
    let new = keys::rotate(store, &key).await.unwrap().expect("there is such a key");
    assert!(keys::rotate(store, &key).await.unwrap().is_none());
    for path in ["/me", "/calls", "/balance"] {
        let answer = mira.get(path).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "invalid_api_key"), "{path}");
    }
    let refused = mira.place(&json!({ "to": BUSY, "task": TASK })).await;
    assert_eq!((refused.code().as_str(), refused.header("x-clawcall-api-key")), ("invalid_api_key", None));

    mira.key = new.expose_secret().to_owned();
    assert_eq!(mira.get(&format!("/call/{id}")).await.status, 200);
    let keys_now = keys::list(store).await.unwrap();
    let live = keys_now.iter().find(|key| key.revoked_at.is_none()).unwrap();
    assert!(keys::revoke(store, &live.id).await.unwrap());
    assert_eq!(mira.get("/me").await.code(), "invalid_api_key");
    server.stop().await;
}
