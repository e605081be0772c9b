//! The outbound side: an INVITE of ours until it is answered, refused or given up (RFC 3261 §13.2, RFC 3262).

use offhook_core::call::DialFailure;
use offhook_core::end::from_sip_status;
use offhook_core::{EndReason, LegEvent};

use super::{ALLOW, Cx, Effect, Heard, Hop, NoReply, Phase, Purpose, SDP, SUPPORTED, Start, Usage};
use crate::sip::dialog::Dialog;
use crate::sip::identity::Caller;
use crate::sip::message::{Method, Request, Response};
use crate::sip::net::Flow;
use crate::sip::reason;
use crate::sip::session_timer::{self, MIN_SE};
use crate::sip::uri::Uri;

/// Whom to call, as whom.
pub struct Invitation {
    pub uri: Uri,
    pub caller: Caller,
    pub to: String,
    pub route: Option<String>,
}

impl Usage {
    pub fn dial(cx: &mut Cx<'_>, start: Start, invitation: Invitation) -> Self {
        let mut call = Self::new(start, Phase::Calling(Heard::Nothing));
        let mut invite = Request::new(Method::Invite, invitation.uri);
        if let Some(route) = invitation.route {
            invite.headers.push("Route", route);
        }
        invite.headers.push("Max-Forwards", "70");
        invite.headers.push("From", format!("{};tag={}", invitation.caller.from, call.local_tag));
        invite.headers.push("To", invitation.to);
        invite.headers.push("Call-ID", call.call_id.clone());
        invite.headers.push("CSeq", "1 INVITE");
        invite.headers.push("Allow", ALLOW);
        invite.headers.push("Supported", SUPPORTED);
        for (name, value) in invitation.caller.headers {
            invite.headers.push(name, value);
        }
        call.ask_for_timer(&mut invite);
        let invite = invite.with_body(SDP, call.local_sdp.0.clone());
        call.invite = Some(invite.clone());
        cx.out.push(Effect::Request { request: invite, hop: Hop::Trunk, purpose: Purpose::Invite });
        call
    }

    fn ask_for_timer(&self, invite: &mut Request) {
        if let Some(interval) = self.session_wanted {
            invite.headers.set("Session-Expires", interval.max(MIN_SE).as_secs().to_string());
            invite.headers.set("Min-SE", MIN_SE.as_secs().to_string());
        }
    }

    pub(super) fn on_invite_response(&mut self, cx: &mut Cx<'_>, response: Response, flow: Flow) {
        match response.status {
            ..200 => self.on_provisional(cx, &response, flow),
            200..300 => self.on_accepted(cx, &response, flow),
            422 if self.hang_up.is_none() && !self.interval_raised => self.raise_interval(cx, &response),
            _ => self.on_refused(cx, &response),
        }
    }

    fn on_provisional(&mut self, cx: &mut Cx<'_>, response: &Response, flow: Flow) {
        let Phase::Calling(heard) = &mut self.phase else { return };
        self.proceeds |= response.status > 100;
        if let Some(reason) = self.hang_up {
            if std::mem::replace(heard, Heard::Cancelled) != Heard::Cancelled {
                cx.out.push(Effect::Cancel { reason });
            }
            return;
        }
        *heard = Heard::Provisional;
        if response.status == 100 {
            return;
        }
        self.flow = Some(flow);
        if !self.note_early_dialog(cx, response) {
            return;
        }
        let sdp = response.sdp();
        let had_media = self.early_media;
        self.early_media |= sdp.is_some();
        self.remote_sdp(sdp);
        let news = match response.status {
            180 => !std::mem::replace(&mut self.rang, true),
            183 => self.early_media && !had_media,
            _ => false,
        };
        if news || (self.early_media && !had_media) {
            self.tell(LegEvent::Ringing { early_media: self.early_media });
        }
    }

    /// Remember the early dialog and acknowledge a reliable response in it; `false` when it is not its turn.
    fn note_early_dialog(&mut self, cx: &mut Cx<'_>, response: &Response) -> bool {
        let Some(tag) = response.headers.to_tag() else { return true };
        let Some(invite) = &self.invite else { return true };
        let at = self.early.iter().position(|(dialog, _)| dialog.remote_tag == tag);
        let at = match (at, Dialog::of_response(invite, response)) {
            (Some(at), _) => at,
            (None, Some(dialog)) if self.early.len() < 8 => {
                self.early.push((dialog, 0));
                self.early.len() - 1
            }
            _ => return true,
        };
        let rseq =
            response.headers.number("RSeq").filter(|_| response.headers.has_token("Require", "100rel"));
        let Some(rseq) = rseq else { return true };
        let (mut dialog, last) = self.early[at].clone();
        // An old one again, or one before it was lost: that comes first (RFC 3262 §4).
        if last != 0 && rseq != last.wrapping_add(1) {
            return false;
        }
        let seq = invite.headers.cseq().map_or(1, |(seq, _)| seq);
        dialog.local_seq = dialog.local_seq.max(self.next_seq);
        let mut prack = dialog.request(Method::Prack);
        self.next_seq = dialog.local_seq;
        prack.headers.push("RAck", format!("{rseq} {seq} INVITE"));
        cx.out.push(Effect::Request { request: prack, hop: self.hop(&dialog), purpose: Purpose::Aside });
        self.early[at] = (dialog, rseq);
        true
    }

    fn on_accepted(&mut self, cx: &mut Cx<'_>, response: &Response, flow: Flow) {
        let Some(invite) = self.invite.clone() else { return };
        let Some(dialog) = Dialog::of_response(&invite, response) else { return };
        match &self.dialog {
            // The same 2xx again: our ACK was lost.
            Some(ours) if ours.remote_tag == dialog.remote_tag => {
                cx.out.push(Effect::Ack { request: ours.ack(&invite), hop: self.hop(ours) });
            }
            None if matches!(self.phase, Phase::Calling(_)) => {
                self.flow = Some(flow);
                self.establish(cx, &invite, dialog, response);
            }
            _ => self.hang_up_fork(cx, dialog, &invite),
        }
    }

    fn establish(&mut self, cx: &mut Cx<'_>, invite: &Request, mut dialog: Dialog, response: &Response) {
        dialog.local_seq = dialog.local_seq.max(self.next_seq);
        cx.out.push(Effect::Ack { request: dialog.ack(invite), hop: self.hop(&dialog) });
        self.early.clear();
        self.dialog = Some(dialog);
        self.phase = Phase::Live;
        self.tell_ticket();
        self.peer_updates = response.headers.has_token("Allow", "UPDATE");
        self.remote_sdp(response.sdp());
        if let Some(reason) = self.hang_up {
            // It was picked up just as we cancelled it.
            return self.hang_up_live(cx, reason);
        }
        if !self.remote_sdp_seen {
            let why = "answered without a session description";
            self.fail(EndReason::CarrierFailed, Some(response.status), None, why);
            return self.bye(cx, EndReason::CarrierFailed);
        }
        self.session = self.session_wanted.and_then(|_| session_timer::settled(&response.headers, cx.now));
        self.refresh_at = self.session.and_then(|session| session.refresh_at());
        self.tell(LegEvent::Answered { sip_call_id: Some(self.call_id.clone()) });
    }

    /// Another phone answered too: accept that it did, and hang up on it (RFC 3261 §13.2.2.4).
    fn hang_up_fork(&mut self, cx: &mut Cx<'_>, mut fork: Dialog, invite: &Request) {
        let hop = Hop::Dialog { uri: fork.next_hop(), routed: fork.has_routes(), flow: self.flow };
        cx.out.push(Effect::Ack { request: fork.ack(invite), hop: hop.clone() });
        let request = fork.request(Method::Bye);
        cx.out.push(Effect::Request { request, hop, purpose: Purpose::Aside });
    }

    fn raise_interval(&mut self, cx: &mut Cx<'_>, response: &Response) {
        self.interval_raised = true;
        let least = response.headers.number("Min-SE").unwrap_or(1_800);
        let seq = self.next_seq();
        let Some(mut invite) = self.invite.clone() else { return };
        invite.headers.set("CSeq", format!("{seq} INVITE"));
        invite.headers.set("Session-Expires", least.to_string());
        invite.headers.set("Min-SE", least.to_string());
        // As if it were the first one: credentials are for one request, and whoever counts would refuse them now.
        for header in ["Via", "Authorization", "Proxy-Authorization"] {
            invite.headers.remove(header);
        }
        self.phase = Phase::Calling(Heard::Nothing);
        cx.out.push(Effect::Request { request: invite, hop: Hop::Trunk, purpose: Purpose::Invite });
    }

    fn on_refused(&mut self, cx: &mut Cx<'_>, response: &Response) {
        if !matches!(self.phase, Phase::Calling(_)) {
            return;
        }
        self.refuse_open_offer(cx, 487);
        let status = response.status;
        let cause = reason::q850(&response.headers);
        let warning = reason::warning(&response.headers).map(|text| format!(" ({text})")).unwrap_or_default();
        let why = format!("{status} {}{warning}{}", response.phrase, explanation(status));
        self.fail(from_sip_status(status, self.rang), Some(status), cause, &why);
        self.over();
    }

    pub(super) fn on_invite_without_reply(&mut self, cx: &mut Cx<'_>, why: NoReply) {
        if !matches!(self.phase, Phase::Calling(_)) {
            return;
        }
        cx.out.push(Effect::Abandon);
        self.refuse_open_offer(cx, 487);
        match why {
            NoReply::Unsent(why) => self.fail(EndReason::CarrierUnreachable, None, None, &why),
            // It may have reached the carrier: nobody may dial again on a guess.
            NoReply::Silence(why) => self.fail(EndReason::CarrierUncertain, None, None, &why),
        }
        self.over();
    }

    fn fail(&mut self, reason: EndReason, sip_status: Option<u16>, q850_cause: Option<u8>, detail: &str) {
        let event = match self.hang_up {
            Some(_) => LegEvent::Closed,
            None => {
                LegEvent::Failed(DialFailure { reason, sip_status, q850_cause, detail: detail.to_owned() })
            }
        };
        self.tell_end(event);
    }
}

/// What an operator may not know about a refusal.
fn explanation(status: u16) -> &'static str {
    match status {
        305 => ": set outbound_proxy if calls are to go through another server",
        // Whom it leads to was never checked against the calling rules.
        300..400 => ": a redirection, and those are not followed",
        _ => "",
    }
}
