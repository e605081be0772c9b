//! Sound and keys: what one side says is what the other hears.

use std::time::Duration;

use offhook_testkit::acs::{finds, speech};
use offhook_testkit::realtime::{Reply, reply_samples};
use offhook_testkit::tone::{level_at, level_dbfs};
use serde_json::json;

use super::rig::{CALLEE, HELLO, MS_PER_CHAR, OPENING, Setup, TONE_HZ, ending, goodbye};

/// The tone that the model says this text with.
fn said(text: &str) -> Vec<i16> {
    reply_samples(TONE_HZ, text.chars().count() as u32 * MS_PER_CHAR)
}

#[tokio::test]
async fn sound_passes_sample_for_sample_both_ways() {
    let answer = "We would like to come on Thursday afternoon, at three.";
    let rig = Setup::new(vec![Reply::say(answer)], &[HELLO, "How can I help?"]).start().await;
    let (call, person) = rig.greeted(&rig.owner(), CALLEE).await;
    assert_eq!(person.seen().rate(), 24_000);
    let question = speech(24_000, 900, 2);
    person.says(&question).await;
    let expected = [said(OPENING), said(answer)];
    let total = expected.iter().map(Vec::len).sum();
    let seen = person.until_received(total).await;
    let received = seen.sound.received();
    for expected in &expected {
        assert!(finds(&received, expected).is_some(), "the person hears every sample the model said");
    }
    let heard = rig.model_heard(1);
    for spoken in [speech(24_000, 700, 1), question] {
        assert!(finds(&heard, &spoken).is_some(), "the model hears every sample the person said");
    }
    person.hang_up();
    assert_eq!(ending(&call.over().await), ("answered", "remote.hung_up"));
    rig.stop().await;
}

#[tokio::test]
async fn a_stream_at_16_khz_is_resampled_both_ways() {
    let answer = "We would like to come on Thursday afternoon, at three.";
    let setup = Setup::new(vec![Reply::say(answer)], &[HELLO]).carrier("audio = \"16khz\"");
    let rig = setup.start().await;
    let (call, person) = rig.connected(&rig.owner(), CALLEE).await;
    assert_eq!(person.seen().rate(), 16_000);
    // A tone of 600 ms, as somebody who whistles.
    let tone = |rate: u32| -> Vec<i16> {
        let sample =
            |n: u32| 8_000.0 * (std::f64::consts::TAU * 1_000.0 * f64::from(n) / f64::from(rate)).sin();
        (0..rate * 6 / 10).map(|n| sample(n) as i16).collect()
    };
    person.says(&tone(16_000)).await;
    call.until_code("turn.voice").await;
    let up = rig.model_heard(1);
    let start = up.iter().position(|sample| sample.unsigned_abs() > 2_000).expect("the model hears it");
    let (heard, whole) = (&up[start + 2_400..start + 9_600], tone(24_000));
    assert!((level_at(heard, 24_000.0, 1_000.0) - level_dbfs(&whole)).abs() < 0.5, "at its own level");
    assert!((level_dbfs(heard) - level_at(heard, 24_000.0, 1_000.0)).abs() < 0.3, "and nothing beside it");

    let opening_ms = OPENING.chars().count() as u32 * MS_PER_CHAR;
    let seen = person.until_received((opening_ms * 16 - 640) as usize).await;
    let down = seen.sound.received();
    let start = down.iter().position(|sample| sample.unsigned_abs() > 2_000).expect("the person hears it");
    let (heard, whole) = (&down[start + 1_600..start + 8_000], said(OPENING));
    let level = level_at(heard, 16_000.0, f64::from(TONE_HZ));
    assert!((level - level_dbfs(&whole)).abs() < 0.5, "at its own level: {level}");
    person.hang_up();
    call.over().await;
    rig.stop().await;
}

#[tokio::test]
async fn keys_go_both_ways_through_a_menu() {
    let replies = vec![Reply::call("send_digits", r##"{"digits":"2#"}"##), goodbye("Thank you, goodbye.")];
    let rig = Setup::new(replies, &[HELLO, "Press two and hash.", "You are connected."]).start().await;
    let (call, person) = rig.greeted(&rig.owner(), CALLEE).await;
    assert_eq!(person.seen().media_options["enableDtmfTones"], true);
    person.press("7*");
    person.says(&speech(24_000, 700, 2)).await;
    person.until("the keys", |seen| (seen.digits == "2#").then_some(())).await;
    person.until_told("SendDtmfTonesCompleted").await;
    person.says(&speech(24_000, 700, 3)).await;
    let over = call.over().await;
    assert_eq!(ending(&over), ("answered", "voice.finished"));
    let journal = call.journal().await;
    let of = |code: &str, field: &str| -> String {
        let found = journal.iter().filter(|event| event["code"] == code);
        found.map(|event| event[field].as_str().unwrap_or_default()).collect()
    };
    assert_eq!(of("leg.digit_received", "digit"), "7*");
    assert_eq!(of("leg.digits_sent", "digits"), "2#");
    rig.stop().await;
}

#[tokio::test]
async fn a_media_socket_that_breaks_is_taken_up_again() {
    let answer = "We would like to come on Thursday.";
    let rig = Setup::new(vec![Reply::say(answer)], &[HELLO, "How can I help?"]).start().await;
    let (call, person) = rig.greeted(&rig.owner(), CALLEE).await;
    person.break_media();
    person
        .until("another socket", |seen| (seen.sockets.len() == 2 && seen.open_sockets() == 1).then_some(()))
        .await;
    let question = speech(24_000, 900, 2);
    person.says(&question).await;
    let seen = person.until_received(said(OPENING).len() + said(answer).len()).await;
    assert!(finds(&seen.sound.received(), &said(answer)).is_some(), "the voice is heard again");
    rig.until_model_heard(1, &question).await;
    assert_eq!(rig.model.connections(), 1, "the model noticed nothing");
    person.hang_up();
    assert_eq!(ending(&call.over().await), ("answered", "remote.hung_up"));
    rig.stop().await;
}

#[tokio::test]
async fn nonsense_on_the_socket_harms_no_call() {
    let answer = "We would like to come on Thursday.";
    let rig = Setup::new(vec![Reply::say(answer)], &[HELLO, "How can I help?"]).start().await;
    let (call, person) = rig.greeted(&rig.owner(), CALLEE).await;
    for text in [
        "",
        "not JSON",
        "{",
        "[]",
        "null",
        r#"{"kind":"AudioData"}"#,
        r#"{"kind":"AudioData","audioData":{"data":"!!!"}}"#,
        r#"{"kind":"AudioData","audioData":{"data":"AAA="}}"#,
        r#"{"kind":"AudioData","audioData":{"data":7,"silent":"no"}}"#,
        r#"{"kind":"DtmfData","dtmfData":{"data":"ninety-nine"}}"#,
        r#"{"kind":"SomethingNew","somethingNew":{}}"#,
    ] {
        person.text(text);
    }
    person.binary(&[0, 159, 146, 150]);
    let question = speech(24_000, 900, 2);
    person.says(&question).await;
    person.until_received(said(OPENING).len() + said(answer).len()).await;
    assert!(finds(&rig.model_heard(1), &question).is_some());
    assert_eq!(person.seen().sockets.len(), 1, "the connection stood");
    person.hang_up();
    assert_eq!(ending(&call.over().await), ("answered", "remote.hung_up"));
    rig.stop().await;
}

#[tokio::test]
async fn media_that_stalls_is_noticed() {
    let setup = Setup::new(vec![Reply::say("Certainly.")], &[HELLO]);
    let rig = setup
        .change(|config| {
            let timing = &mut config.acs.as_mut().unwrap().carrier.timing;
            (timing.stall, timing.reconnect) = (Duration::from_millis(600), Duration::from_millis(600));
        })
        .start()
        .await;
    let (call, person) = rig.greeted(&rig.owner(), CALLEE).await;
    person.stall_media(Duration::from_secs(15));
    let over = call.over().await;
    assert_eq!(ending(&over), ("answered", "carrier.media_lost"));
    assert_eq!(over["outcome_detail"]["reason"]["retryable"], json!(false), "{over:#}");
    rig.model.until_closed().await;
    rig.app.shutdown().await;
}
