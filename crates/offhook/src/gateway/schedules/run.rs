//! The runs: whose time has come, what its condition says, and the call.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest;
use offhook_core::brief::Role;
use offhook_core::{CallId, PhoneNumber, ScheduleId, Timestamp};
use offhook_store::{Inserted, RunEnd, RunRefusal, RunRow, RunState, ScheduleRow, Step, Stepped, StoreError};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::condition::{Condition, Finding, Verdict};
use super::{AT_ONCE_PER_OWNER, Written, call, read};
use crate::clock;
use crate::gateway::place::unreadable as unreadable_call;
use crate::gateway::{Caller, Gateway, Idempotency, PlaceCall, PlaceCallError};

/// Schedules that are looked at in one go.
const BATCH: u32 = 200;
/// The clock may be set while somebody waits for it, and another node may have changed something.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// When the store is asked again.
const AWAY: Duration = Duration::from_secs(5);
/// How long a call waits in all for a place, while the rules have none for it.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// A wait that is longer than this is an answer.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// A run that a restart finds unfinished is done again where it began less than this ago.
const FRESH: Duration = Duration::from_secs(60 * 60);

impl Gateway {
    /// Run what is due, each in its time, until told to stop.
    pub async fn keep_schedules(&self, stop: CancellationToken) {
        let mut resumed = HashSet::new();
        while let Err(error) = self.resume_runs(&mut resumed).await {
            tracing::warn!(%error, "the runs of schedules that were under way can't be read; trying again");
            if stop.run_until_cancelled(tokio::time::sleep(AWAY)).await.is_none() {
                return;
            }
        }
        while !stop.is_cancelled() {
            let wait = match self.start_due(clock::now()).await {
                Ok(_) => self.until_due().await,
                Err(error) => {
                    tracing::warn!(%error, "the schedules that are due can't be read; trying again");
                    AWAY
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.inner.schedules.changed.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    async fn until_due(&self) -> Duration {
        match self.inner.store.next_due().await {
            Ok(Some(due)) => due.since(clock::now()).min(LOOK_AGAIN),
            Ok(None) => LOOK_AGAIN,
            Err(_) => AWAY,
        }
    }

    /// Take whatever is due at this time, and do each beside the others. Of several that are asked at once each run is
    /// done by one.
    pub async fn start_due(&self, now: Timestamp) -> Result<Vec<JoinHandle<()>>, StoreError> {
        let mut started = Vec::new();
        // Who may not place calls runs nothing: whoever may is asked next.
        if self.inner.engine.is_draining() || self.store_away().is_some() {
            return Ok(started);
        }
        loop {
            let due = self.inner.store.due_schedules(now, BATCH).await?;
            let count = due.len();
            for row in due {
                started.extend(self.step(row, now).await?);
            }
            if count < BATCH as usize {
                return Ok(started);
            }
        }
    }

    /// Move one on, and begin its run where that fell to us.
    async fn step(&self, row: ScheduleRow, now: Timestamp) -> Result<Option<JoinHandle<()>>, StoreError> {
        let Some(due) = row.next_due_at else { return Ok(None) };
        let turn = match read(&row).and_then(|written| self.meaning(&written)) {
            Ok(meant) => meant.plan.turn(due, now),
            // It was in order once; the operator has changed what it needs. Its run says so.
            Err(error) => return self.give_up(&row, due, now, &error.to_string()).await.map(|()| None),
        };
        let missed = turn.gone.map(|gone| (gone.due, gone.count));
        let step = Step { schedule: row.id, due_at: due, next_due_at: turn.next, run: turn.run, missed, now };
        let stepped = self.inner.store.step_schedule(&step).await?;
        if let (Some((_, count)), true) = (missed, stepped != Stepped::Lost) {
            tracing::warn!(schedule_id = %row.id, count, "runs of a schedule were missed: nobody was there when they were due");
        }
        match (stepped, turn.run) {
            (Stepped::Taken, Some(due)) => Ok(Some(self.spawn_run(row, due))),
            (Stepped::Overlapped, _) => {
                tracing::warn!(schedule_id = %row.id, "a run of a schedule is left out: the one before it is not over");
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    /// A schedule that can't be understood is paused by having no next time, and says why.
    async fn give_up(
        &self,
        row: &ScheduleRow,
        due: Timestamp,
        now: Timestamp,
        why: &str,
    ) -> Result<(), StoreError> {
        let step =
            Step { schedule: row.id, due_at: due, next_due_at: None, run: Some(due), missed: None, now };
        if self.inner.store.step_schedule(&step).await? == Stepped::Taken {
            tracing::warn!(schedule_id = %row.id, "a schedule can't be run any more as the configuration is by now");
            let refusal =
                RunRefusal { code: "invalid_request".to_owned(), rule: None, message: why.to_owned() };
            let end = RunEnd { refusal: Some(refusal), ..end(RunState::Refused, None) };
            self.inner.store.end_run(row.id, due, &end).await?;
        }
        Ok(())
    }

    pub(super) fn spawn_run(&self, row: ScheduleRow, due: Timestamp) -> JoinHandle<()> {
        let gateway = self.clone();
        let closing = self.inner.schedules.closing.clone();
        self.inner.schedules.tasks.spawn(async move {
            // What is given up here is found by the next start.
            closing.run_until_cancelled(gateway.run_one(row, due)).await;
        })
    }

    async fn run_one(&self, row: ScheduleRow, due: Timestamp) {
        let of_owner = self.turn_of(&row);
        let (Ok(_all), Ok(_own)) = (self.inner.schedules.at_once.acquire().await, of_owner.acquire().await)
        else {
            return;
        };
        let end = self.outcome(&row, due).await;
        tracing::info!(schedule_id = %row.id, state = end.state.code(), "a schedule was due");
        while let Err(error) = self.inner.store.end_run(row.id, due, &end).await {
            tracing::warn!(schedule_id = %row.id, %error, "what became of a run can't be written; trying again");
            tokio::time::sleep(AWAY).await;
        }
    }

    fn turn_of(&self, row: &ScheduleRow) -> Arc<Semaphore> {
        let mut owners = self.inner.schedules.of_owners.lock().unwrap_or_else(PoisonError::into_inner);
        // Whose runs are all over needs no place.
        owners.retain(|_, turn| Arc::strong_count(turn) > 1);
        Arc::clone(owners.entry(row.owner).or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE_PER_OWNER))))
    }

    /// Ask the condition, and place the call.
    async fn outcome(&self, row: &ScheduleRow, due: Timestamp) -> RunEnd {
        let refused = |code: &str, message: String| RunEnd {
            refusal: Some(RunRefusal { code: code.to_owned(), rule: None, message }),
            ..end(RunState::Refused, None)
        };
        let (written, meant) = match read(row).and_then(|written| Ok((self.meaning(&written)?, written))) {
            Ok((meant, written)) => (written, meant),
            Err(error) => return refused("invalid_request", error.to_string()),
        };
        if let Err(error) = self.check_condition(&meant, written.admin) {
            return refused("forbidden", error.to_string());
        }
        let now = clock::now();
        let cools = meant.condition != Condition::Always;
        if cools && row.last_called_at.is_some_and(|called| now.since(called) < meant.cooldown) {
            return end(RunState::CoolingDown, None);
        }
        let finding = self.inner.schedules.looker.look(&meant.condition, row.seen.as_deref()).await;
        match finding.verdict {
            Verdict::Holds => {}
            Verdict::DoesNot => return end(RunState::NotMet, Some(&finding)),
            Verdict::Unclear => return end(RunState::Unclear, Some(&finding)),
        }
        match self.place_patiently(row, due, &written, &finding).await {
            Ok(call) => RunEnd { call: Some(call), ..end(RunState::Called, Some(&finding)) },
            Err(error) => {
                let rule = match &error {
                    PlaceCallError::Refused { rule, .. } => Some(rule.code().to_owned()),
                    _ => None,
                };
                let refusal = RunRefusal { code: error.code().to_owned(), rule, message: error.to_string() };
                // It is told next time again: nobody has heard of it.
                RunEnd { refusal: Some(refusal), seen: None, ..end(RunState::Refused, Some(&finding)) }
            }
        }
    }

    /// Until there is a place for it, within bounds: two schedules may be due at the same time for the same phone.
    async fn place_patiently(
        &self,
        row: &ScheduleRow,
        due: Timestamp,
        written: &Written,
        finding: &Finding,
    ) -> Result<CallId, PlaceCallError> {
        let give_up_at = tokio::time::Instant::now() + PATIENCE;
        loop {
            let error = match self.place_run(row, due, written, finding).await {
                Ok(call) => return Ok(call),
                Err(error) => error,
            };
            let wait = error.retry_after().filter(|wait| *wait <= LONGEST_WAIT).map(|wait| wait.max(AWAY));
            match wait {
                Some(wait) if tokio::time::Instant::now() + wait < give_up_at => {
                    tokio::time::sleep(wait).await
                }
                _ => return Err(error),
            }
        }
    }

    async fn place_run(
        &self,
        row: &ScheduleRow,
        due: Timestamp,
        written: &Written,
        finding: &Finding,
    ) -> Result<CallId, PlaceCallError> {
        let caller = self.schedule_caller(row, written).await?;
        let call = self.call_of(caller, written, finding).await?;
        let call = PlaceCall { idempotency: Some(run_key(row.id, due)), ..call };
        self.place_for_schedule(caller, row.id, call).await
    }

    /// Whoever it belongs to by now, with what was granted when it was asked for. Nobody is freed by asking later.
    pub(super) async fn schedule_caller(
        &self,
        row: &ScheduleRow,
        written: &Written,
    ) -> Result<Caller, PlaceCallError> {
        let caller = self.caller_of(row.owner).await?;
        Ok(Caller { bound: caller.bound || written.bound, admin: written.admin, ..caller })
    }

    /// The call with what was found, to the user where it names nobody.
    pub(super) async fn call_of(
        &self,
        caller: Caller,
        written: &Written,
        finding: &Finding,
    ) -> Result<PlaceCall, PlaceCallError> {
        let mut ask = call::read(&written.call);
        let target = self.target(caller.owner).await.map_err(|error| unreadable_call(&error))?;
        let target = target.map(|target| target.number);
        if ask.to.trim().is_empty() {
            let why =
                "names nobody, and no number of the user is set; they set theirs with `offhook phone +1…`";
            let none = || PlaceCallError::InvalidField { field: "call.to", why: why.to_owned() };
            ask.to = target.as_ref().ok_or_else(none)?.as_e164().to_owned();
        }
        // However it was written.
        let to = PhoneNumber::parse(&ask.to).ok();
        if to.is_some() && to == target {
            ask.role = Role::Assistant;
        }
        ask.findings = finding.words();
        Ok(ask)
    }

    /// What a process before this one did not finish. Where its call was placed the run was done, and is never done
    /// again; where nothing was placed it is done anew, while anybody cares.
    /// `resumed`: what is under way by now, when the store went away in the middle of it.
    async fn resume_runs(&self, resumed: &mut HashSet<(ScheduleId, i64)>) -> Result<(), StoreError> {
        for run in self.inner.store.unfinished_runs().await? {
            let which = (run.schedule, run.due_at.unix_micros());
            if resumed.contains(&which) {
                continue;
            }
            let Some(row) = self.inner.store.schedule(run.schedule).await? else { continue };
            let placed = self.inner.store.idempotent_call(row.owner, &run_key(row.id, run.due_at)).await?;
            match placed {
                Some(Inserted::Existing(call)) => {
                    let end = RunEnd { call: Some(call), ..end(RunState::Called, None) };
                    self.inner.store.end_run(row.id, run.due_at, &end).await?;
                }
                _ if clock::now().since(run.began_at) < FRESH => {
                    resumed.insert(which);
                    drop(self.spawn_run(row, run.due_at));
                }
                _ => self.interrupt(&run).await?,
            }
        }
        Ok(())
    }

    async fn interrupt(&self, run: &RunRow) -> Result<(), StoreError> {
        tracing::warn!(schedule_id = %run.schedule, "a run of a schedule was interrupted, and is too old to be done again");
        self.inner.store.end_run(run.schedule, run.due_at, &end(RunState::Interrupted, None)).await.map(drop)
    }
}

fn end(state: RunState, finding: Option<&Finding>) -> RunEnd {
    let evidence = finding.filter(|finding| !finding.evidence.asked.is_empty());
    let evidence =
        evidence.map(|finding| serde_json::to_string(&finding.evidence).expect("texts can be written"));
    let seen = finding.and_then(|finding| finding.seen.clone());
    RunEnd { state, call: None, evidence, refusal: None, seen, at: clock::now() }
}

/// The same for the same run, whoever does it and however often.
fn run_key(schedule: ScheduleId, due: Timestamp) -> Idempotency {
    let key = format!("schedule:{schedule}:{}", due.unix_micros());
    let digest = digest::digest(&digest::SHA256, key.as_bytes());
    let mut request_hash = [0; 32];
    request_hash.copy_from_slice(digest.as_ref());
    Idempotency { key, request_hash }
}
