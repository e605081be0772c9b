//! `/me/call-preferences`: what calls are like where a call does not say otherwise.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use offhook_core::PhoneNumber;
use offhook_store::Preferences;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::Api;
use super::error::{ApiError, ErrorBody};
use super::new_call::loop_in_user;
use super::reception::{self, ReceptionBody};
use super::request::{Known, Whole, object};
use crate::gateway::{AccountError, Answering, Caller, NewProfile, OwnReception};

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

/// How calls to a reserved line are answered. Without a profile they are declined.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = InboundProfile)]
pub struct Inbound {
    pub enabled: bool,
    pub configured: bool,
    #[schema(required)]
    pub instructions: Option<String>,
    /// The opener, spoken after the disclosure.
    #[schema(required)]
    pub greeting: Option<String>,
    /// Whom a caller is connected with, where the instructions say so.
    #[schema(required)]
    pub handoff_number: Option<String>,
    /// `true`: that is the account's own phone; `false`: nobody. Absent: `handoff_number` says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loop_in_user: Option<bool>,
    /// Callers who are put through to the account's own phone.
    pub passthrough_numbers: Vec<String>,
    /// Who may call, and what happens then; absent: anybody, and nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ReceptionBody>, nullable = false)]
    pub reception: Option<Value>,
    pub active_reserved_number: ReservedNumber,
}

/// One of our lines, which is the account's.
#[derive(Clone, Serialize, ToSchema)]
pub struct ReservedNumber {
    #[schema(example = 41)]
    pub id: i64,
    #[schema(example = "+14155550188")]
    pub phone_number: String,
    #[schema(example = "+1 (415) 555-0188")]
    pub display: String,
}

/// How calls to the reserved line are to be answered: the whole of it, in the place of what there was.
#[derive(Clone, ToSchema)]
#[schema(as = NewInboundProfile)]
#[allow(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
pub struct NewInbound {
    /// What the voice is to do: for whom it answers, what it takes down, when it connects whom, what it never promises.
    #[schema(min_length = 1)]
    instructions: String,
    /// The opener, spoken after the disclosure.
    #[schema(min_length = 1)]
    greeting: String,
    /// A number outside of this line.
    handoff_number: Option<String>,
    /// Said, it outranks `handoff_number`, which is then forgotten. `true` needs a confirmed phone of the account. Null is
    /// not the same as leaving it out, and is refused.
    #[schema(value_type = bool, required = false)]
    loop_in_user: Option<bool>,
    /// Up to 100 callers who are put through to the account's own phone. Left out, those there are stay.
    #[schema(max_items = 100)]
    passthrough_numbers: Option<Vec<String>>,
    /// Who may call, and what happens then. Left out, it stays; null clears it.
    reception: Option<ReceptionBody>,
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
    inbound: Option<NewInbound>,
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
    let offered = |error: AccountError| api.linkable(error, &headers);
    let inbound = match fields.get("inbound") {
        None => None,
        Some(Value::Null) => Some(None),
        Some(inbound) => {
            // What is wrong with the rest is told first, then whether there may be one at all.
            api.gateway.check_preferences(&new)?;
            api.gateway.check_inbound(caller).await.map_err(offered)?;
            Some(Some(profile(inbound)?))
        }
    };
    api.gateway.replace_preferences(caller, new, inbound).await.map_err(offered)?;
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
    let inbound = api.gateway.answering(caller).await?.map(inbound);
    Ok(Json(PreferencesBody { configured, voice, personality, greeting, warm_greeting, inbound }))
}

fn inbound(answering: Answering) -> Inbound {
    let configured = answering.profile.is_some();
    let number = answering.line.number;
    let reserved = ReservedNumber {
        id: answering.line.id,
        phone_number: number.as_e164().to_owned(),
        display: display(&number),
    };
    let profile = answering.profile.unwrap_or_default();
    Inbound {
        enabled: configured,
        configured,
        instructions: Some(profile.instructions).filter(|_| configured),
        greeting: Some(profile.greeting).filter(|_| configured),
        handoff_number: profile.handoff_number,
        loop_in_user: profile.loop_in_user,
        passthrough_numbers: profile.passthrough_numbers,
        reception: profile.reception.as_deref().map(|json| reception::shown(&OwnReception::stored(json))),
        active_reserved_number: reserved,
    }
}

/// As people write a number: `+1 (415) 555-0188`.
fn display(number: &PhoneNumber) -> String {
    match (number.country_code(), number.national()) {
        (1, national) if national.len() == 10 => {
            format!("+1 ({}) {}-{}", &national[..3], &national[3..6], &national[6..])
        }
        (country, national) => format!("+{country} {national}"),
    }
}

fn profile(inbound: &Value) -> Result<NewProfile, ApiError> {
    let wrong = |code, what: &str| ApiError::bad_request(code, format!("inbound{what}"));
    let required = |field: &str, text: Option<String>| {
        let text = text.filter(|text| !text.trim().is_empty());
        text.ok_or_else(|| wrong("invalid_profile", &format!(".{field} is required and must not be blank")))
    };
    let Value::Object(fields) = inbound else {
        return Err(wrong("invalid_profile", " must be an object, or null"));
    };
    let text = |field: &str, code| match fields.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(wrong(code, &format!(".{field} must be a text"))),
    };
    let passthrough_numbers = match fields.get("passthrough_numbers") {
        None => None,
        Some(Value::Array(numbers)) => {
            let texts: Option<Vec<String>> =
                numbers.iter().map(|number| number.as_str().map(str::to_owned)).collect();
            let not_texts = || wrong("invalid_profile", ".passthrough_numbers must be numbers in E.164");
            Some(texts.ok_or_else(not_texts)?)
        }
        Some(_) => return Err(wrong("invalid_profile", ".passthrough_numbers must be a list")),
    };
    Ok(NewProfile {
        instructions: required("instructions", text("instructions", "invalid_profile")?)?,
        greeting: required("greeting", text("greeting", "invalid_profile")?)?,
        handoff_number: text("handoff_number", "invalid_handoff_number")?
            .filter(|number| !number.trim().is_empty()),
        loop_in_user: loop_in_user(fields.get("loop_in_user"))?,
        passthrough_numbers,
        reception: reception::read(fields)?,
    })
}

fn globals(fields: &Map<String, Value>) -> Result<Preferences, ApiError> {
    let warm_greeting = match fields.get("warm_greeting") {
        // As it is without being set: what was read can be sent back and changes nothing.
        None | Some(Value::Null | Value::Bool(true)) => None,
        Some(Value::Bool(false)) => Some(false),
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
