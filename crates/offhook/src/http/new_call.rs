//! The body of `POST /call`, read leniently: unknown fields are ignored, a wrong type is named.

use std::time::Duration;

use aws_lc_rs::digest;
use axum::http::HeaderMap;
use offhook_core::Timestamp;
use offhook_core::brief::Commit;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::error::ApiError;
use super::request::{idempotency_key, object, whole};
use super::terms;
use crate::gateway::{Idempotency, PlaceCall};

/// A wish for an outbound call.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
#[schema(as = PlaceCall)]
pub struct NewCall {
    /// Whom to call, in E.164.
    #[schema(value_type = String, required, pattern = r"^\s*\+[\s\d.()-]+$", example = "+14155550100")]
    to: Value,
    /// The call instructions: all the voice knows.
    #[schema(value_type = String, required, min_length = 1, pattern = r"\S", example = "Ask whether they are open on Sunday, for Mira Okafor.")]
    task: Value,
    /// Identity, tone and boundaries, in one to three sentences.
    #[schema(value_type = Option<String>)]
    personality: Value,
    /// The opener, spoken after the disclosure.
    #[schema(value_type = Option<String>)]
    greeting: Value,
    /// `jessica` (the default), `sarah`, `chris` or `eric`.
    #[schema(value_type = Option<String>, pattern = r"^(jessica|sarah|chris|eric|\s*)$")]
    voice: Value,
    /// The user's own number, for a live handoff: the voice may call the user into the call when the task says so, and
    /// `POST /call/{id}/bridge` does.
    #[schema(value_type = Option<String>)]
    bridge_number: Value,
    /// `true` is a live handoff to the verified phone of the account, whatever `bridge_number` says; a key that is not
    /// linked to one has none. `false` turns the handoff off. Null is not the same as leaving it out, and is refused.
    #[serde(deserialize_with = "written")]
    #[schema(value_type = bool, required = false)]
    loop_in_user: Option<Value>,
    /// Whether the user first hears in private who is there and decides whether to join a handoff; as in the
    /// preferences, else true, when absent. It enables none by itself.
    #[schema(value_type = Option<bool>)]
    warm_greeting: Value,
    /// Which of our lines to call from; otherwise the least busy one.
    #[schema(value_type = Option<String>)]
    from: Value,
    /// The language of the call (BCP 47).
    #[schema(value_type = Option<String>, example = "en-US")]
    language: Value,
    /// The longest the conversation may last, within what the operator allows.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 86_400)]
    max_duration_seconds: Value,
    /// What to do when a machine answers; otherwise we hang up.
    #[schema(value_type = Option<OnVoicemail>)]
    voicemail: Value,
    /// Whether the voice may ask you for what it lacks: `pending_question`, answered with `POST /call/{id}/answer`.
    /// Otherwise it says that it does not have it at hand and will call back.
    #[schema(value_type = Option<bool>)]
    ask_owner: Value,
    /// How long it waits for an answer; 60 when absent. Says that it may ask, too.
    #[schema(value_type = Option<u32>, minimum = 10, maximum = 300)]
    ask_owner_seconds: Value,
    /// Which of the operator's agents the voice may ask for what the task needs: `true` for all, or their names. None when
    /// absent: on a call to others it knows what the task says.
    #[schema(value_type = Option<AgentsOfCall>)]
    agents: Value,
    /// Where the events of this call are sent as they happen, signed, in order, at least once, and tried again for a
    /// day: an `https://` address.
    #[schema(value_type = Option<String>, example = "https://example.com/offhook")]
    webhook_url: Value,
    /// What the voice may agree to: `false` is nothing at all, `true` is what the task asks for, a text is that within
    /// these limits. When absent: what the task asks for in so many words, and nothing else.
    #[schema(value_type = Option<MayCommit>)]
    may_commit: Value,
    /// What the result is to name in `result.fields`: a JSON Schema of type `object` with up to 20 properties, each a
    /// `string`, `number`, `integer`, `boolean`, an `array` of strings, or an `enum` of strings.
    #[schema(value_type = Option<Object>, example = json!({
        "type": "object",
        "properties": { "price": { "type": "number" }, "free_at": { "type": "string" } },
        "required": ["price"],
    }))]
    result_schema: Value,
    /// The call that this one follows up: one of yours that is over. The voice is told what was said and found out in
    /// it, and that this is a callback.
    #[schema(value_type = Option<String>)]
    follow_up_to: Value,
    /// With `follow_up_to`: what was missing then and is known now.
    #[schema(value_type = Option<String>, example = "The date of birth is March 3rd, 1984.")]
    supplied: Value,
    /// Not to be placed before this instant (ISO 8601 with offset), at most 30 days from now. Until then the call is
    /// `queued`, can be hung up, and survives a restart; the rules of this line are asked when its time has come.
    #[schema(value_type = Option<String>, example = "2026-11-23T09:00:00-08:00")]
    not_before: Value,
    /// Not to be placed after this instant; an hour after `not_before` when absent. A call that could not be placed by
    /// then ends with `policy.window`.
    #[schema(value_type = Option<String>, example = "2026-11-23T12:00:00-08:00")]
    not_after: Value,
}

/// `true`, `false`, or the limits in words.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
pub enum MayCommit {
    Whether(bool),
    Within(String),
}

/// `true`, `false`, or names.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
pub enum AgentsOfCall {
    Whether(bool),
    These(AgentNames),
}

#[derive(Clone, Deserialize, ToSchema)]
#[schema(min_items = 1, max_items = 20)]
#[allow(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
pub struct AgentNames(Vec<AgentName>);

/// As the operator's configuration has it.
#[derive(Clone, Deserialize, ToSchema)]
#[schema(pattern = r"\S", example = "main")]
#[allow(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
pub struct AgentName(String);

/// What to do when a machine answers.
#[derive(Clone, Deserialize, ToSchema)]
#[schema(as = Voicemail)]
#[allow(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
pub struct OnVoicemail {
    /// `hang_up` or `leave_message`.
    #[schema(pattern = "^(hang_up|leave_message)$")]
    action: String,
    /// What to say after the beep; needed to leave one.
    message: Option<String>,
}

impl NewCall {
    pub fn read(body: &[u8]) -> Result<Self, ApiError> {
        Self::of(object(body)?)
    }

    pub fn of(fields: Map<String, Value>) -> Result<Self, ApiError> {
        serde_json::from_value(Value::Object(fields))
            .map_err(|error| ApiError::bad_request("invalid_request", error.to_string()))
    }

    /// The wish for the gateway, in the order of the contract's checks.
    pub fn into_wish(self, headers: &HeaderMap) -> Result<PlaceCall, ApiError> {
        let loop_in_user = loop_in_user(self.loop_in_user.as_ref())?;
        let bridge_number = text("bridge_number", "invalid_phone", self.bridge_number)?;
        let mut wish = PlaceCall {
            to: text("to", "invalid_phone", self.to)?.unwrap_or_default(),
            task: text("task", "missing_fields", self.task)?.unwrap_or_default(),
            personality: text("personality", "invalid_preferences", self.personality)?,
            greeting: text("greeting", "invalid_preferences", self.greeting)?,
            voice: text("voice", "invalid_preferences", self.voice)?,
            // The field has no default: leaving it out is what means "use bridge_number".
            bridge_number: bridge_number.filter(|_| loop_in_user.is_none()),
            loop_in_user: loop_in_user == Some(true),
            warm_greeting: terms::flag("warm_greeting", "invalid_preferences", &self.warm_greeting)?,
            from: text("from", "invalid_phone", self.from)?,
            language: text("language", "invalid_request", self.language)?,
            max_duration: seconds("max_duration_seconds", &self.max_duration_seconds)?,
            voicemail_message: voicemail(&self.voicemail)?,
            ask_owner: ask_owner(&self.ask_owner, &self.ask_owner_seconds)?,
            agents: terms::agents(&self.agents)?,
            webhook_url: text("webhook_url", "invalid_request", self.webhook_url)?,
            may_commit: terms::may_commit(&self.may_commit)?,
            result_schema: terms::result_schema(self.result_schema)?,
            follow_up_to: text("follow_up_to", "invalid_request", self.follow_up_to)?,
            supplied: text("supplied", "invalid_request", self.supplied)?,
            not_before: terms::instant("not_before", &self.not_before)?,
            not_after: terms::instant("not_after", &self.not_after)?,
            ..PlaceCall::default()
        };
        wish.idempotency = idempotency(headers, &wish)?;
        Ok(wish)
    }
}

/// What was written, also a null; a field that is absent never comes here.
fn written<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

pub(super) fn loop_in_user(written: Option<&Value>) -> Result<Option<bool>, ApiError> {
    match written {
        None => Ok(None),
        Some(Value::Bool(wanted)) => Ok(Some(*wanted)),
        Some(_) => {
            let message = "loop_in_user must be true or false, or be left out";
            Err(ApiError::bad_request("invalid_loop_in_user", message))
        }
    }
}

/// A text; an absent or blank one is none.
pub(super) fn text(
    field: &'static str,
    code: &'static str,
    value: Value,
) -> Result<Option<String>, ApiError> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) if text.trim().is_empty() => Ok(None),
        Value::String(text) => Ok(Some(text)),
        _ => Err(ApiError::bad_request(code, format!("{field} must be a text"))),
    }
}

pub(super) fn seconds(field: &'static str, value: &Value) -> Result<Option<Duration>, ApiError> {
    match value {
        Value::Null => Ok(None),
        value => match whole(value) {
            Some(seconds @ 1..=86_400) => Ok(Some(Duration::from_secs(seconds))),
            _ => Err(ApiError::bad_request("invalid_request", format!("{field} must be 1 to 86400"))),
        },
    }
}

/// How long the voice waits for an answer where nothing is said about it.
const ANSWER_WITHIN: u64 = 60;

fn ask_owner(allowed: &Value, seconds: &Value) -> Result<Option<Duration>, ApiError> {
    let wrong = |message: &str| Err(ApiError::bad_request("invalid_request", message));
    let seconds = match (seconds, whole(seconds)) {
        (Value::Null, _) => None,
        (_, Some(seconds @ 10..=300)) => Some(seconds),
        _ => return wrong("ask_owner_seconds must be 10 to 300"),
    };
    match allowed {
        Value::Null => Ok(seconds.map(Duration::from_secs)),
        Value::Bool(false) => Ok(None),
        Value::Bool(true) => Ok(Some(Duration::from_secs(seconds.unwrap_or(ANSWER_WITHIN)))),
        _ => wrong("ask_owner must be true or false"),
    }
}

fn voicemail(value: &Value) -> Result<Option<String>, ApiError> {
    let wrong = |message: &str| Err(ApiError::bad_request("invalid_request", message));
    match (value, value["action"].as_str()) {
        (Value::Null, _) | (_, Some("hang_up")) => Ok(None),
        (_, Some("leave_message")) => match value["message"].as_str().map(str::trim) {
            Some(message) if !message.is_empty() => Ok(Some(message.to_owned())),
            _ => wrong("voicemail.message must say what to leave"),
        },
        _ => wrong("voicemail.action must be hang_up or leave_message"),
    }
}

fn idempotency(headers: &HeaderMap, wish: &PlaceCall) -> Result<Option<Idempotency>, ApiError> {
    let key = idempotency_key(headers)?;
    Ok(key.map(|key| Idempotency { key, request_hash: request_hash(wish) }))
}

/// The same for the same wish, however it was written: order, spaces and unknown fields don't count.
fn request_hash(wish: &PlaceCall) -> [u8; 32] {
    let max_duration = wish.max_duration.map(|duration| duration.as_secs().to_string());
    let ask_owner = wish.ask_owner.map(|patience| patience.as_secs().to_string());
    let fields = [
        Some(&wish.to),
        Some(&wish.task),
        wish.personality.as_ref(),
        wish.greeting.as_ref(),
        wish.voice.as_ref(),
        wish.bridge_number.as_ref(),
        wish.from.as_ref(),
        wish.language.as_ref(),
        max_duration.as_ref(),
        wish.voicemail_message.as_ref(),
        ask_owner.as_ref(),
    ];
    let mut context = digest::Context::new(&digest::SHA256);
    for field in fields {
        // The length keeps neighbours apart; no text is as long as the mark for none.
        let length = field.map_or(u64::MAX, |text| text.len() as u64);
        context.update(&length.to_be_bytes());
        context.update(field.map_or(&[], |text| text.as_bytes()));
    }
    // Only where there is one: a repeat from before there were any is still the same.
    if let Some(url) = &wish.webhook_url {
        context.update(b"webhook_url");
        context.update(url.as_bytes());
    }
    for (name, text) in later_fields(wish) {
        for part in [name, &text] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

/// As a text with the keys in order, however they were written.
pub fn canonical(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            let each = fields
                .into_iter()
                .map(|(name, value)| format!("{}:{}", Value::String(name.clone()), canonical(value)));
            format!("{{{}}}", each.collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(","))
        }
        value => value.to_string(),
    }
}

/// The fields that came later and are written, each with its name.
fn later_fields(wish: &PlaceCall) -> Vec<(&'static str, String)> {
    let commit = wish.may_commit.as_ref().map(|commit| match commit {
        Commit::AsTasked => String::new(),
        Commit::Never => "no".to_owned(),
        Commit::Within(None) => "yes".to_owned(),
        Commit::Within(Some(limits)) => format!("within {limits}"),
    });
    let micros = |at: Timestamp| at.unix_micros().to_string();
    let written = [
        ("loop_in_user", wish.loop_in_user.then(|| "true".to_owned())),
        ("warm_greeting", wish.warm_greeting.map(|warm| warm.to_string())),
        ("may_commit", commit),
        ("result_schema", wish.result_schema.as_ref().map(canonical)),
        ("follow_up_to", wish.follow_up_to.clone()),
        ("supplied", wish.supplied.clone()),
        ("not_before", wish.not_before.map(micros)),
        ("not_after", wish.not_after.map(micros)),
    ];
    written.into_iter().filter_map(|(name, text)| Some((name, text?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(body: &str, key: Option<&str>) -> Result<PlaceCall, ApiError> {
        let mut headers = HeaderMap::new();
        if let Some(key) = key {
            headers.insert("idempotency-key", key.parse().unwrap());
        }
        NewCall::read(body.as_bytes())?.into_wish(&headers)
    }

    fn code(body: &str) -> String {
        wish(body, None).unwrap_err().body().error.code
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (body, expected) in [
            ("", "invalid_request"),
            ("[]", "invalid_request"),
            ("\"call\"", "invalid_request"),
            (r#"{"to": 12065550142, "task": "x"}"#, "invalid_phone"),
            (r#"{"to": "+12065550142", "task": ["x"]}"#, "missing_fields"),
            (r#"{"to": "+12065550142", "task": "x", "voice": 1}"#, "invalid_preferences"),
            (r#"{"to": "+12065550142", "task": "x", "bridge_number": {}}"#, "invalid_phone"),
            (r#"{"to": "+12065550142", "task": "x", "loop_in_user": "yes"}"#, "invalid_loop_in_user"),
            (r#"{"to": "+12065550142", "task": "x", "loop_in_user": null}"#, "invalid_loop_in_user"),
            (r#"{"to": "+12065550142", "task": "x", "loop_in_user": 1}"#, "invalid_loop_in_user"),
            (r#"{"to": "+12065550142", "task": "x", "loop_in_user": []}"#, "invalid_loop_in_user"),
            (r#"{"to": "+12065550142", "task": "x", "max_duration_seconds": 0}"#, "invalid_request"),
            (r#"{"to": "+12065550142", "task": "x", "warm_greeting": "yes"}"#, "invalid_preferences"),
            (r#"{"to": "+12065550142", "task": "x", "may_commit": 3}"#, "invalid_request"),
            (r#"{"to": "+12065550142", "task": "x", "result_schema": "price"}"#, "invalid_request"),
            (r#"{"to": "+12065550142", "task": "x", "follow_up_to": 17}"#, "invalid_request"),
            (r#"{"to": "+12065550142", "task": "x", "not_before": "2026-11-23"}"#, "invalid_request"),
            (r#"{"to": "+12065550142", "task": "x", "voicemail": {"action": "sing"}}"#, "invalid_request"),
            (
                r#"{"to": "+12065550142", "task": "x", "voicemail": {"action": "leave_message"}}"#,
                "invalid_request",
            ),
        ] {
            assert_eq!(code(body), expected, "{body}");
        }
    }

    #[test]
    fn what_is_absent_null_blank_or_unknown_is_nothing() {
        let body = r#"{"to": null, "greeting": " ", "voice": "chris", "warm_greeting": null, "dial": {"now": true}}"#;
        let wish = wish(body, None).unwrap();
        assert_eq!((wish.to.as_str(), wish.task.as_str()), ("", ""));
        assert_eq!((wish.greeting, wish.voice.as_deref()), (None, Some("chris")));
    }

    #[test]
    fn a_repeat_is_the_same_wish_however_it_is_written() {
        let hash = |body: &str| wish(body, Some("k")).unwrap().idempotency.unwrap().request_hash;
        let once = hash(r#"{"to": "+12065550142", "task": "ask"}"#);
        assert_eq!(once, hash(r#"{ "unknown": 1, "task":"ask", "to":"+12065550142" }"#));
        assert_ne!(once, hash(r#"{"to": "+12065550142", "task": "ask again"}"#));
        for later in [
            r#""may_commit": true"#,
            r#""may_commit": "true""#,
            r#""result_schema": {"a": 1}"#,
            r#""follow_up_to": "x""#,
            r#""supplied": "x""#,
            r#""not_before": "2026-11-23T09:00:00Z""#,
            r#""not_after": "2026-11-23T09:00:00Z""#,
            r#""warm_greeting": false"#,
            r#""loop_in_user": true"#,
        ] {
            let other = hash(&format!(r#"{{"to": "+12065550142", "task": "ask", {later}}}"#));
            assert_ne!(once, other, "{later}");
        }
        // A text must not be taken for its neighbour.
        let personality = hash(r#"{"to": "+12065550142", "task": "ask", "personality": "x"}"#);
        assert_ne!(personality, hash(r#"{"to": "+12065550142", "task": "ask", "greeting": "x"}"#));
    }

    #[test]
    fn a_handoff_can_be_switched_off() {
        let body =
            r#"{"to": "+12065550142", "task": "x", "bridge_number": "+13125550163", "loop_in_user": false}"#;
        assert_eq!(wish(body, None).unwrap().bridge_number, None);
        let kept = wish(&body.replace(r#", "loop_in_user": false"#, ""), None).unwrap();
        assert_eq!(kept.bridge_number.as_deref(), Some("+13125550163"));
    }
}
