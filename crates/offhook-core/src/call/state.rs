//! Where a call is, and what happens when it stays there too long. Only data; what moves a call from one state to
//! another is in `setup.rs`, `talk.rs`, `tools.rs` and `ending.rs`.

use std::time::Duration;

use super::answering::Answering;
use super::approval::Approving;
use super::consult::Consult;
use super::delegate::Delegation;
use super::handoff::{Bridge, Handoff};
use super::hold::Hold;
use super::menu::Menu;
use super::pin::PinEntry;
use super::steer::Steer;
use super::through::Through;
use super::{Limits, Utterance};
use crate::end::EndReason;
use crate::time::Timestamp;
use crate::words::Words;

/// Where a call is. Why it ended is [`EndReason`], never a state.
#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "a call has one of these, and is connected for most of its life"
)]
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
    /// The dial request never left; there is another one soon.
    Redialing {
        dial_at: Timestamp,
    },
    Connected(Conversation),
    /// The user's phone rings for somebody who is put through, and who was not answered yet.
    PuttingThrough(Through),
    /// Remote and user talk to each other; the voice is gone.
    Bridged(Bridge),
    /// Leg and model are being closed; the last words may still arrive.
    Ending(Closing),
    Ended(EndReason),
}

/// What is going on in a connected call.
#[derive(Debug)]
pub struct Conversation {
    pub(super) phase: Phase,
    pub(super) quiet: Quiet,
    pub(super) remote_speaking: bool,
    pub(super) voice_speaking: bool,
    /// Whoever is on the line now has not been told yet what must be disclosed.
    pub(super) undisclosed: bool,
    /// The voice was told to be silent.
    pub(super) silenced: bool,
    /// Since when the far end has had the leg on hold.
    pub(super) held_since: Option<Timestamp>,
    pub(super) menu: Menu,
    pub(super) steer: Steer,
    pub(super) consult: Consult,
    pub(super) delegation: Delegation,
    pub(super) pin: PinEntry,
    pub(super) approving: Approving,
    pub(super) answering: Answering,
    pub(super) hold: Hold,
    pub(super) handoff: Handoff,
    /// When to tell the voice that time is nearly up; `None` once that was done.
    pub(super) wrap_up_at: Option<Timestamp>,
    pub(super) cut_off_at: Timestamp,
}

/// What the voice is at.
#[derive(Debug)]
pub enum Phase {
    /// It has not spoken yet: the remote may say hello until then.
    Listening {
        speak_at: Timestamp,
    },
    /// It speaks the first sentence, which holds the disclosure: that can't be interrupted away.
    Opening(Opening),
    Talking,
    /// It waits for a person to come back.
    OnHold {
        since: Timestamp,
    },
    /// A machine answered: it waits for the beep, but not for ever, to leave this message.
    AwaitingBeep {
        until: Timestamp,
        message: Words,
    },
    /// The last words: once they were played, the call ends.
    Parting(Parting),
}

/// How far the first sentence is.
#[derive(Clone, Copy, Debug)]
pub struct Opening {
    /// When it must be on its way at the latest.
    pub(super) speak_by: Timestamp,
    pub(super) words: MustHear,
    /// Only a machine hears it: whoever comes after it has not been told.
    pub(super) to_machine: bool,
}

/// Words that must be heard to their end: the model says which utterance they end with, the pump when that is over.
#[derive(Clone, Copy, Debug, Default)]
pub struct MustHear {
    handed_over: Option<Utterance>,
    played: Option<Utterance>,
}

/// How a call comes to its end.
#[derive(Clone, Copy, Debug)]
pub struct Parting {
    pub(super) reason: EndReason,
    /// When to hang up, as far as it is known: the words may still be on their way.
    pub(super) hang_up_at: Timestamp,
    pub(super) at_latest: Timestamp,
    /// The model is gone: what it handed over before is all there will be.
    pub(super) speech_gone: bool,
    /// The last words are a message for a machine to record.
    pub(super) message: Option<MustHear>,
}

/// How long nobody has spoken.
#[derive(Clone, Copy, Debug)]
pub enum Quiet {
    Since(Timestamp),
    /// The voice asked whether anybody is there, and this is since when there was no answer.
    Asked(Timestamp),
}

/// What is still awaited after the hang-up.
#[derive(Debug)]
pub struct Closing {
    pub(super) reason: EndReason,
    pub(super) open: Open,
    pub(super) ended_at: Timestamp,
    pub(super) give_up_at: Timestamp,
}

/// Who has not said the last word yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Open {
    pub leg: bool,
    /// The user's leg.
    pub second: bool,
    pub speech: bool,
}

/// What follows when a deadline is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// The voice speaks first after all.
    Open,
    /// The first sentence could not be said.
    NotOpened,
    /// The voice asks whether anybody is there.
    AskIfThere,
    /// The voice says that it is still waiting for an answer.
    StillAsking,
    /// Nobody answered the voice's question.
    Unanswered,
    /// The voice is told that time is nearly up.
    WrapUp,
    /// Nothing answered the keys that were pressed.
    KeysHeard,
    /// The menu led nowhere, and the voice does not say so.
    MenuStuck,
    /// What picked up is decided by what is known.
    Answering,
    /// The user did not come to the phone in time.
    Handoff,
    /// An agent behind the voice takes too long.
    Agents,
    /// The PIN was not given in time.
    Pin,
    /// Nothing was decided in time.
    Approval,
    /// The dial request is made again.
    Redial,
    /// The message is left without a beep.
    LeaveMessage,
    /// Nobody came back from a hold.
    HoldTooLong,
    HangUp(EndReason),
    /// The far end and the recognizer are not waited for any longer.
    Finish(EndReason),
}

impl CallState {
    /// What happens next if nothing else does, and when; `None` only for a call that is over.
    pub(super) fn next(&self, limits: &Limits) -> Option<(Timestamp, Due)> {
        match self {
            Self::Preparing { give_up_at } => Some((*give_up_at, Due::HangUp(EndReason::SpeechUnavailable))),
            Self::Dialing { give_up_at } | Self::Ringing { give_up_at } => {
                Some((*give_up_at, Due::HangUp(EndReason::PolicyRingLimit)))
            }
            Self::Redialing { dial_at } => Some((*dial_at, Due::Redial)),
            Self::Connected(conversation) => Some(conversation.next(limits)),
            Self::PuttingThrough(through) => Some(through.next()),
            Self::Bridged(bridge) => Some(bridge.next()),
            Self::Ending(closing) => Some((closing.give_up_at, Due::Finish(closing.reason))),
            Self::Ended(_) => None,
        }
    }
}

impl Conversation {
    /// How long before the talk limit the voice is told to come to an end.
    const WRAP_UP: Duration = Duration::from_secs(30);

    /// Somebody picked up.
    pub(super) fn new(speak_at: Timestamp, undisclosed: bool, limits: &Limits, now: Timestamp) -> Self {
        let cut_off_at = now + limits.talk;
        // A call of under two minutes is cut off without a warning.
        let warned = limits.talk >= Self::WRAP_UP * 4;
        Self {
            phase: Phase::Listening { speak_at },
            quiet: Quiet::Since(now),
            remote_speaking: false,
            voice_speaking: false,
            undisclosed,
            silenced: false,
            held_since: None,
            menu: Menu::default(),
            steer: Steer::default(),
            consult: Consult::default(),
            delegation: Delegation::default(),
            pin: PinEntry::default(),
            approving: Approving::default(),
            answering: Answering::default(),
            hold: Hold::default(),
            handoff: Handoff::default(),
            wrap_up_at: warned.then(|| cut_off_at - Self::WRAP_UP),
            cut_off_at,
        }
    }

    fn next(&self, limits: &Limits) -> (Timestamp, Due) {
        let candidates = [
            self.wrap_up_at
                .filter(|_| !self.handoff.is_private() && !self.hold.is_on())
                .map(|at| (at, Due::WrapUp)),
            self.phase_ends(),
            self.silence_ends(limits),
            self.consult.next(),
            self.delegation.next(),
            self.pin.next(),
            self.approving.next(),
            self.menu.next(),
            // What the remote is has time until the voice is back with it.
            self.answering.next().filter(|_| !self.handoff.is_private()),
            self.handoff.next(),
        ];
        let cut_off = (self.cut_off_at, Due::HangUp(EndReason::PolicyTalkLimit));
        let limit = match self.hold.next(limits.hold) {
            Some(limit) if limits.hold_is_talk => {
                if cut_off.0 < limit.0 {
                    cut_off
                } else {
                    limit
                }
            }
            Some(limit) => limit,
            None => cut_off,
        };
        candidates
            .into_iter()
            .flatten()
            .fold(limit, |first, other| if other.0 < first.0 { other } else { first })
    }

    fn phase_ends(&self) -> Option<(Timestamp, Due)> {
        match &self.phase {
            // Nobody is talked over, and what is said on hold is not heard.
            Phase::Listening { .. } if self.remote_speaking || self.held_since.is_some() => None,
            Phase::Listening { speak_at } => Some((*speak_at, Due::Open)),
            Phase::AwaitingBeep { .. } | Phase::Opening(_) if self.held_since.is_some() => None,
            Phase::AwaitingBeep { until, .. } => Some((*until, Due::LeaveMessage)),
            Phase::Opening(opening) if !self.voice_speaking => Some((opening.speak_by, Due::NotOpened)),
            Phase::Parting(parting) => Some((parting.hang_up_at, Due::HangUp(parting.reason))),
            Phase::Opening(_) | Phase::Talking | Phase::OnHold { .. } => None,
        }
    }

    /// When the silence becomes too long: first for a question, then for the call.
    fn silence_ends(&self, limits: &Limits) -> Option<(Timestamp, Due)> {
        if self.voice_speaking || self.held_since.is_some() || self.handoff.is_under_way() {
            return None;
        }
        // Whoever is asked for something is reminded of that.
        if self.pin.is_asked() || self.approving.is_asked() {
            return None;
        }
        if self.consult.is_open() && matches!(self.phase, Phase::Talking) {
            return self.consult.still_asking(self.quiet).filter(|_| !self.remote_speaking);
        }
        if let Some(due) =
            self.delegation.breaks_silence(self.quiet).filter(|_| matches!(self.phase, Phase::Talking))
        {
            return Some(due).filter(|_| !self.remote_speaking);
        }
        // Comfort noise or a television must not pass for a person who speaks for minutes on end.
        let patience = if self.remote_speaking { limits.silence * 2 } else { limits.silence / 2 };
        match (&self.phase, self.quiet) {
            (
                Phase::Opening(_) | Phase::OnHold { .. } | Phase::AwaitingBeep { .. } | Phase::Parting(_),
                _,
            ) => None,
            (Phase::Listening { .. }, Quiet::Since(at)) => Some((at + patience, Due::Open)),
            (_, Quiet::Since(at)) => Some((at + patience, Due::AskIfThere)),
            (_, Quiet::Asked(at)) => Some((at + patience, Due::HangUp(EndReason::PolicySilence))),
        }
    }

    /// Whether the voice has nobody to talk to, or must not: what it would say is lost, or on the wrong tape.
    pub(super) fn must_be_silent(&self) -> bool {
        let alone = self.is_waiting() || matches!(self.phase, Phase::AwaitingBeep { .. });
        alone && !self.handoff.is_private()
    }

    /// Whether there is nobody to talk to, whoever put us on hold and however.
    pub(super) fn is_waiting(&self) -> bool {
        self.held_since.is_some() || matches!(self.phase, Phase::OnHold { .. })
    }
}

impl Opening {
    /// For the model to begin, with a second attempt.
    const PATIENCE: Duration = Duration::from_secs(30);
    /// For another attempt after one that broke off.
    const AGAIN: Duration = Duration::from_secs(10);

    pub(super) fn new(now: Timestamp) -> Self {
        Self { speak_by: now + Self::PATIENCE, words: MustHear::default(), to_machine: false }
    }

    /// The voice says them of its own accord.
    pub(super) fn begun(utterance: Utterance, now: Timestamp) -> Self {
        let words = MustHear { handed_over: Some(utterance), played: None };
        Self { words, ..Self::new(now) }
    }

    pub(super) fn broke_off(&mut self, now: Timestamp) {
        self.speak_by = self.speak_by.max(now + Self::AGAIN);
    }

    pub(super) fn resumed(&mut self, now: Timestamp) {
        self.speak_by = now + Self::PATIENCE;
    }
}

impl MustHear {
    pub(super) fn handed_over(&mut self, utterance: Utterance) {
        self.handed_over = Some(utterance);
    }

    pub(super) fn played(&mut self, utterance: Utterance) {
        self.played = Some(utterance);
    }

    pub(super) fn is_handed_over(&self) -> bool {
        self.handed_over.is_some()
    }

    pub(super) fn were_heard(&self) -> bool {
        self.handed_over.is_some() && self.handed_over == self.played
    }
}

impl Parting {
    /// How long after its last frame the voice's last word may still wait in the far end's jitter buffer, which a
    /// hang-up empties.
    pub(super) const TAIL: Duration = Duration::from_millis(200);

    /// The last words are said, or on their way: the call ends for `reason` once they were played.
    pub(super) fn after_last_words(
        reason: EndReason,
        voice_speaking: bool,
        longest: Duration,
        now: Timestamp,
    ) -> Self {
        let at_latest = now + longest;
        // They may have come with the wish to end the call, and not have begun to play.
        let hang_up_at = if voice_speaking { at_latest } else { at_latest.min(now + Self::TAIL) };
        Self { reason, hang_up_at, at_latest, speech_gone: false, message: None }
    }

    /// A machine records from now on.
    pub(super) fn after_message(at_latest: Timestamp) -> Self {
        let reason = EndReason::VoiceVoicemail;
        let message = Some(MustHear::default());
        Self { reason, hang_up_at: at_latest, at_latest, speech_gone: false, message }
    }

    /// The last words were heard.
    pub(super) fn said(&mut self, now: Timestamp) {
        self.hang_up_at = self.at_latest.min(now + Self::TAIL);
    }
}

impl Quiet {
    /// Our own voice is no sign of the other side; the question to them is no answer to it either.
    pub(super) fn voice_stopped(&mut self, now: Timestamp) {
        match self {
            Self::Since(at) | Self::Asked(at) => *at = now,
        }
    }
}

impl Open {
    pub(super) fn is_none(self) -> bool {
        self == Self::default()
    }
}
