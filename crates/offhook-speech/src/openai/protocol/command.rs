//! What the call wants of the model.

use offhook_core::Timestamp;
use offhook_core::brief::Brief;
use offhook_core::call::{SpeechCommand, SpeechEvent, ToolCallId};
use offhook_core::pump::Heard;

use super::super::client_event::{self, Ask, Role};
use super::link::Phase;
use super::responses::Why;
use super::updates::Update;
use super::voice::ms;
use super::{OUTGOING, Protocol};
use crate::{Busy, notes};

impl Protocol {
    pub fn command(&mut self, command: SpeechCommand, now: Timestamp) -> Result<(), Busy> {
        if matches!(self.phase, Phase::Closing { .. } | Phase::Over) {
            return Ok(());
        }
        // Closing and silence are never refused.
        let refusable =
            !matches!(command, SpeechCommand::Close | SpeechCommand::Suspend | SpeechCommand::Resume);
        if refusable && (self.outgoing.len() >= OUTGOING || self.responses.is_full()) {
            return Err(Busy);
        }
        match command {
            SpeechCommand::Open { say } => {
                self.opened = true;
                // What they take the place of may be on its way already.
                if self.responses.opens() {
                    self.cancel_active();
                }
                self.responses.want_opening(say.map_or(Ask::Answer, |words| Ask::Words(words.into())));
                self.settle_turns();
            }
            SpeechCommand::Say { text } => self.responses.want(Ask::Words(text.into()), Why::Asked),
            SpeechCommand::WrapUp { text } => self.remark(&text),
            SpeechCommand::Note { text, respond } => {
                self.remark(&text);
                self.answer_if(respond);
            }
            SpeechCommand::Instruct { text, respond } => {
                self.remark(&notes::instruction(&text));
                self.answer_if(respond);
            }
            SpeechCommand::OwnerAnswered { question, answer, respond } => {
                self.remark(&notes::answer(&question, answer.as_deref()));
                self.answer_if(respond);
            }
            SpeechCommand::ToolOutput { id, output, respond } => {
                self.tool_output(id, &output);
                self.answer_if(respond);
            }
            SpeechCommand::Brief(brief) => self.brief(*brief),
            SpeechCommand::Truncate(heard) => self.truncate(heard),
            SpeechCommand::Suspend => self.suspend(),
            SpeechCommand::Resume => self.suspended = false,
            SpeechCommand::Close => self.close(now),
        }
        self.ask_next(now);
        Ok(())
    }

    fn answer_if(&mut self, respond: bool) {
        if respond {
            self.responses.want(Ask::Answer, Why::Asked);
        }
    }

    /// Another connection is configured so from its beginning.
    fn brief(&mut self, brief: Brief) {
        self.settings.prompt.brief = brief;
        // A new connection is told from the beginning.
        if self.is_live() {
            self.update(Update::Brief);
        }
        self.settle_turns();
    }

    /// Tell the model something the remote does not hear. Without a connection the next one is told.
    fn remark(&mut self, text: &str) {
        self.history.remark(text);
        if self.is_live() {
            let event_id = self.ids.next();
            self.write(client_event::text_item(&event_id, Role::System, text));
        }
    }

    /// Goes out at once: it does not wait for what the voice is saying, nor hold it up.
    fn tool_output(&mut self, id: ToolCallId, output: &str) {
        let connection = self.connection;
        let Some(call) = self.tool_calls.answer(id) else { return };
        let remark = format!("You called {}; it answered: {output}", call.name);
        if call.connection == connection && matches!(self.phase, Phase::Live) {
            let call_id = call.call_id.clone();
            self.history.remark(&remark);
            let event_id = self.ids.next();
            self.write(client_event::tool_output(&event_id, &call_id, output));
        } else {
            self.remark(&remark);
        }
    }

    /// Only this much of the utterance was heard, and nothing of those after it.
    fn truncate(&mut self, heard: Heard) {
        let spoken_on: Vec<_> =
            self.voice.from(heard.utterance).map(|spoken| spoken.response_id.clone()).collect();
        let active_id = self.responses.active().and_then(|active| active.response_id.clone());
        if active_id.is_some_and(|active_id| spoken_on.contains(&active_id)) {
            self.cancel_active();
        }
        let (format, pace) = (self.settings.prompt.format, self.voice.pace);
        let mut cuts = Vec::new();
        let mut remark = None;
        for spoken in self.voice.from(heard.utterance).filter(|spoken| spoken.cut.is_none()) {
            let passed_ms = ms(spoken.passed_bytes, format);
            let heard_ms =
                if spoken.utterance == heard.utterance { heard.heard_ms.min(passed_ms) } else { 0 };
            spoken.cut = Some(Heard { utterance: spoken.utterance, heard_ms, of_ms: passed_ms });
            spoken.broken_off |= !spoken.audio_done;
            let words = spoken.heard_words(format, pace);
            self.history.begin(&spoken.item_id, Role::Voice);
            self.history.set_text(&spoken.item_id, words);
            if spoken.connection == self.connection && spoken.passed_bytes > 0 {
                cuts.push((spoken.item_id.clone(), heard_ms));
            } else if heard_ms < passed_ms {
                // The new connection was told of all of it; there is no item to cut.
                remark = Some(format!("You were cut off. The other side only heard: {words:?}"));
            }
        }
        if let Some(remark) = remark {
            self.remark(&remark);
        }
        if self.is_live() {
            for (item_id, heard_ms) in cuts {
                let event_id = self.ids.next();
                self.write(client_event::truncate(&event_id, &item_id, heard_ms));
            }
        }
    }

    /// On hold: without audio there are no turns for the server to find, so nothing needs to be configured.
    fn suspend(&mut self) {
        self.suspended = true;
        self.cancel_active();
        if self.is_live() {
            let event_id = self.ids.next();
            self.write(client_event::clear(&event_id));
        }
        // What was begun and is cleared never gets words.
        self.remote.nothing_to_commit();
        if std::mem::take(&mut self.remote.speaking) {
            self.emit(SpeechEvent::RemoteSpeechStopped);
        }
    }
}
