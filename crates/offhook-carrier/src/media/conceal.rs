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
        let likeness = |lag: usize| {
            let earlier = &samples[HISTORY - MAX_PITCH - lag..];
            let (mut product, mut energy) = (0i64, 1i64);
            for (a, b) in recent.iter().zip(earlier) {
                product += i64::from(*a) * i64::from(*b);
                energy += i64::from(*b) * i64::from(*b);
            }
            (product.max(0) as f64).powi(2) / energy as f64
        };
        let scores = (MIN_PITCH..=MAX_PITCH).map(|lag| (likeness(lag), lag));
        self.pitch = scores.max_by(|(a, _), (b, _)| a.total_cmp(b)).map_or(MIN_PITCH, |(_, lag)| lag);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(format: AudioFormat, hz: f32, samples: usize) -> Vec<u8> {
        let at = |index: usize| (index as f32 / 8_000.0 * hz * std::f32::consts::TAU).sin() * 10_000.0;
        (0..samples).map(|index| encode(format, at(index) as i16)).collect()
    }

    fn loudness(format: AudioFormat, audio: &[u8]) -> f32 {
        let energy: f32 = audio.iter().map(|byte| f32::from(decode(format, *byte)).powi(2)).sum();
        (energy / audio.len() as f32).sqrt()
    }

    #[test]
    fn a_voice_goes_on_and_fades() {
        for format in [AudioFormat::Pcmu, AudioFormat::Pcma] {
            // Pitches of voices, whose period is a whole number of samples.
            for hz in [80.0, 100.0, 125.0, 200.0] {
                let voice = sine(format, hz, 800);
                let mut concealer = Concealer::new(format);
                voice[..320].chunks(160).for_each(|frame| concealer.heard(frame));
                let mut made = Vec::new();
                concealer.conceal(640, &mut made);

                // At first it is what would have come; the fade alone makes the difference.
                for (index, (made, real)) in made.iter().zip(&voice[320..]).take(40).enumerate() {
                    let (made, real) = (decode(format, *made), decode(format, *real));
                    assert!(
                        (i32::from(made) - i32::from(real)).abs() < 1_500,
                        "{format:?} {hz} Hz {index}: {made} {real}"
                    );
                }
                let levels: Vec<f32> = made.chunks(160).map(|frame| loudness(format, frame)).collect();
                assert!(levels[0] > levels[1] && levels[1] > levels[2], "{levels:?}");
                assert!(made[480..].iter().all(|byte| *byte == format.silence_byte()));
            }
        }
    }

    #[test]
    fn what_is_made_in_pieces_is_what_is_made_at_once() {
        let mut whole = Concealer::new(AudioFormat::Pcmu);
        whole.heard(&sine(AudioFormat::Pcmu, 150.0, 480));
        let mut pieces = whole.clone();
        let (mut at_once, mut in_pieces) = (Vec::new(), Vec::new());
        whole.conceal(320, &mut at_once);
        for samples in [1, 79, 80, 160] {
            pieces.conceal(samples, &mut in_pieces);
        }
        assert_eq!(at_once, in_pieces);
    }

    #[test]
    fn silence_stays_silence() {
        for format in [AudioFormat::Pcmu, AudioFormat::Pcma] {
            let mut made = Vec::new();
            Concealer::new(format).conceal(160, &mut made);
            assert!(loudness(format, &made) < 10.0);
        }
    }
}
