//! The token that comes with every callback and media connection, and the key it is checked with: made for one run.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

const ISSUER: &str = "https://acscallautomation.communication.azure.com";
/// Longer than any run.
const LIFETIME_S: u64 = 3_600;

/// A token for this audience, and the document with its key.
pub fn for_one_run(audience: &str) -> (String, Value) {
    let pair = KeyPair::generate(KeySize::Rsa2048).expect("an RSA key can be made");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let header = json!({"alg": "RS256", "typ": "JWT", "kid": "bench"});
    let claims = json!({"iss": ISSUER, "aud": audience, "iat": now, "nbf": now, "exp": now + LIFETIME_S});
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let text = format!("{header}.{claims}");
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature)
        .expect("the signature has the length of the key");
    let token = format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature));
    // PKCS #1 of 2,048 bits: a sequence of the modulus, with a zero before it, and the exponent.
    let document = pair.public_key().as_ref();
    let (modulus, exponent) =
        (&document[document.len() - 261..document.len() - 5], &document[document.len() - 3..]);
    let [n, e] = [modulus, exponent].map(|number| URL_SAFE_NO_PAD.encode(number));
    let keys =
        json!({"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "bench", "n": n, "e": e}]});
    (token, keys)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};

    use super::*;

    #[test]
    fn the_key_is_that_of_the_token() {
        let (token, keys) = for_one_run("bench");
        let part = |name: &str| URL_SAFE_NO_PAD.decode(keys["keys"][0][name].as_str().unwrap()).unwrap();
        let (text, signature) = token.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let key = RsaPublicKeyComponents { n: part("n"), e: part("e") };
        key.verify(&RSA_PKCS1_2048_8192_SHA256, text.as_bytes(), &signature).unwrap();
    }
}
