//! What the calls of an owner are like where a call does not say otherwise. Changes touch calls to come: a running one
//! keeps what it started with.

use offhook_store::{Preferences, StoreError};

use super::account::{linked, unreadable};
use super::{AccountError, CallError, Caller, Gateway, PlaceCall, VOICES};
use crate::clock;

impl Gateway {
    /// `None` when none were set.
    pub async fn preferences(&self, caller: Caller) -> Result<Option<Preferences>, AccountError> {
        let found = self.inner.store.preferences(caller.owner).await;
        Ok(found.map_err(|error| unreadable(&error))?)
    }

    /// Puts these in the place of what there was; what is `None` is as if never set.
    pub async fn set_preferences(&self, caller: Caller, new: Preferences) -> Result<(), AccountError> {
        if let Some(voice) = &new.voice
            && !VOICES.contains(&voice.as_str())
        {
            let why = format!("must be one of {}", VOICES.join(", "));
            return Err(AccountError::InvalidPreference { field: "voice", why });
        }
        let (store, owner) = (&self.inner.store, caller.owner);
        if new == Preferences::default() {
            return Ok(store.clear_preferences(owner).await.map_err(|error| unwritable(&error))?);
        }
        match store.set_preferences(owner, &new, clock::now()).await.map_err(|error| unwritable(&error))? {
            true => Ok(()),
            // The owner was deleted since the key was looked up.
            false => Err(AccountError::NotLinked),
        }
    }

    /// Whether this caller may say how calls to our lines are answered.
    pub fn check_inbound(&self, caller: Caller) -> Result<(), AccountError> {
        linked(caller)?;
        Err(AccountError::NoReservedNumber)
    }

    /// What a wish leaves open, from the preferences of whoever asks.
    pub(super) async fn preferred(&self, caller: Caller, ask: PlaceCall) -> Result<PlaceCall, StoreError> {
        let Some(preferred) = self.inner.store.preferences(caller.owner).await? else { return Ok(ask) };
        Ok(PlaceCall {
            voice: ask.voice.or(preferred.voice),
            personality: ask.personality.or(preferred.personality),
            greeting: ask.greeting.or(preferred.greeting),
            warm_greeting: ask.warm_greeting.or(preferred.warm_greeting),
            ..ask
        })
    }
}

fn unwritable(error: &StoreError) -> CallError {
    tracing::error!(%error, "preferences could not be written");
    CallError::Store
}
