//! What looks wrong in a briefing, whatever else it lacks.

use super::reading::Reading;
use super::{Draft, phrases};
use crate::brief::{Commit, Voicemail};
use crate::commit::{self, Act};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Warning {
    NotEnglish,
    Placeholder,
    Secret,
    RelativeDate,
    MessageNotLeft,
    HandoffWithoutNumber,
    HandoffWithoutTrigger,
    CommitmentForbidden,
    CommitmentsUnread,
    Impersonation,
    PersonalityLong,
    PersonalityFacts,
    GreetingLong,
    GreetingInstructs,
}

impl Warning {
    pub const ALL: &[Warning] = &[
        Warning::NotEnglish,
        Warning::Placeholder,
        Warning::Secret,
        Warning::RelativeDate,
        Warning::MessageNotLeft,
        Warning::HandoffWithoutNumber,
        Warning::HandoffWithoutTrigger,
        Warning::CommitmentForbidden,
        Warning::CommitmentsUnread,
        Warning::Impersonation,
        Warning::PersonalityLong,
        Warning::PersonalityFacts,
        Warning::GreetingLong,
        Warning::GreetingInstructs,
    ];

    pub fn code(self) -> &'static str {
        match self {
            Self::NotEnglish => "not_english",
            Self::Placeholder => "placeholder",
            Self::Secret => "secret",
            Self::RelativeDate => "relative_date",
            Self::MessageNotLeft => "message_not_left",
            Self::HandoffWithoutNumber => "handoff_without_number",
            Self::HandoffWithoutTrigger => "handoff_without_trigger",
            Self::CommitmentForbidden => "commitment_forbidden",
            Self::CommitmentsUnread => "commitments_unread",
            Self::Impersonation => "impersonation",
            Self::PersonalityLong => "personality_long",
            Self::PersonalityFacts => "personality_facts",
            Self::GreetingLong => "greeting_long",
            Self::GreetingInstructs => "greeting_instructs",
        }
    }

    pub fn message(self) -> &'static str {
        match self {
            Self::NotEnglish => {
                "The rules read English only, so the instructions were not held against the list; do that yourself."
            }
            Self::Placeholder => "The instructions still have a placeholder in them; it would be read out.",
            Self::Secret => {
                "The instructions seem to hold a card number, a password, a code or an identity number. The voice \
                 never tells these, and they should not be kept with the call; take them out."
            }
            Self::RelativeDate => {
                "\"Tomorrow\" and the like mean another day once the call is read again; write the date."
            }
            Self::MessageNotLeft => {
                "The instructions want a message left, but `voicemail` says to hang up; send voicemail: {action: \
                 \"leave_message\", message: …}."
            }
            Self::HandoffWithoutNumber => {
                "The instructions want the user brought into the call, but there is no `bridge_number`."
            }
            Self::HandoffWithoutTrigger => {
                "There is a `bridge_number`, but the instructions don't say when to bring the user in."
            }
            Self::CommitmentForbidden => {
                "The instructions ask for something to be booked, ordered, paid, changed or cancelled, and `may_commit` \
                 is false; the voice will agree to nothing."
            }
            Self::CommitmentsUnread => {
                "Commitments are not recognised in the language of this call: the voice is told what it may agree to, \
                 but `breaches` of that are not found."
            }
            Self::Impersonation => {
                "The voice says that it is an AI assistant at the start and whenever it is asked, whatever the \
                 instructions say."
            }
            Self::PersonalityLong => {
                "`personality` is for one to three sentences of identity and tone; the rest belongs in `task`."
            }
            Self::PersonalityFacts => "`personality` holds facts of this one call; they belong in `task`.",
            Self::GreetingLong => {
                "`greeting` is long; people interrupt, or hang up. One short sentence is best."
            }
            Self::GreetingInstructs => "`greeting` is spoken word for word; instructions belong in `task`.",
        }
    }
}

pub(super) fn warnings(draft: Draft<'_>, task: &Reading) -> Vec<Warning> {
    let Draft { brief, handoff } = draft;
    let personality = Reading::of(brief.personality.as_deref().unwrap_or_default());
    let greeting = Reading::of(brief.greeting.as_deref().unwrap_or_default());
    let texts = [task, &personality, &greeting];
    let hands_over = task.says(phrases::HANDS_OVER);
    let rules = [
        (Warning::Placeholder, texts.iter().any(|text| has_placeholder(text.text()))),
        (Warning::Secret, texts.iter().any(|text| holds_secret(text.text()))),
        (Warning::RelativeDate, task.says(RELATIVE)),
        (Warning::MessageNotLeft, brief.voicemail == Voicemail::HangUp && leaves_message(task)),
        (Warning::HandoffWithoutNumber, hands_over && !handoff),
        (Warning::HandoffWithoutTrigger, handoff && !hands_over),
        (Warning::CommitmentForbidden, brief.commit == Commit::Never && names_an_act(&brief.task)),
        (Warning::CommitmentsUnread, !commit::reads(&brief.language)),
        (Warning::Impersonation, texts.iter().any(|text| text.says(IMPERSONATES))),
        (Warning::PersonalityLong, personality.sentences() > 3 || personality.text().len() > 600),
        (Warning::PersonalityFacts, personality.details() > 0),
        (Warning::GreetingLong, greeting.sentences() > 3 || greeting.text().chars().count() > 240),
        (Warning::GreetingInstructs, greeting.says(INSTRUCTS)),
    ];
    rules.into_iter().filter(|(_, holds)| *holds).map(|(warning, _)| warning).collect()
}

fn names_an_act(task: &str) -> bool {
    Act::ALL.iter().any(|act| *act != Act::Agreement && commit::is_tasked(task, *act))
}

const RELATIVE: &[&str] = &[
    "tomorrow",
    "today",
    "tonight",
    "yesterday",
    "next week",
    "this week",
    "this weekend",
    "next weekend",
    "next month",
    "next monday",
    "next tuesday",
    "next wednesday",
    "next thursday",
    "next friday",
    "next saturday",
    "next sunday",
    "this monday",
    "this tuesday",
    "this wednesday",
    "this thursday",
    "this friday",
    "this saturday",
    "this sunday",
    "later today",
    "this morning",
    "this afternoon",
    "this evening",
    "in an hour",
];

const IMPERSONATES: &[&str] = &[
    "pretend to be",
    "pretend you are",
    "pretend that you are",
    "impersonate",
    "as if you were",
    "say you are human",
    "say you are a human",
    "say you are a person",
    "act human",
    "do not say you are an ai",
    "do not say that you are an ai",
    "do not reveal you are an ai",
    "do not reveal that you are an ai",
    "do not mention you are an ai",
    "do not mention that you are an ai",
    "do not disclose that you are an ai",
    "do not tell them you are an ai",
    "never say you are an ai",
    "deny being an ai",
    "you are a real person",
];

const INSTRUCTS: &[&str] =
    &["if they", "if asked", "ask them", "then ask", "do not", "make sure", "be polite", "tell them"];

const LEAVES: &[&str] =
    &["leave no message", "not leave a message", "not leave any message", "without leaving a message"];

fn leaves_message(task: &Reading) -> bool {
    let leaves = task.says(&[
        "leave a message",
        "leave a short message",
        "leave a concise message",
        "leave a brief message",
    ]) || (task.says(&["leave"])
        && task.says(&["message asking", "message saying", "message with", "a voicemail"]));
    leaves && !task.says(LEAVES)
}

/// `[name]`, `<date>`, `{{time}}`, `TBD`, `____`.
fn has_placeholder(text: &str) -> bool {
    let bracketed = |open: char, close: char| {
        text.split(open).skip(1).filter_map(|rest| rest.split_once(close)).any(|(inside, _)| {
            let inside = inside.trim_matches(['{', '}', ' ']);
            (2..=40).contains(&inside.len())
                && inside.starts_with(|c: char| c.is_alphabetic())
                && inside.chars().all(|c| c.is_alphanumeric() || " _-'/".contains(c))
        })
    };
    let marks = ["TBD", "TODO", "XXX", "FIXME"];
    let marked = text.split(|c: char| !c.is_alphanumeric()).any(|word| marks.contains(&word));
    marked
        || text.contains("___")
        || [('[', ']'), ('<', '>'), ('{', '}')].into_iter().any(|(a, b)| bracketed(a, b))
}

/// A card number that adds up, a social security number, or a password or code with its value.
pub fn holds_secret(text: &str) -> bool {
    has_card_number(text) || has_identity_number(text) || tells_code(text)
}

/// Runs of digits that only single spaces and dashes interrupt.
fn runs(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_digit() || c == ' ' || c == '-')).map(str::trim)
}

fn has_card_number(text: &str) -> bool {
    runs(text).any(|run| {
        let digits: Vec<u32> = run.chars().filter_map(|c| c.to_digit(10)).collect();
        (13..=19).contains(&digits.len()) && adds_up(&digits)
    })
}

/// ISO/IEC 7812: the check digit of payment cards.
fn adds_up(digits: &[u32]) -> bool {
    let doubled = |(place, digit): (usize, &u32)| match digit * 2 {
        _ if place % 2 == 0 => *digit,
        double => double / 10 + double % 10,
    };
    digits.iter().rev().enumerate().map(doubled).sum::<u32>() % 10 == 0
}

fn has_identity_number(text: &str) -> bool {
    let groups = |word: &str| word.split('-').map(str::len).collect::<Vec<_>>();
    let mut words = text.split(|c: char| !(c.is_ascii_digit() || c == '-'));
    words.any(|word| groups(word) == [3, 2, 4])
}

/// `password: hunter2`, `the PIN is 4711`.
fn tells_code(text: &str) -> bool {
    let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    let named = ["password", "passcode", "pin", "otp", "cvv", "code"];
    words.windows(2).enumerate().any(|(at, pair)| {
        let name = pair[0].trim_matches(|c: char| !c.is_alphanumeric());
        let is_value = |word: &str| {
            let digits = word.bytes().filter(u8::is_ascii_digit).count();
            digits >= 3 || (digits > 0 && name == "password")
        };
        let after_is = || words.get(at + 2).is_some_and(|word| is_value(word));
        let sort = at.checked_sub(1).map_or("", |before| words[before].as_str());
        let is_public = name == "code"
            && ["area", "zip", "postal", "booking", "confirmation", "reservation", "promo"].contains(&sort);
        named.contains(&name) && !is_public && (is_value(&pair[1]) || (pair[1] == "is" && after_is()))
    })
}
