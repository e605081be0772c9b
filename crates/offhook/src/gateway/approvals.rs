//! Approval by phone: an agent asks, the user of the account is called and decides, and what was decided is kept.
//!
//! Each approval has a call of its own, or is asked within the call that the voice has with the user already; the verdict
//! is what that call wrote down of it, and of no other. One user is asked one thing at a time. Whatever keeps the
//! question from being answered is a no.

mod run;
mod spoken;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest;
use offhook_core::{ApprovalId, OwnerId, PhoneNumber};
use offhook_store::{ApprovalRow, ApprovalState, InsertedApproval, NewApproval, StoreError, Verdict};
use rand::RngCore as _;
use serde_json::{Value, json};
use tokio::sync::{Mutex as Turn, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::pins::WrongPins;
use super::{AuthError, Caller, Gateway, Idempotency, PlaceCallError, VoiceError};
use crate::clock;

/// Approvals of one owner that may wait at a time.
const MOST_PENDING: usize = 8;
const SHORTEST: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(60 * 60);
const USUAL: Duration = Duration::from_secs(300);

/// What is to be approved; not yet checked.
#[derive(Clone, Default)]
pub struct AskApproval {
    pub operation: String,
    /// A text, or an object of texts and numbers.
    pub details: Option<Value>,
    /// How long the user has; five minutes when absent.
    pub within: Option<Duration>,
    /// Not without a PIN.
    pub require_pin: bool,
    /// BCP 47; the configured default when absent.
    pub language: Option<String>,
    /// Where the events of the call are sent.
    pub webhook_url: Option<String>,
    pub idempotency: Option<Idempotency>,
}

/// Without the words.
impl fmt::Debug for AskApproval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AskApproval").field("within", &self.within).finish_non_exhaustive()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ApprovalError {
    #[error("no such approval")]
    NotFound,
    #[error("the account has no PIN; the user sets one with `offhook pin --set`")]
    PinRequired,
    #[error("{MOST_PENDING} approvals wait already; wait for one to be decided, or cancel one")]
    TooMany,
    #[error(transparent)]
    Voice(#[from] VoiceError),
}

impl From<PlaceCallError> for ApprovalError {
    fn from(error: PlaceCallError) -> Self {
        Self::Voice(error.into())
    }
}

impl From<AuthError> for ApprovalError {
    fn from(error: AuthError) -> Self {
        PlaceCallError::from(error).into()
    }
}

/// An approval that was asked for, or was before.
#[derive(Debug)]
pub struct AskedApproval {
    pub row: ApprovalRow,
    pub repeated: bool,
}

/// The approvals of this process that wait for a verdict.
#[derive(Debug, Default)]
pub(super) struct Approvals {
    waiting: Mutex<HashMap<ApprovalId, Waiting>>,
    /// One user is asked one thing at a time.
    floors: Mutex<HashMap<String, Arc<Turn<()>>>>,
    wrong_pins: Mutex<HashMap<OwnerId, WrongPins>>,
    /// The process ends.
    closing: CancellationToken,
    tasks: TaskTracker,
}

#[derive(Clone, Debug)]
struct Waiting {
    owner: OwnerId,
    /// Whoever asked does not want it any more.
    cancelled: CancellationToken,
    /// The verdict is written.
    over: CancellationToken,
}

impl Approvals {
    /// Unless the owner has as many as may be.
    fn enter(&self, id: ApprovalId, owner: OwnerId) -> Option<Waiting> {
        let mut waiting = lock(&self.waiting);
        if waiting.values().filter(|other| other.owner == owner).count() >= MOST_PENDING {
            return None;
        }
        let (cancelled, over) = (CancellationToken::new(), CancellationToken::new());
        let entered = Waiting { owner, cancelled, over };
        waiting.insert(id, entered.clone());
        Some(entered)
    }

    fn leave(&self, id: ApprovalId) {
        if let Some(waiting) = lock(&self.waiting).remove(&id) {
            waiting.over.cancel();
        }
    }

    fn find(&self, id: ApprovalId) -> Option<Waiting> {
        lock(&self.waiting).get(&id).cloned()
    }

    /// Where this user is asked, one thing after the other.
    fn floor(&self, of: &PhoneNumber) -> Arc<Turn<()>> {
        let mut floors = lock(&self.floors);
        // Those nobody waits for are forgotten: nothing is asked there now.
        floors.retain(|_, floor| Arc::strong_count(floor) > 1);
        floors.entry(of.as_e164().to_owned()).or_default().clone()
    }

    pub fn wrong_pins(&self) -> MutexGuard<'_, HashMap<OwnerId, WrongPins>> {
        lock(&self.wrong_pins)
    }

    /// Ask nobody any more.
    pub fn close(&self) {
        self.closing.cancel();
        self.tasks.close();
    }

    /// Once the calls are over: until every verdict is written.
    pub async fn ended(&self) {
        self.tasks.wait().await;
    }
}

/// A panic while one was held leaves it usable: every change is one insert or remove.
fn lock<T>(held: &Mutex<T>) -> MutexGuard<'_, T> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Leaves when dropped, whatever becomes of the request.
struct Entered {
    gateway: Gateway,
    id: ApprovalId,
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.gateway.inner.approvals.leave(self.id);
    }
}

impl Gateway {
    /// Have the user of the account asked to approve this. Returns once they are being called, or wait to be.
    pub async fn request_approval(
        &self,
        caller: Caller,
        ask: AskApproval,
    ) -> Result<AskedApproval, ApprovalError> {
        let _placing = self.queue_up()?;
        self.check_open()?;
        let asked = spoken::Asked::parse(&ask)?;
        let within = within(ask.within)?;
        let target = self.voice_target(caller.owner).await?.ok_or(VoiceError::NoTarget)?.number;
        let pin = self.pin_of(caller.owner).await.map_err(|error| unreadable(&error))?;
        if ask.require_pin && pin.is_none() {
            return Err(ApprovalError::PinRequired);
        }
        let now = clock::now();
        let mut random = [0; 10];
        rand::rng().fill_bytes(&mut random);
        let id = ApprovalId::from_parts(now, random);
        let entered = self.inner.approvals.enter(id, caller.owner).ok_or(ApprovalError::TooMany)?;
        let left = Entered { gateway: self.clone(), id };
        let new = NewApproval {
            id,
            owner: caller.owner,
            operation: asked.operation.clone(),
            details: ask.details.as_ref().map(Value::to_string),
            digest: digest_of(&asked.operation, ask.details.as_ref()),
            needs_pin: pin.is_some(),
            idempotency: ask.idempotency.clone(),
            created_at: now,
            expires_at: now + within,
        };
        match self.inner.store.insert_approval(&new).await.map_err(|error| unreadable(&error))? {
            InsertedApproval::New => {}
            InsertedApproval::Existing(id) => {
                return Ok(AskedApproval { row: self.approval(caller, id).await?, repeated: true });
            }
            InsertedApproval::KeyReused => return Err(PlaceCallError::IdempotencyKeyReused.into()),
            InsertedApproval::UnknownOwner => return Err(AuthError::InvalidKey.into()),
        }
        let (begun, is_begun) = oneshot::channel();
        let run = run::Run {
            gateway: self.clone(),
            caller,
            id,
            target,
            approval: asked.approval(pin),
            task: asked.task(),
            ask,
            cancelled: entered.cancelled,
            expires_in: within,
            begun: Some(begun),
        };
        // In a task of its own: a client that goes away must not leave one behind that nobody decides.
        self.inner.approvals.tasks.spawn(async move {
            run.run().await;
            drop(left);
        });
        if let Ok(Err(refused)) = is_begun.await {
            return Err(refused.into());
        }
        Ok(AskedApproval { row: self.approval(caller, id).await?, repeated: false })
    }

    /// A foreign approval is as unknown as none.
    pub async fn approval(&self, caller: Caller, id: ApprovalId) -> Result<ApprovalRow, ApprovalError> {
        let row = self.inner.store.approval(id).await.map_err(|error| unreadable(&error))?;
        row.filter(|row| row.owner == caller.owner || caller.admin).ok_or(ApprovalError::NotFound)
    }

    /// Those of the caller, newest first.
    pub async fn approvals(&self, caller: Caller, limit: u32) -> Result<Vec<ApprovalRow>, ApprovalError> {
        let rows = self.inner.store.approvals_of(caller.owner, limit).await;
        Ok(rows.map_err(|error| unreadable(&error))?)
    }

    /// Until it is decided, but no longer than this.
    pub async fn approval_decided(
        &self,
        caller: Caller,
        id: ApprovalId,
        patience: Duration,
    ) -> Result<ApprovalRow, ApprovalError> {
        let row = self.approval(caller, id).await?;
        if let Some(waiting) = self.inner.approvals.find(id).filter(|_| !patience.is_zero()) {
            let _ = tokio::time::timeout(patience, waiting.over.cancelled()).await;
            return self.approval(caller, id).await;
        }
        // It may have been decided since it was read.
        if row.verdict.state == ApprovalState::Pending { self.approval(caller, id).await } else { Ok(row) }
    }

    /// It is not wanted any more; whoever is being asked is hung up on. Repeat at will: a verdict stands.
    pub async fn cancel_approval(
        &self,
        caller: Caller,
        id: ApprovalId,
    ) -> Result<ApprovalRow, ApprovalError> {
        /// For the verdict to be written.
        const WRITTEN: Duration = Duration::from_secs(5);
        self.approval(caller, id).await?;
        if let Some(waiting) = self.inner.approvals.find(id) {
            waiting.cancelled.cancel();
            let _ = tokio::time::timeout(WRITTEN, waiting.over.cancelled()).await;
        }
        self.approval(caller, id).await
    }

    /// On start: what an earlier process did not see decided is declined.
    pub(super) async fn end_approvals(&self) -> Result<(), StoreError> {
        let store = &self.inner.store;
        for row in store.pending_approvals().await? {
            let reason = Some("gateway.restarted".to_owned());
            let verdict = Verdict { state: ApprovalState::Declined, reason, by: None, evidence: Vec::new() };
            store.decide_approval(row.id, &verdict, clock::now()).await?;
        }
        Ok(())
    }
}

fn within(asked: Option<Duration>) -> Result<Duration, PlaceCallError> {
    match asked {
        None => Ok(USUAL),
        Some(within) if (SHORTEST..=LONGEST).contains(&within) => Ok(within),
        Some(_) => Err(PlaceCallError::InvalidField {
            field: "within_seconds",
            why: format!("must be {} to {}", SHORTEST.as_secs(), LONGEST.as_secs()),
        }),
    }
}

/// The same for the same operation and details, whatever the order of fields.
fn digest_of(operation: &str, details: Option<&Value>) -> String {
    let asked = json!({ "details": details, "operation": operation }).to_string();
    let digest = digest::digest(&digest::SHA256, asked.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unreadable(error: &StoreError) -> PlaceCallError {
    super::place::unreadable(error)
}
