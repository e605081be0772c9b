//! What time brings about, told to the second: retransmissions, lost ACKs, session timers. No clock runs here.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use expect_test::{Expect, expect};
use offhook_core::Timestamp;
use offhook_sandbox::exchange::{Exchange, Input, Output};
use offhook_sandbox::{CallKey, SandboxConfig};
use rand::SeedableRng;
use rand::rngs::StdRng;

fn addr(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// An exchange in virtual time, and the log of what it sends.
struct Line {
    exchange: Exchange,
    now: Timestamp,
    log: String,
    last: String,
}

impl Line {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut SandboxConfig)) -> Self {
        let mut config = SandboxConfig::new(Arc::new(|_| vec![8_000; 8_000]));
        change(&mut config);
        let exchange = Exchange::new(config, addr(5060), StdRng::seed_from_u64(1));
        Self { exchange, now: Timestamp::default(), log: String::new(), last: String::new() }
    }

    fn handle(&mut self, input: Input) {
        self.exchange.handle(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.exchange.poll() {
            match output {
                Output::Sip { bytes, .. } => {
                    let text = String::from_utf8(bytes).unwrap();
                    let start = text.lines().next().unwrap();
                    let start = if start.starts_with("SIP/") {
                        &start[8..]
                    } else {
                        start.split(' ').next().unwrap()
                    };
                    self.log += &format!("{:>8.3}s {start}\n", self.now.unix_micros() as f64 / 1e6);
                    self.last = text;
                }
                Output::BindMedia { call } => {
                    self.exchange.handle(self.now, Input::MediaBound { call, addr: addr(4000) });
                }
                Output::Render { text } => {
                    let clip = vec![8_000; 8_000].into();
                    self.exchange.handle(self.now, Input::Rendered { text: &text, clip });
                }
                _ => {}
            }
        }
    }

    fn send(&mut self, text: &str) {
        self.handle(Input::Sip { from: addr(6000), bytes: text.as_bytes() });
    }

    /// Lets time pass, deadline by deadline.
    fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(at) = self.exchange.deadline().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.handle(Input::Tick);
        }
        self.now = end;
    }

    fn seconds(&mut self, seconds: u64) {
        self.run(Duration::from_secs(seconds));
    }

    fn check(mut self, expected: Expect) {
        for violation in self.exchange.violations() {
            self.log += &format!("broken: {}: {}\n", violation.rule, violation.detail);
        }
        expected.assert_eq(&self.log);
    }
}

fn request(method: &str, uri: &str, to: &str, cseq: u32, branch: &str, headers: &str, body: &str) -> String {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:6000;rport;branch=z9hG4bK{branch}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:a@127.0.0.1>;tag=a\r\nTo: {to}\r\nCall-ID: c\r\nCSeq: {cseq} {method}\r\n\
         Contact: <sip:a@127.0.0.1:6000>\r\nAllow: INVITE\r\n{headers}{kind}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
    m=audio 6002 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\n";

fn invite(number: &str, headers: &str) -> String {
    request("INVITE", &format!("sip:{number}@127.0.0.1"), "<sip:x@127.0.0.1>", 1, "1", headers, OFFER)
}

/// A request inside the dialog that the last response made.
fn inside(line: &Line, method: &str, cseq: u32, branch: &str) -> String {
    let header = |name: &str| line.last.lines().find_map(|l| l.strip_prefix(name)).unwrap();
    let contact = header("Contact: ").trim_matches(['<', '>']);
    request(method, contact, header("To: "), cseq, branch, "", "")
}

#[test]
fn a_200_is_sent_until_its_ack_and_then_given_up() {
    let mut line = Line::new();
    line.send(&invite("0111", ""));
    line.seconds(40);
    line.check(expect![[r#"
           0.000s 100 Trying
           0.000s 180 Ringing
           1.000s 200 OK
           1.500s 200 OK
           2.500s 200 OK
           4.500s 200 OK
           8.500s 200 OK
          12.500s 200 OK
          16.500s 200 OK
          20.500s 200 OK
          24.500s 200 OK
          28.500s 200 OK
          32.500s 200 OK
          33.000s BYE
          33.500s BYE
          34.500s BYE
          36.500s BYE
        broken: ack.missing: no ACK for 200
    "#]]);
}

#[test]
fn a_200_with_an_ack_is_sent_once_and_a_late_bye_is_a_stranger() {
    let mut line = Line::new();
    line.send(&invite("0111", ""));
    line.seconds(1);
    let ack = inside(&line, "ACK", 1, "2");
    let bye = inside(&line, "BYE", 2, "3");
    line.send(&ack);
    line.seconds(5);
    line.send(&bye);
    line.seconds(1);
    // The BYE again is a retransmission; in a new transaction it is one BYE too many.
    line.send(&bye);
    line.seconds(40);
    line.send(&bye.replace("z9hG4bK3", "z9hG4bK4").replace("CSeq: 2", "CSeq: 3"));
    line.check(expect![[r#"
           0.000s 100 Trying
           0.000s 180 Ringing
           1.000s 200 OK
           6.000s 200 OK
           7.000s 200 OK
          47.000s 481 Call/Transaction Does Not Exist
        broken: dialog.unknown: a BYE of no dialog of ours
    "#]]);
}

#[test]
fn a_refusal_is_sent_until_its_ack() {
    let mut line = Line::new();
    line.send(&invite("0101", ""));
    line.seconds(60);
    line.check(expect![[r#"
           0.000s 100 Trying
           0.000s 486 Busy Here
           0.500s 486 Busy Here
           1.500s 486 Busy Here
           3.500s 486 Busy Here
           7.500s 486 Busy Here
          11.500s 486 Busy Here
          15.500s 486 Busy Here
          19.500s 486 Busy Here
          23.500s 486 Busy Here
          27.500s 486 Busy Here
          31.500s 486 Busy Here
        broken: ack.missing: no ACK for 486
    "#]]);
}

#[test]
fn a_ringing_phone_rings_on_every_minute() {
    let mut line = Line::new();
    line.send(&invite("0102", ""));
    line.seconds(700);
    line.check(expect![[r#"
           0.000s 100 Trying
           0.000s 180 Ringing
          55.000s 180 Ringing
         110.000s 180 Ringing
         165.000s 180 Ringing
         220.000s 180 Ringing
         275.000s 180 Ringing
         330.000s 180 Ringing
         385.000s 180 Ringing
         440.000s 180 Ringing
         495.000s 180 Ringing
         550.000s 180 Ringing
         600.000s 480 Temporarily Unavailable
         600.500s 480 Temporarily Unavailable
         601.500s 480 Temporarily Unavailable
         603.500s 480 Temporarily Unavailable
         607.500s 480 Temporarily Unavailable
         611.500s 480 Temporarily Unavailable
         615.500s 480 Temporarily Unavailable
         619.500s 480 Temporarily Unavailable
         623.500s 480 Temporarily Unavailable
         627.500s 480 Temporarily Unavailable
         631.500s 480 Temporarily Unavailable
        broken: ack.missing: no ACK for 480
    "#]]);
}

#[test]
fn a_session_that_is_not_refreshed_ends() {
    let mut line = Line::new();
    line.send(&invite("0111", "Supported: timer\r\nSession-Expires: 90;refresher=uac\r\n"));
    line.seconds(1);
    assert!(line.last.contains("Session-Expires: 90;refresher=uac\r\n"), "{}", line.last);
    assert!(line.last.contains("Require: timer\r\n"), "{}", line.last);
    let ack = inside(&line, "ACK", 1, "2");
    line.send(&ack);
    line.seconds(100);
    line.check(expect![[r#"
           0.000s 100 Trying
           0.000s 180 Ringing
           1.000s 200 OK
          91.000s BYE
          91.500s BYE
          92.500s BYE
          94.500s BYE
          98.500s BYE
        broken: session.expired: no refresh within 90 s
    "#]]);
}

#[test]
fn the_exchange_refreshes_where_it_is_asked_to() {
    let mut line = Line::new();
    line.send(&invite("0111", "Supported: timer\r\nSession-Expires: 90;refresher=uas\r\n"));
    line.seconds(1);
    let ack = inside(&line, "ACK", 1, "2");
    line.send(&ack);
    line.seconds(45);
    assert!(line.last.starts_with("INVITE "), "{}", line.last);
    assert!(line.last.contains("Session-Expires: 90;refresher=uac\r\n"), "{}", line.last);
}

#[test]
fn a_call_of_its_own_is_tried_for_32_seconds() {
    let mut line = Line::new();
    let key = line.exchange.place(line.now, addr(6000), "x", "+14155550100", &[]);
    assert_eq!(key, CallKey(1));
    line.drain();
    line.seconds(60);
    line.check(expect![[r#"
           0.000s INVITE
           0.500s INVITE
           1.500s INVITE
           3.500s INVITE
           7.500s INVITE
          15.500s INVITE
          31.500s INVITE
        broken: response.missing: no answer to our Invite
    "#]]);
}

#[test]
fn the_audio_of_a_call_is_a_packet_every_20_ms_without_a_hole() {
    let mut line = Line::new();
    line.send(&invite("0100", ""));
    line.run(Duration::from_millis(1_500));
    let ack = inside(&line, "ACK", 1, "2");
    line.send(&ack);
    let mut stamps = Vec::new();
    let end = line.now + Duration::from_secs(2);
    while let Some(at) = line.exchange.deadline().filter(|at| *at <= end) {
        line.now = line.now.max(at);
        line.exchange.handle(line.now, Input::Tick);
        while let Some(output) = line.exchange.poll() {
            if let Output::Rtp { bytes, .. } = output {
                let stamp = u32::from_be_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
                stamps.push((line.now, u16::from_be_bytes([bytes[2], bytes[3]]), stamp));
            }
        }
    }
    assert_eq!(stamps.len(), 100);
    for pair in stamps.windows(2) {
        assert_eq!(pair[1].0.since(pair[0].0), Duration::from_millis(20));
        assert_eq!(pair[1].1.wrapping_sub(pair[0].1), 1);
        assert_eq!(pair[1].2.wrapping_sub(pair[0].2), 160);
    }
}

#[test]
fn house_rules_can_be_left_at_home() {
    let mut line = Line::with(|config| config.house_rules = false);
    line.send(&invite("0101", "").replace(";rport", "").replace("Allow: INVITE\r\n", ""));
    assert_eq!(line.exchange.violations(), []);
}
