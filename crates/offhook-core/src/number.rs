//! Telephone numbers, parsed once at the edge and never handled as text after that.

use std::fmt;
use std::str::FromStr;

use rlibphonenumber::{NumberLengthType, PHONE_NUMBER_UTIL, ParseError, PhoneNumberType, ValidationError};

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
    #[error("telephone numbers of that country have another length")]
    WrongLength,
    #[error("this is an emergency number; it is never called, dial it yourself")]
    Emergency,
    #[error("this is a short code; only numbers in E.164, e.g. +14155550100, can be called")]
    ShortCode,
}

/// What people write between the digits of a number.
const SEPARATORS: [char; 7] = [' ', '-', '.', '(', ')', '\u{a0}', '\u{2011}'];

/// ITU-T E.164 allows 15 digits with the country code.
const MAX_DIGITS: usize = 15;

/// Emergency and crisis numbers of two and three digits, of all countries. None of them is a number in E.164.
const EMERGENCY: [&str; 52] = [
    "000", "010", "015", "016", "017", "018", "061", "062", "066", "080", "089", "091", "100", "101", "102",
    "103", "104", "105", "107", "108", "110", "111", "112", "113", "114", "115", "116", "117", "118", "119",
    "120", "122", "123", "124", "125", "131", "133", "144", "155", "166", "190", "191", "192", "193", "194",
    "911", "933", "988", "995", "997", "998", "999",
];

impl PhoneNumber {
    /// Reads a number in E.164, with or without spaces, dashes, dots and parentheses between the digits.
    ///
    /// It must be possible in its country's numbering plan, not necessarily assigned: plans grow faster than tables.
    pub fn parse(text: &str) -> Result<Self, ParseNumberError> {
        let text = text.trim();
        let Some(rest) = text.strip_prefix('+') else {
            return Err(without_country(text));
        };
        let digits = digits(rest).ok_or(ParseNumberError::NotE164)?;
        if digits.len() > MAX_DIGITS {
            return Err(ParseNumberError::TooLong);
        }
        refuse_short(&digits)?;
        let parsed = PHONE_NUMBER_UTIL.parse(format!("+{digits}"), None)?;
        match PHONE_NUMBER_UTIL.is_possible_number_with_reason(&parsed)? {
            NumberLengthType::IsPossible => {}
            NumberLengthType::IsPossibleLocalOnly => return Err(ParseNumberError::TooShort),
        }
        let e164 = parsed.to_string();
        // The library takes a trunk prefix out ("+44 (0)20 …"). Unless it is marked as one, the number is in doubt.
        if e164[1..] != digits && !rest.contains("(0)") {
            return Err(ParseNumberError::NotE164);
        }
        Ok(Self {
            e164,
            country_code: u16::try_from(parsed.country_code).map_err(|_| ParseNumberError::UnknownCountry)?,
            region: region(&parsed),
            kind: PHONE_NUMBER_UTIL.get_number_type(&parsed).into(),
        })
    }

    pub fn as_e164(&self) -> &str {
        &self.e164
    }

    pub fn country_code(&self) -> u16 {
        self.country_code
    }

    /// The number within its country: the digits after the country code.
    pub fn national(&self) -> &str {
        let code_len = self.country_code.checked_ilog10().map_or(1, |log| log as usize + 1);
        self.e164.get(1 + code_len..).unwrap_or_default()
    }

    /// ISO 3166-1 alpha-2 of the region the number belongs to, if it belongs to exactly one.
    pub fn region(&self) -> Option<&str> {
        self.region.as_ref().and_then(|region| std::str::from_utf8(region).ok())
    }

    pub fn kind(&self) -> NumberKind {
        self.kind
    }

    /// Whether it is one of the numbers set aside for fiction (555-0100 to 555-0199 of any +1 area code). Nobody
    /// has one of these; the sandbox answers them.
    pub fn is_fictional(&self) -> bool {
        self.country_code == 1 && self.national().len() == 10 && self.national()[3..].starts_with("55501")
    }

    /// Whether a careless exchange could take it for a call to the emergency services: an emergency number as the
    /// beginning of a number nobody can have, like +1 911 000 0000.
    pub fn resembles_emergency(&self) -> bool {
        let national = self.national();
        self.kind == NumberKind::Unassigned
            && ["911", "988", "112", "999"].iter().any(|code| national.starts_with(code))
    }
}

/// The digits of what was written after the `+`; `None` when there is anything else but separators between them.
fn digits(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(|c| !SEPARATORS.contains(c)).collect();
    (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(digits)
}

/// What is wrong with a number that does not begin with `+`.
fn without_country(text: &str) -> ParseNumberError {
    let digits: String = text.chars().filter(|c| !SEPARATORS.contains(c)).collect();
    let is_short =
        (2..=6).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit() || b"*#".contains(&b));
    match digits.as_str() {
        digits if EMERGENCY.contains(&digits) => ParseNumberError::Emergency,
        _ if is_short => ParseNumberError::ShortCode,
        _ => ParseNumberError::NotE164,
    }
}

/// Refuse an emergency number or short code behind a `+`, bare or behind a country code: +112, +1911, +44999.
fn refuse_short(digits: &str) -> Result<(), ParseNumberError> {
    if digits.len() > 6 {
        return Ok(());
    }
    let is_code = |code: &str| {
        code.parse().is_ok_and(|code| PHONE_NUMBER_UTIL.get_region_for_country_code(code).is_some())
    };
    let nationals = (1..=3).filter_map(|len| digits.split_at_checked(len));
    let mut nationals = nationals.filter(|(code, _)| is_code(code)).map(|(_, national)| national);
    if EMERGENCY.contains(&digits) || nationals.clone().any(|national| EMERGENCY.contains(&national)) {
        return Err(ParseNumberError::Emergency);
    }
    // N11 of the North American plan: directory, repairs, relay.
    if nationals.any(|national| national.len() == 3 && national.ends_with("11")) {
        return Err(ParseNumberError::ShortCode);
    }
    Ok(())
}

fn region(number: &rlibphonenumber::PhoneNumber) -> Option<[u8; 2]> {
    let of_country = || {
        let mut regions = PHONE_NUMBER_UTIL.get_regions_for_country_calling_code(number.country_code)?;
        let first = regions.next()?;
        regions.next().is_none().then_some(first)
    };
    let region = PHONE_NUMBER_UTIL.get_region_for_number(number).or_else(of_country)?;
    // Codes of no country, like +800, have a region of three digits.
    region.to_string().as_bytes().try_into().ok()
}

impl FromStr for PhoneNumber {
    type Err = ParseNumberError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl From<ParseError> for ParseNumberError {
    fn from(error: ParseError) -> Self {
        match error {
            ParseError::InvalidCountryCode => Self::UnknownCountry,
            ParseError::NotANumber(_) => Self::NotE164,
            ParseError::TooShortAfterIdd | ParseError::TooShortNsn => Self::TooShort,
            ParseError::TooLongNsn => Self::TooLong,
        }
    }
}

impl From<ValidationError> for ParseNumberError {
    fn from(error: ValidationError) -> Self {
        match error {
            ValidationError::InvalidCountryCode => Self::UnknownCountry,
            ValidationError::TooShort => Self::TooShort,
            ValidationError::InvalidLength => Self::WrongLength,
            ValidationError::TooLong => Self::TooLong,
        }
    }
}

impl From<PhoneNumberType> for NumberKind {
    fn from(kind: PhoneNumberType) -> Self {
        match kind {
            PhoneNumberType::FixedLine => Self::FixedLine,
            PhoneNumberType::Mobile => Self::Mobile,
            PhoneNumberType::FixedLineOrMobile => Self::FixedLineOrMobile,
            PhoneNumberType::TollFree => Self::TollFree,
            PhoneNumberType::PremiumRate => Self::PremiumRate,
            PhoneNumberType::SharedCost => Self::SharedCost,
            PhoneNumberType::VoIP => Self::Voip,
            PhoneNumberType::Unknown => Self::Unassigned,
            PhoneNumberType::PersonalNumber
            | PhoneNumberType::Pager
            | PhoneNumberType::UAN
            | PhoneNumberType::VoiceMail => Self::Other,
        }
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
