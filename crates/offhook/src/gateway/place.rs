//! Placing a call: check everything, take a place, write it down, only then start it.

use std::fmt;
use std::sync::atomic::Ordering;
use std::time::Duration;

use offhook_core::brief::{Approval, Commit, Role};
use offhook_core::policy::{Allow, Ask, Proactive};
use offhook_core::{CallId, CampaignId, PhoneNumber, ScheduleId, Timestamp};
use offhook_store::{InsertCallError, Inserted, NewKey, StoreError};
use secrecy::SecretString;

use super::keys::Minted;
use super::schedule::check_window;
use super::wish::Wish;
use super::{AccountPhoneError, AuthError, Caller, Gateway, Idempotency, PlaceCallError};
use crate::admission::{NoPlace, Place, Visit};
use crate::agents::Wanted;
use crate::clock;
use crate::engine::Start;
use crate::writer::InsertError;

/// Those that are written down together wait for one commit; this many are let in well within a second.
const MAX_PLACING: usize = 256;

/// No idempotency key is like that.
pub(super) const PROACTIVE: &str = "";

/// The wish for an outbound call, as it arrives: not yet checked.
#[derive(Clone, Default)]
pub struct PlaceCall {
    pub to: String,
    pub task: String,
    pub personality: Option<String>,
    pub greeting: Option<String>,
    /// Contract voice name; `jessica` when absent.
    pub voice: Option<String>,
    pub bridge_number: Option<String>,
    /// Hand over to the verified phone of the account, whatever `bridge_number` says.
    pub loop_in_user: bool,
    /// Whether the user hears in private who is there before joining; true when absent.
    pub warm_greeting: Option<bool>,
    /// One of our lines; the pool chooses when absent.
    pub from: Option<String>,
    /// BCP 47; the configured default when absent.
    pub language: Option<String>,
    pub max_duration: Option<Duration>,
    /// What to say to a machine; hang up when absent.
    pub voicemail_message: Option<String>,
    /// Where the events of the call are sent.
    pub webhook_url: Option<String>,
    /// How long the voice waits for an answer to a question of its own; it asks none when absent.
    pub ask_owner: Option<Duration>,
    /// What the voice may agree to; what the task asks for in so many words when absent.
    pub may_commit: Option<Commit>,
    /// A JSON Schema of what the result is to name.
    pub result_schema: Option<serde_json::Value>,
    /// The call that this one follows up.
    pub follow_up_to: Option<String>,
    /// What was missing in that call and is known now.
    pub supplied: Option<String>,
    /// When it may be placed; at once when absent.
    pub not_before: Option<Timestamp>,
    pub not_after: Option<Timestamp>,
    pub idempotency: Option<Idempotency>,
    /// What the call is to have approved.
    pub approval: Option<Approval>,
    /// Whom the voice is on this call.
    pub role: Role,
    /// Who may be asked on it.
    pub agents: Wanted,
    /// What was found out before the call and made it due: data for the voice.
    pub findings: Option<String>,
    /// The user has just asked to be called: no agent's own idea.
    pub by_user: bool,
    /// The key that asks is bound to its target; the gateway notes it.
    pub bound: bool,
}

/// Without the numbers and the words.
impl fmt::Debug for PlaceCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { voice, language, max_duration, .. } = self;
        let mut shown = f.debug_struct("PlaceCall");
        shown.field("voice", voice).field("language", language).field("max_duration", max_duration);
        shown.finish_non_exhaustive()
    }
}

#[derive(Debug)]
pub struct Placed {
    pub call_id: CallId,
    /// Whose call it is.
    pub caller: Caller,
    /// A key minted for a caller that came without one; shown once.
    pub minted_key: Option<SecretString>,
    /// The call existed already: same idempotency key, same request.
    pub repeated: bool,
    /// It waits for its time.
    pub waits: bool,
}

/// A call that may be placed now.
pub(super) struct LetIn {
    pub allow: Allow,
    pub place: Place,
    /// Where its user may be called from.
    pub lines: Vec<PhoneNumber>,
}

/// Who pays for the call: a known caller, or a new one.
enum Payer {
    Known(Caller),
    New(Minted),
}

impl Gateway {
    /// Place a call for whoever holds this key, or for a new owner when there is none.
    ///
    /// The checks come in the contract's order, and no call exists after an error.
    pub async fn place_call(&self, key: Option<&str>, ask: PlaceCall) -> Result<Placed, PlaceCallError> {
        let _placing = self.queue_up()?;
        self.check_open()?;
        let caller = match self.authenticate(key).await {
            Ok(caller) => Some(caller),
            Err(AuthError::KeyRequired) if self.inner.settings.mint_keys => None,
            Err(error) => return Err(error.into()),
        };
        let wish = self.wish(caller, ask).await?;
        let payer = match caller {
            Some(caller) => Payer::Known(caller),
            None => Payer::New(self.mint(wish.ask.idempotency.as_ref())?),
        };
        // In a task of its own: a client that goes away must not leave a call behind that is stored but never started.
        let gateway = self.clone();
        let admitted = tokio::spawn(async move { gateway.admit(payer, wish).await }).await;
        admitted.map_err(|_| PlaceCallError::Fault)?
    }

    /// What is asked for, with what the owner's calls are like where it does not say otherwise.
    pub(super) async fn wish(&self, caller: Option<Caller>, ask: PlaceCall) -> Result<Wish, PlaceCallError> {
        let ask = match caller {
            Some(caller) => self.preferred(caller, ask).await.map_err(|error| unreadable(&error))?,
            None => ask,
        };
        let ask = self.with_agents(caller, ask)?;
        let account_phone = self.handoff_phone(caller, &ask).await;
        let now = clock::now();
        let mut wish = Wish::parse(ask, account_phone, &self.inner.settings, &self.inner.admission)?;
        if let Some(caller) = caller.filter(|_| wish.ask.approval.is_none()) {
            wish.ties.proactive =
                self.is_to_user(caller.owner, &wish.to).await.map_err(|error| unreadable(&error))?;
        }
        wish.ask.bound = caller.is_some_and(|caller| caller.bound);
        wish.bound_to = self.bound_to(caller).await.map_err(|error| unreadable(&error))?;
        if let Some(followed) = self.prior(caller, &wish.ask, &wish.to, now).await? {
            // What is asked of the same again belongs where the first call belonged.
            wish.ties.campaign = followed.campaign;
            wish.ties.follows = Some(followed.call);
            wish.brief.prior = Some(followed.prior);
        }
        Ok(wish)
    }

    /// Who may be asked on the call is decided now, by the key that asks for it.
    fn with_agents(&self, caller: Option<Caller>, ask: PlaceCall) -> Result<PlaceCall, PlaceCallError> {
        let is_admin = caller.is_some_and(|caller| caller.admin);
        let granted = self.inner.settings.agents.granted(ask.agents.clone(), ask.role, is_admin);
        let refused = |why: &str| PlaceCallError::InvalidField { field: "agents", why: why.to_owned() };
        Ok(PlaceCall { agents: granted.map_err(refused)?, ..ask })
    }

    /// The phone of the account, where it is asked for.
    pub(super) async fn handoff_phone(
        &self,
        caller: Option<Caller>,
        ask: &PlaceCall,
    ) -> Result<PhoneNumber, AccountPhoneError> {
        match caller.filter(|caller| ask.loop_in_user && !caller.anonymous) {
            Some(caller) => self.account_phone(caller.owner).await,
            None => Err(AccountPhoneError::Unavailable),
        }
    }

    /// Place one of the calls of a campaign.
    pub(super) async fn place_for_campaign(
        &self,
        caller: Caller,
        campaign: CampaignId,
        ask: PlaceCall,
    ) -> Result<CallId, PlaceCallError> {
        self.check_open()?;
        self.check_has_key(caller.owner).await?;
        let mut wish = self.wish(Some(caller), ask).await?;
        wish.ties.campaign = Some(campaign);
        Ok(self.admit(Payer::Known(caller), wish).await?.call_id)
    }

    /// Place the call of a schedule.
    pub(super) async fn place_for_schedule(
        &self,
        caller: Caller,
        schedule: ScheduleId,
        ask: PlaceCall,
    ) -> Result<CallId, PlaceCallError> {
        self.check_open()?;
        let mut wish = self.wish(Some(caller), ask).await?;
        wish.ties.schedule = Some(schedule);
        // In a task of its own: a run that is given up must not leave a call behind that is stored but never started.
        let gateway = self.clone();
        let admitted = tokio::spawn(async move { gateway.admit(Payer::Known(caller), wish).await }).await;
        Ok(admitted.map_err(|_| PlaceCallError::Fault)??.call_id)
    }

    /// Place the call of an approval.
    pub(super) async fn place_for_approval(
        &self,
        caller: Caller,
        ask: PlaceCall,
    ) -> Result<CallId, PlaceCallError> {
        self.check_open()?;
        let wish = self.wish(Some(caller), ask).await?;
        Ok(self.admit(Payer::Known(caller), wish).await?.call_id)
    }

    /// A place among the requests that are worked on. Past the limit a request is better refused at once than
    /// answered when its client has given up.
    pub(super) fn queue_up(&self) -> Result<Placing, PlaceCallError> {
        let before = self.inner.placing.fetch_add(1, Ordering::Relaxed);
        let placing = Placing(self.clone());
        if before < MAX_PLACING { Ok(placing) } else { Err(PlaceCallError::Overloaded) }
    }

    pub(super) fn check_open(&self) -> Result<(), PlaceCallError> {
        if self.inner.engine.is_draining() {
            return Err(PlaceCallError::ShuttingDown);
        }
        if !self.inner.settings.calling {
            return Err(PlaceCallError::CallingDisabled);
        }
        self.store_away().map_or(Ok(()), |why| Err(PlaceCallError::StoreAway { why }))
    }

    /// From the idempotency key to the session. Calls with different keys pass each other.
    async fn admit(&self, payer: Payer, wish: Wish) -> Result<Placed, PlaceCallError> {
        let (caller, minted) = match payer {
            Payer::Known(caller) => (caller, None),
            Payer::New(minted) => (minted.caller(), Some(minted)),
        };
        let _only_one = match &wish.ask.idempotency {
            Some(idempotency) => Some(self.inner.in_flight.only_one(caller.owner, &idempotency.key).await),
            None => None,
        };
        if let Some(idempotency) = &wish.ask.idempotency
            && let Some(call_id) = self.placed_before(caller, idempotency).await?
        {
            return self.repeated(call_id, caller, minted).await;
        }
        if wish.ask.idempotency.is_some()
            && let Some(minted) = &minted
        {
            self.minted_before(minted).await?;
        }
        // One after the other, so that each counts the one before it.
        let _only_idea = match wish.ties.proactive {
            true => Some(self.inner.in_flight.only_one(caller.owner, PROACTIVE).await),
            false => None,
        };
        let _starting = self.inner.starting.read().await;
        self.check_open()?;
        let new_key = minted.as_ref().map(Minted::new_key);
        let now = clock::now();
        check_window(&wish.ask, now)?;
        let due = wish.due(now);
        let call_id = match due {
            Some(due) => self.schedule_call(caller, &wish, new_key, due).await?,
            None => self.let_in(caller, wish, new_key).await?,
        };
        minted.as_ref().inspect(|minted| self.learn(minted));
        let minted_key = minted.map(|minted| minted.key);
        Ok(Placed { call_id, caller, minted_key, repeated: false, waits: due.is_some() })
    }

    /// Take a place, write the call down, start it.
    async fn let_in(
        &self,
        caller: Caller,
        mut wish: Wish,
        minted: Option<NewKey>,
    ) -> Result<CallId, PlaceCallError> {
        let now = clock::now();
        wish.ties.repeats = self.tried_before(caller, &wish, now).await?;
        let mut taken = self.take_place(caller, &wish, now).await?;
        let new = wish.new_call(caller.owner, minted, &taken.allow, now);
        let (id, last_seq) = (new.id, new.entries.len() as u64);
        match self.inner.engine.writer().insert(new).await {
            Ok(Inserted::New) => taken.place.keep(),
            // Only by a process that has no claim; the place is given back.
            Ok(Inserted::Existing(existing)) => return Ok(existing),
            Ok(Inserted::KeyReused) => return Err(PlaceCallError::IdempotencyKeyReused),
            Err(error) => return Err(not_written(error)),
        }
        self.remember(caller, &wish, id, now);
        let has_webhook = wish.ask.webhook_url.is_some();
        self.start(caller, wish, taken, (id, last_seq));
        if has_webhook {
            self.inner.webhooks.follow(id, caller.owner, self.inner.engine.subscribe(id));
        }
        Ok(id)
    }

    /// Start a call that is written down, with its first facts.
    pub(super) fn start(
        &self,
        caller: Caller,
        wish: Wish,
        LetIn { allow, place, lines }: LetIn,
        (id, last_seq): (CallId, u64),
    ) {
        let (owner, redials) = (caller.owner, wish.ties.repeats.is_none());
        let start = Start { id, owner, leg: None, brief: wish.brief, last_seq, redials, lines, place };
        self.inner.engine.start(allow, start);
    }

    pub(super) async fn take_place(
        &self,
        caller: Caller,
        wish: &Wish,
        now: Timestamp,
    ) -> Result<LetIn, PlaceCallError> {
        let lines = self.usable_lines(caller, wish.from.as_ref()).await?;
        let ask = Ask { line: lines.line.as_ref(), ..wish.asked() };
        let taken = self.visit(caller, wish).await?.take(&ask, lines.room, now);
        let (allow, place) = taken.map_err(|no| lines.refused(no))?;
        Ok(LetIn { allow, place, lines: lines.of_user })
    }

    /// Whether there would be a place just now; none is taken. `Err`: it can't be told.
    pub(super) async fn would_refuse(
        &self,
        caller: Caller,
        wish: &Wish,
        now: Timestamp,
    ) -> Result<Option<PlaceCallError>, PlaceCallError> {
        let lines = match self.usable_lines(caller, wish.from.as_ref()).await {
            Ok(lines) => lines,
            Err(no @ (PlaceCallError::NoLine | PlaceCallError::DialFailed)) => return Ok(Some(no)),
            Err(error) => return Err(error),
        };
        let ask = Ask { line: lines.line.as_ref(), ..wish.asked() };
        let asked = self.visit(caller, wish).await?.ask(&ask, lines.room, now);
        Ok(asked.err().map(|no| lines.refused(no)))
    }

    /// What is known of the caller and the number.
    async fn visit(&self, caller: Caller, wish: &Wish) -> Result<Visit, PlaceCallError> {
        let store = &self.inner.store;
        let visit = self.inner.admission.visit(store, caller.account(), &wish.to).await;
        let mut visit = visit.map_err(|error| unreadable(&error))?.bound_to(wish.bound_to.clone());
        if let Some(user) = &wish.user {
            let phones = self.own_phones(caller.owner).await.map_err(|error| unreadable(&error))?;
            visit = visit.with_user(store, user, phones).await.map_err(|error| unreadable(&error))?;
        }
        if wish.ties.proactive {
            let proactive = self.proactive_now(caller.owner, clock::now()).await;
            let proactive = proactive.map_err(|error| unreadable(&error))?;
            // Who asks to be called is awake, and wants it; it counts all the same.
            let asked_for =
                Proactive { wanted: true, quiet_until: None, least_gap: Duration::ZERO, ..proactive };
            visit = visit.proactive(if wish.ask.by_user { asked_for } else { proactive });
        }
        if !caller.anonymous {
            return Ok(visit);
        }
        visit.on_trial(store, caller.owner).await.map_err(|error| unreadable(&error))
    }

    /// A repeat is answered before any limit is counted: it adds no call.
    async fn placed_before(
        &self,
        caller: Caller,
        idempotency: &Idempotency,
    ) -> Result<Option<CallId>, PlaceCallError> {
        match self.inner.store.idempotent_call(caller.owner, idempotency).await {
            Ok(None | Some(Inserted::New)) => Ok(None),
            Ok(Some(Inserted::Existing(id))) => Ok(Some(id)),
            Ok(Some(Inserted::KeyReused)) => Err(PlaceCallError::IdempotencyKeyReused),
            Err(error) => Err(unreadable(&error)),
        }
    }

    /// The call exists. Whoever repeats a first call may have its key again, for a while.
    async fn repeated(
        &self,
        call_id: CallId,
        caller: Caller,
        minted: Option<Minted>,
    ) -> Result<Placed, PlaceCallError> {
        if let Some(minted) = &minted {
            self.minted_before(minted).await?.ok_or(AuthError::KeyRequired)?;
        }
        let minted_key = minted.map(|minted| minted.key);
        Ok(Placed { call_id, caller, minted_key, repeated: true, waits: false })
    }
}

pub(super) fn unreadable(error: &StoreError) -> PlaceCallError {
    tracing::error!(%error, "what a call is checked against could not be read");
    PlaceCallError::StoreAway { why: "the database can't be read" }
}

impl From<NoPlace> for PlaceCallError {
    fn from(no: NoPlace) -> Self {
        match no {
            NoPlace::Refused(refusal) => refusal.into(),
            NoPlace::NoLine => Self::NoLine,
        }
    }
}

pub(super) fn not_written(error: InsertError) -> PlaceCallError {
    match error {
        InsertError::Unavailable(why) => PlaceCallError::StoreAway { why },
        // The owner was deleted since the key was looked up.
        InsertError::Refused(InsertCallError::UnknownOwner) => AuthError::InvalidKey.into(),
        InsertError::Refused(error) => {
            tracing::error!(%error, "a call could not be stored and was not placed");
            PlaceCallError::Fault
        }
    }
}

/// Gives its place back when dropped.
pub(super) struct Placing(Gateway);

impl Drop for Placing {
    fn drop(&mut self) {
        self.0.inner.placing.fetch_sub(1, Ordering::Relaxed);
    }
}
