//! The call instructions, and the prompt of the voice made of them.

mod asking;
mod assistant;
pub mod check;
mod language;
mod pin;
mod prompt;

use std::fmt;
use std::time::Duration;

pub use asking::{Answer, Asking};
pub use language::Language;
pub use pin::{HashedPin, Pin};

use crate::words::veiled;

/// The voices of the contract; the first is the default. What each is at a provider, the provider's adapter says.
pub const VOICES: [&str; 4] = ["jessica", "sarah", "chris", "eric"];

/// Everything the voice knows about one call. [`Brief::new`] has what is usual for the rest.
#[derive(Clone, PartialEq)]
pub struct Brief {
    /// The call instructions as the agent wrote them.
    pub task: String,
    /// What the voice is called.
    pub name: Option<String>,
    /// Identity, tone and boundaries, one to three sentences.
    pub personality: Option<String>,
    /// The preferred opener; spoken after the disclosure.
    pub greeting: Option<String>,
    /// One of [`VOICES`]; the provider's name is looked up by the shell.
    pub voice: String,
    /// BCP 47 tag of the language spoken, e.g. `en-US`.
    pub language: String,
    pub opening: Opening,
    pub disclosure: Disclosure,
    pub voicemail: Voicemail,
    /// How long the owner may take to answer a question of the voice; `None`: it is not asked.
    pub ask_owner: Option<Duration>,
    /// The user can be connected, and how; `None`: there is nobody to connect.
    pub handoff: Option<Introduction>,
    pub commit: Commit,
    /// What the result is to name, each by itself.
    pub fields: Vec<ResultField>,
    /// The call that this one follows up.
    pub prior: Option<Prior>,
    /// One-time codes and card numbers are masked wherever the call is written down.
    pub mask_secrets: bool,
    /// Payment, health, identity and access data have no place in this call.
    pub restrict_data: bool,
    pub role: Role,
    /// Who does work for the voice; `None`: nobody.
    pub agents: Option<Agents>,
    /// Whoever is on the line must give a PIN first.
    pub gate: Option<Gate>,
    /// What the call is to have approved.
    pub approval: Option<Approval>,
    /// What was found out before the call and made it due. Data, as what was said before is.
    pub findings: Option<String>,
    /// Callers can leave word.
    pub takes_messages: bool,
    /// Unwanted callers are told goodbye.
    pub ends_spam: bool,
}

/// Whom the voice is on this call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// It calls somebody on behalf of the user.
    #[default]
    Caller,
    /// It is the assistant of whoever is on the line: of its own user, or for the callers of a line.
    Assistant,
}

/// The agents behind the voice, and how much of them one call may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agents {
    /// Name and what each is for; the first is the usual one.
    pub known: Vec<(String, String)>,
    /// Which of them is the owner, who is asked by a question that stands on the call.
    pub owner: Option<String>,
    /// How long an answer is waited for in conversation.
    pub wait: Duration,
    /// How long one may work while the conversation goes on.
    pub work: Duration,
    /// At the same time.
    pub parallel: u32,
    /// In one call.
    pub most: u32,
}

/// A PIN between whoever is on the line and what the call is about.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    pub pin: Pin,
    pub attempts: u32,
    /// What the call is about once the PIN was given; until then the voice does not know it.
    pub beyond: Box<Brief>,
}

/// An operation that somebody must approve.
#[derive(Clone, PartialEq)]
pub struct Approval {
    /// What it is, in the words of whoever asks.
    pub operation: String,
    /// With what, e.g. an amount and a name.
    pub details: Option<String>,
    pub pin: Option<Pin>,
}

/// Without the words, as [`Brief`].
impl fmt::Debug for Approval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Approval").field("pin", &self.pin).finish_non_exhaustive()
    }
}

/// How the user comes into a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Introduction {
    /// First hears in private who is there, and says whether to join.
    Warm,
    /// Is connected with the answer.
    Straight,
}

/// What the voice may agree to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Commit {
    /// What the instructions ask for in so many words, and nothing else.
    #[default]
    AsTasked,
    Never,
    /// What the instructions ask for, within these limits where there are any.
    Within(Option<String>),
}

/// One field of the result, as the agent asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultField {
    pub name: String,
    pub kind: FieldKind,
    pub required: bool,
    pub description: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldKind {
    Text,
    Number,
    Integer,
    Boolean,
    TextList,
    Choice(Vec<String>),
}

/// Who was on the line in the call before, as seen by whoever is called now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PriorWith {
    /// The same number, which we called.
    #[default]
    Called,
    /// The same number, which called us.
    CalledUs,
    /// Another number: nothing that was said there is for these ears.
    SomebodyElse,
}

/// What came of the call before.
#[derive(Clone, PartialEq, Eq)]
pub struct Prior {
    pub with: PriorWith,
    pub days_ago: u32,
    /// The network's word for it, e.g. `answered`.
    pub outcome: String,
    /// What it found out, and what stood in the way.
    pub result: Option<String>,
    /// Who said what, one turn a line, the last ones.
    pub transcript: String,
    /// What was missing then and is known now.
    pub supplied: Option<String>,
}

/// Without the words, as [`Brief`].
impl fmt::Debug for Prior {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prior")
            .field("days_ago", &self.days_ago)
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}

/// None of the words: instructions hold names, dates and numbers, and a log line is no place for them.
impl fmt::Debug for Brief {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Brief")
            .field("voice", &self.voice)
            .field("language", &self.language)
            .finish_non_exhaustive()
    }
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
    /// The operator's own sentence, in place of offhook's; it is configured once, for every call and language.
    pub sentence: Option<&'static str>,
}

/// What to do when a machine answers.
#[derive(Clone, PartialEq, Eq)]
pub enum Voicemail {
    HangUp,
    LeaveMessage(String),
}

/// Without the message, as [`Brief`].
impl fmt::Debug for Voicemail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HangUp => f.write_str("HangUp"),
            Self::LeaveMessage(message) => {
                f.write_str("LeaveMessage ")?;
                veiled(message, f)
            }
        }
    }
}

impl Disclosure {
    pub const FULL: Disclosure = Disclosure { ai: true, recording: true, sentence: None };

    /// The sentence spoken before anything else; `None` when both parts are off.
    pub fn words(self, language: &Language) -> Option<&'static str> {
        let usual = match (self.ai, self.recording) {
            (true, true) => language.assistant_and_recorded,
            (true, false) => language.assistant,
            (false, true) => language.recorded,
            (false, false) => return None,
        };
        Some(self.sentence.unwrap_or(usual))
    }
}

impl Brief {
    /// A call with this task and what is usual for everything else.
    pub fn new(task: impl Into<String>) -> Self {
        Self {
            task: task.into(),
            name: None,
            personality: None,
            greeting: None,
            voice: VOICES[0].to_owned(),
            language: "en-US".to_owned(),
            opening: Opening::ListenFirst { deadline: Duration::from_millis(1_500) },
            disclosure: Disclosure::FULL,
            voicemail: Voicemail::HangUp,
            ask_owner: None,
            handoff: None,
            commit: Commit::default(),
            fields: Vec::new(),
            prior: None,
            mask_secrets: false,
            restrict_data: false,
            role: Role::Caller,
            agents: None,
            gate: None,
            approval: None,
            findings: None,
            takes_messages: false,
            ends_spam: false,
        }
    }

    /// What offhook says itself is in this language.
    pub fn fixed_words(&self) -> &'static Language {
        Language::of(&self.language)
    }

    /// What offhook says to have a PIN, or an approval.
    pub fn asking(&self) -> &'static Asking {
        Asking::of(self.fixed_words())
    }

    /// Whether every word on this call is ordered by offhook: the model answers nobody by itself.
    pub fn is_guarded(&self) -> bool {
        self.gate.is_some() || self.approval.is_some()
    }

    /// The first words, spoken exactly so: what must be disclosed, the greeting, and what is asked for.
    pub fn opening_words(&self) -> Option<String> {
        let greeting = self.greeting.as_deref().map(str::trim).filter(|greeting| !greeting.is_empty());
        let asked = match (&self.gate, &self.approval) {
            (Some(_), _) => Some(self.asking().give_pin.to_owned()),
            (None, Some(approval)) => Some(self.asking().read_out(approval)),
            (None, None) => None,
        };
        let disclosure = self.disclosure.words(self.fixed_words());
        let parts: Vec<_> = [disclosure, greeting, asked.as_deref()].into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    }

    /// `text` after what must be disclosed.
    pub fn disclosed(&self, text: &str) -> String {
        match self.disclosure.words(self.fixed_words()) {
            Some(disclosure) => format!("{disclosure} {text}"),
            None => text.to_owned(),
        }
    }

    /// The prompt of the voice. Nothing else is told to it: what the other side says is never part of this text, but for
    /// what was said on the call that this one follows up, and that is told as such.
    pub fn instructions(&self) -> String {
        prompt::of(self)
    }
}
