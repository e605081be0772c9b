//! Whatever the network sends, nothing panics, and what is written reads back.

use offhook_carrier::media::negotiation::{Negotiation, Terms};
use offhook_carrier::media::packet::Header;
use offhook_carrier::media::sdes::Crypto;
use offhook_carrier::media::{SrtpPolicy, rtcp, sdp};
use offhook_core::AudioFormat;
use proptest::prelude::*;

use crate::far_end::{FarEnd, offer};

fn negotiation() -> Negotiation {
    Negotiation::new(Terms {
        address: [198, 51, 100, 7].into(),
        rtp_port: 6000,
        rtcp_port: 6001,
        srtp: SrtpPolicy::Optional,
        ptime_ms: 20,
        formats: vec![AudioFormat::Pcmu, AudioFormat::Pcma],
        session_id: 77,
    })
}

/// Lines that look like SDP, more or less.
fn lines() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        "[a-z]=[ -~]{0,40}",
        "m=(audio|video) [0-9]{1,6}(/2)? (RTP/AVP|RTP/SAVP|TCP)( [0-9]{1,3}){0,4}",
        "c=IN IP[46] [0-9.:]{0,12}",
        "a=rtpmap:[0-9]{1,4} (PCMU|PCMA|CN|telephone-event)/8000(/1)?",
        "a=(ptime|maxptime|rtcp|fmtp):[0-9 .]{0,12}",
        "a=crypto:[0-9] (AES_CM_128_HMAC_SHA1_80|AEAD_AES_128_GCM) inline:[A-Za-z0-9+/=|:^]{0,60}",
        "a=(sendonly|recvonly|inactive|rtcp-mux)",
    ];
    proptest::collection::vec(line, 0..16).prop_map(|lines| format!("v=0\r\n{}", lines.join("\r\n")))
}

/// A description after random edits of single bytes.
fn damaged(text: &str) -> impl Strategy<Value = String> + use<> {
    let bytes = text.as_bytes().to_vec();
    proptest::collection::vec((0..bytes.len(), any::<u8>(), 0..3u8), 1..8).prop_map(move |edits| {
        let mut bytes = bytes.clone();
        for (at, byte, kind) in edits {
            let at = at.min(bytes.len().saturating_sub(1));
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

proptest! {
    #[test]
    fn sdp_of_any_kind_is_answered_or_refused(text in prop_oneof![".{0,200}", lines(), damaged(&offer("a=ptime:30\r\na=sendonly\r\n"))]) {
        let mut negotiation = negotiation();
        if let Ok(answer) = negotiation.answer(&text) {
            let streams = sdp::parse(&text).unwrap().streams;
            let answered = sdp::parse(&answer).unwrap().streams;
            prop_assert_eq!(answered.len(), streams.len());
            prop_assert_eq!(answered.iter().filter(|stream| stream.port != 0).count(), 1);
            let kinds = |streams: &[sdp::Stream<'_>]| streams.iter().map(|stream| stream.kind.to_owned()).collect::<Vec<_>>();
            prop_assert_eq!(kinds(&answered), kinds(&streams));
        }
        negotiation.offer();
        let _ = negotiation.accept(&text);
    }

    #[test]
    fn rtp_of_any_kind_is_read_within_bounds(datagram in proptest::collection::vec(any::<u8>(), 0..64)) {
        if let Some(header) = Header::parse(&datagram) {
            prop_assert!(header.len <= datagram.len());
            let _ = header.payload(&datagram);
        }
    }

    #[test]
    fn rtcp_of_any_kind_ends(datagram in proptest::collection::vec(any::<u8>(), 0..128)) {
        prop_assert!(rtcp::parse(&datagram).count() <= datagram.len() / 4);
    }

    #[test]
    fn crypto_lines_of_any_kind_are_read(line in "[0-9]{1,2} (AES_CM_128_HMAC_SHA1_80|AEAD_AES_256_GCM|X) inline:[A-Za-z0-9+/=|:^]{0,80}") {
        if let Some(crypto) = Crypto::parse(&line) {
            let written = Crypto { mki_len: 0, ..crypto };
            prop_assert_eq!(Crypto::parse(&written.to_string()), Some(written));
        }
    }

    /// A session fed with anything keeps its promises: every frame is whole, every deadline is met.
    #[test]
    fn a_session_survives_any_packets(packets in proptest::collection::vec(
        (0..200u64, prop_oneof![Just(0u8), Just(8), Just(13), Just(101), any::<u8>()], any::<u16>(), any::<u32>(), 0..700usize, 0..3u32),
        1..60,
    )) {
        let mut far = FarEnd::new("");
        let mut now_ms = 0;
        for (wait_ms, payload_type, sequence, timestamp, len, ssrc) in packets {
            now_ms += wait_ms;
            far.ssrc = ssrc;
            // Half of them close together, as packets of one stream are.
            let near = sequence % 2 == 0;
            let (sequence, timestamp) = if near { (sequence % 64, timestamp % 20_000) } else { (sequence, timestamp) };
            far.until(now_ms).packet(payload_type, sequence, timestamp, &vec![0x31; len]);
            far.play();
        }
        far.until(now_ms + 10_000);
    }

    /// A steady stream through a network that loses, repeats and reorders within the wait comes out as long as it went in.
    #[test]
    fn the_time_line_is_continuous(fates in proptest::collection::vec((0..10u8, 0..50u64), 60..120)) {
        let mut far = FarEnd::new("");
        let last = fates.len() as u16 + 1;
        let mut arrivals = vec![(0, 0), (u64::from(last) * 20, last)];
        for (index, (fate, delay_ms)) in (1..).zip(&fates) {
            let sent_ms = u64::from(index) * 20;
            // A longer outage is filled while it lasts, and what then comes late is heard on top of that.
            let fate = if index % 6 == 0 { &9 } else { fate };
            match fate {
                0 => {}
                1 => arrivals.extend([(sent_ms, index), (sent_ms + delay_ms, index)]),
                2 | 3 => arrivals.push((sent_ms + delay_ms, index)),
                _ => arrivals.push((sent_ms, index)),
            }
        }
        arrivals.sort();
        for (at_ms, index) in arrivals {
            far.until(at_ms).steady(index);
        }
        far.until(u64::from(last) * 20 + 100);
        let log = far.log();
        let frames = log.lines().filter(|line| !line.contains("->")).count();
        prop_assert_eq!(frames, usize::from(last) + 1, "{}", log);
    }
}
