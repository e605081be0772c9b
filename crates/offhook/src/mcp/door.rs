//! How the tools reach the API: through its own router inside a gateway, or over HTTP from a program beside the agent.
//! Both ways it is the same API, with its rules, its limits and its words for what went wrong.

use std::sync::OnceLock;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HOST, LOCATION};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use tokio::sync::Mutex;
use tower::ServiceExt as _;

use crate::cli::state::State;
use crate::gateway::KEY_PREFIX;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// An answer of the API is not longer: a list of calls with all that was said in them.
const ANSWER_LIMIT: usize = 32 * 1_024 * 1_024;

/// A request to the API. What is in it is private: no `Debug`.
pub struct Ask {
    pub method: Method,
    pub path: String,
    pub body: Option<Value>,
    pub idempotency_key: Option<String>,
}

impl Ask {
    pub fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), body: None, idempotency_key: None }
    }

    pub fn post(path: impl Into<String>, body: Value) -> Self {
        Self { method: Method::POST, body: Some(body), ..Self::get(path) }
    }

    pub fn patch(path: impl Into<String>, body: Value) -> Self {
        Self { method: Method::PATCH, ..Self::post(path, body) }
    }

    pub fn delete(path: impl Into<String>) -> Self {
        Self { method: Method::DELETE, ..Self::get(path) }
    }

    pub fn put(path: impl Into<String>, body: Value) -> Self {
        Self { method: Method::PUT, ..Self::post(path, body) }
    }
}

/// What the API answered, whether it is a success or not.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// Null where there was none, or none that is JSON.
    pub body: Value,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub fn location(&self) -> Option<&str> {
        self.header(LOCATION.as_str())
    }

    pub fn code(&self) -> Option<&str> {
        self.body["error"]["code"].as_str()
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    #[error(
        "no offhook answers at {url} ({why}). Start one with `offhook serve`, or name it with OFFHOOK_URL. \
         Where a call was being placed it may exist all the same: look with list_calls before placing it again"
    )]
    Unreachable { url: String, why: String },
    #[error("the answer could not be read: {0}")]
    Unreadable(String),
}

/// One way to the API, for one caller.
#[derive(Debug)]
pub enum Door<'a> {
    Here(Here),
    There(&'a There),
}

impl Door<'_> {
    pub async fn ask(&self, ask: Ask) -> Result<Answer, DoorError> {
        match self {
            Self::Here(here) => here.ask(ask).await,
            Self::There(there) => there.ask(ask).await,
        }
    }

    /// Where the person behind an agent links its key, and the key; `None` while there is none.
    pub fn linking(&self) -> Option<(String, String)> {
        match self {
            Self::Here(here) => {
                let key = here.key.as_ref()?.expose_secret();
                Some((here.public_url.clone(), key.to_owned()))
            }
            Self::There(there) => Some((there.front.clone(), there.key()?)),
        }
    }
}

/// Inside the gateway, for whoever sent a request to `/mcp`.
#[derive(Debug)]
pub struct Here {
    pub router: Router,
    pub key: Option<SecretString>,
    /// As the sender knows this server, for the links in answers.
    pub host: Option<HeaderValue>,
    pub public_url: String,
}

impl Here {
    async fn ask(&self, ask: Ask) -> Result<Answer, DoorError> {
        let unreadable = |error: &dyn std::fmt::Display| DoorError::Unreadable(error.to_string());
        let mut request = Request::builder().method(ask.method).uri(ask.path);
        if let Some(headers) = request.headers_mut() {
            headers.extend(self.host.clone().map(|host| (HOST, host)));
            let key = self.key.as_ref().and_then(|key| HeaderValue::from_str(key.expose_secret()).ok());
            headers.extend(key.map(|key| (API_KEY, key)));
            headers.extend(idempotency(ask.idempotency_key.as_deref()));
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let body = ask.body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let request = request.body(body).map_err(|error| unreadable(&error))?;
        let Ok(response) = self.router.clone().oneshot(request).await;
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, ANSWER_LIMIT).await.map_err(|error| unreadable(&error))?;
        let body = serde_json::from_slice(&bytes).unwrap_or_default();
        Ok(Answer { status: parts.status, headers: parts.headers, body })
    }
}

fn idempotency(key: Option<&str>) -> Option<(HeaderName, HeaderValue)> {
    let key = HeaderValue::from_str(key?).ok()?;
    Some((HeaderName::from_static("idempotency-key"), key))
}

/// A gateway elsewhere, with the key of the agent's state file.
#[derive(Debug)]
pub struct There {
    http: reqwest::Client,
    url: String,
    /// Where its pages for people are.
    front: String,
    state: State,
    /// Minted while this program runs and not to be saved: good until it ends.
    unsaved: OnceLock<SecretString>,
    /// Whoever has no key yet takes turns, so that two first calls get one key and not two.
    first: Mutex<()>,
}

impl There {
    /// `patience` is how long an answer may take.
    pub fn new(
        url: String,
        front: Option<String>,
        state: State,
        patience: Duration,
    ) -> Result<Self, reqwest::Error> {
        crate::app::install_crypto();
        let http = reqwest::Client::builder().timeout(patience).connect_timeout(patience);
        // Where a recording is, is all that is wanted of it.
        let http = http.redirect(reqwest::redirect::Policy::none()).build()?;
        let front = front.unwrap_or_else(|| url.clone()).trim_end_matches('/').to_owned();
        Ok(Self { http, url, front, state, unsaved: OnceLock::new(), first: Mutex::new(()) })
    }

    fn key(&self) -> Option<String> {
        self.state.key().or_else(|| self.unsaved.get().map(|key| key.expose_secret().to_owned()))
    }

    /// Keep a key that the user gave the agent.
    pub fn set_key(&self, key: &str) -> Result<(), String> {
        self.state.save_key(key).map_err(|error| error.to_string())
    }

    /// The user's own number.
    pub fn phone(&self) -> Option<String> {
        self.state.phone()
    }

    /// Keep it, or forget it.
    pub fn set_phone(&self, phone: Option<&str>) -> Result<(), String> {
        self.state.save_phone(phone).map_err(|error| error.to_string())
    }

    async fn ask(&self, ask: Ask) -> Result<Answer, DoorError> {
        let _turn = match self.key() {
            None => Some(self.first.lock().await),
            Some(_) => None,
        };
        let mut request = self.http.request(ask.method, format!("{}{}", self.url, ask.path));
        if let Some(key) = self.key() {
            request = request.header(API_KEY, key);
        }
        if let Some((name, value)) = idempotency(ask.idempotency_key.as_deref()) {
            request = request.header(name, value);
        }
        if let Some(body) = &ask.body {
            request = request.json(body);
        }
        let unreachable = |error: &reqwest::Error| {
            let (url, why) = (self.url.clone(), root_cause(error));
            DoorError::Unreachable { url, why }
        };
        let response = request.send().await.map_err(|error| unreachable(&error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.bytes().await.map_err(|error| unreachable(&error))?;
        let body = serde_json::from_slice(&bytes).unwrap_or_default();
        let mut answer = Answer { status, headers, body };
        self.keep(&mut answer);
        if answer.code() == Some("invalid_api_key") && self.state.forget_key() {
            tracing::warn!("the saved API key is not known there and was removed from the state file");
        }
        Ok(answer)
    }

    /// A minted key is saved before anything else is done with the call, and goes no further than this program.
    fn keep(&self, answer: &mut Answer) {
        let Some(minted) = answer.body.get_mut("api_key").map(Value::take) else { return };
        answer.body.as_object_mut().map(|body| body.remove("api_key"));
        let Some(key) = minted.as_str().filter(|key| key.starts_with(KEY_PREFIX)) else { return };
        if let Err(error) = self.state.save_key(key) {
            let _ = self.unsaved.set(key.to_owned().into());
            tracing::error!(%error, "the API key could not be saved; it is good until this program ends");
        }
    }
}

/// `error sending request` says nothing; what is behind it does.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
