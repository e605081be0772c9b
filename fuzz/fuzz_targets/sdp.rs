//! Session descriptions: read, answered as an offer, accepted as an answer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offhook_carrier::media::negotiation::{Negotiation, Terms};
use offhook_carrier::media::{SrtpPolicy, sdes, sdp};
use offhook_core::AudioFormat;

fuzz_target!(|text: &str| {
    let _ = sdp::parse(text);
    let _ = sdes::Crypto::parse(text);
    for srtp in [SrtpPolicy::Off, SrtpPolicy::Optional, SrtpPolicy::Required] {
        let terms = Terms {
            address: [192, 0, 2, 1].into(),
            rtp_port: 6000,
            rtcp_port: 6001,
            srtp,
            ptime_ms: 20,
            formats: vec![AudioFormat::Pcmu, AudioFormat::Pcma],
            session_id: 1,
        };
        let mut answering = Negotiation::new(terms.clone());
        if let Ok(answer) = answering.answer(text) {
            sdp::parse(&answer).expect("what we answer can be read");
            let _ = answering.offer();
        }
        let mut offering = Negotiation::new(terms);
        let _ = offering.offer();
        let _ = offering.accept(text);
    }
});
