//! Audio as a call carries it: formats, 20 ms frames, G.711, resampling, tones.
//!
//! Audio is named by who speaks (`remote_frame`, `model_frame`), never by direction.

pub mod convert;
pub mod g711;
pub mod hold;
pub mod mix;
pub mod resample;
pub mod tone;

use std::fmt;
use std::time::Duration;

pub use convert::Converter;

/// How much audio one [`Frame`] carries at most, and exactly, in the playout direction.
pub const FRAME: Duration = Duration::from_millis(20);

/// How samples are coded on a leg or at a speech model. All are mono.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AudioFormat {
    /// G.711 µ-law, 8000 Hz, one byte a sample (RTP payload type 0).
    Pcmu,
    /// G.711 A-law, 8000 Hz, one byte a sample (RTP payload type 8).
    Pcma,
    /// Linear 16 bit little-endian.
    Pcm16(SampleRate),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SampleRate {
    Hz8000,
    Hz16000,
    Hz24000,
}

impl SampleRate {
    pub const fn hz(self) -> u32 {
        match self {
            Self::Hz8000 => 8_000,
            Self::Hz16000 => 16_000,
            Self::Hz24000 => 24_000,
        }
    }
}

impl AudioFormat {
    /// The media subtype, as SDP and the Realtime API spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "pcmu",
            Self::Pcma => "pcma",
            Self::Pcm16(SampleRate::Hz8000) => "pcm/8000",
            Self::Pcm16(SampleRate::Hz16000) => "pcm/16000",
            Self::Pcm16(SampleRate::Hz24000) => "pcm/24000",
        }
    }

    pub const fn sample_rate(self) -> SampleRate {
        match self {
            Self::Pcmu | Self::Pcma => SampleRate::Hz8000,
            Self::Pcm16(rate) => rate,
        }
    }

    pub const fn bytes_per_sample(self) -> usize {
        match self {
            Self::Pcmu | Self::Pcma => 1,
            Self::Pcm16(_) => 2,
        }
    }

    /// Bytes of a 20 ms frame: 160 for G.711, 960 for PCM at 24 kHz.
    pub const fn frame_len(self) -> usize {
        self.sample_rate().hz() as usize / 50 * self.bytes_per_sample()
    }

    pub const fn bytes_per_ms(self) -> usize {
        self.sample_rate().hz() as usize / 1_000 * self.bytes_per_sample()
    }

    /// How long `len` bytes of this format last.
    pub const fn duration_of(self, len: usize) -> Duration {
        let samples = len as u64 / self.bytes_per_sample() as u64;
        Duration::from_micros(samples * 1_000_000 / self.sample_rate().hz() as u64)
    }

    /// The byte that means "no sound".
    pub const fn silence_byte(self) -> u8 {
        match self {
            Self::Pcmu => 0xff,
            Self::Pcma => 0xd5,
            Self::Pcm16(_) => 0,
        }
    }
}

/// Up to 20 ms of audio, held inline: moving it through a call allocates nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    format: AudioFormat,
    len: u16,
    data: [u8; Frame::CAPACITY],
}

impl Frame {
    /// 20 ms of PCM at 24 kHz, the most any leg or model asks for.
    pub const CAPACITY: usize = 960;

    /// A whole frame of silence.
    pub fn silence(format: AudioFormat) -> Self {
        let mut data = [0; Self::CAPACITY];
        let len = format.frame_len();
        data[..len].fill(format.silence_byte());
        Self { format, len: len as u16, data }
    }

    /// A frame of `bytes`; `None` when they are more than 20 ms, or not whole samples.
    pub fn from_bytes(format: AudioFormat, bytes: &[u8]) -> Option<Self> {
        if bytes.len() > format.frame_len() || !bytes.len().is_multiple_of(format.bytes_per_sample()) {
            return None;
        }
        let mut data = [0; Self::CAPACITY];
        data[..bytes.len()].copy_from_slice(bytes);
        Some(Self { format, len: bytes.len() as u16, data })
    }

    pub fn format(&self) -> AudioFormat {
        self.format
    }

    pub fn bytes(&self) -> &[u8] {
        &self.data[..self.len as usize]
    }

    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.data[..self.len as usize]
    }

    pub fn duration(&self) -> Duration {
        self.format.duration_of(self.len as usize)
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({:?}, {:?})", self.format, self.duration())
    }
}

/// A key of the telephone keypad (RFC 4733 events 0–15).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digit(u8);

impl Digit {
    const KEYS: &[u8; 16] = b"0123456789*#ABCD";

    pub fn from_char(key: char) -> Option<Self> {
        let key = key.to_ascii_uppercase() as u32;
        Self::KEYS.iter().position(|k| u32::from(*k) == key).map(|event| Self(event as u8))
    }

    /// The RFC 4733 event code.
    pub fn event(self) -> u8 {
        self.0
    }

    pub fn from_event(event: u8) -> Option<Self> {
        (event < 16).then_some(Self(event))
    }

    pub fn as_char(self) -> char {
        Self::KEYS[self.0 as usize] as char
    }
}

/// Not which: it may be one of a PIN.
impl fmt::Debug for Digit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digit")
    }
}
