//! Events to the client.

use serde_json::{Value, json};

use super::script::Names;

/// Ids in the style of the service, unique within a connection.
#[derive(Debug, Default)]
pub(super) struct Ids {
    last: u64,
    connection: u64,
}

impl Ids {
    pub fn new(connection: u64) -> Self {
        Self { last: 0, connection }
    }

    pub fn next(&mut self, prefix: &str) -> String {
        self.last += 1;
        format!("{prefix}_{:03}{:06}", self.connection, self.last)
    }
}

/// `None` for events that the beta protocol does not have.
pub(super) fn named(names: Names, kind: &str) -> Option<String> {
    if names == Names::Ga {
        return Some(kind.to_owned());
    }
    match kind {
        "conversation.item.added" => Some("conversation.item.created".to_owned()),
        "conversation.item.done" => None,
        _ => Some(
            kind.replace("response.output_audio", "response.audio")
                .replace("response.output_text", "response.text"),
        ),
    }
}

pub(super) fn error(code: Option<&str>, message: &str, param: Option<&str>, event_id: Option<&str>) -> Value {
    json!({"error": {
        "type": "invalid_request_error",
        "code": code,
        "message": message,
        "param": param,
        "event_id": event_id,
    }})
}

/// Usage figures of the right shape.
pub(super) fn usage(output_tokens: u64) -> Value {
    json!({
        "total_tokens": output_tokens + 20,
        "input_tokens": 20,
        "output_tokens": output_tokens,
        "input_token_details": {
            "text_tokens": 10,
            "audio_tokens": 10,
            "image_tokens": 0,
            "cached_tokens": 0,
            "cached_tokens_details": {"text_tokens": 0, "audio_tokens": 0, "image_tokens": 0},
        },
        "output_token_details": {"text_tokens": output_tokens / 2, "audio_tokens": output_tokens / 2},
    })
}

pub(super) fn rate_limits() -> Value {
    json!({"rate_limits": [
        {"name": "requests", "limit": 1_000, "remaining": 999, "reset_seconds": 60.0},
        {"name": "tokens", "limit": 50_000, "remaining": 49_950, "reset_seconds": 60.0},
    ]})
}
