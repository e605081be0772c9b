//! Carries the events of one call to whoever asked for it, one after the other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use super::call::Delivered;
use super::event::Event;
use super::service::Shared;
use super::token::Claims;

/// A token for a callback is good for this long.
const CALLBACK_TOKEN_S: i64 = 300;
const PATIENCE: Duration = Duration::from_secs(10);

/// Events that happened together.
#[derive(Debug)]
pub(super) struct Post {
    pub events: Vec<Event>,
    /// Told when they are delivered.
    pub done: Option<oneshot::Sender<()>>,
}

/// Until the call is forgotten.
pub(super) async fn carry(shared: Arc<Shared>, call: usize, mut posts: mpsc::Receiver<Post>) {
    while let Some(post) = posts.recv().await {
        let (url, delivery, mut bodies) = shared.with(|world| {
            let call = &world.calls[call];
            let bodies: Vec<Value> =
                post.events.iter().map(|event| event.json(&call.seen, call.delivery.bare)).collect();
            (call.seen.callback_uri.clone(), call.delivery, bodies)
        });
        tokio::time::sleep(delivery.late).await;
        if delivery.reversed {
            bodies.reverse();
        }
        let posts: Vec<Vec<Value>> = match delivery.together {
            true => vec![bodies],
            false => bodies.into_iter().map(|body| vec![body]).collect(),
        };
        for events in posts {
            for _ in 0..if delivery.doubled { 2 } else { 1 } {
                let bearer = shared.token(CALLBACK_TOKEN_S, |_| ());
                let delivered = deliver(&shared, &url, &Value::from(events.clone()), Some(bearer), &[]).await;
                shared.change(|world| world.calls[call].seen.delivered.push(delivered));
            }
        }
        if let Some(done) = post.done {
            let _ = done.send(());
        }
    }
}

/// One POST, wherever the public name leads.
pub(super) async fn deliver(
    shared: &Shared,
    url: &str,
    events: &Value,
    bearer: Option<String>,
    headers: &[(&str, &str)],
) -> Delivered {
    let began_at = Instant::now();
    let body = events.to_string();
    let kind = |event: &Value| {
        let kind = event["type"].as_str().or(event["eventType"].as_str()).unwrap_or_default();
        kind.trim_start_matches("Microsoft.Communication.").to_owned()
    };
    let status = match shared.route(url) {
        None => None,
        Some((address, host, path)) => {
            let mut request = shared.http.post(format!("http://{address}{path}"));
            request = request.header("host", host).header("content-type", "application/json; charset=utf-8");
            if let Some(bearer) = &bearer {
                request = request.bearer_auth(bearer);
            }
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let sent = tokio::time::timeout(PATIENCE, request.body(body.clone()).send()).await;
            sent.ok().and_then(Result::ok).map(|response| response.status().as_u16())
        }
    };
    Delivered {
        kinds: events.as_array().into_iter().flatten().map(kind).collect(),
        url: url.to_owned(),
        body,
        bearer,
        status,
        took: began_at.elapsed(),
    }
}

impl Shared {
    /// A good token, unless it is made bad.
    pub fn token(&self, lifetime_s: i64, change: impl FnOnce(&mut Claims)) -> String {
        let mut claims = Claims::new(&self.service.resource_id, lifetime_s);
        change(&mut claims);
        self.keys().mint(&claims)
    }
}
