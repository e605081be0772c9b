//! From one [`AudioFormat`] to another, keeping filter state between frames.

use super::AudioFormat;

/// Converts a stream of audio; the same format in and out is a plain copy.
#[derive(Clone, Debug)]
pub struct Converter {
    from: AudioFormat,
    to: AudioFormat,
}

impl Converter {
    pub fn new(from: AudioFormat, to: AudioFormat) -> Self {
        Self { from, to }
    }

    pub fn is_passthrough(&self) -> bool {
        self.from == self.to
    }
}
