//! `/schedules…`: calls that are placed by the clock, when something is the case.

use aws_lc_rs::digest;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use offhook_core::ScheduleId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::campaigns::{FitValue, optional};
use super::error::{ApiError, ErrorBody};
use super::new_call::{NewCall, canonical};
use super::request::{Known, Once, Whole, idempotency_key, object, replayed};
use super::schedule_view::{DryRunBody, RunBody, ScheduleBody, ScheduleList};
use crate::gateway::{
    Idempotency, NewSchedule, PlaceCall, PlaceCallError, QuietHours, ScheduleError, WrittenCondition,
    WrittenSchedule,
};

/// When to call, under which condition, and which call.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[schema(as = NewSchedule)]
#[allow(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
pub struct NewScheduleBody {
    /// What you call it.
    #[schema(example = "Chain in stock")]
    name: Option<String>,
    /// Again and again: minute, hour, day, month, weekday, as cron(8) reads them. This or `at`.
    #[schema(example = "0 9 * * 1-5")]
    cron: Option<String>,
    /// Once: an instant with offset.
    #[schema(example = "2026-11-23T09:00:00-08:00")]
    at: Option<String>,
    /// Of `cron` and `quiet_hours`, by its IANA name; that of the installation when absent.
    #[schema(example = "Europe/Berlin")]
    timezone: Option<String>,
    /// Runs that fall into them wait for their end, and are one.
    quiet_hours: Option<QuietHoursBody>,
    /// What becomes of runs that nobody was there for: `run_once` (the last of them, late, within a day; the default) or
    /// `skip`. Both tell how many there were.
    #[schema(pattern = "^(run_once|skip)$")]
    missed: Option<String>,
    /// With a condition: after a call it is left alone for so long; never shorter than the operator has it (an hour,
    /// unless it says otherwise).
    #[schema(minimum = 0, maximum = 2_678_400)]
    cooldown_seconds: Option<u32>,
    /// What must be the case; always when absent.
    condition: Option<NewCondition>,
    /// The call, as in `POST /call`; without `to` the user is called. `not_before` and `not_after` mean nothing here.
    call: Option<NewCall>,
    /// In the place of `call`, for a call to the user: what it is about.
    prompt: Option<String>,
    /// With `prompt`: what the voice says first.
    opening_message: Option<String>,
    /// `false`: paused.
    enabled: Option<bool>,
}

/// Hours of a day in which nobody is called.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[schema(as = QuietHours)]
pub struct QuietHoursBody {
    #[schema(example = "22:00", pattern = "^[0-2][0-9]:[0-5][0-9]$")]
    pub from: String,
    #[schema(example = "08:00", pattern = "^[0-2][0-9]:[0-5][0-9]$")]
    pub to: String,
}

/// What must be the case. Which fields there are depends on the type.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[schema(as = ScheduleCondition)]
#[allow(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
pub struct NewCondition {
    /// `always`, `http` (a server answers so), `command` (a program of the operator's ends so) or `agent` (an agent says
    /// yes, with a reason).
    #[serde(rename = "type")]
    #[schema(example = "http", pattern = "^(always|http|command|agent)$")]
    kind: String,
    /// `http`: whom to ask; what addresses may be asked is as with webhooks.
    url: Option<String>,
    /// `http`: `GET` (the default), `HEAD` or `POST`.
    #[schema(pattern = "^(GET|HEAD|POST)$")]
    method: Option<String>,
    /// `http`: texts, or `{"secret": "NAME"}` for a secret that the operator keeps for this host.
    #[schema(value_type = Option<Object>)]
    #[schema(value_type = Option<Object>)]
    headers: Option<Value>,
    /// `http` with `POST`.
    body: Option<String>,
    /// `http`: which status will do: `200`, `2xx` (the default), `200,404`, or `!2xx` for any other and none at all.
    #[schema(example = "2xx")]
    status: Option<String>,
    /// `http`: 10 when absent.
    #[schema(minimum = 1, maximum = 60)]
    timeout_seconds: Option<u32>,
    /// `command`: the name the operator gave it.
    command: Option<String>,
    /// `command`: how it must end; 0 when absent, or however it likes where `op` looks at its output.
    exit_code: Option<i32>,
    /// `agent`: what it is to find out, so that yes means call.
    question: Option<String>,
    /// `agent`: which; the usual one when absent.
    agent: Option<String>,
    /// `http`, `command`: where to look in a JSON answer (RFC 6901); at the whole answer when absent.
    #[schema(example = "/price")]
    pointer: Option<String>,
    /// `http`, `command`: `<`, `<=`, `==`, `!=`, `>=`, `>`, `contains`, `exists`, or `changed` since the last look.
    #[schema(example = "<")]
    op: Option<String>,
    /// What it is compared with.
    value: Option<FitValue>,
}

/// A schedule in a path. What is no id is the id of no schedule.
#[derive(Clone, Copy, Debug)]
pub struct ScheduleInPath(ScheduleId);

impl FromRequestParts<Api> for ScheduleInPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let id =
            Path::<String>::from_request_parts(parts, api).await.ok().and_then(|Path(id)| id.parse().ok());
        id.map(Self).ok_or_else(|| ScheduleError::NotFound.into())
    }
}

/// The schedule of a path, as the OpenAPI document describes it.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[allow(dead_code, reason = "describes the parameter; an extractor reads it")]
pub struct OfSchedule {
    /// The schedule.
    id: String,
}

/// How many schedules, or runs of one.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Limited {
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
}

impl Limited {
    fn of(query: Result<Query<Self>, QueryRejection>, usual: u32) -> Result<u32, ApiError> {
        let Query(query) =
            query.map_err(|error| ApiError::bad_request("invalid_query", error.body_text()))?;
        match query.limit.unwrap_or(usual) {
            limit @ 1..=100 => Ok(limit),
            _ => Err(ApiError::bad_request("invalid_query", "limit must be 1 to 100")),
        }
    }
}

/// Call by the clock, when something is the case.
///
/// Each time it is due the condition is asked, and where it holds the call is placed as `POST /call` would, with all that
/// the rules of this line have to say then. What was found is part of the briefing, as data. It survives restarts.
#[utoipa::path(
    post, path = "/schedules", operation_id = "create_schedule", tag = "schedules",
    request_body = NewScheduleBody, params(Once),
    responses((status = 201, body = ScheduleBody), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)),
    security(("key" = [])),
)]
pub async fn create(
    State(api): State<Api>,
    Known(caller): Known,
    headers: HeaderMap,
    Whole(body): Whole,
) -> Result<Response, ApiError> {
    let fields = object(&body?)?;
    let key = idempotency_key(&headers)?;
    let idempotency = key.map(|key| Idempotency { key, request_hash: hash(&fields) });
    let (written, call) = read(&fields)?;
    let enabled = optional("enabled", &fields, Value::as_bool)?.unwrap_or(true);
    let new = NewSchedule { written, call, enabled, idempotency };
    let (view, repeated) = api.gateway.create_schedule(caller, new).await?;
    let response = (StatusCode::CREATED, Json(ScheduleBody::from(view))).into_response();
    Ok(replayed(response, repeated))
}

/// The schedules of this key, the newest first, each with its last run; of everybody with an admin key.
#[utoipa::path(
    get, path = "/schedules", operation_id = "list_schedules", tag = "schedules", params(Limited),
    responses((status = 200, body = ScheduleList), (status = "4XX", body = ErrorBody)),
    security(("key" = [])),
)]
pub async fn list(
    State(api): State<Api>,
    Known(caller): Known,
    query: Result<Query<Limited>, QueryRejection>,
) -> Result<Json<ScheduleList>, ApiError> {
    let schedules = api.gateway.schedules(caller, Limited::of(query, 100)?).await?;
    Ok(Json(ScheduleList { schedules: schedules.into_iter().map(ScheduleBody::from).collect() }))
}

/// A schedule with its last runs: what each found, and what became of its call. `limit`: how many; 20 when absent.
#[utoipa::path(
    get, path = "/schedules/{id}", operation_id = "get_schedule", tag = "schedules", params(OfSchedule, Limited),
    responses((status = 200, body = ScheduleBody), (status = "4XX", body = ErrorBody)),
    security(("key" = [])),
)]
pub async fn show(
    State(api): State<Api>,
    Known(caller): Known,
    ScheduleInPath(id): ScheduleInPath,
    query: Result<Query<Limited>, QueryRejection>,
) -> Result<Json<ScheduleBody>, ApiError> {
    Ok(Json(api.gateway.schedule(caller, id, Limited::of(query, 20)?).await?.into()))
}

/// Change some of a schedule; what is left out stays, a null is as if it had never been said. `enabled` pauses it and
/// lets it go on.
#[utoipa::path(
    patch, path = "/schedules/{id}", operation_id = "change_schedule", tag = "schedules",
    request_body = NewScheduleBody, params(OfSchedule),
    responses((status = 200, body = ScheduleBody), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)),
    security(("key" = [])),
)]
pub async fn change(
    State(api): State<Api>,
    Known(caller): Known,
    ScheduleInPath(id): ScheduleInPath,
    Whole(body): Whole,
) -> Result<Json<ScheduleBody>, ApiError> {
    let changes = object(&body?)?;
    let enabled = optional("enabled", &changes, Value::as_bool)?;
    let wanted = match changes.keys().any(|name| name != "enabled") {
        true => Some(read(&merged(&api.gateway.written_schedule(caller, id).await?, changes))?),
        false => None,
    };
    Ok(Json(api.gateway.change_schedule(caller, id, wanted, enabled).await?.into()))
}

/// What removing did.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ScheduleRemoved {
    pub success: bool,
    pub schedule_id: String,
}

/// Remove a schedule with its runs. Calls that it placed stay; one under way goes on.
#[utoipa::path(
    delete, path = "/schedules/{id}", operation_id = "remove_schedule", tag = "schedules", params(OfSchedule),
    responses((status = 200, body = ScheduleRemoved), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)),
    security(("key" = [])),
)]
pub async fn remove(
    State(api): State<Api>,
    Known(caller): Known,
    ScheduleInPath(id): ScheduleInPath,
) -> Result<Json<ScheduleRemoved>, ApiError> {
    api.gateway.remove_schedule(caller, id).await?;
    Ok(Json(ScheduleRemoved { success: true, schedule_id: id.to_string() }))
}

/// Run a schedule now, beside its own times: its condition is asked, and its call placed where that holds.
#[utoipa::path(
    post, path = "/schedules/{id}/run-now", operation_id = "run_schedule", tag = "schedules", params(OfSchedule),
    responses((status = 202, body = RunBody), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)),
    security(("key" = [])),
)]
pub async fn run_now(
    State(api): State<Api>,
    Known(caller): Known,
    ScheduleInPath(id): ScheduleInPath,
) -> Result<(StatusCode, Json<RunBody>), ApiError> {
    let run = api.gateway.run_schedule(caller, id).await?;
    Ok((StatusCode::ACCEPTED, Json(run.into())))
}

/// Ask the condition of a schedule, and tell what would happen. Nobody is called, and nothing is kept of it.
#[utoipa::path(
    post, path = "/schedules/{id}/dry-run", operation_id = "dry_run_schedule", tag = "schedules", params(OfSchedule),
    responses((status = 200, body = DryRunBody), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)),
    security(("key" = [])),
)]
pub async fn dry_run(
    State(api): State<Api>,
    Known(caller): Known,
    ScheduleInPath(id): ScheduleInPath,
) -> Result<Json<DryRunBody>, ApiError> {
    Ok(Json(api.gateway.dry_run_schedule(caller, id).await?.into()))
}

impl From<ScheduleError> for ApiError {
    fn from(error: ScheduleError) -> Self {
        let message = error.to_string();
        match error {
            ScheduleError::NotFound => Self::not_found(message),
            ScheduleError::Store => {
                PlaceCallError::StoreAway { why: "the database can't be read or written" }.into()
            }
            ScheduleError::Invalid { .. } => Self::bad_request("invalid_request", message),
            ScheduleError::TooMany { .. } => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_calls", message)
            }
            ScheduleError::Changed | ScheduleError::UnderWay => {
                Self::new(StatusCode::CONFLICT, "conflict", message)
            }
            ScheduleError::NotYours => Self::new(StatusCode::FORBIDDEN, "forbidden", message),
            ScheduleError::Bound(bound) => bound.into(),
            ScheduleError::Call(error) => error.into(),
        }
    }
}

/// What others call them.
const ALIASES: [(&str, &str); 3] = [("description", "name"), ("schedule", "cron"), ("run_at", "at")];

fn wrong<T>(message: impl Into<String>) -> Result<T, ApiError> {
    Err(ApiError::bad_request("invalid_request", message))
}

fn text(name: &'static str, fields: &Map<String, Value>) -> Result<Option<String>, ApiError> {
    let alias = ALIASES.iter().find(|(_, known)| *known == name).map(|(alias, _)| *alias);
    let found = match (fields.get(name), alias) {
        (None, Some(alias)) => fields.get(alias),
        (found, _) => found,
    };
    match found {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.trim().to_owned())),
        Some(_) => wrong(format!("{name} must be a text")),
    }
}

/// An object whose fields are all what they may be.
fn inside<T: serde::de::DeserializeOwned>(
    name: &'static str,
    fields: &Map<String, Value>,
) -> Result<Option<T>, ApiError> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value @ Value::Object(_)) => {
            serde_json::from_value(value.clone()).map(Some).or_else(|error| wrong(format!("{name}: {error}")))
        }
        Some(_) => wrong(format!("{name} must be an object")),
    }
}

fn read(fields: &Map<String, Value>) -> Result<(WrittenSchedule, PlaceCall), ApiError> {
    let quiet: Option<QuietHoursBody> = inside("quiet_hours", fields)?;
    let written = WrittenSchedule {
        name: text("name", fields)?,
        cron: text("cron", fields)?,
        at: text("at", fields)?,
        timezone: text("timezone", fields)?,
        quiet_hours: quiet.map(|hours| QuietHours { from: hours.from, to: hours.to }),
        missed: text("missed", fields)?,
        cooldown_seconds: optional("cooldown_seconds", fields, Value::as_u64)?,
        condition: inside::<WrittenCondition>("condition", fields)?,
        ..WrittenSchedule::default()
    };
    Ok((written, call(fields)?))
}

/// As it is written, or in short for a call to the user.
fn call(fields: &Map<String, Value>) -> Result<PlaceCall, ApiError> {
    let short = (text("prompt", fields)?, text("opening_message", fields)?);
    match (fields.get("call"), short) {
        (Some(Value::Object(call)), (None, None)) => NewCall::of(call.clone())?.into_wish(&HeaderMap::new()),
        (Some(Value::Object(_)), _) => wrong("call and prompt are two ways to say the same; use one of them"),
        (None | Some(Value::Null), (Some(task), greeting)) => {
            Ok(PlaceCall { task, greeting, ..PlaceCall::default() })
        }
        (None | Some(Value::Null), (None, _)) => wrong("call is needed, or prompt: what it is about"),
        (Some(_), _) => wrong("call must be an object, as in POST /call"),
    }
}

/// What there is, with some of it changed.
fn merged(was: &WrittenSchedule, changes: Map<String, Value>) -> Map<String, Value> {
    let was = serde_json::to_value(was).ok().and_then(|value| value.as_object().cloned());
    let mut fields = was.unwrap_or_default();
    for (name, value) in changes {
        let name =
            ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, known)| (*known).to_owned());
        match name.as_str() {
            // One of the two says when.
            "cron" => drop(fields.remove("at")),
            "at" => drop(fields.remove("cron")),
            "prompt" | "opening_message" => {
                let field = if name == "prompt" { "task" } else { "greeting" };
                if let Some(Value::Object(call)) = fields.get_mut("call") {
                    call.insert(field.to_owned(), value);
                    continue;
                }
            }
            "call" => {
                if let (Some(Value::Object(call)), Value::Object(changes)) = (fields.get_mut("call"), &value)
                {
                    call.extend(changes.clone());
                    continue;
                }
            }
            _ => {}
        }
        fields.insert(name, value);
    }
    fields
}

/// The same for the same wish, however it was written; unknown fields count, they may come to mean something.
fn hash(fields: &Map<String, Value>) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, canonical(&Value::Object(fields.clone())).as_bytes());
    digest.as_ref().try_into().expect("SHA-256 is 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(body: Value) -> Result<(WrittenSchedule, PlaceCall), ApiError> {
        read(body.as_object().unwrap())
    }

    #[test]
    fn other_names_and_short_calls() {
        let (written, call) = of(json!({
            "description": "Chores", "schedule": "0 9 * * *", "prompt": "Remind me of the bins.", "opening_message": "Hi.",
        }))
        .unwrap();
        assert_eq!((written.name.as_deref(), written.cron.as_deref()), (Some("Chores"), Some("0 9 * * *")));
        assert_eq!((call.to.as_str(), call.task.as_str()), ("", "Remind me of the bins."));
        assert_eq!(call.greeting.as_deref(), Some("Hi."));
        let (written, _) = of(json!({ "run_at": "2026-11-23T09:00:00Z", "prompt": "x" })).unwrap();
        assert_eq!(written.at.as_deref(), Some("2026-11-23T09:00:00Z"));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (body, expected) in [
            (json!({}), "call is needed"),
            (json!({ "cron": 9, "prompt": "x" }), "cron must be a text"),
            (json!({ "call": "x" }), "call must be an object"),
            (json!({ "call": {}, "prompt": "x" }), "call and prompt"),
            (json!({ "call": { "to": "+14155550100", "task": [] } }), "task must be a text"),
            (json!({ "condition": [], "prompt": "x" }), "condition must be an object"),
            (json!({ "condition": { "type": 1 }, "prompt": "x" }), "condition: "),
            (json!({ "quiet_hours": { "from": "22:00" }, "prompt": "x" }), "quiet_hours: "),
        ] {
            let message = of(body.clone()).unwrap_err().body().error.message;
            assert!(message.starts_with(expected), "{body}: {message}");
        }
    }

    #[test]
    fn a_schedule_is_changed_in_part() {
        let (was, _) = of(json!({ "cron": "0 9 * * *", "name": "Chores", "prompt": "x" })).unwrap();
        let was = WrittenSchedule { call: json!({ "task": "Bins.", "greeting": "Hi." }), ..was };
        let change = |changes: Value| merged(&was, changes.as_object().unwrap().clone());
        let once = change(json!({ "at": "2026-11-23T09:00:00Z" }));
        assert_eq!((once.get("cron"), &once["name"]), (None, &json!("Chores")));
        assert_eq!(change(json!({ "name": null }))["name"], Value::Null);
        assert_eq!(
            change(json!({ "prompt": "Paper." }))["call"],
            json!({ "task": "Paper.", "greeting": "Hi." })
        );
        let call = change(json!({ "call": { "greeting": null, "to": "+14155550100" } }))["call"].clone();
        assert_eq!(call, json!({ "task": "Bins.", "greeting": null, "to": "+14155550100" }));
    }
}
