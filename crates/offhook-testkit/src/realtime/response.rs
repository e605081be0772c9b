//! The making of a response: the exact sequence of events, as a whole or piece by piece.

use serde_json::{Value, json};

use super::conversation::{Conversation, Out};
use super::event;
use super::script::{End, Reply};

/// A response that is being made.
#[derive(Debug)]
pub(super) struct Running {
    id: String,
    reply: Reply,
    /// The spoken item and how far its audio is.
    spoken: Option<Spoken>,
    output: Vec<Value>,
}

#[derive(Debug)]
struct Spoken {
    item_id: String,
    text: String,
    sent_ms: u32,
    total_ms: u32,
    /// Base64 of a whole piece, and of the last, shorter one.
    piece: String,
    last_piece: String,
}

/// How much audio one delta carries.
const PIECE_MS: u32 = 100;

impl Running {
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl Conversation<'_> {
    /// Begin a response; with no pace set it is made at once.
    pub fn begin_response(&mut self, instructions: Option<&str>) {
        let dictated = instructions.filter(|_| self.script.obedient).and_then(dictated);
        let reply = dictated.map_or_else(|| self.supply.reply(self.script), |text| Reply::say(&text));
        let id = self.ids.next("resp");
        let mut running = Running { id, reply, spoken: None, output: Vec::new() };
        let response = self.response(&running, "in_progress", Value::Null);
        self.send("response.created", json!({"response": response}));
        if let Some(text) = running.reply.text.clone() {
            self.begin_speech(&mut running, text);
        }
        self.running = Some(running);
        if self.script.pace.is_zero() {
            while self.running.is_some() {
                self.advance();
            }
        }
    }

    fn begin_speech(&mut self, running: &mut Running, text: String) {
        let format = self.output_format();
        let total_ms = (text.chars().count() as u32 * self.script.ms_per_char).max(20);
        let item_id = self.ids.next("item");
        let item = json!({
            "id": item_id, "object": "realtime.item", "type": "message", "role": "assistant",
            "status": "in_progress", "content": [],
        });
        self.spoke = true;
        self.send(
            "response.output_item.added",
            json!({"response_id": running.id, "output_index": 0, "item": item}),
        );
        self.add_item(item, 0);
        let part = json!({"type": "audio", "transcript": ""});
        let added = with(place(&running.id, &item_id), "part", part);
        self.send("response.content_part.added", added);
        for word in text.split_inclusive(' ') {
            let delta = with(place(&running.id, &item_id), "delta", json!(word));
            self.send("response.output_audio_transcript.delta", delta);
        }
        running.spoken = Some(Spoken {
            item_id,
            text,
            sent_ms: 0,
            total_ms,
            piece: format.tone(self.script.tone_hz, PIECE_MS),
            last_piece: format.tone(self.script.tone_hz, total_ms % PIECE_MS),
        });
    }

    /// One more piece of audio, or the end.
    pub fn advance(&mut self) {
        let Some(mut running) = self.running.take() else { return };
        let Some(spoken) = running.spoken.as_mut().filter(|spoken| spoken.sent_ms < spoken.total_ms) else {
            return self.finish_response(running);
        };
        let ms = PIECE_MS.min(spoken.total_ms - spoken.sent_ms);
        spoken.sent_ms += ms;
        let piece = if ms == PIECE_MS { spoken.piece.clone() } else { spoken.last_piece.clone() };
        let half = spoken.sent_ms * 2 >= spoken.total_ms;
        let (item_id, sent_ms) = (spoken.item_id.clone(), spoken.sent_ms);
        let delta = with(place(&running.id, &item_id), "delta", json!(piece));
        self.send("response.output_audio.delta", delta);
        if let Some(item) = self.items.iter_mut().find(|item| item.id == item_id) {
            item.audio_ms = u64::from(sent_ms);
        }
        match running.reply.end {
            End::Drop if half => self.push(Out::Break),
            End::Expire if half => self.expire(),
            _ => self.running = Some(running),
        }
    }

    fn finish_response(&mut self, mut running: Running) {
        self.finish_speech(&mut running, "completed");
        if let Some((name, arguments)) = running.reply.tool.clone() {
            self.call_tool(&mut running, &name, &arguments);
        }
        let (status, details) = match &running.reply.end {
            End::Completed | End::Drop | End::Expire => ("completed", Value::Null),
            End::Failed { code, message } => {
                let error = json!({"type": "server_error", "code": code, "message": message});
                ("failed", json!({"type": "failed", "error": error}))
            }
            End::Incomplete { reason } => ("incomplete", json!({"type": "incomplete", "reason": reason})),
        };
        self.send_done(&running, status, details);
        match running.reply.end {
            End::Drop => self.push(Out::Break),
            End::Expire => self.expire(),
            _ => {}
        }
    }

    /// Cut short by the client or by the remote.
    pub fn end_response_early(&mut self, reason: &str) {
        let Some(mut running) = self.running.take() else { return };
        self.finish_speech(&mut running, "incomplete");
        self.send_done(&running, "cancelled", json!({"type": "cancelled", "reason": reason}));
    }

    fn send_done(&mut self, running: &Running, status: &str, details: Value) {
        let mut response = self.response(running, status, details);
        response["output"] = json!(running.output);
        response["usage"] = event::usage(40);
        self.send("response.done", json!({"response": response}));
        self.send("rate_limits.updated", event::rate_limits());
    }

    fn finish_speech(&mut self, running: &mut Running, status: &str) {
        let Some(spoken) = running.spoken.take() else { return };
        let place = place(&running.id, &spoken.item_id);
        self.send("response.output_audio.done", place.clone());
        let done = with(place.clone(), "transcript", json!(spoken.text));
        self.send("response.output_audio_transcript.done", done);
        let part = json!({"type": "audio", "transcript": spoken.text});
        self.send("response.content_part.done", with(place, "part", part));
        let content = json!([{"type": "output_audio", "transcript": spoken.text}]);
        if let Some(item) = self.items.iter_mut().find(|item| item.id == spoken.item_id) {
            item.value["status"] = json!(status);
            item.value["content"] = content;
        }
        self.finish_item(running, &spoken.item_id, 0);
    }

    fn finish_item(&mut self, running: &mut Running, item_id: &str, output_index: usize) {
        self.send_item("conversation.item.done", item_id);
        let Some(item) = self.items.iter().find(|item| item.id == item_id).map(|item| item.value.clone())
        else {
            return;
        };
        running.output.push(item.clone());
        let done = json!({"response_id": running.id, "output_index": output_index, "item": item});
        self.send("response.output_item.done", done);
    }

    fn call_tool(&mut self, running: &mut Running, name: &str, arguments: &str) {
        let (item_id, call_id) = (self.ids.next("item"), self.ids.next("call"));
        let output_index = running.output.len();
        let item = json!({
            "id": item_id, "object": "realtime.item", "type": "function_call", "status": "in_progress",
            "call_id": call_id, "name": name, "arguments": "",
        });
        let added = json!({"response_id": running.id, "output_index": output_index, "item": item});
        self.send("response.output_item.added", added);
        self.add_item(item, 0);
        let place = json!({
            "response_id": running.id, "item_id": item_id, "output_index": output_index, "call_id": call_id,
        });
        self.send("response.function_call_arguments.delta", with(place.clone(), "delta", json!(arguments)));
        let done = with(with(place, "name", json!(name)), "arguments", json!(arguments));
        self.send("response.function_call_arguments.done", done);
        if let Some(item) = self.items.iter_mut().find(|item| item.id == item_id) {
            item.value["status"] = json!("completed");
            item.value["arguments"] = json!(arguments);
        }
        self.finish_item(running, &item_id, output_index);
    }

    fn response(&self, running: &Running, status: &str, details: Value) -> Value {
        json!({
            "object": "realtime.response",
            "id": running.id,
            "status": status,
            "status_details": details,
            "output": [],
            "conversation_id": "conv_001",
            "output_modalities": ["audio"],
            "max_output_tokens": "inf",
            "audio": {"output": {
                "format": self.session["audio"]["output"]["format"],
                "voice": self.session["audio"]["output"]["voice"],
            }},
            "usage": null,
            "metadata": null,
        })
    }
}

/// Where in a response a piece belongs.
fn place(response_id: &str, item_id: &str) -> Value {
    json!({"response_id": response_id, "item_id": item_id, "output_index": 0, "content_index": 0})
}

fn with(mut body: Value, field: &str, value: Value) -> Value {
    body[field] = value;
    body
}

/// The text between two lines of dashes, which is how a client dictates.
fn dictated(instructions: &str) -> Option<String> {
    let (_, rest) = instructions.split_once("\n---\n")?;
    let (text, _) = rest.rsplit_once("\n---")?;
    Some(text.to_owned())
}
