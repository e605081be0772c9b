//! What the remote's words mean to the script: rules over keywords, in a fixed order.
//!
//! The rules look at words only, as recognizers often leave out punctuation. What no rule knows is [`Meaning::Talk`].

/// What the remote wants, as far as keywords tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// A machine that takes a message.
    Voicemail,
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
    /// They did not hear or understand us.
    Repeat,
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

/// Facts that get asked for, and the words by which. The more special come first.
pub const FACTS: &[(&str, &[&str])] = &[
    ("card number", &["card number", "credit card", "debit card", "cvv", "expiration date"]),
    ("date of birth", &["date of birth", "birth date", "birthdate", "birthday", "born"]),
    (
        "one-time code",
        &[
            "one time code",
            "one time password",
            "security code",
            "verification code",
            "access code",
            "code we sent",
            "code we have sent",
            "passcode",
        ],
    ),
    ("password", &["password", "pass phrase"]),
    ("PIN", &["pin", "pin number", "pin code"]),
    ("social security number", &["social security", "ssn"]),
    ("account number", &["account number"]),
    ("insurance number", &["insurance number", "member number", "member id", "policy number", "insurance"]),
    (
        "reference number",
        &[
            "reference number",
            "confirmation number",
            "order number",
            "booking number",
            "case number",
            "invoice number",
        ],
    ),
    (
        "phone number",
        &[
            "phone number",
            "callback number",
            "call back number",
            "telephone number",
            "contact number",
            "mobile number",
            "number to reach",
        ],
    ),
    ("email address", &["email", "e mail"]),
    ("address", &["address", "zip code", "postal code"]),
    (
        "name",
        &[
            "your name",
            "name please",
            "full name",
            "last name",
            "first name",
            "who is calling",
            "who's calling",
            "who am i speaking",
            "who is this",
            "who are you",
            "under what name",
            "under which name",
            "what name",
            "which name",
            "patient's name",
            "spell the name",
            "name is it",
        ],
    ),
];

/// Never told to anybody, whatever the instructions hold.
pub const SECRETS: &[&str] = &["card number", "one-time code", "password", "PIN", "social security number"];

const VOICEMAIL: &[&str] = &[
    "leave a message",
    "leave your message",
    "leave us a message",
    "leave me a message",
    "leave your name",
    "after the tone",
    "after the beep",
    "at the tone",
    "voicemail",
    "voice mail",
    "answering machine",
    "record your message",
    "mailbox",
    "cannot take your call",
    "can't take your call",
    "unable to take your call",
    "can't come to the phone",
    "cannot come to the phone",
];
const HOLD: &[&str] = &[
    "please hold",
    "hold the line",
    "hold on",
    "hold please",
    "one moment",
    "just a moment",
    "a moment please",
    "one second",
    "just a second",
    "just a minute",
    "one minute please",
    "on hold",
    "will connect you",
    "transfer you",
    "transferring you",
    "putting you through",
    "put you through",
    "stay on the line",
    "your call is important",
    "next available",
    "all our agents",
    "all of our agents",
    "lines are busy",
    "wait a moment",
    "bear with me",
];
const HOLD_OVER: &[&str] = &["for holding", "for waiting", "for your patience"];
const WRONG_NUMBER: &[&str] =
    &["wrong number", "no one by that name", "nobody by that name", "nobody here by that"];
const NOT_WANTED: &[&str] = &[
    "not interested",
    "don't call",
    "do not call",
    "stop calling",
    "remove me",
    "take me off",
    "take us off",
    "leave me alone",
    "leave us alone",
];
const HANDOFF: &[&str] = &[
    "put them on",
    "put him on",
    "put her on",
    "put them through",
    "connect me to",
    "connect me with",
    "hand me over",
    "pass the phone",
    "give the phone",
    "can i speak",
    "may i speak",
    "could i speak",
    "let me speak",
    "must speak",
    "need to speak",
    "have to speak",
    "want to speak",
    "can i talk",
    "may i talk",
    "could i talk",
    "let me talk",
    "must talk",
    "need to talk",
    "have to talk",
    "want to talk",
    "rather speak",
    "rather talk",
    "like to speak",
    "like to talk",
    "speak to the account holder",
    "account holder in person",
    "account holder directly",
    "is he there",
    "is she there",
    "are they there",
    "bring them to the phone",
    "get them on the phone",
];
const ROBOT: &[&str] = &[
    "are you a robot",
    "are you a machine",
    "are you a computer",
    "are you a bot",
    "are you an ai",
    "are you ai",
    "are you real",
    "are you a real",
    "are you human",
    "are you a human",
    "are you a person",
    "is this a robot",
    "is this a machine",
    "is this a recording",
    "is this a computer",
    "is this a bot",
    "is this an ai",
    "is this a real",
    "talking to a robot",
    "talking to a machine",
    "talking to a computer",
    "talking to a real",
    "speaking to a robot",
    "speaking to a machine",
    "speaking with a robot",
    "talking with a robot",
];
const REPEAT: &[&str] = &[
    "say that again",
    "say it again",
    "repeat that",
    "repeat it",
    "please repeat",
    "can you repeat",
    "could you repeat",
    "pardon",
    "what did you say",
    "come again",
    "didn't catch",
    "did not catch",
    "didn't understand",
    "did not understand",
    "don't understand",
    "can't hear you",
    "cannot hear you",
    "can you hear me",
    "are you there",
    "are you still there",
    "anybody there",
    "anyone there",
    "is someone there",
];
const DECISION: &[&str] = &[
    "is that good",
    "is that ok",
    "is that okay",
    "is that all right",
    "is that alright",
    "is that fine",
    "is it good",
    "is it ok",
    "is it okay",
    "is it fine",
    "does that work",
    "does it work",
    "would that work",
    "would it work",
    "does that suit",
    "would that be",
    "shall i",
    "shall we",
    "should i",
    "should we",
    "would you like",
    "do you want",
    "would you prefer",
    "do you prefer",
    "do you agree",
    "can you confirm",
    "good for you",
    "work for you",
    "ok for you",
    "okay for you",
    "fine for you",
];
const GREETING: &[&str] = &[
    "hello",
    "hi",
    "good morning",
    "good afternoon",
    "good evening",
    "how can i help",
    "how may i help",
    "how could i help",
    "can i help you",
    "may i help you",
    "help you today",
    "what can i do for you",
    "this is",
    "speaking",
    "for holding",
    "for waiting",
];
const GOODBYE: &[&str] = &[
    "goodbye",
    "good bye",
    "bye",
    "bye bye",
    "have a nice day",
    "have a good day",
    "have a great day",
    "have a nice evening",
    "have a good evening",
    "have a good one",
];
const ASKING: &[&str] = &[
    "what is",
    "what's",
    "what was",
    "may i have",
    "can i have",
    "could i have",
    "can i get",
    "could i get",
    "can you",
    "could you",
    "would you",
    "please",
    "need",
    "needed",
    "give me",
    "tell me",
    "read me",
    "provide",
    "confirm",
    "verify",
    "enter",
    "who",
    "who's",
    "which",
    "without",
    "what",
    "do you have",
    "do you know",
    "when",
];
const QUESTION: &[&str] = &[
    "what",
    "what's",
    "which",
    "when",
    "where",
    "who",
    "how many",
    "how much",
    "how long",
    "how old",
    "do you have",
];
const POSSESSIVE: &[&str] =
    &["what is your", "what's your", "what is the patient's", "what is his", "what is her", "what is their"];

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
    let rules: [(bool, Meaning); 8] = [
        (words.has_any(VOICEMAIL), Meaning::Voicemail),
        (
            words.has_any(&["not a valid", "invalid choice", "invalid selection", "not valid"]),
            Meaning::MenuRefused,
        ),
        (words.has_any(HOLD) && !words.has_any(HOLD_OVER), Meaning::Hold),
        (words.has_any(WRONG_NUMBER), Meaning::WrongNumber),
        (words.has_any(NOT_WANTED), Meaning::NotWanted),
        (words.has_any(ROBOT), Meaning::WhetherRobot),
        (words.has_any(REPEAT), Meaning::Repeat),
        (words.has_any(HANDOFF), Meaning::Handoff),
    ];
    if let Some((_, meaning)) = rules.into_iter().find(|(fits, _)| *fits) {
        return meaning;
    }
    if let Some(fact) = wanted(&words, question_mark) {
        return Meaning::Wants(fact);
    }
    if words.has_any(DECISION) {
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

/// Goodbye beside whatever else was said.
pub fn says_goodbye(text: &str) -> bool {
    Words::new(text).has_any(GOODBYE)
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
    let asking = question_mark || words.has_any(ASKING);
    // "Your confirmation number is 4512" tells, and asks nothing.
    let telling =
        FACTS.iter().flat_map(|(_, phrases)| *phrases).any(|phrase| words.has(&format!("{phrase} is")));
    if asking
        && !(telling && !question_mark)
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
