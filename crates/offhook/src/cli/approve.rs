//! `offhook approve`: have the user approve something by phone, and go on, or not, by the exit code. And their PIN.

use std::io::{BufRead as _, IsTerminal as _};

use serde_json::{Map, Value, json};

use super::client::Client;
use super::interrupt::Interrupts;
use super::{Context, Failure, failed};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  offhook approve \"Deploy build 42 to production\" --detail risk=low --wait && ./deploy.sh
  offhook approve \"Pay the invoice\" --details @invoice.json --require-pin --wait --json
  offhook approve --show 0199a1e0-…               one that was asked for before

Exit codes with --wait and --show: 0 approved, 5 declined, 6 not decided in time, or cancelled.
Ctrl-C while waiting cancels it.")]
pub struct Args {
    /// What is to be done, in one sentence: it is read out to the user, who decides by key or voice
    #[arg(required_unless_present_any = ["show", "cancel"], conflicts_with_all = ["show", "cancel"])]
    operation: Vec<String>,
    /// A text that is read out after it; @FILE for a JSON object, or a text, in a file
    #[arg(long, value_name = "TEXT", conflicts_with = "detail")]
    details: Option<String>,
    /// One field that is read out after it: NAME=VALUE; several times
    #[arg(long, value_name = "NAME=VALUE")]
    detail: Vec<String>,
    /// How many seconds the user has; after that it is a no
    #[arg(long, value_name = "SECONDS")]
    within: Option<u64>,
    /// Refuse where the user has set no PIN
    #[arg(long)]
    require_pin: bool,
    /// The language it is asked in, e.g. de-DE
    #[arg(long, value_name = "TAG")]
    language: Option<String>,
    /// Where the events of the call are sent, signed
    #[arg(long, value_name = "URL")]
    webhook_url: Option<String>,
    /// Wait for the verdict
    #[arg(long, short)]
    wait: bool,
    /// Repeat a request safely: the same key is the same approval
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Show one that was asked for before; with --wait until it is decided
    #[arg(long, value_name = "ID", conflicts_with = "cancel")]
    show: Option<String>,
    /// Ask nobody any more
    #[arg(long, value_name = "ID")]
    cancel: Option<String>,
}

/// Well within what an answer may take.
const STEP_SECONDS: u32 = 20;

pub async fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let client = Client::new(context)?;
    if let Some(id) = &args.cancel {
        return print(&client.delete(&path(id)).await?, context);
    }
    let mut interrupts = Interrupts::listen().map_err(failed)?;
    let asked = match &args.show {
        Some(id) => client.get(&path(id)).await?,
        None => client.post_once("/approvals", &body(&args)?, args.idempotency_key.as_deref()).await?,
    };
    let decided = match args.wait {
        true => {
            let id = asked["id"].as_str().unwrap_or_default();
            tokio::select! {
                decided = verdict(&client, id, asked.clone()) => decided?,
                () = interrupts.next() => {
                    eprintln!("offhook: cancelling it");
                    client.delete(&path(id)).await?
                }
            }
        }
        false => asked,
    };
    print(&decided, context)?;
    if args.wait || args.show.is_some() { as_exit_code(&decided) } else { Ok(()) }
}

fn path(id: &str) -> String {
    format!("/approvals/{id}")
}

async fn verdict(client: &Client, id: &str, mut now: Value) -> Result<Value, Failure> {
    while now["state"] == "pending" {
        now = client.get(&format!("{}?wait_seconds={STEP_SECONDS}", path(id))).await?;
    }
    Ok(now)
}

fn as_exit_code(approval: &Value) -> Result<(), Failure> {
    match approval["state"].as_str() {
        Some("approved") => Ok(()),
        Some("declined") => Err(Failure::Declined),
        // Also one that is still open: nobody has said yes.
        _ => Err(Failure::Undecided),
    }
}

fn body(args: &Args) -> Result<Value, Failure> {
    let mut body = json!({ "operation": args.operation.join(" ") });
    if let Some(details) = details(args)? {
        body["details"] = details;
    }
    if let Some(within) = args.within {
        body["within_seconds"] = within.into();
    }
    if args.require_pin {
        body["require_pin"] = true.into();
    }
    for (field, text) in [("language", &args.language), ("webhook_url", &args.webhook_url)] {
        if let Some(text) = text {
            body[field] = text.as_str().into();
        }
    }
    Ok(body)
}

fn details(args: &Args) -> Result<Option<Value>, Failure> {
    if let Some(file) = args.details.as_deref().and_then(|details| details.strip_prefix('@')) {
        let text = std::fs::read_to_string(file)
            .map_err(|error| Failure::Usage(format!("--details {file}: {error}")))?;
        return Ok(Some(serde_json::from_str(&text).unwrap_or_else(|_| text.trim().into())));
    }
    if let Some(text) = &args.details {
        return Ok(Some(text.as_str().into()));
    }
    let mut fields = Map::new();
    for detail in &args.detail {
        let (name, value) = detail
            .split_once('=')
            .ok_or_else(|| Failure::Usage(format!("--detail {detail}: write NAME=VALUE")))?;
        fields.insert(name.trim().to_owned(), value.trim().into());
    }
    Ok((!fields.is_empty()).then_some(Value::Object(fields)))
}

fn print(approval: &Value, context: &Context) -> Result<(), Failure> {
    if context.json {
        println!("{approval}");
        return Ok(());
    }
    let text = |field: &str| approval[field].as_str().unwrap_or_default().to_owned();
    println!("{}  {}  {}", text("id"), text("state"), text("operation"));
    for (title, field) in [("why not", "reason"), ("decided by", "decided_by"), ("call", "call_id")] {
        if let Some(value) = approval[field].as_str() {
            println!("  {title:<11} {value}");
        }
    }
    Ok(())
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
The new PIN is read from standard input, and after it the one that is set, if one is: what stands on a command line is
seen by others and kept in its history.

Examples:
  offhook pin                                     whether one is set
  offhook pin --set                               asks for it
  printf '%s\\n%s\\n' \"$NEW\" \"$OLD\" | offhook pin --set")]
pub struct Pin {
    /// Set it, or change it: 4 to 12 digits
    #[arg(long, conflicts_with = "clear")]
    set: bool,
    /// Approve without one from now on
    #[arg(long)]
    clear: bool,
}

const PIN: &str = "/me/pin";

pub async fn pin(args: Pin, context: &Context) -> Result<(), Failure> {
    let client = Client::new(context)?;
    let now = client.get(PIN).await?;
    let is_set = now["set"] == true;
    let shown = match (args.set, args.clear) {
        (false, false) => now,
        (true, _) => {
            let new = read_line("New PIN, 4 to 12 digits: ")?;
            let current = is_set.then(|| read_line("The one that is set: ")).transpose()?;
            client.put(PIN, &json!({ "pin": new, "current_pin": current })).await?
        }
        (_, true) => {
            let current = is_set.then(|| read_line("The PIN that is set: ")).transpose()?;
            client.delete_with(PIN, &json!({ "current_pin": current })).await?
        }
    };
    match (context.json, shown["digits"].as_u64()) {
        (true, _) => println!("{shown}"),
        (false, Some(digits)) => println!("a PIN of {digits} digits is set"),
        (false, None) => println!("no PIN is set: whoever answers the phone can approve"),
    }
    Ok(())
}

fn read_line(question: &str) -> Result<String, Failure> {
    if std::io::stdin().is_terminal() {
        eprint!("{question}");
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(failed)?;
    match line.trim() {
        "" => Err(Failure::Usage("a PIN is read from standard input, and there was none".to_owned())),
        digits => Ok(digits.to_owned()),
    }
}
