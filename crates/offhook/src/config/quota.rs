//! What an owner may use up in a day, and what a key may before it is linked to an account. Nothing of it is on by
//! itself: a zero is no limit.

use std::time::Duration;

use std::collections::BTreeMap;

use offhook_core::policy::{Amount, PolicyConfig, Prices, Tariff, Trial};

use super::build::Build;
use super::raw::RawPolicy;

const MINUTE: Duration = Duration::from_secs(60);

impl Build<'_> {
    /// The limits of use; everything else is as it was.
    pub fn quotas(&mut self, raw: &RawPolicy, policy: PolicyConfig) -> PolicyConfig {
        let minutes = self.u32("policy.minutes_per_day_per_owner", raw.minutes_per_day_per_owner, 0);
        let spend = self.amount("policy.spend_per_day_per_owner", raw.spend_per_day_per_owner.as_deref());
        let price = self.amount("policy.price_per_minute", raw.price_per_minute.as_deref());
        let special = raw.prices.iter().flatten();
        let special: BTreeMap<Tariff, Amount> =
            special.filter_map(|(numbers, price)| self.tariff(numbers, price)).collect();
        let prices = Prices { usual: price, special: special.into_iter().collect() };
        if !spend.is_zero() && prices.is_free() {
            self.problem("policy.spend_per_day_per_owner", "needs policy.price_per_minute or policy.prices");
        }
        let calls = self.u32("policy.trial_calls", raw.trial_calls, 0);
        let trial_minutes = self.u32("policy.trial_minutes", raw.trial_minutes, 0);
        let is_trial = calls > 0 || trial_minutes > 0;
        PolicyConfig {
            talk_per_day_per_owner: (minutes > 0).then_some(MINUTE * minutes),
            spend_per_day_per_owner: Some(spend).filter(|spend| !spend.is_zero()),
            prices,
            require_plan: raw.require_plan.unwrap_or(false),
            trial: is_trial.then_some(Trial { calls, talk: MINUTE * trial_minutes }),
            ..policy
        }
    }

    fn tariff(&mut self, numbers: &str, price: &str) -> Option<(Tariff, Amount)> {
        let key = format!("policy.prices.{numbers}");
        let tariff = self.ok(&key, numbers.parse::<Tariff>().map_err(|why| why.to_string()));
        let price = self.amount(&key, Some(price));
        tariff.map(|tariff| (tariff, price))
    }

    fn amount(&mut self, key: &str, written: Option<&str>) -> Amount {
        let sum = written.map(|text| text.parse().map_err(|why| format!("{text:?}: {why}")));
        sum.and_then(|sum| self.ok(key, sum)).unwrap_or_default()
    }
}
