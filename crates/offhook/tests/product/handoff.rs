//! The user comes into a call: by the voice's tool or the owner's wish, asked first or not, and both talk. Or the user
//! does not come, and the other side hears the truth.

use std::time::Duration;

use offhook_sandbox::{CallRecord, Ending, Stage, Step};
use offhook_speech::local::tagged;
use offhook_testkit::realtime::{FakeRealtime, Reply};
use offhook_testkit::tone::{RATE, level_at, level_dbfs};
use reqwest::Method;
use serde_json::{Value, json};

use crate::agent::{Agent, Answer, Call};
use crate::realtime::{CLINIC, HELLO, goodbye, model, person, turns};
use crate::recording::Sides;
use crate::rig::{HANGS_UP, LINE, NEVER_ANSWERS, RECEPTIONIST, Rig, Setup};

/// The user's phone, as the test has it answer.
const USER: &str = "+14155550151";
/// Asks for the person on whose behalf we call.
const BANK: &str = "+14155550110";
/// Phones of the sandbox.
const PRESSES_ONE: &str = "+14155550190";
const DECLINES: &str = "+14155550192";
const BUSY: &str = "+14155550193";
const PRESSES_TWO: &str = "+14155550194";
const VOICEMAIL: &str = "+14155550195";
const AWAY: &str = "+14155550196";

const WISH: &str = "Jordan Lee needs an appointment. Connect them when they are asked for.";
const ASKED: &str = "May I speak with Jordan in person?";
const USER_SAYS: &str = "Hello, this is Jordan. I was told you want to speak with me.";
const REMOTE_SAYS: &str = "Good morning Jordan. Your results are here.";
const ABSENT: &str = "I am sorry, they cannot join us right now. What would be the next step without them?";

/// Who asks for the user, and then talks with them.
fn asks_for_user() -> Vec<Step> {
    // The voice's word that it connects, and then the user's.
    let then = [
        Step::Say(ASKED),
        Step::Await { ms: 30_000 },
        Step::Await { ms: 30_000 },
        Step::Say(REMOTE_SAYS),
        Step::Pause { ms: 1_500 },
        Step::Say(REMOTE_SAYS),
        Step::StaySilent,
    ];
    person(&then)
}

/// Picks up and talks at once.
fn user_talks() -> Vec<Step> {
    vec![
        // Until the other side was told.
        Step::Ring { ms: 12_000 },
        Step::Answer,
        Step::Pause { ms: 600 },
        Step::Say(USER_SAYS),
        // Once more: on a busy machine what comes late is left out, and one whole sentence is enough.
        Step::Pause { ms: 1_500 },
        Step::Say(USER_SAYS),
        Step::Pause { ms: 24_000 },
        Step::HangUp,
    ]
}

fn connects() -> Reply {
    let reason = json!({ "reason": "They want to speak with you about your results." }).to_string();
    Reply::call("loop_in_user", &reason)
}

async fn rig(base_url: String, remote: Vec<Step>, user: Vec<Step>) -> Rig {
    rig_with(base_url, remote, user, |_| {}).await
}

async fn rig_with(
    base_url: String,
    remote: Vec<Step>,
    user: Vec<Step>,
    change: impl FnOnce(&mut Setup),
) -> Rig {
    let mut setup = Setup::new();
    let auth = offhook_speech::openai::Auth::Bearer("sk-test-not-a-real-key".to_owned().into());
    setup.config.speech = offhook::config::SpeechModel::OpenAi(offhook_speech::openai::Config::new(
        base_url,
        auth,
        "gpt-realtime-2.1".to_owned(),
    ));
    setup.exchange.numbers = vec![(CLINIC.to_owned(), remote), (USER.to_owned(), user)];
    setup.exchange.keep_audio = true;
    change(&mut setup);
    setup.start().await
}

async fn place(rig: &Rig, user: &str, warm: bool) -> Call {
    let body = json!({ "to": CLINIC, "task": WISH, "bridge_number": user, "warm_greeting": warm });
    rig.owner().place(&body).await
}

async fn bridge(agent: &Agent, call: &Call, body: &Value) -> Answer {
    Answer::to(agent.request(Method::POST, &call.path("/bridge")).json(body)).await
}

/// Once it is over.
async fn record(rig: &Rig, number: &str) -> CallRecord {
    let of =
        |calls: &[CallRecord]| calls.iter().find(|call| call.number == number && call.is_over()).cloned();
    rig.exchange.until(of).await
}

fn codes(journal: &[Value]) -> Vec<&str> {
    journal.iter().map(|event| event["code"].as_str().unwrap()).collect()
}

fn find<'a>(journal: &'a [Value], code: &str) -> &'a Value {
    let found = journal.iter().find(|event| event["code"] == code);
    found.unwrap_or_else(|| panic!("no {code} in {:?}", codes(journal)))
}

/// What went on between the join and the end.
fn after_join(journal: &[Value]) -> Vec<&str> {
    let codes = codes(journal);
    let joined = codes.iter().position(|code| *code == "handoff.joined").expect("they were joined");
    // What it takes to hang up after a crash says nothing.
    codes[joined + 1..].iter().copied().filter(|code| !code.ends_with(".ticket")).collect()
}

/// What was heard on one side that the tagged voices said.
fn heard(record: &CallRecord) -> String {
    tagged::decode(&record.audio).unwrap_or_default()
}

/// Milliseconds of audio the model was given.
fn model_heard_ms(fake: &FakeRealtime) -> u64 {
    let audio = |event: &Value| {
        event["audio"].as_str().map_or(0, |base64| base64.trim_end_matches('=').len() as u64 * 3 / 4)
    };
    // G.711: eight bytes a millisecond.
    fake.events("input_audio_buffer.append").iter().map(audio).sum::<u64>() / 8
}

#[tokio::test]
async fn the_voice_hands_over_and_leaves() {
    let fake = FakeRealtime::start(model(vec![connects()], &[HELLO, ASKED])).await;
    let rig = rig(fake.url(), asks_for_user(), user_talks()).await;
    let call = place(&rig, USER, false).await;
    let joined = call.until_code("handoff.joined").await;
    let view = call.view().await;
    assert_eq!(
        (&view["handoff"]["state"], &view["numbers"]["bridge_from"]),
        (&json!("joined"), &json!(LINE))
    );
    let over = call.over().await;
    let journal = call.journal().await;

    // Each heard the other, word for word, and the two answers were joined at once.
    assert!(heard(&record(&rig, CLINIC).await).contains(USER_SAYS), "the other side hears the user");
    assert!(heard(&record(&rig, USER).await).contains(REMOTE_SAYS), "the user hears the other side");
    let crossed = find(&journal, "handoff.crossed");
    let slowest = crossed["to_user_ms"].as_u64().unwrap().max(crossed["to_remote_ms"].as_u64().unwrap());
    assert!(slowest <= 200, "{crossed}");

    // From the join on nothing was recorded, heard by the model, or written down.
    let late = ["handoff.crossed", "handoff.ended", "recording.stopped", "leg.media_stats", "call.ended"];
    assert_eq!(after_join(&journal), late);
    let since_answer = |code: &str| ms_between(&journal, "call.answered", code);
    let recorded_ms = find(&journal, "recording.stopped")["duration_ms"].as_u64().unwrap();
    assert!(recorded_ms.abs_diff(since_answer("handoff.joined")) <= 100, "{recorded_ms} ms recorded");
    assert!(since_answer("call.ended") > recorded_ms + 1_000, "they talked on");
    let sides = Sides::read(call.recording().await);
    assert_eq!(tagged::decode(&sides.remote).as_deref(), Some(format!("{HELLO} {ASKED}").as_str()));
    let model_heard = model_heard_ms(&fake);
    assert!(model_heard <= recorded_ms + 100, "{model_heard} ms heard of {recorded_ms} ms until the join");
    let told: String = journal.iter().chain([&over]).map(Value::to_string).collect();
    assert!(!told.contains("Jordan. I was told") && !told.contains("results are here"), "{told}");

    assert_eq!((&over["outcome"], &over["end_reason"]), (&json!("answered"), &json!("user.hung_up")));
    assert_eq!((&over["result"]["status"], &over["answered_by"]), (&json!("partly"), &json!("human")));
    let handoff = &over["handoff"];
    assert_eq!(
        (&handoff["state"], &handoff["by"], &handoff["warm"], &handoff["ended_by"]),
        (&json!("ended"), &json!("voice"), &json!(false), &json!("user"))
    );
    assert!(handoff["asked_at"].as_str() < handoff["joined_at"].as_str(), "{handoff}");
    assert!(codes(&joined).contains(&"handoff.ringing"));
    rig.stop().await;
}

fn ms_between(journal: &[Value], from: &str, to: &str) -> u64 {
    let at = |code: &str| {
        let at = find(journal, code)["at"].as_str().unwrap();
        at.parse::<jiff::Timestamp>().unwrap().as_millisecond()
    };
    (at(to) - at(from)) as u64
}

#[tokio::test]
async fn a_warm_user_hears_in_private_who_is_there_and_joins_with_a_key() {
    let fake = FakeRealtime::start(model(vec![connects()], &[HELLO, ASKED, "Hello, this is Alex."])).await;
    let rig = rig(fake.url(), asks_for_user(), Vec::new()).await;
    let call = place(&rig, PRESSES_ONE, true).await;
    let over = call.over().await;
    let journal = call.journal().await;
    let told = |code: &&str| code.starts_with("handoff.") && *code != "handoff.ticket";
    let order: Vec<&str> = codes(&journal).into_iter().filter(told).collect();
    let expected = [
        "handoff.asked",
        "handoff.dialing",
        "handoff.ringing",
        "handoff.answered",
        "handoff.introduced",
        "handoff.joined",
        "handoff.crossed",
        "handoff.ended",
    ];
    assert_eq!(order, expected);
    // Neither what the user heard nor what they said in private is anywhere but with them.
    assert!(codes(&journal).contains(&"turn.private"));
    let told: String = journal.iter().chain([&over]).map(Value::to_string).collect();
    assert!(!told.contains("this is Alex") && !told.contains("your AI assistant"), "{told}");
    let sides = Sides::read(call.recording().await);
    assert_eq!(tagged::decode(&sides.remote).as_deref(), Some(format!("{HELLO} {ASKED}").as_str()));
    let remote = record(&rig, CLINIC).await;
    let heard = heard(&remote);
    assert!(!heard.contains("Hello, this is Alex."), "{heard}");
    let user_says = ["Yes, I am here. I can talk now.", "Thank you for your help. That is good for me."];
    assert!(user_says.iter().any(|sentence| heard.contains(sentence)), "{heard}");
    let told: String = fake.events("response.create").iter().map(Value::to_string).collect();
    assert!(told.contains("They want to speak with you about your results."), "the user is told why");
    let crossed = find(&journal, "handoff.crossed");
    assert!(crossed["to_user_ms"].as_u64().unwrap().max(crossed["to_remote_ms"].as_u64().unwrap()) <= 200);
    rig.stop().await;
}

#[tokio::test]
async fn a_user_who_says_yes_joins_too() {
    let joins = Reply::call("user_decides", r#"{"joins":true}"#);
    let fake = FakeRealtime::start(model(vec![connects(), joins], &[HELLO, ASKED, "Yes, please."])).await;
    let user = [
        Step::Answer,
        Step::Listen { patience_ms: 60_000 },
        Step::Say("Yes, please."),
        Step::Linger { ms: 9_000 },
    ];
    let rig = rig(fake.url(), asks_for_user(), user.to_vec()).await;
    let call = place(&rig, USER, true).await;
    let journal = call.journal().await;
    let tools: Vec<&Value> =
        journal.iter().filter(|event| event["code"] == "tool.called").map(|event| &event["tool"]).collect();
    assert_eq!(tools, ["loop_in_user", "user_decides"]);
    find(&journal, "handoff.joined");
    assert!(!journal.iter().any(|event| event.to_string().contains("Yes, please.")), "{journal:#?}");
    rig.stop().await;
}

/// The user does not come, for this reason: the voice tells the truth, goes on and ends the call as it should.
async fn does_not_come(phone: &str, why: &str, user_says: &[&str], reply: Option<Reply>) {
    let mut replies = vec![connects()];
    replies.extend(reply);
    replies.push(goodbye("I will call again tomorrow. Goodbye."));
    let heard = [&[HELLO, ASKED], user_says, &["Call again tomorrow."]].concat();
    let then = [
        Step::Say(ASKED),
        Step::Await { ms: 45_000 },
        Step::Await { ms: 45_000 },
        Step::Say("Call again tomorrow."),
        Step::Linger { ms: 30_000 },
    ];
    let fake = FakeRealtime::start(model(replies, &heard)).await;
    let rig = rig_with(fake.url(), person(&then), Vec::new(), |setup| {
        setup.config.limits.user_ring = Duration::from_secs(3);
    })
    .await;
    let call = place(&rig, phone, true).await;
    let over = call.over().await;
    assert_eq!(find(&call.journal().await, "handoff.failed")["why_not"], why);
    assert_eq!((&over["handoff"]["state"], &over["handoff"]["reason"]), (&json!("failed"), &json!(why)));
    let said = turns(&over);
    assert!(said.contains(&("assistant", ABSENT)), "{said:#?}");
    assert_eq!(over["end_reason"], "voice.finished", "{said:#?}");
    let user = record(&rig, phone).await;
    assert!(!matches!(user.stage, Stage::Ended(Ending::Lost)), "{user:?}");
    rig.stop().await;
}

#[tokio::test]
async fn a_user_who_declines_the_call() {
    does_not_come(DECLINES, "declined", &[], None).await;
}

#[tokio::test]
async fn a_user_who_is_busy() {
    does_not_come(BUSY, "busy", &[], None).await;
}

#[tokio::test]
async fn a_user_who_does_not_pick_up() {
    does_not_come(AWAY, "no_answer", &[], None).await;
}

#[tokio::test]
async fn a_user_who_picks_up_and_presses_two() {
    does_not_come(PRESSES_TWO, "user_declined", &["Hello, this is Alex."], None).await;
}

#[tokio::test]
async fn a_voicemail_of_the_user() {
    let machine = Reply::call("report_voicemail", r#"{"kind":"voicemail"}"#);
    does_not_come(VOICEMAIL, "no_answer", &["You have reached a voicemail."], Some(machine)).await;
}

/// How often the note was heard that keeps company.
fn notes(audio: &[i16]) -> usize {
    const HZ: f64 = 587.3;
    let is_note = |piece: &[i16]| {
        let (note, all) = (level_at(piece, RATE, HZ), level_dbfs(piece));
        note > -40.0 && all - note < 2.0
    };
    let found = audio.windows(640).step_by(80).map(is_note);
    let mut quiet_for = 100;
    let begins = |heard: bool| {
        let begins = heard && quiet_for > 50;
        quiet_for = if heard { 0 } else { quiet_for + 1 };
        begins
    };
    found.map(begins).filter(|begins| *begins).count()
}

#[tokio::test]
async fn the_other_side_leaves_while_the_user_is_called() {
    let fake = FakeRealtime::start(model(vec![connects()], &[HELLO, ASKED])).await;
    let then = [Step::Say(ASKED), Step::Pause { ms: 20_000 }, Step::HangUp];
    let rig = rig(fake.url(), person(&then), Vec::new()).await;
    let call = place(&rig, AWAY, true).await;
    let over = call.over().await;
    assert_eq!(over["end_reason"], "remote.hung_up");
    assert_eq!(over["handoff"]["reason"], "remote_left");
    assert_eq!(record(&rig, AWAY).await.stage, Stage::Ended(Ending::Cancelled));
    // Until then they heard, now and then, that the line was not dead.
    let notes = notes(&record(&rig, CLINIC).await.audio);
    assert!((1..=2).contains(&notes), "{notes} notes in seven seconds");
    rig.stop().await;
}

/// A call whose user joins, with somebody who stays on the line.
async fn joined(rig: &Rig, to: &str) -> Call {
    let wish = json!({ "to": to, "task": WISH, "bridge_number": USER });
    let call = rig.owner().place(&wish).await;
    call.until_code("turn.voice").await;
    let told = bridge(&call.agent, &call, &json!({ "bridge_number": USER, "warm_greeting": false })).await;
    assert_eq!(told.status, 202, "{told:?}");
    call.until_code("handoff.joined").await;
    call
}

#[tokio::test]
async fn whoever_hangs_up_ends_the_call_for_both() {
    let stays = [Step::Answer, Step::StaySilent];
    for who in ["remote", "user", "owner"] {
        let mut setup = Setup::new();
        let leaves = |one: &str| match one == who {
            true => vec![Step::Answer, Step::Say(USER_SAYS), Step::Pause { ms: 3_000 }, Step::HangUp],
            false => stays.to_vec(),
        };
        let remote = match who {
            "remote" => person(&[Step::Await { ms: 60_000 }, Step::Pause { ms: 6_000 }, Step::HangUp]),
            _ => person(&[Step::StaySilent]),
        };
        setup.exchange.numbers = vec![(CLINIC.to_owned(), remote), (USER.to_owned(), leaves("user"))];
        let rig = setup.start().await;
        let call = joined(&rig, CLINIC).await;
        if who == "owner" {
            call.hang_up().await;
        }
        let over = call.over().await;
        let (reason, by) = match who {
            "remote" => ("remote.hung_up", "remote"),
            "user" => ("user.hung_up", "user"),
            _ => ("owner.cancelled", "gateway"),
        };
        assert_eq!((&over["end_reason"], &over["handoff"]["ended_by"]), (&json!(reason), &json!(by)));
        let ended = |record: CallRecord, left: bool| {
            let expected = if left { Ending::PersonHungUp } else { Ending::RemoteHungUp };
            assert_eq!(record.stage, Stage::Ended(expected), "{who}");
        };
        ended(record(&rig, CLINIC).await, who == "remote");
        ended(record(&rig, USER).await, who == "user");
        rig.stop().await;
    }
}

#[tokio::test]
async fn what_can_not_be_bridged_is_refused_and_a_strangers_call_is_none() {
    let mut setup = Setup::new();
    setup.exchange.numbers = vec![(USER.to_owned(), vec![Step::Answer, Step::StaySilent])];
    let rig = setup.start().await;
    let ringing = rig.stranger().await.call(NEVER_ANSWERS).await;
    ringing.until_code("call.ringing").await;
    let named = json!({ "bridge_number": USER });
    let conflict = (409, "conflict".to_owned());
    assert_eq!(bridge(&ringing.agent, &ringing, &named).await.error(), conflict);
    ringing.hang_up().await;

    let call = rig.stranger().await.call(RECEPTIONIST).await;
    call.until_code("turn.voice").await;
    for (body, code) in [
        (json!({ "bridge_number": "12" }), "invalid_phone"),
        (json!({ "bridge_number": 12 }), "invalid_phone"),
        (json!({ "bridge_number": "+442079460000" }), "unsupported_destination"),
        (json!({ "bridge_number": RECEPTIONIST }), "invalid_loop_in_destination"),
        (json!({ "bridge_number": LINE }), "invalid_loop_in_destination"),
        (json!({ "bridge_number": USER, "warm_greeting": "yes" }), "invalid_request"),
        (json!(["bridge_number"]), "invalid_request"),
        (json!({}), "missing_fields"),
    ] {
        assert_eq!(bridge(&call.agent, &call, &body).await.error(), (400, code.to_owned()), "{body}");
    }
    let stranger = rig.stranger().await;
    assert_eq!(bridge(&stranger, &call, &named).await.error(), (404, "not_found".to_owned()));
    let nobody = rig.door.request(Method::POST, &call.path("/bridge")).json(&named);
    assert_eq!(Answer::to(nobody).await.error(), (401, "auth_required".to_owned()));

    let straight = json!({ "bridge_number": USER, "warm_greeting": false });
    let told = bridge(&call.agent, &call, &straight).await;
    let body = json!({ "success": true, "call_id": call.id, "status": "answered", "handoff": "dialing" });
    assert_eq!((told.status.as_u16(), told.json()), (202, body));
    call.until_code("handoff.joined").await;
    assert_eq!(bridge(&call.agent, &call, &straight).await.error(), conflict);
    let say = call.agent.request(Method::POST, &call.path("/say")).json(&json!({ "text": "Hello." }));
    assert_eq!(Answer::to(say).await.error(), conflict);
    call.hang_up().await;
    call.over().await;
    assert_eq!(bridge(&call.agent, &call, &straight).await.error(), conflict);
    rig.stop().await;
}

/// Sockets, files and pipes this process has open.
/// What the account prefers holds also where the call was placed without anybody to connect.
#[tokio::test]
async fn a_user_whom_nobody_named_before_is_connected_as_the_account_prefers() {
    let mut setup = Setup::new();
    setup.exchange.numbers = vec![(USER.to_owned(), vec![Step::Answer, Step::StaySilent])];
    let rig = setup.start().await;
    let owner = rig.stranger().await;
    let call = owner.call(RECEPTIONIST).await;
    let preferred = json!({ "warm_greeting": false });
    let put = Answer::to(owner.request(Method::PUT, "/me/call-preferences").json(&preferred)).await;
    assert_eq!(put.status, 200, "{put:?}");
    call.until_code("turn.voice").await;
    assert_eq!(bridge(&call.agent, &call, &json!({ "bridge_number": USER })).await.status, 202);
    call.until_code("handoff.joined").await;
    assert_eq!(find(&call.journal().await, "handoff.asked")["warm"], json!(false));
    call.hang_up().await;
    call.over().await;
    rig.stop().await;
}

fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Tasks that are not over.
fn tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}

#[tokio::test]
async fn a_hundred_handoffs_in_a_row_leave_nothing() {
    const AT_ONCE: usize = 10;
    let mut setup = Setup::new();
    setup.lines = 2 * AT_ONCE;
    let user = [Step::Answer, Step::Say("Hello."), Step::HangUp];
    setup.exchange.numbers.push((USER.to_owned(), user.to_vec()));
    let remotes: Vec<String> = (0..AT_ONCE).map(|n| format!("+1415555016{n}")).collect();
    for remote in &remotes {
        setup.exchange.numbers.push((remote.clone(), vec![Step::Answer, Step::StaySilent]));
    }
    let rig = setup.start().await;
    let admin = rig.admin().await;
    let mut open = Vec::new();
    for _ in 0..100 / AT_ONCE {
        let calls = remotes.iter().map(|remote| async {
            let over = joined(&rig, remote).await.over().await;
            assert_eq!(over["end_reason"], "user.hung_up", "{over}");
        });
        futures_util::future::join_all(calls).await;
        let live = admin.get("/calls?live=true").await.json();
        assert_eq!(live["calls"], json!([]), "calls that are not over");
        rig.exchange.until(|calls| calls.iter().all(CallRecord::is_over).then_some(())).await;
        open.push((open_descriptors(), tasks()));
    }
    assert_eq!(rig.exchange.calls().len(), 200);
    // The first rounds open what is kept: connections of the pool, files of the database.
    let (warm, last) = (open[2], open[open.len() - 1]);
    assert!(last.0 <= warm.0 + 4 && last.1 <= warm.1 + 4, "descriptors and tasks after each round: {open:?}");
    rig.stop().await;
}

/// A call without a handoff is as it was before there were any.
#[tokio::test]
async fn a_call_that_nobody_joins_tells_nothing_of_it() {
    let rig = Rig::start().await;
    let over = rig.owner().call(HANGS_UP).await.over().await;
    assert_eq!((over.get("handoff"), &over["numbers"]["bridge_from"]), (None, &Value::Null));
    rig.stop().await;
}

/// What offhook does without any model, it does here too.
#[tokio::test]
async fn the_local_voice_connects_the_user_when_they_are_asked_for() {
    let rig = Rig::start().await;
    let task = "Ask North Bank to lift the limit of Jordan Lee. When they want to speak with the account holder, \
                connect Jordan.";
    let call = rig.owner().place(&json!({ "to": BANK, "task": task, "bridge_number": PRESSES_ONE })).await;
    let journal = call.journal().await;
    assert_eq!(find(&journal, "handoff.asked")["by"], "voice");
    let joined = codes(&journal).contains(&"handoff.joined");
    assert!(joined, "{:#?}", journal.iter().map(Value::to_string).collect::<Vec<_>>());
    let user = record(&rig, PRESSES_ONE).await;
    assert!(user.said.iter().any(|said| said == "Yes, I am here. I can talk now."), "{:?}", user.said);
    rig.stop().await;
}
