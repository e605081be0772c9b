//! What a call would come to, without placing it.

use serde_json::{Value, json};
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::me::account;
use crate::server::{Agent, Answer, BUSY, NEVER_ANSWERS, Server, send};

const WEAK: &str = "Check on my appointment.";

async fn check(server: &Server, key: Option<&str>, body: &Value) -> Answer {
    let request = server.post("/call/check").json(body);
    send(key.into_iter().fold(request, |request, key| request.header("X-Api-Key", key))).await
}

async fn checked(server: &Server, key: Option<&str>, body: &Value) -> Value {
    let answer = check(server, key, body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

fn items(check: &Value) -> Vec<&str> {
    check["missing"].as_array().unwrap().iter().map(|missing| missing["item"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_weak_briefing_is_told_what_it_lacks_and_what_to_ask() {
    let server = Server::start().await;
    let weak = checked(&server, None, &json!({ "to": BUSY, "task": WEAK })).await;
    assert_eq!(weak["ready"], false);
    assert_eq!(items(&weak)[..3], ["who_for", "goal", "facts"]);
    assert!(items(&weak).len() >= 9, "{weak:#}");
    assert_eq!(weak["missing"][0]["needed"], true);
    let first = weak["questions"][0].as_str().unwrap();
    assert_eq!(weak["missing"][0]["question"], first);

    let task = "Ask when they open on Saturday, for Mira Okafor. If nobody answers, hang up.";
    let strong = checked(&server, None, &json!({ "to": BUSY, "task": task })).await;
    assert_eq!((&strong["ready"], items(&strong).len()), (&json!(true), 0), "{strong:#}");
    server.stop().await;
}

#[tokio::test]
async fn every_word_the_voice_would_be_given_is_shown() {
    let server = Server::start().await;
    let body = json!({
        "to": BUSY, "task": WEAK, "personality": "Sam, patient and brief.", "greeting": "This is Sam.",
        "voicemail": { "action": "leave_message", "message": "Please call back." },
    });
    let check = checked(&server, None, &body).await;
    let prompt = check["prompt"].as_str().unwrap();
    for words in
        [WEAK, "Sam, patient and brief.", "You are an AI assistant", check["opening"].as_str().unwrap()]
    {
        assert!(prompt.contains(words), "{words:?} is not in:\n{prompt}");
    }
    let opening = check["opening"].as_str().unwrap();
    assert!(opening.ends_with("This is Sam.") && opening.contains("recorded"), "{opening}");
    let left = check["voicemail_words"].as_str().unwrap();
    assert!(left.ends_with("Please call back.") && left.len() > "Please call back.".len(), "{left}");
    let tools: Vec<&str> =
        check["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    // Of this one the voice is told when its moment has come: the owner can have the user connected at any time.
    let told = |tool: &&str| *tool == "user_decides" || prompt.contains(*tool);
    assert!(tools.contains(&"end_call") && tools.iter().all(told), "{tools:?}");
    assert!(!tools.contains(&"ask_owner"), "nobody said that there is somebody to ask");
    let asking = checked(&server, None, &json!({ "to": BUSY, "task": WEAK, "ask_owner": true })).await;
    assert!(asking["tools"].to_string().contains("ask_owner"), "{asking:#}");
    assert!(!items(&asking).contains(&"missing_information"), "the owner is asked for it");
    server.stop().await;
}

#[tokio::test]
async fn what_the_owner_prefers_is_in_it() {
    let server = Server::start().await;
    let mira = account(&server, false).await;
    let preferences = json!({ "personality": "Noor, formal and unhurried." });
    let request = server.request("PUT".parse().unwrap(), "/me/call-preferences").json(&preferences);
    assert_eq!(send(request.header("X-Api-Key", &mira.key)).await.status, 200);
    let check = checked(&server, Some(&mira.key), &json!({ "to": BUSY, "task": WEAK })).await;
    assert!(check["prompt"].as_str().unwrap().contains("Noor, formal and unhurried."));
    server.stop().await;
}

#[tokio::test]
async fn it_tells_what_time_it_is_there() {
    let server = Server::start().await;
    let hours = async |to: &'static str| {
        let check = checked(&server, None, &json!({ "to": to, "task": WEAK })).await;
        (check["hours"].clone(), check["questions"].to_string())
    };
    let (here, questions) = hours(BUSY).await;
    let times = here["local_times"].as_array().unwrap();
    assert_eq!((times.len(), &times[0]["zone"]), (1, &json!("America/Los_Angeles")));
    assert!(here["message"].as_str().unwrap().contains(times[0]["weekday"].as_str().unwrap()), "{here}");
    // Whatever time it is when this runs: a reason and a question exactly where they are closed.
    assert_eq!(here["likely_closed"] == true, here["reason"].is_string(), "{here}");
    assert_eq!(here["likely_closed"] == true, questions.contains("likely closed"), "{questions}");
    let (somewhere, _) = hours("+18002211161").await;
    assert_eq!(somewhere["local_times"].as_array().unwrap().len(), 2, "{somewhere}");
    server.stop().await;
}

#[tokio::test]
async fn nothing_comes_of_it() {
    let server = Server::configured("[policy]\ncalls_per_day_per_owner = 1\nconcurrent_calls = 1\n").await;
    for _ in 0..5 {
        let answer = check(&server, None, &json!({ "to": BUSY, "task": WEAK })).await;
        assert_eq!((answer.status.as_u16(), answer.header("x-clawcall-api-key")), (200, None));
        let body = answer.json();
        assert_eq!((&body["policy"]["allowed"], &body["api_key"]), (&json!(true), &Value::Null));
    }
    let gateway = server.app().gateway();
    assert!(gateway.store().keys(None).await.unwrap().is_empty(), "no key was minted");
    assert_eq!((gateway.admission().live(), gateway.admission().tallies()), (0, 0));
    // The one call that is permitted is still to be had.
    let (id, agent) = server.first_call(BUSY).await;
    agent.finalized(&id).await;
    assert_eq!(agent.get("/calls").await.json()["calls"].as_array().unwrap().len(), 1);
    server.stop().await;
}

#[tokio::test]
async fn what_can_t_be_a_call_is_refused_as_on_placing_it() {
    let server = Server::start().await;
    let mira = account(&server, false).await;
    for body in [
        json!({}),
        json!([1]),
        json!({ "to": BUSY }),
        json!({ "to": BUSY, "task": " " }),
        json!({ "to": "911", "task": WEAK }),
        json!({ "to": "4155550101", "task": WEAK }),
        json!({ "to": BUSY, "task": WEAK, "voice": "nobody" }),
        json!({ "to": BUSY, "task": WEAK, "from": "+14155550123" }),
        json!({ "to": BUSY, "task": WEAK, "bridge_number": "me" }),
        json!({ "to": BUSY, "task": WEAK, "loop_in_user": "yes" }),
        json!({ "to": BUSY, "task": WEAK, "max_duration_seconds": 0 }),
    ] {
        for key in [&mira.key, "clawcall_sk_nobody"] {
            let checked = check(&server, Some(key), &body).await;
            let placed = send(server.post("/call").header("X-Api-Key", key).json(&body)).await;
            assert_eq!((checked.status, checked.json()), (placed.status, placed.json()), "{body}");
            assert!(!checked.status.is_success(), "{checked:?}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn what_the_rules_refuse_is_foretold() {
    let server = Server::start().await;
    let (ringing, agent) = server.first_call(NEVER_ANSWERS).await;
    agent.events_until(&ringing, "call.ringing").await;
    for (to, code, rule) in [
        ("+442071234567", "unsupported_destination", "country"),
        ("+19005550100", "unsupported_destination", "premium_number"),
        (NEVER_ANSWERS, "destination_busy", "concurrent_calls_per_destination"),
    ] {
        let body = json!({ "to": to, "task": WEAK });
        let policy = checked(&server, Some(&agent.key), &body).await["policy"].clone();
        assert_eq!((&policy["allowed"], &policy["code"]), (&json!(false), &json!(code)), "{to}");
        assert_eq!(policy["rule"], rule, "{to}");
        let placed = agent.place(&body).await.json();
        let (told, error) = (&policy["message"], &placed["error"]);
        assert_eq!((told, &policy["code"]), (&error["message"], &error["code"]), "{to}");
    }
    agent.post(&format!("/call/{ringing}/hangup")).await;
    agent.finalized(&ringing).await;
    server.stop().await;
}

#[tokio::test]
async fn where_no_keys_are_given_out_one_is_needed() {
    let server = Server::configured("allow_anonymous_keys = false").await;
    let body = json!({ "to": BUSY, "task": WEAK });
    let answer = check(&server, None, &body).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "auth_required"));
    let mira = account(&server, false).await;
    checked(&server, Some(&mira.key), &body).await;
    server.stop().await;
}

#[tokio::test]
async fn where_calling_is_switched_off_the_briefing_is_checked_all_the_same() {
    let server = Server::configured("calling_enabled = false").await;
    let mira: Agent<'_> = account(&server, false).await;
    let off = checked(&server, Some(&mira.key), &json!({ "to": BUSY, "task": WEAK })).await;
    assert_eq!((&off["policy"]["allowed"], &off["policy"]["code"]), (&json!(false), &json!("forbidden")));
    assert!(!items(&off).is_empty());
    server.stop().await;
}

/// A chat server with this answer, and an offhook that asks it.
async fn with_model(answer: ResponseTemplate) -> (MockServer, Server) {
    let model = MockServer::start().await;
    let asked = Mock::given(method("POST")).and(path("/v1/chat/completions"));
    asked.and(header("authorization", "Bearer sesame")).respond_with(answer).mount(&model).await;
    let at = format!(
        "[check.model_http]\nbase_url = \"{}/v1\"\napi_key = \"sesame\"\nmodel = \"small\"",
        model.uri()
    );
    let server = Server::configured(&at).await;
    (model, server)
}

fn chat(content: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({ "choices": [{ "message": { "content": content } }] }))
}

#[tokio::test]
async fn a_model_only_adds() {
    let answer = r#"{"notes": ["It does not say which branch."], "questions": ["Which branch is it?"], "missing": []}"#;
    let (model, server) = with_model(chat(answer)).await;
    let body = json!({ "to": BUSY, "task": WEAK });
    let with = checked(&server, None, &body).await;
    assert_eq!(with["model_notes"], json!(["It does not say which branch."]));
    let alone = Server::start().await;
    let without = checked(&alone, None, &body).await;
    assert_eq!(without["model_notes"], Value::Null);
    // All that the rules found stands, and their questions come first.
    for field in ["ready", "missing", "warnings", "likely_asked", "prompt"] {
        assert_eq!(with[field], without[field], "{field}");
    }
    let (asked, rules) = (with["questions"].as_array().unwrap(), without["questions"].as_array().unwrap());
    assert_eq!(
        (&asked[..rules.len()], &asked[rules.len()..]),
        (&rules[..], &[json!("Which branch is it?")][..])
    );
    // It was told the words and no number.
    let told = String::from_utf8(model.received_requests().await.unwrap()[0].body.clone()).unwrap();
    assert!(told.contains(WEAK) && told.contains("small") && !told.contains(&BUSY[1..]), "{told}");
    // What holds a secret goes nowhere.
    let secret = json!({ "to": BUSY, "task": "Pay with card 4111 1111 1111 1111." });
    assert_eq!(checked(&server, None, &secret).await["model_notes"], Value::Null);
    assert_eq!(model.received_requests().await.unwrap().len(), 1);
    alone.stop().await;
    server.stop().await;
}

#[tokio::test]
async fn a_model_that_fails_takes_nothing_away() {
    let body = json!({ "to": BUSY, "task": WEAK });
    for answer in [
        ResponseTemplate::new(500),
        ResponseTemplate::new(307).insert_header("location", "http://127.0.0.1:9/"),
        chat("I think it is fine."),
        chat(r#"{"notes": 7}"#),
        chat(&"x".repeat(100_000)),
        ResponseTemplate::new(200).set_body_string("not JSON"),
    ] {
        let (model, server) = with_model(answer).await;
        let check = checked(&server, None, &body).await;
        assert_eq!((&check["model_notes"], &check["ready"]), (&Value::Null, &json!(false)));
        assert_eq!(items(&check)[..3], ["who_for", "goal", "facts"]);
        assert_eq!(model.received_requests().await.unwrap().len(), 1);
        server.stop().await;
    }
    // Nobody is there at all.
    let server =
        Server::configured("[check.model_http]\nbase_url = \"http://127.0.0.1:9/v1\"\nmodel = \"small\"")
            .await;
    assert_eq!(checked(&server, None, &body).await["model_notes"], Value::Null);
    server.stop().await;
}

#[tokio::test]
async fn restricted_data_is_kept_out_where_the_operator_wants_it() {
    let server = Server::configured("[privacy]\nrestricted_data = true").await;
    let task = "For Mira Okafor, born on May 5, 1980: ask when they open. Her order is 55019.";
    let check_of = |field: &str, text: &str| {
        let mut body = json!({ "to": BUSY, "task": task });
        body[field] = json!(text);
        body
    };
    for (field, text) in [
        ("task", "Pay with card 4111 1111 1111 1111."),
        ("task", "Her number is 123-45-6789."),
        ("personality", "The password is hunter2."),
        ("greeting", "Hello, my PIN is 4711."),
    ] {
        for path in ["/call/check", "/call"] {
            let answer = send(server.post(path).json(&check_of(field, text))).await;
            assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, "invalid_request"), "{text}");
            let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
            assert!(message.starts_with(field) && !message.contains(text), "{message}");
        }
    }
    // Names, dates of birth and references are none; the voice is told what is.
    let fine = checked(&server, None, &json!({ "to": BUSY, "task": task })).await;
    assert!(fine["prompt"].as_str().unwrap().contains("have no place in this call"));
    let open = Server::start().await;
    let told = checked(&open, None, &check_of("task", "Pay with card 4111 1111 1111 1111.")).await;
    assert!(!told["prompt"].as_str().unwrap().contains("have no place in this call"));
    assert!(told["warnings"].to_string().contains("secret"), "without the switch it is a warning");
    open.stop().await;
    server.stop().await;
}
