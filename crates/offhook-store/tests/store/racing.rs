//! Many at once.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use offhook_core::journal::{AnsweredBy, TaskStatus};
use offhook_core::{CallId, EndReason, Fact};
use offhook_store::*;
use tokio::task::JoinSet;

use crate::backend::Backend;
use crate::story::{
    answered, append_many, at, call, dialing, ended, entries, new_call, owner, remote_said, store_with_owner,
};

pub async fn one_of_a_hundred_simultaneous_inserts_is_new(backend: &Backend) {
    let store = store_with_owner(backend).await;
    let key = |request_hash| Some(Idempotency { key: "order-17".into(), request_hash });
    let mut inserts = JoinSet::new();
    for n in 0..100 {
        let (store, new) = (store.clone(), NewCall { idempotency: key([1; 32]), ..new_call(n) });
        inserts.spawn(async move { (new.id, store.insert_call(&new).await.unwrap()) });
    }
    let inserted = inserts.join_all().await;

    let placed: Vec<CallId> =
        inserted.iter().filter(|(_, done)| *done == Inserted::New).map(|(id, _)| *id).collect();
    assert_eq!(placed.len(), 1, "{inserted:?}");
    for (id, done) in inserted {
        assert!(id == placed[0] || done == Inserted::Existing(placed[0]), "{done:?}");
    }
    assert_eq!(store.calls(&CallFilter::default()).await.unwrap().len(), 1);

    // And so it stays after a restart; another request and another owner are something else.
    store.close().await;
    let store = backend.open().await;
    store.create_owner(owner(2), at(0)).await.unwrap();
    let table = [
        (1, [1; 32], Inserted::Existing(placed[0])),
        (1, [2; 32], Inserted::KeyReused),
        (2, [1; 32], Inserted::New),
    ];
    for (owner_n, hash, expected) in table {
        let new = NewCall { owner: owner(owner_n), idempotency: key(hash), ..new_call(200) };
        let looked_up = store.idempotent_call(new.owner, new.idempotency.as_ref().unwrap()).await.unwrap();
        assert_eq!(looked_up.unwrap_or(Inserted::New), expected);
        assert_eq!(store.insert_call(&new).await.unwrap(), expected);
    }
}

pub async fn eight_tasks_write_and_read_at_once(backend: &Backend) {
    const FACTS: u64 = 60;
    let store = store_with_owner(backend).await;
    let mut tasks = JoinSet::new();
    for n in 1..=8 {
        let store = store.clone();
        tasks.spawn(async move {
            store.insert_call(&new_call(n)).await.unwrap();
            store.append(call(n), &entries(2, [dialing(), answered()])).await.unwrap();
            for seq in 4..FACTS {
                store.append(call(n), &entries(seq, [remote_said(seq as u32, "yes")])).await.unwrap();
                assert_eq!(store.journal(call(n), 0).await.unwrap().len() as u64, seq);
                assert!(store.call(call(n)).await.unwrap().unwrap().answered_at.is_some());
            }
            store.append(call(n), &entries(FACTS, [ended(EndReason::RemoteHungUp, true)])).await.unwrap();
        });
    }
    tasks.join_all().await;
    assert_eq!(store.unfinished().await.unwrap(), []);
    assert_eq!(store.integrity().await.unwrap(), [""; 0]);
}

pub async fn appending_twice_is_appending_once(backend: &Backend) {
    let store = store_with_owner(backend).await;
    // Enough for statements of every length.
    let batch: Vec<_> = (1..=90).map(|n| (call(n), entries(2, [dialing(), answered()]))).collect();
    for (call, _) in &batch[1..] {
        store.insert_call(&NewCall { id: *call, ..new_call(1) }).await.unwrap();
    }

    // A call that is gone keeps nobody else from being written.
    for _ in 0..2 {
        assert_eq!(append_many(&store, &batch).await, [call(1)]);
        for (id, facts) in &batch[1..] {
            assert_eq!(store.journal(*id, 1).await.unwrap(), *facts);
            assert_eq!(store.call(*id).await.unwrap().unwrap().lifecycle, Lifecycle::Answered);
        }
    }
    assert!(matches!(store.append(call(1), &batch[0].1).await, Err(AppendError::UnknownCall)));
    assert_eq!(append_many(&store, &[]).await, []);

    // What was written stays, also in the row.
    let other = Fact::Dialing { line: "other".into() };
    store.append(call(2), &entries(2, [other])).await.unwrap();
    assert_eq!(store.call(call(2)).await.unwrap().unwrap().line.as_deref(), Some("sandbox"));
}

/// A client that hangs up drops the future of its request, at whichever point it waits.
pub async fn a_dropped_write_leaves_nothing_half_done(backend: &Backend) {
    let store = store_with_owner(backend).await;
    for wakes in 1.. {
        let new = new_call(wakes);
        let facts = entries(2, [dialing(), ended(EndReason::RemoteBusy, false)]);
        let write = async {
            store.insert_call(&new).await.unwrap();
            store.append(new.id, &facts).await.unwrap();
        };
        let finished = dropped_after(wakes, write).await;

        let found = store.call(new.id).await.unwrap().map(|row| row.lifecycle);
        let facts = store.journal(new.id, 0).await.unwrap().len();
        let whole = [(None, 0), (Some(Lifecycle::Queued), 1), (Some(Lifecycle::Finalized), 3)];
        assert!(whole.contains(&(found, facts)), "dropped after {wakes} wakes: {found:?} with {facts} facts");
        store.insert_call(&new_call(1_000 + wakes)).await.unwrap();
        if finished {
            // How often it wakes is for the database to say: answers may come together.
            assert!(wakes > 2, "it was dropped at several points before it came through");
            break;
        }
    }
    assert_eq!(store.integrity().await.unwrap(), [""; 0]);
}

/// Drops a future when it is woken for the last of so many times. Whether it was done before.
async fn dropped_after(wakes: u16, write: impl Future<Output = ()>) -> bool {
    let mut write = pin!(write);
    let mut left = wakes;
    poll_fn(|cx| match left.checked_sub(1) {
        None => Poll::Ready(false),
        Some(fewer) => {
            left = fewer;
            write.as_mut().poll(cx).map(|()| true)
        }
    })
    .await
}

/// However the facts of a call are cut into batches, its row is the same.
pub async fn the_row_does_not_depend_on_the_batches(backend: &Backend) {
    let store = store_with_owner(backend).await;
    let facts = [
        dialing(),
        Fact::Dialing { line: "second try".into() },
        answered(),
        Fact::AnsweredByDetected { answered_by: AnsweredBy::Unknown },
        remote_said(1, "hello"),
        Fact::AnsweredByDetected { answered_by: AnsweredBy::Human },
        Fact::Result { status: TaskStatus::Blocked, summary: "first".into(), evidence_turns: vec![1] },
        Fact::Result { status: TaskStatus::Achieved, summary: "second".into(), evidence_turns: vec![] },
        ended(EndReason::VoiceFinished, true),
    ];
    let journal = entries(2, facts);
    let mut rows = Vec::new();
    for size in 1..=journal.len() {
        let new = NewCall { id: call(size as u16), ..new_call(1) };
        store.insert_call(&new).await.unwrap();
        for batch in journal.chunks(size) {
            store.append(new.id, batch).await.unwrap();
        }
        rows.push(store.call(new.id).await.unwrap().unwrap());
    }
    let whole = rows.last().unwrap();
    assert_eq!(whole.result.as_ref().unwrap().summary, "second");
    assert_eq!(whole.dialing_at, Some(journal[0].at));
    for row in &rows {
        assert_eq!((&row.line, row.lifecycle, &row.result), (&whole.line, whole.lifecycle, &whole.result));
        let parts = |row: &CallRow| {
            (row.dialing_at, row.answered_at, row.finalized_at, row.answered_by, row.end.clone())
        };
        assert_eq!(parts(row), parts(whole));
    }
}
