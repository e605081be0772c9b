//! The session object: its defaults, and what `session.update` may change.

use serde_json::{Value, json};

use super::audio::Format;

/// As the real service sends it.
pub(super) fn new_session(id: &str, model: &str, expires_at: i64) -> Value {
    let pcm = json!({"type": "audio/pcm", "rate": 24_000});
    json!({
        "type": "realtime",
        "object": "realtime.session",
        "id": id,
        "model": model,
        "output_modalities": ["audio"],
        "instructions": "You are a helpful assistant.",
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "tracing": null,
        "truncation": "auto",
        "prompt": null,
        "expires_at": expires_at,
        "audio": {
            "input": {
                "format": pcm,
                "transcription": null,
                "noise_reduction": null,
                "turn_detection": {
                    "type": "server_vad",
                    "threshold": 0.5,
                    "prefix_padding_ms": 300,
                    "silence_duration_ms": 500,
                    "idle_timeout_ms": null,
                    "create_response": true,
                    "interrupt_response": true,
                },
            },
            "output": {"format": pcm, "voice": "alloy", "speed": 1.0},
        },
        "include": null,
    })
}

/// Fields a client may set.
const FIELDS: [&str; 14] = [
    "type",
    "model",
    "instructions",
    "output_modalities",
    "audio",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "reasoning",
    "max_output_tokens",
    "truncation",
    "tracing",
    "prompt",
    "include",
];

/// Why an update is refused: code, message and parameter.
pub(super) type Refusal = (&'static str, String, Option<String>);

/// Change what is present. `null` turns a part off.
pub(super) fn update(session: &mut Value, change: &Value, spoke: bool) -> Result<(), Refusal> {
    let Some(fields) = change.as_object() else {
        return Err(("missing_required_parameter", missing("session"), Some("session".to_owned())));
    };
    match fields.get("type").and_then(Value::as_str) {
        Some("realtime") => {}
        Some(other) => {
            return Err(("invalid_value", format!("Invalid value: '{other}'."), param("session.type")));
        }
        None => return Err(("missing_required_parameter", missing("session.type"), param("session.type"))),
    }
    if let Some(unknown) = fields.keys().find(|field| !FIELDS.contains(&field.as_str())) {
        let name = format!("session.{unknown}");
        return Err(("unknown_parameter", format!("Unknown parameter: '{name}'."), Some(name)));
    }
    for side in ["input", "output"] {
        if let Some(format) = change.pointer(&format!("/audio/{side}/format/type")).and_then(Value::as_str)
            && Format::from_name(format).is_none()
        {
            let name = format!("session.audio.{side}.format.type");
            return Err(("invalid_value", format!("Invalid value: '{format}'."), Some(name)));
        }
    }
    let voice = change.pointer("/audio/output/voice");
    if spoke && voice.is_some_and(|voice| Some(voice) != session.pointer("/audio/output/voice")) {
        let message = "Cannot update a conversation's voice if assistant audio is present.".to_owned();
        return Err(("cannot_update_voice", message, param("session.audio.output.voice")));
    }
    merge(session, change);
    Ok(())
}

fn param(name: &str) -> Option<String> {
    Some(name.to_owned())
}

fn missing(name: &str) -> String {
    format!("Missing required parameter: '{name}'.")
}

/// Nested parts are changed, others replaced; turn detection of another kind has other fields.
fn merge(target: &mut Value, change: &Value) {
    match (target, change) {
        (Value::Object(target), Value::Object(change)) if same_kind(target, change) => {
            for (name, value) in change {
                merge(target.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (target, change) => *target = change.clone(),
    }
}

fn same_kind(target: &serde_json::Map<String, Value>, change: &serde_json::Map<String, Value>) -> bool {
    match (target.get("type"), change.get("type")) {
        (Some(target), Some(change)) => target == change,
        _ => true,
    }
}
