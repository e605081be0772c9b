//! Two legs joined: the same sound on the other side, at once, and silence where nobody sends any.

use offhook_core::audio::SampleRate::*;
use offhook_core::audio::mix::Mixer;
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

#[test]
fn each_hears_the_other_at_the_same_level_whatever_the_formats() {
    for remote in FORMATS {
        for user in FORMATS {
            let mut mixer = Mixer::new(remote, user);
            let (mut to_user, mut to_remote) = (Vec::new(), Vec::new());
            for (from_remote, from_user) in tone(620.0, remote).iter().zip(&tone(1_000.0, user)) {
                to_user.push(mixer.to_user.cross(from_remote).clone());
                to_remote.push(mixer.to_remote.cross(from_user).clone());
            }
            assert_heard(&to_user, 620.0, user);
            assert_heard(&to_remote, 1_000.0, remote);
        }
    }
}

#[test]
fn where_both_speak_the_same_format_not_a_bit_is_changed() {
    let mut mixer = Mixer::new(AudioFormat::Pcmu, AudioFormat::Pcmu);
    for frame in tone(620.0, AudioFormat::Pcmu) {
        assert_eq!(mixer.to_user.cross(&frame), &frame);
    }
}

#[test]
fn silence_stands_in_for_a_leg_that_sends_nothing_and_for_nobody_else() {
    let mut mixer = Mixer::new(AudioFormat::Pcmu, AudioFormat::Pcma);
    let [frame, ..] = &tone(620.0, AudioFormat::Pcmu)[..] else { panic!("a frame") };
    for _ in 0..100 {
        mixer.to_user.cross(frame);
        assert_eq!(mixer.to_user.beat(), None, "a beat a little late is no silence");
    }
    let beats: Vec<bool> = (0..6).map(|_| mixer.to_remote.beat().is_some()).collect();
    assert_eq!(beats, [false, false, false, true, true, true]);
    assert_eq!(mixer.to_remote.beat(), Some(&Frame::silence(AudioFormat::Pcmu)));
    mixer.to_remote.cross(&Frame::silence(AudioFormat::Pcma));
    assert_eq!(mixer.to_remote.beat(), None);
}

#[test]
fn a_leg_that_changes_its_format_is_heard_in_it_and_nothing_of_before_is() {
    let mut mixer = Mixer::new(AudioFormat::Pcmu, AudioFormat::Pcm16(Hz16000));
    tone(620.0, AudioFormat::Pcmu).iter().for_each(|frame| drop(mixer.to_user.cross(frame).clone()));
    mixer.renew_remote(AudioFormat::Pcma);
    let silent = mixer.to_user.cross(&Frame::silence(AudioFormat::Pcma)).clone();
    assert_eq!(silent.bytes().len(), AudioFormat::Pcm16(Hz16000).frame_len());
    let loudest = silent.bytes().as_chunks::<2>().0.iter().map(|pair| i16::from_le_bytes(*pair).abs()).max();
    assert!(loudest <= Some(16), "{loudest:?}");
    // A straggler in the old format is silence too, not noise.
    let straggler = mixer.to_user.cross(&tone(620.0, AudioFormat::Pcmu)[0]).clone();
    assert_eq!(straggler, Frame::silence(AudioFormat::Pcm16(Hz16000)));
    let (mut heard, user) = (Vec::new(), AudioFormat::Pcmu);
    mixer.renew_user(user);
    tone(620.0, AudioFormat::Pcma).iter().for_each(|frame| heard.push(mixer.to_user.cross(frame).clone()));
    assert_heard(&heard, 620.0, user);
    assert_eq!(mixer.to_remote.cross(&Frame::silence(user)).format(), AudioFormat::Pcma);
}
