//! A bug in one call is the end of that call, and of no other.

use offhook::config::SpeechModel;
use offhook_sandbox::{Ending, Stage};
use offhook_speech::openai;
use offhook_testkit::quiet::Quiet;
use offhook_testkit::realtime::{FakeRealtime, Script};
use serde_json::json;

use crate::recording::Sides;
use crate::rig::{RECEPTIONIST, SILENT, Setup};

#[tokio::test]
async fn a_panic_ends_one_call_and_leaves_the_others() {
    let fake = FakeRealtime::start(Script { ms_per_char: 20, ..Script::default() }).await;
    let mut setup = Setup::new();
    let auth = openai::Auth::Bearer("sk-test-not-a-real-key".to_owned().into());
    setup.config.speech =
        SpeechModel::OpenAi(openai::Config::new(fake.url(), auth, "gpt-realtime-2.1".to_owned()));
    let rig = setup.start().await;
    let owner = rig.owner();
    let calls = [owner.call(RECEPTIONIST).await, owner.call(SILENT).await];
    for call in &calls {
        call.until_code("turn.voice").await;
    }

    // The log is the one thing every part of a session touches: the first of the two to log this breaks.
    Quiet::install().trap("sent audio that is not base64");
    fake.send_nonsense();
    let (broken, whole) = tokio::select! {
        journal = calls[0].journal() => (journal, [&calls[0], &calls[1]]),
        journal = calls[1].journal() => (journal, [&calls[1], &calls[0]]),
    };
    let [broken_call, whole] = whole;
    assert_eq!(broken.last().unwrap()["reason"], "gateway.fault");
    let view = broken_call.view().await;
    assert_eq!((&view["outcome"], &view["lifecycle"]), (&json!("answered"), &json!("finalized")));
    assert!(view["transcript"].to_string().contains("this call is recorded"), "{view:#}");
    assert!(view["talk_seconds"].is_u64(), "{view:#}");
    Sides::read(broken_call.recording().await);
    let id = view["id"].as_str().unwrap().parse().unwrap();
    let row = rig.app.gateway().store().call(id).await.unwrap().unwrap();
    assert!(row.recording.is_some_and(|recording| recording.duration_ms > 0), "retention finds it");
    assert!(broken.iter().any(|event| event["code"] == "recording.stopped"), "{broken:#?}");
    // The phone at the other end was put down.
    let number = view["numbers"]["to"].as_str().unwrap();
    let ended = rig.exchange.until(|calls| {
        calls.iter().find(|call| call.number == number && call.is_over()).map(|call| call.stage)
    });
    assert_eq!(ended.await, Stage::Ended(Ending::RemoteHungUp));

    assert_eq!(whole.view().await["lifecycle"], "answered", "the other call goes on");
    whole.hang_up().await;
    assert_eq!(whole.over().await["end_reason"], "owner.cancelled");
    // And the number is free for another call.
    owner.call(number).await.hang_up().await;
    rig.stop().await;
}
