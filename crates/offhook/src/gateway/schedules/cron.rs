//! Cron expressions: five fields, as cron(8) reads them, in the time zone of the schedule.
//!
//! What a change of the clocks does is defined. A time that is skipped (02:30 on the night when 03:00 follows 01:59) is
//! when the clocks have changed, once; a time that is there twice is the first of the two. Only where the hour is `*`
//! the expression goes by the hours that pass: a skipped one has no runs, one that is there twice has them twice.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::ToSpan as _;
use jiff::civil::{Date, date, time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use offhook_core::Timestamp;

/// After so many days the calendar has shown every combination of weekday, date and leap year.
const PERIOD_DAYS: u32 = 28 * 366;
const LONGEST: usize = 200;

#[derive(Clone, PartialEq, Eq)]
pub struct Cron {
    written: String,
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Both kinds of day are named: either will do.
    either_day: bool,
    /// By the hours that pass.
    any_hour: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    #[error("must have five fields (minute hour day month weekday), such as 0 9 * * 1-5")]
    Fields,
    #[error("{field} must be {least} to {most}, a list, a range or a step of these, and not {text:?}")]
    Field { field: &'static str, least: u8, most: u8, text: String },
    #[error("never comes: there is no such date")]
    Never,
}

struct Kind {
    field: &'static str,
    least: u8,
    most: u8,
    names: &'static [&'static str],
}

const MINUTE: Kind = Kind { field: "the minute", least: 0, most: 59, names: &[] };
const HOUR: Kind = Kind { field: "the hour", least: 0, most: 23, names: &[] };
const DAY: Kind = Kind { field: "the day", least: 1, most: 31, names: &[] };
const MONTH: Kind = Kind {
    field: "the month",
    least: 1,
    most: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
};
/// Sunday is 0, and 7 too.
const WEEKDAY: Kind = Kind {
    field: "the weekday",
    least: 0,
    most: 7,
    names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
};

impl Kind {
    fn number(&self, text: &str) -> Option<u8> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let number = match named {
            Some(index) => u8::try_from(index).ok()? + self.least,
            None if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok()?,
            None => return None,
        };
        (self.least..=self.most).contains(&number).then_some(number)
    }

    /// One part of a list: `*`, `5`, `1-5`, with a step or without.
    fn part(&self, text: &str) -> Option<u64> {
        let (range, step) = match text.split_once('/') {
            Some((range, step)) => (range, Some(step.parse::<u8>().ok().filter(|step| *step > 0)?)),
            None => (text, None),
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (self.least, self.most),
            Some((from, to)) => (self.number(from)?, self.number(to)?),
            // `5/15` goes on to the end.
            None => {
                let from = self.number(range)?;
                (from, if step.is_some() { self.most } else { from })
            }
        };
        if from > to {
            return None;
        }
        Some((from..=to).step_by(step.unwrap_or(1).into()).fold(0, |bits, number| bits | 1 << number))
    }

    fn read(&self, text: &str) -> Result<u64, CronError> {
        let wrong = || CronError::Field {
            field: self.field,
            least: self.least,
            most: self.most,
            text: text.to_owned(),
        };
        text.split(',').try_fold(0, |bits, part| Some(bits | self.part(part)?)).ok_or_else(wrong)
    }
}

impl FromStr for Cron {
    type Err = CronError;

    fn from_str(text: &str) -> Result<Self, CronError> {
        let text = match text.trim() {
            "@hourly" => "0 * * * *",
            "@daily" | "@midnight" => "0 0 * * *",
            "@weekly" => "0 0 * * 0",
            "@monthly" => "0 0 1 * *",
            "@yearly" | "@annually" => "0 0 1 1 *",
            text if text.len() > LONGEST => return Err(CronError::Fields),
            text => text,
        };
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields[..] else { return Err(CronError::Fields) };
        let weekdays = WEEKDAY.read(weekday)?;
        let cron = Self {
            written: fields.join(" "),
            minutes: MINUTE.read(minute)?,
            hours: HOUR.read(hour)?,
            days: DAY.read(day)?,
            months: MONTH.read(month)?,
            weekdays: if weekdays & 1 << 7 == 0 { weekdays } else { weekdays | 1 },
            either_day: !day.starts_with('*') && !weekday.starts_with('*'),
            any_hour: hour.starts_with('*'),
        };
        cron.least_gap().map(|_| cron).ok_or(CronError::Never)
    }
}

impl Cron {
    fn is_day(&self, date: Date) -> bool {
        let weekday = date.weekday().to_sunday_zero_offset();
        let of_month = self.days & 1 << date.day() != 0;
        let of_week = self.weekdays & 1 << weekday != 0;
        let right_day = if self.either_day { of_month || of_week } else { of_month && of_week };
        self.months & 1 << date.month() != 0 && right_day
    }

    /// Minutes of a day, the first one first.
    fn times(&self) -> impl Iterator<Item = (i8, i8)> {
        let hours = (0..24).filter(|hour| self.hours & 1 << hour != 0);
        hours.flat_map(|hour| {
            (0..60).filter(|minute| self.minutes & 1 << minute != 0).map(move |minute| (hour, minute))
        })
    }

    /// The first time after that instant, in this zone.
    pub fn next(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let after = jiff::Timestamp::from_microsecond(after.unix_micros()).ok()?;
        // A time that was skipped the evening before may be today.
        let mut day = zone.to_datetime(after).date().yesterday().ok()?;
        for _ in 0..PERIOD_DAYS {
            if self.is_day(day) {
                let times = self.times().flat_map(|(hour, minute)| self.instants(day, hour, minute, zone));
                if let Some(next) = times.filter(|at| *at > after).min() {
                    return Some(Timestamp::from_unix_micros(next.as_microsecond()));
                }
            }
            day = day.tomorrow().ok()?;
        }
        None
    }

    /// When it is that time that day: once, also twice or never where the clocks change.
    fn instants(
        &self,
        day: Date,
        hour: i8,
        minute: i8,
        zone: &TimeZone,
    ) -> impl Iterator<Item = jiff::Timestamp> + use<> {
        let wall = day.to_datetime(time(hour, minute, 0, 0));
        let found = match zone.to_ambiguous_timestamp(wall).offset() {
            AmbiguousOffset::Unambiguous { offset } => [offset.to_timestamp(wall).ok(), None],
            AmbiguousOffset::Fold { before, after } => {
                let second = after.to_timestamp(wall).ok().filter(|_| self.any_hour);
                [before.to_timestamp(wall).ok(), second]
            }
            AmbiguousOffset::Gap { .. } if self.any_hour => [None, None],
            AmbiguousOffset::Gap { before, .. } => {
                let past = before.to_timestamp(wall).ok().and_then(|at| at.checked_add(1.second()).ok());
                [past.and_then(|past| zone.preceding(past).next()).map(|change| change.timestamp()), None]
            }
        };
        found.into_iter().flatten()
    }

    /// The shortest time between two runs, over the whole period of the calendar; `None`: there are none.
    pub fn least_gap(&self) -> Option<Duration> {
        let times: Vec<u32> = self
            .times()
            .map(|(hour, minute)| u32::from(hour.unsigned_abs()) * 60 + u32::from(minute.unsigned_abs()))
            .collect();
        let (first, last) = (*times.first()?, *times.last()?);
        let within = times.windows(2).map(|pair| pair[1] - pair[0]).min();
        let (mut day, mut since, mut across) = (date(2000, 1, 1), None::<u32>, None::<u32>);
        for index in 0..PERIOD_DAYS {
            if self.is_day(day) {
                let gap = since.map(|since| (index - since) * 24 * 60 - last + first);
                across = across.into_iter().chain(gap).min();
                since = Some(index);
            }
            day = day.tomorrow().ok()?;
        }
        since?;
        let minutes = within.into_iter().chain(across).min().unwrap_or(PERIOD_DAYS * 24 * 60);
        Some(Duration::from_secs(u64::from(minutes) * 60))
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl fmt::Debug for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::from_unix_micros(text.parse::<jiff::Timestamp>().unwrap().as_microsecond())
    }

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    fn cron(text: &str) -> Cron {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    /// The runs after that instant, as the clock on the wall shows them.
    fn runs(text: &str, zone_name: &str, after: &str, count: usize) -> Vec<String> {
        let (cron, zone) = (cron(text), zone(zone_name));
        let next = |last: &Timestamp| cron.next(*last, &zone);
        let wall = |at: Timestamp| {
            let at = jiff::Timestamp::from_microsecond(at.unix_micros()).unwrap();
            at.to_zoned(zone.clone()).strftime("%m-%d %H:%M%:z").to_string()
        };
        std::iter::successors(next(&at(after)), next).take(count).map(wall).collect()
    }

    #[test]
    fn when_it_is_next() {
        // 2026-11-21 is a Saturday.
        for (text, expected) in [
            ("0 9 * * *", ["11-22 09:00", "11-23 09:00"]),
            ("0 9 * * 1-5", ["11-23 09:00", "11-24 09:00"]),
            ("*/20 10,11 * * *", ["11-21 10:20", "11-21 10:40"]),
            ("5/30 10 * * *", ["11-21 10:05", "11-21 10:35"]),
            ("0 0 1 * *", ["12-01 00:00", "01-01 00:00"]),
            ("0 12 29 feb *", ["02-29 12:00", "02-29 12:00"]),
            ("0 12 * * sun", ["11-22 12:00", "11-29 12:00"]),
            ("0 12 * * 7", ["11-22 12:00", "11-29 12:00"]),
            ("0 12 * * 5-7", ["11-21 12:00", "11-22 12:00"]),
            // Either day will do where both are named.
            ("0 12 24 * mon", ["11-23 12:00", "11-24 12:00"]),
            // The first Monday can't be said this way: a star with a step names no day.
            ("0 12 */2 * mon", ["11-23 12:00", "12-07 12:00"]),
            ("@hourly", ["11-21 11:00", "11-21 12:00"]),
            ("@weekly", ["11-22 00:00", "11-29 00:00"]),
        ] {
            let after =
                if text.starts_with("5/30") { "2026-11-21T10:00:00Z" } else { "2026-11-21T10:00:30Z" };
            let found = runs(text, "UTC", after, 2);
            let found: Vec<&str> = found.iter().map(|run| &run[..11]).collect();
            assert_eq!(found, expected, "{text}");
        }
        let leap = cron("0 12 29 2 *").next(at("2026-11-21T10:00:00Z"), &TimeZone::UTC);
        assert_eq!(leap, Some(at("2028-02-29T12:00:00Z")));
    }

    #[test]
    fn the_clocks_change() {
        let (spring, autumn) = ("2026-03-28T12:00:00Z", "2026-10-24T12:00:00Z");
        for (text, after, expected) in [
            // 02:00 is followed by 03:00 on March 29th: what was to be in between is at 03:00, once.
            ("30 2 * * *", spring, ["03-29 03:00+02:00", "03-30 02:30+02:00", "03-31 02:30+02:00"]),
            ("0,30 2,3 * * *", spring, ["03-29 03:00+02:00", "03-29 03:30+02:00", "03-30 02:00+02:00"]),
            ("0 9 * * *", spring, ["03-29 09:00+02:00", "03-30 09:00+02:00", "03-31 09:00+02:00"]),
            // 02:30 is there twice on October 25th.
            ("30 2 * * *", autumn, ["10-25 02:30+02:00", "10-26 02:30+01:00", "10-27 02:30+01:00"]),
        ] {
            assert_eq!(runs(text, "Europe/Berlin", after, 3), expected, "{text}");
        }
        // By the hours that pass: none is skipped, none is there twice as far as an hourglass can tell.
        let spring = runs("0 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", 2);
        assert_eq!(spring, ["03-29 03:00+02:00", "03-29 04:00+02:00"]);
        let autumn = runs("0 * * * *", "Europe/Berlin", "2026-10-24T23:30:00Z", 3);
        assert_eq!(autumn, ["10-25 02:00+02:00", "10-25 02:00+01:00", "10-25 03:00+01:00"]);
        // Midnight itself is skipped there.
        let midnight = runs("0 0 * * *", "America/Santiago", "2026-09-05T12:00:00Z", 2);
        assert_eq!(midnight, ["09-06 01:00-03:00", "09-07 00:00-03:00"]);
        // A whole day was.
        let samoa = runs("0 9 * * *", "Pacific/Apia", "2011-12-29T12:00:00Z", 3);
        assert_eq!(samoa, ["12-29 09:00-10:00", "12-31 00:00+14:00", "12-31 09:00+14:00"]);
    }

    #[test]
    fn how_close_two_runs_are_at_their_closest() {
        const HOUR: u64 = 60;
        for (text, minutes) in [
            ("0 * * * *", HOUR),
            ("0,1 0 1 1 *", 1),
            ("0,59 * * * *", 1),
            ("0 0,23 * * *", HOUR),
            ("59 23 * * *", 24 * HOUR),
            ("0 9 * * 1-5", 24 * HOUR),
            ("0 9 1,15 * *", 14 * 24 * HOUR),
            ("0 0 31 12 *", 365 * 24 * HOUR),
            // On the first of a month that is a Sunday, and the day before.
            ("0 9 31,1 * *", 24 * HOUR),
            ("*/5 * * * *", 5),
            ("0 12 29 2 *", 1_461 * 24 * HOUR),
        ] {
            assert_eq!(cron(text).least_gap().map(|gap| gap.as_secs() / 60), Some(minutes), "{text}");
        }
    }

    #[test]
    fn what_is_none() {
        for (text, expected) in [
            ("", "must have five fields"),
            ("0 9 * *", "must have five fields"),
            ("0 0 9 * * *", "must have five fields"),
            ("60 9 * * *", "the minute must be 0 to 59"),
            ("0 24 * * *", "the hour must be 0 to 23"),
            ("0 9 0 * *", "the day must be 1 to 31"),
            ("0 9 * 13 *", "the month must be 1 to 12"),
            ("0 9 * * 8", "the weekday must be 0 to 7"),
            ("0 9 * * mon-", "the weekday must be"),
            ("0 9 L * *", "the day must be"),
            ("0 9 ? * *", "the day must be"),
            ("*/0 9 * * *", "the minute must be"),
            ("5-1 9 * * *", "the minute must be"),
            ("-5 9 * * *", "the minute must be"),
            ("+5 9 * * *", "the minute must be"),
            ("0,,5 9 * * *", "the minute must be"),
            ("@reboot", "must have five fields"),
            ("0 9 31 2 *", "never comes"),
            ("0 9 30 feb *", "never comes"),
        ] {
            let error = text.parse::<Cron>().unwrap_err().to_string();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
        assert_eq!("1,".repeat(200).parse::<Cron>(), Err(CronError::Fields));
    }
}
