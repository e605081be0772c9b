//! Numbers where a person answers.

use super::*;
use crate::script::Ask;

const BIRTH: Ask = Ask {
    questions: &[
        "Before I can help you, what is your date of birth?",
        "I need your date of birth. You can say it, or type it with the keys of your phone.",
    ],
    keys: 6,
    patience_ms: 8_000,
    reply_ms: 3_000,
    give_up: "I am sorry, I cannot help you without the date of birth. Please call again. Goodbye.",
};

const CODE: Ask = Ask {
    questions: &[
        "For your security, we have sent a one time code to your phone. Please read me the one time code.",
        "I cannot go on without the one time code. Please read it to me, or type it with the keys of your phone.",
    ],
    keys: 4,
    patience_ms: 8_000,
    reply_ms: 3_000,
    give_up: "I am sorry, I cannot help you without the one time code. Goodbye.",
};

/// Leaves the time to ask somebody else for it.
const ACCOUNT: Ask = Ask {
    questions: &[
        "What is your account number? Please type its six digits with the keys of your phone.",
        "I still need your account number. Please type its six digits with the keys of your phone.",
    ],
    keys: 6,
    patience_ms: 30_000,
    reply_ms: 30_000,
    give_up: "I am sorry, I cannot help you without the account number. Goodbye.",
};

pub const RECEPTIONIST: TestNumber = TestNumber {
    number: "+14155550100",
    title: "receptionist",
    behaviour: "answers, listens, answers in turns, says goodbye",
    expected: answered(GOODBYE, AnsweredBy::Human),
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
};

pub const DATE_OF_BIRTH: TestNumber = TestNumber {
    number: "+14155550108",
    title: "date of birth",
    behaviour: "asks for a date of birth before helping",
    expected: blocked(GOODBYE, AnsweredBy::Human, BlockerKind::MissingInformation),
    script: &[
        Ring { ms: 1_500 },
        Answer,
        Pause { ms: 300 },
        Say("Hello, this is Lake Side Medical. How can I help you?"),
        LISTEN,
        Ask(&BIRTH),
        Say("Thank you. I have found you. Your appointment is on Monday at nine. Goodbye."),
        LINGER,
    ],
};

pub const HANGS_UP: TestNumber = TestNumber {
    number: "+14155550109",
    title: "hangs up",
    behaviour: "answers, and hangs up after three seconds",
    expected: answered(&[EndReason::RemoteHungUp], AnsweredBy::Human),
    script: &[Ring { ms: 1_000 }, Answer, Pause { ms: 300 }, Announce("Hello?"), HangUpAt { ms: 3_000 }],
};

pub const WANTS_THE_USER: TestNumber = TestNumber {
    number: "+14155550110",
    title: "wants the user",
    behaviour: "asks to talk to the person on whose behalf we call",
    expected: blocked(GOODBYE, AnsweredBy::Human, BlockerKind::WantsUser),
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
};

pub const SILENT: TestNumber = TestNumber {
    number: "+14155550111",
    title: "silent",
    behaviour: "answers and stays silent",
    expected: answered(&[EndReason::PolicySilence], AnsweredBy::Unknown),
    script: &[Ring { ms: 1_000 }, Answer, StaySilent],
};

pub const MEDIA_LOST: TestNumber = TestNumber {
    number: "+14155550112",
    title: "media lost",
    behaviour: "answers and speaks, then its media stops in mid-call",
    expected: answered(&[EndReason::CarrierMediaLost], AnsweredBy::Human),
    script: &[
        Ring { ms: 1_000 },
        Answer,
        Pause { ms: 300 },
        Say("Hello, this is Tom. One moment please, I will have a look."),
        StopMedia,
    ],
};

pub const ONE_TIME_CODE: TestNumber = TestNumber {
    number: "+14155550113",
    title: "one-time code",
    behaviour: "asks for a one-time code",
    expected: blocked(GOODBYE, AnsweredBy::Human, BlockerKind::VerificationCode),
    script: &[
        Ring { ms: 1_500 },
        Answer,
        Pause { ms: 300 },
        Say("Hello, this is the customer service of Bay Power. How can I help you?"),
        LISTEN,
        Ask(&CODE),
        Say("Thank you. The code is right. Your change is done. Goodbye."),
        LINGER,
    ],
};

pub const ASKS_TO_COMMIT: TestNumber = TestNumber {
    number: "+14155550116",
    title: "asks to commit",
    behaviour: "wants to book, and to charge the card on file",
    expected: blocked(GOODBYE, AnsweredBy::Human, BlockerKind::Decision),
    script: &[
        Ring { ms: 1_500 },
        Answer,
        Pause { ms: 300 },
        Say("Hello, this is Corner Garage. How can I help you?"),
        LISTEN,
        Say(
            "Yes, Thursday at four is free. It is ninety dollars. Shall I book it and charge the card on file?",
        ),
        LISTEN,
        Say("I can only keep the time if I book it now. Shall I book it, yes or no?"),
        LISTEN,
        Say("Very well. Thank you for calling Corner Garage. Goodbye."),
        LINGER,
    ],
};

pub const ACCOUNT_NUMBER: TestNumber = TestNumber {
    number: "+14155550118",
    title: "account number",
    behaviour: "asks for an account number of six digits, typed in, and waits a minute for it",
    expected: blocked(GOODBYE, AnsweredBy::Human, BlockerKind::MissingInformation),
    script: &[
        Ring { ms: 1_500 },
        Answer,
        Pause { ms: 300 },
        Say("Hello, this is Bay Water. How can I help you?"),
        LISTEN,
        Ask(&ACCOUNT),
        Say("Thank you. I have found your account. We will come on Thursday at two. Is there anything else?"),
        LISTEN,
        Say("Thank you for calling Bay Water. Goodbye."),
        LINGER,
    ],
};

pub const SILENT_HOLD: TestNumber = TestNumber {
    number: "+14155550121",
    title: "silent hold",
    behaviour: "asks to hold, is silent for 30 seconds, and comes back",
    expected: answered(GOODBYE, AnsweredBy::Human),
    script: &[
        Ring { ms: 1_500 },
        Answer,
        Pause { ms: 300 },
        Say("Hello, this is Elm Street Library. How can I help you?"),
        LISTEN,
        Say("I will look that up. Please hold the line."),
        Pause { ms: 30_000 },
        Say("Thank you for holding. Thursday at four is free. Is there anything else?"),
        LISTEN,
        Say("Thank you for calling. Goodbye."),
        LINGER,
    ],
};
