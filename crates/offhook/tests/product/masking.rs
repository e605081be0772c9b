//! Where the operator wants it, one-time codes and card numbers stand in nothing that is kept, shown or sent.

use std::fs;
use std::path::Path;

use offhook_sandbox::Step;
use offhook_testkit::realtime::{FakeRealtime, Reply};
use serde_json::{Value, json};

use crate::agent::Call;
use crate::realtime::{CLINIC, HELLO, model, person, record, setup};
use crate::receiver::Receiver;
use crate::recording::{Sides, dbfs};
use crate::rig::Rig;

const ASKS: &str = "Please read me the one time code.";
const GIVES: &str = "It is 482913, and the card is 4242 4242 4242 4242.";
const REPEATS: &str = "Thank you. I have four eight two nine one three.";
/// What must be nowhere.
const NEEDLES: [&str; 4] = ["482913", "4829", "4242", "four eight two nine"];

/// A call in which a code and a card are spoken, repeated, typed and claimed; the webhook got all of its events.
async fn call(masks: bool) -> (Rig, Call, Receiver, std::path::PathBuf) {
    let claim = json!({
        "status": "achieved", "summary": "They gave the code 482913.", "quotes": ["It is 482913"],
    });
    let replies = vec![
        Reply::say("One moment."),
        Reply::say(REPEATS),
        Reply::call("send_digits", r#"{"digits":"482913"}"#),
        Reply::say("Goodbye.")
            .and_call("end_call", &json!({ "reason": "482913 it was", "result": claim }).to_string()),
    ];
    let fake = FakeRealtime::start(model(
        replies,
        &[HELLO, ASKS, GIVES, "Type it in, please.", "Thank you, that is all."],
    ))
    .await;
    let then = [
        Step::Say(ASKS),
        Step::Listen { patience_ms: 12_000 },
        Step::Say(GIVES),
        Step::Listen { patience_ms: 12_000 },
        Step::Say("Type it in, please."),
        Step::Pause { ms: 6_000 },
        Step::Say("Thank you, that is all."),
        Step::Linger { ms: 12_000 },
    ];
    let mut setup = setup(fake.url(), person(&then));
    setup.config.mask_secrets = masks;
    let data = setup.config.data_dir.clone();
    let rig = setup.start().await;
    let receiver = Receiver::start([]).await;
    let task = json!({ "to": CLINIC, "task": "Ask for the code.", "webhook_url": receiver.url("/hook") });
    let call = rig.owner().place(&task).await;
    call.over().await;
    receiver.until_event("call.ended").await;
    record(&rig).await;
    (rig, call, receiver, data)
}

/// Where each needle is found, in everything that is kept, shown or sent.
async fn found(call: &Call, receiver: &Receiver, data: &Path) -> Vec<String> {
    let mut places: Vec<(String, Vec<u8>)> = Vec::new();
    for path in ["", "/events", "/deliveries"] {
        places.push((format!("GET /call/{{id}}{path}"), call.agent.get(&call.path(path)).await.bytes));
    }
    places.extend(receiver.received().into_iter().map(|sent| ("webhook".to_owned(), sent.body.into_bytes())));
    let mut dirs = vec![data.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else {
                places.push((path.display().to_string(), fs::read(path).unwrap()));
            }
        }
    }
    let holds =
        |bytes: &[u8], needle: &str| bytes.windows(needle.len()).any(|window| window == needle.as_bytes());
    let mut found = Vec::new();
    for (place, bytes) in &places {
        found.extend(
            NEEDLES.iter().filter(|needle| holds(bytes, needle)).map(|needle| format!("{needle} in {place}")),
        );
    }
    found
}

fn turn<'a>(view: &'a Value, text: &str) -> &'a Value {
    let mut turns = view["transcript"].as_array().unwrap().iter();
    turns.find(|turn| turn["text"] == text).unwrap_or_else(|| panic!("no {text:?} in {view:#}"))
}

/// How loud the loudest tenth of a second is, of a turn.
fn loudest(samples: &[i16], turn: &Value) -> f64 {
    let at = |field: &str| turn[field].as_u64().unwrap() as usize * 8;
    let stretch = &samples[at("started_ms")..at("ended_ms").min(samples.len())];
    stretch.chunks(800).map(dbfs).fold(f64::MIN, f64::max)
}

#[tokio::test]
async fn codes_and_cards_are_masked_wherever_a_call_is_written_down() {
    let (rig, call, receiver, data) = call(true).await;
    assert_eq!(found(&call, &receiver, &data).await, Vec::<String>::new());

    let view = call.view().await;
    let given = turn(&view, "It is ••••••, and the card is •••• •••• •••• ••••.");
    let repeated = turn(&view, "Thank you. I have ••••••.");
    assert_eq!(view["result"]["summary"], "They gave the code ••••••.");
    assert_eq!(view["result"]["evidence_turns"], json!([given["turn"]]), "it still counts as evidence");
    assert_eq!(record(&rig).await.digits_text(), "482913", "what was typed is what the other side got");

    let sides = Sides::read(call.recording().await);
    assert!(loudest(&sides.remote, turn(&view, ASKS)) > -40.0, "what is no secret is heard");
    for secret in [given, repeated] {
        assert!(loudest(&sides.remote, secret) < -80.0, "{secret}");
        assert!(loudest(&sides.voice, secret) < -80.0, "{secret}");
    }
    let journal = call.journal().await;
    let kinds: Vec<&Value> =
        journal.iter().filter(|event| event["code"] == "turn.masked").map(|event| &event["kind"]).collect();
    assert_eq!(kinds, ["code", "card", "code"]);
    rig.stop().await;
}

#[tokio::test]
async fn unless_the_operator_wants_it_nothing_is_masked() {
    let (rig, call, receiver, data) = call(false).await;
    let found = found(&call, &receiver, &data).await;
    for place in ["GET", "webhook", "offhook.db"] {
        assert!(found.iter().any(|found| found.contains(place)), "{place}: {found:?}");
    }
    let view = call.view().await;
    let sides = Sides::read(call.recording().await);
    assert!(loudest(&sides.remote, turn(&view, GIVES)) > -40.0);
    rig.stop().await;
}
