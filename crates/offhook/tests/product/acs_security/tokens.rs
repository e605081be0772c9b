//! The table of tokens, at both doors of a call that is under way.

use offhook_testkit::acs::{Algorithm, FakeAcs};

use super::rig::{callback_path, media_path, post, setup, upgrade};
use crate::acs::rig::CALLEE;

/// What comes as a token, and whether it is good.
fn tokens(acs: &FakeAcs) -> Vec<(&'static str, Option<String>, bool)> {
    let token = |change: fn(&mut offhook_testkit::acs::Claims)| Some(acs.token(change));
    let tampered = || {
        let token = acs.token(|_| ());
        let (head, signature) = token.rsplit_once('.').unwrap();
        let (first, rest) = signature.split_at(10);
        Some(format!("{head}.{}{rest}", first.chars().rev().collect::<String>()))
    };
    vec![
        ("good", token(|_| ()), true),
        ("good for a while yet", token(|claims| claims.expires_at -= 299), true),
        ("expired within the leeway", token(|claims| claims.expires_at -= 310), true),
        ("missing", None, false),
        ("empty", Some(String::new()), false),
        ("garbage", Some("garbage".to_owned()), false),
        ("expired", token(|claims| claims.expires_at -= 400), false),
        ("not valid yet", token(|claims| claims.not_before += 120), false),
        ("of another audience", token(|claims| claims.audience = "another-resource".to_owned()), false),
        ("of no audience", token(|claims| claims.audience = String::new()), false),
        ("of another issuer", token(|claims| claims.issuer = "https://issuer.example".to_owned()), false),
        ("not signed", token(|claims| claims.algorithm = Algorithm::None), false),
        ("signed with the public key", token(|claims| claims.algorithm = Algorithm::Hs256), false),
        ("signed by somebody else", token(|claims| claims.forged = true), false),
        ("of an unknown key", token(|claims| claims.kid = Some("unknown".to_owned())), false),
        ("of no key", token(|claims| claims.kid = Some(String::new())), false),
        ("tampered with", tampered(), false),
    ]
}

#[tokio::test]
async fn only_a_good_token_opens_the_door_of_a_callback() {
    let rig = setup().start().await;
    let (call, person) = rig.connected(&rig.owner(), CALLEE).await;
    let path = callback_path(&person.seen());
    for (what, token, good) in tokens(&rig.acs) {
        let expected = if good { 200 } else { 401 };
        assert_eq!(post(&rig, &path, token.as_deref()).await, expected, "a token that is {what}");
    }
    person.hang_up();
    call.over().await;
    rig.stop().await;
}

#[tokio::test]
async fn only_a_good_token_opens_the_door_of_media() {
    let rig = setup().start().await;
    let (call, person) = rig.connected(&rig.owner(), CALLEE).await;
    let seen = person.seen();
    let path = media_path(&seen);
    for (what, token, good) in tokens(&rig.acs).into_iter().filter(|(_, _, good)| !good) {
        let (status, _) = upgrade(&rig, &path, token.as_deref(), Some(&seen.connection_id)).await;
        assert_eq!(status, 401, "a token that is {what}");
        assert!(!good && person.seen().open_sockets() == 1, "the call goes on");
    }
    let good = rig.acs.token(|_| ());
    assert_eq!(upgrade(&rig, &path, Some(&good), Some(&seen.connection_id)).await.0, 101);
    person.hang_up();
    call.over().await;
    rig.stop().await;
}

#[tokio::test]
async fn a_missing_token_is_let_in_only_where_that_was_wanted_and_a_bad_one_never() {
    let rig = setup().carrier("accept_unsigned = true").start().await;
    let (call, person) = rig.connected(&rig.owner(), CALLEE).await;
    let path = callback_path(&person.seen());
    for (what, token, good) in tokens(&rig.acs) {
        let expected = if good || what == "missing" { 200 } else { 401 };
        assert_eq!(post(&rig, &path, token.as_deref()).await, expected, "a token that is {what}");
    }
    let ready = rig.admin().await.get("/readyz").await.json();
    let checks = ready["checks"].as_array().unwrap();
    let warned = checks.iter().find(|check| check["state"] == "unsigned").expect("the operator is warned");
    assert_eq!(warned["ok"], false);
    person.hang_up();
    call.over().await;
    rig.stop().await;
}
