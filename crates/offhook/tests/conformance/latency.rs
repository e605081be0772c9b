//! How long the other side waits for the voice, and how soon the voice gives way: measured on the recording, from the
//! last sound of the one to the first of the other. What the model takes is known, because the model is scripted.

use std::io::Cursor;

use offhook::config::SpeechModel;
use offhook_sandbox::Step;
use offhook_speech::openai;
use offhook_testkit::realtime::{FakeRealtime, Heard, Reply, Script};
use serde_json::{Value, json};

use crate::rig::{Rig, Setup};

const CLINIC: &str = "+14155550150";
const MS_PER_CHAR: u32 = 20;
const FRAME_MS: u64 = 20;

/// Longer than any pause inside of a sentence here.
const PAUSE_MS: u64 = 240;

/// A stretch of sound.
#[derive(Clone, Copy, Debug)]
struct Span {
    from_ms: u64,
    to_ms: u64,
}

/// The stretches of sound of one side of a recording.
fn spans(wav: &[u8], side: usize) -> Vec<Span> {
    let reader = hound::WavReader::new(Cursor::new(wav)).expect("a WAV file");
    let samples: Vec<i16> = reader.into_samples().map(Result::unwrap).collect();
    let samples: Vec<i16> = samples.into_iter().skip(side).step_by(2).collect();
    let mut found: Vec<Span> = Vec::new();
    for (index, frame) in samples.chunks(160).enumerate() {
        let loud = frame.iter().map(|sample| i64::from(sample.unsigned_abs())).sum::<i64>() / 160 > 300;
        let from_ms = index as u64 * FRAME_MS;
        match found.last_mut() {
            Some(last) if loud && from_ms - last.to_ms < PAUSE_MS => last.to_ms = from_ms + FRAME_MS,
            _ if loud => found.push(Span { from_ms, to_ms: from_ms + FRAME_MS }),
            _ => {}
        }
    }
    found
}

/// From the end of each stretch of the remote to the beginning of the voice's answer.
fn waits(wav: &[u8]) -> Vec<u64> {
    let (remote, voice) = (spans(wav, 0), spans(wav, 1));
    let before =
        |start: u64| remote.iter().rev().find(|span| span.to_ms <= start).map(|span| start - span.to_ms);
    voice.iter().filter_map(|span| before(span.from_ms)).collect()
}

async fn rig(fake: &FakeRealtime, then: &[Step]) -> Rig {
    let mut setup = Setup::new();
    let auth = openai::Auth::Bearer("sk-test-not-a-real-key".to_owned().into());
    let model = openai::Config::new(fake.url(), auth, "gpt-realtime-2.1".to_owned());
    setup.config.speech = SpeechModel::OpenAi(model);
    setup.exchange.speed = 1.0;
    setup.exchange.numbers = vec![(CLINIC.to_owned(), then.to_vec())];
    setup.start().await
}

fn script(replies: Vec<Reply>) -> Script {
    let heard = vec![Heard::Text("Hello, this is City Clinic.".to_owned())];
    Script { replies, heard, ms_per_char: MS_PER_CHAR, ..Script::default() }
}

fn goodbye() -> Reply {
    let result = json!({ "status": "unclear", "summary": "Nothing was found out.", "quotes": [] });
    let arguments = json!({ "reason": "done", "result": result }).to_string();
    Reply::say("Thank you, goodbye.").and_call("end_call", &arguments)
}

/// How long the model itself waits before a turn counts as over.
fn patience_ms(fake: &FakeRealtime) -> u64 {
    let sessions = fake.events("session.update");
    let told = sessions.iter().find_map(|event| {
        event["session"]["audio"]["input"]["turn_detection"]["silence_duration_ms"].as_u64()
    });
    told.unwrap_or(500)
}

const TURNS: usize = 6;

/// What of each wait is ours: all but the model's own patience. It is told, and must not be felt.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_turn_is_answered_at_once() {
    let mut replies: Vec<Reply> = (0..TURNS - 1).map(|_| Reply::say("Yes, that is right.")).collect();
    replies.push(goodbye());
    let fake = FakeRealtime::start(script(replies)).await;
    let mut person = vec![Step::Ring { ms: 200 }, Step::Answer, Step::Pause { ms: 300 }];
    for _ in 0..=TURNS {
        person.push(Step::Say("And what is it about?"));
        person.push(Step::Listen { patience_ms: 12_000 });
    }
    person.push(Step::Linger { ms: 5_000 });
    let rig = rig(&fake, &person).await;
    let call = rig.owner().call(CLINIC).await;
    let over = call.over().await;
    assert_eq!(over["end_reason"], "voice.finished", "{over:#}");
    let patience = patience_ms(&fake);
    let mut waits = waits(&call.recording().await);
    waits.sort_unstable();
    assert!(waits.len() >= TURNS, "{waits:?}");
    println!("waits for the voice, of which {patience} ms are the model's own: {waits:?} ms");
    assert!(waits[waits.len() / 2] <= patience + 160, "the middle one of {waits:?} ms is felt");
    assert!(waits[waits.len() - 1] <= patience + 600, "the longest of {waits:?} ms is felt");
    rig.stop().await;
}

/// The hello is heard out, and the first words come after it: not over it, and not late.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_words_come_after_the_hello_and_not_late() {
    let fake = FakeRealtime::start(script(vec![goodbye()])).await;
    let person = [
        Step::Ring { ms: 200 },
        Step::Answer,
        Step::Pause { ms: 400 },
        Step::Say("Hello, this is City Clinic."),
        Step::Listen { patience_ms: 12_000 },
        Step::Say("Yes?"),
        Step::Linger { ms: 9_000 },
    ];
    let rig = rig(&fake, &person).await;
    let call = rig.owner().call(CLINIC).await;
    call.over().await;
    let wav = call.recording().await;
    let (hello, opening) = (spans(&wav, 0)[0], spans(&wav, 1)[0]);
    assert!(opening.from_ms >= hello.to_ms, "{opening:?} is over {hello:?}");
    let wait = opening.from_ms - hello.to_ms;
    println!("from the end of the hello to the first word: {wait} ms");
    assert!(wait <= patience_ms(&fake) + 600, "{wait} ms");
    rig.stop().await;
}

/// Whoever is spoken over by the voice and says something is heard at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_voice_gives_way_at_once() {
    let long = "We are looking for an appointment in the afternoon, on Thursday if that is possible, or else on Friday, \
                for Jordan Lee, who was with you last in March and would like to see the same doctor again.";
    let fake = FakeRealtime::start(script(vec![Reply::say(long), goodbye()])).await;
    let person = [
        Step::Ring { ms: 200 },
        Step::Answer,
        Step::Say("Hello, this is City Clinic."),
        Step::Listen { patience_ms: 12_000 },
        Step::Say("How can I help?"),
        Step::Pause { ms: 2_000 },
        Step::Announce("One moment, please."),
        Step::Linger { ms: 9_000 },
    ];
    let rig = rig(&fake, &person).await;
    let call = rig.owner().call(CLINIC).await;
    let journal = call.journal().await;
    let heard: Vec<&Value> = journal.iter().filter(|event| event["code"] == "turn.barge_in").collect();
    assert_eq!(heard.len(), 1, "{journal:#?}");
    let wav = call.recording().await;
    let (remote, voice) = (spans(&wav, 0), spans(&wav, 1));
    let spoken_over =
        |begin: &Span| voice.iter().find(|span| span.from_ms < begin.from_ms && begin.from_ms < span.to_ms);
    let (begin, cut) =
        remote.iter().find_map(|begin| Some((begin, spoken_over(begin)?))).expect("both spoke at once");
    let overlap = cut.to_ms - begin.from_ms;
    println!("from the first sound of the interruption to the last of the voice: {overlap} ms");
    assert!(overlap <= 400, "{overlap} ms");
    rig.stop().await;
}
