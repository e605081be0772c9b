//! The secret of a call opens the doors of that call, as long as there is one.

use offhook_testkit::acs::Callee;

use super::rig::{
    callback_path, doors, is_closed, media_path, post, request, secret_of, setup, upgrade, with_secret,
};
use crate::acs::rig::{CALLEE, OTHER, OURS, ending};

#[tokio::test]
async fn a_secret_is_of_one_call_and_of_both_its_doors() {
    let rig = setup().start().await;
    let owner = rig.owner();
    let (one, first) = rig.connected(&owner, CALLEE).await;
    let (two, second) = rig.connected(&owner, OTHER).await;
    let (mine, others) = (callback_path(&first.seen()), callback_path(&second.seen()));
    let secret = secret_of(&mine).to_owned();
    assert!(secret.len() >= 40 && secret != secret_of(&others), "256 bits, and its own");
    assert_ne!(mine.split_once('?').unwrap().0, others.split_once('?').unwrap().0);
    let good = rig.acs.token(|_| ());
    let without = mine.split_once('?').unwrap().0.to_owned();
    for (what, path, expected) in [
        ("its own", mine.clone(), 200),
        ("that of another call", with_secret(&mine, secret_of(&others)), 401),
        ("no secret", without.clone(), 401),
        ("an empty one", format!("{without}?token="), 401),
        ("two", format!("{mine}&token={secret}"), 401),
        ("a part of it", with_secret(&mine, &secret[..secret.len() - 1]), 401),
        ("one more character", format!("{mine}x"), 401),
        ("that of the subscription", with_secret(&mine, crate::acs::rig::INCOMING_TOKEN), 401),
        ("one of a call nobody knows", format!("/webhooks/acs/calls/nobody?token={secret}"), 401),
    ] {
        assert_eq!(post(&rig, &path, Some(&good)).await, expected, "{what}");
        assert_eq!(post(&rig, &path, None).await, 401, "{what}, without a token");
    }
    // As the document of another product names the doors: the call and its secret are one.
    let (_, name) = without.rsplit_once('/').unwrap();
    for (path, expected) in [
        (format!("/acs?token={name}.{secret}"), 200),
        (format!("/api/voice/acs-callback?token={name}.{secret}"), 200),
        (format!("/acs?token={secret}"), 401),
        (format!("/acs?token={name}.{}", secret_of(&others)), 401),
        ("/acs".to_owned(), 401),
    ] {
        assert_eq!(post(&rig, &path, Some(&good)).await, expected, "{path}");
    }
    for person in [&first, &second] {
        person.hang_up();
    }
    one.over().await;
    two.over().await;
    rig.stop().await;
}

#[tokio::test]
async fn media_before_during_and_after_the_call() {
    let rig = setup().start().await;
    let good = rig.acs.token(|claims| claims.expires_at += 86_000);
    // Before there is a call.
    let nobody = format!("/webhooks/acs/media/nobody?token={}", "x".repeat(43));
    assert_eq!(upgrade(&rig, &nobody, Some(&good), Some("anything")).await.0, 401);

    // During the call: the service has its socket.
    let (call, person) = rig.connected(&rig.owner(), CALLEE).await;
    let seen = person.seen();
    let path = media_path(&seen);
    let connection = seen.connection_id.as_str();
    for (what, path, connection) in [
        ("of another connection", path.clone(), Some("another-connection")),
        ("of no connection", path.clone(), None),
        ("with a wrong secret", with_secret(&path, "wrong"), Some(connection)),
        ("with the secret of the callbacks' door only", with_secret(&path, ""), Some(connection)),
    ] {
        assert_eq!(upgrade(&rig, &path, Some(&good), connection).await.0, 401, "{what}");
    }
    assert_eq!(person.seen().open_sockets(), 1, "whoever was refused takes nobody's place");
    // The same call once more: the service lost its socket and comes again.
    let (status, again) = upgrade(&rig, &path, Some(&good), Some(connection)).await;
    assert_eq!(status, 101);
    let (name, secret) = (path.split_once('?').unwrap().0.rsplit_once('/').unwrap().1, secret_of(&path));
    let document = format!("/realtime-acs?token={name}.{secret}");
    let (status, newest) = upgrade(&rig, &document, Some(&good), Some(connection)).await;
    assert_eq!(status, 101, "as another product's document names it");
    assert!(is_closed(again).await, "the newest connection counts");

    // After the call.
    person.hang_up();
    assert_eq!(ending(&call.over().await).1, "remote.hung_up");
    assert!(is_closed(newest).await);
    for path in [&path, &document] {
        assert_eq!(upgrade(&rig, path, Some(&good), Some(connection)).await.0, 401);
    }
    rig.stop().await;
}

#[tokio::test]
async fn what_was_told_once_is_told_again_without_effect() {
    let rig = setup().start().await;
    let (call, person) = rig.connected(&rig.owner(), CALLEE).await;
    let connected = person.until_told("CallConnected").await;
    let connected = connected.delivered.iter().find(|post| post.kinds == ["CallConnected"]).unwrap().clone();
    let replayed = |bearer: Option<String>| person.replay(&connected, bearer);
    assert_eq!(replayed(connected.bearer.clone()).await, Some(200), "it may come twice");
    assert_eq!(replayed(None).await, Some(401), "but not from anybody");
    // The end of this call, told to another one.
    rig.acs.callee(OTHER, Callee::answers());
    let other = rig.owner().call(OTHER).await;
    let survivor = rig.acs.person(OTHER).await;
    survivor.until_streaming().await;
    person.hang_up();
    call.over().await;
    let ended = person.until_told("CallDisconnected").await;
    let ended = ended.delivered.iter().find(|post| post.kinds == ["CallDisconnected"]).unwrap().clone();
    let (wrong, mine) = (callback_path(&survivor.seen()), callback_path(&person.seen()));
    let foreign = with_secret(&wrong, secret_of(&mine));
    let body = request(&rig, reqwest::Method::POST, &foreign).body(ended.body.clone());
    let status = body.bearer_auth(rig.acs.token(|_| ())).send().await.unwrap().status();
    assert_eq!(status, 401, "the secret of one call does not end another");
    assert_eq!(survivor.seen().open_sockets(), 1);
    // To an old call nothing can be done any more: what comes late is taken, and means nothing.
    let late = person.replay(&ended, ended.bearer.clone()).await;
    assert_eq!(late, Some(200));
    assert_eq!(survivor.seen().open_sockets(), 1);
    survivor.hang_up();
    assert_eq!(ending(&other.over().await), ("answered", "remote.hung_up"));
    rig.stop().await;
}

#[tokio::test]
async fn two_calls_at_once_have_their_own_doors_and_the_log_has_none_of_them() {
    let quiet = offhook_testkit::quiet::Quiet::install();
    let rig = setup().start().await;
    let (call, person) = rig.connected(&rig.owner(), CALLEE).await;
    let seen = person.seen();
    for path in [callback_path(&seen), media_path(&seen)] {
        quiet.never(secret_of(&path));
        quiet.never(path.split_once('?').unwrap().0.rsplit_once('/').unwrap().1);
        // Wrong in every way, so that all there is to log is logged.
        assert_eq!(
            post(&rig, &format!("{path}x"), None).await,
            if path.contains("calls") { 401 } else { 405 }
        );
        assert_eq!(
            upgrade(&rig, &path, None, Some(&seen.connection_id)).await.0,
            if path.contains("media") { 401 } else { 405 }
        );
    }
    quiet.never(&rig.acs.token(|_| ()));
    assert_ne!(doors(&rig), rig.app.addr(), "the doors are a server of their own");
    person.hang_up();
    call.over().await;
    assert!(rig.acs.calls().iter().all(|seen| seen.from == OURS));
    rig.stop().await;
}
