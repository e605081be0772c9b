//! The call instructions, and the prompt of the voice made of them.

use std::time::Duration;

/// Everything the voice knows about one call.
#[derive(Clone, Debug, PartialEq)]
pub struct Brief {
    /// The call instructions as the agent wrote them.
    pub task: String,
    /// Identity, tone and boundaries, one to three sentences.
    pub personality: Option<String>,
    /// The preferred opener; spoken after the disclosure.
    pub greeting: Option<String>,
    /// Contract voice name (`jessica`, `sarah`, `chris`, `eric`); the provider's name is looked up by the shell.
    pub voice: String,
    /// BCP 47 tag of the language spoken, e.g. `en-US`.
    pub language: String,
    pub opening: Opening,
    pub disclosure: Disclosure,
    pub voicemail: Voicemail,
}

/// Who speaks first once the call is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    SpeakFirst,
    /// Let the other side say hello; speak anyway after `deadline`.
    ListenFirst {
        deadline: Duration,
    },
}

/// What the first sentence tells the other side. Only the operator can leave a part out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disclosure {
    pub ai: bool,
    pub recording: bool,
}

/// What to do when a machine answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Voicemail {
    HangUp,
    LeaveMessage(String),
}

impl Disclosure {
    pub const FULL: Disclosure = Disclosure { ai: true, recording: true };

    /// The sentence spoken before anything else; `None` when both parts are off.
    pub fn sentence(self) -> Option<&'static str> {
        match (self.ai, self.recording) {
            (true, true) => Some("Hello, this is an AI assistant, and this call is recorded."),
            (true, false) => Some("Hello, this is an AI assistant."),
            (false, true) => Some("Hello, this call is recorded."),
            (false, false) => None,
        }
    }
}

impl Brief {
    /// The first words, spoken exactly so: what must be disclosed, then the greeting.
    pub fn opening_words(&self) -> Option<String> {
        let disclosure = self.disclosure.sentence();
        let greeting = self.greeting.as_deref().map(str::trim).filter(|greeting| !greeting.is_empty());
        match (disclosure, greeting) {
            (Some(disclosure), Some(greeting)) => Some(format!("{disclosure} {greeting}")),
            (Some(disclosure), None) => Some(disclosure.to_owned()),
            (None, greeting) => greeting.map(str::to_owned),
        }
    }
}
