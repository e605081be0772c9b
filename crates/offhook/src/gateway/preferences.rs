//! What the calls of an owner are like where a call does not say otherwise. Changes touch calls to come: a running one
//! keeps what it started with.

use offhook_store::{Preferences, StoreError};

use super::account::unreadable;
use super::voice::unbound;
use super::{AccountError, CallError, Caller, Gateway, NewProfile, PlaceCall, VOICES};
use crate::clock;

impl Gateway {
    /// `None` when none were set.
    pub async fn preferences(&self, caller: Caller) -> Result<Option<Preferences>, AccountError> {
        let found = self.inner.store.preferences(caller.owner).await;
        Ok(found.map_err(|error| unreadable(&error))?)
    }

    pub fn check_preferences(&self, new: &Preferences) -> Result<(), AccountError> {
        match &new.voice {
            Some(voice) if !VOICES.contains(&voice.as_str()) => {
                let why = format!("must be one of {}", VOICES.join(", "));
                Err(AccountError::InvalidPreference { field: "voice", why })
            }
            _ => Ok(()),
        }
    }

    /// Puts these in the place of what there was; what is `None` is as if never set. `inbound` says what becomes of the
    /// profile for calls to the caller's own line: `None` leaves it as it is.
    pub async fn replace_preferences(
        &self,
        caller: Caller,
        new: Preferences,
        inbound: Option<Option<NewProfile>>,
    ) -> Result<(), AccountError> {
        unbound(caller)?;
        self.check_preferences(&new)?;
        let inbound = match inbound {
            Some(Some(profile)) => {
                self.check_inbound(caller).await?;
                Some(Some(self.checked(caller, profile).await?))
            }
            // There is nothing to clear, and clients send back the null they were shown.
            Some(None) if caller.anonymous => None,
            Some(None) => Some(None),
            None => None,
        };
        self.set_preferences(caller, new).await?;
        match inbound {
            Some(profile) => self.keep_profile(caller, profile.as_ref()).await,
            None => Ok(()),
        }
    }

    /// Puts these in the place of what there was; what is `None` is as if never set.
    pub async fn set_preferences(&self, caller: Caller, new: Preferences) -> Result<(), AccountError> {
        unbound(caller)?;
        self.check_preferences(&new)?;
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

pub(super) fn unwritable(error: &StoreError) -> CallError {
    tracing::error!(%error, "preferences could not be written");
    CallError::Store
}
