//! RTP packets.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offhook_carrier::media::packet;

fuzz_target!(|datagram: &[u8]| {
    let _ = packet::Packet::parse(datagram);
});
