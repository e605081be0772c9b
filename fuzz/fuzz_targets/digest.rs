//! Digest challenges of whoever answers in the trunk's name.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offhook_carrier::sip::fuzzing;

fuzz_target!(|field: &str| fuzzing::challenge(field));
