//! Who delivers: one round for one call at a time, until nothing is left to tell or somebody has to be waited for.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use offhook_core::{CallId, JournalEntry, Timestamp};
use offhook_store::{Delivery, StoreError, WebhookNext, WebhookRow, WebhookState};
use rand::Rng as _;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::schedule::{Next, Rest};
use super::send::{Attempt, Message, Sender};
use super::{EVENTS, LAST_EVENT, Queue, Settings};
use crate::clock;
use crate::gateway::Gateway;
use crate::http::{PublicUrl, event_body};

/// When the store is asked again after it could not be read.
const STORE_AGAIN: Duration = Duration::from_secs(5);
/// When a call is tried again whose round went wrong in a way that nobody thought of.
const FAULT_AGAIN: Duration = Duration::from_secs(60);
/// The clock may be set while somebody waits for it.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// How long attempts that go on may take once everything is told to stop. What they delivered and could not note is
/// delivered again by the next process.
const LAST_ATTEMPTS: Duration = Duration::from_secs(2);

/// Delivers events.
#[derive(Debug)]
pub struct Courier {
    gateway: Gateway,
    /// What links in events begin with.
    public_url: PublicUrl,
    sender: Sender,
    waits: Vec<Duration>,
}

impl Courier {
    pub fn new(gateway: Gateway, public_url: PublicUrl, settings: &Settings) -> Result<Self, reqwest::Error> {
        let sender = Sender::new(settings)?;
        Ok(Self { gateway, public_url, sender, waits: settings.waits.clone() })
    }

    /// What an earlier process left undelivered is delivered by this one.
    async fn load(&self, queue: &Queue) -> Result<(), StoreError> {
        let now = clock::now();
        for (call, owner, next_at) in self.gateway.store().open_webhooks().await? {
            queue.add(call, owner, next_at.unwrap_or(now));
        }
        Ok(())
    }

    async fn round_or_later(&self, call: CallId) -> Rest {
        let again = |wait: Duration| Rest::Later(clock::now() + wait);
        match AssertUnwindSafe(self.round(call)).catch_unwind().await {
            Ok(Ok(rest)) => rest,
            Ok(Err(error)) => {
                tracing::warn!(call_id = %call, %error, "events of a call can't be delivered; trying again");
                again(STORE_AGAIN)
            }
            Err(_) => {
                tracing::error!(call_id = %call, "delivering the events of a call panicked; trying again");
                again(FAULT_AGAIN)
            }
        }
    }

    /// Deliver what there is, one event after the other.
    async fn round(&self, call: CallId) -> Result<Rest, StoreError> {
        loop {
            let Some(webhook) = self.gateway.store().webhook(call).await? else { return Ok(Rest::Done) };
            if webhook.state != WebhookState::Open {
                return Ok(Rest::Done);
            }
            if let Some(at) = webhook.next_at.filter(|at| *at > clock::now()) {
                return Ok(Rest::Later(at));
            }
            let journal = self.gateway.store().journal(call, webhook.delivered_seq).await?;
            let event = journal.into_iter().find(|entry| EVENTS.contains(&entry.fact.code()));
            let Some(event) = event else { return Ok(Rest::Nothing) };
            if let Some(rest) = self.deliver(call, &webhook, &event).await? {
                return Ok(rest);
            }
        }
    }

    /// One attempt at one event; `None` when the next may follow.
    async fn deliver(
        &self,
        call: CallId,
        webhook: &WebhookRow,
        event: &JournalEntry,
    ) -> Result<Option<Rest>, StoreError> {
        let Some(body) = event_body(&self.gateway, &self.public_url, webhook.owner, call, event).await?
        else {
            return Ok(Some(Rest::Done));
        };
        let at = clock::now();
        let keys = self.gateway.webhook_keys(webhook.owner, at).await?;
        // With the same id it is the same event, whenever it is sent.
        let id = format!("{call}-{}", event.seq);
        let message = Message { id, unix_seconds: at.unix_millis().div_euclid(1_000), body };
        let attempt = self.sender.send(&webhook.url, &keys, message).await;
        let number = webhook.tries.saturating_add(1);
        let is_last = event.fact.code() == LAST_EVENT;
        let next = self.next(&attempt, number, is_last);
        let delivery = delivery(event, number, at, attempt);
        if !self.gateway.store().note_delivery(call, &delivery, next).await? {
            return Ok(Some(Rest::Done));
        }
        Ok(match next {
            WebhookNext::Taken => None,
            WebhookNext::Again { at } => Some(Rest::Later(at)),
            WebhookNext::Done => Some(Rest::Done),
            WebhookNext::Gone | WebhookNext::GivenUp => {
                tracing::warn!(call_id = %call, event = event.fact.code(), "the webhook of a call is given up");
                Some(Rest::Done)
            }
        })
    }

    fn next(&self, attempt: &Attempt, number: u32, is_last: bool) -> WebhookNext {
        if attempt.error.is_none() {
            return if is_last { WebhookNext::Done } else { WebhookNext::Taken };
        }
        if attempt.is_gone() {
            return WebhookNext::Gone;
        }
        let wait = self.waits.get(number as usize - 1);
        wait.map_or(WebhookNext::GivenUp, |wait| {
            // Somewhat apart, so that a receiver that comes back is not met by everything at once.
            let apart = wait.mul_f64(rand::rng().random_range(0.0..0.1));
            let wait = (*wait + apart).max(attempt.retry_after.unwrap_or_default());
            WebhookNext::Again { at: clock::now() + wait }
        })
    }
}

fn delivery(event: &JournalEntry, attempt: u32, at: Timestamp, made: Attempt) -> Delivery {
    Delivery {
        seq: event.seq,
        event: event.fact.code().to_owned(),
        attempt,
        at,
        took_ms: made.took.as_millis().try_into().unwrap_or(u32::MAX),
        status: made.status,
        error: made.error,
    }
}

/// Deliver until told to stop.
pub async fn run(courier: Arc<Courier>, queue: Arc<Queue>, stop: CancellationToken) {
    while let Err(error) = courier.load(&queue).await {
        tracing::warn!(%error, "what is still to be delivered can't be read; trying again");
        if stop.run_until_cancelled(tokio::time::sleep(STORE_AGAIN)).await.is_none() {
            return;
        }
    }
    let rounds = TaskTracker::new();
    let give_up = CancellationToken::new();
    while !stop.is_cancelled() {
        let wait = match queue.next() {
            Next::Round(call) => {
                let (courier, queue, give_up) = (Arc::clone(&courier), Arc::clone(&queue), give_up.clone());
                rounds.spawn(async move {
                    if let Some(rest) = give_up.run_until_cancelled(courier.round_or_later(call)).await {
                        queue.rest(call, rest);
                    }
                });
                continue;
            }
            Next::Wait(at) => at.since(clock::now()).min(LOOK_AGAIN),
            Next::Idle => LOOK_AGAIN,
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = queue.changed() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
    rounds.close();
    let _ = tokio::time::timeout(LAST_ATTEMPTS, rounds.wait()).await;
    give_up.cancel();
    rounds.wait().await;
}
