//! An agent behind an OpenAI-compatible chat endpoint: OpenClaw's gateway, Hermes, Ollama, vLLM, a cloud.

use futures_util::StreamExt as _;
use offhook_speech::local::ChatStream;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Client, Response, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::{AgentError, MOST_BYTES, Request, body, refused, unreachable};

/// The endpoint, and what to ask it for.
#[derive(Clone, Debug)]
pub struct Chat {
    /// Up to and including the version, without a slash at the end.
    pub base_url: String,
    pub api_key: Option<SecretString>,
    pub model: String,
    /// Before what offhook tells about the call.
    pub system_prompt: Option<String>,
    /// Their values are marked as sensitive.
    pub headers: HeaderMap,
}

impl Chat {
    pub(super) async fn ask(&self, http: &Client, request: &Request) -> Result<String, AgentError> {
        let url = format!("{}/chat/completions", self.base_url);
        let ask = http.post(url).headers(self.headers.clone()).json(&self.asked(request));
        let ask = match &self.api_key {
            Some(key) => ask.bearer_auth(key.expose_secret()),
            None => ask,
        };
        let response = ask.send().await.map_err(unreachable)?;
        if !response.status().is_success() {
            return Err(refused(response.status()));
        }
        if is_stream(&response) { streamed(response).await } else { whole(response).await }
    }

    /// What it says to `GET /models` beyond that it is there does not matter: small servers do not know it.
    pub(super) async fn check(&self, http: &Client) -> Result<&'static str, AgentError> {
        let ask = http.get(format!("{}/models", self.base_url)).headers(self.headers.clone());
        let ask = match &self.api_key {
            Some(key) => ask.bearer_auth(key.expose_secret()),
            None => ask,
        };
        match ask.send().await.map_err(unreachable)?.status() {
            status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => Err(refused(status)),
            _ => Ok("the endpoint answers and takes the key"),
        }
    }

    fn asked(&self, request: &Request) -> Value {
        let told = [self.system_prompt.clone().unwrap_or_default(), request.context()];
        let told = told.iter().map(|text| text.trim()).filter(|text| !text.is_empty()).collect::<Vec<_>>();
        let mut messages = Vec::new();
        if !told.is_empty() {
            messages.push(json!({ "role": "system", "content": told.join("\n\n") }));
        }
        messages.push(json!({ "role": "user", "content": request.prompt.as_str() }));
        let mut asked = json!({ "model": self.model, "messages": messages, "stream": true });
        if let Some(call) = &request.call {
            // Where agents keep sessions, a call is one.
            asked["user"] = format!("call-{}", call.id).into();
        }
        asked
    }
}

/// Some servers answer in one piece, whatever they are asked.
fn is_stream(response: &Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("text/event-stream"))
}

async fn streamed(response: Response) -> Result<String, AgentError> {
    let mut chunks = response.bytes_stream();
    let (mut stream, mut answer) = (ChatStream::default(), String::new());
    while !stream.is_done()
        && let Some(chunk) = chunks.next().await
    {
        let texts = stream.push(&chunk.map_err(unreachable)?).map_err(|why| {
            tracing::debug!(%why, "what an agent streams can't be read");
            AgentError::Failed("what it streams can't be read".to_owned())
        })?;
        texts.iter().for_each(|text| answer.push_str(text));
        if answer.len() > MOST_BYTES {
            break;
        }
    }
    Ok(answer)
}

async fn whole(response: Response) -> Result<String, AgentError> {
    let answer: Value = serde_json::from_slice(&body(response).await?)
        .map_err(|_| AgentError::Failed("its answer is no JSON".to_owned()))?;
    let content = &answer["choices"][0]["message"]["content"];
    Ok(content.as_str().unwrap_or_default().to_owned())
}
