//! One RTP session without sockets or clock: datagrams and frames go in, events and datagrams come out.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use offhook_core::{AudioFormat, Digit, Frame, Timestamp};

use super::encryption::Encryption;
use super::event::EventReceiver;
use super::jitter::{Arrival, Content, Jitter, Packet};
use super::latch::Latch;
use super::negotiation::{Agreement, InboundTypes};
use super::outbound::{Outbound, Outgoing};
use super::packet::{self, Header};
use super::reports::Reports;
use super::rtcp::{MAX_COMPOUND, SenderInfo};
use super::sdp::Direction;
use super::srtp;
use super::timeline::{FRAME_SAMPLES, Timeline};
use super::{MediaEvent, MediaStats};

/// Keys kept for a listener that does not fetch them.
const DIGITS: usize = 64;

/// Which of the two sockets a datagram belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    Rtp,
    Rtcp,
}

/// What has to be random, given from outside.
#[derive(Clone, Copy, Debug)]
pub struct Seed {
    pub ssrc: u32,
    /// Where sequence numbers start; its highest bit is not used, so that the first packets of an SRTP stream can be
    /// lost without losing count of its rollovers (RFC 3711 §3.3.1).
    pub sequence: u16,
    pub timestamp: u32,
}

/// The first packet of what may be a new stream from the same source; the second one decides.
#[derive(Debug)]
struct Newcomer {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    content: Content,
    payload: Vec<u8>,
}

#[derive(Debug)]
pub struct RtpSession {
    seed: Seed,
    stall_limit: Duration,
    direction: Direction,
    types: InboundTypes,
    latch: Latch,
    encryption: Encryption,
    reports: Reports,
    rtcp_mux: bool,
    /// Where the SDP wants reports.
    remote_rtcp: Option<SocketAddr>,
    /// Where reports came from.
    rtcp_source: Option<SocketAddr>,
    jitter: Jitter,
    timeline: Timeline,
    events: EventReceiver,
    /// The stream we listen to.
    remote_ssrc: Option<u32>,
    newcomer: Option<Newcomer>,
    outbound: Option<Outbound>,
    /// Keys pressed by the remote.
    digits: VecDeque<Digit>,
    /// Keys to be sent once a first agreement is there.
    early_digits: String,
    /// From when on silence of packets counts; `None` while there needn't be any.
    watching_since: Option<Timestamp>,
    stalled: bool,
    received_samples: u64,
    lost_samples: u64,
    late_samples: u64,
    duplicate_samples: u64,
    packet_samples: u64,
    stopped: bool,
}

impl RtpSession {
    pub fn new(seed: Seed, stall_limit: Duration) -> Self {
        let seed = Seed { sequence: seed.sequence & 0x7fff, ..seed };
        Self {
            seed,
            stall_limit,
            direction: Direction::Inactive,
            types: InboundTypes::default(),
            latch: Latch::default(),
            encryption: Encryption::default(),
            // A name that says nothing of the host (RFC 7022).
            reports: Reports::new(seed.ssrc, format!("{:08x}{:08x}", seed.ssrc, seed.timestamp)),
            rtcp_mux: false,
            remote_rtcp: None,
            rtcp_source: None,
            jitter: Jitter::default(),
            timeline: Timeline::new(AudioFormat::Pcmu),
            events: EventReceiver::default(),
            remote_ssrc: None,
            newcomer: None,
            outbound: None,
            digits: VecDeque::new(),
            early_digits: String::new(),
            watching_since: None,
            stalled: false,
            received_samples: 0,
            lost_samples: 0,
            late_samples: 0,
            duplicate_samples: 0,
            packet_samples: u64::from(FRAME_SAMPLES),
            stopped: false,
        }
    }

    /// Take what was negotiated, at first or anew.
    pub fn agree(&mut self, now: Timestamp, agreement: &Agreement) {
        self.direction = agreement.direction;
        self.types = agreement.inbound;
        self.latch.signal(agreement.remote_rtp);
        self.encryption.agree(agreement.keys);
        self.rtcp_mux = agreement.rtcp_mux;
        if self.remote_rtcp != agreement.remote_rtcp {
            self.remote_rtcp = agreement.remote_rtcp;
            self.rtcp_source = None;
        }
        self.reports.start(now);
        self.timeline.set_format(agreement.layout.format);
        // Nobody need have sent anything lately.
        self.timeline.rest();
        let Seed { ssrc, sequence, timestamp } = self.seed;
        let layout = agreement.layout;
        let outbound = self.outbound.get_or_insert_with(|| Outbound::new(layout, ssrc, sequence, timestamp));
        outbound.set_layout(layout);
        if !self.early_digits.is_empty() {
            outbound.send_digits(now, &std::mem::take(&mut self.early_digits));
        }
        self.watch(now);
    }

    /// Count silence of packets from now on. Who holds us may stop sending, whatever direction he names.
    pub fn watch(&mut self, now: Timestamp) {
        self.watching_since = (self.direction == Direction::SendRecv).then_some(now);
        self.stalled = false;
    }

    /// Where audio goes.
    pub fn target(&self) -> Option<SocketAddr> {
        self.latch.target()
    }

    /// A source from which nothing but this session's media is expected now.
    pub fn settled_source(&self, now: Timestamp) -> Option<SocketAddr> {
        self.latch.settled(now).filter(|_| self.direction == Direction::SendRecv)
    }

    /// A datagram from the RTP port.
    pub fn handle_rtp(&mut self, now: Timestamp, from: SocketAddr, datagram: &mut [u8]) {
        if packet::is_rtcp(datagram) {
            return self.handle_rtcp(now, from, datagram);
        }
        let Some(header) = Header::parse(datagram) else { return };
        let len = self.encryption.open_rtp(&header, datagram);
        let Some(payload) = len.and_then(|len| header.payload(datagram.get(..len)?)) else { return };
        if !self.latch.admit(now, from, header.ssrc, header.sequence, self.encryption.is_on()) {
            return;
        }
        if self.watching_since.is_some() {
            self.watching_since = Some(now);
            self.stalled = false;
        }
        if !self.direction.receives() {
            return;
        }
        if self.types.events.contains(&Some(header.payload_type)) {
            // Some gateways send keys as a stream of their own, beside that of the audio.
            self.hear_event(&header, payload);
            if self.remote_ssrc != Some(header.ssrc) {
                return;
            }
        }
        let content = self.content(header.payload_type);
        let packet = Packet { sequence: header.sequence, timestamp: header.timestamp, content, payload };
        let ours = *self.remote_ssrc.get_or_insert(header.ssrc) == header.ssrc;
        if ours && self.take(now, packet) != Arrival::Foreign {
            self.newcomer = None;
        } else {
            self.consider(now, header.ssrc, packet);
        }
    }

    /// A datagram from the RTCP port, or RTCP from the shared one.
    pub fn handle_rtcp(&mut self, now: Timestamp, from: SocketAddr, datagram: &mut [u8]) {
        let len = self.encryption.open_rtcp(datagram);
        let Some(compound) = len.and_then(|len| datagram.get(..len)) else { return };
        if self.reports.read(now, compound) {
            self.rtcp_source = Some(from);
        }
    }

    fn content(&self, payload_type: u8) -> Content {
        let payload_type = Some(payload_type);
        if payload_type == self.types.pcmu {
            Content::Audio(AudioFormat::Pcmu)
        } else if payload_type == self.types.pcma {
            Content::Audio(AudioFormat::Pcma)
        } else if payload_type == self.types.comfort_noise {
            Content::Silence
        } else {
            // Telephone-events, and what we can't read: they take a sequence number and carry no audio.
            Content::Event
        }
    }

    fn hear_event(&mut self, header: &Header, payload: &[u8]) {
        if let Some(digit) = self.events.hear(header.ssrc, header.timestamp, payload)
            && self.digits.len() < DIGITS
        {
            self.digits.push_back(digit);
        }
    }

    fn take(&mut self, now: Timestamp, packet: Packet<'_>) -> Arrival {
        let Self { jitter, timeline, lost_samples, packet_samples, .. } = self;
        let samples = packet.payload.len() as u64;
        let is_audio = matches!(packet.content, Content::Audio(_));
        let arrival = jitter.arrive(now, packet, |packet, lost| {
            *lost_samples += u64::from(lost) * *packet_samples;
            timeline.push(now, packet, lost);
        });
        if arrival != Arrival::Foreign {
            let ssrc = self.remote_ssrc.unwrap_or_default();
            self.reports.reception.count(now, ssrc, packet.sequence, packet.timestamp, is_audio);
        }
        if is_audio {
            match arrival {
                Arrival::Taken => {
                    self.packet_samples = samples;
                    self.received_samples += samples;
                }
                Arrival::Late => self.late_samples += samples,
                Arrival::Duplicate => self.duplicate_samples += samples,
                Arrival::Foreign => {}
            }
        }
        arrival
    }

    /// A packet that is not of the stream we hear: two in sequence make it the new stream.
    fn consider(&mut self, now: Timestamp, ssrc: u32, packet: Packet<'_>) {
        let first = self.newcomer.take();
        let follows =
            first.filter(|first| first.ssrc == ssrc && packet.sequence.wrapping_sub(first.sequence) == 1);
        let Some(first) = follows else {
            let Packet { sequence, timestamp, content, payload } = packet;
            self.newcomer = Some(Newcomer { ssrc, sequence, timestamp, content, payload: payload.to_vec() });
            return;
        };
        self.remote_ssrc = Some(ssrc);
        self.jitter.reset();
        self.timeline.resync();
        self.reports.reception.restart();
        let Newcomer { sequence, timestamp, content, payload, .. } = &first;
        self.take(now, Packet { sequence: *sequence, timestamp: *timestamp, content: *content, payload });
        self.take(now, packet);
    }

    /// What comes next for the leg.
    pub fn poll_event(&mut self) -> Option<MediaEvent> {
        if let Some(digit) = self.digits.pop_front() {
            return Some(MediaEvent::Digit(digit));
        }
        if let Some(frame) = self.timeline.pop() {
            return Some(MediaEvent::Audio(frame));
        }
        self.outbound.as_mut()?.take_digits_sent().then_some(MediaEvent::DigitsSent)
    }

    /// Send 20 ms of audio.
    pub fn play(&mut self, now: Timestamp, frame: &Frame, mut send: impl FnMut(Port, SocketAddr, &[u8])) {
        if !self.may_send() {
            return;
        }
        let (Some(outbound), Some(target)) = (&mut self.outbound, self.latch.target()) else { return };
        let encryption = &mut self.encryption;
        outbound.play(now, frame, |packet| transmit(packet, encryption, target, &mut send));
    }

    /// Send keys, as soon as there is anywhere to send them.
    pub fn send_digits(&mut self, now: Timestamp, digits: &str) {
        match &mut self.outbound {
            Some(outbound) => outbound.send_digits(now, digits),
            None => self.early_digits.extend(digits.chars().take(DIGITS)),
        }
    }

    /// Do what time asks for. True when the stall limit is over: reported once.
    pub fn handle_timeout(&mut self, now: Timestamp, mut send: impl FnMut(Port, SocketAddr, &[u8])) -> bool {
        let Self { jitter, timeline, lost_samples, packet_samples, .. } = self;
        jitter.timeout(now, |packet, lost| {
            *lost_samples += u64::from(lost) * *packet_samples;
            timeline.push(now, packet, lost);
        });
        if self.watching_since.is_some() {
            self.timeline.timeout(now);
        }
        if self.may_send()
            && let (Some(outbound), Some(target)) = (&mut self.outbound, self.latch.target())
        {
            let encryption = &mut self.encryption;
            outbound.timeout(now, |packet| transmit(packet, encryption, target, &mut send));
        }
        if self.reports.is_due(now) {
            self.report(now, false, &mut send);
        }
        let stalls =
            !self.stalled && self.watching_since.is_some_and(|since| now.since(since) >= self.stall_limit);
        if stalls {
            self.stalled = true;
            self.timeline.rest();
        }
        stalls
    }

    /// When [`Self::handle_timeout`] wants to be called.
    pub fn deadline(&self) -> Option<Timestamp> {
        let stall = self.watching_since.filter(|_| !self.stalled).map(|since| since + self.stall_limit);
        let can_send = self.may_send() && self.target().is_some();
        let digits = self.outbound.as_ref().filter(|_| can_send).and_then(Outbound::deadline);
        let pause = self.watching_since.and(self.timeline.deadline());
        [self.jitter.deadline(), pause, digits, stall, self.reports.deadline()].into_iter().flatten().min()
    }

    fn may_send(&self) -> bool {
        !self.stopped && self.direction.sends()
    }

    pub fn stats(&self) -> MediaStats {
        let frames = |samples: u64| samples / u64::from(FRAME_SAMPLES);
        MediaStats {
            received_frames: frames(self.received_samples),
            sent_frames: frames(self.outbound.as_ref().map_or(0, |outbound| outbound.sent_samples)),
            lost_frames: frames(self.lost_samples),
            concealed_frames: frames(self.timeline.concealed_samples),
            late_frames: frames(self.late_samples),
            duplicate_frames: frames(self.duplicate_samples),
            dropped_frames: frames(self.timeline.dropped_samples),
            jitter_ms: self.reports.reception.jitter_ms(),
            round_trip_ms: self.reports.round_trip.map(|time| time.as_millis() as u32),
        }
    }

    /// Say goodbye to the far end's RTCP, and send nothing any more.
    pub fn stop(&mut self, now: Timestamp, mut send: impl FnMut(Port, SocketAddr, &[u8])) {
        if !self.stopped {
            self.report(now, true, &mut send);
            self.stopped = true;
            self.reports.stop();
            self.watching_since = None;
        }
    }

    fn report(&mut self, now: Timestamp, goodbye: bool, send: &mut impl FnMut(Port, SocketAddr, &[u8])) {
        let (Some(target), Some(outbound)) = (self.rtcp_target(), &self.outbound) else { return };
        let sender = SenderInfo {
            rtp_timestamp: outbound.timestamp_at(now),
            packets: outbound.packets,
            octets: outbound.octets,
            ..SenderInfo::default()
        };
        let mut buffer = [0; MAX_COMPOUND + srtp::MAX_TRAILER];
        let len = self.reports.write(now, sender, goodbye, &mut buffer[..MAX_COMPOUND]);
        let len = self.encryption.seal_rtcp(&mut buffer, len);
        if let Some(len) = len {
            send(if self.rtcp_mux { Port::Rtp } else { Port::Rtcp }, target, &buffer[..len]);
        }
    }

    /// Reports go where they come from, else beside the audio when that moved, else where the SDP says.
    fn rtcp_target(&self) -> Option<SocketAddr> {
        if self.rtcp_mux {
            return self.latch.target();
        }
        let beside = |audio: SocketAddr| SocketAddr::new(audio.ip(), audio.port().saturating_add(1));
        self.rtcp_source.or_else(|| self.latch.moved_to().map(beside)).or(self.remote_rtcp)
    }
}

/// Encrypt a packet if that was agreed, and send it.
fn transmit(
    packet: &mut Outgoing<'_>,
    encryption: &mut Encryption,
    target: SocketAddr,
    send: &mut impl FnMut(Port, SocketAddr, &[u8]),
) {
    let len = encryption.seal_rtp(&packet.header, packet.buffer, packet.len);
    if let Some(datagram) = len.and_then(|len| packet.buffer.get(..len)) {
        send(Port::Rtp, target, datagram);
    }
}
