//! Formats and frames: how long, how many bytes, what is refused.

use std::time::Duration;

use offhook_core::audio::SampleRate::*;
use offhook_core::audio::{AudioFormat, Digit, FRAME, Frame};

const FORMATS: [(AudioFormat, usize); 5] = [
    (AudioFormat::Pcmu, 160),
    (AudioFormat::Pcma, 160),
    (AudioFormat::Pcm16(Hz8000), 320),
    (AudioFormat::Pcm16(Hz16000), 640),
    (AudioFormat::Pcm16(Hz24000), 960),
];

#[test]
fn a_frame_is_twenty_milliseconds_in_every_format() {
    for (format, len) in FORMATS {
        assert_eq!(format.frame_len(), len, "{format:?}");
        assert_eq!(format.bytes_per_ms() * 20, len, "{format:?}");
        assert_eq!(format.duration_of(len), FRAME, "{format:?}");
        let silence = Frame::silence(format);
        assert_eq!(silence.duration(), FRAME);
        assert!(
            silence.bytes().len() == len && silence.bytes().iter().all(|byte| *byte == format.silence_byte())
        );
        assert!(len <= Frame::CAPACITY);
    }
}

#[test]
fn a_frame_may_be_shorter_but_not_longer_nor_half_a_sample() {
    for (format, len) in FORMATS {
        assert!(Frame::from_bytes(format, &vec![0; len + 2]).is_none(), "{format:?}");
        let half = Frame::from_bytes(format, &vec![0; len / 2]).expect("half a frame");
        assert_eq!(half.duration(), Duration::from_millis(10));
        assert_eq!(Frame::from_bytes(format, &[]).map(|frame| frame.duration()), Some(Duration::ZERO));
        assert_eq!(
            Frame::from_bytes(format, &[0; 3]).is_some(),
            format.bytes_per_sample() == 1,
            "{format:?}"
        );
    }
}

#[test]
fn keys_and_events_are_those_of_rfc_4733() {
    for (event, key) in "0123456789*#ABCD".chars().enumerate() {
        let digit = Digit::from_char(key).expect("a key");
        assert_eq!((digit.event(), digit.as_char()), (event as u8, key));
        assert_eq!(Digit::from_event(event as u8), Some(digit));
        assert_eq!(Digit::from_char(key.to_ascii_lowercase()), Some(digit));
    }
    assert_eq!(Digit::from_event(16), None, "flash is no key");
    for other in ['E', ' ', ',', '٣', 'w'] {
        assert_eq!(Digit::from_char(other), None, "{other:?}");
    }
}
