//! Events of a speech model's server.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offhook_speech::openai::fuzzing;

fuzz_target!(|text: &str| fuzzing::server_event(text));
