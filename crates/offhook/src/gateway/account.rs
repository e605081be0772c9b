//! Whose key it is: the account behind it, its history, and what is left of its limits.

use std::fmt;
use std::time::Duration;

use offhook_core::DAY;
use offhook_core::policy::{Amount, DayUse, Facts, OwnerLimits, Prepaid};
use offhook_store::{OwnerRow, PhoneRow, StoreError};

use super::{AccountError, CallError, CallView, Caller, Gateway, ListCalls};
use crate::admission::{Account, limits, usage};
use crate::clock;

/// Somebody known to the operator.
#[derive(Clone)]
pub struct AccountView {
    pub id: String,
    pub email: Option<String>,
    pub balance: Balance,
    /// The primary one first.
    pub phones: Vec<PhoneRow>,
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
    /// `None`: on trial, or without one where the operator requires it.
    pub plan: Option<PlanKind>,
    /// Of a key that is not linked to an account, where the operator allows it no more than a trial.
    pub trial: Option<TrialLeft>,
}

/// What the operator lets an account do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanKind {
    Unlimited,
    /// So much conversation or money in any 24 hours.
    Daily,
    /// What was paid for in advance.
    Prepaid,
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
        let phones = self.inner.store.phones(caller.owner).await.map_err(|error| unreadable(&error))?;
        Ok(AccountView { id: caller.owner.to_string(), email, balance: self.balance(caller).await?, phones })
    }

    /// The calls of an account that are over. Calls to our lines belong to whom the line is reserved for, else to whoever
    /// runs them.
    pub async fn history(&self, caller: Caller, wanted: ListCalls) -> Result<Vec<CallView>, AccountError> {
        linked(caller)?;
        if wanted.inbound == Some(true) && !caller.admin && self.reserved_for(caller).await?.is_empty() {
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
        let owner = self.owner_row(caller).await?;
        let owner_limits = limits_of(owner.as_ref());
        let admission = &self.inner.admission;
        let limited = admission.limits_talk(&owner_limits);
        let used_today = if limited { self.used_today(caller).await? } else { DayUse::default() };
        let prepaid = self.prepaid(owner.as_ref()).await?;
        let facts = Facts { owner_limits, used_today, prepaid, ..Facts::default() };
        let left = admission.policy().talk_left(&facts, clock::now());
        let trial = self.trial(caller).await?;
        if let Some(trial) = trial {
            return Ok(Balance {
                left: left.into_iter().chain([trial.talk]).min(),
                plan: None,
                trial: Some(trial),
            });
        }
        let given = owner_limits.are_set() || prepaid.is_some();
        if admission.policy().config().require_plan && !given {
            return Ok(Balance { left: Some(Duration::ZERO), plan: None, trial: None });
        }
        let plan = match (prepaid, left) {
            (Some(_), _) => PlanKind::Prepaid,
            (None, Some(_)) => PlanKind::Daily,
            (None, None) => PlanKind::Unlimited,
        };
        Ok(Balance { left, plan: Some(plan), trial: None })
    }

    pub async fn today(&self, caller: Caller) -> Result<Today, CallError> {
        let (store, since) = (&self.inner.store, clock::now() - DAY);
        let limits = limits_of(self.owner_row(caller).await?.as_ref());
        let config = self.inner.admission.policy().config();
        let used = self.used_today(caller).await?;
        let calls_limit = limits.calls_per_day.unwrap_or(config.calls_per_day_per_owner);
        let placed = match caller.account() {
            Account::Owner(owner) => store.newest_calls_of(owner, since, calls_limit).await,
            Account::Anonymous => store.newest_calls_of_minted_keys(since, calls_limit).await,
        };
        let (talk, spend) = (config.talk_per_day_per_owner, config.spend_per_day_per_owner);
        Ok(Today {
            calls: placed.map_err(|error| unreadable(&error))?.len() as u32,
            talk: used.talk,
            spent: used.spent,
            calls_limit,
            talk_limit: limits.talk_per_day.or(talk).filter(|_| !limits.unlimited),
            spend_limit: limits.spend_per_day.or(spend).filter(|_| !limits.unlimited),
        })
    }

    async fn used_today(&self, caller: Caller) -> Result<DayUse, CallError> {
        let prices = &self.inner.admission.policy().config().prices;
        let (store, since) = (&self.inner.store, clock::now() - DAY);
        let used = usage::day(store, caller.account(), prices, since, &[]).await;
        used.map_err(|error| unreadable(&error))
    }

    async fn prepaid(&self, owner: Option<&OwnerRow>) -> Result<Option<Prepaid>, CallError> {
        let Some((owner, balance)) = owner.and_then(|owner| Some((owner.id, owner.balance?))) else {
            return Ok(None);
        };
        let prepaid = usage::prepaid(&self.inner.store, owner, balance, &[]).await;
        prepaid.map(Some).map_err(|error| unreadable(&error))
    }

    async fn trial(&self, caller: Caller) -> Result<Option<TrialLeft>, CallError> {
        let trial = self.inner.admission.policy().config().trial.filter(|_| caller.anonymous);
        let Some(trial) = trial else { return Ok(None) };
        let used = usage::trial(&self.inner.store, caller.owner, &[]).await;
        let used = used.map_err(|error| unreadable(&error))?;
        let (allowed, calls) = (!trial.is_over(used), trial.calls_left(used));
        Ok(Some(TrialLeft { allowed, calls, talk: trial.talk_left(used) }))
    }

    /// `None` for those who share their limits with all others of their kind.
    async fn owner_row(&self, caller: Caller) -> Result<Option<OwnerRow>, CallError> {
        if caller.anonymous {
            return Ok(None);
        }
        self.inner.store.owner(caller.owner).await.map_err(|error| unreadable(&error))
    }
}

fn limits_of(owner: Option<&OwnerRow>) -> OwnerLimits {
    limits::stored(owner.and_then(|owner| owner.limits.as_deref()))
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
        if self.plan.is_some() { "paid" } else { "free" }
    }
}

pub(super) fn linked(caller: Caller) -> Result<(), AccountError> {
    if caller.anonymous { Err(AccountError::NotLinked) } else { Ok(()) }
}

pub(super) fn unreadable(error: &StoreError) -> CallError {
    tracing::error!(%error, "the store can't be read");
    CallError::Store
}
