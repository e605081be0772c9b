//! When a schedule runs: computed from what was written and when it was due last, never from when somebody looked.
//!
//! A run that falls into quiet hours waits for their end, together with all others that do: they are one. What was
//! due while nobody was there is not made up for: it is told, and run once at most.

use std::time::Duration;

use jiff::ToSpan as _;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use offhook_core::Timestamp;
use offhook_core::time::DAY;

use super::cron::Cron;

/// As late as a run may be and count as on time.
pub const ON_TIME: Duration = Duration::from_secs(5 * 60);
/// Nobody knows what a run is good for that is later than that.
pub const LATEST: Duration = DAY;
/// More are not counted.
const MOST_COUNTED: u32 = 1_000;

/// When, by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    Once(Timestamp),
    Cron(Cron, TimeZone),
}

/// Hours of a day in which nothing runs. They may go over midnight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quiet {
    pub from: Time,
    pub to: Time,
    pub zone: TimeZone,
}

/// What becomes of a run whose time passed while nobody was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missed {
    /// The last of them is run late.
    RunOnce,
    Skip,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub when: When,
    pub quiet: Option<Quiet>,
    pub missed: Missed,
}

/// Runs that were missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone {
    /// The first of them.
    pub due: Timestamp,
    pub count: u32,
}

/// What a schedule does whose time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The run that is done now.
    pub run: Option<Timestamp>,
    pub gone: Option<Gone>,
    /// When it is due next; never again when `None`.
    pub next: Option<Timestamp>,
}

impl When {
    fn next(&self, after: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Once(at) => Some(*at).filter(|at| *at > after),
            Self::Cron(cron, zone) => cron.next(after, zone),
        }
    }
}

impl Quiet {
    /// When it is over, where it is quiet then.
    pub fn end(&self, at: Timestamp) -> Option<Timestamp> {
        let at = jiff::Timestamp::from_microsecond(at.unix_micros()).ok()?;
        let wall = self.zone.to_datetime(at);
        let time = wall.time();
        let over_midnight = self.from > self.to;
        let is_quiet = match over_midnight {
            true => time >= self.from || time < self.to,
            false => (self.from..self.to).contains(&time),
        };
        if !is_quiet {
            return None;
        }
        let day = if over_midnight && time >= self.from { wall.date().tomorrow().ok()? } else { wall.date() };
        // An hour that is there twice is quiet twice.
        let end = self.zone.to_ambiguous_timestamp(day.to_datetime(self.to)).later().ok()?;
        // Where the clocks change the end may seem to be over.
        let end = if end > at { end } else { at.checked_add(1.minute()).ok()? };
        Some(Timestamp::from_unix_micros(end.as_microsecond()))
    }
}

impl Plan {
    /// The first run after that instant.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        self.when.next(after).map(|due| self.woken(due))
    }

    /// Then, or when it is no longer quiet.
    fn woken(&self, at: Timestamp) -> Timestamp {
        self.quiet.as_ref().and_then(|quiet| quiet.end(at)).unwrap_or(at)
    }

    /// What is done now, where it was due then.
    pub fn turn(&self, due: Timestamp, now: Timestamp) -> Turn {
        let next = self.next(now.max(due));
        if now.since(due) <= ON_TIME {
            let next = self.next(due);
            return match self.woken(now.max(due)) {
                at if at <= now.max(due) => Turn { run: Some(due), gone: None, next },
                // The clock was set, or what is quiet was changed.
                quiet_until => Turn { run: None, gone: None, next: Some(quiet_until) },
            };
        }
        let (last, count) = self.passed(due, now);
        let may_run = self.missed == Missed::RunOnce && now.since(last) <= LATEST;
        match may_run {
            // It is run late, when that is not at night.
            true if self.woken(now) > now => {
                let gone = (count > 1).then_some(Gone { due, count: count - 1 });
                Turn { run: None, gone, next: Some(self.woken(now)) }
            }
            true => {
                let gone = (count > 1).then_some(Gone { due, count: count - 1 });
                Turn { run: Some(last), gone, next }
            }
            // The last one is still on time.
            false if now.since(last) <= ON_TIME && count > 1 && self.woken(now) <= now => {
                Turn { run: Some(last), gone: Some(Gone { due, count: count - 1 }), next }
            }
            false => Turn { run: None, gone: Some(Gone { due, count }), next },
        }
    }

    /// The last time that is not after now, and how many there were.
    fn passed(&self, due: Timestamp, now: Timestamp) -> (Timestamp, u32) {
        let (mut last, mut count) = (due, 1);
        while count < MOST_COUNTED
            && let Some(next) = self.next(last).filter(|next| *next <= now)
        {
            (last, count) = (next, count + 1);
        }
        // There were more than anybody counts; whether the last one may be done late is asked of the last one.
        let mut from = last.max(now - LATEST);
        while let Some(next) = self.next(from).filter(|next| *next <= now) {
            (last, from) = (next, next);
        }
        (last, count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::time;

    fn at(text: &str) -> Timestamp {
        Timestamp::from_unix_micros(text.parse::<jiff::Timestamp>().unwrap().as_microsecond())
    }

    /// On November 21st 2026, in UTC.
    fn today(time: &str) -> Timestamp {
        at(&format!("2026-11-21T{time}Z"))
    }

    fn quiet(from: i8, to: i8, zone: &str) -> Quiet {
        Quiet { from: time(from, 0, 0, 0), to: time(to, 0, 0, 0), zone: TimeZone::get(zone).unwrap() }
    }

    fn plan(cron: &str, quiet: Option<Quiet>, missed: Missed) -> Plan {
        Plan { when: When::Cron(cron.parse().unwrap(), TimeZone::UTC), quiet, missed }
    }

    #[test]
    fn due_times_come_from_the_schedule_and_not_from_when_somebody_looks() {
        let hourly = plan("0 * * * *", None, Missed::RunOnce);
        // The tick that comes late does not cost the next run, which comes 59 minutes and a second after it.
        let late = hourly.turn(today("09:00:00"), today("09:00:59"));
        assert_eq!(late, Turn { run: Some(today("09:00:00")), gone: None, next: Some(today("10:00:00")) });
        let next = hourly.turn(today("10:00:00"), today("10:00:00"));
        assert_eq!(next, Turn { run: Some(today("10:00:00")), gone: None, next: Some(today("11:00:00")) });
    }

    #[test]
    fn the_last_of_very_many_that_were_missed_is_run() {
        let often = plan("*/5 * * * *", None, Missed::RunOnce);
        let due = at("2026-11-16T09:00:00Z");
        let turn = often.turn(due, today("09:04:00"));
        let gone = Some(Gone { due, count: MOST_COUNTED - 1 });
        assert_eq!(turn, Turn { run: Some(today("09:00:00")), gone, next: Some(today("09:05:00")) });
    }

    #[test]
    fn what_was_missed_is_told_and_not_piled_up() {
        let gone = |due: &str, count| Some(Gone { due: today(due), count });
        for (missed, now, run, expected, next) in [
            (Missed::RunOnce, "12:30:00", Some("12:00:00"), gone("09:00:00", 3), "13:00:00"),
            (Missed::Skip, "12:30:00", None, gone("09:00:00", 4), "13:00:00"),
            // The last of them is on time.
            (Missed::Skip, "12:02:00", Some("12:00:00"), gone("09:00:00", 3), "13:00:00"),
            (Missed::RunOnce, "09:30:00", Some("09:00:00"), None, "10:00:00"),
            (Missed::Skip, "09:30:00", None, gone("09:00:00", 1), "10:00:00"),
        ] {
            let turn = plan("0 * * * *", None, missed).turn(today("09:00:00"), today(now));
            let expected = Turn { run: run.map(today), gone: expected, next: Some(today(next)) };
            assert_eq!(turn, expected, "{missed:?} {now}");
        }
    }

    #[test]
    fn a_year_is_not_counted_run_by_run() {
        let often = plan("*/5 * * * *", None, Missed::Skip);
        let turn = often.turn(at("2025-11-21T09:00:00Z"), today("09:03:00"));
        // The last one is on time.
        assert_eq!(turn.run, Some(today("09:00:00")));
        assert_eq!(turn.gone.map(|gone| gone.count), Some(MOST_COUNTED - 1));
        assert_eq!(turn.next, Some(today("09:05:00")));
    }

    #[test]
    fn once_is_once() {
        let once = |missed| Plan { when: When::Once(today("09:00:00")), quiet: None, missed };
        assert_eq!(once(Missed::Skip).next(today("08:00:00")), Some(today("09:00:00")));
        assert_eq!(once(Missed::Skip).next(today("09:00:00")), None);
        let run = Turn { run: Some(today("09:00:00")), gone: None, next: None };
        assert_eq!(once(Missed::Skip).turn(today("09:00:00"), today("09:00:10")), run);
        assert_eq!(once(Missed::RunOnce).turn(today("09:00:00"), today("15:00:00")), run);
        let missed = Turn { run: None, gone: Some(Gone { due: today("09:00:00"), count: 1 }), next: None };
        assert_eq!(once(Missed::Skip).turn(today("09:00:00"), today("15:00:00")), missed);
        // Days later nobody wants it any more.
        assert_eq!(once(Missed::RunOnce).turn(today("09:00:00"), at("2026-11-23T09:00:00Z")), missed);
    }

    #[test]
    fn quiet_hours_are_waited_for_and_what_falls_into_them_is_one_run() {
        let often = plan("*/30 * * * *", Some(quiet(22, 8, "UTC")), Missed::RunOnce);
        let mut due = today("21:10:00");
        let mut runs = Vec::new();
        for _ in 0..4 {
            due = often.next(due).unwrap();
            runs.push(due);
        }
        let tomorrow = |time: &str| at(&format!("2026-11-22T{time}Z"));
        assert_eq!(
            runs,
            [today("21:30:00"), tomorrow("08:00:00"), tomorrow("08:30:00"), tomorrow("09:00:00")]
        );
        // Somebody who starts offhook at night wakes nobody up.
        let late = often.turn(today("21:30:00"), today("23:15:00"));
        assert_eq!(late, Turn { run: None, gone: None, next: Some(tomorrow("08:00:00")) });
    }

    #[test]
    fn quiet_hours_are_those_of_their_zone() {
        for (from, to, zone, now, end) in [
            (22, 8, "UTC", "2026-11-21T21:59:00Z", None),
            (22, 8, "UTC", "2026-11-21T22:00:00Z", Some("2026-11-22T08:00:00Z")),
            (22, 8, "UTC", "2026-11-22T07:59:00Z", Some("2026-11-22T08:00:00Z")),
            (22, 8, "UTC", "2026-11-22T08:00:00Z", None),
            (12, 14, "UTC", "2026-11-21T13:00:00Z", Some("2026-11-21T14:00:00Z")),
            (12, 14, "UTC", "2026-11-21T11:00:00Z", None),
            (22, 8, "America/Los_Angeles", "2026-11-21T22:00:00Z", None),
            (22, 8, "America/Los_Angeles", "2026-11-21T10:00:00Z", Some("2026-11-21T16:00:00Z")),
            // The night in which an hour is there twice is an hour longer; the end is the second one.
            (0, 8, "Europe/Berlin", "2026-10-25T00:30:00Z", Some("2026-10-25T07:00:00Z")),
            (1, 3, "Europe/Berlin", "2026-10-25T01:30:00Z", Some("2026-10-25T02:00:00Z")),
            // An end that is skipped is when the clocks have changed, and the same time later.
            (1, 2, "Europe/Berlin", "2026-03-29T00:30:00Z", Some("2026-03-29T01:00:00Z")),
        ] {
            assert_eq!(quiet(from, to, zone).end(at(now)), end.map(at), "{from}–{to} {zone} {now}");
        }
    }
}
