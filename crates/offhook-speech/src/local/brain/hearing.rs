//! What the remote's words mean to the script: rules over keywords, in a fixed order.
//!
//! The rules look at words only, as recognizers often leave out punctuation. What no rule knows is [`Meaning::Talk`].

use super::phrases::*;

/// What the remote wants, as far as keywords tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// A machine that takes a message.
    Voicemail,
    /// A machine that wants to know who calls and why, before it puts anybody through.
    Screening,
    /// A phone menu with these choices.
    Menu(Vec<Choice>),
    /// The menu did not take the key.
    MenuRefused,
    Hold,
    WrongNumber,
    /// Do not call again.
    NotWanted,
    /// To speak to the person on whose behalf the call is made.
    Handoff,
    /// To be told something: what it is called.
    Wants(String),
    WhetherRobot,
    WhoCalls,
    /// They did not hear or understand us.
    Repeat,
    /// A yes that costs or binds.
    Commit,
    /// A yes or no, or a choice.
    Decision,
    /// Some other question.
    Question,
    /// Offers help, or says hello.
    Greeting,
    Goodbye,
    Talk,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    pub key: char,
    pub label: Vec<String>,
}

/// Words in lower case, single spaces around each, and a full stop between sentences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    with_stops: Vec<String>,
    flat: String,
}

impl Words {
    pub fn new(text: &str) -> Self {
        let mut with_stops = Vec::new();
        for piece in text.split(|c: char| c.is_whitespace() || c == '-' || c == ',') {
            let word: String = piece
                .chars()
                .map(|c| if c == '’' { '\'' } else { c })
                .filter(|c| c.is_alphanumeric() || matches!(c, '\'' | '*' | '#'))
                .flat_map(char::to_lowercase)
                .collect();
            let word = word.trim_matches('\'');
            if !word.is_empty() {
                with_stops.push(word.to_owned());
            }
            if piece.ends_with(['.', '?', '!', ';', ':', '…']) {
                with_stops.push(".".to_owned());
            }
        }
        let words: Vec<&str> = with_stops.iter().map(String::as_str).filter(|word| *word != ".").collect();
        let flat = format!(" {} ", words.join(" "));
        Self { with_stops, flat }
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.flat.split_whitespace()
    }

    pub fn has(&self, phrase: &str) -> bool {
        self.flat
            .match_indices(phrase)
            .any(|(at, _)| self.flat[..at].ends_with(' ') && self.flat[at + phrase.len()..].starts_with(' '))
    }

    pub fn has_any(&self, phrases: &[&str]) -> bool {
        phrases.iter().any(|phrase| self.has(phrase))
    }

    fn count(&self) -> usize {
        self.iter().count()
    }
}

/// The first rule that fits.
pub fn meaning(text: &str) -> Meaning {
    let words = Words::new(text);
    let choices = choices(&words);
    if !choices.is_empty() {
        return Meaning::Menu(choices);
    }
    let question_mark = text.contains('?');
    let rules: [(bool, Meaning); 10] = [
        (is_screening(&words), Meaning::Screening),
        (words.has_any(VOICEMAIL) || is_recorded_greeting(&words), Meaning::Voicemail),
        (
            words.has_any(&["not a valid", "invalid choice", "invalid selection", "not valid"]),
            Meaning::MenuRefused,
        ),
        (words.has_any(HOLD) && !words.has_any(HOLD_OVER), Meaning::Hold),
        (words.has_any(WRONG_NUMBER), Meaning::WrongNumber),
        (words.has_any(NOT_WANTED), Meaning::NotWanted),
        (words.has_any(ROBOT), Meaning::WhetherRobot),
        (words.has_any(WHO_CALLS), Meaning::WhoCalls),
        (words.has_any(REPEAT), Meaning::Repeat),
        (words.has_any(HANDOFF), Meaning::Handoff),
    ];
    if let Some((_, meaning)) = rules.into_iter().find(|(fits, _)| *fits) {
        return meaning;
    }
    if let Some(fact) = wanted(&words, question_mark) {
        return Meaning::Wants(fact);
    }
    if words.has_any(COMMIT) {
        Meaning::Commit
    } else if words.has_any(DECISION) {
        Meaning::Decision
    } else if says_goodbye(text) {
        Meaning::Goodbye
    } else if words.has_any(GREETING) {
        Meaning::Greeting
    } else if words.iter().next().is_some_and(|first| QUESTION.contains(&first))
        || question_mark && words.has_any(QUESTION)
    {
        Meaning::Question
    } else {
        Meaning::Talk
    }
}

fn is_screening(words: &Words) -> bool {
    words.has_any(SCREENING)
        || words.has_any(SAY_WHO) && words.has_any(SAY_WHY) && words.count() < GREETING_WORDS
}

/// Nobody holds such a speech who has just picked up.
const GREETING_WORDS: usize = 30;

/// A recording may not say that it is one.
fn is_recorded_greeting(words: &Words) -> bool {
    words.count() >= GREETING_WORDS && words.has_any(RECORDED)
}

/// Whether they want it typed in.
pub fn wants_keys(text: &str) -> bool {
    Words::new(text).has_any(BY_KEYS)
}

/// Somebody who does not know yet what the call is for.
pub fn offers_help(text: &str) -> bool {
    Words::new(text).has_any(OFFERS_HELP)
}

/// What somebody who was asked whether to join says to it; `None` when it is neither yes nor no.
pub fn consent(text: &str) -> Option<bool> {
    let words = Words::new(text);
    match (words.has_any(NO), words.has_any(YES)) {
        (true, _) => Some(false),
        (false, true) => Some(true),
        (false, false) => None,
    }
}

/// Goodbye beside whatever else was said.
pub fn says_goodbye(text: &str) -> bool {
    Words::new(text).has_any(GOODBYE)
}

/// Not certainly a refusal, but too near one to report success.
pub fn sounds_like_no(text: &str) -> bool {
    const NO: &[&str] = &[
        "no",
        "not",
        "can't",
        "cannot",
        "couldn't",
        "don't",
        "doesn't",
        "won't",
        "never",
        "nothing",
        "unfortunately",
        "sorry",
        "closed",
        "full",
        "booked out",
        "fully booked",
        "sold out",
    ];
    Words::new(text).has_any(NO)
}

/// Sounds like a person at the beginning of a conversation.
pub fn greets(text: &str) -> bool {
    Words::new(text).has_any(GREETING)
}

/// Nothing but a hello: somebody who waits for us to speak.
pub fn only_hello(text: &str) -> bool {
    let words = Words::new(text);
    words.count() <= 3 && words.iter().all(|word| matches!(word, "hello" | "hi" | "yes" | "hey"))
}

/// The name of the fact these words are about.
pub fn fact_named(words: &Words) -> Option<&'static str> {
    FACTS.iter().find(|(name, phrases)| words.has(name) || words.has_any(phrases)).map(|(name, _)| *name)
}

fn wanted(words: &Words, question_mark: bool) -> Option<String> {
    // "Acme Insurance, how can I help you?"
    if words.has_any(OFFERS_HELP) && !words.has("your") {
        return None;
    }
    let asking = question_mark || words.has_any(ASKING);
    // "Your confirmation number is 4512" tells, and asks nothing.
    let telling =
        FACTS.iter().flat_map(|(_, phrases)| *phrases).any(|phrase| words.has(&format!("{phrase} is")));
    if asking
        && (question_mark || !telling)
        && let Some(name) = fact_named(words)
    {
        return Some(name.to_owned());
    }
    let (_, rest) = POSSESSIVE.iter().find_map(|start| words.flat.split_once(&format!(" {start} ")))?;
    let thing: Vec<&str> = rest.split_whitespace().take(3).collect();
    (!thing.is_empty()).then(|| thing.join(" "))
}

/// The choices of a menu, with or without punctuation: "for sales press one", "press 1 for sales".
fn choices(words: &Words) -> Vec<Choice> {
    let all = &words.with_stops;
    let presses: Vec<(usize, char)> = all
        .windows(2)
        .enumerate()
        .filter(|(_, pair)| matches!(pair[0].as_str(), "press" | "dial" | "push" | "say"))
        .filter_map(|(at, pair)| Some((at, key(&pair[1])?)))
        .collect();
    let Some(first) = presses.first() else { return Vec::new() };
    let label_first =
        all[..first.0].iter().rev().take_while(|word| *word != ".").any(|word| word == "for" || word == "to");
    let mut chosen = Vec::new();
    for (index, (at, key)) in presses.iter().enumerate() {
        let label: Vec<String> = if label_first {
            let from = index.checked_sub(1).map_or(0, |before| presses[before].0 + 2);
            let span = &all[from..*at];
            let stop = span.iter().rposition(|word| word == ".").map_or(0, |stop| stop + 1);
            let span = &span[stop..];
            let start = span.iter().position(|word| word == "for" || word == "to").unwrap_or(0);
            span[start..].to_vec()
        } else {
            let to = presses.get(index + 1).map_or(all.len(), |next| next.0);
            all[at + 2..to].iter().take_while(|word| *word != ".").cloned().collect()
        };
        chosen.push(Choice { key: *key, label });
    }
    chosen
}

fn key(word: &str) -> Option<char> {
    const WORDS: &[(&str, char)] = &[
        ("zero", '0'),
        ("oh", '0'),
        ("one", '1'),
        ("two", '2'),
        ("three", '3'),
        ("four", '4'),
        ("five", '5'),
        ("six", '6'),
        ("seven", '7'),
        ("eight", '8'),
        ("nine", '9'),
        ("star", '*'),
        ("pound", '#'),
        ("hash", '#'),
    ];
    let mut chars = word.chars();
    match (chars.next(), chars.next()) {
        (Some(digit @ ('0'..='9' | '*' | '#')), None) => Some(digit),
        _ => WORDS.iter().find(|(name, _)| *name == word).map(|(_, key)| *key),
    }
}

/// Words that carry meaning, cut to their stems roughly enough that "appointments" meets "appointment".
pub fn stems(words: impl Iterator<Item = impl AsRef<str>>) -> Vec<String> {
    const EMPTY: &[&str] = &[
        "a", "an", "the", "for", "to", "of", "in", "on", "at", "and", "or", "is", "are", "i", "you", "we",
        "they", "it", "my", "your", "our", "their", "this", "that", "with", "by", "be", "would", "like",
        "please", "press", "do", "what", "which", "who", "when", "where", "how", "can", "could", "will",
        "have", "has", "not", "if", "call", "ask", "say", "tell", "them", "me", "us", "want", "need", "here",
        "there", "about", "from", "was", "did", "does",
    ];
    words
        .filter(|word| !EMPTY.contains(&word.as_ref()) && word.as_ref() != ".")
        .map(|word| {
            let word = word.as_ref().trim_end_matches("'s");
            let word = word.strip_suffix("ing").filter(|stem| stem.len() > 3).unwrap_or(word);
            word.strip_suffix('s').filter(|stem| stem.len() > 2).unwrap_or(word).to_owned()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn what_people_and_machines_say() {
        let said = [
            "You have reached the voicemail of Sam.",
            "he is not available can you call tomorrow",
            "Please hold.",
            "Thank you for holding, how can I help you?",
            "That is not a valid choice.",
            "For that I must speak to the account holder in person.",
            "Who am I speaking to?",
            "What is your date of birth?",
            "Your confirmation number is 4512.",
            "I need your account number.",
            "What is your favourite colour?",
            "Are you a robot?",
            "Sorry, I didn't catch that.",
            "Is that good for you?",
            "Where do you want it delivered?",
            "Hello?",
            "Yes, we have a table at seven.",
            "Very well. Goodbye.",
            "You have the wrong number.",
            "We are not interested, stop calling.",
            "Hello. This person uses call screening. Please state your name and why you are calling.",
            "Hello. If you record your name and reason for calling, I will see if this person is available.",
            "Can you please state your name?",
            "Hi, this is Robin at Sunrise Plumbing. I am out on a job or talking to another customer. Tell me your \
             name, the address and what it is about, and I will get back to you before the end of the day.",
            "It is ninety dollars. Shall I book it and charge the card on file?",
            "I will get back to you.",
            "Hello, this is Harbor Insurance. How can I help you?",
        ];
        let table: Vec<String> = said.iter().map(|text| format!("{text} -> {:?}", meaning(text))).collect();
        expect![[r#"
            You have reached the voicemail of Sam. -> Voicemail
            he is not available can you call tomorrow -> Talk
            Please hold. -> Hold
            Thank you for holding, how can I help you? -> Greeting
            That is not a valid choice. -> MenuRefused
            For that I must speak to the account holder in person. -> Handoff
            Who am I speaking to? -> WhoCalls
            What is your date of birth? -> Wants("date of birth")
            Your confirmation number is 4512. -> Talk
            I need your account number. -> Wants("account number")
            What is your favourite colour? -> Wants("favourite colour")
            Are you a robot? -> WhetherRobot
            Sorry, I didn't catch that. -> Repeat
            Is that good for you? -> Decision
            Where do you want it delivered? -> Decision
            Hello? -> Greeting
            Yes, we have a table at seven. -> Talk
            Very well. Goodbye. -> Goodbye
            You have the wrong number. -> WrongNumber
            We are not interested, stop calling. -> NotWanted
            Hello. This person uses call screening. Please state your name and why you are calling. -> Screening
            Hello. If you record your name and reason for calling, I will see if this person is available. -> Screening
            Can you please state your name? -> Wants("name")
            Hi, this is Robin at Sunrise Plumbing. I am out on a job or talking to another customer. Tell me your name, the address and what it is about, and I will get back to you before the end of the day. -> Voicemail
            It is ninety dollars. Shall I book it and charge the card on file? -> Commit
            I will get back to you. -> Talk
            Hello, this is Harbor Insurance. How can I help you? -> Greeting"#]]
        .assert_eq(&table.join("\n"));
    }

    #[test]
    fn consent_is_a_plain_yes() {
        for (text, joins) in [
            ("Yes, put them through.", Some(true)),
            ("Okay.", Some(true)),
            ("No, not now.", Some(false)),
            ("Yes, but I can't talk now.", Some(false)),
            ("Hello, this is Alex.", None),
        ] {
            assert_eq!(consent(text), joins, "{text}");
        }
    }

    #[test]
    fn menus_are_read_with_and_without_punctuation() {
        let menus = [
            "For opening hours, press one. For appointments, press two.",
            "for opening hours press one for appointments press two",
            "Press 1 for sales, press 2 for support, or press 0 for the operator.",
            "to speak to a representative press zero",
            "Press star to go back.",
            "the press was there",
        ];
        let table: Vec<String> = menus
            .iter()
            .map(|menu| {
                let choices = choices(&Words::new(menu));
                choices
                    .iter()
                    .map(|choice| format!("{}: {}", choice.key, choice.label.join(" ")))
                    .collect::<Vec<_>>()
                    .join(" | ")
            })
            .collect();
        expect![[r#"
            1: for opening hours | 2: for appointments
            1: for opening hours | 2: for appointments
            1: for sales | 2: for support or | 0: for the operator
            0: to speak to a representative
            *: to go back
        "#]]
        .assert_eq(&table.join("\n"));
    }
}
