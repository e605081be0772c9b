//! Between every two formats: nothing lost, nothing late, nothing invented.

use offhook_core::audio::SampleRate::*;
use offhook_core::audio::{AudioFormat, Converter, Frame};

use crate::signal::{db, fit, sine};

const FORMATS: [AudioFormat; 5] = [
    AudioFormat::Pcmu,
    AudioFormat::Pcma,
    AudioFormat::Pcm16(Hz8000),
    AudioFormat::Pcm16(Hz16000),
    AudioFormat::Pcm16(Hz24000),
];

fn pairs() -> impl Iterator<Item = (AudioFormat, AudioFormat)> {
    FORMATS.into_iter().flat_map(|from| FORMATS.into_iter().map(move |to| (from, to)))
}

fn convert(bytes: &[u8], from: AudioFormat, to: AudioFormat) -> Vec<u8> {
    let mut out = Vec::new();
    Converter::new(from, to).convert(bytes, &mut out);
    out
}

fn pcm(format: AudioFormat) -> AudioFormat {
    AudioFormat::Pcm16(format.sample_rate())
}

/// Half a second of 1 kHz in any format.
fn tone(format: AudioFormat) -> Vec<u8> {
    let samples = sine(1_000.0, format.sample_rate().hz(), 12_000.0, 0.5);
    let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    convert(&bytes, pcm(format), format)
}

fn samples(bytes: &[u8], format: AudioFormat) -> Vec<i16> {
    let bytes = convert(bytes, format, pcm(format));
    bytes.as_chunks::<2>().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect()
}

#[test]
fn a_tone_is_the_same_tone_in_every_format() {
    for (from, to) in pairs() {
        let hz = to.sample_rate().hz();
        let output = samples(&convert(&tone(from), from, to), to);
        let settled = &output[hz as usize / 25..hz as usize / 25 * 11];
        let found = fit(settled, 1_000.0, hz);
        let level = db(found.power / (12_000.0f64.powi(2) / 2.0));
        // G.711 itself leaves about 38 dB.
        let wanted = if from == pcm(from) && to == pcm(to) { 77.0 } else { 33.0 };
        assert!(level.abs() < 0.3, "{from:?} to {to:?}: {level:.2} dB");
        assert!(
            db(found.power / found.rest) > wanted,
            "{from:?} to {to:?}: {:.1} dB",
            db(found.power / found.rest)
        );
    }
}

#[test]
fn the_same_format_is_a_copy() {
    for format in FORMATS {
        assert!(Converter::new(format, format).is_passthrough());
        assert_eq!(convert(&[1, 2, 3], format, format), [1, 2, 3]);
    }
}

#[test]
fn frames_stay_twenty_milliseconds() {
    for (from, to) in pairs() {
        let mut converter = Converter::new(from, to);
        for piece in tone(from).chunks(from.frame_len()) {
            let frame = Frame::from_bytes(from, piece).expect("a frame");
            let converted = converter.convert_frame(&frame);
            assert_eq!(converted.format(), to);
            assert_eq!(converted.duration(), frame.duration(), "{from:?} to {to:?}");
        }
    }
}

#[test]
fn frames_and_a_stream_give_the_same_bytes() {
    for (from, to) in pairs() {
        let input = tone(from);
        let mut converter = Converter::new(from, to);
        let mut framed = Vec::new();
        for piece in input.chunks(from.frame_len()) {
            let frame = Frame::from_bytes(from, piece).expect("a frame");
            framed.extend_from_slice(converter.convert_frame(&frame).bytes());
        }
        assert_eq!(framed, convert(&input, from, to), "{from:?} to {to:?}");
    }
}

#[test]
fn pieces_may_split_a_sample() {
    for (from, to) in pairs() {
        let input = tone(from);
        let mut converter = Converter::new(from, to);
        let mut out = Vec::new();
        for piece in input.chunks(331) {
            converter.convert(piece, &mut out);
        }
        assert_eq!(out, convert(&input, from, to), "{from:?} to {to:?}");
    }
}

#[test]
fn silence_stays_silent() {
    for (from, to) in pairs() {
        let mut converter = Converter::new(from, to);
        for _ in 0..3 {
            let output = samples(converter.convert_frame(&Frame::silence(from)).bytes(), to);
            // A-law has no zero: its smallest value is 8, and a filter overshoots it at the start.
            assert!(output.iter().all(|sample| sample.abs() <= 10), "{from:?} to {to:?}");
        }
    }
}

#[test]
fn reset_begins_a_new_stream() {
    for (from, to) in pairs() {
        let mut converter = Converter::new(from, to);
        converter.convert(&tone(from)[..777], &mut Vec::new());
        converter.reset();
        let mut out = Vec::new();
        converter.convert(&tone(from), &mut out);
        assert_eq!(out, convert(&tone(from), from, to), "{from:?} to {to:?}");
    }
}

#[test]
fn a_straggler_in_the_format_of_before_is_silence() {
    let mut converter = Converter::new(AudioFormat::Pcma, AudioFormat::Pcmu);
    let straggler = Frame::from_bytes(AudioFormat::Pcmu, &[0; 160]).expect("a frame");
    assert_eq!(converter.convert_frame(&straggler), Frame::silence(AudioFormat::Pcmu));
}

proptest::proptest! {
    #[test]
    fn any_bytes_in_any_pieces_convert(bytes: Vec<u8>, cut in 1usize..700, pair in 0usize..25) {
        let (from, to) = (FORMATS[pair / 5], FORMATS[pair % 5]);
        let mut converter = Converter::new(from, to);
        let mut out = Vec::new();
        bytes.chunks(cut).for_each(|piece| converter.convert(piece, &mut out));
        let expected_ms = from.duration_of(bytes.len()).as_secs_f64() * 1_000.0;
        let converted_ms = to.duration_of(out.len()).as_secs_f64() * 1_000.0;
        proptest::prop_assert!((expected_ms - converted_ms).abs() < 0.2, "{expected_ms} ms became {converted_ms}");
    }
}
