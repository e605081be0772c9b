//! `GET /call/{id}/question`: waiting for a question of the voice, without asking again and again.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::call_view::{PendingQuestion, lifecycle, pending_question};
use super::error::{ApiError, ErrorBody};
use super::request::{InPath, Known};
use crate::gateway::AuthError;

/// Well within what clients wait for an answer.
const LONGEST: u64 = 25;

/// How long to wait.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Patience {
    /// 0 to 25; 0 when absent.
    #[param(minimum = 0, maximum = 25)]
    wait_seconds: Option<u64>,
}

/// Whether there is something to answer.
#[derive(Clone, Serialize, ToSchema)]
pub struct Question {
    pub call_id: String,
    /// Of the call: once it is `finalized` there will be no question any more.
    #[schema(example = "answered")]
    pub lifecycle: &'static str,
    /// To be answered with `POST /call/{id}/answer`; null when there is none.
    #[schema(required)]
    pub pending_question: Option<PendingQuestion>,
}

/// What the voice asks you, as soon as it does.
///
/// Answered at once when a question is open or the call is over, else when one is asked, the call ends, or the time is
/// over.
#[utoipa::path(
    get, path = "/call/{id}/question", operation_id = "await_question", tag = "calls",
    params(("id" = String, Path, description = "The call."), Patience),
    responses((status = 200, body = Question), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)),
    security(("key" = [])),
)]
pub async fn wait(
    State(api): State<Api>,
    Known(caller): Known,
    InPath(id): InPath,
    query: Result<Query<Patience>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Json<Question>, ApiError> {
    let wrong = |message: String| ApiError::bad_request("invalid_query", message);
    let Query(patience) = query.map_err(|error| wrong(error.body_text()))?;
    let seconds = patience.wait_seconds.unwrap_or(0);
    if seconds > LONGEST {
        return Err(wrong(format!("wait_seconds must be 0 to {LONGEST}")));
    }
    let call = api.gateway.await_question(caller, id, Duration::from_secs(seconds)).await?;
    if seconds > 0 && !api.is_good(&headers).await {
        return Err(AuthError::InvalidKey.into());
    }
    let question = call.pending_question.map(pending_question);
    let (call_id, lifecycle) = (id.to_string(), lifecycle(call.lifecycle));
    Ok(Json(Question { call_id, lifecycle, pending_question: question }))
}
