//! Linking a key to an account, and putting another in its place.

use offhook_store::*;

use crate::backend::Backend;
use crate::campaigns::{campaign, new_campaign};
use crate::story::{at, call, finished_call, new_call, owner, store_with_owner};

fn key(n: u8, kind: KeyKind) -> NewKey {
    NewKey { owner: owner(n), hash: [n; 32], kind, label: Some(format!("key {n}")), created_at: at(0) }
}

fn code(hash: u8, of: u8) -> NewLinkCode {
    NewLinkCode { owner: owner(of), hash: [hash; 32], created_at: at(0), expires_at: at(10_000) }
}

pub async fn a_linked_key_takes_all_with_it(backend: &Backend) {
    let store = store_with_owner(backend).await;
    store.create_key(&key(2, KeyKind::Proto)).await.unwrap();
    let order = |n| Some(Idempotency { key: "order-17".into(), request_hash: [n; 32] });
    let kept = NewCall { idempotency: order(1), ..new_call(1) };
    finished_call(&store, &kept, "hello").await;
    let moved = NewCall { owner: owner(2), idempotency: order(2), ..new_call(2) };
    finished_call(&store, &moved, "hello").await;
    let sarah = Preferences { voice: Some("sarah".into()), ..Preferences::default() };
    store.set_preferences(owner(2), &sarah, at(0)).await.unwrap();
    let phone = PhoneRow { number: "+13125550163".into(), primary: true, confirmed_at: at(0) };
    assert!(store.add_phone(owner(2), &phone).await.unwrap());
    store.reserve("+14155550188", owner(2), at(0)).await.unwrap();
    assert!(store.set_voice_target(owner(2), Some("+13125550164")).await.unwrap());
    let profile = InboundProfile { instructions: "Answer.".into(), ..InboundProfile::default() };
    assert!(store.set_inbound_profile(owner(2), Some(&profile), at(0)).await.unwrap());
    for (n, of) in [(1, 1), (2, 2), (3, 2)] {
        let idempotency = order(n).filter(|_| n < 3);
        let new = NewCampaign { owner: owner(of), idempotency, ..new_campaign(n) };
        store.insert_campaign(&new).await.unwrap();
        store.finish_campaign(new.id, CampaignEnding::Completed, at(9)).await.unwrap();
    }
    assert!(store.create_link_code(&code(9, 1)).await.unwrap());
    assert!(!store.create_link_code(&code(8, 7)).await.unwrap(), "there is no such account");

    assert_eq!(store.link(&[2; 32], &[9; 32], at(5_000)).await.unwrap(), owner(1));
    let row = store.key_by_hash(&[2; 32]).await.unwrap().unwrap();
    assert_eq!((row.owner, row.kind, row.revoked_at), (owner(1), KeyKind::Owner, None));
    assert_eq!(store.call(call(2)).await.unwrap().unwrap().owner, owner(1));
    assert_eq!(store.preferences(owner(1)).await.unwrap(), Some(sarah));
    assert_eq!(store.phones(owner(1)).await.unwrap(), [PhoneRow { primary: false, ..phone }]);
    assert_eq!(store.reserved_lines().await.unwrap()[0].owner, owner(1));
    assert_eq!(store.inbound_profile(owner(1)).await.unwrap(), Some(profile));
    assert_eq!(store.voice_target(owner(1)).await.unwrap().as_deref(), Some("+13125550164"));
    assert_eq!(store.owner(owner(2)).await.unwrap(), None);
    // Of two calls under one idempotency key that of the account is meant.
    let found = store.idempotent_call(owner(1), &order(1).unwrap()).await.unwrap();
    assert_eq!(found, Some(Inserted::Existing(call(1))));
    assert_eq!(store.campaigns(Some(owner(1)), 9).await.unwrap().len(), 3);
    let found = store.idempotent_campaign(owner(1), &order(1).unwrap()).await.unwrap();
    assert_eq!(found, Some(InsertedCampaign::Existing(campaign(1))));
}

pub async fn what_is_not_linked_stays_as_it_was(backend: &Backend) {
    let store = store_with_owner(backend).await;
    for (n, kind) in [
        (2, KeyKind::Proto),
        (3, KeyKind::Owner),
        (4, KeyKind::Proto),
        (5, KeyKind::Proto),
        (6, KeyKind::Proto),
    ] {
        store.create_key(&key(n, kind)).await.unwrap();
    }
    store.insert_call(&NewCall { owner: owner(5), ..new_call(5) }).await.unwrap();
    store.insert_campaign(&NewCampaign { owner: owner(6), ..new_campaign(6) }).await.unwrap();
    for hash in [8, 9] {
        store.create_link_code(&code(hash, 1)).await.unwrap();
    }
    let expected = |error: &LinkError| match error {
        LinkError::UnknownKey => "unknown",
        LinkError::AlreadyLinked => "linked",
        LinkError::WrongCode => "code",
        LinkError::CallUnderWay => "calling",
        LinkError::Store(_) => "store",
    };
    store.link(&[4; 32], &[8; 32], at(1)).await.unwrap();
    for (key, code, now, error) in [
        (7, 9, at(1), "unknown"),
        (3, 9, at(1), "linked"),
        (4, 9, at(1), "linked"),
        (2, 7, at(1), "code"),
        (2, 8, at(1), "code"),
        (2, 9, at(10_000), "code"),
        (5, 9, at(1), "calling"),
        (6, 9, at(1), "calling"),
    ] {
        let refused = store.link(&[key; 32], &[code; 32], now).await.unwrap_err();
        assert_eq!(expected(&refused), error, "{key} {code}");
    }
    // None of them used the code up.
    store.link(&[2; 32], &[9; 32], at(9_999)).await.unwrap();
}

pub async fn a_key_is_rotated_once(backend: &Backend) {
    let store = store_with_owner(backend).await;
    let old = store.create_key(&key(2, KeyKind::Admin)).await.unwrap();
    let new = NewKey { hash: [3; 32], created_at: at(50), ..key(9, KeyKind::Proto) };
    assert!(store.rotate_key(old, &new).await.unwrap());
    let row = store.key_by_hash(&[3; 32]).await.unwrap().unwrap();
    assert_eq!((row.owner, row.kind, row.label.as_deref()), (owner(2), KeyKind::Admin, Some("key 2")));
    assert_eq!((row.created_at, row.revoked_at), (at(50), None));
    assert_eq!(store.key_by_hash(&[2; 32]).await.unwrap().unwrap().revoked_at, Some(at(50)));
    assert!(!store.rotate_key(old, &NewKey { hash: [4; 32], ..new }).await.unwrap());
    assert_eq!(store.key_by_hash(&[4; 32]).await.unwrap(), None);
}

pub async fn a_key_is_bound_to_the_target_of_its_owner(backend: &Backend) {
    let store = store_with_owner(backend).await;
    assert_eq!(store.voice_target(owner(1)).await.unwrap(), None);
    for number in [Some("+13125550163"), Some("+13125550164"), None] {
        assert!(store.set_voice_target(owner(1), number).await.unwrap());
        assert_eq!(store.voice_target(owner(1)).await.unwrap().as_deref(), number);
    }
    assert!(!store.set_voice_target(owner(9), Some("+13125550163")).await.unwrap(), "there is no such owner");
    let (second, third) = (NewKey { owner: owner(1), ..key(2, KeyKind::Voice) }, key(3, KeyKind::Admin));
    let bound = store.create_key(&second).await.unwrap();
    let admin = store.create_key(&third).await.unwrap();
    let free = |n| store.has_free_key(owner(n));
    assert!(!free(1).await.unwrap(), "its only key is bound");
    assert!(store.bind_key(bound, false).await.unwrap() && free(1).await.unwrap());
    assert!(store.bind_key(bound, true).await.unwrap() && !free(1).await.unwrap());
    assert!(!store.bind_key(admin, true).await.unwrap(), "an admin key is for everything");
    // Another in its place is bound as well.
    let new = NewKey { hash: [4; 32], created_at: at(50), ..key(9, KeyKind::Owner) };
    assert!(store.rotate_key(bound, &new).await.unwrap());
    assert_eq!(store.key_by_hash(&[4; 32]).await.unwrap().unwrap().kind, KeyKind::Voice);
    assert!(!store.bind_key(bound, false).await.unwrap(), "it was revoked");
}
