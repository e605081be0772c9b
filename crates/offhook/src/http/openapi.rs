//! The OpenAPI document, made of the handlers themselves.

use std::sync::Arc;

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::openapi::server::Server;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "offhook",
        description = "A phone line for AI agents. Place a call, follow it, read what happened.",
    ),
    tags(
        (name = "calls", description = "Placing, following and ending calls."),
        (name = "recordings", description = "What was recorded."),
        (name = "operation", description = "Whether the line works."),
    ),
)]
struct Base;

/// Everything but the paths.
pub fn base() -> OpenApi {
    let mut document = Base::openapi();
    let description = "Minted by the first call, or made with `offhook key create`.";
    let key = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description("X-Api-Key", description)));
    document.components.get_or_insert_default().add_security_scheme("key", key);
    document
}

/// The document of one server, as it is sent.
pub fn complete(mut document: OpenApi, public_url: &str) -> String {
    document.servers = Some(vec![Server::new(public_url)]);
    document.to_json().expect("the document is made of strings and numbers")
}

pub async fn serve(document: Arc<str>) -> Response {
    ([(CONTENT_TYPE, "application/json")], document.to_string()).into_response()
}
