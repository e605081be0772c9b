//! Session descriptions, and offers answered with them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offhook_carrier::media::{sdes, sdp};

fuzz_target!(|text: &str| {
    let _ = sdp::parse(text);
    let _ = sdes::Crypto::parse(text);
});
