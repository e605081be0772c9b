//! What ACS tells of a call: CloudEvents, one or several in a POST, of any version, in any order.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::result::ResultInformation;

/// More than these in one body are ignored.
const MOST: usize = 256;

macro_rules! kinds {
    ($($name:ident)*) => {
        /// `Microsoft.Communication.` and this.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Kind {
            $($name,)*
            /// One we do not know; there will be more.
            Unknown,
        }

        impl Kind {
            pub const ALL: &[(&str, Kind)] = &[$((stringify!($name), Kind::$name),)*];
        }
    };
}

kinds! {
    CallConnected
    CallDisconnected
    CreateCallFailed
    AnswerFailed
    ConnectFailed
    ParticipantsUpdated
    AddParticipantSucceeded
    AddParticipantFailed
    RemoveParticipantSucceeded
    RemoveParticipantFailed
    MoveParticipantSucceeded
    MoveParticipantFailed
    CancelAddParticipantSucceeded
    CancelAddParticipantFailed
    CallTransferAccepted
    CallTransferFailed
    PlayStarted
    PlayCompleted
    PlayCanceled
    PlayFailed
    RecognizeCompleted
    RecognizeFailed
    RecognizeCanceled
    ContinuousDtmfRecognitionToneReceived
    ContinuousDtmfRecognitionToneFailed
    ContinuousDtmfRecognitionStopped
    SendDtmfTonesCompleted
    SendDtmfTonesFailed
    HoldFailed
    RecordingStateChanged
    StartRecordingFailed
    MediaStreamingStarted
    MediaStreamingStopped
    MediaStreamingFailed
    TranscriptionStarted
    TranscriptionStopped
    TranscriptionUpdated
    TranscriptionFailed
}

impl Kind {
    fn of(type_name: &str) -> Self {
        let name = type_name.strip_prefix("Microsoft.Communication.").unwrap_or(type_name);
        Self::ALL.iter().find(|(known, _)| *known == name).map_or(Self::Unknown, |(_, kind)| *kind)
    }
}

/// One event, as far as it concerns us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Of the CloudEvent; the same one may come again.
    pub id: Option<String>,
    pub kind: Kind,
    pub connection: Option<String>,
    pub correlation: Option<String>,
    pub operation_context: Option<String>,
    pub result: Option<ResultInformation>,
    /// A key the remote pressed.
    pub tone: Option<String>,
    /// What became of the media connection.
    pub streaming: Option<String>,
    /// Whom ACS counts among the participants, by their raw ids.
    pub participants: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a callback is a list of CloudEvents as JSON")]
pub struct ParseEventsError;

/// All events of one body. What is no event among them is left out.
pub fn parse(body: &[u8]) -> Result<Vec<Event>, ParseEventsError> {
    let values = match serde_json::from_slice(body).map_err(|_| ParseEventsError)? {
        Value::Array(values) => values,
        value @ Value::Object(_) => vec![value],
        _ => return Err(ParseEventsError),
    };
    let objects = values.into_iter().filter(Value::is_object).take(MOST);
    let events = objects.filter_map(|value| Wire::deserialize(value).ok());
    Ok(events.map(Event::from).collect())
}

#[derive(Deserialize)]
struct Wire {
    #[serde(default, deserialize_with = "text")]
    id: Option<String>,
    #[serde(rename = "type", alias = "eventType", default, deserialize_with = "text")]
    kind: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    data: Option<Data>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Data {
    #[serde(deserialize_with = "text")]
    call_connection_id: Option<String>,
    #[serde(deserialize_with = "text")]
    correlation_id: Option<String>,
    #[serde(deserialize_with = "text")]
    operation_context: Option<String>,
    #[serde(deserialize_with = "lenient")]
    result_information: Option<ResultWire>,
    #[serde(deserialize_with = "text")]
    tone: Option<String>,
    #[serde(deserialize_with = "lenient")]
    media_streaming_update: Option<Streaming>,
    #[serde(deserialize_with = "lenient")]
    participants: Option<Vec<Participant>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ResultWire {
    #[serde(deserialize_with = "integer")]
    code: Option<i64>,
    #[serde(alias = "subcode", deserialize_with = "integer")]
    sub_code: Option<i64>,
    #[serde(deserialize_with = "text")]
    message: Option<String>,
    #[serde(deserialize_with = "lenient")]
    sip_details: Option<Details>,
    #[serde(deserialize_with = "lenient")]
    q850_details: Option<Details>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Details {
    #[serde(deserialize_with = "integer")]
    code: Option<i64>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Streaming {
    #[serde(deserialize_with = "text")]
    media_streaming_status: Option<String>,
    #[serde(deserialize_with = "text")]
    media_streaming_status_details: Option<String>,
}

#[derive(Deserialize)]
struct Participant {
    #[serde(default, deserialize_with = "lenient")]
    identifier: Option<Identifier>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identifier {
    #[serde(default, deserialize_with = "text")]
    raw_id: Option<String>,
}

/// What is not of the expected shape is as good as absent: one odd field must not cost the event.
fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<Option<T>, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(from)?).ok())
}

fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(from)? {
        Value::String(text) if !text.is_empty() => Some(text),
        _ => None,
    })
}

fn integer<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    Ok(match Value::deserialize(from)? {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    })
}

impl From<Wire> for Event {
    fn from(wire: Wire) -> Self {
        let data = wire.data.unwrap_or_default();
        let streaming = data.media_streaming_update.map(|update| {
            update.media_streaming_status_details.or(update.media_streaming_status).unwrap_or_default()
        });
        let raw_id = |participant: Participant| participant.identifier.and_then(|id| id.raw_id);
        Self {
            id: wire.id,
            kind: wire.kind.as_deref().map_or(Kind::Unknown, Kind::of),
            connection: data.call_connection_id,
            correlation: data.correlation_id,
            operation_context: data.operation_context,
            result: data.result_information.map(ResultInformation::from),
            tone: data.tone,
            streaming,
            participants: data.participants.unwrap_or_default().into_iter().filter_map(raw_id).collect(),
        }
    }
}

impl From<ResultWire> for ResultInformation {
    fn from(wire: ResultWire) -> Self {
        Self {
            code: wire.code,
            sub_code: wire.sub_code,
            message: wire.message.unwrap_or_default(),
            sip_code: wire.sip_details.and_then(|details| details.code),
            q850_code: wire.q850_details.and_then(|details| details.code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the live service sends it.
    const DISCONNECTED: &str = r#"[{
        "id": "5e1a1f1c-6f0d-4b7a-a1c5-000000000001",
        "source": "calling/callConnections/421f3500-0000-4000-8000-000000000001",
        "type": "Microsoft.Communication.CallDisconnected",
        "data": {
            "callConnectionId": "421f3500-0000-4000-8000-000000000001",
            "serverCallId": "aHR0cHM6Ly9leGFtcGxl",
            "correlationId": "d4f4c1b6-0000-4000-8000-000000000001",
            "operationContext": "ctx",
            "resultInformation": {
                "code": 500, "subCode": 560503, "message": "Busy Here. DiagCode: 500#560503.@",
                "sipDetails": {"code": 486, "message": "Busy Here"},
                "q850Details": {"code": 17, "message": "User busy"}
            },
            "version": "2026-03-12",
            "publicEventType": "Microsoft.Communication.CallDisconnected"
        },
        "time": "2026-05-06T16:31:49.3220776+00:00", "specversion": "1.0",
        "datacontenttype": "application/json", "subject": "calling/callConnections/421f3500"
    }]"#;

    #[test]
    fn an_event_of_the_live_service() {
        let [event] = <[Event; 1]>::try_from(parse(DISCONNECTED.as_bytes()).unwrap()).unwrap();
        assert_eq!(event.kind, Kind::CallDisconnected);
        assert_eq!(event.connection.as_deref(), Some("421f3500-0000-4000-8000-000000000001"));
        assert_eq!(event.operation_context.as_deref(), Some("ctx"));
        let result = event.result.unwrap();
        assert_eq!((result.code, result.sub_code), (Some(500), Some(560_503)));
        assert_eq!((result.sip_code, result.q850_code), (Some(486), Some(17)));
    }

    #[test]
    fn every_type_is_known_by_its_name() {
        for (name, kind) in Kind::ALL {
            let body = format!(r#"[{{"type":"Microsoft.Communication.{name}","data":{{}}}}]"#);
            assert_eq!(parse(body.as_bytes()).unwrap()[0].kind, *kind);
        }
        assert_eq!(Kind::ALL.len(), 38);
    }

    #[test]
    fn what_is_odd_costs_itself_and_nothing_else() {
        let only = |body: &str| {
            let events = parse(body.as_bytes()).unwrap();
            assert_eq!(events.len(), 1, "{body}");
            events.into_iter().next().unwrap()
        };
        let odd = only(r#"[7, "x", null, [], {"type":"Microsoft.Communication.CallConnected"}]"#);
        assert_eq!((odd.kind, odd.connection), (Kind::CallConnected, None));
        let odd = only(r#"{"id":7,"type":"Microsoft.Communication.FromTheFuture","data":[]}"#);
        assert_eq!((odd.kind, odd.id), (Kind::Unknown, None));
        let odd = only(
            r#"[{"type":"Microsoft.Communication.CallDisconnected","data":{"callConnectionId":"c",
                "resultInformation":{"code":"486","subcode":"560486","message":null,"sipDetails":"none"},
                "participants":"?","mediaStreamingUpdate":4,"tone":5}}]"#,
        );
        let result = odd.result.unwrap();
        assert_eq!((result.code, result.sub_code, result.sip_code), (Some(486), Some(560_486), None));
        let old = only(
            r#"[{"type":"Microsoft.Communication.CallConnected","data":{"callConnectionId":"c","eventSource":"s"}}]"#,
        );
        assert_eq!(old.result, None);
        for body in ["", "7", "\"text\"", "{", "nil", "\u{0}"] {
            assert_eq!(parse(body.as_bytes()), Err(ParseEventsError), "{body:?}");
        }
        assert_eq!(parse(b"[]"), Ok(Vec::new()));
    }

    #[test]
    fn what_else_concerns_us() {
        let body = r#"[
            {"type":"Microsoft.Communication.ContinuousDtmfRecognitionToneReceived","data":{"tone":"pound","sequenceId":1}},
            {"type":"Microsoft.Communication.MediaStreamingFailed","data":{"mediaStreamingUpdate":
                {"contentType":"Audio","mediaStreamingStatus":"mediaStreamingFailed",
                 "mediaStreamingStatusDetails":"initialWebSocketConnectionFailed"}}},
            {"type":"Microsoft.Communication.ParticipantsUpdated","data":{"participants":[
                {"identifier":{"rawId":"4:+15551230000","kind":"phoneNumber"},"isMuted":false},{"identifier":7},{}]}}
        ]"#;
        let events = parse(body.as_bytes()).unwrap();
        assert_eq!(events[0].tone.as_deref(), Some("pound"));
        assert_eq!(events[1].streaming.as_deref(), Some("initialWebSocketConnectionFailed"));
        assert_eq!(events[2].participants, ["4:+15551230000"]);
    }
}
