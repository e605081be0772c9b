//! Who is on the line: a PIN, by keys or by voice, before the voice knows what the call is about.
//!
//! Until it was given every word is offhook's: the model hears and writes down, and answers nobody by itself. What the
//! call is about reaches it afterwards, and the PIN never: keys of it are written down nowhere, spoken digits are masked.

use std::time::Duration;

use super::state::{CallState, Due, Parting, Phase};
use super::{Action, Call, SpeechCommand, ToolCall};
use crate::audio::Digit;
use crate::brief::{Gate, Pin};
use crate::end::EndReason;
use crate::journal::{Fact, GivenBy};
use crate::mask;
use crate::time::Timestamp;

/// How far the PIN is.
#[derive(Debug, Default)]
pub(super) struct PinEntry {
    digits: Digits,
    /// It was given while the question was still being asked.
    given: Option<GivenBy>,
    asked: Option<Asked>,
    /// How often something was said that holds no PIN.
    talked: u32,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    again_at: Timestamp,
    give_up_at: Timestamp,
}

/// Digits of a PIN as they come in.
#[derive(Default)]
pub(super) struct Digits {
    typed: String,
    /// Said so far, of a PIN that is said in pieces.
    spoken: String,
    pub wrong: u32,
}

/// Without a digit.
impl std::fmt::Debug for Digits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Digits({} wrong)", self.wrong)
    }
}

/// What the digits so far are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tried {
    Right,
    Wrong,
    More,
}

impl Digits {
    pub fn forget(&mut self) {
        self.typed.clear();
        self.spoken.clear();
    }

    /// One key: the last digit, or the hash key, ends the PIN; a star begins it anew.
    pub fn key(&mut self, pin: &Pin, key: Digit) -> Tried {
        match key.as_char() {
            digit @ '0'..='9' => self.typed.push(digit),
            '*' => self.typed.clear(),
            '#' if !self.typed.is_empty() => return self.typed(pin),
            _ => {}
        }
        if self.typed.len() < pin.len() { Tried::More } else { self.typed(pin) }
    }

    fn typed(&mut self, pin: &Pin) -> Tried {
        let typed = std::mem::take(&mut self.typed);
        self.tried(pin.is(&typed))
    }

    /// What somebody said, which may hold the PIN, or the rest of it.
    pub fn said(&mut self, pin: &Pin, text: &str) -> Tried {
        let numbers = mask::numbers(text);
        let all = numbers.concat();
        if all.is_empty() {
            return Tried::More;
        }
        // Whoever recites numbers until one fits has guessed once, and wrong.
        let mut whole: Vec<&String> = numbers.iter().filter(|digits| digits.len() >= pin.len()).collect();
        whole.dedup();
        if whole.len() > 1 {
            return self.tried(false);
        }
        let so_far = format!("{}{all}", self.spoken);
        let is_pin = |digits: &String| pin.is(digits);
        if numbers.iter().any(is_pin) || is_pin(&all) || is_pin(&so_far) {
            return self.tried(true);
        }
        if so_far.len() >= pin.len() {
            return self.tried(false);
        }
        self.spoken = so_far;
        Tried::More
    }

    fn tried(&mut self, right: bool) -> Tried {
        self.forget();
        if right {
            return Tried::Right;
        }
        self.wrong += 1;
        Tried::Wrong
    }
}

impl PinEntry {
    /// Of silence, until it is asked for again.
    const AGAIN: Duration = Duration::from_secs(12);
    /// In all.
    const PATIENCE: Duration = Duration::from_secs(90);
    /// For who is speaking.
    const MOMENT: Duration = Duration::from_secs(3);
    /// How often what is no PIN is answered.
    const ANSWERS: u32 = 3;

    pub fn next(&self) -> Option<(Timestamp, Due)> {
        self.asked.map(|asked| (asked.again_at.min(asked.give_up_at), Due::Pin))
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

/// Told to the voice, not to the other side.
const GIVEN: &str =
    "Whoever is on the line has shown with a PIN who they are. Begin now with what the call is for.";
const ANSWER: &str = "Whoever is on the line was asked for a PIN, and said something else. Answer in one short sentence, from \
                      what you know and nothing else; then ask for the PIN again. You can neither check it nor go on \
                      without it.";
const NOT_BEFORE: &str = "not before the PIN was given";

impl Call {
    /// Whether keys are part of a PIN, which is written down nowhere.
    pub(super) fn awaits_pin(&self) -> bool {
        let CallState::Connected(conversation) = &self.state else { return false };
        let leaving = matches!(conversation.phase, Phase::Parting(_) | Phase::AwaitingBeep { .. });
        self.brief.gate.is_some() && conversation.pin.given.is_none() && !leaving
    }

    /// The first words were heard, and the question with them.
    pub(super) fn ask_for_pin(&mut self, now: Timestamp) {
        if self.brief.gate.is_none() {
            return;
        }
        let Some(conversation) = self.conversation() else { return };
        let (again_at, give_up_at) = (now + PinEntry::AGAIN, now + PinEntry::PATIENCE);
        conversation.pin.asked.get_or_insert(Asked { again_at, give_up_at });
        if let Some(by) = conversation.pin.given {
            self.pin_right(now, by);
        }
    }

    pub(super) fn pin_key(&mut self, now: Timestamp, digit: Digit) {
        self.hide_key(now);
        self.remote_is_there(now);
        let Some(pin) = self.brief.gate.as_ref().map(|gate| gate.pin.clone()) else { return };
        let Some(conversation) = self.conversation() else { return };
        conversation.pin.ask_later(now);
        let tried = conversation.pin.digits.key(&pin, digit);
        self.pin_tried(now, tried, GivenBy::Keys);
    }

    pub(super) fn pin_said(&mut self, now: Timestamp, text: &str) {
        if !self.awaits_pin() {
            return;
        }
        let Some(pin) = self.brief.gate.as_ref().map(|gate| gate.pin.clone()) else { return };
        let Some(conversation) = self.conversation() else { return };
        conversation.pin.ask_later(now);
        let tried = conversation.pin.digits.said(&pin, text);
        if tried == Tried::More && mask::numbers(text).is_empty() {
            return self.answer_before_pin(text);
        }
        self.pin_tried(now, tried, GivenBy::Voice);
    }

    /// Somebody asks who is there, or why; what the voice knows so far may be told.
    fn answer_before_pin(&mut self, text: &str) {
        let Some(conversation) = self.conversation() else { return };
        let asked = conversation.pin.asked.is_some() && !text.trim().is_empty();
        if asked && conversation.pin.talked < PinEntry::ANSWERS {
            conversation.pin.talked += 1;
            let respond = conversation.may_speak();
            self.speech(SpeechCommand::Note { text: ANSWER.into(), respond });
        }
    }

    fn pin_tried(&mut self, now: Timestamp, tried: Tried, by: GivenBy) {
        let most = self.brief.gate.as_ref().map_or(0, |gate| gate.attempts.max(1));
        let again = self.brief.asking().pin_wrong;
        let Some(conversation) = self.conversation() else { return };
        let wrong = conversation.pin.digits.wrong;
        match tried {
            Tried::More => {}
            // What is private follows the first words, too.
            Tried::Right if !matches!(conversation.phase, Phase::Talking) => {
                conversation.pin.given = Some(by)
            }
            Tried::Right => self.pin_right(now, by),
            Tried::Wrong if wrong >= most => self.pin_missing(now),
            Tried::Wrong => self.say_instead(again),
        }
    }

    /// The voice may know now what the call is about.
    fn pin_right(&mut self, now: Timestamp, by: GivenBy) {
        let Some(Gate { pin, beyond, .. }) = self.brief.gate.take() else { return };
        self.hidden_pin = Some(pin);
        self.journal(Fact::CallerVerified { by });
        self.brief_anew(*beyond);
        if let Some(conversation) = self.conversation() {
            conversation.pin = PinEntry::default();
        }
        let thanks = self.brief.asking().pin_right;
        let greeting = self.brief.greeting.as_deref().map(str::trim).filter(|greeting| !greeting.is_empty());
        let words = greeting.map_or_else(|| thanks.to_owned(), |greeting| format!("{thanks} {greeting}"));
        let respond = greeting.is_none();
        self.say_instead(&words);
        self.speech(SpeechCommand::Note { text: GIVEN.into(), respond });
        self.remote_is_there(now);
    }

    /// Nobody is let through who does not give it.
    fn pin_missing(&mut self, now: Timestamp) {
        let sorry = self.brief.asking().pin_missing;
        let Some(conversation) = self.conversation() else { return };
        let attempts = conversation.pin.digits.wrong;
        conversation.pin = PinEntry::default();
        self.journal(Fact::CallerUnverified { attempts });
        self.part_with(now, EndReason::PolicyPin, sorry);
    }

    /// The call ends before it was given: what was tried counts, so that nobody tries for ever by hanging up in time.
    pub(super) fn pin_given_up(&mut self) {
        let awaited = self.brief.gate.is_some();
        let Some(conversation) = self.conversation().filter(|_| awaited) else { return };
        let attempts = std::mem::take(&mut conversation.pin.digits.wrong);
        if attempts > 0 {
            self.journal(Fact::CallerUnverified { attempts });
        }
    }

    pub(super) fn pin_due(&mut self, now: Timestamp) {
        let words = self.brief.asking().give_pin;
        let Some(conversation) = self.conversation() else { return };
        let speaking = conversation.voice_speaking || conversation.remote_speaking;
        let silent = conversation.must_be_silent();
        let pin = &mut conversation.pin;
        let Some(asked) = &mut pin.asked else { return };
        if asked.give_up_at <= now {
            return self.pin_missing(now);
        }
        asked.again_at = now + if speaking { PinEntry::MOMENT } else { PinEntry::AGAIN };
        if !speaking && !silent {
            pin.digits.forget();
            self.say_instead(words);
        }
    }

    /// What a voice may do that does not know yet whom it speaks with.
    pub(super) fn refused_before_pin(&self, tool: &ToolCall) -> Option<&'static str> {
        let harmless = matches!(
            tool,
            ToolCall::EndCall { .. }
                | ToolCall::ReportVoicemail { .. }
                | ToolCall::WaitOnHold
                | ToolCall::TakeMessage { .. }
                | ToolCall::ReportSpam
        );
        (self.brief.gate.is_some() && !harmless).then_some(NOT_BEFORE)
    }

    /// What the call is about from now on.
    pub(super) fn brief_anew(&mut self, brief: crate::brief::Brief) {
        if brief.mask_secrets && self.masker.is_none() {
            self.masker = Some(mask::Masker::default());
        }
        self.brief = brief;
        self.speech(SpeechCommand::Brief(Box::new(self.brief.clone())));
    }

    /// Say this, and nothing of what is being said.
    pub(super) fn say_instead(&mut self, words: &str) {
        let Some(conversation) = self.conversation() else { return };
        if conversation.voice_speaking && matches!(conversation.phase, Phase::Talking) {
            self.actions.push_back(Action::StopPlayout);
        }
        self.speech(SpeechCommand::Say { text: words.into() });
    }

    /// The last words are offhook's, and the call ends after them.
    pub(super) fn part_with(&mut self, now: Timestamp, reason: EndReason, words: &str) {
        self.say_instead(words);
        let at_latest = now + self.limits.goodbye;
        let parting = Parting { reason, hang_up_at: at_latest, at_latest, speech_gone: false, message: None };
        self.enter(Phase::Parting(parting), now);
    }
}
