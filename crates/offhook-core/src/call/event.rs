//! The vocabulary between a call and the world: what a leg and a speech model report, and what they are told.

use crate::audio::{AudioFormat, Digit};
use crate::end::EndReason;
use crate::journal::{AnsweredBy, TaskStatus};

/// Which piece of the voice's speech; counts up within a call, chosen by the speech session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Utterance(pub u32);

/// Which tool call of the model; counts up within a call, chosen by the speech session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ToolCallId(pub u32);

/// What a leg reports. Audio frames travel beside these, straight to the session.
#[derive(Clone, Debug, PartialEq)]
pub enum LegEvent {
    /// The remote's phone is ringing (180), or the network plays something before the answer (183).
    Ringing {
        early_media: bool,
    },
    /// The remote picked up (2xx, acknowledged).
    Answered {
        sip_call_id: Option<String>,
    },
    /// Audio can flow in this format. Comes before or after `Answered`, and again when it changes.
    MediaUp {
        format: AudioFormat,
        encrypted: bool,
    },
    /// A key the remote pressed (RFC 4733 or in-band).
    Digit(Digit),
    /// All of [`LegCommand::SendDigits`] went out.
    DigitsSent,
    /// The far end put us on hold; audio may stop without being lost.
    Held,
    Resumed,
    /// No audio arrived for the leg's watchdog period while it should have.
    MediaLost,
    /// The dial attempt ended without an answer.
    Failed(DialFailure),
    /// The remote hung up an answered call.
    HungUp {
        q850_cause: Option<u8>,
    },
    /// Our hang-up is complete: the far end confirmed it, or the watchdog gave up waiting.
    Closed,
    /// The leg's task is gone: the closed channel as an event.
    Lost,
}

/// Why a dial attempt did not become a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialFailure {
    pub reason: EndReason,
    /// The final SIP response, where there was one.
    pub sip_status: Option<u16>,
    pub q850_cause: Option<u8>,
    /// For the journal, in the carrier's words.
    pub detail: String,
}

/// What a leg is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegCommand {
    /// Pick up an inbound call.
    Answer,
    /// End it, in whatever state it is: CANCEL, BYE or a refusal. Always leads to `Closed`.
    HangUp { reason: EndReason },
    /// Keys as RFC 4733 telephone-events; `w` pauses half a second, `W` one second.
    SendDigits(String),
}

/// What a speech model reports. Its audio travels beside these, straight to the session.
#[derive(Clone, Debug, PartialEq)]
pub enum SpeechEvent {
    /// Configured and waiting: the callee may pick up now.
    Ready {
        model: String,
    },
    /// The remote began to speak: barge-in, if the voice is speaking.
    RemoteSpeechStarted,
    RemoteSpeechStopped,
    /// What the remote said; `text` is `None` when it could not be understood. Times are from the first remote
    /// frame the session was given.
    RemoteSaid {
        text: Option<String>,
        confidence: Option<u32>,
        started_ms: u32,
        ended_ms: u32,
    },
    /// What the voice says in this utterance; may come before, with or after its audio, and again when corrected.
    VoiceText {
        utterance: Utterance,
        text: String,
    },
    /// All audio of this utterance was handed over; it may still be playing.
    UtteranceDone {
        utterance: Utterance,
    },
    ToolCall {
        id: ToolCallId,
        tool: ToolCall,
    },
    /// Something failed that does not end the session.
    Problem {
        code: String,
        message: String,
    },
    /// The connection is gone and is being opened again with the conversation so far.
    Reopening {
        why: String,
    },
    Reopened,
    /// The model is gone for good, or its task is: the closed channel as an event.
    Lost {
        why: String,
    },
}

/// The tools of the voice.
#[derive(Clone, Debug, PartialEq)]
pub enum ToolCall {
    EndCall {
        reason: String,
        result: Option<TaskReport>,
    },
    SendDigits {
        digits: String,
    },
    ReportVoicemail {
        kind: AnsweredBy,
    },
    WaitOnHold,
    /// Not one of ours, or arguments that do not parse; answered with the reason.
    Invalid {
        name: String,
        arguments: String,
        why: String,
    },
}

impl ToolCall {
    pub fn name(&self) -> &str {
        match self {
            Self::EndCall { .. } => "end_call",
            Self::SendDigits { .. } => "send_digits",
            Self::ReportVoicemail { .. } => "report_voicemail",
            Self::WaitOnHold => "wait_on_hold",
            Self::Invalid { name, .. } => name,
        }
    }

    /// The arguments as the journal shows them.
    pub fn arguments(&self) -> String {
        match self {
            Self::EndCall { reason, .. } => reason.clone(),
            Self::SendDigits { digits } => digits.clone(),
            Self::ReportVoicemail { kind } => kind.code().to_owned(),
            Self::WaitOnHold => String::new(),
            Self::Invalid { arguments, .. } => arguments.clone(),
        }
    }
}

/// What the voice says became of the task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskReport {
    pub status: TaskStatus,
    pub summary: String,
    /// Turns of the transcript that show it. An empty list is allowed and shown as unproven.
    pub evidence_turns: Vec<u32>,
}

/// What a speech model is told. Remote audio travels beside these, straight from the session.
#[derive(Clone, Debug, PartialEq)]
pub enum SpeechCommand {
    /// Begin the conversation: speak this first, word for word, if there is a text; otherwise answer freely.
    ///
    /// Until then the model listens and transcribes but does not answer by itself. What it says first must be
    /// heard: speech of the remote is reported, but does not make the model break off this utterance.
    Open {
        say: Option<String>,
    },
    /// Say this now, word for word.
    Say {
        text: String,
    },
    /// A remark of offhook's to the model that the remote does not hear; `respond` asks for a turn.
    Note {
        text: String,
        respond: bool,
    },
    ToolOutput {
        id: ToolCallId,
        output: String,
        respond: bool,
    },
    /// The utterance was cut off: only this much of it was heard.
    Truncate {
        utterance: Utterance,
        heard_ms: u32,
    },
    /// Stop listening and speaking (on hold), until `Resume`.
    Suspend,
    Resume,
    Close,
}

/// What an owner or the gateway asks of a running call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallCommand {
    /// The owner hangs up.
    HangUp,
    /// offhook is shutting down.
    Shutdown,
}
