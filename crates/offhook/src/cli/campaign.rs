//! `offhook campaign`: the same question to several places, and what they say side by side.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::client::Client;
use super::{Context, Failure};

/// How often a campaign is looked at.
const STEP: Duration = Duration::from_secs(3);

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Call several places with the same instructions, to gather and not to commit
    Start(StartArgs),
    /// List campaigns, newest first
    List,
    /// Show one: every target, and the comparison
    Show {
        /// The campaign's id
        id: String,
    },
    /// Keep something with it: what is to be decided, and what comes next
    Note {
        /// The campaign's id
        id: String,
        /// Whatever is to be kept
        #[arg(long, value_name = "TEXT")]
        notes: Option<String>,
        /// What the user has to decide
        #[arg(long, value_name = "TEXT")]
        decision_needed: Option<String>,
        /// What is done next
        #[arg(long, value_name = "TEXT")]
        next_action: Option<String>,
    },
    /// Call no further targets, and hang up the calls under way
    Stop {
        /// The campaign's id
        id: String,
    },
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  offhook campaign start --to \"+14155550100=Green Street\" --to \"+14155550110=Bay\" \\
    --result-schema price.json --wait \"For Jordan Lee: what does a wheel truing cost, and how soon?\"")]
pub struct StartArgs {
    /// Whom to call, and what to call them: +14155550100 or +14155550100=NAME; several times
    #[arg(long, required = true, value_name = "NUMBER[=NAME]")]
    to: Vec<String>,
    /// The call instructions, the same for all
    #[arg(required = true)]
    task: Vec<String>,
    /// Who the voice is
    #[arg(long, value_name = "TEXT")]
    personality: Option<String>,
    /// How it sounds
    #[arg(long, value_parser = crate::gateway::VOICES)]
    voice: Option<String>,
    /// A flat JSON Schema of the facts to compare
    #[arg(long, value_name = "FILE")]
    result_schema: Option<PathBuf>,
    /// Which of them to compare, in this order; several times
    #[arg(long, value_name = "FIELD")]
    compare: Vec<String>,
    /// What fits: FIELD=VALUE, FIELD<=NUMBER or FIELD>=NUMBER
    #[arg(long, value_name = "RULE")]
    fit: Option<String>,
    /// Cancel the rest when one fits
    #[arg(long)]
    stop_at_first_fit: bool,
    /// What may be agreed to; only where two can't both agree
    #[arg(long, value_name = "LIMITS", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    may_commit: Option<String>,
    /// Wait for its end and show the comparison
    #[arg(long, short)]
    wait: bool,
    /// Repeat a request safely: the same key is the same campaign
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

pub async fn run(command: Command, context: &Context) -> Result<(), Failure> {
    let client = Client::new(context)?;
    let told = match command {
        Command::Start(args) => start(&client, args).await?,
        Command::List => client.get("/campaigns").await?,
        Command::Show { id } => client.get(&format!("/campaigns/{id}")).await?,
        Command::Note { id, notes, decision_needed, next_action } => {
            let kept = [("notes", notes), ("decision_needed", decision_needed), ("next_action", next_action)];
            let kept = kept.into_iter().filter_map(|(field, text)| Some((field.to_owned(), text?.into())));
            client.patch(&format!("/campaigns/{id}"), &Value::Object(kept.collect())).await?
        }
        Command::Stop { id } => client.post(&format!("/campaigns/{id}/stop"), &json!({})).await?,
    };
    if context.json {
        println!("{told}");
    } else if let Some(campaigns) = told["campaigns"].as_array() {
        campaigns.iter().for_each(|campaign| println!("{}", line(campaign)));
    } else {
        print!("{}", report(&told));
    }
    Ok(())
}

async fn start(client: &Client, args: StartArgs) -> Result<Value, Failure> {
    let (key, wait) = (args.idempotency_key.clone(), args.wait);
    let started = client.post_once("/campaigns", &body(args)?, key.as_deref()).await?;
    if let Some(key) = started["api_key"].as_str() {
        client.keep_key(key);
    }
    if !wait {
        return Ok(started);
    }
    let path = format!("/campaigns/{}", started["id"].as_str().unwrap_or_default());
    loop {
        let now = client.get(&path).await?;
        if now["state"] == "done" {
            return Ok(now);
        }
        tokio::time::sleep(STEP).await;
    }
}

fn body(args: StartArgs) -> Result<Value, Failure> {
    let targets: Vec<Value> = args.to.iter().map(|target| read_target(target)).collect();
    let mut body = json!({ "task": args.task.join(" "), "targets": targets });
    for (field, text) in [("personality", args.personality), ("voice", args.voice)] {
        if let Some(text) = text {
            body[field] = text.into();
        }
    }
    if let Some(file) = &args.result_schema {
        body["result_schema"] = super::call::schema(file)?;
    }
    if !args.compare.is_empty() {
        body["compare"] = args.compare.into();
    }
    if let Some(rule) = &args.fit {
        body["fit"] = read_fit(rule)?;
    }
    if args.stop_at_first_fit {
        body["stop_at_first_fit"] = true.into();
    }
    if let Some(limits) = args.may_commit {
        body["may_commit"] = if limits.trim().is_empty() { true.into() } else { limits.into() };
    }
    Ok(body)
}

fn read_target(target: &str) -> Value {
    match target.split_once('=') {
        Some((to, name)) => json!({ "to": to.trim(), "name": name.trim() }),
        None => json!({ "to": target.trim() }),
    }
}

fn read_fit(rule: &str) -> Result<Value, Failure> {
    let wrong = || Failure::Usage("--fit must be FIELD=VALUE, FIELD<=NUMBER or FIELD>=NUMBER".to_owned());
    let (at, sign, word) = ["<=", ">=", "="]
        .iter()
        .zip(["at_most", "at_least", "equals"])
        .find_map(|(sign, word)| Some((rule.find(sign)?, *sign, word)))
        .ok_or_else(wrong)?;
    let (field, value) = (rule[..at].trim(), rule[at + sign.len()..].trim());
    if field.is_empty() || value.is_empty() {
        return Err(wrong());
    }
    // Numbers and truth as what they are, anything else as text.
    let value: Value = match serde_json::from_str(value) {
        Ok(value @ (Value::Number(_) | Value::Bool(_))) => value,
        _ if word == "equals" => value.into(),
        _ => return Err(wrong()),
    };
    let mut fit = json!({ "field": field });
    fit[word] = value;
    Ok(fit)
}

fn line(campaign: &Value) -> String {
    let (called, total) = (&campaign["targets_called"], &campaign["targets_total"]);
    let (id, state) = (text(&campaign["id"]), text(&campaign["state"]));
    format!("{id}  {state:<8} {called} of {total} called  {}", text(&campaign["purpose"]))
}

/// State, targets, comparison.
fn report(campaign: &Value) -> String {
    let mut lines = vec![format!("{}  {}", text(&campaign["id"]), text(&campaign["state"]))];
    for target in campaign["targets"].as_array().into_iter().flatten() {
        let name = target["name"].as_str().unwrap_or_else(|| text(&target["to"]));
        let result = &target["result"];
        let what = result["summary"].as_str().or(target["refusal"]["message"].as_str()).unwrap_or_default();
        let status = result["status"].as_str().unwrap_or_else(|| text(&target["state"]));
        lines.push(format!("  {name:<24} {status:<10} {what}").trim_end().to_owned());
    }
    lines.extend(table(&campaign["comparison"]));
    lines.join("\n") + "\n"
}

/// What each target's own line says already.
const SAID: [&str; 5] = ["number", "outcome", "status", "summary", "next_action"];

/// As wide as what stands in it.
fn table(comparison: &Value) -> Vec<String> {
    let cell = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => "–".to_owned(),
        value => value.to_string(),
    };
    let columns = comparison["columns"].as_array().map(Vec::as_slice).unwrap_or_default();
    let kept =
        |column: usize| columns.get(column).and_then(Value::as_str).is_some_and(|name| !SAID.contains(&name));
    let cells = |row: &Value| {
        let row = row.as_array().into_iter().flatten().enumerate();
        row.filter(|(column, _)| kept(*column)).map(|(_, value)| cell(value)).collect::<Vec<_>>()
    };
    let mut rows = vec![cells(&comparison["columns"])];
    rows.extend(comparison["rows"].as_array().into_iter().flatten().map(cells));
    if rows[0].is_empty() {
        return Vec::new();
    }
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    let padded = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("  {}", cells.collect::<Vec<_>>().join("  ")).trim_end().to_owned()
    };
    std::iter::once(String::new()).chain(rows.iter().map(padded)).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("–")
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn targets_and_rules_are_short_to_write() {
        assert_eq!(read_target("+14155550100"), json!({ "to": "+14155550100" }));
        assert_eq!(
            read_target("+14155550100=Green Street"),
            json!({ "to": "+14155550100", "name": "Green Street" })
        );
        for (rule, expected) in [
            ("price<=120", Some(json!({ "field": "price", "at_most": 120 }))),
            ("seats >= 4", Some(json!({ "field": "seats", "at_least": 4 }))),
            ("free=true", Some(json!({ "field": "free", "equals": true }))),
            ("day = Friday", Some(json!({ "field": "day", "equals": "Friday" }))),
            ("price<=cheap", None),
            ("price", None),
            ("=1", None),
        ] {
            assert_eq!(read_fit(rule).ok(), expected, "{rule}");
        }
    }

    #[test]
    fn what_people_read() {
        let campaign = json!({
            "id": "c1", "state": "done",
            "targets": [
                { "to": "+14155550100", "name": "Green Street", "state": "done",
                  "result": { "status": "achieved", "summary": "Friday, 80 dollars." } },
                { "to": "+14155550101", "state": "refused", "refusal": { "message": "blocked" } },
            ],
            "comparison": {
                "columns": ["name", "number", "price", "summary"],
                "rows": [["Green Street", "+14155550100", 80, "Friday"], [null, "+14155550101", null, null]],
            },
        });
        expect![[r#"
            c1  done
              Green Street             achieved   Friday, 80 dollars.
              +14155550101             refused    blocked

              name          price
              Green Street  80
              –             –
        "#]]
        .assert_eq(&report(&campaign));
    }
}
