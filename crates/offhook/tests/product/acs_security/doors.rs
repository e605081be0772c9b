//! What answers at the doors: the paths of the carrier, and nothing of the API.

use reqwest::Method;

use super::rig::{callback_path, doors, post, request, setup};
use crate::acs::rig::CALLEE;

#[tokio::test]
async fn only_the_exact_paths_answer() {
    let rig = setup().start().await;
    for (method, path, expected) in [
        (Method::POST, "/acs", 401),
        (Method::POST, "/acsX", 404),
        (Method::POST, "/acs/", 404),
        (Method::POST, "/acs/x", 404),
        (Method::POST, "/ACS", 404),
        (Method::POST, "/api/voice/acs-callback", 401),
        (Method::POST, "/api/voice/acs-callbackX", 404),
        (Method::POST, "/acs/incoming", 401),
        (Method::POST, "/acs/incomingX", 404),
        (Method::POST, "/api/voice/acs-callback/incoming", 401),
        (Method::GET, "/realtime-acs", 401),
        (Method::GET, "/realtime-acsX", 404),
        (Method::GET, "/api/voice/media-streaming", 401),
        (Method::POST, "/webhooks/acs/calls/x", 401),
        (Method::POST, "/webhooks/acs/calls/x/y", 404),
        (Method::POST, "/webhooks/acs/calls/", 404),
        (Method::POST, "/webhooks/acs/callsX/x", 404),
        (Method::GET, "/webhooks/acs/media/x", 401),
        (Method::POST, "/webhooks/acs/incoming", 401),
        (Method::OPTIONS, "/webhooks/acs/incoming", 401),
        (Method::GET, "/webhooks/acs/health", 200),
        (Method::GET, "/webhooks/acs/calls/x", 405),
        (Method::POST, "/webhooks/acs/media/x", 405),
        // What an agent may ask is asked elsewhere, whatever the key.
        (Method::GET, "/", 404),
        (Method::GET, "/calls", 404),
        (Method::POST, "/call", 404),
        (Method::POST, "/api/voice/call", 404),
        (Method::GET, "/me", 404),
        (Method::GET, "/healthz", 404),
        (Method::GET, "/readyz", 404),
        (Method::GET, "/openapi.json", 404),
        (Method::POST, "/mcp", 404),
        (Method::GET, "/metrics", 404),
        (Method::GET, "/webhooks/acs/calls/../../../calls", 404),
        (Method::GET, "//calls", 404),
    ] {
        let answer = request(&rig, method.clone(), path).body("[]").send().await.unwrap();
        assert_eq!(answer.status(), expected, "{method} {path}");
        assert_eq!(answer.headers()["connection"], "close", "no stranger keeps a place: {method} {path}");
        if expected != 200 {
            let body: serde_json::Value = answer.json().await.unwrap();
            assert!(body["error"]["code"].is_string(), "one envelope: {body}");
        }
    }
    // And the doors are nowhere else.
    for path in ["/webhooks/acs/calls/x", "/acs", "/webhooks/acs/incoming", "/acs/incoming"] {
        let answer = rig.door.request(Method::POST, path).body("[]").send().await.unwrap();
        assert_eq!(answer.status(), 404, "{path} of the API");
    }
    rig.stop().await;
}

#[tokio::test]
async fn a_stranger_learns_nothing() {
    let rig = setup().start().await;
    let (call, person) = rig.connected(&rig.owner(), CALLEE).await;
    let path = callback_path(&person.seen());
    let good = rig.acs.token(|_| ());
    let expired = rig.acs.token(|claims| claims.expires_at -= 1_000);
    let mut answers = Vec::new();
    for (path, bearer) in [
        ("/webhooks/acs/calls/nobody?token=x", good.as_str()),
        (path.as_str(), expired.as_str()),
        (path.as_str(), "garbage"),
        (&format!("{path}x"), &good),
        ("/webhooks/acs/incoming?token=x", ""),
    ] {
        let answer = request(&rig, Method::POST, path).bearer_auth(bearer).body("[]").send().await.unwrap();
        assert_eq!(answer.status(), 401);
        answers.push(answer.text().await.unwrap());
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "what was wrong is not told: {answers:?}");
    person.hang_up();
    call.over().await;
    rig.stop().await;
}

#[tokio::test]
async fn bodies_are_read_from_those_who_may_send_them_and_only_so_long() {
    let rig = setup().start().await;
    let (call, person) = rig.connected(&rig.owner(), CALLEE).await;
    let path = callback_path(&person.seen());
    let good = rig.acs.token(|_| ());
    let padded = |bytes: usize| format!("[{}]", " ".repeat(bytes - 2));
    for (what, body, expected) in [
        ("64 KiB", padded(64 * 1_024), 200),
        ("256 KiB", padded(256 * 1_024), 200),
        ("more", padded(256 * 1_024 + 1), 413),
        ("no JSON", "[".to_owned(), 400),
        ("nothing", String::new(), 400),
    ] {
        let sent = request(&rig, Method::POST, &path).bearer_auth(&good).body(body).send().await.unwrap();
        assert_eq!(sent.status(), expected, "{what}");
    }
    // Who may not send it is refused before it is read.
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(doors(&rig)).await.unwrap();
    let head = "POST /acs?token=a.b HTTP/1.1\r\nhost: x\r\ncontent-length: 200000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut start = [0; 12];
    stream.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 401");
    assert_eq!(post(&rig, &path, Some(&good)).await, 200);
    person.hang_up();
    call.over().await;
    rig.stop().await;
}
