//! The vocabulary between a call and the world: what a leg and a speech model report, and what they are told.

use std::fmt;

use crate::audio::{AudioFormat, Digit};
use crate::brief::{Approval, Brief, Introduction};
use crate::end::EndReason;
use crate::journal::{AgentFailure, AnsweredBy, BlockerKind, TaskStatus};
use crate::policy::HandoffAllow;
use crate::pump::Heard;
use crate::words::{Words, veiled};

/// Which piece of the voice's speech; counts up within a call, chosen by the speech session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Utterance(pub u32);

/// Which tool call of the model; counts up within a call, chosen by the speech session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ToolCallId(pub u32);

/// Which piece of work of an agent behind the voice; counts up within a call, chosen by the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentTask(pub u32);

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
    /// A key the remote pressed (RFC 4733, or SIP INFO).
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
#[derive(Clone, PartialEq, Eq)]
pub struct DialFailure {
    pub reason: EndReason,
    /// The final SIP response, where there was one.
    pub sip_status: Option<u16>,
    pub q850_cause: Option<u8>,
    /// For the journal, in the carrier's words.
    pub detail: String,
}

/// Without the detail: carriers quote numbers.
impl fmt::Debug for DialFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DialFailure({}, SIP {:?}, Q.850 {:?})", self.reason, self.sip_status, self.q850_cause)
    }
}

/// What a leg is told.
#[derive(Clone, PartialEq, Eq)]
pub enum LegCommand {
    /// Pick up an inbound call.
    Answer,
    /// End it, in whatever state it is: CANCEL, BYE or a refusal. Always leads to `Closed`.
    HangUp { reason: EndReason },
    /// Keys as RFC 4733 telephone-events; `w` pauses half a second, `W` one second.
    SendDigits(String),
}

/// Without the keys: they may be a PIN.
impl fmt::Debug for LegCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer => f.write_str("Answer"),
            Self::HangUp { reason } => write!(f, "HangUp({reason})"),
            Self::SendDigits(digits) => {
                f.write_str("SendDigits ")?;
                veiled(digits, f)
            }
        }
    }
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
        text: Option<Words>,
        confidence: Option<u32>,
        started_ms: u32,
        ended_ms: u32,
    },
    /// What the audio of this utterance says, as far as it was handed over: no more words than there is audio for.
    /// May come before, with or after that audio, and again when there is more of both.
    VoiceText {
        utterance: Utterance,
        text: Words,
    },
    /// All audio of this utterance was handed over; it may still be playing.
    UtteranceDone {
        utterance: Utterance,
    },
    /// All that [`SpeechCommand::Open`] asked for was handed over, the last of it in this utterance. As long as that
    /// fails the model tries again by itself, also after a `Suspend` that came between.
    Opened {
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
    /// The model is gone for good, or its task is: the closed channel as an event. The last utterance before it may be
    /// an apology.
    Lost {
        why: String,
    },
}

/// The tools of the voice.
#[derive(Clone, Debug, PartialEq)]
pub enum ToolCall {
    EndCall {
        reason: Words,
        result: Option<Box<Claim>>,
    },
    SendDigits {
        digits: Words,
    },
    ReportVoicemail {
        kind: AnsweredBy,
    },
    WaitOnHold,
    /// Something is missing that the owner may know.
    AskOwner {
        question: Words,
    },
    /// The user is wanted on the line.
    LoopInUser {
        reason: Words,
    },
    /// What the user said, asked in private whether to join.
    UserDecides {
        joins: bool,
    },
    /// Work for an agent behind the voice, whose answer is waited for; the usual one where none is named.
    InvokeAgent {
        agent: Option<Words>,
        prompt: Words,
    },
    /// The same, and the conversation goes on meanwhile.
    InvokeAgentAsync {
        agent: Option<Words>,
        prompt: Words,
    },
    CheckAgentTask {
        task_id: Words,
    },
    /// What the other side said to the request for an approval, as the voice understood it.
    Decide {
        approve: bool,
    },
    /// A caller leaves word.
    TakeMessage {
        name: Option<Words>,
        message: Words,
        call_back: Option<Words>,
    },
    /// The caller sells, begs or plays a tape.
    ReportSpam,
    /// Not one of ours, or arguments that do not parse; answered with the reason.
    Invalid {
        name: String,
        arguments: Words,
        /// Parsers quote what they stumble over.
        why: Words,
    },
}

impl ToolCall {
    pub fn name(&self) -> &str {
        match self {
            Self::EndCall { .. } => "end_call",
            Self::SendDigits { .. } => "send_digits",
            Self::ReportVoicemail { .. } => "report_voicemail",
            Self::WaitOnHold => "wait_on_hold",
            Self::AskOwner { .. } => "ask_owner",
            Self::LoopInUser { .. } => "loop_in_user",
            Self::UserDecides { .. } => "user_decides",
            Self::InvokeAgent { .. } => "invoke_agent",
            Self::InvokeAgentAsync { .. } => "invoke_agent_async",
            Self::CheckAgentTask { .. } => "check_agent_task",
            Self::Decide { .. } => "decide",
            Self::TakeMessage { .. } => "take_message",
            Self::ReportSpam => "report_spam",
            Self::Invalid { name, .. } => name,
        }
    }

    /// The arguments as the journal shows them.
    pub fn arguments(&self) -> String {
        match self {
            Self::EndCall { reason, .. } => reason.to_string(),
            Self::SendDigits { digits } => digits.to_string(),
            Self::ReportVoicemail { kind } => kind.code().to_owned(),
            Self::WaitOnHold => String::new(),
            Self::AskOwner { question } => question.to_string(),
            Self::LoopInUser { reason } => reason.to_string(),
            Self::UserDecides { joins } => joins.to_string(),
            Self::InvokeAgent { prompt, .. } | Self::InvokeAgentAsync { prompt, .. } => prompt.to_string(),
            Self::CheckAgentTask { task_id } => task_id.to_string(),
            Self::Decide { approve } => approve.to_string(),
            Self::TakeMessage { message, .. } => message.to_string(),
            Self::ReportSpam => String::new(),
            Self::Invalid { arguments, .. } => arguments.to_string(),
        }
    }
}

/// What the voice says became of the task, with the other side's own words to show it. [`super::Call`] finds the turns
/// they were said in: no voice needs to count turns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    pub status: TaskStatus,
    pub summary: Words,
    /// What the remote said, as it was understood. An empty list is allowed and shown as unproven.
    pub quotes: Vec<Words>,
    pub fields: Vec<FieldClaim>,
    /// What the voice agreed to.
    pub commitments: Vec<Shown>,
    /// What the other side wanted the voice to agree to.
    pub asked_to_commit: Vec<Shown>,
    pub blocker: Option<BlockerClaim>,
    pub next_step: Option<Words>,
}

/// The value of one field that the instructions asked for, as JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldClaim {
    pub name: String,
    pub value: Words,
    pub quotes: Vec<Words>,
}

/// Something said, with the words that show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub what: Words,
    pub quotes: Vec<Words>,
}

/// What stands in the way, and what is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockerClaim {
    pub kind: BlockerKind,
    pub what: Words,
    pub quotes: Vec<Words>,
}

impl Claim {
    /// With nothing but a status and a summary.
    pub fn new(status: TaskStatus, summary: impl Into<Words>) -> Self {
        Self {
            status,
            summary: summary.into(),
            quotes: Vec::new(),
            fields: Vec::new(),
            commitments: Vec::new(),
            asked_to_commit: Vec::new(),
            blocker: None,
            next_step: None,
        }
    }
}

/// What became of the task, with its evidence found in the transcript.
#[derive(Clone, PartialEq, Eq)]
pub struct TaskReport {
    pub status: TaskStatus,
    pub summary: String,
    /// Turns of the transcript that show it.
    pub evidence_turns: Vec<u32>,
}

/// Without the summary.
impl fmt::Debug for TaskReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskReport({}, turns {:?})", self.status, self.evidence_turns)
    }
}

/// What a speech model is told. Remote audio travels beside these, straight from the session.
#[derive(Clone, Debug, PartialEq)]
pub enum SpeechCommand {
    /// Begin the conversation: speak this first, word for word, if there is a text; otherwise answer freely.
    /// [`SpeechEvent::Opened`] says when it was. May come again, for words that must be heard just as much: it takes the
    /// place of an `Open` that is not done yet.
    ///
    /// Until then the model listens and transcribes but does not answer by itself. What it says first must be
    /// heard: speech of the remote is reported, but does not make the model break off this utterance.
    Open {
        say: Option<Words>,
    },
    /// Say this now, word for word.
    Say {
        text: Words,
    },
    /// The call will be cut off soon: come to an end. The text is for the model alone.
    WrapUp {
        text: Words,
    },
    /// A remark of offhook's to the model that the remote does not hear; `respond` asks for a turn.
    Note {
        text: Words,
        respond: bool,
    },
    /// A note of the owner's, to be followed and not said; `respond` asks for a turn.
    Instruct {
        text: Words,
        respond: bool,
    },
    /// What the owner answered; nobody did in time where there is no answer. `respond` asks for a turn.
    OwnerAnswered {
        question: Words,
        answer: Option<Words>,
        respond: bool,
    },
    ToolOutput {
        id: ToolCallId,
        output: String,
        respond: bool,
    },
    /// What the conversation is about from now on, and which tools there are for it: whoever is on the line may know more.
    Brief(Box<Brief>),
    /// An utterance was cut off: only this much of it was heard, and nothing of those after it.
    Truncate(Heard),
    /// Stop listening and speaking (on hold), until `Resume`.
    Suspend,
    Resume,
    Close,
}

/// What the agents behind the voice are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentOrder {
    /// Do this, with the conversation so far; the usual agent where none is named. Always leads to an [`AgentEvent`],
    /// unless it is cancelled.
    Ask { task: AgentTask, agent: Option<String>, prompt: Words, transcript: Words },
    /// Nobody wants to know any more.
    Cancel { task: AgentTask },
}

/// What the agents behind the voice report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentEvent {
    Answered { task: AgentTask, text: Words },
    Failed { task: AgentTask, failure: AgentFailure },
}

/// What an owner or the gateway asks of a running call.
#[derive(Clone, Debug, PartialEq)]
pub enum CallCommand {
    /// The owner hangs up.
    HangUp,
    /// The voice says this next, word for word.
    Say { text: Words },
    /// A note that the voice follows, and does not say.
    Instruct { text: Words },
    /// Press these keys.
    Press { digits: Words },
    /// The answer to the question that is open, or to the one of this number if it is open.
    Answer { question_id: Option<u32>, text: Words },
    /// Connect the user. On which number and how, unless it is said here, was said when the call was placed.
    Bridge { to: Option<HandoffAllow>, introduction: Option<Introduction> },
    /// Ask whoever is on the line to approve this, and go on afterwards.
    Approve(Box<Approval>),
    /// What was asked for is not wanted any more.
    Withdraw,
    /// offhook is shutting down.
    Shutdown,
    /// offhook can't write down any more what happens in it.
    Fault,
}
