//! Whom a call may be handed over to, from which line, and what that costs its owner.

use offhook_testkit::programs::{Protocol, free_port};
use reqwest::Method;
use serde_json::{Value, json};

use crate::inbound::{confirm, reserve};
use crate::me::account;
use crate::server::{Agent, Answer, BUSY, RECEPTIONIST, Server, TASK, send};

/// Phones of users in the sandbox: both pick up.
const USER: &str = "+14155550190";
const ANOTHER: &str = "+14155550191";

async fn place(agent: &Agent<'_>, user: Option<&str>) -> Answer {
    agent.place(&json!({ "to": RECEPTIONIST, "task": TASK, "bridge_number": user })).await
}

/// A call in which the voice has spoken.
async fn talking(agent: &Agent<'_>, user: Option<&str>) -> String {
    let placed = place(agent, user).await.json();
    let id = placed["call_id"].as_str().unwrap_or_else(|| panic!("{placed}")).to_owned();
    agent.events_until(&id, "turn.voice").await;
    id
}

async fn bridge(agent: &Agent<'_>, id: &str, user: Option<&str>) -> Answer {
    let path = format!("/call/{id}/bridge");
    let body = json!({ "bridge_number": user, "warm_greeting": false });
    send(agent.server.request(Method::POST, &path).header("X-Api-Key", &agent.key).json(&body)).await
}

async fn hang_up(agent: &Agent<'_>, id: &str) -> Value {
    agent.post(&format!("/call/{id}/hangup")).await;
    agent.finalized(id).await
}

async fn limit(agent: &Agent<'_>, limits: &str) {
    let owner = agent.get("/me").await.json()["userId"].as_str().unwrap().parse().unwrap();
    assert!(agent.server.app().gateway().store().set_limits(owner, Some(limits)).await.unwrap());
}

fn refused(answer: &Answer) -> (u16, String) {
    (answer.status.as_u16(), answer.code())
}

#[tokio::test]
async fn the_user_in_a_call_costs_what_a_call_to_them_costs() {
    let prices = format!("policy.prices = {{ \"{USER}\" = \"0.50\", \"{ANOTHER}\" = \"9\" }}");
    let server = Server::configured(&prices).await;
    let mira = account(&server, false).await;
    limit(&mira, r#"{"spend_per_day": "1.20"}"#).await;
    let depleted = (429, "balance_depleted".to_owned());
    assert_eq!(refused(&place(&mira, Some(ANOTHER)).await), depleted);

    // A call without a user was promised nothing for one.
    let alone = talking(&mira, None).await;
    assert_eq!(refused(&bridge(&mira, &alone, Some(USER)).await), depleted);
    hang_up(&mira, &alone).await;
    assert_eq!(mira.get("/balance").await.json()["today"]["spend"], "0.00");

    // Two minutes are promised to this one, which is all there is.
    let id = talking(&mira, Some(USER)).await;
    let more = mira.place(&json!({ "to": BUSY, "task": TASK, "bridge_number": USER })).await;
    assert_eq!(refused(&more), depleted);
    assert_eq!(refused(&bridge(&mira, &id, Some(ANOTHER)).await), depleted);
    assert_eq!(bridge(&mira, &id, None).await.status, 202);
    mira.events_until(&id, "handoff.joined").await;
    hang_up(&mira, &id).await;
    assert_eq!(mira.get("/balance").await.json()["today"]["spend"], "0.50");
    server.stop().await;
}

#[tokio::test]
async fn a_key_that_anybody_may_have_connects_only_whom_the_call_was_placed_with() {
    let server = Server::start().await;
    let (first, minted) = server.first_call(RECEPTIONIST).await;
    minted.events_until(&first, "turn.voice").await;
    let blocked = (403, "destination_blocked".to_owned());
    assert_eq!(refused(&bridge(&minted, &first, Some(USER)).await), blocked);
    hang_up(&minted, &first).await;

    let id = talking(&minted, Some(USER)).await;
    assert_eq!(refused(&bridge(&minted, &id, Some(ANOTHER)).await), blocked);
    assert_eq!(bridge(&minted, &id, Some(USER)).await.status, 202);
    minted.events_until(&id, "handoff.joined").await;
    hang_up(&minted, &id).await;
    // Whose key is linked may have anybody called who may be called.
    let mira = account(&server, false).await;
    let id = talking(&mira, None).await;
    assert_eq!(bridge(&mira, &id, Some(USER)).await.status, 202);
    hang_up(&mira, &id).await;
    server.stop().await;
}

#[tokio::test]
async fn an_operator_may_have_only_confirmed_phones_connected() {
    let server = Server::configured("policy.user_numbers = \"account\"").await;
    let mira = account(&server, false).await;
    let blocked = (403, "destination_blocked".to_owned());
    assert_eq!(refused(&place(&mira, Some(USER)).await), blocked);
    confirm(&mira, USER).await;
    let id = talking(&mira, Some(USER)).await;
    assert_eq!(refused(&bridge(&mira, &id, Some(ANOTHER)).await), blocked);
    assert_eq!(bridge(&mira, &id, None).await.status, 202);
    hang_up(&mira, &id).await;
    server.stop().await;
}

/// The lines of the one who calls: one call at a time, and one that is reserved later.
const OWN: &str = "+12065551240";
const OTHER: &str = "+12065551241";
/// The lines of the one who is called.
const THEIRS: &str = "+12065551242";
const USERS: &str = "+12065551243";

/// Two of them that call each other.
async fn pair(more: &str) -> (Server, Server) {
    let [called, caller] = [free_port(Protocol::Udp), free_port(Protocol::Udp)];
    let trunk = |own: u16, other: u16| {
        format!(
            "carrier.sip.listen = [\"udp:127.0.0.1:{own}\"]\n\
             inbound.instructions = \"Answer the phone.\"\n\
             inbound.greeting = \"Hello, this is a long way to say hello to whoever calls here today.\"\n\
             {more}\n[[carrier.sip.trunk]]\nserver = \"127.0.0.1:{other}\"\n"
        )
    };
    let line = |number: &str, calls: u8| format!("[[line]]\nnumber = \"{number}\"\nmax_calls = {calls}\n");
    let theirs = [trunk(called, caller), line(THEIRS, 4), line(USERS, 4)].concat();
    let ours = [trunk(caller, called), line(OWN, 1), line(OTHER, 4)].concat();
    (Server::configured(&theirs).await, Server::configured(&ours).await)
}

#[tokio::test]
async fn the_user_is_never_called_from_a_line_that_is_reserved_for_somebody_else() {
    let (called, caller) = pair("").await;
    let (mira, stranger) = (account(&caller, false).await, account(&caller, false).await);
    for reserved in [false, true] {
        if reserved {
            reserve(&stranger, OTHER).await;
        }
        let placed = mira.place(&json!({ "to": THEIRS, "task": TASK, "from": OWN })).await.json();
        let id = placed["call_id"].as_str().unwrap_or_else(|| panic!("{placed}")).to_owned();
        mira.events_until(&id, "turn.voice").await;
        assert_eq!(bridge(&mira, &id, Some(USERS)).await.status, 202);
        mira.events_until(&id, if reserved { "handoff.failed" } else { "handoff.joined" }).await;
        let over = hang_up(&mira, &id).await;
        let from = &over["numbers"]["bridge_from"];
        assert_eq!(from.as_str(), Some(OTHER).filter(|_| !reserved), "{over}");
    }
    caller.stop().await;
    called.stop().await;
}

#[tokio::test]
async fn who_is_put_through_talks_on_the_minutes_of_the_owner_of_the_line() {
    let (called, caller) = pair(&format!("policy.prices = {{ \"{OWN}\" = \"0.50\" }}")).await;
    let (mira, theirs) = (account(&called, false).await, account(&caller, false).await);
    reserve(&mira, THEIRS).await;
    // Her own phone is a line of the one who calls.
    confirm(&mira, OWN).await;
    limit(&mira, r#"{"spend_per_day": "0.50", "minutes_per_day": 60}"#).await;
    let profile = json!({
        "instructions": "Take the name.", "greeting": "Hello.", "passthrough_numbers": [OTHER],
    });
    let put = called.request(Method::PUT, "/me/call-preferences").header("X-Api-Key", &mira.key);
    assert_eq!(send(put.json(&json!({ "inbound": profile }))).await.status, 200);

    let call = async || {
        let placed = theirs.place(&json!({ "to": THEIRS, "task": TASK, "from": OTHER })).await.json();
        placed["call_id"].as_str().unwrap_or_else(|| panic!("{placed}")).to_owned()
    };
    let first = call().await;
    theirs.events_until(&first, "call.answered").await;
    let live = mira.get("/calls?live=true").await.json();
    let id = live["calls"][0]["id"].as_str().unwrap_or_else(|| panic!("{live}")).to_owned();
    mira.events_until(&id, "handoff.joined").await;
    hang_up(&theirs, &first).await;
    mira.finalized(&id).await;
    let today = &mira.get("/balance").await.json()["today"];
    assert_eq!((&today["calls"], &today["spend"]), (&json!(0), &json!("0.50")));

    // Nothing is left to call her with.
    let second = theirs.finalized(&call().await).await;
    assert_eq!(second["outcome"], "rejected", "{second}");
    caller.stop().await;
    called.stop().await;
}
