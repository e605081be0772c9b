//! Tones to send, and what of them arrives.

use std::f64::consts::TAU;

use offhook_carrier::{Leg, LegOutput};
use offhook_core::audio::FRAME as FRAME_TIME;
use offhook_core::audio::g711::{decode_alaw, decode_ulaw, encode_alaw, encode_ulaw};
use offhook_core::{AudioFormat, Frame};
use tokio::time::{interval, timeout};

use crate::program::PATIENCE;

/// Samples in 20 ms of telephone sound.
const FRAME: usize = 160;
const RATE: f64 = 8_000.0;

/// A sine wave that goes on from frame to frame.
pub struct Tone {
    hz: f64,
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

/// Play a tone to a far end that echoes, until half a second of sound is back; how loud the tone is in there.
pub async fn echoed_level(leg: &mut Leg, format: AudioFormat, mut tone: Tone) -> f64 {
    let hz = tone.hz;
    let mut heard = Vec::new();
    let mut beat = interval(FRAME_TIME);
    let listened = timeout(PATIENCE, async {
        // The first tenth of a second holds the far end's start.
        while heard.len() < 4_800 {
            tokio::select! {
                _ = beat.tick() => leg.play(&tone.frame(format)),
                output = leg.next() => match output {
                    LegOutput::Audio(frame) if frame.format() == format => heard.extend(samples_of(&frame)),
                    other => panic!("{other:?} instead of sound"),
                },
            }
        }
    });
    listened.await.expect("half a second of sound");
    level_at(&heard[800..], RATE, hz)
}
