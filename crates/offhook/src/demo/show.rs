//! What the demo prints.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::agent::{Finished, Saved, display_path};
use super::case::Case;

pub fn headline(case: &Case) {
    println!(
        "offhook demo: calling {} ({}), a test number of the sandbox on this machine",
        case.number.number,
        case.title()
    );
    println!("What it does: {}.", case.number.behaviour);
    if let Some(help) = case.help_text() {
        println!("{help}");
    }
    println!();
}

pub fn hanging_up() {
    println!("\nHanging up; the call is finalized.");
}

/// Prints the events of one call for people, with the seconds since it was accepted.
#[derive(Debug, Default)]
pub struct EventPrinter {
    started_at_ms: Option<i64>,
}

impl EventPrinter {
    /// One line of the call as it happens; what only a program wants to know is left out.
    pub fn print(&mut self, event: &Value) {
        let at = event["at"].as_str().and_then(|at| at.parse::<jiff::Timestamp>().ok());
        let at_ms = at.map_or(0, |at| at.as_millisecond());
        let seconds = (at_ms - *self.started_at_ms.get_or_insert(at_ms)) as f64 / 1_000.0;
        if let Some((who, what)) = event_text(event) {
            println!("{seconds:>7.1} s  {who:<8} {what}");
        }
    }
}

/// The events whose lines are complete; the rest of the text stays for the next time.
///
/// Bytes, not text: a chunk of the stream may end in the middle of a character.
pub fn events(stream: &mut Vec<u8>) -> Vec<Value> {
    let mut events = Vec::new();
    while let Some(end) = stream.iter().position(|byte| *byte == b'\n') {
        let line: Vec<u8> = stream.drain(..=end).collect();
        events
            .extend(line.strip_prefix(b"data:").and_then(|data| serde_json::from_slice::<Value>(data).ok()));
    }
    events
}

fn event_text(event: &Value) -> Option<(&'static str, String)> {
    let text = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
    Some(match event["code"].as_str()? {
        "call.queued" => ("call", "accepted by every calling rule".to_owned()),
        "speech.ready" => ("voice", format!("ready: {}", text("model"))),
        "call.dialing" => ("call", format!("dialing from {}", text("line"))),
        "call.ringing" => ("call", "ringing".to_owned()),
        "call.answered" => ("call", "answered".to_owned()),
        "leg.media_up" => ("call", format!("audio flows ({})", text("codec"))),
        "turn.voice" if event["interrupted"] == true => ("offhook", format!("{} —", text("text"))),
        "turn.voice" => ("offhook", text("text")),
        "turn.remote" => ("remote", format!("{}{}", text("text"), confidence(event))),
        "turn.not_understood" => ("remote", "[not understood]".to_owned()),
        "turn.barge_in" => ("call", "the remote interrupts".to_owned()),
        "leg.digits_sent" => ("offhook", format!("[presses {}]", text("digits"))),
        "hold.started" => ("call", "on hold".to_owned()),
        "hold.ended" => {
            ("call", format!("off hold after {:.0} s", event["waited_ms"].as_f64().unwrap_or(0.0) / 1_000.0))
        }
        "hold.announcement" => ("call", "the same announcement again".to_owned()),
        "menu.stuck" => ("call", format!("the menu is stuck after {} tries", event["tries"])),
        "owner.asked" => ("offhook", format!("[asks the agent: {}]", text("question"))),
        "owner.answered" => ("agent", text("answer")),
        "owner.silent" => ("agent", "[no answer in time]".to_owned()),
        "agent.asked" => ("offhook", format!("[has looked up: {}]", text("prompt"))),
        "agent.answered" => ("agent", text("answer")),
        "agent.failed" => ("agent", format!("[no answer: {}]", text("failure"))),
        "handoff.dialing" => ("user", format!("is called from {}", text("line"))),
        "handoff.ringing" => ("user", "the phone rings".to_owned()),
        "handoff.answered" => ("user", "picks up".to_owned()),
        "handoff.introduced" => ("user", "was told in private who is there".to_owned()),
        "handoff.joined" => {
            ("user", "is connected; from here on nothing is recorded or written down".to_owned())
        }
        "handoff.failed" => ("user", format!("does not come: {}", text("why_not"))),
        "handoff.ended" => ("call", format!("the {} hung up", text("by"))),
        "call.answered_by" => ("call", format!("answered by: {}", text("answered_by"))),
        "result.item" if event["kind"] == "breach" => {
            ("problem", format!("agreed to without leave ({}): {}", text("name"), text("value")))
        }
        "result.item" if event["kind"] == "asked_to_commit" => {
            ("remote", format!("[wants a commitment: {}]", text("name")))
        }
        "call.problem" => ("problem", text("message")),
        "call.ended" => ("call", format!("ended: {}", text("reason"))),
        _ => return None,
    })
}

/// How sure the recognizer was, where it was not.
fn confidence(turn: &Value) -> String {
    match turn["confidence"].as_u64() {
        Some(per_mille) if per_mille < 900 => format!("  [heard with {} % confidence]", per_mille / 10),
        _ => String::new(),
    }
}

/// The report a user wants.
pub fn report(case: &Case, finished: &Finished, saved: &Saved) {
    println!("\nCalled      {} ({})", case.number.number, case.title());
    outcome(&finished.call);
    match &saved.recording {
        Some(path) => println!("Recording   {} (left: remote, right: voice)", display_path(path)),
        None => println!("Recording   none: nobody answered"),
    }
    println!("Transcript  {}", display_path(&saved.transcript));
}

/// Outcome, result with its evidence, and how long it took.
pub fn outcome(call: &Value) {
    let text = |value: &Value| value.as_str().unwrap_or("–").to_owned();
    println!(
        "Outcome     {}: {}",
        text(&call["outcome"]),
        text(&call["outcome_detail"]["reason"]["message"])
    );
    if let Some(summary) = call["result"]["summary"].as_str() {
        println!("Result      {}: {summary}", text(&call["result"]["status"]));
        for (what, text) in parts(&call["result"]) {
            println!("{what:<11} {text}");
        }
    }
    match call["talk_seconds"].as_i64() {
        Some(talk) => println!("Talked      {talk} s"),
        None => println!("Talked      not at all"),
    }
}

/// What a result is made of, line by line; what there is none of has no line.
fn parts(result: &Value) -> Vec<(&'static str, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let turns = |turns: &Value| match turns.as_array().filter(|turns| !turns.is_empty()) {
        Some(turns) => {
            format!(" (turn {})", turns.iter().map(Value::to_string).collect::<Vec<_>>().join(", "))
        }
        None => String::new(),
    };
    let mut parts = Vec::new();
    for (name, value) in result["fields"].as_object().into_iter().flatten() {
        parts.push(("Field", format!("{name}: {value}{}", turns(&result["field_turns"][name]))));
    }
    for (title, list) in
        [("Breach", "breaches"), ("Agreed to", "commitments"), ("Asked for", "asked_to_commit")]
    {
        for item in result[list].as_array().into_iter().flatten() {
            let act = item["act"].as_str().map(|act| format!("{act}: ")).unwrap_or_default();
            parts.push((title, format!("{act}{}{}", text(&item["what"]), turns(&item["turns"]))));
        }
    }
    let blocker = &result["blocker"];
    if let Some(kind) = blocker["kind"].as_str() {
        parts.push(("Blocker", format!("{kind}: {}{}", text(&blocker["what"]), turns(&blocker["turns"]))));
        parts.push(("Needed", text(&blocker["needed"])));
    }
    if let Some(step) = result["next_step"].as_str() {
        parts.push(("Next", step.to_owned()));
    }
    let evidence = turns(&result["evidence_turns"]);
    if !evidence.is_empty() {
        parts.push(("Evidence", evidence.trim_matches([' ', '(', ')']).to_owned()));
    }
    parts
}

pub fn report_json(finished: &Finished, saved: &Saved) {
    println!(
        "{}",
        json!({
            "call": finished.call,
            "recording": saved.recording.as_deref().map(display_path),
            "transcript": display_path(&saved.transcript),
        })
    );
}

/// The transcript as a text file: times from the answer, who, what.
pub fn transcript(call: &Value) -> String {
    let mut text = String::new();
    for turn in call["transcript"].as_array().into_iter().flatten() {
        let seconds = turn["started_ms"].as_f64().unwrap_or(0.0) / 1_000.0;
        let who = match turn["role"].as_str() {
            Some("assistant") => "voice",
            Some("user") => "remote",
            _ => "tool",
        };
        let said = turn["text"].as_str().unwrap_or_default();
        let _ = writeln!(text, "{seconds:>7.1} s  {who:<7} {said}{}", confidence(turn));
    }
    if text.is_empty() {
        text.push_str("Nobody spoke.\n");
    }
    text
}

/// One call, expected against seen.
#[derive(Clone, Debug)]
pub struct Row {
    number: &'static str,
    title: String,
    expected: String,
    seen: String,
    /// What was not as expected.
    differences: Vec<String>,
    seconds: Option<i64>,
    pub matches: bool,
}

impl Row {
    pub fn new(case: &Case, finished: &Finished) -> Self {
        let (expected, call) = (&case.expected, &finished.call);
        let reasons: Vec<&str> = expected.end_reasons.iter().map(|reason| reason.code()).collect();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let task = task(
            expected.status.map(|status| status.to_string()),
            expected.blocker.map(|blocker| blocker.to_string()),
        );
        let seen = task_of(call);
        let differences = case.differences(call);
        Self {
            number: case.number.number,
            title: case.title(),
            expected: format!("{} ({}){task}", expected.outcome, reasons.join(" or ")),
            seen: format!(
                "{} ({}){seen}",
                text(&call["outcome"]).unwrap_or_default(),
                text(&call["end_reason"]).unwrap_or_default()
            ),
            seconds: call["talk_seconds"].as_i64(),
            matches: differences.is_empty(),
            differences,
        }
    }
}

fn task_of(call: &Value) -> String {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    task(text(&call["result"]["status"]), text(&call["result"]["blocker"]["kind"]))
}

/// What became of the task, and what stood in its way.
fn task(status: Option<String>, blocker: Option<String>) -> String {
    match (status, blocker) {
        (None, _) => String::new(),
        (Some(status), None) => format!(", {status}"),
        (Some(status), Some(blocker)) => format!(", {status}: {blocker}"),
    }
}

pub fn all_headline(count: usize) {
    println!("offhook demo: {count} calls to all test numbers of the sandbox on this machine\n");
    println!("{:<13} {:<26} {:<72} seen", "number", "who", "expected");
}

pub fn row(row: &Row) {
    let verdict = if row.matches { "ok  " } else { "DIFF" };
    println!("{:<13} {:<26} {:<72} {verdict} {}", row.number, row.title, row.expected, row.seen);
}

pub fn all_footer(rows: &[Row], of: usize) {
    let right = rows.iter().filter(|row| row.matches).count();
    println!("\n{right} of {of} calls came as documented.");
}

pub fn rows_json(rows: &[Row]) {
    let rows: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "number": row.number, "title": row.title, "expected": row.expected, "seen": row.seen,
                "talk_seconds": row.seconds, "matches": row.matches, "differences": row.differences,
            })
        })
        .collect();
    println!("{}", Value::Array(rows));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_shown_part_by_part() {
        let result = json!({
            "fields": { "price": 90 }, "field_turns": { "price": [3] },
            "breaches": [{ "act": "booking", "what": "Please book it.", "turns": [4] }],
            "commitments": [], "asked_to_commit": [{ "what": "To come on time.", "turns": [3] }],
            "blocker": { "kind": "payment", "what": "A deposit.", "needed": "The user.", "turns": [3] },
            "next_step": "Call again.", "evidence_turns": [3, 4],
        });
        let lines: Vec<String> =
            parts(&result).into_iter().map(|(what, text)| format!("{what} | {text}")).collect();
        assert_eq!(
            lines,
            [
                "Field | price: 90 (turn 3)",
                "Breach | booking: Please book it. (turn 4)",
                "Asked for | To come on time. (turn 3)",
                "Blocker | payment: A deposit. (turn 3)",
                "Needed | The user.",
                "Next | Call again.",
                "Evidence | turn 3, 4",
            ]
        );
        assert_eq!(parts(&json!({ "status": "unclear", "blocker": null })), []);
    }
}
