//! What decides what to say.

pub mod chat;
mod hearing;
mod keys;
// Tables of phrases: one a line would be pages of them.
#[rustfmt::skip]
mod phrases;
mod plan;
pub mod script;

use offhook_core::call::ToolCall;

veiled!(Heard, Act);

/// What the remote said in one turn.
#[derive(Clone, PartialEq, Eq)]
pub struct Heard {
    /// `None` when it was not understood.
    pub text: Option<String>,
    /// Per mille; `None` when the recognizer gives none.
    pub confidence: Option<u32>,
}

/// What a brain wants done, in order.
#[derive(Clone, PartialEq)]
pub enum Act {
    Say(String),
    Tool(ToolCall),
}
