//! Judged as a listener would: what comes through, how clean, how late.

use std::f64::consts::TAU;
use std::time::Duration;

use offhook_core::audio::SampleRate::{self, *};
use offhook_core::audio::resample::Resampler;

use crate::signal::{db, fit, power, sine};

const RATES: [SampleRate; 3] = [Hz8000, Hz16000, Hz24000];

fn pairs() -> impl Iterator<Item = (SampleRate, SampleRate)> {
    RATES
        .into_iter()
        .flat_map(|from| RATES.into_iter().map(move |to| (from, to)))
        .filter(|(from, to)| from != to)
}

fn resample(samples: &[i16], from: SampleRate, to: SampleRate) -> Vec<i16> {
    let mut out = Vec::new();
    Resampler::new(from, to).expect("different rates").push(samples, &mut out);
    out
}

/// The part where the filter has settled: whole periods of any multiple of 50 Hz.
fn settled(samples: &[i16], rate: SampleRate) -> &[i16] {
    let ms = rate.hz() as usize / 1_000;
    &samples[40 * ms..440 * ms]
}

#[test]
fn the_same_rate_needs_no_resampler() {
    for rate in RATES {
        assert!(Resampler::new(rate, rate).is_none());
    }
}

#[test]
fn twenty_milliseconds_in_are_twenty_milliseconds_out() {
    for (from, to) in pairs() {
        let mut resampler = Resampler::new(from, to).expect("different rates");
        for _ in 0..10 {
            let mut out = Vec::new();
            resampler.push(&vec![0; from.hz() as usize / 50], &mut out);
            assert_eq!(out.len(), to.hz() as usize / 50, "{from:?} to {to:?}");
        }
    }
}

#[test]
fn tones_of_the_voice_come_through_clean_and_level() {
    for (from, to) in pairs() {
        for hz in [50.0, 300.0, 1_000.0, 2_000.0, 3_000.0] {
            let input = sine(hz, from.hz(), 16_000.0, 0.5);
            let output = resample(&input, from, to);
            let found = fit(settled(&output, to), hz, to.hz());
            let level = db(found.power / power(settled(&input, from)));
            let snr = db(found.power / found.rest);
            assert!(level.abs() < 0.1, "{from:?} to {to:?}, {hz} Hz: {level:.2} dB");
            assert!(snr > 70.0, "{from:?} to {to:?}, {hz} Hz: SNR {snr:.1} dB");
        }
    }
}

#[test]
fn a_tone_in_the_middle_of_the_band_keeps_77_db() {
    for (from, to) in pairs() {
        let output = resample(&sine(1_000.0, from.hz(), 20_000.0, 0.5), from, to);
        let found = fit(settled(&output, to), 1_000.0, to.hz());
        let snr = db(found.power / found.rest);
        assert!(snr > 77.0, "{from:?} to {to:?}: SNR {snr:.1} dB");
    }
}

#[test]
fn the_telephone_band_passes() {
    for (from, to) in pairs() {
        let output = resample(&sine(3_400.0, from.hz(), 16_000.0, 0.5), from, to);
        let level = db(fit(settled(&output, to), 3_400.0, to.hz()).power / (16_000.0f64.powi(2) / 2.0));
        assert!(level > -1.0, "{from:?} to {to:?}: {level:.2} dB at 3400 Hz");
    }
}

#[test]
fn what_the_slower_rate_cannot_carry_is_gone() {
    for (from, to) in pairs().filter(|(from, to)| from.hz() > to.hz()) {
        for part in [0.62, 0.75, 0.9] {
            let hz = (f64::from(to.hz()) * part / 50.0).round() * 50.0;
            if hz * 2.0 >= f64::from(from.hz()) {
                continue;
            }
            let input = sine(hz, from.hz(), 16_000.0, 0.5);
            let alias = db(power(settled(&resample(&input, from, to), to)) / power(&input));
            assert!(alias < -68.0, "{from:?} to {to:?}: {hz} Hz comes through at {alias:.1} dB");
        }
    }
}

#[test]
fn a_constant_stays_constant() {
    for (from, to) in pairs() {
        let output = resample(&vec![12_345; from.hz() as usize / 10], from, to);
        for sample in &output[output.len() / 2..] {
            assert!((i32::from(*sample) - 12_345).abs() <= 3, "{from:?} to {to:?}: {sample}");
        }
    }
}

#[test]
fn full_scale_does_not_wrap() {
    for (from, to) in pairs() {
        let square: Vec<i16> =
            (0..from.hz() / 10).map(|n| if n / 20 % 2 == 0 { i16::MAX } else { i16::MIN }).collect();
        let output = resample(&square, from, to);
        // A wrapped sample would sit next to one of the opposite extreme.
        let jump = output.windows(2).map(|w| (i32::from(w[0]) - i32::from(w[1])).abs()).max();
        let steepest = if to.hz() > from.hz() { 60_000 } else { 65_535 };
        assert!(jump <= Some(steepest), "{from:?} to {to:?}: {jump:?}");
        assert!(output.contains(&i16::MAX) && output.contains(&i16::MIN), "{from:?} to {to:?}");
    }
}

#[test]
fn the_delay_is_at_most_a_millisecond_and_a_half_and_as_stated() {
    for (from, to) in pairs() {
        let hz = 250.0;
        let output = resample(&sine(hz, from.hz(), 16_000.0, 0.5), from, to);
        let phase = fit(settled(&output, to), hz, to.hz()).phase;
        // The measured stretch begins at 40 ms, ten whole periods.
        let measured = -phase / TAU / hz;
        let stated = Resampler::new(from, to).expect("different rates").delay();
        assert!(
            (measured - stated.as_secs_f64()).abs() < 20e-6,
            "{from:?} to {to:?}: {measured} vs {stated:?}"
        );
        assert!(stated <= Duration::from_micros(1_500), "{from:?} to {to:?}: {stated:?}");
    }
}

#[test]
fn how_the_stream_is_cut_makes_no_difference() {
    for (from, to) in pairs() {
        let input = sine(440.0, from.hz(), 9_000.0, 0.2);
        let whole = resample(&input, from, to);
        let mut resampler = Resampler::new(from, to).expect("different rates");
        let mut pieces = Vec::new();
        for (n, piece) in input.chunks(7).enumerate() {
            if n == 3 {
                resampler.push(&[], &mut pieces);
            }
            resampler.push(piece, &mut pieces);
        }
        assert_eq!(whole, pieces, "{from:?} to {to:?}");
    }
}

#[test]
fn reset_forgets_the_past() {
    for (from, to) in pairs() {
        let input = sine(700.0, from.hz(), 9_000.0, 0.1);
        let mut resampler = Resampler::new(from, to).expect("different rates");
        resampler.push(&sine(90.0, from.hz(), 30_000.0, 0.0333), &mut Vec::new());
        resampler.reset();
        let mut out = Vec::new();
        resampler.push(&input, &mut out);
        assert_eq!(out, resample(&input, from, to));
    }
}

/// For output sample `n`, the input that drives it furthest: every sample at full scale, with the sign of its tap.
fn worst_signal(n: usize, responses: &[Vec<i16>]) -> Vec<i16> {
    responses.iter().map(|response| if response[n] < 0 { i16::MIN } else { i16::MAX }).collect()
}

#[test]
fn the_worst_signal_saturates_and_does_not_wrap() {
    const LEN: usize = 176;
    for (from, to) in pairs() {
        let impulse = |at: usize| (0..LEN).map(|n| if n == at { i16::MAX } else { 0 }).collect::<Vec<_>>();
        let responses: Vec<Vec<i16>> = (0..LEN).map(|at| resample(&impulse(at), from, to)).collect();
        let last = responses[0].len() - 1;
        for n in last - 6..=last {
            let output = resample(&worst_signal(n, &responses), from, to);
            assert_eq!(output[n], i16::MAX, "{from:?} to {to:?}, sample {n}");
        }
    }
}
