//! Schedules, as far as the tables need one: never due while a test lasts.

use reqwest::Method;
use serde_json::{Value, json};

use crate::agent::{Agent, Answer};

/// Once, within the year that a schedule may look ahead, whenever that is.
pub fn schedule_of(to: &str, task: &str) -> Value {
    let later = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(300 * 24);
    json!({ "at": later.to_string(), "call": { "to": to, "task": task } })
}

pub trait Scheduling {
    /// The id of a schedule of a call to this number.
    async fn schedule(&self, to: &str, task: &str) -> String;
}

impl Scheduling for Agent {
    async fn schedule(&self, to: &str, task: &str) -> String {
        let body = schedule_of(to, task);
        let answer = Answer::to(self.request(Method::POST, "/schedules").json(&body)).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["id"].as_str().expect("a schedule has an id").to_owned()
    }
}
