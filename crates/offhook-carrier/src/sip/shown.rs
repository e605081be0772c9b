//! What `Debug` shows: no numbers, no names, no credentials, no keys. Whatever is logged, they are not in it.

use std::fmt::Debug;
use std::time::Instant;

use offhook_core::PhoneNumber;
use tokio::sync::mpsc;

use super::config::{Server, Trunk};
use super::dialog::Dialog;
use super::message::{Message, Request, Response};
use super::net::{Arrival, Flow};
use super::ticket::Ticket;
use super::transaction::Timing;
use super::uri::NameAddr;
use super::usage::{Cx, LocalSdp, Start, Usage};
use crate::LegOutput;
use crate::line::LinePool;
use crate::sip::leg::{Signal, Told};

const SECRETS: [&str; 6] = ["4155550100", "4155550199", "Mira", "hunter2", "Digest", "c2VjcmV0"];

const HEADERS: &str = "Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1\r\n\
    From: \"Mira\" <sip:+14155550100@a.example>;tag=them\r\nTo: <sip:+14155550199@a.example>;tag=us\r\n\
    Call-ID: id\r\nCSeq: 1 INVITE\r\nContact: \"Mira\" <sip:+14155550100@192.0.2.1>\r\n\
    P-Asserted-Identity: <tel:+14155550100>\r\nAuthorization: Digest username=\"+14155550199\", response=\"hunter2\"\r\n";
const SDP: &str = "v=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0\r\n";

fn message(start: &str) -> Message {
    let length = SDP.len();
    let text =
        format!("{start}\r\n{HEADERS}Content-Type: application/sdp\r\nContent-Length: {length}\r\n\r\n{SDP}");
    Message::parse(text.as_bytes()).unwrap()
}

fn request() -> Request {
    let Message::Request(request) = message("INVITE sip:+14155550199@a.example SIP/2.0") else { panic!() };
    request
}

fn response() -> Response {
    let Message::Response(response) = message("SIP/2.0 200 Mira") else { panic!() };
    response
}

#[track_caller]
fn check(shown: &dyn Debug, says: &str) {
    for text in [format!("{shown:?}"), format!("{shown:#?}")] {
        for secret in SECRETS {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        assert!(!text.contains(&format!("{:?}", &SDP.as_bytes()[..4])[1..12]), "bytes in {text}");
        assert!(text.contains(says), "{says} is not in {text}");
    }
}

fn usage() -> Usage {
    let (leg, heard) = mpsc::channel(1);
    drop(heard);
    let lines = LinePool::new([(PhoneNumber::parse("+14155550199").unwrap(), 1)].into_iter());
    let start = Start {
        trunk: 0,
        trunk_name: "far".into(),
        call_id: "id".into(),
        local_tag: "us".into(),
        timing: Timing::default(),
        leg,
        slot: lines.take(None, |_| true).unwrap(),
        session_wanted: None,
        local_sdp: LocalSdp(SDP.into()),
    };
    let flow = Flow::datagram(0, "192.0.2.1:5060".parse().unwrap());
    let mut cx = Cx { now: Instant::now(), out: &mut Vec::new() };
    Usage::incoming(&mut cx, start, 1, request(), "<sip:+14155550199@192.0.2.2>".into(), flow).unwrap()
}

#[test]
fn messages() {
    check(&request(), "1 INVITE");
    check(&response(), "200");
    check(&request().headers, "Call-ID");
    check(&NameAddr::parse(request().headers.first("From").unwrap()), "them");
    let flow = Flow::datagram(0, "192.0.2.1:5060".parse().unwrap());
    check(&Arrival::Message { flow, message: Message::Request(request()) }, "192.0.2.1");
}

#[test]
fn calls() {
    let dialog = Dialog::of_request(&request(), "us", "<sip:+14155550199@192.0.2.2>".into()).unwrap();
    check(&dialog, "them");
    check(&Ticket::dialog("far", None, &dialog), "far");
    let flow = Flow::datagram(0, "192.0.2.1:5060".parse().unwrap());
    check(&Ticket::pending("far", &flow, &request()), "far");
    check(&usage(), "Incoming");
}

#[test]
fn what_legs_and_signalling_tell_each_other() {
    check(&Told::Answer { sdp: SDP.into() }, "Answer");
    check(&Told::LocalAnswer { sdp: Some(SDP.into()) }, "LocalAnswer");
    let ticket = Ticket::pending("far", &Flow::datagram(0, "192.0.2.1:5060".parse().unwrap()), &request());
    let ticket = ticket.to_text().unwrap();
    assert!(ticket.contains("4155550100"), "it needs the numbers");
    check(&Signal::Ticket(ticket.clone()), "Ticket");
    check(&Signal::RemoteOffer(SDP.into()), "RemoteOffer");
    check(&Signal::RemoteAnswer(SDP.into()), "RemoteAnswer");
    check(&LegOutput::Ticket(ticket), "Ticket");
}

#[test]
fn accounts() {
    let server: Server = "a.example".parse().unwrap();
    let mut trunk = Trunk::peer("far", server);
    trunk.username = Some("+14155550199".into());
    trunk.auth_username = Some("Mira".into());
    trunk.password = Some("hunter2".to_owned().into());
    check(&trunk, "a.example");
}
