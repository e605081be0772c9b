//! The task that owns all signalling: it feeds the state machines and carries out what they decide.
//!
//! Everything that happens is one of four things: a message arrived, somebody asked for something, a timer is due, a
//! second has passed. Each is handled to the end before the next; nothing in here waits.

mod client;
mod outgoing;
mod release;
mod server;
mod timers;
mod trunks;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use offhook_core::{EndReason, PhoneNumber};
use tokio::sync::{mpsc, oneshot};
use tracing::debug;

use self::client::ClientEntry;
use self::outgoing::Waiting;
use self::release::Release;
use self::server::ServerEntry;
use self::timers::Timers;
use self::trunks::Check;
use super::config::{FromUser, SipConfig};
use super::message::{Message, Method};
use super::net::{Arrival, Flow, Net};
use super::resolve::{ResolveError, Resolver, Target};
use super::trunk::{Health, TrunkState};
use super::usage::{Cx, Effect, NoReply, Purpose, Start, Usage};
use super::{StartError, identity, token, trunk_of, usage};
use crate::line::{LinePool, LineSlot};
use crate::sip::leg::{Signal, Told};
use crate::{IncomingCall, Released, TrunkCheck};

/// What is asked of the agent.
pub(crate) enum Errand {
    Dial(Box<Dialing>),
    Leg(u64, Told),
    Resolved { waiting: u64, targets: Result<Vec<Target>, ResolveError> },
    Release { ticket: String, reply: oneshot::Sender<Released> },
    Check(oneshot::Sender<TrunkCheck>),
    Shutdown(oneshot::Sender<()>),
}

/// A call to be placed: its line is taken and its media bound already.
pub(crate) struct Dialing {
    pub handle: u64,
    pub to: PhoneNumber,
    pub slot: LineSlot,
    pub local_sdp: String,
    pub leg: mpsc::Sender<Signal>,
}

/// Whom a response is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum User {
    Call(u64, Purpose),
    Register(usize),
    Keepalive(usize),
    Check(u64, usize),
    /// The BYE that hangs up a call of a process before this one.
    Release(u64),
    /// The INVITE that such a process left pending, and its CANCEL.
    TakenBack(u64),
    /// A lookup that only refreshes where a trunk is.
    Nobody,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Timer {
    Client(u64),
    Server(u64),
    Call(u64),
    Trunk(usize),
    Check(u64),
    Release(u64),
}

pub(crate) struct Agent {
    config: Arc<SipConfig>,
    net: Net,
    lines: LinePool,
    incoming: mpsc::Sender<IncomingCall>,
    asks: mpsc::WeakSender<Errand>,
    next_call: Arc<AtomicU64>,
    next_id: u64,
    resolver: Resolver,
    trunks: Vec<TrunkState>,
    calls: HashMap<u64, Usage>,
    /// By Call-ID and our tag.
    dialogs: HashMap<(String, String), u64>,
    /// Inbound calls by Call-ID and the caller's tag.
    merged: HashMap<(String, String), u64>,
    clients: HashMap<u64, ClientEntry>,
    client_keys: HashMap<(String, Method), u64>,
    /// The INVITE transaction of each outbound call.
    invites: HashMap<u64, u64>,
    servers: HashMap<u64, ServerEntry>,
    server_keys: HashMap<String, u64>,
    waiting: HashMap<u64, Waiting>,
    checks: HashMap<u64, Check>,
    releases: HashMap<u64, Release>,
    timers: Timers,
    /// Requests that could not be sent, told to their users once the current event is done with.
    unsent: VecDeque<(User, NoReply)>,
    stopping: Option<(oneshot::Sender<()>, Instant)>,
}

impl Agent {
    pub fn new(
        config: Arc<SipConfig>,
        net: Net,
        lines: LinePool,
        incoming: mpsc::Sender<IncomingCall>,
        asks: mpsc::WeakSender<Errand>,
        next_call: Arc<AtomicU64>,
    ) -> Result<Self, StartError> {
        let mut trunks = Vec::new();
        for (index, trunk) in config.trunks.iter().enumerate() {
            let number = config
                .lines
                .iter()
                .find(|line| trunk_of(&config, line) == index)
                .map(|line| line.number.as_e164());
            let state = TrunkState::new(trunk.clone(), number, now());
            trunks.push(state.map_err(|error| StartError::Trust(trunk.name.clone(), error))?);
        }
        Ok(Self {
            resolver: Resolver::new(&config.nameservers),
            config,
            net,
            lines,
            incoming,
            asks,
            next_call,
            next_id: 1,
            trunks,
            calls: HashMap::new(),
            dialogs: HashMap::new(),
            merged: HashMap::new(),
            clients: HashMap::new(),
            client_keys: HashMap::new(),
            invites: HashMap::new(),
            servers: HashMap::new(),
            server_keys: HashMap::new(),
            waiting: HashMap::new(),
            checks: HashMap::new(),
            releases: HashMap::new(),
            timers: Timers::default(),
            unsent: VecDeque::new(),
            stopping: None,
        })
    }

    pub fn health(&self) -> Arc<[Arc<Health>]> {
        self.trunks.iter().map(|trunk| trunk.health.clone()).collect()
    }

    pub async fn run(mut self, mut arrivals: mpsc::Receiver<Arrival>, mut asks: mpsc::Receiver<Errand>) {
        for trunk in 0..self.trunks.len() {
            self.schedule_trunk(trunk);
        }
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let wake_at = self.timers.next_at();
            tokio::select! {
                arrival = arrivals.recv() => match arrival {
                    Some(arrival) => self.arrived(arrival),
                    None => break,
                },
                ask = asks.recv() => match ask {
                    Some(ask) => self.asked(ask),
                    None => break,
                },
                () = sleep_until(wake_at) => self.run_timers(),
                _ = tick.tick() => self.tick(),
            }
            while let Some((user, why)) = self.unsent.pop_front() {
                self.no_reply(user, why);
            }
            if self.is_stopped() {
                break;
            }
        }
        self.net.close();
    }

    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    fn wake(&mut self, at: Instant, timer: Timer) {
        self.timers.set(timer, Some(at));
    }

    fn arrived(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Message { flow, message: Message::Request(request) } => self.on_request(flow, request),
            Arrival::Message { flow, message: Message::Response(response) } => {
                self.on_response(flow, response)
            }
            Arrival::Opened { flow, outgoing, admit } => {
                let guest = self.guest(flow.remote.ip());
                self.net.admit(flow, outgoing, admit, guest);
            }
            Arrival::Closed { flow, never_open, why } => {
                debug!(remote = %flow.remote, %why, "SIP connection closed");
                self.net.closed(flow);
                self.flow_lost(flow, never_open, &why);
                self.register_again_after(&flow);
            }
        }
    }

    fn asked(&mut self, ask: Errand) {
        match ask {
            Errand::Dial(dialing) => self.dial(*dialing),
            Errand::Leg(handle, told) => self.with_call(handle, |call, cx| call.told(cx, told)),
            Errand::Resolved { waiting, targets } => self.resolved(waiting, targets),
            Errand::Release { ticket, reply } => self.release(&ticket, reply),
            Errand::Check(reply) => self.check(reply),
            Errand::Shutdown(reply) => self.shut_down(reply),
        }
    }

    fn run_timers(&mut self) {
        let now = now();
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                Timer::Client(id) => self.client_due(id, now),
                Timer::Server(id) => self.server_due(id, now),
                Timer::Call(handle) => self.with_call(handle, |call, cx| {
                    if call.deadline().is_some_and(|at| cx.now >= at) {
                        call.on_deadline(cx);
                    }
                }),
                Timer::Trunk(trunk) => self.trunk_due(trunk, now),
                Timer::Check(id) => self.check_due(id),
                Timer::Release(id) => self.release_due(id),
            }
        }
    }

    fn tick(&mut self) {
        let mut handles: Vec<u64> = self.calls.keys().copied().collect();
        for handle in handles.drain(..) {
            self.with_call(handle, |call, cx| call.on_tick(cx));
        }
        self.locate_trunks();
        self.give_memory_back();
    }

    /// After a storm of calls the tables keep the room it took; return it once they are nearly empty.
    fn give_memory_back(&mut self) {
        if self.calls.capacity() > 256 && self.calls.len() * 8 < self.calls.capacity() {
            self.calls.shrink_to(64);
            self.dialogs.shrink_to(64);
            self.invites.shrink_to(64);
        }
        if self.clients.capacity() > 1_024 && self.clients.len() * 8 < self.clients.capacity() {
            self.clients.shrink_to(256);
            self.client_keys.shrink_to(256);
        }
        if self.servers.capacity() > 1_024 && self.servers.len() * 8 < self.servers.capacity() {
            self.servers.shrink_to(256);
            self.server_keys.shrink_to(256);
        }
        self.timers.give_memory_back();
    }

    /// Let a call do something, carry out what it decided, and forget it when it is over.
    fn with_call(&mut self, handle: u64, act: impl FnOnce(&mut Usage, &mut Cx<'_>)) {
        let Some(call) = self.calls.get_mut(&handle) else { return };
        let mut out = Vec::new();
        act(call, &mut Cx { now: now(), out: &mut out });
        self.settle(handle, out);
    }

    fn settle(&mut self, handle: u64, effects: Vec<Effect>) {
        let Some(call) = self.calls.get(&handle) else { return };
        let trunk = call.trunk;
        self.timers.set(Timer::Call(handle), call.deadline());
        if call.is_over() {
            let key = (call.call_id.clone(), call.local_tag.clone());
            self.dialogs.remove(&key);
            if let Some(remote_tag) = call.remote_tag() {
                self.merged.remove(&(key.0, remote_tag.to_owned()));
            }
        }
        for effect in effects {
            self.perform(handle, trunk, effect);
        }
        if self.calls.get(&handle).is_some_and(Usage::is_over) {
            self.calls.remove(&handle);
            self.timers.set(Timer::Call(handle), None);
        }
    }

    fn perform(&mut self, handle: u64, trunk: usize, effect: Effect) {
        match effect {
            Effect::Request { request, hop, purpose } => {
                self.request(User::Call(handle, purpose), trunk, request, hop)
            }
            Effect::Ack { request, hop } => self.send_ack(trunk, request, hop),
            Effect::Cancel { reason } => self.cancel(handle, reason),
            Effect::Respond { transaction, response } => self.respond(transaction, response),
            Effect::Abandon => self.abandon(handle),
        }
    }

    fn dial(&mut self, dialing: Dialing) {
        let line = &self.config.lines[dialing.slot.index];
        let trunk = trunk_of(&self.config, line);
        let state = &self.trunks[trunk];
        let to = identity::written(&state.config, dialing.to.as_e164());
        let caller = identity::caller(&state.config, line.number.as_e164(), line.display_name.as_deref());
        let Some(uri) = state.uri(Some(&to)) else { return };
        let to = identity::address(&state.config, &to);
        let invitation = usage::Invitation { uri, caller, to, route: state.route() };
        let start = Start {
            trunk,
            trunk_name: state.config.name.clone(),
            call_id: token(),
            local_tag: token(),
            timing: self.config.timing,
            leg: dialing.leg,
            slot: dialing.slot,
            session_wanted: state.config.session_timer,
            local_sdp: usage::LocalSdp(dialing.local_sdp),
        };
        let mut out = Vec::new();
        let call = Usage::dial(&mut Cx { now: now(), out: &mut out }, start, invitation);
        self.dialogs.insert((call.call_id.clone(), call.local_tag.clone()), dialing.handle);
        self.calls.insert(dialing.handle, call);
        self.settle(dialing.handle, out);
    }

    fn no_reply(&mut self, user: User, why: NoReply) {
        match user {
            User::Call(handle, purpose) => {
                self.with_call(handle, |call, cx| call.on_no_reply(cx, purpose, why))
            }
            User::Register(trunk) => self.on_registration_failed(trunk, &why),
            User::Check(check, trunk) => self.checked(check, trunk, trunks::reply_of(why)),
            User::Keepalive(trunk) => self.trunks[trunk].kept_alive(false),
            User::Release(release) | User::TakenBack(release) => self.on_no_release(release, why),
            User::Nobody => {}
        }
    }

    fn shut_down(&mut self, reply: oneshot::Sender<()>) {
        self.stopping = Some((reply, now() + Duration::from_secs(5)));
        let handles: Vec<u64> = self.calls.keys().copied().collect();
        for handle in handles {
            self.with_call(handle, |call, cx| call.hang_up(cx, EndReason::GatewayShutdown));
        }
        self.unregister();
    }

    fn is_stopped(&mut self) -> bool {
        let Some((_, latest)) = &self.stopping else { return false };
        let idle = self.calls.is_empty() && !self.clients.values().any(ClientEntry::is_pending);
        if !idle && now() < *latest {
            return false;
        }
        if let Some((reply, _)) = self.stopping.take() {
            let _ = reply.send(());
        }
        true
    }

    /// Our Contact for whoever is at the other end of this flow.
    fn contact(&mut self, trunk: usize, flow: &Flow, method: &Method) -> String {
        let mut addr = self.net.local_addr(flow);
        let state = &self.trunks[trunk];
        if let Some(seen) =
            state.seen_as.filter(|seen| !flow.transport.is_reliable() && seen.is_ipv4() == addr.is_ipv4())
        {
            addr = seen;
        }
        let transport = match flow.transport.is_reliable() {
            true => format!(";transport={}", flow.transport.name().to_ascii_lowercase()),
            false => String::new(),
        };
        // A hidden number is not shown by the back door (RFC 3323 §4.1.1.3).
        let hidden = *method == Method::Invite && state.config.from_user == FromUser::Anonymous;
        let user = if hidden { "anonymous" } else { state.user() };
        format!("<sip:{user}@{addr}{transport}>")
    }
}

/// The runtime's clock, so that paused time in tests is our time too.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

fn fresh_handle(next: &AtomicU64) -> u64 {
    next.fetch_add(1, Ordering::Relaxed)
}
