//! The test numbers: who answers, and what a call to each should come to.

mod machines;
mod people;
mod phones;
mod unanswered;

use offhook_core::journal::{AnsweredBy, BlockerKind, TaskStatus};
use offhook_core::{EndReason, Outcome};

use crate::script::Step;
use Step::*;

/// One number of the sandbox.
#[derive(Clone, Copy, Debug)]
pub struct TestNumber {
    /// E.164.
    pub number: &'static str,
    pub title: &'static str,
    pub behaviour: &'static str,
    pub expected: Expected,
    pub script: &'static [Step],
}

/// What a call that keeps to its task and limits comes to.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    pub outcome: Outcome,
    /// Any of these is right.
    pub end_reasons: &'static [EndReason],
    /// `None` when nobody answers.
    pub answered_by: Option<AnsweredBy>,
    /// What becomes of the task unless the instructions hold what is asked for, or somebody helps; `None` where that
    /// depends on the task.
    pub status: Option<TaskStatus>,
    /// What stands in its way then.
    pub blocker: Option<BlockerKind>,
}

const fn unanswered(outcome: Outcome, end_reasons: &'static [EndReason]) -> Expected {
    Expected { outcome, end_reasons, answered_by: None, status: None, blocker: None }
}

const fn answered(end_reasons: &'static [EndReason], answered_by: AnsweredBy) -> Expected {
    let (outcome, answered_by) = (Outcome::Answered, Some(answered_by));
    Expected { outcome, end_reasons, answered_by, status: None, blocker: None }
}

const fn blocked(
    end_reasons: &'static [EndReason],
    answered_by: AnsweredBy,
    blocker: BlockerKind,
) -> Expected {
    let (outcome, answered_by) = (Outcome::Answered, Some(answered_by));
    Expected { outcome, end_reasons, answered_by, status: Some(TaskStatus::Blocked), blocker: Some(blocker) }
}

/// A conversation ends by whoever puts the phone down first.
const GOODBYE: &[EndReason] = &[EndReason::VoiceFinished, EndReason::RemoteHungUp];
const RING_LIMIT: &[EndReason] = &[EndReason::PolicyRingLimit];

const LISTEN: Step = Listen { patience_ms: 8_000 };
const LINGER: Step = Linger { ms: 4_000 };

/// All of them, in order.
pub const NUMBERS: &[TestNumber] = &[
    people::RECEPTIONIST,
    unanswered::BUSY,
    unanswered::NO_ANSWER,
    unanswered::DECLINED,
    unanswered::NOT_A_NUMBER,
    unanswered::UNREACHABLE,
    machines::VOICEMAIL,
    machines::PHONE_TREE,
    people::DATE_OF_BIRTH,
    people::HANGS_UP,
    people::WANTS_THE_USER,
    people::SILENT,
    people::MEDIA_LOST,
    people::ONE_TIME_CODE,
    machines::ANNOUNCEMENTS,
    machines::CALL_SCREENING,
    people::ASKS_TO_COMMIT,
    machines::NOWHERE_MENU,
    people::ACCOUNT_NUMBER,
    machines::QUIET_VOICEMAIL,
    machines::SLOW_MENUS,
    people::SILENT_HOLD,
    phones::JOINS_BY_KEY,
    phones::JOINS_AT_ONCE,
    phones::PHONE_DECLINES,
    phones::PHONE_BUSY,
    phones::REFUSES_BY_KEY,
    phones::PHONE_VOICEMAIL,
    phones::PHONE_AWAY,
];

/// Somebody who calls in, for calls the exchange places itself.
pub const CALLER: &[Step] = &[
    Pause { ms: 500 },
    Await { ms: 5_000 },
    Say("Hello, I have a question about my appointment."),
    Await { ms: 8_000 },
    Say("Thank you, that is all. Goodbye."),
    LINGER,
];

impl TestNumber {
    /// The number that a dialled user part means: E.164, with or without plus or country code, or its last four digits.
    pub fn find(dialled: &str) -> Option<&'static TestNumber> {
        let digits: String = dialled.chars().filter(char::is_ascii_digit).collect();
        if dialled.chars().any(|c| c.is_ascii_alphabetic()) || !matches!(digits.len(), 4 | 10 | 11) {
            return None;
        }
        NUMBERS.iter().find(|number| number.number[1..].ends_with(&digits))
    }
}

/// Every sentence anyone here can say.
pub fn sentences() -> Vec<&'static str> {
    let mut all: Vec<&str> =
        NUMBERS.iter().flat_map(|number| number.script).chain(CALLER).flat_map(Step::sentences).collect();
    let mut seen = std::collections::HashSet::new();
    all.retain(|sentence| seen.insert(*sentence));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_as_people_dial_them() {
        for (dialled, title) in [
            ("+14155550100", Some("receptionist")),
            ("14155550101", Some("busy")),
            ("4155550102", Some("no answer")),
            ("0107", Some("phone tree")),
            ("+1-415-555-0190", Some("your own phone")),
            ("+14155550199", None),
            ("+4415555010", None),
            ("alice", None),
            ("00", None),
        ] {
            assert_eq!(TestNumber::find(dialled).map(|number| number.title), title, "{dialled}");
        }
    }

    #[test]
    fn expectations_agree_with_the_table_of_end_reasons() {
        for number in NUMBERS {
            let expected = number.expected;
            let answers = number.script.contains(&Answer);
            assert_eq!(expected.answered_by.is_some(), answers, "{}", number.title);
            for reason in expected.end_reasons {
                assert_eq!(reason.outcome(answers), expected.outcome, "{}: {reason}", number.title);
            }
        }
    }

    #[test]
    fn rejections_map_to_the_expected_reason() {
        for number in NUMBERS {
            let Some(Reject { status }) = number.script.last() else { continue };
            let rang = matches!(number.script[0], Ring { .. });
            let reason = offhook_core::end::from_sip_status(*status, rang);
            assert_eq!(number.expected.end_reasons, [reason], "{}", number.title);
        }
    }
}
