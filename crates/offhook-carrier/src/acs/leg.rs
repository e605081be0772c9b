//! The leg of a call over ACS.

use std::task::{Context, Poll};

use offhook_core::{Frame, LegCommand, PhoneNumber};

use crate::leg::{Busy, LegOutput};
use crate::media::MediaStats;

/// What comes for a call from outside.
#[derive(Debug)]
pub(crate) enum Mail {
    Shutdown,
}

/// Dropping it hangs up.
#[derive(Debug)]
pub(crate) struct AcsLeg {
    line: PhoneNumber,
}

impl AcsLeg {
    pub fn poll_next(&mut self, _: &mut Context<'_>) -> Poll<LegOutput> {
        Poll::Pending
    }

    pub fn send(&mut self, _: LegCommand) -> Result<(), Busy> {
        Err(Busy)
    }

    pub fn play(&mut self, _: &Frame) {}

    pub fn stop_audio(&mut self) {}

    pub fn media_stats(&self) -> MediaStats {
        MediaStats::default()
    }

    pub fn line(&self) -> &PhoneNumber {
        &self.line
    }
}
