//! Who is due: members spread over the 20 ms of a frame, each due once a turn.

use crate::marker::FRAME_NANOS;
use crate::stats::Histogram;

pub const SLOTS: u64 = 80;
pub const SLOT_NANOS: u64 = FRAME_NANOS / SLOTS;

#[derive(Debug)]
pub struct Wheel {
    slots: Vec<Vec<u32>>,
    started_at: u64,
    /// The slot that comes next, counted from the start.
    next: u64,
    /// How late slots were, because the generator had something else to do.
    pub lateness: Histogram,
}

impl Wheel {
    pub fn new(now: u64) -> Self {
        let slots = vec![Vec::new(); SLOTS as usize];
        Self { slots, started_at: now, next: 0, lateness: Histogram::default() }
    }

    pub fn insert(&mut self, member: u32, place: u32) {
        self.slots[Self::slot(place)].push(member);
    }

    pub fn remove(&mut self, member: u32, place: u32) {
        self.slots[Self::slot(place)].retain(|other| *other != member);
    }

    /// Neighbours are far apart, and any number of them is spread evenly: 33 and 80 have no common divisor.
    fn slot(place: u32) -> usize {
        (u64::from(place) * 33 % SLOTS) as usize
    }

    /// The next members that are due, if any slot is.
    pub fn turn(&mut self, now: u64) -> Option<&[u32]> {
        let due_at = self.started_at + self.next * SLOT_NANOS;
        let late = now.checked_sub(due_at)?;
        self.lateness.add(late);
        let slot = (self.next % SLOTS) as usize;
        self.next += 1;
        Some(&self.slots[slot])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_due_once_a_turn() {
        let mut wheel = Wheel::new(1_000);
        for member in 0..200 {
            wheel.insert(member, member);
        }
        wheel.remove(7, 7);
        assert!(wheel.turn(999).is_none());
        let mut due = Vec::new();
        while let Some(members) = wheel.turn(1_000 + FRAME_NANOS - 1) {
            due.extend_from_slice(members);
            assert!((2..=3).contains(&members.len()));
        }
        due.sort_unstable();
        assert_eq!(due, (0..200).filter(|member| *member != 7).collect::<Vec<_>>());
    }
}
