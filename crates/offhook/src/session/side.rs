//! One leg of a call: what it reports, and what it had no room for yet.

use std::collections::VecDeque;
use std::task::{Context, Poll, ready};

use offhook_carrier::{Leg, LegOutput, MediaStats};
use offhook_core::{AudioFormat, Frame, LegCommand, LegEvent, PhoneNumber};

#[derive(Debug)]
pub struct Side {
    leg: Box<Leg>,
    /// It said its last word; it stays for its counters.
    closed: bool,
    format: Option<AudioFormat>,
    /// What the leg had no room for yet, in order.
    commands: VecDeque<LegCommand>,
    /// Keys go out instead of audio.
    sending_digits: bool,
    /// The far end does not want to hear us.
    held: bool,
}

/// What became of the commands that waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passed {
    /// There was nothing to tell, or no room for it.
    Nothing,
    Some,
    /// The leg is over, and there is nobody to tell.
    Gone,
}

impl Side {
    pub fn new(leg: Box<Leg>) -> Self {
        let commands = VecDeque::new();
        Self { leg, closed: false, format: None, commands, sending_digits: false, held: false }
    }

    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<LegOutput> {
        if self.closed {
            return Poll::Pending;
        }
        let output = ready!(self.leg.poll_next(cx));
        if let LegOutput::Event(event) = &output {
            self.note(event);
        }
        Poll::Ready(output)
    }

    fn note(&mut self, event: &LegEvent) {
        match event {
            LegEvent::MediaUp { format, .. } => self.format = Some(*format),
            LegEvent::DigitsSent => self.sending_digits = false,
            LegEvent::Held => self.held = true,
            LegEvent::Resumed => self.held = false,
            LegEvent::Failed(_) | LegEvent::HungUp { .. } | LegEvent::Closed | LegEvent::Lost => {
                self.closed = true;
            }
            _ => {}
        }
    }

    pub fn command(&mut self, command: LegCommand) {
        self.commands.push_back(command);
    }

    /// Tell the leg what it has room for; the rest stays in order for the next turn of the loop.
    pub fn pass_commands(&mut self) -> Passed {
        let mut passed = Passed::Nothing;
        while let Some(command) = self.commands.front() {
            if self.closed {
                self.commands.clear();
                return Passed::Gone;
            }
            if self.leg.send(command.clone()).is_err() {
                break;
            }
            self.sending_digits |= matches!(command, LegCommand::SendDigits(_));
            self.commands.pop_front();
            passed = Passed::Some;
        }
        passed
    }

    /// Something waits for room.
    pub fn is_behind(&self) -> bool {
        !self.commands.is_empty()
    }

    pub fn is_open(&self) -> bool {
        !self.closed
    }

    /// Our number on it.
    pub fn line(&self) -> &PhoneNumber {
        self.leg.line()
    }

    /// What it carries; `None` as long as there is no audio.
    pub fn format(&self) -> Option<AudioFormat> {
        self.format
    }

    /// Nothing we send is heard just now.
    pub fn is_deaf(&self) -> bool {
        self.held || self.sending_digits
    }

    pub fn play(&mut self, frame: &Frame) {
        if !self.closed {
            self.leg.play(frame);
        }
    }

    /// Nothing of what was played and not heard yet is to be heard any more.
    pub fn stop_audio(&mut self) {
        if !self.closed {
            self.leg.stop_audio();
        }
    }

    pub fn media_stats(&self) -> MediaStats {
        self.leg.media_stats()
    }
}
