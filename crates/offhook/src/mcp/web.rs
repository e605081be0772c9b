//! `/mcp` of a gateway: the tools over streamable HTTP. Nothing is kept between two requests; whose calls they are says
//! the key of each.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::Request;
use axum::response::{IntoResponse as _, Response};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};

use serde::Deserialize;

use super::{Tools, tools};
use crate::http::PublicUrl;

type Service = StreamableHttpService<Tools, NeverSessionManager>;

/// The service behind the route. Cheap to clone.
#[derive(Clone)]
pub struct Web {
    /// Answers with one piece of JSON, where nothing comes before the result.
    quick: Service,
    /// Answers with a stream from the first moment, which is kept alive: no proxy must think that nobody is there.
    slow: Service,
}

impl std::fmt::Debug for Web {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Web")
    }
}

impl Web {
    /// Over the API of this router.
    pub fn new(router: Router, public_url: PublicUrl, body_bytes: usize) -> Self {
        let config = StreamableHttpServerConfig::default()
            .with_legacy_session_mode(false)
            .with_max_request_body_bytes(body_bytes);
        // Web pages are kept out before a request comes here (`http/origin.rs`); this keeps out those that got a name
        // of their own to point at this machine.
        let config = match public_url.hosts() {
            Some(hosts) => config.with_allowed_hosts(hosts),
            None => config.disable_allowed_hosts(),
        };
        let tools = Tools::here(router, public_url);
        let sessions = Arc::new(NeverSessionManager::default());
        let service = |config| {
            let tools = tools.clone();
            StreamableHttpService::new(move || Ok(tools.clone()), Arc::clone(&sessions), config)
        };
        Self { quick: service(config.clone().with_json_response(true)), slow: service(config) }
    }

    /// A request whose body was read within the limits of this server.
    pub async fn answer(&self, request: Request<Bytes>) -> Response {
        let service = if waits(request.body()) { &self.slow } else { &self.quick };
        let response = service.handle(request.map(Body::from)).await;
        response.map(Body::new).into_response()
    }
}

/// Whether a tool is used that may take minutes.
fn waits(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Message<'a> {
        #[serde(borrow)]
        params: Option<Params<'a>>,
    }
    #[derive(Deserialize)]
    struct Params<'a> {
        name: Option<&'a str>,
    }
    let message: Option<Message<'_>> = serde_json::from_slice(body).ok();
    let name = message.and_then(|message| message.params?.name);
    name.and_then(tools::row).is_some_and(|row| row.waits())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_gets_a_stream() {
        for (body, expected) in [
            (r#"{"method": "tools/call", "params": {"name": "place_call_and_wait", "arguments": {}}}"#, true),
            (r#"{"method": "tools/call", "params": {"name": "wait_for_call"}}"#, true),
            (r#"{"method": "tools/call", "params": {"name": "get_call"}}"#, false),
            (r#"{"method": "tools/list"}"#, false),
            (r#"{"params": {"name": 1}}"#, false),
            ("[1]", false),
        ] {
            assert_eq!(waits(body.as_bytes()), expected, "{body}");
        }
    }
}
