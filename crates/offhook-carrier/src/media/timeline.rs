//! Turns packets in order into an unbroken line of 20 ms frames.
//!
//! What the listener is given must last as long as what the remote said and was silent: lost packets are concealed,
//! pauses of a sender that suppresses silence are filled while they last.

use std::time::Duration;

use offhook_core::audio::FRAME;
use offhook_core::{AudioFormat, Frame, Timestamp};

use super::conceal::{Concealer, decode, encode};
use super::jitter::{Content, Packet};

/// 20 ms at 8 kHz.
pub const FRAME_SAMPLES: u32 = 160;

/// A pause is filled once it lasts this long; before, it may as well be a delay.
const PAUSE: Duration = Duration::from_millis(200);

/// A larger step of the timestamps is a clock that was reset, not time that passed.
const MAX_FILL: i64 = 4_000;

/// Frames kept for a listener that does not fetch them: four seconds.
const CAPACITY: usize = 32_000;

/// What was fetched is cleared away from this much on.
const COMPACT: usize = 1_600;

#[derive(Debug)]
pub struct Timeline {
    format: AudioFormat,
    concealer: Concealer,
    /// The timestamp after the last audio.
    next: Option<u32>,
    /// Samples made up beyond `next`.
    ahead: i64,
    /// The remote said (comfort noise) that it sends nothing now.
    resting: bool,
    /// Coded samples not yet fetched: `pending[fetched..]`.
    pending: Vec<u8>,
    fetched: usize,
    /// When the next 20 ms must be made up if nothing comes.
    fill_at: Option<Timestamp>,
    last_audio_at: Timestamp,
    pub concealed_samples: u64,
    pub dropped_samples: u64,
}

impl Timeline {
    pub fn new(format: AudioFormat) -> Self {
        Self {
            format,
            concealer: Concealer::new(format),
            next: None,
            ahead: 0,
            resting: false,
            pending: Vec::with_capacity(4 * FRAME_SAMPLES as usize),
            fetched: 0,
            fill_at: None,
            last_audio_at: Timestamp::default(),
            concealed_samples: 0,
            dropped_samples: 0,
        }
    }

    /// Change the format; what was not fetched is kept, recoded.
    pub fn set_format(&mut self, format: AudioFormat) {
        if format == self.format {
            return;
        }
        let from = std::mem::replace(&mut self.format, format);
        self.pending.iter_mut().for_each(|byte| *byte = encode(format, decode(from, *byte)));
        self.concealer = Concealer::new(format);
    }

    /// The stream begins anew: its timestamps say nothing about the time since the last one.
    pub fn resync(&mut self) {
        self.next = None;
        self.ahead = 0;
        self.fill_at = None;
    }

    /// Stop filling until the next audio.
    pub fn rest(&mut self) {
        self.fill_at = None;
    }

    /// Take the next packet in order; `lost` are missing before it.
    pub fn push(&mut self, now: Timestamp, packet: Packet<'_>, lost: u16) {
        if packet.content == Content::Event {
            return;
        }
        self.close_gap(packet.timestamp, lost > 0);
        self.last_audio_at = now;
        self.next = Some(packet.timestamp);
        let Content::Audio(coding) = packet.content else {
            self.resting = true;
            self.fill_at = Some(now + FRAME);
            return;
        };
        self.resting = false;
        self.fill_at = Some(now + PAUSE);
        self.next = Some(packet.timestamp.wrapping_add(packet.payload.len() as u32));
        let start = self.pending.len();
        self.pending.extend_from_slice(packet.payload);
        if coding != self.format {
            self.pending[start..]
                .iter_mut()
                .for_each(|byte| *byte = encode(self.format, decode(coding, *byte)));
        }
        self.concealer.heard(&self.pending[start..]);
        self.bound();
    }

    /// Fill a pause that lasts.
    pub fn timeout(&mut self, now: Timestamp) {
        let Some(due) = self.fill_at else { return };
        if due > now {
            return;
        }
        let since_audio = now.since(self.last_audio_at).as_micros() as i64 * 8 / 1_000;
        let owed = (since_audio - self.ahead) / i64::from(FRAME_SAMPLES) * i64::from(FRAME_SAMPLES);
        // More than a little at once means that we were not woken: time nobody listened to either.
        let fill = owed.clamp(0, MAX_FILL);
        self.append(fill as usize, !self.resting);
        self.ahead += owed.max(0);
        self.fill_at = Some(now + FRAME);
        self.bound();
    }

    pub fn deadline(&self) -> Option<Timestamp> {
        self.fill_at
    }

    /// The next 20 ms.
    pub fn pop(&mut self) -> Option<Frame> {
        let rest = &self.pending[self.fetched..];
        let frame = Frame::from_bytes(self.format, rest.get(..FRAME_SAMPLES as usize)?)?;
        self.fetched += FRAME_SAMPLES as usize;
        if self.fetched == self.pending.len() {
            self.pending.clear();
            self.fetched = 0;
        }
        Some(frame)
    }

    /// Make up for the time between the last audio and `timestamp`.
    fn close_gap(&mut self, timestamp: u32, lost: bool) {
        let Some(next) = self.next else { return };
        let gap = i64::from(timestamp.wrapping_sub(next) as i32);
        let owed = gap - self.ahead;
        if gap < 0 || owed > MAX_FILL {
            self.ahead = 0;
            return;
        }
        // What was made up too much (the packets were delayed, not lost) is made good by the next gaps.
        self.ahead = (-owed).clamp(0, MAX_FILL);
        if owed > 0 {
            self.append(owed as usize, lost);
            self.concealed_samples += if lost { owed as u64 } else { 0 };
        }
    }

    fn append(&mut self, samples: usize, conceal: bool) {
        if conceal {
            self.concealer.conceal(samples, &mut self.pending);
        } else {
            self.pending.resize(self.pending.len() + samples, self.format.silence_byte());
        }
    }

    /// Drop the oldest beyond what is kept.
    fn bound(&mut self) {
        let waiting = self.pending.len() - self.fetched;
        if waiting > CAPACITY {
            let drop = (waiting - CAPACITY).next_multiple_of(FRAME_SAMPLES as usize).min(waiting);
            self.dropped_samples += drop as u64;
            self.fetched += drop;
        }
        // Packets that are no whole number of frames never leave it empty.
        if self.fetched > COMPACT {
            self.pending.drain(..self.fetched);
            self.fetched = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_that_does_not_listen_loses_the_oldest() {
        let mut timeline = Timeline::new(AudioFormat::Pcmu);
        for index in 0..250u16 {
            let content = Content::Audio(AudioFormat::Pcmu);
            let payload = &[index as u8; 160];
            let packet = Packet { sequence: index, timestamp: u32::from(index) * 160, content, payload };
            timeline.push(Timestamp::default() + FRAME * index.into(), packet, 0);
        }
        assert_eq!(timeline.dropped_samples, 50 * 160);
        let frames: Vec<Frame> = std::iter::from_fn(|| timeline.pop()).collect();
        assert_eq!(frames.len(), 200);
        assert_eq!((frames[0].bytes()[0], frames[199].bytes()[0]), (50, 249));
    }

    #[test]
    fn what_waits_is_recoded_when_the_format_changes() {
        let mut timeline = Timeline::new(AudioFormat::Pcmu);
        let content = Content::Audio(AudioFormat::Pcmu);
        timeline.push(
            Timestamp::default(),
            Packet { sequence: 0, timestamp: 0, content, payload: &[0xff; 160] },
            0,
        );
        timeline.set_format(AudioFormat::Pcma);
        let frame = timeline.pop().unwrap();
        assert_eq!((frame.format(), decode(AudioFormat::Pcma, frame.bytes()[0])), (AudioFormat::Pcma, 8));
    }
}
