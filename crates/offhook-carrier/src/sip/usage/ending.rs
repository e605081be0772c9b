//! Hanging up: in whatever state the call is, and certain to come to an end.

use offhook_core::{EndReason, LegEvent};

use super::{Cx, Effect, Heard, NoReply, Phase, Purpose, Usage};
use crate::sip::message::{Method, Response};
use crate::sip::net::Flow;
use crate::sip::reason;

impl Usage {
    pub fn hang_up(&mut self, cx: &mut Cx<'_>, why: EndReason) {
        if self.hang_up.is_some() {
            return;
        }
        match &mut self.phase {
            Phase::Calling(heard) => {
                self.hang_up = Some(why);
                // A CANCEL before the first provisional response could overtake its INVITE (RFC 3261 §9.1).
                if *heard == Heard::Provisional {
                    *heard = Heard::Cancelled;
                    cx.out.push(Effect::Cancel { reason: why });
                }
                self.close_at = Some(cx.now + self.timing.timeout());
            }
            Phase::Incoming { transaction, invite } => {
                let mut response = invite.response(reason::refusal(why), &self.local_tag);
                response.headers.push("Reason", reason::header(why));
                cx.out.push(Effect::Respond { transaction: *transaction, response });
                self.tell_end(LegEvent::Closed);
                self.over();
            }
            Phase::Live => self.hang_up_live(cx, why),
            Phase::Ending | Phase::Over => {}
        }
    }

    pub(super) fn hang_up_live(&mut self, cx: &mut Cx<'_>, why: EndReason) {
        self.hang_up = Some(why);
        self.close_at = Some(cx.now + self.timing.timeout() / 4);
        // Our 2xx has to be acknowledged, or to time out, before a BYE may follow (RFC 3261 §15).
        if self.unacknowledged.is_none() {
            self.bye(cx, why);
        }
    }

    pub(super) fn bye(&mut self, cx: &mut Cx<'_>, why: EndReason) {
        self.phase = Phase::Ending;
        self.refuse_open_offer(cx, 487);
        self.request_in_dialog(cx, Method::Bye, Purpose::Bye, |bye| {
            bye.headers.push("Reason", reason::header(why));
        });
    }

    /// The signalling of a live call failed: nothing more will be heard of it.
    pub(super) fn lose(&mut self, cx: &mut Cx<'_>) {
        self.tell_end(LegEvent::Lost);
        self.bye(cx, EndReason::CarrierLost);
    }

    /// The far end had long enough to confirm.
    pub(super) fn give_up_waiting(&mut self, cx: &mut Cx<'_>) {
        self.tell_end(LegEvent::Closed);
        match self.phase {
            Phase::Calling(_) => {
                cx.out.push(Effect::Abandon);
                self.refuse_open_offer(cx, 487);
                self.over();
            }
            Phase::Live => self.bye(cx, self.hang_up.unwrap_or(EndReason::OwnerCancelled)),
            _ => {}
        }
    }

    pub fn on_response(&mut self, cx: &mut Cx<'_>, purpose: Purpose, response: Response, flow: Flow) {
        match purpose {
            Purpose::Invite => self.on_invite_response(cx, response, flow),
            Purpose::Refresh => self.on_refresh_response(cx, response),
            Purpose::Bye if response.status >= 200 => self.on_bye_done(),
            Purpose::Bye | Purpose::Aside => {}
        }
    }

    pub fn on_no_reply(&mut self, cx: &mut Cx<'_>, purpose: Purpose, why: NoReply) {
        match purpose {
            Purpose::Invite => self.on_invite_without_reply(cx, why),
            Purpose::Refresh if matches!(self.phase, Phase::Live) => self.lose(cx),
            Purpose::Bye => self.on_bye_done(),
            Purpose::Refresh | Purpose::Aside => {}
        }
    }

    fn on_bye_done(&mut self) {
        if matches!(self.phase, Phase::Ending) {
            self.tell_end(LegEvent::Closed);
            self.over();
        }
    }

    pub(super) fn refuse_open_offer(&mut self, cx: &mut Cx<'_>, status: u16) {
        if let Some(offered) = self.offered.take() {
            self.respond(cx, offered.transaction, &offered.request, status);
        }
    }
}
