//! A request of the application: which operation it is, and what a test sees of it.

use std::time::Instant;

use serde_json::Value;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    Create,
    Answer,
    Redirect,
    Reject,
    Get,
    HangUp,
    Terminate,
    Transfer,
    Participants,
    Participant,
    Add,
    Remove,
    CancelAdd,
    Mute,
    SendDigits,
    StartMedia,
    StopMedia,
}

/// What arrived, in order, whether or not it was granted.
#[derive(Clone, Debug)]
pub struct Request {
    pub operation: Operation,
    pub at: Instant,
    /// Of the call, where it names one.
    pub connection_id: Option<String>,
    pub path_and_query: String,
    pub body: Value,
    pub authorization: String,
    pub repeatability_id: Option<String>,
    /// The status of the reply, when there was one.
    pub status: Option<u16>,
}

use Operation::*;

/// Operations on a call, by what follows its id.
const ON_A_CALL: [(&str, &str, Operation); 13] = [
    ("GET", "", Get),
    ("DELETE", "", HangUp),
    ("POST", ":terminate", Terminate),
    ("POST", ":transferToParticipant", Transfer),
    ("GET", "/participants", Participants),
    ("POST", "/participants:add", Add),
    ("POST", "/participants:remove", Remove),
    ("POST", "/participants:cancelAddParticipant", CancelAdd),
    ("POST", "/participants:mute", Mute),
    ("POST", ":sendDtmfTones", SendDigits),
    ("POST", ":startMediaStreaming", StartMedia),
    ("POST", ":stopMediaStreaming", StopMedia),
    ("GET", "/participants/", Participant),
];

impl Operation {
    /// With the id of the call and what else the path names.
    pub(super) fn of(method: &str, path: &str) -> Option<(Self, Option<String>, String)> {
        let rest = path.strip_prefix("/calling/callConnections")?;
        let whole = [("", Create), (":answer", Answer), (":redirect", Redirect), (":reject", Reject)];
        if let Some((_, operation)) = whole.iter().find(|(suffix, _)| *suffix == rest) {
            return (method == "POST").then_some((*operation, None, String::new()));
        }
        let rest = rest.strip_prefix('/')?;
        let end = rest.find([':', '/']).unwrap_or(rest.len());
        let (id, rest) = rest.split_at(end);
        let (_, suffix, operation) = ON_A_CALL.iter().find(|(verb, suffix, operation)| {
            let fits = if *operation == Participant { rest.starts_with(suffix) } else { rest == *suffix };
            *verb == method && fits
        })?;
        Some((*operation, Some(id.to_owned()), rest[suffix.len()..].to_owned()))
    }

    /// The service does a repeated request of these once.
    pub(super) fn is_repeatable(self) -> bool {
        !matches!(self, Get | HangUp | Participants | Participant | StartMedia | StopMedia)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_known_by_its_path() {
        let at = |method, path| Operation::of(method, &format!("/calling/callConnections{path}"));
        assert_eq!(at("POST", ""), Some((Create, None, String::new())));
        assert_eq!(at("POST", ":answer"), Some((Answer, None, String::new())));
        assert_eq!(at("DELETE", "/c1"), Some((HangUp, Some("c1".to_owned()), String::new())));
        assert_eq!(at("POST", "/c1:terminate"), Some((Terminate, Some("c1".to_owned()), String::new())));
        assert_eq!(
            at("GET", "/c1/participants/4%3A%2B1"),
            Some((Participant, Some("c1".into()), "4%3A%2B1".into()))
        );
        assert_eq!((at("GET", ""), at("POST", "/c1:hum"), at("GET", "/c1:terminate")), (None, None, None));
    }
}
