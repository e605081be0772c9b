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

impl LinePool {
    pub fn new(lines: impl Iterator<Item = (PhoneNumber, usize)>) -> Self {
        let lines = lines.map(|(number, limit)| Line { number, busy: 0, limit }).collect();
        Self { lines: Arc::new(Mutex::new(lines)) }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place on that line, or on the least busy one.
    pub fn take(&self, number: Option<&PhoneNumber>) -> Result<LineSlot, TakeError> {
        let mut lines = self.lock();
        let wanted = |line: &Line| number.is_none_or(|number| line.number == *number);
        if !lines.iter().any(wanted) {
            return Err(TakeError::UnknownLine);
        }
        let free = lines.iter().enumerate().filter(|(_, line)| wanted(line) && line.busy < line.limit);
        let index =
            free.min_by_key(|(_, line)| line.busy).map(|(index, _)| index).ok_or(TakeError::NoLine)?;
        lines[index].busy += 1;
        Ok(LineSlot { pool: self.clone(), index })
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
