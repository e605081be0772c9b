//! The media socket, which the service opens: 20 ms of what the phones say for every 20 ms that pass, and whatever the
//! application wants them to hear.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{self, Message, Utf8Bytes};
use uuid::Uuid;

use super::call::{Call, MediaSocket, Stage, rate};
use super::event::{Event, Outcome};
use super::life;
use super::service::Shared;

/// The token of a media socket is good for this long.
const MEDIA_TOKEN_S: i64 = 24 * 3_600;
const FRAME: Duration = Duration::from_millis(20);
/// The service says: data packets of 64 KB.
const MOST_BYTES: usize = 64 * 1024;
/// Between the loss of a socket and the next attempt.
const RECONNECTS_AFTER: Duration = Duration::from_millis(100);
const ORDERS: usize = 32;

/// What a test or the call wants of the socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Say goodbye and be gone.
    Close,
    /// The connection breaks, and is made again.
    Break,
    /// Any text.
    Text(String),
    Binary(Vec<u8>),
    /// Stop reading and writing for so long.
    Stall(Duration),
}

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub(super) enum MediaError {
    #[error("nothing is known of where {0} leads")]
    NoRoute(String),
    #[error("no connection: {0}")]
    Connect(#[from] std::io::Error),
    #[error("no WebSocket: {0}")]
    Refused(#[from] Box<tungstenite::Error>),
}

type Socket = WebSocketStream<TcpStream>;

/// Connect, and go on in a task of its own.
pub(super) async fn open(shared: &Arc<Shared>, call: usize) -> Result<(), MediaError> {
    let (number, options, connection_id, correlation_id) = shared.change(|world| {
        let seen = &mut world.calls[call].seen;
        seen.sockets.push(MediaSocket {
            began_at: Instant::now(),
            opened_at: None,
            closed_at: None,
            refused: None,
            closed_by_application: false,
        });
        let ids = (seen.connection_id.clone(), seen.correlation_id.clone());
        (seen.sockets.len() - 1, seen.media_options.clone(), ids.0, ids.1)
    });
    let url = options["transportUrl"].as_str().unwrap_or_default();
    let result = connect(shared, url, &connection_id, &correlation_id).await;
    let mut socket = match result {
        Ok(socket) => socket,
        Err(error) => {
            let status = refusal(&error);
            shared.change(|world| {
                let socket = &mut world.calls[call].seen.sockets[number];
                (socket.refused, socket.closed_at) = (status, Some(Instant::now()));
            });
            return Err(error);
        }
    };
    let rate = rate(&options);
    let metadata = format!(
        r#"{{"kind":"AudioMetadata","audioMetadata":{{"subscriptionId":"{}","encoding":"PCM","sampleRate":{rate},"channels":1,"length":{}}}}}"#,
        Uuid::new_v4(),
        rate / 50 * 2
    );
    socket.send(Message::text(metadata)).await.map_err(Box::new)?;
    let (orders, rx) = mpsc::channel(ORDERS);
    let ended = shared.change(|world| {
        let call = &mut world.calls[call];
        call.seen.sockets[number].opened_at = Some(Instant::now());
        call.media = Some(orders);
        call.seen.stage == Stage::Ended
    });
    if ended {
        life::order(shared, call, Order::Close);
    }
    let running = Running { shared: Arc::clone(shared), call, number, rate, orders: rx };
    shared.spawn(running.run(socket));
    Ok(())
}

async fn connect(
    shared: &Shared,
    url: &str,
    connection: &str,
    correlation: &str,
) -> Result<Socket, MediaError> {
    let (address, host, path) = shared.route(url).ok_or_else(|| MediaError::NoRoute(url.to_owned()))?;
    let mut request = format!("ws://{host}{path}").into_client_request().map_err(Box::new)?;
    let bearer = shared.token(MEDIA_TOKEN_S, |_| ());
    for (name, value) in [
        ("authorization", format!("Bearer {bearer}")),
        ("x-ms-call-connection-id", connection.to_owned()),
        ("x-ms-call-correlation-id", correlation.to_owned()),
    ] {
        let value = value.parse().expect("ids and tokens are good in a header");
        request.headers_mut().insert(name, value);
    }
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (socket, _) = tokio_tungstenite::client_async(request, stream).await.map_err(Box::new)?;
    Ok(socket)
}

fn refusal(error: &MediaError) -> Option<u16> {
    match error {
        MediaError::Refused(error) => match &**error {
            tungstenite::Error::Http(response) => Some(response.status().as_u16()),
            _ => None,
        },
        _ => None,
    }
}

/// An open socket.
struct Running {
    shared: Arc<Shared>,
    call: usize,
    number: usize,
    rate: u32,
    orders: mpsc::Receiver<Order>,
}

/// How it came to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Closed,
    Broken,
    /// Not by us.
    Lost,
}

impl Running {
    async fn run(mut self, socket: Socket) {
        let end = self.stream(socket).await;
        let live = self.shared.change(|world| {
            let call = &mut world.calls[self.call];
            let socket = &mut call.seen.sockets[self.number];
            socket.closed_at = Some(Instant::now());
            socket.closed_by_application = end == End::Lost;
            call.seen.stage == Stage::Connected && !call.left
        });
        if live && end != End::Closed {
            self.reconnect().await;
        }
    }

    async fn reconnect(self) {
        let interrupted = Outcome::new(400, 8_603, "The media stream was interrupted.");
        let interrupted = Event::media("MediaStreamingFailed", interrupted, "streamConnectionInterrupted");
        life::tell(&self.shared, self.call, vec![interrupted]);
        tokio::time::sleep(RECONNECTS_AFTER).await;
        let shared = Arc::clone(&self.shared);
        if shared.with(|world| world.calls[self.call].seen.stage) == Stage::Connected {
            shared.spawn(life::restart_media(Arc::clone(&shared), self.call));
        }
    }

    async fn stream(&mut self, mut socket: Socket) -> End {
        let mut beat = interval(FRAME);
        // A late frame is made up for, as a stream of the network's clock does.
        beat.set_missed_tick_behavior(MissedTickBehavior::Burst);
        loop {
            tokio::select! {
                biased;
                order = self.orders.recv() => match order {
                    Some(Order::Close) | None => {
                        let _ = socket.close(None).await;
                        return End::Closed;
                    }
                    Some(Order::Break) => return End::Broken,
                    Some(Order::Text(text)) => {
                        if socket.send(Message::text(text)).await.is_err() {
                            return End::Lost;
                        }
                    }
                    Some(Order::Binary(bytes)) => {
                        if socket.send(Message::binary(bytes)).await.is_err() {
                            return End::Lost;
                        }
                    }
                    Some(Order::Stall(time)) => tokio::time::sleep(time).await,
                },
                message = socket.next() => match message {
                    Some(Ok(Message::Text(text))) => self.take(&text),
                    Some(Ok(Message::Binary(_))) => self.violation("a binary message on the media socket"),
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return End::Lost,
                    Some(Ok(_)) => {}
                },
                _ = beat.tick() => {
                    let frame = self.frame();
                    if socket.send(Message::Text(frame)).await.is_err() {
                        return End::Lost;
                    }
                }
            }
        }
    }

    /// What all phones say in these 20 ms.
    fn frame(&self) -> Utf8Bytes {
        let count = (self.rate / 50) as usize;
        let samples = self.shared.with(|world| mixed(&mut world.calls[self.call], count));
        // Whoever waits until all is said looks again.
        self.shared.change(|_| ());
        let silent = samples.is_none();
        let samples = samples.unwrap_or_else(|| vec![0; count]);
        let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let stamp = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
        // In the order in which the service writes them.
        Utf8Bytes::from(format!(
            r#"{{"kind":"AudioData","audioData":{{"timestamp":"{stamp}","data":"{}","silent":{silent}}}}}"#,
            STANDARD.encode(bytes)
        ))
    }

    fn violation(&self, what: &str) {
        self.shared.change(|world| world.violation(what.to_owned()));
    }

    /// A message of the application, in any casing.
    fn take(&self, text: &str) {
        let Ok(message) = serde_json::from_str::<Value>(text) else {
            return self.violation("a message that is no JSON on the media socket");
        };
        let at = Instant::now();
        let kind = field(&message, "kind").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
        match kind.as_str() {
            "stopaudio" => self.shared.change(|world| world.calls[self.call].seen.sound.stop(at)),
            "audiodata" => match audio(&message) {
                Ok(samples) => {
                    self.shared.change(|world| world.calls[self.call].seen.sound.play(at, samples))
                }
                Err(why) => self.violation(why),
            },
            other => self.violation(&format!("a message of kind {other:?} on the media socket")),
        }
    }
}

fn field<'a>(message: &'a Value, name: &str) -> Option<&'a Value> {
    message.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn audio(message: &Value) -> Result<Vec<i16>, &'static str> {
    let data = field(message, "audiodata").and_then(|audio| field(audio, "data")).and_then(Value::as_str);
    let bytes = data.and_then(|data| STANDARD.decode(data).ok()).ok_or("audio that is no base64")?;
    match bytes.len() {
        0 => Err("audio without a sample"),
        len if len % 2 == 1 => Err("audio with half a sample"),
        len if len > MOST_BYTES => Err("more audio than fits in a packet"),
        _ => Ok(bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()),
    }
}

/// Nothing when nobody speaks.
fn mixed(call: &mut Call, count: usize) -> Option<Vec<i16>> {
    let speaks = |queue: &&mut VecDeque<i16>| !queue.is_empty();
    let mut mixed: Option<Vec<i16>> = None;
    for queue in call.saying.iter_mut().filter(speaks) {
        let mixed = mixed.get_or_insert_with(|| vec![0; count]);
        let len = count.min(queue.len());
        for (sum, sample) in mixed.iter_mut().zip(queue.drain(..len)) {
            *sum = sum.saturating_add(sample);
        }
    }
    if mixed.is_some() && !call.speaks {
        call.seen.spoke_at.push(Instant::now());
    }
    call.speaks = mixed.is_some();
    mixed
}
