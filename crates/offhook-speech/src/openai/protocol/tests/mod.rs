//! Timelines: what goes in, line by line, and what comes of it.

mod any_order;
mod ending;
mod guarded;
mod opening;
mod reopening;
mod talking;
mod trouble;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use expect_test::Expect;
use offhook_core::audio::AudioFormat;
use offhook_core::brief::{Approval, Brief, Opening, Pin};
use offhook_core::call::{SpeechCommand, ToolCallId, Utterance};
use offhook_core::pump::Heard;
use offhook_core::{Frame, Timestamp};
use offhook_testkit::realtime::shown;
use serde_json::{Map, Value, json};

use super::{Ending, Outgoing, Protocol, Settings};
use crate::openai::config::{Auth, Config};
use crate::{Prompt, SpeechOutput};

/// Midnight of some day; the timelines count from here.
const START: Timestamp = Timestamp::from_unix_millis(1_763_683_200_000);

/// Run a timeline and compare what came of it.
///
/// A line is `<ms> <what>`; it happens so long after the start. Deadlines that come before it are ticked first.
/// - `connected`, `refused <why>`, `lost <why>`: the socket
/// - `server <type> <field>=<value> …`: an event of the server; fields may be dotted paths
/// - `hear <frames>`: audio of the remote; `format <pcmu or pcma>`: what the leg turned out to speak
/// - `open`, `say`, `note`, `ask`, `output <id>`, `truncate <utterance> <ms> <of ms>`, `suspend`, `resume`, `close`: the call
/// - `brief`, `guard`: what the call is about from now on; guarded, the call decides of each turn who answers it
/// - `tick`: only the deadlines
#[track_caller]
pub(super) fn check(timeline: &str, expected: Expect) {
    let mut run = Run::new(|_| {});
    run.play(timeline);
    expected.assert_eq(&run.log);
}

pub(super) struct Run {
    protocol: Protocol,
    now_ms: i64,
    connection: Option<u32>,
    pub log: String,
    pub outputs: Vec<SpeechOutput>,
}

fn prompt() -> Prompt {
    Prompt {
        language: "en-US".to_owned(),
        format: AudioFormat::Pcmu,
        brief: Brief { opening: Opening::SpeakFirst, ..Brief::new(String::new()) },
    }
}

impl Run {
    pub fn new(configure: impl FnOnce(&mut Config)) -> Self {
        Self::with(prompt(), configure)
    }

    pub fn with(prompt: Prompt, configure: impl FnOnce(&mut Config)) -> Self {
        let mut config =
            Config::new("ws://example.com/v1".to_owned(), Auth::None, "gpt-realtime-2.1".to_owned());
        // Far away unless a timeline is about it.
        config.keepalive = Duration::from_secs(100_000);
        configure(&mut config);
        let settings = Settings { config: Arc::new(config), prompt };
        let protocol = Protocol::new(settings, START);
        Self { protocol, now_ms: 0, connection: None, log: String::new(), outputs: Vec::new() }
    }

    pub fn play(&mut self, timeline: &str) {
        for line in timeline.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (at, what) = line.split_once(' ').expect("a line is <ms> <what>");
            self.advance(at.parse().expect("a line begins with milliseconds"));
            self.happen(what);
            self.drain();
        }
    }

    /// Tick every deadline up to then.
    fn advance(&mut self, to_ms: i64) {
        for _ in 0..100 {
            let Some(at) = self.protocol.deadline() else { break };
            let at_ms = (at.unix_micros() - START.unix_micros() + 999) / 1_000;
            if at_ms > to_ms {
                break;
            }
            self.now_ms = self.now_ms.max(at_ms);
            self.protocol.tick(self.now());
            self.drain();
        }
        self.now_ms = to_ms;
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_unix_millis(START.unix_millis() + self.now_ms)
    }

    fn happen(&mut self, what: &str) {
        let now = self.now();
        let (verb, rest) = what.split_once(' ').unwrap_or((what, ""));
        match verb {
            "connected" => self.protocol.connected(now),
            "refused" => self.protocol.disconnected(rest, Ending::Final, now),
            "lost" => self.protocol.disconnected(rest, Ending::Passing, now),
            "server" => self.protocol.handle(&event(rest), now),
            "format" => {
                let format = if rest == "pcma" { AudioFormat::Pcma } else { AudioFormat::Pcmu };
                if !self.protocol.use_format(format) {
                    self.line("stays as it is");
                }
            }
            "hear" => {
                for _ in 0..rest.parse().expect("a number of frames") {
                    self.protocol.hear(&Frame::silence(AudioFormat::Pcmu));
                }
            }
            "tick" => {}
            _ => {
                if self.protocol.command(command(verb, rest), now).is_err() {
                    self.line("busy");
                }
            }
        }
    }

    fn drain(&mut self) {
        if self.protocol.connection() != self.connection {
            self.connection = self.protocol.connection();
            match self.connection {
                Some(number) => self.line(&format!("= connection {number}")),
                None => self.line("= no connection"),
            }
        }
        if let Some(event) = self.protocol.poll_audio() {
            let event: Value = serde_json::from_slice(&event).expect("an append is JSON");
            let len = event["audio"].as_str().map_or(0, |audio| audio.len() / 4 * 3 / 8);
            self.line(&format!("> append, about {} ms", len / 20 * 20));
        }
        while let Some(outgoing) = self.protocol.poll_outgoing() {
            match outgoing {
                Outgoing::Ping => self.line("> ping"),
                Outgoing::Text(text) => {
                    self.line(&format!("> {}", summary(&serde_json::from_str(&text).expect("JSON"))));
                }
            }
        }
        while let Some(output) = self.protocol.poll_output() {
            match &output {
                SpeechOutput::Event(event) => self.line(&shown(event)),
                SpeechOutput::Audio { utterance, bytes } => {
                    self.line(&format!("audio {} {} ms", utterance.0, bytes.len() / 8));
                }
            }
            self.outputs.push(output);
        }
    }

    /// What a new connection would be told.
    pub fn history(&self) -> impl Iterator<Item = String> {
        self.protocol.history.iter().map(|(role, text)| format!("{role:?}: {text}"))
    }

    fn line(&mut self, text: &str) {
        writeln!(self.log, "{} {text}", self.now_ms).expect("a string takes everything");
    }
}

/// A call that is to have this approved.
pub(super) fn guarded(operation: &str) -> Brief {
    let approval = Approval { operation: operation.to_owned(), details: None, pin: Pin::parse("4711") };
    Brief { approval: Some(approval), ..Brief::new(operation) }
}

fn command(verb: &str, rest: &str) -> SpeechCommand {
    let text = rest.into();
    let numbered = || {
        let (number, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        (number.parse().expect("a number"), rest)
    };
    match verb {
        "open" => SpeechCommand::Open { say: (!rest.is_empty()).then_some(text) },
        "say" => SpeechCommand::Say { text },
        "note" => SpeechCommand::Note { text, respond: false },
        "ask" => SpeechCommand::Note { text, respond: true },
        "instruct" => SpeechCommand::Instruct { text, respond: true },
        "output" => {
            let (id, output) = numbered();
            SpeechCommand::ToolOutput { id: ToolCallId(id), output: output.to_owned(), respond: true }
        }
        "truncate" => {
            let (utterance, ms) = numbered();
            let mut ms = ms.split(' ').map(|ms| ms.parse().expect("milliseconds"));
            let heard_ms = ms.next().expect("how much was heard");
            let of_ms = ms.next().unwrap_or(heard_ms);
            SpeechCommand::Truncate(Heard { utterance: Utterance(utterance), heard_ms, of_ms })
        }
        "brief" => SpeechCommand::Brief(Box::new(Brief::new(rest))),
        "guard" => SpeechCommand::Brief(Box::new(guarded(rest))),
        "suspend" => SpeechCommand::Suspend,
        "resume" => SpeechCommand::Resume,
        "close" => SpeechCommand::Close,
        _ => panic!("there is no {verb:?}"),
    }
}

/// `type a=1 b.c=text` as JSON; `audio=<ms>` is a delta of so much silence, `+` in a value is a space.
fn event(text: &str) -> String {
    let mut words = text.split(' ');
    let mut event = json!({"type": words.next(), "event_id": "event_1"});
    for word in words {
        let (path, value) = word.split_once('=').expect("a field is name=value");
        let value = match path {
            "audio" => json!("/".repeat(value.parse::<usize>().expect("milliseconds") * 8 / 3 * 4)),
            _ => serde_json::from_str(value).unwrap_or_else(|_| json!(value.replace('+', " "))),
        };
        let path = if path == "audio" { "delta" } else { path };
        let mut place = &mut event;
        for step in path.split('.') {
            place = place
                .as_object_mut()
                .expect("only objects are nested")
                .entry(step)
                .or_insert_with(|| Value::Object(Map::new()));
        }
        *place = value;
    }
    event.to_string()
}

/// An event to the server in one line.
fn summary(event: &Value) -> String {
    let kind = event["type"].as_str().expect("every event has a type");
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let detail = match kind {
        "session.update" => {
            let detection = &event["session"]["audio"]["input"]["turn_detection"];
            let answered = detection["create_response"] == true && detection["interrupt_response"] == true;
            let scope = if event["session"]["instructions"].is_string() { "all" } else { "turns" };
            if detection.is_null() {
                return format!(
                    "{} {kind} {}",
                    text("/event_id").replace("offhook_", "#"),
                    text("/session/audio/input/format/type")
                );
            }
            format!("{scope}, {}", if answered { "answered" } else { "reported" })
        }
        "response.create" => match text("/response/instructions") {
            "" => "freely".to_owned(),
            instructions => match instructions.split("\n---\n").nth(1) {
                Some(dictated) => format!("{:?}", dictated.trim_end_matches("\n---")),
                None => "by instruction".to_owned(),
            },
        },
        "conversation.item.create" => match text("/item/role") {
            "" => format!("output for {} {:?}", text("/item/call_id"), text("/item/output")),
            role => format!("{role} {:?}", text("/item/content/0/text")),
        },
        "conversation.item.truncate" => format!("{} at {} ms", text("/item_id"), event["audio_end_ms"]),
        "response.cancel" => text("/response_id").to_owned(),
        _ => String::new(),
    };
    let id = text("/event_id").replace("offhook_", "#");
    format!("{id} {kind} {detail}").trim_end().to_owned()
}

/// Connected, configured, the first words said, the server answers by itself.
pub(super) const TALKING: &str = "
    0 connected
    0 server session.updated session.model=gpt-realtime-2.1
    0 open Hello.
    0 server response.created response.id=r0
    0 server response.output_item.added response_id=r0 item.id=i0 item.type=message
    0 server response.output_audio.delta response_id=r0 item_id=i0 audio=300
    0 server response.output_audio.done response_id=r0 item_id=i0
    0 server response.output_audio_transcript.done response_id=r0 item_id=i0 transcript=Hello.
    0 server response.done response.id=r0 response.status=completed
    0 server session.updated session.model=gpt-realtime-2.1
";

/// A timeline that begins in mid-conversation; only what comes of its own lines is compared.
#[track_caller]
pub(super) fn check_talking(timeline: &str, expected: Expect) {
    let mut run = Run::new(|_| {});
    run.play(TALKING);
    run.log.clear();
    run.play(timeline);
    expected.assert_eq(&run.log);
}
