//! A campaign as the API shows it.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::campaigns::FitValue;
use super::task_result::{Blocker, TaskResult};
use crate::clock::iso;
use crate::gateway::{BlockerView, CallView, CampaignSummary, CampaignView, Fit, ResultView, TargetView};

/// A campaign.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = Campaign)]
pub struct CampaignBody {
    #[serde(flatten)]
    pub summary: CampaignSummaryBody,
    pub task: String,
    pub parallel: u32,
    pub stop_at_first_fit: bool,
    #[schema(required)]
    pub fit: Option<CampaignFitBody>,
    pub targets: Vec<CampaignTargetBody>,
    pub comparison: Comparison,
}

/// One campaign in a list.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = CampaignSummary)]
pub struct CampaignSummaryBody {
    pub campaign_id: String,
    /// The same value.
    pub id: String,
    pub purpose: String,
    /// `running`, `stopping` or `done`.
    #[schema(example = "done")]
    pub state: &'static str,
    /// `completed`, `first_fit`, `stopped`, `committed` or `restarted`; null while it is running.
    #[schema(required, example = "completed")]
    pub ending: Option<&'static str>,
    pub created_at: String,
    #[schema(required)]
    pub finished_at: Option<String>,
    pub targets_total: usize,
    pub targets_called: usize,
    /// What the owner keeps with it: `PATCH /campaigns/{id}`.
    #[schema(required)]
    pub notes: Option<String>,
    pub facts: Vec<String>,
    #[schema(required)]
    pub decision_needed: Option<String>,
    #[schema(required)]
    pub next_action: Option<String>,
}

/// The campaigns, the newest first.
#[derive(Clone, Serialize, ToSchema)]
pub struct CampaignList {
    pub campaigns: Vec<CampaignSummaryBody>,
}

/// What one field of the result must be for an answer to fit.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = CampaignFitShown)]
pub struct CampaignFitBody {
    pub field: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<FitValue>)]
    pub equals: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_most: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
}

/// Whom it calls, and what came of it.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = CampaignTargetState)]
pub struct CampaignTargetBody {
    pub to: String,
    #[schema(required)]
    pub name: Option<String>,
    /// `waiting`, `calling`, `done`, `refused` or `cancelled`.
    #[schema(example = "done")]
    pub state: &'static str,
    /// The last call to it; null before there was one.
    #[schema(required)]
    pub call_id: Option<String>,
    /// Every call to it, oldest first, also those that followed another one up.
    pub call_ids: Vec<String>,
    /// What the telephone network came to; null before the call is over.
    #[schema(required)]
    pub outcome: Option<&'static str>,
    #[schema(required)]
    pub result: Option<TaskResult>,
    /// What stood in the way; null when nothing did.
    #[schema(required)]
    pub blocker: Option<Blocker>,
    /// Why the rules did not let it be called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
    /// Whether it is what was looked for.
    pub fits: bool,
    pub next_action: String,
}

/// As the error that `POST /call` answers with.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = CampaignRefusal)]
pub struct Refusal {
    #[schema(example = "destination_blocked")]
    pub code: String,
    pub message: String,
}

/// What each said, side by side.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = CampaignComparison)]
pub struct Comparison {
    #[schema(example = json!(["name", "number", "outcome", "status", "price", "fits", "summary", "next_action"]))]
    pub columns: Vec<String>,
    /// One for each target, in the order of the columns; null where nothing is known.
    pub rows: Vec<Vec<Value>>,
}

impl From<CampaignView> for CampaignBody {
    fn from(view: CampaignView) -> Self {
        Self {
            summary: view.summary.into(),
            task: view.task,
            parallel: view.parallel,
            stop_at_first_fit: view.stop_at_first_fit,
            fit: view.fit.map(CampaignFitBody::from),
            targets: view.targets.into_iter().map(CampaignTargetBody::from).collect(),
            comparison: Comparison { columns: view.columns, rows: view.rows },
        }
    }
}

impl From<CampaignSummary> for CampaignSummaryBody {
    fn from(summary: CampaignSummary) -> Self {
        let notes = summary.notes;
        let id = summary.id.to_string();
        Self {
            campaign_id: id.clone(),
            id,
            purpose: summary.purpose,
            state: summary.state.code(),
            ending: summary.ending.map(|ending| ending.code()),
            created_at: iso(summary.created_at),
            finished_at: summary.finished_at.map(iso),
            targets_total: summary.targets,
            targets_called: summary.called,
            notes: notes.notes,
            facts: notes.facts,
            decision_needed: notes.decision_needed,
            next_action: notes.next_action,
        }
    }
}

impl CampaignList {
    pub fn new(campaigns: Vec<CampaignSummary>) -> Self {
        Self { campaigns: campaigns.into_iter().map(CampaignSummaryBody::from).collect() }
    }
}

impl From<Fit> for CampaignFitBody {
    fn from(Fit { field, equals, at_most, at_least }: Fit) -> Self {
        Self { field, equals, at_most, at_least }
    }
}

impl From<TargetView> for CampaignTargetBody {
    fn from(target: TargetView) -> Self {
        let last = target.last.as_ref();
        let result: Option<ResultView> = last.and_then(|call: &CallView| call.result.clone());
        let blocker: Option<BlockerView> = result.as_ref().and_then(|result| result.blocker.clone());
        Self {
            state: target.progress.code(),
            call_id: target.calls.last().map(|call| call.to_string()),
            call_ids: target.calls.iter().map(|call| call.to_string()).collect(),
            outcome: last.and_then(|call| call.end.as_ref()).map(|end| end.outcome.code()),
            result: result.map(TaskResult::from),
            blocker: blocker.map(Blocker::from),
            refusal: target.refusal.map(|(code, message)| Refusal { code, message }),
            to: target.to,
            name: target.name,
            fits: target.fits,
            next_action: target.next_action,
        }
    }
}
