//! The same call again: whether it is another try of one that never got anywhere.
//!
//! A call that failed before anything rang may be tried once more without asking anybody, by offhook itself or by
//! whoever placed it, not by both. That is kept in memory only: after a restart nothing is tried again by itself, and
//! who asks then asks anew.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest;
use offhook_core::end::Retry;
use offhook_core::{CallId, Fact, OwnerId, Timestamp};
use offhook_store::{CallRow, StoreError};

use super::wish::Wish;
use super::{Caller, Gateway, PlaceCallError};

/// A call that is not over by then got somewhere.
const REMEMBERED: Duration = Duration::from_secs(15 * 60);
/// Calls that are remembered before the old ones are looked through.
const CROWD: usize = 1_024;

/// Whose call, and which: the number and what is asked there.
type Wanted = (OwnerId, [u8; 32]);

/// The last call for each wish of late.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    last: Mutex<HashMap<Wanted, (CallId, Timestamp)>>,
}

/// What a call is to the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    /// Nothing: that one got somewhere, or is long over.
    Nothing,
    /// It may be tried once more, and this is that.
    Failed,
    /// It was tried twice.
    TriedTwice { over_at: Timestamp },
}

impl Repeats {
    fn last(&self, wanted: &Wanted) -> Option<CallId> {
        self.lock().get(wanted).map(|(call, _)| *call)
    }

    fn note(&self, wanted: Wanted, call: CallId, now: Timestamp) {
        let mut last = self.lock();
        if last.len() >= CROWD && last.len().is_power_of_two() {
            last.retain(|_, (_, placed_at)| now.since(*placed_at) < REMEMBERED);
        }
        last.insert(wanted, (call, now));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Wanted, (CallId, Timestamp)>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gateway {
    /// The call that this one is another try of, or why there is none.
    pub(super) async fn tried_before(
        &self,
        caller: Caller,
        wish: &Wish,
        now: Timestamp,
    ) -> Result<Option<CallId>, PlaceCallError> {
        let window = self.inner.settings.repeat_window;
        let Some(last) = self.inner.repeats.last(&wanted(caller, wish)) else { return Ok(None) };
        let before =
            self.before(last, window, now).await.map_err(|error| super::place::unreadable(&error))?;
        match before {
            Before::Nothing => Ok(None),
            Before::Failed => Ok(Some(last)),
            Before::TriedTwice { over_at } => {
                Err(PlaceCallError::TriedTwice { retry_after: (over_at + window).since(now) })
            }
        }
    }

    pub(super) fn remember(&self, caller: Caller, wish: &Wish, call: CallId, now: Timestamp) {
        self.inner.repeats.note(wanted(caller, wish), call, now);
    }

    async fn before(&self, last: CallId, window: Duration, now: Timestamp) -> Result<Before, StoreError> {
        let store = &self.inner.store;
        let Some(row) = store.call(last).await? else { return Ok(Before::Nothing) };
        let Some((end, over_at)) = row.end.as_ref().zip(row.finalized_at) else { return Ok(Before::Nothing) };
        if now.since(over_at) >= window {
            return Ok(Before::Nothing);
        }
        let facts = store.journal(last, 0).await?;
        let has = |fits: fn(&Fact) -> bool| facts.iter().any(|entry| fits(&entry.fact));
        let rang = has(|fact| matches!(fact, Fact::Ringing { .. }));
        if end.reason.retry(rang, row.answered_at.is_some()) != Retry::OnceSilently {
            return Ok(Before::Nothing);
        }
        let tried = is_second_try(&row, has(|fact| matches!(fact, Fact::DialRetried { .. })));
        Ok(if tried { Before::TriedTwice { over_at } } else { Before::Failed })
    }
}

/// The one retry was used, by whoever placed the call or by offhook itself.
pub(super) fn is_second_try(row: &CallRow, dialled_again: bool) -> bool {
    dialled_again || row.ties.repeats.is_some()
}

fn wanted(caller: Caller, wish: &Wish) -> Wanted {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(wish.to.as_e164().as_bytes());
    context.update(&[0]);
    context.update(wish.brief.task.trim().as_bytes());
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    (caller.owner, hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_long_past_is_forgotten() {
        let repeats = Repeats::default();
        let id = |n: u16| {
            let [high, low] = n.to_be_bytes();
            [high, low, 0, 0, 0, 0, 0, 0, 0, 0]
        };
        let at = |seconds: i64| Timestamp::from_unix_micros(seconds * 1_000_000);
        let owner = OwnerId::from_parts(at(0), id(0));
        for n in 0..CROWD as u16 {
            let hash = std::array::from_fn(|at| *id(n).get(at).unwrap_or(&0));
            repeats.note((owner, hash), CallId::from_parts(at(0), id(n)), at(0));
        }
        assert_eq!(repeats.lock().len(), CROWD);
        let (late, call) = (at(REMEMBERED.as_secs() as i64), CallId::from_parts(at(0), id(9)));
        repeats.note((owner, [9; 32]), call, late);
        assert_eq!(repeats.lock().len(), 1);
        assert_eq!(repeats.last(&(owner, [9; 32])), Some(call));
        assert_eq!(repeats.last(&(owner, [0; 32])), None);
    }
}
