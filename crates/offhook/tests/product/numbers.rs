//! Every test number gives its documented outcome through the public API.

use std::time::Duration;

use futures_util::future::join_all;
use offhook_sandbox::{CallRecord, Ending, NUMBERS, Stage, TestNumber};
use serde_json::{Value, json};

use crate::rig::{Rig, Setup};

const MESSAGE: &str =
    "Hello, this message is for Sam. Please call Jordan Lee back about the appointment. Thank you.";

fn request(number: &TestNumber) -> Value {
    let mut request = json!({
        "to": number.number,
        "task": "Call the office on behalf of Jordan Lee. Ask for an appointment on Thursday afternoon. \
                 If they ask for anything that is not written here, say that you will call back.",
        "greeting": "I am calling on behalf of Jordan Lee.",
    });
    if number.title == "voicemail" {
        request["voicemail"] = json!({ "action": "leave_message", "message": MESSAGE });
    }
    request
}

/// What differs from what is documented.
fn differences(number: &TestNumber, call: &Value, record: &CallRecord) -> Vec<String> {
    let expected = number.expected;
    let mut found = Vec::new();
    let mut check = |what: &str, right: bool, seen: String| {
        if !right {
            found.push(format!("{} ({}): {what} was {seen}", number.number, number.title));
        }
    };
    check("outcome", call["outcome"] == expected.outcome.code(), call["outcome"].to_string());
    let reason = &call["end_reason"];
    let reasons: Vec<&str> = expected.end_reasons.iter().map(|reason| reason.code()).collect();
    check(
        "end_reason",
        reasons.iter().any(|code| reason == *code),
        format!("{reason}, not one of {reasons:?}"),
    );
    let by = expected.answered_by.map(|by| by.code());
    check("answered_by", call["answered_by"].as_str() == by, format!("{}, not {by:?}", call["answered_by"]));
    let blocked = expected.blocked;
    let answered = expected.answered_by.is_some();
    let status = &call["result"]["status"];
    check(
        "result",
        (status == "blocked") == blocked && status.is_string() == answered,
        call["result"].to_string(),
    );
    check(
        "ending",
        matches!(record.stage, Stage::Ended(ending) if ending != Ending::Lost),
        format!("{:?}", record.stage),
    );
    check("recording", call["recording_url"].is_string() == answered, call["recording_url"].to_string());
    check("transcript", call["transcript"].is_array() == answered, call["transcript"].to_string());
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_test_number_gives_its_documented_outcome() {
    let mut setup = Setup::new().ring_limit(Duration::from_secs(6));
    setup.config.limits.silence = Duration::from_secs(8);
    let rig = setup.start().await;
    let calls = NUMBERS.iter().map(|number| call(&rig, number));
    let problems: Vec<String> = join_all(calls).await.into_iter().flatten().collect();
    assert!(problems.is_empty(), "{problems:#?}");
    rig.stop().await;
}

/// Call a number; what was not as documented.
async fn call(rig: &Rig, number: &'static TestNumber) -> Vec<String> {
    let placed = rig.stranger().await.place(&request(number)).await;
    let call = placed.over().await;
    let record = rig
        .exchange
        .until(|calls| calls.iter().find(|call| call.number == number.number && call.is_over()).cloned());
    let record = record.await;
    let mut problems = differences(number, &call, &record);
    if !problems.is_empty() {
        problems
            .push(format!("{}: said {:?}; transcript {:#}", number.title, record.said, call["transcript"]));
    }
    match number.title {
        "phone tree" if record.digits_text() != "2" => {
            problems.push(format!("phone tree: got the keys {:?}", record.digits_text()));
        }
        "voicemail" => problems.extend(voicemail(&record)),
        _ => {}
    }
    problems
}

/// The message is on the machine: all of it, and as loud as speech is.
fn voicemail(record: &CallRecord) -> Option<String> {
    let Some(message) = &record.message else { return Some("voicemail: there is no message".to_owned()) };
    let level = message.heard.speech_dbfs().unwrap_or(-99.0);
    let text = offhook_speech::local::tagged::decode(&message.samples);
    let whole = text.as_deref().is_some_and(|text| text.contains(MESSAGE));
    (!whole || !(-25.0..-8.0).contains(&level))
        .then(|| format!("voicemail: {text:?} at {level} dBFS, {} ms of it loud", message.heard.speech_ms))
}
