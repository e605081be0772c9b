//! SIP over streams (RFC 3261 §18.3): cutting messages out of bytes, and keeping the connection open (RFC 5626).

use bytes::{Buf, BytesMut};

use super::message::MAX_MESSAGE;

/// What comes out of a stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    Message(Vec<u8>),
    /// A double line break: to be answered with a single one.
    Ping,
}

/// The stream can't be followed any further; close it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not SIP, or a message longer than {MAX_MESSAGE} bytes")]
pub struct Unframed;

#[derive(Debug, Default)]
pub struct Framer {
    buffer: BytesMut,
    /// How far the end of the headers was looked for already.
    searched: usize,
}

impl Framer {
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    pub fn next_piece(&mut self) -> Result<Option<Piece>, Unframed> {
        let breaks = self.buffer.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        if breaks > 0 {
            if self.buffer.len() < 4 && breaks == self.buffer.len() {
                return Ok(None);
            }
            let ping = self.buffer.starts_with(b"\r\n\r\n");
            self.buffer.advance(if ping { 4 } else { breaks });
            self.searched = 0;
            if ping {
                return Ok(Some(Piece::Ping));
            }
        }
        let from = self.searched.saturating_sub(3);
        let Some(found) = self.buffer[from..].windows(4).position(|window| window == b"\r\n\r\n") else {
            self.searched = self.buffer.len();
            return if self.buffer.len() > MAX_MESSAGE { Err(Unframed) } else { Ok(None) };
        };
        let head = from + found + 4;
        let whole = head.saturating_add(content_length(&self.buffer[..head])?);
        if whole > MAX_MESSAGE {
            return Err(Unframed);
        }
        if self.buffer.len() < whole {
            self.searched = head - 1;
            return Ok(None);
        }
        self.searched = 0;
        Ok(Some(Piece::Message(self.buffer.split_to(whole).to_vec())))
    }
}

/// Without a Content-Length there is no telling where a message in a stream ends; it then has no body.
fn content_length(head: &[u8]) -> Result<usize, Unframed> {
    for line in head.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let name = line[..colon].trim_ascii();
        if name.eq_ignore_ascii_case(b"Content-Length") || name.eq_ignore_ascii_case(b"l") {
            let value = std::str::from_utf8(line[colon + 1..].trim_ascii()).map_err(|_| Unframed)?;
            return value.parse().map_err(|_| Unframed);
        }
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &[u8] = b"OPTIONS sip:a SIP/2.0\r\nl: 3\r\n\r\nabc";

    fn pieces(framer: &mut Framer) -> Vec<Piece> {
        std::iter::from_fn(|| framer.next_piece().unwrap()).collect()
    }

    #[test]
    fn however_it_is_cut_the_same_comes_out() {
        let stream = [b"\r\n\r\n", ONE, b"\r\n", ONE, b"BYE sip:a SIP/2.0\r\n\r\n", b"\r\n\r\n"].concat();
        let expected = [
            Piece::Ping,
            Piece::Message(ONE.to_vec()),
            Piece::Message(ONE.to_vec()),
            Piece::Message(b"BYE sip:a SIP/2.0\r\n\r\n".to_vec()),
            Piece::Ping,
        ];
        for size in 1..stream.len() {
            let mut framer = Framer::default();
            let mut seen = Vec::new();
            for part in stream.chunks(size) {
                framer.buffer().extend_from_slice(part);
                seen.extend(pieces(&mut framer));
            }
            assert_eq!(seen, expected, "cut every {size} bytes");
        }
    }

    #[test]
    fn nobody_fills_our_memory() {
        for bytes in [
            vec![b'x'; MAX_MESSAGE + 1],
            b"A sip:a SIP/2.0\r\nl: 99999999\r\n\r\n".to_vec(),
            b"A\r\nl: -1\r\n\r\n".to_vec(),
            // With the head's own length this is more than a number can hold.
            b"A\r\nl: 18446744073709551615\r\n\r\n".to_vec(),
        ] {
            let mut framer = Framer::default();
            framer.buffer().extend_from_slice(&bytes);
            assert_eq!(framer.next_piece(), Err(Unframed));
        }
    }
}
