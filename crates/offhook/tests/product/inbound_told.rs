//! What is left of a call that came in, and who is told: messages on the call, events at a webhook, a line in a chat.

use offhook::webhooks::Reach;
use offhook_testkit::realtime::Reply;
use serde_json::{Value, json};

use crate::inbound::{Desk, HELLO, STRANGER, caller, goodbye};
use crate::realtime::model;
use crate::receiver::{Received, Receiver, Reply as Answer};
use crate::rig::LINE;

const MESSAGE: &str = "The <!channel> keys are at the desk.";

fn takes_message() -> Vec<Reply> {
    let message = json!({ "name": "Ben", "message": MESSAGE, "call_back": "360 555 9999" });
    vec![Reply::call("take_message", &message.to_string()), goodbye()]
}

async fn desk(inbound: &str, notify: &str, receiver: &Receiver) -> Desk {
    let url = receiver.url("/chat");
    let text = format!("notify_url = {url:?}\n{notify}{inbound}");
    Desk::open_with(&text, model(takes_message(), &[HELLO, "Goodbye."]), |setup| {
        setup.config.webhooks.waits = vec![std::time::Duration::from_millis(1); 3];
        setup.config.webhooks.reach = Reach::new(false, vec!["127.0.0.0/8".parse().unwrap()]);
    })
    .await
}

async fn told(receiver: &Receiver, count: usize) -> Vec<Received> {
    receiver.until("what the chat is told", |received| received.len() >= count).await
}

#[tokio::test]
async fn a_message_stands_on_the_call_and_reaches_the_chat() {
    // The first two attempts are in vain.
    let receiver = Receiver::start([Answer::Status(500), Answer::Status(429)]).await;
    let desk = desk("", "", &receiver).await;
    desk.call(STRANGER, LINE, &caller()).await;
    let calls = desk.calls(1).await;
    let message = &calls[0]["messages"][0];
    assert_eq!(
        (&message["name"], &message["message"], &message["call_back"]),
        (&json!("Ben"), &json!(MESSAGE), &json!("360 555 9999")),
        "{}",
        calls[0]
    );
    let received = told(&receiver, 3).await;
    let text = received[2].json()["text"].as_str().unwrap().to_owned();
    for told in
        ["Call from +1…99", LINE, "answered", "Ben", "keys are at the desk", "the number they called from"]
    {
        assert!(text.contains(told), "{told} in {text}");
    }
    assert!(
        !text.contains("<!channel>") && !text.contains("5559999") && !text.contains("555 9999"),
        "{text}"
    );
    assert_eq!(received[0].body, received[2].body);
    assert!(received.iter().all(|one| one.path == "/chat" && !one.headers.contains_key("webhook-signature")));
    desk.rig.stop().await;
}

#[tokio::test]
async fn each_chat_reads_what_it_understands() {
    let receiver = Receiver::start([]).await;
    let discord = desk("", "notify_format = \"discord\"\nnotify_whole_numbers = true\n", &receiver).await;
    discord.call(STRANGER, LINE, &caller()).await;
    let body = told(&receiver, 1).await[0].json();
    assert!(body["content"].as_str().unwrap().contains(STRANGER), "{body}");
    assert_eq!(body["allowed_mentions"], json!({ "parse": [] }));
    discord.rig.stop().await;

    let json =
        desk("", "notify_format = \"json\"\nnotify_declined = true\ncallers = \"list\"\n", &receiver).await;
    json.call(STRANGER, LINE, &caller()).await;
    let body = told(&receiver, 2).await[1].json();
    for (field, expected) in [
        ("event", json!("inbound.call")),
        ("line", json!(LINE)),
        ("from", json!("+1…99")),
        ("end_reason", json!("policy.refused")),
        ("declined_by", json!("inbound_list")),
        ("messages", json!([])),
    ] {
        assert_eq!(body[field], expected, "{field} in {body}");
    }
    json.rig.stop().await;
}

#[tokio::test]
async fn what_was_not_told_is_told_after_a_restart() {
    let receiver = Receiver::start([]).await;
    receiver.answer(Answer::Status(500));
    let desk = desk("", "", &receiver).await;
    let Desk { rig, fake, addr } = desk;
    let rig =
        rig.restart_with(|config| config.webhooks.waits = vec![std::time::Duration::from_secs(1); 30]).await;
    let desk = Desk { rig, fake, addr };
    desk.call(STRANGER, LINE, &caller()).await;
    told(&receiver, 1).await;
    receiver.answer(Answer::Status(200));
    let rig = desk.rig.restart().await;
    let at_least = receiver.received().len() + 1;
    told(&receiver, at_least).await;
    rig.stop().await;
}

#[tokio::test]
async fn the_events_of_a_call_go_to_the_webhook_of_the_line() {
    let receiver = Receiver::start([]).await;
    let webhook = format!("webhook_url = {:?}\n", receiver.url("/events"));
    let desk = Desk::open_with(&webhook, model(takes_message(), &[HELLO, "Goodbye."]), |setup| {
        setup.config.webhooks.reach = Reach::new(false, vec!["127.0.0.0/8".parse().unwrap()]);
    })
    .await;
    desk.call(STRANGER, LINE, &caller()).await;
    let received = receiver.until_event("call.ended").await;
    let events: Vec<String> = received.iter().map(Received::event).collect();
    assert!(
        events.contains(&"call.answered".to_owned()) && events.contains(&"message.taken".to_owned()),
        "{events:?}"
    );
    let taken: Value = received.iter().find(|one| one.event() == "message.taken").unwrap().json();
    assert!(taken.to_string().contains("keys are at the desk"), "{taken}");
    desk.rig.stop().await;
}
