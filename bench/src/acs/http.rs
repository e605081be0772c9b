//! As much of HTTP as the service and its callbacks need: whole messages over kept-alive connections.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

/// One connection, either way round.
#[derive(Debug)]
pub struct Connection {
    pub stream: TcpStream,
    inbox: Vec<u8>,
}

/// A request or a response.
#[derive(Debug, PartialEq, Eq)]
pub struct Message {
    /// `POST /path HTTP/1.1`, or `HTTP/1.1 200 OK`.
    pub start: String,
    pub body: Vec<u8>,
}

impl Connection {
    pub fn open(to: SocketAddr) -> io::Result<Self> {
        Self::of(TcpStream::connect(to)?)
    }

    pub fn of(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, inbox: Vec::new() })
    }

    /// What is there goes to `take`; `false` when the connection was closed.
    pub fn read(&mut self, mut take: impl FnMut(&mut TcpStream, Message)) -> bool {
        let mut buffer = [0; 32 * 1_024];
        let open = match self.stream.read(&mut buffer) {
            Ok(0) => false,
            Ok(len) => {
                self.inbox.extend_from_slice(&buffer[..len]);
                true
            }
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        };
        while let Some((message, len)) = whole(&self.inbox) {
            self.inbox.drain(..len);
            take(&mut self.stream, message);
        }
        open
    }
}

/// Messages are small, and a socket takes them at once.
pub fn send(stream: &mut TcpStream, message: &[u8]) -> bool {
    stream.write(message).is_ok_and(|len| len == message.len())
}

fn whole(bytes: &[u8]) -> Option<(Message, usize)> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&bytes[..end]);
    let len = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    let len: usize = len.unwrap_or(0);
    let body = bytes.get(end..end + len)?.to_vec();
    Some((Message { start: head.lines().next()?.to_owned(), body }, end + len))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_once_it_is_whole() {
        let text =
            b"POST /a?b=c HTTP/1.1\r\nHost: x\r\ncontent-length: 2\r\n\r\n{}HTTP/1.1 204 No Content\r\n\r\n";
        assert_eq!(whole(&text[..50]), None);
        let (request, len) = whole(text).unwrap();
        assert_eq!((request.start.as_str(), &*request.body), ("POST /a?b=c HTTP/1.1", &b"{}"[..]));
        assert_eq!(whole(&text[len..]).unwrap().0.start, "HTTP/1.1 204 No Content");
    }
}
