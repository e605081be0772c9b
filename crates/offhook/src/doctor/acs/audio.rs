//! Whether audio could come in: what stands between must pass on an upgrade to WebSocket, and the headers that tell
//! whose audio it is.

use axum::http::header::{AUTHORIZATION, CONNECTION, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::{PATIENCE, nonce};
use crate::doctor::{Finding, Proof};
use crate::http::acs::{CARRIED, HEALTH, about};

const AUDIO: &str = "ACS audio";
/// Any 16 bytes: nobody looks at what is made of them.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const PASS_ON: &str =
    "have the proxy pass on WebSocket upgrades, with all their headers; docs/carriers/acs.md says which";

#[derive(Deserialize)]
struct Told {
    arrived: Vec<String>,
    proof: String,
}

/// Knock as audio does; `lax` is where requests without `Authorization` are let in.
pub(super) async fn knock(client: &reqwest::Client, url: &str, proof: &Proof, lax: bool) -> Finding {
    let finding = Finding::new(AUDIO);
    let nonce = nonce();
    let asked = tokio::time::timeout(PATIENCE, ask(client, url, &nonce)).await;
    let told = match asked {
        Ok(Ok(told)) if told.proof == proof.answer(&about(&nonce, &told.arrived)) => told,
        Ok(Ok(_)) => return finding.ill("no_upgrade", "another server answers to an upgrade", PASS_ON),
        Ok(Err(why)) => return finding.ill("no_upgrade", why, PASS_ON),
        Err(_) => return finding.ill("no_upgrade", "nothing comes through an upgraded connection", PASS_ON),
    };
    let missing: Vec<&str> = CARRIED
        .into_iter()
        .filter(|name| !(lax && *name == AUTHORIZATION.as_str()))
        .filter(|name| !told.arrived.iter().any(|arrived| arrived == name))
        .collect();
    if missing.is_empty() {
        return finding.well("ok", "a WebSocket comes through, with its headers");
    }
    let found = format!("a WebSocket comes through, but on the way it loses {}", missing.join(" and "));
    finding.ill("stripped", found, PASS_ON)
}

async fn ask(client: &reqwest::Client, url: &str, nonce: &str) -> Result<Told, String> {
    let request = client
        .get(format!("{url}{HEALTH}?nonce={nonce}"))
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_VERSION, "13")
        .header(SEC_WEBSOCKET_KEY, KEY);
    let request =
        CARRIED.iter().fold(request, |request, name| request.header(*name, format!("Bearer {nonce}")));
    let broke = |error: reqwest::Error| error.without_url().to_string();
    let answer = request.send().await.map_err(broke)?;
    if answer.status() != reqwest::StatusCode::SWITCHING_PROTOCOLS {
        return Err(format!("an upgrade to WebSocket is answered with {}", answer.status().as_u16()));
    }
    let upgraded = answer.upgrade().await.map_err(broke)?;
    let text = message(upgraded).await.map_err(|error| format!("an upgraded connection broke: {error}"))?;
    serde_json::from_slice(&text).map_err(|_| "another server answers to an upgrade".to_owned())
}

/// The first message, which is a short one.
async fn message(mut stream: impl AsyncRead + Unpin) -> std::io::Result<Vec<u8>> {
    let [_, length] = [stream.read_u8().await?, stream.read_u8().await?];
    let mut text = vec![0; usize::from(length & 0x7f)];
    stream.read_exact(&mut text).await?;
    Ok(text)
}
