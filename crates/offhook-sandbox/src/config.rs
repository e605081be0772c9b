//! How an exchange behaves.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::script::Step;
use crate::sip::digest::Challenge;

/// Makes the audio of a sentence: 16 bit, mono, 8 kHz. May take its time; it is called off the audio path.
pub type Render = Arc<dyn Fn(&str) -> Vec<i16> + Send + Sync>;

#[derive(Clone)]
pub struct SandboxConfig {
    /// Where SIP is served; port 0 takes a free one.
    pub addr: SocketAddr,
    pub render: Render,
    /// Divides rings, pauses and patience, never speech or the pace of packets.
    pub speed: f32,
    /// How long the far side has to be silent for its turn to be over.
    pub turn_end: Duration,
    /// Asks callers for credentials.
    pub challenge: Option<Challenge>,
    /// Hold callers to good practice too (rport, Allow, telephone-event, going by Contact), not only to the law.
    pub house_rules: bool,
    /// Stay in the path of later requests, so that they need a Route.
    pub record_route: bool,
    /// Numbers besides the documented ones, for tests: what is dialled, exactly, and what comes of it.
    pub numbers: Vec<(String, Vec<Step>)>,
    /// Keep all audio that is heard in the call records.
    pub keep_audio: bool,
}

impl SandboxConfig {
    pub fn new(render: Render) -> Self {
        Self {
            addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            render,
            speed: 1.0,
            turn_end: Duration::from_millis(800),
            challenge: None,
            house_rules: true,
            record_route: false,
            numbers: Vec::new(),
            keep_audio: false,
        }
    }
}

impl fmt::Debug for SandboxConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SandboxConfig")
            .field("addr", &self.addr)
            .field("speed", &self.speed)
            .finish_non_exhaustive()
    }
}
