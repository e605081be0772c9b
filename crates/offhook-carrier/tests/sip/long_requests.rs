//! Requests that are too long for a datagram (RFC 3261 §18.1.1).

use std::net::SocketAddr;

use offhook_carrier::{SipConfig, SrtpPolicy};
use offhook_core::{EndReason, LegCommand, LegEvent};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::far_end::{PATIENCE, Rig, Seen, event};

const LIMIT: usize = 1_300;
const HANG_UP: LegCommand = LegCommand::HangUp { reason: EndReason::OwnerCancelled };

/// The name of the line makes the INVITE long, as routes and tokens of real networks do.
fn with_long_name(config: &mut SipConfig) {
    config.lines[0].display_name = Some("A very long name ".repeat(40));
}

/// A far end that can be reached by TCP at the address where it takes datagrams.
async fn with_stream(change: impl FnOnce(&mut SipConfig)) -> (Rig, TcpListener) {
    let (far, config) = Rig::prepared(change).await;
    let listener = TcpListener::bind(far.addr).await.expect("the same port for TCP");
    (Rig::start(far, config).await, listener)
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    timeout(PATIENCE, listener.accept()).await.expect("nobody connects").unwrap()
}

async fn read(stream: &mut TcpStream, from: SocketAddr) -> Seen {
    let mut text = String::new();
    timeout(PATIENCE, async {
        loop {
            let mut buffer = [0; 4_096];
            let length = stream.read(&mut buffer).await.unwrap();
            assert!(length > 0, "closed after {text}");
            text.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
            let seen = Seen { text: text.clone(), from };
            let whole = text.split_once("\r\n\r\n").map(|(_, body)| body.len());
            if whole.is_some_and(|have| have.to_string() == seen.must("Content-Length")) {
                return seen;
            }
        }
    })
    .await
    .expect("nothing came")
}

#[tokio::test]
async fn an_ordinary_invite_fits_into_a_datagram_unless_it_has_keys_and_credentials() {
    for (srtp, fits_with_credentials) in
        [(SrtpPolicy::Off, true), (SrtpPolicy::Required, false), (SrtpPolicy::Optional, false)]
    {
        let rig = Rig::with(|config| {
            let trunk = &mut config.trunks[0];
            trunk.username = Some("+14155550199".into());
            trunk.password = Some("secret".to_owned().into());
            trunk.srtp = srtp;
            config.lines[0].display_name = Some("Harbour Cycles".into());
        })
        .await;
        let _leg = rig.dial();
        let invite = rig.far.expect("INVITE").await;
        let challenge = "Proxy-Authenticate: Digest realm=\"sip.example.com\", \
             nonce=\"0123456789abcdef0123456789abcdef\", algorithm=MD5, qop=\"auth\"\r\n";
        rig.far.reply(&invite, "407 Who", challenge, "").await;
        rig.far.expect("ACK").await;
        let again = rig.far.expect("INVITE").await;
        again.must("Proxy-Authorization");
        assert!(invite.text.len() <= LIMIT, "{srtp:?} {} bytes:\n{}", invite.text.len(), invite.text);
        assert_eq!(again.text.len() <= LIMIT, fits_with_credentials, "{srtp:?} {} bytes", again.text.len());
    }
}

#[tokio::test]
async fn a_long_invite_goes_by_tcp_and_its_dialog_stays_there() {
    let (rig, listener) = with_stream(with_long_name).await;
    let mut leg = rig.dial();
    let (mut stream, from) = accept(&listener).await;
    let invite = read(&mut stream, from).await;
    assert!(invite.text.len() > LIMIT);
    assert!(invite.must("Via").starts_with("SIP/2.0/TCP "), "{}", invite.must("Via"));
    assert_eq!(invite.must("Contact").matches("transport").count(), 0, "we can be called by datagrams only");
    assert!(invite.must("Contact").contains(&rig.at.to_string()));
    let answer = invite.response("200 OK", "far", &rig.far.contact(), &rig.far.sdp("sendrecv"));
    stream.write_all(answer.as_bytes()).await.unwrap();
    assert!(read(&mut stream, from).await.start_line().starts_with("ACK "));
    assert!(matches!(event(&mut leg).await, LegEvent::MediaUp { .. }));
    assert!(matches!(event(&mut leg).await, LegEvent::Answered { .. }));
    leg.send(HANG_UP).unwrap();
    let bye = read(&mut stream, from).await;
    stream.write_all(bye.response("200 OK", "far", "", "").as_bytes()).await.unwrap();
    assert_eq!(event(&mut leg).await, LegEvent::Closed);
}

#[tokio::test]
async fn where_tcp_is_refused_a_long_invite_goes_in_a_datagram_once() {
    let rig = Rig::with(with_long_name).await;
    for _ in 0..2 {
        let mut leg = rig.dial();
        let invite = rig.far.expect("INVITE").await;
        assert!(invite.text.len() > LIMIT && invite.must("Via").starts_with("SIP/2.0/UDP "));
        assert_eq!(invite.seq(), 1);
        rig.far.reply(&invite, "486 Busy Here", "", "").await;
        let LegEvent::Failed(failure) = event(&mut leg).await else { panic!() };
        assert_eq!(failure.reason, EndReason::RemoteBusy);
        rig.far.expect("ACK").await;
    }
}

#[tokio::test]
async fn a_trunk_that_is_said_to_speak_udp_gets_datagrams_however_long() {
    let (rig, listener) = with_stream(|config| {
        with_long_name(config);
        config.trunks[0].server.transport = Some(offhook_carrier::sip::Transport::Udp);
    })
    .await;
    let _leg = rig.dial();
    let invite = rig.far.expect("INVITE").await;
    assert!(invite.text.len() > LIMIT);
    let connected = std::future::poll_fn(|cx| std::task::Poll::Ready(listener.poll_accept(cx).is_ready()));
    assert!(!connected.await, "nobody connected");
}

#[tokio::test]
async fn credentials_that_make_an_invite_too_long_take_it_to_tcp() {
    let (rig, listener) = with_stream(|config| {
        let trunk = &mut config.trunks[0];
        trunk.username = Some("user".into());
        trunk.password = Some("secret".to_owned().into());
        trunk.srtp = SrtpPolicy::Off;
    })
    .await;
    let mut leg = rig.dial();
    let first = rig.far.expect("INVITE").await;
    assert!(first.text.len() < LIMIT);
    let nonce = "0123456789abcdef".repeat(30);
    let challenge = format!("Proxy-Authenticate: Digest realm=\"far\", nonce=\"{nonce}\"\r\n");
    rig.far.reply(&first, "407 Who", &challenge, "").await;
    let (mut stream, from) = accept(&listener).await;
    let invite = read(&mut stream, from).await;
    assert!(invite.must("Proxy-Authorization").contains(&nonce));
    assert_eq!((invite.seq(), invite.must("Call-ID")), (2, first.must("Call-ID")));
    stream.write_all(invite.response("486 Busy Here", "far", "", "").as_bytes()).await.unwrap();
    let LegEvent::Failed(failure) = event(&mut leg).await else { panic!() };
    assert_eq!(failure.reason, EndReason::RemoteBusy);
}
