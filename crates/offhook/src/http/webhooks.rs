//! Webhooks: the bodies of their events, the secret they are signed with, and the log of their deliveries.

use axum::Json;
use axum::extract::State;
use offhook_core::{CallId, JournalEntry, OwnerId};
use offhook_store::{Delivery, StoreError, WebhookRow};
use secrecy::ExposeSecret as _;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::error::{ApiError, ErrorBody};
use super::request::{InPath, Known};
use super::{Api, PublicUrl, call_view, events};
use crate::clock::iso;
use crate::gateway::{CallError, Caller, Deliveries, Gateway, WebhookSecret};
use crate::webhooks::LAST_EVENT;

/// The body of one event: `type`, `timestamp` and `data`, as Standard Webhooks has it. The last event of a call
/// carries the call as `GET /call/{id}` shows it. `None` when the call is gone.
pub async fn event_body(
    gateway: &Gateway,
    public_url: &PublicUrl,
    owner: OwnerId,
    id: CallId,
    entry: &JournalEntry,
) -> Result<Option<Vec<u8>>, StoreError> {
    let caller = Caller { owner, admin: false, anonymous: false, bound: false };
    let view = match gateway.call(caller, id).await {
        Ok(view) => view,
        Err(CallError::NotFound | CallError::NoRecording) => return Ok(None),
        Err(CallError::Store) => return Err(StoreError::Busy),
    };
    let mut data = events::data(entry, view.queued_at);
    data["call_id"] = json!(id.to_string());
    if let Some(schedule) = view.ties.schedule {
        data["schedule_id"] = json!(schedule.to_string());
    }
    let mut event = json!({ "type": data["code"].take(), "timestamp": data["at"].take() });
    if let Some(fields) = data.as_object_mut() {
        fields.remove("code");
        fields.remove("at");
    }
    if entry.fact.code() == LAST_EVENT {
        let call = call_view::call_body(gateway, caller, view, public_url.usual()).await;
        data["call"] = serde_json::to_value(call).unwrap_or(Value::Null);
    }
    event["data"] = data;
    Ok(Some(event.to_string().into_bytes()))
}

/// What webhooks are signed with.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = WebhookSecret)]
pub struct SecretBody {
    /// As the libraries of Standard Webhooks expect it.
    #[schema(example = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")]
    pub secret: String,
    /// Until when events carry a signature by the secret before this one as well; null when there is none.
    #[schema(required)]
    pub previous_valid_until: Option<String>,
}

/// The secret that the webhooks of this key's calls are signed with.
#[utoipa::path(
    get, path = "/me/webhook-secret", operation_id = "get_webhook_secret", tag = "webhooks",
    responses((status = 200, body = SecretBody), (status = "4XX", body = ErrorBody)),
    security(("key" = [])),
)]
pub async fn secret(State(api): State<Api>, Known(caller): Known) -> Result<Json<SecretBody>, ApiError> {
    Ok(Json(secret_body(&api.gateway.webhook_secret(caller).await?)))
}

/// Put another secret in its place. For a day events are signed with both, so that receivers can be told in peace.
#[utoipa::path(
    post, path = "/me/webhook-secret/rotate", operation_id = "rotate_webhook_secret", tag = "webhooks",
    responses((status = 200, body = SecretBody), (status = "4XX", body = ErrorBody)),
    security(("key" = [])),
)]
pub async fn rotate(State(api): State<Api>, Known(caller): Known) -> Result<Json<SecretBody>, ApiError> {
    Ok(Json(secret_body(&api.gateway.rotate_webhook_secret(caller).await?)))
}

fn secret_body(secret: &WebhookSecret) -> SecretBody {
    SecretBody {
        secret: secret.secret.expose_secret().to_owned(),
        previous_valid_until: secret.previous_until.map(iso),
    }
}

/// How the webhook of a call stands, and every attempt.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = Deliveries)]
pub struct DeliveriesBody {
    pub call_id: String,
    /// Null where the call was placed without `webhook_url`.
    #[schema(required)]
    pub webhook: Option<WebhookBody>,
    /// The newest 200, in the order they were made.
    pub deliveries: Vec<DeliveryBody>,
}

#[derive(Clone, Serialize, ToSchema)]
#[schema(as = Webhook)]
pub struct WebhookBody {
    pub url: String,
    /// `open` while there is, or will be, something to deliver; `done` when the last event was taken; `gone` when the
    /// receiver answered 410; `given_up` when an event was not taken for a day.
    #[schema(example = "done")]
    pub state: &'static str,
    /// When the next attempt is made; null where nothing waits for one.
    #[schema(required)]
    pub next_attempt_at: Option<String>,
}

/// One attempt to deliver one event.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = Delivery)]
pub struct DeliveryBody {
    /// The `webhook-id` it was sent with: the same for every attempt at the same event.
    pub id: String,
    #[schema(example = "call.ended")]
    pub event: String,
    /// Counts from 1 for each event.
    pub attempt: u32,
    pub at: String,
    pub took_ms: u32,
    /// Of the answer; null when there was none.
    #[schema(required)]
    pub status: Option<u16>,
    /// Why it was in vain; null when the event was taken.
    #[schema(required)]
    pub error: Option<String>,
}

/// What became of the events of a call.
#[utoipa::path(
    get, path = "/call/{id}/deliveries", operation_id = "list_deliveries", tag = "webhooks",
    params(("id" = String, Path, description = "The call.")),
    responses((status = 200, body = DeliveriesBody), (status = "4XX", body = ErrorBody)),
    security(("key" = [])),
)]
pub async fn deliveries(
    State(api): State<Api>,
    Known(caller): Known,
    InPath(id): InPath,
) -> Result<Json<DeliveriesBody>, ApiError> {
    let Deliveries { webhook, attempts } = api.gateway.deliveries(caller, id).await?;
    Ok(Json(DeliveriesBody {
        call_id: id.to_string(),
        webhook: webhook.map(webhook_body),
        deliveries: attempts.into_iter().map(|attempt| delivery_body(id, attempt)).collect(),
    }))
}

fn webhook_body(row: WebhookRow) -> WebhookBody {
    WebhookBody { url: row.url, state: row.state.code(), next_attempt_at: row.next_at.map(iso) }
}

fn delivery_body(call: CallId, delivery: Delivery) -> DeliveryBody {
    let Delivery { seq, event, attempt, at, took_ms, status, error } = delivery;
    DeliveryBody { id: format!("{call}-{seq}"), event, attempt, at: iso(at), took_ms, status, error }
}
