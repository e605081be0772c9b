//! baresip is called, and calls: a tone and speech each way, found in both recordings.

use offhook_testkit::programs::baresip::Phone;
use offhook_testkit::programs::{command, start};
use offhook_testkit::tone::{Tone, assert_tone, level_dbfs};
use serde_json::Value;

use crate::gateway::{Gateway, OUR_NUMBER, THEIR_NUMBER};
use crate::waveform::share_heard;

const HZ: f64 = 620.0;
const LEVEL: f64 = -24.0;

/// A sentence as a program on this machine speaks it, 8000 Hz.
async fn spoken(text: &str) -> Vec<i16> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("spoken.wav");
    let mut flite = command("flite");
    flite.args(["-voice", "kal", "-t", text, "-o"]).arg(&file);
    assert!(start(&mut flite).wait().await.unwrap().success());
    let mut wav = hound::WavReader::open(&file).expect("a WAV file");
    assert_eq!((wav.spec().sample_rate, wav.spec().channels), (8_000, 1));
    wav.samples().map(Result::unwrap).collect()
}

/// A tone, a sentence, and silence for the rest of the call.
async fn says() -> (Vec<i16>, Vec<i16>) {
    let sentence = spoken("Good morning, this is the pharmacy on Market Street.").await;
    let mut all = Tone::new(HZ, LEVEL).samples(8_000);
    all.extend([0; 2_400]);
    all.extend(&sentence);
    all.extend(vec![0; 60 * 8_000]);
    (all, sentence)
}

fn phone(says: &[i16]) -> Phone<'_> {
    Phone { user: THEIR_NUMBER, answers: true, says, settings: "", account: "" }
}

/// Both ends recorded the other's sound.
async fn compare(gateway: &Gateway, id: &str, sentence: &[i16], baresip_heard: &[i16]) {
    let (remote, voice) = gateway.recording(id).await;
    assert_tone("offhook", &remote, HZ, LEVEL);
    let heard = share_heard(sentence, &remote);
    assert!(heard > 0.8, "offhook recorded {:.0} % of the sentence", heard * 100.0);
    assert!(level_dbfs(&voice) > -40.0, "the voice is at {:.1} dBFS", level_dbfs(&voice));
    let heard = share_heard(&voice, baresip_heard);
    assert!(heard > 0.8, "baresip heard {:.0} % of the voice", heard * 100.0);
    // Neither side has the other's sound in its own channel.
    assert!(share_heard(sentence, &voice) < 0.2 && share_heard(sentence, baresip_heard) < 0.2);
}

fn voice_said(call: &Value, words: &str) -> bool {
    let turns = call["transcript"].as_array().into_iter().flatten();
    turns.into_iter().any(|turn| {
        turn["role"] == "assistant" && turn["text"].as_str().is_some_and(|text| text.contains(words))
    })
}

#[tokio::test]
async fn baresip_answers_and_both_recordings_hold_the_other_side() {
    let (says, sentence) = says().await;
    let mut baresip = phone(&says).start().await;
    let gateway = Gateway::start(baresip.addr, "").await;
    let id = gateway.place("Ask whether they are open on Sunday.").await;
    baresip.until("CALL_ESTABLISHED").await;
    gateway.journal_until(&id, "turn.voice").await;
    baresip.hold(true).await;
    gateway.journal_until(&id, "leg.held").await;
    baresip.hold(false).await;
    gateway.journal_until(&id, "leg.resumed").await;
    baresip.hang_up().await;

    let call = gateway.finalized(&id).await;
    assert_eq!(
        (&call["outcome"], &call["end_reason"]),
        (&"answered".into(), &"remote.hung_up".into()),
        "{call}"
    );
    assert!(voice_said(&call, "this is an AI assistant"), "{call}");
    compare(&gateway, &id, &sentence, &baresip.heard().await).await;
    gateway.stop().await;
}

#[tokio::test]
async fn baresip_calls_and_is_answered() {
    let (says, sentence) = says().await;
    let mut baresip = phone(&says).start().await;
    let inbound = "inbound.instructions = \"Take a message.\"\ninbound.greeting = \"Mira's line.\"";
    let gateway = Gateway::start(baresip.addr, inbound).await;
    baresip.dial(&format!("sip:{OUR_NUMBER}@{}", gateway.sip)).await;
    baresip.until("CALL_ESTABLISHED").await;
    let id = gateway.latest().await;
    gateway.journal_until(&id, "turn.voice").await;
    baresip.hang_up().await;

    let call = gateway.finalized(&id).await;
    assert_eq!((&call["direction"], &call["outcome"]), (&"inbound".into(), &"answered".into()), "{call}");
    assert!(voice_said(&call, "Mira's line"), "{call}");
    compare(&gateway, &id, &sentence, &baresip.heard().await).await;
    gateway.stop().await;
}
