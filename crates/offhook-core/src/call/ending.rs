//! The end of a call: hanging up, waiting for the last words, and what became of the task.

use super::state::{CallState, Closing, Open, Parting, Phase};
use super::{Action, Call, Claim, Direction, LegCommand, SpeechCommand};
use crate::end::EndReason;
use crate::journal::{AnsweredBy, Fact, Part, TaskStatus};
use crate::time::Timestamp;

/// What the voice said became of the task.
#[derive(Debug)]
pub(super) enum Report {
    Awaited,
    /// Said, but not all of its quotes were found yet: the transcript may lag behind the voice.
    Claimed(Claim),
    Told,
}

impl Call {
    /// End the call from our side, with what the far end needs to know.
    pub(super) fn hang_up(&mut self, now: Timestamp, reason: EndReason) {
        match &self.state {
            CallState::Ending(_) | CallState::Ended(_) => {}
            // Nothing was dialled: there is no leg to close. An inbound call has had its leg from the start.
            CallState::Preparing { .. } if self.direction == Direction::Outbound => {
                self.speech(SpeechCommand::Close);
                self.finish(now, reason);
            }
            _ => self.end(now, reason, true),
        }
    }

    /// The leg is gone, by itself or because we asked.
    pub(super) fn leg_gone(&mut self, now: Timestamp, reason: EndReason) {
        let CallState::Ending(closing) = &mut self.state else { return self.end(now, reason, false) };
        closing.give_up_at = closing.give_up_at.min(now + self.limits.flush);
        let (open, reason) = (closing.open.without_leg(), closing.reason);
        self.still_open(now, open, reason);
    }

    /// The model is gone for good. What it handed over last, an apology if it had one, is played before the hang-up.
    pub(super) fn speech_lost(&mut self, now: Timestamp, why: String) {
        let longest = self.limits.goodbye;
        if let CallState::Ending(closing) = &self.state {
            let (open, reason) = (closing.open.without_speech(), closing.reason);
            return self.still_open(now, open, reason);
        }
        self.journal(Fact::Problem { part: Part::Speech, code: "lost".to_owned(), message: why });
        let Some(conversation) = self.conversation() else {
            return self.hang_up(now, EndReason::SpeechUnavailable);
        };
        let (reason, message) = match &conversation.phase {
            Phase::Parting(parting) => (parting.reason, parting.message),
            _ => (EndReason::SpeechLost, None),
        };
        // An apology is nothing to say first.
        let told = match &conversation.phase {
            Phase::Opening(opening) => opening.words.is_handed_over(),
            Phase::Parting(_) => true,
            _ => !conversation.undisclosed,
        };
        let parting = Parting::after_last_words(reason, conversation.voice_speaking, longest, now);
        let unheard = conversation.held_since.is_some() || !told;
        self.enter(Phase::Parting(Parting { speech_gone: true, message, ..parting }), now);
        if unheard {
            // Nobody would hear it, or know who it is.
            self.hang_up(now, reason);
        }
    }

    /// Stop playing, close what is open, and wait for the last of both.
    fn end(&mut self, now: Timestamp, reason: EndReason, leg_open: bool) {
        // Without an answer nobody said anything: there is no transcript to wait for.
        let speech_open = self.answered_at.is_some() && !self.speech_gone();
        self.give_up_question();
        self.claim_message();
        self.actions.push_back(Action::StopPlayout);
        if leg_open {
            self.actions.push_back(Action::Leg(LegCommand::HangUp { reason }));
        }
        self.speech(SpeechCommand::Close);
        let (open, wait) = match (leg_open, speech_open) {
            (true, true) => (Open::LegAndSpeech, self.limits.close),
            (true, false) => (Open::Leg, self.limits.close),
            (false, true) => (Open::Speech, self.limits.flush),
            // Only what was cut off just now is still to be told.
            (false, false) if self.answered_at.is_some() => (Open::Speech, Parting::TAIL),
            (false, false) => return self.finish(now, reason),
        };
        let give_up_at = now + wait;
        self.state = CallState::Ending(Closing { reason, open, ended_at: now, give_up_at });
    }

    fn speech_gone(&self) -> bool {
        matches!(&self.state, CallState::Connected(conversation)
            if matches!(&conversation.phase, Phase::Parting(parting) if parting.speech_gone))
    }

    fn still_open(&mut self, now: Timestamp, open: Option<Open>, reason: EndReason) {
        match (open, &mut self.state) {
            (Some(open), CallState::Ending(closing)) => closing.open = open,
            _ => self.finish(now, reason),
        }
    }

    pub(super) fn finish(&mut self, now: Timestamp, reason: EndReason) {
        let ended_at = match &self.state {
            CallState::Ending(closing) => closing.ended_at,
            _ => now,
        };
        let answered = self.answered_at.is_some();
        if answered {
            self.tell_answered_by();
            self.tell_result(true);
        }
        let talk_ms = self.call_ms(ended_at);
        let (sip_status, q850_cause) = (self.sip_status, self.q850_cause);
        self.journal(Fact::Ended { reason, answered, talk_ms, sip_status, q850_cause });
        self.state = CallState::Ended(reason);
    }

    /// If nobody said that it was a machine, whoever spoke counts as a person.
    fn tell_answered_by(&mut self) {
        if self.answered_by.is_none() {
            let spoke = self.turns.remote_spoke();
            self.answered_by(if spoke { AnsweredBy::Human } else { AnsweredBy::Unknown });
        }
    }

    pub(super) fn answered_by(&mut self, answered_by: AnsweredBy) {
        self.answered_by = Some(answered_by);
        self.journal(Fact::AnsweredByDetected { answered_by });
    }

    /// Take what the voice says became of the task; only the first time counts.
    pub(super) fn claim(&mut self, claim: Claim) {
        if let Report::Awaited = self.report {
            self.report = Report::Claimed(claim);
            self.tell_result(false);
        }
    }

    /// Journal the result once its evidence is found in the transcript, or at the end with what there is: words that
    /// nobody said are no evidence.
    pub(super) fn tell_result(&mut self, at_the_end: bool) {
        let (claim, evidence_turns) = match &self.report {
            Report::Told => return,
            Report::Awaited if at_the_end => (&unreported(), Vec::new()),
            Report::Awaited => return,
            Report::Claimed(claim) => match self.turns.evidence(&claim.quotes) {
                (_, false) if !at_the_end => return,
                (turns, _) => (claim, turns),
            },
        };
        let (status, summary) = self.with_missing(claim);
        self.journal(Fact::Result { status, summary, evidence_turns });
        self.report = Report::Told;
    }
}

impl Call {
    /// The claim, with everything named that was asked of the owner and not answered: that is what stood in the way,
    /// unless the goal was reached without.
    fn with_missing(&self, claim: &Claim) -> (TaskStatus, String) {
        let (mut status, mut summary) = (claim.status, claim.summary.to_string());
        if status == TaskStatus::Done {
            return (status, summary);
        }
        for question in &self.missing {
            if status == TaskStatus::Unclear {
                status = TaskStatus::Blocked;
            }
            if !summary.contains(question.as_str()) {
                summary.push_str(" Missing: ");
                summary.push_str(question);
            }
        }
        (status, summary)
    }
}

fn unreported() -> Claim {
    Claim {
        status: TaskStatus::Unclear,
        summary: "The call ended before the voice reported a result; the transcript shows how far it came."
            .into(),
        quotes: Vec::new(),
    }
}
