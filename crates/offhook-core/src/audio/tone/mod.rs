//! Tone detection: keys, beeps, call-progress tones, silence, music.
//!
//! [`ToneDetector`] listens to what the remote sends, at 8 kHz, and says what it recognises:
//!
//! - DTMF keys by the rules of ITU-T Q.24: 40 ms are a key, 20 ms are none, limits on level, twist and purity;
//! - the beep of an answering machine: a single steady tone after speech, and then silence;
//! - dial tone, ringback, busy, congestion, special information tones (North America, Europe by 425 Hz, the United
//!   Kingdom) and the answer tone of a fax;
//! - whether there is a steady tone just now ([`ToneDetector::is_tonal`]): voice activity detectors take such tones
//!   for speech and need to be overruled;
//! - the level, and a guess whether a longer stretch is speech or music.
//!
//! Limits, on purpose: melodies and two-tone chimes are no beeps; a beep between 390 and 490 Hz, where half the
//! world's call-progress tones live, must be short and takes 600 ms to be told from them; a beep over loud
//! background is missed. Speech or music is a hint: singing is music, and a capella or sparse piano may be neither.

mod cadence;
mod dtmf;
mod level;
mod spectrum;

use std::collections::VecDeque;
use std::fmt;

use super::Digit;
pub use level::{Texture, level_dbfs};

use cadence::Cadence;
use dtmf::Dtmf;
pub(super) use level::Floor;
use level::Listener;
use spectrum::Sound;
pub(super) use spectrum::Spectrum;

/// What was recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// A key of the keypad, once per press.
    Digit(Digit),
    /// The beep of an answering machine, when it is over: it is our turn to speak.
    Beep {
        hz: u16,
        duration_ms: u32,
    },
    Dial,
    Ringback,
    Busy,
    /// Busy at double speed: the network, not the callee, is busy ("reorder").
    Congestion,
    /// The three rising tones before an announcement of the network: the call won't be completed.
    SpecialInformation,
    /// A fax machine or modem answered.
    Fax,
}

/// How much is looked at at once: 20 ms at 8 kHz.
const HOP: usize = 160;

/// Listens to a stream of samples at 8 kHz.
#[derive(Clone)]
pub struct ToneDetector {
    /// The last samples, the newest at the end.
    window: [i16; Spectrum::WINDOW],
    /// How many of them came since the last look.
    fresh: usize,
    dtmf: Dtmf,
    cadence: Cadence,
    floor: Floor,
    listener: Listener,
    last: Sound,
    tonal_hops: u32,
    level_dbfs: f32,
    told: VecDeque<Tone>,
}

impl Default for ToneDetector {
    fn default() -> Self {
        Self {
            window: [0; Spectrum::WINDOW],
            fresh: 0,
            dtmf: Dtmf::default(),
            cadence: Cadence::default(),
            floor: Floor::default(),
            listener: Listener::default(),
            last: Sound::Silence,
            tonal_hops: 0,
            level_dbfs: level::SILENCE_DBFS,
            told: VecDeque::new(),
        }
    }
}

impl ToneDetector {
    pub fn new() -> Self {
        Self::default()
    }

    /// What these samples complete. Pieces may have any length; nothing is lost when the result is not read.
    pub fn push(&mut self, samples: &[i16]) -> impl Iterator<Item = Tone> + '_ {
        let mut rest = samples;
        while !rest.is_empty() {
            let (piece, later) = rest.split_at(rest.len().min(HOP - self.fresh));
            self.dtmf.push(piece, &mut self.told);
            self.window.copy_within(piece.len().., 0);
            self.window[Spectrum::WINDOW - piece.len()..].copy_from_slice(piece);
            self.fresh += piece.len();
            if self.fresh == HOP {
                self.fresh = 0;
                self.look();
            }
            rest = later;
        }
        std::iter::from_fn(|| self.told.pop_front())
    }

    /// Whether there has been a steady tone for the last 80 ms or more: no speech, whatever else says it is.
    pub fn is_tonal(&self) -> bool {
        self.tonal_hops >= 4 || self.dtmf.is_pressed()
    }

    /// Level of the last 20 ms, in dB below full scale.
    pub fn level_dbfs(&self) -> f32 {
        self.level_dbfs
    }

    /// Whether the last 20 ms were no louder than the line itself.
    pub fn is_silent(&self) -> bool {
        self.floor.is_silent(self.level_dbfs)
    }

    /// What the last seconds sounded like.
    pub fn texture(&self) -> Texture {
        self.listener.texture()
    }

    fn look(&mut self) {
        let before_dbfs = self.level_dbfs;
        self.level_dbfs = level_dbfs(&self.window[Spectrum::WINDOW - HOP..]);
        self.floor.follow(self.level_dbfs);
        let sound = match self.floor.is_silent(self.level_dbfs) {
            true => Sound::Silence,
            false => Spectrum::of(&self.window).sound(spectrum::is_beating(&self.window)),
        };
        let goes_on = sound.holds(self.last) && (self.level_dbfs - before_dbfs).abs() < 2.5;
        self.tonal_hops =
            if goes_on { self.tonal_hops.saturating_add(1) } else { u32::from(sound.is_tone()) };
        self.last = sound;
        self.listener.hear(sound, self.level_dbfs);
        if let Some(tone) = self.cadence.hear(sound, self.level_dbfs) {
            self.told.push_back(tone);
        }
    }
}

impl fmt::Debug for ToneDetector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ToneDetector({:.0} dBFS, {:?})", self.level_dbfs, self.texture())
    }
}
