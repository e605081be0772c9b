//! What the person sends: one packet every 20 ms, speech, sounds, keys or silence.

use std::collections::VecDeque;
use std::sync::Arc;

use offhook_core::{Digit, Timestamp};

use super::event::{self, Event};
use super::rtp::Packet;
use super::{PACKET, PACKET_SAMPLES};
use crate::sdp::Law;

/// The sending half of one stream.
#[derive(Debug)]
pub struct Mouth {
    law: Law,
    telephone_event: Option<u8>,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    marker: bool,
    next_at: Timestamp,
    /// Not sending: on hold, or gone.
    closed: bool,
    clip: Option<(Arc<[i16]>, usize)>,
    /// A sentence whose audio is not there yet.
    awaited: Option<String>,
    keys: VecDeque<(Event, u32)>,
    packets: u32,
    octets: u32,
}

impl Mouth {
    /// After a stall of more than this the missed packets are skipped, as a talk spurt would.
    const CATCH_UP: u32 = 10;

    pub fn new(
        now: Timestamp,
        law: Law,
        telephone_event: Option<u8>,
        ssrc: u32,
        sequence: u16,
        timestamp: u32,
    ) -> Self {
        Self {
            law,
            telephone_event,
            ssrc,
            sequence,
            timestamp,
            marker: true,
            next_at: now,
            closed: false,
            clip: None,
            awaited: None,
            keys: VecDeque::new(),
            packets: 0,
            octets: 0,
        }
    }

    pub fn play(&mut self, clip: Arc<[i16]>) {
        self.awaited = None;
        self.clip = Some((clip, 0));
    }

    /// Says a sentence as soon as its audio is there.
    pub fn play_when_rendered(&mut self, text: &str) {
        self.clip = None;
        self.awaited = Some(text.to_owned());
    }

    pub fn rendered(&mut self, text: &str, clip: &Arc<[i16]>) {
        if self.awaited.as_deref() == Some(text) {
            self.play(Arc::clone(clip));
        }
    }

    pub fn hush(&mut self) {
        self.clip = None;
        self.awaited = None;
    }

    pub fn press(&mut self, digits: impl Iterator<Item = Digit>) {
        for digit in digits {
            self.keys.extend(event::press(digit).enumerate().map(|(n, event)| (event, n as u32)));
        }
    }

    pub fn is_idle(&self) -> bool {
        self.clip.is_none() && self.awaited.is_none() && self.keys.is_empty()
    }

    pub fn close(&mut self) {
        self.closed = true;
        self.hush();
    }

    pub fn reopen(&mut self, now: Timestamp) {
        if std::mem::take(&mut self.closed) {
            let missed = now.since(self.next_at).as_millis() as u32 / 20;
            self.skip(missed);
        }
    }

    pub fn renegotiated(&mut self, law: Law, telephone_event: Option<u8>) {
        (self.law, self.telephone_event) = (law, telephone_event);
    }

    pub fn deadline(&self) -> Option<Timestamp> {
        (!self.closed).then_some(self.next_at)
    }

    /// The next packet, if it is time.
    pub fn packet(&mut self, now: Timestamp) -> Option<Vec<u8>> {
        if self.closed || now < self.next_at {
            return None;
        }
        let missed = now.since(self.next_at).as_millis() as u32 / 20;
        if missed > Self::CATCH_UP {
            self.skip(missed);
        }
        let bytes = match (self.keys.pop_front(), self.telephone_event) {
            (Some((event, nth)), Some(payload_type)) => {
                let started = self.timestamp.wrapping_sub(nth * PACKET_SAMPLES as u32);
                self.write(payload_type, started, nth == 0, &event.write())
            }
            _ => {
                let payload = self.frame();
                let marker = std::mem::take(&mut self.marker);
                self.write(self.law.payload_type(), self.timestamp, marker, &payload)
            }
        };
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(PACKET_SAMPLES as u32);
        self.next_at = self.next_at + PACKET;
        Some(bytes)
    }

    fn write(&mut self, payload_type: u8, timestamp: u32, marker: bool, payload: &[u8]) -> Vec<u8> {
        self.packets += 1;
        self.octets = self.octets.wrapping_add(payload.len() as u32);
        Packet { marker, payload_type, sequence: self.sequence, timestamp, ssrc: self.ssrc, payload }.write()
    }

    fn frame(&mut self) -> [u8; PACKET_SAMPLES] {
        let mut frame = [self.law.silence(); PACKET_SAMPLES];
        let Some((clip, at)) = &mut self.clip else { return frame };
        let rest = &clip[*at..];
        for (byte, sample) in frame.iter_mut().zip(rest) {
            *byte = self.law.encode(*sample);
        }
        *at += rest.len().min(PACKET_SAMPLES);
        if *at == clip.len() {
            self.clip = None;
        }
        frame
    }

    fn skip(&mut self, packets: u32) {
        self.timestamp = self.timestamp.wrapping_add(packets.wrapping_mul(PACKET_SAMPLES as u32));
        self.next_at = self.next_at + PACKET * packets;
        self.marker = true;
    }

    /// SSRC, timestamp, packets and octets for a sender report.
    pub fn counts(&self) -> (u32, u32, u32, u32) {
        (self.ssrc, self.timestamp, self.packets, self.octets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packets(mouth: &mut Mouth, now_ms: i64) -> Vec<(bool, u8, u16, u32)> {
        let now = Timestamp::from_unix_millis(now_ms);
        let mut packets = Vec::new();
        while let Some(bytes) = mouth.packet(now) {
            let packet = Packet::parse(&bytes).unwrap();
            packets.push((packet.marker, packet.payload_type, packet.sequence, packet.timestamp));
        }
        packets
    }

    #[test]
    fn packets_are_on_time_and_keys_share_the_timeline() {
        let mut mouth = Mouth::new(Timestamp::default(), Law::Mu, Some(101), 1, 65_535, 0);
        assert_eq!(packets(&mut mouth, 20), [(true, 0, 65_535, 0), (false, 0, 0, 160)]);
        mouth.press(Digit::from_char('5').into_iter());
        let key = packets(&mut mouth, 180);
        assert_eq!(key.first(), Some(&(true, 101, 1, 320)));
        assert_eq!(key.last(), Some(&(false, 101, 8, 320)));
        assert!(mouth.is_idle());
        assert_eq!(packets(&mut mouth, 200), [(false, 0, 9, 320 + 8 * 160)]);
    }

    #[test]
    fn after_a_stall_or_a_hold_the_timestamps_have_moved_on() {
        let mut mouth = Mouth::new(Timestamp::default(), Law::A, None, 1, 0, 0);
        assert_eq!(packets(&mut mouth, 0).len(), 1);
        mouth.close();
        assert_eq!(packets(&mut mouth, 1_000), []);
        mouth.reopen(Timestamp::from_unix_millis(1_000));
        assert_eq!(packets(&mut mouth, 1_000), [(true, 8, 1, 50 * 160)]);
    }
}
