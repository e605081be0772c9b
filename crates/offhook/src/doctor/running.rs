//! The offhook that runs already on the configured address, if one does.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use super::{Finding, pass};
use crate::clock;

/// A server on this machine answers at once, but asks its trunks before it says how they are.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who answers on the address of the API.
#[derive(Debug)]
pub enum Running {
    Nobody,
    /// This installation, with what it says of itself.
    Ours {
        version: String,
        findings: Vec<Finding>,
    },
    /// An offhook with other data, so with other calls and keys.
    Another {
        version: String,
    },
    /// Something that is no offhook.
    Stranger,
}

#[derive(Deserialize)]
struct Alive {
    status: String,
    version: String,
}

#[derive(Deserialize)]
struct Ready {
    checks: Vec<Finding>,
    /// Whether the answer holds what was found: whoever shows no pass is told states only.
    #[serde(default)]
    details: bool,
}

/// Ask whoever listens there; `secret` shows that we belong together.
pub async fn ask(listen: SocketAddr, secret: &Path) -> Running {
    let addr = reachable(listen);
    if tokio::net::TcpStream::connect(addr).await.is_err() {
        return Running::Nobody;
    }
    let Ok(client) = reqwest::Client::builder().timeout(PATIENCE).no_proxy().build() else {
        return Running::Stranger;
    };
    let alive = client.get(format!("http://{addr}/healthz")).send().await;
    let alive = match alive {
        Ok(answer) => answer.json::<Alive>().await.ok().filter(|alive| alive.status == "ok"),
        Err(_) => None,
    };
    let Some(Alive { version, .. }) = alive else { return Running::Stranger };
    let pass = pass::issue(secret, clock::now()).unwrap_or_default();
    let ready = client.get(format!("http://{addr}/readyz")).header(pass::HEADER, pass).send().await;
    match ready {
        Ok(answer) => match answer.json::<Ready>().await {
            Ok(Ready { checks, details: true }) => Running::Ours { version, findings: checks },
            _ => Running::Another { version },
        },
        Err(_) => Running::Another { version },
    }
}

/// Where a server that listens on every address can be asked.
pub fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}
