//! The task of the writer: gathers what waits, writes it, answers whoever waits for it.

use std::collections::BTreeMap;
use std::time::Duration;

use offhook_core::journal::Part;
use offhook_core::{CallId, EndReason, Fact, JournalEntry};
use offhook_store::{Batch, InsertCallError, Inserted, NewCall, Store, StoreError, Written};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Health, Order, ended};

/// Orders in one transaction.
const BATCH: usize = 512;
/// How long facts that nobody waits for stay together: a thousand calls tell enough to keep a disk busy with commits.
const GATHER: Duration = Duration::from_millis(20);
/// Between two tries to write to a store that refuses.
const RETRY: Duration = Duration::from_millis(500);
/// Tries to write a batch before it is looked at whether one entry of it is what the store can't take.
const TRIES: usize = 4;

pub(super) struct Task {
    store: Store,
    inbox: mpsc::Receiver<Order>,
    health: watch::Sender<Health>,
    give_up: CancellationToken,
}

impl Task {
    pub fn new(
        store: Store,
        inbox: mpsc::Receiver<Order>,
        health: watch::Sender<Health>,
        give_up: CancellationToken,
    ) -> Self {
        Self { store, inbox, health, give_up }
    }

    pub async fn run(mut self) {
        let mut orders = Vec::with_capacity(BATCH);
        let mut left = Work::default();
        loop {
            let ill = self.health.borrow().why().is_some();
            tokio::select! {
                biased;
                () = self.give_up.cancelled() => break,
                some = self.inbox.recv_many(&mut orders, BATCH) => if some == 0 { return },
                // Nobody may have anything to write while no calls are let in.
                () = tokio::time::sleep(RETRY), if ill => self.probe().await,
            }
            self.gather(&mut orders).await;
            left.add(orders.drain(..));
            left = self.write(left).await;
        }
        self.inbox.close();
        while let Ok(order) = self.inbox.try_recv() {
            left.add([order]);
        }
        // A last try: the order to give up may have come in between two.
        if self.health.borrow().why().is_none() {
            left = self.write(left).await;
        }
        left.lost();
    }

    /// Wait a moment for more to write with it, unless somebody waits for what is there.
    async fn gather(&mut self, orders: &mut Vec<Order>) {
        let until = Instant::now() + GATHER;
        let mut looked_at = 0;
        while !orders.is_empty() && !orders[looked_at..].iter().any(Order::is_urgent) {
            looked_at = orders.len();
            let more = self.inbox.recv_many(orders, BATCH.saturating_sub(looked_at));
            if !matches!(tokio::time::timeout_at(until, more).await, Ok(1..)) {
                break;
            }
        }
    }

    async fn probe(&self) {
        match self.store.probe().await {
            Ok(()) => self.well(),
            Err(error) => self.ill(&error),
        }
    }

    /// Write it all, however long that takes. Returns what is left of it when it is given up.
    async fn write(&self, mut work: Work) -> Work {
        let mut tries = 0;
        while !work.is_empty() {
            tries += 1;
            match self.store.write(&work.batch).await {
                Ok(written) => {
                    self.well();
                    work = work.written(written);
                    continue;
                }
                Err(error) => {
                    self.ill(&error);
                    work.refuse_calls();
                }
            }
            // A store that takes other things will never take this: nobody else's call may wait for it for ever.
            if tries >= TRIES && self.store.probe().await.is_ok() && self.sort_out(&mut work.batch).await {
                continue;
            }
            tokio::select! {
                () = self.give_up.cancelled() => return work,
                () = tokio::time::sleep(RETRY) => {}
            }
        }
        work.answer();
        Work::default()
    }

    /// Write a batch piece by piece, and put something in the place of what the store can't take. What is written is
    /// taken out. False when the store is away after all.
    async fn sort_out(&self, batch: &mut Batch) -> bool {
        for (call, entries) in std::mem::take(&mut batch.entries) {
            for entry in entries {
                let alone = |entry| Batch { entries: vec![(call, vec![entry])], ..Batch::default() };
                let (seq, code, stand_in) = (entry.seq, entry.fact.code(), stand_in(&entry));
                let Err(error) = self.store.write(&alone(entry.clone())).await else { continue };
                if self.store.probe().await.is_err() {
                    batch.entries.push((call, vec![entry]));
                    continue;
                }
                tracing::error!(call_id = %call, seq, code, %error, "the database can't take a fact; it is lost");
                // A journal has no gaps.
                if let Err(error) = self.store.write(&alone(stand_in)).await {
                    tracing::error!(call_id = %call, seq, %error, "nor can it take a note of that");
                }
            }
        }
        for (call, recording) in std::mem::take(&mut batch.recordings) {
            let alone = Batch { recordings: vec![(call, recording)], ..Batch::default() };
            if let Err(error) = self.store.write(&alone).await {
                tracing::error!(call_id = %call, %error, "a recording is not noted; the next purge does it");
            }
        }
        // Of no consequence.
        batch.key_uses.clear();
        batch.entries.is_empty()
    }

    fn well(&self) {
        if self.health.send_if_modified(|health| std::mem::take(health) != Health::Well) {
            tracing::warn!("the store takes what it is told again");
        }
    }

    fn ill(&self, error: &StoreError) {
        if self.health.send_if_modified(|health| health.fail(error)) {
            tracing::error!(%error, "the store refuses to write; no calls are let in until it does");
        } else {
            tracing::debug!(%error, "the store still refuses");
        }
    }
}

/// What is being written, and who waits for it.
#[derive(Default)]
struct Work {
    batch: Batch,
    /// One for each of the batch's calls.
    inserted: Vec<oneshot::Sender<Result<Inserted, InsertCallError>>>,
    /// Which watchers to show the batch's entries to.
    feeds: Vec<(broadcast::Sender<JournalEntry>, JournalEntry)>,
    flushes: Vec<oneshot::Sender<()>>,
}

impl Work {
    fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    fn add(&mut self, orders: impl IntoIterator<Item = Order>) {
        for order in orders {
            match order {
                // Who asked has been told that the store is away.
                Order::Insert { done, .. } if done.is_closed() => {}
                Order::Insert { new, done } => {
                    self.batch.calls.push(*new);
                    self.inserted.push(done);
                }
                Order::Append { call, entry, feed } => {
                    self.feeds.push((feed, entry.clone()));
                    self.append(call, entry);
                }
                Order::Keep { call, recording } => self.batch.recordings.push((call, recording)),
                Order::KeyUsed { key, at } => self.batch.key_uses.push((key, at)),
                Order::Flush(done) => self.flushes.push(done),
            }
        }
    }

    fn append(&mut self, call: CallId, entry: JournalEntry) {
        match self.batch.entries.iter_mut().find(|(id, _)| *id == call) {
            Some((_, entries)) => entries.push(entry),
            None => self.batch.entries.push((call, vec![entry])),
        }
    }

    /// It failed. Calls are not tried again: who asked for them is told, and may be gone when the store is back. That
    /// one was written all the same can't be excluded: then it gets an end instead of a beginning.
    fn refuse_calls(&mut self) {
        self.inserted.clear();
        for new in std::mem::take(&mut self.batch.calls) {
            self.append(new.id, never_started(&new));
        }
    }

    /// It is in the store: tell whoever waits for that. What is left to write are the ends of calls that nobody
    /// waited for any more.
    fn written(mut self, written: Written) -> Self {
        let mut next = Self::default();
        let calls = self.batch.calls.iter().zip(self.inserted.drain(..)).zip(written.calls);
        for ((new, done), result) in calls {
            let is_new = matches!(result, Ok(Inserted::New));
            if done.send(result).is_err() && is_new {
                next.append(new.id, never_started(new));
            }
        }
        for path in written.homeless {
            // Its call was deleted while it was recorded.
            if let Err(error) = std::fs::remove_file(&path) {
                tracing::error!(%error, "the recording of a deleted call could not be deleted");
            }
        }
        self.answer();
        next
    }

    fn answer(self) {
        for (feed, entry) in self.feeds {
            // Nobody watching is the usual case.
            let _ = feed.send(entry);
        }
        for done in self.flushes {
            let _ = done.send(());
        }
    }

    /// It is given up: say what, for whoever has to find out about these calls.
    fn lost(self) {
        let mut calls: BTreeMap<CallId, usize> = BTreeMap::new();
        for (call, entries) in &self.batch.entries {
            *calls.entry(*call).or_default() += entries.len();
        }
        for (call_id, entries) in calls {
            tracing::error!(%call_id, entries, "the last facts of a call are lost: the store did not take them");
        }
    }
}

/// In the place of a fact that the database can't take. An end stays an end.
fn stand_in(entry: &JournalEntry) -> JournalEntry {
    let fact = match &entry.fact {
        Fact::Ended { answered, talk_ms, .. } => Fact::Ended {
            reason: EndReason::GatewayFault,
            answered: *answered,
            talk_ms: *talk_ms,
            sip_status: None,
            q850_cause: None,
        },
        lost => Fact::Problem {
            part: Part::Gateway,
            code: "lost".to_owned(),
            message: format!("the database could not take {}", lost.code()),
        },
    };
    JournalEntry { seq: entry.seq, at: entry.at, fact }
}

fn never_started(new: &NewCall) -> JournalEntry {
    let (seq, at) = (new.entries.len() as u64 + 1, new.queued_at);
    JournalEntry { seq, at, fact: ended(EndReason::GatewayFault, None, at) }
}
