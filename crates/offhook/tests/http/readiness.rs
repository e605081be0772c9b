//! Whether the server is well, and who is told how.

use offhook::config::SpeechModel;
use offhook::gateway::keys;
use offhook_speech::openai;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::server::{BUSY, Server, send};

/// Each part with its state.
fn states(body: &Value) -> Vec<(&str, &str)> {
    let checks = body["checks"].as_array().unwrap();
    checks.iter().map(|check| (check["name"].as_str().unwrap(), check["state"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn a_running_server_is_alive_and_ready() {
    let server = Server::start().await;
    let alive = send(server.get("/healthz")).await;
    assert_eq!((alive.status.as_u16(), &alive.json()["status"]), (200, &json!("ok")));
    let ready = send(server.get("/readyz")).await;
    assert_eq!((ready.status.as_u16(), &ready.json()["ready"]), (200, &json!(true)), "{ready:?}");
    let body = ready.json();
    assert_eq!(
        states(&body)[..4],
        [("store", "ok"), ("calls", "ok"), ("trunk", "reachable"), ("model", "not_tried")]
    );
    assert_eq!(states(&body)[4].0, "disk");
    assert!(body.get("error").is_none());

    let (id, agent) = server.first_call(BUSY).await;
    agent.finalized(&id).await;
    let body = send(server.get("/readyz")).await.json();
    assert_eq!(states(&body)[3], ("model", "ok"), "a call has needed it since");
    server.stop().await;
}

#[tokio::test]
async fn details_are_for_who_runs_it() {
    let server = Server::start().await;
    let (_, agent) = server.first_call(BUSY).await;
    let admin = keys::create(server.app().gateway().store(), None, true).await.unwrap();
    for (key, told) in [("", false), (agent.key.as_str(), false), (admin.expose_secret(), true)] {
        let body = send(server.get("/readyz").header("X-Api-Key", key)).await.json();
        assert_eq!(body["details"], told);
        for check in body["checks"].as_array().unwrap() {
            assert_eq!((check["found"].is_string(), check["todo"].is_string()), (told, told), "{check}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_model_that_could_not_be_opened_is_told_and_calls_go_on() {
    // A port that was free a moment ago, and that nobody listens on.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let model =
        openai::Config::new(format!("http://127.0.0.1:{port}/v1"), openai::Auth::None, "any".to_owned());
    let server = Server::with("", SpeechModel::OpenAi(model)).await;
    let (id, agent) = server.first_call(BUSY).await;
    assert_eq!(agent.finalized(&id).await["end_reason"], "speech.unavailable");
    let admin = keys::create(server.app().gateway().store(), None, true).await.unwrap();
    let ready = send(server.get("/readyz").header("X-Api-Key", admin.expose_secret())).await;
    assert_eq!(ready.status, 200, "the next call may find it");
    let body = ready.json();
    let model = body["checks"].as_array().unwrap().iter().find(|check| check["name"] == "model").unwrap();
    assert_eq!((&model["ok"], &model["state"]), (&json!(false), &json!("failed")));
    assert!(model["found"].as_str().unwrap().contains("did not get it: "), "{model}");
    server.stop().await;
}

#[tokio::test]
async fn that_calling_is_switched_off_is_told_and_no_alarm() {
    let server = Server::configured("calling_enabled = false").await;
    let ready = send(server.get("/readyz")).await;
    let body = ready.json();
    assert_eq!(ready.status, 200, "it is as the operator wants it");
    assert!(states(&body).contains(&("calls", "switched_off")), "{body}");
    assert_eq!(body["checks"][1]["ok"], false);
    server.stop().await;
}

#[tokio::test]
async fn where_no_call_could_be_placed_503_says_why() {
    // Nobody is at the discard port.
    let trunk = "[[carrier.sip.trunk]]\nname = \"main\"\nserver = \"127.0.0.1:9\"\n[carrier.sip]\nlisten = [\"udp:127.0.0.1:0\"]\n[[line]]\nnumber = \"+12065550123\"";
    let server = Server::configured(trunk).await;
    let ready = loop {
        // The trunk is asked in the background; it may take longer than the answer.
        let ready = send(server.get("/readyz")).await;
        if !states(&ready.json()).contains(&("trunk", "not_known")) {
            break ready;
        }
    };
    assert_eq!((ready.status.as_u16(), ready.code().as_str()), (503, "not_ready"));
    assert!(states(&ready.json()).contains(&("trunk", "unreachable")), "{ready:?}");
    server.stop().await;

    let server = Server::start().await;
    server.app().gateway().engine().refuse_calls();
    let ready = send(server.get("/readyz")).await;
    assert_eq!((ready.status.as_u16(), ready.code().as_str()), (503, "not_ready"));
    assert!(states(&ready.json()).contains(&("calls", "failed")), "{ready:?}");
    server.stop().await;
}
