//! What is deleted is gone.

use std::path::PathBuf;

use offhook_core::journal::{ItemKind, Part};
use offhook_core::{EndReason, Fact};
use offhook_store::*;

use crate::backend::Backend;
use crate::campaigns::new_campaign;
use crate::schedules::{new_schedule, schedule};
use crate::story::{
    answered, at, call, ended, entries, finished_call, new_call, owner, remote_said, store_with_owner,
};

const SECRET: &str = "the combination is left, left, right";

async fn assert_gone(backend: &Backend, needle: &str) {
    assert_eq!(backend.mentions(needle).await, [""; 0]);
    for file in backend.files() {
        let bytes = std::fs::read(&file).unwrap();
        let found = bytes.windows(needle.len()).any(|window| window == needle.as_bytes());
        assert!(!found, "{} still holds {needle:?}", file.display());
    }
}

fn recording(path: &str, expires_at_ms: Option<i64>) -> NewRecording {
    let (path, expires_at) = (PathBuf::from(path), expires_at_ms.map(at));
    NewRecording { path, bytes: 1, duration_ms: 1, created_at: at(0), expires_at }
}

pub async fn transcripts_expire_before_calls(backend: &Backend) {
    let store = store_with_owner(backend).await;
    // Finalized at second 5, and one that is still going on.
    finished_call(&store, &new_call(1), SECRET).await;
    store.insert_call(&new_call(2)).await.unwrap();
    store.append(call(2), &entries(2, [answered(), remote_said(1, "still talking")])).await.unwrap();
    let problem = Fact::Problem { part: Part::Speech, code: "refused".into(), message: SECRET.into() };
    store.append(call(1), &entries(6, [problem])).await.unwrap();
    // Of the result, what was said goes with what was said.
    let item =
        |kind, value: &str| Fact::ResultItem { kind, name: "x".into(), value: value.into(), turns: vec![1] };
    let items =
        [ItemKind::Breach, ItemKind::AskedToCommit, ItemKind::Commitment].map(|kind| item(kind, SECRET));
    store.append(call(1), &entries(7, items)).await.unwrap();
    let kept =
        [ItemKind::Field, ItemKind::Blocker, ItemKind::NextStep].map(|kind| item(kind, "Thursday at four"));
    store.append(call(1), &entries(10, kept.clone())).await.unwrap();
    let before = store.call(call(1)).await.unwrap().unwrap();
    assert_eq!(backend.mentions(SECRET).await, ["journal"; 5]);

    let retention = Retention { now: at(9_000), transcripts_before: Some(at(5_000)), ..Retention::default() };
    assert_eq!(store.purge(retention).await.unwrap(), Purged::default());
    assert_eq!(backend.mentions(SECRET).await.len(), 5);

    let retention = Retention { transcripts_before: Some(at(5_001)), ..retention };
    assert_eq!(store.purge(retention).await.unwrap().transcripts, 1);
    assert_gone(backend, SECRET).await;
    assert_eq!(backend.mentions("still talking").await, ["journal"]);

    // The facts stay, and the row says why they are silent.
    let after = store.call(call(1)).await.unwrap().unwrap();
    assert_eq!(after, CallRow { transcript_removed_at: Some(at(9_000)), ..before });
    let journal = store.journal(call(1), 0).await.unwrap();
    assert_eq!(journal.len(), 12);
    assert_eq!(journal[3].fact, remote_said(1, ""));
    assert_eq!(journal[6].fact, item(ItemKind::Breach, ""));
    assert_eq!(journal[9..].iter().map(|entry| entry.fact.clone()).collect::<Vec<_>>(), kept);
    assert_eq!(store.purge(retention).await.unwrap(), Purged::default());
}

pub async fn recordings_expire_and_are_unlinked(backend: &Backend) {
    let store = store_with_owner(backend).await;
    for (n, expires_at_ms) in [(1, Some(20_000)), (2, None), (3, Some(30_000))] {
        finished_call(&store, &new_call(n), "hello").await;
        store.set_recording(call(n), &recording(&format!("rec/{n}.wav"), expires_at_ms)).await.unwrap();
    }
    let gone = store.set_recording(call(9), &recording("rec/9.wav", None)).await;
    assert!(matches!(gone, Err(StoreError::Gone)));

    let removed = async |n| {
        let recording = store.call(call(n)).await.unwrap().unwrap().recording.unwrap();
        assert_eq!(recording.path.is_none(), recording.removed_at.is_some());
        recording.removed_at
    };
    // Its own time has come.
    let purged = store.purge(Retention { now: at(20_000), ..Retention::default() }).await.unwrap();
    assert_eq!((purged.recordings, &purged.files[..]), (1, &["rec/1.wav".into()][..]));
    assert_eq!((removed(1).await, removed(2).await), (Some(at(20_000)), None));

    // Until the file is reported as unlinked it is remembered, also by the next purge.
    let retention = Retention { now: at(21_000), recordings_before: Some(at(5_001)), ..Retention::default() };
    let purged = store.purge(retention).await.unwrap();
    let files: Vec<PathBuf> = (1..=3).map(|n| format!("rec/{n}.wav").into()).collect();
    assert_eq!((purged.recordings, &purged.files), (2, &files));
    store.unlinked(&files[..2]).await.unwrap();
    assert_eq!(store.files_to_unlink().await.unwrap(), files[2..]);
    store.unlinked(&files).await.unwrap();
    assert_gone(backend, "rec/").await;

    // One that is replaced.
    store.set_recording(call(1), &recording("rec/a.wav", None)).await.unwrap();
    store.set_recording(call(1), &recording("rec/b.wav", None)).await.unwrap();
    assert_eq!(store.files_to_unlink().await.unwrap(), [PathBuf::from("rec/a.wav")]);
    assert_eq!(removed(1).await, None);
}

pub async fn calls_expire_with_all_that_belongs_to_them(backend: &Backend) {
    let store = store_with_owner(backend).await;
    let idempotency = Some(Idempotency { key: "order-17".into(), request_hash: [1; 32] });
    let mut old = NewCall { idempotency: idempotency.clone(), ..new_call(1) };
    old.request.task = "find the old lamp".into();
    finished_call(&store, &old, SECRET).await;
    store.set_recording(call(1), &recording("rec/1.wav", None)).await.unwrap();
    store.insert_call(&new_call(2)).await.unwrap();

    let retention = Retention { now: at(9_000), calls_before: Some(at(5_001)), ..Retention::default() };
    let purged = store.purge(retention).await.unwrap();
    assert_eq!((purged.calls, &purged.files[..]), (1, &["rec/1.wav".into()][..]));
    store.unlinked(&purged.files).await.unwrap();
    for needle in [SECRET, "old lamp", "order-17", "rec/1.wav", &call(1).to_string()] {
        assert_gone(backend, needle).await;
    }
    assert_eq!(store.call(call(1)).await.unwrap(), None);
    assert!(store.call(call(2)).await.unwrap().is_some());

    // Its key is free again.
    let again = NewCall { idempotency, ..new_call(3) };
    assert_eq!(store.insert_call(&again).await.unwrap(), Inserted::New);
}

pub async fn an_owner_is_deleted_without_a_trace(backend: &Backend) {
    let store = store_with_owner(backend).await;
    let mut traces = Vec::new();
    for n in [1_u8, 2] {
        let who = owner(n);
        let key = NewKey {
            owner: who,
            hash: [n; 32],
            kind: KeyKind::Owner,
            label: Some(format!("key of {n}")),
            created_at: at(0),
        };
        let key = store.create_key(&key).await.unwrap();
        store.set_email(who, Some(&format!("mail of {n}"))).await.unwrap();
        let manner = Some(format!("manner of {n}"));
        let preferences = Preferences { personality: manner, ..Preferences::default() };
        store.set_preferences(who, &preferences, at(0)).await.unwrap();
        let phone = PhoneRow { number: format!("phone of {n}"), primary: true, confirmed_at: at(0) };
        assert!(store.add_phone(who, &phone).await.unwrap());
        store.reserve(&format!("line of {n}"), who, at(0)).await.unwrap();
        let profile = InboundProfile { instructions: format!("answer of {n}"), ..InboundProfile::default() };
        assert!(store.set_inbound_profile(who, Some(&profile), at(0)).await.unwrap());
        let mut new = NewCall { owner: who, ..new_call(n.into()) };
        new.request.task = format!("task of {n}");
        new.idempotency = Some(Idempotency { key: format!("order of {n}"), request_hash: [n; 32] });
        let errand = format!("errand of {n}");
        store.insert_campaign(&NewCampaign { owner: who, request: errand, ..new_campaign(n) }).await.unwrap();
        let chore = format!("{{\"chore\": \"chore of {n}\"}}");
        store
            .insert_schedule(&NewSchedule { owner: who, request: chore, ..new_schedule(n, 0) })
            .await
            .unwrap();
        store.begin_run(schedule(n), at(5), at(5)).await.unwrap();
        store.set_proactive_wishes(who, &format!("wishes of {n}"), at(0)).await.unwrap();
        finished_call(&store, &new, &format!("words of {n}")).await;
        store.set_recording(new.id, &recording(&format!("rec/{n}.wav"), None)).await.unwrap();
        // One that is still going on does not hold it up.
        store.insert_call(&NewCall { owner: who, ..new_call(u16::from(n) + 10) }).await.unwrap();
        for (concerns, subject) in
            [(Some(who), "x".to_owned()), (None, new.id.to_string()), (None, key.to_string())]
        {
            let entry = AuditEntry {
                at: at(1),
                owner: concerns,
                actor: format!("operator of {n}"),
                action: "looked".into(),
                subject: Some(subject),
                detail: None,
            };
            store.append_audit(&entry).await.unwrap();
        }
        let ids = [who.to_string(), key.to_string(), new.id.to_string(), call(u16::from(n) + 10).to_string()];
        let texts = [
            "key", "mail", "manner", "task", "errand", "order", "words", "operator", "phone", "line",
            "answer", "chore", "wishes",
        ];
        let texts = texts.map(|what| format!("{what} of {n}"));
        let hash = format!("{n:02x}").repeat(32);
        traces.push([&ids[..], &texts[..], &[hash, format!("rec/{n}.wav")]].concat());
    }
    for trace in traces.iter().flatten() {
        assert_ne!(backend.mentions(trace).await, [""; 0], "{trace}");
    }
    let others = |dump: Vec<(String, String)>| {
        let mut rows: Vec<_> =
            dump.into_iter().filter(|(_, row)| traces[1].iter().any(|trace| row.contains(trace))).collect();
        rows.sort();
        rows
    };
    let others_before = others(backend.dump().await);

    let files = store.delete_owner(owner(1)).await.unwrap();
    assert_eq!(files, [PathBuf::from("rec/1.wav")]);
    store.unlinked(&files).await.unwrap();

    for trace in &traces[0] {
        assert_gone(backend, trace).await;
    }
    assert_eq!(others(backend.dump().await), others_before);
    assert_eq!(store.delete_owner(owner(1)).await.unwrap(), Vec::<PathBuf>::new());

    // What its session still has to say is dropped, and nothing new can begin.
    let late = entries(2, [Fact::Held {}, ended(EndReason::GatewayShutdown, false)]);
    assert!(matches!(store.append(call(11), &late).await, Err(AppendError::UnknownCall)));
    assert!(matches!(store.insert_call(&new_call(20)).await, Err(InsertCallError::UnknownOwner)));
    assert_eq!(store.integrity().await.unwrap(), [""; 0]);
}
