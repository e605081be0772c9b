//! `/campaigns…`: the same asked of several, and compared.

use std::time::Duration;

use aws_lc_rs::digest;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use offhook_core::CampaignId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::campaign_view::{CampaignBody, CampaignList};
use super::error::{ApiError, ErrorBody};
use super::new_call::{MayCommit, NewCall, OnVoicemail, canonical};
use super::request::{Known, Whole, idempotency_key, object, replayed, whole};
use crate::gateway::{
    AuthError, CampaignError, Fit, Idempotency, Notes, PlaceCallError, StartCampaign, Target,
};

/// The longest of what an owner keeps with a campaign.
const LONGEST_NOTE: usize = 4_000;
const MOST_FACTS: usize = 50;
/// Shorter than a proxy's patience.
const LONGEST_WAIT: u32 = 25;

/// What to ask of whom.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[schema(as = StartCampaign)]
#[allow(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
pub struct NewCampaign {
    /// The call instructions, the same for every call. What makes it an enquiry is added: to agree to nothing, to ask
    /// for price, availability, timing and conditions, and whether it can be held without payment and for how long.
    #[schema(
        min_length = 1,
        pattern = r"\S",
        example = "Ask what a new chain for a road bicycle costs, fitted, and when it can be done."
    )]
    task: String,
    /// Whom to call: 1 to 20, each number once.
    #[schema(min_items = 1, max_items = 20)]
    targets: Vec<NewTarget>,
    /// What it is for, in a few words; the beginning of the task when absent.
    purpose: Option<String>,
    /// What is known already, for every call.
    #[schema(max_items = 50)]
    facts: Option<Vec<String>>,
    /// Calls at the same time; as many as the operator allows (4, unless it says otherwise) when absent.
    #[schema(minimum = 1)]
    parallel: Option<u32>,
    /// Whether to end the other calls, and to place no more, as soon as one has found what fits.
    stop_at_first_fit: Option<bool>,
    /// What fits: a task that was achieved when absent.
    fit: Option<NewFit>,
    /// The fields of `result_schema` that are compared; all of them when absent.
    compare: Option<Vec<String>>,
    /// As in `POST /call`. `true` or limits only with one target, or with `parallel` 1 and `stop_at_first_fit`: no call
    /// follows one that may have committed to something.
    may_commit: Option<MayCommit>,
    /// As in `POST /call`.
    #[schema(value_type = Option<Object>)]
    result_schema: Option<Value>,
    personality: Option<String>,
    greeting: Option<String>,
    #[schema(pattern = r"^(jessica|sarah|chris|eric|\s*)$")]
    voice: Option<String>,
    language: Option<String>,
    from: Option<String>,
    #[schema(minimum = 1, maximum = 86_400)]
    max_duration_seconds: Option<u32>,
    voicemail: Option<OnVoicemail>,
    ask_owner: Option<bool>,
    #[schema(minimum = 10, maximum = 300)]
    ask_owner_seconds: Option<u32>,
    /// Where the events of every call are sent; each names its `campaign_id`.
    webhook_url: Option<String>,
}

/// Whom to call.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[schema(as = CampaignTarget)]
#[allow(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
pub struct NewTarget {
    /// In E.164.
    #[schema(example = "+14155550100")]
    to: String,
    #[schema(example = "Spoke & Co")]
    name: Option<String>,
    /// What is asked of this one only.
    task: Option<String>,
}

/// What one field of the result must be for an answer to fit.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[schema(as = CampaignFit)]
#[allow(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
pub struct NewFit {
    /// One of `result_schema`.
    #[schema(example = "price")]
    field: String,
    /// A text, a number, or true or false.
    #[schema(value_type = Option<FitValue>)]
    equals: Option<Value>,
    at_most: Option<f64>,
    at_least: Option<f64>,
}

/// What a field of the result is compared with.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = CampaignFitValue)]
#[allow(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
pub enum FitValue {
    Text(String),
    Number(f64),
    Whether(bool),
}

/// What the owner keeps with a campaign; what is left out stays, a null is forgotten.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[schema(as = CampaignNotes)]
#[allow(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
pub struct NewNotes {
    notes: Option<String>,
    #[schema(max_items = 50)]
    facts: Option<Vec<String>>,
    decision_needed: Option<String>,
    next_action: Option<String>,
}

/// A campaign in a path. What is no id is the id of no campaign.
#[derive(Clone, Copy, Debug)]
pub struct CampaignInPath(CampaignId);

impl FromRequestParts<Api> for CampaignInPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let id =
            Path::<String>::from_request_parts(parts, api).await.ok().and_then(|Path(id)| id.parse().ok());
        id.map(Self).ok_or_else(|| CampaignError::NotFound.into())
    }
}

/// Ask several the same and compare.
///
/// Places the calls as the rules allow, so many at a time, and keeps what each found out. For information only, unless
/// duplicates are impossible. A restart of offhook ends it: targets that were not called by then never are.
#[utoipa::path(
    post, path = "/campaigns", operation_id = "start_campaign", tag = "campaigns", request_body = NewCampaign,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body is the same campaign.")),
    responses(
        (status = 201, body = CampaignBody, headers(
            ("Idempotent-Replayed" = String, description = "`true` when the campaign existed already."),
        )),
        (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody),
    ),
    security(("key" = [])),
)]
pub async fn start(
    State(api): State<Api>,
    Known(caller): Known,
    headers: HeaderMap,
    Whole(body): Whole,
) -> Result<Response, ApiError> {
    let wanted = read(&object(&body?)?, &headers)?;
    let started = api.gateway.start_campaign(caller, wanted).await?;
    let response = (StatusCode::CREATED, Json(CampaignBody::from(started.view))).into_response();
    Ok(replayed(response, started.repeated))
}

/// A campaign: whom it called, what each said, side by side, and what to do next.
///
/// Poll every three seconds until `state` is `done`, or let `wait_seconds` wait for that.
#[utoipa::path(
    get, path = "/campaigns/{id}", operation_id = "get_campaign", tag = "campaigns",
    params(("id" = String, Path, description = "The campaign."), CampaignWait),
    responses((status = 200, body = CampaignBody), (status = "4XX", body = ErrorBody)),
    security(("key" = [])),
)]
pub async fn show(
    State(api): State<Api>,
    Known(caller): Known,
    CampaignInPath(id): CampaignInPath,
    query: Result<Query<CampaignWait>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Json<CampaignBody>, ApiError> {
    let Query(query) = query.map_err(|error| ApiError::bad_request("invalid_query", error.body_text()))?;
    if let Some(seconds) = query.wait_seconds {
        if seconds > LONGEST_WAIT {
            let message = format!("wait_seconds must be 0 to {LONGEST_WAIT}");
            return Err(ApiError::bad_request("invalid_query", message));
        }
        api.gateway.campaign_done(caller, id, Duration::from_secs(seconds.into())).await?;
        if seconds > 0 && !api.is_good(&headers).await {
            return Err(AuthError::InvalidKey.into());
        }
    }
    Ok(Json(api.gateway.campaign(caller, id).await?.into()))
}

/// How long to wait for the end of a campaign.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CampaignWait {
    /// Answer when the campaign is done, or after so long.
    #[param(minimum = 0, maximum = 25)]
    wait_seconds: Option<u32>,
}

/// How many campaigns to list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CampaignQuery {
    /// 1 to 100; 25 when absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
}

/// The campaigns of this key, the newest first; of everybody with an admin key.
#[utoipa::path(
    get, path = "/campaigns", operation_id = "list_campaigns", tag = "campaigns", params(CampaignQuery),
    responses((status = 200, body = CampaignList), (status = "4XX", body = ErrorBody)),
    security(("key" = [])),
)]
pub async fn list(
    State(api): State<Api>,
    Known(caller): Known,
    query: Result<Query<CampaignQuery>, QueryRejection>,
) -> Result<Json<CampaignList>, ApiError> {
    let Query(query) = query.map_err(|error| ApiError::bad_request("invalid_query", error.body_text()))?;
    let limit = query.limit.unwrap_or(25);
    if !(1..=100).contains(&limit) {
        return Err(ApiError::bad_request("invalid_query", "limit must be 1 to 100"));
    }
    Ok(Json(CampaignList::new(api.gateway.campaigns(caller, limit).await?)))
}

/// Keep something with a campaign: what is known, what has to be decided, what is done next.
#[utoipa::path(
    patch, path = "/campaigns/{id}", operation_id = "note_campaign", tag = "campaigns", request_body = NewNotes,
    params(("id" = String, Path, description = "The campaign.")),
    responses((status = 200, body = CampaignBody), (status = "4XX", body = ErrorBody)),
    security(("key" = [])),
)]
pub async fn note(
    State(api): State<Api>,
    Known(caller): Known,
    CampaignInPath(id): CampaignInPath,
    Whole(body): Whole,
) -> Result<Json<CampaignBody>, ApiError> {
    let fields = object(&body?)?;
    let (notes, decision) = (note_text("notes", &fields)?, note_text("decision_needed", &fields)?);
    let (next, facts) = (note_text("next_action", &fields)?, facts(fields.get("facts"))?);
    let change = |kept: Notes| Notes {
        notes: notes.unwrap_or(kept.notes),
        facts: facts.unwrap_or(kept.facts),
        decision_needed: decision.unwrap_or(kept.decision_needed),
        next_action: next.unwrap_or(kept.next_action),
    };
    Ok(Json(api.gateway.note_campaign(caller, id, change).await?.into()))
}

/// What stopping did.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CampaignStopped {
    pub success: bool,
    pub campaign_id: String,
    /// `stopping` while calls come to their end, else `done`.
    #[schema(example = "stopping")]
    pub state: &'static str,
}

/// Place no more calls, and bring those under way to their end. Repeat at will.
#[utoipa::path(
    post, path = "/campaigns/{id}/stop", operation_id = "stop_campaign", tag = "campaigns",
    params(("id" = String, Path, description = "The campaign.")),
    responses((status = 200, body = CampaignStopped), (status = "4XX", body = ErrorBody)),
    security(("key" = [])),
)]
pub async fn stop(
    State(api): State<Api>,
    Known(caller): Known,
    CampaignInPath(id): CampaignInPath,
) -> Result<Json<CampaignStopped>, ApiError> {
    let state = api.gateway.stop_campaign(caller, id).await?;
    Ok(Json(CampaignStopped { success: true, campaign_id: id.to_string(), state: state.code() }))
}

impl From<CampaignError> for ApiError {
    fn from(error: CampaignError) -> Self {
        let message = error.to_string();
        match error {
            CampaignError::NotFound => Self::not_found(message),
            CampaignError::Store => {
                PlaceCallError::StoreAway { why: "the database can't be read or written" }.into()
            }
            CampaignError::Place(error) => error.into(),
            CampaignError::SwitchedOff => Self::new(StatusCode::FORBIDDEN, "forbidden", message),
            CampaignError::TooMany => Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_calls", message),
        }
    }
}

/// The fields a campaign has besides those of a call.
const OWN: [&str; 7] = ["targets", "purpose", "facts", "parallel", "stop_at_first_fit", "fit", "compare"];

fn read(fields: &Map<String, Value>, headers: &HeaderMap) -> Result<StartCampaign, ApiError> {
    let mut of_call = fields.clone();
    OWN.iter().for_each(|name| drop(of_call.remove(*name)));
    // Whom to call stands with the targets, and the key is that of the campaign.
    of_call.remove("to");
    let call = NewCall::of(of_call)?.into_wish(&HeaderMap::new())?;
    Ok(StartCampaign {
        call,
        purpose: optional("purpose", fields, as_text)?,
        facts: facts(fields.get("facts"))?.unwrap_or_default(),
        targets: targets(fields.get("targets"))?,
        parallel: optional("parallel", fields, |value| u32::try_from(whole(value)?).ok())?,
        stop_at_first_fit: optional("stop_at_first_fit", fields, Value::as_bool)?.unwrap_or(false),
        fit: optional("fit", fields, |value| serde_json::from_value::<Fit>(value.clone()).ok())?,
        compare: optional("compare", fields, |value| serde_json::from_value(value.clone()).ok())?,
        idempotency: idempotency_key(headers)?.map(|key| Idempotency { key, request_hash: hash(fields) }),
    })
}

fn wrong<T>(message: impl Into<String>) -> Result<T, ApiError> {
    Err(ApiError::bad_request("invalid_request", message))
}

/// A field that may be left out; a null is as if it were.
pub(super) fn optional<T>(
    name: &'static str,
    fields: &Map<String, Value>,
    read: impl FnOnce(&Value) -> Option<T>,
) -> Result<Option<T>, ApiError> {
    match fields.get(name).filter(|value| !value.is_null()) {
        None => Ok(None),
        Some(value) => match read(value) {
            Some(read) => Ok(Some(read)),
            None => wrong(format!("{name} is of the wrong type; see /openapi.json")),
        },
    }
}

fn as_text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn targets(written: Option<&Value>) -> Result<Vec<Target>, ApiError> {
    let Some(written) = written.filter(|written| !written.is_null()) else { return Ok(Vec::new()) };
    let Some(written) = written.as_array() else { return wrong("targets must be a list") };
    let each = written.iter().enumerate().map(|(index, target)| {
        let Some(fields) = target.as_object() else {
            return wrong(format!("targets: {index} must be an object with `to`"));
        };
        let of_one = |name| {
            optional(name, fields, as_text)
                .or_else(|_| wrong(format!("targets: {index} has a {name} that is no text")))
        };
        Ok(Target { to: of_one("to")?.unwrap_or_default(), name: of_one("name")?, task: of_one("task")? })
    });
    each.collect()
}

fn facts(written: Option<&Value>) -> Result<Option<Vec<String>>, ApiError> {
    let all = || wrong(format!("facts must be a list of up to {MOST_FACTS} texts"));
    match written {
        None => Ok(None),
        Some(Value::Null) => Ok(Some(Vec::new())),
        Some(Value::Array(facts)) if facts.len() <= MOST_FACTS => {
            let facts = facts.iter().map(as_text).collect::<Option<Vec<String>>>();
            facts
                .filter(|facts| facts.iter().all(|fact| fact.len() <= LONGEST_NOTE))
                .map_or_else(all, |facts| Ok(Some(facts)))
        }
        Some(_) => all(),
    }
}

/// `None`: it stays what it is.
fn note_text(name: &'static str, fields: &Map<String, Value>) -> Result<Option<Option<String>>, ApiError> {
    match fields.get(name) {
        None => Ok(None),
        Some(Value::Null) => Ok(Some(None)),
        Some(Value::String(text)) if text.len() <= LONGEST_NOTE => Ok(Some(Some(text.clone()))),
        Some(_) => wrong(format!("{name} must be a text of at most {LONGEST_NOTE} bytes")),
    }
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

    fn wanted(body: Value) -> Result<StartCampaign, ApiError> {
        read(body.as_object().unwrap(), &HeaderMap::new())
    }

    #[test]
    fn what_is_asked_for() {
        let wanted = wanted(json!({
            "task": "Ask what it costs.",
            "to": "+14155550100",
            "targets": [{ "to": "+14155550100", "name": "Spoke & Co" }, { "to": "+14155550101", "task": "Ask Dana." }],
            "facts": ["It is red."],
            "parallel": 2,
            "stop_at_first_fit": true,
            "fit": { "field": "price", "at_most": 40 },
            "compare": ["price"],
            "may_commit": false,
            "purpose": null,
        }))
        .unwrap();
        assert_eq!((wanted.call.task.as_str(), wanted.call.to.as_str()), ("Ask what it costs.", ""));
        assert_eq!(wanted.targets.len(), 2);
        assert_eq!(wanted.targets[1].task.as_deref(), Some("Ask Dana."));
        assert_eq!((wanted.parallel, wanted.stop_at_first_fit), (Some(2), true));
        assert_eq!(wanted.fit.unwrap().at_most, Some(40.0));
        assert_eq!((wanted.facts, wanted.purpose), (vec!["It is red.".to_owned()], None));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (field, value, expected) in [
            ("targets", json!("+14155550100"), "targets must be a list"),
            ("targets", json!(["+14155550100"]), "targets: 0 must be an object"),
            ("targets", json!([{ "to": 1 }]), "targets: 0 has a to that is no text"),
            ("parallel", json!(-1), "parallel is of the wrong type"),
            ("stop_at_first_fit", json!("yes"), "stop_at_first_fit is of the wrong type"),
            ("fit", json!({ "at_most": 3 }), "fit is of the wrong type"),
            ("compare", json!("price"), "compare is of the wrong type"),
            ("facts", json!("red"), "facts must be a list"),
            ("facts", json!([1]), "facts must be a list"),
            ("purpose", json!(7), "purpose is of the wrong type"),
            ("may_commit", json!(7), "may_commit must be"),
        ] {
            let error = wanted(json!({ "task": "x", field: value })).unwrap_err();
            let told = error.body().error;
            assert_eq!(told.code, "invalid_request", "{field}");
            assert!(told.message.starts_with(expected), "{field}: {}", told.message);
        }
    }
}
