//! Identifiers and instants.

use std::time::Duration;

use offhook_core::{CallId, Timestamp};
use proptest::prelude::*;

proptest! {
    #[test]
    fn an_id_is_a_uuid_of_version_7_and_reads_back(millis in 0i64..(1 << 47), random: [u8; 10]) {
        let id = CallId::from_parts(Timestamp::from_unix_millis(millis), random);
        prop_assert_eq!(id.as_uuid().get_version_num(), 7);
        prop_assert_eq!(id.to_string().parse(), Ok(id));
        prop_assert_eq!(format!("{id:?}"), id.to_string());
    }

    #[test]
    fn ids_sort_by_time_of_creation(a in 0i64..(1 << 47), b in 0i64..(1 << 47), x: [u8; 10], y: [u8; 10]) {
        prop_assume!(a != b);
        let (a, b) = (a.min(b), a.max(b));
        let (a, b) = (Timestamp::from_unix_millis(a), Timestamp::from_unix_millis(b));
        prop_assert!(CallId::from_parts(a, x) < CallId::from_parts(b, y));
        prop_assert!(CallId::from_parts(a, x).to_string() < CallId::from_parts(b, y).to_string());
    }

    #[test]
    fn no_instant_overflows(micros: i64, millis: i64, seconds: u64) {
        let at = Timestamp::from_unix_micros(micros);
        let duration = Duration::from_secs(seconds);
        prop_assert!(at + duration >= at);
        prop_assert!(at - duration <= at);
        let _ = Timestamp::from_unix_millis(millis).since(at);
        let _ = format!("{at:?}");
    }

    #[test]
    fn since_is_the_inverse_of_adding(micros in 0i64..(1 << 60), duration_us in 0u64..(1 << 60)) {
        let (at, duration) = (Timestamp::from_unix_micros(micros), Duration::from_micros(duration_us));
        prop_assert_eq!((at + duration).since(at), duration);
        prop_assert_eq!((at + duration) - duration, at);
        prop_assert_eq!(at.since(at + duration), Duration::ZERO);
    }
}

#[test]
fn what_is_no_uuid_is_no_id() {
    for text in ["", "call-1", "7b0c4e1a-52d9-4c8e-9f21-6d3a8be5f01"] {
        assert!(text.parse::<CallId>().is_err(), "{text:?}");
    }
}

#[test]
fn an_instant_shows_seconds_and_microseconds() {
    assert_eq!(format!("{:?}", Timestamp::from_unix_micros(1_763_712_000_020_000)), "1763712000.020000");
}
