//! What waits for its time or its turn when a process is killed.

use std::time::Duration;

use offhook::app::App;
use offhook::clock;
use offhook::gateway::{PlaceCall, StartCampaign, Target, TargetProgress, keys};
use offhook_core::{EndReason, Fact};
use offhook_sandbox::Stage;
use secrecy::ExposeSecret as _;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use crate::world::{BUSY, HANGS_UP, NEVER_ANSWERS, PATIENCE, SILENT, World, wish};

fn later(to: &str, wait: Duration) -> PlaceCall {
    PlaceCall { not_before: Some(clock::now() + wait), ..wish(to) }
}

fn targets(numbers: [&str; 2]) -> Vec<Target> {
    numbers.map(|to| Target { to: to.to_owned(), ..Target::default() }).to_vec()
}

#[tokio::test]
async fn what_was_not_begun_outlives_a_kill_and_what_was_begun_is_not_dialled() {
    let world = World::new().await;
    let (process, config) = (Runtime::new().unwrap(), world.config.clone());
    let placed = process.spawn(async move {
        let app = App::start(config).await.unwrap();
        let gateway = app.gateway();
        let key = keys::create(gateway.store(), None, false).await.unwrap();
        let key = Some(key.expose_secret());
        let caller = gateway.authenticate(key).await.unwrap();
        let waits = gateway.place_call(key, later(BUSY, Duration::from_secs(3))).await.unwrap().call_id;
        let begun = gateway.place_call(key, later(SILENT, Duration::from_secs(600))).await.unwrap().call_id;
        // As far as a process comes that is killed before it could write down that it dialled.
        assert!(gateway.store().begin_waiting(begun).await.unwrap());
        let call = PlaceCall { to: String::new(), ..wish(BUSY) };
        let targets = targets([NEVER_ANSWERS, HANGS_UP]);
        let start = StartCampaign { call, targets, parallel: Some(1), ..StartCampaign::default() };
        let campaign = gateway.start_campaign(caller, start).await.unwrap().view.summary.id;
        (app, caller, waits, begun, campaign)
    });
    let (app, caller, waits, begun, campaign) = placed.await.unwrap();
    let ringing =
        world.exchange.until(|calls| calls.iter().any(|call| call.stage == Stage::Ringing).then_some(()));
    timeout(PATIENCE, ringing).await.expect("the campaign calls");
    tokio::task::spawn_blocking(move || process.shutdown_timeout(PATIENCE)).await.unwrap();
    drop(app);

    let app = timeout(PATIENCE, App::start(world.config.clone())).await.expect("it starts").unwrap();
    let gateway = app.gateway();
    let last = |journal: Vec<offhook_core::JournalEntry>| journal.last().unwrap().fact.clone();
    let ended = last(gateway.store().journal(begun, 0).await.unwrap());
    assert!(matches!(ended, Fact::Ended { reason: EndReason::GatewayRestarted, .. }), "{ended:?}");
    let view = gateway.campaign(caller, campaign).await.unwrap();
    assert_eq!((view.summary.state.code(), view.summary.ending.unwrap().code()), ("done", "restarted"));
    let progress: Vec<TargetProgress> = view.targets.iter().map(|target| target.progress).collect();
    assert_eq!(progress, [TargetProgress::Done, TargetProgress::Cancelled]);

    let mut journal = gateway.journal(caller, waits, 0).await.unwrap();
    timeout(PATIENCE, async { while journal.next().await.is_some() {} }).await.expect("its time comes");
    let ended = last(gateway.store().journal(waits, 0).await.unwrap());
    assert!(matches!(ended, Fact::Ended { reason: EndReason::RemoteBusy, .. }), "{ended:?}");
    let mut dialled: Vec<String> = world.exchange.calls().iter().map(|call| call.number.clone()).collect();
    dialled.sort();
    assert_eq!(dialled, [BUSY, NEVER_ANSWERS]);
    app.shutdown().await;
    world.exchange.shutdown().await;
}
