//! The event stream of a call.

use serde_json::Value;

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
    assert!(events(&agent.get(&format!("{path}?after={last}")).await.bytes).is_empty());
    server.stop().await;
}
