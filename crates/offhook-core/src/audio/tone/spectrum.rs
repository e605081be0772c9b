//! The spectrum of 50 ms, and what stands out in it.

use std::f32::consts::TAU;
use std::sync::LazyLock;

/// Half the length of the transform: two real samples travel as one complex number.
const HALF: usize = 256;

const BIN_HZ: f32 = 8_000.0 / (2 * HALF) as f32;

/// How far the energy of one steady tone spreads under the window, in bins.
const SPREAD: usize = 3;

/// What the telephone network carries, in bins: 200 to 3500 Hz.
const BAND: std::ops::Range<usize> = 13..224;

/// How much of the energy must be in one or two tones to call it that.
const PURE: f32 = 0.93;

/// No network uses a single tone below; a high voice has its pitch and the first harmonics there.
const LOWEST_TONE_HZ: f32 = 380.0;

/// Tones closer than this are not reliably seen apart.
const CLOSE_HZ: f32 = 70.0;

/// What one look finds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sound {
    Silence,
    /// One steady tone.
    Single {
        hz: f32,
    },
    /// Two tones too close to be seen apart, beating against each other; `hz` is between them.
    Beat {
        hz: f32,
    },
    /// Two tones of similar strength.
    Pair {
        low_hz: f32,
        high_hz: f32,
    },
    /// Speech, music, noise.
    Other {
        strongest_hz: Option<f32>,
    },
}

impl Sound {
    pub fn is_tone(self) -> bool {
        matches!(self, Self::Single { .. } | Self::Beat { .. } | Self::Pair { .. })
    }

    pub fn strongest_hz(self) -> Option<f32> {
        match self {
            Self::Silence => None,
            Self::Single { hz } | Self::Beat { hz } | Self::Pair { low_hz: hz, .. } => Some(hz),
            Self::Other { strongest_hz } => strongest_hz,
        }
    }

    /// Whether it is the same steady tone as a moment ago, which a voice never quite is.
    pub fn holds(self, before: Sound) -> bool {
        let near = |a: f32, b: f32| (a - b).abs() < 5.0;
        match (self, before) {
            (Self::Single { hz: a }, Self::Single { hz: b })
            | (Self::Beat { hz: a }, Self::Beat { hz: b }) => near(a, b) && a > LOWEST_TONE_HZ,
            (Self::Pair { low_hz: a, high_hz: c }, Self::Pair { low_hz: b, high_hz: d }) => {
                near(a, b) && near(c, d)
            }
            _ => false,
        }
    }

    /// Whether both are the same to the ear of an exchange.
    pub fn resembles(self, other: Sound) -> bool {
        let near = |a: f32, b: f32| (a - b).abs() < 12.0f32.max(0.015 * a);
        match (self, other) {
            (Self::Silence, Self::Silence) | (Self::Other { .. }, Self::Other { .. }) => true,
            (Self::Single { hz: a }, Self::Single { hz: b }) => near(a, b),
            (Self::Beat { hz: a }, Self::Beat { hz: b }) => (a - b).abs() < 30.0,
            (Self::Pair { low_hz: a, high_hz: c }, Self::Pair { low_hz: b, high_hz: d }) => {
                near(a, b) && near(c, d)
            }
            _ => false,
        }
    }
}

/// Energy by frequency.
pub struct Spectrum {
    power: [f32; HALF],
}

struct Peak {
    hz: f32,
    energy: f32,
}

struct Tables {
    hann: [f32; Spectrum::WINDOW],
    /// `exp(-i tau k / 512)`.
    twiddles: [(f32, f32); HALF],
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| Tables {
    hann: std::array::from_fn(|n| 0.5 - 0.5 * (TAU * (n as f32 + 0.5) / Spectrum::WINDOW as f32).cos()),
    twiddles: std::array::from_fn(|k| {
        let angle = TAU * k as f32 / (2 * HALF) as f32;
        (angle.cos(), -angle.sin())
    }),
});

impl Spectrum {
    /// 50 ms: enough to tell 350 from 440 Hz.
    pub const WINDOW: usize = 400;

    pub fn of(samples: &[i16; Self::WINDOW]) -> Self {
        let Tables { hann, twiddles } = &*TABLES;
        let mut z = [(0.0, 0.0); HALF];
        for (n, (pair, hann)) in samples.as_chunks::<2>().0.iter().zip(hann.as_chunks::<2>().0).enumerate() {
            z[n] = (f32::from(pair[0]) * hann[0], f32::from(pair[1]) * hann[1]);
        }
        transform(&mut z, twiddles);
        let mut power = [0.0; HALF];
        for k in 1..HALF {
            power[k] = unpack(z[k], z[HALF - k], twiddles[k]);
        }
        Self { power }
    }

    /// How alike two spectra are, whatever their loudness: 1 for the same, 0 for nothing in common (Bhattacharyya's
    /// coefficient).
    pub fn likeness(&self, other: &Spectrum) -> f32 {
        let (mine, theirs) = (&self.power[BAND], &other.power[BAND]);
        let common: f32 = mine.iter().zip(theirs).map(|(a, b)| (a * b).sqrt()).sum();
        let total = mine.iter().sum::<f32>() * theirs.iter().sum::<f32>();
        common / total.sqrt().max(f32::MIN_POSITIVE)
    }

    /// Whether nearly all of it is in one or two steady tones.
    pub fn is_tone(&self) -> bool {
        Self { power: self.power }.sound(false).is_tone()
    }

    /// What stands out; `beating` is whether the loudness flutters ([`is_beating`]).
    pub fn sound(mut self, beating: bool) -> Sound {
        let total: f32 = self.power[BAND].iter().sum::<f32>().max(f32::MIN_POSITIVE);
        let Some(first) = self.take_peak() else { return Sound::Other { strongest_hz: None } };
        let one = |hz| if beating { Sound::Beat { hz } } else { Sound::Single { hz } };
        if first.energy > PURE * total {
            return one(first.hz);
        }
        let strongest_hz = (first.energy > 0.15 * total).then_some(first.hz);
        let Some(second) = self.take_peak() else { return Sound::Other { strongest_hz } };
        let energy = first.energy + second.energy;
        if energy < PURE * total {
            return Sound::Other { strongest_hz };
        }
        let (low_hz, high_hz) = (first.hz.min(second.hz), first.hz.max(second.hz));
        if high_hz - low_hz < CLOSE_HZ {
            return one((first.hz * first.energy + second.hz * second.energy) / energy);
        }
        if second.energy > 0.1 * first.energy {
            Sound::Pair { low_hz, high_hz }
        } else {
            Sound::Other { strongest_hz }
        }
    }

    /// Finds the strongest tone and removes it.
    fn take_peak(&mut self) -> Option<Peak> {
        let top = BAND.max_by(|a, b| self.power[*a].total_cmp(&self.power[*b]))?;
        let around = top - SPREAD..top + SPREAD + 1;
        let (energy, moment) = around.clone().fold((0.0, 0.0), |(energy, moment), bin| {
            (energy + self.power[bin], moment + self.power[bin] * bin as f32)
        });
        self.power[around].fill(0.0);
        // The lobe is symmetric, so its centre of gravity is where the tone is.
        (energy > 0.0).then(|| Peak { hz: moment / energy * BIN_HZ, energy })
    }
}

/// Whether the loudness changes as it does where two close tones meet: compares stretches of 5 ms. 30 ms hold a
/// whole period of the slowest such beat in use, 40 Hz.
pub fn is_beating(window: &[i16; Spectrum::WINDOW]) -> bool {
    let energy = |part: &[i16]| part.iter().map(|sample| i64::from(i32::from(*sample).pow(2))).sum::<i64>();
    let energies = window[Spectrum::WINDOW - 240..].chunks_exact(40).map(energy);
    let (softest, loudest) = energies.fold((i64::MAX, 0), |(low, high), e| (low.min(e), high.max(e)));
    loudest > 3 * softest
}

/// Power of bin `k` of the real signal, from the bins `k` and `-k` of the packed one.
fn unpack(a: (f32, f32), b: (f32, f32), twiddle: (f32, f32)) -> f32 {
    let even = ((a.0 + b.0) / 2.0, (a.1 - b.1) / 2.0);
    let odd = ((a.1 + b.1) / 2.0, (b.0 - a.0) / 2.0);
    let turned = (odd.0 * twiddle.0 - odd.1 * twiddle.1, odd.0 * twiddle.1 + odd.1 * twiddle.0);
    (even.0 + turned.0).powi(2) + (even.1 + turned.1).powi(2)
}

/// Fourier transform in place, radix 2.
fn transform(z: &mut [(f32, f32); HALF], twiddles: &[(f32, f32); HALF]) {
    for n in 0..HALF {
        let mirrored = (n as u8).reverse_bits() as usize;
        if n < mirrored {
            z.swap(n, mirrored);
        }
    }
    let mut size = 1;
    while size < HALF {
        for block in z.chunks_exact_mut(2 * size) {
            let (left, right) = block.split_at_mut(size);
            for (n, (a, b)) in left.iter_mut().zip(right).enumerate() {
                let (cos, sin) = twiddles[n * HALF / size];
                let turned = (b.0 * cos - b.1 * sin, b.0 * sin + b.1 * cos);
                *b = (a.0 - turned.0, a.1 - turned.1);
                *a = (a.0 + turned.0, a.1 + turned.1);
            }
        }
        size *= 2;
    }
}
