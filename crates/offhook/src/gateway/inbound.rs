//! Calls to our lines: who is let in, as whom, and what is left of those who are not.

use std::sync::Arc;

use offhook_carrier::IncomingCall;
use offhook_core::brief::{Brief, Introduction};
use offhook_core::journal::Part;
use offhook_core::policy::{Ask, CallerAllow, CallerFacts, CallerRefusal, LineRules, Rule, Standing};
use offhook_core::{CallId, DAY, EndReason, Fact, LegCommand, OwnerId, PhoneNumber, Timestamp};
use offhook_store::{AuditEntry, CallRequest, CallsOfCaller, Direction, InboundProfile, NewCall, StoreError};
use serde_json::json;
use tokio::sync::broadcast::{self, error::RecvError};

use super::reception::{self, AgentsFor, Occasion, OwnReception, Purpose, Reception, opened};
use super::{Gateway, VOICES, wish};
use crate::admission::{NoPlace, Visit};
use crate::clock;
use crate::engine::Start;
use crate::writer::ended;

/// How long spam is remembered.
const SPAM_DAYS: u32 = 90;

impl Gateway {
    /// Whose inbound calls are: nobody asked for them, so they belong to the operator, who reads them with an admin key.
    pub(super) fn operator() -> OwnerId {
        OwnerId::from_parts(Timestamp::default(), [0; 10])
    }

    /// Answer a call, or decline it with the reason the caller's network understands.
    pub async fn take(&self, mut incoming: IncomingCall) {
        let _starting = self.inner.starting.read().await;
        if self.inner.engine.is_draining() {
            return decline(&mut incoming, EndReason::GatewayShutdown);
        }
        if let Some(why) = self.store_away() {
            tracing::error!(why, "an inbound call can't be written down and was declined");
            return decline(&mut incoming, EndReason::GatewayFault);
        }
        let (line, from) = (incoming.leg.line().clone(), incoming.from.clone());
        match self.answer(&line, from.as_ref()).await {
            Ok(Ok(answer)) => self.pick_up(incoming, answer).await,
            Ok(Err(refused)) => self.turn_away(incoming, refused).await,
            Err(error) => {
                tracing::error!(%error, "how an inbound call is answered can't be read; it was declined");
                decline(&mut incoming, EndReason::GatewayFault);
            }
        }
    }

    /// Whoever calls was let in: is there a place for the call?
    async fn pick_up(&self, mut incoming: IncomingCall, answer: Answer) {
        let (line, now) = (incoming.leg.line().clone(), clock::now());
        let Answer { owner, brief, caller, reception, user, alone } = answer;
        let put_through = caller.put_through();
        let ask = Ask { handoff: user.as_ref(), ..Ask::inbound(&caller) };
        // Who is put through keeps nobody else from the line.
        let line = Some(&line).filter(|_| !put_through);
        let known = self.visit_inbound(owner, user.as_ref()).await;
        let (visit, lines) = match known {
            Ok(known) => known,
            Err(error) => {
                tracing::error!(%error, "what an inbound call counts against can't be read; it was declined");
                return decline(&mut incoming, EndReason::GatewayFault);
            }
        };
        let (allow, mut place) = match visit.take_inbound(&ask, line, alone, now) {
            Ok(let_in) => let_in,
            Err(NoPlace::NoLine) => return decline(&mut incoming, EndReason::CarrierNoLine),
            Err(NoPlace::Refused(refusal)) => {
                let (rule, why) = (refusal.rule, refusal.message);
                return self
                    .turn_away(incoming, Refused { owner, rule, why, reception: Some(reception) })
                    .await;
            }
        };
        let user = allow.handoff().map(|user| user.user().as_e164().to_owned());
        let task = if put_through { String::new() } else { reception.task(&caller) };
        let request = CallRequest { user_number: user, task, ..request(&incoming, &brief) };
        let new = wish::queued(owner, Direction::Inbound, request, &allow, now);
        let new = NewCall { webhook_url: reception.webhook_url.clone(), ..new };
        let (id, last_seq, has_webhook) = (new.id, new.entries.len() as u64, new.webhook_url.is_some());
        if let Err(error) = self.inner.engine.writer().insert(new).await {
            tracing::error!(%error, "an inbound call could not be stored and was declined");
            return decline(&mut incoming, EndReason::GatewayFault);
        }
        place.keep();
        if reception.notify.is_some() {
            self.notify_of(id).await;
        }
        let leg = Some(Box::new(incoming.leg));
        self.inner
            .engine
            .start(allow, Start { id, owner, leg, brief, last_seq, redials: false, lines, place });
        if has_webhook {
            self.inner.webhooks.follow(id, owner, self.inner.engine.subscribe(id));
        }
        if reception.notify.is_some() {
            self.tell_of_end(id);
        }
    }

    /// Whoever wants to know of the call is told when it is over.
    fn tell_of_end(&self, id: CallId) {
        let notices = Arc::clone(self.notices());
        let Some(mut feed) = self.inner.engine.subscribe(id) else { return notices.notify_one() };
        // Ends with the session of the call.
        tokio::spawn(async move {
            while !matches!(feed.recv().await, Err(RecvError::Closed)) {}
            notices.notify_one();
        });
    }

    /// How a call is answered, and whose it is; or why it is not.
    async fn answer(
        &self,
        line: &PhoneNumber,
        from: Option<&PhoneNumber>,
    ) -> Result<Result<Answer, Refused>, StoreError> {
        let holder = self.holder_of(line).await?.map(|row| row.owner);
        let owner = holder.unwrap_or_else(Self::operator);
        let profile = match holder {
            Some(owner) => self.inner.store.inbound_profile(owner).await?,
            None => None,
        };
        let reception = match (&profile, holder) {
            (Some(profile), Some(owner)) => Some(self.own_reception(owner, profile).await?),
            (None, Some(_)) => None,
            (_, None) => Some(self.inner.settings.inbound.of(line).clone()),
        };
        let Some(reception) = reception.filter(|reception| reception.purpose.is_some()) else {
            let why = "nobody has said how this line is answered".to_owned();
            return Ok(Err(Refused { owner, rule: Rule::InboundClosed, why, reception: None }));
        };
        let facts = self.caller_facts(owner, line, from, &reception).await?;
        let caller = match reception.rules.decide(from, &facts) {
            Ok(caller) => caller,
            Err(CallerRefusal { rule, why }) => {
                return Ok(Err(Refused { owner, rule, why: why.to_owned(), reception: Some(reception) }));
            }
        };
        let user = match &profile {
            _ if caller.messages_only() => None,
            Some(_) if caller.put_through() => {
                let user = self.account_phone(owner).await.map_err(|error| error.to_string());
                let user = self.connectable(owner, user, from).await;
                if user.is_none() {
                    let why = "the phone this caller is put through to can't be called".to_owned();
                    return Ok(Err(Refused { owner, rule: Rule::Handoff, why, reception: Some(reception) }));
                }
                user
            }
            Some(profile) => self.looped_in(owner, profile, from).await,
            None => match reception.user.clone() {
                Some(user) => self.connectable(owner, Ok(user), from).await,
                None => None,
            },
        };
        let brief = self.brief_of(owner, &reception, &caller, user.is_some()).await?;
        // The line of an account carries one call at a time.
        let alone = holder.is_some() && !caller.put_through();
        Ok(Ok(Answer { owner, brief, caller, reception, user, alone }))
    }

    async fn brief_of(
        &self,
        owner: OwnerId,
        reception: &Reception,
        caller: &CallerAllow,
        has_user: bool,
    ) -> Result<Brief, StoreError> {
        let settings = &self.inner.settings;
        // Who is put through hears no voice.
        if caller.put_through() {
            return Ok(reception::silent(settings));
        }
        let agents = match &reception.agents {
            // Nobody asks for them who is not trusted.
            _ if caller.standing() == Standing::Stranger => None,
            AgentsFor::Nobody => None,
            AgentsFor::All => self.inner.engine.agents().for_call(None),
            AgentsFor::Named(names) => self.inner.engine.agents().for_call(Some(names)),
        };
        let warm = if owner == Self::operator() {
            true
        } else {
            self.inner.store.preferences(owner).await?.unwrap_or_default().warm_greeting.unwrap_or(true)
        };
        let introduction = if warm { Introduction::Warm } else { Introduction::Straight };
        let handoff = has_user.then_some(introduction);
        let occasion = Occasion { allow: caller, agents, handoff };
        Ok(reception.brief(&occasion, settings).unwrap_or_else(|| reception::silent(settings)))
    }

    /// How an account wants its line answered.
    pub(super) async fn own_reception(
        &self,
        owner: OwnerId,
        profile: &InboundProfile,
    ) -> Result<Reception, StoreError> {
        let preferred = self.inner.store.preferences(owner).await?.unwrap_or_default();
        let inbound = &self.inner.settings.inbound;
        let purpose = Purpose {
            greeting: Some(profile.greeting.clone()),
            personality: preferred.personality,
            voice: preferred.voice.unwrap_or_else(|| VOICES[0].to_owned()),
            ..Purpose::new(profile.instructions.clone())
        };
        let own = profile.reception.as_deref().map(OwnReception::stored).unwrap_or_default();
        let sealed = own.pin.as_deref();
        let pin = sealed.and_then(|sealed| opened(&self.inner.secret, owner, sealed));
        if sealed.is_some() && pin.is_none() {
            tracing::error!(owner_id = %owner, "the PIN of an account can't be read; nobody is trusted by it");
        }
        let reception = own.reception(purpose, pin, &profile.passthrough_numbers, &inbound.usual);
        Ok(Reception { agents: inbound.account_agents.clone(), ..reception })
    }

    /// What the rules of a line need to know of a caller.
    async fn caller_facts(
        &self,
        owner: OwnerId,
        line: &PhoneNumber,
        caller: Option<&PhoneNumber>,
        reception: &Reception,
    ) -> Result<CallerFacts, StoreError> {
        let (store, now, rules) = (&self.inner.store, clock::now(), &reception.rules);
        let (line, caller) = (line.as_e164(), caller.map(PhoneNumber::as_e164));
        let is_counted = rules.calls_per_day.is_some()
            || rules.calls_per_day_per_caller.is_some()
            || rules.concurrent_calls.is_some()
            || rules.concurrent_calls_per_caller.is_some();
        let calls = match is_counted {
            true => store.calls_of_caller(line, caller, now - DAY).await?,
            false => CallsOfCaller::default(),
        };
        let spam_calls = match (rules.spam_calls, caller) {
            (Some(_), Some(caller)) => store.spam_calls(owner, caller, now - DAY * SPAM_DAYS).await?,
            _ => 0,
        };
        let asks_pin = rules.has_pin || rules.listed.iter().any(|listed| listed.has_pin);
        let wrong = match asks_pin {
            true => store.wrong_pins(line, caller, now - LineRules::LOCKOUT).await?,
            false => Default::default(),
        };
        Ok(CallerFacts {
            local: reception.local(now),
            calls_of_caller: calls.of_caller,
            calls_on_line: calls.on_line,
            live_calls_of_caller: calls.live_of_caller,
            live_calls_on_line: calls.live_on_line,
            spam_calls,
            wrong_pins_of_caller: wrong.of_caller,
            wrong_pins_on_line: wrong.on_line,
        })
    }

    /// Whom the owner of a line wants its callers to be connected with; `None` where there is nobody, or the number is
    /// none that may be called. The call is answered all the same.
    async fn looped_in(
        &self,
        owner: OwnerId,
        profile: &InboundProfile,
        from: Option<&PhoneNumber>,
    ) -> Option<PhoneNumber> {
        let user = match profile.loop_in_user {
            Some(false) => return None,
            Some(true) => self.account_phone(owner).await.map_err(|error| error.to_string()),
            None => profile.handoff_number.as_ref()?.parse().map_err(|error| format!("{error}")),
        };
        self.connectable(owner, user, from).await
    }

    /// What is known of whose call it is and whom it may be handed over to, and the lines for that.
    async fn visit_inbound(
        &self,
        owner: OwnerId,
        user: Option<&PhoneNumber>,
    ) -> Result<(Visit, Vec<PhoneNumber>), StoreError> {
        let (store, lines) = (&self.inner.store, self.lines_of_user(owner).await?);
        let visit = self.inner.admission.visit_inbound(store, owner).await?;
        let Some(user) = user else { return Ok((visit, lines)) };
        let visit = visit.with_user(store, user, self.phones_of(owner, user).await?).await?;
        Ok((visit, lines))
    }

    async fn connectable(
        &self,
        owner: OwnerId,
        user: Result<PhoneNumber, String>,
        from: Option<&PhoneNumber>,
    ) -> Option<PhoneNumber> {
        let phones = match &user {
            Ok(user) => self.phones_of(owner, user).await.unwrap_or_default(),
            Err(_) => Vec::new(),
        };
        let decided = user.and_then(|user| {
            let decided = self.inner.admission.check_user(&user, from, &phones, None);
            decided.map(|_| user).map_err(|refusal| refusal.message)
        });
        decided.inspect_err(|why| tracing::warn!(why, "nobody can be connected to an inbound call")).ok()
    }

    /// The phones that are known to be the owner's; what the operator configured is the operator's.
    async fn phones_of(&self, owner: OwnerId, user: &PhoneNumber) -> Result<Vec<PhoneNumber>, StoreError> {
        if owner == Self::operator() {
            return Ok(vec![user.clone()]);
        }
        self.own_phones(owner).await
    }

    /// Decline a call for the rule that refused it, and leave a record: in the audit log always, and as a call where
    /// somebody has said how the line is answered.
    async fn turn_away(&self, mut incoming: IncomingCall, refused: Refused) {
        let Refused { owner, rule, why, reception } = refused;
        decline(&mut incoming, EndReason::PolicyRefused);
        tracing::info!(rule = rule.code(), "an inbound call was declined");
        let now = clock::now();
        if !self.inner.turned_away.is_worth_a_record(now) {
            return;
        }
        let mut record = None;
        if let Some(reception) = reception {
            let request = request(&incoming, &Brief::new(String::new()));
            record = self.write_turned_away(wish::turned_away(owner, request, rule, now), rule, &why).await;
            if let Some(id) = record
                && reception.notify.as_ref().is_some_and(|notify| notify.declined)
            {
                self.notify_of(id).await;
            }
        }
        // Whole numbers are on the call, and expire with it.
        let (line, caller) = (format!("{:?}", incoming.leg.line()), incoming.from.as_ref());
        let detail =
            json!({ "rule": rule.code(), "line": line, "caller": caller.map(|from| format!("{from:?}")) });
        let entry = AuditEntry {
            at: now,
            owner: Some(owner).filter(|owner| *owner != Self::operator()),
            actor: "offhook".to_owned(),
            action: "call.declined".to_owned(),
            subject: record.map(|id| id.to_string()),
            detail: Some(detail.to_string()),
        };
        if let Err(error) = self.inner.store.append_audit(&entry).await {
            tracing::error!(%error, "that a call was declined could not be noted in the audit log");
        }
    }

    async fn write_turned_away(&self, new: NewCall, rule: Rule, why: &str) -> Option<CallId> {
        let now = new.queued_at;
        let (id, last_seq) = (new.id, new.entries.len() as u64);
        let writer = self.inner.engine.writer();
        if let Err(error) = writer.insert(new).await {
            tracing::error!(%error, "a declined call could not be stored");
            return None;
        }
        let (feed, _) = broadcast::channel(1);
        let mut journal = writer.journal(id, last_seq, feed);
        let (part, code, message) = (Part::Gateway, rule.code().to_owned(), why.to_owned());
        journal.write(now, Fact::Problem { part, code, message });
        journal.write(now, ended(EndReason::PolicyRefused, None, now));
        journal.close().await;
        Some(id)
    }
}

/// How a call is answered.
struct Answer {
    owner: OwnerId,
    brief: Brief,
    caller: CallerAllow,
    reception: Reception,
    /// Whom the caller may be connected with.
    user: Option<PhoneNumber>,
    /// The line carries one call at a time.
    alone: bool,
}

/// Why a call is not answered.
struct Refused {
    owner: OwnerId,
    rule: Rule,
    why: String,
    /// `None` where nobody has said how the line is answered.
    reception: Option<Reception>,
}

fn decline(incoming: &mut IncomingCall, reason: EndReason) {
    // A leg that takes no command hangs up when it is dropped.
    let _ = incoming.leg.send(LegCommand::HangUp { reason });
}

fn request(incoming: &IncomingCall, brief: &Brief) -> CallRequest {
    let line = incoming.leg.line().as_e164();
    CallRequest {
        to: line.to_owned(),
        from: incoming.from.as_ref().map(|from| from.as_e164().to_owned()),
        line: Some(line.to_owned()),
        ..wish::said_to(brief)
    }
}
