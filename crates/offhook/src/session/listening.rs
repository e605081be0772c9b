//! What else the remote's audio is listened to for, beside its words: a machine's beep, the sound of a hold, and on hold
//! a person who comes back.
//!
//! On hold the model hears nothing. It takes a moment to be sure of a person, and what they say in that moment must not
//! be lost: audio waits here for two seconds, and the model gets it from their first word on. All of it passes through
//! to the model's clock, heard or not, so that the times of the transcript are those of the call.

use std::collections::VecDeque;

use offhook_core::Frame;
use offhook_core::audio::hold::{HoldListener, HoldSound};
use offhook_core::audio::tone::{Tone, ToneDetector};
use offhook_core::audio::{AudioFormat, SampleRate, g711};
use offhook_core::call::Input;

use super::Session;
use super::sources::Source;

/// Samples of 20 ms at 8 kHz.
const SAMPLES: usize = 160;

#[derive(Debug, Default)]
pub struct Listening {
    hold: HoldListener,
    /// Made when a beep is first awaited; most calls never need it.
    beep: Option<Box<ToneDetector>>,
    /// On hold: what the model has not been given yet.
    waiting: Option<Box<Waiting>>,
}

/// What was recognised in a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recognised {
    pub sound: Option<HoldSound>,
    /// A machine's beep has just ended.
    pub beep: bool,
}

impl Listening {
    pub fn hear(&mut self, frame: &Frame, for_beeps: bool) -> Recognised {
        let mut linear = [0; SAMPLES];
        let samples = to_linear(frame, &mut linear);
        let beep = for_beeps && {
            let tones = self.beep.get_or_insert_default();
            tones.push(samples).any(|tone| matches!(tone, Tone::Beep { .. }))
        };
        Recognised { sound: self.hold.push(samples), beep }
    }

    pub fn is_on_hold(&self) -> bool {
        self.waiting.is_some()
    }

    /// From now on the model hears nothing.
    pub fn hold(&mut self) {
        self.hold.hold();
        self.waiting.get_or_insert_default();
    }

    /// It hears again; what waited was given to it.
    pub fn resume(&mut self) {
        self.hold.resume();
        self.waiting = None;
    }

    /// What waits for the model; `None` when it is not on hold.
    pub fn waiting(&mut self) -> Option<&mut Waiting> {
        self.waiting.as_deref_mut()
    }
}

/// Frames in the order they came, two seconds of them at most.
#[derive(Debug, Default)]
pub struct Waiting {
    frames: VecDeque<(AudioFormat, u16)>,
    bytes: VecDeque<u8>,
    ms: u32,
}

impl Waiting {
    const LONGEST_MS: u32 = HoldListener::LOOKS_BACK_MS - 80;

    pub fn push(&mut self, frame: &Frame) {
        self.frames.push_back((frame.format(), frame.bytes().len() as u16));
        self.bytes.extend(frame.bytes());
        self.ms += frame.duration().as_millis() as u32;
    }

    /// The oldest frame.
    pub fn pop(&mut self) -> Option<Frame> {
        let (format, len) = self.frames.pop_front()?;
        let mut bytes = [0; Frame::CAPACITY];
        let bytes = &mut bytes[..usize::from(len)];
        for (byte, waiting) in bytes.iter_mut().zip(self.bytes.drain(..usize::from(len))) {
            *byte = waiting;
        }
        let frame = Frame::from_bytes(format, bytes)?;
        self.ms = self.ms.saturating_sub(frame.duration().as_millis() as u32);
        Some(frame)
    }

    /// What has waited for too long.
    pub fn pop_late(&mut self) -> Option<Frame> {
        if self.ms > Self::LONGEST_MS { self.pop() } else { None }
    }

    /// What came before the last so many milliseconds, as silence: it is not to be heard, but it took its time.
    pub fn pop_before(&mut self, ms: u32) -> Option<Frame> {
        let before = if self.ms > ms { self.pop()? } else { return None };
        let mut silence = before;
        let byte = silence.format().silence_byte();
        silence.bytes_mut().fill(byte);
        Some(silence)
    }
}

impl Session {
    /// What the remote says, where the voice is with them.
    pub(super) fn voice_hears(&mut self, frame: &Frame) {
        let for_beeps = self.call.listens_for_beep();
        let Some(voice) = self.route.voice() else { return };
        let Some(audio) = &mut voice.audio else { return };
        let Recognised { sound, beep } = voice.listening.hear(frame, for_beeps);
        match voice.listening.waiting() {
            None => {
                audio.remote_frame(frame, &mut self.speech);
                self.sources.stir(Source::Speech);
            }
            Some(waiting) => {
                waiting.push(frame);
                while let Some(late) = waiting.pop_late() {
                    audio.remote_frame(&late, &mut self.speech);
                }
            }
        }
        if beep {
            self.handle(Input::Beep);
        }
        if let Some(sound) = sound {
            self.sound_recognised(sound);
        }
    }

    fn sound_recognised(&mut self, sound: HoldSound) {
        if let HoldSound::Person { since_ms } = sound
            && let Some(voice) = self.route.voice()
            && let (Some(audio), Some(waiting)) = (&mut voice.audio, voice.listening.waiting())
        {
            while let Some(silence) = waiting.pop_before(since_ms) {
                audio.remote_frame(&silence, &mut self.speech);
            }
        }
        self.handle(Input::Sound(sound));
    }

    /// Listen as the call has come to want it.
    pub(super) fn settle_listening(&mut self) {
        let on_hold = self.call.is_on_hold();
        let Some(voice) = self.route.voice() else { return };
        if on_hold == voice.listening.is_on_hold() {
            return;
        }
        if on_hold {
            return voice.listening.hold();
        }
        self.release_waiting();
        if let Some(voice) = self.route.voice() {
            voice.listening.resume();
        }
    }

    /// Give the model what waits, whether it is to hear it or only to count it.
    pub(super) fn release_waiting(&mut self) {
        let Some(voice) = self.route.voice() else { return };
        let (Some(audio), Some(waiting)) = (&mut voice.audio, voice.listening.waiting()) else { return };
        while let Some(frame) = waiting.pop() {
            audio.remote_frame(&frame, &mut self.speech);
        }
        self.sources.stir(Source::Speech);
    }
}

/// The frame at 8 kHz. For wider ones means of neighbours are enough: nothing is listened to, only recognised.
fn to_linear<'a>(frame: &Frame, linear: &'a mut [i16; SAMPLES]) -> &'a [i16] {
    let bytes = frame.bytes();
    let count = match frame.format() {
        AudioFormat::Pcmu => fill(linear, bytes.iter().map(|byte| g711::decode_ulaw(*byte))),
        AudioFormat::Pcma => fill(linear, bytes.iter().map(|byte| g711::decode_alaw(*byte))),
        AudioFormat::Pcm16(SampleRate::Hz8000) => fill(linear, means::<2>(bytes)),
        AudioFormat::Pcm16(SampleRate::Hz16000) => fill(linear, means::<4>(bytes)),
        AudioFormat::Pcm16(SampleRate::Hz24000) => fill(linear, means::<6>(bytes)),
    };
    &linear[..count]
}

fn fill(linear: &mut [i16; SAMPLES], samples: impl Iterator<Item = i16>) -> usize {
    linear.iter_mut().zip(samples).map(|(sample, value)| *sample = value).count()
}

/// The mean of each so many bytes of samples.
fn means<const BYTES: usize>(bytes: &[u8]) -> impl Iterator<Item = i16> {
    let mean = |group: &[u8; BYTES]| {
        let samples = group.as_chunks::<2>().0;
        let sum: i32 = samples.iter().map(|sample| i32::from(i16::from_le_bytes(*sample))).sum();
        (sum / (BYTES as i32 / 2)) as i16
    };
    bytes.as_chunks::<BYTES>().0.iter().map(mean)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(format: AudioFormat, byte: u8) -> Frame {
        Frame::from_bytes(format, &vec![byte; format.frame_len()]).expect("a frame")
    }

    #[test]
    fn what_waits_comes_out_as_it_came_in_and_never_waits_longer_than_two_seconds() {
        let mut waiting = Waiting::default();
        let mut late = 0;
        for n in 0..200u8 {
            waiting.push(&frame(AudioFormat::Pcmu, n));
            while let Some(frame) = waiting.pop_late() {
                assert_eq!(frame.bytes()[0], late);
                late += 1;
            }
        }
        assert_eq!(late, 104, "96 frames wait");
        // Somebody has been speaking for 600 ms: what came before is silent, and takes its time.
        let silent = std::iter::from_fn(|| waiting.pop_before(600)).map(|frame| frame.bytes()[0]);
        assert_eq!(silent.collect::<Vec<_>>(), [0xff; 66]);
        let heard = std::iter::from_fn(|| waiting.pop()).map(|frame| frame.bytes()[0]);
        assert!(heard.eq(170..200));
    }

    #[test]
    fn every_format_is_heard_at_its_level() {
        for (format, expected) in [
            (AudioFormat::Pcmu, g711::decode_ulaw(0x11)),
            (AudioFormat::Pcma, g711::decode_alaw(0x11)),
            (AudioFormat::Pcm16(SampleRate::Hz8000), 0x1111),
            (AudioFormat::Pcm16(SampleRate::Hz16000), 0x1111),
            (AudioFormat::Pcm16(SampleRate::Hz24000), 0x1111),
        ] {
            let mut linear = [0; SAMPLES];
            assert_eq!(to_linear(&frame(format, 0x11), &mut linear), [expected; SAMPLES], "{format:?}");
        }
    }

    #[test]
    fn a_beep_is_looked_for_only_where_it_matters() {
        let beep = |n: u32| (8_000.0 * (f64::from(n) * std::f64::consts::TAU / 8.0).sin()) as i16;
        let noise = |n: u32| ((n.wrapping_mul(2_654_435_761) >> 18) as i16).wrapping_sub(8_192) / 3;
        let tape: Vec<u8> = (0..16_000)
            .map(noise)
            .chain((0..4_000).map(beep))
            .chain([0; 8_000])
            .map(g711::encode_ulaw)
            .collect();
        let heard = |for_beeps: bool| {
            let mut listening = Listening::default();
            let frames =
                tape.chunks(160).map(|bytes| Frame::from_bytes(AudioFormat::Pcmu, bytes).expect("a frame"));
            frames.filter(|frame| listening.hear(frame, for_beeps).beep).count()
        };
        assert_eq!((heard(true), heard(false)), (1, 0));
    }
}
