//! The pool of our numbers: how many calls each may carry, and which is free.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use offhook_core::PhoneNumber;

/// One of our numbers, as it stands now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineStatus {
    pub number: PhoneNumber,
    pub display_name: Option<String>,
    pub trunk: String,
    pub busy: usize,
    pub limit: usize,
    /// Whether its trunk has registered us; `None` where no registration is asked for.
    pub registered: Option<bool>,
}

#[derive(Debug)]
struct Line {
    number: PhoneNumber,
    busy: usize,
    limit: usize,
}

/// Cheap to clone; all clones count together.
#[derive(Clone, Debug)]
pub(crate) struct LinePool {
    lines: Arc<Mutex<Vec<Line>>>,
}

/// A call's place on a line; dropping it frees the place.
#[derive(Debug)]
pub(crate) struct LineSlot {
    pool: LinePool,
    pub index: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TakeError {
    NoLine,
    UnknownLine,
}

/// How much the best line of a pool has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Load {
    Free { ill: bool, busy: usize },
    Full,
}

impl LinePool {
    pub fn new(lines: impl Iterator<Item = (PhoneNumber, usize)>) -> Self {
        let lines = lines.map(|(number, limit)| Line { number, busy: 0, limit }).collect();
        Self { lines: Arc::new(Mutex::new(lines)) }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place on that line, or on the least busy one of those that are `well`; of the others if none is.
    pub fn take(
        &self,
        number: Option<&PhoneNumber>,
        well: impl Fn(usize) -> bool,
    ) -> Result<LineSlot, TakeError> {
        let mut lines = self.lock();
        let wanted = |line: &Line| number.is_none_or(|number| line.number == *number);
        if !lines.iter().any(wanted) {
            return Err(TakeError::UnknownLine);
        }
        let free = lines.iter().enumerate().filter(|(_, line)| wanted(line) && line.busy < line.limit);
        let best = free.min_by_key(|(index, line)| (!well(*index), line.busy));
        let index = best.map(|(index, _)| index).ok_or(TakeError::NoLine)?;
        lines[index].busy += 1;
        Ok(LineSlot { pool: self.clone(), index })
    }

    /// How the line stands that [`Self::take`] would take; whoever is less is to be preferred.
    pub fn load(&self, number: Option<&PhoneNumber>, well: impl Fn(usize) -> bool) -> Load {
        let lines = self.lock();
        let wanted = |line: &Line| number.is_none_or(|number| line.number == *number);
        let free = lines.iter().enumerate().filter(|(_, line)| wanted(line) && line.busy < line.limit);
        free.map(|(index, line)| Load::Free { ill: !well(index), busy: line.busy })
            .min()
            .unwrap_or(Load::Full)
    }

    pub fn busy(&self) -> Vec<usize> {
        self.lock().iter().map(|line| line.busy).collect()
    }
}

impl Drop for LineSlot {
    fn drop(&mut self) {
        self.pool.lock()[self.index].busy -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_busy_line_that_is_well_is_taken_and_given_back() {
        let numbers =
            ["+14155550191", "+14155550192", "+14155550193"].map(|text| PhoneNumber::parse(text).unwrap());
        let pool = LinePool::new(numbers.iter().cloned().zip([2, 1, 1]));
        let all_but_the_third = |index| index != 2;
        let mut slots = Vec::new();
        for expected in [0, 1, 0, 2] {
            let slot = pool.take(None, all_but_the_third).unwrap();
            assert_eq!(slot.index, expected);
            slots.push(slot);
        }
        assert_eq!(pool.take(None, |_| true).err(), Some(TakeError::NoLine));
        assert_eq!(pool.take(Some(&numbers[1]), |_| true).err(), Some(TakeError::NoLine));
        let stranger = PhoneNumber::parse("+14155550199").unwrap();
        assert_eq!(pool.take(Some(&stranger), |_| true).err(), Some(TakeError::UnknownLine));
        slots.remove(1);
        assert_eq!(pool.busy(), [2, 0, 1]);
        assert_eq!(pool.take(Some(&numbers[1]), |_| false).unwrap().index, 1);
    }
}
