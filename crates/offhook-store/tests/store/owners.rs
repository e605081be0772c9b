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

    let talk = |n: u16, end_ms, talk_ms| {
        let (call, to) = (call(n), new_call(n).request.to);
        Talk { call, to: Some(to), user: None, over_at: at(end_ms), talk_ms }
    };
    let (short, long) = (talk(1, 10_000, 4_000), talk(3, 30_000, 90_000));
    for (since, but, expected) in [
        (at(0), &[][..], vec![&short, &long]),
        (at(10_001), &[], vec![&long]),
        (at(30_000), &[], vec![&long]),
        (at(30_001), &[], vec![]),
        (at(0), &[call(2), call(3)], vec![&short]),
        (at(0), &[call(1), call(3)], vec![]),
    ] {
        let found = store.talks_of(owner(1), since, but).await.unwrap();
        assert_eq!(found.iter().collect::<Vec<_>>(), expected);
        let used = store.used_since(owner(1), since, but).await.unwrap();
        assert_eq!(used, expected.iter().map(|talk| talk.talk_ms).sum::<u64>());
    }
    let of_minted = [talk(5, 32_000, 7_000)];
    assert_eq!(store.talks_of_minted_keys(at(0), &[]).await.unwrap(), of_minted);
    assert_eq!(store.talks_of_minted_keys(at(0), &[call(5)]).await.unwrap(), []);
    for (owner_n, but, calls, talk_ms) in [
        (1, &[][..], 1, 90_000),
        (1, &[call(3)], 0, 0),
        (2, &[], 1, 7_000),
        (2, &[call(3)], 1, 7_000),
        (3, &[], 0, 0),
    ] {
        let talked = store.trial_use(owner(owner_n), but).await.unwrap();
        assert_eq!(talked, Talked { calls, talk_ms }, "{owner_n} {but:?}");
    }
}

/// The user was called ten seconds before the end, if at all.
async fn with_user(store: &Store, n: u16, direction: Direction, end_ms: i64, called: bool) {
    let mut new = NewCall { direction, ..new_call(n) };
    new.request.user_number = Some("+13125550163".into());
    assert_eq!(store.insert_call(&new).await.unwrap(), Inserted::New);
    let mut facts = vec![answered()];
    facts.extend(called.then(|| Fact::HandoffDialing { line: "+12067797000".into() }));
    let reason = EndReason::UserHungUp;
    facts.push(Fact::Ended { reason, answered: true, talk_ms: 60_000, sip_status: None, q850_cause: None });
    let mut facts = entries(2, facts);
    let last = facts.len() - 1;
    facts.iter_mut().for_each(|entry| entry.at = at(end_ms - 10_000));
    facts[last].at = at(end_ms);
    store.append(new.id, &facts).await.unwrap();
}

pub async fn a_user_who_was_called_counts(backend: &Backend) {
    let store = store_with_owner(backend).await;
    with_user(&store, 1, Direction::Outbound, 100_000, true).await;
    with_user(&store, 2, Direction::Outbound, 200_000, false).await;
    with_user(&store, 3, Direction::Inbound, 300_000, true).await;
    with_user(&store, 4, Direction::Inbound, 400_000, false).await;
    let talks = store.talks_of(owner(1), at(0), &[]).await.unwrap();
    let user = Some(("+13125550163".to_owned(), 10_000));
    let to = Some(new_call(1).request.to);
    let talk = |n: u16, to: Option<String>, user, end_ms| Talk {
        call: call(n),
        to,
        user,
        over_at: at(end_ms),
        talk_ms: 60_000,
    };
    let expected = [
        talk(1, to.clone(), user.clone(), 100_000),
        talk(2, to, None, 200_000),
        talk(3, None, user, 300_000),
    ];
    assert_eq!(talks, expected);
    assert_eq!(store.used_since(owner(1), at(0), &[]).await.unwrap(), 180_000);

    // How often the number was called, whoever asked for it, and from when on.
    let newest = async |since, limit| store.newest_calls_to_user("+13125550163", since, limit).await.unwrap();
    assert_eq!(newest(at(0), 9).await, [at(290_000), at(90_000)]);
    assert_eq!(newest(at(0), 1).await, [at(290_000)]);
    assert_eq!(newest(at(90_001), 9).await, [at(290_000)]);
    store.set_user(call(4), "+13125550164").await.unwrap();
    assert_eq!(
        store.call(call(4)).await.unwrap().unwrap().request.user_number.as_deref(),
        Some("+13125550164")
    );
    assert_eq!(store.newest_calls_to_user("+13125550164", at(0), 9).await.unwrap(), []);
}

pub async fn what_was_used_stays_used_when_calls_expire(backend: &Backend) {
    let store = store_with_owner(backend).await;
    over(&store, &new_call(1), 10_000, Some(60_000)).await;
    assert!(store.set_balance(owner(1), Some(600_000), at(20_000)).await.unwrap());
    over(&store, &new_call(2), 30_000, Some(4_000)).await;
    over(&store, &new_call(3), 40_000, Some(90_000)).await;
    over(&store, &new_call(4), 41_000, None).await;
    over(&store, &NewCall { direction: Direction::Inbound, ..new_call(5) }, 42_000, Some(9_000)).await;
    let used = async || {
        let balance = store.owner(owner(1)).await.unwrap().unwrap().balance.unwrap();
        let since = store.used_since(owner(1), balance.at, &[]).await.unwrap();
        (balance.left_ms, balance.erased_ms + since, store.trial_use(owner(1), &[]).await.unwrap())
    };
    let expected = (600_000, 94_000, Talked { calls: 2, talk_ms: 150_000 });
    assert_eq!(used().await, expected);
    for before in [35_000, 50_000] {
        let retention = Retention { now: at(60_000), calls_before: Some(at(before)), ..Retention::default() };
        assert!(store.purge(retention).await.unwrap().calls > 0);
        assert_eq!(used().await, expected, "{before}");
    }
    // What is paid anew begins anew.
    assert!(store.set_balance(owner(1), Some(5_000), at(70_000)).await.unwrap());
    assert_eq!(used().await, (5_000, 0, Talked { calls: 2, talk_ms: 150_000 }));
    assert!(store.set_balance(owner(1), None, at(70_000)).await.unwrap());
    assert_eq!(store.owner(owner(1)).await.unwrap().unwrap().balance, None);
    assert!(!store.set_balance(owner(7), None, at(70_000)).await.unwrap());
}

fn phone(number: &str, primary: bool) -> PhoneRow {
    PhoneRow { number: number.into(), primary, confirmed_at: at(1) }
}

pub async fn an_owner_has_phones_of_which_one_is_primary(backend: &Backend) {
    let store = store_with_owner(backend).await;
    let (home, work) = ("+13125550163", "+13125550164");
    for new in [phone(home, true), phone(work, false)] {
        assert!(store.add_phone(owner(1), &new).await.unwrap());
    }
    assert_eq!(store.phones(owner(1)).await.unwrap(), [phone(home, true), phone(work, false)]);
    assert!(store.add_phone(owner(1), &phone(work, true)).await.unwrap());
    assert_eq!(store.phones(owner(1)).await.unwrap(), [phone(work, true), phone(home, false)]);
    assert!(!store.add_phone(owner(2), &phone(home, true)).await.unwrap(), "there is no such owner");
    for removed in [true, false] {
        assert_eq!(store.remove_phone(owner(1), work).await.unwrap(), removed);
    }
    assert_eq!(store.phones(owner(1)).await.unwrap(), [phone(home, false)]);
}

pub async fn a_line_is_one_owners(backend: &Backend) {
    let store = store_with_owner(backend).await;
    store.create_owner(owner(2), at(0)).await.unwrap();
    let first = store.reserve("+14155550188", owner(1), at(1)).await.unwrap();
    let second = store.reserve("+14155550189", owner(2), at(2)).await.unwrap();
    assert!(second > first);
    let taken = store.reserve("+14155550188", owner(2), at(3)).await;
    assert!(matches!(taken, Err(ReserveError::Taken)));
    let unknown = store.reserve("+14155550187", owner(7), at(3)).await;
    assert!(matches!(unknown, Err(ReserveError::UnknownOwner)));
    let lines = store.reserved_lines().await.unwrap();
    let lines: Vec<_> = lines.iter().map(|line| (line.id, line.number.as_str(), line.owner)).collect();
    assert_eq!(lines, [(first, "+14155550188", owner(1)), (second, "+14155550189", owner(2))]);
    assert_eq!(store.release("+14155550188").await.unwrap(), Some(owner(1)));
    assert_eq!(store.release("+14155550188").await.unwrap(), None);
    assert_eq!(store.reserved_lines().await.unwrap().len(), 1);
}

pub async fn inbound_profiles_are_replaced_and_cleared(backend: &Backend) {
    let store = store_with_owner(backend).await;
    assert_eq!(store.inbound_profile(owner(1)).await.unwrap(), None);
    let full = InboundProfile {
        instructions: "Answer for Mira.".into(),
        greeting: "Hello?".into(),
        handoff_number: Some("+13125550163".into()),
        loop_in_user: None,
        passthrough_numbers: vec!["+12065550142".into(), "+12065550143".into()],
        reception: Some(r#"{"callers":"list"}"#.into()),
    };
    let other = InboundProfile {
        handoff_number: None,
        loop_in_user: Some(true),
        passthrough_numbers: vec![],
        reception: None,
        ..full.clone()
    };
    for new in [&full, &other, &full] {
        assert!(store.set_inbound_profile(owner(1), Some(new), at(1)).await.unwrap());
        assert_eq!(store.inbound_profile(owner(1)).await.unwrap().as_ref(), Some(new));
    }
    assert!(!store.set_inbound_profile(owner(2), Some(&full), at(1)).await.unwrap());
    assert!(store.set_inbound_profile(owner(1), None, at(1)).await.unwrap());
    assert_eq!(store.inbound_profile(owner(1)).await.unwrap(), None);
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
