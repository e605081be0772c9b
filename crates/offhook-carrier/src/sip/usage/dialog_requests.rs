//! What the far end asks: the inbound INVITE, and everything inside a dialog.

use offhook_core::{Digit, LegEvent};

use super::{
    ALLOW, Cx, Effect, LocalSdp, OFFER_PATIENCE, Offered, Phase, SDP, SUPPORTED, Start, Unacknowledged, Usage,
};
use crate::sip::dialog::{Dialog, Order};
use crate::sip::leg::Signal;
use crate::sip::message::{Method, Request, Response};
use crate::sip::net::Flow;
use crate::sip::reason;
use crate::sip::session_timer::{self, Answer};

impl Usage {
    /// An INVITE came for one of our lines; the phone rings until the leg answers.
    pub fn incoming(
        cx: &mut Cx<'_>,
        start: Start,
        transaction: u64,
        invite: Request,
        contact: String,
        flow: Flow,
    ) -> Option<Self> {
        let dialog = Dialog::of_request(&invite, &start.local_tag, contact)?;
        let phase = Phase::Incoming { transaction, invite: Box::new(invite.clone()) };
        let mut call = Self::new(start, phase);
        call.dialog = Some(dialog);
        call.flow = Some(flow);
        call.peer_updates = invite.headers.has_token("Allow", "UPDATE");
        // Who requires reliable provisional responses gets none (RFC 3262 §3): the answer comes soon.
        let status = if invite.headers.has_token("Require", "100rel") { 100 } else { 180 };
        let response = invite.response(status, &call.local_tag);
        cx.out.push(Effect::Respond { transaction, response: call.with_contact(response) });
        Some(call)
    }

    fn with_contact(&self, mut response: Response) -> Response {
        let early = self.early.iter().map(|(dialog, _)| dialog);
        if let Some(dialog) = self.dialog.iter().chain(early).next() {
            response.headers.push("Contact", dialog.contact.clone());
        }
        response
    }

    pub(super) fn answer(&mut self, cx: &mut Cx<'_>, sdp: String) {
        if !matches!(self.phase, Phase::Incoming { .. }) {
            return;
        }
        let Phase::Incoming { transaction, invite } = std::mem::replace(&mut self.phase, Phase::Live) else {
            return;
        };
        self.local_sdp = LocalSdp(sdp);
        let offered = invite.sdp().is_none();
        self.tell_ticket();
        self.accept(cx, transaction, &invite, offered);
    }

    /// 200 with our session description, and the session timer that was asked for.
    fn accept(&mut self, cx: &mut Cx<'_>, transaction: u64, request: &Request, offered: bool) {
        // Only who is accepted has moved (RFC 3261 §12.2.2).
        self.retarget(&request.headers);
        let response = self.with_contact(request.response(200, &self.local_tag));
        let mut response = response.with("Allow", ALLOW).with("Supported", SUPPORTED);
        self.settle_timer(cx, request, &mut response);
        let response = response.with_body(SDP, self.local_sdp.0.clone());
        cx.out.push(Effect::Respond { transaction, response });
        if request.method == Method::Invite {
            let seq = request.headers.cseq().map_or(0, |(seq, _)| seq);
            self.unacknowledged = Some(Unacknowledged { transaction, seq, offered });
        }
    }

    fn settle_timer(&mut self, cx: &Cx<'_>, request: &Request, response: &mut Response) {
        let Answer::Timer(timer) =
            session_timer::answer_request(&request.headers, self.session_wanted, cx.now)
        else {
            // A refresh without a timer ends the timer (RFC 4028 §7.2).
            (self.session, self.refresh_at) = (None, None);
            return;
        };
        response.headers.push("Session-Expires", timer.header(false));
        if request.headers.has_token("Supported", "timer") {
            response.headers.push("Require", "timer");
        }
        self.session = Some(timer);
        self.refresh_at = timer.refresh_at();
    }

    /// The far end gave up before we answered.
    pub fn on_cancel(&mut self, cx: &mut Cx<'_>, cancel: &Request) {
        let Phase::Incoming { transaction, invite } = &self.phase else { return };
        self.respond(cx, *transaction, invite, 487);
        self.tell_end(LegEvent::HungUp { q850_cause: reason::q850(&cancel.headers) });
        self.over();
    }

    /// The ACK of a 2xx of ours. The INVITE transaction it is for.
    pub fn on_ack(&mut self, cx: &mut Cx<'_>, ack: &Request) -> Option<u64> {
        let (seq, _) = ack.headers.cseq()?;
        let waiting = self.unacknowledged.take_if(|waiting| waiting.seq == seq)?;
        if waiting.offered {
            self.remote_sdp(ack.sdp());
        }
        if let Some(why) = self.hang_up.filter(|_| matches!(self.phase, Phase::Live)) {
            self.bye(cx, why);
        } else if self.invite.is_none()
            && self.dialog.as_ref().is_some_and(|dialog| dialog.remote_seq == Some(seq))
        {
            self.tell_answered();
        }
        Some(waiting.transaction)
    }

    fn tell_answered(&mut self) {
        if !std::mem::replace(&mut self.told_answered, true) {
            self.tell(LegEvent::Answered { sip_call_id: Some(self.call_id.clone()) });
        }
    }

    /// Nobody acknowledged our 2xx: the far end is gone (RFC 3261 §13.3.1.4).
    pub fn on_ack_missing(&mut self, cx: &mut Cx<'_>, transaction: u64) {
        let waiting = self.unacknowledged.take_if(|waiting| waiting.transaction == transaction);
        if waiting.is_some() && matches!(self.phase, Phase::Live) {
            match self.hang_up {
                Some(why) => self.bye(cx, why),
                None => self.lose(cx),
            }
        }
    }

    /// A request inside the dialog, other than ACK and CANCEL.
    pub fn on_request(&mut self, cx: &mut Cx<'_>, transaction: u64, request: Request, flow: Flow) {
        let tag = request.headers.from_tag().unwrap_or_default();
        let early = self.early.iter_mut().map(|(dialog, _)| dialog);
        let dialog = self.dialog.iter_mut().chain(early).find(|dialog| dialog.remote_tag == tag);
        let in_order = dialog.is_some_and(|dialog| dialog.received(&request) == Order::InOrder);
        if !in_order {
            return self.respond(cx, transaction, &request, 500);
        }
        match request.method {
            Method::Bye => self.on_bye(cx, transaction, &request),
            _ if matches!(self.phase, Phase::Over | Phase::Ending) => {
                self.respond(cx, transaction, &request, 481)
            }
            Method::Invite | Method::Update => self.on_offer(cx, transaction, request, flow),
            Method::Options => {
                let response =
                    request.response(200, &self.local_tag).with("Allow", ALLOW).with("Accept", SDP);
                cx.out.push(Effect::Respond { transaction, response: response.with("Supported", SUPPORTED) });
            }
            Method::Info => self.on_info(cx, transaction, &request),
            Method::Refer => self.respond(cx, transaction, &request, 603),
            // We never subscribed, and never sent a reliable response.
            Method::Notify | Method::Prack => self.respond(cx, transaction, &request, 481),
            _ => {
                let response = request.response(405, &self.local_tag).with("Allow", ALLOW);
                cx.out.push(Effect::Respond { transaction, response });
            }
        }
    }

    fn on_bye(&mut self, cx: &mut Cx<'_>, transaction: u64, bye: &Request) {
        self.respond(cx, transaction, bye, 200);
        self.refuse_open_offer(cx, 487);
        match &self.phase {
            Phase::Incoming { transaction, invite } => self.respond(cx, *transaction, invite, 487),
            // An early dialog was ended; the final response to the INVITE follows.
            Phase::Calling(_) | Phase::Over => return,
            // Both hung up at once; ours is answered by theirs.
            Phase::Live | Phase::Ending => {}
        }
        let ended_by_us = self.hang_up.is_some();
        self.tell_end(match ended_by_us {
            true => LegEvent::Closed,
            false => LegEvent::HungUp { q850_cause: reason::q850(&bye.headers) },
        });
        self.over();
    }

    fn on_offer(&mut self, cx: &mut Cx<'_>, transaction: u64, request: Request, flow: Flow) {
        if let Some(response) = self.offer_refusal(cx, &request) {
            return cx.out.push(Effect::Respond { transaction, response });
        }
        self.flow = Some(flow);
        match request.sdp() {
            Some(sdp) => {
                if request.method == Method::Invite {
                    self.respond(cx, transaction, &request, 100);
                }
                self.offered = Some(Offered { transaction, request, refused_at: cx.now + OFFER_PATIENCE });
                self.signal(Signal::RemoteOffer(sdp));
            }
            // Without an offer we make one: the session as it is (RFC 3261 §14.2).
            None if request.method == Method::Invite => self.accept(cx, transaction, &request, true),
            None => {
                self.retarget(&request.headers);
                let mut response = self.with_contact(request.response(200, &self.local_tag));
                self.settle_timer(cx, &request, &mut response);
                cx.out.push(Effect::Respond { transaction, response });
            }
        }
    }

    /// Whether a re-INVITE or UPDATE comes at the wrong moment, or wants what can't be.
    fn offer_refusal(&self, cx: &Cx<'_>, request: &Request) -> Option<Response> {
        let refuse = |status| request.response(status, &self.local_tag);
        let later = || refuse(500).with("Retry-After", rand::random_range(0..10u8).to_string());
        let is_update = request.method == Method::Update;
        let with_offer = request.sdp().is_some();
        match self.phase {
            Phase::Live if self.refreshing => return Some(refuse(491)),
            Phase::Live => {}
            // Our own offer is still open (RFC 3311 §5.2).
            Phase::Calling(_) if is_update && with_offer && !self.early_is_agreed(request) => {
                return Some(refuse(491));
            }
            Phase::Calling(_) if is_update && self.hang_up.is_none() => {}
            Phase::Incoming { .. } if is_update && !with_offer => {}
            _ => return Some(later()),
        }
        if self.offered.is_some() || self.unacknowledged.is_some() {
            return Some(later());
        }
        match session_timer::answer_request(&request.headers, self.session_wanted, cx.now) {
            Answer::TooSmall(least) => Some(refuse(422).with("Min-SE", least.as_secs().to_string())),
            _ => None,
        }
    }

    /// Whether the session was agreed on in an early dialog, by a reliable provisional response.
    fn early_is_agreed(&self, request: &Request) -> bool {
        let tag = request.headers.from_tag().unwrap_or_default();
        let reliable = |(dialog, rseq): &(Dialog, u32)| dialog.remote_tag == tag && *rseq > 0;
        self.remote_sdp_seen && self.early.iter().any(reliable)
    }

    /// What the leg makes of their offer; `None` when it can't be used.
    pub(super) fn local_answer(&mut self, cx: &mut Cx<'_>, sdp: Option<String>) {
        let Some(offered) = self.offered.take() else { return };
        match sdp {
            Some(sdp) => {
                self.local_sdp = LocalSdp(sdp);
                self.accept(cx, offered.transaction, &offered.request, false);
            }
            None => self.respond(cx, offered.transaction, &offered.request, 488),
        }
    }

    /// Keys sent as INFO by far ends without RFC 4733.
    fn on_info(&mut self, cx: &mut Cx<'_>, transaction: u64, info: &Request) {
        let content_type = info.headers.first("Content-Type").unwrap_or("").to_ascii_lowercase();
        let body = String::from_utf8_lossy(&info.body);
        let status = match content_type.split(';').next().unwrap_or("").trim() {
            "application/dtmf-relay" | "application/dtmf" => {
                if let Some(digit) = digit_of(&body) {
                    self.tell(LegEvent::Digit(digit));
                }
                200
            }
            _ if info.body.is_empty() => 200,
            _ => 415,
        };
        self.respond(cx, transaction, info, status);
    }
}

/// The key in `Signal=5` or in `5` alone. Some write star and pound by their numbers in RFC 4733.
fn digit_of(body: &str) -> Option<Digit> {
    let key = body.lines().find_map(|line| match line.split_once('=') {
        Some((name, value)) => name.trim().eq_ignore_ascii_case("signal").then(|| value.trim()),
        None => Some(line.trim()),
    })?;
    let mut letters = key.chars();
    match (key, letters.next(), letters.next()) {
        ("10", ..) => Digit::from_char('*'),
        ("11", ..) => Digit::from_char('#'),
        (_, Some(only), None) => Digit::from_char(only),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_info_bodies() {
        for (body, key) in [
            ("Signal=5\r\nDuration=160\r\n", Some('5')),
            ("Duration= 250\r\nsignal = #\r\n", Some('#')),
            ("Signal=10\r\n", Some('*')),
            ("Signal=11\r\n", Some('#')),
            ("7", Some('7')),
            ("*\r\n", Some('*')),
            ("Signal=12345\r\n", None),
            ("Signal=x\r\n", None),
            ("", None),
        ] {
            assert_eq!(digit_of(body).map(Digit::as_char), key, "{body:?}");
        }
    }
}
