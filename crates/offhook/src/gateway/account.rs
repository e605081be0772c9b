//! Whose key it is: the account behind it, its history, and what is left of its limits.

use std::fmt;
use std::time::Duration;

use offhook_core::policy::{Amount, DayUse, Facts, OwnerLimits};
use offhook_store::StoreError;

use super::{AccountError, CallError, CallView, Caller, Gateway, ListCalls};
use crate::admission::{self, Account};
use crate::clock;

/// The day of the daily limits is any 24 hours.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Somebody known to the operator.
#[derive(Clone)]
pub struct AccountView {
    pub id: String,
    pub email: Option<String>,
    pub balance: Balance,
}

/// Without the address.
impl fmt::Debug for AccountView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, balance, .. } = self;
        f.debug_struct("AccountView").field("id", id).field("balance", balance).finish_non_exhaustive()
    }
}

/// What an owner may still talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    /// `None`: as long as it likes.
    pub left: Option<Duration>,
    /// Of a key that is not linked to an account, where the operator allows it no more than a trial.
    pub trial: Option<TrialLeft>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrialLeft {
    /// Whether a call would be placed.
    pub allowed: bool,
    pub calls: u32,
    pub talk: Duration,
}

/// The last 24 hours of an owner; `None` is no limit.
#[derive(Clone, Copy, Debug)]
pub struct Today {
    pub calls: u32,
    pub talk: Duration,
    pub spent: Amount,
    pub calls_limit: u32,
    pub talk_limit: Option<Duration>,
    pub spend_limit: Option<Amount>,
}

impl Gateway {
    /// The account a key is linked to. A key that was given out on a first call is not, until somebody links it.
    pub async fn account(&self, caller: Caller) -> Result<AccountView, AccountError> {
        linked(caller)?;
        let owner = self.inner.store.owner(caller.owner).await.map_err(|error| unreadable(&error))?;
        let email = owner.and_then(|owner| owner.email);
        Ok(AccountView { id: caller.owner.to_string(), email, balance: self.balance(caller).await? })
    }

    /// The calls of an account that are over. Calls to our lines belong to whoever runs them.
    pub async fn history(&self, caller: Caller, wanted: ListCalls) -> Result<Vec<CallView>, AccountError> {
        linked(caller)?;
        if wanted.inbound == Some(true) && !caller.admin {
            return Err(AccountError::NoInbound);
        }
        Ok(self.calls(caller, ListCalls { live: Some(false), ..wanted }).await?)
    }

    /// Whether somebody is known to hold this key.
    pub fn linked(&self, caller: Caller) -> Result<(), AccountError> {
        linked(caller)
    }

    /// How long a link to a recording works.
    pub fn recording_window(&self) -> Duration {
        self.inner.settings.recording_link
    }

    /// What is left, not counting what calls under way may yet use.
    pub async fn balance(&self, caller: Caller) -> Result<Balance, CallError> {
        let limits = self.limits_of(caller).await?;
        let used = if self.is_metered(&limits) { self.used_today(caller).await? } else { DayUse::default() };
        let facts = Facts { owner_limits: limits, used_today: used, ..Facts::default() };
        let left = self.inner.admission.policy().talk_left(&facts, clock::now());
        let trial = self.trial(caller).await?;
        Ok(Balance { left: left.into_iter().chain(trial.map(|trial| trial.talk)).min(), trial })
    }

    pub async fn today(&self, caller: Caller) -> Result<Today, CallError> {
        let (store, since) = (&self.inner.store, clock::now() - DAY);
        let (limits, config) = (self.limits_of(caller).await?, self.inner.admission.policy().config());
        let used = self.used_today(caller).await?;
        let calls_limit = limits.calls_per_day.unwrap_or(config.calls_per_day_per_owner);
        let placed = match caller.account() {
            Account::Owner(owner) => store.newest_calls_of(owner, since, calls_limit).await,
            Account::Anonymous => store.newest_calls_of_minted_keys(since, calls_limit).await,
        };
        Ok(Today {
            calls: placed.map_err(|error| unreadable(&error))?.len() as u32,
            talk: used.talk,
            spent: config.price_per_minute.times(used.minutes),
            calls_limit,
            talk_limit: limits.talk_per_day.or(config.talk_per_day_per_owner),
            spend_limit: limits.spend_per_day.or(config.spend_per_day_per_owner),
        })
    }

    async fn used_today(&self, caller: Caller) -> Result<DayUse, CallError> {
        let talks = admission::talks(&self.inner.store, caller.account(), clock::now() - DAY).await;
        let mut used = DayUse::default();
        for (over_at, talk) in talks.map_err(|error| unreadable(&error))? {
            used.count(talk, Some(over_at));
        }
        Ok(used)
    }

    async fn trial(&self, caller: Caller) -> Result<Option<TrialLeft>, CallError> {
        let trial = self.inner.admission.policy().config().trial.filter(|_| caller.anonymous);
        let Some(trial) = trial else { return Ok(None) };
        let used = admission::trial_use(&self.inner.store, caller.owner).await;
        let used = used.map_err(|error| unreadable(&error))?;
        let (allowed, calls) = (!trial.is_over(used), trial.calls_left(used));
        Ok(Some(TrialLeft { allowed, calls, talk: trial.talk_left(used) }))
    }

    async fn limits_of(&self, caller: Caller) -> Result<OwnerLimits, CallError> {
        if caller.anonymous {
            return Ok(OwnerLimits::default());
        }
        let owner = self.inner.store.owner(caller.owner).await.map_err(|error| unreadable(&error))?;
        Ok(admission::limits::stored(owner.and_then(|owner| owner.limits).as_deref()))
    }

    fn is_metered(&self, limits: &OwnerLimits) -> bool {
        let config = self.inner.admission.policy().config();
        let talk = limits.talk_per_day.or(config.talk_per_day_per_owner);
        talk.is_some() || limits.spend_per_day.or(config.spend_per_day_per_owner).is_some()
    }
}

impl Balance {
    /// Less than this is worth a word.
    const LOW: Duration = Duration::from_secs(120);

    pub fn is_unlimited(&self) -> bool {
        self.left.is_none()
    }

    pub fn is_low(&self) -> bool {
        self.left.is_some_and(|left| left < Self::LOW)
    }

    pub fn tier(&self) -> &'static str {
        if self.trial.is_some() { "free" } else { "paid" }
    }
}

pub(super) fn linked(caller: Caller) -> Result<(), AccountError> {
    if caller.anonymous { Err(AccountError::NotLinked) } else { Ok(()) }
}

pub(super) fn unreadable(error: &StoreError) -> CallError {
    tracing::error!(%error, "the store can't be read");
    CallError::Store
}
