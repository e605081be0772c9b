//! Two legs joined: what one says is what the other hears, in its own format.
//!
//! Nothing waits in here. The legs' jitter buffers have put the frames in their order and at their pace, so what comes
//! from one goes to the other as it comes, and the join adds no delay.

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
    converted: Frame,
    silence: Frame,
    /// Beats since a frame crossed.
    idle: u32,
}

impl Crossing {
    /// This many beats without a frame, and silence goes out instead: a leg that sends nothing at all while nobody
    /// speaks must not starve the other one's path.
    const PATIENCE: u32 = 3;

    fn new(from: AudioFormat, to: AudioFormat) -> Self {
        let silence = Frame::silence(to);
        Self { converter: Converter::new(from, to), converted: silence.clone(), silence, idle: 0 }
    }

    pub fn from(&self) -> AudioFormat {
        self.converter.from()
    }

    pub fn to(&self) -> AudioFormat {
        self.converter.to()
    }

    /// What one leg sent, as the other is to hear it.
    pub fn cross<'a>(&'a mut self, frame: &'a Frame) -> &'a Frame {
        self.idle = 0;
        if self.converter.is_passthrough() && frame.format() == self.from() {
            return frame;
        }
        self.converted = self.converter.convert_frame(frame);
        &self.converted
    }

    /// Another 20 ms went by: the silence to send, where nothing has crossed for a while.
    pub fn beat(&mut self) -> Option<&Frame> {
        self.idle = self.idle.saturating_add(1);
        (self.idle > Self::PATIENCE).then_some(&self.silence)
    }

    /// Begin anew with other formats; what was heard before leaves no trace.
    fn renew(&mut self, from: AudioFormat, to: AudioFormat) {
        if (from, to) != (self.from(), self.to()) {
            *self = Self::new(from, to);
        }
    }
}
