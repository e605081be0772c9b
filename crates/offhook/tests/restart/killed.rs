//! A process that is killed while it has calls, and the next one on the same data.

use offhook::app::{App, StartError};
use offhook::config::Config;
use offhook::gateway::{Bridge, HandoffState, PlaceCall};
use offhook_core::journal::{Fact, Part, Release};
use offhook_core::{CallId, EndReason};
use offhook_sandbox::{CallRecord, Ending, Stage};
use offhook_store::Store;
use offhook_testkit::quiet::Quiet;
use secrecy::ExposeSecret as _;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use crate::outage::insert;
use crate::world::{NEVER_ANSWERS, OWN_PHONE, PATIENCE, SILENT, World, wish};

/// Wait until a fact like this is in the store.
async fn written(app: &App, id: CallId, fits: impl Fn(&Fact) -> bool) {
    let found = async {
        loop {
            let journal = app.gateway().store().journal(id, 0).await.unwrap();
            if journal.iter().any(|entry| fits(&entry.fact)) {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, found).await.expect("it is written down");
}

async fn kill(process: Runtime, app: App) {
    tokio::task::spawn_blocking(move || process.shutdown_timeout(PATIENCE)).await.unwrap();
    drop(app);
}

impl World {
    /// Call this number in a process that is killed, without a goodbye, once the exchange has the call that far.
    async fn killed_in(&self, to: &str, stage: Stage) -> CallId {
        let process = Runtime::new().unwrap();
        let (config, to) = (self.config.clone(), to.to_owned());
        let placed = process.spawn(async move {
            let app = App::start(config).await.unwrap();
            let id = app.gateway().place_call(None, wish(&to)).await.unwrap().call_id;
            (app, id)
        });
        let (app, id) = placed.await.unwrap();
        let reached = self.exchange.until(|calls| calls.iter().any(|call| call.stage == stage).then_some(()));
        timeout(PATIENCE, reached).await.expect("the call gets that far");
        // What was told to the store is there: the process is not killed in the very instant of the answer.
        written(&app, id, |fact| match stage {
            Stage::Answered => matches!(fact, Fact::Answered { .. }),
            _ => matches!(fact, Fact::Ringing { .. }),
        })
        .await;
        kill(process, app).await;
        id
    }

    async fn journal_after_restart(&self, id: CallId) -> (App, Vec<Fact>) {
        let app = timeout(PATIENCE, App::start(self.config.clone())).await.expect("it starts").unwrap();
        let journal = app.gateway().store().journal(id, 0).await.unwrap();
        (app, journal.into_iter().map(|entry| entry.fact).collect())
    }
}

#[tokio::test]
async fn the_far_leg_of_a_killed_process_is_released() {
    for (number, stage, ending, answered) in [
        (SILENT, Stage::Answered, Ending::RemoteHungUp, true),
        (NEVER_ANSWERS, Stage::Ringing, Ending::Cancelled, false),
    ] {
        let world = World::new().await;
        let id = world.killed_in(number, stage).await;
        let (app, journal) = world.journal_after_restart(id).await;
        let ended = world.exchange.until(|calls| calls[0].is_over().then(|| calls[0].stage));
        let ended = timeout(PATIENCE, ended).await.expect("the far leg ends");
        assert_eq!(ended, Stage::Ended(ending), "{number}");
        let released = journal.iter().position(|fact| {
            assert!(
                !matches!(fact, Fact::Released { how: Release::Unreachable | Release::Unknown, .. }),
                "{fact:?}"
            );
            matches!(fact, Fact::Released { how: Release::Gone, detail: None })
        });
        assert!(released.is_some_and(|at| at < journal.len() - 1), "before the end: {journal:?}");
        let last = journal.last().unwrap();
        assert!(
            matches!(last, Fact::Ended { reason: EndReason::GatewayRestarted, answered: was, .. } if *was == answered),
            "{last:?}"
        );
        assert_eq!(world.exchange.calls().len(), 1, "nothing is redialled");
        app.shutdown().await;
        let broken: Vec<String> = world.exchange.violations().iter().map(ToString::to_string).collect();
        assert!(broken.is_empty(), "{broken:#?}");
        world.exchange.shutdown().await;
        Quiet::install().check();
    }
}

#[tokio::test]
async fn both_legs_of_a_call_that_was_handed_over_are_released() {
    let world = World::new().await;
    let process = Runtime::new().unwrap();
    let config = world.config.clone();
    let joined = process.spawn(async move {
        let app = App::start(config).await.unwrap();
        let ask = PlaceCall { bridge_number: Some(OWN_PHONE.to_owned()), ..wish(SILENT) };
        let placed = app.gateway().place_call(None, ask).await.unwrap();
        written(&app, placed.call_id, |fact| matches!(fact, Fact::VoiceSaid { .. })).await;
        let user = Bridge { number: Some(OWN_PHONE.to_owned()), warm: Some(false) };
        app.gateway().bridge(placed.caller, placed.call_id, user, None).await.unwrap();
        written(&app, placed.call_id, |fact| matches!(fact, Fact::HandoffCrossed { .. })).await;
        (app, placed)
    });
    let (app, placed) = joined.await.unwrap();
    kill(process, app).await;
    assert!(world.exchange.calls().iter().all(|call| call.stage == Stage::Answered));

    let (app, journal) = world.journal_after_restart(placed.call_id).await;
    let ended = world.exchange.until(|calls| {
        calls.iter().all(CallRecord::is_over).then(|| calls.iter().map(|call| call.stage).collect::<Vec<_>>())
    });
    let ended = timeout(PATIENCE, ended).await.expect("both far legs end");
    assert_eq!(ended, [Stage::Ended(Ending::RemoteHungUp); 2]);
    assert!(!journal.iter().any(|fact| matches!(fact, Fact::Problem { part: Part::Leg, .. })), "{journal:?}");
    let call = app.gateway().call(placed.caller, placed.call_id).await.unwrap();
    assert_eq!(call.handoff.map(|handoff| handoff.state), Some(HandoffState::Ended));
    app.shutdown().await;
    world.exchange.shutdown().await;
    Quiet::install().check();
}

#[tokio::test]
async fn an_exchange_that_is_gone_too_does_not_stop_the_start() {
    let world = World::new().await;
    let id = world.killed_in(SILENT, Stage::Answered).await;
    let World { exchange, config, dir: _dir } = world;
    exchange.shutdown().await;
    let app = timeout(PATIENCE, App::start(config)).await.expect("it starts").unwrap();
    let journal = app.gateway().store().journal(id, 0).await.unwrap();
    let unreachable =
        |fact: &Fact| matches!(fact, Fact::Released { how: Release::Unreachable, detail: Some(_) });
    assert!(journal.iter().any(|entry| unreachable(&entry.fact)), "{journal:?}");
    assert!(matches!(journal.last().unwrap().fact, Fact::Ended { .. }));
    app.shutdown().await;
    Quiet::install().check();
}

#[tokio::test]
async fn a_start_that_can_not_listen_changes_nothing() {
    let world = World::new().await;
    let id = world.killed_in(SILENT, Stage::Answered).await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let config = Config { listen: taken.local_addr().unwrap(), ..world.config.clone() };
    let refused = App::start(config).await.map(|_| ()).unwrap_err();
    assert!(matches!(refused, StartError::Listen { .. }), "{refused}");
    assert_eq!(world.exchange.calls()[0].stage, Stage::Answered);

    let (app, journal) = world.journal_after_restart(id).await;
    assert!(matches!(journal.last().unwrap(), Fact::Ended { reason: EndReason::GatewayRestarted, .. }));
    app.shutdown().await;
    world.exchange.shutdown().await;
}

#[tokio::test]
async fn a_call_that_can_not_be_read_stops_no_start() {
    let world = World::new().await;
    let store = Store::open(world.config.database_url.expose_secret()).await.unwrap();
    let (broken, whole) = (insert(&store, 1).await, insert(&store, 2).await);
    store.meddle(&format!("UPDATE journal SET at = 'never' WHERE call_id = '{broken}'")).await.unwrap();
    store.close().await;

    let (app, journal) = world.journal_after_restart(whole).await;
    // The last that was heard of it is that it waited: whether it was dialled, nobody knows.
    let [.., Fact::Released { how: Release::Unknown, detail: Some(why) }, Fact::Ended { .. }] = &journal[..]
    else {
        panic!("{journal:?}")
    };
    assert!(why.contains("whether it had dialled"), "{why}");
    assert_eq!(app.gateway().store().call(broken).await.unwrap().unwrap().end, None);
    app.shutdown().await;
    world.exchange.shutdown().await;
}
