//! A text as the rules read it: its words, without case, punctuation and contractions, and what they look like.

/// Words of English that hardly any sentence does without.
const FREQUENT: [&str; 48] = [
    "a", "about", "an", "and", "any", "are", "as", "ask", "at", "be", "by", "call", "can", "do", "find",
    "for", "from", "have", "how", "i", "if", "in", "is", "it", "me", "my", "not", "of", "on", "or", "out",
    "please", "tell", "that", "the", "their", "them", "they", "this", "to", "us", "we", "what", "when",
    "whether", "with", "you", "your",
];

const CALENDAR: [&str; 26] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
    "mondays",
    "tuesdays",
    "wednesdays",
    "thursdays",
    "fridays",
    "saturdays",
    "sundays",
    "january",
    "february",
    "march",
    "april",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
    "noon",
];

/// After these stands who is called for. `for` alone needs a name in capitals after it.
const BEHALF: &[&str] = &[
    "on behalf of",
    "in the name of",
    "calling for",
    "call for",
    "assistant for",
    "assistant of",
    "working for",
    "name is",
    "under the name",
    "client is",
    "customer is",
    "patient is",
    "caller is",
    "named",
];

/// Who is called for by these, nobody who is called can know.
const NOBODY: [&str; 12] =
    ["me", "my", "us", "our", "the", "a", "an", "user", "myself", "someone", "somebody", "this"];

/// `ask for Maria` is not for Maria.
const NOT_FOR: [&str; 7] = ["ask", "asking", "look", "looking", "wait", "waiting", "check"];

pub struct Reading {
    text: String,
    /// ` word word word `: what is looked for is looked for with the spaces around it.
    words: String,
}

impl Reading {
    pub fn of(text: &str) -> Self {
        let mut words = String::with_capacity(text.len() + 2);
        for word in text.split(|c: char| !is_part_of_word(c)).filter(|word| !word.is_empty()) {
            words.push(' ');
            words.push_str(&plain(word));
        }
        words.push(' ');
        Self { text: text.to_owned(), words }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether one of the phrases is in it; `…*` is the beginning of a word.
    pub fn says(&self, phrases: &[&str]) -> bool {
        phrases.iter().any(|phrase| match phrase.strip_suffix('*') {
            Some(stem) => self.words.contains(&format!(" {stem}")),
            None => self.words.contains(&format!(" {phrase} ")),
        })
    }

    fn words(&self) -> impl Iterator<Item = &str> {
        self.words.split_ascii_whitespace()
    }

    /// Whether the rules can read it. Of a few words one can't tell.
    pub fn is_english(&self) -> bool {
        let (known, all) = self
            .words()
            .fold((0, 0), |(known, all), word| (known + usize::from(FREQUENT.contains(&word)), all + 1));
        let letters = || self.text.chars().filter(|c| c.is_alphabetic());
        let is_latin = letters().filter(char::is_ascii).count() * 2 >= letters().count();
        is_latin && (all < 6 || known * 12 >= all)
    }

    /// Dates, times, amounts and reference numbers.
    pub fn details(&self) -> usize {
        self.words().filter(|word| is_detail(word)).count()
    }

    /// `Wednesday or Thursday`, `2:30 or 3`.
    pub fn offers_a_choice(&self) -> bool {
        let words: Vec<&str> = self.words().collect();
        let near = |words: &[&str]| words.iter().any(|word| is_detail(word));
        words.iter().enumerate().any(|(at, word)| {
            let (before, after) = (&words[at.saturating_sub(2)..at], &words[at..words.len().min(at + 4)]);
            ["or", "to", "through"].contains(word) && near(before) && near(after)
        })
    }

    pub fn asks(&self) -> bool {
        self.text.contains('?') || self.says(super::phrases::ASKS)
    }

    /// Whether it says for whom the call is, by anything but a pronoun.
    pub fn names_who_for(&self) -> bool {
        let told = |phrase: &&str| {
            let phrase = format!(" {phrase} ");
            self.words.match_indices(&phrase).any(|(at, found)| {
                let end = at + found.len();
                let next = self.words[end..].split(' ').next().unwrap_or_default();
                !next.is_empty() && !NOBODY.contains(&next) && !is_detail(next)
            })
        };
        BEHALF.iter().any(told) || self.is_for_a_name()
    }

    /// `… for Mira Okafor`, `customer: Mira Okafor`.
    fn is_for_a_name(&self) -> bool {
        let words: Vec<&str> = self.text.split_whitespace().collect();
        words.windows(2).enumerate().any(|(at, pair)| {
            let lead = pair[0].to_lowercase();
            let lead = lead.trim_end_matches(':');
            let before = at.checked_sub(1).map_or(String::new(), |before| words[before].to_lowercase());
            let leads = match lead {
                "for" => !NOT_FOR.contains(&before.as_str()),
                "customer" | "client" | "patient" | "guest" | "passenger" | "name" | "caller" => true,
                _ => false,
            };
            leads && is_name(pair[1])
        })
    }

    pub fn sentences(&self) -> usize {
        // A title and an abbreviation end no sentence: only what is followed by a capital after a longer word does.
        let words: Vec<&str> = self.text.split_whitespace().collect();
        let ends = words.windows(2).filter(|pair| {
            let is_end = pair[0].len() > 3 && pair[0].ends_with(['.', '!', '?']);
            is_end && pair[1].starts_with(|c: char| c.is_uppercase())
        });
        ends.count() + usize::from(!words.is_empty())
    }
}

fn is_part_of_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '\'' | '\u{2019}' | '$' | '€' | '£')
}

/// In small letters, `don't` as `do not`, `Lee's` as `lee`.
fn plain(word: &str) -> String {
    let word = word.replace('\u{2019}', "'").to_lowercase();
    let word = word.trim_matches('\'');
    match word {
        "can't" | "cannot" => "can not".to_owned(),
        "won't" => "will not".to_owned(),
        "dont" => "do not".to_owned(),
        "doesnt" => "does not".to_owned(),
        "voicemails" => "voicemail".to_owned(),
        _ => match word.strip_suffix("n't") {
            Some(verb) => format!("{verb} not"),
            None => word.split('\'').next().unwrap_or_default().to_owned(),
        },
    }
}

fn is_detail(word: &str) -> bool {
    word.bytes().any(|byte| byte.is_ascii_digit()) || CALENDAR.contains(&word)
}

fn is_name(word: &str) -> bool {
    let word = word.trim_matches(|c: char| !c.is_alphanumeric());
    let small = word.to_lowercase();
    word.chars().count() > 1
        && word.starts_with(|c: char| c.is_uppercase())
        && !is_detail(&small)
        && !["may", "today", "tomorrow", "me", "the"].contains(&small.as_str())
}
