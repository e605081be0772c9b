//! What is made of the sound of a hold. Signals pass through µ-law over a little line noise, as real ones do.

use offhook_core::audio::hold::{HoldListener, HoldSound};

use crate::tone::{Line, Resonator};

/// What was heard, and when it was told.
type Heard = Vec<(u32, HoldSound)>;

impl Line {
    /// Somebody who says something of their own: syllables of other lengths and sounds, and pauses elsewhere, for
    /// each `words`.
    fn says(mut self, words: u32, pitch_hz: f64, ms: u32) -> Self {
        let mut random = words.wrapping_mul(2_654_435_761).wrapping_add(12_345);
        let mut dice = move || {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(random >> 8) / f64::from(1 << 24)
        };
        let (mut phase, mut low, mut high) = (0.0, Resonator::default(), Resonator::default());
        let mut spoken = Vec::new();
        while spoken.len() < ms as usize * 8 {
            let (length, f1, f2) = (0.11 + 0.16 * dice(), 300.0 + 450.0 * dice(), 1_000.0 + 1_100.0 * dice());
            let (rise, glide) = (0.8 + 0.4 * dice(), 0.7 + 0.6 * dice());
            for n in 0..(length * 8_000.0) as usize {
                let at = n as f64 / (length * 8_000.0);
                phase += pitch_hz * rise * (1.0 + 0.15 * at) / 8_000.0;
                let pulse = if phase >= 1.0 { 1.0 } else { 0.0 };
                phase = phase.fract();
                let move_to = 1.0 + (glide - 1.0) * at;
                let voiced =
                    low.filter(pulse, f1 * move_to, 90.0) + 0.6 * high.filter(pulse, f2 / move_to, 120.0);
                let hiss = if at < 0.2 { 0.02 * self.noise() } else { 0.0 };
                spoken.push((at * std::f64::consts::PI).sin().powi(2) * voiced + hiss);
            }
            if dice() < 0.2 {
                spoken.extend(vec![0.0; (800.0 + 1_600.0 * dice()) as usize]);
            }
        }
        spoken.truncate(ms as usize * 8);
        let rms = (spoken.iter().map(|s| s * s).sum::<f64>() / spoken.len() as f64).sqrt();
        self.samples.extend(spoken.iter().map(|sample| sample * 0.08 / rms));
        self
    }

    fn ms(&self) -> u32 {
        self.samples.len() as u32 / 8
    }

    /// In a conversation nobody has called a hold yet.
    fn overheard(self) -> Heard {
        listen(&mut HoldListener::new(), self)
    }

    /// On hold from the first moment on.
    fn waited_for(self) -> Heard {
        let mut listener = HoldListener::new();
        listener.hold();
        listen(&mut listener, self)
    }
}

fn listen(listener: &mut HoldListener, line: Line) -> Heard {
    let samples = line.received();
    let frames = samples.chunks(160).enumerate();
    frames.filter_map(|(n, frame)| Some((n as u32 * 20 + 20, listener.push(frame)?))).collect()
}

/// When a person was told of, and since when they are said to speak.
#[track_caller]
fn person(heard: &Heard) -> (u32, u32) {
    match heard[..] {
        [(at_ms, HoldSound::Person { since_ms }), ..] => (at_ms, at_ms.saturating_sub(since_ms)),
        _ => panic!("no person: {heard:?}"),
    }
}

const PITCHES: [f64; 5] = [90.0, 120.0, 160.0, 210.0, 260.0];

#[test]
fn music_that_goes_on_is_a_hold() {
    for beat_ms in [300, 400, 900, 1_200, 2_000] {
        let heard = Line::new().silence(1_000).music(12_000, beat_ms).overheard();
        let [(at_ms, HoldSound::Music), ..] = heard[..] else { panic!("{beat_ms}: {heard:?}") };
        assert!((4_000..8_000).contains(&at_ms), "a beat of {beat_ms} ms is told at {at_ms} ms");
    }
}

#[test]
fn what_is_no_hold() {
    for pitch in PITCHES {
        let heard = Line::new().says(1, pitch, 40_000).overheard();
        assert_eq!(heard, [], "somebody who talks without end, at {pitch} Hz");
        let heard = Line::new().says(1, pitch, 6_000).silence(2_000).says(2, pitch, 6_000).overheard();
        assert_eq!(heard, [], "two turns, at {pitch} Hz");
    }
    for (what, line) in [
        ("a dial tone", Line::new().tone(&[350.0, 440.0], 20_000)),
        ("a test tone", Line::new().tone(&[1_000.0], 20_000)),
        ("hum", Line::new().tones(&[(100.0, -40.0), (300.0, -46.0)], 9_000)),
        ("a jingle", Line::new().music(2_500, 400).silence(1_000).says(1, 120.0, 3_000)),
        ("nine seconds of silence", Line::new().says(1, 120.0, 2_000).silence(9_000).says(2, 120.0, 1_000)),
    ] {
        assert_eq!(line.overheard(), [], "{what}");
    }
}

#[test]
fn a_long_silence_is_told_once() {
    let heard = Line::new().says(1, 120.0, 2_000).silence(40_000).overheard();
    let [(at_ms, HoldSound::LongSilence)] = heard[..] else { panic!("{heard:?}") };
    assert!((11_900..12_300).contains(&at_ms), "{at_ms}");
}

#[test]
fn an_announcement_is_known_the_second_time() {
    let announced = |line: Line| line.says(7, 190.0, 6_000);
    let heard = announced(announced(Line::new().silence(500)).silence(5_000)).silence(1_000).overheard();
    let [(at_ms, HoldSound::Announcement)] = heard[..] else { panic!("{heard:?}") };
    assert!((11_500..13_200).contains(&at_ms), "{at_ms}");
}

#[test]
fn nothing_on_hold_but_a_person_is_a_person() {
    let beeps = (0..6).fold(Line::new(), |line, _| line.tone(&[440.0], 300).silence(9_700));
    let ringing = (0..4).fold(Line::new(), |line, _| line.tone(&[440.0, 480.0], 2_000).silence(4_000));
    let clicks = (0..20).fold(Line::new(), |line, _| line.tone(&[1_900.0], 10).silence(1_990));
    for (what, line) in [
        ("silence", Line::new().silence(60_000)),
        ("beeps", beeps),
        ("ringing, while we are put through", ringing),
        ("clicks", clicks),
        ("quick music", Line::new().music(60_000, 300)),
        ("slow music", Line::new().music(60_000, 1_200)),
        ("music after silence", Line::new().silence(3_000).music(20_000, 700)),
        ("one piece after the other", Line::new().music(20_000, 400).silence(2_500).music(20_000, 1_100)),
    ] {
        assert_eq!(line.waited_for(), [], "{what}");
    }
}

#[test]
fn noise_of_the_line_is_nobody() {
    let mut listener = HoldListener::new();
    let noise = || Line::new().silence(10_000).noisy(-50.0);
    assert_eq!(listen(&mut listener, noise()), []);
    listener.hold();
    assert_eq!(listen(&mut listener, noise()), []);
    person(&listen(&mut listener, Line::new().says(3, 150.0, 2_000).noisy(-50.0)));
}

#[test]
fn a_person_who_comes_back_is_noticed_within_two_seconds() {
    for pitch in PITCHES {
        for (what, before) in [
            ("quick music", Line::new().music(15_000, 300)),
            ("slow music", Line::new().music(15_000, 1_200)),
            ("music and a pause", Line::new().music(15_000, 700).silence(600)),
            ("silence", Line::new().silence(15_000)),
            ("ringing", Line::new().tone(&[440.0, 480.0], 2_000).silence(4_000)),
        ] {
            for words in [3, 4] {
                let began_ms = before.ms();
                let heard = before.clone().says(words, pitch, 4_000).silence(1_000).waited_for();
                let (at_ms, since_ms) = person(&heard);
                assert!(at_ms > began_ms && at_ms <= began_ms + 2_000, "{pitch} Hz after {what}: {heard:?}");
                assert!(
                    since_ms <= began_ms + 100,
                    "their first word is lost, at {pitch} Hz after {what}: {heard:?}"
                );
            }
        }
    }
}

#[test]
fn hello_and_then_nothing_is_enough() {
    for pitch in PITCHES {
        for before in [Line::new().silence(8_000), Line::new().music(8_000, 700).silence(500)] {
            let began_ms = before.ms();
            let (at_ms, since_ms) = person(&before.says(5, pitch, 450).silence(5_000).waited_for());
            assert!(
                at_ms <= began_ms + 1_500 && since_ms <= began_ms + 100,
                "{pitch} Hz: {at_ms}, {since_ms}"
            );
        }
    }
}

#[test]
fn a_person_is_noticed_over_music_that_plays_on() {
    let music = Line::new().music(20_000, 700);
    let mut both = music.clone();
    let voice = Line::new().silence(15_000).says(3, 150.0, 4_000);
    both.samples.iter_mut().zip(&voice.samples).for_each(|(sample, voice)| *sample = *sample * 0.3 + voice);
    let (at_ms, _) = person(&both.waited_for());
    assert!((15_000..17_000).contains(&at_ms), "{at_ms}");
}

/// What the voice makes of what it is told: it listens to the end of what is said, and waits on.
fn waits_on(line: Line, listens_ms: u32) -> Heard {
    let mut listener = HoldListener::new();
    listener.hold();
    let mut again_ms = None;
    let mut all = Vec::new();
    for (n, frame) in line.received().chunks(160).enumerate() {
        let now_ms = n as u32 * 20 + 20;
        if again_ms.is_some_and(|at| at <= now_ms) {
            again_ms = None;
            listener.hold();
        }
        let Some(heard) = listener.push(frame) else { continue };
        all.push((now_ms, heard));
        if let HoldSound::Person { .. } = heard {
            listener.resume();
            again_ms = Some(now_ms + listens_ms);
        }
    }
    all
}

#[test]
fn an_announcement_wakes_once_and_the_person_after_it_again() {
    for (what, wait) in [("music", Line::new().music(9_000, 700)), ("silence", Line::new().silence(9_000))] {
        let announced = |line: Line| line.then(wait.clone()).says(7, 190.0, 6_000);
        let line = announced(announced(announced(Line::new())));
        let began_ms = line.ms();
        let heard = waits_on(line.says(8, 130.0, 4_000).silence(1_000), 7_000);
        let [first, second, third, last, ..] = heard[..] else { panic!("{what}: {heard:?}") };
        assert!(matches!(first.1, HoldSound::Person { .. }), "never heard before; {what}: {heard:?}");
        assert_eq!(
            (second.1, third.1),
            (HoldSound::Announcement, HoldSound::Announcement),
            "{what}: {heard:?}"
        );
        assert!(
            matches!(last, (at, HoldSound::Person { .. }) if at > began_ms && at <= began_ms + 2_000),
            "somebody speaks from {began_ms} on, right after the announcement; {what}: {heard:?}"
        );
    }
}

#[test]
fn the_last_words_before_a_hold_are_nobody_coming_back() {
    let mut listener = HoldListener::new();
    let before = listen(&mut listener, Line::new().says(1, 150.0, 2_000));
    listener.hold();
    let after = listen(&mut listener, Line::new().says(2, 150.0, 1_500).silence(5_000));
    assert_eq!((before, after), (vec![], vec![]));
    person(&listen(&mut listener, Line::new().says(3, 150.0, 2_000)));
}

#[test]
fn how_the_stream_is_cut_makes_no_difference() {
    let samples = Line::new().music(9_000, 700).says(3, 150.0, 2_000).received();
    let told = |len: usize| {
        let mut listener = HoldListener::new();
        listener.hold();
        let heard: Vec<HoldSound> = samples.chunks(len).filter_map(|piece| listener.push(piece)).collect();
        heard
    };
    for len in [1, 7, 80, 159, 161, 333] {
        assert_eq!(told(len), told(160), "in pieces of {len}");
    }
    assert!(!told(160).is_empty());
}

proptest::proptest! {
    #[test]
    fn no_samples_panic(samples: Vec<i16>, held in proptest::bool::ANY) {
        let mut listener = HoldListener::new();
        if held {
            listener.hold();
        }
        for _ in 0..20 {
            if let Some(HoldSound::Person { since_ms }) = listener.push(&samples) {
                proptest::prop_assert!(since_ms <= HoldListener::LOOKS_BACK_MS);
            }
        }
    }
}
