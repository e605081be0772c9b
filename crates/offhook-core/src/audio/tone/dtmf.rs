//! DTMF by the rules of ITU-T Q.23 and Q.24, with eight Goertzel filters over blocks of 12.75 ms that overlap by half.
//!
//! Four alike blocks in a row are a key: every tone of 40 ms fills four, and one of 23 ms fills three at most well
//! enough. A key is released after four blocks without it, so that an interruption of 10 ms does not double it.

use std::collections::VecDeque;
use std::f32::consts::TAU;
use std::sync::LazyLock;

use super::{Digit, Tone};

const ROWS: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
const COLUMNS: [f32; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
const KEYS: [[char; 4]; 4] =
    [['1', '2', '3', 'A'], ['4', '5', '6', 'B'], ['7', '8', '9', 'C'], ['*', '0', '#', 'D']];

const BLOCK: usize = 102;

/// The column may be this much stronger than the row (8 dB), the row this much stronger than the column (4 dB).
/// Telephone lines lose more at the top, so senders raise the column.
const TWIST: f32 = 6.3;
const REVERSE_TWIST: f32 = 2.5;
/// What is stronger than any other of its group by this (8 dB).
const PROMINENCE: f32 = 6.3;
/// Share of the energy that must be in the two tones; speech has more elsewhere.
const PURITY: f32 = 0.66;
/// Weakest tone taken for a key: -42 dBFS.
const WEAKEST: f32 = 6.3e-5;

static COEFFICIENTS: LazyLock<[f32; 8]> = LazyLock::new(|| {
    std::array::from_fn(|n| {
        let hz = if n < 4 { ROWS[n] } else { COLUMNS[n - 4] };
        2.0 * (TAU * hz / 8_000.0).cos()
    })
});

/// Blocks in a row that make a key, and that end it.
const ALIKE: u8 = 4;

#[derive(Clone, Debug)]
pub struct Dtmf {
    /// Half a block apart.
    blocks: [Block; 2],
    last: Option<Digit>,
    alike: u8,
    pressed: Option<Digit>,
    without: u8,
}

/// A block in the making.
#[derive(Clone, Copy, Debug, Default)]
struct Block {
    filters: [(f32, f32); 8],
    energy: f32,
    samples: usize,
}

impl Default for Dtmf {
    fn default() -> Self {
        let blocks = [Block::default(), Block { samples: BLOCK / 2, ..Block::default() }];
        Self { blocks, last: None, alike: 0, pressed: None, without: 0 }
    }
}

impl Dtmf {
    pub fn push(&mut self, samples: &[i16], told: &mut VecDeque<Tone>) {
        let mut rest = samples;
        while !rest.is_empty() {
            let room = BLOCK - self.blocks[0].samples.max(self.blocks[1].samples);
            let (piece, later) = rest.split_at(rest.len().min(room));
            for n in 0..self.blocks.len() {
                self.blocks[n].filter(piece);
                if self.blocks[n].samples == BLOCK {
                    let found = std::mem::take(&mut self.blocks[n]).found();
                    told.extend(self.follow(found).map(Tone::Digit));
                }
            }
            rest = later;
        }
    }

    pub fn is_pressed(&self) -> bool {
        self.pressed.is_some()
    }

    /// The key that this block makes certain, if one.
    fn follow(&mut self, found: Option<Digit>) -> Option<Digit> {
        self.alike = if found == self.last { self.alike.saturating_add(1) } else { 1 };
        self.last = found;
        if found.is_some() && found == self.pressed {
            self.without = 0;
            return None;
        }
        self.without = self.without.saturating_add(1);
        if self.without >= ALIKE {
            self.pressed = None;
        }
        let begun = found.filter(|_| self.alike >= ALIKE)?;
        self.pressed = Some(begun);
        self.without = 0;
        Some(begun)
    }
}

impl Block {
    fn filter(&mut self, samples: &[i16]) {
        let coefficients = &*COEFFICIENTS;
        for sample in samples {
            let x = f32::from(*sample) / 32_768.0;
            self.energy += x * x;
            for ((s1, s2), coefficient) in self.filters.iter_mut().zip(coefficients) {
                let s0 = x + coefficient * *s1 - *s2;
                *s2 = *s1;
                *s1 = s0;
            }
        }
        self.samples += samples.len();
    }

    fn found(&self) -> Option<Digit> {
        if self.energy < WEAKEST * BLOCK as f32 {
            return None;
        }
        // In the scale of `energy`: a pure tone gives its own energy.
        let power: [f32; 8] = std::array::from_fn(|n| {
            let ((s1, s2), c) = (self.filters[n], COEFFICIENTS[n]);
            (s1 * s1 + s2 * s2 - c * s1 * s2) * 2.0 / BLOCK as f32
        });
        let (row, row_power) = prominent(&power[..4])?;
        let (column, column_power) = prominent(&power[4..])?;
        let fits = column_power < TWIST * row_power
            && row_power < REVERSE_TWIST * column_power
            && row_power + column_power > PURITY * self.energy;
        fits.then(|| Digit::from_char(KEYS[row][column])).flatten()
    }
}

/// Which one stands out of its group.
fn prominent(powers: &[f32]) -> Option<(usize, f32)> {
    let (best, power) = powers.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
    powers
        .iter()
        .enumerate()
        .all(|(n, other)| n == best || other * PROMINENCE < power)
        .then_some((best, power))
}
