//! `/me/proactive`: how often, and when, the user wants to be called by an agent of its own accord.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::Api;
use super::campaigns::optional;
use super::error::{ApiError, ErrorBody};
use super::request::{Known, Whole, object, whole};
use super::schedules::QuietHoursBody;
use crate::clock::iso;
use crate::gateway::{ProactiveUse, ProactiveWishes, QuietHours};

/// What holds for calls to the user that are an agent's own idea, and how it stands.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = Proactive)]
pub struct ProactiveBody {
    /// Whether there may be any.
    pub enabled: bool,
    /// In any 24 hours; null: as many as one likes.
    #[schema(required)]
    pub calls_per_day: Option<u32>,
    /// Between the beginnings of two of them.
    pub least_gap_minutes: u64,
    #[schema(required)]
    pub quiet_hours: Option<QuietHoursBody>,
    /// Of `quiet_hours`; null: that of the installation.
    #[schema(required)]
    pub timezone: Option<String>,
    pub calls_today: u32,
    #[schema(required)]
    pub last_called_at: Option<String>,
    /// It is quiet now, and until then.
    #[schema(required)]
    pub quiet_until: Option<String>,
}

/// What the user wishes. A field that is left out is as the operator has it; nothing goes beyond that.
#[derive(Clone, ToSchema)]
#[schema(as = ProactiveWishes)]
#[allow(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
pub struct NewWishes {
    /// `false`: none at all.
    enabled: Option<bool>,
    #[schema(minimum = 0, maximum = 1_000)]
    calls_per_day: Option<u32>,
    #[schema(minimum = 0, maximum = 10_080)]
    least_gap_minutes: Option<u32>,
    quiet_hours: Option<QuietHoursBody>,
    /// By its IANA name.
    #[schema(example = "Europe/Berlin")]
    timezone: Option<String>,
}

/// How often, and when, the user is called by an agent of its own accord.
#[utoipa::path(
    get, path = "/me/proactive", operation_id = "get_proactive", tag = "schedules",
    responses((status = 200, body = ProactiveBody), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)),
    security(("key" = [])),
)]
pub async fn show(State(api): State<Api>, Known(caller): Known) -> Result<Json<ProactiveBody>, ApiError> {
    Ok(Json(api.gateway.proactive(caller).await?.into()))
}

/// Replace what the user wishes of such calls: fewer, further apart, not at night, or none.
#[utoipa::path(
    put, path = "/me/proactive", operation_id = "set_proactive", tag = "schedules", request_body = NewWishes,
    responses((status = 200, body = ProactiveBody), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)),
    security(("key" = [])),
)]
pub async fn replace(
    State(api): State<Api>,
    Known(caller): Known,
    Whole(body): Whole,
) -> Result<Json<ProactiveBody>, ApiError> {
    let fields = object(&body?)?;
    let number = |value: &Value| u32::try_from(whole(value)?).ok();
    let hours = optional("quiet_hours", &fields, |value| {
        serde_json::from_value::<QuietHoursBody>(value.clone()).ok()
    })?;
    let wishes = ProactiveWishes {
        enabled: optional("enabled", &fields, Value::as_bool)?,
        calls_per_day: optional("calls_per_day", &fields, number)?,
        least_gap_minutes: optional("least_gap_minutes", &fields, number)?,
        quiet_hours: hours.map(|hours| QuietHours { from: hours.from, to: hours.to }),
        timezone: optional("timezone", &fields, |value| value.as_str().map(str::to_owned))?,
    };
    Ok(Json(api.gateway.set_proactive(caller, wishes).await?.into()))
}

impl From<ProactiveUse> for ProactiveBody {
    fn from(ProactiveUse { wishes, holds }: ProactiveUse) -> Self {
        Self {
            enabled: holds.wanted,
            calls_per_day: holds.calls_per_day,
            least_gap_minutes: holds.least_gap.as_secs() / 60,
            quiet_hours: wishes.quiet_hours.map(|hours| QuietHoursBody { from: hours.from, to: hours.to }),
            timezone: wishes.timezone,
            calls_today: holds.calls.count,
            last_called_at: holds.last_at.map(iso),
            quiet_until: holds.quiet_until.map(iso),
        }
    }
}
