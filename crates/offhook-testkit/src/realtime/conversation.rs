//! One connection's conversation, without a socket: client events go in, server events come out.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::audio::{Detector, Format, Found};
use super::event::{self, Ids};
use super::response::Running;
use super::script::{Heard, Reply, Script};
use super::session;

/// What to do with the socket.
#[derive(Debug)]
pub(super) enum Out {
    Text(String),
    /// A WebSocket close with this code and reason.
    Close(u16, &'static str),
    /// The TCP connection ends without a word.
    Break,
}

/// The replies and transcripts of a script, used up over all connections.
#[derive(Debug, Default)]
pub(super) struct Supply {
    replies: AtomicUsize,
    heard: AtomicUsize,
}

impl Supply {
    fn take<T: Clone>(used: &AtomicUsize, all: &[T]) -> Option<T> {
        let index = used.fetch_add(1, Ordering::Relaxed);
        all.get(index).or(all.last()).cloned()
    }

    pub fn reply(&self, script: &Script) -> Reply {
        Self::take(&self.replies, &script.replies).unwrap_or_default()
    }

    fn heard(&self, script: &Script) -> Heard {
        Self::take(&self.heard, &script.heard).unwrap_or(Heard::Nothing)
    }
}

#[derive(Debug)]
pub(super) struct Conversation<'a> {
    pub script: &'a Script,
    pub supply: &'a Supply,
    pub ids: Ids,
    pub session: Value,
    detector: Detector,
    /// The item the remote's present turn will be.
    turn_item: Option<String>,
    uncommitted_ms: u64,
    pub items: Vec<Item>,
    pub running: Option<Running>,
    echo: Option<(String, String)>,
    pub spoke: bool,
    out: VecDeque<Out>,
}

#[derive(Debug)]
pub(super) struct Item {
    pub id: String,
    pub value: Value,
    /// Of an assistant's audio.
    pub audio_ms: u64,
}

const APPEND: &str = r#"{"type":"input_audio_buffer.append","audio":""#;

impl<'a> Conversation<'a> {
    pub fn new(
        script: &'a Script,
        supply: &'a Supply,
        connection: u64,
        model: &str,
        expires_at: i64,
    ) -> Self {
        let mut ids = Ids::new(connection);
        let session = session::new_session(&ids.next("sess"), model, expires_at);
        let mut this = Self {
            script,
            supply,
            ids,
            session,
            detector: Detector::new(),
            turn_item: None,
            uncommitted_ms: 0,
            items: Vec::new(),
            running: None,
            echo: None,
            spoke: false,
            out: VecDeque::new(),
        };
        let session = this.session.clone();
        this.send("session.created", json!({"session": session}));
        this
    }

    pub fn poll(&mut self) -> Option<Out> {
        self.out.pop_front()
    }

    pub fn push(&mut self, out: Out) {
        self.out.push_back(out);
    }

    /// Send an event, under the name the script wants.
    pub fn send(&mut self, kind: &str, mut body: Value) {
        let Some(kind) = event::named(self.script.names, kind) else { return };
        body["type"] = json!(kind);
        body["event_id"] = json!(self.ids.next("event"));
        self.out.push_back(Out::Text(body.to_string()));
    }

    fn error(&mut self, code: &str, message: &str, param: Option<&str>, cause: &Value) {
        let body = event::error(Some(code), message, param, cause["event_id"].as_str());
        self.send("error", body);
    }

    pub fn expire(&mut self) {
        let message = "Your session hit the maximum duration of 60 minutes.";
        self.send("error", event::error(Some("session_expired"), message, None, None));
        self.push(Out::Close(1001, "session expired"));
    }

    /// Audio that only has to come back, without looking at it; `false` when this is something else.
    pub fn echo(&mut self, text: &str) -> bool {
        if !self.script.echo {
            return false;
        }
        let Some(base64) = text.strip_prefix(APPEND).and_then(|rest| rest.strip_suffix("\"}")) else {
            return false;
        };
        if self.echo.is_none() {
            let response_id = self.ids.next("resp");
            let item_id = self.ids.next("item");
            let response = json!({"id": response_id, "object": "realtime.response", "status": "in_progress"});
            self.send("response.created", json!({"response": response}));
            self.echo = Some((response_id, item_id));
        }
        if let Some((response_id, item_id)) = &self.echo {
            self.out.push_back(Out::Text(format!(
                r#"{{"type":"response.output_audio.delta","event_id":"event_echo","response_id":"{response_id}","item_id":"{item_id}","output_index":0,"content_index":0,"delta":"{base64}"}}"#
            )));
        }
        true
    }

    pub fn handle(&mut self, event: &Value) {
        let Some(kind) = event["type"].as_str() else {
            return self.error("invalid_event", "The event has no type.", Some("type"), event);
        };
        match kind {
            "session.update" => self.session_update(event),
            "input_audio_buffer.append" => self.append(event),
            "input_audio_buffer.commit" => self.client_commit(event),
            "input_audio_buffer.clear" => {
                self.detector.clear();
                self.turn_item = None;
                self.uncommitted_ms = 0;
                self.send("input_audio_buffer.cleared", json!({}));
            }
            "conversation.item.create" => self.create_item(event),
            "conversation.item.retrieve" => self.retrieve_item(event),
            "conversation.item.delete" => self.delete_item(event),
            "conversation.item.truncate" => self.truncate_item(event),
            "response.create" => self.create_response(event),
            "response.cancel" => self.cancel_response(event),
            _ => self.error("invalid_value", &format!("Invalid value: '{kind}'."), Some("type"), event),
        }
    }

    fn session_update(&mut self, event: &Value) {
        if let Some((code, message)) = self.script.refuse_session.clone() {
            return self.error(&code, &message, Some("session"), event);
        }
        match session::update(&mut self.session, &event["session"], self.spoke) {
            Ok(()) => {
                let session = self.session.clone();
                self.send("session.updated", json!({"session": session}));
            }
            Err((code, message, param)) => self.error(code, &message, param.as_deref(), event),
        }
    }

    fn format(&self, side: &str) -> Format {
        let name = self.session.pointer(&format!("/audio/{side}/format/type")).and_then(Value::as_str);
        name.and_then(Format::from_name).unwrap_or(Format::Pcm)
    }

    pub fn output_format(&self) -> Format {
        self.format("output")
    }

    fn turn_detection(&self, field: &str) -> &Value {
        &self.session["audio"]["input"]["turn_detection"][field]
    }

    fn append(&mut self, event: &Value) {
        let Some(bytes) = event["audio"].as_str().and_then(|audio| STANDARD.decode(audio).ok()) else {
            return self.error("invalid_value", "Invalid 'audio'. Expected base64.", Some("audio"), event);
        };
        let format = self.format("input");
        self.uncommitted_ms += (bytes.len() / format.bytes_per_ms()) as u64;
        if self.session["audio"]["input"]["turn_detection"].is_null() {
            return;
        }
        let ms = |value: &Value, default: u64| value.as_u64().unwrap_or(default) as u32;
        let padding_ms = ms(self.turn_detection("prefix_padding_ms"), 300);
        let silence_ms = ms(self.turn_detection("silence_duration_ms"), 500);
        for found in self.detector.push(format, &bytes, padding_ms, silence_ms) {
            match found {
                Found::Started { audio_start_ms } => self.speech_started(audio_start_ms),
                Found::Stopped { audio_end_ms } => self.speech_stopped(audio_end_ms),
            }
        }
    }

    fn speech_started(&mut self, audio_start_ms: u64) {
        let item_id = self.ids.next("item");
        self.send(
            "input_audio_buffer.speech_started",
            json!({"audio_start_ms": audio_start_ms, "item_id": item_id}),
        );
        self.turn_item = Some(item_id);
        if self.turn_detection("interrupt_response") != &json!(false) && self.running.is_some() {
            self.end_response_early("turn_detected");
        }
    }

    fn speech_stopped(&mut self, audio_end_ms: u64) {
        let item_id = self.turn_item.take().unwrap_or_else(|| self.ids.next("item"));
        self.send(
            "input_audio_buffer.speech_stopped",
            json!({"audio_end_ms": audio_end_ms, "item_id": item_id}),
        );
        let respond = self.turn_detection("create_response") != &json!(false);
        self.commit(item_id);
        if respond && self.running.is_none() {
            self.begin_response(None);
        }
    }

    fn client_commit(&mut self, event: &Value) {
        if self.uncommitted_ms < 100 {
            let message = format!(
                "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, but buffer \
                 only has {:.2}ms of audio.",
                self.uncommitted_ms as f64
            );
            return self.error("input_audio_buffer_commit_empty", &message, None, event);
        }
        let item_id = self.turn_item.take().unwrap_or_else(|| self.ids.next("item"));
        self.detector.clear();
        self.commit(item_id);
    }

    fn commit(&mut self, item_id: String) {
        let previous = self.last_item();
        self.uncommitted_ms = 0;
        self.send("input_audio_buffer.committed", json!({"item_id": item_id, "previous_item_id": previous}));
        let item = json!({
            "id": item_id, "object": "realtime.item", "type": "message", "role": "user", "status": "completed",
            "content": [{"type": "input_audio", "transcript": null}],
        });
        self.add_item(item, 0);
        self.send_item("conversation.item.done", &item_id);
        self.transcribe(&item_id);
    }

    fn transcribe(&mut self, item_id: &str) {
        if self.session["audio"]["input"]["transcription"].is_null() {
            return;
        }
        let kind = |end: &str| format!("conversation.item.input_audio_transcription.{end}");
        match self.supply.heard(self.script) {
            Heard::Text(text) => {
                let delta = json!({"item_id": item_id, "content_index": 0, "delta": text});
                self.send(&kind("delta"), delta);
                let usage = json!({"type": "duration", "seconds": 1.0});
                let done =
                    json!({"item_id": item_id, "content_index": 0, "transcript": text, "usage": usage});
                self.send(&kind("completed"), done);
            }
            Heard::Failed => {
                let error = json!({
                    "type": "transcription_error", "code": "audio_unintelligible",
                    "message": "The audio could not be transcribed.", "param": null,
                });
                self.send(&kind("failed"), json!({"item_id": item_id, "content_index": 0, "error": error}));
            }
            Heard::Nothing => {}
        }
    }

    fn last_item(&self) -> Option<String> {
        self.items.last().map(|item| item.id.clone())
    }

    /// Put an item at the end of the conversation and tell the client.
    pub fn add_item(&mut self, value: Value, audio_ms: u64) {
        let id = value["id"].as_str().unwrap_or_default().to_owned();
        let previous = self.last_item();
        self.send("conversation.item.added", json!({"item": value, "previous_item_id": previous}));
        self.items.push(Item { id, value, audio_ms });
    }

    pub fn send_item(&mut self, kind: &str, item_id: &str) {
        let index = self.items.iter().position(|item| item.id == item_id);
        let Some(index) = index else { return };
        let previous = index.checked_sub(1).map(|index| self.items[index].id.clone());
        let item = self.items[index].value.clone();
        self.send(kind, json!({"item": item, "previous_item_id": previous}));
    }

    fn create_item(&mut self, event: &Value) {
        let mut item = event["item"].clone();
        if item["type"] == "function_call_output" && !self.knows_call(&item["call_id"]) {
            let message = format!("Tool call ID {} not found in conversation.", item["call_id"]);
            return self.error("invalid_tool_call_id", &message, Some("item.call_id"), event);
        }
        if !item.is_object() || item["type"].as_str().is_none() {
            return self.error(
                "missing_required_parameter",
                "Missing 'item.type'.",
                Some("item.type"),
                event,
            );
        }
        let wrong = match item["role"].as_str() {
            Some("assistant") => item["content"][0]["type"] != "output_text",
            Some("system" | "user") => item["content"][0]["type"] == "output_text",
            _ => false,
        };
        if wrong {
            let message = format!("Invalid value: {}.", item["content"][0]["type"]);
            return self.error("invalid_value", &message, Some("item.content[0].type"), event);
        }
        let id = item["id"].as_str().map_or_else(|| self.ids.next("item"), str::to_owned);
        item["id"] = json!(id);
        item["object"] = json!("realtime.item");
        item["status"] = json!("completed");
        self.add_item(item, 0);
        self.send_item("conversation.item.done", &id);
    }

    fn knows_call(&self, call_id: &Value) -> bool {
        self.items
            .iter()
            .any(|item| item.value["type"] == "function_call" && item.value["call_id"] == *call_id)
    }

    fn find_item(&mut self, event: &Value) -> Option<usize> {
        let found = self.items.iter().position(|item| Some(item.id.as_str()) == event["item_id"].as_str());
        if found.is_none() {
            let message = format!("Item with item_id {} not found.", event["item_id"]);
            self.error("item_not_found", &message, Some("item_id"), event);
        }
        found
    }

    fn retrieve_item(&mut self, event: &Value) {
        let Some(index) = self.find_item(event) else { return };
        let item = self.items[index].value.clone();
        self.send("conversation.item.retrieved", json!({"item": item}));
    }

    fn delete_item(&mut self, event: &Value) {
        let Some(index) = self.find_item(event) else { return };
        let item = self.items.remove(index);
        self.send("conversation.item.deleted", json!({"item_id": item.id}));
    }

    fn truncate_item(&mut self, event: &Value) {
        let Some(index) = self.find_item(event) else { return };
        let item = &self.items[index];
        let audio_end_ms = event["audio_end_ms"].as_u64().unwrap_or(u64::MAX);
        if item.value["role"] != "assistant" {
            let message = "Only model output audio messages can be truncated";
            return self.error("invalid_value", message, Some("item_id"), event);
        }
        if audio_end_ms > item.audio_ms {
            let message =
                format!("Audio content of {}ms is already shorter than {audio_end_ms}ms", item.audio_ms);
            return self.error("invalid_value", &message, Some("audio_end_ms"), event);
        }
        let item_id = item.id.clone();
        self.items[index].audio_ms = audio_end_ms;
        let body = json!({"item_id": item_id, "content_index": 0, "audio_end_ms": audio_end_ms});
        self.send("conversation.item.truncated", body);
    }

    fn create_response(&mut self, event: &Value) {
        if let Some(running) = &self.running {
            let message =
                format!("Conversation already has an active response in progress: {}.", running.id());
            return self.error("conversation_already_has_active_response", &message, None, event);
        }
        let instructions = event.pointer("/response/instructions").and_then(Value::as_str).map(str::to_owned);
        self.begin_response(instructions.as_deref());
    }

    fn cancel_response(&mut self, event: &Value) {
        let wanted = event["response_id"].as_str();
        let running = self.running.as_ref().map(Running::id);
        if running.is_none() || wanted.is_some_and(|wanted| Some(wanted) != running) {
            let message = "Cancellation failed: no active response found";
            return self.error("response_cancel_not_active", message, None, event);
        }
        self.end_response_early("client_cancelled");
    }
}
