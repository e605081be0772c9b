//! The same asked of several, side by side, and compared.
//!
//! A campaign places its calls as its owner would, one decision of the rules for each. It is for finding out: the voice
//! may agree to nothing, unless the calls are made one after the other, stop at the first that fits, and none follows
//! one that may have committed to something. It ends with the process: targets that were not called by then never are.

mod brief;
mod fit;
mod run;
mod view;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use offhook_core::brief::Commit;
use offhook_core::{CampaignId, OwnerId};
use offhook_store::{CampaignEnding, CampaignRow, CampaignState, InsertedCampaign, NewCampaign, StoreError};
use rand::RngCore as _;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Caller, Gateway, Idempotency, PlaceCall, PlaceCallError};
use crate::clock;

pub use fit::Fit;
pub use view::{CampaignSummary, CampaignView, TargetProgress, TargetView};

/// Targets of one campaign.
const MOST_TARGETS: usize = 20;
/// Campaigns of one owner at a time.
const MOST_RUNNING: usize = 4;

/// What is asked of whom; not yet checked.
#[derive(Clone, Default)]
pub struct StartCampaign {
    /// What every call is like; to nobody in particular.
    pub call: PlaceCall,
    /// What it is for, in a few words; the beginning of the task when absent.
    pub purpose: Option<String>,
    /// What is known, for every call.
    pub facts: Vec<String>,
    pub targets: Vec<Target>,
    /// Calls at the same time; as many as the operator allows when absent.
    pub parallel: Option<u32>,
    pub stop_at_first_fit: bool,
    /// What fits; a task that was achieved when absent.
    pub fit: Option<Fit>,
    /// The fields of the result that are compared; all of them when absent.
    pub compare: Option<Vec<String>>,
    pub idempotency: Option<Idempotency>,
}

/// Whom to call.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    pub to: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What is asked of this one only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
}

/// Without the numbers and the words.
impl fmt::Debug for StartCampaign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { targets, parallel, stop_at_first_fit, .. } = self;
        let mut shown = f.debug_struct("StartCampaign");
        shown.field("targets", &targets.len()).field("parallel", parallel);
        shown.field("stop_at_first_fit", stop_at_first_fit).finish_non_exhaustive()
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").finish_non_exhaustive()
    }
}

/// What the owner keeps with a campaign.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Notes {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision_needed: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_action: Option<String>,
}

/// As it is kept: what the view needs of what was asked for.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Request {
    task: String,
    purpose: String,
    parallel: u32,
    stop_at_first_fit: bool,
    #[serde(default)]
    fit: Option<Fit>,
    /// The columns of the comparison.
    compare: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum CampaignError {
    #[error("no such campaign")]
    NotFound,
    #[error("the store can't be read right now; try again shortly")]
    Store,
    #[error(transparent)]
    Place(#[from] PlaceCallError),
    #[error("campaigns are switched off here; the operator can set policy.campaign_parallel")]
    SwitchedOff,
    #[error("{MOST_RUNNING} campaigns at a time are permitted; wait for one to end, or stop one")]
    TooMany,
}

/// The campaigns of this process that go on.
#[derive(Debug, Default)]
pub(super) struct Campaigns {
    running: Mutex<HashMap<CampaignId, Running>>,
    /// The process ends.
    closing: CancellationToken,
    tasks: TaskTracker,
}

/// A campaign that goes on.
#[derive(Clone, Debug)]
struct Running {
    owner: OwnerId,
    /// Its owner wants no more calls.
    stop: CancellationToken,
    /// What became of it is written.
    over: CancellationToken,
}

/// A campaign that was started, or was before.
#[derive(Debug)]
pub struct Started {
    pub view: CampaignView,
    pub repeated: bool,
}

/// What became of one that was to be run.
enum Begun {
    New(CampaignId),
    Before(InsertedCampaign),
}

impl Campaigns {
    /// Unless the owner has as many as may be.
    fn enter(&self, id: CampaignId, owner: OwnerId) -> Option<CancellationToken> {
        let mut running = self.lock();
        if running.values().filter(|running| running.owner == owner).count() >= MOST_RUNNING {
            return None;
        }
        let stop = CancellationToken::new();
        running.insert(id, Running { owner, stop: stop.clone(), over: CancellationToken::new() });
        Some(stop)
    }

    fn leave(&self, id: CampaignId) {
        if let Some(running) = self.lock().remove(&id) {
            running.over.cancel();
        }
    }

    fn find(&self, id: CampaignId) -> Option<Running> {
        self.lock().get(&id).cloned()
    }

    fn stop(&self, id: CampaignId) {
        if let Some(running) = self.find(id) {
            running.stop.cancel();
        }
    }

    /// Place no more calls.
    pub fn close(&self) {
        self.closing.cancel();
        self.tasks.close();
    }

    /// Once the calls are over: until what became of each campaign is written.
    pub async fn ended(&self) {
        self.tasks.wait().await;
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<CampaignId, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gateway {
    /// Check it all, write it down, then call.
    pub async fn start_campaign(
        &self,
        caller: Caller,
        start: StartCampaign,
    ) -> Result<Started, CampaignError> {
        let _placing = self.queue_up()?;
        self.check_open()?;
        let (limit, store) = (self.inner.settings.campaign_parallel, &self.inner.store);
        if limit == 0 {
            return Err(CampaignError::SwitchedOff);
        }
        if let Some(key) = &start.idempotency
            && let Some(held) = store.idempotent_campaign(caller.owner, key).await.map_err(unreadable)?
        {
            return self.started_before(caller, held).await;
        }
        let plan = self.plan(caller, start, limit).await?;
        // In a task of its own: a client that goes away must not leave a campaign behind that is stored but never run.
        let gateway = self.clone();
        let begun =
            self.inner.campaigns.tasks.spawn(async move { gateway.begin_campaign(caller, plan).await });
        match begun.await.map_err(|_| PlaceCallError::Fault)?? {
            Begun::New(id) => Ok(Started { view: self.campaign(caller, id).await?, repeated: false }),
            Begun::Before(held) => self.started_before(caller, held).await,
        }
    }

    /// Write it down and run it.
    async fn begin_campaign(&self, caller: Caller, plan: Plan) -> Result<Begun, CampaignError> {
        let id = new_id();
        let stop = self.inner.campaigns.enter(id, caller.owner).ok_or(CampaignError::TooMany)?;
        // Leaves again whatever becomes of this request.
        let entered = Entered { gateway: self.clone(), id };
        let inserted = self.inner.store.insert_campaign(&plan.new_campaign(id, caller.owner)).await;
        match inserted.map_err(unreadable)? {
            InsertedCampaign::New => {}
            held => return Ok(Begun::Before(held)),
        }
        let run = run::Run::new(self.clone(), caller, id, plan, stop);
        self.inner.campaigns.tasks.spawn(async move {
            run.run().await;
            drop(entered);
        });
        Ok(Begun::New(id))
    }

    async fn started_before(&self, caller: Caller, held: InsertedCampaign) -> Result<Started, CampaignError> {
        match held {
            InsertedCampaign::Existing(id) => {
                Ok(Started { view: self.campaign(caller, id).await?, repeated: true })
            }
            InsertedCampaign::KeyReused => Err(PlaceCallError::IdempotencyKeyReused.into()),
            // The owner was deleted since the key was looked up.
            InsertedCampaign::New | InsertedCampaign::UnknownOwner => Err(CampaignError::NotFound),
        }
    }

    /// What the owner keeps with a campaign, in the place of what there was.
    pub async fn note_campaign(
        &self,
        caller: Caller,
        id: CampaignId,
        change: impl FnOnce(Notes) -> Notes,
    ) -> Result<CampaignView, CampaignError> {
        let row = self.own_campaign(caller, id).await?;
        let notes = change(notes_of(&row));
        let text = serde_json::to_string(&notes).expect("texts can be written");
        if !self.inner.store.set_campaign_notes(id, &text).await.map_err(unreadable)? {
            return Err(CampaignError::NotFound);
        }
        self.campaign(caller, id).await
    }

    /// Place no more calls, and bring those under way to their end. Repeat at will.
    pub async fn stop_campaign(
        &self,
        caller: Caller,
        id: CampaignId,
    ) -> Result<CampaignState, CampaignError> {
        self.own_campaign(caller, id).await?;
        let store = &self.inner.store;
        store.stop_campaign(id, CampaignEnding::Stopped).await.map_err(unreadable)?;
        self.inner.campaigns.stop(id);
        Ok(self.own_campaign(caller, id).await?.state)
    }

    /// Until the campaign is done, but no longer than this.
    pub async fn campaign_done(
        &self,
        caller: Caller,
        id: CampaignId,
        patience: Duration,
    ) -> Result<(), CampaignError> {
        self.own_campaign(caller, id).await?;
        if let Some(running) = self.inner.campaigns.find(id) {
            let _ = tokio::time::timeout(patience, running.over.cancelled()).await;
        }
        Ok(())
    }

    /// On start: what an earlier process did not call is not called any more.
    pub(super) async fn end_campaigns(&self) -> Result<(), StoreError> {
        let store = &self.inner.store;
        for id in store.unfinished_campaigns().await? {
            store.finish_campaign(id, CampaignEnding::Restarted, clock::now()).await?;
        }
        Ok(())
    }

    /// A foreign campaign is as unknown as none.
    pub(super) async fn own_campaign(
        &self,
        caller: Caller,
        id: CampaignId,
    ) -> Result<CampaignRow, CampaignError> {
        let row = self.inner.store.campaign(id).await.map_err(unreadable)?;
        row.filter(|row| row.owner == caller.owner || caller.admin).ok_or(CampaignError::NotFound)
    }

    /// What is to be done, checked.
    async fn plan(&self, caller: Caller, start: StartCampaign, limit: u32) -> Result<Plan, PlaceCallError> {
        if start.call.task.trim().is_empty() {
            return Err(PlaceCallError::MissingField { field: "task" });
        }
        let parallel = parallel(&start, limit)?;
        check_commitments(&start, parallel)?;
        let mut targets = Vec::with_capacity(start.targets.len());
        for (index, target) in start.targets.iter().enumerate() {
            let ask = brief::call_of(&start, target);
            let wish = self.wish(Some(caller), ask.clone()).await;
            let wish = wish.map_err(|error| of_target(index, error))?;
            let number = wish.to.as_e164().to_owned();
            if targets.iter().any(|(before, _)| *before == number) {
                let why = format!("{index} is the same number as one before; each is called once");
                return Err(PlaceCallError::InvalidField { field: "targets", why });
            }
            targets.push((number, ask));
        }
        let fields = fit::fields(&start)?;
        let compare = fit::compared(&start, &fields)?;
        let request = Request {
            purpose: brief::purpose(&start),
            task: start.call.task.clone(),
            parallel,
            stop_at_first_fit: start.stop_at_first_fit,
            fit: start.fit.clone(),
            compare,
        };
        Ok(Plan { start, request, targets })
    }
}

/// A campaign that can be run.
pub(super) struct Plan {
    start: StartCampaign,
    request: Request,
    /// Number and call.
    targets: Vec<(String, PlaceCall)>,
}

impl Plan {
    fn may_commit(&self) -> bool {
        may_commit(&self.start)
    }

    fn new_campaign(&self, id: CampaignId, owner: OwnerId) -> NewCampaign {
        let notes = Notes { facts: self.start.facts.clone(), ..Notes::default() };
        let names = self.start.targets.iter().map(|target| target.name.clone());
        let numbers = self.targets.iter().map(|(number, _)| number.clone());
        NewCampaign {
            id,
            owner,
            request: serde_json::to_string(&self.request).expect("texts can be written"),
            notes: serde_json::to_string(&notes).expect("texts can be written"),
            idempotency: self.start.idempotency.clone(),
            targets: numbers.zip(names).collect(),
            created_at: clock::now(),
        }
    }
}

/// In the list of those that go on for as long as this lives.
struct Entered {
    gateway: Gateway,
    id: CampaignId,
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.gateway.inner.campaigns.leave(self.id);
    }
}

fn wrong<T>(field: &'static str, why: impl Into<String>) -> Result<T, PlaceCallError> {
    Err(PlaceCallError::InvalidField { field, why: why.into() })
}

fn may_commit(start: &StartCampaign) -> bool {
    matches!(start.call.may_commit, Some(Commit::Within(_)))
}

fn parallel(start: &StartCampaign, limit: u32) -> Result<u32, PlaceCallError> {
    if start.targets.is_empty() {
        return Err(PlaceCallError::MissingField { field: "targets" });
    }
    if start.targets.len() > MOST_TARGETS {
        return wrong("targets", format!("must be at most {MOST_TARGETS}"));
    }
    match start.parallel {
        Some(calls) if calls == 0 || calls > limit => {
            wrong("parallel", format!("must be 1 to {limit}, which is what the operator allows"))
        }
        Some(calls) => Ok(calls),
        None if may_commit(start) => Ok(1),
        None => Ok(limit.min(start.targets.len() as u32)),
    }
}

/// Two calls must not be able to book the same thing twice.
fn check_commitments(start: &StartCampaign, parallel: u32) -> Result<(), PlaceCallError> {
    if start.call.bridge_number.is_some() || start.call.loop_in_user {
        return wrong(
            "bridge_number",
            "is not possible in a campaign; follow its best call up with one that hands over",
        );
    }
    if start.call.follow_up_to.is_some() || start.call.supplied.is_some() {
        return wrong("follow_up_to", "is not possible in a campaign; follow a call up with POST /call");
    }
    if start.call.not_before.is_some() || start.call.not_after.is_some() {
        return wrong("not_before", "is not possible in a campaign; start it when its time has come");
    }
    if may_commit(start) && start.targets.len() > 1 && (parallel > 1 || !start.stop_at_first_fit) {
        return wrong(
            "may_commit",
            "could commit twice: with more than one target it needs parallel 1 and stop_at_first_fit true",
        );
    }
    Ok(())
}

/// What is wrong with one of several is told with which.
fn of_target(index: usize, error: PlaceCallError) -> PlaceCallError {
    match error {
        PlaceCallError::InvalidPhone { field: "to", why } => {
            PlaceCallError::InvalidPhone { field: "targets", why: format!("{index}: {why}") }
        }
        PlaceCallError::MissingField { field: "to" } => {
            let why = format!("{index} has no number in `to`");
            PlaceCallError::InvalidField { field: "targets", why }
        }
        error => error,
    }
}

fn notes_of(row: &CampaignRow) -> Notes {
    serde_json::from_str(&row.notes).unwrap_or_default()
}

fn unreadable(error: StoreError) -> CampaignError {
    tracing::error!(%error, "a campaign could not be read or written");
    CampaignError::Store
}

fn new_id() -> CampaignId {
    let mut random = [0; 10];
    rand::rng().fill_bytes(&mut random);
    CampaignId::from_parts(clock::now(), random)
}
