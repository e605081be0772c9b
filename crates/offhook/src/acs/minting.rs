//! Keys and tokens for the tests in here.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::token::PublicKey;

/// Signs as the carrier's service does, with a key of its own.
pub struct Signer {
    kid: &'static str,
    pair: KeyPair,
    public: PublicKey,
}

impl Signer {
    pub fn new(kid: &'static str) -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let (n, e) = components(&pair);
        let public = PublicKey::from_jwk(&n, &e).unwrap();
        Self { kid, pair, public }
    }

    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// As it stands in a JSON Web Key Set.
    pub fn jwk(&self) -> Value {
        let (n, e) = components(&self.pair);
        json!({ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid, "n": n, "e": e })
    }

    pub fn sign(&self, claims: &Value) -> String {
        self.sign_with(&json!({ "alg": "RS256", "typ": "JWT", "kid": self.kid }), claims)
    }

    pub fn sign_with(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// Modulus and exponent, out of the DER of a key of 2048 bits (RFC 8017, A.1.1).
fn components(pair: &KeyPair) -> (String, String) {
    let der = pair.public_key().as_ref();
    assert_eq!((der.len(), &der[265..267]), (270, &[2, 3][..]), "another encoding than was expected");
    (URL_SAFE_NO_PAD.encode(&der[9..265]), URL_SAFE_NO_PAD.encode(&der[267..]))
}
