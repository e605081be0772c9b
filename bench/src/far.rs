//! The people who are called, over whatever carries them.

use std::io;

use crate::Over;
use crate::acs::Acs;
use crate::callees::Callees;
use crate::gateway;
use crate::heard::{Census, Heard};
use crate::net::Poll;
use crate::stats::Histogram;

/// One of the carriers.
#[derive(Debug)]
pub enum Far {
    Sip(Box<Callees>),
    Acs(Box<Acs>),
}

impl Far {
    pub fn new(over: Over, now: u64) -> io::Result<Self> {
        Ok(match over {
            Over::Sip => Self::Sip(Box::new(Callees::new(now)?)),
            Over::Acs => Self::Acs(Box::new(Acs::new(now)?)),
        })
    }

    /// What the gateway has to know.
    pub fn is_at(&self) -> io::Result<gateway::Far> {
        match self {
            Self::Sip(callees) => Ok(gateway::Far::Trunk(callees.address())),
            Self::Acs(acs) => Ok(gateway::Far::Resource { endpoint: acs.address()?, doors: acs.doors() }),
        }
    }

    /// Send the frames that are due.
    pub fn talk(&mut self, now: u64) {
        match self {
            Self::Sip(callees) => callees.talk(now),
            Self::Acs(acs) => acs.talk(now),
        }
    }

    /// What time brings. To be called a few times a second.
    pub fn tick(&mut self, now: u64, poll: &Poll) {
        match self {
            Self::Sip(callees) => callees.tick(now),
            Self::Acs(acs) => acs.tick(now, poll),
        }
    }

    pub fn census(&self) -> Census {
        match self {
            Self::Sip(callees) => callees.census(),
            Self::Acs(acs) => acs.census(),
        }
    }

    /// Calls that talk at the moment.
    pub fn talking(&self) -> Vec<u32> {
        match self {
            Self::Sip(callees) => callees.talking(),
            Self::Acs(acs) => acs.talking(),
        }
    }

    pub fn answered_at(&self, call: u32) -> Option<u64> {
        match self {
            Self::Sip(callees) => callees.answered_at(call),
            Self::Acs(acs) => acs.answered_at(call),
        }
    }

    /// Hang up.
    pub fn leave(&mut self, call: u32, now: u64) {
        match self {
            Self::Sip(callees) => callees.leave(call, now),
            Self::Acs(acs) => acs.leave(call),
        }
    }

    /// From now on they hang up by themselves after this long.
    pub fn hang_up_after(&mut self, nanos: u64) {
        match self {
            Self::Sip(callees) => callees.hang_up_after = Some(nanos),
            Self::Acs(acs) => acs.hang_up_after = Some(nanos),
        }
    }

    pub fn heard(&mut self) -> &mut Heard {
        match self {
            Self::Sip(callees) => &mut callees.heard,
            Self::Acs(acs) => &mut acs.heard,
        }
    }

    /// How late the generator was since this was asked last.
    pub fn take_lateness(&mut self) -> Histogram {
        match self {
            Self::Sip(callees) => callees.take_lateness(),
            Self::Acs(acs) => acs.take_lateness(),
        }
    }
}
