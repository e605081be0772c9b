//! Asking somebody to approve an operation: it is read out, and keys or words decide, never the voice.
//!
//! What an agent wrote of the operation is read out between words of offhook's and is data: no text of it, and nothing
//! the model makes of it, decides. A verdict is a key, or a clear yes of whoever was called, after all of it was read,
//! with the PIN where there is one. There is one verdict, and what has none when the call ends is declined.

use std::time::Duration;

use super::pin::{Digits, Tried};
use super::state::{CallState, Due, Opening, Phase};
use super::turns::in_common;
use super::{Action, Call, Claim, SpeechCommand, ToolCallId};
use crate::audio::Digit;
use crate::brief::{Answer, Approval, Pin, Role};
use crate::end::EndReason;
use crate::journal::{DecidedBy, Fact, GivenBy, Part, TaskStatus};
use crate::mask;
use crate::time::Timestamp;
use crate::words::Words;

/// How far the approval is.
#[derive(Debug, Default)]
pub(super) struct Approving {
    asked: Option<Asked>,
    digits: Digits,
    /// Who wants to approve gives the PIN next.
    yes: bool,
    /// The PIN was given, and no clear yes yet.
    pin_given: bool,
    /// How often a question was answered, and how often it was said again how to decide.
    answers: u32,
    reminders: u32,
    /// It was asked within a call that goes on afterwards.
    within: bool,
    last: Words,
    /// What was said of it, as far as that is known, and how often it was begun anew.
    read: Words,
    readings: u32,
    /// While it was read out they began to approve; a 2 is one of their PIN then.
    typed_ahead: bool,
    /// Approved before it was known which words were said.
    unchecked: Option<GivenBy>,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    at_ms: u32,
    again_at: Timestamp,
    give_up_at: Timestamp,
}

impl Approving {
    const AGAIN: Duration = Duration::from_secs(12);
    const PATIENCE: Duration = Duration::from_secs(150);
    const MOMENT: Duration = Duration::from_secs(3);
    const ANSWERS: u32 = 4;
    const REMINDERS: u32 = 3;
    /// Wrong PINs.
    const ATTEMPTS: u32 = 3;
    /// How often it is read out, until it is done word for word.
    const READINGS: u32 = 2;
    /// How much earlier than the last word a recognizer may say that the answer to it began.
    const EARLY_MS: u32 = 300;

    pub fn next(&self) -> Option<(Timestamp, Due)> {
        self.asked.map(|asked| (asked.again_at.min(asked.give_up_at), Due::Approval))
    }

    /// It was asked for: nobody need ask whether anybody is there.
    pub fn is_asked(&self) -> bool {
        self.asked.is_some()
    }

    fn ask_later(&mut self, now: Timestamp) {
        if let Some(asked) = &mut self.asked {
            asked.again_at = now + Self::AGAIN;
        }
    }
}

const TOOL: &str = "decide";
/// Told to the voice, not to the other side.
const ANSWER: &str = "Whoever is on the line has not decided clearly. If they asked something about the request, answer in one \
                      or two short sentences from what you were told of it, and nothing else; never decide for them, and \
                      never say that it is approved or declined. Then ask for their decision.";
const NOT_NOW: &str = "not before they have decided; there is nothing else to do for them until then";
const APPROVED: &str =
    "What was asked of the user just now was approved. Go on with the conversation where it was.";
const DECLINED: &str =
    "What was asked of the user just now was declined. Go on with the conversation where it was.";

impl Call {
    /// Whether keys decide.
    pub(super) fn awaits_decision(&self) -> bool {
        let CallState::Connected(conversation) = &self.state else { return false };
        let leaving = matches!(conversation.phase, Phase::Parting(_) | Phase::AwaitingBeep { .. });
        self.brief.approval.is_some() && !leaving
    }

    /// Ask within a call that is under way.
    pub(super) fn approve_within(&mut self, now: Timestamp, approval: Approval) {
        let words = self.brief.asking().read_out(&approval);
        self.brief.approval = Some(approval);
        self.brief_anew(self.brief.clone());
        let Some(conversation) = self.conversation() else { return };
        conversation.approving = Approving { within: true, ..Approving::default() };
        if conversation.voice_speaking {
            self.actions.push_back(Action::StopPlayout);
        }
        self.enter(Phase::Opening(Opening::new(now)), now);
        self.speech(SpeechCommand::Open { say: Some(words.into()) });
    }

    /// Whether a call could be asked for an approval now.
    pub(super) fn may_ask_for_approval(&self) -> bool {
        let CallState::Connected(conversation) = &self.state else { return false };
        let free = self.brief.gate.is_none() && self.brief.approval.is_none();
        free && self.brief.role == Role::Assistant && conversation.has_company()
    }

    /// Hold what was said against what was to be read out: a model may have words of its own.
    pub(super) fn note_reading(&mut self, now: Timestamp, said: Option<&Fact>) {
        let (Some(Fact::VoiceSaid { text, .. }), true) = (said, self.awaits_decision()) else { return };
        let text = text.clone();
        let Some(conversation) = self.conversation() else { return };
        let asked = conversation.approving.asked.is_some();
        if matches!(conversation.phase, Phase::Opening(_))
            || (asked && conversation.approving.read.is_empty())
        {
            let approving = &mut conversation.approving;
            approving.read = format!("{} {text}", approving.read.as_str()).into();
        }
        // The words came after the sound.
        if asked && !self.is_read_out() {
            return self.read_again(now);
        }
        let unchecked = self.conversation().and_then(|conversation| conversation.approving.unchecked.take());
        if let Some(by) = unchecked.filter(|_| asked) {
            self.approved(now, by);
        }
    }

    /// Whether it was said as it stands. Where the words are not known yet the sound was heard; nothing is approved by it.
    fn is_read_out(&self) -> bool {
        let (Some(approval), CallState::Connected(conversation)) = (&self.brief.approval, &self.state) else {
            return true;
        };
        let read = &conversation.approving.read;
        let all = self.brief.asking().read_out(approval);
        let asked = [Some(approval.operation.as_str()), approval.details.as_deref()];
        read.is_empty() || says(read, &all, asked.into_iter().flatten())
    }

    /// What was approved must have been heard. A model that does not say it twice can't ask for it.
    fn read_again(&mut self, now: Timestamp) {
        let Some(words) = self.brief.approval.as_ref().map(|approval| self.brief.asking().read_out(approval))
        else {
            return;
        };
        let Some(conversation) = self.conversation() else { return };
        let approving = &mut conversation.approving;
        approving.readings += 1;
        (approving.asked, approving.yes, approving.pin_given) = (None, false, false);
        approving.unchecked = None;
        approving.read = Words::default();
        if approving.readings >= Approving::READINGS {
            return self.not_read_out(now);
        }
        self.enter(Phase::Opening(Opening::new(now)), now);
        self.speech(SpeechCommand::Open { say: Some(words.into()) });
    }

    pub(super) fn not_read_out(&mut self, now: Timestamp) {
        let (part, code) = (Part::Speech, "not_read_out".to_owned());
        let message = "the model did not say word for word what is to be approved".to_owned();
        self.journal(Fact::Problem { part, code, message });
        self.declined(now, DecidedBy::CallEnded);
    }

    /// The first words were heard, and what is to be approved with them.
    pub(super) fn ask_for_approval(&mut self, now: Timestamp) {
        if !self.is_read_out() {
            return self.read_again(now);
        }
        let Some(approval) = &self.brief.approval else { return };
        let operation = approval.operation.clone();
        let at_ms = self.call_ms(now);
        let Some(conversation) = self.conversation() else { return };
        let (again_at, give_up_at) = (now + Approving::AGAIN, now + Approving::PATIENCE);
        conversation.approving.typed_ahead = false;
        let before = conversation.approving.asked.replace(Asked { at_ms, again_at, give_up_at });
        if before.is_none() {
            self.journal(Fact::ApprovalAsked { operation });
        }
    }

    pub(super) fn approval_key(&mut self, now: Timestamp, digit: Digit) {
        self.hide_key(now);
        self.remote_is_there(now);
        let pin = self.approval_pin();
        let Some(conversation) = self.conversation() else { return };
        let approving = &mut conversation.approving;
        approving.ask_later(now);
        match (digit.as_char(), pin) {
            // Nobody approves what was not read out to its end; to decline there is no need to hear it.
            ('2', _) if !approving.yes && !approving.typed_ahead => self.declined(now, DecidedBy::Keys),
            ('1', Some(_)) if approving.asked.is_none() => approving.typed_ahead = true,
            _ if approving.asked.is_none() => {}
            ('1', None) => self.approved(now, GivenBy::Keys),
            ('1', Some(_)) if approving.pin_given => self.approved(now, GivenBy::Keys),
            ('1', Some(_)) if !approving.yes => approving.yes = true,
            ('*', Some(_)) => {
                approving.digits.forget();
                approving.yes = false;
                self.remind();
            }
            (_, Some(pin)) if approving.yes => {
                let tried = approving.digits.key(&pin, digit);
                self.pin_for_approval(now, tried, GivenBy::Keys);
            }
            _ => self.remind(),
        }
    }

    pub(super) fn decision_said(
        &mut self,
        now: Timestamp,
        text: &str,
        confidence: Option<u32>,
        started_ms: u32,
    ) {
        /// What a recognizer is less sure of decides nothing.
        const SURE: u32 = 500;
        if !self.awaits_decision() {
            return;
        }
        let (asking, pin) = (self.brief.asking(), self.approval_pin());
        let Some(conversation) = self.conversation() else { return };
        let approving = &mut conversation.approving;
        let Some(asked) = approving.asked else { return };
        if started_ms.saturating_add(Approving::EARLY_MS) < asked.at_ms {
            return;
        }
        approving.ask_later(now);
        approving.last = text.into();
        let unsure = confidence.is_some_and(|confidence| confidence < SURE);
        let answer = if unsure { Answer::Unclear } else { asking.answer(text) };
        match (answer, pin) {
            (Answer::No, _) => self.declined(now, DecidedBy::Voice),
            // A voice alone shows nothing: somebody else's, a recorded one, a misheard one.
            (Answer::Yes, None) => self.remind(),
            (Answer::Unclear, None) => self.not_clear(text),
            (answer, Some(pin)) => self.yes_with_pin(now, &pin, text, answer == Answer::Yes),
        }
    }

    /// A yes, the PIN, or both; each counts once the other is there.
    fn yes_with_pin(&mut self, now: Timestamp, pin: &Pin, text: &str, says_yes: bool) {
        let Some(conversation) = self.conversation() else { return };
        let approving = &mut conversation.approving;
        approving.yes |= says_yes;
        // Numbers in a question are no PIN.
        let only_digits = mask::words_beside_digits(text).len() <= 2 && !text.contains('?');
        let tried = match says_yes || only_digits {
            true => approving.digits.said(pin, text),
            false => return self.not_clear(text),
        };
        match tried {
            Tried::Right if !approving.yes => {
                approving.pin_given = true;
                self.remind();
            }
            Tried::More if approving.pin_given && says_yes => self.approved(now, GivenBy::Voice),
            Tried::More if says_yes => {
                let give_pin = self.brief.asking().give_pin;
                self.say_instead(give_pin);
            }
            Tried::More if mask::numbers(text).is_empty() => self.not_clear(text),
            tried => self.pin_for_approval(now, tried, GivenBy::Voice),
        }
    }

    fn pin_for_approval(&mut self, now: Timestamp, tried: Tried, by: GivenBy) {
        let again = self.brief.asking().pin_wrong;
        let Some(conversation) = self.conversation() else { return };
        let approving = &mut conversation.approving;
        match tried {
            Tried::More => {}
            Tried::Right => self.approved(now, by),
            Tried::Wrong if approving.digits.wrong >= Approving::ATTEMPTS => {
                self.declined(now, DecidedBy::WrongPin);
            }
            // Who approved need not do so again.
            Tried::Wrong => self.say_instead(again),
        }
    }

    /// Neither yes nor no: perhaps a question, which the voice may answer, and not for ever.
    fn not_clear(&mut self, text: &str) {
        let Some(conversation) = self.conversation() else { return };
        let approving = &mut conversation.approving;
        if text.trim().is_empty() || approving.answers >= Approving::ANSWERS {
            return self.remind();
        }
        approving.answers += 1;
        let respond = conversation.may_speak();
        let said = mask::without_numbers(text, |_| true);
        let note = format!("{ANSWER} What they said: \"{}\"", said.as_deref().unwrap_or(text));
        self.speech(SpeechCommand::Note { text: note.into(), respond });
    }

    /// Say again how to decide.
    fn remind(&mut self) {
        let Some(approval) = &self.brief.approval else { return };
        let asking = self.brief.asking();
        let words = format!("{} {}", asking.not_clear, asking.how(approval));
        let Some(conversation) = self.conversation() else { return };
        conversation.approving.reminders += 1;
        self.say_instead(&words);
    }

    /// What the voice understood. It can't approve: its word has offhook look at the last turn once more.
    pub(super) fn voice_decides(&mut self, now: Timestamp, id: ToolCallId, approve: bool) {
        if !self.awaits_decision() {
            return self.tool_answered(id, TOOL, "there is nothing to decide on this call", true);
        }
        let asking = self.brief.asking();
        let Some(conversation) = self.conversation() else { return };
        let (asked, last) = (conversation.approving.asked.is_some(), conversation.approving.last.clone());
        let declined = !approve && asked && asking.answer(&last) != Answer::Yes && !last.is_empty();
        if declined {
            self.tool_answered(id, TOOL, "declined", false);
            return self.declined(now, DecidedBy::Voice);
        }
        let why =
            "not decided: only the other side can, with a clear yes or no in their own words or by a key";
        self.tool_answered(id, TOOL, why, false);
    }

    /// Whoever is on the line has not shown yet who they are, and is here for one thing.
    pub(super) fn refuse_beside_decision(&mut self, id: ToolCallId, tool: &str) {
        self.tool_answered(id, tool, NOT_NOW, false);
        if self.conversation().is_some_and(|conversation| conversation.approving.is_asked()) {
            self.remind();
        }
    }

    pub(super) fn approval_due(&mut self, now: Timestamp) {
        let Some(conversation) = self.conversation() else { return };
        if conversation.approving.unchecked.is_some() {
            return self.read_again(now);
        }
        let speaking = conversation.voice_speaking || conversation.remote_speaking;
        let silent = conversation.must_be_silent();
        let approving = &mut conversation.approving;
        let Some(asked) = &mut approving.asked else { return };
        let patient = speaking || silent || approving.reminders < Approving::REMINDERS;
        if asked.give_up_at <= now || !patient {
            return self.declined(now, DecidedBy::TimedOut);
        }
        asked.again_at = now + if speaking { Approving::MOMENT } else { Approving::AGAIN };
        if !speaking && !silent {
            approving.digits.forget();
            self.remind();
        }
    }

    /// Not before it is known that the words were those to be said; they come within a moment, or it is read again.
    fn approved(&mut self, now: Timestamp, by: GivenBy) {
        let Some(conversation) = self.conversation() else { return };
        let approving = &mut conversation.approving;
        if approving.read.is_empty() {
            approving.unchecked = Some(by);
            if let Some(asked) = &mut approving.asked {
                asked.again_at = now + Approving::MOMENT;
            }
            return;
        }
        let by = match by {
            GivenBy::Keys => DecidedBy::Keys,
            GivenBy::Voice => DecidedBy::Voice,
        };
        self.decided(now, true, by);
    }

    fn declined(&mut self, now: Timestamp, by: DecidedBy) {
        self.decided(now, false, by);
    }

    /// The one verdict; what it was about is taken away with it.
    fn decided(&mut self, now: Timestamp, approved: bool, by: DecidedBy) {
        let Some(within) = self.verdict(approved, by) else { return };
        let asking = self.brief.asking();
        let words = if approved { asking.approved } else { asking.declined };
        if within {
            self.brief_anew(self.brief.clone());
            let told = if approved { APPROVED } else { DECLINED };
            self.say_instead(words);
            self.speech(SpeechCommand::Note { text: told.into(), respond: false });
            self.remote_is_there(now);
            return self.tell_kept_results(now);
        }
        let (status, summary) = match approved {
            true => (TaskStatus::Achieved, "It was approved."),
            false => (TaskStatus::Failed, "It was not approved."),
        };
        self.claim(Claim::new(status, summary));
        // Who declined while it was read out need not hear the rest.
        if self.conversation().is_some_and(|conversation| matches!(conversation.phase, Phase::Opening(_))) {
            return self.hang_up(now, EndReason::VoiceFinished);
        }
        self.part_with(now, EndReason::VoiceFinished, &format!("{words} {}", asking.goodbye));
    }

    /// Write it down; whether it was asked within a call that goes on, and `None` where there is nothing to decide.
    fn verdict(&mut self, approved: bool, by: DecidedBy) -> Option<bool> {
        let approval = self.brief.approval.take()?;
        self.hidden_pin = approval.pin.or(self.hidden_pin.take());
        self.journal(Fact::ApprovalDecided { approved, by });
        let conversation = self.conversation();
        Some(conversation.is_some_and(|conversation| std::mem::take(&mut conversation.approving).within))
    }

    /// Nobody waits for the verdict any more.
    pub(super) fn withdraw_approval(&mut self, now: Timestamp) {
        self.declined(now, DecidedBy::TimedOut);
    }

    /// What is not decided when the call ends is declined.
    pub(super) fn settle_approval(&mut self) {
        self.verdict(false, DecidedBy::CallEnded);
    }

    fn approval_pin(&self) -> Option<Pin> {
        self.brief.approval.as_ref()?.pin.clone()
    }
}

/// Whether the last that was said is this text, and these parts of it without a word less or more. Signs may have become
/// words (`$`), and of our own sentences two words may be others.
fn says<'a>(read: &str, text: &str, mut parts: impl Iterator<Item = &'a str>) -> bool {
    const OTHERS: usize = 2;
    let words = |text: &str| mask::words_beside_digits(text).into_iter().map(Words::from).collect::<Vec<_>>();
    let signs = |text: &str| text.chars().filter(|c| "$€£¥%&+@/=".contains(*c)).count();
    let (wanted, said) = (words(text), words(read));
    let said = &said[said.len().saturating_sub(wanted.len() + signs(text))..];
    let numbers = |text: &str| mask::numbers(text).concat();
    numbers(read).ends_with(&numbers(text))
        && in_common(&wanted, said) + OTHERS >= wanted.len()
        && parts.all(|part| {
            let (wanted, signs) = (words(part), signs(part));
            let is_said = |said: &[Words]| in_common(&wanted, said) == wanted.len();
            let most = said.len().min(wanted.len() + signs);
            wanted.is_empty() || (most >= wanted.len() && said.windows(most).any(is_said))
        })
}
