//! Keys that were good a while ago, for when the store can't be asked: a call must be hung up whatever the store does.
//!
//! Only the hash is kept, as in the store. Whoever is let in by it can do no more than the store does: read nothing,
//! place nothing.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use offhook_core::OwnerId;

use super::Caller;

/// Some hundred kilobytes.
const MOST: usize = 4_096;

type Hash = [u8; 32];

#[derive(Debug, Default)]
pub(super) struct KnownKeys(Mutex<HashMap<Hash, Caller>>);

impl KnownKeys {
    pub fn learn(&self, hash: Hash, caller: Caller) {
        let mut keys = self.lock();
        if keys.len() >= MOST && !keys.contains_key(&hash) {
            // Whose turn it is does not matter: it is learnt again with its next request.
            let some = keys.keys().next().copied();
            some.map(|some| keys.remove(&some));
        }
        keys.insert(hash, caller);
    }

    pub fn forget(&self, hash: &Hash) {
        self.lock().remove(hash);
    }

    /// Of this owner nothing is known any more, until it is learnt again.
    pub fn forget_owner(&self, owner: OwnerId) {
        self.lock().retain(|_, caller| caller.owner != owner);
    }

    pub fn caller(&self, hash: &Hash) -> Option<Caller> {
        self.lock().get(hash).copied()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Hash, Caller>> {
        // Each change is one insert or remove.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use offhook_core::Timestamp;

    #[test]
    fn it_knows_a_limited_number() {
        let keys = KnownKeys::default();
        let caller = Caller {
            owner: OwnerId::from_parts(Timestamp::default(), [1; 10]),
            admin: false,
            anonymous: false,
            bound: false,
        };
        let hash = |n: usize| {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&n.to_be_bytes());
            hash
        };
        for n in 0..MOST + 10 {
            keys.learn(hash(n), caller);
            assert_eq!(keys.caller(&hash(n)), Some(caller));
        }
        assert_eq!(keys.lock().len(), MOST);
        keys.forget(&hash(MOST + 9));
        assert_eq!(keys.caller(&hash(MOST + 9)), None);
        let other = Caller { owner: OwnerId::from_parts(Timestamp::default(), [2; 10]), ..caller };
        keys.learn(hash(0), other);
        keys.forget_owner(caller.owner);
        assert_eq!((keys.caller(&hash(MOST + 8)), keys.caller(&hash(0))), (None, Some(other)));
    }
}
