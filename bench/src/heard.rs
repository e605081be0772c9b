//! What the people who are called say and hear, whatever carries it.

use crate::marker::{FRAME_NANOS, Marker};
use crate::stats::Histogram;

/// What was sent and heard between two points in time.
#[derive(Debug, Default)]
pub struct Heard {
    /// Frames sent in this span count, and what arrives of them, however late.
    pub from: u64,
    pub until: u64,
    pub frames_sent: u64,
    /// Packets that arrived, with speech in them or not.
    pub frames_arrived: u64,
    /// Frames of the model among them that were sent in the span.
    pub speech_arrived: u64,
    /// From the model's first delta to the first packet of an utterance.
    pub onset: Histogram,
    /// How far a later packet is from its beat: the first packet's arrival and 20 ms for each since.
    pub off_beat: Histogram,
}

impl Heard {
    pub fn covers(&self, at: u64) -> bool {
        (self.from..self.until).contains(&at)
    }

    /// A packet that arrived, with what its first samples say.
    pub fn note(&mut self, beat: &mut Option<Beat>, arrived_at: u64, marker: Option<Marker>) {
        if self.covers(arrived_at) {
            self.frames_arrived += 1;
        }
        let Some(marker) = marker else { return };
        let counts = self.covers(marker.sent_at);
        self.speech_arrived += u64::from(counts);
        match *beat {
            Some(beat) if beat.utterance == marker.utterance && marker.number > beat.number => {
                let due_at = beat.arrived_at + u64::from(marker.number - beat.number) * FRAME_NANOS;
                if counts {
                    self.off_beat.add(arrived_at.abs_diff(due_at));
                }
            }
            _ => {
                *beat = Some(Beat { arrived_at, utterance: marker.utterance, number: marker.number });
                if counts && marker.number == 0 {
                    self.onset.add(arrived_at.saturating_sub(marker.sent_at));
                }
            }
        }
    }
}

/// The frame that set the beat of an utterance.
#[derive(Clone, Copy, Debug)]
pub struct Beat {
    arrived_at: u64,
    utterance: u32,
    number: u32,
}

/// How many callees are where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Picked up at some time.
    pub answered: usize,
    pub talking: usize,
    pub leaving: usize,
}

/// The telephone number of a call: nobody's, but one that could be.
pub fn number_of(call: u32) -> String {
    format!("+1415{}", 7_000_000 + call)
}

pub fn call_of(number: &str) -> Option<u32> {
    number.strip_prefix("+1415")?.parse::<u32>().ok()?.checked_sub(7_000_000)
}
