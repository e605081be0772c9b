//! Calls to our lines.

use offhook_carrier::IncomingCall;
use offhook_core::brief::{Brief, Opening, Voicemail};
use offhook_core::policy::{Ask, Facts};
use offhook_core::{CallId, EndReason, Fact, JournalEntry, LegCommand, OwnerId, Timestamp};
use offhook_store::{CallRequest, Direction, NewCall};

use super::{Gateway, Inbound, place};
use crate::clock;
use crate::engine::{Start, Way};

impl Gateway {
    /// Whose inbound calls are: nobody asked for them, so they belong to the operator, who reads them with an admin key.
    fn operator() -> OwnerId {
        OwnerId::from_parts(Timestamp::default(), [0; 10])
    }

    /// Answer a call, or decline it with the reason the caller's network understands.
    pub async fn take(&self, mut incoming: IncomingCall) {
        let Some(inbound) = self.inner.settings.inbound.clone() else {
            return decline(&mut incoming, EndReason::PolicyRefused);
        };
        let _admission = self.inner.admission.lock().await;
        if self.inner.engine.is_draining() {
            return decline(&mut incoming, EndReason::GatewayShutdown);
        }
        let now = clock::now();
        let live = self.inner.engine.live_counts(Self::operator(), incoming.from.as_ref());
        let facts = Facts {
            own_lines: &self.inner.settings.lines,
            live_calls: live.all,
            live_calls_of_owner: live.of_owner,
            ..Facts::default()
        };
        let allow = match self.inner.policy.decide(&Ask::inbound(), &facts, now).into_result() {
            Ok(allow) => allow,
            Err(refusal) => {
                tracing::info!(rule = refusal.rule.code(), "an inbound call was declined");
                return decline(&mut incoming, EndReason::PolicyRefused);
            }
        };
        let id = CallId::from_parts(now, place::random());
        let brief = self.inbound_brief(inbound);
        let queued = JournalEntry { seq: 1, at: now, fact: Fact::Queued { policy: allow.policy() } };
        let new = NewCall {
            id,
            owner: Self::operator(),
            idempotency: None,
            direction: Direction::Inbound,
            request: request(&incoming, &brief),
            queued_at: now,
            entries: vec![queued],
        };
        let stored = async {
            self.inner.store.create_owner(Self::operator(), now).await.ok()?;
            self.inner.store.insert_call(&new).await.ok()
        };
        if stored.await.is_none() {
            tracing::error!("an inbound call could not be stored and was declined");
            return decline(&mut incoming, EndReason::GatewayFault);
        }
        let way = Way::Inbound(Box::new(incoming.leg));
        let owner = Self::operator();
        self.inner.engine.start(allow, Start { id, owner, remote: incoming.from, way, brief, last_seq: 1 });
    }

    fn inbound_brief(&self, inbound: Inbound) -> Brief {
        let settings = &self.inner.settings;
        Brief {
            task: inbound.instructions,
            personality: inbound.personality,
            greeting: inbound.greeting,
            voice: inbound.voice,
            language: settings.language.clone(),
            // Whoever is called speaks first.
            opening: Opening::SpeakFirst,
            disclosure: settings.disclosure,
            voicemail: Voicemail::HangUp,
        }
    }
}

fn decline(incoming: &mut IncomingCall, reason: EndReason) {
    // A leg that takes no command hangs up when it is dropped.
    let _ = incoming.leg.send(LegCommand::HangUp { reason });
}

fn request(incoming: &IncomingCall, brief: &Brief) -> CallRequest {
    CallRequest {
        to: incoming.leg.line().as_e164().to_owned(),
        from: incoming.from.as_ref().map(|from| from.as_e164().to_owned()),
        line: Some(incoming.leg.line().as_e164().to_owned()),
        task: brief.task.clone(),
        personality: brief.personality.clone(),
        greeting: brief.greeting.clone(),
        voice: brief.voice.clone(),
        language: brief.language.clone(),
        bridge_number: None,
        extra: None,
    }
}
