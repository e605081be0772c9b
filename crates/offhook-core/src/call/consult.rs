//! Asking the owner back: a question stands on the call while the conversation goes on, for a while.
//!
//! Nobody waits in silence for it. The voice is told at once that the question is on its way, and says so; the answer, or
//! that there is none, reaches it as a note. What was never answered is named in the result.

use std::time::Duration;

use super::state::{Due, Phase, Quiet};
use super::steer::NotNow;
use super::{AgentTask, Call, SpeechCommand, ToolCallId};
use crate::journal::{AgentFailure, Fact};
use crate::time::Timestamp;
use crate::words::Words;

/// What was asked of the owner in a call.
#[derive(Debug, Default)]
pub(super) struct Consult {
    open: Option<Question>,
    asked: u32,
}

#[derive(Debug)]
struct Question {
    id: u32,
    text: Words,
    answer_by: Timestamp,
    /// Of the work that the owner was given by it.
    task: Option<AgentTask>,
}

impl Consult {
    /// Of silence, until the other side is told that it takes a moment more.
    const STILL: Duration = Duration::from_secs(20);
    /// A question is a sentence or two.
    const LONGEST: usize = 500;

    pub fn next(&self) -> Option<(Timestamp, Due)> {
        self.open.as_ref().map(|question| (question.answer_by, Due::Unanswered))
    }

    /// When to break a silence in which an answer is awaited; `None` when none is.
    pub fn still_asking(&self, quiet: Quiet) -> Option<(Timestamp, Due)> {
        let (Quiet::Since(at) | Quiet::Asked(at)) = quiet;
        let at = at + Self::STILL;
        let soon_over = |question: &Question| question.answer_by <= at + Self::STILL / 4;
        self.open.as_ref().filter(|question| !soon_over(question)).map(|_| (at, Due::StillAsking))
    }

    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Why an answer is of no use.
    pub fn refusal(&self, question_id: Option<u32>) -> Option<NotNow> {
        match &self.open {
            None => Some(NotNow::NoQuestion),
            Some(open) if question_id.is_some_and(|id| id != open.id) => Some(NotNow::OtherQuestion),
            Some(_) => None,
        }
    }
}

const TOOL: &str = "ask_owner";
const ASKED: &str = "asked; say in a few words that you are checking and need a moment, then wait. The answer comes \
                     to you as a note. Until then do not guess, and do not ask again";

impl Call {
    pub(super) fn ask_owner(&mut self, now: Timestamp, id: ToolCallId, question: &str) {
        let Some(patience) = self.brief.ask_owner else {
            let why =
                "nobody can be asked on this call; say that you do not have it at hand and will call back";
            return self.tool_answered(id, TOOL, why, true);
        };
        let Some(conversation) = self.conversation() else { return };
        if let Phase::AwaitingBeep { .. } | Phase::Parting(_) = conversation.phase {
            return self.tool_answered(id, TOOL, "not asked: the call is ending", false);
        }
        match self.put_question(now, question, patience, None) {
            Ok(()) => {
                let respond = self.conversation().is_some_and(|conversation| conversation.has_company());
                self.tool_answered(id, TOOL, ASKED, respond);
            }
            Err(why) => self.tool_answered(id, TOOL, why, true),
        }
    }

    /// Ask the owner, or say why not; `task` is the work that their answer is the result of.
    pub(super) fn put_question(
        &mut self,
        now: Timestamp,
        question: &str,
        patience: Duration,
        task: Option<AgentTask>,
    ) -> Result<(), &'static str> {
        let consults = self.limits.consults;
        let Some(conversation) = self.conversation() else { return Err("not asked: the call is ending") };
        let question = question.trim();
        let consult = &mut conversation.consult;
        let why = match () {
            () if question.is_empty() => "not asked: say what you need to know",
            () if question.chars().count() > Consult::LONGEST => "not asked: ask in one short sentence",
            () if consult.is_open() => "not asked: the question before is still open",
            () if consult.asked >= consults => {
                "not asked: you have asked often enough; say that you do not have it at hand and will call back"
            }
            () => "",
        };
        if !why.is_empty() {
            return Err(why);
        }
        consult.asked += 1;
        let question_id = consult.asked;
        consult.open =
            Some(Question { id: question_id, text: question.into(), answer_by: now + patience, task });
        conversation.quiet = Quiet::Since(now);
        let answer_within_ms = patience.as_millis().min(u32::MAX.into()) as u32;
        self.journal(Fact::OwnerAsked { question_id, question: question.to_owned(), answer_within_ms });
        Ok(())
    }

    pub(super) fn owner_answers(&mut self, now: Timestamp, answer: Words) {
        let open = self.conversation().and_then(|conversation| conversation.consult.open.take());
        if let Some(Question { id, text, task, .. }) = open {
            self.journal(Fact::OwnerAnswered { question_id: id, answer: answer.to_string() });
            match task {
                Some(task) => self.agent_answered(now, task, answer),
                None => self.tell_answer(now, text, Some(answer)),
            }
        }
    }

    /// Nobody answered in time.
    pub(super) fn unanswered(&mut self, now: Timestamp) {
        match self.give_up_question() {
            Some((_, Some(task))) => self.agent_failed(now, task, AgentFailure::TimedOut),
            Some((question, None)) => self.tell_answer(now, question, None),
            None => {}
        }
    }

    /// An answer would come too late now; the question, if one was open, and whose work it was.
    pub(super) fn give_up_question(&mut self) -> Option<(Words, Option<AgentTask>)> {
        let open = self.conversation().and_then(|conversation| conversation.consult.open.take());
        let Question { id, text, task, .. } = open?;
        self.journal(Fact::OwnerSilent { question_id: id });
        self.missing.push(text.clone());
        Some((text, task))
    }

    /// Who is speaking is not interrupted for it: the voice's next turn has it in mind.
    fn tell_answer(&mut self, now: Timestamp, question: Words, answer: Option<Words>) {
        let Some(conversation) = self.conversation() else { return };
        conversation.quiet = Quiet::Since(now);
        let respond = conversation.may_speak();
        self.speech(SpeechCommand::OwnerAnswered { question, answer, respond });
    }

    /// Whoever waits for us is told that we are still at it.
    pub(super) fn still_asking(&mut self, now: Timestamp) {
        let text = self.brief.fixed_words().one_moment.into();
        if let Some(conversation) = self.conversation() {
            if conversation.undisclosed {
                return self.open(now);
            }
            conversation.quiet = Quiet::Since(now);
            self.speech(SpeechCommand::Say { text });
        }
    }
}
