//! Writing responses, and the rules a response to one of our own requests is held to.

use std::fmt::Write;
use std::net::SocketAddr;

use super::{CSeq, Message, Method, Mistake, NameAddr, Start, Via, phrase};

/// A response, growing header by header.
#[derive(Clone, Debug)]
pub struct Reply {
    text: String,
}

impl Reply {
    /// Copies what must be copied from the request (RFC 3261 §8.2.6.2) and notes where it came from (RFC 3581).
    pub fn to(request: &Message, status: u16, to_tag: Option<&str>, source: SocketAddr) -> Self {
        Self::with_phrase(request, status, phrase(status), to_tag, source)
    }

    pub fn with_phrase(
        request: &Message,
        status: u16,
        phrase: &str,
        to_tag: Option<&str>,
        source: SocketAddr,
    ) -> Self {
        let mut reply = Self { text: format!("SIP/2.0 {status} {phrase}\r\n") };
        for (at, via) in request.list("via").into_iter().enumerate() {
            if at == 0 {
                reply.header("Via", &stamp(via, source))
            } else {
                reply.header("Via", via)
            };
        }
        if (101..300).contains(&status) {
            for route in request.lines("record-route") {
                reply.header("Record-Route", route);
            }
        }
        for (name, long) in [("from", "From"), ("to", "To"), ("call-id", "Call-ID"), ("cseq", "CSeq")] {
            let Some(value) = request.header(name) else { continue };
            match to_tag {
                Some(tag) if name == "to" && !has_tag(value) => {
                    reply.header(long, &format!("{value};tag={tag}"))
                }
                _ => reply.header(long, value),
            };
        }
        reply
    }

    pub fn header(&mut self, name: &str, value: &str) -> &mut Self {
        let _ = write!(self.text, "{name}: {value}\r\n");
        self
    }

    pub fn finish(mut self, sdp: Option<&str>) -> Vec<u8> {
        self.header("Server", crate::SERVER);
        if sdp.is_some() {
            self.header("Content-Type", "application/sdp");
        }
        let body = sdp.unwrap_or_default();
        let _ = write!(self.text, "Content-Length: {}\r\n\r\n{body}", body.len());
        self.text.into_bytes()
    }
}

fn has_tag(value: &str) -> bool {
    NameAddr::parse(value).is_some_and(|to| to.tag().is_some())
}

/// The top Via with `received` and, where asked for, `rport` filled in.
fn stamp(via: &str, source: SocketAddr) -> String {
    let Some(parsed) = Via::parse(via) else { return via.to_owned() };
    let asked = parsed.params.has("rport");
    let mut parts: Vec<String> = via.split(';').map(|part| part.trim().to_owned()).collect();
    for part in &mut parts[1..] {
        if part.eq_ignore_ascii_case("rport") {
            *part = format!("rport={}", source.port());
        }
    }
    if asked || parsed.host != source.ip().to_string() {
        parts.push(format!("received={}", source.ip()));
    }
    parts.join(";")
}

/// Where a response goes: back to the source port if asked for it, else to the port Via names (RFC 3581 §4).
pub fn destination(request: &Message, source: SocketAddr) -> SocketAddr {
    let via = request.list("via").first().and_then(|via| Via::parse(via));
    match via {
        Some(via) if !via.params.has("rport") => SocketAddr::new(source.ip(), via.port.unwrap_or(5060)),
        _ => source,
    }
}

/// A response to one of our requests, taken apart.
#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    pub branch: String,
    pub cseq: CSeq,
    pub to: NameAddr,
    pub to_header: String,
    pub contact: Option<NameAddr>,
    pub message: Message,
}

/// What our request said, for comparison.
#[derive(Clone, Debug)]
pub struct Asked {
    pub call_id: String,
    pub from: String,
    pub to: String,
    pub cseq: u32,
    pub method: Method,
    pub branch: String,
}

impl Response {
    pub fn parse(message: &Message) -> Result<Self, Mistake> {
        let Start::Response { status, .. } = message.start else {
            return Err(Mistake::new(0, "response.start_line", "a response was expected"));
        };
        let missing =
            |name| Mistake::new(0, "response.header", format!("{name} is missing or cannot be read"));
        let vias = message.list("via");
        let via = vias.first().and_then(|via| Via::parse(via)).ok_or_else(|| missing("Via"))?;
        let branch = via.branch().ok_or_else(|| missing("the branch of Via"))?.to_owned();
        if vias.len() > 1 {
            return Err(Mistake::new(0, "response.via", "the response has more than our one Via"));
        }
        let cseq = message.header("cseq").and_then(CSeq::parse).ok_or_else(|| missing("CSeq"))?;
        let to_header = message.header("to").ok_or_else(|| missing("To"))?.to_owned();
        let to = NameAddr::parse(&to_header).ok_or_else(|| missing("To"))?;
        let contact = message.list("contact").first().and_then(|contact| NameAddr::parse(contact));
        Ok(Self { status, branch, cseq, to, to_header, contact, message: message.clone() })
    }

    /// Everything that is wrong with it as an answer to `asked`.
    pub fn mistakes(&self, asked: &Asked) -> Vec<Mistake> {
        let mut broken = Vec::new();
        let mut broke = |rule, detail: String| broken.push(Mistake::new(0, rule, detail));
        if self.cseq.number != asked.cseq || self.cseq.method != asked.method {
            broke("response.cseq", format!("CSeq is {} {}", self.cseq.number, self.cseq.method));
        }
        if self.message.header("call-id") != Some(asked.call_id.as_str()) {
            broke("response.call_id", "Call-ID is not ours".to_owned());
        }
        if self.message.header("from").and_then(NameAddr::parse) != NameAddr::parse(&asked.from) {
            broke("response.from", "From is not as we sent it".to_owned());
        }
        let asked_to = NameAddr::parse(&asked.to);
        if asked_to.as_ref().is_some_and(|to| to.uri != self.to.uri) {
            broke("response.to", "To names another address than we sent".to_owned());
        }
        match (asked_to.as_ref().and_then(NameAddr::tag), self.to.tag()) {
            (None, None) if self.status > 100 => broke("response.to_tag", "To has no tag".to_owned()),
            (Some(ours), theirs) if theirs != Some(ours) => {
                broke("response.to_tag", "the To tag changed".to_owned())
            }
            _ => {}
        }
        let body = self.message.body.len();
        match self.message.header("content-length").map(str::parse::<usize>) {
            Some(Ok(declared)) if declared == body => {}
            Some(_) => {
                broke("response.content_length", format!("Content-Length is wrong for a body of {body}"))
            }
            None if body > 0 => broke("response.content_length", "a body without Content-Length".to_owned()),
            None => {}
        }
        let kind = self.message.header("content-type").unwrap_or_default();
        if body > 0 && !kind.to_ascii_lowercase().starts_with("application/sdp") {
            broke("response.content_type", format!("the body is {kind:?}"));
        }
        let invite_ok = asked.method == Method::Invite && (200..300).contains(&self.status);
        if invite_ok && self.contact.is_none() {
            broke("response.contact", "a 2xx to INVITE has no Contact".to_owned());
        }
        broken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_via_says_where_the_request_came_from() {
        let source = "127.0.0.1:5099".parse().unwrap();
        let asked = stamp("SIP/2.0/UDP 10.1.1.1:5070;rport;branch=z9hG4bKa", source);
        assert_eq!(asked, "SIP/2.0/UDP 10.1.1.1:5070;rport=5099;branch=z9hG4bKa;received=127.0.0.1");
        let plain = stamp("SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bKa", source);
        assert_eq!(plain, "SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bKa");
    }
}
