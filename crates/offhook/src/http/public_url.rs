//! What the links in answers begin with.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::http::uri::Authority;
use axum::http::{HeaderMap, header};

use crate::doctor::reachable;

/// Without a slash at the end. Cheap to clone.
#[derive(Clone, Debug)]
pub struct PublicUrl {
    usual: Arc<str>,
    /// Nobody said how this server is reached, and it listens on every address: whoever asks has found a way, and is
    /// answered with that.
    as_asked: bool,
}

impl PublicUrl {
    /// As configured, or by the address the server listens on.
    pub fn new(configured: Option<&str>, listen: SocketAddr) -> Self {
        let usual = match configured {
            Some(url) => url.trim_end_matches('/').into(),
            None => format!("http://{}", reachable(listen)).into(),
        };
        Self { usual, as_asked: configured.is_none() && listen.ip().is_unspecified() }
    }

    /// For whoever sent these headers. What they name reaches nobody but the sender.
    pub fn for_request(&self, headers: &HeaderMap) -> String {
        let host = headers.get(header::HOST).filter(|_| self.as_asked);
        let host = host.and_then(|host| host.to_str().ok()).filter(|host| host.parse::<Authority>().is_ok());
        // A name and a port; with user information a link would look like another's.
        let host = host.filter(|host| !host.contains('@'));
        host.map_or_else(|| self.usual.to_string(), |host| format!("http://{host}"))
    }

    /// The server as the OpenAPI document names it: where that was read from, when nothing better is known.
    pub fn of_document(&self) -> &str {
        if self.as_asked { "/" } else { &self.usual }
    }

    /// The names this server answers to, where they are known; `None` when it answers whoever finds a way.
    pub fn hosts(&self) -> Option<Vec<String>> {
        let host = self.usual.split_once("://").and_then(|(_, rest)| {
            let authority: Authority = rest.split('/').next()?.parse().ok()?;
            Some(authority.host().trim_matches(['[', ']']).to_owned())
        });
        let own = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        (!self.as_asked).then(|| own.into_iter().chain(host).collect())
    }

    /// For whom nothing is known of.
    pub fn usual(&self) -> &str {
        &self.usual
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_begin_with_what_reaches_us() {
        for (configured, listen, host, expected) in [
            (
                Some("https://calls.example.com/line/"),
                "0.0.0.0:7465",
                "10.0.0.5:7465",
                "https://calls.example.com/line",
            ),
            (None, "127.0.0.1:7465", "localhost:7465", "http://127.0.0.1:7465"),
            (None, "192.0.2.7:7465", "evil.example", "http://192.0.2.7:7465"),
            (None, "0.0.0.0:7465", "10.0.0.5:7465", "http://10.0.0.5:7465"),
            (None, "0.0.0.0:7465", "line.example.com", "http://line.example.com"),
            (None, "[::]:7465", "[2001:db8::1]:7465", "http://[2001:db8::1]:7465"),
            (None, "[::]:7465", "user@evil.example", "http://[::1]:7465"),
            (None, "0.0.0.0:7465", "a b", "http://127.0.0.1:7465"),
        ] {
            let headers = HeaderMap::from_iter([(header::HOST, host.parse().unwrap())]);
            let url = PublicUrl::new(configured, listen.parse().unwrap());
            assert_eq!(url.for_request(&headers), expected, "{configured:?} at {listen} asked as {host}");
        }
        let url = PublicUrl::new(None, "0.0.0.0:7465".parse().unwrap());
        assert_eq!(url.for_request(&HeaderMap::new()), url.usual());
        assert_eq!(url.of_document(), "/");
    }
}
