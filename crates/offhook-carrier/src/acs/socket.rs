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
