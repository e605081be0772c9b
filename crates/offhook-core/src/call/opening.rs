//! The first words and what they disclose: nothing is said to anybody before them, and they are heard to their end.
//!
//! Whoever comes to the phone after a machine or a hold is somebody new, who hears them first, too. The same care is
//! taken of a message for a machine: it was left when all of it was played.

use super::state::{Opening, Phase, Quiet};
use super::{Action, Call, SpeechCommand, Utterance};
use crate::end::EndReason;
use crate::journal::{Fact, Part};
use crate::pump::Heard;
use crate::time::Timestamp;

impl Call {
    /// Whether anything must be disclosed in this call.
    pub(super) fn discloses(&self) -> bool {
        self.brief.disclosure.words(self.brief.fixed_words()).is_some()
    }

    /// Speak the first words.
    pub(super) fn open(&mut self, now: Timestamp) {
        let say = self.brief.opening_words();
        let phase = if say.is_some() { Phase::Opening(Opening::new(now)) } else { Phase::Talking };
        self.enter(phase, now);
        if let Some(conversation) = self.conversation() {
            conversation.quiet = Quiet::Since(now);
            self.speech(SpeechCommand::Open { say: say.map(Into::into) });
        }
    }

    /// Whoever speaks next may be somebody new.
    pub(super) fn owe_disclosure(&mut self) {
        let discloses = self.discloses();
        if let Some(conversation) = self.conversation() {
            conversation.undisclosed |= discloses;
            if let Phase::Opening(opening) = &mut conversation.phase {
                opening.to_machine = true;
            }
        }
    }

    /// The voice begins to speak to somebody who was not told yet: only with the first words. Whether it may not.
    pub(super) fn speaks_too_soon(&mut self, now: Timestamp, utterance: Utterance) -> bool {
        let disclosure = self.brief.disclosure.words(self.brief.fixed_words());
        let itself = disclosure.is_some_and(|words| self.turns.begins_with(utterance, words));
        let Some(conversation) = self.conversation() else { return false };
        let free = matches!(conversation.phase, Phase::Listening { .. } | Phase::Talking);
        if !conversation.undisclosed || !free {
            return false;
        }
        let held = conversation.held_since.is_some();
        if itself && !held {
            self.enter(Phase::Opening(Opening::begun(utterance, now)), now);
            return false;
        }
        self.actions.push_back(Action::StopPlayout);
        self.gives_way();
        if !held {
            self.open(now);
        }
        true
    }

    /// The model handed over the last of what must be heard.
    pub(super) fn opening_handed_over(&mut self, now: Timestamp, utterance: Utterance) {
        let Some(conversation) = self.conversation() else { return };
        match &mut conversation.phase {
            Phase::Opening(opening) => opening.words.handed_over(utterance),
            Phase::Parting(parting) => {
                if let Some(message) = &mut parting.message {
                    message.handed_over(utterance);
                }
            }
            _ => {}
        }
        self.consider_opened(now);
    }

    /// An utterance was played; on the far end's hold nobody heard it.
    pub(super) fn opening_played(&mut self, now: Timestamp, heard: Heard) {
        let whole = heard.heard_ms > 0 && heard.heard_ms >= heard.of_ms;
        let Some(conversation) = self.conversation().filter(|conversation| conversation.held_since.is_none())
        else {
            return;
        };
        match &mut conversation.phase {
            Phase::Opening(opening) if whole => opening.words.played(heard.utterance),
            Phase::Parting(parting) => match &mut parting.message {
                Some(message) if whole => message.played(heard.utterance),
                Some(_) => {}
                // With nothing left to say, those were the last words; one given up before its first sound says nothing.
                None if heard.heard_ms > 0 => parting.said(now),
                None => {}
            },
            _ => {}
        }
        self.consider_opened(now);
    }

    fn consider_opened(&mut self, now: Timestamp) {
        let Some(conversation) = self.conversation() else { return };
        match &mut conversation.phase {
            Phase::Opening(opening) if opening.words.were_heard() => {
                conversation.undisclosed &= opening.to_machine;
                conversation.quiet = Quiet::Since(now);
                conversation.phase = Phase::Talking;
                self.say_unsaid();
                self.gate_passed();
                self.ask_for_pin(now);
                self.ask_for_approval(now);
            }
            Phase::Parting(parting) if parting.message.is_some_and(|message| message.were_heard()) => {
                parting.said(now);
                self.message_left();
            }
            _ => {}
        }
    }

    /// Nobody is talked to who does not know to whom.
    pub(super) fn not_opened(&mut self, now: Timestamp) {
        let Some(conversation) = self.conversation() else { return };
        if !conversation.undisclosed {
            conversation.phase = Phase::Talking;
            // Nobody can decide what was not put to them.
            if self.awaits_decision() {
                self.not_read_out(now);
            }
            return;
        }
        let (part, code) = (Part::Speech, "not_opened".to_owned());
        let message = "the first sentence, which says who is calling, could not be spoken in time".to_owned();
        self.journal(Fact::Problem { part, code, message });
        self.hang_up(now, EndReason::SpeechLost);
    }
}
