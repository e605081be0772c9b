//! Phrases, and finding them in what was said.
//!
//! A phrase is words with spaces between them: `a|b` is either, `stem*` every word that begins so, `…` up to six words
//! of any kind, `*` any one word, `!a|b` that none of these comes next, `!#` that no reference (*HC-3381*) does, `^` the
//! beginning of a clause, `+` that a name, a number or one of the language's objects comes next.

use super::Phrases;

/// How many words `…` stands for at most.
const GAP: usize = 6;

pub(super) struct Sentence<'a> {
    pub text: &'a str,
    pub is_question: bool,
    words: Vec<Word>,
    fillers: &'static [&'static str],
    objects: &'static [&'static str],
}

struct Word {
    text: String,
    /// Which part between commas it stands in.
    clause: usize,
    is_name: bool,
}

/// Where a phrase was found: its first word, and one after its last.
pub(super) type Place = (usize, usize);

pub(super) fn sentences<'a>(text: &'a str, phrases: &Phrases) -> Vec<Sentence<'a>> {
    let mut sentences = Vec::new();
    let mut from = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        // A full stop within a word or a number ends nothing.
        let is_apart = chars.peek().is_none_or(|(_, next)| !next.is_alphanumeric());
        let is_end =
            matches!(c, '?' | '!' | ';' | '\n') || (c == '.' && is_apart && !is_title(&text[from..at]));
        if is_end {
            sentences.push((&text[from..at + c.len_utf8()], c == '?'));
            from = at + c.len_utf8();
        }
    }
    sentences.push((&text[from..], false));
    let read = |(text, is_question): (&'a str, bool)| Sentence::of(text.trim(), is_question, phrases);
    sentences.into_iter().map(read).filter(|sentence| !sentence.words.is_empty()).collect()
}

/// Whether a full stop after this only shortens it: *Dr. Rivera*.
fn is_title(text: &str) -> bool {
    const TITLES: &[&str] = &["Dr", "Mr", "Mrs", "Ms", "Prof", "St", "Hr", "Fr", "Sr", "Sra", "Mme", "Dott"];
    text.rsplit(|c: char| !c.is_alphabetic()).next().is_some_and(|word| TITLES.contains(&word))
}

impl<'a> Sentence<'a> {
    fn of(text: &'a str, is_question: bool, phrases: &Phrases) -> Self {
        let mut words = Vec::new();
        let parts = text.split([',', ':', '–', '—', '(', ')', '"', '“', '”']);
        for (clause, part) in parts.filter(|part| !part.trim().is_empty()).enumerate() {
            let apart = part.split(|c: char| !c.is_alphanumeric() && !matches!(c, '\'' | '’'));
            for word in apart.filter(|word| !word.is_empty()) {
                let is_name = word.starts_with(char::is_uppercase);
                plain(word, |text| words.push(Word { text: text.to_owned(), clause, is_name }));
            }
        }
        Self { text, is_question, words, fillers: phrases.fillers, objects: phrases.objects }
    }

    /// Where this phrase stands, wherever it begins.
    pub fn find(&self, phrase: &str) -> impl Iterator<Item = Place> {
        let tokens: Vec<&str> = phrase.split(' ').collect();
        (0..self.words.len()).filter_map(move |at| self.fits(&tokens, at, true).map(|end| (at, end)))
    }

    /// Where this phrase ends, if it follows here.
    pub fn goes_on(&self, at: usize, phrase: &str) -> Option<usize> {
        let tokens: Vec<&str> = phrase.split(' ').collect();
        self.fits(&tokens, at, false)
    }

    pub fn says(&self, phrases: &[&str]) -> bool {
        phrases.iter().any(|phrase| self.find(phrase).next().is_some())
    }

    pub fn begins_with(&self, phrases: &[&str]) -> bool {
        phrases.iter().any(|phrase| self.goes_on(0, phrase).is_some())
    }

    /// Whether the clauses of what was found say no to it.
    pub fn is_negated(&self, (from, to): Place, negations: &[&str]) -> bool {
        let clauses = self.words[from].clause..=self.words[to.max(from + 1) - 1].clause;
        negations
            .iter()
            .any(|negation| self.find(negation).any(|(at, _)| clauses.contains(&self.words[at].clause)))
    }

    /// Where the phrase ends that begins here. Fillers are passed over, but not before its first word.
    fn fits(&self, tokens: &[&str], at: usize, is_first: bool) -> Option<usize> {
        let Some((token, rest)) = tokens.split_first() else { return Some(at) };
        let word = self.words.get(at).map(|word| word.text.as_str());
        match *token {
            "^" => {
                let begins = at == 0 || self.words[at - 1].clause != self.words[at].clause;
                begins.then(|| self.fits(rest, at, false)).flatten()
            }
            "…" => (at..=at + GAP).find_map(|next| self.fits(rest, next, false)),
            "+" => {
                let is_object = self.past_fillers(at).is_some_and(|word| {
                    let is_number = word.text.starts_with(|c: char| c.is_ascii_digit());
                    word.is_name || is_number || self.objects.contains(&word.text.as_str())
                });
                is_object.then(|| self.fits(rest, at, false)).flatten()
            }
            "!#" if self.is_reference(at) => None,
            "!#" => self.fits(rest, at, false),
            token => match token.strip_prefix('!') {
                Some(others) if word.is_some_and(|word| is_one_of(others, word)) => None,
                Some(_) => self.fits(rest, at, false),
                None => {
                    let word = word?;
                    let here = is_one_of(token, word).then(|| self.fits(rest, at + 1, false)).flatten();
                    let skips = !is_first && self.fillers.contains(&word);
                    here.or_else(|| skips.then(|| self.fits(tokens, at + 1, false)).flatten())
                }
            },
        }
    }

    /// *55019*, or *HC-3381*.
    fn is_reference(&self, at: usize) -> bool {
        let numbers = |at: usize| {
            self.words.get(at).is_some_and(|word| word.text.starts_with(|c: char| c.is_ascii_digit()))
        };
        let is_long = self.words.get(at).is_some_and(|word| word.text.len() > 2);
        numbers(at) && is_long || self.words.get(at).is_some_and(|word| word.is_name) && numbers(at + 1)
    }

    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Which clause the word stands in.
    pub fn clause(&self, at: usize) -> usize {
        self.words[at].clause
    }

    /// One after the last word of the clause of this one.
    pub fn end_of_clause(&self, at: usize) -> usize {
        let clause = self.clause(at);
        at + self.words[at..].iter().take_while(|word| word.clause == clause).count()
    }

    fn start_of_clause(&self, at: usize) -> usize {
        let clause = self.clause(at);
        at - self.words[..at].iter().rev().take_while(|word| word.clause == clause).count()
    }

    /// Whether nothing but fillers comes before this word in its clause.
    pub fn begins_clause(&self, at: usize) -> bool {
        self.are_fillers(self.start_of_clause(at), at)
    }

    pub fn clause_begins_with(&self, at: usize, phrases: &[&str]) -> bool {
        phrases.iter().any(|phrase| self.goes_on(self.start_of_clause(at), phrase).is_some())
    }

    /// Whether one of these stands right before this word.
    pub fn stands_before(&self, at: usize, phrases: &[&str]) -> bool {
        let here =
            |(from, to): Place| to <= at && self.clause(from) == self.clause(at) && self.are_fillers(to, at);
        phrases.iter().any(|phrase| match phrase.strip_suffix(" …") {
            // Then it stands anywhere before.
            Some(phrase) => self.last_before(at, &[phrase]).is_some(),
            None => self.find(phrase).any(here),
        })
    }

    /// The last of these before this word, in its clause.
    pub fn last_before(&self, at: usize, phrases: &[&str]) -> Option<Place> {
        let start = self.start_of_clause(at);
        self.places(phrases).filter(|(from, to)| *from >= start && *to <= at).max()
    }

    /// The last of these in the clauses before that of this word.
    pub fn last_of_earlier_clauses(&self, at: usize, phrases: &[&str]) -> Option<Place> {
        let start = self.start_of_clause(at);
        self.places(phrases).filter(|(_, to)| *to <= start).max()
    }

    pub fn says_between(&self, from: usize, to: usize, phrases: &[&str]) -> bool {
        self.places(phrases).any(|place| place.0 >= from && place.1 <= to)
    }

    fn places(&self, phrases: &[&str]) -> impl Iterator<Item = Place> {
        phrases.iter().flat_map(|phrase| self.find(phrase))
    }

    fn are_fillers(&self, from: usize, to: usize) -> bool {
        self.words
            .get(from..to)
            .is_some_and(|words| words.iter().all(|word| self.fillers.contains(&word.text.as_str())))
    }

    fn past_fillers(&self, at: usize) -> Option<&Word> {
        self.words.get(at..)?.iter().find(|word| !self.fillers.contains(&word.text.as_str()))
    }
}

fn is_one_of(alternatives: &str, word: &str) -> bool {
    alternatives.split('|').any(|one| match one.strip_suffix('*') {
        Some(stem) => word.starts_with(stem),
        None => word == one,
    })
}

/// What is written with an apostrophe, as the words it stands for: *I'll* as *I will*, *j'accepte* as *j accepte*.
fn plain(word: &str, mut push: impl FnMut(&str)) {
    let word = word.replace('’', "'").to_lowercase();
    let word = word.trim_matches('\'');
    match word {
        "can't" | "cannot" => return ["can", "not"].into_iter().for_each(push),
        "won't" => return ["will", "not"].into_iter().for_each(push),
        "shan't" => return ["shall", "not"].into_iter().for_each(push),
        "let's" => return ["let", "us"].into_iter().for_each(push),
        _ => {}
    }
    if let Some(verb) = word.strip_suffix("n't") {
        return [verb, "not"].into_iter().for_each(push);
    }
    for (short, long) in [("'ll", "will"), ("'d", "would"), ("'m", "am"), ("'re", "are"), ("'ve", "have")] {
        if let Some(subject) = word.strip_suffix(short) {
            return [subject, long].into_iter().for_each(push);
        }
    }
    if let Some(subject) = word.strip_suffix("'s") {
        push(subject);
        if ["it", "that", "he", "she", "there", "what", "this"].contains(&subject) {
            push("is");
        }
        return;
    }
    word.split('\'').filter(|part| !part.is_empty()).for_each(push);
}
