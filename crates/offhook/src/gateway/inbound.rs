//! Calls to our lines.

use offhook_carrier::IncomingCall;
use offhook_core::brief::{Brief, Introduction, Opening};
use offhook_core::policy::Ask;
use offhook_core::{EndReason, LegCommand, OwnerId, PhoneNumber, Timestamp};
use offhook_store::{CallRequest, Direction, InboundProfile, StoreError};

use super::{Gateway, Inbound, VOICES, wish};
use crate::admission::{NoPlace, Visit};
use crate::clock;
use crate::engine::Start;

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
        let answer = match self.answer(&incoming).await {
            Ok(Some(answer)) => answer,
            Ok(None) => return decline(&mut incoming, EndReason::PolicyRefused),
            Err(error) => {
                tracing::error!(%error, "how an inbound call is answered can't be read; it was declined");
                return decline(&mut incoming, EndReason::GatewayFault);
            }
        };
        let (line, now) = (incoming.leg.line().clone(), clock::now());
        let Answer { owner, brief, user, alone, put_through } = answer;
        let ask = Ask { handoff: user.as_ref(), put_through, ..Ask::inbound() };
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
                tracing::info!(rule = refusal.rule.code(), "an inbound call was declined");
                return decline(&mut incoming, EndReason::PolicyRefused);
            }
        };
        let user = allow.handoff().map(|user| user.user().as_e164().to_owned());
        let request = CallRequest { user_number: user, ..request(&incoming, &brief) };
        let new = wish::queued(owner, Direction::Inbound, request, &allow, now);
        let (id, last_seq) = (new.id, new.entries.len() as u64);
        if let Err(error) = self.inner.engine.writer().insert(new).await {
            tracing::error!(%error, "an inbound call could not be stored and was declined");
            return decline(&mut incoming, EndReason::GatewayFault);
        }
        place.keep();
        let leg = Some(Box::new(incoming.leg));
        self.inner
            .engine
            .start(allow, Start { id, owner, leg, brief, last_seq, redials: false, lines, place });
    }

    /// How a call is answered, and whose it is; `None`: not at all.
    async fn answer(&self, incoming: &IncomingCall) -> Result<Option<Answer>, StoreError> {
        let Some(holder) = self.holder_of(incoming.leg.line()).await? else {
            let inbound = self.inner.settings.inbound.clone();
            return Ok(inbound.map(|inbound| Answer {
                owner: Self::operator(),
                brief: self.inbound_brief(inbound),
                user: None,
                alone: false,
                put_through: false,
            }));
        };
        let owner = holder.owner;
        let Some(profile) = self.inner.store.inbound_profile(owner).await? else { return Ok(None) };
        if incoming.from.as_ref().is_some_and(|from| profile.passes(from.as_e164())) {
            return Ok(self.put_through(owner, incoming).await);
        }
        let preferred = self.inner.store.preferences(owner).await?.unwrap_or_default();
        let user = self.looped_in(owner, &profile, incoming).await;
        let introduction = match preferred.warm_greeting.unwrap_or(true) {
            true => Introduction::Warm,
            false => Introduction::Straight,
        };
        let inbound = Inbound {
            instructions: profile.instructions,
            greeting: Some(profile.greeting),
            personality: preferred.personality,
            voice: preferred.voice.unwrap_or_else(|| VOICES[0].to_owned()),
        };
        let handoff = user.as_ref().map(|_| introduction);
        let brief = Brief { handoff, ..self.inbound_brief(inbound) };
        Ok(Some(Answer { owner, brief, user, alone: true, put_through: false }))
    }

    /// The owner's own phone rings for this caller; `None` where there is none that may be called.
    async fn put_through(&self, owner: OwnerId, incoming: &IncomingCall) -> Option<Answer> {
        let user = self.account_phone(owner).await.map_err(|error| error.to_string());
        let user = self.connectable(owner, user, incoming).await?;
        let inbound = Inbound {
            instructions: String::new(),
            greeting: None,
            personality: None,
            voice: VOICES[0].to_owned(),
        };
        let brief = self.inbound_brief(inbound);
        Some(Answer { owner, brief, user: Some(user), alone: false, put_through: true })
    }

    /// Whom the owner of a line wants its callers to be connected with; `None` where there is nobody, or the number is
    /// none that may be called. The call is answered all the same.
    async fn looped_in(
        &self,
        owner: OwnerId,
        profile: &InboundProfile,
        incoming: &IncomingCall,
    ) -> Option<PhoneNumber> {
        let user = match profile.loop_in_user {
            Some(false) => return None,
            Some(true) => self.account_phone(owner).await.map_err(|error| error.to_string()),
            None => profile.handoff_number.as_ref()?.parse().map_err(|error| format!("{error}")),
        };
        self.connectable(owner, user, incoming).await
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
        let visit = visit.with_user(store, user, self.own_phones(owner).await?).await?;
        Ok((visit, lines))
    }

    async fn connectable(
        &self,
        owner: OwnerId,
        user: Result<PhoneNumber, String>,
        incoming: &IncomingCall,
    ) -> Option<PhoneNumber> {
        let phones = self.own_phones(owner).await.unwrap_or_default();
        let decided = user.and_then(|user| {
            let decided = self.inner.admission.check_user(&user, incoming.from.as_ref(), &phones, None);
            decided.map(|_| user).map_err(|refusal| refusal.message)
        });
        decided.inspect_err(|why| tracing::warn!(why, "nobody can be connected to an inbound call")).ok()
    }

    fn inbound_brief(&self, inbound: Inbound) -> Brief {
        let settings = &self.inner.settings;
        Brief {
            personality: inbound.personality,
            greeting: inbound.greeting,
            voice: inbound.voice,
            language: settings.language.clone(),
            // Whoever is called speaks first.
            opening: Opening::SpeakFirst,
            disclosure: settings.disclosure,
            mask_secrets: settings.mask_secrets,
            restrict_data: settings.restrict_data,
            ..Brief::new(inbound.instructions)
        }
    }
}

/// How a call is answered.
struct Answer {
    owner: OwnerId,
    brief: Brief,
    /// Whom the caller may be connected with.
    user: Option<PhoneNumber>,
    /// The line carries one call at a time.
    alone: bool,
    /// The user is all the call is for.
    put_through: bool,
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
