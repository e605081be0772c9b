//! Events from the server, as far as a call cares; whatever else arrives stops here.
//!
//! One flat, borrowed reading of the JSON: an audio delta is the bulk of the traffic and is not copied on its way
//! to the base64 decoder. Events go by their beta names too, and events without meaning for us are `None`.
//!
//! Compatible servers differ in details: a number with a fraction, a code that is a number, a field that is missing or of
//! another shape. A field that can't be read counts as missing; no event is lost for it.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// What the server tells.
#[derive(Debug, PartialEq)]
pub(super) enum ServerEvent<'a> {
    SessionCreated(Session<'a>),
    SessionUpdated(Session<'a>),
    SpeechStarted {
        item_id: Text<'a>,
        audio_start_ms: Option<u64>,
    },
    SpeechStopped {
        item_id: Text<'a>,
        audio_end_ms: Option<u64>,
    },
    Committed {
        item_id: Text<'a>,
    },
    RemoteTranscript {
        item_id: Text<'a>,
        transcript: Text<'a>,
    },
    RemoteTranscriptFailed {
        item_id: Text<'a>,
        error: ErrorBody<'a>,
    },
    ResponseCreated {
        response_id: Text<'a>,
    },
    /// The voice begins a piece of speech.
    VoiceItem {
        response_id: Text<'a>,
        item_id: Text<'a>,
    },
    Audio {
        response_id: Text<'a>,
        item_id: Text<'a>,
        base64: Text<'a>,
    },
    AudioDone {
        item_id: Text<'a>,
    },
    VoiceTextDelta {
        response_id: Text<'a>,
        item_id: Text<'a>,
        delta: Text<'a>,
    },
    VoiceTextDone {
        item_id: Text<'a>,
        text: Text<'a>,
    },
    FunctionCall {
        call_id: Text<'a>,
        name: Text<'a>,
        arguments: Text<'a>,
    },
    ResponseDone(Response<'a>),
    RateLimits(Vec<RateLimit<'a>>),
    Error(ErrorBody<'a>),
    /// Of a kind that offhook has never heard of.
    Unknown {
        kind: Text<'a>,
    },
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Session<'a> {
    #[serde(borrow)]
    pub model: Option<Text<'a>>,
    /// Unix seconds.
    #[serde(deserialize_with = "lenient")]
    pub expires_at: Option<f64>,
    #[serde(borrow, deserialize_with = "lenient")]
    pub audio: Option<SessionAudio<'a>>,
}

impl Session<'_> {
    /// What the server is going to speak, where it says so.
    pub fn output_format(&self) -> Option<&str> {
        Some(&self.audio.as_ref()?.output.as_ref()?.format.as_ref()?.name.as_ref()?.0)
    }
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct SessionAudio<'a> {
    #[serde(borrow, deserialize_with = "lenient")]
    output: Option<SessionAudioOutput<'a>>,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct SessionAudioOutput<'a> {
    #[serde(borrow, deserialize_with = "lenient")]
    format: Option<Format<'a>>,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Format<'a> {
    #[serde(rename = "type", borrow)]
    name: Option<Text<'a>>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct ErrorBody<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    code: Option<Text<'a>>,
    #[serde(borrow)]
    message: Option<Text<'a>>,
    /// Our event at fault.
    #[serde(borrow)]
    event_id: Option<Text<'a>>,
}

impl ErrorBody<'_> {
    pub fn code(&self) -> &str {
        text(&self.code).or_else(|| text(&self.kind)).unwrap_or("unknown")
    }

    pub fn message(&self) -> &str {
        text(&self.message).unwrap_or("no message")
    }

    pub fn event_id(&self) -> Option<&str> {
        text(&self.event_id)
    }
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Response<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    status: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "lenient")]
    pub status_details: Option<StatusDetails<'a>>,
}

impl Response<'_> {
    pub fn id(&self) -> &str {
        text(&self.id).unwrap_or_default()
    }

    pub fn status(&self) -> &str {
        text(&self.status).unwrap_or("completed")
    }
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct StatusDetails<'a> {
    #[serde(borrow)]
    reason: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "lenient")]
    pub error: Option<ErrorBody<'a>>,
}

impl StatusDetails<'_> {
    pub fn reason(&self) -> Option<&str> {
        text(&self.reason)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct RateLimit<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(deserialize_with = "lenient")]
    pub remaining: Option<f64>,
    #[serde(deserialize_with = "lenient")]
    pub reset_seconds: Option<f64>,
}

impl RateLimit<'_> {
    pub fn name(&self) -> &str {
        text(&self.name).unwrap_or("unknown")
    }
}

/// A string that borrows where it can, and a number where a string was expected. Its `Debug` shows how long it is:
/// most of what a server sends was said by somebody.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Text<'a>(pub Cow<'a, str>);

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} bytes>", self.0.len())
    }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor).map(Self)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Cow::Owned(number.to_string()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Cow::Owned(number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Cow::Owned(number.to_string()))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Cow::default())
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Cow::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Cow::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Cow::default())
    }
}

/// `None` for what is there and can't be read.
fn lenient<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let raw = <&'de RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str(raw.get()).ok())
}

fn text<'a>(text: &'a Option<Text<'_>>) -> Option<&'a str> {
    text.as_ref().map(|text| &*text.0)
}

/// All fields any event of interest has, at the top level.
#[derive(Debug, Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
    #[serde(borrow, default)]
    item_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    response_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    call_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    name: Option<Text<'a>>,
    #[serde(borrow, default)]
    delta: Option<Text<'a>>,
    #[serde(borrow, default)]
    transcript: Option<Text<'a>>,
    #[serde(borrow, default)]
    arguments: Option<Text<'a>>,
    #[serde(default, deserialize_with = "lenient")]
    audio_start_ms: Option<f64>,
    #[serde(default, deserialize_with = "lenient")]
    audio_end_ms: Option<f64>,
    #[serde(borrow, default)]
    session: Option<&'a RawValue>,
    #[serde(borrow, default)]
    response: Option<&'a RawValue>,
    #[serde(borrow, default)]
    item: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    rate_limits: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Item<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(rename = "type", borrow)]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    status: Option<Text<'a>>,
    #[serde(borrow)]
    call_id: Option<Text<'a>>,
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    arguments: Option<Text<'a>>,
}

/// `None` for what has no meaning for a call. The error is for what is no event at all.
pub(super) fn parse(text: &str) -> Result<Option<ServerEvent<'_>>, serde_json::Error> {
    let envelope: Envelope<'_> = serde_json::from_str(text)?;
    Ok(envelope.event())
}

/// What of it can be read.
fn read<'a, T: Deserialize<'a> + Default>(raw: Option<&'a RawValue>) -> T {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
}

/// Kinds that say nothing a call has a use for.
fn has_no_meaning(kind: &str) -> bool {
    const WHOLE: &[&str] = &[
        "conversation.created",
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.segment",
        "input_audio_buffer.cleared",
        "input_audio_buffer.timeout_triggered",
        "response.function_call_arguments.delta",
        "ping",
    ];
    const BEGIN: &[&str] = &[
        "conversation.item.added",
        "conversation.item.created",
        "conversation.item.deleted",
        "conversation.item.done",
        "conversation.item.retrieved",
        "conversation.item.truncated",
        "mcp_list_tools.",
        "output_audio_buffer.",
        "response.content_part.",
        "response.mcp_call",
        "response.output_text.",
        "response.text.",
        "transcription_session.",
    ];
    WHOLE.contains(&kind) || BEGIN.iter().any(|begin| kind.starts_with(begin))
}

impl<'a> Envelope<'a> {
    fn event(self) -> Option<ServerEvent<'a>> {
        let item_id = self.item_id.clone().unwrap_or_default();
        let response_id = self.response_id.clone().unwrap_or_default();
        Some(match &*self.kind.0 {
            "response.output_audio.delta" | "response.audio.delta" => {
                ServerEvent::Audio { response_id, item_id, base64: self.delta? }
            }
            "response.output_audio.done" | "response.audio.done" => ServerEvent::AudioDone { item_id },
            "response.output_audio_transcript.delta" | "response.audio_transcript.delta" => {
                ServerEvent::VoiceTextDelta { response_id, item_id, delta: self.delta? }
            }
            "response.output_audio_transcript.done" | "response.audio_transcript.done" => {
                ServerEvent::VoiceTextDone { item_id, text: self.transcript? }
            }
            "input_audio_buffer.speech_started" => {
                ServerEvent::SpeechStarted { item_id, audio_start_ms: whole(self.audio_start_ms) }
            }
            "input_audio_buffer.speech_stopped" => {
                ServerEvent::SpeechStopped { item_id, audio_end_ms: whole(self.audio_end_ms) }
            }
            "input_audio_buffer.committed" => ServerEvent::Committed { item_id },
            "conversation.item.input_audio_transcription.completed" => {
                ServerEvent::RemoteTranscript { item_id, transcript: self.transcript.unwrap_or_default() }
            }
            "conversation.item.input_audio_transcription.failed" => {
                ServerEvent::RemoteTranscriptFailed { item_id, error: read(self.error) }
            }
            "session.created" => ServerEvent::SessionCreated(read(self.session)),
            "session.updated" => ServerEvent::SessionUpdated(read(self.session)),
            "response.created" => ServerEvent::ResponseCreated {
                response_id: read::<Item<'a>>(self.response).id.unwrap_or_default(),
            },
            "response.output_item.added" => return self.item_added(),
            "response.output_item.done" => return self.item_done(),
            "response.function_call_arguments.done" => return self.function_call(),
            "response.done" => ServerEvent::ResponseDone(read(self.response)),
            "rate_limits.updated" => ServerEvent::RateLimits(read(self.rate_limits)),
            "error" => ServerEvent::Error(read(self.error)),
            kind if has_no_meaning(kind) => return None,
            _ => ServerEvent::Unknown { kind: self.kind },
        })
    }

    fn item_added(self) -> Option<ServerEvent<'a>> {
        let item: Item<'a> = read(self.item);
        let message = item.kind.is_some_and(|kind| &*kind == "message");
        let item_id = item.id.filter(|_| message)?;
        Some(ServerEvent::VoiceItem { response_id: self.response_id.unwrap_or_default(), item_id })
    }

    /// A function call is reported here and by its arguments, which do not name the function everywhere. One that
    /// was cut off has arguments that mean nothing.
    fn item_done(self) -> Option<ServerEvent<'a>> {
        let item: Item<'a> = read(self.item);
        let is = |field: &Option<Text<'a>>, value: &str| field.as_deref() == Some(value);
        if !is(&item.kind, "function_call") || is(&item.status, "incomplete") {
            return None;
        }
        Some(ServerEvent::FunctionCall {
            call_id: item.call_id?,
            name: item.name?,
            arguments: item.arguments?,
        })
    }

    fn function_call(self) -> Option<ServerEvent<'a>> {
        Some(ServerEvent::FunctionCall {
            call_id: self.call_id?,
            name: self.name?,
            arguments: self.arguments?,
        })
    }
}

/// Some servers count in fractions.
fn whole(ms: Option<f64>) -> Option<u64> {
    ms.map(|ms| ms as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beta_names_mean_the_same() {
        let table = [
            (r#""response.audio.delta","item_id":"i","response_id":"r","delta":"AAAA""#, "Audio"),
            (r#""response.audio.done","item_id":"i","response_id":"r""#, "AudioDone"),
            (r#""response.audio_transcript.delta","item_id":"i","delta":"Hel""#, "VoiceTextDelta"),
            (r#""response.audio_transcript.done","item_id":"i","transcript":"Hello""#, "VoiceTextDone"),
        ];
        for (beta, expected) in table {
            let ga = beta.replace("response.audio", "response.output_audio");
            let beta = format!("{{\"type\":{beta}}}");
            let ga = format!("{{\"type\":{ga}}}");
            let event = parse(&beta).unwrap().unwrap();
            assert!(format!("{event:?}").starts_with(expected), "{event:?}");
            assert_eq!(Some(event), parse(&ga).unwrap());
        }
    }

    #[test]
    fn what_has_no_meaning_stops_here() {
        for text in [
            r#"{"type":"conversation.item.created","item":{"id":"i","type":"message"}}"#,
            r#"{"type":"conversation.item.added","item":{"id":"i","type":"message"}}"#,
            r#"{"type":"response.output_item.done","item":{"id":"i","type":"function_call","status":"incomplete","call_id":"c","name":"end_call","arguments":"{\"rea"}}"#,
            r#"{"type":"response.content_part.added","part":{"type":"audio"},"item_id":null}"#,
        ] {
            assert_eq!(parse(text).unwrap(), None, "{text}");
        }
        for text in ["", "[]", "{}", "\"x\""] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    /// Whatever a compatible server does differently: what can be read counts.
    #[test]
    fn no_event_is_lost_for_a_detail() {
        let table = [
            (
                r#"{"type":"input_audio_buffer.speech_started","item_id":"i\u002f1","audio_start_ms":12.75}"#,
                ServerEvent::SpeechStarted { item_id: text_of("i/1"), audio_start_ms: Some(12) },
            ),
            (
                r#"{"type":"input_audio_buffer.speech_started","audio_start_ms":"soon"}"#,
                ServerEvent::SpeechStarted { item_id: text_of(""), audio_start_ms: None },
            ),
            (
                r#"{"type":"response.created","response":{"id":"r\"1","status":null}}"#,
                ServerEvent::ResponseCreated { response_id: text_of("r\"1") },
            ),
            (r#"{"type":"response.created"}"#, ServerEvent::ResponseCreated { response_id: text_of("") }),
            (
                r#"{"type":"response.output_item.done","item":{"id":7,"type":"function_call","call_id":"c\n","name":"end_call","arguments":"{}"}}"#,
                ServerEvent::FunctionCall {
                    call_id: text_of("c\n"),
                    name: text_of("end_call"),
                    arguments: text_of("{}"),
                },
            ),
            (r#"{"type":7}"#, ServerEvent::Unknown { kind: text_of("7") }),
            (
                r#"{"type":"from.the.future","item_id":["x"]}"#,
                ServerEvent::Unknown { kind: text_of("from.the.future") },
            ),
        ];
        for (text, event) in table {
            assert_eq!(parse(text).unwrap(), Some(event), "{text}");
        }
        let Some(ServerEvent::Error(error)) =
            parse(r#"{"type":"error","error":{"code":429,"message":"Slow down.","event_id":null}}"#).unwrap()
        else {
            panic!()
        };
        assert_eq!((error.code(), error.message(), error.event_id()), ("429", "Slow down.", None));
        let Some(ServerEvent::Error(error)) = parse(r#"{"type":"error","error":7}"#).unwrap() else {
            panic!()
        };
        assert_eq!(error.code(), "unknown");
        let Some(ServerEvent::SessionCreated(session)) = parse(
            r#"{"type":"session.created","session":{"model":"m","expires_at":1763686800.5,"audio":{"output":{"format":"pcm16"}}}}"#,
        )
        .unwrap() else {
            panic!()
        };
        assert_eq!((session.expires_at, session.output_format()), (Some(1_763_686_800.5), None));
        let Some(ServerEvent::ResponseDone(response)) = parse(
            r#"{"type":"response.done","response":{"id":"r1","status":"failed","status_details":"because"}}"#,
        )
        .unwrap() else {
            panic!()
        };
        assert_eq!((response.id(), response.status()), ("r1", "failed"));
    }

    fn text_of(text: &str) -> Text<'_> {
        Text(Cow::Borrowed(text))
    }

    /// Words of a call are no part of a log line.
    #[test]
    fn debug_shows_no_words() {
        let event = parse(r#"{"type":"response.audio_transcript.done","item_id":"i","transcript":"secret"}"#)
            .unwrap();
        assert!(!format!("{event:?}").contains("secret"));
    }

    #[test]
    fn audio_is_borrowed() {
        let text = r#"{"type":"response.output_audio.delta","event_id":"e","response_id":"r","item_id":"i","output_index":0,"content_index":0,"delta":"//8="}"#;
        let Some(ServerEvent::Audio { base64, .. }) = parse(text).unwrap() else { panic!() };
        assert!(text.as_bytes().as_ptr_range().contains(&base64.as_ptr()));
    }
}
