//! Calls that wait for their time.
//!
//! Such a call is written down and not begun: nothing of it was dialled, so it outlives a restart. When its time has
//! come the rules are asked, as of a call that is placed then; where they have no place just now it goes on waiting,
//! until it may not be placed any more. What begins a call takes a mark off its row first, and nothing begins it again.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use offhook_core::journal::Part;
use offhook_core::{CallId, EndReason, Fact, JournalEntry, Timestamp};
use offhook_store::{CallRow, Inserted, NewKey, StoreError, Ties};
use tokio::sync::{Mutex as Turn, Notify, broadcast, watch};
use tokio_util::sync::CancellationToken;

use super::place::{PROACTIVE, not_written};
use super::wish::{Wish, scheduled};
use super::{Caller, Gateway, PlaceCall, PlaceCallError};
use crate::admission::Account;
use crate::clock;
use crate::writer::ended;

/// Nobody can tell what a call is good for after that.
const FURTHEST: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How long a call may be late when nothing is said about it.
const LATE: Duration = Duration::from_secs(60 * 60);
/// Calls of one owner that may wait at a time; of all who were given their key on their first call, together.
const MOST_WAITING: u64 = 100;
/// When the store, or whatever else is away, is asked again.
const AWAY: Duration = Duration::from_secs(5);
/// When the rules are asked again; what refuses may be over earlier than it says.
const REFUSED: Duration = Duration::from_secs(60);
/// When it is asked again about what nobody knows the end of.
const UNKNOWN: Duration = Duration::from_secs(15);
/// The clock may be set while somebody waits for it.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// Which calls wait, and until when. The store knows as well; this is what is looked at.
#[derive(Debug)]
pub(super) struct Schedule {
    due: Mutex<BTreeSet<(Timestamp, CallId)>>,
    changed: Notify,
    /// Held from counting what waits until one more is written: those who ask at the same time are counted too.
    entering: Turn<()>,
    /// Counts the calls that wait no more.
    begun: watch::Sender<u64>,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            due: Mutex::default(),
            changed: Notify::new(),
            entering: Turn::default(),
            begun: watch::Sender::new(0),
        }
    }
}

impl Schedule {
    fn add(&self, at: Timestamp, call: CallId) {
        self.lock().insert((at, call));
        self.changed.notify_one();
    }

    /// A call whose time has come, or when to look again.
    fn next(&self, now: Timestamp) -> Result<CallId, Duration> {
        let mut due = self.lock();
        match due.first() {
            Some((at, _)) if *at <= now => Ok(due.pop_first().expect("there is a first one").1),
            Some((at, _)) => Err(at.since(now).min(LOOK_AGAIN)),
            None => Err(LOOK_AGAIN),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<(Timestamp, CallId)>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What became of a call whose time has come.
enum Begun {
    /// It goes on without us.
    Done,
    /// There is no place for it yet.
    NotYet(Timestamp),
}

/// When a call may be placed, checked.
pub(super) fn check_window(ask: &PlaceCall, now: Timestamp) -> Result<(), PlaceCallError> {
    let wrong = |field, why: &str| Err(PlaceCallError::InvalidField { field, why: why.to_owned() });
    if ask.not_before.is_some_and(|at| at > now + FURTHEST) {
        return wrong("not_before", "must be within the next 30 days");
    }
    match (ask.not_before, ask.not_after) {
        (_, Some(end)) if end <= now => {
            wrong("not_after", "is over already; name a later one, or leave it out")
        }
        (Some(begin), Some(end)) if end <= begin => wrong("not_after", "must be later than not_before"),
        _ => Ok(()),
    }
}

impl Gateway {
    /// Write a call down that is placed when its time has come.
    pub(super) async fn schedule_call(
        &self,
        caller: Caller,
        wish: &Wish,
        minted: Option<NewKey>,
        not_before: Timestamp,
    ) -> Result<CallId, PlaceCallError> {
        self.inner.admission.check_destination(&wish.to, wish.bound_to.as_deref())?;
        self.usable_lines(caller, wish.from.as_ref()).await?;
        let _entering = self.inner.schedule.entering.lock().await;
        let waiting = match caller.account() {
            Account::Owner(owner) => self.inner.store.waiting_calls_of(owner).await,
            Account::Anonymous => self.inner.store.waiting_calls_of_minted_keys().await,
        };
        if waiting.map_err(|error| super::place::unreadable(&error))? >= MOST_WAITING {
            return Err(PlaceCallError::TooManyWaiting { limit: MOST_WAITING });
        }
        let not_after = wish.ask.not_after.unwrap_or(not_before + LATE);
        let ties = Ties {
            not_before: Some(not_before),
            not_after: Some(not_after),
            waits: true,
            ..wish.ties.clone()
        };
        let new = scheduled(wish, caller.owner, minted, ties, clock::now());
        let id = new.id;
        match self.inner.engine.writer().insert(new).await {
            Ok(Inserted::New) => {}
            Ok(Inserted::Existing(existing)) => return Ok(existing),
            Ok(Inserted::KeyReused) => return Err(PlaceCallError::IdempotencyKeyReused),
            Err(error) => return Err(not_written(error)),
        }
        self.inner.schedule.add(not_before, id);
        Ok(id)
    }

    /// Place the calls that wait, each in its time, until told to stop.
    pub async fn keep_schedule(&self, stop: CancellationToken) {
        while let Err(error) = self.load_schedule().await {
            tracing::warn!(%error, "the calls that wait for their time can't be read; trying again");
            if stop.run_until_cancelled(tokio::time::sleep(AWAY)).await.is_none() {
                return;
            }
        }
        let schedule = &self.inner.schedule;
        while !stop.is_cancelled() {
            let wait = match schedule.next(clock::now()) {
                Ok(call) => {
                    if let Begun::NotYet(at) = self.begin_or_later(call).await {
                        schedule.add(at, call);
                    }
                    continue;
                }
                Err(wait) => wait,
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = schedule.changed.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    async fn load_schedule(&self) -> Result<(), StoreError> {
        for (call, due) in self.inner.store.waiting_calls().await? {
            self.inner.schedule.add(due, call);
        }
        Ok(())
    }

    async fn begin_or_later(&self, call: CallId) -> Begun {
        match self.begin(call).await {
            Ok(begun) => begun,
            Err(error) => {
                tracing::warn!(call_id = %call, %error, "a call whose time has come can't be read; trying again");
                Begun::NotYet(clock::now() + AWAY)
            }
        }
    }

    /// Place a call that waits, as if it were asked for now.
    async fn begin(&self, id: CallId) -> Result<Begun, StoreError> {
        let Some(row) = self.inner.store.call(id).await?.filter(|row| row.ties.waits) else {
            return Ok(Begun::Done);
        };
        let now = clock::now();
        let not_after = row.ties.not_after.unwrap_or(row.queued_at + LATE);
        if now >= not_after {
            self.end_waiting(&row, EndReason::PolicyWindow, None).await?;
            return Ok(Begun::Done);
        }
        let refused = match self.begin_now(&row, now).await {
            Ok(()) => return Ok(Begun::Done),
            Err(refused) => refused,
        };
        if !refused.is_passing() {
            tracing::info!(call_id = %id, "a call that waited is not placed: it is refused for good");
            self.end_waiting(&row, EndReason::PolicyRefused, Some(refused.to_string())).await?;
            return Ok(Begun::Done);
        }
        let wait = refused.retry_after().map_or(UNKNOWN, |wait| wait.clamp(AWAY, REFUSED));
        Ok(Begun::NotYet((now + wait).min(not_after)))
    }

    async fn begin_now(&self, row: &CallRow, now: Timestamp) -> Result<(), PlaceCallError> {
        let unreadable = |error| super::place::unreadable(&error);
        let caller = self.caller_of(row.owner).await?;
        let wish = self.wish_of(caller, row, now).await?;
        let _only_idea = match wish.ties.proactive {
            true => Some(self.inner.in_flight.only_one(row.owner, PROACTIVE).await),
            false => None,
        };
        let _starting = self.inner.starting.read().await;
        self.check_open()?;
        let mut taken = self.take_place(caller, &wish, now).await?;
        if !self.inner.store.begin_waiting(row.id).await.map_err(unreadable)? {
            return Ok(());
        }
        taken.place.keep();
        self.remember(caller, &wish, row.id, now);
        let last_seq = self.inner.store.last_seq(row.id).await.map_err(unreadable).unwrap_or(1);
        let (feed, _) = broadcast::channel(1);
        let mut journal = self.inner.engine.writer().journal(row.id, last_seq, feed);
        journal.write(now, Fact::Queued { policy: taken.allow.policy() });
        // Whoever watches from the start must find it before what follows.
        journal.close().await;
        self.start(caller, wish, taken, (row.id, last_seq + 1));
        self.inner.schedule.begun.send_modify(|begun| *begun += 1);
        // Of a call without a webhook this finds nothing to do.
        self.inner.webhooks.follow(row.id, row.owner, self.inner.engine.subscribe(row.id));
        Ok(())
    }

    /// End a call that waits, before anything was dialled. False when it does not wait any more.
    pub(super) async fn end_waiting(
        &self,
        row: &CallRow,
        reason: EndReason,
        why: Option<String>,
    ) -> Result<bool, StoreError> {
        if !self.inner.store.begin_waiting(row.id).await? {
            return Ok(false);
        }
        let last_seq = self.inner.store.last_seq(row.id).await?;
        let (now, (feed, _)) = (clock::now(), broadcast::channel(1));
        let mut journal = self.inner.engine.writer().journal(row.id, last_seq, feed);
        if let Some(message) = why {
            let code = reason.code().to_owned();
            journal.write(now, Fact::Problem { part: Part::Gateway, code, message });
        }
        journal.write(now, ended(reason, None, now));
        journal.close().await;
        self.inner.schedule.begun.send_modify(|begun| *begun += 1);
        self.inner.webhooks.follow(row.id, row.owner, None);
        Ok(true)
    }

    /// Told whenever a call does not wait any more.
    pub(super) fn begun(&self) -> watch::Receiver<u64> {
        self.inner.schedule.begun.subscribe()
    }
}

/// The first fact of a call that waits.
pub(super) fn waits(not_before: Timestamp, now: Timestamp) -> JournalEntry {
    JournalEntry { seq: 1, at: now, fact: Fact::Scheduled { not_before_ms: not_before.unix_millis() } }
}
