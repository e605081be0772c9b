//! What belongs to an owner besides keys and calls.

use offhook_core::{CallId, EndReason, Fact};
use offhook_store::*;

use crate::backend::Backend;
use crate::story::{answered, at, call, dialing, entries, finished_call, new_call, owner, store_with_owner};

/// A call that was over at this millisecond, after a conversation of this length or none.
async fn over(store: &Store, new: &NewCall, end_ms: i64, talk_ms: Option<u32>) {
    assert_eq!(store.insert_call(new).await.unwrap(), Inserted::New);
    let mut facts = vec![dialing()];
    facts.extend(talk_ms.map(|_| answered()));
    facts.push(Fact::Ended {
        reason: EndReason::RemoteHungUp,
        answered: talk_ms.is_some(),
        talk_ms: talk_ms.unwrap_or_default(),
        sip_status: None,
        q850_cause: None,
    });
    let mut facts = entries(2, facts);
    facts.iter_mut().for_each(|entry| entry.at = at(end_ms));
    store.append(new.id, &facts).await.unwrap();
}

pub async fn what_was_talked_is_counted(backend: &Backend) {
    let store = store_with_owner(backend).await;
    let minted =
        NewKey { owner: owner(2), hash: [2; 32], kind: KeyKind::Proto, label: None, created_at: at(0) };
    store.create_key(&minted).await.unwrap();
    over(&store, &new_call(1), 10_000, Some(4_000)).await;
    over(&store, &new_call(2), 20_000, None).await;
    over(&store, &new_call(3), 30_000, Some(90_000)).await;
    over(&store, &NewCall { direction: Direction::Inbound, ..new_call(4) }, 31_000, Some(9_000)).await;
    over(&store, &NewCall { owner: owner(2), ..new_call(5) }, 32_000, Some(7_000)).await;
    store.insert_call(&new_call(6)).await.unwrap();

    let short = Talk { over_at: at(10_000), talk_ms: 4_000 };
    let long = Talk { over_at: at(30_000), talk_ms: 90_000 };
    for (since, expected) in
        [(at(0), vec![short, long]), (at(10_001), vec![long]), (at(30_000), vec![long]), (at(30_001), vec![])]
    {
        assert_eq!(store.talks_of(owner(1), since).await.unwrap(), expected);
    }
    let of_minted = [Talk { over_at: at(32_000), talk_ms: 7_000 }];
    assert_eq!(store.talks_of_minted_keys(at(0)).await.unwrap(), of_minted);
    for (owner_n, shortest_ms, calls, talk_ms) in
        [(1, 0, 2, 94_000), (1, 5_000, 1, 90_000), (2, 5_000, 1, 7_000), (3, 0, 0, 0)]
    {
        let talked = store.talked(owner(owner_n), shortest_ms).await.unwrap();
        assert_eq!(talked, Talked { calls, talk_ms }, "{owner_n} {shortest_ms}");
    }
}

pub async fn a_history_is_ordered_by_the_end(backend: &Backend) {
    let store = store_with_owner(backend).await;
    store.create_owner(owner(2), at(0)).await.unwrap();
    // Placed in the order of their numbers, ended in another.
    for (n, end_ms) in [(1, 30_000), (2, 10_000), (3, 20_000)] {
        over(&store, &new_call(n), end_ms, Some(5_000)).await;
    }
    over(&store, &NewCall { owner: owner(2), ..new_call(4) }, 25_000, Some(5_000)).await;
    store.insert_call(&new_call(5)).await.unwrap();
    let own = CallFilter { owner: Some(owner(1)), live: Some(false), ..CallFilter::default() };
    for (filter, expected) in [
        (own.clone(), vec![1, 3, 2]),
        (CallFilter { limit: 2, ..own.clone() }, vec![1, 3]),
        (CallFilter { finalized_since: Some(at(20_000)), ..own.clone() }, vec![1, 3]),
        (CallFilter { owner: None, ..own.clone() }, vec![1, 4, 3, 2]),
        (CallFilter { direction: Some(Direction::Inbound), ..own }, vec![]),
    ] {
        let found: Vec<CallId> = store.calls(&filter).await.unwrap().into_iter().map(|row| row.id).collect();
        assert_eq!(found, expected.into_iter().map(call).collect::<Vec<_>>(), "{filter:?}");
    }
}

pub async fn preferences_are_replaced_and_cleared(backend: &Backend) {
    let store = store_with_owner(backend).await;
    finished_call(&store, &new_call(1), "hello").await;
    assert_eq!(store.preferences(owner(1)).await.unwrap(), None);
    let full = Preferences {
        voice: Some("sarah".into()),
        personality: Some("Brief.".into()),
        greeting: Some("Hello.".into()),
        warm_greeting: Some(false),
    };
    let other = Preferences { voice: Some("eric".into()), ..Preferences::default() };
    for new in [&full, &other, &full] {
        assert!(store.set_preferences(owner(1), new, at(1)).await.unwrap());
        assert_eq!(store.preferences(owner(1)).await.unwrap().as_ref(), Some(new));
    }
    assert!(!store.set_preferences(owner(2), &full, at(1)).await.unwrap(), "there is no such owner");
    store.clear_preferences(owner(1)).await.unwrap();
    assert_eq!(store.preferences(owner(1)).await.unwrap(), None);
}

pub async fn owners_have_an_address_and_limits(backend: &Backend) {
    let store = store_with_owner(backend).await;
    assert!(store.set_email(owner(1), Some("Mira@Example.com")).await.unwrap());
    assert!(!store.set_email(owner(2), Some("x@example.com")).await.unwrap());
    let limits = r#"{"calls_per_day":5}"#;
    assert!(store.set_limits(owner(1), Some(limits)).await.unwrap());
    assert!(!store.set_limits(owner(2), Some(limits)).await.unwrap());
    let found = store.owner(owner(1)).await.unwrap().unwrap();
    assert_eq!((found.email.as_deref(), found.limits.as_deref()), (Some("mira@example.com"), Some(limits)));
    assert_eq!(store.owners().await.unwrap(), [found]);
    assert_eq!(store.owner(owner(2)).await.unwrap(), None);
}
