//! Events that a killed process could not deliver are delivered by the next one.

use std::time::Duration;

use offhook::app::App;
use offhook::gateway::PlaceCall;
use offhook_core::CallId;
use offhook_store::WebhookState;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use crate::receiver::{Receiver, Reply};
use crate::world::{BUSY, NEVER_ANSWERS, PATIENCE, World, wish};

impl World {
    /// Place this call in a process that is killed, without a goodbye, once its journal has this fact and this many
    /// attempts to deliver were noted.
    async fn killed_after(&self, wish: PlaceCall, fact: &'static str, attempts: usize) -> CallId {
        let process = Runtime::new().unwrap();
        let config = self.config.clone();
        let reached = process.spawn(async move {
            let app = App::start(config).await.unwrap();
            let id = app.gateway().place_call(None, wish).await.unwrap().call_id;
            let store = app.gateway().store();
            loop {
                let journal = store.journal(id, 0).await.unwrap();
                let made = store.deliveries(id, 9).await.unwrap().len();
                if made >= attempts && journal.iter().any(|entry| entry.fact.code() == fact) {
                    break;
                }
                tokio::task::yield_now().await;
            }
            (app, id)
        });
        let (app, id) = timeout(PATIENCE, reached).await.expect("the call gets that far").unwrap();
        tokio::task::spawn_blocking(move || process.shutdown_timeout(PATIENCE)).await.unwrap();
        drop(app);
        id
    }

    /// The next process, once it has delivered everything.
    async fn delivered(&self, id: CallId) -> App {
        let app = timeout(PATIENCE, App::start(self.config.clone())).await.expect("it starts").unwrap();
        let done = async {
            while app.gateway().store().webhook(id).await.unwrap().unwrap().state != WebhookState::Done {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, done).await.expect("everything is delivered");
        app
    }
}

#[tokio::test]
async fn a_kill_between_two_attempts_loses_no_event() {
    let mut world = World::new().await;
    world.config.webhooks.waits = vec![Duration::from_secs(1); 30];
    let receiver = Receiver::start([]).await;
    receiver.answer(Reply::Status(500));
    let wish = PlaceCall { webhook_url: Some(receiver.url("/")), ..wish(BUSY) };
    let id = world.killed_after(wish, "call.ended", 1).await;
    let before = receiver.received().len();
    receiver.answer(Reply::Status(200));
    let app = world.delivered(id).await;
    let received = receiver.received();
    assert!(received.len() > before, "{received:#?}");
    assert!(received.iter().all(|message| message.id() == received[0].id()), "{received:#?}");
    let numbers: Vec<u32> =
        app.gateway().store().deliveries(id, 99).await.unwrap().iter().map(|one| one.attempt).collect();
    assert!(numbers.len() > 1 && numbers.iter().copied().eq(1..=numbers.len() as u32), "{numbers:?}");
    app.shutdown().await;
}

#[tokio::test]
async fn the_end_that_a_kill_was_is_told_too() {
    let world = World::new().await;
    let receiver = Receiver::start([]).await;
    let wish = PlaceCall { webhook_url: Some(receiver.url("/")), ..wish(NEVER_ANSWERS) };
    let id = world.killed_after(wish, "call.ringing", 0).await;
    assert_eq!(receiver.received().len(), 0);
    let app = world.delivered(id).await;
    let received = receiver.until_event("call.ended").await;
    let data = received[0].json()["data"].take();
    assert_eq!((received.len(), data["reason"].as_str()), (1, Some("gateway.restarted")));
    assert_eq!(
        (data["call"]["id"].as_str(), data["call"]["lifecycle"].as_str()),
        (Some(&*id.to_string()), Some("finalized"))
    );
    app.shutdown().await;
}
