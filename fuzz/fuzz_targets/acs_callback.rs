//! Callbacks of ACS, as whoever finds the door may send them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offhook_carrier::acs::fuzzing;

fuzz_target!(|body: &[u8]| fuzzing::callback(body));
