//! A campaign as its owner sees it: whom it called, what each said, side by side, and what to do next.

use std::fmt;

use offhook_core::end::Retry;
use offhook_core::journal::TaskStatus;
use offhook_core::{CallId, CampaignId, Timestamp};
use offhook_store::{CampaignEnding, CampaignRow, CampaignState, TargetRow, TargetState};
use serde_json::Value;

use super::{CampaignError, Fit, Notes, Request, fit, notes_of, unreadable};
use crate::gateway::{CallError, CallView, Caller, Gateway, Lifecycle, ResultView};

/// What stands before and after the fields of the comparison.
const BEFORE: [&str; 4] = ["name", "number", "outcome", "status"];
const AFTER: [&str; 3] = ["fits", "summary", "next_action"];

/// One campaign with all that its calls found out.
#[derive(Clone)]
pub struct CampaignView {
    pub summary: CampaignSummary,
    pub task: String,
    pub parallel: u32,
    pub stop_at_first_fit: bool,
    pub fit: Option<Fit>,
    pub targets: Vec<TargetView>,
    /// The names of the columns; each row is one target.
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Value>>,
}

/// One campaign in a list.
#[derive(Clone)]
pub struct CampaignSummary {
    pub id: CampaignId,
    pub purpose: String,
    pub state: CampaignState,
    pub ending: Option<CampaignEnding>,
    pub created_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    pub targets: usize,
    /// Of these, called.
    pub called: usize,
    pub notes: Notes,
}

#[derive(Clone)]
pub struct TargetView {
    pub to: String,
    pub name: Option<String>,
    pub progress: TargetProgress,
    /// Code and message, where the rules did not let it be called.
    pub refusal: Option<(String, String)>,
    /// Oldest first; a call that followed another one up is among them.
    pub calls: Vec<CallId>,
    /// The last of them.
    pub last: Option<CallView>,
    pub fits: bool,
    pub next_action: String,
}

/// How far a target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetProgress {
    Waiting,
    Calling,
    Done,
    Refused,
    Cancelled,
}

impl TargetProgress {
    pub const fn code(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Calling => "calling",
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Cancelled => "cancelled",
        }
    }

    fn of(row: &TargetRow, last: Option<&CallView>) -> Self {
        match (last.map(|call| call.lifecycle), row.state) {
            (Some(Lifecycle::Finalized), _) => Self::Done,
            (Some(_), _) => Self::Calling,
            (None, TargetState::Open) => Self::Waiting,
            (None, TargetState::Refused) => Self::Refused,
            (None, TargetState::Cancelled) => Self::Cancelled,
        }
    }
}

/// Without the words and the numbers.
impl fmt::Debug for CampaignView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.summary.fmt(f)
    }
}

impl fmt::Debug for CampaignSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, state, ending, targets, called, .. } = self;
        let mut shown = f.debug_struct("CampaignSummary");
        shown.field("id", id).field("state", state).field("ending", ending);
        shown.field("targets", targets).field("called", called).finish_non_exhaustive()
    }
}

impl fmt::Debug for TargetView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TargetView").field("progress", &self.progress).finish_non_exhaustive()
    }
}

impl Gateway {
    pub async fn campaign(&self, caller: Caller, id: CampaignId) -> Result<CampaignView, CampaignError> {
        let row = self.own_campaign(caller, id).await?;
        let request = request_of(&row);
        let mut targets = Vec::with_capacity(row.targets.len());
        for target in &row.targets {
            let last = match target.calls.last() {
                Some(call) => self.call_of_campaign(caller, *call).await?,
                None => None,
            };
            targets.push(target_view(target, last, request.fit.as_ref()));
        }
        let columns = columns(&request);
        Ok(CampaignView {
            rows: targets.iter().map(|target| compared(target, &request.compare)).collect(),
            summary: summary(&row, &request),
            task: request.task,
            parallel: request.parallel,
            stop_at_first_fit: request.stop_at_first_fit,
            fit: request.fit,
            targets,
            columns,
        })
    }

    /// One that has expired meanwhile is none.
    async fn call_of_campaign(
        &self,
        caller: Caller,
        call: CallId,
    ) -> Result<Option<CallView>, CampaignError> {
        match self.call(caller, call).await {
            Ok(view) => Ok(Some(view)),
            Err(CallError::NotFound | CallError::NoRecording) => Ok(None),
            Err(CallError::Store) => Err(CampaignError::Store),
        }
    }

    /// The newest campaigns of the caller's; of everybody's with an admin key.
    pub async fn campaigns(&self, caller: Caller, limit: u32) -> Result<Vec<CampaignSummary>, CampaignError> {
        let owner = (!caller.admin).then_some(caller.owner);
        let rows = self.inner.store.campaigns(owner, limit).await.map_err(unreadable)?;
        Ok(rows.iter().map(|row| summary(row, &request_of(row))).collect())
    }
}

/// One that this version can't read is shown as far as it can.
fn request_of(row: &CampaignRow) -> Request {
    serde_json::from_str(&row.request).unwrap_or_else(|_| Request {
        task: String::new(),
        purpose: String::new(),
        parallel: 1,
        stop_at_first_fit: false,
        fit: None,
        compare: Vec::new(),
    })
}

fn summary(row: &CampaignRow, request: &Request) -> CampaignSummary {
    CampaignSummary {
        id: row.id,
        purpose: request.purpose.clone(),
        state: row.state,
        ending: row.ending,
        created_at: row.created_at,
        finished_at: row.finished_at,
        targets: row.targets.len(),
        called: row.targets.iter().filter(|target| !target.calls.is_empty()).count(),
        notes: notes_of(row),
    }
}

fn target_view(row: &TargetRow, last: Option<CallView>, rule: Option<&Fit>) -> TargetView {
    let progress = TargetProgress::of(row, last.as_ref());
    let fits = progress == TargetProgress::Done && last.as_ref().is_some_and(|call| fit::fits(rule, call));
    TargetView {
        to: row.number.clone(),
        name: row.name.clone(),
        progress,
        next_action: next_action(progress, last.as_ref(), fits),
        refusal: row.refusal.clone(),
        calls: row.calls.clone(),
        last,
        fits,
    }
}

fn columns(request: &Request) -> Vec<String> {
    let fields = request.compare.iter().map(String::as_str);
    BEFORE.into_iter().chain(fields).chain(AFTER).map(str::to_owned).collect()
}

/// A row, in the order of the columns; null where nothing is known.
fn compared(target: &TargetView, fields: &[String]) -> Vec<Value> {
    let last = target.last.as_ref();
    let end = last.and_then(|call| call.end.as_ref());
    let result = last.and_then(|call| call.result.as_ref());
    let of_field = |name: &String| {
        let found = result?.fields.iter().find(|field| field.name == *name)?;
        Some(found.value.clone())
    };
    let refused = target.refusal.as_ref().map(|(_, message)| message.as_str());
    let mut row: Vec<Value> = vec![
        target.name.clone().into(),
        target.to.clone().into(),
        end.map(|end| end.outcome.code()).into(),
        result.map(|result| result.status.code()).into(),
    ];
    row.extend(fields.iter().map(|name| of_field(name).unwrap_or(Value::Null)));
    row.push(target.fits.into());
    row.push(result.map(|result| result.summary.as_str()).or(refused).into());
    row.push(target.next_action.clone().into());
    row
}

/// What whoever asked is to do about this target.
fn next_action(progress: TargetProgress, last: Option<&CallView>, fits: bool) -> String {
    match progress {
        TargetProgress::Waiting => "Wait: it is called when there is a place.".to_owned(),
        TargetProgress::Calling => "Wait for the end of the call.".to_owned(),
        TargetProgress::Refused => "See why it was refused; it is not called again.".to_owned(),
        TargetProgress::Cancelled => "Call it if none of the others will do; it was not called.".to_owned(),
        TargetProgress::Done => last.map_or_else(String::new, |call| after(call, fits)),
    }
}

fn after(call: &CallView, fits: bool) -> String {
    let Some(end) = &call.end else { return String::new() };
    let Some(result) = call.result.as_ref().filter(|_| end.talk.is_some()) else {
        let advice = end.reason.row().advice;
        return match end.reason.retry(end.rang, end.talk.is_some()) {
            Retry::OnceSilently if !end.tried_twice => format!("{advice} Call once more."),
            Retry::OnceSilently | Retry::AskFirst => {
                format!("{advice} Ask the user before calling again.")
            }
            Retry::Never => format!("{advice} Don't call again before something has changed."),
        };
    };
    match &result.blocker {
        Some(blocker) => blocker.needed().to_owned(),
        None => reported(result, fits),
    }
}

fn reported(result: &ResultView, fits: bool) -> String {
    let next_step = result.next_step.as_deref();
    match (result.status, next_step) {
        (_, Some(next_step)) => next_step.to_owned(),
        (TaskStatus::Achieved, None) if fits => "Tell the user; to take it, follow this call up.".to_owned(),
        (TaskStatus::Achieved | TaskStatus::Partly, None) => "Compare it with the others.".to_owned(),
        (TaskStatus::Blocked, None) => {
            let missing = result.missing.join(" ");
            format!("Follow this call up with what was missing. {missing}").trim_end().to_owned()
        }
        (TaskStatus::Failed | TaskStatus::Unclear, None) => {
            "Read the transcript, and decide whether to follow this call up.".to_owned()
        }
    }
}
