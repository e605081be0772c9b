//! Whole errands of an agent that was written for ClawCall, with another base URL and nothing else changed.

use std::time::Duration;

use offhook::gateway::linking;
use offhook_core::Timestamp;
use offhook_store::PhoneRow;
use reqwest::Method;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::clawcall::ClawCall;
use crate::rig::{BUSY, HANGS_UP, NEVER_ANSWERS, RECEPTIONIST, Rig, Setup};

/// Section 14 of the contract: place, poll, read outcome and transcript, offer the recording.
#[tokio::test]
async fn a_first_call_from_nothing_to_its_recording() {
    let rig = Rig::start().await;
    let agent = ClawCall::of(&rig);
    let id = agent.call(HANGS_UP).await;
    assert!(agent.key().is_some(), "the key is there before the first poll");
    let followed = agent.finalized(&id).await;
    let call = &followed.call;
    assert_eq!(call["outcome"], "answered");
    let turns = call["transcript"].as_array().unwrap();
    assert!(turns.iter().any(|turn| turn["role"] == "user"), "{turns:#?}");
    let link = agent.recording(&id).await.unwrap();
    let wav = reqwest::get(&link).await.unwrap();
    assert_eq!(wav.status(), 200, "the link works without a key");
    assert!(wav.bytes().await.unwrap().starts_with(b"RIFF"));
    // A second call takes the key that was saved.
    let second = agent.call(BUSY).await;
    assert_eq!(agent.finalized(&second).await.call["outcome"], "busy");
    let balance = agent.get("/balance").await.unwrap();
    assert_eq!(balance.header("x-clawcall-tier"), Some("paid"));
    rig.stop().await;
}

/// An opener and the disclosure: the notice first, then the greeting.
#[tokio::test]
async fn the_notice_comes_before_the_greeting() {
    let rig = Rig::start().await;
    let agent = ClawCall::of(&rig);
    let greeting = "Hello, this is Sam for Mira Okafor about a wheel repair.";
    let wish =
        json!({ "to": RECEPTIONIST, "task": "Ask whether work order 3381 is ready.", "greeting": greeting });
    let id = agent.place(&wish).await.unwrap();
    let spoken = |call: &Value| {
        let turns = call["transcript"].as_array().into_iter().flatten();
        turns
            .filter(|turn| turn["role"] == "assistant")
            .map(|turn| turn["text"].to_string())
            .collect::<Vec<_>>()
    };
    let call = agent.poll(&id, |call| !spoken(call).is_empty()).await.call;
    let first = spoken(&call).remove(0);
    let (notice, opener) = (first.find("recorded").unwrap(), first.find("this is Sam").unwrap());
    assert!(notice < opener, "{first}");
    agent.hang_up(&id).await;
    rig.stop().await;
}

/// Section 2.2: a key stays the same, and is an account's afterwards.
#[tokio::test]
async fn a_key_is_linked_through_the_page_that_an_answer_names() {
    let rig = Rig::start().await;
    let agent = ClawCall::of(&rig);
    let id = agent.call(BUSY).await;
    agent.finalized(&id).await;
    let key = agent.key().unwrap();
    let refused = agent.get("/me").await.unwrap_err();
    assert_eq!(refused.told(), (401, "auth_required"));
    let action = &refused.error["action"];
    // Personalised, and to be forwarded byte for byte.
    assert_eq!(action["url"], json!(format!("{}/sign-up?token={key}", rig.app.url())));
    assert_eq!(action["sign_in_url"], json!(format!("{}/sign-in?token={key}", rig.app.url())));
    let store = rig.app.gateway().store();
    let account = linking::create_account(store, Some("mira@example.com")).await.unwrap();
    let code = linking::create_code(store, account).await.unwrap().unwrap();
    let form = format!("token={key}&code={}", code.expose_secret());
    let page = action["sign_in_url"].as_str().unwrap();
    let request =
        reqwest::Client::new().post(page).header("Content-Type", "application/x-www-form-urlencoded");
    assert_eq!(request.body(form).send().await.unwrap().status(), 200);
    let me = agent.get("/me").await.unwrap();
    assert_eq!(me.body["email"], "mira@example.com");
    let history = agent.get("/me/calls").await.unwrap().body;
    assert_eq!(history["calls"][0]["id"], json!(id), "its calls came with it");
    // No key is minted, and the old one still works.
    let again = agent.call(BUSY).await;
    agent.finalized(&again).await;
    assert_eq!(agent.key().unwrap(), key);
    rig.stop().await;
}

/// Section 10: whoever polls overlaps a little, and tells calls apart by `id`.
#[tokio::test]
async fn a_history_is_read_page_by_page() {
    let rig = Rig::start().await;
    let account = rig.stranger().await;
    let agent = ClawCall::with_key(&rig, account.key().unwrap());
    let mut ids = Vec::new();
    for to in [BUSY, HANGS_UP, "+14155550103"] {
        let id = agent.call(to).await;
        agent.finalized(&id).await;
        ids.push(id);
    }
    let running = agent.call(NEVER_ANSWERS).await;
    let page = |query: String| {
        let agent = &agent;
        async move {
            let body = agent.get(&format!("/me/calls{query}")).await.unwrap().body;
            assert!(body["recordingWindowMinutes"].is_u64(), "{body}");
            body["calls"].as_array().unwrap().clone()
        }
    };
    let all = page(String::new()).await;
    let seen: Vec<&str> = all.iter().map(|call| call["id"].as_str().unwrap()).collect();
    assert_eq!(seen, [&ids[2], &ids[1], &ids[0]], "finalized ones, newest first, and not the one that rings");
    for call in &all {
        assert!(call["recording_expired"].is_boolean(), "{call}");
        assert!(call.get("recording_available_until").is_some(), "{call}");
        assert_eq!(call["lifecycle"], "finalized");
    }
    // Compared with the end, inclusive.
    let middle = all[1]["timestamps"]["finalized_at"].as_str().unwrap().replace('Z', "%2B00:00");
    assert_eq!(page(format!("?since={middle}")).await.len(), 2);
    assert_eq!(page("?limit=1".to_owned()).await.len(), 1);
    assert_eq!(page("?direction=outbound&limit=200".to_owned()).await.len(), 3);
    agent.hang_up(&running).await;
    rig.stop().await;
}

/// Section 9: a full line is waited for, once, and then the call goes out.
#[tokio::test]
async fn a_busy_line_is_tried_once_more() {
    let mut setup = Setup::new();
    setup.lines = 1;
    let rig = setup.start().await;
    let agent = ClawCall::of(&rig);
    let first = agent.call(NEVER_ANSWERS).await;
    let wish = json!({ "to": BUSY, "task": "Ask when they open." });
    let refused = agent.place(&wish).await.unwrap_err();
    assert_eq!((refused.told(), refused.is_retryable()), ((503, "number_pool_exhausted"), true));
    assert_eq!(refused.header("retry-after"), Some("15"));
    agent.hang_up(&first).await;
    agent.finalized(&first).await;
    let second = agent.place(&wish).await.unwrap();
    assert_eq!(agent.finalized(&second).await.call["outcome"], "busy");
    rig.stop().await;
}

/// Section 14.7: up to four at once, each polled by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_option_calls_at_once() {
    let rig = Setup::new().ring_limit(Duration::from_secs(3)).start().await;
    let agent = ClawCall::of(&rig);
    let first = agent.call(BUSY).await;
    let mut ids = vec![first];
    for to in ["+14155550103", HANGS_UP, NEVER_ANSWERS] {
        ids.push(agent.call(to).await);
    }
    let followed = futures_util::future::join_all(ids.iter().map(|id| agent.finalized(id))).await;
    let outcomes: Vec<&str> = followed.iter().map(|one| one.call["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["busy", "rejected", "answered", "no_answer"]);
    rig.stop().await;
}

/// Known clients send no body and a content type, on everything.
#[tokio::test]
async fn a_client_that_says_json_everywhere() {
    let rig = Rig::start().await;
    let agent = ClawCall::of(&rig);
    let id = agent.call(BUSY).await;
    agent.finalized(&id).await;
    for path in ["/balance", "/me/call-preferences"] {
        agent.get(path).await.unwrap_or_else(|refused| panic!("{path}: {refused:?}"));
    }
    agent.ask(Method::DELETE, "/me/call-preferences", None).await.unwrap();
    agent.hang_up(&id).await;
    rig.stop().await;
}

/// Somebody there wants to talk to the user in person.
const WANTS_THE_USER: &str = "+14155550110";
/// Phones of the user: one that joins, one that is never picked up.
const USER: &str = "+14155550190";
const NOT_AT_HOME: &str = "+14155550191";

/// Section 7: the user is connected, and what is said from then on is private.
#[tokio::test]
async fn the_user_is_connected_and_then_in_private() {
    let rig = Rig::start().await;
    let account = rig.stranger().await;
    let agent = ClawCall::with_key(&rig, account.key().unwrap());
    let owner = agent.get("/me").await.unwrap().body["userId"].as_str().unwrap().parse().unwrap();
    let phone = PhoneRow { number: USER.to_owned(), primary: true, confirmed_at: Timestamp::default() };
    assert!(rig.app.gateway().store().add_phone(owner, &phone).await.unwrap());
    let task = "Call for Jordan Lee. If they want to talk to Jordan in person, connect Jordan.";
    for (handoff, connected) in [
        (json!({ "bridge_number": USER }), true),
        (json!({ "bridge_number": USER, "warm_greeting": false }), true),
        (json!({ "bridge_number": USER, "loop_in_user": false }), false),
        // The phone of the account, whatever number is sent.
        (json!({ "bridge_number": NOT_AT_HOME, "loop_in_user": true }), true),
        (json!({}), false),
    ] {
        let mut wish = json!({ "to": WANTS_THE_USER, "task": task });
        wish.as_object_mut().unwrap().extend(handoff.as_object().unwrap().clone());
        let id = agent.place(&wish).await.unwrap_or_else(|refused| panic!("{handoff}: {refused:?}"));
        if connected {
            agent.poll(&id, |call| call["handoff"]["state"] == "joined").await;
            agent.hang_up(&id).await;
        }
        let followed = agent.finalized(&id).await;
        assert_eq!(followed.lifecycles.last().unwrap(), "finalized", "{handoff}");
        let call = &followed.call;
        assert_eq!(call["numbers"]["bridge_from"].is_string(), connected, "{handoff}: {call:#}");
        assert_eq!(call["outcome"], "answered", "{handoff}");
        let Some(joined_at) = call["handoff"]["joined_at"].as_str() else {
            assert!(!connected, "{handoff}: {call:#}");
            continue;
        };
        let turns = call["transcript"].as_array().unwrap();
        let late: Vec<&Value> =
            turns.iter().filter(|turn| turn["timestamp"].as_str().unwrap() > joined_at).collect();
        assert!(late.is_empty(), "{handoff}: {late:#?}");
    }
    rig.stop().await;
}
