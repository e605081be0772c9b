//! What a briefing lacks, by rules anybody can read: the list every briefing is held against, and what looks wrong.
//!
//! It advises and never refuses. The rules look for words and for structure, in English; of a briefing in another
//! language they say only that they could not read it.

mod callee;
mod phrases;
mod reading;
mod warning;

use super::{Brief, Commit, Voicemail};
use reading::Reading;

pub use warning::{Warning, holds_secret};

/// A briefing as it was sent.
#[derive(Clone, Copy, Debug)]
pub struct Draft<'a> {
    pub brief: &'a Brief,
    /// Whether there is a number to hand the call over to.
    pub handoff: bool,
}

/// What the rules say of a briefing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// In the order of [`Item::ALL`].
    pub lacks: Vec<Item>,
    pub warnings: Vec<Warning>,
    /// What such a place usually asks for, as far as the briefing does not mention it.
    pub likely_asked: Vec<&'static str>,
    /// Such a place may want a code or a decision while the call is on, and nobody is there to give it.
    pub live_verification: bool,
}

/// What a briefing needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Item {
    WhoFor,
    Goal,
    Facts,
    Questions,
    Alternatives,
    Boundaries,
    Verification,
    Disclosure,
    MissingInformation,
    Voicemail,
    Report,
}

/// What a call is about decides what its briefing needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// Something anybody may ask: hours, prices, whether it is in stock.
    Information,
    /// Something of one's own is looked up or changed, or something is agreed to.
    Matter,
}

/// Hold a briefing against the list.
pub fn check(draft: Draft<'_>) -> Findings {
    let Draft { brief, handoff } = draft;
    let task = Reading::of(&brief.task);
    let mut findings = Findings { warnings: warning::warnings(draft, &task), ..Findings::default() };
    if !task.is_english() {
        findings.warnings.push(Warning::NotEnglish);
        return findings;
    }
    let all = [Some(&brief.task), brief.personality.as_ref(), brief.greeting.as_ref()];
    let all: Vec<&str> = all.into_iter().flatten().map(String::as_str).collect();
    let all = Reading::of(&all.join(". "));
    let briefing = Briefing { brief, task: &task, all: &all, purpose: purpose(&task) };
    findings.lacks = Item::ALL.iter().copied().filter(|item| briefing.lacks(*item)).collect();
    if briefing.purpose == Purpose::Matter {
        let callee = callee::of(&task);
        findings.likely_asked = callee.map(|callee| callee.not_in(&all)).unwrap_or_default();
        findings.live_verification = !handoff && callee.is_some_and(|callee| callee.verifies);
    }
    findings
}

fn purpose(task: &Reading) -> Purpose {
    let is_matter = task.says(phrases::MATTER) || task.says(phrases::COMMITS);
    if is_matter { Purpose::Matter } else { Purpose::Information }
}

struct Briefing<'a> {
    brief: &'a Brief,
    task: &'a Reading,
    /// Task, personality and greeting: who is called for and what is not to be said may stand in any of them.
    all: &'a Reading,
    purpose: Purpose,
}

impl Briefing<'_> {
    fn lacks(&self, item: Item) -> bool {
        let (task, all) = (self.task, self.all);
        let is_told = match item {
            Item::WhoFor => all.names_who_for(),
            Item::Goal => task.says(phrases::GOAL),
            Item::Facts => self.purpose == Purpose::Information || task.details() >= 1,
            Item::Questions => task.asks() || task.says(phrases::TELLS),
            // A question anybody may ask needs no more than that.
            _ if self.purpose == Purpose::Information && item != Item::Voicemail => true,
            Item::Alternatives => task.says(phrases::ALTERNATIVES) || task.offers_a_choice(),
            Item::Boundaries => self.brief.commit != Commit::AsTasked || all.says(phrases::BOUNDARIES),
            Item::Verification => all.says(phrases::VERIFICATION),
            Item::Disclosure => all.says(phrases::DISCLOSURE),
            Item::MissingInformation => {
                self.brief.ask_owner.is_some() || all.says(phrases::MISSING_INFORMATION)
            }
            Item::Voicemail => self.brief.voicemail != Voicemail::HangUp || task.says(phrases::VOICEMAIL),
            Item::Report => task.says(phrases::REPORT),
        };
        !is_told
    }
}

impl Item {
    pub const ALL: &[Item] = &[
        Item::WhoFor,
        Item::Goal,
        Item::Facts,
        Item::Questions,
        Item::Alternatives,
        Item::Boundaries,
        Item::Verification,
        Item::Disclosure,
        Item::MissingInformation,
        Item::Voicemail,
        Item::Report,
    ];

    pub fn code(self) -> &'static str {
        match self {
            Self::WhoFor => "who_for",
            Self::Goal => "goal",
            Self::Facts => "facts",
            Self::Questions => "questions",
            Self::Alternatives => "alternatives",
            Self::Boundaries => "boundaries",
            Self::Verification => "verification",
            Self::Disclosure => "disclosure",
            Self::MissingInformation => "missing_information",
            Self::Voicemail => "voicemail",
            Self::Report => "report",
        }
    }

    /// Whether a call without it is likely to be of no use.
    pub fn is_needed(self) -> bool {
        matches!(self, Self::WhoFor | Self::Goal | Self::Facts)
    }

    /// What to write, and why.
    pub fn advice(self) -> &'static str {
        match self {
            Self::WhoFor => {
                "Say on whose behalf the call is made, by name: the other side asks it first, and the voice knows no \
                 \"me\" and no \"my\"."
            }
            Self::Goal => {
                "Say what is to be reached, with a verb that can be done or not: confirm, ask whether, book, cancel."
            }
            Self::Facts => {
                "Give every known fact: dates, times, names, order and reference numbers. The voice knows nothing \
                 else and never guesses."
            }
            Self::Questions => "Say what to ask, question by question.",
            Self::Alternatives => {
                "Say what else is acceptable (other days, times, prices), or that nothing else is."
            }
            Self::Boundaries => {
                "Say what the voice may agree to by itself, and what it must check with the user first."
            }
            Self::Verification => {
                "Say what to do when they verify identity, or ask for a one-time code, a payment or a fee."
            }
            Self::Disclosure => "Say what must not be agreed to, promised or told.",
            Self::MissingInformation => {
                "Say what to do when they ask for something that is not in the instructions: say so and call back, \
                 or hand over."
            }
            Self::Voicemail => {
                "Say what to do on voicemail, no answer, closure and transfer; to leave a message, send `voicemail` \
                 with its words."
            }
            Self::Report => "Say what to report back.",
        }
    }

    /// What only the user knows; the rest the agent writes itself.
    pub fn question(self) -> Option<&'static str> {
        match self {
            Self::WhoFor => Some("On whose behalf is this call, and which name should be given?"),
            Self::Goal => Some("What exactly should be reached on this call?"),
            Self::Facts => Some("Which dates, names or reference numbers does this concern?"),
            Self::Alternatives => Some("If that is not to be had, what else would be acceptable?"),
            Self::Boundaries => Some("What may be agreed to on the call, and what should be checked first?"),
            Self::Disclosure => Some("Is there anything that must not be told or promised?"),
            Self::Questions
            | Self::Verification
            | Self::MissingInformation
            | Self::Voicemail
            | Self::Report => None,
        }
    }
}

impl Findings {
    /// What to ask the user before the call: little, and nothing that can be looked up.
    pub fn questions(&self) -> Vec<String> {
        let mut questions: Vec<String> =
            self.lacks.iter().filter_map(|item| item.question()).map(str::to_owned).collect();
        if !self.likely_asked.is_empty() {
            questions.push(format!(
                "They will likely ask for {}. Which of these may be given?",
                listed(&self.likely_asked)
            ));
        }
        if self.live_verification {
            let question = "They may want a one-time code, a payment or a decision during the call. Should the user be \
                            connected then, or should the call end and report what is needed?";
            questions.push(question.to_owned());
        }
        questions
    }

    pub fn lacks_nothing_needed(&self) -> bool {
        !self.lacks.iter().any(|item| item.is_needed())
    }
}

/// `a, b and c`.
fn listed(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
