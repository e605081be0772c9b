//! Two legs joined: the same sound on the other side, at once, and silence where nobody sends any.

use offhook_core::audio::SampleRate::*;
use offhook_core::audio::mix::{Crossing, Mixer};
use offhook_core::audio::{AudioFormat, Converter, Frame};

use crate::signal::{db, fit, sine};

const FORMATS: [AudioFormat; 4] =
    [AudioFormat::Pcmu, AudioFormat::Pcma, AudioFormat::Pcm16(Hz16000), AudioFormat::Pcm16(Hz24000)];

fn pcm(format: AudioFormat) -> AudioFormat {
    AudioFormat::Pcm16(format.sample_rate())
}

/// Half a second of a tone in frames of this format.
fn tone(hz: f64, format: AudioFormat) -> Vec<Frame> {
    let samples = sine(hz, format.sample_rate().hz(), 12_000.0, 0.5);
    let linear: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let mut bytes = Vec::new();
    Converter::new(pcm(format), format).convert(&linear, &mut bytes);
    bytes.chunks(format.frame_len()).map(|chunk| Frame::from_bytes(format, chunk).unwrap()).collect()
}

/// The second half of it, when all filters have settled.
fn samples(frames: &[Frame], format: AudioFormat) -> Vec<i16> {
    assert!(frames.iter().all(|frame| frame.format() == format && frame.bytes().len() == format.frame_len()));
    let bytes: Vec<u8> = frames.iter().flat_map(|frame| frame.bytes().to_vec()).collect();
    let mut linear = Vec::new();
    Converter::new(format, pcm(format)).convert(&bytes, &mut linear);
    let samples: Vec<i16> = linear.as_chunks::<2>().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect();
    samples[samples.len() / 2..].to_vec()
}

#[track_caller]
fn assert_heard(heard: &[Frame], hz: f64, format: AudioFormat) {
    let fit = fit(&samples(heard, format), hz, format.sample_rate().hz());
    let sent = 12_000.0_f64.powi(2) / 2.0;
    assert!(db(fit.power / sent).abs() < 0.5, "{format:?}: {:.2} dB", db(fit.power / sent));
    assert!(
        db(fit.power / fit.rest) > 30.0,
        "{format:?}: {:.1} dB above what is left",
        db(fit.power / fit.rest)
    );
}

/// What comes out while these go in, a frame each 20 ms.
fn cross(crossing: &mut Crossing, frames: &[Frame]) -> Vec<Frame> {
    let mut heard = Vec::new();
    for frame in frames {
        crossing.push(frame);
        heard.push(crossing.pull().1.clone());
    }
    heard
}

#[test]
fn each_hears_the_other_at_the_same_level_whatever_the_formats() {
    for remote in FORMATS {
        for user in FORMATS {
            let mut mixer = Mixer::new(remote, user);
            assert_heard(&cross(&mut mixer.to_user, &tone(620.0, remote)), 620.0, user);
            assert_heard(&cross(&mut mixer.to_remote, &tone(1_000.0, user)), 1_000.0, remote);
        }
    }
}

#[test]
fn where_both_speak_the_same_format_not_a_bit_is_changed_and_20_ms_are_added() {
    let mut mixer = Mixer::new(AudioFormat::Pcmu, AudioFormat::Pcmu);
    let sent = tone(620.0, AudioFormat::Pcmu);
    let heard = cross(&mut mixer.to_user, &sent);
    assert_eq!(heard[0], Frame::silence(AudioFormat::Pcmu));
    assert_eq!(heard[1..], sent[..sent.len() - 1]);
}

#[test]
fn a_leg_that_sends_nothing_is_silence_to_the_other() {
    let mut mixer = Mixer::new(AudioFormat::Pcmu, AudioFormat::Pcma);
    for _ in 0..1_000 {
        assert_eq!(mixer.to_remote.pull(), (false, &Frame::silence(AudioFormat::Pcmu)));
    }
    assert_eq!(mixer.to_remote.dropped(), 0);
}

/// What is left of the frames, by the numbers they carry.
fn numbers(mixer: &mut Mixer, script: &[(usize, usize)]) -> Vec<Option<u8>> {
    let mut next = 0;
    let mut heard = Vec::new();
    for (come, beats) in script {
        for _ in 0..*come {
            mixer.to_user.push(&Frame::from_bytes(AudioFormat::Pcmu, &[next; 160]).unwrap());
            next = (next + 1) % 250;
        }
        for _ in 0..*beats {
            let (from_leg, frame) = mixer.to_user.pull();
            heard.push(from_leg.then(|| frame.bytes()[0]));
        }
    }
    heard
}

fn mixer() -> Mixer {
    Mixer::new(AudioFormat::Pcmu, AudioFormat::Pcmu)
}

#[test]
fn what_comes_unevenly_goes_out_evenly_and_in_order() {
    // A frame early, a frame late, two at once.
    let script = [(1, 1), (1, 1), (2, 1), (0, 1), (1, 1), (1, 1), (2, 1), (0, 1), (1, 1)];
    let heard = numbers(&mut mixer(), &script);
    assert_eq!(heard, [None, Some(0), Some(1), Some(2), Some(3), Some(4), Some(5), Some(6), Some(7)]);
}

#[test]
fn after_a_stall_the_newest_is_heard_and_not_what_is_too_old() {
    // 160 ms of nothing, and then all of it at once.
    let script = [(2, 2), (0, 8), (8, 3)];
    let heard = numbers(&mut mixer(), &script);
    let expected = [&[Some(0), Some(1)][..], &[None; 8], &[Some(7), Some(8), Some(9)]].concat();
    assert_eq!(heard, expected);
}

#[test]
fn an_uneven_leg_is_given_more_time_and_an_even_one_takes_it_back() {
    let mut mixer = mixer();
    let uneven: Vec<(usize, usize)> = (0..100).flat_map(|_| [(4, 6), (4, 2)]).collect();
    let heard = numbers(&mut mixer, &uneven);
    let gaps = heard[200..].iter().filter(|frame| frame.is_none()).count();
    assert_eq!(gaps, 0, "it evens out: {heard:?}");
    let even: Vec<(usize, usize)> = (0..3_000).map(|_| (1, 1)).collect();
    let before = mixer.to_user.dropped();
    assert!(numbers(&mut mixer, &even).iter().all(Option::is_some));
    let dropped = mixer.to_user.dropped() - before;
    assert!((1..=6).contains(&dropped), "{dropped} frames were left out");
}

#[test]
fn a_clock_that_is_too_fast_never_makes_anybody_late() {
    let mut mixer = mixer();
    // One frame in a hundred too many, for two minutes.
    let fast: Vec<(usize, usize)> = (0..6_000).map(|n| (if n % 100 == 0 { 2 } else { 1 }, 1)).collect();
    let heard = numbers(&mut mixer, &fast);
    assert!(heard.iter().skip(1).all(Option::is_some));
    assert!(mixer.to_user.dropped() >= 50, "{}", mixer.to_user.dropped());
}

#[test]
fn a_leg_that_changes_its_format_is_heard_in_it_and_nothing_of_before_is() {
    let mut mixer = Mixer::new(AudioFormat::Pcmu, AudioFormat::Pcm16(Hz16000));
    cross(&mut mixer.to_user, &tone(620.0, AudioFormat::Pcmu));
    mixer.renew_remote(AudioFormat::Pcma);
    let silent =
        cross(&mut mixer.to_user, &[Frame::silence(AudioFormat::Pcma), Frame::silence(AudioFormat::Pcma)]);
    let loudest = |frame: &Frame| {
        frame.bytes().as_chunks::<2>().0.iter().map(|pair| i16::from_le_bytes(*pair).abs()).max()
    };
    for frame in &silent {
        assert_eq!(frame.bytes().len(), AudioFormat::Pcm16(Hz16000).frame_len());
        assert!(loudest(frame) <= Some(16), "{:?}", loudest(frame));
    }
    // A straggler in the old format is silence too, not noise.
    let straggler = tone(620.0, AudioFormat::Pcmu)[0].clone();
    assert!(
        cross(&mut mixer.to_user, &[straggler.clone(), straggler])
            .iter()
            .all(|frame| loudest(frame) <= Some(16))
    );
    let user = AudioFormat::Pcmu;
    mixer.renew_user(user);
    assert_heard(&cross(&mut mixer.to_user, &tone(620.0, AudioFormat::Pcma)), 620.0, user);
    assert_eq!(mixer.to_remote.to(), AudioFormat::Pcma);
}
