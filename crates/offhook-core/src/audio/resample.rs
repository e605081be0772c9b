//! Resampling between 8, 16, 24 and 48 kHz by polyphase FIR filters.
//!
//! One low-pass prototype per pair of rates, computed once per process and shared by all calls: 24 taps per sample
//! of the slower rate under a Kaiser window. That delays by 12 samples of the slower rate (1.5 ms at 8 kHz), passes
//! 0–40 % of it (0–3.2 kHz at 8 kHz) flat, and keeps aliases and images of what lies beyond 60 % of it more than
//! 70 dB down. Samples and coefficients are 16 bit and products add up in 32 bit, the form that compiles to
//! multiply-add instructions.

use std::f64::consts::PI;
use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use super::SampleRate;

/// Taps per sample of the slower of the two rates.
const TAPS: usize = 24;

/// Shape of the Kaiser window: 77 dB of stop-band attenuation.
const KAISER_BETA: f64 = 7.53;

/// Taps multiplied at once.
const LANES: usize = 8;

/// Samples taken in at once; bounds the state of a stream.
const BLOCK: usize = 320;

/// Changes the sample rate of one stream.
#[derive(Clone)]
pub struct Resampler {
    filter: &'static Filter,
    /// The samples the next output still looks at, then room for a block.
    buffer: Box<[i16]>,
    filled: usize,
    phase: usize,
}

/// The filter between two rates, split into one row of taps per output phase.
struct Filter {
    up: usize,
    down: usize,
    taps_per_phase: usize,
    /// Rows of `taps_per_phase`, oldest sample first, Q15.
    rows: Vec<i16>,
    delay: Duration,
}

impl Resampler {
    /// `None` when the rates are the same: there is nothing to do.
    pub fn new(from: SampleRate, to: SampleRate) -> Option<Self> {
        (from != to).then(|| {
            let filter = Filter::between(from, to);
            let history = filter.taps_per_phase - 1;
            Self { filter, buffer: vec![0; history + BLOCK].into_boxed_slice(), filled: history, phase: 0 }
        })
    }

    /// Appends the resampled form of `samples`: of 20 ms of input exactly 20 ms of output.
    pub fn push(&mut self, samples: &[i16], out: &mut Vec<i16>) {
        let mut rest = samples;
        while !rest.is_empty() {
            let (block, later) = rest.split_at(rest.len().min(self.buffer.len() - self.filled));
            self.buffer[self.filled..self.filled + block.len()].copy_from_slice(block);
            self.filled += block.len();
            self.drain(out);
            rest = later;
        }
    }

    /// How late the output is.
    pub fn delay(&self) -> Duration {
        self.filter.delay
    }

    /// Forget the past: the next sample begins a new stream.
    pub fn reset(&mut self) {
        self.filled = self.filter.taps_per_phase - 1;
        self.buffer[..self.filled].fill(0);
        self.phase = 0;
    }

    fn drain(&mut self, out: &mut Vec<i16>) {
        let Filter { up, down, taps_per_phase, rows, .. } = self.filter;
        let mut at = 0;
        while let Some(window) = self.buffer[..self.filled].get(at..at + taps_per_phase) {
            let row = &rows[self.phase * taps_per_phase..][..*taps_per_phase];
            out.push(dot(window, row));
            self.phase += down;
            while self.phase >= *up {
                self.phase -= up;
                at += 1;
            }
        }
        self.buffer.copy_within(at..self.filled, 0);
        self.filled -= at;
    }
}

/// Sum of products, rounded from Q15.
///
/// The taps of a row may add up to more than 2 in absolute value, more than 32 bits hold for the worst signal. So
/// every lane adds up its own, and gives up its lowest bit before they are joined.
fn dot(samples: &[i16], taps: &[i16]) -> i16 {
    let mut lanes = [0i32; LANES];
    for (samples, taps) in samples.as_chunks::<LANES>().0.iter().zip(taps.as_chunks::<LANES>().0) {
        for (lane, (sample, tap)) in lanes.iter_mut().zip(samples.iter().zip(taps)) {
            *lane += i32::from(*sample) * i32::from(*tap);
        }
    }
    let sum: i32 = lanes.iter().map(|lane| lane >> 1).sum();
    ((sum + (1 << 13)) >> 14).clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

impl Filter {
    fn between(from: SampleRate, to: SampleRate) -> &'static Filter {
        static FILTERS: [OnceLock<Filter>; 16] = [const { OnceLock::new() }; 16];
        FILTERS[from as usize * 4 + to as usize].get_or_init(|| Filter::design(from.hz(), to.hz()))
    }

    fn design(from_hz: u32, to_hz: u32) -> Self {
        let common = gcd(from_hz, to_hz);
        let up = (to_hz / common) as usize;
        let down = (from_hz / common) as usize;
        let len = TAPS * up.max(down);
        let prototype = low_pass(len, 1.0 / up.max(down) as f64);
        let taps_per_phase = (len / up).next_multiple_of(LANES);
        let rows = (0..up).flat_map(|phase| row(&prototype, phase, up, taps_per_phase)).collect();
        let delay_s = (len - 1) as f64 / 2.0 / (f64::from(from_hz) * up as f64);
        Self { up, down, taps_per_phase, rows, delay: Duration::from_secs_f64(delay_s) }
    }
}

/// Every `up`th tap from `phase` on, latest first in time, scaled so that a constant stays what it is. Zeros before
/// the oldest make it `len` long.
fn row(prototype: &[f64], phase: usize, up: usize, len: usize) -> Vec<i16> {
    let taps: Vec<f64> = prototype.iter().skip(phase).step_by(up).copied().collect();
    let sum: f64 = taps.iter().sum();
    let fixed = taps.iter().rev().map(|tap| (tap / sum * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16);
    std::iter::repeat_n(0, len - taps.len()).chain(fixed).collect()
}

/// A windowed sinc whose -6 dB point is at `cutoff` of half its sample rate.
fn low_pass(len: usize, cutoff: f64) -> Vec<f64> {
    let middle = (len - 1) as f64 / 2.0;
    let tap = |n: usize| {
        let x = (n as f64 - middle) * cutoff;
        let sinc = if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) };
        let edge = (n as f64 - middle) / (middle + 0.5);
        sinc * bessel_i0(KAISER_BETA * (1.0 - edge * edge).sqrt()) / bessel_i0(KAISER_BETA)
    };
    (0..len).map(tap).collect()
}

/// The modified Bessel function of order zero, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let mut term = 1.0;
    let mut sum = 1.0;
    for k in 1..40 {
        term *= (x / 2.0 / f64::from(k)).powi(2);
        sum += term;
    }
    sum
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

impl fmt::Debug for Resampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Resampler({}:{})", self.filter.down, self.filter.up)
    }
}
