//! The Realtime protocol as a state machine: texts of the server go in, texts for the server and speech outputs come
//! out, and time is an argument.
//!
//! [`link`] is the life of the connection, [`updates`] its configuration, [`inbound`] what the server tells, [`command`]
//! what the call wants, [`responses`] who may speak when, [`voice`] and [`remote`] what each side said, [`history`] what a new connection
//! has to be told about the conversation so far.

mod command;
mod history;
mod inbound;
mod link;
mod remote;
mod responses;
#[cfg(test)]
mod tests;
mod updates;
mod voice;

use std::collections::VecDeque;
use std::sync::Arc;

use offhook_core::Timestamp;
use offhook_core::call::{SpeechEvent, ToolCallId};

use self::history::History;
pub(super) use self::link::Ending;
use self::link::Phase;
use self::remote::Remote;
use self::responses::Responses;
use self::updates::Updates;
use self::voice::Voice;
use super::client_event::{Appender, EventIds, Turns};
use super::config::Config;
use crate::{Prompt, SpeechOutput};

/// Texts that wait for the socket; past it commands are refused.
const OUTGOING: usize = 128;

/// What does not change in the life of a session.
#[derive(Debug)]
pub(super) struct Settings {
    pub config: Arc<Config>,
    pub prompt: Prompt,
}

/// What to write to the socket.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outgoing {
    Text(String),
    Ping,
}

/// One session with the model, over as many connections as it takes.
#[derive(Debug)]
pub(super) struct Protocol {
    settings: Settings,
    phase: Phase,
    /// Counts connections; the driver keeps the one of this number up.
    connection: u32,
    connected: bool,
    losses: u32,
    connected_at: Timestamp,
    received_at: Timestamp,
    pinged: bool,
    expires_at: Option<Timestamp>,
    rollover_due: bool,

    ids: EventIds,
    outgoing: VecDeque<Outgoing>,
    outputs: VecDeque<SpeechOutput>,
    appender: Appender,

    /// The call has begun to talk.
    opened: bool,
    /// How the server treats turns now, as confirmed by it.
    turns: Turns,
    updates: Updates,
    suspended: bool,
    responses: Responses,
    voice: Voice,
    remote: Remote,
    history: History,
    tool_calls: ToolCalls,
    rate_limited: bool,
    /// Kinds of events that nobody knows, and that were told.
    unknown: Vec<String>,
}

impl Protocol {
    pub fn new(settings: Settings, now: Timestamp) -> Self {
        let format = settings.prompt.format;
        Self {
            settings,
            phase: Phase::Opening { by: None },
            connection: 1,
            connected: false,
            losses: 0,
            connected_at: now,
            received_at: now,
            pinged: false,
            expires_at: None,
            rollover_due: false,
            ids: EventIds::default(),
            outgoing: VecDeque::new(),
            outputs: VecDeque::new(),
            appender: Appender::new(),
            opened: false,
            turns: Turns::Reported,
            updates: Updates::default(),
            suspended: false,
            responses: Responses::default(),
            voice: Voice::default(),
            remote: Remote::new(format),
            history: History::default(),
            tool_calls: ToolCalls::default(),
            rate_limited: false,
            unknown: Vec::new(),
        }
    }

    /// The next output, until there is none.
    pub fn poll_output(&mut self) -> Option<SpeechOutput> {
        self.outputs.pop_front()
    }

    /// The next thing to write, until there is none.
    pub fn poll_outgoing(&mut self) -> Option<Outgoing> {
        self.outgoing.pop_front()
    }

    pub fn has_outgoing(&self) -> bool {
        !self.outgoing.is_empty()
    }

    fn emit(&mut self, event: SpeechEvent) {
        self.outputs.push_back(SpeechOutput::Event(event));
    }

    fn problem(&mut self, code: &str, message: &str) {
        self.emit(SpeechEvent::Problem { code: code.to_owned(), message: message.to_owned() });
    }

    fn write(&mut self, text: String) {
        self.outgoing.push_back(Outgoing::Text(text));
    }
}

/// The model's tool calls under our numbers.
#[derive(Debug, Default)]
struct ToolCalls {
    last: u32,
    open: VecDeque<OpenCall>,
}

#[derive(Debug)]
struct OpenCall {
    id: ToolCallId,
    /// The server's name for it.
    call_id: String,
    name: String,
    /// Another connection knows nothing of it.
    connection: u32,
    answered: bool,
}

impl ToolCalls {
    /// Far more than are ever open at once.
    const CAPACITY: usize = 64;

    /// A new number; `None` when this call is known already.
    fn begin(&mut self, call_id: &str, name: &str, connection: u32) -> Option<ToolCallId> {
        if self.open.iter().any(|call| call.call_id == call_id && call.connection == connection) {
            return None;
        }
        if self.open.len() == Self::CAPACITY {
            self.open.pop_front();
        }
        self.last += 1;
        let id = ToolCallId(self.last);
        let call =
            OpenCall { id, call_id: call_id.to_owned(), name: name.to_owned(), connection, answered: false };
        self.open.push_back(call);
        Some(id)
    }

    fn answer(&mut self, id: ToolCallId) -> Option<&OpenCall> {
        let call = self.open.iter_mut().find(|call| call.id == id && !call.answered)?;
        call.answered = true;
        Some(call)
    }
}
