//! A process that is killed while it has calls, and the next one on the same data.

use offhook::app::App;
use offhook_core::journal::{Fact, Release};
use offhook_core::{CallId, EndReason};
use offhook_sandbox::{Ending, Stage};
use offhook_testkit::quiet::Quiet;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use crate::world::{NEVER_ANSWERS, PATIENCE, SILENT, World, wish};

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
        timeout(PATIENCE, async {
            let answered = |fact: &Fact| matches!(fact, Fact::Answered { .. });
            let ringing = |fact: &Fact| matches!(fact, Fact::Ringing { .. });
            loop {
                let journal = app.gateway().store().journal(id, 0).await.unwrap();
                let reached = |entry: &offhook_core::JournalEntry| match stage {
                    Stage::Answered => answered(&entry.fact),
                    _ => ringing(&entry.fact),
                };
                if journal.iter().any(reached) {
                    break;
                }
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("it is written down");
        tokio::task::spawn_blocking(move || process.shutdown_timeout(PATIENCE)).await.unwrap();
        drop(app);
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
