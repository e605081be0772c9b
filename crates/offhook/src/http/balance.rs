//! `/balance`, and the headers and fields that tell the same beside a call.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::error::{ApiError, ErrorBody};
use super::request::Known;
use crate::gateway::{Balance, PlanKind, Today};

/// What is left. Null is no limit, never zero.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Balance)]
pub struct BalanceBody {
    /// `paid` with a plan, else `free`: on trial, or without a plan where one is required.
    #[schema(example = "paid")]
    pub tier: &'static str,
    pub unlimited: bool,
    #[schema(required)]
    pub balance_seconds: Option<u64>,
    #[schema(required)]
    pub balance_minutes: Option<f64>,
    /// Less than two minutes are left.
    pub low_balance: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plan>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trial: Option<TrialBody>,
    /// The last 24 hours, and what the operator allows in them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub today: Option<TodayBody>,
}

/// What the operator of this line lets an account do. Nothing is bought here, so nothing ends or is cancelled.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// `unlimited`; `daily` where the conversation or the money of a day are limited; `prepaid` where there is so much and
    /// no more.
    #[schema(example = "unlimited")]
    pub id: &'static str,
    #[schema(example = "active")]
    pub status: &'static str,
    pub cancel_at_period_end: bool,
    #[schema(required)]
    pub current_period_end: Option<String>,
    #[schema(required)]
    pub grandfathered_until: Option<String>,
    pub grandfathered: bool,
}

/// What a key may use before it is linked to an account; it ends when both are used up.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Trial)]
pub struct TrialBody {
    pub allowed: bool,
    pub remaining_calls: u32,
    pub remaining_seconds: u64,
}

/// What was used in the last 24 hours.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Today)]
pub struct TodayBody {
    pub calls: u32,
    pub talk_seconds: u64,
    /// A sum, without a currency.
    #[schema(example = "0.42")]
    pub spend: String,
    pub limits: TodayLimits,
}

/// Null is no limit.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TodayLimits {
    pub calls: u32,
    #[schema(required)]
    pub talk_seconds: Option<u64>,
    #[schema(required)]
    pub spend: Option<String>,
}

/// The balance beside a call that is over.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CallMeta {
    /// Null is no limit.
    #[schema(required)]
    pub balance_seconds: Option<u64>,
    pub unlimited: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plan>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trial: Option<TrialBody>,
}

impl BalanceBody {
    pub fn of(balance: &Balance) -> Self {
        Self {
            tier: balance.tier(),
            unlimited: balance.is_unlimited(),
            balance_seconds: seconds(balance),
            balance_minutes: minutes(balance),
            low_balance: balance.is_low(),
            plan: Plan::of(balance),
            trial: TrialBody::of(balance),
            today: None,
        }
    }
}

impl Plan {
    pub fn of(balance: &Balance) -> Option<Self> {
        balance.plan.map(|plan| Self {
            id: match plan {
                PlanKind::Unlimited => "unlimited",
                PlanKind::Daily => "daily",
                PlanKind::Prepaid => "prepaid",
            },
            status: "active",
            cancel_at_period_end: false,
            current_period_end: None,
            grandfathered_until: None,
            grandfathered: false,
        })
    }
}

impl TrialBody {
    pub fn of(balance: &Balance) -> Option<Self> {
        balance.trial.map(|trial| Self {
            allowed: trial.allowed,
            remaining_calls: trial.calls,
            remaining_seconds: trial.talk.as_secs(),
        })
    }
}

impl CallMeta {
    pub fn of(balance: &Balance) -> Self {
        Self {
            balance_seconds: seconds(balance),
            unlimited: balance.is_unlimited(),
            plan: Plan::of(balance),
            trial: TrialBody::of(balance),
        }
    }
}

impl From<Today> for TodayBody {
    fn from(today: Today) -> Self {
        let limits = TodayLimits {
            calls: today.calls_limit,
            talk_seconds: today.talk_limit.map(|limit| limit.as_secs()),
            spend: today.spend_limit.map(|limit| limit.to_string()),
        };
        let (talk_seconds, spend) = (today.talk.as_secs(), today.spent.to_string());
        Self { calls: today.calls, talk_seconds, spend, limits }
    }
}

/// Adds what is left to the headers of an answer.
pub fn headers(balance: &Balance, headers: &mut HeaderMap) {
    let shown = |number: Option<String>| number.unwrap_or_else(|| "unlimited".to_owned());
    for (name, value) in [
        ("x-clawcall-balance-seconds", shown(seconds(balance).map(|seconds| seconds.to_string()))),
        ("x-clawcall-balance-minutes", shown(minutes(balance).map(|minutes| minutes.to_string()))),
        ("x-clawcall-tier", balance.tier().to_owned()),
    ] {
        headers.extend(HeaderValue::from_str(&value).ok().map(|value| (name.parse().ok(), value)));
    }
}

pub fn seconds(balance: &Balance) -> Option<u64> {
    balance.left.map(|left| left.as_secs())
}

/// To the hundredth.
fn minutes(balance: &Balance) -> Option<f64> {
    seconds(balance).map(|seconds| (seconds as f64 / 0.6).floor() / 100.0)
}

/// What is left to this key.
///
/// No need to ask before each call: place it, and handle the error.
#[utoipa::path(
    get, path = "/balance", operation_id = "get_balance", tag = "account",
    responses(
        (status = 200, body = BalanceBody, headers(
            ("X-ClawCall-Balance-Seconds" = String, description = "What is left, or `unlimited`."),
            ("X-ClawCall-Balance-Minutes" = String, description = "What is left, or `unlimited`."),
            ("X-ClawCall-Tier" = String, description = "`free` or `paid`."),
        )),
        (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody),
    ),
    security(("key" = [])),
)]
pub async fn show(State(api): State<Api>, Known(caller): Known) -> Result<Response, ApiError> {
    let balance = api.gateway.balance(caller).await?;
    let today = api.gateway.today(caller).await?;
    let body = BalanceBody { today: Some(today.into()), ..BalanceBody::of(&balance) };
    let mut response = Json(body).into_response();
    headers(&balance, response.headers_mut());
    Ok(response)
}
