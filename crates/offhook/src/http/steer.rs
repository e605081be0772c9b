//! `POST /call/{id}/say`, `…/instruct`, `…/digits`, `…/answer`: guiding a call that is under way.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use offhook_core::CallId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::Api;
use super::error::{ApiError, ErrorBody};
use super::request::{InPath, Known, OfCall, Once, Whole, idempotency_key, object, replayed, whole};
use crate::gateway::{Caller, Steer, Steered};

/// What the voice is to say.
#[derive(Clone, Deserialize, ToSchema)]
#[schema(as = Say)]
#[allow(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
pub struct SayBody {
    #[schema(pattern = r"\S", max_length = 2_000, example = "Sunday would be fine as well.")]
    text: String,
}

/// What the voice is to follow.
#[derive(Clone, Deserialize, ToSchema)]
#[schema(as = Instruct)]
#[allow(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
pub struct InstructBody {
    #[schema(pattern = r"\S", max_length = 2_000, example = "Ask about parking, too.")]
    text: String,
}

/// Keys to press.
#[derive(Clone, Deserialize, ToSchema)]
#[schema(as = Digits)]
#[allow(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
pub struct DigitsBody {
    /// `0-9 * # A-D`; `w` pauses half a second, `W` one second. At most 64; spaces and dashes don't count.
    #[schema(pattern = "^[ -]*([0-9*#A-Da-dwW,][ -]*){1,64}$", example = "1w2#")]
    digits: String,
}

/// What the voice asked for.
#[derive(Clone, Deserialize, ToSchema)]
#[schema(as = Answer)]
#[allow(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
pub struct AnswerBody {
    #[schema(pattern = r"\S", max_length = 2_000, example = "The fifth of May 1980.")]
    answer: String,
    /// Which question this answers; the one that is open when absent.
    #[schema(minimum = 1)]
    question_id: Option<u32>,
}

/// The call took it; the journal says what became of it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Taken {
    pub success: bool,
    pub call_id: String,
    #[schema(example = "answered")]
    pub status: &'static str,
}

/// Have the voice say something next, word for word.
///
/// It waits until nobody else is speaking, until the first words of the call were heard, and until a hold is over.
/// The turn in the transcript shows what of it was really said.
#[utoipa::path(
    post, path = "/call/{id}/say", operation_id = "say", tag = "calls", request_body = SayBody,
    params(OfCall, Once),
    responses((status = 202, body = Taken), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)),
    security(("key" = [])),
)]
pub async fn say(
    State(api): State<Api>,
    Known(caller): Known,
    InPath(id): InPath,
    headers: HeaderMap,
    Whole(body): Whole,
) -> Result<Response, ApiError> {
    api.steer(caller, id, &headers, Steer::Say(field(body, "text")?)).await
}

/// Give the voice a note that it follows from now on, and does not say.
///
/// The scripted voice, which has no model, can't follow notes: it says so with a `call.problem`.
#[utoipa::path(
    post, path = "/call/{id}/instruct", operation_id = "instruct", tag = "calls", request_body = InstructBody,
    params(OfCall, Once),
    responses((status = 202, body = Taken), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)),
    security(("key" = [])),
)]
pub async fn instruct(
    State(api): State<Api>,
    Known(caller): Known,
    InPath(id): InPath,
    headers: HeaderMap,
    Whole(body): Whole,
) -> Result<Response, ApiError> {
    api.steer(caller, id, &headers, Steer::Instruct(field(body, "text")?)).await
}

/// Press keys, e.g. in a phone menu.
///
/// `leg.digits_sent` says when they were. What is pressed after them waits until then: `409`.
#[utoipa::path(
    post, path = "/call/{id}/digits", operation_id = "press_digits", tag = "calls", request_body = DigitsBody,
    params(OfCall, Once),
    responses((status = 202, body = Taken), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)),
    security(("key" = [])),
)]
pub async fn digits(
    State(api): State<Api>,
    Known(caller): Known,
    InPath(id): InPath,
    headers: HeaderMap,
    Whole(body): Whole,
) -> Result<Response, ApiError> {
    api.steer(caller, id, &headers, Steer::Press(field(body, "digits")?)).await
}

/// Answer the question of the voice that is open: `pending_question` in `GET /call/{id}`, or `owner.asked`.
///
/// The voice goes on with it. `409` where no question is open any more.
#[utoipa::path(
    post, path = "/call/{id}/answer", operation_id = "answer_call", tag = "calls", request_body = AnswerBody,
    params(OfCall, Once),
    responses((status = 202, body = Taken), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)),
    security(("key" = [])),
)]
pub async fn answer(
    State(api): State<Api>,
    Known(caller): Known,
    InPath(id): InPath,
    headers: HeaderMap,
    Whole(body): Whole,
) -> Result<Response, ApiError> {
    let body = object(&body?)?;
    let question_id = match body.get("question_id") {
        None | Some(Value::Null) => None,
        Some(id) => {
            Some(whole(id).and_then(|id| u32::try_from(id).ok()).filter(|id| *id > 0).ok_or_else(|| {
                ApiError::bad_request("invalid_request", "question_id must be a whole number from 1")
            })?)
        }
    };
    let answer = text(&body, "answer")?;
    api.steer(caller, id, &headers, Steer::Answer { question_id, answer }).await
}

impl Api {
    async fn steer(
        &self,
        caller: Caller,
        id: CallId,
        headers: &HeaderMap,
        steer: Steer,
    ) -> Result<Response, ApiError> {
        let key = idempotency_key(headers)?;
        Ok(taken(id, self.gateway.steer(caller, id, steer, key).await?))
    }
}

fn taken(id: CallId, steered: Steered) -> Response {
    let body = Taken { success: true, call_id: id.to_string(), status: "answered" };
    replayed((StatusCode::ACCEPTED, Json(body)).into_response(), steered.repeated)
}

/// One text of a body that needs no more.
fn field(body: Result<Bytes, ApiError>, name: &'static str) -> Result<String, ApiError> {
    text(&object(&body?)?, name)
}

/// An absent text is an empty one.
fn text(body: &Map<String, Value>, name: &'static str) -> Result<String, ApiError> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(_) => Err(ApiError::bad_request("invalid_request", format!("{name} must be a text"))),
    }
}
