//! What an owner has used of its limits, as the store knows it.
//!
//! A call that is under way counts with what it was promised, until its place is given back; by then it is in the store
//! too. So what is read leaves out the calls that were under way when the reading began: of each, the book knows
//! better.

use std::time::Duration;

use offhook_core::policy::{Amount, DayUse, Prepaid, Prices, TrialUse};
use offhook_core::{CallId, OwnerId, PhoneNumber, Timestamp};
use offhook_store::{BalanceRow, Store, StoreError};

use super::Account;

/// The conversations of an account since then.
pub async fn day(
    store: &Store,
    account: Account,
    prices: &Prices,
    since: Timestamp,
    but: &[CallId],
) -> Result<DayUse, StoreError> {
    let talks = match account {
        Account::Owner(owner) => store.talks_of(owner, since, but).await?,
        Account::Anonymous => store.talks_of_minted_keys(since, but).await?,
    };
    let mut used = DayUse::default();
    for talk in talks {
        let price =
            |number: &str| number.parse::<PhoneNumber>().map_or(prices.usual, |number| prices.of(&number));
        let of_call = talk.to.as_deref().map_or(Amount::ZERO, price);
        used.count(Duration::from_millis(talk.talk_ms), of_call, Some(talk.over_at));
        if let Some((user, with_user_ms)) = &talk.user {
            used.charge(Duration::from_millis(*with_user_ms), price(user));
        }
    }
    Ok(used)
}

/// What an owner has used of its trial.
pub async fn trial(store: &Store, owner: OwnerId, but: &[CallId]) -> Result<TrialUse, StoreError> {
    let talked = store.trial_use(owner, but).await?;
    let calls = u32::try_from(talked.calls).unwrap_or(u32::MAX);
    Ok(TrialUse { calls, talk: Duration::from_millis(talked.talk_ms) })
}

/// What an owner has used of what was paid for in advance.
pub async fn prepaid(
    store: &Store,
    owner: OwnerId,
    balance: BalanceRow,
    but: &[CallId],
) -> Result<Prepaid, StoreError> {
    let used_ms = store.used_since(owner, balance.at, but).await?.saturating_add(balance.erased_ms);
    Ok(Prepaid { paid: Duration::from_millis(balance.left_ms), used: Duration::from_millis(used_ms) })
}
