//! What became of the task, as an agent reads it: nothing stands in it that nobody said.

use futures_util::future::join_all;
use offhook::config::SpeechModel;
use offhook_speech::openai;
use offhook_testkit::realtime::{FakeRealtime, Heard, Reply, Script};
use serde_json::{Value, json};

use crate::rig::{Rig, Setup};

const GARAGE: &str = "+14155550116";
const GARAGE_SAYS: [&str; 4] = [
    "Hello, this is Corner Garage. How can I help you?",
    "Yes, Thursday at four is free. It is ninety dollars. Shall I book it and charge the card on file?",
    "I can only keep the time if I book it now. Shall I book it, yes or no?",
    "Very well. Thank you for calling Corner Garage. Goodbye.",
];
const WISH: &str = "Ask when they have time for an oil change and what it costs, for Mira Okafor.";

/// A model that says these and then ends the call with this result.
async fn fake(heard: &[&str], says: &[&str], result: &Value) -> FakeRealtime {
    let (last, before) = says.split_last().unwrap();
    let mut replies: Vec<Reply> = before.iter().map(|text| Reply::say(text)).collect();
    let end = json!({ "reason": "finished", "result": result }).to_string();
    replies.push(Reply::say(last).and_call("end_call", &end));
    let heard = heard.iter().map(|text| Heard::Text((*text).to_owned())).collect();
    FakeRealtime::start(Script { replies, heard, ms_per_char: 20, ..Script::default() }).await
}

async fn rig(fake: &FakeRealtime) -> Rig {
    let mut setup = Setup::new();
    let auth = openai::Auth::Bearer("sk-test-not-a-real-key".to_owned().into());
    setup.config.speech =
        SpeechModel::OpenAi(openai::Config::new(fake.url(), auth, "gpt-realtime-2.1".to_owned()));
    setup.start().await
}

/// The result of one call, and the call.
async fn result(fake: FakeRealtime, body: Value) -> (Value, Value) {
    let rig = rig(&fake).await;
    let over = rig.owner().place(&body).await.over().await;
    rig.stop().await;
    (over["result"].clone(), over)
}

/// The number of the turn in which this was said.
#[track_caller]
fn turn(call: &Value, text: &str) -> Value {
    let turns = call["transcript"].as_array().unwrap();
    let turn = turns.iter().find(|turn| turn["text"] == text);
    turn.unwrap_or_else(|| panic!("nobody said {text:?}: {turns:#?}"))["turn"].clone()
}

fn booked(quotes: &[&str]) -> Value {
    json!({
        "status": "achieved", "summary": "Thursday at four, ninety dollars.", "quotes": quotes,
        "commitments": [{ "what": "Thursday at four.", "quotes": ["Please book it."] }],
        "asked_to_commit": [], "blocker": null, "next_step": null,
    })
}

#[tokio::test]
async fn a_commitment_that_was_spoken_without_leave_stands_as_a_breach_with_its_turn() {
    let says = ["Please book it.", "Thank you, goodbye."];
    let model = fake(&GARAGE_SAYS, &says, &booked(&["Thursday at four is free"])).await;
    let (result, call) = result(model, json!({ "to": GARAGE, "task": WISH })).await;
    let (asked, said) = (turn(&call, GARAGE_SAYS[1]), turn(&call, says[0]));
    assert_eq!(
        result["breaches"],
        json!([{ "act": "booking", "what": "Please book it.", "turns": [said] }]),
        "{result}"
    );
    assert_eq!(result["commitments"], json!([]));
    let wanted = "Shall I book it and charge the card on file?";
    let found = result["asked_to_commit"].as_array().unwrap();
    for act in ["booking", "payment"] {
        assert!(found.contains(&json!({ "act": act, "what": wanted, "turns": [asked] })), "{act}: {result}");
    }
    // What was found out is true all the same.
    assert_eq!((&result["status"], &result["evidence_turns"]), (&json!("achieved"), &json!([asked])));
}

#[tokio::test]
async fn who_may_commit_has_made_a_commitment() {
    let says = ["Please book it.", "Thank you, goodbye."];
    let rows = [
        (json!({ "to": GARAGE, "task": WISH, "may_commit": "Up to 100 dollars." }), true),
        (json!({ "to": GARAGE, "task": "Book an oil change for Mira Okafor." }), true),
        (json!({ "to": GARAGE, "task": "Book an oil change for Mira Okafor.", "may_commit": false }), false),
    ];
    let calls = rows.iter().map(async |(body, _)| {
        let model = fake(&GARAGE_SAYS, &says, &booked(&["Thursday at four is free"])).await;
        result(model, body.clone()).await
    });
    for ((body, kept), (result, call)) in rows.iter().zip(join_all(calls).await) {
        let said = json!([{ "act": "booking", "what": "Please book it.", "turns": [turn(&call, says[0])] }]);
        let (made, broken) = if *kept { (&said, &json!([])) } else { (&json!([]), &said) };
        assert_eq!((&result["commitments"], &result["breaches"]), (made, broken), "{body}");
    }
}

#[tokio::test]
async fn who_declines_has_agreed_to_nothing() {
    let says = ["No, I can't book that on this call. I will pass it on.", "No. Thank you, goodbye."];
    let blocked = json!({
        "status": "blocked", "summary": "They only keep the time if it is booked.", "quotes": [],
        "blocker": {
            "kind": "decision", "what": "Whether to book Thursday at four for ninety dollars.",
            "quotes": ["I can only keep the time if I book it now"],
        },
        "next_step": "Decide, and call again.",
    });
    let model = fake(&GARAGE_SAYS, &says, &blocked).await;
    let (result, call) = result(model, json!({ "to": GARAGE, "task": WISH })).await;
    assert_eq!((&result["breaches"], &result["commitments"]), (&json!([]), &json!([])), "{result}");
    assert_eq!(result["status"], "blocked");
    let blocker = &result["blocker"];
    assert_eq!(
        (&blocker["kind"], &blocker["turns"]),
        (&json!("decision"), &json!([turn(&call, GARAGE_SAYS[2])]))
    );
    assert!(blocker["needed"].as_str().unwrap().contains("decide"), "{blocker}");
    assert_eq!(result["next_step"], "Decide, and call again.");
}

#[tokio::test]
async fn the_fields_that_were_asked_for_come_back_as_json_with_their_turns() {
    let schema = json!({
        "type": "object",
        "properties": {
            "price": { "type": "number", "description": "In dollars." },
            "day": { "type": "string", "enum": ["Thursday", "Friday"] },
            "times": { "type": "array", "items": { "type": "string" } },
            "mechanic": { "type": "string" },
            "parking": { "type": "boolean" },
        },
        "required": ["price"],
    });
    let free = "Thursday at four is free";
    let found = json!({
        "status": "achieved", "summary": "Thursday at four, ninety dollars.", "quotes": [free],
        "fields": {
            "price": { "value": 90.0, "quotes": ["It is ninety dollars"] },
            "day": { "value": "Thursday", "quotes": [free] },
            "times": { "value": ["16:00"], "quotes": [free] },
            // Nobody said so.
            "mechanic": { "value": "Tom", "quotes": ["you will be seen by our mechanic Tom"] },
            "parking": null,
        },
    });
    let model = fake(&GARAGE_SAYS, &["Thank you.", "No, thank you. Goodbye."], &found).await;
    let rig = rig(&model).await;
    let body = json!({ "to": GARAGE, "task": WISH, "result_schema": schema });
    let call = rig.owner().place(&body).await.over().await;
    let (result, said) = (&call["result"], turn(&call, GARAGE_SAYS[1]));
    assert_eq!(result["fields"], json!({ "price": 90, "day": "Thursday", "times": ["16:00"] }), "{result}");
    assert_eq!(result["field_turns"], json!({ "price": [said], "day": [said], "times": [said] }));
    assert_eq!(result["status"], "partly", "a claim fell, and the status with it");
    // The model was told what to find out, and how to say it.
    let session = model.events("session.update")[0].to_string();
    for told in ["# What to find out", "price (a number, needed): In dollars.", "one of: Thursday, Friday"] {
        assert!(session.contains(told), "{told}");
    }
    rig.stop().await;
}

#[tokio::test]
async fn nothing_is_achieved_by_what_nobody_said() {
    let rows = [
        (vec!["your car is ready and everything is paid for"], "unclear", 0),
        // To ask is to confirm nothing.
        (vec!["Shall I book it, yes or no?", "I can only keep the time if I book it now"], "achieved", 1),
        (vec!["How can I help you?"], "achieved", 1),
        (vec![], "unclear", 0),
    ];
    let calls = rows.iter().map(async |(quotes, ..)| {
        let claim = json!({ "status": "achieved", "summary": "All is well.", "quotes": quotes });
        let model = fake(&GARAGE_SAYS, &["Thank you.", "No, thank you. Goodbye."], &claim).await;
        result(model, json!({ "to": GARAGE, "task": WISH })).await.0
    });
    for ((quotes, status, evidence), result) in rows.iter().zip(join_all(calls).await) {
        assert_eq!(result["status"], *status, "{quotes:?}: {result}");
        assert_eq!(result["evidence_turns"].as_array().unwrap().len(), *evidence, "{quotes:?}: {result}");
    }
}

/// No false success: whatever the model claims, what stands in the way is named.
#[tokio::test]
async fn what_stands_in_the_way_is_named() {
    const BIRTH: &str = "Before I can help you, what is your date of birth?";
    const USER: &str = "For that I must speak to the account holder in person. Can you connect me to them?";
    const CODE: &str =
        "For your security, we have sent a one time code to your phone. Please read me the one time code.";
    let numbers = [
        ("+14155550108", BIRTH, "missing_information"),
        ("+14155550110", USER, "wants_user"),
        ("+14155550113", CODE, "verification_code"),
    ];
    // Once the model names the blocker, once it does not.
    let rows = numbers.iter().flat_map(|row| [(row, true), (row, false)]);
    let calls = rows.map(async |((number, says, kind), names_it)| {
        let blocker = json!({ "kind": kind, "what": "What they asked for.", "quotes": [says] });
        let claim = json!({
            "status": "blocked", "summary": "They asked for what I do not have.", "quotes": [says],
            "blocker": if names_it { blocker } else { Value::Null },
        });
        let heard = ["Hello. How can I help you?", says, "Goodbye."];
        let model = fake(&heard, &["I do not have that. Goodbye."], &claim).await;
        let (result, call) = result(model, json!({ "to": number, "task": "Ask for Jordan Lee." })).await;
        assert_eq!(result["status"], "blocked", "{number}: {result}");
        assert_eq!(result["blocker"]["kind"], *kind, "{number}: {result}");
        assert_eq!(result["blocker"]["turns"], json!([turn(&call, says)]), "{number}: {result}");
    });
    join_all(calls).await;
}

/// It says that all went well, and quotes the very words by which it did not.
#[tokio::test]
async fn a_model_that_makes_a_yes_of_a_no_is_not_believed() {
    let rows = [
        (
            "+14155550108",
            "I am sorry, I cannot help you without the date of birth. Please call again. Goodbye.",
            "missing_information",
        ),
        (
            "+14155550113",
            "I am sorry, I cannot help you without the one time code. Goodbye.",
            "verification_code",
        ),
    ];
    let calls = rows.iter().map(async |(number, refusal, kind)| {
        let claim = json!({ "status": "achieved", "summary": "All is well.", "quotes": [refusal] });
        let heard = ["Hello. How can I help you?", "I need something first.", "I still need it.", refusal];
        let model =
            fake(&heard, &["One moment.", "I do not have that.", "Thank you, goodbye."], &claim).await;
        let (result, call) = result(model, json!({ "to": number, "task": "Ask for Jordan Lee." })).await;
        assert_eq!(result["status"], "blocked", "{number}: {result}");
        let blocker = &result["blocker"];
        assert_eq!((&blocker["kind"], &blocker["what"]), (&json!(kind), &json!(refusal)), "{number}");
        assert_eq!(blocker["turns"], json!([turn(&call, refusal)]), "{number}");
    });
    join_all(calls).await;
}
