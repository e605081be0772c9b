//! A receiver of webhooks: a real HTTP server that answers as it is told and remembers what it was sent.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Nothing here takes this long unless it is broken.
const PATIENCE: Duration = Duration::from_secs(40);

/// How a request is answered.
#[derive(Clone, Debug)]
pub enum Reply {
    Status(u16),
    /// Not at all.
    Never,
    Redirect(String),
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Received {
    pub path: String,
    pub headers: HashMap<String, String>,
    pub body: String,
}

impl Received {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub fn event(&self) -> String {
        self.json()["type"].as_str().unwrap().to_owned()
    }

    pub fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }

    /// For the script that verifies signatures.
    pub fn with_secret(&self, secret: &str) -> Value {
        json!({ "secret": secret, "headers": self.headers, "body": self.body })
    }
}

#[derive(Debug)]
struct Desk {
    first: Mutex<VecDeque<Reply>>,
    then: Mutex<Reply>,
    received: watch::Sender<Vec<Received>>,
}

pub struct Receiver {
    desk: Arc<Desk>,
    url: String,
}

impl Receiver {
    /// These answers, one for each request, then 200.
    pub async fn start(first: impl IntoIterator<Item = Reply>) -> Self {
        let desk = Arc::new(Desk {
            first: Mutex::new(first.into_iter().collect()),
            then: Mutex::new(Reply::Status(200)),
            received: watch::Sender::new(Vec::new()),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(take).with_state(Arc::clone(&desk));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { desk, url }
    }

    /// From now on, after the answers it was given for the first requests.
    pub fn answer(&self, reply: Reply) {
        *self.desk.then.lock().unwrap() = reply;
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    pub fn received(&self) -> Vec<Received> {
        self.desk.received.borrow().clone()
    }

    /// Everything up to now, once it is what is waited for.
    pub async fn until(&self, what: &str, enough: impl Fn(&[Received]) -> bool) -> Vec<Received> {
        let mut received = self.desk.received.subscribe();
        let waited = tokio::time::timeout(PATIENCE, received.wait_for(|received| enough(received))).await;
        waited.unwrap_or_else(|_| panic!("{what}: {:#?}", self.received())).unwrap().clone()
    }

    pub async fn until_event(&self, event: &str) -> Vec<Received> {
        self.until(event, |received| received.iter().any(|received| received.event() == event)).await
    }
}

async fn take(State(desk): State<Arc<Desk>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let text = |(name, value): (&axum::http::HeaderName, &axum::http::HeaderValue)| {
        (name.as_str().to_owned(), value.to_str().unwrap().to_owned())
    };
    let received = Received {
        path: uri.to_string(),
        headers: headers.iter().map(text).collect(),
        body: String::from_utf8(body.to_vec()).unwrap(),
    };
    let first = desk.first.lock().unwrap().pop_front();
    let reply = first.unwrap_or_else(|| desk.then.lock().unwrap().clone());
    desk.received.send_modify(|all| all.push(received));
    match reply {
        Reply::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Reply::Never => std::future::pending().await,
        Reply::Redirect(to) => (StatusCode::TEMPORARY_REDIRECT, [("location", to)]).into_response(),
    }
}
