//! A SIP message: start line, headers, body; nothing is interpreted here.

use std::fmt;

use super::Mistake;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    Invite,
    Ack,
    Cancel,
    Bye,
    Options,
    Register,
    Update,
    /// Well formed, but not served by the exchange.
    Other(String),
}

impl Method {
    /// What `Allow` says.
    pub const ALLOWED: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, UPDATE";

    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() || !text.bytes().all(is_token) {
            return None;
        }
        Some(match text {
            "INVITE" => Self::Invite,
            "ACK" => Self::Ack,
            "CANCEL" => Self::Cancel,
            "BYE" => Self::Bye,
            "OPTIONS" => Self::Options,
            "REGISTER" => Self::Register,
            "UPDATE" => Self::Update,
            other => Self::Other(other.to_owned()),
        })
    }

    pub fn as_str(&self) -> &str {
        match self {
            Self::Invite => "INVITE",
            Self::Ack => "ACK",
            Self::Cancel => "CANCEL",
            Self::Bye => "BYE",
            Self::Options => "OPTIONS",
            Self::Register => "REGISTER",
            Self::Update => "UPDATE",
            Self::Other(name) => name,
        }
    }

    /// 405 for what other exchanges serve, 501 for what nobody knows (RFC 3261 §8.2.1, §21.5.2).
    pub fn refusal(&self) -> Option<u16> {
        let Self::Other(name) = self else { return None };
        let known = ["INFO", "PRACK", "SUBSCRIBE", "NOTIFY", "PUBLISH", "MESSAGE", "REFER"];
        Some(if known.contains(&name.as_str()) { 405 } else { 501 })
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    Request { method: Method, uri: String, version: String },
    Response { status: u16, reason: String },
}

/// One datagram, taken apart. Header names are lower case and long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub start: Start,
    headers: Vec<(String, String)>,
    /// What follows the empty line, as it came.
    pub body: Vec<u8>,
}

impl Message {
    pub fn parse(bytes: &[u8]) -> Result<Self, Mistake> {
        let syntax = |detail: &str| Mistake::new(400, "sip.syntax", detail);
        let end = find(bytes, b"\r\n\r\n").ok_or_else(|| syntax("no empty line ends the headers"))?;
        let head = std::str::from_utf8(&bytes[..end]).map_err(|_| syntax("headers are not UTF-8"))?;
        let mut lines = head.split("\r\n");
        let start = parse_start(lines.next().unwrap_or_default())?;
        let mut headers: Vec<(String, String)> = Vec::new();
        for line in lines {
            if line.contains(['\n', '\r']) {
                return Err(syntax("a line ends without CRLF"));
            }
            if line.starts_with([' ', '\t']) {
                let (_, value) = headers.last_mut().ok_or_else(|| syntax("a folded line follows nothing"))?;
                value.push(' ');
                value.push_str(line.trim());
                continue;
            }
            let (name, value) = line.split_once(':').ok_or_else(|| syntax("a header has no colon"))?;
            let name = name.trim_end_matches([' ', '\t']);
            if name.is_empty() || !name.bytes().all(is_token) {
                return Err(syntax("a header name is not a token"));
            }
            headers.push((long_name(name), value.trim().to_owned()));
        }
        Ok(Self { start, headers, body: bytes[end + 4..].to_vec() })
    }

    /// The first value of a header that may stand only once.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    pub fn count(&self, name: &str) -> usize {
        self.headers.iter().filter(|(n, _)| n == name).count()
    }

    /// All values of a header that is a list: repeated, separated by commas, or both.
    pub fn list(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(n, _)| n == name).flat_map(|(_, value)| split_list(value)).collect()
    }

    /// Whole header lines of a name, for headers whose own syntax holds commas.
    pub fn lines<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

fn parse_start(line: &str) -> Result<Start, Mistake> {
    let syntax = |detail: &str| Mistake::new(400, "sip.start_line", detail);
    let parts: Vec<&str> = line.splitn(3, ' ').collect();
    let [first, second, third] = parts[..] else { return Err(syntax("the start line has not three parts")) };
    if first == "SIP/2.0" {
        let status = second.parse().ok().filter(|status| (100..700).contains(status));
        let status = status.ok_or_else(|| syntax("the status code is not between 100 and 699"))?;
        return Ok(Start::Response { status, reason: third.to_owned() });
    }
    let method = Method::parse(first).ok_or_else(|| syntax("the method is not a token"))?;
    if second.is_empty() || third.contains(' ') {
        return Err(syntax("the request line has not three parts"));
    }
    Ok(Start::Request { method, uri: second.to_owned(), version: third.to_owned() })
}

/// RFC 3261 §25.1 `token`.
pub fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte)
}

fn long_name(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    let long = match name.as_str() {
        "v" => "via",
        "f" => "from",
        "t" => "to",
        "i" => "call-id",
        "m" => "contact",
        "l" => "content-length",
        "c" => "content-type",
        "e" => "content-encoding",
        "k" => "supported",
        "s" => "subject",
        "x" => "session-expires",
        "r" => "refer-to",
        "b" => "referred-by",
        "o" => "event",
        "u" => "allow-events",
        _ => return name,
    };
    long.to_owned()
}

/// Splits at commas that stand neither in quotes nor in angle brackets.
pub fn split_list(value: &str) -> Vec<&str> {
    let (mut parts, mut from, mut quoted, mut escaped, mut depth) = (Vec::new(), 0, false, false, 0u32);
    for (at, byte) in value.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'<' if !quoted => depth += 1,
            b'>' if !quoted => depth = depth.saturating_sub(1),
            b',' if !quoted && depth == 0 => {
                parts.push(value[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(value[from..].trim());
    parts.retain(|part| !part.is_empty());
    parts
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compact_and_folded_headers_are_read_as_their_long_forms() {
        let text = b"OPTIONS sip:a@b SIP/2.0\r\nv: SIP/2.0/UDP h;branch=z9hG4bK1\r\n ;rport\r\nk: timer, \"a,b\"\r\n\r\nxy";
        let message = Message::parse(text).unwrap();
        assert_eq!(message.header("via"), Some("SIP/2.0/UDP h;branch=z9hG4bK1 ;rport"));
        assert_eq!(message.list("supported"), ["timer", "\"a,b\""]);
        assert_eq!(message.body, b"xy");
    }

    #[test]
    fn what_is_not_sip_names_the_rule_it_breaks() {
        for (text, rule) in [
            ("OPTIONS sip:a@b SIP/2.0\r\nVia: x\r\n", "sip.syntax"),
            ("OPTIONS sip:a@b\r\n\r\n", "sip.start_line"),
            ("SIP/2.0 42 What\r\n\r\n", "sip.start_line"),
            ("OPTIONS sip:a@b SIP/2.0\r\nno colon here\r\n\r\n", "sip.syntax"),
            ("OPTIONS sip:a@b SIP/2.0\r\nA: b\nC: d\r\n\r\n", "sip.syntax"),
            ("\u{0}\u{1}\u{2}", "sip.syntax"),
        ] {
            assert_eq!(Message::parse(text.as_bytes()).unwrap_err().rule, rule, "{text:?}");
        }
    }
}
