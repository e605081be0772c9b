//! `offhook call` and `offhook hangup`.

use std::time::Duration;

use futures_util::StreamExt as _;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::client::Client;
use super::interrupt::Interrupts;
use super::{Context, Failure, failed};
use crate::demo::show;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  offhook call +14155550100 \"Call Green Street Dental for Jordan Lee. Ask for an appointment on \\
  Thursday afternoon. If they ask for a date of birth, say you will call back.\" --wait")]
pub struct Args {
    /// Whom to call, in E.164: +14155550100
    to: String,
    /// The call instructions: everything the voice knows
    #[arg(required = true)]
    task: Vec<String>,
    /// Follow the call to its end; Ctrl-C hangs up. Exit code 1 when nobody answered
    #[arg(long, short)]
    wait: bool,
    /// Place no call; say what the instructions lack, whether they are closed there now, what the rules of the line
    /// say, and every word the voice would be given. Exit code 1 when the call would be refused
    #[arg(long, conflicts_with = "wait")]
    check: bool,
    /// Who the voice is: identity, tone, boundaries, in one to three sentences
    #[arg(long, value_name = "TEXT")]
    personality: Option<String>,
    /// What it says first, after the disclosure
    #[arg(long, value_name = "TEXT")]
    greeting: Option<String>,
    /// How it sounds
    #[arg(long, value_parser = crate::gateway::VOICES)]
    voice: Option<String>,
    /// Which of our lines to call from
    #[arg(long, value_name = "NUMBER")]
    from: Option<String>,
    /// The message to leave when a machine answers
    #[arg(long, value_name = "TEXT")]
    voicemail: Option<String>,
    /// The longest the conversation may last
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    max_duration: Option<u64>,
    /// Where the events of the call are sent; see docs/webhooks.md
    #[arg(long, value_name = "URL")]
    webhook_url: Option<String>,
    /// Let the voice ask you for what it lacks, and wait so long for `offhook answer`: 10 to 300
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(10..=300))]
    ask_owner: Option<u64>,
    /// Repeat a request safely: the same key is the same call
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

pub async fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let client = Client::new(context)?;
    if args.check {
        return check(&client, args, context).await;
    }
    let wait = args.wait;
    let idempotency_key = args.idempotency_key.clone();
    let placed = client.post_call(&body(args), idempotency_key.as_deref()).await?;
    if let Some(key) = placed["api_key"].as_str() {
        client.keep_key(key);
    }
    let id = placed["call_id"].as_str().unwrap_or_default().to_owned();
    if !wait {
        if context.json {
            println!("{placed}")
        } else {
            println!("{id}")
        }
        return Ok(());
    }
    let interrupts = Interrupts::listen().map_err(failed)?;
    if !context.json {
        println!("call {id}");
    }
    let call = follow(&client, &id, context.json, interrupts).await?;
    if context.json {
        println!("{call}")
    } else {
        super::show::report(&call)
    }
    if call["outcome"] == "answered" { Ok(()) } else { Err(Failure::No) }
}

async fn check(client: &Client, args: Args, context: &Context) -> Result<(), Failure> {
    let check = client.post("/call/check", &body(args)).await?;
    if context.json {
        println!("{check}")
    } else {
        print!("{}", super::check::report(&check))
    }
    if check["policy"]["allowed"] == true { Ok(()) } else { Err(Failure::No) }
}

fn body(args: Args) -> Value {
    let mut body = json!({"to": args.to, "task": args.task.join(" ")});
    let texts = [
        ("personality", args.personality),
        ("greeting", args.greeting),
        ("voice", args.voice),
        ("from", args.from),
        ("webhook_url", args.webhook_url),
    ];
    for (field, text) in texts {
        if let Some(text) = text {
            body[field] = text.into();
        }
    }
    if let Some(message) = args.voicemail {
        body["voicemail"] = json!({"action": "leave_message", "message": message});
    }
    if let Some(seconds) = args.max_duration {
        body["max_duration_seconds"] = seconds.into();
    }
    if let Some(seconds) = args.ask_owner {
        body["ask_owner_seconds"] = seconds.into();
    }
    body
}

/// Times a lost event stream is taken up again, without a word in between, before the call is only looked at.
const RECONNECTS: u32 = 5;
/// After which pause; a server that starts again is back within some of them.
const RECONNECT_PAUSE: Duration = Duration::from_secs(1);

/// Print the call's events as they come. Ctrl-C hangs up and goes on to the end, once more leaves at once.
async fn follow(client: &Client, id: &str, json: bool, mut interrupts: Interrupts) -> Result<Value, Failure> {
    let watching = watch(client, id, json);
    tokio::pin!(watching);
    tokio::select! {
        call = &mut watching => return call,
        () = interrupts.next() => eprintln!("offhook: hanging up; Ctrl-C again leaves at once"),
    }
    let hanging_up = async {
        let answer = client.post(&hangup_path(id), &json!({})).await;
        answer.map_err(|error| Failure::Failed(format!("{error}\n{}", may_go_on(id))))
    };
    tokio::select! {
        ended = async { tokio::try_join!(hanging_up, watching) } => ended.map(|(_, call)| call),
        () = interrupts.next() => Err(Failure::Failed(may_go_on(id))),
    }
}

fn may_go_on(id: &str) -> String {
    format!("the call may go on: `offhook hangup {id}` ends it, `offhook show {id}` tells how it is")
}

/// The call as it is at its end.
async fn watch(client: &Client, id: &str, json: bool) -> Result<Value, Failure> {
    let mut printer = show::EventPrinter::default();
    let (mut last_seq, mut lost) = (0, 0);
    loop {
        let before = last_seq;
        let ended = follow_once(client, id, &mut last_seq, |event| {
            if json { println!("{event}") } else { printer.print(event) }
        })
        .await;
        lost = if last_seq == before { lost + 1 } else { 1 };
        match ended {
            Ok(true) => break,
            Ok(false) | Err(Failure::Unreachable(_)) if lost <= RECONNECTS => {
                tokio::time::sleep(RECONNECT_PAUSE).await;
            }
            Ok(false) => break,
            Err(error) => return Err(error),
        }
    }
    client.get(&format!("/call/{id}")).await
}

/// Whether the stream came to the end of the call, not only to its own.
async fn follow_once(
    client: &Client,
    id: &str,
    last_seq: &mut u64,
    mut each: impl FnMut(&Value),
) -> Result<bool, Failure> {
    let response = client.stream(&format!("/call/{id}/events?after={last_seq}")).await?;
    if response.status() == StatusCode::NO_CONTENT {
        return Ok(true);
    }
    let mut chunks = response.bytes_stream();
    let mut stream = Vec::new();
    while let Some(Ok(chunk)) = chunks.next().await {
        stream.extend_from_slice(&chunk);
        for event in show::events(&mut stream) {
            each(&event);
            *last_seq = event["seq"].as_u64().unwrap_or(*last_seq);
            if event["code"] == "call.ended" {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn hangup_path(id: &str) -> String {
    format!("/call/{id}/hangup")
}

pub async fn hang_up(id: &str, context: &Context) -> Result<(), Failure> {
    let answer = Client::new(context)?.post(&hangup_path(id), &json!({})).await?;
    if context.json {
        println!("{answer}")
    } else {
        println!("{}", answer["message"].as_str().unwrap_or("hung up"))
    }
    Ok(())
}
