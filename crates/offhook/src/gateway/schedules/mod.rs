//! Calls that are placed by the clock, when something is the case.
//!
//! A schedule says when ([`plan`], [`cron`]), under which condition ([`condition`]; [`look`] finds out whether it holds)
//! and which call. Each time it is due is a run: [`run`] takes it, asks the condition, and places the call as its owner
//! would, with all that the rules have to say. What became of each run is kept, with what was found.
//!
//! A run is placed under an idempotency key of its schedule and the time it was due, so that neither a crash nor another
//! node places its call twice.

mod call;
mod condition;
mod cron;
mod look;
mod plan;
mod proactive;
mod run;
mod settings;
mod view;
mod written;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use offhook_core::{OwnerId, ScheduleId, Timestamp};
use offhook_store::{InsertedSchedule, NewSchedule as NewRow, ScheduleRow, Stepped, StoreError};
use rand::RngCore as _;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Bound, Caller, Gateway, Idempotency, PlaceCall, PlaceCallError};
use crate::clock;
use look::Looker;
use written::Meant;

pub use condition::{Evidence, Finding, Verdict};
pub use proactive::{ProactiveUse, ProactiveWishes};
pub use settings::{Proactive as ProactiveLimits, Program, Secret, Settings};
pub use view::{RunCall, RunView, ScheduleView};
pub use written::{QuietHours, Written, WrittenCondition, zone};

/// Runs at the same time: in all, and of one owner.
const AT_ONCE: usize = 64;
const AT_ONCE_PER_OWNER: usize = 8;

/// What is asked for; not yet checked.
#[derive(Clone)]
pub struct NewSchedule {
    pub written: Written,
    /// To the voice's own target where it names nobody.
    pub call: PlaceCall,
    pub enabled: bool,
    pub idempotency: Option<Idempotency>,
}

/// Without the numbers and the words.
impl std::fmt::Debug for NewSchedule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewSchedule").field("enabled", &self.enabled).finish_non_exhaustive()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    #[error("no such schedule")]
    NotFound,
    #[error("{field}{sep}{why}", sep = if why.starts_with('.') { "" } else { " " })]
    Invalid { field: &'static str, why: String },
    #[error("{limit} schedules are permitted; remove one")]
    TooMany { limit: u32 },
    #[error("the schedule was changed meanwhile; look at it and try again")]
    Changed,
    #[error("the run before this one is not over; wait for it")]
    UnderWay,
    #[error("the store can't be read or written right now; try again shortly")]
    Store,
    #[error(
        "conditions that run commands, ask agents or use secrets are the operator's here; it can let others have them with agents.keys"
    )]
    NotYours,
    #[error(transparent)]
    Bound(#[from] Bound),
    #[error(transparent)]
    Call(#[from] PlaceCallError),
}

/// What a dry run found; nobody was called.
#[derive(Debug)]
pub struct DryRun {
    pub finding: Finding,
    /// Why the call would be refused just now.
    pub refusal: Option<PlaceCallError>,
    /// What the voice would be told of what was found.
    pub findings: Option<String>,
    pub next_due_at: Option<Timestamp>,
}

/// Who runs what in this process.
#[derive(Debug)]
pub(super) struct Schedules {
    looker: Looker,
    changed: Notify,
    /// The process ends.
    closing: CancellationToken,
    tasks: TaskTracker,
    at_once: Arc<Semaphore>,
    of_owners: Mutex<HashMap<OwnerId, Arc<Semaphore>>>,
}

impl Schedules {
    pub fn new(looker: Looker) -> Self {
        Self {
            looker,
            changed: Notify::new(),
            closing: CancellationToken::new(),
            tasks: TaskTracker::new(),
            at_once: Arc::new(Semaphore::new(AT_ONCE)),
            of_owners: Mutex::default(),
        }
    }

    /// Begin no more runs; those under way are given up, and found again by the next start.
    pub fn close(&self) {
        self.closing.cancel();
        self.tasks.close();
    }

    pub async fn ended(&self) {
        self.tasks.wait().await;
    }
}

pub(super) fn looker(settings: &super::Settings, agents: crate::agents::Agents) -> Looker {
    Looker::new(settings.schedules.clone(), settings.webhooks.reach.clone(), agents)
}

impl Gateway {
    /// Check it all and write it down. The second is whether it was there already.
    pub async fn create_schedule(
        &self,
        caller: Caller,
        new: NewSchedule,
    ) -> Result<(ScheduleView, bool), ScheduleError> {
        let now = clock::now();
        let (written, meant) = self.check_schedule(caller, new.written, new.call).await?;
        Written::check_begin(&meant.plan, now)?;
        let next_due_at =
            meant.plan.next(now - plan::ON_TIME).filter(|due| *due > now).or(match meant.plan.when {
                // Now is soon enough.
                plan::When::Once(at) => Some(at),
                plan::When::Cron(..) => meant.plan.next(now),
            });
        let row = NewRow {
            id: new_id(now),
            owner: caller.owner,
            request: serde_json::to_string(&written).expect("texts and numbers can be written"),
            enabled: new.enabled,
            next_due_at,
            idempotency: new.idempotency,
            created_at: now,
            most: self.inner.settings.schedules.most,
        };
        let (id, repeated) = match self.inner.store.insert_schedule(&row).await.map_err(unreadable)? {
            InsertedSchedule::New => (row.id, false),
            InsertedSchedule::Existing(id) => (id, true),
            InsertedSchedule::KeyReused => return Err(PlaceCallError::IdempotencyKeyReused.into()),
            InsertedSchedule::TooMany => return Err(ScheduleError::TooMany { limit: row.most }),
            InsertedSchedule::UnknownOwner => return Err(ScheduleError::NotFound),
        };
        self.inner.schedules.changed.notify_one();
        Ok((self.schedule(caller, id, view::SHOWN_RUNS).await?, repeated))
    }

    /// The newest first; everybody's for an operator.
    pub async fn schedules(&self, caller: Caller, limit: u32) -> Result<Vec<ScheduleView>, ScheduleError> {
        let owner = (!caller.admin).then_some(caller.owner);
        let rows = self.inner.store.schedules(owner, limit).await.map_err(unreadable)?;
        let mut views = Vec::with_capacity(rows.len());
        for row in rows {
            views.push(self.view_of(row, 1).await?);
        }
        Ok(views)
    }

    pub async fn schedule(
        &self,
        caller: Caller,
        id: ScheduleId,
        runs: u32,
    ) -> Result<ScheduleView, ScheduleError> {
        let row = self.own_schedule(caller, id).await?;
        self.view_of(row, runs).await
    }

    /// Something else in the place of what there was; `None` stays as it is. What the condition saw stays too.
    pub async fn change_schedule(
        &self,
        caller: Caller,
        id: ScheduleId,
        wanted: Option<(Written, PlaceCall)>,
        enabled: Option<bool>,
    ) -> Result<ScheduleView, ScheduleError> {
        let now = clock::now();
        let (before, was) = self.schedule_to_use(caller, id).await?;
        let owner = Caller { owner: before.owner, ..caller };
        let (written, meant) = match wanted {
            Some((written, call)) => {
                let bound = was.bound;
                let (written, meant) = self.check_schedule(owner, written, call).await?;
                (Written { bound: bound || written.bound, ..written }, meant)
            }
            None => {
                let meant = self.meaning(&was)?;
                (was.clone(), meant)
            }
        };
        let enabled = enabled.unwrap_or(before.enabled);
        let same_time = was.cron == written.cron
            && was.at == written.at
            && was.timezone == written.timezone
            && was.quiet_hours == written.quiet_hours;
        // What was paused begins anew: nothing of what it slept through was missed.
        let next_due_at = match same_time && before.enabled == enabled {
            true => before.next_due_at,
            false => {
                if was.at != written.at {
                    Written::check_begin(&meant.plan, now)?;
                }
                meant.plan.next(now)
            }
        };
        let request = serde_json::to_string(&written).expect("texts and numbers can be written");
        let changed = self.inner.store.change_schedule(&before, &request, enabled, next_due_at, now).await;
        if !changed.map_err(unreadable)? {
            return Err(ScheduleError::Changed);
        }
        self.inner.schedules.changed.notify_one();
        self.schedule(caller, id, view::SHOWN_RUNS).await
    }

    /// One that the caller may change and run, with what was asked for. What calls others than the target is out of reach
    /// for a key that is bound to its target.
    async fn schedule_to_use(
        &self,
        caller: Caller,
        id: ScheduleId,
    ) -> Result<(ScheduleRow, Written), ScheduleError> {
        let row = self.own_schedule(caller, id).await?;
        let written = read(&row)?;
        if caller.bound && !written.bound {
            return Err(Bound.into());
        }
        Ok((row, written))
    }

    /// As it was asked for, to be changed in part.
    pub async fn written_schedule(&self, caller: Caller, id: ScheduleId) -> Result<Written, ScheduleError> {
        read(&self.own_schedule(caller, id).await?)
    }

    /// Calls that were placed stay; one under way goes on.
    pub async fn remove_schedule(&self, caller: Caller, id: ScheduleId) -> Result<(), ScheduleError> {
        self.schedule_to_use(caller, id).await?;
        match self.inner.store.delete_schedule(id).await.map_err(unreadable)? {
            true => Ok(()),
            false => Err(ScheduleError::NotFound),
        }
    }

    /// Run it now, beside its own times: its condition is asked, and its call placed where that holds.
    pub async fn run_schedule(&self, caller: Caller, id: ScheduleId) -> Result<RunView, ScheduleError> {
        let (row, _) = self.schedule_to_use(caller, id).await?;
        self.check_open()?;
        let now = clock::now();
        match self.inner.store.begin_run(id, now, now).await.map_err(unreadable)? {
            Stepped::Taken => {}
            Stepped::Overlapped => return Err(ScheduleError::UnderWay),
            Stepped::Lost | Stepped::Moved => return Err(ScheduleError::NotFound),
        }
        self.spawn_run(row, now);
        let runs = self.inner.store.runs(id, view::SHOWN_RUNS).await.map_err(unreadable)?;
        let run = runs.into_iter().find(|run| run.due_at == now).ok_or(ScheduleError::NotFound)?;
        self.view_of_run(run).await
    }

    /// What would happen now: the condition is asked, and nobody called.
    pub async fn dry_run_schedule(&self, caller: Caller, id: ScheduleId) -> Result<DryRun, ScheduleError> {
        let (row, written) = self.schedule_to_use(caller, id).await?;
        let meant = self.meaning(&written)?;
        self.check_condition(&meant, written.admin)?;
        let finding = self.inner.schedules.looker.look(&meant.condition, row.seen.as_deref()).await;
        let owner = self.schedule_caller(&row, &written).await?;
        let call = self.call_of(owner, &written, &finding).await;
        let (refusal, findings) = match call {
            Err(error) => (Some(error), finding.words()),
            Ok(call) => {
                let findings = call.findings.clone();
                let refusal = match self.wish(Some(owner), call).await {
                    Err(error) => Some(error),
                    Ok(wish) => match self.check_open() {
                        Err(error) => Some(error),
                        Ok(()) => self.would_refuse(owner, &wish, clock::now()).await?,
                    },
                };
                (refusal, findings)
            }
        };
        Ok(DryRun { finding, refusal, findings, next_due_at: row.next_due_at.filter(|_| row.enabled) })
    }

    /// A foreign schedule is as unknown as none.
    async fn own_schedule(&self, caller: Caller, id: ScheduleId) -> Result<ScheduleRow, ScheduleError> {
        let row = self.inner.store.schedule(id).await.map_err(unreadable)?;
        row.filter(|row| row.owner == caller.owner || caller.admin).ok_or(ScheduleError::NotFound)
    }

    fn meaning(&self, written: &Written) -> Result<Meant, ScheduleError> {
        let looker = &self.inner.schedules.looker;
        written.meaning(looker.settings(), looker.reach())
    }

    /// What works for the operator is for those whom the operator lets have its agents asked.
    fn check_condition(&self, meant: &Meant, is_admins: bool) -> Result<(), ScheduleError> {
        let may = is_admins || self.inner.engine.agents().settings().any_key;
        if meant.condition.is_operators() && !may { Err(ScheduleError::NotYours) } else { Ok(()) }
    }

    /// All that can be wrong with it before it is due.
    async fn check_schedule(
        &self,
        caller: Caller,
        written: Written,
        call: PlaceCall,
    ) -> Result<(Written, Meant), ScheduleError> {
        let meant = self.meaning(&written)?;
        self.check_condition(&meant, caller.admin)?;
        if call.not_before.is_some() || call.not_after.is_some() {
            let why = ".not_before and .not_after mean nothing here: the schedule says when".to_owned();
            return Err(ScheduleError::Invalid { field: "call", why });
        }
        let written =
            Written { call: call::written(&call), bound: caller.bound, admin: caller.admin, ..written };
        let call = self.call_of(caller, &written, &Finding::always()).await?;
        let wish = self.wish(Some(caller), call).await?;
        let admission = &self.inner.admission;
        admission.check_destination(&wish.to, wish.bound_to.as_deref()).map_err(PlaceCallError::from)?;
        Ok((written, meant))
    }
}

fn read(row: &ScheduleRow) -> Result<Written, ScheduleError> {
    serde_json::from_str(&row.request).map_err(|error| {
        tracing::error!(schedule_id = %row.id, %error, "a schedule can't be read");
        ScheduleError::Store
    })
}

fn new_id(now: Timestamp) -> ScheduleId {
    let mut random = [0; 10];
    rand::rng().fill_bytes(&mut random);
    ScheduleId::from_parts(now, random)
}

fn unreadable(error: StoreError) -> ScheduleError {
    tracing::error!(%error, "schedules can't be read or written");
    ScheduleError::Store
}
