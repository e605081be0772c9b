//! Hanging up what a process before this one left behind.
//!
//! An answered call gets a BYE inside its dialog. One that was still ringing gets a CANCEL, and its INVITE is
//! watched as if this process had sent it: a refusal is acknowledged, and who picks up after all is acknowledged and
//! hung up. That needs responses to arrive here, so it works where the new process listens on the address of the
//! old one. A call that reached us and was not answered yet is left to the caller's own patience: without its
//! transaction there is nothing to refuse.

use std::net::SocketAddr;
use std::time::Duration;

use offhook_core::EndReason;
use tokio::sync::oneshot;

use super::{Agent, Timer, User, now};
use crate::Released;
use crate::sip::config::Transport;
use crate::sip::dialog::Dialog;
use crate::sip::message::{Method, Request, Response};
use crate::sip::net::Flow;
use crate::sip::reason;
use crate::sip::resolve::Target;
use crate::sip::ticket::{Stage, Ticket};
use crate::sip::usage::{Hop, NoReply};

/// How long somebody waits for the outcome; the BYE itself is sent again for longer.
const PATIENCE: Duration = Duration::from_secs(3);
/// Past whatever was sent after the last ticket that reached the disk. Gaps are allowed (RFC 3261 §12.2.2), going
/// back is not.
const SEQ_MARGIN: u32 = 10_000;
/// RFC 3261 §8.1.1.5.
const MAX_SEQ: u32 = (1 << 31) - 1;

#[derive(Debug)]
pub(super) struct Release {
    reply: oneshot::Sender<Released>,
    /// What to try with a higher sequence number, should the one that was written down be old.
    again: Option<(usize, Dialog, Option<Flow>)>,
}

impl Agent {
    pub(super) fn release(&mut self, text: &str, reply: oneshot::Sender<Released>) {
        let id = self.id();
        self.releases.insert(id, Release { reply, again: None });
        self.wake(now() + PATIENCE, Timer::Release(id));
        let Some(ticket) = Ticket::parse(text) else {
            return self.released(id, unknown("what was written down of it can't be read"));
        };
        let Some(trunk) = self.trunks.iter().position(|trunk| trunk.config.name == ticket.trunk) else {
            return self.released(id, unknown("its trunk is not configured any more"));
        };
        match ticket.stage {
            Stage::Dialog(dialog) => {
                let flow = ticket.far.and_then(|far| self.flow_again(trunk, far).ok());
                // The connection of the other process is gone, and who connected to it is not there to be connected
                // to: only datagrams find their way back where they came from.
                let flow = flow.filter(|flow| !flow.transport.is_reliable());
                if let Some(release) = self.releases.get_mut(&id) {
                    release.again = Some((trunk, dialog.clone(), flow));
                }
                self.bye_again(id, trunk, dialog, flow);
            }
            Stage::Pending(invite) => match ticket.far.map(|far| self.flow_again(trunk, far)) {
                Some(Ok(flow)) => self.take_back(id, trunk, invite, flow),
                Some(Err(why)) => self.released(id, Released::Unreachable { why }),
                None => self.released(id, unknown("nobody knows where its INVITE went")),
            },
        }
    }

    /// The way to the address that the other process talked to.
    fn flow_again(
        &mut self,
        trunk: usize,
        (transport, addr): (Transport, SocketAddr),
    ) -> Result<Flow, String> {
        let state = &self.trunks[trunk];
        let target = Target::new(transport, addr, &state.config.hop().host);
        self.net.flow_to(&target, &state.trust).map_err(|error| error.to_string())
    }

    fn bye_again(&mut self, id: u64, trunk: usize, mut dialog: Dialog, flow: Option<Flow>) {
        let mut bye = dialog.request(Method::Bye);
        bye.headers.push("Reason", reason::header(EndReason::GatewayRestarted));
        let hop = Hop::Dialog { uri: dialog.next_hop(), routed: dialog.has_routes(), flow };
        self.request(User::Release(id), trunk, bye, hop);
    }

    fn take_back(&mut self, id: u64, trunk: usize, invite: Request, flow: Flow) {
        let Some(branch) = invite.headers.top_via().and_then(|via| via.branch) else {
            return self.released(id, unknown("its INVITE has no branch"));
        };
        self.adopt_invite(User::TakenBack(id), trunk, branch.clone(), invite.clone(), flow);
        let sent =
            self.send_cancel(User::TakenBack(id), trunk, &invite, flow, branch, EndReason::GatewayRestarted);
        if let Err(why) = sent {
            self.released(id, Released::Unreachable { why });
        }
    }

    /// A response to the BYE.
    pub(super) fn on_release_response(&mut self, id: u64, status: u16) {
        // An old sequence number is answered with 500 (RFC 3261 §12.2.2), and by some otherwise.
        if matches!(status, 400 | 482 | 500)
            && let Some((trunk, mut dialog, flow)) =
                self.releases.get_mut(&id).and_then(|release| release.again.take())
        {
            dialog.local_seq = dialog.local_seq.saturating_add(SEQ_MARGIN).min(MAX_SEQ - 1);
            return self.bye_again(id, trunk, dialog, flow);
        }
        let outcome = match status {
            ..200 => return,
            // Who does not know the call has ended it already (RFC 3261 §15.1.1).
            200..300 | 481 => Released::Gone,
            408 | 480 | 500.. => Released::Unreachable { why: format!("the BYE was answered with {status}") },
            _ => unknown(&format!("the BYE was answered with {status}")),
        };
        self.released(id, outcome);
    }

    /// A response to the CANCEL, or to the INVITE it is for.
    pub(super) fn on_taken_back(&mut self, client: u64, id: u64, response: &Response, flow: Flow) {
        let invite = response.headers.cseq().is_some_and(|(_, method)| method == Method::Invite);
        match (invite, response.status) {
            (_, ..200) => {}
            (true, 200..300) => self.hang_up_late_answer(client, response, flow, User::Release(id)),
            (true, _) | (false, 200..300) => self.released(id, Released::Gone),
            (false, status) => {
                self.released(id, unknown(&format!("the CANCEL was answered with {status}")));
            }
        }
    }

    pub(super) fn on_no_release(&mut self, id: u64, why: NoReply) {
        let (NoReply::Unsent(why) | NoReply::Silence(why)) = why;
        self.released(id, Released::Unreachable { why });
    }

    pub(super) fn release_due(&mut self, id: u64) {
        let why = format!("nobody answered within {} s", PATIENCE.as_secs());
        self.released(id, Released::Unreachable { why });
    }

    fn released(&mut self, id: u64, outcome: Released) {
        let Some(release) = self.releases.remove(&id) else { return };
        self.timers.set(Timer::Release(id), None);
        self.disown(User::TakenBack(id));
        let _ = release.reply.send(outcome);
    }
}

fn unknown(why: &str) -> Released {
    Released::Unknown { why: why.to_owned() }
}
