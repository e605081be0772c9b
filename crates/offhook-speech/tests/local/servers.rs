//! The parts that are servers, against fakes on the loopback interface.

use std::time::Duration;

use expect_test::expect;
use offhook_core::call::{SpeechCommand, SpeechEvent};
use offhook_speech::local::{
    BrainConfig, Config, Local, RecognizerConfig, Server, SynthesizerConfig, tagged,
};
use offhook_speech::{CheckError, Model};
use serde_json::{Value, json};
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::phone::Phone;

fn server(fake: &MockServer) -> Server {
    Server {
        base_url: format!("{}/v1", fake.uri()),
        api_key: Some("secret".into()),
        model: "small".to_owned(),
    }
}

/// 16 bit mono at this rate, written as servers that stream do: without a length.
fn wav(samples: &[i16], rate: u32) -> Vec<u8> {
    let mut wav = b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
    wav.extend(rate.to_le_bytes());
    wav.extend((rate * 2).to_le_bytes());
    wav.extend(b"\x02\0\x10\0LIST\x03\0\0\0abc\0data\xff\xff\xff\xff");
    wav.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    wav
}

#[tokio::test]
async fn a_speech_server_is_asked_for_wav_and_brought_to_the_telephone_rate() {
    let fake = MockServer::start().await;
    let tone: Vec<i16> = (0..24_000).map(|n| (8_000.0 * (n as f32 * 0.157).sin()) as i16).collect();
    Mock::given(method("POST"))
        .and(path("/v1/audio/speech"))
        .and(header("authorization", "Bearer secret"))
        .respond_with(ResponseTemplate::new(200).set_body_bytes(wav(&tone, 24_000)))
        .expect(1)
        .mount(&fake)
        .await;
    let config = Config {
        synthesizer: SynthesizerConfig::Http(server(&fake)),
        voices: [("jessica".to_owned(), "af_bella".to_owned())].into(),
        ..Config::tagged()
    };
    let local = Local::find(config).unwrap();
    let spoken = local.synthesizer().speak("Good morning.", "jessica").await.unwrap();
    local.synthesizer().speak("Good morning.", "jessica").await.unwrap();
    assert_eq!(spoken.len(), 8_000);
    let crossings = spoken.windows(2).filter(|pair| pair[0] < 0 && pair[1] >= 0).count();
    assert!((595..=605).contains(&crossings), "600 Hz became {crossings} Hz");
    let asked: Value = fake.received_requests().await.unwrap()[0].body_json().unwrap();
    let expected =
        json!({"model": "small", "input": "Good morning.", "voice": "af_bella", "response_format": "wav"});
    assert_eq!(asked, expected);
}

#[tokio::test]
async fn a_transcription_server_is_believed_unless_it_doubts_itself() {
    let answers = [
        (json!({"text": "Thursday at three."}), Some(("Thursday at three.", None))),
        (
            json!({"text": " Yes. ", "segments": [{"avg_logprob": -0.105, "no_speech_prob": 0.01}]}),
            Some(("Yes.", Some(900))),
        ),
        (
            json!({"text": "Thanks for watching!", "segments": [{"avg_logprob": -0.7, "no_speech_prob": 0.9}]}),
            None,
        ),
        (json!({"text": "Blah", "segments": [{"avg_logprob": -1.4, "no_speech_prob": 0.1}]}), None),
        (json!({"text": " . "}), None),
        (json!({"text": ""}), None),
    ];
    for (answer, expected) in answers {
        let fake = MockServer::start().await;
        Mock::given(method("POST"))
            .and(path("/v1/audio/transcriptions"))
            .respond_with(ResponseTemplate::new(200).set_body_json(&answer))
            .mount(&fake)
            .await;
        let config = Config { recognizer: RecognizerConfig::Http(server(&fake)), ..Config::tagged() };
        let local = Local::find(config).unwrap();
        let heard = local.recognizer().recognize(&[100; 1_600], "en-GB").await.unwrap();
        let heard = heard.map(|heard| (heard.text, heard.confidence));
        assert_eq!(heard, expected.map(|(text, confidence)| (text.to_owned(), confidence)), "{answer}");
        let body = String::from_utf8_lossy(&fake.received_requests().await.unwrap()[0].body).into_owned();
        for part in ["name=\"model\"", "small", "name=\"language\"", "en", "filename=\"turn.wav\"", "RIFF"] {
            assert!(body.contains(part), "{part}");
        }
    }
}

/// Newer models refuse what says how sure Whisper is, and say it in another way; the smallest servers don't say it at all.
#[tokio::test]
async fn a_server_that_refuses_a_format_is_asked_for_another_and_only_once() {
    let refused =
        || ResponseTemplate::new(400).set_body_string("response_format 'verbose_json' is not compatible");
    let sure = json!({"text": "Yes.", "logprobs": [{"token": "Yes", "logprob": -0.1}, {"token": ".", "logprob": -0.11}]});
    let silent = json!({"text": "Yes."});
    let table = [
        (vec![refused(), ResponseTemplate::new(200).set_body_json(&sure)], Some(900), 1),
        (vec![refused(), refused(), ResponseTemplate::new(200).set_body_json(&silent)], None, 2),
    ];
    for (answers, confidence, refusals) in table {
        let fake = MockServer::start().await;
        Mock::given(path("/v1/audio/transcriptions")).respond_with(InTurn::new(answers)).mount(&fake).await;
        let config = Config { recognizer: RecognizerConfig::Http(server(&fake)), ..Config::tagged() };
        let local = Local::find(config).unwrap();
        for _ in 0..2 {
            let heard = local.recognizer().recognize(&[100; 1_600], "en-GB").await.unwrap().unwrap();
            assert_eq!((heard.text.as_str(), heard.confidence), ("Yes.", confidence));
        }
        assert_eq!(fake.received_requests().await.unwrap().len(), refusals + 2);
    }
}

/// Answers the first request with the first of these, and so on; the last stays.
struct InTurn(Vec<ResponseTemplate>, std::sync::atomic::AtomicUsize);

impl InTurn {
    fn new(answers: Vec<ResponseTemplate>) -> Self {
        Self(answers, std::sync::atomic::AtomicUsize::new(0))
    }
}

impl Respond for InTurn {
    fn respond(&self, _: &Request) -> ResponseTemplate {
        let at = self.1.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        self.0[at.min(self.0.len() - 1)].clone()
    }
}

/// A streamed answer of these deltas.
fn stream(deltas: &[Value]) -> ResponseTemplate {
    let mut body = ": hello\n\n".to_owned();
    for delta in deltas {
        body.push_str(&format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": delta}]})));
    }
    body.push_str("data: [DONE]\n\n");
    ResponseTemplate::new(200).set_body_raw(body, "text/event-stream")
}

async fn chat(answers: Vec<ResponseTemplate>) -> (MockServer, Phone) {
    let fake = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/v1/chat/completions"))
        .respond_with(InTurn::new(answers))
        .mount(&fake)
        .await;
    let config = Config { brain: BrainConfig::Http(server(&fake)), ..Config::tagged() };
    let phone = Phone::call(&Local::find(config).unwrap(), "Book a table for two.");
    (fake, phone)
}

async fn asked(fake: &MockServer, index: usize) -> Vec<String> {
    let body: Value = fake.received_requests().await.unwrap()[index].body_json().unwrap();
    let messages = body["messages"].as_array().unwrap().iter().skip(1);
    messages
        .map(|message| {
            let content = match &message["tool_calls"] {
                Value::Null => message["content"].as_str().unwrap().to_owned(),
                calls => calls[0]["function"]["name"].as_str().unwrap().to_owned(),
            };
            format!("{}: {content}", message["role"].as_str().unwrap())
        })
        .collect()
}

fn text_of(phone: &Phone) -> String {
    phone.talk().collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_chat_model_talks_sentence_by_sentence_and_calls_tools() {
    let answers = vec![
        stream(&[
            json!({"content": "I would like to book"}),
            json!({"content": " a table. For two"}),
            json!({"content": " people."}),
        ]),
        stream(&[
            json!({"content": "Thank you, goodbye."}),
            json!({"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "end_call", "arguments": "{\"reason\":\"booked\","}}]}),
            json!({"tool_calls": [{"index": 0, "function": {"arguments": "\"result\":null}"}}]}),
        ]),
    ];
    let (fake, mut phone) = chat(answers).await;
    phone.open();
    phone.voice_says("For two people.").await;
    phone.say("Seven o'clock is free. I have booked it.");
    phone
        .until("the end of the call", 10_000, |phone| {
            phone.events.iter().any(|event| matches!(event, SpeechEvent::ToolCall { .. }))
        })
        .await;
    expect![[r#"
        ready: local (tagged tones, tagged tones, small)
        we: Hello, this is an AI assistant, and this call is recorded.
        we: I would like to book a table. For two people.
        they begin
        they stop
        they: Seven o'clock is free. I have booked it.
        we: Thank you, goodbye.
        end_call booked"#]]
    .assert_eq(&text_of(&phone));
    expect![[r#"
        assistant: Hello, this is an AI assistant, and this call is recorded.
        assistant: I would like to book a table. For two people.
        user: Seven o'clock is free. I have booked it."#]]
    .assert_eq(&asked(&fake, 1).await.join("\n"));
    assert_eq!(tagged::decode(&phone.spoken).unwrap().matches("For two people.").count(), 1);
}

#[tokio::test]
async fn the_history_of_a_chat_holds_what_was_heard_of_an_interrupted_answer() {
    let long = "I would like to book a table for two people tomorrow evening at seven o'clock, by the window if that can be done.";
    let (fake, mut phone) =
        chat(vec![stream(&[json!({"content": long})]), stream(&[json!({"content": "At seven."})])]).await;
    phone.open();
    phone
        .until("the answer", 10_000, |phone| {
            phone
                .events
                .iter()
                .any(|event| matches!(event, SpeechEvent::VoiceText { text, .. } if text == long))
        })
        .await;
    phone.voice_reaches(2, 1_200).await;
    phone.barge_in();
    phone.say("When?");
    phone.voice_says("At seven.").await;
    expect![[r#"
        assistant: Hello, this is an AI assistant, and this call is recorded.
        assistant: I would like to book a table for two people tomorrow — [interrupted]
        user: When?"#]]
    .assert_eq(&asked(&fake, 1).await.join("\n"));
}

#[tokio::test]
async fn a_broken_chat_server_is_admitted_and_after_two_failures_the_call_ended() {
    let (_fake, mut phone) = chat(vec![ResponseTemplate::new(503).set_body_string("overloaded")]).await;
    phone.open();
    phone.voice_says("technical problem").await;
    phone.say("Hello?");
    phone
        .until("the end of the call", 10_000, |phone| {
            phone.events.iter().any(|event| matches!(event, SpeechEvent::ToolCall { .. }))
        })
        .await;
    let text = text_of(&phone);
    assert!(text.contains("brain") && text.contains("503") && text.contains("I will call back"), "{text}");
}

#[tokio::test]
async fn a_note_that_asks_for_a_turn_gets_one() {
    let answers =
        vec![stream(&[json!({"content": "Hello."})]), stream(&[json!({"content": "I must go now."})])];
    let (fake, mut phone) = chat(answers).await;
    phone.open();
    phone.voice_says("Hello.").await;
    phone.send(SpeechCommand::Note { text: "Time is up.".into(), respond: true });
    phone.voice_says("I must go now.").await;
    assert_eq!(asked(&fake, 1).await.last().unwrap(), "system: Time is up.");
}

#[tokio::test]
async fn a_synthesizer_that_keeps_failing_is_a_lost_voice_and_not_silence() {
    let fake = MockServer::start().await;
    let config = Config { synthesizer: SynthesizerConfig::Http(server(&fake)), ..Config::tagged() };
    let mut phone = Phone::call(&Local::find(config).unwrap(), "Say that it is late. Ask for the time.");
    phone.open();
    phone.send(SpeechCommand::Say { text: "One. And then two things. And then three things.".into() });
    phone
        .until("the loss", 10_000, |phone| {
            phone.events.iter().any(|event| matches!(event, SpeechEvent::Lost { .. }))
        })
        .await;
    phone.for_ms(1_000).await;
    let losses = phone.events.iter().filter(|event| matches!(event, SpeechEvent::Lost { .. })).count();
    assert_eq!(losses, 1, "{}", text_of(&phone));
    assert!(
        phone
            .events
            .iter()
            .any(|event| matches!(event, SpeechEvent::Problem { code, .. } if code == "synthesizer"))
    );
}

#[tokio::test]
async fn a_check_says_what_is_wrong_with_a_server() {
    let refusing = MockServer::start().await;
    Mock::given(path("/v1/models")).respond_with(ResponseTemplate::new(401)).mount(&refusing).await;
    let nobody =
        Server { base_url: "http://127.0.0.1:9/v1".to_owned(), api_key: None, model: "x".to_owned() };
    for (brain, unauthorized) in [(server(&refusing), true), (nobody, false)] {
        let local = Local::find(Config { brain: BrainConfig::Http(brain), ..Config::tagged() }).unwrap();
        let checked =
            tokio::time::timeout(Duration::from_secs(10), Model::Local(local).check()).await.unwrap();
        let error = checked.unwrap_err();
        assert_eq!(matches!(error, CheckError::Unauthorized { .. }), unauthorized, "{error}");
        assert_eq!(matches!(error, CheckError::Unreachable { .. }), !unauthorized, "{error}");
        assert!(!error.to_string().contains("secret"));
    }
}
