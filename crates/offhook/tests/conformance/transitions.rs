//! Every transition of a lifecycle, and what it comes to.

use std::net::TcpListener;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::clawcall::{ClawCall, Followed};
use crate::fields::waiting;
use crate::rig::{HANGS_UP, NEVER_ANSWERS, RECEPTIONIST, Rig, SILENT, Setup};

const DECLINES: &str = "+14155550103";
const INVALID: &str = "+14155550104";
const UNREACHABLE: &str = "+14155550105";
const VOICEMAIL: &str = "+14155550106";

/// What happens to a call, and what comes of it.
struct Row {
    to: &'static str,
    /// In which lifecycle it is hung up; `None`: it ends by itself.
    hang_up_in: Option<&'static str>,
    /// What the hang-up is answered with.
    status: Option<&'static str>,
    outcome: &'static str,
    answered: bool,
    hangup_source: Option<&'static str>,
}

const fn ends(to: &'static str, outcome: &'static str, answered: bool, by: Option<&'static str>) -> Row {
    Row { to, hang_up_in: None, status: None, outcome, answered, hangup_source: by }
}

const ROWS: &[Row] = &[
    ends("+14155550101", "busy", false, Some("callee")),
    ends(DECLINES, "rejected", false, Some("callee")),
    ends(INVALID, "invalid_number", false, Some("callee")),
    ends(UNREACHABLE, "unreachable", false, Some("callee")),
    ends(HANGS_UP, "answered", true, Some("callee")),
    ends(VOICEMAIL, "answered", true, Some("caller")),
    Row {
        to: NEVER_ANSWERS,
        hang_up_in: Some("dialing"),
        status: Some("failed"),
        outcome: "cancelled",
        answered: false,
        hangup_source: Some("caller"),
    },
    Row {
        to: RECEPTIONIST,
        hang_up_in: Some("answered"),
        status: Some("completed"),
        outcome: "answered",
        answered: true,
        hangup_source: Some("caller"),
    },
];

const ORDER: [&str; 4] = ["queued", "dialing", "answered", "finalized"];

/// Never back, and the end is the end.
fn check_order(followed: &Followed) {
    let positions: Vec<usize> = followed
        .lifecycles
        .iter()
        .map(|lifecycle| ORDER.iter().position(|known| known == lifecycle).unwrap())
        .collect();
    assert!(positions.is_sorted(), "{:?}", followed.lifecycles);
}

async fn run(rig: &Rig, row: &Row) -> Vec<String> {
    let agent = ClawCall::of(rig);
    let id = agent.call(row.to).await;
    let mut problems = Vec::new();
    if let Some(lifecycle) = row.hang_up_in {
        agent.until(&id, lifecycle).await;
        if row.answered {
            agent.poll(&id, |call| call["transcript"].is_array()).await;
        }
        let hung_up = agent.hang_up(&id).await;
        if hung_up["status"].as_str() != row.status {
            problems.push(format!("{}: hanging up says {hung_up}", row.to));
        }
    }
    let followed = agent.finalized(&id).await;
    check_order(&followed);
    let call = &followed.call;
    let mut check = |field: &str, seen: &Value, expected: Value| {
        if *seen != expected {
            problems.push(format!("{}: {field} is {seen}, not {expected}", row.to));
        }
    };
    check("outcome", &call["outcome"], json!(row.outcome));
    check("reason.code", &call["outcome_detail"]["reason"]["code"], json!(row.outcome));
    check("hangup_source", &call["outcome_detail"]["hangup_source"], json!(row.hangup_source));
    check("answered", &json!(call["timestamps"]["answered_at"].is_string()), json!(row.answered));
    check("talk_seconds", &json!(call["talk_seconds"].is_u64()), json!(row.answered));
    check("transcript", &json!(call["transcript"].is_array()), json!(row.answered));
    // Finalized is for good, however often it is hung up.
    for _ in 0..2 {
        let again = agent.hang_up(&id).await;
        let word = if row.answered { "completed" } else { "failed" };
        check("the status of another hang-up", &again["status"], json!(word));
    }
    let mut later = agent.show(&id).await;
    // A link is signed anew each time.
    later["recording_url"] = call["recording_url"].clone();
    check("the call later", &later, call.clone());
    problems
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_transition_ends_as_the_contract_says() {
    let rig = Rig::start().await;
    let problems: Vec<String> = join_all(ROWS.iter().map(|row| run(&rig, row))).await.concat();
    assert!(problems.is_empty(), "{problems:#?}");
    rig.stop().await;
}

#[tokio::test]
async fn a_phone_that_nobody_answers_is_given_up_on() {
    let rig = Setup::new().ring_limit(Duration::from_secs(2)).start().await;
    let row = ends(NEVER_ANSWERS, "no_answer", false, Some("caller"));
    assert_eq!(run(&rig, &row).await, Vec::<String>::new());
    rig.stop().await;
}

/// Any earlier state may jump to the end, also the first.
#[tokio::test]
async fn a_call_that_was_never_dialled_ends_from_the_queue() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let rig = waiting(&silent).await;
    let agent = ClawCall::of(&rig);
    let id = agent.call(SILENT).await;
    agent.until(&id, "queued").await;
    assert_eq!(agent.hang_up(&id).await["status"], "failed");
    let followed = agent.finalized(&id).await;
    check_order(&followed);
    assert_eq!(
        (&followed.call["outcome"], &followed.call["talk_seconds"]),
        (&json!("cancelled"), &Value::Null)
    );
    assert!(rig.exchange.calls().is_empty(), "nothing was dialled");
    rig.stop().await;

    let mut setup = Setup::new();
    let auth = offhook_speech::openai::Auth::Bearer("sk-test-not-a-real-key".to_owned().into());
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let model =
        offhook_speech::openai::Config::new(format!("ws://{nobody}/v1"), auth, "gpt-realtime-2.1".to_owned());
    setup.config.speech = offhook::config::SpeechModel::OpenAi(model);
    let rig = setup.start().await;
    let agent = ClawCall::of(&rig);
    let id = agent.call(SILENT).await;
    let followed = agent.finalized(&id).await;
    check_order(&followed);
    let (outcome, reason) = (&followed.call["outcome"], &followed.call["outcome_detail"]["reason"]);
    assert_eq!((outcome, &reason["retryable"]), (&json!("system_error"), &json!(true)));
    rig.stop().await;
}
