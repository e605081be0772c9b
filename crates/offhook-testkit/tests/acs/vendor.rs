//! What the vendor's own client, and a library for tokens, think of the fake.

use std::process::Stdio;

use offhook_testkit::acs::{Algorithm, FakeAcs, Offer, Operation, Stage};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::application::{Application, BASE};

/// Run a script of `python/`; what it printed, when it succeeded.
async fn run(script: &str, arguments: &[&str], input: &str) -> String {
    let Some(python) = std::env::var_os("OFFHOOK_PYTHON") else {
        panic!(
            "OFFHOOK_PYTHON does not name a Python with the vendor's package; run ./test, which sets it up"
        );
    };
    let script = format!("{}/python/{script}", env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(python);
    command.arg(script).args(arguments).kill_on_drop(true).env("NO_PROXY", "127.0.0.1");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("OFFHOOK_PYTHON can be run");
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).await.unwrap();
    drop(stdin);
    let output = child.wait_with_output().await.unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    out.into_owned()
}

const OURS: &str = "+12025550134";

#[tokio::test]
async fn the_official_client_gets_what_it_expects() {
    let acs = FakeAcs::start().await;
    let application = Application::start(&acs).await;
    assert_eq!(acs.subscribe(&format!("{BASE}/incoming")).await, (true, Some(200)));
    let callers = ["+12025550161", "+12025550162", "+12025550163"];
    for caller in callers {
        acs.ring(caller, OURS).await;
    }
    let heard = application.until("three calls", |heard| heard.grid.len() == 3).await;
    let contexts: Vec<&str> =
        heard.grid.iter().map(|post| post[0]["data"]["incomingCallContext"].as_str().unwrap()).collect();
    assert!(
        contexts.iter().all(|context| (8_000..12_000).contains(&context.len())),
        "as long as the real ones"
    );

    let printed =
        run("acs_client.py", &[&acs.endpoint(), &acs.access_key(), BASE], &contexts.join("\n")).await;
    let done = [
        "create",
        "get",
        "participants",
        "send digits",
        "stop media",
        "start media",
        "add participant",
        "terminate",
        "no such call",
        "hang up",
        "transfer",
        "answer",
        "reject",
        "redirect",
        "refusals",
    ];
    assert_eq!(printed.lines().collect::<Vec<_>>(), done);

    assert_eq!(acs.violations(), [] as [&str; 0]);
    let calls = acs.calls();
    let offers: Vec<&Offer> = calls[..3].iter().map(|call| &call.offer).collect();
    let redirected = Offer::Redirected("+12025550188".to_owned());
    assert_eq!(offers, [&Offer::Answered, &Offer::Rejected("busy".to_owned()), &redirected]);
    assert!(calls.iter().all(|call| call.stage == Stage::Ended), "{calls:#?}");
    assert_eq!(calls[3].digits, "2#");
    assert_eq!((calls[3].rate(), calls[3].operation_context.as_deref()), (24_000, Some("a call")));
    assert_eq!(acs.requests_to(Operation::Create).last().unwrap().status, Some(400));
}

#[tokio::test]
async fn another_reader_of_tokens_tells_the_good_from_the_bad() {
    let acs = FakeAcs::start().await;
    let old = acs.token(|_| ());
    acs.rotate_key();
    let tokens = [
        ("good", acs.token(|_| ())),
        ("ExpiredSignatureError", acs.token(|claims| claims.expires_at = claims.issued_at - 600)),
        ("ImmatureSignatureError", acs.token(|claims| claims.not_before += 600)),
        ("InvalidAudienceError", acs.token(|claims| claims.audience = "another".to_owned())),
        ("InvalidIssuerError", acs.token(|claims| claims.issuer = "https://example.org".to_owned())),
        ("InvalidSignatureError", acs.token(|claims| claims.forged = true)),
        ("InvalidAlgorithmError", acs.token(|claims| claims.algorithm = Algorithm::None)),
        ("InvalidAlgorithmError", acs.token(|claims| claims.algorithm = Algorithm::Hs256)),
        ("PyJWKClientError", acs.token(|claims| claims.kid = Some("unknown".to_owned()))),
        ("PyJWKClientError", old),
    ];
    let input: Vec<&str> = tokens.iter().map(|(_, token)| token.as_str()).collect();
    let arguments = [&acs.openid_configuration_url(), acs.resource_id()];
    let printed = run("acs_token.py", &arguments, &input.join("\n")).await;
    let expected: Vec<&str> = tokens.iter().map(|(verdict, _)| *verdict).collect();
    assert_eq!(printed.lines().collect::<Vec<_>>(), expected);
}
