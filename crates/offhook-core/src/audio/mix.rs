//! Two legs joined: what one says is what the other hears, in its own format and at an even pace.
//!
//! A leg hands its frames on as they come; a speech model does not care when. A person's telephone does: each way has a
//! short queue that is emptied by one frame every 20 ms. It is as long as the unevenness of its leg demands, and gets
//! shorter again, so that nobody is heard later than needed.

use std::collections::VecDeque;

use super::{AudioFormat, Converter, Frame};

/// Both ways between two legs.
#[derive(Debug)]
pub struct Mixer {
    pub to_user: Crossing,
    pub to_remote: Crossing,
}

impl Mixer {
    pub fn new(remote: AudioFormat, user: AudioFormat) -> Self {
        Self { to_user: Crossing::new(remote, user), to_remote: Crossing::new(user, remote) }
    }

    /// The remote's leg has another format from now on.
    pub fn renew_remote(&mut self, format: AudioFormat) {
        self.to_user.renew(format, self.to_user.to());
        self.to_remote.renew(self.to_remote.from(), format);
    }

    /// The user's leg has another format from now on.
    pub fn renew_user(&mut self, format: AudioFormat) {
        self.to_user.renew(self.to_user.from(), format);
        self.to_remote.renew(format, self.to_remote.to());
    }
}

/// The way from one leg to the other.
#[derive(Debug)]
pub struct Crossing {
    converter: Converter,
    queue: VecDeque<Frame>,
    silence: Frame,
    /// The frame that went out last.
    playing: Option<Frame>,
    /// So many frames must wait before the first of them goes out.
    depth: usize,
    /// They did; until there are none left.
    flows: bool,
    /// The fewest that waited since the queue was last looked at, and how many beats ago that was.
    fewest: usize,
    beats: u32,
    dropped: u64,
}

impl Crossing {
    /// Two frames even out what a network in good order does.
    const SHALLOW: usize = 2;
    const DEEP: usize = 8;
    /// What comes at once after a stall is worth so many frames more, and the rest is too old to be heard.
    const SLACK: usize = 4;
    /// After five seconds in which a frame too many waited there is one less.
    const LOOK_EVERY: u32 = 250;

    fn new(from: AudioFormat, to: AudioFormat) -> Self {
        Self {
            converter: Converter::new(from, to),
            queue: VecDeque::with_capacity(Self::DEEP + Self::SLACK + 1),
            silence: Frame::silence(to),
            playing: None,
            depth: Self::SHALLOW,
            flows: false,
            fewest: usize::MAX,
            beats: 0,
            dropped: 0,
        }
    }

    pub fn from(&self) -> AudioFormat {
        self.converter.from()
    }

    pub fn to(&self) -> AudioFormat {
        self.converter.to()
    }

    /// Frames that came too late to be heard, or too many at once.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// What one leg sent.
    pub fn push(&mut self, frame: &Frame) {
        let crossing = self.converter.convert_frame(frame);
        self.queue.push_back(crossing);
        if self.queue.len() > self.depth + Self::SLACK {
            let late = self.queue.len() - self.depth;
            self.queue.drain(..late);
            self.dropped += late as u64;
        }
    }

    /// What the other leg is to hear for the next 20 ms, and whether that is from the first one: silence stands in where
    /// nothing came, and keeps the path open.
    pub fn pull(&mut self) -> (bool, &Frame) {
        self.shorten();
        self.flows |= self.queue.len() >= self.depth;
        self.playing = if self.flows { self.queue.pop_front() } else { None };
        if self.playing.is_none() && std::mem::take(&mut self.flows) {
            self.depth = (self.depth + 1).min(Self::DEEP);
        }
        (self.playing.is_some(), self.playing.as_ref().unwrap_or(&self.silence))
    }

    /// What always waited need not wait.
    fn shorten(&mut self) {
        self.fewest = self.fewest.min(self.queue.len());
        self.beats += 1;
        if self.beats < Self::LOOK_EVERY {
            return;
        }
        if self.flows && self.fewest > 1 {
            self.queue.pop_front();
            self.dropped += 1;
            self.depth = (self.depth - 1).max(Self::SHALLOW);
        }
        (self.fewest, self.beats) = (usize::MAX, 0);
    }

    /// Begin anew with other formats; what was heard before leaves no trace.
    fn renew(&mut self, from: AudioFormat, to: AudioFormat) {
        if (from, to) != (self.from(), self.to()) {
            *self = Self::new(from, to);
        }
    }
}
