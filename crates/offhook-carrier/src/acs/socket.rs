//! The media connection of one call: an upgraded stream of bytes, with what it reads and what waits to be written.
//!
//! Reading and writing are done by whoever polls the leg; there is no task between the call and its connection.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use offhook_core::{AudioFormat, Frame};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::media::{self, Heard};
use super::websocket::{Decoder, Message, Sent, write_frame};

/// Frames that wait because the far end does not read; the oldest gives way.
const WAITING: usize = 20;
/// Whoever lets this much wait is gone.
const STUCK: usize = 128 * 1_024;

pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for S {}

/// What came, or that nothing more comes.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all of them are frames")]
pub enum Arrival {
    Heard(Heard),
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Audio,
    Control,
}

/// What waits to be written; usually nothing, as a frame is written whole at once.
#[derive(Debug, Default)]
struct Outbox {
    bytes: Vec<u8>,
    sent: usize,
    /// The frames that lie in `bytes`, by their lengths; the first may have gone out in part.
    frames: VecDeque<(usize, Kind)>,
}

pub struct MediaSocket {
    io: Box<dyn ByteStream>,
    decoder: Decoder,
    outbox: Outbox,
    /// No more is read; what waits is written, and that is all.
    closing: bool,
    /// Messages that were no JSON, or too long.
    pub junk: u64,
    /// Frames of ours that gave way.
    pub dropped: u64,
}

impl MediaSocket {
    pub fn new(io: Box<dyn ByteStream>) -> Self {
        let (decoder, outbox) = (Decoder::default(), Outbox::default());
        Self { io, decoder, outbox, closing: false, junk: 0, dropped: 0 }
    }

    /// The next message; audio is in this format.
    pub fn poll(&mut self, cx: &mut Context<'_>, format: AudioFormat) -> Poll<Arrival> {
        loop {
            if !self.outbox.is_empty() && self.flush(cx).is_err() {
                return Poll::Ready(Arrival::Closed);
            }
            if self.closing {
                return if self.outbox.is_empty() { Poll::Ready(Arrival::Closed) } else { Poll::Pending };
            }
            if let Some(heard) = self.read_message(format) {
                return Poll::Ready(Arrival::Heard(heard));
            }
            if self.closing {
                continue;
            }
            let mut room = ReadBuf::new(self.decoder.room());
            match Pin::new(&mut self.io).poll_read(cx, &mut room) {
                Poll::Ready(Ok(())) if !room.filled().is_empty() => {
                    let filled = room.filled().len();
                    self.decoder.filled(filled);
                }
                Poll::Ready(_) => return Poll::Ready(Arrival::Closed),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// A message that has come already.
    fn read_message(&mut self, format: AudioFormat) -> Option<Heard> {
        loop {
            match self.decoder.next() {
                Ok(Some(Message::Text(text))) => match media::read(text, format) {
                    Heard::Junk => self.junk += 1,
                    heard => return Some(heard),
                },
                Ok(Some(Message::Binary(_) | Message::TooLong)) => self.junk += 1,
                Ok(Some(Message::Ping(payload))) => {
                    self.outbox.push(Kind::Control, |out| write_frame(out, Sent::Pong, payload));
                    if self.outbox.bytes.len() > STUCK {
                        self.closing = true;
                        self.outbox = Outbox::default();
                        return None;
                    }
                }
                Ok(Some(Message::Pong)) => {}
                Ok(Some(Message::Close(code))) => {
                    self.close(code.unwrap_or(1000));
                    return None;
                }
                Ok(None) => return None,
                Err(error) => {
                    tracing::debug!(%error, "the media connection does not speak WebSocket");
                    self.close(error.close_code());
                    return None;
                }
            }
        }
    }

    /// Send a frame now, or as soon as it goes.
    pub fn play(&mut self, model_frame: &Frame) {
        self.outbox.push(Kind::Audio, |out| media::write_audio(out, model_frame.bytes()));
        self.dropped += self.outbox.make_room();
        self.try_flush();
    }

    /// Nothing of what was sent is to be played any more.
    pub fn stop_audio(&mut self) {
        self.outbox.drop_audio();
        self.outbox.push(Kind::Control, media::write_stop);
        self.try_flush();
    }

    /// Say goodbye; the connection is over once that is written.
    pub fn close(&mut self, code: u16) {
        if !std::mem::replace(&mut self.closing, true) {
            self.outbox.drop_audio();
            self.outbox.push(Kind::Control, |out| write_frame(out, Sent::Close, &code.to_be_bytes()));
            self.try_flush();
        }
    }

    /// Write what goes at once. What does not is tried again with the next frame, and whenever this is polled.
    fn try_flush(&mut self) {
        // An error shows when reading, too.
        let _ = self.flush(&mut Context::from_waker(Waker::noop()));
    }

    fn flush(&mut self, cx: &mut Context<'_>) -> Result<(), ()> {
        while !self.outbox.is_empty() {
            let waiting = &self.outbox.bytes[self.outbox.sent..];
            match Pin::new(&mut self.io).poll_write(cx, waiting) {
                Poll::Ready(Ok(0) | Err(_)) => return Err(()),
                Poll::Ready(Ok(written)) => self.outbox.went_out(written),
                Poll::Pending => return Ok(()),
            }
        }
        match Pin::new(&mut self.io).poll_flush(cx) {
            Poll::Ready(Err(_)) => Err(()),
            Poll::Ready(Ok(())) | Poll::Pending => Ok(()),
        }
    }
}

impl Outbox {
    fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    fn push(&mut self, kind: Kind, write: impl FnOnce(&mut Vec<u8>)) {
        let from = self.bytes.len();
        write(&mut self.bytes);
        self.frames.push_back((self.bytes.len() - from, kind));
    }

    fn went_out(&mut self, written: usize) {
        self.sent += written;
        let mut gone = 0;
        while let Some((len, _)) = self.frames.front()
            && gone + len <= self.sent
        {
            gone += len;
            self.frames.pop_front();
        }
        if self.frames.is_empty() {
            self.bytes.clear();
            self.sent = 0;
        } else if gone > 0 {
            self.bytes.drain(..gone);
            self.sent -= gone;
        }
    }

    /// Let the oldest frames of audio go that nothing has gone out of; how many.
    fn make_room(&mut self) -> u64 {
        let mut dropped = 0;
        while self.frames.len() > WAITING {
            if !self.drop_first_audio() {
                break;
            }
            dropped += 1;
        }
        dropped
    }

    fn drop_audio(&mut self) {
        while self.drop_first_audio() {}
    }

    fn drop_first_audio(&mut self) -> bool {
        let mut from = 0;
        let begun = usize::from(self.sent > 0);
        for (index, (len, kind)) in self.frames.iter().enumerate() {
            if index >= begun && *kind == Kind::Audio {
                self.bytes.drain(from..from + len);
                self.frames.remove(index);
                return true;
            }
            from += len;
        }
        false
    }
}

impl fmt::Debug for MediaSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MediaSocket").field("closing", &self.closing).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;
    use offhook_core::Digit;
    use offhook_core::audio::SampleRate;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;

    const FORMAT: AudioFormat = AudioFormat::Pcm16(SampleRate::Hz24000);

    /// Our end, and Microsoft's with so much room between them.
    fn pair(room: usize) -> (MediaSocket, DuplexStream) {
        let (ours, theirs) = duplex(room);
        (MediaSocket::new(Box::new(ours)), theirs)
    }

    /// A frame as a client sends it, with a mask that changes nothing.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![first];
        match payload.len() {
            short @ 0..126 => frame.push(0x80 | short as u8),
            long => {
                frame.push(0x80 | 126);
                frame.extend_from_slice(&(long as u16).to_be_bytes());
            }
        }
        frame.extend_from_slice(&[0; 4]);
        frame.extend_from_slice(payload);
        frame
    }

    fn audio(sample: u8) -> Frame {
        Frame::from_bytes(FORMAT, &[sample; 960]).unwrap()
    }

    async fn next(socket: &mut MediaSocket) -> Arrival {
        poll_fn(|cx| socket.poll(cx, FORMAT)).await
    }

    /// All that was written, as text or as the kind of control frame.
    fn written(mut bytes: &[u8]) -> Vec<String> {
        let mut frames = Vec::new();
        while let [first, short, rest @ ..] = bytes {
            let (len, rest) = match (short, rest) {
                (126, [high, low, rest @ ..]) => (usize::from(u16::from_be_bytes([*high, *low])), rest),
                (short, rest) => (usize::from(*short), rest),
            };
            let (payload, rest) = rest.split_at(len);
            bytes = rest;
            frames.push(match first & 0x0f {
                0x1 => String::from_utf8(payload.to_vec()).unwrap(),
                0x8 => format!("close {}", u16::from_be_bytes([payload[0], payload[1]])),
                0xa => format!("pong {}", String::from_utf8_lossy(payload)),
                other => format!("opcode {other}"),
            });
        }
        frames
    }

    async fn read_all(mut far: DuplexStream) -> Vec<String> {
        let mut bytes = Vec::new();
        far.read_to_end(&mut bytes).await.unwrap();
        written(&bytes)
    }

    fn sample_of(text: &str) -> Option<u8> {
        let json: serde_json::Value = serde_json::from_str(text).ok()?;
        let data = json["AudioData"]["Data"].as_str()?;
        Some(BASE64_STANDARD.decode(data).unwrap()[0])
    }

    #[tokio::test]
    async fn what_comes_is_read_and_what_can_not_be_read_is_counted() {
        let (mut socket, mut far) = pair(64 * 1_024);
        let data = BASE64_STANDARD.encode([7; 960]);
        let sent = [
            frame(0x81, br#"{"kind":"AudioMetadata","audioMetadata":{"sampleRate":24000,"channels":1}}"#),
            frame(0x81, b"no JSON"),
            frame(0x82, b"binary"),
            frame(0x89, b"there?"),
            frame(0x81, format!(r#"{{"kind":"AudioData","audioData":{{"data":"{data}"}}}}"#).as_bytes()),
            frame(0x81, br##"{"kind":"DtmfData","dtmfData":{"data":"#"}}"##),
            frame(0x88, &1_000_u16.to_be_bytes()),
            frame(0x81, b"after the end"),
        ];
        far.write_all(&sent.concat()).await.unwrap();
        assert!(matches!(next(&mut socket).await, Arrival::Heard(Heard::Metadata(_))));
        assert!(matches!(next(&mut socket).await, Arrival::Heard(Heard::Frame(frame)) if frame == audio(7)));
        let hash = Digit::from_char('#').unwrap();
        assert!(matches!(next(&mut socket).await, Arrival::Heard(Heard::Digit(key)) if key == hash));
        assert!(matches!(next(&mut socket).await, Arrival::Closed));
        assert_eq!(socket.junk, 2);
        drop(socket);
        assert_eq!(read_all(far).await, ["pong there?", "close 1000"]);
    }

    #[tokio::test]
    async fn who_does_not_speak_websocket_is_shown_out() {
        let (mut socket, mut far) = pair(64 * 1_024);
        far.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        assert!(matches!(next(&mut socket).await, Arrival::Closed));
        drop(socket);
        assert_eq!(read_all(far).await, ["close 1002"]);
    }

    #[tokio::test]
    async fn a_connection_that_breaks_is_closed() {
        let (mut socket, far) = pair(64 * 1_024);
        drop(far);
        socket.play(&audio(1));
        assert!(matches!(next(&mut socket).await, Arrival::Closed));
    }

    /// Old audio is worth nothing: what waits is bounded, and the newest is kept.
    #[tokio::test]
    async fn whoever_does_not_read_loses_the_oldest_frames() {
        let (mut socket, mut far) = pair(1_000);
        for sample in 1..=50 {
            socket.play(&audio(sample));
        }
        assert_eq!(socket.dropped, 30);
        let reader = tokio::spawn(async move {
            let mut bytes = Vec::new();
            far.read_to_end(&mut bytes).await.unwrap();
            written(&bytes)
        });
        socket.close(1_000);
        assert!(matches!(next(&mut socket).await, Arrival::Closed));
        drop(socket);
        let frames = reader.await.unwrap();
        // The first had begun to go out; saying goodbye let the rest go.
        assert_eq!(frames.iter().filter_map(|text| sample_of(text)).collect::<Vec<_>>(), [1]);
        assert_eq!(frames.last().unwrap(), "close 1000");
    }

    #[tokio::test]
    async fn what_waits_goes_out_when_the_far_end_reads_again() {
        let (mut socket, mut far) = pair(1_000);
        for sample in 1..=30 {
            socket.play(&audio(sample));
        }
        let len = 1_400 * 30;
        let mut bytes = Vec::new();
        let mut part = vec![0; len];
        let heard = loop {
            tokio::select! {
                biased;
                _ = next(&mut socket) => panic!("nothing comes"),
                read = far.read(&mut part) => bytes.extend_from_slice(&part[..read.unwrap()]),
            }
            if bytes.ends_with(b"null}") && bytes.len() > 20 * 1_200 {
                break written(&bytes);
            }
        };
        let samples: Vec<u8> = heard.iter().filter_map(|text| sample_of(text)).collect();
        assert_eq!(samples.first(), Some(&1));
        assert_eq!(samples[1..], (12..=30).collect::<Vec<u8>>());
    }

    #[tokio::test]
    async fn stopping_audio_takes_back_what_waits_and_says_so() {
        let (mut socket, far) = pair(2_000);
        for sample in 1..=5 {
            socket.play(&audio(sample));
        }
        socket.stop_audio();
        let reader = tokio::spawn(read_all(far));
        socket.play(&audio(9));
        poll_fn(|cx| {
            let polled = socket.poll(cx, FORMAT);
            assert!(polled.is_pending());
            if socket.outbox.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        drop(socket);
        let frames = reader.await.unwrap();
        let stop = frames.iter().position(|text| text.contains("StopAudio\":{}")).unwrap();
        let samples =
            |frames: &[String]| frames.iter().filter_map(|text| sample_of(text)).collect::<Vec<_>>();
        assert_eq!(samples(&frames[..stop]), [1, 2]);
        assert_eq!(samples(&frames[stop..]), [9]);
    }

    #[tokio::test]
    async fn pings_that_nobody_reads_the_answers_of_end_the_connection() {
        let (mut socket, mut far) = pair(4_096);
        let flood = tokio::spawn(async move {
            let ping = frame(0x89, &[b'x'; 125]);
            while far.write_all(&ping).await.is_ok() {}
            far
        });
        assert!(matches!(next(&mut socket).await, Arrival::Closed));
        drop(socket);
        flood.await.unwrap();
    }
}
