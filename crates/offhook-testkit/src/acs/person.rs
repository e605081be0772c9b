//! The person on the phone, as a test plays them.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::call::{Delivered, Seen, Stage};
use super::courier::deliver;
use super::event::{Event, Outcome};
use super::life;
use super::media::Order;
use super::service::Shared;

/// One phone in one call.
#[derive(Clone, Debug)]
pub struct Person {
    shared: Arc<Shared>,
    call: usize,
    number: String,
}

impl Person {
    pub(super) fn new(shared: Arc<Shared>, call: usize, number: &str) -> Self {
        Self { shared, call, number: number.to_owned() }
    }

    /// The phone of who joined this call later.
    pub async fn joined(&self, number: &str) -> Self {
        let what = format!("{number} joins");
        self.until(&what, |seen| seen.phones.iter().any(|phone| phone == number).then_some(())).await;
        Self::new(Arc::clone(&self.shared), self.call, number)
    }

    /// The record of the call as it stands.
    pub fn seen(&self) -> Seen {
        self.shared.with(|world| world.calls[self.call].seen.clone())
    }

    /// Until the record shows it.
    pub async fn until<T>(&self, what: &str, mut find: impl FnMut(&Seen) -> Option<T>) -> T {
        self.shared.until(what, |world| find(&world.calls[self.call].seen)).await
    }

    pub async fn until_ended(&self) -> Seen {
        let ended =
            |seen: &Seen| (seen.stage == Stage::Ended && seen.open_sockets() == 0).then(|| seen.clone());
        self.until("the call ends", ended).await
    }

    /// Until an event of this name was delivered, and answered.
    pub async fn until_told(&self, kind: &str) -> Seen {
        self.until(kind, |seen| seen.told().contains(&kind).then(|| seen.clone())).await
    }

    /// Until the media socket is open.
    pub async fn until_streaming(&self) -> Seen {
        self.until("the media socket", |seen| (seen.open_sockets() > 0).then(|| seen.clone())).await
    }

    /// Until this many samples came from the application.
    pub async fn until_received(&self, samples: usize) -> Seen {
        let what = format!("{samples} samples");
        self.until(&what, |seen| (seen.sound.received().len() >= samples).then(|| seen.clone())).await
    }

    /// Pick up. Whose phone rings by a script that answers needs no help.
    pub fn answer(&self) {
        self.shared.spawn(life::connect(Arc::clone(&self.shared), self.call));
    }

    /// Say this next, at the rate of the media socket.
    pub fn say(&self, samples: &[i16]) {
        self.with_queue(|queue| queue.extend(samples));
    }

    /// The same, until it is said.
    pub async fn says(&self, samples: &[i16]) {
        self.say(samples);
        let number = self.number.clone();
        let said = |call: &super::call::Call| {
            let index = call.seen.phones.iter().position(|phone| *phone == number);
            index.is_none_or(|index| call.saying[index].is_empty())
        };
        self.shared.until("all is said", |world| said(&world.calls[self.call]).then_some(())).await;
    }

    fn with_queue(&self, act: impl FnOnce(&mut std::collections::VecDeque<i16>)) {
        self.shared.change(|world| {
            let call = &mut world.calls[self.call];
            if let Some(index) = call.seen.phones.iter().position(|phone| *phone == self.number) {
                act(&mut call.saying[index]);
            }
        });
    }

    /// Press keys. The stream has them when the application wanted them.
    pub fn press(&self, keys: &str) {
        if self.seen().media_options["enableDtmfTones"] == json!(true) {
            for key in keys.chars() {
                self.text(&json!({"kind": "DtmfData", "dtmfData": {"data": key.to_string()}}).to_string());
            }
        }
    }

    pub fn hang_up(&self) {
        life::end_by_remote(&self.shared, self.call, Outcome::remote_hung_up());
    }

    /// The service ends the call, for this reason.
    pub fn is_cut_off(&self, outcome: Outcome) {
        life::end_by_remote(&self.shared, self.call, outcome);
    }

    /// Nobody wants to answer: busy, declined and so on, of a call that waits.
    pub async fn fails(&self, outcome: Outcome) {
        life::fail(&self.shared, self.call, outcome).await;
    }

    /// The media connection breaks; the service makes another.
    pub fn break_media(&self) {
        life::order(&self.shared, self.call, Order::Break);
    }

    /// The service neither reads nor writes media for so long.
    pub fn stall_media(&self, time: Duration) {
        life::order(&self.shared, self.call, Order::Stall(time));
    }

    /// Send any text on the media socket.
    pub fn text(&self, text: &str) {
        life::order(&self.shared, self.call, Order::Text(text.to_owned()));
    }

    pub fn binary(&self, bytes: &[u8]) {
        life::order(&self.shared, self.call, Order::Binary(bytes.to_vec()));
    }

    /// The service tells of something out of the ordinary.
    pub fn event(&self, kind: &'static str, outcome: Outcome, more: Value) {
        life::tell(&self.shared, self.call, vec![Event::new(kind, outcome).with(more)]);
    }

    /// The same POST once more, with the token it came with or another.
    pub async fn replay(&self, delivered: &Delivered, bearer: Option<String>) -> Option<u16> {
        let events: Value = serde_json::from_str(&delivered.body).unwrap_or_default();
        deliver(&self.shared, &delivered.url, &events, bearer, &[]).await.status
    }
}
