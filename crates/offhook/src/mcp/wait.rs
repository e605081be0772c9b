//! Waiting for a call: looks every three seconds, says how it goes, and never loses the call.

use std::time::Duration;

use rmcp::model::{ProgressNotificationParam, ProgressToken};
use rmcp::{Peer, RoleServer};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::door::{Ask, Door};
use super::{refusal, short};

/// The contract says every three seconds.
const STEP: Duration = Duration::from_secs(3);
const SAID_CHARS: usize = 120;

/// How long a tool may wait.
#[derive(Clone, Copy, Debug)]
pub struct Waits {
    pub usual: Duration,
    pub most: Duration,
}

impl Default for Waits {
    fn default() -> Self {
        Self { usual: Duration::from_secs(180), most: Duration::from_secs(240) }
    }
}

impl Waits {
    /// What was asked for, within what is allowed.
    pub fn of(self, asked: Option<u64>) -> Duration {
        asked.map_or(self.usual, Duration::from_secs).clamp(Duration::from_secs(5), self.most)
    }
}

/// Whom to tell how it goes, if anybody asked.
#[derive(Debug)]
pub struct Progress {
    pub to: Option<(Peer<RoleServer>, ProgressToken)>,
    /// Gone when the client no longer waits.
    pub cancelled: CancellationToken,
}

impl Progress {
    async fn tell(&self, waited: Duration, patience: Duration, message: String) {
        let Some((peer, token)) = &self.to else { return };
        let progress = ProgressNotificationParam::new(token.clone(), waited.as_secs_f64())
            .with_total(patience.as_secs_f64())
            .with_message(message);
        // Whoever is gone needs no progress.
        let _ = peer.notify_progress(progress).await;
    }
}

/// The call at its end; where it is when time is up, or when the voice has a question.
pub async fn for_end(
    door: &Door<'_>,
    id: &str,
    patience: Duration,
    progress: &Progress,
) -> Result<Value, String> {
    let started_at = Instant::now();
    let mut last = Value::Null;
    loop {
        match door.ask(Ask::get(super::act::call_path(id, ""))).await {
            Ok(answer) if answer.status.is_success() => {
                let call = answer.body;
                if call["lifecycle"] == "finalized" {
                    let mut over = short::call(&call);
                    over["call_id"] = id.into();
                    return Ok(over);
                }
                if call["pending_question"].is_object() {
                    return Ok(asked(id, &call));
                }
                progress.tell(started_at.elapsed(), patience, headline(id, &call)).await;
                last = call["lifecycle"].clone();
            }
            Ok(answer) if !refusal::is_transient(&answer) => return Err(refusal::text(&answer)),
            // It comes back, or time is up; the call goes on without us either way.
            Ok(_) | Err(_) => {}
        }
        let left = patience.saturating_sub(started_at.elapsed());
        if left.is_zero() || progress.cancelled.is_cancelled() {
            return Ok(still_running(id, last));
        }
        tokio::select! {
            () = sleep(STEP.min(left)) => {}
            () = progress.cancelled.cancelled() => {}
        }
    }
}

/// One line of how a call goes.
fn headline(id: &str, call: &Value) -> String {
    let lifecycle = call["lifecycle"].as_str().unwrap_or("queued");
    let turns = call["transcript"].as_array().map(Vec::as_slice).unwrap_or_default();
    let Some(last) = turns.last() else { return format!("call {id}: {lifecycle}") };
    let who = if last["role"] == "assistant" { "voice" } else { "other side" };
    let said = short::clip(last["text"].as_str().unwrap_or_default(), SAID_CHARS);
    format!("call {id}: {lifecycle}, turn {}; {who}: {said}", turns.len())
}

fn still_running(id: &str, last: Value) -> Value {
    json!({
        "still_running": true,
        "call_id": id,
        "last_lifecycle": last,
        "hint": "The call goes on. Go on with wait_for_call, look with get_call, or end it with hangup_call; don't place \
                 it again.",
    })
}

fn asked(id: &str, call: &Value) -> Value {
    json!({
        "still_running": true,
        "call_id": id,
        "last_lifecycle": call["lifecycle"],
        "pending_question": call["pending_question"],
        "transcript_tail": short::call(call)["transcript_tail"],
        "hint": "The voice asks you and the other side is waiting. Answer with answer_call before answer_by, with what \
                 the user told you and nothing else, then go on with wait_for_call.",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_has_bounds() {
        for (asked, seconds) in [(None, 180), (Some(1), 5), (Some(60), 60), (Some(9_000), 240)] {
            assert_eq!(Waits::default().of(asked), Duration::from_secs(seconds));
        }
    }

    #[test]
    fn one_line_of_how_it_goes() {
        let call = json!({ "lifecycle": "answered", "transcript": [{ "role": "user", "text": "Hello?" }] });
        assert_eq!(headline("7", &call), "call 7: answered, turn 1; other side: Hello?");
        assert_eq!(headline("7", &json!({ "lifecycle": "dialing" })), "call 7: dialing");
    }
}
