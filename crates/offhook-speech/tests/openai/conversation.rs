//! Talking: first words, turns, barge-in, tools, hold, the end.

use std::time::Duration;

use base64::Engine as _;
use expect_test::expect;
use offhook_core::audio::AudioFormat;
use offhook_core::audio::g711::Law;
use offhook_core::call::{SpeechCommand, SpeechEvent, ToolCall, ToolCallId};
use offhook_speech::{CheckError, SpeechOutput};
use offhook_testkit::realtime::{End, FakeRealtime, Heard, Names, Reply, Script};

use crate::talk::{PCM24, Talk, config, heard, model};

fn open(say: &str) -> SpeechCommand {
    SpeechCommand::Open { say: Some(say.into()) }
}

#[tokio::test]
async fn a_conversation_from_the_first_words_to_the_end() {
    let replies = vec![
        Reply::say("For two people, at seven."),
        Reply::say("Thank you, goodbye.").and_call("end_call", r#"{"reason":"booked","result":null}"#),
    ];
    let heard = ["Joe's, hello?", "Seven is fine."].map(|text| Heard::Text(text.to_owned())).to_vec();
    let server = FakeRealtime::start(Script { replies, heard, ..Script::default() }).await;
    let mut talk = Talk::ready(config(&server)).await;
    talk.send(open("Hello, this is an AI assistant."));
    talk.until_done().await;
    talk.until_sent(&server, "session.update", 2).await;
    talk.remote_turn();
    talk.until_done().await;
    talk.remote_turn();
    talk.until("the tool call", |event| matches!(event, SpeechEvent::ToolCall { .. })).await;
    talk.send(SpeechCommand::Close);
    assert_eq!(talk.until_lost().await, "closed");
    expect![[r#"
        Ready { model: "gpt-realtime-2.1" }
        audio 1 14880 bytes
        UtteranceDone 1
        VoiceText 1 "Hello, this is an AI assistant."
        Opened 1
        RemoteSpeechStarted
        RemoteSpeechStopped
        RemoteSaid "Joe's, hello?", 0-900 ms
        audio 2 12000 bytes
        UtteranceDone 2
        VoiceText 2 "For two people, at seven."
        RemoteSpeechStarted
        RemoteSpeechStopped
        RemoteSaid "Seven is fine.", 900-2100 ms
        audio 3 9120 bytes
        UtteranceDone 3
        VoiceText 3 "Thank you, goodbye."
        ToolCall 1 end_call "booked": no result
        Lost { why: "closed" }"#]]
    .assert_eq(&talk.log().join("\n"));
}

/// What goes in comes out: no resampling and no transcoding on the way.
#[tokio::test]
async fn every_format_passes_through_untouched() {
    for format in [AudioFormat::Pcmu, AudioFormat::Pcma, PCM24] {
        let server = FakeRealtime::start(Script { echo: true, ..Script::default() }).await;
        let mut talk = Talk::open(config(&server), format);
        talk.until("Ready", |event| matches!(event, SpeechEvent::Ready { .. })).await;
        talk.remote_tone(3);
        let SpeechOutput::Audio { bytes, .. } = talk.next().await else { panic!("{:?}", talk.log()) };
        assert_eq!(bytes.len(), 3 * format.frame_len(), "frames that wait together leave together");
        let first = bytes;
        talk.remote_tone(3);
        let SpeechOutput::Audio { bytes, .. } = talk.next().await else { panic!("{:?}", talk.log()) };
        assert_eq!(bytes, first);
    }
}

/// The carrier prefers µ-law and the far end answered with A-law: the model is told before the first audio, and every
/// byte passes as it is, both ways.
#[tokio::test]
async fn the_model_speaks_the_law_that_the_leg_negotiated() {
    let server = FakeRealtime::start(Script { replies: vec![Reply::say("Yes.")], ..Script::default() }).await;
    let mut talk = Talk::ready(config(&server)).await;
    assert_eq!(talk.session.use_format(AudioFormat::Pcma), AudioFormat::Pcma);
    talk.remote_turn();
    talk.until("a turn", |event| matches!(event, SpeechEvent::RemoteSaid { .. })).await;
    let remote_heard: Vec<u8> =
        server.events("input_audio_buffer.append").iter().flat_map(audio_of).collect();
    assert_eq!(remote_heard, talk.remote_spoke);

    talk.send(SpeechCommand::Open { say: None });
    let utterance = talk.until_done().await;
    let tone: Vec<i16> = g711_decoded(&talk.audio(utterance));
    assert!(tone.iter().any(|sample| sample.abs() > 7_500), "a tone at the level it was sent");
    assert!(tone.iter().all(|sample| sample.abs() < 8_500), "of the other law it would be noise");

    let configured = server.events("session.update");
    assert_eq!(configured[1]["session"]["audio"]["input"]["format"]["type"], "audio/pcma");
    assert_eq!(configured[1]["session"]["audio"]["output"]["format"]["type"], "audio/pcma");
    let later = talk.session.use_format(AudioFormat::Pcmu);
    assert_eq!(later, AudioFormat::Pcma, "in mid-conversation audio is transcoded instead");
}

fn audio_of(event: &serde_json::Value) -> Vec<u8> {
    base64::engine::general_purpose::STANDARD.decode(event["audio"].as_str().unwrap()).unwrap()
}

fn g711_decoded(bytes: &[u8]) -> Vec<i16> {
    let mut samples = Vec::new();
    Law::A.decode_into(bytes, &mut samples);
    samples
}

#[tokio::test]
async fn a_barge_in_cancels_and_truncates_at_what_was_heard() {
    let text = "This is a rather long sentence that nobody lets me finish, as it turns out.";
    let script =
        Script { replies: vec![Reply::say(text)], pace: Duration::from_millis(2), ..Script::default() };
    let server = FakeRealtime::start(script).await;
    let mut talk = Talk::ready(config(&server)).await;
    talk.send(SpeechCommand::Open { say: None });
    while !matches!(talk.next().await, SpeechOutput::Audio { .. }) {}
    talk.send(SpeechCommand::Truncate(heard(1, 60)));
    talk.until_done().await;
    talk.until_sent(&server, "conversation.item.truncate", 1).await;
    assert_eq!(server.events("response.cancel").len(), 1);
    assert_eq!(server.events("conversation.item.truncate")[0]["audio_end_ms"], 60);
    assert!(!talk.log().iter().any(|line| line.contains("Problem")), "{:?}", talk.log());
}

#[tokio::test]
async fn a_tool_output_is_answered_by_the_next_response() {
    let replies = vec![Reply::call("send_digits", r#"{"digits":"2"}"#), Reply::say("Thank you.")];
    let server = FakeRealtime::start(Script { replies, ..Script::default() }).await;
    let mut talk = Talk::ready(config(&server)).await;
    talk.send(SpeechCommand::Open { say: None });
    let event = talk.until("a tool call", |event| matches!(event, SpeechEvent::ToolCall { .. })).await;
    let tool = ToolCall::SendDigits { digits: "2".into() };
    assert_eq!(event, SpeechEvent::ToolCall { id: ToolCallId(1), tool });
    talk.send(SpeechCommand::ToolOutput { id: ToolCallId(1), output: "sent".to_owned(), respond: true });
    talk.until_done().await;
    let item = &server.events("conversation.item.create")[0]["item"];
    assert_eq!((&item["type"], &item["output"]), (&"function_call_output".into(), &"sent".into()));
}

#[tokio::test]
async fn the_names_of_the_beta_protocol_are_understood() {
    let server = FakeRealtime::start(Script { names: Names::Beta, ..Script::default() }).await;
    let mut talk = Talk::ready(config(&server)).await;
    talk.send(open("Hello."));
    let utterance = talk.until_done().await;
    assert_eq!(talk.audio(utterance).len(), 6 * 60 * 8);
}

#[tokio::test]
async fn on_hold_nothing_is_heard_or_said() {
    let server = FakeRealtime::start(Script::default()).await;
    let mut talk = Talk::ready(config(&server)).await;
    talk.send(open("Hello."));
    talk.until_done().await;
    talk.send(SpeechCommand::Suspend);
    talk.remote_turn();
    talk.send(SpeechCommand::Say { text: "Are you back?".into() });
    talk.send(SpeechCommand::Resume);
    talk.until_done().await;
    assert_eq!(server.events("input_audio_buffer.append").len(), 0);
    assert_eq!(server.events("input_audio_buffer.clear").len(), 1);
    assert_eq!(server.events("response.create").len(), 2);
}

#[tokio::test]
async fn the_last_words_are_waited_for() {
    let script = Script { heard: vec![Heard::Text("Wait, one more thing".to_owned())], ..Script::default() };
    let server = FakeRealtime::start(script).await;
    let mut talk = Talk::ready(config(&server)).await;
    talk.send(open("Hello."));
    talk.until_done().await;
    talk.remote_tone(20);
    talk.until("speech", |event| *event == SpeechEvent::RemoteSpeechStarted).await;
    talk.send(SpeechCommand::Close);
    talk.until_lost().await;
    let said = talk.log().into_iter().find(|line| line.starts_with("RemoteSaid")).expect("the words came");
    assert!(said.contains("Wait, one more thing"), "{said}");
}

#[tokio::test]
async fn failures_are_reported_and_tried_again() {
    let failed = End::Failed { code: "server_error".to_owned(), message: "Something broke.".to_owned() };
    let replies = vec![Reply::default().end(failed), Reply::say("Here I am again.")];
    let script = Script { replies, heard: vec![Heard::Failed], ..Script::default() };
    let server = FakeRealtime::start(script).await;
    let mut talk = Talk::ready(config(&server)).await;
    talk.send(SpeechCommand::Open { say: None });
    talk.until_done().await;
    talk.remote_turn();
    talk.until("a turn", |event| matches!(event, SpeechEvent::RemoteSaid { text: None, .. })).await;
    let problems: Vec<String> = talk.log().into_iter().filter(|line| line.starts_with("Problem")).collect();
    expect![[r#"
        Problem { code: "server_error", message: "Something broke." }
        Problem { code: "transcription.audio_unintelligible", message: "The audio could not be transcribed." }"#]].assert_eq(&problems.join("\n"));
}

#[tokio::test]
async fn a_check_says_what_to_do() {
    let script = Script { key: Some("sk-right".to_owned()), ..Script::default() };
    let server = FakeRealtime::start(script).await;
    let mut wrong = config(&server);
    let unauthorized = model(wrong.clone()).check().await.unwrap_err();
    assert!(matches!(unauthorized, CheckError::Unauthorized { .. }));
    expect!["gpt-realtime-2.1 at 127.0.0.1 refused the credentials: the server answered 401: Incorrect API key provided.; check the key, and that it may use this model; on Azure the address must end in /openai/v1 without an api-version"].assert_eq(&unauthorized.to_string());
    wrong.auth = offhook_speech::openai::Auth::ApiKey("sk-right".to_owned().into());
    assert_eq!(model(wrong.clone()).check().await.unwrap().what, "gpt-realtime-2.1 at 127.0.0.1");
    wrong.base_url = format!("http://{}/v2", server.address());
    assert!(matches!(model(wrong.clone()).check().await, Err(CheckError::Unusable { .. })));
    drop(server);
    assert!(matches!(model(wrong).check().await, Err(CheckError::Unreachable { .. })));
}

#[tokio::test]
async fn a_refused_session_is_lost_with_the_reason() {
    let refuse_session = Some(("model_not_found".to_owned(), "No such voice.".to_owned()));
    let server = FakeRealtime::start(Script { refuse_session, ..Script::default() }).await;
    let mut talk = Talk::open(config(&server), AudioFormat::Pcmu);
    assert_eq!(talk.until_lost().await, "the server refused the session: No such voice. (model_not_found)");
}

/// More than one TLS provider is linked into the product: there is no default, and none is relied on.
#[tokio::test]
async fn a_server_without_tls_is_an_error_and_no_panic() {
    let server = FakeRealtime::start(Script::default()).await;
    let mut config = config(&server);
    config.base_url = format!("https://{}/v1", server.address());
    let mut talk = Talk::open(config, AudioFormat::Pcmu);
    let why = talk.until_lost().await;
    assert!(!why.is_empty(), "{why}");
}
