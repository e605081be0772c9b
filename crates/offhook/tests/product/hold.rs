//! On hold: the model hears nothing and costs nothing, and whoever comes back is noticed, with their first word.

use std::f32::consts::{PI, TAU};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use offhook_core::policy::LimitRange;
use offhook_sandbox::Step;
use offhook_testkit::realtime::{FakeRealtime, Recorded, Reply};
use serde_json::{Value, json};

use crate::realtime::{CLINIC, HELLO, OPENING, goodbye, model, person, record, rig, setup, turns};
use crate::rig::Setup;

const WAIT: &str = "One moment please, I will connect you.";
const ANNA: &str = "Hello, this is Anna. How can I help you?";
const IMPORTANT: &str =
    "Your call is important to us. Please stay on the line and wait for the next free agent.";

/// Speech without words, as sentences go: syllables that differ in length, loudness, pitch and vowel, hisses and pauses
/// between them; always the same for the same text.
fn babble(text: &str) -> Vec<i16> {
    let mut dice = text.bytes().fold(7u32, |dice, byte| dice.wrapping_mul(31).wrapping_add(byte.into()));
    let mut roll = |from: f32, to: f32| {
        dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        from + (to - from) * ((dice >> 8) as f32 / (1 << 24) as f32)
    };
    let mut samples = Vec::new();
    let mut phase = 0.0f32;
    for _ in 0..text.len() / 6 + 1 {
        let (length, pitch, glide) = (roll(500.0, 2_600.0) as usize, roll(100.0, 160.0), roll(0.7, 1.4));
        let vowels = [roll(250.0, 850.0), roll(900.0, 2_400.0)];
        let loud = roll(750.0, 5_000.0);
        for _ in 0..roll(-800.0, 1_200.0) as usize {
            samples.push(roll(-1_500.0, 1_500.0) as i16);
        }
        for n in 0..length {
            let at = n as f32 / length as f32;
            let moved = glide.powf(at);
            phase = (phase + pitch * moved / 8_000.0).fract();
            // Harmonics as strong as they are near the resonances of the vowel.
            let near = |hz: f32, vowel: f32| 1.0 / (1.0 + ((hz - vowel * moved) / 60.0).powi(2));
            let strength = |hz: f32| vowels.iter().map(|vowel| near(hz, *vowel)).sum::<f32>();
            let voiced = (1..24).map(|k| k as f32).map(|k| strength(pitch * k) * (TAU * phase * k).sin());
            samples.push((loud * (PI * at).sin() * voiced.sum::<f32>()) as i16);
        }
        samples.extend(vec![0; roll(-1_000.0, 1_200.0) as usize]);
    }
    samples
}

fn waits() -> Reply {
    Reply::call("wait_on_hold", "{}")
}

fn find<'a>(journal: &'a [Value], code: &str) -> &'a Value {
    journal.iter().find(|event| event["code"] == code).unwrap_or_else(|| panic!("no {code} in {journal:#?}"))
}

fn count(journal: &[Value], code: &str) -> usize {
    journal.iter().filter(|event| event["code"] == code).count()
}

/// Where in the record the model was told something with this text.
fn told(recorded: &[Recorded], text: &str) -> usize {
    let at = recorded.iter().position(|one| {
        one.event["type"] == "conversation.item.create" && one.event.to_string().contains(text)
    });
    at.unwrap_or_else(|| panic!("the model was never told {text:?}"))
}

/// How much of the remote's audio the model was sent, in milliseconds.
fn heard_ms(recorded: &[Recorded]) -> u64 {
    let appended = recorded.iter().filter(|one| one.event["type"] == "input_audio_buffer.append");
    let bytes =
        appended.map(|one| STANDARD.decode(one.event["audio"].as_str().unwrap()).unwrap().len() as u64);
    bytes.sum::<u64>() / 8
}

/// Milliseconds of the call at which something was written down.
fn call_ms(journal: &[Value], event: &Value) -> i64 {
    let at = |event: &Value| -> jiff::Timestamp { event["at"].as_str().unwrap().parse().unwrap() };
    (at(event) - at(find(journal, "call.answered"))).total(jiff::Unit::Millisecond).unwrap() as i64
}

#[tokio::test]
async fn on_hold_the_model_hears_nothing_and_a_person_is_back_within_two_seconds() {
    let replies = vec![waits(), Reply::say("When is there a free table?"), goodbye("Thank you, goodbye.")];
    let fake = FakeRealtime::start(model(replies, &[HELLO, WAIT, ANNA, "Thursday at three is free."])).await;
    let then = [
        Step::Say(WAIT),
        Step::Pause { ms: 3_000 },
        Step::Music { ms: 15_000 },
        Step::Say(ANNA),
        Step::Listen { patience_ms: 12_000 },
        Step::Say("Thursday at three is free."),
        Step::Linger { ms: 15_000 },
    ];
    let rig = rig(fake.url(), person(&then)).await;
    let call = rig.owner().call(CLINIC).await;
    let journal = call.journal().await;

    assert_eq!(find(&journal, "hold.started")["by"], "voice");
    let waited_ms = find(&journal, "hold.ended")["waited_ms"].as_u64().unwrap();
    assert!(waited_ms > 4_000, "{waited_ms} ms on hold");
    let recorded = fake.recorded();
    let (from, to) = (told(&recorded, "you hear nothing"), told(&recorded, "The hold is over"));
    let heard_ms = heard_ms(&recorded[from..to]);
    assert!(heard_ms <= 2_000, "{heard_ms} of {waited_ms} ms: her first words, and nothing before");

    let view = call.view().await;
    let anna = view["transcript"].as_array().unwrap().iter().find(|turn| turn["text"] == ANNA).unwrap();
    let (spoke_ms, back_ms) =
        (anna["started_ms"].as_i64().unwrap(), call_ms(&journal, find(&journal, "hold.ended")));
    assert!(
        (0..=2_000).contains(&(back_ms - spoke_ms)),
        "she speaks at {spoke_ms} ms, and is noticed at {back_ms} ms"
    );
    // Somebody new is told first who is calling, and that is what the call goes on with.
    let said: Vec<_> = turns(&view).into_iter().filter(|(role, _)| *role == "assistant").collect();
    assert_eq!(said.iter().filter(|(_, text)| *text == OPENING).count(), 2, "{view:#}");
    assert_eq!(journal.last().unwrap()["reason"], "voice.finished");
    record(&rig).await;
    rig.stop().await;
}

#[tokio::test]
async fn a_voice_that_does_not_say_so_is_on_hold_all_the_same() {
    let replies = vec![Reply::say("Thank you."), goodbye("Thank you, goodbye.")];
    let fake = FakeRealtime::start(model(replies, &[HELLO, WAIT, ANNA])).await;
    let then = [
        Step::Say(WAIT),
        Step::Pause { ms: 9_000 },
        Step::Music { ms: 30_000 },
        Step::Say(ANNA),
        Step::Linger { ms: 15_000 },
    ];
    let rig = rig(fake.url(), person(&then)).await;
    let call = rig.owner().call(CLINIC).await;
    let journal = call.journal().await;
    assert_eq!(find(&journal, "hold.started")["by"], "sound");
    assert_eq!(count(&journal, "hold.ended"), 1);
    assert_eq!(journal.last().unwrap()["reason"], "voice.finished");
    record(&rig).await;
    rig.stop().await;
}

/// It wakes the voice once, which waits on; then it is known.
#[tokio::test]
async fn an_announcement_that_is_repeated_is_nobody() {
    let replies = vec![waits(), waits(), goodbye("Thank you, goodbye.")];
    let fake = FakeRealtime::start(model(replies, &[HELLO, WAIT, IMPORTANT, ANNA])).await;
    let announced = [Step::Music { ms: 5_000 }, Step::Announce(IMPORTANT)];
    let wait = [Step::Say(WAIT), Step::Pause { ms: 3_000 }];
    let anna = [Step::Music { ms: 7_000 }, Step::Say(ANNA), Step::Linger { ms: 15_000 }];
    let then = [&wait[..], &announced, &[Step::Pause { ms: 6_000 }], &announced, &announced, &anna].concat();
    let mut setup = setup(fake.url(), person(&then));
    setup.exchange.render = Arc::new(babble);
    let rig = setup.start().await;
    let call = rig.owner().call(CLINIC).await;
    let journal = call.journal().await;
    assert_eq!(
        (count(&journal, "hold.started"), count(&journal, "hold.announcement")),
        (2, 2),
        "{journal:#?}"
    );
    assert_eq!(journal.last().unwrap()["reason"], "voice.finished");
    record(&rig).await;
    rig.stop().await;
}

/// The first word is not lost, though it takes a moment to notice who says it: the tagged voice understands a sentence
/// from its first tone on, or not at all.
#[tokio::test]
async fn what_is_said_first_after_a_hold_is_understood_to_the_word() {
    let mut setup = Setup::new();
    let then = [
        Step::Say(WAIT),
        Step::Pause { ms: 3_000 },
        Step::Music { ms: 12_000 },
        Step::Say(ANNA),
        Step::Linger { ms: 15_000 },
    ];
    setup.exchange.numbers = vec![(CLINIC.to_owned(), person(&then))];
    let rig = setup.start().await;
    let call = rig.owner().call(CLINIC).await;
    let over = call.over().await;
    let journal = call.journal().await;
    assert!(count(&journal, "hold.ended") >= 1, "{journal:#?}");
    assert!(turns(&over).contains(&("user", ANNA)), "{over:#}");
    rig.stop().await;
}

#[tokio::test]
async fn a_hold_does_not_eat_the_limit_of_the_conversation() {
    let replies = vec![waits(), goodbye("Thank you, goodbye.")];
    let fake = FakeRealtime::start(model(replies, &[HELLO, WAIT, ANNA])).await;
    let then = [
        Step::Say(WAIT),
        Step::Pause { ms: 3_000 },
        Step::Music { ms: 45_000 },
        Step::Say(ANNA),
        Step::Linger { ms: 15_000 },
    ];
    let mut setup = setup(fake.url(), person(&then));
    // Fifteen seconds on hold, and twelve to talk.
    let limit = Duration::from_secs(14);
    setup.config.policy.talk_limit = LimitRange { default: limit, max: limit };
    let rig = setup.start().await;
    let call = rig.owner().call(CLINIC).await;
    let journal = call.journal().await;
    let ended = journal.last().unwrap();
    assert_eq!(ended["reason"], "voice.finished", "{journal:#?}");
    assert!(ended["talk_ms"].as_u64().unwrap() > 15_000, "{ended}");
    rig.stop().await;
}

#[tokio::test]
async fn a_hold_that_takes_too_long_ends_the_call_and_is_named() {
    let then = [Step::Say(WAIT), Step::Pause { ms: 3_000 }, Step::Music { ms: 45_000 }];
    let fake = FakeRealtime::start(model(vec![waits()], &[HELLO, WAIT])).await;
    let mut setup = setup(fake.url(), person(&then));
    setup.config.limits.hold = Duration::from_secs(3);
    let rig = setup.start().await;
    let over = rig.owner().call(CLINIC).await.over().await;
    assert_eq!(over["end_reason"], "policy.hold_limit");
    assert_eq!(
        (&over["result"]["status"], &over["result"]["blocker"]["kind"]),
        (&json!("blocked"), &json!("on_hold_too_long"))
    );
    rig.stop().await;
}
