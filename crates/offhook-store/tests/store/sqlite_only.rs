//! What only a file can do.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use offhook_store::{BackupError, InsertCallError, OpenError, Retention, Store};

use tokio::task::JoinSet;

use crate::backend::Backend;
use crate::story::{at, call, entries, finished_call, new_call, owner, remote_said, store_with_owner};

#[tokio::test]
async fn a_url_names_a_file_or_says_what_to_write() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new/offhook.db");
    let plain = path.display().to_string();
    for url in [
        &plain,
        &format!("sqlite:{plain}"),
        &format!("sqlite://{plain}"),
        &format!("sqlite:{plain}?mode=rwc"),
    ] {
        Store::open(url).await.unwrap().close().await;
        std::fs::remove_file(&path).unwrap();
    }
    for url in ["", "sqlite:", "mysql://localhost/offhook", "sqlite:x.db?cache=shared", "postgres://[::1"] {
        let refused = Store::open(url).await.unwrap_err();
        assert!(matches!(refused, OpenError::BadUrl { .. }), "{url}: {refused}");
    }
    let below_a_file = format!("{}/offhook.db", file_in(dir.path()).display());
    assert!(matches!(Store::open(&below_a_file).await, Err(OpenError::File { .. })));
}

fn file_in(dir: &Path) -> std::path::PathBuf {
    let path = dir.join("a file");
    std::fs::write(&path, "no database").unwrap();
    path
}

#[tokio::test]
async fn a_file_that_is_no_database_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = file_in(dir.path());
    assert!(Store::open(path.to_str().unwrap()).await.is_err());
    assert_eq!(std::fs::read_to_string(path).unwrap(), "no database");
}

#[tokio::test]
async fn a_database_can_be_in_memory_only() {
    let store = Store::open("sqlite::memory:").await.unwrap();
    let other = Store::open(":memory:").await.unwrap();
    store.create_owner(owner(1), at(0)).await.unwrap();
    finished_call(&store, &new_call(1), "hello").await;
    assert!(store.call(call(1)).await.unwrap().is_some());
    assert_eq!(other.call(call(1)).await.unwrap(), None, "two of them have nothing in common");
    let retention = Retention { now: at(9_000), calls_before: Some(at(9_000)), ..Retention::default() };
    assert_eq!(store.purge(retention).await.unwrap().calls, 1);
    assert_eq!(store.delete_owner(owner(1)).await.unwrap(), [""; 0].map(PathBuf::from));
    assert!(matches!(store.insert_call(&new_call(1)).await, Err(InsertCallError::UnknownOwner)));
}

#[tokio::test]
async fn nobody_else_may_read_the_files() {
    let backend = Backend::sqlite();
    let store = store_with_owner(&backend).await;
    finished_call(&store, &new_call(1), "hello").await;
    let copy = backend.files()[0].with_file_name("copy.db");
    store.backup_to(&copy).await.unwrap();
    assert!(backend.files().len() > 2);
    for file in backend.files() {
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o077, 0, "{}", file.display());
    }
}

#[tokio::test]
async fn a_backup_is_a_database() {
    let backend = Backend::sqlite();
    let store = store_with_owner(&backend).await;
    finished_call(&store, &new_call(1), "hello").await;
    let copy = backend.files()[0].with_file_name("copy.db");
    store.backup_to(&copy).await.unwrap();
    assert!(matches!(store.backup_to(&copy).await, Err(BackupError::File { .. })), "never over another file");

    let copy = Store::open(copy.to_str().unwrap()).await.unwrap();
    assert_eq!(copy.call(call(1)).await.unwrap(), store.call(call(1)).await.unwrap());
    assert_eq!(copy.integrity().await.unwrap(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_processes_may_open_a_new_file_at_once() {
    for _ in 0..5 {
        let backend = Backend::sqlite();
        let mut opening = JoinSet::new();
        for _ in 0..6 {
            let url = backend.url.clone();
            opening.spawn(async move { Store::open(&url).await.unwrap() });
        }
        let stores = opening.join_all().await;
        stores[0].create_owner(owner(1), at(0)).await.unwrap();
        finished_call(&stores[1], &new_call(1), "hello").await;
        for store in stores {
            assert!(store.call(call(1)).await.unwrap().is_some());
        }
    }
}

/// Set for a process that this test starts: it writes until it is killed, and says after each commit how far it is.
const WRITER: &str = "OFFHOOK_STORE_TEST_WRITER";

#[tokio::test]
async fn what_was_committed_survives_a_kill() {
    if let Ok(url) = std::env::var(WRITER) {
        return write_until_killed(&url).await;
    }
    let backend = Backend::sqlite();
    let store = store_with_owner(&backend).await;
    store.insert_call(&new_call(1)).await.unwrap();
    store.close().await;
    for round in 1..=3 {
        let mut writer = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", "sqlite_only::what_was_committed_survives_a_kill"])
            .env(WRITER, &backend.url)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut committed =
            lines.by_ref().filter_map(|line| line.strip_prefix("committed ")?.parse::<u64>().ok());
        assert!(committed.any(|seq| seq >= round * 100));
        writer.kill().unwrap();
        writer.wait().unwrap();
        let last = committed.last().unwrap_or(round * 100);

        let store = backend.open().await;
        let found = store.last_seq(call(1)).await.unwrap();
        assert!(found >= last, "{found} of {last} facts are there");
        assert_eq!(store.journal(call(1), 0).await.unwrap().len() as u64, found);
        assert_eq!(store.integrity().await.unwrap(), [""; 0]);
        store.close().await;
    }
}

async fn write_until_killed(url: &str) {
    let store = Store::open(url).await.unwrap();
    for seq in store.last_seq(call(1)).await.unwrap() + 1.. {
        store.append(call(1), &entries(seq, [remote_said(seq as u32, "yes")])).await.unwrap();
        println!("committed {seq}");
    }
}

#[tokio::test]
async fn many_pages_are_given_back() {
    let backend = Backend::sqlite();
    let store = store_with_owner(&backend).await;
    store.insert_call(&new_call(1)).await.unwrap();
    let long = "a secret ".repeat(10_000);
    for seq in 2..200 {
        store.append(call(1), &entries(seq, [remote_said(1, &long)])).await.unwrap();
    }
    store.delete_owner(owner(1)).await.unwrap();
    let sizes: Vec<u64> = backend.files().iter().map(|file| std::fs::metadata(file).unwrap().len()).collect();
    assert!(sizes.iter().sum::<u64>() < 500_000, "{sizes:?}");
}
