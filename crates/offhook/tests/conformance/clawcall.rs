//! An agent written for ClawCall. It reads what the contract promises, by the contract's names, and polls.

use std::sync::Mutex;
use std::time::Duration;

use reqwest::header::{HeaderMap, LOCATION};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::rig::{PATIENCE, Rig};

/// Such agents poll every three seconds; here calls run faster.
const POLL: Duration = Duration::from_millis(100);

/// What an agent of the contract remembers.
pub struct ClawCall {
    http: reqwest::Client,
    base_url: String,
    key: Mutex<Option<String>>,
}

/// A success.
#[derive(Clone, Debug)]
pub struct Answered {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

/// Anything else, as clients of the contract keep it.
#[derive(Clone, Debug)]
pub struct Refused {
    pub status: u16,
    pub code: String,
    pub headers: Box<HeaderMap>,
    pub error: Value,
}

impl Answered {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

impl Refused {
    /// The rule of known clients: faults of the server, and 429 where it has an envelope.
    pub fn is_retryable(&self) -> bool {
        self.status >= 500 || self.status == 429
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub fn told(&self) -> (u16, &str) {
        (self.status, &self.code)
    }
}

/// A call that was polled to its end.
#[derive(Debug)]
pub struct Followed {
    /// Each lifecycle that was seen, once.
    pub lifecycles: Vec<String>,
    pub call: Value,
}

impl ClawCall {
    pub fn of(rig: &Rig) -> Self {
        Self::at(&rig.app.url(), None)
    }

    pub fn with_key(rig: &Rig, key: &str) -> Self {
        Self::at(&rig.app.url(), Some(key))
    }

    fn at(base_url: &str, key: Option<&str>) -> Self {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(PATIENCE);
        let key = Mutex::new(key.map(str::to_owned));
        Self { http: http.build().unwrap(), base_url: base_url.to_owned(), key }
    }

    pub fn key(&self) -> Option<String> {
        self.key.lock().unwrap().clone()
    }

    /// With a content type on everything, as known clients send it.
    pub async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answered, Refused> {
        let mut request = self.http.request(method, format!("{}{path}", self.base_url));
        request = request.header("Content-Type", "application/json");
        if let Some(key) = self.key() {
            request = request.header("X-Api-Key", key);
        }
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        judged(status, headers, &response.bytes().await.unwrap())
    }

    pub async fn get(&self, path: &str) -> Result<Answered, Refused> {
        self.ask(Method::GET, path, None).await
    }

    /// Place a call; the key is saved before anything else.
    pub async fn place(&self, wish: &Value) -> Result<String, Refused> {
        let placed = self.ask(Method::POST, "/call", Some(wish)).await?;
        assert_eq!((placed.status, &placed.body["status"]), (201, &json!("queued")), "{placed:?}");
        let minted = placed.body["api_key"].as_str();
        assert_eq!(placed.header("x-clawcall-api-key"), minted, "the key is in both places or in none");
        if let Some(key) = minted {
            assert!(self.key().is_none(), "with a valid key none is minted");
            assert!(key.starts_with("clawcall_sk_"), "clients refuse to save others");
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            assert!(key.bytes().all(fits), "clients redact by that pattern");
            *self.key.lock().unwrap() = Some(key.to_owned());
        }
        // Clients read `id` first.
        let id = placed.body["id"].as_str().or(placed.body["call_id"].as_str()).expect("the id of the call");
        Ok(id.to_owned())
    }

    pub async fn call(&self, to: &str) -> String {
        let wish = json!({ "to": to, "task": "Ask when they open on Sunday, for Mira Okafor." });
        self.place(&wish).await.unwrap_or_else(|refused| panic!("{refused:?}"))
    }

    pub async fn show(&self, id: &str) -> Value {
        self.get(&format!("/call/{id}")).await.unwrap_or_else(|refused| panic!("{refused:?}")).body
    }

    pub async fn hang_up(&self, id: &str) -> Value {
        let path = format!("/call/{id}/hangup");
        let answered = self.ask(Method::POST, &path, None).await.unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!((answered.status, &answered.body["success"]), (200, &json!(true)), "{answered:?}");
        assert_eq!(answered.body["call_id"], json!(id));
        answered.body
    }

    /// Where the recording is: a redirect that clients do not follow.
    pub async fn recording(&self, id: &str) -> Result<String, Refused> {
        let answered = self.get(&format!("/call/{id}/recording")).await?;
        assert_eq!(answered.status, 302, "clients take any other status for an error");
        Ok(answered.headers[LOCATION].to_str().unwrap().to_owned())
    }

    /// Poll until this is so; every view that was seen.
    pub async fn poll(&self, id: &str, until: impl Fn(&Value) -> bool) -> Followed {
        let mut every = tokio::time::interval(POLL);
        let mut lifecycles: Vec<String> = Vec::new();
        let polling = async {
            loop {
                every.tick().await;
                let call = self.show(id).await;
                let lifecycle = call["lifecycle"].as_str().expect("every call has one").to_owned();
                if lifecycles.last() != Some(&lifecycle) {
                    lifecycles.push(lifecycle);
                }
                if until(&call) {
                    return call;
                }
            }
        };
        let call = tokio::time::timeout(PATIENCE, polling).await;
        let call = call.unwrap_or_else(|_| panic!("call {id} does not get there"));
        Followed { lifecycles, call }
    }

    pub async fn finalized(&self, id: &str) -> Followed {
        self.poll(id, |call| call["lifecycle"] == "finalized").await
    }

    pub async fn until(&self, id: &str, lifecycle: &str) -> Value {
        let reached = ["queued", "dialing", "answered", "finalized"];
        let wanted = reached.iter().position(|known| *known == lifecycle).unwrap();
        let at = |call: &Value| reached.iter().position(|known| call["lifecycle"] == *known).unwrap();
        let call = self.poll(id, |call| at(call) >= wanted).await.call;
        assert_eq!(call["lifecycle"], lifecycle, "it went on before it was seen: {call}");
        call
    }
}

/// Every answer that is no success has the envelope; without it clients only know a status.
#[track_caller]
fn judged(status: StatusCode, headers: HeaderMap, bytes: &[u8]) -> Result<Answered, Refused> {
    if status.is_success() || status.is_redirection() {
        let body = serde_json::from_slice(bytes).unwrap_or_default();
        return Ok(Answered { status: status.as_u16(), headers, body });
    }
    let body: Value = serde_json::from_slice(bytes).unwrap_or_else(|error| panic!("{status}: {error}"));
    check_envelope(&headers, &body);
    let code = body["error"]["code"].as_str().unwrap().to_owned();
    Err(Refused { status: status.as_u16(), code, headers: headers.into(), error: body["error"].clone() })
}

/// Section 8 of the contract, and that the answer can be found in the log.
#[track_caller]
pub fn check_envelope(headers: &HeaderMap, body: &Value) {
    let error = &body["error"];
    assert!(error["code"].as_str().is_some_and(|code| !code.is_empty()), "{body}");
    assert!(error["message"].as_str().is_some_and(|message| message.len() > 5), "{body}");
    assert_eq!(headers.get("content-type").unwrap(), "application/json", "{body}");
    assert!(headers.contains_key("x-request-id"), "{body}");
    if let Some(action) = error.get("action") {
        for field in ["type", "url", "label", "description"] {
            assert!(action[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {body}");
        }
        assert!(action["url"].as_str().unwrap().starts_with("http"), "{body}");
    }
    if let Some(quota) = error.get("quota") {
        for field in ["used_seconds", "remaining_seconds", "limit_seconds"] {
            assert!(quota[field].is_u64(), "{field}: {body}");
        }
        assert!(["free", "paid"].contains(&quota["tier"].as_str().unwrap()), "{body}");
    }
}
