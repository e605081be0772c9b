//! The vendor's own types judge both directions: what offhook sends, and what the fake server sends.
//!
//! `./test` sets up the Python environment with the vendor's package and names its interpreter in `OFFHOOK_PYTHON`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use offhook_core::audio::AudioFormat;
use offhook_core::call::{SpeechCommand, SpeechEvent, ToolCallId};
use offhook_speech::SpeechOutput;
use offhook_speech::openai::{Eagerness, NoiseReduction, TurnDetection};
use offhook_testkit::realtime::{FakeRealtime, Reply, Script};

use crate::talk::{PCM24, Talk, config, heard};

#[tokio::test]
async fn every_event_offhook_sends_is_one_of_the_vendors() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    for event in record().await {
        writeln!(file, "{event}").unwrap();
    }
    judge(&["client", file.path().to_str().unwrap()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fake_server_is_right_for_the_vendors_client() {
    let replies = vec![
        Reply::say("Let me look that up for you.").and_call("send_digits", r#"{"digits":"1"}"#),
        Reply::say("There is a table for two at seven."),
        Reply::say("Is there anything else that I can do for you today? I have all the time in the world."),
    ];
    let script = Script { replies, pace: Duration::from_millis(5), ..Script::default() };
    let server = FakeRealtime::start(script).await;
    let address = server.address().to_string();
    tokio::task::spawn_blocking(move || judge(&["server", &address])).await.unwrap();
}

/// Every kind of event offhook ever sends, in both configurations of turn detection.
async fn record() -> Vec<serde_json::Value> {
    let mut events = talk_about_everything().await;
    events.extend(configure_everything().await);
    events
}

async fn talk_about_everything() -> Vec<serde_json::Value> {
    let replies = vec![
        Reply::call("send_digits", r#"{"digits":"2"}"#),
        Reply::say("A long sentence that is going to be cut off by the other side before it is over."),
    ];
    let script = Script { replies, pace: Duration::from_millis(2), ..Script::default() };
    let server = FakeRealtime::start(script).await;
    let mut talk = Talk::ready(config(&server)).await;
    talk.send(SpeechCommand::Open { say: Some("Hello, \"quoted\"\nand more.".into()) });
    talk.until_done().await;
    talk.send(SpeechCommand::Note { text: "The line is recorded.".into(), respond: true });
    talk.until("a tool call", |event| matches!(event, SpeechEvent::ToolCall { .. })).await;
    talk.send(SpeechCommand::ToolOutput { id: ToolCallId(1), output: "sent".to_owned(), respond: true });
    while !matches!(talk.next().await, SpeechOutput::Audio { .. }) {}
    talk.send(SpeechCommand::Truncate(heard(2, 40)));
    talk.until_done().await;
    talk.send(SpeechCommand::Suspend);
    talk.send(SpeechCommand::Resume);
    talk.until_sent(&server, "input_audio_buffer.clear", 1).await;
    server.break_connections();
    talk.until("Reopened", |event| *event == SpeechEvent::Reopened).await;
    talk.until_done().await;
    talk.remote_tone(20);
    talk.until("speech", |event| *event == SpeechEvent::RemoteSpeechStarted).await;
    talk.send(SpeechCommand::Close);
    talk.until_lost().await;
    let recorded: Vec<_> = server.recorded().into_iter().map(|recorded| recorded.event).collect();
    let kinds = [
        "session.update",
        "input_audio_buffer.append",
        "input_audio_buffer.commit",
        "input_audio_buffer.clear",
        "conversation.item.create",
        "conversation.item.truncate",
        "response.create",
        "response.cancel",
    ];
    for kind in kinds {
        assert!(recorded.iter().any(|event| event["type"] == kind), "{kind} was never sent");
    }
    recorded
}

async fn configure_everything() -> Vec<serde_json::Value> {
    let server = FakeRealtime::start(Script::default()).await;
    let vad = TurnDetection::ServerVad {
        threshold: 0.6,
        prefix_padding_ms: 200,
        silence_duration_ms: 400,
        idle_timeout_ms: Some(10_000),
    };
    for turn_detection in [vad, TurnDetection::SemanticVad { eagerness: Eagerness::High }] {
        let mut config = config(&server);
        config.turn_detection = turn_detection;
        config.noise_reduction = Some(NoiseReduction::FarField);
        config.speed = Some(1.1);
        let mut talk = Talk::open(config, PCM24);
        talk.until("Ready", |event| matches!(event, SpeechEvent::Ready { .. })).await;
        talk.session.use_format(AudioFormat::Pcma);
        talk.send(SpeechCommand::Open { say: None });
        talk.until_done().await;
        talk.until_sent(&server, "session.update", 3).await;
    }
    server.recorded().into_iter().map(|recorded| recorded.event).collect()
}

/// Run the contract script; panics with what it said.
fn judge(arguments: &[&str]) {
    let Some(python) = std::env::var_os("OFFHOOK_PYTHON") else {
        panic!(
            "OFFHOOK_PYTHON does not name a Python with the vendor's package; run ./test, which sets it up"
        );
    };
    let script: PathBuf =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../offhook-testkit/python/realtime_contract.py");
    let Output { status, stdout, stderr } =
        Command::new(python).arg(script).args(arguments).output().expect("OFFHOOK_PYTHON can be run");
    let said = [String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)].concat();
    assert!(status.success(), "{said}");
    print!("{said}");
}
