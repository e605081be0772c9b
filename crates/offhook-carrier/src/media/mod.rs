//! The media of one leg: SDP, RTP, RTCP, SRTP.
//!
//! [`Media`] is the thin shell around it: two UDP sockets and a timer.

use std::io;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use offhook_core::{AudioFormat, Digit, Frame};

pub mod sdp;

pub use sdp::{Direction, SdpError};

/// How the media of a leg is set up.
#[derive(Clone, Debug)]
pub struct MediaConfig {
    /// The address the sockets are bound to; may be unspecified when `advertised_ip` is given.
    pub bind_ip: IpAddr,
    /// The address written into SDP, where it differs (NAT).
    pub advertised_ip: Option<IpAddr>,
    /// Where RTP ports are taken from (even) with their RTCP neighbours (odd); any free port when `None`.
    pub ports: Option<RangeInclusive<u16>>,
    pub srtp: SrtpPolicy,
    /// What we ask the far end to send, and send ourselves when it has no wish.
    pub ptime_ms: u8,
    /// [`MediaEvent::Stalled`] after this long without a packet.
    pub stall_limit: Duration,
    /// G.711 flavours in order of preference.
    pub formats: Vec<AudioFormat>,
}

impl MediaConfig {
    pub fn new(bind_ip: IpAddr) -> Self {
        Self {
            bind_ip,
            advertised_ip: None,
            ports: None,
            srtp: SrtpPolicy::Off,
            ptime_ms: 20,
            stall_limit: Duration::from_secs(15),
            formats: vec![AudioFormat::Pcmu, AudioFormat::Pcma],
        }
    }
}

/// Whether media is encrypted (SDES, RFC 4568).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SrtpPolicy {
    /// Never; an offer of RTP/SAVP is refused.
    Off,
    /// Offered beside plain RTP, accepted when offered.
    Optional,
    /// Always; plain RTP is refused.
    Required,
}

/// What [`Media::recv`] reports.
#[derive(Clone, Debug, PartialEq)]
pub enum MediaEvent {
    /// The next 20 ms of the remote, in [`Media::format`].
    Audio(Frame),
    /// The remote pressed a key.
    Digit(Digit),
    /// Everything given to [`Media::send_digits`] went out.
    DigitsSent,
    /// No packet for the stall limit although there should be; once per stall.
    Stalled,
}

/// Counters of one leg's media, in frames of 20 ms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MediaStats {
    pub received_frames: u64,
    pub sent_frames: u64,
    /// Never arrived, or too late to be used.
    pub lost_frames: u64,
    /// Made up in place of lost ones.
    pub concealed_frames: u64,
    pub late_frames: u64,
    pub duplicate_frames: u64,
    /// Thrown away because nobody fetched them, or because the socket was full.
    pub dropped_frames: u64,
    /// Interarrival jitter (RFC 3550 §6.4.1).
    pub jitter_ms: u32,
    /// From the far end's reception reports.
    pub round_trip_ms: Option<u32>,
}

/// Sockets and RTP session of one leg.
#[derive(Debug)]
pub struct Media {
    direction: Direction,
    format: Option<AudioFormat>,
}

impl Media {
    /// Take a pair of ports. Needs a tokio runtime.
    pub fn bind(config: &MediaConfig) -> io::Result<Media> {
        let _ = config;
        Ok(Self { direction: Direction::Inactive, format: None })
    }

    /// Our SDP offer: the first one, or the same session again for a re-INVITE.
    pub fn offer(&mut self) -> String {
        String::new()
    }

    /// Answer an offer, of an INVITE or of a re-INVITE. On an error nothing has changed.
    pub fn answer(&mut self, offer_sdp: &str) -> Result<String, SdpError> {
        let _ = offer_sdp;
        Err(SdpError::NoAudio)
    }

    /// Take the answer to our offer; again when a later response carries another one.
    pub fn accept(&mut self, answer_sdp: &str) -> Result<(), SdpError> {
        let _ = answer_sdp;
        Err(SdpError::NoAudio)
    }

    /// Our direction after the last negotiation.
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// The negotiated format; `None` before the first answer.
    pub fn format(&self) -> Option<AudioFormat> {
        self.format
    }

    pub fn encrypted(&self) -> bool {
        false
    }

    /// The next event. Cancel-safe: nothing is lost when the future is dropped.
    pub async fn recv(&mut self) -> MediaEvent {
        std::future::pending().await
    }

    /// Send a frame now, or drop it when the socket is full or the direction does not send.
    pub fn play(&mut self, frame: &Frame) {
        let _ = frame;
    }

    /// Send keys as telephone-events (RFC 4733), in-band tones where the far end takes none. `w` pauses half a
    /// second, `W` one second. Audio is suppressed meanwhile.
    pub fn send_digits(&mut self, digits: &str) {
        let _ = digits;
    }

    pub fn stats(&self) -> MediaStats {
        MediaStats::default()
    }

    /// Say goodbye (RTCP BYE) and send nothing any more.
    pub fn stop(&mut self) {}
}
