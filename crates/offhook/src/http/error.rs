//! The error envelope: every answer that is not a success carries it.

use std::time::Duration;

use axum::Json;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use offhook_core::policy::Quota;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Api, codes, link, request};
use crate::gateway::{
    AccountError, AccountPhoneError, AuthError, Bound, CallError, KeyError, PlaceCallError, SteerError,
    VoiceError,
};

/// When to ask again after the store was away.
const STORE_BACK: Duration = Duration::from_secs(5);

/// The envelope.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ErrorBody {
    pub error: ErrorDetail,
}

/// What went wrong, and what to do.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ErrorDetail {
    /// Stable, for programs.
    #[schema(example = "invalid_phone")]
    pub code: String,
    /// For people, and for the agent that talks to them.
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<ErrorAction>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota: Option<ErrorQuota>,
}

/// How much conversation was used, and how much there is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ErrorQuota {
    pub used_seconds: u64,
    pub remaining_seconds: u64,
    pub limit_seconds: u64,
    /// `free` on trial, else `paid`.
    pub tier: &'static str,
}

/// Something the user can open to get on.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ErrorAction {
    #[serde(rename = "type")]
    #[schema(example = "link")]
    pub kind: &'static str,
    pub url: String,
    /// The same for a user who has an account already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sign_in_url: Option<String>,
    pub label: String,
    pub description: String,
}

impl ErrorAction {
    /// To link this key to an account.
    fn link(public_url: &str, key: &str) -> Self {
        Self {
            kind: "link",
            url: format!("{public_url}/sign-up?token={key}"),
            sign_in_url: Some(format!("{public_url}/sign-in?token={key}")),
            label: "Link this key".to_owned(),
            description: "Links the key, its calls and its history to an account.".to_owned(),
        }
    }

    /// To ask whoever runs this line.
    fn front(public_url: &str, has_key: bool) -> Self {
        let (label, description) = match has_key {
            true => ("Ask for more", "Who runs this phone line, and sets its limits."),
            false => ("Get an API key", "How to get a key for this phone line."),
        };
        let (label, description) = (label.to_owned(), description.to_owned());
        Self { kind: "link", url: format!("{public_url}/"), sign_in_url: None, label, description }
    }
}

/// An answer that is not a success.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    retry_after: Option<Duration>,
    /// What the user can open to get on.
    action: Option<Box<ErrorAction>>,
    quota: Option<Quota>,
}

impl ApiError {
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        debug_assert!(codes::is_known(status, code), "{status} {code}: write it down in codes.rs");
        Self { status, code, message: message.into(), retry_after: None, action: None, quota: None }
    }

    /// Worth asking again after this.
    pub fn after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }

    /// With the status its code has.
    pub(super) fn of(code: &'static str, message: String) -> Self {
        Self::new(codes::status(code), code, message)
    }

    pub fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    pub fn internal() -> Self {
        let message = "something went wrong here; try again, and tell the operator if it stays";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", message)
    }

    fn unavailable(code: &'static str, message: impl Into<String>, retry_after: Duration) -> Self {
        let error = Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message);
        Self { retry_after: Some(retry_after), ..error }
    }

    /// With what the user can open to get on, below `public_url`.
    pub fn at(self, public_url: &str) -> Self {
        self.offering(public_url, None)
    }

    /// The same for whoever sent this key.
    pub fn offering(mut self, public_url: &str, key: Option<&str>) -> Self {
        let gated = matches!(
            self.code,
            "trial_exhausted"
                | "plan_required"
                | "balance_depleted"
                | "quota_exceeded"
                | "inbound_plan_required"
                | "reserved_number_required"
        );
        self.action = match key.filter(|key| link::is_key(key)) {
            Some(key)
                if matches!(self.code, "auth_required" | "account_link_required" | "trial_exhausted") =>
            {
                Some(ErrorAction::link(public_url, key).into())
            }
            _ if gated || self.code == "auth_required" => Some(ErrorAction::front(public_url, gated).into()),
            _ => None,
        };
        self
    }

    pub fn body(&self) -> ErrorBody {
        let action = self.action.as_deref().cloned();
        let quota = self.quota.map(|quota| ErrorQuota {
            used_seconds: quota.used.as_secs(),
            remaining_seconds: quota.left().as_secs(),
            limit_seconds: quota.limit.as_secs(),
            tier: if quota.is_trial { "free" } else { "paid" },
        });
        let (code, message) = (self.code.to_owned(), self.message.clone());
        ErrorBody { error: ErrorDetail { code, message, action, quota } }
    }
}

impl Api {
    /// Why an account can't be used, for whoever sent these headers.
    pub fn linkable(&self, error: AccountError, headers: &HeaderMap) -> ApiError {
        ApiError::from(error).offering(&self.public_url.for_request(headers), request::key(headers))
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body())).into_response();
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs().max(1);
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        PlaceCallError::from(error).into()
    }
}

impl From<CallError> for ApiError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::NotFound => Self::not_found(error.to_string()),
            CallError::NoRecording => {
                Self::new(StatusCode::NOT_FOUND, "recording_not_available", error.to_string())
            }
            CallError::Store => Self::unavailable("store_unavailable", error.to_string(), STORE_BACK),
        }
    }
}

impl From<SteerError> for ApiError {
    fn from(error: SteerError) -> Self {
        let message = error.to_string();
        match error {
            SteerError::Call(error) => error.into(),
            SteerError::Missing { .. } => Self::bad_request("missing_fields", message),
            SteerError::Invalid { .. } => Self::bad_request("invalid_request", message),
            SteerError::NotNow(_) | SteerError::Over => Self::new(StatusCode::CONFLICT, "conflict", message),
            SteerError::KeyReused(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", message)
            }
            SteerError::Busy(_) => Self::unavailable("overloaded", message, Duration::from_secs(2)),
        }
    }
}

impl From<AccountError> for ApiError {
    fn from(error: AccountError) -> Self {
        let message = error.to_string();
        match error {
            AccountError::NotLinked => Self::new(StatusCode::UNAUTHORIZED, "auth_required", message),
            AccountError::NoInbound => Self::new(StatusCode::FORBIDDEN, "inbound_plan_required", message),
            AccountError::NoReservedNumber => {
                Self::new(StatusCode::PAYMENT_REQUIRED, "reserved_number_required", message)
            }
            AccountError::InvalidPreference { .. } => Self::bad_request("invalid_preferences", message),
            AccountError::InvalidProfile { .. } => Self::bad_request("invalid_profile", message),
            AccountError::InvalidHandoffNumber { .. } => Self::bad_request("invalid_handoff_number", message),
            AccountError::InvalidLoopInDestination { .. } => {
                Self::bad_request("invalid_loop_in_destination", message)
            }
            AccountError::Bound(error) => error.into(),
            AccountError::Phone(error) => error.into(),
            AccountError::Call(error) => error.into(),
        }
    }
}

impl From<PlaceCallError> for ApiError {
    fn from(error: PlaceCallError) -> Self {
        let quota = match &error {
            PlaceCallError::Refused { quota, .. } => *quota,
            _ => None,
        };
        Self { retry_after: error.retry_after(), quota, ..Self::of(error.code(), error.to_string()) }
    }
}

impl From<KeyError> for ApiError {
    fn from(error: KeyError) -> Self {
        let message = error.to_string();
        match error {
            KeyError::NotLinked => Self::new(StatusCode::FORBIDDEN, "account_link_required", message),
            KeyError::NotFound => Self::not_found(message),
            KeyError::Bound(error) => error.into(),
            KeyError::TooMany => Self::new(StatusCode::CONFLICT, "conflict", message),
            KeyError::Store => Self::unavailable("store_unavailable", message, STORE_BACK),
        }
    }
}

impl From<Bound> for ApiError {
    fn from(error: Bound) -> Self {
        VoiceError::from(error).into()
    }
}

impl From<VoiceError> for ApiError {
    fn from(error: VoiceError) -> Self {
        match error {
            VoiceError::Place(error) => error.into(),
            error => Self::of(error.code(), error.to_string()),
        }
    }
}

impl From<AccountPhoneError> for ApiError {
    fn from(error: AccountPhoneError) -> Self {
        PlaceCallError::from(error).into()
    }
}

pub async fn not_found(uri: Uri) -> ApiError {
    ApiError::not_found(format!("there is nothing at {}; /openapi.json lists what there is", uri.path()))
}

pub async fn method_not_allowed(method: Method) -> ApiError {
    let message = format!("{method} is not possible here; /openapi.json lists what is");
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
}
