//! The event stream of a call.

use serde_json::Value;

use crate::python;
use crate::server::{BUSY, Server, send};

/// `id`, `event` and `data` of each event of a stream that ended.
fn events(stream: &[u8]) -> Vec<(u64, String, Value)> {
    let text = std::str::from_utf8(stream).unwrap();
    let blocks = text.split("\n\n").filter(|block| block.contains("data:"));
    let field = |block: &str, name: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap_or_else(|| panic!("no {name} in {block}")).trim().to_owned()
    };
    blocks
        .map(|block| {
            let data = serde_json::from_str(&field(block, "data")).unwrap();
            (field(block, "id").parse().unwrap(), field(block, "event"), data)
        })
        .collect()
}

#[tokio::test]
async fn a_stream_tells_everything_in_order_and_ends() {
    let server = Server::start().await;
    let (id, agent) = server.first_call(BUSY).await;
    let answer = agent.get(&format!("/call/{id}/events")).await;
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    let all = events(&answer.bytes);
    for (index, (seq, code, data)) in all.iter().enumerate() {
        assert_eq!(*seq, index as u64 + 1);
        assert_eq!((&data["seq"], &data["code"]), (&Value::from(*seq), &Value::from(code.as_str())));
        assert!(
            data["at"].as_str().is_some_and(|at| at.ends_with('Z')) && data["elapsed_ms"].is_u64(),
            "{data}"
        );
    }
    let codes: Vec<&str> = all.iter().map(|(_, code, _)| code.as_str()).collect();
    assert_eq!((codes[0], *codes.last().unwrap()), ("call.queued", "call.ended"));
    assert!(codes.contains(&"call.dialing"), "{codes:?}");
    assert_eq!(all.last().unwrap().2["reason"], "remote.busy");
    server.stop().await;
}

#[tokio::test]
async fn a_stream_goes_on_where_it_was_left() {
    let server = Server::start().await;
    let (id, agent) = server.first_call(BUSY).await;
    agent.finalized(&id).await;
    let path = format!("/call/{id}/events");
    let all = events(&agent.get(&path).await.bytes);
    let last = all.last().unwrap().0;
    for (query, header, first) in [
        ("", Some("2"), 3),
        ("?after=1", None, 2),
        // The header is what the browser knows; the query is where it once began.
        ("?after=1", Some("2"), 3),
    ] {
        let mut request = server.get(&format!("{path}{query}")).header("X-Api-Key", &agent.key);
        if let Some(id) = header {
            request = request.header("Last-Event-ID", id);
        }
        let rest = events(&send(request).await.bytes);
        assert_eq!((rest.first().unwrap().0, rest.last().unwrap().0), (first, last), "{query} {header:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn when_nothing_is_left_to_tell_204_says_so() {
    let server = Server::start().await;
    let (id, agent) = server.first_call(BUSY).await;
    let over = agent.events_until(&id, "call.ended").await;
    let last = over.last().unwrap()["seq"].as_u64().unwrap();
    for after in [last, last + 1] {
        let answer = agent.get(&format!("/call/{id}/events?after={after}")).await;
        assert_eq!((answer.status.as_u16(), answer.bytes.len()), (204, 0));
        assert_eq!(answer.header("content-type"), None);
    }
    server.stop().await;
}

#[tokio::test]
async fn an_event_source_receives_everything_once_and_then_stops_asking() {
    let server = Server::start().await;
    let (id, agent) = server.first_call(BUSY).await;
    let url = format!("{}/call/{id}/events", server.url());
    let (code, printed) = python::run("event_source.py", &[&url, &agent.key], "").await;
    assert_eq!(code, 0, "{printed}");
    let mut received: Vec<&str> = printed.lines().collect();
    assert_eq!(received.pop(), Some("204"), "{printed}");
    let all = events(&agent.get(&format!("/call/{id}/events")).await.bytes);
    assert_eq!(received, all.iter().map(|(_, code, _)| code.as_str()).collect::<Vec<_>>());
    server.stop().await;
}
