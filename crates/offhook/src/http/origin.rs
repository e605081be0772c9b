//! Keeps web pages out: a browser on the operator's machine can reach a loopback address, and the first call needs
//! no key. Agents send no `Origin`; pages of this very server send its own.

use axum::extract::{Request, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::Api;
use super::error::ApiError;

pub async fn guard(State(api): State<Api>, request: Request, next: Next) -> Response {
    if is_foreign(request.headers(), api.public_url.usual()) {
        let message = "pages of other web sites may not use this API; call it from a program";
        return ApiError::new(StatusCode::FORBIDDEN, "forbidden", message).into_response();
    }
    next.run(request).await
}

fn is_foreign(headers: &HeaderMap, public_url: &str) -> bool {
    let Some(origin) = headers.get(ORIGIN) else { return false };
    let origin = origin.to_str().unwrap_or_default();
    origin != own_origin(public_url) && !is_own_loopback(origin, headers)
}

/// Scheme and authority, without a path.
fn own_origin(public_url: &str) -> &str {
    let start = public_url.find("://").map_or(0, |scheme| scheme + 3);
    let end = public_url[start..].find('/').map_or(public_url.len(), |path| start + path);
    &public_url[..end]
}

/// The server opened under another name of this machine. A name from DNS doesn't count: it may point anywhere.
fn is_own_loopback(origin: &str, headers: &HeaderMap) -> bool {
    let uri: Option<Uri> = origin.parse().ok();
    let authority = uri.as_ref().and_then(Uri::authority);
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    authority.is_some_and(|authority| {
        matches!(authority.host(), "localhost" | "127.0.0.1" | "[::1]") && Some(authority.as_str()) == host
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_ask() {
        for (origin, host, foreign) in [
            (None, "127.0.0.1:7465", false),
            (Some("https://calls.example.com"), "calls.example.com", false),
            (Some("http://localhost:7465"), "localhost:7465", false),
            (Some("http://127.0.0.1:7465"), "127.0.0.1:7465", false),
            (Some("https://evil.example"), "127.0.0.1:7465", true),
            (Some("http://evil.example:7465"), "evil.example:7465", true),
            (Some("http://localhost:3000"), "localhost:7465", true),
            (Some("http://calls.example.com"), "calls.example.com", true),
            (Some("null"), "127.0.0.1:7465", true),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, host.parse().unwrap());
            headers.extend(origin.map(|origin| (ORIGIN, origin.parse().unwrap())));
            assert_eq!(
                is_foreign(&headers, "https://calls.example.com/line"),
                foreign,
                "{origin:?} at {host}"
            );
        }
    }
}
