//! A telephone made of raw datagrams: what it sends is written out, so that each test can get one thing wrong.
#![allow(dead_code, reason = "each test uses its own part")]

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use offhook_sandbox::{CallRecord, Sandbox, SandboxConfig};
use tokio::net::UdpSocket;
use tokio::time::timeout;

/// Longer than anything here takes, even on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What a word takes to say.
pub const WORD_MS: u32 = 20;

/// A tone for each word.
pub fn config() -> SandboxConfig {
    let mut config = SandboxConfig::new(Arc::new(|text| {
        (0..text.split(' ').count() * WORD_MS as usize * 8)
            .map(|n| ((n as f32 * 0.4).sin() * 8_000.0) as i16)
            .collect()
    }));
    config.speed = 20.0;
    config.turn_end = Duration::from_millis(200);
    config
}

pub async fn exchange() -> Sandbox {
    Sandbox::start(config()).await.unwrap()
}

pub async fn until<T>(sandbox: &Sandbox, found: impl FnMut(&[CallRecord]) -> Option<T>) -> T {
    match timeout(PATIENCE, sandbox.until(found)).await {
        Ok(found) => found,
        Err(_) => panic!("not in time: {:#?} {:#?}", sandbox.calls(), sandbox.violations()),
    }
}

/// The one call of a test, when it is over.
pub async fn over(sandbox: &Sandbox) -> CallRecord {
    until(sandbox, |calls| calls.last().filter(|call| call.is_over()).cloned()).await
}

pub fn rules(sandbox: &Sandbox) -> Vec<&'static str> {
    sandbox.violations().iter().map(|violation| violation.rule).collect()
}

/// No rule was broken.
#[track_caller]
pub fn clean(sandbox: &Sandbox) {
    let violations: Vec<String> = sandbox.violations().iter().map(ToString::to_string).collect();
    assert!(violations.is_empty(), "{violations:#?}");
}

pub struct Phone {
    pub socket: UdpSocket,
    pub addr: SocketAddr,
    pub exchange: SocketAddr,
    pub call_id: String,
    pub number: String,
    pub cseq: u32,
    branches: u32,
    /// To as the exchange tagged it.
    pub to: String,
    /// Contact of the exchange.
    pub target: String,
    pub route: Option<String>,
    pub rtp: Arc<Rtp>,
}

impl Phone {
    pub async fn new(exchange: SocketAddr, number: &str) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let addr = socket.local_addr().unwrap();
        Self {
            socket,
            addr,
            exchange,
            call_id: format!("call-{}", addr.port()),
            number: number.to_owned(),
            cseq: 1,
            branches: 0,
            to: format!("<sip:{number}@{exchange}>"),
            target: format!("sip:{number}@{exchange}"),
            route: None,
            rtp: Rtp::start().await,
        }
    }

    pub fn sdp(&self) -> String {
        format!(
            "v=0\r\no=phone 10 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
             m=audio {} RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n\
             a=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n",
            self.rtp.addr.port()
        )
    }

    /// A new branch.
    pub fn branch(&mut self) -> String {
        self.branches += 1;
        format!("z9hG4bK{}.{}", self.addr.port(), self.branches)
    }

    pub fn request(&mut self, method: &str, body: &str) -> String {
        let branch = self.branch();
        self.request_with(method, &branch, body)
    }

    pub fn request_with(&self, method: &str, branch: &str, body: &str) -> String {
        let Self { target, addr, to, call_id, cseq, .. } = self;
        let route = self.route.as_ref().map(|route| format!("Route: {route}\r\n")).unwrap_or_default();
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {addr};branch={branch};rport\r\n{route}\
             Max-Forwards: 70\r\nFrom: \"Test\" <sip:+14155550001@{addr}>;tag=phone\r\nTo: {to}\r\n\
             Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\nContact: <sip:phone@{addr}>\r\n\
             Allow: INVITE, ACK, BYE, CANCEL\r\n{kind}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    pub fn invite(&mut self) -> String {
        let sdp = self.sdp();
        self.request("INVITE", &sdp)
    }

    pub async fn send(&self, text: &str) {
        self.socket.send_to(text.as_bytes(), self.exchange).await.unwrap();
    }

    /// The next datagram.
    pub async fn receive(&self) -> String {
        let mut bytes = [0; 4_096];
        let received =
            timeout(PATIENCE, self.socket.recv_from(&mut bytes)).await.expect("nothing came").unwrap();
        String::from_utf8(bytes[..received.0].to_vec()).unwrap()
    }

    /// The next datagram whose start line holds `what`; provisional responses and the like are passed over.
    pub async fn expect(&self, what: &str) -> String {
        loop {
            let text = self.receive().await;
            let start = text.lines().next().unwrap();
            if start.contains(what) {
                return text;
            }
            assert!(start.starts_with("SIP/2.0 1"), "expected {what}, got {text}");
        }
    }

    /// Sends and returns the final answer.
    pub async fn ask(&self, text: &str) -> String {
        self.send(text).await;
        loop {
            let text = self.receive().await;
            if !text.starts_with("SIP/2.0 1") {
                return text;
            }
        }
    }

    /// Takes the dialog from a response.
    pub fn learn(&mut self, response: &str) {
        self.to = header(response, "To").to_owned();
        if let Some(contact) = response.lines().find_map(|line| line.strip_prefix("Contact: <")) {
            self.target = contact.split('>').next().unwrap().to_owned();
        }
        self.route = response.lines().find_map(|line| line.strip_prefix("Record-Route: ")).map(str::to_owned);
        let port = |line: &str| line.strip_prefix("m=audio ")?.split(' ').next()?.parse().ok();
        if let Some(port) = response.lines().find_map(port) {
            *self.rtp.to.lock().unwrap() = Some(SocketAddr::from(([127, 0, 0, 1], port)));
        }
    }

    /// Calls, and acknowledges the answer.
    pub async fn dial(&mut self) -> String {
        let invite = self.invite();
        self.send(&invite).await;
        let answer = self.expect(" 200 ").await;
        self.learn(&answer);
        let ack = self.request("ACK", "");
        self.send(&ack).await;
        answer
    }

    /// Waits until the exchange has read all that was sent, shown by an answer to one thing more.
    pub async fn heard_out(&mut self) {
        let options = self.request("OPTIONS", "");
        let options = options.replace(&format!("To: {}", self.to), "To: <sip:exchange@localhost>");
        self.send(&options.replace(" OPTIONS\r\n", "9 OPTIONS\r\n")).await;
        while !self.receive().await.contains("9 OPTIONS") {}
    }

    pub async fn hang_up(&mut self) {
        self.cseq += 1;
        let bye = self.request("BYE", "");
        let answer = self.ask(&bye).await;
        assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
    }

    /// Waits for the exchange's BYE and answers it.
    pub async fn hung_up(&self) {
        let bye = self.expect("BYE ").await;
        self.reply(&bye, "200 OK", "", "").await;
    }

    /// Answers a request of the exchange.
    pub async fn reply(&self, request: &str, status: &str, headers: &str, body: &str) {
        let text = reply(request, status, headers, body);
        self.send(&text).await;
    }
}

pub fn header<'a>(message: &'a str, name: &str) -> &'a str {
    let value = message.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    value.unwrap_or_else(|| panic!("no {name} in {message}"))
}

pub fn reply(request: &str, status: &str, headers: &str, body: &str) -> String {
    let to = header(request, "To");
    let tag = if to.contains(";tag=") { "" } else { ";tag=phone" };
    format!(
        "SIP/2.0 {status}\r\nVia: {}\r\nFrom: {}\r\nTo: {to}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\n{headers}\
         Content-Length: {}\r\n\r\n{body}",
        header(request, "Via"),
        header(request, "From"),
        header(request, "Call-ID"),
        header(request, "CSeq"),
        body.len()
    )
}

/// Sends a packet every 20 ms once it knows where to, and listens.
pub struct Rtp {
    pub addr: SocketAddr,
    pub to: Mutex<Option<SocketAddr>>,
    queue: Mutex<VecDeque<Queued>>,
    pub packets: AtomicU32,
    pub loud: AtomicU32,
    pub keys: Mutex<Vec<u8>>,
    socket: Arc<UdpSocket>,
}

enum Queued {
    Tone,
    Event { code: u8, duration: u16, end: bool, first: bool },
}

impl Rtp {
    async fn start() -> Arc<Self> {
        let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let rtp = Arc::new(Self {
            addr: socket.local_addr().unwrap(),
            to: Mutex::default(),
            queue: Mutex::default(),
            packets: AtomicU32::new(0),
            loud: AtomicU32::new(0),
            keys: Mutex::default(),
            socket: Arc::clone(&socket),
        });
        tokio::spawn(run(Arc::downgrade(&rtp), socket));
        rtp
    }

    pub fn say(&self, ms: usize) {
        self.queue.lock().unwrap().extend((0..ms / 20).map(|_| Queued::Tone));
    }

    pub fn press(&self, key: char) {
        let code = "0123456789*#".find(key).unwrap() as u8;
        let event = |n: u16| Queued::Event { code, duration: 160 * n.min(5), end: n >= 5, first: n == 1 };
        self.queue.lock().unwrap().extend((1..=7).map(event));
    }

    /// A packet out of turn, from the phone's own port.
    pub async fn send_raw(&self, to: SocketAddr, packet: &[u8]) {
        self.socket.send_to(packet, to).await.unwrap();
    }

    pub fn heard_ms(&self) -> u32 {
        self.loud.load(Ordering::Relaxed) * 20
    }

    fn listen(&self, packet: &[u8]) {
        self.packets.fetch_add(1, Ordering::Relaxed);
        match packet[1] & 0x7f {
            101 if packet[1] & 0x80 != 0 => self.keys.lock().unwrap().push(packet[12]),
            0 if packet[12..].iter().any(|byte| *byte & 0x7f < 0x40) => {
                self.loud.fetch_add(1, Ordering::Relaxed);
            }
            _ => {}
        }
    }
}

async fn run(rtp: std::sync::Weak<Rtp>, socket: Arc<UdpSocket>) {
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    let (mut sequence, mut timestamp, mut event_started) = (0u16, 0u32, 0u32);
    let mut bytes = [0; 2_048];
    loop {
        tokio::select! {
            received = socket.recv_from(&mut bytes) => {
                let Some(rtp) = rtp.upgrade() else { return };
                if let Ok((len, _)) = received {
                    rtp.listen(&bytes[..len]);
                }
            }
            _ = tick.tick() => {
                let Some(rtp) = rtp.upgrade() else { return };
                let Some(to) = *rtp.to.lock().unwrap() else { continue };
                let queued = rtp.queue.lock().unwrap().pop_front();
                let (kind, at, payload) = match queued {
                    Some(Queued::Event { code, duration, end, first }) => {
                        if first {
                            event_started = timestamp;
                        }
                        let flags = u8::from(end) << 7 | 10;
                        let [d0, d1] = duration.to_be_bytes();
                        (u8::from(first) << 7 | 101, event_started, vec![code, flags, d0, d1])
                    }
                    Some(Queued::Tone) => (0, timestamp, (0..160).map(|n| if n % 16 < 8 { 0x20 } else { 0xa0 }).collect()),
                    None => (0, timestamp, vec![0xff; 160]),
                };
                let mut packet = vec![0x80, if sequence == 0 { kind | 0x80 } else { kind }];
                packet.extend(sequence.to_be_bytes());
                packet.extend(at.to_be_bytes());
                packet.extend([0, 0, 0, 7]);
                packet.extend(payload);
                let _ = socket.send_to(&packet, to).await;
                sequence = sequence.wrapping_add(1);
                timestamp = timestamp.wrapping_add(160);
            }
        }
    }
}
