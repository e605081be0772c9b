//! The figures, for people and for programs.

use std::fmt::{self, Write as _};
use std::time::Duration;

use serde_json::{Value, json};

use crate::stats::Histogram;
use crate::{Args, Over, heard, model};

/// A generator busier than this, or later than that, measures itself.
const GENERATOR_LIMIT: f64 = 0.9;
const LATENESS_LIMIT: Duration = Duration::from_millis(5);
/// Others on the gateway's core beyond this share make its delays worthless.
const OTHERS_LIMIT: f64 = 0.1;
/// A gateway on one core that is busier than this has no time left: frames then cost what there is, whatever they need.
const SATURATED: f64 = 0.95;

#[derive(Debug)]
pub struct Report {
    pub asked: Args,
    /// Calls that talked while it was measured.
    pub calls: u32,
    pub placing: Placing,
    pub media: Media,
    pub load: Load,
    pub memory: Memory,
    pub overload: Option<(Placing, Media)>,
}

/// How placing calls went.
#[derive(Debug)]
pub struct Placing {
    pub offered: u32,
    pub per_second: f64,
    pub placed: u64,
    pub answered: u64,
    pub refusals: Vec<(String, u64)>,
    /// From the first call's time to the last answer.
    pub took: Duration,
    /// From the time a call was due to the API's answer.
    pub api_delay: Histogram,
    /// From the time a call was due until it was answered and the callee knew that we know.
    pub answer_delay: Histogram,
}

impl Placing {
    pub fn achieved(&self) -> f64 {
        // Of a few calls the last is answered before its interval is over.
        let offering = f64::from(self.offered) / self.per_second;
        self.answered as f64 / self.took.as_secs_f64().max(offering)
    }
}

#[derive(Debug)]
pub struct Media {
    pub callees: heard::Heard,
    pub models: model::Heard,
}

impl Media {
    fn lost_up(&self) -> u64 {
        self.callees.frames_sent.saturating_sub(self.models.frames_arrived)
    }

    fn lost_down(&self) -> u64 {
        self.models.frames_sent.saturating_sub(self.callees.speech_arrived)
    }
}

/// What the window cost.
#[derive(Debug)]
pub struct Load {
    pub took: Duration,
    pub cpu: Duration,
    pub user: Duration,
    pub system: Duration,
    /// What others did on the gateway's core meanwhile.
    pub others: Option<Duration>,
    pub generator: Duration,
    pub lateness: Histogram,
}

#[derive(Debug)]
pub struct Memory {
    pub idle_kib: u64,
    pub with_calls_kib: u64,
    pub calls: u32,
    pub after_kib: u64,
}

impl Memory {
    fn per_call_kib(&self) -> f64 {
        self.with_calls_kib.saturating_sub(self.idle_kib) as f64 / f64::from(self.calls.max(1))
    }
}

impl Report {
    fn frames(&self) -> u64 {
        self.media.callees.frames_sent + self.media.callees.frames_arrived
    }

    fn cpu_per_frame_us(&self) -> f64 {
        self.load.cpu.as_secs_f64() * 1e6 / self.frames().max(1) as f64
    }

    fn share(&self, time: Duration) -> f64 {
        time.as_secs_f64() / self.load.took.as_secs_f64().max(1e-9)
    }

    fn is_saturated(&self) -> bool {
        self.asked.gateway_core().is_some() && self.share(self.load.cpu) > SATURATED
    }

    /// Why these figures say little about the gateway.
    fn doubts(&self) -> Vec<String> {
        let mut doubts = Vec::new();
        let generator = self.share(self.load.generator);
        if generator > GENERATOR_LIMIT {
            doubts.push(format!("the generator used {:.0} % of its core", generator * 100.0));
        }
        let late = self.load.lateness.quantile(0.99);
        if late > LATENESS_LIMIT {
            doubts.push(format!("one frame in a hundred left the generator {} ms late", millis(late)));
        }
        let others = self.load.others.map_or(0.0, |others| self.share(others));
        if others > OTHERS_LIMIT {
            doubts.push(format!("other programs took {:.0} % of the gateway's core", others * 100.0));
        }
        if self.calls < self.asked.calls {
            doubts.push(format!("only {} of {} calls talked", self.calls, self.asked.calls));
        }
        doubts
    }

    pub fn json(&self) -> Value {
        let load = &self.load;
        json!({
            "calls": self.calls,
            "carrier": self.asked.carrier.to_string(),
            "seconds": self.asked.seconds,
            "tls": self.asked.tls,
            "valid": self.doubts().is_empty(),
            "doubts": self.doubts(),
            "saturated": self.is_saturated(),
            "cpu_us_per_frame": self.cpu_per_frame_us(),
            "cpu_percent_of_a_core": self.share(load.cpu) * 100.0,
            "cpu_percent_per_call": self.share(load.cpu) * 100.0 / f64::from(self.calls.max(1)),
            "cpu_user_ms": load.user.as_millis() as u64,
            "cpu_system_ms": load.system.as_millis() as u64,
            "frames": self.frames(),
            "media": media_json(&self.media),
            "memory": {
                "idle_kib": self.memory.idle_kib,
                "with_calls_kib": self.memory.with_calls_kib,
                "per_call_kib": self.memory.per_call_kib(),
                "after_kib": self.memory.after_kib,
            },
            "placing": placing_json(&self.placing),
            "overload": self.overload.as_ref().map(|(placing, media)| json!({
                "placing": placing_json(placing),
                "media": media_json(media),
            })),
            "generator": {
                "cpu_percent_of_a_core": self.share(load.generator) * 100.0,
                "lateness_p99_ms": load.lateness.quantile(0.99).as_secs_f64() * 1e3,
                "others_percent_of_the_gateway_core": load.others.map(|others| self.share(others) * 100.0),
            },
        })
    }
}

fn media_json(media: &Media) -> Value {
    let (callees, models) = (&media.callees, &media.models);
    json!({
        "up": {
            "sent": callees.frames_sent,
            "lost": media.lost_up(),
            "appends": models.appends,
            "delay_ms": delays_json(&models.delay),
        },
        "down": {
            "sent": models.frames_sent,
            "lost": media.lost_down(),
            "packets": callees.frames_arrived,
            "onset_delay_ms": delays_json(&callees.onset),
            "off_beat_ms": delays_json(&callees.off_beat),
        },
    })
}

fn placing_json(placing: &Placing) -> Value {
    let refusals: serde_json::Map<_, _> =
        placing.refusals.iter().map(|(what, count)| (what.clone(), json!(count))).collect();
    json!({
        "offered": placing.offered,
        "offered_per_second": placing.per_second,
        "placed": placing.placed,
        "answered": placing.answered,
        "answered_per_second": placing.achieved(),
        "refused": refusals,
        "api_delay_ms": delays_json(&placing.api_delay),
        "answer_delay_ms": delays_json(&placing.answer_delay),
    })
}

fn delays_json(delays: &Histogram) -> Value {
    let ms = |delay: Duration| delay.as_secs_f64() * 1e3;
    json!({
        "count": delays.count(),
        "p50": ms(delays.quantile(0.5)),
        "p99": ms(delays.quantile(0.99)),
        "p999": ms(delays.quantile(0.999)),
        "max": ms(delays.max()),
    })
}

fn millis(delay: Duration) -> String {
    format!("{:.2}", delay.as_secs_f64() * 1e3)
}

fn delays(delays: &Histogram) -> String {
    let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|share| millis(delays.quantile(share)));
    format!("p50 {p50}  p99 {p99}  p99.9 {p999}  max {}", millis(delays.max()))
}

/// A line of the table: what, how much, and whether it is as good as it should be.
fn line(f: &mut fmt::Formatter<'_>, what: &str, value: &str, target: Option<(bool, &str)>) -> fmt::Result {
    match target {
        None => writeln!(f, "  {what:<26} {value}"),
        Some((met, target)) => {
            writeln!(f, "  {what:<26} {value:<52} {target} {}", if met { "ok" } else { "MISSED" })
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (calls, load, memory) = (self.calls, &self.load, &self.memory);
        let carrier = self.asked.carrier;
        let tls = if self.asked.tls { "with TLS to the model" } else { "without TLS" };
        writeln!(
            f,
            "{calls} calls at once over {carrier}, 20 ms frames both ways, {} s, {tls}\n",
            self.asked.seconds
        )?;
        let (frame, plain) = (self.cpu_per_frame_us(), !self.asked.tls);
        let target = |met: bool, text: &'static str| plain.then_some((met, text));
        let (limit, limit_text) = match carrier {
            Over::Sip => (10.0, "≤ 10 µs"),
            Over::Acs => (8.0, "≤ 8 µs"),
        };
        line(
            f,
            "CPU per frame",
            &format!("{frame:.1} µs"),
            target(frame <= limit && !self.is_saturated(), limit_text),
        )?;
        let core = self.share(load.cpu) * 100.0;
        let parts = load.user.as_secs_f64() / (load.user + load.system).as_secs_f64().max(1e-9) * 100.0;
        let core = format!(
            "{core:.0} % of a core ({parts:.0} % user), {:.3} % per call",
            core / f64::from(calls.max(1))
        );
        line(f, "CPU", &core, None)?;
        let per_call = memory.per_call_kib();
        line(f, "memory per call", &format!("{per_call:.0} KiB"), target(per_call < 150.0, "< 150 KiB"))?;
        let kib = |kib: u64| format!("{:.1}", kib as f64 / 1024.0);
        let [idle, with, after] = [memory.idle_kib, memory.with_calls_kib, memory.after_kib].map(kib);
        line(f, "memory", &format!("{idle} MiB idle, {with} with the calls, {after} at the end"), None)?;
        fmt_media(f, &self.media, plain, true)?;
        fmt_placing(f, &self.placing, plain)?;
        if let Some((placing, media)) = &self.overload {
            writeln!(f, "\nat twice the rate")?;
            fmt_placing(f, placing, false)?;
            fmt_media(f, media, false, false)?;
        }
        let [generator, others] =
            [load.generator, load.others.unwrap_or_default()].map(|time| self.share(time) * 100.0);
        let late = millis(load.lateness.quantile(0.99));
        writeln!(
            f,
            "\ngenerator: {generator:.0} % of its core, frames up to {late} ms late (p99); others on the gateway's core: {others:.0} %"
        )?;
        if self.is_saturated() {
            writeln!(
                f,
                "SATURATED: the gateway had no time left; a frame costs more than the time it was given"
            )?;
        }
        for doubt in self.doubts() {
            writeln!(f, "NOT VALID: {doubt}")?;
        }
        Ok(())
    }
}

fn fmt_media(f: &mut fmt::Formatter<'_>, media: &Media, judged: bool, steady: bool) -> fmt::Result {
    let (up, onset) = (&media.models.delay, &media.callees.onset);
    let target = |delays: &Histogram| {
        judged.then_some((delays.quantile(0.99) < Duration::from_millis(10), "p99 < 10 ms"))
    };
    line(f, "delay up, ms", &delays(up), target(up))?;
    line(f, "delay down at onset, ms", &delays(onset), target(onset))?;
    line(f, "off the beat down, ms", &delays(&media.callees.off_beat), None)?;
    let (up, down) = (media.callees.frames_sent, media.models.frames_sent);
    let lost = match steady {
        true => format!("{} of {up} up, {} of {down} down", media.lost_up(), media.lost_down()),
        // What a callee who hung up did not hear any more is not lost.
        false => format!("{} of {up} up", media.lost_up()),
    };
    line(f, "frames lost", &lost, None)
}

fn fmt_placing(f: &mut fmt::Formatter<'_>, placing: &Placing, judged: bool) -> fmt::Result {
    let (rate, offered) = (placing.achieved(), placing.per_second);
    let value =
        format!("{rate:.0} a second of {offered:.0} offered; {} of {}", placing.answered, placing.offered);
    // A run that offers less can't show more.
    let met = rate >= 0.95 * offered.min(200.0);
    line(f, "calls answered", &value, judged.then_some((met, "200 a second")))?;
    line(f, "POST to answer, ms", &delays(&placing.answer_delay), None)?;
    line(f, "POST to response, ms", &delays(&placing.api_delay), None)?;
    if !placing.refusals.is_empty() {
        let mut refusals = String::new();
        for (what, count) in &placing.refusals {
            let _ = write!(refusals, "{count} × {what}  ");
        }
        line(f, "refused", &refusals, None)?;
    }
    Ok(())
}
