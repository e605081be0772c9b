//! A speech model behind the Realtime protocol: the fake server on one side, a person of the exchange on the other.

use std::net::TcpListener;
use std::time::Duration;

use offhook::config::SpeechModel;
use offhook_sandbox::{CallRecord, Step};
use offhook_speech::openai;
use offhook_testkit::realtime::{FakeRealtime, Heard, Reply, Script};
use serde_json::{Value, json};

use crate::agent::Call;
use crate::recording::{Sides, dbfs};
use crate::rig::{Rig, Setup};

pub const CLINIC: &str = "+14155550150";
pub const HELLO: &str = "Hello, this is City Clinic.";
pub const OPENING: &str = "Hello, this is an AI assistant, and this call is recorded.";

/// Milliseconds of tone for each character the fake says.
const MS_PER_CHAR: u32 = 20;

/// A person who says hello and hears the opening; then what the test is about.
pub fn person(then: &[Step]) -> Vec<Step> {
    let hello = [Step::Ring { ms: 300 }, Step::Answer, Step::Pause { ms: 300 }, Step::Say(HELLO)];
    [&hello[..], &[Step::Listen { patience_ms: 12_000 }], then].concat()
}

pub fn model(replies: Vec<Reply>, heard: &[&str]) -> Script {
    let heard = heard.iter().map(|text| Heard::Text((*text).to_owned())).collect();
    Script { replies, heard, ms_per_char: MS_PER_CHAR, ..Script::default() }
}

pub fn goodbye(text: &str) -> Reply {
    let result = json!({ "status": "achieved", "summary": "Thursday at three is free.", "quotes": ["Thursday at three is free"] });
    Reply::say(text).and_call("end_call", &json!({ "reason": "done", "result": result }).to_string())
}

pub async fn rig(base_url: String, person: Vec<Step>) -> Rig {
    setup(base_url, person).start().await
}

/// The same, to be changed before it starts.
pub fn setup(base_url: String, person: Vec<Step>) -> Setup {
    let mut setup = Setup::new();
    let auth = openai::Auth::Bearer("sk-test-not-a-real-key".to_owned().into());
    setup.config.speech =
        SpeechModel::OpenAi(openai::Config::new(base_url, auth, "gpt-realtime-2.1".to_owned()));
    setup.exchange.numbers = vec![(CLINIC.to_owned(), person)];
    setup.exchange.keep_audio = true;
    setup
}

/// Role and text of each turn.
pub fn turns(call: &Value) -> Vec<(&str, &str)> {
    let turns = call["transcript"].as_array().unwrap().iter();
    turns.map(|turn| (turn["role"].as_str().unwrap(), turn["text"].as_str().unwrap())).collect()
}

pub async fn record(rig: &Rig) -> CallRecord {
    rig.exchange.until(|calls| calls.iter().find(|call| call.is_over()).cloned()).await
}

#[tokio::test]
async fn a_conversation_with_keys_and_a_result() {
    let replies = vec![
        Reply::call("send_digits", r#"{"digits":"2"}"#),
        goodbye("Thursday at three is fine. Thank you, goodbye."),
    ];
    let fake =
        FakeRealtime::start(model(replies, &[HELLO, "Press two.", "Thursday at three is free."])).await;
    let then = [
        Step::Say("Press two."),
        Step::Await { ms: 3_000 },
        Step::Say("Thursday at three is free."),
        Step::Linger { ms: 9_000 },
    ];
    let rig = rig(fake.url(), person(&then)).await;
    let call = rig.owner().call(CLINIC).await;
    let over = call.over().await;
    assert_eq!((&over["outcome"], &over["end_reason"]), (&json!("answered"), &json!("voice.finished")));
    assert_eq!(
        turns(&over).into_iter().filter(|(role, _)| *role != "tool").collect::<Vec<_>>(),
        [
            ("user", HELLO),
            ("assistant", OPENING),
            ("user", "Press two."),
            ("user", "Thursday at three is free."),
            ("assistant", "Thursday at three is fine. Thank you, goodbye."),
        ]
    );
    let tools: Vec<&Value> =
        over["transcript"].as_array().unwrap().iter().filter_map(|turn| turn.get("tool")).collect();
    assert_eq!(tools, ["send_digits", "end_call"]);
    assert_eq!(over["result"]["status"], "achieved");
    assert_eq!(over["result"]["evidence_turns"], json!([4]), "the turn in which the person said so");
    assert_eq!(over["answered_by"], "ivr", "it wants a key pressed");
    assert_eq!(record(&rig).await.digits_text(), "2", "the key reached the menu");

    let sides = Sides::read(call.recording().await);
    assert!(dbfs(&sides.remote) > -45.0 && dbfs(&sides.voice) > -45.0, "both sides are heard");
    assert_eq!(fake.connections(), 1);
    rig.stop().await;
}

#[tokio::test]
async fn a_barge_in_truncates_at_what_was_really_heard() {
    let long = "We are looking for an appointment in the afternoon, on Thursday if that is possible, or else on \
                Friday, for Jordan Lee, who was with you last in March and would like to see the same doctor again.";
    let replies = vec![Reply::say(long), goodbye("Goodbye.")];
    let fake = FakeRealtime::start(model(replies, &[HELLO, "How can I help?", "One moment."])).await;
    let then = [
        Step::Say("How can I help?"),
        Step::Pause { ms: 5_000 },
        Step::Announce("One moment."),
        Step::Linger { ms: 9_000 },
    ];
    let rig = rig(fake.url(), person(&then)).await;
    let call = rig.owner().call(CLINIC).await;
    let journal = call.journal().await;
    let find = |code: &str| {
        journal.iter().find(|event| event["code"] == code).unwrap_or_else(|| panic!("no {code}"))
    };
    let heard_ms = find("turn.barge_in")["heard_ms"].as_u64().unwrap();
    let truncated = fake.events("conversation.item.truncate");
    assert_eq!(truncated.len(), 1, "{truncated:#?}");
    assert_eq!(truncated[0]["audio_end_ms"], heard_ms);
    let whole_ms = long.chars().count() as u64 * u64::from(MS_PER_CHAR);
    assert!((300..whole_ms - 500).contains(&heard_ms), "{heard_ms} of {whole_ms} ms");

    // What the model was told is what the other end of the line received, to the frame.
    let spoken = tone_ms(&record(&rig).await.audio);
    assert_eq!(spoken.len(), 3, "opening, the cut sentence, goodbye: {spoken:?}");
    assert!(spoken[1].abs_diff(heard_ms) <= 20, "{spoken:?}, and {heard_ms} ms for the model");

    let cut = journal.iter().find(|event| event["interrupted"] == true).expect("a turn that was cut short");
    let text = cut["text"].as_str().unwrap();
    assert!(long.starts_with(text) && text.len() < long.len() / 2, "{text}");
    assert_eq!(journal.last().unwrap()["reason"], "voice.finished");
    rig.stop().await;
}

/// The lengths of the stretches of sound in what was received, in milliseconds; pauses under 200 ms don't count.
fn tone_ms(samples: &[i16]) -> Vec<u64> {
    let mut stretches: Vec<(usize, usize)> = Vec::new();
    for (index, frame) in samples.chunks(80).enumerate() {
        if dbfs(frame) < -40.0 {
            continue;
        }
        match stretches.last_mut() {
            Some((_, end)) if index - *end < 20 => *end = index + 1,
            _ => stretches.push((index, index + 1)),
        }
    }
    stretches.into_iter().map(|(start, end)| (end - start) as u64 * 10).collect()
}

#[tokio::test]
async fn a_connection_lost_once_is_reopened_and_the_call_goes_on() {
    let replies =
        vec![Reply::say("Sorry, the line had a short problem. What did you say?"), goodbye("Thank you.")];
    let fake = FakeRealtime::start(model(replies, &[HELLO, "Thursday at three is free."])).await;
    let then = [
        Step::Listen { patience_ms: 18_000 },
        Step::Say("Thursday at three is free."),
        Step::Linger { ms: 9_000 },
    ];
    let rig = rig(fake.url(), person(&then)).await;
    let call = rig.owner().call(CLINIC).await;
    call.until_code("turn.voice").await;
    fake.break_connections();
    let journal = call.journal().await;
    let codes: Vec<&str> = journal.iter().map(|event| event["code"].as_str().unwrap()).collect();
    let at = |code: &str| {
        codes.iter().position(|one| *one == code).unwrap_or_else(|| panic!("no {code} in {codes:?}"))
    };
    assert!(at("speech.reopening") < at("speech.reopened") && at("speech.reopened") < at("call.ended"));
    assert_eq!(journal.last().unwrap()["reason"], "voice.finished");
    assert_eq!(fake.connections(), 2);
    let view = call.view().await;
    assert!(
        turns(&view).contains(&("assistant", "Sorry, the line had a short problem. What did you say?")),
        "{view:#}"
    );
    // The new session was told what was said before.
    let told = fake.events("conversation.item.create");
    let told: Vec<String> =
        told.iter().map(|event| event["item"]["content"][0]["text"].to_string()).collect();
    assert!(
        told.iter().any(|text| text.contains(HELLO)) && told.iter().any(|text| text.contains(OPENING)),
        "{told:?}"
    );
    rig.stop().await;
}

#[tokio::test]
async fn a_connection_lost_twice_ends_the_call_honestly() {
    let fake = FakeRealtime::start(model(vec![Reply::say("Sorry, what did you say?")], &[HELLO])).await;
    let rig = rig(fake.url(), person(&[Step::Await { ms: 60_000 }, Step::Linger { ms: 20_000 }])).await;
    let call = rig.owner().call(CLINIC).await;
    call.until_code("turn.voice").await;
    fake.break_connections();
    call.until_code("speech.reopened").await;
    fake.break_connections();
    let over = call.over().await;
    let apology = offhook_core::brief::Language::of("en").apology;
    assert_eq!(turns(&over).last(), Some(&("assistant", apology)), "the line is not just dropped");
    assert_eq!((&over["outcome"], &over["end_reason"]), (&json!("answered"), &json!("speech.lost")));
    assert!(turns(&over).contains(&("user", HELLO)), "{over:#}");
    assert!(over["recording_url"].is_string());
    assert_eq!(over["outcome_detail"]["reason"]["retryable"], false, "somebody was called already");
    record(&rig).await;
    rig.stop().await;
}

#[tokio::test]
async fn without_a_model_nobody_is_called() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let rig = rig(format!("ws://{nobody}/v1"), person(&[])).await;
    let call = rig.owner().call(CLINIC).await;
    unavailable(&rig, &call).await;
    rig.stop().await;

    // A server that takes the connection and says nothing is no model either.
    let mut setup = Setup::new();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let auth = openai::Auth::Bearer("sk-test-not-a-real-key".to_owned().into());
    let url = format!("ws://{}/v1", silent.local_addr().unwrap());
    setup.config.speech = SpeechModel::OpenAi(openai::Config::new(url, auth, "gpt-realtime-2.1".to_owned()));
    setup.config.limits.speech_ready = Duration::from_millis(500);
    let rig = setup.start().await;
    let call = rig.owner().call(crate::rig::RECEPTIONIST).await;
    unavailable(&rig, &call).await;
    rig.stop().await;
}

async fn unavailable(rig: &Rig, call: &Call) {
    let over = call.over().await;
    assert_eq!(
        (&over["outcome"], &over["end_reason"]),
        (&json!("system_error"), &json!("speech.unavailable"))
    );
    assert_eq!((&over["timestamps"]["dialing_at"], &over["recording_url"]), (&Value::Null, &Value::Null));
    assert_eq!(over["outcome_detail"]["reason"]["retryable"], true);
    assert!(rig.exchange.calls().is_empty(), "nothing was dialled");
}
