//! A call as the contract shows it.

use offhook_core::end::{EndReason, Retry, q850_cause, q850_name};
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::balance::CallMeta;
use super::bridge::Handoff;
use super::call_ties::CallTies;
use super::task_result::TaskResult;
use crate::clock::iso;
use crate::gateway::{
    CallView, Caller, EndView, Gateway, Lifecycle, MessageView, QuestionView, Role, TranscriptTurn,
};

/// A call.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = Call)]
pub struct CallBody {
    pub id: String,
    #[schema(example = "outbound")]
    pub direction: &'static str,
    /// `agent`, or `passthrough` where a caller was put through to the user without a voice.
    #[schema(example = "agent")]
    pub handling_mode: &'static str,
    pub task: String,
    pub voice: String,
    #[schema(required)]
    pub personality: Option<String>,
    #[schema(required)]
    pub greeting: Option<String>,
    pub language: String,
    pub numbers: Numbers,
    /// `queued`, `dialing`, `answered` or `finalized`; only the last is the end.
    #[schema(example = "finalized")]
    pub lifecycle: &'static str,
    pub timestamps: Timestamps,
    /// Null before anybody spoke.
    #[schema(required)]
    pub transcript: Option<Vec<Turn>>,
    /// `human`, `voicemail`, `ivr`, `screening` or `unknown`; absent until something is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered_by: Option<&'static str>,
    /// What became of the task; absent until the voice reported it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<TaskResult>,
    /// What the voice asks and waits for: `POST /call/{id}/answer`. Absent when no question is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending_question: Option<PendingQuestion>,
    /// What the caller left word of; absent where nothing was.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub messages: Vec<Message>,
    /// Whether the caller gave the PIN of the line; absent where none was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller_verified: Option<bool>,
    /// How the user came into the call, or why not; absent until somebody wanted them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handoff: Option<Handoff>,
    /// How long the call has waited on hold; absent when it has not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold_seconds: Option<u64>,
    #[serde(flatten)]
    pub ties: CallTies,
    #[serde(flatten)]
    #[schema(value_type = Finalized)]
    pub finalized: Option<Finalized>,
    /// What is left to whoever asks, once the call is over.
    #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
    pub meta: Option<CallMeta>,
}

#[derive(Clone, Serialize, ToSchema)]
pub struct Numbers {
    /// The number that was called: on an inbound call the line of ours.
    pub to: String,
    /// The number that called: the line of ours, null until one was asked for or taken; on an inbound call the other
    /// side, null when it withheld its number.
    #[schema(required)]
    pub from: Option<String>,
    /// The caller ID of the leg of a live handoff; null until there is one.
    #[schema(required)]
    pub bridge_from: Option<String>,
}

/// Word that a caller left. What they say is theirs, and orders nobody anything.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = CallerMessage)]
pub struct Message {
    #[schema(required)]
    pub name: Option<String>,
    pub message: String,
    /// The number to be called back on, as it was said.
    #[schema(required)]
    pub call_back: Option<String>,
    pub taken_at: String,
}

/// ISO 8601 in UTC; null until reached.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Timestamps {
    pub queued_at: String,
    #[schema(required)]
    pub dialing_at: Option<String>,
    #[schema(required)]
    pub answered_at: Option<String>,
    #[schema(required)]
    pub finalized_at: Option<String>,
}

/// One turn of the conversation.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = TranscriptTurn)]
pub struct Turn {
    /// `assistant` is the voice, `user` the other side; also `tool` and `system`.
    pub role: &'static str,
    pub text: String,
    pub timestamp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    #[serde(rename = "toolArgs", skip_serializing_if = "Option::is_none")]
    pub tool_args: Option<String>,
    /// What `result.evidence_turns` names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn: Option<u32>,
    /// From the answer, which is also the start of the recording.
    pub started_ms: u32,
    pub ended_ms: u32,
    /// How sure the recognizer was, per mille; 0 is not understood.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<u32>,
    /// The other side spoke over it; `text` is what was heard.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub interrupted: bool,
}

/// A question of the voice's to whoever asked for the call.
#[derive(Clone, Serialize, ToSchema)]
pub struct PendingQuestion {
    pub question_id: u32,
    #[schema(example = "They ask for the date of birth. What is it?")]
    pub question: String,
    pub asked_at: String,
    /// The voice goes on without an answer from then on.
    pub answer_by: String,
}

/// What is known once the call is over; absent while it runs.
#[derive(Clone, Serialize, ToSchema)]
pub struct Finalized {
    /// What the telephone network came to, not the task.
    #[schema(required = false, example = "answered")]
    pub outcome: &'static str,
    #[schema(required = false)]
    pub outcome_detail: OutcomeDetail,
    /// Null when nobody picked up.
    pub talk_seconds: Option<u64>,
    /// Works without a key for a while; null when there is no recording.
    pub recording_url: Option<String>,
    /// Why the call ended, one of the documented codes.
    #[schema(required = false, example = "remote.hung_up")]
    pub end_reason: &'static str,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OutcomeDetail {
    #[schema(required, example = "normal_clearing")]
    pub hangup_cause: Option<&'static str>,
    #[schema(required, example = "200")]
    pub sip_hangup_cause: Option<String>,
    /// `caller` or `callee`.
    #[schema(required)]
    pub hangup_source: Option<&'static str>,
    pub reason: OutcomeReason,
    /// What the telephone network answered, where it refused: `sip_486`. Null where it did not.
    #[schema(required, example = "sip_486")]
    pub provider_error_code: Option<String>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OutcomeReason {
    pub code: &'static str,
    pub title: &'static str,
    pub message: &'static str,
    /// Whether the call may be placed once more without asking the user.
    pub retryable: bool,
}

impl Api {
    /// With a fresh link to the recording, where there is one, for whoever asked at `public_url`.
    pub async fn call_body(&self, caller: Caller, view: CallView, public_url: &str) -> CallBody {
        call_body(&self.gateway, caller, view, public_url).await
    }
}

pub async fn call_body(gateway: &Gateway, caller: Caller, view: CallView, public_url: &str) -> CallBody {
    let link = match view.end.is_some() && view.has_recording {
        true => gateway.sign_recording(caller, view.id).await.ok(),
        false => None,
    };
    body(view, link.map(|path| format!("{public_url}{path}")))
}

fn body(view: CallView, recording_url: Option<String>) -> CallBody {
    let ties = CallTies::new(&view.ties, &view.follow_ups);
    let finalized = match (view.lifecycle, &view.end) {
        (Lifecycle::Finalized, Some(end)) => Some(finalized(end, view.inbound, recording_url)),
        _ => None,
    };
    CallBody {
        id: view.id.to_string(),
        direction: if view.inbound { "inbound" } else { "outbound" },
        handling_mode: if view.passthrough { "passthrough" } else { "agent" },
        task: view.task,
        voice: view.voice,
        personality: view.personality,
        greeting: view.greeting,
        language: view.language,
        numbers: Numbers {
            to: view.to,
            from: view.from,
            bridge_from: view.handoff.as_ref().and_then(|handoff| handoff.line.clone()),
        },
        lifecycle: lifecycle(view.lifecycle),
        timestamps: Timestamps {
            queued_at: iso(view.queued_at),
            dialing_at: view.dialing_at.map(iso),
            answered_at: view.answered_at.map(iso),
            finalized_at: view.finalized_at.map(iso),
        },
        transcript: Some(view.transcript.into_iter().map(turn).collect::<Vec<_>>())
            .filter(|turns| !turns.is_empty()),
        answered_by: view.answered_by.map(|by| by.code()),
        result: view.result.map(TaskResult::from),
        pending_question: view.pending_question.map(pending_question),
        messages: view.messages.into_iter().map(message).collect(),
        caller_verified: view.caller_verified,
        handoff: view.handoff.map(Handoff::from),
        hold_seconds: view.held.map(|held| held.as_secs()),
        ties,
        finalized,
        meta: None,
    }
}

pub fn lifecycle(lifecycle: Lifecycle) -> &'static str {
    match lifecycle {
        Lifecycle::Queued => "queued",
        Lifecycle::Dialing => "dialing",
        Lifecycle::Answered => "answered",
        Lifecycle::Finalized => "finalized",
    }
}

fn turn(turn: TranscriptTurn) -> Turn {
    Turn {
        role: match turn.role {
            Role::Assistant => "assistant",
            Role::User => "user",
            Role::Tool => "tool",
            Role::System => "system",
        },
        text: turn.text,
        timestamp: iso(turn.at),
        tool: turn.tool,
        tool_args: turn.tool_args,
        turn: Some(turn.turn).filter(|_| matches!(turn.role, Role::Assistant | Role::User)),
        started_ms: turn.started_ms,
        ended_ms: turn.ended_ms,
        confidence: turn.confidence,
        interrupted: turn.interrupted,
    }
}

pub fn pending_question(question: QuestionView) -> PendingQuestion {
    PendingQuestion {
        question_id: question.id,
        question: question.question,
        asked_at: iso(question.asked_at),
        answer_by: iso(question.answer_by),
    }
}

fn message(view: MessageView) -> Message {
    let MessageView { name, message, call_back, taken_at } = view;
    Message { name, message, call_back, taken_at: iso(taken_at) }
}

fn finalized(end: &EndView, inbound: bool, recording_url: Option<String>) -> Finalized {
    let answered = end.talk.is_some();
    Finalized {
        outcome: end.outcome.code(),
        outcome_detail: OutcomeDetail {
            hangup_cause: Some(q850_name(end.q850_cause.unwrap_or_else(|| q850_cause(end.reason)))),
            sip_hangup_cause: end.sip_status.or(answered.then_some(200)).map(|status| status.to_string()),
            hangup_source: hangup_source(end.reason, inbound),
            reason: OutcomeReason {
                code: end.outcome.code(),
                title: end.outcome.title(),
                message: end.reason.row().advice,
                retryable: end.reason.retry(end.rang, answered) == Retry::OnceSilently && !end.tried_twice,
            },
            provider_error_code: end
                .sip_status
                .filter(|status| *status >= 300)
                .map(|status| format!("sip_{status}")),
        },
        talk_seconds: end.talk.map(|talk| talk.as_secs()),
        recording_url,
        end_reason: end.reason.code(),
    }
}

/// On an inbound call the caller is the other side.
fn hangup_source(reason: EndReason, inbound: bool) -> Option<&'static str> {
    Some(if reason.is_remotes()? == inbound { "caller" } else { "callee" })
}
