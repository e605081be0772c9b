//! Who may call the line of an account, and what happens then: the wire form of it, inside of the inbound profile.

use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::error::ApiError;
use crate::gateway::{NewReception, OwnReception, PinChange};

/// Who may call the reserved line, and what happens then. What is left out is as usual; the operator's blocked callers
/// and limits hold besides.
#[derive(Clone, ToSchema)]
#[schema(as = Reception)]
#[allow(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
pub struct ReceptionBody {
    /// `open` (the default), `closed`, `list`: only `allowed_callers`, or `pin`: whoever gives the PIN.
    #[schema(required = false, pattern = "^(open|closed|list|pin)$")]
    callers: String,
    /// Up to 200 callers who are known.
    #[schema(required = false, max_items = 200)]
    allowed_callers: Vec<AllowedCaller>,
    /// Numbers, or the beginnings of numbers (`+1415*`), that are never answered.
    #[schema(required = false, max_items = 200)]
    blocked_callers: Vec<String>,
    /// Whether callers who show no number are let in. Default true.
    #[schema(required = false)]
    anonymous_callers: bool,
    /// Four to twelve digits, keyed or spoken. Written, never read; left out, the one there is stays, and null removes it.
    #[schema(required = false, nullable, write_only, pattern = "^[0-9]{4,12}$")]
    pin: String,
    /// Whether there is one.
    #[schema(required = false, read_only)]
    has_pin: bool,
    /// What shows that a trusted caller is the one: the `pin` (the default), or the `number` alone, which can be forged.
    #[schema(required = false, pattern = "^(pin|number)$")]
    trust: String,
    /// For trusted callers alone, beyond the instructions.
    #[schema(required = false)]
    trusted_instructions: String,
    /// When somebody is there: `Mon-Fri 09:00-17:00`. Left out: at any time.
    #[schema(required = false, max_items = 40)]
    hours: Vec<String>,
    /// In which the hours are, by its IANA name.
    #[schema(required = false, example = "America/New_York")]
    time_zone: String,
    /// What becomes of callers outside of the hours: `decline` (the default), or `message`: one is taken and no more.
    #[schema(required = false, pattern = "^(decline|message)$")]
    outside_hours: String,
    /// The first words outside of the hours.
    #[schema(required = false)]
    closed_greeting: String,
    #[schema(required = false)]
    calls_per_day: u32,
    #[schema(required = false)]
    calls_per_day_per_caller: u32,
    /// Whether the voice takes messages. Default true.
    #[schema(required = false)]
    messages: bool,
    /// Whether the voice ends calls that are spam. Default true.
    #[schema(required = false)]
    spam: bool,
    /// Where the events of the calls are sent.
    #[schema(required = false)]
    webhook_url: String,
    /// A chat that is told of each call once it is over.
    #[schema(required = false)]
    notify: NotifyBody,
}

/// A caller, or several whose numbers begin alike, and what is different for them.
#[derive(Clone, ToSchema)]
#[allow(dead_code, reason = "describes the body in the OpenAPI document")]
pub struct AllowedCaller {
    #[schema(example = "+14155550123")]
    number: String,
    #[schema(required = false)]
    name: String,
    /// Whether they are told what is for trusted callers, once `trust` is met. Default false.
    #[schema(required = false)]
    trusted: bool,
    #[schema(required = false)]
    instructions: String,
    #[schema(required = false)]
    greeting: String,
    #[schema(required = false)]
    language: String,
}

#[derive(Clone, ToSchema)]
#[schema(as = InboundNotify)]
#[allow(dead_code, reason = "describes the body in the OpenAPI document")]
pub struct NotifyBody {
    /// An incoming webhook of a chat.
    url: String,
    /// `slack` (the default; Mattermost and others read it too), `discord` or `json`.
    #[schema(required = false, pattern = "^(slack|discord|json)$")]
    format: String,
    /// Else only the end of the caller's number is told. Default false.
    #[schema(required = false)]
    whole_numbers: bool,
    /// Also of calls that were declined. Default false.
    #[schema(required = false)]
    declined: bool,
}

/// `None`: it was left out, and stays; `Some(None)`: it is cleared.
pub fn read(fields: &Map<String, Value>) -> Result<Option<Option<NewReception>>, ApiError> {
    let wrong = |what: String| ApiError::bad_request("invalid_profile", format!("inbound.reception{what}"));
    let fields = match fields.get("reception") {
        None => return Ok(None),
        Some(Value::Null) => return Ok(Some(None)),
        Some(Value::Object(fields)) => fields,
        Some(_) => return Err(wrong(" must be an object, or null".to_owned())),
    };
    let mut fields = fields.clone();
    // What only the server says comes back from those who changed the rest.
    fields.remove("has_pin");
    let pin = match fields.remove("pin") {
        None => PinChange::Keep,
        Some(Value::Null) => PinChange::Remove,
        Some(Value::String(digits)) => PinChange::Set(digits),
        Some(_) => return Err(wrong(".pin must be four to twelve digits in quotes".to_owned())),
    };
    // One by one, so that what is wrong is named.
    for (name, value) in &fields {
        let one = json!({ name: value });
        if let Err(error) = serde_json::from_value::<OwnReception>(one) {
            return Err(wrong(format!(".{name}: {error}")));
        }
    }
    let own = serde_json::from_value(Value::Object(fields)).map_err(|error| wrong(format!(": {error}")))?;
    Ok(Some(Some(NewReception { own, pin })))
}

/// As it is shown: without the PIN.
pub fn shown(own: &OwnReception) -> Value {
    let has_pin = own.pin.is_some();
    let own = OwnReception { pin: None, ..own.clone() };
    let mut shown = serde_json::to_value(own).unwrap_or_else(|_| json!({}));
    shown["has_pin"] = has_pin.into();
    shown
}
