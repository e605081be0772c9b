//! The test numbers: who answers, and what a call to each should come to.

use offhook_core::journal::AnsweredBy;
use offhook_core::{EndReason, Outcome};

use crate::script::{Ask, Menu, Step};
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
    /// Whether the task stays undone unless the instructions hold what is asked for, or the user takes over.
    pub blocked: bool,
}

const fn unanswered(outcome: Outcome, end_reasons: &'static [EndReason]) -> Expected {
    Expected { outcome, end_reasons, answered_by: None, blocked: false }
}

const fn answered(end_reasons: &'static [EndReason], answered_by: AnsweredBy, blocked: bool) -> Expected {
    Expected { outcome: Outcome::Answered, end_reasons, answered_by: Some(answered_by), blocked }
}

/// A conversation ends by whoever puts the phone down first.
const GOODBYE: &[EndReason] = &[EndReason::VoiceFinished, EndReason::RemoteHungUp];
const RING_LIMIT: &[EndReason] = &[EndReason::PolicyRingLimit];

const PHONE_TREE: Menu = Menu {
    prompt: "Thank you for calling City Clinic. For opening hours, press one. For appointments, press two.",
    key: '2',
    others: &[('1', "We are open Monday to Friday, from nine to five.")],
    unknown_key: "That is not a valid choice.",
    wait_ms: 6_000,
    tries: 3,
    give_up: "We did not get your choice. Goodbye.",
};

const DATE_OF_BIRTH: Ask = Ask {
    questions: &[
        "Before I can help you, what is your date of birth?",
        "I need your date of birth. You can say it, or type it with the keys of your phone.",
    ],
    keys: 6,
    patience_ms: 8_000,
    give_up: "I am sorry, I cannot help you without the date of birth. Please call again. Goodbye.",
};

const ONE_TIME_CODE: Ask = Ask {
    questions: &[
        "For your security, we have sent a one time code to your phone. Please read me the one time code.",
        "I cannot go on without the one time code. Please read it to me, or type it with the keys of your phone.",
    ],
    keys: 4,
    patience_ms: 8_000,
    give_up: "I am sorry, I cannot help you without the one time code. Goodbye.",
};

const LISTEN: Step = Listen { patience_ms: 6_000 };
const LINGER: Step = Linger { ms: 4_000 };

/// All of them, in order.
pub const NUMBERS: &[TestNumber] = &[
    TestNumber {
        number: "+14155550100",
        title: "receptionist",
        behaviour: "answers, listens, answers in turns, says goodbye",
        expected: answered(GOODBYE, AnsweredBy::Human, false),
        script: &[
            Ring { ms: 1_500 },
            Answer,
            Pause { ms: 300 },
            Say("Hello, this is Green Street Dental. How can I help you?"),
            LISTEN,
            Say("Yes, we have an opening on Thursday at three. Is that good for you?"),
            LISTEN,
            Say("Very good. That is Thursday at three. Is there anything else?"),
            LISTEN,
            Say("Thank you for calling. Goodbye."),
            LINGER,
        ],
    },
    TestNumber {
        number: "+14155550101",
        title: "busy",
        behaviour: "is busy",
        expected: unanswered(Outcome::Busy, &[EndReason::RemoteBusy]),
        script: &[Reject { status: 486 }],
    },
    TestNumber {
        number: "+14155550102",
        title: "no answer",
        behaviour: "rings and is never answered",
        expected: unanswered(Outcome::NoAnswer, RING_LIMIT),
        script: &[RingForever],
    },
    TestNumber {
        number: "+14155550103",
        title: "declined",
        behaviour: "rings, then declines",
        expected: unanswered(Outcome::Rejected, &[EndReason::RemoteDeclined]),
        script: &[Ring { ms: 1_000 }, Reject { status: 603 }],
    },
    TestNumber {
        number: "+14155550104",
        title: "not a number",
        behaviour: "is not a valid number",
        expected: unanswered(Outcome::InvalidNumber, &[EndReason::RemoteInvalidNumber]),
        script: &[Reject { status: 404 }],
    },
    TestNumber {
        number: "+14155550105",
        title: "unreachable",
        behaviour: "cannot be reached",
        expected: unanswered(Outcome::Unreachable, &[EndReason::RemoteUnreachable]),
        script: &[Pause { ms: 500 }, Reject { status: 480 }],
    },
    TestNumber {
        number: "+14155550106",
        title: "voicemail",
        behaviour: "greets, beeps, records the message",
        // A message that was left is no answer: the task waits for one.
        expected: answered(&[EndReason::VoiceVoicemail], AnsweredBy::Voicemail, true),
        script: &[
            Ring { ms: 2_500 },
            Answer,
            Pause { ms: 300 },
            Announce(
                "You have reached the voicemail of Sam Miller. I cannot take your call right now. Please leave a message after the tone.",
            ),
            Pause { ms: 300 },
            Beep,
            Record { max_ms: 180_000 },
        ],
    },
    TestNumber {
        number: "+14155550107",
        title: "phone tree",
        behaviour: "needs key 2, then plays hold music, then a person answers",
        expected: answered(GOODBYE, AnsweredBy::Menu, false),
        script: &[
            Ring { ms: 1_000 },
            Answer,
            Pause { ms: 300 },
            Menu(&PHONE_TREE),
            Announce("Please hold. We will connect you."),
            Music { ms: 6_000 },
            Say("Hello, this is Anna at City Clinic. Thank you for holding. How can I help you?"),
            LISTEN,
            Say("Yes, we have time on Friday at ten. Is that good for you?"),
            LISTEN,
            Say("Good. That is Friday at ten. Thank you for calling. Goodbye."),
            LINGER,
        ],
    },
    TestNumber {
        number: "+14155550108",
        title: "date of birth",
        behaviour: "asks for a date of birth before helping",
        expected: answered(GOODBYE, AnsweredBy::Human, true),
        script: &[
            Ring { ms: 1_500 },
            Answer,
            Pause { ms: 300 },
            Say("Hello, this is Lake Side Medical. How can I help you?"),
            LISTEN,
            Ask(&DATE_OF_BIRTH),
            Say("Thank you. I have found you. Your appointment is on Monday at nine. Goodbye."),
            LINGER,
        ],
    },
    TestNumber {
        number: "+14155550109",
        title: "hangs up",
        behaviour: "answers, and hangs up after three seconds",
        expected: answered(&[EndReason::RemoteHungUp], AnsweredBy::Human, false),
        script: &[Ring { ms: 1_000 }, Answer, Pause { ms: 300 }, Announce("Hello?"), HangUpAt { ms: 3_000 }],
    },
    TestNumber {
        number: "+14155550110",
        title: "wants the user",
        behaviour: "asks to talk to the person on whose behalf we call",
        expected: answered(GOODBYE, AnsweredBy::Human, true),
        script: &[
            Ring { ms: 1_500 },
            Answer,
            Pause { ms: 300 },
            Say("Hello, this is North Bank. How can I help you?"),
            LISTEN,
            Say("For that I must speak to the account holder in person. Can you connect me to them?"),
            LISTEN,
            Say("I will wait. Please put them on the line."),
            Await { ms: 30_000 },
            Say("Thank you for talking to me in person. It is all done now. Is there anything else?"),
            Await { ms: 10_000 },
            Say("Thank you for calling North Bank. Goodbye."),
            LINGER,
        ],
    },
    TestNumber {
        number: "+14155550111",
        title: "silent",
        behaviour: "answers and stays silent",
        expected: answered(&[EndReason::PolicySilence], AnsweredBy::Unknown, false),
        script: &[Ring { ms: 1_000 }, Answer, StaySilent],
    },
    TestNumber {
        number: "+14155550112",
        title: "media lost",
        behaviour: "answers and speaks, then its media stops in mid-call",
        expected: answered(&[EndReason::CarrierMediaLost], AnsweredBy::Human, false),
        script: &[
            Ring { ms: 1_000 },
            Answer,
            Pause { ms: 300 },
            Say("Hello, this is Tom. One moment please, I will have a look."),
            StopMedia,
        ],
    },
    TestNumber {
        number: "+14155550113",
        title: "one-time code",
        behaviour: "asks for a one-time code",
        expected: answered(GOODBYE, AnsweredBy::Human, true),
        script: &[
            Ring { ms: 1_500 },
            Answer,
            Pause { ms: 300 },
            Say("Hello, this is the customer service of Bay Power. How can I help you?"),
            LISTEN,
            Ask(&ONE_TIME_CODE),
            Say("Thank you. The code is right. Your change is done. Goodbye."),
            LINGER,
        ],
    },
    TestNumber {
        number: "+14155550190",
        title: "your own phone",
        behaviour: "\"your own phone\" for handoff: answers",
        expected: answered(GOODBYE, AnsweredBy::Human, false),
        script: &[
            Ring { ms: 1_500 },
            Answer,
            Pause { ms: 300 },
            Say("Hello, this is Alex."),
            LISTEN,
            Say("Yes, I am here. I can talk now."),
            LISTEN,
            Say("Thank you for your help. That is good for me."),
            LISTEN,
            Say("Thank you. Goodbye."),
            LINGER,
        ],
    },
    TestNumber {
        number: "+14155550191",
        title: "your own phone, away",
        behaviour: "\"your own phone\" for handoff: rings and is not answered",
        expected: unanswered(Outcome::NoAnswer, RING_LIMIT),
        script: &[RingForever],
    },
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
