//! An agent behind an address of the user's: a JSON document is posted, the answer is text or JSON.

use std::fmt;

use reqwest::Client;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use serde_json::Value;
use uuid::Uuid;

use super::{AgentError, Request, body, refused, unreachable};
use crate::clock;
use crate::webhooks::sign;

/// Where to, and what shows that it is us.
#[derive(Clone)]
pub struct Endpoint {
    pub url: String,
    /// What requests are signed with, as webhooks are (Standard Webhooks).
    pub key: Option<Vec<u8>>,
    /// Their values are marked as sensitive.
    pub headers: HeaderMap,
}

/// Without address and key: either may be a secret.
impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("signed", &self.key.is_some()).finish_non_exhaustive()
    }
}

/// What an answer may be called in JSON.
const NAMES: [&str; 5] = ["answer", "text", "result", "output", "message"];

impl Endpoint {
    pub(super) async fn ask(
        &self,
        http: &Client,
        agent: &str,
        request: &Request,
    ) -> Result<String, AgentError> {
        let sent = request.json(agent).to_string();
        let mut ask =
            http.post(&self.url).headers(self.headers.clone()).header(CONTENT_TYPE, "application/json");
        if let Some(key) = &self.key {
            let (id, seconds) = (format!("agent-{}", Uuid::new_v4()), clock::now().unix_millis() / 1_000);
            let signature = sign::signature(key, &id, seconds, sent.as_bytes());
            ask = ask
                .header("webhook-id", id)
                .header("webhook-timestamp", seconds)
                .header("webhook-signature", signature);
        }
        let response = ask.body(sent).send().await.map_err(unreachable)?;
        if !response.status().is_success() {
            return Err(refused(response.status()));
        }
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let is_json =
            kind.is_some_and(|kind| kind.split(';').next().is_some_and(|kind| kind.ends_with("json")));
        let bytes = body(response).await?;
        if is_json { from_json(&bytes) } else { Ok(String::from_utf8_lossy(&bytes).into_owned()) }
    }
}

impl Endpoint {
    /// Whether anybody answers there: a request without a body asks for nothing.
    pub(super) async fn check(&self, http: &Client) -> Result<&'static str, AgentError> {
        http.head(&self.url).send().await.map_err(unreachable)?;
        Ok("its address answers")
    }
}

/// A text, or an object with one of the usual names.
fn from_json(bytes: &[u8]) -> Result<String, AgentError> {
    let json: Value = serde_json::from_slice(bytes)
        .map_err(|_| AgentError::Failed("its answer says that it is JSON, and is none".to_owned()))?;
    if let Some(error) = json.get("error").filter(|error| !error.is_null()) {
        tracing::debug!(is_text = error.is_string(), "an agent answered with an error");
        return Err(AgentError::Failed("it answered with an error".to_owned()));
    }
    let answer = json.as_str().or_else(|| NAMES.iter().find_map(|name| json.get(name)?.as_str()));
    answer
        .map(str::to_owned)
        .ok_or_else(|| AgentError::Failed(format!("its JSON holds no text called {}", NAMES.join(", "))))
}
