//! What to play in place of audio that never came.
//!
//! The last pitch period is repeated, fading out over 60 ms, then silence: the idea of G.711 Appendix I, worked on
//! demand, so that a call without loss pays one copy a packet.

use offhook_core::AudioFormat;
use offhook_core::audio::g711;

/// Samples kept for finding the pitch: two periods of the lowest one.
const HISTORY: usize = 240;

/// Pitch periods looked for: 200 Hz to 66 Hz.
const MIN_PITCH: usize = 40;
const MAX_PITCH: usize = 120;

/// Samples after which a substitute has faded to silence.
const FADE: usize = 480;

#[derive(Clone, Debug)]
pub struct Concealer {
    format: AudioFormat,
    /// The last real audio, coded.
    history: [u8; HISTORY],
    /// One pitch period, while substituting.
    period: [i16; MAX_PITCH],
    pitch: usize,
    /// Samples substituted since the last real one.
    made: usize,
}

impl Concealer {
    pub fn new(format: AudioFormat) -> Self {
        let history = [format.silence_byte(); HISTORY];
        Self { format, history, period: [0; MAX_PITCH], pitch: MIN_PITCH, made: 0 }
    }

    /// Remember real audio.
    pub fn heard(&mut self, audio: &[u8]) {
        self.made = 0;
        if let Some(tail) = audio.last_chunk::<HISTORY>() {
            self.history = *tail;
        } else {
            self.history.copy_within(audio.len().., 0);
            self.history[HISTORY - audio.len()..].copy_from_slice(audio);
        }
    }

    /// Append `samples` of substitute.
    pub fn conceal(&mut self, samples: usize, out: &mut Vec<u8>) {
        if self.made == 0 {
            self.find_period();
        }
        for _ in 0..samples {
            out.push(match FADE.checked_sub(self.made) {
                None | Some(0) => self.format.silence_byte(),
                Some(left) => {
                    let sample = i32::from(self.period[self.made % self.pitch]);
                    encode(self.format, (sample * left as i32 / FADE as i32) as i16)
                }
            });
            self.made += 1;
        }
    }

    /// The lag at which the end of the history resembles itself most.
    fn find_period(&mut self) {
        let mut samples = [0i16; HISTORY];
        for (sample, byte) in samples.iter_mut().zip(self.history) {
            *sample = decode(self.format, byte);
        }
        let recent = &samples[HISTORY - MAX_PITCH..];
        let likeness = |lag: &usize| {
            let earlier = &samples[HISTORY - MAX_PITCH - lag..];
            let (mut product, mut energy) = (0i64, 1i64);
            for (a, b) in recent.iter().zip(earlier) {
                product += i64::from(*a) * i64::from(*b);
                energy += i64::from(*b) * i64::from(*b);
            }
            (product.max(0) as f64).powi(2) / energy as f64
        };
        let best = (MIN_PITCH..=MAX_PITCH).max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        self.pitch = best.unwrap_or(MIN_PITCH);
        self.period[..self.pitch].copy_from_slice(&samples[HISTORY - self.pitch..]);
    }
}

pub fn decode(format: AudioFormat, byte: u8) -> i16 {
    match format {
        AudioFormat::Pcma => g711::decode_alaw(byte),
        _ => g711::decode_ulaw(byte),
    }
}

pub fn encode(format: AudioFormat, sample: i16) -> u8 {
    match format {
        AudioFormat::Pcma => g711::encode_alaw(sample),
        _ => g711::encode_ulaw(sample),
    }
}
