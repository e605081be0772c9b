//! Whether the process lives, whether it takes calls, and a front page for people.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::error::{ApiError, ErrorBody};
use crate::gateway::Check;

/// The process answers.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Alive {
    #[schema(example = "ok")]
    pub status: &'static str,
    pub version: &'static str,
}

/// Whether the process lives.
#[utoipa::path(get, path = "/healthz", tag = "operation", responses((status = 200, body = Alive)), security(()))]
pub async fn alive() -> Json<Alive> {
    Json(Alive { status: "ok", version: env!("CARGO_PKG_VERSION") })
}

/// Whether calls are taken.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Readiness {
    pub ready: bool,
    pub checks: Vec<ReadinessCheck>,
    /// Only when not ready.
    #[serde(flatten)]
    pub error: Option<ErrorBody>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReadinessCheck {
    pub name: &'static str,
    pub ok: bool,
    pub found: String,
    /// What to do about it; empty when all is well.
    pub todo: String,
}

/// Whether calls are taken; 503 while starting or shutting down, or when a part is missing.
#[utoipa::path(
    get, path = "/readyz", tag = "operation",
    responses((status = 200, body = Readiness), (status = 503, body = Readiness)), security(()),
)]
pub async fn ready(State(api): State<Api>) -> Response {
    readiness(api.gateway.readiness().await)
}

fn readiness(checks: Vec<Check>) -> Response {
    let failed: Vec<&str> = checks.iter().filter(|check| !check.ok).map(|check| check.name).collect();
    let error = (!failed.is_empty()).then(|| {
        let message = format!("not ready: {}", failed.join(", "));
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", message).body()
    });
    let status = if error.is_some() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let row = |check: Check| ReadinessCheck {
        name: check.name,
        ok: check.ok,
        found: check.found,
        todo: check.todo,
    };
    let body = Readiness { ready: error.is_none(), checks: checks.into_iter().map(row).collect(), error };
    (status, Json(body)).into_response()
}

/// For people who open the address in a browser, or were sent here for a key.
pub async fn front(State(api): State<Api>) -> String {
    format!(
        "offhook {}: a phone line for AI agents.\n\n\
         The API is described at {}/openapi.json. Requests carry a key in the X-Api-Key header.\n\n\
         To get a key, ask whoever runs this line. On its machine:\n\n    offhook key create --label NAME\n",
        env!("CARGO_PKG_VERSION"),
        api.public_url,
    )
}
