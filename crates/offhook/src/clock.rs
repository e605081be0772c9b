//! What time it is: the wall clock, and for each call a clock of its own.
//!
//! A call's clock is set by the wall clock when the call begins and runs on monotonic time from there: within a call
//! nothing ever happens before what caused it, and no limit is reached early or late because somebody set the time. A
//! step of the wall clock (NTP, a laptop that slept) is seen by the next call.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::tz::TimeZone;
use offhook_core::Timestamp;
use tokio::time::Instant;

/// The wall clock. May be set back between two looks.
pub fn now() -> Timestamp {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Timestamp::from_unix_micros(0) + unix
}

/// The clock of one call.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    set_at: Instant,
    /// What it was set to.
    wall: Timestamp,
}

impl Clock {
    /// A clock that is set now.
    pub fn set() -> Self {
        Self::set_to(now(), Instant::now())
    }

    fn set_to(wall: Timestamp, set_at: Instant) -> Self {
        Self { set_at, wall }
    }

    pub fn now(&self) -> Timestamp {
        self.at(Instant::now())
    }

    /// What it shows, or showed, at that instant; never less than what it was set to.
    fn at(&self, instant: Instant) -> Timestamp {
        self.wall + instant.saturating_duration_since(self.set_at)
    }

    /// When it will show `at`, for a timer.
    pub fn instant(&self, at: Timestamp) -> Instant {
        self.set_at + at.since(self.wall)
    }
}

/// ISO 8601 in UTC with milliseconds, as the API writes instants: `2026-11-03T18:22:04.310Z`.
pub fn iso(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_millisecond(at.unix_millis()).unwrap_or_default();
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_793_730_124_310_999, "2026-11-03T18:22:04.310Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(iso(Timestamp::from_unix_micros(micros)), text);
        }
    }

    #[test]
    fn a_call_keeps_its_time_and_the_next_one_sees_the_step() {
        const HOUR: Duration = Duration::from_secs(3_600);
        let (begin, wall) = (Instant::now(), Timestamp::from_unix_millis(1_790_000_000_000));
        let before = Clock::set_to(wall, begin);
        // Meanwhile the wall clock is set: forward, and back to before the first call began.
        for stepped in [wall + 8 * HOUR, wall - HOUR] {
            let after = Clock::set_to(stepped, begin + HOUR);
            for later in [HOUR, 2 * HOUR, 3 * HOUR] {
                assert_eq!(before.at(begin + later), wall + later);
                assert_eq!(after.at(begin + later), stepped + (later - HOUR));
                assert_eq!(after.instant(after.at(begin + later)), begin + later, "timers agree with it");
            }
        }
        assert_eq!(before.at(begin - Duration::from_millis(1)), wall, "nothing was before the call");
    }
}
