//! What an owner wants said, followed or pressed in a call that is under way.
//!
//! Nobody is talked over and nobody is talked to before the disclosure: words of the owner's wait for the voice's turn.

use std::collections::VecDeque;

use super::menu::are_keys;
use super::state::{CallState, Conversation, Phase};
use super::{Call, CallCommand, SpeechCommand};
use crate::journal::Fact;
use crate::words::Words;

/// Why a call does not do what its owner asks of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotNow {
    #[error("nobody has picked up yet; wait until the call is answered")]
    NotAnswered,
    #[error("the call is coming to its end; nothing more can be asked of it")]
    Ending,
    #[error("what was asked before is not said yet; wait until the voice has said it")]
    Full,
    #[error("the keys before are still being sent; wait for leg.digits_sent")]
    KeysUnderWay,
    #[error("no question is open; it was answered, or the time for it has passed")]
    NoQuestion,
    #[error("another question is open; read pending_question, and answer that")]
    OtherQuestion,
    #[error("the other side has not heard the first words yet; try again in a moment")]
    NotOpened,
    #[error("the user is being called already; handoff.* in the journal says how that goes")]
    UserUnderWay,
    #[error("the user was called into this call as often as may be, and did not come")]
    UserTried,
    #[error("the call was placed without a number of the user's; name one")]
    NobodyToJoin,
    #[error(
        "something else is being asked or said in this call, or it is no call with its own user; try again"
    )]
    OtherMatters,
    #[error("the user has joined the call; it can only be hung up")]
    Joined,
    #[error("keys are 0-9 * # A-D, w for a pause of half a second, W for one second, 64 at most")]
    NoKeys,
}

/// What the owner wants said and the voice has not begun to say.
#[derive(Debug, Default)]
pub(super) struct Steer {
    to_say: VecDeque<Words>,
}

impl Steer {
    const WAITING: usize = 4;

    /// Words of offhook's own that must not be said over anybody.
    pub fn say_next(&mut self, text: Words) {
        self.to_say.push_back(text);
    }
}

impl Call {
    /// Why the call would not do this now; such a command is ignored.
    pub fn refusal(&self, command: &CallCommand) -> Option<NotNow> {
        if let CallCommand::HangUp | CallCommand::Shutdown | CallCommand::Fault = command {
            return None;
        }
        let conversation = match &self.state {
            CallState::Connected(conversation) => conversation,
            CallState::Ending(_) | CallState::Ended(_) => return Some(NotNow::Ending),
            CallState::Bridged(_) => return Some(NotNow::Joined),
            _ => return Some(NotNow::NotAnswered),
        };
        if let Phase::AwaitingBeep { .. } | Phase::Parting(_) = conversation.phase {
            return Some(NotNow::Ending);
        }
        if self.awaits_decision() && !matches!(command, CallCommand::Withdraw) {
            return Some(NotNow::OtherMatters);
        }
        match command {
            CallCommand::Say { .. } if conversation.steer.to_say.len() >= Steer::WAITING => {
                Some(NotNow::Full)
            }
            CallCommand::Press { digits } if !are_keys(digits) => Some(NotNow::NoKeys),
            CallCommand::Press { .. } if conversation.menu.is_sending() => Some(NotNow::KeysUnderWay),
            CallCommand::Answer { question_id, .. } => conversation.consult.refusal(*question_id),
            CallCommand::Bridge { to: None, .. } if self.user.is_none() => Some(NotNow::NobodyToJoin),
            CallCommand::Withdraw if !self.awaits_decision() => Some(NotNow::OtherMatters),
            CallCommand::Approve(_) if !self.may_ask_for_approval() => Some(NotNow::OtherMatters),
            CallCommand::Bridge { .. } => conversation.handoff.refusal(&conversation.phase),
            _ => None,
        }
    }

    pub(super) fn owner_says(&mut self, text: Words) {
        self.journal(Fact::OwnerSaid { text: text.to_string() });
        if let Some(conversation) = self.conversation() {
            conversation.steer.to_say.push_back(text);
        }
    }

    /// Let the voice say what waits, once it is its turn. While somebody decides they hear nothing of whoever asks.
    pub(super) fn say_for_owner(&mut self) {
        if self.awaits_decision() {
            return;
        }
        let Some(conversation) = self.conversation().filter(|conversation| conversation.may_speak()) else {
            return;
        };
        for text in std::mem::take(&mut conversation.steer.to_say) {
            self.speech(SpeechCommand::Say { text });
        }
    }

    /// A note to the voice. It answers to it at once only where nobody is speaking; otherwise its next turn does.
    pub(super) fn owner_instructs(&mut self, text: Words) {
        self.journal(Fact::OwnerInstructed { text: text.to_string() });
        let Some(conversation) = self.conversation() else { return };
        let respond = conversation.is_idle();
        conversation.menu.speak_later();
        self.speech(SpeechCommand::Instruct { text, respond });
    }

    pub(super) fn owner_presses(&mut self, digits: Words) {
        self.journal(Fact::OwnerPressed { digits: digits.to_string() });
        self.press(None, &digits);
    }
}

impl Conversation {
    /// Whether there is somebody to talk to, who was told what must be disclosed.
    pub(super) fn has_company(&self) -> bool {
        let talking = matches!(self.phase, Phase::Talking) && !self.handoff.is_private();
        talking && !self.undisclosed && !self.must_be_silent()
    }

    /// The same, and they are not speaking.
    pub(super) fn may_speak(&self) -> bool {
        self.has_company() && !self.remote_speaking && !self.menu.is_quiet()
    }

    /// Whether it is anybody's turn.
    pub(super) fn is_idle(&self) -> bool {
        self.may_speak() && !self.voice_speaking
    }
}
