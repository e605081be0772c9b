//! What we send: audio, keys, reports.

use expect_test::expect;
use offhook_core::{AudioFormat, Frame};

use crate::far_end::{FarEnd, offer};

#[test]
fn a_frame_is_a_packet() {
    let mut far = FarEnd::new("");
    for index in 0..3 {
        far.until(20 * index).play();
    }
    expect![[r#"
        0 ms -> 192.0.2.1:4000 100 at 10000: type 0 of 160 bytes marked
        20 ms -> 192.0.2.1:4000 101 at 10160: type 0 of 160 bytes
        40 ms -> 192.0.2.1:4000 102 at 10320: type 0 of 160 bytes
    "#]]
    .assert_eq(&far.log());
}

#[test]
fn frames_become_packets_of_the_length_that_was_asked_for() {
    for (ms, expected) in [
        (
            10,
            expect![[r#"
                0 ms -> 192.0.2.1:4000 100 at 10000: type 0 of 80 bytes marked
                0 ms -> 192.0.2.1:4000 101 at 10080: type 0 of 80 bytes
                20 ms -> 192.0.2.1:4000 102 at 10160: type 0 of 80 bytes
                20 ms -> 192.0.2.1:4000 103 at 10240: type 0 of 80 bytes
                40 ms -> 192.0.2.1:4000 104 at 10320: type 0 of 80 bytes
                40 ms -> 192.0.2.1:4000 105 at 10400: type 0 of 80 bytes
            "#]],
        ),
        (
            30,
            expect![[r#"
                20 ms -> 192.0.2.1:4000 100 at 10000: type 0 of 240 bytes marked
                40 ms -> 192.0.2.1:4000 101 at 10240: type 0 of 240 bytes
            "#]],
        ),
        (
            60,
            expect![[r#"
                40 ms -> 192.0.2.1:4000 100 at 10000: type 0 of 480 bytes marked
            "#]],
        ),
    ] {
        let mut far = FarEnd::new(&format!("a=ptime:{ms}\r\n"));
        for index in 0..3 {
            far.until(20 * index).play();
        }
        expected.assert_eq(&far.log());
    }
}

#[test]
fn a_pause_of_the_caller_moves_the_timestamps_and_is_marked() {
    let mut far = FarEnd::new("");
    far.play();
    // A little late is not a pause.
    far.until(70).play();
    far.until(75).play();
    far.until(560).play();
    far.until(580).play();
    expect![[r#"
        0 ms -> 192.0.2.1:4000 100 at 10000: type 0 of 160 bytes marked
        70 ms -> 192.0.2.1:4000 101 at 10160: type 0 of 160 bytes
        75 ms -> 192.0.2.1:4000 102 at 10320: type 0 of 160 bytes
        560 ms -> 192.0.2.1:4000 103 at 14480: type 0 of 160 bytes marked
        580 ms -> 192.0.2.1:4000 104 at 14640: type 0 of 160 bytes
    "#]]
    .assert_eq(&far.log());
}

#[test]
fn other_formats_of_the_same_rate_are_coded() {
    let mut far = FarEnd::new("");
    far.play_frame(&Frame::silence(AudioFormat::Pcma));
    far.play_frame(&Frame::silence(AudioFormat::Pcm16(offhook_core::audio::SampleRate::Hz8000)));
    far.play_frame(&Frame::silence(AudioFormat::Pcm16(offhook_core::audio::SampleRate::Hz24000)));
    expect![[r#"
        0 ms -> 192.0.2.1:4000 100 at 10000: type 0 of 160 bytes marked
        0 ms -> 192.0.2.1:4000 101 at 10160: type 0 of 160 bytes
    "#]]
    .assert_eq(&far.log());
}

#[test]
fn a_key_is_sent_as_an_event_in_place_of_audio() {
    let mut far = FarEnd::new("");
    far.play();
    far.session.send_digits(far.now(), "5");
    for index in 1..=11 {
        far.until(20 * index).play();
    }
    expect![[r#"
        0 ms -> 192.0.2.1:4000 100 at 10000: type 0 of 160 bytes marked
        20 ms -> 192.0.2.1:4000 101 at 10160: event 5 lasting 160 marked
        40 ms -> 192.0.2.1:4000 102 at 10160: event 5 lasting 320
        60 ms -> 192.0.2.1:4000 103 at 10160: event 5 lasting 480
        80 ms -> 192.0.2.1:4000 104 at 10160: event 5 lasting 640
        100 ms -> 192.0.2.1:4000 105 at 10160: event 5 end lasting 800
        120 ms -> 192.0.2.1:4000 106 at 10160: event 5 end lasting 800
        140 ms -> 192.0.2.1:4000 107 at 10160: event 5 end lasting 800
        160 ms -> 192.0.2.1:4000 108 at 11280: type 0 of 160 bytes marked
        180 ms -> 192.0.2.1:4000 109 at 11440: type 0 of 160 bytes
        180 ms digits sent
        200 ms -> 192.0.2.1:4000 110 at 11600: type 0 of 160 bytes
        220 ms -> 192.0.2.1:4000 111 at 11760: type 0 of 160 bytes
    "#]]
    .assert_eq(&far.log());
}

#[test]
fn keys_go_out_though_nobody_plays() {
    let mut far = FarEnd::new("");
    far.session.send_digits(far.now(), "7");
    far.until(400);
    expect![[r#"
        60 ms -> 192.0.2.1:4000 100 at 10000: event 7 lasting 160 marked
        80 ms -> 192.0.2.1:4000 101 at 10000: event 7 lasting 320
        100 ms -> 192.0.2.1:4000 102 at 10000: event 7 lasting 480
        120 ms -> 192.0.2.1:4000 103 at 10000: event 7 lasting 640
        140 ms -> 192.0.2.1:4000 104 at 10000: event 7 end lasting 800
        160 ms -> 192.0.2.1:4000 105 at 10000: event 7 end lasting 800
        180 ms -> 192.0.2.1:4000 106 at 10000: event 7 end lasting 800
        200 ms -> 192.0.2.1:4000 107 at 11120: type 0 of 160 bytes marked
        220 ms -> 192.0.2.1:4000 108 at 11280: type 0 of 160 bytes
        220 ms digits sent
    "#]]
    .assert_eq(&far.log());
}

#[test]
fn keys_pressed_before_there_is_media_wait_for_it() {
    let mut far = FarEnd::before_any_offer();
    far.session.send_digits(far.now(), "3");
    far.until(5_000).offers(&offer(""));
    far.play();
    expect![[r#"
        5000 ms -> 192.0.2.1:4000 100 at 10000: event 3 lasting 160 marked
    "#]]
    .assert_eq(&far.log());
}

#[test]
fn keys_are_tones_for_a_far_end_that_takes_no_events() {
    let mut far = FarEnd::with_offer("v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0\r\n");
    far.session.send_digits(far.now(), "1");
    for index in 0..9 {
        far.until(20 * index).play();
    }
    expect![[r#"
        0 ms -> 192.0.2.1:4000 100 at 10000: type 0 of 160 bytes marked
        20 ms -> 192.0.2.1:4000 101 at 10160: type 0 of 160 bytes
        40 ms -> 192.0.2.1:4000 102 at 10320: type 0 of 160 bytes
        60 ms -> 192.0.2.1:4000 103 at 10480: type 0 of 160 bytes
        80 ms -> 192.0.2.1:4000 104 at 10640: type 0 of 160 bytes
        100 ms -> 192.0.2.1:4000 105 at 10800: type 0 of 160 bytes
        120 ms -> 192.0.2.1:4000 106 at 10960: type 0 of 160 bytes
        140 ms -> 192.0.2.1:4000 107 at 11120: type 0 of 160 bytes
        160 ms -> 192.0.2.1:4000 108 at 11280: type 0 of 160 bytes
        160 ms digits sent
    "#]]
    .assert_eq(&far.log());
}

#[test]
fn nothing_is_sent_while_we_are_held() {
    let mut far = FarEnd::new("a=sendonly\r\n");
    far.play().play();
    far.session.send_digits(far.now(), "1");
    far.play();
    far.until(900);
    assert_eq!(far.log(), "");
}

#[test]
fn reports_tell_what_was_sent_and_heard() {
    let mut far = FarEnd::new("");
    for index in 0..300u16 {
        far.until(20 * u64::from(index));
        if index % 10 != 3 {
            far.steady(index);
        }
        far.play();
    }
    far.until(6_000).stop();
    let reports: Vec<String> =
        far.log().lines().filter(|line| line.contains("Rtcp")).map(|line| format!("{line}\n")).collect();
    expect![[r#"
        1000 ms -> 192.0.2.1:4001 Rtcp: sender report (at 18000, 50 packets, 8000 bytes; of bbbb: 5 lost, 25/256 lately, up to 49, jitter 0, delay 0), name
        6000 ms -> 192.0.2.1:4001 Rtcp: sender report (at 58000, 300 packets, 48000 bytes; of bbbb: 30 lost, 25/256 lately, up to 299, jitter 0, delay 0), name
        6000 ms -> 192.0.2.1:4001 Rtcp: receiver report (; of bbbb: 30 lost, 0/256 lately, up to 299, jitter 0, delay 0), name, goodbye
    "#]].assert_eq(&reports.concat());
    assert_eq!(far.play().until(20_000).log(), "", "nothing after the goodbye");
}
