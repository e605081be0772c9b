//! The audio of one call: what the person says goes out, what is heard comes in and is held to the rules.

pub mod ear;
pub mod event;
pub mod mouth;
pub mod rtcp;
pub mod rtp;
pub mod sound;

use std::time::Duration;

/// Samples of one 20 ms packet at 8 kHz.
pub const PACKET_SAMPLES: usize = 160;
pub const PACKET: Duration = Duration::from_millis(20);
