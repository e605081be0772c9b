//! Calls by the clock, as tools.

use serde_json::{Value, json};

use super::act::{Use, segment};
use super::door::Ask;

impl Use<'_> {
    pub(super) async fn schedule_call(&mut self) -> Result<Value, String> {
        let key = self.take_text("idempotency_key");
        let ask = Ask { idempotency_key: key, ..Ask::post("/schedules", self.body()) };
        self.ask(ask).await.map(|answer| answer.body)
    }

    pub(super) async fn change_schedule(&mut self) -> Result<Value, String> {
        let path = self.schedule("");
        self.arguments.remove("schedule_id");
        let ask = Ask::patch(path, self.body());
        self.ask(ask).await.map(|answer| answer.body)
    }

    pub(super) async fn cancel_schedule(&self) -> Result<Value, String> {
        self.ask(Ask::delete(self.schedule(""))).await.map(|answer| answer.body)
    }

    pub(super) async fn run_schedule(&self) -> Result<Value, String> {
        let below = match self.arguments.get("dry_run") {
            Some(Value::Bool(true)) => "/dry-run",
            _ => "/run-now",
        };
        self.ask(Ask::post(self.schedule(below), json!({}))).await.map(|answer| answer.body)
    }

    pub(super) fn schedule(&self, below: &str) -> String {
        format!("/schedules/{}{below}", segment(&self.text("schedule_id")))
    }
}
