//! Events to the server, in the exact shape of the GA protocol.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::GeneralPurposeConfig;
use base64::engine::Simd;
use bytes::{BufMut, Bytes, BytesMut};
use offhook_core::audio::AudioFormat;
use offhook_core::brief::Brief;
use serde_json::{Value, json};

use super::config::{Config, TurnDetection};
use crate::Prompt;
use crate::tools;

/// What the server does by itself when the remote speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turns {
    /// Only report it: before the first words, which nothing may cut off.
    Reported,
    /// Cut off the voice, and answer when the remote is done.
    Answered,
}

/// The first event of a connection: everything about the session.
pub(super) fn session_update(event_id: &str, config: &Config, prompt: &Prompt, turns: Turns) -> String {
    let format = audio_format(prompt.format);
    let mut input = json!({
        "format": format.clone(),
        "noise_reduction": config.noise_reduction.map(|kind| json!({"type": kind.code()})),
        "transcription": {"model": config.transcription_model},
        "turn_detection": turn_detection(&config.turn_detection, turns),
    });
    if let Some(language) = language(&prompt.brief.language) {
        input["transcription"]["language"] = json!(language);
    }
    let mut output = json!({"format": format, "voice": config.voice(&prompt.brief.voice)});
    if let Some(speed) = config.speed {
        output["speed"] = json!(speed);
    }
    let session = json!({
        "type": "realtime",
        "instructions": prompt.brief.instructions(),
        "output_modalities": ["audio"],
        "audio": {"input": input, "output": output},
        "tools": tools(&prompt.brief),
        "tool_choice": "auto",
    });
    json!({"type": "session.update", "event_id": event_id, "session": session}).to_string()
}

/// Only what the conversation is about, and the tools for it.
pub(super) fn brief_update(event_id: &str, brief: &Brief) -> String {
    let session = json!({"type": "realtime", "instructions": brief.instructions(), "tools": tools(brief)});
    json!({"type": "session.update", "event_id": event_id, "session": session}).to_string()
}

/// Only turn detection; everything else stays as it is.
pub(super) fn turn_update(event_id: &str, config: &Config, turns: Turns) -> String {
    let input = json!({"turn_detection": turn_detection(&config.turn_detection, turns)});
    let session = json!({"type": "realtime", "audio": {"input": input}});
    json!({"type": "session.update", "event_id": event_id, "session": session}).to_string()
}

/// Only the format of both sides; before the first audio.
pub(super) fn format_update(event_id: &str, format: AudioFormat) -> String {
    let format = json!({"format": audio_format(format)});
    let session = json!({"type": "realtime", "audio": {"input": format, "output": format}});
    json!({"type": "session.update", "event_id": event_id, "session": session}).to_string()
}

/// The name by which the session configures this format.
pub(super) fn format_name(format: AudioFormat) -> &'static str {
    match format {
        AudioFormat::Pcmu => "audio/pcmu",
        AudioFormat::Pcma => "audio/pcma",
        AudioFormat::Pcm16(_) => "audio/pcm",
    }
}

fn audio_format(format: AudioFormat) -> Value {
    match format {
        AudioFormat::Pcmu | AudioFormat::Pcma => json!({"type": format_name(format)}),
        AudioFormat::Pcm16(rate) => json!({"type": format_name(format), "rate": rate.hz()}),
    }
}

fn turn_detection(config: &TurnDetection, turns: Turns) -> Value {
    let answered = turns == Turns::Answered;
    match config {
        TurnDetection::ServerVad { threshold, prefix_padding_ms, silence_duration_ms, idle_timeout_ms } => {
            json!({
                "type": "server_vad",
                // By way of text, or 0.6 becomes 0.6000000238418579.
                "threshold": threshold.to_string().parse::<f64>().unwrap_or(0.5),
                "prefix_padding_ms": prefix_padding_ms,
                "silence_duration_ms": silence_duration_ms,
                "idle_timeout_ms": idle_timeout_ms.filter(|_| answered),
                "create_response": answered,
                "interrupt_response": answered,
            })
        }
        TurnDetection::SemanticVad { eagerness } => json!({
            "type": "semantic_vad",
            "eagerness": eagerness.code(),
            "create_response": answered,
            "interrupt_response": answered,
        }),
    }
}

/// Transcription takes the language alone, without region.
fn language(tag: &str) -> Option<String> {
    let language = tag.split(['-', '_']).next().unwrap_or_default();
    (2..=3).contains(&language.len()).then(|| language.to_ascii_lowercase())
}

fn tools(brief: &Brief) -> Vec<Value> {
    let tool = |tool: &tools::Tool| {
        json!({
            "type": "function",
            "name": tool.name,
            "description": tool.description,
            "parameters": tool.parameters(brief),
        })
    };
    tools::offered(brief).map(tool).collect()
}

/// What a response is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// Whatever the conversation calls for.
    Answer,
    /// These words exactly.
    Words(String),
    /// By this instruction, once.
    Instructed(String),
}

pub(super) fn response_create(event_id: &str, ask: &Ask) -> String {
    let event = match ask {
        Ask::Answer => json!({"type": "response.create", "event_id": event_id}),
        // Without tools: words that must be said are not the time for keypresses or hanging up.
        Ask::Words(words) => json!({
            "type": "response.create",
            "event_id": event_id,
            "response": {"instructions": word_for_word(words), "tool_choice": "none"},
        }),
        Ask::Instructed(instructions) => json!({
            "type": "response.create",
            "event_id": event_id,
            "response": {"instructions": instructions, "tool_choice": "none"},
        }),
    };
    event.to_string()
}

fn word_for_word(words: &str) -> String {
    format!(
        "Say exactly the text between the lines, word for word and in its own language. Add nothing, leave nothing \
         out, do not react to anything else, and stop after it.\n---\n{words}\n---"
    )
}

pub(super) fn response_cancel(event_id: &str, response_id: &str) -> String {
    json!({"type": "response.cancel", "event_id": event_id, "response_id": response_id}).to_string()
}

pub(super) fn truncate(event_id: &str, item_id: &str, audio_end_ms: u32) -> String {
    json!({
        "type": "conversation.item.truncate",
        "event_id": event_id,
        "item_id": item_id,
        "content_index": 0,
        "audio_end_ms": audio_end_ms,
    })
    .to_string()
}

pub(super) fn delete_item(event_id: &str, item_id: &str) -> String {
    json!({"type": "conversation.item.delete", "event_id": event_id, "item_id": item_id}).to_string()
}

pub(super) fn commit(event_id: &str) -> String {
    json!({"type": "input_audio_buffer.commit", "event_id": event_id}).to_string()
}

pub(super) fn clear(event_id: &str) -> String {
    json!({"type": "input_audio_buffer.clear", "event_id": event_id}).to_string()
}

/// Who is said to have written a text item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    System,
    Remote,
    Voice,
}

pub(super) fn text_item(event_id: &str, role: Role, text: &str) -> String {
    let (role, kind) = match role {
        Role::System => ("system", "input_text"),
        Role::Remote => ("user", "input_text"),
        Role::Voice => ("assistant", "output_text"),
    };
    let item = json!({"type": "message", "role": role, "content": [{"type": kind, "text": text}]});
    json!({"type": "conversation.item.create", "event_id": event_id, "item": item}).to_string()
}

pub(super) fn tool_output(event_id: &str, call_id: &str, output: &str) -> String {
    let item = json!({"type": "function_call_output", "call_id": call_id, "output": output});
    json!({"type": "conversation.item.create", "event_id": event_id, "item": item}).to_string()
}

/// Event ids of one session, so that an error tells which event it is about.
#[derive(Debug, Default)]
pub(super) struct EventIds(u32);

impl EventIds {
    pub fn next(&mut self) -> String {
        self.0 += 1;
        let mut id = String::with_capacity(12);
        // Writing to a string cannot fail.
        let _ = write!(id, "offhook_{}", self.0);
        id
    }
}

/// Builds `input_audio_buffer.append` without a JSON library in a buffer that is used again: fifty of these a second
/// and call.
#[derive(Debug)]
pub(super) struct Appender {
    engine: Simd,
    buffer: BytesMut,
}

impl Appender {
    const HEAD: &[u8] = br#"{"type":"input_audio_buffer.append","audio":""#;
    const TAIL: &[u8] = br#""}"#;

    pub fn new() -> Self {
        Self { engine: Simd::standard(GeneralPurposeConfig::new()), buffer: BytesMut::new() }
    }

    /// The event with this audio. The buffer is used again once the bytes returned are dropped.
    pub fn append(&mut self, audio: &[u8]) -> Bytes {
        let encoded_len = audio.len().div_ceil(3) * 4;
        self.buffer.reserve(Self::HEAD.len() + encoded_len + Self::TAIL.len());
        self.buffer.put_slice(Self::HEAD);
        let start = self.buffer.len();
        self.buffer.resize(start + encoded_len, 0);
        let written = self.engine.encode_slice(audio, &mut self.buffer[start..]).unwrap_or(0);
        self.buffer.truncate(start + written);
        self.buffer.put_slice(Self::TAIL);
        self.buffer.split().freeze()
    }

    /// The bytes of a base64 text from the server; `None` when it is not base64.
    pub fn decode(&self, text: &str) -> Option<Vec<u8>> {
        self.engine.decode(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_append_is_the_same_json_a_library_would_write() {
        let mut appender = Appender::new();
        for len in [0, 1, 2, 3, 160, 960, 48_000] {
            let audio: Vec<u8> = (0..len).map(|i| (i * 7 % 256) as u8).collect();
            let event: Value = serde_json::from_slice(&appender.append(&audio)).unwrap();
            assert_eq!(event["type"], "input_audio_buffer.append");
            assert_eq!(event.as_object().unwrap().len(), 2);
            assert_eq!(appender.decode(event["audio"].as_str().unwrap()).as_deref(), Some(&audio[..]));
        }
    }

    #[test]
    fn the_buffer_of_appends_is_used_again() {
        let mut appender = Appender::new();
        let first = appender.append(&[1; 160]).as_ptr();
        let second = appender.append(&[2; 160]).as_ptr();
        assert_eq!(first, second);
    }

    #[test]
    fn languages_lose_their_region() {
        for (tag, expected) in
            [("en-US", Some("en")), ("de", Some("de")), ("fil-PH", Some("fil")), ("", None)]
        {
            assert_eq!(language(tag).as_deref(), expected, "{tag}");
        }
    }
}
