//! `/me/call-preferences`: what calls are like where a call does not say otherwise.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use offhook_store::Preferences;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::Api;
use super::error::{ApiError, ErrorBody};
use super::request::{Known, Whole, object};
use crate::gateway::Caller;

/// What is set; null is not set.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = CallPreferences)]
pub struct PreferencesBody {
    /// Whether anything is.
    pub configured: bool,
    #[schema(required)]
    pub voice: Option<String>,
    /// Identity, tone and boundaries, in one to three sentences.
    #[schema(required)]
    pub personality: Option<String>,
    /// The opener, spoken after the disclosure.
    #[schema(required)]
    pub greeting: Option<String>,
    /// Whether the user hears who is there, and decides, before a live handoff joins them.
    pub warm_greeting: bool,
    /// How calls to a line that is reserved for this account are answered. Null: none is.
    #[schema(required)]
    pub inbound: Option<Inbound>,
}

/// How calls to a reserved line are answered. This version reserves none.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = InboundProfile)]
pub struct Inbound {
    pub enabled: bool,
    pub configured: bool,
    pub instructions: String,
    pub greeting: String,
    #[schema(required)]
    pub handoff_number: Option<String>,
}

/// What to set. A field that is left out is reset, so read first and send back what must stay; only `inbound` stays
/// when it is left out.
#[derive(Clone, ToSchema)]
#[schema(as = NewCallPreferences)]
#[allow(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
pub struct NewPreferences {
    /// `jessica`, `sarah`, `chris` or `eric`.
    #[schema(pattern = r"^(jessica|sarah|chris|eric|\s*)$")]
    voice: Option<String>,
    personality: Option<String>,
    greeting: Option<String>,
    warm_greeting: Option<bool>,
    /// Null clears it; anything else needs a line that is reserved for the account.
    #[schema(value_type = Option<Object>)]
    inbound: Option<Value>,
}

/// What is set.
#[utoipa::path(
    get, path = "/me/call-preferences", operation_id = "get_call_preferences", tag = "account",
    responses((status = 200, body = PreferencesBody), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)),
    security(("key" = [])),
)]
pub async fn show(State(api): State<Api>, Known(caller): Known) -> Result<Json<PreferencesBody>, ApiError> {
    shown(&api, caller).await
}

/// Replace what is set.
#[utoipa::path(
    put, path = "/me/call-preferences", operation_id = "set_call_preferences", tag = "account",
    request_body = NewPreferences,
    responses((status = 200, body = PreferencesBody), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)),
    security(("key" = [])),
)]
pub async fn replace(
    State(api): State<Api>,
    Known(caller): Known,
    headers: HeaderMap,
    Whole(body): Whole,
) -> Result<Json<PreferencesBody>, ApiError> {
    let fields = object(&body?)?;
    let new = globals(&fields)?;
    // There is nothing to clear, and clients send back the null they were shown.
    if fields.get("inbound").is_some_and(|inbound| !inbound.is_null()) {
        api.gateway.check_inbound(caller).map_err(|error| api.linkable(error, &headers))?;
    }
    api.gateway.set_preferences(caller, new).await?;
    shown(&api, caller).await
}

/// Reset everything but `inbound`.
#[utoipa::path(
    delete, path = "/me/call-preferences", operation_id = "reset_call_preferences", tag = "account",
    responses((status = 200, body = PreferencesBody), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)),
    security(("key" = [])),
)]
pub async fn reset(State(api): State<Api>, Known(caller): Known) -> Result<Json<PreferencesBody>, ApiError> {
    api.gateway.set_preferences(caller, Preferences::default()).await?;
    shown(&api, caller).await
}

async fn shown(api: &Api, caller: Caller) -> Result<Json<PreferencesBody>, ApiError> {
    let found = api.gateway.preferences(caller).await?;
    let configured = found.is_some();
    let Preferences { voice, personality, greeting, warm_greeting } = found.unwrap_or_default();
    let warm_greeting = warm_greeting.unwrap_or(true);
    Ok(Json(PreferencesBody { configured, voice, personality, greeting, warm_greeting, inbound: None }))
}

fn globals(fields: &Map<String, Value>) -> Result<Preferences, ApiError> {
    let warm_greeting = match fields.get("warm_greeting") {
        None | Some(Value::Null) => None,
        Some(Value::Bool(warm)) => Some(*warm),
        Some(_) => return Err(wrong("warm_greeting", "true or false")),
    };
    Ok(Preferences {
        voice: text(fields, "voice")?,
        personality: text(fields, "personality")?,
        greeting: text(fields, "greeting")?,
        warm_greeting,
    })
}

/// A text; a blank one is none.
fn text(fields: &Map<String, Value>, field: &str) -> Result<Option<String>, ApiError> {
    match fields.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.trim().is_empty())),
        Some(_) => Err(wrong(field, "a text")),
    }
}

fn wrong(field: &str, what: &str) -> ApiError {
    ApiError::bad_request("invalid_preferences", format!("{field} must be {what}"))
}
