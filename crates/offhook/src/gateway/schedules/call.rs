//! The call of a schedule as it is kept: the fields of `POST /call`, read again each time it is due.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::agents::Wanted;
use crate::gateway::PlaceCall;
use crate::gateway::stored::{agents_read, agents_written, commit_read, commit_written};

#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    /// The voice's own target when absent.
    #[serde(skip_serializing_if = "String::is_empty")]
    to: String,
    task: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    personality: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    greeting: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    voice: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bridge_number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    loop_in_user: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    warm_greeting: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_duration_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    voicemail: Option<Voicemail>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ask_owner_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agents: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    may_commit: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result_schema: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    follow_up_to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    supplied: Option<String>,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct Voicemail {
    action: String,
    message: String,
}

/// As `POST /call` would take it.
pub fn written(ask: &PlaceCall) -> Value {
    let kept = Kept {
        to: ask.to.clone(),
        task: ask.task.clone(),
        personality: ask.personality.clone(),
        greeting: ask.greeting.clone(),
        voice: ask.voice.clone(),
        bridge_number: ask.bridge_number.clone(),
        loop_in_user: ask.loop_in_user.then_some(true),
        warm_greeting: ask.warm_greeting,
        from: ask.from.clone(),
        language: ask.language.clone(),
        max_duration_seconds: ask.max_duration.map(|duration| duration.as_secs()),
        voicemail: ask
            .voicemail_message
            .clone()
            .map(|message| Voicemail { action: "leave_message".to_owned(), message }),
        ask_owner_seconds: ask.ask_owner.map(|patience| patience.as_secs()),
        webhook_url: ask.webhook_url.clone(),
        agents: match &ask.agents {
            Wanted::Nobody => Some(false.into()),
            wanted => agents_written(wanted),
        },
        may_commit: ask.may_commit.as_ref().and_then(commit_written),
        result_schema: ask.result_schema.clone(),
        follow_up_to: ask.follow_up_to.clone(),
        supplied: ask.supplied.clone(),
    };
    serde_json::to_value(kept).expect("texts and numbers can be written")
}

/// What a newer version wrote besides is skipped.
pub fn read(written: &Value) -> PlaceCall {
    let kept = Kept::deserialize(written).unwrap_or_default();
    PlaceCall {
        to: kept.to,
        task: kept.task,
        personality: kept.personality,
        greeting: kept.greeting,
        voice: kept.voice,
        bridge_number: kept.bridge_number,
        loop_in_user: kept.loop_in_user.unwrap_or(false),
        warm_greeting: kept.warm_greeting,
        from: kept.from,
        language: kept.language,
        max_duration: kept.max_duration_seconds.map(Duration::from_secs),
        voicemail_message: kept.voicemail.map(|voicemail| voicemail.message),
        ask_owner: kept.ask_owner_seconds.map(Duration::from_secs),
        webhook_url: kept.webhook_url,
        agents: kept.agents.map_or(Wanted::AsUsual, agents_read),
        may_commit: kept.may_commit.and_then(commit_read),
        result_schema: kept.result_schema,
        follow_up_to: kept.follow_up_to,
        supplied: kept.supplied,
        ..PlaceCall::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use offhook_core::brief::Commit;
    use serde_json::json;

    #[test]
    fn what_is_kept_is_read_again() {
        let ask = PlaceCall {
            to: "+14155550100".to_owned(),
            task: "Ask when they open.".to_owned(),
            loop_in_user: true,
            warm_greeting: Some(false),
            max_duration: Some(Duration::from_secs(90)),
            voicemail_message: Some("Please call back.".to_owned()),
            ask_owner: Some(Duration::from_secs(60)),
            webhook_url: Some("https://example.com/hook".to_owned()),
            may_commit: Some(Commit::Within(Some("Up to forty dollars.".to_owned()))),
            result_schema: Some(json!({ "type": "object" })),
            ..PlaceCall::default()
        };
        let kept = written(&ask);
        assert_eq!(kept["voicemail"], json!({ "action": "leave_message", "message": "Please call back." }));
        assert_eq!(written(&read(&kept)), kept);
        assert_eq!(written(&PlaceCall::default()), json!({ "task": "" }));
        assert_eq!(read(&json!({ "later": 1, "task": "x" })).task, "x");
    }
}
