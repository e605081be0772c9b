//! What an owner may see of calls, put together from the row and the journal.

use offhook_core::{CallId, Fact, JournalEntry};
use offhook_store::{CallRow, Direction};

use super::{
    CallError, CallFilter, CallView, Caller, EndView, Gateway, Lifecycle, ResultView, Role, TranscriptTurn,
};

impl Gateway {
    pub async fn call(&self, caller: Caller, id: CallId) -> Result<CallView, CallError> {
        let row = self.own_call(caller, id).await?;
        self.view(row).await
    }

    pub async fn calls(&self, caller: Caller, filter: CallFilter) -> Result<Vec<CallView>, CallError> {
        let direction =
            filter.inbound.map(|inbound| if inbound { Direction::Inbound } else { Direction::Outbound });
        let filter = offhook_store::CallFilter {
            owner: (!caller.admin).then_some(caller.owner),
            direction,
            finalized_since: filter.finalized_since,
            live: filter.live_only.then_some(true),
            limit: filter.limit.min(200) as u32,
        };
        let rows = self.inner.store.calls(&filter).await.map_err(store_error)?;
        let mut views = Vec::with_capacity(rows.len());
        for row in rows {
            views.push(self.view(row).await?);
        }
        Ok(views)
    }

    /// The row of a call this caller may see. A foreign call is as unknown as none.
    pub(super) async fn own_call(&self, caller: Caller, id: CallId) -> Result<CallRow, CallError> {
        let row = self.inner.store.call(id).await.map_err(store_error)?.ok_or(CallError::NotFound)?;
        if row.owner == caller.owner || caller.admin { Ok(row) } else { Err(CallError::NotFound) }
    }

    async fn view(&self, row: CallRow) -> Result<CallView, CallError> {
        let journal = self.inner.store.journal(row.id, 0).await.map_err(store_error)?;
        let mut transcript: Vec<TranscriptTurn> =
            journal.iter().filter_map(|entry| turn(&row, entry)).collect();
        // A recognizer is slower than a voice: what the remote said may be written after the answer to it.
        transcript.sort_by_key(|turn| turn.started_ms);
        let has_recording = row.answered_at.is_some()
            && row.recording.as_ref().is_none_or(|recording| recording.removed_at.is_none())
            && self.inner.engine.recorder().path(row.id).exists();
        Ok(CallView {
            id: row.id,
            inbound: row.direction == Direction::Inbound,
            to: row.request.to,
            from: row.line.or(row.request.from),
            task: row.request.task,
            voice: row.request.voice,
            personality: row.request.personality,
            greeting: row.request.greeting,
            language: row.request.language,
            lifecycle: lifecycle(row.lifecycle),
            queued_at: row.queued_at,
            dialing_at: row.dialing_at,
            answered_at: row.answered_at,
            finalized_at: row.finalized_at,
            transcript,
            answered_by: row.answered_by,
            result: row.result.map(|report| ResultView {
                status: report.status,
                summary: report.summary,
                evidence_turns: report.evidence_turns,
            }),
            end: row.end.map(|end| EndView {
                reason: end.reason,
                outcome: end.outcome,
                talk: end.talk_ms.map(|ms| std::time::Duration::from_millis(ms.into())),
                sip_status: end.sip_status,
                q850_cause: end.q850_cause,
            }),
            has_recording,
        })
    }
}

fn store_error(error: offhook_store::StoreError) -> CallError {
    tracing::error!(%error, "the store can't be read");
    CallError::Store
}

fn lifecycle(lifecycle: offhook_store::Lifecycle) -> Lifecycle {
    match lifecycle {
        offhook_store::Lifecycle::Queued => Lifecycle::Queued,
        offhook_store::Lifecycle::Dialing => Lifecycle::Dialing,
        offhook_store::Lifecycle::Answered => Lifecycle::Answered,
        offhook_store::Lifecycle::Finalized => Lifecycle::Finalized,
    }
}

/// What the transcript shows where the remote spoke and nothing could be made out.
const NOT_UNDERSTOOD: &str = "[not understood]";

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
        shown.at = answered_at + std::time::Duration::from_millis(shown.started_ms.into());
    }
    Some(shown)
}
