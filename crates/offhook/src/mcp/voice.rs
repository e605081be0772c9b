//! The tools of the voice as a tool: calling the user, and whom that is.

use serde_json::{Value, json};

use super::act::Use;
use super::door::Ask;
use super::wait;

const TARGET: &str = "/me/voice-target";
const FOLLOW: &str = "The user is being called. Go on with wait_for_call, or look with get_call every 3 seconds until \
                      lifecycle is finalized; result and the transcript say what came of it.";

impl Use<'_> {
    pub(super) async fn make_voice_call(&mut self) -> Result<Value, String> {
        let wait = self.number("wait");
        self.arguments.remove("wait");
        let mut placed = self.once("/tools/make_voice_call").await?;
        let id = placed["call_id"].as_str().unwrap_or_default().to_owned();
        if wait.is_some_and(|seconds| seconds > 0) {
            return wait::for_end(&self.door, &id, self.waits.of(wait), &self.progress).await;
        }
        placed["workflow"] = FOLLOW.into();
        if let Some(body) = placed.as_object_mut() {
            // The same as `call_id`.
            body.remove("id");
        }
        Ok(placed)
    }

    pub(super) async fn phone(&mut self) -> Result<Value, String> {
        let forget = self.arguments.get("forget") == Some(&Value::Bool(true));
        let ask = match self.take_text("number") {
            Some(number) if forget => {
                return Err(format!("number {number} and forget contradict each other; send one of them"));
            }
            Some(number) => Ask::put(TARGET, json!({ "number": number })),
            None if forget => Ask::delete(TARGET),
            None => Ask::get(TARGET),
        };
        self.ask(ask).await.map(|answer| answer.body)
    }

    pub(super) async fn chat_command(&mut self) -> Result<Value, String> {
        self.once("/tools/chat_command").await
    }

    async fn once(&mut self, path: &str) -> Result<Value, String> {
        let idempotency_key = self.take_text("idempotency_key");
        let ask = Ask { idempotency_key, ..Ask::post(path, self.body()) };
        self.ask(ask).await.map(|answer| answer.body)
    }
}
