//! SIP over TCP and TLS: SIPp's TCP, OpenSSL's TLS.

use offhook_carrier::SipConfig;
use offhook_carrier::sip::{Listen, TlsIdentity, TlsTrust, Transport};
use offhook_core::{EndReason, LegEvent};
use offhook_testkit::programs::{Protocol, free_port};

use crate::rig::{HANG_UP, Rig, event, hang_up, rung_and_established};
use crate::sipp::Scenario;
use crate::tls::{self, Identity};

const ANY_PORT: std::net::SocketAddr =
    std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

fn address(rig: &Rig, transport: Transport) -> std::net::SocketAddr {
    rig.carrier.listening().iter().find(|(listening, _)| *listening == transport).unwrap().1
}

#[tokio::test]
async fn calls_over_tcp() {
    let sipp = Scenario::new("answer").over_tcp().answer().await;
    let server = format!("{};transport=tcp", sipp.addr);
    let mut rig = Rig::with(&server, |config| config.listen.push(Listen::tcp(ANY_PORT))).await;
    let mut leg = rig.dial();
    rung_and_established(&mut leg).await;
    leg.send(HANG_UP).unwrap();
    assert_eq!(event(&mut leg).await, LegEvent::Closed);
    sipp.finish().await;

    let caller = Scenario::new("caller_holds").over_tcp().call(address(&rig, Transport::Tcp));
    let mut leg = rig.answered().await;
    for expected in [LegEvent::Held, LegEvent::Resumed, LegEvent::Held, LegEvent::Resumed] {
        assert_eq!(event(&mut leg).await, expected);
    }
    hang_up(caller, &rig, leg).await;
}

#[tokio::test]
async fn a_call_over_tls() {
    let identity = Identity::new().await;
    let port = free_port(Protocol::Tcp);
    let sipp = Scenario::new("answer").over_tcp().reached_at(format!("localhost:{port};transport=tls"));
    let sipp = sipp.answer().await;
    let far = tls::server(&identity, port, sipp.addr).await;
    let rig = Rig::with(&format!("localhost:{};transport=tls", far.addr.port()), |config| {
        config.trunks[0].tls = TlsTrust::Roots { pem: identity.certificate_pem() };
    })
    .await;
    let mut leg = rig.dial();
    rung_and_established(&mut leg).await;
    hang_up(sipp, &rig, leg).await;
}

#[tokio::test]
async fn nobody_is_called_whose_certificate_is_not_trusted() {
    let (theirs, trusted) = (Identity::new().await, Identity::new().await);
    let port = free_port(Protocol::Tcp);
    let sipp = Scenario::new("answer").over_tcp().answer().await;
    let far = tls::server(&theirs, port, sipp.addr).await;
    let rig = Rig::with(&format!("localhost:{};transport=tls", far.addr.port()), |config| {
        config.trunks[0].tls = TlsTrust::Roots { pem: trusted.certificate_pem() };
    })
    .await;
    let mut leg = rig.dial();
    let LegEvent::Failed(failure) = event(&mut leg).await else { panic!() };
    assert_eq!(failure.reason, EndReason::CarrierUnreachable);
    rig.until_free().await;
}

#[tokio::test]
async fn a_call_comes_in_over_tls() {
    let identity = Identity::new().await;
    let ours =
        TlsIdentity { certificates_pem: identity.certificate_pem(), key_pem: identity.key_pem().into() };
    let listen = |config: &mut SipConfig| config.listen.push(Listen::tls(ANY_PORT, ours));
    let mut rig = Rig::with("127.0.0.1:9", listen).await;
    let us = address(&rig, Transport::Tls);
    let far = tls::client(&identity.certificate_file(), us).await;
    // Whatever SIPp's own address is: the connection is the way back.
    let caller = Scenario::new("call").over_tcp().call(far.addr);
    let leg = rig.answered().await;
    hang_up(caller, &rig, leg).await;
}
