//! The server's side of a WebSocket (RFC 6455) without IO: bytes go in, whole messages come out.
//!
//! Messages are read where they lie in the buffer, and unmasked there; nothing is allocated for a message in one frame,
//! as each of ACS is. What is too long is passed over and counted.

/// The longest message that is read. Microsoft names 64 KB; a frame of audio has 1.5 KB.
pub const LONGEST: usize = 64 * 1_024;
/// Who announces more than this means no good.
const ABSURD: u64 = 1_024 * 1_024;
/// The longest header: two bytes, eight of length, four of the mask.
const HEADER: usize = 14;
/// Room to read into, always.
const ROOM: usize = 4 * 1_024;

/// One message, or what is to be done about a control frame.
#[derive(Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// Whole. Text is not checked for being UTF-8; whoever reads it is.
    Text(&'a [u8]),
    Binary(&'a [u8]),
    /// To be answered with the same content.
    Ping(&'a [u8]),
    Pong,
    /// To be answered in kind; nothing comes after it.
    Close(Option<u16>),
    /// Longer than [`LONGEST`], and not kept.
    TooLong,
}

/// What no client may send; the connection is to be closed with this code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    #[error("a frame of a client is masked")]
    Unmasked,
    #[error("no extension was agreed on")]
    Reserved,
    #[error("there is no such kind of frame")]
    Opcode,
    #[error("a control frame is short and whole")]
    Control,
    #[error("a message goes on that never began, or one begins within another")]
    Continuation,
    #[error("a frame is too long for anybody")]
    Absurd,
    #[error("a closing frame has a code of two bytes, or nothing")]
    Close,
}

impl ProtocolError {
    pub const fn close_code(self) -> u16 {
        match self {
            Self::Absurd => 1009,
            _ => 1002,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

#[derive(Clone, Copy, Debug)]
struct Header {
    last: bool,
    opcode: Opcode,
    mask: [u8; 4],
    /// Of the header itself.
    len: usize,
    payload: u64,
}

/// A message that comes in pieces.
#[derive(Debug)]
struct Pieces {
    text: bool,
    too_long: bool,
    bytes: Vec<u8>,
}

#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Bytes of a frame that is passed over.
    skip: u64,
    pieces: Option<Pieces>,
    /// A message that was put together, while its reader has it.
    whole: Vec<u8>,
}

impl Decoder {
    /// Where to read into; tell [`Self::filled`] how much it was.
    pub fn room(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.buffer.len() - self.end < ROOM && self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.buffer.len() - self.end < ROOM {
            // Never more than one frame that is read, and room.
            self.buffer.resize(self.end + ROOM, 0);
        }
        &mut self.buffer[self.end..]
    }

    pub fn filled(&mut self, bytes: usize) {
        self.end = (self.end + bytes).min(self.buffer.len());
    }

    /// The next message, as far as it has come. After an error nothing more is to be read.
    pub fn next(&mut self) -> Result<Option<Message<'_>>, ProtocolError> {
        loop {
            if self.skip > 0 {
                let skipped = self.skip.min((self.end - self.start) as u64);
                self.start += skipped as usize;
                self.skip -= skipped;
                if self.skip > 0 {
                    return Ok(None);
                }
            }
            let Some(header) = header(&self.buffer[self.start..self.end])? else { return Ok(None) };
            check(&header, self.pieces.is_some())?;
            let payload = header.payload as usize;
            let before = match (&self.pieces, header.opcode) {
                (Some(pieces), Opcode::Continuation) => pieces.bytes.len(),
                _ => 0,
            };
            if payload + before > LONGEST {
                self.start += header.len;
                self.skip = header.payload;
                if self.pass_over(&header) {
                    return Ok(Some(Message::TooLong));
                }
                continue;
            }
            let from = self.start + header.len;
            if self.end < from + payload {
                return Ok(None);
            }
            let range = from..from + payload;
            self.start = range.end;
            unmask(&mut self.buffer[range.clone()], header.mask);
            match header.opcode {
                Opcode::Text if header.last => return Ok(Some(Message::Text(&self.buffer[range]))),
                Opcode::Binary if header.last => return Ok(Some(Message::Binary(&self.buffer[range]))),
                Opcode::Ping => return Ok(Some(Message::Ping(&self.buffer[range]))),
                Opcode::Pong => return Ok(Some(Message::Pong)),
                Opcode::Close => return close(&self.buffer[range]).map(Some),
                opcode => {
                    if let Some(pieces) = self.add_piece(opcode, header.last, range) {
                        return Ok(Some(self.put_together(pieces)));
                    }
                }
            }
        }
    }

    /// A piece of a message; the message where this was its last.
    fn add_piece(&mut self, opcode: Opcode, last: bool, range: std::ops::Range<usize>) -> Option<Pieces> {
        let fresh = || Pieces { text: opcode == Opcode::Text, too_long: false, bytes: Vec::new() };
        let pieces = self.pieces.get_or_insert_with(fresh);
        if !pieces.too_long {
            pieces.bytes.extend_from_slice(&self.buffer[range]);
        }
        if last { self.pieces.take() } else { None }
    }

    fn put_together(&mut self, pieces: Pieces) -> Message<'_> {
        self.whole = pieces.bytes;
        match pieces {
            Pieces { too_long: true, .. } => Message::TooLong,
            Pieces { text: true, .. } => Message::Text(&self.whole),
            _ => Message::Binary(&self.whole),
        }
    }

    /// Whether that ends the message.
    fn pass_over(&mut self, header: &Header) -> bool {
        if header.last {
            self.pieces = None;
            return true;
        }
        self.pieces = Some(Pieces { text: true, too_long: true, bytes: Vec::new() });
        false
    }
}

/// `None` as long as it is not whole.
fn header(bytes: &[u8]) -> Result<Option<Header>, ProtocolError> {
    let &[first, second, ..] = bytes else { return Ok(None) };
    let opcode = match first & 0x0f {
        0x0 => Opcode::Continuation,
        0x1 => Opcode::Text,
        0x2 => Opcode::Binary,
        0x8 => Opcode::Close,
        0x9 => Opcode::Ping,
        0xa => Opcode::Pong,
        _ => return Err(ProtocolError::Opcode),
    };
    if first & 0x70 != 0 {
        return Err(ProtocolError::Reserved);
    }
    if second & 0x80 == 0 {
        return Err(ProtocolError::Unmasked);
    }
    let (payload, len) = match second & 0x7f {
        126 => {
            let Some(length) = bytes.get(2..4) else { return Ok(None) };
            (u64::from(u16::from_be_bytes([length[0], length[1]])), 4)
        }
        127 => {
            let Some(length) = bytes.get(2..10).and_then(|length| <[u8; 8]>::try_from(length).ok()) else {
                return Ok(None);
            };
            (u64::from_be_bytes(length), 10)
        }
        short => (u64::from(short), 2),
    };
    if payload > ABSURD {
        return Err(ProtocolError::Absurd);
    }
    let Some(mask) = bytes.get(len..len + 4).and_then(|mask| mask.try_into().ok()) else { return Ok(None) };
    debug_assert!(len + 4 <= HEADER);
    Ok(Some(Header { last: first & 0x80 != 0, opcode, mask, len: len + 4, payload }))
}

fn check(header: &Header, in_pieces: bool) -> Result<(), ProtocolError> {
    match header.opcode {
        Opcode::Close | Opcode::Ping | Opcode::Pong => {
            if header.last && header.payload <= 125 {
                Ok(())
            } else {
                Err(ProtocolError::Control)
            }
        }
        Opcode::Continuation if !in_pieces => Err(ProtocolError::Continuation),
        Opcode::Text | Opcode::Binary if in_pieces => Err(ProtocolError::Continuation),
        _ => Ok(()),
    }
}

fn close(payload: &[u8]) -> Result<Message<'_>, ProtocolError> {
    match payload {
        [] => Ok(Message::Close(None)),
        [_] => Err(ProtocolError::Close),
        [high, low, ..] => Ok(Message::Close(Some(u16::from_be_bytes([*high, *low])))),
    }
}

/// Eight bytes at a time; the compiler makes more of it.
fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
}

/// The kinds of frames that a server sends here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    Text,
    Close,
    Pong,
}

/// Write the header of a frame with so much payload; the payload is to follow.
pub fn write_header(out: &mut Vec<u8>, sent: Sent, payload: usize) {
    let opcode = match sent {
        Sent::Text => 0x1,
        Sent::Close => 0x8,
        Sent::Pong => 0xa,
    };
    out.push(0x80 | opcode);
    match payload {
        0..126 => out.push(payload as u8),
        126..=0xffff => {
            out.push(126);
            out.extend_from_slice(&(payload as u16).to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend_from_slice(&(payload as u64).to_be_bytes());
        }
    }
}

/// A whole frame.
pub fn write_frame(out: &mut Vec<u8>, sent: Sent, payload: &[u8]) {
    write_header(out, sent, payload.len());
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame as a client sends it.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![first];
        match payload.len() {
            short @ 0..126 => frame.push(0x80 | short as u8),
            long @ 126..=0xffff => {
                frame.push(0x80 | 126);
                frame.extend_from_slice(&(long as u16).to_be_bytes());
            }
            long => {
                frame.push(0x80 | 127);
                frame.extend_from_slice(&(long as u64).to_be_bytes());
            }
        }
        let mask = [0x37, 0xfa, 0x21, 0x3d];
        frame.extend_from_slice(&mask);
        frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
        frame
    }

    fn shown(message: &Message<'_>) -> String {
        let text = |bytes: &[u8]| match bytes.len() {
            0..20 => String::from_utf8_lossy(bytes).into_owned(),
            long => format!("{long} bytes"),
        };
        match message {
            Message::Text(bytes) => format!("text {}", text(bytes)),
            Message::Binary(bytes) => format!("binary {}", text(bytes)),
            Message::Ping(bytes) => format!("ping {}", text(bytes)),
            Message::Pong => "pong".to_owned(),
            Message::Close(code) => format!("close {code:?}"),
            Message::TooLong => "too long".to_owned(),
        }
    }

    /// All messages of these bytes, given in pieces of that size.
    fn read(bytes: &[u8], at_once: usize) -> Vec<String> {
        let mut decoder = Decoder::default();
        let mut messages = Vec::new();
        for piece in bytes.chunks(at_once) {
            decoder.room()[..piece.len()].copy_from_slice(piece);
            decoder.filled(piece.len());
            loop {
                match decoder.next() {
                    Ok(Some(message)) => messages.push(shown(&message)),
                    Ok(None) => break,
                    Err(error) => {
                        messages.push(error.to_string());
                        return messages;
                    }
                }
            }
        }
        messages
    }

    #[test]
    fn messages_however_they_are_cut() {
        let long = vec![b'x'; 1_400];
        let longer = vec![b'y'; LONGEST];
        let too_long = vec![b'z'; LONGEST + 1];
        let stream = [
            frame(0x81, b"hello"),
            frame(0x82, b"\x01"),
            frame(0x81, b""),
            frame(0x01, b"in "),
            frame(0x89, b"there?"),
            frame(0x00, b"three "),
            frame(0x80, b"pieces"),
            frame(0x8a, b""),
            frame(0x81, &long),
            frame(0x81, &longer),
            frame(0x81, &too_long),
            frame(0x01, &longer),
            frame(0x00, b"too much"),
            frame(0x80, b"of it"),
            frame(0x81, b"still here"),
            frame(0x88, b"\x03\xe8bye"),
        ]
        .concat();
        let expected = [
            "text hello",
            "binary \u{1}",
            "text ",
            "ping there?",
            "text in three pieces",
            "pong",
            "text 1400 bytes",
            "text 65536 bytes",
            "too long",
            "too long",
            "text still here",
            "close Some(1000)",
        ];
        for at_once in [1, 2, 7, 100, 1_447, ROOM] {
            assert_eq!(read(&stream, at_once), expected, "{at_once} bytes at once");
        }
    }

    #[test]
    fn what_no_client_may_send() {
        let mut unmasked = Vec::new();
        write_frame(&mut unmasked, Sent::Text, b"hello");
        let absurd = [&[0x81, 0xff][..], &(ABSURD + 1).to_be_bytes(), &[0; 4]].concat();
        for (bytes, error) in [
            (unmasked, ProtocolError::Unmasked),
            (frame(0xc1, b"deflated"), ProtocolError::Reserved),
            (frame(0x83, b""), ProtocolError::Opcode),
            (frame(0x80, b"from nowhere"), ProtocolError::Continuation),
            ([frame(0x01, b"a"), frame(0x81, b"b")].concat(), ProtocolError::Continuation),
            (frame(0x09, b"half a ping"), ProtocolError::Control),
            (frame(0x89, &[0; 126]), ProtocolError::Control),
            (frame(0x88, b"\x03"), ProtocolError::Close),
            (absurd, ProtocolError::Absurd),
        ] {
            assert_eq!(read(&bytes, ROOM), [error.to_string()]);
        }
    }

    #[test]
    fn what_we_send_has_the_shortest_header() {
        for (len, header) in [
            (0, vec![0x81, 0]),
            (125, vec![0x81, 125]),
            (126, vec![0x81, 126, 0, 126]),
            (0xffff, vec![0x81, 126, 0xff, 0xff]),
            (0x1_0000, vec![0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let mut out = Vec::new();
            write_header(&mut out, Sent::Text, len);
            assert_eq!(out, header);
        }
        let mut out = Vec::new();
        write_frame(&mut out, Sent::Close, &1_000_u16.to_be_bytes());
        assert_eq!(out, [0x88, 2, 3, 0xe8]);
    }

    #[test]
    fn the_buffer_does_not_grow_with_time() {
        let mut decoder = Decoder::default();
        let one = frame(0x81, &[b'x'; 1_400]);
        for _ in 0..1_000 {
            decoder.room()[..one.len()].copy_from_slice(&one);
            decoder.filled(one.len());
            assert!(matches!(decoder.next(), Ok(Some(Message::Text(_)))));
            assert_eq!(decoder.next(), Ok(None));
        }
        assert!(decoder.buffer.capacity() <= 2 * ROOM);
    }
}
