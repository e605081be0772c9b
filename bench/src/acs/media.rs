//! The media connection of one call: the client's side of a WebSocket with a frame of PCM every 20 ms, both ways.

use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpStream};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::heard::{Beat, Heard};
use crate::marker::{HEAD, Marker, Sound, in_base64};
use crate::net;

/// The bytes of a frame that never change, with room for its marker.
#[derive(Debug)]
pub struct Template {
    /// Masked, as it is sent.
    frame: Vec<u8>,
    /// Where the marker's Base64 is.
    marker_at: usize,
}

const MASK: [u8; 4] = [0x51, 0xa2, 0x3c, 0x0f];
/// Header of a client's frame of some kilobyte: two bytes, two of the length, four of the mask.
const HEADER: usize = 8;
const METADATA: &str = r#"{"kind":"AudioMetadata","audioMetadata":{"subscriptionId":"bench","encoding":"PCM","sampleRate":24000,"channels":1,"length":960}}"#;

impl Template {
    pub fn new() -> Self {
        let marker = Marker { sent_at: 0, utterance: 0, number: 0 };
        let data = STANDARD.encode(marker.frame_of(Sound::Pcm));
        let before = r#"{"kind":"AudioData","audioData":{"timestamp":"2026-11-21T19:16:12.925Z","data":""#;
        let text = format!(r#"{before}{data}","silent":false}}}}"#);
        Self { frame: masked(text.as_bytes()), marker_at: HEADER + before.len() }
    }

    fn fill(&mut self, marker: Marker) -> &[u8] {
        let mut head = [0; HEAD];
        marker.write(&mut head);
        let place = &mut self.frame[self.marker_at..self.marker_at + HEAD / 3 * 4];
        let _ = STANDARD.encode_slice(head, place);
        for (offset, byte) in place.iter_mut().enumerate() {
            *byte ^= MASK[(self.marker_at - HEADER + offset) % 4];
        }
        &self.frame
    }
}

fn masked(text: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x81];
    match text.len() {
        len @ 0..=125 => frame.push(0x80 | len as u8),
        len => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(len as u16).to_be_bytes());
        }
    }
    frame.extend_from_slice(&MASK);
    frame.extend(text.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

#[derive(Debug)]
pub struct Media {
    pub stream: TcpStream,
    inbox: Vec<u8>,
    /// What the socket has not taken yet.
    outbox: Vec<u8>,
    pub upgraded: bool,
    frames: u32,
    beat: Option<Beat>,
}

impl Media {
    pub fn open(to: SocketAddr, path: &str, connection: &str, bearer: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(to)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        net::stamp_arrivals(&stream)?;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: bench.example.org\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             x-ms-call-connection-id: {connection}\r\nx-ms-call-correlation-id: {connection}\r\n\
             Authorization: Bearer {bearer}\r\n\r\n"
        );
        let mut this = Self {
            stream,
            inbox: Vec::new(),
            outbox: request.into_bytes(),
            upgraded: false,
            frames: 0,
            beat: None,
        };
        this.flush();
        Ok(this)
    }

    /// Whether the frame left, or will.
    pub fn say(&mut self, call: u32, template: &mut Template) -> bool {
        self.frames += 1;
        let sent_at = net::now();
        let frame = template.fill(Marker { sent_at, utterance: call, number: self.frames });
        if !self.outbox.is_empty() && !self.flush() {
            return false;
        }
        match (&self.stream).write(frame) {
            Ok(len) => {
                self.outbox.extend_from_slice(&frame[len..]);
                true
            }
            Err(error) => error.kind() != io::ErrorKind::WouldBlock,
        }
    }

    /// Whether nothing waits any more.
    fn flush(&mut self) -> bool {
        match (&self.stream).write(&self.outbox) {
            Ok(len) => drop(self.outbox.drain(..len)),
            Err(_) => return false,
        }
        self.outbox.is_empty()
    }

    /// Read what is there; `false` when the connection is over.
    pub fn read(&mut self, buffer: &mut [u8], heard: &mut Heard) -> bool {
        let (len, arrived_at) = match net::read_stamped(&self.stream, buffer) {
            Ok(None) => return true,
            Ok(Some((0, _))) | Err(_) => return false,
            Ok(Some(read)) => read,
        };
        if !self.upgraded {
            self.inbox.extend_from_slice(&buffer[..len]);
            let Some(end) = self.inbox.windows(4).position(|window| window == b"\r\n\r\n") else {
                return true;
            };
            if !self.inbox.starts_with(b"HTTP/1.1 101") {
                return false;
            }
            self.inbox.drain(..end + 4);
            self.upgraded = true;
            self.outbox.extend_from_slice(&masked(METADATA.as_bytes()));
            self.flush();
            let rest = std::mem::take(&mut self.inbox);
            return self.frames(&rest, arrived_at, heard);
        }
        if self.inbox.is_empty() {
            return self.frames(&buffer[..len], arrived_at, heard);
        }
        let mut all = std::mem::take(&mut self.inbox);
        all.extend_from_slice(&buffer[..len]);
        self.frames(&all, arrived_at, heard)
    }

    fn frames(&mut self, bytes: &[u8], arrived_at: u64, heard: &mut Heard) -> bool {
        let mut rest = bytes;
        while let Some((opcode, payload, len)) = server_frame(rest) {
            rest = &rest[len..];
            match opcode {
                1 => {
                    if let Some(audio) = audio(payload) {
                        in_base64(Sound::Pcm, audio, |marker| heard.note(&mut self.beat, arrived_at, marker));
                    }
                }
                8 => return false,
                9 => self.outbox.extend_from_slice(&[0x8a, 0x80, 0, 0, 0, 0]),
                _ => {}
            }
        }
        self.inbox.extend_from_slice(rest);
        true
    }
}

/// The frame at the beginning of `bytes`: opcode, payload, and how long it is in all.
fn server_frame(bytes: &[u8]) -> Option<(u8, &[u8], usize)> {
    let (opcode, short) = (bytes.first()? & 0x0f, *bytes.get(1)? & 0x7f);
    let (len, from) = match short {
        126 => (usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?])), 4),
        127 => (u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?) as usize, 10),
        short => (usize::from(short), 2),
    };
    Some((opcode, bytes.get(from..from + len)?, from + len))
}

/// The Base64 of a message with audio, found without reading the JSON, whatever the case of its keys.
fn audio(text: &[u8]) -> Option<&[u8]> {
    const DATA: &[u8] = b"ata\":\"";
    let start = text.windows(DATA.len()).take(128).position(|window| window == DATA)? + DATA.len();
    let audio = &text[start..];
    Some(&audio[..audio.iter().position(|byte| *byte == b'"')?])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::websocket;

    #[test]
    fn a_frame_of_the_template_is_one_that_a_server_reads() {
        let mut template = Template::new();
        for number in [1, 7] {
            let marker = Marker { sent_at: 99, utterance: 3, number };
            let mut frame = template.fill(marker).to_vec();
            let (read, _) = websocket::client_frame(&mut frame).unwrap();
            let text: serde_json::Value = serde_json::from_slice(read.payload).unwrap();
            let audio = STANDARD.decode(text["audioData"]["data"].as_str().unwrap()).unwrap();
            assert_eq!((Marker::read(&audio), audio.len()), (Some(marker), 960));
        }
    }

    #[test]
    fn audio_is_found_in_either_casing() {
        for text in [
            r#"{"Kind":"AudioData","AudioData":{"Data":"QUJD"},"StopAudio":null}"#,
            r#"{"kind":"audioData","audioData":{"data":"QUJD","isSilent":false}}"#,
        ] {
            assert_eq!(audio(text.as_bytes()), Some(&b"QUJD"[..]));
        }
        assert_eq!(audio(br#"{"Kind":"StopAudio","AudioData":null,"StopAudio":{}}"#), None);
    }
}
