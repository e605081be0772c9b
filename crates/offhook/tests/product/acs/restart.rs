//! The real program, killed in the middle of a call over Communication Services and started again.

use std::sync::Arc;

use offhook_testkit::acs::{FakeAcs, Operation, Service, Stage, speech};
use offhook_testkit::quiet::Quiet;
use offhook_testkit::realtime::{FakeRealtime, Reply};
use serde_json::json;

use super::rig::{CALLEE, HELLO, HOST, OURS, Setup, free_address};
use crate::agent::{Agent, Door};
use crate::program::Program;

/// Nothing private may be in what it logged.
async fn kill(program: Program, acs: &FakeAcs) {
    let log = program.kill().await;
    let quiet = Quiet::default();
    quiet.never_number(CALLEE);
    quiet.never_said(HELLO);
    quiet.never(&acs.access_key());
    for seen in acs.calls() {
        // The secret of a call is in its addresses.
        quiet.never(&seen.callback_uri);
        seen.callback_uri.split_once("token=").into_iter().for_each(|(_, token)| quiet.never(token));
    }
    quiet.read(&log);
    quiet.check();
}

#[tokio::test]
async fn a_call_of_a_killed_process_is_ended_and_never_placed_again() {
    let home = tempfile::tempdir().unwrap();
    let acs = FakeAcs::with(Service { numbers: vec![OURS.to_owned()], ..Service::default() }).await;
    let setup = Setup::new(vec![Reply::say("Certainly.")], &[HELLO]);
    let model = FakeRealtime::start(setup.script.clone()).await;
    let doors = free_address();
    acs.reach(HOST, doors);
    let text = setup.configuration(&acs, &model, &home.path().join("data"), doors);
    std::fs::write(home.path().join("offhook.toml"), text).unwrap();

    let program = Program::start(home.path()).await;
    let door = Arc::new(Door::new(program.url.clone(), Quiet::install()));
    let owner = Agent::new(Arc::clone(&door), None);
    let call = owner.place(&json!({ "to": CALLEE, "task": "Ask when they open." })).await;
    let person = acs.person(CALLEE).await;
    person.until_streaming().await;
    person.says(&speech(24_000, 700, 1)).await;
    let told = call.until("the voice", |event| event["code"] == "turn.voice").await;
    kill(program, &acs).await;
    assert_eq!(person.seen().stage, Stage::Connected, "the service holds the call");

    let program = Program::start(home.path()).await;
    door.moved(program.url.clone());
    let view = call.view().await;
    assert_eq!((&view["lifecycle"], &view["outcome"]), (&json!("finalized"), &json!("answered")));
    assert_eq!(view["end_reason"], "gateway.restarted");
    assert_eq!(call.journal().await[..told.len()], told, "what was told once stays true");
    assert!(view["transcript"].to_string().contains(HELLO), "{view:#}");
    assert!(!call.recording().await.is_empty());

    // The person is not left alone on the line, and nobody is called again.
    person.until_ended().await;
    assert_eq!(acs.requests_to(Operation::Create).len(), 1);
    assert!(
        acs.requests()
            .iter()
            .any(|request| { request.operation == Operation::Terminate && request.status == Some(204) })
    );
    kill(program, &acs).await;
}
