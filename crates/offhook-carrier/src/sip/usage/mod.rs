//! The INVITE usage (RFC 5057 §2): one call as SIP sees it, with the dialogs its INVITE made. A state machine that
//! turns messages, commands and the clock into effects.
//!
//! No socket and no task in here. The agent feeds it, and carries out the [`Effect`]s it leaves behind.

mod caller;
mod dialog_requests;
mod ending;
mod refresh;
#[cfg(test)]
mod tests;

pub use caller::Invitation;

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use offhook_core::{EndReason, LegEvent};
use tokio::sync::mpsc;

use super::dialog::Dialog;
use super::message::{Headers, Method, Request, Response};
use super::net::Flow;
use super::session_timer::SessionTimer;
use super::ticket::Ticket;
use super::transaction::Timing;
use super::uri::Uri;
use crate::line::LineSlot;
use crate::sip::leg::{Signal, Told};

/// What we can do, for `Allow` and `Supported`.
pub const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK, NOTIFY";
pub const SUPPORTED: &str = "100rel, timer";
pub const SDP: &str = "application/sdp";

/// What a request requires of us that we can't do, for `Unsupported` (RFC 3261 §8.2.2.3).
pub fn unsupported(headers: &Headers) -> Option<String> {
    let known = |option: &str| SUPPORTED.split(", ").any(|ours| ours.eq_ignore_ascii_case(option));
    let unknown: Vec<&str> = headers.list("Require").filter(|option| !known(option)).collect();
    (!unknown.is_empty()).then(|| unknown.join(", "))
}

/// How long the leg may take to answer an offer of the far end, before it is refused for it.
const OFFER_PATIENCE: Duration = Duration::from_secs(5);
/// Signals a leg may leave unread before it counts as dead.
const MAX_BACKLOG: usize = 64;

/// Something the agent has to do for the call.
#[derive(Debug)]
pub enum Effect {
    Request {
        request: Request,
        hop: Hop,
        purpose: Purpose,
    },
    /// An ACK: sent, and forgotten.
    Ack {
        request: Request,
        hop: Hop,
    },
    /// Cancel the INVITE of this call.
    Cancel {
        reason: EndReason,
    },
    Respond {
        transaction: u64,
        response: Response,
    },
    /// From now on answers to the INVITE concern nobody: acknowledge a late 2xx and hang it up.
    Abandon,
}

/// Where a request goes.
#[derive(Clone, Debug)]
pub enum Hop {
    /// The trunk's server or outbound proxy.
    Trunk,
    /// Along a dialog: its route or remote target; over `flow` where that leads there too.
    Dialog { uri: Uri, routed: bool, flow: Option<Flow> },
}

/// What a request of ours was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Invite,
    Bye,
    /// A PRACK, or the end of another branch: its outcome changes nothing.
    Aside,
    /// A session refresh by UPDATE or re-INVITE.
    Refresh,
}

/// Why no response will come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoReply {
    /// The request certainly did not leave.
    Unsent(String),
    /// It went out, and nobody answered.
    Silence(String),
}

/// What there was to our INVITE so far; only one that was heard of may be cancelled (RFC 3261 §9.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    Nothing,
    Provisional,
    /// And then our CANCEL went out.
    Cancelled,
}

#[derive(Debug)]
enum Phase {
    /// Our INVITE is being addressed, or was sent.
    Calling(Heard),
    /// Their INVITE waits for our answer.
    Incoming {
        transaction: u64,
        invite: Box<Request>,
    },
    Live,
    /// A BYE is on its way.
    Ending,
    Over,
}

/// An offer of the far end that the leg has not answered yet.
#[derive(Debug)]
struct Offered {
    transaction: u64,
    request: Request,
    refused_at: Instant,
}

/// A 2xx of ours to an INVITE that was not acknowledged yet.
#[derive(Debug)]
struct Unacknowledged {
    transaction: u64,
    seq: u32,
    /// It carried an offer, so the ACK carries the answer.
    offered: bool,
}

/// A session description of ours. Not to be shown: it may hold keys.
#[derive(Clone)]
pub struct LocalSdp(pub String);

impl fmt::Debug for LocalSdp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalSdp({} bytes)", self.0.len())
    }
}

/// A call, from its INVITE until its last BYE is answered.
#[derive(Debug)]
pub struct Usage {
    pub trunk: usize,
    trunk_name: String,
    pub call_id: String,
    pub local_tag: String,
    timing: Timing,
    leg: mpsc::Sender<Signal>,
    backlog: VecDeque<Signal>,
    /// Held until the far leg is gone too: the carrier counts it until then.
    slot: Option<LineSlot>,
    phase: Phase,
    /// The INVITE we sent last, as it went out.
    invite: Option<Request>,
    next_seq: u32,
    dialog: Option<Dialog>,
    early: Vec<(Dialog, u32)>,
    local_sdp: LocalSdp,
    remote_sdp_seen: bool,
    flow: Option<Flow>,
    /// The far end said that it rings.
    rang: bool,
    /// A provisional response other than 100 came: somebody's phone may ring.
    proceeds: bool,
    early_media: bool,
    session_wanted: Option<Duration>,
    session: Option<SessionTimer>,
    refresh_at: Option<Instant>,
    refreshing: bool,
    peer_updates: bool,
    offered: Option<Offered>,
    unacknowledged: Option<Unacknowledged>,
    hang_up: Option<EndReason>,
    /// Tell the leg it is over then, whatever the far end does.
    close_at: Option<Instant>,
    /// An inbound call: its first ACK came.
    told_answered: bool,
    told_end: bool,
    interval_raised: bool,
}

/// What both directions start from.
#[derive(Debug)]
pub struct Start {
    pub trunk: usize,
    pub trunk_name: String,
    pub call_id: String,
    pub local_tag: String,
    pub timing: Timing,
    pub leg: mpsc::Sender<Signal>,
    pub slot: LineSlot,
    pub session_wanted: Option<Duration>,
    pub local_sdp: LocalSdp,
}

/// The clock and the list of things to do.
pub struct Cx<'a> {
    pub now: Instant,
    pub out: &'a mut Vec<Effect>,
}

impl Usage {
    fn new(start: Start, phase: Phase) -> Self {
        Self {
            trunk: start.trunk,
            trunk_name: start.trunk_name,
            call_id: start.call_id,
            local_tag: start.local_tag,
            timing: start.timing,
            leg: start.leg,
            backlog: VecDeque::new(),
            slot: Some(start.slot),
            phase,
            invite: None,
            next_seq: 1,
            dialog: None,
            early: Vec::new(),
            local_sdp: start.local_sdp,
            remote_sdp_seen: false,
            flow: None,
            rang: false,
            proceeds: false,
            early_media: false,
            session_wanted: start.session_wanted,
            session: None,
            refresh_at: None,
            refreshing: false,
            peer_updates: false,
            offered: None,
            unacknowledged: None,
            hang_up: None,
            close_at: None,
            told_answered: false,
            told_end: false,
            interval_raised: false,
        }
    }

    /// Nothing more to do: forget it.
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over) && (self.backlog.is_empty() || self.leg.is_closed())
    }

    pub fn is_pending(&self) -> bool {
        matches!(self.phase, Phase::Calling(_) | Phase::Incoming { .. })
    }

    pub fn remote_tag(&self) -> Option<&str> {
        self.dialog.as_ref().map(|dialog| dialog.remote_tag.as_str())
    }

    /// Whether an INVITE of ours may still go out, or go out again.
    pub fn wants_to_call(&self) -> bool {
        matches!(self.phase, Phase::Calling(_)) && self.hang_up.is_none()
    }

    /// Whether the INVITE may go to another server after this one refused it: no phone rang, and nobody hung up.
    pub fn may_move(&self) -> bool {
        self.wants_to_call() && !self.proceeds
    }

    /// Whether the far end with this tag is part of the call.
    pub fn knows(&self, remote_tag: &str) -> bool {
        let dialogs = self.early.iter().map(|(dialog, _)| dialog).chain(&self.dialog);
        dialogs.into_iter().any(|dialog| dialog.remote_tag == remote_tag)
    }

    /// The next sequence number, for a request that is repeated with credentials.
    pub fn next_seq(&mut self) -> u32 {
        match &mut self.dialog {
            Some(dialog) => {
                dialog.local_seq += 1;
                let seq = dialog.local_seq;
                self.tell_ticket();
                seq
            }
            None => {
                self.next_seq += 1;
                self.next_seq
            }
        }
    }

    /// The INVITE went out like this: with its Contact, and perhaps with credentials.
    pub fn invite_sent(&mut self, invite: &Request, flow: Flow) {
        if let Phase::Calling(heard @ Heard::Provisional) = &mut self.phase {
            // Of this one nothing was heard yet, whatever came to the one before it.
            *heard = Heard::Nothing;
        }
        self.flow = Some(flow);
        self.invite = Some(invite.clone());
        self.signal_ticket(&Ticket::pending(&self.trunk_name, &flow, invite));
    }

    pub fn deadline(&self) -> Option<Instant> {
        let live = matches!(self.phase, Phase::Live);
        let refresh = self.refresh_at.filter(|_| live && !self.refreshing);
        let expiry = self.session.filter(|_| live).map(|session| session.expires_at());
        let offer = self.offered.as_ref().map(|offered| offered.refused_at);
        [self.close_at, refresh, expiry, offer].into_iter().flatten().min()
    }

    pub fn on_deadline(&mut self, cx: &mut Cx<'_>) {
        if self.close_at.is_some_and(|at| cx.now >= at) {
            self.give_up_waiting(cx);
        }
        if self.offered.as_ref().is_some_and(|offered| cx.now >= offered.refused_at) {
            self.local_answer(cx, None);
        }
        if !matches!(self.phase, Phase::Live) {
            return;
        }
        if self.session.is_some_and(|session| cx.now >= session.expires_at()) {
            self.lose(cx);
        } else if self.refresh_at.is_some_and(|at| cx.now >= at) && !self.refreshing {
            self.refresh(cx);
        }
    }

    /// Once in a while: whether anybody still listens, and what could not be told before.
    pub fn on_tick(&mut self, cx: &mut Cx<'_>) {
        self.flush();
        if self.leg.is_closed() {
            self.backlog.clear();
            self.hang_up(cx, EndReason::OwnerCancelled);
        }
    }

    pub fn told(&mut self, cx: &mut Cx<'_>, told: Told) {
        match told {
            Told::Answer { sdp } => self.answer(cx, sdp),
            Told::HangUp { reason } => self.hang_up(cx, reason),
            Told::LocalAnswer { sdp } => self.local_answer(cx, sdp),
            Told::Dropped => self.hang_up(cx, EndReason::OwnerCancelled),
        }
    }

    fn tell(&mut self, event: LegEvent) {
        self.signal(Signal::Event(event));
    }

    fn signal(&mut self, signal: Signal) {
        if self.told_end {
            return;
        }
        self.backlog.push_back(signal);
        self.flush();
        if self.backlog.len() > MAX_BACKLOG {
            self.backlog.pop_front();
        }
    }

    /// There is a dialog now, or its far end has moved: this is how to end it.
    fn tell_ticket(&mut self) {
        if let Some(dialog) = &self.dialog {
            self.signal_ticket(&Ticket::dialog(&self.trunk_name, self.flow.as_ref(), dialog));
        }
    }

    fn signal_ticket(&mut self, ticket: &Ticket) {
        if let Some(text) = ticket.to_text() {
            self.signal(Signal::Ticket(text));
        }
    }

    /// Take note of where the far end of the dialog wants requests from now on.
    fn retarget(&mut self, headers: &Headers) {
        let Some(dialog) = &mut self.dialog else { return };
        let before = dialog.target.clone();
        dialog.retarget(headers);
        if dialog.target != before {
            self.tell_ticket();
        }
    }

    fn flush(&mut self) {
        while let Some(signal) = self.backlog.pop_front() {
            if let Err(mpsc::error::TrySendError::Full(signal)) = self.leg.try_send(signal) {
                self.backlog.push_front(signal);
                return;
            }
        }
    }

    /// The last thing the leg hears.
    fn tell_end(&mut self, event: LegEvent) {
        self.tell(event);
        self.told_end = true;
        self.close_at = None;
    }

    fn over(&mut self) {
        self.phase = Phase::Over;
        self.slot = None;
        self.offered = None;
        self.close_at = None;
    }

    fn hop(&self, dialog: &Dialog) -> Hop {
        Hop::Dialog { uri: dialog.next_hop(), routed: dialog.has_routes(), flow: self.flow }
    }

    fn remote_sdp(&mut self, sdp: Option<String>) {
        if let Some(sdp) = sdp {
            self.remote_sdp_seen = true;
            self.signal(Signal::RemoteAnswer(sdp));
        }
    }

    fn request_in_dialog(
        &mut self,
        cx: &mut Cx<'_>,
        method: Method,
        purpose: Purpose,
        shape: impl FnOnce(&mut Request),
    ) {
        let Some(mut dialog) = self.dialog.take() else { return };
        let mut request = dialog.request(method);
        shape(&mut request);
        cx.out.push(Effect::Request { request, hop: self.hop(&dialog), purpose });
        self.dialog = Some(dialog);
        // Whoever takes over has to go on counting from here.
        self.tell_ticket();
    }

    /// A response of ours, with our tag.
    fn respond(&self, cx: &mut Cx<'_>, transaction: u64, request: &Request, status: u16) {
        cx.out.push(Effect::Respond { transaction, response: request.response(status, &self.local_tag) });
    }
}
