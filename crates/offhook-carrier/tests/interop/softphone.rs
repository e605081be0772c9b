//! Calls to and from baresip: both ends hear the other's tone, at the level it was sent with.

use offhook_carrier::{Leg, LegOutput};
use offhook_core::audio::FRAME;
use offhook_core::{AudioFormat, LegEvent};
use tokio::time::{interval, timeout};

use crate::baresip::Phone;
use crate::program::PATIENCE;
use crate::rig::{HANG_UP, OUR_NUMBER, Rig, THEIR_NUMBER, event};
use crate::sound::{Tone, level_at, level_dbfs, samples_of};

const OUR_HZ: f64 = 440.0;
const THEIR_HZ: f64 = 1_000.0;
const OUR_LEVEL: f64 = -20.0;
const THEIR_LEVEL: f64 = -26.0;

/// Talk and listen for a second and a half.
async fn talk(leg: &mut Leg, format: AudioFormat) -> Vec<i16> {
    let mut tone = Tone::new(OUR_HZ, OUR_LEVEL);
    let mut beat = interval(FRAME);
    let mut heard = Vec::new();
    let talked = timeout(PATIENCE, async {
        while heard.len() < 12_000 {
            tokio::select! {
                _ = beat.tick() => leg.play(&tone.frame(format)),
                output = leg.next() => match output {
                    LegOutput::Audio(frame) => heard.extend(samples_of(&frame)),
                    LegOutput::Event(event) => panic!("{event:?} while talking"),
                },
            }
        }
    });
    talked.await.expect("a second and a half of sound");
    heard
}

/// The loudest half second holds this tone at this level, and next to nothing else.
#[track_caller]
fn assert_tone(who: &str, heard: &[i16], hz: f64, level: f64) {
    let best = heard
        .windows(4_000)
        .step_by(400)
        .max_by(|a, b| level_at(a, 8_000.0, hz).total_cmp(&level_at(b, 8_000.0, hz)));
    let best = best.unwrap_or_else(|| panic!("{who} heard only {} samples", heard.len()));
    let (tone, all) = (level_at(best, 8_000.0, hz), level_dbfs(best));
    assert!((tone - level).abs() < 1.0, "{who} heard {hz} Hz at {tone:.1} dBFS, not {level}");
    assert!(
        (all - tone).abs() < 0.5,
        "{who} heard more than the tone: {all:.1} dBFS in all, {tone:.1} of it"
    );
}

fn phone(says: &[i16]) -> Phone<'_> {
    Phone { user: THEIR_NUMBER, answers: true, says, settings: "", account: "" }
}

#[tokio::test]
async fn baresip_answers_and_both_hear_each_other() {
    let says = Tone::new(THEIR_HZ, THEIR_LEVEL).samples(80_000);
    let mut baresip = phone(&says).start().await;
    let rig = Rig::toward(baresip.addr).await;
    let mut leg = rig.dial();
    let format = loop {
        match event(&mut leg).await {
            LegEvent::MediaUp { format, encrypted: false } => break format,
            other => assert!(matches!(other, LegEvent::Ringing { .. }), "{other:?}"),
        }
    };
    assert!(matches!(event(&mut leg).await, LegEvent::Answered { .. }));
    let heard = talk(&mut leg, format).await;
    leg.send(HANG_UP).unwrap();
    assert_eq!(event(&mut leg).await, LegEvent::Closed);
    baresip.until("CALL_CLOSED").await;
    rig.until_free().await;
    assert_tone("the carrier", &heard, THEIR_HZ, THEIR_LEVEL);
    assert_tone("baresip", &baresip.heard().await, OUR_HZ, OUR_LEVEL);
}

#[tokio::test]
async fn baresip_calls_and_is_answered() {
    let says = Tone::new(THEIR_HZ, THEIR_LEVEL).samples(80_000);
    let mut baresip = phone(&says).start().await;
    let mut rig = Rig::called().await;
    baresip.dial(&format!("sip:{OUR_NUMBER}@{}", rig.at)).await;
    let mut leg = rig.answered().await;
    baresip.until("CALL_ESTABLISHED").await;
    let heard = talk(&mut leg, AudioFormat::Pcmu).await;
    baresip.hang_up().await;
    assert!(matches!(event(&mut leg).await, LegEvent::HungUp { .. }));
    rig.until_free().await;
    assert_tone("the carrier", &heard, THEIR_HZ, THEIR_LEVEL);
    assert_tone("baresip", &baresip.heard().await, OUR_HZ, OUR_LEVEL);
}
