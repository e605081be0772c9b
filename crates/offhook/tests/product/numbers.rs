//! Every test number gives its documented outcome through the public API, and with the local voice its documented
//! result.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use offhook::demo::case::{Case, Help, MESSAGE};
use offhook_sandbox::{CallRecord, Ending, Stage};
use reqwest::Method;
use serde_json::{Value, json};

use crate::agent::{Answer, Call};
use crate::rig::{Rig, Setup};

/// What the local voice, which decides nothing, comes to on the numbers that say nothing of the task.
const LOCAL_VOICE: &[(&str, &str, Option<&str>)] = &[
    ("0100", "blocked", Some("decision")),
    ("0107", "blocked", Some("decision")),
    ("0114", "achieved", None),
    ("0115", "achieved", None),
    ("0120", "achieved", None),
    ("0121", "achieved", None),
];

/// Calls at a time: all of them, and the people they are with, share the one machine.
const AT_ONCE: usize = 12;

/// What of the call and of its other end is not as documented.
fn differences(case: &Case, call: &Value) -> Vec<String> {
    let mut found = case.differences(call);
    let answered = case.expected.answered_by.is_some();
    let mut check = |what: &str, right: bool| {
        if !right {
            found.push(what.to_owned());
        }
    };
    check("result", call["result"]["status"].is_string() == answered);
    check("recording", call["recording_url"].is_string() == answered);
    check("transcript", call["transcript"].is_array() == answered);
    let number = &case.number.number[8..];
    if let Some((_, status, blocker)) = LOCAL_VOICE.iter().find(|(known, ..)| *known == number) {
        let result = &call["result"];
        check("local status", result["status"] == *status);
        check("local blocker", result["blocker"]["kind"].as_str() == *blocker);
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_test_number_gives_its_documented_outcome() {
    let mut setup = Setup::new().ring_limit(Duration::from_secs(6));
    setup.config.limits.silence = Duration::from_secs(8);
    let rig = setup.start().await;
    let (alone, helped): (Vec<Case>, _) = Case::all().into_iter().partition(|case| case.help == Help::None);
    let mut problems = Vec::new();
    for cases in [alone, helped] {
        let calls = stream::iter(&cases).map(|case| call(&rig, case)).buffer_unordered(AT_ONCE);
        problems.extend(calls.collect::<Vec<_>>().await.into_iter().flatten());
    }
    assert!(problems.is_empty(), "{problems:#?}");
    rig.stop().await;
}

/// Call a number; what was not as documented.
async fn call(rig: &Rig, case: &Case) -> Vec<String> {
    let placed = rig.stranger().await.place(&case.request()).await;
    if let Help::Answers(answer) = case.help {
        tell(&placed, answer).await;
    }
    let call = placed.over().await;
    let sip_call_id = answered_as(&placed).await;
    let record = rig.exchange.until(|calls| {
        let ours = |record: &&CallRecord| match &sip_call_id {
            Some(id) => record.sip_call_id == *id,
            None => record.number == case.number.number,
        };
        calls.iter().rfind(|record| ours(record) && record.is_over()).cloned()
    });
    let record = record.await;
    let mut problems = differences(case, &call);
    if !matches!(record.stage, Stage::Ended(ending) if ending != Ending::Lost) {
        problems.push(format!("ending: {:?}", record.stage));
    }
    match (&case.number.number[8..], case.help) {
        ("0106", _) => problems.extend(voicemail(&record)),
        ("0107", _) => problems.extend(keys(&record, "2")),
        ("0118", Help::Answers(_)) => problems.extend(keys(&record, "482913")),
        _ => {}
    }
    if problems.is_empty() {
        return problems;
    }
    let mut story = vec![format!("{}: {problems:?}", case.title()), call["result"].to_string()];
    story.extend(placed.journal().await.iter().map(event));
    story
}

/// One event in one line, without what is the same in all.
fn event(event: &Value) -> String {
    let mut event = event.clone();
    let fields = event.as_object_mut().unwrap();
    ["at", "call_id", "seq", "ticket", "confidence"].iter().for_each(|name| drop(fields.remove(*name)));
    event.to_string()
}

/// The Call-ID of a call that was answered.
async fn answered_as(call: &Call) -> Option<String> {
    let journal = call.journal().await;
    let answered = journal.iter().find(|event| event["code"] == "call.answered")?;
    answered["sip_call_id"].as_str().map(str::to_owned)
}

async fn tell(call: &Call, answer: &str) {
    call.until_code("owner.asked").await;
    let request = call.agent.request(Method::POST, &call.path("/answer"));
    let told = Answer::to(request.json(&json!({ "answer": answer }))).await;
    assert_eq!(told.status, 202, "{told:?}");
}

fn keys(record: &CallRecord, keys: &str) -> Option<String> {
    (record.digits_text() != keys).then(|| format!("got the keys {:?}", record.digits_text()))
}

/// The message is on the machine: all of it, and as loud as speech is.
fn voicemail(record: &CallRecord) -> Option<String> {
    let Some(message) = &record.message else { return Some("there is no message".to_owned()) };
    let level = message.heard.speech_dbfs().unwrap_or(-99.0);
    let text = offhook_speech::local::tagged::decode(&message.samples);
    let whole = text.as_deref().is_some_and(|text| text.contains(MESSAGE));
    (!whole || !(-25.0..-8.0).contains(&level))
        .then(|| format!("{text:?} at {level} dBFS, {} ms of it loud", message.heard.speech_ms))
}
