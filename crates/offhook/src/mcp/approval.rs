//! The tools of approvals by phone: asking, and waiting for the verdict.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::act::{Use, segment};
use super::door::Ask;

/// One look, well within what an answer may take.
const LOOK: Duration = Duration::from_secs(20);
const PENDING: &str = "Nothing is decided yet: do nothing of it. Look again with get_approval and wait.";
const APPROVED: &str =
    "The user approved exactly this: the operation and the details with this digest, once.";
const NOT_APPROVED: &str =
    "This is a no. Do nothing of it, and don't ask again for the same unless the user says so.";

impl Use<'_> {
    pub(super) async fn request_approval(&mut self) -> Result<Value, String> {
        let wait = self.number("wait");
        self.arguments.remove("wait");
        let idempotency_key = self.take_text("idempotency_key");
        let ask = Ask { idempotency_key, ..Ask::post("/approvals", self.body()) };
        let asked = self.ask(ask).await?.body;
        self.verdict(asked, wait).await
    }

    pub(super) async fn get_approval(&mut self) -> Result<Value, String> {
        let wait = self.number("wait");
        let path = format!("/approvals/{}", segment(&self.text("approval_id")));
        let asked = self.ask(Ask::get(path)).await?.body;
        self.verdict(asked, wait).await
    }

    pub(super) async fn cancel_approval(&mut self) -> Result<Value, String> {
        let path = format!("/approvals/{}", segment(&self.text("approval_id")));
        Ok(told(self.ask(Ask::delete(path)).await?.body))
    }

    /// As it is when it is decided, or time is up.
    async fn verdict(&self, mut approval: Value, wait: Option<u64>) -> Result<Value, String> {
        let started_at = Instant::now();
        let patience = wait.map_or(Duration::ZERO, Duration::from_secs);
        let path = format!("/approvals/{}", segment(approval["id"].as_str().unwrap_or_default()));
        while approval["state"] == "pending" && !self.progress.cancelled.is_cancelled() {
            let left = patience.saturating_sub(started_at.elapsed()).min(LOOK);
            if left < Duration::from_secs(1) {
                break;
            }
            approval = self.ask(Ask::get(format!("{path}?wait_seconds={}", left.as_secs()))).await?.body;
        }
        Ok(told(approval))
    }
}

/// With what it means, for an agent that reads nothing else.
fn told(mut approval: Value) -> Value {
    let hint = match approval["state"].as_str() {
        Some("pending") => PENDING,
        Some("approved") => APPROVED,
        _ => NOT_APPROVED,
    };
    if let Some(body) = approval.as_object_mut() {
        let id = body.remove("id").unwrap_or_default();
        body.insert("approval_id".to_owned(), id);
        body.insert("means".to_owned(), json!(hint));
    }
    approval
}
