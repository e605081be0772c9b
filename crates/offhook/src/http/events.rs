//! `GET /call/{id}/events`: the journal of a call as server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{AppendHeaders, IntoResponse as _, Response};
use futures_util::FutureExt as _;
use futures_util::stream::{self, StreamExt as _};
use offhook_core::journal::Value;
use offhook_core::{JournalEntry, Timestamp};
use serde::Deserialize;
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::error::{ApiError, ErrorBody};
use super::request::{InPath, Known};
use crate::clock::iso;
use crate::gateway::JournalStream;

/// Often enough for every proxy that closes silent connections.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// More than any call has events, and all that fits a signed number.
const LAST: u64 = i64::MAX as u64;

/// One event of the stream.
#[derive(ToSchema)]
#[allow(dead_code, reason = "describes the stream in the OpenAPI document")]
pub struct JournalEvent {
    /// The number of the fact.
    #[schema(example = "3")]
    id: String,
    /// The code of the fact.
    #[schema(example = "call.ringing")]
    event: String,
    /// A JSON object with `seq`, `at`, `elapsed_ms`, `code`, and the fields of the fact.
    data: String,
}

/// Where to begin.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Resume {
    /// The last event that was received; the stream goes on after it. `Last-Event-ID` says the same and wins.
    after: Option<u64>,
}

/// Follow a call: one event for each fact, from the first (or the one after `Last-Event-ID`) to `call.ended`.
///
/// The event's id is its number, its name the code of the fact; the data is an object with `seq`, `at`,
/// `elapsed_ms` since the call was accepted, `code`, and the fields of the fact.
///
/// 204 is the answer where the call is over and nothing is left to tell: it keeps an `EventSource`, which reconnects
/// whenever a stream ends, from asking for ever.
#[utoipa::path(
    get, path = "/call/{id}/events", operation_id = "follow_call", tag = "calls",
    params(
        ("id" = String, Path, description = "The call."), Resume,
        ("Last-Event-ID" = Option<String>, Header, pattern = "^ *[0-9]{0,18} *$", description = "The last event that was received."),
    ),
    responses(
        (status = 200, content_type = "text/event-stream", body = JournalEvent),
        (status = 204, description = "The call is over, and all of it was received."),
        (status = "4XX", body = ErrorBody),
    ),
    security(("key" = [])),
)]
pub async fn follow(
    State(api): State<Api>,
    Known(caller): Known,
    InPath(id): InPath,
    query: Result<Query<Resume>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Query(resume) = query.map_err(|error| ApiError::bad_request("invalid_query", error.body_text()))?;
    let written = [last_event_id(&headers)?, resume.after];
    if written.iter().flatten().any(|seq| *seq > LAST) {
        return Err(no_event());
    }
    let after = written[0].or(written[1]).unwrap_or(0);
    let call = api.gateway.call(caller, id).await?;
    let mut journal = api.gateway.journal(caller, id, after).await?;
    // Of a call that is over everything is in the store: this does not wait.
    let first = if call.end.is_some() { Some(journal.next().await) } else { None };
    if let Some(None) = first {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let written = move |entry: &JournalEntry| Ok::<_, Infallible>(event(entry, call.queued_at));
    let rest = stream::unfold((journal, api, headers), async |(mut journal, api, headers)| {
        let entry = api.next(&mut journal, &headers).await?;
        Some((entry, (journal, api, headers)))
    });
    let events = stream::iter(first.flatten()).chain(rest).map(move |entry| written(&entry));
    // Proxies must pass each event on at once.
    let headers = AppendHeaders([(HeaderName::from_static("x-accel-buffering"), "no")]);
    Ok((headers, Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT))).into_response())
}

impl Api {
    /// The next fact. One that had to be waited for is told only to a key that is still good.
    async fn next(&self, journal: &mut JournalStream, headers: &HeaderMap) -> Option<JournalEntry> {
        let mut next = std::pin::pin!(journal.next());
        if let Some(at_once) = next.as_mut().now_or_never() {
            return at_once;
        }
        let entry = next.await?;
        self.is_good(headers).await.then_some(entry)
    }
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, ApiError> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let text = value.to_str().unwrap_or("?").trim();
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| no_event())
}

fn no_event() -> ApiError {
    let message = "Last-Event-ID and after must be the id of an event of this call";
    ApiError::bad_request("invalid_query", message)
}

fn event(entry: &JournalEntry, queued_at: Timestamp) -> Event {
    let data = data(entry, queued_at).to_string();
    Event::default().id(entry.seq.to_string()).event(entry.fact.code()).data(data)
}

pub(super) fn data(entry: &JournalEntry, queued_at: Timestamp) -> serde_json::Value {
    let mut data = serde_json::Map::new();
    data.insert("seq".to_owned(), json!(entry.seq));
    data.insert("at".to_owned(), json!(iso(entry.at)));
    data.insert("elapsed_ms".to_owned(), json!(entry.at.since(queued_at).as_millis() as u64));
    data.insert("code".to_owned(), json!(entry.fact.code()));
    // A problem has a code of its own, which must not hide the code of the fact.
    let name = |field: &str| if field == "code" { "problem_code".to_owned() } else { field.to_owned() };
    // What is written for the carrier alone. That it was written is shown: the numbers of events have no gaps.
    let shown = entry.fact.fields().into_iter().filter(|(field, _)| *field != "ticket");
    data.extend(shown.map(|(field, value)| (name(field), json_value(value))));
    serde_json::Value::Object(data)
}

fn json_value(value: Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(flag) => json!(flag),
        Value::Int(int) => json!(int),
        Value::Text(text) => json!(text),
        Value::List(list) => json!(list),
    }
}

#[cfg(test)]
mod tests {
    use offhook_core::Fact;
    use offhook_core::journal::Part;

    use super::*;

    #[test]
    fn the_code_of_a_problem_does_not_hide_the_code_of_the_fact() {
        let fact =
            Fact::Problem { part: Part::Speech, code: "rate_limit".into(), message: "slow down".into() };
        let entry = JournalEntry { seq: 7, at: Timestamp::from_unix_millis(1_500), fact };
        let data = data(&entry, Timestamp::from_unix_millis(1_000));
        assert_eq!(
            data,
            json!({
                "seq": 7, "at": "1970-01-01T00:00:01.500Z", "elapsed_ms": 500, "code": "call.problem",
                "part": "speech", "problem_code": "rate_limit", "message": "slow down",
            })
        );
    }

    #[test]
    fn a_ticket_stays_in_the_house() {
        let entry = JournalEntry {
            seq: 3,
            at: Timestamp::from_unix_millis(1_000),
            fact: Fact::Ticket { ticket: "far end and tags".into() },
        };
        let data = data(&entry, Timestamp::from_unix_millis(1_000));
        assert_eq!((&data["seq"], &data["code"]), (&json!(3), &json!("leg.ticket")));
        assert!(!data.to_string().contains("tags"), "{data}");
    }

    #[test]
    fn where_to_go_on() {
        let resume = |text: &str| {
            last_event_id(&HeaderMap::from_iter([("last-event-id".parse().unwrap(), text.parse().unwrap())]))
        };
        assert_eq!(resume("12").unwrap(), Some(12));
        assert_eq!(resume(" ").unwrap(), None);
        assert!(resume("twelve").is_err());
        assert_eq!(last_event_id(&HeaderMap::new()).unwrap(), None);
    }
}
