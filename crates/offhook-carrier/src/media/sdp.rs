//! Session descriptions (RFC 8866), as much of them as audio over RTP needs.
//!
//! [`parse`] takes what real equipment writes: bare line feeds, unknown lines, attributes in any order. It borrows
//! from its input and never fails on what it does not understand, only on what has no meaning at all.

use std::net::IpAddr;

use super::sdes::Crypto;

/// More streams than any telephone offers.
const MAX_STREAMS: usize = 32;

/// Which way audio flows, seen from us (RFC 3264).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}

impl Direction {
    pub fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    pub fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    pub fn new(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    /// The same, seen from the other side.
    pub fn reversed(self) -> Self {
        Self::new(self.receives(), self.sends())
    }

    /// The name of the attribute.
    pub fn name(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::SendRecv, Self::SendOnly, Self::RecvOnly, Self::Inactive]
            .into_iter()
            .find(|d| d.name() == name)
    }
}

/// Why an offer or answer can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    #[error("not a session description: {0}")]
    Malformed(&'static str),
    #[error("no audio stream that can be used; refuse it with 488")]
    NoAudio,
    #[error("no codec in common; refuse it with 488")]
    NoCommonCodec,
    #[error("media encryption is required here and was not offered; refuse it with 488")]
    NotEncrypted,
    #[error("encryption by a method that is not accepted here; refuse it with 488")]
    NoCommonCrypto,
    #[error("an answer without an offer")]
    NoOffer,
}

/// A parsed description.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Description<'a> {
    pub connection: Option<IpAddr>,
    pub direction: Option<Direction>,
    pub streams: Vec<Stream<'a>>,
}

/// One `m=` section.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stream<'a> {
    pub kind: &'a str,
    /// Zero: refused, or not in use.
    pub port: u16,
    pub profile: &'a str,
    pub formats: Vec<&'a str>,
    pub connection: Option<IpAddr>,
    pub direction: Option<Direction>,
    pub rtpmaps: Vec<RtpMap<'a>>,
    pub fmtp: Vec<(u8, &'a str)>,
    pub ptime_ms: Option<u32>,
    pub maxptime_ms: Option<u32>,
    pub rtcp_port: Option<u16>,
    pub rtcp_address: Option<IpAddr>,
    pub rtcp_mux: bool,
    pub cryptos: Vec<Crypto>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtpMap<'a> {
    pub payload_type: u8,
    pub encoding: &'a str,
    pub clock_rate: u32,
    pub channels: u32,
}

impl Stream<'_> {
    /// What a payload type of this stream means: by its map, or by the fixed table of RFC 3551.
    pub fn rtpmap(&self, payload_type: u8) -> Option<RtpMap<'_>> {
        let mapped = self.rtpmaps.iter().find(|map| map.payload_type == payload_type).copied();
        mapped.or_else(|| {
            let encoding = match payload_type {
                0 => "PCMU",
                8 => "PCMA",
                13 => "CN",
                _ => return None,
            };
            Some(RtpMap { payload_type, encoding, clock_rate: 8_000, channels: 1 })
        })
    }

    /// The payload types of the `m=` line, in its order of preference.
    pub fn payload_types(&self) -> impl Iterator<Item = u8> {
        self.formats
            .iter()
            .filter_map(|format| format.parse().ok())
            .filter(|payload_type| *payload_type < 128)
    }

    pub fn is_rtp(&self) -> bool {
        ["RTP/AVP", "RTP/AVPF", "RTP/SAVP", "RTP/SAVPF"]
            .iter()
            .any(|profile| self.profile.eq_ignore_ascii_case(profile))
    }

    pub fn is_secure(&self) -> bool {
        self.profile.to_ascii_uppercase().starts_with("RTP/SAVP")
    }
}

/// Read a description.
pub fn parse(text: &str) -> Result<Description<'_>, SdpError> {
    let mut description = Description::default();
    let mut seen_version = false;
    for line in text.split(['\r', '\n']).filter(|line| !line.is_empty()) {
        let Some((kind, value)) = line.split_once('=') else { continue };
        match kind {
            "v" => seen_version = true,
            "m" => {
                if description.streams.len() == MAX_STREAMS {
                    return Err(SdpError::Malformed("too many streams"));
                }
                description.streams.push(parse_stream(value)?);
            }
            "c" => {
                let connection = parse_connection(value);
                match description.streams.last_mut() {
                    Some(stream) => stream.connection = connection,
                    None => description.connection = connection,
                }
            }
            "a" => match description.streams.last_mut() {
                Some(stream) => parse_attribute(stream, value.trim()),
                None => description.direction = Direction::from_name(value.trim()).or(description.direction),
            },
            _ => {}
        }
    }
    if seen_version { Ok(description) } else { Err(SdpError::Malformed("no version line")) }
}

fn parse_stream(value: &str) -> Result<Stream<'_>, SdpError> {
    let mut words = value.split_ascii_whitespace();
    let mut word = || words.next().ok_or(SdpError::Malformed("incomplete media line"));
    let (kind, port, profile) = (word()?, word()?, word()?);
    // "49170/2" asks for two ports; we take the first.
    let port =
        port.split('/').next().and_then(|port| port.parse().ok()).ok_or(SdpError::Malformed("media port"))?;
    Ok(Stream { kind, port, profile, formats: words.collect(), ..Stream::default() })
}

/// `IN IP4 192.0.2.1`, also with a multicast scope behind it. A name instead of an address is no address.
fn parse_connection(value: &str) -> Option<IpAddr> {
    let address = value.split_ascii_whitespace().nth(2)?;
    address.split('/').next()?.parse().ok()
}

fn parse_attribute<'a>(stream: &mut Stream<'a>, attribute: &'a str) {
    let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
    let value = value.trim();
    match name {
        "rtpmap" => stream.rtpmaps.extend(parse_rtpmap(value)),
        "fmtp" => {
            let (payload_type, parameters) = value.split_once(' ').unwrap_or((value, ""));
            stream
                .fmtp
                .extend(payload_type.parse().ok().map(|payload_type| (payload_type, parameters.trim())));
        }
        "ptime" => stream.ptime_ms = parse_ms(value).or(stream.ptime_ms),
        "maxptime" => stream.maxptime_ms = parse_ms(value).or(stream.maxptime_ms),
        "rtcp" => {
            let (port, connection) = value.split_once(' ').unwrap_or((value, ""));
            stream.rtcp_port = port.parse().ok();
            stream.rtcp_address = parse_connection(connection);
        }
        "rtcp-mux" => stream.rtcp_mux = true,
        "crypto" => stream.cryptos.extend(Crypto::parse(value)),
        _ => stream.direction = Direction::from_name(name).or(stream.direction),
    }
}

fn parse_rtpmap(value: &str) -> Option<RtpMap<'_>> {
    let (payload_type, encoding) = value.split_once(' ')?;
    let mut parts = encoding.trim().split('/');
    Some(RtpMap {
        payload_type: payload_type.parse().ok()?,
        encoding: parts.next()?,
        clock_rate: parts.next()?.trim().parse().ok()?,
        channels: parts.next().and_then(|channels| channels.trim().parse().ok()).unwrap_or(1),
    })
}

/// Some write `20.0`.
fn parse_ms(value: &str) -> Option<u32> {
    value.split('.').next()?.parse().ok()
}
