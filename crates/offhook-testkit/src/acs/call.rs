//! What the service knows of one call, and what a test sees of it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::callee::Delivery;
use super::courier::Post;
use super::media::Order;
use super::sound::Sound;

/// The open record of a call.
#[derive(Clone, Debug)]
pub struct Seen {
    pub connection_id: String,
    pub server_call_id: String,
    pub correlation_id: String,
    pub direction: Direction,
    /// Who calls, and who is called.
    pub from: String,
    pub to: String,
    pub stage: Stage,
    /// What became of an incoming call.
    pub offer: Offer,
    /// Of the API that the application uses.
    pub version: String,
    pub callback_uri: String,
    pub operation_context: Option<String>,
    /// As they were sent.
    pub media_options: Value,
    /// The phones in the call, the first of them its own.
    pub phones: Vec<String>,
    /// What `sendDtmfTones` pressed: digits, `*` and `#`.
    pub digits: String,
    pub delivered: Vec<Delivered>,
    pub sockets: Vec<MediaSocket>,
    pub sound: Sound,
    /// When somebody began to speak after a silence: when the first frame of it was sent.
    pub spoke_at: Vec<Instant>,
    pub answered_at: Option<Instant>,
    pub ended_at: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Outbound,
    Inbound,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Ringing,
    Connected,
    Ended,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offer {
    /// Nobody decided yet, or there is nothing to decide.
    Open,
    Answered,
    Rejected(String),
    Redirected(String),
}

/// One POST with events.
#[derive(Clone, Debug)]
pub struct Delivered {
    /// Names of the events, without `Microsoft.Communication.`
    pub kinds: Vec<String>,
    pub url: String,
    pub body: String,
    /// The token it came with.
    pub bearer: Option<String>,
    /// The status of the answer; nothing when there was none.
    pub status: Option<u16>,
    pub took: Duration,
}

/// One attempt to open the media socket.
#[derive(Clone, Debug)]
pub struct MediaSocket {
    pub began_at: Instant,
    pub opened_at: Option<Instant>,
    pub closed_at: Option<Instant>,
    /// The status that refused it.
    pub refused: Option<u16>,
    /// The far side closed it.
    pub closed_by_application: bool,
}

impl Seen {
    pub fn rate(&self) -> u32 {
        rate(&self.media_options)
    }

    /// The names of all events that were told, in order.
    pub fn told(&self) -> Vec<&str> {
        self.delivered.iter().flat_map(|post| &post.kinds).map(String::as_str).collect()
    }

    /// Media sockets that are open now.
    pub fn open_sockets(&self) -> usize {
        self.sockets.iter().filter(|socket| socket.opened_at.is_some() && socket.closed_at.is_none()).count()
    }

    pub(super) fn properties(&self) -> Value {
        let state = match self.stage {
            Stage::Ringing => "connecting",
            Stage::Connected => "connected",
            Stage::Ended => "disconnected",
        };
        let (targets, source) = match self.direction {
            Direction::Outbound => (vec![phone(&self.to)], &self.from),
            Direction::Inbound => (vec![phone(&self.to)], &self.from),
        };
        let mut properties = json!({
            "callConnectionId": self.connection_id,
            "serverCallId": self.server_call_id,
            "correlationId": self.correlation_id,
            "callConnectionState": state,
            "targets": targets,
            "sourceCallerIdNumber": {"value": source},
            "callbackUri": self.callback_uri,
        });
        if self.direction == Direction::Inbound {
            properties["source"] = phone(source);
            properties["answeredFor"] = json!({"value": self.to});
        }
        if self.media_options.is_object() {
            let state = if self.open_sockets() > 0 { "active" } else { "inactive" };
            properties["mediaStreamingSubscription"] = json!({
                "id": self.server_call_id, "state": state, "subscribedContentTypes": ["audio"],
            });
        }
        properties
    }
}

pub(super) fn rate(media_options: &Value) -> u32 {
    let format = media_options["audioFormat"].as_str().unwrap_or_default().to_ascii_lowercase();
    if format == "pcm24kmono" { 24_000 } else { 16_000 }
}

/// A telephone number as the service names it in what it sends.
pub(super) fn phone(number: &str) -> Value {
    json!({"kind": "phoneNumber", "rawId": format!("4:{number}"), "phoneNumber": {"value": number}})
}

/// Everything of a call.
#[derive(Debug)]
pub(super) struct Call {
    pub seen: Seen,
    pub delivery: Delivery,
    /// Of an incoming call: what answers it.
    pub incoming_context: Option<String>,
    /// What each phone is about to say, like `seen.phones`.
    pub saying: Vec<VecDeque<i16>>,
    /// Whether anybody spoke in the last frame.
    pub speaks: bool,
    pub courier: mpsc::Sender<Post>,
    pub media: Option<mpsc::Sender<Order>>,
    pub participants_sequence: u32,
    /// The application left, and the others go on without it.
    pub left: bool,
}

impl Call {
    pub fn new(direction: Direction, from: &str, to: &str, courier: mpsc::Sender<Post>) -> Self {
        let phone = if direction == Direction::Outbound { to } else { from };
        let seen = Seen {
            connection_id: Uuid::new_v4().to_string(),
            server_call_id: format!(
                "aHR0cHM6Ly9hcGkuZmxpZ2h0cHJveHkuc2t5cGUuY29t{}",
                Uuid::new_v4().simple()
            ),
            correlation_id: Uuid::new_v4().to_string(),
            direction,
            from: from.to_owned(),
            to: to.to_owned(),
            stage: Stage::Ringing,
            offer: Offer::Open,
            version: String::new(),
            callback_uri: String::new(),
            operation_context: None,
            media_options: Value::Null,
            phones: vec![phone.to_owned()],
            digits: String::new(),
            delivered: Vec::new(),
            sockets: Vec::new(),
            sound: Sound::new(24_000),
            spoke_at: Vec::new(),
            answered_at: None,
            ended_at: None,
        };
        Self {
            seen,
            delivery: Delivery::default(),
            incoming_context: None,
            saying: vec![VecDeque::new()],
            speaks: false,
            courier,
            media: None,
            participants_sequence: 0,
            left: false,
        }
    }

    /// What the request that made or answered it says.
    pub fn configure(&mut self, version: &str, body: &Value) {
        self.seen.version = version.to_owned();
        self.seen.callback_uri = body["callbackUri"].as_str().unwrap_or_default().to_owned();
        self.seen.operation_context = body["operationContext"].as_str().map(str::to_owned);
        self.seen.media_options = body["mediaStreamingOptions"].clone();
        self.seen.sound = Sound::new(rate(&self.seen.media_options));
    }

    /// Another phone joins.
    pub fn join(&mut self, number: &str) {
        self.seen.phones.push(number.to_owned());
        self.saying.push(VecDeque::new());
    }

    pub fn part(&mut self, number: &str) {
        if let Some(index) = self.seen.phones.iter().position(|phone| phone == number) {
            self.seen.phones.remove(index);
            self.saying.remove(index);
        }
    }

    pub fn participants(&self) -> Vec<Value> {
        let participant =
            |number: &String| json!({"identifier": phone(number), "isMuted": false, "isOnHold": false});
        self.seen.phones.iter().map(participant).collect()
    }
}
