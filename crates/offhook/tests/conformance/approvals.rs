//! Approvals, as far as the tables need one: asked of a phone that is busy, and declined at once.

use reqwest::Method;
use serde_json::json;

use crate::agent::{Agent, Answer};
use crate::rig::BUSY;

pub trait Approving {
    /// The id of an approval that is decided; the asker's target is a phone that is busy from now on.
    async fn approval(&self, operation: &str) -> String;
}

impl Approving for Agent {
    async fn approval(&self, operation: &str) -> String {
        let target = self.request(Method::PUT, "/me/voice-target").json(&json!({ "number": BUSY }));
        assert_eq!(Answer::to(target).await.status, 200);
        let asked = self.request(Method::POST, "/approvals").json(&json!({ "operation": operation }));
        let asked = Answer::to(asked).await;
        assert_eq!(asked.status, 201, "{asked:?}");
        let id = asked.json()["id"].as_str().expect("an approval has an id").to_owned();
        let decided = self.get(&format!("/approvals/{id}?wait_seconds=20")).await.json();
        assert_eq!(decided["state"], "declined", "{decided}");
        id
    }
}
