//! The people who are called, over Communication Services: the service answers for them, tells of it, and carries their
//! frames over WebSockets.
//!
//! It is as light as it can be, so that the gateway is what is measured: it verifies no signature, and a frame is a
//! template with a marker in it. That the gateway speaks the protocol rightly is for its tests.

mod http;
mod media;
mod token;

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, TcpListener};

use serde_json::{Value, json};

use crate::heard::{Census, Heard, call_of};
use crate::net::{HERE, Poll};
use crate::stats::Histogram;
use crate::wheel::Wheel;
use http::{Connection, Message};
use media::{Media, Template};

/// For whom the tokens are.
pub const AUDIENCE: &str = "5d1f3a30-6a1f-4b43-8f0e-8d1b0b7a4c11";
/// Where the keys are.
pub const KEYS: &str = "/calling/keys";

/// Kept-alive connections that callbacks go over.
const COURIERS: usize = 64;

/// What a descriptor is of: the upper half of its token; the lower is its index.
pub const LISTENER: u64 = 16;
pub const SERVICE: u64 = 17;
pub const COURIER: u64 = 18;
pub const MEDIA: u64 = 19;

const fn token(kind: u64, index: usize) -> u64 {
    kind << 32 | index as u64
}

/// The service and everybody behind it.
#[derive(Debug)]
pub struct Acs {
    listener: TcpListener,
    /// Where the gateway waits for us.
    doors: SocketAddr,
    bearer: String,
    keys: String,
    service: Vec<Option<Connection>>,
    couriers: Vec<Courier>,
    posts: VecDeque<Post>,
    calls: Vec<Call>,
    wheel: Wheel,
    template: Template,
    buffer: Vec<u8>,
    /// Media connections that are to be watched.
    fresh: Vec<u32>,
    pub hang_up_after: Option<u64>,
    pub heard: Heard,
}

#[derive(Debug, Default)]
struct Call {
    state: State,
    callback: String,
    media_path: String,
    media: Option<Media>,
    told: bool,
    answered_at: Option<u64>,
    hang_up_at: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Idle,
    /// Answered; the media connection or the gateway's word to it is missing.
    Answering,
    Talking,
    /// We hung up, and the gateway does not know yet.
    Leaving,
    Gone,
}

#[derive(Debug, Default)]
struct Courier {
    connection: Option<Connection>,
    post: Option<Post>,
}

/// An event under way.
#[derive(Debug)]
struct Post {
    call: u32,
    kind: &'static str,
    body: String,
}

fn connection_id(call: u32) -> String {
    format!("{call:08x}-6a1f-4b43-8f0e-8d1b0b7a4c11")
}

fn call_with(connection_id: &str) -> Option<u32> {
    u32::from_str_radix(connection_id.get(..8)?, 16).ok()
}

impl Acs {
    pub fn new(now: u64) -> io::Result<Self> {
        let listener = TcpListener::bind((HERE, 0))?;
        listener.set_nonblocking(true)?;
        // Free a moment ago; nobody else wants it now.
        let doors = TcpListener::bind((HERE, 0))?.local_addr()?;
        let (bearer, keys) = token::for_one_run(AUDIENCE);
        Ok(Self {
            listener,
            doors,
            bearer,
            keys: keys.to_string(),
            service: Vec::new(),
            couriers: (0..COURIERS).map(|_| Courier::default()).collect(),
            posts: VecDeque::new(),
            calls: Vec::new(),
            wheel: Wheel::new(now),
            template: Template::new(),
            buffer: vec![0; 64 * 1_024],
            fresh: Vec::new(),
            hang_up_after: None,
            heard: Heard::default(),
        })
    }

    pub fn listener(&self) -> &TcpListener {
        &self.listener
    }

    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    pub fn doors(&self) -> SocketAddr {
        self.doors
    }

    pub fn answered_at(&self, call: u32) -> Option<u64> {
        self.calls.get(call as usize)?.answered_at
    }

    pub fn census(&self) -> Census {
        let mut census = Census::default();
        for call in &self.calls {
            census.answered += usize::from(call.answered_at.is_some());
            census.talking += usize::from(call.state == State::Talking);
            census.leaving += usize::from(call.state == State::Leaving);
        }
        census
    }

    /// Calls that talk at the moment.
    pub fn talking(&self) -> Vec<u32> {
        let talking = self.calls.iter().zip(0..).filter(|(call, _)| call.state == State::Talking);
        talking.map(|(_, call)| call).collect()
    }

    /// A descriptor is ready.
    pub fn handle(&mut self, kind: u64, index: u32, now: u64, poll: &Poll) -> io::Result<()> {
        match kind {
            LISTENER => {
                while let Ok((stream, _)) = self.listener.accept() {
                    let connection = Connection::of(stream)?;
                    poll.add(&connection.stream, token(SERVICE, self.service.len()))?;
                    self.service.push(Some(connection));
                }
            }
            SERVICE => self.serve(index as usize),
            COURIER => self.read_courier(index as usize, now),
            _ => self.read_media(index, now),
        }
        self.settle(poll)
    }

    /// Let what was asked for meanwhile begin.
    fn settle(&mut self, poll: &Poll) -> io::Result<()> {
        for call in std::mem::take(&mut self.fresh) {
            let state = &mut self.calls[call as usize];
            let media = Media::open(self.doors, &state.media_path, &connection_id(call), &self.bearer)?;
            poll.add(&media.stream, token(MEDIA, call as usize))?;
            state.media = Some(media);
        }
        for index in 0..self.couriers.len() {
            if self.posts.is_empty() {
                break;
            }
            if self.couriers[index].post.is_none() {
                self.post(index, poll)?;
            }
        }
        Ok(())
    }

    fn post(&mut self, index: usize, poll: &Poll) -> io::Result<()> {
        let Some(post) = self.posts.pop_front() else { return Ok(()) };
        let courier = &mut self.couriers[index];
        let connection = match &mut courier.connection {
            Some(connection) => connection,
            empty => {
                let connection = Connection::open(self.doors)?;
                poll.add(&connection.stream, token(COURIER, index))?;
                empty.insert(connection)
            }
        };
        let path = &self.calls[post.call as usize].callback;
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: bench.example.org\r\nContent-Type: application/json\r\n\
             Authorization: Bearer {}\r\nContent-Length: {}\r\n\r\n{}",
            self.bearer,
            post.body.len(),
            post.body
        );
        // A connection that broke is noticed when it is read.
        http::send(&mut connection.stream, request.as_bytes());
        courier.post = Some(post);
        Ok(())
    }

    /// A request of the gateway.
    fn serve(&mut self, index: usize) {
        let Some(mut connection) = self.service[index].take() else { return };
        let open = connection.read(|stream, message| {
            let (status, body) = self.answer(&message);
            let answer = format!(
                "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            http::send(stream, answer.as_bytes());
        });
        if open {
            self.service[index] = Some(connection);
        }
    }

    fn answer(&mut self, message: &Message) -> (u16, String) {
        let mut words = message.start.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let path = target.split('?').next().unwrap_or_default();
        if path == KEYS {
            return (200, self.keys.clone());
        }
        let Some(rest) = path.strip_prefix("/calling/callConnections") else { return (404, "{}".to_owned()) };
        match (method, rest) {
            ("POST", "") => self.create(&message.body),
            (method, rest) => {
                let call = rest.strip_prefix('/').and_then(call_with);
                let ends = method == "DELETE" || rest.ends_with(":terminate");
                match call.filter(|call| (*call as usize) < self.calls.len()) {
                    Some(call) if ends => {
                        self.ended(call);
                        (204, String::new())
                    }
                    Some(call) if method == "GET" => (200, properties(call, "connected").to_string()),
                    Some(_) => (202, "{}".to_owned()),
                    None => {
                        (404, json!({"error": {"code": "8522", "message": "Call not found."}}).to_string())
                    }
                }
            }
        }
    }

    fn create(&mut self, body: &[u8]) -> (u16, String) {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let number = body["targets"][0]["phoneNumber"]["value"].as_str().unwrap_or_default();
        let Some(call) = call_of(number) else { return (400, "{}".to_owned()) };
        if self.calls.len() <= call as usize {
            self.calls.resize_with(call as usize + 1, Call::default);
        }
        let state = &mut self.calls[call as usize];
        if state.state == State::Idle {
            let path = |url: &Value| {
                let url = url.as_str().unwrap_or_default();
                url.splitn(4, '/').nth(3).map_or_else(|| "/".to_owned(), |path| format!("/{path}"))
            };
            state.callback = path(&body["callbackUri"]);
            state.media_path = path(&body["mediaStreamingOptions"]["transportUrl"]);
            state.state = State::Answering;
            self.fresh.push(call);
            self.tell(call, "CallConnected", json!({}));
        }
        (201, properties(call, "connecting").to_string())
    }

    fn tell(&mut self, call: u32, kind: &'static str, mut data: Value) {
        let id = connection_id(call);
        let source = format!("calling/callConnections/{id}");
        data["callConnectionId"] = json!(id);
        data["serverCallId"] = json!(id);
        data["correlationId"] = json!(id);
        data["version"] = json!("2026-03-12");
        data["resultInformation"] = json!({"code": 200, "subCode": 0, "message": ""});
        let event = json!([{
            "id": format!("{kind}-{call}"), "source": source, "subject": source, "specversion": "1.0", "data": data,
            "type": format!("Microsoft.Communication.{kind}"), "datacontenttype": "application/json",
            "time": "2026-11-21T16:31:49.3220776+00:00",
        }]);
        self.posts.push_back(Post { call, kind, body: event.to_string() });
    }

    fn read_courier(&mut self, index: usize, now: u64) {
        let courier = &mut self.couriers[index];
        let Some(connection) = &mut courier.connection else { return };
        let mut status = None;
        let open = connection.read(|_, message| status = message.start.split(' ').nth(1).map(str::to_owned));
        if !open {
            courier.connection = None;
        }
        if status.is_none() && open {
            return;
        }
        let Some(post) = courier.post.take() else { return };
        if status.as_deref() != Some("200") && post.kind == "CallConnected" {
            return self.gone(post.call);
        }
        match post.kind {
            "CallConnected" => {
                self.calls[post.call as usize].told = true;
                self.try_talking(post.call, now);
            }
            "CallDisconnected" => self.gone(post.call),
            _ => {}
        }
    }

    fn read_media(&mut self, call: u32, now: u64) {
        let Self { calls, buffer, heard, .. } = self;
        let Some(state) = calls.get_mut(call as usize) else { return };
        let Some(media) = &mut state.media else { return };
        let open = media.read(buffer, heard);
        if !open {
            state.media = None;
            self.wheel.remove(call, call);
        } else if state.state == State::Answering {
            self.try_talking(call, now);
        }
    }

    /// Once the audio is connected, and the gateway has taken our word that somebody picked up.
    fn try_talking(&mut self, call: u32, now: u64) {
        let state = &mut self.calls[call as usize];
        let connected = state.media.as_ref().is_some_and(|media| media.upgraded);
        if state.state == State::Answering && state.told && connected {
            state.state = State::Talking;
            state.answered_at = Some(now);
            state.hang_up_at = self.hang_up_after.map(|after| now + after);
            self.wheel.insert(call, call);
        }
    }

    /// Hang up.
    pub fn leave(&mut self, call: u32) {
        let state = &mut self.calls[call as usize];
        if state.state != State::Talking {
            return;
        }
        state.state = State::Leaving;
        state.media = None;
        self.wheel.remove(call, call);
        self.tell(call, "CallDisconnected", json!({}));
    }

    /// The gateway hung up.
    fn ended(&mut self, call: u32) {
        let state = &mut self.calls[call as usize];
        if matches!(state.state, State::Answering | State::Talking) {
            state.state = State::Leaving;
            state.media = None;
            self.wheel.remove(call, call);
            self.tell(call, "CallDisconnected", json!({}));
        }
    }

    fn gone(&mut self, call: u32) {
        let state = &mut self.calls[call as usize];
        state.state = State::Gone;
        state.media = None;
        self.wheel.remove(call, call);
    }

    /// The end of short calls, and posts that wait. To be called a few times a second.
    pub fn tick(&mut self, now: u64, poll: &Poll) {
        for call in 0..self.calls.len() as u32 {
            let state = &self.calls[call as usize];
            if state.state == State::Talking && state.hang_up_at.is_some_and(|at| now >= at) {
                self.leave(call);
            }
        }
        let _ = self.settle(poll);
    }

    /// Send the frames that are due.
    pub fn talk(&mut self, now: u64) {
        let Self { wheel, calls, heard, template, .. } = self;
        while let Some(due) = wheel.turn(now) {
            for call in due {
                let Some(media) = &mut calls[*call as usize].media else { continue };
                let sent = media.say(*call, template);
                heard.frames_sent += u64::from(sent && heard.covers(now));
            }
        }
    }

    /// How late the generator was since this was asked last.
    pub fn take_lateness(&mut self) -> Histogram {
        std::mem::take(&mut self.wheel.lateness)
    }
}

fn properties(call: u32, state: &str) -> Value {
    let id = connection_id(call);
    json!({"callConnectionId": id, "serverCallId": id, "correlationId": id, "callConnectionState": state})
}
