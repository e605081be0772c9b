//! The media connection of ACS: WebSocket frames however they are cut, and the JSON in them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offhook_carrier::acs::fuzzing;

fuzz_target!(|bytes: &[u8]| {
    fuzzing::media_stream(bytes);
    fuzzing::media_message(bytes);
});
