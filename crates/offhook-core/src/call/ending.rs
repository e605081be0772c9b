//! The end of a call: hanging up, and waiting for the last words.

use super::state::{CallState, Closing, Open, Parting, Phase};
use super::{Action, Call, Direction, LegCommand, SpeechCommand};
use crate::end::EndReason;
use crate::journal::{Fact, Part};
use crate::time::Timestamp;

impl Call {
    /// End the call from our side, with what the far end needs to know.
    pub(super) fn hang_up(&mut self, now: Timestamp, reason: EndReason) {
        match &self.state {
            CallState::Ending(_) | CallState::Ended(_) => {}
            // Nothing was dialled: there is no leg to close. An inbound call has had its leg from the start.
            CallState::Preparing { .. } | CallState::Redialing { .. }
                if self.direction == Direction::Outbound =>
            {
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
        self.closed(now, |open| open.leg = false);
    }

    /// The model is gone for good. What it handed over last, an apology if it had one, is played before the hang-up.
    pub(super) fn speech_lost(&mut self, now: Timestamp, why: String) {
        let longest = self.limits.goodbye;
        if let CallState::Ending(_) = self.state {
            return self.closed(now, |open| open.speech = false);
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
        let (joined, speech_open) = match &self.state {
            CallState::Bridged(bridge) => (true, bridge.speech_open()),
            CallState::PuttingThrough(_) => (true, false),
            _ => (false, self.answered_at.is_some() && !self.speech_gone()),
        };
        self.give_up_question();
        self.cancel_agents();
        self.pin_given_up();
        self.settle_approval();
        self.claim_message();
        self.leave_hold(now);
        if !joined {
            self.actions.push_back(Action::StopPlayout);
        }
        if leg_open {
            self.actions.push_back(Action::Leg(LegCommand::HangUp { reason }));
        }
        if !joined {
            self.speech(SpeechCommand::Close);
        }
        let second = self.hang_up_second(now, reason);
        let open = Open { leg: leg_open, second, speech: speech_open };
        let wait = match open {
            Open { leg: true, .. } | Open { second: true, .. } => self.limits.close,
            Open { speech: true, .. } => self.limits.flush,
            // Only what was cut off just now is still to be told.
            _ if self.answered_at.is_some() => Parting::TAIL,
            _ => return self.finish(now, reason),
        };
        let give_up_at = now + wait;
        self.state = CallState::Ending(Closing { reason, open, ended_at: now, give_up_at });
    }

    fn speech_gone(&self) -> bool {
        matches!(&self.state, CallState::Connected(conversation)
            if matches!(&conversation.phase, Phase::Parting(parting) if parting.speech_gone))
    }

    /// Something said its last word; after the last of all the call is over.
    pub(super) fn closed(&mut self, now: Timestamp, close: impl FnOnce(&mut Open)) {
        let CallState::Ending(closing) = &mut self.state else { return };
        close(&mut closing.open);
        let (over, reason) = (closing.open.is_none(), closing.reason);
        if over {
            self.finish(now, reason);
        }
    }

    pub(super) fn finish(&mut self, now: Timestamp, reason: EndReason) {
        let ended_at = match &self.state {
            CallState::Ending(closing) => closing.ended_at,
            _ => now,
        };
        let answered = self.answered_at.is_some();
        // Of a call that was put through there is nothing to tell.
        if answered && !self.put_through {
            self.tell_answered_by();
            self.tell_result(true);
        }
        self.settle_approval();
        let talk_ms = self.call_ms(ended_at);
        let (sip_status, q850_cause) = (self.sip_status, self.q850_cause);
        self.journal(Fact::Ended { reason, answered, talk_ms, sip_status, q850_cause });
        self.state = CallState::Ended(reason);
    }
}
