//! What both sides know of the quality of their streams: the numbers behind RTCP reports.

use std::time::Duration;

use offhook_core::Timestamp;

use super::rtcp::{self, Packet, ReportBlock, SenderInfo, Writer};

/// Between two reports (RFC 3550 §6.2).
pub const INTERVAL: Duration = Duration::from_secs(5);

/// A larger step of transit times is a clock that was reset: one second.
const MAX_JITTER: u32 = 8_000;

/// Seconds from 1900, where NTP counts from, to 1970.
const NTP_OFFSET: i64 = 2_208_988_800;

/// Reception of the remote's stream (RFC 3550 A.3, A.8).
#[derive(Debug, Default)]
pub struct Reception {
    ssrc: u32,
    base: u32,
    highest: u32,
    received: u32,
    expected_before: u32,
    received_before: u32,
    /// Transit time of the last packet and the jitter, both in timestamp units, the jitter times 16.
    transit: Option<u32>,
    jitter: u32,
    /// Middle bits of the last sender report, and when it came.
    last_report: Option<(u32, Timestamp)>,
}

impl Reception {
    /// Count a packet of the stream. `steady`: its timestamp is that of the moment it was sent.
    pub fn count(&mut self, now: Timestamp, ssrc: u32, sequence: u16, timestamp: u32, steady: bool) {
        if self.received == 0 || ssrc != self.ssrc {
            let first = u32::from(sequence);
            *self = Self { ssrc, base: first, highest: first, ..Self::default() };
        }
        let step = sequence.wrapping_sub(self.highest as u16);
        if step < 0x8000 {
            self.highest = self.highest.wrapping_add(u32::from(step));
        }
        self.received += 1;
        if !steady {
            return;
        }
        let arrival = (now.unix_micros() as u64).wrapping_mul(8) / 1_000;
        let transit = (arrival as u32).wrapping_sub(timestamp);
        if let Some(before) = self.transit.replace(transit) {
            let difference = (transit.wrapping_sub(before) as i32).unsigned_abs().min(MAX_JITTER);
            self.jitter = self.jitter.saturating_add(difference).saturating_sub((self.jitter + 8) >> 4);
        }
    }

    /// Forget the stream: another one begins, or the same with other numbers.
    pub fn restart(&mut self) {
        *self = Self::default();
    }

    pub fn jitter_ms(&self) -> u32 {
        (self.jitter >> 4) / 8
    }

    fn block(&mut self, now: Timestamp) -> Option<ReportBlock> {
        if self.received == 0 {
            return None;
        }
        let expected = self.highest.wrapping_sub(self.base).wrapping_add(1);
        let (expected_now, received_now) =
            (expected - self.expected_before, self.received - self.received_before);
        let lost_now = expected_now.saturating_sub(received_now);
        (self.expected_before, self.received_before) = (expected, self.received);
        let fraction_lost =
            (u64::from(lost_now) * 256).checked_div(u64::from(expected_now)).unwrap_or(0).min(255) as u8;
        let (last_report, delay) = self
            .last_report
            .map_or((0, 0), |(ntp, at)| (ntp, (now.since(at).as_micros() * 65_536 / 1_000_000) as u32));
        Some(ReportBlock {
            ssrc: self.ssrc,
            fraction_lost,
            cumulative_lost: expected.wrapping_sub(self.received) as i32,
            highest_sequence: self.highest,
            jitter: self.jitter >> 4,
            last_report,
            delay,
        })
    }
}

/// The state of RTCP for one session.
#[derive(Debug)]
pub struct Reports {
    ssrc: u32,
    cname: String,
    pub reception: Reception,
    due_at: Option<Timestamp>,
    packets_reported: u32,
    pub round_trip: Option<Duration>,
}

impl Reports {
    pub fn new(ssrc: u32, cname: String) -> Self {
        Self {
            ssrc,
            cname,
            reception: Reception::default(),
            due_at: None,
            packets_reported: 0,
            round_trip: None,
        }
    }

    /// Report from now on. The first report goes out early, so that the far end soon has a round trip to measure.
    pub fn start(&mut self, now: Timestamp) {
        self.due_at.get_or_insert(now + INTERVAL / 5);
    }

    /// Report no more.
    pub fn stop(&mut self) {
        self.due_at = None;
    }

    pub fn deadline(&self) -> Option<Timestamp> {
        self.due_at
    }

    /// Whether a report is due; the next one is then an interval away.
    pub fn is_due(&mut self, now: Timestamp) -> bool {
        let due = self.due_at.is_some_and(|at| at <= now);
        if due {
            self.due_at = Some(now + INTERVAL);
        }
        due
    }

    /// Write the report of this moment; its length.
    pub fn write(&mut self, now: Timestamp, sender: SenderInfo, goodbye: bool, buffer: &mut [u8]) -> usize {
        let sent = sender.packets != self.packets_reported;
        self.packets_reported = sender.packets;
        let mut writer = Writer::new(buffer);
        let sender = sent.then_some(SenderInfo { ntp: ntp(now), ..sender });
        writer.report(self.ssrc, sender, self.reception.block(now)).cname(self.ssrc, &self.cname);
        if goodbye {
            writer.goodbye(self.ssrc);
        }
        writer.finish()
    }

    /// Read a compound of the far end. False: it is not of the stream we hear, nor about ours.
    pub fn read(&mut self, now: Timestamp, compound: &[u8]) -> bool {
        let mut ours = false;
        for packet in rtcp::parse(compound) {
            match packet {
                Packet::SenderReport { ssrc, sender, blocks } => {
                    if ssrc == self.reception.ssrc {
                        self.reception.last_report = Some(((sender.ntp >> 16) as u32, now));
                        ours = true;
                    }
                    ours |= self.read_blocks(now, blocks);
                }
                Packet::ReceiverReport { ssrc, blocks } => {
                    ours |= self.read_blocks(now, blocks) || ssrc == self.reception.ssrc;
                }
                // The end of a call is said by SIP; a BYE here may be a change of stream.
                Packet::Goodbye { .. } | Packet::Other { .. } => {}
            }
        }
        ours
    }

    fn read_blocks(&mut self, now: Timestamp, blocks: rtcp::Blocks<'_>) -> bool {
        let mut ours = false;
        for block in blocks.filter(|block| block.ssrc == self.ssrc) {
            ours = true;
            if block.last_report == 0 {
                continue;
            }
            let elapsed = ((ntp(now) >> 16) as u32).wrapping_sub(block.last_report).wrapping_sub(block.delay);
            // Beyond a minute, or before its beginning, it is an answer to something else.
            if elapsed < 60 << 16 {
                self.round_trip = Some(Duration::from_micros(u64::from(elapsed) * 1_000_000 / 65_536));
            }
        }
        ours
    }
}

fn ntp(at: Timestamp) -> u64 {
    let micros = at.unix_micros();
    let seconds = (micros.div_euclid(1_000_000) + NTP_OFFSET) as u64;
    let fraction = (micros.rem_euclid(1_000_000) as u64) << 32;
    (seconds << 32) | (fraction / 1_000_000)
}
