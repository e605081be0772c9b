//! What the agent does for its trunks between calls: registering, keeping alive, checking.

use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tracing::debug;

use super::outgoing::Waiting;
use super::{Agent, Timer, User, now};
use crate::sip::message::Response;
use crate::sip::net::Flow;
use crate::sip::trunk::TrunkState;
use crate::sip::usage::{Hop, NoReply};
use crate::{TrunkCheck, TrunkReply, TrunkReport};

/// How long `doctor` waits for a trunk.
const CHECK_PATIENCE: Duration = Duration::from_secs(6);

#[derive(Debug)]
pub(super) struct Check {
    replies: Vec<Option<TrunkReply>>,
    reply: oneshot::Sender<TrunkCheck>,
}

pub(super) fn reply_of(why: NoReply) -> TrunkReply {
    match why {
        NoReply::Unsent(why) => TrunkReply::Unreachable { why },
        NoReply::Silence(_) => TrunkReply::Silence,
    }
}

impl Agent {
    /// Find out where a trunk is before the first call needs it, and from where its calls will come.
    pub(super) fn locate_trunks(&mut self) {
        for trunk in 0..self.trunks.len() {
            if self.trunks[trunk].is_to_be_located(now()) {
                let server = self.trunks[trunk].config.hop().clone();
                self.look_up(server, Waiting::Trunk { trunk });
            }
            self.ask_places(trunk);
        }
    }

    pub(super) fn schedule_trunk(&mut self, trunk: usize) {
        self.timers.set(Timer::Trunk(trunk), self.trunks[trunk].deadline());
    }

    pub(super) fn trunk_due(&mut self, trunk: usize, now: Instant) {
        if self.stopping.is_some() {
            return;
        }
        let state = &mut self.trunks[trunk];
        if state.register_at.is_some_and(|at| now >= at)
            && let Some(request) = state.register(None)
        {
            self.request(User::Register(trunk), trunk, request, Hop::Trunk);
        }
        let state = &mut self.trunks[trunk];
        if state.options_at.is_some_and(|at| now >= at) {
            state.options_at = state.config.options_keepalive.map(|every| now + every);
            if let Some(request) = state.options() {
                self.request(User::Keepalive(trunk), trunk, request, Hop::Trunk);
            }
        }
        self.schedule_trunk(trunk);
    }

    pub(super) fn on_registered(&mut self, id: u64, trunk: usize, response: &Response, flow: Flow) {
        let Some(register) = self.clients.get(&id) else { return };
        let sent_by = self.net.local_addr(&flow);
        let nat_matters = !flow.transport.is_reliable() && self.config.public_ip.is_none();
        let state = &mut self.trunks[trunk];
        state.on_registered(&register.request, response, sent_by, nat_matters, now());
        state.registered_over = Some(flow);
        tracing::info!(trunk = %state.config.name, status = response.status, "registration answered");
        if self.stopping.is_some() {
            self.trunks[trunk].register_at = None;
        }
        self.schedule_trunk(trunk);
        self.finish_checks();
    }

    pub(super) fn on_registration_failed(&mut self, trunk: usize, why: &NoReply) {
        debug!(trunk = %self.trunks[trunk].config.name, ?why, "registration failed");
        self.trunks[trunk].registration_failed(None, None, now());
        self.schedule_trunk(trunk);
        self.finish_checks();
    }

    /// Calls come in over the connection that was registered with: when it breaks, make another one soon.
    pub(super) fn register_again_after(&mut self, lost: &Flow) {
        for trunk in 0..self.trunks.len() {
            let state = &mut self.trunks[trunk];
            let registered = state.health.is_registered();
            let affected = registered && state.registered_over == Some(*lost);
            if affected && self.stopping.is_none() {
                state.unreached(now());
                self.schedule_trunk(trunk);
            }
        }
    }

    pub(super) fn unregister(&mut self) {
        for trunk in 0..self.trunks.len() {
            self.trunks[trunk].options_at = None;
            let registered = self.trunks[trunk].health.is_registered();
            let request = registered.then(|| self.trunks[trunk].register(Some(Duration::ZERO))).flatten();
            if let Some(request) = request {
                self.request(User::Register(trunk), trunk, request, Hop::Trunk);
            }
        }
    }

    pub(super) fn check(&mut self, reply: oneshot::Sender<TrunkCheck>) {
        let id = self.id();
        self.checks.insert(id, Check { replies: vec![None; self.trunks.len()], reply });
        self.wake(now() + CHECK_PATIENCE, Timer::Check(id));
        for trunk in 0..self.trunks.len() {
            match self.trunks[trunk].options() {
                Some(request) => self.request(User::Check(id, trunk), trunk, request, Hop::Trunk),
                None => {
                    let why = "its server is no valid SIP address".to_owned();
                    self.checked(id, trunk, TrunkReply::Unreachable { why });
                }
            }
        }
    }

    pub(super) fn checked(&mut self, id: u64, trunk: usize, reply: TrunkReply) {
        let Some(check) = self.checks.get_mut(&id) else { return };
        check.replies[trunk].get_or_insert(reply);
        self.finish_checks();
    }

    /// A check is over when every trunk has answered, and those that are to register us have said whether they do.
    fn finish_checks(&mut self) {
        if !self.trunks.iter().all(TrunkState::is_settled) {
            return;
        }
        let answered = |check: &Check| check.replies.iter().all(Option::is_some);
        let over: Vec<u64> =
            self.checks.iter().filter(|(_, check)| answered(check)).map(|(id, _)| *id).collect();
        for id in over {
            self.check_due(id);
        }
    }

    pub(super) fn check_due(&mut self, id: u64) {
        let Some(check) = self.checks.remove(&id) else { return };
        self.timers.set(Timer::Check(id), None);
        let replies = check.replies.into_iter().map(|reply| reply.unwrap_or(TrunkReply::Silence));
        let trunks = replies.enumerate().map(|(trunk, reply)| self.report(trunk, reply)).collect();
        let _ = check.reply.send(TrunkCheck { trunks });
    }

    fn report(&self, trunk: usize, reply: TrunkReply) -> TrunkReport {
        let state = &self.trunks[trunk];
        let is_registered = state.health.is_registered();
        let registered = state.config.register.then_some(is_registered);
        let server = state.config.hop().to_string();
        let advice = match (&reply, registered, state.last_refusal) {
            (TrunkReply::Unreachable { why }, ..) => Some(format!(
                "{server} can't be reached ({why}); check the server's name, port and transport"
            )),
            (TrunkReply::Silence, ..) => Some(format!(
                "{server} does not answer; check the server, the transport, and that a firewall lets SIP through"
            )),
            (_, Some(false), Some(401 | 403 | 407)) => {
                Some("the registration was refused; check username, password and realm".to_owned())
            }
            (_, Some(false), Some(404)) => {
                Some("the registrar does not know the account; check the username".to_owned())
            }
            (_, Some(false), Some(200..300)) => {
                Some("the registrar agrees and forgets us at once; ask the provider why".to_owned())
            }
            (_, Some(false), Some(status)) => Some(format!("the registration was refused with {status}")),
            (_, Some(false), None) => Some("not registered yet; try again in a few seconds".to_owned()),
            (TrunkReply::Answered { status: 403, .. }, None, _) => {
                Some(format!("{server} does not want us; have it accept calls from this machine's address"))
            }
            _ => None,
        };
        TrunkReport { name: state.config.name.clone(), server, reply, registered, advice }
    }
}
