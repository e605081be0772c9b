//! The keys of the issuer: asked for seldom, and never while somebody waits for audio.

use std::time::Duration;

use super::rig::{callback_path, media_path, post, setup, upgrade};
use crate::acs::rig::CALLEE;

#[tokio::test]
async fn a_hundred_callbacks_ask_once_and_a_new_key_is_found_at_once() {
    let rig = setup().start().await;
    let (call, person) = rig.connected(&rig.owner(), CALLEE).await;
    // Nothing is on its way any more that is signed with the key of before.
    let path = callback_path(&person.until_told("MediaStreamingStarted").await);
    let token = rig.acs.token(|_| ());
    for _ in 0..5 {
        let some = (0..20).map(|_| post(&rig, &path, Some(&token)));
        assert_eq!(futures_util::future::join_all(some).await, [200; 20]);
    }
    assert_eq!(rig.acs.key_fetches(), 1);

    rig.acs.rotate_key();
    let new = rig.acs.token(|_| ());
    assert_eq!(post(&rig, &path, Some(&new)).await, 200, "signed with a key nobody knew");
    assert_eq!(post(&rig, &path, Some(&token)).await, 401, "the old key is withdrawn");
    assert_eq!(rig.acs.key_fetches(), 2);
    for _ in 0..5 {
        let unknown = rig.acs.token(|claims| claims.kid = Some("unknown".to_owned()));
        assert_eq!(post(&rig, &path, Some(&unknown)).await, 401);
    }
    assert_eq!(rig.acs.key_fetches(), 2, "whoever makes keys up has nobody asked for them");
    person.hang_up();
    call.over().await;
    rig.stop().await;
}

#[tokio::test]
async fn while_no_keys_can_be_had_nobody_is_let_in_and_everybody_may_come_again() {
    let away = |config: &mut offhook::config::Config| {
        let nobody = format!("http://{}/keys", crate::acs::rig::free_address());
        config.acs.as_mut().unwrap().callbacks.source = offhook::acs::Source::Keys(nobody);
    };
    let rig = setup().change(away).start().await;
    rig.acs.callee(CALLEE, offhook_testkit::acs::Callee::waits());
    let call = rig.owner().call(CALLEE).await;
    let seen = rig.acs.person(CALLEE).await.seen();
    let (callback, media, token) = (callback_path(&seen), media_path(&seen), rig.acs.token(|_| ()));
    assert_eq!(post(&rig, &callback, Some(&token)).await, 503);
    assert_eq!(upgrade(&rig, &media, Some(&token), Some(&seen.connection_id)).await.0, 503);
    assert_eq!(
        post(&rig, &format!("{callback}x"), Some(&token)).await,
        401,
        "not even that is told to a stranger"
    );
    call.hang_up().await;
    rig.app.shutdown().await;
}

#[tokio::test]
async fn keys_that_take_two_seconds_delay_no_frame() {
    let long = "Certainly, and this takes a good while to say, so that there is something to hear all along.";
    let mut setup = setup();
    setup.script.replies = vec![offhook_testkit::realtime::Reply::say(&long.repeat(4))];
    let rig = setup.start().await;
    let (call, person) = rig.greeted(&rig.owner(), CALLEE).await;
    person.say(&offhook_testkit::acs::speech(24_000, 700, 2));
    let path = callback_path(&person.seen());
    rig.acs.slow_keys(Duration::from_secs(2));
    rig.acs.rotate_key();
    let token = rig.acs.token(|_| ());
    // The voice is in the middle of its answer.
    let silent = person.seen().sound.received().len();
    let before = person.until_received(silent + 2_400).await.sound.received().len();
    let mut asked = Box::pin(post(&rig, &path, Some(&token)));
    // A second of audio comes meanwhile.
    tokio::select! {
        biased;
        status = &mut asked => panic!("answered with {status} before the keys came"),
        seen = person.until_received(before + 24_000) => {
            assert!(seen.open_sockets() == 1);
        }
    }
    assert_eq!(asked.await, 200, "the keys came in the end");
    person.hang_up();
    call.over().await;
    rig.stop().await;
}
