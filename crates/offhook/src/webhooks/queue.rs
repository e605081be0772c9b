//! The schedule, shared between those who know that something came up and the one who sends it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use offhook_core::{CallId, JournalEntry, OwnerId, Timestamp};
use tokio::sync::Notify;
use tokio::sync::broadcast::{self, error::RecvError};

use super::schedule::{Next, Rest, Schedule};
use super::{EVENTS, Settings};
use crate::clock;

/// Calls with something to deliver. As many as are live or have to be tried again.
#[derive(Debug)]
pub struct Queue {
    schedule: Mutex<Schedule>,
    changed: Notify,
}

impl Queue {
    pub fn new(settings: &Settings) -> Self {
        let schedule = Schedule::new(settings.at_once, settings.at_once_per_owner);
        Self { schedule: Mutex::new(schedule), changed: Notify::new() }
    }

    /// From now on deliver what this call tells; `feed` is none where it is over already.
    pub fn follow(
        self: &Arc<Self>,
        call: CallId,
        owner: OwnerId,
        feed: Option<broadcast::Receiver<JournalEntry>>,
    ) {
        self.add(call, owner, clock::now());
        let Some(feed) = feed else { return };
        let queue = Arc::clone(self);
        // Ends with the session of the call.
        tokio::spawn(async move { queue.listen(call, feed).await });
    }

    async fn listen(&self, call: CallId, mut feed: broadcast::Receiver<JournalEntry>) {
        loop {
            let is_over = match feed.recv().await {
                Ok(entry) if !EVENTS.contains(&entry.fact.code()) => continue,
                // What was missed is in the store.
                Ok(_) | Err(RecvError::Lagged(_)) => false,
                Err(RecvError::Closed) => true,
            };
            self.lock().poke(call, clock::now());
            self.changed.notify_one();
            if is_over {
                return;
            }
        }
    }

    pub(super) fn add(&self, call: CallId, owner: OwnerId, due: Timestamp) {
        self.lock().add(call, owner, due);
        self.changed.notify_one();
    }

    pub(super) fn next(&self) -> Next {
        self.lock().next(clock::now())
    }

    pub(super) fn rest(&self, call: CallId, rest: Rest) {
        self.lock().rest(call, rest, clock::now());
        self.changed.notify_one();
    }

    /// Wait until there may be something else to do.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Schedule> {
        // Its methods don't panic between two changes that belong together.
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
