//! The agents behind the voice: whoever does work for it while a call goes on, and answers in words.
//!
//! [`Agents::ask`] is all there is to it: a question, a time limit, an answer. What is asked of whom is the call's to
//! say (`core/call/delegate.rs`), and it waits for the answer beside its audio. [`chat`] asks an OpenAI-compatible
//! endpoint, [`command`] a program of this machine, [`endpoint`] an address of the user's; the owner of a call is asked
//! by the call itself. [`request`] is what each of them is told.

mod chat;
mod command;
mod endpoint;
mod request;

use std::sync::Arc;
use std::time::Duration;

use offhook_core::brief::{self, Role};
use offhook_core::journal::AgentFailure;
use tokio::sync::Semaphore;

pub use chat::Chat;
pub use command::Program;
pub use endpoint::Endpoint;
pub use request::{OnCall, Request};

/// The agents of this installation. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Agents {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    settings: Settings,
    http: reqwest::Client,
    at_work: Arc<Semaphore>,
}

/// Who there is, and how much may be asked of them.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The first is the usual one.
    pub agents: Vec<Agent>,
    /// How long an answer is waited for in conversation.
    pub wait: Duration,
    /// How long one may work while the conversation goes on.
    pub work: Duration,
    /// At the same time: for one call, and for all of this process.
    pub parallel: u32,
    pub parallel_in_all: u32,
    /// Of one call.
    pub most: u32,
    /// Whether calls that were asked for with any key may have them asked, or only with an admin's.
    pub any_key: bool,
}

/// Who may be asked on a call, as whoever places it says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    /// Everybody on a call to the user themselves, nobody on others.
    #[default]
    AsUsual,
    Nobody,
    Everybody,
    These(Vec<String>),
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            agents: Vec::new(),
            wait: Duration::from_secs(60),
            work: Duration::from_secs(300),
            parallel: 3,
            parallel_in_all: 16,
            most: 30,
            any_key: true,
        }
    }
}

impl Settings {
    /// Who may be asked on a call of whoever holds such a key; the reason where that is refused.
    pub fn granted(&self, wanted: Wanted, role: Role, is_admin: bool) -> Result<Wanted, &'static str> {
        let may = self.any_key || is_admin;
        match wanted {
            Wanted::AsUsual if may && role == Role::Assistant => Ok(Wanted::Everybody),
            Wanted::AsUsual | Wanted::Nobody => Ok(Wanted::Nobody),
            _ if !may => Err("only an admin's key may have agents asked; see agents.keys"),
            Wanted::Everybody if self.agents.is_empty() => Err("is of no use: no agent is configured"),
            wanted => Ok(wanted),
        }
    }

    /// What a call may ask of whom; `None` where there is nobody.
    pub fn for_call(&self, wanted: &Wanted) -> Result<Option<brief::Agents>, AgentError> {
        let agents: Vec<&Agent> = match wanted {
            Wanted::AsUsual | Wanted::Nobody => Vec::new(),
            Wanted::Everybody => self.agents.iter().collect(),
            Wanted::These(names) => {
                names.iter().map(|name| self.find(Some(name))).collect::<Result<_, _>>()?
            }
        };
        let owner = agents.iter().find(|agent| matches!(agent.kind, Kind::Owner));
        let owner = owner.map(|agent| agent.name.clone());
        let known = agents.iter().map(|agent| (agent.name.clone(), agent.description.clone()));
        let known: Vec<_> = known.collect();
        let Self { wait, work, parallel, most, .. } = *self;
        Ok((!known.is_empty()).then_some(brief::Agents { known, owner, wait, work, parallel, most }))
    }

    /// The agent of this name; the usual one where none is named.
    pub fn find(&self, name: Option<&str>) -> Result<&Agent, AgentError> {
        match name.map(str::trim).filter(|name| !name.is_empty()) {
            None => self.agents.first().ok_or(AgentError::None),
            Some(name) => self
                .agents
                .iter()
                .find(|agent| agent.name.eq_ignore_ascii_case(name))
                .ok_or_else(|| AgentError::Unknown(name.to_owned())),
        }
    }
}

/// One agent.
#[derive(Clone, Debug)]
pub struct Agent {
    /// What the voice calls it by.
    pub name: String,
    /// What it is for, as the voice is told.
    pub description: String,
    pub kind: Kind,
}

/// How it is asked.
#[derive(Clone, Debug)]
pub enum Kind {
    Chat(Chat),
    Command(Program),
    Http(Endpoint),
    /// Whoever asked for the call, by a question that stands on it.
    Owner,
}

/// Why there is no answer, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AgentError {
    #[error("there is no agent called {0:?}; the names are those of [[agent]]")]
    Unknown(String),
    #[error("no agent is configured; add an [[agent]]")]
    None,
    #[error("{0:?} is the owner of a call, and can be asked on a call only")]
    OnlyOnCalls(String),
    #[error("too many agents are at work; try again in a moment, or raise agents.parallel_in_all")]
    Busy,
    #[error("the agent did not answer within {} s", .0.as_secs_f32())]
    TimedOut(Duration),
    #[error("the agent could not be reached: {0}")]
    Unreachable(String),
    #[error("the agent failed: {0}")]
    Failed(String),
    #[error("the agent answered nothing")]
    Empty,
}

impl AgentError {
    /// As a call tells it.
    pub fn failure(&self) -> AgentFailure {
        match self {
            Self::Unknown(_) | Self::None | Self::OnlyOnCalls(_) => AgentFailure::Unknown,
            Self::Busy => AgentFailure::Busy,
            Self::TimedOut(_) => AgentFailure::TimedOut,
            Self::Unreachable(_) => AgentFailure::Unreachable,
            Self::Failed(_) => AgentFailure::Failed,
            Self::Empty => AgentFailure::Empty,
        }
    }
}

/// Of an answer, in characters: nobody listens to more.
const LONGEST_ANSWER: usize = 8_000;
/// What an agent may send before it is cut off, in bytes.
const MOST_BYTES: usize = 1 << 20;

impl Agents {
    pub fn new(settings: Settings) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("offhook/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(5))
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .build()?;
        let at_work = Arc::new(Semaphore::new(settings.parallel_in_all as usize));
        Ok(Self { inner: Arc::new(Inner { settings, http, at_work }) })
    }

    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// What a call may ask of whom; `None` where there is nobody. `names`: of these only, as far as there are such.
    pub fn for_call(&self, names: Option<&[String]>) -> Option<brief::Agents> {
        let settings = self.settings();
        let known = |name: &&String| settings.find(Some(name)).is_ok();
        let wanted = names
            .map_or(Wanted::Everybody, |names| Wanted::These(names.iter().filter(known).cloned().collect()));
        settings.for_call(&wanted).ok().flatten()
    }

    /// Whether an agent is there, as far as that can be seen without asking it; what was seen.
    pub async fn check(&self, name: &str) -> Result<&'static str, AgentError> {
        let http = &self.inner.http;
        match &self.inner.settings.find(Some(name))?.kind {
            Kind::Chat(chat) => chat.check(http).await,
            Kind::Command(program) => program.check(),
            Kind::Http(endpoint) => endpoint.check(http).await,
            Kind::Owner => Ok("whoever places a call is asked on it"),
        }
    }

    /// Ask an agent, the usual one where none is named, and wait for its answer for so long at most. Whoever drops this
    /// stops the agent: a program is killed with all it started, a connection is closed.
    ///
    /// The answer is text, trimmed and never empty.
    pub async fn ask(
        &self,
        name: Option<&str>,
        request: &Request,
        limit: Duration,
    ) -> Result<String, AgentError> {
        let agent = self.inner.settings.find(name)?;
        let _at_work = self.inner.at_work.try_acquire().map_err(|_| AgentError::Busy)?;
        let http = &self.inner.http;
        let answer = async {
            match &agent.kind {
                Kind::Chat(chat) => chat.ask(http, request).await,
                Kind::Command(program) => program.ask(&agent.name, request).await,
                Kind::Http(endpoint) => endpoint.ask(http, &agent.name, request).await,
                Kind::Owner => Err(AgentError::OnlyOnCalls(agent.name.clone())),
            }
        };
        let answer = tokio::time::timeout(limit, answer).await;
        let answer = answer.unwrap_or(Err(AgentError::TimedOut(limit))).and_then(|text| spoken(&text));
        if let Err(error) = &answer {
            tracing::warn!(agent = agent.name, %error, "an agent gave no answer");
        }
        answer
    }
}

/// An answer as it can be passed on: without what a model thought before it, and not without end.
fn spoken(text: &str) -> Result<String, AgentError> {
    let text = text.trim_start();
    let text = match text.strip_prefix("<think>").and_then(|thought| thought.split_once("</think>")) {
        Some((_, answer)) => answer,
        None => text,
    };
    let text = text.trim();
    match text.char_indices().nth(LONGEST_ANSWER) {
        _ if text.is_empty() => Err(AgentError::Empty),
        Some((end, _)) => Ok(format!("{} […]", text[..end].trim_end())),
        None => Ok(text.to_owned()),
    }
}

/// Never with the address: it may hold a secret.
fn unreachable(error: reqwest::Error) -> AgentError {
    let why = match &error {
        error if error.is_connect() => {
            "no connection could be made: look at its address, and whether it runs"
        }
        error if error.is_timeout() => "it took too long",
        error if error.is_builder() => "its address or a header of it can't be used",
        _ => "the connection broke off before the answer was complete",
    };
    tracing::debug!(error = %error.without_url(), "an agent could not be reached");
    AgentError::Unreachable(why.to_owned())
}

/// An answer that is none.
fn refused(status: reqwest::StatusCode) -> AgentError {
    AgentError::Failed(match status.as_u16() {
        401 | 403 => format!("it answered {}; look at its key", status.as_u16()),
        404 => "it answered 404; look at its address and model".to_owned(),
        300..=399 => format!("it answered {}, and redirects are not followed", status.as_u16()),
        status => format!("it answered {status}"),
    })
}

/// The whole body, within bounds.
async fn body(mut response: reqwest::Response) -> Result<Vec<u8>, AgentError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if bytes.len() + chunk.len() > MOST_BYTES {
            return Err(AgentError::Failed("its answer is too long".to_owned()));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_passed_on_of_an_answer() {
        for (answer, expected) in [
            (" It is open until seven.\n", Ok("It is open until seven.")),
            ("<think>Hm.\nOr?</think>\n\nUntil seven.", Ok("Until seven.")),
            ("<think> is a tag.", Ok("<think> is a tag.")),
            ("<think>Hm.</think> ", Err(AgentError::Empty)),
            (" \n", Err(AgentError::Empty)),
        ] {
            assert_eq!(spoken(answer), expected.map(str::to_owned), "{answer:?}");
        }
        let long = spoken(&"ü".repeat(LONGEST_ANSWER + 1)).unwrap();
        assert_eq!(long.chars().count(), LONGEST_ANSWER + 4);
    }
}
