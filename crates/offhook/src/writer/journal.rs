//! The journal of one call: numbers its facts and hands them to the writer.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use offhook_core::{CallId, EndReason, Fact, JournalEntry, Timestamp};
use tokio::sync::broadcast;

use super::{Full, Order, Writer};

/// Facts of one call that the writer had no room for. A call that tells more than this while nothing moves is
/// hung up, and the rest is lost.
const WAITING: usize = 256;

/// How far a call came; outlives a session that panicked.
#[derive(Clone, Debug)]
pub struct Progress(Arc<Reached>);

#[derive(Debug)]
struct Reached {
    seq: AtomicU64,
    /// Microseconds since the epoch; zero until answered.
    answered_at: AtomicI64,
    user_called: AtomicBool,
}

impl Progress {
    pub fn last_seq(&self) -> u64 {
        self.0.seq.load(Ordering::Relaxed)
    }

    pub fn answered_at(&self) -> Option<Timestamp> {
        let micros = self.0.answered_at.load(Ordering::Relaxed);
        (micros != 0).then(|| Timestamp::from_unix_micros(micros))
    }

    /// Whether anybody was called into the call.
    pub fn user_called(&self) -> bool {
        self.0.user_called.load(Ordering::Relaxed)
    }
}

/// Written by the call's session alone.
#[derive(Debug)]
pub struct Journal {
    call: CallId,
    progress: Progress,
    feed: broadcast::Sender<JournalEntry>,
    writer: Writer,
    waiting: VecDeque<JournalEntry>,
    /// Facts that found no room anywhere.
    lost: u64,
}

impl Writer {
    /// The journal of one call, whose entries up to `last_seq` are already written.
    pub fn journal(&self, call: CallId, last_seq: u64, feed: broadcast::Sender<JournalEntry>) -> Journal {
        let reached = Reached {
            seq: AtomicU64::new(last_seq),
            answered_at: AtomicI64::new(0),
            user_called: AtomicBool::new(false),
        };
        Journal {
            call,
            progress: Progress(Arc::new(reached)),
            feed,
            writer: self.clone(),
            waiting: VecDeque::new(),
            lost: 0,
        }
    }
}

impl Journal {
    /// How far the call came, for whoever must go on after a panic of the session.
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    pub fn write(&mut self, at: Timestamp, fact: Fact) {
        // A journal has no gaps: once something is lost, so is all that follows.
        if self.lost > 0 || self.waiting.len() >= WAITING {
            self.lost += 1;
            return;
        }
        let reached = &self.progress.0;
        let seq = reached.seq.fetch_add(1, Ordering::Relaxed) + 1;
        match &fact {
            Fact::Answered { .. } => reached.answered_at.store(at.unix_micros(), Ordering::Relaxed),
            Fact::HandoffDialing { .. } => reached.user_called.store(true, Ordering::Relaxed),
            _ => {}
        }
        self.waiting.push_back(JournalEntry { seq, at, fact });
    }

    /// Hand over what there is room for, without waiting.
    pub fn pass_on(&mut self) {
        self.hand_over(false);
    }

    fn hand_over(&mut self, last: bool) {
        while let Some(entry) = self.waiting.pop_front() {
            let order = Order::Append { call: self.call, entry, feed: self.feed.clone() };
            match self.writer.offer(order, last) {
                Ok(()) => {}
                Err(Full::ForNow(Order::Append { entry, .. }) | Full::Bound(Order::Append { entry, .. })) => {
                    self.waiting.push_front(entry);
                    return;
                }
                Err(_) => self.lost += 1,
            }
        }
    }

    pub fn is_behind(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether what is told now waits for a store that is away.
    pub fn is_stuck(&self) -> bool {
        self.writer.health().why().is_some()
    }

    /// Hand over everything and wait until it is stored. Of a store that is away it does not wait: what the writer
    /// took is written when the store is back, and nothing of the call stays behind meanwhile.
    pub async fn close(mut self) {
        self.hand_over(true);
        while self.is_behind() && self.writer.health().why().is_none() {
            self.writer.room().await;
            self.hand_over(true);
        }
        self.lost += self.waiting.drain(..).len() as u64;
        if self.lost > 0 {
            tracing::error!(
                call_id = %self.call, entries = self.lost,
                "the last facts of a call are lost: the store is away, and no more can wait for it"
            );
        }
        self.writer.flush().await;
    }
}

impl Drop for Journal {
    /// Also when the session panicked: what it told is handed over, and whoever goes on counts from there.
    fn drop(&mut self) {
        self.hand_over(true);
        if let Some(first) = self.waiting.front() {
            self.progress.0.seq.store(first.seq - 1, Ordering::Relaxed);
        }
    }
}

/// The last fact of a call whose session can't write it.
pub fn ended(reason: EndReason, answered_at: Option<Timestamp>, ended_at: Timestamp) -> Fact {
    let talk_ms = answered_at.map_or(0, |at| ended_at.since(at).as_millis().min(u32::MAX.into()) as u32);
    Fact::Ended { reason, answered: answered_at.is_some(), talk_ms, sip_status: None, q850_cause: None }
}
