//! What the doctor finds at the doors.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use offhook::config::Config;
use offhook::doctor::{Finding, examine};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::rig::setup;
use crate::acs::rig::{AcsRig, CALLEE};

/// Reached where the doors listen, without anything between.
fn reached_directly(config: &mut Config) {
    let acs = config.acs.as_mut().unwrap();
    acs.public_url = Some(format!("http://{}", acs.listen));
    acs.callbacks.audience = None;
}

async fn findings(rig: &AcsRig) -> Vec<Finding> {
    let mut config = rig.config.clone();
    config.listen = rig.app.addr();
    examine(config).await
}

fn state<'a>(findings: &'a [Finding], name: &str) -> &'a str {
    let found = findings.iter().find(|finding| finding.name == name);
    &found.unwrap_or_else(|| panic!("nothing is said of {name}: {findings:#?}")).state
}

#[tokio::test]
async fn a_running_line_is_tried_from_outside() {
    let rig = setup().change(reached_directly).start().await;
    let found = findings(&rig).await;
    for (name, expected) in [
        ("trunk", "reachable"),
        // It leads to us; but the service would not take an address without TLS.
        ("ACS address", "not_https"),
        ("ACS audio", "ok"),
        ("ACS probes", "refused"),
        ("ACS keys", "ok"),
        ("ACS audience", "not_learned"),
    ] {
        assert_eq!(state(&found, name), expected, "{name}: {found:#?}");
    }
    assert!(found.iter().all(|finding| finding.name != "ACS tokens"));
    assert!(found.iter().all(|finding| finding.ok == finding.todo.is_empty()), "{found:#?}");
    let (call, person) = rig.connected(&rig.owner(), CALLEE).await;
    assert_eq!(state(&findings(&rig).await, "ACS audience"), "learned");
    person.hang_up();
    call.over().await;
    rig.stop().await;
}

#[tokio::test]
async fn a_line_that_is_answered_wants_a_subscription() {
    let rig = setup().tables("[inbound]\ninstructions = \"Ask what it is about.\"\n").start().await;
    for expected in ["not_told", "told"] {
        let ready = rig.admin().await.get("/readyz").await;
        assert_eq!(ready.status, 200, "calls can be placed all the same");
        let ready = ready.json();
        let checks = ready["checks"].as_array().unwrap();
        let check = checks.iter().find(|check| check["name"] == "ACS incoming").unwrap();
        assert_eq!(check["state"], expected);
        rig.subscribe().await;
    }
    rig.stop().await;
    let rig = setup().start().await;
    let ready = rig.admin().await.get("/readyz").await.json().to_string();
    assert!(!ready.contains("ACS incoming"), "nobody is answered: {ready}");
    rig.stop().await;
}

#[tokio::test]
async fn an_address_that_leads_to_somebody_else_is_found_out() {
    let other = setup().change(reached_directly).start().await;
    let elsewhere = other.config.acs.as_ref().unwrap().public_url.clone();
    let rig = setup().change(move |config| config.acs.as_mut().unwrap().public_url = elsewhere).start().await;
    let found = findings(&rig).await;
    assert_eq!(state(&found, "ACS address"), "another", "{found:#?}");
    // The API of an offhook is no door.
    let mut config = rig.config.clone();
    let api = other.app.url();
    rig.app.shutdown().await;
    config.acs.as_mut().unwrap().public_url = Some(api);
    let rig = offhook::app::App::start(config.clone()).await.unwrap();
    config.listen = rig.addr();
    assert_eq!(state(&examine(config).await, "ACS address"), "another");
    rig.shutdown().await;
    other.stop().await;
}

#[tokio::test]
async fn what_can_be_told_before_it_runs() {
    let rig = setup().start().await;
    let config = rig.config.clone();
    rig.app.shutdown().await;
    let found = examine(config.clone()).await;
    for (name, expected) in [
        ("trunk", "reachable"),
        ("ACS doors", "free"),
        ("ACS address", "not_running"),
        ("ACS keys", "ok"),
        ("ACS audience", "configured"),
    ] {
        assert_eq!(state(&found, name), expected, "{name}: {found:#?}");
    }
    let mut lax = config;
    let acs = lax.acs.as_mut().unwrap();
    acs.callbacks.accept_missing = true;
    acs.tunnel = Some(offhook::acs::tunnel::TunnelConfig {
        kind: offhook::acs::tunnel::Kind::Cloudflared,
        program: "/no/such/cloudflared".into(),
        token: None,
        name: None,
        public_url: None,
    });
    let found = examine(lax).await;
    assert_eq!((state(&found, "ACS tokens"), state(&found, "ACS address")), ("unsigned", "no_program"));
}

/// Something between that forwards requests without one header.
async fn proxy(to: SocketAddr, lost: Arc<Mutex<&'static str>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut outer, _)) = listener.accept().await {
            let lost = format!("{}:", lost.lock().unwrap());
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(outer.read_u8().await?);
                }
                let head = String::from_utf8(head).unwrap();
                let kept: String = head
                    .split_inclusive("\r\n")
                    .filter(|line| !line.to_lowercase().starts_with(&lost))
                    .collect();
                let mut inner = TcpStream::connect(to).await?;
                inner.write_all(kept.as_bytes()).await?;
                tokio::io::copy_bidirectional(&mut outer, &mut inner).await
            });
        }
    });
    addr
}

#[tokio::test]
async fn what_a_proxy_takes_away_is_told() {
    let lost = Arc::new(Mutex::new("nothing"));
    let doors = crate::acs::rig::free_address();
    let between = proxy(doors, Arc::clone(&lost)).await;
    let through = move |config: &mut Config| {
        let acs = config.acs.as_mut().unwrap();
        (acs.listen, acs.public_url) = (doors, Some(format!("http://{between}")));
    };
    let rig = setup().change(through).start().await;
    for (header, expected, why) in [
        ("nothing", "ok", ""),
        ("upgrade", "no_upgrade", "answered with 200"),
        ("authorization", "stripped", "loses authorization"),
        ("x-ms-call-connection-id", "stripped", "loses x-ms-call-connection-id"),
    ] {
        *lost.lock().unwrap() = header;
        let found = findings(&rig).await;
        assert_eq!(state(&found, "ACS audio"), expected, "{header}: {found:#?}");
        assert!(
            found.iter().any(|finding| finding.name == "ACS audio" && finding.found.contains(why)),
            "{found:#?}"
        );
    }
    rig.stop().await;
}
