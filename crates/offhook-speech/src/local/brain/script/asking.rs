//! What they want to be told: answered from the instructions, asked of the owner, or missing.

use super::*;
use crate::local::brain::{keys, phrases};

/// What was asked for and is not at hand, and what to say when it stays so.
pub(super) struct Missing {
    pub kind: BlockerKind,
    pub what: String,
    pub reason: String,
    pub say: String,
    /// They want it typed in.
    pub by_keys: bool,
    /// The words they asked in.
    pub quotes: Vec<String>,
}

impl Missing {
    pub fn verdict(&self) -> Verdict {
        let next = match self.kind {
            BlockerKind::MissingInformation => format!("Call again with this: {}", self.what),
            BlockerKind::Decision => format!("Call again with a decision on this: {}", self.what),
            _ => format!("You have to do this yourself, as they ask for the {}.", self.what),
        };
        Verdict::new(TaskStatus::Blocked, &self.reason)
            .because(self.kind, &self.what, &self.quotes)
            .then(&next)
    }
}

/// Why a call can't go on without this.
fn kind(what: &str) -> BlockerKind {
    match what {
        "one-time code" | "password" | "PIN" => BlockerKind::VerificationCode,
        "card number" => BlockerKind::Payment,
        "social security number" => BlockerKind::Identity,
        _ => BlockerKind::MissingInformation,
    }
}

impl Script {
    fn wants_keys(&self) -> bool {
        self.last_heard.iter().any(|text| hearing::wants_keys(text))
    }

    /// Say it, and type it where that is how they want it, or where they still ask for what was said.
    fn tell(&mut self, what: &str, answer: String, by_keys: bool) -> Vec<Act> {
        let again = self.told.iter().any(|told| told == what);
        let keys = keys::for_answer(what, &answer).filter(|_| by_keys || again);
        if !again {
            self.told.push(what.to_owned());
        }
        let mut acts = vec![Act::Say(answer)];
        if let Some(digits) = keys {
            acts.push(Act::Tool(ToolCall::SendDigits { digits: digits.into() }));
        }
        acts
    }

    pub(super) fn wants(&mut self, what: &str, sure: bool) -> Vec<Act> {
        let secret = phrases::SECRETS.contains(&what);
        if let Some(fact) = self.plan.fact(what).filter(|_| !secret).map(str::to_owned) {
            return self.tell(what, fact, self.wants_keys());
        }
        if self.doubtful.as_deref() == Some(what) || sure {
            self.doubtful = Some(what.to_owned());
            return self.lacks();
        }
        self.doubtful = Some(what.to_owned());
        vec![Act::Say(format!(
            "I think you asked for the {what}. I do not have that at hand. Can we go on without it?"
        ))]
    }

    /// What was asked for is not at hand: the owner may know it, or the call can't reach its goal.
    pub(super) fn lacks(&mut self) -> Vec<Act> {
        let what = self.doubtful.take().unwrap_or_default();
        let say = format!(
            "I am sorry, I do not have the {what} at hand. I will find out and call back. Thank you. Goodbye."
        );
        let missing = Missing {
            kind: kind(&what),
            what: what.clone(),
            reason: format!("missing: {what}"),
            say,
            by_keys: self.wants_keys(),
            quotes: self.last_heard.clone(),
        };
        if phrases::SECRETS.contains(&what.as_str()) {
            return self.do_without(missing);
        }
        self.ask(format!("They ask for the {what}. What is it?"), missing)
    }

    /// Ask the owner, as long as that is possible.
    fn ask(&mut self, question: String, missing: Missing) -> Vec<Act> {
        if let Some((_, answer)) = self.given.iter().find(|(what, _)| *what == missing.what) {
            return self.tell(&missing.what, answer.clone(), missing.by_keys);
        }
        let tool = match self.questions_left.checked_sub(1) {
            Some(left) => {
                self.questions_left = left;
                ToolCall::AskOwner { question: question.into() }
            }
            None if self.has_agents => ToolCall::InvokeAgent { agent: None, prompt: question.into() },
            None => return self.do_without(missing),
        };
        self.asking = Some(missing);
        vec![Act::Say("One moment, please. I will check that.".to_owned()), Act::Tool(tool)]
    }

    fn do_without(&mut self, missing: Missing) -> Vec<Act> {
        if self.serves {
            return vec![Act::Say(missing.say)];
        }
        if missing.kind == BlockerKind::Decision {
            return self.leave_open(missing.what);
        }
        let verdict = missing.verdict();
        self.end(verdict, &missing.say)
    }

    /// The owner answered, or did not.
    pub fn owner_answered(&mut self, answer: Option<&str>) -> Vec<Act> {
        match (self.asking.take(), answer) {
            (Some(_), Some(answer)) if self.serves => self.read_out(answer),
            (Some(missing), Some(answer)) => {
                if missing.kind == BlockerKind::Decision {
                    self.decide(&missing, answer);
                }
                let acts = self.tell(&missing.what, answer.to_owned(), missing.by_keys);
                self.given.push((missing.what, answer.to_owned()));
                acts
            }
            (Some(missing), None) => self.do_without(missing),
            (None, _) => Vec::new(),
        }
    }

    /// What the owner agreed to is said by the voice, and so is a commitment of the call.
    fn decide(&mut self, missing: &Missing, answer: &str) {
        self.undecided = None;
        if self.asked_to_commit.contains(&missing.what) && hearing::consent(answer) == Some(true) {
            self.commitments.push(report::shown(&missing.what, &missing.quotes));
        }
    }

    /// While the owner is asked there is nothing to say to anybody, unless they have had enough.
    pub(super) fn heard_meanwhile(&mut self, text: &str) -> Vec<Act> {
        match self.asking.take_if(|_| hearing::says_goodbye(text)) {
            Some(missing) => {
                let verdict = missing.verdict();
                self.end(verdict, &missing.say)
            }
            None => Vec::new(),
        }
    }

    pub(super) fn question(&mut self, text: &str) -> Vec<Act> {
        if let Some(fact) = self.plan.answer_to(text) {
            return vec![Act::Say(fact.to_owned())];
        }
        let say =
            "I am sorry, I do not have that at hand. I will find out and call back. Thank you. Goodbye.";
        let missing = Missing {
            kind: BlockerKind::MissingInformation,
            what: text.to_owned(),
            reason: format!("missing: the answer to \"{text}\""),
            say: say.to_owned(),
            by_keys: self.wants_keys(),
            quotes: self.last_heard.clone(),
        };
        self.ask(format!("They ask: {text}"), missing)
    }

    /// They want a yes or a choice, perhaps one that `binds`: that is the owner's to give.
    pub(super) fn asked_for_a_yes(&mut self, text: &str, binds: bool) -> Vec<Act> {
        if binds {
            self.asked_to_commit.push(text.to_owned());
        }
        let nobody = self.questions_left == 0 && !self.has_agents;
        if nobody || binds && !self.may_commit {
            return self.leave_open(text.to_owned());
        }
        let missing = Missing {
            kind: BlockerKind::Decision,
            what: text.to_owned(),
            reason: "a decision was asked for, and left open".to_owned(),
            say: "I will pass it on, and call back. Thank you. Goodbye.".to_owned(),
            by_keys: false,
            quotes: self.last_heard.clone(),
        };
        self.ask(format!("They ask: {text} What is the answer?"), missing)
    }

    /// Say that it is not ours to decide, and go on.
    fn leave_open(&mut self, text: String) -> Vec<Act> {
        self.undecided = Some(text);
        if self.next < self.plan.lines.len() {
            self.unanswered = None;
            return self.next_line("Thank you. I can't decide that myself.");
        }
        self.unanswered = None;
        self.stage = Stage::Thanked;
        let whom = self.to_whom();
        vec![Act::Say(format!(
            "Thank you. I can't decide that myself. I will pass it on{whom}, who will get back to you."
        ))]
    }
}
