//! The use-cases. Every surface (the HTTP API, and through it the command line and the demo) is a codec over this
//! and nothing else.
//!
//! One file per noun: [`place`] a call, [`steer`] it, [`bridge`] the user into it, [`hang_up`], look at calls ([`view`]) and their [`journal`],
//! [`recording`]s, [`keys`], [`inbound`] calls, calls that wait for their time ([`schedule`]), are placed by the clock ([`schedules`]) or [`follow_up`] another, [`campaigns`], [`approvals`] and the [`pins`] they take, [`readiness`], what a start finds left over ([`restart`]), and what is deleted again
//! ([`retention`]).

mod account;
mod approvals;
mod bridge;
mod campaigns;
mod check;
mod error;
mod follow_up;
mod hang_up;
mod in_flight;
mod inbound;
mod journal;
pub mod keys;
mod known_keys;
mod lines;
pub mod linking;
mod own_keys;
pub mod phones;
mod pins;
mod place;
mod preferences;
mod profile;
mod question;
mod readiness;
mod reception;
mod recording;
mod repeats;
mod restart;
mod result;
mod result_schema;
mod retention;
mod schedule;
mod schedules;
mod second_look;
mod secret;
mod settings;
mod steer;
mod stored;
mod view;
mod voice;
mod webhooks;
mod wish;

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use offhook_core::policy::Policy;
use offhook_store::{Claim, Store};
use tokio::sync::RwLock;

use crate::acs::Guard;
use crate::admission::Admission;
use crate::engine::Engine;
use crate::webhooks::Queue;
use approvals::Approvals;
use campaigns::Campaigns;
use in_flight::InFlight;
use known_keys::KnownKeys;
use reception::TurnedAway;
use repeats::Repeats;
use schedule::Schedule;
use schedules::Schedules;

pub use account::{AccountView, Balance, PlanKind, Today, TrialLeft};
pub use approvals::{ApprovalError, AskApproval, AskedApproval};
pub use bridge::{Bridge, BridgeError, HandoffState, HandoffView};
pub use campaigns::{
    CampaignError, CampaignSummary, CampaignView, Fit, Notes, StartCampaign, Started, Target, TargetProgress,
    TargetView,
};
pub use check::{Checked, Hours, LocalTime};
pub use error::{AccountError, AuthError, Bound, CallError, PlaceCallError};
pub use hang_up::HungUp;
pub use journal::JournalStream;
pub use keys::{Caller, KeyView, PREFIX as KEY_PREFIX};
pub use lines::ActiveLine;
pub use offhook_store::{Idempotency, Lifecycle};
pub use own_keys::{KeyError, MadeKey};
pub use phones::AccountPhoneError;
pub use pins::{PinError, PinView};
pub use place::{PlaceCall, Placed};
pub use profile::{Answering, NewProfile, NewReception, PinChange};
pub use readiness::Check;
pub use reception::{
    AgentsFor, Inbound, Known, NoticeFormat, Notify, OwnCaller, OwnNotify, OwnReception, Purpose, Reception,
};
pub use recording::RecordingFile;
pub use result::{BlockerView, FieldView, ItemView, ResultView};
pub use schedules::{
    DryRun, Evidence, NewSchedule, ProactiveLimits, ProactiveUse, ProactiveWishes,
    Program as ScheduleProgram, QuietHours, RunCall, RunView, ScheduleError, ScheduleView,
    Secret as ScheduleSecret, Settings as ScheduleSettings, Verdict, Written as WrittenSchedule,
    WrittenCondition, zone,
};
pub use secret::Secret;
pub use settings::Settings;
pub use steer::{Steer, SteerError, Steered};
pub use view::{CallView, EndView, ListCalls, MessageView, QuestionView, Role, TranscriptTurn};
pub use voice::{TargetSource, VoiceCall, VoiceError, VoiceTarget};
pub use webhooks::{Deliveries, WebhookSecret};
pub use wish::VOICES;

/// One phone line for many agents. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Gateway {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    /// That no other process takes calls on this store.
    claim: Claim,
    engine: Engine,
    admission: Admission,
    settings: Settings,
    secret: Secret,
    /// Read while a call is between its place and its session; who holds it for writing finds none in between.
    starting: RwLock<()>,
    /// Idempotency keys whose calls are being placed.
    in_flight: InFlight,
    repeats: Repeats,
    schedule: Schedule,
    campaigns: Campaigns,
    approvals: Approvals,
    schedules: Schedules,
    known_keys: KnownKeys,
    /// Calls whose events are sent somewhere.
    webhooks: Arc<Queue>,
    /// Requests to place a call that are being worked on.
    placing: AtomicUsize,
    turned_away: TurnedAway,
    /// Calls that somebody is told of once they are over.
    notices: Arc<tokio::sync::Notify>,
    /// Who keeps the doors of callbacks, where a carrier has some.
    callbacks: OnceLock<Guard>,
}

impl Gateway {
    pub fn new(
        (store, claim): (Store, Claim),
        engine: Engine,
        policy: Policy,
        settings: Settings,
        secret: Secret,
    ) -> Self {
        let webhooks = Arc::new(Queue::new(&settings.webhooks));
        let admission = Admission::new(policy, settings.lines.clone());
        let schedules = Schedules::new(schedules::looker(&settings, engine.agents().clone()));
        Self {
            inner: Arc::new(Inner {
                store,
                claim,
                engine,
                admission,
                settings,
                secret,
                starting: RwLock::new(()),
                in_flight: InFlight::default(),
                repeats: Repeats::default(),
                schedule: Schedule::default(),
                campaigns: Campaigns::default(),
                approvals: Approvals::default(),
                schedules,
                known_keys: KnownKeys::default(),
                webhooks,
                placing: AtomicUsize::new(0),
                turned_away: TurnedAway::default(),
                notices: Arc::default(),
                callbacks: OnceLock::new(),
            }),
        }
    }

    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// Said once, when the doors are opened.
    pub fn keep_callbacks(&self, guard: Guard) {
        // A second one could only come from a second start, of which there is none.
        let _ = self.inner.callbacks.set(guard);
    }

    /// Who keeps the doors of callbacks; `None` where no carrier has some.
    pub fn callbacks(&self) -> Option<&Guard> {
        self.inner.callbacks.get()
    }

    pub fn engine(&self) -> &Engine {
        &self.inner.engine
    }

    pub fn admission(&self) -> &Admission {
        &self.inner.admission
    }

    /// Wait until every call that has its place has its session too, or has given its place back.
    async fn settled(&self) {
        drop(self.inner.starting.write().await);
    }

    /// Refuse new calls, end the live ones, and wait until each is written.
    pub async fn shutdown(&self) {
        /// For a store that is away.
        const LAST_WRITES: Duration = Duration::from_secs(10);
        const LAST_CAMPAIGNS: Duration = Duration::from_secs(5);
        self.inner.engine.refuse_calls();
        self.inner.campaigns.close();
        self.inner.approvals.close();
        self.inner.schedules.close();
        self.settled().await;
        self.inner.engine.drain(Duration::from_secs(10)).await;
        let _ = tokio::time::timeout(LAST_CAMPAIGNS, self.inner.campaigns.ended()).await;
        let _ = tokio::time::timeout(LAST_CAMPAIGNS, self.inner.approvals.ended()).await;
        let _ = tokio::time::timeout(LAST_CAMPAIGNS, self.inner.schedules.ended()).await;
        self.inner.engine.carrier().shutdown().await;
        self.inner.engine.writer().stop(LAST_WRITES).await;
        self.inner.claim.release().await;
    }
}
