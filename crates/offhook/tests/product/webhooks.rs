//! Webhooks: the events of a call at a receiver of its owner's, whatever that answers and whatever happens here.

use std::time::Duration;

use offhook::webhooks::Reach;
use offhook_testkit::quiet::Quiet;
use serde_json::{Value, json};

use crate::agent::{Agent, Call};
use crate::python;
use crate::receiver::{Received, Receiver, Reply};
use crate::rig::{BUSY, HANGS_UP, NEVER_ANSWERS, PATIENCE, Rig, Setup};

const NOW: Duration = Duration::from_millis(1);
const SOON: Duration = Duration::from_secs(2);

/// Tries again after these waits, and no longer than this for one answer.
async fn rig(waits: &[Duration], timeout: Duration) -> Rig {
    let mut setup = Setup::new();
    setup.config.webhooks.waits = waits.to_vec();
    setup.config.webhooks.timeout = timeout;
    setup.start().await
}

async fn place(owner: &Agent, to: &str, url: &str) -> Call {
    owner.place(&json!({ "to": to, "task": "Ask when they open on Sunday.", "webhook_url": url })).await
}

async fn log(call: &Call) -> Value {
    let answer = call.agent.get(&call.path("/deliveries")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// The log, once nothing is left to do.
async fn closed(call: &Call) -> Value {
    let closed = async {
        loop {
            let log = log(call).await;
            if log["webhook"]["state"] != "open" {
                return log;
            }
        }
    };
    tokio::time::timeout(PATIENCE, closed).await.expect("the webhook comes to its end")
}

/// Event, attempt, status and whether there was an error, of each attempt.
fn attempts(log: &Value) -> Vec<(String, u64, Option<u64>, bool)> {
    let attempt = |delivery: &Value| {
        let event = delivery["event"].as_str().unwrap().to_owned();
        let number = delivery["attempt"].as_u64().unwrap();
        (event, number, delivery["status"].as_u64(), delivery["error"].is_string())
    };
    log["deliveries"].as_array().unwrap().iter().map(attempt).collect()
}

async fn secret(owner: &Agent) -> String {
    let answer = owner.get("/me/webhook-secret").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["secret"].as_str().unwrap().to_owned()
}

/// What the library of Standard Webhooks says of each.
async fn verified(messages: &[Value]) -> Vec<String> {
    let input = Value::from(messages).to_string();
    let (code, printed) = python::run("verify_webhook.py", &[], &input).await;
    assert_eq!(code, 0, "{printed}");
    printed.lines().map(str::to_owned).collect()
}

fn of_call<'a>(received: &'a [Received], call: &Call) -> Vec<&'a Received> {
    received.iter().filter(|received| received.json()["data"]["call_id"] == call.id).collect()
}

#[tokio::test]
async fn every_event_arrives_once_in_order_signed() {
    let rig = Rig::start().await;
    let receiver = Receiver::start([]).await;
    let owner = rig.owner();
    let call = place(&owner, HANGS_UP, &receiver.url("/hook?token=abc")).await;
    let received = receiver.until_event("call.ended").await;

    // What was sent is what the journal tells, in its order.
    let journal = call.journal().await;
    let told = |code: &str| journal.iter().find(|event| event["code"] == code).unwrap().clone();
    let events: Vec<String> = received.iter().map(Received::event).collect();
    assert_eq!((events[0].as_str(), events.last().unwrap().as_str()), ("call.answered", "call.ended"));
    let mut seqs = Vec::new();
    for message in &received {
        let event = message.json();
        let (fact, seq) = (told(&message.event()), event["data"]["seq"].as_u64().unwrap());
        seqs.push(seq);
        assert_eq!(message.path, "/hook?token=abc");
        assert_eq!(message.headers["content-type"], "application/json");
        assert!(message.headers["user-agent"].starts_with("offhook/"));
        assert_eq!(message.id(), format!("{}-{seq}", call.id));
        assert_eq!((&event["timestamp"], &event["data"]["call_id"]), (&fact["at"], &json!(call.id)));
        assert_eq!(event["data"]["elapsed_ms"], fact["elapsed_ms"]);
    }
    assert!(seqs.is_sorted() && !seqs.windows(2).any(|two| two[0] == two[1]), "{seqs:?}");

    // The last one carries the call, as it is shown.
    let mut sent = received.last().unwrap().json()["data"]["call"].take();
    let mut shown = call.over().await;
    // What is left of an account is told to whoever asks, when they ask.
    shown.as_object_mut().unwrap().remove("_meta");
    for call in [&mut sent, &mut shown] {
        let link = call["recording_url"].take();
        assert!(link.as_str().is_some_and(|link| link.starts_with(&rig.app.url())), "{link}");
    }
    assert_eq!(sent, shown);

    let secret = secret(&owner).await;
    let stranger = self::secret(&rig.stranger().await).await;
    assert_ne!(secret, stranger);
    let mut forged = received[0].with_secret(&secret);
    forged["body"] = json!(received[0].body.replace("call.answered", "call.ended"));
    let mut messages: Vec<Value> = received.iter().map(|message| message.with_secret(&secret)).collect();
    messages.extend([forged, received[0].with_secret(&stranger)]);
    let verdicts = verified(&messages).await;
    let (ours, others) = verdicts.split_at(received.len());
    assert!(ours.iter().all(|verdict| verdict == "ok"), "{verdicts:?}");
    assert_eq!(others, ["refused", "refused"]);

    let log = closed(&call).await;
    assert_eq!(
        (&log["webhook"]["state"], &log["webhook"]["next_attempt_at"]),
        (&json!("done"), &Value::Null)
    );
    let expected: Vec<_> = events.into_iter().map(|event| (event, 1, Some(200), false)).collect();
    assert_eq!(attempts(&log), expected);
    Quiet::install().never("token=abc");
    rig.stop().await;
}

#[tokio::test]
async fn what_is_not_taken_is_sent_again_and_holds_up_what_follows() {
    let rig = rig(&[NOW, NOW, NOW], SOON).await;
    let receiver = Receiver::start([Reply::Status(500), Reply::Status(429)]).await;
    let call = place(&rig.owner(), HANGS_UP, &receiver.url("/")).await;
    let received = receiver.until_event("call.ended").await;
    let first: Vec<&str> = received[..3].iter().map(Received::id).collect();
    assert_eq!(first, [first[0]; 3], "the same event, the same id");
    assert!(received[..3].iter().all(|message| message.event() == "call.answered"));
    assert!(received[3..].iter().all(|message| message.id() != first[0]));
    let log = closed(&call).await;
    let answered = |attempt, status, failed| ("call.answered".to_owned(), attempt, Some(status), failed);
    assert_eq!(
        attempts(&log)[..3],
        [answered(1, 500, true), answered(2, 429, true), answered(3, 200, false)]
    );
    assert_eq!(log["deliveries"][0]["error"], "the receiver answered 500");
    rig.stop().await;
}

#[tokio::test]
async fn a_restart_goes_on_where_the_last_process_was() {
    let rig = rig(&[SOON; 20], SOON).await;
    let receiver = Receiver::start([]).await;
    receiver.answer(Reply::Status(503));
    let call = place(&rig.owner(), BUSY, &receiver.url("/")).await;
    let before = receiver.until("an attempt", |received| !received.is_empty()).await;
    call.over().await;
    assert_eq!(log(&call).await["webhook"]["state"], "open");

    let rig = rig.restart().await;
    let attempts_before = receiver.received().len();
    receiver.answer(Reply::Status(204));
    let log = closed(&call).await;
    let received = receiver.received();
    assert!(received.len() > attempts_before, "{received:#?}");
    assert!(received.iter().all(|message| message.id() == before[0].id()), "{received:#?}");
    let attempts = attempts(&log);
    let numbers: Vec<u64> = attempts.iter().map(|(_, number, ..)| *number).collect();
    // What an attempt came to may be lost with the process; no number is skipped.
    assert!(numbers.len() > 1 && numbers.iter().copied().eq(1..=numbers.len() as u64), "{attempts:?}");
    assert_eq!(attempts.last().unwrap().2, Some(204));
    rig.stop().await;
}

#[tokio::test]
async fn a_call_that_a_restart_ends_is_told_by_the_next_process() {
    let rig = Rig::start().await;
    let receiver = Receiver::start([]).await;
    let call = place(&rig.owner(), NEVER_ANSWERS, &receiver.url("/")).await;
    call.until_code("call.ringing").await;
    let rig = rig.restart().await;
    let received = receiver.until_event("call.ended").await;
    let ended = received.last().unwrap().json();
    assert_eq!(ended["data"]["reason"], "gateway.shutdown");
    assert_eq!(ended["data"]["call"]["lifecycle"], "finalized");
    rig.stop().await;
}

#[tokio::test]
async fn a_slow_receiver_is_not_waited_for_and_holds_up_nobody() {
    let rig = rig(&[NOW, NOW], Duration::from_millis(300)).await;
    let slow = Receiver::start([Reply::Never, Reply::Never]).await;
    let quick = Receiver::start([]).await;
    let owner = rig.owner();
    let waiting = place(&owner, BUSY, &slow.url("/")).await;
    slow.until("a request", |received| !received.is_empty()).await;
    let other = place(&owner, HANGS_UP, &quick.url("/")).await;
    quick.until_event("call.ended").await;
    let log = closed(&waiting).await;
    let ended = |attempt, status: Option<u64>| ("call.ended".to_owned(), attempt, status, status.is_none());
    assert_eq!(attempts(&log), [ended(1, None), ended(2, None), ended(3, Some(200))]);
    assert_eq!(log["deliveries"][0]["error"], "there was no answer within 300 ms");
    assert!(log["deliveries"][0]["took_ms"].as_u64().unwrap() >= 300, "{log}");
    assert!(attempts(&closed(&other).await).iter().all(|(_, number, ..)| *number == 1));
    rig.stop().await;
}

#[tokio::test]
async fn gone_is_gone() {
    let rig = Rig::start().await;
    let receiver = Receiver::start([Reply::Status(410)]).await;
    let owner = rig.owner();
    let call = place(&owner, HANGS_UP, &receiver.url("/")).await;
    call.over().await;
    let log = closed(&call).await;
    assert_eq!(log["webhook"]["state"], "gone");
    assert_eq!(attempts(&log), [("call.answered".to_owned(), 1, Some(410), true)]);
    // Of a later call there is everything; of this one there was never more.
    let later = place(&owner, BUSY, &receiver.url("/")).await;
    receiver.until_event("call.ended").await;
    assert_eq!(of_call(&receiver.received(), &call).len(), 1);
    assert_eq!(of_call(&receiver.received(), &later).len(), 1);
    rig.stop().await;
}

#[tokio::test]
async fn nobody_is_followed_elsewhere_and_tried_for_ever() {
    let rig = rig(&[NOW, NOW], SOON).await;
    let elsewhere = Receiver::start([]).await;
    let receiver = Receiver::start([]).await;
    receiver.answer(Reply::Redirect(elsewhere.url("/")));
    let call = place(&rig.owner(), BUSY, &receiver.url("/")).await;
    let log = closed(&call).await;
    assert_eq!(log["webhook"]["state"], "given_up");
    let ended = |attempt| ("call.ended".to_owned(), attempt, Some(307), true);
    assert_eq!(attempts(&log), [ended(1), ended(2), ended(3)]);
    assert_eq!(elsewhere.received().len(), 0);
    assert_eq!(receiver.received().len(), 3);
    rig.stop().await;
}

#[tokio::test]
async fn where_nothing_private_may_be_reached_no_call_is_placed_with_it() {
    let mut setup = Setup::new();
    setup.config.webhooks.reach = Reach::new(false, vec![]);
    let rig = setup.start().await;
    let receiver = Receiver::start([]).await;
    let owner = rig.owner();
    for url in [
        receiver.url("/"),
        receiver.url("/").replace("127.0.0.1", "localhost"),
        "https://10.0.0.1/".to_owned(),
        "https://[fe80::1]/".to_owned(),
        "https://169.254.169.254/latest".to_owned(),
        "http://example.com/".to_owned(),
        "ftp://example.com/".to_owned(),
        "https://key:secret@example.com/".to_owned(),
    ] {
        let body = json!({ "to": BUSY, "task": "Ask.", "webhook_url": url });
        let answer = owner.ask(&body).await;
        assert_eq!(answer.error(), (400, "invalid_request".to_owned()), "{url}");
        let message = answer.json()["error"]["message"].to_string();
        assert!(message.contains("webhook_url: "), "{message}");
    }
    let body = json!({ "to": BUSY, "task": "Ask.", "webhook_url": 7 });
    assert_eq!(owner.ask(&body).await.error(), (400, "invalid_request".to_owned()));
    assert_eq!(receiver.received().len(), 0);
    rig.stop().await;
}

#[tokio::test]
async fn a_secret_is_changed_without_losing_an_event() {
    let rig = Rig::start().await;
    let receiver = Receiver::start([]).await;
    let owner = rig.owner();
    place(&owner, BUSY, &receiver.url("/")).await;
    let before = receiver.until("an event", |received| received.len() == 1).await;
    let old = secret(&owner).await;
    let rotated = owner.post("/me/webhook-secret/rotate").await.json();
    let new = rotated["secret"].as_str().unwrap().to_owned();
    assert_ne!(old, new);
    assert!(rotated["previous_valid_until"].as_str().is_some_and(|at| at.ends_with('Z')), "{rotated}");
    assert_eq!(secret(&owner).await, new);
    place(&owner, BUSY, &receiver.url("/")).await;
    let after = receiver.until("another", |received| received.len() == 2).await;
    let messages = [
        before[0].with_secret(&old),
        before[0].with_secret(&new),
        after[1].with_secret(&old),
        after[1].with_secret(&new),
    ];
    assert_eq!(verified(&messages).await, ["ok", "refused", "ok", "ok"]);
    // A restart knows which it is.
    let rig = rig.restart().await;
    assert_eq!(secret(&owner).await, new);
    rig.stop().await;
}

#[tokio::test]
async fn nobody_else_sees_where_events_go() {
    let rig = Rig::start().await;
    let receiver = Receiver::start([]).await;
    let owner = rig.owner();
    let call = place(&owner, BUSY, &receiver.url("/")).await;
    closed(&call).await;
    let stranger = rig.stranger().await;
    assert_eq!(stranger.get(&call.path("/deliveries")).await.error(), (404, "not_found".to_owned()));
    for path in [call.path("/deliveries"), "/me/webhook-secret".to_owned()] {
        assert_eq!(rig.owner().get(&path).await.error(), (401, "auth_required".to_owned()), "{path}");
    }
    let admin = rig.admin().await;
    assert_eq!(admin.known(&call.id).agent.get(&call.path("/deliveries")).await.status, 200);

    // And a call without a webhook has none.
    let plain = owner.call(HANGS_UP).await;
    let expected = json!({ "call_id": plain.id, "webhook": null, "deliveries": [] });
    assert_eq!(log(&plain).await, expected);
    rig.stop().await;
}

#[tokio::test]
async fn a_repeat_with_another_receiver_is_another_request() {
    let rig = Rig::start().await;
    let receiver = Receiver::start([]).await;
    let owner = rig.stranger().await;
    let ask = async |url: &str| {
        let body = json!({ "to": BUSY, "task": "Ask when they open.", "webhook_url": url });
        let request = owner.request(reqwest::Method::POST, "/call").json(&body);
        crate::agent::Answer::to(request.header("Idempotency-Key", "one-and-the-same-request")).await
    };
    let first = ask(&receiver.url("/a")).await;
    let again = ask(&receiver.url("/a")).await;
    assert_eq!(again.json()["call_id"], first.json()["call_id"]);
    assert_eq!(ask(&receiver.url("/b")).await.error(), (422, "idempotency_key_reused".to_owned()));
    closed(&owner.known(first.json()["call_id"].as_str().unwrap())).await;
    assert_eq!(receiver.received().len(), 1);
    rig.stop().await;
}
