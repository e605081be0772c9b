//! The agent of the demo: places calls over the HTTP API and follows their event stream, like any other agent.

use std::path::{Path, PathBuf};

use futures_util::StreamExt as _;
use serde_json::{Value, json};

use super::DemoError;
use super::case::{Case, Help};

#[derive(Debug)]
pub struct Agent {
    http: reqwest::Client,
    url: String,
    out: PathBuf,
}

/// A call that was placed, and the key that was minted with it.
#[derive(Clone, Debug)]
pub struct Placed {
    id: String,
    key: String,
    help: Help,
}

/// A finished call, as `GET /call/{id}` gives it.
#[derive(Clone, Debug)]
pub struct Finished {
    pub id: String,
    pub call: Value,
    pub recording: Option<PathBuf>,
}

/// Where the files of a call are.
#[derive(Clone, Debug)]
pub struct Saved {
    pub transcript: PathBuf,
    pub recording: Option<PathBuf>,
}

impl Agent {
    pub fn new(url: String, out: PathBuf) -> Self {
        Self { http: reqwest::Client::new(), url, out }
    }

    pub async fn place(&self, case: &Case) -> Result<Placed, DemoError> {
        let placed = send(self.http.post(format!("{}/call", self.url)).json(&case.request())).await?;
        match (placed["call_id"].as_str(), placed["api_key"].as_str()) {
            (Some(id), Some(key)) => Ok(Placed { id: id.to_owned(), key: key.to_owned(), help: case.help }),
            _ => Err(DemoError::Api(format!("no call_id or no api_key in {placed}"))),
        }
    }

    pub async fn hang_up(&self, call: &Placed) -> Result<(), DemoError> {
        let url = format!("{}/call/{}/hangup", self.url, call.id);
        send(self.http.post(url).header(KEY, &call.key)).await.map(drop)
    }

    /// Follow the call's events to the last one; then what became of it.
    pub async fn watch(&self, placed: &Placed, mut each: impl FnMut(&Value)) -> Result<Finished, DemoError> {
        let url = format!("{}/call/{}", self.url, placed.id);
        let response =
            self.http.get(format!("{url}/events")).header(KEY, &placed.key).send().await.map_err(api)?;
        let mut chunks = response.bytes_stream();
        let mut stream = Vec::new();
        while let Some(chunk) = chunks.next().await {
            stream.extend_from_slice(&chunk.map_err(api)?);
            for event in super::show::events(&mut stream) {
                each(&event);
                self.help(placed, &event).await?;
            }
        }
        let call = send(self.http.get(url).header(KEY, &placed.key)).await?;
        let recording = self.fetch_recording(&placed.id, &call).await?;
        Ok(Finished { id: placed.id.clone(), call, recording })
    }

    /// Answer what the voice asks.
    async fn help(&self, call: &Placed, event: &Value) -> Result<(), DemoError> {
        let Help::Answers(answer) = call.help else { return Ok(()) };
        if event["code"] != "owner.asked" {
            return Ok(());
        }
        let body = json!({ "answer": answer, "question_id": event["question_id"] });
        let url = format!("{}/call/{}/answer", self.url, call.id);
        let answered = send(self.http.post(url).header(KEY, &call.key).json(&body)).await;
        // Whoever asked may be gone already.
        answered.map(drop).or_else(|error| match error {
            DemoError::Refused { status: 409, .. } => Ok(()),
            error => Err(error),
        })
    }

    /// The recording, through its signed link, into the output directory.
    async fn fetch_recording(&self, id: &str, call: &Value) -> Result<Option<PathBuf>, DemoError> {
        let Some(link) = call["recording_url"].as_str() else { return Ok(None) };
        let bytes = self.http.get(link).send().await.map_err(api)?.error_for_status().map_err(api)?;
        let bytes = bytes.bytes().await.map_err(api)?;
        let path = self.out.join(format!("{id}.wav"));
        std::fs::write(&path, bytes).map_err(|why| DemoError::Out { path: path.clone(), why })?;
        Ok(Some(path))
    }

    /// Write the transcript beside the recording.
    pub fn save(&self, finished: &Finished) -> Result<Saved, DemoError> {
        let path = self.out.join(format!("{}.txt", finished.id));
        std::fs::write(&path, super::show::transcript(&finished.call))
            .map_err(|why| DemoError::Out { path: path.clone(), why })?;
        Ok(Saved { transcript: path, recording: finished.recording.clone() })
    }
}

const KEY: &str = "X-Api-Key";

async fn send(request: reqwest::RequestBuilder) -> Result<Value, DemoError> {
    let response = request.send().await.map_err(api)?;
    let status = response.status();
    let body: Value = response.json().await.map_err(api)?;
    if status.is_success() {
        return Ok(body);
    }
    Err(DemoError::Refused { status: status.as_u16(), body: body.to_string() })
}

fn api(error: reqwest::Error) -> DemoError {
    DemoError::Api(error.to_string())
}

pub(super) fn display_path(path: &Path) -> String {
    path.display().to_string()
}
