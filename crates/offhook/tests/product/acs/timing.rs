//! What must happen soon enough to be natural. These run alone: see `.config/nextest.toml`.

use std::time::{Duration, Instant};

use offhook_testkit::acs::{Person, speech};
use offhook_testkit::realtime::Reply;
use serde_json::json;

use super::rig::{CALLEE, HELLO, OTHER, Setup, ending, goodbye};

const LONG: &str = "We are looking for an appointment in the afternoon, on Thursday if that is possible, or else on \
                    Friday, for Jordan Lee, who was with you last in March and would like to see the same doctor again.";
/// From the frame that is one too many to be a noise until the service was told.
const AT_ONCE: Duration = Duration::from_millis(50);
/// The detector of the fake model takes so many milliseconds of sound for speech.
const ONSET: Duration = Duration::from_millis(60);
/// A frame: the last of the onset is sent so long before the onset is over.
const FRAME: Duration = Duration::from_millis(20);

/// The lengths of what the person heard between silences, as they heard it.
fn spoken_ms(person: &Person) -> Vec<u64> {
    let stretches = person.seen().sound.stretches(Duration::from_millis(100));
    // What is said is followed by some frames of silence.
    let spoken = stretches.iter().filter_map(|stretch| stretch.iter().rposition(|sample| *sample != 0));
    spoken.map(|last| last as u64 / 24).collect()
}

/// Speak into the voice's long sentence, a second after it began; when the model must have noticed.
async fn interrupt(person: &Person, seed: u32) -> Instant {
    let before = person.seen().sound.received().len();
    person.until_received(before + 24_000).await;
    person.says(&speech(24_000, 700, seed)).await;
    *person.seen().spoke_at.last().unwrap() + ONSET - FRAME
}

#[tokio::test]
async fn a_barge_in_stops_the_audio_and_truncates_at_what_was_heard() {
    let replies = vec![Reply::say(LONG), goodbye("Goodbye.")];
    let rig = Setup::new(replies, &[HELLO, "How can I help?", "One moment."]).start().await;
    let (call, person) = rig.greeted(&rig.owner(), CALLEE).await;
    person.says(&speech(24_000, 700, 2)).await;
    let noticed_at = interrupt(&person, 3).await;
    let stop = person.until("the audio stops", |seen| seen.sound.stops().last().copied()).await;
    let late = stop.at.saturating_duration_since(noticed_at);
    assert!(late < AT_ONCE, "it stopped {late:?} after the person was noticed");

    let over = call.over().await;
    assert_eq!(ending(&over), ("answered", "voice.finished"));
    let journal = call.journal().await;
    let heard_ms = journal.iter().find(|event| event["code"] == "turn.barge_in").unwrap()["heard_ms"].clone();
    let truncated = rig.model.events("conversation.item.truncate");
    assert_eq!(truncated.len(), 1, "{truncated:#?}");
    assert_eq!(truncated[0]["audio_end_ms"], heard_ms);
    // Opening, the sentence that was cut, goodbye: as the person heard them.
    let lengths = spoken_ms(&person);
    assert_eq!(lengths.len(), 3, "{lengths:?}, and {heard_ms} for the model");
    let (really, believed) = (lengths[1], heard_ms.as_u64().unwrap());
    assert!(really.abs_diff(believed) <= 40, "the person heard {really} ms, the model thinks {believed}");
    rig.stop().await;
}

#[tokio::test]
async fn a_slow_tool_delays_no_barge_in() {
    let question = json!({ "question": "What is the date of birth of Jordan Lee?" }).to_string();
    let replies = vec![
        Reply::say(LONG).and_call("ask_owner", &question),
        Reply::say("I am checking."),
        goodbye("Goodbye."),
    ];
    let rig = Setup::new(replies, &[HELLO, "What is the date of birth?", "Hello?"]).start().await;
    let owner = rig.owner();
    rig.acs.callee(CALLEE, offhook_testkit::acs::Callee::answers());
    let wish = json!({ "to": CALLEE, "task": "Jordan Lee needs an appointment.", "ask_owner_seconds": 10 });
    let call = owner.place(&wish).await;
    let person = rig.acs.person(CALLEE).await;
    person.until_streaming().await;
    person.says(&speech(24_000, 700, 1)).await;
    call.until_code("turn.voice").await;
    person.says(&speech(24_000, 700, 2)).await;
    call.until_code("owner.asked").await;
    // The owner does not answer for ten seconds, and the person does not wait for it.
    let noticed_at = interrupt(&person, 3).await;
    let stop = person.until("the audio stops", |seen| seen.sound.stops().last().copied()).await;
    let late = stop.at.saturating_duration_since(noticed_at);
    assert!(late < AT_ONCE, "it stopped {late:?} after the person was noticed");
    let journal = call.until_code("turn.barge_in").await;
    assert!(journal.iter().all(|event| event["code"] != "owner.silent"), "the tool was still at it");
    person.hang_up();
    assert_eq!(ending(&call.over().await), ("answered", "remote.hung_up"));
    rig.until_quiet().await;
    rig.stop().await;
}

#[tokio::test]
async fn speech_is_paced_by_our_own_clock() {
    let replies = vec![Reply::say(LONG)];
    let rig = Setup::new(replies, &[HELLO, "How can I help?"]).start().await;
    let (call, person) = rig.greeted(&rig.owner(), CALLEE).await;
    person.says(&speech(24_000, 700, 2)).await;
    let before = person.seen().sound.received().len();
    person.until_received(before + 2 * 24_000).await;
    let sound = person.seen().sound;
    // All of it was there at once; it goes out no faster than it is heard.
    assert!(sound.most_ahead() <= Duration::from_millis(400), "{:?} ahead", sound.most_ahead());
    steady(&sound.arrivals().collect::<Vec<_>>(), before);
    person.hang_up();
    call.over().await;
    rig.stop().await;
}

/// From `before` on, every frame is there when it is to be heard.
#[track_caller]
fn steady(arrivals: &[(Instant, usize)], before: usize) {
    let mut samples = 0;
    let mut began: Option<(Instant, usize)> = None;
    for (at, count) in arrivals {
        if samples >= before {
            let (start, first) = *began.get_or_insert((*at, samples));
            let due_at = start + Duration::from_micros((samples - first) as u64 * 1_000 / 24);
            let late = at.saturating_duration_since(due_at);
            assert!(late < Duration::from_millis(60), "a frame came {late:?} late");
        }
        samples += count;
    }
    assert!(began.is_some(), "nothing came after {before} samples");
}

#[tokio::test]
async fn a_slow_service_delays_no_frame() {
    let rig = Setup::new(vec![Reply::say(LONG)], &[HELLO, "How can I help?"]).start().await;
    let owner = rig.owner();
    let (call, person) = rig.greeted(&owner, CALLEE).await;
    // Tokens are signed with a key from now on that was not fetched yet.
    rig.acs.rotate_key();
    person.says(&speech(24_000, 700, 2)).await;
    let before = person.seen().sound.received().len();
    person.until_received(before + 12_000).await;
    // Placing another call takes two seconds now, and so does ending it; so would the keys of the tokens.
    rig.acs.slow(Duration::from_secs(2));
    rig.acs.slow_keys(Duration::from_secs(2));
    let other = owner.call(OTHER).await;
    person.until_received(before + 3 * 24_000).await;
    steady(&person.seen().sound.arrivals().collect::<Vec<_>>(), before);
    rig.acs.slow(Duration::ZERO);
    rig.acs.slow_keys(Duration::ZERO);
    other.hang_up().await;
    person.hang_up();
    call.over().await;
    other.over().await;
    rig.app.shutdown().await;
}
