//! The audio of the fake: a tone for a voice, and speech found by its energy.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use offhook_core::audio::g711;

/// The formats a session can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Pcm,
    Pcmu,
    Pcma,
}

impl Format {
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "audio/pcm" => Some(Self::Pcm),
            "audio/pcmu" => Some(Self::Pcmu),
            "audio/pcma" => Some(Self::Pcma),
            _ => None,
        }
    }

    pub fn bytes_per_ms(self) -> usize {
        match self {
            Self::Pcm => 48,
            Self::Pcmu | Self::Pcma => 8,
        }
    }

    fn hz(self) -> u32 {
        match self {
            Self::Pcm => 24_000,
            Self::Pcmu | Self::Pcma => 8_000,
        }
    }

    /// Base64 of a tone; whole periods fit into 100 ms for every multiple of 10 Hz.
    pub fn tone(self, tone_hz: u32, duration_ms: u32) -> String {
        let samples = self.hz() / 1_000 * duration_ms;
        let mut bytes = Vec::with_capacity(samples as usize * 2);
        for index in 0..samples {
            let phase = f64::from(index) * f64::from(tone_hz) / f64::from(self.hz());
            let sample = (8_000.0 * (phase * std::f64::consts::TAU).sin()) as i16;
            match self {
                Self::Pcm => bytes.extend_from_slice(&sample.to_le_bytes()),
                Self::Pcmu => bytes.push(g711::encode_ulaw(sample)),
                Self::Pcma => bytes.push(g711::encode_alaw(sample)),
            }
        }
        STANDARD.encode(bytes)
    }

    /// Mean of the absolute samples.
    fn level(self, bytes: &[u8]) -> u32 {
        let sample = |index: usize| -> i16 {
            match self {
                Self::Pcm => i16::from_le_bytes([bytes[index * 2], bytes[index * 2 + 1]]),
                Self::Pcmu => g711::decode_ulaw(bytes[index]),
                Self::Pcma => g711::decode_alaw(bytes[index]),
            }
        };
        let count = if self == Self::Pcm { bytes.len() / 2 } else { bytes.len() };
        let sum: u64 = (0..count).map(|index| u64::from(sample(index).unsigned_abs())).sum();
        (sum / count.max(1) as u64) as u32
    }
}

/// The samples of a reply of this length, as a session with PCM is sent them: pieces of 100 ms, each of them from the
/// start of the tone.
pub fn reply_samples(tone_hz: u32, duration_ms: u32) -> Vec<i16> {
    let pieces = (0..duration_ms).step_by(100).map(|from| (duration_ms - from).min(100));
    let bytes = pieces.flat_map(|ms| STANDARD.decode(Format::Pcm.tone(tone_hz, ms)).unwrap_or_default());
    let bytes: Vec<u8> = bytes.collect();
    bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

/// What turn detection found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Started { audio_start_ms: u64 },
    Stopped { audio_end_ms: u64 },
}

/// Speech begins with a few loud windows and ends with enough quiet ones.
#[derive(Debug)]
pub(super) struct Detector {
    rest: Vec<u8>,
    position_ms: u64,
    loud_ms: u32,
    quiet_ms: u32,
    pub speaking: bool,
}

impl Detector {
    const WINDOW_MS: u32 = 20;
    const LOUD: u32 = 400;
    const ONSET_MS: u32 = 60;

    pub fn new() -> Self {
        Self { rest: Vec::new(), position_ms: 0, loud_ms: 0, quiet_ms: 0, speaking: false }
    }

    pub fn clear(&mut self) {
        self.rest.clear();
        self.loud_ms = 0;
        self.quiet_ms = 0;
        self.speaking = false;
    }

    pub fn push(&mut self, format: Format, bytes: &[u8], padding_ms: u32, silence_ms: u32) -> Vec<Found> {
        self.rest.extend_from_slice(bytes);
        let window = format.bytes_per_ms() * Self::WINDOW_MS as usize;
        let mut found = Vec::new();
        let mut used = 0;
        while self.rest.len() - used >= window {
            let loud = format.level(&self.rest[used..used + window]) >= Self::LOUD;
            used += window;
            self.position_ms += u64::from(Self::WINDOW_MS);
            found.extend(self.window(loud, padding_ms, silence_ms));
        }
        self.rest.drain(..used);
        found
    }

    fn window(&mut self, loud: bool, padding_ms: u32, silence_ms: u32) -> Option<Found> {
        if loud {
            self.loud_ms += Self::WINDOW_MS;
            self.quiet_ms = 0;
        } else {
            self.quiet_ms += Self::WINDOW_MS;
            self.loud_ms = 0;
        }
        if !self.speaking && self.loud_ms >= Self::ONSET_MS {
            self.speaking = true;
            let before = u64::from(self.loud_ms + padding_ms);
            return Some(Found::Started { audio_start_ms: self.position_ms.saturating_sub(before) });
        }
        if self.speaking && self.quiet_ms >= silence_ms {
            self.speaking = false;
            return Some(Found::Stopped { audio_end_ms: self.position_ms });
        }
        None
    }
}
