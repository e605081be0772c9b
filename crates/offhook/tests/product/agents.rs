//! The agents behind the voice, each kind with a real counterpart: programs of this machine, servers on the loopback
//! interface.

use std::sync::Once;
use std::time::Duration;

use offhook::agents::{Agent, AgentError, Agents, Chat, Endpoint, Kind, OnCall, Program, Request, Settings};
use offhook::webhooks::sign;
use offhook_core::brief::Role;
use offhook_core::journal::AgentFailure;
use offhook_core::{CallId, Timestamp};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::rig::PATIENCE;

/// Long enough for all that answers.
const LIMIT: Duration = Duration::from_secs(30);
/// Short enough to be waited for.
const SHORT: Duration = Duration::from_millis(300);

fn agents(kind: Kind) -> Agents {
    // As the product does at its start.
    static CRYPTO: Once = Once::new();
    CRYPTO.call_once(offhook::app::install_crypto);
    let agent = Agent { name: "main".to_owned(), description: String::new(), kind };
    Agents::new(Settings { agents: vec![agent], ..Settings::default() }).unwrap()
}

fn question() -> Request {
    let call = OnCall {
        id: call_id(),
        role: Role::Assistant,
        task: "Tell Mira about the build.".into(),
        transcript: "Assistant: Hello.\nPerson: Which build?".into(),
    };
    Request { prompt: "Which build is red?".into(), call: Some(call) }
}

fn call_id() -> CallId {
    CallId::from_parts(Timestamp::from_unix_millis(1_700_000_000_000), [7; 10])
}

fn program(argv: &[&str]) -> Kind {
    let env = vec![("PATH".to_owned(), std::env::var("PATH").unwrap().into())];
    Kind::Command(Program {
        argv: argv.iter().map(|part| (*part).to_owned()).collect(),
        directory: None,
        env,
    })
}

fn chat(base_url: String) -> Kind {
    let headers = [("x-session".parse().unwrap(), "phone".parse().unwrap())].into_iter().collect();
    Kind::Chat(Chat {
        base_url,
        api_key: Some("sk-test-not-a-real-key".to_owned().into()),
        model: "openclaw".to_owned(),
        system_prompt: Some("You are Polly.".to_owned()),
        headers,
    })
}

fn endpoint(url: String, key: Option<Vec<u8>>) -> Kind {
    Kind::Http(Endpoint { url, key, headers: Default::default() })
}

async fn ask(kind: Kind) -> Result<String, AgentError> {
    agents(kind).ask(None, &question(), LIMIT).await
}

fn sse(pieces: &[&str]) -> ResponseTemplate {
    let piece =
        |text: &&str| format!("data: {}\n\n", json!({ "choices": [{ "delta": { "content": text } }] }));
    let body = pieces.iter().map(piece).collect::<String>() + "data: [DONE]\n\n";
    ResponseTemplate::new(200).set_body_raw(body, "text/event-stream")
}

#[tokio::test]
async fn a_chat_endpoint_is_told_of_the_call_and_its_stream_is_put_together() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/v1/chat/completions"))
        .and(header("authorization", "Bearer sk-test-not-a-real-key"))
        .and(header("x-session", "phone"))
        .respond_with(sse(&["<think>Hm.</think>", "The nightly", " build. "]))
        .expect(1)
        .mount(&server)
        .await;
    let answer = ask(chat(format!("{}/v1", server.uri()))).await;
    assert_eq!(answer.as_deref(), Ok("The nightly build."));

    let asked: Value = server.received_requests().await.unwrap()[0].body_json().unwrap();
    assert_eq!((&asked["model"], &asked["stream"]), (&json!("openclaw"), &json!(true)));
    assert_eq!(asked["user"], format!("call-{}", call_id()), "a session of its own for each call");
    let [system, user] = &asked["messages"].as_array().unwrap()[..] else { panic!("{asked}") };
    assert_eq!(user, &json!({ "role": "user", "content": "Which build is red?" }));
    let system = system["content"].as_str().unwrap();
    for told in
        ["You are Polly.", "> Tell Mira about the build.", "> Person: Which build?", "trusted like them"]
    {
        assert!(system.contains(told), "{told}: {system}");
    }
}

#[tokio::test]
async fn an_answer_in_one_piece_is_as_good_and_what_is_none_says_why() {
    let whole = json!({ "choices": [{ "message": { "content": "The nightly build." } }] });
    let nothing = json!({ "choices": [{ "message": { "content": null } }] });
    let error = "data: {\"error\": {\"message\": \"overloaded\"}}\n\n";
    for (response, expected) in [
        (ResponseTemplate::new(200).set_body_json(&whole), Ok("The nightly build.")),
        (ResponseTemplate::new(200).set_body_json(&nothing), Err((AgentFailure::Empty, "nothing"))),
        (ResponseTemplate::new(200).set_body_string("well"), Err((AgentFailure::Failed, "no JSON"))),
        (sse(&[]), Err((AgentFailure::Empty, "nothing"))),
        (
            ResponseTemplate::new(200).set_body_raw(error, "text/event-stream"),
            Err((AgentFailure::Failed, "can't be read")),
        ),
        (ResponseTemplate::new(401), Err((AgentFailure::Failed, "look at its key"))),
        (ResponseTemplate::new(404), Err((AgentFailure::Failed, "address and model"))),
        (ResponseTemplate::new(307), Err((AgentFailure::Failed, "redirects are not followed"))),
        (ResponseTemplate::new(500), Err((AgentFailure::Failed, "500"))),
    ] {
        let server = MockServer::start().await;
        Mock::given(method("POST")).respond_with(response).mount(&server).await;
        let answer = ask(chat(format!("{}/v1", server.uri()))).await;
        match expected {
            Ok(text) => assert_eq!(answer.as_deref(), Ok(text)),
            Err((failure, why)) => {
                let error = answer.unwrap_err();
                assert_eq!(error.failure(), failure, "{error}");
                assert!(error.to_string().contains(why), "{error}");
            }
        }
    }
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = ask(chat(format!("http://{nobody}/v1"))).await.unwrap_err();
    assert_eq!(error.failure(), AgentFailure::Unreachable);
    assert!(!error.to_string().contains(&nobody.to_string()), "addresses may hold secrets: {error}");
}

#[tokio::test]
async fn a_program_reads_the_request_and_answers() {
    let told = ask(program(&["cat"])).await.unwrap();
    for part in ["Tell Mira about the build.", "> Person: Which build?", &call_id().to_string()] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(told.ends_with("The request:\nWhich build is red?"), "{told}");
    let alone = agents(program(&["cat"])).ask(Some("main"), &Request::new("Is it red?"), LIMIT).await;
    assert_eq!(alone.as_deref(), Ok("Is it red?"), "outside of a call there is nothing to tell");

    // Nothing of our environment but what is allowed.
    let env = ask(program(&["env"])).await.unwrap();
    let mut names: Vec<&str> = env.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    names.sort_unstable();
    assert_eq!(names, ["OFFHOOK_AGENT", "OFFHOOK_CALL_ID", "PATH"]);
}

#[tokio::test]
async fn a_program_that_fails_says_how() {
    for (argv, failure, why) in [
        (&["sh", "-c", "echo a secret >&2; exit 3"][..], AgentFailure::Failed, "status 3"),
        (&["sh", "-c", "kill -9 $$"], AgentFailure::Failed, "was killed"),
        (&["true"], AgentFailure::Empty, "nothing"),
        (&["no-such-program-here"], AgentFailure::Unreachable, "can't be started"),
    ] {
        let error = ask(program(argv)).await.unwrap_err();
        assert_eq!(error.failure(), failure, "{argv:?}: {error}");
        assert!(error.to_string().contains(why) && !error.to_string().contains("secret"), "{error}");
    }
    // One that reads nothing and says far too much.
    let long = ask(program(&["sh", "-c", "head -c 4000000 /dev/zero | tr '\\0' a"])).await.unwrap();
    assert!(long.ends_with(" […]") && long.len() < 9_000, "{}", long.len());
}

/// A program, and another that it starts, both of which hold a connection to here for as long as they live.
async fn clinging(then: &str) -> (Kind, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let script = format!("exec 3<>/dev/tcp/127.0.0.1/{port}; tail -f /dev/null & {then}");
    (program(&["bash", "-c", &script]), listener)
}

/// Until nobody holds the other end any more.
async fn let_go(mut socket: TcpStream) {
    let mut nothing = Vec::new();
    let read = tokio::time::timeout(PATIENCE, socket.read_to_end(&mut nothing)).await;
    assert!(read.is_ok(), "a program outlives its call");
}

#[tokio::test]
async fn a_program_is_killed_at_its_limit_with_all_it_started() {
    let (kind, listener) = clinging("wait").await;
    let agents = agents(kind);
    let request = question();
    let (answer, socket) = tokio::join!(agents.ask(None, &request, SHORT), listener.accept());
    assert_eq!(answer, Err(AgentError::TimedOut(SHORT)));
    let_go(socket.unwrap().0).await;
}

#[tokio::test]
async fn a_program_is_killed_when_nobody_waits_for_it_any_more() {
    let (kind, listener) = clinging("wait").await;
    let agents = agents(kind);
    let asked = tokio::spawn(async move { agents.ask(None, &question(), LIMIT).await });
    let (socket, _) = listener.accept().await.unwrap();
    asked.abort();
    let_go(socket).await;
}

#[tokio::test]
async fn what_a_program_leaves_behind_holds_up_no_answer() {
    let (kind, listener) = clinging("echo Done.").await;
    let agents = agents(kind);
    let request = question();
    let (answer, socket) = tokio::join!(agents.ask(None, &request, LIMIT), listener.accept());
    assert_eq!(answer.as_deref(), Ok("Done."));
    let_go(socket.unwrap().0).await;
}

#[tokio::test]
async fn an_address_of_the_users_is_posted_the_request_and_may_answer_as_it_likes() {
    let key = sign::key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    for (response, expected) in [
        (ResponseTemplate::new(200).set_body_string("The nightly build.\n"), Ok("The nightly build.")),
        (ResponseTemplate::new(200).set_body_json("The nightly build."), Ok("The nightly build.")),
        (
            ResponseTemplate::new(200).set_body_json(json!({ "answer": "The nightly build." })),
            Ok("The nightly build."),
        ),
        (ResponseTemplate::new(200).set_body_json(json!({ "text": "Red." })), Ok("Red.")),
        (ResponseTemplate::new(200).set_body_json(json!({ "words": "Red." })), Err("no text called")),
        (ResponseTemplate::new(200).set_body_json(json!({ "error": "sk-1" })), Err("with an error")),
        (ResponseTemplate::new(204), Err("answered nothing")),
        (ResponseTemplate::new(503), Err("503")),
    ] {
        let server = MockServer::start().await;
        Mock::given(method("POST")).and(path("/ask")).respond_with(response).mount(&server).await;
        let answer = ask(endpoint(format!("{}/ask", server.uri()), Some(key.clone()))).await;
        match expected {
            Ok(text) => assert_eq!(answer.as_deref(), Ok(text)),
            Err(why) => {
                assert!(answer.as_ref().is_err_and(|error| error.to_string().contains(why)), "{answer:?}")
            }
        }
        let requests = server.received_requests().await.unwrap();
        let header = |name: &str| requests[0].headers[name].to_str().unwrap();
        let at = header("webhook-timestamp").parse().unwrap();
        let signature = sign::signature(&key, header("webhook-id"), at, &requests[0].body);
        assert_eq!(header("webhook-signature"), signature);
        let asked: Value = requests[0].body_json().unwrap();
        assert_eq!(
            asked,
            json!({
                "agent": "main", "call_id": call_id().to_string(), "prompt": "Which build is red?",
                "task": "Tell Mira about the build.", "on_the_line": "user",
                "transcript": [
                    { "role": "assistant", "text": "Hello." },
                    { "role": "user", "text": "Which build?" },
                ],
            })
        );
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_not_waited_for_and_its_connection_is_closed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    for kind in [endpoint(format!("{url}/ask"), None), chat(format!("{url}/v1"))] {
        let agents = agents(kind);
        let request = question();
        let (answer, socket) = tokio::join!(agents.ask(None, &request, SHORT), listener.accept());
        assert_eq!(answer, Err(AgentError::TimedOut(SHORT)));
        let_go(socket.unwrap().0).await;
    }
}

#[tokio::test]
async fn no_more_are_at_work_than_may_be() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/ask", listener.local_addr().unwrap());
    let agent = Agent { name: "main".to_owned(), description: String::new(), kind: endpoint(url, None) };
    let agents =
        Agents::new(Settings { agents: vec![agent], parallel_in_all: 1, ..Settings::default() }).unwrap();
    let first = tokio::spawn({
        let agents = agents.clone();
        async move { agents.ask(None, &question(), LIMIT).await }
    });
    let (mut socket, _) = listener.accept().await.unwrap();
    assert_eq!(agents.ask(None, &question(), LIMIT).await, Err(AgentError::Busy));
    socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\nRed.").await.unwrap();
    assert_eq!(first.await.unwrap().as_deref(), Ok("Red."));
}

#[tokio::test]
async fn who_is_not_there_is_not_asked() {
    let agents = agents(Kind::Owner);
    let error = agents.ask(Some("mother"), &question(), LIMIT).await.unwrap_err();
    assert_eq!((error.failure(), error), (AgentFailure::Unknown, AgentError::Unknown("mother".to_owned())));
    let error = agents.ask(Some("MAIN"), &question(), LIMIT).await.unwrap_err();
    assert_eq!(error, AgentError::OnlyOnCalls("main".to_owned()));
    let nobody = Agents::new(Settings::default()).unwrap();
    assert_eq!(nobody.ask(None, &question(), LIMIT).await, Err(AgentError::None));
    assert!(nobody.for_call(None).is_none());
}

#[tokio::test]
async fn whether_an_agent_is_there_is_seen_without_asking_it() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path("/v1/models"))
        .respond_with(ResponseTemplate::new(404))
        .mount(&server)
        .await;
    let locked = MockServer::start().await;
    Mock::given(method("GET")).respond_with(ResponseTemplate::new(401)).mount(&locked).await;
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for (kind, is_there) in [
        (chat(format!("{}/v1", server.uri())), true),
        (chat(format!("{}/v1", locked.uri())), false),
        (chat(format!("http://{nobody}/v1")), false),
        (endpoint(format!("{}/ask", server.uri()), None), true),
        (endpoint(format!("http://{nobody}/ask"), None), false),
        (program(&["cat"]), true),
        (program(&["/bin/sh"]), true),
        (program(&["no-such-program-here"]), false),
        (program(&["./cat"]), false),
        (Kind::Owner, true),
    ] {
        let found = agents(kind.clone()).check("main").await;
        assert_eq!(found.is_ok(), is_there, "{kind:?}: {found:?}");
    }
    assert!(server.received_requests().await.unwrap().iter().all(|request| request.method != "POST"));
}
