//! A call as its caller sees it: our INVITE, BYE, CANCEL and re-INVITE, and the answers to them.

use offhook_core::Timestamp;

use super::Output;
use super::answering::check_origin;
use super::call::Call;
use super::desk::Desk;
use super::dialog::Dialog;
use super::transaction::{ClientTx, Purpose, Resend};
use crate::record::{Ending, Stage};
use crate::sdp::{self, Description, Direction};
use crate::sip::response::Response;
use crate::sip::{Method, Mistake};

impl Call {
    /// Asks for ports; the INVITE goes out when they are there.
    pub fn place(&mut self, desk: &mut Desk) {
        self.placed_here = true;
        desk.out.push_back(Output::BindMedia { call: self.key });
    }

    pub fn invite(&mut self, desk: &mut Desk, now: Timestamp) {
        let offer = self.audio.as_ref().map(|audio| audio.ours.offer());
        self.request(desk, now, Purpose::Invite, &[("Supported", "timer")], offer.as_deref());
    }

    /// Sends a request and opens its transaction.
    pub fn request(
        &mut self,
        desk: &mut Desk,
        now: Timestamp,
        purpose: Purpose,
        headers: &[(&str, &str)],
        sdp: Option<&str>,
    ) {
        let method = match purpose {
            Purpose::Invite | Purpose::Reinvite => Method::Invite,
            Purpose::Cancel => Method::Cancel,
            Purpose::Bye => Method::Bye,
        };
        let inviting = desk.clients.iter().find(|tx| tx.call == self.key && tx.purpose == Purpose::Invite);
        // A CANCEL goes by the name of its INVITE.
        let of_invite = inviting
            .filter(|_| purpose == Purpose::Cancel)
            .map(|tx| (tx.asked.branch.clone(), tx.asked.cseq));
        let (branch, cseq) = match of_invite {
            Some((branch, cseq)) => (branch, Some(cseq)),
            None => (Dialog::branch(&desk.token()), None),
        };
        let resend = if method == Method::Invite { Resend::invite(now) } else { Resend::new(now) };
        let (asked, bytes) = self.dialog.request(method, desk.addr, branch, cseq, headers, sdp);
        let to = self.dialog.peer;
        desk.send(to, bytes.clone());
        desk.clients.push(ClientTx {
            purpose,
            call: self.key,
            asked,
            bytes,
            to,
            resend: Some(resend),
            progressed: false,
            done: None,
        });
    }

    /// Takes back an INVITE that is not answered; the 487 ends the call.
    pub fn cancel(&mut self, desk: &mut Desk, now: Timestamp) {
        if self.cancelled_at.replace(now).is_some() {
            return;
        }
        let invite = desk.clients.iter_mut().find(|tx| tx.call == self.key && tx.purpose == Purpose::Invite);
        match invite {
            // RFC 3261 §9.1: not before a provisional response; without one there is nothing to take back.
            Some(tx) if tx.progressed => self.request(desk, now, Purpose::Cancel, &[], None),
            _ => {
                desk.clients.retain(|tx| tx.call != self.key);
                self.end(desk, now, Ending::PersonHungUp);
            }
        }
    }

    pub fn provisional(&mut self, desk: &mut Desk, now: Timestamp, response: &Response) {
        self.version += 1;
        if response.status == 100 || self.stage == Stage::Answered {
            return;
        }
        self.stage = Stage::Ringing;
        if !response.message.body.is_empty() {
            self.take_answer(desk, now, response);
        }
    }

    /// The ACK of a final answer to our INVITE.
    pub fn acknowledge(
        &mut self,
        desk: &mut Desk,
        response: &Response,
        asked_cseq: u32,
        branch: &str,
    ) -> Vec<u8> {
        let success = (200..300).contains(&response.status);
        let branch = if success { Dialog::branch(&desk.token()) } else { branch.to_owned() };
        let mut dialog = self.dialog.clone();
        dialog.remote = response.to_header.clone();
        let (_, bytes) = dialog.request(Method::Ack, desk.addr, branch, Some(asked_cseq), &[], None);
        desk.send(self.dialog.peer, bytes.clone());
        bytes
    }

    /// A final answer to one of our requests; INVITEs are acknowledged already.
    pub fn answered(&mut self, desk: &mut Desk, now: Timestamp, purpose: Purpose, response: &Response) {
        self.version += 1;
        match (purpose, response.status) {
            (Purpose::Invite, 200..300) => self.picked_up(desk, now, response),
            (Purpose::Invite, 487) => self.end(desk, now, Ending::PersonHungUp),
            (Purpose::Invite, status) => self.end(desk, now, Ending::Refused(status)),
            (Purpose::Reinvite, 200..300) => self.take_answer(desk, now, response),
            (Purpose::Reinvite, 408 | 481) => self.hang_up(desk, now, Ending::Lost),
            (Purpose::Cancel | Purpose::Bye, 200..300) => {}
            (Purpose::Reinvite, 491) => {}
            (_, status) => {
                let detail = format!("{status} to our {purpose:?}");
                desk.violation(now, "response.refused", detail, Some(&self.dialog.call_id));
            }
        }
    }

    fn picked_up(&mut self, desk: &mut Desk, now: Timestamp, response: &Response) {
        if self.ended_at.is_some() {
            return;
        }
        self.stage = Stage::Answered;
        self.answered_at = Some(now);
        self.connected = true;
        if self.cancelled_at.is_some() {
            return self.hang_up(desk, now, Ending::PersonHungUp);
        }
        self.take_answer(desk, now, response);
        self.run(desk, now);
    }

    fn take_answer(&mut self, desk: &mut Desk, now: Timestamp, response: &Response) {
        let sip_call_id = self.dialog.call_id.clone();
        let read = || -> Result<_, Mistake> {
            let answer = Description::parse(&response.message.body)?;
            let stream = sdp::check_answer(&answer)?;
            Ok((answer, stream))
        };
        let (answer, stream) = match read() {
            Ok(read) => read,
            // An answer given in a 183 need not be given again.
            Err(_) if response.message.body.is_empty() && self.theirs.is_some() => return,
            Err(mistake) => {
                desk.violation(now, mistake.rule, mistake.detail, Some(&sip_call_id));
                return self.hang_up(desk, now, Ending::Lost);
            }
        };
        if let Some(Err(mistake)) = self.theirs.as_ref().map(|before| check_origin(before, &answer)) {
            desk.violation(now, mistake.rule, mistake.detail, Some(&sip_call_id));
        }
        let ours = self.audio.as_ref().map_or(Direction::SendRecv, |audio| audio.ours.direction);
        if (stream.direction.sends() && !ours.receives()) || (stream.direction.receives() && !ours.sends()) {
            let detail = format!("{} answers {}", stream.direction.as_str(), ours.as_str());
            desk.violation(now, "sdp.answer.direction", detail, Some(&sip_call_id));
        }
        self.theirs = Some(answer);
        self.agreed(desk, now, stream);
    }

    /// Puts the far side on hold, or takes it back.
    pub fn hold(&mut self, desk: &mut Desk, now: Timestamp, hold: bool) {
        self.holding = hold;
        let Some(audio) = &mut self.audio else { return };
        audio.ours.direction = if hold { Direction::SendOnly } else { Direction::SendRecv };
        audio.ours.version += 1;
        let offer = audio.ours.offer();
        self.request(desk, now, Purpose::Reinvite, &[], Some(&offer));
    }

    /// One of our requests was never answered.
    pub fn unanswered(&mut self, desk: &mut Desk, now: Timestamp, purpose: Purpose) {
        let detail = format!("no answer to our {purpose:?}");
        desk.violation(now, "response.missing", detail, Some(&self.dialog.call_id));
        match purpose {
            Purpose::Reinvite => self.hang_up(desk, now, Ending::Lost),
            _ => self.end(desk, now, Ending::Lost),
        }
    }
}
