//! What a telephone line sounds like, and what the detector makes of it. All signals pass through µ-law over a
//! little line noise, as real ones do.

use std::f64::consts::TAU;

use offhook_core::audio::g711::{decode_ulaw, encode_ulaw};
use offhook_core::audio::tone::{Texture, Tone, ToneDetector, level_dbfs};

const RATE: f64 = 8_000.0;

/// A recording under construction.
#[derive(Clone, Default)]
pub(crate) struct Line {
    pub(crate) samples: Vec<f64>,
    random: u32,
}

impl Line {
    pub(crate) fn new() -> Self {
        Self { samples: Vec::new(), random: 1 }
    }

    /// White noise between -1 and 1, the same in every run.
    pub(crate) fn noise(&mut self) -> f64 {
        self.random = self.random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(self.random >> 8) / f64::from(1 << 23) - 1.0
    }

    /// Sines at these frequencies, each with this level in dBFS.
    pub(crate) fn tones(mut self, partials: &[(f64, f64)], ms: u32) -> Self {
        for n in 0..ms as usize * 8 {
            let at = |(hz, dbfs): &(f64, f64)| peak(*dbfs) * (TAU * hz * n as f64 / RATE).sin();
            self.samples.push(partials.iter().map(at).sum());
        }
        self
    }

    pub(crate) fn tone(self, hz: &[f64], ms: u32) -> Self {
        let partials: Vec<(f64, f64)> = hz.iter().map(|hz| (*hz, -18.0)).collect();
        self.tones(&partials, ms)
    }

    pub(crate) fn silence(self, ms: u32) -> Self {
        self.tones(&[], ms)
    }

    /// Something like speech: pulses of a gliding pitch through two moving formants, hissing consonants between
    /// the vowels, and a breath now and then.
    pub(crate) fn speech(mut self, ms: u32, pitch_hz: f64) -> Self {
        let start = self.samples.len();
        let (mut phase, mut low, mut high) = (0.0, Resonator::default(), Resonator::default());
        for n in 0..ms as usize * 8 {
            let t = n as f64 / RATE;
            let syllable = (t * 4.3).fract();
            let word = (t * 0.8).fract();
            let loud = if word > 0.85 { 0.0 } else { (syllable * TAU / 2.0).sin().powi(2) };
            let pitch = pitch_hz * (1.0 + 0.18 * (TAU * 0.7 * t).sin() + 0.05 * (TAU * 3.1 * t).sin());
            phase = (phase + pitch / RATE).fract();
            let pulse = if phase < pitch / RATE { 1.0 } else { 0.0 };
            let vowel = (t * 4.3).floor();
            let f1 = 350.0 + 350.0 * (vowel * 1.7).sin().abs() + 60.0 * (TAU * 4.0 * t).sin();
            let f2 = 1_100.0 + 900.0 * (vowel * 2.3).cos().abs() + 90.0 * (TAU * 3.0 * t).sin();
            let voiced = low.filter(pulse, f1, 90.0) + 0.6 * high.filter(pulse, f2, 120.0);
            let hiss = if syllable < 0.15 { 0.02 * self.noise() } else { 0.0 };
            self.samples.push(loud * 0.9 * voiced + hiss);
        }
        let spoken = &mut self.samples[start..];
        let rms = (spoken.iter().map(|s| s * s).sum::<f64>() / spoken.len() as f64).sqrt();
        spoken.iter_mut().for_each(|sample| *sample *= 0.08 / rms);
        self
    }

    /// Chords of four notes with overtones, changing every `beat_ms`.
    pub(crate) fn music(mut self, ms: u32, beat_ms: u32) -> Self {
        let chords =
            [[262.0, 330.0, 392.0, 523.0], [220.0, 262.0, 330.0, 440.0], [349.0, 440.0, 523.0, 698.0]];
        for n in 0..ms as usize * 8 {
            let t = n as f64 / RATE;
            let beat = (t * 1_000.0 / f64::from(beat_ms)).fract();
            let chord = chords[(t * 1_000.0 / f64::from(beat_ms)) as usize % chords.len()];
            let fade = 0.4 + 0.6 * (-2.0 * beat).exp();
            let note =
                |hz: &f64| (1..=4).map(|k| (TAU * hz * f64::from(k) * t).sin() / f64::from(k)).sum::<f64>();
            self.samples.push(0.03 * fade * chord.iter().map(note).sum::<f64>());
        }
        self
    }

    pub(crate) fn then(mut self, other: Line) -> Self {
        self.samples.extend(other.samples);
        self
    }

    /// Noise of this level over everything so far.
    pub(crate) fn noisy(mut self, dbfs: f64) -> Self {
        for n in 0..self.samples.len() {
            let noise = self.noise() * peak(dbfs) / 1.5f64.sqrt() * 2.0f64.sqrt() / 1.155;
            self.samples[n] += noise;
        }
        self
    }

    pub(crate) fn received(self) -> Vec<i16> {
        let line = self.noisy(-65.0);
        let to_i16 = |sample: &f64| (sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16;
        line.samples.iter().map(|sample| decode_ulaw(encode_ulaw(to_i16(sample)))).collect()
    }

    fn heard(self) -> Vec<Tone> {
        ToneDetector::new().push(&self.received()).collect()
    }

    fn keys(self) -> String {
        let key = |tone| match tone {
            Tone::Digit(digit) => digit.as_char(),
            _ => '?',
        };
        self.heard().into_iter().filter(|tone| matches!(tone, Tone::Digit(_))).map(key).collect()
    }

    /// Share of time in which the detector says there is a tone.
    fn tonal(self) -> f64 {
        let mut detector = ToneDetector::new();
        let samples = self.received();
        let hops = samples.chunks(160);
        let all = hops.len() as f64;
        let tonal = hops.filter(|hop| {
            detector.push(hop).for_each(drop);
            detector.is_tonal()
        });
        tonal.count() as f64 / all
    }

    fn texture(self) -> Texture {
        let mut detector = ToneDetector::new();
        detector.push(&self.received()).for_each(drop);
        detector.texture()
    }
}

/// The peak of a sine of this level.
fn peak(dbfs: f64) -> f64 {
    10.0f64.powf(dbfs / 20.0) * 2.0f64.sqrt()
}

#[derive(Default)]
pub(crate) struct Resonator(f64, f64);

impl Resonator {
    pub(crate) fn filter(&mut self, x: f64, hz: f64, width_hz: f64) -> f64 {
        let r = (-std::f64::consts::PI * width_hz / RATE).exp();
        let y = x + 2.0 * r * (TAU * hz / RATE).cos() * self.0 - r * r * self.1;
        (self.0, self.1) = (y, self.0);
        y
    }
}

const ROWS: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
const COLUMNS: [f64; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];

fn frequencies(key: char) -> (f64, f64) {
    let at = "123A456B789C*0#D".find(key).expect("a key");
    (ROWS[at / 4], COLUMNS[at % 4])
}

fn press(line: Line, key: char, ms: u32) -> Line {
    let (row, column) = frequencies(key);
    line.tone(&[row, column], ms)
}

const ALL_KEYS: &str = "1234567890*#ABCD";

fn press_all(on_ms: u32, off_ms: u32) -> Line {
    ALL_KEYS.chars().fold(Line::new().silence(33), |line, key| press(line, key, on_ms).silence(off_ms))
}

#[test]
fn keys_of_forty_milliseconds_are_all_heard_once() {
    assert_eq!(press_all(40, 40).keys(), ALL_KEYS);
    assert_eq!(press_all(100, 60).keys(), ALL_KEYS);
    assert_eq!(press_all(2_000, 100).keys(), ALL_KEYS, "held down");
}

#[test]
fn the_same_key_twice_is_two_presses() {
    let twice = (0..8).fold(Line::new(), |line, _| press(line, '7', 50).silence(45));
    assert_eq!(twice.keys(), "77777777");
}

#[test]
fn twenty_milliseconds_are_no_key() {
    assert_eq!(press_all(20, 60).keys(), "");
}

#[test]
fn a_gap_of_ten_milliseconds_does_not_double_a_key() {
    let interrupted = |key| press(press(Line::new().silence(17), key, 60).silence(10), key, 60).silence(60);
    for key in ALL_KEYS.chars() {
        assert_eq!(interrupted(key).keys(), key.to_string());
    }
}

#[test]
fn keys_within_level_twist_and_frequency_tolerance() {
    // Row level, column level (dBFS), frequency error, whether it is a key: ITU-T Q.24, table A.1.
    let table = [
        (-6.0, -6.0, 1.0, true),
        (-35.0, -35.0, 1.0, true),
        (-55.0, -55.0, 1.0, false),
        (-20.0, -14.0, 1.0, true),
        (-17.0, -20.0, 1.0, true),
        (-26.0, -12.0, 1.0, false),
        (-12.0, -22.0, 1.0, false),
        (-20.0, -20.0, 1.015, true),
        (-20.0, -20.0, 0.985, true),
        (-20.0, -20.0, 1.06, false),
        (-20.0, -20.0, 0.94, false),
    ];
    for (row_dbfs, column_dbfs, error, is_key) in table {
        for key in ALL_KEYS.chars() {
            let (row, column) = frequencies(key);
            let line =
                Line::new().silence(40).tones(&[(row * error, row_dbfs), (column * error, column_dbfs)], 80);
            let expected = if is_key { key.to_string() } else { String::new() };
            assert_eq!(line.silence(40).keys(), expected, "{key} at {row_dbfs}/{column_dbfs} dBFS, {error}");
        }
    }
}

#[test]
fn keys_are_heard_through_noise() {
    assert_eq!(press_all(60, 60).noisy(-33.0).keys(), ALL_KEYS);
}

#[test]
fn one_tone_alone_is_no_key() {
    for hz in ROWS.into_iter().chain(COLUMNS) {
        assert_eq!(Line::new().tone(&[hz], 500).silence(100).keys(), "", "{hz} Hz");
    }
}

#[test]
fn speech_and_music_press_no_keys_and_are_no_tones() {
    for pitch in [90.0, 120.0, 160.0, 210.0, 260.0] {
        assert_eq!(Line::new().speech(30_000, pitch).heard(), [], "a voice of {pitch} Hz");
        let tonal = Line::new().speech(30_000, pitch).tonal();
        assert!(tonal < 0.02, "a voice of {pitch} Hz is tonal for {:.1} %", tonal * 100.0);
    }
    for beat_ms in [300, 900] {
        assert_eq!(Line::new().music(20_000, beat_ms).heard(), []);
    }
}

/// A greeting, a beep, and the machine listens.
fn greeting_then(hz: f64, beep_ms: u32, silence_ms: u32) -> Line {
    Line::new().speech(4_000, 120.0).silence(150).tone(&[hz], beep_ms).silence(silence_ms)
}

#[test]
fn the_beep_after_a_greeting() {
    for (hz, ms) in
        [(1_000.0, 250), (1_400.0, 500), (850.0, 300), (2_000.0, 1_000), (620.0, 200), (440.0, 500)]
    {
        let heard = greeting_then(hz, ms, 1_000).heard();
        let [Tone::Beep { hz: found_hz, duration_ms }] = heard[..] else {
            panic!("{hz} Hz, {ms} ms: {heard:?}")
        };
        assert!((f64::from(found_hz) - hz).abs() < 8.0, "{hz} Hz taken for {found_hz}");
        assert!(duration_ms.abs_diff(ms) <= 60, "{ms} ms taken for {duration_ms}");
    }
}

#[test]
fn the_beep_is_told_soon_after_its_end() {
    let mut detector = ToneDetector::new();
    let before = greeting_then(1_000.0, 400, 0).received();
    assert_eq!(detector.push(&before).count(), 0, "it may go on");
    let after = Line::new().silence(300).received();
    assert!(detector.push(&after).any(|tone| matches!(tone, Tone::Beep { .. })));
}

#[test]
fn a_beep_against_line_noise() {
    let heard = greeting_then(1_000.0, 400, 1_000).noisy(-45.0).heard();
    assert!(matches!(heard[..], [Tone::Beep { .. }]), "{heard:?}");
}

#[test]
fn what_is_no_beep() {
    let beep = |line: Line| line.tone(&[1_000.0], 400);
    for (what, line) in [
        ("no greeting before it", beep(Line::new().silence(2_000)).silence(1_000)),
        ("speech goes on", beep(Line::new().speech(3_000, 120.0)).speech(2_000, 120.0)),
        ("a click", greeting_then(1_000.0, 60, 1_000)),
        ("a long tone", greeting_then(1_000.0, 4_000, 1_000)),
        ("a key", press(Line::new().speech(3_000, 120.0), '5', 300).silence(1_000)),
        ("far too high", greeting_then(2_600.0, 400, 1_000)),
    ] {
        let beeps = line.heard().into_iter().filter(|tone| matches!(tone, Tone::Beep { .. })).count();
        assert_eq!(beeps, 0, "{what}");
    }
}

/// On and off in turns.
fn cadence(hz: &[f64], on_ms: u32, off_ms: u32, times: u32) -> Line {
    (0..times).fold(Line::new().silence(500), |line, _| line.tone(hz, on_ms).silence(off_ms))
}

fn special_information(hz: [f64; 3], ms: [u32; 3]) -> Line {
    hz.into_iter().zip(ms).fold(Line::new().silence(300), |line, (hz, ms)| line.tone(&[hz], ms))
}

#[test]
fn call_progress_tones() {
    let uk_ringback = || {
        (0..2).fold(Line::new(), |line, _| line.then(cadence(&[400.0, 450.0], 400, 200, 2)).silence(1_500))
    };
    for (what, line, tone) in [
        ("dial, US", Line::new().tone(&[350.0, 440.0], 1_500), Tone::Dial),
        ("dial, Europe", Line::new().tone(&[425.0], 3_000), Tone::Dial),
        ("ringback, US", cadence(&[440.0, 480.0], 2_000, 4_000, 2), Tone::Ringback),
        ("ringback, Europe", cadence(&[425.0], 1_000, 4_000, 2), Tone::Ringback),
        ("ringback, UK", uk_ringback(), Tone::Ringback),
        ("busy, US", cadence(&[480.0, 620.0], 500, 500, 6), Tone::Busy),
        ("busy, Europe", cadence(&[425.0], 480, 480, 6), Tone::Busy),
        ("busy, UK", cadence(&[400.0], 375, 375, 6), Tone::Busy),
        ("congestion, US", cadence(&[480.0, 620.0], 250, 250, 8), Tone::Congestion),
        ("congestion, Europe", cadence(&[425.0], 240, 240, 8), Tone::Congestion),
        (
            "vacant number",
            special_information([985.2, 1_370.6, 1_776.7], [380, 274, 380]).silence(100).speech(2_000, 200.0),
            Tone::SpecialInformation,
        ),
        (
            "intercept",
            special_information([913.8, 1_370.6, 1_776.7], [274, 274, 380]).silence(1_000),
            Tone::SpecialInformation,
        ),
        (
            "Europe's three tones",
            special_information([950.0, 1_400.0, 1_800.0], [330, 330, 330]).silence(1_000),
            Tone::SpecialInformation,
        ),
        ("a fax answers", Line::new().silence(1_000).tone(&[2_100.0], 3_000), Tone::Fax),
    ] {
        assert_eq!(line.heard(), [tone], "{what}");
    }
}

#[test]
fn call_progress_after_speech_is_no_beep() {
    let hung_up = Line::new().speech(4_000, 120.0).silence(200);
    for (hz, on_ms, off_ms, tone) in [
        (vec![480.0, 620.0], 500, 500, Tone::Busy),
        (vec![425.0], 500, 500, Tone::Busy),
        (vec![425.0], 250, 250, Tone::Congestion),
        (vec![425.0], 1_000, 4_000, Tone::Ringback),
        (vec![440.0, 480.0], 2_000, 4_000, Tone::Ringback),
    ] {
        assert_eq!(
            hung_up.clone().then(cadence(&hz, on_ms, off_ms, 5)).heard(),
            [tone],
            "{hz:?} {on_ms}/{off_ms}"
        );
    }
    let announced =
        hung_up.then(special_information([985.2, 1_370.6, 1_776.7], [380, 274, 380])).silence(1_000);
    assert_eq!(announced.heard(), [Tone::SpecialInformation]);
}

#[test]
fn a_tone_is_told_again_after_somebody_spoke() {
    let ringing = || cadence(&[440.0, 480.0], 2_000, 4_000, 2);
    let transferred = ringing().speech(3_000, 150.0).silence(500).then(ringing());
    assert_eq!(transferred.heard(), [Tone::Ringback, Tone::Ringback]);
}

#[test]
fn tones_overrule_a_voice_activity_detector() {
    for hz in [
        vec![350.0, 440.0],
        vec![440.0, 480.0],
        vec![480.0, 620.0],
        vec![425.0],
        vec![400.0, 450.0],
        vec![1_000.0],
    ] {
        let tonal = Line::new().tone(&hz, 4_000).tonal();
        assert!(tonal > 0.95, "{hz:?} is tonal for {:.0} %", tonal * 100.0);
    }
    for key in ALL_KEYS.chars() {
        let tonal = press(Line::new(), key, 1_000).tonal();
        assert!(tonal > 0.9, "{key} is tonal for {:.0} %", tonal * 100.0);
    }
    assert!(Line::new().silence(4_000).tonal() < 0.01);
    assert!(Line::new().silence(4_000).noisy(-30.0).tonal() < 0.01);
}

#[test]
fn texture_of_longer_stretches() {
    for pitch in [100.0, 150.0, 220.0] {
        assert_eq!(Line::new().speech(5_000, pitch).texture(), Texture::Speech, "a voice of {pitch} Hz");
    }
    for beat_ms in [400, 1_200] {
        assert_eq!(Line::new().music(6_000, beat_ms).texture(), Texture::Music, "a beat of {beat_ms} ms");
    }
    assert_eq!(Line::new().silence(5_000).texture(), Texture::Silence);
    assert_eq!(Line::new().speech(500, 120.0).texture(), Texture::Unsure, "too short to tell");
    let held = Line::new().music(15_000, 700).speech(5_000, 120.0);
    assert_eq!(held.texture(), Texture::Speech, "somebody is back from hold");
}

#[test]
fn levels() {
    let sine = Line::new().tones(&[(1_000.0, -20.0)], 100).received();
    assert!((level_dbfs(&sine) + 20.0).abs() < 0.2, "{}", level_dbfs(&sine));
    assert_eq!(level_dbfs(&[0; 160]), -96.0);
    assert_eq!(level_dbfs(&[]), -96.0);
    assert!(level_dbfs(&[i16::MIN; 160]).abs() < 0.01);
    let mut detector = ToneDetector::new();
    detector.push(&Line::new().silence(1_000).received()).for_each(drop);
    assert!(detector.is_silent());
    detector.push(&sine).for_each(drop);
    assert!(!detector.is_silent() && (detector.level_dbfs() + 20.0).abs() < 0.5);
}

#[test]
fn how_the_stream_is_cut_makes_no_difference() {
    let line = || {
        press(greeting_then(1_000.0, 400, 1_000), '5', 80).silence(100).then(cadence(&[425.0], 500, 500, 4))
    };
    let whole = line().heard();
    assert_eq!(whole.len(), 3);
    let samples = line().received();
    for len in [1, 7, 80, 160, 333, 1_000] {
        let mut detector = ToneDetector::new();
        let mut heard: Vec<Tone> = Vec::new();
        for piece in samples.chunks(len) {
            heard.extend(detector.push(piece));
        }
        assert_eq!(heard, whole, "in pieces of {len}");
    }
}

#[test]
fn results_nobody_reads_come_with_the_next() {
    let mut detector = ToneDetector::new();
    drop(detector.push(&press_all(60, 60).received()));
    assert_eq!(detector.push(&[0; 160]).count(), ALL_KEYS.len());
}

proptest::proptest! {
    #[test]
    fn no_samples_panic(samples: Vec<i16>, loud in proptest::bool::ANY) {
        let mut detector = ToneDetector::new();
        let extreme = |sample: &i16| if *sample < 0 { i16::MIN } else { i16::MAX };
        let samples: Vec<i16> = if loud { samples.iter().map(extreme).collect() } else { samples };
        for _ in 0..20 {
            detector.push(&samples).for_each(drop);
        }
        proptest::prop_assert!((-96.0..=0.1).contains(&detector.level_dbfs()));
    }
}
