//! The life of the connection: opening, reopening once after a loss, moving on before the session expires, closing.

use std::time::Duration;

use offhook_core::Frame;
use offhook_core::Timestamp;
use offhook_core::call::SpeechEvent;

use super::super::client_event::{self, Ask};
use super::super::server_event::Session;
use super::updates::Update;
use super::{Outgoing, Protocol};

/// Where the session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Not ready yet. Once connected it must be configured in time.
    Opening {
        by: Option<Timestamp>,
    },
    Live,
    /// Between two connections.
    Reopening {
        by: Timestamp,
        retry_at: Option<Timestamp>,
        attempts: u32,
        honest: bool,
    },
    /// The call is over; the last words are still being written down.
    Closing {
        by: Timestamp,
    },
    Over,
}

/// From the connection until it is configured.
const CONFIGURE_WITHIN: Duration = Duration::from_secs(10);
/// How long a call can stand without its voice.
const REOPEN_WITHIN: Duration = Duration::from_secs(12);
const RECONNECT_WITHIN: Duration = Duration::from_secs(4);
const FIRST_RETRY: Duration = Duration::from_millis(200);
/// For the transcripts of what was said last.
const FLUSH: Duration = Duration::from_secs(3);
/// From here on a quiet moment is waited for to move to a new session.
const ROLLOVER_BEFORE: Duration = Duration::from_secs(120);
/// From here on any moment will do.
const ROLLOVER_AT_LATEST: Duration = Duration::from_secs(10);
/// A session that is to expire sooner than this after it began is a clock that goes wrong.
const SHORTEST_SESSION: Duration = Duration::from_secs(300);
/// How many connections a session may lose.
const LOSSES_ALLOWED: u32 = 1;

/// Asked of the model after a loss: what happened is not hidden from the other side.
const HONEST: &str = "The connection was just interrupted for a moment, and you may have missed what the other side \
                      said last. In the language of the conversation, say briefly and honestly that the line had a \
                      short problem and ask them to repeat what they said last. Say nothing else.";

/// Why a connection ended, as far as it decides what comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::openai) enum Ending {
    /// Another attempt may help.
    Passing,
    /// It will be refused again.
    Final,
}

impl Protocol {
    /// The number of the connection that should be up or on its way; `None` when there should be none.
    pub fn connection(&self) -> Option<u32> {
        match self.phase {
            Phase::Over | Phase::Reopening { retry_at: Some(_), .. } => None,
            _ => Some(self.connection),
        }
    }

    /// How long an attempt to connect may take: one that hangs must leave time for another.
    pub fn connect_within(&self) -> Duration {
        let allowed = self.settings.config.connect_timeout;
        if let Phase::Reopening { .. } = self.phase { allowed.min(RECONNECT_WITHIN) } else { allowed }
    }

    pub fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    pub(super) fn is_live(&self) -> bool {
        self.phase == Phase::Live
    }

    /// What the remote said; kept for a moment while there is no connection.
    pub fn hear(&mut self, remote_frame: &Frame) {
        match self.phase {
            Phase::Opening { .. } | Phase::Live | Phase::Reopening { .. } if !self.suspended => {
                self.remote.hear(remote_frame);
            }
            _ => self.remote.skip(remote_frame),
        }
    }

    /// The next event with audio of the remote, if there is any to send now.
    pub fn poll_audio(&mut self) -> Option<bytes::Bytes> {
        if !self.has_audio() {
            return None;
        }
        let event = self.appender.append(self.remote.backlog());
        self.remote.sent();
        Some(event)
    }

    /// Audio waits while its format is still being agreed on.
    pub fn has_audio(&self) -> bool {
        let listens = matches!(self.phase, Phase::Live | Phase::Closing { .. });
        listens && !self.updates.is_asked(Update::Format) && !self.remote.backlog().is_empty()
    }

    pub fn dropped_frames(&self) -> u64 {
        self.remote.dropped_frames()
    }

    /// The connection is up: configure the session.
    pub fn connected(&mut self, now: Timestamp) {
        self.connected = true;
        self.connected_at = now;
        self.received_at = now;
        self.pinged = false;
        if let Phase::Opening { by } = &mut self.phase {
            *by = Some(now + CONFIGURE_WITHIN);
        }
        self.updates.clear();
        self.configure();
    }

    /// Something arrived, if only a pong.
    pub fn received(&mut self, now: Timestamp) {
        self.received_at = now;
        self.pinged = false;
    }

    /// The connection could not be made, or is gone.
    pub fn disconnected(&mut self, why: &str, ending: Ending, now: Timestamp) {
        match self.phase {
            Phase::Over => {}
            Phase::Opening { .. } | Phase::Closing { .. } => self.over(why),
            Phase::Reopening { .. } if ending == Ending::Final => self.over(why),
            Phase::Reopening { .. } => self.retry(why, now),
            Phase::Live if self.losses >= LOSSES_ALLOWED => self.over(why),
            Phase::Live => {
                self.losses += 1;
                self.reopen(why, true, now);
            }
        }
    }

    /// The server ended the session because of its age.
    pub(super) fn expired(&mut self, why: &str, now: Timestamp) {
        let old = now.since(self.connected_at) >= SHORTEST_SESSION;
        match self.phase {
            Phase::Live if old => self.reopen(why, true, now),
            _ => self.disconnected(why, Ending::Passing, now),
        }
    }

    pub(super) fn reopen(&mut self, why: &str, honest: bool, now: Timestamp) {
        self.emit(SpeechEvent::Reopening { why: why.to_owned() });
        self.forget_connection();
        let by = now + REOPEN_WITHIN;
        self.phase = Phase::Reopening { by, retry_at: None, attempts: 0, honest };
        self.connection += 1;
    }

    fn retry(&mut self, why: &str, now: Timestamp) {
        let Phase::Reopening { by, retry_at, attempts, .. } = &mut self.phase else { return };
        let at = now + FIRST_RETRY * 2u32.saturating_pow(*attempts);
        if at >= *by {
            return self.over(why);
        }
        *attempts += 1;
        *retry_at = Some(at);
        self.connected = false;
        self.outgoing.clear();
    }

    /// What only the old connection knew is over.
    fn forget_connection(&mut self) {
        self.connected = false;
        self.expires_at = None;
        self.rollover_due = false;
        self.outgoing.clear();
        self.end_utterances(None, false);
        if self.remote.speaking {
            self.emit(SpeechEvent::RemoteSpeechStopped);
        }
        for span in self.remote.disconnected() {
            self.not_understood(span);
        }
        // What must be said word for word, and was not said to its end, is said again.
        if let Some(wanted) =
            self.responses.take_active().and_then(|active| active.asked).map(|(_, wanted)| wanted)
            && wanted.ask != Ask::Answer
        {
            self.responses.want_first(wanted);
        }
    }

    pub(super) fn session_created(&mut self, session: &Session<'_>, now: Timestamp) {
        let expires_at =
            session.expires_at.map(|seconds| Timestamp::from_unix_millis((seconds * 1_000.0) as i64));
        self.expires_at = expires_at.filter(|at| at.since(now) >= SHORTEST_SESSION);
    }

    /// The new connection is configured: go on where the old one broke off.
    pub(super) fn reopened(&mut self, honest: bool) {
        self.phase = Phase::Live;
        self.emit(SpeechEvent::Reopened);
        self.replay();
        // First words that are still to be said, with what they disclose, are word enough.
        if honest && self.opened && !self.suspended && !self.responses.must_be_heard() {
            self.responses.want_honest_word(HONEST);
        }
        self.settle_turns();
    }

    /// Tell the new connection what was said so far.
    pub(super) fn replay(&mut self) {
        let items: Vec<_> = self.history.iter().map(|(role, text)| (role, text.to_owned())).collect();
        for (role, text) in items {
            let event_id = self.ids.next();
            self.write(client_event::text_item(&event_id, role, &text));
        }
    }

    pub(super) fn close(&mut self, now: Timestamp) {
        match self.phase {
            Phase::Live => {}
            Phase::Opening { .. } | Phase::Reopening { .. } => return self.over("closed"),
            Phase::Closing { .. } | Phase::Over => return,
        }
        self.responses.clear_queue();
        self.cancel_active();
        if self.remote.speaking {
            let event_id = self.ids.next();
            self.write(client_event::commit(&event_id));
        }
        self.phase = Phase::Closing { by: now + FLUSH };
        self.close_if_flushed();
    }

    pub(super) fn close_if_flushed(&mut self) {
        if matches!(self.phase, Phase::Closing { .. }) && !self.remote.awaits_words() {
            self.over("closed");
        }
    }

    pub(super) fn over(&mut self, why: &str) {
        if self.phase == Phase::Over {
            return;
        }
        self.forget_connection();
        self.phase = Phase::Over;
        self.emit(SpeechEvent::Lost { why: why.to_owned() });
    }

    /// When to call [`Self::tick`] at the latest.
    pub fn deadline(&self) -> Option<Timestamp> {
        let phase = match self.phase {
            Phase::Over => return None,
            Phase::Opening { by } => by,
            Phase::Live => None,
            Phase::Reopening { by, retry_at, .. } => Some(retry_at.unwrap_or(by)),
            Phase::Closing { by } => Some(by),
        };
        let keepalive = self.connected.then(|| self.received_at + self.silence_allowed());
        let rollover = self
            .expires_at
            .filter(|_| self.is_live())
            .map(|at| at - if self.rollover_due { ROLLOVER_AT_LATEST } else { ROLLOVER_BEFORE });
        [phase, keepalive, rollover, self.responses.deadline()].into_iter().flatten().min()
    }

    fn silence_allowed(&self) -> Duration {
        let keepalive = self.settings.config.keepalive;
        if self.pinged { keepalive * 2 } else { keepalive }
    }

    pub fn tick(&mut self, now: Timestamp) {
        match self.phase {
            Phase::Opening { by: Some(by) } if by <= now => {
                return self.over("the server did not answer in time");
            }
            Phase::Reopening { by, .. } if by <= now => {
                return self.over("the server did not answer in time");
            }
            Phase::Reopening { ref mut retry_at, .. } if retry_at.is_some_and(|at| at <= now) => {
                *retry_at = None;
                self.connection += 1;
            }
            Phase::Closing { by } if by <= now => return self.over("closed"),
            _ => {}
        }
        self.keep_alive(now);
        self.give_up_response(now);
        // Whether or not anything waits, or it would stay due.
        if !self.responses.held(now) {
            self.ask_next(now);
        }
        self.roll_over(now);
    }

    fn keep_alive(&mut self, now: Timestamp) {
        if !self.connected || now < self.received_at + self.silence_allowed() {
            return;
        }
        if self.pinged {
            self.disconnected("the server fell silent", Ending::Passing, now);
        } else {
            self.pinged = true;
            self.outgoing.push_back(Outgoing::Ping);
        }
    }

    /// A response without a sign of life is not waited for any longer.
    fn give_up_response(&mut self, now: Timestamp) {
        if self.responses.give_up_at().is_none_or(|at| now < at) {
            return;
        }
        self.cancel_active();
        self.problem("response_timeout", "the model did not go on with a response");
        if let Some(active) = self.responses.take_active() {
            self.end_utterances(active.response_id.as_deref(), false);
            self.responses.want_opening_again(active.asked.map(|(_, wanted)| wanted));
        }
        self.settle_turns();
        self.ask_next(now);
    }

    /// Move to a new session before this one expires, when nobody is speaking, or at the last moment.
    pub(super) fn roll_over(&mut self, now: Timestamp) {
        let Some(expires_at) = self.expires_at.filter(|_| self.is_live()) else { return };
        self.rollover_due |= now >= expires_at - ROLLOVER_BEFORE;
        if !self.rollover_due {
            return;
        }
        let quiet = self.responses.is_idle() && !self.remote.speaking && !self.remote.awaits_words();
        if quiet || now >= expires_at - ROLLOVER_AT_LATEST {
            // In mid-speech something is lost by it.
            self.reopen("the session reaches its maximum duration", !quiet, now);
        }
    }
}
