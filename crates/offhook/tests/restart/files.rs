//! Recordings that the store was never told of.

use std::fs::{self, File};
use std::time::SystemTime;

use offhook::app::App;
use offhook::config::RetentionDays;
use offhook::gateway::Gateway;
use offhook_core::journal::Part;
use offhook_core::{CallId, Fact, Timestamp};
use tokio::time::timeout;

use crate::world::{BUSY, HANGS_UP, PATIENCE, World, wish};

async fn over(gateway: &Gateway, to: &str) -> CallId {
    let id = gateway.place_call(None, wish(to)).await.unwrap().call_id;
    let ended = async {
        while gateway.store().call(id).await.unwrap().unwrap().end.is_none() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, ended).await.expect("the call ends");
    id
}

#[tokio::test]
async fn a_recording_that_was_never_noted_does_not_outlive_its_time() {
    let world = World::new().await;
    let app = App::start(world.config.clone()).await.unwrap();
    let gateway = app.gateway();
    let (recorded, other) = (over(gateway, HANGS_UP).await, over(gateway, BUSY).await);
    let recorder = gateway.engine().recorder();
    let path = recorder.path(recorded);
    let noted = gateway.store().call(recorded).await.unwrap().unwrap().recording.unwrap();
    assert!(path.exists());

    // One that a process could not note before it died, one of a call that is gone, and something of the operator's.
    let unnoted = recorder.path(other);
    let stray = recorder.path(CallId::from_parts(Timestamp::from_unix_millis(1), [9; 10]));
    let notes = path.with_file_name("notes.txt");
    for copy in [&unnoted, &stray, &notes] {
        fs::copy(&path, copy).unwrap();
    }
    File::options().write(true).open(&stray).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();

    let forever = RetentionDays { recordings: None, transcripts: None, calls: None };
    gateway.purge(forever).await;
    let found = gateway.store().call(other).await.unwrap().unwrap().recording.unwrap();
    assert_eq!(
        (found.bytes, found.duration_ms, found.path),
        (noted.bytes, noted.duration_ms, Some(unnoted.clone()))
    );
    assert!([&path, &unnoted, &stray].iter().all(|file| file.exists()), "nothing has expired");

    gateway.purge(RetentionDays { recordings: Some(0), ..forever }).await;
    assert!(![&path, &unnoted, &stray].iter().any(|file| file.exists()));
    assert!(notes.exists());
    assert!(gateway.store().call(other).await.unwrap().unwrap().recording.unwrap().removed_at.is_some());
    app.shutdown().await;
    world.exchange.shutdown().await;
}

#[tokio::test]
async fn a_recording_that_can_not_be_written_is_told() {
    let world = World::new().await;
    let app = App::start(world.config.clone()).await.unwrap();
    let gateway = app.gateway();
    fs::remove_dir_all(world.dir.path().join("recordings")).unwrap();
    let id = over(gateway, HANGS_UP).await;
    let journal = gateway.store().journal(id, 0).await.unwrap();
    let told = journal.iter().find_map(|entry| match &entry.fact {
        Fact::Problem { part: Part::Recording, message, .. } => Some(message.as_str()),
        _ => None,
    });
    assert!(told.is_some_and(|told| told.contains("could not be written")), "{journal:?}");
    assert!(
        journal.iter().any(|entry| entry.fact == Fact::RecordingStopped { duration_ms: 0 }),
        "{journal:?}"
    );
    assert_eq!(gateway.store().call(id).await.unwrap().unwrap().recording, None);
    app.shutdown().await;
    world.exchange.shutdown().await;
}
