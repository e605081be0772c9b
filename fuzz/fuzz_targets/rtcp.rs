//! Compound RTCP packets.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offhook_carrier::media::rtcp;

fuzz_target!(|datagram: &[u8]| {
    for packet in rtcp::parse(datagram) {
        let _ = format!("{packet:?}");
    }
});
