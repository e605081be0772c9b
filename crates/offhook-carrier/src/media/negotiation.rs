//! Offer and answer (RFC 3264) for one audio stream: what both sides can, and what became of it.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use offhook_core::AudioFormat;
use secrecy::{ExposeSecret, SecretString};

use super::SrtpPolicy;
use super::outbound::Layout;
use super::sdes::{Crypto, MasterKey, Suite};
use super::sdp::{self, Description, Direction, SdpError, Stream};

/// The payload type of our telephone-events, by custom.
const EVENT_PAYLOAD_TYPE: u8 = 101;

/// What we offer when encryption is wanted: first what everybody has.
const OFFERED_SUITES: [Suite; 4] =
    [Suite::AesCm128Sha1_80, Suite::AesCm128Sha1_32, Suite::AeadAes256Gcm, Suite::AeadAes128Gcm];

/// What we bring to a negotiation.
#[derive(Clone, Debug)]
pub struct Terms {
    pub address: IpAddr,
    pub rtp_port: u16,
    pub rtcp_port: u16,
    pub srtp: SrtpPolicy,
    pub ptime_ms: u8,
    /// G.711 flavours in order of preference.
    pub formats: Vec<AudioFormat>,
    /// Of the `o=` line.
    pub session_id: u64,
}

/// What both sides agreed on.
#[derive(Clone, Debug, PartialEq)]
pub struct Agreement {
    pub direction: Direction,
    pub layout: Layout,
    pub inbound: InboundTypes,
    pub remote_rtp: Option<SocketAddr>,
    pub remote_rtcp: Option<SocketAddr>,
    pub rtcp_mux: bool,
    pub keys: Option<Keys>,
}

/// Which payload types mean what, in packets towards us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct InboundTypes {
    pub pcmu: Option<u8>,
    pub pcma: Option<u8>,
    /// Ours and theirs, which may differ when we offered.
    pub events: [Option<u8>; 2],
    pub comfort_noise: Option<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keys {
    pub ours: MasterKey,
    pub theirs: MasterKey,
    pub their_mki_len: u8,
}

#[derive(Debug)]
pub struct Negotiation {
    terms: Terms,
    version: u64,
    /// The description sent last, without its version. It holds our keys.
    last: Option<SecretString>,
    /// The telephone-event type of an offer that can be answered.
    offered: Option<u8>,
    /// The `m=` lines of the session; ours, the audio in use, is `None`. Their number never shrinks (RFC 3264 §8).
    lines: Vec<Option<String>>,
    /// Our key of each suite; the same for the whole call, so that a repeated offer changes nothing.
    keys: Vec<MasterKey>,
    agreement: Option<Agreement>,
}

impl Negotiation {
    pub fn new(terms: Terms) -> Self {
        Self {
            terms,
            version: 0,
            last: None,
            offered: None,
            lines: vec![None],
            keys: Vec::new(),
            agreement: None,
        }
    }

    pub fn agreement(&self) -> Option<&Agreement> {
        self.agreement.as_ref()
    }

    /// Our offer; in a running call the same session again.
    pub fn offer(&mut self) -> String {
        let running = self.agreement.as_ref();
        let event_payload_type =
            running.and_then(|running| running.layout.event_payload_type).unwrap_or(EVENT_PAYLOAD_TYPE);
        let secure =
            self.terms.srtp == SrtpPolicy::Required || running.is_some_and(|running| running.keys.is_some());
        let rtcp_mux = running.is_some_and(|running| running.rtcp_mux);
        let direction = running.map_or(Direction::SendRecv, |running| running.direction);
        let mut types: Vec<(u8, &str)> =
            self.terms.formats.iter().map(|format| static_type(*format)).collect();
        types.push((event_payload_type, "telephone-event/8000"));
        let cryptos: Vec<Crypto> = match self.terms.srtp {
            SrtpPolicy::Off => Vec::new(),
            SrtpPolicy::Optional | SrtpPolicy::Required => {
                let lines = OFFERED_SUITES.into_iter().zip(1..);
                lines.map(|(suite, tag)| Crypto { tag, master: self.our_key(suite), mki_len: 0 }).collect()
            }
        };
        let section = Section {
            profile: if secure { "RTP/SAVP" } else { "RTP/AVP" },
            types: &types,
            events: Some((event_payload_type, "0-16")),
            ptime_ms: self.terms.ptime_ms,
            direction,
            rtcp_mux,
            cryptos: &cryptos,
        };
        let section = section.write(&self.terms);
        self.offered = Some(event_payload_type);
        self.describe(&section)
    }

    /// Answer an offer. On an error nothing has changed.
    pub fn answer(&mut self, text: &str) -> Result<String, SdpError> {
        let offer = sdp::parse(text)?;
        let (index, agreement, crypto) = self.choose(&offer)?;
        let stream = &offer.streams[index];
        let layout = agreement.layout;
        let mut types = vec![(layout.payload_type, static_type(layout.format).1)];
        types.extend(layout.event_payload_type.map(|payload_type| (payload_type, "telephone-event/8000")));
        let events = layout.event_payload_type.map(|payload_type| {
            let theirs = stream.fmtp.iter().find(|(fmtp, _)| *fmtp == payload_type);
            (payload_type, theirs.map_or("0-15", |(_, events)| *events))
        });
        let section = Section {
            profile: stream.profile,
            types: &types,
            events,
            ptime_ms: layout.ptime_ms,
            direction: agreement.direction,
            rtcp_mux: agreement.rtcp_mux,
            cryptos: crypto.as_slice(),
        };
        let section = section.write(&self.terms);
        let line = |(at, stream): (usize, &Stream<'_>)| (at != index).then(|| refusal(stream));
        self.lines = offer.streams.iter().enumerate().map(line).collect();
        self.agreement = Some(agreement);
        self.offered = None;
        Ok(self.describe(&section))
    }

    /// Take the answer to our offer, or a later one that replaces it.
    pub fn accept(&mut self, text: &str) -> Result<(), SdpError> {
        let event_payload_type = self.offered.ok_or(SdpError::NoOffer)?;
        let answer = sdp::parse(text)?;
        let ours = self.lines.iter().position(Option::is_none).unwrap_or(0);
        let stream = answer.streams.get(ours).filter(|stream| stream.kind == "audio" && stream.is_rtp());
        let stream = stream.filter(|stream| stream.port != 0).ok_or(SdpError::NoAudio)?;
        let keys = self.accepted_keys(stream)?;
        let mut agreement = self.agree(&answer, stream, keys)?;
        // They send by our numbers, whatever theirs are (RFC 3264 §5.1).
        let offered = |format| self.terms.formats.contains(&format);
        agreement.inbound.pcmu = offered(AudioFormat::Pcmu).then_some(0);
        agreement.inbound.pcma = offered(AudioFormat::Pcma).then_some(8);
        agreement.inbound.events[1] = Some(event_payload_type);
        self.agreement = Some(agreement);
        Ok(())
    }

    /// The first stream of an offer that we can take, what comes of it, and our half of its encryption.
    fn choose(&mut self, offer: &Description<'_>) -> Result<(usize, Agreement, Option<Crypto>), SdpError> {
        let mut refusal = SdpError::NoAudio;
        for (index, stream) in offer.streams.iter().enumerate() {
            if stream.kind != "audio" || stream.port == 0 {
                continue;
            }
            match self.take(offer, stream) {
                Ok((agreement, crypto)) => return Ok((index, agreement, crypto)),
                Err(error) => refusal = error,
            }
        }
        Err(refusal)
    }

    fn take(
        &mut self,
        offer: &Description<'_>,
        stream: &Stream<'_>,
    ) -> Result<(Agreement, Option<Crypto>), SdpError> {
        let usable = stream.cryptos.first().copied();
        let theirs = match (self.terms.srtp, stream.is_secure()) {
            // DTLS-SRTP, or no RTP at all.
            _ if !stream.is_rtp() => return Err(SdpError::NoCommonCrypto),
            (SrtpPolicy::Off, true) => return Err(SdpError::NoCommonCrypto),
            (SrtpPolicy::Off, false) => None,
            (_, true) => Some(usable.ok_or(SdpError::NoCommonCrypto)?),
            (SrtpPolicy::Required, false) => Some(usable.ok_or(SdpError::NotEncrypted)?),
            (SrtpPolicy::Optional, false) => usable,
        };
        let ours = theirs.map(|crypto| self.our_key(crypto.master.suite()));
        let both = theirs.zip(ours);
        let keys =
            both.map(|(crypto, ours)| Keys { ours, theirs: crypto.master, their_mki_len: crypto.mki_len });
        let crypto = both.map(|(crypto, master)| Crypto { tag: crypto.tag, master, mki_len: 0 });
        Ok((self.agree(offer, stream, keys)?, crypto))
    }

    fn accepted_keys(&mut self, stream: &Stream<'_>) -> Result<Option<Keys>, SdpError> {
        let offered = |crypto: &&Crypto| OFFERED_SUITES.contains(&crypto.master.suite());
        let line = stream.cryptos.iter().find(offered).filter(|_| self.terms.srtp != SrtpPolicy::Off);
        let Some(crypto) = line else {
            return match (self.terms.srtp, stream.is_secure()) {
                (SrtpPolicy::Required, false) => Err(SdpError::NotEncrypted),
                (_, true) => Err(SdpError::NoCommonCrypto),
                _ => Ok(None),
            };
        };
        let ours = self.our_key(crypto.master.suite());
        Ok(Some(Keys { ours, theirs: crypto.master, their_mki_len: crypto.mki_len }))
    }

    /// What a stream of theirs comes to.
    fn agree(
        &self,
        description: &Description<'_>,
        stream: &Stream<'_>,
        keys: Option<Keys>,
    ) -> Result<Agreement, SdpError> {
        let (layout, inbound) = self.payload_types(stream)?;
        let address = stream.connection.or(description.connection);
        let ours = their_direction(description, stream).reversed();
        // An unspecified address is the hold of RFC 2543: nothing may be sent to it.
        let held = address.is_some_and(|address| address.is_unspecified());
        let direction = if held { Direction::new(false, ours.receives()) } else { ours };
        let address = address.filter(|_| !held);
        let remote_rtp = address.map(|address| SocketAddr::new(address, stream.port));
        let rtcp_port = stream.rtcp_port.unwrap_or(stream.port.saturating_add(1));
        let remote_rtcp = match stream.rtcp_mux {
            true => remote_rtp,
            false => stream.rtcp_address.or(address).map(|address| SocketAddr::new(address, rtcp_port)),
        };
        Ok(Agreement { direction, layout, inbound, remote_rtp, remote_rtcp, rtcp_mux: stream.rtcp_mux, keys })
    }

    /// The payload types of a stream that we know, and which of them we send.
    fn payload_types(&self, stream: &Stream<'_>) -> Result<(Layout, InboundTypes), SdpError> {
        let mut inbound = InboundTypes { comfort_noise: Some(13), ..InboundTypes::default() };
        let mut chosen = None;
        let mut event_payload_type = None;
        for payload_type in stream.payload_types() {
            let Some(map) = stream.rtpmap(payload_type) else { continue };
            if map.clock_rate != 8_000 || map.channels != 1 {
                continue;
            }
            let name = map.encoding;
            if name.eq_ignore_ascii_case("telephone-event") {
                event_payload_type = event_payload_type.or(Some(payload_type));
            } else if name.eq_ignore_ascii_case("CN") {
                inbound.comfort_noise = Some(payload_type);
            } else {
                let Some(format) =
                    self.terms.formats.iter().find(|format| encoding(**format).eq_ignore_ascii_case(name))
                else {
                    continue;
                };
                let slot = if *format == AudioFormat::Pcma { &mut inbound.pcma } else { &mut inbound.pcmu };
                slot.get_or_insert(payload_type);
                chosen.get_or_insert((*format, payload_type));
            }
        }
        inbound.events[0] = event_payload_type;
        let (format, payload_type) = chosen.ok_or(SdpError::NoCommonCodec)?;
        let layout = Layout { format, payload_type, event_payload_type, ptime_ms: self.ptime_for(stream) };
        Ok((layout, inbound))
    }

    /// What they want to get: whole multiples of 10 ms that both sides can.
    fn ptime_for(&self, stream: &Stream<'_>) -> u8 {
        let wish = stream.ptime_ms.unwrap_or(u32::from(self.terms.ptime_ms));
        let limit = stream.maxptime_ms.unwrap_or(60).clamp(10, 60);
        (wish.min(limit).clamp(10, 60) / 10 * 10) as u8
    }

    fn our_key(&mut self, suite: Suite) -> MasterKey {
        if let Some(key) = self.keys.iter().find(|key| key.suite() == suite) {
            return *key;
        }
        let key = MasterKey::generate(suite);
        self.keys.push(key);
        key
    }

    /// A whole description around our section, with the next version if it says something new.
    fn describe(&mut self, section: &str) -> String {
        let body: String = self.lines.iter().map(|line| line.as_deref().unwrap_or(section)).collect();
        if self.last.as_ref().is_none_or(|last| last.expose_secret() != body) {
            self.version += 1;
        }
        let Terms { address, session_id, .. } = &self.terms;
        let family = if address.is_ipv4() { "IP4" } else { "IP6" };
        let text = format!(
            "v=0\r\no=- {session_id} {} IN {family} {address}\r\ns=-\r\nc=IN {family} {address}\r\nt=0 0\r\n{body}",
            self.version
        );
        self.last = Some(body.into());
        text
    }
}

/// The line that refuses a stream.
fn refusal(stream: &Stream<'_>) -> String {
    format!("m={} 0 {} {}\r\n", stream.kind, stream.profile, stream.formats.join(" "))
}

/// Their direction: of the stream, else of the session, else both ways.
fn their_direction(description: &Description<'_>, stream: &Stream<'_>) -> Direction {
    stream.direction.or(description.direction).unwrap_or(Direction::SendRecv)
}

fn encoding(format: AudioFormat) -> &'static str {
    if format == AudioFormat::Pcma { "PCMA" } else { "PCMU" }
}

fn static_type(format: AudioFormat) -> (u8, &'static str) {
    if format == AudioFormat::Pcma { (8, "PCMA/8000") } else { (0, "PCMU/8000") }
}

/// Our `m=` section.
struct Section<'a> {
    profile: &'a str,
    types: &'a [(u8, &'a str)],
    /// The payload type of telephone-events, and which events.
    events: Option<(u8, &'a str)>,
    ptime_ms: u8,
    direction: Direction,
    rtcp_mux: bool,
    cryptos: &'a [Crypto],
}

impl Section<'_> {
    fn write(&self, terms: &Terms) -> String {
        let mut text = format!("m=audio {} {}", terms.rtp_port, self.profile);
        for (payload_type, _) in self.types {
            let _ = write!(text, " {payload_type}");
        }
        text.push_str("\r\n");
        for (payload_type, encoding) in self.types {
            let _ = write!(text, "a=rtpmap:{payload_type} {encoding}\r\n");
        }
        if let Some((payload_type, events)) = self.events {
            let _ = write!(text, "a=fmtp:{payload_type} {events}\r\n");
        }
        let _ = write!(text, "a=ptime:{}\r\n", self.ptime_ms);
        match (self.rtcp_mux, terms.rtcp_port == terms.rtp_port.wrapping_add(1)) {
            (true, _) => text.push_str("a=rtcp-mux\r\n"),
            (false, true) => {}
            (false, false) => {
                let _ = write!(text, "a=rtcp:{}\r\n", terms.rtcp_port);
            }
        }
        for crypto in self.cryptos {
            let _ = write!(text, "a=crypto:{crypto}\r\n");
        }
        let _ = write!(text, "a={}\r\n", self.direction.name());
        text
    }
}
