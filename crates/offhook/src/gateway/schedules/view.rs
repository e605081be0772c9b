//! A schedule as it is shown: what was asked for, when it is due, and what became of its runs.

use offhook_core::{CallId, ScheduleId, Timestamp};
use offhook_store::{RunRefusal, RunRow, RunState, ScheduleRow};

use super::condition::Evidence;
use super::{ScheduleError, Written, read, unreadable};
use crate::gateway::{Gateway, Lifecycle};

/// Where nothing is said.
pub const SHOWN_RUNS: u32 = 20;

#[derive(Clone)]
pub struct ScheduleView {
    pub id: ScheduleId,
    pub written: Written,
    pub enabled: bool,
    /// `None`: never again, or not while it is paused.
    pub next_due_at: Option<Timestamp>,
    pub last_called_at: Option<Timestamp>,
    pub missed: u64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// The last one first.
    pub runs: Vec<RunView>,
}

#[derive(Clone)]
pub struct RunView {
    pub due_at: Timestamp,
    pub state: RunState,
    pub times: u64,
    pub began_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub evidence: Option<Evidence>,
    pub refusal: Option<RunRefusal>,
    pub call: Option<RunCall>,
}

/// What became of the call of a run.
#[derive(Clone, Debug)]
pub struct RunCall {
    pub id: CallId,
    /// The rest is gone where the call has expired.
    pub lifecycle: Option<Lifecycle>,
    pub outcome: Option<&'static str>,
    pub end_reason: Option<&'static str>,
    pub result_status: Option<&'static str>,
}

/// Without the words and the numbers.
impl std::fmt::Debug for ScheduleView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScheduleView").field("id", &self.id).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for RunView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunView")
            .field("due_at", &self.due_at)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl Gateway {
    pub(super) async fn view_of(&self, row: ScheduleRow, runs: u32) -> Result<ScheduleView, ScheduleError> {
        let written = read(&row)?;
        let mut shown = Vec::new();
        for run in self.inner.store.runs(row.id, runs).await.map_err(unreadable)? {
            shown.push(self.view_of_run(run).await?);
        }
        Ok(ScheduleView {
            id: row.id,
            written,
            enabled: row.enabled,
            next_due_at: row.next_due_at.filter(|_| row.enabled),
            last_called_at: row.last_called_at,
            missed: row.missed,
            created_at: row.created_at,
            updated_at: row.updated_at,
            runs: shown,
        })
    }

    pub(super) async fn view_of_run(&self, run: RunRow) -> Result<RunView, ScheduleError> {
        let call = match run.call {
            Some(id) => Some(self.view_of_call(id).await?),
            None => None,
        };
        let evidence = run.evidence.as_deref().and_then(|text| serde_json::from_str(text).ok());
        Ok(RunView {
            due_at: run.due_at,
            state: run.state,
            times: run.times,
            began_at: run.began_at,
            ended_at: run.ended_at,
            evidence,
            refusal: run.refusal,
            call,
        })
    }

    async fn view_of_call(&self, id: CallId) -> Result<RunCall, ScheduleError> {
        let row = self.inner.store.call(id).await.map_err(unreadable)?;
        let end = row.as_ref().and_then(|row| row.end.as_ref());
        Ok(RunCall {
            id,
            lifecycle: row.as_ref().map(|row| row.lifecycle),
            outcome: end.map(|end| end.outcome.code()),
            end_reason: end.map(|end| end.reason.code()),
            result_status: row.as_ref().and_then(|row| Some(row.result.as_ref()?.status.code())),
        })
    }
}
