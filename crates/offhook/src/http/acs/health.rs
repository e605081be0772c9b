//! What the doctor asks at these doors from outside: whether they are this installation's, and whether what audio
//! needs comes through.

use std::time::Duration;

use axum::Json;
use axum::extract::{Query, Request, State};
use axum::http::header::CONNECTION;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse as _, Response};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use super::Doors;
use super::media::{switching, websocket_key};

/// What an upgrade to audio carries, and what takes it away from some proxies' requests.
pub const CARRIED: [&str; 2] = ["authorization", "x-ms-call-connection-id"];

const LONGEST_NONCE: usize = 64;
const PATIENCE: Duration = Duration::from_secs(5);
/// A last text of less than 126 bytes, and a close, as a server frames them (RFC 6455, 5.2).
const TEXT: u8 = 0x81;
const CLOSE: [u8; 2] = [0x88, 0];

#[derive(Deserialize)]
struct Nonce {
    nonce: Option<String>,
}

/// For whoever shares the secret of this installation: nobody else can tell whether the answer is right.
pub async fn look(State(doors): State<Doors>, request: Request) -> Response {
    let nonce = nonce(request.uri());
    if let (Some(nonce), Ok(key)) = (&nonce, websocket_key(request.headers()))
        && let Ok(response) = switching(&key)
    {
        let arrived = arrived(request.headers(), nonce);
        let proof = doors.proof.answer(&about(nonce, &arrived));
        let told = json!({ "arrived": arrived, "proof": proof }).to_string();
        tokio::spawn(tell(hyper::upgrade::on(request), told));
        return response;
    }
    let proof = nonce.map(|nonce| doors.proof.answer(&nonce));
    // Anybody may ask this, so nobody keeps a connection by it.
    ([(CONNECTION, "close")], Json(json!({ "status": "ok", "proof": proof }))).into_response()
}

fn nonce(uri: &Uri) -> Option<String> {
    let Query(asked) = Query::<Nonce>::try_from_uri(uri).ok()?;
    asked.nonce.filter(|nonce| nonce.len() <= LONGEST_NONCE)
}

/// What is proved of an upgrade.
pub fn about(nonce: &str, arrived: &[String]) -> String {
    format!("{nonce} {}", arrived.join(","))
}

/// Which headers came as they were sent, with the nonce at their ends.
fn arrived(headers: &HeaderMap, nonce: &str) -> Vec<String> {
    let came = |name: &&str| {
        let value = headers.get(*name).and_then(|value| value.to_str().ok());
        value.is_some_and(|value| value.ends_with(nonce))
    };
    CARRIED.into_iter().filter(came).map(str::to_owned).collect()
}

async fn tell(upgrade: OnUpgrade, text: String) {
    let Ok(length @ 0..126) = u8::try_from(text.len()) else { return };
    let said = async {
        let Ok(upgraded) = upgrade.await else { return };
        let mut stream = TokioIo::new(upgraded);
        let bytes = [&[TEXT, length][..], text.as_bytes(), &CLOSE[..]].concat();
        if stream.write_all(&bytes).await.is_ok() {
            let _ = stream.shutdown().await;
        }
    };
    let _ = tokio::time::timeout(PATIENCE, said).await;
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    #[test]
    fn what_came_through() {
        let nonce = "0123456789abcdef0123456789abcdef";
        for (authorization, connection, expected) in [
            (Some(format!("Bearer {nonce}")), Some(nonce), &["authorization", "x-ms-call-connection-id"][..]),
            (None, Some(nonce), &["x-ms-call-connection-id"]),
            (Some("Basic cHJveHk=".to_owned()), None, &[]),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in CARRIED.iter().zip([authorization, connection.map(str::to_owned)]) {
                headers
                    .extend(value.map(|value| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap())));
            }
            assert_eq!(arrived(&headers, nonce), expected);
        }
    }
}
