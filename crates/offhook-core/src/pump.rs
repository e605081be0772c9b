//! Bursts of model audio in, one frame every 20 ms out, and a ledger of what the remote really heard.
//!
//! Models speak faster than real time; telephone legs want a frame every 20 ms. The pump holds what is not yet
//! played, so that a barge-in can drop it, and knows to the millisecond how much of each utterance went out.

use std::collections::VecDeque;
use std::time::Duration;

use crate::audio::{AudioFormat, Frame};
use crate::call::Utterance;

/// The playout queue of one leg, in the leg's own format.
#[derive(Debug)]
pub struct Pump {
    format: AudioFormat,
    queue: VecDeque<Chunk>,
    queued_bytes: usize,
    /// The utterance that played last and how much of it did.
    playing: Option<Heard>,
    dropped_bytes: u64,
}

#[derive(Debug)]
struct Chunk {
    utterance: Utterance,
    bytes: Vec<u8>,
    played: usize,
}

/// How much of an utterance the remote heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    pub utterance: Utterance,
    pub bytes: usize,
}

impl Heard {
    pub fn ms(&self, format: AudioFormat) -> u32 {
        (self.bytes / format.bytes_per_ms()) as u32
    }
}

impl Pump {
    /// Five minutes: far more than a model says in one turn. What goes past it is dropped, oldest first, and counted.
    pub const CAPACITY: Duration = Duration::from_secs(300);

    pub fn new(format: AudioFormat) -> Self {
        Self { format, queue: VecDeque::new(), queued_bytes: 0, playing: None, dropped_bytes: 0 }
    }

    pub fn format(&self) -> AudioFormat {
        self.format
    }

    /// Queue audio of an utterance, in the leg's format.
    pub fn push(&mut self, utterance: Utterance, bytes: Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        self.queued_bytes += bytes.len();
        self.queue.push_back(Chunk { utterance, bytes, played: 0 });
        let capacity = Self::CAPACITY.as_millis() as usize * self.format.bytes_per_ms();
        while self.queued_bytes > capacity {
            let Some(oldest) = self.queue.pop_front() else { break };
            let lost = oldest.bytes.len() - oldest.played;
            self.queued_bytes -= lost;
            self.dropped_bytes += lost as u64;
        }
    }

    /// The next 20 ms, padded with silence at the end of speech; `None` when there is nothing to say.
    pub fn pull(&mut self) -> Option<Frame> {
        if self.queue.is_empty() {
            return None;
        }
        let mut frame = Frame::silence(self.format);
        let room = frame.bytes_mut();
        let mut filled = 0;
        while filled < room.len() {
            let Some(chunk) = self.queue.front_mut() else { break };
            let rest = &chunk.bytes[chunk.played..];
            let take = rest.len().min(room.len() - filled);
            room[filled..filled + take].copy_from_slice(&rest[..take]);
            chunk.played += take;
            filled += take;
            self.queued_bytes -= take;
            match &mut self.playing {
                Some(heard) if heard.utterance == chunk.utterance => heard.bytes += take,
                playing => *playing = Some(Heard { utterance: chunk.utterance, bytes: take }),
            }
            if chunk.played == chunk.bytes.len() {
                self.queue.pop_front();
            }
        }
        Some(frame)
    }

    /// Whether everything that was pushed has been played.
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether any audio of this utterance still waits.
    pub fn holds(&self, utterance: Utterance) -> bool {
        self.queue.iter().any(|chunk| chunk.utterance == utterance)
    }

    /// How long the rest would take to play.
    pub fn queued(&self) -> Duration {
        self.format.duration_of(self.queued_bytes)
    }

    /// The utterance that is playing, or played last, and how much of it was heard.
    pub fn heard(&self) -> Option<Heard> {
        self.playing
    }

    /// Drop everything not yet played. `Some` when that cut an utterance off: how much of it was heard.
    ///
    /// An utterance of which nothing was played yet is reported with zero bytes.
    pub fn barge_in(&mut self) -> Option<Heard> {
        let first = self.queue.front()?.utterance;
        self.queue.clear();
        self.queued_bytes = 0;
        match self.playing {
            Some(heard) if heard.utterance == first => Some(heard),
            _ => Some(Heard { utterance: first, bytes: 0 }),
        }
    }

    /// Audio lost because the queue was full, so far.
    pub fn dropped(&self) -> Duration {
        self.format.duration_of(self.dropped_bytes as usize)
    }
}
