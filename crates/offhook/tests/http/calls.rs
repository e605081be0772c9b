//! Placing, polling, hanging up.

use serde_json::{Value, json};

use crate::server::{Agent, BUSY, HANGS_UP, NEVER_ANSWERS, Server, send};

fn fields(value: &Value) -> Vec<&str> {
    let mut fields: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    fields.sort_unstable();
    fields
}

#[tokio::test]
async fn the_first_call_mints_a_key_and_shows_it_once() {
    let server = Server::start().await;
    let body = json!({ "to": BUSY, "task": "Ask when they open.", "some_future_field": { "x": 1 } });
    let answer = send(server.post("/call").json(&body)).await;
    assert_eq!(answer.status, 201);
    let placed = answer.json();
    assert_eq!(fields(&placed), ["api_key", "call_id", "id", "message", "status"]);
    assert_eq!((&placed["status"], &placed["id"]), (&json!("queued"), &placed["call_id"]));
    let key = placed["api_key"].as_str().unwrap();
    assert_eq!(answer.header("x-clawcall-api-key"), Some(key));
    let secret = key.strip_prefix("clawcall_sk_").expect("clients recognise keys by it");
    assert!(
        secret.len() >= 32
            && secret.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    );

    let again = send(
        server.post("/call").header("x-api-key", key).json(&json!({ "to": NEVER_ANSWERS, "task": "x" })),
    )
    .await;
    assert_eq!(again.status, 201);
    assert_eq!(fields(&again.json()), ["call_id", "id", "message", "status"]);
    assert_eq!(again.header("x-clawcall-api-key"), None);
    server.stop().await;
}

#[tokio::test]
async fn the_body_is_json_whatever_it_is_called() {
    let server = Server::start().await;
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-8"]
    {
        let body = format!(r#"{{"to": "{BUSY}", "task": "x"}}"#);
        let answer = send(server.post("/call").header("content-type", content_type).body(body)).await;
        assert_eq!(answer.status, 201, "{content_type}");
        let placed = answer.json();
        let agent = Agent { server: &server, key: placed["api_key"].as_str().unwrap().to_owned() };
        agent.finalized(placed["id"].as_str().unwrap()).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn a_call_shows_its_end_only_once_it_is_over() {
    let server = Server::start().await;
    let (id, agent) = server.first_call(NEVER_ANSWERS).await;
    agent.events_until(&id, "call.ringing").await;
    let running = agent.get(&format!("/call/{id}")).await.json();
    assert_eq!(
        fields(&running),
        [
            "direction",
            "greeting",
            "handling_mode",
            "id",
            "language",
            "lifecycle",
            "numbers",
            "personality",
            "task",
            "timestamps",
            "transcript",
            "voice"
        ]
    );
    assert_eq!(fields(&running["numbers"]), ["bridge_from", "from", "to"]);
    assert_eq!(fields(&running["timestamps"]), ["answered_at", "dialing_at", "finalized_at", "queued_at"]);
    assert_eq!((&running["lifecycle"], &running["direction"]), (&json!("dialing"), &json!("outbound")));
    assert_eq!((&running["numbers"]["to"], &running["voice"]), (&json!(NEVER_ANSWERS), &json!("jessica")));
    assert_eq!((&running["transcript"], &running["timestamps"]["answered_at"]), (&Value::Null, &Value::Null));
    let queued_at = running["timestamps"]["queued_at"].as_str().unwrap();
    assert!(queued_at.len() == "2026-11-03T18:22:04.310Z".len() && queued_at.ends_with('Z'), "{queued_at}");

    let hung_up = agent.post(&format!("/call/{id}/hangup")).await;
    assert_eq!(hung_up.status, 200);
    assert_eq!(fields(&hung_up.json()), ["call_id", "message", "status", "success"]);
    assert_eq!((&hung_up.json()["success"], &hung_up.json()["status"]), (&json!(true), &json!("failed")));

    let over = agent.finalized(&id).await;
    assert_eq!((&over["outcome"], &over["end_reason"]), (&json!("cancelled"), &json!("owner.cancelled")));
    assert_eq!((&over["talk_seconds"], &over["recording_url"]), (&Value::Null, &Value::Null));
    assert_eq!(
        fields(&over["outcome_detail"]),
        ["hangup_cause", "hangup_source", "provider_error_code", "reason", "sip_hangup_cause"]
    );
    assert_eq!(over["outcome_detail"]["hangup_source"], "caller");

    let again = agent.post(&format!("/call/{id}/hangup")).await;
    assert_eq!((again.status.as_u16(), &again.json()["status"]), (200, &json!("failed")));
    server.stop().await;
}

#[tokio::test]
async fn an_answered_call_has_a_transcript_and_an_end() {
    let server = Server::start().await;
    let (id, agent) = server.first_call(HANGS_UP).await;
    let over = agent.finalized(&id).await;
    assert_eq!((&over["outcome"], &over["end_reason"]), (&json!("answered"), &json!("remote.hung_up")));
    assert_eq!(over["outcome_detail"]["hangup_source"], "callee");
    assert_eq!(over["outcome_detail"]["hangup_cause"], "normal_clearing");
    assert_eq!(over["outcome_detail"]["sip_hangup_cause"], "200");
    assert_eq!(over["outcome_detail"]["reason"]["retryable"], false);
    assert!(over["talk_seconds"].as_u64().is_some_and(|talk| talk >= 2), "{over}");
    let first = &over["transcript"].as_array().expect("the voice spoke")[0];
    for field in ["role", "text", "timestamp", "started_ms", "ended_ms"] {
        assert!(!first[field].is_null(), "{field} is missing in {first}");
    }
    assert!(over["recording_url"].as_str().is_some_and(|url| url.starts_with(&server.url())), "{over}");
    server.stop().await;
}

#[tokio::test]
async fn busy_is_an_outcome_not_an_error() {
    let server = Server::start().await;
    let (id, agent) = server.first_call(BUSY).await;
    let over = agent.finalized(&id).await;
    assert_eq!(over["outcome"], "busy");
    let detail = &over["outcome_detail"];
    assert_eq!((&detail["hangup_cause"], &detail["sip_hangup_cause"]), (&json!("user_busy"), &json!("486")));
    assert_eq!((&detail["reason"]["code"], &detail["reason"]["title"]), (&json!("busy"), &json!("Busy")));
    server.stop().await;
}

#[tokio::test]
async fn a_repeat_with_the_same_idempotency_key_is_the_same_call() {
    let server = Server::start().await;
    let body = json!({ "to": NEVER_ANSWERS, "task": "Ask when they open." });
    let place = |body: serde_json::Value| {
        server.post("/call").header("Idempotency-Key", "order-17-5e1c0b7a9d").json(&body)
    };
    let first = send(place(body.clone())).await;
    assert_eq!((first.status.as_u16(), first.header("idempotent-replayed")), (201, None));
    let first = first.json();
    // The answer was lost; so was the key. Both come again.
    let second = send(place(body.clone())).await;
    assert_eq!((second.status.as_u16(), second.header("idempotent-replayed")), (201, Some("true")));
    assert_eq!(
        (&second.json()["call_id"], &second.json()["api_key"]),
        (&first["call_id"], &first["api_key"])
    );

    let key = first["api_key"].as_str().unwrap();
    let third = send(place(body).header("x-api-key", key)).await;
    assert_eq!(third.json()["call_id"], first["call_id"]);
    let other = json!({ "to": NEVER_ANSWERS, "task": "Ask something else." });
    let fourth = send(place(other).header("x-api-key", key)).await;
    assert_eq!((fourth.status.as_u16(), fourth.code().as_str()), (422, "idempotency_key_reused"));
    server.stop().await;
}

#[tokio::test]
async fn a_foreign_call_is_as_unknown_as_none() {
    let server = Server::start().await;
    let (id, owner) = server.first_call(NEVER_ANSWERS).await;
    let (own, stranger) = server.first_call(BUSY).await;
    for path in [format!("/call/{id}"), format!("/call/{id}/events")] {
        let answer = stranger.get(&path).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (404, "not_found"), "{path}");
    }
    let answer = stranger.post(&format!("/call/{id}/hangup")).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (404, "not_found"));
    let answer = stranger.get(&format!("/call/{id}/recording")).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (404, "recording_not_available"));

    stranger.finalized(&own).await;
    let listed = |body: serde_json::Value| -> Vec<String> {
        body["calls"].as_array().unwrap().iter().map(|call| call["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(listed(stranger.get("/calls").await.json()), [own]);
    assert_eq!(listed(owner.get("/calls?live=true").await.json()), [id]);
    assert!(listed(stranger.get("/calls?live=true").await.json()).is_empty());
    server.stop().await;
}

#[tokio::test]
async fn a_hundred_repeats_at_once_are_one_call() {
    let server = Server::start().await;
    let body = json!({ "to": NEVER_ANSWERS, "task": "Ask when they open." });
    let place = || send(server.post("/call").header("Idempotency-Key", "order-18-5e1c0b7a9d").json(&body));
    let answers = futures_util::future::join_all((0..100).map(|_| place())).await;
    let first = answers[0].json();
    for answer in &answers {
        let placed = answer.json();
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!((&placed["call_id"], &placed["api_key"]), (&first["call_id"], &first["api_key"]));
    }
    let fresh = answers.iter().filter(|answer| answer.header("idempotent-replayed").is_none());
    assert_eq!(fresh.count(), 1);
    let agent = Agent { server: &server, key: first["api_key"].as_str().unwrap().to_owned() };
    let calls = agent.get("/calls").await.json();
    assert_eq!(calls["calls"].as_array().unwrap().len(), 1);
    server.stop().await;
}
