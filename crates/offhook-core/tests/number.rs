//! Telephone numbers: what is one, what is none and why.

use offhook_core::PhoneNumber;
use offhook_core::number::NumberKind::{self, *};
use offhook_core::number::ParseNumberError::{self, *};

#[test]
fn numbers_are_read_however_people_write_them() {
    for (written, e164) in [
        ("+14155550100", "+14155550100"),
        ("+1 415 555 0100", "+14155550100"),
        ("+1 (415) 555-0100", "+14155550100"),
        ("+1.415.555.0100", "+14155550100"),
        ("  +1\u{a0}415\u{2011}555\u{2011}0100\n", "+14155550100"),
        ("+44 (0)20 7946 0958", "+442079460958"),
        ("+39 06 698 12345", "+390669812345"),
        ("+49 30 123456", "+4930123456"),
        ("+6834002", "+6834002"),
    ] {
        let number = PhoneNumber::parse(written).unwrap_or_else(|error| panic!("{written}: {error}"));
        assert_eq!(number.to_string(), e164);
        assert_eq!(e164.parse(), Ok(number), "{e164} reads back");
    }
}

#[test]
fn what_is_no_number_says_why() {
    let table: &[(&str, ParseNumberError)] = &[
        ("", NotE164),
        ("+", NotE164),
        ("hello", NotE164),
        ("4155550100", NotE164),
        ("0014155550100", NotE164),
        ("+1415555O100", NotE164),
        ("+1415555010\u{661}", NotE164),
        ("++14155550100", NotE164),
        ("+1-415-555-0100 ext. 5", NotE164),
        ("+1 415 555 0100;sip:evil", NotE164),
        ("+1 415 555 0100\r\nVia: x", NotE164),
        ("tel:+14155550100", NotE164),
        ("+1 1 415 555 0100", NotE164),
        ("+1415555010", TooShort),
        ("+1 555 0100", TooShort),
        ("+1 41", TooShort),
        ("+141555501000", TooLong),
        ("+1234567890123456", TooLong),
        ("+999 123 456 789", UnknownCountry),
        ("+0 415 555 0100", UnknownCountry),
        ("+210 123 4567", UnknownCountry),
        ("911", Emergency),
        ("112", Emergency),
        (" 9-1-1 ", Emergency),
        ("000", Emergency),
        ("+911", Emergency),
        ("+112", Emergency),
        ("+1911", Emergency),
        ("+1 911", Emergency),
        ("+1 988", Emergency),
        ("+44 999", Emergency),
        ("+49112", Emergency),
        ("+1 411", ShortCode),
        ("411", ShortCode),
        ("*67", ShortCode),
        ("72727", ShortCode),
    ];
    for (written, error) in table {
        assert_eq!(PhoneNumber::parse(written), Err(*error), "{written:?}");
    }
}

#[test]
fn the_numbering_plan_tells_country_region_and_kind() {
    let table: &[(&str, u16, Option<&str>, NumberKind)] = &[
        ("+12067797979", 1, Some("US"), FixedLineOrMobile),
        ("+18002752273", 1, Some("US"), TollFree),
        ("+19005551234", 1, Some("US"), PremiumRate),
        ("+16135550123", 1, Some("CA"), FixedLineOrMobile),
        ("+18765230123", 1, Some("JM"), FixedLineOrMobile),
        ("+18092345678", 1, Some("DO"), FixedLineOrMobile),
        ("+17872345678", 1, Some("PR"), FixedLineOrMobile),
        ("+19110000000", 1, None, Unassigned),
        ("+442079460958", 44, Some("GB"), FixedLine),
        ("+447400123456", 44, Some("GB"), Mobile),
        ("+491801234567", 49, Some("DE"), SharedCost),
        ("+449098765432", 44, Some("GB"), PremiumRate),
        ("+4915123456789", 49, Some("DE"), Mobile),
        ("+499001234567", 49, Some("DE"), PremiumRate),
        ("+80012345678", 800, None, TollFree),
        ("+979123456789", 979, None, PremiumRate),
    ];
    for (written, country_code, region, kind) in table {
        let number = PhoneNumber::parse(written).unwrap_or_else(|error| panic!("{written}: {error}"));
        let found = (number.country_code(), number.region(), number.kind());
        assert_eq!(found, (*country_code, *region, *kind), "{written}");
    }
}

#[test]
fn the_numbers_of_the_sandbox_are_numbers() {
    for last in 0..=99 {
        let number = PhoneNumber::parse(&format!("+1415555{:04}", 100 + last)).expect("a possible number");
        assert!(number.is_fictional());
        assert!(!number.resembles_emergency());
    }
    for real in ["+14155550200", "+14155550099", "+14155560100", "+445550155501"] {
        assert!(!PhoneNumber::parse(real).expect(real).is_fictional(), "{real}");
    }
}

#[test]
fn an_emergency_number_hides_in_a_longer_one() {
    for hidden in ["+19110000000", "+19115550100", "+19880000000", "+449991234567", "+4911234567"] {
        assert!(PhoneNumber::parse(hidden).expect(hidden).resembles_emergency(), "{hidden}");
    }
    for harmless in ["+14159110000", "+12067797979", "+4919034567", "+14155550112"] {
        assert!(!PhoneNumber::parse(harmless).expect(harmless).resembles_emergency(), "{harmless}");
    }
}

#[test]
fn national_is_what_follows_the_country_code() {
    for (e164, national) in
        [("+14155550100", "4155550100"), ("+442079460958", "2079460958"), ("+3545812345", "5812345")]
    {
        assert_eq!(PhoneNumber::parse(e164).expect(e164).national(), national);
    }
}

#[test]
fn debug_shows_the_country_and_two_digits() {
    let number = PhoneNumber::parse("+14155550123").expect("a number");
    assert_eq!(format!("{number:?}"), "+1…23");
    assert_eq!(format!("{:?}", Some(&number)), "Some(+1…23)");
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,40}") {
        let _ = PhoneNumber::parse(&text);
    }

    #[test]
    fn what_parses_is_e164_and_parses_to_itself(text in "\\+[0-9 ()-]{4,20}") {
        if let Ok(number) = PhoneNumber::parse(&text) {
            let e164 = number.as_e164();
            proptest::prop_assert!(e164.len() <= 16 && e164.starts_with('+'));
            proptest::prop_assert!(e164[1..].bytes().all(|byte| byte.is_ascii_digit()));
            proptest::prop_assert_eq!(PhoneNumber::parse(e164), Ok(number.clone()));
        }
    }
}
