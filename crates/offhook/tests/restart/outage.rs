//! A store that goes away in the middle of calls, and comes back.

use offhook::app::App;
use offhook::gateway::{Caller, Gateway, HungUp, PlaceCall, PlaceCallError};
use offhook::writer::{Health, Writer};
use offhook_core::{CallId, EndReason, Fact, JournalEntry, OwnerId, Timestamp};
use offhook_sandbox::{Ending, Stage};
use offhook_store::{AuditEntry, CallRequest, Direction, NewCall, Store, Ties};
use offhook_testkit::postgres::Cluster;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::broadcast;
use tokio::time::timeout;

use crate::world::{BUSY, PATIENCE, SILENT, World, wish};

/// Until this is so.
async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !so().await {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// A call that is answered, and whoever may hang it up.
async fn answered(gateway: &Gateway) -> (CallId, Caller, SecretString) {
    let placed = gateway.place_call(None, wish(SILENT)).await.unwrap();
    let key = placed.minted_key.unwrap();
    let caller = gateway.authenticate(Some(key.expose_secret())).await.unwrap();
    until("answered", async || {
        gateway.store().call(placed.call_id).await.unwrap().unwrap().answered_at.is_some()
    })
    .await;
    (placed.call_id, caller, key)
}

async fn is_ready(gateway: &Gateway) -> bool {
    gateway.readiness().await.iter().all(|check| check.ok)
}

/// As on a full disk: what room is left in the file is used up.
async fn fill(store: &Store) {
    store.limit_pages(1).await.unwrap();
    let mut detail = "x".repeat(100_000);
    while detail.len() > 50 {
        let entry = AuditEntry {
            at: Timestamp::default(),
            owner: None,
            actor: "test".into(),
            action: "fill".into(),
            subject: None,
            detail: Some(detail.clone()),
        };
        if store.append_audit(&entry).await.is_err() {
            detail.truncate(detail.len() / 2);
        }
    }
}

/// A call that does not fit into a page that is there already.
fn long() -> PlaceCall {
    PlaceCall { task: "Ask when they open. ".repeat(1_000), ..wish(BUSY) }
}

async fn assert_whole(gateway: &Gateway, id: CallId, expected: EndReason) {
    until("the end is written", async || {
        gateway.store().call(id).await.is_ok_and(|call| call.is_some_and(|call| call.end.is_some()))
    })
    .await;
    let journal = gateway.store().journal(id, 0).await.unwrap();
    assert!(journal.iter().map(|entry| entry.seq).eq(1..=journal.len() as u64), "{journal:?}");
    let last = &journal.last().unwrap().fact;
    assert!(matches!(last, Fact::Ended { reason, .. } if *reason == expected), "{last:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_stops_new_calls_and_loses_nothing_of_those_that_run() {
    let world = World::new().await;
    let app = App::start(world.config.clone()).await.unwrap();
    let gateway = app.gateway();
    let (running, caller, _) = answered(gateway).await;
    fill(gateway.store()).await;

    let refused = gateway.place_call(None, long()).await.unwrap_err();
    assert!(matches!(refused, PlaceCallError::StoreAway { why } if why.contains("disk")), "{refused}");
    assert!(!is_ready(gateway).await);
    let http = reqwest::Client::new();
    let ready = http.get(format!("{}/readyz", app.url())).send().await.unwrap();
    assert_eq!(ready.status(), 503);
    let body = serde_json::json!({ "to": BUSY, "task": "Ask when they open." });
    let answer = http.post(format!("{}/call", app.url())).json(&body).send().await.unwrap();
    assert!(answer.headers().contains_key("retry-after"));
    assert_eq!(answer.status(), 503);
    assert!(answer.text().await.unwrap().contains("store_unavailable"));

    // The call that runs can be hung up, and leaves nothing behind but what waits to be written.
    gateway.hang_up(caller, running).await.unwrap();
    let over = world.exchange.until(|calls| calls[0].is_over().then(|| calls[0].stage));
    assert_eq!(timeout(PATIENCE, over).await.unwrap(), Stage::Ended(Ending::RemoteHungUp));
    until("its place is given back", async || gateway.admission().live() == 0).await;
    assert!(gateway.store().call(running).await.unwrap().unwrap().end.is_none());

    gateway.store().limit_pages(0).await.unwrap();
    until("ready again", async || is_ready(gateway).await).await;
    assert_whole(gateway, running, EndReason::OwnerCancelled).await;
    let next = gateway.place_call(None, wish(BUSY)).await.unwrap();
    assert_whole(gateway, next.call_id, EndReason::RemoteBusy).await;
    assert_eq!(world.exchange.calls().len(), 2, "what was refused was never dialled");
    assert_eq!(gateway.store().integrity().await.unwrap(), [""; 0]);
    app.shutdown().await;
    world.exchange.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_nobody_can_account_for_is_hung_up() {
    let world = World::new().await;
    let app = App::start(world.config.clone()).await.unwrap();
    let gateway = app.gateway();
    let (running, _, _) = answered(gateway).await;
    let key = gateway.store().keys(None).await.unwrap()[0].id;
    fill(gateway.store()).await;
    gateway.place_call(None, long()).await.unwrap_err();
    // So much waits that no more can.
    for _ in 0..70_000 {
        gateway.engine().writer().key_used(key, Timestamp::default());
    }
    let over = world.exchange.until(|calls| calls[0].is_over().then(|| calls[0].stage));
    assert_eq!(timeout(PATIENCE, over).await.unwrap(), Stage::Ended(Ending::RemoteHungUp));
    until("nothing is left of it", async || gateway.admission().live() == 0).await;

    // There was room for its end.
    gateway.store().limit_pages(0).await.unwrap();
    assert_whole(gateway, running, EndReason::GatewayFault).await;
    app.shutdown().await;
    world.exchange.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_server_may_be_restarted_under_a_call() {
    let mut cluster = Cluster::start();
    let mut world = World::new().await;
    world.config.database_url = cluster.database("offhook").into();
    let app = App::start(world.config.clone()).await.unwrap();
    let gateway = app.gateway();
    let (running, caller, key) = answered(gateway).await;
    cluster.stop();

    until("not ready", async || !is_ready(gateway).await).await;
    let refused = gateway.place_call(None, wish(BUSY)).await.unwrap_err();
    assert!(matches!(refused, PlaceCallError::StoreAway { .. }), "{refused}");
    // A call must be hung up whatever the store does.
    let key = Some(key.expose_secret());
    assert_eq!(gateway.authenticate(key).await.unwrap(), caller);
    let stranger = Caller { owner: OwnerId::from_parts(Timestamp::default(), [7; 10]), ..caller };
    assert!(gateway.hang_up(stranger, running).await.is_err());
    assert_eq!(gateway.hang_up(caller, running).await.unwrap(), HungUp::Ended);
    let over = world.exchange.until(|calls| calls[0].is_over().then(|| calls[0].stage));
    assert_eq!(timeout(PATIENCE, over).await.unwrap(), Stage::Ended(Ending::RemoteHungUp));

    cluster.start_again();
    until("ready again", async || is_ready(gateway).await).await;
    assert_whole(gateway, running, EndReason::OwnerCancelled).await;
    assert_eq!(gateway.hang_up(caller, running).await.unwrap(), HungUp::AlreadyOver { answered: true });
    let next = gateway.place_call(None, wish(BUSY)).await.unwrap();
    assert_whole(gateway, next.call_id, EndReason::RemoteBusy).await;
    app.shutdown().await;
    world.exchange.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_does_not_wait_for_a_store_that_stays_away() {
    let mut cluster = Cluster::start();
    let mut world = World::new().await;
    world.config.database_url = cluster.database("offhook").into();
    let app = App::start(world.config.clone()).await.unwrap();
    let (running, _, _) = answered(app.gateway()).await;
    cluster.stop();
    timeout(2 * PATIENCE, app.shutdown()).await.expect("it stops");
    let over = world.exchange.until(|calls| calls[0].is_over().then_some(()));
    timeout(PATIENCE, over).await.expect("the far end was told");

    // What could not be written is made up for at the next start, from what was.
    cluster.start_again();
    let app = App::start(world.config.clone()).await.unwrap();
    assert_whole(app.gateway(), running, EndReason::GatewayRestarted).await;
    app.shutdown().await;
    world.exchange.shutdown().await;
}

/// A store of its own, and a call in it that is about to start.
async fn store_with_a_call(dir: &std::path::Path) -> (Store, CallId) {
    let store = Store::open(dir.join("offhook.db").to_str().unwrap()).await.unwrap();
    let id = insert(&store, 1).await;
    (store, id)
}

pub async fn insert(store: &Store, n: u8) -> CallId {
    let at = Timestamp::default();
    let (id, owner) = (CallId::from_parts(at, [n; 10]), OwnerId::from_parts(at, [1; 10]));
    store.create_owner(owner, at).await.unwrap();
    let new = NewCall {
        id,
        owner,
        minted: None,
        idempotency: None,
        direction: Direction::Outbound,
        request: CallRequest::default(),
        webhook_url: None,
        ties: Ties::default(),
        queued_at: at,
        entries: vec![JournalEntry { seq: 1, at, fact: Fact::Queued { policy: String::new() } }],
    };
    store.insert_call(&new).await.unwrap();
    id
}

/// A call that tells more than can wait loses its last facts, none in between, and the memory of it stays bounded.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_is_bounded_and_has_no_gaps() {
    const ROOM: usize = 64;
    let dir = tempfile::tempdir().unwrap();
    let (store, id) = store_with_a_call(dir.path()).await;
    fill(&store).await;

    let writer = Writer::with_room(store.clone(), ROOM);
    let mut journal = writer.journal(id, 1, broadcast::channel(1).0);
    let policy = "too long for a page that is there ".repeat(1_000);
    journal.write(Timestamp::default(), Fact::Queued { policy });
    journal.pass_on();
    until("it is away", async || writer.health() != Health::Well).await;
    for _ in 0..1_000 {
        journal.write(Timestamp::default(), Fact::Held {});
        journal.pass_on();
    }
    assert!(matches!(writer.health(), Health::Full { .. }));
    timeout(PATIENCE, journal.close()).await.expect("nobody waits for a store that is away");

    store.limit_pages(0).await.unwrap();
    until("it is back", async || writer.health() == Health::Well).await;
    assert!(writer.flush().await);
    let written = store.journal(id, 0).await.unwrap();
    assert!(written.iter().map(|entry| entry.seq).eq(1..=written.len() as u64), "{written:?}");
    assert!((ROOM..=ROOM + 2).contains(&written.len()), "{}", written.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fact_that_the_database_never_takes_stops_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let (store, id) = store_with_a_call(dir.path()).await;
    let other = insert(&store, 2).await;
    let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON journal WHEN NEW.code = 'leg.held' \
        BEGIN SELECT RAISE(ABORT, 'never'); END";
    store.meddle(refuse).await.unwrap();
    let writer = Writer::start(store.clone());
    let mut journals = [id, other].map(|id| writer.journal(id, 1, broadcast::channel(1).0));
    let at = Timestamp::default();
    journals.iter_mut().for_each(|journal| journal.write(at, Fact::Resumed {}));
    journals[0].write(at, Fact::Held {});
    for mut journal in journals {
        journal.write(at, offhook::writer::ended(EndReason::RemoteHungUp, None, at));
        journal.close().await;
    }
    until("it is well", async || writer.health() == Health::Well && writer.flush().await).await;
    let codes = async |id| -> Vec<&str> {
        store.journal(id, 0).await.unwrap().iter().map(|entry| entry.fact.code()).collect()
    };
    assert_eq!(codes(id).await, ["call.queued", "leg.resumed", "call.problem", "call.ended"]);
    assert_eq!(codes(other).await, ["call.queued", "leg.resumed", "call.ended"]);
    assert_eq!(store.integrity().await.unwrap(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_session_told_before_it_panicked_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let (store, id) = store_with_a_call(dir.path()).await;
    let writer = Writer::start(store.clone());
    let at = Timestamp::default();
    let mut broken = writer.journal(id, 1, broadcast::channel(1).0);
    let progress = broken.progress();
    broken.write(at, Fact::Resumed {});
    drop(broken);
    let mut journal = writer.journal(id, progress.last_seq(), broadcast::channel(1).0);
    journal.write(at, offhook::writer::ended(EndReason::GatewayFault, None, at));
    journal.close().await;
    let told = store.journal(id, 0).await.unwrap();
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(store.integrity().await.unwrap(), [""; 0]);
}
