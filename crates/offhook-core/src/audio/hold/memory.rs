//! What was heard before: an announcement is the one kind of speech that is the same, to the breath, every time.
//!
//! A stretch of sound is kept as the levels of four octaves, 200 bytes a second: of 40 ms every 20 ms, so that it makes no
//! difference where a frame begins.

use std::collections::VecDeque;

use super::bands::Bands;
use super::hops;

/// 40 ms, in decibels.
type Look = [i8; 4];

#[derive(Debug, Default)]
pub struct Memory {
    /// The stretch that is sounding.
    current: Vec<Look>,
    /// Stretches that were kept, the oldest first.
    kept: VecDeque<Vec<Look>>,
    /// The hop before: a look is at two.
    last: Bands,
    silent: u32,
    /// Whether the current stretch is to be kept on hold, too.
    worth_keeping: bool,
}

/// Looks that are compared, every other one, and how many hops they span.
const PATTERN: usize = 30;
const SPAN: usize = 2 * PATTERN;
/// Looks of a stretch that is kept: 15 s.
const LONGEST: usize = 750;
const KEPT: usize = 4;
/// Looks of a stretch that may not be worth keeping.
const LOOK_BACK: usize = 120;
/// How alike two patterns are that are the same; the second where the same announcement was heard a moment ago.
const ALIKE: f32 = 0.88;
const STILL_ALIKE: f32 = 0.82;
/// Standard deviation, in decibels: less of a change can't be recognised.
const LIVELY: f32 = 5.0;

impl Memory {
    /// Of a stretch, before it can be recognised.
    pub const SPAN: u32 = SPAN as u32;
    const PAUSE: u32 = hops(400);

    /// Whether so much of a new stretch was heard just now that it can be recognised.
    pub fn hear(&mut self, bands: &Bands, silent: bool, keeps_all: bool) -> bool {
        let last = std::mem::replace(&mut self.last, *bands);
        self.silent = if silent { self.silent.saturating_add(1) } else { 0 };
        if self.silent >= Self::PAUSE {
            if !self.current.is_empty() {
                self.end(keeps_all);
            }
            return false;
        }
        if silent && self.current.is_empty() {
            return false;
        }
        self.current.push(std::array::from_fn(|n| decibels(last.0[n] + bands.0[n])));
        if self.current.len() == LONGEST {
            self.end(keeps_all);
        } else if !keeps_all && !self.worth_keeping && self.current.len() >= LOOK_BACK * 2 {
            self.current.drain(..LOOK_BACK);
        }
        !silent && self.current.len() == SPAN
    }

    /// A hold begins: what is sounding from now on is another stretch.
    pub fn close(&mut self) {
        self.end(true);
    }

    fn end(&mut self, keep: bool) {
        let stretch = std::mem::take(&mut self.current);
        if (keep || self.worth_keeping) && stretch.len() >= SPAN {
            if self.kept.len() == KEPT {
                self.kept.pop_front();
            }
            self.kept.push_back(stretch);
        }
        self.worth_keeping = false;
    }

    /// The current stretch, of which this many hops mattered, was not known: it may come again.
    pub fn keep(&mut self, hops: u32) {
        let from = self.current.len().saturating_sub(hops as usize);
        self.current.drain(..from);
        self.worth_keeping = true;
    }

    pub fn knows_any(&self) -> bool {
        !self.kept.is_empty()
    }

    /// Without the silence at its end, in which all speech is alike.
    fn sounding(&self) -> &[Look] {
        &self.current[..self.current.len().saturating_sub(self.silent as usize)]
    }

    /// Whether there is enough of the current stretch to recognise it.
    pub fn can_tell(&self) -> bool {
        self.sounding().len() >= SPAN
    }

    /// Whether a stretch began as the current one does.
    pub fn began_before(&self) -> bool {
        self.finds(8, ALIKE)
    }

    /// Whether the last second was part of a stretch that was heard before; `still` when the second before was, too.
    pub fn was_heard_before(&self, still: bool) -> bool {
        self.finds(LONGEST, if still { STILL_ALIKE } else { ALIKE })
    }

    fn finds(&self, places: usize, alike: f32) -> bool {
        let sounding = self.sounding();
        let Some(from) = sounding.len().checked_sub(SPAN) else { return false };
        let Some(pattern) = Pattern::of(&sounding[from..]) else { return false };
        let mut windows = self.kept.iter().flat_map(|stretch| stretch.windows(SPAN).take(places));
        windows.any(|other| pattern.likeness(other) > alike)
    }
}

/// What to look for: levels around their mean, octave by octave, of length one.
struct Pattern([[f32; 4]; PATTERN]);

impl Pattern {
    fn of(looks: &[Look]) -> Option<Self> {
        let means = means(looks);
        let mut levels = [[0.0; 4]; PATTERN];
        for (levels, look) in levels.iter_mut().zip(every_other(looks)) {
            *levels = std::array::from_fn(|n| f32::from(look[n]) - means[n]);
        }
        let length = levels.iter().flatten().map(|level| level * level).sum::<f32>().sqrt();
        if length < LIVELY * (4.0 * PATTERN as f32).sqrt() {
            return None;
        }
        levels.iter_mut().flatten().for_each(|level| *level /= length);
        Some(Self(levels))
    }

    /// Their correlation.
    fn likeness(&self, looks: &[Look]) -> f32 {
        let means = means(looks);
        let (mut product, mut square) = (0.0, 0.0);
        for (mine, look) in self.0.iter().zip(every_other(looks)) {
            for n in 0..4 {
                let level = f32::from(look[n]) - means[n];
                product += mine[n] * level;
                square += level * level;
            }
        }
        product / square.sqrt().max(f32::MIN_POSITIVE)
    }
}

fn every_other(looks: &[Look]) -> impl Iterator<Item = &Look> {
    looks.iter().step_by(2)
}

fn means(looks: &[Look]) -> [f32; 4] {
    let sums = every_other(looks)
        .fold([0i32; 4], |sums, look| std::array::from_fn(|n| sums[n] + i32::from(look[n])));
    sums.map(|sum| sum as f32 / PATTERN as f32)
}

/// Of the energy of 40 ms, above the noise of a line.
fn decibels(energy: f32) -> i8 {
    const NOISE: f32 = 320.0 * 16.0 * 16.0;
    (10.0 * (energy / NOISE).max(1.0).log10()) as i8
}
