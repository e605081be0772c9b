//! Requests we sent: credentials, retransmission, and whom the response is for.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use offhook_core::EndReason;
use tracing::debug;

use super::outgoing::{MAX_ATTEMPTS, Outgoing};
use super::{Agent, Timer, User, now};
use crate::sip::dialog::Dialog;
use crate::sip::digest::{self, Challenge, Credentials, Subject};
use crate::sip::message::{Method, Request, Response};
use crate::sip::net::Flow;
use crate::sip::resolve::Target;
use crate::sip::transaction::{Client, Due, Heard};
use crate::sip::usage::{Hop, NoReply, Purpose};
use crate::sip::{reason, token};

const USER_AGENT: &str = concat!("offhook/", env!("CARGO_PKG_VERSION"));
/// Sent again so often without any reply, the server counts as silent: after 3.5 s.
const SILENCE: u32 = 3;
/// Credentials, a stale nonce, and a second proxy on the way.
const MAX_CHALLENGES: usize = 4;

pub(super) struct ClientEntry {
    machine: Client,
    key: (String, Method),
    pub request: Request,
    pub flow: Flow,
    pub hop: Hop,
    pub trunk: usize,
    /// `None` when nobody cares any more.
    pub user: Option<User>,
    /// Where else the server is.
    pub targets: VecDeque<Target>,
    pub attempts: u8,
    pub heard_any: bool,
    resent: u32,
    /// The nonces answered so far.
    nonces: Vec<String>,
    sent_at: Instant,
}

impl ClientEntry {
    /// On a way that is fixed: it goes nowhere else, whatever happens.
    fn new(
        machine: Client,
        key: (String, Method),
        request: Request,
        flow: Flow,
        trunk: usize,
        user: User,
    ) -> Self {
        Self {
            machine,
            key,
            request,
            flow,
            hop: Hop::Trunk,
            trunk,
            user: Some(user),
            targets: VecDeque::new(),
            attempts: MAX_ATTEMPTS,
            heard_any: false,
            resent: 0,
            nonces: Vec::new(),
            sent_at: now(),
        }
    }

    /// Whether there is something to wait for before we stop: not for who is asked whether he is there.
    pub fn is_pending(&self) -> bool {
        self.machine.is_pending() && self.user.is_some() && self.request.method != Method::Options
    }

    /// The same request, to be sent once more for this user.
    pub fn outgoing(&self, user: User) -> Outgoing {
        Outgoing {
            user,
            trunk: self.trunk,
            request: self.request.clone(),
            hop: self.hop.clone(),
            targets: self.targets.clone(),
            nonces: self.nonces.clone(),
            attempts: self.attempts,
        }
    }

    /// Whether these challenges are worth an answer.
    fn may_answer(&self, challenges: &[Challenge]) -> bool {
        let refused = |challenge: &Challenge| {
            let fields = || self.request.headers.fields(challenge.header());
            // A second challenge of a realm that is not about an old nonce means that the password is wrong.
            let again = fields().any(|answer| challenge.is_answered_by(answer)) && !challenge.stale;
            again || self.nonces.contains(&challenge.nonce)
        };
        !challenges.is_empty() && !challenges.iter().any(refused) && self.nonces.len() < MAX_CHALLENGES
    }
}

impl Outgoing {
    /// Put the answers in place of earlier ones; what was told another proxy on the way stays (RFC 3261 §22.3).
    fn answer(&mut self, challenges: Vec<Challenge>, credentials: &Credentials) {
        let uri = self.request.uri.to_string();
        for challenge in challenges {
            let headers = &mut self.request.headers;
            headers.remove_where(challenge.header(), |answer| challenge.is_answered_by(answer));
            let request = &self.request;
            let about = Subject { method: request.method.as_str(), uri: &uri, body: &request.body };
            let answer = challenge.answer(credentials, about, &token(), 1);
            self.request.headers.push(challenge.header(), answer);
            self.nonces.push(challenge.nonce);
        }
    }
}

impl Agent {
    /// Send it that way. It is somebody's from now on, unless it could not even be handed to a socket.
    pub(super) fn start(&mut self, outgoing: &Outgoing, flow: Flow) -> Result<(), String> {
        let Outgoing { user, trunk, mut request, hop, targets, nonces, attempts } = outgoing.clone();
        let branch = self.stamp(&mut request, &flow);
        let needs_contact = matches!(request.method, Method::Invite | Method::Register | Method::Options);
        if needs_contact && request.headers.first("Contact").is_none() {
            let contact = self.contact(trunk, &flow, &request.method);
            request.headers.push("Contact", contact);
        }
        self.net.send(&flow, request.to_bytes()).map_err(|error| error.to_string())?;
        let invite = request.method == Method::Invite;
        let machine = Client::new(self.config.timing, invite, flow.transport.is_reliable(), now());
        if let User::Call(handle, Purpose::Invite) = user {
            self.with_call(handle, |call, _| call.invite_sent(&request, flow));
        }
        let key = (branch, request.method.clone());
        let entry = ClientEntry::new(machine, key, request, flow, trunk, user);
        let entry = ClientEntry { hop, targets, nonces, attempts, ..entry };
        let id = self.insert_client(entry);
        if let User::Call(handle, Purpose::Invite) = user {
            self.invites.insert(handle, id);
        }
        Ok(())
    }

    fn insert_client(&mut self, entry: ClientEntry) -> u64 {
        let id = self.id();
        self.wake(entry.machine.deadline(), Timer::Client(id));
        self.client_keys.insert(entry.key.clone(), id);
        self.clients.insert(id, entry);
        id
    }

    /// Put our Via on top, and say who we are.
    pub(super) fn stamp(&mut self, request: &mut Request, flow: &Flow) -> String {
        let branch = format!("z9hG4bK{}", token());
        let sent_by = self.net.local_addr(flow);
        request.headers.remove("Via");
        request
            .headers
            .push_front("Via", format!("SIP/2.0/{} {sent_by};branch={branch};rport", flow.transport.name()));
        request.headers.set("User-Agent", USER_AGENT);
        branch
    }

    pub(super) fn on_response(&mut self, flow: Flow, response: Response) {
        let (Some(via), Some((_, method))) = (response.headers.top_via(), response.headers.cseq()) else {
            return;
        };
        let Some(id) = self.client_keys.get(&(via.branch.unwrap_or_default(), method)).copied() else {
            debug!(status = response.status, "a response to nothing we sent");
            return;
        };
        let Some(entry) = self.clients.get_mut(&id) else { return };
        entry.heard_any = true;
        self.trunks[entry.trunk].places.answered(entry.flow.transport, entry.flow.remote, now());
        let heard = entry.machine.heard(response.status, now());
        let deadline = entry.machine.deadline();
        if matches!(heard, Heard::Ack | Heard::AckAndPass) {
            let ack = refusal_ack(&entry.request, &response);
            let _ = self.net.send(&entry.flow, ack.to_bytes());
        }
        self.wake(deadline, Timer::Client(id));
        if matches!(heard, Heard::Pass | Heard::AckAndPass) {
            self.pass(id, response, flow);
        }
    }

    fn pass(&mut self, id: u64, response: Response, flow: Flow) {
        let Some(entry) = self.clients.get(&id) else { return };
        let (user, trunk, sent_at) = (entry.user, entry.trunk, entry.sent_at);
        if matches!(response.status, 401 | 407)
            && user.is_some_and(|user| self.is_wanted(user))
            && self.authorize(id, &response)
        {
            return;
        }
        if response.status == 503 && self.overloaded(id, &response) {
            return;
        }
        match user {
            Some(User::Call(handle, purpose)) if self.calls.contains_key(&handle) => {
                self.with_call(handle, |call, cx| call.on_response(cx, purpose, response, flow));
            }
            Some(User::Call(_, Purpose::Invite)) | None => {
                self.hang_up_late_answer(id, &response, flow, User::Nobody);
            }
            Some(User::Register(trunk)) if response.status >= 200 => {
                self.on_registered(id, trunk, &response, flow)
            }
            Some(User::Release(release)) => self.on_release_response(release, response.status),
            Some(User::TakenBack(release)) => self.on_taken_back(id, release, &response, flow),
            Some(User::Keepalive(trunk)) => self.trunks[trunk].kept_alive(true),
            Some(User::Check(check, _)) if response.status >= 200 => {
                let round_trip = now() - sent_at;
                let reply = crate::TrunkReply::Answered { status: response.status, round_trip };
                self.checked(check, trunk, reply);
            }
            _ => {}
        }
    }

    /// It says itself that it can't: try the next one, and leave it alone for as long as it wants to be.
    fn overloaded(&mut self, id: u64, response: &Response) -> bool {
        let Some(entry) = self.clients.get(&id) else { return false };
        if let Some(seconds) = response.headers.number("Retry-After") {
            let rest = Duration::from_secs(seconds.into());
            let (transport, remote) = (entry.flow.transport, entry.flow.remote);
            self.trunks[entry.trunk].places.rests(transport, remote, rest, now());
        }
        let may_move = match entry.user {
            Some(User::Call(handle, Purpose::Invite)) => {
                self.calls.get(&handle).is_some_and(|call| call.may_move())
            }
            Some(User::Call(_, Purpose::Refresh) | User::TakenBack(_)) | None => false,
            Some(_) => true,
        };
        may_move && self.move_on(id)
    }

    /// Somebody picked up after the call was given up: acknowledge it, so that it stops, and hang up.
    pub(super) fn hang_up_late_answer(&mut self, id: u64, response: &Response, flow: Flow, user: User) {
        let Some(entry) = self.clients.get(&id) else { return };
        if entry.request.method != Method::Invite || !(200..300).contains(&response.status) {
            return;
        }
        let (trunk, invite) = (entry.trunk, entry.request.clone());
        let Some(mut dialog) = Dialog::of_response(&invite, response) else { return };
        let hop = Hop::Dialog { uri: dialog.next_hop(), routed: dialog.has_routes(), flow: Some(flow) };
        self.send_ack(trunk, dialog.ack(&invite), hop.clone());
        let mut bye = dialog.request(Method::Bye);
        bye.headers.push("Reason", reason::header(EndReason::OwnerCancelled));
        self.request(user, trunk, bye, hop);
    }

    /// Send the request again with credentials, if we have any for this challenge that were not refused already.
    fn authorize(&mut self, id: u64, response: &Response) -> bool {
        let Some(entry) = self.clients.get_mut(&id) else { return false };
        let Some(user) = entry.user else { return false };
        let Some(credentials) = self.trunks[entry.trunk].config.credentials() else { return false };
        let challenges = digest::choose(response, &credentials);
        if !entry.may_answer(&challenges) {
            return false;
        }
        let flow = entry.flow;
        let mut outgoing = entry.outgoing(user);
        entry.user = Some(User::Nobody);
        outgoing.answer(challenges, &credentials);
        self.renumber(&mut outgoing);
        self.send_again(outgoing, flow);
        true
    }

    /// A request that is sent again as a new transaction has the next sequence number (RFC 3261 §8.1.3.5).
    pub(super) fn renumber(&mut self, outgoing: &mut Outgoing) {
        let request = &mut outgoing.request;
        let following = request.headers.cseq().map_or(1, |(seq, _)| seq + 1);
        let seq = match outgoing.user {
            User::Call(handle, _) => {
                self.calls.get_mut(&handle).map_or(following, |call| call.next_seq().max(following))
            }
            User::Register(trunk) => self.trunks[trunk].next_seq(),
            _ => following,
        };
        let method = request.method.clone();
        request.headers.set("CSeq", format!("{seq} {method}"));
    }

    pub(super) fn cancel(&mut self, handle: u64, why: EndReason) {
        let Some(id) = self.invites.get(&handle).copied() else { return };
        let Some(entry) = self.clients.get_mut(&id) else { return };
        if !entry.machine.is_pending() {
            return;
        }
        entry.machine.cancelled(now());
        let (invite, flow, trunk, branch) =
            (entry.request.clone(), entry.flow, entry.trunk, entry.key.0.clone());
        let deadline = entry.machine.deadline();
        self.wake(deadline, Timer::Client(id));
        // It is only a wish: whatever comes of it, the INVITE's own transaction tells.
        let _ = self.send_cancel(User::Nobody, trunk, &invite, flow, branch, why);
    }

    pub(super) fn send_cancel(
        &mut self,
        user: User,
        trunk: usize,
        invite: &Request,
        flow: Flow,
        branch: String,
        why: EndReason,
    ) -> Result<(), String> {
        let mut cancel = like_invite(invite, Method::Cancel);
        cancel.headers.copy(&invite.headers, "To");
        cancel.headers.push("Reason", reason::cancel_header(why));
        cancel.headers.push("User-Agent", USER_AGENT);
        self.net.send(&flow, cancel.to_bytes()).map_err(|error| error.to_string())?;
        let machine = Client::new(self.config.timing, false, flow.transport.is_reliable(), now());
        self.insert_client(ClientEntry::new(machine, (branch, Method::Cancel), cancel, flow, trunk, user));
        Ok(())
    }

    /// Watch an INVITE that another process sent as if it were ours.
    pub(super) fn adopt_invite(
        &mut self,
        user: User,
        trunk: usize,
        branch: String,
        invite: Request,
        flow: Flow,
    ) {
        let machine = Client::adopted(self.config.timing, flow.transport.is_reliable(), now());
        self.insert_client(ClientEntry::new(machine, (branch, Method::Invite), invite, flow, trunk, user));
    }

    /// Nobody waits for this any more; what still comes is taken care of.
    pub(super) fn disown(&mut self, user: User) {
        for entry in self.clients.values_mut().filter(|entry| entry.user == Some(user)) {
            entry.user = None;
        }
    }

    pub(super) fn abandon(&mut self, handle: u64) {
        let Some(id) = self.invites.remove(&handle) else { return };
        let Some(entry) = self.clients.get_mut(&id) else { return };
        entry.user = None;
        entry.machine.linger(now());
        let deadline = entry.machine.deadline();
        self.wake(deadline, Timer::Client(id));
    }

    pub(super) fn client_due(&mut self, id: u64, now: Instant) {
        let Some(entry) = self.clients.get_mut(&id) else { return };
        match entry.machine.due(now) {
            Due::Nothing => {}
            Due::Resend => self.resend(id),
            Due::TimedOut => return self.timed_out(id),
            Due::Over => return self.forget_client(id),
        }
        if let Some(entry) = self.clients.get(&id) {
            self.wake(entry.machine.deadline(), Timer::Client(id));
        }
    }

    fn resend(&mut self, id: u64) {
        let Some(entry) = self.clients.get_mut(&id) else { return };
        let _ = self.net.send(&entry.flow, entry.request.to_bytes());
        entry.resent += 1;
        if entry.heard_any || entry.resent != SILENCE {
            return;
        }
        let (trunk, flow) = (entry.trunk, entry.flow);
        // To ask somebody else meanwhile does no harm; anything else waits for its timer.
        let may_move = matches!(entry.request.method, Method::Options | Method::Register);
        self.trunks[trunk].silent(flow.transport, flow.remote, now());
        if may_move && self.move_on(id) {
            self.forget_client(id);
        }
    }

    fn timed_out(&mut self, id: u64) {
        let Some(entry) = self.clients.get(&id) else { return };
        let (trunk, flow, user, method) = (entry.trunk, entry.flow, entry.user, entry.request.method.clone());
        if !entry.heard_any {
            self.trunks[trunk].silent(flow.transport, flow.remote, now());
        }
        // An INVITE may have arrived, and a phone may ring: it goes nowhere else.
        if method != Method::Invite && self.move_on(id) {
            return self.forget_client(id);
        }
        if let Some(user) = user {
            let secs = self.config.timing.timeout().as_secs();
            self.no_reply(user, NoReply::Silence(format!("no reply to the {method} within {secs} s")));
        }
        // An abandoned INVITE stays to catch a late answer.
        if self.clients.get(&id).is_some_and(|entry| entry.machine.is_pending()) {
            self.forget_client(id);
        }
    }

    pub(super) fn forget_client(&mut self, id: u64) {
        let Some(entry) = self.clients.remove(&id) else { return };
        self.timers.set(Timer::Client(id), None);
        if self.client_keys.get(&entry.key) == Some(&id) {
            self.client_keys.remove(&entry.key);
        }
        if let Some(User::Call(handle, Purpose::Invite)) = entry.user
            && self.invites.get(&handle) == Some(&id)
        {
            self.invites.remove(&handle);
        }
    }

    /// The requests that went out over that flow and have no final response.
    pub(super) fn waiting_on(&self, flow: Flow) -> Vec<u64> {
        let waits = |entry: &ClientEntry| entry.flow == flow && entry.machine.is_pending();
        self.clients.iter().filter(|(_, entry)| waits(entry)).map(|(id, _)| *id).collect()
    }
}

/// What CANCEL and the ACK of a refusal share with their INVITE (RFC 3261 §9.1, §17.1.1.3).
fn like_invite(invite: &Request, method: Method) -> Request {
    let mut request = Request::new(method, invite.uri.clone());
    if let Some(via) = invite.headers.first("Via") {
        request.headers.push("Via", via);
    }
    request.headers.copy(&invite.headers, "Route");
    request.headers.push("Max-Forwards", "70");
    request.headers.copy(&invite.headers, "From");
    request.headers.copy(&invite.headers, "Call-ID");
    let seq = invite.headers.cseq().map_or(1, |(seq, _)| seq);
    let method = request.method.clone();
    request.headers.push("CSeq", format!("{seq} {method}"));
    request
}

fn refusal_ack(invite: &Request, response: &Response) -> Request {
    let mut ack = like_invite(invite, Method::Ack);
    ack.headers.copy(&response.headers, "To");
    ack
}
