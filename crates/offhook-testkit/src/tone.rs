//! Tones to send, and what of them arrives.

use std::f64::consts::TAU;

use offhook_core::audio::g711::{decode_alaw, decode_ulaw, encode_alaw, encode_ulaw};
use offhook_core::{AudioFormat, Frame};

/// Samples in 20 ms of telephone sound.
const FRAME: usize = 160;
/// The sample rate of a telephone.
pub const RATE: f64 = 8_000.0;

/// A sine wave that goes on from frame to frame.
#[derive(Clone, Debug)]
pub struct Tone {
    pub hz: f64,
    amplitude: f64,
    at: usize,
}

impl Tone {
    /// `level` is the root mean square below full scale.
    pub fn new(hz: f64, level_dbfs: f64) -> Self {
        let amplitude = 32_768.0 * 10f64.powf(level_dbfs / 20.0) * 2f64.sqrt();
        Self { hz, amplitude, at: 0 }
    }

    pub fn samples(&mut self, count: usize) -> Vec<i16> {
        let start = self.at;
        self.at += count;
        let sample = |n: usize| (self.amplitude * (TAU * self.hz * n as f64 / RATE).sin()) as i16;
        (start..self.at).map(sample).collect()
    }

    pub fn frame(&mut self, format: AudioFormat) -> Frame {
        let encode = if format == AudioFormat::Pcma { encode_alaw } else { encode_ulaw };
        let bytes: Vec<u8> = self.samples(FRAME).into_iter().map(encode).collect();
        Frame::from_bytes(format, &bytes).expect("20 ms of G.711")
    }
}

pub fn samples_of(frame: &Frame) -> Vec<i16> {
    let decode = if frame.format() == AudioFormat::Pcma { decode_alaw } else { decode_ulaw };
    frame.bytes().iter().map(|byte| decode(*byte)).collect()
}

/// Root mean square below full scale.
pub fn level_dbfs(samples: &[i16]) -> f64 {
    let energy: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    10.0 * (energy / samples.len().max(1) as f64 / 32_768f64.powi(2)).max(1e-12).log10()
}

/// The level of one frequency alone (Goertzel).
pub fn level_at(samples: &[i16], rate: f64, hz: f64) -> f64 {
    let turn = 2.0 * (TAU * hz / rate).cos();
    let (mut before, mut last) = (0.0, 0.0);
    for sample in samples {
        (before, last) = (last, f64::from(*sample) + turn * last - before);
    }
    let power = before * before + last * last - turn * before * last;
    let count = samples.len().max(1) as f64;
    // A sine of root mean square r has |X|² = N² r² / 2.
    10.0 * (2.0 * power / count.powi(2) / 32_768f64.powi(2)).max(1e-12).log10()
}

/// The best 300 ms hold this tone at this level, and next to nothing else.
#[track_caller]
pub fn assert_tone(who: &str, heard: &[i16], hz: f64, level: f64) {
    let best = heard
        .windows(2_400)
        .step_by(400)
        .max_by(|a, b| level_at(a, RATE, hz).total_cmp(&level_at(b, RATE, hz)));
    let best = best.unwrap_or_else(|| panic!("{who} heard only {} samples", heard.len()));
    let (tone, all) = (level_at(best, RATE, hz), level_dbfs(best));
    assert!((tone - level).abs() < 1.0, "{who} heard {hz} Hz at {tone:.1} dBFS, not {level}");
    assert!(
        (all - tone).abs() < 0.5,
        "{who} heard more than the tone: {all:.1} dBFS in all, {tone:.1} of it"
    );
}
