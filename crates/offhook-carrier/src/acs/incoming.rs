//! Somebody calls: what Event Grid tells us of it.

use std::fmt;

use offhook_core::PhoneNumber;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

/// The `data` of one `Microsoft.Communication.IncomingCall`.
#[derive(Clone)]
pub struct IncomingCallEvent {
    /// Whom it is for; `None` where that is no telephone number.
    pub to: Option<PhoneNumber>,
    /// Who calls; `None` where the number is withheld, or it is no telephone.
    pub from: Option<PhoneNumber>,
    /// The caller as ACS names it, so that keys can be sent to it.
    pub(crate) from_raw_id: String,
    pub caller_name: Option<String>,
    pub server_call_id: Option<String>,
    pub correlation_id: Option<String>,
    /// What the call is answered with. Some ten kilobytes, opaque, and as good as the call itself.
    pub(crate) context: SecretString,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IncomingCallError {
    #[error("an IncomingCall event carries an object with an incomingCallContext")]
    Shape,
}

/// Why a call that came in was not passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IncomingRefusal {
    #[error("it is for none of our lines; it is left to whoever else listens to this resource")]
    NotOurs,
    #[error("all calls the line carries are under way; it was told to be busy")]
    Busy,
    #[error("offhook is shutting down")]
    Stopping,
    #[error("it can't be answered: nobody can reach us, as there is no public address")]
    Unreachable,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    to: Option<Party>,
    from: Option<Party>,
    caller_display_name: Option<String>,
    server_call_id: Option<String>,
    correlation_id: Option<String>,
    incoming_call_context: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Party {
    raw_id: Option<String>,
    phone_number: Option<Phone>,
}

#[derive(Deserialize)]
struct Phone {
    value: Option<String>,
}

impl Party {
    /// `4:+15551230000` where there is no field for it.
    fn number(&self) -> Option<PhoneNumber> {
        let written = self.phone_number.as_ref().and_then(|phone| phone.value.as_deref());
        let raw = self.raw_id.as_deref().and_then(|id| id.strip_prefix("4:"));
        written.or(raw).and_then(|number| PhoneNumber::parse(number).ok())
    }
}

impl IncomingCallEvent {
    /// From the `data` of the event.
    pub fn from_data(data: &Value) -> Result<Self, IncomingCallError> {
        let wire = Wire::deserialize(data).map_err(|_| IncomingCallError::Shape)?;
        if wire.incoming_call_context.is_empty() {
            return Err(IncomingCallError::Shape);
        }
        let number = |party: &Option<Party>| party.as_ref().and_then(Party::number);
        let (to, from) = (number(&wire.to), number(&wire.from));
        let named = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        Ok(Self {
            to,
            from,
            from_raw_id: wire.from.and_then(|from| from.raw_id).unwrap_or_default(),
            caller_name: named(wire.caller_display_name),
            server_call_id: named(wire.server_call_id),
            correlation_id: named(wire.correlation_id),
            context: wire.incoming_call_context.into(),
        })
    }
}

/// Without the caller's name and what the call is answered with.
impl fmt::Debug for IncomingCallEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { to, from, correlation_id, .. } = self;
        f.debug_struct("IncomingCallEvent")
            .field("to", to)
            .field("from", from)
            .field("correlation_id", correlation_id)
            .finish_non_exhaustive()
    }
}
