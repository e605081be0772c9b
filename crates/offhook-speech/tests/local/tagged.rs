//! Tagged audio survives what a telephone does to it, and nothing but itself is understood.

use offhook_core::audio::g711::Law;
use offhook_speech::local::tagged::{decode, encode};
use proptest::prelude::*;

fn through(law: Law, samples: &[i16]) -> Vec<i16> {
    let (mut bytes, mut back) = (Vec::new(), Vec::new());
    law.encode_into(samples, &mut bytes);
    law.decode_into(&bytes, &mut back);
    back
}

/// Repeatable noise of this peak.
fn noise(samples: &mut [i16], peak: i32, seed: u32) {
    let mut state = seed | 1;
    for sample in samples {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let noise = (state >> 16) as i32 % (2 * peak + 1) - peak;
        *sample = (i32::from(*sample) + noise).clamp(-32_768, 32_767) as i16;
    }
}

fn with_silence(before: usize, samples: &[i16], after: usize) -> Vec<i16> {
    let mut all = vec![0; before];
    all.extend_from_slice(samples);
    all.resize(all.len() + after, 0);
    all
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn a_text_comes_through_g711_noise_and_any_framing(
        text in "[ -~äöüß€]{0,80}",
        before in 0_usize..700,
        after in 0_usize..700,
        loud in any::<bool>(),
        seed in any::<u32>(),
        a_law in any::<bool>(),
    ) {
        let law = if a_law { Law::A } else { Law::Mu };
        let mut samples = with_silence(before, &encode(&text), after);
        noise(&mut samples, if loud { 1_200 } else { 30 }, seed);
        prop_assert_eq!(decode(&through(law, &samples)), Some(text));
    }

    #[test]
    fn what_was_cut_off_is_not_understood(text in "[a-z ]{1,40}", keep in 0.0_f64..1.0) {
        let samples = encode(&text);
        let cut = &samples[..((samples.len() - 100) as f64 * keep) as usize];
        prop_assert_eq!(decode(cut), None);
    }
}

#[test]
fn two_texts_in_one_turn_are_both_understood() {
    let mut samples = encode("Hello, this is Anna.");
    samples.extend(with_silence(900, &encode("How can I help you?"), 0));
    assert_eq!(decode(&samples).as_deref(), Some("Hello, this is Anna. How can I help you?"));
}

#[test]
fn a_text_whose_beginning_was_lost_does_not_hide_the_next() {
    let mut samples = encode("The first is damaged.")[1_000..].to_vec();
    samples.extend(encode("The second is not."));
    assert_eq!(decode(&samples).as_deref(), Some("The second is not."));
}

#[test]
fn tones_noise_and_silence_say_nothing() {
    let tone: Vec<i16> = (0..16_000).map(|n| (8_000.0 * (n as f32 * 0.785).sin()) as i16).collect();
    let mut hiss = vec![0; 16_000];
    noise(&mut hiss, 8_000, 7);
    for samples in [tone, hiss, vec![0; 16_000], Vec::new()] {
        assert_eq!(decode(&samples), None);
    }
}

#[test]
fn it_is_as_loud_as_speech_and_faster() {
    let text = "I would like to ask for an appointment on Thursday.";
    let samples = encode(text);
    let mean = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / samples.len() as f64;
    let dbfs = 20.0 * (mean.sqrt() / 32_768.0).log10();
    assert!((-16.0..-14.0).contains(&dbfs), "{dbfs}");
    assert!(samples.len() < text.len() * 8_000 / 20, "{}", samples.len());
}
