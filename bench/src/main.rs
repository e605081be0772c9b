//! The load generator: the people who are called over SIP or ACS, a Realtime server and calling agents on one thread,
//! the gateway on another core.
//!
//! See the README beside this crate for how to run it and how to read what it prints.

#[cfg(target_os = "linux")]
mod acs;
#[cfg(target_os = "linux")]
mod callees;
#[cfg(target_os = "linux")]
mod caller;
#[cfg(target_os = "linux")]
mod certificate;
#[cfg(target_os = "linux")]
mod conversation;
#[cfg(target_os = "linux")]
mod far;
#[cfg(target_os = "linux")]
mod gateway;
#[cfg(target_os = "linux")]
mod heard;
#[cfg(target_os = "linux")]
mod marker;
#[cfg(target_os = "linux")]
mod measure;
#[cfg(target_os = "linux")]
mod model;
#[cfg(target_os = "linux")]
mod net;
#[cfg(target_os = "linux")]
mod report;
#[cfg(target_os = "linux")]
mod sip;
#[cfg(target_os = "linux")]
mod stats;
#[cfg(target_os = "linux")]
mod websocket;
#[cfg(target_os = "linux")]
mod wheel;
#[cfg(target_os = "linux")]
mod world;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

// As in `offhook`, which this program is when its first argument is `serve`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Load `offhook serve` with calls and print what they cost.
#[derive(Clone, Debug, Parser)]
#[command(name = "offhook-bench", max_term_width = 100)]
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
pub struct Args {
    /// Calls at once
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    calls: u32,
    /// What carries the calls
    #[arg(long, default_value = "sip")]
    carrier: Over,
    /// How long to measure once they all talk
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,
    /// Calls placed a second
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    setup_rate: u32,
    /// How long to offer twice that rate at the end; 0 leaves it out
    #[arg(long, default_value_t = 5)]
    overload_seconds: u32,
    /// Speak TLS to the model
    #[arg(long)]
    tls: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// The gateway to load [default: the one built into this program]
    #[arg(long, value_name = "PATH")]
    offhook: Option<PathBuf>,
    /// How long the model speaks in a turn
    #[arg(long, value_name = "MS", default_value_t = 4_000)]
    speech_ms: u32,
    /// The pause between two turns, in which the callee answers
    #[arg(long, value_name = "MS", default_value_t = 1_000)]
    pause_ms: u32,
    /// How far the model is ahead of real time
    #[arg(long, value_name = "MS", default_value_t = 200)]
    ahead_ms: u32,
    /// How long memory may take to come back after the last call
    #[arg(long, default_value_t = 5)]
    rest_seconds: u32,
    /// Leave the processes on whatever core the system likes
    #[arg(long)]
    unpinned: bool,
    /// More lines for the gateway's configuration
    #[arg(long, value_name = "TOML", default_value = "")]
    config: String,
}

/// What carries the calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Over {
    /// SIP with G.711 in RTP.
    Sip,
    /// Azure Communication Services with PCM at 24 kHz over WebSockets.
    Acs,
}

impl std::fmt::Display for Over {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Sip => "SIP",
            Self::Acs => "ACS",
        })
    }
}

#[cfg(target_os = "linux")]
impl Args {
    /// With one core there is nothing to choose.
    fn pinned(&self, core: usize) -> Option<usize> {
        (!self.unpinned && net::cores() >= 2).then_some(core)
    }

    fn gateway_core(&self) -> Option<usize> {
        self.pinned(0)
    }

    fn generator_core(&self) -> Option<usize> {
        self.pinned(1)
    }
}

fn main() -> ExitCode {
    if std::env::args().nth(1).is_some_and(|first| first == "serve") {
        // The gateway, exactly as `offhook` runs it.
        return offhook::cli::main();
    }
    measure(&Args::parse())
}

#[cfg(target_os = "linux")]
fn measure(args: &Args) -> ExitCode {
    match measure::run(args) {
        Ok(report) if args.json => println!("{:#}", report.json()),
        Ok(report) => print!("{report}"),
        Err(error) => {
            eprintln!("offhook-bench: {error:#}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

#[cfg(not(target_os = "linux"))]
fn measure(_: &Args) -> ExitCode {
    eprintln!("offhook-bench runs on Linux only: it reads /proc and sends datagrams in batches");
    ExitCode::FAILURE
}
