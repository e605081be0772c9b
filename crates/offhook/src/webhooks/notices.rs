//! Tells of calls to our lines once they are over: one message for each, in the words of a chat, tried again as events
//! are. Chats check no signatures: their address is the secret.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use offhook_core::{OwnerId, Timestamp};
use offhook_store::{NoticeNext, OpenNotice, StoreError};
use rand::Rng as _;
use secrecy::ExposeSecret as _;
use tokio_util::sync::CancellationToken;

use super::Settings;
use super::send::{Attempt, Sender};
use crate::clock;
use crate::gateway::Gateway;

/// Looked at together; those after them have their turn when these are done.
const AT_ONCE: u32 = 200;
const SENT_AT_ONCE: usize = 8;
/// In one round: a chat that answers nobody holds up no other owner's for long.
const MOST_OF_OWNER: usize = 16;
/// Calls may end that nobody tells of.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// Delivers notices.
#[derive(Debug)]
pub struct Teller {
    gateway: Gateway,
    sender: Sender,
    waits: Vec<Duration>,
}

impl Teller {
    pub fn new(gateway: Gateway, settings: &Settings) -> Result<Self, reqwest::Error> {
        Ok(Self { gateway, sender: Sender::new(settings)?, waits: settings.waits.clone() })
    }

    /// Deliver until told to stop.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let changed = Arc::clone(self.gateway.notices());
        while !stop.is_cancelled() {
            let round = stop.run_until_cancelled(self.round()).await;
            let wait = match round {
                None => return,
                Some(Ok(next)) => next.map_or(LOOK_AGAIN, |at| at.since(clock::now()).min(LOOK_AGAIN)),
                Some(Err(error)) => {
                    tracing::warn!(%error, "what is to be told of calls can't be read; trying again");
                    LOOK_AGAIN
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = changed.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Try what is due; when the next one is.
    async fn round(&self) -> Result<Option<Timestamp>, StoreError> {
        let open = self.gateway.store().open_notices(AT_ONCE).await?;
        let now = clock::now();
        let (mut due, later): (Vec<_>, Vec<_>) =
            open.into_iter().partition(|notice| notice.next_at.is_none_or(|at| at <= now));
        let mut of_owner: HashMap<OwnerId, usize> = HashMap::new();
        let before = due.len();
        due.retain(|notice| {
            let count = of_owner.entry(notice.owner).or_default();
            *count += 1;
            *count <= MOST_OF_OWNER
        });
        // Those that have to wait for others of their owner have their turn at once after this.
        let again = (due.len() < before).then_some(now);
        let tries = stream::iter(due).map(|notice| self.tell(notice)).buffer_unordered(SENT_AT_ONCE);
        let told: Vec<Option<Timestamp>> = tries.collect().await;
        let later = later.into_iter().map(|notice| notice.next_at);
        Ok(told.into_iter().chain(later).chain([again]).flatten().min())
    }

    /// One attempt; when there is another.
    async fn tell(&self, notice: OpenNotice) -> Option<Timestamp> {
        let call = notice.call;
        let next = match self.gateway.notice(call).await {
            Ok(None) => NoticeNext::Done,
            Ok(Some(notice_of)) => {
                let url = notice_of.notify.url.expose_secret().to_owned();
                let attempt = self.sender.post(&url, notice_of.body.to_string().into_bytes()).await;
                self.next(&attempt, notice.tries)
            }
            Err(error) => {
                tracing::warn!(call_id = %call, %error, "what is to be told of a call can't be read");
                return Some(clock::now() + LOOK_AGAIN);
            }
        };
        if next == NoticeNext::GivenUp {
            tracing::warn!(call_id = %call, "nobody could be told of a call; it is given up");
        }
        if let Err(error) = self.gateway.store().note_notice(call, next).await {
            tracing::warn!(call_id = %call, %error, "that somebody was told of a call can't be noted");
            return Some(clock::now() + LOOK_AGAIN);
        }
        match next {
            NoticeNext::Again { at } => Some(at),
            NoticeNext::Done | NoticeNext::GivenUp => None,
        }
    }

    fn next(&self, attempt: &Attempt, tries: u32) -> NoticeNext {
        if attempt.error.is_none() {
            return NoticeNext::Done;
        }
        if attempt.is_gone() {
            return NoticeNext::GivenUp;
        }
        let Some(wait) = self.waits.get(tries as usize) else { return NoticeNext::GivenUp };
        let apart = wait.mul_f64(rand::rng().random_range(0.0..0.1));
        NoticeNext::Again { at: clock::now() + (*wait + apart).max(attempt.retry_after.unwrap_or_default()) }
    }
}
