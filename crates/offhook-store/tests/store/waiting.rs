//! Calls that wait for their time, and calls that belong together.

use offhook_core::EndReason;
use offhook_store::*;
use tokio::task::JoinSet;

use crate::backend::Backend;
use crate::story::{at, call, ended, entries, new_call, owner, store_with_owner};

fn waiting(n: u16, not_before_ms: i64) -> NewCall {
    let ties = Ties {
        not_before: Some(at(not_before_ms)),
        not_after: Some(at(not_before_ms + 1_000)),
        waits: true,
        ..Ties::default()
    };
    NewCall { ties, ..new_call(n) }
}

pub async fn a_call_that_waits_is_begun_once(backend: &Backend) {
    let store = store_with_owner(backend).await;
    for new in [waiting(1, 9_000), waiting(2, 8_000), new_call(3), waiting(4, 7_000)] {
        store.insert_call(&new).await.unwrap();
    }
    let due = |n, ms| (call(n), at(ms));
    assert_eq!(store.waiting_calls().await.unwrap(), [due(4, 7_000), due(2, 8_000), due(1, 9_000)]);
    assert_eq!(store.waiting_calls_of(owner(1)).await.unwrap(), 3);
    assert_eq!(store.waiting_calls_of(owner(2)).await.unwrap(), 0);

    // So it is after a restart, and of many who begin it one does.
    store.close().await;
    let store = backend.open().await;
    assert_eq!(store.call(call(1)).await.unwrap().unwrap().ties, waiting(1, 9_000).ties);
    let mut tries = JoinSet::new();
    for _ in 0..20 {
        let store = store.clone();
        tries.spawn(async move { store.begin_waiting(call(2)).await.unwrap() });
    }
    assert_eq!(tries.join_all().await.into_iter().filter(|begun| *begun).count(), 1);
    assert!(!store.begin_waiting(call(3)).await.unwrap(), "it never waited");
    assert!(!store.begin_waiting(call(9)).await.unwrap(), "there is no such call");
    assert_eq!(store.waiting_calls().await.unwrap(), [due(4, 7_000), due(1, 9_000)]);
    // Begun or not, it is not over.
    let unfinished: Vec<bool> =
        store.unfinished().await.unwrap().into_iter().map(|row| row.ties.waits).collect();
    assert_eq!(unfinished, [true, false, false, true]);

    store.append(call(2), &entries(2, [ended(EndReason::OwnerCancelled, false)])).await.unwrap();
    assert_eq!(store.call(call(2)).await.unwrap().unwrap().lifecycle, Lifecycle::Finalized);
}

pub async fn a_call_counts_for_the_day_of_its_time(backend: &Backend) {
    let store = store_with_owner(backend).await;
    let key = NewKey { owner: owner(1), hash: [1; 32], kind: KeyKind::Proto, label: None, created_at: at(0) };
    store.create_key(&key).await.unwrap();
    // Asked for at 1, 2, 3 and 4 ms; the second and the third are for later, and the third still waits.
    for new in [new_call(1), waiting(2, 9_000), waiting(3, 9_500), new_call(4)] {
        store.insert_call(&new).await.unwrap();
    }
    assert_eq!(store.waiting_calls_of_minted_keys().await.unwrap(), 2);
    assert!(store.begin_waiting(call(2)).await.unwrap());
    assert_eq!(store.waiting_calls_of_minted_keys().await.unwrap(), 1);
    for (since, limit, expected) in [
        (0, 9, vec![9_000, 4, 1]),
        (0, 2, vec![9_000, 4]),
        (3, 9, vec![9_000, 4]),
        (5_000, 9, vec![9_000]),
        (9_001, 9, vec![]),
    ] {
        let expected: Vec<_> = expected.into_iter().map(at).collect();
        let since = at(since);
        assert_eq!(store.newest_calls_of(owner(1), since, limit).await.unwrap(), expected);
        assert_eq!(store.newest_calls_to("+14155550100", since, limit).await.unwrap(), expected);
        assert_eq!(store.newest_calls_of_minted_keys(since, limit).await.unwrap(), expected);
    }
}

pub async fn follow_ups_are_found_from_both_ends(backend: &Backend) {
    let store = store_with_owner(backend).await;
    let after = |n| Ties { follows: Some(call(n)), ..Ties::default() };
    store.insert_call(&new_call(1)).await.unwrap();
    for n in [2, 3] {
        store.insert_call(&NewCall { ties: after(1), ..new_call(n) }).await.unwrap();
    }
    let repeats = Ties { repeats: Some(call(3)), ..after(3) };
    store.insert_call(&NewCall { ties: repeats.clone(), ..new_call(4) }).await.unwrap();

    assert_eq!(store.follow_ups(call(1)).await.unwrap(), [call(2), call(3)]);
    assert_eq!(store.follow_ups(call(4)).await.unwrap(), []);
    assert_eq!(store.call(call(4)).await.unwrap().unwrap().ties, repeats);
}

pub async fn whose_key_was_minted_is_known(backend: &Backend) {
    let store = store_with_owner(backend).await;
    for (n, kind) in [(2, KeyKind::Proto), (3, KeyKind::Owner)] {
        let key = NewKey { owner: owner(n), hash: [n; 32], kind, label: None, created_at: at(0) };
        store.create_key(&key).await.unwrap();
    }
    for (n, minted) in [(1, false), (2, true), (3, false), (9, false)] {
        assert_eq!(store.is_minted(owner(n)).await.unwrap(), minted, "{n}");
    }
    let keys = store.keys(Some(owner(2))).await.unwrap();
    assert!(store.has_good_key(owner(2)).await.unwrap());
    assert!(store.revoke_key(keys[0].id, at(1)).await.unwrap());
    assert!(!store.has_good_key(owner(2)).await.unwrap(), "its only one was revoked");
    assert!(store.has_good_key(owner(3)).await.unwrap());
}
