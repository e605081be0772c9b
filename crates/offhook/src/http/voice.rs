//! The voice as a tool: `POST /tools/make_voice_call`, whom it calls, and the two paths by which installations of
//! polyclaw place calls.

use std::time::Duration;

use aws_lc_rs::digest;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use offhook_core::CallId;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::Api;
use super::call_view::{CallBody, lifecycle};
use super::error::{ApiError, ErrorBody};
use super::new_call::{canonical, seconds, text};
use super::request::{self, Known, Once, Whole, object, object_if_any, whole};
use crate::gateway::{Caller, Idempotency, Lifecycle, ListCalls, Placed, VoiceCall, VoiceError, VoiceTarget};

/// The longest a request may wait for the end of its call.
const LONGEST_WAIT: u64 = 600;

/// A call to the user.
#[derive(Clone, Default, ToSchema)]
#[schema(as = VoiceCallWish)]
#[allow(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
pub struct WishBody {
    /// Instructions for the voice: the subject, what to ask, the tone. Without any it asks what it can do.
    prompt: Option<String>,
    /// What it says first, after the notice that an AI calls.
    opening_message: Option<String>,
    /// Answer when the call is over, or the voice has a question for you, at the latest after so many seconds; at once
    /// when absent.
    #[schema(minimum = 0, maximum = 600)]
    wait: Option<u32>,
    /// The longest the conversation may last.
    #[schema(minimum = 1, maximum = 86_400)]
    max_duration_seconds: Option<u32>,
    /// Where the events of the call are sent, signed: an `https://` address.
    webhook_url: Option<String>,
}

/// The user is being called.
#[derive(Clone, Serialize, ToSchema)]
pub struct VoiceCallPlaced {
    pub call_id: String,
    /// The same value.
    pub id: String,
    /// Where the call is: `queued`, `dialing`, `answered`, `finalized`.
    #[schema(example = "queued")]
    pub status: &'static str,
    pub message: &'static str,
    /// It was waited for, and is not over: go on with `GET /call/{id}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub still_running: Option<bool>,
    /// Where it was waited for: the call, with what was said and what came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<CallBody>,
}

/// Call the user.
///
/// There is no number to give: the voice calls the target of your account, and nobody else. The answer comes before the
/// number is dialled; what comes of it is in `GET /call/{id}`, the events, and the webhook, or here with `wait`.
#[utoipa::path(
    post, path = "/tools/make_voice_call", operation_id = "make_voice_call", tag = "voice",
    request_body = Option<WishBody>, params(Once),
    responses((status = 201, body = VoiceCallPlaced), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)),
    security(("key" = [])),
)]
pub async fn call(
    State(api): State<Api>,
    Known(caller): Known,
    headers: HeaderMap,
    Whole(body): Whole,
) -> Result<Response, ApiError> {
    let fields = object_if_any(&body?)?;
    let wait = waits(fields.get("wait"))?;
    let placed = place(&api, &headers, wish(&fields, &headers)?).await?;
    let (id, repeated) = (placed.call_id, placed.repeated);
    let answer = api.outcome(caller, id, wait, &headers).await?;
    Ok(request::replayed((StatusCode::CREATED, Json(answer)).into_response(), repeated))
}

/// A text that may be left out, be null or blank.
fn words(fields: &Map<String, Value>, field: &'static str) -> Result<Option<String>, ApiError> {
    text(field, "invalid_request", fields.get(field).cloned().unwrap_or_default())
}

pub(super) fn wish(fields: &Map<String, Value>, headers: &HeaderMap) -> Result<VoiceCall, ApiError> {
    let max_duration = fields.get("max_duration_seconds").unwrap_or(&Value::Null);
    let wish = VoiceCall {
        prompt: words(fields, "prompt")?,
        opening_message: words(fields, "opening_message")?,
        number: None,
        max_duration: seconds("max_duration_seconds", max_duration)?,
        webhook_url: words(fields, "webhook_url")?,
        idempotency: None,
        by_user: false,
    };
    let key = request::idempotency_key(headers)?;
    let idempotency = key.map(|key| Idempotency { key, request_hash: request_hash(&wish) });
    Ok(VoiceCall { idempotency, ..wish })
}

/// The same for the same wish. Whom it was for is the target of then: a repeat is the call that was placed.
fn request_hash(wish: &VoiceCall) -> [u8; 32] {
    let fields = json!({
        "tool": "make_voice_call", "prompt": wish.prompt, "opening_message": wish.opening_message,
        "number": wish.number, "max_duration": wish.max_duration.map(|most| most.as_secs()),
        "webhook_url": wish.webhook_url,
    });
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, canonical(&fields).as_bytes()).as_ref());
    hash
}

fn waits(written: Option<&Value>) -> Result<Duration, ApiError> {
    match written {
        None | Some(Value::Null) => Ok(Duration::ZERO),
        Some(value) => match whole(value) {
            Some(seconds @ 0..=LONGEST_WAIT) => Ok(Duration::from_secs(seconds)),
            _ => Err(ApiError::bad_request("invalid_request", format!("wait must be 0 to {LONGEST_WAIT}"))),
        },
    }
}

pub(super) async fn place(api: &Api, headers: &HeaderMap, wish: VoiceCall) -> Result<Placed, ApiError> {
    let key = request::key(headers);
    let placed = api.gateway.call_user(key, wish).await;
    placed.map_err(|error| ApiError::from(error).offering(&api.public_url.for_request(headers), key))
}

impl Api {
    /// The call as it is answered: at once, or when it is over.
    async fn outcome(
        &self,
        caller: Caller,
        id: CallId,
        wait: Duration,
        headers: &HeaderMap,
    ) -> Result<VoiceCallPlaced, ApiError> {
        let call_id = id.to_string();
        let message = "The user is being called.";
        let placed = VoiceCallPlaced {
            id: call_id.clone(),
            call_id,
            status: "queued",
            message,
            still_running: None,
            call: None,
        };
        if wait.is_zero() {
            return Ok(placed);
        }
        let view = self.gateway.await_question(caller, id, wait).await?;
        if !self.is_good(headers).await {
            return Err(crate::gateway::AuthError::InvalidKey.into());
        }
        let over = view.lifecycle == Lifecycle::Finalized;
        let status = lifecycle(view.lifecycle);
        let message = if over { "The call is over." } else { "The call goes on." };
        let call = self.call_body(caller, view, &self.public_url.for_request(headers)).await;
        Ok(VoiceCallPlaced {
            status,
            message,
            still_running: (!over).then_some(true),
            call: Some(call),
            ..placed
        })
    }
}

/// Whom the voice calls.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = VoiceTarget)]
pub struct TargetBody {
    /// Null where none is set: then nobody is called.
    #[schema(required, example = "+13125550163")]
    pub number: Option<String>,
    /// Who says so: `account` (with `/phone`), `account_phone` (a confirmed phone of the account) or `operator` (the
    /// configuration).
    #[schema(required)]
    pub source: Option<&'static str>,
    /// Whether the key that was sent may change it: one that is bound to it may not.
    pub may_change: bool,
}

impl TargetBody {
    fn of(caller: Caller, target: Option<&VoiceTarget>) -> Self {
        Self {
            number: target.map(|target| target.number.as_e164().to_owned()),
            source: target.map(|target| target.source.code()),
            may_change: !caller.bound,
        }
    }
}

/// Whom to call from now on.
#[derive(Clone, ToSchema)]
#[schema(as = NewVoiceTarget)]
#[allow(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
pub struct NewTarget {
    /// In E.164; one that this line may call.
    #[schema(pattern = r"^\s*\+[\s\d.()-]+$", example = "+13125550163")]
    number: String,
}

/// Whom the voice calls for your account.
#[utoipa::path(
    get, path = "/me/voice-target", operation_id = "get_voice_target", tag = "voice",
    responses((status = 200, body = TargetBody), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)),
    security(("key" = [])),
)]
pub async fn target(State(api): State<Api>, Known(caller): Known) -> Result<Json<TargetBody>, ApiError> {
    let target = api.gateway.voice_target(caller.owner).await?;
    Ok(Json(TargetBody::of(caller, target.as_ref())))
}

/// Have this number called from now on. A key that is bound to the target can't.
#[utoipa::path(
    put, path = "/me/voice-target", operation_id = "set_voice_target", tag = "voice", request_body = NewTarget,
    responses((status = 200, body = TargetBody), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)),
    security(("key" = [])),
)]
pub async fn set_target(
    State(api): State<Api>,
    Known(caller): Known,
    Whole(body): Whole,
) -> Result<Json<TargetBody>, ApiError> {
    let fields = object(&body?)?;
    let number = text("number", "invalid_phone", fields.get("number").cloned().unwrap_or_default())?;
    let number = number.ok_or_else(|| ApiError::bad_request("missing_fields", "number is required"))?;
    let target = api.gateway.set_voice_target(caller, &number).await?;
    Ok(Json(TargetBody::of(caller, Some(&target))))
}

/// Forget the number; the answer says whether another one is called then.
#[utoipa::path(
    delete, path = "/me/voice-target", operation_id = "clear_voice_target", tag = "voice",
    responses((status = 200, body = TargetBody), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)),
    security(("key" = [])),
)]
pub async fn clear_target(
    State(api): State<Api>,
    Known(caller): Known,
) -> Result<Json<TargetBody>, ApiError> {
    let target = api.gateway.clear_voice_target(caller).await?;
    Ok(Json(TargetBody::of(caller, target.as_ref())))
}

/// A call, as polyclaw asks for one.
#[derive(Clone, Default, ToSchema)]
#[schema(as = PolyclawCall)]
#[allow(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
pub struct PolyclawCall {
    /// The target when absent. Somebody else is called only by a key that may have anybody called, and on your behalf:
    /// they are not your user.
    number: Option<String>,
    /// The same, as some clients write it.
    target_number: Option<String>,
    prompt: Option<String>,
    opening_message: Option<String>,
}

/// The user is called, as polyclaw says it.
#[derive(Clone, Serialize, ToSchema)]
pub struct PolyclawPlaced {
    #[schema(example = "ok")]
    pub status: &'static str,
    pub message: &'static str,
    pub call_id: String,
}

/// Nobody is called, as polyclaw says it, and as we do.
#[derive(Clone, Serialize, ToSchema)]
pub struct PolyclawError {
    #[schema(example = "error")]
    pub status: &'static str,
    pub message: String,
    #[serde(flatten)]
    pub error: ErrorBody,
}

/// Call the user, by the path and with the fields of polyclaw.
#[utoipa::path(
    post, path = "/api/voice/call", operation_id = "polyclaw_voice_call", tag = "voice",
    request_body = Option<PolyclawCall>, params(Once),
    responses((status = 200, body = PolyclawPlaced), (status = "4XX", body = PolyclawError), (status = "5XX", body = PolyclawError)),
    security(("key" = [])),
)]
pub async fn polyclaw_call(
    State(api): State<Api>,
    known: Result<Known, ApiError>,
    headers: HeaderMap,
    Whole(body): Whole,
) -> Response {
    match polyclaw_placed(&api, known, &headers, body).await {
        Ok(placed) => {
            let message =
                if placed.repeated { "This call was placed before." } else { "The call is queued." };
            let body = PolyclawPlaced { status: "ok", message, call_id: placed.call_id.to_string() };
            request::replayed(Json(body).into_response(), placed.repeated)
        }
        Err(error) => {
            let body = error.body();
            let message = body.error.message.clone();
            let (parts, _) = error.into_response().into_parts();
            let mut response = Json(PolyclawError { status: "error", message, error: body }).into_response();
            *response.status_mut() = parts.status;
            if let Some(wait) = parts.headers.get(axum::http::header::RETRY_AFTER) {
                response.headers_mut().insert(axum::http::header::RETRY_AFTER, wait.clone());
            }
            response
        }
    }
}

async fn polyclaw_placed(
    api: &Api,
    known: Result<Known, ApiError>,
    headers: &HeaderMap,
    body: Result<axum::body::Bytes, ApiError>,
) -> Result<Placed, ApiError> {
    known?;
    let fields = object_if_any(&body?)?;
    let mut wish = wish(&fields, headers)?;
    let number = |field| text(field, "invalid_phone", fields.get(field).cloned().unwrap_or_default());
    wish.number = match (number("number")?, number("target_number")?) {
        (Some(number), Some(other)) if number.trim() != other.trim() => {
            let message = "number and target_number are different; send one of them";
            return Err(ApiError::bad_request("invalid_request", message));
        }
        (number, other) => number.or(other),
    };
    let hash = request_hash(&wish);
    wish.idempotency.iter_mut().for_each(|idempotency| idempotency.request_hash = hash);
    let public_url = api.public_url.for_request(headers);
    let key = request::key(headers);
    match api.gateway.call_user(key, wish).await {
        // There is no code for it on the other side: 400, and words.
        Err(error @ VoiceError::NoTarget) => Err(ApiError::bad_request("missing_fields", error.to_string())),
        placed => placed.map_err(|error| ApiError::from(error).offering(&public_url, key)),
    }
}

/// What the voice can do right now.
#[derive(Clone, Serialize, ToSchema)]
pub struct VoiceStatus {
    /// Whether there is a line to call from.
    pub configured: bool,
    /// The first of our numbers.
    #[schema(required)]
    pub source_number: Option<String>,
    pub source_numbers: Vec<String>,
    /// Whom it calls for your account.
    #[schema(required)]
    pub target_number: Option<String>,
    /// Your calls that are not over, the newest first.
    pub calls: Vec<LiveCall>,
}

/// A call that is not over.
#[derive(Clone, Serialize, ToSchema)]
pub struct LiveCall {
    pub call_id: String,
    #[schema(example = "outbound")]
    pub direction: &'static str,
    #[schema(example = "dialing")]
    pub lifecycle: &'static str,
}

/// Whether the voice can call, from where and whom, and the calls under way.
#[utoipa::path(
    get, path = "/api/voice/status", operation_id = "polyclaw_voice_status", tag = "voice",
    responses((status = 200, body = VoiceStatus), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)),
    security(("key" = [])),
)]
pub async fn status(State(api): State<Api>, Known(caller): Known) -> Result<Json<VoiceStatus>, ApiError> {
    let target = api.gateway.voice_target(caller.owner).await?;
    let live = ListCalls { live: Some(true), limit: 50, ..ListCalls::default() };
    let calls = api.gateway.calls(caller, live).await?;
    let source_numbers: Vec<String> =
        api.gateway.source_numbers().iter().map(|number| number.as_e164().to_owned()).collect();
    let shown = calls.into_iter().map(|call| LiveCall {
        call_id: call.id.to_string(),
        direction: if call.inbound { "inbound" } else { "outbound" },
        lifecycle: lifecycle(call.lifecycle),
    });
    Ok(Json(VoiceStatus {
        configured: !source_numbers.is_empty(),
        source_number: source_numbers.first().cloned(),
        source_numbers,
        target_number: target.map(|target| target.number.as_e164().to_owned()),
        calls: shown.collect(),
    }))
}
