//! SIP messages (RFC 3261 §7): parsed leniently, as the robustness principle asks, and written strictly.

use std::borrow::Cow;
use std::fmt;

use super::uri::{NameAddr, Uri, split_list};

/// Nothing we ever exchange comes near this; a longer message is refused before it is parsed.
pub const MAX_MESSAGE: usize = 65_535;
const MAX_HEADERS: usize = 200;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    Request(Request),
    Response(Response),
}

#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    pub method: Method,
    pub uri: Uri,
    pub headers: Headers,
    pub body: Vec<u8>,
}

#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub phrase: String,
    pub headers: Headers,
    pub body: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    #[error("not a SIP message")]
    StartLine,
    #[error("a header line without a colon")]
    Header,
    #[error("a mandatory header is missing or malformed: {0}")]
    Mandatory(&'static str),
    #[error("the body is shorter than its Content-Length")]
    Truncated,
    #[error("too long")]
    TooLong,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    Invite,
    Ack,
    Bye,
    Cancel,
    Options,
    Register,
    Prack,
    Update,
    Info,
    Refer,
    Notify,
    Subscribe,
    Message,
    Unknown(String),
}

impl Method {
    pub fn parse(text: &str) -> Self {
        match text {
            "INVITE" => Self::Invite,
            "ACK" => Self::Ack,
            "BYE" => Self::Bye,
            "CANCEL" => Self::Cancel,
            "OPTIONS" => Self::Options,
            "REGISTER" => Self::Register,
            "PRACK" => Self::Prack,
            "UPDATE" => Self::Update,
            "INFO" => Self::Info,
            "REFER" => Self::Refer,
            "NOTIFY" => Self::Notify,
            "SUBSCRIBE" => Self::Subscribe,
            "MESSAGE" => Self::Message,
            other => Self::Unknown(other.to_owned()),
        }
    }

    pub fn as_str(&self) -> &str {
        match self {
            Self::Invite => "INVITE",
            Self::Ack => "ACK",
            Self::Bye => "BYE",
            Self::Cancel => "CANCEL",
            Self::Options => "OPTIONS",
            Self::Register => "REGISTER",
            Self::Prack => "PRACK",
            Self::Update => "UPDATE",
            Self::Info => "INFO",
            Self::Refer => "REFER",
            Self::Notify => "NOTIFY",
            Self::Subscribe => "SUBSCRIBE",
            Self::Message => "MESSAGE",
            Self::Unknown(name) => name,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Header fields in the order they came, compact names already expanded.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(Cow<'static, str>, String)>);

impl Headers {
    pub fn push(&mut self, name: &'static str, value: impl Into<String>) {
        self.0.push((Cow::Borrowed(name), value.into()));
    }

    pub fn push_front(&mut self, name: &'static str, value: impl Into<String>) {
        self.0.insert(0, (Cow::Borrowed(name), value.into()));
    }

    pub fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.remove(name);
        self.push(name, value);
    }

    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(have, _)| !have.eq_ignore_ascii_case(name));
    }

    pub fn remove_where(&mut self, name: &str, goes: impl Fn(&str) -> bool) {
        self.0.retain(|(have, value)| !have.eq_ignore_ascii_case(name) || !goes(value));
    }

    /// The first field of that name, as written.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Every field of that name, as written.
    pub fn fields<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(have, _)| have.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Every value of that name, fields split at their commas.
    pub fn list<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields(name).flat_map(split_list)
    }

    /// Whether a list header (`Supported`, `Require`, `Allow`) has this token.
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        self.list(name).any(|have| have.eq_ignore_ascii_case(token))
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value.as_str()))
    }

    /// Copy every field of that name from another message.
    pub fn copy(&mut self, from: &Headers, name: &'static str) {
        for value in from.fields(name) {
            self.push(name, value);
        }
    }

    pub fn call_id(&self) -> Option<&str> {
        self.first("Call-ID")
    }

    pub fn cseq(&self) -> Option<(u32, Method)> {
        let mut parts = self.first("CSeq")?.split_ascii_whitespace();
        let number = parts.next()?.parse().ok().filter(|number| *number < 1 << 31)?;
        Some((number, Method::parse(parts.next()?)))
    }

    pub fn name_addr(&self, name: &str) -> Option<NameAddr> {
        NameAddr::parse(self.first(name)?)
    }

    pub fn from_tag(&self) -> Option<String> {
        self.name_addr("From")?.tag().map(str::to_owned)
    }

    pub fn to_tag(&self) -> Option<String> {
        self.name_addr("To")?.tag().map(str::to_owned)
    }

    pub fn top_via(&self) -> Option<Via> {
        Via::parse(self.list("Via").next()?)
    }

    /// A header that holds a number first, e.g. `Expires`, `RSeq`, `Retry-After`.
    pub fn number(&self, name: &str) -> Option<u32> {
        let value = self.first(name)?.trim();
        let digits = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
        value[..digits].parse().ok()
    }
}

/// The parts of a Via header that decide where a response goes and which transaction it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Via {
    pub sent_by: String,
    pub branch: Option<String>,
    pub received: Option<String>,
    pub rport: Option<u16>,
}

impl Via {
    pub fn parse(text: &str) -> Option<Self> {
        let (head, params) = text.split_once(';').unwrap_or((text, ""));
        let sent_by = head.split_ascii_whitespace().next_back()?.to_owned();
        let mut via = Self { sent_by, branch: None, received: None, rport: None };
        for param in params.split(';') {
            let (name, value) = param.split_once('=').unwrap_or((param, ""));
            match name.trim().to_ascii_lowercase().as_str() {
                "branch" => via.branch = Some(value.trim().to_owned()),
                "received" => via.received = Some(value.trim().to_owned()),
                "rport" => via.rport = value.trim().parse().ok(),
                _ => {}
            }
        }
        Some(via)
    }
}

impl Message {
    /// One whole message: what a datagram holds, or what [`Framer`](super::stream::Framer) cut out of a stream.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        if bytes.len() > MAX_MESSAGE {
            return Err(ParseError::TooLong);
        }
        let (head, rest) = match find_head_end(bytes) {
            Some(end) => (&bytes[..end], &bytes[end + 4..]),
            None => (bytes, &[][..]),
        };
        let head = String::from_utf8_lossy(head);
        let mut lines = head.split("\r\n").skip_while(|line| line.is_empty());
        let start = lines.next().ok_or(ParseError::StartLine)?;
        let headers = parse_headers(lines)?;
        let body = match headers.number("Content-Length") {
            Some(length) => rest.get(..length as usize).ok_or(ParseError::Truncated)?.to_vec(),
            None => rest.to_vec(),
        };
        let message = parse_start(start, headers, body)?;
        message.check()?;
        Ok(message)
    }

    pub fn headers(&self) -> &Headers {
        match self {
            Self::Request(request) => &request.headers,
            Self::Response(response) => &response.headers,
        }
    }

    /// The headers without which a message belongs to nothing (RFC 3261 §8.1.1).
    fn check(&self) -> Result<(), ParseError> {
        let headers = self.headers();
        headers.call_id().filter(|id| !id.is_empty()).ok_or(ParseError::Mandatory("Call-ID"))?;
        let (_, method) = headers.cseq().ok_or(ParseError::Mandatory("CSeq"))?;
        headers.name_addr("From").ok_or(ParseError::Mandatory("From"))?;
        headers.name_addr("To").ok_or(ParseError::Mandatory("To"))?;
        headers.top_via().ok_or(ParseError::Mandatory("Via"))?;
        match self {
            Self::Request(request) if request.method != method => Err(ParseError::Mandatory("CSeq")),
            _ => Ok(()),
        }
    }
}

fn find_head_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n")
}

fn parse_headers<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Headers, ParseError> {
    let mut headers: Vec<(Cow<'static, str>, String)> = Vec::with_capacity(16);
    for line in lines {
        if line.starts_with([' ', '\t']) {
            let (_, value) = headers.last_mut().ok_or(ParseError::Header)?;
            value.push(' ');
            value.push_str(line.trim());
            continue;
        }
        if line.is_empty() {
            continue;
        }
        let (name, value) = line.split_once(':').ok_or(ParseError::Header)?;
        if headers.len() == MAX_HEADERS {
            return Err(ParseError::TooLong);
        }
        headers.push((expand(name.trim()), value.trim().to_owned()));
    }
    Ok(Headers(headers))
}

/// The long form of a compact header name (RFC 3261 §7.3.3 and the extensions we read).
fn expand(name: &str) -> Cow<'static, str> {
    Cow::Borrowed(match name {
        "i" | "I" => "Call-ID",
        "m" | "M" => "Contact",
        "l" | "L" => "Content-Length",
        "c" | "C" => "Content-Type",
        "f" | "F" => "From",
        "t" | "T" => "To",
        "v" | "V" => "Via",
        "k" | "K" => "Supported",
        "x" | "X" => "Session-Expires",
        "r" | "R" => "Refer-To",
        "o" | "O" => "Event",
        "s" | "S" => "Subject",
        "e" | "E" => "Content-Encoding",
        other => return Cow::Owned(other.to_owned()),
    })
}

fn parse_start(start: &str, headers: Headers, body: Vec<u8>) -> Result<Message, ParseError> {
    if let Some(rest) = start.strip_prefix("SIP/2.0 ") {
        let (status, phrase) = rest.split_once(' ').unwrap_or((rest, ""));
        let status = status.parse().ok().filter(|s| (100..700).contains(s)).ok_or(ParseError::StartLine)?;
        return Ok(Message::Response(Response { status, phrase: phrase.to_owned(), headers, body }));
    }
    let mut parts = start.split(' ');
    let (Some(method), Some(uri), Some("SIP/2.0"), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(ParseError::StartLine);
    };
    let token = |c: char| c.is_ascii_alphanumeric() || "-.!%*_+`'~".contains(c);
    if method.is_empty() || !method.chars().all(token) {
        return Err(ParseError::StartLine);
    }
    let uri = Uri::parse(uri).ok_or(ParseError::StartLine)?;
    Ok(Message::Request(Request { method: Method::parse(method), uri, headers, body }))
}

impl Request {
    pub fn new(method: Method, uri: Uri) -> Self {
        Self { method, uri, headers: Headers::default(), body: Vec::new() }
    }

    /// A response with what RFC 3261 §8.2.6 copies from the request; `to_tag` goes where there is none yet.
    pub fn response(&self, status: u16, to_tag: &str) -> Response {
        let mut headers = Headers::default();
        headers.copy(&self.headers, "Via");
        headers.copy(&self.headers, "From");
        let to = self.headers.first("To").unwrap_or_default();
        match self.headers.to_tag() {
            None if status > 100 => headers.push("To", format!("{to};tag={to_tag}")),
            _ => headers.push("To", to),
        }
        headers.copy(&self.headers, "Call-ID");
        headers.copy(&self.headers, "CSeq");
        if status < 300 {
            headers.copy(&self.headers, "Record-Route");
        }
        Response { status, phrase: phrase(status).to_owned(), headers, body: Vec::new() }
    }

    pub fn with_body(mut self, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        self.headers.set("Content-Type", content_type);
        self.body = body.into();
        self
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        write(format!("{} {} SIP/2.0\r\n", self.method, self.uri), &self.headers, &self.body)
    }

    pub fn sdp(&self) -> Option<String> {
        sdp(&self.headers, &self.body)
    }
}

impl Response {
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push(name, value);
        self
    }

    pub fn with_body(mut self, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        self.headers.set("Content-Type", content_type);
        self.body = body.into();
        self
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        write(format!("SIP/2.0 {} {}\r\n", self.status, self.phrase), &self.headers, &self.body)
    }

    pub fn sdp(&self) -> Option<String> {
        sdp(&self.headers, &self.body)
    }
}

/// Only what tells one message from another: the rest holds numbers, names, credentials and keys.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Request");
        debug.field("method", &self.method).field("uri", &self.uri);
        debug.field("headers", &self.headers).field("body_bytes", &self.body.len()).finish()
    }
}

/// As of a request.
impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Response");
        debug.field("status", &self.status);
        debug.field("headers", &self.headers).field("body_bytes", &self.body.len()).finish()
    }
}

/// The names of the headers; of `Call-ID` and `CSeq` what they hold, too.
impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |name: &str| name.eq_ignore_ascii_case("Call-ID") || name.eq_ignore_ascii_case("CSeq");
        let values = self.iter().map(|(name, value)| (name, if shown(name) { value } else { "…" }));
        f.debug_map().entries(values).finish()
    }
}

/// The session description in a body: alone, or as a part of a multipart body.
fn sdp(headers: &Headers, body: &[u8]) -> Option<String> {
    if body.is_empty() {
        return None;
    }
    let text = String::from_utf8_lossy(body);
    let content_type = headers.first("Content-Type").unwrap_or("application/sdp").to_ascii_lowercase();
    if content_type.starts_with("application/sdp") {
        return Some(text.into_owned());
    }
    if !content_type.starts_with("multipart/") {
        return None;
    }
    let start = text.find("v=0")?;
    let end = text[start..].find("\r\n--").map_or(text.len(), |at| start + at + 2);
    Some(text[start..end].to_owned())
}

fn write(start: String, headers: &Headers, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(512 + body.len());
    out.extend_from_slice(start.as_bytes());
    for (name, value) in headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("Content-Length")) {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b": ");
        // A line break in a value would let it forge headers.
        out.extend(value.bytes().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte }));
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
    out.extend_from_slice(body);
    out
}

/// The reason phrase of a status we send.
pub fn phrase(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        180 => "Ringing",
        183 => "Session Progress",
        200 => "OK",
        202 => "Accepted",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        415 => "Unsupported Media Type",
        420 => "Bad Extension",
        422 => "Session Interval Too Small",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        489 => "Bad Event",
        491 => "Request Pending",
        500 => "Server Internal Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        603 => "Decline",
        _ => "Unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITE: &str = "INVITE sip:+14155550100@127.0.0.1:5070 SIP/2.0\r\n\
        v: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK1;rport, SIP/2.0/TCP a.example;branch=z9hG4bK0\r\n\
        f: \"A, \\\"B\\\"\" <sip:a@example.com>;tag=1\r\n\
        t: sip:b@example.com\r\n\
        i: abc\r\n\
        CSeq: 1\r\n\x20INVITE\r\n\
        Supported: timer,\t100rel\r\n\
        l: 4\r\n\r\nv=0\nrest";

    #[test]
    fn reads_compact_folded_and_listed_headers() {
        let Message::Request(request) = Message::parse(INVITE.as_bytes()).unwrap() else { panic!() };
        assert_eq!(request.method, Method::Invite);
        assert_eq!(request.headers.cseq(), Some((1, Method::Invite)));
        assert_eq!(request.headers.list("Via").count(), 2);
        assert_eq!(request.headers.top_via().unwrap().branch.as_deref(), Some("z9hG4bK1"));
        assert!(request.headers.has_token("supported", "100REL"));
        assert_eq!(request.headers.from_tag().as_deref(), Some("1"));
        assert_eq!(request.headers.to_tag(), None);
        assert_eq!(request.body, b"v=0\n");
    }

    #[test]
    fn a_response_answers_its_request() {
        let Message::Request(request) = Message::parse(INVITE.as_bytes()).unwrap() else { panic!() };
        let bytes = request.response(486, "xyz").to_bytes();
        let Message::Response(response) = Message::parse(&bytes).unwrap() else { panic!() };
        assert_eq!((response.status, response.phrase.as_str()), (486, "Busy Here"));
        assert_eq!(response.headers.to_tag().as_deref(), Some("xyz"));
        assert_eq!(response.headers.list("Via").count(), 2);
    }

    /// RFC 4475 §3.1.1.1, "a short tortuous INVITE".
    #[test]
    fn reads_what_is_written_strangely() {
        let text = "INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0\n\
            TO :\n sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n\n\
            from   : \"J Rosenberg \\\\\\\"\"       <sip:jdrosen@example.com>\n  ;\n  tag = 98asjd8\n\
            MaX-fOrWaRdS: 0068\n\
            Call-ID: wsinv.ndaksdj@192.0.2.1\n\
            Content-Length   : 3\n\
            cseq: 0009\n  INVITE\n\
            Via  : SIP  /   2.0\n /UDP\n    192.0.2.2;branch=390skdjuw\n\
            s :\n\
            NewFangledHeader:   newfangled value\n continued newfangled value\n\
            UnknownHeaderWithUnusualValue: ;;,,;;,;\n\
            Content-Type: application/sdp\n\
            Route:\n <sip:services.example.com;lr;unknownwith=value;unknown-no-value>\n\
            v:  SIP  / 2.0  / TCP     spindle.example.com   ;\n  branch  =   z9hG4bK9ikj8  ,\n \
            SIP  /    2.0   / UDP  192.168.255.111   ; branch=\n z9hG4bK30239\n\
            m:\"Quoted string \\\"\\\"\" <sip:jdrosen@example.com> ; newparam =\n      newvalue ;\n  secondparam ; q = 0.33\n\
            \nv=0";
        let Message::Request(request) = Message::parse(text.replace('\n', "\r\n").as_bytes()).unwrap() else {
            panic!()
        };
        let headers = &request.headers;
        assert_eq!(headers.to_tag().as_deref(), Some("1918181833n"));
        assert_eq!(headers.from_tag().as_deref(), Some("98asjd8"));
        assert_eq!(headers.name_addr("From").unwrap().display.as_deref(), Some("J Rosenberg \\\""));
        assert_eq!(headers.cseq(), Some((9, Method::Invite)));
        assert_eq!(headers.number("Max-Forwards"), Some(68));
        let vias: Vec<_> = headers
            .list("Via")
            .filter_map(Via::parse)
            .map(|via| (via.sent_by, via.branch.unwrap()))
            .collect();
        let via = |sent_by: &str, branch: &str| (sent_by.to_owned(), branch.to_owned());
        assert_eq!(
            vias,
            [
                via("192.0.2.2", "390skdjuw"),
                via("spindle.example.com", "z9hG4bK9ikj8"),
                via("192.168.255.111", "z9hG4bK30239"),
            ]
        );
        assert_eq!(headers.name_addr("Contact").unwrap().param("newparam"), Some("newvalue"));
        assert_eq!(request.sdp().as_deref(), Some("v=0"));
    }

    #[test]
    fn refuses_what_is_no_message() {
        let mandatory = "Via: SIP/2.0/UDP a\r\nFrom: <sip:a@b>\r\nTo: <sip:a@b>\r\nCall-ID: x\r\n";
        for (text, why) in [
            ("", ParseError::StartLine),
            ("hello\r\n\r\n", ParseError::StartLine),
            ("GET / HTTP/1.1\r\n\r\n", ParseError::StartLine),
            ("SIP/2.0 99 Low\r\n\r\n", ParseError::StartLine),
            ("OPTIONS sip:a SIP/2.0\r\nnonsense\r\n\r\n", ParseError::Header),
            ("OPTIONS sip:a SIP/2.0\r\n\r\n", ParseError::Mandatory("Call-ID")),
            (
                &format!("OPTIONS sip:a SIP/2.0\r\n{mandatory}CSeq: 1 BYE\r\n\r\n"),
                ParseError::Mandatory("CSeq"),
            ),
            (
                &format!("BYE sip:a SIP/2.0\r\n{mandatory}CSeq: 1 BYE\r\nContent-Length: 9\r\n\r\nshort"),
                ParseError::Truncated,
            ),
        ] {
            assert_eq!(Message::parse(text.as_bytes()), Err(why), "{text:?}");
        }
    }

    #[test]
    fn a_value_cannot_forge_a_header() {
        let mut request = Request::new(Method::Options, Uri::parse("sip:a@b").unwrap());
        request.headers.push("Subject", "x\r\nEvil: 1");
        assert!(!String::from_utf8(request.to_bytes()).unwrap().contains("\r\nEvil"));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..600)) {
            let _ = Message::parse(&bytes);
            let mut message = INVITE.as_bytes().to_vec();
            for (at, byte) in bytes.iter().take(8).enumerate() {
                let place = (*byte as usize * 7 + at * 31) % message.len();
                message[place] = *byte;
            }
            let _ = Message::parse(&message);
        }
    }
}
