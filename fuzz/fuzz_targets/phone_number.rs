//! A number as anybody may send it. What parses must survive being written and parsed again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offhook_core::PhoneNumber;

fuzz_target!(|text: &str| {
    if let Ok(number) = PhoneNumber::parse(text) {
        assert_eq!(PhoneNumber::parse(number.as_e164()).as_ref(), Ok(&number));
    }
});
