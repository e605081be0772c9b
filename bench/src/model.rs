//! The speech model: a Realtime server that talks in turns of steady speech, a little ahead of real time as models do,
//! and notes when the callee's frames arrive.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use rustls::{ServerConfig, ServerConnection};
use serde_json::Value;

use crate::conversation::{Conversation, Turns};
use crate::marker::{self, Sound};
use crate::net::{self, HERE};
use crate::stats::Histogram;
use crate::websocket::{self, CLOSE, PING, TEXT};
use crate::wheel::Wheel;

/// All sessions.
#[derive(Debug)]
pub struct Models {
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    turns: Turns,
    sessions: Vec<Option<Session>>,
    free: Vec<u32>,
    wheel: Wheel,
    buffer: Vec<u8>,
    pub heard: Heard,
}

/// What arrived and what was said between two points in time.
#[derive(Debug, Default)]
pub struct Heard {
    pub from: u64,
    pub until: u64,
    /// Frames of the callees that were sent in the span.
    pub frames_arrived: u64,
    /// From the callee's packet to the append that holds it.
    pub delay: Histogram,
    /// Events those frames came in.
    pub appends: u64,
    /// Frames of speech that were sent in the span.
    pub frames_sent: u64,
}

impl Heard {
    fn covers(&self, at: u64) -> bool {
        (self.from..self.until).contains(&at)
    }
}

#[derive(Debug)]
struct Session {
    stream: TcpStream,
    tls: Option<Box<ServerConnection>>,
    /// What arrived and is not a whole frame yet.
    inbox: Vec<u8>,
    /// What the socket has not taken yet.
    outbox: Vec<u8>,
    upgraded: bool,
    conversation: Conversation,
}

/// Whether a session goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goes {
    On,
    /// It has more to write than the socket takes.
    Waiting,
    Closed,
}

impl Models {
    pub fn new(tls: Option<Arc<ServerConfig>>, turns: Turns, now: u64) -> io::Result<Self> {
        let listener = TcpListener::bind((HERE, 0))?;
        listener.set_nonblocking(true)?;
        Ok(Self {
            listener,
            tls,
            turns,
            sessions: Vec::new(),
            free: Vec::new(),
            wheel: Wheel::new(now),
            buffer: vec![0; 64 * 1024],
            heard: Heard::default(),
        })
    }

    pub fn listener(&self) -> &TcpListener {
        &self.listener
    }

    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    pub fn live(&self) -> usize {
        self.sessions.len() - self.free.len()
    }

    pub fn stream(&self, session: u32) -> Option<&TcpStream> {
        Some(&self.sessions.get(session as usize)?.as_ref()?.stream)
    }

    /// Take a connection that waits, if there is one.
    pub fn accept(&mut self) -> Option<u32> {
        let (stream, _) = self.listener.accept().ok()?;
        let prepared = stream.set_nonblocking(true).and_then(|()| stream.set_nodelay(true));
        prepared.and_then(|()| net::stamp_arrivals(&stream)).ok()?;
        let tls = match &self.tls {
            Some(config) => Some(Box::new(ServerConnection::new(config.clone()).ok()?)),
            None => None,
        };
        let index = self.free.pop().unwrap_or_else(|| {
            self.sessions.push(None);
            self.sessions.len() as u32 - 1
        });
        self.sessions[index as usize] = Some(Session {
            stream,
            tls,
            inbox: Vec::new(),
            outbox: Vec::new(),
            upgraded: false,
            conversation: Conversation::new(index, self.turns),
        });
        self.wheel.insert(index, index);
        Some(index)
    }

    pub fn read(&mut self, index: u32) -> Goes {
        let Self { sessions, buffer, heard, .. } = self;
        let Some(session) = &mut sessions[index as usize] else { return Goes::On };
        let goes = session.read(buffer, heard);
        self.settle(index, goes)
    }

    pub fn write(&mut self, index: u32) -> Goes {
        let Some(session) = &mut self.sessions[index as usize] else { return Goes::On };
        let goes = session.flush();
        self.settle(index, goes)
    }

    /// Say what is due; `told` hears of sessions that ended or wait for room.
    pub fn talk(&mut self, now: u64, mut told: impl FnMut(u32, Goes)) {
        let Self { wheel, sessions, heard, .. } = self;
        let mut unusual = Vec::new();
        while let Some(due) = wheel.turn(now) {
            for index in due {
                let Some(session) = &mut sessions[*index as usize] else { continue };
                match session.talk(heard) {
                    Goes::On => {}
                    goes => unusual.push((*index, goes)),
                }
            }
        }
        for (index, goes) in unusual {
            told(index, self.settle(index, goes));
        }
    }

    fn settle(&mut self, index: u32, goes: Goes) -> Goes {
        if goes == Goes::Closed && self.sessions[index as usize].take().is_some() {
            self.free.push(index);
            self.wheel.remove(index, index);
        }
        goes
    }
}

impl Session {
    fn read(&mut self, buffer: &mut [u8], heard: &mut Heard) -> Goes {
        let (len, arrived_at) = match net::read_stamped(&self.stream, buffer) {
            Ok(None) => return Goes::On,
            Ok(Some((0, _))) | Err(_) => return Goes::Closed,
            Ok(Some(read)) => read,
        };
        let goes = match &mut self.tls {
            None if self.upgraded && self.inbox.is_empty() => {
                return self.whole_frames(&mut buffer[..len], arrived_at, heard);
            }
            None => {
                self.inbox.extend_from_slice(&buffer[..len]);
                Goes::On
            }
            Some(tls) => decrypt(tls, &buffer[..len], &mut self.inbox),
        };
        if goes == Goes::Closed {
            return goes;
        }
        if !self.upgraded
            && let Some((len, answer)) = websocket::accept(&self.inbox)
        {
            self.upgraded = true;
            self.inbox.drain(..len);
            self.send(answer.as_bytes());
            self.say(|conversation, out| conversation.created(out));
        }
        let mut inbox = std::mem::take(&mut self.inbox);
        if self.upgraded && !inbox.is_empty() {
            return self.whole_frames(&mut inbox, arrived_at, heard);
        }
        self.inbox = inbox;
        self.flush()
    }

    /// Handle the frames that are whole and keep the rest.
    fn whole_frames(&mut self, bytes: &mut [u8], arrived_at: u64, heard: &mut Heard) -> Goes {
        let mut used = 0;
        while let Some((frame, len)) = websocket::client_frame(&mut bytes[used..]) {
            used += len;
            match frame.opcode {
                TEXT => self.handle(frame.payload, arrived_at, heard),
                PING => {
                    let mut pong = Vec::new();
                    websocket::write_pong(&mut pong, frame.payload);
                    self.send(&pong);
                }
                CLOSE => return Goes::Closed,
                _ => {}
            }
        }
        self.inbox.extend_from_slice(&bytes[used..]);
        self.flush()
    }

    fn handle(&mut self, text: &[u8], arrived_at: u64, heard: &mut Heard) {
        match appended_audio(text) {
            Some(audio) => note(self.conversation.sound(), audio, arrived_at, heard),
            None => {
                let Ok(event) = serde_json::from_slice::<Value>(text) else { return };
                self.say(|conversation, out| conversation.handle(&event, out));
            }
        }
    }

    fn talk(&mut self, heard: &mut Heard) -> Goes {
        if !self.conversation.is_due() {
            return Goes::On;
        }
        let now = net::now();
        let mut frames = 0;
        self.say(|conversation, out| frames = conversation.talk(now, out));
        heard.frames_sent += if heard.covers(now) { frames } else { 0 };
        self.flush()
    }

    /// Let the conversation write its events.
    fn say(&mut self, write: impl FnOnce(&mut Conversation, &mut Vec<u8>)) {
        if self.tls.is_none() {
            return write(&mut self.conversation, &mut self.outbox);
        }
        let mut plain = Vec::new();
        write(&mut self.conversation, &mut plain);
        self.send(&plain);
    }

    fn send(&mut self, plain: &[u8]) {
        match &mut self.tls {
            None => self.outbox.extend_from_slice(plain),
            // Its buffer has no limit, so it takes everything.
            Some(tls) => drop(tls.writer().write_all(plain)),
        }
    }

    fn flush(&mut self) -> Goes {
        if let Some(tls) = &mut self.tls {
            while tls.wants_write() {
                let _ = tls.write_tls(&mut self.outbox);
            }
        }
        while !self.outbox.is_empty() {
            match (&self.stream).write(&self.outbox) {
                Ok(len) if len == self.outbox.len() => self.outbox.clear(),
                Ok(len) => drop(self.outbox.drain(..len)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Goes::Waiting,
                Err(_) => return Goes::Closed,
            }
        }
        Goes::On
    }
}

fn decrypt(tls: &mut ServerConnection, mut cipher: &[u8], plain: &mut Vec<u8>) -> Goes {
    while !cipher.is_empty() {
        if tls.read_tls(&mut cipher).is_err() {
            return Goes::Closed;
        }
        match tls.process_new_packets() {
            Ok(state) => {
                let from = plain.len();
                plain.resize(from + state.plaintext_bytes_to_read(), 0);
                if tls.reader().read_exact(&mut plain[from..]).is_err() || state.peer_has_closed() {
                    return Goes::Closed;
                }
            }
            Err(_) => return Goes::Closed,
        }
    }
    Goes::On
}

/// The base64 of an append, found without reading the JSON.
fn appended_audio(text: &[u8]) -> Option<&[u8]> {
    const APPEND: &[u8] = b"input_audio_buffer.append";
    const AUDIO: &[u8] = b"\"audio\":\"";
    let head = &text[..text.len().min(128)];
    head.windows(APPEND.len()).position(|window| window == APPEND)?;
    let start = head.windows(AUDIO.len()).position(|window| window == AUDIO)? + AUDIO.len();
    let audio = &text[start..];
    Some(&audio[..audio.iter().position(|byte| *byte == b'"')?])
}

/// Note the frames of an append.
fn note(sound: Sound, base64: &[u8], arrived_at: u64, heard: &mut Heard) {
    let mut any = false;
    marker::in_base64(sound, base64, |found| {
        if let Some(marker) = found.filter(|marker| heard.covers(marker.sent_at)) {
            heard.frames_arrived += 1;
            heard.delay.add(arrived_at.saturating_sub(marker.sent_at));
            any = true;
        }
    });
    heard.appends += u64::from(any);
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::marker::Marker;

    #[test]
    fn the_frames_of_an_append_are_noted() {
        let frame = |number| Marker { sent_at: 1_000, utterance: 0, number }.frame_of(Sound::Pcm);
        let audio = STANDARD.encode([frame(1), frame(2)].concat());
        let event = format!(r#"{{"type":"input_audio_buffer.append","audio":"{audio}"}}"#);
        let found = appended_audio(event.as_bytes()).unwrap();
        assert_eq!(found, audio.as_bytes());
        let mut heard = Heard { from: 0, until: 2_000, ..Heard::default() };
        note(Sound::Pcm, found, 1_500, &mut heard);
        assert_eq!((heard.frames_arrived, heard.appends), (2, 1));
        assert_eq!(heard.delay.max().as_nanos(), 500);
        assert_eq!(appended_audio(br#"{"type":"response.create"}"#), None);
    }
}
