//! Where a telephone number is, as far as its first digits tell: the time zones there, and when people work.
//!
//! Which time it is there, the shell knows; this module has no clock and no calendar.

use std::sync::LazyLock;

use crate::number::{NumberKind, PhoneNumber};

/// The zones by the first digits of the number, sorted by these.
static TABLE: LazyLock<Vec<(&str, &str)>> = LazyLock::new(|| {
    let lines = include_str!("zone/zones.txt").lines().filter(|line| !line.starts_with('#'));
    let mut table: Vec<_> = lines
        .filter_map(|line| line.split_once(' '))
        .flat_map(|(zones, prefixes)| prefixes.split(' ').map(move |prefix| (prefix, zones)))
        .collect();
    table.sort_unstable();
    table
});

/// Where a North American number without a place, like +1 800, most likely is answered: from coast to coast.
const NORTH_AMERICA: &str = "America/New_York,America/Chicago,America/Denver,America/Los_Angeles";

/// IANA names of the zones the number may be in; none where its digits tell nothing.
pub fn zones(number: &PhoneNumber) -> impl Iterator<Item = &'static str> {
    let digits = &number.as_e164()[1..];
    let longest = (1..=digits.len()).rev().find_map(|len| of_prefix(&digits[..len]));
    let zones = match longest {
        Some(_) if number.country_code() == 1 && has_no_place(number.kind()) => NORTH_AMERICA,
        longest => longest.unwrap_or_default(),
    };
    zones.split(',').filter(|zone| !zone.is_empty())
}

/// Every zone a number may be in; some more than once.
pub fn all() -> impl Iterator<Item = &'static str> {
    TABLE.iter().flat_map(|(_, zones)| zones.split(','))
}

fn of_prefix(prefix: &str) -> Option<&'static str> {
    TABLE.binary_search_by_key(&prefix, |(prefix, _)| *prefix).ok().map(|at| TABLE[at].1)
}

fn has_no_place(kind: NumberKind) -> bool {
    use NumberKind::{Other, PremiumRate, SharedCost, TollFree, Voip};
    matches!(kind, TollFree | PremiumRate | SharedCost | Voip | Other)
}

/// Why a business is likely closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    Before8,
    After18,
    Weekend,
}

impl Closed {
    pub fn code(self) -> &'static str {
        match self {
            Self::Before8 => "before_8",
            Self::After18 => "after_18",
            Self::Weekend => "weekend",
        }
    }

    /// On this day of the week (1 is Monday, 7 is Sunday) at this hour of local time, in the number's country.
    pub fn at(number: &PhoneNumber, weekday: u8, hour: u8) -> Option<Self> {
        match hour {
            _ if weekend(number.region()).contains(&weekday) => Some(Self::Weekend),
            ..8 => Some(Self::Before8),
            18.. => Some(Self::After18),
            _ => None,
        }
    }
}

/// Most of the world rests on Saturday and Sunday; where it does not, by the Unicode CLDR.
fn weekend(region: Option<&str>) -> &'static [u8] {
    match region.unwrap_or_default() {
        "BH" | "DZ" | "EG" | "IL" | "IQ" | "JO" | "KW" | "LY" | "OM" | "QA" | "SA" | "SD" | "SY" | "YE" => {
            &[5, 6]
        }
        "AF" => &[4, 5],
        "IR" => &[5],
        "IN" | "UG" => &[7],
        _ => &[6, 7],
    }
}
