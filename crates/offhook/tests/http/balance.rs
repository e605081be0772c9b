//! What is left, and what is said when nothing is.

use serde_json::{Value, json};

use crate::me::account;
use crate::server::{Agent, Answer, BUSY, HANGS_UP, NEVER_ANSWERS, Server, TASK, send};

fn told(answer: &Answer) -> [Option<&str>; 3] {
    ["x-clawcall-balance-seconds", "x-clawcall-balance-minutes", "x-clawcall-tier"]
        .map(|name| answer.header(name))
}

async fn place(agent: &Agent<'_>, to: &str) -> Answer {
    agent.place(&json!({ "to": to, "task": TASK })).await
}

async fn call(agent: &Agent<'_>, to: &str) -> Value {
    let placed = place(agent, to).await.json();
    agent.finalized(placed["call_id"].as_str().unwrap_or_else(|| panic!("{placed}"))).await
}

/// The limits the operator gives an account.
async fn limit(server: &Server, agent: &Agent<'_>, limits: &str) {
    let me = agent.get("/me").await.json();
    let owner = me["userId"].as_str().unwrap().parse().unwrap();
    assert!(server.app().gateway().store().set_limits(owner, Some(limits)).await.unwrap());
}

#[tokio::test]
async fn without_limits_everything_is_unlimited() {
    let server = Server::start().await;
    let (id, minted) = server.first_call(BUSY).await;
    minted.finalized(&id).await;
    for agent in [minted, account(&server, false).await] {
        let answer = agent.get("/balance").await;
        assert_eq!(
            (answer.status.as_u16(), told(&answer)),
            (200, [Some("unlimited"), Some("unlimited"), Some("paid")])
        );
        let balance = answer.json();
        assert_eq!((&balance["tier"], &balance["unlimited"]), (&json!("paid"), &json!(true)));
        assert_eq!((&balance["balance_seconds"], &balance["balance_minutes"]), (&Value::Null, &Value::Null));
        assert_eq!((&balance["low_balance"], &balance["trial"]), (&json!(false), &Value::Null));
        let plan = json!({
            "id": "unlimited", "status": "active", "cancelAtPeriodEnd": false, "currentPeriodEnd": null,
            "grandfatheredUntil": null, "grandfathered": false,
        });
        assert_eq!(balance["plan"], plan);
        assert_eq!(balance["today"]["limits"], json!({ "calls": 200, "talk_seconds": null, "spend": null }));
    }
    server.stop().await;
}

#[tokio::test]
async fn a_balance_goes_down_with_each_conversation_until_it_is_depleted() {
    let server = Server::configured("policy.price_per_minute = \"0.5\"").await;
    let mira = account(&server, false).await;
    limit(&server, &mira, r#"{"spend_per_day": "1.20", "minutes_per_day": 60}"#).await;
    // Money for two begun minutes.
    let before = mira.get("/balance").await;
    assert_eq!(told(&before), [Some("120"), Some("2"), Some("paid")]);
    assert_eq!(
        (&before.json()["balance_seconds"], &before.json()["plan"]["id"]),
        (&json!(120), &json!("daily"))
    );

    // Nobody picked up: nothing is used.
    call(&mira, BUSY).await;
    let placed = place(&mira, HANGS_UP).await;
    assert_eq!((placed.status.as_u16(), told(&placed)), (201, [Some("120"), Some("2"), Some("paid")]));
    // It is promised all there is, though it will use little.
    let refused = place(&mira, NEVER_ANSWERS).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (429, "balance_depleted"));
    assert_eq!(refused.header("retry-after"), Some("15"));
    let over = mira.finalized(placed.json()["call_id"].as_str().unwrap()).await;
    assert_eq!((&over["_meta"]["balance_seconds"], &over["_meta"]["unlimited"]), (&json!(60), &json!(false)));
    let shown = mira.get(&format!("/call/{}", over["id"].as_str().unwrap())).await;
    assert_eq!(told(&shown), [Some("60"), Some("1"), Some("paid")]);

    call(&mira, HANGS_UP).await;
    let after = mira.get("/balance").await.json();
    assert_eq!((&after["balance_seconds"], &after["low_balance"]), (&json!(0), &json!(true)));
    assert_eq!((&after["today"]["calls"], &after["today"]["spend"]), (&json!(3), &json!("1.00")));
    let refused = place(&mira, HANGS_UP).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (429, "balance_depleted"));
    let quota = json!({ "used_seconds": 120, "remaining_seconds": 0, "limit_seconds": 120, "tier": "paid" });
    assert_eq!(refused.json()["error"]["quota"], quota);
    assert_eq!(refused.json()["error"]["action"]["type"], "link");
    assert!(refused.header("retry-after").is_some_and(|wait| wait.parse::<u32>().unwrap() > 80_000));
    // Another account has its own.
    assert_eq!(place(&account(&server, false).await, BUSY).await.status, 201);
    server.stop().await;
}

/// Minutes that are paid for and left.
async fn pay(server: &Server, agent: &Agent<'_>, seconds: u64) {
    let me = agent.get("/me").await.json();
    let owner = me["userId"].as_str().unwrap().parse().unwrap();
    let store = server.app().gateway().store();
    let now = offhook_core::Timestamp::from_unix_micros(unix_micros());
    assert!(store.set_balance(owner, Some(1_000 * seconds), now).await.unwrap());
}

fn unix_micros() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_micros()).unwrap()
}

#[tokio::test]
async fn what_is_paid_for_in_advance_goes_down_and_does_not_come_back() {
    let server = Server::start().await;
    let mira = account(&server, false).await;
    pay(&server, &mira, 90).await;
    let before = mira.get("/balance").await;
    assert_eq!(told(&before), [Some("90"), Some("1.5"), Some("paid")]);
    let body = before.json();
    assert_eq!((&body["plan"]["id"], &body["low_balance"]), (&json!("prepaid"), &json!(true)));
    assert_eq!(mira.get("/me").await.json()["balanceSeconds"], 90);

    // A call is promised all there is, and gives back what it did not use.
    let placed = place(&mira, NEVER_ANSWERS).await.json();
    let refused = place(&mira, BUSY).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (429, "balance_depleted"));
    assert_eq!(refused.header("retry-after"), Some("15"));
    let id = placed["call_id"].as_str().unwrap();
    mira.post(&format!("/call/{id}/hangup")).await;
    mira.finalized(id).await;
    let over = call(&mira, HANGS_UP).await;
    let left = over["_meta"]["balance_seconds"].as_u64().unwrap();
    assert!((80..90).contains(&left), "{left}");

    pay(&server, &mira, 3).await;
    let refused = place(&mira, BUSY).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (429, "balance_depleted"));
    // Nothing to wait for: somebody has to pay.
    assert_eq!(refused.header("retry-after"), None);
    let error = &refused.json()["error"];
    assert_eq!((&error["quota"]["limit_seconds"], &error["action"]["type"]), (&json!(3), &json!("link")));
    server.stop().await;
}

#[tokio::test]
async fn where_a_plan_is_required_the_operator_gives_it() {
    let server = Server::configured("policy.require_plan = true").await;
    let mira = account(&server, false).await;
    let without = mira.get("/balance").await;
    assert_eq!(told(&without), [Some("0"), Some("0"), Some("free")]);
    assert_eq!(without.json()["plan"], Value::Null);
    let refused = place(&mira, BUSY).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (402, "plan_required"));
    assert_eq!(refused.json()["error"]["action"]["type"], "link");
    let anonymous = send(server.post("/call").json(&json!({ "to": BUSY, "task": TASK }))).await;
    assert_eq!((anonymous.status.as_u16(), anonymous.code().as_str()), (402, "plan_required"));
    for (limits, plan) in [(r#"{"unlimited": true}"#, "unlimited"), (r#"{"minutes_per_day": 5}"#, "daily")] {
        limit(&server, &mira, limits).await;
        assert_eq!(mira.get("/balance").await.json()["plan"]["id"], plan);
        assert_eq!(call(&mira, BUSY).await["outcome"], "busy");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_minute_costs_what_its_number_costs() {
    let prices =
        "policy.price_per_minute = \"0.5\"\npolicy.prices = { \"+1415555010\" = \"0.25\", US = \"9\" }";
    let server = Server::configured(prices).await;
    let mira = account(&server, false).await;
    limit(&server, &mira, r#"{"spend_per_day": "1.20"}"#).await;
    call(&mira, HANGS_UP).await;
    assert_eq!(mira.get("/balance").await.json()["today"]["spend"], "0.25");
    // A country only where no beginning fits: this one is too dear for what is left.
    let refused = place(&mira, "+14155550118").await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (429, "balance_depleted"));
    assert_eq!(place(&mira, BUSY).await.status, 201);
    server.stop().await;
}

#[tokio::test]
async fn so_many_calls_a_day() {
    let server = Server::start().await;
    let mira = account(&server, false).await;
    limit(&server, &mira, r#"{"calls_per_day": 2}"#).await;
    for _ in 0..2 {
        call(&mira, BUSY).await;
    }
    let refused = place(&mira, BUSY).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (429, "quota_exceeded"));
    assert!(refused.header("retry-after").is_some());
    assert_eq!(mira.get("/balance").await.json()["today"]["limits"]["calls"], 2);
    server.stop().await;
}

#[tokio::test]
async fn a_hundred_calls_at_once_are_promised_no_more_than_there_is() {
    let server = Server::configured("policy.talk_limit_seconds = 60").await;
    let mira = account(&server, false).await;
    limit(&server, &mira, r#"{"minutes_per_day": 3, "concurrent_calls": 100}"#).await;
    // Each is promised a minute. They ring at numbers of their own, so that nothing else is in the way.
    let numbers =
        ["+14155550102", "+14155550100", "+14155550106", "+14155550107", "+14155550108", "+14155550110"];
    let answers = futures_util::future::join_all(numbers.map(|to| place(&mira, to))).await;
    let mut codes: Vec<String> = answers
        .iter()
        .map(|answer| if answer.status == 201 { "placed".to_owned() } else { answer.code() })
        .collect();
    codes.sort_unstable();
    assert_eq!(
        codes,
        ["balance_depleted", "balance_depleted", "balance_depleted", "placed", "placed", "placed"]
    );
    server.stop().await;
}

#[tokio::test]
async fn a_trial_ends_when_its_calls_and_minutes_are_used() {
    let server = Server::configured("policy.trial_calls = 1").await;
    let (id, agent) = server.first_call(BUSY).await;
    agent.finalized(&id).await;
    let answer = agent.get("/balance").await;
    let balance = answer.json();
    assert_eq!((&balance["tier"], &balance["unlimited"]), (&json!("free"), &json!(false)));
    // A call without a conversation was none.
    let trial = json!({ "allowed": true, "remainingCalls": 1, "remainingSeconds": 0 });
    assert_eq!((&balance["trial"], &balance["plan"]), (&trial, &Value::Null));
    assert_eq!(answer.header("x-clawcall-tier"), Some("free"));

    // While a call is under way that may come to count, there is no other.
    let ringing = place(&agent, NEVER_ANSWERS).await.json();
    let ringing = ringing["call_id"].as_str().unwrap();
    let refused = place(&agent, BUSY).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (402, "trial_exhausted"));
    let quota = &refused.json()["error"]["quota"];
    assert_eq!((&quota["limit_seconds"], &quota["tier"]), (&json!(0), &json!("free")));
    assert_eq!(refused.json()["error"]["action"]["type"], "link");
    agent.post(&format!("/call/{ringing}/hangup")).await;
    agent.finalized(ringing).await;
    assert_eq!(agent.get("/balance").await.json()["trial"]["allowed"], true);
    // Whoever has an account is not on trial.
    let mira = account(&server, false).await;
    assert_eq!(mira.get("/balance").await.json()["trial"], Value::Null);
    server.stop().await;
}
