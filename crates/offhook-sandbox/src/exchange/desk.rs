//! What all calls of the exchange share: the way out, the open transactions, the list of broken rules.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use offhook_core::Timestamp;
use rand::rngs::StdRng;
use rand::{Rng, RngCore};

use super::Output;
use super::transaction::{ClientTx, GIVE_UP, Resend, ServerTx, TxKey};
use crate::SandboxConfig;
use crate::record::{CallKey, Violation};
use crate::sip::digest::{Challenge, Nonces, Verdict};
use crate::sip::response::{Reply, destination};
use crate::sip::{Message, Method, Mistake, Request};

#[derive(Debug)]
pub struct Desk {
    pub config: SandboxConfig,
    pub addr: SocketAddr,
    pub rng: StdRng,
    pub out: VecDeque<Output>,
    pub violations: VecDeque<Violation>,
    pub servers: Vec<ServerTx>,
    pub clients: Vec<ClientTx>,
    pub clips: HashMap<String, Arc<[i16]>>,
    rendering: HashSet<String>,
    nonces: Nonces,
    /// The last CSeq of requests outside dialogs, by Call-ID and From tag.
    pub sequences: HashMap<(String, String), u32>,
}

impl Desk {
    const VIOLATIONS_KEPT: usize = 1_000;
    const SEQUENCES_KEPT: usize = 10_000;

    pub fn new(config: SandboxConfig, addr: SocketAddr, rng: StdRng) -> Self {
        Self {
            config,
            addr,
            rng,
            out: VecDeque::new(),
            violations: VecDeque::new(),
            servers: Vec::new(),
            clients: Vec::new(),
            clips: HashMap::new(),
            rendering: HashSet::new(),
            nonces: Nonces::default(),
            sequences: HashMap::new(),
        }
    }

    pub fn send(&mut self, to: SocketAddr, bytes: Vec<u8>) {
        self.out.push_back(Output::Sip { to, bytes });
    }

    pub fn token(&mut self) -> String {
        format!("{:016x}", self.rng.next_u64())
    }

    pub fn violation(
        &mut self,
        at: Timestamp,
        rule: &'static str,
        detail: String,
        sip_call_id: Option<&str>,
    ) {
        if self.violations.len() == Self::VIOLATIONS_KEPT {
            self.violations.pop_front();
        }
        tracing::debug!(rule, detail, "the far side broke a rule");
        self.violations.push_back(Violation {
            at,
            rule,
            detail,
            sip_call_id: sip_call_id.map(str::to_owned),
        });
    }

    /// The audio of a sentence, or a request to make it.
    pub fn clip(&mut self, text: &str) -> Option<Arc<[i16]>> {
        let clip = self.clips.get(text).cloned();
        if clip.is_none() && self.rendering.insert(text.to_owned()) {
            self.out.push_back(Output::Render { text: text.to_owned() });
        }
        clip
    }

    pub fn rendered(&mut self, text: &str, clip: Arc<[i16]>) {
        self.rendering.remove(text);
        self.clips.insert(text.to_owned(), clip);
    }

    pub fn server(&mut self, key: &TxKey) -> Option<&mut ServerTx> {
        self.servers.iter_mut().find(|tx| tx.key == *key)
    }

    /// Opens the transaction of a request that broke no rule of form.
    pub fn open(&mut self, request: &Request, key: TxKey, source: SocketAddr, call: Option<CallKey>) {
        self.servers.push(ServerTx {
            key,
            request: request.clone(),
            to: destination(&request.message, source),
            source,
            last: None,
            status: 0,
            awaiting_ack: None,
            call,
            expires_at: None,
        });
    }

    /// Begins an answer to the request of an open transaction.
    pub fn reply(&mut self, key: &TxKey, status: u16, to_tag: Option<&str>) -> Option<Reply> {
        let fallback = self.token();
        let tx = self.server(key)?;
        let tag = if status == 100 { None } else { Some(to_tag.unwrap_or(&fallback)) };
        Some(Reply::to(&tx.request.message, status, tag, tx.source))
    }

    /// Sends an answer, and keeps it for when the request comes again.
    pub fn answer(&mut self, now: Timestamp, key: &TxKey, status: u16, bytes: Vec<u8>) {
        let Some(tx) = self.server(key) else { return };
        if tx.is_final() {
            return;
        }
        tx.status = status;
        tx.last = Some(bytes.clone());
        let to = tx.to;
        if status >= 200 {
            tx.expires_at = Some(now + GIVE_UP);
            if status >= 300 && tx.request.method == Method::Invite {
                tx.awaiting_ack = Some(Resend::new(now));
                tx.expires_at = None;
            }
        }
        self.send(to, bytes);
    }

    pub fn answer_plain(&mut self, now: Timestamp, key: &TxKey, status: u16, to_tag: Option<&str>) {
        if let Some(reply) = self.reply(key, status, to_tag) {
            self.answer(now, key, status, reply.finish(None));
        }
    }

    /// Answers a request with the mistake in it, and records it.
    pub fn refuse(&mut self, now: Timestamp, key: &TxKey, mistake: &Mistake, to_tag: Option<&str>) {
        let sip_call_id = self.server(key).map(|tx| tx.request.call_id.clone());
        self.violation(now, mistake.rule, mistake.detail.clone(), sip_call_id.as_deref());
        if let Some(mut reply) = self.reply(key, mistake.status, to_tag) {
            explain(&mut reply, mistake);
            self.answer(now, key, mistake.status, reply.finish(None));
        }
    }

    /// As `refuse`, for a request too broken for a transaction.
    pub fn refuse_broken(
        &mut self,
        now: Timestamp,
        message: &Message,
        source: SocketAddr,
        mistake: &Mistake,
    ) {
        self.violation(now, mistake.rule, mistake.detail.clone(), message.header("call-id"));
        let tag = self.token();
        let mut reply = Reply::to(message, mistake.status, Some(&tag), source);
        explain(&mut reply, mistake);
        self.send(destination(message, source), reply.finish(None));
    }

    /// Whether the request may go on; if not, it has been challenged.
    pub fn authorized(&mut self, now: Timestamp, key: &TxKey, request: &Request) -> bool {
        let Some(challenge) = self.config.challenge.clone() else { return true };
        let verdict =
            self.nonces.check(&challenge, &request.message, request.method.as_str(), &request.uri.text);
        match verdict {
            Verdict::Granted => return true,
            Verdict::Absent => self.challenge(now, key, &challenge, false),
            Verdict::Stale => self.challenge(now, key, &challenge, true),
            Verdict::Wrong(mistake) => {
                self.violation(now, mistake.rule, mistake.detail, Some(&request.call_id));
                self.challenge(now, key, &challenge, false);
            }
        }
        false
    }

    fn challenge(&mut self, now: Timestamp, key: &TxKey, challenge: &Challenge, stale: bool) {
        let nonce = self.token();
        self.nonces.issue(&nonce);
        if let Some(mut reply) = self.reply(key, challenge.status, None) {
            for value in challenge.headers(&nonce, stale) {
                reply.header(challenge.asks_in(), &value);
            }
            self.answer(now, key, challenge.status, reply.finish(None));
        }
    }

    /// Notes the CSeq of a request outside any dialog; whether it is higher than the last.
    pub fn sequence_rises(&mut self, request: &Request) -> bool {
        if self.sequences.len() >= Self::SEQUENCES_KEPT {
            self.sequences.clear();
        }
        let key = (request.call_id.clone(), request.from_tag.clone());
        self.sequences.insert(key, request.cseq.number).is_none_or(|last| request.cseq.number > last)
    }

    /// Sends again what is due, and gives up what nobody answers.
    pub fn tick(&mut self, now: Timestamp) {
        let mut unacknowledged = Vec::new();
        for tx in &mut self.servers {
            let Some(resend) = &mut tx.awaiting_ack else { continue };
            if now >= resend.give_up_at {
                tx.awaiting_ack = None;
                tx.expires_at = Some(now);
                unacknowledged.push((tx.status, tx.request.call_id.clone()));
            } else if resend.due(now) {
                self.out.extend(tx.last.clone().map(|bytes| Output::Sip { to: tx.to, bytes }));
            }
        }
        for (status, sip_call_id) in unacknowledged {
            self.violation(now, "ack.missing", format!("no ACK for {status}"), Some(&sip_call_id));
        }
        self.servers.retain(|tx| tx.expires_at.is_none_or(|at| now < at));
        for tx in &mut self.clients {
            if tx.done.is_none() && tx.resend.as_mut().is_some_and(|resend| resend.due(now)) {
                self.out.push_back(Output::Sip { to: tx.to, bytes: tx.bytes.clone() });
            }
        }
        self.clients.retain(|tx| tx.done.as_ref().is_none_or(|done| now < done.expires_at));
    }

    pub fn deadline(&self) -> Option<Timestamp> {
        let resends = self.servers.iter().filter_map(|tx| tx.awaiting_ack.as_ref().map(Resend::deadline));
        let expiries = self.servers.iter().filter_map(|tx| tx.expires_at);
        resends.chain(expiries).chain(self.clients.iter().filter_map(ClientTx::deadline)).min()
    }

    pub fn random_rtp(&mut self) -> (u32, u16, u32) {
        (self.rng.random(), self.rng.random(), self.rng.random())
    }
}

fn explain(reply: &mut Reply, mistake: &Mistake) {
    let detail = mistake.detail.replace(['"', '\\'], "'");
    match mistake.status {
        405 | 501 => drop(reply.header("Allow", Method::ALLOWED)),
        415 => drop(reply.header("Accept", "application/sdp")),
        420 => drop(reply.header("Unsupported", &mistake.detail)),
        422 => drop(reply.header("Min-SE", "90")),
        500 => drop(reply.header("Retry-After", "1")),
        _ => {}
    }
    let code = if mistake.status == 488 { 305 } else { 399 };
    reply.header("Warning", &format!("{code} sandbox \"{}: {detail}\"", mistake.rule));
}
