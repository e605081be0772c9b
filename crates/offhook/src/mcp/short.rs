//! What tools show of a call: short, because an agent that follows one reads it again and again.

use serde_json::{Map, Value, json};

/// How many turns, and how much of each.
const TAIL: usize = 6;
const TURN_CHARS: usize = 200;

/// What an agent wrote itself, or asks for with a tool of its own.
const LEFT_OUT: [&str; 9] = [
    "task",
    "personality",
    "greeting",
    "voice",
    "language",
    "numbers",
    "handling_mode",
    "transcript",
    "_meta",
];

/// A call with the end of what was said.
pub fn call(call: &Value) -> Value {
    let mut short = without_words(call);
    let turns = call["transcript"].as_array();
    let tail: Vec<Value> =
        turns.map_or(&[][..], |turns| &turns[turns.len().saturating_sub(TAIL)..]).iter().map(turn).collect();
    short.insert("transcript_available".to_owned(), turns.is_some().into());
    short.insert("transcript_tail".to_owned(), tail.into());
    Value::Object(short)
}

/// A call in a list.
pub fn listed(call: &Value) -> Value {
    let mut short = without_words(call);
    for field in ["outcome_detail", "recording_url"] {
        short.remove(field);
    }
    let turns = call["transcript"].as_array().map_or(0, Vec::len);
    short.insert("turns".to_owned(), turns.into());
    Value::Object(short)
}

fn without_words(call: &Value) -> Map<String, Value> {
    let mut short = call.as_object().cloned().unwrap_or_default();
    let other = if call["direction"] == "inbound" { "from" } else { "to" };
    short.insert(other.to_owned(), call["numbers"][other].clone());
    if call["handling_mode"] == "passthrough" {
        short.insert("passthrough".to_owned(), true.into());
    }
    for field in LEFT_OUT {
        short.remove(field);
    }
    if let Some(seconds) = call["_meta"]["balance_seconds"].as_u64() {
        short.insert("balance_seconds".to_owned(), seconds.into());
    }
    for (from, to) in [("plan", "plan"), ("trial", "trial")] {
        if !call["_meta"][from].is_null() {
            short.insert(to.to_owned(), call["_meta"][from].clone());
        }
    }
    short
}

fn turn(turn: &Value) -> Value {
    let text = turn["text"].as_str().unwrap_or_default();
    let mut short = json!({ "role": turn["role"], "text": clip(text, TURN_CHARS) });
    if !turn["turn"].is_null() {
        short["turn"] = turn["turn"].clone();
    }
    short
}

/// At most so many characters, and a mark where some are missing.
pub fn clip(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_what_was_said_and_little_else() {
        let turns: Vec<Value> = (0..9)
            .map(|index| json!({ "role": "user", "text": format!("{index}{}", "é".repeat(300)), "turn": index, "started_ms": 1 }))
            .collect();
        let whole = json!({
            "id": "1", "direction": "outbound", "task": "ask", "voice": "eric", "lifecycle": "answered",
            "numbers": { "to": "+14155550100", "from": "+14155550199" }, "transcript": turns,
            "pending_question": { "question_id": 1 }, "_meta": { "balance_seconds": 60, "trial": { "allowed": true } },
        });
        let short = call(&whole);
        let tail = short["transcript_tail"].as_array().unwrap();
        assert_eq!((tail.len(), &tail[0]["turn"]), (6, &json!(3)));
        assert!(tail.iter().all(|turn| turn["text"].as_str().unwrap().chars().count() == 200));
        assert_eq!(
            (&short["to"], &short["task"], &short["transcript"]),
            (&json!("+14155550100"), &Value::Null, &Value::Null)
        );
        assert_eq!(
            (&short["balance_seconds"], &short["pending_question"]["question_id"]),
            (&json!(60), &json!(1))
        );
        assert_eq!(listed(&whole)["turns"], 9);
        let before = call(&json!({ "id": "1", "transcript": null, "numbers": {} }));
        assert_eq!(
            (&before["transcript_available"], &before["transcript_tail"]),
            (&json!(false), &json!([]))
        );
    }

    #[test]
    fn clipping_keeps_characters_whole() {
        for (text, most, expected) in [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("ééé", 2, "é…"), ("", 3, "")]
        {
            assert_eq!(clip(text, most), expected);
        }
    }
}
