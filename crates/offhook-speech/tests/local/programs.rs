//! The programs of the machine: what flite says over a telephone line, pocketsphinx understands in its keywords.
//!
//! Needs `flite`, `pocketsphinx` and `pocketsphinx-en-us` of Debian; `./test` installs them.

use std::time::Duration;

use offhook_core::audio::g711::Law;
use offhook_core::call::{SpeechCommand, SpeechEvent, ToolCall};
use offhook_speech::Model;
use offhook_speech::local::{Config, FindError, Local, SynthesizerConfig};

use crate::phone::Phone;

fn local() -> Local {
    Local::find(Config::default()).expect("flite and pocketsphinx are installed")
}

fn over_the_telephone(samples: &[i16]) -> Vec<i16> {
    let (mut bytes, mut back) = (Vec::new(), Vec::new());
    Law::Mu.encode_into(samples, &mut bytes);
    Law::Mu.decode_into(&bytes, &mut back);
    back
}

#[tokio::test]
async fn keywords_come_through_a_telephone_line() {
    let sentences = [
        ("For opening hours, press one. For appointments, press two.", "appointments press two"),
        ("Before I can help you, what is your date of birth?", "date of birth"),
        ("Please leave a message after the tone.", "leave a message after the tone"),
        ("Please hold. We will connect you.", "please hold"),
        ("Please read me the one time code.", "one time code"),
        ("Can you connect me to them?", "connect me to them"),
        ("Thank you for calling. Goodbye.", "goodbye"),
    ];
    let local = local();
    let mut missed = Vec::new();
    for (sentence, keywords) in sentences {
        let spoken = local.synthesizer().speak(sentence, "chris").await.unwrap();
        let heard = local.recognizer().recognize(&over_the_telephone(&spoken), "en-US").await.unwrap();
        let text = heard.as_ref().map_or("", |heard| heard.text.as_str());
        if !text.contains(keywords) {
            missed.push(format!("{sentence} -> {heard:?}"));
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

#[tokio::test]
async fn what_is_no_speech_is_not_understood() {
    let silence = vec![0; 16_000];
    let tone: Vec<i16> = (0..16_000).map(|n| (8_000.0 * (n as f32 * 0.35).sin()) as i16).collect();
    let mut state = 1_u32;
    let noise: Vec<i16> = (0..16_000)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((state >> 16) as i32 % 6_001 - 3_000) as i16
        })
        .collect();
    for samples in [silence, tone, noise] {
        let heard = local().recognizer().recognize(&samples, "en-US").await.unwrap();
        assert_eq!(heard, None);
    }
}

#[tokio::test]
async fn a_sentence_is_spoken_once_and_then_remembered() {
    let local = local();
    let first = local.synthesizer().speak("Thank you. Goodbye.", "jessica").await.unwrap();
    let again = local.synthesizer().clone().speak("Thank you. Goodbye.", "jessica").await.unwrap();
    assert!(std::sync::Arc::ptr_eq(&first, &again));
    assert!((4_000..24_000).contains(&first.len()), "{} samples", first.len());
    let other = local.synthesizer().speak("Thank you. Goodbye.", "chris").await.unwrap();
    assert_ne!(first, other);
}

/// In real time: the programs take as long as they take.
#[tokio::test]
async fn a_phone_menu_is_heard_and_its_key_pressed() {
    let local = local();
    let prompt =
        "Thank you for calling City Clinic. For opening hours, press one. For appointments, press two.";
    let prompt = local.synthesizer().speak(prompt, "chris").await.unwrap();
    let mut phone = Phone::call(&local, "Ask for an appointment on Thursday afternoon.");
    phone.play(&prompt);
    phone.open();
    phone
        .until("the key", 20_000, |phone| {
            phone.events.iter().any(|event| {
                matches!(event, SpeechEvent::ToolCall { tool: ToolCall::SendDigits { digits }, .. } if digits == "2")
            })
        })
        .await;
    phone.send(SpeechCommand::Close);
    phone
        .until("the end", 5_000, |phone| matches!(phone.events.last(), Some(SpeechEvent::Lost { .. })))
        .await;
}

#[tokio::test]
async fn a_missing_program_is_named_with_what_to_do() {
    let config = Config { synthesizer: SynthesizerConfig::Say, ..Config::default() };
    // `say` is of macOS; where it exists there is nothing to miss.
    if cfg!(not(target_os = "macos")) {
        let error = Local::find(config).unwrap_err();
        assert!(matches!(error, FindError::NoProgram { name: "say", .. }));
        assert!(error.to_string().contains("speech.local"), "{error}");
    }
    let checked =
        tokio::time::timeout(Duration::from_secs(30), Model::Local(local()).check()).await.unwrap().unwrap();
    assert_eq!(checked.what, "local (flite, pocketsphinx, script)");
}

/// Better English that is understood than German that nobody can understand.
#[test]
fn a_language_no_part_knows_is_said_part_by_part_and_english_is_spoken() {
    let model = Model::Local(local());
    assert_eq!(model.language_for("en-GB"), "en-GB");
    assert_eq!(model.language_for("de-DE"), "en-US");
    expect_test::expect![[r#"
        flite knows English, not de-DE
        pocketsphinx knows English, not de-DE
        the script knows English, not de-DE"#]]
    .assert_eq(&model.language_problems("de-DE").join("\n"));
}
