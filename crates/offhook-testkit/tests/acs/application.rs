//! An application of Communication Services that takes every callback and every media socket, and says what it is told
//! to say.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, to_bytes};
use futures_util::{SinkExt as _, StreamExt as _};
use hyper::Response;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use offhook_testkit::acs::FakeAcs;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, watch};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response as Upgrade};

/// Where the application is found.
pub const HOST: &str = "voice.example.org";
pub const BASE: &str = "https://voice.example.org";

/// What came in.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// Names of events, in order, with their ids.
    pub events: Vec<(String, String)>,
    pub bodies: Vec<Value>,
    /// The header that came with each POST.
    pub bearers: Vec<String>,
    pub grid: Vec<Value>,
    /// What came over media sockets.
    pub frames: Vec<Value>,
    pub upgrades: Vec<(String, String)>,
}

pub struct Application {
    heard: watch::Sender<Heard>,
    say: broadcast::Sender<Message>,
    tasks: Arc<Mutex<tokio::task::JoinSet<()>>>,
}

impl Application {
    pub async fn start(acs: &FakeAcs) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        acs.reach(HOST, address);
        let this = Arc::new(Self {
            heard: watch::channel(Heard::default()).0,
            say: broadcast::channel(64).0,
            tasks: Arc::default(),
        });
        let serving = Arc::clone(&this);
        this.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serving.spawn(Arc::clone(&serving).serve(stream));
            }
        });
        this
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).spawn(task);
    }

    pub fn heard(&self) -> Heard {
        self.heard.borrow().clone()
    }

    /// Names of the events so far.
    pub fn told(&self) -> Vec<String> {
        self.heard.borrow().events.iter().map(|(kind, _)| kind.clone()).collect()
    }

    pub async fn until(&self, what: &str, is_so: impl FnMut(&Heard) -> bool) -> Heard {
        let mut heard = self.heard.subscribe();
        let seen = tokio::time::timeout(std::time::Duration::from_secs(20), heard.wait_for(is_so)).await;
        seen.unwrap_or_else(|_| panic!("waited in vain: {what}; {:?}", self.told())).unwrap().clone()
    }

    /// Send this on every media socket.
    pub fn say(&self, text: &str) {
        self.say.send(Message::text(text)).unwrap();
    }

    /// Close every media socket.
    pub fn close_media(&self) {
        self.say.send(Message::Close(None)).unwrap();
    }

    async fn serve(self: Arc<Self>, stream: TcpStream) {
        let mut start = [0; 4];
        while stream.peek(&mut start).await.is_ok_and(|read| read < 4) {}
        if &start == b"GET " {
            return self.media(stream).await;
        }
        let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            let this = Arc::clone(&self);
            async move { Ok::<_, std::convert::Infallible>(this.post(request).await) }
        });
        let _ =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    }

    async fn post(&self, request: hyper::Request<hyper::body::Incoming>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let body = to_bytes(Body::new(body), 1 << 20).await.unwrap();
        let events: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(head.headers["host"], HOST);
        if head.headers.get("aeg-event-type").is_some_and(|kind| kind == "SubscriptionValidation") {
            let code = &events[0]["data"]["validationCode"];
            return Response::new(Body::from(serde_json::json!({"validationResponse": code}).to_string()));
        }
        self.heard.send_modify(|heard| {
            if head.uri.path() == "/incoming" {
                heard.grid.push(events.clone());
                return;
            }
            let bearer = head.headers["authorization"].to_str().unwrap().trim_start_matches("Bearer ");
            heard.bearers.push(bearer.to_owned());
            for event in events.as_array().unwrap() {
                let text = |field: &str| event[field].as_str().unwrap().to_owned();
                let kind = text("type").trim_start_matches("Microsoft.Communication.").to_owned();
                heard.events.push((kind, text("id")));
                heard.bodies.push(event.clone());
            }
        });
        Response::new(Body::empty())
    }

    async fn media(self: Arc<Self>, stream: TcpStream) {
        let mut say = self.say.subscribe();
        #[expect(clippy::result_large_err, reason = "the library's callback has this shape")]
        let admit = |request: &Request, response: Upgrade| {
            let text = |name: &str| request.headers()[name].to_str().unwrap().to_owned();
            let bearer = text("authorization").trim_start_matches("Bearer ").to_owned();
            self.heard.send_modify(|heard| heard.upgrades.push((text("x-ms-call-connection-id"), bearer)));
            Ok(response)
        };
        let mut socket = tokio_tungstenite::accept_hdr_async(stream, admit).await.unwrap();
        loop {
            tokio::select! {
                message = socket.next() => match message {
                    Some(Ok(Message::Text(text))) => {
                        let frame = serde_json::from_str(&text).unwrap();
                        self.heard.send_modify(|heard| heard.frames.push(frame));
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return,
                },
                said = say.recv() => match said {
                    Ok(message) => drop(socket.send(message).await),
                    Err(_) => return,
                },
            }
        }
    }
}
