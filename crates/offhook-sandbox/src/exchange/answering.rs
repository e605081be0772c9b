//! A call as its callee sees it: INVITE answered, ACK, CANCEL, re-INVITE, UPDATE, BYE.

use offhook_core::Timestamp;

use super::Output;
use super::call::{Call, Unacked};
use super::desk::Desk;
use super::refresh::Refresh;
use super::transaction::{Purpose, Resend, TxKey};
use crate::record::{Ending, Stage};
use crate::sdp::{self, Description, Direction};
use crate::sip::{Message, Method, Mistake, Request};

const ALLOW_AND_SUPPORTED: [(&str, &str); 2] = [("Allow", Method::ALLOWED), ("Supported", "timer")];

impl Call {
    /// The first INVITE: says 100 and asks for ports. What is wrong with its offer shows when they are there.
    pub fn invited(&mut self, desk: &mut Desk, now: Timestamp, key: TxKey) {
        desk.answer_plain(now, &key, 100, None);
        desk.out.push_back(Output::BindMedia { call: self.key });
        self.invite = Some(key);
    }

    /// Looks at the offer of the first INVITE.
    pub fn take_offer(&mut self, desk: &mut Desk, now: Timestamp) {
        let Some(key) = self.invite.clone() else { return };
        let Some(request) = desk.server(&key).map(|tx| tx.request.clone()) else { return };
        let taken = Refresh::asked(&request.message, now).and_then(|refresh| {
            self.refresh = refresh;
            if request.body().is_empty() {
                return Ok(());
            }
            let offer = Description::parse(request.body())?;
            let stream = offer.choose(true)?;
            house_rules(desk, now, &request, &offer, stream.telephone_event.is_some());
            if let Some(audio) = &mut self.audio {
                audio.ours.direction = Direction::of(stream.direction.receives(), stream.direction.sends());
                audio.stream = Some(stream);
            }
            self.theirs = Some(offer);
            Ok(())
        });
        if let Err(mistake) = taken {
            let tag = self.dialog.local_tag.clone();
            desk.refuse(now, &key, &mistake, Some(&tag));
            self.end(desk, now, Ending::Refused(mistake.status));
        }
    }

    pub fn ring(&mut self, desk: &mut Desk, now: Timestamp) {
        self.stage = Stage::Ringing;
        self.respond(desk, now, 180, None);
    }

    /// 183 with our answer, and audio before the call is answered.
    pub fn progress(&mut self, desk: &mut Desk, now: Timestamp) {
        self.stage = Stage::Ringing;
        let sdp = self.describe();
        self.respond(desk, now, 183, sdp.as_deref());
        if let Some(stream) = self.audio.as_ref().and_then(|audio| audio.stream.clone()) {
            self.agreed(desk, now, stream);
        }
    }

    pub fn answer(&mut self, desk: &mut Desk, now: Timestamp) {
        let Some(key) = self.invite.clone() else { return };
        let sdp = self.describe();
        self.stage = Stage::Answered;
        self.answered_at = Some(now);
        self.accept(desk, now, &key, sdp.as_deref());
        if let Some(stream) = self.audio.as_ref().and_then(|audio| audio.stream.clone()) {
            self.agreed(desk, now, stream);
        }
    }

    /// A 200 to an INVITE, which is sent until it is acknowledged.
    fn accept(&mut self, desk: &mut Desk, now: Timestamp, key: &TxKey, sdp: Option<&str>) {
        self.refresh = self.refresh.map(|refresh| refresh.restarted(now));
        let Some(bytes) = self.response(desk, key, 200, sdp) else { return };
        let Some(tx) = desk.server(key) else { return };
        self.unacked = Some(Unacked {
            bytes: bytes.clone(),
            to: tx.to,
            cseq: tx.request.cseq.number,
            branch: tx.request.via.branch().unwrap_or_default().to_owned(),
            credentials: credentials(&tx.request.message),
            answer_due: self.theirs.is_none(),
            resend: Resend::new(now),
        });
        desk.answer(now, key, 200, bytes);
    }

    pub fn reject(&mut self, desk: &mut Desk, now: Timestamp, status: u16) {
        self.respond(desk, now, status, None);
        self.end(desk, now, Ending::Refused(status));
    }

    /// Our answer to their offer, or our offer when they made none.
    fn describe(&self) -> Option<String> {
        let audio = self.audio.as_ref()?;
        match (&self.theirs, &audio.stream) {
            (Some(offer), Some(stream)) => Some(audio.ours.answer(offer, stream)),
            _ => Some(audio.ours.offer()),
        }
    }

    fn respond(&mut self, desk: &mut Desk, now: Timestamp, status: u16, sdp: Option<&str>) {
        let Some(key) = self.invite.clone() else { return };
        if let Some(bytes) = self.response(desk, &key, status, sdp) {
            desk.answer(now, &key, status, bytes);
        }
    }

    fn response(&self, desk: &mut Desk, key: &TxKey, status: u16, sdp: Option<&str>) -> Option<Vec<u8>> {
        let mut reply = desk.reply(key, status, Some(&self.dialog.local_tag))?;
        if (101..300).contains(&status) {
            reply.header("Contact", &format!("<{}>", self.dialog.contact));
            if let Some(route) = &self.dialog.record_route {
                reply.header("Record-Route", route);
            }
            for (name, value) in ALLOW_AND_SUPPORTED {
                reply.header(name, value);
            }
        }
        if let (200..300, Some(refresh)) = (status, &self.refresh) {
            reply.header("Require", "timer").header("Session-Expires", &refresh.header());
        }
        Some(reply.finish(sdp))
    }

    /// Any request inside the dialog but ACK.
    pub fn request_inside(&mut self, desk: &mut Desk, now: Timestamp, key: &TxKey, request: &Request) {
        self.version += 1;
        let tag = self.dialog.local_tag.clone();
        match self.dialog.check(request) {
            Err(mistake) if mistake.rule == "cseq.step" => {
                desk.violation(now, mistake.rule, mistake.detail, Some(&request.call_id));
            }
            Err(mistake) => return desk.refuse(now, key, &mistake, Some(&tag)),
            Ok(()) => {}
        }
        if desk.config.challenge.as_ref().is_some_and(|c| c.in_dialog) && !desk.authorized(now, key, request)
        {
            return;
        }
        if let (Some(contact), Method::Invite | Method::Update) = (&request.contact, &request.method) {
            self.dialog.remote_target = contact.uri.text.clone();
        }
        match request.method {
            Method::Bye => self.bye(desk, now, key),
            _ if self.ended_at.is_some() => {
                let mistake = Mistake::new(481, "dialog.over", format!("a {} after the BYE", request.method));
                desk.refuse(now, key, &mistake, Some(&tag));
            }
            Method::Invite | Method::Update => self.reoffer(desk, now, key, request),
            _ => desk.answer_plain(now, key, 200, Some(&tag)),
        }
    }

    fn bye(&mut self, desk: &mut Desk, now: Timestamp, key: &TxKey) {
        let tag = self.dialog.local_tag.clone();
        desk.answer_plain(now, key, 200, Some(&tag));
        if self.unacked.is_some() {
            let detail = "BYE before the ACK of the 200".to_owned();
            desk.violation(now, "bye.before_ack", detail, Some(&self.dialog.call_id));
        }
        if self.stage != Stage::Answered && self.ended_at.is_none() {
            self.respond(desk, now, 487, None);
            return self.end(desk, now, Ending::Cancelled);
        }
        self.end(desk, now, Ending::RemoteHungUp);
    }

    /// re-INVITE and UPDATE.
    fn reoffer(&mut self, desk: &mut Desk, now: Timestamp, key: &TxKey, request: &Request) {
        let tag = self.dialog.local_tag.clone();
        let ours_pending = desk
            .clients
            .iter()
            .any(|tx| tx.call == self.key && tx.purpose == Purpose::Reinvite && tx.done.is_none());
        if ours_pending {
            // Glare is nobody's mistake.
            return desk.answer_plain(now, key, 491, Some(&tag));
        }
        if self.unacked.is_some() || (self.stage != Stage::Answered && request.method == Method::Invite) {
            let mistake = Mistake::new(500, "invite.pending", "an INVITE while another is not done");
            return desk.refuse(now, key, &mistake, Some(&tag));
        }
        if let Err(mistake) = self.renegotiate(desk, now, request) {
            return desk.refuse(now, key, &mistake, Some(&tag));
        }
        let with_sdp = request.method == Method::Invite || !request.body().is_empty();
        let sdp = if with_sdp { self.describe() } else { None };
        if request.method == Method::Invite {
            return self.accept(desk, now, key, sdp.as_deref());
        }
        if let Some(bytes) = self.response(desk, key, 200, sdp.as_deref()) {
            desk.answer(now, key, 200, bytes);
        }
    }

    fn renegotiate(&mut self, desk: &mut Desk, now: Timestamp, request: &Request) -> Result<(), Mistake> {
        if let Some(refresh) = Refresh::asked(&request.message, now)? {
            self.refresh = Some(refresh);
        }
        if request.body().is_empty() {
            if request.method == Method::Invite {
                self.theirs = None;
            }
            return Ok(());
        }
        let offer = Description::parse(request.body())?;
        let stream = offer.choose(true)?;
        if let Some(before) = &self.theirs {
            check_origin(before, &offer)?;
        }
        self.theirs = Some(offer);
        if let Some(audio) = &mut self.audio {
            audio.ours.direction =
                Direction::of(stream.direction.receives() && !audio.stopped, stream.direction.sends());
            audio.ours.version += 1;
        }
        self.agreed(desk, now, stream);
        Ok(())
    }

    /// The ACK of a 2xx. One more for a 2xx that was sent again is in order.
    pub fn ack(&mut self, desk: &mut Desk, now: Timestamp, request: &Request) {
        let sip_call_id = self.dialog.call_id.clone();
        let mut broke = |rule, detail: &str| desk.violation(now, rule, detail.to_owned(), Some(&sip_call_id));
        if let Err(mistake) = self.dialog.check(request) {
            broke(mistake.rule, &mistake.detail);
        }
        let Some(unacked) = self.unacked.as_ref() else { return };
        if request.cseq.number != unacked.cseq {
            return broke("ack.cseq", "the CSeq is not that of the INVITE");
        }
        if request.via.branch() == Some(unacked.branch.as_str()) {
            broke("ack.branch", "the ACK of a 2xx has the branch of the INVITE");
        }
        if credentials(&request.message) != unacked.credentials {
            broke("ack.credentials", "the ACK has not the credentials of the INVITE");
        }
        let answer_due = unacked.answer_due;
        if !answer_due && !request.body().is_empty() {
            broke("ack.body", "the ACK has a body although offer and answer are done");
        }
        self.unacked = None;
        self.connected = true;
        self.version += 1;
        if answer_due {
            match Description::parse(request.body())
                .and_then(|answer| Ok((sdp::check_answer(&answer)?, answer)))
            {
                Ok((stream, answer)) => {
                    self.theirs = Some(answer);
                    self.agreed(desk, now, stream);
                }
                Err(mistake) => {
                    desk.violation(now, mistake.rule, mistake.detail, Some(&sip_call_id));
                    return self.hang_up(desk, now, Ending::Lost);
                }
            }
        }
        self.run(desk, now);
    }

    pub fn cancelled(&mut self, desk: &mut Desk, now: Timestamp) {
        if self.stage == Stage::Answered || self.ended_at.is_some() {
            return;
        }
        self.respond(desk, now, 487, None);
        self.end(desk, now, Ending::Cancelled);
    }
}

/// The rules a CANCEL is held to (RFC 3261 §9.1): all as in the INVITE, but for the method.
pub fn check_cancel(cancel: &Request, invite: &Request) -> Result<(), Mistake> {
    let same = |name| cancel.message.header(name) == invite.message.header(name);
    for (right, what) in [
        (cancel.cseq.number == invite.cseq.number, "CSeq number"),
        (cancel.uri.text == invite.uri.text, "Request-URI"),
        (cancel.call_id == invite.call_id, "Call-ID"),
        (same("from"), "From"),
        (same("to"), "To"),
        (cancel.message.list("route") == invite.message.list("route"), "Route"),
    ] {
        if !right {
            return Err(Mistake::new(400, "cancel.mismatch", format!("{what} is not that of the INVITE")));
        }
    }
    if cancel.message.list("via").len() > 1 {
        return Err(Mistake::new(400, "cancel.via", "a CANCEL has more than one Via"));
    }
    Ok(())
}

/// The rules an ACK of a final answer that is not a 2xx is held to (RFC 3261 §17.1.1.3).
pub fn check_ack(ack: &Request, invite: &Request, answered_tag: Option<&str>) -> Result<(), Mistake> {
    for (right, what) in [
        (ack.cseq.number == invite.cseq.number, "CSeq number"),
        (ack.uri.text == invite.uri.text, "Request-URI"),
        (ack.call_id == invite.call_id, "Call-ID"),
        (ack.from_tag == invite.from_tag, "From tag"),
        (ack.to_tag.as_deref() == answered_tag, "To tag"),
        (ack.message.list("route") == invite.message.list("route"), "Route"),
    ] {
        if !right {
            return Err(Mistake::new(400, "ack.mismatch", format!("{what} is not what was answered")));
        }
    }
    Ok(())
}

/// `o=` from one description of a session to the next (RFC 3264 §8).
pub fn check_origin(before: &Description, after: &Description) -> Result<(), Mistake> {
    let wrong = |detail: String| Err(Mistake::new(400, "sdp.origin.version", detail));
    let (old, new) = (&before.origin, &after.origin);
    if old.session_id != new.session_id || old.user != new.user {
        return wrong("o= names another session".to_owned());
    }
    if new.version == old.version && before.text == after.text {
        return Ok(());
    }
    if Some(new.version) != old.version.checked_add(1) {
        return wrong(format!("the version goes from {} to {}", old.version, new.version));
    }
    Ok(())
}

fn credentials(message: &Message) -> Vec<String> {
    let both = message.lines("authorization").chain(message.lines("proxy-authorization"));
    both.map(str::to_owned).collect()
}

fn house_rules(desk: &mut Desk, now: Timestamp, request: &Request, offer: &Description, events: bool) {
    if !desk.config.house_rules {
        return;
    }
    let mut broke = |rule, detail: &str| desk.violation(now, rule, detail.to_owned(), Some(&request.call_id));
    if !events {
        broke("offer.telephone_event", "the offer has no telephone-event/8000");
    }
    let audio = offer.media.iter().find(|section| section.kind == "audio");
    match audio.and_then(|section| section.ptime) {
        Some(20) => {}
        _ => broke("offer.ptime", "the offer has no a=ptime:20"),
    }
    let unmapped =
        |section: &sdp::Section| section.formats.iter().any(|format| section.encoding(format).is_none());
    if audio.is_some_and(unmapped) {
        broke("offer.rtpmap", "a format of the offer has no a=rtpmap");
    }
}
