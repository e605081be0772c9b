//! The media of one leg: SDP, RTP, RTCP, SRTP.
//!
//! ```text
//!            negotiation ── sdp, sdes          what was agreed
//!                 │
//!  socket ─► RtpSession ─► srtp ─► latch ─► jitter ─► timeline ─► 20 ms frames of the remote
//!         ◄─            ◄─ srtp ◄─ outbound ◄──────────────────── 20 ms frames of the voice
//!                 └─ rtcp
//! ```
//!
//! [`session::RtpSession`] has no socket and no clock; [`Media`] is the thin shell around it: two UDP sockets and a
//! timer.

use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use offhook_core::{AudioFormat, Digit, Frame, Timestamp};
use tokio::time::{Instant, Sleep};

mod conceal;
mod encryption;
pub mod event;
mod jitter;
mod latch;
pub mod negotiation;
mod outbound;
pub mod packet;
mod reports;
pub mod rtcp;
pub mod sdes;
pub mod sdp;
pub mod session;
mod socket;
pub mod srtp;
mod timeline;

pub use sdp::{Direction, SdpError};

use negotiation::{Negotiation, Terms};
use session::{Port, RtpSession, Seed};
use socket::Socket;

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

/// Whether media is encrypted (SDES, RFC 4568). The keys travel in SDP: they are as secret as the SIP that carries it.
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
#[expect(clippy::large_enum_variant, reason = "audio is moved, not allocated")]
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
    negotiation: Negotiation,
    session: RtpSession,
    sockets: Sockets,
    clock: Clock,
    /// Armed for the session's deadline or before it: a timer too early costs less than arming it for each packet.
    timer: Pin<Box<Sleep>>,
    armed_for: Option<Timestamp>,
}

#[derive(Debug)]
struct Sockets {
    rtp: Socket,
    rtcp: Socket,
    /// Datagrams that found the socket full.
    refused: u64,
}

impl Sockets {
    fn send(&mut self, port: Port, to: std::net::SocketAddr, datagram: &[u8]) {
        let socket = match port {
            Port::Rtp => &mut self.rtp,
            Port::Rtcp => &mut self.rtcp,
        };
        self.refused += u64::from(!socket.send_to(to, datagram));
    }
}

/// A monotonic clock anchored once to the wall clock.
#[derive(Clone, Copy, Debug)]
struct Clock {
    epoch: Instant,
    epoch_at: Timestamp,
}

impl Clock {
    fn start() -> Self {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { epoch: Instant::now(), epoch_at: Timestamp::from_unix_micros(since_1970.as_micros() as i64) }
    }

    fn now(&self) -> Timestamp {
        self.epoch_at + self.epoch.elapsed()
    }

    fn instant(&self, at: Timestamp) -> Instant {
        self.epoch + at.since(self.epoch_at)
    }
}

impl Media {
    /// Take a pair of ports. Needs a tokio runtime.
    pub fn bind(config: &MediaConfig) -> io::Result<Media> {
        let address = config.advertised_ip.unwrap_or(config.bind_ip);
        if !socket::is_advertisable(address) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "an address to advertise in SDP is needed",
            ));
        }
        let (rtp, rtcp) = socket::bind_pair(config.bind_ip, config.ports.as_ref())?;
        let terms = Terms {
            address,
            rtp_port: rtp.local_addr()?.port(),
            rtcp_port: rtcp.local_addr()?.port(),
            srtp: config.srtp,
            ptime_ms: config.ptime_ms.clamp(10, 60) / 10 * 10,
            formats: config.formats.clone(),
            session_id: u64::from(rand::random::<u32>()),
        };
        let seed = Seed { ssrc: rand::random(), sequence: rand::random(), timestamp: rand::random() };
        Ok(Self {
            negotiation: Negotiation::new(terms),
            session: RtpSession::new(seed, config.stall_limit),
            sockets: Sockets { rtp, rtcp, refused: 0 },
            clock: Clock::start(),
            timer: Box::pin(tokio::time::sleep(Duration::ZERO)),
            armed_for: None,
        })
    }

    /// Our SDP offer: the first one, or the same session again for a re-INVITE.
    pub fn offer(&mut self) -> String {
        self.negotiation.offer()
    }

    /// Answer an offer, of an INVITE or of a re-INVITE. On an error nothing has changed.
    pub fn answer(&mut self, offer_sdp: &str) -> Result<String, SdpError> {
        let answer = self.negotiation.answer(offer_sdp)?;
        self.agree();
        Ok(answer)
    }

    /// Take the answer to our offer; again when a later response carries another one.
    pub fn accept(&mut self, answer_sdp: &str) -> Result<(), SdpError> {
        self.negotiation.accept(answer_sdp)?;
        self.agree();
        Ok(())
    }

    fn agree(&mut self) {
        if let Some(agreement) = self.negotiation.agreement() {
            self.session.agree(self.clock.now(), agreement);
            self.sockets.rtp.connect(None);
        }
    }

    /// Our direction after the last negotiation.
    pub fn direction(&self) -> Direction {
        self.negotiation.agreement().map_or(Direction::Inactive, |agreement| agreement.direction)
    }

    /// The negotiated format; `None` before the first answer.
    pub fn format(&self) -> Option<AudioFormat> {
        self.negotiation.agreement().map(|agreement| agreement.layout.format)
    }

    pub fn encrypted(&self) -> bool {
        self.negotiation.agreement().is_some_and(|agreement| agreement.keys.is_some())
    }

    /// Start the stall clock anew: the remote may have had nothing to send before it answered.
    pub fn watch(&mut self) {
        self.session.watch(self.clock.now());
    }

    /// The next event. Cancel-safe: nothing is lost when the future is dropped.
    pub async fn recv(&mut self) -> MediaEvent {
        poll_fn(|cx| self.poll(cx)).await
    }

    /// As [`Self::recv`]. To be polled again after [`Self::send_digits`] and after each negotiation.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<MediaEvent> {
        loop {
            if let Some(event) = self.session.poll_event() {
                return Poll::Ready(event);
            }
            let Self { session, sockets, clock, .. } = self;
            if sockets
                .rtp
                .poll_recv(cx, |from, datagram| session.handle_rtp(clock.now(), from, datagram))
                .is_ready()
            {
                continue;
            }
            let Self { session, sockets, clock, .. } = self;
            if sockets
                .rtcp
                .poll_recv(cx, |from, datagram| session.handle_rtcp(clock.now(), from, datagram))
                .is_ready()
            {
                continue;
            }
            let Some(deadline) = session.deadline() else { return Poll::Pending };
            if self.armed_for.is_none_or(|armed| deadline < armed) {
                self.timer.as_mut().reset(clock.instant(deadline));
                self.armed_for = Some(deadline);
            }
            std::task::ready!(self.timer.as_mut().poll(cx));
            self.armed_for = None;
            let now = clock.now();
            sockets.rtp.connect(session.settled_source(now));
            if session.handle_timeout(now, |port, to, datagram| sockets.send(port, to, datagram)) {
                return Poll::Ready(MediaEvent::Stalled);
            }
        }
    }

    /// Send a frame now, or drop it when the socket is full or the direction does not send.
    pub fn play(&mut self, frame: &Frame) {
        let Self { session, sockets, clock, .. } = self;
        session.play(clock.now(), frame, |port, to, datagram| sockets.send(port, to, datagram));
    }

    /// Send keys as telephone-events (RFC 4733), in-band tones where the far end takes none. `w` pauses half a
    /// second, `W` one second. Audio is suppressed meanwhile.
    pub fn send_digits(&mut self, digits: &str) {
        self.session.send_digits(self.clock.now(), digits);
    }

    pub fn stats(&self) -> MediaStats {
        let mut stats = self.session.stats();
        stats.dropped_frames += self.sockets.refused;
        stats
    }

    /// Say goodbye (RTCP BYE) and send nothing any more.
    pub fn stop(&mut self) {
        let Self { session, sockets, clock, .. } = self;
        session.stop(clock.now(), |port, to, datagram| sockets.send(port, to, datagram));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leg_can_move_between_threads() {
        fn can_move<T: Send>() {}
        can_move::<Media>();
    }
}
