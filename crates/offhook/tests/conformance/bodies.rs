//! Every field of every body with every kind of value that it is not documented to take: refused with the envelope,
//! and nothing is done. The fields come from the OpenAPI document.

use offhook::http::CODES;
use reqwest::Method;
use serde_json::{Value, json};

use crate::agent::{Agent, Answer};
use crate::approvals::Approving as _;
use crate::campaigns::Campaigning as _;
use crate::document::{Ids, Operation, document, inner, operations, properties, resolved};
use crate::rig::{BUSY, NEVER_ANSWERS, RECEPTIONIST, Rig, SILENT};
use crate::schedules::{Scheduling as _, schedule_of};

/// A body of an operation that is in order.
fn good(operation: &str) -> Value {
    match operation {
        "POST /call" | "POST /call/check" => json!({ "to": RECEPTIONIST, "task": "Ask when they open." }),
        "POST /call/{id}/say" | "POST /call/{id}/instruct" => json!({ "text": "Thank you." }),
        "POST /call/{id}/digits" => json!({ "digits": "1" }),
        "POST /call/{id}/answer" => json!({ "answer": "The fifth of May." }),
        "POST /call/{id}/bridge" => json!({ "bridge_number": "+14155550190" }),
        "PUT /me/call-preferences" | "PATCH /campaigns/{id}" | "POST /me/keys" => json!({}),
        "PUT /me/proactive" | "DELETE /me/pin" => json!({}),
        "POST /approvals" => json!({ "operation": "Pay Acme" }),
        "PUT /me/pin" => json!({ "pin": "4711" }),
        "POST /schedules" => schedule_of(RECEPTIONIST, "Ask when they open."),
        "PATCH /schedules/{id}" => json!({ "name": "Opening hours" }),
        "POST /campaigns" => {
            json!({ "task": "Ask what a new chain costs.", "targets": [{ "to": RECEPTIONIST }] })
        }
        "POST /tools/make_voice_call" | "POST /api/voice/call" => json!({ "prompt": "Say hello." }),
        "POST /tools/chat_command" => json!({ "text": "/phone" }),
        "PUT /me/voice-target" => json!({ "number": RECEPTIONIST }),
        other => panic!("write a good body of {other} here"),
    }
}

/// Which code the contract has for a field of the wrong type, where it says.
fn code_of(operation: &str, field: &str) -> Option<&'static str> {
    match (operation, field) {
        ("POST /call", "to" | "bridge_number") => Some("invalid_phone"),
        ("POST /api/voice/call", "number" | "target_number") => Some("invalid_phone"),
        ("POST /call", "task") => Some("missing_fields"),
        ("POST /call", "loop_in_user") => Some("invalid_loop_in_user"),
        (
            "POST /call" | "PUT /me/call-preferences",
            "voice" | "personality" | "greeting" | "warm_greeting",
        ) => Some("invalid_preferences"),
        _ => None,
    }
}

const VALUES: [(&str, &str); 9] = [
    ("null", "null"),
    ("boolean", "true"),
    ("boolean", "false"),
    ("integer", "-1"),
    ("number", "0.5"),
    ("number", "1e300"),
    ("string", "\"no such thing\""),
    ("array", "[[], null]"),
    ("object", "{\"to\": {}}"),
];

/// The JSON types a schema takes; empty where it says nothing.
fn kinds(document: &Value, schema: &Value) -> Vec<String> {
    let schema = resolved(document, schema);
    let own = match &schema["type"] {
        Value::String(kind) => vec![kind.clone()],
        Value::Array(kinds) => kinds.iter().filter_map(|kind| kind.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    };
    let parts = ["oneOf", "anyOf"].iter().filter_map(|of| schema[*of].as_array()).flatten();
    own.into_iter().chain(parts.flat_map(|part| kinds(document, part))).collect()
}

fn takes(kinds: &[String], kind: &str) -> bool {
    kinds.iter().any(|known| known == kind || (known == "number" && kind == "integer"))
}

struct Asker<'a> {
    agent: &'a Agent,
    ids: Ids<'a>,
    problems: Vec<String>,
}

impl Asker<'_> {
    async fn ask(&mut self, operation: &Operation, field: &str, body: &Value) {
        let path = self.ids.fill(&operation.path);
        let method: Method = operation.method.parse().unwrap();
        let answer = Answer::to(self.agent.request(method, &path).json(body)).await;
        let what = format!("{} with {body}", operation.name());
        if !answer.status.is_client_error() {
            self.problems.push(format!(
                "{what}: {} {}",
                answer.status,
                String::from_utf8_lossy(&answer.bytes)
            ));
            return;
        }
        let (status, code) = answer.error();
        if !CODES.iter().any(|known| known.status == status && known.code == code) {
            self.problems.push(format!("{what}: {status} {code} is not documented"));
        }
        let expected = code_of(&operation.name(), field);
        let is_absent = body[field].is_null() && ["to", "task"].contains(&field);
        if expected.is_some_and(|expected| expected != code) && !is_absent {
            self.problems.push(format!("{what}: {code}, not {expected:?}"));
        }
    }
}

#[tokio::test]
async fn a_field_of_the_wrong_type_is_named() {
    let document = document();
    let rig = Rig::start().await;
    let agent = rig.stranger().await;
    let live = agent.call(SILENT).await;
    live.until_code("call.answered").await;
    let campaign = agent.campaign(BUSY).await;
    let schedule = agent.schedule(BUSY, "Ask when they open.").await;
    let approval = agent.approval("Pay Acme").await;
    let ids =
        Ids { call: &live.id, campaign: &campaign, schedule: &schedule, approval: &approval, key: "none" };
    let placed = agent.get("/calls").await.json()["calls"].as_array().unwrap().len();
    let mut asker = Asker { agent: &agent, ids, problems: Vec::new() };
    let mut asked = 0;
    for operation in operations().iter().filter(|operation| operation.body.is_object()) {
        for (field, schema) in properties(&operation.body) {
            let kinds = kinds(&document, &schema);
            assert!(!kinds.is_empty(), "{}: no type of {field} is documented", operation.name());
            let mut body = good(&operation.name());
            for (_, value) in VALUES.iter().filter(|(kind, _)| !takes(&kinds, kind)) {
                body[&field] = serde_json::from_str(value).unwrap();
                asker.ask(operation, &field, &body).await;
                asked += 1;
            }
            let Some(inside) = inner(&document, &schema) else { continue };
            for (name, schema) in properties(inside) {
                let kinds = self::kinds(&document, &schema);
                for (_, value) in VALUES.iter().filter(|(kind, _)| *kind != "null" && !takes(&kinds, kind)) {
                    let mut object = good_inside(&field);
                    object[&name] = serde_json::from_str(value).unwrap();
                    body[&field] = object;
                    asker.ask(operation, &field, &body).await;
                    asked += 1;
                }
            }
        }
    }
    let problems = asker.problems;
    assert!(problems.is_empty(), "{problems:#?}");
    assert!(asked > 100, "{asked} were asked");
    let calls = agent.get("/calls").await.json();
    assert_eq!(calls["calls"].as_array().unwrap().len(), placed, "no call exists after an error: {calls}");
    let journal = live.hang_up().await;
    assert_eq!(journal["status"], "completed", "nothing was done to the call");
    rig.stop().await;
}

fn good_inside(field: &str) -> Value {
    match field {
        "voicemail" => json!({ "action": "leave_message", "message": "Please call back." }),
        "fit" => json!({ "field": "price" }),
        "call" => json!({ "to": RECEPTIONIST, "task": "Ask when they open." }),
        "quiet_hours" => json!({ "from": "22:00", "to": "08:00" }),
        "condition" => json!({ "type": "http", "url": "https://example.com/" }),
        "inbound" => json!({ "instructions": "Take messages.", "greeting": "Hello." }),
        _ => json!({}),
    }
}

/// What is not documented is ignored, whatever it is.
#[tokio::test]
async fn unknown_fields_are_ignored() {
    let rig = Rig::start().await;
    let agent = rig.stranger().await;
    let body = json!({
        "to": NEVER_ANSWERS, "task": "Ask when they open.", "": 1, "To": 2, "TASK": [], "id": "x", "owner": "me",
        "lifecycle": "finalized", "api_key": "clawcall_sk_other", "admin": true, "__proto__": { "admin": true },
        "outcome": "answered", "transcript": [{ "role": "user", "text": "yes" }], "\u{0}": "\u{0}",
    });
    let call = agent.place(&body).await;
    let view = call.view().await;
    assert_eq!((&view["transcript"], view.get("outcome")), (&Value::Null, None));
    assert_ne!(view["lifecycle"], "finalized");
    rig.stop().await;
}
