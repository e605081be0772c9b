//! The tokens that come with callbacks and media sockets, and the keys they are checked with.

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use aws_lc_rs::{hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// Who signs for the real service.
pub const ISSUER: &str = "https://acscallautomation.communication.azure.com";

/// What a token says, and how; everything can be made wrong.
#[derive(Clone, Debug)]
pub struct Claims {
    pub issuer: String,
    pub audience: String,
    /// Seconds since 1970.
    pub issued_at: i64,
    pub not_before: i64,
    pub expires_at: i64,
    pub algorithm: Algorithm,
    /// The name of the key, in place of the true one.
    pub kid: Option<String>,
    /// Signed with a key that nobody published.
    pub forged: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Rs256,
    /// Not signed at all.
    None,
    /// Signed with the public key as if it were a secret.
    Hs256,
}

impl Claims {
    /// A good token of this lifetime.
    pub(super) fn new(audience: &str, lifetime_s: i64) -> Self {
        let now = jiff::Timestamp::now().as_second();
        Self {
            issuer: ISSUER.to_owned(),
            audience: audience.to_owned(),
            issued_at: now,
            not_before: now,
            expires_at: now + lifetime_s,
            algorithm: Algorithm::Rs256,
            kid: None,
            forged: false,
        }
    }
}

#[derive(Debug)]
struct Key {
    kid: String,
    pair: KeyPair,
}

impl Key {
    fn generate() -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).expect("an RSA key can be made");
        Self { kid: uuid::Uuid::new_v4().simple().to_string(), pair }
    }

    fn jwk(&self) -> Value {
        // PKCS #1: a sequence of the modulus and the exponent.
        let document = self.pair.public_key().as_ref();
        let (sequence, _) = der_value(document);
        let (modulus, rest) = der_value(sequence);
        let (exponent, _) = der_value(rest);
        let number = |bytes: &[u8]| {
            URL_SAFE_NO_PAD.encode(bytes.iter().skip_while(|byte| **byte == 0).copied().collect::<Vec<u8>>())
        };
        json!({
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid, "n": number(modulus), "e": number(exponent),
        })
    }

    fn sign(&self, text: &str) -> Vec<u8> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        let random = rand::SystemRandom::new();
        let signed = self.pair.sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature);
        signed.expect("the signature has the length of the key");
        signature
    }

    /// The key as a document, which a careless reader takes for a secret.
    fn public_der(&self) -> Vec<u8> {
        let der: PublicKeyX509Der<'_> = self.pair.public_key().as_der().expect("a public key can be written");
        der.as_ref().to_vec()
    }
}

/// The first value of a DER document, and what follows it.
fn der_value(document: &[u8]) -> (&[u8], &[u8]) {
    let (head, rest) = document.split_at(2);
    let longer = usize::from(head[1] & 0x7f);
    let (len, rest) = match head[1] & 0x80 {
        0 => (longer, rest),
        _ => {
            let (bytes, rest) = rest.split_at(longer);
            (bytes.iter().fold(0, |len, byte| len << 8 | usize::from(*byte)), rest)
        }
    };
    rest.split_at(len)
}

/// The keys that are published, the last of which signs.
#[derive(Debug)]
pub(super) struct Keys {
    published: Vec<Key>,
    stranger: Option<Key>,
}

impl Keys {
    pub fn generate() -> Self {
        Self { published: vec![Key::generate()], stranger: None }
    }

    /// Sign with a new key from now on, and withdraw the old one.
    pub fn rotate(&mut self) {
        self.published = vec![Key::generate()];
    }

    pub fn jwks(&self) -> Value {
        json!({"keys": self.published.iter().map(Key::jwk).collect::<Vec<_>>()})
    }

    pub fn mint(&mut self, claims: &Claims) -> String {
        let own = self.published.last().expect("there is always a key");
        let key = match claims.forged {
            false => own,
            true => self.stranger.get_or_insert_with(Key::generate),
        };
        let algorithm = match claims.algorithm {
            Algorithm::Rs256 => "RS256",
            Algorithm::None => "none",
            Algorithm::Hs256 => "HS256",
        };
        let kid = claims.kid.as_ref().unwrap_or(&own.kid);
        let header = json!({"alg": algorithm, "typ": "JWT", "kid": kid});
        let body = json!({
            "iss": claims.issuer, "aud": claims.audience, "iat": claims.issued_at, "nbf": claims.not_before,
            "exp": claims.expires_at,
        });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&header), part(&body));
        let signature = match claims.algorithm {
            Algorithm::Rs256 => key.sign(&text),
            Algorithm::None => Vec::new(),
            Algorithm::Hs256 => {
                let secret = hmac::Key::new(hmac::HMAC_SHA256, &own.public_der());
                hmac::sign(&secret, text.as_bytes()).as_ref().to_vec()
            }
        };
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}
