//! Why a call ended: a closed list with stable codes.
//!
//! [`EndReason::TABLE`] is the one place that says what each reason means to the API (`outcome`), to the person
//! (`advice`), to SIP and to retry rules. The documented table in `docs/calling/end-reasons.md` is generated from it.

use std::fmt;

/// Who ended the call; the prefix of the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndedBy {
    Remote,
    Owner,
    Voice,
    Policy,
    Carrier,
    Speech,
    Gateway,
    /// Whom the call was handed over to.
    User,
}

impl EndedBy {
    pub const ALL: [EndedBy; 8] = [
        Self::Remote,
        Self::Owner,
        Self::Voice,
        Self::Policy,
        Self::Carrier,
        Self::Speech,
        Self::Gateway,
        Self::User,
    ];

    pub const fn code(self) -> &'static str {
        match self {
            Self::Remote => "remote",
            Self::Owner => "owner",
            Self::Voice => "voice",
            Self::Policy => "policy",
            Self::Carrier => "carrier",
            Self::Speech => "speech",
            Self::Gateway => "gateway",
            Self::User => "user",
        }
    }
}

/// The result of the telephone network, as the contract names it. It says nothing about the task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    Answered,
    NoAnswer,
    Busy,
    Rejected,
    InvalidNumber,
    Unreachable,
    NetworkError,
    Cancelled,
    SystemError,
    Failed,
}

impl Outcome {
    pub const ALL: [Outcome; 10] = [
        Self::Answered,
        Self::NoAnswer,
        Self::Busy,
        Self::Rejected,
        Self::InvalidNumber,
        Self::Unreachable,
        Self::NetworkError,
        Self::Cancelled,
        Self::SystemError,
        Self::Failed,
    ];

    pub const fn code(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::NoAnswer => "no_answer",
            Self::Busy => "busy",
            Self::Rejected => "rejected",
            Self::InvalidNumber => "invalid_number",
            Self::Unreachable => "unreachable",
            Self::NetworkError => "network_error",
            Self::Cancelled => "cancelled",
            Self::SystemError => "system_error",
            Self::Failed => "failed",
        }
    }

    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.code() == code)
    }

    /// For people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Answered => "Connected",
            Self::NoAnswer => "No answer",
            Self::Busy => "Busy",
            Self::Rejected => "Declined",
            Self::InvalidNumber => "Invalid number",
            Self::Unreachable => "Not reachable",
            Self::NetworkError => "Network error",
            Self::Cancelled => "Cancelled",
            Self::SystemError => "System error",
            Self::Failed => "Failed",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Whether an agent may call again without asking its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Retry {
    /// Once, without a word.
    OnceSilently,
    /// Only when the user says so.
    AskFirst,
    /// Not before something changed: the number, the instructions, the configuration.
    Never,
}

impl Retry {
    pub const fn code(self) -> &'static str {
        match self {
            Self::OnceSilently => "once_silently",
            Self::AskFirst => "ask_first",
            Self::Never => "never",
        }
    }
}

/// One row of [`EndReason::TABLE`].
#[derive(Clone, Copy, Debug)]
pub struct EndReasonRow {
    pub reason: EndReason,
    pub code: &'static str,
    pub by: EndedBy,
    /// The outcome when nobody had picked up; once answered the outcome is `answered`, whatever ended the call.
    pub unanswered: Outcome,
    pub retry: Retry,
    /// What to tell the user, one sentence.
    pub advice: &'static str,
}

macro_rules! end_reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $by:ident, $outcome:ident, $retry:ident, $advice:literal;)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum EndReason {
            $($(#[$doc])* $name,)*
        }

        impl EndReason {
            pub const TABLE: &[EndReasonRow] = &[$(EndReasonRow {
                reason: EndReason::$name,
                code: $code,
                by: EndedBy::$by,
                unanswered: Outcome::$outcome,
                retry: Retry::$retry,
                advice: $advice,
            },)*];
        }
    };
}

end_reasons! {
    /// The other side hung up: in mid-call, or as a caller who did not wait until we picked up.
    RemoteHungUp = "remote.hung_up", Remote, NoAnswer, AskFirst, "The other side hung up.";
    /// SIP 486 or 600.
    RemoteBusy = "remote.busy", Remote, Busy, AskFirst, "The line is busy; try again in a few minutes.";
    /// SIP 408, 480 or 487 after ringing: the network gave up before our own ring limit did.
    RemoteNoAnswer = "remote.no_answer", Remote, NoAnswer, AskFirst, "Nobody picked up.";
    /// SIP 603, 607, 608 and other 6xx.
    RemoteDeclined = "remote.declined", Remote, Rejected, AskFirst, "The call was declined.";
    /// SIP 301, 404, 410, 484, 485 or 604.
    RemoteInvalidNumber = "remote.invalid_number", Remote, InvalidNumber, Never, "The number is not in service; verify it.";
    /// SIP 480 without ringing, 502: out of service or not registered. Also 300, 302, 380: it is somewhere else.
    RemoteUnreachable = "remote.unreachable", Remote, Unreachable, Never, "The number can't be reached; verify it or try much later.";
    /// The owner hung up, before or after the answer.
    OwnerCancelled = "owner.cancelled", Owner, Cancelled, Never, "The call was cancelled on request.";
    /// The voice finished its task and said goodbye.
    VoiceFinished = "voice.finished", Voice, Failed, Never, "The conversation was brought to its end.";
    /// A machine answered; a message was left if the instructions asked for one.
    VoiceVoicemail = "voice.voicemail", Voice, NoAnswer, AskFirst, "Voicemail answered.";
    /// A caller who sells, begs or plays a tape was told goodbye.
    VoiceSpam = "voice.spam", Voice, Failed, Never, "An unwanted call was ended.";
    /// Nobody picked up within the ring limit.
    PolicyRingLimit = "policy.ring_limit", Policy, NoAnswer, AskFirst, "Nobody picked up within the ring limit.";
    /// The longest permitted conversation is over.
    PolicyTalkLimit = "policy.talk_limit", Policy, Failed, AskFirst, "The call reached its talk limit.";
    /// Nobody spoke for too long.
    PolicySilence = "policy.silence", Policy, Failed, AskFirst, "The line stayed silent.";
    /// Waited on hold for as long as permitted.
    PolicyHoldLimit = "policy.hold_limit", Policy, Failed, AskFirst, "The call stayed on hold past the limit.";
    /// A rule that holds at dialling time refused the call.
    PolicyRefused = "policy.refused", Policy, Failed, Never, "A calling rule refused the call.";
    /// Whoever was on the line could not give the PIN.
    PolicyPin = "policy.pin", Policy, Failed, Never, "The PIN was not given.";
    /// The call was not to be placed any more after its time.
    PolicyWindow = "policy.window", Policy, Cancelled, AskFirst, "The time for this call had passed.";
    /// The INVITE certainly never left: no DNS answer, connection refused, no free port.
    CarrierUnreachable = "carrier.unreachable", Carrier, NetworkError, OnceSilently, "The telephone carrier could not be reached.";
    /// The trunk is overloaded or faulty: 500, 503, 504, 580 and other 5xx, 481, 482, 483, 487, 491.
    CarrierFailed = "carrier.failed", Carrier, NetworkError, OnceSilently, "The telephone carrier failed.";
    /// The trunk refuses us: 401 or 407 after our credentials, 402, 403, 488, 606 and other 4xx, 305.
    CarrierRefused = "carrier.refused", Carrier, Failed, Never, "The telephone carrier refused the call; check account, credentials and caller ID.";
    /// The dial request may have reached the carrier, but nothing is known of it since. Never redialled.
    CarrierUncertain = "carrier.uncertain", Carrier, NetworkError, AskFirst, "It is not known whether the call went out.";
    /// The remote's audio stopped in mid-call.
    CarrierMediaLost = "carrier.media_lost", Carrier, NetworkError, AskFirst, "The audio from the other side stopped.";
    /// The signalling of a live call was lost, or the far side no longer knows the call.
    CarrierLost = "carrier.lost", Carrier, NetworkError, AskFirst, "The connection to the telephone carrier was lost.";
    /// All our lines are in use.
    CarrierNoLine = "carrier.no_line", Carrier, SystemError, OnceSilently, "All lines are in use; try again in 15 seconds.";
    /// The speech model could not be opened.
    SpeechUnavailable = "speech.unavailable", Speech, SystemError, OnceSilently, "The speech model could not be reached.";
    /// The speech model was lost and could not be reopened.
    SpeechLost = "speech.lost", Speech, SystemError, AskFirst, "The speech model was lost.";
    /// offhook is shutting down.
    GatewayShutdown = "gateway.shutdown", Gateway, SystemError, AskFirst, "offhook was shut down during the call.";
    /// offhook was started again and found the call unfinished.
    GatewayRestarted = "gateway.restarted", Gateway, SystemError, AskFirst, "offhook stopped unexpectedly during the call.";
    /// The user hung up, who had been connected.
    UserHungUp = "user.hung_up", User, Failed, Never, "You hung up.";
    /// A bug ended this one call.
    GatewayFault = "gateway.fault", Gateway, SystemError, OnceSilently, "An internal error ended the call.";
}

impl EndReason {
    pub fn row(self) -> &'static EndReasonRow {
        &Self::TABLE[self as usize]
    }

    pub fn code(self) -> &'static str {
        self.row().code
    }

    pub fn from_code(code: &str) -> Option<Self> {
        Self::TABLE.iter().find(|row| row.code == code).map(|row| row.reason)
    }

    pub fn by(self) -> EndedBy {
        self.row().by
    }

    /// Whether it was the other side that hung up, as the network sees it; `None` when the network itself ended the call.
    pub fn is_remotes(self) -> Option<bool> {
        match self.by() {
            EndedBy::Remote => Some(true),
            EndedBy::Owner
            | EndedBy::Voice
            | EndedBy::Policy
            | EndedBy::Speech
            | EndedBy::Gateway
            | EndedBy::User => Some(false),
            EndedBy::Carrier => None,
        }
    }

    /// A call that was picked up is `answered`, whatever ended it later.
    pub fn outcome(self, answered: bool) -> Outcome {
        if answered { Outcome::Answered } else { self.row().unanswered }
    }

    /// A phone that rang is never rung again without asking, much less a person who picked up.
    pub fn retry(self, rang: bool, answered: bool) -> Retry {
        match self.row().retry {
            Retry::OnceSilently if rang || answered => Retry::AskFirst,
            retry => retry,
        }
    }

    /// [`Self::TABLE`] as it stands in the documentation.
    pub fn markdown_table() -> String {
        let mut table = String::from(
            "| code | outcome if nobody had picked up | retry | Q.850 | what to tell the user |\n|---|---|---|---|---|\n",
        );
        for row in Self::TABLE {
            let EndReasonRow { reason, code, unanswered, retry, advice, .. } = row;
            let (retry, cause) = (retry.code(), q850_cause(*reason));
            table.push_str(&format!("| `{code}` | `{unanswered}` | `{retry}` | {cause} | {advice} |\n"));
        }
        table
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// The reason for a final SIP response to our INVITE (RFC 3261 §21 and the registry of IANA, RFC 8197 for 607,
/// RFC 8688 for 608). Unknown responses count as x00 of their class (RFC 3261 §8.1.3.2).
///
/// `rang` is whether a provisional response said the phone was ringing: 480 means "nobody there" after that,
/// and "not reachable" without it. A call that we cancelled ends for the reason we had, whatever comes back.
pub fn from_sip_status(status: u16, rang: bool) -> EndReason {
    match status {
        486 | 600 => EndReason::RemoteBusy,
        408 | 480 | 487 if rang => EndReason::RemoteNoAnswer,
        // The INVITE got somewhere; whether any phone rang is not known.
        408 => EndReason::CarrierUncertain,
        480 | 502 => EndReason::RemoteUnreachable,
        301 | 404 | 410 | 484 | 485 | 604 => EndReason::RemoteInvalidNumber,
        // Lost, looping or given up on the carrier's side: nothing we can set right.
        430 | 481 | 482 | 483 | 487 | 491 => EndReason::CarrierFailed,
        606 => EndReason::CarrierRefused,
        // It is to be called through another proxy; which one is for the operator to say.
        305 => EndReason::CarrierRefused,
        // Redirections are not followed: who they lead to was never checked against the calling rules.
        300..=399 => EndReason::RemoteUnreachable,
        400..=499 => EndReason::CarrierRefused,
        601..=699 => EndReason::RemoteDeclined,
        _ => EndReason::CarrierFailed,
    }
}

/// The Q.850 cause for a reason, for the `Reason` header of BYE and CANCEL (RFC 3326).
pub fn q850_cause(reason: EndReason) -> u8 {
    match reason {
        EndReason::RemoteBusy => 17,
        EndReason::RemoteNoAnswer | EndReason::PolicyRingLimit => 19,
        EndReason::RemoteDeclined | EndReason::PolicyRefused | EndReason::PolicyPin => 21,
        EndReason::RemoteInvalidNumber => 1,
        EndReason::RemoteUnreachable => 20,
        EndReason::CarrierUnreachable | EndReason::CarrierUncertain => 38,
        EndReason::CarrierFailed | EndReason::SpeechUnavailable | EndReason::SpeechLost => 41,
        EndReason::CarrierNoLine => 34,
        EndReason::CarrierMediaLost | EndReason::CarrierLost => 27,
        EndReason::PolicyTalkLimit
        | EndReason::PolicySilence
        | EndReason::PolicyHoldLimit
        | EndReason::PolicyWindow => 102,
        EndReason::CarrierRefused => 57,
        EndReason::RemoteHungUp
        | EndReason::OwnerCancelled
        | EndReason::VoiceFinished
        | EndReason::UserHungUp
        | EndReason::VoiceVoicemail
        | EndReason::VoiceSpam
        | EndReason::GatewayShutdown
        | EndReason::GatewayRestarted
        | EndReason::GatewayFault => 16,
    }
}

/// The name telephone systems give to a cause of Q.850.
pub fn q850_name(cause: u8) -> &'static str {
    match cause {
        1 => "unallocated_number",
        3 => "no_route_destination",
        16 => "normal_clearing",
        17 => "user_busy",
        18 => "no_user_response",
        19 => "no_answer",
        20 => "subscriber_absent",
        21 => "call_rejected",
        22 => "number_changed",
        27 => "destination_out_of_order",
        28 => "invalid_number_format",
        34 => "normal_circuit_congestion",
        38 => "network_out_of_order",
        41 => "normal_temporary_failure",
        42 => "switch_congestion",
        57 => "bearercapability_notauth",
        88 => "incompatible_destination",
        102 => "recovery_on_timer_expire",
        127 => "interworking",
        _ => "normal_unspecified",
    }
}
