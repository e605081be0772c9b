//! What was said, to find in it what the voice claims, and what was agreed to.

use super::turns::{in_common, words};
use crate::commit::{self, Act};
use crate::words::Words;

/// Every turn of the transcript so far.
#[derive(Debug, Default)]
pub(super) struct Said {
    turns: Vec<Turn>,
}

#[derive(Debug)]
struct Turn {
    number: u32,
    by: Speaker,
    started_ms: u32,
    text: Words,
    words: Vec<Words>,
    /// What it binds the speaker to, or wants the other side bound to.
    acts: Vec<(Act, Words)>,
    /// It says yes to whatever was asked.
    agrees: bool,
    /// It says something, and does not only ask.
    states: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaker {
    Remote,
    Voice,
}

/// The turns that quotes were found in, in order, and whether all were found.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    pub turns: Vec<u32>,
    pub is_whole: bool,
}

/// A commitment, or the wish for one.
#[derive(Debug)]
pub(super) struct Bond {
    pub act: Act,
    /// In which turn, and before it the one that asked, where it is only a yes.
    pub turns: Vec<u32>,
    pub text: Words,
    /// The voice made it; otherwise the remote wanted it.
    pub is_made: bool,
}

impl Said {
    pub fn add(&mut self, by: Speaker, (number, started_ms): (u32, u32), text: &str, language: &str) {
        let acts = match by {
            Speaker::Remote => commit::asked(text, language),
            Speaker::Voice => commit::spoken(text, language),
        };
        self.turns.push(Turn {
            number,
            by,
            started_ms,
            text: text.into(),
            words: words(text),
            acts: acts.into_iter().map(|found| (found.act, found.sentence.into())).collect(),
            agrees: by == Speaker::Voice && commit::agrees(text, language),
            states: states(text),
        });
        // A recognizer is slower than a voice: what the remote said may come after the answer to it.
        self.turns.sort_by_key(|turn| (turn.started_ms, turn.number));
    }

    /// The last turn of the remote.
    pub fn last_of_remote(&self) -> Option<u32> {
        self.turns.iter().rev().find(|turn| turn.by == Speaker::Remote).map(|turn| turn.number)
    }

    /// The last turns of the remote: after a refusal there is a goodbye, if anything.
    pub fn last_words(&self) -> Vec<u32> {
        let of_remote = self.turns.iter().rev().filter(|turn| turn.by == Speaker::Remote);
        of_remote.take(2).map(|turn| turn.number).collect()
    }

    /// What one of these turns says, the last, in which the remote can't help.
    pub fn refusal(&self, numbers: &[u32]) -> Option<&Words> {
        let mut turns = self.turns.iter().rev().filter(|turn| numbers.contains(&turn.number));
        turns.find(|turn| turn.by == Speaker::Remote && turn.says(REFUSALS)).map(|turn| &turn.text)
    }

    /// Whether all of these turns say no more than that they can't help.
    pub fn refuses(&self, numbers: &[u32]) -> bool {
        let mut turns = self.turns.iter().filter(|turn| numbers.contains(&turn.number)).peekable();
        turns.peek().is_some() && turns.all(|turn| turn.says(REFUSALS))
    }

    /// Whether something is said in one of these turns, and not only asked.
    pub fn states(&self, numbers: &[u32]) -> bool {
        self.turns.iter().any(|turn| turn.states && numbers.contains(&turn.number))
    }

    /// Whether one of these turns has one of these words in a row.
    pub fn says(&self, numbers: &[u32], phrases: &[&str]) -> bool {
        self.turns.iter().any(|turn| numbers.contains(&turn.number) && turn.says(phrases))
    }

    /// Where these words were said; `by` nobody in particular where it is `None`.
    pub fn find(&self, quotes: &[Words], by: Option<Speaker>) -> Evidence {
        let mut found = Evidence { turns: Vec::new(), is_whole: true };
        for quote in quotes {
            match self.turn_of(quote, by, &found.turns) {
                Some(turn) if found.turns.contains(&turn) => {}
                Some(turn) => found.turns.push(turn),
                None => found.is_whole = false,
            }
        }
        found.turns.sort_unstable();
        found
    }

    /// The turn that has the most words of the quote in order, and enough of them: a model quotes what it heard, and the
    /// transcript may have understood it a little differently. Of equals the latest that is not `taken`.
    fn turn_of(&self, quote: &str, by: Option<Speaker>, taken: &[u32]) -> Option<u32> {
        let quote = words(quote);
        if quote.iter().all(is_courtesy) {
            return None;
        }
        let turns = self.turns.iter().filter(|turn| by.is_none_or(|by| turn.by == by));
        turns
            .filter_map(|turn| Some((quoted(&quote, &turn.words)?, turn)))
            .max_by_key(|(common, turn)| (*common, !taken.contains(&turn.number), turn.number))
            .map(|(_, turn)| turn.number)
    }

    /// Every commitment so far, and every wish for one.
    pub fn bonds(&self) -> Vec<Bond> {
        let mut bonds = Vec::new();
        // What the remote asked for since the voice spoke last.
        let mut asked: Vec<(Act, u32)> = Vec::new();
        for turn in &self.turns {
            let is_made = turn.by == Speaker::Voice;
            for (act, text) in &turn.acts {
                bonds.push(Bond { act: *act, turns: vec![turn.number], text: text.clone(), is_made });
            }
            if !is_made {
                asked.extend(turn.acts.iter().map(|(act, _)| (*act, turn.number)));
                continue;
            }
            // Whoever says to what, has said to what.
            let is_yes = turn.agrees && turn.acts.is_empty();
            for (act, by) in std::mem::take(&mut asked).into_iter().filter(|_| is_yes) {
                let turns = vec![by.min(turn.number), by.max(turn.number)];
                bonds.push(Bond { act, turns, text: turn.text.clone(), is_made });
            }
        }
        bonds
    }
}

impl Turn {
    /// Whether it has one of these words in a row.
    fn says(&self, phrases: &[&str]) -> bool {
        let text: String = self.words.iter().map(|word| format!(" {}", word.replace('’', "'"))).collect();
        phrases.iter().any(|phrase| format!("{text} ").contains(&format!(" {phrase} ")))
    }
}

/// How many words of the quote are said here; `None` where that is too few to be a quote of it. Three in four must be there,
/// in order and close together: words picked from here and there in a long turn say anything.
fn quoted(quote: &[Words], said: &[Words]) -> Option<usize> {
    let enough = (quote.len() * 3).div_ceil(4);
    if in_common(quote, said) < enough {
        return None;
    }
    let span = (quote.len() + quote.len() / 2 + 1).min(said.len());
    let common = said.windows(span).map(|part| in_common(quote, part)).max()?;
    (common >= enough).then_some(common)
}

/// Said by anybody about anything: to quote it shows nothing.
fn is_courtesy(word: &Words) -> bool {
    const COURTESIES: &[&str] = &[
        "hello",
        "hi",
        "hey",
        "good",
        "morning",
        "afternoon",
        "evening",
        "day",
        "bye",
        "goodbye",
        "thank",
        "thanks",
        "you",
        "please",
        "welcome",
        "for",
        "calling", // German, French, Spanish, Italian, Portuguese, Dutch.
        "hallo",
        "guten",
        "tag",
        "morgen",
        "abend",
        "danke",
        "bitte",
        "tschüss",
        "auf",
        "wiederhören",
        "bonjour",
        "bonsoir",
        "allô",
        "merci",
        "au",
        "revoir",
        "hola",
        "buenos",
        "buenas",
        "días",
        "tardes",
        "gracias",
        "adiós",
        "ciao",
        "pronto",
        "buongiorno",
        "buonasera",
        "grazie",
        "arrivederci",
        "olá",
        "bom",
        "dia",
        "boa",
        "tarde",
        "obrigado",
        "obrigada",
        "adeus",
        "goedemorgen",
        "goedemiddag",
        "dag",
        "dank",
        "u",
        "wel",
    ];
    COURTESIES.contains(&word.as_str())
}

/// By which somebody says, in English, that it goes no further.
const REFUSALS: &[&str] = &[
    "cannot help",
    "can't help",
    "can not help",
    "unable to help",
    "not able to help",
    "cannot go on",
    "can't go on",
    "cannot continue",
    "can't continue",
    "cannot proceed",
    "can't proceed",
    "cannot do that",
    "can't do that",
    "cannot tell you",
    "can't tell you",
    "not allowed to",
];

/// Whether a sentence of it is no question.
fn states(text: &str) -> bool {
    let mut is_statement = false;
    for part in text.split_inclusive(['.', '!', '?']) {
        is_statement |= !part.ends_with('?') && part.chars().any(char::is_alphanumeric);
    }
    is_statement
}
