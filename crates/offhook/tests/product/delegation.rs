//! The voice has agents look things up and do them, and the call goes on meanwhile.

use std::time::Duration;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use offhook::agents::{Agent, Chat, Endpoint, Kind, Program, Settings};
use offhook_core::brief::Language;
use offhook_sandbox::Step;
use offhook_testkit::realtime::{FakeRealtime, Reply};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::agent::{Answer, Call};
use crate::realtime::{CLINIC, HELLO, OPENING, goodbye, model, person, setup, turns};
use crate::rig::{PATIENCE, Rig};

const QUESTION: &str = "When is the next train?";
const ANSWER: &str = "At ten past nine.";
/// Within this the voice stops when somebody speaks over it.
const AT_ONCE: Duration = Duration::from_millis(50);

/// An agent that answers when the test says so.
struct Slow {
    url: String,
    asked: mpsc::Receiver<Asked>,
}

struct Asked {
    body: Value,
    answer: oneshot::Sender<String>,
}

impl Slow {
    async fn start() -> Self {
        let (sender, asked) = mpsc::channel(8);
        let router = Router::new().route("/", post(Self::ask)).with_state(sender);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, asked }
    }

    async fn ask(State(asked): State<mpsc::Sender<Asked>>, Json(body): Json<Value>) -> String {
        let (answer, answered) = oneshot::channel();
        asked.send(Asked { body, answer }).await.unwrap();
        answered.await.unwrap_or_default()
    }

    async fn next(&mut self) -> Asked {
        let asked = tokio::time::timeout(PATIENCE, self.asked.recv()).await;
        asked.expect("the agent is asked").unwrap()
    }

    fn kind(&self) -> Kind {
        Kind::Http(Endpoint { url: self.url.clone(), key: None, headers: Default::default() })
    }
}

fn program(script: &str) -> Kind {
    let env = vec![("PATH".to_owned(), std::env::var("PATH").unwrap().into())];
    let argv = ["bash", "-c", script].map(str::to_owned).to_vec();
    Kind::Command(Program { argv, directory: None, env })
}

fn settings(agents: Vec<(&str, Kind)>) -> Settings {
    let agent = |(name, kind): (&str, Kind)| Agent {
        name: name.to_owned(),
        description: format!("Does {name}."),
        kind,
    };
    Settings { agents: agents.into_iter().map(agent).collect(), ..Settings::default() }
}

async fn rig(fake: &FakeRealtime, then: &[Step], settings: Settings) -> Rig {
    let mut setup = setup(fake.url(), person(then));
    setup.config.agents = settings;
    setup.start().await
}

async fn place(rig: &Rig) -> Call {
    rig.owner().place(&json!({ "to": CLINIC, "task": "Ask when they open.", "agents": true })).await
}

fn invokes(tool: &str, prompt: &str) -> Reply {
    Reply::call(tool, &json!({ "prompt": prompt, "agent": null }).to_string())
}

/// What the tools answered to the model, in order.
fn outputs(fake: &FakeRealtime) -> Vec<String> {
    let items = fake.events("conversation.item.create").into_iter();
    let outputs = items.filter(|event| event["item"]["type"] == "function_call_output");
    outputs.map(|event| event["item"]["output"].as_str().unwrap().to_owned()).collect()
}

fn codes(journal: &[Value]) -> Vec<&str> {
    let codes = journal.iter().map(|event| event["code"].as_str().unwrap());
    codes.filter(|code| code.starts_with("agent.")).collect()
}

fn voice(view: &Value) -> Vec<&str> {
    turns(view).into_iter().filter(|(role, _)| *role == "assistant").map(|(_, text)| text).collect()
}

#[tokio::test]
async fn an_agent_that_takes_its_time_holds_up_no_word_and_no_interruption() {
    let long = "I will have a look at that, one moment please, it is quite a long list of trains that goes from here \
                to there, and I want to be sure that I tell you the one that you can really catch from where you are.";
    let looks = invokes("invoke_agent", QUESTION);
    let replies = vec![
        Reply { text: Some(long.to_owned()), ..looks },
        Reply::say("Of course, the one to Bern."),
        goodbye("It goes at ten past nine. Goodbye."),
    ];
    let heard = [HELLO, QUESTION, "To Bern, I mean."];
    let fake = FakeRealtime::start(model(replies, &heard)).await;
    let then = [
        Step::Say(QUESTION),
        Step::Pause { ms: 4_000 },
        Step::Announce("To Bern, I mean."),
        Step::Await { ms: 60_000 },
        Step::Linger { ms: 20_000 },
    ];
    let mut agent = Slow::start().await;
    let rig = rig(&fake, &then, settings(vec![("main", agent.kind())])).await;
    let call = place(&rig).await;
    let asked = agent.next().await;
    call.until("the voice's word on what was said meanwhile", |event| {
        event["code"] == "turn.voice" && event["text"] == "Of course, the one to Bern."
    })
    .await;

    assert!(outputs(&fake).is_empty(), "the agent is still at it");
    let truncated =
        fake.recorded().into_iter().find(|sent| sent.event["type"] == "conversation.item.truncate");
    let truncated = truncated.expect("the voice was interrupted");
    let started = fake.speech_started().into_iter().rfind(|at| *at <= truncated.at).unwrap();
    assert!(truncated.at - started < AT_ONCE, "after {:?}", truncated.at - started);

    asked.answer.send(ANSWER.to_owned()).unwrap();
    let over = call.over().await;
    assert_eq!(over["end_reason"], "voice.finished");
    assert_eq!(outputs(&fake)[0], ANSWER);
    assert_eq!(voice(&over).last(), Some(&"It goes at ten past nine. Goodbye."));
    assert_eq!(codes(&call.journal().await), ["agent.asked", "agent.answered"]);
    rig.stop().await;
}

#[tokio::test]
async fn a_result_is_told_when_it_is_there_without_anybody_asking() {
    let replies = vec![
        Reply {
            text: Some("I am on it.".to_owned()),
            ..invokes("invoke_agent_async", "Plan a day in Bern.")
        },
        Reply::say("It takes a moment."),
        goodbye("First the bears, then the museum. Goodbye."),
    ];
    let fake = FakeRealtime::start(model(replies, &[HELLO, "Plan my day."])).await;
    let mut agent = Slow::start().await;
    let then = [Step::Say("Plan my day."), Step::Linger { ms: 90_000 }];
    let rig = rig(&fake, &then, settings(vec![("main", agent.kind())])).await;
    let call = place(&rig).await;
    let asked = agent.next().await;
    let said =
        |text: &'static str| move |event: &Value| event["code"] == "turn.voice" && event["text"] == text;
    call.until("the voice goes on meanwhile", said("It takes a moment.")).await;
    asked.answer.send("First the bears, then the museum.".to_owned()).unwrap();
    let over = call.over().await;

    let journal = call.journal().await;
    let told = journal.iter().skip_while(|event| event["code"] != "agent.answered");
    let turns: Vec<&Value> =
        told.filter(|event| event["code"].as_str().unwrap().starts_with("turn.")).collect();
    assert!(said("First the bears, then the museum. Goodbye.")(turns[0]), "nobody asked for it: {turns:?}");
    let started: Value = serde_json::from_str(&outputs(&fake)[0]).unwrap();
    assert_eq!((&started["task_id"], &started["status"]), (&json!("1"), &json!("running")));
    let notes = fake.events("conversation.item.create").iter().map(Value::to_string).collect::<String>();
    assert!(notes.contains("The work you gave away is done (task 1)"), "{notes}");
    assert_eq!(over["end_reason"], "voice.finished");
    rig.stop().await;
}

#[tokio::test]
async fn hanging_up_ends_the_work_and_whatever_it_started() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let works = program(&format!("exec 3<>/dev/tcp/127.0.0.1/{port}; tail -f /dev/null & wait"));
    let mut agent = Slow::start().await;
    let replies = vec![
        Reply {
            text: Some("I am on it.".to_owned()),
            ..invokes("invoke_agent_async", "Plan a day in Bern.")
        },
        Reply::call("invoke_agent", &json!({ "prompt": QUESTION, "agent": "slow" }).to_string()),
    ];
    let fake = FakeRealtime::start(model(replies, &[HELLO, "Plan my day."])).await;
    let then = [Step::Say("Plan my day."), Step::Linger { ms: 90_000 }];
    let rig = rig(&fake, &then, settings(vec![("main", works), ("slow", agent.kind())])).await;
    let call = place(&rig).await;
    let (mut working, _) = listener.accept().await.unwrap();
    let mut asked = agent.next().await;
    call.hang_up().await;
    let (mut nothing, patience) = (Vec::new(), PATIENCE);
    let killed = tokio::time::timeout(patience, working.read_to_end(&mut nothing)).await;
    assert!(killed.is_ok(), "a program outlives its call");
    let let_go = tokio::time::timeout(patience, asked.answer.closed()).await;
    assert!(let_go.is_ok(), "a connection outlives its call");
    let journal = call.journal().await;
    assert_eq!(codes(&journal), ["agent.asked", "agent.asked", "agent.cancelled", "agent.cancelled"]);
    assert_eq!(journal.last().unwrap()["reason"], "owner.cancelled");
    fake.until_closed().await;
    rig.stop().await;
}

#[tokio::test]
async fn whoever_is_asked_knows_what_was_said_before() {
    // It finds the place in what was said, and nowhere else.
    let finds = program(r"sed -n 's/^> Person: I am in \(.*\)\.$/From \1 at ten past nine./p'");
    let replies = vec![
        Reply::say("How can I help?"),
        invokes("invoke_agent", "When is the next train from where they are?"),
        goodbye("From Bern at ten past nine. Goodbye."),
    ];
    let fake = FakeRealtime::start(model(replies, &[HELLO, "I am in Bern.", QUESTION])).await;
    let then = [
        Step::Say("I am in Bern."),
        Step::Listen { patience_ms: 30_000 },
        Step::Say(QUESTION),
        Step::Linger { ms: 30_000 },
    ];
    let rig = rig(&fake, &then, settings(vec![("main", finds)])).await;
    let over = place(&rig).await.over().await;
    assert_eq!(outputs(&fake)[0], "From Bern at ten past nine.", "{over:#}");
    rig.stop().await;
}

#[tokio::test]
async fn an_address_is_told_who_said_what() {
    let mut agent = Slow::start().await;
    let replies = vec![invokes("invoke_agent", QUESTION), goodbye("At ten past nine. Goodbye.")];
    let fake = FakeRealtime::start(model(replies, &[HELLO, QUESTION])).await;
    let then = [Step::Say(QUESTION), Step::Linger { ms: 60_000 }];
    let rig = rig(&fake, &then, settings(vec![("main", agent.kind())])).await;
    let call = place(&rig).await;
    let Asked { body, answer } = agent.next().await;
    assert_eq!((&body["call_id"], &body["prompt"]), (&json!(call.id), &json!(QUESTION)));
    assert_eq!((&body["task"], &body["on_the_line"]), (&json!("Ask when they open."), &json!("other")));
    let said = |role: &str, text: &str| json!({ "role": role, "text": text });
    let transcript = body["transcript"].as_array().unwrap();
    assert_eq!(transcript[..2], [said("user", HELLO), said("assistant", OPENING)]);

    // Whoever waits in silence hears that it takes a moment more.
    let still = Language::of("en").one_moment;
    call.until("that it takes a moment", |event| event["code"] == "turn.voice" && event["text"] == still)
        .await;
    answer.send(ANSWER.to_owned()).unwrap();
    assert_eq!(call.over().await["end_reason"], "voice.finished");
    rig.stop().await;
}

#[tokio::test]
async fn a_chat_endpoint_and_the_owner_answer_too() {
    let server = MockServer::start().await;
    let piece = json!({ "choices": [{ "delta": { "content": ANSWER } }] });
    let stream = format!("data: {piece}\n\ndata: [DONE]\n\n");
    Mock::given(method("POST"))
        .and(path("/v1/chat/completions"))
        .respond_with(ResponseTemplate::new(200).set_body_raw(stream, "text/event-stream"))
        .mount(&server)
        .await;
    let chat = Kind::Chat(Chat {
        base_url: format!("{}/v1", server.uri()),
        api_key: None,
        model: "main".to_owned(),
        system_prompt: None,
        headers: Default::default(),
    });
    let replies = vec![
        invokes("invoke_agent", QUESTION),
        Reply::call("invoke_agent", &json!({ "prompt": "Shall I book it?", "agent": "me" }).to_string()),
        goodbye("It is booked. Goodbye."),
    ];
    let fake = FakeRealtime::start(model(replies, &[HELLO, QUESTION])).await;
    let then = [Step::Say(QUESTION), Step::Linger { ms: 90_000 }];
    let rig = rig(&fake, &then, settings(vec![("main", chat), ("me", Kind::Owner)])).await;
    let call = place(&rig).await;
    call.until_code("owner.asked").await;
    assert_eq!(call.view().await["pending_question"]["question"], "Shall I book it?");
    let answer =
        call.agent.request(Method::POST, &call.path("/answer")).json(&json!({ "answer": "Yes, do." }));
    assert_eq!(Answer::to(answer).await.status, 202);
    call.over().await;
    assert_eq!(outputs(&fake)[..2], [ANSWER, "Yes, do."]);
    let answered = ["agent.asked", "agent.answered", "agent.asked", "agent.answered"];
    assert_eq!(codes(&call.journal().await), answered);
    rig.stop().await;
}

#[tokio::test]
async fn who_does_not_answer_is_excused_without_a_technical_word() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = Endpoint {
        url: format!("http://{}/", silent.local_addr().unwrap()),
        key: None,
        headers: Default::default(),
    };
    let agents = vec![
        ("main", program("echo sk-secret >&2; exit 3")),
        ("silent", Kind::Http(silent)),
        ("nothing", program("true")),
    ];
    let asks =
        |agent: &str| Reply::call("invoke_agent", &json!({ "prompt": QUESTION, "agent": agent }).to_string());
    let replies =
        vec![asks("main"), asks("silent"), asks("nothing"), asks("mother"), goodbye("I am sorry. Goodbye.")];
    let fake = FakeRealtime::start(model(replies, &[HELLO, QUESTION])).await;
    let then = [Step::Say(QUESTION), Step::Linger { ms: 60_000 }];
    let wait = Duration::from_millis(500);
    let rig = rig(&fake, &then, Settings { wait, ..settings(agents) }).await;
    let call = place(&rig).await;
    call.over().await;
    let outputs = outputs(&fake);
    for (output, why) in
        outputs.iter().zip(["it failed", "took too long", "nothing came of it", "nobody has this name"])
    {
        assert!(output.contains(why), "{why}: {output}");
        assert!(!output.contains("secret") && !output.contains("status"), "{output}");
    }
    let journal = call.journal().await;
    let failures: Vec<&Value> = journal.iter().filter(|event| event["code"] == "agent.failed").collect();
    let failures: Vec<&str> = failures.iter().map(|event| event["failure"].as_str().unwrap()).collect();
    assert_eq!(failures, ["failed", "timed_out", "empty"]);
    rig.stop().await;
}

#[tokio::test]
async fn only_whom_the_call_names_is_asked_and_nobody_by_default() {
    let fake = FakeRealtime::start(model(vec![goodbye("Goodbye.")], &[HELLO])).await;
    let both = || settings(vec![("main", program("true")), ("me", Kind::Owner)]);
    let then = [Step::Say("Yes?"), Step::Linger { ms: 9_000 }];
    let rig = rig(&fake, &then, both()).await;
    let wish = |agents: Value| json!({ "to": CLINIC, "task": "Ask when they open.", "agents": agents });
    for (agents, expected) in [
        (Value::Null, &[][..]),
        (json!(false), &[]),
        (json!(["me"]), &["invoke_agent"]),
        (json!(true), &["invoke_agent", "main", "me"]),
    ] {
        let before = fake.events("session.update").len();
        rig.owner().place(&wish(agents.clone())).await.over().await;
        let told = fake.events("session.update").split_off(before)[0].clone();
        let tools = told["session"]["tools"].as_array().unwrap();
        let invoke = tools.iter().find(|tool| tool["name"] == "invoke_agent");
        let found = invoke.map_or(Vec::new(), |tool| {
            let names = tool["parameters"]["properties"]["agent"]["enum"].as_array().into_iter().flatten();
            ["invoke_agent"].into_iter().chain(names.filter_map(Value::as_str)).collect()
        });
        assert_eq!(found, expected, "{agents}");
        let instructions = told["session"]["instructions"].as_str().unwrap();
        assert_eq!(instructions.contains("# Having things done"), !expected.is_empty(), "{agents}");
    }
    for agents in [json!(["mother"]), json!([]), json!("main"), json!(1)] {
        let error = rig.owner().ask(&wish(agents.clone())).await.error();
        assert_eq!(error, (400, "invalid_request".to_owned()), "{agents}");
    }

    // Where others can reach offhook, its operator's agents are the operator's.
    let rig = rig.restart_with(|config| config.agents.any_key = false).await;
    assert_eq!(rig.owner().ask(&wish(json!(true))).await.error(), (400, "invalid_request".to_owned()));
    assert_eq!(rig.admin().await.ask(&wish(json!(["me"]))).await.status, 201);
    let rig = rig.restart_with(|config| config.agents = Settings::default()).await;
    assert_eq!(rig.owner().ask(&wish(json!(true))).await.error(), (400, "invalid_request".to_owned()));
    rig.stop().await;
}

/// Where an agent may not do something without leave, the reason is spoken, and who asks for it can say what follows.
#[tokio::test]
async fn what_an_agent_may_not_do_is_told_with_its_reason() {
    let reason = "Deploying needs an approval. Shall I ask for it?";
    let asks = program(
        r#"grep -q approved && echo "It is deployed." || echo "Deploying needs an approval. Shall I ask for it?""#,
    );
    let replies = vec![
        invokes("invoke_agent", "Deploy the shop."),
        Reply::say(reason),
        invokes("invoke_agent", "Deploy the shop: approved on this call."),
        goodbye("It is deployed. Goodbye."),
    ];
    let fake = FakeRealtime::start(model(replies, &[HELLO, "Deploy the shop.", "Yes, please do."])).await;
    let then = [
        Step::Say("Deploy the shop."),
        Step::Listen { patience_ms: 30_000 },
        Step::Say("Yes, please do."),
        Step::Linger { ms: 30_000 },
    ];
    let rig = rig(&fake, &then, settings(vec![("main", asks)])).await;
    let over = place(&rig).await.over().await;
    assert_eq!(outputs(&fake)[..2], [reason, "It is deployed."], "{over:#}");
    assert!(voice(&over).contains(&reason));
    rig.stop().await;
}

#[tokio::test]
async fn the_local_voice_has_looked_up_what_it_lacks() {
    let then = [
        Step::Say("What is your date of birth?"),
        Step::Await { ms: 90_000 },
        Step::Await { ms: 90_000 },
        Step::Say("Thank you, that is booked."),
        Step::Listen { patience_ms: 12_000 },
        Step::Say("Goodbye."),
        Step::Linger { ms: 9_000 },
    ];
    let mut setup = crate::rig::Setup::new();
    setup.exchange.numbers = vec![(CLINIC.to_owned(), person(&then))];
    setup.config.agents =
        settings(vec![("main", program("echo 'The date of birth is the fifth of May 1980.'"))]);
    let rig = setup.start().await;
    let task = "Jordan Lee needs an appointment.";
    let call = rig.owner().place(&json!({ "to": CLINIC, "task": task, "agents": ["main"] })).await;
    let over = call.over().await;
    let said = voice(&over);
    assert!(said.contains(&"The date of birth is the fifth of May 1980."), "{said:#?}");
    assert_eq!(codes(&call.journal().await), ["agent.asked", "agent.answered"]);
    rig.stop().await;
}
