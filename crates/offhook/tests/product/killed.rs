//! The real program, killed in the middle of a call and started again.

use std::net::UdpSocket;
use std::sync::Arc;

use offhook_sandbox::{Ending, Sandbox, SandboxConfig, Stage, Step};
use offhook_speech::local::tagged;
use offhook_testkit::quiet::Quiet;
use offhook_testkit::realtime::{FakeRealtime, Heard, Script};
use serde_json::json;

use crate::agent::{Agent, Door};
use crate::program::Program;
use crate::recording::Sides;

/// Not one of the fictional numbers, which are refused where a trunk is configured; only the exchange knows it.
const CLINIC: &str = "+12025550342";
const HELLO: &str = "Hello, this is City Clinic. How can I help you?";

/// Talks, and waits long enough to be killed; would notice by itself, much later, that nobody is there.
const PERSON: &[Step] = &[
    Step::Ring { ms: 300 },
    Step::Answer,
    Step::Say(HELLO),
    Step::Listen { patience_ms: 60_000 },
    Step::Listen { patience_ms: 60_000 },
];

/// Nothing private may be in what it logged.
async fn kill(program: Program, tells: &str) {
    let log = program.kill().await;
    let quiet = Quiet::default();
    quiet.never_number(CLINIC);
    [HELLO, "this call is recorded", "Ask when they open."].iter().for_each(|said| quiet.never_said(said));
    quiet.read(&log);
    quiet.check();
    assert!(log.contains(tells), "it logs: {log}");
}

fn configuration(home: &std::path::Path, exchange: &Sandbox, fake: &FakeRealtime) -> String {
    // The same port before and after, as an operator's firewall wants it.
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    format!(
        r#"
        listen = "127.0.0.1:0"
        data_dir = {:?}
        [carrier.sip]
        listen = ["udp:127.0.0.1:{port}"]
        [[carrier.sip.trunk]]
        server = "{}"
        [[line]]
        number = "+12025550343"
        [speech]
        model = "openai-realtime"
        [speech.openai]
        base_url = "{}"
        api_key = "sk-test-not-a-real-key"
        "#,
        home.join("data"),
        exchange.addr(),
        fake.url(),
    )
}

#[tokio::test]
async fn a_call_of_a_killed_process_is_finalized_and_never_dialled_again() {
    let home = tempfile::tempdir().unwrap();
    let heard = vec![Heard::Text(HELLO.to_owned())];
    let fake = FakeRealtime::start(Script { heard, ms_per_char: 20, ..Script::default() }).await;
    let mut config = SandboxConfig::new(Arc::new(tagged::encode));
    config.numbers = vec![(CLINIC.to_owned(), PERSON.to_vec())];
    config.speed = 4.0;
    let exchange = Sandbox::start(config).await.unwrap();
    std::fs::write(home.path().join("offhook.toml"), configuration(home.path(), &exchange, &fake)).unwrap();

    let program = Program::start(home.path()).await;
    let door = Arc::new(Door::new(program.url.clone(), Quiet::install()));
    let owner = Agent::new(Arc::clone(&door), None);
    let wish = json!({ "to": CLINIC, "task": "Ask when they open." });
    let call = owner.place(&wish).await;
    let told = call.until("the voice", |event| event["code"] == "turn.voice").await;
    kill(program, "call started").await;

    let program = Program::start(home.path()).await;
    door.moved(program.url.clone());
    let view = call.view().await;
    assert_eq!((&view["lifecycle"], &view["outcome"]), (&json!("finalized"), &json!("answered")));
    assert_eq!(view["end_reason"], "gateway.restarted");
    assert_eq!(view["outcome_detail"]["reason"]["retryable"], false, "somebody was called already");
    let journal = call.journal().await;
    assert_eq!(journal[..told.len()], told, "what was told once stays true");
    let transcript = view["transcript"].to_string();
    assert!(transcript.contains(HELLO) && transcript.contains("this call is recorded"), "{transcript}");

    let sides = Sides::read(call.recording().await);
    let ended_ms = told.last().unwrap()["ended_ms"].as_u64().unwrap();
    assert!(
        sides.ms() > 0 && sides.ms() + 1_500 > ended_ms,
        "{} ms recorded, {ended_ms} ms told",
        sides.ms()
    );
    assert_eq!(tagged::decode(&sides.remote).as_deref(), Some(HELLO));

    // The other end is told that nobody is there any more, and nobody called it again.
    let ended = exchange.until(|calls| calls[0].is_over().then(|| calls[0].stage));
    let ended = tokio::time::timeout(crate::rig::PATIENCE, ended).await.expect("the far leg ends");
    assert_eq!(ended, Stage::Ended(Ending::RemoteHungUp));
    assert_eq!(exchange.calls().len(), 1, "nothing is redialled");
    kill(program, "stopped unexpectedly").await;
    exchange.shutdown().await;
}
