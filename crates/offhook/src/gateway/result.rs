//! What became of the task, as its owner sees it: put together from the row and from what was found while the call went
//! on.

use std::fmt;

use offhook_core::call::TaskReport;
use offhook_core::journal::{BlockerKind, ItemKind, TaskStatus};
use offhook_core::{Fact, JournalEntry};
use serde_json::Value;

#[derive(Clone)]
pub struct ResultView {
    pub status: TaskStatus,
    pub summary: String,
    pub evidence_turns: Vec<u32>,
    /// What the owner was asked and did not answer.
    pub missing: Vec<String>,
    /// What the result was to name, as far as it is known.
    pub fields: Vec<FieldView>,
    /// What the voice agreed to, and was allowed to.
    pub commitments: Vec<ItemView>,
    pub asked_to_commit: Vec<ItemView>,
    /// What the voice agreed to and was not allowed to.
    pub breaches: Vec<ItemView>,
    pub blocker: Option<BlockerView>,
    pub next_step: Option<String>,
}

#[derive(Clone)]
pub struct FieldView {
    pub name: String,
    pub value: Value,
    pub turns: Vec<u32>,
}

/// Something that was said.
#[derive(Clone)]
pub struct ItemView {
    /// What kind of commitment, where that could be told.
    pub act: Option<String>,
    pub what: String,
    pub turns: Vec<u32>,
}

#[derive(Clone)]
pub struct BlockerView {
    pub kind: BlockerKind,
    pub what: String,
    pub turns: Vec<u32>,
}

/// Without the words, as all of these.
impl fmt::Debug for FieldView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FieldView({}, turns {:?})", self.name, self.turns)
    }
}

impl fmt::Debug for ItemView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ItemView({:?}, turns {:?})", self.act, self.turns)
    }
}

impl fmt::Debug for BlockerView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlockerView({}, turns {:?})", self.kind, self.turns)
    }
}

impl fmt::Debug for ResultView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResultView").field("status", &self.status).finish_non_exhaustive()
    }
}

impl BlockerView {
    /// What gets a next call past it.
    pub fn needed(&self) -> &'static str {
        match self.kind {
            BlockerKind::MissingInformation => {
                "Find out what was asked for, from public sources or from the user, and follow the call up with it."
            }
            BlockerKind::Decision => {
                "Let the user decide between what was offered, and follow the call up with it."
            }
            BlockerKind::VerificationCode => {
                "The user on the line: call again with a live handoff at a time when the user can read the code out."
            }
            BlockerKind::Payment => {
                "The user's approval and means of payment: call again with a live handoff, or pay another way."
            }
            BlockerKind::WantsUser | BlockerKind::Identity => {
                "The user in person: call again with a live handoff."
            }
            BlockerKind::Closed => "Call again when they are open.",
            BlockerKind::StuckMenu => {
                "Another number, or the option that leads on; or call with a live handoff."
            }
            BlockerKind::OnHoldTooLong => "Call again at a quieter time, or allow a longer wait.",
            BlockerKind::Voicemail => "Call again, or leave a message with `voicemail`.",
            BlockerKind::Refused => "Another way to ask, or somebody else to ask.",
            BlockerKind::WrongNumber => "The right number.",
            BlockerKind::Other => "See the turns of the transcript.",
        }
    }
}

impl ResultView {
    /// The result of a call whose journal this is; `over`: there will be no other.
    pub(super) fn of(report: Option<TaskReport>, journal: &[JournalEntry], over: bool) -> Option<Self> {
        let items: Vec<&Fact> = journal.iter().map(|entry| &entry.fact).filter(is_item).collect();
        let report = match report {
            Some(report) => report,
            None if over && !items.is_empty() => unreported(),
            None => return None,
        };
        let mut view = Self {
            status: report.status,
            summary: report.summary,
            evidence_turns: report.evidence_turns,
            missing: unanswered(journal),
            fields: Vec::new(),
            commitments: Vec::new(),
            asked_to_commit: Vec::new(),
            breaches: Vec::new(),
            blocker: None,
            next_step: None,
        };
        items.into_iter().for_each(|item| view.add(item));
        Some(view)
    }

    /// What was said and has expired is there without its words.
    fn add(&mut self, item: &Fact) {
        let Fact::ResultItem { kind, name, value, turns } = item else { return };
        let said = || ItemView {
            act: Some(name.clone()).filter(|name| !name.is_empty()),
            what: value.clone(),
            turns: turns.clone(),
        };
        match kind {
            ItemKind::Field => {
                let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value.as_str()));
                self.fields.push(FieldView { name: name.clone(), value, turns: turns.clone() });
            }
            ItemKind::Commitment => self.commitments.push(said()),
            ItemKind::AskedToCommit => self.asked_to_commit.push(said()),
            ItemKind::Breach => self.breaches.push(said()),
            ItemKind::Blocker => {
                let kind = BlockerKind::from_code(name).unwrap_or(BlockerKind::Other);
                self.blocker = Some(BlockerView { kind, what: value.clone(), turns: turns.clone() });
            }
            ItemKind::NextStep => self.next_step = Some(value.clone()),
        }
    }
}

fn is_item(fact: &&Fact) -> bool {
    matches!(fact, Fact::ResultItem { .. })
}

/// The process was killed before the end of the call.
fn unreported() -> TaskReport {
    TaskReport {
        status: TaskStatus::Unclear,
        summary: "The call was broken off before a result was known.".to_owned(),
        evidence_turns: Vec::new(),
    }
}

/// The questions that were given up; one whose words have expired is not among them.
fn unanswered(journal: &[JournalEntry]) -> Vec<String> {
    let given_up = |id: u32| {
        journal
            .iter()
            .any(|entry| matches!(&entry.fact, Fact::OwnerSilent { question_id } if *question_id == id))
    };
    let asked = journal.iter().filter_map(|entry| match &entry.fact {
        Fact::OwnerAsked { question_id, question, .. } => Some((*question_id, question)),
        _ => None,
    });
    let missing = asked.filter(|(id, question)| given_up(*id) && !question.is_empty());
    missing.map(|(_, question)| question.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use offhook_core::Timestamp;

    fn journal(facts: Vec<Fact>) -> Vec<JournalEntry> {
        (1..).zip(facts).map(|(seq, fact)| JournalEntry { seq, at: Timestamp::default(), fact }).collect()
    }

    fn item(kind: ItemKind, name: &str, value: &str) -> Fact {
        Fact::ResultItem { kind, name: name.to_owned(), value: value.to_owned(), turns: vec![3] }
    }

    fn report() -> TaskReport {
        TaskReport { status: TaskStatus::Partly, summary: "Free.".to_owned(), evidence_turns: vec![3] }
    }

    #[test]
    fn a_result_is_put_together_from_its_parts() {
        let view = ResultView::of(
            Some(report()),
            &journal(vec![
                item(ItemKind::AskedToCommit, "booking", "Shall I book it?"),
                item(ItemKind::Breach, "booking", "Please book it."),
                item(ItemKind::Field, "price", "19.5"),
                item(ItemKind::Field, "who", r#""Maria""#),
                item(ItemKind::Blocker, "payment", "A deposit."),
                item(ItemKind::NextStep, "", "Call again."),
                Fact::OwnerAsked { question_id: 1, question: "Which day?".to_owned(), answer_within_ms: 1 },
                Fact::OwnerSilent { question_id: 1 },
            ]),
            false,
        )
        .unwrap();
        let fields: Vec<_> =
            view.fields.iter().map(|field| (field.name.as_str(), field.value.clone())).collect();
        assert_eq!(fields, [("price", Value::from(19.5)), ("who", Value::from("Maria"))]);
        assert_eq!(view.breaches[0].act.as_deref(), Some("booking"));
        assert_eq!((view.breaches[0].what.as_str(), &view.breaches[0].turns), ("Please book it.", &vec![3]));
        assert_eq!(view.asked_to_commit.len(), 1);
        assert_eq!(view.blocker.map(|blocker| blocker.kind), Some(BlockerKind::Payment));
        assert_eq!(
            (view.next_step.as_deref(), view.missing),
            (Some("Call again."), vec!["Which day?".to_owned()])
        );
    }

    #[test]
    fn a_breach_outlives_the_process_that_heard_it() {
        let said = journal(vec![item(ItemKind::Breach, "booking", "Please book it.")]);
        assert!(ResultView::of(None, &said, false).is_none(), "the call goes on");
        let view = ResultView::of(None, &said, true).unwrap();
        assert_eq!((view.status, view.breaches.len()), (TaskStatus::Unclear, 1));
        assert!(ResultView::of(None, &[], true).is_none());
    }

    #[test]
    fn what_has_expired_is_still_there() {
        let view =
            ResultView::of(Some(report()), &journal(vec![item(ItemKind::Breach, "payment", "")]), true);
        let breaches = view.unwrap().breaches;
        assert_eq!((breaches[0].act.as_deref(), breaches[0].what.as_str()), (Some("payment"), ""));
    }
}
