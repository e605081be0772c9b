//! `POST /call/{id}/bridge`: connecting the user to a call that is under way.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::Api;
use super::error::{ApiError, ErrorBody};
use super::request::{InPath, Known, OfCall, Once, Whole, idempotency_key, object_if_any, replayed};
use crate::clock::iso;
use crate::gateway::{Bridge, BridgeError, HandoffView};

/// Whom to connect, and how.
#[derive(Clone, Deserialize, ToSchema)]
#[schema(as = Bridge)]
#[allow(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
pub struct BridgeBody {
    /// The user's own phone. When absent the one the call was placed with, else the confirmed phone of the account.
    #[schema(example = "+13125550163")]
    bridge_number: Option<String>,
    /// First tell the user in private who is there, and ask whether to join. As the call was placed when absent.
    warm_greeting: Option<bool>,
}

/// The user is being called; `handoff` in `GET /call/{id}` says how that goes.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Bridging {
    pub success: bool,
    pub call_id: String,
    #[schema(example = "answered")]
    pub status: &'static str,
    #[schema(example = "dialing")]
    pub handoff: &'static str,
}

/// How the user came into the call, or why not.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Handoff {
    /// `dialing`, `ringing`, `introducing`, `joined`, `failed` or `ended`.
    #[schema(example = "joined")]
    pub state: &'static str,
    /// Who wanted the user on the line: `voice`, `owner`, or `passthrough`, the list of callers who are put through.
    pub by: &'static str,
    /// Whether the user is asked first, in private.
    pub warm: bool,
    pub asked_at: String,
    /// From here on nothing is recorded or transcribed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub joined_at: Option<String>,
    /// Why the user did not come: `no_answer`, `busy`, `declined`, `unreachable`, `failed`, `user_declined`,
    /// `remote_left` or `cancelled`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// Who hung up first once they were joined: `remote`, `user` or `gateway`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<&'static str>,
}

impl From<HandoffView> for Handoff {
    fn from(view: HandoffView) -> Self {
        Self {
            state: view.state.code(),
            by: view.by.code(),
            warm: view.warm,
            asked_at: iso(view.asked_at),
            joined_at: view.joined_at.map(iso),
            reason: view.why_not.map(|why| why.code()),
            ended_by: view.ended_by.map(|by| by.code()),
        }
    }
}

/// Connect the user to the call: their phone is called while the voice stays with the other side.
///
/// With a warm greeting the user first hears in private who is there, and joins with key 1 or a yes. Once both are
/// joined the voice has left, and nothing is recorded or transcribed any more. A user who does not come leaves the
/// voice with the other side, which is told so.
#[utoipa::path(
    post, path = "/call/{id}/bridge", operation_id = "bridge", tag = "calls", request_body = Option<BridgeBody>,
    params(OfCall, Once),
    responses((status = 202, body = Bridging), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)),
    security(("key" = [])),
)]
pub async fn bridge(
    State(api): State<Api>,
    Known(caller): Known,
    InPath(id): InPath,
    headers: HeaderMap,
    Whole(body): Whole,
) -> Result<Response, ApiError> {
    let fields = object_if_any(&body?)?;
    let wish = Bridge { number: number(&fields)?, warm: warm(&fields)? };
    let steered = api.gateway.bridge(caller, id, wish, idempotency_key(&headers)?).await?;
    let body = Bridging { success: true, call_id: id.to_string(), status: "answered", handoff: "dialing" };
    Ok(replayed((StatusCode::ACCEPTED, Json(body)).into_response(), steered.repeated))
}

fn number(fields: &Map<String, Value>) -> Result<Option<String>, ApiError> {
    match fields.get("bridge_number") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(number)) => Ok(Some(number.clone())),
        Some(_) => Err(ApiError::bad_request(
            "invalid_phone",
            "bridge_number: a phone number is a text like +13125550163",
        )),
    }
}

fn warm(fields: &Map<String, Value>) -> Result<Option<bool>, ApiError> {
    match fields.get("warm_greeting") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(warm)) => Ok(Some(*warm)),
        Some(_) => Err(ApiError::bad_request("invalid_request", "warm_greeting must be true or false")),
    }
}

impl From<BridgeError> for ApiError {
    fn from(error: BridgeError) -> Self {
        match error {
            BridgeError::Steer(error) => error.into(),
            BridgeError::Number(error) => error.into(),
        }
    }
}
