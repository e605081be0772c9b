//! The use-cases. Every surface (HTTP, MCP, command line, demo) is a codec over this and nothing else.

mod inbound;
mod journal;
pub mod keys;
mod place;
mod recording;
mod restart;
mod view;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use offhook_core::brief::{Disclosure, Opening};
use offhook_core::call::CallCommand;
use offhook_core::journal::{AnsweredBy, TaskStatus};
use offhook_core::policy::{Policy, RefusalCode, Rule};
use offhook_core::{CallId, EndReason, Outcome, OwnerId, PhoneNumber, Timestamp};
use offhook_store::Store;
use secrecy::SecretString;
use tokio::sync::Mutex;

use crate::engine::Engine;
pub use journal::JournalStream;
pub use keys::{PREFIX as KEY_PREFIX, Secret};
pub use place::VOICES;

/// Who is asking, once the key was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    pub owner: OwnerId,
    pub admin: bool,
}

/// The wish for an outbound call, as it arrives: not yet checked.
#[derive(Clone, Debug, Default)]
pub struct PlaceCall {
    pub to: String,
    pub task: String,
    pub personality: Option<String>,
    pub greeting: Option<String>,
    /// Contract voice name; `jessica` when absent.
    pub voice: Option<String>,
    pub bridge_number: Option<String>,
    /// One of our lines; the pool chooses when absent.
    pub from: Option<String>,
    /// BCP 47; the configured default when absent.
    pub language: Option<String>,
    pub max_duration: Option<Duration>,
    /// What to say to a machine; hang up when absent.
    pub voicemail_message: Option<String>,
    pub idempotency: Option<Idempotency>,
}

#[derive(Clone, Debug)]
pub struct Idempotency {
    pub key: String,
    /// SHA-256 of the canonical request, to tell a repeat from a reuse.
    pub request_hash: [u8; 32],
}

#[derive(Debug)]
pub struct Placed {
    pub call_id: CallId,
    /// A key minted for a caller that came without one; shown once.
    pub minted_key: Option<SecretString>,
    /// The call existed already: same idempotency key, same request.
    pub repeated: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    #[error("send an API key in the X-Api-Key header")]
    KeyRequired,
    #[error("this API key is unknown or was revoked")]
    InvalidKey,
    #[error("the store can't be read right now")]
    Store,
}

#[derive(Debug, thiserror::Error)]
pub enum PlaceCallError {
    #[error(transparent)]
    Auth(#[from] AuthError),
    #[error("{field} is required and must not be blank")]
    MissingField { field: &'static str },
    #[error("{field}: {why}")]
    InvalidPhone { field: &'static str, why: String },
    #[error("voice must be one of jessica, sarah, chris, eric")]
    InvalidVoice,
    #[error("{field}: {why}")]
    InvalidField { field: &'static str, why: String },
    /// A calling rule refused.
    #[error("{message}")]
    Refused { rule: Rule, code: RefusalCode, message: String, retry_after: Option<Duration> },
    #[error("this Idempotency-Key was used for a different request; choose a new one")]
    IdempotencyKeyReused,
    #[error("all lines are in use; try again in 15 seconds")]
    NoLine,
    #[error("calling is switched off here; the operator can set calling_enabled = true")]
    CallingDisabled,
    #[error("more calls are being placed than can be let in; try again in a moment")]
    Overloaded,
    #[error("offhook is shutting down; try again shortly")]
    ShuttingDown,
    #[error("the call could not be recorded in the store, so it was not placed")]
    Store,
}

#[derive(Debug, thiserror::Error)]
pub enum CallError {
    #[error("no such call")]
    NotFound,
    #[error("there is no recording of this call, or it has expired")]
    NoRecording,
    #[error("the store can't be read right now")]
    Store,
}

/// Where a call is, as the contract names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifecycle {
    Queued,
    Dialing,
    Answered,
    Finalized,
}

/// Everything an owner may see of one call.
#[derive(Clone, Debug)]
pub struct CallView {
    pub id: CallId,
    pub inbound: bool,
    pub to: String,
    pub from: Option<String>,
    pub task: String,
    pub voice: String,
    pub personality: Option<String>,
    pub greeting: Option<String>,
    pub language: String,
    pub lifecycle: Lifecycle,
    pub queued_at: Timestamp,
    pub dialing_at: Option<Timestamp>,
    pub answered_at: Option<Timestamp>,
    pub finalized_at: Option<Timestamp>,
    pub transcript: Vec<TranscriptTurn>,
    pub answered_by: Option<AnsweredBy>,
    pub result: Option<ResultView>,
    pub end: Option<EndView>,
    pub has_recording: bool,
}

#[derive(Clone, Debug)]
pub struct TranscriptTurn {
    pub role: Role,
    pub turn: u32,
    pub text: String,
    pub at: Timestamp,
    pub started_ms: u32,
    pub ended_ms: u32,
    /// Per mille; `None` when the recognizer gives none.
    pub confidence: Option<u32>,
    pub interrupted: bool,
    pub tool: Option<String>,
    pub tool_args: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The voice.
    Assistant,
    /// The remote.
    User,
    Tool,
    System,
}

#[derive(Clone, Debug)]
pub struct ResultView {
    pub status: TaskStatus,
    pub summary: String,
    pub evidence_turns: Vec<u32>,
}

#[derive(Clone, Debug)]
pub struct EndView {
    pub reason: EndReason,
    pub outcome: Outcome,
    pub talk: Option<Duration>,
    pub sip_status: Option<u16>,
    pub q850_cause: Option<u8>,
}

/// What hanging up did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HungUp {
    /// It was ringing or waiting; nobody had picked up.
    Cancelled,
    /// A conversation was ended.
    Ended,
    AlreadyOver {
        answered: bool,
    },
}

#[derive(Clone, Debug, Default)]
pub struct CallFilter {
    pub inbound: Option<bool>,
    pub finalized_since: Option<Timestamp>,
    pub live_only: bool,
    pub limit: usize,
}

#[derive(Clone, Debug)]
pub struct KeyView {
    pub id: String,
    pub label: Option<String>,
    pub created_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    pub admin: bool,
}

/// One component of `/readyz` and `offhook doctor`.
#[derive(Clone, Debug)]
pub struct Check {
    pub name: &'static str,
    pub ok: bool,
    /// What was found.
    pub found: String,
    /// What to do about it; empty when all is well.
    pub todo: String,
}

#[derive(Clone, Debug)]
pub struct RecordingFile {
    pub path: PathBuf,
    pub content_type: &'static str,
}

/// What the gateway is told once, at start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether calls are placed at all.
    pub calling: bool,
    /// A caller without a key gets one on its first call.
    pub mint_keys: bool,
    pub opening: Opening,
    pub disclosure: Disclosure,
    /// BCP 47.
    pub language: String,
    /// How long a signed recording link works.
    pub recording_link: Duration,
    /// Our own numbers.
    pub lines: Vec<PhoneNumber>,
    /// How calls to our lines are answered; `None` declines them.
    pub inbound: Option<Inbound>,
}

/// How the voice answers a call to one of our lines.
#[derive(Clone, Debug)]
pub struct Inbound {
    pub instructions: String,
    pub greeting: Option<String>,
    pub personality: Option<String>,
    pub voice: String,
}

/// One phone line for many agents. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Gateway {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    engine: Engine,
    policy: Policy,
    settings: Settings,
    secret: Secret,
    /// Held from counting the live calls to starting one more, so that no limit is passed by two at once.
    admission: Mutex<()>,
    /// Requests to place a call that are being worked on.
    placing: AtomicUsize,
}

impl Gateway {
    pub fn new(store: Store, engine: Engine, policy: Policy, settings: Settings, secret: Secret) -> Self {
        Self {
            inner: Arc::new(Inner {
                store,
                engine,
                policy,
                settings,
                secret,
                admission: Mutex::new(()),
                placing: AtomicUsize::new(0),
            }),
        }
    }

    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    pub fn engine(&self) -> &Engine {
        &self.inner.engine
    }

    /// Hang up a call of the caller's; repeat at will.
    pub async fn hang_up(&self, caller: Caller, id: CallId) -> Result<HungUp, CallError> {
        // A call that is just being let in is live once this is free.
        drop(self.inner.admission.lock().await);
        let call = self.own_call(caller, id).await?;
        if let Some(end) = &call.end {
            return Ok(HungUp::AlreadyOver { answered: end.outcome == Outcome::Answered });
        }
        self.inner.engine.command(id, CallCommand::HangUp);
        Ok(if call.answered_at.is_some() { HungUp::Ended } else { HungUp::Cancelled })
    }

    /// Cheap enough to be asked every few seconds.
    pub async fn readiness(&self) -> Vec<Check> {
        let store = self.inner.store.ping().await;
        let draining = self.inner.engine.is_draining();
        vec![
            Check {
                name: "store",
                ok: store.is_ok(),
                found: store.as_ref().err().map_or_else(|| "answers".to_owned(), ToString::to_string),
                todo: if store.is_ok() {
                    String::new()
                } else {
                    "check database_url and the disk".to_owned()
                },
            },
            Check {
                name: "calls",
                ok: !draining,
                found: if draining { "shutting down" } else { "accepted" }.to_owned(),
                todo: String::new(),
            },
        ]
    }

    /// Refuse new calls, end the live ones, and wait until each is written.
    pub async fn shutdown(&self) {
        self.inner.engine.refuse_calls();
        // Whoever was let in before is live once this is free.
        drop(self.inner.admission.lock().await);
        self.inner.engine.drain(Duration::from_secs(10)).await;
        self.inner.engine.carrier().shutdown().await;
        let _ = self.inner.engine.writer().flush().await;
    }
}
