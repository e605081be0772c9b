//! What the service tells: CloudEvents, one array to a POST.

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::call::Seen;

/// How something came out, in the words of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub code: u16,
    pub sub_code: u32,
    pub message: String,
    pub sip: Option<(u16, String)>,
    pub q850: Option<u16>,
}

impl Outcome {
    pub fn new(code: u16, sub_code: u32, message: &str) -> Self {
        Self { code, sub_code, message: message.to_owned(), sip: None, q850: None }
    }

    /// With the word of the telephone network behind it.
    pub fn sip(status: u16, sub_code: u32, phrase: &str, q850: Option<u16>) -> Self {
        let message = format!("{phrase}. DiagCode: {status}#{sub_code}.@");
        Self { sip: Some((status, phrase.to_owned())), q850, ..Self::new(status, sub_code, &message) }
    }

    pub fn done() -> Self {
        Self::new(200, 0, "Action completed successfully.")
    }

    /// The other side hung up.
    pub fn remote_hung_up() -> Self {
        Self::new(200, 560_000, "The conversation has ended. DiagCode: 0#560000.@")
    }

    /// The application hung up.
    pub fn hung_up() -> Self {
        Self::new(200, 7_000, "The conversation has ended. DiagCode: 0#7000.@")
    }

    /// The application gave up while it rang.
    pub fn given_up() -> Self {
        Self::sip(487, 560_487, "Request Terminated", None)
    }

    pub fn transferred() -> Self {
        Self::new(200, 7_015, "The call was transferred. DiagCode: 0#7015.@")
    }

    fn json(&self) -> Value {
        let mut result = json!({"code": self.code, "subCode": self.sub_code, "message": self.message});
        if let Some((status, phrase)) = &self.sip {
            result["sipDetails"] = json!({"code": status, "message": phrase});
        }
        if let Some(cause) = self.q850 {
            result["q850Details"] = json!({"code": cause, "message": ""});
        }
        result
    }
}

/// An event before it is sent.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub kind: &'static str,
    pub outcome: Option<Outcome>,
    /// Beyond what every event says.
    pub more: Value,
    /// Of the operation it answers, instead of the call's.
    pub context: Option<String>,
}

impl Event {
    pub fn new(kind: &'static str, outcome: Outcome) -> Self {
        Self { kind, outcome: Some(outcome), more: json!({}), context: None }
    }

    pub fn plain(kind: &'static str) -> Self {
        Self { kind, outcome: None, more: json!({}), context: None }
    }

    pub fn with(mut self, more: Value) -> Self {
        self.more = more;
        self
    }

    pub fn context(mut self, context: Option<String>) -> Self {
        self.context = context;
        self
    }

    pub fn media(kind: &'static str, outcome: Outcome, details: &str) -> Self {
        let status = kind.replacen('M', "m", 1);
        let update = json!({
            "contentType": "Audio", "mediaStreamingStatus": status, "mediaStreamingStatusDetails": details,
        });
        Self::new(kind, outcome).with(json!({"mediaStreamingUpdate": update}))
    }

    pub fn json(&self, call: &Seen, bare: bool) -> Value {
        let mut data = self.more.clone();
        data["callConnectionId"] = json!(call.connection_id);
        data["serverCallId"] = json!(call.server_call_id);
        data["correlationId"] = json!(call.correlation_id);
        data["publicEventType"] = json!(format!("Microsoft.Communication.{}", self.kind));
        data["version"] = json!(call.version);
        if let Some(context) = self.context.as_ref().or(call.operation_context.as_ref()) {
            data["operationContext"] = json!(context);
        }
        let source = format!("calling/callConnections/{}", call.connection_id);
        match &self.outcome {
            _ if bare => data["eventSource"] = json!(source),
            Some(outcome) => data["resultInformation"] = outcome.json(),
            None => {}
        }
        json!({
            "id": Uuid::new_v4().to_string(), "source": source, "type": format!("Microsoft.Communication.{}", self.kind),
            "data": data, "time": stamp(), "specversion": "1.0", "datacontenttype": "application/json",
            "subject": source,
        })
    }
}

/// With seven digits behind the second, as the service writes it.
fn stamp() -> String {
    let now = Timestamp::now();
    format!("{}.{:07}+00:00", now.strftime("%Y-%m-%dT%H:%M:%S"), now.subsec_nanosecond() / 100)
}

#[cfg(test)]
mod tests {
    use super::stamp;

    #[test]
    fn a_time_has_seven_digits_behind_the_second() {
        let stamp = stamp();
        let (_, fraction) = stamp.split_once('.').unwrap();
        assert_eq!(fraction.len(), 7 + "+00:00".len(), "{stamp}");
        assert!(stamp.parse::<jiff::Timestamp>().is_ok());
    }
}
