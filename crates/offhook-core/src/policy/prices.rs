//! What a minute of conversation costs, by whom it is with.

use std::fmt;
use std::str::FromStr;

use super::{Amount, Country};
use crate::number::PhoneNumber;

/// The price of each begun minute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prices {
    pub usual: Amount,
    pub special: Vec<(Tariff, Amount)>,
}

/// The numbers that have a price of their own: those that begin alike, or those of a country.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tariff {
    Country(Country),
    /// Digits, without the `+`.
    Prefix(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("numbers with a price of their own are a country (US) or how they begin (+447)")]
pub struct ParseTariffError;

impl Prices {
    /// The same for every number.
    pub fn flat(usual: Amount) -> Self {
        Self { usual, special: Vec::new() }
    }

    /// Of several that fit the longest beginning decides, and a country only where no beginning does.
    pub fn of(&self, number: &PhoneNumber) -> Amount {
        let fitting = self.special.iter().filter(|(tariff, _)| tariff.has(number));
        fitting.max_by_key(|(tariff, _)| tariff.length()).map_or(self.usual, |(_, price)| *price)
    }

    /// Whether there is nothing that costs.
    pub fn is_free(&self) -> bool {
        self.usual.is_zero() && self.special.iter().all(|(_, price)| price.is_zero())
    }
}

impl Tariff {
    fn has(&self, number: &PhoneNumber) -> bool {
        match self {
            Self::Country(country) => number.region() == Some(country.as_str()),
            Self::Prefix(digits) => number.as_e164()[1..].starts_with(digits.as_str()),
        }
    }

    fn length(&self) -> usize {
        match self {
            Self::Country(_) => 0,
            Self::Prefix(digits) => digits.len(),
        }
    }
}

impl FromStr for Tariff {
    type Err = ParseTariffError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let Some(digits) = text.strip_prefix('+') else {
            return text.parse().map(Self::Country).map_err(|_| ParseTariffError);
        };
        let fits = (1..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        if fits { Ok(Self::Prefix(digits.to_owned())) } else { Err(ParseTariffError) }
    }
}

impl fmt::Display for Tariff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Country(country) => country.fmt(f),
            Self::Prefix(digits) => write!(f, "+{digits}"),
        }
    }
}
