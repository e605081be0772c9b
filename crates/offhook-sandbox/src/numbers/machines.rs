//! Numbers where a machine answers, or comes between.

use super::*;
use crate::script::Menu;

const CLINIC: Menu = Menu {
    prompt: "Thank you for calling City Clinic. For opening hours, press one. For appointments, press two.",
    key: Some('2'),
    others: &[('1', "We are open Monday to Friday, from nine to five.")],
    unknown_key: "That is not a valid choice.",
    wait_ms: 6_000,
    tries: 3,
    give_up: "We did not get your choice. Goodbye.",
    settle_ms: 0,
};

/// Every choice ends where it began.
const NOWHERE: Menu = Menu {
    prompt: "Welcome. For appointments, press one. For everything else, press two.",
    key: None,
    others: &[
        ('1', "That is not possible at the moment. You are taken back to the main menu."),
        ('2', "That is not possible at the moment. You are taken back to the main menu."),
    ],
    unknown_key: "That is not a valid choice.",
    wait_ms: 6_000,
    tries: 12,
    give_up: "We did not get your choice. Goodbye.",
    settle_ms: 0,
};

const DEALER: Menu = Menu {
    prompt: "Welcome to Hill Road Motors. For opening hours, press one. For appointments, press two.",
    key: Some('2'),
    others: &[('1', "We are open Monday to Friday, from eight to six.")],
    unknown_key: "That is not a valid choice.",
    wait_ms: 6_000,
    tries: 5,
    give_up: "We did not get your choice. Goodbye.",
    settle_ms: SLOW_MS,
};

const SERVICE: Menu = Menu {
    prompt: "This is the service desk. For a new appointment, press one. To cancel, press two.",
    key: Some('1'),
    others: &[('2', "To cancel, please write to us.")],
    ..DEALER
};

/// A key is noticed this long after a prompt, and no sooner.
const SLOW_MS: u32 = 1_500;
const IMPORTANT: &str = "Your call is important to us. Please stay on the line.";

pub const VOICEMAIL: TestNumber = TestNumber {
    number: "+14155550106",
    title: "voicemail",
    behaviour: "greets, beeps, records the message",
    // A message that was left is no answer: the task waits for one.
    expected: blocked(&[EndReason::VoiceVoicemail], AnsweredBy::Voicemail, BlockerKind::Voicemail),
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
};

pub const PHONE_TREE: TestNumber = TestNumber {
    number: "+14155550107",
    title: "phone tree",
    behaviour: "needs key 2, then plays hold music, then a person answers",
    expected: answered(GOODBYE, AnsweredBy::Menu),
    script: &[
        Ring { ms: 1_000 },
        Answer,
        Pause { ms: 300 },
        Menu(&CLINIC),
        Announce("Please hold. We will connect you."),
        Music { ms: 6_000 },
        Say("Hello, this is Anna at City Clinic. Thank you for holding. How can I help you?"),
        LISTEN,
        Say("Yes, we have time on Friday at ten. Is that good for you?"),
        LISTEN,
        Say("Good. That is Friday at ten. Thank you for calling. Goodbye."),
        LINGER,
    ],
};

pub const ANNOUNCEMENTS: TestNumber = TestNumber {
    number: "+14155550114",
    title: "announcements",
    behaviour: "puts through to hold music with an announcement again and again, then a person answers",
    expected: answered(GOODBYE, AnsweredBy::Human),
    script: &[
        Ring { ms: 1_000 },
        Answer,
        Pause { ms: 300 },
        Say("Hello, this is Harbor Insurance. How can I help you?"),
        LISTEN,
        Say("My colleague can tell you. Please hold the line."),
        Pause { ms: 1_500 },
        Music { ms: 8_000 },
        Announce(IMPORTANT),
        Music { ms: 8_000 },
        Announce(IMPORTANT),
        Music { ms: 8_000 },
        Announce(IMPORTANT),
        Music { ms: 4_000 },
        Say("Hello, this is Ben at Harbor Insurance. Thank you for holding. How can I help you?"),
        LISTEN,
        Say("Yes, Thursday at four is free. Is there anything else?"),
        LISTEN,
        Say("Thank you for calling. Goodbye."),
        LINGER,
    ],
};

pub const CALL_SCREENING: TestNumber = TestNumber {
    number: "+14155550115",
    title: "call screening",
    behaviour: "a machine asks who calls and why, then the person answers",
    expected: answered(GOODBYE, AnsweredBy::Screening),
    script: &[
        Ring { ms: 1_000 },
        Answer,
        Pause { ms: 300 },
        Announce(
            "Hello. If you record your name and reason for calling, I will see if this person is available.",
        ),
        LISTEN,
        Announce("Thank you. Please stay on the line."),
        Pause { ms: 5_000 },
        Say("Hello, this is Kim. What can I do for you?"),
        LISTEN,
        Say("Yes, Thursday at four is free. Is there anything else?"),
        LISTEN,
        Say("Thank you for calling. Goodbye."),
        LINGER,
    ],
};

pub const NOWHERE_MENU: TestNumber = TestNumber {
    number: "+14155550117",
    title: "menu to nowhere",
    behaviour: "a phone tree in which every key leads back to its beginning",
    expected: blocked(GOODBYE, AnsweredBy::Menu, BlockerKind::StuckMenu),
    script: &[Ring { ms: 1_000 }, Answer, Pause { ms: 300 }, Menu(&NOWHERE), HangUp],
};

pub const QUIET_VOICEMAIL: TestNumber = TestNumber {
    number: "+14155550119",
    title: "long greeting",
    behaviour: "a voicemail with a long greeting that does not say so, and a late beep",
    expected: blocked(&[EndReason::VoiceVoicemail], AnsweredBy::Voicemail, BlockerKind::Voicemail),
    script: &[
        Ring { ms: 2_000 },
        Answer,
        Pause { ms: 300 },
        Announce(
            "Hi, this is Robin at Sunrise Plumbing. I am out on a job or talking to another customer. The shop is open \
             Monday to Friday from eight to six and Saturday until noon. Tell me your name, the address and what it is \
             about, and I will get back to you before the end of the day.",
        ),
        Pause { ms: 3_000 },
        Beep,
        Record { max_ms: 180_000 },
    ],
};

pub const SLOW_MENUS: TestNumber = TestNumber {
    number: "+14155550120",
    title: "slow menus",
    behaviour: "needs key 2, then key 1 in a second menu, each no sooner than a second and a half after the prompt",
    expected: answered(GOODBYE, AnsweredBy::Menu),
    script: &[
        Ring { ms: 1_000 },
        Answer,
        Pause { ms: 300 },
        Menu(&DEALER),
        Menu(&SERVICE),
        Announce("Please hold. We will connect you."),
        Pause { ms: 2_000 },
        Say("Hello, this is Lou at the service desk. How can I help you?"),
        LISTEN,
        Say("Yes, Thursday at four is free. Is there anything else?"),
        LISTEN,
        Say("Thank you for calling. Goodbye."),
        LINGER,
    ],
};
