//! Events that a killed process could not deliver are delivered by the next one.

use std::time::Duration;

use offhook::app::App;
use offhook::gateway::{Caller, PlaceCall};
use offhook_core::{CallId, OwnerId, Timestamp};
use offhook_store::{Store, WebhookState};
use secrecy::ExposeSecret as _;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use crate::receiver::{Receiver, Reply};
use crate::world::{BUSY, NEVER_ANSWERS, PATIENCE, World, wish};

/// Whoever runs it.
fn operator() -> Caller {
    let owner = OwnerId::from_parts(Timestamp::default(), [9; 10]);
    Caller { owner, admin: true, anonymous: false, bound: false }
}

impl World {
    /// Place this call in a process that is killed, without a goodbye, once the call and the receiver are that far.
    async fn killed_after(
        &self,
        wish: PlaceCall,
        fact: &'static str,
        receiver: &Receiver,
        requests: usize,
    ) -> CallId {
        let process = Runtime::new().unwrap();
        let config = self.config.clone();
        let told = process.spawn(async move {
            let app = App::start(config).await.unwrap();
            let id = app.gateway().place_call(None, wish).await.unwrap().call_id;
            let mut journal = app.gateway().journal(operator(), id, 0).await.unwrap();
            while journal.next().await.expect("the call gets that far").fact.code() != fact {}
            (app, id)
        });
        let (app, id) = timeout(PATIENCE, told).await.expect("it gets that far in time").unwrap();
        receiver.until("requests", |received| received.len() >= requests).await;
        tokio::task::spawn_blocking(move || process.shutdown_timeout(PATIENCE)).await.unwrap();
        drop(app);
        id
    }

    /// What the next process has noted, once it has sent this many requests more and was stopped.
    async fn noted_after(&self, receiver: &Receiver, more: usize) -> Store {
        let before = receiver.received().len();
        let app = timeout(PATIENCE, App::start(self.config.clone())).await.expect("it starts").unwrap();
        receiver.until("requests", |received| received.len() >= before + more).await;
        app.shutdown().await;
        Store::open(self.config.database_url.expose_secret()).await.unwrap()
    }
}

#[tokio::test]
async fn a_kill_between_two_attempts_loses_no_event() {
    let mut world = World::new().await;
    world.config.webhooks.waits = vec![Duration::from_millis(500); 30];
    let receiver = Receiver::start([]).await;
    receiver.answer(Reply::Status(500));
    let wish = PlaceCall { webhook_url: Some(receiver.url("/")), ..wish(BUSY) };
    // When the second is made, the first was noted.
    let id = world.killed_after(wish, "call.ended", &receiver, 2).await;
    receiver.answer(Reply::Status(200));
    let store = world.noted_after(&receiver, 1).await;
    assert_eq!(store.webhook(id).await.unwrap().unwrap().state, WebhookState::Done);
    let received = receiver.received();
    assert!(received.iter().all(|message| message.id() == received[0].id()), "{received:#?}");
    let noted = store.deliveries(id, 99).await.unwrap();
    let numbers: Vec<u32> = noted.iter().map(|delivery| delivery.attempt).collect();
    assert!(numbers.len() > 1 && numbers.iter().copied().eq(1..=numbers.len() as u32), "{numbers:?}");
    assert_eq!(noted.last().unwrap().status, Some(200));
    store.close().await;
}

#[tokio::test]
async fn the_end_that_a_kill_was_is_told_too() {
    let world = World::new().await;
    let receiver = Receiver::start([]).await;
    let wish = PlaceCall { webhook_url: Some(receiver.url("/")), ..wish(NEVER_ANSWERS) };
    let id = world.killed_after(wish, "call.ringing", &receiver, 0).await;
    assert_eq!(receiver.received().len(), 0);
    let store = world.noted_after(&receiver, 1).await;
    assert_eq!(store.webhook(id).await.unwrap().unwrap().state, WebhookState::Done);
    let received = receiver.received();
    let data = received[0].json()["data"].take();
    assert_eq!((received.len(), data["reason"].as_str()), (1, Some("gateway.restarted")));
    assert_eq!(data["call"]["id"].as_str(), Some(&*id.to_string()));
    assert_eq!(data["call"]["lifecycle"], "finalized");
    store.close().await;
}
