//! What the operator allows.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::prices::Prices;
use super::quota::{Amount, Trial};
use crate::number::PhoneNumber;

/// The calling rules of one installation. The default is what is safe with a carrier that charges money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyConfig {
    pub countries: Countries,
    /// When not empty, only these may be called.
    pub allowed_destinations: Vec<NumberPattern>,
    /// Never called; stronger than the allowed ones.
    pub blocked_destinations: Vec<NumberPattern>,
    /// Whether numbers may be called that cost more than a call: premium-rate and shared-cost.
    pub premium_numbers: bool,
    /// Whether the numbers of the sandbox (+1 … 555 01xx) may be called: they lead nowhere on a real carrier.
    pub sandbox: bool,
    pub concurrent_calls: u32,
    pub concurrent_calls_per_owner: u32,
    /// One: two agents must not ring the same phone at once.
    pub concurrent_calls_per_destination: u32,
    /// In any 24 hours.
    pub calls_per_day_per_owner: u32,
    /// In any 24 hours, of all owners together.
    pub calls_per_day_per_destination: u32,
    /// Conversation in any 24 hours; `None`: as long as one likes.
    pub talk_per_day_per_owner: Option<Duration>,
    /// In any 24 hours, at these [`Self::prices`]; `None`: whatever it costs.
    pub spend_per_day_per_owner: Option<Amount>,
    pub prices: Prices,
    /// Whether only those may call whom the operator gave a plan: limits of their own, a balance, or none at all.
    pub require_plan: bool,
    /// What a key may use before it is linked to an account; `None`: as much as any other.
    pub trial: Option<Trial>,
    /// Whom a call may be handed over to.
    pub user_numbers: UserNumbers,
    /// How long a number is left alone after a call to it. Zero: no cool-down.
    pub cool_down: Duration,
    pub ring_limit: LimitRange,
    pub talk_limit: LimitRange,
}

/// The numbers that may be those of a user who is connected to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserNumbers {
    /// All that may be called.
    Any,
    /// Of those only the confirmed phones of the account whose call it is.
    Account,
}

/// How long something may last: when nobody asks, and when somebody asks for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitRange {
    pub default: Duration,
    pub max: Duration,
}

/// What one owner may, where it differs from the rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnerLimits {
    pub concurrent_calls: Option<u32>,
    pub calls_per_day: Option<u32>,
    pub talk_per_day: Option<Duration>,
    pub spend_per_day: Option<Amount>,
    /// The longest conversation; also the default when shorter than that.
    pub talk_limit: Option<Duration>,
    /// No limit of conversation or money, whatever holds for the rest.
    pub unlimited: bool,
}

/// Which countries may be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Countries {
    Any,
    /// Regions of the numbering plan: `US` is not all of +1.
    Only(Vec<Country>),
}

/// ISO 3166-1 alpha-2.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country([u8; 2]);

/// One number (`+14155550100`), or all that begin alike (`+1415*`).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct NumberPattern {
    digits: String,
    is_prefix: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a country is written in two letters, e.g. US")]
pub struct ParseCountryError;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a destination is a number in E.164 (+14155550100) or the beginning of one (+1415*)")]
pub struct ParsePatternError;

impl Default for PolicyConfig {
    fn default() -> Self {
        Self {
            countries: Countries::Only(vec![Country::US]),
            allowed_destinations: Vec::new(),
            blocked_destinations: Vec::new(),
            premium_numbers: false,
            sandbox: false,
            concurrent_calls: 1_000,
            concurrent_calls_per_owner: 10,
            concurrent_calls_per_destination: 1,
            calls_per_day_per_owner: 200,
            calls_per_day_per_destination: 20,
            talk_per_day_per_owner: None,
            spend_per_day_per_owner: None,
            prices: Prices::default(),
            require_plan: false,
            trial: None,
            user_numbers: UserNumbers::Any,
            cool_down: Duration::ZERO,
            ring_limit: LimitRange { default: Duration::from_secs(60), max: Duration::from_secs(180) },
            talk_limit: LimitRange {
                default: Duration::from_secs(15 * 60),
                max: Duration::from_secs(4 * 3_600),
            },
        }
    }
}

impl OwnerLimits {
    /// Whether the operator set anything for this owner.
    pub fn are_set(&self) -> bool {
        *self != Self::default()
    }
}

impl LimitRange {
    /// Shorter than this nothing useful happens.
    pub const MIN: Duration = Duration::from_secs(5);

    /// What is granted to one who asks for `asked`.
    pub fn grant(self, asked: Option<Duration>) -> Duration {
        asked.unwrap_or(self.default).min(self.max).max(Self::MIN)
    }

    /// The same with a lower (or higher) ceiling.
    pub fn with_max(self, max: Option<Duration>) -> Self {
        max.map_or(self, |max| Self { default: self.default.min(max), max })
    }
}

impl Countries {
    pub fn allow(&self, number: &PhoneNumber) -> bool {
        match self {
            Self::Any => true,
            Self::Only(countries) => number
                .region()
                .is_some_and(|region| countries.iter().any(|country| country.as_str() == region)),
        }
    }
}

/// `US, CA`, as it is told to a caller.
impl fmt::Display for Countries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Only(countries) if countries.is_empty() => f.write_str("none"),
            Self::Only(countries) => {
                f.write_str(&countries.iter().map(Country::as_str).collect::<Vec<_>>().join(", "))
            }
        }
    }
}

impl Country {
    pub const US: Country = Country(*b"US");

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for Country {
    type Err = ParseCountryError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim().to_ascii_uppercase().as_bytes() {
            [a @ b'A'..=b'Z', b @ b'A'..=b'Z'] => Ok(Self([*a, *b])),
            _ => Err(ParseCountryError),
        }
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl NumberPattern {
    pub fn matches(&self, number: &PhoneNumber) -> bool {
        let digits = &number.as_e164()[1..];
        if self.is_prefix { digits.starts_with(&self.digits) } else { digits == self.digits }
    }

    /// Of two patterns that match a number the one that says more about it has the higher.
    pub fn precision(&self) -> usize {
        self.digits.len() + usize::from(!self.is_prefix)
    }
}

impl FromStr for NumberPattern {
    type Err = ParsePatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let (text, is_prefix) = text.strip_suffix('*').map_or((text, false), |text| (text, true));
        let digits = text.strip_prefix('+').ok_or(ParsePatternError)?.replace([' ', '-', '(', ')'], "");
        let fits = digits.bytes().all(|byte| byte.is_ascii_digit()) && (1..=15).contains(&digits.len());
        // A whole number must be one, so that a slip of the finger does not silently protect nobody.
        let is_number = || PhoneNumber::parse(text).is_ok();
        if fits && (is_prefix || is_number()) {
            Ok(Self { digits, is_prefix })
        } else {
            Err(ParsePatternError)
        }
    }
}

/// Whole numbers are masked, as [`PhoneNumber`] does it.
impl fmt::Debug for NumberPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tail = self.digits.len().saturating_sub(2);
        match self.is_prefix {
            true => write!(f, "+{}*", self.digits),
            false => write!(f, "+…{}", &self.digits[tail..]),
        }
    }
}
