//! What an owner may know of its webhooks: the secret they are signed with, and what became of each delivery.

use std::time::Duration;

use offhook_core::{CallId, OwnerId, Timestamp};
use offhook_store::{Delivery, StoreError, WebhookRow, WebhookSecretRow};
use secrecy::SecretString;

use super::voice::unbound;
use super::{AccountError, CallError, Caller, Gateway};
use crate::clock;
use crate::webhooks::{Keys, Queue};

/// How long both secrets are used after a change: time to tell the new one to every receiver.
const OVERLAP: Duration = Duration::from_secs(24 * 60 * 60);
/// The newest attempts of a call.
const MOST_DELIVERIES: u32 = 200;

/// What an owner's webhooks are signed with.
#[derive(Debug)]
pub struct WebhookSecret {
    pub secret: SecretString,
    /// Until when the one before it is used as well.
    pub previous_until: Option<Timestamp>,
}

/// How the webhook of a call stands.
#[derive(Clone, Debug)]
pub struct Deliveries {
    /// `None` where the call has no webhook.
    pub webhook: Option<WebhookRow>,
    pub attempts: Vec<Delivery>,
}

impl Gateway {
    pub async fn webhook_secret(&self, caller: Caller) -> Result<WebhookSecret, CallError> {
        let row = self.inner.store.webhook_secret(caller.owner).await.map_err(unreadable)?;
        Ok(self.secret_of(caller.owner, row, clock::now()))
    }

    /// Another secret from now on; the present one is used beside it for a day.
    pub async fn rotate_webhook_secret(&self, caller: Caller) -> Result<WebhookSecret, AccountError> {
        unbound(caller)?;
        let now = clock::now();
        let row = self.inner.store.rotate_webhook_secret(caller.owner, now).await.map_err(unreadable)?;
        Ok(self.secret_of(caller.owner, row, now))
    }

    pub async fn deliveries(&self, caller: Caller, id: CallId) -> Result<Deliveries, CallError> {
        self.own_call(caller, id).await?;
        let webhook = self.inner.store.webhook(id).await.map_err(unreadable)?;
        let attempts = self.inner.store.deliveries(id, MOST_DELIVERIES).await.map_err(unreadable)?;
        Ok(Deliveries { webhook, attempts })
    }

    /// What to sign with at this instant.
    pub async fn webhook_keys(&self, owner: OwnerId, now: Timestamp) -> Result<Keys, StoreError> {
        let row = self.inner.store.webhook_secret(owner).await?;
        Ok(self.keys(owner, row, now))
    }

    pub fn webhook_queue(&self) -> &std::sync::Arc<Queue> {
        &self.inner.webhooks
    }

    fn secret_of(&self, owner: OwnerId, row: WebhookSecretRow, now: Timestamp) -> WebhookSecret {
        let previous_until = previous_until(row).filter(|until| *until > now);
        WebhookSecret { secret: self.keys(owner, row, now).secret(), previous_until }
    }

    fn keys(&self, owner: OwnerId, row: WebhookSecretRow, now: Timestamp) -> Keys {
        let key = |generation: u32| {
            let owner = owner.to_string();
            let signed = self.inner.secret.sign("webhook", &[owner.as_bytes(), &generation.to_be_bytes()]);
            signed.try_into().expect("HMAC-SHA256 is 32 bytes")
        };
        let is_used = previous_until(row).is_some_and(|until| until > now);
        let previous = row.generation.checked_sub(1).filter(|_| is_used);
        Keys::new(key(row.generation), previous.map(key))
    }
}

fn previous_until(row: WebhookSecretRow) -> Option<Timestamp> {
    row.rotated_at.map(|at| at + OVERLAP)
}

fn unreadable(error: StoreError) -> CallError {
    tracing::error!(%error, "what is known of webhooks could not be read");
    CallError::Store
}
