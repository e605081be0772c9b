//! Symmetric RTP: media goes back to where it comes from, and nobody can steal it by sending first.
//!
//! The address in the SDP is often private or wrong, so the source of the packets counts. A source is believed at
//! once when the SDP names it or its packets are authentic (SRTP); any other must show two packets in sequence, and
//! can take over from a live one only by continuing its stream, which a stranger can't guess.

use std::net::SocketAddr;
use std::time::Duration;

use offhook_core::Timestamp;

/// A source is alive this long after its last packet.
const ALIVE: Duration = Duration::from_millis(1_000);

/// A source that says nothing for this long may have moved.
const MISSED: Duration = Duration::from_millis(400);

/// A source that stays this long is taken to stay longer.
const SETTLED: Duration = Duration::from_secs(2);

/// A stream that moves goes on at most this many packets further.
const MAX_STEP: u16 = 200;

#[derive(Clone, Copy, Debug)]
struct Candidate {
    from: SocketAddr,
    ssrc: u32,
    sequence: u16,
}

#[derive(Debug, Default)]
pub struct Latch {
    /// Where the SDP says media comes from and goes to.
    signalled: Option<SocketAddr>,
    current: Option<SocketAddr>,
    latched_at: Option<Timestamp>,
    last: Option<(Timestamp, u32, u16)>,
    candidate: Option<Candidate>,
}

impl Latch {
    /// A new SDP. The latched source is kept while the address in the SDP stays the same.
    pub fn signal(&mut self, address: Option<SocketAddr>) {
        if address != self.signalled {
            *self = Self { signalled: address, ..Self::default() };
        }
    }

    /// Where to send.
    pub fn target(&self) -> Option<SocketAddr> {
        self.current.or(self.signalled)
    }

    /// The source of the media, where it is not what the SDP says.
    pub fn moved_to(&self) -> Option<SocketAddr> {
        self.current.filter(|current| Some(*current) != self.signalled)
    }

    /// Whether a packet from this source is to be heard. `authentic`: it was encrypted with the right key.
    pub fn admit(
        &mut self,
        now: Timestamp,
        from: SocketAddr,
        ssrc: u32,
        sequence: u16,
        authentic: bool,
    ) -> bool {
        let admitted = self.current == Some(from)
            || authentic
            || (self.signalled == Some(from) && self.yields_to_signalled(now, ssrc))
            || self.proves_itself(now, from, ssrc, sequence);
        if admitted {
            if self.current != Some(from) {
                self.current = Some(from);
                self.latched_at = Some(now);
            }
            self.last = Some((now, ssrc, sequence));
            self.candidate = None;
        }
        admitted
    }

    /// The signalled address is believed at once, unless the same stream is alive elsewhere.
    fn yields_to_signalled(&self, now: Timestamp, ssrc: u32) -> bool {
        self.current.is_none() || !self.is_alive(now) || self.last.is_none_or(|(_, last, _)| last != ssrc)
    }

    fn proves_itself(&mut self, now: Timestamp, from: SocketAddr, ssrc: u32, sequence: u16) -> bool {
        let before = self.candidate.replace(Candidate { from, ssrc, sequence });
        let in_sequence = before.is_some_and(|before| {
            before.from == from && before.ssrc == ssrc && sequence.wrapping_sub(before.sequence) == 1
        });
        in_sequence && (!self.is_alive(now) || self.continues(ssrc, sequence))
    }

    fn continues(&self, ssrc: u32, sequence: u16) -> bool {
        self.last.is_some_and(|(_, last_ssrc, last)| {
            last_ssrc == ssrc && (1..MAX_STEP).contains(&sequence.wrapping_sub(last))
        })
    }

    /// The source, when it stayed where it is for long enough and is still heard.
    pub fn settled(&self, now: Timestamp) -> Option<SocketAddr> {
        let heard = self.last.is_some_and(|(at, ..)| now.since(at) < MISSED);
        self.current.filter(|_| heard && self.latched_at.is_some_and(|at| now.since(at) >= SETTLED))
    }

    fn is_alive(&self, now: Timestamp) -> bool {
        self.last.is_some_and(|(at, ..)| now.since(at) < ALIVE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNALLED: &str = "192.0.2.1:4000";
    const NAT: &str = "203.0.113.9:5555";
    const STRANGER: &str = "198.51.100.66:6666";

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_unix_millis(1_000_000) + Duration::from_millis(ms)
    }

    /// Packets (when, from, ssrc, sequence) and whether each is heard.
    fn check(packets: &[(u64, &str, u32, u16, bool)]) -> Latch {
        let mut latch = Latch::default();
        latch.signal(Some(SIGNALLED.parse().unwrap()));
        for (ms, from, ssrc, sequence, heard) in packets {
            let admitted = latch.admit(at(*ms), from.parse().unwrap(), *ssrc, *sequence, false);
            assert_eq!(admitted, *heard, "{ms} ms {from} {ssrc} {sequence}");
        }
        latch
    }

    #[test]
    fn the_signalled_source_is_believed_at_once() {
        check(&[(0, SIGNALLED, 1, 10, true), (20, SIGNALLED, 1, 11, true)]);
    }

    #[test]
    fn another_source_must_show_two_packets_in_sequence() {
        let latch = check(&[(0, NAT, 1, 10, false), (20, NAT, 1, 12, false), (40, NAT, 1, 13, true)]);
        assert_eq!(
            (latch.target(), latch.moved_to()),
            (Some(NAT.parse().unwrap()), Some(NAT.parse().unwrap()))
        );
    }

    #[test]
    fn a_stranger_can_not_take_over_a_live_stream() {
        check(&[
            (0, SIGNALLED, 1, 10, true),
            (10, STRANGER, 2, 1, false),
            (15, STRANGER, 2, 2, false),
            // Even with the right source identifier he would have to know the sequence numbers.
            (16, STRANGER, 1, 5_000, false),
            (17, STRANGER, 1, 5_001, false),
            (20, SIGNALLED, 1, 11, true),
        ]);
    }

    #[test]
    fn the_stream_may_move() {
        check(&[
            (0, NAT, 1, 10, false),
            (20, NAT, 1, 11, true),
            (40, SIGNALLED, 1, 12, false),
            (60, SIGNALLED, 1, 13, true),
        ]);
    }

    #[test]
    fn the_signalled_source_takes_over_with_a_stream_of_its_own() {
        // Early media came from a server; now the callee itself talks.
        check(&[
            (0, NAT, 1, 10, false),
            (20, NAT, 1, 11, true),
            (40, SIGNALLED, 2, 700, true),
            (45, NAT, 1, 12, false),
        ]);
    }

    #[test]
    fn a_source_that_fell_silent_is_replaced() {
        check(&[(0, SIGNALLED, 1, 10, true), (1_500, NAT, 2, 1, false), (1_520, NAT, 2, 2, true)]);
    }

    #[test]
    fn the_right_key_is_proof_enough() {
        let mut latch = check(&[(0, SIGNALLED, 1, 10, true)]);
        assert!(latch.admit(at(20), NAT.parse().unwrap(), 9, 9, true));
        assert_eq!(latch.target(), Some(NAT.parse().unwrap()));
    }

    #[test]
    fn a_source_is_settled_after_a_while_and_until_it_is_missed() {
        let mut latch = check(&[(0, SIGNALLED, 1, 10, true)]);
        let from = SIGNALLED.parse().unwrap();
        assert_eq!(latch.settled(at(100)), None);
        assert!(latch.admit(at(2_000), from, 1, 11, false));
        assert_eq!(latch.settled(at(2_100)), Some(from));
        assert_eq!(latch.settled(at(2_400)), None);
    }
}
