//! Calls to and from baresip: both ends hear the other's tone, at the level it was sent with.

use offhook_carrier::sip::TlsTrust;
use offhook_carrier::{Leg, LegOutput, SrtpPolicy};
use offhook_core::audio::FRAME;
use offhook_core::{AudioFormat, Digit, LegCommand, LegEvent};
use offhook_testkit::programs::PATIENCE;
use offhook_testkit::programs::baresip::{Baresip, Phone};
use offhook_testkit::tone::{Tone, assert_tone, samples_of};
use tokio::time::{interval, timeout};

use crate::rig::{HANG_UP, OUR_NUMBER, Rig, THEIR_NUMBER, event};
use crate::tls::Identity;

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
                output = leg.next() => {
                    assert!(!matches!(output, LegOutput::Event(_)), "{output:?} while talking");
                    if let LegOutput::Audio(frame) = output {
                        heard.extend(samples_of(&frame));
                    }
                }
            }
        }
    });
    talked.await.expect("a second and a half of sound");
    heard
}

fn phone(says: &[i16]) -> Phone<'_> {
    Phone { user: THEIR_NUMBER, answers: true, says, settings: "", account: "" }
}

/// Call it, and wait until it has answered.
async fn answered(phone: Phone<'_>) -> (Baresip, Rig, Leg, AudioFormat) {
    let baresip = phone.start().await;
    let rig = Rig::toward(baresip.addr).await;
    let mut leg = rig.dial();
    let format = picked_up(&mut leg, false).await;
    (baresip, rig, leg, format)
}

async fn picked_up(leg: &mut Leg, expect_encrypted: bool) -> AudioFormat {
    let format = loop {
        match event(leg).await {
            LegEvent::MediaUp { format, encrypted } if encrypted == expect_encrypted => break format,
            other => assert!(matches!(other, LegEvent::Ringing { .. }), "{other:?}"),
        }
    };
    assert!(matches!(event(leg).await, LegEvent::Answered { .. }));
    format
}

#[tokio::test]
async fn baresip_answers_and_both_hear_each_other() {
    let says = Tone::new(THEIR_HZ, THEIR_LEVEL).samples(80_000);
    let (mut baresip, rig, mut leg, format) = answered(phone(&says)).await;
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

#[tokio::test]
async fn baresip_holds_and_takes_back() {
    let says = Tone::new(THEIR_HZ, THEIR_LEVEL).samples(80_000);
    let (mut baresip, rig, mut leg, format) = answered(phone(&says)).await;
    // baresip 1.0 records what it hears only until the first re-INVITE.
    talk(&mut leg, format).await;
    baresip.hold(true).await;
    assert_eq!(event(&mut leg).await, LegEvent::Held);
    baresip.hold(false).await;
    assert_eq!(event(&mut leg).await, LegEvent::Resumed);
    // It is heard again.
    let heard = talk(&mut leg, format).await;
    leg.send(HANG_UP).unwrap();
    assert_eq!(event(&mut leg).await, LegEvent::Closed);
    rig.until_free().await;
    assert_tone("the carrier", &heard, THEIR_HZ, THEIR_LEVEL);
    assert_tone("baresip", &baresip.heard().await, OUR_HZ, OUR_LEVEL);
}

#[tokio::test]
async fn keys_are_understood_both_ways() {
    let says = Tone::new(THEIR_HZ, THEIR_LEVEL).samples(80_000);
    let (mut baresip, rig, mut leg, _) = answered(phone(&says)).await;
    for key in "19*#".chars() {
        baresip.press(key).await;
        assert_eq!(event(&mut leg).await, LegEvent::Digit(Digit::from_char(key).unwrap()));
    }
    leg.send(LegCommand::SendDigits("73*0#".into())).unwrap();
    assert_eq!(event(&mut leg).await, LegEvent::DigitsSent);
    for key in "73*0#".chars() {
        let report = baresip.until("CALL_DTMF_START").await;
        assert!(report.contains(&format!("\"param\":\"{key}\"")), "{key}: {report}");
    }
    leg.send(HANG_UP).unwrap();
    assert_eq!(event(&mut leg).await, LegEvent::Closed);
    rig.until_free().await;
}

#[tokio::test]
async fn signalling_in_tls_and_sound_in_srtp() {
    let identity = Identity::new().await;
    let both = identity.dir().join("both.pem");
    let (mut pem, key) = (identity.certificate_pem(), identity.key_pem());
    pem.extend_from_slice(key.as_bytes());
    std::fs::write(&both, pem).unwrap();
    let says = Tone::new(THEIR_HZ, THEIR_LEVEL).samples(80_000);
    let settings = format!("sip_certificate {}", both.display());
    let phone = Phone { settings: &settings, account: ";mediaenc=srtp-mand", ..phone(&says) };
    let mut baresip = phone.start().await;
    // It takes TLS on the next port.
    let server = format!("127.0.0.1:{};transport=tls", baresip.addr.port() + 1);
    let rig = Rig::with(&server, |config| {
        config.trunks[0].tls = TlsTrust::Roots { pem: identity.certificate_pem() };
        config.trunks[0].srtp = SrtpPolicy::Required;
    })
    .await;
    let mut leg = rig.dial();
    let format = picked_up(&mut leg, true).await;
    let heard = talk(&mut leg, format).await;
    leg.send(HANG_UP).unwrap();
    assert_eq!(event(&mut leg).await, LegEvent::Closed);
    baresip.until("CALL_CLOSED").await;
    rig.until_free().await;
    assert_tone("the carrier", &heard, THEIR_HZ, THEIR_LEVEL);
    assert_tone("baresip", &baresip.heard().await, OUR_HZ, OUR_LEVEL);
}
