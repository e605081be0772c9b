//! What the person hears: every packet is held to RFC 3550 and RFC 4733, and turns are told by loudness.

use std::time::Duration;

use offhook_core::{Digit, Timestamp};

use super::PACKET_SAMPLES;
use super::event::EventWatch;
use super::rtp::Packet;
use crate::record::Heard;
use crate::sdp::Stream;

type Broken = Vec<(&'static str, String)>;

/// Listens to one stream.
#[derive(Debug)]
pub struct Ear {
    stream: Stream,
    ssrc: Option<u32>,
    next_sequence: u16,
    next_timestamp: u32,
    events: EventWatch,
    /// Events came since the last audio: the timestamps may have moved on without a marker.
    pressed: bool,
    pace: Pace,
    turns: Turns,
    /// Since when the far end must not send, being held or holding.
    silent_since: Option<Timestamp>,
    heard: Heard,
    digits: Vec<Digit>,
    tape: Option<Tape>,
    message: Option<Tape>,
    packets: u32,
}

impl Ear {
    /// How long packets may still arrive after a hold was agreed.
    const HOLD_GRACE: Duration = Duration::from_millis(1_000);

    pub fn new(stream: Stream, turn_end: Duration, keep_audio: bool) -> Self {
        Self {
            stream,
            ssrc: None,
            next_sequence: 0,
            next_timestamp: 0,
            events: EventWatch::default(),
            pressed: false,
            pace: Pace::default(),
            turns: Turns::new(turn_end),
            silent_since: None,
            heard: Heard::default(),
            digits: Vec::new(),
            tape: keep_audio.then(|| Tape::new(Duration::from_secs(600))),
            message: None,
            packets: 0,
        }
    }

    /// One RTP datagram.
    pub fn packet(&mut self, now: Timestamp, bytes: &[u8]) -> Broken {
        let packet = match Packet::parse(bytes) {
            Ok(packet) => packet,
            Err(rule) => return vec![(rule, format!("a datagram of {} bytes", bytes.len()))],
        };
        let mut broken = Broken::new();
        if self.silent_since.is_some_and(|since| now.since(since) > Self::HOLD_GRACE) {
            broken.push(("rtp.on_hold", "audio although the stream is on hold".to_owned()));
            // Once is enough to know.
            self.silent_since = None;
        }
        self.check_order(&packet, &mut broken);
        self.packets += 1;
        if Some(packet.payload_type) == self.stream.telephone_event {
            let pressed = self.events.packet(packet.marker, packet.timestamp, packet.payload);
            broken.extend(pressed.broken);
            self.digits.extend(pressed.digit);
            self.pressed = true;
        } else if packet.payload_type == self.stream.law.payload_type() {
            self.audio(now, &packet, &mut broken);
        } else {
            broken.push(("rtp.payload_type", format!("{} was not negotiated", packet.payload_type)));
        }
        broken
    }

    fn check_order(&mut self, packet: &Packet, broken: &mut Broken) {
        match self.ssrc {
            None => {
                self.ssrc = Some(packet.ssrc);
                self.next_timestamp = packet.timestamp;
            }
            Some(ssrc) if ssrc != packet.ssrc => {
                broken.push(("rtp.ssrc", "the SSRC changed in mid-call".to_owned()));
                self.ssrc = Some(packet.ssrc);
                self.next_timestamp = packet.timestamp;
                self.pace = Pace::default();
            }
            Some(_) if packet.sequence != self.next_sequence => {
                let detail = format!("sequence {} where {} was due", packet.sequence, self.next_sequence);
                broken.push(("rtp.sequence", detail));
            }
            Some(_) => {}
        }
        self.next_sequence = packet.sequence.wrapping_add(1);
    }

    fn audio(&mut self, now: Timestamp, packet: &Packet, broken: &mut Broken) {
        if packet.payload.len() != PACKET_SAMPLES {
            broken.push(("rtp.ptime", format!("{} bytes where 20 ms are 160", packet.payload.len())));
        }
        let jump = packet.timestamp.wrapping_sub(self.next_timestamp) as i32;
        if jump < 0 {
            broken.push(("rtp.timestamp", format!("the timestamp goes back by {}", -i64::from(jump))));
        } else if jump > 0 && !packet.marker && !self.pressed {
            broken.push(("rtp.timestamp", format!("the timestamp jumps by {jump} without a marker")));
        }
        if jump != 0 {
            self.pace = Pace::default();
        }
        if std::mem::take(&mut self.pressed) {
            broken.extend(self.events.unfinished());
        }
        self.next_timestamp = packet.timestamp.wrapping_add(packet.payload.len() as u32);
        broken.extend(self.pace.packet(now, packet.timestamp));
        let law = self.stream.law;
        let level = self.heard.add(packet.payload.iter().map(|byte| law.decode(*byte)));
        self.turns.frame(now, level);
        for tape in [&mut self.tape, &mut self.message].into_iter().flatten() {
            tape.place(packet.timestamp, packet.payload.iter().map(|byte| law.decode(*byte)));
        }
    }

    /// Lets time pass: a turn ends by silence, or by nothing arriving.
    pub fn tick(&mut self, now: Timestamp) {
        self.turns.tick(now);
    }

    /// The stream as the last offer and answer left it.
    pub fn renegotiated(&mut self, now: Timestamp, stream: Stream, they_may_send: bool) {
        self.stream = stream;
        self.silent_since = (!they_may_send).then_some(now);
    }

    pub fn start_message(&mut self) {
        self.message = Some(Tape::new(Duration::from_secs(300)));
    }

    pub fn take_message(&mut self) -> Option<Vec<i16>> {
        self.message.take().map(|tape| tape.samples)
    }

    pub fn message(&self) -> Option<&[i16]> {
        self.message.as_ref().map(|tape| &tape.samples[..])
    }

    pub fn tape(&self) -> &[i16] {
        self.tape.as_ref().map_or(&[], |tape| &tape.samples)
    }

    pub fn turns(&self) -> u32 {
        self.turns.ended
    }

    pub fn is_remote_speaking(&self) -> bool {
        self.turns.speaking
    }

    pub fn digits(&self) -> &[Digit] {
        &self.digits
    }

    pub fn heard(&self) -> Heard {
        self.heard
    }

    pub fn packets(&self) -> u32 {
        self.packets
    }

    pub fn ssrc(&self) -> Option<u32> {
        self.ssrc
    }
}

/// Whether packets come one each 20 ms, over seconds rather than packet by packet: what one datagram waits in a
/// busy machine is not the sender's fault, so the quickest packet of each second is compared with the second before.
#[derive(Debug, Default)]
struct Pace {
    first: Option<(Timestamp, u32)>,
    quickest_ms: i64,
    count: u32,
    previous_ms: Option<i64>,
}

impl Pace {
    const WINDOW: u32 = 50;
    const FAST_MS: i64 = 100;
    const SLOW_MS: i64 = 400;

    fn packet(&mut self, now: Timestamp, timestamp: u32) -> Option<(&'static str, String)> {
        let (first_at, first_timestamp) = *self.first.get_or_insert((now, timestamp));
        let media_ms = i64::from(timestamp.wrapping_sub(first_timestamp)) / 8;
        let late_ms = now.since(first_at).as_millis() as i64 - media_ms;
        self.quickest_ms = if self.count == 0 { late_ms } else { self.quickest_ms.min(late_ms) };
        self.count += 1;
        if self.count < Self::WINDOW {
            return None;
        }
        self.count = 0;
        let moved = self.previous_ms.map(|previous| self.quickest_ms - previous);
        self.previous_ms = Some(self.quickest_ms);
        match moved? {
            moved if moved < -Self::FAST_MS => {
                Some(("rtp.pace", format!("{} ms too early within a second", -moved)))
            }
            moved if moved > Self::SLOW_MS => {
                Some(("rtp.pace", format!("{moved} ms too late within a second")))
            }
            _ => None,
        }
    }
}

/// Tells turns by loudness.
#[derive(Debug)]
struct Turns {
    turn_end: Duration,
    speaking: bool,
    loud_frames: u32,
    last_loud_at: Option<Timestamp>,
    ended: u32,
}

impl Turns {
    /// About -40 dBFS: above line noise, below quiet speech.
    const LOUD: f32 = 300.0;
    /// A click is not a turn.
    const FRAMES: u32 = 5;

    fn new(turn_end: Duration) -> Self {
        Self { turn_end, speaking: false, loud_frames: 0, last_loud_at: None, ended: 0 }
    }

    fn frame(&mut self, now: Timestamp, level: f32) {
        if level >= Self::LOUD {
            self.loud_frames += 1;
            self.last_loud_at = Some(now);
            self.speaking |= self.loud_frames >= Self::FRAMES;
        }
        self.tick(now);
    }

    fn tick(&mut self, now: Timestamp) {
        if self.last_loud_at.is_some_and(|last| now.since(last) >= self.turn_end) {
            self.ended += u32::from(std::mem::take(&mut self.speaking));
            self.loud_frames = 0;
            self.last_loud_at = None;
        }
    }
}

/// Audio in the places its timestamps give it.
#[derive(Debug)]
struct Tape {
    first: Option<u32>,
    samples: Vec<i16>,
    capacity: usize,
}

impl Tape {
    fn new(length: Duration) -> Self {
        Self { first: None, samples: Vec::new(), capacity: length.as_millis() as usize * 8 }
    }

    fn place(&mut self, timestamp: u32, samples: impl Iterator<Item = i16>) {
        let first = *self.first.get_or_insert(timestamp);
        let at = timestamp.wrapping_sub(first) as usize;
        for (offset, sample) in samples.enumerate() {
            let at = at + offset;
            if at >= self.capacity {
                return;
            }
            if at >= self.samples.len() {
                self.samples.resize(at + 1, 0);
            }
            self.samples[at] = sample;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdp::{Direction, Law};

    fn ear() -> Ear {
        let addr = "127.0.0.1:4000".parse().unwrap();
        let stream = Stream {
            law: Law::Mu,
            telephone_event: Some(101),
            addr,
            rtcp: addr,
            rtcp_mux: false,
            direction: Direction::SendRecv,
            section: 0,
            proto: "RTP/AVP".to_owned(),
        };
        Ear::new(stream, Duration::from_millis(800), true)
    }

    fn ms(ms: i64) -> Timestamp {
        Timestamp::from_unix_millis(ms)
    }

    fn packet(sequence: u16, timestamp: u32, sample: i16) -> Vec<u8> {
        let payload = [Law::Mu.encode(sample); 160];
        Packet { marker: sequence == 0, payload_type: 0, sequence, timestamp, ssrc: 1, payload: &payload }
            .write()
    }

    fn rules(broken: Broken) -> Vec<&'static str> {
        broken.into_iter().map(|(rule, _)| rule).collect()
    }

    #[test]
    fn a_turn_ends_after_silence_even_when_packets_stop() {
        let mut ear = ear();
        for n in 0..20u16 {
            assert!(ear.packet(ms(i64::from(n) * 20), &packet(n, u32::from(n) * 160, 5_000)).is_empty());
        }
        assert!(ear.is_remote_speaking());
        ear.tick(ms(1_179));
        assert_eq!(ear.turns(), 0);
        ear.tick(ms(1_180));
        assert_eq!((ear.turns(), ear.is_remote_speaking()), (1, false));
        assert_eq!((ear.heard().speech_ms, ear.tape().len()), (400, 3_200));
    }

    #[test]
    fn broken_streams_name_their_rule() {
        let good = packet(1, 160, 0);
        let altered = |change: fn(&mut Vec<u8>)| {
            let mut bytes = good.clone();
            change(&mut bytes);
            bytes
        };
        for (second, rule) in [
            (packet(2, 160, 0), "rtp.sequence"),
            (packet(1, 320, 0), "rtp.timestamp"),
            (packet(1, 0, 0), "rtp.timestamp"),
            (altered(|b| b[11] = 9), "rtp.ssrc"),
            (altered(|b| b[0] = 0), "rtp.version"),
            (altered(|b| b[1] = 3), "rtp.payload_type"),
            (altered(|b| b.truncate(100)), "rtp.ptime"),
            (altered(|b| b.truncate(8)), "rtp.short"),
        ] {
            let mut ear = ear();
            assert_eq!(rules(ear.packet(ms(0), &packet(0, 0, 0))), [""; 0]);
            assert_eq!(rules(ear.packet(ms(20), &second)), [rule]);
        }
    }

    #[test]
    fn pacing_is_judged_over_seconds() {
        let run = |period_us: i64| {
            let mut ear = ear();
            let mut all = Vec::new();
            for n in 0..200u16 {
                let now = Timestamp::from_unix_micros(i64::from(n) * period_us);
                all.extend(rules(ear.packet(now, &packet(n, u32::from(n) * 160, 0))));
            }
            all.dedup();
            all
        };
        assert_eq!(run(20_000), [""; 0]);
        assert_eq!(run(15_000), ["rtp.pace"]);
        assert_eq!(run(30_000), ["rtp.pace"]);
    }
}
