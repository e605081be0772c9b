//! SIP URIs and name-addr header values (RFC 3261 §19.1, §20.10), kept as they were written.

use std::fmt;

/// A `sip:`, `sips:` or `tel:` URI. Prints exactly as it was parsed.
#[derive(Clone, PartialEq, Eq)]
pub struct Uri {
    text: String,
    pub scheme: Scheme,
    pub user: Option<String>,
    /// Empty for `tel:`. An IPv6 literal has no brackets here.
    pub host: String,
    pub port: Option<u16>,
    params: Vec<(String, Option<String>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Sip,
    Sips,
    Tel,
}

impl Uri {
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (scheme, rest) = text.split_once(':')?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "sip" => Scheme::Sip,
            "sips" => Scheme::Sips,
            "tel" => Scheme::Tel,
            _ => return None,
        };
        if rest.contains(|c: char| c.is_whitespace() || c.is_control() || "<>\"".contains(c)) {
            return None;
        }
        if scheme == Scheme::Tel {
            let (number, params) = rest.split_once(';').unwrap_or((rest, ""));
            let user = Some(number.to_owned()).filter(|number| !number.is_empty())?;
            let params = parse_params(params);
            return Some(Self {
                text: text.into(),
                scheme,
                user: Some(user),
                host: String::new(),
                port: None,
                params,
            });
        }
        let (user, rest) = match rest.rsplit_once('@') {
            Some((user, rest)) => (Some(user.split(':').next().unwrap_or(user)), rest),
            None => (None, rest),
        };
        let rest = rest.split('?').next().unwrap_or(rest);
        let (address, params) = rest.split_once(';').unwrap_or((rest, ""));
        let (host, port) = split_host_port(address)?;
        Some(Self {
            text: text.to_owned(),
            scheme,
            user: user.map(percent_decode),
            host: host.to_ascii_lowercase(),
            port,
            params: parse_params(params),
        })
    }

    pub fn param(&self, name: &str) -> Option<&str> {
        find_param(&self.params, name).flatten()
    }

    pub fn has_param(&self, name: &str) -> bool {
        find_param(&self.params, name).is_some()
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Masks the user part: it is a telephone number.
impl fmt::Debug for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uri(…@{}:{:?})", self.host, self.port)
    }
}

/// A URI with a display name and header parameters: From, To, Contact, Route.
#[derive(Clone, PartialEq, Eq)]
pub struct NameAddr {
    pub display: Option<String>,
    pub uri: Uri,
    params: Vec<(String, Option<String>)>,
}

impl NameAddr {
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let open = find_outside_quotes(text, '<');
        let Some(open) = open else {
            // Without brackets every parameter belongs to the header (RFC 3261 §20).
            let (uri, params) = text.split_once(';').unwrap_or((text, ""));
            return Some(Self { display: None, uri: Uri::parse(uri)?, params: parse_params(params) });
        };
        let close = open + text[open..].find('>')?;
        let display = unquote(text[..open].trim());
        let params = text[close + 1..].trim().trim_start_matches(';');
        Some(Self {
            display: Some(display).filter(|name| !name.is_empty()),
            uri: Uri::parse(&text[open + 1..close])?,
            params: parse_params(params),
        })
    }

    pub fn tag(&self) -> Option<&str> {
        self.param("tag")
    }

    pub fn param(&self, name: &str) -> Option<&str> {
        find_param(&self.params, name).flatten()
    }
}

/// Masks who it is.
impl fmt::Debug for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NameAddr").field("uri", &self.uri).field("tag", &self.tag()).finish_non_exhaustive()
    }
}

fn find_param<'a>(params: &'a [(String, Option<String>)], name: &str) -> Option<Option<&'a str>> {
    params.iter().find(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_deref())
}

fn parse_params(text: &str) -> Vec<(String, Option<String>)> {
    text.split(';')
        .map(str::trim)
        .filter(|param| !param.is_empty())
        .map(|param| match param.split_once('=') {
            Some((name, value)) => (name.trim().to_owned(), Some(unquote(value.trim()))),
            None => (param.to_owned(), None),
        })
        .collect()
}

/// `host`, `host:port`, `[v6]`, `[v6]:port`.
pub fn split_host_port(text: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            (host, port.strip_prefix(':'))
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = match port {
        Some(port) => Some(port.parse().ok()?),
        None => None,
    };
    (!host.is_empty()).then_some((host, port))
}

/// The values of a comma-separated header; commas in quotes and angle brackets do not count.
pub fn split_list(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let (mut quoted, mut escaped, mut bracket) = (false, false, false);
        for (at, c) in text.char_indices() {
            match c {
                _ if escaped => escaped = false,
                '\\' if quoted => escaped = true,
                '"' => quoted = !quoted,
                '<' if !quoted => bracket = true,
                '>' if !quoted => bracket = false,
                ',' if !quoted && !bracket => {
                    rest = Some(&text[at + 1..]);
                    return Some(text[..at].trim());
                }
                _ => {}
            }
        }
        rest = None;
        Some(text.trim())
    })
    .filter(|value| !value.is_empty())
}

fn find_outside_quotes(text: &str, wanted: char) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            c if c == wanted && !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

pub fn unquote(text: &str) -> String {
    let Some(inner) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return text.to_owned();
    };
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        out.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    out
}

pub fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match (bytes[at], hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris() {
        for (text, user, host, port, transport) in [
            ("sip:bob@example.com", Some("bob"), "example.com", None, None),
            ("sip:example.com:5080;transport=tcp;lr", None, "example.com", Some(5080), Some("tcp")),
            ("sips:a%2Bb:pw@[2001:db8::1]:5061", Some("a+b"), "2001:db8::1", Some(5061), None),
            (
                "sip:+14155550100;phone-context=x@H.example?Subject=a",
                Some("+14155550100;phone-context=x"),
                "h.example",
                None,
                None,
            ),
            ("tel:+14155550100;phone-context=example.com", Some("+14155550100"), "", None, None),
        ] {
            let uri = Uri::parse(text).expect(text);
            assert_eq!(
                (uri.user.as_deref(), uri.host.as_str(), uri.port, uri.param("transport")),
                (user, host, port, transport),
                "{text}"
            );
            assert_eq!(uri.to_string(), text);
        }
        for bad in ["", "bob", "http://x", "sip:", "sip:a@", "sip:a b@c", "sip:a@b:x", "sip:a@[::1", "tel:"] {
            assert_eq!(Uri::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn name_addrs() {
        for (text, display, uri, tag) in [
            ("<sip:a@b>;tag=x", None, "sip:a@b", Some("x")),
            ("sip:a@b;tag=x", None, "sip:a@b", Some("x")),
            ("\"A <evil>, B\" <sip:a@b;lr>", Some("A <evil>, B"), "sip:a@b;lr", None),
            ("Anna Bell <sip:a@b> ; tag=\"q\"", Some("Anna Bell"), "sip:a@b", Some("q")),
        ] {
            let addr = NameAddr::parse(text).expect(text);
            assert_eq!(
                (addr.display.as_deref(), addr.uri.to_string().as_str(), addr.tag()),
                (display, uri, tag),
                "{text}"
            );
        }
        assert_eq!(NameAddr::parse("<sip:a@b"), None);
    }

    #[test]
    fn lists() {
        let list: Vec<_> = split_list("<sip:a,b@c>;x=1, \"q, r\" <sip:d@e> ,, f").collect();
        assert_eq!(list, ["<sip:a,b@c>;x=1", "\"q, r\" <sip:d@e>", "f"]);
    }
}
