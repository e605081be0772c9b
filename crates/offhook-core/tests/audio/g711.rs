//! Checked against the reference algorithm of ITU-T G.191 (g711.c) and the end points of the tables of G.711.

use offhook_core::audio::g711::{Law, decode_alaw, decode_ulaw, encode_alaw, encode_ulaw};

/// `ulaw_compress` of G.191, on the 16 bit scale.
fn reference_ulaw(sample: i16) -> u8 {
    let mut absno = if sample < 0 { (!i32::from(sample) >> 2) + 33 } else { (i32::from(sample) >> 2) + 33 };
    absno = absno.min(0x1fff);
    let mut segno = 1;
    let mut i = absno >> 6;
    while i != 0 {
        segno += 1;
        i >>= 1;
    }
    let high_nibble = 8 - segno;
    let low_nibble = 0xf - ((absno >> segno) & 0xf);
    let byte = ((high_nibble << 4) | low_nibble) as u8;
    if sample >= 0 { byte | 0x80 } else { byte }
}

/// `alaw_compress` of G.191, on the 16 bit scale.
fn reference_alaw(sample: i16) -> u8 {
    let mut ix = if sample < 0 { !i32::from(sample) >> 4 } else { i32::from(sample) >> 4 };
    if ix > 15 {
        let mut iexp = 1;
        while ix > 16 + 15 {
            ix >>= 1;
            iexp += 1;
        }
        ix -= 16;
        ix += iexp << 4;
    }
    if sample >= 0 {
        ix |= 0x80;
    }
    (ix ^ 0x55) as u8
}

#[test]
fn every_sample_is_encoded_as_the_reference_does() {
    for sample in i16::MIN..=i16::MAX {
        assert_eq!(encode_ulaw(sample), reference_ulaw(sample), "µ-law of {sample}");
        assert_eq!(encode_alaw(sample), reference_alaw(sample), "A-law of {sample}");
    }
}

#[test]
fn known_values_of_the_standard() {
    for (byte, sample) in [
        (0xff, 0),
        (0x7f, 0),
        (0xfe, 8),
        (0x7e, -8),
        (0x80, 32_124),
        (0x00, -32_124),
        (0x8f, 16_764),
        (0xef, 132),
    ] {
        assert_eq!(decode_ulaw(byte), sample, "µ-law {byte:#04x}");
    }
    for (byte, sample) in
        [(0xd5, 8), (0x55, -8), (0xd4, 24), (0xaa, 32_256), (0x2a, -32_256), (0x80, 5_504), (0xc5, 264)]
    {
        assert_eq!(decode_alaw(byte), sample, "A-law {byte:#04x}");
    }
}

#[test]
fn every_code_survives_the_round_trip() {
    for byte in 0..=255 {
        // µ-law has two zeros; the negative one comes back as the positive.
        let expected = if byte == 0x7f { 0xff } else { byte };
        assert_eq!(encode_ulaw(decode_ulaw(byte)), expected);
        assert_eq!(encode_alaw(decode_alaw(byte)), byte);
    }
}

#[test]
fn the_sign_bit_mirrors() {
    for byte in 0..=127 {
        assert_eq!(decode_ulaw(byte), -decode_ulaw(byte | 0x80));
        assert_eq!(decode_alaw(byte), -decode_alaw(byte | 0x80));
    }
}

#[test]
fn no_sample_is_further_off_than_half_a_step() {
    for sample in i16::MIN..=i16::MAX {
        let magnitude = i32::from(sample).abs();
        // µ-law steps double where the biased magnitude reaches the next power of two; A-law from 512 on.
        let ulaw_step = 8 << (((magnitude + 132) / 256).max(1).ilog2() + u32::from(magnitude + 132 >= 256));
        let alaw_step = 16 << (magnitude / 512).max(1).ilog2() << u32::from(magnitude >= 512);
        let ulaw_error = (i32::from(decode_ulaw(encode_ulaw(sample))) - i32::from(sample)).abs();
        let alaw_error = (i32::from(decode_alaw(encode_alaw(sample))) - i32::from(sample)).abs();
        if magnitude < 32_124 {
            assert!(ulaw_error <= ulaw_step / 2, "µ-law of {sample} is {ulaw_error} off");
        }
        assert!(alaw_error <= alaw_step / 2, "A-law of {sample} is {alaw_error} off");
    }
}

#[test]
fn bulk_and_single_agree() {
    let bytes: Vec<u8> = (0..=255).collect();
    for (law, decode, encode) in [
        (Law::Mu, decode_ulaw as fn(u8) -> i16, encode_ulaw as fn(i16) -> u8),
        (Law::A, decode_alaw, encode_alaw),
    ] {
        let (mut samples, mut again) = (vec![], vec![]);
        law.decode_into(&bytes, &mut samples);
        law.encode_into(&samples, &mut again);
        assert_eq!(samples, bytes.iter().map(|b| decode(*b)).collect::<Vec<_>>());
        assert_eq!(again, samples.iter().map(|s| encode(*s)).collect::<Vec<_>>());
    }
}

#[test]
fn changing_the_law_costs_no_more_than_a_step() {
    let bytes: Vec<u8> = (0..=255).collect();
    let (mut alaw, mut ulaw) = (vec![], vec![]);
    Law::Mu.transcode_into(&bytes, &mut alaw);
    Law::A.transcode_into(&bytes, &mut ulaw);
    for byte in 0..=255u8 {
        let there = i32::from(decode_ulaw(byte)) - i32::from(decode_alaw(alaw[byte as usize]));
        let back = i32::from(decode_alaw(byte)) - i32::from(decode_ulaw(ulaw[byte as usize]));
        assert!(there.abs() <= 8 + i32::from(decode_ulaw(byte)).abs() / 32, "µ {byte:#04x} is {there} off");
        assert!(back.abs() <= 8 + i32::from(decode_alaw(byte)).abs() / 32, "A {byte:#04x} is {back} off");
    }
}
