//! `offhook call`, `offhook follow` and `offhook hangup`.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::client::Client;
use super::interrupt::Interrupts;
use super::phone::ToUser;
use super::state::State;
use super::{Context, Failure, failed, live};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  offhook call +14155550100 \"Call Green Street Dental for Jordan Lee. Ask for an appointment on \\
  Thursday afternoon. If they ask for a date of birth, say you will call back.\" --wait

`offhook call me` calls you, on the number of `offhook phone`:
  offhook call me \"Tell me how the deploy went, and ask whether to go on\" --wait

With --follow the keyboard reaches the call: an answer while the voice asks you something, otherwise
/say TEXT  /note TEXT  /keys 1w2  /bridge [NUMBER]  /hangup")]
pub struct Args {
    /// Whom to call, in E.164: +14155550100; or `me`
    to: String,
    /// The call instructions: everything the voice knows
    task: Vec<String>,
    /// Show the call to its end; Ctrl-C hangs up. Exit code 1 when nobody answered
    #[arg(long, short)]
    wait: bool,
    /// The same, and what you type answers, steers or ends the call
    #[arg(long, short)]
    follow: bool,
    /// Place no call; say what the instructions lack, whether they are closed there now, what the rules of the line
    /// say, and every word the voice would be given. Exit code 1 when the call would be refused
    #[arg(long, conflicts_with_all = ["wait", "follow"])]
    check: bool,
    #[command(flatten)]
    terms: Terms,
    /// Repeat a request safely: the same key is the same call
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

/// What may be said of a call besides number and task.
#[derive(Debug, clap::Args)]
struct Terms {
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
    /// The language of the call: en-US
    #[arg(long, value_name = "TAG")]
    language: Option<String>,
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
    /// Let the voice ask the agents that the server has for what the task needs: all, or these
    #[arg(long, value_name = "NAMES", num_args = 0..=1, require_equals = true, default_missing_value = "", value_delimiter = ',')]
    agents: Option<Vec<String>>,
    /// Your own number, to be joined when the task says so [default: the one kept by `offhook phone`]
    #[arg(long, value_name = "NUMBER", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    bridge: Option<String>,
    /// Join you without telling you first who is there
    #[arg(long)]
    straight: bool,
    /// Hand over to the verified phone of your account instead
    #[arg(long, conflicts_with = "bridge")]
    loop_in_user: bool,
    /// What the voice may agree to: what the task says, or within these limits
    #[arg(long, value_name = "LIMITS", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    may_commit: Option<String>,
    /// A flat JSON Schema of the facts you want back
    #[arg(long, value_name = "FILE")]
    result_schema: Option<PathBuf>,
    /// The earlier call that this one continues
    #[arg(long, value_name = "CALL")]
    follow_up_to: Option<String>,
    /// What was missing then and is known now
    #[arg(long, value_name = "TEXT", requires = "follow_up_to")]
    supplied: Option<String>,
    /// Call no earlier than this: 2026-11-03T09:00:00-08:00
    #[arg(long, value_name = "INSTANT")]
    not_before: Option<String>,
    /// Give up when the call has not begun by then
    #[arg(long, value_name = "INSTANT")]
    not_after: Option<String>,
}

pub async fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let client = Client::new(context)?;
    let key = args.idempotency_key.as_deref();
    let placed = if args.to.eq_ignore_ascii_case(ME) {
        to_user(&args)?.place(&client, key).await?
    } else {
        if args.task.is_empty() {
            return Err(Failure::Usage(
                "what is the call for? Write the instructions behind the number".to_owned(),
            ));
        }
        let body = body(&args, client.state())?;
        if args.check {
            return check(&client, &body, context).await;
        }
        client.post_once("/call", &body, key).await?
    };
    if let Some(key) = placed["api_key"].as_str() {
        client.keep_key(key);
    }
    let id = placed["call_id"].as_str().unwrap_or_default().to_owned();
    if !args.wait && !args.follow {
        if context.json {
            println!("{placed}")
        } else {
            println!("{id}")
        }
        return Ok(());
    }
    if !context.json {
        println!("call {id}");
    }
    to_its_end(&client, &id, args.follow, context).await
}

/// Whom the voice calls then is the server's to know.
const ME: &str = "me";

/// A call to the user is said less of: whom it is to is known, and nobody is joined.
fn to_user(args: &Args) -> Result<ToUser<'_>, Failure> {
    let terms = &args.terms;
    let others = [
        ("--check", args.check),
        ("--bridge", terms.bridge.is_some()),
        ("--loop-in-user", terms.loop_in_user),
        ("--straight", terms.straight),
        ("--from", terms.from.is_some()),
        ("--voice", terms.voice.is_some()),
        ("--personality", terms.personality.is_some()),
        ("--language", terms.language.is_some()),
        ("--voicemail", terms.voicemail.is_some()),
        ("--ask-owner", terms.ask_owner.is_some()),
        ("--agents", terms.agents.is_some()),
        ("--may-commit", terms.may_commit.is_some()),
        ("--result-schema", terms.result_schema.is_some()),
        ("--follow-up-to", terms.follow_up_to.is_some()),
        ("--not-before", terms.not_before.is_some()),
        ("--not-after", terms.not_after.is_some()),
    ];
    if let Some((name, _)) = others.into_iter().find(|(_, given)| *given) {
        return Err(Failure::Usage(format!(
            "{name} is not for `offhook call me`; name your number to use it"
        )));
    }
    Ok(ToUser {
        prompt: Some(args.task.join(" ")),
        opening_message: terms.greeting.as_deref(),
        max_duration: terms.max_duration,
        webhook_url: terms.webhook_url.as_deref(),
    })
}

/// Show a call until it is over; typing reaches it.
pub async fn follow(id: &str, context: &Context) -> Result<(), Failure> {
    to_its_end(&Client::new(context)?, id, true, context).await
}

async fn to_its_end(client: &Client, id: &str, typed: bool, context: &Context) -> Result<(), Failure> {
    let interrupts = Interrupts::listen().map_err(failed)?;
    let call = live::show(client, id, context.json, typed, interrupts).await?;
    if context.json {
        println!("{call}")
    } else {
        super::show::report(&call)
    }
    if call["outcome"] == "answered" { Ok(()) } else { Err(Failure::No) }
}

async fn check(client: &Client, body: &Value, context: &Context) -> Result<(), Failure> {
    let check = client.post("/call/check", body).await?;
    if context.json {
        println!("{check}")
    } else {
        print!("{}", super::check::report(&check))
    }
    if check["policy"]["allowed"] == true { Ok(()) } else { Err(Failure::No) }
}

/// The wish as the API takes it.
fn body(args: &Args, state: &State) -> Result<Value, Failure> {
    let terms = &args.terms;
    let mut body = json!({"to": args.to, "task": args.task.join(" ")});
    let texts = [
        ("personality", &terms.personality),
        ("greeting", &terms.greeting),
        ("voice", &terms.voice),
        ("from", &terms.from),
        ("language", &terms.language),
        ("webhook_url", &terms.webhook_url),
        ("follow_up_to", &terms.follow_up_to),
        ("supplied", &terms.supplied),
        ("not_before", &terms.not_before),
        ("not_after", &terms.not_after),
    ];
    for (field, text) in texts {
        if let Some(text) = text {
            body[field] = text.as_str().into();
        }
    }
    if let Some(message) = &terms.voicemail {
        body["voicemail"] = json!({"action": "leave_message", "message": message});
    }
    if let Some(seconds) = terms.max_duration {
        body["max_duration_seconds"] = seconds.into();
    }
    if let Some(seconds) = terms.ask_owner {
        body["ask_owner_seconds"] = seconds.into();
    }
    if let Some(names) = &terms.agents {
        let all = names.iter().all(|name| name.trim().is_empty());
        body["agents"] = if all { true.into() } else { names.as_slice().into() };
    }
    if let Some(number) = &terms.bridge {
        body["bridge_number"] = users_number(number, state)?.into();
    }
    if terms.loop_in_user {
        body["loop_in_user"] = true.into();
    }
    if terms.straight {
        body["warm_greeting"] = false.into();
    }
    if let Some(limits) = &terms.may_commit {
        body["may_commit"] = if limits.trim().is_empty() { true.into() } else { limits.as_str().into() };
    }
    if let Some(file) = &terms.result_schema {
        body["result_schema"] = schema(file)?;
    }
    Ok(body)
}

/// The number to be joined: the one that was kept, or this one, which is kept when there was none.
pub fn users_number(given: &str, state: &State) -> Result<String, Failure> {
    let kept = state.phone();
    match (given.trim(), kept) {
        ("", Some(kept)) => Ok(kept),
        ("", None) => Err(Failure::Usage(
            "no number of yours is kept here; write --bridge=+13125550163, or keep it with `offhook phone`"
                .to_owned(),
        )),
        (given, None) => {
            // That it can't be kept must not be in the way of the call.
            let _ = state.save_phone(Some(given));
            Ok(given.to_owned())
        }
        (given, Some(_)) => Ok(given.to_owned()),
    }
}

/// A JSON Schema from a file.
pub fn schema(file: &Path) -> Result<Value, Failure> {
    let wrong = |why: String| Failure::Usage(format!("{}: {why}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| wrong(format!("this is no JSON: {error}")))
}

pub fn hangup_path(id: &str) -> String {
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
