//! API keys: minted once, stored as a hash, compared in constant time by being looked up by hash.

use std::collections::HashSet;
use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use offhook_core::{OwnerId, Timestamp};
use offhook_store::{AuditEntry, CreateKeyError, KeyKind, KeyRow, NewKey, Store, StoreError};
use rand::RngCore as _;
use secrecy::{ExposeSecret as _, SecretString};

use super::{AuthError, Gateway, Idempotency, PlaceCallError};
use crate::admission::Account;
use crate::clock;

/// Clients recognise, redact and refuse keys by it.
pub const PREFIX: &str = "clawcall_sk_";

/// How long the key of a first call is given again to whoever repeats that call.
const REPEAT_WINDOW: Duration = Duration::from_secs(10 * 60);

/// Who is asking, once the key was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    pub owner: OwnerId,
    pub admin: bool,
    /// It was given its key on its first call, and shares its limits with all others of its kind.
    pub anonymous: bool,
    /// Its key is bound to its target: it has that number called and no other, and changes nothing of the account.
    pub bound: bool,
}

impl Caller {
    /// Whose limits its calls count against.
    pub fn account(&self) -> Account {
        if self.anonymous { Account::Anonymous } else { Account::Owner(self.owner) }
    }
}

#[derive(Clone, Debug)]
pub struct KeyView {
    pub id: String,
    pub label: Option<String>,
    pub created_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    pub admin: bool,
    /// It has its target called and nobody else.
    pub voice_only: bool,
}

/// A new key, and whose calls it sees.
pub(super) struct Minted {
    pub key: SecretString,
    pub owner: OwnerId,
}

impl Minted {
    /// Whoever holds it.
    pub fn caller(&self) -> Caller {
        Caller { owner: self.owner, admin: false, anonymous: true, bound: false }
    }

    /// As it is stored when it is given out on a first call.
    pub fn new_key(&self) -> NewKey {
        new_key(self, None, KeyKind::Proto)
    }

    /// Of this owner.
    pub fn of(owner: OwnerId) -> Self {
        let mut bytes = [0; 32];
        rand::rng().fill_bytes(&mut bytes);
        Self { owner, ..Self::from_bytes(bytes) }
    }

    fn from_bytes(bytes: [u8; 32]) -> Self {
        Self { owner: owner_of(&bytes), key: format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)).into() }
    }
}

impl Gateway {
    /// Who is asking, by their key.
    pub async fn authenticate(&self, key: Option<&str>) -> Result<Caller, AuthError> {
        let key = key.map(str::trim).filter(|key| !key.is_empty()).ok_or(AuthError::KeyRequired)?;
        let (known, hash) = (&self.inner.known_keys, hash(key));
        if let Some(caller) = self.store_away().and_then(|_| known.caller(&hash)) {
            return Ok(caller);
        }
        let row = match self.key_row(key).await {
            Ok(row) => row.filter(|row| row.revoked_at.is_none()),
            Err(error) => return known.caller(&hash).ok_or(error),
        };
        let Some(row) = row else {
            known.forget(&hash);
            return Err(AuthError::InvalidKey);
        };
        self.note_use(&row);
        let (admin, anonymous) = (row.kind == KeyKind::Admin, row.kind == KeyKind::Proto);
        let caller = Caller { owner: row.owner, admin, anonymous, bound: row.kind == KeyKind::Voice };
        known.learn(hash, caller);
        Ok(caller)
    }

    /// What was asked for earlier is only done while its owner has a key that is good: whose last one was revoked has
    /// nobody call for them any more.
    pub(super) async fn check_has_key(&self, owner: OwnerId) -> Result<(), AuthError> {
        match self.inner.store.has_good_key(owner).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(AuthError::InvalidKey),
            Err(error) => {
                tracing::error!(%error, "the keys of an owner can't be read");
                Err(AuthError::Store)
            }
        }
    }

    /// The key that was given out with a call just now must be good for hanging it up.
    pub(super) fn learn(&self, minted: &Minted) {
        self.inner.known_keys.learn(hash(minted.key.expose_secret()), minted.caller());
    }

    /// To the minute: an agent polls every three seconds.
    fn note_use(&self, row: &KeyRow) {
        let now = clock::now();
        if row.last_used_at.is_none_or(|at| now.since(at) >= Duration::from_secs(60)) {
            self.inner.engine.writer().key_used(row.id, now);
        }
    }

    /// A repeat of a first call may have its key again, but only for as long as clients repeat. `None`: no such key
    /// was given out yet.
    pub(super) async fn minted_before(&self, minted: &Minted) -> Result<Option<()>, AuthError> {
        let Some(row) = self.key_row(minted.key.expose_secret()).await? else { return Ok(None) };
        let fresh = row.revoked_at.is_none() && clock::now().since(row.created_at) < REPEAT_WINDOW;
        if fresh { Ok(Some(())) } else { Err(AuthError::KeyRequired) }
    }

    pub(super) async fn key_row(&self, key: &str) -> Result<Option<KeyRow>, AuthError> {
        self.inner.store.key_by_hash(&hash(key)).await.map_err(|error| {
            tracing::error!(%error, "a key could not be looked up");
            AuthError::Store
        })
    }

    /// A key for a caller that has none; it is stored with the call, or not at all.
    ///
    /// With an idempotency key it is derived from that and the request, so that a repeat of a first call whose
    /// answer was lost gets the same key again, and with it the same call.
    ///
    /// Nobody else may guess that key: two strangers who both number their requests from 1 would be one owner, and
    /// read each other's calls.
    pub(super) fn mint(&self, idempotency: Option<&Idempotency>) -> Result<Minted, PlaceCallError> {
        let mut bytes = [0; 32];
        match idempotency {
            Some(repeat) if is_guessable(&repeat.key) => {
                let why =
                    "without an API key it must be hard to guess: 16 or more characters, best a random UUID";
                return Err(PlaceCallError::InvalidField { field: "Idempotency-Key", why: why.to_owned() });
            }
            Some(repeat) => {
                let signature =
                    self.inner.secret.sign("mint", &[repeat.key.as_bytes(), &repeat.request_hash]);
                bytes.copy_from_slice(&signature);
            }
            None => rand::rng().fill_bytes(&mut bytes),
        }
        Ok(Minted::from_bytes(bytes))
    }
}

/// Whether somebody else might choose the same: short, or of few different characters.
fn is_guessable(key: &str) -> bool {
    let different: HashSet<char> = key.chars().collect();
    key.chars().count() < 16 || different.len() < 6
}

/// A new key, shown only here. An admin key sees the calls of every owner.
pub async fn create(
    store: &Store,
    label: Option<String>,
    admin: bool,
) -> Result<SecretString, CreateKeyError> {
    let kind = if admin { KeyKind::Admin } else { KeyKind::Owner };
    create_for(store, None, label, kind).await.map(|(_, key)| key)
}

/// The same of this kind, of a new owner or of this one.
pub async fn create_for(
    store: &Store,
    owner: Option<OwnerId>,
    label: Option<String>,
    kind: KeyKind,
) -> Result<(OwnerId, SecretString), CreateKeyError> {
    let minted = match owner {
        Some(owner) => Minted::of(owner),
        None => {
            let mut bytes = [0; 32];
            rand::rng().fill_bytes(&mut bytes);
            Minted::from_bytes(bytes)
        }
    };
    let id = store.create_key(&new_key(&minted, label, kind)).await?;
    let action = match kind {
        KeyKind::Admin => "key.created_admin",
        KeyKind::Voice => "key.created_voice_only",
        KeyKind::Owner | KeyKind::Proto => "key.created",
    };
    note(store, action, Some(minted.owner), &id.to_string()).await?;
    Ok((minted.owner, minted.key))
}

/// Binds a key to the target of its account, or frees it. False where there is no such key, or none of an account.
pub async fn bind(store: &Store, id: &str, bound: bool) -> Result<bool, StoreError> {
    let Ok(key) = id.parse() else { return Ok(false) };
    let done = store.bind_key(key, bound).await?;
    if done {
        note(store, if bound { "key.bound" } else { "key.freed" }, None, id).await?;
    }
    Ok(done)
}

pub async fn list(store: &Store) -> Result<Vec<KeyView>, StoreError> {
    let rows = store.keys(None).await?;
    Ok(rows.into_iter().map(key_view).collect())
}

/// Another key in the place of this one, shown only here; `None` when there is no such key, or it was revoked.
pub async fn rotate(store: &Store, id: &str) -> Result<Option<SecretString>, StoreError> {
    let Ok(old) = id.parse() else { return Ok(None) };
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    let minted = Minted::from_bytes(bytes);
    if !store.rotate_key(old, &new_key(&minted, None, KeyKind::Owner)).await? {
        return Ok(None);
    }
    note(store, "key.rotated", None, id).await?;
    Ok(Some(minted.key))
}

/// Whether there was such a key to revoke.
pub async fn revoke(store: &Store, id: &str) -> Result<bool, StoreError> {
    let Ok(key) = id.parse() else { return Ok(false) };
    let revoked = store.revoke_key(key, clock::now()).await?;
    if revoked {
        note(store, "key.revoked", None, id).await?;
    }
    Ok(revoked)
}

/// What the operator did to a key, for the audit log.
async fn note(store: &Store, action: &str, owner: Option<OwnerId>, key: &str) -> Result<(), StoreError> {
    let (actor, action, subject) = ("operator".to_owned(), action.to_owned(), Some(key.to_owned()));
    store.append_audit(&AuditEntry { at: clock::now(), owner, actor, action, subject, detail: None }).await
}

pub(super) fn hash(key: &str) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, key.as_bytes());
    digest.as_ref().try_into().expect("SHA-256 is 32 bytes")
}

/// The owner a key stands for, the same each time the same key is minted.
fn owner_of(key: &[u8; 32]) -> OwnerId {
    let digest = digest::digest(&digest::SHA256, key);
    let random: [u8; 10] = digest.as_ref()[..10].try_into().expect("a digest is longer than ten bytes");
    OwnerId::from_parts(Timestamp::default(), random)
}

pub(super) fn new_key(minted: &Minted, label: Option<String>, kind: KeyKind) -> NewKey {
    NewKey {
        owner: minted.owner,
        hash: hash(minted.key.expose_secret()),
        label,
        created_at: clock::now(),
        kind,
    }
}

pub(super) fn key_view(row: KeyRow) -> KeyView {
    KeyView {
        id: row.id.to_string(),
        label: row.label,
        created_at: row.created_at,
        last_used_at: row.last_used_at,
        revoked_at: row.revoked_at,
        admin: row.kind == KeyKind::Admin,
        voice_only: row.kind == KeyKind::Voice,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use offhook_store::AuditFilter;

    #[test]
    fn what_others_might_choose_too_is_guessable() {
        for key in ["1", "order-17", "order 17 of today"] {
            assert_eq!(is_guessable(key), key.len() < 16, "{key}");
        }
        assert!(is_guessable("0000000000000000001"));
        assert!(!is_guessable("6f1e5b0a-7c3d-4e2f-9a1b-0c8d7e6f5a4b"));
        assert!(!is_guessable("01JD7Q4Z9V8XKX3N2M5T6R7W8Y"));
    }

    #[tokio::test]
    async fn who_may_see_what_is_in_the_audit_log() {
        let store = Store::open("sqlite::memory:").await.expect("a store");
        for admin in [false, true] {
            create(&store, None, admin).await.expect("a key");
        }
        let ids: Vec<String> = list(&store).await.expect("the keys").into_iter().map(|key| key.id).collect();
        for revoked in [true, false] {
            assert_eq!(revoke(&store, &ids[0]).await.expect("an answer"), revoked);
        }
        let log = store.audit_log(&AuditFilter::default()).await.expect("the log");
        let mut actions: Vec<&str> = log.iter().map(|entry| entry.action.as_str()).collect();
        actions.sort_unstable();
        assert_eq!(actions, ["key.created", "key.created_admin", "key.revoked"]);
        assert!(
            log.iter().all(|entry| entry.subject.as_ref().is_some_and(|key| ids.contains(key))),
            "{log:?}"
        );
    }
}
