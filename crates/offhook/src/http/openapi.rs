//! The OpenAPI document, made of the handlers themselves.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::openapi::server::Server;

use super::codes::CODES;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "offhook",
        description = "A phone line for AI agents. Place a call, follow it, read what happened.",
    ),
    tags(
        (name = "calls", description = "Placing, following and ending calls."),
        (name = "voice", description = "Calling the user: the one number an agent may always call."),
        (name = "approvals", description = "Having the user approve an operation by phone."),
        (name = "schedules", description = "Calls that are placed by the clock, when something is the case."),
        (name = "campaigns", description = "Asking several the same, and comparing what they say."),
        (name = "account", description = "Whose key it is, its history and what is left of its limits."),
        (name = "recordings", description = "What was recorded."),
        (name = "webhooks", description = "Where events are sent, signed with what, and whether they arrived."),
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

/// What the standard demands and the handlers don't say: each response has a description, by default that of its
/// status, no field has a default that is none, no header and no query a null, and an error one of the codes.
pub fn described(document: OpenApi) -> OpenApi {
    let mut json = serde_json::to_value(&document).expect("the document is made of strings and numbers");
    let operations = json["paths"].as_object_mut().into_iter().flat_map(|paths| paths.values_mut());
    for operation in
        operations.filter_map(Value::as_object_mut).flat_map(|operations| operations.values_mut())
    {
        for (status, response) in operation["responses"].as_object_mut().into_iter().flatten() {
            if response["description"].as_str().unwrap_or_default().is_empty() {
                response["description"] = description(status).into();
            }
        }
        operation["parameters"].as_array_mut().into_iter().flatten().for_each(parameter);
    }
    drop_null_defaults(&mut json);
    json["components"]["schemas"]["ErrorDetail"]["properties"]["code"]["enum"] =
        CODES.iter().map(|code| code.code).collect();
    serde_json::from_value(json).expect("it is the same document, with some words more")
}

/// A parameter is a text: there is no null that could be sent. What a key of idempotency may be is said here once.
fn parameter(parameter: &mut Value) {
    let is_key = parameter["name"] == "Idempotency-Key";
    let Some(schema) = parameter["schema"].as_object_mut() else { return };
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            schema["type"] = only.clone();
        }
    }
    if is_key {
        schema.insert("minLength".to_owned(), 1.into());
        schema.insert("maxLength".to_owned(), 255.into());
        schema.insert("pattern".to_owned(), "^[!-~]([ -~]*[!-~])?$".into());
    }
}

fn drop_null_defaults(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if fields.get("default").is_some_and(Value::is_null) {
                fields.remove("default");
            }
            fields.values_mut().for_each(drop_null_defaults);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_null_defaults),
        _ => {}
    }
}

fn description(status: &str) -> &'static str {
    match status {
        "4XX" => "The request can't be met; the code says why.",
        "5XX" => "It can't be met now; with a Retry-After header it is worth another try.",
        status => {
            status.parse().ok().and_then(|status: StatusCode| status.canonical_reason()).unwrap_or("OK")
        }
    }
}

/// The document of one server, as it is sent.
pub fn complete(mut document: OpenApi, public_url: &str) -> String {
    document.servers = Some(vec![Server::new(public_url)]);
    document.to_json().expect("the document is made of strings and numbers")
}

pub async fn serve(document: Arc<str>) -> Response {
    ([(CONTENT_TYPE, "application/json")], document.to_string()).into_response()
}
