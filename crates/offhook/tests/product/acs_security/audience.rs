//! For whom tokens are: configured, or learned from the first callback that proves to be ours.

use offhook::config::Config;

use super::rig::{callback_path, post, setup};
use crate::acs::rig::{AcsRig, CALLEE};

fn not_configured(config: &mut Config) {
    config.acs.as_mut().unwrap().callbacks.audience = None;
}

async fn audience(rig: &AcsRig) -> String {
    let ready = rig.admin().await.get("/readyz").await.json();
    let checks = ready["checks"].as_array().unwrap();
    let audience = checks.iter().find(|check| check["name"] == "ACS audience").unwrap();
    format!("{}: {}", audience["state"].as_str().unwrap(), audience["found"].as_str().unwrap())
}

#[tokio::test]
async fn it_is_learned_from_a_callback_with_the_right_secret_and_kept() {
    let rig = setup().change(not_configured).start().await;
    assert!(audience(&rig).await.starts_with("not_learned: "));
    // Anybody can have Microsoft sign a token for a resource of their own.
    let foreign = || rig.acs.token(|claims| claims.audience = "the resource of somebody else".to_owned());
    for path in [
        "/webhooks/acs/calls/nobody?token=guessed",
        "/acs?token=nobody.guessed",
        "/webhooks/acs/incoming?token=x",
    ] {
        assert_eq!(post(&rig, path, Some(&foreign())).await, 401);
    }
    assert!(audience(&rig).await.starts_with("not_learned: "), "who knows no secret teaches nothing");

    let (call, person) = rig.connected(&rig.owner(), CALLEE).await;
    let shown = audience(&rig).await;
    assert!(shown.starts_with("learned: ") && shown.contains(rig.acs.resource_id()), "{shown}");
    let path = callback_path(&person.seen());
    assert_eq!(post(&rig, &path, Some(&foreign())).await, 401, "another resource, from now on");
    person.hang_up();
    call.over().await;
    person.until_ended().await;

    let store = rig.app.gateway().store();
    let resource = rig.config.acs.as_ref().unwrap().resource();
    let kept = store.acs_audience(resource).await.unwrap().expect("it is kept");
    assert_eq!(kept.audience, rig.acs.resource_id());
    rig.stop().await;
}

#[tokio::test]
async fn a_configured_one_counts_alone() {
    let other = |config: &mut Config| {
        config.acs.as_mut().unwrap().callbacks.audience = Some("another resource".to_owned());
    };
    let rig = setup().change(other).start().await;
    rig.acs.callee(CALLEE, offhook_testkit::acs::Callee::waits());
    let call = rig.owner().call(CALLEE).await;
    let person = rig.acs.person(CALLEE).await;
    let path = callback_path(&person.seen());
    assert_eq!(post(&rig, &path, Some(&rig.acs.token(|_| ()))).await, 401);
    let ours = rig.acs.token(|claims| claims.audience = "another resource".to_owned());
    assert_eq!(post(&rig, &path, Some(&ours)).await, 200);
    let shown = audience(&rig).await;
    assert!(shown.starts_with("configured: another resource"), "{shown}");
    let ready = rig.admin().await.get("/readyz").await.json();
    let refused =
        ready["checks"].as_array().unwrap().iter().find(|check| check["state"] == "refused").cloned();
    let refused = refused.expect("somebody with the right secret was refused, which the operator is told");
    assert!(refused["found"].as_str().unwrap().contains("another audience"), "{refused}");
    call.hang_up().await;
    rig.app.shutdown().await;
}
