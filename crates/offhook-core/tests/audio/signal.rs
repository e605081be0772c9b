//! Signals to feed the code under test, and how to measure what comes out.

use std::f64::consts::TAU;

/// A sine of `hz`, sampled at `rate`, with this peak.
pub fn sine(hz: f64, rate: u32, peak: f64, seconds: f64) -> Vec<i16> {
    let len = (seconds * f64::from(rate)) as usize;
    (0..len).map(|n| (peak * (TAU * hz * n as f64 / f64::from(rate)).sin()).round() as i16).collect()
}

pub fn power(samples: &[i16]) -> f64 {
    samples.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / samples.len() as f64
}

pub fn db(ratio: f64) -> f64 {
    10.0 * ratio.max(1e-30).log10()
}

/// The sine of `hz` that fits best: its power, its phase in radians, and the power of what is left.
pub fn fit(samples: &[i16], hz: f64, rate: u32) -> Fit {
    let (mut re, mut im) = (0.0, 0.0);
    let angle = |n: usize| TAU * hz * n as f64 / f64::from(rate);
    for (n, sample) in samples.iter().enumerate() {
        re += f64::from(*sample) * angle(n).sin();
        im += f64::from(*sample) * angle(n).cos();
    }
    let scale = 2.0 / samples.len() as f64;
    let (a, b) = (re * scale, im * scale);
    let rest: f64 = samples
        .iter()
        .enumerate()
        .map(|(n, sample)| (f64::from(*sample) - a * angle(n).sin() - b * angle(n).cos()).powi(2))
        .sum();
    Fit { power: (a * a + b * b) / 2.0, phase: b.atan2(a), rest: rest / samples.len() as f64 }
}

pub struct Fit {
    pub power: f64,
    pub phase: f64,
    pub rest: f64,
}
