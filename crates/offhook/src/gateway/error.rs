//! Why a use-case did not do what was asked, and what the caller can do.

use std::time::Duration;

use offhook_core::policy::{Quota, Refusal, RefusalCode, Rule};

use super::AccountPhoneError;

#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    #[error("send an API key in the X-Api-Key header")]
    KeyRequired,
    #[error("this API key is unknown or was revoked")]
    InvalidKey,
    #[error("the store can't be read right now; try again shortly")]
    Store,
}

#[derive(Debug, thiserror::Error)]
pub enum PlaceCallError {
    #[error(transparent)]
    Auth(#[from] AuthError),
    #[error("{field} is required and must not be blank")]
    MissingField { field: &'static str },
    #[error("{field}: {why}")]
    InvalidPhone { field: &'static str, why: String },
    #[error("voice must be one of jessica, sarah, chris, eric")]
    InvalidVoice,
    #[error(transparent)]
    AccountPhone(#[from] AccountPhoneError),
    #[error("{field}: {why}")]
    InvalidField { field: &'static str, why: String },
    /// A calling rule refused.
    #[error("{message}")]
    Refused {
        rule: Rule,
        code: RefusalCode,
        message: String,
        retry_after: Option<Duration>,
        quota: Option<Quota>,
    },
    #[error("follow_up_to: no such call; name one of yours")]
    NoSuchCall,
    #[error("follow_up_to: that call is not over; follow it up when its lifecycle is finalized")]
    NotOver,
    /// Once by whoever placed it, or by offhook itself.
    #[error("this call was tried twice and never went out; say so to the user, and try again in {} seconds", retry_after.as_secs().max(1))]
    TriedTwice { retry_after: Duration },
    #[error("{limit} calls may wait for their time; hang one up, or place this one later")]
    TooManyWaiting { limit: u64 },
    #[error("this Idempotency-Key was used for a different request; choose a new one")]
    IdempotencyKeyReused,
    #[error("all lines are in use; try again in 15 seconds")]
    NoLine,
    #[error("the reserved line is in use; try again when that call is over")]
    ReservedNumberBusy,
    #[error("no trunk takes calls right now; try again in a few seconds")]
    DialFailed,
    #[error("calling is switched off here; the operator can set calling_enabled = true")]
    CallingDisabled,
    #[error("more calls are being placed than can be let in; try again in a moment")]
    Overloaded,
    #[error("offhook is shutting down; try again shortly")]
    ShuttingDown,
    #[error("something went wrong here; try again, and tell the operator if it stays")]
    Fault,
    /// A call that can't be written down is not placed.
    #[error("no calls are placed right now: {why}; try again shortly")]
    StoreAway { why: &'static str },
}

impl AuthError {
    /// As every answer names it.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::KeyRequired => "auth_required",
            Self::InvalidKey => "invalid_api_key",
            Self::Store => "store_unavailable",
        }
    }
}

impl PlaceCallError {
    /// As every answer names it, and whatever keeps why a call was not placed.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Auth(error) => error.code(),
            Self::AccountPhone(error) => error.code(),
            Self::Refused { code, .. } => code.code(),
            Self::MissingField { .. } => "missing_fields",
            Self::InvalidPhone { .. } => "invalid_phone",
            Self::InvalidVoice => "invalid_preferences",
            Self::InvalidField { .. } => "invalid_request",
            Self::NoSuchCall => "not_found",
            Self::NotOver | Self::TriedTwice { .. } => "conflict",
            Self::TooManyWaiting { .. } => "too_many_calls",
            Self::IdempotencyKeyReused => "idempotency_key_reused",
            Self::NoLine => "number_pool_exhausted",
            Self::ReservedNumberBusy => "reserved_number_busy",
            Self::DialFailed => "dial_failed",
            Self::CallingDisabled => "forbidden",
            Self::Overloaded => "overloaded",
            Self::ShuttingDown => "shutting_down",
            Self::Fault => "internal_error",
            Self::StoreAway { .. } => "store_unavailable",
        }
    }

    /// When it is worth asking again; `None`: something has to change first, or nobody knows when it will.
    pub const fn retry_after(&self) -> Option<Duration> {
        let seconds = match self {
            Self::Refused { retry_after, .. } => return *retry_after,
            Self::TriedTwice { retry_after } => return Some(*retry_after),
            Self::NoLine => 15,
            Self::Overloaded => 2,
            Self::ReservedNumberBusy
            | Self::DialFailed
            | Self::ShuttingDown
            | Self::StoreAway { .. }
            | Self::Auth(AuthError::Store)
            | Self::AccountPhone(AccountPhoneError::Lookup) => 5,
            Self::Auth(_)
            | Self::AccountPhone(AccountPhoneError::Unavailable)
            | Self::MissingField { .. }
            | Self::InvalidPhone { .. }
            | Self::InvalidVoice
            | Self::InvalidField { .. }
            | Self::NoSuchCall
            | Self::NotOver
            | Self::TooManyWaiting { .. }
            | Self::IdempotencyKeyReused
            | Self::CallingDisabled
            | Self::Fault => return None,
        };
        Some(Duration::from_secs(seconds))
    }

    /// Nothing is wrong with the call itself: asked for again, it may be placed.
    pub const fn is_passing(&self) -> bool {
        self.retry_after().is_some() || matches!(self, Self::NotOver | Self::CallingDisabled | Self::Fault)
    }
}

impl From<Refusal> for PlaceCallError {
    fn from(refusal: Refusal) -> Self {
        let Refusal { rule, code, message, retry_after, quota } = refusal;
        Self::Refused { rule, code, message, retry_after, quota }
    }
}

/// A key that is bound to its target asks for more than a call to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this key may have its target called and nothing more; ask with another key of the account")]
pub struct Bound;

#[derive(Debug, thiserror::Error)]
pub enum CallError {
    #[error("no such call")]
    NotFound,
    #[error("there is no recording of this call, or it has expired")]
    NoRecording,
    #[error("the store can't be read right now; try again shortly")]
    Store,
}

/// Why nothing is told of an account, or changed in it.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    #[error("this key is not linked to an account; link it, then ask again")]
    NotLinked,
    #[error("calls to our lines are shown to the account whose number they reached, and this one has none")]
    NoInbound,
    #[error("no line is reserved for this account; ask whoever runs this line for one")]
    NoReservedNumber,
    #[error("{field} {why}")]
    InvalidPreference { field: &'static str, why: String },
    #[error("inbound.{field} {why}")]
    InvalidProfile { field: &'static str, why: String },
    #[error("inbound.handoff_number: {why}")]
    InvalidHandoffNumber { why: String },
    #[error(transparent)]
    Bound(#[from] Bound),
    #[error("inbound.loop_in_user: {why}")]
    InvalidLoopInDestination { why: String },
    #[error(transparent)]
    Phone(#[from] AccountPhoneError),
    #[error(transparent)]
    Call(#[from] CallError),
}
