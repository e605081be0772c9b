//! Whatever comes in whatever order: a call that is hung up ends, once, and is then forgotten.

use std::time::{Duration, Instant};

use offhook_core::{EndReason, LegEvent, PhoneNumber};
use proptest::prelude::*;
use tokio::sync::mpsc;

use super::{Cx, Effect, Invitation, LocalSdp, NoReply, Purpose, Start, Usage};
use crate::line::LinePool;
use crate::sip::identity::Caller;
use crate::sip::leg::{Signal, Told};
use crate::sip::message::{Message, Method, Request, Response};
use crate::sip::net::Flow;
use crate::sip::transaction::Timing;
use crate::sip::uri::Uri;

#[derive(Clone, Debug)]
enum Step {
    /// To the request of ours that is answered next, from one of two phones.
    Response {
        status: u16,
        tag: bool,
        sdp: bool,
        reliable: bool,
    },
    NoReply {
        unsent: bool,
    },
    Request {
        method: usize,
        sdp: bool,
        late: bool,
    },
    Ack {
        seq: u32,
    },
    AckMissing,
    Cancel,
    Answer,
    LocalAnswer {
        usable: bool,
    },
    Wait {
        ms: u64,
    },
    HangUp,
}

fn step() -> impl Strategy<Value = Step> {
    let statuses = prop::sample::select(vec![100u16, 180, 183, 200, 200, 401, 422, 481, 486, 491, 500, 603]);
    prop_oneof![
        6 => (statuses, any::<bool>(), any::<bool>(), any::<bool>())
            .prop_map(|(status, tag, sdp, reliable)| Step::Response { status, tag, sdp, reliable }),
        1 => any::<bool>().prop_map(|unsent| Step::NoReply { unsent }),
        4 => (0..METHODS.len(), any::<bool>(), prop::bool::weighted(0.1))
            .prop_map(|(method, sdp, late)| Step::Request { method, sdp, late }),
        2 => (1..6u32).prop_map(|seq| Step::Ack { seq }),
        1 => Just(Step::AckMissing),
        1 => Just(Step::Cancel),
        2 => Just(Step::Answer),
        2 => any::<bool>().prop_map(|usable| Step::LocalAnswer { usable }),
        2 => (0..200_000u64).prop_map(|ms| Step::Wait { ms }),
        1 => Just(Step::HangUp),
    ]
}

const METHODS: [Method; 7] = [
    Method::Invite,
    Method::Update,
    Method::Bye,
    Method::Info,
    Method::Refer,
    Method::Notify,
    Method::Options,
];
const SDP: &str = "Content-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n";

struct World {
    call: Usage,
    now: Instant,
    /// Requests of ours that nobody has finally answered.
    open: Vec<(Purpose, Request)>,
    heard: mpsc::Receiver<Signal>,
    lines: LinePool,
    their_seq: u32,
    events: Vec<LegEvent>,
}

fn flow() -> Flow {
    Flow::datagram(0, "127.0.0.1:5060".parse().unwrap())
}

fn parse(text: &str) -> Message {
    Message::parse(text.as_bytes()).unwrap()
}

impl World {
    fn new(outbound: bool) -> Self {
        let (leg, heard) = mpsc::channel(32);
        let number = PhoneNumber::parse("+14155550199").unwrap();
        let lines = LinePool::new([(number, 1)].into_iter());
        let slot = lines.take(None, |_| true).unwrap();
        let start = Start {
            trunk: 0,
            trunk_name: "far".into(),
            call_id: "id".into(),
            local_tag: "us".into(),
            timing: Timing::default(),
            leg,
            slot,
            session_wanted: Some(Duration::from_secs(90)),
            local_sdp: LocalSdp("v=0\r\n".into()),
        };
        let now = Instant::now();
        let mut out = Vec::new();
        let mut cx = Cx { now, out: &mut out };
        let call = match outbound {
            true => {
                let uri = Uri::parse("sip:them@127.0.0.1").unwrap();
                let caller = Caller { from: "<sip:us@127.0.0.1>".into(), headers: Vec::new() };
                let to = "<sip:them@127.0.0.1>".into();
                Usage::dial(&mut cx, start, Invitation { uri, caller, to, route: None })
            }
            false => {
                let text = format!(
                    "INVITE sip:us@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:them@a>;tag=one\r\n\
                     To: <sip:us@a>\r\nCall-ID: id\r\nCSeq: 1 INVITE\r\nContact: <sip:them@a>\r\n{SDP}"
                );
                let Message::Request(invite) = parse(&text) else { unreachable!() };
                Usage::incoming(&mut cx, start, 1, invite, "<sip:us@127.0.0.1>".into(), flow()).unwrap()
            }
        };
        let mut world = Self { call, now, open: Vec::new(), heard, lines, their_seq: 1, events: Vec::new() };
        world.carry_out(out);
        world
    }

    fn act(&mut self, act: impl FnOnce(&mut Usage, &mut Cx<'_>)) {
        let mut out = Vec::new();
        act(&mut self.call, &mut Cx { now: self.now, out: &mut out });
        self.carry_out(out);
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Request { mut request, purpose, .. } => {
                    if purpose == Purpose::Invite {
                        request.headers.set("Contact", "<sip:us@127.0.0.1>");
                        self.call.invite_sent(&request, flow());
                    }
                    self.open.push((purpose, request));
                }
                Effect::Abandon => self.open.retain(|(purpose, _)| *purpose != Purpose::Invite),
                Effect::Ack { .. } | Effect::Cancel { .. } | Effect::Respond { .. } => {}
            }
        }
        while let Ok(signal) = self.heard.try_recv() {
            if let Signal::Event(event) = signal {
                self.events.push(event);
            }
        }
    }

    fn response(request: &Request, status: u16, tag: bool, sdp: bool, reliable: bool) -> Response {
        let mut text = format!(
            "SIP/2.0 {status} X\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: {}\r\nTo: <sip:them@a>;tag={}\r\n\
             Call-ID: id\r\nCSeq: {}\r\nContact: <sip:them@a>\r\nSession-Expires: 90;refresher=uac\r\n",
            request.headers.first("From").unwrap(),
            if tag { "one" } else { "two" },
            request.headers.first("CSeq").unwrap(),
        );
        if reliable {
            text.push_str("Require: 100rel\r\nRSeq: 7\r\n");
        }
        text.push_str(if sdp { SDP } else { "\r\n" });
        let Message::Response(response) = parse(&text) else { unreachable!() };
        response
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Response { status, tag, sdp, reliable } => {
                let Some((purpose, request)) = self.open.first().cloned() else { return };
                let response = Self::response(&request, status, tag, sdp, reliable);
                if status >= 200 && !(purpose == Purpose::Invite && status < 300) {
                    self.open.remove(0);
                }
                self.act(|call, cx| call.on_response(cx, purpose, response, flow()));
            }
            Step::NoReply { unsent } => {
                if self.open.is_empty() {
                    return;
                }
                let (purpose, _) = self.open.remove(0);
                let why = if unsent { NoReply::Unsent("x".into()) } else { NoReply::Silence("x".into()) };
                self.act(|call, cx| call.on_no_reply(cx, purpose, why));
            }
            Step::Request { method, sdp, late } => {
                self.their_seq += u32::from(!late);
                let (method, seq) = (&METHODS[method], self.their_seq);
                let text = format!(
                    "{method} sip:us@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK{seq}\r\n\
                     From: <sip:them@a>;tag=one\r\nTo: <sip:us@a>;tag=us\r\nCall-ID: id\r\nCSeq: {seq} {method}\r\n{}",
                    if sdp { SDP } else { "\r\n" }
                );
                let Message::Request(request) = parse(&text) else { unreachable!() };
                self.act(|call, cx| call.on_request(cx, u64::from(seq), request, flow()));
            }
            Step::Ack { seq } => {
                let text = format!(
                    "ACK sip:us@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKa\r\nFrom: <sip:them@a>;tag=one\r\n\
                     To: <sip:us@a>;tag=us\r\nCall-ID: id\r\nCSeq: {seq} ACK\r\n\r\n"
                );
                let Message::Request(ack) = parse(&text) else { unreachable!() };
                self.act(|call, cx| {
                    call.on_ack(cx, &ack);
                });
            }
            Step::AckMissing => {
                for transaction in 1..=u64::from(self.their_seq) {
                    self.act(|call, cx| call.on_ack_missing(cx, transaction));
                }
            }
            Step::Cancel => {
                let cancel = Request::new(Method::Cancel, Uri::parse("sip:us@127.0.0.1").unwrap());
                self.act(|call, cx| call.on_cancel(cx, &cancel));
            }
            Step::Answer => self.act(|call, cx| call.told(cx, Told::Answer { sdp: "v=0\r\n".into() })),
            Step::LocalAnswer { usable } => {
                let sdp = usable.then(|| "v=0\r\n".to_owned());
                self.act(|call, cx| call.told(cx, Told::LocalAnswer { sdp }));
            }
            Step::Wait { ms } => self.wait(Duration::from_millis(ms)),
            Step::HangUp => {
                self.act(|call, cx| call.told(cx, Told::HangUp { reason: EndReason::OwnerCancelled }));
            }
        }
    }

    /// Let time pass, stopping wherever the call wants to be woken.
    fn wait(&mut self, how_long: Duration) {
        let until = self.now + how_long;
        let mut woken = 0;
        while let Some(at) = self.call.deadline().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.act(|call, cx| call.on_deadline(cx));
            woken += 1;
            assert!(woken < 1_000, "woken again and again for nothing");
        }
        self.now = until;
    }
}

fn is_end(event: &LegEvent) -> bool {
    matches!(event, LegEvent::Failed(_) | LegEvent::HungUp { .. } | LegEvent::Closed | LegEvent::Lost)
}

proptest! {
    #[test]
    fn a_call_that_is_hung_up_ends_once(outbound in any::<bool>(), steps in prop::collection::vec(step(), 0..40)) {
        let mut world = World::new(outbound);
        for step in steps {
            world.take(step);
        }
        world.take(Step::HangUp);
        world.wait(Duration::from_secs(33));
        prop_assert!(world.events.iter().any(is_end), "the leg is told, though nobody answers: {:?}", world.call);
        // The far end is silent from now on: transactions give up after 32 s, those in a row one after another.
        for _ in 0..8 {
            world.wait(Duration::from_secs(33));
            world.take(Step::AckMissing);
            while !world.open.is_empty() {
                world.take(Step::NoReply { unsent: false });
            }
        }
        prop_assert!(world.call.is_over(), "{:?}", world.call);
        prop_assert_eq!(world.lines.busy(), [0], "the line is free again");
        prop_assert!(world.call.deadline().is_none());
        let ends = world.events.iter().filter(|event| is_end(event)).count();
        prop_assert_eq!(ends, 1, "{:?}", world.events);
        prop_assert!(is_end(world.events.last().unwrap()), "nothing after the end: {:?}", world.events);
        let answered = world.events.iter().filter(|event| matches!(event, LegEvent::Answered { .. })).count();
        prop_assert!(answered <= 1, "{:?}", world.events);
    }
}
