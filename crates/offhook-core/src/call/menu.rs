//! Keypresses, and the menus they are for.
//!
//! After keys nobody speaks until the menu had its chance to answer: talking over the answer loses it. A menu that
//! answers the same keys with the same words did not hear them, or leads nowhere: they are pressed more slowly, and
//! then no more.

use std::collections::VecDeque;
use std::iter::once;
use std::time::Duration;

use super::state::{Due, Phase};
use super::turns::{Turns, alike};
use super::{Action, BlockerClaim, Call, Claim, LegCommand, SpeechCommand, ToolCallId};
use crate::audio::Digit;
use crate::end::EndReason;
use crate::journal::{AnsweredBy, BlockerKind, Fact, TaskStatus};
use crate::time::Timestamp;
use crate::words::Words;

/// The keys pressed in a call.
#[derive(Debug, Default)]
pub(super) struct Menu {
    sending: Option<Sending>,
    /// The voice's presses so far, the last ones.
    presses: VecDeque<Press>,
    /// Keys were sent, and nothing has answered them: until when nothing is said.
    quiet_until: Option<Timestamp>,
    /// The voice has something to say meanwhile, which nobody heard.
    unsaid: bool,
    /// The menu leads nowhere: when the call ends, unless the voice finds a way out.
    stuck_until: Option<Timestamp>,
}

/// Keys that the leg has not sent yet.
#[derive(Debug)]
struct Sending {
    /// The tool call that wanted them; the owner did where there is none.
    by: Option<ToolCallId>,
    digits: Words,
}

/// Keys without their pauses, and when they were wanted in milliseconds since the answer.
#[derive(Debug)]
struct Press {
    keys: Words,
    at_ms: u32,
}

impl Menu {
    /// How long a menu may take to answer keys.
    const ANSWER: Duration = Duration::from_millis(1_500);
    /// How often the same keys are pressed on the same words.
    const TRIES: usize = 3;
    /// How many presses are remembered.
    const REMEMBERED: usize = 32;
    /// For the voice to find another way, or to report.
    const WAY_OUT: Duration = Duration::from_secs(20);

    pub fn next(&self) -> Option<(Timestamp, Due)> {
        let quiet = self.quiet_until.map(|at| (at, Due::KeysHeard));
        let stuck = self.stuck_until.map(|at| (at, Due::MenuStuck));
        quiet.into_iter().chain(stuck).min_by_key(|(at, _)| *at)
    }

    pub fn is_sending(&self) -> bool {
        self.sending.is_some()
    }

    /// Whether whatever is said now would be said over a menu's answer.
    pub fn is_quiet(&self) -> bool {
        self.quiet_until.is_some()
    }

    /// Whoever would speak now speaks once nothing has answered the keys.
    pub fn speak_later(&mut self) {
        self.unsaid |= self.is_quiet();
    }

    /// The remote speaks: that is the answer to the keys, if any were sent.
    pub fn answered(&mut self) {
        self.quiet_until = None;
        self.unsaid = false;
    }

    /// How often these keys were pressed on the words that were said last.
    fn tries(&self, keys: &str, turns: &Turns, now_ms: u32) -> usize {
        let presses = || self.presses.iter().map(|press| press.at_ms);
        // A press is an answer to what was said since the press before; where that was nothing, or nothing that is
        // written down yet, to what was said last.
        let windows = once(0).chain(presses()).zip(presses().chain(once(now_ms)));
        let mut asked: Vec<Vec<Words>> = Vec::with_capacity(self.presses.len() + 1);
        for (from, to) in windows {
            let said = turns.said_between(from, to);
            let before = asked.last().cloned();
            asked.push(if said.is_empty() { before.unwrap_or_default() } else { said });
        }
        let Some(now_asked) = asked.pop() else { return 0 };
        let same = |(press, asked): &(&Press, Vec<Words>)| *press.keys == *keys && alike(asked, &now_asked);
        self.presses.iter().zip(asked).filter(same).count()
    }

    fn remember(&mut self, keys: &str, at_ms: u32) {
        if self.presses.len() == Self::REMEMBERED {
            self.presses.pop_front();
        }
        self.presses.push_back(Press { keys: keys.into(), at_ms });
    }
}

/// Keys and pauses in one go.
const MAX_KEYS: usize = 64;

const TOOL: &str = "send_digits";
const SENT: &str = "sent; now listen to what the menu says";
const STUCK: &str = "not sent: these keys brought the same words each time, so the menu leads nowhere with them. Try \
                     another option if there is one; otherwise end the call with the result blocked, and say that the \
                     menu is stuck and where";
/// Told to a voice that had something to say when a menu might have answered, and none did.
const UNHEARD: &str =
    "Nothing answered the keys. What you wanted to say meanwhile was not heard: say it now.";
/// Told to the voice when its owner pressed keys.
const PRESSED: &str = "Keys were pressed for you just now. Listen to what answers them.";

/// Whether this is something to press: keys and pauses, and not too many.
pub fn are_keys(digits: &str) -> bool {
    let known = |key: char| is_pause(key) || Digit::from_char(key).is_some();
    !digits.is_empty() && digits.len() <= MAX_KEYS && digits.chars().all(known)
}

fn is_pause(key: char) -> bool {
    matches!(key, 'w' | 'W' | ',')
}

/// Keys that a menu did not understand, with a pause before each: half a second, then a second.
fn slower(keys: &str, tries: usize) -> String {
    let pause = if tries == 1 { 'w' } else { 'W' };
    keys.chars().flat_map(|key| [pause, key]).collect()
}

impl Call {
    pub(super) fn send_digits(&mut self, now: Timestamp, id: ToolCallId, digits: &str) {
        if !are_keys(digits) {
            let why = "not sent: digits are 0-9 * # A-D, w for a pause of half a second, W for one second";
            return self.tool_answered(id, TOOL, why, true);
        }
        let now_ms = self.call_ms(now);
        let keys: String = digits.chars().filter(|key| !is_pause(*key)).collect();
        let super::CallState::Connected(conversation) = &mut self.state else { return };
        let menu = &mut conversation.menu;
        if menu.is_sending() {
            let why = "not sent: the digits before are still being sent";
            return self.tool_answered(id, TOOL, why, false);
        }
        let tries = menu.tries(&keys, &self.turns, now_ms);
        if tries >= Menu::TRIES {
            return self.menu_leads_nowhere(now, id, tries, &keys);
        }
        menu.remember(&keys, now_ms);
        menu.stuck_until = None;
        let digits = if tries == 0 { digits.to_owned() } else { slower(&keys, tries) };
        self.press(Some(id), &digits);
    }

    /// Send keys, of which none are under way.
    pub(super) fn press(&mut self, by: Option<ToolCallId>, digits: &str) {
        let Some(conversation) = self.conversation() else { return };
        let digits = digits.replace(',', "w");
        conversation.menu.sending = Some(Sending { by, digits: digits.as_str().into() });
        self.actions.push_back(Action::Leg(LegCommand::SendDigits(digits)));
    }

    pub(super) fn digits_sent(&mut self, now: Timestamp) {
        self.remote_is_there(now);
        let Some(conversation) = self.conversation() else { return };
        let Some(Sending { by, digits }) = conversation.menu.sending.take() else { return };
        if !conversation.remote_speaking {
            conversation.menu.quiet_until = Some(now + Menu::ANSWER);
        }
        self.is_system = true;
        self.journal(Fact::DigitsSent { digits: digits.into() });
        if self.answered_by == Some(AnsweredBy::Menu) {
            self.owe_disclosure();
        }
        match by {
            Some(id) => self.tool_answered(id, TOOL, SENT, false),
            None => self.speech(SpeechCommand::Note { text: PRESSED.into(), respond: false }),
        }
    }

    /// Nothing answered the keys; whoever has something to say may say it.
    pub(super) fn keys_heard(&mut self) {
        let Some(conversation) = self.conversation() else { return };
        let unsaid = conversation.menu.unsaid;
        conversation.menu.answered();
        if unsaid {
            let respond = conversation.is_idle();
            self.speech(SpeechCommand::Note { text: UNHEARD.into(), respond });
        }
    }

    /// The voice begins to speak although a menu may be about to answer. Whether it may not.
    pub(super) fn talks_over_a_menu(&mut self) -> bool {
        let Some(conversation) = self.conversation() else { return false };
        let too_soon = matches!(conversation.phase, Phase::Talking) && conversation.menu.is_quiet();
        if too_soon {
            conversation.menu.speak_later();
            self.actions.push_back(Action::StopPlayout);
        }
        too_soon
    }

    fn menu_leads_nowhere(&mut self, now: Timestamp, id: ToolCallId, tries: usize, keys: &str) {
        self.journal(Fact::MenuStuck { tries: tries as u32, digits: keys.to_owned() });
        self.tool_answered(id, TOOL, STUCK, true);
        let Some(conversation) = self.conversation() else { return };
        if conversation.menu.stuck_until.is_some() {
            // It was told before.
            return self.menu_stuck(now);
        }
        conversation.menu.stuck_until = Some(now + Menu::WAY_OUT);
    }

    /// The voice neither found another way nor reported.
    pub(super) fn menu_stuck(&mut self, now: Timestamp) {
        let what = "The phone menu led nowhere: the same keys brought the same words each time.";
        let blocker = BlockerClaim { kind: BlockerKind::StuckMenu, what: what.into(), quotes: Vec::new() };
        self.claim(Claim { blocker: Some(blocker), ..Claim::new(TaskStatus::Blocked, what) });
        self.hang_up(now, EndReason::VoiceFinished);
    }
}
