//! `offhook webhook`: what became of the events of a call, and the secret they are signed with.

use serde_json::{Value, json};

use super::client::Client;
use super::{Context, Failure};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Every attempt to deliver an event of a call
    Log {
        /// The call's id; `offhook calls` lists them
        id: String,
    },
    /// What the events of your calls are signed with
    Secret {
        /// Put another one in its place; for a day both sign
        #[arg(long)]
        rotate: bool,
    },
}

pub async fn run(command: Command, context: &Context) -> Result<(), Failure> {
    let client = Client::new(context)?;
    let told = match &command {
        Command::Log { id } => client.get(&format!("/call/{id}/deliveries")).await?,
        Command::Secret { rotate: false } => client.get("/me/webhook-secret").await?,
        Command::Secret { rotate: true } => client.post("/me/webhook-secret/rotate", &json!({})).await?,
    };
    if context.json {
        println!("{told}");
        return Ok(());
    }
    match command {
        Command::Log { .. } => log(&told),
        Command::Secret { .. } => println!("{}", text(&told["secret"])),
    }
    Ok(())
}

fn log(told: &Value) {
    if told["webhook"].is_null() {
        println!("This call was placed without a webhook.");
        return;
    }
    println!("{} to {}", text(&told["webhook"]["state"]), text(&told["webhook"]["url"]));
    for attempt in told["deliveries"].as_array().into_iter().flatten() {
        let became = match (attempt["error"].as_str(), attempt["status"].as_u64()) {
            (Some(error), _) => error.to_owned(),
            (None, Some(status)) => format!("taken ({status})"),
            (None, None) => "taken".to_owned(),
        };
        let (event, at) = (text(&attempt["event"]), text(&attempt["at"]));
        println!("{at}  {event:<24} attempt {}, {} ms: {became}", attempt["attempt"], attempt["took_ms"]);
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("–")
}
