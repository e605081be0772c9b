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
    let client = Client::new(context)?;
    let call = client.get(&format!("/call/{}", args.id)).await?;
    if context.json {
        println!("{call}");
        return Ok(());
    }
    report(&call);
    // An older server has none; that is no reason not to show the call.
    if let Ok(log) = client.get(&format!("/call/{}/deliveries", args.id)).await
        && let Some(webhook) = webhook(&log)
    {
        println!("Webhook     {webhook}");
    }
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

/// How the webhook of a call stands; `None` where there is none.
fn webhook(log: &Value) -> Option<String> {
    let state = log["webhook"]["state"].as_str()?;
    let deliveries = log["deliveries"].as_array().map(Vec::as_slice).unwrap_or_default();
    let failures: Vec<&Value> = deliveries.iter().filter(|delivery| !delivery["error"].is_null()).collect();
    let taken = match deliveries.len() - failures.len() {
        1 => "1 event taken".to_owned(),
        taken => format!("{taken} events taken"),
    };
    let next = log["webhook"]["next_attempt_at"].as_str();
    let how = match (state, next) {
        ("gone", _) => ", then the receiver was gone for good".to_owned(),
        ("given_up", _) => ", then given up".to_owned(),
        (_, Some(next)) => format!(", next attempt at {next}"),
        _ => String::new(),
    };
    let Some(last) = failures.last() else { return Some(format!("{taken}{how}")) };
    let text = |field: &str| last[field].as_str().unwrap_or("?").to_owned();
    let (count, event, error) = (failures.len(), text("event"), text("error"));
    let attempts = if count == 1 { "attempt" } else { "attempts" };
    Some(format!("{taken}{how}; {count} {attempts} in vain, the last with {event}: {error}"))
}

/// What became of a call, for people.
pub fn report(call: &Value) {
    let text = |value: &Value| value.as_str().unwrap_or("–").to_owned();
    if call["direction"] == "inbound" {
        println!("Called by   {}", text(&call["numbers"]["from"]));
        println!("On          {}", text(&call["numbers"]["to"]));
    } else {
        println!("Called      {}", text(&call["numbers"]["to"]));
    }
    let more =
        |lines: Vec<(&str, String)>| lines.iter().for_each(|(what, said)| println!("{what:<11} {said}"));
    if call["lifecycle"] != "finalized" {
        println!("State       {}", text(&call["lifecycle"]));
        more(ties(call));
        return;
    }
    show::outcome(call);
    more(ties(call));
    println!("Recording   {}", text(&call["recording_url"]));
}

/// What a call waits for, and what it has to do with the user and with other calls.
fn ties(call: &Value) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    let mut line = |what: &'static str, said: Option<String>| lines.extend(said.map(|said| (what, said)));
    let text = |value: &Value| value.as_str().map(str::to_owned);
    for message in call["messages"].as_array().into_iter().flatten() {
        line(
            "Message",
            text(&message["message"]).map(|said| match message["name"].as_str() {
                Some(name) => format!("{name}: {said}"),
                None => said,
            }),
        );
        line("Call back", text(&message["call_back"]));
    }
    line(
        "PIN",
        call["caller_verified"].as_bool().map(|given| if given { "given" } else { "not given" }.to_owned()),
    );
    let question = &call["pending_question"];
    line(
        "Asks you",
        text(&question["question"]).map(|asked| match question["answer_by"].as_str() {
            Some(by) => format!("{asked} (until {by}: offhook answer)"),
            None => asked,
        }),
    );
    line("Not before", text(&call["not_before"]));
    line("Not after", text(&call["not_after"]));
    let handoff = &call["handoff"];
    line(
        "Handoff",
        text(&handoff["state"]).map(|state| match handoff["reason"].as_str() {
            Some(why) => format!("{state}: {why}"),
            None => state,
        }),
    );
    line("On hold", call["hold_seconds"].as_u64().map(|seconds| format!("{seconds} s")));
    line("Follows", text(&call["follow_up_to"]));
    line("Again for", text(&call["retry_of"]));
    line("Campaign", text(&call["campaign_id"]));
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_call_has_to_do_with_others() {
        let call = json!({
            "pending_question": { "question": "When?", "answer_by": "2026-11-03T18:22:04.310Z" },
            "handoff": { "state": "failed", "reason": "busy" }, "hold_seconds": 40, "follow_up_to": "1",
        });
        let line = |what: &'static str, said: &str| (what, said.to_owned());
        assert_eq!(
            ties(&call),
            [
                line("Asks you", "When? (until 2026-11-03T18:22:04.310Z: offhook answer)"),
                line("Handoff", "failed: busy"),
                line("On hold", "40 s"),
                line("Follows", "1"),
            ]
        );
        assert_eq!(ties(&json!({ "handoff": null })), []);
    }

    #[test]
    fn a_webhook_in_a_line() {
        let taken = json!({ "event": "call.answered", "error": null });
        let failed = json!({ "event": "call.ended", "error": "the receiver answered 500" });
        for (state, next, deliveries, expected) in [
            ("open", Value::Null, vec![], "0 events taken"),
            ("done", Value::Null, vec![&taken, &taken], "2 events taken"),
            (
                "open",
                json!("2026-11-03T18:22:04.310Z"),
                vec![&taken, &failed],
                "1 event taken, next attempt at 2026-11-03T18:22:04.310Z; 1 attempt in vain, the last with \
                 call.ended: the receiver answered 500",
            ),
            (
                "given_up",
                Value::Null,
                vec![&failed, &failed],
                "0 events taken, then given up; 2 attempts in vain, the last with call.ended: the receiver \
                 answered 500",
            ),
        ] {
            let webhook_state = json!({ "state": state, "next_attempt_at": next });
            let log = json!({ "webhook": webhook_state, "deliveries": deliveries });
            assert_eq!(webhook(&log).as_deref(), Some(expected));
        }
        assert_eq!(webhook(&json!({ "webhook": null, "deliveries": [] })), None);
    }
}
