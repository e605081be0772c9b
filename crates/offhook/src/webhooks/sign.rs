//! Signatures of Standard Webhooks: HMAC-SHA256 over id, time and body, so that a receiver knows who speaks, and when.

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;

/// How a secret begins, as the libraries of Standard Webhooks expect it.
const PREFIX: &str = "whsec_";

/// What an owner's webhooks are signed with: the present key, and for a while the one before it.
pub struct Keys {
    present: [u8; 32],
    previous: Option<[u8; 32]>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(…)")
    }
}

impl Keys {
    pub fn new(present: [u8; 32], previous: Option<[u8; 32]>) -> Self {
        Self { present, previous }
    }

    /// The present key, as receivers are told it.
    pub fn secret(&self) -> SecretString {
        format!("{PREFIX}{}", STANDARD.encode(self.present)).into()
    }

    /// The header `webhook-signature`: one signature for each key, any of which a receiver may check.
    pub fn signature(&self, id: &str, unix_seconds: i64, body: &[u8]) -> String {
        let keys = std::iter::once(&self.present).chain(&self.previous);
        keys.map(|key| signature(key, id, unix_seconds, body)).collect::<Vec<_>>().join(" ")
    }
}

/// One signature, with a key of any length.
pub fn signature(key: &[u8], id: &str, unix_seconds: i64, body: &[u8]) -> String {
    let mut message = format!("{id}.{unix_seconds}.").into_bytes();
    message.extend_from_slice(body);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), &message);
    format!("v1,{}", STANDARD.encode(tag.as_ref()))
}

/// The key that a secret stands for, as the libraries of Standard Webhooks read it; `None` where it is none.
pub fn key(secret: &str) -> Option<Vec<u8>> {
    STANDARD.decode(secret.strip_prefix(PREFIX).unwrap_or(secret)).ok().filter(|key| !key.is_empty())
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    /// The vector of the specification's own libraries.
    #[test]
    fn a_signature_is_that_of_the_specification() {
        let key = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed =
            signature(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn while_a_secret_is_changed_both_are_used() {
        let (old, new) = ([1; 32], [2; 32]);
        let (before, after) = (Keys::new(old, None), Keys::new(new, None));
        let both = Keys::new(new, Some(old));
        let signed = |keys: &Keys| keys.signature("call-7", 1_700_000_000, b"{}");
        assert_eq!(signed(&both), format!("{} {}", signed(&after), signed(&before)));
        assert_ne!(signed(&after), after.signature("call-8", 1_700_000_000, b"{}"));
        assert_ne!(signed(&after), after.signature("call-7", 1_700_000_001, b"{}"));
        assert_ne!(signed(&after), after.signature("call-7", 1_700_000_000, b"{ }"));
        assert!(after.secret().expose_secret().starts_with("whsec_AgIC"), "as the libraries read it");
        assert_eq!(format!("{both:?}"), "Keys(…)");
    }
}
