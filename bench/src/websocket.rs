//! The server's side of a WebSocket (RFC 6455), as far as text goes: no fragments, no extensions.

use std::fmt::Write as _;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub const TEXT: u8 = 1;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
const PONG: u8 = 10;

/// The answer to an upgrade request, once it is whole, and how long the request was.
pub fn accept(request: &[u8]) -> Option<(usize, String)> {
    const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    let len = request.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&request[..len]).ok()?;
    let mut headers = head.lines().filter_map(|line| line.split_once(':'));
    let (_, key) = headers.find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"))?;
    let joined = format!("{}{GUID}", key.trim());
    let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, joined.as_bytes());
    let mut answer =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n".to_owned();
    let _ = write!(answer, "Sec-WebSocket-Accept: {}\r\n\r\n", STANDARD.encode(hash));
    Some((len, answer))
}

/// A frame of the client, unmasked in place.
#[derive(Debug, PartialEq, Eq)]
pub struct ClientFrame<'a> {
    pub opcode: u8,
    pub payload: &'a mut [u8],
}

/// The frame at the beginning of `bytes`, with its length; `None` when it is not whole yet.
pub fn client_frame(bytes: &mut [u8]) -> Option<(ClientFrame<'_>, usize)> {
    let (opcode, short) = (bytes.first()? & 0x0f, *bytes.get(1)? & 0x7f);
    let (len, mask_at) = match short {
        126 => (usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?])), 4),
        127 => (u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?) as usize, 10),
        short => (usize::from(short), 2),
    };
    let mask: [u8; 4] = bytes.get(mask_at..mask_at + 4)?.try_into().ok()?;
    let payload = bytes.get_mut(mask_at + 4..mask_at + 4 + len)?;
    unmask(payload, mask);
    Some((ClientFrame { opcode, payload }, mask_at + 4 + len))
}

fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let wide = u64::from_ne_bytes([mask[0], mask[1], mask[2], mask[3], mask[0], mask[1], mask[2], mask[3]]);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

/// Append a text frame.
pub fn write_text(out: &mut Vec<u8>, text: &[u8]) {
    write_frame(out, TEXT, text);
}

pub fn write_pong(out: &mut Vec<u8>, payload: &[u8]) {
    write_frame(out, PONG, payload);
}

fn write_frame(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    out.push(0x80 | opcode);
    match payload.len() {
        len @ 0..=125 => out.push(len as u8),
        len @ 126..=0xffff => {
            out.push(126);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            out.push(127);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_handshake_is_that_of_the_rfc() {
        let request = b"GET /chat HTTP/1.1\r\nHost: x\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        let (len, answer) = accept(request).unwrap();
        assert_eq!(len, request.len());
        assert!(answer.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{answer}");
        assert_eq!(accept(&request[..40]), None);
    }

    #[test]
    fn frames_of_any_length_are_read_once_they_are_whole() {
        for len in [0usize, 5, 125, 126, 300, 70_000] {
            let text: Vec<u8> = (0..len).map(|index| index as u8).collect();
            let mut server = Vec::new();
            write_text(&mut server, &text);
            // The client's is the same with a mask.
            let head = server.len() - len;
            let mut client = server[..head].to_vec();
            client[1] |= 0x80;
            client.extend_from_slice(&[1, 2, 3, 4]);
            client.extend(text.iter().zip([1, 2, 3, 4].iter().cycle()).map(|(byte, mask)| byte ^ mask));
            for cut in [1, head, client.len() - 1] {
                assert_eq!(client_frame(&mut client.clone()[..cut]), None);
            }
            client.push(0x81);
            let whole = client.len() - 1;
            let (frame, used) = client_frame(&mut client).unwrap();
            assert_eq!((frame.opcode, &*frame.payload, used), (TEXT, &text[..], whole));
        }
    }
}
