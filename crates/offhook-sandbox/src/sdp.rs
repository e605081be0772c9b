//! Session descriptions (RFC 8866) and the offer/answer exchange (RFC 3264), as far as one audio stream goes.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

use crate::sip::Mistake;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    Mu,
    A,
}

impl Law {
    pub fn payload_type(self) -> u8 {
        match self {
            Self::Mu => 0,
            Self::A => 8,
        }
    }

    pub fn silence(self) -> u8 {
        match self {
            Self::Mu => 0xff,
            Self::A => 0xd5,
        }
    }

    pub fn encode(self, sample: i16) -> u8 {
        match self {
            Self::Mu => offhook_core::audio::g711::encode_ulaw(sample),
            Self::A => offhook_core::audio::g711::encode_alaw(sample),
        }
    }

    pub fn decode(self, byte: u8) -> i16 {
        match self {
            Self::Mu => offhook_core::audio::g711::decode_ulaw(byte),
            Self::A => offhook_core::audio::g711::decode_alaw(byte),
        }
    }

    fn rtpmap(self) -> &'static str {
        match self {
            Self::Mu => "PCMU/8000",
            Self::A => "PCMA/8000",
        }
    }
}

/// Seen by the one who wrote the description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}

impl Direction {
    pub fn of(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    pub fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    pub fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    fn parse(attribute: &str) -> Option<Self> {
        [Self::SendRecv, Self::SendOnly, Self::RecvOnly, Self::Inactive]
            .into_iter()
            .find(|direction| direction.as_str() == attribute)
    }
}

/// The `o=` line: whose description this is, and which version of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    pub user: String,
    pub session_id: u64,
    pub version: u64,
}

/// What the far side described, reduced to the audio stream the exchange takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    pub origin: Origin,
    pub text: String,
    pub media: Vec<Section>,
}

/// One `m=` section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    pub kind: String,
    pub port: u16,
    pub proto: String,
    pub formats: Vec<String>,
    pub addr: IpAddr,
    pub direction: Direction,
    rtpmaps: Vec<(u8, String)>,
    pub ptime: Option<u32>,
    pub rtcp_port: Option<u16>,
    pub rtcp_mux: bool,
}

/// The stream both sides agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    pub law: Law,
    /// The payload type of `telephone-event/8000`, if both have it.
    pub telephone_event: Option<u8>,
    pub addr: SocketAddr,
    pub rtcp: SocketAddr,
    pub rtcp_mux: bool,
    /// The far side's direction.
    pub direction: Direction,
    /// Which `m=` section it is.
    pub section: usize,
    pub proto: String,
}

fn wrong(rule: &'static str, detail: impl Into<String>) -> Mistake {
    Mistake::new(400, rule, detail)
}

impl Description {
    pub fn parse(body: &[u8]) -> Result<Self, Mistake> {
        let text = std::str::from_utf8(body).map_err(|_| wrong("sdp.syntax", "not UTF-8"))?;
        let lines = lines(text)?;
        let session_end = lines.iter().position(|(kind, _)| *kind == 'm').unwrap_or(lines.len());
        let (session, rest) = lines.split_at(session_end);
        let origin = check_session(session)?;
        let session_addr = find_connection(session)?;
        let direction = session.iter().find_map(|(kind, value)| direction(*kind, value));
        let mut media = Vec::new();
        for section in rest.chunk_by(|_, (next, _)| *next != 'm') {
            media.push(Section::parse(section, session_addr, direction.unwrap_or(Direction::SendRecv))?);
        }
        Ok(Self { origin, text: text.to_owned(), media })
    }

    /// Takes the first audio stream that can be taken.
    pub fn choose(&self, local_telephone_event: bool) -> Result<Stream, Mistake> {
        let refuse = |detail: &str| Mistake::new(488, "sdp.no_stream", detail);
        let mut why = "there is no m=audio with RTP/AVP";
        for (at, section) in self.media.iter().enumerate() {
            if section.kind != "audio"
                || !matches!(section.proto.as_str(), "RTP/AVP" | "RTP/AVPF")
                || section.port == 0
            {
                continue;
            }
            let law = section.formats.iter().find_map(|format| match section.encoding(format)?.as_str() {
                "pcmu/8000" => Some(Law::Mu),
                "pcma/8000" => Some(Law::A),
                _ => None,
            });
            let Some(law) = law else {
                why = "neither PCMU nor PCMA is offered";
                continue;
            };
            let telephone_event = section.telephone_event().filter(|_| local_telephone_event);
            let rtcp = section.rtcp_port.unwrap_or(section.port.saturating_add(1));
            return Ok(Stream {
                law,
                telephone_event,
                addr: SocketAddr::new(section.addr, section.port),
                rtcp: SocketAddr::new(section.addr, if section.rtcp_mux { section.port } else { rtcp }),
                rtcp_mux: section.rtcp_mux,
                direction: section.direction,
                section: at,
                proto: section.proto.clone(),
            });
        }
        Err(refuse(why))
    }
}

impl Section {
    fn parse(
        lines: &[(char, &str)],
        session_addr: Option<IpAddr>,
        inherited: Direction,
    ) -> Result<Self, Mistake> {
        let media: Vec<&str> = lines[0].1.split(' ').collect();
        let [kind, port, proto, formats @ ..] = &media[..] else {
            return Err(wrong("sdp.media", "m= has not media, port, protocol and formats"));
        };
        let port = port.parse().map_err(|_| wrong("sdp.media", "the port of m= is not a number"))?;
        if formats.is_empty() {
            return Err(wrong("sdp.media", "m= names no format"));
        }
        let addr = find_connection(lines)?.or(session_addr);
        let mut section = Self {
            kind: (*kind).to_owned(),
            port,
            proto: (*proto).to_owned(),
            formats: formats.iter().map(|format| (*format).to_owned()).collect(),
            addr: addr.ok_or_else(|| wrong("sdp.connection", "there is no c= line"))?,
            direction: inherited,
            rtpmaps: Vec::new(),
            ptime: None,
            rtcp_port: None,
            rtcp_mux: false,
        };
        for (kind, value) in &lines[1..] {
            if *kind == 'a' {
                section.attribute(value)?;
            }
        }
        section.check_rtp()?;
        Ok(section)
    }

    fn attribute(&mut self, text: &str) -> Result<(), Mistake> {
        if let Some(direction) = Direction::parse(text) {
            self.direction = direction;
            return Ok(());
        }
        let (name, value) = text.split_once(':').unwrap_or((text, ""));
        match name {
            "rtpmap" => {
                let map =
                    value.split_once(' ').and_then(|(pt, map)| Some((pt.parse().ok()?, map.to_lowercase())));
                let (pt, map) = map.ok_or_else(|| wrong("sdp.rtpmap", "a=rtpmap cannot be read"))?;
                if !self.formats.iter().any(|format| *format == u8::to_string(&pt)) {
                    return Err(wrong("sdp.rtpmap", format!("a=rtpmap of {pt}, which m= does not name")));
                }
                // One channel is what a map without a channel count means.
                self.rtpmaps.push((pt, map.strip_suffix("/1").unwrap_or(&map).to_owned()));
            }
            "ptime" => {
                let ptime = value.parse().map_err(|_| wrong("sdp.ptime", "a=ptime is not a number"))?;
                self.ptime = Some(ptime);
            }
            "rtcp" => self.rtcp_port = value.split(' ').next().and_then(|port| port.parse().ok()),
            "rtcp-mux" => self.rtcp_mux = true,
            _ => {}
        }
        Ok(())
    }

    fn check_rtp(&self) -> Result<(), Mistake> {
        if !self.proto.starts_with("RTP/") || self.port == 0 {
            return Ok(());
        }
        for format in &self.formats {
            let pt: u8 = format
                .parse()
                .ok()
                .filter(|pt| *pt < 128)
                .ok_or_else(|| wrong("sdp.format", format!("{format} is not an RTP payload type")))?;
            if pt >= 96 && self.rtpmap(pt).is_none() {
                return Err(wrong("sdp.rtpmap", format!("the dynamic payload type {pt} has no a=rtpmap")));
            }
        }
        Ok(())
    }

    fn rtpmap(&self, pt: u8) -> Option<&str> {
        self.rtpmaps.iter().find(|(p, _)| *p == pt).map(|(_, map)| map.as_str())
    }

    /// What a format means: its rtpmap, or the static table of RFC 3551.
    pub fn encoding(&self, format: &str) -> Option<String> {
        let pt = format.parse().ok()?;
        let static_map = match pt {
            0 => Some("pcmu/8000"),
            8 => Some("pcma/8000"),
            _ => None,
        };
        self.rtpmap(pt).or(static_map).map(str::to_owned)
    }

    fn telephone_event(&self) -> Option<u8> {
        self.rtpmaps.iter().find(|(_, map)| map == "telephone-event/8000").map(|(pt, _)| *pt)
    }
}

fn lines(text: &str) -> Result<Vec<(char, &str)>, Mistake> {
    if !text.ends_with("\r\n") {
        return Err(wrong("sdp.crlf", "the last line does not end with CRLF"));
    }
    let mut lines = Vec::new();
    for line in text.trim_end_matches("\r\n").split("\r\n") {
        let mut chars = line.chars();
        match (chars.next(), chars.next()) {
            (Some(kind), Some('=')) if kind.is_ascii_lowercase() && !line.contains('\n') => {
                lines.push((kind, &line[2..]));
            }
            _ => return Err(wrong("sdp.syntax", "a line is not of the form x=value")),
        }
    }
    Ok(lines)
}

/// v=, o=, s=, then the optional lines in the order of RFC 8866 §5, with t= among them.
fn check_session(session: &[(char, &str)]) -> Result<Origin, Mistake> {
    let order = "vosiuepcbtrzka";
    let mut last = 0;
    for (kind, _) in session {
        let at =
            order.find(*kind).ok_or_else(|| wrong("sdp.order", format!("{kind}= is not a session line")))?;
        // After t= may come r= and again t=.
        if at < last && !(*kind == 't' && last <= 10) {
            return Err(wrong("sdp.order", format!("{kind}= stands too late")));
        }
        last = at;
    }
    let line = |kind| session.iter().find(|(k, _)| *k == kind).map(|(_, value)| *value);
    if line('v') != Some("0") {
        return Err(wrong("sdp.version", "v= is not 0"));
    }
    if line('s').is_none_or(str::is_empty) {
        return Err(wrong("sdp.session_name", "s= is missing or empty (a dash will do)"));
    }
    let time = line('t').ok_or_else(|| wrong("sdp.time", "there is no t= line"))?;
    if time.split(' ').filter(|part| part.parse::<u64>().is_ok()).count() != 2 {
        return Err(wrong("sdp.time", "t= is not two numbers"));
    }
    let origin: Vec<&str> = line('o').unwrap_or_default().split(' ').collect();
    let [user, id, version, "IN", "IP4" | "IP6", _addr] = origin[..] else {
        return Err(wrong("sdp.origin", "o= has not the six parts of RFC 8866 §5.2"));
    };
    let (Ok(session_id), Ok(version)) = (id.parse(), version.parse()) else {
        return Err(wrong("sdp.origin", "session id and version of o= are not numbers"));
    };
    Ok(Origin { user: user.to_owned(), session_id, version })
}

fn find_connection(lines: &[(char, &str)]) -> Result<Option<IpAddr>, Mistake> {
    let Some((_, value)) = lines.iter().find(|(kind, _)| *kind == 'c') else { return Ok(None) };
    let addr = value.strip_prefix("IN IP4 ").or(value.strip_prefix("IN IP6 "));
    let addr = addr.and_then(|addr| addr.split('/').next()?.parse().ok());
    addr.map(Some).ok_or_else(|| wrong("sdp.connection", "c= is not IN IP4 or IP6 and an address"))
}

fn direction(kind: char, value: &str) -> Option<Direction> {
    (kind == 'a').then(|| Direction::parse(value)).flatten()
}

/// Our own side of the description.
#[derive(Clone, Debug)]
pub struct Ours {
    pub session_id: u64,
    pub version: u64,
    pub addr: SocketAddr,
    pub direction: Direction,
}

impl Ours {
    /// What we offer when the far side has not: both laws and telephone-event 101.
    pub fn offer(&self) -> String {
        let mut text = self.head();
        let _ = write!(
            text,
            "m=audio {} RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
             a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na={}\r\n",
            self.addr.port(),
            self.direction.as_str(),
        );
        text
    }

    /// The answer: every section of the offer in its place, refused except for the chosen one.
    pub fn answer(&self, offer: &Description, stream: &Stream) -> String {
        let mut text = self.head();
        for (at, section) in offer.media.iter().enumerate() {
            if at == stream.section {
                self.answer_stream(&mut text, stream);
            } else {
                let format = section.formats.first().map_or("0", String::as_str);
                let _ = write!(text, "m={} 0 {} {format}\r\n", section.kind, section.proto);
            }
        }
        text
    }

    fn answer_stream(&self, text: &mut String, stream: &Stream) {
        let pt = stream.law.payload_type();
        let _ = write!(text, "m=audio {} {} {pt}", self.addr.port(), stream.proto);
        if let Some(event) = stream.telephone_event {
            let _ = write!(text, " {event}");
        }
        let _ = write!(text, "\r\na=rtpmap:{pt} {}\r\n", stream.law.rtpmap());
        if let Some(event) = stream.telephone_event {
            let _ = write!(text, "a=rtpmap:{event} telephone-event/8000\r\na=fmtp:{event} 0-15\r\n");
        }
        let _ = write!(text, "a=ptime:20\r\na={}\r\n", self.direction.as_str());
        if stream.rtcp_mux {
            text.push_str("a=rtcp-mux\r\n");
        }
    }

    fn head(&self) -> String {
        let ip = self.addr.ip();
        let family = if ip.is_ipv4() { "IP4" } else { "IP6" };
        format!(
            "v=0\r\no=sandbox {} {} IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\n",
            self.session_id, self.version
        )
    }
}

/// The rules an answer to our offer is held to (RFC 3264 §6).
pub fn check_answer(answer: &Description) -> Result<Stream, Mistake> {
    let [section] = &answer.media[..] else {
        return Err(wrong("sdp.answer.sections", "the answer has not one m= for the one offered"));
    };
    if section.kind != "audio" || section.proto != "RTP/AVP" {
        return Err(wrong("sdp.answer.media", "the answer changes media or protocol"));
    }
    if section.port == 0 {
        return Err(wrong("sdp.answer.refused", "the answer refuses the only stream"));
    }
    if let Some(format) = section.formats.iter().find(|format| !["0", "8", "101"].contains(&format.as_str()))
    {
        return Err(wrong("sdp.answer.format", format!("the answer has {format}, which was not offered")));
    }
    answer.choose(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &str = "v=0\r\no=a 7 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
        m=audio 4000 RTP/AVP 8 0 96\r\na=rtpmap:96 telephone-event/8000\r\na=ptime:20\r\na=sendonly\r\n";

    #[test]
    fn the_first_law_of_the_offer_is_taken() {
        let stream = Description::parse(OFFER.as_bytes()).unwrap().choose(true).unwrap();
        assert_eq!((stream.law, stream.telephone_event), (Law::A, Some(96)));
        assert_eq!((stream.addr.port(), stream.rtcp.port()), (4000, 4001));
        assert_eq!(stream.direction, Direction::SendOnly);
    }

    #[test]
    fn other_sections_are_refused_in_place() {
        let offer = OFFER.to_owned() + "m=video 4002 RTP/AVP 97\r\na=rtpmap:97 H264/90000\r\n";
        let offer = Description::parse(offer.as_bytes()).unwrap();
        let addr = "127.0.0.1:9000".parse().unwrap();
        let ours = Ours { session_id: 1, version: 1, addr, direction: Direction::RecvOnly };
        let answer = ours.answer(&offer, &offer.choose(true).unwrap());
        assert!(answer.contains("m=audio 9000 RTP/AVP 8 96\r\n"), "{answer}");
        assert!(answer.contains("m=video 0 RTP/AVP 97\r\n"), "{answer}");
        assert!(Description::parse(answer.as_bytes()).is_ok());
    }

    #[test]
    fn each_broken_line_names_its_rule() {
        for (from, to, rule) in [
            ("v=0", "v=1", "sdp.version"),
            ("t=0 0\r\n", "", "sdp.time"),
            ("s=-\r\n", "", "sdp.session_name"),
            ("o=a 7 1 IN IP4 127.0.0.1", "o=a x 1 IN IP4 127.0.0.1", "sdp.origin"),
            ("c=IN IP4 127.0.0.1\r\n", "", "sdp.connection"),
            ("a=rtpmap:96 telephone-event/8000\r\n", "", "sdp.rtpmap"),
            ("a=rtpmap:96", "a=rtpmap:99", "sdp.rtpmap"),
            ("RTP/AVP 8 0 96", "RTP/AVP 0 200", "sdp.rtpmap"),
            ("a=sendonly\r\n", "a=sendonly", "sdp.crlf"),
            ("a=ptime:20", "a=ptime:x", "sdp.ptime"),
            ("m=audio 4000", "m=audio x", "sdp.media"),
        ] {
            let text = OFFER.replace(from, to);
            assert_eq!(Description::parse(text.as_bytes()).unwrap_err().rule, rule, "{from} -> {to}");
        }
    }

    #[test]
    fn an_answer_stays_within_the_offer() {
        let answer = |text: &str| check_answer(&Description::parse(text.as_bytes()).unwrap());
        let good = OFFER.replace("8 0 96", "0 101").replace(":96", ":101");
        assert_eq!(answer(&good).unwrap().law, Law::Mu);
        assert_eq!(answer(OFFER).unwrap_err().rule, "sdp.answer.format");
        assert_eq!(answer(&good.replace("4000", "0")).unwrap_err().rule, "sdp.answer.refused");
    }
}
