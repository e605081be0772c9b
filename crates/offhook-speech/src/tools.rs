//! The tools a model is offered: their schemas, and what a model's arguments mean.
//!
//! The schemas are strict: every field is required (an optional one may be null) and no other is allowed, which is
//! what providers ask for to hold a model to them. Parsing is lenient where nothing is lost by it, since not all do.

use offhook_core::audio::Digit;
use offhook_core::brief::{Brief, FieldKind, ResultField};
use offhook_core::call::{BlockerClaim, Claim, FieldClaim, Shown, ToolCall};
use offhook_core::journal::{AnsweredBy, BlockerKind, TaskStatus};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// One tool as a model sees it.
#[derive(Clone, Copy, Debug)]
pub struct Tool {
    pub name: &'static str,
    pub description: &'static str,
    parameters: fn(&Brief) -> Value,
    /// Whether it is of any use in a call.
    is_offered: fn(&Brief) -> bool,
}

impl Tool {
    /// The JSON schema of the arguments, in a call with these instructions.
    pub fn parameters(&self, brief: &Brief) -> Value {
        (self.parameters)(brief)
    }
}

pub const TOOLS: &[Tool] = &[
    Tool {
        name: "end_call",
        description: "End the call. Say goodbye first; what you are saying is played to its end. Use it when the \
                      task is done, when it cannot be done, or when the other side wants to end the call. Report \
                      what became of the task truthfully: `achieved` only if the other side confirmed it.",
        parameters: end_call,
        is_offered: |_| true,
    },
    Tool {
        name: "send_digits",
        description: "Press keys of the telephone keypad, for menus that ask for them. Listen to the whole menu \
                      first. Afterwards stay silent and listen.",
        parameters: send_digits,
        is_offered: |_| true,
    },
    Tool {
        name: "report_voicemail",
        description: "Report what answered the call, as soon as it is clear that it is not a person: `voicemail` \
                      for an answering machine or mailbox greeting, `ivr` for an automatic menu, `screening` for a \
                      service that asks who is calling. After `voicemail` say nothing more: the message is left for \
                      you after the beep.",
        parameters: report_voicemail,
        is_offered: |_| true,
    },
    Tool {
        name: "wait_on_hold",
        description: "Call this when you are asked to hold, or hear hold music or a queue announcement. Then say \
                      nothing until a person speaks to you.",
        parameters: nothing,
        is_offered: |_| true,
    },
    Tool {
        name: "ask_owner",
        description: "Ask the person you are calling for when something is missing that they may know, and that the \
                      call can't go on without. First say that you will check. The answer comes later, as a note; \
                      until then never guess. Not for passwords, one-time codes, card or identity numbers.",
        parameters: ask_owner,
        is_offered: |brief| brief.ask_owner.is_some(),
    },
    Tool {
        name: "loop_in_user",
        description: "Call the person you are calling for and connect them with the other side. First say that you \
                      are connecting them. Until they come, stay with the other side; once they are connected you \
                      have left the call.",
        parameters: loop_in_user,
        is_offered: |brief| brief.handoff.is_some(),
    },
    Tool {
        name: "user_decides",
        description: "Only while you speak with the person you are calling for, in private: what they said to the \
                      question whether they join the call.",
        parameters: user_decides,
        // Whoever asked for the call can have the user connected at any time.
        is_offered: |_| true,
    },
    Tool {
        name: "take_message",
        description: "Take down what the caller wants to be passed on. First ask for the name, what it is about and, if \
                      they want to be called back, on which number; read a number back. Use it once, when the message \
                      is complete, and before you say goodbye.",
        parameters: take_message,
        is_offered: |brief| brief.takes_messages,
    },
    Tool {
        name: "report_spam",
        description: "The caller sells something nobody asked for, tries to defraud, or is a recording or a machine that \
                      does so. Say nothing more: the caller is told goodbye for you, and the call ends. Not for people \
                      who are merely rude, confused, or have the wrong number.",
        parameters: nothing,
        is_offered: |brief| brief.ends_spam,
    },
    Tool {
        name: "invoke_agent",
        description: "Have something looked up or done that takes a few seconds: a fact, a calendar, a note, a file, an \
                      action. First say in a few words that you will have a look; the answer comes as the output of this \
                      call, and you tell it in your own words. Use it for every question of fact and every task, rather \
                      than answer from memory or say that you can't.",
        parameters: invoke_agent,
        is_offered: |brief| brief.agents.is_some(),
    },
    Tool {
        name: "invoke_agent_async",
        description: "The same for what takes longer than about ten seconds: research, writing, anything with several \
                      steps. Say that you are on it and go on with the conversation; the result comes to you by itself, as \
                      a note.",
        parameters: invoke_agent,
        is_offered: |brief| brief.agents.is_some(),
    },
    Tool {
        name: "check_agent_task",
        description: "How far the work of an invoke_agent_async is, when you are asked for it.",
        parameters: check_agent_task,
        is_offered: |brief| brief.agents.is_some(),
    },
    Tool {
        name: "decide",
        description: "What the person on the line said to the request that was read to them: true for a clear yes to just \
                      that, false for a no, for any doubt, and for a condition.",
        parameters: decide,
        is_offered: |brief| brief.approval.is_some(),
    },
];

/// The tools of one call: a question is of no use where nobody answers it, nor a handoff where nobody is called.
pub fn offered(brief: &Brief) -> impl Iterator<Item = &'static Tool> {
    TOOLS.iter().filter(|tool| (tool.is_offered)(brief))
}

fn object(properties: Value) -> Value {
    let required: Vec<&String> =
        properties.as_object().into_iter().flat_map(|fields| fields.keys()).collect();
    json!({"type": "object", "required": required, "properties": properties, "additionalProperties": false})
}

/// The same, or null.
fn optional(properties: Value) -> Value {
    let mut schema = object(properties);
    schema["type"] = json!(["object", "null"]);
    schema
}

fn quotes(description: &str) -> Value {
    json!({"type": "array", "items": {"type": "string"}, "description": description})
}

fn codes<T: Copy>(all: &[T], code: fn(T) -> &'static str) -> Vec<&'static str> {
    all.iter().copied().map(code).collect()
}

fn end_call(brief: &Brief) -> Value {
    let mut properties = json!({
        "status": {
            "type": "string",
            "enum": codes(TaskStatus::ALL, TaskStatus::code),
            "description": "achieved: confirmed by the other side. partly: some of it was. blocked: something is \
                            missing. failed: tried and not to be had. unclear: it cannot be told from what was heard.",
        },
        "summary": {
            "type": "string",
            "description": "What was found out or agreed, in one to three sentences, with names, dates and \
                            amounts as they were said.",
        },
        "quotes": quotes(
            "The other side's own words that show it, quoted as they were said, one entry for each thing they \
             said. Empty if they said nothing that shows it.",
        ),
        "blocker": optional(json!({
            "kind": {"type": "string", "enum": codes(BlockerKind::ALL, BlockerKind::code)},
            "what": {"type": "string", "description": "Exactly what is missing or needed, in one sentence."},
            "quotes": quotes("The other side's own words that show it."),
        })),
        "commitments": shown("What you agreed to. Empty if nothing.", "The words, yours or theirs, that show it."),
        "asked_to_commit": shown(
            "What the other side wanted you to agree to. Empty if nothing.",
            "The other side's own words that show it.",
        ),
        "next_step": {
            "type": ["string", "null"],
            "description": "What should be done next, by whom and when, if anything.",
        },
    });
    if !brief.fields.is_empty() {
        let fields = brief.fields.iter().map(|field| (field.name.clone(), result_field(field)));
        properties["fields"] = object(Value::Object(fields.collect()));
    }
    object(json!({
        "reason": {"type": "string", "description": "Why the call ends now, in a few words."},
        "result": optional(properties),
    }))
}

fn shown(description: &str, of_quotes: &str) -> Value {
    let item = object(json!({"what": {"type": "string"}, "quotes": quotes(of_quotes)}));
    json!({"type": "array", "items": item, "description": description})
}

/// Null where it was not found out.
fn result_field(field: &ResultField) -> Value {
    let value = match &field.kind {
        FieldKind::Text => json!({"type": "string"}),
        FieldKind::Number => json!({"type": "number"}),
        FieldKind::Integer => json!({"type": "integer"}),
        FieldKind::Boolean => json!({"type": "boolean"}),
        FieldKind::TextList => json!({"type": "array", "items": {"type": "string"}}),
        FieldKind::Choice(choices) => json!({"type": "string", "enum": choices}),
    };
    let mut schema =
        optional(json!({"value": value, "quotes": quotes("The other side's own words that say it.")}));
    let description = field.description.as_deref().unwrap_or_default();
    schema["description"] = format!("{description} Null if it was not said.").trim_start().into();
    schema
}

fn send_digits(_: &Brief) -> Value {
    object(json!({
        "digits": {
            "type": "string",
            "description": "0-9, *, #, A-D; w pauses half a second, W one second.",
        },
    }))
}

fn report_voicemail(_: &Brief) -> Value {
    object(json!({"kind": {"type": "string", "enum": codes(AnsweredBy::ALL, AnsweredBy::code)}}))
}

fn nothing(_: &Brief) -> Value {
    object(json!({}))
}

fn take_message(_: &Brief) -> Value {
    let known = |description: &str| json!({"type": ["string", "null"], "description": description});
    object(json!({
        "name": known("Who the caller is, as they say it. Null if they do not."),
        "message": {
            "type": "string",
            "description": "What they want to be passed on, in their own words as far as possible, with names, dates \
                            and numbers as they were said.",
        },
        "call_back": known("The number they want to be called back on, as they say it. Null if they do not ask for it."),
    }))
}

/// Whom to ask is asked only where there are several.
fn invoke_agent(brief: &Brief) -> Value {
    let mut fields = json!({
        "prompt": {
            "type": "string",
            "description": "What is wanted, with all that is needed to do it, in words that can be understood without \
                            having heard the call.",
        },
    });
    let known = brief.agents.as_ref().map_or(&[][..], |agents| &agents.known);
    if known.len() > 1 {
        let names: Vec<Value> = known.iter().map(|(name, _)| json!(name)).chain([Value::Null]).collect();
        let lines: Vec<String> = known.iter().map(|(name, what)| format!("{name}: {what}")).collect();
        let description = format!("Who is to do it; null for the first. {}", lines.join(" / "));
        fields["agent"] = json!({"type": ["string", "null"], "enum": names, "description": description});
    }
    object(fields)
}

fn check_agent_task(_: &Brief) -> Value {
    object(json!({"task_id": {"type": "string", "description": "As invoke_agent_async answered."}}))
}

fn decide(_: &Brief) -> Value {
    object(json!({"approve": {"type": "boolean"}}))
}

fn ask_owner(_: &Brief) -> Value {
    object(json!({
        "question": {
            "type": "string",
            "description": "What you need to know, in one sentence that can be understood without having heard the \
                            call.",
        },
    }))
}

fn loop_in_user(_: &Brief) -> Value {
    object(json!({
        "reason": {
            "type": "string",
            "description": "Who is on the line and what they want, in one sentence in the language of the call. They \
                            hear it before they join, and have not heard the call.",
        },
    }))
}

fn user_decides(_: &Brief) -> Value {
    object(json!({"joins": {"type": "boolean"}}))
}

/// What a model's call of the tool `name` means; never fails, a call that makes no sense is `Invalid`.
pub fn parse(name: &str, arguments: &str) -> ToolCall {
    let parsed = match name {
        "end_call" => from_json(arguments).and_then(EndCall::into_tool),
        "send_digits" => from_json(arguments).and_then(SendDigits::into_tool),
        "report_voicemail" => from_json(arguments).and_then(ReportVoicemail::into_tool),
        "wait_on_hold" => from_json(arguments).map(|WaitOnHold {}| ToolCall::WaitOnHold),
        "ask_owner" => {
            from_json(arguments).map(|AskOwner { question }| ToolCall::AskOwner { question: question.into() })
        }
        "loop_in_user" => {
            from_json(arguments).map(|LoopInUser { reason }| ToolCall::LoopInUser { reason: reason.into() })
        }
        "user_decides" => from_json(arguments).map(|UserDecides { joins }| ToolCall::UserDecides { joins }),
        "take_message" => from_json(arguments).map(TakeMessage::into_tool),
        "report_spam" => from_json(arguments).map(|ReportSpam {}| ToolCall::ReportSpam),
        "invoke_agent" => from_json(arguments).map(|InvokeAgent { agent, prompt }| ToolCall::InvokeAgent {
            agent: agent.map(Into::into),
            prompt: prompt.into(),
        }),
        "invoke_agent_async" => from_json(arguments).map(|InvokeAgent { agent, prompt }| {
            ToolCall::InvokeAgentAsync { agent: agent.map(Into::into), prompt: prompt.into() }
        }),
        "check_agent_task" => from_json(arguments).map(CheckAgentTask::into_tool),
        "decide" => from_json(arguments).map(|Decide { approve }| ToolCall::Decide { approve }),
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
    #[serde(default)]
    fields: Option<Map<String, Value>>,
    #[serde(default)]
    commitments: Option<Vec<Said>>,
    #[serde(default)]
    asked_to_commit: Option<Vec<Said>>,
    #[serde(default)]
    blocker: Option<Blocker>,
    #[serde(default)]
    next_step: Option<String>,
}

#[derive(Deserialize)]
struct Said {
    what: String,
    #[serde(default)]
    quotes: Vec<String>,
}

#[derive(Deserialize)]
struct Blocker {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    what: String,
    #[serde(default)]
    quotes: Vec<String>,
}

impl EndCall {
    fn into_tool(self) -> Result<ToolCall, String> {
        let result = self.result.map(Report::into_claim).transpose()?;
        Ok(ToolCall::EndCall { reason: self.reason.into(), result: result.map(Box::new) })
    }
}

impl Report {
    fn into_claim(self) -> Result<Claim, String> {
        let status = TaskStatus::from_code(&self.status).ok_or_else(|| {
            format!("status must be one of {}", codes(TaskStatus::ALL, TaskStatus::code).join(", "))
        })?;
        let all = |said: Option<Vec<Said>>| said.into_iter().flatten().map(Shown::from).collect();
        Ok(Claim {
            quotes: words(self.quotes),
            fields: self.fields.into_iter().flatten().filter_map(field_claim).collect(),
            commitments: all(self.commitments),
            asked_to_commit: all(self.asked_to_commit),
            blocker: self.blocker.map(BlockerClaim::from),
            next_step: self.next_step.map(Into::into),
            ..Claim::new(status, self.summary)
        })
    }
}

fn words(texts: Vec<String>) -> Vec<offhook_core::Words> {
    texts.into_iter().map(Into::into).collect()
}

/// The value with its quotes, or the value alone; nothing where it is not known.
fn field_claim((name, said): (String, Value)) -> Option<FieldClaim> {
    let (value, quotes) = match said {
        Value::Object(mut said) => (said.remove("value")?, said.remove("quotes")),
        value => (value, None),
    };
    let value = match &value {
        Value::Null => return None,
        // `4.0` is what some write for `4`.
        Value::Number(number) => match number.as_f64() {
            Some(whole) if whole.fract() == 0.0 && whole.abs() < 1e15 => (whole as i64).to_string(),
            _ => number.to_string(),
        },
        value => value.to_string(),
    };
    let quotes: Vec<String> =
        quotes.and_then(|quotes| serde_json::from_value(quotes).ok()).unwrap_or_default();
    Some(FieldClaim { name, value: value.into(), quotes: words(quotes) })
}

impl From<Said> for Shown {
    fn from(said: Said) -> Self {
        Self { what: said.what.into(), quotes: words(said.quotes) }
    }
}

impl From<Blocker> for BlockerClaim {
    fn from(blocker: Blocker) -> Self {
        let kind = BlockerKind::from_code(&blocker.kind).unwrap_or(BlockerKind::Other);
        Self { kind, what: blocker.what.into(), quotes: words(blocker.quotes) }
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

#[derive(Deserialize)]
struct LoopInUser {
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
struct UserDecides {
    joins: bool,
}

#[derive(Deserialize)]
struct TakeMessage {
    #[serde(default)]
    name: Option<String>,
    message: String,
    #[serde(default)]
    call_back: Option<String>,
}

#[derive(Deserialize)]
struct ReportSpam {}

#[derive(Deserialize)]
struct InvokeAgent {
    #[serde(default)]
    agent: Option<String>,
    prompt: String,
}

#[derive(Deserialize)]
struct CheckAgentTask {
    task_id: Value,
}

impl CheckAgentTask {
    /// A number is as good as a text.
    fn into_tool(self) -> ToolCall {
        let task_id = self.task_id.as_str().map_or_else(|| self.task_id.to_string(), str::to_owned);
        ToolCall::CheckAgentTask { task_id: task_id.into() }
    }
}

#[derive(Deserialize)]
struct Decide {
    approve: bool,
}

impl TakeMessage {
    fn into_tool(self) -> ToolCall {
        let Self { name, message, call_back } = self;
        ToolCall::TakeMessage {
            name: name.map(Into::into),
            message: message.into(),
            call_back: call_back.map(Into::into),
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use offhook_core::brief::Agents;
    use offhook_testkit::realtime::shown_tool;

    use super::*;

    #[test]
    fn arguments_become_a_tool_call_or_say_what_is_wrong() {
        let calls = [
            (
                "end_call",
                r#"{"reason":"done","result":{"status":"achieved","summary":"Table at 7.","quotes":["seven is fine"]}}"#,
            ),
            (
                "end_call",
                r#"{"reason":"x","result":{"status":"partly","summary":"s","quotes":[],
                    "fields":{"price":{"value":19.5,"quotes":["19.50"]},"seats":{"value":4.0,"quotes":[]},
                              "open":null,"size":"large","who":{"value":null,"quotes":["?"]},"none":{}},
                    "commitments":[{"what":"A table.","quotes":["booked"]}],"asked_to_commit":null,
                    "blocker":{"kind":"payment","what":"A deposit.","quotes":["a deposit"]},
                    "next_step":"Call again."}}"#,
            ),
            ("end_call", r#"{"result":{"status":"blocked","summary":"s","blocker":{"kind":"weather"}}}"#),
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
            ("loop_in_user", r#"{"reason":"They want to verify her identity."}"#),
            ("user_decides", r#"{"joins":true}"#),
            ("user_decides", "{}"),
            ("take_message", r#"{"name":"Ana","message":"The keys are here.","call_back":null}"#),
            ("take_message", r#"{"name":"Ana"}"#),
            ("report_spam", ""),
            ("invoke_agent", r#"{"prompt":"When is the next train?"}"#),
            ("invoke_agent", r#"{"agent":null,"prompt":"When is the next train?"}"#),
            ("invoke_agent", r#"{"agent":"main"}"#),
            ("invoke_agent_async", r#"{"agent":"main","prompt":"Plan a day in Bern."}"#),
            ("check_agent_task", r#"{"task_id":"1"}"#),
            ("check_agent_task", r#"{"task_id":1}"#),
            ("decide", r#"{"approve":false}"#),
            ("decide", r#"{"approve":"perhaps"}"#),
            ("call_mother", "{}"),
        ];
        let lines: Vec<String> =
            calls.into_iter().map(|(name, arguments)| shown_tool(&parse(name, arguments))).collect();
        expect![[r#"
            end_call "done": achieved, "Table at 7.", quotes ["seven is fine"]
            end_call "x": partly, "s", quotes [], price: 19.5 ["19.50"], seats: 4 [], size: "large" [], commitment "A table." ["booked"], blocker payment "A deposit." ["a deposit"], next "Call again."
            end_call "": blocked, "s", quotes [], blocker other "" []
            end_call "wrong number": no result
            invalid end_call: status must be one of achieved, partly, blocked, failed, unclear
            invalid end_call: the arguments do not fit: expected ident at line 1 column 2
            send_digits 1w23#
            invalid send_digits: digits are 0-9 * # A-D, w for a pause of half a second, W for one second
            invalid send_digits: digits are 0-9 * # A-D, w for a pause of half a second, W for one second
            invalid send_digits: the arguments do not fit: invalid type: integer `5`, expected a string at line 1 column 11
            report_voicemail voicemail
            invalid report_voicemail: kind must be one of human, voicemail, ivr, screening, unknown
            wait_on_hold
            wait_on_hold
            ask_owner What is her date of birth?
            invalid ask_owner: the arguments do not fit: missing field `question` at line 1 column 2
            loop_in_user They want to verify her identity.
            user_decides true
            invalid user_decides: the arguments do not fit: missing field `joins` at line 1 column 2
            take_message The keys are here.
            invalid take_message: the arguments do not fit: missing field `message` at line 1 column 14
            report_spam
            invoke_agent When is the next train?
            invoke_agent When is the next train?
            invalid invoke_agent: the arguments do not fit: missing field `prompt` at line 1 column 16
            invoke_agent_async Plan a day in Bern.
            check_agent_task 1
            check_agent_task 1
            decide false
            invalid decide: the arguments do not fit: invalid type: string "perhaps", expected a boolean at line 1 column 20
            invalid call_mother: there is no tool of this name; there are end_call, send_digits, report_voicemail, wait_on_hold, ask_owner, loop_in_user, user_decides, take_message, report_spam, invoke_agent, invoke_agent_async, check_agent_task, decide"#]]
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
            if let Some(items) = schema.get("items") {
                check(items, &format!("{path}[]"));
            }
        }
        let mut brief = Brief::new("Ask.");
        brief.fields = [FieldKind::Text, FieldKind::TextList, FieldKind::Choice(vec!["a".to_owned()])]
            .into_iter()
            .enumerate()
            .map(|(n, kind)| ResultField { name: format!("f{n}"), kind, required: n == 0, description: None })
            .collect();
        for tool in TOOLS {
            check(&tool.parameters(&brief), tool.name);
        }
        let fields = &TOOLS[0].parameters(&brief)["properties"]["result"]["properties"]["fields"];
        assert_eq!(fields["properties"]["f2"]["properties"]["value"]["enum"], json!(["a"]));
        let none = TOOLS[0].parameters(&Brief::new("Ask."));
        assert!(none["properties"]["result"]["properties"].get("fields").is_none());
    }

    fn agents(names: &[&str]) -> Agents {
        let second = std::time::Duration::from_secs(1);
        Agents {
            known: names.iter().map(|name| ((*name).to_owned(), format!("Is {name}."))).collect(),
            owner: None,
            wait: second,
            work: second,
            parallel: 1,
            most: 1,
        }
    }

    #[test]
    fn whom_to_ask_is_asked_where_there_are_several() {
        let invoke = TOOLS.iter().find(|tool| tool.name == "invoke_agent").unwrap();
        let fields = |names: &[&str]| {
            let brief = Brief { agents: Some(agents(names)), ..Brief::new("Talk.") };
            invoke.parameters(&brief)["properties"].clone()
        };
        assert!(fields(&["main"]).get("agent").is_none());
        let several = fields(&["main", "house"]);
        assert_eq!(several["agent"]["enum"], json!(["main", "house", null]));
        let description = several["agent"]["description"].as_str().unwrap();
        assert!(description.contains("house: Is house."), "{description}");
    }

    #[test]
    fn what_is_of_no_use_is_not_offered() {
        use offhook_core::brief::{Approval, Introduction};
        let names = |brief: &Brief| offered(brief).map(|tool| tool.name).collect::<Vec<_>>();
        let always = ["end_call", "send_digits", "report_voicemail", "wait_on_hold", "user_decides"];
        let brief = Brief::new("Ask.");
        assert_eq!(names(&brief), always);
        let ask_owner = Some(std::time::Duration::from_secs(60));
        assert_eq!(names(&Brief { ask_owner, ..brief.clone() })[4..], ["ask_owner", "user_decides"]);
        for introduction in [Introduction::Warm, Introduction::Straight] {
            let brief = Brief { handoff: Some(introduction), ..brief.clone() };
            assert_eq!(names(&brief)[4..], ["loop_in_user", "user_decides"]);
        }
        let line = Brief { takes_messages: true, ends_spam: true, ..brief };
        assert_eq!(names(&line)[4..], ["user_decides", "take_message", "report_spam"]);
        let approval = Some(Approval { operation: "Pay.".to_owned(), details: None, pin: None });
        assert_eq!(names(&Brief { approval, ..Brief::new("Ask.") })[4..], ["user_decides", "decide"]);
        let agents = Some(agents(&["main"]));
        let invoke = ["user_decides", "invoke_agent", "invoke_agent_async", "check_agent_task"];
        assert_eq!(names(&Brief { agents, ..Brief::new("Talk.") })[4..], invoke);
    }
}
