//! The course of a measurement: warm up, place the calls, listen for a while, hang up, overload.

use std::time::Duration;

use anyhow::bail;

use crate::caller::Answers;
use crate::conversation::Turns;
use crate::gateway::{self, Gateway, Setup};
use crate::heard;
use crate::marker::Sound;
use crate::model;
use crate::net;
use crate::report::{Load, Media, Memory, Placing, Report};
use crate::stats::Histogram;
use crate::world::World;
use crate::{Args, Over, certificate};

/// Until the model's playout and the gateway's timers are in their stride.
const SETTLE: Duration = Duration::from_secs(1);
/// For frames under way when the window closes, beyond what the model is ahead.
const STRAGGLERS: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the short calls of an overload last.
const SHORT: Duration = Duration::from_secs(1);
/// Kept-alive connections of the agents.
const CONNECTIONS: usize = 64;

pub fn run(args: &Args) -> anyhow::Result<Report> {
    let open_files = net::raise_open_files()?;
    if u64::from(args.calls) * 5 + 500 > open_files {
        bail!("{} calls need more open files than the {open_files} this user may have", args.calls);
    }
    if let Some(core) = args.generator_core() {
        net::pin(core)?;
    }
    let name = certificate::name_of((net::HERE, 0).into());
    let (server, pem) = match args.tls {
        true => certificate::for_one_run(&name).map(|(server, pem)| (Some(server), Some(pem)))?,
        false => (None, None),
    };
    let mut world = World::new(args.carrier, server, turns(args), args.generator_core().is_none())?;
    let program = args.offhook.clone().map_or_else(std::env::current_exe, Ok)?;
    let gateway = Gateway::start(&Setup {
        program: &program,
        far: world.far.is_at()?,
        model: world.models.address()?,
        certificate: pem,
        core: args.gateway_core(),
        max_calls: args.calls * 4 + 1_000,
        extra: &args.config,
    })?;
    world.call_through(gateway.api, CONNECTIONS)?;
    Measurement { args, gateway, world, next: 0 }.run()
}

fn turns(args: &Args) -> Turns {
    let frames = |ms: u32| ms.div_ceil(20);
    Turns {
        speech: frames(args.speech_ms),
        ahead: frames(args.ahead_ms).max(1),
        pause: frames(args.pause_ms),
        sound: match args.carrier {
            Over::Sip => Sound::Pcmu,
            Over::Acs => Sound::Pcm,
        },
    }
}

struct Measurement<'a> {
    args: &'a Args,
    gateway: Gateway,
    world: World,
    /// The number of the next call.
    next: u32,
}

impl Measurement<'_> {
    fn run(mut self) -> anyhow::Result<Report> {
        let idle = self.warm_up()?;
        eprintln!("placing {} calls, {} a second", self.args.calls, self.args.setup_rate);
        let placing = self.place(self.args.calls, f64::from(self.args.setup_rate))?;
        self.world.run(SETTLE, |_| false)?;
        eprintln!("{} calls talk; listening for {} s", self.talking(), self.args.seconds);
        let (calls, media, load) = self.listen(Duration::from_secs(self.args.seconds.into()))?;
        let with_calls = self.gateway.usage()?.rss_kib;
        let overload = self.overload()?;
        eprintln!("hanging up");
        self.hang_up(0)?;
        self.world.run(Duration::from_secs(self.args.rest_seconds.into()), |_| false)?;
        let after = self.gateway.usage()?.rss_kib;
        let memory = Memory { idle_kib: idle, with_calls_kib: with_calls, calls, after_kib: after };
        Ok(Report { asked: self.args.clone(), calls, placing, media, load, memory, overload })
    }

    fn stragglers(&self) -> Duration {
        STRAGGLERS + Duration::from_millis(self.args.ahead_ms.into())
    }

    fn talking(&self) -> u32 {
        self.world.far.census().talking as u32
    }

    /// One call that comes and goes, so that what is made once does not count as memory of a call.
    fn warm_up(&mut self) -> anyhow::Result<u64> {
        let placing = self.place(1, 100.0)?;
        if placing.answered != 1 {
            bail!("the first call was not answered: {:?}", placing.refusals);
        }
        self.world.run(SETTLE, |_| false)?;
        self.hang_up(0)?;
        self.world.run(SETTLE, |_| false)?;
        Ok(self.gateway.usage()?.rss_kib)
    }

    fn place(&mut self, calls: u32, per_second: f64) -> anyhow::Result<Placing> {
        let (first, started_at) = (self.next, net::now());
        let answered_before = self.world.far.census().answered;
        self.next += calls;
        self.world.offer(calls, per_second);
        let offering = Duration::from_secs_f64(f64::from(calls) / per_second);
        self.world.run(offering + PATIENCE, |world| {
            // A refused call is never answered.
            let answered = world.far.census().answered - answered_before;
            !world.is_offering() && answered + world.refused() >= calls as usize
        })?;
        if self.gateway.has_ended()? {
            bail!("the gateway has ended");
        }
        let Some(caller) = self.world.caller() else { bail!("there is nobody to place calls") };
        let due_at = caller.due_at[first as usize..].to_vec();
        let Answers { placed, refusals, delay, .. } = caller.take_answers();
        let mut answer_delay = Histogram::default();
        let mut last_at = started_at;
        for (call, due_at) in (first..).zip(due_at) {
            if let Some(answered_at) = self.world.far.answered_at(call) {
                answer_delay.add(answered_at.saturating_sub(due_at));
                last_at = last_at.max(answered_at);
            }
        }
        let took = Duration::from_nanos(last_at - started_at);
        let answered = answer_delay.count();
        Ok(Placing {
            offered: calls,
            per_second,
            placed,
            answered,
            refusals,
            took,
            api_delay: delay,
            answer_delay,
        })
    }

    /// Measure for so long.
    fn listen(&mut self, window: Duration) -> anyhow::Result<(u32, Media, Load)> {
        let calls = self.talking();
        self.open_span(window);
        let before = self.begin()?;
        self.world.run(window, |_| false)?;
        let load = self.end(before)?;
        self.world.run(self.stragglers(), |_| false)?;
        Ok((calls, self.close_span(), load))
    }

    fn open_span(&mut self, window: Duration) {
        let from = net::now();
        let until = from + window.as_nanos() as u64;
        *self.world.far.heard() = heard::Heard { from, until, ..Default::default() };
        self.world.models.heard = model::Heard { from, until, ..Default::default() };
    }

    fn close_span(&mut self) -> Media {
        let callees = std::mem::take(self.world.far.heard());
        let models = std::mem::take(&mut self.world.models.heard);
        Media { callees, models }
    }

    fn begin(&mut self) -> anyhow::Result<Before> {
        self.world.far.take_lateness();
        Ok(Before {
            at: net::now(),
            gateway: self.gateway.usage()?,
            generator: self.generator()?,
            core: self.args.gateway_core().map(gateway::core_busy).transpose()?,
        })
    }

    /// CPU time of the generator that it had a use for.
    fn generator(&self) -> anyhow::Result<Duration> {
        Ok(net::cpu_time(std::process::id())?.saturating_sub(self.world.idle()))
    }

    fn end(&mut self, before: Before) -> anyhow::Result<Load> {
        let gateway = self.gateway.usage()?;
        let core = self.args.gateway_core().map(gateway::core_busy).transpose()?;
        let cpu = gateway.cpu - before.gateway.cpu;
        let core_busy = core.zip(before.core).map(|(after, before)| after.saturating_sub(before));
        Ok(Load {
            took: Duration::from_nanos(net::now() - before.at),
            cpu,
            user: gateway.user - before.gateway.user,
            system: gateway.system - before.gateway.system,
            others: core_busy.map(|busy| busy.saturating_sub(cpu)),
            generator: self.generator()? - before.generator,
            lateness: self.world.far.take_lateness(),
        })
    }

    /// Offer twice the rate, in short calls, while a tenth of the long ones go on.
    fn overload(&mut self) -> anyhow::Result<Option<(Placing, Media)>> {
        let seconds = self.args.overload_seconds;
        if seconds == 0 {
            return Ok(None);
        }
        let rate = self.args.setup_rate * 2;
        eprintln!("offering {rate} calls a second for {seconds} s, while a tenth of the others go on");
        self.hang_up(self.talking() / 10)?;
        self.world.far.hang_up_after(SHORT.as_nanos() as u64);
        self.open_span(Duration::from_secs(seconds.into()));
        let placing = self.place(rate * seconds, f64::from(rate))?;
        self.world.run(self.stragglers(), |_| false)?;
        Ok(Some((placing, self.close_span())))
    }

    /// Let callees hang up until only so many talk.
    fn hang_up(&mut self, but: u32) -> anyhow::Result<()> {
        let talking = self.world.far.talking();
        for calls in talking[..talking.len().saturating_sub(but as usize)].chunks(20) {
            let now = net::now();
            calls.iter().for_each(|call| self.world.far.leave(*call, now));
            self.world.run(Duration::from_millis(40), |_| false)?;
        }
        let left = but as usize;
        self.world.run(PATIENCE, |world| world.far.census().leaving == 0 && world.models.live() <= left)?;
        Ok(())
    }
}

struct Before {
    at: u64,
    gateway: gateway::Usage,
    generator: Duration,
    core: Option<Duration>,
}
