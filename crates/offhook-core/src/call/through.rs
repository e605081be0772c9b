//! A caller who is put through: the user's own phone rings, and with its answer the two hear each other.
//!
//! There is no voice, nothing is recorded, and nothing of what they say is written down. The caller hears it ring until
//! the user picks up, and is turned away as the user's phone turns us away.

use super::handoff::{Bridge, why_not};
use super::state::{CallState, Due};
use super::{Action, Call, Direction, Input, LegCommand, LegEvent, Limits, SpeechCommand};
use crate::brief::Brief;
use crate::end::EndReason;
use crate::journal::{Fact, HandoffBy, HandoffFailure, Party};
use crate::policy::HandoffAllow;
use crate::time::Timestamp;

/// The user's phone is dialled, and the caller's has not been answered yet.
#[derive(Debug)]
pub struct Through {
    give_up_at: Timestamp,
    rang: bool,
    answered: bool,
    media_up: bool,
    /// The caller's phone was told that we answer.
    answering: bool,
    /// The user's leg has not said its last word.
    user_open: bool,
    why_not: Option<HandoffFailure>,
}

/// Where there never was a voice, nothing it could have said or heard matters.
pub(super) fn is_of_the_voice(input: &Input) -> bool {
    matches!(input, Input::Speech(_) | Input::Pump(_) | Input::CutOff(_) | Input::Beep | Input::Sound(_))
}

impl Through {
    pub(super) fn next(&self) -> (Timestamp, Due) {
        (self.give_up_at, Due::HangUp(EndReason::PolicyRingLimit))
    }
}

impl Call {
    /// A call that reached us, and is for the user alone.
    pub fn put_through(brief: Brief, to: HandoffAllow, limits: Limits, now: Timestamp) -> Self {
        let through = Through {
            give_up_at: now + limits.user_ring,
            rang: false,
            answered: false,
            media_up: false,
            answering: false,
            user_open: true,
            why_not: None,
        };
        let mut call = Self::new(Direction::Inbound, brief, limits, now);
        call.state = CallState::PuttingThrough(through);
        call.put_through = true;
        call.turns.end(0);
        call.speech(SpeechCommand::Close);
        call.journal(Fact::HandoffAsked { by: HandoffBy::Passthrough, warm: false });
        call.actions.push_back(Action::DialSecond { to });
        call
    }

    pub(super) fn handle_through(&mut self, now: Timestamp, input: Input) {
        match input {
            Input::Command(command) => self.handle_command(now, command),
            Input::Second(event) => self.user_through(now, event),
            Input::Leg(event) => self.caller_through(now, event),
            Input::Problem { part, code, message } => self.journal(Fact::Problem { part, code, message }),
            _ => {}
        }
        self.check_deadlines(now);
    }

    fn through(&mut self) -> Option<&mut Through> {
        match &mut self.state {
            CallState::PuttingThrough(through) => Some(through),
            _ => None,
        }
    }

    fn user_through(&mut self, now: Timestamp, event: LegEvent) {
        let Some(through) = self.through() else { return };
        match event {
            LegEvent::Ringing { .. } => {
                if !std::mem::replace(&mut through.rang, true) {
                    self.journal(Fact::HandoffRinging {});
                }
            }
            LegEvent::Answered { .. } => {
                if !std::mem::replace(&mut through.answered, true) {
                    self.journal(Fact::HandoffAnswered {});
                }
                self.answer_caller();
            }
            LegEvent::MediaUp { .. } => {
                through.media_up = true;
                self.answer_caller();
            }
            LegEvent::Failed(failure) => self.user_gone(now, why_not(failure.reason), failure.reason),
            LegEvent::HungUp { .. } | LegEvent::Closed | LegEvent::Lost => {
                self.user_gone(now, HandoffFailure::Failed, EndReason::RemoteUnreachable);
            }
            LegEvent::MediaLost => self.hang_up(now, EndReason::CarrierMediaLost),
            LegEvent::Digit(_) | LegEvent::DigitsSent | LegEvent::Held | LegEvent::Resumed => {}
        }
    }

    /// The user is there and can hear: the two come in either order.
    fn answer_caller(&mut self) {
        let Some(through) = self.through() else { return };
        if through.answered && through.media_up && !std::mem::replace(&mut through.answering, true) {
            self.actions.push_back(Action::Leg(LegCommand::Answer));
        }
    }

    /// The caller learns what the user's phone said.
    fn user_gone(&mut self, now: Timestamp, why_not: HandoffFailure, reason: EndReason) {
        if let Some(through) = self.through() {
            through.user_open = false;
            through.why_not = Some(why_not);
        }
        self.hang_up(now, reason);
    }

    fn caller_through(&mut self, now: Timestamp, event: LegEvent) {
        match event {
            LegEvent::Answered { sip_call_id } => self.joined_through(now, sip_call_id),
            LegEvent::MediaUp { format, encrypted } => {
                self.journal(Fact::MediaUp { codec: format.name().to_owned(), encrypted });
            }
            LegEvent::HungUp { q850_cause } => {
                self.q850_cause = self.q850_cause.or(q850_cause);
                self.leg_gone(now, EndReason::RemoteHungUp);
            }
            LegEvent::Failed(_) | LegEvent::Closed | LegEvent::Lost => {
                self.leg_gone(now, EndReason::CarrierLost);
            }
            _ => {}
        }
    }

    /// Without a moment in which anybody else could hear.
    fn joined_through(&mut self, now: Timestamp, sip_call_id: Option<String>) {
        self.answered_at = Some(now);
        self.journal(Fact::Answered { sip_call_id });
        self.journal(Fact::HandoffJoined {});
        self.actions.extend([Action::Join, Action::Connect]);
        self.state = CallState::Bridged(Bridge::without_voice(now, now + self.limits.bridged));
    }

    /// The call ends before anybody was joined: whether the user's leg is open, which is told so.
    pub(super) fn hang_up_through(&mut self, by: Party, reason: EndReason) -> bool {
        let Some(through) = self.through() else { return false };
        let (open, why_not) = (through.user_open, through.why_not);
        let why_not = why_not.unwrap_or(match (by, reason) {
            (Party::Remote, _) => HandoffFailure::RemoteLeft,
            (_, EndReason::PolicyRingLimit) => HandoffFailure::NoAnswer,
            _ => HandoffFailure::Cancelled,
        });
        self.journal(Fact::HandoffFailed { why_not });
        if open {
            self.actions.push_back(Action::Second(LegCommand::HangUp { reason }));
        }
        open
    }
}
