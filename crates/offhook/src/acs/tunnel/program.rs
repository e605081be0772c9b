//! The programs that make a tunnel: how each is started, and what it says about the address it got.
//!
//! Pure. Every one of them is the user's own, with the user's own account.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use secrecy::SecretString;
use serde::Deserialize;

/// Which program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Cloudflared,
    Ngrok,
    Tailscale,
}

/// How it is started.
#[derive(Clone, Debug)]
pub struct TunnelConfig {
    pub kind: Kind,
    /// A path, or a name to look up in `PATH`.
    pub program: PathBuf,
    /// What the program shows its service; it is handed over in the environment, where other users can't see it.
    pub token: Option<SecretString>,
    /// A tunnel of cloudflared that has a name.
    pub name: Option<String>,
    /// The address, where it was reserved and is known.
    pub public_url: Option<String>,
}

/// What a line of output says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// The address; it may not be connected yet.
    Url(String),
    /// Connected.
    Ready,
    /// The address, connected.
    UrlReady(String),
    Problem(String),
}

impl Kind {
    pub fn program(self) -> &'static str {
        match self {
            Self::Cloudflared => "cloudflared",
            Self::Ngrok => "ngrok",
            Self::Tailscale => "tailscale",
        }
    }
}

impl TunnelConfig {
    /// Arguments for a tunnel to what listens there.
    pub fn args(&self, to: SocketAddr) -> Vec<String> {
        let origin = format!("http://{to}");
        let args: Vec<&str> = match self.kind {
            Kind::Cloudflared if self.token.is_some() => vec!["tunnel", "--no-autoupdate", "run"],
            Kind::Cloudflared => match &self.name {
                Some(name) => vec!["tunnel", "--no-autoupdate", "run", "--url", &origin, name],
                None => vec!["tunnel", "--no-autoupdate", "--url", &origin],
            },
            Kind::Ngrok => {
                // Else it shows whole requests, with the secrets of calls, to every program of this machine.
                let mut args =
                    vec!["http", &origin, "--inspect=false", "--log", "stdout", "--log-format", "json"];
                args.extend(self.public_url.iter().flat_map(|url| ["--url", url.as_str()]));
                args
            }
            Kind::Tailscale => vec!["funnel", &origin],
        };
        args.into_iter().map(str::to_owned).collect()
    }

    /// The variable the token is handed over in.
    pub fn token_variable(&self) -> Option<&'static str> {
        match self.kind {
            Kind::Cloudflared => Some("TUNNEL_TOKEN"),
            Kind::Ngrok => Some("NGROK_AUTHTOKEN"),
            Kind::Tailscale => None,
        }
    }

    /// What this line of its output says; nothing, mostly.
    pub fn read(&self, line: &str) -> Option<Said> {
        match self.kind {
            Kind::Cloudflared => cloudflared(line),
            Kind::Ngrok => ngrok(line),
            Kind::Tailscale => tailscale(line),
        }
    }
}

/// `… INF |  https://NAME.trycloudflare.com  |` in a box, later `… INF Registered tunnel connection …`.
fn cloudflared(line: &str) -> Option<Said> {
    let registered = line.contains(" INF Connection ") && line.contains(" registered");
    if registered || line.contains("Registered tunnel connection") {
        return Some(Said::Ready);
    }
    if let Some((_, error)) = line.split_once(" ERR ") {
        return Some(Said::Problem(error.trim().to_owned()));
    }
    let start = line.find("https://")?;
    let url = base_of(&line[start..])?;
    // Its service is named in other lines.
    let is_quick = url.ends_with(".trycloudflare.com") && url != "https://api.trycloudflare.com";
    is_quick.then_some(Said::Url(url))
}

/// The address on a line of its own. Addresses of other hosts are for the user to open.
fn tailscale(line: &str) -> Option<Said> {
    let url = base_of(line.trim())?;
    let host = url.strip_prefix("https://")?;
    let name = host.split_once(':').map_or(host, |(name, _)| name);
    name.ends_with(".ts.net").then_some(Said::UrlReady(url))
}

#[derive(Deserialize)]
struct NgrokLine {
    lvl: Option<String>,
    msg: Option<String>,
    url: Option<String>,
    err: Option<String>,
}

fn ngrok(line: &str) -> Option<Said> {
    let line: NgrokLine = serde_json::from_str(line).ok()?;
    if line.msg.as_deref() == Some("started tunnel") {
        return line.url.as_deref().and_then(base_of).map(Said::UrlReady);
    }
    let bad = matches!(line.lvl.as_deref(), Some("eror" | "crit"));
    let why = line.err.filter(|err| err != "<nil>").or(line.msg);
    bad.then_some(why).flatten().map(Said::Problem)
}

/// Scheme, host and port of an address that begins here; only of an encrypted one.
fn base_of(text: &str) -> Option<String> {
    let rest = text.strip_prefix("https://")?;
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':');
    let end = rest.bytes().position(|byte| !is_host(byte)).unwrap_or(rest.len());
    let host = &rest[..end];
    (host.contains('.') || host.parse::<IpAddr>().is_ok()).then(|| format!("https://{host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tunnel(kind: Kind) -> TunnelConfig {
        TunnelConfig { kind, program: kind.program().into(), token: None, name: None, public_url: None }
    }

    #[test]
    fn how_each_program_is_started() {
        let to = SocketAddr::from(([127, 0, 0, 1], 7466));
        let named = TunnelConfig { name: Some("line".into()), ..tunnel(Kind::Cloudflared) };
        let managed = TunnelConfig { token: Some("t".into()), ..tunnel(Kind::Cloudflared) };
        let reserved = TunnelConfig { public_url: Some("https://x.example".into()), ..tunnel(Kind::Ngrok) };
        for (tunnel, expected) in [
            (tunnel(Kind::Cloudflared), "tunnel --no-autoupdate --url http://127.0.0.1:7466"),
            (named, "tunnel --no-autoupdate run --url http://127.0.0.1:7466 line"),
            (managed, "tunnel --no-autoupdate run"),
            (
                tunnel(Kind::Ngrok),
                "http http://127.0.0.1:7466 --inspect=false --log stdout --log-format json",
            ),
            (
                reserved,
                "http http://127.0.0.1:7466 --inspect=false --log stdout --log-format json --url https://x.example",
            ),
            (tunnel(Kind::Tailscale), "funnel http://127.0.0.1:7466"),
        ] {
            assert_eq!(tunnel.args(to).join(" "), expected, "{tunnel:?}");
        }
    }

    #[test]
    fn what_they_say() {
        let url = |url: &str| Some(Said::Url(url.to_owned()));
        let up = |url: &str| Some(Said::UrlReady(url.to_owned()));
        let problem = |why: &str| Some(Said::Problem(why.to_owned()));
        for (kind, line, expected) in [
            (
                Kind::Cloudflared,
                "2026-11-21T12:00:00Z INF |  https://four-random-words-here.trycloudflare.com         |",
                url("https://four-random-words-here.trycloudflare.com"),
            ),
            (
                Kind::Cloudflared,
                "2026-11-21T12:00:00Z INF Requesting new quick Tunnel on trycloudflare.com...",
                None,
            ),
            (
                Kind::Cloudflared,
                "2026-11-21T12:00:00Z INF Registered tunnel connection connIndex=0 location=fra08 protocol=quic",
                Some(Said::Ready),
            ),
            (
                Kind::Cloudflared,
                "2026-11-21T12:00:00Z ERR Error unmarshaling QuickTunnel response: error code: 1015",
                problem("Error unmarshaling QuickTunnel response: error code: 1015"),
            ),
            (Kind::Cloudflared, "see https://api.trycloudflare.com/tunnel", None),
            (Kind::Cloudflared, "INF terms: https://www.cloudflare.com/website-terms/", None),
            (
                Kind::Ngrok,
                r#"{"addr":"http://127.0.0.1:7466","lvl":"info","msg":"started tunnel","name":"command_line","obj":"tunnels","t":"2026-11-21T12:00:00Z","url":"https://9f1c.ngrok-free.app"}"#,
                up("https://9f1c.ngrok-free.app"),
            ),
            (
                Kind::Ngrok,
                r#"{"err":"authentication failed","lvl":"eror","msg":"session closing","obj":"tunnels.session"}"#,
                problem("authentication failed"),
            ),
            (Kind::Ngrok, r#"{"lvl":"info","msg":"no configuration paths supplied"}"#, None),
            (Kind::Ngrok, r#"{"err":"<nil>","lvl":"info","msg":"client session established"}"#, None),
            (Kind::Ngrok, r#"{"msg":"started tunnel","url":"http://plain.example"}"#, None),
            (Kind::Tailscale, "https://host.tail1234.ts.net/", up("https://host.tail1234.ts.net")),
            (Kind::Tailscale, "https://host.tail1234.ts.net:8443/", up("https://host.tail1234.ts.net:8443")),
            (
                Kind::Cloudflared,
                "2021-01-01T12:00:00Z INF Connection 5d1f registered connIndex=0 location=FRA",
                Some(Said::Ready),
            ),
            (Kind::Tailscale, "         https://login.tailscale.com/f/funnel?node=n1", None),
            (Kind::Tailscale, "|-- proxy http://127.0.0.1:7466", None),
            (Kind::Tailscale, "Available on the internet:", None),
            (Kind::Tailscale, "", None),
        ] {
            assert_eq!(tunnel(kind).read(line), expected, "{line}");
        }
    }
}
