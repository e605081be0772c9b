//! `/me/call-preferences`: section 6 of the contract, row by row.

use offhook_core::Timestamp;
use offhook_store::PhoneRow;
use reqwest::Method;
use serde_json::{Value, json};

use crate::clawcall::ClawCall;
use crate::fields::{Kind, wrong};
use crate::rig::{BUSY, LINE, Rig};

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

/// What a `PUT` does to the block about calls to the line of the account.
#[tokio::test]
async fn the_inbound_block_has_rules_of_its_own() {
    let rig = Rig::start().await;
    let account = rig.stranger().await;
    let agent = ClawCall::with_key(&rig, account.key().unwrap());
    let owner = agent.get("/me").await.unwrap().body["userId"].as_str().unwrap().parse().unwrap();
    rig.app.gateway().store().reserve(LINE, owner, Timestamp::default()).await.unwrap();
    let block =
        json!({ "instructions": "Take messages.", "greeting": "Hello.", "handoff_number": "+14155550191" });
    let set = put(&agent, json!({ "voice": "sarah", "inbound": block })).await;
    let rows = [
        ("inbound.enabled", Kind::Flag),
        ("inbound.configured", Kind::Flag),
        ("inbound.instructions", Kind::Text),
        ("inbound.greeting", Kind::Text),
        ("inbound.handoff_number", Kind::Text),
        ("inbound.active_reserved_number.id", Kind::Count),
        ("inbound.active_reserved_number.phone_number", Kind::Text),
        ("inbound.active_reserved_number.display", Kind::Text),
    ];
    assert_eq!(wrong(&set, &rows), Vec::<String>::new(), "{set:#}");
    assert_eq!(set["inbound"]["active_reserved_number"]["phone_number"], LINE);
    // Left out, it stays; the globals are reset.
    let kept = put(&agent, json!({})).await;
    assert_eq!((&kept["inbound"], &kept["voice"]), (&set["inbound"], &Value::Null));
    // What was read can be sent back.
    assert_eq!(put(&agent, kept.clone()).await, kept);
    // Written, it is replaced as a whole.
    let block = json!({ "instructions": "Say that we are closed.", "greeting": "Hello." });
    let replaced = put(&agent, json!({ "inbound": block })).await;
    assert_eq!(replaced["inbound"]["handoff_number"], Value::Null);
    // But for who is put through: left out they stay, an empty list clears them.
    let mut passing = block.clone();
    passing["passthrough_numbers"] = json!(["+12065551234", "+12065551235"]);
    let phone =
        PhoneRow { number: "+14155550190".to_owned(), primary: true, confirmed_at: Timestamp::default() };
    assert!(rig.app.gateway().store().add_phone(owner, &phone).await.unwrap());
    let with = put(&agent, json!({ "inbound": passing })).await;
    assert_eq!(with["inbound"]["passthrough_numbers"], passing["passthrough_numbers"]);
    let kept = put(&agent, json!({ "inbound": block })).await;
    assert_eq!(kept["inbound"]["passthrough_numbers"], passing["passthrough_numbers"]);
    passing["passthrough_numbers"] = json!([]);
    assert_eq!(put(&agent, json!({ "inbound": passing })).await["inbound"]["passthrough_numbers"], json!([]));
    // A reset touches the globals only; null clears.
    put(&agent, json!({ "voice": "eric" })).await;
    let reset = agent.ask(Method::DELETE, PATH, None).await.unwrap().body;
    assert_eq!((&reset["voice"], &reset["inbound"]["instructions"]), (&Value::Null, &block["instructions"]));
    let cleared = put(&agent, json!({ "inbound": null })).await;
    assert_eq!(cleared["inbound"]["configured"], json!(false), "{cleared:#}");
    rig.stop().await;
}
