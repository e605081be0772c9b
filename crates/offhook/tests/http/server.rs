//! One offhook for one test, and an agent that talks to it.

use std::path::Path;
use std::time::Duration;

use offhook::app::App;
use offhook::config::{Config, Env, SpeechModel};
use offhook_speech::local;
use offhook_testkit::quiet::Quiet;
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

/// Test numbers of the sandbox.
pub const RECEPTIONIST: &str = "+14155550100";
pub const BUSY: &str = "+14155550101";
pub const NEVER_ANSWERS: &str = "+14155550102";
pub const HANGS_UP: &str = "+14155550109";

pub const TASK: &str = "Ask when they open on Saturday, and whether Dr. Miller is there.";

/// Nothing here takes this long unless it is broken.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Server {
    app: App,
    quiet: Quiet,
    http: reqwest::Client,
    dir: tempfile::TempDir,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The code of the envelope, which must be complete.
    #[track_caller]
    pub fn code(&self) -> String {
        let body = self.json();
        assert!(!self.status.is_success(), "{self:?}");
        assert!(body["error"]["message"].as_str().is_some_and(|message| message.len() > 5), "{body}");
        body["error"]["code"].as_str().expect("every error has a code").to_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

impl Server {
    pub async fn start() -> Self {
        Self::configured("").await
    }

    /// With further lines of configuration.
    pub async fn configured(text: &str) -> Self {
        Self::with(text, SpeechModel::Local(local::Config::tagged())).await
    }

    pub async fn with(text: &str, speech: SpeechModel) -> Self {
        let quiet = Quiet::install();
        offhook_sandbox::NUMBERS.iter().for_each(|number| quiet.never_number(number.number));
        offhook_sandbox::numbers::sentences().into_iter().for_each(|sentence| quiet.never_said(sentence));
        quiet.never_said(TASK);
        let dir = tempfile::tempdir().unwrap();
        let text = format!("listen = \"127.0.0.1:0\"\ndata_dir = {:?}\n{text}", dir.path());
        let mut config = Config::parse(&text, &Env::default()).unwrap();
        config.speech = speech;
        let app = App::start(config).await.unwrap();
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(PATIENCE);
        Self { app, quiet, http: http.build().unwrap(), dir }
    }

    /// Nothing private may have been logged.
    pub async fn stop(self) {
        self.app.shutdown().await;
        self.quiet.check();
    }

    pub fn app(&self) -> &App {
        &self.app
    }

    /// Where it keeps everything.
    pub fn data_dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn url(&self) -> String {
        self.app.url()
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(
            method,
            if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.url()) },
        )
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    pub fn post(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path)
    }

    /// Place a call without a key.
    pub async fn first_call(&self, to: &str) -> (String, Agent<'_>) {
        let answer = send(self.post("/call").json(&json!({ "to": to, "task": TASK }))).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let body = answer.json();
        let key = body["api_key"].as_str().expect("the first call mints a key").to_owned();
        (body["call_id"].as_str().unwrap().to_owned(), Agent { server: self, key })
    }
}

pub async fn send(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let bytes = response.bytes().await.unwrap().to_vec();
    assert!(headers.contains_key("x-request-id"), "every answer can be found in the log");
    Answer { status, headers, bytes }
}

/// Somebody with a key.
pub struct Agent<'a> {
    pub server: &'a Server,
    pub key: String,
}

impl Agent<'_> {
    pub async fn get(&self, path: &str) -> Answer {
        send(self.server.get(path).header("X-Api-Key", &self.key)).await
    }

    /// With a content type and no body, as known clients do it.
    pub async fn post(&self, path: &str) -> Answer {
        let request = self.server.post(path).header("X-Api-Key", &self.key);
        send(request.header("Content-Type", "application/json")).await
    }

    pub async fn place(&self, body: &Value) -> Answer {
        send(self.server.post("/call").header("X-Api-Key", &self.key).json(body)).await
    }

    /// The events of a call, up to and with the first of this code.
    pub async fn events_until(&self, id: &str, code: &str) -> Vec<Value> {
        let request = self.server.get(&format!("/call/{id}/events")).header("X-Api-Key", &self.key);
        let mut response = request.send().await.unwrap();
        let (mut text, mut events) = (String::new(), Vec::new());
        while let Some(chunk) = response.chunk().await.unwrap() {
            text.push_str(std::str::from_utf8(&chunk).unwrap());
            while let Some(end) = text.find('\n') {
                let line: String = text.drain(..=end).collect();
                let Some(data) = line.strip_prefix("data:") else { continue };
                let event: Value = serde_json::from_str(data).unwrap();
                let last = event["code"] == code;
                events.push(event);
                if last {
                    return events;
                }
            }
        }
        panic!("the stream ended without {code}: {events:#?}");
    }

    /// The call once it is over.
    pub async fn finalized(&self, id: &str) -> Value {
        self.events_until(id, "call.ended").await;
        let call = self.get(&format!("/call/{id}")).await.json();
        assert_eq!(call["lifecycle"], "finalized");
        let turns = call["transcript"].as_array().into_iter().flatten();
        turns.filter_map(|turn| turn["text"].as_str()).for_each(|text| self.server.quiet.never_said(text));
        self.server.quiet.never(&self.key);
        call
    }
}
