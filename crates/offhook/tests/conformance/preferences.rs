//! `/me/call-preferences`: section 6 of the contract, row by row.

use reqwest::Method;
use serde_json::{Value, json};

use crate::clawcall::ClawCall;
use crate::rig::{BUSY, Rig};

const PATH: &str = "/me/call-preferences";

async fn put(agent: &ClawCall, body: Value) -> Value {
    let answered = agent.ask(Method::PUT, PATH, Some(&body)).await;
    answered.unwrap_or_else(|refused| panic!("{body}: {refused:?}")).body
}

/// What a `PUT` does to the globals.
#[tokio::test]
async fn a_put_replaces_and_a_delete_resets() {
    let rig = Rig::start().await;
    let agent = ClawCall::of(&rig);
    let id = agent.call(BUSY).await;
    agent.finalized(&id).await;
    let empty = agent.get(PATH).await.unwrap().body;
    for field in ["voice", "personality", "greeting", "inbound"] {
        assert_eq!(empty[field], Value::Null, "{field}");
    }
    assert_eq!((&empty["configured"], &empty["warm_greeting"]), (&json!(false), &json!(true)));
    let all =
        json!({ "voice": "sarah", "personality": "Brief.", "greeting": "Hello.", "warm_greeting": false });
    let set = put(&agent, all.clone()).await;
    for field in ["voice", "personality", "greeting", "warm_greeting"] {
        assert_eq!(set[field], all[field], "{field}");
    }
    assert_eq!(set["configured"], true);
    assert_eq!(agent.get(PATH).await.unwrap().body, set);
    // What is left out is reset.
    let set = put(&agent, json!({ "greeting": "Hi." })).await;
    assert_eq!(
        (&set["voice"], &set["personality"], &set["greeting"]),
        (&Value::Null, &Value::Null, &json!("Hi."))
    );
    assert_eq!(set["warm_greeting"], true);
    // What was read can be sent back as it is.
    let read = agent.get(PATH).await.unwrap().body;
    assert_eq!(put(&agent, read.clone()).await, read);
    let reset = agent.ask(Method::DELETE, PATH, None).await.unwrap().body;
    assert_eq!(reset, empty);
    rig.stop().await;
}

/// Changes touch future calls; a call says what it wants itself first.
#[tokio::test]
async fn a_call_takes_what_it_does_not_say_itself() {
    let rig = Rig::start().await;
    let account = rig.stranger().await;
    let agent = ClawCall::with_key(&rig, account.key().unwrap());
    put(&agent, json!({ "voice": "eric", "personality": "Calm.", "greeting": "Good day." })).await;
    let plain = agent.call(BUSY).await;
    let own = json!({ "to": "+14155550103", "task": "Ask when they open.", "voice": "sarah", "greeting": "Hello." });
    let own = agent.place(&own).await.unwrap();
    put(&agent, json!({})).await;
    let seen = |call: &Value| [call["voice"].clone(), call["personality"].clone(), call["greeting"].clone()];
    let plain = agent.finalized(&plain).await.call;
    assert_eq!(seen(&plain), [json!("eric"), json!("Calm."), json!("Good day.")]);
    let own = agent.finalized(&own).await.call;
    assert_eq!(seen(&own), [json!("sarah"), json!("Calm."), json!("Hello.")]);
    rig.stop().await;
}
