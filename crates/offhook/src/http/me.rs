//! `/me…`: the account behind a key, and its history.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use offhook_store::PhoneRow;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::balance::{self, Plan, TrialBody};
use super::call_view::CallBody;
use super::calls::filter;
use super::error::{ApiError, ErrorBody};
use super::request::Known;
use crate::clock::{self, iso};

/// The account behind a key.
#[derive(Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Account)]
pub struct AccountBody {
    pub user_id: String,
    /// Null where the operator noted none.
    #[schema(required)]
    pub email: Option<String>,
    /// Null is no limit, never zero.
    #[schema(required)]
    pub balance_seconds: Option<u64>,
    pub tier: &'static str,
    pub unlimited: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plan>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trial: Option<TrialBody>,
    /// The user's own phones, which the operator has confirmed: where `loop_in_user` goes.
    pub phones: Vec<PhoneBody>,
}

/// A phone of the user's own.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = AccountPhone)]
pub struct PhoneBody {
    pub number: String,
    /// Of several the one that is called.
    pub primary: bool,
    pub verified: bool,
}

/// Whose key it is. `401` while it is not linked to an account, as a key that was given out on a first call is not.
#[utoipa::path(
    get, path = "/me", operation_id = "get_account", tag = "account",
    responses((status = 200, body = AccountBody), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)),
    security(("key" = [])),
)]
pub async fn account(
    State(api): State<Api>,
    Known(caller): Known,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let account = api.gateway.account(caller).await.map_err(|error| api.linkable(error, &headers))?;
    let balance = account.balance;
    let body = AccountBody {
        user_id: account.id,
        email: account.email,
        balance_seconds: balance::seconds(&balance),
        tier: balance.tier(),
        unlimited: balance.is_unlimited(),
        plan: Plan::of(&balance),
        trial: TrialBody::of(&balance),
        phones: account.phones.into_iter().map(phone).collect(),
    };
    let mut response = Json(body).into_response();
    balance::headers(&balance, response.headers_mut());
    Ok(response)
}

fn phone(phone: PhoneRow) -> PhoneBody {
    PhoneBody { number: phone.number, primary: phone.primary, verified: true }
}

/// Which calls of the history to list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct HistoryQuery {
    /// `inbound` or `outbound`.
    #[param(pattern = "^(inbound|outbound)$")]
    direction: Option<String>,
    /// Only calls that were finalized at or after this instant: ISO 8601 with offset.
    #[param(format = DateTime)]
    since: Option<String>,
    /// 1 to 200; 25 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// Calls that are over, by when they ended, the newest first.
#[derive(Clone, Serialize, ToSchema)]
pub struct History {
    pub calls: Vec<PastCall>,
    /// How long a `recording_url` works.
    #[serde(rename = "recordingWindowMinutes")]
    pub recording_window_minutes: u64,
}

/// A call that is over.
#[derive(Clone, Serialize, ToSchema)]
pub struct PastCall {
    #[serde(flatten)]
    pub call: CallBody,
    /// Until when `recording_url` works; null without one. Ask again for another: the recording is kept longer.
    #[schema(required)]
    pub recording_available_until: Option<String>,
    /// There was a recording, and it has been deleted.
    pub recording_expired: bool,
}

/// The history of the account behind a key; of everybody with an admin key.
#[utoipa::path(
    get, path = "/me/calls", operation_id = "list_history", tag = "account", params(HistoryQuery),
    responses((status = 200, body = History), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)),
    security(("key" = [])),
)]
pub async fn history(
    State(api): State<Api>,
    Known(caller): Known,
    headers: HeaderMap,
    query: Result<Query<HistoryQuery>, QueryRejection>,
) -> Result<Json<History>, ApiError> {
    api.gateway.linked(caller).map_err(|error| api.linkable(error, &headers))?;
    let Query(query) = query.map_err(|error| ApiError::bad_request("invalid_query", error.body_text()))?;
    let wanted = filter(query.direction.as_deref(), query.since.as_deref(), query.limit)?;
    let views = api.gateway.history(caller, wanted).await?;
    let (public_url, window) = (api.public_url.for_request(&headers), api.gateway.recording_window());
    let mut calls = Vec::with_capacity(views.len());
    for view in views {
        let (recording_expired, kept_until) = (view.recording_expired, view.recording_until);
        let link_until = clock::now() + window;
        let call = api.call_body(caller, view, &public_url).await;
        let link = call.finalized.as_ref().and_then(|finalized| finalized.recording_url.as_ref());
        let until = link.map(|_| kept_until.map_or(link_until, |kept_until| kept_until.min(link_until)));
        calls.push(PastCall { call, recording_available_until: until.map(iso), recording_expired });
    }
    Ok(Json(History { calls, recording_window_minutes: window.as_secs() / 60 }))
}
