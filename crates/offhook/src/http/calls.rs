//! `/call…`: placing, looking, hanging up, listing.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::balance::CallMeta;
use super::call_view::CallBody;
use super::error::{ApiError, ErrorBody};
use super::new_call::NewCall;
use super::request::{self, InPath, Known, Whole};
use super::{Api, balance};
use crate::gateway::{AuthError, HungUp, ListCalls, PlaceCall, PlaceCallError, Placed};

/// A call was accepted.
#[derive(Clone, Serialize, ToSchema)]
pub struct CallPlaced {
    pub call_id: String,
    /// The same value; some clients read this name first.
    pub id: String,
    #[schema(example = "queued")]
    pub status: &'static str,
    pub message: &'static str,
    /// Only when a key was minted, and only this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key: Option<String>,
}

/// Place a call.
///
/// Without a key, and where the operator allows it, one is minted and returned once. The answer comes before the
/// number is dialled: follow the call with `GET /call/{id}` or its event stream.
#[utoipa::path(
    post, path = "/call", operation_id = "place_call", tag = "calls", request_body = NewCall,
    params(
        ("X-Api-Key" = Option<String>, Header, description = "The caller's key; optional on the first call."),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is the same call."),
    ),
    responses(
        (status = 201, body = CallPlaced, headers(
            ("X-ClawCall-Api-Key" = String, description = "The minted key, when one was minted."),
            ("Idempotent-Replayed" = String, description = "`true` when the call existed already."),
            ("X-ClawCall-Balance-Seconds" = String, description = "What is left, or `unlimited`."),
            ("X-ClawCall-Balance-Minutes" = String, description = "What is left, or `unlimited`."),
            ("X-ClawCall-Tier" = String, description = "`free` or `paid`."),
        )),
        (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody),
    ),
    security((), ("key" = [])),
)]
pub async fn place(
    State(api): State<Api>,
    headers: HeaderMap,
    Whole(body): Whole,
) -> Result<Response, ApiError> {
    let wish = wish(&api, &headers, body).await?;
    let placed = api.gateway.place_call(request::key(&headers), wish).await;
    let public_url = api.public_url.for_request(&headers);
    let placed = placed.map_err(|error| match error {
        PlaceCallError::Auth(error) => request::refused(error, &headers),
        error => error.into(),
    });
    let placed = placed.map_err(|error| error.offering(&public_url, request::key(&headers)))?;
    let balance = api.gateway.balance(placed.caller).await;
    let mut response = accepted(placed);
    // The call is placed, whatever is known of the balance.
    balance.iter().for_each(|balance| balance::headers(balance, response.headers_mut()));
    Ok(response)
}

/// What is asked for. The key is checked before the body; who holds a wrong one learns that first.
pub(super) async fn wish(
    api: &Api,
    headers: &HeaderMap,
    body: Result<Bytes, ApiError>,
) -> Result<PlaceCall, ApiError> {
    match body.and_then(|body| NewCall::read(&body)?.into_wish(headers)) {
        Ok(wish) => Ok(wish),
        Err(error) => match api.gateway.authenticate(request::key(headers)).await {
            Err(wrong @ (AuthError::InvalidKey | AuthError::Store)) => Err(request::refused(wrong, headers)),
            Ok(_) | Err(AuthError::KeyRequired) => Err(error),
        },
    }
}

fn accepted(placed: Placed) -> Response {
    let minted = placed.minted_key.as_ref().map(|key| key.expose_secret().to_owned());
    let id = placed.call_id.to_string();
    let message = match (placed.repeated, placed.waits) {
        (true, _) => "This call was placed before.",
        (false, true) => "The call waits for its time.",
        (false, false) => "The call is queued.",
    };
    let header = minted.as_deref().and_then(|key| HeaderValue::from_str(key).ok());
    let body = CallPlaced { call_id: id.clone(), id, status: "queued", message, api_key: minted };
    let mut response = (StatusCode::CREATED, Json(body)).into_response();
    if let Some(mut key) = header {
        key.set_sensitive(true);
        response.headers_mut().insert("x-clawcall-api-key", key);
    }
    request::replayed(response, placed.repeated)
}

/// Where a call is, and what became of it.
///
/// Poll every three seconds until `lifecycle` is `finalized`, or follow the event stream.
#[utoipa::path(
    get, path = "/call/{id}", operation_id = "get_call", tag = "calls", params(("id" = String, Path, description = "The call.")),
    responses((status = 200, body = CallBody), (status = "4XX", body = ErrorBody)),
    security(("key" = [])),
)]
pub async fn show(
    State(api): State<Api>,
    Known(caller): Known,
    InPath(id): InPath,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let view = api.gateway.call(caller, id).await?;
    let balance = match view.end.is_some() {
        true => api.gateway.balance(caller).await.ok(),
        false => None,
    };
    let mut body = api.call_body(caller, view, &api.public_url.for_request(&headers)).await;
    body.meta = balance.as_ref().map(CallMeta::of);
    let mut response = Json(body).into_response();
    balance.iter().for_each(|balance| balance::headers(balance, response.headers_mut()));
    Ok(response)
}

/// What hanging up did.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CallHungUp {
    pub success: bool,
    pub call_id: String,
    /// `failed` when nobody had picked up, `completed` when a conversation was ended.
    pub status: &'static str,
    pub message: &'static str,
}

/// Cancel or hang up. Repeat at will: an ended call stays ended.
#[utoipa::path(
    post, path = "/call/{id}/hangup", operation_id = "hangup_call", tag = "calls", params(("id" = String, Path, description = "The call.")),
    responses((status = 200, body = CallHungUp), (status = "4XX", body = ErrorBody)),
    security(("key" = [])),
)]
pub async fn hang_up(
    State(api): State<Api>,
    Known(caller): Known,
    InPath(id): InPath,
) -> Result<Json<CallHungUp>, ApiError> {
    let (status, message) = match api.gateway.hang_up(caller, id).await? {
        HungUp::Cancelled => ("failed", "Cancelled before pickup."),
        HungUp::Ended => ("completed", "Hung up."),
        HungUp::AlreadyOver { answered: true } => ("completed", "The call had already ended."),
        HungUp::AlreadyOver { answered: false } => {
            ("failed", "The call had already ended without an answer.")
        }
    };
    Ok(Json(CallHungUp { success: true, call_id: id.to_string(), status, message }))
}

/// Which calls to list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CallQuery {
    /// `inbound` or `outbound`.
    #[param(pattern = "^(inbound|outbound)$")]
    direction: Option<String>,
    /// Only calls that were finalized at or after this instant: ISO 8601 with offset.
    #[param(format = DateTime)]
    since: Option<String>,
    /// Only calls that are not over.
    live: Option<bool>,
    /// 1 to 200; 25 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// Calls, the newest first.
#[derive(Clone, Serialize, ToSchema)]
pub struct CallList {
    pub calls: Vec<CallBody>,
}

/// What a list is asked for, whichever it is.
pub fn filter(
    direction: Option<&str>,
    since: Option<&str>,
    limit: Option<u32>,
) -> Result<ListCalls, ApiError> {
    let wrong = |message: &str| ApiError::bad_request("invalid_query", message);
    let inbound = match direction {
        None => None,
        Some("inbound") => Some(true),
        Some("outbound") => Some(false),
        Some(_) => return Err(wrong("direction must be inbound or outbound")),
    };
    // A date alone does not parse: which day it is depends on where one asks.
    let since = since.map(str::parse::<jiff::Timestamp>).transpose();
    let since =
        since.map_err(|_| wrong("since must be an instant with offset, e.g. 2026-11-03T18:00:00Z"))?;
    let limit = limit.unwrap_or(25);
    if !(1..=200).contains(&limit) {
        return Err(wrong("limit must be 1 to 200"));
    }
    Ok(ListCalls {
        inbound,
        finalized_since: since.map(|at| offhook_core::Timestamp::from_unix_micros(at.as_microsecond())),
        live: None,
        limit: limit as usize,
    })
}

/// The calls of this key; of everybody with an admin key.
#[utoipa::path(
    get, path = "/calls", operation_id = "list_calls", tag = "calls", params(CallQuery),
    responses((status = 200, body = CallList), (status = "4XX", body = ErrorBody)),
    security(("key" = [])),
)]
pub async fn list(
    State(api): State<Api>,
    Known(caller): Known,
    headers: HeaderMap,
    query: Result<Query<CallQuery>, QueryRejection>,
) -> Result<Json<CallList>, ApiError> {
    let Query(query) = query.map_err(|error| ApiError::bad_request("invalid_query", error.body_text()))?;
    let wanted = filter(query.direction.as_deref(), query.since.as_deref(), query.limit)?;
    let wanted = ListCalls { live: query.live.filter(|live| *live), ..wanted };
    let views = api.gateway.calls(caller, wanted).await?;
    let public_url = api.public_url.for_request(&headers);
    let mut calls = Vec::with_capacity(views.len());
    for view in views {
        calls.push(api.call_body(caller, view, &public_url).await);
    }
    Ok(Json(CallList { calls }))
}
