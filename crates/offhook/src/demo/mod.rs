//! `offhook demo`: a real call to a test number, shown as it happens. No account, no key, no configuration.
//!
//! It is the whole product on the loopback interface: gateway, HTTP API, SIP and RTP to the sandbox exchange, the
//! local voice. The demo itself is only an agent of the API.

mod agent;
pub mod show;

use std::path::PathBuf;
use std::time::Duration;

use agent::{Agent, Finished};
use offhook_sandbox::{NUMBERS, TestNumber};
use tokio::signal;

use crate::app::{App, StartError};
use crate::config::Config;

/// What `offhook demo` was asked for.
#[derive(Clone, Debug, Default)]
pub struct DemoArgs {
    /// A test number, whole or its last four digits; the receptionist when absent.
    pub number: Option<String>,
    /// Call every test number and compare.
    pub all: bool,
    pub json: bool,
    /// Where recordings, transcripts and the database go; `./offhook-demo` when absent.
    pub out: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error("there is no test number {0}; `offhook demo --help` lists them")]
    NoSuchNumber(String),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("the gateway's own API did not answer as it should: {0}")]
    Api(String),
    #[error("can't write to {path}: {why}")]
    Out { path: PathBuf, why: std::io::Error },
}

/// Whether everything came as documented.
pub async fn run(args: DemoArgs) -> Result<bool, DemoError> {
    let numbers = chosen(&args)?;
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from("offhook-demo"));
    std::fs::create_dir_all(&out).map_err(|why| DemoError::Out { path: out.clone(), why })?;
    let app = App::start(Config::demo(&out)).await?;
    let agent = Agent::new(app.url(), out);
    let result = if args.all {
        call_all(&agent, &numbers, args.json).await
    } else {
        call_one(&agent, numbers[0], args.json).await
    };
    app.shutdown().await;
    result
}

fn chosen(args: &DemoArgs) -> Result<Vec<&'static TestNumber>, DemoError> {
    if args.all {
        return Ok(NUMBERS.iter().collect());
    }
    let wanted = args.number.as_deref().unwrap_or("0100");
    let digits: String = wanted.chars().filter(char::is_ascii_digit).collect();
    let found = NUMBERS.iter().find(|number| digits.len() >= 4 && number.number.ends_with(&digits));
    found.map(|number| vec![number]).ok_or_else(|| DemoError::NoSuchNumber(wanted.to_owned()))
}

async fn call_one(agent: &Agent, number: &'static TestNumber, json: bool) -> Result<bool, DemoError> {
    if !json {
        show::headline(number);
    }
    let id = agent.place(number).await?;
    let mut printer = show::EventPrinter::default();
    let watch = agent.watch(&id, |event| if json { println!("{event}") } else { printer.print(event) });
    tokio::pin!(watch);
    let finished = tokio::select! {
        finished = &mut watch => finished?,
        _ = signal::ctrl_c() => {
            if !json {
                show::hanging_up();
            }
            agent.hang_up(&id).await?;
            watch.await?
        }
    };
    let report = agent.save(&finished)?;
    if json {
        show::report_json(&finished, &report)
    } else {
        show::report(number, &finished, &report)
    }
    Ok(true)
}

/// Calls at a time: each needs a recognizer now and then, and the machine may be small.
const AT_ONCE: usize = 3;

async fn call_all(agent: &Agent, numbers: &[&'static TestNumber], json: bool) -> Result<bool, DemoError> {
    use futures_util::StreamExt as _;
    if !json {
        show::all_headline(numbers.len());
    }
    let calls = futures_util::stream::iter(numbers.iter().copied()).map(|number| call_quietly(agent, number));
    let mut calls = calls.buffered(AT_ONCE);
    let mut rows = Vec::with_capacity(numbers.len());
    loop {
        let row = tokio::select! {
            row = calls.next() => row,
            _ = signal::ctrl_c() => break,
        };
        let Some(row) = row else { break };
        let (number, finished) = row?;
        let row = show::Row::new(number, &finished);
        if !json {
            show::row(&row);
        }
        agent.save(&finished)?;
        rows.push(row);
    }
    let all_right = rows.len() == numbers.len() && rows.iter().all(|row| row.matches);
    if json {
        show::rows_json(&rows)
    } else {
        show::all_footer(&rows, numbers.len())
    }
    Ok(all_right)
}

async fn call_quietly(
    agent: &Agent,
    number: &'static TestNumber,
) -> Result<(&'static TestNumber, Finished), DemoError> {
    let id = agent.place(number).await?;
    Ok((number, agent.watch(&id, |_| {}).await?))
}

/// The longest a demo call rings, so that nobody waits a minute for the number that never answers.
pub const RING_LIMIT: Duration = Duration::from_secs(12);
/// How long silence lasts before a demo call gives up on it.
pub const SILENCE_LIMIT: Duration = Duration::from_secs(14);
