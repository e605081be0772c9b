//! A conversation held by a chat model: its history, and what of its answers is said when.
//!
//! The answer streams in and is spoken sentence by sentence. The history holds what was really heard, not what the
//! model meant to say.

use offhook_core::brief::Brief;
use offhook_core::call::ToolCallId;
use serde_json::{Value, json};

use super::{Act, Heard};
use crate::local::mouth::{Cut, sentence_end};
use crate::tools::{self, Tool};

#[derive(Clone, PartialEq)]
pub struct ChatRequest {
    pub messages: Vec<Value>,
    pub tools: Vec<Value>,
}

/// What comes of a request.
#[derive(Clone, PartialEq, Eq)]
pub enum ChatEvent {
    Text(String),
    /// The model is done; the tools it calls.
    Done {
        tools: Vec<ChatTool>,
    },
    Failed {
        message: String,
    },
}

#[derive(Clone, Default, PartialEq, Eq)]
pub struct ChatTool {
    pub id: String,
    pub name: String,
    pub arguments: String,
}

veiled!(ChatRequest, ChatEvent, ChatTool, Chat);

pub struct Chat {
    instructions: String,
    tools: Vec<Value>,
    history: Vec<Entry>,
    /// The tools in the order they were called; the first is [`ToolCallId`] 1.
    tool_ids: Vec<String>,
    thinking: bool,
    /// Of the answer, what is not a whole sentence yet.
    partial: String,
    /// Of the answer, the sentences already passed on.
    answer: String,
    failures: u32,
}

enum Entry {
    Remote(String),
    Voice(String),
    Note(String),
    Tool { call: ChatTool, output: Option<String> },
}

impl Chat {
    /// Failures in a row after which the call comes to an end.
    const FAILURES: u32 = 2;

    pub fn new(brief: &Brief) -> Self {
        Self {
            instructions: brief.instructions(),
            tools: tools::offered(brief).map(|tool| described(tool, brief)).collect(),
            history: Vec::new(),
            tool_ids: Vec::new(),
            thinking: false,
            partial: String::new(),
            answer: String::new(),
            failures: 0,
        }
    }

    /// The conversation goes on about something else.
    pub fn brief_anew(&mut self, brief: &Brief) {
        self.instructions = brief.instructions();
        self.tools = tools::offered(brief).map(|tool| described(tool, brief)).collect();
    }

    pub fn heard(&mut self, heard: &[Heard]) {
        const GUESS: u32 = 600;
        for heard in heard {
            self.history.push(Entry::Remote(match (&heard.text, heard.confidence) {
                (None, _) => "[unintelligible]".to_owned(),
                (Some(text), Some(confidence)) if confidence < GUESS => format!("[not clearly heard] {text}"),
                (Some(text), _) => text.clone(),
            }));
        }
    }

    /// offhook had this said.
    pub fn said(&mut self, text: &str) {
        self.history.push(Entry::Voice(text.to_owned()));
    }

    pub fn note(&mut self, text: &str) {
        self.history.push(Entry::Note(text.to_owned()));
    }

    pub fn tool_output(&mut self, id: ToolCallId, output: &str) {
        let Some(wanted) = (id.0 as usize).checked_sub(1).and_then(|index| self.tool_ids.get(index)) else {
            return;
        };
        for entry in &mut self.history {
            if let Entry::Tool { call, output: slot } = entry
                && call.id == *wanted
            {
                *slot = Some(output.to_owned());
            }
        }
    }

    /// Only the beginning of a text of ours was heard.
    pub fn cut(&mut self, cut: &Cut) {
        let same = |entry: &Entry| matches!(entry, Entry::Voice(text) if cut.text.starts_with(text.as_str()) || text.starts_with(&cut.text));
        let Some(index) = self.history.iter().rposition(same) else { return };
        match cut.heard.as_str() {
            "" => drop(self.history.remove(index)),
            heard => self.history[index] = Entry::Voice(format!("{heard} — [interrupted]")),
        }
    }

    /// The request for the next answer; what was asked before counts no more.
    pub fn ask(&mut self) -> ChatRequest {
        self.stop();
        self.thinking = true;
        let mut messages = vec![json!({"role": "system", "content": self.instructions})];
        for entry in &self.history {
            match entry {
                Entry::Remote(text) => messages.push(json!({"role": "user", "content": text})),
                Entry::Voice(text) => messages.push(json!({"role": "assistant", "content": text})),
                Entry::Note(text) => messages.push(json!({"role": "system", "content": text})),
                Entry::Tool { call, output } => {
                    let function = json!({"name": call.name, "arguments": call.arguments});
                    let calls = json!([{"id": call.id, "type": "function", "function": function}]);
                    messages.push(json!({"role": "assistant", "content": null, "tool_calls": calls}));
                    let output = output.as_deref().unwrap_or("under way");
                    messages.push(json!({"role": "tool", "tool_call_id": call.id, "content": output}));
                }
            }
        }
        ChatRequest { messages, tools: self.tools.clone() }
    }

    /// Stop listening to the answer; whether one was under way.
    pub fn stop(&mut self) -> bool {
        self.partial.clear();
        self.keep_answer();
        std::mem::take(&mut self.thinking)
    }

    fn keep_answer(&mut self) {
        let answer = std::mem::take(&mut self.answer);
        if !answer.is_empty() {
            self.history.push(Entry::Voice(answer));
        }
    }

    /// More of the answer: what to say and do now.
    pub fn thought(&mut self, event: ChatEvent) -> Vec<Act> {
        if !self.thinking {
            return Vec::new();
        }
        match event {
            ChatEvent::Text(text) => {
                self.partial.push_str(&text);
                let mut acts = Vec::new();
                while let Some(end) = sentence_end(&self.partial) {
                    let rest = self.partial.split_off(end);
                    let sentence = std::mem::replace(&mut self.partial, rest);
                    acts.extend(self.pass_on(&sentence));
                }
                acts
            }
            ChatEvent::Done { tools } => {
                self.failures = 0;
                let mut acts = self.finish();
                for tool in tools {
                    acts.push(Act::Tool(tools::parse(&tool.name, &tool.arguments)));
                    self.tool_ids.push(tool.id.clone());
                    self.history.push(Entry::Tool { call: tool, output: None });
                }
                acts
            }
            ChatEvent::Failed { .. } => {
                self.failures += 1;
                let mut acts = self.finish();
                acts.extend(self.excuse());
                acts
            }
        }
    }

    fn finish(&mut self) -> Vec<Act> {
        let last = std::mem::take(&mut self.partial);
        let acts = self.pass_on(&last).into_iter().collect();
        self.keep_answer();
        self.thinking = false;
        acts
    }

    fn pass_on(&mut self, sentence: &str) -> Option<Act> {
        let sentence = sentence.trim();
        if sentence.is_empty() {
            return None;
        }
        if !self.answer.is_empty() {
            self.answer.push(' ');
        }
        self.answer.push_str(sentence);
        Some(Act::Say(sentence.to_owned()))
    }

    /// An honest word instead of silence.
    fn excuse(&mut self) -> Vec<Act> {
        use offhook_core::call::{Claim, ToolCall};
        use offhook_core::journal::TaskStatus;
        if self.failures < Self::FAILURES {
            let text = "I am sorry, I have a technical problem. Could you say that again, please?";
            self.said(text);
            return vec![Act::Say(text.to_owned())];
        }
        let text = "I am sorry, I have a technical problem and can't go on. I will call back. Goodbye.";
        self.said(text);
        let summary = "The chat model could not be reached, so the call was ended.";
        let result = Claim::new(TaskStatus::Unclear, summary);
        // No tool of the model's: its number must still be taken.
        self.tool_ids.push(String::new());
        let reason = "the chat model failed".into();
        vec![
            Act::Say(text.to_owned()),
            Act::Tool(ToolCall::EndCall { reason, result: Some(Box::new(result)) }),
        ]
    }
}

/// A tool as a chat endpoint is told of it.
fn described(tool: &Tool, brief: &Brief) -> Value {
    let parameters = tool.parameters(brief);
    let function = json!({"name": tool.name, "description": tool.description, "parameters": parameters});
    json!({"type": "function", "function": function})
}
