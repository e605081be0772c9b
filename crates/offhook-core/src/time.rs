//! The one representation of an instant. Core never reads a clock: the shell passes `now` in.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// The day of limits and retention is any 24 hours, so that there is no rush at midnight.
pub const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Microseconds since the Unix epoch.
///
/// The shell derives it from a monotonic clock anchored once to the wall clock, so within a process it never
/// runs backwards, and it can be stored and shown as it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    pub const fn from_unix_micros(micros: i64) -> Self {
        Self(micros)
    }

    pub const fn from_unix_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    pub const fn unix_micros(self) -> i64 {
        self.0
    }

    pub const fn unix_millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Time since `earlier`; zero when `earlier` is in fact later.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0).max(0) as u64)
    }
}

impl Add<Duration> for Timestamp {
    type Output = Timestamp;

    fn add(self, duration: Duration) -> Timestamp {
        Timestamp(self.0.saturating_add(duration.as_micros().min(i64::MAX as u128) as i64))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Timestamp;

    fn sub(self, duration: Duration) -> Timestamp {
        Timestamp(self.0.saturating_sub(duration.as_micros().min(i64::MAX as u128) as i64))
    }
}

/// Seconds since the epoch with six decimals: `1763712000.020000`.
impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0.div_euclid(1_000_000), self.0.rem_euclid(1_000_000))
    }
}
