//! The voice as a tool: one number for an account, called by an agent that has none to give, and a key that has nobody
//! else called by whatever route.

use std::time::Duration;

use jiff::Timestamp;
use offhook::agents::{Agent as Worker, Kind, Program, Settings};
use offhook::gateway::keys;
use offhook_core::PhoneNumber;
use offhook_sandbox::Step;
use offhook_store::{KeyKind, PhoneRow};
use offhook_testkit::realtime::{FakeRealtime, Reply};
use reqwest::Method;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::agent::{Agent, Answer};
use crate::campaigns;
use crate::realtime::{CLINIC, HELLO, OPENING, goodbye, model, person, setup, turns};
use crate::rig::{BUSY, HANGS_UP, NEVER_ANSWERS, RECEPTIONIST, Rig, Setup};

const TARGET: &str = "/me/voice-target";
const TOOL: &str = "/tools/make_voice_call";

async fn send(agent: &Agent, method: Method, path: &str, body: Value) -> Answer {
    Answer::to(agent.request(method, path).json(&body)).await
}

async fn post(agent: &Agent, path: &str, body: Value) -> Answer {
    send(agent, Method::POST, path, body).await
}

async fn set_target(agent: &Agent, number: &str) {
    let answer = send(agent, Method::PUT, TARGET, json!({ "number": number })).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// The same account with a key that is bound to its target.
async fn bound(rig: &Rig, agent: &Agent) -> Agent {
    let answer = post(agent, "/me/keys", json!({ "voice_only": true })).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let bound = Agent::new(rig.door.clone(), None);
    bound.learn_key(&answer.json());
    bound
}

/// Somebody with an account and a target, and the key of their agent.
async fn user_and_agent(rig: &Rig, target: &str) -> (Agent, Agent) {
    let user = rig.stranger().await;
    set_target(&user, target).await;
    let agent = bound(rig, &user).await;
    (user, agent)
}

fn dialled(rig: &Rig, to: &str) -> usize {
    rig.exchange.calls().iter().filter(|call| call.number == to).count()
}

fn after(wait: Duration) -> String {
    (Timestamp::now() + wait).to_string()
}

#[tokio::test]
async fn what_came_of_it_comes_back_to_the_agent() {
    let rig = Rig::start().await;
    let (user, agent) = user_and_agent(&rig, BUSY).await;
    // At once, with an id to follow; and then the outcome.
    let placed = post(&agent, TOOL, json!({})).await;
    assert_eq!((placed.status.as_u16(), &placed.json()["status"]), (201, &json!("queued")));
    assert_eq!(placed.json().get("call"), None);
    let over = agent.known(placed.json()["call_id"].as_str().unwrap()).over().await;
    assert_eq!((&over["outcome"], &over["numbers"]["to"]), (&json!("busy"), &json!(BUSY)));

    // Waited for, a call says what was said.
    set_target(&user, RECEPTIONIST).await;
    let wish = json!({ "prompt": "Say that the deploy is done.", "opening_message": "The deploy is done.", "wait": 60 });
    let answer = post(&agent, TOOL, wish).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let body = answer.json();
    assert_eq!((&body["status"], body.get("still_running")), (&json!("finalized"), None), "{body}");
    let call = &body["call"];
    assert_eq!((&call["outcome"], &call["numbers"]["to"]), (&json!("answered"), &json!(RECEPTIONIST)));
    let spoken = |role: &str| {
        let turns = call["transcript"].as_array().unwrap().iter().filter(|turn| turn["role"] == role);
        turns.map(|turn| turn["text"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert!(!spoken("user").is_empty(), "what was answered is told: {call}");
    // The disclosure first, then what was to be said first.
    let voice = spoken("assistant");
    assert!(voice.find("AI") < voice.find("The deploy is done."), "{voice}");
    rig.stop().await;
}

/// On the phone with its own user the voice is their assistant, with the agents behind it; with anybody else it is not.
#[tokio::test]
async fn the_user_is_talked_to_as_the_user_and_has_the_agents() {
    let question = json!({ "prompt": "When is the next train?", "agent": null }).to_string();
    let replies = vec![Reply::call("invoke_agent", &question), goodbye("At ten past nine. Goodbye.")];
    let fake = FakeRealtime::start(model(replies, &[HELLO, "When is the next train?"])).await;
    let then = [Step::Say("When is the next train?"), Step::Await { ms: 8_000 }, Step::Linger { ms: 9_000 }];
    let mut setup = setup(fake.url(), person(&then));
    let env = vec![("PATH".to_owned(), std::env::var("PATH").unwrap().into())];
    let argv = ["bash", "-c", "cat >/dev/null; echo At ten past nine."].map(str::to_owned).to_vec();
    let kind = Kind::Command(Program { argv, directory: None, env });
    let agents = vec![Worker { name: "main".to_owned(), description: "Looks things up.".to_owned(), kind }];
    setup.config.agents = Settings { agents, ..Settings::default() };
    let rig = setup.start().await;
    let (user, agent) = user_and_agent(&rig, CLINIC).await;
    let wish =
        json!({ "prompt": "Tell about the deploy.", "opening_message": "The deploy is done.", "wait": 60 });
    let call = post(&agent, TOOL, wish).await.json()["call"].clone();
    let turns = turns(&call);
    let voice: Vec<&str> =
        turns.iter().filter(|(role, _)| *role == "assistant").map(|(_, text)| *text).collect();
    assert!(voice[0].starts_with(OPENING) && voice[0].ends_with("The deploy is done."), "{voice:?}");
    assert!(voice.last().unwrap().contains("At ten past nine."), "{voice:?}");
    assert!(turns.iter().any(|(role, _)| *role == "tool"), "the agent was asked: {call}");
    let offered = || {
        let updates = fake.events("session.update");
        updates.iter().filter(|update| update.to_string().contains("invoke_agent")).count()
    };
    let to_the_user = offered();
    assert!(to_the_user > 0);
    let other = post(&user, "/api/voice/call", json!({ "number": HANGS_UP, "prompt": "Ask." })).await.json();
    user.known(other["call_id"].as_str().unwrap()).over().await;
    assert_eq!(offered(), to_the_user, "nobody else has the agents");
    rig.stop().await;
}

#[tokio::test]
async fn waiting_ends_before_the_call_does() {
    let rig = Rig::start().await;
    let (_user, agent) = user_and_agent(&rig, NEVER_ANSWERS).await;
    let answer = post(&agent, TOOL, json!({ "wait": 1 })).await.json();
    assert_eq!((&answer["still_running"], &answer["call"]["lifecycle"]), (&json!(true), &json!("dialing")));
    let call = agent.known(answer["call_id"].as_str().unwrap());
    call.until_code("call.ringing").await;
    let status = agent.get("/api/voice/status").await.json();
    assert_eq!(
        status["calls"],
        json!([{ "call_id": call.id, "direction": "outbound", "lifecycle": "dialing" }])
    );
    assert_eq!(
        (&status["configured"], &status["source_number"], &status["target_number"]),
        (&json!(true), &json!(crate::rig::LINE), &json!(NEVER_ANSWERS))
    );
    call.hang_up().await;
    call.over().await;
    assert_eq!(agent.get("/api/voice/status").await.json()["calls"], json!([]));
    rig.stop().await;
}

/// Every request by which somebody can be called.
#[tokio::test]
async fn a_bound_key_has_its_target_called_and_nobody_else() {
    let rig = Rig::start().await;
    let (user, agent) = user_and_agent(&rig, HANGS_UP).await;
    let earlier = user.call(BUSY).await;
    earlier.over().await;
    let task = "Ask when they open.";
    for (path, body) in [
        ("/call", json!({ "to": BUSY, "task": task })),
        ("/call", json!({ "to": BUSY, "task": task, "follow_up_to": earlier.id })),
        ("/call", json!({ "to": BUSY, "task": task, "not_before": after(Duration::from_secs(60)) })),
        ("/call", json!({ "to": HANGS_UP, "task": task, "bridge_number": BUSY })),
        ("/api/voice/call", json!({ "number": BUSY })),
        ("/api/voice/call", json!({ "target_number": BUSY, "prompt": task })),
    ] {
        let answer = post(&agent, path, body.clone()).await;
        assert_eq!(answer.error(), (403, "destination_blocked".to_owned()), "{path} {body}");
    }
    // A number in the words, or in a field that there is not, calls nobody: the target is called.
    let wish = json!({ "prompt": format!("Call {BUSY} instead."), "number": BUSY, "to": BUSY });
    let call = post(&agent, TOOL, wish).await.json();
    let call = agent.known(call["call_id"].as_str().unwrap());
    assert_eq!(call.over().await["numbers"]["to"], HANGS_UP);
    let call = agent.place(&json!({ "to": HANGS_UP, "task": task })).await;
    assert_eq!(call.over().await["outcome"], "answered");

    // Of a campaign only the target is called.
    let campaign = json!({ "task": task, "targets": [{ "to": BUSY }, { "to": HANGS_UP }] });
    let campaign = campaigns::started(&agent, &campaign).await;
    let done = campaign.done().await;
    assert_eq!(done["targets"][0]["refusal"]["code"], "destination_blocked", "{done}");
    assert_eq!(done["targets"][1]["outcome"], "answered", "{done}");
    assert_eq!(dialled(&rig, BUSY), 1, "only what the user placed");
    rig.stop().await;
}

#[tokio::test]
async fn nobody_is_called_into_a_call_by_a_bound_key() {
    let rig = Rig::start().await;
    let (user, agent) = user_and_agent(&rig, HANGS_UP).await;
    let task = "Ask, and hand over.";
    let call = user.place(&json!({ "to": NEVER_ANSWERS, "task": task, "bridge_number": BUSY })).await;
    call.until_code("call.ringing").await;
    for body in [json!({}), json!({ "bridge_number": BUSY }), json!({ "bridge_number": RECEPTIONIST })] {
        let answer = post(&agent, &call.path("/bridge"), body.clone()).await;
        assert_eq!(answer.error(), (403, "destination_blocked".to_owned()), "{body}");
    }
    call.hang_up().await;
    call.over().await;
    rig.stop().await;
}

#[tokio::test]
async fn a_bound_key_frees_itself_by_nothing() {
    let rig = Rig::start().await;
    let (user, agent) = user_and_agent(&rig, HANGS_UP).await;
    let listed = user.get("/me/keys").await.json();
    let keys = listed["keys"].as_array().unwrap();
    assert_eq!(
        keys.iter().map(|key| key["voice_only"].as_bool()).collect::<Vec<_>>(),
        [Some(false), Some(true)]
    );
    let id = |index: usize| keys[index]["id"].as_str().unwrap();
    let profile =
        json!({ "inbound": { "instructions": "Connect.", "greeting": "Hi.", "handoff_number": BUSY } });
    // The user's own, to somebody else.
    let call = json!({ "to": RECEPTIONIST, "task": "Ask for the opening hours." });
    let yearly = json!({ "call": call, "cron": "0 9 1 1 *" });
    let answer = post(&user, "/schedules", yearly).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let schedule = format!("/schedules/{}", answer.json()["schedule_id"].as_str().unwrap());
    for (method, path, body) in [
        (Method::PUT, TARGET.to_owned(), json!({ "number": BUSY })),
        (Method::DELETE, TARGET.to_owned(), json!({})),
        (Method::POST, "/tools/chat_command".to_owned(), json!({ "text": format!("/phone {BUSY}") })),
        (Method::POST, "/tools/chat_command".to_owned(), json!({ "text": "/phone forget" })),
        (Method::POST, "/me/keys".to_owned(), json!({})),
        (Method::POST, format!("/me/keys/{}/rotate", id(0)), json!({})),
        (Method::POST, format!("/me/keys/{}/rotate", id(1)), json!({})),
        (Method::DELETE, format!("/me/keys/{}", id(0)), json!({})),
        (Method::PUT, "/me/call-preferences".to_owned(), profile),
        (Method::PUT, "/me/call-preferences".to_owned(), json!({ "personality": "Rude." })),
        (Method::DELETE, "/me/call-preferences".to_owned(), json!({})),
        (Method::POST, "/me/webhook-secret/rotate".to_owned(), json!({})),
        (Method::POST, format!("{schedule}/run-now"), json!({})),
        (Method::POST, format!("{schedule}/dry-run"), json!({})),
        (Method::PATCH, schedule.clone(), json!({ "enabled": false })),
        (Method::DELETE, schedule.clone(), json!({})),
    ] {
        let answer = send(&agent, method, &path, body).await;
        assert_eq!(answer.error(), (403, "voice_only_key".to_owned()), "{path}");
    }
    let target = agent.get(TARGET).await.json();
    assert_eq!(target, json!({ "number": HANGS_UP, "source": "account", "may_change": false }));
    // What is changed by whoever may is in effect at once; and there may be nobody to call.
    set_target(&user, RECEPTIONIST).await;
    assert_eq!(post(&agent, "/call", json!({ "to": HANGS_UP, "task": "Ask." })).await.status, 403);
    assert_eq!(send(&user, Method::DELETE, TARGET, json!({})).await.status, 200);
    for path in ["/call", "/api/voice/call"] {
        let wish = json!({ "to": RECEPTIONIST, "number": RECEPTIONIST, "task": "Ask." });
        assert_eq!(post(&agent, path, wish).await.error(), (403, "destination_blocked".to_owned()), "{path}");
    }
    assert!(rig.exchange.calls().is_empty());
    rig.stop().await;
}

/// What a bound key asks for is held to the target of when it is called, not of when it was asked for.
#[tokio::test]
async fn a_call_for_later_is_bound_too() {
    let rig = Rig::start().await;
    let (user, agent) = user_and_agent(&rig, HANGS_UP).await;
    let soon = || after(Duration::from_millis(1_500));
    let wish = |to: &str| json!({ "to": to, "task": "Ask when they open.", "not_before": soon() });
    let kept = agent.place(&wish(HANGS_UP)).await;
    set_target(&user, BUSY).await;
    let over = kept.over().await;
    assert_eq!((&over["end_reason"], dialled(&rig, HANGS_UP)), (&json!("policy.refused"), 0), "{over}");

    // And whose last free key was revoked has no calls of that key placed any more.
    let call = user.place(&wish(HANGS_UP)).await;
    let listed = user.get("/me/keys").await.json();
    let id = listed["keys"][0]["id"].as_str().unwrap().to_owned();
    assert!(keys::revoke(rig.app.gateway().store(), &id).await.unwrap());
    assert_eq!(agent.known(&call.id).over().await["end_reason"], "policy.refused");
    assert_eq!(dialled(&rig, HANGS_UP), 0);
    rig.stop().await;
}

#[tokio::test]
async fn a_key_of_the_operator_can_be_bound_and_freed() {
    let rig = Rig::start().await;
    let store = rig.app.gateway().store();
    let (owner, key) = keys::create_for(store, None, None, KeyKind::Voice).await.unwrap();
    let agent = Agent::new(rig.door.clone(), Some(key.expose_secret()));
    let none_set = post(&agent, TOOL, json!({ "prompt": null, "opening_message": null })).await;
    assert_eq!(none_set.error(), (422, "voice_target_required".to_owned()));
    assert!(none_set.json()["error"]["message"].as_str().unwrap().contains("/phone"), "{none_set:?}");
    let theirs = post(&agent, "/api/voice/call", json!({})).await;
    assert_eq!((theirs.status.as_u16(), &theirs.json()["status"]), (400, &json!("error")));
    assert!(theirs.json()["message"].as_str().unwrap().contains("/phone"), "{theirs:?}");
    assert!(store.set_voice_target(owner, Some(BUSY)).await.unwrap());
    assert_eq!(post(&agent, TOOL, json!({ "wait": 30 })).await.json()["call"]["outcome"], "busy");

    let id = agent.get("/me/keys").await.json()["keys"][0]["id"].as_str().unwrap().to_owned();
    for (free, expected) in [(true, 201), (false, 403)] {
        assert!(keys::bind(store, &id, !free).await.unwrap());
        let answer = post(&agent, "/call", json!({ "to": HANGS_UP, "task": "Ask." })).await;
        assert_eq!(answer.status.as_u16(), expected, "{answer:?}");
    }
    rig.stop().await;
}

/// One number, wherever it is set and wherever it is looked at; and bad ones are none.
#[tokio::test]
async fn there_is_one_number_everywhere() {
    let rig = Rig::start().await;
    let user = rig.stranger().await;
    let chat = async |text: &str| post(&user, "/tools/chat_command", json!({ "text": text })).await;
    let shown = async |expected: Option<&str>| {
        assert_eq!(user.get(TARGET).await.json()["number"], json!(expected));
        assert_eq!(user.get("/api/voice/status").await.json()["target_number"], json!(expected));
        let reply = chat("/phone").await.json()["reply"].as_str().unwrap().to_owned();
        assert_eq!(expected.is_some(), expected.is_some_and(|number| reply.contains(number)), "{reply}");
    };
    shown(None).await;
    let set = chat("/phone@the_bot +1 415 555 0101").await;
    assert_eq!((set.status.as_u16(), set.json()["reply"].as_str().unwrap().contains(BUSY)), (200, true));
    shown(Some(BUSY)).await;
    set_target(&user, HANGS_UP).await;
    shown(Some(HANGS_UP)).await;
    for (number, code) in [
        ("+not-a-number", "invalid_phone"),
        ("4155550101", "invalid_phone"),
        ("+1", "invalid_phone"),
        ("+19110000000", "invalid_phone"),
        ("+442079460958", "unsupported_destination"),
        ("+19005551234", "unsupported_destination"),
        (crate::rig::LINE, "destination_blocked"),
    ] {
        let expected = if code == "destination_blocked" { 403 } else { 400 };
        let put = send(&user, Method::PUT, TARGET, json!({ "number": number })).await;
        assert_eq!(put.error(), (expected, code.to_owned()), "{number}");
        let typed = chat(&format!("/phone {number}")).await;
        assert_eq!(typed.error(), (expected, code.to_owned()), "{number}");
        assert!(!typed.json()["reply"].as_str().unwrap().is_empty(), "{typed:?}");
    }
    shown(Some(HANGS_UP)).await;
    let rig = rig.restart().await;
    shown(Some(HANGS_UP)).await;
    chat("/phone forget").await;
    shown(None).await;
    let help = chat("what can you do?").await;
    assert!(help.status == 200 && help.json()["reply"].as_str().unwrap().contains("/call"), "{help:?}");
    rig.stop().await;
}

#[tokio::test]
async fn who_has_set_none_has_the_confirmed_phone_or_the_operator_s() {
    let mut setup = Setup::new();
    setup.config.voice_target = Some(PhoneNumber::parse(BUSY).unwrap());
    let rig = setup.start().await;
    let user = rig.stranger().await;
    let target = async || {
        let target = user.get(TARGET).await.json();
        (target["number"].as_str().unwrap().to_owned(), target["source"].as_str().unwrap().to_owned())
    };
    assert_eq!(target().await, (BUSY.to_owned(), "operator".to_owned()));
    let owner = user.get("/me").await.json()["userId"].as_str().unwrap().parse().unwrap();
    let confirmed_at = offhook_core::Timestamp::default();
    let phone = PhoneRow { number: RECEPTIONIST.to_owned(), primary: true, confirmed_at };
    assert!(rig.app.gateway().store().add_phone(owner, &phone).await.unwrap());
    assert_eq!(target().await, (RECEPTIONIST.to_owned(), "account_phone".to_owned()));
    set_target(&user, HANGS_UP).await;
    assert_eq!(target().await, (HANGS_UP.to_owned(), "account".to_owned()));

    // Whoever is given a key on a first call neither learns the operator's number nor has it called.
    let newcomer = Agent::new(rig.door.clone(), None);
    newcomer.call(HANGS_UP).await.over().await;
    assert_eq!(newcomer.get(TARGET).await.json()["number"], Value::Null);
    assert_eq!(post(&newcomer, TOOL, json!({})).await.error(), (422, "voice_target_required".to_owned()));
    assert_eq!(dialled(&rig, BUSY), 0);
    rig.stop().await;
}

#[tokio::test]
async fn a_chat_calls_and_a_repeat_calls_once() {
    let rig = Rig::start().await;
    let (_user, agent) = user_and_agent(&rig, HANGS_UP).await;
    let typed = async |text: &str| {
        let request =
            agent.request(Method::POST, "/tools/chat_command").header("Idempotency-Key", "message 4711");
        Answer::to(request.json(&json!({ "text": text }))).await
    };
    let (first, again) = (typed("/call about the deploy").await, typed("/call about the deploy").await);
    assert_eq!((first.status.as_u16(), again.header("idempotent-replayed")), (200, Some("true")));
    assert_eq!(first.json()["call_id"], again.json()["call_id"]);
    assert_eq!(typed("/call about something else").await.error(), (422, "idempotency_key_reused".to_owned()));
    // A key that is none is refused, whatever was typed.
    for text in ["/phone", "/phone forget", "/call"] {
        let request =
            agent.request(Method::POST, "/tools/chat_command").header("Idempotency-Key", "k".repeat(300));
        let refused = Answer::to(request.json(&json!({ "text": text }))).await;
        assert_eq!(refused.error(), (400, "invalid_request".to_owned()), "{text}");
    }
    let over = agent.known(first.json()["call_id"].as_str().unwrap()).over().await;
    assert_eq!((&over["outcome"], &over["task"]), (&json!("answered"), &json!("about the deploy")));
    assert_eq!(dialled(&rig, HANGS_UP), 1);

    // By the path and the fields of the other product, each in its place.
    let rows = [
        json!({}),
        json!({ "prompt": null }),
        json!({ "target_number": HANGS_UP }),
        json!({ "number": HANGS_UP }),
    ];
    for body in rows {
        let answer = post(&agent, "/api/voice/call", body.clone()).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["status"]),
            (200, &json!("ok")),
            "{body}: {answer:?}"
        );
        agent.known(answer.json()["call_id"].as_str().unwrap()).over().await;
    }
    for body in
        [json!({ "number": "+not-a-number" }), json!({ "number": 1 }), json!({ "prompt": [] }), json!([])]
    {
        let answer = post(&agent, "/api/voice/call", body.clone()).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["status"]), (400, &json!("error")), "{body}");
        assert!(!answer.json()["message"].as_str().unwrap().is_empty(), "{answer:?}");
    }
    rig.stop().await;
}

#[tokio::test]
async fn the_limits_of_the_line_hold_for_the_tool() {
    let mut setup = Setup::new();
    setup.config.policy.calls_per_day_per_owner = 2;
    let rig = setup.start().await;
    let (user, agent) = user_and_agent(&rig, BUSY).await;
    let owner: offhook_core::OwnerId =
        user.get("/me").await.json()["userId"].as_str().unwrap().parse().unwrap();
    let limits = r#"{"calls_per_day": 2}"#;
    assert!(rig.app.gateway().store().set_limits(owner, Some(limits)).await.unwrap());
    for _ in 0..2 {
        let body = post(&agent, TOOL, json!({ "wait": 30 })).await.json();
        assert_eq!(body["call"]["outcome"], "busy", "{body}");
    }
    let refused = post(&agent, TOOL, json!({})).await;
    assert_eq!(refused.error(), (429, "quota_exceeded".to_owned()));
    // Where the operator blocks the number meanwhile, it is not called either.
    let rig =
        rig.restart_with(|config| config.policy.blocked_destinations = vec![BUSY.parse().unwrap()]).await;
    assert_eq!(post(&agent, TOOL, json!({})).await.error(), (403, "destination_blocked".to_owned()));
    rig.stop().await;
}
