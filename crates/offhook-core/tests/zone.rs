//! Where a number is, and when people there work.

use offhook_core::PhoneNumber;
use offhook_core::zone::{self, Closed};

fn number(text: &str) -> PhoneNumber {
    PhoneNumber::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn the_first_digits_tell_the_zones() {
    let rows: &[(&str, &[&str])] = &[
        ("+1 415 555 0100", &["America/Los_Angeles"]),
        ("+1 212 555 0100", &["America/New_York"]),
        ("+1 602 555 0100", &["America/Phoenix"]),
        ("+1 808 555 0100", &["Pacific/Honolulu"]),
        ("+1 416 555 0100", &["America/Toronto"]),
        ("+49 30 901820", &["Europe/Berlin"]),
        ("+81 3 3224 1234", &["Asia/Tokyo"]),
        ("+61 8 9224 1234", &["Australia/Adelaide", "Australia/Perth"]),
        ("+55 92 3212 1234", &["America/Manaus"]),
        // A number of no place is answered somewhere between the coasts.
        (
            "+1 800 555 0199",
            &["America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles"],
        ),
        (
            "+1 888 221 1161",
            &["America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles"],
        ),
        // Satellites are nowhere.
        ("+870 773 111 632", &[]),
    ];
    for (text, expected) in rows {
        assert_eq!(zone::zones(&number(text)).collect::<Vec<_>>(), *expected, "{text}");
    }
}

#[test]
fn a_number_may_be_in_several_zones_and_its_exchange_tells_more() {
    let zones = |text: &str| zone::zones(&number(text)).collect::<Vec<_>>();
    assert_eq!(zones("+1 907 555 0100"), ["America/Adak", "America/Anchorage"]);
    // Florida's panhandle keeps central time.
    assert_eq!(zones("+1 850 200 0100"), ["America/Chicago"]);
    assert_eq!(zones("+1 850 555 0100"), ["America/New_York"]);
    assert_eq!(zones("+7 401 253 0000"), ["Europe/Kaliningrad"]);
}

#[test]
fn the_table_is_made_of_zones() {
    assert!(zone::all().count() > 2_000);
    assert!(zone::all().all(|zone| zone.contains('/') && !zone.contains(' ')));
}

#[test]
fn offices_are_closed_in_the_evening_and_when_the_week_is_over() {
    use Closed::{After18, Before8, Weekend};
    let (us, israel, india) = (number("+14155550100"), number("+97226701111"), number("+911123456789"));
    let rows = [
        (&us, 1, 7, Some(Before8)),
        (&us, 1, 8, None),
        (&us, 5, 17, None),
        (&us, 5, 18, Some(After18)),
        (&us, 3, 0, Some(Before8)),
        (&us, 6, 10, Some(Weekend)),
        (&us, 7, 23, Some(Weekend)),
        (&israel, 5, 10, Some(Weekend)),
        (&israel, 7, 10, None),
        (&india, 6, 10, None),
        (&india, 7, 10, Some(Weekend)),
    ];
    for (number, weekday, hour, expected) in rows {
        assert_eq!(Closed::at(number, weekday, hour), expected, "{number:?} day {weekday} hour {hour}");
    }
}
