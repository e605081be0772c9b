//! `endpoint=https://<resource>.communication.azure.com/;accesskey=<base64>`: where a resource is, and its key.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use secrecy::{ExposeSecret as _, SecretString};

/// What the portal calls a connection string.
#[derive(Clone, Debug)]
pub struct ConnectionString {
    /// Without a slash at the end.
    pub endpoint: String,
    pub access_key: SecretString,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionStringError {
    #[error("a connection string is written endpoint=https://…;accesskey=…")]
    Shape,
    #[error("the connection string has no endpoint")]
    NoEndpoint,
    #[error("the connection string has no accesskey")]
    NoAccessKey,
    #[error("the endpoint of a connection string begins with https://")]
    Endpoint,
    #[error("the access key is not Base64; copy the whole connection string again")]
    AccessKey,
}

impl ConnectionString {
    pub fn parse(text: &SecretString) -> Result<Self, ConnectionStringError> {
        let (mut endpoint, mut access_key) = (None, None);
        for part in text.expose_secret().split(';').map(str::trim).filter(|part| !part.is_empty()) {
            // The key itself may end with `=`.
            let (name, value) = part.split_once('=').ok_or(ConnectionStringError::Shape)?;
            match name.trim().to_ascii_lowercase().as_str() {
                "endpoint" => endpoint = Some(value.trim()),
                "accesskey" => access_key = Some(value.trim()),
                _ => {}
            }
        }
        let endpoint = endpoint.filter(|text| !text.is_empty()).ok_or(ConnectionStringError::NoEndpoint)?;
        let access_key =
            access_key.filter(|text| !text.is_empty()).ok_or(ConnectionStringError::NoAccessKey)?;
        let endpoint = normal_endpoint(endpoint).ok_or(ConnectionStringError::Endpoint)?;
        BASE64_STANDARD.decode(access_key).map_err(|_| ConnectionStringError::AccessKey)?;
        Ok(Self { endpoint, access_key: access_key.into() })
    }
}

/// Without TLS and to this very machine, where nobody can listen in: for tests and proxies.
pub fn is_here(text: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(text.trim()) else { return false };
    let anonymous = url.username().is_empty() && url.password().is_none();
    let local = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    matches!(url.scheme(), "http" | "ws") && local && anonymous
}

/// `https://host[:port]`; plain HTTP to this machine only, for tests and proxies.
pub fn normal_endpoint(text: &str) -> Option<String> {
    let url = reqwest::Url::parse(text.trim()).ok()?;
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let anonymous = url.username().is_empty() && url.password().is_none();
    let usable = url.scheme() == "https" || (url.scheme() == "http" && is_here(text));
    if !usable || !bare || !anonymous {
        return None;
    }
    Some(url.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_spoken_to_in_the_clear() {
        for (url, here) in [
            ("http://127.0.0.1:7466", true),
            ("http://localhost", true),
            ("ws://[::1]:80/media", true),
            ("http://localhost.example.com", false),
            ("http://localhost:80@example.com/keys", false),
            ("http://127.0.0.1.example.com:80", false),
            ("https://localhost", false),
            ("localhost", false),
        ] {
            assert_eq!(is_here(url), here, "{url}");
        }
    }

    #[test]
    fn what_the_portal_shows_is_read() {
        for (text, endpoint, key) in [
            (
                "endpoint=https://contoso.communication.azure.com/;accesskey=a2V5a2V5==",
                Err(ConnectionStringError::AccessKey),
                "",
            ),
            (
                "endpoint=https://contoso.communication.azure.com/;accesskey=a2V5a2U=",
                Ok("https://contoso.communication.azure.com"),
                "a2V5a2U=",
            ),
            (
                " AccessKey = a2V5a2U= ; EndPoint = https://Contoso.germany.communication.azure.com ;",
                Ok("https://contoso.germany.communication.azure.com"),
                "a2V5a2U=",
            ),
            ("endpoint=http://127.0.0.1:8080/;accesskey=a2V5", Ok("http://127.0.0.1:8080"), "a2V5"),
            ("endpoint=http://contoso.example/;accesskey=a2V5", Err(ConnectionStringError::Endpoint), ""),
            (
                "endpoint=https://contoso.example/path;accesskey=a2V5",
                Err(ConnectionStringError::Endpoint),
                "",
            ),
            ("endpoint=https://a:b@contoso.example;accesskey=a2V5", Err(ConnectionStringError::Endpoint), ""),
            ("endpoint=https://contoso.example/", Err(ConnectionStringError::NoAccessKey), ""),
            ("endpoint=https://contoso.example/;accesskey=", Err(ConnectionStringError::NoAccessKey), ""),
            ("accesskey=a2V5", Err(ConnectionStringError::NoEndpoint), ""),
            ("https://contoso.example", Err(ConnectionStringError::Shape), ""),
            ("", Err(ConnectionStringError::NoEndpoint), ""),
        ] {
            let read = ConnectionString::parse(&text.into());
            assert_eq!(
                read.as_ref().map(|read| read.endpoint.as_str()).map_err(|error| *error),
                endpoint,
                "{text}"
            );
            if let Ok(read) = read {
                assert_eq!(read.access_key.expose_secret(), key);
                assert!(!format!("{read:?}").contains(key));
            }
        }
    }
}
