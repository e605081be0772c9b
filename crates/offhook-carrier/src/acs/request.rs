//! What we ask of ACS: one constructor an operation, with its method, path and body.

use std::fmt;

use offhook_core::PhoneNumber;
use offhook_core::audio::SampleRate;
use offhook_core::{AudioFormat, EndReason};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use uuid::Uuid;

/// Which operation a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    Create,
    Answer,
    Reject,
    Redirect,
    HangUp,
    Terminate,
    Transfer,
    AddParticipant,
    SendDigits,
    StartMedia,
    StopMedia,
    /// Ask for a call.
    Look,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
    Delete,
}

impl Method {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }
}

/// A request, the same for every try of it.
#[derive(Clone)]
pub struct Request {
    pub operation: Operation,
    pub method: Method,
    /// Without the query.
    pub path: String,
    pub body: Vec<u8>,
    /// With it the service does only once what it is asked several times (OASIS repeatable requests).
    pub repeatability: Option<Uuid>,
}

/// Whom a request is about, as ACS names them.
#[derive(Clone, PartialEq, Eq)]
pub struct Identifier {
    raw_id: String,
}

/// Where the audio of a call is to go.
#[derive(Clone)]
pub struct MediaOptions {
    pub url: SecretString,
    pub format: AudioFormat,
}

/// A call to be placed.
#[derive(Clone, Debug)]
pub struct Create<'a> {
    pub to: &'a PhoneNumber,
    pub from: &'a PhoneNumber,
    pub display_name: Option<&'a str>,
    pub context: &'a str,
    pub callback_url: &'a SecretString,
    pub media: &'a MediaOptions,
}

const CALLS: &str = "/calling/callConnections";

impl Operation {
    /// Of those the service promises to do only once what carries the same Repeatability headers.
    const fn is_repeatable(self) -> bool {
        match self {
            Self::Create
            | Self::Answer
            | Self::Reject
            | Self::Redirect
            | Self::Terminate
            | Self::Transfer
            | Self::AddParticipant
            | Self::SendDigits => true,
            Self::HangUp | Self::StartMedia | Self::StopMedia | Self::Look => false,
        }
    }

    /// Whether doing it twice is as good as once.
    const fn is_idempotent(self) -> bool {
        matches!(self, Self::HangUp | Self::Terminate | Self::Look)
    }
}

impl Request {
    fn new(operation: Operation, method: Method, path: String, body: Option<Value>) -> Self {
        let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let repeatability = operation.is_repeatable().then(Uuid::new_v4);
        Self { operation, method, path, body, repeatability }
    }

    fn post(operation: Operation, path: String, body: Value) -> Self {
        Self::new(operation, Method::Post, path, Some(body))
    }

    /// Whether it may be sent again although it may have been done.
    pub fn may_repeat(&self) -> bool {
        self.repeatability.is_some() || self.operation.is_idempotent()
    }

    pub fn create(create: &Create<'_>) -> Self {
        let Create { to, from, display_name, context, callback_url, media } = create;
        let mut body = json!({
            "targets": [Identifier::phone(to).json()],
            "sourceCallerIdNumber": {"value": from.as_e164()},
            "operationContext": context,
            "callbackUri": callback_url.expose_secret(),
            "mediaStreamingOptions": media.json(),
        });
        if let Some(name) = display_name {
            body["sourceDisplayName"] = json!(name);
        }
        Self::post(Operation::Create, CALLS.to_owned(), body)
    }

    pub fn answer(
        incoming: &SecretString,
        context: &str,
        callback_url: &SecretString,
        media: &MediaOptions,
    ) -> Self {
        let body = json!({
            "incomingCallContext": incoming.expose_secret(),
            "operationContext": context,
            "callbackUri": callback_url.expose_secret(),
            "mediaStreamingOptions": media.json(),
        });
        Self::post(Operation::Answer, format!("{CALLS}:answer"), body)
    }

    pub fn reject(incoming: &SecretString, reason: EndReason) -> Self {
        let body = json!({
            "incomingCallContext": incoming.expose_secret(),
            "callRejectReason": reject_reason(reason),
        });
        Self::post(Operation::Reject, format!("{CALLS}:reject"), body)
    }

    /// Let another phone ring for a call that is not answered yet.
    pub fn redirect(incoming: &SecretString, to: &PhoneNumber) -> Self {
        let body = json!({
            "incomingCallContext": incoming.expose_secret(),
            "target": Identifier::phone(to).json(),
        });
        Self::post(Operation::Redirect, format!("{CALLS}:redirect"), body)
    }

    /// Leave a call that goes on without us, if anybody is left.
    pub fn hang_up(connection: &str) -> Self {
        Self::new(Operation::HangUp, Method::Delete, call(connection), None)
    }

    /// End it for everybody.
    pub fn terminate(connection: &str) -> Self {
        Self::new(Operation::Terminate, Method::Post, action(connection, "terminate"), None)
    }

    /// Connect the other side with somebody else, and leave.
    pub fn transfer(connection: &str, to: &PhoneNumber, from: &PhoneNumber, context: &str) -> Self {
        let body = json!({
            "targetParticipant": Identifier::phone(to).json(),
            "sourceCallerIdNumber": {"value": from.as_e164()},
            "operationContext": context,
        });
        Self::post(Operation::Transfer, action(connection, "transferToParticipant"), body)
    }

    /// Call somebody into a call.
    pub fn add_participant(connection: &str, to: &PhoneNumber, from: &PhoneNumber, context: &str) -> Self {
        let body = json!({
            "participantToAdd": Identifier::phone(to).json(),
            "sourceCallerIdNumber": {"value": from.as_e164()},
            "operationContext": context,
        });
        let path = format!("{}/participants:add", call(connection));
        Self::post(Operation::AddParticipant, path, body)
    }

    pub fn send_digits(connection: &str, to: &Identifier, tones: &[&str], context: &str) -> Self {
        let body = json!({"tones": tones, "targetParticipant": to.json(), "operationContext": context});
        Self::post(Operation::SendDigits, action(connection, "sendDtmfTones"), body)
    }

    pub fn start_media(connection: &str) -> Self {
        Self::post(Operation::StartMedia, action(connection, "startMediaStreaming"), json!({}))
    }

    pub fn stop_media(connection: &str) -> Self {
        Self::post(Operation::StopMedia, action(connection, "stopMediaStreaming"), json!({}))
    }

    pub fn look(connection: &str) -> Self {
        Self::new(Operation::Look, Method::Get, call(connection), None)
    }
}

impl Identifier {
    pub fn phone(number: &PhoneNumber) -> Self {
        Self { raw_id: format!("4:{number}") }
    }

    /// As ACS named it; `None` for an empty one.
    pub fn raw(raw_id: &str) -> Option<Self> {
        (!raw_id.is_empty()).then(|| Self { raw_id: raw_id.to_owned() })
    }

    fn json(&self) -> Value {
        let raw_id = &self.raw_id;
        match raw_id.split_once(':') {
            Some(("4", number)) => json!({"rawId": raw_id, "phoneNumber": {"value": number}}),
            Some(("8", rest)) if rest.starts_with("orgid:") => {
                json!({"rawId": raw_id, "microsoftTeamsUser": {"userId": &rest["orgid:".len()..]}})
            }
            Some(("28", app)) => json!({"rawId": raw_id, "microsoftTeamsApp": {"appId": app}}),
            _ => json!({"rawId": raw_id, "communicationUser": {"id": raw_id}}),
        }
    }
}

impl MediaOptions {
    fn json(&self) -> Value {
        json!({
            "transportType": "websocket",
            "transportUrl": self.url.expose_secret(),
            "contentType": "audio",
            "audioChannelType": "mixed",
            "startMediaStreaming": true,
            "enableBidirectional": true,
            "enableDtmfTones": true,
            "audioFormat": match self.format.sample_rate() {
                SampleRate::Hz24000 => "pcm24KMono",
                SampleRate::Hz16000 | SampleRate::Hz8000 => "pcm16KMono",
            },
        })
    }
}

/// What the caller hears of a call we do not take.
fn reject_reason(reason: EndReason) -> &'static str {
    match reason {
        EndReason::RemoteBusy | EndReason::CarrierNoLine => "busy",
        EndReason::PolicyRefused | EndReason::OwnerCancelled => "forbidden",
        _ => "none",
    }
}

fn call(connection: &str) -> String {
    let mut path = String::from(CALLS);
    path.push('/');
    for byte in connection.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => path.push(byte.into()),
            _ => path.push_str(&format!("%{byte:02X}")),
        }
    }
    path
}

fn action(connection: &str, action: &str) -> String {
    format!("{}:{action}", call(connection))
}

/// Without path and body: they hold ids, numbers and secrets.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({:?}, {} bytes)", self.operation, self.body.len())
    }
}

impl fmt::Debug for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identifier(…)")
    }
}

impl fmt::Debug for MediaOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MediaOptions({})", self.format.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> PhoneNumber {
        PhoneNumber::parse(text).expect(text)
    }

    fn media() -> MediaOptions {
        let url = "wss://voice.example/webhooks/acs/media/ref?token=secret".into();
        MediaOptions { url, format: AudioFormat::Pcm16(SampleRate::Hz24000) }
    }

    fn shown(request: &Request) -> String {
        let body = String::from_utf8(request.body.clone()).unwrap();
        let repeats = if request.repeatability.is_some() { " R" } else { "" };
        format!("{} {}{repeats}\n{body}", request.method.name(), request.path)
    }

    #[test]
    fn every_operation_as_it_is_sent() {
        let (to, from) = (number("+14155550100"), number("+14155550199"));
        let callback = "https://voice.example/webhooks/acs/calls/ref?token=secret".into();
        let context: SecretString = "eyJ".into();
        let create = Create {
            to: &to,
            from: &from,
            display_name: Some("Anna"),
            context: "ref",
            callback_url: &callback,
            media: &media(),
        };
        let all = [
            Request::create(&create),
            Request::answer(&context, "ref", &callback, &media()),
            Request::reject(&context, EndReason::CarrierNoLine),
            Request::redirect(&context, &to),
            Request::hang_up("id/1"),
            Request::terminate("id"),
            Request::transfer("id", &to, &from, "ref"),
            Request::add_participant("id", &to, &from, "ref"),
            Request::send_digits("id", &Identifier::phone(&to), &["one", "pound"], "digits"),
            Request::start_media("id"),
            Request::stop_media("id"),
            Request::look("id"),
        ];
        let all: Vec<String> = all.iter().map(shown).collect();
        expect_test::expect![[r#"
            POST /calling/callConnections R
            {"callbackUri":"https://voice.example/webhooks/acs/calls/ref?token=secret","mediaStreamingOptions":{"audioChannelType":"mixed","audioFormat":"pcm24KMono","contentType":"audio","enableBidirectional":true,"enableDtmfTones":true,"startMediaStreaming":true,"transportType":"websocket","transportUrl":"wss://voice.example/webhooks/acs/media/ref?token=secret"},"operationContext":"ref","sourceCallerIdNumber":{"value":"+14155550199"},"sourceDisplayName":"Anna","targets":[{"phoneNumber":{"value":"+14155550100"},"rawId":"4:+14155550100"}]}

            POST /calling/callConnections:answer R
            {"callbackUri":"https://voice.example/webhooks/acs/calls/ref?token=secret","incomingCallContext":"eyJ","mediaStreamingOptions":{"audioChannelType":"mixed","audioFormat":"pcm24KMono","contentType":"audio","enableBidirectional":true,"enableDtmfTones":true,"startMediaStreaming":true,"transportType":"websocket","transportUrl":"wss://voice.example/webhooks/acs/media/ref?token=secret"},"operationContext":"ref"}

            POST /calling/callConnections:reject R
            {"callRejectReason":"busy","incomingCallContext":"eyJ"}

            POST /calling/callConnections:redirect R
            {"incomingCallContext":"eyJ","target":{"phoneNumber":{"value":"+14155550100"},"rawId":"4:+14155550100"}}

            DELETE /calling/callConnections/id%2F1


            POST /calling/callConnections/id:terminate R


            POST /calling/callConnections/id:transferToParticipant R
            {"operationContext":"ref","sourceCallerIdNumber":{"value":"+14155550199"},"targetParticipant":{"phoneNumber":{"value":"+14155550100"},"rawId":"4:+14155550100"}}

            POST /calling/callConnections/id/participants:add R
            {"operationContext":"ref","participantToAdd":{"phoneNumber":{"value":"+14155550100"},"rawId":"4:+14155550100"},"sourceCallerIdNumber":{"value":"+14155550199"}}

            POST /calling/callConnections/id:sendDtmfTones R
            {"operationContext":"digits","targetParticipant":{"phoneNumber":{"value":"+14155550100"},"rawId":"4:+14155550100"},"tones":["one","pound"]}

            POST /calling/callConnections/id:startMediaStreaming
            {}

            POST /calling/callConnections/id:stopMediaStreaming
            {}

            GET /calling/callConnections/id
        "#]].assert_eq(&all.join("\n\n"));
    }

    #[test]
    fn the_remote_is_named_as_acs_named_it() {
        for (raw_id, expected) in [
            ("4:+15551230000", r#"{"phoneNumber":{"value":"+15551230000"},"rawId":"4:+15551230000"}"#),
            ("4:anonymous", r#"{"phoneNumber":{"value":"anonymous"},"rawId":"4:anonymous"}"#),
            ("8:acs:u_1", r#"{"communicationUser":{"id":"8:acs:u_1"},"rawId":"8:acs:u_1"}"#),
            ("8:orgid:u", r#"{"microsoftTeamsUser":{"userId":"u"},"rawId":"8:orgid:u"}"#),
            ("28:bot", r#"{"microsoftTeamsApp":{"appId":"bot"},"rawId":"28:bot"}"#),
        ] {
            assert_eq!(Identifier::raw(raw_id).unwrap().json().to_string(), expected);
        }
        assert_eq!(Identifier::raw(""), None);
    }

    #[test]
    fn what_may_be_sent_twice() {
        assert!(Request::terminate("id").may_repeat());
        assert!(Request::hang_up("id").may_repeat());
        assert!(Request::send_digits("id", &Identifier::raw("4:+1").unwrap(), &["one"], "").may_repeat());
        assert!(!Request::start_media("id").may_repeat());
    }

    #[test]
    fn nothing_secret_is_shown() {
        let request = Request::answer(&"context".into(), "ref", &"https://callback".into(), &media());
        let shown = format!("{request:?} {:?}", media());
        for secret in ["context", "callback", "voice.example", "secret"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
