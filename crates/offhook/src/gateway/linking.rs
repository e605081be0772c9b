//! Linking a key that was given out on a first call to an account: whoever holds the key and a code of the operator
//! may. The key stays what it is.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use offhook_core::OwnerId;
use offhook_store::{AuditEntry, LinkError, NewLinkCode, Store, StoreError};
use rand::RngCore as _;
use secrecy::{ExposeSecret as _, SecretString};

use super::Gateway;
use super::keys::hash;
use crate::clock;

/// How long a code is good.
pub const CODE_LIFE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

impl Gateway {
    /// Link this key to the account that the code is for. Not while it is calling: who may hang up a call does not
    /// change under way.
    pub async fn link(&self, key: &str, code: &str) -> Result<OwnerId, LinkError> {
        // Nobody is between a place and a session, so that what is calling is in the store.
        let _nobody_starts = self.inner.starting.write().await;
        let (key, now) = (hash(key.trim()), clock::now());
        let owner = self.inner.store.link(&key, &hash(code.trim()), now).await.inspect_err(|error| {
            if let LinkError::Store(error) = error {
                tracing::error!(%error, "a key could not be linked");
            }
        })?;
        self.inner.known_keys.forget(&key);
        let (actor, action) = ("holder".to_owned(), "key.linked".to_owned());
        let entry = AuditEntry {
            at: now,
            owner: Some(owner),
            actor,
            action,
            subject: Some(owner.to_string()),
            detail: None,
        };
        if let Err(error) = self.inner.store.append_audit(&entry).await {
            tracing::error!(%error, "that a key was linked could not be noted in the audit log");
        }
        Ok(owner)
    }
}

/// A new code for an account, shown only here; `None` when there is no such account.
pub async fn create_code(store: &Store, owner: OwnerId) -> Result<Option<SecretString>, StoreError> {
    let mut bytes = [0; 16];
    rand::rng().fill_bytes(&mut bytes);
    let code = SecretString::from(URL_SAFE_NO_PAD.encode(bytes));
    let now = clock::now();
    let new =
        NewLinkCode { owner, hash: hash(code.expose_secret()), created_at: now, expires_at: now + CODE_LIFE };
    Ok(store.create_link_code(&new).await?.then_some(code))
}

/// A new account without a key.
pub async fn create_account(store: &Store, email: Option<&str>) -> Result<OwnerId, StoreError> {
    let mut random = [0; 10];
    rand::rng().fill_bytes(&mut random);
    let now = clock::now();
    let owner = OwnerId::from_parts(now, random);
    store.create_owner(owner, now).await?;
    store.set_email(owner, email).await?;
    Ok(owner)
}
