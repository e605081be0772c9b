//! `offhook show` and `offhook calls`.

use serde_json::Value;

use super::client::Client;
use super::{Context, Failure};
use crate::demo::show;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The call's id; `offhook calls` lists them
    id: String,
    /// Print the whole transcript
    #[arg(long, short)]
    transcript: bool,
}

#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// How many
    #[arg(long, short = 'n', default_value_t = 25, value_parser = clap::value_parser!(u32).range(1..=200))]
    limit: u32,
    /// Only calls that are not over
    #[arg(long)]
    live: bool,
}

pub async fn one(args: Args, context: &Context) -> Result<(), Failure> {
    let call = Client::new(context)?.get(&format!("/call/{}", args.id)).await?;
    if context.json {
        println!("{call}");
        return Ok(());
    }
    report(&call);
    if args.transcript {
        print!("\n{}", show::transcript(&call));
    }
    Ok(())
}

pub async fn list(args: ListArgs, context: &Context) -> Result<(), Failure> {
    let live = if args.live { "&live=true" } else { "" };
    let page = Client::new(context)?.get(&format!("/calls?limit={}{live}", args.limit)).await?;
    if context.json {
        println!("{page}");
        return Ok(());
    }
    let calls = page["calls"].as_array().map(Vec::as_slice).unwrap_or_default();
    if calls.is_empty() {
        println!("No calls yet. Place one: offhook call +14155550100 \"Ask for an appointment\" --wait");
    }
    if !calls.is_empty() {
        println!("{:<36}  {:<24}  {:<16} {:<15} {:>6}", "id", "queued at", "to", "state", "talk");
    }
    for call in calls {
        println!("{}", row(call));
    }
    Ok(())
}

fn row(call: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("–").to_owned();
    let state =
        if call["lifecycle"] == "finalized" { text(&call["outcome"]) } else { text(&call["lifecycle"]) };
    let talk = call["talk_seconds"].as_i64().map_or_else(|| "–".to_owned(), |seconds| format!("{seconds} s"));
    format!(
        "{}  {}  {:<16} {state:<15} {talk:>6}",
        text(&call["id"]),
        text(&call["timestamps"]["queued_at"]),
        text(&call["numbers"]["to"]),
    )
}

/// What became of a call, for people.
pub fn report(call: &Value) {
    let text = |value: &Value| value.as_str().unwrap_or("–").to_owned();
    println!("Called      {}", text(&call["numbers"]["to"]));
    if call["lifecycle"] != "finalized" {
        println!("State       {}", text(&call["lifecycle"]));
        return;
    }
    show::outcome(call);
    println!("Recording   {}", text(&call["recording_url"]));
}
