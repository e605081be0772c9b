//! Whether the process lives, whether it takes calls, and a front page for people.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::error::{ApiError, ErrorDetail};
use super::request;
use crate::doctor::{Finding, PASS_HEADER, can_place_calls};

/// The process answers.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Alive {
    #[schema(example = "ok")]
    pub status: &'static str,
    pub version: &'static str,
}

/// Whether the process lives.
#[utoipa::path(get, path = "/healthz", operation_id = "alive", tag = "operation", responses((status = 200, body = Alive)), security(()))]
pub async fn alive() -> Json<Alive> {
    Json(Alive { status: "ok", version: env!("CARGO_PKG_VERSION") })
}

/// Whether calls are taken, and how each part of the line does.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Readiness {
    /// Whether a call could be placed, as far as calling is not switched off. It may be true while single parts are
    /// ill.
    pub ready: bool,
    pub checks: Vec<ReadinessCheck>,
    /// Whether `found` and `todo` are told: only to admin keys, and to `offhook doctor` on this machine.
    pub details: bool,
    /// Only when not ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorDetail>,
}

/// One part of the line.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReadinessCheck {
    /// `store`, `calls`, `trunk` (one for each), `model` or `disk`; with Azure Communication Services `ACS address`,
    /// `ACS keys`, `ACS audience` and `ACS tokens`.
    #[schema(example = "trunk")]
    pub name: String,
    pub ok: bool,
    /// The same in one of the documented words.
    #[schema(example = "registered")]
    pub state: String,
    /// Which trunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// What to do about it; empty when all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub todo: Option<String>,
}

/// Whether calls are taken; 503 only when none could be placed: the store is away, the process is stopping, or no
/// trunk works.
///
/// What was found in each part is told to admin keys only; others see its state.
#[utoipa::path(
    get, path = "/readyz", operation_id = "ready", tag = "operation",
    responses((status = 200, body = Readiness), (status = 503, body = Readiness)), security((), ("key" = [])),
)]
pub async fn ready(State(api): State<Api>, headers: HeaderMap) -> Response {
    let pass = headers.get(PASS_HEADER).and_then(|pass| pass.to_str().ok());
    let is_doctor = pass.is_some_and(|pass| api.readiness.is_pass(pass));
    // Names of trunks, and what they say, are the operator's.
    let details = is_doctor || api.is_admin(&headers).await;
    readiness(api.readiness.findings(is_doctor).await, details)
}

impl Api {
    async fn is_admin(&self, headers: &HeaderMap) -> bool {
        let key = request::key(headers);
        key.is_some() && self.gateway.authenticate(key).await.is_ok_and(|caller| caller.admin)
    }
}

fn readiness(findings: Vec<Finding>, details: bool) -> Response {
    let ill: Vec<&str> =
        findings.iter().filter(|finding| !finding.ok).map(|finding| finding.name.as_str()).collect();
    let error = (!can_place_calls(&findings)).then(|| {
        let message = format!("no call can be placed now; what is ill: {}", ill.join(", "));
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", message).body().error
    });
    let status = if error.is_some() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let row = |finding: Finding| ReadinessCheck {
        name: finding.name,
        ok: finding.ok,
        state: finding.state,
        subject: finding.subject.filter(|_| details),
        found: details.then_some(finding.found),
        todo: details.then_some(finding.todo),
    };
    let checks = findings.into_iter().map(row).collect();
    (status, Json(Readiness { ready: error.is_none(), checks, details, error })).into_response()
}

/// For people who open the address in a browser, or were sent here for a key.
pub async fn front(State(api): State<Api>, headers: HeaderMap) -> String {
    format!(
        "offhook {}: a phone line for AI agents.\n\n\
         The API is described at {}/openapi.json. Requests carry a key in the X-Api-Key header.\n\n\
         To get a key, ask whoever runs this line. On its machine:\n\n    offhook key create --label NAME\n",
        env!("CARGO_PKG_VERSION"),
        api.public_url.for_request(&headers),
    )
}
