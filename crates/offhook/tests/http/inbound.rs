//! Calls to a line of ours that is an account's: they are answered as the account says, they are the account's, and
//! there is one at a time. Another offhook calls.

use std::net::TcpListener;
use std::time::Duration;

use offhook::config::SpeechModel;
use offhook_speech::{local, openai};
use offhook_store::PhoneRow;
use offhook_testkit::programs::{Protocol, free_port};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::me::account;
use crate::server::{Agent, Answer, Server, TASK, send};

/// The lines of the one who is called.
const MIRAS: &str = "+12065551188";
const OURS: &str = "+12065551189";
const CALLER: &str = "+12065551234";

const PREFERENCES: &str = "/me/call-preferences";

/// Two that have each other for a trunk: who is called, and who calls.
async fn pair() -> (Server, Server) {
    pair_with("").await
}

/// The one who calls has more in its configuration.
async fn pair_with(more: &str) -> (Server, Server) {
    pair_speaking(SpeechModel::Local(local::Config::tagged()), more).await
}

/// The one who is called has this model.
async fn pair_speaking(speech: SpeechModel, more: &str) -> (Server, Server) {
    let [called, caller] = [free_port(Protocol::Udp), free_port(Protocol::Udp)];
    let trunk = |own: u16, other: u16| {
        format!(
            "carrier.sip.listen = [\"udp:127.0.0.1:{own}\"]\n\
             policy.concurrent_calls_per_destination = 3\n\
             [[carrier.sip.trunk]]\nserver = \"127.0.0.1:{other}\"\n"
        )
    };
    let line = |number: &str| format!("[[line]]\nnumber = \"{number}\"\nmax_calls = 4\n");
    let lines = [line(MIRAS), line(OURS)].concat();
    // Tables come last.
    let at = more.find("[[").unwrap_or(more.len());
    let (inbound, lines_of_caller) = more.split_at(at);
    (
        Server::with(&format!("{}{lines}", trunk(called, caller)), speech).await,
        Server::configured(&format!("{inbound}{}{}{lines_of_caller}", trunk(caller, called), line(CALLER)))
            .await,
    )
}

pub async fn reserve(agent: &Agent<'_>, number: &str) {
    let owner = owner(agent).await;
    agent.server.app().gateway().store().reserve(number, owner, now()).await.unwrap();
}

async fn owner(agent: &Agent<'_>) -> offhook_core::OwnerId {
    agent.get("/me").await.json()["userId"].as_str().unwrap().parse().unwrap()
}

fn now() -> offhook_core::Timestamp {
    offhook_core::Timestamp::from_unix_micros(1_795_000_000_000_000)
}

pub async fn confirm(agent: &Agent<'_>, number: &str) {
    let phone = PhoneRow { number: number.to_owned(), primary: false, confirmed_at: now() };
    assert!(agent.server.app().gateway().store().add_phone(owner(agent).await, &phone).await.unwrap());
}

async fn put(agent: &Agent<'_>, body: &Value) -> Answer {
    send(agent.server.request(Method::PUT, PREFERENCES).header("X-Api-Key", &agent.key).json(body)).await
}

fn profile() -> Value {
    json!({ "instructions": "Answer for Mira. Take the name.", "greeting": "Mira's line, hello." })
}

async fn call(agent: &Agent<'_>, to: &str) -> String {
    let placed = agent.place(&json!({ "to": to, "task": TASK })).await.json();
    placed["call_id"].as_str().unwrap_or_else(|| panic!("{placed}")).to_owned()
}

#[tokio::test]
async fn a_reserved_line_is_answered_for_its_account_one_call_at_a_time() {
    let (called, caller) = pair().await;
    let (mira, stranger) = (account(&called, false).await, account(&called, false).await);
    let (operator, theirs) = (account(&called, true).await, account(&caller, false).await);
    reserve(&mira, MIRAS).await;

    // Nobody has said how it is answered, nor the other line.
    for to in [MIRAS, OURS] {
        let declined = theirs.finalized(&call(&theirs, to).await).await;
        assert_eq!(declined["outcome"], "rejected", "{declined}");
    }
    let preferred = json!({ "voice": "sarah", "personality": "Brief.", "inbound": profile() });
    assert_eq!(put(&mira, &preferred).await.status, 200);

    let first = call(&theirs, MIRAS).await;
    theirs.events_until(&first, "call.answered").await;
    let live = mira.get("/calls?live=true").await.json();
    let id = live["calls"][0]["id"].as_str().unwrap_or_else(|| panic!("{live}")).to_owned();
    // Nobody else gets in meanwhile, or out on it.
    let second = theirs.finalized(&call(&theirs, MIRAS).await).await;
    assert_eq!(second["outcome"], "busy", "{second}");
    let out = |from: &str| json!({ "to": CALLER, "task": TASK, "from": from });
    let busy = mira.place(&out(MIRAS)).await;
    assert_eq!((busy.status.as_u16(), busy.code().as_str()), (409, "reserved_number_busy"));
    let foreign = stranger.place(&out(MIRAS)).await;
    assert_eq!((foreign.status.as_u16(), foreign.code().as_str()), (400, "invalid_request"));
    assert_eq!(foreign.code(), stranger.place(&out("+12065551190")).await.code());

    mira.events_until(&id, "turn.voice").await;
    theirs.post(&format!("/call/{first}/hangup")).await;
    let over = mira.finalized(&id).await;
    for (field, expected) in [
        ("direction", json!("inbound")),
        ("handling_mode", json!("agent")),
        ("task", profile()["instructions"].clone()),
        ("greeting", profile()["greeting"].clone()),
        ("voice", json!("sarah")),
        ("personality", json!("Brief.")),
        ("outcome", json!("answered")),
        ("numbers", json!({ "to": MIRAS, "from": CALLER, "bridge_from": null })),
    ] {
        assert_eq!(over[field], expected, "{field}");
    }
    assert!(over["transcript"][0]["text"].as_str().unwrap().contains("Mira's line"), "{over}");

    // Whoever called is called back, and told so.
    let back = json!({ "to": CALLER, "task": TASK, "follow_up_to": id });
    let checked = called.request(Method::POST, "/call/check").header("X-Api-Key", &mira.key).json(&back);
    let prompt = send(checked).await.json()["prompt"].as_str().unwrap().to_owned();
    assert!(prompt.contains("This number called you") && prompt.contains("Mira's line"), "{prompt}");

    let listed = mira.get("/me/calls?direction=inbound").await.json();
    assert_eq!(
        (listed["calls"][0]["id"].as_str(), listed["calls"][1].as_object()),
        (Some(id.as_str()), None)
    );
    assert_eq!(stranger.get(&format!("/call/{id}")).await.code(), "not_found");
    assert_eq!(stranger.get("/me/calls?direction=inbound").await.code(), "inbound_plan_required");
    assert_eq!(operator.get(&format!("/call/{id}")).await.status, 200);

    // Out again on its own line, and nobody else's call goes out on it.
    let answer = mira.place(&out(MIRAS)).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let mine = mira.finalized(answer.json()["call_id"].as_str().unwrap()).await;
    assert_eq!(mine["numbers"]["from"], MIRAS);
    let other = stranger.place(&json!({ "to": CALLER, "task": TASK })).await.json();
    let other = stranger.finalized(other["call_id"].as_str().unwrap()).await;
    assert_eq!(other["numbers"]["from"], OURS);

    // Cleared, it is not answered any more.
    assert_eq!(put(&mira, &json!({ "inbound": null })).await.status, 200);
    let declined = theirs.finalized(&call(&theirs, MIRAS).await).await;
    assert_eq!(declined["outcome"], "rejected", "{declined}");
    called.stop().await;
    caller.stop().await;
}

#[tokio::test]
async fn a_profile_is_replaced_as_a_whole_but_for_who_is_put_through() {
    let server = Server::configured(&format!("[[line]]\nnumber = \"{MIRAS}\"\n{}", trunk_to_nobody())).await;
    let mira = account(&server, false).await;
    assert_eq!(mira.get(PREFERENCES).await.json()["inbound"], Value::Null);
    // A line that is none of ours any more.
    reserve(&mira, OURS).await;
    let answer = put(&mira, &json!({ "inbound": profile() })).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (402, "reserved_number_required"));
    reserve(&mira, MIRAS).await;
    let inbound = mira.get(PREFERENCES).await.json()["inbound"].clone();
    assert_eq!(
        (&inbound["configured"], &inbound["enabled"], &inbound["instructions"], &inbound["greeting"]),
        (&json!(false), &json!(false), &Value::Null, &Value::Null)
    );
    let number = &inbound["active_reserved_number"];
    assert_eq!((&number["phone_number"], &number["display"]), (&json!(MIRAS), &json!("+1 (206) 555-1188")));
    assert!(number["id"].is_i64());

    let with = |more: Value| {
        let mut inbound = profile();
        inbound.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "inbound": inbound })
    };
    let handoff = "+13605550911";
    let user = "+13605550912";
    for (body, status, code) in [
        (json!({ "inbound": "yes" }), 400, "invalid_profile"),
        (json!({ "inbound": {} }), 400, "invalid_profile"),
        (with(json!({ "greeting": " " })), 400, "invalid_profile"),
        (with(json!({ "instructions": 7 })), 400, "invalid_profile"),
        (with(json!({ "handoff_number": 7 })), 400, "invalid_handoff_number"),
        (with(json!({ "handoff_number": "12" })), 400, "invalid_handoff_number"),
        (with(json!({ "handoff_number": MIRAS })), 400, "invalid_handoff_number"),
        (with(json!({ "handoff_number": "+442079460958" })), 400, "invalid_handoff_number"),
        (with(json!({ "loop_in_user": null })), 400, "invalid_loop_in_user"),
        (with(json!({ "loop_in_user": "yes" })), 400, "invalid_loop_in_user"),
        (with(json!({ "loop_in_user": true })), 422, "account_phone_unavailable"),
        (with(json!({ "passthrough_numbers": null })), 400, "invalid_profile"),
        (with(json!({ "passthrough_numbers": ["12"] })), 400, "invalid_profile"),
        (with(json!({ "passthrough_numbers": [12] })), 400, "invalid_profile"),
        (with(json!({ "passthrough_numbers": ["+442079460958"] })), 400, "invalid_profile"),
        (with(json!({ "passthrough_numbers": [CALLER] })), 422, "account_phone_unavailable"),
        (json!({ "voice": "rachel", "inbound": {} }), 400, "invalid_preferences"),
    ] {
        let answer = put(&mira, &body).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code), "{body}");
        assert_eq!(mira.get(PREFERENCES).await.json()["inbound"]["configured"], false, "{body}");
    }

    confirm(&mira, user).await;
    let hundred: Vec<String> = (0..101).map(|n| format!("+1206555{:04}", 2_000 + n)).collect();
    let too_many = put(&mira, &with(json!({ "passthrough_numbers": hundred }))).await;
    assert_eq!(too_many.code(), "invalid_profile");
    for (body, handoff_number, loop_in_user, passed) in [
        (with(json!({ "handoff_number": handoff })), json!(handoff), Value::Null, json!([])),
        (
            with(json!({ "handoff_number": handoff, "passthrough_numbers": [CALLER, OURS, CALLER] })),
            json!(handoff),
            Value::Null,
            json!([OURS, CALLER]),
        ),
        // The flag outranks the number, and makes it forgotten.
        (
            with(json!({ "handoff_number": "12", "loop_in_user": true })),
            Value::Null,
            json!(true),
            json!([OURS, CALLER]),
        ),
        (json!({ "voice": "eric" }), Value::Null, json!(true), json!([OURS, CALLER])),
        (
            with(json!({ "loop_in_user": false, "passthrough_numbers": [] })),
            Value::Null,
            json!(false),
            json!([]),
        ),
        (with(json!({})), Value::Null, Value::Null, json!([])),
    ] {
        let answer = put(&mira, &body).await;
        assert_eq!(answer.status, 200, "{body}: {answer:?}");
        let inbound = &answer.json()["inbound"];
        assert_eq!(
            (&inbound["handoff_number"], &inbound["loop_in_user"], &inbound["passthrough_numbers"]),
            (&handoff_number, &loop_in_user, &passed),
            "{body}"
        );
        assert_eq!((&inbound["enabled"], &inbound["configured"]), (&json!(true), &json!(true)));
    }
    // What is reset is everything but this.
    let reset = send(server.request(Method::DELETE, PREFERENCES).header("X-Api-Key", &mira.key)).await.json();
    assert_eq!((&reset["voice"], &reset["inbound"]["configured"]), (&Value::Null, &json!(true)));
    let cleared = put(&mira, &json!({ "inbound": null })).await.json();
    assert_eq!(cleared["inbound"]["configured"], false);
    server.stop().await;
}

/// Where nothing is called.
fn trunk_to_nobody() -> String {
    format!("[[carrier.sip.trunk]]\nserver = \"127.0.0.1:{}\"\n", free_port(Protocol::Udp))
}

/// The user's own phone, which the other offhook answers.
const USERS: &str = "+12065551235";

#[tokio::test]
async fn a_caller_is_put_through_to_the_user_and_nobody_listens() {
    let answers = format!(
        "inbound.instructions = \"Answer for Mira.\"\ninbound.greeting = \"Hello, this is Mira herself.\"\n\
         [[line]]\nnumber = \"{USERS}\"\nmax_calls = 4\n"
    );
    let (called, caller) = pair_with(&answers).await;
    let (mira, theirs) = (account(&called, false).await, account(&caller, false).await);
    let operator = account(&caller, true).await;
    reserve(&mira, MIRAS).await;
    confirm(&mira, USERS).await;
    let mut inbound = profile();
    // Whoever is put through needs no PIN.
    inbound["reception"] = json!({ "callers": "pin", "pin": "24680" });
    inbound["passthrough_numbers"] = json!([CALLER]);
    assert_eq!(put(&mira, &json!({ "inbound": inbound })).await.status, 200);

    let first = call(&theirs, MIRAS).await;
    theirs.events_until(&first, "call.answered").await;
    let live = mira.get("/calls?live=true").await.json();
    let id = live["calls"][0]["id"].as_str().unwrap_or_else(|| panic!("{live}")).to_owned();
    mira.events_until(&id, "handoff.crossed").await;
    // The two hear each other: what Mira says is what the caller understands.
    theirs.events_until(&first, "turn.remote").await;
    theirs.post(&format!("/call/{first}/hangup")).await;
    let heard = theirs.finalized(&first).await;
    let heard = heard["transcript"].as_array().unwrap().iter().find(|turn| turn["role"] == "user").unwrap();
    assert!(heard["text"].as_str().unwrap().contains("Mira herself"), "{heard}");

    let over = mira.finalized(&id).await;
    for (field, expected) in [
        ("direction", json!("inbound")),
        ("handling_mode", json!("passthrough")),
        ("transcript", Value::Null),
        ("recording_url", Value::Null),
        ("outcome", json!("answered")),
        ("end_reason", json!("remote.hung_up")),
    ] {
        assert_eq!(over[field], expected, "{field} in {over}");
    }
    assert_eq!(over.get("result"), None);
    let events = mira.events_until(&id, "call.ended").await;
    let codes: Vec<&str> = events.iter().map(|event| event["code"].as_str().unwrap()).collect();
    for code in ["turn.", "recording.", "tool.", "speech.", "call.result"] {
        assert!(!codes.iter().any(|told| told.starts_with(code)), "{codes:?}");
    }
    assert_eq!(mira.get(&format!("/call/{id}/recording")).await.code(), "recording_not_available");

    // Without a phone of the user's there is nobody to put anyone through to: the assistant does not step in.
    let owner = owner(&mira).await;
    assert!(called.app().gateway().store().remove_phone(owner, USERS).await.unwrap());
    let declined = theirs.finalized(&call(&theirs, MIRAS).await).await;
    assert_eq!(declined["outcome"], "rejected", "{declined}");
    assert!(operator.get("/calls?direction=inbound").await.json()["calls"][0]["id"].is_string());
    called.stop().await;
    caller.stop().await;
}

#[tokio::test]
async fn a_caller_who_is_put_through_needs_no_model() {
    // Whoever connects waits here.
    let model = TcpListener::bind("127.0.0.1:0").unwrap();
    model.set_nonblocking(true).unwrap();
    let url = format!("ws://{}/v1", model.local_addr().unwrap());
    let auth = openai::Auth::Bearer("sk-test-not-a-real-key".to_owned().into());
    let speech = SpeechModel::OpenAi(openai::Config::new(url, auth, "gpt-realtime-2.1".to_owned()));
    let more = format!("inbound.instructions = \"Answer for Mira.\"\n[[line]]\nnumber = \"{USERS}\"\n");
    let (called, caller) = pair_speaking(speech, &more).await;
    let (mira, theirs) = (account(&called, false).await, account(&caller, false).await);
    reserve(&mira, MIRAS).await;
    confirm(&mira, USERS).await;
    let mut inbound = profile();
    inbound["passthrough_numbers"] = json!([CALLER]);
    assert_eq!(put(&mira, &json!({ "inbound": inbound })).await.status, 200);
    while model.accept().is_ok() {}

    let first = call(&theirs, MIRAS).await;
    theirs.events_until(&first, "call.answered").await;
    let live = mira.get("/calls?live=true").await.json();
    let id = live["calls"][0]["id"].as_str().unwrap_or_else(|| panic!("{live}")).to_owned();
    mira.events_until(&id, "handoff.joined").await;
    theirs.post(&format!("/call/{first}/hangup")).await;
    mira.finalized(&id).await;
    assert!(model.accept().is_err(), "a voice that is not there was paid for");

    // Anybody else is answered by a voice, which needs one.
    inbound["passthrough_numbers"] = json!([]);
    assert_eq!(put(&mira, &json!({ "inbound": inbound })).await.status, 200);
    model.set_nonblocking(false).unwrap();
    let connected = tokio::task::spawn_blocking(move || model.accept().is_ok());
    let second = call(&theirs, MIRAS).await;
    assert!(timeout(Duration::from_secs(30), connected).await.expect("a connection to the model").unwrap());
    theirs.post(&format!("/call/{second}/hangup")).await;
    called.stop().await;
    caller.stop().await;
}

#[tokio::test]
async fn a_caller_is_connected_with_whom_the_profile_says() {
    let answers = format!(
        "inbound.instructions = \"Answer for Mira.\"\ninbound.greeting = \"Hello, this is Mira herself.\"\n\
         [[line]]\nnumber = \"{USERS}\"\nmax_calls = 4\n"
    );
    let (called, caller) = pair_with(&answers).await;
    let (mira, theirs) = (account(&called, false).await, account(&caller, false).await);
    reserve(&mira, MIRAS).await;
    confirm(&mira, USERS).await;
    let with = |more: Value| {
        let mut inbound = profile();
        inbound.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "warm_greeting": false, "inbound": inbound })
    };
    for (more, connected) in [
        (json!({ "handoff_number": USERS }), true),
        (json!({ "loop_in_user": true }), true),
        // The caller is no user to connect the caller with; the call is answered all the same.
        (json!({ "handoff_number": CALLER }), false),
    ] {
        assert_eq!(put(&mira, &with(more.clone())).await.status, 200);
        let first = call(&theirs, MIRAS).await;
        theirs.events_until(&first, "turn.remote").await;
        let live = mira.get("/calls?live=true").await.json();
        let id = live["calls"][0]["id"].as_str().unwrap_or_else(|| panic!("{live}")).to_owned();
        mira.events_until(&id, "turn.remote").await;
        if connected {
            let asked = post_json(&mira, &format!("/call/{id}/bridge")).await;
            assert_eq!(asked.status, 202, "{asked:?}");
            mira.events_until(&id, "handoff.joined").await;
        }
        theirs.post(&format!("/call/{first}/hangup")).await;
        let over = mira.finalized(&id).await;
        assert_eq!(over["handling_mode"], "agent");
        assert_eq!(over["handoff"]["state"].as_str(), connected.then_some("ended"), "{more}");
    }
    called.stop().await;
    caller.stop().await;
}

async fn post_json(agent: &Agent<'_>, path: &str) -> Answer {
    send(agent.server.post(path).header("X-Api-Key", &agent.key).json(&json!({}))).await
}

fn received_by(reception: &Value) -> Value {
    let mut inbound = profile();
    inbound["reception"] = reception.clone();
    json!({ "inbound": inbound })
}

#[tokio::test]
async fn who_may_call_is_said_beside_the_profile_and_stays_when_it_is_left_out() {
    let server = Server::configured(&format!("[[line]]\nnumber = \"{MIRAS}\"\n{}", trunk_to_nobody())).await;
    let mira = account(&server, false).await;
    reserve(&mira, MIRAS).await;
    assert_eq!(put(&mira, &json!({ "inbound": profile() })).await.json()["inbound"].get("reception"), None);

    let all = json!({
        "callers": "pin",
        "allowed_callers": [{ "number": "+1206*", "name": "Ana", "trusted": true, "greeting": "Hello Ana." }],
        "blocked_callers": ["+1900*"],
        "anonymous_callers": false,
        "trust": "pin",
        "trusted_instructions": "The keys are under the stone.",
        "hours": ["Mon-Fri 09:00-17:00"],
        "time_zone": "Europe/Berlin",
        "outside_hours": "message",
        "closed_greeting": "We are closed.",
        "calls_per_day": 50,
        "calls_per_day_per_caller": 5,
        "messages": true,
        "spam": false,
        "webhook_url": "https://example.com/events",
        "notify": { "url": "https://chat.example.com/hook", "format": "discord", "declined": true },
    });
    let with = |more: Value| {
        let mut reception = all.clone();
        reception.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        received_by(&reception)
    };
    let shown = |has_pin: bool| {
        let mut shown = all.clone();
        shown["has_pin"] = has_pin.into();
        shown
    };
    let told = |answer: Answer| {
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["inbound"]["reception"].clone()
    };
    assert_eq!(told(put(&mira, &with(json!({ "pin": "24680" }))).await), shown(true));
    // Nobody reads the PIN again, in the database either.
    let kept = server.app().gateway().store().inbound_profile(owner(&mira).await).await.unwrap().unwrap();
    assert!(!kept.reception.unwrap().contains("24680"));
    // What was read can be sent back, and a client that knows nothing of it opens no door.
    assert_eq!(told(put(&mira, &with(json!({ "has_pin": true }))).await), shown(true));
    assert_eq!(told(put(&mira, &json!({ "inbound": profile() })).await), shown(true));
    let open = json!({ "callers": "open", "allowed_callers": [], "pin": null });
    assert_eq!(told(put(&mira, &with(open)).await)["has_pin"], false);

    for (more, named) in [
        (json!({ "callers": "anybody" }), "callers"),
        (json!({ "callers": 7 }), "callers"),
        (json!({ "pin": "12" }), "pin"),
        (json!({ "pin": 24680 }), "pin"),
        (json!({ "pin": null }), "pin"),
        (json!({ "allowed_callers": [{ "number": "12" }] }), "allowed_callers"),
        (json!({ "allowed_callers": [{ "name": "Ana" }] }), "allowed_callers"),
        (json!({ "blocked_callers": "+1900*" }), "blocked_callers"),
        (json!({ "blocked_callers": ["all"] }), "blocked_callers"),
        (json!({ "trust": "voice" }), "trust"),
        (json!({ "hours": ["9 to 5"] }), "hours"),
        (json!({ "time_zone": "Mars/Olympus" }), "time_zone"),
        (json!({ "time_zone": null }), "time_zone"),
        (json!({ "outside_hours": "sing" }), "outside_hours"),
        (json!({ "calls_per_day": -1 }), "calls_per_day"),
        (json!({ "messages": "yes" }), "messages"),
        (json!({ "webhook_url": "http://example.com/" }), "webhook_url"),
        (json!({ "notify": { "url": "https://10.0.0.1/" } }), "notify.url"),
        (json!({ "notify": { "url": "https://example.com/", "format": "fax" } }), "notify"),
        (json!({ "calers": "closed" }), "calers"),
    ] {
        let answer = put(&mira, &with(more.clone())).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, "invalid_profile"), "{more}");
        let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.starts_with("inbound.reception") && message.contains(named), "{more}: {message}");
    }
    assert_eq!(put(&mira, &received_by(&json!([]))).await.code(), "invalid_profile");
    let cleared = put(&mira, &received_by(&Value::Null)).await.json();
    assert_eq!(cleared["inbound"].get("reception"), None);
    server.stop().await;
}

#[tokio::test]
async fn a_line_of_an_account_is_answered_for_whom_it_says() {
    let (called, caller) = pair().await;
    let (mira, theirs) = (account(&called, false).await, account(&caller, false).await);
    reserve(&mira, MIRAS).await;
    let closed = json!({ "callers": "closed" });
    let others = json!({ "callers": "list", "allowed_callers": [{ "number": "+13605550911" }] });
    let blocked = json!({ "blocked_callers": ["+1206*"] });
    let never = json!({ "hours": [], "time_zone": "Europe/Berlin" });
    for (reception, rule) in [
        (closed, "inbound_closed"),
        (others, "inbound_list"),
        (blocked, "inbound_blocked"),
        (never, "inbound_hours"),
    ] {
        assert_eq!(put(&mira, &received_by(&reception)).await.status, 200, "{reception}");
        let declined = theirs.finalized(&call(&theirs, MIRAS).await).await;
        assert_eq!(declined["outcome"], "rejected", "{rule} {declined}");
    }
    let caller_is_known = json!({ "callers": "list", "allowed_callers": [{ "number": CALLER }] });
    assert_eq!(put(&mira, &received_by(&caller_is_known)).await.status, 200);
    let answered = call(&theirs, MIRAS).await;
    theirs.events_until(&answered, "call.answered").await;
    theirs.post(&format!("/call/{answered}/hangup")).await;

    // Who was declined, and by which rule, the account reads itself.
    let listed = mira.get("/me/calls?direction=inbound").await.json();
    let ends: Vec<&Value> =
        listed["calls"].as_array().unwrap().iter().map(|call| &call["end_reason"]).collect();
    assert_eq!(ends.iter().filter(|end| **end == "policy.refused").count(), 4, "{listed}");
    called.stop().await;
    caller.stop().await;
}
