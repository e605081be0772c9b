//! What becomes of the packets of the far end.

use expect_test::expect;

use crate::far_end::{FarEnd, offer};

#[test]
fn packets_in_order_are_heard_at_once() {
    let mut far = FarEnd::new("");
    for index in 1..=3 {
        far.until(20 * u64::from(index)).steady(index);
    }
    expect![[r#"
        20 ms #1
        40 ms #2
        60 ms #3
        60 ms stats: 3 received, 0 lost, 0 concealed, 0 late, 0 duplicate, 0 dropped
    "#]]
    .assert_eq(&far.stats().log());
}

#[test]
fn packets_that_overtake_each_other_wait_for_their_turn() {
    let mut far = FarEnd::new("");
    far.until(20).steady(1);
    far.until(60).steady(3);
    far.until(65).steady(4);
    far.until(70).steady(2);
    expect![[r#"
        20 ms #1
        70 ms #2
        70 ms #3
        70 ms #4
        70 ms stats: 4 received, 0 lost, 0 concealed, 0 late, 0 duplicate, 0 dropped
    "#]]
    .assert_eq(&far.stats().log());
}

#[test]
fn a_lost_packet_is_waited_for_and_then_concealed() {
    let mut far = FarEnd::new("");
    far.until(20).steady(1);
    for index in [3, 4, 5, 6] {
        far.until(20 * u64::from(index)).steady(index);
    }
    expect![[r#"
        20 ms #1
        120 ms substitute
        120 ms #3
        120 ms #4
        120 ms #5
        120 ms #6
        120 ms stats: 5 received, 1 lost, 1 concealed, 0 late, 0 duplicate, 0 dropped
    "#]]
    .assert_eq(&far.stats().log());
}

#[test]
fn a_burst_of_losses_fades_to_silence() {
    let mut far = FarEnd::new("");
    far.until(20).steady(1);
    far.until(120).steady(6);
    far.until(200);
    expect![[r#"
        20 ms #1
        180 ms substitute
        180 ms substitute
        180 ms substitute
        180 ms silence
        180 ms #6
        200 ms stats: 2 received, 4 lost, 4 concealed, 0 late, 0 duplicate, 0 dropped
    "#]]
    .assert_eq(&far.stats().log());
}

#[test]
fn two_gaps_are_waited_for_each_on_its_own() {
    let mut far = FarEnd::new("");
    far.until(20).steady(1);
    far.until(60).steady(3);
    far.until(100).steady(5);
    far.until(170);
    expect![[r#"
        20 ms #1
        120 ms substitute
        120 ms #3
        160 ms substitute
        160 ms #5
        170 ms stats: 3 received, 2 lost, 2 concealed, 0 late, 0 duplicate, 0 dropped
    "#]]
    .assert_eq(&far.stats().log());
}

#[test]
fn late_and_repeated_packets_are_counted_and_not_heard() {
    let mut far = FarEnd::new("");
    far.until(20).steady(1).steady(1);
    far.until(60).steady(3).steady(3);
    far.until(130).steady(2);
    far.until(140).steady(4);
    expect![[r#"
        20 ms #1
        120 ms substitute
        120 ms #3
        140 ms #4
        140 ms stats: 3 received, 1 lost, 1 concealed, 1 late, 2 duplicate, 0 dropped
    "#]]
    .assert_eq(&far.stats().log());
}

#[test]
fn sequence_numbers_and_timestamps_wrap() {
    let mut far = FarEnd::new("");
    far.until(20).audio(65_534, u32::MAX - 159);
    far.until(40).audio(65_535, 0);
    far.until(60).audio(0, 160);
    far.until(80).audio(1, 320);
    expect![[r#"
        20 ms #254
        40 ms silence
        60 ms #0
        80 ms #1
        80 ms stats: 4 received, 0 lost, 0 concealed, 0 late, 0 duplicate, 0 dropped
    "#]]
    .assert_eq(&far.stats().log());
}

#[test]
fn longer_and_shorter_packets_become_frames_of_20_ms() {
    for (ms, expected) in [
        (
            10,
            expect![[r#"
                10 ms #0(80) #1(80)
                30 ms #2(80) #3(80)
                50 ms #4(80) #5(80)
                70 ms #6(80) #7(80)
                90 ms #8(80) #9(80)
                110 ms #10(80) #11(80)
            "#]],
        ),
        (
            30,
            expect![[r#"
                0 ms #0
                30 ms #0(80) #1(80)
                30 ms #1
                60 ms #2
                90 ms #2(80) #3(80)
                90 ms #3
            "#]],
        ),
        (
            60,
            expect![[r#"
                0 ms #0
                0 ms #0
                0 ms #0
                60 ms #1
                60 ms #1
                60 ms #1
            "#]],
        ),
    ] {
        let mut far = FarEnd::new("");
        for index in 0..(120 / ms) as u16 {
            far.until(ms * u64::from(index));
            far.packet(0, index, u32::from(index) * ms as u32 * 8, &vec![index as u8; ms as usize * 8]);
        }
        expected.assert_eq(&far.log());
    }
}

#[test]
fn another_stream_takes_over_with_its_second_packet_and_loses_nothing() {
    let mut far = FarEnd::new("");
    far.until(20).steady(1);
    far.until(40).steady(2);
    far.ssrc = 0xcccc;
    far.until(60).audio(9_000, 777_000);
    far.until(80).audio(9_001, 777_160);
    far.until(100).audio(9_002, 777_320);
    expect![[r#"
        20 ms #1
        40 ms #2
        80 ms #40
        80 ms #41
        100 ms #42
        100 ms stats: 5 received, 0 lost, 0 concealed, 0 late, 0 duplicate, 0 dropped
    "#]]
    .assert_eq(&far.stats().log());
}

#[test]
fn a_second_stream_from_the_same_source_does_not_mix_with_the_first() {
    let mut far = FarEnd::new("");
    for index in 1..5u16 {
        far.ssrc = 0xbbbb;
        far.until(20 * u64::from(index)).steady(index);
        far.ssrc = 0xcccc;
        far.audio(9_000 + index, 777_000 + u32::from(index) * 160);
    }
    expect![[r#"
        20 ms #1
        40 ms #2
        60 ms #3
        80 ms #4
        80 ms stats: 4 received, 0 lost, 0 concealed, 0 late, 0 duplicate, 0 dropped
    "#]]
    .assert_eq(&far.stats().log());
}

#[test]
fn a_sequence_that_jumps_is_followed_with_its_second_packet() {
    let mut far = FarEnd::new("");
    far.until(20).steady(1);
    far.until(40).audio(40_000, 320);
    far.until(60).audio(40_001, 480);
    far.until(80).audio(40_002, 640);
    expect![[r#"
        20 ms #1
        60 ms #64
        60 ms #65
        80 ms #66
        80 ms stats: 4 received, 0 lost, 0 concealed, 0 late, 0 duplicate, 0 dropped
    "#]]
    .assert_eq(&far.stats().log());
}

#[test]
fn timestamps_that_jump_are_followed_without_a_gap() {
    let mut far = FarEnd::new("");
    far.until(20).audio(1, 160);
    far.until(40).audio(2, 5_000_000);
    far.until(60).audio(3, 5_000_160);
    far.until(80).audio(4, 80);
    expect![[r#"
        20 ms #1
        40 ms #2
        60 ms #3
        80 ms #4
        80 ms stats: 4 received, 0 lost, 0 concealed, 0 late, 0 duplicate, 0 dropped
    "#]]
    .assert_eq(&far.stats().log());
}

#[test]
fn a_pause_of_the_sender_is_heard_as_silence_while_it_lasts() {
    let mut far = FarEnd::new("");
    far.until(20).audio(1, 160);
    // 400 ms without packets, and no sequence number missing: silence suppression.
    far.until(440).audio(2, 160 * 22);
    far.until(460).audio(3, 160 * 23);
    expect![[r#"
        20 ms #1
        220 ms substitute
        220 ms substitute
        220 ms substitute
        220 ms silence
        220 ms silence
        220 ms silence
        220 ms silence
        220 ms silence
        220 ms silence
        220 ms silence
        240 ms silence
        260 ms silence
        280 ms silence
        300 ms silence
        320 ms silence
        340 ms silence
        360 ms silence
        380 ms silence
        400 ms silence
        420 ms silence
        440 ms silence
        440 ms #2
        460 ms #3
        460 ms stats: 3 received, 0 lost, 0 concealed, 0 late, 0 duplicate, 0 dropped
    "#]]
    .assert_eq(&far.stats().log());
}

#[test]
fn comfort_noise_is_silence_at_once() {
    let mut far = FarEnd::new("");
    far.until(20).audio(1, 160);
    far.until(40).packet(13, 2, 320, &[60]);
    far.until(100).packet(13, 3, 800, &[60]);
    far.until(120).audio(4, 960);
    expect![[r#"
        20 ms #1
        60 ms silence
        80 ms silence
        100 ms silence
        120 ms silence
        120 ms #4
        120 ms stats: 2 received, 0 lost, 0 concealed, 0 late, 0 duplicate, 0 dropped
    "#]]
    .assert_eq(&far.stats().log());
}

#[test]
fn what_was_only_delayed_is_heard_all_the_same() {
    let mut far = FarEnd::new("");
    far.until(20).steady(1);
    // The network holds everything up for 260 ms.
    for index in 2..=14 {
        far.until(280).steady(index);
    }
    far.until(300).steady(15);
    expect![[r#"
        20 ms #1
        220 ms substitute
        220 ms substitute
        220 ms substitute
        220 ms silence
        220 ms silence
        220 ms silence
        220 ms silence
        220 ms silence
        220 ms silence
        220 ms silence
        240 ms silence
        260 ms silence
        280 ms silence
        280 ms #2
        280 ms #3
        280 ms #4
        280 ms #5
        280 ms #6
        280 ms #7
        280 ms #8
        280 ms #9
        280 ms #10
        280 ms #11
        280 ms #12
        280 ms #13
        280 ms #14
        300 ms #15
        300 ms stats: 15 received, 0 lost, 0 concealed, 0 late, 0 duplicate, 0 dropped
    "#]]
    .assert_eq(&far.stats().log());
}

#[test]
fn a_key_is_heard_once() {
    let mut far = FarEnd::new("");
    far.until(20).audio(1, 160);
    for (step, sequence) in (2..=4).enumerate() {
        far.until(40 + 20 * step as u64).event(sequence, 320, 5, false, 160 * (step as u16 + 1));
    }
    for sequence in 5..=7 {
        far.until(100).event(sequence, 320, 5, true, 640);
    }
    far.until(120).audio(8, 960);
    // The same key again, and all but the last packet of it lost.
    far.until(240).event(13, 1_600, 5, true, 640);
    far.until(320);
    expect![[r#"
        20 ms #1
        40 ms key 5
        120 ms silence
        120 ms silence
        120 ms silence
        120 ms silence
        120 ms #8
        240 ms key 5
        320 ms substitute
        320 ms substitute
        320 ms substitute
        320 ms silence
        320 ms silence
        320 ms silence
        320 ms silence
        320 ms silence
        320 ms silence
        320 ms silence
    "#]]
    .assert_eq(&far.log());
}

#[test]
fn a_key_held_longer_than_a_duration_can_say_is_one_key() {
    let mut far = FarEnd::new("");
    far.event(1, 0, 11, false, 0xfff0).event(2, 0, 11, false, 0xffff);
    far.event(3, 0xffff, 11, false, 160).event(4, 0xffff, 11, true, 320);
    // A flash is no key.
    far.event(5, 0x2_0000, 16, true, 320);
    expect![[r#"
        0 ms key #
    "#]]
    .assert_eq(&far.log());
}

#[test]
fn keys_out_of_order_are_not_heard_again() {
    let mut far = FarEnd::new("");
    far.event(1, 0, 1, true, 800)
        .event(4, 1_600, 2, true, 800)
        .event(2, 0, 1, true, 800)
        .event(5, 1_600, 2, true, 800);
    expect![[r#"
        0 ms key 1
        0 ms key 2
    "#]]
    .assert_eq(&far.log());
}

#[test]
fn keys_may_be_a_stream_of_their_own() {
    let mut far = FarEnd::new("");
    far.until(20).steady(1);
    far.ssrc = 0xeeee;
    far.event(1, 40_000, 9, false, 160).event(2, 40_000, 9, true, 320);
    far.ssrc = 0xbbbb;
    far.until(40).steady(2);
    far.ssrc = 0xeeee;
    far.event(3, 40_000, 9, true, 320).event(4, 40_000, 9, true, 320);
    expect![[r#"
        20 ms #1
        20 ms key 9
        40 ms #2
        40 ms stats: 2 received, 0 lost, 0 concealed, 0 late, 0 duplicate, 0 dropped
    "#]]
    .assert_eq(&far.stats().log());
}

#[test]
fn the_other_law_is_recoded_into_the_negotiated_one() {
    let mut far = FarEnd::new("");
    far.packet(8, 1, 0, &[0xd5; 160]);
    far.packet(0, 2, 160, &[7; 160]);
    expect![[r#"
        0 ms #254
        0 ms #7
    "#]]
    .assert_eq(&far.log());
}

#[test]
fn the_codec_may_change_in_mid_call() {
    let mut far = FarEnd::new("");
    far.until(20).steady(1).play();
    far.offers(&offer("").replace("RTP/AVP 0 8", "RTP/AVP 8"));
    far.until(40).packet(8, 2, 320, &[2; 160]).play();
    expect![[r#"
        20 ms #1
        20 ms -> 192.0.2.1:4000 100 at 10000: type 0 of 160 bytes marked
        40 ms #2
        40 ms -> 192.0.2.1:4000 101 at 10160: type 8 of 160 bytes
    "#]]
    .assert_eq(&far.log());
}

#[test]
fn silence_of_packets_is_reported_once_and_not_while_held() {
    let mut far = FarEnd::new("");
    far.until(1_000).steady(1);
    far.until(8_000);
    let log = far.log();
    assert_eq!(log.matches("stalled").count(), 1);
    assert!(log.contains("3000 ms stalled"), "{log}");

    far.steady(352);
    far.offers(&offer("a=sendonly\r\n"));
    far.until(30_000);
    assert!(!far.log().contains("stalled"));

    far.offers(&offer("a=inactive\r\n"));
    far.steady(400);
    far.until(50_000);
    let log = far.log();
    assert!(!log.contains("stalled") && !log.contains('#'), "{log}");

    far.offers(&offer(""));
    far.until(60_000);
    assert!(far.log().contains("52000 ms stalled"));
}

#[test]
fn a_stranger_is_not_heard() {
    let mut far = FarEnd::new("");
    let remote = far.from;
    far.until(20).steady(1);
    far.from = "203.0.113.9:5555".parse().unwrap();
    far.ssrc = 0xdddd;
    for index in 0..20 {
        far.audio(index, u32::from(index) * 160);
    }
    assert_eq!(far.session.target(), Some(remote));
    (far.from, far.ssrc) = (remote, 0xbbbb);
    far.until(40).steady(2);
    expect![[r#"
        20 ms #1
        40 ms #2
        40 ms stats: 2 received, 0 lost, 0 concealed, 0 late, 0 duplicate, 0 dropped
    "#]]
    .assert_eq(&far.stats().log());
}

#[test]
fn audio_goes_where_audio_comes_from() {
    let mut far = FarEnd::new("");
    assert_eq!(far.session.target(), Some("192.0.2.1:4000".parse().unwrap()));
    // Behind a NAT: believed with its second packet.
    far.from = "203.0.113.9:5555".parse().unwrap();
    far.until(20).steady(1);
    assert_eq!(far.session.target(), Some("192.0.2.1:4000".parse().unwrap()));
    far.until(40).steady(2);
    assert_eq!(far.session.target(), Some(far.from));
    // The NAT gives it another port in mid-call: the stream goes on, so it is the same sender.
    far.from = "203.0.113.9:6666".parse().unwrap();
    far.until(60).steady(3);
    far.until(80).steady(4);
    assert_eq!(far.session.target(), Some(far.from));
    // The SDP says otherwise: a new beginning.
    far.offers(&offer("").replace("4000", "4002"));
    assert_eq!(far.session.target(), Some("192.0.2.1:4002".parse().unwrap()));
}
