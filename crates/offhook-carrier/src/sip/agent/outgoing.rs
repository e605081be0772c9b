//! Where a request goes: the way a dialog has, the places of a trunk, and on to the next one when one fails
//! (RFC 3261 §8.1.2, RFC 3263).
//!
//! Moving on never risks that a phone rings twice. An INVITE goes elsewhere only when it certainly was not delivered,
//! or was refused with 503 before anything rang; one that nobody answered stays where it is.

use std::collections::VecDeque;
use std::net::IpAddr;

use tracing::debug;

use super::{Agent, Errand, User, now};
use crate::sip::config::{Server, Transport};
use crate::sip::message::{Method, Request};
use crate::sip::net::Flow;
use crate::sip::resolve::{ResolveError, Target, literal};
use crate::sip::uri::{Scheme, Uri};
use crate::sip::usage::{Hop, NoReply, Purpose};

/// Longer requests may not go in a datagram where TCP can be had (RFC 3261 §18.1.1).
const LONGEST_DATAGRAM: usize = 1_300;
/// What is still to be added to a request when its way is looked for: Via, Contact, User-Agent.
const STAMP: usize = 200;
/// However many places a name has, and however often connections break.
pub(super) const MAX_ATTEMPTS: u8 = 8;

/// A request on its way out.
#[derive(Clone)]
pub(super) struct Outgoing {
    pub user: User,
    pub trunk: usize,
    pub request: Request,
    pub hop: Hop,
    /// Where it can still go.
    pub targets: VecDeque<Target>,
    /// The nonces answered so far.
    pub nonces: Vec<String>,
    pub attempts: u8,
}

/// What waits for an answer of the DNS.
pub(super) enum Waiting {
    Request(Box<Outgoing>),
    Ack { trunk: usize, request: Box<Request>, hop: Hop },
    Trunk { trunk: usize },
}

/// How to get somewhere.
enum Way {
    Open(Flow),
    Targets(VecDeque<Target>),
    Lookup(Server),
}

impl Agent {
    fn way(&self, trunk: usize, hop: &Hop) -> Way {
        let state = &self.trunks[trunk];
        let (uri, routed, flow) = match hop {
            Hop::Trunk => return self.way_to_trunk(trunk, None),
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
                if !routed && is_private(target.addr.ip()) && !is_private(flow.remote.ip()) =>
            {
                Way::Open(flow)
            }
            (Some(target), _) => Way::Targets([target].into()),
            (None, _) if server.host == state.config.hop().host && server.port == state.config.hop().port => {
                self.way_to_trunk(trunk, flow)
            }
            (None, _) => Way::Lookup(server),
        }
    }

    /// Its places, best first; before them the one that has the dialog: others may know nothing of it.
    fn way_to_trunk(&self, trunk: usize, had: Option<Flow>) -> Way {
        let state = &self.trunks[trunk];
        let Some(mut targets) = state.targets(now()) else { return Way::Lookup(state.config.hop().clone()) };
        targets.sort_by_key(|target| {
            had.is_none_or(|flow| (flow.transport, flow.remote) != (target.transport, target.addr))
        });
        Way::Targets(targets.into())
    }

    pub(super) fn request(&mut self, user: User, trunk: usize, request: Request, hop: Hop) {
        let (targets, nonces) = (VecDeque::new(), Vec::new());
        self.send_out(Outgoing { user, trunk, request, hop, targets, nonces, attempts: 0 });
    }

    fn send_out(&mut self, mut outgoing: Outgoing) {
        match self.way(outgoing.trunk, &outgoing.hop) {
            Way::Open(flow) => self.start_on(&outgoing, flow),
            Way::Targets(targets) => {
                outgoing.targets = targets;
                self.start_at(outgoing);
            }
            Way::Lookup(server) => self.look_up(server, Waiting::Request(Box::new(outgoing))),
        }
    }

    pub(super) fn look_up(&mut self, server: Server, waiting: Waiting) {
        let Some(asks) = self.asks.upgrade() else { return };
        let id = self.id();
        self.waiting.insert(id, waiting);
        let resolver = self.resolver.clone();
        tokio::spawn(async move {
            let targets = resolver.resolve(server).await;
            let _ = asks.send(Errand::Resolved { waiting: id, targets }).await;
        });
    }

    pub(super) fn resolved(&mut self, id: u64, found: Result<Vec<Target>, ResolveError>) {
        match self.waiting.remove(&id) {
            Some(Waiting::Request(outgoing)) => self.request_resolved(*outgoing, found),
            Some(Waiting::Ack { trunk, request, hop }) => {
                self.note_location(trunk, &hop, &found);
                let flow =
                    self.flow_to_first(trunk, found.unwrap_or_default().into()).or(self.open_flow(&hop));
                if let Some(flow) = flow {
                    self.send_ack_on(*request, &flow);
                }
            }
            Some(Waiting::Trunk { trunk }) => self.note_location(trunk, &Hop::Trunk, &found),
            None => {}
        }
    }

    fn request_resolved(&mut self, mut outgoing: Outgoing, found: Result<Vec<Target>, ResolveError>) {
        self.note_location(outgoing.trunk, &outgoing.hop, &found);
        match (found, self.open_flow(&outgoing.hop)) {
            (Ok(targets), _) => {
                outgoing.targets = targets.into();
                self.start_at(outgoing);
            }
            (Err(_), Some(flow)) => self.start_on(&outgoing, flow),
            (Err(error), None) => {
                self.unsent.push_back((outgoing.user, NoReply::Unsent(error.to_string())));
            }
        }
    }

    fn note_location(&mut self, trunk: usize, hop: &Hop, found: &Result<Vec<Target>, ResolveError>) {
        if let (Hop::Trunk, Ok(targets)) = (hop, found) {
            self.trunks[trunk].located(targets, now());
            self.ask_places(trunk);
        }
    }

    /// The way a dialog had so far, where it is still open.
    fn open_flow(&self, hop: &Hop) -> Option<Flow> {
        match hop {
            Hop::Dialog { flow, .. } => flow.filter(|flow| self.net.is_open(flow)),
            Hop::Trunk => None,
        }
    }

    /// Where a trunk has several places: find out which of them answer, before a call has to.
    pub(super) fn ask_places(&mut self, trunk: usize) {
        if self.stopping.is_some() {
            return;
        }
        for target in self.trunks[trunk].places.take_unsure(now()) {
            let Some(request) = self.trunks[trunk].options() else { return };
            let (hop, targets) = (Hop::Trunk, [target].into());
            let user = User::Nobody;
            self.start_at(Outgoing { user, trunk, request, hop, targets, nonces: Vec::new(), attempts: 0 });
        }
    }

    /// Whether nobody hung up while the server was looked for, or asked who we are.
    pub(super) fn is_wanted(&self, user: User) -> bool {
        match user {
            User::Call(handle, Purpose::Invite) => {
                self.calls.get(&handle).is_some_and(|call| call.wants_to_call())
            }
            // Never again: that would be another call.
            User::TakenBack(_) => false,
            _ => true,
        }
    }

    fn start_on(&mut self, outgoing: &Outgoing, flow: Flow) {
        if let Err(why) = self.start(outgoing, flow) {
            self.unsent.push_back((outgoing.user, NoReply::Unsent(why)));
        }
    }

    /// Send to the first target that takes it; nothing has left as long as none does.
    pub(super) fn start_at(&mut self, mut outgoing: Outgoing) {
        if !self.is_wanted(outgoing.user) {
            let why = "hung up before it was sent".to_owned();
            return self.unsent.push_back((outgoing.user, NoReply::Unsent(why)));
        }
        if matches!(outgoing.hop, Hop::Trunk) {
            self.prefer_streams(&mut outgoing);
        }
        outgoing.attempts += 1;
        let mut why = "the server has no address".to_owned();
        while let Some(target) = outgoing.targets.pop_front() {
            let sent = match self.net.flow_to(&target, &self.trunks[outgoing.trunk].trust) {
                Ok(flow) => {
                    if target.stands_in {
                        self.keep_contact(&mut outgoing, &target);
                    }
                    self.start(&outgoing, flow)
                }
                Err(error) => Err(error.to_string()),
            };
            match sent {
                Ok(()) => return,
                Err(error) => why = error,
            }
        }
        self.unsent.push_back((outgoing.user, NoReply::Unsent(why)));
    }

    /// What is too long for a datagram goes by TCP, and in a datagram after all where there is no TCP.
    fn prefer_streams(&self, outgoing: &mut Outgoing) {
        if !is_long(&outgoing.request) {
            return;
        }
        let state = &self.trunks[outgoing.trunk];
        let targets = std::mem::take(&mut outgoing.targets);
        let tried =
            |target: &Target| targets.iter().any(|other| other.stands_in && other.addr == target.addr);
        let mut preferred = VecDeque::with_capacity(targets.len() * 2);
        for target in &targets {
            let switch = target.transport == Transport::Udp && !tried(target);
            if switch && state.takes_streams(target.addr, now()) {
                preferred.push_back(target.by_stream());
            }
            preferred.push_back(target.clone());
        }
        outgoing.targets = preferred;
    }

    /// One request by TCP does not mean that we can be called by TCP: the far end is to use what it would have used.
    fn keep_contact(&mut self, outgoing: &mut Outgoing, target: &Target) {
        let usual = Target { transport: Transport::Udp, ..target.clone() };
        let flow = self.net.flow_to(&usual, &self.trunks[outgoing.trunk].trust);
        if let (Ok(flow), None) = (flow, outgoing.request.headers.first("Contact")) {
            let contact = self.contact(outgoing.trunk, &flow, &outgoing.request.method);
            outgoing.request.headers.push("Contact", contact);
        }
    }

    /// The next place for a request that this one did not take, as a new transaction (RFC 3263 §4.3).
    pub(super) fn move_on(&mut self, id: u64) -> bool {
        let Some(entry) = self.clients.get_mut(&id) else { return false };
        let Some(user) = entry.user else { return false };
        if entry.attempts >= MAX_ATTEMPTS {
            return false;
        }
        let mut outgoing = entry.outgoing(user);
        // Not the same server by another transport.
        outgoing.targets.retain(|target| target.addr != entry.flow.remote);
        if outgoing.targets.is_empty() {
            return false;
        }
        entry.user = Some(User::Nobody);
        for header in ["Authorization", "Proxy-Authorization"] {
            outgoing.request.headers.remove(header);
        }
        outgoing.nonces.clear();
        self.renumber(&mut outgoing);
        debug!(method = %outgoing.request.method, "trying the next server of the trunk");
        self.start_elsewhere(outgoing);
        true
    }

    /// By the same way as before, unless it has become too long for that.
    pub(super) fn send_again(&mut self, mut outgoing: Outgoing, flow: Flow) {
        let state = &self.trunks[outgoing.trunk];
        let fits = flow.transport != Transport::Udp
            || matches!(outgoing.hop, Hop::Dialog { .. })
            || !is_long(&outgoing.request)
            || !state.takes_streams(flow.remote, now());
        if fits {
            return self.start_on(&outgoing, flow);
        }
        let here = Target::new(Transport::Udp, flow.remote, &state.config.hop().host);
        outgoing.targets.push_front(here);
        self.start_at(outgoing);
    }

    fn start_elsewhere(&mut self, mut outgoing: Outgoing) {
        // The Contact names the way it was to go by.
        if matches!(outgoing.hop, Hop::Trunk) {
            outgoing.request.headers.remove("Contact");
        }
        self.start_at(outgoing);
    }

    pub(super) fn send_ack(&mut self, trunk: usize, request: Request, hop: Hop) {
        match self.way(trunk, &hop) {
            Way::Open(flow) => self.send_ack_on(request, &flow),
            Way::Targets(targets) => {
                if let Some(flow) = self.flow_to_first(trunk, targets) {
                    self.send_ack_on(request, &flow);
                }
            }
            Way::Lookup(server) => self.look_up(server, Waiting::Ack { trunk, request: request.into(), hop }),
        }
    }

    fn flow_to_first(&mut self, trunk: usize, targets: VecDeque<Target>) -> Option<Flow> {
        self.net.flow_to(targets.front()?, &self.trunks[trunk].trust).ok()
    }

    fn send_ack_on(&mut self, mut request: Request, flow: &Flow) {
        self.stamp(&mut request, flow);
        if let Err(error) = self.net.send(flow, request.to_bytes()) {
            debug!(%error, "an ACK could not be sent");
        }
    }

    /// A connection broke: what waited on it is sent elsewhere where that is safe.
    pub(super) fn flow_lost(&mut self, flow: Flow, never_open: bool, why: &str) {
        if never_open {
            for trunk in &mut self.trunks {
                trunk.silent(flow.transport, flow.remote, now());
                trunk.places.no_stream(flow.remote, now());
            }
        }
        for id in self.waiting_on(flow) {
            let Some(entry) = self.clients.get(&id) else { continue };
            let Some(user) = entry.user else { continue };
            let mut outgoing = entry.outgoing(user);
            let is_invite = outgoing.request.method == Method::Invite;
            let again = !is_invite && !never_open && outgoing.attempts < MAX_ATTEMPTS;
            let reached = entry.heard_any || !never_open;
            self.forget_client(id);
            if never_open && !outgoing.targets.is_empty() {
                self.start_elsewhere(outgoing);
            } else if again {
                outgoing.attempts += 1;
                self.send_out(outgoing);
            } else if reached {
                self.unsent.push_back((user, NoReply::Silence(format!("the connection was lost: {why}"))));
            } else {
                self.unsent.push_back((user, NoReply::Unsent(why.to_owned())));
            }
        }
    }
}

/// Whether it may not go in a datagram where there is another way.
fn is_long(request: &Request) -> bool {
    let stamp = if request.headers.first("Via").is_some() { 0 } else { STAMP };
    request.to_bytes().len() + stamp > LONGEST_DATAGRAM
}

fn server_of(uri: &Uri, transport: Option<Transport>) -> Server {
    let named = uri.param("transport").and_then(Transport::parse);
    let secure = (uri.scheme == Scheme::Sips).then_some(Transport::Tls);
    let host = uri.param("maddr").unwrap_or(&uri.host).to_owned();
    Server { host, port: uri.port, transport: secure.or(named).or(transport) }
}

fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unspecified(),
    }
}
