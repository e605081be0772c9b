//! What became of the task, as the API shows it.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::gateway::{BlockerView, ItemView, ResultView};

/// What became of the task: the voice's word for it, as far as what was said bears it out. Everything names the turns of
/// the transcript it rests on; what has none was dropped, and the status lowered.
#[derive(Clone, Serialize, ToSchema)]
pub struct TaskResult {
    /// `achieved`, `partly`, `blocked`, `failed` or `unclear`.
    #[schema(example = "achieved")]
    pub status: &'static str,
    pub summary: String,
    /// Turns of the transcript that show it.
    pub evidence_turns: Vec<u32>,
    /// What the voice asked and got no answer to; absent when there is nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub missing: Vec<String>,
    /// The fields of `result_schema` that were found out; one that was not is left out.
    #[schema(value_type = Object)]
    pub fields: Map<String, Value>,
    /// For each of the fields, the turns it was said in.
    #[schema(value_type = Object)]
    pub field_turns: Map<String, Value>,
    /// What the voice agreed to, and was allowed to.
    pub commitments: Vec<ResultItem>,
    /// What the other side wanted the voice to agree to.
    pub asked_to_commit: Vec<ResultItem>,
    /// What the voice agreed to although it was not allowed to.
    pub breaches: Vec<ResultItem>,
    /// What stood in the way; null when nothing did.
    #[schema(required)]
    pub blocker: Option<Blocker>,
    /// What the voice would do next; null when it said nothing about that.
    #[schema(required)]
    pub next_step: Option<String>,
}

/// Something that was said, and where.
#[derive(Clone, Serialize, ToSchema)]
pub struct ResultItem {
    /// `booking`, `purchase`, `payment`, `change`, `cancellation` or `agreement`; absent where it could not be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub act: Option<String>,
    #[schema(example = "Please book it.")]
    pub what: String,
    pub turns: Vec<u32>,
}

/// What stood in the way of the task.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = ResultBlocker)]
pub struct Blocker {
    /// `missing_information`, `decision`, `verification_code`, `payment`, `wants_user`, `identity`, `closed`,
    /// `stuck_menu`, `on_hold_too_long`, `voicemail`, `refused`, `wrong_number` or `other`.
    #[schema(example = "missing_information")]
    pub kind: &'static str,
    #[schema(example = "The date of birth of Jordan Lee.")]
    pub what: String,
    /// What gets a next call past it.
    pub needed: &'static str,
    /// Empty where the line itself knows, as with a voicemail.
    pub turns: Vec<u32>,
}

impl From<ResultView> for TaskResult {
    fn from(result: ResultView) -> Self {
        let items = |items: Vec<ItemView>| items.into_iter().map(ResultItem::from).collect();
        let turns = result.fields.iter().map(|field| (field.name.clone(), field.turns.clone().into()));
        Self {
            status: result.status.code(),
            summary: result.summary,
            evidence_turns: result.evidence_turns,
            missing: result.missing,
            field_turns: turns.collect(),
            fields: result.fields.into_iter().map(|field| (field.name, field.value)).collect(),
            commitments: items(result.commitments),
            asked_to_commit: items(result.asked_to_commit),
            breaches: items(result.breaches),
            blocker: result.blocker.map(Blocker::from),
            next_step: result.next_step,
        }
    }
}

impl From<ItemView> for ResultItem {
    fn from(ItemView { act, what, turns }: ItemView) -> Self {
        Self { act, what, turns }
    }
}

impl From<BlockerView> for Blocker {
    fn from(blocker: BlockerView) -> Self {
        let needed = blocker.needed();
        Self { kind: blocker.kind.code(), what: blocker.what, needed, turns: blocker.turns }
    }
}
