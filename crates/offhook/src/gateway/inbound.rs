//! Calls to our lines.

use offhook_carrier::IncomingCall;
use offhook_core::brief::{Brief, Opening, Voicemail};
use offhook_core::{EndReason, LegCommand, OwnerId, Timestamp};
use offhook_store::{CallRequest, Direction};

use super::{Gateway, Inbound, wish};
use crate::clock;
use crate::engine::Start;

impl Gateway {
    /// Whose inbound calls are: nobody asked for them, so they belong to the operator, who reads them with an admin key.
    pub(super) fn operator() -> OwnerId {
        OwnerId::from_parts(Timestamp::default(), [0; 10])
    }

    /// Answer a call, or decline it with the reason the caller's network understands.
    pub async fn take(&self, mut incoming: IncomingCall) {
        let Some(inbound) = self.inner.settings.inbound.clone() else {
            return decline(&mut incoming, EndReason::PolicyRefused);
        };
        let _starting = self.inner.starting.read().await;
        if self.inner.engine.is_draining() {
            return decline(&mut incoming, EndReason::GatewayShutdown);
        }
        if let Some(why) = self.store_away() {
            tracing::error!(why, "an inbound call can't be written down and was declined");
            return decline(&mut incoming, EndReason::GatewayFault);
        }
        let now = clock::now();
        let (allow, mut place) = match self.inner.admission.take_inbound(Self::operator(), now) {
            Ok(let_in) => let_in,
            Err(refusal) => {
                tracing::info!(rule = refusal.rule.code(), "an inbound call was declined");
                return decline(&mut incoming, EndReason::PolicyRefused);
            }
        };
        let brief = self.inbound_brief(inbound);
        let request = request(&incoming, &brief);
        let new = wish::queued(Self::operator(), Direction::Inbound, request, &allow, now);
        let (id, last_seq) = (new.id, new.entries.len() as u64);
        if let Err(error) = self.inner.engine.writer().insert(new).await {
            tracing::error!(%error, "an inbound call could not be stored and was declined");
            return decline(&mut incoming, EndReason::GatewayFault);
        }
        place.keep();
        let leg = Some(Box::new(incoming.leg));
        let owner = Self::operator();
        self.inner.engine.start(allow, Start { id, owner, leg, brief, last_seq, redials: false, place });
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
            ..Brief::new(inbound.instructions)
        }
    }
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
