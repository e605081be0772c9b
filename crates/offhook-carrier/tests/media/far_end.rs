//! The far end of one RTP session, under virtual time: what is sent to the session, and what comes of it, as text.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use offhook_carrier::media::negotiation::{Negotiation, Terms};
use offhook_carrier::media::packet::Header;
use offhook_carrier::media::rtcp;
use offhook_carrier::media::session::{Port, RtpSession, Seed};
use offhook_carrier::media::{MediaEvent, SrtpPolicy};
use offhook_core::{AudioFormat, Frame, Timestamp};

pub const STALL: Duration = Duration::from_secs(2);
const START: Timestamp = Timestamp::from_unix_millis(1_800_000_000_000);

pub struct FarEnd {
    pub session: RtpSession,
    negotiation: Negotiation,
    now_ms: u64,
    log: String,
    pub from: SocketAddr,
    pub ssrc: u32,
}

/// An offer of PCMU and telephone-events, with more lines.
pub fn offer(more: &str) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8 101\r\n\
         a=rtpmap:101 telephone-event/8000\r\n{more}"
    )
}

impl FarEnd {
    pub fn new(more: &str) -> Self {
        Self::with_offer(&offer(more))
    }

    pub fn with_offer(offer: &str) -> Self {
        let mut far_end = Self::before_any_offer();
        far_end.offers(offer);
        far_end
    }

    pub fn before_any_offer() -> Self {
        let terms = Terms {
            address: [192, 0, 2, 2].into(),
            rtp_port: 6000,
            rtcp_port: 6001,
            srtp: SrtpPolicy::Optional,
            ptime_ms: 20,
            formats: vec![AudioFormat::Pcmu, AudioFormat::Pcma],
            session_id: 1,
        };
        Self {
            session: RtpSession::new(Seed { ssrc: 0xaaaa, sequence: 100, timestamp: 10_000 }, STALL),
            negotiation: Negotiation::new(terms),
            now_ms: 0,
            log: String::new(),
            from: "192.0.2.1:4000".parse().unwrap(),
            ssrc: 0xbbbb,
        }
    }

    /// A new offer, as in a re-INVITE.
    pub fn offers(&mut self, offer: &str) {
        self.negotiation.answer(offer).unwrap();
        self.session.agree(self.now(), self.negotiation.agreement().unwrap());
    }

    pub fn now(&self) -> Timestamp {
        START + Duration::from_millis(self.now_ms)
    }

    /// Let time pass to `ms`, waking the session when it asks for it.
    pub fn until(&mut self, ms: u64) -> &mut Self {
        while let Some(deadline) = self.session.deadline() {
            let due_ms = deadline.since(START).as_micros().div_ceil(1_000) as u64;
            if due_ms > ms {
                break;
            }
            assert!(due_ms >= self.now_ms || deadline <= self.now(), "time does not run backwards");
            self.now_ms = self.now_ms.max(due_ms);
            let now = self.now();
            let mut sent = Vec::new();
            let stalled =
                self.session.handle_timeout(now, |port, to, datagram| sent.push(wire(port, to, datagram)));
            assert!(
                self.session.deadline().is_none_or(|next| next > now),
                "a deadline that passed is done with"
            );
            sent.iter().for_each(|sent| self.note(sent));
            if stalled {
                self.note("stalled");
            }
            self.drain();
        }
        self.now_ms = ms;
        self
    }

    /// Audio of our 20 ms, told apart by its sequence number.
    pub fn audio(&mut self, sequence: u16, timestamp: u32) -> &mut Self {
        self.packet(0, sequence, timestamp, &[sequence as u8; 160])
    }

    /// The packet `index` of a steady stream, whenever it arrives.
    pub fn steady(&mut self, index: u16) -> &mut Self {
        self.audio(index, u32::from(index) * 160)
    }

    pub fn event(&mut self, sequence: u16, timestamp: u32, event: u8, end: bool, duration: u16) -> &mut Self {
        let [high, low] = duration.to_be_bytes();
        self.packet(101, sequence, timestamp, &[event, if end { 0x8a } else { 0x0a }, high, low])
    }

    pub fn packet(&mut self, payload_type: u8, sequence: u16, timestamp: u32, payload: &[u8]) -> &mut Self {
        let mut datagram = vec![0; 12];
        Header::new(payload_type, sequence, timestamp, self.ssrc).write(&mut datagram);
        datagram.extend_from_slice(payload);
        self.session.handle_rtp(self.now(), self.from, &mut datagram);
        self.drain();
        self
    }

    /// Play 20 ms of silence to the far end.
    pub fn play(&mut self) -> &mut Self {
        self.play_frame(&Frame::silence(AudioFormat::Pcmu))
    }

    pub fn play_frame(&mut self, frame: &Frame) -> &mut Self {
        let mut sent = Vec::new();
        self.session.play(self.now(), frame, |port, to, datagram| sent.push(wire(port, to, datagram)));
        sent.iter().for_each(|sent| self.note(sent));
        self.drain();
        self
    }

    pub fn stop(&mut self) -> &mut Self {
        let mut sent = Vec::new();
        self.session.stop(self.now(), |port, to, datagram| sent.push(wire(port, to, datagram)));
        sent.iter().for_each(|sent| self.note(sent));
        self
    }

    pub fn stats(&mut self) -> &mut Self {
        let stats = self.session.stats();
        self.note(&format!(
            "stats: {} received, {} lost, {} concealed, {} late, {} duplicate, {} dropped",
            stats.received_frames,
            stats.lost_frames,
            stats.concealed_frames,
            stats.late_frames,
            stats.duplicate_frames,
            stats.dropped_frames
        ));
        self
    }

    /// Everything so far, and begin anew.
    pub fn log(&mut self) -> String {
        std::mem::take(&mut self.log)
    }

    fn note(&mut self, what: &str) {
        let _ = writeln!(self.log, "{} ms {what}", self.now_ms);
    }

    fn drain(&mut self) {
        while let Some(event) = self.session.poll_event() {
            let text = match event {
                MediaEvent::Audio(frame) => sound(&frame),
                MediaEvent::Digit(digit) => format!("key {}", digit.as_char()),
                MediaEvent::DigitsSent => "digits sent".to_owned(),
                MediaEvent::Stalled => "stalled".to_owned(),
            };
            self.note(&text);
        }
    }
}

/// A frame in words: which packets it is made of.
fn sound(frame: &Frame) -> String {
    let mut runs: Vec<(u8, usize)> = Vec::new();
    for byte in frame.bytes() {
        match runs.last_mut() {
            Some((last, len)) if last == byte => *len += 1,
            _ => runs.push((*byte, 1)),
        }
    }
    let words: Vec<String> = runs
        .iter()
        .map(|(byte, len)| match (*byte == frame.format().silence_byte(), *len) {
            (true, 160) => "silence".to_owned(),
            (false, 160) => format!("#{byte}"),
            (true, len) => format!("silence({len})"),
            (false, len) => format!("#{byte}({len})"),
        })
        .collect();
    if words.len() > 4 { "substitute".to_owned() } else { words.join(" ") }
}

/// A datagram of ours in words.
fn wire(port: Port, to: SocketAddr, datagram: &[u8]) -> String {
    if let Some(header) = Header::parse(datagram) {
        let payload = header.payload(datagram).unwrap();
        let what = match (header.payload_type, payload) {
            (101, [event, flags, high, low]) => {
                let end = if flags & 0x80 != 0 { " end" } else { "" };
                format!("event {event}{end} lasting {}", u16::from_be_bytes([*high, *low]))
            }
            (payload_type, payload) => format!("type {payload_type} of {} bytes", payload.len()),
        };
        let marker = if header.marker { " marked" } else { "" };
        return format!("-> {to} {} at {}: {what}{marker}", header.sequence, header.timestamp);
    }
    let packets: Vec<String> = rtcp::parse(datagram)
        .map(|packet| match packet {
            rtcp::Packet::SenderReport { sender, blocks, .. } => format!(
                "sender report (at {}, {} packets, {} bytes{})",
                sender.rtp_timestamp,
                sender.packets,
                sender.octets,
                about(blocks)
            ),
            rtcp::Packet::ReceiverReport { blocks, .. } => format!("receiver report ({})", about(blocks)),
            rtcp::Packet::Goodbye { .. } => "goodbye".to_owned(),
            rtcp::Packet::Other { packet_type: 202 } => "name".to_owned(),
            rtcp::Packet::Other { packet_type } => format!("rtcp {packet_type}"),
        })
        .collect();
    format!("-> {to} {port:?}: {}", packets.join(", "))
}

fn about(blocks: rtcp::Blocks<'_>) -> String {
    blocks
        .map(|block| {
            format!(
                "; of {:x}: {} lost, {}/256 lately, up to {}, jitter {}, delay {}",
                block.ssrc,
                block.cumulative_lost,
                block.fraction_lost,
                block.highest_sequence,
                block.jitter,
                block.delay
            )
        })
        .collect()
}
