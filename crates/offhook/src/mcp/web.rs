//! `/mcp` of a gateway: the tools over streamable HTTP. Nothing is kept between two requests; whose calls they are says
//! the key of each.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::Request;
use axum::response::{IntoResponse as _, Response};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};

use super::Tools;
use crate::http::PublicUrl;

/// The service behind the route. Cheap to clone.
#[derive(Clone)]
pub struct Web(StreamableHttpService<Tools, NeverSessionManager>);

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
            .with_json_response(true)
            .with_max_request_body_bytes(body_bytes);
        // Web pages are kept out before a request comes here (`http/origin.rs`); this keeps out those that got a name
        // of their own to point at this machine.
        let config = match public_url.hosts() {
            Some(hosts) => config.with_allowed_hosts(hosts),
            None => config.disable_allowed_hosts(),
        };
        let tools = Tools::here(router, public_url);
        let sessions = Arc::new(NeverSessionManager::default());
        Self(StreamableHttpService::new(move || Ok(tools.clone()), sessions, config))
    }

    /// A request whose body was read within the limits of this server.
    pub async fn answer(&self, request: Request<Bytes>) -> Response {
        let response = self.0.handle(request.map(Body::from)).await;
        response.map(Body::new).into_response()
    }
}
