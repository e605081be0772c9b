//! What only a server can do.

use std::path::Path;

use offhook_core::{CallId, JournalEntry};
use offhook_store::{BackupError, NewCall, Store};
use tokio::task::JoinSet;

use crate::backend::Backend;
use crate::story::{
    answered, append_many, at, call, dialing, entries, finished_call, new_call, owner, store_with_owner,
};

pub async fn a_lost_connection_is_opened_again(backend: &Backend) {
    let store = store_with_owner(backend).await;
    finished_call(&store, &new_call(1), "hello").await;
    backend
        .tamper(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE application_name = 'offhook' AND datname = current_database()",
        )
        .await;
    assert!(store.call(call(1)).await.unwrap().is_some());
    finished_call(&store, &new_call(2), "hello").await;

    let backup = store.backup_to(Path::new("offhook.backup")).await;
    assert!(matches!(backup, Err(BackupError::UsePgDump)));
}

pub async fn several_processes_may_open_a_new_database_at_once(backend: &Backend) {
    let mut opening = JoinSet::new();
    for _ in 0..4 {
        let url = backend.url.clone();
        opening.spawn(async move { Store::open(&url).await.unwrap() });
    }
    for store in opening.join_all().await {
        store.create_owner(owner(1), at(0)).await.unwrap();
        store.ping().await.unwrap();
    }
}

/// Writers that cross each other and a deletion: nobody's facts are lost but the deleted owner's.
pub async fn a_deleted_owner_keeps_nobody_from_writing(backend: &Backend) {
    let store = store_with_owner(backend).await;
    for round in 0..5_u16 {
        store.create_owner(owner(2), at(0)).await.unwrap();
        let [kept, deleted] = [call(2 * round), call(2 * round + 1)];
        store.insert_call(&NewCall { id: kept, ..new_call(1) }).await.unwrap();
        store.insert_call(&NewCall { id: deleted, owner: owner(2), ..new_call(1) }).await.unwrap();
        let facts = entries(2, [dialing(), answered()]);
        let forth: Vec<(CallId, Vec<JournalEntry>)> = vec![(kept, facts.clone()), (deleted, facts.clone())];
        let back: Vec<_> = forth.iter().rev().cloned().collect();

        let mut writing = JoinSet::new();
        for batch in [forth, back] {
            let store = store.clone();
            writing.spawn(async move { drop(append_many(&store, &batch).await) });
        }
        let deleting = store.clone();
        writing.spawn(async move { drop(deleting.delete_owner(owner(2)).await.unwrap()) });
        writing.join_all().await;
        assert_eq!(store.journal(kept, 1).await.unwrap(), facts);
        assert_eq!(backend.mentions(&deleted.to_string()).await, [""; 0]);
    }
}
