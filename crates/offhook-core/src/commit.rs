//! Commitments, by the words they are made with: who says them binds somebody.
//!
//! The rules read phrases and not minds. A negation takes a phrase back, a condition takes a promise back, and a
//! question asks; what is said in a language without a table is not looked at ([`reads`]). They miss what is put in
//! other words, and now and then they take for a commitment what was none, so whoever shows one shows its turn.

mod english;
mod germanic;
mod leave;
mod pattern;
mod romance;

use crate::journal::codes;
use leave::Ways;
pub use leave::{is_taking, is_tasked};
use pattern::{Sentence, sentences};

codes! {
    /// What somebody is bound to.
    Act {
        /// A table, an appointment, a room.
        Booking = "booking",
        Purchase = "purchase",
        Payment = "payment",
        /// Of something that was agreed before.
        Change = "change",
        Cancellation = "cancellation",
        /// To what the other side just offered, whatever it is.
        Agreement = "agreement",
    }
}

/// A commitment and the sentence it stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found<'a> {
    pub act: Act,
    pub sentence: &'a str,
}

/// How somebody comes to be bound.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mood {
    /// *I will book it*: not where it hangs on a condition, and not as a question.
    Promise,
    /// *Please book it*, *could you book it?*: it is done when the other side does it.
    Request,
    /// *You can book it*: as a promise, and it must be said what.
    Leave,
    /// *I would like to book a table*: unless the rest says that it is only a question.
    Wish,
}

/// The phrases of one language. How a phrase is written, [`pattern`] says.
struct Phrases {
    tag: &'static str,
    /// Words between the words of a phrase that change nothing.
    fillers: &'static [&'static str],
    /// What somebody can ask to be booked; a request without such a word is about bookings in general.
    objects: &'static [&'static str],
    negations: &'static [&'static str],
    /// Begins the condition of a promise.
    conditions: &'static [&'static str],
    /// Looks like a condition and is only polite.
    polite: &'static [&'static str],
    /// Makes of what looks like a request a part of a question.
    indirect: &'static [&'static str],
    /// Makes of a request a question in general.
    general: &'static [&'static str],
    /// Nothing is agreed to now: somebody else decides, or it is only a question.
    puts_off: &'static [&'static str],
    leads: &'static [(Mood, &'static str)],
    /// What joins a second act to the first.
    and: &'static str,
    /// What comes after a lead.
    acts: &'static [(Act, &'static str)],
    /// Whole phrases.
    made: &'static [(Act, Mood, &'static str)],
    /// What comes before an act when the other side asks for it.
    asking: &'static [&'static str],
    asked: &'static [(Act, &'static str)],
    /// Yes, to a question.
    assents: &'static [&'static str],
    /// By which a task names an act; whether it orders it, `ways` tell.
    tasks: &'static [(Act, &'static str)],
    ways: &'static Ways,
}

const ALL: &[&Phrases] = &[
    &english::ENGLISH,
    &germanic::GERMAN,
    &germanic::DUTCH,
    &romance::FRENCH,
    &romance::SPANISH,
    &romance::ITALIAN,
    &romance::PORTUGUESE,
];

fn phrases(language: &str) -> Option<&'static Phrases> {
    let tag = language.split(['-', '_']).next().unwrap_or_default();
    ALL.iter().copied().find(|phrases| phrases.tag.eq_ignore_ascii_case(tag))
}

/// Whether commitments in this language are recognised at all.
pub fn reads(language: &str) -> bool {
    phrases(language).is_some()
}

/// The commitments whoever says this makes, one of each act at most.
pub fn spoken<'a>(text: &'a str, language: &str) -> Vec<Found<'a>> {
    let Some(phrases) = phrases(language) else { return Vec::new() };
    let sentences = sentences(text, phrases);
    let puts_off = sentences.iter().any(|sentence| sentence.says(phrases.puts_off));
    let all = sentences.iter().flat_map(|sentence| {
        let acts = phrases.commits(sentence, puts_off);
        acts.into_iter().map(|act| Found { act, sentence: sentence.text })
    });
    once_each(all)
}

/// The commitments whoever says this asks for.
pub fn asked<'a>(text: &'a str, language: &str) -> Vec<Found<'a>> {
    let Some(phrases) = phrases(language) else { return Vec::new() };
    let sentences = sentences(text, phrases);
    let all = sentences.iter().flat_map(|sentence| {
        let acts = phrases.asks(sentence);
        acts.into_iter().map(|act| Found { act, sentence: sentence.text })
    });
    once_each(all)
}

/// Whether this says yes to what was just asked, and to nothing less.
pub fn agrees(text: &str, language: &str) -> bool {
    let Some(phrases) = phrases(language) else { return false };
    let sentences = sentences(text, phrases);
    let assents = sentences.first().is_some_and(|sentence| sentence.begins_with(phrases.assents));
    assents
        && !sentences
            .iter()
            .any(|sentence| sentence.says(phrases.negations) || sentence.says(phrases.puts_off))
}

impl Phrases {
    fn commits(&self, sentence: &Sentence<'_>, puts_off: bool) -> Vec<Act> {
        let conditional = sentence.says(self.conditions) && !sentence.says(self.polite);
        let indirect = sentence.says(self.indirect);
        let counts = |mood: Mood| match mood {
            Mood::Promise => !sentence.is_question && !conditional,
            Mood::Leave => !sentence.is_question && !conditional && !indirect && !sentence.says(self.general),
            Mood::Request => !(indirect || sentence.is_question && sentence.says(self.general)),
            Mood::Wish => !conditional && !puts_off,
        };
        let mut acts = Acts { phrases: self, sentence, found: Vec::new() };
        for (act, _, phrase) in self.made.iter().filter(|(_, mood, _)| counts(*mood)) {
            acts.look_for(*act, phrase);
        }
        for (mood, lead) in self.leads.iter().filter(|(mood, _)| counts(*mood)) {
            // A promise binds whatever it is about; of a request it must be said.
            acts.look_after(lead, *mood == Mood::Promise);
        }
        acts.in_order()
    }

    fn asks(&self, sentence: &Sentence<'_>) -> Vec<Act> {
        let mut acts = Acts { phrases: self, sentence, found: Vec::new() };
        for (act, phrase) in self.asked {
            acts.look_for(*act, phrase);
        }
        for lead in self.asking {
            acts.look_after(lead, true);
        }
        acts.in_order()
    }
}

/// The acts of one sentence, with where each was said.
struct Acts<'a> {
    phrases: &'a Phrases,
    sentence: &'a Sentence<'a>,
    found: Vec<(usize, Act)>,
}

impl Acts<'_> {
    fn look_for(&mut self, act: Act, phrase: &str) {
        let negations = self.phrases.negations;
        let found = self.sentence.find(phrase).find(|place| !self.sentence.is_negated(*place, negations));
        self.found.extend(found.map(|(_, end)| (end, act)));
    }

    /// What follows a lead, or an *and*.
    fn look_after(&mut self, lead: &str, whatever: bool) {
        for (from, middle) in self.sentence.find(lead) {
            for (act, what) in self.phrases.acts {
                let what = if whatever { what.trim_end_matches(" +") } else { what };
                let end = self.sentence.goes_on(middle, what);
                let end = end.filter(|end| !self.sentence.is_negated((from, *end), self.phrases.negations));
                self.found.extend(end.map(|end| (end, *act)));
            }
        }
    }

    /// As they were said. What follows an act after an *and* goes with it.
    fn in_order(mut self) -> Vec<Act> {
        if !self.found.is_empty() {
            self.look_after(self.phrases.and, false);
        }
        self.found.sort_by_key(|(end, _)| *end);
        self.found.into_iter().map(|(_, act)| act).collect()
    }
}

fn once_each<'a>(all: impl Iterator<Item = Found<'a>>) -> Vec<Found<'a>> {
    let mut found: Vec<Found<'a>> = Vec::new();
    for one in all {
        if found.iter().all(|other| other.act != one.act) {
            found.push(one);
        }
    }
    found
}
