//! What goes wrong at the service or with our account there.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use offhook_testkit::acs::{Callee, Delivery, Fault, Operation};
use offhook_testkit::realtime::Reply;
use serde_json::json;

use super::rig::{CALLEE, HELLO, OTHER, Setup, ending};
use crate::agent::Answer;

fn setup() -> Setup {
    Setup::new(vec![Reply::say("Certainly.")], &[HELLO])
}

#[tokio::test]
async fn a_wrong_key_fails_the_call_and_nothing_else() {
    let mut setup = setup();
    setup.account = |acs| {
        let wrong = STANDARD.encode("not the key of this resource");
        format!("connection_string = \"endpoint={}/;accesskey={wrong}\"", acs.endpoint())
    };
    let rig = setup.start().await;
    let owner = rig.owner();
    let call = owner.call(CALLEE).await;
    let over = call.over().await;
    assert_eq!(ending(&over), ("failed", "carrier.refused"));
    let advice = over["outcome_detail"].to_string();
    assert!(advice.contains("credentials"), "{advice}");
    let ready = Answer::to(rig.door.get("/healthz")).await;
    assert_eq!(ready.status, 200, "the rest runs: {ready:?}");
    assert_eq!(rig.acs.requests_to(Operation::Create)[0].status, Some(401));
    assert!(rig.acs.calls().is_empty());
    rig.until_quiet().await;
    rig.stop().await;
}

#[tokio::test]
async fn a_token_of_the_directory_serves_as_well_as_a_key() {
    let mut setup = setup();
    setup.service.bearer = Some("a.token.of-the-directory".to_owned());
    setup.account = |acs| {
        format!(
            "endpoint = \"{}\"\nauth = \"client_secret\"\nauthority = \"{}\"\ntenant_id = \"contoso\"\n\
             client_id = \"offhook\"\nclient_secret = \"of-the-application\"",
            acs.endpoint(),
            acs.authority()
        )
    };
    let rig = setup.start().await;
    let owner = rig.owner();
    for number in [CALLEE, OTHER] {
        let (call, person) = rig.connected(&owner, number).await;
        person.hang_up();
        assert_eq!(ending(&call.over().await), ("answered", "remote.hung_up"));
    }
    assert_eq!(rig.acs.tokens(), 1, "it is fetched once");
    let create = rig.acs.requests_to(Operation::Create);
    assert!(create.iter().all(|request| request.authorization == "Bearer a.token.of-the-directory"));
    rig.stop().await;
}

#[tokio::test]
async fn a_request_that_may_have_arrived_is_repeated_under_its_own_name_and_done_once() {
    for fault in [Fault::LoseReply, Fault::LoseRequest, Fault::throttled(1), Fault::unavailable()] {
        let rig = setup().start().await;
        rig.acs.fault(Operation::Create, fault.clone());
        rig.acs.callee(CALLEE, Callee::answers().after(Duration::from_secs(2)));
        let call = rig.owner().call(CALLEE).await;
        let requests = rig.acs.until_requests(Operation::Create, 2).await;
        let person = rig.acs.person(CALLEE).await;
        person.until_streaming().await;
        assert_eq!((requests.len(), rig.acs.calls().len()), (2, 1), "{fault:?}");
        assert_eq!(requests[0].repeatability_id, requests[1].repeatability_id, "{fault:?}");
        assert!(requests[0].repeatability_id.is_some());
        person.hang_up();
        assert_eq!(ending(&call.over().await), ("answered", "remote.hung_up"), "{fault:?}");
        rig.stop().await;
    }
}

#[tokio::test]
async fn events_come_in_any_order_and_before_the_reply() {
    for delivery in [
        Delivery { before_reply: true, ..Delivery::default() },
        Delivery { doubled: true, reversed: true, ..Delivery::default() },
        Delivery { together: true, ..Delivery::default() },
        Delivery { bare: true, ..Delivery::default() },
    ] {
        let rig = setup().start().await;
        rig.acs.callee(CALLEE, Callee::answers().told(delivery));
        let call = rig.owner().call(CALLEE).await;
        let person = rig.acs.person(CALLEE).await;
        person.until_streaming().await;
        call.until_code("call.answered").await;
        person.until_told("MediaStreamingStarted").await;
        person.hang_up();
        assert_eq!(ending(&call.over().await), ("answered", "remote.hung_up"), "{delivery:?}");
        person.until_told("CallDisconnected").await;
        rig.stop().await;
    }
}

#[tokio::test]
async fn one_call_above_the_cap_is_refused() {
    let mut setup = setup();
    setup.max_calls = 1;
    let rig = setup.start().await;
    let owner = rig.owner();
    let (call, person) = rig.connected(&owner, CALLEE).await;
    let refused = owner.ask(&json!({ "to": OTHER, "task": "Ask when they open on Sunday." })).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json()["error"]["code"]),
        (503, &json!("number_pool_exhausted"))
    );
    assert_eq!(rig.acs.requests_to(Operation::Create).len(), 1, "and never asked for");
    person.hang_up();
    call.over().await;
    let (call, person) = rig.connected(&owner, OTHER).await;
    person.hang_up();
    call.over().await;
    rig.stop().await;
}
