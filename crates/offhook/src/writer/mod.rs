//! The one writer to the store: calls, the facts of their journals, their recordings.
//!
//! Everything goes through one bounded queue and is written many at a time, because a commit waits for the disk
//! whatever is in it. An entry is shown to watchers only once it is in the store, so that an event stream never tells
//! what a later request does not know.
//!
//! While the store refuses, no call is let in. Those that run go on, and what they tell waits in the queue; when that
//! is full they are hung up, because a call that nobody can account for may not go on. What waits is written when
//! the store is back, and what never can be is logged with the ids of its calls.

mod health;
mod journal;
mod task;

use std::time::Duration;

use offhook_core::{CallId, Fact, JournalEntry, Timestamp};
use offhook_store::{InsertCallError, Inserted, KeyId, NewCall, NewRecording, Store};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

pub use health::Health;
pub use journal::{Journal, Progress, ended};

/// Orders that wait, over all calls, while the store is away. A busy call tells one or two facts a second, of a few
/// hundred bytes: this is a minute of a thousand calls, an hour of ten, and some thirty megabytes.
const QUEUE: usize = 65_536;
/// Of these, room for the last facts of the calls that are hung up because the rest is full.
const RESERVED: usize = 16_384;

/// Shorter than a frame: the loop of a call begins to wait anew with each.
const ASK_AGAIN: Duration = Duration::from_millis(10);

#[derive(Debug)]
pub(crate) enum Order {
    Insert { new: Box<NewCall>, done: oneshot::Sender<Result<Inserted, InsertCallError>> },
    Append { call: CallId, entry: JournalEntry, feed: broadcast::Sender<JournalEntry> },
    Keep { call: CallId, recording: NewRecording },
    KeyUsed { key: KeyId, at: Timestamp },
    Flush(oneshot::Sender<()>),
}

impl Order {
    /// Whether somebody waits for it, or a process that is killed in the next moment must have told it: what rings
    /// somewhere because of us, and how to hang that up.
    fn is_urgent(&self) -> bool {
        match self {
            Self::Insert { .. } | Self::Flush(_) => true,
            Self::Append { entry, .. } => matches!(entry.fact, Fact::Dialing { .. } | Fact::Ticket { .. }),
            Self::Keep { .. } | Self::KeyUsed { .. } => false,
        }
    }
}

/// Cheap to clone; all clones share the queue.
#[derive(Clone, Debug)]
pub struct Writer {
    orders: mpsc::Sender<Order>,
    health: watch::Sender<Health>,
    /// Give up what can't be written.
    give_up: CancellationToken,
    /// The writer's task has ended.
    ended: CancellationToken,
}

/// Why an entry was not taken.
#[derive(Debug)]
pub(crate) enum Full {
    /// The store is behind; the writer will have room again.
    ForNow(Order),
    /// The store is away, and this is all that can wait for it.
    Bound(Order),
    Gone,
}

#[derive(Debug, thiserror::Error)]
pub enum InsertError {
    /// Nothing was written, or it is closed by an end as soon as the store is back.
    #[error("{0}")]
    Unavailable(&'static str),
    #[error(transparent)]
    Refused(InsertCallError),
}

impl Writer {
    pub fn start(store: Store) -> Self {
        Self::with_room(store, QUEUE)
    }

    /// With another bound.
    #[doc(hidden)]
    pub fn with_room(store: Store, queue: usize) -> Self {
        let (orders, inbox) = mpsc::channel(queue);
        let (health, _) = watch::channel(Health::Well);
        let writer = Self {
            orders,
            health: health.clone(),
            give_up: CancellationToken::new(),
            ended: CancellationToken::new(),
        };
        let ended = writer.ended.clone().drop_guard();
        let task = task::Task::new(store, inbox, health, writer.give_up.clone());
        tokio::spawn(async move {
            task.run().await;
            drop(ended);
        });
        writer
    }

    /// Whether the store takes what it is told.
    pub fn health(&self) -> Health {
        *self.health.borrow()
    }

    /// To wait for a change of [`Self::health`].
    pub fn watch(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }

    /// Write a call with its first facts, and wait until it is in the store; not while the store is away.
    pub async fn insert(&self, new: NewCall) -> Result<Inserted, InsertError> {
        let mut health = self.health.subscribe();
        if let Some(why) = health.borrow_and_update().why() {
            return Err(InsertError::Unavailable(why));
        }
        let (done, wait) = oneshot::channel();
        let order = Order::Insert { new: Box::new(new), done };
        let written = async {
            self.orders.send(order).await.ok()?;
            wait.await.ok()
        };
        tokio::select! {
            biased;
            written = written => match written {
                Some(Err(InsertCallError::Store(error))) => Err(InsertError::Unavailable(health::why(&error))),
                Some(written) => written.map_err(InsertError::Refused),
                None => Err(InsertError::Unavailable(self.health().why().unwrap_or("offhook is shutting down"))),
            },
            // Whoever waits must not be answered when it has long given up.
            Ok(ill) = health.wait_for(|health| health.why().is_some()) => {
                Err(InsertError::Unavailable(ill.why().unwrap_or_default()))
            }
        }
    }

    /// Note a recording in the store, where retention finds it. Where there is no room for the note, it is found by
    /// its file; see [`crate::recorder`].
    pub fn keep(&self, call: CallId, recording: NewRecording) {
        if self.offer(Order::Keep { call, recording }, true).is_err() {
            tracing::warn!(call_id = %call, "a recording is not noted in the store yet; the next purge does it");
        }
    }

    /// Note that a key was used. Of no consequence where there is no room for it.
    pub fn key_used(&self, key: KeyId, at: Timestamp) {
        let _ = self.offer(Order::KeyUsed { key, at }, false);
    }

    /// Hand over an order without waiting. `last`: it belongs to the end of a call and may use the reserved room.
    pub(crate) fn offer(&self, order: Order, last: bool) -> Result<(), Full> {
        let reserved = if last { 0 } else { self.orders.max_capacity() * RESERVED / QUEUE };
        let refused = if self.orders.capacity() <= reserved {
            order
        } else {
            match self.orders.try_send(order) {
                Ok(()) => return Ok(()),
                Err(mpsc::error::TrySendError::Full(order)) => order,
                Err(mpsc::error::TrySendError::Closed(_)) => return Err(Full::Gone),
            }
        };
        if self.health().why().is_none() {
            return Err(Full::ForNow(refused));
        }
        self.health.send_if_modified(Health::fill);
        Err(Full::Bound(refused))
    }

    /// Until it is worth asking again whether there is room.
    pub(crate) async fn room(&self) {
        tokio::time::sleep(ASK_AGAIN).await;
    }

    /// Wait until everything ordered so far is in the store; false when the store is away.
    pub async fn flush(&self) -> bool {
        let (done, wait) = oneshot::channel();
        let mut health = self.health.subscribe();
        tokio::select! {
            biased;
            flushed = async { self.orders.send(Order::Flush(done)).await.is_ok() && wait.await.is_ok() } => flushed,
            _ = health.wait_for(|health| health.why().is_some()) => false,
        }
    }

    /// Write what is left and stop, but not for ever: what the store does not take in time is given up, and logged
    /// with the ids of its calls.
    pub async fn stop(&self, patience: Duration) {
        let (done, wait) = oneshot::channel();
        let flush = async { self.orders.send(Order::Flush(done)).await.is_ok() && wait.await.is_ok() };
        let _ = tokio::time::timeout(patience, flush).await;
        self.give_up.cancel();
        self.ended.cancelled().await;
    }
}
