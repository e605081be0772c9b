//! Requests that nobody means well with: malformed, huge, deeply nested, in strange encodings, with forged headers.
//! Each is answered with the envelope or closed, nothing is done, and the next honest caller is served.

use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::agent::{Agent, Answer};
use crate::approvals::Approving as _;
use crate::campaigns::Campaigning as _;
use crate::clawcall::{ClawCall, check_envelope};
use crate::document::{Ids, operations};
use crate::rig::{BUSY, PATIENCE, Rig};
use crate::schedules::Scheduling as _;

/// What is no JSON object, or more than anybody may send.
fn bodies() -> Vec<(&'static str, Vec<u8>)> {
    let nested = |open: &str, close: &str, depth: usize| {
        [open.repeat(depth), "1".to_owned(), close.repeat(depth)].concat().into_bytes()
    };
    vec![
        ("nothing", Vec::new()),
        ("a brace", b"{".to_vec()),
        ("two objects", b"{}{}".to_vec()),
        ("a list", b"[]".to_vec()),
        ("a text", b"\"call\"".to_vec()),
        ("null", b"null".to_vec()),
        ("a number of a thousand digits", "9".repeat(1_000).into_bytes()),
        ("an infinite number", br#"{"to": 1e999}"#.to_vec()),
        ("NaN", br#"{"to": NaN}"#.to_vec()),
        ("a comment", br#"{"to": "x" /* y */}"#.to_vec()),
        ("single quotes", b"{'to': 'x'}".to_vec()),
        ("a trailing comma", br#"{"to": "x",}"#.to_vec()),
        ("a byte order mark", b"\xef\xbb\xbf{}".to_vec()),
        ("half a surrogate", br#"{"to": "\ud800", "task": "x"}"#.to_vec()),
        ("bytes that are no UTF-8", b"{\"to\": \"\xff\xfe\"}".to_vec()),
        ("UTF-16", "{\"to\": \"x\"}".encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("zero bytes", vec![0; 1_000]),
        ("a control character", b"{\"to\": \"\x01\"}".to_vec()),
        ("a deep list", nested("[", "]", 100_000)),
        ("a deep object", nested(r#"{"a":"#, "}", 20_000)),
        ("a deep list in a field", [b"{\"to\": ".to_vec(), nested("[", "]", 50_000), b"}".to_vec()].concat()),
        ("300 kB", [b"{\"task\": \"".to_vec(), vec![b'x'; 300 * 1_024], b"\"}".to_vec()].concat()),
        (
            "gzip",
            vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xab, 0xae, 5, 0, 0x43, 0xbf, 0xa6, 0xa3, 2, 0, 0, 0],
        ),
        ("a form", b"to=%2B14155550100&task=x".to_vec()),
        (
            "XML",
            b"<?xml version=\"1.0\"?><!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><to>&e;</to>"
                .to_vec(),
        ),
    ]
}

/// Every answer that is no success is an envelope.
fn judge(what: &str, answer: &Answer) {
    assert!(!answer.status.is_server_error(), "{what}: {answer:?}");
    if answer.status.is_client_error() {
        check_envelope(&answer.headers, &answer.json());
    }
}

/// Nothing was done, and the next caller is served.
async fn unharmed(rig: &Rig, agent: &Agent, calls: usize) {
    let listed = agent.get("/calls").await.json();
    assert_eq!(listed["calls"].as_array().unwrap().len(), calls, "{listed}");
    let honest = ClawCall::of(rig);
    let id = honest.call(BUSY).await;
    assert_eq!(honest.finalized(&id).await.call["outcome"], "busy");
}

#[tokio::test]
async fn bodies_that_are_none() {
    let rig = Rig::start().await;
    let agent = rig.stranger().await;
    let over = agent.call(BUSY).await;
    over.over().await;
    let campaign = agent.campaign(BUSY).await;
    let schedule = agent.schedule(BUSY, "Ask when they open.").await;
    let approval = agent.approval("Pay Acme").await;
    let ids =
        Ids { call: &over.id, campaign: &campaign, schedule: &schedule, approval: &approval, key: "none" };
    for operation in operations().iter().filter(|operation| operation.body.is_object()) {
        for (what, body) in bodies() {
            if operation.is_optional && (body.is_empty() || body == b"null") {
                continue;
            }
            let (path, method) = (ids.fill(&operation.path), operation.method.parse().unwrap());
            let answer = Answer::to(agent.request(method, &path).body(body)).await;
            let what = format!("{} with {what}", operation.name());
            judge(&what, &answer);
            assert!(answer.status.is_client_error(), "{what}: {answer:?}");
            let code = answer.error().1;
            assert!(
                ["invalid_request", "payload_too_large", "missing_fields", "invalid_phone"]
                    .contains(&code.as_str()),
                "{what}: {code}"
            );
        }
    }
    // The door for MCP has a protocol of its own, with errors of its own; it does nothing all the same.
    for (what, body) in bodies() {
        let answer = Answer::to(agent.request(Method::POST, "/mcp").body(body)).await;
        assert!(!answer.status.is_server_error(), "/mcp with {what}: {answer:?}");
        assert!(
            !String::from_utf8_lossy(&answer.bytes).contains("\"result\""),
            "/mcp with {what}: {answer:?}"
        );
    }
    unharmed(&rig, &agent, 3).await;
    rig.stop().await;
}

/// What an agent sends by mistake where no body is wanted.
#[tokio::test]
async fn bodies_where_none_is_wanted() {
    let rig = Rig::start().await;
    let agent = rig.stranger().await;
    let over = agent.call(BUSY).await;
    over.over().await;
    let campaign = agent.campaign(BUSY).await;
    let schedule = agent.schedule(BUSY, "Ask when they open.").await;
    let approval = agent.approval("Pay Acme").await;
    let ids =
        Ids { call: &over.id, campaign: &campaign, schedule: &schedule, approval: &approval, key: "none" };
    for operation in operations().iter().filter(|operation| !operation.body.is_object()) {
        // Done to a schedule, that would call somebody; to a key, it is another.
        if operation.path.contains("rotate") || operation.path.contains("run-now") {
            continue;
        }
        for body in ["{}", "{", "[1]", "\u{0}"] {
            let (path, method) = (ids.fill(&operation.path), operation.method.parse().unwrap());
            let request = agent.request(method, &path).header("Content-Type", "application/json");
            judge(&operation.name(), &Answer::to(request.body(body)).await);
        }
    }
    unharmed(&rig, &agent, 3).await;
    rig.stop().await;
}

#[tokio::test]
async fn content_types_and_encodings_change_nothing() {
    let rig = Rig::start().await;
    let agent = rig.stranger().await;
    let mut placed = 0;
    for (name, value) in [
        ("content-type", "text/plain"),
        ("content-type", "application/xml"),
        ("content-type", "multipart/form-data; boundary=x"),
        ("content-type", "application/json; charset=utf-16"),
        ("content-type", ";;;"),
        ("content-encoding", "identity"),
        ("accept", "text/html"),
        ("accept", "*/*;q=0"),
        ("accept-encoding", "br;q=1.0, gzip;q=0.8"),
        ("x-http-method-override", "DELETE"),
        ("x-forwarded-for", "127.0.0.1, 10.0.0.1"),
        ("x-forwarded-host", "evil.example"),
        ("forwarded", "for=127.0.0.1;host=evil.example;proto=https"),
        ("x-original-url", "/healthz"),
        ("x-request-id", "a/../../b <script>"),
        ("cookie", "session=1"),
        ("range", "bytes=0-0"),
        ("if-none-match", "*"),
        ("expect", "nothing"),
    ] {
        let wish = json!({ "to": BUSY, "task": "Ask when they open." }).to_string();
        let answer = Answer::to(agent.request(Method::POST, "/call").header(name, value).body(wish)).await;
        judge(&format!("{name}: {value}"), &answer);
        assert!(!format!("{answer:?}").contains("evil.example"), "{name}: {answer:?}");
        assert!(!format!("{:?}", answer.headers).contains("<script>"), "{name}: {answer:?}");
        if answer.status == 201 {
            placed += 1;
            agent.known(answer.json()["call_id"].as_str().unwrap()).over().await;
        }
    }
    assert!(placed >= 17, "{placed} were placed");
    unharmed(&rig, &agent, placed).await;
    rig.stop().await;
}

#[tokio::test]
async fn keys_that_are_none() {
    let rig = Rig::start().await;
    let good = rig.stranger().await;
    let key = good.key().unwrap().to_owned();
    let bytes = |bytes: &[u8]| HeaderValue::from_bytes(bytes).unwrap();
    let long = format!("clawcall_sk_{}", "x".repeat(8_000));
    for (name, value) in [
        ("x-api-key", bytes(b"\xff\xfe")),
        ("x-api-key", bytes("schlüssel".as_bytes())),
        ("x-api-key", bytes(b"' OR 1=1 --")),
        ("x-api-key", bytes(b"*")),
        ("x-api-key", bytes(b"%")),
        ("x-api-key", bytes(b"null")),
        ("x-api-key", bytes(b"clawcall_sk_")),
        ("x-api-key", bytes(long.as_bytes())),
        ("x-api-key", bytes(&key.as_bytes()[..key.len() - 1])),
        ("x-api-key", bytes(format!("{key}x").as_bytes())),
        ("x-api-key", bytes(key.to_uppercase().as_bytes())),
        ("x-api-key", bytes(format!("{key},{key}").as_bytes())),
        ("authorization", bytes(format!("Basic {key}").as_bytes())),
        ("authorization", bytes(key.as_bytes())),
        ("cookie", bytes(format!("X-Api-Key={key}").as_bytes())),
        ("x-api-key-2", bytes(key.as_bytes())),
    ] {
        let name: HeaderName = name.parse().unwrap();
        let request = rig.door.get("/calls").header(name.clone(), value.clone());
        let answer = Answer::to(request).await;
        judge(&format!("{name}: {value:?}"), &answer);
        assert_eq!(answer.status, 401, "{name}: {value:?}");
    }
    for path in
        [format!("/calls?api_key={key}"), format!("/calls?X-Api-Key={key}"), format!("/calls?key={key}")]
    {
        assert_eq!(Answer::to(rig.door.get(&path)).await.status, 401, "a key is no part of an address");
    }
    // Two keys: the first counts, and no second one helps.
    let two = rig.door.get("/calls").header("x-api-key", "clawcall_sk_nobody").header("x-api-key", &key);
    assert_eq!(Answer::to(two).await.status, 401);
    let two = rig.door.get("/calls").header("x-api-key", "clawcall_sk_nobody");
    assert_eq!(Answer::to(two.header("authorization", format!("Bearer {key}"))).await.status, 401);
    unharmed(&rig, &good, 0).await;
    rig.stop().await;
}

#[tokio::test]
async fn paths_that_lead_nowhere() {
    let rig = Rig::start().await;
    let agent = rig.stranger().await;
    let call = agent.call(BUSY).await;
    call.over().await;
    let id = &call.id;
    for path in [
        "/call/%00",
        "/call/%2e%2e%2fcalls",
        "/call/..%2f..%2fetc%2fpasswd",
        "/call/%ff%fe",
        "/call//hangup",
        "/call/1' OR '1'='1",
        "/call/{id}/%72ecording/x",
        "/call/{id}%00",
        "/call/{id}/",
        "/call/{id}/..",
        "//call/{id}",
        "/CALL/{id}",
        "/call/{id};jsessionid=1",
        "/call/{id}.json",
        "/call/-1",
        "/call/99999999999999999999999999",
        "/recordings/..%2f..%2foffhook.db?expires=1&signature=x",
        "/recordings/{id}?expires=1&signature=%00",
        "/recordings/{id}?expires=x&signature=",
        "/me/calls?limit=99999999999999999999",
        "/me/calls?limit=1&limit=2",
        "/me/calls?limit=-1",
        "/me/calls?since=%00",
        "/me/calls?since=2026-13-01T00:00:00Z",
        "/me/calls?since=9999999-01-01T00:00:00Z",
        "/me/calls?%ff=%ff",
        "/calls?live=maybe",
        "/call/{id}/events?after=-1",
        "/call/{id}/events?after=18446744073709551616",
        "/.git/config",
        "/metrics/../me",
    ] {
        let answer = agent.get(&path.replace("{id}", id)).await;
        judge(path, &answer);
        assert!(
            answer.status.is_client_error()
                || path.contains("%ff=")
                || path.ends_with("/..")
                || path.contains("../"),
            "{path}: {answer:?}"
        );
    }
    let long = Answer::to(agent.request(Method::GET, &format!("/call/{}", "x".repeat(9_000)))).await;
    assert!(long.status.is_client_error(), "{long:?}");
    for method in ["PATCH", "TRACE", "OPTIONS", "CONNECTED", "PROPFIND", "HEAD"] {
        let answer = Answer::to(agent.request(method.parse().unwrap(), "/call")).await;
        assert_eq!(answer.status, 405, "{method}");
    }
    unharmed(&rig, &agent, 1).await;
    rig.stop().await;
}

/// Requests that no client library sends, byte by byte. The answer, as far as there is one.
async fn raw(rig: &Rig, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(rig.app.addr()).await.unwrap();
    let _ = stream.write_all(request).await;
    let _ = stream.shutdown().await;
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    let _ = read.expect("the connection is closed");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn requests_that_no_library_sends() {
    let rig = Rig::start().await;
    let agent = rig.stranger().await;
    let wish = json!({ "to": BUSY, "task": "Ask when they open." }).to_string();
    let length = wish.len();
    let key = agent.key().unwrap();
    for (what, request) in [
        ("no HTTP", b"\x16\x03\x01\x02\x00\x01\x00".to_vec()),
        ("no host", b"GET /healthz HTTP/1.0\r\n\r\n".to_vec()),
        ("a version there is not", b"GET /calls HTTP/9.9\r\nhost: x\r\n\r\n".to_vec()),
        ("a negative length", b"POST /call HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n{}".to_vec()),
        (
            "two lengths",
            b"POST /call HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}".to_vec(),
        ),
        (
            "length and chunks",
            format!(
                "POST /call HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\ncontent-length: {length}\r\n\
                 transfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /calls HTTP/1.1\r\nhost: x\r\n\r\n"
            )
            .into_bytes(),
        ),
        (
            "a chunk that is no number",
            b"POST /call HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"
                .to_vec(),
        ),
        (
            "half a body",
            format!(
                "POST /call HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\ncontent-length: 999\r\n\r\n{wish}"
            )
            .into_bytes(),
        ),
        ("a header without a name", b"GET /calls HTTP/1.1\r\nhost: x\r\n: x\r\n\r\n".to_vec()),
        ("a folded header", b"GET /calls HTTP/1.1\r\nhost: x\r\nx-api-key: a\r\n b\r\n\r\n".to_vec()),
        (
            "a header of 40 kB",
            format!("GET /calls HTTP/1.1\r\nhost: x\r\na: {}\r\n\r\n", "x".repeat(40_000)).into_bytes(),
        ),
        (
            "a thousand headers",
            format!("GET /calls HTTP/1.1\r\nhost: x\r\n{}\r\n", "a: b\r\n".repeat(1_000)).into_bytes(),
        ),
        (
            "a line of 100 kB",
            format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "x".repeat(100_000)).into_bytes(),
        ),
        (
            "an address for a proxy",
            b"GET http://evil.example/ HTTP/1.1\r\nhost: evil.example\r\n\r\n".to_vec(),
        ),
        ("a tunnel", b"CONNECT evil.example:443 HTTP/1.1\r\nhost: evil.example\r\n\r\n".to_vec()),
        (
            "an upgrade",
            b"GET /calls HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n".to_vec(),
        ),
        ("HTTP/2 at once", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
    ] {
        let answer = raw(&rig, &request).await;
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(!status.starts_with('5') || status == "501" || status == "505", "{what}: {answer}");
        assert!(!status.starts_with("201"), "{what}: {answer}");
        assert_eq!(
            answer.matches("HTTP/1.").count().min(2),
            usize::from(!answer.is_empty()),
            "{what}: {answer}"
        );
        assert!(!answer.contains("\"calls\""), "{what}: {answer}");
    }
    unharmed(&rig, &agent, 0).await;
    rig.stop().await;
}

/// What stands in a text comes back as it was, and is nobody's instruction.
#[tokio::test]
async fn texts_come_back_as_they_were() {
    let rig = Rig::start().await;
    let agent = rig.stranger().await;
    for task in [
        "\u{202e}txet \u{200b}\u{feff}",
        "'; DROP TABLE calls; --",
        "{{7*7}} ${7*7} <%= 7 %> %s %n",
        "<script>alert(1)</script>",
        "line\r\nX-Injected: 1\r\n\r\nbody",
        "👩‍👩‍👧‍👦 \u{1f4a9} \u{10ffff}",
        "\\u0000 \\x00 \\",
        &"long ".repeat(10_000),
    ] {
        let wish = json!({ "to": BUSY, "task": task, "personality": task, "greeting": task });
        let answer = agent.ask(&wish).await;
        judge(task, &answer);
        if answer.status != 201 {
            continue;
        }
        let call = agent.known(answer.json()["call_id"].as_str().unwrap());
        let view: Value = call.over().await;
        assert_eq!(view["task"], json!(task));
    }
    rig.stop().await;
}
