//! A machine's beep in the remote's audio.

use offhook_core::Frame;
use offhook_core::audio::tone::{Tone, ToneDetector};
use offhook_core::audio::{AudioFormat, Converter, SampleRate};

const LINEAR: AudioFormat = AudioFormat::Pcm16(SampleRate::Hz8000);

#[derive(Debug)]
pub struct BeepDetector {
    to_linear: Converter,
    tones: ToneDetector,
}

impl BeepDetector {
    pub fn new(format: AudioFormat) -> Self {
        Self { to_linear: Converter::new(format, LINEAR), tones: ToneDetector::new() }
    }

    /// Whether a beep has just ended.
    pub fn push(&mut self, remote_frame: &Frame) -> bool {
        let linear = self.to_linear.convert_frame(remote_frame);
        let mut samples = [0i16; Frame::CAPACITY / 2];
        let pairs = linear.bytes().chunks_exact(2);
        let count = pairs.len();
        for (sample, pair) in samples.iter_mut().zip(pairs) {
            *sample = i16::from_le_bytes([pair[0], pair[1]]);
        }
        self.tones.push(&samples[..count]).any(|tone| matches!(tone, Tone::Beep { .. }))
    }
}
