//! From the facts of a call to the store and to whoever watches.
//!
//! One writer appends for all calls, many entries a transaction; an entry is shown to watchers only once it is in
//! the store, so that an event stream never tells what a later request does not know.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use offhook_core::{CallId, Fact, JournalEntry, Timestamp};
use offhook_store::Store;
use tokio::sync::{broadcast, mpsc, oneshot};

/// Entries that wait for the writer, over all calls.
const QUEUE: usize = 4_096;
/// Entries in one transaction.
const BATCH: usize = 512;
/// Between two tries to write to a store that fails.
const RETRY: Duration = Duration::from_millis(500);

#[derive(Debug)]
enum Order {
    Append { call: CallId, entry: JournalEntry, feed: broadcast::Sender<JournalEntry> },
    Flush(oneshot::Sender<()>),
}

/// The one writer of all journals.
#[derive(Clone, Debug)]
pub struct JournalWriter {
    orders: mpsc::Sender<Order>,
}

#[derive(Debug, thiserror::Error)]
#[error("the journal writer has stopped")]
pub struct WriterGone;

impl JournalWriter {
    pub fn start(store: Store) -> Self {
        let (orders, inbox) = mpsc::channel(QUEUE);
        tokio::spawn(write_all(store, inbox));
        Self { orders }
    }

    /// The journal of one call, whose entries up to `last_seq` are already written.
    pub fn journal(&self, call: CallId, last_seq: u64, feed: broadcast::Sender<JournalEntry>) -> Journal {
        Journal {
            call,
            progress: Progress(Arc::new(Reached {
                seq: AtomicU64::new(last_seq),
                answered_at: AtomicI64::new(0),
            })),
            feed,
            writer: self.clone(),
            waiting: VecDeque::new(),
        }
    }

    /// Wait until everything ordered so far is in the store.
    pub async fn flush(&self) -> Result<(), WriterGone> {
        let (done, wait) = oneshot::channel();
        self.orders.send(Order::Flush(done)).await.map_err(|_| WriterGone)?;
        wait.await.map_err(|_| WriterGone)
    }
}

async fn write_all(store: Store, mut inbox: mpsc::Receiver<Order>) {
    let mut orders = Vec::with_capacity(BATCH);
    while inbox.recv_many(&mut orders, BATCH).await > 0 {
        let mut batch: Vec<(CallId, Vec<JournalEntry>)> = Vec::new();
        let mut feeds = Vec::with_capacity(orders.len());
        let mut flushes = Vec::new();
        for order in orders.drain(..) {
            match order {
                Order::Append { call, entry, feed } => {
                    feeds.push((feed, entry.clone()));
                    match batch.iter_mut().find(|(id, _)| *id == call) {
                        Some((_, entries)) => entries.push(entry),
                        None => batch.push((call, vec![entry])),
                    }
                }
                Order::Flush(done) => flushes.push(done),
            }
        }
        write_batch(&store, &batch).await;
        for (feed, entry) in feeds {
            // Nobody watching is the usual case.
            let _ = feed.send(entry);
        }
        for done in flushes {
            let _ = done.send(());
        }
    }
}

/// A journal entry is never given up: calls go on while the store is away, and the queue holds what they tell.
async fn write_batch(store: &Store, batch: &[(CallId, Vec<JournalEntry>)]) {
    if batch.is_empty() {
        return;
    }
    while let Err(error) = store.append_many(batch).await {
        tracing::error!(%error, calls = batch.len(), "the store refuses journal entries; trying again");
        tokio::time::sleep(RETRY).await;
    }
}

/// How far a call came; outlives a session that panicked.
#[derive(Clone, Debug)]
pub struct Progress(Arc<Reached>);

#[derive(Debug)]
struct Reached {
    seq: AtomicU64,
    /// Microseconds since the epoch; zero until answered.
    answered_at: AtomicI64,
}

impl Progress {
    pub fn last_seq(&self) -> u64 {
        self.0.seq.load(Ordering::Relaxed)
    }

    pub fn answered_at(&self) -> Option<Timestamp> {
        let micros = self.0.answered_at.load(Ordering::Relaxed);
        (micros != 0).then(|| Timestamp::from_unix_micros(micros))
    }
}

/// The journal of one call, written by its session alone.
#[derive(Debug)]
pub struct Journal {
    call: CallId,
    progress: Progress,
    feed: broadcast::Sender<JournalEntry>,
    writer: JournalWriter,
    /// What the writer had no room for; bounded by the length of a call.
    waiting: VecDeque<JournalEntry>,
}

impl Journal {
    /// How far the call came, for whoever must go on after a panic of the session.
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    pub fn write(&mut self, at: Timestamp, fact: Fact) {
        let reached = &self.progress.0;
        let seq = reached.seq.fetch_add(1, Ordering::Relaxed) + 1;
        if let Fact::Answered { .. } = &fact {
            reached.answered_at.store(at.unix_micros(), Ordering::Relaxed);
        }
        self.waiting.push_back(JournalEntry { seq, at, fact });
    }

    /// Hand over what there is room for, without waiting.
    pub fn pass_on(&mut self) {
        while let Some(entry) = self.waiting.pop_front() {
            let order = Order::Append { call: self.call, entry, feed: self.feed.clone() };
            match self.writer.orders.try_send(order) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(Order::Append { entry, .. })) => {
                    self.waiting.push_front(entry);
                    return;
                }
                Err(_) => return,
            }
        }
    }

    pub fn is_behind(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Until the writer has room again.
    pub async fn room(&self) {
        if self.writer.orders.reserve().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Hand over everything and wait until it is stored.
    pub async fn close(mut self) {
        while let Some(entry) = self.waiting.pop_front() {
            let order = Order::Append { call: self.call, entry, feed: self.feed.clone() };
            if self.writer.orders.send(order).await.is_err() {
                return;
            }
        }
        let _ = self.writer.flush().await;
    }
}
