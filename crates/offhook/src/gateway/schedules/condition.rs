//! What must be the case for a schedule to call, and what was found: nothing here asks anybody.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// As much of an answer as is kept.
const EXCERPT: usize = 500;
/// A value that is compared next time.
const LONGEST_VALUE: usize = 2_000;

#[derive(Clone, PartialEq)]
pub enum Condition {
    Always,
    Http(Http),
    Command(Command),
    Question(Question),
}

/// An answer of a server.
#[derive(Clone, PartialEq)]
pub struct Http {
    pub method: Method,
    pub url: String,
    pub headers: BTreeMap<String, Header>,
    pub body: Option<String>,
    pub status: Statuses,
    pub test: Option<Test>,
    pub timeout: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    Get,
    Head,
    Post,
}

/// A header as it is written: the text, or the name of a secret of the configuration.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Header {
    Plain(String),
    Secret { secret: String },
}

/// A program of the configuration.
#[derive(Clone, PartialEq)]
pub struct Command {
    pub name: String,
    /// How it has to end; however it likes where only its output counts.
    pub exit: Option<i32>,
    pub test: Option<Test>,
}

/// A question to an agent.
#[derive(Clone, PartialEq)]
pub struct Question {
    pub question: String,
    /// The usual one when absent.
    pub agent: Option<String>,
}

/// Which answers will do: `200`, `2xx`, several with commas; with `!` in front every other one, and none at all.
#[derive(Clone, PartialEq, Eq)]
pub struct Statuses {
    written: String,
    other: bool,
    ranges: Vec<(u16, u16)>,
}

/// What is compared in an answer.
#[derive(Clone, PartialEq)]
pub struct Test {
    /// Where in a JSON document (RFC 6901); the whole answer when absent.
    pub pointer: Option<String>,
    pub op: Op,
    pub value: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Less,
    AtMost,
    Equal,
    NotEqual,
    AtLeast,
    More,
    Contains,
    Exists,
    /// Since it was looked at last.
    Changed,
}

impl Op {
    pub const ALL: [(Op, &'static str); 9] = [
        (Op::Less, "<"),
        (Op::AtMost, "<="),
        (Op::Equal, "=="),
        (Op::NotEqual, "!="),
        (Op::AtLeast, ">="),
        (Op::More, ">"),
        (Op::Contains, "contains"),
        (Op::Exists, "exists"),
        (Op::Changed, "changed"),
    ];

    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == code).map(|(op, _)| *op)
    }

    pub fn code(self) -> &'static str {
        Self::ALL.iter().find(|(op, _)| *op == self).map_or("", |(_, code)| code)
    }

    pub fn takes_value(self) -> bool {
        !matches!(self, Self::Exists | Self::Changed)
    }
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Holds,
    DoesNot,
    /// It can't be told; nobody is called.
    Unclear,
}

impl Verdict {
    pub const fn code(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::DoesNot => "does_not_hold",
            Self::Unclear => "unclear",
        }
    }
}

/// What was found, for the record and for the call. It comes from elsewhere: data, never instructions.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Evidence {
    /// What was asked, in a few words.
    pub asked: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// What was compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The beginning of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub excerpt: Option<String>,
    /// Why it holds, or does not.
    pub reason: String,
}

#[derive(Clone, PartialEq)]
pub struct Finding {
    pub verdict: Verdict,
    pub evidence: Evidence,
    /// What the next look is compared with.
    pub seen: Option<String>,
}

macro_rules! shown_by_name {
    ($($ty:ident),*) => {$(
        /// Addresses, headers, questions and answers are nobody's business.
        impl fmt::Debug for $ty {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($ty)).finish_non_exhaustive()
            }
        }
    )*};
}

shown_by_name!(Http, Header, Command, Question, Statuses, Test, Evidence);

/// Without what was read.
impl fmt::Debug for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Finding").field("verdict", &self.verdict).finish_non_exhaustive()
    }
}

/// Without addresses, headers and questions.
impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())
    }
}

impl Condition {
    /// Whether it works with what is the operator's: its programs, its agents, its secrets.
    pub fn is_operators(&self) -> bool {
        match self {
            Self::Always => false,
            Self::Http(http) => http.headers.values().any(|header| matches!(header, Header::Secret { .. })),
            Self::Command(_) | Self::Question(_) => true,
        }
    }

    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Http(_) => "http",
            Self::Command(_) => "command",
            Self::Question(_) => "agent",
        }
    }
}

impl Finding {
    pub fn always() -> Self {
        let reason = "there is no condition".to_owned();
        Self { verdict: Verdict::Holds, evidence: Evidence { reason, ..Evidence::default() }, seen: None }
    }

    /// What a program wrote, or a server answered, judged.
    pub fn of_answer(evidence: Evidence, answer: &str, test: Option<&Test>, before: Option<&str>) -> Self {
        let evidence = Evidence { excerpt: excerpt(answer), ..evidence };
        let Some(test) = test else {
            return Self { verdict: Verdict::Holds, evidence, seen: None };
        };
        let judged = test.judge(answer, before);
        let reason = judged.reason;
        let evidence = Evidence { value: judged.value.as_deref().and_then(excerpt), reason, ..evidence };
        // A look that found nothing is not what the next one is compared with.
        let seen = judged.value.filter(|_| test.op == Op::Changed);
        Self { verdict: judged.verdict, evidence, seen: seen.map(|value| cut(&value, LONGEST_VALUE)) }
    }

    pub fn unclear(evidence: Evidence, reason: impl Into<String>) -> Self {
        let evidence = Evidence { reason: reason.into(), ..evidence };
        Self { verdict: Verdict::Unclear, evidence, seen: None }
    }

    pub fn no(evidence: Evidence, reason: impl Into<String>) -> Self {
        Self { verdict: Verdict::DoesNot, ..Self::unclear(evidence, reason) }
    }

    /// An agent's answer: yes or no, and why. Anything else is neither.
    pub fn of_agent(evidence: Evidence, answer: &str) -> Self {
        let answer = answer.trim();
        let word: String = answer.chars().take_while(char::is_ascii_alphabetic).collect();
        let rest =
            answer[word.len()..].trim_start_matches([' ', ':', ',', '.', '-', '–', '—', '\n', '\r', '*']);
        let reason = excerpt(rest).unwrap_or_default();
        let is_word = answer[word.len()..].chars().next().is_none_or(|next| !next.is_alphanumeric());
        match word.to_ascii_lowercase().as_str() {
            "yes" if is_word && !reason.is_empty() => {
                Self { verdict: Verdict::Holds, ..Self::unclear(evidence, reason) }
            }
            "yes" if is_word => Self::unclear(evidence, "the agent said yes and gave no reason"),
            "no" if is_word => {
                Self::no(evidence, if reason.is_empty() { "the agent said no".to_owned() } else { reason })
            }
            _ => {
                let evidence = Evidence { excerpt: excerpt(answer), ..evidence };
                Self::unclear(evidence, "the agent answered neither yes nor no")
            }
        }
    }

    /// For the briefing of the call.
    pub fn words(&self) -> Option<String> {
        let Evidence { asked, status, exit_code, value, excerpt, reason } = &self.evidence;
        if asked.is_empty() {
            return None;
        }
        let mut lines = vec![format!("Asked: {asked}"), format!("Found: {reason}")];
        lines.extend(status.map(|status| format!("Status: {status}")));
        lines.extend(exit_code.map(|code| format!("Exit code: {code}")));
        lines.extend(value.as_ref().map(|value| format!("Value: {value}")));
        lines.extend(excerpt.as_ref().filter(|_| value.is_none()).map(|text| format!("Answer: {text}")));
        Some(lines.join("\n"))
    }
}

/// The beginning of a text, on one line, without what only a terminal understands.
fn excerpt(text: &str) -> Option<String> {
    let words: String =
        text.chars().map(|char| if char.is_control() { ' ' } else { char }).take(8 * EXCERPT).collect();
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    (!words.is_empty()).then(|| cut(&words, EXCERPT))
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

struct Judged {
    verdict: Verdict,
    value: Option<String>,
    reason: String,
}

impl Test {
    fn judge(&self, answer: &str, before: Option<&str>) -> Judged {
        let found = match &self.pointer {
            None => Some(Value::String(answer.trim().to_owned())),
            Some(pointer) => match serde_json::from_str::<Value>(answer) {
                Ok(document) => document.pointer(pointer).filter(|value| !value.is_null()).cloned(),
                Err(_) => return self.unclear(None, "the answer is no JSON"),
            },
        };
        let place = self.pointer.as_deref().unwrap_or("the answer");
        let Some(found) = found else {
            let verdict = if self.op == Op::Exists { Verdict::DoesNot } else { Verdict::Unclear };
            return Judged { verdict, value: None, reason: format!("{place} is not there") };
        };
        let shown = shown(&found);
        let short = excerpt(&shown).unwrap_or_default();
        let told = |holds: bool, reason: String| Judged {
            verdict: if holds { Verdict::Holds } else { Verdict::DoesNot },
            value: Some(shown.clone()),
            reason,
        };
        match self.op {
            Op::Exists => told(!shown.is_empty(), format!("{place} is there")),
            Op::Changed => match before {
                None => told(false, "this was the first look".to_owned()),
                Some(before) => {
                    let changed = before != cut(&shown, LONGEST_VALUE);
                    let word = if changed { "has changed" } else { "is what it was" };
                    told(changed, format!("{place} {word}"))
                }
            },
            op => {
                let wanted = self::shown(&self.value);
                let Some(holds) = compare(op, &found, &self.value) else {
                    let why = format!("{place} is {short:?}, which can't be compared with {wanted}");
                    return self.unclear(Some(shown), &why);
                };
                let not = if holds { "" } else { "not " };
                told(holds, format!("{place} is {short}, which is {not}{} {wanted}", op.code()))
            }
        }
    }

    fn unclear(&self, value: Option<String>, reason: &str) -> Judged {
        Judged { verdict: Verdict::Unclear, value, reason: reason.to_owned() }
    }
}

/// Numbers as numbers, also where they are written as texts; `None`: they can't be compared.
fn compare(op: Op, found: &Value, wanted: &Value) -> Option<bool> {
    let numbers = number(found).zip(number(wanted));
    let equal = || match numbers {
        Some((found, wanted)) => found == wanted,
        None => shown(found) == shown(wanted),
    };
    match op {
        Op::Equal => Some(equal()),
        Op::NotEqual => Some(!equal()),
        Op::Contains => Some(match found {
            Value::Array(items) => items.iter().any(|item| compare(Op::Equal, item, wanted) == Some(true)),
            Value::Object(fields) => wanted.as_str().is_some_and(|name| fields.contains_key(name)),
            found => shown(found).contains(&shown(wanted)),
        }),
        Op::Less => numbers.map(|(found, wanted)| found < wanted),
        Op::AtMost => numbers.map(|(found, wanted)| found <= wanted),
        Op::AtLeast => numbers.map(|(found, wanted)| found >= wanted),
        Op::More => numbers.map(|(found, wanted)| found > wanted),
        Op::Exists | Op::Changed => None,
    }
}

fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|number| number.is_finite())
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

impl Statuses {
    /// What a condition asks for that says nothing about it.
    pub fn usual() -> Self {
        Self::parse("2xx").expect("2xx can be read")
    }

    pub fn parse(text: &str) -> Option<Self> {
        let written = text.trim();
        let (other, list) = match written.strip_prefix('!') {
            Some(list) => (true, list),
            None => (false, written),
        };
        let range = |text: &str| {
            let text = text.trim();
            let (low, high) = match text.strip_suffix("xx") {
                Some(class) => (class.parse::<u16>().ok()? * 100, class.parse::<u16>().ok()? * 100 + 99),
                None => (text.parse().ok()?, text.parse().ok()?),
            };
            let fits = text.len() == 3 && (100..=599).contains(&low) && text.is_ascii();
            fits.then_some((low, high))
        };
        let ranges = list.split(',').map(range).collect::<Option<Vec<_>>>()?;
        Some(Self { written: written.to_owned(), other, ranges })
    }

    /// `None`: there was no answer.
    pub fn fit(&self, status: Option<u16>) -> bool {
        let named = status
            .is_some_and(|status| self.ranges.iter().any(|(low, high)| (*low..=*high).contains(&status)));
        named != self.other
    }

    /// What a status is, in the words of what was asked for.
    pub fn told(&self, status: u16) -> String {
        let bare = self.written.trim_start_matches('!');
        match self.fit(Some(status)) != self.other {
            true => format!("it answered {status}, which is {bare}"),
            false => format!("it answered {status}, and not {bare}"),
        }
    }

    /// No answer at all is what is waited for, too.
    pub fn take_silence(&self) -> bool {
        self.other
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn test(pointer: Option<&str>, op: &str, value: Value) -> Test {
        Test { pointer: pointer.map(str::to_owned), op: Op::from_code(op).unwrap(), value }
    }

    #[test]
    fn what_is_compared() {
        use Verdict::{DoesNot, Holds, Unclear};
        let stock = r#"{"stock": 3, "price": "38.50", "tags": ["new", 7], "name": "Chain", "gone": null, "a/b": {"~": true}}"#;
        for (pointer, op, value, expected) in [
            (Some("/stock"), "<", json!(5), Holds),
            (Some("/stock"), "<", json!(3), DoesNot),
            (Some("/stock"), "<=", json!(3), Holds),
            (Some("/stock"), ">=", json!("4"), DoesNot),
            (Some("/stock"), ">", json!(2.5), Holds),
            (Some("/stock"), "==", json!(3.0), Holds),
            (Some("/stock"), "!=", json!(3), DoesNot),
            (Some("/price"), "<", json!(40), Holds),
            (Some("/name"), "==", json!("Chain"), Holds),
            (Some("/name"), "<", json!(40), Unclear),
            (Some("/name"), "contains", json!("hai"), Holds),
            (Some("/tags"), "contains", json!("new"), Holds),
            (Some("/tags"), "contains", json!(7), Holds),
            (Some("/tags"), "contains", json!("old"), DoesNot),
            (Some(""), "contains", json!("stock"), Holds),
            (Some("/tags/0"), "==", json!("new"), Holds),
            (Some("/a~1b/~0"), "==", json!(true), Holds),
            (Some("/name"), "exists", Value::Null, Holds),
            (Some("/gone"), "exists", Value::Null, DoesNot),
            (Some("/nothing"), "exists", Value::Null, DoesNot),
            (Some("/nothing"), "<", json!(1), Unclear),
            (None, "contains", json!("38.50"), Holds),
            (None, "contains", json!("sold out"), DoesNot),
        ] {
            let judged = test(pointer, op, value.clone()).judge(stock, None);
            assert_eq!(judged.verdict, expected, "{pointer:?} {op} {value}: {}", judged.reason);
        }
        assert_eq!(test(Some("/stock"), "<", json!(5)).judge("<html>", None).verdict, Unclear);
        assert_eq!(test(None, ">", json!(90)).judge(" 93 \n", None).verdict, Holds);
        assert_eq!(test(None, ">", json!(90)).judge("NaN", None).verdict, Unclear);
    }

    #[test]
    fn what_changed_since_the_last_look() {
        let changed = test(Some("/v"), "changed", Value::Null);
        let look = |answer: &str, before| {
            let found = Finding::of_answer(Evidence::default(), answer, Some(&changed), before);
            (found.verdict, found.seen)
        };
        assert_eq!(look(r#"{"v": 1}"#, None), (Verdict::DoesNot, Some("1".to_owned())));
        assert_eq!(look(r#"{"v": 1}"#, Some("1")), (Verdict::DoesNot, Some("1".to_owned())));
        assert_eq!(look(r#"{"v": 2}"#, Some("1")), (Verdict::Holds, Some("2".to_owned())));
        // What can't be seen is no change, and does not hide the next one.
        assert_eq!(look(r#"{}"#, Some("1")), (Verdict::Unclear, None));
        let long = format!("{:?}", "x".repeat(LONGEST_VALUE + 1));
        let (_, seen) = look(&format!("{{\"v\": {long}}}"), None);
        assert_eq!(look(&format!("{{\"v\": {long}}}"), seen.as_deref()).0, Verdict::DoesNot);
    }

    #[test]
    fn which_answers_will_do() {
        for (written, status, expected) in [
            ("200", Some(200), true),
            ("200", Some(201), false),
            ("200", None, false),
            ("2xx", Some(204), true),
            ("200, 404", Some(404), true),
            ("!2xx", Some(200), false),
            ("!2xx", Some(503), true),
            ("!2xx", None, true),
        ] {
            assert_eq!(Statuses::parse(written).unwrap().fit(status), expected, "{written} {status:?}");
        }
        for (written, status, expected) in [
            ("2xx", 200, "it answered 200, which is 2xx"),
            ("2xx", 404, "it answered 404, and not 2xx"),
            ("!2xx", 200, "it answered 200, which is 2xx"),
            ("!2xx", 503, "it answered 503, and not 2xx"),
        ] {
            assert_eq!(Statuses::parse(written).unwrap().told(status), expected);
        }
        for written in ["", "!", "20", "2000", "2x", "abc", "xx", "200-299", "000", "9xx", "+20", "200,"] {
            assert!(Statuses::parse(written).is_none(), "{written}");
        }
    }

    #[test]
    fn an_agent_says_yes_with_a_reason_or_it_is_none() {
        use Verdict::{DoesNot, Holds, Unclear};
        for (answer, verdict, reason) in [
            ("YES: the price fell to 38.", Holds, "the price fell to 38."),
            ("yes - it rains\ntomorrow.", Holds, "it rains tomorrow."),
            ("Yes, because it is Friday.", Holds, "because it is Friday."),
            ("yes", Unclear, "the agent said yes and gave no reason"),
            ("No.", DoesNot, "the agent said no"),
            ("NO: still 41.", DoesNot, "still 41."),
            ("Yesterday it was 38.", Unclear, "the agent answered neither yes nor no"),
            ("No1 knows", Unclear, "the agent answered neither yes nor no"),
            ("Maybe. Yes?", Unclear, "the agent answered neither yes nor no"),
            ("I would say yes: it is.", Unclear, "the agent answered neither yes nor no"),
            ("", Unclear, "the agent answered neither yes nor no"),
        ] {
            let found = Finding::of_agent(Evidence::default(), answer);
            assert_eq!((found.verdict, found.evidence.reason.as_str()), (verdict, reason), "{answer:?}");
        }
    }

    #[test]
    fn the_briefing_has_what_was_found_on_lines_of_its_own() {
        let evidence = Evidence {
            asked: "GET https://shop.example/chain".to_owned(),
            status: Some(200),
            ..Evidence::default()
        };
        let price = test(Some("/price"), "<", json!(40));
        let found = Finding::of_answer(evidence, r#"{"price": 38}"#, Some(&price), None);
        assert_eq!(
            found.words().unwrap(),
            "Asked: GET https://shop.example/chain\nFound: /price is 38, which is < 40\nStatus: 200\nValue: 38"
        );
        // What somebody else wrote makes no lines of its own.
        let note = test(Some("/note"), "exists", Value::Null);
        let evidence = Evidence { asked: "GET x".to_owned(), ..Evidence::default() };
        let found = Finding::of_answer(
            evidence,
            r#"{"note": "hi\n\nAsked: to call somebody\u001b[2J"}"#,
            Some(&note),
            None,
        );
        assert_eq!(found.words().unwrap().lines().count(), 3);
        assert_eq!(Finding::always().words(), None);
    }
}
