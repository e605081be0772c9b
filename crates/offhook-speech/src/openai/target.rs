//! Where a Realtime server is, and the way there: URL, headers, TCP, TLS, WebSocket handshake.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::{ClientConfig, RootCertStore};
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue, Uri};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Error as WsError};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, client_async_tls_with_config};

use super::config::{Auth, Config};

pub(super) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A mistake in the configuration of an endpoint, found before anything is sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("the address of the speech model {url:?} is not a http, https, ws or wss URL with a host")]
    Url { url: String },
    #[error("the header {name:?} for the speech model has characters that no header can have")]
    Header { name: String },
    #[error(
        "the key of the speech model has characters that no header can have; is there a line break in it?"
    )]
    Key,
}

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ConnectError {
    #[error("no connection within {} seconds", .0.as_secs())]
    Timeout(Duration),
    #[error("{0}")]
    Network(String),
    /// The server answered the handshake with something else than an upgrade.
    #[error("the server answered {status}: {message}")]
    Refused { status: u16, message: String },
    #[error("the server does not speak WebSocket: {0}")]
    Handshake(String),
}

impl ConnectError {
    /// Whether another attempt a little later could help.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Timeout(_) | Self::Network(_) => true,
            Self::Refused { status, .. } => *status == 429 || *status >= 500,
            Self::Handshake(_) => false,
        }
    }
}

/// One endpoint, ready to connect to.
pub(super) struct Target {
    request: Request,
    host: String,
    port: u16,
    tls: bool,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Target({}:{})", self.host, self.port)
    }
}

impl Target {
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        let url_error = || ConfigError::Url { url: config.base_url.clone() };
        let uri: Uri =
            url(&config.base_url, &config.model).and_then(|url| url.parse().ok()).ok_or_else(url_error)?;
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(url_error)?.to_owned();
        let tls = uri.scheme_str() == Some("wss");
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let mut request = uri.into_client_request().map_err(|_| url_error())?;
        for (name, value) in &config.headers {
            let error = || ConfigError::Header { name: name.clone() };
            let header = HeaderName::try_from(name.as_str()).map_err(|_| error())?;
            let mut value = HeaderValue::try_from(value).map_err(|_| error())?;
            value.set_sensitive(true);
            request.headers_mut().insert(header, value);
        }
        if let Some((name, value)) = credentials(&config.auth)? {
            request.headers_mut().insert(name, value);
        }
        Ok(Self { request, host, port, tls })
    }

    /// For people: where this is.
    pub fn host(&self) -> &str {
        &self.host
    }

    pub async fn connect(&self, within: Duration) -> Result<Socket, ConnectError> {
        match tokio::time::timeout(within, self.handshake()).await {
            Ok(connected) => connected,
            Err(_) => Err(ConnectError::Timeout(within)),
        }
    }

    async fn handshake(&self) -> Result<Socket, ConnectError> {
        // Brackets belong to the URL, not to the address.
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        let network = |error: io::Error| ConnectError::Network(error.to_string());
        let stream = TcpStream::connect((host, self.port)).await.map_err(network)?;
        stream.set_nodelay(true).map_err(network)?;
        let connector = if self.tls { Connector::Rustls(tls_config()) } else { Connector::Plain };
        client_async_tls_with_config(self.request.clone(), stream, Some(socket_config()), Some(connector))
            .await
            .map(|(socket, _)| socket)
            .map_err(connect_error)
    }
}

/// Small buffers: a thousand calls are a thousand of these. A larger message makes room for itself.
fn socket_config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(8 * 1024)
        .write_buffer_size(64 * 1024)
        .max_write_buffer_size(1024 * 1024)
        .max_message_size(Some(16 * 1024 * 1024))
        .max_frame_size(Some(16 * 1024 * 1024))
}

fn connect_error(error: WsError) -> ConnectError {
    match error {
        WsError::Http(response) => {
            let body = response.body().as_deref().unwrap_or_default();
            ConnectError::Refused { status: response.status().as_u16(), message: refusal(body) }
        }
        WsError::Io(error) => ConnectError::Network(error.to_string()),
        WsError::Tls(error) => ConnectError::Network(error.to_string()),
        WsError::ConnectionClosed
        | WsError::Protocol(tungstenite::error::ProtocolError::HandshakeIncomplete) => {
            ConnectError::Network("the server closed the connection".to_owned())
        }
        error => ConnectError::Handshake(error.to_string()),
    }
}

/// The vendors put `{"error":{"message":…}}` into the body of a refusal.
fn refusal(body: &[u8]) -> String {
    const LIMIT: usize = 300;
    let parsed: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let message = parsed.as_ref().and_then(|body| {
        body.pointer("/error/message").or_else(|| body.get("message")).and_then(serde_json::Value::as_str)
    });
    let message = message.map_or_else(|| String::from_utf8_lossy(body).trim().to_owned(), str::to_owned);
    if message.is_empty() { "no reason given".to_owned() } else { message.chars().take(LIMIT).collect() }
}

fn credentials(auth: &Auth) -> Result<Option<(HeaderName, HeaderValue)>, ConfigError> {
    let sensitive = |value: String| {
        let mut value = HeaderValue::try_from(value).map_err(|_| ConfigError::Key)?;
        value.set_sensitive(true);
        Ok(value)
    };
    let exposed = |key: &SecretString| key.expose_secret().trim().to_owned();
    Ok(match auth {
        Auth::Bearer(key) => {
            let name = HeaderName::from_static("authorization");
            Some((name, sensitive(format!("Bearer {}", exposed(key)))?))
        }
        Auth::ApiKey(key) => Some((HeaderName::from_static("api-key"), sensitive(exposed(key))?)),
        Auth::None => None,
    })
}

/// `<base>/realtime?model=<model>` with the scheme of a WebSocket.
fn url(base_url: &str, model: &str) -> Option<String> {
    let (scheme, rest) = base_url.trim().split_once("://")?;
    let scheme = match scheme {
        "https" | "wss" => "wss",
        "http" | "ws" => "ws",
        _ => return None,
    };
    let (path, query) = match rest.split_once('?') {
        Some((path, query)) => (path, format!("{query}&")),
        None => (rest, String::new()),
    };
    let path = path.trim_end_matches('/');
    let path = path.strip_suffix("/realtime").unwrap_or(path);
    Some(format!("{scheme}://{path}/realtime?{query}model={}", percent_encoded(model)))
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(byte as char),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// Made once: reading the machine's certificates takes milliseconds. The provider is named, since more than one is
/// compiled in and there is then no default.
fn tls_config() -> Arc<ClientConfig> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    let make = || {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("aws-lc-rs supports the default protocol versions");
        Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
    };
    Arc::clone(CONFIG.get_or_init(make))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_become_the_url_of_a_websocket() {
        let table = [
            (
                "https://api.openai.com/v1",
                "gpt-realtime-2.1",
                "wss://api.openai.com/v1/realtime?model=gpt-realtime-2.1",
            ),
            (
                "https://x.openai.azure.com/openai/v1/",
                "my voice",
                "wss://x.openai.azure.com/openai/v1/realtime?model=my%20voice",
            ),
            ("ws://127.0.0.1:9/v1/realtime", "m", "ws://127.0.0.1:9/v1/realtime?model=m"),
            ("http://[::1]:8000/v1?tenant=a", "m", "ws://[::1]:8000/v1/realtime?tenant=a&model=m"),
        ];
        for (base, model, expected) in table {
            assert_eq!(url(base, model).as_deref(), Some(expected));
        }
        assert_eq!(url("api.openai.com/v1", "m"), None);
        assert_eq!(url("ftp://api.openai.com", "m"), None);
    }

    #[test]
    fn a_target_never_shows_its_key() {
        let target = Target::new(&Config::openai("sk-secret".to_owned().into())).unwrap();
        assert!(!format!("{target:?} {:?}", target.request).contains("sk-secret"));
        let bad = Target::new(&Config::openai("sk\nsecret".to_owned().into())).unwrap_err();
        assert!(!format!("{bad} {bad:?}").contains("secret\""), "{bad}");
    }
}
