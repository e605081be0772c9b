//! Events from the server, as far as a call cares; whatever else arrives stops here.
//!
//! One flat, borrowed reading of the JSON: an audio delta is the bulk of the traffic and is not copied on its way
//! to the base64 decoder. Events go by their beta names too, and events without meaning for us are `None`.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// What the server tells.
#[derive(Debug, PartialEq)]
pub(super) enum ServerEvent<'a> {
    SessionCreated(Session<'a>),
    SessionUpdated(Session<'a>),
    SpeechStarted {
        item_id: &'a str,
        audio_start_ms: u64,
    },
    SpeechStopped {
        item_id: &'a str,
        audio_end_ms: u64,
    },
    Committed {
        item_id: &'a str,
    },
    RemoteTranscript {
        item_id: &'a str,
        transcript: Cow<'a, str>,
    },
    RemoteTranscriptFailed {
        item_id: &'a str,
        error: ErrorBody<'a>,
    },
    ResponseCreated {
        response_id: &'a str,
    },
    /// The voice begins a piece of speech.
    VoiceItem {
        response_id: &'a str,
        item_id: &'a str,
    },
    Audio {
        response_id: &'a str,
        item_id: &'a str,
        base64: Cow<'a, str>,
    },
    AudioDone {
        item_id: &'a str,
    },
    VoiceTextDelta {
        response_id: &'a str,
        item_id: &'a str,
        delta: Cow<'a, str>,
    },
    VoiceTextDone {
        item_id: &'a str,
        text: Cow<'a, str>,
    },
    FunctionCall {
        call_id: &'a str,
        name: &'a str,
        arguments: Cow<'a, str>,
    },
    ResponseDone(Response<'a>),
    RateLimits(Vec<RateLimit<'a>>),
    Error(ErrorBody<'a>),
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Session<'a> {
    #[serde(borrow)]
    pub model: Option<Text<'a>>,
    /// Unix seconds.
    pub expires_at: Option<i64>,
    #[serde(borrow)]
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
    #[serde(borrow)]
    output: Option<SessionAudioOutput<'a>>,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct SessionAudioOutput<'a> {
    #[serde(borrow)]
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
    #[serde(borrow)]
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
    #[serde(borrow)]
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
    pub remaining: Option<i64>,
    pub reset_seconds: Option<f64>,
}

impl RateLimit<'_> {
    pub fn name(&self) -> &str {
        text(&self.name).unwrap_or("unknown")
    }
}

/// A string that borrows where it can; serde does not do that inside an `Option` by itself.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

fn text<'a>(text: &'a Option<Text<'_>>) -> Option<&'a str> {
    text.as_ref().map(|text| &*text.0)
}

/// All fields any event of interest has, at the top level.
#[derive(Debug, Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
    #[serde(default)]
    item_id: Option<&'a str>,
    #[serde(default)]
    response_id: Option<&'a str>,
    #[serde(default)]
    call_id: Option<&'a str>,
    #[serde(default)]
    name: Option<&'a str>,
    #[serde(borrow, default)]
    delta: Option<Text<'a>>,
    #[serde(borrow, default)]
    transcript: Option<Text<'a>>,
    #[serde(borrow, default)]
    arguments: Option<Text<'a>>,
    #[serde(default)]
    audio_start_ms: Option<u64>,
    #[serde(default)]
    audio_end_ms: Option<u64>,
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
    id: Option<&'a str>,
    #[serde(rename = "type")]
    kind: Option<&'a str>,
    status: Option<&'a str>,
    call_id: Option<&'a str>,
    name: Option<&'a str>,
    #[serde(borrow)]
    arguments: Option<Text<'a>>,
}

/// `None` for what has no meaning for a call. The error is for what claims to be an event and is none.
pub(super) fn parse(text: &str) -> Result<Option<ServerEvent<'_>>, serde_json::Error> {
    let envelope: Envelope<'_> = serde_json::from_str(text)?;
    envelope.event()
}

fn read<'a, T: Deserialize<'a> + Default>(raw: Option<&'a RawValue>) -> Result<T, serde_json::Error> {
    raw.map_or_else(|| Ok(T::default()), |raw| serde_json::from_str(raw.get()))
}

impl<'a> Envelope<'a> {
    fn event(self) -> Result<Option<ServerEvent<'a>>, serde_json::Error> {
        let item_id = self.item_id.unwrap_or_default();
        let response_id = self.response_id.unwrap_or_default();
        Ok(Some(match &*self.kind.0 {
            "response.output_audio.delta" | "response.audio.delta" => {
                let Some(Text(base64)) = self.delta else { return Ok(None) };
                ServerEvent::Audio { response_id, item_id, base64 }
            }
            "response.output_audio.done" | "response.audio.done" => ServerEvent::AudioDone { item_id },
            "response.output_audio_transcript.delta" | "response.audio_transcript.delta" => {
                let Some(Text(delta)) = self.delta else { return Ok(None) };
                ServerEvent::VoiceTextDelta { response_id, item_id, delta }
            }
            "response.output_audio_transcript.done" | "response.audio_transcript.done" => {
                let Some(Text(text)) = self.transcript else { return Ok(None) };
                ServerEvent::VoiceTextDone { item_id, text }
            }
            "input_audio_buffer.speech_started" => ServerEvent::SpeechStarted {
                item_id,
                audio_start_ms: self.audio_start_ms.unwrap_or_default(),
            },
            "input_audio_buffer.speech_stopped" => {
                ServerEvent::SpeechStopped { item_id, audio_end_ms: self.audio_end_ms.unwrap_or_default() }
            }
            "input_audio_buffer.committed" => ServerEvent::Committed { item_id },
            "conversation.item.input_audio_transcription.completed" => {
                let transcript = self.transcript.map(|text| text.0).unwrap_or_default();
                ServerEvent::RemoteTranscript { item_id, transcript }
            }
            "conversation.item.input_audio_transcription.failed" => {
                ServerEvent::RemoteTranscriptFailed { item_id, error: read(self.error)? }
            }
            "session.created" => ServerEvent::SessionCreated(read(self.session)?),
            "session.updated" => ServerEvent::SessionUpdated(read(self.session)?),
            "response.created" => ServerEvent::ResponseCreated { response_id: self.created_id()? },
            "response.output_item.added" => return self.item_added(),
            "response.output_item.done" => return self.item_done(),
            "response.function_call_arguments.done" => return Ok(self.function_call()),
            "response.done" => ServerEvent::ResponseDone(read(self.response)?),
            "rate_limits.updated" => ServerEvent::RateLimits(read(self.rate_limits)?),
            "error" => ServerEvent::Error(read(self.error)?),
            _ => return Ok(None),
        }))
    }

    fn created_id(&self) -> Result<&'a str, serde_json::Error> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Created<'a> {
            id: Option<&'a str>,
        }
        Ok(read::<Created<'a>>(self.response)?.id.unwrap_or_default())
    }

    fn item_added(&self) -> Result<Option<ServerEvent<'a>>, serde_json::Error> {
        let item: Item<'a> = read(self.item)?;
        let (Some("message"), Some(item_id)) = (item.kind, item.id) else { return Ok(None) };
        Ok(Some(ServerEvent::VoiceItem { response_id: self.response_id.unwrap_or_default(), item_id }))
    }

    /// A function call is reported here and by its arguments, which do not name the function everywhere. One that
    /// was cut off has arguments that mean nothing.
    fn item_done(self) -> Result<Option<ServerEvent<'a>>, serde_json::Error> {
        let item: Item<'a> = read(self.item)?;
        if item.kind != Some("function_call") || item.status == Some("incomplete") {
            return Ok(None);
        }
        let (Some(call_id), Some(name), Some(Text(arguments))) = (item.call_id, item.name, item.arguments)
        else {
            return Ok(None);
        };
        Ok(Some(ServerEvent::FunctionCall { call_id, name, arguments }))
    }

    fn function_call(self) -> Option<ServerEvent<'a>> {
        let Text(arguments) = self.arguments?;
        Some(ServerEvent::FunctionCall { call_id: self.call_id?, name: self.name?, arguments })
    }
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
            r#"{"type":"from.the.future","item_id":"x","new":[1,{"a":null}]}"#,
        ] {
            assert_eq!(parse(text).unwrap(), None, "{text}");
        }
        for text in ["", "[]", "{}", "\"x\"", r#"{"type":7}"#, r#"{"type":"error","error":7}"#] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn audio_is_borrowed() {
        let text = r#"{"type":"response.output_audio.delta","event_id":"e","response_id":"r","item_id":"i","output_index":0,"content_index":0,"delta":"//8="}"#;
        let Some(ServerEvent::Audio { base64, .. }) = parse(text).unwrap() else { panic!() };
        assert!(text.as_bytes().as_ptr_range().contains(&base64.as_ptr()));
    }
}
