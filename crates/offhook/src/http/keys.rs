//! `/me/keys`: the keys of whoever asks.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use secrecy::ExposeSecret as _;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::Api;
use super::error::{ApiError, ErrorBody};
use super::request::{self, Known, Whole, object_if_any};
use super::terms;
use crate::clock::iso;
use crate::gateway::{KeyError, MadeKey};

/// What a key may be called.
const LONGEST_LABEL: usize = 100;

/// Keys, the oldest first. The keys themselves are kept nowhere.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = Keys)]
pub struct KeysBody {
    pub keys: Vec<KeyBody>,
}

/// A key, without the key itself.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = Key)]
pub struct KeyBody {
    pub id: String,
    #[schema(required)]
    pub label: Option<String>,
    pub created_at: String,
    /// To the minute.
    #[schema(required)]
    pub last_used_at: Option<String>,
    #[schema(required)]
    pub revoked_at: Option<String>,
    /// It is the one that was sent.
    pub current: bool,
    /// It has the account's voice target called, and nobody else.
    pub voice_only: bool,
}

/// A key that was made.
#[derive(Clone, Serialize, ToSchema)]
pub struct NewKey {
    pub id: String,
    /// Only this once.
    pub api_key: String,
}

/// What to make.
#[derive(Clone, Default, ToSchema)]
#[schema(as = KeyWish)]
#[allow(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
pub struct KeyWish {
    /// Whose it is, for the list.
    #[schema(max_length = 100)]
    label: Option<String>,
    /// It may have the account's voice target called and nobody else, and change nothing of the account.
    voice_only: Option<bool>,
}

/// A key that is worthless from now on.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct KeyRevoked {
    pub id: String,
    pub revoked: bool,
}

/// Your keys: those of the account, or the one of a first call.
#[utoipa::path(
    get, path = "/me/keys", operation_id = "list_keys", tag = "account",
    responses((status = 200, body = KeysBody), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)),
    security(("key" = [])),
)]
pub async fn list(
    State(api): State<Api>,
    Known(caller): Known,
    headers: HeaderMap,
) -> Result<Json<KeysBody>, ApiError> {
    let sent = request::key(&headers).unwrap_or_default();
    let keys = api.gateway.own_keys(caller, sent).await?;
    let shown = keys.into_iter().map(|(key, current)| KeyBody {
        id: key.id,
        label: key.label,
        created_at: iso(key.created_at),
        last_used_at: key.last_used_at.map(iso),
        revoked_at: key.revoked_at.map(iso),
        current,
        voice_only: key.voice_only,
    });
    Ok(Json(KeysBody { keys: shown.collect() }))
}

/// Make a further key of your account, for another agent. It sees the same calls, and counts against the same limits.
#[utoipa::path(
    post, path = "/me/keys", operation_id = "make_key", tag = "account", request_body = Option<KeyWish>,
    responses((status = 201, body = NewKey), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)),
    security(("key" = [])),
)]
pub async fn make(
    State(api): State<Api>,
    Known(caller): Known,
    headers: HeaderMap,
    Whole(body): Whole,
) -> Result<Response, ApiError> {
    let fields = object_if_any(&body?)?;
    let label = label(fields.get("label"))?;
    let voice_only =
        terms::flag("voice_only", "invalid_request", fields.get("voice_only").unwrap_or(&Value::Null))?;
    let made = api.gateway.make_own_key(caller, label, voice_only == Some(true)).await;
    Ok(shown(made.map_err(|error| api.for_account(error, &headers))?))
}

/// Put another key in the place of one of yours, which is worthless from now on.
#[utoipa::path(
    post, path = "/me/keys/{id}/rotate", operation_id = "rotate_key", tag = "account",
    params(("id" = String, Path, description = "The key's id.")),
    responses((status = 201, body = NewKey), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)),
    security(("key" = [])),
)]
pub async fn rotate(
    State(api): State<Api>,
    Known(caller): Known,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    Ok(shown(api.gateway.rotate_own_key(caller, &id).await?))
}

/// Make one of your keys worthless, at once; also the one you send.
#[utoipa::path(
    delete, path = "/me/keys/{id}", operation_id = "revoke_key", tag = "account",
    params(("id" = String, Path, description = "The key's id.")),
    responses((status = 200, body = KeyRevoked), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)),
    security(("key" = [])),
)]
pub async fn revoke(
    State(api): State<Api>,
    Known(caller): Known,
    Path(id): Path<String>,
) -> Result<Json<KeyRevoked>, ApiError> {
    api.gateway.revoke_own_key(caller, &id).await?;
    Ok(Json(KeyRevoked { id, revoked: true }))
}

fn shown(made: MadeKey) -> Response {
    let body = NewKey { id: made.id, api_key: made.key.expose_secret().to_owned() };
    let no_store = [(CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (StatusCode::CREATED, no_store, Json(body)).into_response()
}

/// A text; a blank one is none.
fn label(value: Option<&Value>) -> Result<Option<String>, ApiError> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.chars().count() <= LONGEST_LABEL => {
            Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty()))
        }
        Some(_) => {
            let message = format!("label must be a text of up to {LONGEST_LABEL} characters");
            Err(ApiError::bad_request("invalid_request", message))
        }
    }
}

impl Api {
    /// With where to link the key, when that is what is missing.
    fn for_account(&self, error: KeyError, headers: &HeaderMap) -> ApiError {
        ApiError::from(error).offering(&self.public_url.for_request(headers), request::key(headers))
    }
}
