//! The documents of the API, and whether the server is well.

use expect_test::expect_file;
use serde_json::json;

use crate::server::{Server, send};

/// `UPDATE_EXPECT=1` writes it; a change here is a change of the contract.
#[test]
fn the_openapi_document() {
    let document = offhook::http::document().to_pretty_json().unwrap();
    expect_file!["openapi.json"].assert_eq(&format!("{document}\n"));
}

#[tokio::test]
async fn the_document_is_served_with_the_address_of_this_server() {
    let server = Server::configured("public_url = \"https://calls.example.com/\"").await;
    let document = send(server.get("/openapi.json")).await.json();
    assert_eq!(document["servers"], json!([{ "url": "https://calls.example.com" }]));
    server.stop().await;
}

#[tokio::test]
async fn a_running_server_is_alive_and_ready() {
    let server = Server::start().await;
    let alive = send(server.get("/healthz")).await;
    assert_eq!((alive.status.as_u16(), &alive.json()["status"]), (200, &json!("ok")));
    let ready = send(server.get("/readyz")).await;
    assert_eq!((ready.status.as_u16(), &ready.json()["ready"]), (200, &json!(true)), "{ready:?}");
    assert!(ready.json().get("error").is_none());
    server.stop().await;
}

#[tokio::test]
async fn the_caller_s_request_id_comes_back() {
    let server = Server::start().await;
    let answer = send(server.get("/healthz").header("X-Request-Id", "agent-run-00017")).await;
    assert_eq!(answer.header("x-request-id"), Some("agent-run-00017"));
    let answer = send(server.get("/healthz").header("X-Request-Id", "not a good one")).await;
    assert_ne!(answer.header("x-request-id"), Some("not a good one"));
    server.stop().await;
}
