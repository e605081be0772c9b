//! Whose turn it is: a pure schedule of calls with something to deliver. Time is an argument.
//!
//! One round at a time for each call keeps its events in order. No owner takes more than its share of the rounds that
//! go on at once: a receiver that answers slowly holds up nobody else.

use std::collections::{BTreeSet, HashMap, hash_map};

use offhook_core::{CallId, OwnerId, Timestamp};

/// Calls with a webhook that is not done.
#[derive(Debug)]
pub(super) struct Schedule {
    calls: HashMap<CallId, Entry>,
    due: BTreeSet<(Timestamp, CallId)>,
    /// Rounds that go on, by owner.
    running: HashMap<OwnerId, usize>,
    at_once: usize,
    at_once_per_owner: usize,
}

#[derive(Debug)]
struct Entry {
    owner: OwnerId,
    turn: Turn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// Nothing to deliver yet.
    Waiting,
    Due(Timestamp),
    /// `again`: something came up meanwhile.
    Running {
        again: bool,
    },
}

/// What a round found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// Everything there is was delivered.
    Nothing,
    Later(Timestamp),
    /// There will never be anything more.
    Done,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Round(CallId),
    Wait(Timestamp),
    /// Until something changes.
    Idle,
}

impl Schedule {
    pub fn new(at_once: usize, at_once_per_owner: usize) -> Self {
        Self {
            calls: HashMap::new(),
            due: BTreeSet::new(),
            running: HashMap::new(),
            at_once: at_once.max(1),
            at_once_per_owner: at_once_per_owner.max(1),
        }
    }

    /// A call that is not known yet; it has its turn at `due`.
    pub fn add(&mut self, call: CallId, owner: OwnerId, due: Timestamp) {
        if let hash_map::Entry::Vacant(vacant) = self.calls.entry(call) {
            vacant.insert(Entry { owner, turn: Turn::Due(due) });
            self.due.insert((due, call));
        }
    }

    /// Something may have come up. What is to be tried again later is not tried sooner.
    pub fn poke(&mut self, call: CallId, now: Timestamp) {
        let Some(entry) = self.calls.get_mut(&call) else { return };
        match &mut entry.turn {
            turn @ Turn::Waiting => {
                *turn = Turn::Due(now);
                self.due.insert((now, call));
            }
            Turn::Due(_) => {}
            Turn::Running { again } => *again = true,
        }
    }

    /// Begin a round, if one may begin; it is over when [`Self::rest`] is told.
    pub fn next(&mut self, now: Timestamp) -> Next {
        if self.running.values().sum::<usize>() >= self.at_once {
            return Next::Idle;
        }
        let has_room = |call: &CallId| {
            let owner = &self.calls[call].owner;
            self.running.get(owner).is_none_or(|running| *running < self.at_once_per_owner)
        };
        let Some((at, call)) = self.due.iter().find(|(_, call)| has_room(call)).copied() else {
            return Next::Idle;
        };
        if at > now {
            return Next::Wait(at);
        }
        self.due.remove(&(at, call));
        if let Some(entry) = self.calls.get_mut(&call) {
            entry.turn = Turn::Running { again: false };
            *self.running.entry(entry.owner).or_default() += 1;
        }
        Next::Round(call)
    }

    /// A round is over.
    pub fn rest(&mut self, call: CallId, rest: Rest, now: Timestamp) {
        let Some(entry) = self.calls.get_mut(&call) else { return };
        let Turn::Running { again } = entry.turn else { return };
        let owner = entry.owner;
        let due = match rest {
            Rest::Done => {
                self.calls.remove(&call);
                return self.leave(owner);
            }
            Rest::Later(at) => Some(at),
            Rest::Nothing => again.then_some(now),
        };
        entry.turn = due.map_or(Turn::Waiting, Turn::Due);
        self.due.extend(due.map(|at| (at, call)));
        self.leave(owner);
    }

    fn leave(&mut self, owner: OwnerId) {
        if let Some(running) = self.running.get_mut(&owner) {
            *running -= 1;
            if *running == 0 {
                self.running.remove(&owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_millis(seconds * 1_000)
    }

    fn call(n: u8) -> CallId {
        CallId::from_parts(at(0), [n; 10])
    }

    fn owner(n: u8) -> OwnerId {
        OwnerId::from_parts(at(0), [n; 10])
    }

    #[test]
    fn a_call_goes_one_round_at_a_time() {
        let mut schedule = Schedule::new(10, 10);
        schedule.add(call(1), owner(1), at(0));
        assert_eq!(schedule.next(at(0)), Next::Round(call(1)));
        // Known already, and busy: it is looked at once more when the round is over.
        schedule.add(call(1), owner(1), at(0));
        schedule.poke(call(1), at(1));
        assert_eq!(schedule.next(at(1)), Next::Idle);
        schedule.rest(call(1), Rest::Nothing, at(2));
        assert_eq!(schedule.next(at(2)), Next::Round(call(1)));
        schedule.rest(call(1), Rest::Nothing, at(3));
        assert_eq!(schedule.next(at(3)), Next::Idle);
        schedule.poke(call(1), at(4));
        assert_eq!(schedule.next(at(4)), Next::Round(call(1)));
        schedule.rest(call(1), Rest::Done, at(5));
        schedule.poke(call(1), at(6));
        assert_eq!(schedule.next(at(6)), Next::Idle);
        assert!(schedule.calls.is_empty() && schedule.running.is_empty());
    }

    #[test]
    fn what_comes_up_does_not_hurry_what_has_to_wait() {
        let mut schedule = Schedule::new(10, 10);
        schedule.add(call(1), owner(1), at(0));
        assert_eq!(schedule.next(at(0)), Next::Round(call(1)));
        schedule.poke(call(1), at(1));
        schedule.rest(call(1), Rest::Later(at(30)), at(1));
        schedule.poke(call(1), at(2));
        assert_eq!(schedule.next(at(2)), Next::Wait(at(30)));
        assert_eq!(schedule.next(at(30)), Next::Round(call(1)));
    }

    #[test]
    fn no_owner_holds_up_another() {
        let mut schedule = Schedule::new(3, 2);
        (1..=4).for_each(|n| schedule.add(call(n), owner(1), at(0)));
        schedule.add(call(9), owner(2), at(1));
        assert_eq!(schedule.next(at(1)), Next::Round(call(1)));
        assert_eq!(schedule.next(at(1)), Next::Round(call(2)));
        assert_eq!(schedule.next(at(1)), Next::Round(call(9)));
        assert_eq!(schedule.next(at(1)), Next::Idle, "three at once");
        schedule.rest(call(9), Rest::Done, at(1));
        assert_eq!(schedule.next(at(1)), Next::Idle, "two of one owner");
        schedule.rest(call(1), Rest::Done, at(1));
        assert_eq!(schedule.next(at(1)), Next::Round(call(3)));
    }
}
