//! A conversation without a model: a fixed course, by keywords. It passes on and writes down, and commits to nothing.
//!
//! It says the lines of its [`Plan`] one turn at a time, answers with facts it was given, thanks, and says goodbye. What
//! stands in the way ends the call with a result that names it. Every result is made of quotes.

mod asking;
mod connecting;
mod machine;
mod report;
mod serving;

use offhook_core::brief::{Brief, Commit, PriorWith, ResultField, Role};
use offhook_core::call::{Claim, Shown, ToolCall, ToolCallId, is_answer};
use offhook_core::journal::{AnsweredBy, BlockerKind, TaskStatus};

use super::hearing::{self, Choice, Meaning};
use super::plan::Plan;
use super::{Act, Heard};
use crate::local::mouth::Cut;
use asking::Missing;
use connecting::Connecting;
use machine::Machine;
use report::{Answer, Verdict};

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
    /// The turns that were heard last.
    last_heard: Vec<String>,
    answers: Vec<Answer>,
    /// What the result is to name, each by itself.
    fields: Vec<ResultField>,
    /// Asked for and not at hand, but not certainly heard.
    doubtful: Option<String>,
    /// They want to know yes or no, which is not ours to say: what they asked.
    undecided: Option<String>,
    asked_to_commit: Vec<String>,
    commitments: Vec<Shown>,
    misheard: u32,
    machine: Machine,
    on_hold: bool,
    /// A person has spoken.
    remote_talked: bool,
    /// What was reported to have answered.
    reported: Option<AnsweredBy>,
    /// The menus heard, and how often a key was pressed in each.
    menus: Vec<(Vec<Choice>, u32)>,
    menus_without_choice: u32,
    times_screened: u32,
    /// How often the owner may still be asked.
    questions_left: u32,
    /// Whether it may be asked for a yes that costs or binds.
    may_commit: bool,
    /// Whether agents can be asked, too.
    has_agents: bool,
    /// The person on the line is the one it is there for: what they say goes to an agent.
    serves: bool,
    /// What the owner, or an agent, is being asked for.
    asking: Option<Missing>,
    /// What it answered before, by what that was asked for.
    given: Vec<(String, String)>,
    /// What they were told.
    told: Vec<String>,
    connecting: Connecting,
    /// The last tool whose refusal changes what to do.
    awaited: Option<(ToolCallId, Awaited)>,
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    Keys,
    User,
    Agent,
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
    /// The owner is asked no more often.
    const QUESTIONS: u32 = 3;

    pub fn new(brief: &Brief) -> Self {
        let mut plan = Plan::new(&brief.task);
        if plan.principal.is_none() {
            let greeting = brief.greeting.as_deref().unwrap_or_default();
            plan.principal = Plan::new(greeting).principal;
        }
        if let Some(prior) = &brief.prior {
            plan.know(prior.supplied.as_deref().unwrap_or_default());
            if prior.with != PriorWith::SomebodyElse {
                plan.call_back();
            }
        }
        if brief.role == Role::Assistant && brief.task.trim().is_empty() {
            plan.lines.push(serving::OFFER.to_owned());
        }
        Self {
            plan,
            opening: None,
            stage: Stage::Waiting,
            next: 0,
            unanswered: None,
            early: Vec::new(),
            last_heard: Vec::new(),
            answers: Vec::new(),
            fields: brief.fields.clone(),
            doubtful: None,
            undecided: None,
            asked_to_commit: Vec::new(),
            commitments: Vec::new(),
            misheard: 0,
            machine: Machine::No,
            on_hold: false,
            remote_talked: false,
            reported: None,
            menus: Vec::new(),
            menus_without_choice: 0,
            times_screened: 0,
            questions_left: if brief.ask_owner.is_some() { Self::QUESTIONS } else { 0 },
            may_commit: brief.commit != Commit::Never,
            has_agents: brief.agents.is_some(),
            serves: brief.agents.is_some() && brief.role == Role::Assistant,
            asking: None,
            given: Vec::new(),
            told: Vec::new(),
            connecting: Connecting::new(brief),
            awaited: None,
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
        let meanings: Vec<Meaning> =
            early.iter().filter_map(|heard| heard.text.as_deref()).map(hearing::meaning).collect();
        if meanings.contains(&Meaning::Screening) {
            // Who is calling is being said; why comes after it.
            return self.screened("");
        }
        let machine = meanings
            .iter()
            .any(|meaning| matches!(meaning, Meaning::Voicemail | Meaning::Menu(_) | Meaning::Hold));
        match machine {
            true => self.heard(&early),
            // They said hello before; our first line follows the opening.
            false => Vec::new(),
        }
    }

    /// How long nobody must have spoken before [`Self::go_on`]; `None` while it is the remote's turn.
    pub fn patience_ms(&self, remote_has_spoken: bool) -> Option<u64> {
        if self.waits_for_somebody() {
            return None;
        }
        match (self.stage, self.machine) {
            (Stage::Talking | Stage::Thanked, Machine::No) if self.connecting == Connecting::Failed => {
                Some(Self::GOODBYE_MS)
            }
            (Stage::Talking, Machine::No) if self.next == 0 && remote_has_spoken => {
                Some(Self::GO_ON_AFTER_HELLO_MS)
            }
            (Stage::Talking, Machine::No) if self.next == 0 => Some(Self::GO_ON_MS),
            (Stage::Thanked, Machine::No) => Some(Self::GOODBYE_MS),
            _ => None,
        }
    }

    /// The owner thinks, or the user's phone rings.
    fn waits_for_somebody(&self) -> bool {
        self.asking.is_some() || self.connecting.is_under_way()
    }

    /// Nobody has spoken for a while.
    pub fn go_on(&mut self) -> Vec<Act> {
        if let Some(acts) = self.without_user() {
            return acts;
        }
        match self.stage {
            Stage::Talking => self.next_line(""),
            Stage::Thanked => self.finish("That is all. Thank you. Goodbye."),
            Stage::Waiting | Stage::Over => Vec::new(),
        }
    }

    /// The call will be cut off soon.
    pub fn wrap_up(&mut self) -> Vec<Act> {
        match (self.stage, self.machine) {
            (Stage::Talking | Stage::Thanked, Machine::No) if !self.connecting.is_under_way() => {
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
        let texts: Vec<&str> = heard.iter().filter_map(|heard| heard.text.as_deref()).collect();
        let text = texts.join(" ");
        if text.is_empty() {
            return if self.waits_for_somebody() { Vec::new() } else { self.not_understood() };
        }
        self.misheard = 0;
        if self.connecting.is_under_way() {
            return self.heard_while_connecting(&text);
        }
        if self.asking.is_some() {
            return self.heard_meanwhile(&text);
        }
        self.last_heard = texts.into_iter().map(str::to_owned).collect();
        let sure = heard.iter().all(is_sure);
        let meaning = hearing::meaning(&text);
        if let Some(acts) = self.by_machine(&meaning, &text) {
            return acts;
        }
        self.note_answers(heard, &meaning);
        if let Some(acts) = self.without_user() {
            return acts;
        }
        self.by_person(meaning, &text, sure)
    }

    /// A tool is called under this id.
    pub fn called(&mut self, id: ToolCallId, tool: &ToolCall) {
        match tool {
            ToolCall::SendDigits { .. } => self.awaited = Some((id, Awaited::Keys)),
            ToolCall::LoopInUser { .. } => self.awaited = Some((id, Awaited::User)),
            ToolCall::InvokeAgent { .. } => self.awaited = Some((id, Awaited::Agent)),
            _ => {}
        }
    }

    /// That tool was answered. Where it is our turn then, it did not do what it was for; but for an agent, whose answer
    /// that is.
    pub fn tool_answered(&mut self, id: ToolCallId, output: &str, our_turn: bool) -> Vec<Act> {
        let Some((_, awaited)) = self.awaited.filter(|(awaited, _)| *awaited == id) else {
            return Vec::new();
        };
        if awaited != Awaited::Agent && !our_turn {
            return Vec::new();
        }
        self.awaited = None;
        match awaited {
            Awaited::Agent => self.owner_answered(Some(output).filter(|output| is_answer(output))),
            Awaited::Keys if self.machine == Machine::Front && self.stage != Stage::Over => {
                self.stuck(machine::COMES_BACK)
            }
            Awaited::User if self.connecting.is_under_way() => {
                self.not_connected("I can't connect you right now.")
            }
            Awaited::Keys | Awaited::User => Vec::new(),
        }
    }

    fn by_person(&mut self, meaning: Meaning, text: &str, sure: bool) -> Vec<Act> {
        self.on_hold = false;
        self.remote_talked = true;
        // After a machine or a hold this may be somebody new, who has not been told yet who is calling and why.
        match std::mem::replace(&mut self.machine, Machine::No) {
            Machine::No => self.reply(meaning, text, sure),
            Machine::Hold if !hearing::offers_help(text) => {
                let mut acts = self.reply(meaning, text, sure);
                if let (Some(Act::Say(say)), Some(opening)) = (acts.first_mut(), &self.opening) {
                    *say = format!("{opening} {say}");
                }
                acts
            }
            Machine::Front | Machine::Hold => {
                let opening = self.opening.clone().unwrap_or_default();
                self.next = self.unanswered.take().unwrap_or(self.next);
                self.next_line(&opening)
            }
        }
    }

    fn reply(&mut self, meaning: Meaning, text: &str, sure: bool) -> Vec<Act> {
        let goodbye = hearing::says_goodbye(text);
        if self.serves
            && let Some(acts) = self.serve(&meaning, text, sure, goodbye)
        {
            return acts;
        }
        match meaning {
            Meaning::WrongNumber => {
                let verdict = Verdict::new(TaskStatus::Failed, "wrong number");
                let verdict =
                    verdict.because(BlockerKind::WrongNumber, "it is a wrong number", &self.last_heard);
                self.end(verdict, "I am sorry to have disturbed you. Goodbye.")
            }
            Meaning::NotWanted => {
                let verdict = Verdict::new(TaskStatus::Failed, "does not want the call");
                let verdict =
                    verdict.because(BlockerKind::Refused, "they do not want the call", &self.last_heard);
                self.end(verdict, "I understand. I am sorry to have disturbed you. Goodbye.")
            }
            Meaning::Handoff => self.hand_over(),
            Meaning::Wants(what) => self.wants(&what, sure || goodbye),
            Meaning::WhetherRobot => self.introduce("Yes, I am an AI assistant"),
            Meaning::WhoCalls => self.introduce("I am an AI assistant"),
            Meaning::Repeat => self.repeat(),
            Meaning::Question if sure => self.question(text),
            _ if self.doubtful.is_some() && (goodbye || meaning != Meaning::Talk) => self.lacks(),
            Meaning::Greeting if hearing::only_hello(text) && self.unanswered.is_some() => self.repeat(),
            Meaning::Commit => self.asked_for_a_yes(text, true),
            _ if goodbye => self.finish("Thank you. Goodbye."),
            Meaning::Decision => self.asked_for_a_yes(text, false),
            _ => self.answered(),
        }
    }

    /// The remote answered, or said something to answer to: on with the next line, then thanks, then goodbye.
    fn answered(&mut self) -> Vec<Act> {
        if self.stage == Stage::Thanked {
            return self.finish("That is all. Thank you. Goodbye.");
        }
        if self.next < self.plan.lines.len() {
            let thanks = if self.unanswered.take().is_some() { "Thank you." } else { "" };
            return self.next_line(thanks);
        }
        self.unanswered = None;
        self.stage = Stage::Thanked;
        let whom = self.to_whom();
        vec![Act::Say(format!("Thank you. I have noted that, and will pass it on{whom}."))]
    }

    fn to_whom(&self) -> String {
        self.plan.principal.as_deref().map_or(String::new(), |name| format!(" to {name}"))
    }

    fn whom(&self) -> String {
        self.plan.principal.clone().unwrap_or_else(|| "the person I am calling for".to_owned())
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

    fn not_understood(&mut self) -> Vec<Act> {
        // Machines mumble; a line that was cut off is simply said again.
        if self.machine != Machine::No {
            return Vec::new();
        }
        self.misheard += 1;
        if self.misheard >= Self::MISHEARD {
            let verdict = Verdict::new(TaskStatus::Unclear, "the other side could not be understood");
            let say = "I am sorry, I can't understand you well enough. I will call back. Thank you. Goodbye.";
            return self.end(verdict, say);
        }
        if self.unanswered.is_none() && self.next < self.plan.lines.len() {
            return self.next_line("");
        }
        vec![Act::Say(match self.misheard {
            1 => "I am sorry, I did not understand that. Could you please say it again?".to_owned(),
            _ => "I am sorry, I still did not understand. Could you say it in a few short words?".to_owned(),
        })]
    }
}

fn is_sure(heard: &Heard) -> bool {
    heard.text.is_some() && heard.confidence.is_some_and(|confidence| confidence >= Script::SURE)
}
