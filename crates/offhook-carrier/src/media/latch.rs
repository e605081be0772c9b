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
