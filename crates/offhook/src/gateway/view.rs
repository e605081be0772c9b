//! What an owner may see of calls, put together from the row and the journal.

use std::fmt;
use std::time::Duration;

use offhook_core::journal::{AnsweredBy, HandoffBy};
use offhook_core::{CallId, EndReason, Fact, JournalEntry, Outcome, Timestamp};
use offhook_store::{CallFilter, CallRow, Direction, StoreError, Ties};

use super::repeats::is_second_try;
use super::{CallError, Caller, Gateway, HandoffView, Lifecycle, ResultView};
use crate::clock;

/// Which of the caller's calls to list; an admin sees everybody's.
#[derive(Clone, Debug, Default)]
pub struct ListCalls {
    pub inbound: Option<bool>,
    pub finalized_since: Option<Timestamp>,
    /// `true`: only calls that are not over; `false`: only those that are, by when they ended.
    pub live: Option<bool>,
    pub limit: usize,
}

/// Everything an owner may see of one call.
#[derive(Clone)]
pub struct CallView {
    pub id: CallId,
    pub inbound: bool,
    pub to: String,
    pub from: Option<String>,
    pub task: String,
    pub voice: String,
    pub personality: Option<String>,
    pub greeting: Option<String>,
    pub language: String,
    pub lifecycle: Lifecycle,
    pub queued_at: Timestamp,
    pub dialing_at: Option<Timestamp>,
    pub answered_at: Option<Timestamp>,
    pub finalized_at: Option<Timestamp>,
    pub transcript: Vec<TranscriptTurn>,
    pub answered_by: Option<AnsweredBy>,
    pub result: Option<ResultView>,
    /// What the voice asked its owner and waits for.
    pub pending_question: Option<QuestionView>,
    /// What callers of a line left word of.
    pub messages: Vec<MessageView>,
    /// Whether the caller gave the PIN; `None` where none was asked for, or not decided yet.
    pub caller_verified: Option<bool>,
    /// How the user came into it, or did not.
    pub handoff: Option<HandoffView>,
    /// The caller was put through to the user: there was no voice.
    pub passthrough: bool,
    /// How long it waited on hold; `None` when it did not.
    pub held: Option<Duration>,
    pub end: Option<EndView>,
    pub ties: Ties,
    /// The calls that follow it up; not in lists.
    pub follow_ups: Vec<CallId>,
    pub has_recording: bool,
    /// When retention removed it or will; `None` where there is none, or it is kept.
    pub recording_until: Option<Timestamp>,
    /// There was one.
    pub recording_expired: bool,
}

#[derive(Clone)]
pub struct TranscriptTurn {
    pub role: Role,
    pub turn: u32,
    pub text: String,
    pub at: Timestamp,
    pub started_ms: u32,
    pub ended_ms: u32,
    /// Per mille; `None` when the recognizer gives none.
    pub confidence: Option<u32>,
    pub interrupted: bool,
    pub tool: Option<String>,
    pub tool_args: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The voice.
    Assistant,
    /// The remote.
    User,
    Tool,
    System,
}

/// A question of the voice to its owner.
#[derive(Clone)]
pub struct QuestionView {
    pub id: u32,
    pub question: String,
    pub asked_at: Timestamp,
    pub answer_by: Timestamp,
}

/// Word that a caller left.
#[derive(Clone)]
pub struct MessageView {
    pub name: Option<String>,
    pub message: String,
    pub call_back: Option<String>,
    pub taken_at: Timestamp,
}

/// Without the words.
impl fmt::Debug for MessageView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageView").field("taken_at", &self.taken_at).finish_non_exhaustive()
    }
}

#[derive(Clone, Debug)]
pub struct EndView {
    pub reason: EndReason,
    pub outcome: Outcome,
    pub talk: Option<Duration>,
    /// Whether a phone rang.
    pub rang: bool,
    /// The one retry was used, by offhook itself or because this call was it.
    pub tried_twice: bool,
    pub sip_status: Option<u16>,
    pub q850_cause: Option<u8>,
}

/// Without the numbers and the words.
impl fmt::Debug for CallView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, inbound, lifecycle, transcript, end, .. } = self;
        let mut shown = f.debug_struct("CallView");
        shown.field("id", id).field("inbound", inbound).field("lifecycle", lifecycle);
        shown.field("turns", &transcript.len()).field("end", end).finish_non_exhaustive()
    }
}

impl fmt::Debug for TranscriptTurn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { role, turn, started_ms, ended_ms, .. } = self;
        let mut shown = f.debug_struct("TranscriptTurn");
        shown.field("role", role).field("turn", turn);
        shown.field("started_ms", started_ms).field("ended_ms", ended_ms).finish_non_exhaustive()
    }
}

impl fmt::Debug for QuestionView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuestionView").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Gateway {
    pub async fn call(&self, caller: Caller, id: CallId) -> Result<CallView, CallError> {
        let row = self.own_call(caller, id).await?;
        let mut said = self.inner.store.journals(&[id], SHOWN).await.map_err(store_error)?;
        let follow_ups = self.inner.store.follow_ups(id).await.map_err(store_error)?;
        Ok(CallView { follow_ups, ..self.view(row, &said.remove(&id).unwrap_or_default()) })
    }

    pub async fn calls(&self, caller: Caller, wanted: ListCalls) -> Result<Vec<CallView>, CallError> {
        let direction =
            wanted.inbound.map(|inbound| if inbound { Direction::Inbound } else { Direction::Outbound });
        let filter = CallFilter {
            owner: (!caller.admin).then_some(caller.owner),
            direction,
            finalized_since: wanted.finalized_since,
            live: wanted.live,
            limit: wanted.limit.min(200) as u32,
        };
        let rows = self.inner.store.calls(&filter).await.map_err(store_error)?;
        let ids: Vec<CallId> = rows.iter().map(|row| row.id).collect();
        let mut said = self.inner.store.journals(&ids, SHOWN).await.map_err(store_error)?;
        Ok(rows
            .into_iter()
            .map(|row| {
                let journal = said.remove(&row.id).unwrap_or_default();
                self.view(row, &journal)
            })
            .collect())
    }

    /// The row of a call this caller may see. A foreign call is as unknown as none.
    pub(super) async fn own_call(&self, caller: Caller, id: CallId) -> Result<CallRow, CallError> {
        let row = self.inner.store.call(id).await.map_err(store_error)?.ok_or(CallError::NotFound)?;
        if row.owner == caller.owner || caller.admin { Ok(row) } else { Err(CallError::NotFound) }
    }

    fn view(&self, row: CallRow, journal: &[JournalEntry]) -> CallView {
        let mut transcript: Vec<TranscriptTurn> =
            journal.iter().filter_map(|entry| turn(&row, entry)).collect();
        // A recognizer is slower than a voice: what the remote said may be written after the answer to it.
        transcript.sort_by_key(|turn| turn.started_ms);
        // Of a call that is over the store knows; a list must not look at hundreds of files.
        let has_recording = match &row.recording {
            Some(recording) => recording.removed_at.is_none(),
            None => {
                row.answered_at.is_some()
                    && row.finalized_at.is_none()
                    && self.inner.engine.recorder().path(row.id).exists()
            }
        };
        let redialled = journal.iter().any(|entry| matches!(entry.fact, Fact::DialRetried { .. }));
        let tried_twice = is_second_try(&row, redialled);
        CallView {
            id: row.id,
            inbound: row.direction == Direction::Inbound,
            to: row.request.to,
            from: row.line.or(row.request.from),
            task: row.request.task,
            voice: row.request.voice,
            personality: row.request.personality,
            greeting: row.request.greeting,
            language: row.request.language,
            lifecycle: row.lifecycle,
            queued_at: row.queued_at,
            dialing_at: row.dialing_at,
            answered_at: row.answered_at,
            finalized_at: row.finalized_at,
            transcript,
            answered_by: row.answered_by,
            result: ResultView::of(row.result, journal, row.lifecycle == Lifecycle::Finalized),
            pending_question: (row.lifecycle == Lifecycle::Answered).then(|| pending(journal)).flatten(),
            messages: journal.iter().filter_map(message).collect(),
            caller_verified: journal.iter().find_map(|entry| match entry.fact {
                Fact::CallerVerified { .. } => Some(true),
                Fact::CallerUnverified { .. } => Some(false),
                _ => None,
            }),
            handoff: HandoffView::of(journal, row.lifecycle == Lifecycle::Finalized),
            passthrough: journal
                .iter()
                .any(|entry| matches!(entry.fact, Fact::HandoffAsked { by: HandoffBy::Passthrough, .. })),
            held: held(journal, row.finalized_at.unwrap_or_else(clock::now)),
            end: row.end.map(|end| EndView {
                reason: end.reason,
                outcome: end.outcome,
                tried_twice,
                rang: journal.iter().any(|entry| matches!(entry.fact, Fact::Ringing { .. })),
                talk: end.talk_ms.map(|ms| Duration::from_millis(ms.into())),
                sip_status: end.sip_status,
                q850_cause: end.q850_cause,
            }),
            ties: row.ties,
            follow_ups: Vec::new(),
            has_recording,
            recording_until: row.recording.as_ref().and_then(|kept| kept.removed_at.or(kept.expires_at)),
            recording_expired: row.recording.is_some_and(|kept| kept.removed_at.is_some()),
        }
    }
}

fn store_error(error: StoreError) -> CallError {
    tracing::error!(%error, "the store can't be read");
    CallError::Store
}

/// What the transcript shows where the remote spoke and nothing could be made out.
const NOT_UNDERSTOOD: &str = "[not understood]";

/// The facts that make a transcript, the one that says whether a phone rang, what was asked of the owner, and what was
/// found of the result.
const SHOWN: &[&str] = &[
    "turn.voice",
    "turn.remote",
    "turn.not_understood",
    "tool.called",
    "call.ringing",
    "call.dial_retried",
    "owner.asked",
    "owner.answered",
    "owner.silent",
    "handoff.asked",
    "handoff.dialing",
    "handoff.ringing",
    "handoff.answered",
    "handoff.joined",
    "handoff.failed",
    "handoff.ended",
    "hold.started",
    "hold.ended",
    "result.item",
    "message.taken",
    "caller.verified",
    "caller.unverified",
];

fn message(entry: &JournalEntry) -> Option<MessageView> {
    let Fact::MessageTaken { name, message, call_back } = entry.fact.clone() else { return None };
    Some(MessageView { name, message, call_back, taken_at: entry.at })
}

/// All waits together, with the one that lasts.
fn held(journal: &[JournalEntry], until: Timestamp) -> Option<Duration> {
    let (mut held, mut since) = (None, None);
    for entry in journal {
        match &entry.fact {
            Fact::HoldStarted { .. } => since = Some(entry.at),
            Fact::HoldEnded { waited_ms } => {
                since = None;
                held = Some(held.unwrap_or_default() + Duration::from_millis((*waited_ms).into()));
            }
            _ => {}
        }
    }
    since.map(|at| held.unwrap_or_default() + until.since(at)).or(held)
}

/// The question that is neither answered nor given up.
fn pending(journal: &[JournalEntry]) -> Option<QuestionView> {
    let last = journal.iter().rev().find(|entry| entry.fact.code().starts_with("owner."))?;
    let Fact::OwnerAsked { question_id, question, answer_within_ms } = &last.fact else { return None };
    Some(QuestionView {
        id: *question_id,
        question: question.clone(),
        asked_at: last.at,
        answer_by: last.at + Duration::from_millis((*answer_within_ms).into()),
    })
}

fn turn(row: &CallRow, entry: &JournalEntry) -> Option<TranscriptTurn> {
    let mut shown = TranscriptTurn {
        role: Role::User,
        turn: 0,
        text: String::new(),
        at: entry.at,
        started_ms: row.answered_at.map_or(0, |at| entry.at.since(at).as_millis() as u32),
        ended_ms: 0,
        confidence: None,
        interrupted: false,
        tool: None,
        tool_args: None,
    };
    match &entry.fact {
        Fact::VoiceSaid { turn, started_ms, ended_ms, text, interrupted } => {
            shown.role = Role::Assistant;
            (shown.turn, shown.started_ms, shown.ended_ms) = (*turn, *started_ms, *ended_ms);
            (shown.text, shown.interrupted) = (text.clone(), *interrupted);
        }
        Fact::RemoteSaid { turn, started_ms, ended_ms, text, confidence } => {
            (shown.turn, shown.started_ms, shown.ended_ms) = (*turn, *started_ms, *ended_ms);
            (shown.text, shown.confidence) = (text.clone(), *confidence);
        }
        Fact::NotUnderstood { turn, started_ms, ended_ms } => {
            (shown.turn, shown.started_ms, shown.ended_ms) = (*turn, *started_ms, *ended_ms);
            shown.text = NOT_UNDERSTOOD.to_owned();
            shown.confidence = Some(0);
        }
        Fact::ToolCalled { tool, arguments } => {
            shown.role = Role::Tool;
            shown.ended_ms = shown.started_ms;
            shown.text = if arguments.is_empty() { tool.clone() } else { format!("{tool}: {arguments}") };
            (shown.tool, shown.tool_args) = (Some(tool.clone()), Some(arguments.clone()));
        }
        _ => return None,
    }
    if let Some(answered_at) = row.answered_at {
        shown.at = answered_at + Duration::from_millis(shown.started_ms.into());
    }
    Some(shown)
}
