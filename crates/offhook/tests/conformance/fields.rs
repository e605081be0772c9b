//! Every field of the contract's answers: what it is, and in which lifecycles it is there.

use std::net::TcpListener;
use std::time::Duration;

use offhook::config::SpeechModel;
use offhook_speech::openai;
use serde_json::{Value, json};

use crate::clawcall::ClawCall;
use crate::rig::{HANGS_UP, NEVER_ANSWERS, RECEPTIONIST, Rig, SILENT, Setup};

/// What a field may hold.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Text,
    TextOrNull,
    Uuid,
    OneOf(&'static [&'static str]),
    OneOfOrNull(&'static [&'static str]),
    /// ISO 8601 in UTC, with milliseconds.
    Instant,
    Null,
    Count,
    CountOrNull,
    NumberOrNull,
    Flag,
    Object,
    Turns,
    TurnsOrNull,
    UrlOrNull,
}

use Kind::{
    Count, CountOrNull, Flag, Instant, Null, NumberOrNull, Object, OneOf, OneOfOrNull, Text, TextOrNull,
    Turns, TurnsOrNull, UrlOrNull, Uuid,
};

impl Kind {
    pub fn fits(self, value: &Value) -> bool {
        let null = value.is_null();
        match self {
            Text => value.as_str().is_some_and(|text| !text.is_empty()),
            TextOrNull => null || value.is_string(),
            Uuid => value.as_str().is_some_and(uuid),
            OneOf(known) => value.as_str().is_some_and(|text| known.contains(&text)),
            OneOfOrNull(known) => null || OneOf(known).fits(value),
            Instant => value.as_str().is_some_and(instant),
            Null => null,
            Count => value.is_u64(),
            CountOrNull => null || value.is_u64(),
            NumberOrNull => null || value.as_f64().is_some_and(|number| number >= 0.0),
            Flag => value.is_boolean(),
            Object => value.is_object(),
            Turns => value.as_array().is_some_and(|turns| !turns.is_empty() && turns.iter().all(turn)),
            TurnsOrNull => null || Turns.fits(value),
            UrlOrNull => null || value.as_str().is_some_and(|url| url.starts_with("http")),
        }
    }
}

fn uuid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && parts.concat().bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// `2026-11-03T18:22:04.310Z`
fn instant(text: &str) -> bool {
    text.len() == 24
        && text.ends_with('Z')
        && text.as_bytes()[19] == b'.'
        && text.parse::<jiff::Timestamp>().is_ok()
}

/// Section 4.2: a turn of the transcript.
fn turn(turn: &Value) -> bool {
    let optional = |field: &str| turn.get(field).is_none_or(Value::is_string);
    OneOf(&["assistant", "user", "tool", "system"]).fits(&turn["role"])
        && turn["text"].is_string()
        && Instant.fits(&turn["timestamp"])
        && optional("tool")
        && optional("toolArgs")
}

const VOICES: &[&str] = &["jessica", "sarah", "chris", "eric"];
const OUTCOMES: &[&str] = &[
    "answered",
    "no_answer",
    "busy",
    "rejected",
    "invalid_number",
    "unreachable",
    "network_error",
    "cancelled",
    "system_error",
    "failed",
];

/// Always there.
const ALWAYS: &[(&str, Kind)] = &[
    ("id", Uuid),
    ("direction", OneOf(&["outbound", "inbound"])),
    ("handling_mode", OneOf(&["agent", "passthrough"])),
    ("task", Text),
    ("voice", OneOf(VOICES)),
    ("personality", TextOrNull),
    ("greeting", TextOrNull),
    ("numbers", Object),
    ("numbers.to", Text),
    ("numbers.from", TextOrNull),
    ("numbers.bridge_from", TextOrNull),
    ("lifecycle", OneOf(&["queued", "dialing", "answered", "finalized"])),
    ("timestamps", Object),
    ("timestamps.queued_at", Instant),
    ("transcript", TurnsOrNull),
];

/// Absent, not null, until the call is over.
const FINALIZED: &[(&str, Kind)] = &[
    ("outcome", OneOf(OUTCOMES)),
    ("outcome_detail", Object),
    ("outcome_detail.hangup_cause", TextOrNull),
    ("outcome_detail.sip_hangup_cause", TextOrNull),
    ("outcome_detail.hangup_source", OneOfOrNull(&["caller", "callee"])),
    ("outcome_detail.reason", Object),
    ("outcome_detail.reason.code", OneOf(OUTCOMES)),
    ("outcome_detail.reason.title", Text),
    ("outcome_detail.reason.message", Text),
    ("outcome_detail.reason.retryable", Flag),
    ("outcome_detail.provider_error_code", TextOrNull),
    ("talk_seconds", CountOrNull),
    ("recording_url", UrlOrNull),
    ("_meta", Object),
    ("_meta.balance_seconds", CountOrNull),
    ("_meta.unlimited", Flag),
];

/// What differs from lifecycle to lifecycle.
struct Stage {
    name: &'static str,
    lifecycle: &'static str,
    differs: &'static [(&'static str, Kind)],
}

const STAGES: [Stage; 6] = [
    Stage {
        name: "queued",
        lifecycle: "queued",
        differs: &[
            ("timestamps.dialing_at", Null),
            ("timestamps.answered_at", Null),
            ("timestamps.finalized_at", Null),
            ("transcript", Null),
        ],
    },
    Stage {
        name: "ringing",
        lifecycle: "dialing",
        differs: &[
            ("timestamps.dialing_at", Instant),
            ("timestamps.answered_at", Null),
            ("timestamps.finalized_at", Null),
            ("numbers.from", Text),
            ("transcript", Null),
        ],
    },
    Stage {
        name: "talking",
        lifecycle: "answered",
        differs: &[
            ("timestamps.dialing_at", Instant),
            ("timestamps.answered_at", Instant),
            ("timestamps.finalized_at", Null),
            ("numbers.from", Text),
            ("transcript", Turns),
        ],
    },
    Stage {
        name: "talked",
        lifecycle: "finalized",
        differs: &[
            ("timestamps.dialing_at", Instant),
            ("timestamps.answered_at", Instant),
            ("timestamps.finalized_at", Instant),
            ("numbers.from", Text),
            ("transcript", Turns),
            ("talk_seconds", Count),
            ("recording_url", Text),
            ("outcome", OneOf(&["answered"])),
            ("outcome_detail.hangup_cause", OneOf(&["normal_clearing"])),
            ("outcome_detail.sip_hangup_cause", OneOf(&["200"])),
            ("outcome_detail.hangup_source", OneOf(&["callee"])),
        ],
    },
    Stage {
        name: "cancelled while it rang",
        lifecycle: "finalized",
        differs: &[
            ("timestamps.dialing_at", Instant),
            ("timestamps.answered_at", Null),
            ("timestamps.finalized_at", Instant),
            ("transcript", Null),
            ("talk_seconds", Null),
            ("recording_url", Null),
            ("outcome", OneOf(&["cancelled"])),
            ("outcome_detail.hangup_source", OneOf(&["caller"])),
        ],
    },
    Stage {
        name: "cancelled while it was queued",
        lifecycle: "finalized",
        differs: &[
            ("timestamps.dialing_at", Null),
            ("timestamps.answered_at", Null),
            ("timestamps.finalized_at", Instant),
            ("transcript", Null),
            ("talk_seconds", Null),
            ("recording_url", Null),
            ("outcome", OneOf(&["cancelled"])),
        ],
    },
];

/// A field by its dotted path; `None` where it is absent.
pub fn at<'a>(body: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(body, |value, field| value.get(field))
}

/// What of a body is not as these rows say.
pub fn wrong(body: &Value, rows: &[(&str, Kind)]) -> Vec<String> {
    let unfit = |(path, kind): &(&str, Kind)| match at(body, path) {
        None => Some(format!("{path} is absent")),
        Some(value) if !kind.fits(value) => Some(format!("{path} is {value}, not {kind:?}")),
        Some(_) => None,
    };
    rows.iter().filter_map(unfit).collect()
}

fn problems(stage: &Stage, call: &Value) -> Vec<String> {
    let mut found = wrong(call, ALWAYS);
    found.extend(wrong(call, stage.differs));
    if stage.lifecycle == "finalized" {
        found.extend(wrong(call, FINALIZED));
    } else {
        let early = FINALIZED.iter().filter(|(path, _)| at(call, path).is_some());
        found.extend(early.map(|(path, _)| format!("{path} is there before the end")));
    }
    if call["lifecycle"] != stage.lifecycle {
        found.push(format!("lifecycle is {}", call["lifecycle"]));
    }
    found.into_iter().map(|problem| format!("{}: {problem}", stage.name)).collect()
}

/// Of each stage, a call in it.
async fn one_of_each() -> [Value; 6] {
    let rig = Rig::start().await;
    let owner = ClawCall::of(&rig);
    let ringing = owner.call(NEVER_ANSWERS).await;
    let seen_ringing = owner.until(&ringing, "dialing").await;
    let seen_ringing = match seen_ringing["numbers"]["from"].is_null() {
        true => owner.poll(&ringing, |call| call["numbers"]["from"].is_string()).await.call,
        false => seen_ringing,
    };
    let talk = owner.call(RECEPTIONIST).await;
    let talking = owner.poll(&talk, |call| call["transcript"].is_array()).await.call;
    let short = owner.call(HANGS_UP).await;
    let talked = owner.finalized(&short).await.call;
    owner.hang_up(&ringing).await;
    let cancelled = owner.finalized(&ringing).await.call;
    owner.hang_up(&talk).await;
    owner.finalized(&talk).await;
    rig.stop().await;

    let (queued, dropped) = queued().await;
    [queued, seen_ringing, talking, talked, cancelled, dropped]
}

/// A call that stays queued, because its model never gets ready; and the same after a hang-up.
async fn queued() -> (Value, Value) {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let rig = waiting(&silent).await;
    let owner = ClawCall::of(&rig);
    let id = owner.call(SILENT).await;
    let queued = owner.until(&id, "queued").await;
    let answer = owner.hang_up(&id).await;
    assert_eq!(answer["status"], "failed");
    let dropped = owner.finalized(&id).await.call;
    assert!(rig.exchange.calls().is_empty(), "nothing was dialled");
    rig.stop().await;
    (queued, dropped)
}

/// With a model that takes connections and says nothing.
pub async fn waiting(silent: &TcpListener) -> Rig {
    let mut setup = Setup::new();
    let auth = openai::Auth::Bearer("sk-test-not-a-real-key".to_owned().into());
    let url = format!("ws://{}/v1", silent.local_addr().unwrap());
    setup.config.speech = SpeechModel::OpenAi(openai::Config::new(url, auth, "gpt-realtime-2.1".to_owned()));
    setup.config.limits.speech_ready = Duration::from_secs(60);
    setup.start().await
}

#[tokio::test]
async fn every_field_of_a_call_in_every_lifecycle() {
    let calls = one_of_each().await;
    let found: Vec<String> =
        STAGES.iter().zip(&calls).flat_map(|(stage, call)| problems(stage, call)).collect();
    assert!(found.is_empty(), "{found:#?}\n{calls:#?}");
    let talked = &calls[3];
    let times = ["queued_at", "dialing_at", "answered_at", "finalized_at"];
    let times =
        times.map(|name| talked["timestamps"][name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap());
    assert!(times.is_sorted(), "{talked}");
    let talk = times[3].duration_since(times[2]).as_secs();
    assert!(talked["talk_seconds"].as_i64().unwrap().abs_diff(talk) <= 1, "{talked}");
}

#[tokio::test]
async fn what_was_asked_for_is_shown() {
    let rig = Rig::start().await;
    let owner = ClawCall::of(&rig);
    let wish = json!({
        "to": NEVER_ANSWERS, "task": "Ring Harbour Cycles for Mira Okafor. Ask whether the wheel is ready.",
        "personality": "Sam, a patient assistant.", "greeting": "Hello, this is Sam.", "voice": "chris",
        "bridge_number": "+14155550191", "warm_greeting": false, "loop_in_user": false, "no_such_field": [1],
    });
    let id = owner.place(&wish).await.unwrap();
    let call = owner.show(&id).await;
    for field in ["task", "personality", "greeting", "voice"] {
        assert_eq!(call[field], wish[field], "{field}");
    }
    assert_eq!((&call["numbers"]["to"], &call["direction"]), (&wish["to"], &json!("outbound")));
    assert_eq!((&call["id"], &call["handling_mode"]), (&json!(id), &json!("agent")));
    let plain = owner.call(SILENT).await;
    let call = owner.show(&plain).await;
    assert_eq!(
        (&call["voice"], &call["personality"], &call["greeting"]),
        (&json!("jessica"), &Value::Null, &Value::Null)
    );
    rig.stop().await;
}

/// Section 11: null is never zero, and the headers say the same.
#[tokio::test]
async fn a_balance_in_every_place() {
    let mut limited = Setup::new();
    limited.config.policy.talk_per_day_per_owner = Some(Duration::from_secs(3_600));
    for (setup, unlimited) in [(Setup::new(), true), (limited, false)] {
        let rig = setup.start().await;
        let admin = rig.stranger().await;
        let owner = ClawCall::with_key(&rig, admin.key().unwrap());
        let wish = json!({ "to": crate::rig::BUSY, "task": "Ask when they open." });
        let placed = owner.ask(reqwest::Method::POST, "/call", Some(&wish)).await.unwrap();
        let id = placed.body["call_id"].as_str().unwrap().to_owned();
        owner.finalized(&id).await;
        let over = owner.get(&format!("/call/{id}")).await.unwrap();
        let balance = owner.get("/balance").await.unwrap();
        let me = owner.get("/me").await.unwrap();
        for answer in [&placed, &over, &balance, &me] {
            for name in ["x-clawcall-balance-seconds", "x-clawcall-balance-minutes"] {
                let shown = answer.header(name).unwrap_or_else(|| panic!("no {name} in {answer:?}"));
                assert_eq!(shown == "unlimited", unlimited, "{name}");
                assert!(unlimited || shown.parse::<f64>().is_ok(), "{name}: {shown}");
            }
            assert_eq!(answer.header("x-clawcall-tier"), Some("paid"));
        }
        let rows = [
            ("tier", OneOf(&["free", "paid"])),
            ("unlimited", Flag),
            ("balance_seconds", CountOrNull),
            ("balance_minutes", NumberOrNull),
            ("low_balance", Flag),
            ("plan", Object),
            ("plan.id", Text),
            ("plan.status", OneOf(&["active"])),
            ("plan.cancelAtPeriodEnd", Flag),
            ("plan.currentPeriodEnd", TextOrNull),
            ("plan.grandfatheredUntil", TextOrNull),
            ("plan.grandfathered", Flag),
        ];
        assert_eq!(wrong(&balance.body, &rows), Vec::<String>::new());
        let rows = [("userId", Text), ("email", TextOrNull), ("balanceSeconds", CountOrNull)];
        assert_eq!(wrong(&me.body, &rows), Vec::<String>::new());
        for (body, field) in [
            (&balance.body, "balance_seconds"),
            (&me.body, "balanceSeconds"),
            (&over.body, "_meta.balance_seconds"),
        ] {
            assert_eq!(at(body, field).unwrap().is_null(), unlimited, "{field}");
        }
        rig.stop().await;
    }
}
