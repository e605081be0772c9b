//! Starts, finds and drains the sessions of live calls.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures_util::FutureExt as _;
use offhook_carrier::{Carrier, Dial, Leg};
use offhook_core::brief::Brief;
use offhook_core::call::{Call, CallCommand, Direction, Limits};
use offhook_core::policy::Allow;
use offhook_core::{CallId, EndReason, Fact, JournalEntry, OwnerId, PhoneNumber};
use offhook_speech::{Model, Prompt, SpeechSession};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio_util::task::TaskTracker;

use crate::admission::Place;
use crate::agents::Agents;
use crate::clock::{self, Clock};
use crate::recorder::Recorder;
use crate::session::{Desk, NotTaken, Order, Origin, Parts, Session, Taken};
use crate::writer::{Health, Progress, Writer, ended};

/// Orders a call has not yet taken; more than these are refused.
const ORDERS: usize = 16;
/// Of those, what is kept free for what ends the call.
const RESERVED: usize = 4;
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
    agents: Agents,
    writer: Writer,
    recorder: Recorder,
    limits: Limits,
    live: Mutex<HashMap<CallId, LiveCall>>,
    draining: AtomicBool,
    sessions: TaskTracker,
}

#[derive(Clone, Debug)]
struct LiveCall {
    owner: OwnerId,
    progress: Progress,
    orders: mpsc::Sender<Order>,
    feed: broadcast::Sender<JournalEntry>,
}

/// A live call that was told to hang up.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    pub answered: bool,
}

/// Why a live call does not do what it is asked.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub enum SteerError {
    #[error(transparent)]
    NotTaken(NotTaken),
    #[error("too much is asked of this call at once; try again in a moment")]
    Busy,
}

/// A call that may happen.
#[derive(Debug)]
pub struct Start {
    pub id: CallId,
    /// Who may hang it up.
    pub owner: OwnerId,
    /// Of a call that reached us; without one the number that was permitted is dialled.
    pub leg: Option<Box<Leg>>,
    pub brief: Brief,
    /// The last journal entry that was written with the call's row.
    pub last_seq: u64,
    /// Whether a dial request that never left is made once more; not where this call is such another try itself.
    pub redials: bool,
    /// Our lines that its user may be called from, besides that of the call: none that is somebody else's.
    pub lines: Vec<PhoneNumber>,
    /// Held until the call is over.
    pub place: Place,
}

impl Engine {
    pub fn new(
        carrier: Carrier,
        (model, agents): (Model, Agents),
        writer: Writer,
        recorder: Recorder,
        limits: Limits,
    ) -> Self {
        let engine = Self {
            inner: Arc::new(Inner {
                carrier,
                model,
                agents,
                writer,
                recorder,
                limits,
                live: Mutex::new(HashMap::new()),
                draining: AtomicBool::new(false),
                sessions: TaskTracker::new(),
            }),
        };
        tokio::spawn(hang_up_when_full(engine.inner.writer.watch(), Arc::downgrade(&engine.inner)));
        engine
    }

    pub fn carrier(&self) -> &Carrier {
        &self.inner.carrier
    }

    pub fn model(&self) -> &Model {
        &self.inner.model
    }

    /// Who works for the voice, and for whoever else has a question.
    pub fn agents(&self) -> &Agents {
        &self.inner.agents
    }

    pub fn recorder(&self) -> &Recorder {
        &self.inner.recorder
    }

    pub fn writer(&self) -> &Writer {
        &self.inner.writer
    }

    /// Start the session of a call. Only a policy decision permits it, each only once, and to no other number.
    pub fn start(&self, allow: Allow, mut start: Start) {
        start.place.is_of(start.id);
        let usual = self.inner.limits;
        let redials = if start.redials { usual.redials } else { 0 };
        let bridged = match allow.put_through() {
            _ if !allow.limits_user() => usual.bridged,
            // Of such a call all the talk is with the user.
            Some(_) => allow.talk_limit(),
            None => Duration::ZERO,
        };
        let (ring, talk, hold_is_talk) = (allow.ring_limit(), allow.talk_limit(), allow.is_metered());
        let limits = Limits { ring, talk, hold_is_talk, redials, bridged, ..usual };
        let (direction, origin) = match (start.leg, Dial::permitted(&allow)) {
            (Some(leg), _) => (Direction::Inbound, Origin::Inbound(leg)),
            (None, Some(dial)) => (Direction::Outbound, Origin::Outbound(dial)),
            (None, None) => return self.never_started(start.id, start.last_seq),
        };
        let asked = start.brief.language.clone();
        let mut brief = Brief { language: self.inner.model.language_for(&asked).to_owned(), ..start.brief };
        if let Some(gate) = &mut brief.gate {
            // Nobody changes the language when the PIN was given.
            gate.beyond.language.clone_from(&brief.language);
        }
        let (orders, inbox) = mpsc::channel(ORDERS);
        let (feed, _) = broadcast::channel(FEED);
        let clock = Clock::set();
        let parts = Parts {
            id: start.id,
            speech: match allow.put_through() {
                // Nobody is to be heard, and nobody pays for it.
                Some(_) => SpeechSession::without_model(self.prompt(&brief, asked).format),
                None => self.inner.model.open(self.prompt(&brief, asked)),
            },
            desk: Desk::new(self.inner.agents.clone(), start.id, &brief),
            call: match allow.put_through() {
                Some(user) => Call::put_through(brief, user.clone(), limits, clock.now()),
                None => Call::new(direction, brief, limits, clock.now()).with_user(allow.handoff().cloned()),
            },
            carrier: self.inner.carrier.clone(),
            origin,
            lines: start.lines,
            orders: inbox,
            journal: self.inner.writer.journal(start.id, start.last_seq, feed.clone()),
            recorder: self.inner.recorder.clone(),
            clock,
        };
        let progress = parts.journal.progress();
        let live = LiveCall { owner: start.owner, progress, orders, feed: feed.clone() };
        self.live().insert(start.id, live);
        self.supervise(start.id, parts, feed, start.place);
    }

    /// The permission was for answering a call; there is nobody to dial.
    fn never_started(&self, id: CallId, last_seq: u64) {
        tracing::error!(call_id = %id, "a call without a destination was not started");
        let (feed, _) = broadcast::channel(1);
        let mut journal = self.inner.writer.journal(id, last_seq, feed);
        journal.write(clock::now(), ended(EndReason::GatewayFault, None, clock::now()));
        self.inner.sessions.spawn(journal.close());
    }

    /// Run the session; a panic ends this one call and leaves the others alone.
    fn supervise(&self, id: CallId, parts: Parts, feed: broadcast::Sender<JournalEntry>, mut place: Place) {
        let engine = self.clone();
        self.inner.sessions.spawn(async move {
            let (progress, clock) = (parts.journal.progress(), parts.clock);
            let talking = progress.clone();
            let session = Session::new(parts);
            tracing::info!(call_id = %id, "call started");
            if AssertUnwindSafe(session.run()).catch_unwind().await.is_err() {
                tracing::error!(call_id = %id, "a session panicked; the call ends with gateway.fault");
                let recorded_ms = engine.inner.recorder.keep(id).await;
                let mut journal = engine.inner.writer.journal(id, progress.last_seq(), feed);
                let now = clock.now();
                if let Some(duration_ms) = recorded_ms {
                    journal.write(now, Fact::RecordingStopped { duration_ms });
                }
                journal.write(now, ended(EndReason::GatewayFault, progress.answered_at(), now));
                journal.close().await;
            }
            engine.live().remove(&id);
            place.talked_since(talking.answered_at(), talking.user_called());
            drop(place);
            tracing::info!(call_id = %id, "call ended");
        });
    }

    /// `asked` is the language that was asked for; the brief is in one the model speaks.
    fn prompt(&self, brief: &Brief, asked: String) -> Prompt {
        Prompt {
            language: asked,
            format: self.inner.model.format_for(self.inner.carrier.preferred_format()),
            brief: brief.clone(),
        }
    }

    /// Hang up a live call of this owner's, or of anybody's; `None` when it is not live. Asks nobody but the call.
    pub fn hang_up(&self, id: CallId, owner: Option<OwnerId>) -> Option<Told> {
        let call = self.live().get(&id).cloned()?;
        if owner.is_some_and(|owner| owner != call.owner) {
            return None;
        }
        let answered = call.progress.answered_at().is_some();
        self.command(id, CallCommand::HangUp).then_some(Told { answered })
    }

    /// Whether the call was live to take the command.
    fn command(&self, id: CallId, command: CallCommand) -> bool {
        let orders = self.live().get(&id).map(|call| call.orders.clone());
        // An inbox that is full to the last place already holds what ends the call.
        orders.is_some_and(|orders| {
            !matches!(orders.try_send(command.into()), Err(mpsc::error::TrySendError::Closed(_)))
        })
    }

    /// Have a live call of this owner's, or of anybody's, do something, and hear whether it does; `None` when it is not
    /// live.
    pub async fn steer(
        &self,
        id: CallId,
        owner: Option<OwnerId>,
        command: CallCommand,
        key: Option<String>,
    ) -> Option<Result<Taken, SteerError>> {
        let (answer, taken) = oneshot::channel();
        {
            // Looked at and sent in one go: nobody else may fill it to the last place in between.
            let live = self.live();
            let call = live.get(&id).filter(|call| owner.is_none_or(|owner| owner == call.owner))?;
            let orders = &call.orders;
            if orders.capacity() <= RESERVED {
                return Some(Err(SteerError::Busy));
            }
            orders.try_send(Order { command, key, answer: Some(answer) }).ok()?;
        }
        // Without an answer the session ended before it got there.
        taken.await.ok().map(|taken| taken.map_err(SteerError::NotTaken))
    }

    fn command_all(&self, command: CallCommand) -> usize {
        let ids: Vec<CallId> = self.live().keys().copied().collect();
        ids.iter().filter(|id| self.command(**id, command.clone())).count()
    }

    /// Up to where a live call has told, written or not; `None` when it is not live.
    pub fn last_seq(&self, id: CallId) -> Option<u64> {
        self.live().get(&id).map(|call| call.progress.last_seq())
    }

    /// What a live call will tell from now on; `None` when it is not live.
    pub fn subscribe(&self, id: CallId) -> Option<broadcast::Receiver<JournalEntry>> {
        self.live().get(&id).map(|call| call.feed.subscribe())
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
        self.command_all(CallCommand::Shutdown);
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

/// Calls that nobody can account for may not go on.
async fn hang_up_when_full(mut health: watch::Receiver<Health>, engine: Weak<Inner>) {
    while health.wait_for(|health| matches!(health, Health::Full { .. })).await.is_ok() {
        let Some(inner) = engine.upgrade() else { return };
        let calls = Engine { inner }.command_all(CallCommand::Fault);
        tracing::error!(calls, "the store is away and no more can wait for it; all calls are hung up");
        if health.wait_for(|health| !matches!(health, Health::Full { .. })).await.is_err() {
            return;
        }
    }
}
