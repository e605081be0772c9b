//! The keys of whoever asks: made, listed, replaced and revoked without the operator.

use offhook_core::OwnerId;
use offhook_store::{AuditEntry, CreateKeyError, KeyId, KeyKind, KeyRow, StoreError};
use secrecy::{ExposeSecret as _, SecretString};

use super::account::linked;
use super::keys::{KeyView, Minted, key_view, new_key};
use super::voice::unbound;
use super::{Bound, Caller, Gateway};
use crate::clock;

/// Keys that are good at a time.
const MOST: usize = 100;

/// Why a key is not made or changed.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("further keys are for accounts; link this key to one, then ask again")]
    NotLinked,
    #[error("you have no such key, or it was revoked")]
    NotFound,
    #[error("an account has {MOST} keys at most; revoke one")]
    TooMany,
    #[error(transparent)]
    Bound(#[from] Bound),
    #[error("the store can't be read right now; try again shortly")]
    Store,
}

/// A key, shown only here.
#[derive(Debug)]
pub struct MadeKey {
    pub id: String,
    pub key: SecretString,
}

impl Gateway {
    /// The caller's keys, the oldest first, and which of them was sent.
    pub async fn own_keys(&self, caller: Caller, sent: &str) -> Result<Vec<(KeyView, bool)>, KeyError> {
        let current = self.key_row(sent.trim()).await.map_err(|_| KeyError::Store)?.map(|row| row.id);
        let keys = self.keys_of(caller).await?;
        let shown = |row: KeyRow| {
            let own = Some(row.id) == current;
            (key_view(row), own)
        };
        Ok(keys.into_iter().map(shown).collect())
    }

    /// A further key of the caller's account; it can do what an agent can, whatever the key that asks for it can.
    /// `voice_only`: it has the account's target called, and nobody else.
    pub async fn make_own_key(
        &self,
        caller: Caller,
        label: Option<String>,
        voice_only: bool,
    ) -> Result<MadeKey, KeyError> {
        linked(caller).map_err(|_| KeyError::NotLinked)?;
        unbound(caller)?;
        let kind = if voice_only { KeyKind::Voice } else { KeyKind::Owner };
        if self.keys_of(caller).await?.iter().filter(|row| row.revoked_at.is_none()).count() >= MOST {
            return Err(KeyError::TooMany);
        }
        let minted = Minted::of(caller.owner);
        let id =
            self.inner.store.create_key(&new_key(&minted, label, kind)).await.map_err(
                |error| match error {
                    CreateKeyError::Store(error) => unwritable(&error),
                    error @ CreateKeyError::Exists => {
                        tracing::error!(%error, "a key could not be made");
                        KeyError::Store
                    }
                },
            )?;
        self.note_key("key.created", caller.owner, id).await;
        Ok(MadeKey { id: id.to_string(), key: minted.key })
    }

    /// Another key in the place of one of the caller's, which is worthless from now on.
    pub async fn rotate_own_key(&self, caller: Caller, id: &str) -> Result<MadeKey, KeyError> {
        let old = self.own_key(caller, id).await?;
        let minted = Minted::of(caller.owner);
        let rotated = self.inner.store.rotate_key(old.id, &new_key(&minted, None, old.kind)).await;
        if !rotated.map_err(|error| unwritable(&error))? {
            return Err(KeyError::NotFound);
        }
        self.inner.known_keys.forget_owner(caller.owner);
        self.note_key("key.rotated", caller.owner, old.id).await;
        let new = self.key_row(minted.key.expose_secret()).await;
        let id = new.map_err(|_| KeyError::Store)?.ok_or(KeyError::Store)?.id;
        Ok(MadeKey { id: id.to_string(), key: minted.key })
    }

    /// Makes one of the caller's keys worthless, also the one that asks.
    pub async fn revoke_own_key(&self, caller: Caller, id: &str) -> Result<(), KeyError> {
        let key = self.own_key(caller, id).await?.id;
        if !self.inner.store.revoke_key(key, clock::now()).await.map_err(|error| unwritable(&error))? {
            return Err(KeyError::NotFound);
        }
        self.inner.known_keys.forget_owner(caller.owner);
        self.note_key("key.revoked", caller.owner, key).await;
        Ok(())
    }

    /// Another's key is as unknown as none.
    async fn own_key(&self, caller: Caller, id: &str) -> Result<KeyRow, KeyError> {
        unbound(caller)?;
        let id: KeyId = id.parse().map_err(|_| KeyError::NotFound)?;
        let keys = self.keys_of(caller).await?;
        keys.into_iter().find(|row| row.id == id && row.revoked_at.is_none()).ok_or(KeyError::NotFound)
    }

    async fn keys_of(&self, caller: Caller) -> Result<Vec<KeyRow>, KeyError> {
        self.inner.store.keys(Some(caller.owner)).await.map_err(|error| unwritable(&error))
    }

    async fn note_key(&self, action: &str, owner: OwnerId, key: KeyId) {
        let (actor, action, subject) = ("holder".to_owned(), action.to_owned(), Some(key.to_string()));
        let entry = AuditEntry { at: clock::now(), owner: Some(owner), actor, action, subject, detail: None };
        if let Err(error) = self.inner.store.append_audit(&entry).await {
            tracing::error!(%error, "what was done to a key could not be noted in the audit log");
        }
    }
}

fn unwritable(error: &StoreError) -> KeyError {
    tracing::error!(%error, "keys can't be read or written");
    KeyError::Store
}
