//! Placing a call: check everything, write it down, only then start it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use offhook_core::brief::{Brief, Voicemail};
use offhook_core::policy::{Allow, Ask, Facts, Recent};
use offhook_core::{CallId, Fact, JournalEntry, OwnerId, PhoneNumber, Timestamp};
use offhook_store::{CallRequest, Direction, Inserted, NewCall};
use rand::RngCore as _;

use super::{AuthError, Gateway, PlaceCall, PlaceCallError, Placed};
use crate::clock;
use crate::engine::{Start, Way};

/// The voices of the contract; the first is the default.
pub const VOICES: [&str; 4] = ["jessica", "sarah", "chris", "eric"];

/// At some two hundred calls a second these wait for about a second.
const MAX_PLACING: usize = 256;

/// A day, for the calls per day.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Gateway {
    /// Place a call for whoever holds this key, or for a new owner when there is none.
    ///
    /// The checks come in the contract's order, and no call exists after an error.
    pub async fn place_call(&self, key: Option<&str>, ask: PlaceCall) -> Result<Placed, PlaceCallError> {
        let _placing = self.queue_up()?;
        if self.inner.engine.is_draining() {
            return Err(PlaceCallError::ShuttingDown);
        }
        if !self.inner.settings.calling {
            return Err(PlaceCallError::CallingDisabled);
        }
        let caller = match self.authenticate(key).await {
            Ok(caller) => Some(caller.owner),
            Err(AuthError::KeyRequired) if self.inner.settings.mint_keys => None,
            Err(error) => return Err(error.into()),
        };
        let wish = Wish::parse(ask, self)?;
        let (owner, minted_key) = match caller {
            Some(owner) => (owner, None),
            None => {
                let minted = self.mint(wish.ask.idempotency.as_ref()).await?;
                (minted.owner, Some(minted.key))
            }
        };
        // In a task of its own: a client that goes away must not leave a call behind that is stored but never started.
        let gateway = self.clone();
        let admitted = tokio::spawn(async move { gateway.admit(owner, wish).await }).await;
        let (call_id, repeated) = admitted.map_err(|_| PlaceCallError::Store)??;
        Ok(Placed { call_id, minted_key, repeated })
    }

    /// A place among the requests that are worked on. Past the limit a request is better refused at once than
    /// answered when its client has given up.
    fn queue_up(&self) -> Result<Placing, PlaceCallError> {
        let before = self.inner.placing.fetch_add(1, Ordering::Relaxed);
        let placing = Placing(self.clone());
        if before < MAX_PLACING { Ok(placing) } else { Err(PlaceCallError::Overloaded) }
    }

    /// From the policy's decision to the session, one call at a time.
    async fn admit(&self, owner: OwnerId, wish: Wish) -> Result<(CallId, bool), PlaceCallError> {
        let _admission = self.inner.admission.lock().await;
        if self.inner.engine.is_draining() {
            return Err(PlaceCallError::ShuttingDown);
        }
        if let Some(existing) = self.repeated(owner, &wish).await? {
            return Ok((existing, true));
        }
        let now = clock::now();
        let allow = self.decide(owner, &wish, now).await?;
        self.check_free_line(wish.from.as_ref())?;
        let id = CallId::from_parts(now, random());
        let new = new_call(id, owner, &wish, &allow, now);
        match self.inner.store.insert_call(&new).await {
            Ok(Inserted::New) => {}
            Ok(Inserted::Existing(existing)) => return Ok((existing, true)),
            Ok(Inserted::KeyReused) => return Err(PlaceCallError::IdempotencyKeyReused),
            Err(error) => {
                tracing::error!(%error, "a call could not be stored and was not placed");
                return Err(PlaceCallError::Store);
            }
        }
        let last_seq = new.entries.len() as u64;
        let way = Way::Outbound { to: wish.to.clone(), from: wish.from };
        self.inner
            .engine
            .start(allow, Start { id, owner, remote: Some(wish.to), way, brief: wish.brief, last_seq });
        Ok((id, false))
    }

    /// A repeat is answered before any limit is counted: it adds no call.
    async fn repeated(&self, owner: OwnerId, wish: &Wish) -> Result<Option<CallId>, PlaceCallError> {
        let Some(idempotency) = &wish.ask.idempotency else { return Ok(None) };
        match self.inner.store.idempotent_call(owner, &store_idempotency(idempotency)).await {
            Ok(None | Some(Inserted::New)) => Ok(None),
            Ok(Some(Inserted::Existing(id))) => Ok(Some(id)),
            Ok(Some(Inserted::KeyReused)) => Err(PlaceCallError::IdempotencyKeyReused),
            Err(error) => {
                tracing::error!(%error, "an idempotency key could not be looked up");
                Err(PlaceCallError::Store)
            }
        }
    }

    async fn decide(&self, owner: OwnerId, wish: &Wish, now: Timestamp) -> Result<Allow, PlaceCallError> {
        let (of_owner, to_destination, last_ended_at) = self.recent_calls(owner, &wish.to, now).await?;
        let live = self.inner.engine.live_counts(owner, Some(&wish.to));
        let facts = Facts {
            own_lines: &self.inner.settings.lines,
            live_calls: live.all,
            live_calls_of_owner: live.of_owner,
            live_calls_to_destination: live.to_destination,
            calls_of_owner: of_owner,
            calls_to_destination: to_destination,
            last_call_to_destination_ended_at: last_ended_at,
            ..Facts::default()
        };
        let ask = Ask { talk_limit: wish.ask.max_duration, ..Ask::outbound(&wish.to) };
        self.inner.policy.decide(&ask, &facts, now).into_result().map_err(|refusal| PlaceCallError::Refused {
            rule: refusal.rule,
            code: refusal.code,
            message: refusal.message,
            retry_after: refusal.retry_after,
        })
    }

    /// The calls of the last day, of this owner and to this number, and when the last one to it ended.
    async fn recent_calls(
        &self,
        owner: OwnerId,
        to: &PhoneNumber,
        now: Timestamp,
    ) -> Result<(Recent, Recent, Option<Timestamp>), PlaceCallError> {
        let store = &self.inner.store;
        let counted = async {
            let of_owner = store.recent_calls_of(owner, now - DAY).await?;
            let to_destination = store.recent_calls_to(to.as_e164(), now - DAY).await?;
            let last_ended_at = store.last_call_to_ended_at(to.as_e164()).await?;
            Ok::<_, offhook_store::StoreError>((of_owner, to_destination, last_ended_at))
        };
        counted.await.map_err(|error| {
            tracing::error!(%error, "the calls of the last day could not be counted");
            PlaceCallError::Store
        })
    }

    /// A line is taken at dialling time; a call that could not get one is better refused now.
    fn check_free_line(&self, from: Option<&PhoneNumber>) -> Result<(), PlaceCallError> {
        let lines = self.inner.engine.carrier().lines();
        let mut candidates =
            lines.iter().filter(|line| from.is_none_or(|from| line.number == *from)).peekable();
        if candidates.peek().is_none() {
            let why = "is not one of our lines".to_owned();
            return Err(PlaceCallError::InvalidField { field: "from", why });
        }
        let (mut limit, mut busy) = (0, 0);
        for line in candidates {
            limit += line.limit;
            busy += line.busy;
        }
        // A call that was let in takes its line a moment later, when its model is ready; one that is over gives its
        // line back a moment later, when the far end has confirmed.
        if busy.max(self.inner.engine.live_on(from)) >= limit { Err(PlaceCallError::NoLine) } else { Ok(()) }
    }
}

/// Gives its place back when dropped.
struct Placing(Gateway);

impl Drop for Placing {
    fn drop(&mut self) {
        self.0.inner.placing.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A wish whose fields have all been parsed.
struct Wish {
    ask: PlaceCall,
    to: PhoneNumber,
    from: Option<PhoneNumber>,
    voice: String,
    brief: Brief,
}

impl Wish {
    fn parse(ask: PlaceCall, gateway: &Gateway) -> Result<Self, PlaceCallError> {
        let settings = &gateway.inner.settings;
        required("to", &ask.to)?;
        required("task", &ask.task)?;
        let to = phone("to", &ask.to)?;
        let from = ask.from.as_deref().map(|from| phone("from", from)).transpose()?;
        if let Some(number) = &ask.bridge_number {
            phone("bridge_number", number)?;
        }
        let voice = ask.voice.clone().unwrap_or_else(|| VOICES[0].to_owned());
        if !VOICES.contains(&voice.as_str()) {
            return Err(PlaceCallError::InvalidVoice);
        }
        let message = ask.voicemail_message.clone().filter(|message| !message.trim().is_empty());
        let brief = Brief {
            task: ask.task.clone(),
            personality: ask.personality.clone(),
            greeting: ask.greeting.clone(),
            voice: voice.clone(),
            language: ask.language.clone().unwrap_or_else(|| settings.language.clone()),
            opening: settings.opening,
            disclosure: settings.disclosure,
            voicemail: message.map_or(Voicemail::HangUp, Voicemail::LeaveMessage),
        };
        Ok(Self { ask, to, from, voice, brief })
    }
}

fn required(field: &'static str, value: &str) -> Result<(), PlaceCallError> {
    if value.trim().is_empty() { Err(PlaceCallError::MissingField { field }) } else { Ok(()) }
}

fn phone(field: &'static str, text: &str) -> Result<PhoneNumber, PlaceCallError> {
    PhoneNumber::parse(text).map_err(|error| PlaceCallError::InvalidPhone { field, why: error.to_string() })
}

pub(super) fn random() -> [u8; 10] {
    let mut bytes = [0; 10];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

fn store_idempotency(idempotency: &super::Idempotency) -> offhook_store::Idempotency {
    offhook_store::Idempotency { key: idempotency.key.clone(), request_hash: idempotency.request_hash }
}

fn new_call(id: CallId, owner: OwnerId, wish: &Wish, allow: &Allow, now: Timestamp) -> NewCall {
    let request = CallRequest {
        to: wish.to.as_e164().to_owned(),
        from: wish.from.as_ref().map(|from| from.as_e164().to_owned()),
        line: wish.from.as_ref().map(|from| from.as_e164().to_owned()),
        task: wish.ask.task.clone(),
        personality: wish.ask.personality.clone(),
        greeting: wish.ask.greeting.clone(),
        voice: wish.voice.clone(),
        language: wish.brief.language.clone(),
        bridge_number: wish.ask.bridge_number.clone(),
        extra: None,
    };
    let queued = JournalEntry { seq: 1, at: now, fact: Fact::Queued { policy: allow.policy() } };
    NewCall {
        id,
        owner,
        idempotency: wish.ask.idempotency.as_ref().map(store_idempotency),
        direction: Direction::Outbound,
        request,
        queued_at: now,
        entries: vec![queued],
    }
}
