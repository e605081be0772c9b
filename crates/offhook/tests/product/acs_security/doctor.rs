//! What the doctor finds at the doors.

use offhook::config::Config;
use offhook::doctor::{Finding, examine};

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
