//! The playout queue: what is pushed comes out in order, 20 ms at a time, and the ledger knows what was heard.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use offhook_core::audio::{AudioFormat, Frame, SampleRate};
use offhook_core::call::Utterance;
use offhook_core::pump::{Heard, Pump, PumpEvent};
use proptest::prelude::*;

const SILENCE: u8 = 0xff;

/// Audio that shows which utterance it belongs to: `ms` of µ-law bytes equal to its number.
fn audio(utterance: u32, ms: usize) -> Vec<u8> {
    vec![utterance as u8; ms * 8]
}

fn pump() -> Pump {
    Pump::new(AudioFormat::Pcmu)
}

fn push(pump: &mut Pump, utterance: u32, ms: usize) {
    pump.push(Utterance(utterance), audio(utterance, ms));
}

fn pull(pump: &mut Pump, frames: usize) {
    for _ in 0..frames {
        pump.pull().expect("something to say");
    }
}

fn events(pump: &mut Pump) -> Vec<PumpEvent> {
    std::iter::from_fn(|| pump.poll()).collect()
}

fn started(utterance: u32) -> PumpEvent {
    PumpEvent::Started(Utterance(utterance))
}

fn heard(utterance: u32, heard_ms: u32, of_ms: u32) -> Heard {
    Heard { utterance: Utterance(utterance), heard_ms, of_ms }
}

fn finished(utterance: u32, heard_ms: u32) -> PumpEvent {
    PumpEvent::Finished(heard(utterance, heard_ms, heard_ms))
}

#[test]
fn a_burst_comes_out_in_frames_and_the_last_is_padded() {
    let mut pump = pump();
    push(&mut pump, 1, 50);
    pump.end(Utterance(1));
    assert_eq!(pump.queued(), Duration::from_millis(50));
    let frames: Vec<Frame> = std::iter::from_fn(|| pump.pull()).collect();
    assert_eq!(frames.len(), 3);
    assert!(frames.iter().all(|frame| frame.bytes().len() == 160));
    assert_eq!(frames[2].bytes()[..80], [1; 80]);
    assert_eq!(frames[2].bytes()[80..], [SILENCE; 80]);
    assert_eq!(events(&mut pump), [started(1), finished(1, 50)]);
    assert!(pump.is_idle());
}

#[test]
fn barge_in_drops_the_rest_and_says_how_much_was_heard() {
    let mut pump = pump();
    push(&mut pump, 1, 1_000);
    pull(&mut pump, 7);
    assert_eq!(pump.barge_in(), Some(heard(1, 140, 1_000)));
    assert_eq!(pump.pull(), None);
    assert_eq!(pump.barge_in(), None, "there is nothing left to cut off");
    push(&mut pump, 1, 1_000);
    pump.end(Utterance(1));
    assert!(pump.is_idle(), "what was still under way is ignored");
    assert_eq!(events(&mut pump), [started(1)], "what was cut off does not finish");
    push(&mut pump, 2, 20);
    assert_eq!(pump.pull().map(|frame| frame.bytes()[0]), Some(2));
}

#[test]
fn barge_in_between_two_bursts_still_cuts_off() {
    let mut pump = pump();
    push(&mut pump, 1, 40);
    pull(&mut pump, 2);
    assert_eq!(pump.barge_in(), Some(heard(1, 40, 40)));
    push(&mut pump, 1, 40);
    assert!(pump.is_idle());
}

#[test]
fn barge_in_after_the_end_cuts_nothing_off() {
    let mut pump = pump();
    push(&mut pump, 1, 40);
    pump.end(Utterance(1));
    pull(&mut pump, 2);
    assert_eq!(pump.barge_in(), None);
    assert_eq!(events(&mut pump), [started(1), finished(1, 40)]);
}

#[test]
fn barge_in_before_the_first_frame_means_nothing_was_heard() {
    let mut pump = pump();
    push(&mut pump, 1, 40);
    push(&mut pump, 2, 40);
    assert_eq!(pump.barge_in(), Some(heard(1, 0, 40)));
    push(&mut pump, 2, 40);
    assert!(pump.is_idle(), "the second was dropped with the first");
    assert_eq!(events(&mut pump), []);
}

#[test]
fn the_next_utterance_follows_without_a_gap() {
    let mut pump = pump();
    push(&mut pump, 1, 30);
    pump.end(Utterance(1));
    push(&mut pump, 2, 30);
    pull(&mut pump, 1);
    let frame = pump.pull().expect("the seam");
    assert_eq!(frame.bytes(), [audio(1, 10), audio(2, 10)].concat());
    assert_eq!(events(&mut pump), [started(1), finished(1, 30), started(2)]);
    assert_eq!(pump.barge_in(), Some(heard(2, 10, 30)));
}

#[test]
fn an_utterance_is_over_where_the_next_begins() {
    let mut pump = pump();
    push(&mut pump, 1, 20);
    push(&mut pump, 2, 20);
    pull(&mut pump, 2);
    assert_eq!(events(&mut pump), [started(1), finished(1, 20), started(2)]);
}

#[test]
fn the_end_is_told_once_and_nothing_is_added_after_it() {
    let mut pump = pump();
    push(&mut pump, 1, 20);
    pump.end(Utterance(1));
    pump.end(Utterance(1));
    push(&mut pump, 1, 20);
    pull(&mut pump, 1);
    assert_eq!(pump.pull(), None);
    assert_eq!(events(&mut pump), [started(1), finished(1, 20)]);
}

#[test]
fn an_utterance_without_audio_finishes_unheard() {
    let mut pump = pump();
    pump.end(Utterance(1));
    assert_eq!(events(&mut pump), [finished(1, 0)]);
}

#[test]
fn past_the_capacity_the_oldest_goes_and_is_counted() {
    let mut pump = pump();
    push(&mut pump, 1, 1_000);
    push(&mut pump, 2, 300_000);
    assert_eq!(pump.queued(), Pump::CAPACITY);
    assert_eq!(pump.overflow(), Duration::from_secs(1));
    assert_eq!(pump.pull().map(|frame| frame.bytes()[0]), Some(2));

    let mut pump = self::pump();
    push(&mut pump, 1, 300_500);
    assert_eq!(pump.queued(), Pump::CAPACITY, "of one huge burst the beginning goes, not all");
    assert_eq!(pump.overflow(), Duration::from_millis(500));
}

#[test]
fn milliseconds_are_those_of_the_format() {
    for format in [AudioFormat::Pcma, AudioFormat::Pcm16(SampleRate::Hz24000)] {
        let mut pump = Pump::new(format);
        pump.push(Utterance(1), vec![0; format.bytes_per_ms() * 500]);
        pull(&mut pump, 3);
        assert_eq!(pump.barge_in(), Some(heard(1, 60, 500)), "{format:?}");
    }
}

/// The one rule for what of a sentence was heard.
#[test]
fn of_what_was_heard_only_whole_words_count() {
    let text = "Good morning, two seats please.";
    for (heard_ms, of_ms, words) in [
        (0, 3_100, ""),
        (300, 3_100, ""),
        (400, 3_100, "Good"),
        (1_200, 3_100, "Good"),
        (1_300, 3_100, "Good morning,"),
        (3_000, 3_100, "Good morning, two seats"),
        (3_100, 3_100, text),
        (9_000, 3_100, text),
        (0, 0, ""),
    ] {
        assert_eq!(heard(1, heard_ms, of_ms).words(text), words, "{heard_ms} of {of_ms} ms");
    }
    assert_eq!(
        heard(1, 500, 1_000).words("はい、わかりました"),
        "はい、わ",
        "where no spaces part words, characters do"
    );
    assert_eq!(heard(1, 999, 1_000).words("grün ärger"), "grün");
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Milliseconds for the newest utterance, or for the one before: late audio.
    Push(usize),
    PushLate(usize),
    End,
    Next,
    Pull(usize),
    BargeIn,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0usize..130).prop_map(Step::Push),
        1 => (1usize..50).prop_map(Step::PushLate),
        2 => Just(Step::End),
        2 => Just(Step::Next),
        6 => (1usize..6).prop_map(Step::Pull),
        1 => Just(Step::BargeIn),
    ];
    prop::collection::vec(step, 0..80)
}

/// What the other side hears and what the pump says about it, gathered step by step.
#[derive(Default)]
struct Ledger {
    pushed: BTreeMap<u32, usize>,
    played: BTreeMap<u32, usize>,
    newest_played: u32,
    started: BTreeSet<u32>,
    over: BTreeSet<u32>,
}

impl Ledger {
    fn played_ms(&self, utterance: Utterance) -> u32 {
        self.played.get(&utterance.0).map_or(0, |bytes| bytes / 8) as u32
    }

    fn hear(&mut self, frame: &Frame) {
        let spoken = frame.bytes().iter().take_while(|byte| **byte != SILENCE).count();
        assert!(frame.bytes()[spoken..].iter().all(|byte| *byte == SILENCE), "padding is at the end");
        assert!(spoken > 0, "a frame says something");
        for byte in &frame.bytes()[..spoken] {
            let utterance = u32::from(*byte);
            assert!(!self.over.contains(&utterance), "{utterance} plays after it was over");
            assert!(utterance >= self.newest_played, "{utterance} plays after {}", self.newest_played);
            self.newest_played = utterance;
            *self.played.entry(utterance).or_default() += 1;
        }
    }

    fn note(&mut self, pump: &mut Pump) {
        for event in events(pump) {
            match event {
                PumpEvent::Started(utterance) => assert!(self.started.insert(utterance.0), "started twice"),
                PumpEvent::Finished(Heard { utterance, heard_ms, of_ms }) => {
                    assert_eq!(heard_ms, self.played_ms(utterance));
                    assert_eq!(heard_ms, of_ms, "what was played to its end was heard whole");
                    assert!(self.over.insert(utterance.0), "over twice");
                }
            }
        }
    }

    fn cut_off(&mut self, cut: Option<Heard>, newest: u32) {
        if let Some(Heard { utterance, heard_ms, of_ms }) = cut {
            assert_eq!(heard_ms, self.played_ms(utterance));
            assert!(heard_ms <= of_ms, "{heard_ms} of {of_ms}");
            assert!(!self.over.contains(&utterance.0), "cut off after its end");
            let dropped = (utterance.0..=newest).filter(|dropped| self.pushed.contains_key(dropped));
            self.over.extend(dropped);
        }
    }
}

proptest! {
    #[test]
    fn the_ledger_agrees_with_what_was_heard(steps in steps()) {
        let mut pump = pump();
        let mut ledger = Ledger::default();
        let mut newest = 1;
        for step in steps {
            match step {
                Step::Push(ms) => {
                    push(&mut pump, newest, ms);
                    // Of no audio the pump learns nothing.
                    if ms > 0 {
                        *ledger.pushed.entry(newest).or_default() += ms * 8;
                    }
                }
                // Only of one that is over: utterances come in ascending order.
                Step::PushLate(ms) if ledger.over.contains(&(newest - 1)) => push(&mut pump, newest - 1, ms),
                Step::PushLate(_) => {}
                Step::End => pump.end(Utterance(newest)),
                Step::Next => newest += 1,
                Step::Pull(frames) => {
                    for _ in 0..frames {
                        let Some(frame) = pump.pull() else { break };
                        // What one frame finishes is heard with it.
                        ledger.hear(&frame);
                        ledger.note(&mut pump);
                    }
                }
                Step::BargeIn => {
                    ledger.note(&mut pump);
                    let cut = pump.barge_in();
                    prop_assert!(pump.is_idle());
                    ledger.cut_off(cut, newest);
                }
            }
            ledger.note(&mut pump);
            prop_assert!(pump.queued() <= Pump::CAPACITY);
        }
        for (utterance, played) in &ledger.played {
            prop_assert!(*played <= ledger.pushed[utterance], "{utterance} played more than was pushed");
            prop_assert!(ledger.started.contains(utterance));
        }
    }
}
