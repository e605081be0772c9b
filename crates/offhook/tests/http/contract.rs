//! The documents of the API, and whether its answers are as documented.

use std::time::Duration;

use expect_test::expect_file;
use offhook_core::journal::{AnsweredBy, HandoffBy};
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::inbound::{confirm, reserve};
use crate::me::account;
use crate::python;
use crate::server::{Agent, BUSY, HANGS_UP, NEVER_ANSWERS, RECEPTIONIST, Server, send};

/// A phone of the user's own, in the sandbox.
const DOES_NOT_ANSWER: &str = "+14155550191";
/// The number that the sandbox calls from.
const SANDBOX_LINE: &str = "+14155550199";

/// `UPDATE_EXPECT=1` writes it; a change here is a change of the contract.
#[test]
fn the_openapi_document() {
    let document = offhook::http::document().to_pretty_json().unwrap();
    expect_file!["openapi.json"].assert_eq(&format!("{document}\n"));
}

/// Where a code is a text with a meaning, its description names every one there is.
#[test]
fn the_document_names_every_code() {
    let document = serde_json::to_value(offhook::http::document()).unwrap();
    let described = |path: &str| {
        let found = document.pointer(&format!("/components/schemas/{path}/description"));
        found.and_then(Value::as_str).unwrap_or_else(|| panic!("{path} is not described")).to_owned()
    };
    let answered_by: Vec<&str> = AnsweredBy::ALL.iter().map(|code| code.code()).collect();
    let by: Vec<&str> = HandoffBy::ALL.iter().map(|code| code.code()).collect();
    for (path, codes) in [("Call/allOf/2/properties/answered_by", answered_by), ("Handoff/properties/by", by)]
    {
        let text = described(path);
        for code in codes {
            assert!(text.contains(&format!("`{code}`")), "{path} leaves out {code}: {text}");
        }
    }
}

#[tokio::test]
async fn the_document_is_served_with_the_address_of_this_server() {
    let server = Server::configured("public_url = \"https://calls.example.com/\"").await;
    let document = send(server.get("/openapi.json")).await.json();
    assert_eq!(document["servers"], json!([{ "url": "https://calls.example.com" }]));
    server.stop().await;
}

/// The answers of a server to one request each, for a validator.
#[derive(Default)]
struct Recorded(Vec<Value>);

impl Recorded {
    /// `path` as the document writes it.
    async fn answer(&mut self, path: &str, request: RequestBuilder) -> Value {
        let method = request.try_clone().unwrap().build().unwrap().method().to_string();
        let answer = send(request).await;
        let body: Value = serde_json::from_slice(&answer.bytes).unwrap_or_default();
        self.0.push(json!({
            "method": method, "path": path, "status": answer.status.as_u16(),
            "content_type": answer.header("content-type"), "body": body,
        }));
        body
    }
}

/// What guiding a call can answer, before and after somebody picks up.
async fn guided(recorded: &mut Recorded, agent: &Agent<'_>) {
    let server = agent.server;
    let text = json!({ "text": "Sunday would be fine, too." });
    let asked = [
        ("say", text.clone()),
        ("instruct", text),
        ("digits", json!({ "digits": "1" })),
        ("answer", json!({ "answer": "May." })),
        ("bridge", json!({ "bridge_number": "12" })),
        ("bridge", json!({ "bridge_number": DOES_NOT_ANSWER })),
    ];
    let wish = |to: &str| json!({ "to": to, "task": "Ask when they open." });
    for (to, until) in [(NEVER_ANSWERS, "call.ringing"), (RECEPTIONIST, "call.answered")] {
        let placed = server.post("/call").header("X-Api-Key", &agent.key).json(&wish(to));
        let placed = recorded.answer("/call", placed).await;
        let id = placed["call_id"].as_str().unwrap();
        agent.events_until(id, until).await;
        for (what, body) in &asked {
            let template = format!("/call/{{id}}/{what}");
            let path = format!("/call/{id}/{what}");
            for body in [body, &json!({})] {
                recorded
                    .answer(&template, server.post(&path).header("X-Api-Key", &agent.key).json(body))
                    .await;
            }
            recorded.answer(&template, server.post(&path).json(body)).await;
        }
        for (query, key) in [("", &agent.key), ("?wait_seconds=99", &agent.key), ("", &String::new())] {
            let request = server.get(&format!("/call/{id}/question{query}")).header("X-Api-Key", key);
            recorded.answer("/call/{id}/question", request).await;
        }
        let hang_up = server.post(&format!("/call/{id}/hangup")).header("X-Api-Key", &agent.key);
        recorded.answer("/call/{id}/hangup", hang_up).await;
        agent.finalized(id).await;
    }
}

/// What can be asked of keys, by an account and by whoever has none.
async fn keys(recorded: &mut Recorded, mira: &Agent<'_>, nobody: &Agent<'_>) {
    let server = mira.server;
    for agent in [mira, nobody] {
        let with_key = |request: RequestBuilder| request.header("X-Api-Key", &agent.key);
        recorded.answer("/me/keys", with_key(server.get("/me/keys"))).await;
        let made = with_key(server.post("/me/keys").json(&json!({ "label": "another" })));
        let made = recorded.answer("/me/keys", made).await;
        let id = made["id"].as_str().unwrap_or("none").to_owned();
        let rotate = with_key(server.post(&format!("/me/keys/{id}/rotate")));
        let rotated = recorded.answer("/me/keys/{id}/rotate", rotate).await;
        for id in [rotated["id"].as_str().unwrap_or("none"), &id] {
            let path = format!("/me/keys/{id}");
            let delete = with_key(server.request(reqwest::Method::DELETE, &path));
            recorded.answer("/me/keys/{id}", delete).await;
        }
    }
}

/// Calling the user: set, called, forgotten; by an account and by nobody.
async fn voice(recorded: &mut Recorded, mira: &Agent<'_>) {
    let server = mira.server;
    let with_key = |request: RequestBuilder| request.header("X-Api-Key", &mira.key);
    let (target, call) = ("/me/voice-target", "/tools/make_voice_call");
    let (theirs, status, chat) = ("/api/voice/call", "/api/voice/status", "/tools/chat_command");
    let typed = |text: &str| server.post(chat).json(&json!({ "text": text }));
    recorded.answer(call, with_key(server.post(call))).await;
    recorded.answer(theirs, with_key(server.post(theirs))).await;
    recorded.answer(target, with_key(server.get(target))).await;
    for number in [json!("+not-a-number"), json!(null), json!(BUSY)] {
        let put = server.request(reqwest::Method::PUT, target).json(&json!({ "number": number }));
        recorded.answer(target, with_key(put)).await;
    }
    recorded.answer(target, with_key(server.get(target))).await;
    let waited = with_key(server.post(call).json(&json!({ "prompt": "Say hello.", "wait": 30 })));
    let waited = recorded.answer(call, waited).await;
    assert_eq!(waited["call"]["outcome"], "busy", "{waited}");
    let placed = recorded.answer(theirs, with_key(server.post(theirs).json(&json!({})))).await;
    mira.finalized(placed["call_id"].as_str().unwrap()).await;
    recorded.answer(status, with_key(server.get(status))).await;
    for text in ["/phone", "/phone +1", "/call"] {
        let answer = recorded.answer(chat, with_key(typed(text))).await;
        if let Some(id) = answer["call_id"].as_str() {
            mira.finalized(id).await;
        }
    }
    for (path, request) in [
        (call, server.post(call)),
        (theirs, server.post(theirs)),
        (status, server.get(status)),
        (chat, typed("/phone")),
        (target, server.get(target)),
    ] {
        recorded.answer(path, request).await;
    }
    recorded.answer(target, with_key(server.request(reqwest::Method::DELETE, target))).await;
}

/// A campaign from its beginning to its end.
async fn campaigns(recorded: &mut Recorded, agent: &Agent<'_>) {
    let server = agent.server;
    let with_key = |request: RequestBuilder| request.header("X-Api-Key", &agent.key);
    let wish = json!({
        "purpose": "Where there is room on Saturday.", "task": "Ask whether there is room on Saturday.",
        "targets": [{ "to": BUSY, "name": "Harbour" }],
    });
    recorded.answer("/campaigns", with_key(server.post("/campaigns").json(&json!({})))).await;
    let begun = recorded.answer("/campaigns", with_key(server.post("/campaigns").json(&wish))).await;
    let id = begun["campaign_id"].as_str().unwrap_or_else(|| panic!("{begun}"));
    let path = format!("/campaigns/{id}");
    let notes = json!({ "next_action": "Call again on Monday." });
    recorded
        .answer("/campaigns/{id}", with_key(server.request(reqwest::Method::PATCH, &path).json(&notes)))
        .await;
    recorded.answer("/campaigns/{id}/stop", with_key(server.post(&format!("{path}/stop")))).await;
    recorded.answer("/campaigns/{id}", with_key(server.get(&path))).await;
    recorded.answer("/campaigns/{id}", server.get(&path)).await;
    recorded.answer("/campaigns", with_key(server.get("/campaigns"))).await;
}

/// A schedule from its beginning to its end, and what its user wishes.
async fn schedules(recorded: &mut Recorded, agent: &Agent<'_>) {
    let server = agent.server;
    let with_key = |request: RequestBuilder| request.header("X-Api-Key", &agent.key);
    let wish = json!({
        "name": "Opening hours", "cron": "0 9 * * 1", "timezone": "Europe/Berlin", "missed": "skip",
        "quiet_hours": { "from": "22:00", "to": "08:00" }, "cooldown_seconds": 7_200,
        "condition": { "type": "http", "url": format!("{}/healthz", server.url()), "status": "!5xx" },
        "call": { "to": BUSY, "task": "Ask when they open." },
    });
    recorded.answer("/schedules", with_key(server.post("/schedules").json(&json!({})))).await;
    let made = recorded.answer("/schedules", with_key(server.post("/schedules").json(&wish))).await;
    let id = made["schedule_id"].as_str().unwrap_or_else(|| panic!("{made}"));
    let path = format!("/schedules/{id}");
    let change = server.request(reqwest::Method::PATCH, &path).json(&json!({ "name": null }));
    recorded.answer("/schedules/{id}", with_key(change)).await;
    let dry = with_key(server.post(&format!("{path}/dry-run")));
    let dry = recorded.answer("/schedules/{id}/dry-run", dry).await;
    assert_eq!(dry["would_call"], true, "{dry}");
    let run = with_key(server.post(&format!("{path}/run-now")));
    recorded.answer("/schedules/{id}/run-now", run).await;
    let mut every = tokio::time::interval(Duration::from_millis(100));
    for looks in 1.. {
        let seen = recorded.answer("/schedules/{id}", with_key(server.get(&path))).await;
        if seen["runs"][0]["call"]["outcome"] == "busy" {
            break;
        }
        assert!(looks < 300, "it is not run: {seen}");
        every.tick().await;
    }
    recorded.answer("/schedules", with_key(server.get("/schedules"))).await;
    for _ in 0..2 {
        let remove = with_key(server.request(reqwest::Method::DELETE, &path));
        recorded.answer("/schedules/{id}", remove).await;
    }
    recorded.answer("/schedules/{id}/dry-run", server.post(&format!("{path}/dry-run"))).await;
    let wishes = "/me/proactive";
    for body in [json!({ "calls_per_day": 3, "timezone": "Europe/Berlin" }), json!({ "timezone": "Mars" })] {
        let put = server.request(reqwest::Method::PUT, wishes).json(&body);
        recorded.answer(wishes, with_key(put)).await;
    }
    recorded.answer(wishes, with_key(server.get(wishes))).await;
}

/// An approval from its beginning to its end, and a PIN.
async fn approvals(recorded: &mut Recorded, agent: &Agent<'_>) {
    let server = agent.server;
    let with_key = |request: RequestBuilder| request.header("X-Api-Key", &agent.key);
    let asks = |body: Value| server.post("/approvals").json(&body);
    let wish = json!({ "operation": "Pay Acme", "details": { "amount": 40 }, "within_seconds": 60 });
    recorded.answer("/approvals", with_key(asks(wish.clone()))).await;
    let target = server.request(reqwest::Method::PUT, "/me/voice-target").json(&json!({ "number": BUSY }));
    recorded.answer("/me/voice-target", with_key(target)).await;
    for body in [json!({}), json!({ "operation": "Pay Acme", "require_pin": true })] {
        recorded.answer("/approvals", with_key(asks(body))).await;
    }
    let asked = recorded.answer("/approvals", with_key(asks(wish))).await;
    let path = format!("/approvals/{}", asked["id"].as_str().unwrap_or_else(|| panic!("{asked}")));
    let waits = with_key(server.get(&format!("{path}?wait_seconds=20")));
    let decided = recorded.answer("/approvals/{id}", waits).await;
    assert_eq!(
        (&decided["state"], &decided["reason"]),
        (&json!("declined"), &json!("remote.busy")),
        "{decided}"
    );
    recorded.answer("/approvals/{id}", with_key(server.get(&format!("{path}?wait_seconds=26")))).await;
    recorded.answer("/approvals/{id}", with_key(server.request(reqwest::Method::DELETE, &path))).await;
    recorded.answer("/approvals/{id}", server.get(&path)).await;
    recorded.answer("/approvals", with_key(server.get("/approvals?limit=1"))).await;
    let pin = "/me/pin";
    for body in [json!({ "pin": "4711" }), json!({ "pin": "4712" }), json!({ "pin": "12" })] {
        recorded.answer(pin, with_key(server.request(reqwest::Method::PUT, pin).json(&body))).await;
    }
    recorded.answer(pin, with_key(server.get(pin))).await;
    for body in [json!({ "current_pin": "0815" }), json!({ "current_pin": "4711" })] {
        recorded.answer(pin, with_key(server.request(reqwest::Method::DELETE, pin).json(&body))).await;
    }
}

/// Whatever the API can answer: successes of every kind, then errors.
async fn everything(server: &Server) -> Vec<Value> {
    let mut recorded = Recorded::default();
    let wish = |to: &str| json!({ "to": to, "task": "Ask when they open." });
    let placed = recorded.answer("/call", server.post("/call").json(&wish(HANGS_UP))).await;
    let agent = Agent { server, key: placed["api_key"].as_str().unwrap().to_owned() };
    let with_key = |request: RequestBuilder| request.header("X-Api-Key", &agent.key);
    let talk = placed["call_id"].as_str().unwrap();
    let ringing = recorded.answer("/call", with_key(server.post("/call").json(&wish(NEVER_ANSWERS)))).await;
    let ringing = ringing["call_id"].as_str().unwrap();
    agent.events_until(ringing, "call.ringing").await;
    recorded.answer("/call/{id}", with_key(server.get(&format!("/call/{ringing}")))).await;
    recorded.answer("/call/{id}/hangup", with_key(server.post(&format!("/call/{ringing}/hangup")))).await;
    agent.finalized(ringing).await;
    agent.finalized(talk).await;
    guided(&mut recorded, &agent).await;
    for id in [ringing, talk] {
        recorded.answer("/call/{id}", with_key(server.get(&format!("/call/{id}")))).await;
        recorded.answer("/call/{id}/hangup", with_key(server.post(&format!("/call/{id}/hangup")))).await;
        recorded.answer("/call/{id}/recording", with_key(server.get(&format!("/call/{id}/recording")))).await;
        recorded.answer("/call/{id}/events", with_key(server.get(&format!("/call/{id}/events")))).await;
        let deliveries = with_key(server.get(&format!("/call/{id}/deliveries")));
        recorded.answer("/call/{id}/deliveries", deliveries).await;
    }
    recorded.answer("/me/webhook-secret", with_key(server.get("/me/webhook-secret"))).await;
    recorded.answer("/me/webhook-secret", server.get("/me/webhook-secret")).await;
    let rotate = "/me/webhook-secret/rotate";
    recorded.answer(rotate, with_key(server.post(rotate))).await;
    recorded
        .answer("/call/{id}/events", with_key(server.get(&format!("/call/{talk}/events?after=999"))))
        .await;
    recorded.answer("/calls", with_key(server.get("/calls?direction=outbound&limit=5"))).await;
    let link = agent.finalized(talk).await["recording_url"].as_str().unwrap().to_owned();
    recorded.answer("/recordings/{id}", server.get(&link)).await;
    recorded.answer("/recordings/{id}", server.get(&link).header("Range", "bytes=0-9")).await;
    recorded.answer("/recordings/{id}", server.get(&link).header("Range", "bytes=99999999-")).await;
    recorded.answer("/recordings/{id}", server.get(&link.replace("signature=", "signature=x"))).await;
    let mira = account(server, false).await;
    let of_mira = |request: RequestBuilder| request.header("X-Api-Key", &mira.key);
    let busy = recorded.answer("/call", of_mira(server.post("/call").json(&wish(BUSY)))).await;
    mira.finalized(busy["call_id"].as_str().unwrap()).await;
    for path in ["/me", "/me/calls", "/balance"] {
        recorded.answer(path, of_mira(server.get(path))).await;
        recorded.answer(path, with_key(server.get(path))).await;
        recorded.answer(path, server.get(path)).await;
    }
    recorded.answer("/me/calls", of_mira(server.get("/me/calls?since=today"))).await;
    voice(&mut recorded, &mira).await;
    schedules(&mut recorded, &mira).await;
    approvals(&mut recorded, &mira).await;
    let preferences = "/me/call-preferences";
    let inbound = json!({ "instructions": "Take a message.", "greeting": "Hello.", "loop_in_user": false });
    reserve(&mira, SANDBOX_LINE).await;
    for body in [
        json!({ "voice": "sarah" }),
        json!({ "voice": "nobody" }),
        json!({ "inbound": {} }),
        json!({ "inbound": inbound }),
    ] {
        let request = server.request(reqwest::Method::PUT, preferences);
        recorded.answer(preferences, of_mira(request.json(&body))).await;
    }
    recorded.answer(preferences, of_mira(server.get(preferences))).await;
    recorded.answer(preferences, of_mira(server.request(reqwest::Method::DELETE, preferences))).await;
    confirm(&mira, DOES_NOT_ANSWER).await;
    recorded.answer("/me", of_mira(server.get("/me"))).await;
    campaigns(&mut recorded, &mira).await;
    keys(&mut recorded, &mira, &agent).await;
    recorded.answer("/healthz", server.get("/healthz")).await;
    recorded.answer("/readyz", server.get("/readyz")).await;
    recorded.answer("/readyz", with_key(server.get("/readyz"))).await;

    for body in [
        json!({}),
        json!({ "to": "911", "task": "x" }),
        json!({ "to": BUSY, "task": "x", "voice": "nobody" }),
        json!({ "to": "+442071234567", "task": "x" }),
        json!({ "to": BUSY, "task": "x", "loop_in_user": true }),
        json!([1]),
    ] {
        recorded.answer("/call", with_key(server.post("/call").json(&body))).await;
    }
    recorded.answer("/call", with_key(server.post("/call").body("x".repeat(300 * 1_024)))).await;
    for to in [BUSY, "+442071234567", "+18002211161", "911"] {
        recorded.answer("/call/check", with_key(server.post("/call/check").json(&wish(to)))).await;
        recorded.answer("/call/check", server.post("/call/check").json(&wish(to))).await;
    }
    let no_such = "/call/0199a1e0-0000-7000-8000-000000000000";
    for (rest, method) in [("", "GET"), ("/hangup", "POST"), ("/recording", "GET"), ("/events", "GET")] {
        let (method, path) = (method.parse().unwrap(), format!("{no_such}{rest}"));
        let template = format!("/call/{{id}}{rest}");
        let request = server.request(method, &path);
        recorded.answer(&template, request.try_clone().unwrap()).await;
        recorded.answer(&template, with_key(request)).await;
    }
    recorded.answer("/calls", server.get("/calls").header("X-Api-Key", "clawcall_sk_nobody")).await;
    recorded.answer("/calls", with_key(server.get("/calls?limit=0"))).await;
    server.app().gateway().engine().refuse_calls();
    recorded.answer("/readyz", server.get("/readyz")).await;
    recorded.answer("/call", with_key(server.post("/call").json(&wish(BUSY)))).await;
    recorded.0
}

#[tokio::test]
async fn the_document_is_valid_and_every_answer_is_as_documented() {
    let server = Server::start().await;
    let answers = everything(&server).await;
    let document = send(server.get("/openapi.json")).await.json();
    let recorded = json!({ "document": document, "answers": answers }).to_string();
    let (code, printed) = python::run("contract.py", &[], &recorded).await;
    assert_eq!(code, 0, "{printed}");
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
