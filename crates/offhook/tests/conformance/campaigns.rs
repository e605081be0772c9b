//! Campaigns, as far as the tables need one: started, and waited for.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::agent::{Agent, Answer};
use crate::rig::PATIENCE;

pub trait Campaigning {
    /// The id of a campaign with one target that is over.
    async fn campaign(&self, to: &str) -> String;
    async fn campaign_of(&self, wanted: &Value) -> String;
}

impl Campaigning for Agent {
    async fn campaign(&self, to: &str) -> String {
        self.campaign_of(&json!({ "task": "Ask what a new chain costs.", "targets": [{ "to": to }] })).await
    }

    async fn campaign_of(&self, wanted: &Value) -> String {
        let started = Answer::to(self.request(Method::POST, "/campaigns").json(wanted)).await;
        assert_eq!(started.status, 201, "{started:?}");
        let id = started.json()["id"].as_str().expect("a campaign has an id").to_owned();
        let mut every = tokio::time::interval(Duration::from_millis(100));
        let done = async {
            while self.get(&format!("/campaigns/{id}")).await.json()["state"] != "done" {
                every.tick().await;
            }
        };
        tokio::time::timeout(PATIENCE, done).await.expect("the campaign comes to its end");
        id
    }
}
