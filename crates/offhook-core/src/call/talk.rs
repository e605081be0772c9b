//! Who speaks when: turn-taking, barge-in, hold, silence.

use super::state::{Phase, Quiet};
use super::turns::Audience;
use super::{Action, Call, SpeechCommand, Utterance};
use crate::journal::Fact;
use crate::pump::Heard;
use crate::time::Timestamp;
use crate::words::Words;

/// Told to the voice, not to the other side.
const WRAP_UP: &str =
    "The call will be cut off in 30 seconds. Say what is still needed, say goodbye, and end the call.";

impl Call {
    /// The remote began to speak. Whatever the voice was saying stops at once, except its first and its last words.
    pub(super) fn remote_speech_started(&mut self, now: Timestamp) {
        self.remote_is_there(now);
        let Some(conversation) = self.conversation() else { return };
        conversation.remote_speaking = true;
        conversation.menu.answered();
        conversation.answering.speech_started(now);
        self.gate_may_have_opened();
        let Some(conversation) = self.conversation() else { return };
        let must_be_heard = matches!(conversation.phase, Phase::Opening(_) | Phase::Parting(_));
        if conversation.voice_speaking && !must_be_heard {
            self.actions.push_back(Action::StopPlayout);
        }
    }

    pub(super) fn remote_speech_stopped(&mut self, now: Timestamp) {
        self.remote_is_there(now);
        let Some(conversation) = self.conversation() else { return };
        conversation.remote_speaking = false;
        conversation.answering.speech_stopped(now);
        // They said hello: now it is our turn, unless nobody would hear us.
        if matches!(conversation.phase, Phase::Listening { .. }) && conversation.held_since.is_none() {
            self.open(now);
        }
    }

    /// What the remote said, where it was understood.
    pub(super) fn remote_said(
        &mut self,
        now: Timestamp,
        text: Option<Words>,
        confidence: Option<u32>,
        (started_ms, ended_ms): (u32, u32),
    ) {
        match self.turns.audience(started_ms) {
            Audience::Both => {}
            Audience::User => {
                let turn = self.turns.private();
                return self.journal(Fact::PrivateTurn { turn, started_ms, ended_ms });
            }
            Audience::Nobody => return,
        }
        let turn = self.turns.remote(text.as_deref().unwrap_or_default(), started_ms);
        let said = text.clone();
        self.journal(match text {
            Some(text) => Fact::RemoteSaid { turn, started_ms, ended_ms, text: text.into(), confidence },
            None => Fact::NotUnderstood { turn, started_ms, ended_ms },
        });
        self.pin_said(now, said.as_deref().unwrap_or_default());
        self.decision_said(now, said.as_deref().unwrap_or_default(), confidence, started_ms);
        self.note_wish_to_wait(said.as_deref().unwrap_or_default());
        self.consider_answering(now, said.as_deref());
        self.tell_result(false);
        self.remote_is_there(now);
    }

    /// The remote spoke or pressed a key: the line is not silent.
    pub(super) fn remote_is_there(&mut self, now: Timestamp) {
        if let Some(conversation) = self.conversation() {
            conversation.quiet = Quiet::Since(now);
        }
    }

    pub(super) fn voice_started(&mut self, now: Timestamp, utterance: Utterance) {
        if let Some(conversation) = self.conversation() {
            conversation.voice_speaking = true;
            conversation.delegation.voice_speaks();
        }
        if self.speaks_too_soon(now, utterance) || self.talks_over_a_menu() {
            return;
        }
        let Some(conversation) = self.conversation() else { return };
        match &mut conversation.phase {
            Phase::Parting(parting) => parting.hang_up_at = parting.at_latest,
            // It was handed over before the hold began: nobody is there to hear it.
            Phase::OnHold { .. } => self.actions.push_back(Action::StopPlayout),
            _ => {}
        }
    }

    /// An utterance was played to its end.
    pub(super) fn voice_finished(&mut self, now: Timestamp, heard: Heard) {
        let at_ms = self.call_ms(now);
        let said = self.turns.finished(heard, at_ms);
        self.note_reading(now, said.as_ref());
        self.journal_said(said);
        self.voice_stopped(now);
        if self.conversation().is_some_and(|conversation| matches!(conversation.phase, Phase::Talking)) {
            self.gate_told();
        }
        self.opening_played(now, heard);
    }

    /// An utterance was dropped in the middle: by the remote, who speaks over it, or because nobody would hear it.
    pub(super) fn voice_cut_off(&mut self, now: Timestamp, heard: Heard) {
        let at_ms = self.call_ms(now);
        if let Some(conversation) = self.conversation() {
            if conversation.remote_speaking {
                self.journal(Fact::BargeIn { heard_ms: heard.heard_ms });
            }
            self.speech(SpeechCommand::Truncate(heard));
        }
        let said = self.turns.cut_off(heard, at_ms);
        self.journal_said(said);
        self.voice_stopped(now);
    }

    fn voice_stopped(&mut self, now: Timestamp) {
        let Some(conversation) = self.conversation() else { return };
        conversation.voice_speaking = false;
        conversation.quiet.voice_stopped(now);
        if let Phase::Opening(opening) = &mut conversation.phase {
            opening.broke_off(now);
        }
    }

    pub(super) fn journal_said(&mut self, said: Option<Fact>) {
        if let Some(said) = said {
            self.journal(said);
        }
    }

    pub(super) fn ask_if_there(&mut self, now: Timestamp) {
        let text = self.brief.fixed_words().anybody_there.into();
        if let Some(conversation) = self.conversation() {
            if conversation.undisclosed {
                return self.open(now);
            }
            conversation.quiet = Quiet::Asked(now);
            self.speech(SpeechCommand::Say { text });
        }
    }

    pub(super) fn wrap_up(&mut self) {
        if let Some(conversation) = self.conversation() {
            conversation.wrap_up_at = None;
            self.speech(SpeechCommand::WrapUp { text: WRAP_UP.into() });
        }
    }

    /// The far end put the leg on hold: nothing we send is heard any more.
    pub(super) fn held(&mut self, now: Timestamp) {
        if let Some(conversation) = self.conversation()
            && conversation.held_since.is_none()
        {
            conversation.held_since = Some(now);
            self.journal(Fact::Held {});
            self.actions.push_back(Action::StopPlayout);
            self.settle_silence();
        }
    }

    pub(super) fn resumed(&mut self, now: Timestamp) {
        if let Some(conversation) = self.conversation()
            && conversation.held_since.take().is_some()
        {
            conversation.quiet = Quiet::Since(now);
            self.journal(Fact::Resumed {});
            self.settle_silence();
            self.open_again(now);
        }
    }

    /// The hold may have cut off the first words after the model had handed them over.
    fn open_again(&mut self, now: Timestamp) {
        let Some(conversation) = self.conversation() else { return };
        let Phase::Opening(opening) = &mut conversation.phase else { return };
        opening.resumed(now);
        if opening.words.is_handed_over() {
            let to_machine = opening.to_machine;
            self.open(now);
            if to_machine {
                self.owe_disclosure();
            }
        }
    }

    /// Tell the voice when it has to begin to be silent, and when it need not be any more, whatever the reasons are.
    pub(super) fn settle_silence(&mut self) {
        let Some(conversation) = self.conversation() else { return };
        let silent = conversation.must_be_silent();
        if std::mem::replace(&mut conversation.silenced, silent) != silent {
            self.speech(if silent { SpeechCommand::Suspend } else { SpeechCommand::Resume });
        }
    }

    /// Go on to another phase; a hold that ends by it is journalled.
    pub(super) fn enter(&mut self, phase: Phase, now: Timestamp) {
        let Some(conversation) = self.conversation() else { return };
        if let Phase::OnHold { since } = std::mem::replace(&mut conversation.phase, phase) {
            let waited_ms = now.since(since).as_millis().min(u32::MAX.into()) as u32;
            self.journal(Fact::HoldEnded { waited_ms });
        }
    }
}
