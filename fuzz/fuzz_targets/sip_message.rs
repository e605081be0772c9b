//! SIP requests and responses off the wire.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offhook_carrier::sip::fuzzing;

fuzz_target!(|bytes: &[u8]| fuzzing::message(bytes));
