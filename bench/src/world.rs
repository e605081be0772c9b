//! Everything outside of the gateway on one thread: callees, models, agents, and the clock that drives them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;

use crate::Over;
use crate::acs;
use crate::caller::Caller;
use crate::conversation::Turns;
use crate::far::Far;
use crate::model::{Goes, Models};
use crate::net::{self, Beat, Poll, Ready};
use crate::wheel::SLOT_NANOS;

const SECOND: u64 = 1_000_000_000;
/// How often callees look at their timers.
const TICK: u64 = SECOND / 20;
/// Events handled before frames that are due go out.
const EVENTS: usize = 32;

/// What a descriptor is of: the upper half of its token; the lower is its index.
const BEAT: u64 = 0;
const SIP: u64 = 1;
const AUDIO: u64 = 2;
const LISTENER: u64 = 3;
const SESSION: u64 = 4;
const AGENT: u64 = 5;

const fn token(kind: u64, index: usize) -> u64 {
    kind << 32 | index as u64
}

#[derive(Debug)]
pub struct World {
    poll: Poll,
    beat: Beat,
    ready: Vec<Ready>,
    pub far: Far,
    pub models: Models,
    caller: Option<Caller>,
    offer: Option<Offer>,
    tick_at: u64,
    /// Whether to sleep when there is nothing to do. Waking a sleeper on another core is charged to the gateway for
    /// each packet it sends, which no network card does; so on a core of its own the generator stays awake.
    sleeps: bool,
    /// Nanoseconds awake with nothing to do.
    idle: u64,
    looked_at: u64,
}

/// Calls that are still to be placed at a steady rate.
#[derive(Clone, Copy, Debug)]
struct Offer {
    left: u32,
    next_at: u64,
    interval: u64,
}

impl World {
    pub fn new(over: Over, tls: Option<Arc<ServerConfig>>, turns: Turns, sleeps: bool) -> io::Result<Self> {
        let now = net::now();
        let (poll, beat) = (Poll::new()?, Beat::every(Duration::from_nanos(SLOT_NANOS))?);
        let (far, models) = (Far::new(over, now)?, Models::new(tls, turns, now)?);
        poll.add(&beat, token(BEAT, 0))?;
        match &far {
            Far::Sip(callees) => {
                poll.add(callees.sip_socket(), token(SIP, 0))?;
                for (index, socket) in callees.audio_sockets().iter().enumerate() {
                    poll.add(socket, token(AUDIO, index))?;
                }
            }
            Far::Acs(service) => poll.add(service.listener(), token(acs::LISTENER, 0))?,
        }
        poll.add(models.listener(), token(LISTENER, 0))?;
        let ready = Vec::with_capacity(1_024);
        let (caller, offer) = (None, None);
        Ok(Self {
            poll,
            beat,
            ready,
            far,
            models,
            caller,
            offer,
            tick_at: 0,
            sleeps,
            idle: 0,
            looked_at: now,
        })
    }

    /// Get ready to place calls there.
    pub fn call_through(&mut self, api: SocketAddr, connections: usize) -> io::Result<()> {
        let caller = Caller::new(api, connections)?;
        for (index, connection) in caller.connections.iter().enumerate() {
            self.poll.add(&connection.stream, token(AGENT, index))?;
        }
        self.caller = Some(caller);
        Ok(())
    }

    pub fn caller(&mut self) -> Option<&mut Caller> {
        self.caller.as_mut()
    }

    /// Place so many calls, so many a second, from now on.
    pub fn offer(&mut self, calls: u32, per_second: f64) {
        let interval = (SECOND as f64 / per_second) as u64;
        self.offer = Some(Offer { left: calls, next_at: net::now(), interval });
    }

    pub fn is_offering(&self) -> bool {
        self.offer.is_some() || self.caller.as_ref().is_some_and(|caller| !caller.is_idle())
    }

    /// Calls the gateway refused since its answers were taken last.
    pub fn refused(&self) -> usize {
        self.caller.as_ref().map_or(0, |caller| caller.answers.refused as usize)
    }

    /// Go on until `done`, or for so long at most; whether it was done.
    pub fn run(&mut self, at_most: Duration, mut done: impl FnMut(&Self) -> bool) -> io::Result<bool> {
        let end = net::now() + at_most.as_nanos() as u64;
        loop {
            let now = self.step()?;
            if now >= end {
                return Ok(done(self));
            }
            // Looking is not free either.
            if now >= self.tick_at {
                self.tick_at = now + TICK;
                self.far.tick(now, &self.poll);
                if done(self) {
                    return Ok(true);
                }
            }
        }
    }

    fn step(&mut self) -> io::Result<u64> {
        let mut ready = std::mem::take(&mut self.ready);
        self.poll.wait(&mut ready, self.sleeps)?;
        let idle = ready.is_empty();
        for events in ready.chunks(EVENTS) {
            self.talk()?;
            for event in events {
                self.handle(*event)?;
            }
        }
        self.ready = ready;
        let now = self.talk()?;
        self.place(now);
        if idle && !self.sleeps {
            self.idle += now.saturating_sub(self.looked_at);
        }
        self.looked_at = now;
        Ok(now)
    }

    /// How long it was awake with nothing to do, ever.
    pub fn idle(&self) -> Duration {
        Duration::from_nanos(self.idle)
    }

    fn handle(&mut self, ready: Ready) -> io::Result<()> {
        let (kind, index) = (ready.token >> 32, ready.token as u32);
        match kind {
            BEAT => self.beat.clear(),
            SIP | AUDIO | acs::LISTENER..=acs::MEDIA => self.hear(kind, index)?,
            LISTENER => {
                while let Some(session) = self.models.accept() {
                    if let Some(stream) = self.models.stream(session) {
                        self.poll.add(stream, token(SESSION, session as usize))?;
                    }
                }
            }
            SESSION => {
                if ready.writable {
                    let goes = self.models.write(index);
                    self.watch(index, goes, true)?;
                }
                if ready.readable {
                    let goes = self.models.read(index);
                    self.watch(index, goes, false)?;
                }
            }
            _ => self.read_agent(index as usize)?,
        }
        Ok(())
    }

    /// The far side of the telephone network has something for us.
    fn hear(&mut self, kind: u64, index: u32) -> io::Result<()> {
        match &mut self.far {
            Far::Sip(callees) if kind == SIP => callees.read_sip(net::now()),
            Far::Sip(callees) => callees.listen(index as usize),
            Far::Acs(service) => service.handle(kind, index, net::now(), &self.poll)?,
        }
        Ok(())
    }

    /// A session that waits for room is told when there is some.
    fn watch(&self, session: u32, goes: Goes, waited: bool) -> io::Result<()> {
        let wanted = goes == Goes::Waiting;
        match self.models.stream(session) {
            Some(stream) if wanted || (waited && goes == Goes::On) => {
                self.poll.want_room(stream, token(SESSION, session as usize), wanted)
            }
            _ => Ok(()),
        }
    }

    fn read_agent(&mut self, index: usize) -> io::Result<()> {
        let Some(caller) = &mut self.caller else { return Ok(()) };
        if !caller.read(index, net::now()) {
            caller.reopen(index)?;
            self.poll.add(&caller.connections[index].stream, token(AGENT, index))?;
        }
        Ok(())
    }

    fn talk(&mut self) -> io::Result<u64> {
        let now = net::now();
        self.far.talk(now);
        let mut waiting = Vec::new();
        self.models.talk(now, |session, goes| waiting.push((session, goes)));
        for (session, goes) in waiting {
            self.watch(session, goes, false)?;
        }
        Ok(now)
    }

    fn place(&mut self, now: u64) {
        let (Some(offer), Some(caller)) = (&mut self.offer, &mut self.caller) else { return };
        while offer.left > 0 && now >= offer.next_at {
            caller.place(offer.next_at);
            offer.left -= 1;
            offer.next_at += offer.interval;
        }
        if offer.left == 0 {
            self.offer = None;
        }
    }
}
