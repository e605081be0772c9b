//! The configuration of the session: what was asked of the server, and what it confirmed.

use std::collections::VecDeque;

use offhook_core::Timestamp;
use offhook_core::audio::AudioFormat;
use offhook_core::call::SpeechEvent;

use super::super::client_event::{self, Turns};
use super::super::server_event::Session;
use super::Protocol;
use super::link::Phase;
use super::remote::Remote;

/// Configurations on their way. The server confirms or refuses each, in order.
#[derive(Debug, Default)]
pub(super) struct Updates {
    sent: VecDeque<(String, Update)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Update {
    /// Everything: the first of a connection.
    Session,
    Turns(Turns),
    Format,
    /// What the conversation is about.
    Brief,
}

impl Updates {
    /// Another connection is asked anew.
    pub fn clear(&mut self) {
        self.sent.clear();
    }

    pub fn is_asked(&self, update: Update) -> bool {
        self.sent.iter().any(|(_, asked)| *asked == update)
    }

    /// How the server will treat turns when it has done what it was asked to.
    fn turns_asked(&self) -> Option<Turns> {
        self.sent.iter().rev().find_map(|(_, update)| match update {
            Update::Turns(turns) => Some(*turns),
            Update::Session | Update::Format | Update::Brief => None,
        })
    }

    fn confirmed(&mut self) -> Option<Update> {
        self.sent.pop_front().map(|(_, update)| update)
    }

    /// Which of them this event asked for, if it was one.
    pub fn refused(&mut self, event_id: Option<&str>) -> Option<Update> {
        let index = self.sent.iter().position(|(sent, _)| Some(sent.as_str()) == event_id)?;
        self.sent.remove(index).map(|(_, update)| update)
    }
}

impl Protocol {
    pub(super) fn update(&mut self, update: Update) {
        let event_id = self.ids.next();
        let settings = &self.settings;
        let text = match update {
            Update::Session => {
                client_event::session_update(&event_id, &settings.config, &settings.prompt, self.turns)
            }
            Update::Turns(turns) => client_event::turn_update(&event_id, &settings.config, turns),
            Update::Format => client_event::format_update(&event_id, settings.prompt.format),
            Update::Brief => client_event::brief_update(&event_id, &settings.prompt.brief),
        };
        self.updates.sent.push_back((event_id, update));
        self.write(text);
    }

    /// Configure a new connection.
    pub(super) fn configure(&mut self) {
        self.turns = self.turns_wanted();
        self.update(Update::Session);
    }

    /// Hear and speak in this format from now on, if no audio has gone either way yet. Whether that is so.
    pub fn use_format(&mut self, format: AudioFormat) -> bool {
        if self.settings.prompt.format == format {
            return true;
        }
        let over = matches!(self.phase, Phase::Closing { .. } | Phase::Over);
        if self.opened || over || self.remote.has_heard() {
            return false;
        }
        self.settings.prompt.format = format;
        self.remote = Remote::new(format);
        if self.connected {
            self.update(Update::Format);
        }
        true
    }

    /// How the server should treat turns: nothing may cut off or come between words that must be heard.
    fn turns_wanted(&self) -> Turns {
        let apologizes = matches!(self.phase, Phase::Reopening { honest: true, .. });
        let free = self.opened && !self.is_guarded();
        let answered = free && !apologizes && !self.responses.must_be_heard();
        if answered { Turns::Answered } else { Turns::Reported }
    }

    /// Whether the call decides of each turn who answers it, and with what.
    pub(super) fn is_guarded(&self) -> bool {
        self.settings.prompt.brief.is_guarded()
    }

    /// After the first words the server may answer by itself, until there are others that must be heard.
    pub(super) fn settle_turns(&mut self) {
        let wanted = self.turns_wanted();
        if self.is_live() && wanted != self.updates.turns_asked().unwrap_or(self.turns) {
            self.update(Update::Turns(wanted));
        }
    }

    /// The server confirmed a configuration.
    pub(super) fn session_updated(&mut self, session: &Session<'_>, now: Timestamp) {
        let confirmed = self.updates.confirmed();
        let format = client_event::format_name(self.settings.prompt.format);
        // Not while another is on its way: this one may be of before.
        if !self.updates.is_asked(Update::Format)
            && let Some(theirs) = session.output_format()
            && theirs != format
        {
            return self.over(&format!("the server speaks {theirs}, not {format}"));
        }
        match self.phase {
            Phase::Opening { .. } => {
                self.phase = Phase::Live;
                let model = session.model.as_ref().map_or(&*self.settings.config.model, |model| &model.0);
                let model = model.to_owned();
                self.emit(SpeechEvent::Ready { model });
                self.replay();
            }
            Phase::Reopening { honest, .. } => self.reopened(honest),
            Phase::Live => {
                if let Some(Update::Turns(turns)) = confirmed {
                    self.turns = turns;
                }
            }
            Phase::Closing { .. } | Phase::Over => {}
        }
        self.ask_next(now);
    }

    /// The server refused to change the session. Whether that was what the error is about.
    pub(super) fn update_refused(&mut self, event_id: Option<&str>, now: Timestamp) -> bool {
        let refused = self.updates.refused(event_id);
        if refused == Some(Update::Format) {
            // A new connection has the right format from the beginning.
            self.reopen("the server can't change the audio format of a session", false, now);
        }
        refused == Some(Update::Format)
    }
}
