//! The exchange, without sockets or clock: datagrams in, datagrams out, time as an argument.

mod answering;
mod call;
mod calling;
mod desk;
mod dialog;
mod refresh;
mod transaction;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use offhook_core::Timestamp;
use rand::rngs::StdRng;

use self::call::Call;
use self::desk::Desk;
use self::dialog::Dialog;
use self::transaction::{ClientTx, Done, GIVE_UP, Purpose, TxKey};
use crate::SandboxConfig;
use crate::numbers::TestNumber;
use crate::person::Person;
use crate::record::{CallKey, CallRecord, Ending, Violation};
use crate::script::Step;
use crate::sip::response::Response;
use crate::sip::{Message, Method, Mistake, NameAddr, Request, Start};

/// What reaches the exchange.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    Sip {
        from: SocketAddr,
        bytes: &'a [u8],
    },
    Rtp {
        call: CallKey,
        from: SocketAddr,
        bytes: &'a [u8],
    },
    Rtcp {
        call: CallKey,
        bytes: &'a [u8],
    },
    /// The ports asked for with [`Output::BindMedia`] are there: RTP on this one, RTCP on the next.
    MediaBound {
        call: CallKey,
        addr: SocketAddr,
    },
    MediaFailed {
        call: CallKey,
    },
    Rendered {
        text: &'a str,
        clip: Arc<[i16]>,
    },
    HangUp {
        call: CallKey,
    },
    /// The deadline has come.
    Tick,
}

/// What the exchange wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    Sip {
        to: SocketAddr,
        bytes: Vec<u8>,
    },
    BindMedia {
        call: CallKey,
    },
    CloseMedia {
        call: CallKey,
    },
    Rtp {
        call: CallKey,
        to: SocketAddr,
        bytes: Vec<u8>,
    },
    Rtcp {
        call: CallKey,
        to: SocketAddr,
        bytes: Vec<u8>,
    },
    /// Make the audio of a sentence.
    Render {
        text: String,
    },
}

/// The exchange with all its calls.
#[derive(Debug)]
pub struct Exchange {
    desk: Desk,
    calls: BTreeMap<CallKey, Call>,
    past: VecDeque<CallRecord>,
    next_call: u64,
    version: u64,
}

impl Exchange {
    const PAST_KEPT: usize = 1_000;
    const CALLS_AT_ONCE: usize = 5_000;

    /// `addr` is where its SIP socket is bound.
    pub fn new(config: SandboxConfig, addr: SocketAddr, rng: StdRng) -> Self {
        let desk = Desk::new(config, addr, rng);
        Self { desk, calls: BTreeMap::new(), past: VecDeque::new(), next_call: 1, version: 0 }
    }

    pub fn handle(&mut self, now: Timestamp, input: Input) {
        match input {
            Input::Sip { from, bytes } => {
                self.version += 1;
                self.datagram(now, from, bytes);
            }
            Input::Rtp { call, from, bytes } => {
                self.with(call, |call, desk| call.rtp(desk, now, from, bytes))
            }
            Input::Rtcp { call, bytes } => self.with(call, |call, desk| call.rtcp(desk, now, bytes)),
            Input::MediaBound { call, addr } => {
                self.with(call, |call, desk| call.media_bound(desk, now, addr))
            }
            Input::MediaFailed { call } => self.with(call, |call, desk| match call.placed_here {
                true => call.end(desk, now, Ending::Lost),
                false => call.reject(desk, now, 500),
            }),
            Input::Rendered { text, clip } => {
                self.calls.values_mut().for_each(|call| call.rendered(text, &clip));
                self.desk.rendered(text, clip);
            }
            Input::HangUp { call } => {
                self.with(call, |call, desk| call.hang_up(desk, now, Ending::PersonHungUp));
            }
            Input::Tick => self.tick(now),
        }
    }

    /// The next thing to do, if any.
    pub fn poll(&mut self) -> Option<Output> {
        self.desk.out.pop_front()
    }

    /// When [`Input::Tick`] is due at the latest.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.calls.values().filter_map(Call::deadline).chain(self.desk.deadline()).min()
    }

    /// Goes up whenever calls or violations changed.
    pub fn version(&self) -> u64 {
        self.version
            + self.desk.violations.len() as u64
            + self.calls.values().map(|call| call.version).sum::<u64>()
    }

    /// All calls that are remembered, oldest first.
    pub fn calls(&self) -> Vec<CallRecord> {
        self.past.iter().cloned().chain(self.calls.values().map(Call::record)).collect()
    }

    pub fn violations(&self) -> Vec<Violation> {
        self.desk.violations.iter().cloned().collect()
    }

    /// Calls `user` at `to`, as `number`; the script begins when it is answered.
    pub fn place(
        &mut self,
        now: Timestamp,
        to: SocketAddr,
        user: &str,
        number: &str,
        script: &[Step],
    ) -> CallKey {
        let key = self.next_key();
        let (local_tag, sip_call_id) = (self.desk.token(), self.desk.token());
        let addr = self.desk.addr;
        let dialog = Dialog {
            call_id: format!("{sip_call_id}@{}", addr.ip()),
            local: format!("<sip:{number}@{addr}>;tag={local_tag}"),
            local_tag,
            remote_tag: None,
            remote: format!("<sip:{user}@{to}>"),
            contact: format!("sip:{number}@{addr}"),
            remote_target: format!("sip:{user}@{to}"),
            routes: Vec::new(),
            local_cseq: 0,
            remote_cseq: None,
            peer: to,
            record_route: None,
        };
        let person = Person::new(script, self.desk.config.speed);
        let mut call = Call::new(key, now, dialog, number.to_owned(), user.to_owned(), person);
        call.place(&mut self.desk);
        self.calls.insert(key, call);
        key
    }

    fn next_key(&mut self) -> CallKey {
        self.next_call += 1;
        CallKey(self.next_call - 1)
    }

    fn with(&mut self, key: CallKey, act: impl FnOnce(&mut Call, &mut Desk)) {
        if let Some(call) = self.calls.get_mut(&key) {
            act(call, &mut self.desk);
        }
    }

    fn tick(&mut self, now: Timestamp) {
        self.desk.tick(now);
        let is_over =
            |tx: &mut ClientTx| tx.done.is_none() && tx.resend.is_some_and(|resend| now >= resend.give_up_at);
        let given_up: Vec<ClientTx> = self.desk.clients.extract_if(.., is_over).collect();
        for tx in given_up {
            self.with(tx.call, |call, desk| call.unanswered(desk, now, tx.purpose));
        }
        for call in self.calls.values_mut() {
            call.tick(&mut self.desk, now);
        }
        while let Some(key) = self.calls.values().find(|call| call.is_forgotten(now)).map(|call| call.key) {
            let Some(call) = self.calls.remove(&key) else { break };
            self.version += call.version;
            if self.past.len() == Self::PAST_KEPT {
                self.past.pop_front();
            }
            self.past.push_back(call.record());
        }
    }

    fn datagram(&mut self, now: Timestamp, from: SocketAddr, bytes: &[u8]) {
        // Keep-alives between messages are in order (RFC 3261 §7.5, RFC 5626 §4.4.1); what cannot even begin a
        // message is somebody's audio that went astray, to a port that was a call's a moment ago.
        if bytes.iter().all(|byte| b"\r\n\0".contains(byte)) || bytes[0] >= 0x80 {
            return;
        }
        let message = match Message::parse(bytes) {
            Ok(message) => message,
            Err(mistake) => return self.desk.violation(now, mistake.rule, mistake.detail, None),
        };
        match &message.start {
            Start::Response { .. } => self.response(now, &message),
            Start::Request { method, .. } => self.request(now, from, &message, method),
        }
    }

    fn request(&mut self, now: Timestamp, from: SocketAddr, message: &Message, method: &Method) {
        let Some(key) = TxKey::of(message, method) else {
            return self.broken(now, from, message, method);
        };
        if *method != Method::Ack
            && let Some(tx) = self.desk.server(&key)
        {
            let (to, last) = (tx.to, tx.last.clone());
            let same = tx.request.message.header("cseq") == message.header("cseq");
            if let Some(bytes) = last {
                self.desk.send(to, bytes);
            }
            if !same {
                let detail = "two requests have the same branch".to_owned();
                self.desk.violation(now, "via.branch_reused", detail, message.header("call-id"));
            }
            return;
        }
        let Ok(request) = Request::check(message) else {
            return self.broken(now, from, message, method);
        };
        if self.desk.config.house_rules {
            for mistake in request.house_rules() {
                self.desk.violation(now, mistake.rule, mistake.detail, Some(&request.call_id));
            }
        }
        match (&request.method, &request.to_tag) {
            (Method::Ack, _) => self.ack(now, &request),
            (Method::Cancel, _) => self.cancel(now, &request, key, from),
            (_, Some(_)) => self.inside(now, &request, key, from),
            (Method::Invite, None) => self.invite(now, &request, key, from),
            (Method::Bye | Method::Update, None) => {
                self.desk.open(&request, key.clone(), from, None);
                let mistake =
                    Mistake::new(481, "dialog.to_tag", format!("a {} without a To tag", request.method));
                self.desk.refuse(now, &key, &mistake, None);
            }
            _ => self.outside(now, &request, key, from),
        }
    }

    fn broken(&mut self, now: Timestamp, from: SocketAddr, message: &Message, method: &Method) {
        let Err(mistake) = Request::check(message) else { return };
        if *method == Method::Ack {
            return self.desk.violation(now, mistake.rule, mistake.detail, message.header("call-id"));
        }
        self.desk.refuse_broken(now, message, from, &mistake);
    }

    fn inside(&mut self, now: Timestamp, request: &Request, key: TxKey, from: SocketAddr) {
        let found = self.calls.values().find(|call| call.dialog.matches(request)).map(|call| call.key);
        self.desk.open(request, key.clone(), from, found);
        match found {
            Some(call) => self.with(call, |call, desk| call.request_inside(desk, now, &key, request)),
            None => {
                let mistake =
                    Mistake::new(481, "dialog.unknown", format!("a {} of no dialog of ours", request.method));
                self.desk.refuse(now, &key, &mistake, None);
            }
        }
    }

    fn invite(&mut self, now: Timestamp, request: &Request, key: TxKey, from: SocketAddr) {
        let merged = self.desk.servers.iter().any(|tx| {
            let other = &tx.request;
            other.method == Method::Invite
                && (&other.call_id, &other.from_tag, &other.cseq)
                    == (&request.call_id, &request.from_tag, &request.cseq)
        });
        let pending = self.desk.servers.iter().any(|tx| {
            let other = &tx.request;
            other.method == Method::Invite
                && !tx.is_final()
                && (&other.call_id, &other.from_tag) == (&request.call_id, &request.from_tag)
        });
        self.desk.open(request, key.clone(), from, None);
        if merged {
            let mistake = Mistake::new(482, "invite.merged", "the same INVITE with another branch");
            return self.desk.refuse(now, &key, &mistake, None);
        }
        if pending {
            let mistake = Mistake::new(500, "invite.pending", "an INVITE while another is not done");
            return self.desk.refuse(now, &key, &mistake, None);
        }
        if !self.desk.sequence_rises(request) {
            let mistake = Mistake::new(500, "cseq.order", "CSeq does not rise within a Call-ID");
            return self.desk.refuse(now, &key, &mistake, None);
        }
        if !self.desk.authorized(now, &key, request) {
            return;
        }
        let dialled = request.uri.user.clone().unwrap_or_default();
        let own = self.desk.config.numbers.iter().find(|(number, _)| *number == dialled).cloned();
        let documented =
            || TestNumber::find(&dialled).map(|found| (found.number.to_owned(), found.script.to_vec()));
        let Some((number, script)) = own.or_else(documented) else {
            return self.desk.answer_plain(now, &key, 404, None);
        };
        if self.calls.values().filter(|call| call.ended_at.is_none()).count() >= Self::CALLS_AT_ONCE {
            return self.desk.answer_plain(now, &key, 503, None);
        }
        let person = Person::new(&script, self.desk.config.speed);
        self.ring_at(now, request, key, from, number, person);
    }

    fn ring_at(
        &mut self,
        now: Timestamp,
        request: &Request,
        tx: TxKey,
        from: SocketAddr,
        number: String,
        person: Person,
    ) {
        let key = self.next_key();
        let (tag, line, addr) = (self.desk.token(), self.desk.token(), self.desk.addr);
        // A Contact that is not the URI called shows whether the far side goes by it.
        let contact = match self.desk.config.house_rules {
            true => format!("sip:line-{line}@{addr}"),
            false => request.uri.text.clone(),
        };
        let mut dialog = Dialog::answering(request, tag, contact, from);
        if self.desk.config.record_route {
            dialog.record_route = Some(format!("<sip:{addr};lr>"));
        }
        let remote = request.from.uri.user.clone().unwrap_or_default();
        let mut call = Call::new(key, now, dialog, number, remote, person);
        if let Some(tx) = self.desk.server(&tx) {
            tx.call = Some(key);
        }
        call.invited(&mut self.desk, now, tx);
        self.calls.insert(key, call);
    }

    fn ack(&mut self, now: Timestamp, request: &Request) {
        let sip_call_id = Some(request.call_id.as_str());
        if let Some(tx) = TxKey::of(&request.message, &Method::Invite).and_then(|key| self.desk.server(&key))
            && tx.status >= 300
        {
            tx.awaiting_ack = None;
            tx.expires_at.get_or_insert(now + GIVE_UP);
            let answered = tx.last.as_deref().and_then(|bytes| Message::parse(bytes).ok());
            let tag = answered.and_then(|m| NameAddr::parse(m.header("to")?)?.tag().map(str::to_owned));
            if let Err(mistake) = answering::check_ack(request, &tx.request, tag.as_deref()) {
                self.desk.violation(now, mistake.rule, mistake.detail, sip_call_id);
            }
            return;
        }
        let is_of = |call: &&Call| call.answered_at.is_some() && call.dialog.matches(request);
        let found = self.calls.values().find(is_of).map(|call| call.key);
        match found {
            Some(call) => self.with(call, |call, desk| call.ack(desk, now, request)),
            None => self.desk.violation(now, "ack.unknown", "an ACK of nothing".to_owned(), sip_call_id),
        }
    }

    fn cancel(&mut self, now: Timestamp, request: &Request, key: TxKey, from: SocketAddr) {
        let invite = TxKey::of(&request.message, &Method::Invite).and_then(|key| self.desk.server(&key));
        let found = invite.map(|tx| (tx.request.clone(), tx.call));
        self.desk.open(request, key.clone(), from, None);
        let Some((invite, call)) = found else {
            let mistake = Mistake::new(481, "cancel.unknown", "a CANCEL of no INVITE of ours");
            return self.desk.refuse(now, &key, &mistake, None);
        };
        if let Err(mistake) = answering::check_cancel(request, &invite) {
            return self.desk.refuse(now, &key, &mistake, None);
        }
        let tag = call.and_then(|call| self.calls.get(&call)).map(|call| call.dialog.local_tag.clone());
        self.desk.answer_plain(now, &key, 200, tag.as_deref());
        if let Some(call) = call {
            self.with(call, |call, desk| call.cancelled(desk, now));
        }
    }

    /// OPTIONS and REGISTER.
    fn outside(&mut self, now: Timestamp, request: &Request, key: TxKey, from: SocketAddr) {
        self.desk.open(request, key.clone(), from, None);
        if request.method == Method::Register && !self.desk.sequence_rises(request) {
            let mistake = Mistake::new(500, "cseq.order", "CSeq does not rise within a Call-ID");
            return self.desk.refuse(now, &key, &mistake, None);
        }
        if request.method == Method::Register && !self.desk.authorized(now, &key, request) {
            return;
        }
        let Some(mut reply) = self.desk.reply(&key, 200, None) else { return };
        reply
            .header("Allow", Method::ALLOWED)
            .header("Accept", "application/sdp")
            .header("Supported", "timer");
        if request.method == Method::Register {
            let header = request.message.header("expires").and_then(|expires| expires.parse().ok());
            for contact in
                request.message.list("contact").iter().filter_map(|contact| NameAddr::parse(contact))
            {
                let own = contact.params.value("expires").and_then(|expires| expires.parse().ok());
                let expires: u32 = own.or(header).unwrap_or(3_600).min(3_600);
                if expires > 0 {
                    reply.header("Contact", &format!("<{}>;expires={expires}", contact.uri.text));
                }
            }
            reply.header("Expires", &header.unwrap_or(3_600).min(3_600).to_string());
        }
        self.desk.answer(now, &key, 200, reply.finish(None));
    }

    fn response(&mut self, now: Timestamp, message: &Message) {
        let sip_call_id = message.header("call-id");
        let response = match Response::parse(message) {
            Ok(response) => response,
            Err(mistake) => return self.desk.violation(now, mistake.rule, mistake.detail, sip_call_id),
        };
        let of =
            |tx: &ClientTx| tx.asked.branch == response.branch && tx.asked.method == response.cseq.method;
        let Some(at) = self.desk.clients.iter().position(of) else {
            let detail = format!("a {} to nothing we asked", response.status);
            return self.desk.violation(now, "response.unknown", detail, sip_call_id);
        };
        for mistake in response.mistakes(&self.desk.clients[at].asked) {
            self.desk.violation(now, mistake.rule, mistake.detail, sip_call_id);
        }
        let tx = &mut self.desk.clients[at];
        let (call, purpose, cseq, to) = (tx.call, tx.purpose, tx.asked.cseq, tx.to);
        if let Some(done) = &tx.done {
            // It did not hear our ACK.
            let ack = done.ack.clone().filter(|_| done.status == response.status);
            return ack.into_iter().for_each(|ack| self.desk.send(to, ack));
        }
        tx.progressed = true;
        if response.status < 200 {
            if tx.asked.method == Method::Invite {
                tx.resend = None;
                self.with(call, |call, desk| call.provisional(desk, now, &response));
            }
            return;
        }
        tx.done = Some(Done { status: response.status, ack: None, expires_at: now + GIVE_UP });
        let branch = tx.asked.branch.clone();
        self.with(call, |call, desk| {
            if matches!(purpose, Purpose::Invite | Purpose::Reinvite) {
                if purpose == Purpose::Invite && response.status < 300 {
                    call.dialog.established(
                        &response.message,
                        &response.to_header,
                        response.contact.as_ref(),
                    );
                }
                let ack = call.acknowledge(desk, &response, cseq, &branch);
                if let Some(done) = desk.clients.get_mut(at).and_then(|tx| tx.done.as_mut()) {
                    done.ack = Some(ack);
                }
            }
            call.answered(desk, now, purpose, &response);
        });
    }
}
