//! Tokens as Microsoft signs them: a JSON Web Token (RFC 7519) with RS256, and nothing else.
//!
//! Pure: the key and the time are arguments. The algorithm is never taken from the token: one that names another than
//! RS256 is refused before any key is looked up, so that a public key can't be made the key of an HMAC.

use std::time::Duration;

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use offhook_core::Timestamp;
use serde::Deserialize;

/// Two clocks of well-kept machines differ by less.
pub const LEEWAY: Duration = Duration::from_secs(30);
/// Tokens of Entra ID with many groups come near to half of this.
const LONGEST: usize = 16 * 1_024;

/// Why a token is not believed. What is told to its sender is only that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("it is no JSON Web Token")]
    Malformed,
    #[error("it is not signed with RS256")]
    Algorithm,
    #[error("it names no key")]
    NoKey,
    #[error("its signature is wrong")]
    Signature,
    #[error("it is of another issuer")]
    Issuer,
    #[error("it is for another audience")]
    Audience,
    #[error("it has expired")]
    Expired,
    #[error("it is not valid yet")]
    NotYet,
    #[error("it is of another application")]
    Application,
}

/// A token whose signature nobody has looked at yet: only the name of its key is of use.
pub struct Unverified<'a> {
    kid: String,
    signed: &'a str,
    payload: &'a str,
    signature: Vec<u8>,
}

impl std::fmt::Debug for Unverified<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unverified").field("kid", &self.kid).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// Extensions that must be understood; none is.
    crit: Option<serde::de::IgnoredAny>,
}

/// What a token with a good signature says.
#[derive(Debug, Deserialize)]
pub struct Claims {
    iss: Option<String>,
    aud: Option<Audiences>,
    exp: Option<f64>,
    nbf: Option<f64>,
    /// The application it was issued to, in the two versions of Entra's tokens.
    appid: Option<String>,
    azp: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audiences {
    One(String),
    Many(Vec<String>),
}

/// A public RSA key.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    n: Vec<u8>,
    e: Vec<u8>,
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PublicKey").field("bits", &(self.n.len() * 8)).finish_non_exhaustive()
    }
}

impl PublicKey {
    /// From the modulus and the exponent of a JSON Web Key; `None` where that is no key of 2048 bits or more.
    pub fn from_jwk(n: &str, e: &str) -> Option<Self> {
        let number = |text: &str| {
            let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?;
            // Some write a zero before a number whose first bit is set.
            let start = bytes.iter().position(|byte| *byte != 0)?;
            Some(bytes[start..].to_vec())
        };
        let key = Self { n: number(n)?, e: number(e)? };
        (key.n.len() >= 256 && key.e.len() <= 8).then_some(key)
    }

    fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let key = RsaPublicKeyComponents { n: &self.n, e: &self.e };
        key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature).is_ok()
    }
}

impl<'a> Unverified<'a> {
    pub fn read(text: &'a str) -> Result<Self, TokenError> {
        if text.len() > LONGEST {
            return Err(TokenError::Malformed);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        let header: Header = json(header)?;
        if header.alg != "RS256" {
            return Err(TokenError::Algorithm);
        }
        if header.crit.is_some() || payload.contains('.') {
            return Err(TokenError::Malformed);
        }
        let kid = header.kid.filter(|kid| !kid.is_empty()).ok_or(TokenError::NoKey)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenError::Malformed)?;
        Ok(Self { kid, signed, payload, signature })
    }

    /// The name of the key that must have signed it.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// What it says, when this key has signed it.
    pub fn verify(&self, key: &PublicKey) -> Result<Claims, TokenError> {
        if !key.has_signed(self.signed.as_bytes(), &self.signature) {
            return Err(TokenError::Signature);
        }
        json(self.payload)
    }
}

fn json<T: for<'de> Deserialize<'de>>(part: &str) -> Result<T, TokenError> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| TokenError::Malformed)
}

impl Claims {
    /// Whether it is of one of these issuers.
    pub fn is_of(&self, issuers: &[String]) -> Result<(), TokenError> {
        let ours = self.iss.as_ref().is_some_and(|iss| issuers.contains(iss));
        if ours { Ok(()) } else { Err(TokenError::Issuer) }
    }

    /// Whether it is valid now, with some leeway on both sides. One that never expires is not.
    pub fn is_valid_at(&self, now: Timestamp) -> Result<(), TokenError> {
        let now = now.unix_millis() as f64 / 1_000.0;
        let leeway = LEEWAY.as_secs_f64();
        let exp = self.exp.ok_or(TokenError::Expired)?;
        if now >= exp + leeway {
            return Err(TokenError::Expired);
        }
        match self.nbf {
            Some(nbf) if nbf > now + leeway => Err(TokenError::NotYet),
            _ => Ok(()),
        }
    }

    /// An id is the same in capitals, as some tools show it.
    pub fn is_for(&self, audience: &str) -> Result<(), TokenError> {
        let is_ours = match &self.aud {
            Some(Audiences::One(one)) => one.eq_ignore_ascii_case(audience),
            Some(Audiences::Many(many)) => many.iter().any(|one| one.eq_ignore_ascii_case(audience)),
            None => false,
        };
        if is_ours { Ok(()) } else { Err(TokenError::Audience) }
    }

    /// Whom it is for, when that is exactly one.
    pub fn sole_audience(&self) -> Option<&str> {
        match &self.aud {
            Some(Audiences::One(one)) => Some(one.as_str()),
            Some(Audiences::Many(many)) if many.len() == 1 => many.first().map(String::as_str),
            _ => None,
        }
        .filter(|audience| !audience.is_empty())
    }

    /// Whether it was issued to this application.
    pub fn is_from_application(&self, id: &str) -> Result<(), TokenError> {
        let named = self.azp.as_deref().or(self.appid.as_deref());
        if named.is_some_and(|named| named.eq_ignore_ascii_case(id)) {
            Ok(())
        } else {
            Err(TokenError::Application)
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::hmac;
    use serde_json::{Value, json};

    use super::super::minting::Signer;
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_millis(1_800_000_000_000);
    const ISSUER: &str = "https://issuer.example";
    const OURS: &str = "7d5f2b8e-1111-4222-8333-944455566677";

    fn claims() -> Value {
        json!({ "iss": ISSUER, "aud": OURS, "nbf": 1_799_999_990, "exp": 1_800_000_300 })
    }

    /// Everything that is asked of a token, in the order it is asked.
    fn judge(token: &str, key: &PublicKey) -> Result<(), TokenError> {
        let claims = Unverified::read(token)?.verify(key)?;
        claims.is_of(&[ISSUER.to_owned()])?;
        claims.is_valid_at(NOW)?;
        claims.is_for(OURS)
    }

    fn with(name: &str, value: Value) -> Value {
        let mut claims = claims();
        claims[name] = value;
        claims
    }

    #[test]
    fn what_a_signed_token_must_say() {
        let signer = Signer::new("one");
        for (why, claims, expected) in [
            ("good", claims(), Ok(())),
            ("one of several audiences", with("aud", json!(["x", OURS])), Ok(())),
            ("in capitals", with("aud", json!(OURS.to_ascii_uppercase())), Ok(())),
            ("without nbf", with("nbf", Value::Null), Ok(())),
            ("of another issuer", with("iss", json!("https://issuer.example/")), Err(TokenError::Issuer)),
            ("of no issuer", with("iss", Value::Null), Err(TokenError::Issuer)),
            ("for another", with("aud", json!("another")), Err(TokenError::Audience)),
            ("for nobody", with("aud", json!([])), Err(TokenError::Audience)),
            ("for whoever", with("aud", Value::Null), Err(TokenError::Audience)),
            ("just expired", with("exp", json!(1_799_999_971)), Ok(())),
            ("expired", with("exp", json!(1_799_999_970)), Err(TokenError::Expired)),
            ("for ever", with("exp", Value::Null), Err(TokenError::Expired)),
            ("a clock ahead of ours", with("nbf", json!(1_800_000_030)), Ok(())),
            ("not yet", with("nbf", json!(1_800_000_031)), Err(TokenError::NotYet)),
            ("exp as text", with("exp", json!("1800000300")), Err(TokenError::Malformed)),
        ] {
            assert_eq!(judge(&signer.sign(&claims), signer.public()), expected, "{why}");
        }
    }

    #[test]
    fn only_rs256_by_the_key_it_names() {
        let (signer, other) = (Signer::new("one"), Signer::new("one"));
        let good = signer.sign(&claims());
        assert_eq!(judge(&good, signer.public()), Ok(()));
        assert_eq!(judge(&good, other.public()), Err(TokenError::Signature));

        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = |header: Value| format!("{}.{}", part(&header), part(&claims()));
        let hmacked = {
            let text = signed(json!({ "alg": "HS256", "kid": "one" }));
            let key = hmac::Key::new(hmac::HMAC_SHA256, &signer.public().n);
            let tag = hmac::sign(&key, text.as_bytes());
            format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag))
        };
        let (head, rest) = good.split_once('.').unwrap();
        let (payload, signature) = rest.split_once('.').unwrap();
        for (why, token, expected) in [
            ("HS256 with the public key", hmacked, TokenError::Algorithm),
            ("none", format!("{}.", signed(json!({ "alg": "none", "kid": "one" }))), TokenError::Algorithm),
            (
                "none, with a signature",
                format!("{}.{signature}", signed(json!({ "alg": "none", "kid": "one" }))),
                TokenError::Algorithm,
            ),
            (
                "RS512",
                signer.sign_with(&json!({ "alg": "RS512", "kid": "one" }), &claims()),
                TokenError::Algorithm,
            ),
            (
                "rs256",
                signer.sign_with(&json!({ "alg": "rs256", "kid": "one" }), &claims()),
                TokenError::Algorithm,
            ),
            ("no algorithm", signer.sign_with(&json!({ "kid": "one" }), &claims()), TokenError::Malformed),
            ("no key", signer.sign_with(&json!({ "alg": "RS256" }), &claims()), TokenError::NoKey),
            (
                "an empty key",
                signer.sign_with(&json!({ "alg": "RS256", "kid": "" }), &claims()),
                TokenError::NoKey,
            ),
            (
                "something to understand",
                signer.sign_with(&json!({ "alg": "RS256", "kid": "one", "crit": ["b64"] }), &claims()),
                TokenError::Malformed,
            ),
            (
                "other claims",
                format!("{head}.{}.{signature}", part(&with("aud", json!("x")))),
                TokenError::Signature,
            ),
            ("no signature", format!("{head}.{payload}."), TokenError::Signature),
            ("four parts", format!("{good}.x"), TokenError::Malformed),
            ("two parts", format!("{head}.{payload}"), TokenError::Malformed),
            ("padding", format!("{good}="), TokenError::Malformed),
            ("nothing", String::new(), TokenError::Malformed),
            ("garbage", "garbage".to_owned(), TokenError::Malformed),
            ("too long", format!("{good}{}", "A".repeat(LONGEST)), TokenError::Malformed),
        ] {
            assert_eq!(judge(&token, signer.public()), Err(expected), "{why}");
        }
    }

    #[test]
    fn short_keys_are_none() {
        let long = URL_SAFE_NO_PAD.encode([0xc5; 256]);
        let padded = URL_SAFE_NO_PAD.encode([&[0][..], &[0xc5; 256][..]].concat());
        let short = URL_SAFE_NO_PAD.encode([0xc5; 128]);
        assert!(PublicKey::from_jwk(&long, "AQAB").is_some());
        assert_eq!(PublicKey::from_jwk(&padded, "AQAB"), PublicKey::from_jwk(&long, "AQAB"));
        for (n, e) in [(short.as_str(), "AQAB"), (&long, ""), ("", "AQAB"), (&long, "*"), ("AA", "AQAB")] {
            assert_eq!(PublicKey::from_jwk(n, e), None, "{n} {e}");
        }
    }

    #[test]
    fn who_asked_for_it() {
        let signer = Signer::new("one");
        for (claims, fits) in [
            (json!({ "appid": "4962773B" }), true),
            (json!({ "azp": "4962773b" }), true),
            (json!({ "azp": "other", "appid": "4962773b" }), false),
            (json!({}), false),
        ] {
            let token = signer.sign(&claims);
            let claims = Unverified::read(&token).unwrap().verify(signer.public()).unwrap();
            assert_eq!(claims.is_from_application("4962773b").is_ok(), fits, "{claims:?}");
        }
    }
}
