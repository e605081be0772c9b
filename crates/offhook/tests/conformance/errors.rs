//! Every code of the contract, reached: which request is answered with which status and code. And no call exists after
//! an error.

use std::collections::BTreeSet;
use std::time::Duration;

use offhook::http::CODES;
use offhook_core::Timestamp;
use offhook_core::policy::Trial;
use offhook_sandbox::Step;
use reqwest::Method;
use serde_json::{Value, json};

use crate::clawcall::{ClawCall, Refused};
use crate::pages::names_a_test;
use crate::rig::{BUSY, LINE, NEVER_ANSWERS, RECEPTIONIST, Rig, SILENT, Setup};

/// Codes of the contract that are never sent from here, and why.
const NEVER_SENT: &[(&str, &str)] = &[
    (
        "unsupported_call_params_format",
        "belongs to `POST /chat` of the hosted dashboard, which is not served",
    ),
    ("minute_packs_discontinued", "nothing is sold here"),
];

/// Codes that need a store that fails, a process that stops, or a client that is slow; and the test that reaches them.
const ELSEWHERE: &[(&str, &str)] = &[
    ("request_timeout", "http/limits.rs::a_body_that_does_not_come_is_not_waited_for"),
    ("range_not_satisfiable", "http/recordings.rs::a_recording_is_found_with_the_key_and_opened_without_it"),
    (
        "store_unavailable",
        "restart/outage.rs::a_full_disk_stops_new_calls_and_loses_nothing_of_those_that_run",
    ),
    ("overloaded", "http/serve.rs::a_connection_too_many_is_told_so_and_there_is_room_again_afterwards"),
    ("plan_required", "http/balance.rs::where_a_plan_is_required_the_operator_gives_it"),
    (
        "reserved_number_busy",
        "http/inbound.rs::a_reserved_line_is_answered_for_its_account_one_call_at_a_time",
    ),
    ("dial_failed", "http/errors.rs::nothing_can_be_dialled_on_a_trunk_that_does_not_let_us_in"),
    ("account_phone_lookup_unavailable", "http/errors.rs::the_account_s_own_phone"),
    ("voice_only_key", "product/voice_tool.rs::a_bound_key_frees_itself_by_nothing"),
    ("voice_target_required", "product/voice_tool.rs::a_key_of_the_operator_can_be_bound_and_freed"),
    ("quiet_hours", "product/schedules.rs::a_user_is_called_as_often_as_it_likes"),
    ("pin_required", "product/approvals.rs::a_pin_is_changed_by_who_knows_it_and_never_shown"),
    ("wrong_pin", "product/approvals.rs::a_pin_is_changed_by_who_knows_it_and_never_shown"),
    ("pin_locked", "product/approvals.rs::a_pin_is_changed_by_who_knows_it_and_never_shown"),
    ("not_ready", "http/readiness.rs::where_no_call_could_be_placed_503_says_why"),
];

/// Codes that no request can be made to reach, and why they are there.
const NOT_PROVOKED: &[(&str, &str)] = &[
    ("internal_error", "a bug, of which none is known"),
    ("shutting_down", "only between a signal and the end of the last connection"),
];

/// Numbers that are not fictional.
const SHOP: &str = "+14155551234";
const OTHER_SHOP: &str = "+14155551235";

/// All codes of section 8 of the contract.
const CONTRACT: &[&str] = &[
    "invalid_phone",
    "unsupported_destination",
    "missing_fields",
    "invalid_preferences",
    "invalid_profile",
    "invalid_handoff_number",
    "invalid_query",
    "invalid_loop_in_user",
    "invalid_loop_in_destination",
    "unsupported_call_params_format",
    "auth_required",
    "invalid_api_key",
    "invalid_token",
    "trial_exhausted",
    "plan_required",
    "reserved_number_required",
    "inbound_plan_required",
    "forbidden",
    "account_link_required",
    "not_found",
    "recording_not_available",
    "reserved_number_busy",
    "conflict",
    "account_phone_unavailable",
    "quota_exceeded",
    "balance_depleted",
    "internal_error",
    "dial_failed",
    "number_pool_exhausted",
    "account_phone_lookup_unavailable",
    "minute_packs_discontinued",
];

/// What was reached.
type Reached = Vec<(u16, String)>;

fn wish(more: Value) -> Value {
    let mut body = json!({ "to": RECEPTIONIST, "task": "Ask when they open." });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

/// One request, and the status and code it must be refused with.
struct Row {
    method: Method,
    path: String,
    body: Option<Value>,
    told: (u16, &'static str),
}

fn row(method: Method, path: &str, body: Option<Value>, status: u16, code: &'static str) -> Row {
    Row { method, path: path.to_owned(), body, told: (status, code) }
}

fn call(more: Value, status: u16, code: &'static str) -> Row {
    row(Method::POST, "/call", Some(wish(more)), status, code)
}

fn get(path: &str, status: u16, code: &'static str) -> Row {
    row(Method::GET, path, None, status, code)
}

async fn reach(agent: &ClawCall, rows: &[Row]) -> Reached {
    let mut reached = Vec::new();
    for Row { method, path, body, told } in rows {
        let refused = agent.ask(method.clone(), path, body.as_ref()).await;
        let refused = refused.expect_err(&format!("{method} {path} {body:?}"));
        assert_eq!(refused.told(), *told, "{method} {path} {body:?}: {}", refused.error);
        assert_eq!(refused.is_retryable(), told.0 >= 500 || told.0 == 429);
        reached.push((refused.status, refused.code));
    }
    reached
}

async fn calls_of(agent: &ClawCall) -> usize {
    agent.get("/calls").await.unwrap().body["calls"].as_array().unwrap().len()
}

/// With nothing configured.
async fn as_it_comes() -> Reached {
    let rig = Rig::start().await;
    let account = rig.stranger().await;
    let account = ClawCall::with_key(&rig, account.key().unwrap());
    let minted = ClawCall::of(&rig);
    let busy = minted.call(BUSY).await;
    minted.finalized(&busy).await;
    let no_such = "/call/0199a1e0-0000-7000-8000-000000000000";
    let rows = [
        row(Method::POST, "/call", Some(json!({})), 400, "missing_fields"),
        row(Method::POST, "/call", Some(json!({ "to": RECEPTIONIST })), 400, "missing_fields"),
        call(json!({ "task": "" }), 400, "missing_fields"),
        call(json!({ "task": " \n" }), 400, "missing_fields"),
        call(json!({ "to": null }), 400, "missing_fields"),
        call(json!({ "to": "5550100" }), 400, "invalid_phone"),
        call(json!({ "to": "+1 415 555" }), 400, "invalid_phone"),
        call(json!({ "to": "911" }), 400, "invalid_phone"),
        call(json!({ "bridge_number": "12" }), 400, "invalid_phone"),
        call(json!({ "to": "+442079460000" }), 400, "unsupported_destination"),
        call(json!({ "voice": "rachel" }), 400, "invalid_preferences"),
        call(json!({ "loop_in_user": null }), 400, "invalid_loop_in_user"),
        call(json!({ "loop_in_user": "true" }), 400, "invalid_loop_in_user"),
        call(json!({ "loop_in_user": 1 }), 400, "invalid_loop_in_user"),
        call(json!({ "loop_in_user": [] }), 400, "invalid_loop_in_user"),
        call(json!({ "loop_in_user": {} }), 400, "invalid_loop_in_user"),
        call(json!({ "max_duration_seconds": 0 }), 400, "invalid_request"),
        call(json!({ "to": LINE }), 403, "destination_blocked"),
        call(json!({ "bridge_number": RECEPTIONIST }), 400, "invalid_loop_in_destination"),
        call(json!({ "bridge_number": LINE }), 400, "invalid_loop_in_destination"),
        row(Method::POST, "/call", Some(json!("x".repeat(300 * 1_024))), 413, "payload_too_large"),
        get("/me/calls?limit=0", 401, "auth_required"),
        get("/me", 401, "auth_required"),
        get(no_such, 404, "not_found"),
        get("/no/such/path", 404, "not_found"),
        get(&format!("{no_such}/recording"), 404, "recording_not_available"),
        get(&format!("/call/{busy}/recording"), 404, "recording_not_available"),
        row(Method::POST, &format!("{no_such}/hangup"), None, 404, "not_found"),
        row(Method::POST, &format!("/call/{busy}/say"), Some(json!({ "text": "Hello." })), 409, "conflict"),
        row(Method::POST, &format!("/call/{busy}/say"), Some(json!({})), 400, "missing_fields"),
        row(Method::DELETE, "/call", None, 405, "method_not_allowed"),
        row(Method::POST, "/me/keys", None, 403, "account_link_required"),
        row(Method::PUT, PREFERENCES, Some(json!({ "inbound": profile(json!({})) })), 401, "auth_required"),
    ];
    let mut reached = reach(&minted, &rows).await;
    assert_eq!(calls_of(&minted).await, 1, "no call exists after an error");
    let rows = [
        call(json!({ "loop_in_user": true }), 422, "account_phone_unavailable"),
        get("/me/calls?limit=0", 400, "invalid_query"),
        get("/me/calls?limit=201", 400, "invalid_query"),
        get("/me/calls?since=2026-11-03", 400, "invalid_query"),
        get("/me/calls?direction=up", 400, "invalid_query"),
        get("/me/calls?direction=inbound", 403, "inbound_plan_required"),
        row(Method::PUT, PREFERENCES, Some(json!({ "voice": "rachel" })), 400, "invalid_preferences"),
        row(
            Method::PUT,
            PREFERENCES,
            Some(json!({ "inbound": profile(json!({})) })),
            403,
            "inbound_plan_required",
        ),
    ];
    reached.extend(reach(&account, &rows).await);
    assert_eq!(calls_of(&account).await, 0, "no call exists after an error");
    reached.extend(with_wrong_keys(&rig).await);
    reached.extend(at_the_same_time(&rig, &account).await);
    rig.stop().await;
    reached
}

async fn with_wrong_keys(rig: &Rig) -> Reached {
    let mut reached = Vec::new();
    for key in ["clawcall_sk_nobody", "sk-other", "clawcall_sk_", "null"] {
        let rows = [
            get("/balance", 401, "invalid_api_key"),
            get("/me/calls?limit=0", 401, "invalid_api_key"),
            call(json!({}), 401, "invalid_api_key"),
            // The key comes before everything else.
            row(Method::POST, "/call", Some(json!({})), 401, "invalid_api_key"),
        ];
        reached.extend(reach(&ClawCall::with_key(rig, key), &rows).await);
    }
    let bearer = rig.door.get("/balance").header("Authorization", "Bearer somebody").send().await.unwrap();
    let (status, body) = (bearer.status().as_u16(), bearer.json::<Value>().await.unwrap());
    assert_eq!((status, &body["error"]["code"]), (401, &json!("invalid_token")));
    reached.push((401, "invalid_token".to_owned()));
    let nobody = ClawCall::of(rig);
    let rows = [get("/balance", 401, "auth_required"), get("/call/x", 401, "auth_required")];
    reached.extend(reach(&nobody, &rows).await);
    assert_eq!(nobody.key(), None, "a wrong key is never replaced by a new one");
    reached
}

const PREFERENCES: &str = "/me/call-preferences";

/// How calls to a reserved line are answered, as it should be but for this.
fn profile(more: Value) -> Value {
    let mut profile =
        json!({ "instructions": "Take the name and the number.", "greeting": "Mira's line, hello." });
    profile.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    profile
}

/// For accounts to whom the operator gave a line: one that is there, and one that is gone.
async fn with_a_line() -> Reached {
    let rig = Rig::start().await;
    let store = rig.app.gateway().store();
    let mut reached = Vec::new();
    for (line, rows) in [
        (
            LINE,
            vec![
                (json!("a profile"), 400, "invalid_profile"),
                (json!({}), 400, "invalid_profile"),
                (profile(json!({ "instructions": " " })), 400, "invalid_profile"),
                (profile(json!({ "greeting": null })), 400, "invalid_profile"),
                (profile(json!({ "handoff_number": "12" })), 400, "invalid_handoff_number"),
                (profile(json!({ "handoff_number": LINE })), 400, "invalid_handoff_number"),
                (profile(json!({ "loop_in_user": null })), 400, "invalid_loop_in_user"),
                (profile(json!({ "loop_in_user": true })), 422, "account_phone_unavailable"),
            ],
        ),
        ("+12065551199", vec![(profile(json!({})), 402, "reserved_number_required")]),
    ] {
        let account = rig.stranger().await;
        let agent = ClawCall::with_key(&rig, account.key().unwrap());
        let owner = agent.get("/me").await.unwrap().body["userId"].as_str().unwrap().parse().unwrap();
        store.reserve(line, owner, Timestamp::from_unix_millis(1_795_000_000_000)).await.unwrap();
        for (inbound, status, code) in rows {
            let row = row(Method::PUT, PREFERENCES, Some(json!({ "inbound": inbound })), status, code);
            reached.extend(reach(&agent, &[row]).await);
        }
        assert_eq!(agent.get(PREFERENCES).await.unwrap().body["configured"], false, "nothing was set");
    }
    rig.stop().await;
    reached
}

/// What only another call under way can cause.
async fn at_the_same_time(rig: &Rig, account: &ClawCall) -> Reached {
    let ringing = account.call(NEVER_ANSWERS).await;
    let idempotent = |key: &str, to: &str| {
        let request = reqwest::Client::new().post(format!("{}/call", rig.app.url()));
        request
            .header("X-Api-Key", account.key().unwrap())
            .header("Idempotency-Key", key)
            .json(&wish(json!({ "to": to })))
    };
    assert_eq!(idempotent("order-17", SILENT).send().await.unwrap().status(), 201);
    let reused = idempotent("order-17", BUSY).send().await.unwrap();
    let (status, body) = (reused.status().as_u16(), reused.json::<Value>().await.unwrap());
    assert_eq!((status, &body["error"]["code"]), (422, &json!("idempotency_key_reused")));
    let rows = [
        call(json!({ "to": NEVER_ANSWERS }), 409, "destination_busy"),
        row(
            Method::POST,
            &format!("/call/{ringing}/say"),
            Some(json!({ "text": "Hello." })),
            409,
            "conflict",
        ),
    ];
    let mut reached = reach(account, &rows).await;
    reached.push((422, "idempotency_key_reused".to_owned()));
    account.hang_up(&ringing).await;
    reached
}

/// With limits that are soon reached.
async fn with_limits() -> Reached {
    let mut reached = Vec::new();
    let second_call = |told: (u16, &'static str)| async move {
        let mut setup = Setup::new();
        let policy = &mut setup.config.policy;
        match told.1 {
            "quota_exceeded" => policy.calls_per_day_per_owner = 1,
            "balance_depleted" => policy.talk_per_day_per_owner = Some(Duration::from_secs(60)),
            "too_many_calls" => policy.concurrent_calls_per_owner = 1,
            "trial_exhausted" => policy.trial = Some(Trial { calls: 1, talk: Duration::ZERO }),
            "number_pool_exhausted" => setup.lines = 1,
            other => panic!("{other}"),
        }
        // The test numbers don't count among the calls of a day.
        setup.exchange.numbers = vec![(SHOP.to_owned(), vec![Step::RingForever])];
        let rig = setup.start().await;
        let owner = ClawCall::of(&rig);
        owner.call(SHOP).await;
        let again = owner.place(&wish(json!({ "to": OTHER_SHOP }))).await;
        let refused = again.expect_err(told.1);
        assert_eq!(refused.told(), told, "{}", refused.error);
        limited(&refused);
        assert_eq!(calls_of(&owner).await, 1, "no call exists after an error");
        rig.stop().await;
        (refused.status, refused.code)
    };
    for told in [
        (429, "quota_exceeded"),
        (429, "balance_depleted"),
        (429, "too_many_calls"),
        (402, "trial_exhausted"),
        (503, "number_pool_exhausted"),
    ] {
        reached.push(second_call(told).await);
    }
    reached
}

/// Whether money or waiting helps is in the answer.
fn limited(refused: &Refused) {
    let is_gated = ["quota_exceeded", "balance_depleted", "trial_exhausted"].contains(&refused.code.as_str());
    assert_eq!(refused.error["action"]["url"].is_string(), is_gated, "{}", refused.error);
    let counts_talk = ["balance_depleted", "trial_exhausted"].contains(&refused.code.as_str());
    assert_eq!(refused.error["quota"].is_object(), counts_talk, "{}", refused.error);
    let wait = refused.header("retry-after").map(|wait| wait.parse::<u64>().unwrap());
    match refused.code.as_str() {
        "number_pool_exhausted" => assert_eq!(wait, Some(15)),
        // A permanent gate: nothing to wait for.
        "trial_exhausted" => assert_eq!(wait, None),
        _ => assert!(wait.is_some_and(|wait| wait > 0), "{refused:?}"),
    }
}

/// Where the operator switched something off.
async fn switched_off() -> Reached {
    let mut setup = Setup::new();
    setup.config.allow_anonymous_keys = false;
    let rig = setup.start().await;
    let mut reached = reach(&ClawCall::of(&rig), &[call(json!({}), 401, "auth_required")]).await;
    rig.stop().await;
    let mut setup = Setup::new();
    setup.config.calling_enabled = false;
    let rig = setup.start().await;
    reached.extend(reach(&ClawCall::of(&rig), &[call(json!({}), 403, "forbidden")]).await);
    rig.stop().await;
    reached
}

#[tokio::test]
async fn every_code_of_the_contract_is_reached() {
    let mut reached = as_it_comes().await;
    reached.extend(with_a_line().await);
    reached.extend(with_limits().await);
    reached.extend(switched_off().await);
    for (status, code) in &reached {
        let known = CODES.iter().any(|known| (known.status, known.code) == (*status, code));
        assert!(known, "{status} {code} is not among the documented codes");
    }
    let reached: BTreeSet<&str> = reached.iter().map(|(_, code)| code.as_str()).collect();
    let excused = |code: &&&str| {
        let elsewhere = ELSEWHERE.iter().map(|(code, _)| code);
        let others = NEVER_SENT.iter().chain(NOT_PROVOKED).map(|(code, _)| code);
        elsewhere.chain(others).any(|known| known == *code)
    };
    let documented = CODES.iter().map(|known| &known.code);
    let all: BTreeSet<&&str> = CONTRACT.iter().chain(documented).collect();
    let missing: Vec<&&str> =
        all.into_iter().filter(|code| !reached.contains(**code) && !excused(code)).collect();
    assert!(missing.is_empty(), "no request reaches {missing:?}");
}

#[test]
fn what_is_reached_elsewhere_is_reached_there() {
    for (code, test) in ELSEWHERE {
        assert!(names_a_test(test), "{code}: there is no test {test}");
        assert!(CODES.iter().any(|known| known.code == *code), "{code} is not documented");
    }
    for (code, why) in NEVER_SENT {
        assert!(CODES.iter().all(|known| known.code != *code), "{code} is sent after all, though {why}");
    }
}
