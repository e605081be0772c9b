//! As much SIP as a telephone needs that always answers.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddrV4};

/// A request or response, borrowed from its datagram.
#[derive(Debug)]
pub struct Message<'a> {
    /// The method of a request; of a response the method of its CSeq.
    pub method: &'a str,
    /// Of a response.
    pub status: Option<u16>,
    /// Request line or status line.
    start: &'a str,
    headers: Vec<(&'a str, &'a str)>,
    pub body: &'a str,
}

impl<'a> Message<'a> {
    pub fn parse(datagram: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(datagram).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let start = lines.next()?;
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (name.trim(), value.trim())).collect();
        let mut message = Self { method: "", status: None, start, headers, body };
        let mut words = start.split(' ');
        match words.next()? {
            "SIP/2.0" => {
                message.status = Some(words.next()?.parse().ok()?);
                message.method = message.header("CSeq")?.split(' ').nth(1)?;
            }
            method => message.method = method,
        }
        Some(message)
    }

    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    /// The user part of the request URI: whom the call is for.
    pub fn user(&self) -> Option<&'a str> {
        let uri = self.start.split(' ').nth(1)?;
        uri.strip_prefix("sip:")?.split(['@', ';']).next()
    }

    /// A response of ours to this request, with `tag` for its To.
    pub fn response(&self, status: &str, tag: u32, more: &str, body: &str) -> String {
        let mut text = format!("SIP/2.0 {status}\r\n");
        for (name, value) in &self.headers {
            let kept = ["Via", "From", "Call-ID", "CSeq", "Record-Route"];
            if kept.iter().any(|kept| kept.eq_ignore_ascii_case(name)) {
                let _ = write!(text, "{name}: {value}\r\n");
            } else if name.eq_ignore_ascii_case("To") {
                let tag = if value.contains(";tag=") { String::new() } else { format!(";tag={tag:08x}") };
                let _ = write!(text, "To: {value}{tag}\r\n");
            }
        }
        let _ = write!(text, "{more}Content-Length: {}\r\n\r\n{body}", body.len());
        text
    }
}

/// What is needed of an INVITE to hang up later.
#[derive(Debug)]
pub struct Dialog {
    call_id: String,
    /// Ours, with our tag.
    local: String,
    remote: String,
    /// Where the far end wants requests.
    target: String,
}

impl Dialog {
    pub fn of(invite: &Message<'_>, tag: u32) -> Option<Self> {
        let contact = invite.header("Contact")?;
        let target = contact
            .split_once('<')
            .and_then(|(_, rest)| rest.split_once('>'))
            .map_or(contact, |(uri, _)| uri);
        Some(Self {
            call_id: invite.header("Call-ID")?.to_owned(),
            local: format!("{};tag={tag:08x}", invite.header("To")?),
            remote: invite.header("From")?.to_owned(),
            target: target.to_owned(),
        })
    }

    pub fn bye(&self, here: SocketAddrV4, branch: u32) -> String {
        let Self { call_id, local, remote, target } = self;
        format!(
            "BYE {target} SIP/2.0\r\nVia: SIP/2.0/UDP {here};rport;branch=z9hG4bKbench{branch}\r\nMax-Forwards: 70\r\n\
             From: {local}\r\nTo: {remote}\r\nCall-ID: {call_id}\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n"
        )
    }
}

/// Where the far end wants its audio.
pub fn media_address(sdp: &str) -> Option<SocketAddrV4> {
    let ip = sdp.lines().find_map(|line| line.strip_prefix("c=IN IP4 "))?.trim().parse::<Ipv4Addr>().ok()?;
    let media = sdp.lines().find_map(|line| line.strip_prefix("m=audio "))?;
    Some(SocketAddrV4::new(ip, media.split(' ').next()?.parse().ok()?))
}

/// An answer that takes G.711 µ-law.
pub fn answer(at: SocketAddrV4) -> String {
    let (ip, port) = (at.ip(), at.port());
    format!(
        "v=0\r\no=callee 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0 101\r\n\
         a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITE: &str = "INVITE sip:+14157000042@127.0.0.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z\r\n\
        From: <sip:+14152000000@127.0.0.1>;tag=a\r\nTo: <sip:+14157000042@127.0.0.1>\r\nCall-ID: c\r\n\
        CSeq: 7 INVITE\r\nContact: <sip:x@127.0.0.1:9;transport=udp>\r\nContent-Length: 5\r\n\r\nv=0\r\n";

    #[test]
    fn an_invite_is_answered_with_its_own_headers() {
        let invite = Message::parse(INVITE.as_bytes()).unwrap();
        assert_eq!((invite.method, invite.status, invite.user()), ("INVITE", None, Some("+14157000042")));
        let answer = invite.response("200 OK", 1, "Contact: <sip:here>\r\n", "v=0\r\n");
        let answer = Message::parse(answer.as_bytes()).unwrap();
        assert_eq!((answer.method, answer.status, answer.body), ("INVITE", Some(200), "v=0\r\n"));
        assert_eq!(answer.header("to"), Some("<sip:+14157000042@127.0.0.1>;tag=00000001"));
        assert_eq!(answer.header("Via"), invite.header("Via"));
    }

    #[test]
    fn a_bye_goes_the_other_way_in_the_same_dialog() {
        let invite = Message::parse(INVITE.as_bytes()).unwrap();
        let bye = Dialog::of(&invite, 1).unwrap().bye("127.0.0.1:5060".parse().unwrap(), 3);
        let bye = Message::parse(bye.as_bytes()).unwrap();
        assert_eq!((bye.method, bye.start), ("BYE", "BYE sip:x@127.0.0.1:9;transport=udp SIP/2.0"));
        assert_eq!(bye.header("To"), invite.header("From"));
        assert_eq!(bye.header("From"), Some("<sip:+14157000042@127.0.0.1>;tag=00000001"));
    }

    #[test]
    fn audio_goes_where_the_offer_says() {
        let here: SocketAddrV4 = "127.0.0.1:4000".parse().unwrap();
        assert_eq!(media_address(&answer(here)), Some(here));
        assert_eq!(media_address("v=0\r\n"), None);
    }
}
