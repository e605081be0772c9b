//! What the fuzz targets do with any bytes; a few are tried in the usual tests, too.

use offhook_core::AudioFormat;
use offhook_core::audio::SampleRate;

use super::media::{self, Heard};
use super::websocket::{Decoder, LONGEST, Message};
use super::{event, incoming};

const FORMAT: AudioFormat = AudioFormat::Pcm16(SampleRate::Hz24000);

/// The body of a callback, or of what Event Grid delivers.
pub fn callback(body: &[u8]) {
    for event in event::parse(body).unwrap_or_default() {
        if let Some(result) = event.result {
            let _ = (result.dial_failure(), result.detail(), result.meaning().answered());
        }
    }
    if let Ok(data) = serde_json::from_slice(body) {
        let _ = incoming::IncomingCallEvent::from_data(&data);
    }
}

/// A message on a media connection: what the short cut reads, the long way reads the same.
pub fn media_message(text: &[u8]) {
    let heard = media::read(text, FORMAT);
    if matches!(heard, Heard::Frame(_) | Heard::Audio(_)) {
        assert_eq!(heard, media::read_any(text, FORMAT), "two ways to read one message");
    }
}

/// A stream of WebSocket frames, in pieces of a size that the first byte says.
pub fn media_stream(bytes: &[u8]) {
    let Some((size, bytes)) = bytes.split_first() else { return };
    let mut decoder = Decoder::default();
    for piece in bytes.chunks(usize::from(*size) + 1) {
        decoder.room()[..piece.len()].copy_from_slice(piece);
        decoder.filled(piece.len());
        loop {
            match decoder.next() {
                Ok(Some(Message::Text(text))) => {
                    assert!(text.len() <= LONGEST);
                    media_message(text);
                }
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Frames that are nearly right: most of what is any bytes is refused at its first.
    fn nearly_frames() -> impl Strategy<Value = Vec<u8>> {
        let first = prop_oneof![
            Just(0x81_u8),
            Just(0x01),
            Just(0x00),
            Just(0x80),
            Just(0x89),
            Just(0x88),
            any::<u8>()
        ];
        let payload = prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..300),
            nearly_json().prop_map(String::into_bytes),
        ];
        let frame = (first, payload).prop_map(|(first, payload)| {
            let mut frame = vec![first];
            match payload.len() {
                short @ 0..126 => frame.push(0x80 | short as u8),
                long => {
                    frame.push(0xfe);
                    frame.extend_from_slice(&(long as u16).to_be_bytes());
                }
            }
            frame.extend_from_slice(&[0; 4]);
            frame.extend_from_slice(&payload);
            frame
        });
        (any::<u8>(), proptest::collection::vec(frame, 0..8)).prop_map(|(size, frames)| {
            let mut bytes = vec![size];
            bytes.extend(frames.concat());
            bytes
        })
    }

    fn nearly_json() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("{"),
            Just("}"),
            Just("\""),
            Just(":"),
            Just(","),
            Just("["),
            Just("]"),
            Just(" "),
            Just("\\"),
            Just("\"kind\":\"AudioData\""),
            Just("\"audioData\":{"),
            Just("\"data\":\"AAAA\""),
            Just("\"data\":\""),
            Just("AAAA"),
            Just("=="),
            Just("\"silent\":true"),
            Just("\"silent\":"),
            Just("null"),
            Just("false"),
            Just("\"type\":\"Microsoft.Communication.CallDisconnected\""),
            Just("\"data\":{"),
            Just("\"resultInformation\":{\"code\":486,\"subCode\":560486"),
            Just("7"),
            Just("é"),
        ];
        proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn any_stream(bytes in nearly_frames()) {
            media_stream(&bytes);
        }

        #[test]
        fn any_text(text in nearly_json()) {
            media_message(text.as_bytes());
            callback(text.as_bytes());
        }

        #[test]
        fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            media_stream(&bytes);
            media_message(&bytes);
            callback(&bytes);
        }
    }

    #[test]
    fn a_field_that_comes_twice_is_read_the_same_both_ways() {
        media_message(br#"{"kind":"AudioData","audioData":{"data":"BBBB","data":"CCCCCCCC"}}"#);
        media_message(br#"{"kind":"AudioData","audioData":{"data":"BBBB","Data":"CCCCCCCC"}}"#);
        media_message(br#"{"kind":"AudioData","audioData":{"silent":true,"isSilent":false,"data":"BBBB"}}"#);
    }
}
