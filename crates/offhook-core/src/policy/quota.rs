//! What an owner may use up: conversation, money, a trial. Calls that are under way count with all they may yet use,
//! so that however many are let in at once, no limit is passed.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::time::Timestamp;

const MINUTE: Duration = Duration::from_secs(60);

/// A sum of money in millionths, of whatever currency the operator thinks in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a sum is written as 5 or 0.014, with no more than six decimals and without a currency")]
pub struct ParseAmountError;

/// What a key may use before it is linked to an account. It ends when both are used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trial {
    pub calls: u32,
    pub talk: Duration,
}

/// What was used of a trial, and what calls under way may yet use of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrialUse {
    pub calls: u32,
    pub talk: Duration,
}

/// The conversations of the last 24 hours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DayUse {
    pub talk: Duration,
    /// What each call's begun minutes cost, which is what carriers charge for.
    pub spent: Amount,
    /// When the first of them was over; tells when there is room again.
    pub oldest_at: Option<Timestamp>,
}

/// Conversation that was paid for in advance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prepaid {
    pub paid: Duration,
    pub used: Duration,
}

/// How much of a limit is used, as a refused caller is told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    pub used: Duration,
    pub limit: Duration,
    /// What remains is that of a trial.
    pub is_trial: bool,
}

impl Amount {
    pub const ZERO: Amount = Amount(0);

    pub const fn from_millionths(millionths: u64) -> Self {
        Self(millionths)
    }

    pub const fn millionths(self) -> u64 {
        self.0
    }

    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    pub fn times(self, count: u64) -> Self {
        Self(self.0.saturating_mul(count))
    }

    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// No less than nothing.
    pub fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// How many minutes this pays for.
    pub fn minutes(self, price: Amount) -> u64 {
        self.0.checked_div(price.0).unwrap_or(u64::MAX)
    }
}

impl FromStr for Amount {
    type Err = ParseAmountError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (whole, decimals) = text.trim().split_once('.').unwrap_or((text.trim(), "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(decimals) || decimals.len() > 6 {
            return Err(ParseAmountError);
        }
        let millionths: u64 = format!("{decimals:0<6}").parse().map_err(|_| ParseAmountError)?;
        let whole: u64 = whole.parse().map_err(|_| ParseAmountError)?;
        let sum = whole.checked_mul(1_000_000).and_then(|whole| whole.checked_add(millionths));
        sum.map(Self).ok_or(ParseAmountError)
    }
}

/// With two decimals, or as many as it takes.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = format!("{:06}", self.0 % 1_000_000);
        let needed = decimals.trim_end_matches('0').len().max(2);
        write!(f, "{}.{}", self.0 / 1_000_000, &decimals[..needed])
    }
}

impl Trial {
    /// A shorter conversation is not counted.
    pub const SHORTEST: Duration = Duration::from_secs(5);

    pub fn calls_left(&self, used: TrialUse) -> u32 {
        self.calls.saturating_sub(used.calls)
    }

    pub fn talk_left(&self, used: TrialUse) -> Duration {
        self.talk.saturating_sub(used.talk)
    }

    pub fn is_over(&self, used: TrialUse) -> bool {
        self.calls_left(used) == 0 && self.talk_left(used) < Self::SHORTEST
    }
}

impl TrialUse {
    pub fn count(&mut self, talk: Duration) {
        if talk >= Trial::SHORTEST {
            self.calls += 1;
            self.talk += talk;
        }
    }
}

impl DayUse {
    /// Counts a conversation at this price a begun minute.
    pub fn count(&mut self, talk: Duration, price: Amount, over_at: Option<Timestamp>) {
        self.talk += talk;
        self.charge(talk, price);
        self.oldest_at = match (self.oldest_at, over_at) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }

    /// Counts what more a conversation costs that is counted already.
    pub fn charge(&mut self, talk: Duration, price: Amount) {
        self.spent = self.spent.plus(price.times(begun_minutes(talk)));
    }
}

impl Prepaid {
    pub fn left(&self) -> Duration {
        self.paid.saturating_sub(self.used)
    }
}

impl Quota {
    pub fn left(&self) -> Duration {
        self.limit.saturating_sub(self.used)
    }
}

fn begun_minutes(talk: Duration) -> u64 {
    talk.as_millis().div_ceil(MINUTE.as_millis()) as u64
}

pub(super) fn minutes(count: u64) -> Duration {
    Duration::from_secs(count.saturating_mul(MINUTE.as_secs()))
}
