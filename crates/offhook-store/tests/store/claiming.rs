//! One process per database.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use offhook_store::{ClaimError, Store};
use sqlx::{Connection, PgConnection};
use tokio::time::timeout;

use crate::backend::Backend;

const PATIENCE: Duration = Duration::from_secs(30);

/// Set for a process that a test starts: it claims the database, says so, and waits to be killed.
const CLAIMANT: &str = "OFFHOOK_STORE_TEST_CLAIMANT";

#[tokio::test]
async fn claimant() {
    let Ok(url) = std::env::var(CLAIMANT) else { return };
    let store = Store::open(&url).await.unwrap();
    let _claim = store.claim().await.unwrap();
    println!("claimed");
    std::future::pending::<()>().await;
}

fn other_process(url: &str) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "claiming::claimant"])
        .env(CLAIMANT, url)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.ends_with("claimed")), "it claims the database");
    child
}

/// It is refused while another process has it, and free when that was killed.
pub async fn one_process_has_the_claim(backend: &Backend) {
    let store = backend.open().await;
    let mut other = other_process(&backend.url);
    let refused = store.claim().await.unwrap_err();
    assert!(matches!(&refused, ClaimError::Taken { .. }), "{refused}");
    let text = refused.to_string();
    assert!(text.contains("stop it first") && text.contains("database_url"), "{text}");
    assert_eq!(backend.is_sqlite(), text.contains(&format!("process {}", other.id())), "{text}");

    other.kill().unwrap();
    other.wait().unwrap();
    let claim = store.claim().await.unwrap();
    assert!(claim.is_held());
}

/// The next start, in the same process or another, need not wait for anything.
pub async fn a_claim_is_given_back(backend: &Backend) {
    let store = backend.open().await;
    for _ in 0..3 {
        let claim = store.claim().await.unwrap();
        claim.release().await;
    }
    let claim = store.claim().await.unwrap();
    assert!(matches!(store.claim().await, Err(ClaimError::Taken { .. })), "also from within");
    drop(claim);
    assert!(store.claim().await.is_ok());
}

/// Its connection may break; whoever asks meanwhile learns that it is not held.
pub async fn a_lost_claim_is_taken_again(backend: &Backend) {
    let store = backend.open().await;
    let claim = store.claim().await.unwrap();
    let held = async |expected| {
        let wait = async {
            while claim.is_held() != expected {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, wait).await.expect("it notices");
    };
    // Another one is there at once when the connection breaks, and stays a while.
    let mut other = PgConnection::connect(&backend.url).await.unwrap();
    for sql in [
        "SELECT pg_terminate_backend(pid)::text FROM pg_locks WHERE locktype = 'advisory'",
        "SELECT pg_advisory_lock(1868983400, hashtext('public'))::text",
    ] {
        sqlx::raw_sql(sql).execute(&mut other).await.unwrap();
    }
    held(false).await;
    other.close().await.unwrap();
    held(true).await;
    assert!(matches!(store.claim().await, Err(ClaimError::Taken { .. })));
}
