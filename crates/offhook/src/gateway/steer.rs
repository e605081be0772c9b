//! Guiding a call that is under way: what the voice says next, what it keeps in mind, keys, and
//! the answers to its questions.

use offhook_core::CallId;
use offhook_core::brief::check::holds_secret;
use offhook_core::call::{CallCommand, NotNow, are_keys};

use super::wish::RESTRICTED;
use super::{CallError, Caller, Gateway};
use crate::engine::SteerError as EngineError;
use crate::session::{NotTaken, Taken};

/// What an owner asks of a call under way; not yet checked.
#[derive(Clone, PartialEq, Eq)]
pub enum Steer {
    /// Say this next, word for word.
    Say(String),
    /// Follow this, without saying it.
    Instruct(String),
    /// Press these keys.
    Press(String),
    /// The answer to the question that is open; to the one of this number if it is open.
    Answer { question_id: Option<u32>, answer: String },
}

/// Without the words.
impl std::fmt::Debug for Steer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Say(_) => "Say",
            Self::Instruct(_) => "Instruct",
            Self::Press(_) => "Press",
            Self::Answer { .. } => "Answer",
        })
    }
}

/// What the call made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steered {
    /// It was asked before, with the same idempotency key; nothing was done.
    pub repeated: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum SteerError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("{field} is required and must not be blank")]
    Missing { field: &'static str },
    #[error("{field}: {why}")]
    Invalid { field: &'static str, why: String },
    #[error(transparent)]
    NotNow(NotNow),
    #[error("the call is over; place another")]
    Over,
    #[error(transparent)]
    KeyReused(NotTaken),
    #[error(transparent)]
    Busy(EngineError),
}

impl From<EngineError> for SteerError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::NotTaken(NotTaken::NotNow(why)) => Self::NotNow(why),
            EngineError::NotTaken(reused @ NotTaken::KeyReused) => Self::KeyReused(reused),
            EngineError::Busy => Self::Busy(error),
        }
    }
}

impl Steer {
    /// What can be said in about two minutes.
    pub const LONGEST: usize = 2_000;

    fn parse(self) -> Result<CallCommand, SteerError> {
        Ok(match self {
            Self::Say(text) => CallCommand::Say { text: words("text", text)?.into() },
            Self::Instruct(text) => CallCommand::Instruct { text: words("text", text)?.into() },
            Self::Answer { question_id, answer } => {
                CallCommand::Answer { question_id, text: words("answer", answer)?.into() }
            }
            Self::Press(digits) => CallCommand::Press { digits: keys(digits)?.into() },
        })
    }
}

/// A text of which something is left.
fn words(field: &'static str, text: String) -> Result<String, SteerError> {
    let text = text.trim();
    match text.chars().count() {
        0 => Err(SteerError::Missing { field }),
        length if length > Steer::LONGEST => {
            let why = format!("{length} characters are too many; {} are possible", Steer::LONGEST);
            Err(SteerError::Invalid { field, why })
        }
        _ => Ok(text.to_owned()),
    }
}

/// Spaces and dashes are how people write keys down; they are not keys.
fn keys(digits: String) -> Result<String, SteerError> {
    let field = "digits";
    let keys: String = digits.chars().filter(|key| !matches!(key, ' ' | '-')).collect();
    match keys.as_str() {
        "" => Err(SteerError::Missing { field }),
        keys if !are_keys(keys) => Err(SteerError::Invalid { field, why: NotNow::NoKeys.to_string() }),
        _ => Ok(keys),
    }
}

impl Gateway {
    /// Ask something of a call of the caller's that is under way.
    pub async fn steer(
        &self,
        caller: Caller,
        id: CallId,
        steer: Steer,
        key: Option<String>,
    ) -> Result<Steered, SteerError> {
        // Whose call it is counts before what was written.
        let command = steer.parse().and_then(|command| self.unrestricted(command));
        if command.is_err() {
            self.own_call(caller, id).await?;
        }
        self.command(caller, id, command?, key).await
    }

    /// Restricted data is neither said nor typed, where the operator keeps it out.
    fn unrestricted(&self, command: CallCommand) -> Result<CallCommand, SteerError> {
        let (field, text) = match &command {
            CallCommand::Say { text } | CallCommand::Instruct { text } => ("text", text),
            CallCommand::Answer { text, .. } => ("answer", text),
            CallCommand::Press { digits } => ("digits", digits),
            _ => return Ok(command),
        };
        if self.inner.settings.restrict_data && holds_secret(text) {
            return Err(SteerError::Invalid { field, why: RESTRICTED.to_owned() });
        }
        Ok(command)
    }

    /// Tell a call of the caller's, which is the first to know whether it is under way.
    pub(super) async fn command(
        &self,
        caller: Caller,
        id: CallId,
        command: CallCommand,
        key: Option<String>,
    ) -> Result<Steered, SteerError> {
        let owner = (!caller.admin).then_some(caller.owner);
        if let Some(taken) = self.inner.engine.steer(id, owner, command, key).await {
            return Ok(Steered { repeated: taken? == Taken::Before });
        }
        let call = self.own_call(caller, id).await?;
        // What is in the store already and about to start has nobody on the line either.
        let over = call.end.is_some() || call.answered_at.is_some();
        Err(if over { SteerError::Over } else { SteerError::NotNow(NotNow::NotAnswered) })
    }
}
