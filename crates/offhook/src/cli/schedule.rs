//! `offhook schedule`: calls that are placed by the clock, when something is the case.

use serde_json::{Map, Value, json};

use super::client::Client;
use super::{Context, Failure};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Call again and again, or once later, when a condition holds
    Add(Box<AddArgs>),
    /// List schedules, newest first
    List,
    /// Show one with its last runs
    Show {
        /// The schedule's id
        id: String,
    },
    /// Run nothing of it until it is resumed
    Pause {
        /// The schedule's id
        id: String,
    },
    /// Go on with a schedule that was paused
    Resume {
        /// The schedule's id
        id: String,
    },
    /// Remove one with its runs; calls that it placed stay
    Remove {
        /// The schedule's id
        id: String,
    },
    /// Run one now, beside its own times
    Run {
        /// The schedule's id
        id: String,
        /// Only ask its condition, and tell what would happen
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  offhook schedule add --cron \"0 9 * * 1-5\" --timezone Europe/Berlin \"Remind me of the stand-up.\"
  offhook schedule add --cron \"*/15 * * * *\" --http https://shop.example/chain.json --test \"/price < 40\" \\
    \"Tell me that the chain has become cheaper, and ask whether to order it.\"
  offhook schedule add --at 2026-11-23T09:00:00-08:00 --to +14155550100 \"Ask for a table for two tonight.\"
  offhook schedule add --cron \"0 18 * * *\" --agent \"Is rain expected here tomorrow morning?\" \"Warn me of the rain.\"")]
pub struct AddArgs {
    /// What the call is about: the call instructions
    #[arg(required = true)]
    task: Vec<String>,
    /// Again and again: minute, hour, day, month, weekday
    #[arg(long, value_name = "EXPRESSION", required_unless_present = "at", conflicts_with = "at")]
    cron: Option<String>,
    /// Once: an instant with offset
    #[arg(long, value_name = "INSTANT")]
    at: Option<String>,
    /// Of the expression and of the quiet hours [default: that of the server]
    #[arg(long, value_name = "ZONE")]
    timezone: Option<String>,
    /// Hours in which nothing runs, such as 22:00-08:00
    #[arg(long, value_name = "FROM-TO")]
    quiet_hours: Option<String>,
    /// What becomes of runs that nobody was there for
    #[arg(long, value_parser = ["run_once", "skip"])]
    missed: Option<String>,
    /// What to call it
    #[arg(long)]
    name: Option<String>,
    /// Whom to call [default: the user]
    #[arg(long, value_name = "NUMBER")]
    to: Option<String>,
    /// What the voice says first
    #[arg(long, value_name = "TEXT")]
    opening_message: Option<String>,
    /// Only where this address answers
    #[arg(long, value_name = "URL", group = "condition", help_heading = "Condition")]
    http: Option<String>,
    /// Which status will do: 200, 2xx, or !2xx for any other and none at all
    #[arg(long, value_name = "STATUS", requires = "http", help_heading = "Condition")]
    status: Option<String>,
    /// Only where this command of the server's configuration ends well
    #[arg(long, value_name = "NAME", group = "condition", help_heading = "Condition")]
    command: Option<String>,
    /// How it must end
    #[arg(long, value_name = "CODE", requires = "command", help_heading = "Condition")]
    exit_code: Option<i32>,
    /// Only where the agent says yes to this question
    #[arg(long, value_name = "QUESTION", group = "condition", help_heading = "Condition")]
    agent: Option<String>,
    /// What the answer must hold: "POINTER OP VALUE", such as "/price < 40", "/version changed" or "contains OK"
    #[arg(long, value_name = "TEST", requires = "condition", conflicts_with = "agent")]
    #[arg(help_heading = "Condition")]
    test: Option<String>,
    /// After a call, leave it alone for so long
    #[arg(long, value_name = "SECONDS", requires = "condition", help_heading = "Condition")]
    cooldown_seconds: Option<u32>,
    /// Only tell what would happen now, and keep nothing
    #[arg(long)]
    dry_run: bool,
    /// Repeat a request safely: the same key is the same schedule
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

pub async fn run(command: Command, context: &Context) -> Result<(), Failure> {
    let client = Client::new(context)?;
    let path = |id: &str| format!("/schedules/{id}");
    let told = match command {
        Command::Add(args) => add(&client, *args).await?,
        Command::List => client.get("/schedules").await?,
        Command::Show { id } => client.get(&path(&id)).await?,
        Command::Pause { id } => client.patch(&path(&id), &json!({ "enabled": false })).await?,
        Command::Resume { id } => client.patch(&path(&id), &json!({ "enabled": true })).await?,
        Command::Remove { id } => client.delete(&path(&id)).await?,
        Command::Run { id, dry_run: true } => {
            client.post(&format!("{}/dry-run", path(&id)), &json!({})).await?
        }
        Command::Run { id, dry_run: false } => {
            client.post(&format!("{}/run-now", path(&id)), &json!({})).await?
        }
    };
    if context.json {
        println!("{told}")
    } else {
        print!("{}", report(&told))
    }
    Ok(())
}

/// A dry run is that of a schedule which is paused, and removed again.
async fn add(client: &Client, args: AddArgs) -> Result<Value, Failure> {
    let (dry_run, key) = (args.dry_run, args.idempotency_key.clone());
    let mut body = body(args)?;
    if !dry_run {
        return client.post_once("/schedules", &body, key.as_deref()).await;
    }
    body["enabled"] = false.into();
    let made = client.post("/schedules", &body).await?;
    let path = format!("/schedules/{}", text(&made["id"]));
    let told = client.post(&format!("{path}/dry-run"), &json!({})).await;
    client.delete(&path).await?;
    told
}

fn body(args: AddArgs) -> Result<Value, Failure> {
    let condition = condition(&args)?;
    let mut call = Map::new();
    call.insert("task".to_owned(), args.task.join(" ").into());
    let texts = [("to", args.to), ("greeting", args.opening_message)];
    call.extend(texts.into_iter().filter_map(|(field, text)| Some((field.to_owned(), text?.into()))));
    let mut body = json!({ "call": call });
    let texts = [
        ("name", args.name),
        ("cron", args.cron),
        ("at", args.at),
        ("timezone", args.timezone),
        ("missed", args.missed),
    ];
    for (field, text) in texts {
        if let Some(text) = text {
            body[field] = text.into();
        }
    }
    if let Some(hours) = &args.quiet_hours {
        let (from, to) = hours
            .split_once('-')
            .ok_or_else(|| Failure::Usage("--quiet-hours must be such as 22:00-08:00".to_owned()))?;
        body["quiet_hours"] = json!({ "from": from.trim(), "to": to.trim() });
    }
    if let Some(condition) = condition {
        body["condition"] = condition;
    }
    if let Some(seconds) = args.cooldown_seconds {
        body["cooldown_seconds"] = seconds.into();
    }
    Ok(body)
}

fn condition(args: &AddArgs) -> Result<Option<Value>, Failure> {
    let mut condition = match (&args.http, &args.command, &args.agent) {
        (Some(url), ..) => json!({ "type": "http", "url": url }),
        (_, Some(command), _) => json!({ "type": "command", "command": command }),
        (_, _, Some(question)) => json!({ "type": "agent", "question": question }),
        _ => return Ok(None),
    };
    if let Some(status) = &args.status {
        condition["status"] = status.as_str().into();
    }
    if let Some(code) = args.exit_code {
        condition["exit_code"] = code.into();
    }
    if let Some(test) = &args.test {
        condition
            .as_object_mut()
            .into_iter()
            .for_each(|fields| fields.extend(read_test(test).into_iter().flatten()));
        if condition.get("op").is_none() {
            let why = "--test must be such as \"/price < 40\", \"/version changed\" or \"contains OK\"";
            return Err(Failure::Usage(why.to_owned()));
        }
    }
    Ok(Some(condition))
}

/// Where to look, how, and with what to compare.
fn read_test(test: &str) -> Option<Map<String, Value>> {
    const OPS: [&str; 9] = ["<", "<=", "==", "!=", ">=", ">", "contains", "exists", "changed"];
    let mut words = test.trim().splitn(3, char::is_whitespace);
    let first = words.next()?;
    let (pointer, op) = if OPS.contains(&first) { (None, first) } else { (Some(first), words.next()?) };
    let rest = words.collect::<Vec<_>>().join(" ");
    if !OPS.contains(&op) {
        return None;
    }
    let mut fields = Map::new();
    fields.extend(pointer.map(|pointer| ("pointer".to_owned(), pointer.into())));
    fields.insert("op".to_owned(), op.into());
    if !rest.trim().is_empty() {
        // Numbers and truth as what they are, anything else as text.
        let value = match serde_json::from_str(rest.trim()) {
            Ok(value @ (Value::Number(_) | Value::Bool(_))) => value,
            _ => rest.trim().into(),
        };
        fields.insert("value".to_owned(), value);
    }
    Some(fields)
}

fn report(told: &Value) -> String {
    if let Some(schedules) = told["schedules"].as_array() {
        return schedules.iter().map(|schedule| line(schedule) + "\n").collect();
    }
    let mut lines = Vec::new();
    if told["would_call"].is_boolean() {
        lines.push(dry_run(told));
        lines.extend(told["evidence"]["reason"].as_str().map(|reason| format!("  {reason}")));
        lines.extend(told["refusal"]["message"].as_str().map(|message| format!("  {message}")));
    } else if told["success"].is_boolean() {
        lines.push(format!("{}  removed", text(&told["schedule_id"])));
    } else if told["schedule_id"].is_string() {
        lines.push(line(told));
        lines.extend(told["runs"].as_array().into_iter().flatten().map(run_line));
    } else {
        lines.push(run_line(told).trim_start().to_owned());
    }
    lines.join("\n") + "\n"
}

fn dry_run(told: &Value) -> String {
    let would = if told["would_call"] == true { "would call now" } else { "would not call now" };
    format!("{would}; the condition: {}", text(&told["condition"]).replace('_', " "))
}

fn line(schedule: &Value) -> String {
    let when = schedule["cron"].as_str().unwrap_or_else(|| text(&schedule["at"]));
    let (id, state, next) = (text(&schedule["id"]), text(&schedule["state"]), text(&schedule["next_due_at"]));
    let name = schedule["name"].as_str().or(schedule["call"]["task"].as_str()).unwrap_or_default();
    let name: String = name.chars().take(60).collect();
    format!("{id}  {state:<7}  {when:<16}  next {next}  {name}").trim_end().to_owned()
}

fn run_line(run: &Value) -> String {
    let why = run["refusal"]["message"].as_str().or(run["evidence"]["reason"].as_str()).unwrap_or_default();
    let outcome = run["call"]["outcome"].as_str().or(run["call"]["lifecycle"].as_str()).unwrap_or_default();
    let times = run["times"].as_u64().map(|times| format!("{times} times")).unwrap_or_default();
    let what =
        [outcome, &times, why].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; ");
    format!("  {}  {:<12} {what}", text(&run["due_at"]), text(&run["state"])).trim_end().to_owned()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("–")
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn tests_are_short_to_write() {
        for (test, expected) in [
            ("/price < 40", json!({ "pointer": "/price", "op": "<", "value": 40 })),
            ("contains sold out", json!({ "op": "contains", "value": "sold out" })),
            ("/version changed", json!({ "pointer": "/version", "op": "changed" })),
            ("/open == true", json!({ "pointer": "/open", "op": "==", "value": true })),
            ("exists", json!({ "op": "exists" })),
        ] {
            assert_eq!(Value::Object(read_test(test).unwrap()), expected, "{test}");
        }
        for test in ["", "/price", "/price is 40"] {
            assert!(read_test(test).is_none(), "{test}");
        }
    }

    #[test]
    fn what_people_read() {
        let schedule = json!({
            "schedule_id": "s1", "id": "s1", "name": "Chain", "state": "waiting", "cron": "0 9 * * *",
            "next_due_at": "2026-11-23T08:00:00.000Z",
            "runs": [
                { "due_at": "2026-11-22T08:00:00.000Z", "state": "called", "call": { "outcome": "answered" },
                  "evidence": { "reason": "/price is 38, which is < 40" } },
                { "due_at": "2026-11-20T08:00:00.000Z", "state": "missed", "times": 2, "call": null },
            ],
        });
        expect![[r#"
            s1  waiting  0 9 * * *         next 2026-11-23T08:00:00.000Z  Chain
              2026-11-22T08:00:00.000Z  called       answered; /price is 38, which is < 40
              2026-11-20T08:00:00.000Z  missed       2 times
        "#]]
        .assert_eq(&report(&schedule));
        let dry = json!({
            "would_call": false, "condition": "does_not_hold", "evidence": { "reason": "/price is 41, which is not < 40" },
        });
        expect![[r#"
            would not call now; the condition: does not hold
              /price is 41, which is not < 40
        "#]]
        .assert_eq(&report(&dry));
    }
}
