//! Calls to our lines: who is let in, as whom, and what the model is told and given for each.

use std::net::SocketAddr;

use offhook::config::{Config, Env, SpeechModel};
use offhook_sandbox::{CallRecord, Step};
use offhook_speech::openai;
use offhook_store::{AuditEntry, AuditFilter};
use offhook_testkit::programs::{Protocol, free_port};
use offhook_testkit::realtime::{FakeRealtime, Recorded, Reply, Script};
use serde_json::{Value, json};

use crate::agent::Agent;
use crate::realtime::{model, turns};
use crate::rig::{LINE, PATIENCE, Rig, Setup};

pub const ANA: &str = "+12065551001";
pub const STRANGER: &str = "+13605559999";
/// Another line of ours.
pub const SHOP: &str = "+14155550198";
/// The user's phone.
const USER: &str = "+14155550151";

pub const PIN: &str = "24680";
pub const SECRET: &str = "The alarm is behind the blue door.";
pub const HELLO: &str = "Hello, I have a question.";

/// What every line here has, beside what a test is about.
const USUAL: &str = r#"
[[agent]]
name = "main"
kind = "owner"

[inbound]
instructions = "Answer for Mira, who mends bicycles."
greeting = "Mira's workshop."
trusted_instructions = "The alarm is behind the blue door."
"#;

/// One of our lines, and whoever calls it.
pub struct Desk {
    pub rig: Rig,
    pub fake: FakeRealtime,
    pub addr: SocketAddr,
}

impl Desk {
    /// `inbound` goes into the table `[inbound]`, or is tables after it.
    pub async fn open(inbound: &str, script: Script) -> Self {
        Self::open_with(inbound, script, |_| ()).await
    }

    pub async fn open_with(inbound: &str, script: Script, change: impl FnOnce(&mut Setup)) -> Self {
        let fake = FakeRealtime::start(script).await;
        let mut setup = Setup::new();
        let written = Config::parse(&format!("{USUAL}{inbound}"), &Env::default()).unwrap();
        (setup.config.inbound, setup.config.agents) = (written.inbound, written.agents);
        let auth = openai::Auth::Bearer("sk-test-not-a-real-key".to_owned().into());
        let model = openai::Config::new(fake.url(), auth, "gpt-realtime-2.1".to_owned());
        setup.config.speech = SpeechModel::OpenAi(model);
        setup.listen = SocketAddr::from(([127, 0, 0, 1], free_port(Protocol::Udp)));
        setup.more_lines = vec![SHOP];
        setup.exchange.keep_audio = true;
        let addr = setup.listen;
        change(&mut setup);
        Self { rig: setup.start().await, fake, addr }
    }

    /// Somebody calls, and the call comes to its end.
    pub async fn call(&self, from: &str, to: &str, steps: &[Step]) -> CallRecord {
        let exchange = &self.rig.exchange;
        let key = exchange.call(self.addr, to, from, steps).await;
        let over =
            |calls: &[CallRecord]| calls.iter().find(|call| call.key == key && call.is_over()).cloned();
        tokio::time::timeout(PATIENCE, exchange.until(over)).await.expect("the call comes to its end")
    }

    /// The calls that came in, newest first, once the newest is over, as whoever runs this reads them.
    pub async fn calls(&self, count: usize) -> Vec<Value> {
        let admin = self.rig.admin().await;
        let listed = async {
            loop {
                let calls = inbound(&admin).await;
                let is_over = |call: &Value| call["lifecycle"] == "finalized";
                if calls.len() == count && calls.iter().all(is_over) {
                    return calls;
                }
                assert!(calls.len() <= count, "{calls:#?}");
            }
        };
        let listed = tokio::time::timeout(PATIENCE, listed).await;
        let listed = listed.unwrap_or_else(|_| panic!("{count} calls are over"));
        let mut whole = Vec::new();
        for call in listed {
            whole.push(admin.known(call["id"].as_str().unwrap()).view().await);
        }
        whole
    }

    /// The facts of the newest call.
    pub async fn journal(&self) -> Vec<Value> {
        let admin = self.rig.admin().await;
        let newest = inbound(&admin).await[0]["id"].as_str().unwrap().to_owned();
        admin.known(&newest).journal().await
    }

    pub fn updates(&self) -> Vec<Value> {
        self.fake.events("session.update")
    }

    /// What the audit log says of declined calls, newest first, once there are so many.
    pub async fn declined(&self, count: usize) -> Vec<Value> {
        let store = self.rig.app.gateway().store();
        let filter = AuditFilter { action: Some("call.declined".to_owned()), ..AuditFilter::default() };
        let noted = async {
            loop {
                let entries = store.audit_log(&filter).await.unwrap();
                if entries.len() >= count {
                    return entries;
                }
            }
        };
        let noted = tokio::time::timeout(PATIENCE, noted).await.expect("each declined call is noted");
        assert_eq!(noted.len(), count);
        let detail = |entry: &AuditEntry| serde_json::from_str(entry.detail.as_deref().unwrap()).unwrap();
        noted.iter().map(detail).collect()
    }
}

async fn inbound(agent: &Agent) -> Vec<Value> {
    let listed = agent.get("/calls?direction=inbound").await.json();
    listed["calls"].as_array().unwrap().clone()
}

/// Says hello once the line has greeted, and stays until the voice hangs up.
pub fn caller() -> Vec<Step> {
    vec![Step::Await { ms: 20_000 }, Step::Say(HELLO), Step::Linger { ms: 20_000 }]
}

/// Says goodbye after the first turn.
pub fn goodbye() -> Reply {
    Reply::say("Goodbye.").and_call("end_call", r#"{"reason":"done","result":null}"#)
}

/// The names of the tools the model was given.
pub fn tools(update: &Value) -> Vec<String> {
    let tools = update["session"]["tools"].as_array();
    tools.into_iter().flatten().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

pub fn instructions(update: &Value) -> &str {
    update["session"]["instructions"].as_str().unwrap_or_default()
}

fn delegates(update: &Value) -> bool {
    tools(update).iter().any(|tool| tool.contains("agent"))
}

/// Nobody picked up, and nobody will.
fn refused(record: &CallRecord) -> bool {
    record.is_over() && record.answered_at.is_none()
}

#[tokio::test]
async fn nobody_gets_in_where_the_line_is_closed_or_they_are_not_listed() {
    let list = "callers = \"list\"\n[[inbound.caller]]\nnumber = \"+12065551001\"\n\
                [[inbound.line]]\nnumber = \"+14155550198\"\ncallers = \"closed\"\n";
    let desk = Desk::open(list, model(vec![goodbye()], &[HELLO])).await;
    for (from, to) in [(STRANGER, LINE), (ANA, SHOP), ("anonymous", LINE)] {
        let record = desk.call(from, to, &caller()).await;
        assert!(refused(&record), "{from} {to}: {:?}", record.stage);
    }
    assert_eq!(desk.fake.connections(), 0, "no model is paid for whoever is not let in");
    let over = desk.call(ANA, LINE, &caller()).await;
    assert!(over.answered_at.is_some(), "{over:?}");

    let calls = desk.calls(4).await;
    let told: Vec<_> = calls.iter().map(|call| (&call["end_reason"], &call["numbers"]["from"])).collect();
    let refused = json!("policy.refused");
    assert_eq!(
        told,
        [
            (&json!("voice.finished"), &json!(ANA)),
            (&refused, &Value::Null),
            (&refused, &json!(ANA)),
            (&refused, &json!(STRANGER)),
        ]
    );
    // Which rule it was stands in the audit log, without the number, and on the call.
    let declined = desk.declined(3).await;
    let rules: Vec<&str> = declined.iter().map(|entry| entry["rule"].as_str().unwrap()).collect();
    assert_eq!(rules, ["inbound_list", "inbound_closed", "inbound_list"]);
    assert!(!declined.iter().any(|entry| entry.to_string().contains(&STRANGER[1..])), "{declined:?}");
    let admin = desk.rig.admin().await;
    let journal = admin.known(calls[3]["id"].as_str().unwrap()).journal().await;
    let problem = journal.iter().find(|fact| fact["code"] == "call.problem").unwrap();
    assert!(problem.to_string().contains("inbound_list"), "{problem}");
    desk.rig.stop().await;
}

#[tokio::test]
async fn a_stranger_never_gets_what_a_trusted_caller_gets() {
    let trusts =
        "trust = \"number\"\n[[inbound.caller]]\nnumber = \"+12065551001\"\nname = \"Ana\"\ntrusted = true\n";
    let desk = Desk::open(trusts, model(vec![goodbye()], &[HELLO])).await;
    desk.call(STRANGER, LINE, &caller()).await;
    desk.calls(1).await;
    let of_stranger = desk.updates();
    assert!(!of_stranger.is_empty());
    for update in &of_stranger {
        assert!(!delegates(update), "{:?}", tools(update));
        assert!(!instructions(update).contains(SECRET), "what is for trusted callers alone");
        assert!(!instructions(update).contains("Ana"), "who else calls");
    }
    let first = &of_stranger[0];
    assert!(instructions(first).contains("mends bicycles"));
    assert!(["take_message", "report_spam"].iter().all(|tool| tools(first).contains(&(*tool).to_owned())));

    desk.call(ANA, LINE, &caller()).await;
    let calls = desk.calls(2).await;
    let of_ana = &desk.updates()[of_stranger.len()];
    assert!(delegates(of_ana), "{:?}", tools(of_ana));
    assert!(instructions(of_ana).contains(SECRET) && instructions(of_ana).contains("Ana"));
    // What the call is for, as it was said; nothing of what is for trusted callers.
    for call in &calls {
        assert_eq!(call["task"], "Answer for Mira, who mends bicycles.");
        assert!(turns(call).iter().any(|(_, text)| text.contains("Mira's workshop")), "{call}");
        assert_eq!(call.get("caller_verified"), None);
    }
    desk.rig.stop().await;
}

#[tokio::test]
async fn each_line_and_each_caller_has_a_purpose_of_its_own() {
    let lines = "[[inbound.line]]\nnumber = \"+14155550198\"\ninstructions = \"Take orders for the shop.\"\n\
                 greeting = \"The shop.\"\nvoice = \"eric\"\n\
                 [[inbound.caller]]\nnumber = \"+1206555*\"\nlines = [\"+14155550198\"]\n\
                 instructions = \"Tell the suppliers where to deliver.\"\ngreeting = \"Hello, dear supplier.\"\n";
    let desk = Desk::open(lines, model(vec![goodbye()], &[HELLO])).await;
    for (n, (from, to, purpose, greeting)) in [
        (STRANGER, LINE, "mends bicycles", "Mira's workshop."),
        (STRANGER, SHOP, "Take orders", "The shop."),
        (ANA, SHOP, "the suppliers", "dear supplier"),
        (ANA, LINE, "mends bicycles", "Mira's workshop."),
    ]
    .into_iter()
    .enumerate()
    {
        let before = desk.updates().len();
        desk.call(from, to, &caller()).await;
        let calls = desk.calls(n + 1).await;
        let update = &desk.updates()[before];
        assert!(instructions(update).contains(purpose), "{to} {from}: {}", instructions(update));
        assert!(turns(&calls[0]).iter().any(|(_, text)| text.contains(greeting)), "{to} {from}");
        for other in
            ["mends bicycles", "Take orders", "the suppliers"].iter().filter(|other| **other != purpose)
        {
            assert!(!instructions(update).contains(other), "{to} {from} {other}");
        }
    }
    desk.rig.stop().await;
}

#[tokio::test]
async fn outside_of_the_hours_a_message_is_taken_or_nobody_answers() {
    // No hours at all: somebody is never there.
    let hours = "hours = []\ntime_zone = \"America/New_York\"\noutside_hours = \"message\"\n\
                 closed_greeting = \"We are closed.\"\ntrust = \"number\"\n\
                 [[inbound.caller]]\nnumber = \"+12065551001\"\ntrusted = true\n\
                 [[inbound.line]]\nnumber = \"+14155550198\"\noutside_hours = \"decline\"\n";
    let desk = Desk::open(hours, model(vec![goodbye()], &[HELLO])).await;
    assert!(refused(&desk.call(STRANGER, SHOP, &caller()).await));
    // Whoever is trusted is answered like anybody: there is nobody to delegate to.
    desk.call(ANA, LINE, &caller()).await;
    let calls = desk.calls(2).await;
    assert!(turns(&calls[0]).iter().any(|(_, text)| text.contains("We are closed.")), "{}", calls[0]);
    let update = &desk.updates()[0];
    assert!(tools(update).contains(&"take_message".to_owned()) && !delegates(update), "{:?}", tools(update));
    assert!(!instructions(update).contains(SECRET) && !instructions(update).contains("bicycles"));
    assert_eq!(desk.declined(1).await[0]["rule"], "inbound_hours");
    desk.rig.stop().await;
}

#[tokio::test]
async fn a_caller_nobody_wants_hears_a_sentence_and_is_not_answered_again() {
    let spam = Reply::call("report_spam", "{}");
    let desk = Desk::open("spam_block_after = 1\n", model(vec![spam], &["You have won a cruise."])).await;
    let over = desk.call(STRANGER, LINE, &caller()).await;
    assert!(over.answered_at.is_some());
    let calls = desk.calls(1).await;
    assert_eq!(calls[0]["end_reason"], "voice.spam", "{}", calls[0]);
    let goodbye = offhook_core::brief::Language::of("en").not_interested;
    assert_eq!(turns(&calls[0]).last(), Some(&("assistant", goodbye)), "{}", calls[0]);

    assert!(refused(&desk.call(STRANGER, LINE, &caller()).await));
    assert_eq!(desk.declined(1).await[0]["rule"], "inbound_spam");
    desk.rig.stop().await;
}

#[tokio::test]
async fn how_often_one_may_call_in_a_day() {
    let caps = "calls_per_day_per_caller = 1\ncalls_per_day = 2\n";
    let desk = Desk::open(caps, model(vec![goodbye()], &[HELLO])).await;
    let mut declined = 0;
    for (from, rule) in [
        (STRANGER, None),
        (STRANGER, Some("inbound_calls_per_day_per_caller")),
        (ANA, None),
        ("+12065551002", Some("inbound_calls_per_day")),
    ] {
        let record = desk.call(from, LINE, &caller()).await;
        assert_eq!(refused(&record), rule.is_some(), "{from} {rule:?} {:?}", record.stage);
        if let Some(rule) = rule {
            declined += 1;
            assert_eq!(desk.declined(declined).await[0]["rule"], rule);
        }
    }
    desk.rig.stop().await;
}

#[tokio::test]
async fn a_caller_of_the_operators_line_is_connected_with_the_user() {
    let wants = Reply::call("loop_in_user", r#"{"reason":"They ask for Mira."}"#);
    let user = vec![
        Step::Ring { ms: 300 },
        Step::Answer,
        Step::Await { ms: 30_000 },
        Step::Press("1"),
        Step::Pause { ms: 2_000 },
        Step::Say("This is Mira."),
        Step::Pause { ms: 4_000 },
        Step::HangUp,
    ];
    let desk = Desk::open_with(
        "handoff_number = \"+14155550151\"\n",
        model(vec![wants], &["May I speak with Mira?"]),
        |setup| setup.exchange.numbers = vec![(USER.to_owned(), user)],
    )
    .await;
    let stays = [Step::Await { ms: 20_000 }, Step::Say("May I speak with Mira?"), Step::StaySilent];
    let over = desk.call(STRANGER, LINE, &stays).await;
    let said = offhook_speech::local::tagged::decode(&over.audio).unwrap_or_default();
    assert!(said.contains("This is Mira."), "they hear each other: {said}");
    let calls = desk.calls(1).await;
    assert_eq!(
        (&calls[0]["handoff"]["state"], &calls[0]["end_reason"]),
        (&json!("ended"), &json!("user.hung_up"))
    );
    assert!(tools(&desk.updates()[0]).contains(&"loop_in_user".to_owned()));
    desk.rig.stop().await;
}

/// Whatever the model was sent, of this kind or that.
pub fn sent(recorded: &[Recorded]) -> String {
    recorded.iter().map(|one| one.event.to_string()).collect()
}
