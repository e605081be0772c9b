//! Waiting for a person to come back, without a word said and without the model hearing, or costing, anything.
//!
//! A hold begins when the voice says so or when it sounds like one, and ends when it sounds like a person. Whoever that
//! is may be somebody new: they hear the first words first. What is waited is no talk: it has a budget of its own, and
//! the limit of the conversation moves by it.

use std::time::Duration;

use super::greeting::Greeting;
use super::state::{Due, Phase, Quiet};
use super::{BlockerClaim, Call, Claim, HoldSound, SpeechCommand, ToolCallId};
use crate::end::EndReason;
use crate::journal::{AnsweredBy, BlockerKind, Fact, HoldBy, TaskStatus};
use crate::time::Timestamp;

/// How a call has waited so far.
#[derive(Debug, Default)]
pub(super) struct Hold {
    /// Since when nobody is there to talk to, whoever put us on hold and however.
    since: Option<Timestamp>,
    /// In holds that are over.
    spent: Duration,
    /// How often an announcement was heard again.
    repeated: u32,
    /// What the remote said last was to wait.
    asked_to_wait: bool,
    /// It was a menu's prompt, which may well be repeated.
    in_menu: bool,
}

impl Hold {
    /// How often the same must be announced again to be a hold, whatever it is.
    const SURELY: u32 = 2;

    /// While there is a hold: when it has taken too long.
    pub fn next(&self, budget: Duration) -> Option<(Timestamp, Due)> {
        self.since.map(|since| (since + budget.saturating_sub(self.spent), Due::HoldTooLong))
    }

    pub fn is_on(&self) -> bool {
        self.since.is_some()
    }
}

const TOOL: &str = "wait_on_hold";
const WAITING: &str = "on hold; you hear nothing and say nothing until somebody speaks";
/// Told to the voice, not to the other side.
const BACK: &str = "The hold is over as far as one can hear: somebody speaks. If it is only an announcement, or music, \
                    use wait_on_hold again. If it is a person, go on with the call; whoever it is may be somebody new.";

/// How somebody says that we are to wait, in lower case.
const WAIT: &[&str] = &[
    "please hold",
    "hold on",
    "hold the line",
    "hold for",
    "on hold",
    "stay on the line",
    "remain on the line",
    "one moment",
    "a moment",
    "one second",
    "just a second",
    "a minute",
    "bear with me",
    "please wait",
    "be right back",
    "let me check",
    "put you through",
    "connect you",
    "transfer you",
    "call is important",
    "next available",
    "next free",
    // German, French, Spanish, Italian, Portuguese, Dutch.
    "einen moment",
    "moment bitte",
    "augenblick",
    "in der leitung",
    "warten sie",
    "ich verbinde",
    "un instant",
    "un moment",
    "quittez pas",
    "patienter",
    "patientez",
    "en ligne",
    "un momento",
    "espere",
    "cuelgue",
    "en línea",
    "le paso con",
    "un attimo",
    "attenda",
    "in linea",
    "resti in",
    "um momento",
    "um instante",
    "aguarde",
    "na linha",
    "een ogenblik",
    "moment alstublieft",
    "aan de lijn",
    "verbind u door",
];

impl Call {
    /// Whether the voice waits for a person to come back: the session listens for one.
    pub fn is_on_hold(&self) -> bool {
        matches!(&self.state, super::CallState::Connected(conversation)
            if matches!(conversation.phase, Phase::OnHold { .. }))
    }

    pub(super) fn wait_on_hold(&mut self, now: Timestamp, id: ToolCallId) {
        let Some(conversation) = self.conversation() else { return };
        match conversation.phase {
            Phase::Opening(_) | Phase::Talking => self.begin_hold(now, HoldBy::Voice),
            Phase::OnHold { .. } => {}
            Phase::Listening { .. } | Phase::AwaitingBeep { .. } | Phase::Parting(_) => {
                return self.tool_answered(id, TOOL, "noted; there is nothing to wait for now", false);
            }
        }
        self.tool_answered(id, TOOL, WAITING, false);
    }

    fn begin_hold(&mut self, now: Timestamp, by: HoldBy) {
        self.is_system = true;
        self.enter(Phase::OnHold { since: now }, now);
        self.journal(Fact::HoldStarted { by });
        self.owe_disclosure();
        self.settle_silence();
    }

    /// What the remote's audio sounds like. On the far end's own hold its audio decides nothing: it says itself when that
    /// is over.
    pub(super) fn sound_heard(&mut self, now: Timestamp, sound: HoldSound) {
        let is_menu = self.answered_by == Some(AnsweredBy::Menu);
        let Some(conversation) = self.conversation() else { return };
        if conversation.held_since.is_some() || conversation.handoff.is_private() {
            return;
        }
        let hold = &mut conversation.hold;
        hold.repeated += u32::from(sound == HoldSound::Announcement);
        let waits = hold.asked_to_wait;
        let sure = hold.repeated >= Hold::SURELY && !hold.in_menu && !is_menu;
        match (&conversation.phase, sound) {
            (Phase::OnHold { .. }, HoldSound::Person { .. }) => self.come_back(now),
            (Phase::OnHold { .. }, HoldSound::Announcement) => {
                let repeated = hold.repeated;
                self.journal(Fact::HoldAnnouncement { repeated });
            }
            (Phase::Talking, _) if conversation.voice_speaking || conversation.handoff.is_under_way() => {}
            (Phase::Talking, HoldSound::Music) => self.begin_hold(now, HoldBy::Sound),
            // Where the owner is asked, it is us whom they wait for.
            (Phase::Talking, HoldSound::LongSilence) if waits && !conversation.consult.is_open() => {
                self.begin_hold(now, HoldBy::Sound);
            }
            (Phase::Talking, HoldSound::Announcement) if waits || sure => self.begin_hold(now, HoldBy::Sound),
            _ => {}
        }
    }

    /// What the remote said tells what a silence after it means.
    pub(super) fn note_wish_to_wait(&mut self, text: &str) {
        if let Some(conversation) = self.conversation() {
            let text = text.to_lowercase();
            conversation.hold.asked_to_wait = WAIT.iter().any(|wish| text.contains(wish));
            conversation.hold.in_menu = Greeting::of(&text) == Some(Greeting::Menu);
        }
    }

    /// Somebody speaks.
    fn come_back(&mut self, now: Timestamp) {
        self.enter(Phase::Talking, now);
        if let Some(conversation) = self.conversation() {
            conversation.quiet = Quiet::Since(now);
            conversation.hold.asked_to_wait = false;
        }
        self.settle_silence();
        self.speech(SpeechCommand::Note { text: BACK.into(), respond: false });
    }

    /// The call ends while it waits.
    pub(super) fn leave_hold(&mut self, now: Timestamp) {
        if self.is_on_hold() {
            self.enter(Phase::Talking, now);
        }
    }

    /// Count what is waited, and move the limit of the conversation by it.
    pub(super) fn settle_hold(&mut self, now: Timestamp) {
        let counts = self.limits.hold_is_talk;
        let Some(conversation) = self.conversation() else { return };
        match (conversation.is_waiting(), conversation.hold.since) {
            (true, None) => conversation.hold.since = Some(now),
            (false, Some(since)) => {
                let waited = now.since(since);
                conversation.hold.since = None;
                conversation.hold.spent += waited;
                if counts {
                    return;
                }
                conversation.cut_off_at = conversation.cut_off_at + waited;
                conversation.wrap_up_at = conversation.wrap_up_at.map(|at| at + waited);
            }
            _ => {}
        }
    }

    pub(super) fn held_too_long(&mut self, now: Timestamp) {
        let what = "Nobody came to the phone: the call stayed on hold for as long as it may.";
        let blocker =
            BlockerClaim { kind: BlockerKind::OnHoldTooLong, what: what.into(), quotes: Vec::new() };
        self.claim(Claim { blocker: Some(blocker), ..Claim::new(TaskStatus::Blocked, what) });
        self.hang_up(now, EndReason::PolicyHoldLimit);
    }
}
