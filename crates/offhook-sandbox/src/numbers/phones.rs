//! "Your own phone": who picks up when a call is handed over, and says hello at once.

use super::*;

pub const JOINS_BY_KEY: TestNumber = TestNumber {
    number: "+14155550190",
    title: "your own phone",
    behaviour: "\"your own phone\" for handoff: answers, hears who is there, presses 1 to join",
    expected: answered(GOODBYE, AnsweredBy::Human),
    script: &[
        Ring { ms: 1_500 },
        Answer,
        Pause { ms: 300 },
        Announce("Hello, this is Alex."),
        LISTEN,
        Press("1"),
        Say("Yes, I am here. I can talk now."),
        LISTEN,
        Say("Thank you for your help. That is good for me."),
        LISTEN,
        Say("Thank you. Goodbye."),
        LINGER,
    ],
};

pub const JOINS_AT_ONCE: TestNumber = TestNumber {
    number: "+14155550191",
    title: "your phone, at once",
    behaviour: "\"your own phone\" for handoff: answers and talks, without pressing a key",
    expected: answered(GOODBYE, AnsweredBy::Human),
    script: &[
        Ring { ms: 500 },
        Answer,
        Pause { ms: 300 },
        Announce("Hello, this is Alex. I can talk now."),
        LISTEN,
        Say("Thank you for your help. That is good for me."),
        LISTEN,
        Say("Thank you. Goodbye."),
        LINGER,
    ],
};

pub const PHONE_DECLINES: TestNumber = TestNumber {
    number: "+14155550192",
    title: "your phone, declined",
    behaviour: "\"your own phone\" for handoff: rings, then declines",
    expected: unanswered(Outcome::Rejected, &[EndReason::RemoteDeclined]),
    script: &[Ring { ms: 1_000 }, Reject { status: 603 }],
};

pub const PHONE_BUSY: TestNumber = TestNumber {
    number: "+14155550193",
    title: "your phone, busy",
    behaviour: "\"your own phone\" for handoff: is busy",
    expected: unanswered(Outcome::Busy, &[EndReason::RemoteBusy]),
    script: &[Reject { status: 486 }],
};

pub const REFUSES_BY_KEY: TestNumber = TestNumber {
    number: "+14155550194",
    title: "your phone, not now",
    behaviour: "\"your own phone\" for handoff: answers, hears who is there, presses 2 to decline",
    expected: answered(GOODBYE, AnsweredBy::Human),
    script: &[
        Ring { ms: 1_000 },
        Answer,
        Pause { ms: 300 },
        Announce("Hello, this is Alex."),
        LISTEN,
        Press("2"),
        Say("I cannot talk now. Goodbye."),
        LINGER,
    ],
};

pub const PHONE_VOICEMAIL: TestNumber = TestNumber {
    number: "+14155550195",
    title: "your phone's voicemail",
    behaviour: "\"your own phone\" for handoff: its voicemail answers",
    expected: blocked(&[EndReason::VoiceVoicemail], AnsweredBy::Voicemail, BlockerKind::Voicemail),
    script: &[
        Ring { ms: 2_000 },
        Answer,
        Pause { ms: 300 },
        Announce(
            "Hello, this is Alex. I cannot take your call right now. Please leave a message after the tone.",
        ),
        Pause { ms: 300 },
        Beep,
        Record { max_ms: 180_000 },
    ],
};

pub const PHONE_AWAY: TestNumber = TestNumber {
    number: "+14155550196",
    title: "your phone, away",
    behaviour: "\"your own phone\" for handoff: rings and is not answered",
    expected: unanswered(Outcome::NoAnswer, RING_LIMIT),
    script: &[RingForever],
};
