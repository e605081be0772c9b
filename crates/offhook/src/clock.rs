//! The process's one clock: wall time at start plus monotonic time since, so it never runs backwards.

use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

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
