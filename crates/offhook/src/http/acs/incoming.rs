//! Calls that come in, told by Event Grid.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use offhook_carrier::acs::{IncomingCallEvent, IncomingRefusal};
use serde_json::json;

use super::{Doors, body, busy, stranger, token};
use crate::acs::event_grid::{self, GridEvent};
use crate::clock;
use crate::http::error::ApiError;

const REQUEST_ORIGIN: HeaderName = HeaderName::from_static("webhook-request-origin");
const ALLOWED_ORIGIN: HeaderName = HeaderName::from_static("webhook-allowed-origin");
const ALLOWED_RATE: HeaderName = HeaderName::from_static("webhook-allowed-rate");

/// CloudEvents asks with OPTIONS whether events are wanted here.
pub async fn handshake(State(doors): State<Doors>, request: Request) -> Result<Response, ApiError> {
    doors.admit_grid(request.uri(), request.headers()).await?;
    doors.guard.was_told();
    let origin = request.headers().get(REQUEST_ORIGIN).cloned();
    let origin = origin
        .ok_or_else(|| ApiError::bad_request("invalid_request", "webhook-request-origin is missing"))?;
    Ok(([(ALLOWED_ORIGIN, origin), (ALLOWED_RATE, HeaderValue::from_static("*"))], StatusCode::OK)
        .into_response())
}

/// A batch of events. All of them are looked at before it is answered, which takes no time: nobody waits for a call.
pub async fn deliver(State(doors): State<Doors>, request: Request) -> Result<Response, ApiError> {
    doors.admit_grid(request.uri(), request.headers()).await?;
    let body = body(request).await?;
    let malformed =
        |error: event_grid::Malformed| ApiError::bad_request("invalid_request", error.to_string());
    let events = event_grid::read(&body).map_err(malformed)?;
    if !doors.are_expected(&events) {
        tracing::warn!("events of another resource than the expected one were refused");
        return Err(stranger());
    }
    doors.guard.was_told();
    if let Some(code) = events.iter().find_map(GridEvent::validation_code) {
        tracing::info!("a subscription of Event Grid was confirmed");
        return Ok(Json(json!({ "validationResponse": code })).into_response());
    }
    let mut stopping = false;
    for event in events.iter().filter(|event| event.is_incoming_call()) {
        stopping |= !doors.take(event);
    }
    if stopping { Err(busy()) } else { Ok(StatusCode::OK.into_response()) }
}

impl Doors {
    async fn admit_grid(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), ApiError> {
        let guard = self.guard.incoming();
        if !guard.is_right(token(uri).as_deref()) {
            return Err(stranger());
        }
        match &guard.entra {
            Some(trust) => self.judge(trust, headers).await,
            None => Ok(()),
        }
    }

    fn are_expected(&self, events: &[GridEvent<'_>]) -> bool {
        let topic = self.guard.incoming().topic.as_deref();
        topic.is_none_or(|topic| events.iter().all(|event| event.is_of(topic)))
    }

    /// Pass on a call that is new. False when it should be told again.
    fn take(&self, event: &GridEvent<'_>) -> bool {
        let (now, names) = (clock::now(), event.names());
        if event.is_old(now) {
            tracing::warn!(
                "an incoming call was told of so late that no phone rings any more; is the clock right?"
            );
            return true;
        }
        if !self.guard.seen().is_new(&names, now) {
            return true;
        }
        let data = serde_json::from_str(event.data.get()).unwrap_or_default();
        let call = match IncomingCallEvent::from_data(&data) {
            Ok(call) => call,
            Err(error) => {
                tracing::warn!(%error, "an incoming call can't be read");
                return true;
            }
        };
        match self.carrier.incoming(call) {
            Ok(()) => {}
            Err(IncomingRefusal::Stopping | IncomingRefusal::Unreachable) => {
                self.guard.seen().forget(&names);
                return false;
            }
            Err(why) => tracing::info!(%why, "an incoming call was not taken"),
        }
        true
    }
}
