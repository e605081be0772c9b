//! What became of the task: a judgement by rules, and the other side's words to show it.

use std::fmt::Write as _;

use offhook_core::brief::FieldKind;
use offhook_core::call::{BlockerClaim, FieldClaim};

use super::*;
use crate::local::brain::plan::upper_first;

#[derive(Clone)]
pub(super) struct Answer {
    pub text: String,
    pub sure: bool,
    /// Whether we had said what the call is for.
    pub after_line: bool,
}

/// What is to be said of the task.
pub(super) struct Verdict {
    status: TaskStatus,
    reason: String,
    blocker: Option<BlockerClaim>,
    next_step: Option<String>,
}

impl Verdict {
    pub fn new(status: TaskStatus, reason: &str) -> Self {
        Self { status, reason: reason.to_owned(), blocker: None, next_step: None }
    }

    pub fn because(mut self, kind: BlockerKind, what: &str, quotes: &[String]) -> Self {
        let Shown { what, quotes } = shown(what, quotes);
        self.blocker = Some(BlockerClaim { kind, what, quotes });
        self
    }

    pub fn then(mut self, next_step: &str) -> Self {
        self.next_step = Some(next_step.to_owned());
        self
    }
}

/// `what`, with the words that show it.
pub(super) fn shown(what: &str, quotes: &[String]) -> Shown {
    Shown { what: what.into(), quotes: quotes.iter().map(|quote| quote.as_str().into()).collect() }
}

/// Quotes in a summary.
const QUOTES: usize = 4;

impl Script {
    /// The conversation came to its end by itself.
    pub(super) fn finish(&mut self, say: &str) -> Vec<Act> {
        let verdict = self.judge();
        self.end(verdict, say)
    }

    fn judge(&self) -> Verdict {
        let all_said = self.next >= self.plan.lines.len();
        let answer = self.answers.iter().rev().find(|answer| answer.after_line);
        let refused = |answer: &Answer| answer.after_line && hearing::sounds_like_no(&answer.text);
        let (status, reason) = match answer {
            None => (TaskStatus::Unclear, "nothing was answered"),
            Some(_) if !all_said => (TaskStatus::Unclear, "the other side ended the conversation early"),
            Some(answer) if !answer.sure => (TaskStatus::Unclear, "answered, but not clearly heard"),
            Some(_) if self.undecided.is_some() => {
                (TaskStatus::Blocked, "a decision was asked for, and left open")
            }
            Some(_) if self.answers.iter().any(refused) => {
                (TaskStatus::Unclear, "answered, perhaps with a no")
            }
            Some(_) => (TaskStatus::Achieved, "said and answered"),
        };
        let verdict = Verdict::new(status, reason);
        match &self.undecided {
            Some(what) => verdict
                .because(BlockerKind::Decision, what, &self.quoting(what))
                .then(&format!("Call again with a decision on this: {what}")),
            None => verdict,
        }
    }

    /// The turns that make up a text.
    fn quoting(&self, text: &str) -> Vec<String> {
        let turns = self.answers.iter().map(|answer| &answer.text);
        turns.filter(|turn| text.contains(turn.as_str())).cloned().collect()
    }

    pub(super) fn end(&mut self, verdict: Verdict, say: &str) -> Vec<Act> {
        self.stage = Stage::Over;
        let reason = verdict.reason.as_str().into();
        let result = Some(self.result(verdict));
        self.decided = result.clone();
        vec![Act::Say(say.to_owned()), Act::Tool(ToolCall::EndCall { reason, result: result.map(Box::new) })]
    }

    /// The other side is gone: what can be said of the task, with what was heard last.
    pub fn cut_short(&mut self, heard: &[Heard]) -> Option<Claim> {
        let under_way = self.connecting.is_under_way().then(|| self.wants_user());
        self.heard(heard);
        if self.decided.is_some() || self.stage == Stage::Over {
            return self.decided.clone();
        }
        let verdict = match (under_way, self.asking.take(), &self.doubtful) {
            (Some(verdict), ..) => verdict,
            (None, Some(missing), _) => missing.verdict(),
            (None, None, Some(what)) => {
                let reason = format!("missing, as far as it was heard: {what}");
                let verdict = Verdict::new(TaskStatus::Blocked, &reason);
                verdict.because(BlockerKind::MissingInformation, what, &self.last_heard)
            }
            (None, None, None) if self.answers.is_empty() => return None,
            (None, None, None) if self.undecided.is_some() => self.judge(),
            (None, None, None) => Verdict::new(TaskStatus::Unclear, "the other side ended the call early"),
        };
        Some(self.result(verdict))
    }

    fn result(&self, verdict: Verdict) -> Claim {
        let mut summary = match verdict.status {
            TaskStatus::Achieved => String::new(),
            _ => format!("{}. ", upper_first(&verdict.reason)),
        };
        let from = self.answers.len().saturating_sub(QUOTES);
        let quoted = &self.answers[from..];
        for (index, answer) in quoted.iter().enumerate() {
            let said = if index == 0 { "They said:" } else { "Then:" };
            let unsure = if answer.sure { "" } else { " (not clearly heard)" };
            let _ = write!(summary, "{said} \"{}\"{unsure} ", answer.text);
        }
        if quoted.is_empty() {
            summary.push_str("There was no answer that was understood.");
        }
        let asked = self.asked_to_commit.iter().map(|what| shown(what, &self.quoting(what)));
        Claim {
            quotes: quoted.iter().map(|answer| answer.text.as_str().into()).collect(),
            fields: self.fields.iter().filter_map(|field| self.field(field)).collect(),
            commitments: self.commitments.clone(),
            asked_to_commit: asked.collect(),
            blocker: verdict.blocker,
            next_step: verdict.next_step.map(Into::into),
            ..Claim::new(verdict.status, summary.trim_end())
        }
    }

    /// What they said that has most to do with a field, where that is enough to fill it without guessing.
    fn field(&self, field: &ResultField) -> Option<FieldClaim> {
        let description = field.description.as_deref().unwrap_or_default();
        let asked = format!("{} {description}", field.name.replace(['_', '-'], " "));
        let wanted = hearing::stems(hearing::Words::new(&asked).iter());
        let common = |answer: &&Answer| {
            let stems = hearing::stems(hearing::Words::new(&answer.text).iter());
            wanted.iter().filter(|stem| stems.contains(stem)).count()
        };
        let told = || self.answers.iter().filter(|answer| answer.after_line && answer.sure);
        let (answer, value) = match &field.kind {
            FieldKind::Choice(choices) => {
                let named = |answer: &Answer| {
                    let words = hearing::Words::new(&answer.text);
                    let mut named = choices.iter().filter(|choice| words.has(&choice.to_lowercase()));
                    named.next().filter(|_| named.next().is_none()).cloned()
                };
                let (answer, choice) = told().rev().find_map(|answer| Some(answer).zip(named(answer)))?;
                (answer, serde_json::Value::from(choice))
            }
            kind => {
                let answer = told().max_by_key(common).filter(|answer| common(answer) > 0)?;
                (answer, value(kind, &answer.text)?)
            }
        };
        let quotes = vec![answer.text.as_str().into()];
        Some(FieldClaim { name: field.name.clone(), value: value_text(&value), quotes })
    }

    /// Somebody has answered more than once: this is no machine's greeting.
    pub(super) fn is_in_talk(&self) -> bool {
        self.answers.iter().filter(|answer| answer.after_line).count() > 1
    }

    /// Keep what may be quoted: small talk proves nothing.
    pub(super) fn note_answers(&mut self, heard: &[Heard], meaning: &Meaning) {
        if matches!(meaning, Meaning::WhetherRobot | Meaning::WhoCalls | Meaning::Repeat) {
            return;
        }
        for heard in heard {
            let Some(text) = &heard.text else { continue };
            let small = match hearing::meaning(text) {
                Meaning::Greeting => {
                    self.next == 0 || hearing::only_hello(text) || hearing::offers_help(text)
                }
                Meaning::Goodbye => text.split_whitespace().count() <= 3,
                _ => false,
            };
            if !small {
                let (sure, after_line) = (is_sure(heard), self.next > 0);
                self.answers.push(Answer { text: text.clone(), sure, after_line });
            }
        }
    }
}

fn value_text(value: &serde_json::Value) -> offhook_core::Words {
    value.to_string().as_str().into()
}

/// The value of a field in these words: all of them, or the only number in them.
fn value(kind: &FieldKind, text: &str) -> Option<serde_json::Value> {
    let mut numbers = text
        .split_whitespace()
        .map(|word| word.trim_matches(|c: char| !c.is_ascii_digit()))
        .filter(|word| !word.is_empty());
    let only = numbers.next().filter(|_| numbers.next().is_none());
    match kind {
        FieldKind::Text => Some(text.into()),
        FieldKind::Integer => only?.replace(',', "").parse::<i64>().ok().map(Into::into),
        FieldKind::Number => only?.replace(',', "").parse::<f64>().ok().map(Into::into),
        FieldKind::Boolean | FieldKind::TextList | FieldKind::Choice(_) => None,
    }
}
