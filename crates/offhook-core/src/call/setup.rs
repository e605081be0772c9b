//! From the first request to the answer.

use super::state::{CallState, Conversation};
use super::{Action, Call, DialFailure, Direction, LegCommand};
use crate::brief::Opening;
use crate::end::EndReason;
use crate::journal::{Fact, Part};
use crate::time::Timestamp;

impl Call {
    pub(super) fn speech_ready(&mut self, now: Timestamp, model: String) {
        let CallState::Preparing { .. } = self.state else { return };
        self.journal(Fact::SpeechReady { model });
        self.state = CallState::Dialing { give_up_at: now + self.limits.ring };
        self.actions.push_back(match self.direction {
            Direction::Outbound => Action::Dial,
            Direction::Inbound => Action::Leg(LegCommand::Answer),
        });
    }

    pub(super) fn ringing(&mut self, early_media: bool) {
        if let CallState::Dialing { give_up_at } = self.state {
            self.state = CallState::Ringing { give_up_at };
            self.journal(Fact::Ringing { early_media });
        }
    }

    pub(super) fn answered(&mut self, now: Timestamp, sip_call_id: Option<String>) {
        if !matches!(self.state, CallState::Dialing { .. } | CallState::Ringing { .. }) {
            return;
        }
        self.answered_at = Some(now);
        self.journal(Fact::Answered { sip_call_id });
        self.journal(Fact::RecordingStarted {});
        self.actions.push_back(Action::Connect);
        let speak_at = match self.brief.opening {
            Opening::SpeakFirst => now,
            Opening::ListenFirst { deadline } => now + deadline,
        };
        let conversation = Conversation::new(speak_at, self.discloses(), &self.limits, now);
        self.state = CallState::Connected(conversation);
    }

    /// A dial request that certainly never left this machine is made once more, later: nothing rang anywhere, and who
    /// placed the call could do no better.
    fn may_redial(&self, reason: EndReason) -> bool {
        let never_left = matches!(reason, EndReason::CarrierUnreachable | EndReason::CarrierNoLine);
        let dialing = matches!(self.state, CallState::Dialing { .. });
        let may = self.limits.redials > 0 && !self.dial_retried;
        never_left && dialing && may && self.direction == Direction::Outbound
    }

    fn redial_later(&mut self, now: Timestamp, reason: EndReason) {
        self.dial_retried = true;
        self.journal(Fact::DialRetried { reason });
        let wait = match reason {
            EndReason::CarrierNoLine => self.limits.redial_no_line,
            _ => self.limits.redial,
        };
        self.state = CallState::Redialing { dial_at: now + wait };
    }

    pub(super) fn redial(&mut self, now: Timestamp) {
        self.state = CallState::Dialing { give_up_at: now + self.limits.ring };
        self.actions.push_back(Action::Dial);
    }

    pub(super) fn dial_failed(&mut self, now: Timestamp, failure: DialFailure) {
        self.sip_status = self.sip_status.or(failure.sip_status);
        self.q850_cause = self.q850_cause.or(failure.q850_cause);
        if !matches!(self.state, CallState::Ending(_)) && !failure.detail.is_empty() {
            let code = failure.reason.code().to_owned();
            self.journal(Fact::Problem { part: Part::Leg, code, message: failure.detail });
        }
        if self.may_redial(failure.reason) {
            return self.redial_later(now, failure.reason);
        }
        self.leg_gone(now, failure.reason);
    }
}
