//! Starts, finds and drains the sessions of live calls.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use offhook_carrier::{Carrier, Dial, Leg};
use offhook_core::brief::Brief;
use offhook_core::call::{Call, CallCommand, Direction, Limits};
use offhook_core::policy::Allow;
use offhook_core::{CallId, EndReason, Fact, JournalEntry, OwnerId, PhoneNumber};
use offhook_speech::{Model, Prompt};
use offhook_store::Store;
use tokio::sync::{broadcast, mpsc};
use tokio_util::task::TaskTracker;

use crate::clock;
use crate::recorder::Recorder;
use crate::session::{JournalWriter, Line, Parts, Session};

/// Commands a call has not yet taken; more than these are refused, and two would do.
const COMMANDS: usize = 8;
/// Journal entries a slow watcher may lag behind before it reads them from the store again.
const FEED: usize = 32;

/// All live calls of this process.
#[derive(Clone, Debug)]
pub struct Engine {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    carrier: Carrier,
    model: Model,
    writer: JournalWriter,
    recorder: Recorder,
    limits: Limits,
    live: Mutex<HashMap<CallId, LiveCall>>,
    draining: AtomicBool,
    sessions: TaskTracker,
}

#[derive(Clone, Debug)]
struct LiveCall {
    owner: OwnerId,
    remote: Option<PhoneNumber>,
    /// The line it uses, where that is known before dialling.
    line: Option<PhoneNumber>,
    commands: mpsc::Sender<CallCommand>,
    feed: broadcast::Sender<JournalEntry>,
}

/// A call that may happen.
#[derive(Debug)]
pub struct Start {
    pub id: CallId,
    pub owner: OwnerId,
    /// The number on the other side; unknown when a caller withholds it.
    pub remote: Option<PhoneNumber>,
    pub way: Way,
    pub brief: Brief,
    /// The last journal entry that was written with the call's row.
    pub last_seq: u64,
}

#[derive(Debug)]
pub enum Way {
    /// From one of our lines; the pool chooses when none is named.
    Outbound {
        to: PhoneNumber,
        from: Option<PhoneNumber>,
    },
    Inbound(Box<Leg>),
}

/// How many calls are live, for the policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LiveCounts {
    pub all: u32,
    pub of_owner: u32,
    pub to_destination: u32,
}

impl Engine {
    pub fn new(carrier: Carrier, model: Model, store: Store, recorder: Recorder, limits: Limits) -> Self {
        Self {
            inner: Arc::new(Inner {
                carrier,
                model,
                writer: JournalWriter::start(store),
                recorder,
                limits,
                live: Mutex::new(HashMap::new()),
                draining: AtomicBool::new(false),
                sessions: TaskTracker::new(),
            }),
        }
    }

    pub fn carrier(&self) -> &Carrier {
        &self.inner.carrier
    }

    pub fn model(&self) -> &Model {
        &self.inner.model
    }

    pub fn recorder(&self) -> &Recorder {
        &self.inner.recorder
    }

    pub fn writer(&self) -> &JournalWriter {
        &self.inner.writer
    }

    /// Start the session of a call. Only a policy decision permits it, and each only once.
    pub fn start(&self, allow: Allow, start: Start) {
        let limits = Limits { ring: allow.ring_limit(), talk: allow.talk_limit(), ..self.inner.limits };
        let from = match &start.way {
            Way::Outbound { from, .. } => from.clone(),
            Way::Inbound(leg) => Some(leg.line().clone()),
        };
        let (direction, line) = match start.way {
            Way::Outbound { to, from } => {
                let carrier = self.inner.carrier.clone();
                (
                    Direction::Outbound,
                    Line::Outbound { carrier, dial: Dial { to, from } },
                )
            }
            Way::Inbound(leg) => (Direction::Inbound, Line::Inbound(leg)),
        };
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let (feed, _) = broadcast::channel(FEED);
        let parts = Parts {
            id: start.id,
            speech: self.inner.model.open(self.prompt(&start.brief)),
            call: Call::new(direction, start.brief, limits, clock::now()),
            line,
            commands: inbox,
            journal: self.inner.writer.journal(start.id, start.last_seq, feed.clone()),
            recorder: self.inner.recorder.clone(),
        };
        let live =
            LiveCall { owner: start.owner, remote: start.remote, line: from, commands, feed: feed.clone() };
        self.live().insert(start.id, live);
        self.supervise(start.id, parts, feed);
    }

    /// Run the session; a panic ends this one call and leaves the others alone.
    fn supervise(&self, id: CallId, parts: Parts, feed: broadcast::Sender<JournalEntry>) {
        let engine = self.clone();
        self.inner.sessions.spawn(async move {
            let progress = parts.journal.progress();
            let session = Session::new(parts);
            tracing::info!(call_id = %id, "call started");
            if AssertUnwindSafe(session.run()).catch_unwind().await.is_err() {
                tracing::error!(call_id = %id, "a session panicked; the call ends with gateway.fault");
                let mut journal = engine.inner.writer.journal(id, progress.last_seq(), feed);
                let now = clock::now();
                journal.write(now, ended(EndReason::GatewayFault, progress.answered_at(), now));
                journal.close().await;
            }
            engine.live().remove(&id);
            tracing::info!(call_id = %id, "call ended");
        });
    }

    fn prompt(&self, brief: &Brief) -> Prompt {
        Prompt {
            instructions: brief.instructions(),
            voice: brief.voice.clone(),
            language: brief.language.clone(),
            format: self.inner.model.format_for(self.inner.carrier.preferred_format()),
            brief: brief.clone(),
        }
    }

    /// Whether the call was live to take the command.
    pub fn command(&self, id: CallId, command: CallCommand) -> bool {
        let commands = self.live().get(&id).map(|call| call.commands.clone());
        // A full inbox already holds what ends the call.
        commands.is_some_and(|commands| {
            !matches!(commands.try_send(command), Err(mpsc::error::TrySendError::Closed(_)))
        })
    }

    /// What a live call will tell from now on; `None` when it is not live.
    pub fn subscribe(&self, id: CallId) -> Option<broadcast::Receiver<JournalEntry>> {
        self.live().get(&id).map(|call| call.feed.subscribe())
    }

    pub fn live_counts(&self, owner: OwnerId, remote: Option<&PhoneNumber>) -> LiveCounts {
        let live = self.live();
        LiveCounts {
            all: live.len() as u32,
            of_owner: live.values().filter(|call| call.owner == owner).count() as u32,
            to_destination: live
                .values()
                .filter(|call| remote.is_some() && call.remote.as_ref() == remote)
                .count() as u32,
        }
    }

    /// Live calls that use, or will use, a line: this one, or any.
    pub fn live_on(&self, from: Option<&PhoneNumber>) -> usize {
        self.live().values().filter(|call| from.is_none() || call.line.as_ref() == from).count()
    }

    pub fn is_draining(&self) -> bool {
        self.inner.draining.load(Ordering::Relaxed)
    }

    /// From now on no call is started any more.
    pub fn refuse_calls(&self) {
        self.inner.draining.store(true, Ordering::Relaxed);
    }

    /// End every call and wait until the last entry of each is stored, but not for ever.
    pub async fn drain(&self, patience: Duration) {
        let ids: Vec<CallId> = self.live().keys().copied().collect();
        for id in ids {
            self.command(id, CallCommand::Shutdown);
        }
        self.inner.sessions.close();
        if tokio::time::timeout(patience, self.inner.sessions.wait()).await.is_err() {
            tracing::warn!(calls = self.live().len(), "shutting down with calls still closing");
        }
    }

    fn live(&self) -> MutexGuard<'_, HashMap<CallId, LiveCall>> {
        // A panic while the map was held leaves it usable: every change is one insert or remove.
        self.inner.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The last fact of a call whose session can't write it.
pub fn ended(
    reason: EndReason,
    answered_at: Option<offhook_core::Timestamp>,
    ended_at: offhook_core::Timestamp,
) -> Fact {
    let talk_ms = answered_at.map_or(0, |at| ended_at.since(at).as_millis().min(u32::MAX.into()) as u32);
    Fact::Ended { reason, answered: answered_at.is_some(), talk_ms, sip_status: None, q850_cause: None }
}
