//! Every answer that is not a success carries the envelope, with the documented status and code.

use offhook_core::Timestamp;
use offhook_store::PhoneRow;
use offhook_testkit::programs::{Protocol, free_port};
use reqwest::Method;
use serde_json::{Value, json};

use crate::me::account;
use crate::python;
use crate::server::{BUSY, Server, send};

#[tokio::test]
async fn what_is_wrong_with_a_wish() {
    let server = Server::start().await;
    let (_, agent) = server.first_call(BUSY).await;
    let call = |more: Value| {
        let mut body = json!({ "to": "+14155550100", "task": "x" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    for (body, status, code) in [
        (json!({}), 400, "missing_fields"),
        (json!({ "to": "+14155550100" }), 400, "missing_fields"),
        (json!({ "to": " ", "task": "x" }), 400, "missing_fields"),
        (call(json!({ "task": "\n" })), 400, "missing_fields"),
        (call(json!({ "to": "5550100" })), 400, "invalid_phone"),
        (call(json!({ "to": 14155550100_u64 })), 400, "invalid_phone"),
        (call(json!({ "to": "+1415555" })), 400, "invalid_phone"),
        (call(json!({ "to": "911" })), 400, "invalid_phone"),
        (call(json!({ "to": "+442079460000" })), 400, "unsupported_destination"),
        (call(json!({ "voice": "rachel" })), 400, "invalid_preferences"),
        (call(json!({ "voice": 7 })), 400, "invalid_preferences"),
        (call(json!({ "bridge_number": "12" })), 400, "invalid_phone"),
        (call(json!({ "loop_in_user": "yes" })), 400, "invalid_loop_in_user"),
        (call(json!({ "loop_in_user": null })), 400, "invalid_loop_in_user"),
        (call(json!({ "loop_in_user": true })), 422, "account_phone_unavailable"),
        (call(json!({ "from": "+12065550123" })), 400, "invalid_request"),
        (json!([1, 2]), 400, "invalid_request"),
    ] {
        let answer = agent.place(&body).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code), "{body}");
    }
    // Of several mistakes the first in the contract's order is told: fields, number, country, voice, handoff.
    let wrong = json!({ "voice": "rachel", "bridge_number": "12", "loop_in_user": true });
    for (more, code) in [
        (json!({ "task": " ", "to": "12" }), "missing_fields"),
        (json!({ "to": "12" }), "invalid_phone"),
        (json!({ "to": "+442079460000" }), "unsupported_destination"),
        (json!({}), "invalid_preferences"),
        (json!({ "voice": "sarah" }), "account_phone_unavailable"),
    ] {
        let mut body = call(wrong.clone());
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(agent.place(&body).await.code(), code, "{body}");
    }
    // No call exists after an error.
    let calls = agent.get("/calls").await.json();
    assert_eq!(calls["calls"].as_array().unwrap().len(), 1);
    server.stop().await;
}

#[tokio::test]
async fn the_account_s_own_phone() {
    let server = Server::start().await;
    let mira = account(&server, false).await;
    let store = server.app().gateway().store();
    let owner = mira.get("/me").await.json()["userId"].as_str().unwrap().parse().unwrap();
    let confirm = async |number: &str, primary| {
        let phone = PhoneRow { number: number.to_owned(), primary, confirmed_at: Timestamp::default() };
        assert!(store.add_phone(owner, &phone).await.unwrap());
    };
    let wish = |more: Value| {
        let mut body = json!({ "to": BUSY, "task": "x", "loop_in_user": true });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let refused = mira.place(&wish(json!({}))).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (422, "account_phone_unavailable"));
    // Of two without a primary one, neither; and the number of the request is none of them.
    confirm("+14155550190", false).await;
    confirm(BUSY, false).await;
    let refused = mira.place(&wish(json!({ "bridge_number": "+14155550191" }))).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (422, "account_phone_unavailable"));
    confirm(BUSY, true).await;
    for body in [wish(json!({})), json!({ "to": BUSY, "task": "x", "bridge_number": BUSY })] {
        let refused = mira.place(&body).await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (400, "invalid_loop_in_destination"));
    }
    let own = json!({ "to": BUSY, "task": "x", "bridge_number": "+14155550199" });
    assert_eq!(mira.place(&own).await.code(), "invalid_loop_in_destination");
    confirm("+14155550190", true).await;
    let me = mira.get("/me").await.json();
    let phones = json!([
        { "number": "+14155550190", "primary": true, "verified": true },
        { "number": BUSY, "primary": false, "verified": true },
    ]);
    assert_eq!(me["phones"], phones);
    assert_eq!(mira.place(&wish(json!({}))).await.status, 201);

    // While they can't be looked up no call is placed, and nobody is asked to confirm anything.
    let database = server.data_dir().join("offhook.db");
    let database = database.to_str().unwrap();
    assert_eq!(python::run("take_away.py", &[database, "owner_phones"], "").await, (0, String::new()));
    let away = mira.place(&wish(json!({}))).await;
    assert_eq!((away.status.as_u16(), away.code().as_str()), (503, "account_phone_lookup_unavailable"));
    assert!(away.header("retry-after").is_some());
    server.stop().await;
}

#[tokio::test]
async fn nothing_can_be_dialled_on_a_trunk_that_does_not_let_us_in() {
    let port = free_port(Protocol::Udp);
    let text = format!(
        "[[carrier.sip.trunk]]\nserver = \"127.0.0.1:{port}\"\nusername = \"mira\"\npassword = \"secret\"\n\
         register = true\n[[line]]\nnumber = \"+12065551188\"\n"
    );
    let server = Server::configured(&text).await;
    let mira = account(&server, false).await;
    let answer = mira.place(&json!({ "to": "+12065551234", "task": "x" })).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (502, "dial_failed"));
    assert_eq!(answer.header("retry-after"), Some("5"));
    server.stop().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_key() {
    let server = Server::start().await;
    let wrong = |request: reqwest::RequestBuilder| request.header("X-Api-Key", "clawcall_sk_nobody");
    for (request, code) in [
        (wrong(server.post("/call").json(&json!({ "to": BUSY, "task": "x" }))), "invalid_api_key"),
        // The key comes before the body.
        (wrong(server.post("/call").body("{")), "invalid_api_key"),
        (wrong(server.post("/call").json(&json!({}))), "invalid_api_key"),
        (wrong(server.get("/call/0")), "invalid_api_key"),
        // A token that can't be a key is somebody else's, and no reason to drop one's own.
        (server.get("/calls").header("Authorization", "Bearer eyJhbGciOi"), "invalid_token"),
        (server.get("/calls").header("Authorization", "Bearer clawcall_sk_nobody"), "invalid_api_key"),
        (server.post("/call").header("Authorization", "Bearer eyJhbGciOi").body("{}"), "invalid_token"),
        (server.get("/calls").header("X-Api-Key", "eyJhbGciOi"), "invalid_api_key"),
        (server.get("/calls"), "auth_required"),
        (server.get("/calls").header("X-Api-Key", " "), "auth_required"),
    ] {
        let answer = send(request).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, code));
    }
    server.stop().await;
}

#[tokio::test]
async fn where_no_keys_are_given_away_the_answer_says_how_to_get_one() {
    let server = Server::configured("allow_anonymous_keys = false").await;
    let answer = send(server.post("/call").json(&json!({ "to": BUSY, "task": "x" }))).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "auth_required"));
    let action = &answer.json()["error"]["action"];
    assert_eq!(action["type"], "link");
    let page = send(server.get(action["url"].as_str().unwrap())).await;
    assert!(
        page.status.is_success() && String::from_utf8(page.bytes).unwrap().contains("offhook key create")
    );
    server.stop().await;
}

#[tokio::test]
async fn calling_can_be_switched_off() {
    let server = Server::configured("calling_enabled = false").await;
    let answer = send(server.post("/call").json(&json!({ "to": BUSY, "task": "x" }))).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "forbidden"));
    server.stop().await;
}

#[tokio::test]
async fn what_is_not_there() {
    let server = Server::start().await;
    let (id, agent) = server.first_call(BUSY).await;
    let key = |request: reqwest::RequestBuilder| request.header("X-Api-Key", &agent.key);
    let large = "x".repeat(300 * 1_024);
    for (request, status, code) in [
        (server.get("/nothing"), 404, "not_found"),
        (server.request(Method::DELETE, "/call"), 405, "method_not_allowed"),
        (server.post("/healthz"), 405, "method_not_allowed"),
        (key(server.get("/call/0199a1e0-0000-7000-8000-000000000000")), 404, "not_found"),
        (key(server.get("/call/not-an-id")), 404, "not_found"),
        (key(server.get("/call/not-an-id/recording")), 404, "recording_not_available"),
        (key(server.get("/calls?limit=0")), 400, "invalid_query"),
        (key(server.get("/calls?limit=many")), 400, "invalid_query"),
        (key(server.get("/calls?direction=up")), 400, "invalid_query"),
        (key(server.get("/calls?since=2026-11-03")), 400, "invalid_query"),
        (key(server.get(&format!("/call/{id}/events?after=x"))), 400, "invalid_query"),
        (key(server.post("/call").body(large)), 413, "payload_too_large"),
        (
            key(server.post("/call").header("Idempotency-Key", "x".repeat(300)).json(&json!({}))),
            400,
            "invalid_request",
        ),
    ] {
        let answer = send(request).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code));
    }
    server.stop().await;
}

#[tokio::test]
async fn pages_of_other_sites_are_kept_out() {
    let server = Server::start().await;
    let body = json!({ "to": BUSY, "task": "x" });
    let answer = send(server.post("/call").header("Origin", "https://evil.example").json(&body)).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "forbidden"));
    let answer = send(server.post("/call").header("Origin", server.url()).json(&body)).await;
    assert_eq!(answer.status, 201);
    server.stop().await;
}
