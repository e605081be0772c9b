//! One log line for each request, without anything that names a person or a call; an id to find it by; headers that
//! keep browsers careful; and the last resort when a handler panics.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderMap, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use tracing::{Instrument as _, Level};
use uuid::Uuid;

use super::error::ApiError;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// On every answer that does not say otherwise: what is shown here is private, is nothing but what it says it is,
/// belongs in no frame, and its address (a signed link) is told to nobody.
const CAREFUL: [(HeaderName, HeaderValue); 4] = [
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static("frame-ancestors 'none'")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
];

pub async fn log(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(&request);
    let method = request.method().clone();
    // The template of the path, never the path: ids and signatures stay out of the log.
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let span = tracing::info_span!("request", id = id.to_str().unwrap_or_default());
    let answer = AssertUnwindSafe(next.run(request).instrument(span.clone())).catch_unwind().await;
    let mut response = answer.unwrap_or_else(|_| ApiError::internal().into_response());
    let ms = started.elapsed().as_millis() as u64;
    span.in_scope(|| write(&method, path.as_deref().unwrap_or("-"), response.status(), ms));
    response.headers_mut().insert(REQUEST_ID, id);
    careful(response.headers_mut());
    response
}

fn careful(headers: &mut HeaderMap) {
    for (name, value) in CAREFUL {
        headers.entry(name).or_insert(value);
    }
}

fn write(method: &Method, path: &str, status: StatusCode, ms: u64) {
    let code = status.as_u16();
    match level(method, path, status) {
        Level::ERROR => tracing::error!(%method, path, status = code, ms, "answered"),
        Level::WARN => tracing::warn!(%method, path, status = code, ms, "answered"),
        Level::INFO => tracing::info!(%method, path, status = code, ms, "answered"),
        _ => tracing::debug!(%method, path, status = code, ms, "answered"),
    }
}

/// An agent polls each call every three seconds: who only looks is not worth a line. Who changes something is, who
/// is kept out is worth a look, and what went wrong here is for the operator to mend.
fn level(method: &Method, path: &str, status: StatusCode) -> Level {
    match status {
        StatusCode::SERVICE_UNAVAILABLE => Level::WARN,
        status if status.is_server_error() => Level::ERROR,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS => Level::WARN,
        StatusCode::REQUEST_TIMEOUT | StatusCode::PAYLOAD_TOO_LARGE => Level::WARN,
        status if status.is_client_error() => Level::INFO,
        // What a tool asks of the API has a line of its own, by the same rules.
        _ if matches!(*method, Method::GET | Method::HEAD) || path == "/mcp" => Level::DEBUG,
        _ => Level::INFO,
    }
}

/// The caller's own id when it is a modest one, so that both logs can be laid side by side.
fn request_id(request: &Request) -> HeaderValue {
    let given = request.headers().get(REQUEST_ID).filter(|id| {
        let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
        (8..=64).contains(&id.len()) && id.as_bytes().iter().all(fits)
    });
    given.cloned().unwrap_or_else(|| {
        HeaderValue::from_str(&Uuid::new_v4().to_string()).unwrap_or_else(|_| HeaderValue::from_static("-"))
    })
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn;
    use axum::routing::get;
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_internal_error_in_the_envelope() {
        async fn broken() -> &'static str {
            panic!("a bug")
        }
        let router = Router::new().route("/", get(broken)).layer(from_fn(log));
        let response = router.oneshot(Request::new(Body::empty())).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(response.headers().contains_key(REQUEST_ID));
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["error"]["code"], "internal_error");
    }

    #[tokio::test]
    async fn a_modest_id_is_kept_any_other_is_replaced() {
        let router = Router::new().route("/", get(|| async {})).layer(from_fn(log));
        let long = "x".repeat(65);
        for (given, kept) in [
            ("0199a1e0-0000-7000-8000-000000000000", true),
            ("trace_id-42", true),
            ("short", false),
            (long.as_str(), false),
            ("with spaces in it", false),
            ("\"quotes\"{}", false),
        ] {
            let request = Request::builder().header(REQUEST_ID, given).body(Body::empty()).unwrap();
            let response = router.clone().oneshot(request).await.unwrap();
            assert_eq!(response.headers()[REQUEST_ID] == given, kept, "{given}");
        }
    }

    #[test]
    fn what_is_worth_a_line() {
        for (method, status, expected) in [
            (Method::GET, 200, Level::DEBUG),
            (Method::GET, 302, Level::DEBUG),
            (Method::HEAD, 200, Level::DEBUG),
            (Method::POST, 201, Level::INFO),
            (Method::GET, 404, Level::INFO),
            (Method::POST, 400, Level::INFO),
            (Method::GET, 401, Level::WARN),
            (Method::POST, 403, Level::WARN),
            (Method::POST, 413, Level::WARN),
            (Method::POST, 429, Level::WARN),
            (Method::GET, 503, Level::WARN),
            (Method::GET, 500, Level::ERROR),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(level(&method, "/call", status), expected, "{method} {status}");
        }
        assert_eq!(level(&Method::POST, "/mcp", StatusCode::OK), Level::DEBUG);
    }
}
