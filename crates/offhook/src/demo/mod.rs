//! `offhook demo`: a real call to a test number, shown as it happens. No account, no key, no configuration.
//!
//! It is the whole product on the loopback interface: gateway, HTTP API, SIP and RTP to the sandbox exchange, the
//! local voice. The demo itself is only an agent of the API.

mod agent;
pub mod case;
pub mod show;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use agent::{Agent, Finished};
use case::Case;
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
    #[error("the gateway's own API refused what it is asked for in a demo ({status}): {body}")]
    Refused { status: u16, body: String },
    #[error("can't write to {path}: {why}")]
    Out { path: PathBuf, why: std::io::Error },
}

/// Whether everything came as documented.
pub async fn run(args: DemoArgs) -> Result<bool, DemoError> {
    let cases = chosen(&args)?;
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from("offhook-demo"));
    std::fs::create_dir_all(&out).map_err(|why| DemoError::Out { path: out.clone(), why })?;
    let app = App::start(Config::demo(&out)).await?;
    let agent = Agent::new(app.url(), out);
    let result = if args.all {
        call_all(&agent, &cases, args.json).await
    } else {
        call_one(&agent, &cases[0], args.json).await
    };
    app.shutdown().await;
    result
}

fn chosen(args: &DemoArgs) -> Result<Vec<Case>, DemoError> {
    if args.all {
        return Ok(Case::all());
    }
    let wanted = args.number.as_deref().unwrap_or("0100");
    let digits: String = wanted.chars().filter(char::is_ascii_digit).collect();
    let found = Case::named(&digits).map(|case| vec![case]);
    found.ok_or_else(|| DemoError::NoSuchNumber(wanted.to_owned()))
}

async fn call_one(agent: &Agent, case: &Case, json: bool) -> Result<bool, DemoError> {
    if !json {
        show::headline(case);
    }
    let id = agent.place(case).await?;
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
        show::report(case, &finished, &report)
    }
    Ok(true)
}

/// Calls at a time: each needs a recognizer now and then, and the machine may be small.
fn at_once() -> usize {
    std::thread::available_parallelism().map_or(3, |cores| (cores.get() * 5 / 2).clamp(3, 8))
}

async fn call_all(agent: &Agent, cases: &[Case], json: bool) -> Result<bool, DemoError> {
    use futures_util::StreamExt as _;
    if !json {
        show::all_headline(cases.len());
    }
    let calls = futures_util::stream::iter(cases.iter().enumerate());
    let mut calls = calls.map(|(index, case)| call_quietly(agent, index, case)).buffer_unordered(at_once());
    let (mut rows, mut shown) = (BTreeMap::new(), 0);
    loop {
        let row = tokio::select! {
            row = calls.next() => row,
            _ = signal::ctrl_c() => break,
        };
        let Some(row) = row else { break };
        let (index, finished) = row?;
        agent.save(&finished)?;
        rows.insert(index, show::Row::new(&cases[index], &finished));
        // In the order of the table, each as soon as those before it are there.
        while let Some(row) = rows.get(&shown) {
            if !json {
                show::row(row);
            }
            shown += 1;
        }
    }
    let rows: Vec<show::Row> = rows.into_values().collect();
    let all_right = rows.len() == cases.len() && rows.iter().all(|row| row.matches);
    if json {
        show::rows_json(&rows)
    } else {
        show::all_footer(&rows, cases.len())
    }
    Ok(all_right)
}

async fn call_quietly(agent: &Agent, index: usize, case: &Case) -> Result<(usize, Finished), DemoError> {
    let id = agent.place(case).await?;
    Ok((index, agent.watch(&id, |_| {}).await?))
}

/// The longest a demo call rings, so that nobody waits a minute for the number that never answers.
pub const RING_LIMIT: Duration = Duration::from_secs(12);
/// How long silence lasts before a demo call gives up on it.
pub const SILENCE_LIMIT: Duration = Duration::from_secs(14);
