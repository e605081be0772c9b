//! A call shown as it happens, and what is typed meanwhile.

use std::time::Duration;

use futures_util::StreamExt as _;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::Failure;
use super::call::hangup_path;
use super::client::Client;
use super::interrupt::Interrupts;
use crate::demo::show;

/// Times a lost event stream is taken up again, without a word in between, before the call is only looked at.
const RECONNECTS: u32 = 5;
/// After which pause; a server that starts again is back within some of them.
const RECONNECT_PAUSE: Duration = Duration::from_secs(1);

/// Print the call's events as they come. Ctrl-C hangs up and goes on to the end, once more leaves at once.
pub async fn show(
    client: &Client,
    id: &str,
    json: bool,
    typed: bool,
    mut interrupts: Interrupts,
) -> Result<Value, Failure> {
    let watching = watch(client, id, json);
    tokio::pin!(watching);
    tokio::select! {
        call = &mut watching => return call,
        () = take_typed(client, id), if typed => {}
        () = interrupts.next() => eprintln!("offhook: hanging up; Ctrl-C again leaves at once"),
    }
    let hanging_up = async {
        let answer = client.post(&hangup_path(id), &json!({})).await;
        answer.map_err(|error| Failure::Failed(format!("{error}\n{}", may_go_on(id))))
    };
    tokio::select! {
        ended = async { tokio::try_join!(hanging_up, watching) } => ended.map(|(_, call)| call),
        () = interrupts.next() => Err(Failure::Failed(may_go_on(id))),
    }
}

const TYPING: &str =
    "type an answer when the voice asks, or /say TEXT, /note TEXT, /keys 1w2, /bridge [NUMBER], /hangup";

/// A line of the keyboard.
#[derive(Debug, PartialEq, Eq)]
enum Typed<'a> {
    Nothing,
    HangUp,
    /// For this path below the call.
    Tell(&'static str, Value),
    Unknown(&'a str),
}

fn read(line: &str) -> Typed<'_> {
    let line = line.trim();
    let Some(command) = line.strip_prefix('/') else {
        return if line.is_empty() {
            Typed::Nothing
        } else {
            Typed::Tell("answer", json!({ "answer": line }))
        };
    };
    let (verb, rest) = command.split_once(' ').unwrap_or((command, ""));
    match (verb, rest.trim()) {
        ("hangup", "") => Typed::HangUp,
        ("bridge", "") => Typed::Tell("bridge", json!({})),
        ("bridge", number) => Typed::Tell("bridge", json!({ "bridge_number": number })),
        ("say", text) if !text.is_empty() => Typed::Tell("say", json!({ "text": text })),
        ("note", text) if !text.is_empty() => Typed::Tell("instruct", json!({ "text": text })),
        ("keys", digits) if !digits.is_empty() => Typed::Tell("digits", json!({ "digits": digits })),
        _ => Typed::Unknown(verb),
    }
}

/// Until it is to be hung up. What can't be done is said, and the call goes on.
async fn take_typed(client: &Client, id: &str) {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        match read(&line) {
            Typed::Nothing => {}
            Typed::HangUp => return,
            Typed::Unknown(verb) => eprintln!("offhook: there is no /{verb}; {TYPING}"),
            Typed::Tell(what, body) => {
                if let Err(error) = client.post(&format!("/call/{id}/{what}"), &body).await {
                    eprintln!("offhook: {error}; {TYPING}");
                }
            }
        }
    }
    // Nobody types any more.
    std::future::pending().await
}

fn may_go_on(id: &str) -> String {
    format!("the call may go on: `offhook hangup {id}` ends it, `offhook show {id}` tells how it is")
}

/// The call as it is at its end.
async fn watch(client: &Client, id: &str, json: bool) -> Result<Value, Failure> {
    let mut printer = show::EventPrinter::default();
    let (mut last_seq, mut lost) = (0, 0);
    loop {
        let before = last_seq;
        let ended = follow_once(client, id, &mut last_seq, |event| {
            if json { println!("{event}") } else { printer.print(event) }
        })
        .await;
        lost = if last_seq == before { lost + 1 } else { 1 };
        match ended {
            Ok(true) => break,
            Ok(false) | Err(Failure::Unreachable(_)) if lost <= RECONNECTS => {
                tokio::time::sleep(RECONNECT_PAUSE).await;
            }
            Ok(false) => break,
            Err(error) => return Err(error),
        }
    }
    client.get(&format!("/call/{id}")).await
}

/// Whether the stream came to the end of the call, not only to its own.
async fn follow_once(
    client: &Client,
    id: &str,
    last_seq: &mut u64,
    mut each: impl FnMut(&Value),
) -> Result<bool, Failure> {
    let response = client.stream(&format!("/call/{id}/events?after={last_seq}")).await?;
    if response.status() == StatusCode::NO_CONTENT {
        return Ok(true);
    }
    let mut chunks = response.bytes_stream();
    let mut stream = Vec::new();
    while let Some(Ok(chunk)) = chunks.next().await {
        stream.extend_from_slice(&chunk);
        for event in show::events(&mut stream) {
            each(&event);
            *last_seq = event["seq"].as_u64().unwrap_or(*last_seq);
            if event["code"] == "call.ended" {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_reaches_the_call() {
        for (line, expected) in [
            ("", Typed::Nothing),
            ("  HC-3381 ", Typed::Tell("answer", json!({ "answer": "HC-3381" }))),
            ("/say Sunday is fine.", Typed::Tell("say", json!({ "text": "Sunday is fine." }))),
            ("/note ask about parking", Typed::Tell("instruct", json!({ "text": "ask about parking" }))),
            ("/keys 1w2#", Typed::Tell("digits", json!({ "digits": "1w2#" }))),
            ("/bridge", Typed::Tell("bridge", json!({}))),
            ("/bridge +13125550163", Typed::Tell("bridge", json!({ "bridge_number": "+13125550163" }))),
            ("/hangup", Typed::HangUp),
            ("/hangup now", Typed::Unknown("hangup")),
            ("/say", Typed::Unknown("say")),
            ("/dance", Typed::Unknown("dance")),
        ] {
            assert_eq!(read(line), expected, "{line}");
        }
    }
}
