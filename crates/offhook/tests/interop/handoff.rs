//! Three parties nobody of us wrote: one baresip is called, another one is the user, and offhook joins the two. A tone of
//! each is found at the other, and nowhere else.

use offhook_testkit::programs::baresip::Phone;
use offhook_testkit::tone::{RATE, Tone, assert_tone, level_at};
use serde_json::json;

use crate::gateway::{Gateway, OTHER_NUMBER, OUR_NUMBER, THEIR_NUMBER, USER_NUMBER};

const BUSINESS_HZ: f64 = 620.0;
const USER_HZ: f64 = 1_000.0;
const LEVEL: f64 = -24.0;

/// Silence, so that the voice can speak, and then a tone for as long as anybody listens.
fn says(silent_seconds: usize, hz: f64) -> Vec<i16> {
    let mut all = vec![0; silent_seconds * 8_000];
    all.extend(Tone::new(hz, LEVEL).samples(60 * 8_000));
    all
}

fn phone<'a>(user: &'a str, says: &'a [i16], account: &'a str) -> Phone<'a> {
    Phone { user, answers: true, says, settings: "", account }
}

/// The loudest this tone is for 300 ms.
fn loudest(samples: &[i16], hz: f64) -> f64 {
    samples.windows(2_400).step_by(400).map(|piece| level_at(piece, RATE, hz)).fold(-120.0, f64::max)
}

/// On two trunks, in two codings.
#[tokio::test]
async fn two_softphones_are_joined_and_hear_each_other_and_nobody_else_does() {
    let (business_says, user_says) = (says(14, BUSINESS_HZ), says(0, USER_HZ));
    let mut business = phone(THEIR_NUMBER, &business_says, ";audio_codecs=PCMU/8000/1").start().await;
    let mut user = phone(USER_NUMBER, &user_says, ";audio_codecs=PCMA/8000/1").start().await;
    let trunks = [(business.addr, OUR_NUMBER), (user.addr, OTHER_NUMBER)];
    let gateway =
        Gateway::on_trunks(&trunks, "policy.bridge_limit_seconds = 12\npolicy.talk_limit_seconds = 15").await;
    let id = gateway.place("Ask whether they are open on Sunday.").await;
    business.until("CALL_ESTABLISHED").await;
    gateway.journal_until(&id, "turn.voice").await;
    let straight = json!({ "bridge_number": USER_NUMBER, "warm_greeting": false });
    let told = gateway.post(&format!("/call/{id}/bridge"), &straight).await;
    assert_eq!(told["handoff"], "dialing", "{told}");
    user.until("CALL_ESTABLISHED").await;
    let joined = gateway.journal_until(&id, "handoff.crossed").await;
    let crossed = joined.last().unwrap();
    let slowest = crossed["to_user_ms"].as_u64().unwrap().max(crossed["to_remote_ms"].as_u64().unwrap());
    assert!(slowest <= 200, "{crossed}");
    // The line of the call carries no second one. Both go on until offhook's limit ends it.
    let call = gateway.finalized(&id).await;
    assert_eq!(
        (&call["outcome"], &call["end_reason"]),
        (&"answered".into(), &"policy.talk_limit".into()),
        "{call}"
    );
    assert_eq!(call["numbers"]["bridge_from"], OTHER_NUMBER, "{call}");
    assert_tone("the user", &user.heard().await, BUSINESS_HZ, LEVEL);
    assert_tone("the business", &business.heard().await, USER_HZ, LEVEL);

    let (remote, voice) = gateway.recording(&id).await;
    // A voice has a little of every tone in it.
    for (side, samples, limit) in [("remote", &remote, -60.0), ("voice", &voice, LEVEL - 10.0)] {
        let heard = loudest(samples, USER_HZ).max(loudest(samples, BUSINESS_HZ));
        assert!(heard < limit, "the recording holds a tone on the side of the {side}: {heard:.1} dBFS");
    }
    let joined_ms = recorded_ms(&gateway, &id).await;
    assert!(joined_ms.abs_diff(remote.len() as u64 / 8) <= 150, "{joined_ms} ms until the join");
    gateway.stop().await;
}

/// From the answer to the join.
async fn recorded_ms(gateway: &Gateway, id: &str) -> u64 {
    let journal = gateway.journal_until(id, "call.ended").await;
    let at = |code: &str| {
        let found = journal.iter().find(|entry| entry["code"] == code).expect("such an entry");
        found["at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_millisecond()
    };
    (at("handoff.joined") - at("call.answered")) as u64
}
