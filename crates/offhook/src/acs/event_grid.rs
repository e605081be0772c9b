//! What Event Grid delivers: batches of events, in its own schema or as CloudEvents, each at least once.
//!
//! Pure: reads a body, and says of each event whether it is new.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use offhook_core::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

/// An event that asks whether this address wants events.
pub const VALIDATION: &str = "Microsoft.EventGrid.SubscriptionValidationEvent";
pub const INCOMING_CALL: &str = "Microsoft.Communication.IncomingCall";

/// Event Grid sends no more in one batch.
const MOST_EVENTS: usize = 5_000;
/// A phone has stopped ringing long before: what comes later is a repetition of something old.
const RINGS: Duration = Duration::from_secs(5 * 60);
/// As long as one and the same event may be repeated while it is young enough to be heeded.
const REMEMBERED: Duration = Duration::from_secs(10 * 60);
const MOST_REMEMBERED: usize = 8_192;

/// One event, in either schema.
#[derive(Debug, Deserialize)]
pub struct GridEvent<'a> {
    pub id: String,
    #[serde(alias = "eventType", rename = "type")]
    pub kind: String,
    /// Of which resource.
    #[serde(alias = "source")]
    pub topic: Option<String>,
    #[serde(alias = "eventTime")]
    time: Option<String>,
    #[serde(borrow)]
    pub data: &'a RawValue,
}

/// A body that is none of Event Grid's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no batch of events")]
pub struct Malformed;

/// Every event of a body.
pub fn read(body: &[u8]) -> Result<Vec<GridEvent<'_>>, Malformed> {
    let text = std::str::from_utf8(body).map_err(|_| Malformed)?;
    let is_list = text.trim_start().starts_with('[');
    let events: Vec<GridEvent<'_>> = match is_list {
        true => serde_json::from_str(text).map_err(|_| Malformed)?,
        // A CloudEvent may come alone.
        false => vec![serde_json::from_str(text).map_err(|_| Malformed)?],
    };
    if events.len() > MOST_EVENTS { Err(Malformed) } else { Ok(events) }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Validation {
    validation_code: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CallNames {
    correlation_id: Option<String>,
    server_call_id: Option<String>,
    to: Option<Identifier>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identifier {
    raw_id: Option<String>,
}

impl GridEvent<'_> {
    /// The code to answer with, where this asks whether we want events.
    pub fn validation_code(&self) -> Option<String> {
        let data: Validation = serde_json::from_str(self.data.get()).ok()?;
        (self.kind == VALIDATION).then_some(data.validation_code)
    }

    pub fn is_incoming_call(&self) -> bool {
        self.kind == INCOMING_CALL
    }

    /// Whether it is of this resource; its name is written in more than one case.
    pub fn is_of(&self, topic: &str) -> bool {
        self.topic.as_ref().is_some_and(|of| of.eq_ignore_ascii_case(topic))
    }

    /// Whether it is too old for a phone to be ringing still. One that does not say when it happened is taken as new.
    pub fn is_old(&self, now: Timestamp) -> bool {
        let at = self.time.as_ref().and_then(|time| time.parse::<jiff::Timestamp>().ok());
        at.is_some_and(|at| now.since(Timestamp::from_unix_millis(at.as_millisecond())) > RINGS)
    }

    /// What two deliveries of the same have in common: the event, and the call that rings on one of our lines.
    pub fn names(&self) -> Vec<String> {
        let mut names = vec![format!("event {}", self.id)];
        if let Ok(CallNames { correlation_id, server_call_id, to }) = serde_json::from_str(self.data.get()) {
            // A call that is handed on from one of our lines to another rings there as well.
            let to = to.and_then(|to| to.raw_id).unwrap_or_default();
            let of_call = |id: String| format!("call {id} to {to}");
            names.extend(correlation_id.map(of_call));
            names.extend(server_call_id.map(of_call));
        }
        names
    }
}

/// What was delivered lately. Bounded; the oldest is forgotten first.
#[derive(Debug, Default)]
pub struct Seen {
    names: HashSet<String>,
    order: VecDeque<(Timestamp, String)>,
}

impl Seen {
    /// Whether none of these was here before; from now on they were.
    pub fn is_new(&mut self, names: &[String], now: Timestamp) -> bool {
        self.forget_old(now);
        let new = names.iter().all(|name| !self.names.contains(name));
        for name in names {
            if self.names.insert(name.clone()) {
                self.order.push_back((now, name.clone()));
            }
        }
        new
    }

    /// What could not be taken is new once more when it comes again.
    pub fn forget(&mut self, names: &[String]) {
        names.iter().for_each(|name| {
            self.names.remove(name);
        });
        self.order.retain(|(_, name)| !names.contains(name));
    }

    fn forget_old(&mut self, now: Timestamp) {
        let is_old = |at: Timestamp| now.since(at) > REMEMBERED;
        while self.order.front().is_some_and(|(at, _)| is_old(*at)) || self.order.len() >= MOST_REMEMBERED {
            let Some((_, name)) = self.order.pop_front() else { return };
            self.names.remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_millis(1_800_000_000_000 + seconds * 1_000)
    }

    const TOPIC: &str =
        "/subscriptions/1/resourceGroups/g/providers/Microsoft.Communication/CommunicationServices/acs";

    fn grid(id: &str, kind: &str, data: Value) -> Value {
        json!({
            "id": id, "topic": TOPIC, "subject": "/caller/x", "eventType": kind, "data": data,
            "eventTime": "2027-01-15T08:00:00.1234567Z", "dataVersion": "1.0", "metadataVersion": "1",
        })
    }

    fn call(correlation: &str, to: &str) -> Value {
        json!({ "correlationId": correlation, "serverCallId": format!("s-{correlation}"), "to": { "rawId": to } })
    }

    #[test]
    fn both_schemas_are_read_and_nothing_else() {
        let incoming = grid("1", INCOMING_CALL, call("c", "4:+1"));
        let cloud = json!({
            "specversion": "1.0", "id": "2", "type": INCOMING_CALL, "source": TOPIC.to_ascii_uppercase(),
            "time": "2027-01-15T08:00:00Z", "data": call("d", "4:+1"),
        });
        let other = grid("3", "Microsoft.Communication.CallStarted", json!({}));
        let body = json!([incoming, cloud, other]).to_string();
        let events = read(body.as_bytes()).unwrap();
        let ids: Vec<_> =
            events.iter().filter(|event| event.is_incoming_call()).map(|event| &event.id).collect();
        assert_eq!(ids, ["1", "2"], "every call of a batch");
        assert!(events.iter().all(|event| event.is_of(TOPIC) && !event.is_of("/other")));
        let alone = cloud.to_string();
        assert_eq!(read(alone.as_bytes()).unwrap().len(), 1, "a CloudEvent that comes alone");
        for nonsense in ["", "null", "{}", "[{}]", "[1]", "[[]]", "\u{1}", "{\"id\":1}"] {
            assert_eq!(read(nonsense.as_bytes()).err(), Some(Malformed), "{nonsense}");
        }
        assert_eq!(read(b"[]").unwrap().len(), 0);
        assert_eq!(read(&[0xff]).err(), Some(Malformed));
    }

    #[test]
    fn the_question_whether_events_are_wanted() {
        let data = json!({ "validationCode": "512d38b6", "validationUrl": "https://example.com" });
        for (kind, data, code) in [
            (VALIDATION, data.clone(), Some("512d38b6".to_owned())),
            (INCOMING_CALL, data, None),
            (VALIDATION, json!({}), None),
            (VALIDATION, json!({ "validationCode": 1 }), None),
        ] {
            let body = json!([grid("1", kind, data)]).to_string();
            assert_eq!(read(body.as_bytes()).unwrap()[0].validation_code(), code);
        }
    }

    #[test]
    fn what_is_too_old_to_ring() {
        let body = json!([grid("1", INCOMING_CALL, json!({}))]).to_string();
        let event = &read(body.as_bytes()).unwrap()[0];
        let happened_at = Timestamp::from_unix_millis(1_800_000_000_123);
        for (later, old) in [(0, false), (300, false), (301, true)] {
            assert_eq!(event.is_old(happened_at + Duration::from_secs(later)), old, "{later} s");
        }
        let mut undated = grid("1", INCOMING_CALL, json!({}));
        undated["eventTime"] = json!("yesterday");
        let body = undated.to_string();
        assert!(!read(body.as_bytes()).unwrap()[0].is_old(at(1_000_000)));
    }

    #[test]
    fn each_call_is_taken_once() {
        let mut seen = Seen::default();
        let mut is_new = |id: &str, correlation: &str, to: &str, now| {
            let body = json!([grid(id, INCOMING_CALL, call(correlation, to))]).to_string();
            seen.is_new(&read(body.as_bytes()).unwrap()[0].names(), now)
        };
        for (id, correlation, to, now, new, why) in [
            ("1", "c", "4:+1", at(0), true, "the first"),
            ("1", "c", "4:+1", at(1), false, "the same again"),
            ("2", "c", "4:+1", at(2), false, "another event of the same call"),
            ("1", "d", "4:+1", at(2), false, "the same event with another body"),
            ("3", "c", "4:+2", at(3), true, "the call rings on another line"),
            ("4", "e", "4:+1", at(4), true, "another call"),
            ("1", "c", "4:+1", at(601), true, "long after"),
        ] {
            assert_eq!(is_new(id, correlation, to, now), new, "{why}");
        }
        let names = ["event 9".to_owned()];
        assert!(seen.is_new(&names, at(700)));
        seen.forget(&names);
        assert!(seen.is_new(&names, at(700)), "it could not be taken");
    }

    #[test]
    fn what_was_seen_is_bounded() {
        let mut seen = Seen::default();
        for index in 0..3 * MOST_REMEMBERED {
            assert!(seen.is_new(&[format!("event {index}")], at(0)));
        }
        assert!(seen.names.len() <= MOST_REMEMBERED && seen.order.len() == seen.names.len());
    }
}
