//! `/approvals…`: the user is called and decides; `/me/pin`: with what they show that it is them.

use std::time::Duration;

use aws_lc_rs::digest;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp as Date;
use offhook_core::journal::DecidedBy;
use offhook_core::{ApprovalId, Timestamp};
use offhook_store::ApprovalRow;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::error::{ApiError, ErrorBody};
use super::new_call::{canonical, seconds, text};
use super::request::{Known, Once, Whole, idempotency_key, object, object_if_any, replayed};
use crate::gateway::{ApprovalError, AskApproval, AuthError, Idempotency, PinError, PinView};

/// Shorter than a proxy's patience.
const LONGEST_WAIT: u64 = 25;

/// What is to be approved.
#[derive(Clone, Default, ToSchema)]
#[schema(as = ApprovalWish)]
#[allow(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
pub struct WishBody {
    /// What is to be done, in one sentence, as it is read out to the user.
    #[schema(min_length = 1, max_length = 200, pattern = r"\S", example = "Deploy build 42 to production")]
    operation: String,
    /// With what: a text, or an object whose fields are read out one by one. What can't be read out whole, some 500
    /// characters, is refused.
    #[schema(value_type = Option<Details>)]
    details: Option<Value>,
    /// How long the user has, ringing and questions included: 10 to 3600; 300 when absent. After that it is a no.
    #[schema(minimum = 10, maximum = 3_600)]
    within_seconds: Option<u32>,
    /// Refuse where the user has set no PIN. With one it is always asked for.
    require_pin: Option<bool>,
    /// BCP 47; the configured language when absent.
    #[schema(example = "en-US")]
    language: Option<String>,
    /// Where the events of the call are sent, signed: an `https://` address.
    webhook_url: Option<String>,
}

/// A text, or fields that are read out one by one.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = ApprovalDetails)]
#[allow(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
pub enum Details {
    Text(String),
    #[schema(value_type = Object)]
    Fields(Map<String, Value>),
}

/// An approval, decided or not.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = Approval)]
pub struct ApprovalBody {
    pub id: String,
    /// `pending`, and then one of `approved`, `declined`, `expired`, `cancelled` for good. Only `approved` is a yes.
    #[schema(example = "approved")]
    pub state: &'static str,
    /// Why it is not approved: `declined`, `wrong_pin`, `timed_out`, `call_ended`, why the call ended (`remote.busy`, …),
    /// or what refused the call.
    #[schema(required)]
    pub reason: Option<String>,
    /// `keys`, `voice`, `wrong_pin`, `timed_out`, `call_ended`.
    #[schema(required)]
    pub decided_by: Option<&'static str>,
    pub operation: String,
    /// As they were sent.
    #[schema(value_type = Option<Details>, required)]
    pub details: Option<Value>,
    /// SHA-256 of operation and details, in hexadecimal: what was approved is what has this digest, and nothing else.
    pub digest: String,
    /// Whether it takes the PIN of the account.
    pub needs_pin: bool,
    /// In which it is or was asked.
    #[schema(required)]
    pub call_id: Option<String>,
    /// The turns of that call in which the user answered.
    pub evidence_turns: Vec<u32>,
    #[schema(example = "2026-11-03T18:00:00Z")]
    pub created_at: String,
    /// When no verdict is a no.
    pub expires_at: String,
    #[schema(required)]
    pub decided_at: Option<String>,
}

impl From<ApprovalRow> for ApprovalBody {
    fn from(row: ApprovalRow) -> Self {
        Self {
            id: row.id.to_string(),
            state: row.verdict.state.code(),
            reason: row.verdict.reason,
            decided_by: row.verdict.by.map(DecidedBy::code),
            operation: row.operation,
            details: row.details.and_then(|details| serde_json::from_str(&details).ok()),
            digest: row.digest,
            needs_pin: row.needs_pin,
            call_id: row.call.map(|call| call.to_string()),
            evidence_turns: row.verdict.evidence,
            created_at: date(row.created_at),
            expires_at: date(row.expires_at),
            decided_at: row.decided_at.map(date),
        }
    }
}

fn date(at: Timestamp) -> String {
    Date::from_millisecond(at.unix_millis()).map(|date| date.to_string()).unwrap_or_default()
}

/// Some approvals.
#[derive(Clone, Serialize, ToSchema)]
pub struct ApprovalList {
    pub approvals: Vec<ApprovalBody>,
}

/// How long to wait for the verdict.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ApprovalWait {
    /// Answer when it is decided, or after so long.
    #[param(minimum = 0, maximum = 25)]
    wait_seconds: Option<u64>,
}

/// How many to list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ApprovalQuery {
    /// 1 to 100; 25 when absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
}

/// An approval in a path. What is no id is the id of no approval.
#[derive(Clone, Copy, Debug)]
pub struct ApprovalInPath(ApprovalId);

impl FromRequestParts<Api> for ApprovalInPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let id =
            Path::<String>::from_request_parts(parts, api).await.ok().and_then(|Path(id)| id.parse().ok());
        id.map(Self).ok_or_else(|| ApprovalError::NotFound.into())
    }
}

/// Have the user approve an operation by phone.
///
/// Your user is called on their number, what you sent is read out to them word for word, and they answer with a key, or
/// in their own words, and with their PIN where they set one. Where the voice is in a call with them already they are
/// asked in that. Answered as soon as they are being called: wait for the verdict with `GET /approvals/{id}`. Whatever
/// keeps them from answering is a no.
#[utoipa::path(
    post, path = "/approvals", operation_id = "request_approval", tag = "approvals", request_body = WishBody, params(Once),
    responses((status = 201, body = ApprovalBody), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)),
    security(("key" = [])),
)]
pub async fn ask(
    State(api): State<Api>,
    Known(caller): Known,
    headers: HeaderMap,
    Whole(body): Whole,
) -> Result<Response, ApiError> {
    let ask = wish(&object(&body?)?, &headers)?;
    let asked = api.gateway.request_approval(caller, ask).await?;
    let response = (StatusCode::CREATED, Json(ApprovalBody::from(asked.row))).into_response();
    Ok(replayed(response, asked.repeated))
}

fn wish(fields: &Map<String, Value>, headers: &HeaderMap) -> Result<AskApproval, ApiError> {
    let value = |field: &str| fields.get(field).cloned().unwrap_or_default();
    let words = |field| text(field, "invalid_request", value(field));
    let operation = match value("operation") {
        Value::Null => String::new(),
        Value::String(operation) => operation,
        _ => return Err(ApiError::bad_request("invalid_request", "operation must be a text")),
    };
    let require_pin = match value("require_pin") {
        Value::Null => false,
        Value::Bool(required) => required,
        _ => return Err(ApiError::bad_request("invalid_request", "require_pin must be true or false")),
    };
    let ask = AskApproval {
        operation,
        details: fields.get("details").filter(|details| !details.is_null()).cloned(),
        within: seconds("within_seconds", &value("within_seconds"))?,
        require_pin,
        language: words("language")?,
        webhook_url: words("webhook_url")?,
        idempotency: None,
    };
    let idempotency = idempotency_key(headers)?.map(|key| {
        let fields = json!({
            "operation": ask.operation, "details": ask.details, "within": ask.within.map(|within| within.as_secs()),
            "require_pin": ask.require_pin, "language": ask.language, "webhook_url": ask.webhook_url,
        });
        let mut request_hash = [0; 32];
        let digest = digest::digest(&digest::SHA256, canonical(&fields).as_bytes());
        request_hash.copy_from_slice(digest.as_ref());
        Idempotency { key, request_hash }
    });
    Ok(AskApproval { idempotency, ..ask })
}

/// An approval, and its verdict once there is one.
///
/// `wait_seconds` waits for that; ask again while `state` is `pending`.
#[utoipa::path(
    get, path = "/approvals/{id}", operation_id = "get_approval", tag = "approvals",
    params(("id" = String, Path, description = "The approval."), ApprovalWait),
    responses((status = 200, body = ApprovalBody), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)),
    security(("key" = [])),
)]
pub async fn show(
    State(api): State<Api>,
    Known(caller): Known,
    ApprovalInPath(id): ApprovalInPath,
    query: Result<Query<ApprovalWait>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Json<ApprovalBody>, ApiError> {
    let wrong = |message: String| ApiError::bad_request("invalid_query", message);
    let Query(query) = query.map_err(|error| wrong(error.body_text()))?;
    let wait = query.wait_seconds.unwrap_or(0);
    if wait > LONGEST_WAIT {
        return Err(wrong(format!("wait_seconds must be 0 to {LONGEST_WAIT}")));
    }
    let row = api.gateway.approval_decided(caller, id, Duration::from_secs(wait)).await?;
    if wait > 0 && !api.is_good(&headers).await {
        return Err(AuthError::InvalidKey.into());
    }
    Ok(Json(row.into()))
}

/// The approvals of your account, the newest first.
#[utoipa::path(
    get, path = "/approvals", operation_id = "list_approvals", tag = "approvals", params(ApprovalQuery),
    responses((status = 200, body = ApprovalList), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)),
    security(("key" = [])),
)]
pub async fn list(
    State(api): State<Api>,
    Known(caller): Known,
    query: Result<Query<ApprovalQuery>, QueryRejection>,
) -> Result<Json<ApprovalList>, ApiError> {
    let Query(query) = query.map_err(|error| ApiError::bad_request("invalid_query", error.body_text()))?;
    let limit = query.limit.unwrap_or(25);
    if !(1..=100).contains(&limit) {
        return Err(ApiError::bad_request("invalid_query", "limit must be 1 to 100"));
    }
    let rows = api.gateway.approvals(caller, limit).await?;
    Ok(Json(ApprovalList { approvals: rows.into_iter().map(Into::into).collect() }))
}

/// It is not wanted any more: nobody is asked, and whoever is being asked is hung up on. A verdict stands.
#[utoipa::path(
    delete, path = "/approvals/{id}", operation_id = "cancel_approval", tag = "approvals",
    params(("id" = String, Path, description = "The approval.")),
    responses((status = 200, body = ApprovalBody), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)),
    security(("key" = [])),
)]
pub async fn cancel(
    State(api): State<Api>,
    Known(caller): Known,
    ApprovalInPath(id): ApprovalInPath,
) -> Result<Json<ApprovalBody>, ApiError> {
    Ok(Json(api.gateway.cancel_approval(caller, id).await?.into()))
}

/// Whether a PIN is set. Nobody can read it.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = Pin)]
pub struct PinBody {
    pub set: bool,
    /// How many it has.
    #[schema(required)]
    pub digits: Option<usize>,
    #[schema(required)]
    pub set_at: Option<String>,
}

impl From<PinView> for PinBody {
    fn from(pin: PinView) -> Self {
        Self { set: pin.digits.is_some(), digits: pin.digits, set_at: pin.set_at.map(date) }
    }
}

/// Another PIN.
#[derive(Clone, ToSchema)]
#[schema(as = NewPin)]
#[allow(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
pub struct NewPin {
    /// 4 to 12 digits.
    #[schema(pattern = r"^[0-9]{4,12}$", example = "47110815")]
    pin: String,
    /// The one that is set, if one is.
    #[schema(pattern = r"^[0-9]{4,12}$")]
    current_pin: Option<String>,
}

/// What clears it.
#[derive(Clone, ToSchema)]
#[schema(as = CurrentPin)]
#[allow(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
pub struct CurrentPin {
    #[schema(pattern = r"^[0-9]{4,12}$")]
    current_pin: Option<String>,
}

/// Whether the user of your account has a PIN for approvals.
#[utoipa::path(
    get, path = "/me/pin", operation_id = "get_pin", tag = "approvals",
    responses((status = 200, body = PinBody), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)),
    security(("key" = [])),
)]
pub async fn pin(State(api): State<Api>, Known(caller): Known) -> Result<Json<PinBody>, ApiError> {
    Ok(Json(api.gateway.pin_set(caller).await?.into()))
}

/// Set the PIN with which the user approves. It is for them to choose and to type: an agent has no use for it.
#[utoipa::path(
    put, path = "/me/pin", operation_id = "set_pin", tag = "approvals", request_body = NewPin,
    responses((status = 200, body = PinBody), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)),
    security(("key" = [])),
)]
pub async fn set_pin(
    State(api): State<Api>,
    Known(caller): Known,
    Whole(body): Whole,
) -> Result<Json<PinBody>, ApiError> {
    let fields = object(&body?)?;
    let (new, current) = (digits("pin", &fields)?, digits("current_pin", &fields)?);
    let new = new.ok_or_else(|| ApiError::bad_request("missing_fields", "pin is required"))?;
    Ok(Json(api.gateway.set_pin(caller, Some(&new), current.as_deref()).await?.into()))
}

/// Approve without a PIN from now on.
#[utoipa::path(
    delete, path = "/me/pin", operation_id = "clear_pin", tag = "approvals", request_body = Option<CurrentPin>,
    responses((status = 200, body = PinBody), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)),
    security(("key" = [])),
)]
pub async fn clear_pin(
    State(api): State<Api>,
    Known(caller): Known,
    Whole(body): Whole,
) -> Result<Json<PinBody>, ApiError> {
    let current = digits("current_pin", &object_if_any(&body?)?)?;
    Ok(Json(api.gateway.set_pin(caller, None, current.as_deref()).await?.into()))
}

fn digits(field: &'static str, fields: &Map<String, Value>) -> Result<Option<String>, ApiError> {
    text(field, "invalid_request", fields.get(field).cloned().unwrap_or_default())
}

impl From<ApprovalError> for ApiError {
    fn from(error: ApprovalError) -> Self {
        let message = error.to_string();
        match error {
            ApprovalError::NotFound => Self::not_found(message),
            ApprovalError::PinRequired => Self::of("pin_required", message),
            ApprovalError::TooMany => Self::of("too_many_calls", message),
            ApprovalError::Voice(error) => error.into(),
        }
    }
}

impl From<PinError> for ApiError {
    fn from(error: PinError) -> Self {
        let message = error.to_string();
        match error {
            PinError::Invalid => Self::bad_request("invalid_request", message),
            PinError::CurrentRequired | PinError::Wrong => Self::of("wrong_pin", message),
            PinError::Locked { retry_after } => Self::of("pin_locked", message).after(retry_after),
            PinError::Bound(error) => error.into(),
            PinError::Auth(error) => error.into(),
        }
    }
}
