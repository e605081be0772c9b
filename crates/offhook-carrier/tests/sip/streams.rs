//! SIP over TCP and TLS: one carrier calls another, and one calls a socket.

use std::net::SocketAddr;
use std::time::Duration;

use offhook_carrier::sip::{
    Inbound, LineConfig, Listen, Server, Timing, TlsIdentity, TlsTrust, Transport, Trunk,
};
use offhook_carrier::{IncomingCall, Leg, LegOutput, SipCarrier, SipConfig, SrtpPolicy, TrunkReply};
use offhook_core::{AudioFormat, Digit, EndReason, Frame, LegCommand, LegEvent};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::far_end::{OUR_NUMBER, PATIENCE, Seen, THEIR_NUMBER, event, number, permitted};

const CERTIFICATE: &[u8] = include_bytes!("tls/certificate.pem");
const KEY: &str = include_str!("tls/key.pem");
const HANG_UP: LegCommand = LegCommand::HangUp { reason: EndReason::OwnerCancelled };

fn listen(transport: Transport) -> Listen {
    let addr = "127.0.0.1:0".parse().unwrap();
    match transport {
        Transport::Udp => Listen::udp(addr),
        Transport::Tcp => Listen::tcp(addr),
        Transport::Tls => {
            let identity =
                TlsIdentity { certificates_pem: CERTIFICATE.to_vec(), key_pem: KEY.to_owned().into() };
            Listen::tls(addr, identity)
        }
    }
}

async fn carrier(
    transport: Transport,
    line: &str,
    server: &str,
    trust: TlsTrust,
) -> (SipCarrier, mpsc::Receiver<IncomingCall>) {
    carrier_with(transport, line, server, trust, |_| {}).await
}

async fn carrier_with(
    transport: Transport,
    line: &str,
    server: &str,
    trust: TlsTrust,
    change: impl FnOnce(&mut SipConfig),
) -> (SipCarrier, mpsc::Receiver<IncomingCall>) {
    let mut trunk = Trunk::peer("far", server.parse::<Server>().unwrap());
    trunk.tls = trust;
    let line = LineConfig { number: number(line), display_name: None, trunk: "far".into(), max_calls: 4 };
    let mut config = SipConfig::new(listen(transport), trunk, vec![line]);
    config.timing = Timing { t1: Duration::from_millis(50) };
    config.inbound = Inbound::Anybody;
    change(&mut config);
    let (calls, incoming) = mpsc::channel(4);
    (SipCarrier::start(config, calls).await.unwrap(), incoming)
}

fn address(carrier: &SipCarrier) -> SocketAddr {
    carrier.listening()[0].1
}

fn dial(carrier: &SipCarrier) -> Leg {
    carrier.dial(&permitted(THEIR_NUMBER, None)).unwrap()
}

async fn call_between(transport: Transport, name: &str, trust: TlsTrust) {
    let (theirs, mut incoming) = carrier(transport, THEIR_NUMBER, "127.0.0.1", TlsTrust::System).await;
    let port = address(&theirs).port();
    let (ours, _incoming) =
        carrier(transport, OUR_NUMBER, &format!("localhost:{port};transport={name}"), trust).await;
    for we_hang_up in [true, false] {
        let mut caller = dial(&ours);
        let mut callee = timeout(PATIENCE, incoming.recv()).await.expect("no call came in").unwrap().leg;
        assert!(matches!(event(&mut caller).await, LegEvent::Ringing { .. }));
        callee.send(LegCommand::Answer).unwrap();
        for leg in [&mut caller, &mut callee] {
            assert!(matches!(event(leg).await, LegEvent::MediaUp { .. }));
            assert!(matches!(event(leg).await, LegEvent::Answered { .. }));
        }
        let (first, second) =
            if we_hang_up { (&mut caller, &mut callee) } else { (&mut callee, &mut caller) };
        first.send(HANG_UP).unwrap();
        assert_eq!(event(second).await, LegEvent::HungUp { q850_cause: Some(16) });
        assert_eq!(event(first).await, LegEvent::Closed);
    }
}

#[tokio::test]
async fn audio_and_keys_go_both_ways_encrypted_where_it_is_required() {
    for srtp in [SrtpPolicy::Off, SrtpPolicy::Required] {
        let with = |config: &mut SipConfig| config.trunks[0].srtp = srtp;
        let (theirs, mut incoming) =
            carrier_with(Transport::Udp, THEIR_NUMBER, "127.0.0.1", TlsTrust::System, with).await;
        let server = address(&theirs).to_string();
        let (ours, _none) = carrier_with(Transport::Udp, OUR_NUMBER, &server, TlsTrust::System, with).await;
        let mut caller = dial(&ours);
        let mut callee = timeout(PATIENCE, incoming.recv()).await.expect("no call came in").unwrap().leg;
        assert!(matches!(event(&mut caller).await, LegEvent::Ringing { .. }));
        callee.send(LegCommand::Answer).unwrap();
        let (format, encrypted) = (AudioFormat::Pcmu, srtp == SrtpPolicy::Required);
        for leg in [&mut caller, &mut callee] {
            assert_eq!(event(leg).await, LegEvent::MediaUp { format, encrypted });
            assert!(matches!(event(leg).await, LegEvent::Answered { .. }));
        }
        let spoken = Frame::from_bytes(format, &[0x2a; 160]).unwrap();
        for the_caller_speaks in [true, false] {
            let (speaker, listener) = match the_caller_speaks {
                true => (&mut caller, &mut callee),
                false => (&mut callee, &mut caller),
            };
            for _ in 0..5 {
                speaker.play(&spoken);
            }
            assert_eq!(heard(listener).await, spoken);
        }
        caller.send(LegCommand::SendDigits("5".into())).unwrap();
        let (sent, pressed) = tokio::join!(event(&mut caller), event(&mut callee));
        assert_eq!((sent, pressed), (LegEvent::DigitsSent, LegEvent::Digit(Digit::from_char('5').unwrap())));
        assert!(caller.media_stats().sent_frames >= 5);
    }
}

/// The next frame that is not silence.
async fn heard(leg: &mut Leg) -> Frame {
    timeout(PATIENCE, async {
        loop {
            match leg.next().await {
                LegOutput::Audio(frame) if frame.bytes().iter().any(|byte| *byte != 0xff) => return frame,
                _ => {}
            }
        }
    })
    .await
    .expect("nothing is heard")
}

#[tokio::test]
async fn calls_over_tcp() {
    call_between(Transport::Tcp, "tcp", TlsTrust::System).await;
}

#[tokio::test]
async fn calls_over_tls() {
    call_between(Transport::Tls, "tls", TlsTrust::Roots { pem: CERTIFICATE.to_vec() }).await;
}

#[tokio::test]
async fn calls_over_tls_to_anybody() {
    call_between(Transport::Tls, "tls", TlsTrust::Insecure).await;
}

#[tokio::test]
async fn calls_over_udp_by_name() {
    call_between(Transport::Udp, "udp", TlsTrust::System).await;
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_no_carrier() {
    let (theirs, _incoming) = carrier(Transport::Tls, THEIR_NUMBER, "127.0.0.1", TlsTrust::System).await;
    let server = format!("localhost:{};transport=tls", address(&theirs).port());
    let (ours, _none) = carrier(Transport::Tls, OUR_NUMBER, &server, TlsTrust::System).await;
    let LegEvent::Failed(failure) = event(&mut dial(&ours)).await else { panic!() };
    assert_eq!(failure.reason, EndReason::CarrierUnreachable, "nothing was sent: {}", failure.detail);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable_at_once() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (ours, _none) =
        carrier(Transport::Tcp, OUR_NUMBER, &format!("{free};transport=tcp"), TlsTrust::System).await;
    let LegEvent::Failed(failure) = event(&mut dial(&ours)).await else { panic!() };
    assert_eq!(failure.reason, EndReason::CarrierUnreachable);
    let check = ours.check().await;
    assert!(matches!(check.trunks[0].reply, TrunkReply::Unreachable { .. }));
    assert!(check.trunks[0].advice.is_some());
}

/// The next message on a stream that carries no bodies or known ones.
async fn read(stream: &mut TcpStream) -> Seen {
    let mut text = Vec::new();
    timeout(PATIENCE, async {
        while !text.ends_with(b"\r\n\r\n") {
            text.push(stream.read_u8().await.unwrap());
        }
        let seen = String::from_utf8(text.clone()).unwrap();
        let length =
            seen.split("Content-Length: ").nth(1).unwrap().split("\r\n").next().unwrap().parse().unwrap();
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.unwrap();
        text.extend(body);
    })
    .await
    .expect("nothing arrived");
    Seen { text: String::from_utf8(text).unwrap(), from: stream.peer_addr().unwrap() }
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_invite_leaves_the_call_uncertain() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("{};transport=tcp", listener.local_addr().unwrap());
    let (ours, _none) = carrier(Transport::Tcp, OUR_NUMBER, &server, TlsTrust::System).await;
    let mut leg = dial(&ours);
    let (mut stream, _) = listener.accept().await.unwrap();
    assert!(read(&mut stream).await.start_line().starts_with("INVITE"));
    drop(stream);
    let LegEvent::Failed(failure) = event(&mut leg).await else { panic!() };
    assert_eq!(failure.reason, EndReason::CarrierUncertain);
}

#[tokio::test]
async fn a_bye_finds_its_way_after_the_connection_broke() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let (ours, _none) =
        carrier(Transport::Tcp, OUR_NUMBER, &format!("{at};transport=tcp"), TlsTrust::System).await;
    let mut leg = dial(&ours);
    let (mut stream, _) = listener.accept().await.unwrap();
    let invite = read(&mut stream).await;
    let sdp =
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n";
    let ok = invite.response("200 OK", "far", &format!("Contact: <sip:far@{at};transport=tcp>\r\n"), sdp);
    stream.write_all(ok.as_bytes()).await.unwrap();
    assert!(read(&mut stream).await.start_line().starts_with("ACK"));
    assert!(matches!(event(&mut leg).await, LegEvent::MediaUp { .. }));
    assert!(matches!(event(&mut leg).await, LegEvent::Answered { .. }));
    drop(stream);
    leg.send(HANG_UP).unwrap();
    let (mut stream, _) = timeout(PATIENCE, listener.accept()).await.expect("no new connection").unwrap();
    let bye = read(&mut stream).await;
    assert!(bye.start_line().starts_with("BYE"));
    stream.write_all(bye.response("200 OK", "", "", "").as_bytes()).await.unwrap();
    assert_eq!(event(&mut leg).await, LegEvent::Closed);
}

#[tokio::test]
async fn a_ping_on_a_stream_is_answered() {
    let (ours, _none) = carrier(Transport::Tcp, OUR_NUMBER, "127.0.0.1", TlsTrust::System).await;
    let mut stream = TcpStream::connect(address(&ours)).await.unwrap();
    stream.write_all(b"\r\n\r\n").await.unwrap();
    let mut pong = [0; 2];
    timeout(PATIENCE, stream.read_exact(&mut pong)).await.expect("no pong").unwrap();
    assert_eq!(&pong, b"\r\n");
}

const OPTIONS: &str = "OPTIONS sip:us@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bKlast\r\n\
     From: <sip:far@127.0.0.1>;tag=far\r\nTo: <sip:us@127.0.0.1>\r\nCall-ID: last\r\nCSeq: 1 OPTIONS\r\n\
     Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n";

#[tokio::test]
async fn who_says_its_last_word_still_hears_the_answer() {
    let (ours, _none) = carrier(Transport::Tcp, OUR_NUMBER, "127.0.0.1", TlsTrust::System).await;
    for _ in 0..20 {
        let mut stream = TcpStream::connect(address(&ours)).await.unwrap();
        stream.write_all(OPTIONS.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = String::new();
        timeout(PATIENCE, stream.read_to_string(&mut answer)).await.expect("it stays open").unwrap();
        assert!(answer.starts_with("SIP/2.0 200 "), "{answer:?}");
    }
}

async fn is_served(stream: &mut TcpStream) -> bool {
    let mut pong = [0; 2];
    let asked = stream.write_all(b"\r\n\r\n").await;
    asked.is_ok() && timeout(PATIENCE, stream.read_exact(&mut pong)).await.expect("no pong").is_ok()
}

/// A connection from that address of this machine.
async fn connect_from(from: &str, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(from.parse().unwrap(), 0)).unwrap();
    timeout(PATIENCE, socket.connect(to)).await.expect("no connection").unwrap()
}

/// A carrier that takes connections at 127.0.0.1, and whose trunk is somewhere else.
async fn among_strangers(inbound: Inbound, trunk: &str) -> (SipCarrier, mpsc::Receiver<IncomingCall>) {
    let with = |config: &mut SipConfig| config.inbound = inbound;
    carrier_with(Transport::Tcp, OUR_NUMBER, trunk, TlsTrust::System, with).await
}

#[tokio::test]
async fn strangers_hold_a_few_connections_and_the_trunk_gets_one_all_the_same() {
    let trunks = || Inbound::Trunks { also: Vec::new() };
    for (inbound, places) in [(Inbound::Anybody, 128), (trunks(), 8), (Inbound::Nobody, 8)] {
        let (ours, _none) = among_strangers(inbound, "127.0.0.2").await;
        let mut strangers = Vec::new();
        for _ in 0..places {
            strangers.push(connect_from("127.0.0.1", address(&ours)).await);
            assert!(is_served(strangers.last_mut().unwrap()).await);
        }
        assert!(!is_served(&mut connect_from("127.0.0.1", address(&ours)).await).await, "one too many");
        assert!(is_served(&mut connect_from("127.0.0.2", address(&ours)).await).await, "the trunk");
        // Who goes makes room.
        let gone = strangers.pop().unwrap();
        drop(gone);
        timeout(PATIENCE, async {
            while !is_served(&mut connect_from("127.0.0.1", address(&ours)).await).await {}
        })
        .await
        .expect("its place stays taken");
    }
}

#[tokio::test]
async fn a_stranger_that_says_nothing_is_hung_up_on_soon() {
    for (trunk, inbound, stays_s) in [
        ("127.0.0.2", Inbound::Nobody, 30),
        ("127.0.0.2", Inbound::Anybody, 30),
        ("127.0.0.1", Inbound::Nobody, 600),
    ] {
        let (ours, _none) = among_strangers(inbound, trunk).await;
        let mut stream = TcpStream::connect(address(&ours)).await.unwrap();
        assert!(is_served(&mut stream).await);
        for (passes_s, stays) in [(stays_s - 2, true), (stays_s + 2, false)] {
            tokio::time::pause();
            tokio::time::advance(Duration::from_secs(passes_s)).await;
            tokio::time::resume();
            assert_eq!(is_served(&mut stream).await, stays, "after {passes_s} s of {stays_s} s");
        }
    }
}
