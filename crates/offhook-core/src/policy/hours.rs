//! When somebody is there: days of the week with a time from and a time to.
//!
//! What day and what time it is where the line is answered, the shell knows; this module has no calendar.

use std::fmt;
use std::str::FromStr;

/// The windows in which a line is attended. None at all: never.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hours(Vec<Window>);

/// `Mon-Fri 09:00-17:00`; one that ends before it begins goes on into the next day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// One bit for each day, Monday the lowest.
    days: u8,
    from_minute: u16,
    to_minute: u16,
}

/// What the clock on the wall shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime {
    /// 1 is Monday, 7 is Sunday.
    pub weekday: u8,
    /// Since midnight.
    pub minute: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("hours are written as days and times: Mon-Fri 09:00-17:00, Sat,Sun 10:00-14:00, daily 08:00-20:00")]
pub struct ParseHoursError;

const DAY_MINUTES: u16 = 24 * 60;
const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const EVERY_DAY: u8 = 0b111_1111;

impl Hours {
    pub fn new(windows: impl IntoIterator<Item = Window>) -> Self {
        Self(windows.into_iter().collect())
    }

    pub fn windows(&self) -> &[Window] {
        &self.0
    }

    pub fn are_open(&self, now: LocalTime) -> bool {
        self.0.iter().any(|window| window.holds(now))
    }
}

impl Window {
    fn holds(self, now: LocalTime) -> bool {
        let on = |weekday: u8| self.days & (1 << (weekday.clamp(1, 7) - 1)) != 0;
        let yesterday = if now.weekday <= 1 { 7 } else { now.weekday - 1 };
        if self.from_minute < self.to_minute {
            return on(now.weekday) && (self.from_minute..self.to_minute).contains(&now.minute);
        }
        (on(now.weekday) && now.minute >= self.from_minute) || (on(yesterday) && now.minute < self.to_minute)
    }
}

impl FromStr for Window {
    type Err = ParseHoursError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (days, times) = text.trim().rsplit_once(char::is_whitespace).ok_or(ParseHoursError)?;
        let (from, to) = times.split_once('-').ok_or(ParseHoursError)?;
        let (from_minute, to_minute) = (minute(from)?, minute(to)?);
        if from_minute == to_minute || from_minute == DAY_MINUTES {
            return Err(ParseHoursError);
        }
        let days = days.split(',').try_fold(0, |days, part| Ok(days | days_of(part.trim())?))?;
        Ok(Self { days, from_minute, to_minute })
    }
}

/// `Mon`, `Monday`, `Mon-Fri`, `daily`.
fn days_of(part: &str) -> Result<u8, ParseHoursError> {
    if part.eq_ignore_ascii_case("daily") {
        return Ok(EVERY_DAY);
    }
    let (first, last) = part.split_once('-').unwrap_or((part, part));
    let (first, last) = (day(first)?, day(last)?);
    // From Friday to Monday is a weekend with its ends.
    let count = (last + 7 - first) % 7;
    Ok((0..=count).fold(0, |days, step| days | 1 << ((first + step) % 7)))
}

fn day(name: &str) -> Result<u8, ParseHoursError> {
    let name = name.trim().to_ascii_lowercase();
    let is_name = |short: &&str| name.starts_with(*short) && (name.len() == 3 || name.ends_with("day"));
    NAMES.iter().position(is_name).map(|at| at as u8).ok_or(ParseHoursError)
}

fn minute(text: &str) -> Result<u16, ParseHoursError> {
    let (hour, minute) = text.trim().split_once(':').ok_or(ParseHoursError)?;
    let number = |text: &str| match text.len() {
        1 | 2 if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().map_err(|_| ParseHoursError),
        _ => Err(ParseHoursError),
    };
    let (hour, minute): (u16, u16) = (number(hour)?, number(minute)?);
    match hour * 60 + minute {
        minutes if minute < 60 && minutes <= DAY_MINUTES => Ok(minutes),
        _ => Err(ParseHoursError),
    }
}

/// As it can be read again.
impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |day: &usize| self.days & (1 << day) != 0;
        let names: Vec<String> =
            (0..7).filter(named).map(|day| NAMES[day][..1].to_ascii_uppercase() + &NAMES[day][1..]).collect();
        let days = if self.days == EVERY_DAY { "daily".to_owned() } else { names.join(",") };
        let (from, to) = (self.from_minute, self.to_minute);
        write!(f, "{days} {:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)
    }
}
