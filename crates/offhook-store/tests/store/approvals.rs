//! Approvals by phone, and PINs.

use offhook_core::ApprovalId;
use offhook_core::journal::DecidedBy;
use offhook_store::*;

use crate::backend::Backend;
use crate::story::{at, call, owner, store_with_owner};

fn approval(n: u8) -> ApprovalId {
    ApprovalId::from_parts(at(i64::from(n)), [n; 10])
}

fn new_approval(n: u8) -> NewApproval {
    NewApproval {
        id: approval(n),
        owner: owner(1),
        operation: "Deploy build 42".into(),
        details: Some(r#"{"risk":"low"}"#.into()),
        digest: "ab12".into(),
        needs_pin: n == 1,
        idempotency: None,
        created_at: at(i64::from(n)),
        expires_at: at(300_000),
    }
}

fn verdict(state: ApprovalState) -> Verdict {
    Verdict { state, reason: None, by: Some(DecidedBy::Keys), evidence: vec![3, 5] }
}

pub async fn an_approval_is_decided_once(backend: &Backend) {
    let store = store_with_owner(backend).await;
    assert_eq!(store.insert_approval(&new_approval(1)).await.unwrap(), InsertedApproval::New);
    assert_eq!(store.insert_approval(&new_approval(2)).await.unwrap(), InsertedApproval::New);
    let foreign = NewApproval { owner: owner(9), ..new_approval(3) };
    assert_eq!(store.insert_approval(&foreign).await.unwrap(), InsertedApproval::UnknownOwner);
    let row = store.approval(approval(1)).await.unwrap().unwrap();
    assert_eq!((row.call, row.needs_pin, row.decided_at), (None, true, None));
    let none = Verdict { state: ApprovalState::Pending, reason: None, by: None, evidence: vec![] };
    assert_eq!((&row.verdict, row.details.as_deref()), (&none, Some(r#"{"risk":"low"}"#)));

    store.ask_approval_in(approval(1), call(1)).await.unwrap();
    assert!(store.decide_approval(approval(1), &verdict(ApprovalState::Approved), at(9)).await.unwrap());
    // Nothing that comes later changes it.
    assert!(!store.decide_approval(approval(1), &verdict(ApprovalState::Declined), at(10)).await.unwrap());
    let row = store.approval(approval(1)).await.unwrap().unwrap();
    assert_eq!((row.call, row.decided_at), (Some(call(1)), Some(at(9))));
    assert_eq!(row.verdict, verdict(ApprovalState::Approved));

    let ids = |rows: Vec<ApprovalRow>| rows.into_iter().map(|row| row.id).collect::<Vec<_>>();
    assert_eq!(ids(store.pending_approvals().await.unwrap()), [approval(2)]);
    assert_eq!(ids(store.approvals_of(owner(1), 10).await.unwrap()), [approval(2), approval(1)]);
    assert_eq!(ids(store.approvals_of(owner(1), 1).await.unwrap()), [approval(2)]);
    store.forget_approval(approval(2)).await.unwrap();
    assert_eq!(store.approval(approval(2)).await.unwrap(), None);

    let retention = Retention { calls_before: Some(at(10)), ..Retention::default() };
    store.purge(retention).await.unwrap();
    assert_eq!(store.approval(approval(1)).await.unwrap(), None);
}

pub async fn the_same_key_is_the_same_approval(backend: &Backend) {
    let store = store_with_owner(backend).await;
    let keyed = |n, hash| {
        let idempotency = Some(Idempotency { key: "deploy-42".into(), request_hash: [hash; 32] });
        NewApproval { idempotency, ..new_approval(n) }
    };
    assert_eq!(store.insert_approval(&keyed(1, 1)).await.unwrap(), InsertedApproval::New);
    let again = store.insert_approval(&keyed(2, 1)).await.unwrap();
    assert_eq!(again, InsertedApproval::Existing(approval(1)));
    assert_eq!(store.insert_approval(&keyed(3, 2)).await.unwrap(), InsertedApproval::KeyReused);
}

pub async fn a_pin_is_set_changed_and_cleared(backend: &Backend) {
    let store = store_with_owner(backend).await;
    let pin = |digits, hash: &str| PinRow { digits, hash: hash.into(), set_at: at(1) };
    assert_eq!(store.pin(owner(1)).await.unwrap(), None);
    assert!(store.set_pin(owner(1), Some(&pin(4, "one"))).await.unwrap());
    assert!(store.set_pin(owner(1), Some(&pin(6, "two"))).await.unwrap());
    assert!(!store.set_pin(owner(9), Some(&pin(6, "two"))).await.unwrap());
    assert_eq!(store.pin(owner(1)).await.unwrap(), Some(pin(6, "two")));
    assert!(store.set_pin(owner(1), None).await.unwrap());
    assert_eq!(store.pin(owner(1)).await.unwrap(), None);
}
