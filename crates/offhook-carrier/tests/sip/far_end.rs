//! A far end that says what the test tells it to, and the rig around it.

use std::net::SocketAddr;
use std::time::Duration;

use offhook_carrier::sip::{LineConfig, Listen, Server, Timing, Trunk};
use offhook_carrier::{Dial, IncomingCall, Leg, LegOutput, SipCarrier, SipConfig};
use offhook_core::policy::{Ask, Countries, Facts, Policy, PolicyConfig};
use offhook_core::{LegEvent, PhoneNumber, Timestamp};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::timeout;

pub const PATIENCE: Duration = Duration::from_secs(10);
pub const OUR_NUMBER: &str = "+14155550199";
pub const THEIR_NUMBER: &str = "+14155550100";

pub fn number(text: &str) -> PhoneNumber {
    PhoneNumber::parse(text).unwrap()
}

/// What the policy permits when it permits everything.
pub fn permitted(to: &str, from: Option<&str>) -> Dial {
    let config = PolicyConfig { countries: Countries::Any, sandbox: true, ..PolicyConfig::default() };
    let (to, from) = (number(to), from.map(number));
    let ask = Ask { line: from.as_ref(), ..Ask::outbound(&to) };
    let allow = Policy::new(config).decide(&ask, &Facts::default(), Timestamp::default());
    Dial::permitted(&allow.into_result().unwrap()).unwrap()
}

/// One message as it was on the wire.
#[derive(Clone, Debug)]
pub struct Seen {
    pub text: String,
    pub from: SocketAddr,
}

impl Seen {
    pub fn start_line(&self) -> &str {
        self.text.lines().next().unwrap_or("")
    }

    pub fn status(&self) -> u16 {
        self.start_line().split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).into_iter().next()
    }

    pub fn headers(&self, name: &str) -> Vec<&str> {
        let head = self.text.split("\r\n\r\n").next().unwrap_or("");
        let lines = head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.filter(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
    }

    #[track_caller]
    pub fn must(&self, name: &str) -> &str {
        self.header(name).unwrap_or_else(|| panic!("no {name} in\n{}", self.text))
    }

    pub fn body(&self) -> &str {
        self.text.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }

    pub fn tag(&self, header: &str) -> String {
        let value = self.must(header);
        value.split(";tag=").nth(1).unwrap_or("").split(';').next().unwrap_or("").to_owned()
    }

    pub fn seq(&self) -> u32 {
        self.must("CSeq").split(' ').next().unwrap().parse().unwrap()
    }

    pub fn branch(&self) -> &str {
        self.must("Via").split("branch=").nth(1).unwrap().split(';').next().unwrap()
    }

    /// A response to this request; `tag` goes into To where it has none.
    pub fn response(&self, status: &str, tag: &str, headers: &str, body: &str) -> String {
        let mut text = format!("SIP/2.0 {status}\r\n");
        for via in self.headers("Via") {
            text.push_str(&format!("Via: {via}\r\n"));
        }
        let to = self.must("To");
        let to =
            if to.contains("tag=") || tag.is_empty() { to.to_owned() } else { format!("{to};tag={tag}") };
        text.push_str(&format!(
            "From: {}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {}\r\n{headers}",
            self.must("From"),
            self.must("Call-ID"),
            self.must("CSeq"),
        ));
        if !body.is_empty() {
            text.push_str("Content-Type: application/sdp\r\n");
        }
        text.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        text
    }
}

pub struct FarEnd {
    pub socket: UdpSocket,
    pub addr: SocketAddr,
    /// Where its media would be.
    rtp: std::net::UdpSocket,
}

impl FarEnd {
    pub async fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let addr = socket.local_addr().unwrap();
        Self { socket, addr, rtp: std::net::UdpSocket::bind("127.0.0.1:0").unwrap() }
    }

    pub fn sdp(&self, direction: &str) -> String {
        let port = self.rtp.local_addr().unwrap().port();
        format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na={direction}\r\n"
        )
    }

    pub fn contact(&self) -> String {
        format!("Contact: <sip:far@{}>\r\n", self.addr)
    }

    pub async fn receive(&self) -> Seen {
        let mut buffer = vec![0; 65_536];
        let (length, from) =
            timeout(PATIENCE, self.socket.recv_from(&mut buffer)).await.expect("nothing arrived").unwrap();
        Seen { text: String::from_utf8(buffer[..length].to_vec()).unwrap(), from }
    }

    /// The next message that begins like this; retransmissions of others are let pass.
    pub async fn expect(&self, start: &str) -> Seen {
        let mut others = Vec::new();
        loop {
            let seen = match timeout(PATIENCE, self.receive()).await {
                Ok(seen) => seen,
                Err(_) => panic!("no {start}, only {others:?}"),
            };
            if seen.start_line().starts_with(start) {
                return seen;
            }
            others.push(seen.start_line().to_owned());
        }
    }

    /// Everything that is under way has come, and no such request was among it: a request of ours is answered last.
    pub async fn stays_without(&self, start: &str, carrier: SocketAddr) {
        let ping = self.request(
            "OPTIONS",
            "sip:ping@127.0.0.1",
            "<sip:far@127.0.0.1>;tag=ping",
            "<sip:ping@127.0.0.1>",
            "ping",
            1,
            "",
            "",
        );
        self.send(carrier, &ping).await;
        loop {
            let seen = self.receive().await;
            assert!(!seen.start_line().starts_with(start), "{}", seen.text);
            if seen.start_line().starts_with("SIP/2.0 ") && seen.must("Call-ID") == "ping" {
                return;
            }
        }
    }

    pub async fn send(&self, to: SocketAddr, text: &str) {
        self.socket.send_to(text.as_bytes(), to).await.unwrap();
    }

    pub async fn reply(&self, to: &Seen, status: &str, headers: &str, body: &str) {
        self.send(to.from, &to.response(status, "far", headers, body)).await;
    }

    /// 200 with a session description.
    pub async fn pick_up(&self, invite: &Seen, headers: &str) {
        let headers = format!("{}{headers}", self.contact());
        self.reply(invite, "200 OK", &headers, &self.sdp("sendrecv")).await;
    }

    /// A request inside the dialog of a call that was placed to us with this INVITE.
    pub fn in_dialog(&self, invite: &Seen, method: &str, seq: u32, headers: &str, body: &str) -> String {
        let target = invite.must("Contact").trim_matches(['<', '>']).to_owned();
        self.request(
            method,
            &target,
            &format!("{};tag=far", invite.must("To")),
            invite.must("From"),
            invite.must("Call-ID"),
            seq,
            headers,
            body,
        )
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of a request")]
    pub fn request(
        &self,
        method: &str,
        uri: &str,
        from: &str,
        to: &str,
        call_id: &str,
        seq: u32,
        headers: &str,
        body: &str,
    ) -> String {
        let branch = format!("z9hG4bK{call_id}{method}{seq}");
        let content = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {};branch={branch};rport\r\nMax-Forwards: 70\r\nFrom: {from}\r\nTo: {to}\r\n\
             Call-ID: {call_id}\r\nCSeq: {seq} {method}\r\n{headers}{content}Content-Length: {}\r\n\r\n{body}",
            self.addr,
            body.len()
        )
    }

    /// An INVITE of ours to a line of the carrier.
    pub fn invite(&self, to: &str, call_id: &str, headers: &str) -> String {
        let headers = format!("{}{headers}", self.contact());
        self.request(
            "INVITE",
            &format!("sip:{to}@127.0.0.1"),
            &format!("\"Anna\" <sip:{THEIR_NUMBER}@127.0.0.1>;tag=far"),
            &format!("<sip:{to}@127.0.0.1>"),
            call_id,
            1,
            &headers,
            &self.sdp("sendrecv"),
        )
    }
}

pub struct Rig {
    pub carrier: SipCarrier,
    pub incoming: mpsc::Receiver<IncomingCall>,
    pub far: FarEnd,
    /// Where the carrier listens.
    pub at: SocketAddr,
}

impl Rig {
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut SipConfig)) -> Self {
        let (far, config) = Self::prepared(change).await;
        Self::start(far, config).await
    }

    pub async fn prepared(change: impl FnOnce(&mut SipConfig)) -> (FarEnd, SipConfig) {
        let far = FarEnd::new().await;
        let server: Server = far.addr.to_string().parse().unwrap();
        let line = LineConfig {
            number: number(OUR_NUMBER),
            display_name: Some("Us".into()),
            trunk: "far".into(),
            max_calls: 4,
        };
        let listen = Listen::udp("127.0.0.1:0".parse().unwrap());
        let mut config = SipConfig::new(listen, Trunk::peer("far", server), vec![line]);
        config.timing = Timing { t1: Duration::from_millis(50) };
        change(&mut config);
        (far, config)
    }

    pub async fn start(far: FarEnd, config: SipConfig) -> Self {
        let (calls, incoming) = mpsc::channel(8);
        let carrier = SipCarrier::start(config, calls).await.unwrap();
        let at = carrier.listening()[0].1;
        Self { carrier, incoming, far, at }
    }

    pub fn dial(&self) -> Leg {
        self.carrier.dial(&permitted(THEIR_NUMBER, None)).unwrap()
    }

    /// A call that was placed and picked up.
    pub async fn live_call(&self) -> (Leg, Seen) {
        self.live_call_with("").await
    }

    pub async fn live_call_with(&self, headers: &str) -> (Leg, Seen) {
        let mut leg = self.dial();
        let invite = self.far.expect("INVITE").await;
        self.far.pick_up(&invite, headers).await;
        self.far.expect("ACK").await;
        assert!(matches!(event(&mut leg).await, LegEvent::MediaUp { .. }));
        assert!(matches!(event(&mut leg).await, LegEvent::Answered { .. }));
        (leg, invite)
    }

    pub async fn incoming(&mut self) -> IncomingCall {
        timeout(PATIENCE, self.incoming.recv()).await.expect("no call came in").unwrap()
    }

    pub fn busy_lines(&self) -> usize {
        self.carrier.lines().iter().map(|line| line.busy).sum()
    }

    /// The line is free again as soon as the far end has confirmed, not later.
    pub async fn until_free(&self) {
        timeout(PATIENCE, async {
            while self.busy_lines() > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("the line stays busy");
    }
}

/// The next event of a leg; its audio is let pass.
pub async fn event(leg: &mut Leg) -> LegEvent {
    timeout(PATIENCE, async {
        loop {
            if let LegOutput::Event(event) = leg.next().await {
                return event;
            }
        }
    })
    .await
    .expect("the leg has nothing to say")
}
