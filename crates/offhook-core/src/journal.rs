//! The facts of a call, append-only: the one vocabulary for store, events, webhooks and dashboard.
//!
//! Every fact has a stable code and named fields, both declared once in the table below. The shell writes
//! [`Fact::fields`] wherever a fact leaves the process and reads it back with [`Fact::from_fields`].

use std::fmt;

use crate::end::EndReason;
use crate::time::Timestamp;
use crate::words::veiled;

/// One line of a call's journal.
#[derive(Clone, Debug, PartialEq)]
pub struct JournalEntry {
    /// Counts from 1 within a call, without gaps; the SSE event id.
    pub seq: u64,
    pub at: Timestamp,
    pub fact: Fact,
}

/// The value of one field, as it is stored and shown.
#[derive(Clone, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Text(String),
    List(Vec<i64>),
}

/// Without texts: they may be what somebody said.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("-"),
            Self::Bool(flag) => flag.fmt(f),
            Self::Int(int) => int.fmt(f),
            Self::Text(text) => veiled(text, f),
            Self::List(list) => list.fmt(f),
        }
    }
}

/// A type a field of a fact can have.
pub trait Field: Sized {
    fn to_value(&self) -> Value;
    fn from_value(value: Value) -> Option<Self>;
}

impl Field for String {
    fn to_value(&self) -> Value {
        Value::Text(self.clone())
    }
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl Field for bool {
    fn to_value(&self) -> Value {
        Value::Bool(*self)
    }
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Bool(flag) => Some(flag),
            _ => None,
        }
    }
}

macro_rules! int_fields {
    ($($int:ty),*) => {$(
        impl Field for $int {
            fn to_value(&self) -> Value {
                Value::Int(i64::try_from(*self).unwrap_or(i64::MAX))
            }
            fn from_value(value: Value) -> Option<Self> {
                match value {
                    Value::Int(int) => int.try_into().ok(),
                    _ => None,
                }
            }
        }
    )*};
}

int_fields!(u8, u16, u32, u64, i64);

impl<T: Field> Field for Option<T> {
    fn to_value(&self) -> Value {
        self.as_ref().map_or(Value::Null, Field::to_value)
    }
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => T::from_value(value).map(Some),
        }
    }
}

impl Field for Vec<u32> {
    fn to_value(&self) -> Value {
        Value::List(self.iter().map(|n| i64::from(*n)).collect())
    }
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::List(list) => list.into_iter().map(|n| n.try_into().ok()).collect(),
            _ => None,
        }
    }
}

/// Implements [`Field`] for a closed enum with `code()` and `from_code()`.
macro_rules! coded_fields {
    ($($name:ty),* $(,)?) => {$(
        impl Field for $name {
            fn to_value(&self) -> Value {
                Value::Text(self.code().to_owned())
            }
            fn from_value(value: Value) -> Option<Self> {
                match value {
                    Value::Text(code) => Self::from_code(&code),
                    _ => None,
                }
            }
        }
    )*};
}

/// A closed enum whose variants have stable codes; codes after the first are older names that are still read.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $code:literal $(| $older:literal)*),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$vdoc])* $variant,)*
        }

        impl $name {
            pub const ALL: &[$name] = &[$($name::$variant),*];

            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)*
                }
            }

            pub fn from_code(code: &str) -> Option<Self> {
                match code {
                    $($code $(| $older)* => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.code())
            }
        }
    )*};
}

pub(crate) use codes;

codes! {
    /// What answered, as far as it is known.
    AnsweredBy {
        Human = "human",
        Voicemail = "voicemail",
        Menu = "ivr",
        /// A service that asks who is calling and puts the call through, or not.
        Screening = "screening",
        Unknown = "unknown",
    }

    /// How the task went, in the voice's own judgement. Not to be confused with [`crate::Outcome`].
    TaskStatus {
        /// The goal was reached; the evidence turns say where.
        Achieved = "achieved" | "done",
        /// Some of what was asked for was reached.
        Partly = "partly",
        /// Something is missing before it can be: a fact, a decision, a code.
        Blocked = "blocked",
        /// It was tried and can't be had.
        Failed = "failed",
        /// It can't be told from what was heard.
        Unclear = "unclear",
    }

    /// What stood in the way of the task.
    BlockerKind {
        /// A fact that the instructions do not hold.
        MissingInformation = "missing_information",
        /// Somebody must choose, who was not there to be asked.
        Decision = "decision",
        VerificationCode = "verification_code",
        Payment = "payment",
        /// They speak with nobody but the user.
        WantsUser = "wants_user",
        /// They want to be sure who is calling.
        Identity = "identity",
        Closed = "closed",
        /// The menu leads nowhere.
        StuckMenu = "stuck_menu",
        OnHoldTooLong = "on_hold_too_long",
        Voicemail = "voicemail",
        Refused = "refused",
        WrongNumber = "wrong_number",
        Other = "other",
    }

    /// What a [`Fact::ResultItem`] is.
    ItemKind {
        /// One of the fields that the instructions asked for.
        Field = "field",
        /// What the voice agreed to, and was allowed to.
        Commitment = "commitment",
        /// The other side wanted one.
        AskedToCommit = "asked_to_commit",
        /// What the voice agreed to against its boundaries.
        Breach = "breach",
        Blocker = "blocker",
        NextStep = "next_step",
    }

    /// What put the call on hold.
    HoldBy {
        /// The voice said so.
        Voice = "voice",
        /// The sound of it.
        Sound = "sound",
    }

    /// Who wanted the user on the line.
    HandoffBy {
        Voice = "voice",
        Owner = "owner",
        /// The user's own list of callers who are put through.
        Passthrough = "passthrough",
    }

    /// Why the user did not come to the phone.
    HandoffFailure {
        NoAnswer = "no_answer",
        Busy = "busy",
        Declined = "declined",
        Unreachable = "unreachable",
        Failed = "failed",
        /// Picked up and did not want to be connected.
        UserDeclined = "user_declined",
        /// The other side hung up meanwhile.
        RemoteLeft = "remote_left",
        Cancelled = "cancelled",
    }

    /// One end of a call that was handed over.
    Party {
        Remote = "remote",
        /// Whom the call is for, on a second leg.
        User = "user",
        Gateway = "gateway",
    }

    /// Why an agent behind the voice has no answer.
    AgentFailure {
        /// Not within its time.
        TimedOut = "timed_out",
        /// It could not be asked, or broke off.
        Unreachable = "unreachable",
        /// It was asked and answered with an error.
        Failed = "failed",
        /// There was nothing in its answer.
        Empty = "empty",
        /// There is no agent of this name.
        Unknown = "unknown",
        /// Too many are at work.
        Busy = "busy",
    }

    /// How a PIN or a decision was given.
    GivenBy {
        Keys = "keys",
        Voice = "voice",
    }

    /// What decided about a request for an approval.
    DecidedBy {
        /// A key, and the PIN where there is one.
        Keys = "keys",
        /// The words of whoever was called, and the PIN where there is one.
        Voice = "voice",
        /// The PIN was wrong too often.
        WrongPin = "wrong_pin",
        /// Nothing was decided in time.
        TimedOut = "timed_out",
        /// The call ended before anything was decided, or never came about.
        CallEnded = "call_ended",
    }

    /// What was masked.
    SecretKind {
        Code = "code",
        Card = "card",
    }

    /// Which part of a call a [`Fact::Problem`] is about.
    Part {
        Leg = "leg",
        Speech = "speech",
        Recording = "recording",
        Gateway = "gateway",
    }

    /// What became of the far leg of a call whose process was killed.
    Release {
        /// It confirmed the hang-up, or did not know the call any more.
        Gone = "gone",
        /// It did not confirm.
        Unreachable = "unreachable",
        Unknown = "unknown",
    }
}

coded_fields!(
    AnsweredBy,
    TaskStatus,
    BlockerKind,
    ItemKind,
    HoldBy,
    HandoffBy,
    HandoffFailure,
    AgentFailure,
    GivenBy,
    DecidedBy,
    Party,
    SecretKind,
    Part,
    Release,
    EndReason
);

macro_rules! facts {
    ($($(#[$doc:meta])* $name:ident = $code:literal { $($(#[$fdoc:meta])* $field:ident: $ty:ty),* $(,)? })*) => {
        #[derive(Clone, PartialEq)]
        pub enum Fact {
            $($(#[$doc])* $name { $($(#[$fdoc])* $field: $ty),* },)*
        }

        impl Fact {
            /// Every code with the names of its fields, in the order of the table.
            pub const TABLE: &[(&'static str, &[&'static str])] = &[$(($code, &[$(stringify!($field)),*])),*];

            pub const fn code(&self) -> &'static str {
                match self {
                    $(Self::$name { .. } => $code,)*
                }
            }

            pub fn fields(&self) -> Vec<(&'static str, Value)> {
                match self {
                    $(Self::$name { $($field),* } => vec![$((stringify!($field), $field.to_value())),*],)*
                }
            }

            /// The inverse of [`Self::code`] and [`Self::fields`]; an absent field is passed as [`Value::Null`].
            pub fn from_fields(code: &str, mut field: impl FnMut(&str) -> Value) -> Option<Self> {
                let _ = &mut field;
                match code {
                    $($code => Some(Self::$name { $($field: <$ty as Field>::from_value(field(stringify!($field)))?),* }),)*
                    _ => None,
                }
            }
        }
    };
}

/// Fields whose text is a code or a name of ours, fit for a log line. What is not listed here is not shown.
const SHOWN: &[&str] = &[
    "answered_by",
    "by",
    "code",
    "codec",
    "failure",
    "how",
    "kind",
    "model",
    "part",
    "reason",
    "sip_call_id",
    "status",
    "tool",
    "why_not",
];

/// Without what was said, pressed, found out or dialled: those fields show how long they are.
impl fmt::Debug for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())?;
        for (name, value) in self.fields() {
            match &value {
                Value::Text(text) if SHOWN.contains(&name) => write!(f, " {name}={text}")?,
                value => write!(f, " {name}={value:?}")?,
            }
        }
        Ok(())
    }
}

facts! {
    /// The call was accepted. `policy` names the rules that were consulted.
    Queued = "call.queued" { policy: String }
    /// A dial request goes to the carrier on this line.
    Dialing = "call.dialing" { line: String }
    /// The dial request certainly never left this machine; there is one more.
    DialRetried = "call.dial_retried" { reason: EndReason }
    /// The call waits for its time.
    Scheduled = "call.scheduled" { not_before_ms: i64 }
    Ringing = "call.ringing" { early_media: bool }
    Answered = "call.answered" { sip_call_id: Option<String> }
    /// Audio flows. Not the same as answered: early media is audio too.
    MediaUp = "leg.media_up" { codec: String, encrypted: bool }
    /// What the carrier needs to hang this leg up after a restart; the last one counts. For nobody else to read.
    Ticket = "leg.ticket" { ticket: String }
    /// A process before this one was killed in mid-call, and the far leg was hung up at the start of this one.
    Released = "leg.released" { how: Release, detail: Option<String> }
    /// The far end put us on hold (RFC 3264 §8.4).
    Held = "leg.held" {}
    Resumed = "leg.resumed" {}
    DigitReceived = "leg.digit_received" { digit: String }
    DigitsSent = "leg.digits_sent" { digits: String }
    /// Counters of the audio path, once at the end of a call.
    MediaStats = "leg.media_stats" {
        received_frames: u64, sent_frames: u64, lost_frames: u64, concealed_frames: u64,
        late_frames: u64, jitter_ms: u32, round_trip_ms: Option<u32>, dropped_frames: u64,
    }
    SpeechReady = "speech.ready" { model: String }
    /// The model's connection was lost and is being opened again with the conversation so far.
    SpeechReopening = "speech.reopening" { why: String }
    SpeechReopened = "speech.reopened" {}
    /// A turn of the voice, as far as it was really heard.
    VoiceSaid = "turn.voice" { turn: u32, started_ms: u32, ended_ms: u32, text: String, interrupted: bool }
    /// A turn of the remote. `confidence` in per mille; null when the recognizer gives none.
    RemoteSaid = "turn.remote" { turn: u32, started_ms: u32, ended_ms: u32, text: String, confidence: Option<u32> }
    /// The remote spoke, and the recognizer could not tell what.
    NotUnderstood = "turn.not_understood" { turn: u32, started_ms: u32, ended_ms: u32 }
    BargeIn = "turn.barge_in" { heard_ms: u32 }
    ToolCalled = "tool.called" { tool: String, arguments: String }
    ToolAnswered = "tool.answered" { tool: String, output: String }
    /// The voice asks its owner back, who may answer for this long.
    OwnerAsked = "owner.asked" { question_id: u32, question: String, answer_within_ms: u32 }
    OwnerAnswered = "owner.answered" { question_id: u32, answer: String }
    /// Nobody answered in time, or before the call came to its end.
    OwnerSilent = "owner.silent" { question_id: u32 }
    /// The owner wants this said next; what was said of it is a turn of the voice.
    OwnerSaid = "owner.said" { text: String }
    /// A note of the owner's to the voice.
    OwnerInstructed = "owner.instructed" { text: String }
    /// Keys the owner wants pressed; `leg.digits_sent` says when they were.
    OwnerPressed = "owner.pressed" { digits: String }
    /// What somebody other than the remote said in private; not kept.
    PrivateTurn = "turn.private" { turn: u32, started_ms: u32, ended_ms: u32 }
    /// A secret in this turn was masked, in the recording too.
    Masked = "turn.masked" { turn: u32, from_ms: u32, to_ms: u32, kind: SecretKind }
    HoldStarted = "hold.started" { by: HoldBy }
    /// The same announcement again: nobody came back.
    HoldAnnouncement = "hold.announcement" { repeated: u32 }
    HoldEnded = "hold.ended" { waited_ms: u32 }
    /// The same keys brought the same words of a menu each time.
    MenuStuck = "menu.stuck" { tries: u32, digits: String }
    HandoffAsked = "handoff.asked" { by: HandoffBy, warm: bool }
    HandoffDialing = "handoff.dialing" { line: String }
    HandoffRinging = "handoff.ringing" {}
    HandoffAnswered = "handoff.answered" {}
    /// The user was told who is there, and was asked to join.
    HandoffIntroduced = "handoff.introduced" {}
    /// As `leg.ticket`, for the user's leg.
    HandoffTicket = "handoff.ticket" { ticket: String }
    /// Both talk to each other from now on: nothing more is recorded or transcribed.
    HandoffJoined = "handoff.joined" {}
    /// How long after the user's answer the first sound of one reached the other.
    HandoffCrossed = "handoff.crossed" { to_user_ms: u32, to_remote_ms: u32 }
    HandoffFailed = "handoff.failed" { why_not: HandoffFailure }
    /// Who hung up first of those who were joined.
    HandoffEnded = "handoff.ended" { by: Party, joined_ms: u32 }
    /// An agent behind the voice is given work; `waits` where the voice has nothing else to go on with.
    AgentAsked = "agent.asked" { task_id: u32, agent: Option<String>, prompt: String, waits: bool }
    AgentAnswered = "agent.answered" { task_id: u32, answer: String }
    AgentFailed = "agent.failed" { task_id: u32, failure: AgentFailure }
    /// The call ended first.
    AgentCancelled = "agent.cancelled" { task_id: u32 }
    /// What is to be approved was read out.
    ApprovalAsked = "approval.asked" { operation: String }
    /// Exactly one where an approval was asked for.
    ApprovalDecided = "approval.decided" { approved: bool, by: DecidedBy }
    /// Whoever calls gave the PIN.
    CallerVerified = "caller.verified" { by: GivenBy }
    CallerUnverified = "caller.unverified" { attempts: u32 }
    /// A caller left word.
    MessageTaken = "message.taken" { name: Option<String>, message: String, call_back: Option<String> }
    AnsweredByDetected = "call.answered_by" { answered_by: AnsweredBy }
    /// A part of the result, with the turns that show it: a commitment as it is said, the others just before
    /// `call.result`.
    ResultItem = "result.item" { kind: ItemKind, name: String, value: String, turns: Vec<u32> }
    Result = "call.result" { status: TaskStatus, summary: String, evidence_turns: Vec<u32> }
    /// Something went wrong that did not end the call.
    Problem = "call.problem" { part: Part, code: String, message: String }
    RecordingStarted = "recording.started" {}
    RecordingStopped = "recording.stopped" { duration_ms: u32 }
    /// The last fact of a call, exactly one.
    Ended = "call.ended" { reason: EndReason, answered: bool, talk_ms: u32, sip_status: Option<u16>, q850_cause: Option<u8> }
}
