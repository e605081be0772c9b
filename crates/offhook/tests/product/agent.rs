//! Whoever uses the API: places calls, follows them, reads what became of them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock};

use offhook_testkit::quiet::Quiet;
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use crate::rig::PATIENCE;

/// Where the API is.
pub struct Door {
    http: reqwest::Client,
    url: Mutex<String>,
    quiet: Quiet,
}

impl Door {
    pub fn new(url: String, quiet: Quiet) -> Self {
        let http =
            reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(PATIENCE * 2);
        Self { http: http.build().unwrap(), url: Mutex::new(url), quiet }
    }

    pub fn moved(&self, url: String) {
        *self.url.lock().unwrap() = url;
    }

    pub fn url(&self) -> String {
        self.url.lock().unwrap().clone()
    }

    /// A request without a key; `path` may be a whole address.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let whole = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.url()) };
        self.http.request(method, whole)
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    /// What was said in this call, and its key, must not be in the log.
    fn keep_private(&self, body: &Value) {
        let turns = body["transcript"].as_array().into_iter().flatten();
        let texts = turns.filter_map(|turn| turn["text"].as_str());
        texts
            .chain(body["api_key"].as_str())
            .chain(body["task"].as_str())
            .for_each(|text| self.quiet.never(text));
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
}

impl Answer {
    pub async fn to(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        Self { status, headers, bytes: response.bytes().await.unwrap().to_vec() }
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Status and code of the envelope.
    #[track_caller]
    pub fn error(&self) -> (u16, String) {
        let body = self.json();
        (
            self.status.as_u16(),
            body["error"]["code"].as_str().unwrap_or_else(|| panic!("no code in {body}")).to_owned(),
        )
    }
}

/// Somebody with a key, or about to get one.
#[derive(Clone)]
pub struct Agent {
    pub door: Arc<Door>,
    key: Arc<OnceLock<String>>,
}

impl Agent {
    pub fn new(door: Arc<Door>, key: Option<&str>) -> Self {
        let key = key.map_or_else(OnceLock::new, |key| OnceLock::from(key.to_owned()));
        Self { door, key: Arc::new(key) }
    }

    pub fn key(&self) -> Option<&str> {
        self.key.get().map(String::as_str)
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.door.request(method, path);
        match self.key() {
            Some(key) => request.header("X-Api-Key", key),
            None => request,
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::to(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str) -> Answer {
        Answer::to(self.request(Method::POST, path)).await
    }

    /// Ask for a call, whatever comes of it.
    pub async fn ask(&self, body: &Value) -> Answer {
        let answer = Answer::to(self.request(Method::POST, "/call").json(body)).await;
        if answer.status.is_success() {
            self.learn_key(&answer.json());
        }
        self.door.keep_private(body);
        answer
    }

    pub fn learn_key(&self, placed: &Value) {
        self.door.keep_private(placed);
        if let Some(key) = placed["api_key"].as_str() {
            let _ = self.key.set(key.to_owned());
        }
    }

    /// Place a call that must be accepted.
    pub async fn place(&self, body: &Value) -> Call {
        let answer = self.ask(body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        self.known(answer.json()["call_id"].as_str().unwrap())
    }

    pub async fn call(&self, to: &str) -> Call {
        self.place(&json!({ "to": to, "task": "Ask when they open on Sunday." })).await
    }

    pub fn known(&self, id: &str) -> Call {
        Call { agent: self.clone(), id: id.to_owned() }
    }
}

/// A call of somebody's.
#[derive(Clone)]
pub struct Call {
    pub agent: Agent,
    pub id: String,
}

impl Call {
    pub fn path(&self, rest: &str) -> String {
        format!("/call/{}{rest}", self.id)
    }

    pub async fn view(&self) -> Value {
        let answer = self.agent.get(&self.path("")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let view = answer.json();
        self.agent.door.keep_private(&view);
        view
    }

    pub async fn hang_up(&self) -> Value {
        let answer = self.agent.post(&self.path("/hangup")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// The event stream after this event.
    pub async fn events(&self, after: u64) -> Events {
        let mut request = self.agent.request(Method::GET, &self.path("/events"));
        if after > 0 {
            request = request.header("Last-Event-ID", after.to_string());
        }
        let response = request.send().await.unwrap();
        // 204: the call is over, and nothing is left to tell.
        assert!([200, 204].contains(&response.status().as_u16()), "{}", response.status());
        Events { response, text: String::new(), waiting: VecDeque::new() }
    }

    /// The events up to and with the first that fits.
    pub async fn until(&self, what: &str, fits: impl Fn(&Value) -> bool) -> Vec<Value> {
        self.events(0).await.until(what, fits).await
    }

    pub async fn until_code(&self, code: &str) -> Vec<Value> {
        self.until(code, |event| event["code"] == code).await
    }

    /// Every event of a call, which must end.
    pub async fn journal(&self) -> Vec<Value> {
        self.until_code("call.ended").await
    }

    /// The call once it is over.
    pub async fn over(&self) -> Value {
        self.journal().await;
        let view = self.view().await;
        assert_eq!(view["lifecycle"], "finalized", "{view}");
        view
    }

    /// The recording, through its signed link.
    pub async fn recording(&self) -> Vec<u8> {
        let found = self.agent.get(&self.path("/recording")).await;
        assert_eq!(found.status, 302, "{found:?}");
        let wav = Answer::to(self.agent.door.get(found.header("location").unwrap())).await;
        assert_eq!(wav.status, 200);
        wav.bytes
    }
}

/// An event stream as it comes.
pub struct Events {
    response: Response,
    text: String,
    waiting: VecDeque<Value>,
}

impl Events {
    /// The data of the next event; `None` at the end of the stream.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            let chunk = self.response.chunk().await.unwrap()?;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
            while let Some(end) = self.text.find("\n\n") {
                let block: String = self.text.drain(..end + 2).collect();
                let data = block.lines().find_map(|line| line.strip_prefix("data:"));
                self.waiting.extend(data.map(|data| serde_json::from_str::<Value>(data).unwrap()));
            }
        }
    }

    pub async fn until(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut events = Vec::new();
        let reading = async {
            while let Some(event) = self.next().await {
                let last = fits(&event);
                events.push(event);
                if last {
                    return true;
                }
            }
            false
        };
        let found = tokio::time::timeout(PATIENCE, reading).await;
        let told: Vec<String> = events.iter().map(ToString::to_string).collect();
        assert!(found.is_ok(), "{what} does not come: {told:#?}");
        assert!(found.is_ok_and(|found| found), "the stream ended without {what}: {told:#?}");
        events
    }
}
