//! The headers the exchange reads: Via, name-addr, CSeq, and the URIs in them.

use super::message::{Method, is_token};

/// `;name=value` pairs, names in lower case, quotes removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params(Vec<(String, Option<String>)>);

impl Params {
    /// Parses what stands after the first semicolon.
    fn parse(text: &str) -> Option<Self> {
        let mut params = Vec::new();
        for part in text.split(';') {
            let (name, value) = match part.split_once('=') {
                Some((name, value)) => (name, Some(value.trim().trim_matches('"').to_owned())),
                None => (part, None),
            };
            let name = name.trim();
            if name.is_empty() || !name.bytes().all(is_token) {
                return None;
            }
            params.push((name.to_ascii_lowercase(), value));
        }
        Some(Self(params))
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(n, _)| n == name)
    }

    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).and_then(|(_, value)| value.as_deref())
    }
}

/// A `sip:`, `sips:` or `tel:` URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uri {
    pub text: String,
    pub scheme: String,
    pub user: Option<String>,
    pub host: String,
    pub port: Option<u16>,
    pub params: Params,
}

impl Uri {
    pub fn parse(text: &str) -> Option<Self> {
        if text.bytes().any(|b| b.is_ascii_whitespace() || b"<>\"".contains(&b)) {
            return None;
        }
        let (scheme, rest) = text.split_once(':')?;
        let scheme = scheme.to_ascii_lowercase();
        let rest = rest.split_once('?').map_or(rest, |(rest, _headers)| rest);
        // The user part may hold semicolons, so it goes first.
        let (user, rest) = match rest.rsplit_once('@') {
            Some((user, rest)) => (Some(user), rest),
            None => (None, rest),
        };
        let (host_port, params) = match rest.split_once(';') {
            Some((host_port, params)) => (host_port, Params::parse(params)?),
            None => (rest, Params::default()),
        };
        let uri = |user: Option<&str>, host: &str, port| Self {
            text: text.to_owned(),
            scheme: scheme.clone(),
            user: user.map(|user| user.split(':').next().unwrap_or_default().to_owned()),
            host: host.to_ascii_lowercase(),
            port,
            params: params.clone(),
        };
        if scheme == "tel" {
            return (!host_port.is_empty()).then(|| uri(Some(host_port), "", None));
        }
        let (host, port) = split_host_port(host_port)?;
        Some(uri(user, host, port))
    }

    /// Whether both name the same resource (RFC 3261 §19.1.4, without the embedded headers).
    pub fn same_target(&self, other: &Uri) -> bool {
        let shared = |(name, value): &(String, Option<String>)| {
            !other.params.has(name) || other.params.value(name) == value.as_deref()
        };
        self.scheme == other.scheme
            && self.user == other.user
            && self.host == other.host
            && self.port.unwrap_or(5060) == other.port.unwrap_or(5060)
            && self.params.0.iter().all(shared)
    }
}

/// `host`, `host:port`, `[v6]:port`.
fn split_host_port(text: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            (host, rest.strip_prefix(':'))
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    if host.is_empty() {
        return None;
    }
    match port {
        Some(port) => Some((host, Some(port.parse().ok()?))),
        None => Some((host, None)),
    }
}

/// `"Display" <uri>;params` or `uri;params`: From, To, Contact, Route, Record-Route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameAddr {
    pub uri: Uri,
    pub params: Params,
}

impl NameAddr {
    pub fn parse(text: &str) -> Option<Self> {
        let (uri, params) = match text.find('<') {
            Some(open) => {
                let display = text[..open].trim();
                let quoted = display.len() >= 2 && display.starts_with('"') && display.ends_with('"');
                if !quoted && !display.bytes().all(|b| is_token(b) || b == b' ') {
                    return None;
                }
                let (uri, rest) = text[open + 1..].split_once('>')?;
                (uri, rest.trim())
            }
            None => match text.find(';') {
                Some(at) => (text[..at].trim(), &text[at..]),
                None => (text.trim(), ""),
            },
        };
        let params = match rest_params(params) {
            Some(text) => Params::parse(text)?,
            None if params.is_empty() => Params::default(),
            None => return None,
        };
        Some(Self { uri: Uri::parse(uri)?, params })
    }

    pub fn tag(&self) -> Option<&str> {
        self.params.value("tag").filter(|tag| !tag.is_empty())
    }
}

fn rest_params(text: &str) -> Option<&str> {
    text.strip_prefix(';').map(str::trim)
}

/// One Via value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Via {
    pub transport: String,
    pub host: String,
    pub port: Option<u16>,
    pub params: Params,
}

impl Via {
    /// What the branch of RFC 3261 begins with; older ones do not.
    pub const COOKIE: &str = "z9hG4bK";

    pub fn parse(text: &str) -> Option<Self> {
        let (sent, params) = match text.split_once(';') {
            Some((sent, params)) => (sent, Params::parse(params)?),
            None => (text, Params::default()),
        };
        let (protocol, sent_by) = sent.trim().split_once([' ', '\t'])?;
        let transport = protocol.strip_prefix("SIP/2.0/")?;
        let (host, port) = split_host_port(sent_by.trim())?;
        Some(Self { transport: transport.to_owned(), host: host.to_ascii_lowercase(), port, params })
    }

    pub fn branch(&self) -> Option<&str> {
        self.params.value("branch")
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CSeq {
    pub number: u32,
    pub method: Method,
}

impl CSeq {
    pub fn parse(text: &str) -> Option<Self> {
        let (number, method) = text.split_once([' ', '\t'])?;
        // RFC 3261 §8.1.1.5: less than 2**31.
        let number = number.parse().ok().filter(|number| *number < 1 << 31)?;
        Some(Self { number, method: Method::parse(method.trim())? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_addr_forms() {
        let full = NameAddr::parse("\"Ann, Lee\" <sip:ann@h:5070;transport=udp>;tag=a1;expires=5").unwrap();
        assert_eq!(
            (full.uri.user.as_deref(), full.uri.host.as_str(), full.uri.port),
            (Some("ann"), "h", Some(5070))
        );
        assert_eq!((full.tag(), full.params.value("expires")), (Some("a1"), Some("5")));
        let bare = NameAddr::parse("sip:ann@h;tag=x").unwrap();
        assert_eq!((bare.tag(), bare.uri.params.has("tag")), (Some("x"), false));
        assert_eq!(NameAddr::parse("<sip:[::1]:5060>").unwrap().uri.host, "::1");
        assert_eq!(NameAddr::parse("<tel:+14155550100>").unwrap().uri.user.as_deref(), Some("+14155550100"));
        for wrong in ["<sip:a@b", "a@b", "<sip:a@b>tag=x", "<sip:>", "<sip:a@b:99999>"] {
            assert_eq!(NameAddr::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn uris_are_compared_by_what_they_name() {
        let uri = |text| Uri::parse(text).unwrap();
        assert!(uri("sip:a@h;x=1").same_target(&uri("sip:a@H:5060")));
        assert!(!uri("sip:a@h;x=1").same_target(&uri("sip:a@h;x=2")));
        assert!(!uri("sip:a@h").same_target(&uri("sip:A@h")));
        assert!(!uri("sip:a@h").same_target(&uri("sip:a@h:5061")));
    }

    #[test]
    fn via_and_cseq() {
        let via = Via::parse("SIP/2.0/UDP 10.0.0.1:5070 ;branch=z9hG4bKx;rport").unwrap();
        assert_eq!((via.branch(), via.port, via.params.has("rport")), (Some("z9hG4bKx"), Some(5070), true));
        assert_eq!(Via::parse("SIP/1.0/UDP h;branch=a"), None);
        assert_eq!(CSeq::parse("7 BYE"), Some(CSeq { number: 7, method: Method::Bye }));
        assert_eq!(CSeq::parse("2147483648 BYE"), None);
    }
}
