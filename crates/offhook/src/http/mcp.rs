//! `/mcp`: the API as tools for agents that speak the Model Context Protocol. Requests are read like any other here;
//! what they ask for goes through the API itself.

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Request, State};
use axum::http::header::ACCEPT;
use axum::http::{HeaderValue, Method};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;

use super::error::ApiError;
use super::request::Whole;
use super::{Api, access, origin};
use crate::mcp::Web;

#[derive(Clone)]
struct Door {
    api: Api,
    web: Web,
}

/// The one route, over the API of `router`.
pub fn route(api: Api, router: Router) -> Router {
    let body_bytes = api.limits.body_bytes;
    let web = Web::new(router, api.public_url.clone(), body_bytes);
    Router::new()
        .route("/mcp", any(answer))
        .layer(DefaultBodyLimit::max(body_bytes))
        .layer(from_fn_with_state(api.clone(), origin::guard))
        .layer(from_fn(access::log))
        .with_state(Door { api, web })
}

async fn answer(State(Door { api, web }): State<Door>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let head = Request::from_parts(parts.clone(), body);
    let Ok(Whole(body)) = Whole::from_request(head, &api).await;
    // Programs that take anything say so, or nothing; the protocol wants both kinds named.
    if parts.headers.get(ACCEPT).is_none_or(|accept| accept == "*/*") {
        let both = HeaderValue::from_static("application/json, text/event-stream");
        parts.headers.insert(ACCEPT, both);
    }
    // Of the protocol's own ways to say so each revision has another.
    let body = body.and_then(|body| match serde_json::from_slice::<serde::de::IgnoredAny>(&body) {
        Err(error) if parts.method == Method::POST => {
            Err(ApiError::bad_request("invalid_request", format!("the body is not JSON: {error}")))
        }
        _ => Ok(body),
    });
    match body {
        Ok(body) => web.answer(axum::http::Request::from_parts(parts, body)).await,
        Err(error) => error.into_response(),
    }
}
