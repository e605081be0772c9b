//! The PIN of an account: with it its user approves what agents ask for, and shows who is calling.
//!
//! It is kept as a PBKDF2 hash of the digits signed with the secret of the installation. A PIN has few digits: what
//! protects it is that secret, which is not in the database; the iterations only slow down whoever has both, and are few
//! enough, a millisecond or two, for a PIN to be checked between two frames of a call.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::pbkdf2;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use offhook_core::brief::{HashedPin, Pin};
use offhook_core::{OwnerId, Timestamp};
use offhook_store::{AuditEntry, PinRow, StoreError};
use rand::RngCore as _;

use super::voice::unbound;
use super::{AuthError, Bound, Caller, Gateway};
use crate::clock;

const ITERATIONS: NonZeroU32 = NonZeroU32::new(2_000).expect("more than none");
const KIND: &str = "pbkdf2-sha256";
/// Wrong current PINs, until nobody may try for a while.
const MOST_WRONG: u32 = 5;
const LOCKED: Duration = Duration::from_secs(60 * 60);

/// Whether there is a PIN, and how many digits it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PinView {
    pub digits: Option<usize>,
    pub set_at: Option<Timestamp>,
}

#[derive(Debug, thiserror::Error)]
pub enum PinError {
    #[error("pin must be 4 to 12 digits")]
    Invalid,
    #[error("a PIN is set; send it as current_pin to change or clear it")]
    CurrentRequired,
    #[error("current_pin is not the PIN that is set")]
    Wrong,
    #[error("too many wrong PINs; try again in {} minutes", .retry_after.as_secs().div_ceil(60))]
    Locked { retry_after: Duration },
    #[error(transparent)]
    Bound(#[from] Bound),
    #[error(transparent)]
    Auth(#[from] AuthError),
}

/// Wrong PINs of one owner, who wanted to change theirs.
#[derive(Clone, Copy, Debug)]
pub(super) struct WrongPins {
    count: u32,
    last_at: Timestamp,
}

/// A PIN of which the hash is known.
struct Kept {
    gateway: Gateway,
    owner: OwnerId,
    hash: String,
}

impl HashedPin for Kept {
    fn is(&self, digits: &str) -> bool {
        self.gateway.is_pin(self.owner, &self.hash, digits)
    }
}

impl Gateway {
    pub async fn pin_set(&self, caller: Caller) -> Result<PinView, PinError> {
        let row = self.inner.store.pin(caller.owner).await.map_err(|error| unreadable(&error))?;
        Ok(PinView { digits: row.as_ref().map(|row| row.digits), set_at: row.map(|row| row.set_at) })
    }

    /// Set the PIN of the caller's account, change it, or clear it. Only the operator need not know the one before.
    pub async fn set_pin(
        &self,
        caller: Caller,
        new: Option<&str>,
        current: Option<&str>,
    ) -> Result<PinView, PinError> {
        unbound(caller)?;
        let new =
            new.map(|digits| Pin::parse(digits).map(|_| digits).ok_or(PinError::Invalid)).transpose()?;
        self.check_current(caller, current).await?;
        let row = new.map(|digits| self.hashed(caller.owner, digits));
        let kept = self.inner.store.set_pin(caller.owner, row.as_ref()).await;
        if !kept.map_err(|error| unreadable(&error))? {
            return Err(AuthError::InvalidKey.into());
        }
        self.note_pin(caller, if row.is_some() { "pin.set" } else { "pin.cleared" }).await;
        Ok(PinView { digits: row.as_ref().map(|row| row.digits), set_at: row.map(|row| row.set_at) })
    }

    /// Guessing it must not be worth while.
    async fn check_current(&self, caller: Caller, current: Option<&str>) -> Result<(), PinError> {
        let row = self.inner.store.pin(caller.owner).await.map_err(|error| unreadable(&error))?;
        let Some(row) = row.filter(|_| !caller.admin) else { return Ok(()) };
        let current = current.ok_or(PinError::CurrentRequired)?;
        let now = clock::now();
        let wrong = self.inner.approvals.wrong_pins().get(&caller.owner).copied();
        let left = wrong.filter(|wrong| wrong.count >= MOST_WRONG);
        let left = left.map(|wrong| (wrong.last_at + LOCKED).since(now)).filter(|left| !left.is_zero());
        if let Some(retry_after) = left {
            return Err(PinError::Locked { retry_after });
        }
        if self.is_pin(caller.owner, &row.hash, current) {
            self.inner.approvals.wrong_pins().remove(&caller.owner);
            return Ok(());
        }
        // What was long ago does not count.
        let before = wrong.filter(|wrong| now.since(wrong.last_at) < LOCKED).map_or(0, |wrong| wrong.count);
        self.inner.approvals.wrong_pins().insert(caller.owner, WrongPins { count: before + 1, last_at: now });
        Err(PinError::Wrong)
    }

    /// The PIN of an owner, to be asked for in a call.
    pub(super) async fn pin_of(&self, owner: OwnerId) -> Result<Option<Pin>, StoreError> {
        let Some(PinRow { digits, hash, .. }) = self.inner.store.pin(owner).await? else { return Ok(None) };
        let kept = Kept { gateway: self.clone(), owner, hash };
        Ok(Some(Pin::hashed(digits, Arc::new(kept))))
    }

    fn hashed(&self, owner: OwnerId, digits: &str) -> PinRow {
        let mut salt = [0; 16];
        rand::rng().fill_bytes(&mut salt);
        let mut hash = [0; 32];
        let signed = self.signed(owner, digits);
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ITERATIONS, &salt, &signed, &mut hash);
        let (salt, hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash));
        let hash = format!("{KIND}${ITERATIONS}${salt}${hash}");
        PinRow { digits: digits.len(), hash, set_at: clock::now() }
    }

    /// In constant time. What can't be read is no PIN of anybody's.
    fn is_pin(&self, owner: OwnerId, hash: &str, digits: &str) -> bool {
        let mut parts = hash.split('$');
        let known = parts.next() == Some(KIND);
        let iterations = parts.next().and_then(|text| text.parse().ok());
        let mut bytes = || parts.next().and_then(|text| STANDARD_NO_PAD.decode(text).ok());
        let (Some(iterations), Some(salt), Some(hash), true) = (iterations, bytes(), bytes(), known) else {
            return false;
        };
        let signed = self.signed(owner, digits);
        pbkdf2::verify(pbkdf2::PBKDF2_HMAC_SHA256, iterations, &salt, &signed, &hash).is_ok()
    }

    fn signed(&self, owner: OwnerId, digits: &str) -> Vec<u8> {
        self.inner.secret.sign("pin", &[owner.as_uuid().as_bytes(), digits.as_bytes()])
    }

    async fn note_pin(&self, caller: Caller, action: &str) {
        let (actor, action, owner) = ("holder".to_owned(), action.to_owned(), Some(caller.owner));
        let entry = AuditEntry { at: clock::now(), owner, actor, action, subject: None, detail: None };
        if let Err(error) = self.inner.store.append_audit(&entry).await {
            tracing::error!(%error, "that a PIN was changed could not be noted in the audit log");
        }
    }
}

fn unreadable(error: &StoreError) -> AuthError {
    tracing::error!(%error, "the PIN of an account can't be read or written");
    AuthError::Store
}
