//! Who keeps the doors: the secrets and tokens a request must show, and what was seen of the last ones.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use offhook_core::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::watch;

use super::event_grid::Seen;
use super::told::ToldAt;
use super::trust::{Bearer, Refused, Trust};
use super::tunnel::TunnelState;

/// How deliveries of Event Grid are recognised.
#[derive(Debug)]
pub struct IncomingGuard {
    /// In the query of the subscription's address. `None` where Entra ID alone protects the delivery.
    pub token: Option<SecretString>,
    /// Where the delivery is protected by Entra ID.
    pub entra: Option<Trust>,
    /// The resource events must be of.
    pub topic: Option<String>,
    /// Whether a line of ours is answered at all.
    pub answered: bool,
    pub told: ToldAt,
}

/// Somebody knew the secret, and showed no good token: a wrong configuration, most likely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub why: Refused,
    pub at: Timestamp,
}

/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Guard {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    callbacks: Trust,
    incoming: IncomingGuard,
    /// How the doors are reached; of a configured address it never changes.
    reached: watch::Receiver<TunnelState>,
    seen: Mutex<Seen>,
    last_refusal: Mutex<Option<Refusal>>,
}

impl Guard {
    pub fn new(callbacks: Trust, incoming: IncomingGuard, reached: watch::Receiver<TunnelState>) -> Self {
        let (seen, last_refusal) = (Mutex::default(), Mutex::default());
        Self { inner: Arc::new(Inner { callbacks, incoming, reached, seen, last_refusal }) }
    }

    pub fn callbacks(&self) -> &Trust {
        &self.inner.callbacks
    }

    pub fn incoming(&self) -> &IncomingGuard {
        &self.inner.incoming
    }

    pub fn reached(&self) -> TunnelState {
        self.inner.reached.borrow().clone()
    }

    /// The same, as it changes.
    pub fn watch(&self) -> watch::Receiver<TunnelState> {
        self.inner.reached.clone()
    }

    /// Whether this token of a request with the right secret is good.
    pub async fn judge(&self, trust: &Trust, bearer: Bearer<'_>, now: Timestamp) -> Result<(), Refused> {
        let judged = trust.judge(bearer, now).await;
        if let Err(why) = judged {
            tracing::warn!(%why, "a request with the right secret was refused; `offhook doctor` says more");
            *self.refusal() = Some(Refusal { why, at: now });
        }
        judged
    }

    /// The last time a request with the right secret had no good token.
    pub fn last_refusal(&self) -> Option<Refusal> {
        *self.refusal()
    }

    fn refusal(&self) -> MutexGuard<'_, Option<Refusal>> {
        self.inner.last_refusal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Event Grid found its way here.
    pub fn was_told(&self) {
        if let Some(url) = &self.inner.reached.borrow().url {
            self.inner.incoming.told.note(url);
        }
    }

    /// What was delivered lately.
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.inner.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl IncomingGuard {
    /// In constant time. True where no secret is wanted and none is shown.
    pub fn is_right(&self, shown: Option<&str>) -> bool {
        match (&self.token, shown) {
            // Of two hashes not even the length of a secret can be measured.
            (Some(token), Some(shown)) => {
                let hash = |text: &str| digest(&SHA256, text.as_bytes());
                verify_slices_are_equal(hash(token.expose_secret()).as_ref(), hash(shown).as_ref()).is_ok()
            }
            (None, None) => self.entra.is_some(),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_of_the_subscription() {
        let guard = |token: Option<&str>| IncomingGuard {
            token: token.map(Into::into),
            entra: None,
            topic: None,
            answered: true,
            told: ToldAt::kept_in("/no/such/file".into()),
        };
        for (token, shown, right) in [
            (Some("a good long secret"), Some("a good long secret"), true),
            (Some("a good long secret"), Some("a good long secre"), false),
            (Some("a good long secret"), None, false),
            (None, Some("anything"), false),
            (None, None, false),
        ] {
            assert_eq!(guard(token).is_right(shown), right, "{token:?} {shown:?}");
        }
    }
}
