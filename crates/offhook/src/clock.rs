//! The process's one clock: wall time at start plus monotonic time since, so it never runs backwards.

use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::tz::TimeZone;
use offhook_core::Timestamp;
use tokio::time::Instant;

static ANCHOR: LazyLock<(Instant, Timestamp)> = LazyLock::new(|| {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    (Instant::now(), Timestamp::from_unix_micros(0) + unix)
});

pub fn now() -> Timestamp {
    let (anchor, unix) = *ANCHOR;
    unix + anchor.elapsed()
}

/// When `at` will be, for a timer.
pub fn instant(at: Timestamp) -> Instant {
    let (anchor, unix) = *ANCHOR;
    anchor + at.since(unix)
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
}
