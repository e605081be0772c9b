//! The tools every model is offered: their schemas, and what a model's arguments mean.
//!
//! The schemas are strict: every field is required (an optional one may be null) and no other is allowed, which is
//! what providers ask for to hold a model to them. Parsing is as strict, since not all do.

use offhook_core::audio::Digit;
use offhook_core::brief::Brief;
use offhook_core::call::{Claim, ToolCall};
use offhook_core::journal::{AnsweredBy, TaskStatus};
use serde::Deserialize;
use serde_json::{Value, json};

/// One tool as a model sees it.
#[derive(Clone, Copy, Debug)]
pub struct Tool {
    pub name: &'static str,
    pub description: &'static str,
    parameters: fn() -> Value,
}

impl Tool {
    /// The JSON schema of the arguments.
    pub fn parameters(&self) -> Value {
        (self.parameters)()
    }
}

pub const TOOLS: &[Tool] = &[
    Tool {
        name: "end_call",
        description: "End the call. Say goodbye first; what you are saying is played to its end. Use it when the \
                      task is done, when it cannot be done, or when the other side wants to end the call. Report \
                      what became of the task truthfully: `done` only if the other side confirmed it.",
        parameters: end_call,
    },
    Tool {
        name: "send_digits",
        description: "Press keys of the telephone keypad, for menus that ask for them. Listen to the whole menu \
                      first. Afterwards stay silent and listen.",
        parameters: send_digits,
    },
    Tool {
        name: "report_voicemail",
        description: "Report what answered the call, as soon as it is clear that it is not a person: `voicemail` \
                      for an answering machine or mailbox greeting, `ivr` for an automatic menu. After `voicemail` \
                      say nothing more: the message is left for you after the beep.",
        parameters: report_voicemail,
    },
    Tool {
        name: "wait_on_hold",
        description: "Call this when you are asked to hold, or hear hold music or a queue announcement. Then say \
                      nothing until a person speaks to you.",
        parameters: wait_on_hold,
    },
    Tool {
        name: ASK_OWNER,
        description: "Ask the person you are calling for when something is missing that they may know, and that the \
                      call can't go on without. First say that you will check. The answer comes later, as a note; \
                      until then never guess. Not for passwords, one-time codes, card or identity numbers.",
        parameters: ask_owner,
    },
];

const ASK_OWNER: &str = "ask_owner";

/// The tools of one call: a question is of no use where nobody answers it.
pub fn offered(brief: &Brief) -> impl Iterator<Item = &'static Tool> {
    let may_ask = brief.ask_owner.is_some();
    TOOLS.iter().filter(move |tool| may_ask || tool.name != ASK_OWNER)
}

fn object(properties: Value) -> Value {
    let required: Vec<&String> =
        properties.as_object().into_iter().flat_map(|fields| fields.keys()).collect();
    json!({"type": "object", "required": required, "properties": properties, "additionalProperties": false})
}

fn codes<T: Copy>(all: &[T], code: fn(T) -> &'static str) -> Vec<&'static str> {
    all.iter().copied().map(code).collect()
}

fn end_call() -> Value {
    let mut result = object(json!({
        "status": {
            "type": "string",
            "enum": codes(TaskStatus::ALL, TaskStatus::code),
            "description": "done: confirmed by the other side. blocked: something is missing. failed: tried and \
                            not to be had. unclear: it cannot be told from what was heard.",
        },
        "summary": {
            "type": "string",
            "description": "What was found out or agreed, in one to three sentences, with names, dates and \
                            amounts as they were said.",
        },
        "quotes": {
            "type": "array",
            "items": {"type": "string"},
            "description": "The other side's own words that show it, quoted as they were said, one entry for each \
                            thing they said. Empty if they said nothing that shows it.",
        },
    }));
    result["type"] = json!(["object", "null"]);
    object(json!({
        "reason": {"type": "string", "description": "Why the call ends now, in a few words."},
        "result": result,
    }))
}

fn send_digits() -> Value {
    object(json!({
        "digits": {
            "type": "string",
            "description": "0-9, *, #, A-D; w pauses half a second, W one second.",
        },
    }))
}

fn report_voicemail() -> Value {
    object(json!({"kind": {"type": "string", "enum": codes(AnsweredBy::ALL, AnsweredBy::code)}}))
}

fn wait_on_hold() -> Value {
    object(json!({}))
}

fn ask_owner() -> Value {
    object(json!({
        "question": {
            "type": "string",
            "description": "What you need to know, in one sentence that can be understood without having heard the \
                            call.",
        },
    }))
}

/// What a model's call of the tool `name` means; never fails, a call that makes no sense is `Invalid`.
pub fn parse(name: &str, arguments: &str) -> ToolCall {
    let parsed = match name {
        "end_call" => from_json(arguments).and_then(EndCall::into_tool),
        "send_digits" => from_json(arguments).and_then(SendDigits::into_tool),
        "report_voicemail" => from_json(arguments).and_then(ReportVoicemail::into_tool),
        "wait_on_hold" => from_json(arguments).map(|WaitOnHold {}| ToolCall::WaitOnHold),
        ASK_OWNER => {
            from_json(arguments).map(|AskOwner { question }| ToolCall::AskOwner { question: question.into() })
        }
        _ => Err(format!("there is no tool of this name; there are {}", names())),
    };
    parsed.unwrap_or_else(|why| ToolCall::Invalid {
        name: name.to_owned(),
        arguments: arguments.into(),
        why: why.into(),
    })
}

fn names() -> String {
    TOOLS.iter().map(|tool| tool.name).collect::<Vec<_>>().join(", ")
}

/// Some models leave the arguments of a tool without parameters empty.
fn from_json<'a, T: Deserialize<'a>>(arguments: &'a str) -> Result<T, String> {
    let arguments = if arguments.trim().is_empty() { "{}" } else { arguments };
    serde_json::from_str(arguments).map_err(|error| format!("the arguments do not fit: {error}"))
}

#[derive(Deserialize)]
struct EndCall {
    #[serde(default)]
    reason: String,
    #[serde(default)]
    result: Option<Report>,
}

#[derive(Deserialize)]
struct Report {
    status: String,
    summary: String,
    #[serde(default)]
    quotes: Vec<String>,
}

impl EndCall {
    fn into_tool(self) -> Result<ToolCall, String> {
        let result = self.result.map(Report::into_claim).transpose()?;
        Ok(ToolCall::EndCall { reason: self.reason.into(), result })
    }
}

impl Report {
    fn into_claim(self) -> Result<Claim, String> {
        let status = TaskStatus::from_code(&self.status).ok_or_else(|| {
            format!("status must be one of {}", codes(TaskStatus::ALL, TaskStatus::code).join(", "))
        })?;
        let quotes = self.quotes.into_iter().map(Into::into).collect();
        Ok(Claim { quotes, ..Claim::new(status, self.summary) })
    }
}

#[derive(Deserialize)]
struct SendDigits {
    digits: String,
}

impl SendDigits {
    /// Spaces and dashes are how people write keys down; they are not keys.
    fn into_tool(self) -> Result<ToolCall, String> {
        let digits: String = self.digits.chars().filter(|key| !matches!(key, ' ' | '-')).collect();
        let known = |key: char| matches!(key, 'w' | 'W' | ',') || Digit::from_char(key).is_some();
        if digits.is_empty() || !digits.chars().all(known) {
            return Err("digits are 0-9 * # A-D, w for a pause of half a second, W for one second".to_owned());
        }
        Ok(ToolCall::SendDigits { digits: digits.into() })
    }
}

#[derive(Deserialize)]
struct ReportVoicemail {
    kind: String,
}

impl ReportVoicemail {
    fn into_tool(self) -> Result<ToolCall, String> {
        let kind = AnsweredBy::from_code(&self.kind).ok_or_else(|| {
            format!("kind must be one of {}", codes(AnsweredBy::ALL, AnsweredBy::code).join(", "))
        })?;
        Ok(ToolCall::ReportVoicemail { kind })
    }
}

#[derive(Deserialize)]
struct WaitOnHold {}

#[derive(Deserialize)]
struct AskOwner {
    question: String,
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use offhook_testkit::realtime::shown_tool;

    use super::*;

    #[test]
    fn arguments_become_a_tool_call_or_say_what_is_wrong() {
        let calls = [
            (
                "end_call",
                r#"{"reason":"done","result":{"status":"done","summary":"Table at 7.","quotes":["seven is fine"]}}"#,
            ),
            ("end_call", r#"{"reason":"wrong number","result":null}"#),
            ("end_call", r#"{"reason":"x","result":{"status":"great","summary":""}}"#),
            ("end_call", "not json"),
            ("send_digits", r#"{"digits":"1 w 2-3#"}"#),
            ("send_digits", r#"{"digits":"one"}"#),
            ("send_digits", r#"{"digits":""}"#),
            ("send_digits", r#"{"digits":5}"#),
            ("report_voicemail", r#"{"kind":"voicemail"}"#),
            ("report_voicemail", r#"{"kind":"fax"}"#),
            ("wait_on_hold", ""),
            ("wait_on_hold", "{}"),
            ("ask_owner", r#"{"question":"What is her date of birth?"}"#),
            ("ask_owner", "{}"),
            ("call_mother", "{}"),
        ];
        let lines: Vec<String> =
            calls.into_iter().map(|(name, arguments)| shown_tool(&parse(name, arguments))).collect();
        expect![[r#"
            end_call "done": done, "Table at 7.", quotes ["seven is fine"]
            end_call "wrong number": no result
            invalid end_call: status must be one of done, blocked, failed, unclear
            invalid end_call: the arguments do not fit: expected ident at line 1 column 2
            send_digits 1w23#
            invalid send_digits: digits are 0-9 * # A-D, w for a pause of half a second, W for one second
            invalid send_digits: digits are 0-9 * # A-D, w for a pause of half a second, W for one second
            invalid send_digits: the arguments do not fit: invalid type: integer `5`, expected a string at line 1 column 11
            report_voicemail voicemail
            invalid report_voicemail: kind must be one of human, voicemail, ivr, unknown
            wait_on_hold
            wait_on_hold
            ask_owner What is her date of birth?
            invalid ask_owner: the arguments do not fit: missing field `question` at line 1 column 2
            invalid call_mother: there is no tool of this name; there are end_call, send_digits, report_voicemail, wait_on_hold, ask_owner"#]]
        .assert_eq(&lines.join("\n"));
    }

    /// What "strict" means to the providers: all fields required, none besides.
    #[test]
    fn schemas_are_strict() {
        fn check(schema: &Value, path: &str) {
            if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
                assert_eq!(schema["additionalProperties"], json!(false), "{path}");
                let required: Vec<&str> =
                    schema["required"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
                for (name, property) in properties {
                    assert!(required.contains(&name.as_str()), "{path}.{name}");
                    check(property, &format!("{path}.{name}"));
                }
            }
        }
        for tool in TOOLS {
            check(&tool.parameters(), tool.name);
        }
    }
}
