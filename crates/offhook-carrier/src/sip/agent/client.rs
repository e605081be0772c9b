//! Requests we send: addressing, credentials, retransmission, and whom the response is for.

use std::collections::VecDeque;
use std::time::Instant;

use offhook_core::EndReason;
use tracing::debug;

use super::{Agent, Errand, Timer, User, now};
use crate::sip::config::{Server, Transport};
use crate::sip::dialog::Dialog;
use crate::sip::digest::{self, Subject};
use crate::sip::message::{Method, Request, Response};
use crate::sip::net::Flow;
use crate::sip::resolve::{self, ResolveError, Target, literal};
use crate::sip::transaction::{Client, Due, Heard};
use crate::sip::uri::{Scheme, Uri};
use crate::sip::usage::{Hop, NoReply, Purpose};
use crate::sip::{reason, token};

const USER_AGENT: &str = concat!("offhook/", env!("CARGO_PKG_VERSION"));
/// Credentials, a stale nonce, and a second proxy on the way.
const MAX_CHALLENGES: usize = 4;

#[derive(Debug)]
pub(super) struct ClientEntry {
    machine: Client,
    key: (String, Method),
    request: Request,
    flow: Flow,
    hop: Hop,
    trunk: usize,
    /// `None` when nobody cares any more.
    user: Option<User>,
    /// Where else the server is.
    targets: VecDeque<Target>,
    heard_any: bool,
    /// The nonces answered so far.
    nonces: Vec<String>,
    resent_on_new_flow: bool,
    pub sent_at: Instant,
}

/// A request whose addressee is being looked up.
#[derive(Debug)]
pub(super) enum Waiting {
    Request { user: User, trunk: usize, request: Request, hop: Hop },
    Ack { trunk: usize, request: Request, hop: Hop },
    Trunk { trunk: usize },
}

/// How to get somewhere.
enum Way {
    Open(Flow),
    Targets(VecDeque<Target>),
    Lookup(Server),
}

impl ClientEntry {
    pub fn is_pending(&self) -> bool {
        self.machine.is_pending() && self.user.is_some()
    }
}

impl Agent {
    fn way(&self, trunk: usize, hop: &Hop) -> Way {
        let state = &self.trunks[trunk];
        let (uri, routed, flow) = match hop {
            Hop::Trunk => {
                return match state.targets(now()) {
                    Some(targets) => Way::Targets(targets.into()),
                    None => Way::Lookup(state.config.hop().clone()),
                };
            }
            Hop::Dialog { uri, routed, flow } => (uri, *routed, flow.filter(|flow| self.net.is_open(flow))),
        };
        // A stream that is open leads back to where the dialog came from, whatever its Contact says (RFC 5923).
        if let Some(flow) = flow.filter(|flow| flow.transport.is_reliable()) {
            return Way::Open(flow);
        }
        let server = server_of(uri, flow.map(|flow| flow.transport).or(state.config.hop().transport));
        match (literal(&server), flow) {
            // A Contact from behind their NAT: answer where it really came from.
            (Some(target), Some(flow))
                if !routed && is_private(&target) && !is_private_ip(flow.remote.ip()) =>
            {
                Way::Open(flow)
            }
            (Some(target), _) => Way::Targets([target].into()),
            (None, _) if server.host == state.config.hop().host && server.port == state.config.hop().port => {
                self.way(trunk, &Hop::Trunk)
            }
            (None, _) => Way::Lookup(server),
        }
    }

    pub(super) fn request(&mut self, user: User, trunk: usize, request: Request, hop: Hop) {
        match self.way(trunk, &hop) {
            Way::Open(flow) => {
                if let Err(why) = self.start(user, trunk, request, hop, flow, VecDeque::new(), Vec::new()) {
                    self.unsent.push_back((user, NoReply::Unsent(why)));
                }
            }
            Way::Targets(targets) => self.start_at(user, trunk, request, hop, targets),
            Way::Lookup(server) => self.look_up(server, Waiting::Request { user, trunk, request, hop }),
        }
    }

    pub(super) fn look_up(&mut self, server: Server, waiting: Waiting) {
        let Some(asks) = self.asks.upgrade() else { return };
        let id = self.id();
        self.waiting.insert(id, waiting);
        tokio::spawn(async move {
            let targets = resolve::resolve(server).await;
            let _ = asks.send(Errand::Resolved { waiting: id, targets }).await;
        });
    }

    pub(super) fn resolved(&mut self, id: u64, found: Result<Vec<Target>, ResolveError>) {
        let Some(waiting) = self.waiting.remove(&id) else { return };
        let (trunk, hop) = match &waiting {
            Waiting::Request { trunk, hop, .. } | Waiting::Ack { trunk, hop, .. } => (*trunk, hop.clone()),
            Waiting::Trunk { trunk } => (*trunk, Hop::Trunk),
        };
        if let (Hop::Trunk, Ok(targets)) = (&hop, &found) {
            self.trunks[trunk].resolved(targets, now());
        }
        let fallback = match &hop {
            Hop::Dialog { flow, .. } => flow.filter(|flow| self.net.is_open(flow)),
            Hop::Trunk => None,
        };
        match (waiting, found, fallback) {
            (Waiting::Request { user, request, .. }, Ok(targets), _) => {
                self.start_at(user, trunk, request, hop, targets.into())
            }
            (Waiting::Request { user, request, .. }, Err(_), Some(flow)) => {
                if let Err(why) = self.start(user, trunk, request, hop, flow, VecDeque::new(), Vec::new()) {
                    self.unsent.push_back((user, NoReply::Unsent(why)));
                }
            }
            (Waiting::Request { user, .. }, Err(error), None) => {
                self.unsent.push_back((user, NoReply::Unsent(error.to_string())));
            }
            (Waiting::Ack { request, .. }, found, fallback) => {
                let target = found.ok().and_then(|targets| targets.into_iter().next());
                let flow = target
                    .and_then(|target| self.net.flow_to(&target, &self.trunks[trunk].trust).ok())
                    .or(fallback);
                if let Some(flow) = flow {
                    self.send_ack_on(request, &flow);
                }
            }
            (Waiting::Trunk { .. }, _, _) => {}
        }
    }

    /// Whether nobody hung up while the server was looked for, or asked who we are.
    fn is_wanted(&self, user: User) -> bool {
        match user {
            User::Call(handle, Purpose::Invite) => {
                self.calls.get(&handle).is_some_and(|call| call.wants_to_call())
            }
            // Never again: that would be another call.
            User::TakenBack(_) => false,
            _ => true,
        }
    }

    /// Send to the first target that takes it; nothing has left as long as none does.
    fn start_at(
        &mut self,
        user: User,
        trunk: usize,
        request: Request,
        hop: Hop,
        mut targets: VecDeque<Target>,
    ) {
        if !self.is_wanted(user) {
            return self.unsent.push_back((user, NoReply::Unsent("hung up before it was sent".into())));
        }
        let mut why = "the server has no address".to_owned();
        while let Some(target) = targets.pop_front() {
            let flow = match self.net.flow_to(&target, &self.trunks[trunk].trust) {
                Ok(flow) => flow,
                Err(error) => {
                    why = error.to_string();
                    continue;
                }
            };
            match self.start(user, trunk, request.clone(), hop.clone(), flow, targets.clone(), Vec::new()) {
                Ok(()) => return,
                Err(error) => why = error,
            }
        }
        self.unsent.push_back((user, NoReply::Unsent(why)));
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one client transaction")]
    fn start(
        &mut self,
        user: User,
        trunk: usize,
        mut request: Request,
        hop: Hop,
        flow: Flow,
        targets: VecDeque<Target>,
        nonces: Vec<String>,
    ) -> Result<(), String> {
        let branch = self.stamp(&mut request, &flow);
        let needs_contact = matches!(request.method, Method::Invite | Method::Register | Method::Options);
        if needs_contact && request.headers.first("Contact").is_none() {
            let contact = self.contact(trunk, &flow);
            request.headers.push("Contact", contact);
        }
        self.net.send(&flow, request.to_bytes()).map_err(|error| error.to_string())?;
        let now = now();
        let invite = request.method == Method::Invite;
        let machine = Client::new(self.config.timing, invite, flow.transport.is_reliable(), now);
        let id = self.id();
        self.wake(machine.deadline(), Timer::Client(id));
        if let User::Call(handle, Purpose::Invite) = user {
            self.invites.insert(handle, id);
            self.with_call(handle, |call, _| call.invite_sent(&request, flow));
        }
        let key = (branch, request.method.clone());
        self.client_keys.insert(key.clone(), id);
        let entry = ClientEntry {
            machine,
            key,
            request,
            flow,
            hop,
            trunk,
            user: Some(user),
            targets,
            heard_any: false,
            nonces,
            resent_on_new_flow: false,
            sent_at: now,
        };
        self.clients.insert(id, entry);
        Ok(())
    }

    /// Put our Via on top, and say who we are.
    fn stamp(&mut self, request: &mut Request, flow: &Flow) -> String {
        let branch = format!("z9hG4bK{}", token());
        let sent_by = self.net.local_addr(flow);
        request.headers.remove("Via");
        request
            .headers
            .push_front("Via", format!("SIP/2.0/{} {sent_by};branch={branch};rport", flow.transport.name()));
        request.headers.set("User-Agent", USER_AGENT);
        branch
    }

    pub(super) fn send_ack(&mut self, trunk: usize, request: Request, hop: Hop) {
        match self.way(trunk, &hop) {
            Way::Open(flow) => self.send_ack_on(request, &flow),
            Way::Targets(targets) => {
                let target = targets.into_iter().next();
                if let Some(Ok(flow)) =
                    target.map(|target| self.net.flow_to(&target, &self.trunks[trunk].trust))
                {
                    self.send_ack_on(request, &flow);
                }
            }
            Way::Lookup(server) => self.look_up(server, Waiting::Ack { trunk, request, hop }),
        }
    }

    fn send_ack_on(&mut self, mut request: Request, flow: &Flow) {
        self.stamp(&mut request, flow);
        if let Err(error) = self.net.send(flow, request.to_bytes()) {
            debug!(%error, "an ACK could not be sent");
        }
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
        match user {
            Some(User::Call(handle, purpose)) if self.calls.contains_key(&handle) => {
                self.with_call(handle, |call, cx| call.on_response(cx, purpose, response, flow));
            }
            Some(User::Call(_, Purpose::Invite)) | None => {
                self.hang_up_late_answer(id, &response, flow, User::Nobody);
            }
            Some(User::Register(trunk)) if response.status >= 200 => {
                self.on_registered(trunk, &response, flow)
            }
            Some(User::Release(release)) => self.on_release_response(release, response.status),
            Some(User::TakenBack(release)) => self.on_taken_back(id, release, &response, flow),
            Some(User::Keepalive(trunk)) => self.trunks[trunk].kept_alive(true),
            Some(User::Check(check, _)) if response.status >= 200 => {
                let round_trip = now() - sent_at;
                let reply = crate::TrunkReply::Answered { sip_status: response.status, round_trip };
                self.checked(check, trunk, reply);
            }
            _ => {}
        }
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
        let Some(entry) = self.clients.get(&id) else { return false };
        let (trunk, user) = (entry.trunk, entry.user);
        let Some(credentials) = self.trunks[trunk].config.credentials() else { return false };
        let challenges = digest::choose(response, &credentials);
        let refused = |challenge: &digest::Challenge| entry.nonces.contains(&challenge.nonce);
        if challenges.is_empty() || challenges.iter().any(refused) || entry.nonces.len() >= MAX_CHALLENGES {
            return false;
        }
        // A second challenge that is not about an old nonce means that the password is wrong.
        let again = entry.request.headers.first(challenges[0].header()).is_some();
        if again && !challenges.iter().any(|challenge| challenge.stale) {
            return false;
        }
        let mut request = entry.request.clone();
        let (hop, flow) = (entry.hop.clone(), entry.flow);
        let mut nonces = entry.nonces.clone();
        for header in ["Authorization", "Proxy-Authorization"] {
            if challenges.iter().any(|challenge| challenge.header() == header) {
                request.headers.remove(header);
            }
        }
        let uri = request.uri.to_string();
        for challenge in challenges {
            let about = Subject { method: request.method.as_str(), uri: &uri, body: &request.body };
            let answer = challenge.answer(&credentials, about, &token(), 1);
            request.headers.push(challenge.header(), answer);
            nonces.push(challenge.nonce);
        }
        let Some(user) = user else { return false };
        let seq = self.seq_for(user, &request);
        let method = request.method.clone();
        request.headers.set("CSeq", format!("{seq} {method}"));
        if let Some(old) = self.clients.get_mut(&id) {
            old.user = Some(User::Nobody);
        }
        if let Err(why) = self.start(user, trunk, request, hop, flow, VecDeque::new(), nonces) {
            self.unsent.push_back((user, NoReply::Unsent(why)));
        }
        true
    }

    fn seq_for(&mut self, user: User, request: &Request) -> u32 {
        let following = request.headers.cseq().map_or(1, |(seq, _)| seq + 1);
        match user {
            User::Call(handle, _) => {
                self.calls.get_mut(&handle).map_or(following, |call| call.next_seq().max(following))
            }
            User::Register(trunk) => self.trunks[trunk].next_seq(),
            _ => following,
        }
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
        self.insert_client(machine, user, trunk, (branch, Method::Cancel), cancel, flow);
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
        self.insert_client(machine, user, trunk, (branch, Method::Invite), invite, flow);
    }

    /// Nobody waits for this any more; what still comes is taken care of.
    pub(super) fn disown(&mut self, user: User) {
        for entry in self.clients.values_mut().filter(|entry| entry.user == Some(user)) {
            entry.user = None;
        }
    }

    /// A transaction on a way that is fixed: it goes nowhere else, whatever happens.
    fn insert_client(
        &mut self,
        machine: Client,
        user: User,
        trunk: usize,
        key: (String, Method),
        request: Request,
        flow: Flow,
    ) {
        let id = self.id();
        self.wake(machine.deadline(), Timer::Client(id));
        self.client_keys.insert(key.clone(), id);
        let entry = ClientEntry {
            machine,
            key,
            request,
            flow,
            hop: Hop::Trunk,
            trunk,
            user: Some(user),
            targets: VecDeque::new(),
            heard_any: false,
            nonces: Vec::new(),
            resent_on_new_flow: true,
            sent_at: now(),
        };
        self.clients.insert(id, entry);
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
            Due::Resend => {
                let _ = self.net.send(&entry.flow, entry.request.to_bytes());
            }
            Due::TimedOut => {
                let user = entry.user;
                let secs = self.config.timing.timeout().as_secs();
                let what = format!("no reply to the {} within {secs} s", entry.request.method);
                if let Some(user) = user {
                    self.no_reply(user, NoReply::Silence(what));
                }
                // An abandoned INVITE stays to catch a late answer.
                if self.clients.get(&id).is_some_and(|entry| entry.machine.is_pending()) {
                    self.forget_client(id);
                }
                return;
            }
            Due::Over => return self.forget_client(id),
        }
        if let Some(entry) = self.clients.get(&id) {
            self.wake(entry.machine.deadline(), Timer::Client(id));
        }
    }

    fn forget_client(&mut self, id: u64) {
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

    /// A connection broke: what waited on it is sent elsewhere where that is safe.
    pub(super) fn flow_lost(&mut self, flow: Flow, never_open: bool, why: &str) {
        let hit = |(id, entry): (&u64, &ClientEntry)| {
            (entry.flow == flow && entry.machine.is_pending()).then_some(*id)
        };
        let ids: Vec<u64> = self.clients.iter().filter_map(hit).collect();
        for id in ids {
            let Some(entry) = self.clients.get(&id) else { continue };
            let Some(user) = entry.user else { continue };
            let (trunk, request, hop) = (entry.trunk, entry.request.clone(), entry.hop.clone());
            let targets = entry.targets.clone();
            let again = request.method != Method::Invite && !never_open && !entry.resent_on_new_flow;
            let reached = entry.heard_any || !never_open;
            self.forget_client(id);
            if never_open && !targets.is_empty() {
                self.start_at(user, trunk, request, hop, targets);
            } else if again {
                self.request(user, trunk, request, hop);
            } else if reached {
                self.unsent.push_back((user, NoReply::Silence(format!("the connection was lost: {why}"))));
            } else {
                self.unsent.push_back((user, NoReply::Unsent(why.to_owned())));
            }
        }
    }
}

fn server_of(uri: &Uri, transport: Option<Transport>) -> Server {
    let named = uri.param("transport").and_then(Transport::parse);
    let secure = (uri.scheme == Scheme::Sips).then_some(Transport::Tls);
    let host = uri.param("maddr").unwrap_or(&uri.host).to_owned();
    Server { host, port: uri.port, transport: secure.or(named).or(transport) }
}

fn is_private(target: &Target) -> bool {
    is_private_ip(target.addr.ip())
}

fn is_private_ip(ip: std::net::IpAddr) -> bool {
    match ip {
        std::net::IpAddr::V4(ip) => {
            ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified()
        }
        std::net::IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unspecified(),
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
