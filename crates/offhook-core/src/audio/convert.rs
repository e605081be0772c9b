//! From one [`AudioFormat`] to another, keeping filter state between frames.

use super::g711::Law;
use super::resample::Resampler;
use super::{AudioFormat, Frame};

/// Converts a stream of audio; the same format in and out is a plain copy.
///
/// 20 ms in give exactly 20 ms out. After the first frames nothing is allocated any more.
#[derive(Clone, Debug)]
pub struct Converter {
    from: AudioFormat,
    to: AudioFormat,
    resampler: Option<Resampler>,
    /// The first byte of a sample whose second has not come yet.
    half_sample: Option<u8>,
    decoded: Vec<i16>,
    resampled: Vec<i16>,
    frame_bytes: Vec<u8>,
}

impl Converter {
    pub fn new(from: AudioFormat, to: AudioFormat) -> Self {
        Self {
            from,
            to,
            resampler: Resampler::new(from.sample_rate(), to.sample_rate()),
            half_sample: None,
            decoded: Vec::new(),
            resampled: Vec::new(),
            frame_bytes: Vec::new(),
        }
    }

    pub fn from(&self) -> AudioFormat {
        self.from
    }

    pub fn to(&self) -> AudioFormat {
        self.to
    }

    pub fn is_passthrough(&self) -> bool {
        self.from == self.to
    }

    /// Appends the converted form of `bytes` to `out`. Pieces may have any length: a sample split between two of
    /// them is put together again.
    pub fn convert(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        match (law(self.from), law(self.to)) {
            _ if self.is_passthrough() => out.extend_from_slice(bytes),
            (Some(law), Some(_)) => law.transcode_into(bytes, out),
            // In pieces, so that the scratch space stays small however much the model sends at once.
            _ => bytes.chunks(self.from.frame_len()).for_each(|piece| self.convert_piece(piece, out)),
        }
    }

    /// The same stretch of sound in the other format. A straggler from before a change of format becomes silence.
    pub fn convert_frame(&mut self, frame: &Frame) -> Frame {
        if frame.format() != self.from {
            return Frame::silence(self.to);
        }
        if self.is_passthrough() {
            return frame.clone();
        }
        let mut bytes = std::mem::take(&mut self.frame_bytes);
        bytes.clear();
        self.convert(frame.bytes(), &mut bytes);
        // Never longer than 20 ms: the input was not, and the filter gives as much as it takes.
        let converted = Frame::from_bytes(self.to, &bytes).unwrap_or_else(|| Frame::silence(self.to));
        self.frame_bytes = bytes;
        converted
    }

    /// Forget what was heard so far: the next byte begins a new stream.
    pub fn reset(&mut self) {
        self.half_sample = None;
        if let Some(resampler) = &mut self.resampler {
            resampler.reset();
        }
    }

    fn convert_piece(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        self.decoded.clear();
        match law(self.from) {
            Some(law) => law.decode_into(bytes, &mut self.decoded),
            None => self.read_pcm(bytes),
        }
        let samples = match &mut self.resampler {
            None => &self.decoded,
            Some(resampler) => {
                self.resampled.clear();
                resampler.push(&self.decoded, &mut self.resampled);
                &self.resampled
            }
        };
        match law(self.to) {
            Some(law) => law.encode_into(samples, out),
            None => out.extend(samples.iter().flat_map(|sample| sample.to_le_bytes())),
        }
    }

    fn read_pcm(&mut self, mut bytes: &[u8]) {
        if let (Some(low), Some((high, rest))) = (self.half_sample, bytes.split_first()) {
            self.decoded.push(i16::from_le_bytes([low, *high]));
            self.half_sample = None;
            bytes = rest;
        }
        let (pairs, odd) = bytes.as_chunks::<2>();
        self.decoded.extend(pairs.iter().map(|pair| i16::from_le_bytes(*pair)));
        if let [low] = odd {
            self.half_sample = Some(*low);
        }
    }
}

fn law(format: AudioFormat) -> Option<Law> {
    match format {
        AudioFormat::Pcmu => Some(Law::Mu),
        AudioFormat::Pcma => Some(Law::A),
        AudioFormat::Pcm16(_) => None,
    }
}
