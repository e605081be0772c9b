//! When to look at what again: one instant for each thing, soonest first.

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use super::Timer;

#[derive(Debug, Default)]
pub(super) struct Timers {
    by_time: BTreeSet<(Instant, Timer)>,
    set: HashMap<Timer, Instant>,
}

impl Timers {
    /// Wake `timer` then, and no longer at the instant it had; `None` never.
    pub fn set(&mut self, timer: Timer, at: Option<Instant>) {
        let before = match at {
            Some(at) => self.set.insert(timer, at),
            None => self.set.remove(&timer),
        };
        if before == at {
            return;
        }
        if let Some(before) = before {
            self.by_time.remove(&(before, timer));
        }
        if let Some(at) = at {
            self.by_time.insert((at, timer));
        }
    }

    pub fn next_at(&self) -> Option<Instant> {
        self.by_time.first().map(|(at, _)| *at)
    }

    pub fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        let (at, timer) = *self.by_time.first()?;
        if at > now {
            return None;
        }
        self.set(timer, None);
        Some(timer)
    }

    pub fn give_memory_back(&mut self) {
        if self.set.capacity() > 4_096 && self.set.len() * 8 < self.set.capacity() {
            self.set.shrink_to(1_024);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_thing_has_one_instant() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut timers = Timers::default();
        timers.set(Timer::Call(1), Some(at(50)));
        timers.set(Timer::Call(2), Some(at(20)));
        timers.set(Timer::Call(1), Some(at(10)));
        timers.set(Timer::Client(1), Some(at(30)));
        timers.set(Timer::Client(1), None);
        assert_eq!(timers.next_at(), Some(at(10)));
        assert_eq!(timers.pop_due(at(5)), None);
        assert_eq!(timers.pop_due(at(60)), Some(Timer::Call(1)));
        assert_eq!(timers.pop_due(at(60)), Some(Timer::Call(2)));
        assert_eq!((timers.pop_due(at(60)), timers.next_at(), timers.set.len()), (None, None, 0));
    }
}
