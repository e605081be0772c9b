//! What the store is for, told once.

use std::time::Duration;

use offhook_core::call::TaskReport;
use offhook_core::journal::{AnsweredBy, TaskStatus};
use offhook_core::{CallId, EndReason, Fact, JournalEntry, Outcome, OwnerId, Timestamp};
use offhook_store::*;

use crate::backend::Backend;

/// An instant of the story: this many milliseconds after it began.
pub fn at(ms: i64) -> Timestamp {
    Timestamp::from_unix_millis(1_790_000_000_000 + ms)
}

pub fn owner(n: u8) -> OwnerId {
    OwnerId::from_parts(at(0), [n; 10])
}

pub fn call(n: u16) -> CallId {
    let mut random = [7; 10];
    random[8..].copy_from_slice(&n.to_be_bytes());
    CallId::from_parts(at(i64::from(n)), random)
}

/// A store with an owner in it.
pub async fn store_with_owner(backend: &Backend) -> Store {
    let store = backend.open().await;
    store.create_owner(owner(1), at(0)).await.unwrap();
    store
}

pub fn new_call(n: u16) -> NewCall {
    NewCall {
        id: call(n),
        owner: owner(1),
        minted: None,
        idempotency: None,
        direction: Direction::Outbound,
        request: CallRequest {
            to: "+14155550100".into(),
            task: "Ask whether the bicycle is ready".into(),
            voice: "jessica".into(),
            language: "en-US".into(),
            ..CallRequest::default()
        },
        webhook_url: None,
        ties: Ties::default(),
        queued_at: at(i64::from(n)),
        entries: entries(1, [Fact::Queued { policy: "all".into() }]),
    }
}

/// Facts a second apart, numbered from `first`.
pub fn entries(first: u64, facts: impl IntoIterator<Item = Fact>) -> Vec<JournalEntry> {
    let numbered = facts.into_iter().zip(first..);
    numbered.map(|(fact, seq)| JournalEntry { seq, at: at(seq as i64 * 1_000), fact }).collect()
}

pub fn dialing() -> Fact {
    Fact::Dialing { line: "sandbox".into() }
}

pub fn answered() -> Fact {
    Fact::Answered { sip_call_id: Some("a84b4c76e66710@example.com".into()) }
}

pub fn remote_said(turn: u32, text: &str) -> Fact {
    Fact::RemoteSaid { turn, started_ms: 100, ended_ms: 900, text: text.into(), confidence: Some(930) }
}

pub fn voice_said(turn: u32, text: &str) -> Fact {
    Fact::VoiceSaid { turn, started_ms: 1_000, ended_ms: 2_000, text: text.into(), interrupted: false }
}

pub fn ended(reason: EndReason, answered: bool) -> Fact {
    Fact::Ended { reason, answered, talk_ms: 4_000, sip_status: Some(200), q850_cause: Some(16) }
}

/// The facts of several calls in one transaction; the calls that are gone.
pub async fn append_many(store: &Store, entries: &[(CallId, Vec<JournalEntry>)]) -> Vec<CallId> {
    let batch = Batch { entries: entries.to_vec(), ..Batch::default() };
    store.write(&batch).await.unwrap().gone
}

/// A call that was answered and is over; finalized at second 5.
pub async fn finished_call(store: &Store, new: &NewCall, words: &str) {
    assert_eq!(store.insert_call(new).await.unwrap(), Inserted::New);
    let facts = [dialing(), answered(), remote_said(1, words), ended(EndReason::RemoteHungUp, true)];
    store.append(new.id, &entries(2, facts)).await.unwrap();
}

pub async fn a_call_from_request_to_report(backend: &Backend) {
    let store = store_with_owner(backend).await;
    let mut new = new_call(1);
    new.idempotency = Some(Idempotency { key: "order-17".into(), request_hash: [1; 32] });
    new.request.greeting = Some("Hello, this is Sam.".into());
    new.request.extra = Some(r#"{"max_duration_ms":60000}"#.into());

    // Accepted: the row and its first fact are there together.
    assert_eq!(store.insert_call(&new).await.unwrap(), Inserted::New);
    let row = store.call(new.id).await.unwrap().unwrap();
    assert_eq!((row.id, row.owner, row.direction), (new.id, owner(1), Direction::Outbound));
    assert_eq!((&row.request, row.queued_at, row.lifecycle), (&new.request, at(1), Lifecycle::Queued));
    assert_eq!((row.dialing_at, row.end, row.result, row.recording), (None, None, None, None));
    assert_eq!(store.journal(new.id, 0).await.unwrap(), new.entries);

    // The row follows the journal.
    let facts = entries(
        2,
        [
            dialing(),
            Fact::Ringing { early_media: false },
            answered(),
            Fact::AnsweredByDetected { answered_by: AnsweredBy::Human },
            remote_said(1, "Bicycle shop, hello?"),
            voice_said(2, "Is the bicycle ready?"),
            Fact::Result {
                status: TaskStatus::Achieved,
                summary: "It is ready".into(),
                evidence_turns: vec![1, 2],
            },
            ended(EndReason::VoiceFinished, true),
        ],
    );
    let steps = [Lifecycle::Dialing, Lifecycle::Dialing, Lifecycle::Answered];
    for (entry, lifecycle) in facts.iter().zip(steps) {
        store.append(new.id, std::slice::from_ref(entry)).await.unwrap();
        assert_eq!(store.call(new.id).await.unwrap().unwrap().lifecycle, lifecycle);
    }
    assert_eq!(store.unfinished().await.unwrap().len(), 1);
    store.append(new.id, &facts[steps.len()..]).await.unwrap();
    assert_eq!(store.unfinished().await.unwrap(), []);
    let recording = NewRecording {
        path: "recordings/1.wav".into(),
        bytes: 64_044,
        duration_ms: 4_000,
        created_at: at(10_000),
        expires_at: Some(at(90_000)),
    };
    store.set_recording(new.id, &recording).await.unwrap();

    // The report, also after a restart.
    store.close().await;
    let store = backend.open().await;
    let row = store.call(new.id).await.unwrap().unwrap();
    assert_eq!(row.lifecycle, Lifecycle::Finalized);
    assert_eq!(row.line.as_deref(), Some("sandbox"));
    assert_eq!((row.dialing_at, row.answered_at), (Some(at(2_000)), Some(at(4_000))));
    assert_eq!(row.finalized_at, Some(at(9_000)));
    assert_eq!(row.answered_by, Some(AnsweredBy::Human));
    let result = TaskReport {
        status: TaskStatus::Achieved,
        summary: "It is ready".into(),
        evidence_turns: vec![1, 2],
    };
    assert_eq!(row.result, Some(result));
    let end = End {
        reason: EndReason::VoiceFinished,
        outcome: Outcome::Answered,
        talk_ms: Some(4_000),
        sip_status: Some(200),
        q850_cause: Some(16),
    };
    assert_eq!(row.end, Some(end));
    assert_eq!(row.recording.unwrap().path, Some("recordings/1.wav".into()));
    assert_eq!(store.journal(new.id, 1).await.unwrap(), facts);
    assert_eq!(store.journal(new.id, 7).await.unwrap(), facts[6..]);
    assert_eq!(store.last_seq(new.id).await.unwrap(), 9);
    assert_eq!(
        store.insert_call(&NewCall { id: call(2), ..new }).await.unwrap(),
        Inserted::Existing(call(1))
    );
    assert_eq!(store.call(call(2)).await.unwrap(), None);

    store.ping().await.unwrap();
    assert_eq!(store.integrity().await.unwrap(), [""; 0]);
}

pub async fn lists_and_counts(backend: &Backend) {
    let store = store_with_owner(backend).await;
    store.create_owner(owner(2), at(0)).await.unwrap();
    for n in 1..=4 {
        finished_call(&store, &new_call(n), "hello").await;
    }
    store.insert_call(&new_call(5)).await.unwrap();
    store.insert_call(&NewCall { direction: Direction::Inbound, ..new_call(6) }).await.unwrap();
    let mut foreign = NewCall { owner: owner(2), ..new_call(7) };
    foreign.request.to = "+14155550101".into();
    store.insert_call(&foreign).await.unwrap();

    let own = CallFilter { owner: Some(owner(1)), ..CallFilter::default() };
    let table = [
        ("all, newest first", CallFilter::default(), vec![7, 6, 5, 4, 3, 2, 1]),
        ("one owner's", own.clone(), vec![6, 5, 4, 3, 2, 1]),
        ("a page", CallFilter { limit: 2, ..own.clone() }, vec![6, 5]),
        ("inbound", CallFilter { direction: Some(Direction::Inbound), ..own.clone() }, vec![6]),
        ("live", CallFilter { live: Some(true), ..own.clone() }, vec![6, 5]),
        ("over", CallFilter { live: Some(false), ..CallFilter::default() }, vec![4, 3, 2, 1]),
        ("since", CallFilter { finalized_since: Some(at(5_000)), ..own.clone() }, vec![4, 3, 2, 1]),
        ("since later", CallFilter { finalized_since: Some(at(5_001)), ..own }, vec![]),
    ];
    for (what, filter, expected) in table {
        let found = store.calls(&filter).await.unwrap();
        let found: Vec<CallId> = found.into_iter().map(|row| row.id).collect();
        assert_eq!(found, expected.into_iter().map(call).collect::<Vec<_>>(), "{what}");
    }

    let unfinished: Vec<CallId> = store.unfinished().await.unwrap().into_iter().map(|row| row.id).collect();
    assert_eq!(unfinished, [call(5), call(6), call(7)]);
    // The newest first, and no more than asked for; the inbound one does not count.
    for (owner_n, since, limit, expected) in [
        (1, at(0), 10, vec![5, 4, 3, 2, 1]),
        (1, at(3), 10, vec![5, 4, 3]),
        (1, at(0), 2, vec![5, 4]),
        (1, at(60), 10, vec![]),
        (3, at(0), 10, vec![]),
    ] {
        let placed_at = store.newest_calls_of(owner(owner_n), since, limit).await.unwrap();
        assert_eq!(placed_at, expected.into_iter().map(at).collect::<Vec<_>>());
    }
    for (to, expected, ended_at) in [
        ("+14155550100", vec![at(5), at(4), at(3), at(2)], Some(at(5_000))),
        ("+14155550101", vec![at(7)], None),
        ("+14155550102", vec![], None),
    ] {
        assert_eq!(store.newest_calls_to(to, at(2), 10).await.unwrap(), expected);
        assert_eq!(store.last_call_to_ended_at(to).await.unwrap(), ended_at);
    }

    // Several journals in one go, some of their facts.
    let journals = store.journals(&[call(1), call(5), call(4)], &["turn.remote", "call.queued"]).await;
    let journals = journals.unwrap();
    let codes = |n| journals[&call(n)].iter().map(|entry| entry.fact.code()).collect::<Vec<_>>();
    assert_eq!((codes(1), codes(5)), (vec!["call.queued", "turn.remote"], vec!["call.queued"]));
    assert_eq!(journals.len(), 3);
    assert!(store.journals(&[], &["turn.remote"]).await.unwrap().is_empty());
}

pub async fn a_batch_is_one_story(backend: &Backend) {
    let store = store_with_owner(backend).await;
    let minted =
        NewKey { owner: owner(7), hash: [7; 32], kind: KeyKind::Proto, label: None, created_at: at(0) };
    let first = NewCall { owner: owner(7), minted: Some(minted.clone()), ..new_call(1) };
    let idempotency = Some(Idempotency { key: "order-17".into(), request_hash: [1; 32] });
    let stray = NewCall { owner: owner(9), idempotency: idempotency.clone(), ..new_call(3) };
    let recording = NewRecording {
        path: "recordings/1.wav".into(),
        bytes: 1,
        duration_ms: 1,
        created_at: at(0),
        expires_at: None,
    };
    let batch = Batch {
        calls: vec![first, NewCall { idempotency: idempotency.clone(), ..new_call(2) }, stray, new_call(2)],
        entries: vec![(call(2), entries(2, [dialing()])), (call(8), entries(1, [dialing()]))],
        recordings: vec![
            (call(1), recording.clone()),
            (call(8), NewRecording { path: "recordings/8.wav".into(), ..recording }),
        ],
        key_uses: vec![],
    };
    let written = store.write(&batch).await.unwrap();
    let calls = &written.calls[..];
    // What is wrong with one call keeps none of the others from being written.
    assert!(
        matches!(
            calls,
            [
                Ok(Inserted::New),
                Ok(Inserted::New),
                Err(InsertCallError::UnknownOwner),
                Err(InsertCallError::DuplicateId)
            ]
        ),
        "{calls:?}"
    );
    assert_eq!((written.gone, written.homeless), (vec![call(8)], vec!["recordings/8.wav".into()]));
    assert_eq!(store.key_by_hash(&[7; 32]).await.unwrap().unwrap().owner, owner(7));
    assert_eq!(store.call(call(2)).await.unwrap().unwrap().lifecycle, Lifecycle::Dialing);
    assert!(store.call(call(1)).await.unwrap().unwrap().recording.is_some());
    let stray = Idempotency { key: "order-17".into(), request_hash: [1; 32] };
    assert_eq!(store.idempotent_call(owner(9), &stray).await.unwrap(), None);
    assert_eq!(store.newest_calls_of_minted_keys(at(0), 10).await.unwrap(), [at(1)]);
    assert_eq!(store.integrity().await.unwrap(), [""; 0]);
    store.probe().await.unwrap();

    // Writing it again changes nothing.
    let again = store.write(&Batch { entries: batch.entries, ..Batch::default() }).await.unwrap();
    assert_eq!(again.gone, [call(8)]);
    assert_eq!(store.journal(call(2), 0).await.unwrap().len(), 2);
}

pub async fn owners_and_keys(backend: &Backend) {
    let store = backend.open().await;
    let key = |n: u8, kind| NewKey {
        owner: owner(1),
        hash: [n; 32],
        kind,
        label: None,
        created_at: at(i64::from(n)),
    };
    let first = store.create_key(&key(1, KeyKind::Proto)).await.unwrap();
    let second = NewKey { label: Some("laptop".into()), ..key(2, KeyKind::Admin) };
    let second = store.create_key(&second).await.unwrap();
    let again = store.create_key(&key(2, KeyKind::Owner)).await;
    assert!(matches!(again, Err(CreateKeyError::Exists)));

    let row = store.key_by_hash(&[2; 32]).await.unwrap().unwrap();
    assert_eq!((row.id, row.owner, row.kind), (second, owner(1), KeyKind::Admin));
    assert_eq!((row.label.as_deref(), row.created_at), (Some("laptop"), at(2)));
    assert_eq!(store.key_by_hash(&[3; 32]).await.unwrap(), None);

    for (touched_at, expected) in [(at(50), at(50)), (at(40), at(50)), (at(60), at(60))] {
        let batch = Batch { key_uses: vec![(first, touched_at)], ..Batch::default() };
        store.write(&batch).await.unwrap();
        assert_eq!(store.key_by_hash(&[1; 32]).await.unwrap().unwrap().last_used_at, Some(expected));
    }
    assert!(store.revoke_key(first, at(70)).await.unwrap());
    assert!(!store.revoke_key(first, at(80)).await.unwrap());
    assert_eq!(store.key_by_hash(&[1; 32]).await.unwrap().unwrap().revoked_at, Some(at(70)));

    let ids = |keys: Vec<KeyRow>| keys.into_iter().map(|key| key.id).collect::<Vec<_>>();
    assert_eq!(ids(store.keys(None).await.unwrap()), [first, second]);
    assert_eq!(ids(store.keys(Some(owner(1))).await.unwrap()), [first, second]);
    assert_eq!(ids(store.keys(Some(owner(2))).await.unwrap()), []);

    let stray = NewCall { owner: owner(2), ..new_call(1) };
    assert!(matches!(store.insert_call(&stray).await, Err(InsertCallError::UnknownOwner)));
    store.insert_call(&new_call(1)).await.unwrap();
    assert!(matches!(store.insert_call(&new_call(1)).await, Err(InsertCallError::DuplicateId)));
}

pub async fn what_a_newer_version_wrote(backend: &Backend) {
    let store = store_with_owner(backend).await;
    finished_call(&store, &new_call(1), "hello").await;
    finished_call(&store, &new_call(2), "hello").await;
    backend
        .tamper(
            "UPDATE journal SET code = 'call.teleported' WHERE seq = 2; \
             UPDATE calls SET end_reason = 'carrier.dreaming' WHERE queued_at = (SELECT MAX(queued_at) FROM calls)",
        )
        .await;

    // A fact that is not known is left out, a call whose end is not known is not shown as something else.
    let seqs: Vec<u64> = store.journal(call(1), 0).await.unwrap().iter().map(|entry| entry.seq).collect();
    assert_eq!(seqs, [1, 3, 4, 5]);
    let unreadable = store.call(call(2)).await;
    assert!(matches!(unreadable, Err(StoreError::Unreadable { column: "end_reason" })), "{unreadable:?}");
    let listed: Vec<CallId> =
        store.calls(&CallFilter::default()).await.unwrap().iter().map(|row| row.id).collect();
    assert_eq!(listed, [call(1)]);
}

pub async fn odd_texts_come_back_the_same_from_both(backend: &Backend) {
    let store = store_with_owner(backend).await;
    let table = [
        ("", ""),
        ("O'Hara; DROP TABLE calls --", "O'Hara; DROP TABLE calls --"),
        ("\u{1f600} \u{202e} ß\r\n\t\\u0000 $1", "\u{1f600} \u{202e} ß\r\n\t\\u0000 $1"),
        ("a\0b", "a\u{fffd}b"),
    ];
    for ((text, expected), n) in table.into_iter().zip(1..) {
        let mut new = new_call(n);
        new.request.task = text.into();
        store.insert_call(&new).await.unwrap();
        assert_eq!(store.call(new.id).await.unwrap().unwrap().request.task, expected);

        // The journal keeps even what a text column can't.
        let said = entries(2, [remote_said(1, text)]);
        store.append(new.id, &said).await.unwrap();
        assert_eq!(store.journal(new.id, 1).await.unwrap(), said);
    }
    let long = "word ".repeat(200_000);
    let said = entries(3, [remote_said(2, &long)]);
    store.append(call(1), &said).await.unwrap();
    assert_eq!(store.journal(call(1), 2).await.unwrap(), said);
}

pub async fn a_newer_schema_is_refused(backend: &Backend) {
    backend.open().await.close().await;
    backend
        .tamper(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             SELECT 99, 'from the future', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1",
        )
        .await;
    let refused = Store::open(&backend.url).await.unwrap_err();
    assert!(matches!(refused, OpenError::NewerSchema { found: 99, .. }), "{refused}");
    assert!(refused.to_string().contains("start a newer offhook"));
}

pub async fn the_audit_log_is_append_only(backend: &Backend) {
    let store = backend.open().await;
    let entry = |n: i64, action: &str| AuditEntry {
        at: at(n),
        owner: (n < 3).then(|| owner(1)),
        actor: "operator".into(),
        action: action.into(),
        subject: Some("key".into()),
        detail: None,
    };
    let log = [entry(1, "key.created"), entry(2, "key.revoked"), entry(3, "key.created")];
    for entry in &log {
        store.append_audit(entry).await.unwrap();
    }
    let table = [
        (AuditFilter::default(), vec![2, 1, 0]),
        (AuditFilter { limit: 1, ..AuditFilter::default() }, vec![2]),
        (AuditFilter { owner: Some(owner(1)), ..AuditFilter::default() }, vec![1, 0]),
        (AuditFilter { action: Some("key.created".into()), ..AuditFilter::default() }, vec![2, 0]),
        (AuditFilter { since: Some(at(1) + Duration::from_millis(1)), ..AuditFilter::default() }, vec![2, 1]),
    ];
    for (filter, expected) in table {
        let expected: Vec<_> = expected.into_iter().map(|n: usize| log[n].clone()).collect();
        assert_eq!(store.audit_log(&filter).await.unwrap(), expected);
    }
}
