//! What a sequence of sounds means: tones are told apart by how long they last and what comes before and after.

use std::collections::VecDeque;

use super::Tone;
use super::spectrum::Sound;

/// Milliseconds of one look.
const HOP_MS: u32 = 20;

/// Looks it takes to believe in a new sound; fewer are the seam between two.
const SETTLE: u32 = 3;

/// Where European, British and Japanese call-progress tones are, single or beating (Hz).
const PROGRESS: std::ops::Range<f32> = 390.0..490.0;

/// The frequencies of special information tones, low and high variants together (ITU-T E.180, Hz).
const SPECIAL: [std::ops::Range<f32>; 3] = [890.0..1_010.0, 1_340.0..1_450.0, 1_750.0..1_810.0];

#[derive(Clone, Copy, Debug)]
struct Stretch {
    sound: Sound,
    hops: u32,
    loudest_dbfs: f32,
    /// Sum, for the mean.
    levels_db: f32,
}

impl Stretch {
    fn begin(sound: Sound, level_dbfs: f32) -> Self {
        Self { sound, hops: 1, loudest_dbfs: level_dbfs, levels_db: level_dbfs }
    }

    fn extend(&mut self, hops: u32, level_dbfs: f32) {
        self.hops += hops;
        self.loudest_dbfs = self.loudest_dbfs.max(level_dbfs);
        self.levels_db += level_dbfs * hops as f32;
    }

    fn ms(&self) -> u32 {
        self.hops * HOP_MS
    }

    /// Neither swelling nor dying away.
    fn is_steady(&self) -> bool {
        self.levels_db / self.hops as f32 > self.loudest_dbfs - 4.0
    }
}

#[derive(Clone, Debug)]
pub struct Cadence {
    current: Stretch,
    /// A sound that may be the next, or a glitch.
    coming: Option<Stretch>,
    /// What came before, the latest at the back.
    past: VecDeque<Stretch>,
    /// How long ago there was speech, and how much of it there was.
    since_speech_ms: u32,
    speech_ms: u32,
    /// A tone goes on or repeats; it is told once.
    told: Option<Tone>,
}

impl Default for Cadence {
    fn default() -> Self {
        Self {
            current: Stretch::begin(Sound::Silence, super::level::SILENCE_DBFS),
            coming: None,
            past: VecDeque::with_capacity(Self::MEMORY + 1),
            since_speech_ms: 0,
            speech_ms: 0,
            told: None,
        }
    }
}

impl Cadence {
    const MEMORY: usize = 6;

    pub fn hear(&mut self, sound: Sound, level_dbfs: f32) -> Option<Tone> {
        self.since_speech_ms = self.since_speech_ms.saturating_add(HOP_MS);
        if matches!(sound, Sound::Other { .. }) {
            self.since_speech_ms = 0;
            self.speech_ms = self.speech_ms.saturating_add(HOP_MS);
        }
        let changed = self.follow(sound, level_dbfs);
        let tone = if changed { self.after_a_change() } else { None };
        let tone = tone.or_else(|| self.while_it_lasts())?;
        if self.told == Some(tone) {
            return None;
        }
        self.told = Some(tone);
        Some(tone)
    }

    /// Keeps the stretches; true when a new one has begun.
    fn follow(&mut self, sound: Sound, level_dbfs: f32) -> bool {
        if sound.resembles(self.current.sound) {
            let glitch = self.coming.take().map_or(0, |coming| coming.hops);
            self.current.extend(1 + glitch, level_dbfs);
            return false;
        }
        let coming = match self.coming {
            Some(mut coming) if sound.resembles(coming.sound) => {
                coming.extend(1, level_dbfs);
                coming
            }
            _ => Stretch::begin(sound, level_dbfs),
        };
        if coming.hops < SETTLE {
            self.coming = Some(coming);
            return false;
        }
        self.coming = None;
        self.past.push_back(std::mem::replace(&mut self.current, coming));
        if self.past.len() > Self::MEMORY {
            self.past.pop_front();
        }
        if matches!(coming.sound, Sound::Other { .. }) {
            self.told = None;
        }
        true
    }

    fn last(&self, back: usize) -> Option<&Stretch> {
        self.past.iter().rev().nth(back)
    }

    fn after_a_change(&mut self) -> Option<Tone> {
        if let Some(tone) = self.special_information() {
            self.past.clear();
            return Some(tone);
        }
        self.busy()
    }

    /// Three rising tones of 200 to 450 ms, with next to no silence between them.
    fn special_information(&self) -> Option<Tone> {
        let audible =
            self.past.iter().rev().filter(|stretch| stretch.sound != Sound::Silence || stretch.ms() > 100);
        let mut wanted = SPECIAL.iter().rev();
        let mut found = 0;
        for (stretch, range) in audible.zip(&mut wanted) {
            let Sound::Single { hz } = stretch.sound else { return None };
            if !range.contains(&hz) || !(160..=500).contains(&stretch.ms()) {
                return None;
            }
            found += 1;
        }
        (found == SPECIAL.len()).then_some(Tone::SpecialInformation)
    }

    /// A busy tone, a pause, and the same again, all equally long.
    fn busy(&self) -> Option<Tone> {
        let (second, pause, first) = (self.last(0)?, self.last(1)?, self.last(2)?);
        let is_busy_tone = match second.sound {
            Sound::Single { hz } => PROGRESS.contains(&hz),
            Sound::Pair { low_hz, high_hz } => near(low_hz, 480.0) && near(high_hz, 620.0),
            _ => false,
        };
        let alike = second.sound.resembles(first.sound) && pause.sound == Sound::Silence;
        let on_ms = first.ms().max(second.ms());
        let regular = first.ms().abs_diff(second.ms()) <= 80 && pause.ms().abs_diff(on_ms) <= 40 + on_ms / 4;
        match on_ms {
            _ if !(is_busy_tone && alike && regular) => None,
            120..=320 => Some(Tone::Congestion),
            321..=720 => Some(Tone::Busy),
            _ => None,
        }
    }

    fn while_it_lasts(&mut self) -> Option<Tone> {
        let ms = self.current.ms();
        match self.current.sound {
            Sound::Pair { low_hz, high_hz } if near(low_hz, 350.0) && near(high_hz, 440.0) => {
                (ms >= 1_000).then_some(Tone::Dial)
            }
            Sound::Single { hz } if PROGRESS.contains(&hz) => (ms >= 2_500).then_some(Tone::Dial),
            Sound::Single { hz } if near(hz, 2_100.0) => (ms >= 500).then_some(Tone::Fax),
            Sound::Beat { hz } if PROGRESS.contains(&hz) => (ms >= 300).then_some(Tone::Ringback),
            Sound::Silence => self.in_silence(ms),
            _ => None,
        }
    }

    /// What the tone before this silence was.
    fn in_silence(&mut self, silence_ms: u32) -> Option<Tone> {
        let before = *self.last(0)?;
        let Sound::Single { hz } = before.sound else { return None };
        let in_progress_band = PROGRESS.contains(&hz);
        if in_progress_band && (700..=2_300).contains(&before.ms()) && silence_ms >= 1_000 {
            return Some(Tone::Ringback);
        }
        let (longest_ms, patience_ms) = if in_progress_band { (640, 600) } else { (2_000, 200) };
        let is_beep = (400.0..=2_000.0).contains(&hz)
            && (180..=longest_ms).contains(&before.ms())
            && before.is_steady()
            && silence_ms >= patience_ms
            && self.told != Some(Tone::SpecialInformation)
            && self.followed_speech(&before, silence_ms);
        if !is_beep {
            return None;
        }
        self.speech_ms = 0;
        Some(Tone::Beep { hz: hz.round() as u16, duration_ms: before.ms() })
    }

    /// Whether somebody spoke for half a second at least, not long before the tone.
    fn followed_speech(&self, tone: &Stretch, silence_ms: u32) -> bool {
        self.speech_ms >= 500 && self.since_speech_ms <= tone.ms() + silence_ms + 5_000
    }
}

fn near(hz: f32, nominal: f32) -> bool {
    (hz - nominal).abs() < 15.0f32.max(0.02 * nominal)
}
