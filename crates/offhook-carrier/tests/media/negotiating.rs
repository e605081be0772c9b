//! Offers as real equipment writes them, and what we answer.

use expect_test::{Expect, expect};
use offhook_carrier::media::negotiation::{Negotiation, Terms};
use offhook_carrier::media::sdp::SdpError;
use offhook_carrier::media::{Direction, SrtpPolicy};
use offhook_core::AudioFormat;

fn negotiation(srtp: SrtpPolicy) -> Negotiation {
    Negotiation::new(Terms {
        address: [198, 51, 100, 7].into(),
        rtp_port: 6000,
        rtcp_port: 6001,
        srtp,
        ptime_ms: 20,
        formats: vec![AudioFormat::Pcmu, AudioFormat::Pcma],
        session_id: 77,
    })
}

/// Indentation is for the reader; the wire has none.
fn sdp(text: &str) -> String {
    text.trim().lines().map(|line| format!("{}\r\n", line.trim())).collect()
}

/// Our answer without what never changes, and with keys made unreadable.
fn body(sdp: &str) -> String {
    let lines = sdp.lines().skip_while(|line| !line.starts_with("m="));
    lines.map(|line| format!("{}\n", line.split_inclusive("inline:").next().unwrap())).collect()
}

fn summary(negotiation: &Negotiation) -> String {
    let agreement = negotiation.agreement().unwrap();
    let layout = agreement.layout;
    let events =
        layout.event_payload_type.map_or("no events".to_owned(), |number| format!("events as {number}"));
    let to = agreement.remote_rtp.map_or("wherever it comes from".to_owned(), |to| to.to_string());
    let rtcp = match (agreement.rtcp_mux, agreement.remote_rtcp) {
        (true, _) => "rtcp on the same port".to_owned(),
        (false, rtcp) => format!("rtcp to {}", rtcp.map_or("nowhere".to_owned(), |to| to.to_string())),
    };
    let keys = agreement.keys.map_or("plain".to_owned(), |keys| keys.theirs.suite().name().to_owned());
    format!(
        "{:?} as {} every {} ms to {to}, {events}, {}, {rtcp}, {keys}\n",
        layout.format,
        layout.payload_type,
        layout.ptime_ms,
        agreement.direction.name()
    )
}

fn check(offer: &str, expected: Expect) {
    check_with(SrtpPolicy::Optional, offer, expected);
}

fn check_with(srtp: SrtpPolicy, offer: &str, expected: Expect) {
    let mut negotiation = negotiation(srtp);
    let text = match negotiation.answer(&sdp(offer)) {
        Ok(answer) => summary(&negotiation) + &body(&answer),
        Err(error) => format!("{error:?}"),
    };
    expected.assert_eq(&text);
}

const KEY: &str = "inline:MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkw";

#[test]
fn an_answer_is_a_whole_description() {
    let mut negotiation = negotiation(SrtpPolicy::Off);
    let answer = negotiation.answer(&sdp("v=0\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 8 0")).unwrap();
    expect![[r#"
        v=0
        o=- 77 1 IN IP4 198.51.100.7
        s=-
        c=IN IP4 198.51.100.7
        t=0 0
        m=audio 6000 RTP/AVP 8
        a=rtpmap:8 PCMA/8000
        a=ptime:20
        a=sendrecv
    "#]]
    .assert_eq(&answer.replace('\r', ""));
}

#[test]
fn asterisk() {
    check(
        "v=0
         o=- 1735906834 1735906834 IN IP4 192.0.2.10
         s=Asterisk
         c=IN IP4 192.0.2.10
         t=0 0
         m=audio 17634 RTP/AVP 0 8 101
         a=rtpmap:0 PCMU/8000
         a=rtpmap:8 PCMA/8000
         a=rtpmap:101 telephone-event/8000
         a=fmtp:101 0-16
         a=ptime:20
         a=maxptime:140
         a=sendrecv",
        expect![[r#"
            Pcmu as 0 every 20 ms to 192.0.2.10:17634, events as 101, sendrecv, rtcp to 192.0.2.10:17635, plain
            m=audio 6000 RTP/AVP 0 101
            a=rtpmap:0 PCMU/8000
            a=rtpmap:101 telephone-event/8000
            a=fmtp:101 0-16
            a=ptime:20
            a=sendrecv
        "#]],
    );
}

#[test]
fn freeswitch_with_wideband_first_and_comfort_noise() {
    check(
        "v=0
         o=FreeSWITCH 1735880000 1735880001 IN IP4 203.0.113.20
         s=FreeSWITCH
         c=IN IP4 203.0.113.20
         t=0 0
         m=audio 28412 RTP/AVP 102 9 0 8 103 101 13
         a=rtpmap:102 opus/48000/2
         a=fmtp:102 useinbandfec=1; maxaveragebitrate=30000
         a=rtpmap:9 G722/8000
         a=rtpmap:0 PCMU/8000
         a=rtpmap:8 PCMA/8000
         a=rtpmap:103 telephone-event/48000
         a=fmtp:103 0-15
         a=rtpmap:101 telephone-event/8000
         a=fmtp:101 0-15
         a=rtpmap:13 CN/8000
         a=rtcp:28413 IN IP4 203.0.113.20
         a=ptime:20",
        expect![[r#"
            Pcmu as 0 every 20 ms to 203.0.113.20:28412, events as 101, sendrecv, rtcp to 203.0.113.20:28413, plain
            m=audio 6000 RTP/AVP 0 101
            a=rtpmap:0 PCMU/8000
            a=rtpmap:101 telephone-event/8000
            a=fmtp:101 0-15
            a=ptime:20
            a=sendrecv
        "#]],
    );
}

#[test]
fn twilio() {
    check(
        "v=0
         o=root 1290347655 1290347655 IN IP4 172.18.150.11
         s=Twilio Media Gateway
         c=IN IP4 203.0.113.91
         t=0 0
         m=audio 15288 RTP/AVP 0 8 101
         a=rtpmap:0 PCMU/8000
         a=rtpmap:8 PCMA/8000
         a=rtpmap:101 telephone-event/8000
         a=fmtp:101 0-16
         a=ptime:20
         a=maxptime:150
         a=sendrecv",
        expect![[r#"
            Pcmu as 0 every 20 ms to 203.0.113.91:15288, events as 101, sendrecv, rtcp to 203.0.113.91:15289, plain
            m=audio 6000 RTP/AVP 0 101
            a=rtpmap:0 PCMU/8000
            a=rtpmap:101 telephone-event/8000
            a=fmtp:101 0-16
            a=ptime:20
            a=sendrecv
        "#]],
    );
    check(
        &format!(
            "v=0
             o=root 1 1 IN IP4 172.18.150.11
             s=Twilio Media Gateway
             c=IN IP4 203.0.113.91
             t=0 0
             m=audio 15288 RTP/SAVP 0 8 101
             a=crypto:1 AES_CM_128_HMAC_SHA1_80 {KEY}
             a=rtpmap:0 PCMU/8000
             a=rtpmap:8 PCMA/8000
             a=rtpmap:101 telephone-event/8000
             a=fmtp:101 0-16"
        ),
        expect![[r#"
            Pcmu as 0 every 20 ms to 203.0.113.91:15288, events as 101, sendrecv, rtcp to 203.0.113.91:15289, AES_CM_128_HMAC_SHA1_80
            m=audio 6000 RTP/SAVP 0 101
            a=rtpmap:0 PCMU/8000
            a=rtpmap:101 telephone-event/8000
            a=fmtp:101 0-16
            a=ptime:20
            a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:
            a=sendrecv
        "#]],
    );
}

#[test]
fn baresip_with_rtcp_mux_and_video() {
    check(
        "v=0
         o=- 3870215521 1432781937 IN IP4 10.0.0.5
         s=-
         c=IN IP4 10.0.0.5
         t=0 0
         a=tool:baresip 3.20.0
         m=audio 16384 RTP/AVP 8 0 96
         b=AS:125
         a=rtpmap:8 PCMA/8000
         a=rtpmap:0 PCMU/8000
         a=rtpmap:96 telephone-event/8000
         a=fmtp:96 0-15
         a=rtcp-mux
         a=rtcp:16384
         a=ssrc:2034412312 cname:sip:user@example.com
         a=sendrecv
         a=label:1
         a=ptime:20
         m=video 10322 RTP/AVP 97
         a=rtpmap:97 VP8/90000",
        expect![[r#"
            Pcma as 8 every 20 ms to 10.0.0.5:16384, events as 96, sendrecv, rtcp on the same port, plain
            m=audio 6000 RTP/AVP 8 96
            a=rtpmap:8 PCMA/8000
            a=rtpmap:96 telephone-event/8000
            a=fmtp:96 0-15
            a=ptime:20
            a=rtcp-mux
            a=sendrecv
            m=video 0 RTP/AVP 97
        "#]],
    );
}

#[test]
fn linphone_with_ice_avpf_and_several_suites() {
    check(
        &format!(
            "v=0
             o=alice 2211 981 IN IP4 192.168.1.20
             s=Talk
             c=IN IP4 192.168.1.20
             t=0 0
             a=ice-pwd:6a5d0af9a4a1d1c0b9d3
             a=ice-ufrag:9e2f
             a=rtcp-xr:rcvr-rtt=all:10000 stat-summary=loss,dup,jitt,TTL voip-metrics
             m=audio 7078 RTP/SAVPF 96 97 98 0 8 101 100
             a=rtpmap:96 opus/48000/2
             a=rtpmap:97 speex/16000
             a=rtpmap:98 speex/8000
             a=rtpmap:101 telephone-event/48000
             a=rtpmap:100 telephone-event/8000
             a=candidate:1 1 UDP 2130706303 192.168.1.20 7078 typ host
             a=crypto:1 AEAD_AES_128_GCM inline:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==
             a=crypto:2 AES_CM_128_HMAC_SHA1_80 {KEY}
             a=rtcp-fb:* trr-int 1000"
        ),
        expect![[r#"
            Pcmu as 0 every 20 ms to 192.168.1.20:7078, events as 100, sendrecv, rtcp to 192.168.1.20:7079, AEAD_AES_128_GCM
            m=audio 6000 RTP/SAVPF 0 100
            a=rtpmap:0 PCMU/8000
            a=rtpmap:100 telephone-event/8000
            a=fmtp:100 0-15
            a=ptime:20
            a=crypto:1 AEAD_AES_128_GCM inline:
            a=sendrecv
        "#]],
    );
}

#[test]
fn a_webrtc_gateway_is_refused() {
    check(
        "v=0
         o=- 1 2 IN IP4 127.0.0.1
         s=-
         t=0 0
         m=audio 9 UDP/TLS/RTP/SAVPF 111 0
         c=IN IP4 0.0.0.0
         a=fingerprint:sha-256 AA:BB
         a=setup:actpass",
        expect!["NoCommonCrypto"],
    );
}

#[test]
fn a_choice_of_encrypted_and_plain_is_made_by_policy() {
    let offer = format!(
        "v=0
         o=snom 1 1 IN IP4 192.0.2.33
         c=IN IP4 192.0.2.33
         m=audio 5000 RTP/SAVP 0
         a=crypto:7 AES_CM_128_HMAC_SHA1_32 {KEY}|2^20|1:4
         m=audio 5002 RTP/AVP 0"
    );
    check_with(
        SrtpPolicy::Off,
        &offer,
        expect![[r#"
        Pcmu as 0 every 20 ms to 192.0.2.33:5002, no events, sendrecv, rtcp to 192.0.2.33:5003, plain
        m=audio 0 RTP/SAVP 0
        m=audio 6000 RTP/AVP 0
        a=rtpmap:0 PCMU/8000
        a=ptime:20
        a=sendrecv
    "#]],
    );
    check_with(
        SrtpPolicy::Optional,
        &offer,
        expect![[r#"
            Pcmu as 0 every 20 ms to 192.0.2.33:5000, no events, sendrecv, rtcp to 192.0.2.33:5001, AES_CM_128_HMAC_SHA1_32
            m=audio 6000 RTP/SAVP 0
            a=rtpmap:0 PCMU/8000
            a=ptime:20
            a=crypto:7 AES_CM_128_HMAC_SHA1_32 inline:
            a=sendrecv
            m=audio 0 RTP/AVP 0
        "#]],
    );
    check_with(
        SrtpPolicy::Required,
        &offer,
        expect![[r#"
            Pcmu as 0 every 20 ms to 192.0.2.33:5000, no events, sendrecv, rtcp to 192.0.2.33:5001, AES_CM_128_HMAC_SHA1_32
            m=audio 6000 RTP/SAVP 0
            a=rtpmap:0 PCMU/8000
            a=ptime:20
            a=crypto:7 AES_CM_128_HMAC_SHA1_32 inline:
            a=sendrecv
            m=audio 0 RTP/AVP 0
        "#]],
    );
}

#[test]
fn packet_lengths() {
    for (wish, ptime_ms) in [
        ("a=ptime:10", 10),
        ("a=ptime:30", 30),
        ("a=ptime:60", 60),
        ("a=ptime:20.0", 20),
        ("a=ptime:35", 30),
        ("a=ptime:200", 60),
        ("a=ptime:0", 10),
        ("a=ptime:soon", 20),
        ("a=maxptime:10", 10),
        ("a=ptime:40\na=maxptime:30", 30),
        ("", 20),
    ] {
        let mut negotiation = negotiation(SrtpPolicy::Off);
        negotiation
            .answer(&sdp(&format!("v=0\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0\n{wish}")))
            .unwrap();
        assert_eq!(negotiation.agreement().unwrap().layout.ptime_ms, ptime_ms, "{wish}");
    }
}

#[test]
fn hold_in_all_its_ways() {
    use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
    for (session, address, stream, ours) in [
        ("", "192.0.2.1", "", SendRecv),
        ("", "192.0.2.1", "a=sendrecv", SendRecv),
        ("", "192.0.2.1", "a=sendonly", RecvOnly),
        ("", "192.0.2.1", "a=recvonly", SendOnly),
        ("", "192.0.2.1", "a=inactive", Inactive),
        ("a=sendonly", "192.0.2.1", "", RecvOnly),
        ("a=sendonly", "192.0.2.1", "a=sendrecv", SendRecv),
        ("", "0.0.0.0", "", RecvOnly),
        ("", "0.0.0.0", "a=inactive", Inactive),
        ("", "0.0.0.0", "a=recvonly", Inactive),
    ] {
        let mut negotiation = negotiation(SrtpPolicy::Off);
        let offer = sdp(&format!("v=0\n{session}\nc=IN IP4 {address}\nm=audio 4000 RTP/AVP 0\n{stream}"));
        let answer = negotiation.answer(&offer).unwrap();
        assert_eq!(negotiation.agreement().unwrap().direction, ours, "{offer}");
        assert!(answer.ends_with(&format!("a={}\r\n", ours.name())), "{offer}{answer}");
    }
}

#[test]
fn addresses() {
    for (lines, rtp, rtcp) in [
        ("c=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0", "192.0.2.1:4000", "192.0.2.1:4001"),
        (
            "c=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0\nc=IN IP4 192.0.2.9",
            "192.0.2.9:4000",
            "192.0.2.9:4001",
        ),
        ("c=IN IP4 192.0.2.1/127\nm=audio 4000/2 RTP/AVP 0", "192.0.2.1:4000", "192.0.2.1:4001"),
        ("c=IN IP6 2001:db8::1\nm=audio 4000 RTP/AVP 0", "[2001:db8::1]:4000", "[2001:db8::1]:4001"),
        ("c=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0\na=rtcp:9000", "192.0.2.1:4000", "192.0.2.1:9000"),
        (
            "c=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0\na=rtcp:9000 IN IP4 192.0.2.2",
            "192.0.2.1:4000",
            "192.0.2.2:9000",
        ),
        ("c=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0\na=rtcp-mux", "192.0.2.1:4000", "192.0.2.1:4000"),
    ] {
        let mut negotiation = negotiation(SrtpPolicy::Off);
        negotiation.answer(&sdp(&format!("v=0\n{lines}"))).unwrap();
        let agreement = negotiation.agreement().unwrap();
        assert_eq!(agreement.remote_rtp, Some(rtp.parse().unwrap()), "{lines}");
        assert_eq!(agreement.remote_rtcp, Some(rtcp.parse().unwrap()), "{lines}");
    }
    // A name we can't look up in mid-call: audio goes where it comes from.
    let mut negotiation = negotiation(SrtpPolicy::Off);
    negotiation.answer(&sdp("v=0\nc=IN IP4 media.example.com\nm=audio 4000 RTP/AVP 0")).unwrap();
    assert_eq!(negotiation.agreement().unwrap().remote_rtp, None);
}

#[test]
fn what_can_not_be_answered() {
    let audio = "c=IN IP4 192.0.2.1\nm=audio 4000";
    for (policy, offer, error) in [
        (SrtpPolicy::Off, "hello".to_owned(), SdpError::Malformed("no version line")),
        (SrtpPolicy::Off, "v=0\nm=audio".to_owned(), SdpError::Malformed("incomplete media line")),
        (SrtpPolicy::Off, "v=0\nm=audio 70000 RTP/AVP 0".to_owned(), SdpError::Malformed("media port")),
        (SrtpPolicy::Off, "v=0\nm=video 4000 RTP/AVP 97".to_owned(), SdpError::NoAudio),
        (SrtpPolicy::Off, "v=0\nm=audio 0 RTP/AVP 0".to_owned(), SdpError::NoAudio),
        (SrtpPolicy::Off, format!("v=0\n{audio} RTP/AVP 9 18 101"), SdpError::NoCommonCodec),
        (
            SrtpPolicy::Off,
            format!("v=0\n{audio} RTP/AVP 96\na=rtpmap:96 PCMU/16000"),
            SdpError::NoCommonCodec,
        ),
        (SrtpPolicy::Off, format!("v=0\n{audio} RTP/SAVP 0"), SdpError::NoCommonCrypto),
        (SrtpPolicy::Optional, format!("v=0\n{audio} RTP/SAVP 0"), SdpError::NoCommonCrypto),
        (SrtpPolicy::Required, format!("v=0\n{audio} RTP/AVP 0"), SdpError::NotEncrypted),
        (
            SrtpPolicy::Required,
            format!("v=0\n{audio} RTP/SAVP 0\na=crypto:1 F8_128_HMAC_SHA1_80 {KEY}"),
            SdpError::NoCommonCrypto,
        ),
        (
            SrtpPolicy::Required,
            format!("v=0\n{audio} RTP/SAVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 {KEY} UNENCRYPTED_SRTP"),
            SdpError::NoCommonCrypto,
        ),
        (
            SrtpPolicy::Required,
            format!("v=0\n{audio} RTP/SAVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2hvcnQ="),
            SdpError::NoCommonCrypto,
        ),
    ] {
        assert_eq!(negotiation(policy).answer(&sdp(&offer)), Err(error), "{offer}");
    }
}

#[test]
fn a_refused_offer_changes_nothing() {
    let mut negotiation = negotiation(SrtpPolicy::Off);
    negotiation.answer(&sdp("v=0\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0")).unwrap();
    let before = negotiation.agreement().cloned();
    negotiation.answer(&sdp("v=0\nc=IN IP4 192.0.2.9\nm=audio 4000 RTP/AVP 9")).unwrap_err();
    assert_eq!(negotiation.agreement(), before.as_ref());
}

fn version(sdp: &str) -> u64 {
    sdp.lines().find_map(|line| line.strip_prefix("o=")).unwrap().split(' ').nth(2).unwrap().parse().unwrap()
}

#[test]
fn the_version_counts_what_changed() {
    let mut negotiation = negotiation(SrtpPolicy::Optional);
    let offer = |more: &str| {
        sdp(&format!(
            "v=0\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 {KEY}\n{more}"
        ))
    };
    let first = negotiation.answer(&offer("")).unwrap();
    assert_eq!(negotiation.answer(&offer("")).unwrap(), first, "the same, key and all");
    let held = negotiation.answer(&offer("a=sendonly")).unwrap();
    let resumed = negotiation.answer(&offer("")).unwrap();
    assert_eq!([&first, &held, &resumed].map(|sdp| version(sdp)), [1, 2, 3]);
    assert_eq!(body(&resumed), body(&first));
}

#[test]
fn our_offers() {
    for (policy, expected) in [
        (
            SrtpPolicy::Off,
            expect![[r#"
            m=audio 6000 RTP/AVP 0 8 101
            a=rtpmap:0 PCMU/8000
            a=rtpmap:8 PCMA/8000
            a=rtpmap:101 telephone-event/8000
            a=fmtp:101 0-16
            a=ptime:20
            a=sendrecv
        "#]],
        ),
        (
            SrtpPolicy::Optional,
            expect![[r#"
                m=audio 6000 RTP/AVP 0 8 101
                a=rtpmap:0 PCMU/8000
                a=rtpmap:8 PCMA/8000
                a=rtpmap:101 telephone-event/8000
                a=fmtp:101 0-16
                a=ptime:20
                a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:
                a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:
                a=crypto:3 AEAD_AES_256_GCM inline:
                a=crypto:4 AEAD_AES_128_GCM inline:
                a=sendrecv
            "#]],
        ),
        (
            SrtpPolicy::Required,
            expect![[r#"
                m=audio 6000 RTP/SAVP 0 8 101
                a=rtpmap:0 PCMU/8000
                a=rtpmap:8 PCMA/8000
                a=rtpmap:101 telephone-event/8000
                a=fmtp:101 0-16
                a=ptime:20
                a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:
                a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:
                a=crypto:3 AEAD_AES_256_GCM inline:
                a=crypto:4 AEAD_AES_128_GCM inline:
                a=sendrecv
            "#]],
        ),
    ] {
        expected.assert_eq(&body(&negotiation(policy).offer()));
    }
    let mut repeated = negotiation(SrtpPolicy::Required);
    assert_eq!(repeated.offer(), repeated.offer());
}

#[test]
fn a_session_refreshed_by_us_keeps_its_streams_and_numbers() {
    let mut negotiation = negotiation(SrtpPolicy::Off);
    let offer = "v=0\nc=IN IP4 192.0.2.1\nm=video 5000 RTP/AVP 97\nm=audio 4000 RTP/AVP 8 96
                 a=rtpmap:96 telephone-event/8000\na=rtcp-mux";
    negotiation.answer(&sdp(offer)).unwrap();
    let refresh = negotiation.offer();
    expect![[r#"
        m=video 0 RTP/AVP 97
        m=audio 6000 RTP/AVP 0 8 96
        a=rtpmap:0 PCMU/8000
        a=rtpmap:8 PCMA/8000
        a=rtpmap:96 telephone-event/8000
        a=fmtp:96 0-16
        a=ptime:20
        a=rtcp-mux
        a=sendrecv
    "#]]
    .assert_eq(&body(&refresh));
    negotiation
        .accept(&sdp("v=0\nc=IN IP4 192.0.2.1\nm=video 0 RTP/AVP 97\nm=audio 4000 RTP/AVP 8 96
             a=rtpmap:96 telephone-event/8000\na=rtcp-mux"))
        .unwrap();
    expect![[r#"
        Pcma as 8 every 20 ms to 192.0.2.1:4000, events as 96, sendrecv, rtcp on the same port, plain
    "#]]
    .assert_eq(&summary(&negotiation));
}

#[test]
fn answers_to_our_offer() {
    let audio = "v=0\nc=IN IP4 192.0.2.1\nm=audio 4000";
    let crypto = format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 {KEY}");
    for (policy, answer, expected) in [
        (
            SrtpPolicy::Off,
            format!("{audio} RTP/AVP 8\na=ptime:30"),
            expect![[r#"
            Pcma as 8 every 30 ms to 192.0.2.1:4000, no events, sendrecv, rtcp to 192.0.2.1:4001, plain
        "#]],
        ),
        (
            SrtpPolicy::Off,
            format!("{audio} RTP/AVP 0 97\na=rtpmap:97 telephone-event/8000"),
            expect![[r#"
            Pcmu as 0 every 20 ms to 192.0.2.1:4000, events as 97, sendrecv, rtcp to 192.0.2.1:4001, plain
        "#]],
        ),
        (
            SrtpPolicy::Optional,
            format!("{audio} RTP/AVP 0"),
            expect![[r#"
            Pcmu as 0 every 20 ms to 192.0.2.1:4000, no events, sendrecv, rtcp to 192.0.2.1:4001, plain
        "#]],
        ),
        (
            SrtpPolicy::Optional,
            format!("{audio} RTP/AVP 0\n{crypto}"),
            expect![[r#"
            Pcmu as 0 every 20 ms to 192.0.2.1:4000, no events, sendrecv, rtcp to 192.0.2.1:4001, AES_CM_128_HMAC_SHA1_80
        "#]],
        ),
        (
            SrtpPolicy::Required,
            format!("{audio} RTP/SAVP 0\n{crypto}"),
            expect![[r#"
            Pcmu as 0 every 20 ms to 192.0.2.1:4000, no events, sendrecv, rtcp to 192.0.2.1:4001, AES_CM_128_HMAC_SHA1_80
        "#]],
        ),
        (
            SrtpPolicy::Required,
            format!("{audio} RTP/AVP 0"),
            expect![[r#"
            NotEncrypted
        "#]],
        ),
        (
            SrtpPolicy::Off,
            format!("{audio} RTP/SAVP 0\n{crypto}"),
            expect![[r#"
            NoCommonCrypto
        "#]],
        ),
        (
            SrtpPolicy::Off,
            "v=0\nm=audio 0 RTP/AVP 0".to_owned(),
            expect![[r#"
            NoAudio
        "#]],
        ),
        (
            SrtpPolicy::Off,
            format!("{audio} RTP/AVP 18"),
            expect![[r#"
            NoCommonCodec
        "#]],
        ),
    ] {
        let mut negotiation = negotiation(policy);
        negotiation.offer();
        let text = match negotiation.accept(&sdp(&answer)) {
            Ok(()) => summary(&negotiation),
            Err(error) => format!("{error:?}\n"),
        };
        expected.assert_eq(&text);
    }
}

#[test]
fn an_answer_needs_an_offer_and_may_come_twice() {
    let early = sdp("v=0\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 8");
    let last = sdp("v=0\nc=IN IP4 192.0.2.2\nm=audio 5000 RTP/AVP 0");
    let mut negotiation = negotiation(SrtpPolicy::Off);
    assert_eq!(negotiation.accept(&early), Err(SdpError::NoOffer));
    negotiation.offer();
    negotiation.accept(&early).unwrap();
    negotiation.accept(&last).unwrap();
    expect![[r#"
        Pcmu as 0 every 20 ms to 192.0.2.2:5000, no events, sendrecv, rtcp to 192.0.2.2:5001, plain
    "#]]
    .assert_eq(&summary(&negotiation));
}

#[test]
fn keys_are_not_shown() {
    let mut negotiation = negotiation(SrtpPolicy::Required);
    let offer = negotiation.offer();
    let answer = sdp(&format!(
        "v=0\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/SAVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 {KEY}"
    ));
    negotiation.accept(&answer).unwrap();
    let shown = format!("{negotiation:?} {:?}", negotiation.agreement());
    let ours = offer.lines().filter_map(|line| line.split_once("inline:")).map(|(_, key)| key);
    for key in ours.chain(KEY.strip_prefix("inline:")) {
        assert!(!shown.contains(key));
    }
    assert!(shown.contains("MasterKey(AES_CM_128_HMAC_SHA1_80)"), "{shown}");
}
