//! What became of the task: what the voice says, held against what was said.

use super::{Call, Claim};
use crate::journal::{Fact, TaskStatus};

/// What the voice said became of the task.
#[derive(Debug)]
pub(super) enum Report {
    Awaited,
    /// Said, but not all of its quotes were found yet: the transcript may lag behind the voice.
    Claimed(Claim),
    Told,
}

impl Call {
    /// Take what the voice says became of the task; only the first time counts.
    pub(super) fn claim(&mut self, claim: Claim) {
        if let Report::Awaited = self.report {
            self.report = Report::Claimed(claim);
            self.tell_result(false);
        }
    }

    /// Journal the result once its evidence is found in the transcript, or at the end with what there is: words that
    /// nobody said are no evidence.
    pub(super) fn tell_result(&mut self, at_the_end: bool) {
        let (claim, evidence_turns) = match &self.report {
            Report::Told => return,
            Report::Awaited if at_the_end => (&unreported(), Vec::new()),
            Report::Awaited => return,
            Report::Claimed(claim) => match self.turns.evidence(&claim.quotes) {
                (_, false) if !at_the_end => return,
                (turns, _) => (claim, turns),
            },
        };
        let (status, summary) = self.with_missing(claim);
        self.journal(Fact::Result { status, summary, evidence_turns });
        self.report = Report::Told;
    }

    /// The claim, with everything named that was asked of the owner and not answered: that is what stood in the way,
    /// unless the goal was reached without.
    fn with_missing(&self, claim: &Claim) -> (TaskStatus, String) {
        let (mut status, mut summary) = (claim.status, claim.summary.to_string());
        if status == TaskStatus::Achieved {
            return (status, summary);
        }
        for question in &self.missing {
            if status == TaskStatus::Unclear {
                status = TaskStatus::Blocked;
            }
            if !summary.contains(question.as_str()) {
                summary.push_str(" Missing: ");
                summary.push_str(question);
            }
        }
        (status, summary)
    }
}

fn unreported() -> Claim {
    let summary = "The call ended before the voice reported a result; the transcript shows how far it came.";
    Claim::new(TaskStatus::Unclear, summary)
}
