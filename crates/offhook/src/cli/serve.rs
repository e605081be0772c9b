//! `offhook serve`.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::interrupt::Interrupts;
use super::{Context, Failure, failed};
use crate::app::App;
use crate::config::Log;

pub async fn run(context: &Context) -> Result<(), Failure> {
    let config = context.config()?;
    log(&config.log);
    if !config.listen.ip().is_loopback() && config.public_url.is_none() {
        tracing::warn!(
            "the API listens beyond this machine without public_url; put a TLS proxy in front of it"
        );
    }
    raise_file_limit();
    let mut interrupts = Interrupts::listen().map_err(failed)?;
    let sandbox_only = config.sip.is_none();
    let app = tokio::select! {
        app = App::start(config) => app.map_err(failed)?,
        () = interrupts.next() => return Ok(()),
    };
    tracing::info!(version = env!("CARGO_PKG_VERSION"), addr = %app.addr(), sandbox_only, "calls are taken");
    if context.json {
        println!("{}", serde_json::json!({"url": app.url(), "sandbox": sandbox_only}));
    } else {
        println!("offhook answers at {}", app.url());
        if sandbox_only {
            println!(
                "No trunk is configured: only the test numbers of the sandbox can be called (+1 415 555 01xx)."
            );
        }
    }
    interrupts.next().await;
    tracing::info!("shutting down: live calls are hung up and written down; once more stops at once");
    tokio::select! {
        () = app.shutdown() => Ok(()),
        () = interrupts.next() => {
            let message = "stopped at once: calls that were not over yet are hung up and finalized at the next start";
            Err(Failure::Failed(message.to_owned()))
        }
    }
}

/// A call needs four descriptors: two sockets for its audio, one to the model, one for the recording. The usual soft
/// limit of 1,024 would end that at some 250 calls.
fn raise_file_limit() {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) if limit < 4_096 => {
            tracing::warn!(
                limit,
                "few files may be open; raise the limit (ulimit -n) for more than {} calls",
                limit / 4
            );
        }
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "the limit of open files can't be raised"),
    }
}

/// Log to standard error; the first call wins.
pub fn log(log: &Log) {
    // The SDK of the tools tells of each request, with what clients wrote, where a line of ours is enough. Whoever wants
    // that says so: `rmcp=debug` comes later and wins.
    let filter = EnvFilter::try_new(format!("rmcp=warn,{}", log.filter));
    let filter = filter.unwrap_or_else(|_| EnvFilter::new("rmcp=warn,info"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Colours are for people, not for files.
    let lines = lines.with_ansi(std::io::stderr().is_terminal());
    let _ = if log.json { lines.json().finish().try_init() } else { lines.finish().try_init() };
}
