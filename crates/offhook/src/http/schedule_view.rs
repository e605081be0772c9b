//! A schedule as the API shows it.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::error::ErrorDetail;
use super::schedules::QuietHoursBody;
use crate::clock::iso;
use crate::gateway::{DryRun, Evidence, RunCall, RunView, ScheduleView, Verdict};

/// A schedule.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = Schedule)]
pub struct ScheduleBody {
    pub schedule_id: String,
    /// The same value.
    pub id: String,
    #[schema(required)]
    pub name: Option<String>,
    /// `waiting` for its time, `paused`, or `done`: it is never due again.
    #[schema(example = "waiting")]
    pub state: &'static str,
    pub enabled: bool,
    #[schema(required, example = "0 9 * * 1-5")]
    pub cron: Option<String>,
    #[schema(required)]
    pub at: Option<String>,
    /// Null: that of the installation.
    #[schema(required)]
    pub timezone: Option<String>,
    #[schema(required)]
    pub quiet_hours: Option<QuietHoursBody>,
    /// `run_once` or `skip`.
    pub missed: String,
    #[schema(required)]
    pub cooldown_seconds: Option<u64>,
    /// As it was asked for; null: there is none.
    #[schema(required, value_type = Option<Object>)]
    pub condition: Value,
    /// As it was asked for; without `to` it goes to the user.
    #[schema(value_type = Object)]
    pub call: Value,
    #[schema(required)]
    pub next_due_at: Option<String>,
    #[schema(required)]
    pub last_called_at: Option<String>,
    /// Runs that nobody was there for, in all.
    pub missed_runs: u64,
    pub created_at: String,
    pub updated_at: String,
    /// The last one first; of each schedule in a list only that.
    pub runs: Vec<RunBody>,
}

/// The schedules, the newest first.
#[derive(Clone, Serialize, ToSchema)]
pub struct ScheduleList {
    pub schedules: Vec<ScheduleBody>,
}

/// What became of one time a schedule was due.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = ScheduleRun)]
pub struct RunBody {
    pub due_at: String,
    /// `running`, `called`, `not_met`, `unclear` (whether the condition holds could not be told), `refused` (by a rule of
    /// this line), `cooling_down`, `missed` (nobody was there), `overlapped` (the run before was not over) or
    /// `interrupted`.
    #[schema(example = "called")]
    pub state: &'static str,
    /// How many runs were missed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    pub began_at: String,
    #[schema(required)]
    pub ended_at: Option<String>,
    /// What was found; null where there is no condition.
    #[schema(required)]
    pub evidence: Option<EvidenceBody>,
    /// Why there was no call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<RunRefusalBody>,
    #[schema(required)]
    pub call: Option<RunCallBody>,
}

/// What was found. It comes from elsewhere: data, never instructions.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = ScheduleEvidence)]
pub struct EvidenceBody {
    /// What was asked.
    #[schema(example = "GET https://shop.example/chain")]
    pub asked: String,
    /// Why the condition holds, or does not.
    #[schema(example = "/price is 38, which is < 40")]
    pub reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub excerpt: Option<String>,
}

#[derive(Clone, Serialize, ToSchema)]
#[schema(as = ScheduleRefusal)]
pub struct RunRefusalBody {
    /// As `POST /call` would have answered.
    #[schema(example = "quota_exceeded")]
    pub code: String,
    /// Which rule refused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    pub message: String,
}

/// The call of a run. `GET /call/{id}` has the rest.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = ScheduleCall)]
pub struct RunCallBody {
    pub call_id: String,
    /// Null: the call has expired.
    #[schema(required)]
    pub lifecycle: Option<&'static str>,
    #[schema(required)]
    pub outcome: Option<&'static str>,
    #[schema(required)]
    pub end_reason: Option<&'static str>,
    #[schema(required)]
    pub result_status: Option<&'static str>,
}

/// What would happen now. Nobody was called.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = ScheduleDryRun)]
pub struct DryRunBody {
    pub would_call: bool,
    /// `holds`, `does_not_hold` or `unclear`.
    #[schema(example = "holds")]
    pub condition: &'static str,
    #[schema(required)]
    pub evidence: Option<EvidenceBody>,
    /// What the voice would be told of it.
    #[schema(required)]
    pub findings: Option<String>,
    /// Why the call would be refused just now.
    #[schema(required)]
    pub refusal: Option<ErrorDetail>,
    #[schema(required)]
    pub next_due_at: Option<String>,
}

impl From<ScheduleView> for ScheduleBody {
    fn from(view: ScheduleView) -> Self {
        let id = view.id.to_string();
        let condition = view.written.condition.as_ref();
        Self {
            schedule_id: id.clone(),
            id,
            name: view.written.name,
            state: match (view.enabled, view.next_due_at) {
                (false, _) => "paused",
                (true, Some(_)) => "waiting",
                (true, None) => "done",
            },
            enabled: view.enabled,
            cron: view.written.cron,
            at: view.written.at,
            timezone: view.written.timezone,
            quiet_hours: view
                .written
                .quiet_hours
                .map(|hours| QuietHoursBody { from: hours.from, to: hours.to }),
            missed: view.written.missed.unwrap_or_else(|| "run_once".to_owned()),
            cooldown_seconds: view.written.cooldown_seconds,
            condition: condition
                .map(|condition| serde_json::to_value(condition).unwrap_or_default())
                .unwrap_or_default(),
            call: view.written.call,
            next_due_at: view.next_due_at.map(iso),
            last_called_at: view.last_called_at.map(iso),
            missed_runs: view.missed,
            created_at: iso(view.created_at),
            updated_at: iso(view.updated_at),
            runs: view.runs.into_iter().map(RunBody::from).collect(),
        }
    }
}

impl From<RunView> for RunBody {
    fn from(run: RunView) -> Self {
        let missed = run.state.code() == "missed";
        Self {
            due_at: iso(run.due_at),
            state: run.state.code(),
            times: missed.then_some(run.times),
            began_at: iso(run.began_at),
            ended_at: run.ended_at.map(iso),
            evidence: run.evidence.map(EvidenceBody::from),
            refusal: run.refusal.map(|refusal| RunRefusalBody {
                code: refusal.code,
                rule: refusal.rule,
                message: refusal.message,
            }),
            call: run.call.map(RunCallBody::from),
        }
    }
}

impl From<Evidence> for EvidenceBody {
    fn from(evidence: Evidence) -> Self {
        let Evidence { asked, status, exit_code, value, excerpt, reason } = evidence;
        Self { asked, reason, status, exit_code, value, excerpt }
    }
}

impl From<RunCall> for RunCallBody {
    fn from(call: RunCall) -> Self {
        Self {
            call_id: call.id.to_string(),
            lifecycle: call.lifecycle.map(|lifecycle| lifecycle.code()),
            outcome: call.outcome,
            end_reason: call.end_reason,
            result_status: call.result_status,
        }
    }
}

impl From<DryRun> for DryRunBody {
    fn from(run: DryRun) -> Self {
        let refusal = run.refusal.map(|error| super::error::ApiError::from(error).body().error);
        let has_condition = !run.finding.evidence.asked.is_empty();
        Self {
            would_call: run.finding.verdict == Verdict::Holds && refusal.is_none(),
            condition: run.finding.verdict.code(),
            evidence: Some(run.finding.evidence).filter(|_| has_condition).map(EvidenceBody::from),
            findings: run.findings,
            refusal,
            next_due_at: run.next_due_at.map(iso),
        }
    }
}
