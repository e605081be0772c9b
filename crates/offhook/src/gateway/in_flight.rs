//! One at a time for each `Idempotency-Key`.
//!
//! Of a hundred simultaneous requests with the same key one places the call. The others wait for that, rather than
//! being counted against limits as calls that they are not.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use offhook_core::OwnerId;
use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

type Key = (OwnerId, String);

#[derive(Clone, Debug, Default)]
pub(super) struct InFlight {
    keys: Arc<Mutex<HashMap<Key, Arc<Turn<()>>>>>,
}

/// The one request with this key that is worked on; dropping it lets the next one have its turn.
#[derive(Debug)]
pub(super) struct OnlyOne {
    in_flight: InFlight,
    key: Key,
    turn: Option<OwnedMutexGuard<()>>,
}

impl InFlight {
    pub async fn only_one(&self, owner: OwnerId, key: &str) -> OnlyOne {
        let key = (owner, key.to_owned());
        let turn = Arc::clone(self.lock().entry(key.clone()).or_default());
        // Made before the wait, so that whoever stops waiting is forgotten too.
        let mut only_one = OnlyOne { in_flight: self.clone(), key, turn: None };
        only_one.turn = Some(turn.lock_owned().await);
        only_one
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Arc<Turn<()>>>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OnlyOne {
    fn drop(&mut self) {
        let mut keys = self.in_flight.lock();
        self.turn.take();
        if keys.get(&self.key).is_some_and(|turn| Arc::strong_count(turn) == 1) {
            keys.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use offhook_core::Timestamp;

    #[tokio::test]
    async fn one_after_the_other_and_nothing_is_kept() {
        let in_flight = InFlight::default();
        let owner = |n| OwnerId::from_parts(Timestamp::default(), [n; 10]);
        let first = in_flight.only_one(owner(1), "order 17").await;
        let mut second = Box::pin(in_flight.only_one(owner(1), "order 17"));
        let mut given_up = Box::pin(in_flight.only_one(owner(1), "order 17"));
        assert!(futures_util::poll!(&mut second).is_pending());
        assert!(futures_util::poll!(&mut given_up).is_pending());
        drop(in_flight.only_one(owner(2), "order 17").await);
        drop(in_flight.only_one(owner(1), "order 18").await);
        drop(given_up);
        drop(first);
        drop(second.await);
        assert!(in_flight.lock().is_empty());
    }
}
