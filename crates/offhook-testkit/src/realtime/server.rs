//! The socket side of the fake, and what a test sees of it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, broadcast};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderMap, StatusCode};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::conversation::{Conversation, Out, Supply};
use super::script::Script;

/// A Realtime server on 127.0.0.1 that does what its script says until it is dropped.
#[derive(Debug)]
pub struct FakeRealtime {
    address: SocketAddr,
    shared: Arc<Shared>,
    listening: JoinHandle<()>,
}

/// An event a client sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// Counts from 1.
    pub connection: u64,
    pub event: Value,
    pub at: Instant,
}

#[derive(Debug)]
struct Shared {
    script: Script,
    supply: Supply,
    connections: AtomicU64,
    open: AtomicU64,
    refusals: AtomicU64,
    recorded: Mutex<Vec<Recorded>>,
    speech_started: Mutex<Vec<Instant>>,
    changed: Notify,
    orders: broadcast::Sender<Order>,
}

#[derive(Clone, Debug)]
enum Order {
    Break,
    Expire,
    Nonsense,
    Error { code: String, message: String },
}

const NONSENSE: &str =
    r#"{"type":"response.output_audio.delta","response_id":"r","item_id":"i","delta":"!"}"#;

/// How long [`FakeRealtime::wait_for`] waits before a test has failed.
const PATIENCE: Duration = Duration::from_secs(10);

impl FakeRealtime {
    pub async fn start(script: Script) -> Self {
        let listener =
            TcpListener::bind("127.0.0.1:0").await.expect("the loopback interface has a free port");
        Self::serve(listener, script)
    }

    pub fn serve(listener: TcpListener, script: Script) -> Self {
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            script,
            supply: Supply::default(),
            connections: AtomicU64::new(0),
            open: AtomicU64::new(0),
            refusals: AtomicU64::new(0),
            recorded: Mutex::default(),
            speech_started: Mutex::default(),
            changed: Notify::new(),
            orders: broadcast::channel(16).0,
        });
        let listening = tokio::spawn(listen(listener, Arc::clone(&shared)));
        Self { address, shared, listening }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What to configure as the base URL.
    pub fn url(&self) -> String {
        format!("ws://{}/v1", self.address)
    }

    /// How many connections got as far as a session.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// How many sessions are open now.
    pub fn open_sessions(&self) -> u64 {
        self.shared.open.load(Ordering::Relaxed)
    }

    /// Until every session is closed. Panics when one is not in time.
    pub async fn until_closed(&self) {
        let closed = async {
            loop {
                let changed = self.shared.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if self.open_sessions() == 0 {
                    return;
                }
                changed.await;
            }
        };
        let closed = tokio::time::timeout(PATIENCE, closed).await;
        assert!(closed.is_ok(), "{} sessions are still open", self.open_sessions());
    }

    /// Every event so far, over all connections, in the order of arrival.
    pub fn recorded(&self) -> Vec<Recorded> {
        self.shared.recorded().clone()
    }

    /// When clients were told that the remote began to speak, each time.
    pub fn speech_started(&self) -> Vec<Instant> {
        self.shared.speech_started.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The events of one type, over all connections.
    pub fn events(&self, kind: &str) -> Vec<Value> {
        let recorded = self.shared.recorded();
        let of_kind = recorded.iter().filter(|recorded| recorded.event["type"] == kind);
        of_kind.map(|recorded| recorded.event.clone()).collect()
    }

    /// Until the record satisfies `condition`. Panics when it does not in time, with the types recorded.
    pub async fn wait_for(&self, what: &str, condition: impl Fn(&[Recorded]) -> bool) {
        let wait = async {
            loop {
                let changed = self.shared.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if condition(&self.shared.recorded()) {
                    return;
                }
                changed.await;
            }
        };
        if tokio::time::timeout(PATIENCE, wait).await.is_err() {
            let mut kinds: Vec<String> =
                self.recorded().iter().map(|recorded| recorded.event["type"].to_string()).collect();
            kinds.dedup();
            panic!("the client never sent {what}; it sent {kinds:?}");
        }
    }

    /// Break every connection there is.
    pub fn break_connections(&self) {
        let _ = self.shared.orders.send(Order::Break);
    }

    /// Declare every session expired, as after 60 minutes.
    pub fn expire_sessions(&self) {
        let _ = self.shared.orders.send(Order::Expire);
    }

    /// Send every client audio that is none.
    pub fn send_nonsense(&self) {
        let _ = self.shared.orders.send(Order::Nonsense);
    }

    /// Tell every client of an error that ends nothing.
    pub fn send_error(&self, code: &str, message: &str) {
        let _ = self.shared.orders.send(Order::Error { code: code.to_owned(), message: message.to_owned() });
    }

    /// Answer the next `count` connection attempts with 503.
    pub fn refuse_connections(&self, count: u64) {
        self.shared.refusals.store(count, Ordering::Relaxed);
    }
}

impl Drop for FakeRealtime {
    fn drop(&mut self) {
        self.listening.abort();
        self.break_connections();
    }
}

impl Shared {
    fn recorded(&self) -> MutexGuard<'_, Vec<Recorded>> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, connection: u64, event: Value) {
        self.recorded().push(Recorded { connection, event, at: Instant::now() });
        self.changed.notify_waiters();
    }
}

/// Counts a session while it is open.
struct Open<'a>(&'a Shared);

impl<'a> Open<'a> {
    fn new(shared: &'a Shared) -> Self {
        shared.open.fetch_add(1, Ordering::Relaxed);
        Self(shared)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
        self.0.changed.notify_waiters();
    }
}

async fn listen(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            if let Err(error) = connection(stream, &shared).await {
                tracing::debug!(%error, "a connection to the fake speech server ended");
            }
        });
    }
}

type WsError = tokio_tungstenite::tungstenite::Error;

async fn connection(stream: TcpStream, shared: &Shared) -> Result<(), WsError> {
    stream.set_nodelay(true)?;
    // Subscribed before the handshake is over: an order meant for this connection must not get lost.
    let mut orders = shared.orders.subscribe();
    let mut model = String::new();
    #[expect(clippy::result_large_err, reason = "the library's callback has this shape")]
    let admit = |request: &Request, response: Response| match admission(request, shared) {
        Ok(name) => {
            model = name;
            Ok(response)
        }
        Err((status, message)) => Err(refusal(status, &message)),
    };
    let config = WebSocketConfig::default().read_buffer_size(8 * 1024);
    let mut socket = tokio_tungstenite::accept_hdr_async_with_config(stream, admit, Some(config)).await?;
    let number = shared.connections.fetch_add(1, Ordering::Relaxed) + 1;
    let _open = Open::new(shared);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let expires_at = (now + shared.script.expires_in).as_secs() as i64;
    let mut conversation = Conversation::new(&shared.script, &shared.supply, number, &model, expires_at);
    let mut next_piece_at = Instant::now();
    loop {
        if !write_all(&mut socket, &mut conversation, shared).await? {
            return Ok(());
        }
        tokio::select! {
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => {
                    let idle = conversation.running.is_none();
                    handle(&mut conversation, shared, number, &text);
                    if idle {
                        next_piece_at = Instant::now() + shared.script.pace;
                    }
                }
                Some(Ok(Message::Close(_))) | None => return Ok(()),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
            },
            () = tokio::time::sleep_until(next_piece_at), if conversation.running.is_some() => {
                next_piece_at += shared.script.pace;
                conversation.advance();
            }
            order = orders.recv() => match order {
                Ok(Order::Expire) => conversation.expire(),
                Ok(Order::Error { code, message }) => {
                    conversation.send("error", super::event::error(Some(&code), &message, None, None));
                }
                Ok(Order::Nonsense) => conversation.push(Out::Text(NONSENSE.to_owned())),
                Ok(Order::Break) | Err(_) => return Ok(()),
            },
        }
    }
}

fn handle(conversation: &mut Conversation<'_>, shared: &Shared, number: u64, text: &str) {
    if conversation.echo(text) {
        return;
    }
    match serde_json::from_str::<Value>(text) {
        Ok(event) => {
            conversation.handle(&event);
            if shared.script.record {
                shared.record(number, event);
            }
        }
        Err(error) => {
            let body = super::event::error(Some("invalid_json"), &error.to_string(), None, None);
            conversation.send("error", body);
        }
    }
}

/// Write all that waits with one flush; `false` when the connection is over.
async fn write_all(
    socket: &mut WebSocketStream<TcpStream>,
    conversation: &mut Conversation<'_>,
    shared: &Shared,
) -> Result<bool, WsError> {
    while let Some(out) = conversation.poll() {
        if let Out::Text(text) = &out
            && shared.script.record
            && text.contains("input_audio_buffer.speech_started")
        {
            shared.speech_started.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
        }
        match out {
            Out::Text(text) => socket.feed(Message::Text(Utf8Bytes::from(text))).await?,
            Out::Close(code, reason) => {
                let frame = CloseFrame { code: code.into(), reason: Utf8Bytes::from_static(reason) };
                socket.close(Some(frame)).await?;
                return Ok(false);
            }
            Out::Break => {
                socket.flush().await?;
                return Ok(false);
            }
        }
    }
    socket.flush().await?;
    Ok(true)
}

/// The model of the request, or why it is refused.
fn admission(request: &Request, shared: &Shared) -> Result<String, (StatusCode, String)> {
    if shared.refusals.try_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
        return Err((StatusCode::SERVICE_UNAVAILABLE, "The server is overloaded.".to_owned()));
    }
    let uri = request.uri();
    if !matches!(uri.path(), "/v1/realtime" | "/openai/v1/realtime") {
        return Err((StatusCode::NOT_FOUND, format!("There is nothing at {}.", uri.path())));
    }
    let parameter = |name: &str| {
        let query = uri.query().unwrap_or_default();
        query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
    };
    let azure = uri.path().starts_with("/openai");
    if azure && parameter("api-version").is_some() {
        return Err((StatusCode::UNAUTHORIZED, "api-version is not allowed on this path.".to_owned()));
    }
    if let Some(key) = &shared.script.key
        && shown_key(request.headers()) != Some(key)
    {
        return Err((StatusCode::UNAUTHORIZED, "Incorrect API key provided.".to_owned()));
    }
    parameter("model")
        .ok_or_else(|| (StatusCode::BAD_REQUEST, "You must provide a model parameter.".to_owned()))
}

fn shown_key(headers: &HeaderMap) -> Option<&str> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    text("authorization").and_then(|value| value.strip_prefix("Bearer ")).or_else(|| text("api-key"))
}

fn refusal(status: StatusCode, message: &str) -> ErrorResponse {
    let body = json!({"error": {"message": message, "type": "invalid_request_error", "code": null}});
    let mut response = ErrorResponse::new(Some(body.to_string()));
    *response.status_mut() = status;
    response
}
