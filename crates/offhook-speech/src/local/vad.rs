//! Whether a stretch of the remote's audio is speech.

use std::f32::consts::TAU;
use std::fmt;

use earshot::Detector;
use offhook_core::audio::SampleRate;
use offhook_core::audio::resample::Resampler;

/// Samples of 20 ms.
pub const BLOCK: usize = 160;

/// What 20 ms of the remote's audio sound like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sound {
    Silence,
    Speech,
    /// Audible, but not speech: music, tones, noise.
    Other,
}

#[derive(Debug)]
pub enum Vad {
    Speech(Box<SpeechVad>),
    /// Whatever is loud enough: for audio that is not really speech.
    Energy,
}

impl Vad {
    pub fn speech() -> Self {
        Self::Speech(Box::default())
    }

    /// Classify 20 ms at 8 kHz.
    pub fn push(&mut self, block: &[i16; BLOCK]) -> Sound {
        let audible = rms(block) > AUDIBLE;
        match self {
            Self::Energy if audible => Sound::Speech,
            Self::Energy => Sound::Silence,
            Self::Speech(vad) => vad.push(block, audible),
        }
    }
}

/// About -48 dBFS: above the noise of a line.
const AUDIBLE: f32 = 130.0;

fn rms(block: &[i16]) -> f32 {
    let sum: f32 = block.iter().map(|sample| f32::from(*sample) * f32::from(*sample)).sum();
    (sum / block.len() as f32).sqrt()
}

/// A neural detector, overruled where the sound is too steady for a voice: the detector takes dial tones, DTMF and
/// music for speech.
pub struct SpeechVad {
    detector: Detector,
    upsampler: Option<Resampler>,
    wide: Vec<i16>,
    score: f32,
    steady: Steady,
}

impl Default for SpeechVad {
    fn default() -> Self {
        Self {
            detector: Detector::default(),
            upsampler: Resampler::new(SampleRate::Hz8000, SampleRate::Hz16000),
            wide: Vec::with_capacity(1_024),
            score: 0.0,
            steady: Steady::default(),
        }
    }
}

impl fmt::Debug for SpeechVad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpeechVad").field("score", &self.score).finish_non_exhaustive()
    }
}

impl SpeechVad {
    /// Samples the detector looks at at once, at 16 kHz.
    const WINDOW: usize = 256;
    const THRESHOLD: f32 = 0.5;

    fn push(&mut self, block: &[i16; BLOCK], audible: bool) -> Sound {
        if let Some(upsampler) = &mut self.upsampler {
            upsampler.push(block, &mut self.wide);
        }
        while self.wide.len() >= Self::WINDOW {
            self.score = self.detector.predict_i16(&self.wide[..Self::WINDOW]);
            self.wide.drain(..Self::WINDOW);
        }
        let steady = self.steady.push(block);
        match audible {
            false => Sound::Silence,
            true if steady || self.score < Self::THRESHOLD => Sound::Other,
            true => Sound::Speech,
        }
    }
}

/// Samples a spectrum is made of.
const SPAN: usize = 2 * BLOCK;

/// Notices sounds whose spectrum stays as it is, as that of a voice never does for long.
struct Steady {
    /// Spectra of the last blocks, scaled to length 1.
    past: [[f32; Steady::BINS]; Steady::LAG],
    at: usize,
    run: usize,
    /// The block before: 20 ms alone are too short to tell two near tones apart.
    before: [i16; BLOCK],
    window: [f32; SPAN],
    /// One period of 50 Hz, which holds all angles that occur.
    cosine: [f32; BLOCK],
}

impl Default for Steady {
    fn default() -> Self {
        Self {
            past: [[0.0; Self::BINS]; Self::LAG],
            at: 0,
            run: 0,
            before: [0; BLOCK],
            window: std::array::from_fn(|n| 0.5 - 0.5 * (TAU * n as f32 / SPAN as f32).cos()),
            cosine: std::array::from_fn(|n| (TAU * n as f32 / BLOCK as f32).cos()),
        }
    }
}

impl Steady {
    /// 50 Hz each, from 200 Hz to 2.6 kHz.
    const BINS: usize = 48;
    const FIRST_BIN: usize = 4;
    /// Compared with 60 ms ago.
    const LAG: usize = 3;
    const ALIKE: f32 = 0.9;
    const UNLIKE: f32 = 0.75;
    /// 60 ms more of that, and it is no voice.
    const RUN: usize = 3;
    const LONGEST: usize = 12;

    fn push(&mut self, block: &[i16; BLOCK]) -> bool {
        let spectrum = self.spectrum(block);
        self.before = *block;
        let likeness: f32 = spectrum.iter().zip(&self.past[self.at]).map(|(now, then)| now * then).sum();
        self.past[self.at] = spectrum;
        self.at = (self.at + 1) % Self::LAG;
        // A new chord or a crackle does not make music speech at once, nor a long vowel a voice a tone for long.
        self.run = match likeness {
            likeness if likeness > Self::ALIKE => (self.run + 1).min(Self::LONGEST),
            likeness if likeness < Self::UNLIKE => self.run.saturating_sub(2),
            _ => self.run,
        };
        self.run >= Self::RUN
    }

    fn spectrum(&self, block: &[i16; BLOCK]) -> [f32; Self::BINS] {
        let sample = |n: usize| f32::from(if n < BLOCK { self.before[n] } else { block[n - BLOCK] });
        let windowed: [f32; SPAN] = std::array::from_fn(|n| sample(n) * self.window[n]);
        let mut spectrum: [f32; Self::BINS] = std::array::from_fn(|bin| {
            let (mut real, mut imaginary) = (0.0, 0.0);
            let step = bin + Self::FIRST_BIN;
            let mut angle = 0;
            for sample in windowed {
                real += sample * self.cosine[angle];
                // A quarter period back, cosine is sine.
                imaginary += sample * self.cosine[(angle + BLOCK * 3 / 4) % BLOCK];
                angle = (angle + step) % BLOCK;
            }
            (real * real + imaginary * imaginary).sqrt()
        });
        let length = spectrum.iter().map(|bin| bin * bin).sum::<f32>().sqrt().max(1.0);
        spectrum.iter_mut().for_each(|bin| *bin /= length);
        spectrum
    }
}
