//! Puts packets back into the order they were sent in.
//!
//! Our listener is a speech model, not a loudspeaker: it needs every packet, in order, and does not care when. So an
//! in-order packet passes through at once, and only a gap makes anything wait, for [`GAP_WAIT`] at most.

use std::time::Duration;

use offhook_core::{AudioFormat, Timestamp};

/// How long packets behind a gap wait for the missing one.
pub const GAP_WAIT: Duration = Duration::from_millis(60);

/// How many packets can wait behind a gap.
const CAPACITY: usize = 16;

/// A jump forward by more than this is a new sequence, not a loss (RFC 3550 A.1).
const MAX_DROPOUT: u16 = 3_000;

/// Further behind than this is a new sequence, not a late packet (RFC 3550 A.1).
const MAX_MISORDER: u16 = 100;

/// What a packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    Audio(AudioFormat),
    /// Comfort noise (RFC 3389): from here on nothing is said.
    Silence,
    /// A telephone-event: time in which no audio is sent.
    Event,
}

/// A packet as the rest of the inbound path sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    pub sequence: u16,
    pub timestamp: u32,
    pub content: Content,
    pub payload: &'a [u8],
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// Handed on, or waiting for an earlier one.
    Taken,
    /// Its place was already given to a substitute.
    Late,
    Duplicate,
    /// Its sequence number has nothing to do with the ones before.
    Foreign,
}

#[derive(Debug, Default)]
struct Slot {
    /// `None`: free.
    sequence: Option<u16>,
    arrived_at: Timestamp,
    timestamp: u32,
    content: Option<Content>,
    payload: Vec<u8>,
}

#[derive(Debug, Default)]
pub struct Jitter {
    /// The sequence number to be handed on next.
    next: Option<u16>,
    /// One bit for each of the 64 numbers before `next`: set when it really arrived.
    arrived: u64,
    /// Empty until the first gap; then kept with its buffers.
    waiting: Vec<Slot>,
    held: usize,
    give_up_at: Option<Timestamp>,
}

impl Jitter {
    /// Take a packet; `out` is called for each packet whose turn has come, with the number of lost ones before it.
    pub fn arrive(
        &mut self,
        now: Timestamp,
        packet: Packet<'_>,
        mut out: impl FnMut(Packet<'_>, u16),
    ) -> Arrival {
        let next = *self.next.get_or_insert(packet.sequence);
        let ahead = packet.sequence.wrapping_sub(next);
        if ahead == 0 {
            self.hand_on(packet, 0, &mut out);
            self.drain(&mut out);
            return Arrival::Taken;
        }
        if ahead >= MAX_DROPOUT {
            return self.behind(next.wrapping_sub(packet.sequence));
        }
        if self.holds(packet.sequence) {
            return Arrival::Duplicate;
        }
        while self.held == CAPACITY
            || (self.held > 0 && usize::from(self.ahead_of_next(packet.sequence)) >= 2 * CAPACITY)
        {
            self.skip_gap(&mut out);
            self.drain(&mut out);
        }
        // Giving up on older gaps may have brought this one's turn.
        if self.next == Some(packet.sequence) {
            self.hand_on(packet, 0, &mut out);
            self.drain(&mut out);
        } else {
            self.hold(now, packet);
        }
        Arrival::Taken
    }

    /// Give up on what is missing when its time is over.
    pub fn timeout(&mut self, now: Timestamp, mut out: impl FnMut(Packet<'_>, u16)) {
        while self.give_up_at.is_some_and(|at| at <= now) {
            self.skip_gap(&mut out);
            self.drain(&mut out);
        }
    }

    pub fn deadline(&self) -> Option<Timestamp> {
        self.give_up_at
    }

    /// Start anew with the next packet, whatever its number.
    pub fn reset(&mut self) {
        self.next = None;
        self.arrived = 0;
        self.held = 0;
        self.give_up_at = None;
        self.waiting.iter_mut().for_each(|slot| slot.sequence = None);
    }

    fn behind(&self, behind: u16) -> Arrival {
        if behind > MAX_MISORDER {
            return Arrival::Foreign;
        }
        match behind {
            1..=64 if self.arrived & 1 << (behind - 1) != 0 => Arrival::Duplicate,
            _ => Arrival::Late,
        }
    }

    fn ahead_of_next(&self, sequence: u16) -> u16 {
        sequence.wrapping_sub(self.next.unwrap_or(sequence))
    }

    fn holds(&self, sequence: u16) -> bool {
        self.held > 0 && self.waiting.iter().any(|slot| slot.sequence == Some(sequence))
    }

    fn hold(&mut self, now: Timestamp, packet: Packet<'_>) {
        if self.waiting.is_empty() {
            self.waiting.resize_with(CAPACITY, Slot::default);
        }
        let Some(slot) = self.waiting.iter_mut().find(|slot| slot.sequence.is_none()) else { return };
        slot.sequence = Some(packet.sequence);
        slot.arrived_at = now;
        slot.timestamp = packet.timestamp;
        slot.content = Some(packet.content);
        slot.payload.clear();
        slot.payload.extend_from_slice(packet.payload);
        self.held += 1;
        self.give_up_at.get_or_insert(now + GAP_WAIT);
    }

    fn hand_on(&mut self, packet: Packet<'_>, lost: u16, out: &mut impl FnMut(Packet<'_>, u16)) {
        let step = u32::from(lost) + 1;
        self.arrived = self.arrived.checked_shl(step).unwrap_or(0) | 1;
        self.next = Some(packet.sequence.wrapping_add(1));
        out(packet, lost);
    }

    /// Hand on everything that waits in unbroken order.
    fn drain(&mut self, out: &mut impl FnMut(Packet<'_>, u16)) {
        while self.held > 0 {
            let next = self.next;
            let Some(index) =
                self.waiting.iter().position(|slot| slot.sequence.is_some() && slot.sequence == next)
            else {
                break;
            };
            self.release(index, 0, out);
        }
        let held = self.waiting.iter().filter(|slot| slot.sequence.is_some());
        self.give_up_at =
            if self.held == 0 { None } else { held.map(|slot| slot.arrived_at + GAP_WAIT).min() };
    }

    /// Call the numbers before the first waiting packet lost, and hand it on.
    fn skip_gap(&mut self, out: &mut impl FnMut(Packet<'_>, u16)) {
        let first = (0..self.waiting.len())
            .filter(|index| self.waiting[*index].sequence.is_some())
            .min_by_key(|index| self.waiting[*index].sequence.map(|sequence| self.ahead_of_next(sequence)));
        let Some(index) = first else { return };
        let lost = self.waiting[index].sequence.map_or(0, |sequence| self.ahead_of_next(sequence));
        self.release(index, lost, out);
    }

    fn release(&mut self, index: usize, lost: u16, out: &mut impl FnMut(Packet<'_>, u16)) {
        let Some(sequence) = self.waiting[index].sequence.take() else { return };
        self.held -= 1;
        let payload = std::mem::take(&mut self.waiting[index].payload);
        let Slot { timestamp, content, .. } = self.waiting[index];
        let content = content.unwrap_or(Content::Event);
        self.hand_on(Packet { sequence, timestamp, content, payload: &payload }, lost, out);
        self.waiting[index].payload = payload;
    }
}
