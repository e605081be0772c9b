//! What is read from requests: keys, call ids, bodies. Whatever does not fit becomes the error envelope.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use offhook_core::CallId;
use serde_json::{Map, Value};
use utoipa::IntoParams;

use super::Api;
use super::error::ApiError;
use crate::gateway::{AuthError, Caller, KEY_PREFIX};

/// The key of a request: `X-Api-Key`, or as a bearer token. A blank one is none.
pub fn key(headers: &HeaderMap) -> Option<&str> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let bearer = || {
        let (scheme, token) = text(AUTHORIZATION.as_str())?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    };
    text("x-api-key").filter(|key| !key.is_empty()).or_else(bearer).filter(|key| !key.is_empty())
}

/// Why whoever sent these headers is not let in. A bearer token that can't be a key is somebody else's: it is not for a
/// client to forget its key over it.
pub fn refused(error: AuthError, headers: &HeaderMap) -> ApiError {
    let is_key = key(headers).is_some_and(|key| key.starts_with(KEY_PREFIX));
    match error {
        AuthError::InvalidKey if !is_key && !headers.contains_key("x-api-key") => {
            let message = format!("this bearer token is no API key, which begins with {KEY_PREFIX}");
            ApiError::new(StatusCode::UNAUTHORIZED, "invalid_token", message)
        }
        error => error.into(),
    }
}

/// Somebody with a key.
#[derive(Clone, Copy, Debug)]
pub struct Known(pub Caller);

impl FromRequestParts<Api> for Known {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let caller = api.gateway.authenticate(key(&parts.headers)).await;
        caller
            .map(Self)
            .map_err(|error| refused(error, &parts.headers).at(&api.public_url.for_request(&parts.headers)))
    }
}

impl Api {
    /// Whether the key of a request has not been revoked since it was let in.
    pub async fn is_good(&self, headers: &HeaderMap) -> bool {
        !matches!(self.gateway.authenticate(key(headers)).await, Err(AuthError::InvalidKey))
    }
}

/// The call a path names. What is no id is the id of no call.
#[derive(Clone, Copy, Debug)]
pub struct InPath(pub CallId);

impl FromRequestParts<Api> for InPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let id =
            Path::<String>::from_request_parts(parts, api).await.ok().and_then(|Path(id)| id.parse().ok());
        id.map(Self).ok_or_else(|| ApiError::not_found("no such call"))
    }
}

/// What an idempotency key may be: long enough for any UUID, short enough to keep.
const KEY_LIMIT: usize = 255;

/// The key under which a request is done only once.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().map(str::trim).unwrap_or_default();
    if key.is_empty() || key.len() > KEY_LIMIT {
        let message = format!("Idempotency-Key must be 1 to {KEY_LIMIT} printable characters");
        return Err(ApiError::bad_request("invalid_request", message));
    }
    Ok(Some(key.to_owned()))
}

/// [`InPath`] as the OpenAPI document describes it.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[allow(dead_code, reason = "describes the parameter; an extractor reads it")]
pub struct OfCall {
    /// The call.
    id: String,
}

/// [`idempotency_key`] as the OpenAPI document describes it.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code, reason = "describes the parameter; it is read from the headers")]
pub struct Once {
    /// The same key with the same body is done once.
    #[param(rename = "Idempotency-Key")]
    key: Option<String>,
}

/// Say in the answer whether the request had been done before.
pub fn replayed(mut response: Response, before: bool) -> Response {
    if before {
        response.headers_mut().insert("idempotent-replayed", HeaderValue::from_static("true"));
    }
    response
}

/// A whole body, whatever its declared type; an error is for the handler to give, which may have a better one.
#[derive(Debug)]
pub struct Whole(pub Result<Bytes, ApiError>);

impl FromRequest<Api> for Whole {
    type Rejection = std::convert::Infallible;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Self::Rejection> {
        let read = Bytes::from_request(request, api);
        let whole = match tokio::time::timeout(api.limits.body_timeout, read).await {
            Ok(read) => read.map_err(unread),
            Err(_) => {
                let message = "the request took too long to arrive; send it again";
                Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", message))
            }
        };
        Ok(Self(whole))
    }
}

/// A body that is a JSON object, whatever is in it: its fields are told one by one what is wrong with them.
pub fn object(body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    let wrong = |message: String| ApiError::bad_request("invalid_request", message);
    match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(wrong("the body must be a JSON object".to_owned())),
        Err(error) => Err(wrong(format!("the body is not JSON: {error}"))),
    }
}

/// A body that may be left out, or be null.
pub fn object_if_any(body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    let is_none = matches!(body.trim_ascii(), b"" | b"null");
    if is_none { Ok(Map::new()) } else { object(body) }
}

/// A whole number, also one that is written `30.0`: JSON has one kind of number.
pub fn whole(value: &Value) -> Option<u64> {
    let is_whole = |number: &f64| number.fract() == 0.0 && (0.0..=1e15).contains(number);
    value.as_u64().or_else(|| value.as_f64().filter(is_whole).map(|number| number as u64))
}

fn unread(rejection: BytesRejection) -> ApiError {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            let message = "the request is too large; shorten the task";
            ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", message)
        }
        _ => ApiError::bad_request("invalid_request", "the request could not be read to its end"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers() {
        for (written, expected) in [
            ("30", Some(30)),
            ("30.0", Some(30)),
            ("3e1", Some(30)),
            ("30.5", None),
            ("-1", None),
            ("-1.0", None),
            ("1e300", None),
            ("\"30\"", None),
            ("true", None),
            ("null", None),
        ] {
            assert_eq!(whole(&serde_json::from_str(written).unwrap()), expected, "{written}");
        }
    }

    #[test]
    fn keys() {
        for (name, value, expected) in [
            ("x-api-key", "clawcall_sk_1", Some("clawcall_sk_1")),
            ("x-api-key", "  clawcall_sk_1 ", Some("clawcall_sk_1")),
            ("x-api-key", "", None),
            ("authorization", "Bearer clawcall_sk_1", Some("clawcall_sk_1")),
            ("authorization", "bearer  clawcall_sk_1", Some("clawcall_sk_1")),
            ("authorization", "Basic abc", None),
            ("authorization", "Bearer ", None),
            ("accept", "*/*", None),
        ] {
            let headers = HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())]);
            assert_eq!(key(&headers), expected, "{name}: {value}");
        }
    }
}
