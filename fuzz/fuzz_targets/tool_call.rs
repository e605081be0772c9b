//! What a model says it wants to call, with arguments it made up.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offhook_speech::tools;

fuzz_target!(|input: (&str, &str)| {
    let (name, arguments) = input;
    let _ = tools::parse(name, arguments);
});
