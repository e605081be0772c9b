//! `offhook call --check`: what is to be said of a call before it is placed.

use std::fmt::Write as _;

use serde_json::Value;

/// For people: first what to do, at the end everything the voice would be given.
pub fn report(check: &Value) -> String {
    let mut report = String::new();
    let mut line = |title: &str, text: &str| {
        let _ = writeln!(report, "{title:<12}{text}");
    };
    line("Rules", &rules(&check["policy"]));
    line("Hours", text(&check["hours"]["message"]));
    let missing = list(&check["missing"]);
    match (missing.len(), &check["ready"]) {
        (0, _) => line("Briefing", "has what the list asks for"),
        (_, Value::Bool(true)) => line("Briefing", "good enough to call; better with:"),
        _ if missing.iter().any(|missing| missing["needed"] == true) => {
            line("Briefing", "lacks what a call hardly does without (!):");
        }
        _ => line("Briefing", "would be better with:"),
    }
    for missing in missing {
        let mark = if missing["needed"] == true { "!" } else { "-" };
        line("", &format!("{mark} {}: {}", text(&missing["item"]), text(&missing["advice"])));
    }
    for (at, warning) in list(&check["warnings"]).iter().enumerate() {
        let title = if at == 0 { "Look again" } else { "" };
        line(title, &format!("- {}: {}", text(&warning["code"]), text(&warning["message"])));
    }
    for (at, question) in list(&check["questions"]).iter().enumerate() {
        line(if at == 0 { "Ask first" } else { "" }, &format!("{}. {}", at + 1, text(question)));
    }
    for (at, note) in list(&check["model_notes"]).iter().enumerate() {
        line(if at == 0 { "Model" } else { "" }, &format!("- {}", text(note)));
    }
    line("Opening", check["opening"].as_str().unwrap_or("none; the other side speaks first"));
    line("Voicemail", check["voicemail_words"].as_str().unwrap_or("hang up"));
    let tools: Vec<&str> = list(&check["tools"]).iter().map(|tool| text(&tool["name"])).collect();
    line("Tools", &tools.join(", "));
    line("Prompt", "everything the voice is told:");
    for prompt in text(&check["prompt"]).lines() {
        let _ = writeln!(report, "{}", format!("  {prompt}").trim_end());
    }
    report
}

fn rules(policy: &Value) -> String {
    if policy["allowed"] == true {
        return "the call would be placed".to_owned();
    }
    let code = policy["rule"].as_str().or(policy["code"].as_str()).unwrap_or_default();
    format!("the call would be refused: {} ({code})", text(&policy["message"]))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn what_people_read() {
        let check = json!({
            "ready": false,
            "missing": [
                { "item": "who_for", "needed": true, "advice": "Say for whom." },
                { "item": "report", "needed": false, "advice": "Say what to report back." },
            ],
            "warnings": [{ "code": "placeholder", "message": "There is a placeholder." }],
            "questions": ["For whom is the call?", "Call now, or wait?"],
            "hours": { "message": "It is Saturday 06:12 there; they are likely closed." },
            "policy": { "allowed": false, "code": "destination_busy", "rule": "cool_down", "message": "try later" },
            "opening": "Hello.", "voicemail_words": null,
            "prompt": "# Who you are\nAlex.\n\n# What this call is for\nAsk.",
            "tools": [{ "name": "end_call" }, { "name": "send_digits" }],
        });
        expect![[r"
            Rules       the call would be refused: try later (cool_down)
            Hours       It is Saturday 06:12 there; they are likely closed.
            Briefing    lacks what a call hardly does without (!):
                        ! who_for: Say for whom.
                        - report: Say what to report back.
            Look again  - placeholder: There is a placeholder.
            Ask first   1. For whom is the call?
                        2. Call now, or wait?
            Opening     Hello.
            Voicemail   hang up
            Tools       end_call, send_digits
            Prompt      everything the voice is told:
              # Who you are
              Alex.

              # What this call is for
              Ask.
        "]]
        .assert_eq(&report(&check));
    }
}
