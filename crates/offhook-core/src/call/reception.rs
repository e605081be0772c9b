//! Callers who leave word, and callers nobody wants.

use super::state::{Parting, Phase};
use super::{Action, Call, Claim, SpeechCommand, ToolCallId};
use crate::end::EndReason;
use crate::journal::{Fact, TaskStatus};
use crate::time::Timestamp;
use crate::words::Words;

const TAKE: &str = "take_message";
const SPAM: &str = "report_spam";
const TAKEN: &str = "taken, and it will be passed on; tell the caller so, and promise nothing about when or whether \
                     somebody calls back";

/// A message is what somebody says in a minute.
const LONGEST_MESSAGE: usize = 1_500;
const LONGEST_NAME: usize = 100;
const LONGEST_CALL_BACK: usize = 100;
/// Of one call; the last may correct the one before.
const MOST_MESSAGES: u32 = 3;

/// What was taken down on this call.
#[derive(Debug, Default)]
pub(super) struct Reception {
    messages: u32,
}

impl Call {
    pub(super) fn take_message(
        &mut self,
        id: ToolCallId,
        name: Option<Words>,
        message: Words,
        call_back: Option<Words>,
    ) {
        let message = message.trim();
        let why = match () {
            () if !self.brief.takes_messages => "no messages are taken on this call",
            () if message.is_empty() => "not taken: it says nothing; ask what the message is",
            () if message.chars().count() > LONGEST_MESSAGE => "not taken: say it in fewer words",
            () if self.reception.messages >= MOST_MESSAGES => {
                "not taken: there are enough messages of this call"
            }
            () => "",
        };
        if !why.is_empty() {
            return self.tool_answered(id, TAKE, why, true);
        }
        self.reception.messages += 1;
        let message = message.to_owned();
        let (name, call_back) = (shortened(name, LONGEST_NAME), shortened(call_back, LONGEST_CALL_BACK));
        self.journal(Fact::MessageTaken { name, message, call_back });
        let respond = self.conversation().is_some_and(|conversation| conversation.has_company());
        self.tool_answered(id, TAKE, TAKEN, respond);
    }

    /// A sentence of ours, which is the same for all of them, and then the end: nobody is drawn into an argument.
    pub(super) fn report_spam(&mut self, now: Timestamp, id: ToolCallId) {
        if !self.brief.ends_spam {
            return self.tool_answered(id, SPAM, "say goodbye and use end_call", true);
        }
        let (text, longest) = (self.brief.fixed_words().not_interested.into(), self.limits.goodbye);
        let Some(conversation) = self.conversation() else { return };
        if matches!(conversation.phase, Phase::Parting(_)) {
            return self.tool_answered(id, SPAM, "the call is ending", false);
        }
        self.give_up_question();
        self.cancel_handoff(now);
        self.claim(Claim::new(TaskStatus::Failed, "An unwanted call; the caller was told goodbye."));
        self.tool_answered(id, SPAM, "the caller is told goodbye", false);
        // Whatever the voice was about to say to them.
        self.actions.push_back(Action::StopPlayout);
        self.speech(SpeechCommand::Say { text });
        // Its last words are yet to come.
        self.enter(Phase::Parting(Parting::after_last_words(EndReason::VoiceSpam, true, longest, now)), now);
    }
}

fn shortened(text: Option<Words>, longest: usize) -> Option<String> {
    let text: String = text?.trim().chars().take(longest).collect();
    Some(text).filter(|text| !text.is_empty())
}
