//! RTP packets.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offhook_carrier::media::packet;

fuzz_target!(|datagram: &[u8]| {
    let _ = packet::is_rtcp(datagram);
    if let Some(header) = packet::Header::parse(datagram) {
        let _ = header.payload(datagram);
    }
});
