//! The server's HTTP API as the commands use it.

use std::sync::OnceLock;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::state::State;
use super::{Context, Failure};

#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    state: State,
    /// Minted by this very command; good even when it could not be saved.
    minted: OnceLock<String>,
}

/// How long an answer may take; a stream of events takes as long as its call.
const PATIENCE: Duration = Duration::from_secs(30);

impl Client {
    pub fn new(context: &Context) -> Result<Self, Failure> {
        crate::app::install_crypto();
        let url = server_url(context)?;
        let http = reqwest::Client::builder().connect_timeout(Duration::from_secs(10)).build();
        let http = http.map_err(|error| Failure::Failed(error.to_string()))?;
        Ok(Self { http, url, state: State::load(&context.env), minted: OnceLock::new() })
    }

    pub async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.json(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.json(self.request(Method::POST, path).json(body)).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.json(self.request(Method::PUT, path).json(body)).await
    }

    pub async fn delete(&self, path: &str) -> Result<Value, Failure> {
        self.json(self.request(Method::DELETE, path)).await
    }

    /// With what only the body should hold.
    pub async fn delete_with(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.json(self.request(Method::DELETE, path).json(body)).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.json(self.request(Method::PATCH, path).json(body)).await
    }

    /// What is done once, however often it is asked for with the same key.
    pub async fn post_once(
        &self,
        path: &str,
        body: &Value,
        idempotency_key: Option<&str>,
    ) -> Result<Value, Failure> {
        let request = self.request(Method::POST, path).json(body);
        self.json(match idempotency_key {
            Some(key) => request.header("Idempotency-Key", key),
            None => request,
        })
        .await
    }

    /// A response whose body is read as it comes.
    pub async fn stream(&self, path: &str) -> Result<reqwest::Response, Failure> {
        let response = self.send(self.request(Method::GET, path)).await?;
        if response.status().is_success() { Ok(response) } else { Err(self.refusal(response).await) }
    }

    /// Keep a key the server minted for us; a failure to do so must not lose the call.
    pub fn keep_key(&self, key: &str) {
        let _ = self.minted.set(key.to_owned());
        if let Err(error) = self.state.save_key(key) {
            eprintln!("offhook: the API key could not be saved ({error}); set OFFHOOK_API_KEY={key}");
        }
    }

    /// The state file of the agent this is for.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Where the server answers.
    pub fn url(&self) -> &str {
        &self.url
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        match self.key() {
            Some(key) => request.header("X-Api-Key", key),
            None => request,
        }
    }

    async fn json(&self, request: reqwest::RequestBuilder) -> Result<Value, Failure> {
        let response = self.send(request.timeout(PATIENCE)).await?;
        if !response.status().is_success() {
            return Err(self.refusal(response).await);
        }
        response
            .json()
            .await
            .map_err(|error| Failure::Failed(format!("the server's answer is no JSON: {error}")))
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response, Failure> {
        request.send().await.map_err(|error| {
            Failure::Unreachable(format!(
                "no offhook answers at {} ({}); start one with `offhook serve`, or set --url",
                self.url,
                root_cause(&error)
            ))
        })
    }

    fn key(&self) -> Option<String> {
        self.minted.get().cloned().or_else(|| self.state.key())
    }

    /// What the error envelope says, and what the user can open to get on, in a few lines.
    async fn refusal(&self, response: reqwest::Response) -> Failure {
        let status = response.status();
        let body: Value = response.json().await.unwrap_or_default();
        let error = &body["error"];
        let (code, message) = (error["code"].as_str(), error["message"].as_str());
        let mut text = match (code, message) {
            (Some("auth_required"), _) if self.key().is_none() => {
                "this needs an API key, and none is saved here (auth_required)".to_owned()
            }
            (Some(code), Some(message)) => format!("{message} ({code})"),
            _ => format!("the server answered {status}; is it an offhook?"),
        };
        if code == Some("invalid_api_key") && self.state.forget_key() {
            text.push_str(
                "\nThe saved key was removed; the next call gets a new one, where the server allows it.",
            );
        } else if let Some(link) =
            error["action"]["sign_in_url"].as_str().and(error["action"]["url"].as_str())
        {
            text.push_str(&format!("\nOpen {link}"));
        } else if status == StatusCode::UNAUTHORIZED {
            text.push_str("\nOn the machine of the server: export OFFHOOK_API_KEY=$(offhook key create)");
        }
        Failure::Refused { code: code.unwrap_or_default().to_owned(), text }
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

/// As the command says, or the variables, or the configuration.
pub fn server_url(context: &Context) -> Result<String, Failure> {
    if let Some(url) = &context.url {
        return Ok(url.clone());
    }
    if let Some(url) = context.env.get("CLAWCALL_BASE_URL") {
        return super::server_address(url).map_err(|why| Failure::Usage(format!("CLAWCALL_BASE_URL: {why}")));
    }
    let config = context.config()?;
    Ok(format!("http://{}", crate::doctor::reachable(config.listen)))
}
