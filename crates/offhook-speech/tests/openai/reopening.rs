//! Losing the connection, and going on.

use std::time::Duration;

use expect_test::expect;
use offhook_core::audio::AudioFormat;
use offhook_core::audio::g711::Law;
use offhook_core::brief::Language;
use offhook_core::call::{SpeechCommand, SpeechEvent, Utterance};
use offhook_speech::local::{self, Local, Synthesizer, tagged};
use offhook_speech::openai::OpenAi;
use offhook_speech::{Model, SpeechOutput};
use offhook_testkit::realtime::{End, FakeRealtime, Heard, Reply, Script};

use crate::talk::{Talk, config, prompt};

fn reopened(event: &SpeechEvent) -> bool {
    *event == SpeechEvent::Reopened
}

#[tokio::test]
async fn a_lost_connection_is_reopened_with_the_conversation_so_far() {
    let replies = vec![
        Reply::say("For two people, at seven, and by the window if you can.").end(End::Drop),
        Reply::say("Sorry, the line had a short problem. What did you say?"),
    ];
    let heard = vec![Heard::Text("Joe's, hello?".to_owned())];
    let server = FakeRealtime::start(Script { replies, heard, ..Script::default() }).await;
    let mut talk = Talk::ready(config(&server)).await;
    talk.send(SpeechCommand::Open { say: Some("Hello, this is an AI assistant.".into()) });
    talk.until_done().await;
    talk.until_sent(&server, "session.update", 2).await;
    talk.remote_turn();
    talk.until("Reopened", reopened).await;
    talk.until_done().await;
    assert_eq!(server.connections(), 2);
    let said: Vec<String> = server
        .events("conversation.item.create")
        .iter()
        .map(|event| format!("{} {}", event["item"]["role"], event["item"]["content"][0]["text"]))
        .collect();
    expect![[r#"
        "assistant" "Hello, this is an AI assistant."
        "user" "Joe's, hello?"
        "assistant" "For two people, at seven,""#]]
    .assert_eq(&said.join("\n"));
    expect![[r#"
        Ready { model: "gpt-realtime-2.1" }
        audio 1 14880 bytes
        UtteranceDone 1
        VoiceText 1 "Hello, this is an AI assistant."
        Opened 1
        RemoteSpeechStarted
        RemoteSpeechStopped
        RemoteSaid "Joe's, hello?", 0-900 ms
        audio 2 13600 bytes
        Reopening { why: "the connection broke off" }
        UtteranceDone 2
        VoiceText 2 "For two people, at seven,"
        Reopened
        audio 3 25920 bytes
        UtteranceDone 3"#]]
    .assert_eq(&talk.log().join("\n"));
}

#[tokio::test]
async fn a_second_loss_is_the_end() {
    let server = FakeRealtime::start(Script::default()).await;
    let mut talk = Talk::ready(config(&server)).await;
    server.break_connections();
    talk.until("Reopened", reopened).await;
    server.break_connections();
    assert!(talk.until_lost().await.contains("connection"));
}

#[tokio::test]
async fn a_server_that_is_busy_for_a_moment_is_tried_again() {
    let server = FakeRealtime::start(Script::default()).await;
    let mut talk = Talk::ready(config(&server)).await;
    server.refuse_connections(2);
    server.break_connections();
    talk.until("Reopened", reopened).await;
    assert_eq!(server.connections(), 2);
}

/// What the remote says in the meantime is not lost.
#[tokio::test]
async fn the_remote_is_heard_across_the_gap() {
    let server = FakeRealtime::start(Script::default()).await;
    let mut talk = Talk::ready(config(&server)).await;
    talk.send(SpeechCommand::Open { say: Some("Hello.".into()) });
    talk.until_done().await;
    server.break_connections();
    talk.until("Reopening", |event| matches!(event, SpeechEvent::Reopening { .. })).await;
    talk.remote_turn();
    let said = talk.until("words", |event| matches!(event, SpeechEvent::RemoteSaid { .. })).await;
    let SpeechEvent::RemoteSaid { text: Some(_), started_ms, ended_ms, .. } = said else {
        panic!("{said:?}")
    };
    assert_eq!((started_ms, ended_ms), (0, 900));
}

#[tokio::test]
async fn an_expired_session_right_after_its_start_counts_as_a_loss() {
    let server =
        FakeRealtime::start(Script { expires_in: Duration::from_secs(60), ..Script::default() }).await;
    let mut talk = Talk::ready(config(&server)).await;
    server.expire_sessions();
    talk.until("Reopened", reopened).await;
    server.expire_sessions();
    assert_eq!(talk.until_lost().await, "Your session hit the maximum duration of 60 minutes.");
}

/// A model that is lost in mid-call leaves nobody with a dead line: tones where nothing can speak, else a sentence.
#[tokio::test]
async fn the_last_thing_before_a_loss_is_an_apology() {
    for (synthesizer, words) in [(None, None), (Some(tagged()), Some(Language::of("en").apology))] {
        let server = FakeRealtime::start(Script::default()).await;
        let openai = OpenAi::new(config(&server)).unwrap();
        let openai = match synthesizer {
            Some(synthesizer) => openai.with_synthesizer(synthesizer),
            None => openai,
        };
        let mut talk = Talk::new(Model::OpenAi(openai).open(prompt(AudioFormat::Pcmu)));
        talk.until("Ready", |event| matches!(event, SpeechEvent::Ready { .. })).await;
        talk.send(SpeechCommand::Open { say: Some("Hello.".into()) });
        let opening = talk.until_done().await;
        server.break_connections();
        talk.until("Reopened", reopened).await;
        talk.until_done().await;
        server.break_connections();
        talk.until_lost().await;
        let last = Utterance(opening.0 + 2);
        let mut samples = Vec::new();
        Law::Mu.decode_into(&talk.audio(last), &mut samples);
        assert_eq!(tagged::decode(&samples).as_deref(), words);
        assert!(samples.len() >= 7_900, "a second at least");
        let text = talk.outputs.iter().find_map(|output| match output {
            SpeechOutput::Event(SpeechEvent::VoiceText { utterance, text }) if *utterance == last => {
                Some(text)
            }
            _ => None,
        });
        assert_eq!(text.map(|text| text.as_str()), words, "the transcript tells what was said");
        let end: Vec<String> = talk.log().into_iter().rev().take(2).collect();
        assert!(end[0].starts_with("Lost") && end[1] == format!("UtteranceDone {}", last.0), "{end:?}");
    }
}

fn tagged() -> Synthesizer {
    Local::find(local::Config::tagged()).unwrap().synthesizer().clone()
}

/// Before the first words nobody listens, and after the goodbye nothing is missing.
#[tokio::test]
async fn nobody_apologises_for_a_loss_that_nobody_notices() {
    let replies = vec![Reply::call("end_call", r#"{"reason":"done","result":null}"#)];
    let server = FakeRealtime::start(Script { replies, ..Script::default() }).await;
    for ends in [false, true] {
        let mut talk = Talk::ready(config(&server)).await;
        if ends {
            talk.send(SpeechCommand::Open { say: None });
            talk.until("the end", |event| matches!(event, SpeechEvent::ToolCall { .. })).await;
        }
        server.break_connections();
        talk.until("Reopened", reopened).await;
        server.break_connections();
        talk.until_lost().await;
        let audio = talk.outputs.iter().filter(|output| matches!(output, SpeechOutput::Audio { .. })).count();
        assert_eq!(audio, 0, "{:?}", talk.log());
    }
}
