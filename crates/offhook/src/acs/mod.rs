//! Azure Communication Services, seen from its callbacks: whom they are believed, what Event Grid tells, and how they
//! reach this machine.
//!
//! Two layers guard every callback: the secret of its call in the URL, and a token of Microsoft's ([`Trust`]).

pub mod event_grid;
mod guard;
mod keys;
#[cfg(test)]
mod minting;
mod token;
mod told;
mod trust;
pub mod tunnel;

pub use guard::{Guard, IncomingGuard, Refusal};
pub use keys::{FetchError, KeyStatus, Source, Timing};
pub use token::TokenError;
pub use told::ToldAt;
pub use trust::{Audience, Bearer, Refused, Trust, TrustConfig};

#[cfg(test)]
mod tests {
    use rand::{Rng as _, SeedableRng as _};
    use serde_json::json;

    use super::minting::Signer;
    use super::token::Unverified;
    use super::tunnel::{Kind, TunnelConfig};
    use super::{event_grid, keys};

    /// Everything of ours that reads what came over the network, or what a program printed.
    fn read(bytes: &[u8], signer: &Signer) {
        let text = String::from_utf8_lossy(bytes);
        if let Ok(token) = Unverified::read(&text) {
            let _ = token.verify(signer.public());
        }
        let _ = keys::read(bytes);
        for event in event_grid::read(bytes).unwrap_or_default() {
            let _ = (event.names(), event.validation_code(), event.is_old(crate::clock::now()));
        }
        for kind in [Kind::Cloudflared, Kind::Ngrok, Kind::Tailscale] {
            let config =
                TunnelConfig { kind, program: "x".into(), token: None, name: None, public_url: None };
            let _ = config.read(&text);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused() {
        let signer = Signer::new("one");
        let token = signer.sign(&json!({ "iss": "x", "aud": ["y"], "exp": 1_800_000_000 }));
        let event = json!([{
            "id": "1", "eventType": event_grid::INCOMING_CALL, "eventTime": "2027-01-15T08:00:00.1234567Z",
            "topic": "t", "data": { "correlationId": "c", "to": { "rawId": "4:+1" } },
        }]);
        let set = json!({ "keys": [signer.jwk()] });
        let line = r#"{"lvl":"info","msg":"started tunnel","url":"https://ü.example"}"#;
        let quick = "INF |  https://a-b.trycloudflare.com  |";
        let mut rng = rand::rngs::StdRng::seed_from_u64(7);
        for whole in [token, event.to_string(), set.to_string(), line.to_owned(), quick.to_owned()] {
            for _ in 0..2_000 {
                let mut bytes = whole.clone().into_bytes();
                for _ in 0..rng.random_range(1..4) {
                    let at = rng.random_range(0..bytes.len());
                    match rng.random_range(0..4) {
                        0 => bytes[at] = rng.random(),
                        1 => bytes.truncate(at.max(1)),
                        2 => bytes.insert(at, rng.random()),
                        _ => bytes.extend_from_within(at..),
                    }
                }
                read(&bytes, &signer);
            }
        }
    }
}
