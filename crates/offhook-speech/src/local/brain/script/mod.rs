//! A conversation without a model: a fixed course, by keywords. It passes on and writes down, and commits to nothing.
//!
//! It says the lines of its [`Plan`] one turn at a time, answers with facts it was given, thanks, and says goodbye. What
//! stands in the way ends the call with a result that names it. Every result is made of quotes.

use std::fmt::Write as _;

use offhook_core::brief::Brief;
use offhook_core::call::{Claim, ToolCall};
use offhook_core::journal::{AnsweredBy, TaskStatus};

use super::hearing::{self, Choice, Meaning};
use super::phrases;
use super::plan::{Plan, upper_first};
use super::{Act, Heard};
use crate::local::mouth::Cut;

veiled!(Script);

pub struct Script {
    plan: Plan,
    /// The first words of the call, said again to a person who comes after a machine.
    opening: Option<String>,
    stage: Stage,
    /// The next of the plan's lines.
    next: usize,
    /// Which line was said last and not answered yet.
    unanswered: Option<usize>,
    /// What was heard before the first word of ours.
    early: Vec<Heard>,
    answers: Vec<Answer>,
    /// Asked for and not at hand, but not certainly heard.
    doubtful: Option<String>,
    /// They want to know yes or no, which is not ours to say.
    undecided: bool,
    misheard: u32,
    machine: Machine,
    on_hold: bool,
    /// A person has spoken.
    remote_talked: bool,
    /// Whether the menu was reported.
    menu_reported: bool,
    menus_without_choice: u32,
    /// How often the owner may still be asked.
    questions_left: u32,
    /// What the owner is being asked for.
    asking: Option<Missing>,
    /// What it answered before, by what that was asked for.
    given: Vec<(String, String)>,
    /// What became of the task, once that is decided.
    decided: Option<Claim>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Listens; it is not our turn yet.
    Waiting,
    Talking,
    /// All was said and answered, and thanked for.
    Thanked,
    /// Nothing more is said by itself: it is over, or a machine takes a message.
    Over,
}

/// Whether a machine is on the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Machine {
    No,
    /// A menu, or the hold after it: silent until a person speaks.
    Menu,
    /// A person asked to wait.
    Hold,
}

/// What was asked for and is not at hand, and what to say when it stays so.
struct Missing {
    what: String,
    reason: String,
    say: String,
}

#[derive(Clone)]
struct Answer {
    text: String,
    sure: bool,
    /// Whether we had said what the call is for.
    after_line: bool,
}

impl Script {
    /// Below this, what was heard is a guess.
    const SURE: u32 = 600;
    /// Not understood so often in a row, the call comes to an end.
    const MISHEARD: u32 = 3;
    /// How long nobody must have spoken before the script goes on by itself.
    const GO_ON_MS: u64 = 1_500;
    const GO_ON_AFTER_HELLO_MS: u64 = 200;
    const GOODBYE_MS: u64 = 5_000;
    const QUOTES: usize = 4;
    /// The owner is asked no more often.
    const QUESTIONS: u32 = 3;

    pub fn new(brief: &Brief) -> Self {
        let mut plan = Plan::new(&brief.task);
        if plan.principal.is_none() {
            let greeting = brief.greeting.as_deref().unwrap_or_default();
            plan.principal = Plan::new(greeting).principal;
        }
        Self {
            plan,
            opening: None,
            stage: Stage::Waiting,
            next: 0,
            unanswered: None,
            early: Vec::new(),
            answers: Vec::new(),
            doubtful: None,
            undecided: false,
            misheard: 0,
            machine: Machine::No,
            on_hold: false,
            remote_talked: false,
            menu_reported: false,
            menus_without_choice: 0,
            questions_left: if brief.ask_owner.is_some() { Self::QUESTIONS } else { 0 },
            asking: None,
            given: Vec::new(),
            decided: None,
        }
    }

    /// It is our turn; `say` is being said.
    pub fn opened(&mut self, say: Option<&str>) -> Vec<Act> {
        self.opening = say.map(str::to_owned);
        if self.stage == Stage::Waiting {
            self.stage = Stage::Talking;
        }
        let early = std::mem::take(&mut self.early);
        let machine = early.iter().filter_map(|heard| heard.text.as_deref()).any(|text| {
            matches!(hearing::meaning(text), Meaning::Voicemail | Meaning::Menu(_) | Meaning::Hold)
        });
        match machine {
            true => self.heard(&early),
            // They said hello before; our first line follows the opening.
            false => Vec::new(),
        }
    }

    /// How long nobody must have spoken before [`Self::go_on`]; `None` while it is the remote's turn.
    pub fn patience_ms(&self, remote_has_spoken: bool) -> Option<u64> {
        if self.asking.is_some() {
            return None;
        }
        match (self.stage, self.machine) {
            (Stage::Talking, Machine::No) if self.next == 0 && remote_has_spoken => {
                Some(Self::GO_ON_AFTER_HELLO_MS)
            }
            (Stage::Talking, Machine::No) if self.next == 0 => Some(Self::GO_ON_MS),
            (Stage::Thanked, Machine::No) => Some(Self::GOODBYE_MS),
            _ => None,
        }
    }

    /// Nobody has spoken for a while.
    pub fn go_on(&mut self) -> Vec<Act> {
        match self.stage {
            Stage::Talking => self.next_line(""),
            Stage::Thanked => self.finish("That is all. Thank you. Goodbye."),
            Stage::Waiting | Stage::Over => Vec::new(),
        }
    }

    /// The call will be cut off soon.
    pub fn wrap_up(&mut self) -> Vec<Act> {
        match (self.stage, self.machine) {
            (Stage::Talking | Stage::Thanked, Machine::No) => {
                self.finish("I am sorry, I have to end this call now. Thank you. Goodbye.")
            }
            _ => Vec::new(),
        }
    }

    /// Not all of a text of ours was heard; with most of it missing it is said again.
    pub fn cut(&mut self, cut: &Cut) {
        let mostly_heard = cut.heard.len() * 10 >= cut.text.len() * 7;
        let line = self.unanswered.filter(|index| cut.text.ends_with(&self.plan.lines[*index]));
        if let Some(line) = line
            && !mostly_heard
        {
            self.next = line;
            self.unanswered = None;
        }
    }

    /// Something that is not speech has been audible for a while.
    pub fn music(&mut self) -> Vec<Act> {
        match (self.stage, self.machine) {
            (Stage::Over | Stage::Waiting, _) | (_, Machine::Hold) => Vec::new(),
            _ => self.hold(),
        }
    }

    /// The remote's turn is over.
    pub fn heard(&mut self, heard: &[Heard]) -> Vec<Act> {
        match self.stage {
            Stage::Over => return Vec::new(),
            Stage::Waiting => {
                self.early.extend_from_slice(heard);
                return Vec::new();
            }
            Stage::Talking | Stage::Thanked => {}
        }
        let text = heard.iter().filter_map(|heard| heard.text.as_deref()).collect::<Vec<_>>().join(" ");
        if text.is_empty() {
            return if self.asking.is_some() { Vec::new() } else { self.not_understood() };
        }
        self.misheard = 0;
        if self.asking.is_some() {
            return self.heard_meanwhile(&text);
        }
        let sure = heard.iter().all(is_sure);
        let meaning = hearing::meaning(&text);
        if let Some(acts) = self.by_machine(&meaning, &text) {
            return acts;
        }
        self.note_answers(heard, &meaning);
        self.by_person(meaning, &text, sure)
    }

    /// What a machine says, or a person before we may speak again; `None` when it is our turn to talk.
    fn by_machine(&mut self, meaning: &Meaning, text: &str) -> Option<Vec<Act>> {
        match meaning {
            Meaning::Voicemail if !self.is_in_talk() || self.machine == Machine::Menu => {
                self.stage = Stage::Over;
                Some(vec![Act::Tool(ToolCall::ReportVoicemail { kind: AnsweredBy::Voicemail })])
            }
            Meaning::Menu(choices) => Some(self.press(choices)),
            Meaning::Hold => Some(self.hold()),
            _ if self.machine == Machine::Menu && !hearing::greets(text) => Some(Vec::new()),
            _ => None,
        }
    }

    fn by_person(&mut self, meaning: Meaning, text: &str, sure: bool) -> Vec<Act> {
        self.on_hold = false;
        self.remote_talked = true;
        // After a machine or a hold this is somebody new, who has not been told yet who is calling.
        match std::mem::replace(&mut self.machine, Machine::No) {
            Machine::No => self.reply(meaning, text, sure),
            Machine::Menu => {
                let opening = self.opening.clone().unwrap_or_default();
                self.next = self.unanswered.take().unwrap_or(self.next);
                self.next_line(&opening)
            }
            Machine::Hold => {
                let mut acts = self.reply(meaning, text, sure);
                if let (Some(Act::Say(say)), Some(opening)) = (acts.first_mut(), &self.opening) {
                    *say = format!("{opening} {say}");
                }
                acts
            }
        }
    }

    fn reply(&mut self, meaning: Meaning, text: &str, sure: bool) -> Vec<Act> {
        let goodbye = hearing::says_goodbye(text);
        match meaning {
            Meaning::WrongNumber => {
                self.end(TaskStatus::Failed, "wrong number", "I am sorry to have disturbed you. Goodbye.")
            }
            Meaning::NotWanted => self.end(
                TaskStatus::Failed,
                "does not want the call",
                "I understand. I am sorry to have disturbed you. Goodbye.",
            ),
            Meaning::Handoff => self.hand_over(),
            Meaning::Wants(what) => self.wants(&what, sure || goodbye),
            Meaning::WhetherRobot => self.introduce("Yes, I am an AI assistant"),
            Meaning::WhoCalls => self.introduce("I am an AI assistant"),
            Meaning::Repeat => self.repeat(),
            Meaning::Question if sure => self.question(text),
            _ if self.doubtful.is_some() && (goodbye || meaning != Meaning::Talk) => self.lacks(),
            Meaning::Greeting if hearing::only_hello(text) && self.unanswered.is_some() => self.repeat(),
            _ if goodbye => self.finish("Thank you. Goodbye."),
            meaning => self.answered(meaning == Meaning::Decision),
        }
    }

    /// The remote answered, or said something to answer to: on with the next line, then thanks, then goodbye.
    fn answered(&mut self, decision: bool) -> Vec<Act> {
        self.undecided |= decision;
        if self.stage == Stage::Thanked && !decision {
            return self.finish("That is all. Thank you. Goodbye.");
        }
        let thanks = if self.unanswered.take().is_some() { "Thank you." } else { "" };
        if self.next < self.plan.lines.len() {
            return self.next_line(thanks);
        }
        self.stage = Stage::Thanked;
        let whom = self.plan.principal.as_deref().map_or(String::new(), |name| format!(" to {name}"));
        vec![Act::Say(match decision {
            true => format!(
                "Thank you. I can't decide that myself. I will pass it on{whom}, who will get back to you."
            ),
            false => format!("Thank you. I have noted that, and will pass it on{whom}."),
        })]
    }

    fn next_line(&mut self, before: &str) -> Vec<Act> {
        let Some(line) = self.plan.lines.get(self.next) else {
            self.stage = Stage::Thanked;
            return self.finish("That is all. Thank you. Goodbye.");
        };
        let text = format!("{before} {line}").trim_start().to_owned();
        self.unanswered = Some(self.next);
        self.next += 1;
        vec![Act::Say(text)]
    }

    fn repeat(&mut self) -> Vec<Act> {
        match self.unanswered.or(self.next.checked_sub(1)) {
            Some(line) => {
                self.next = line;
                let opening = self.opening.clone().filter(|_| line == 0).unwrap_or_default();
                self.next_line(&opening)
            }
            None => self.next_line(""),
        }
    }

    fn introduce(&mut self, who: &str) -> Vec<Act> {
        let whom = self
            .plan
            .principal
            .as_deref()
            .map_or(String::new(), |name| format!(", calling on behalf of {name}"));
        let answer = format!("{who}{whom}.");
        match self.unanswered {
            Some(line) => {
                self.next = line;
                self.next_line(&answer)
            }
            None if self.next < self.plan.lines.len() => self.next_line(&answer),
            None => vec![Act::Say(answer)],
        }
    }

    fn hand_over(&mut self) -> Vec<Act> {
        let whom = self.plan.principal.clone().unwrap_or_else(|| "the person I am calling for".to_owned());
        let say = format!(
            "I can't connect you right now. I will let {whom} know that you want to speak in person. Thank you. Goodbye."
        );
        self.end(TaskStatus::Blocked, &format!("they want to speak to {whom} in person"), &say)
    }

    fn wants(&mut self, what: &str, sure: bool) -> Vec<Act> {
        let secret = phrases::SECRETS.contains(&what);
        if let Some(fact) = self.plan.fact(what).filter(|_| !secret) {
            return vec![Act::Say(fact.to_owned())];
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
    fn lacks(&mut self) -> Vec<Act> {
        let what = self.doubtful.take().unwrap_or_default();
        let say = format!(
            "I am sorry, I do not have the {what} at hand. I will find out and call back. Thank you. Goodbye."
        );
        let missing = Missing { what: what.clone(), reason: format!("missing: {what}"), say };
        if phrases::SECRETS.contains(&what.as_str()) {
            return self.do_without(missing);
        }
        self.ask(format!("They ask for the {what}. What is it?"), missing)
    }

    /// Ask the owner, as long as that is possible.
    fn ask(&mut self, question: String, missing: Missing) -> Vec<Act> {
        if let Some((_, answer)) = self.given.iter().find(|(what, _)| *what == missing.what) {
            return vec![Act::Say(answer.clone())];
        }
        let Some(left) = self.questions_left.checked_sub(1) else { return self.do_without(missing) };
        self.questions_left = left;
        self.asking = Some(missing);
        let say = "One moment, please. I will check that.".to_owned();
        vec![Act::Say(say), Act::Tool(ToolCall::AskOwner { question: question.into() })]
    }

    fn do_without(&mut self, missing: Missing) -> Vec<Act> {
        self.end(TaskStatus::Blocked, &missing.reason, &missing.say)
    }

    /// The owner answered, or did not.
    pub fn owner_answered(&mut self, answer: Option<&str>) -> Vec<Act> {
        match (self.asking.take(), answer) {
            (Some(missing), Some(answer)) => {
                self.given.push((missing.what, answer.to_owned()));
                vec![Act::Say(answer.to_owned())]
            }
            (Some(missing), None) => self.do_without(missing),
            (None, _) => Vec::new(),
        }
    }

    /// While the owner is asked there is nothing to say to anybody, unless they have had enough.
    fn heard_meanwhile(&mut self, text: &str) -> Vec<Act> {
        match self.asking.take_if(|_| hearing::says_goodbye(text)) {
            Some(missing) => self.do_without(missing),
            None => Vec::new(),
        }
    }

    fn question(&mut self, text: &str) -> Vec<Act> {
        match self.plan.answer_to(text) {
            Some(fact) => vec![Act::Say(fact.to_owned())],
            None => {
                let say = "I am sorry, I do not have that at hand. I will find out and call back. Thank you. Goodbye.";
                let reason = format!("missing: the answer to \"{text}\"");
                self.ask(
                    format!("They ask: {text}"),
                    Missing { what: text.to_owned(), reason, say: say.to_owned() },
                )
            }
        }
    }

    fn not_understood(&mut self) -> Vec<Act> {
        // Machines mumble; a line that was cut off is simply said again.
        if self.machine != Machine::No {
            return Vec::new();
        }
        self.misheard += 1;
        if self.misheard >= Self::MISHEARD {
            let say = "I am sorry, I can't understand you well enough. I will call back. Thank you. Goodbye.";
            return self.end(TaskStatus::Unclear, "the other side could not be understood", say);
        }
        if self.unanswered.is_none() && self.next < self.plan.lines.len() {
            return self.next_line("");
        }
        vec![Act::Say(match self.misheard {
            1 => "I am sorry, I did not understand that. Could you please say it again?".to_owned(),
            _ => "I am sorry, I still did not understand. Could you say it in a few short words?".to_owned(),
        })]
    }

    fn press(&mut self, choices: &[Choice]) -> Vec<Act> {
        self.machine = Machine::Menu;
        let mut acts = Vec::new();
        if !std::mem::replace(&mut self.menu_reported, true) {
            acts.push(Act::Tool(ToolCall::ReportVoicemail { kind: AnsweredBy::Menu }));
        }
        match choose(choices, &self.plan.topic()) {
            Some(key) => acts.push(Act::Tool(ToolCall::SendDigits { digits: key.to_string().into() })),
            None => {
                self.menus_without_choice += 1;
                if self.menus_without_choice >= Self::MISHEARD {
                    let menu = "none of the choices of the phone menu fits";
                    acts.extend(self.end(TaskStatus::Blocked, menu, "Goodbye."));
                }
            }
        }
        acts
    }

    fn hold(&mut self) -> Vec<Act> {
        if std::mem::replace(&mut self.on_hold, true) {
            return Vec::new();
        }
        let talked = self.remote_talked && self.machine != Machine::Menu;
        self.machine = if talked { Machine::Hold } else { Machine::Menu };
        vec![Act::Tool(ToolCall::WaitOnHold)]
    }

    /// The conversation came to its end by itself.
    fn finish(&mut self, say: &str) -> Vec<Act> {
        let all_said = self.next >= self.plan.lines.len();
        let answer = self.answers.iter().rev().find(|answer| answer.after_line);
        let refused = |answer: &&Answer| answer.after_line && hearing::sounds_like_no(&answer.text);
        let (status, reason) = match answer {
            None => (TaskStatus::Unclear, "nothing was answered"),
            Some(_) if !all_said => (TaskStatus::Unclear, "the other side ended the conversation early"),
            Some(answer) if !answer.sure => (TaskStatus::Unclear, "answered, but not clearly heard"),
            Some(_) if self.undecided => (TaskStatus::Unclear, "a decision was asked for, and left open"),
            Some(_) if self.answers.iter().any(|answer| refused(&answer)) => {
                (TaskStatus::Unclear, "answered, perhaps with a no")
            }
            Some(_) => (TaskStatus::Achieved, "said and answered"),
        };
        self.end(status, reason, say)
    }

    fn end(&mut self, status: TaskStatus, reason: &str, say: &str) -> Vec<Act> {
        self.stage = Stage::Over;
        let result = Some(self.result(status, reason));
        self.decided = result.clone();
        vec![Act::Say(say.to_owned()), Act::Tool(ToolCall::EndCall { reason: reason.into(), result })]
    }

    /// The other side is gone: what can be said of the task, with what was heard last.
    pub fn cut_short(&mut self, heard: &[Heard]) -> Option<Claim> {
        self.heard(heard);
        if self.decided.is_some() || self.stage == Stage::Over {
            return self.decided.clone();
        }
        if let Some(missing) = self.asking.take() {
            return Some(self.result(TaskStatus::Blocked, &missing.reason));
        }
        match &self.doubtful {
            Some(what) => {
                Some(self.result(TaskStatus::Blocked, &format!("missing, as far as it was heard: {what}")))
            }
            None if self.answers.is_empty() => None,
            None => Some(self.result(TaskStatus::Unclear, "the other side ended the call early")),
        }
    }

    fn result(&self, status: TaskStatus, reason: &str) -> Claim {
        let mut summary = match status {
            TaskStatus::Achieved => String::new(),
            _ => format!("{}. ", upper_first(reason)),
        };
        let from = self.answers.len().saturating_sub(Self::QUOTES);
        let quoted = &self.answers[from..];
        for (index, answer) in quoted.iter().enumerate() {
            let said = if index == 0 { "They said:" } else { "Then:" };
            let unsure = if answer.sure { "" } else { " (not clearly heard)" };
            let _ = write!(summary, "{said} \"{}\"{unsure} ", answer.text);
        }
        if quoted.is_empty() {
            summary.push_str("There was no answer that was understood.");
        }
        let quotes = quoted.iter().map(|answer| answer.text.as_str().into()).collect();
        Claim { quotes, ..Claim::new(status, summary.trim_end()) }
    }

    /// Somebody has answered more than once: this is no machine's greeting.
    fn is_in_talk(&self) -> bool {
        self.answers.iter().filter(|answer| answer.after_line).count() > 1
    }

    /// Keep what may be quoted: small talk proves nothing.
    fn note_answers(&mut self, heard: &[Heard], meaning: &Meaning) {
        if matches!(meaning, Meaning::WhetherRobot | Meaning::WhoCalls | Meaning::Repeat) {
            return;
        }
        for heard in heard {
            let Some(text) = &heard.text else { continue };
            let small = match hearing::meaning(text) {
                Meaning::Greeting => self.next == 0 || hearing::only_hello(text),
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

fn is_sure(heard: &Heard) -> bool {
    heard.text.is_some() && heard.confidence.is_some_and(|confidence| confidence >= Script::SURE)
}

/// The choice that has most to do with `topic`, else the one that leads to a person.
fn choose(choices: &[Choice], topic: &[String]) -> Option<char> {
    const PERSON: &[&str] =
        &["operator", "representative", "agent", "receptionist", "person", "reception", "other"];
    let common = |choice: &Choice| {
        hearing::stems(choice.label.iter()).iter().filter(|stem| topic.contains(stem)).count()
    };
    let best = choices.iter().rev().max_by_key(|choice| common(choice)).filter(|choice| common(choice) > 0);
    let person =
        || choices.iter().find(|choice| choice.label.iter().any(|word| PERSON.contains(&word.as_str())));
    best.or_else(person).map(|choice| choice.key)
}
