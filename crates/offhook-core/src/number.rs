//! Telephone numbers, parsed once at the edge and never handled as text after that.

use std::fmt;

/// A telephone number in E.164, or one of the fictional numbers the sandbox answers.
///
/// `Debug` masks all but the country code and the last two digits, so a number cannot leak through a log line;
/// `Display` prints it whole and is for the carrier, the store and the owner.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PhoneNumber {
    e164: String,
    country_code: u16,
    region: Option<[u8; 2]>,
    kind: NumberKind,
}

/// What kind of line a number is, as far as the numbering plan tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NumberKind {
    FixedLine,
    Mobile,
    FixedLineOrMobile,
    TollFree,
    PremiumRate,
    SharedCost,
    Voip,
    /// Pagers, personal numbers, universal access numbers, voicemail.
    Other,
    /// A possible number whose range the numbering plan does not list.
    Unassigned,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseNumberError {
    #[error("a telephone number in E.164 starts with + and the country code, e.g. +14155550100")]
    NotE164,
    #[error("too short for a telephone number of that country")]
    TooShort,
    #[error("too long for a telephone number of that country")]
    TooLong,
    #[error("no such country calling code")]
    UnknownCountry,
}

impl PhoneNumber {
    pub fn as_e164(&self) -> &str {
        &self.e164
    }

    pub fn country_code(&self) -> u16 {
        self.country_code
    }

    /// ISO 3166-1 alpha-2 of the region the number belongs to, if it belongs to exactly one.
    pub fn region(&self) -> Option<&str> {
        self.region.as_ref().and_then(|region| std::str::from_utf8(region).ok())
    }

    pub fn kind(&self) -> NumberKind {
        self.kind
    }
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.e164)
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tail = self.e164.len().saturating_sub(2);
        write!(f, "+{}…{}", self.country_code, &self.e164[tail..])
    }
}
