//! From facts to the row of a call: a pure function, and the one statement that writes what it found.
//!
//! Each column keeps either its first value (instants) or its last (everything else). A finalized call stays
//! finalized. Folding a journal entry by entry or as a whole gives the same row.

use offhook_core::call::TaskReport;
use offhook_core::journal::{AnsweredBy, Fact, TaskStatus};
use offhook_core::{CallId, EndReason, JournalEntry, Outcome, Timestamp};

use crate::StoreError;
use crate::db::{Param, Row, params};

/// Where a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lifecycle {
    Queued,
    Dialing,
    Answered,
    Finalized,
}

impl Lifecycle {
    pub const ALL: [Lifecycle; 4] = [Self::Queued, Self::Dialing, Self::Answered, Self::Finalized];

    pub const fn code(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Dialing => "dialing",
            Self::Answered => "answered",
            Self::Finalized => "finalized",
        }
    }

    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|lifecycle| lifecycle.code() == code)
    }
}

/// Why and how a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    pub reason: EndReason,
    pub outcome: Outcome,
    /// `None` when nobody picked up.
    pub talk_ms: Option<u32>,
    pub sip_status: Option<u16>,
    pub q850_cause: Option<u8>,
}

/// What some facts change in the row of their call; `None` changes nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Changes {
    lifecycle: Option<Lifecycle>,
    line: Option<String>,
    dialing_at: Option<Timestamp>,
    answered_at: Option<Timestamp>,
    finalized_at: Option<Timestamp>,
    answered_by: Option<AnsweredBy>,
    result: Option<TaskReport>,
    end: Option<End>,
}

impl Changes {
    pub fn of<'a>(entries: impl IntoIterator<Item = &'a JournalEntry>) -> Self {
        entries.into_iter().fold(Self::default(), Self::then)
    }

    fn then(mut self, entry: &JournalEntry) -> Self {
        match &entry.fact {
            Fact::Dialing { line, .. } => {
                self.advance(Lifecycle::Dialing);
                self.line = Some(line.clone());
                self.dialing_at = self.dialing_at.or(Some(entry.at));
            }
            Fact::Answered { .. } => {
                self.advance(Lifecycle::Answered);
                self.answered_at = self.answered_at.or(Some(entry.at));
            }
            Fact::AnsweredByDetected { answered_by, .. } => self.answered_by = Some(*answered_by),
            Fact::Result { status, summary, evidence_turns, .. } => {
                self.result = Some(TaskReport {
                    status: *status,
                    summary: summary.clone(),
                    evidence_turns: evidence_turns.clone(),
                });
            }
            Fact::Ended { reason, answered, talk_ms, sip_status, q850_cause, .. } => {
                self.advance(Lifecycle::Finalized);
                self.finalized_at = self.finalized_at.or(Some(entry.at));
                self.end = Some(End {
                    reason: *reason,
                    outcome: reason.outcome(*answered),
                    talk_ms: answered.then_some(*talk_ms),
                    sip_status: *sip_status,
                    q850_cause: *q850_cause,
                });
            }
            _ => {}
        }
        self
    }

    fn advance(&mut self, to: Lifecycle) {
        self.lifecycle = self.lifecycle.max(Some(to));
    }

    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub const UPDATE: &'static str = "UPDATE calls SET \
            lifecycle = CASE \
                WHEN lifecycle = 'finalized' OR $2 IS NULL THEN lifecycle \
                WHEN lifecycle = 'answered' AND $2 = 'dialing' THEN lifecycle \
                ELSE $2 END, \
            line = COALESCE($3, line), \
            dialing_at = COALESCE(dialing_at, $4), \
            answered_at = COALESCE(answered_at, $5), \
            finalized_at = COALESCE(finalized_at, $6), \
            answered_by = COALESCE($7, answered_by), \
            result_status = COALESCE($8, result_status), \
            result_summary = COALESCE($9, result_summary), \
            result_evidence = COALESCE($10, result_evidence), \
            end_reason = COALESCE($11, end_reason), \
            outcome = COALESCE($12, outcome), \
            talk_ms = COALESCE($13, talk_ms), \
            sip_status = COALESCE($14, sip_status), \
            q850_cause = COALESCE($15, q850_cause) \
        WHERE id = $1";

    /// The parameters of [`Self::UPDATE`].
    pub fn params(self, call: CallId) -> Vec<Param> {
        let result = self.result;
        let end = self.end;
        params![
            call,
            self.lifecycle.map(Lifecycle::code),
            self.line,
            self.dialing_at,
            self.answered_at,
            self.finalized_at,
            self.answered_by.map(AnsweredBy::code),
            result.as_ref().map(|result| result.status.code()),
            result.as_ref().map(|result| result.summary.as_str()),
            result.as_ref().map(|result| turns_to_json(&result.evidence_turns)),
            end.as_ref().map(|end| end.reason.code()),
            end.as_ref().map(|end| end.outcome.code()),
            end.as_ref().and_then(|end| end.talk_ms).map(i64::from),
            end.as_ref().and_then(|end| end.sip_status).map(i64::from),
            end.as_ref().and_then(|end| end.q850_cause).map(i64::from),
        ]
    }
}

/// Reads the end of a call back from its row.
pub(crate) fn end_of(row: &Row) -> Result<Option<End>, StoreError> {
    let Some(reason) = row.opt_parsed("end_reason", EndReason::from_code)? else {
        return Ok(None);
    };
    Ok(Some(End {
        reason,
        outcome: row.parsed("outcome", Outcome::from_code)?,
        talk_ms: row.opt_number("talk_ms")?,
        sip_status: row.opt_number("sip_status")?,
        q850_cause: row.opt_number("q850_cause")?,
    }))
}

/// Reads the result of a call back from its row.
pub(crate) fn result_of(row: &Row) -> Result<Option<TaskReport>, StoreError> {
    let Some(status) = row.get::<Option<String>>("result_status")? else {
        return Ok(None);
    };
    Ok(Some(TaskReport {
        // A status that a newer version wrote is nothing this one can vouch for.
        status: TaskStatus::from_code(&status).unwrap_or(TaskStatus::Unclear),
        summary: row.text("result_summary")?,
        evidence_turns: row.parsed("result_evidence", turns_from_json)?,
    }))
}

fn turns_to_json(turns: &[u32]) -> String {
    serde_json::Value::from(turns).to_string()
}

fn turns_from_json(text: &str) -> Option<Vec<u32>> {
    serde_json::from_str(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(seq: u64, fact: Fact) -> JournalEntry {
        JournalEntry { seq, at: Timestamp::from_unix_millis(seq as i64 * 1_000), fact }
    }

    fn ended(reason: EndReason, answered: bool) -> Fact {
        Fact::Ended { reason, answered, talk_ms: 7_000, sip_status: Some(200), q850_cause: Some(16) }
    }

    fn dialing(line: &str) -> Fact {
        Fact::Dialing { line: line.to_owned() }
    }

    #[test]
    fn facts_that_say_nothing_about_the_row_change_nothing() {
        let said =
            Fact::RemoteSaid { turn: 1, started_ms: 0, ended_ms: 9, text: "hi".into(), confidence: None };
        assert!(
            Changes::of(&[
                entry(1, said),
                entry(2, Fact::Held {}),
                entry(3, Fact::HoldStarted { by: offhook_core::journal::HoldBy::Voice })
            ])
            .is_empty()
        );
    }

    #[test]
    fn the_first_instant_and_the_last_value_win() {
        let journal = [
            entry(1, dialing("one")),
            entry(2, dialing("two")),
            entry(3, Fact::Answered { sip_call_id: None }),
            entry(4, Fact::AnsweredByDetected { answered_by: AnsweredBy::Unknown }),
            entry(5, Fact::AnsweredByDetected { answered_by: AnsweredBy::Human }),
            entry(6, ended(EndReason::RemoteHungUp, true)),
        ];
        let changes = Changes::of(&journal);
        assert_eq!(changes.line.as_deref(), Some("two"));
        assert_eq!(changes.dialing_at, Some(journal[0].at));
        assert_eq!(changes.answered_at, Some(journal[2].at));
        assert_eq!(changes.answered_by, Some(AnsweredBy::Human));
        assert_eq!(changes.finalized_at, Some(journal[5].at));
        assert_eq!(changes.lifecycle, Some(Lifecycle::Finalized));
    }

    #[test]
    fn only_an_answered_call_has_talked() {
        for (answered, outcome, talk_ms) in
            [(true, Outcome::Answered, Some(7_000)), (false, Outcome::Busy, None)]
        {
            let end = Changes::of(&[entry(1, ended(EndReason::RemoteBusy, answered))]).end.unwrap();
            assert_eq!((end.outcome, end.talk_ms), (outcome, talk_ms));
        }
    }
}
