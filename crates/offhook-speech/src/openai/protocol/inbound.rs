//! What the server tells, and what follows from it.

use offhook_core::Timestamp;
use offhook_core::call::SpeechEvent;

use super::super::client_event::{self, Ask, Role, Turns};
use super::super::server_event::{self, ErrorBody, RateLimit, Response, ServerEvent};
use super::remote::Span;
use super::responses::{Wanted, Why};
use super::{Protocol, link::Phase};
use crate::{SpeechOutput, tools};

/// Errors of races that are nobody's fault: what was asked for had just come true by itself.
const BENIGN: [&str; 3] = [
    "response_cancel_not_active",
    "input_audio_buffer_commit_empty",
    "conversation_already_has_active_response",
];

/// After so many failed responses in a row the model is of no use to a call.
const FAILURES: u32 = 4;

impl Protocol {
    /// Take one text message of the server.
    pub fn handle(&mut self, text: &str, now: Timestamp) {
        self.received(now);
        if self.is_over() {
            return;
        }
        match server_event::parse(text) {
            Ok(Some(event)) => self.handle_event(event, now),
            Ok(None) => {}
            Err(_) => self.unknown("that can't be read"),
        }
        if self.rollover_due {
            self.roll_over(now);
        }
    }

    fn handle_event(&mut self, event: ServerEvent<'_>, now: Timestamp) {
        match event {
            ServerEvent::Audio { response_id, item_id, base64 } => {
                self.audio(&response_id, &item_id, &base64, now)
            }
            ServerEvent::AudioDone { item_id } => self.audio_done(&item_id),
            ServerEvent::VoiceItem { response_id, item_id } => self.voice_item(&response_id, &item_id),
            ServerEvent::VoiceTextDelta { response_id, item_id, delta } => {
                let connection = self.connection;
                self.voice.entry(&response_id, &item_id, connection).text.push_str(&delta);
            }
            ServerEvent::VoiceTextDone { item_id, text } => self.voice_text(&item_id, &text),
            ServerEvent::SpeechStarted { item_id, audio_start_ms } => {
                self.speech_started(&item_id, audio_start_ms)
            }
            ServerEvent::SpeechStopped { item_id, audio_end_ms } => {
                self.remote.stopped(&item_id, audio_end_ms);
                self.emit(SpeechEvent::RemoteSpeechStopped);
            }
            ServerEvent::Committed { item_id } => self.committed(&item_id, now),
            ServerEvent::RemoteTranscript { item_id, transcript } => self.remote_said(&item_id, &transcript),
            ServerEvent::RemoteTranscriptFailed { item_id, error } => {
                self.problem(&format!("transcription.{}", error.code()), error.message());
                self.remote_said(&item_id, "");
            }
            ServerEvent::FunctionCall { call_id, name, arguments } => {
                self.function_call(&call_id, &name, &arguments)
            }
            ServerEvent::ResponseCreated { response_id } => self.response_created(&response_id, now),
            ServerEvent::ResponseDone(response) => self.response_done(&response, now),
            ServerEvent::SessionCreated(session) => self.session_created(&session, now),
            ServerEvent::SessionUpdated(session) => self.session_updated(&session, now),
            ServerEvent::RateLimits(limits) => self.rate_limits(&limits),
            ServerEvent::Error(error) => self.error(&error, now),
            ServerEvent::Unknown { kind } => {
                self.unknown(&format!("{:?}", kind.chars().take(64).collect::<String>()))
            }
        }
    }

    /// Each kind is told once: what a compatible server means by it, its operator may want to know.
    fn unknown(&mut self, kind: &str) {
        const KINDS: usize = 8;
        if self.unknown.len() < KINDS && !self.unknown.iter().any(|known| known == kind) {
            self.unknown.push(kind.to_owned());
            self.problem("unknown_event", &format!("the server sends events {kind}"));
        }
    }

    fn audio(&mut self, response_id: &str, item_id: &str, base64: &str, now: Timestamp) {
        self.responses.alive(now);
        let muted = self.responses.active().is_some_and(|active| active.muted);
        let Some(bytes) = self.appender.decode(base64) else {
            return tracing::debug!("the speech server sent audio that is not base64");
        };
        let spoken = self.voice.entry(response_id, item_id, self.connection);
        if spoken.audio_done {
            return;
        }
        spoken.made_bytes += bytes.len();
        if spoken.cut.is_some() || muted {
            return;
        }
        spoken.passed_bytes += bytes.len();
        let utterance = spoken.utterance;
        self.outputs.push_back(SpeechOutput::Audio { utterance, bytes });
    }

    fn audio_done(&mut self, item_id: &str) {
        if let Some(spoken) = self.voice.by_item(item_id)
            && !std::mem::replace(&mut spoken.audio_done, true)
        {
            let utterance = spoken.utterance;
            self.emit(SpeechEvent::UtteranceDone { utterance });
            self.tell_words(item_id);
        }
    }

    fn voice_item(&mut self, response_id: &str, item_id: &str) {
        self.history.begin(item_id, Role::Voice);
        self.voice.entry(response_id, item_id, self.connection);
    }

    fn voice_text(&mut self, item_id: &str, text: &str) {
        if let Some(spoken) = self.voice.by_item(item_id)
            && !std::mem::replace(&mut spoken.text_done, true)
        {
            text.clone_into(&mut spoken.text);
            self.tell_words(item_id);
        }
    }

    /// Once all of an utterance is there, its words and its audio can be put together.
    fn tell_words(&mut self, item_id: &str) {
        let format = self.settings.prompt.format;
        self.voice.learn_pace(item_id, format);
        let pace = self.voice.pace;
        let Some(spoken) = self.voice.by_item(item_id).filter(|spoken| spoken.is_finished()) else { return };
        let text = spoken.passed_words(format, pace).into();
        let utterance = spoken.utterance;
        self.history.begin(item_id, Role::Voice);
        self.history.set_text(item_id, spoken.heard_words(format, pace));
        self.emit(SpeechEvent::VoiceText { utterance, text });
    }

    /// Close what is open of a response, or of all: its words as far as they came, and the end of its audio. What was
    /// not `completed` may have words without audio.
    pub(super) fn end_utterances(&mut self, response_id: Option<&str>, completed: bool) {
        let format = self.settings.prompt.format;
        let pace = self.voice.pace;
        let mut events = Vec::new();
        for spoken in self.voice.unfinished(response_id) {
            spoken.broken_off |= !spoken.audio_done && !completed;
            let utterance = spoken.utterance;
            if !std::mem::replace(&mut spoken.audio_done, true) {
                events.push(SpeechEvent::UtteranceDone { utterance });
            }
            spoken.text_done = true;
            if !spoken.text.is_empty() {
                self.history.begin(&spoken.item_id, Role::Voice);
                self.history.set_text(&spoken.item_id, spoken.heard_words(format, pace));
                events.push(SpeechEvent::VoiceText {
                    utterance,
                    text: spoken.passed_words(format, pace).into(),
                });
            }
        }
        self.outputs.extend(events.into_iter().map(SpeechOutput::Event));
    }

    fn speech_started(&mut self, item_id: &str, audio_start_ms: Option<u64>) {
        let owed = self.opened && self.turns == Turns::Reported && !self.is_guarded();
        self.remote.started(item_id, audio_start_ms, owed);
        self.emit(SpeechEvent::RemoteSpeechStarted);
    }

    fn committed(&mut self, item_id: &str, now: Timestamp) {
        self.history.begin(item_id, Role::Remote);
        let owed = self.remote.committed(item_id);
        // The server answers by itself once it is told to; until then it is on us.
        if owed && self.turns == Turns::Reported && matches!(self.phase, Phase::Live) {
            self.responses.want(Ask::Answer, Why::Owed);
            self.ask_next(now);
        }
    }

    fn remote_said(&mut self, item_id: &str, transcript: &str) {
        let Some(span) = self.remote.transcribed(item_id) else { return };
        self.unhear(item_id);
        let transcript = transcript.trim();
        if transcript.is_empty() {
            self.not_understood(span);
        } else {
            self.history.begin(item_id, Role::Remote);
            // What is said to have a PIN is told to no other connection.
            if !self.is_guarded() {
                self.history.set_text(item_id, transcript);
            }
            let Span { started_ms, ended_ms } = span;
            let text = Some(transcript.into());
            self.emit(SpeechEvent::RemoteSaid { text, confidence: None, started_ms, ended_ms });
        }
        self.close_if_flushed();
    }

    /// What is said to have a PIN stays no part of what the model knows.
    fn unhear(&mut self, item_id: &str) {
        if self.is_guarded() && self.is_live() {
            let event_id = self.ids.next();
            self.write(client_event::delete_item(&event_id, item_id));
        }
    }

    pub(super) fn not_understood(&mut self, Span { started_ms, ended_ms }: Span) {
        self.emit(SpeechEvent::RemoteSaid { text: None, confidence: None, started_ms, ended_ms });
    }

    fn function_call(&mut self, call_id: &str, name: &str, arguments: &str) {
        if self.responses.active().is_some_and(|active| active.muted) {
            return;
        }
        if let Some(id) = self.tool_calls.begin(call_id, name, self.connection) {
            self.emit(SpeechEvent::ToolCall { id, tool: tools::parse(name, arguments) });
        }
    }

    fn response_created(&mut self, response_id: &str, now: Timestamp) {
        // Whatever was cut off before it had a name is cut off now.
        let unwanted =
            self.responses.active().is_some_and(|active| active.muted && active.response_id.is_none());
        self.responses.created(response_id, now);
        if unwanted || self.suspended || !self.is_live() {
            self.cancel_active();
        }
    }

    fn response_done(&mut self, response: &Response<'_>, now: Timestamp) {
        self.end_utterances(Some(response.id()), response.status() == "completed");
        let Some(active) = self.responses.done(response.id()) else { return };
        let wanted = active.asked.map(|(_, wanted)| wanted);
        let opening = wanted.clone().filter(Wanted::must_be_opened);
        let whole = self.voice.whole(active.response_id.as_deref().unwrap_or(response.id()));
        match (response.status(), opening, whole) {
            ("failed", ..) => self.response_failed(response, wanted, now),
            ("incomplete", opening, _) => {
                let reason = response.status_details.as_ref().and_then(|details| details.reason());
                self.problem(reason.unwrap_or("response_incomplete"), "the model broke off a response");
                self.opening_failed(opening, now);
            }
            ("completed", Some(_), Some(utterance)) if !active.muted => {
                self.responses.failed_in_a_row = 0;
                self.emit(SpeechEvent::Opened { utterance });
            }
            ("completed", Some(opening), _) if !active.muted => {
                self.problem("response_empty", "the model did not speak");
                self.opening_failed(Some(opening), now);
            }
            (_, opening, _) => {
                self.responses.failed_in_a_row = 0;
                self.responses.want_opening_again(opening);
            }
        }
        self.settle_turns();
        self.ask_next(now);
    }

    /// What must be heard is tried again after a moment; a model that can't say it is as good as lost.
    fn opening_failed(&mut self, opening: Option<Wanted>, now: Timestamp) {
        if !opening.as_ref().is_some_and(Wanted::must_be_opened) {
            return;
        }
        self.responses.failed(now);
        if self.responses.failed_in_a_row >= FAILURES {
            return self.over("the model does not say the first words");
        }
        self.responses.want_opening_again(opening);
    }

    /// A failure is tried again after a moment; a model that only fails is as good as lost.
    fn response_failed(&mut self, response: &Response<'_>, wanted: Option<Wanted>, now: Timestamp) {
        let error =
            response.status_details.as_ref().and_then(|details| details.error.clone()).unwrap_or_default();
        let code = if error.code() == "unknown" { "response_failed" } else { error.code() };
        self.problem(code, error.message());
        self.responses.failed(now);
        if self.responses.failed_in_a_row >= FAILURES {
            return self.over(&format!("the model fails every response: {code}"));
        }
        self.responses.want_first(wanted.unwrap_or(Wanted { ask: Ask::Answer, why: Why::Asked }));
    }

    fn rate_limits(&mut self, limits: &[RateLimit<'_>]) {
        let exhausted = limits.iter().find(|limit| limit.remaining.is_some_and(|remaining| remaining <= 0.0));
        if let Some(limit) = exhausted
            && !self.rate_limited
        {
            let reset = limit.reset_seconds.unwrap_or_default().ceil();
            let message = format!("no {} left; more in {reset} seconds", limit.name());
            self.problem("rate_limit", &message);
        }
        self.rate_limited = exhausted.is_some();
    }

    fn error(&mut self, error: &ErrorBody<'_>, now: Timestamp) {
        let code = error.code();
        if code == "session_expired" {
            return self.expired(error.message(), now);
        }
        if code == "conversation_already_has_active_response" {
            return self.responses.collided(error.event_id(), now);
        }
        if code == "input_audio_buffer_commit_empty" {
            self.remote.nothing_to_commit();
            return self.close_if_flushed();
        }
        if BENIGN.contains(&code) || error.message().contains("already shorter than") {
            return;
        }
        if matches!(self.phase, Phase::Opening { .. } | Phase::Reopening { .. }) {
            return self.over(&format!("the server refused the session: {} ({code})", error.message()));
        }
        if self.update_refused(error.event_id(), now) {
            return;
        }
        self.problem(code, error.message());
        if let Some(wanted) = self.responses.refused(error.event_id()) {
            self.opening_failed(Some(wanted), now);
            self.settle_turns();
            self.ask_next(now);
        }
    }
}
