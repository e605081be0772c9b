//! Servers with endpoints like OpenAI's: speech, transcriptions, chat.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use reqwest::{RequestBuilder, Response, StatusCode};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::brain::chat::{ChatEvent, ChatRequest, ChatTool};
use super::config::Server;

#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    #[error("{url} could not be reached: {why}; check the address, and that the server runs")]
    Unreachable { url: String, why: String },
    #[error("{url} refused the key ({status}); check api_key")]
    Unauthorized { url: String, status: StatusCode },
    #[error("{url} answered {status}: {detail}")]
    Refused { url: String, status: StatusCode, detail: String },
    #[error("{url} answered what can't be used: {detail}")]
    Unusable { url: String, detail: String },
}

/// One server and what to ask it for.
#[derive(Clone, Debug)]
pub struct Endpoint {
    client: reqwest::Client,
    server: Server,
    /// The first of [`FORMATS`] that the server takes, as far as it was tried.
    format: Arc<AtomicUsize>,
}

/// Transcriptions from the one that says most to the one that every server knows: newer models refuse the first, and say
/// how sure they are in another way.
const FORMATS: [(&str, Option<&str>); 3] =
    [("verbose_json", None), ("json", Some("logprobs")), ("json", None)];

/// Until a server begins to answer, and between two pieces of an answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// Errors of a server are shown in part; they may quote what was said.
const DETAIL: usize = 200;
/// Pieces of an answer that wait to be looked at.
pub const THOUGHTS: usize = 64;

impl Endpoint {
    pub fn new(server: Server) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(5))
            .read_timeout(PATIENCE)
            .build()?;
        Ok(Self { client, server, format: Arc::default() })
    }

    pub fn model(&self) -> &str {
        &self.server.model
    }

    pub fn base_url(&self) -> &str {
        &self.server.base_url
    }

    fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.server.base_url.trim_end_matches('/'))
    }

    fn with_key(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.server.api_key {
            Some(key) => request.bearer_auth(key.expose_secret()),
            None => request,
        }
    }

    async fn send(&self, request: RequestBuilder, url: &str) -> Result<Response, EndpointError> {
        let response = self.with_key(request).send().await.map_err(|error| unreachable(url, error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return Err(EndpointError::Unauthorized { url: url.to_owned(), status });
        }
        let detail = response.text().await.unwrap_or_default().chars().take(DETAIL).collect();
        Err(EndpointError::Refused { url: url.to_owned(), status, detail })
    }

    /// Whether the server answers and takes the key. What it says to `GET /models` beyond that does not matter:
    /// small servers do not know it.
    pub async fn check(&self) -> Result<(), EndpointError> {
        let url = self.url("models");
        match self.send(self.client.get(&url), &url).await {
            Ok(_) | Err(EndpointError::Refused { .. } | EndpointError::Unusable { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The WAV file of `text` spoken by `voice`.
    pub async fn speech(&self, text: &str, voice: &str) -> Result<Vec<u8>, EndpointError> {
        let url = self.url("audio/speech");
        let body =
            json!({"model": self.server.model, "input": text, "voice": voice, "response_format": "wav"});
        let response = self.send(self.client.post(&url).json(&body), &url).await?;
        Ok(response.bytes().await.map_err(|error| unreachable(&url, error))?.to_vec())
    }

    /// What is said in the WAV file `wav`.
    pub async fn transcription(&self, wav: Vec<u8>, language: &str) -> Result<Value, EndpointError> {
        let url = self.url("audio/transcriptions");
        let tried = self.format.load(Ordering::Relaxed);
        for (index, format) in FORMATS.iter().enumerate().skip(tried) {
            match self.transcription_as(&url, *format, wav.clone(), language).await {
                Err(EndpointError::Refused {
                    status: StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY,
                    ..
                }) if index + 1 < FORMATS.len() => {}
                Ok(answer) => {
                    self.format.fetch_max(index, Ordering::Relaxed);
                    return Ok(answer);
                }
                Err(error) => return Err(error),
            }
        }
        Err(EndpointError::Unusable { url, detail: "it takes no format of transcripts".to_owned() })
    }

    async fn transcription_as(
        &self,
        url: &str,
        (format, include): (&'static str, Option<&'static str>),
        wav: Vec<u8>,
        language: &str,
    ) -> Result<Value, EndpointError> {
        let file = reqwest::multipart::Part::bytes(wav).file_name("turn.wav");
        // ISO 639-1, not BCP 47.
        let language = language.split('-').next().unwrap_or(language).to_owned();
        let mut form = reqwest::multipart::Form::new()
            .text("model", self.server.model.clone())
            .text("language", language)
            .text("response_format", format)
            .part("file", file);
        if let Some(include) = include {
            form = form.text("include[]", include);
        }
        let response = self.send(self.client.post(url).multipart(form), url).await?;
        let unusable = |error: reqwest::Error| error.to_string();
        response
            .json()
            .await
            .map_err(|error| EndpointError::Unusable { url: url.to_owned(), detail: unusable(error) })
    }

    /// Ask the chat model; what comes of it goes into `thoughts`, the end of it or a failure last.
    pub async fn chat(&self, request: ChatRequest, thoughts: mpsc::Sender<ChatEvent>) {
        let last = match self.stream_chat(request, &thoughts).await {
            Ok(tools) => ChatEvent::Done { tools },
            Err(error) => ChatEvent::Failed { message: error.to_string() },
        };
        // Nobody listens any more: so be it.
        let _ = thoughts.send(last).await;
    }

    async fn stream_chat(
        &self,
        request: ChatRequest,
        thoughts: &mpsc::Sender<ChatEvent>,
    ) -> Result<Vec<ChatTool>, EndpointError> {
        let url = self.url("chat/completions");
        let body = json!({
            "model": self.server.model, "messages": request.messages, "tools": request.tools, "stream": true,
        });
        let response = self.send(self.client.post(&url).json(&body), &url).await?;
        let mut chunks = response.bytes_stream();
        let mut answer = ChatStream::default();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| unreachable(&url, error))?;
            for text in
                answer.push(&chunk).map_err(|detail| EndpointError::Unusable { url: url.clone(), detail })?
            {
                if thoughts.send(ChatEvent::Text(text)).await.is_err() {
                    return Ok(Vec::new());
                }
            }
            if answer.done {
                break;
            }
        }
        Ok(answer.tools)
    }
}

fn unreachable(url: &str, error: reqwest::Error) -> EndpointError {
    let mut why = error.without_url().to_string();
    if why.is_empty() {
        why.push_str("no answer");
    }
    EndpointError::Unreachable { url: url.to_owned(), why }
}

/// Puts a streamed answer together: server-sent events whose data are pieces of it.
#[derive(Debug, Default)]
pub struct ChatStream {
    line: Vec<u8>,
    tools: Vec<ChatTool>,
    done: bool,
}

impl ChatStream {
    /// A line longer than this is no piece of an answer.
    const MAX_LINE: usize = 1 << 20;

    /// The server said that this was all.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// The text that the next bytes bring.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<String>, String> {
        let mut texts = Vec::new();
        for byte in bytes {
            if *byte != b'\n' {
                if self.line.len() == Self::MAX_LINE {
                    return Err("a line without end".to_owned());
                }
                self.line.push(*byte);
                continue;
            }
            let line = std::mem::take(&mut self.line);
            let line = String::from_utf8_lossy(&line);
            let Some(data) = line.strip_prefix("data:").map(str::trim) else { continue };
            if data == "[DONE]" {
                self.done = true;
                break;
            }
            let piece: Value = serde_json::from_str(data).map_err(|error| error.to_string())?;
            if let Some(error) = piece.get("error").filter(|error| !error.is_null()) {
                let message = error["message"].as_str().unwrap_or("an error without a message");
                return Err(message.chars().take(DETAIL).collect());
            }
            texts.extend(self.piece(&piece));
        }
        Ok(texts)
    }

    fn piece(&mut self, piece: &Value) -> Option<String> {
        let delta = piece.pointer("/choices/0/delta")?;
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            self.tool_piece(call);
        }
        delta["content"].as_str().filter(|text| !text.is_empty()).map(str::to_owned)
    }

    /// Arguments come in pieces; some servers leave the index out and send each call whole.
    fn tool_piece(&mut self, call: &Value) {
        const MOST: usize = 16;
        let index = call["index"].as_u64().map_or(self.tools.len(), |index| index as usize);
        if index >= MOST {
            return;
        }
        while self.tools.len() <= index {
            let id = format!("call_{}", self.tools.len() + 1);
            self.tools.push(ChatTool { id, ..ChatTool::default() });
        }
        let tool = &mut self.tools[index];
        if let Some(id) = call["id"].as_str().filter(|id| !id.is_empty()) {
            tool.id = id.to_owned();
        }
        if let Some(name) = call["function"]["name"].as_str() {
            tool.name.push_str(name);
        }
        if let Some(arguments) = call["function"]["arguments"].as_str() {
            tool.arguments.push_str(arguments);
        }
    }
}
