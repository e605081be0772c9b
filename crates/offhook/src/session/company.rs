//! A soft sound now and then, for somebody who waits while nobody speaks: the line is not dead.

use std::f64::consts::{PI, TAU};

use offhook_core::Frame;
use offhook_core::audio::{AudioFormat, Converter};

/// Plays the sound, frame by frame.
#[derive(Debug)]
pub struct Company {
    format: AudioFormat,
    /// The sound, in frames of the format.
    note: Vec<Frame>,
    /// Of the current round.
    beat: usize,
}

impl Company {
    /// Four seconds from one note to the next.
    const ROUND: usize = 200;
    /// The first comes after a second.
    const FIRST: usize = 50;

    pub fn new(format: AudioFormat) -> Self {
        Self { format, note: note(format), beat: Self::ROUND - Self::FIRST }
    }

    pub fn format(&self) -> AudioFormat {
        self.format
    }

    /// The frame that is due, where it is not silence.
    pub fn next_frame(&mut self) -> Option<&Frame> {
        let beat = self.beat;
        self.beat = (beat + 1) % Self::ROUND;
        self.note.get(beat)
    }

    /// Somebody speaks: the next note is a while off.
    pub fn hush(&mut self) {
        self.beat = self.note.len();
    }
}

/// A note of 80 ms that swells and fades: too short and too soft for a word.
fn note(format: AudioFormat) -> Vec<Frame> {
    const HZ: f64 = 587.3;
    const PEAK: f64 = 1_600.0;
    let (rate, pcm) = (format.sample_rate().hz() as usize, AudioFormat::Pcm16(format.sample_rate()));
    let length = rate * 80 / 1_000;
    let swell = |n: usize| (PI * n as f64 / length as f64).sin().powi(2);
    let sample = |n: usize| PEAK * swell(n) * (TAU * HZ * n as f64 / rate as f64).sin();
    let linear: Vec<u8> = (0..length).flat_map(|n| (sample(n).round() as i16).to_le_bytes()).collect();
    let mut bytes = Vec::with_capacity(linear.len());
    Converter::new(pcm, format).convert(&linear, &mut bytes);
    bytes.chunks_exact(format.frame_len()).filter_map(|frame| Frame::from_bytes(format, frame)).collect()
}

#[cfg(test)]
mod tests {
    use offhook_core::audio::SampleRate;

    use super::*;

    #[test]
    fn a_note_comes_every_four_seconds_and_never_while_somebody_speaks() {
        for format in [AudioFormat::Pcmu, AudioFormat::Pcma, AudioFormat::Pcm16(SampleRate::Hz24000)] {
            let mut company = Company::new(format);
            let sounding = |company: &mut Company| -> Vec<usize> {
                (0..600).filter(|_| company.next_frame().is_some()).collect()
            };
            assert_eq!(sounding(&mut company), [50, 51, 52, 53, 250, 251, 252, 253, 450, 451, 452, 453]);
            company.hush();
            assert_eq!(sounding(&mut company), [196, 197, 198, 199, 396, 397, 398, 399, 596, 597, 598, 599]);
        }
    }
}
