//! The agents: `POST /call` over kept-alive connections, at a set rate whether or not the gateway keeps up.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use serde_json::{Value, json};

use crate::heard::number_of;
use crate::stats::Histogram;

/// All agents together.
#[derive(Debug)]
pub struct Caller {
    to: SocketAddr,
    pub connections: Vec<Connection>,
    /// Calls to be placed, with the time they were due.
    due: VecDeque<(u32, u64)>,
    /// When each call was due, by its number.
    pub due_at: Vec<u64>,
    key: Option<String>,
    pub answers: Answers,
}

/// What the API said.
#[derive(Debug, Default)]
pub struct Answers {
    pub placed: u64,
    pub refused: u64,
    /// Other answers than 201, e.g. `503 service_unavailable`, and how often each came.
    pub refusals: Vec<(String, u64)>,
    /// From the time a call was due until its answer.
    pub delay: Histogram,
}

#[derive(Debug)]
pub struct Connection {
    pub stream: TcpStream,
    /// The call that is being placed.
    placing: Option<u32>,
    inbox: Vec<u8>,
}

impl Caller {
    pub fn new(to: SocketAddr, connections: usize) -> io::Result<Self> {
        let connections = (0..connections).map(|_| Connection::open(to)).collect::<io::Result<_>>()?;
        Ok(Self {
            to,
            connections,
            due: VecDeque::new(),
            due_at: Vec::new(),
            key: None,
            answers: Answers::default(),
        })
    }

    /// Place the next call as soon as a connection is free.
    pub fn place(&mut self, due_at: u64) {
        self.due.push_back((self.due_at.len() as u32, due_at));
        self.due_at.push(due_at);
        self.advance();
    }

    /// Whether every call has got its answer.
    pub fn is_idle(&self) -> bool {
        self.due.is_empty() && self.connections.iter().all(|connection| connection.placing.is_none())
    }

    /// What was answered since this was asked last.
    pub fn take_answers(&mut self) -> Answers {
        std::mem::take(&mut self.answers)
    }

    fn advance(&mut self) {
        for connection in &mut self.connections {
            if connection.placing.is_some() {
                continue;
            }
            let Some((call, _)) = self.due.pop_front() else { return };
            let request = request(call, self.key.as_deref(), self.to);
            connection.placing = Some(call);
            // A request fits into the socket's buffer; a connection that broke is noticed when it is read.
            let _ = connection.stream.write(&request);
        }
    }

    /// Read what a connection has got. False: it was closed, and has to be opened anew.
    pub fn read(&mut self, index: usize, now: u64) -> bool {
        let connection = &mut self.connections[index];
        let mut buffer = [0; 16 * 1_024];
        let open = match connection.stream.read(&mut buffer) {
            Ok(0) => false,
            Ok(len) => {
                connection.inbox.extend_from_slice(&buffer[..len]);
                true
            }
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        };
        if let Some((status, body)) = connection.response() {
            if let Some(call) = connection.placing.take() {
                self.answered(call, status, &body, now);
            }
        } else if !open && let Some(call) = connection.placing.take() {
            self.answered(call, 0, &Value::Null, now);
        }
        self.advance();
        open
    }

    pub fn reopen(&mut self, index: usize) -> io::Result<()> {
        self.connections[index] = Connection::open(self.to)?;
        Ok(())
    }

    fn answered(&mut self, call: u32, status: u16, body: &Value, now: u64) {
        self.answers.delay.add(now.saturating_sub(self.due_at[call as usize]));
        if status == 201 {
            self.answers.placed += 1;
            if let Some(key) = body["api_key"].as_str() {
                self.key = Some(key.to_owned());
            }
            return;
        }
        self.answers.refused += 1;
        let code = body["error"]["code"].as_str().or(body["error"].as_str()).unwrap_or("no answer");
        let what = format!("{status} {code}");
        match self.answers.refusals.iter_mut().find(|(other, _)| *other == what) {
            Some((_, count)) => *count += 1,
            None => self.answers.refusals.push((what, 1)),
        }
    }
}

impl Connection {
    fn open(to: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(to)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, placing: None, inbox: Vec::new() })
    }

    /// The response, once it is whole.
    fn response(&mut self) -> Option<(u16, Value)> {
        let end = self.inbox.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
        let head = String::from_utf8_lossy(&self.inbox[..end]).to_ascii_lowercase();
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let len = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let len: usize = len.and_then(|len| len.trim().parse().ok()).unwrap_or(0);
        let body = self.inbox.get(end..end + len)?;
        let body = serde_json::from_slice(body).unwrap_or(Value::Null);
        self.inbox.drain(..end + len);
        Some((status, body))
    }
}

fn request(call: u32, key: Option<&str>, host: SocketAddr) -> Vec<u8> {
    let body = json!({
        "to": number_of(call),
        "task": "Ring the bicycle shop and ask whether the rear wheel of order 3381 is trued, for Mira Okafor. \
                 If it is not, ask when it will be ready and thank them.",
        "greeting": "Hello, this is Sam for Mira Okafor about a wheel repair.",
        "voice": "chris",
    })
    .to_string();
    let key = key.map_or_else(String::new, |key| format!("X-Api-Key: {key}\r\n"));
    format!(
        "POST /call HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n{key}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn calls_wait_for_a_free_connection_and_keep_the_key() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut caller = Caller::new(listener.local_addr().unwrap(), 1).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        caller.place(1_000);
        caller.place(2_000);
        let mut buffer = [0; 4_096];
        let answers = [
            (201, r#"{"call_id":"a","api_key":"clawcall_sk_x"}"#, "to\":\"+14157000000"),
            (503, r#"{"error":{"code":"busy"}}"#, "X-Api-Key: clawcall_sk_x"),
        ];
        for (status, body, expected) in answers {
            let len = server.read(&mut buffer).unwrap();
            let request = String::from_utf8_lossy(&buffer[..len]).into_owned();
            assert!(request.contains(expected), "{request}");
            let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            server.write_all(answer.as_bytes()).unwrap();
            let waiting = caller.answers.delay.count();
            while caller.answers.delay.count() == waiting {
                assert!(caller.read(0, 5_000));
            }
        }
        assert!(caller.is_idle());
        assert_eq!((caller.answers.placed, caller.answers.refused), (1, 1));
        assert_eq!(caller.answers.refusals, [("503 busy".to_owned(), 1)]);
        assert_eq!(caller.answers.delay.max().as_nanos(), 4_000);
    }
}
