//! Where a call is, and when it can't stay there any longer.

use super::{Action, Call, DialFailure, Direction, LegCommand, Limits, SpeechCommand, ToolCallId};
use crate::brief::Opening;
use crate::end::EndReason;
use crate::journal::{Fact, Part};
use crate::time::Timestamp;

/// Where a call is. Why it ended is [`EndReason`], never a state.
#[derive(Debug)]
pub enum CallState {
    /// The speech model is being opened. Nothing was dialled; an inbound call is still ringing at us.
    Preparing {
        give_up_at: Timestamp,
    },
    /// The dial request is out.
    Dialing {
        give_up_at: Timestamp,
    },
    /// The remote's phone rings.
    Ringing {
        give_up_at: Timestamp,
    },
    Connected(Conversation),
    /// Leg and model are being closed; the last words may still arrive.
    Ending(Closing),
    Ended(EndReason),
}

/// What is going on in a connected call.
#[derive(Debug)]
pub struct Conversation {
    pub(super) cut_off_at: Timestamp,
    /// A last chance to wrap up was given.
    pub(super) warned: bool,
    pub(super) opening: OpeningState,
    /// When anybody spoke last; after the question whether anybody is there, as if it had not been asked.
    pub(super) quiet_since: Timestamp,
    pub(super) asked_if_there: bool,
    pub(super) remote_speaking: bool,
    pub(super) voice_speaking: bool,
    /// The voice waits for a person to come back.
    pub(super) on_hold_since: Option<Timestamp>,
    /// The far end put the leg on hold.
    pub(super) held_since: Option<Timestamp>,
    /// A digits tool call waits for the leg to have sent them.
    pub(super) sending_digits: Option<(ToolCallId, String)>,
    /// When a machine's beep was heard last: it may sound before anybody knows that it is a machine.
    pub(super) beep_at: Option<Timestamp>,
    /// A machine answered; its beep is awaited until then.
    pub(super) beep_by: Option<Timestamp>,
    /// The call ends once the last words were played.
    pub(super) goodbye: Option<Goodbye>,
}

/// How a call comes to its end.
#[derive(Clone, Copy, Debug)]
pub struct Goodbye {
    pub(super) reason: EndReason,
    /// When to hang up, as far as it is known: the words may still be on their way.
    pub(super) by: Timestamp,
    pub(super) at_latest: Timestamp,
}

/// How far the first words of the voice are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpeningState {
    /// The remote may say hello until then.
    Listening {
        speak_at: Timestamp,
    },
    /// The first sentence, with its disclosure, must be heard: it can't be interrupted away.
    Speaking,
    Done,
}

#[derive(Debug)]
pub struct Closing {
    pub(super) reason: EndReason,
    pub(super) leg_closed: bool,
    pub(super) speech_closed: bool,
    pub(super) ended_at: Timestamp,
    pub(super) give_up_at: Timestamp,
}

impl CallState {
    pub(super) fn deadline(&self, limits: &Limits) -> Option<Timestamp> {
        match self {
            Self::Preparing { give_up_at } | Self::Dialing { give_up_at } | Self::Ringing { give_up_at } => {
                Some(*give_up_at)
            }
            Self::Connected(conversation) => Some(conversation.deadline(limits)),
            Self::Ending(closing) => Some(closing.give_up_at),
            Self::Ended(_) => None,
        }
    }
}

impl Conversation {
    fn deadline(&self, limits: &Limits) -> Timestamp {
        let speak_at = match self.opening {
            OpeningState::Listening { speak_at } if !self.remote_speaking => Some(speak_at),
            _ => None,
        };
        let hold_end = self.waiting_since().map(|since| since + limits.hold);
        let goodbye_by = self.goodbye.map(|goodbye| goodbye.by);
        [speak_at, self.silence_deadline(limits), hold_end, goodbye_by, self.beep_by, self.wrap_up_at()]
            .into_iter()
            .flatten()
            .fold(self.cut_off_at, Timestamp::min)
    }

    /// When the silence becomes too long: first for a question, then for the call.
    fn silence_deadline(&self, limits: &Limits) -> Option<Timestamp> {
        let excused = self.voice_speaking || self.waiting_since().is_some() || self.goodbye.is_some();
        if excused || self.beep_by.is_some() {
            return None;
        }
        // Comfort noise or a television must not pass for a person who speaks for minutes on end.
        let limit = if self.remote_speaking { limits.silence * 4 } else { limits.silence };
        Some(self.quiet_since + if self.asked_if_there { limit } else { limit / 2 })
    }

    /// Since when there is nobody to talk to, whoever put us on hold and however.
    fn waiting_since(&self) -> Option<Timestamp> {
        [self.on_hold_since, self.held_since].into_iter().flatten().min()
    }

    /// When to tell the voice that time is nearly up; calls of under two minutes are cut off without.
    fn wrap_up_at(&self) -> Option<Timestamp> {
        (!self.warned).then(|| self.cut_off_at - Call::WRAP_UP)
    }
}

impl Call {
    /// How long before the talk limit the voice is told to come to an end.
    pub(super) const WRAP_UP: std::time::Duration = std::time::Duration::from_secs(30);

    /// How long after its last frame the voice's last word may still wait in the far end's jitter buffer, which a
    /// hang-up empties.
    pub(super) const TAIL: std::time::Duration = std::time::Duration::from_millis(200);

    pub(super) fn speech_ready(&mut self, now: Timestamp, model: String) {
        let CallState::Preparing { .. } = self.state else { return };
        self.journal(Fact::SpeechReady { model });
        let give_up_at = now + self.limits.ring;
        self.state = CallState::Dialing { give_up_at };
        self.actions.push_back(match self.direction {
            Direction::Outbound => Action::Dial,
            Direction::Inbound => Action::Leg(LegCommand::Answer),
        });
    }

    pub(super) fn speech_lost(&mut self, now: Timestamp, why: String) {
        match &mut self.state {
            CallState::Ending(closing) => {
                closing.speech_closed = true;
                self.finish_if_closed(now);
            }
            state => {
                let before_answer = !matches!(state, CallState::Connected(_));
                self.journal(Fact::Problem { part: Part::Speech, code: "lost".to_owned(), message: why });
                let reason = if before_answer { EndReason::SpeechUnavailable } else { EndReason::SpeechLost };
                self.hang_up(now, reason);
                if let CallState::Ending(closing) = &mut self.state {
                    closing.speech_closed = true;
                }
            }
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
        self.state = CallState::Connected(Conversation {
            cut_off_at: now + self.limits.talk,
            warned: self.limits.talk < Self::WRAP_UP * 4,
            opening: OpeningState::Listening { speak_at },
            quiet_since: now,
            asked_if_there: false,
            remote_speaking: false,
            voice_speaking: false,
            on_hold_since: None,
            held_since: None,
            sending_digits: None,
            beep_at: None,
            beep_by: None,
            goodbye: None,
        });
    }

    pub(super) fn dial_failed(&mut self, now: Timestamp, failure: DialFailure) {
        self.sip_status = self.sip_status.or(failure.sip_status);
        self.q850_cause = self.q850_cause.or(failure.q850_cause);
        if !matches!(self.state, CallState::Ending(_)) && !failure.detail.is_empty() {
            let code = failure.reason.code().to_owned();
            self.journal(Fact::Problem { part: Part::Leg, code, message: failure.detail });
        }
        self.leg_gone(now, failure.reason);
    }

    pub(super) fn held(&mut self, now: Timestamp) {
        if let Some(conversation) = self.conversation()
            && conversation.held_since.is_none()
        {
            conversation.held_since = Some(now);
            self.journal(Fact::Held {});
            // Nothing we send is heard any more.
            self.actions.push_back(Action::StopPlayout);
            self.speech(SpeechCommand::Suspend);
        }
    }

    pub(super) fn resumed(&mut self, now: Timestamp) {
        if let Some(conversation) = self.conversation()
            && conversation.held_since.take().is_some()
        {
            conversation.quiet_since = now;
            self.journal(Fact::Resumed {});
            self.speech(SpeechCommand::Resume);
        }
    }

    /// The remote spoke or pressed a key: the line is not silent. Our own voice is no sign of that.
    pub(super) fn remote_is_there(&mut self, now: Timestamp) {
        if let Some(conversation) = self.conversation() {
            conversation.quiet_since = now;
            conversation.asked_if_there = false;
        }
    }

    pub(super) fn check_deadlines(&mut self, now: Timestamp) {
        // One deadline's consequence can be the next one's start; the bound is generous.
        for _ in 0..4 {
            if self.deadline().is_none_or(|deadline| deadline > now) {
                return;
            }
            self.deadline_reached(now);
        }
    }

    fn deadline_reached(&mut self, now: Timestamp) {
        match &self.state {
            CallState::Preparing { .. } => self.hang_up(now, EndReason::SpeechUnavailable),
            CallState::Dialing { .. } | CallState::Ringing { .. } => {
                self.hang_up(now, EndReason::PolicyRingLimit)
            }
            CallState::Connected(_) => self.conversation_deadline(now),
            CallState::Ending(closing) => {
                let reason = closing.reason;
                self.finish(now, reason);
            }
            CallState::Ended(_) => {}
        }
    }

    fn conversation_deadline(&mut self, now: Timestamp) {
        let limits = self.limits;
        let Some(conversation) = self.conversation() else { return };
        if conversation.cut_off_at <= now {
            return self.hang_up(now, EndReason::PolicyTalkLimit);
        }
        if let Some(goodbye) = conversation.goodbye
            && goodbye.by <= now
        {
            return self.hang_up(now, goodbye.reason);
        }
        if conversation.waiting_since().is_some_and(|since| since + limits.hold <= now) {
            return self.hang_up(now, EndReason::PolicyHoldLimit);
        }
        if conversation.wrap_up_at().is_some_and(|at| at <= now) {
            conversation.warned = true;
            let text = "The call will be cut off in 30 seconds. Say what is still needed, say goodbye, and end the call.";
            return self.speech(SpeechCommand::Note { text: text.to_owned(), respond: false });
        }
        if conversation.beep_by.is_some_and(|by| by <= now) {
            return self.leave_message(now);
        }
        if let OpeningState::Listening { speak_at } = conversation.opening
            && speak_at <= now
            && !conversation.remote_speaking
        {
            return self.open(now);
        }
        if !conversation.asked_if_there {
            conversation.asked_if_there = true;
            return self.speech(SpeechCommand::Say { text: "Hello, is anybody there?".to_owned() });
        }
        self.hang_up(now, EndReason::PolicySilence);
    }

    /// Speak the first words.
    pub(super) fn open(&mut self, now: Timestamp) {
        let say = self.brief.opening_words();
        if let Some(conversation) = self.conversation() {
            conversation.opening = if say.is_some() { OpeningState::Speaking } else { OpeningState::Done };
            conversation.quiet_since = now;
            self.speech(SpeechCommand::Open { say });
        }
    }
}
