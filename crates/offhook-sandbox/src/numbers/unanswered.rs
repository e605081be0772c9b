//! Numbers where nobody picks up.

use super::*;

pub const BUSY: TestNumber = TestNumber {
    number: "+14155550101",
    title: "busy",
    behaviour: "is busy",
    expected: unanswered(Outcome::Busy, &[EndReason::RemoteBusy]),
    script: &[Reject { status: 486 }],
};

pub const NO_ANSWER: TestNumber = TestNumber {
    number: "+14155550102",
    title: "no answer",
    behaviour: "rings and is never answered",
    expected: unanswered(Outcome::NoAnswer, RING_LIMIT),
    script: &[RingForever],
};

pub const DECLINED: TestNumber = TestNumber {
    number: "+14155550103",
    title: "declined",
    behaviour: "rings, then declines",
    expected: unanswered(Outcome::Rejected, &[EndReason::RemoteDeclined]),
    script: &[Ring { ms: 1_000 }, Reject { status: 603 }],
};

pub const NOT_A_NUMBER: TestNumber = TestNumber {
    number: "+14155550104",
    title: "not a number",
    behaviour: "is not a valid number",
    expected: unanswered(Outcome::InvalidNumber, &[EndReason::RemoteInvalidNumber]),
    script: &[Reject { status: 404 }],
};

pub const UNREACHABLE: TestNumber = TestNumber {
    number: "+14155550105",
    title: "unreachable",
    behaviour: "cannot be reached",
    expected: unanswered(Outcome::Unreachable, &[EndReason::RemoteUnreachable]),
    script: &[Pause { ms: 500 }, Reject { status: 480 }],
};
