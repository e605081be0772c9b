//! Stopping offhook in the middle of calls.

use futures_util::future::join_all;
use offhook_sandbox::{Ending, Stage};
use serde_json::json;

use crate::recording::Sides;
use crate::rig::{NEVER_ANSWERS, RECEPTIONIST, Rig, SILENT};

#[tokio::test]
async fn a_shutdown_ends_every_call_and_writes_it_down() {
    let rig = Rig::start().await;
    let owner = rig.owner();
    let talking = owner.call(RECEPTIONIST).await;
    let ringing = owner.call(NEVER_ANSWERS).await;
    let silent = owner.call(SILENT).await;
    let heard = talking.until_code("turn.remote").await;
    let heard = heard.last().unwrap()["text"].as_str().unwrap().to_owned();
    silent.until_code("call.answered").await;

    let rig = rig.restart().await;
    for call in [&talking, &ringing, &silent] {
        let view = call.view().await;
        assert_eq!(
            (&view["lifecycle"], &view["end_reason"]),
            (&json!("finalized"), &json!("gateway.shutdown"))
        );
        let last = call.journal().await;
        assert_eq!(last.iter().filter(|event| event["code"] == "call.ended").count(), 1, "{last:#?}");
    }
    assert_eq!(ringing.view().await["outcome"], "system_error");

    let view = talking.view().await;
    assert_eq!(view["outcome"], "answered");
    assert!(view["transcript"].to_string().contains(&heard), "{view:#}");
    let talk_ms = talking.journal().await.last().unwrap()["talk_ms"].as_u64().unwrap();
    let sides = Sides::read(talking.recording().await);
    assert!(sides.ms().abs_diff(talk_ms) <= 150, "{} ms recorded of {talk_ms}", sides.ms());

    // Both phones were put down, and nobody was called again.
    let endings = join_all([RECEPTIONIST, NEVER_ANSWERS, SILENT].map(|number| {
        rig.exchange.until(move |calls| {
            let to: Vec<_> = calls.iter().filter(|call| call.number == number).collect();
            assert_eq!(to.len(), 1, "{number} was dialled {} times", to.len());
            to[0].is_over().then_some(to[0].stage)
        })
    }));
    assert_eq!(
        endings.await,
        [Ending::RemoteHungUp, Ending::Cancelled, Ending::RemoteHungUp].map(Stage::Ended)
    );
    rig.stop().await;
}
