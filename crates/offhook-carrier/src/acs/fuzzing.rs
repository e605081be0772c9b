//! Entry points for the fuzz targets, which see the crate from outside.

use offhook_core::AudioFormat;
use offhook_core::audio::SampleRate;

use super::{event, media, websocket};

/// The body of a callback.
pub fn callback(body: &[u8]) {
    if let Ok(events) = event::parse(body) {
        for event in events {
            if let Some(result) = event.result {
                let _ = (result.dial_failure(), result.detail(), result.meaning().answered());
            }
        }
    }
}

/// A message on a media connection: however it is read, short cut and long way agree.
pub fn media_message(text: &[u8]) {
    let _ = media::read(text, AudioFormat::Pcm16(SampleRate::Hz24000));
}

/// A stream of WebSocket frames, in pieces of a size that the first byte says.
pub fn media_stream(bytes: &[u8]) {
    let Some((size, bytes)) = bytes.split_first() else { return };
    let mut decoder = websocket::Decoder::default();
    for piece in bytes.chunks(usize::from(*size) + 1) {
        decoder.room()[..piece.len()].copy_from_slice(piece);
        decoder.filled(piece.len());
        loop {
            match decoder.next() {
                Ok(Some(websocket::Message::Text(text))) => media_message(text),
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
}
