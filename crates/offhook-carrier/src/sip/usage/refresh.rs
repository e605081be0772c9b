//! Keeping the session timer alive (RFC 4028 §10): by UPDATE where the far end takes it, by re-INVITE otherwise.

use std::time::Duration;

use super::{Cx, Effect, Phase, Purpose, SDP, Usage};
use crate::sip::message::{Method, Request, Response};
use crate::sip::session_timer;

impl Usage {
    pub(super) fn refresh(&mut self, cx: &mut Cx<'_>) {
        let Some(session) = self.session else { return };
        if self.offered.is_some() || self.unacknowledged.is_some() {
            self.refresh_at = Some(cx.now + Duration::from_secs(2));
            return;
        }
        self.refreshing = true;
        let ask = |request: &mut Request| {
            request.headers.push("Supported", "timer");
            request.headers.push("Session-Expires", session.header(true));
        };
        if self.peer_updates {
            return self.request_in_dialog(cx, Method::Update, Purpose::Refresh, ask);
        }
        let sdp = self.local_sdp.0.clone();
        self.request_in_dialog(cx, Method::Invite, Purpose::Refresh, |request| {
            ask(request);
            request.headers.push("Allow", super::ALLOW);
            request.headers.set("Content-Type", SDP);
            request.body = sdp.into_bytes();
        });
    }

    pub(super) fn on_refresh_response(&mut self, cx: &mut Cx<'_>, response: Response) {
        if response.status < 200 {
            return;
        }
        let invite = response.headers.cseq().is_some_and(|(_, method)| method == Method::Invite);
        if invite && response.status < 300 {
            self.acknowledge_refresh(cx, &response);
        }
        if !matches!(self.phase, Phase::Live) {
            return;
        }
        self.refreshing = false;
        match response.status {
            200..300 => {
                self.retarget(&response.headers);
                self.session = session_timer::settled(&response.headers, cx.now);
                self.refresh_at = self.session.and_then(|session| session.refresh_at());
                if invite {
                    self.remote_sdp(response.sdp());
                }
            }
            // The far end no longer knows the call (RFC 3261 §12.2.1.2).
            408 | 481 => self.lose(cx),
            // Both asked at once: one of us waits longer (RFC 3261 §14.1).
            491 => {
                let wait = if self.invite.is_some() { 2_100..4_000 } else { 0..2_000 };
                self.refresh_at = Some(cx.now + Duration::from_millis(rand::random_range(wait)));
            }
            405 | 501 if self.peer_updates => {
                self.peer_updates = false;
                self.refresh_at = Some(cx.now);
            }
            // Still there, only not willing now; the interval's end decides.
            _ => self.refresh_at = Some(cx.now + Duration::from_secs(10)),
        }
    }

    fn acknowledge_refresh(&mut self, cx: &mut Cx<'_>, response: &Response) {
        let Some(dialog) = &self.dialog else { return };
        let mut ack = dialog.ack(&Request::new(Method::Invite, dialog.target.clone()));
        let seq = response.headers.cseq().map_or(dialog.local_seq, |(seq, _)| seq);
        ack.headers.set("CSeq", format!("{seq} ACK"));
        cx.out.push(Effect::Ack { request: ack, hop: self.hop(dialog) });
    }
}
