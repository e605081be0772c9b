//! Requests we receive: retransmissions, admission, and to whom they belong.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use tokio::sync::mpsc;
use tracing::debug;

use super::{Agent, Timer, fresh_handle, now};
use crate::IncomingCall;
use crate::line::{LineSlot, TakeError};
use crate::media::Media;
use crate::sip::config::Inbound;
use crate::sip::connection::Guest;
use crate::sip::leg::SipLeg;
use crate::sip::message::{Headers, Method, Request, Response};
use crate::sip::net::Flow;
use crate::sip::session_timer::{self, Answer};
use crate::sip::transaction::{Due, Server};
use crate::sip::uri::split_host_port;
use crate::sip::usage::{ALLOW, Cx, LocalSdp, SDP, SUPPORTED, Start, Usage, unsupported};
use crate::sip::{SIGNALS, dialog, identity, media_config, token, trunk_of};

const SERVER: &str = concat!("offhook/", env!("CARGO_PKG_VERSION"));

pub(super) struct ServerEntry {
    machine: Server,
    key: String,
    flow: Flow,
    call: Option<u64>,
    last: Option<Vec<u8>>,
}

impl Agent {
    pub(super) fn on_request(&mut self, flow: Flow, mut request: Request) {
        let Some(reply_to) = mark_source(&mut request.headers, &flow) else { return };
        let Some(key) = transaction_key(&request) else { return };
        if let Some(id) = self.server_keys.get(&key).copied() {
            return self.on_repeated(id, &request);
        }
        match request.method {
            Method::Ack => self.on_ack(&request),
            Method::Cancel => self.on_cancel(reply_to, &request),
            _ => self.on_new_request(reply_to, key, request),
        }
    }

    /// A retransmission, or the ACK of a refusal of ours.
    fn on_repeated(&mut self, id: u64, request: &Request) {
        let Some(entry) = self.servers.get_mut(&id) else { return };
        if request.method == Method::Ack {
            entry.machine.acknowledged(now());
            // Some far ends acknowledge a 2xx under the INVITE's own branch.
            return self.on_ack(request);
        }
        if let Some(last) = &entry.last {
            let _ = self.net.send(&entry.flow, last.clone());
        }
    }

    fn on_ack(&mut self, request: &Request) {
        let Some(handle) = self.dialog_of(request) else { return };
        let mut acknowledged = None;
        self.with_call(handle, |call, cx| acknowledged = call.on_ack(cx, request));
        if let Some(entry) = acknowledged.and_then(|id| self.servers.get_mut(&id)) {
            entry.machine.acknowledged(now());
        }
    }

    fn dialog_of(&self, request: &Request) -> Option<u64> {
        let key = (request.headers.call_id()?.to_owned(), request.headers.to_tag()?);
        self.dialogs.get(&key).copied()
    }

    fn on_cancel(&mut self, flow: Flow, cancel: &Request) {
        let mut like_invite = cancel.clone();
        like_invite.method = Method::Invite;
        let id = transaction_key(&like_invite).and_then(|key| self.server_keys.get(&key).copied());
        let entry = id.and_then(|id| self.servers.get(&id));
        let status = if entry.is_some() { 200 } else { 481 };
        let pending = entry.filter(|entry| entry.machine.is_pending()).and_then(|entry| entry.call);
        // Answered without a transaction: a repeated CANCEL gets the same answer again.
        self.respond_at_once(&flow, cancel, status, |response| response);
        if let Some(handle) = pending {
            self.with_call(handle, |call, cx| call.on_cancel(cx, cancel));
        }
    }

    fn on_new_request(&mut self, flow: Flow, key: String, request: Request) {
        if let Some(unknown) = unsupported(&request.headers) {
            let name = |response: Response| response.with("Unsupported", unknown);
            return self.respond_at_once(&flow, &request, 420, name);
        }
        if request.headers.to_tag().is_none() {
            return match request.method {
                Method::Invite => self.on_invite(flow, key, request),
                _ => self.on_request_outside(flow, &request),
            };
        }
        let from_tag = request.headers.from_tag().unwrap_or_default();
        let known = self
            .dialog_of(&request)
            .filter(|handle| self.calls.get(handle).is_some_and(|call| call.knows(&from_tag)));
        let Some(handle) = known else {
            return self.respond_at_once(&flow, &request, 481, |response| response);
        };
        let id = self.open(flow, key, &request, Some(handle));
        self.with_call(handle, |call, cx| call.on_request(cx, id, request, flow));
    }

    fn open(&mut self, flow: Flow, key: String, request: &Request, call: Option<u64>) -> u64 {
        let invite = request.method == Method::Invite;
        let machine = Server::new(self.config.timing, invite, flow.transport.is_reliable(), now());
        let id = self.id();
        self.wake(machine.deadline(), Timer::Server(id));
        self.server_keys.insert(key.clone(), id);
        self.servers.insert(id, ServerEntry { machine, key, flow, call, last: None });
        id
    }

    fn on_request_outside(&mut self, flow: Flow, request: &Request) {
        let status = match request.method {
            Method::Options => {
                let describe = |response: Response| {
                    response.with("Allow", ALLOW).with("Accept", SDP).with("Supported", SUPPORTED)
                };
                return self.respond_at_once(
                    &flow,
                    request,
                    if self.stopping.is_some() { 503 } else { 200 },
                    describe,
                );
            }
            Method::Bye | Method::Info | Method::Update | Method::Prack | Method::Refer | Method::Notify => {
                481
            }
            _ => 405,
        };
        self.respond_at_once(&flow, request, status, |response| match status {
            405 => response.with("Allow", ALLOW),
            _ => response,
        });
    }

    /// Answer without keeping anything: the same request gets the same answer (RFC 3261 §8.2.7).
    fn respond_at_once(
        &mut self,
        flow: &Flow,
        request: &Request,
        status: u16,
        shape: impl FnOnce(Response) -> Response,
    ) {
        let response = shape(request.response(status, &stateless_tag(request))).with("Server", SERVER);
        if let Err(error) = self.net.send(flow, response.to_bytes()) {
            debug!(%error, status, "a response could not be sent");
        }
    }

    pub(super) fn respond(&mut self, id: u64, mut response: Response) {
        let Some(entry) = self.servers.get_mut(&id) else { return };
        response.headers.push("Server", SERVER);
        let bytes = response.to_bytes();
        entry.machine.respond(response.status, now());
        if let Err(error) = self.net.send(&entry.flow, bytes.clone()) {
            debug!(%error, status = response.status, "a response could not be sent");
        }
        entry.last = Some(bytes);
        let deadline = entry.machine.deadline();
        self.wake(deadline, Timer::Server(id));
    }

    pub(super) fn server_due(&mut self, id: u64, now: Instant) {
        let Some(entry) = self.servers.get_mut(&id) else { return };
        match entry.machine.due(now) {
            Due::Nothing => {}
            Due::Resend => {
                if let Some(last) = &entry.last {
                    let _ = self.net.send(&entry.flow, last.clone());
                }
            }
            Due::TimedOut => {
                let call = entry.call;
                self.forget_server(id);
                if let Some(handle) = call {
                    self.with_call(handle, |call, cx| call.on_ack_missing(cx, id));
                }
                return;
            }
            Due::Over => return self.forget_server(id),
        }
        if let Some(entry) = self.servers.get(&id) {
            self.wake(entry.machine.deadline(), Timer::Server(id));
        }
    }

    fn forget_server(&mut self, id: u64) {
        if let Some(entry) = self.servers.remove(&id) {
            self.server_keys.remove(&entry.key);
            self.timers.set(Timer::Server(id), None);
        }
    }

    fn on_invite(&mut self, flow: Flow, key: String, invite: Request) {
        if let Some(status) = self.refusal(&flow) {
            return self.respond_at_once(&flow, &invite, status, |response| match status {
                503 => response.with("Retry-After", "5"),
                _ => response,
            });
        }
        if !invite.body.is_empty() && invite.sdp().is_none() {
            return self.respond_at_once(&flow, &invite, 415, |response| response.with("Accept", SDP));
        }
        // The same call by another way: a proxy forked it, and both branches lead here (RFC 3261 §8.2.2.2).
        if merge_key(&invite).is_some_and(|key| self.merged.contains_key(&key)) {
            return self.respond_at_once(&flow, &invite, 482, |response| response);
        }
        let slot = match self.line_of(&invite) {
            Ok(slot) => slot,
            Err(status) => return self.respond_at_once(&flow, &invite, status, |response| response),
        };
        let trunk = trunk_of(&self.config, &self.config.lines[slot.index]);
        let wanted = self.trunks[trunk].config.session_timer;
        if let Answer::TooSmall(least) = session_timer::answer_request(&invite.headers, wanted, now()) {
            let least = least.as_secs().to_string();
            return self.respond_at_once(&flow, &invite, 422, |response| response.with("Min-SE", least));
        }
        if dialog::contact(&invite.headers).is_none() {
            return self.respond_at_once(&flow, &invite, 400, |response| response);
        }
        self.ring(flow, key, invite, slot, trunk);
    }

    /// Who somebody is, by address.
    pub(super) fn guest(&self, ip: IpAddr) -> Guest {
        let of_trunk = self.trunks.iter().any(|trunk| trunk.addresses.contains(&ip));
        match &self.config.inbound {
            _ if of_trunk => Guest::Known,
            Inbound::Trunks { also } if also.iter().any(|network| network.contains(ip)) => Guest::Known,
            Inbound::Anybody => Guest::Anybody,
            Inbound::Trunks { .. } | Inbound::Nobody => Guest::Stranger,
        }
    }

    /// Whether a call from there may come in at all at the moment.
    fn refusal(&self, flow: &Flow) -> Option<u16> {
        let ip = flow.remote.ip();
        let nobody = matches!(self.config.inbound, Inbound::Nobody);
        let welcome = !nobody && self.guest(ip) != Guest::Stranger;
        if !welcome {
            debug!(%ip, "a call from an address that is no trunk's");
            return Some(403);
        }
        let full = self.calls.len() >= self.config.max_calls;
        if full || self.stopping.is_some() {
            return Some(503);
        }
        let pending = self.calls.values().filter(|call| call.is_pending()).count();
        (pending >= self.config.max_pending).then_some(503)
    }

    /// A place on the line that is called.
    fn line_of(&self, invite: &Request) -> Result<LineSlot, u16> {
        let numbers: Vec<&str> = self.config.lines.iter().map(|line| line.number.as_e164()).collect();
        let by_registration = || match &self.config.lines[..] {
            // A softphone's account is called by its user name; with one line there is no doubt which.
            [line] => {
                let account = self.trunks[trunk_of(&self.config, line)].user();
                (invite.uri.user.as_deref() == Some(account)).then_some(0)
            }
            _ => None,
        };
        let line = identity::called(&numbers, invite).or_else(by_registration).ok_or(404u16)?;
        let number = &self.config.lines[line].number;
        self.lines.take(Some(number), |_| true).map_err(|error| match error {
            TakeError::NoLine => 486,
            TakeError::UnknownLine => 404,
        })
    }

    fn ring(&mut self, flow: Flow, key: String, invite: Request, slot: LineSlot, trunk: usize) {
        let line = self.config.lines[slot.index].number.clone();
        let media = Media::bind(&media_config(&self.config, slot.index));
        let place = self.incoming.clone().try_reserve_owned();
        let (Ok(media), Ok(place), Some(asks)) = (media, place, self.asks.upgrade()) else {
            return self.respond_at_once(&flow, &invite, 503, |response| response.with("Retry-After", "5"));
        };
        let handle = fresh_handle(&self.next_call);
        let (signals, leg_signals) = mpsc::channel(SIGNALS);
        let start = Start {
            trunk,
            trunk_name: self.trunks[trunk].config.name.clone(),
            call_id: invite.headers.call_id().unwrap_or_default().to_owned(),
            local_tag: token(),
            timing: self.config.timing,
            leg: signals,
            slot,
            session_wanted: self.trunks[trunk].config.session_timer,
            local_sdp: LocalSdp(String::new()),
        };
        let contact = self.contact(trunk, &flow, &Method::Options);
        let id = self.open(flow, key, &invite, Some(handle));
        let leg = SipLeg::new(handle, line.clone(), media, leg_signals, asks, Some(invite.sdp()));
        let carrier_call_id = start.call_id.clone();
        let format = self.trunks[trunk].config.number_format;
        let (from, from_name) = identity::calling(&invite.headers, format);
        let merge_key = merge_key(&invite);
        let mut out = Vec::new();
        let call = Usage::incoming(&mut Cx { now: now(), out: &mut out }, start, id, invite, contact, flow);
        let Some(call) = call else { return };
        self.dialogs.insert((call.call_id.clone(), call.local_tag.clone()), handle);
        self.calls.insert(handle, call);
        self.merged.extend(merge_key.map(|key| (key, handle)));
        self.settle(handle, out);
        place.send(IncomingCall { from, from_name, to: line, carrier_call_id, leg: leg.into() });
    }
}

/// What identifies an inbound call before it has a dialog.
fn merge_key(invite: &Request) -> Option<(String, String)> {
    Some((invite.headers.call_id()?.to_owned(), invite.headers.from_tag()?))
}

/// Write down where the request came from (RFC 3261 §18.2.1, RFC 3581), and find where its responses go.
fn mark_source(headers: &mut Headers, flow: &Flow) -> Option<Flow> {
    let via = headers.top_via()?;
    let (host, port) = split_host_port(&via.sent_by)?;
    let source = flow.remote;
    let wants_rport = headers
        .list("Via")
        .next()?
        .split(';')
        .skip(1)
        .any(|param| param.trim().eq_ignore_ascii_case("rport"));
    let port = port.unwrap_or(flow.transport.default_port());
    if wants_rport || host != source.ip().to_string() {
        let mut vias = headers.list("Via").map(str::to_owned);
        let top = vias.next()?;
        let kept = top.split(';').filter(|param| !param.trim().eq_ignore_ascii_case("rport"));
        let mut marked = kept.collect::<Vec<_>>().join(";");
        marked.push_str(&format!(";received={}", source.ip()));
        if wants_rport {
            marked.push_str(&format!(";rport={}", source.port()));
        }
        let rest: Vec<String> = vias.collect();
        headers.remove("Via");
        for via in rest.into_iter().rev() {
            headers.push_front("Via", via);
        }
        headers.push_front("Via", marked);
    }
    if flow.transport.is_reliable() || wants_rport {
        return Some(*flow);
    }
    Some(flow.toward(SocketAddr::new(source.ip(), port)))
}

/// What makes two requests the same one (RFC 3261 §17.2.3); an ACK goes to its INVITE.
fn transaction_key(request: &Request) -> Option<String> {
    let via = request.headers.top_via()?;
    let method = if request.method == Method::Ack { "INVITE" } else { request.method.as_str() };
    if let Some(branch) = via.branch.filter(|branch| branch.starts_with("z9hG4bK") && branch.len() > 7) {
        return Some(format!("{branch}|{}|{method}", via.sent_by.to_ascii_lowercase()));
    }
    // A peer from before RFC 3261.
    let headers = &request.headers;
    let (seq, _) = headers.cseq()?;
    Some(format!(
        "{}|{}|{seq}|{}|{method}",
        headers.call_id()?,
        headers.from_tag().unwrap_or_default(),
        via.sent_by
    ))
}

/// The same request gets the same tag, without our remembering anything.
fn stateless_tag(request: &Request) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    request.headers.call_id().hash(&mut hasher);
    request.headers.first("From").hash(&mut hasher);
    request.headers.top_via().and_then(|via| via.branch).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
