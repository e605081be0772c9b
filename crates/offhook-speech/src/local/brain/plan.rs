//! What the script makes of the call instructions: lines to say, and facts to answer with.
//!
//! Instructions are prose. Sentence by sentence, the first words tell what it is: something to say or to ask, a fact,
//! or a rule for the voice. What is not understood is never said, only kept as a fact.

use super::hearing::{Words, fact_named, stems};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// What to say, a turn each.
    pub lines: Vec<String>,
    facts: Vec<Fact>,
    /// On whose behalf the call is made.
    pub principal: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Fact {
    /// The name it gets asked for by, if it is one of the usual.
    name: Option<&'static str>,
    stems: Vec<String>,
    answer: String,
}

enum Sentence {
    Statement(String),
    Ask(String),
    Fact(Fact),
    Rule,
}

const RULES: &[&str] = &[
    "do not",
    "don't",
    "never",
    "only",
    "always",
    "be",
    "keep",
    "make sure",
    "avoid",
    "speak",
    "when",
    "unless",
    "remember",
    "stay",
    "you are",
    "you may",
    "you can",
    "you should",
    "you must",
    "no",
    "stop",
    "end",
    "hang up",
    "leave",
    "wait",
    "thank",
    "greet",
    "introduce",
    "answer",
    "note",
    "write",
    "report",
    "if",
];
/// What a voice may ask for by itself; it commits to none of it.
const REQUESTS: &[&str] = &[
    "book",
    "make",
    "reserve",
    "order",
    "schedule",
    "reschedule",
    "cancel",
    "confirm",
    "change",
    "move",
    "get",
    "arrange",
    "request",
    "check",
    "set up",
    "postpone",
    "speak to",
    "discuss",
    "inquire",
    "return",
    "pick up",
];

impl Plan {
    pub fn new(task: &str) -> Self {
        let mut plan = Self { principal: principal(task), ..Self::default() };
        let mut statements: Vec<String> = Vec::new();
        for sentence in sentences(task) {
            match classify(&sentence) {
                Sentence::Statement(text) => statements.push(text),
                Sentence::Ask(text) => {
                    statements.push(text);
                    plan.lines.push(std::mem::take(&mut statements).join(" "));
                }
                Sentence::Fact(fact) => plan.facts.push(fact),
                Sentence::Rule => {}
            }
        }
        if !statements.is_empty() {
            plan.lines.push(statements.join(" "));
        }
        if plan.lines.is_empty()
            && let Some(about) = sentences(task).into_iter().next()
        {
            plan.lines.push(format!("I am calling about this: {about}"));
        }
        plan
    }

    /// What was missing in the call before. Each of its sentences is a fact, whatever it looks like.
    pub fn know(&mut self, known: &str) {
        self.facts.splice(0..0, sentences(known).iter().map(|sentence| fact(sentence)));
    }

    /// This is not the first call.
    pub fn call_back(&mut self) {
        if let Some(first) = self.lines.first_mut() {
            *first = format!("I am calling back. {first}");
        }
    }

    /// The answer to being asked for the fact of this name.
    pub fn fact(&self, name: &str) -> Option<&str> {
        let by_name = self.facts.iter().find(|fact| fact.name == Some(name));
        by_name.map(|fact| fact.answer.as_str()).or_else(|| self.answer_to(name))
    }

    /// The fact that has the most words with the question in common; all of the question's, if it has but one or two.
    pub fn answer_to(&self, question: &str) -> Option<&str> {
        let asked = stems(Words::new(question).iter());
        let common = |fact: &Fact| asked.iter().filter(|stem| fact.stems.contains(stem)).count();
        let best = self.facts.iter().max_by_key(|fact| common(fact))?;
        (common(best) >= asked.len().clamp(1, 2)).then_some(best.answer.as_str())
    }

    /// The words the call is about, to choose from a menu by.
    pub fn topic(&self) -> Vec<String> {
        stems(Words::new(&self.lines.join(" ")).iter())
    }
}

/// The sentences of a text; full stops in numbers, quotes and usual abbreviations end none.
fn sentences(text: &str) -> Vec<String> {
    const ABBREVIATIONS: &[&str] =
        &["mr", "mrs", "ms", "dr", "st", "no", "e.g", "i.e", "a.m", "p.m", "approx"];
    let mut all = Vec::new();
    let mut current = String::new();
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' | '“' | '”' => quoted = !quoted,
            _ => {}
        }
        let ends_line = c == '\n';
        if !ends_line {
            current.push(c);
        }
        let last_word = current.trim_end_matches('.').rsplit(char::is_whitespace).next().unwrap_or_default();
        let abbreviated = c == '.' && ABBREVIATIONS.contains(&last_word.to_lowercase().as_str());
        let before_space = chars.peek().is_none_or(|next| next.is_whitespace());
        let closes_quote = matches!(c, '"' | '”')
            && !quoted
            && current.trim_end_matches(['"', '”']).ends_with(['.', '!', '?']);
        let stop = matches!(c, '.' | '!' | '?') && !quoted && before_space && !abbreviated;
        if ends_line || stop || closes_quote {
            all.push(std::mem::take(&mut current));
        }
    }
    all.push(current);
    all.iter()
        .map(|sentence| {
            sentence
                .trim()
                .trim_start_matches(['-', '*', '•'])
                .trim_start_matches(|c: char| c.is_ascii_digit())
                .trim_start_matches(['.', ')'])
                .trim()
                .to_owned()
        })
        .filter(|sentence| sentence.chars().any(char::is_alphanumeric))
        .collect()
}

fn classify(sentence: &str) -> Sentence {
    let sentence = strip_word(sentence, "please").unwrap_or(sentence);
    let sentence = strip_word(sentence, "then").unwrap_or(sentence);
    if let Some(sentence) = conditional(sentence) {
        return sentence;
    }
    if let Some(rest) = strip_word(sentence, "call").or_else(|| strip_word(sentence, "phone")) {
        return errand(rest).map_or(Sentence::Rule, classify);
    }
    for start in ["say", "tell", "inform", "let"] {
        if let Some(rest) = strip_word(sentence, start) {
            return statement(rest);
        }
    }
    if let Some(rest) = strip_word(sentence, "ask") {
        return Sentence::Ask(question(rest));
    }
    if let Some(rest) = strip_word(sentence, "find out") {
        return Sentence::Ask(stop(&format!("I would like to know {rest}")));
    }
    let lower = sentence.to_lowercase();
    if REQUESTS.iter().any(|verb| strip_word(&lower, verb).is_some()) {
        let request = lower_first(sentence);
        return Sentence::Ask(stop(&format!("I would like to {request}")));
    }
    if RULES.iter().any(|start| strip_word(&lower, start).is_some()) {
        return Sentence::Rule;
    }
    Sentence::Fact(fact(sentence))
}

/// The rest after `start`, which must be whole words.
fn strip_word<'a>(sentence: &'a str, start: &str) -> Option<&'a str> {
    let head = sentence.get(..start.len())?;
    let rest = &sentence[start.len()..];
    let whole = rest.starts_with([' ', ':', ',']) || rest.is_empty();
    (head.eq_ignore_ascii_case(start) && whole).then(|| rest.trim_start_matches([' ', ':', ',']))
}

/// What to do once somebody answers: "the office and ask …", "Anna to book …".
fn errand(rest: &str) -> Option<&str> {
    let (_, errand) = rest.split_once(" and ").or_else(|| rest.split_once(" to "))?;
    let known = ["say", "tell", "inform", "let", "ask", "find out"];
    let lower = errand.to_lowercase();
    known.iter().chain(REQUESTS).any(|verb| strip_word(&lower, verb).is_some()).then_some(errand)
}

/// "that it is late", "them that it is late", "\"It is late.\"".
fn statement(rest: &str) -> Sentence {
    if let Some(quote) = quoted(rest) {
        return Sentence::Statement(quote);
    }
    let rest = rest
        .split_once("that ")
        .filter(|(before, _)| before.split_whitespace().count() <= 3)
        .map_or(rest, |(_, said)| said);
    Sentence::Statement(stop(&upper_first(rest)))
}

fn question(rest: &str) -> String {
    if let Some(quote) = quoted(rest) {
        return quote;
    }
    let whom = ["them", "him", "her", "the office", "the person", "whoever answers", "the receptionist"];
    let rest = whom.iter().find_map(|whom| strip_word(rest, whom)).unwrap_or(rest);
    let rest = strip_word(rest, "to").map_or(rest.to_owned(), |rest| format!("you to {rest}"));
    stop(&format!("I would like to ask {rest}"))
}

/// "If they ask for the date of birth, say 3 May 1990." is a fact; other conditions are rules.
fn conditional(sentence: &str) -> Option<Sentence> {
    let rest = strip_word(sentence, "if")?;
    let (condition, consequence) = rest.split_once(',')?;
    let condition = Words::new(condition);
    let consequence = consequence.trim_start();
    let said = ["say", "answer", "tell them", "give them", "it is"]
        .iter()
        .find_map(|verb| strip_word(consequence, verb))?;
    let open_ended = condition.has_any(&["anything", "something", "not", "else"]);
    if !condition.has_any(&["ask", "asks", "asked", "want", "wants", "need", "needs"]) || open_ended {
        return Some(Sentence::Rule);
    }
    let answer =
        quoted(said).unwrap_or_else(|| stop(&upper_first(said.strip_prefix("that ").unwrap_or(said))));
    let name = fact_named(&condition);
    let mut stems = stems(condition.iter());
    stems.retain(|stem| !matches!(stem.as_str(), "ask" | "asked"));
    Some(Sentence::Fact(Fact { name, stems, answer }))
}

fn fact(sentence: &str) -> Fact {
    let words = Words::new(sentence);
    let is_name = ["my name is", "the name is", "name", "patient", "customer"];
    let name = if is_name.iter().any(|start| strip_word(sentence, start).is_some()) {
        Some("name")
    } else {
        fact_named(&words)
    };
    let answer = match strip_word(sentence, "my") {
        Some(rest) => format!("The {rest}"),
        None => sentence.split_once(": ").map_or(sentence.to_owned(), |(what, value)| {
            format!("The {} is {value}", lower_first(what.trim()))
        }),
    };
    Fact { name, stems: stems(words.iter()), answer: stop(&upper_first(&answer)) }
}

fn principal(task: &str) -> Option<String> {
    let (_, rest) = task.split_once("on behalf of ")?;
    let name: Vec<&str> = rest
        .split_whitespace()
        .take_while(|word| word.starts_with(char::is_uppercase))
        .scan(false, |over, word| {
            let was_over = std::mem::replace(over, word.ends_with(['.', ',', ';', ':']));
            (!was_over).then(|| word.trim_end_matches(['.', ',', ';', ':']))
        })
        .collect();
    (!name.is_empty()).then(|| name.join(" "))
}

fn quoted(text: &str) -> Option<String> {
    let start = text.find(['"', '“'])?;
    let rest = text[start..].trim_start_matches(['"', '“']);
    let end = rest.find(['"', '”'])?;
    let quote = rest[..end].trim();
    (!quote.is_empty()).then(|| quote.to_owned())
}

fn stop(sentence: &str) -> String {
    let sentence = sentence.trim();
    if sentence.ends_with(['.', '!', '?']) { sentence.to_owned() } else { format!("{sentence}.") }
}

pub fn upper_first(text: &str) -> String {
    let mut chars = text.trim().chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}

fn lower_first(text: &str) -> String {
    let mut chars = text.trim().chars();
    chars.next().map_or(String::new(), |first| first.to_lowercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn lines(task: &str) -> Vec<String> {
        Plan::new(task).lines
    }

    #[test]
    fn instructions_become_lines() {
        let tasks = [
            "Call the office on behalf of Jordan Lee. Ask for an appointment on Thursday afternoon. Do not pay.",
            "Call Jordan Lee. Say that the dental office moved the appointment to Thursday at three. Ask whether that is fine.",
            "Call Mario's and book a table for two at 7.30 p.m. on Friday.",
            "Tell Dr. Smith that the results are here. Keep it short.",
            "Ask them to call back. Never leave a number.",
            "Say: \"We are late. Sorry!\" Then ask \"Is that all right?\"",
            "- Find out when they open\n- Reserve a parking space\n- be polite",
            "Water damage in the basement.",
            "",
        ];
        let table: Vec<String> = tasks.iter().map(|task| lines(task).join(" | ")).collect();
        expect![[r#"
            I would like to ask for an appointment on Thursday afternoon.
            The dental office moved the appointment to Thursday at three. I would like to ask whether that is fine.
            I would like to book a table for two at 7.30 p.m. on Friday.
            The results are here.
            I would like to ask you to call back.
            We are late. Sorry! Is that all right?
            I would like to know when they open. | I would like to reserve a parking space.
            I am calling about this: Water damage in the basement.
        "#]].assert_eq(&table.join("\n"));
    }

    #[test]
    fn facts_answer_what_is_asked_for() {
        let plan = Plan::new(
            "Ask for a repair. My name is Jordan Lee. Date of birth: 3 May 1990. The car is a blue Honda Civic. \
             If they ask for the callback number, say 555 0100. If they ask for anything else, say no.",
        );
        assert_eq!(plan.fact("name"), Some("The name is Jordan Lee."));
        assert_eq!(plan.fact("date of birth"), Some("The date of birth is 3 May 1990."));
        assert_eq!(plan.fact("phone number"), Some("555 0100."));
        assert_eq!(plan.answer_to("What car is it?"), Some("The car is a blue Honda Civic."));
        assert_eq!(plan.fact("account number"), None);
        assert_eq!(plan.answer_to("What is the weather like?"), None);
        assert_eq!(plan.principal, None);
    }

    #[test]
    fn what_is_known_besides_comes_before_the_instructions() {
        let mut plan = Plan::new("Ask for a repair. Account number: 111.");
        plan.know("The account number is 482913. Date of birth: 3 May 1990");
        plan.call_back();
        assert_eq!(plan.fact("account number"), Some("The account number is 482913."));
        assert_eq!(plan.fact("date of birth"), Some("The date of birth is 3 May 1990."));
        assert_eq!(plan.lines, ["I am calling back. I would like to ask for a repair."]);
    }

    #[test]
    fn the_one_it_is_about_is_found() {
        for (task, principal) in [
            ("Call on behalf of Jordan Lee. Ask.", Some("Jordan Lee")),
            ("I call on behalf of Ann, who is ill.", Some("Ann")),
            ("on behalf of our customer", None),
            ("Ask for Bob.", None),
        ] {
            assert_eq!(Plan::new(task).principal.as_deref(), principal, "{task}");
        }
    }
}
