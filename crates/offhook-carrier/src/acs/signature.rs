//! The signature of a request to ACS: HMAC-SHA256 over method, path, date, host and a hash of the body.

use std::fmt;

use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use secrecy::{ExposeSecret as _, SecretString};

/// The access key of a resource.
pub struct AccessKey(hmac::Key);

/// What is signed, as it is sent.
#[derive(Clone, Copy, Debug)]
pub struct Signable<'a> {
    pub method: &'a str,
    /// With the query, percent-encoding included.
    pub path_and_query: &'a str,
    /// With the port, unless it is the usual one.
    pub host: &'a str,
    pub date: &'a str,
    pub body: &'a [u8],
}

/// The headers that prove it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    pub content_sha256: String,
    pub authorization: String,
}

impl AccessKey {
    /// `None` where it is not Base64.
    pub fn parse(access_key: &SecretString) -> Option<Self> {
        let key = BASE64_STANDARD.decode(access_key.expose_secret().trim()).ok()?;
        Some(Self(hmac::Key::new(hmac::HMAC_SHA256, &key)))
    }

    pub fn sign(&self, signable: &Signable<'_>) -> Signature {
        let Signable { method, path_and_query, host, date, body } = signable;
        let content_sha256 = BASE64_STANDARD.encode(digest::digest(&digest::SHA256, body));
        let text = format!("{method}\n{path_and_query}\n{date};{host};{content_sha256}");
        let signature = BASE64_STANDARD.encode(hmac::sign(&self.0, text.as_bytes()));
        let authorization =
            format!("HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature={signature}");
        Signature { content_sha256, authorization }
    }
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign(method: &str, host: &str, path_and_query: &str, body: &[u8]) -> Signature {
        let key = AccessKey::parse(&BASE64_STANDARD.encode([b'k'; 32]).into()).expect("Base64");
        let date = "Fri, 20 Nov 2026 12:39:28 GMT";
        key.sign(&Signable { method, path_and_query, host, date, body })
    }

    /// What Microsoft's own client computes of the same.
    #[test]
    fn a_request_is_signed_as_microsoft_signs_it() {
        let signed = sign(
            "POST",
            "host.example",
            "/calling/callConnections:answer?api-version=2026-03-12",
            b"{\"a\":1}",
        );
        assert_eq!(signed.content_sha256, "AVq9f1zFei3ZS3WQ8ErYCEJzkF7jPsXOvq5iJ2qX+GI=");
        assert_eq!(
            signed.authorization,
            "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256\
             &Signature=94a+G+5nYM7VIm5N0T8+TRXv88wIhbPWoT9fygrCXGA="
        );
    }

    #[test]
    fn an_empty_body_has_the_hash_of_nothing() {
        let signed = sign("GET", "host.example", "/calling/callConnections/1?api-version=2026-03-12", b"");
        assert_eq!(signed.content_sha256, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }

    #[test]
    fn everything_that_is_sent_counts() {
        let usual = sign("POST", "a.example", "/x?api-version=1", b"{}");
        for other in [
            sign("GET", "a.example", "/x?api-version=1", b"{}"),
            sign("POST", "a.example:8443", "/x?api-version=1", b"{}"),
            sign("POST", "a.example", "/x?api-version=2", b"{}"),
            sign("POST", "a.example", "/x?api-version=1", b"{} "),
        ] {
            assert!(other.authorization != usual.authorization);
        }
    }

    #[test]
    fn a_key_that_is_no_base64_is_none() {
        assert!(AccessKey::parse(&"not base64".into()).is_none());
    }
}
