//! Calls that come in: who may tell of them.

use offhook::acs::{Source, Timing, TrustConfig};
use offhook::config::Config;
use offhook_testkit::acs::{FakeAcs, Offer};
use reqwest::Method;
use serde_json::{Value, json};

use super::rig::{request, setup};
use crate::acs::rig::{AcsRig, HOST, INCOMING_TOKEN, OURS, Setup};

const CALLER: &str = "+12025550347";
const PATHS: [&str; 3] = ["/webhooks/acs/incoming", "/acs/incoming", "/api/voice/acs-callback/incoming"];

fn url(path: &str, token: &str) -> String {
    format!("https://{HOST}{path}?token={token}")
}

/// With a voice that answers whoever calls.
fn open() -> Setup {
    setup().tables("[inbound]\ncallers = \"open\"\ninstructions = \"Ask what it is about.\"\n")
}

#[tokio::test]
async fn no_foreign_handshake_is_answered() {
    let rig = setup().start().await;
    for path in PATHS {
        assert_eq!(
            rig.acs.subscribe(&format!("https://{HOST}{path}")).await,
            (false, Some(401)),
            "no secret"
        );
        assert_eq!(rig.acs.subscribe(&url(path, "wrong")).await, (false, Some(401)), "a wrong one");
        assert_eq!(rig.acs.subscribe(&url(path, INCOMING_TOKEN)).await, (true, Some(200)), "{path}");
    }
    rig.stop().await;
}

#[tokio::test]
async fn cloud_events_are_agreed_to_with_the_secret_only() {
    let rig = setup().start().await;
    let ask = |query: String| {
        let path = format!("{}{query}", PATHS[0]);
        request(&rig, Method::OPTIONS, &path).header("webhook-request-origin", "eventgrid.azure.net").send()
    };
    assert_eq!(ask(String::new()).await.unwrap().status(), 401);
    assert_eq!(ask("?token=wrong".to_owned()).await.unwrap().status(), 401);
    let agreed = ask(format!("?token={INCOMING_TOKEN}")).await.unwrap();
    assert_eq!(agreed.status(), 200);
    assert_eq!(agreed.headers()["webhook-allowed-origin"], "eventgrid.azure.net");
    assert_eq!(agreed.headers()["webhook-allowed-rate"], "*");
    rig.stop().await;
}

#[tokio::test]
async fn every_call_of_a_batch_is_answered_once_and_only_told_by_whom_it_may() {
    let rig = open().start().await;
    rig.subscribe().await;
    let people = rig.acs.ring_all(&[(CALLER, OURS), ("+12025550348", OURS)]).await;
    for person in &people {
        person.until_streaming().await;
    }
    rig.acs.ring_again().await;
    // What nobody may tell leads to nothing.
    let told = &people[0].seen().delivered[0];
    for query in ["", "?token=wrong"] {
        let path = format!("{}{query}", PATHS[0]);
        let foreign = request(&rig, Method::POST, &path).body(told.body.clone()).send().await.unwrap();
        assert_eq!(foreign.status(), 401, "{query:?}");
    }
    for person in &people {
        assert_eq!(person.seen().offer, Offer::Answered);
        person.hang_up();
        person.until_ended().await;
    }
    assert_eq!(rig.acs.calls().len(), 2);
    rig.stop().await;
}

#[tokio::test]
async fn who_may_not_call_is_not_answered() {
    // Nothing says what to do with calls.
    let rig = setup().start().await;
    rig.subscribe().await;
    let person = rig.acs.ring(CALLER, OURS).await;
    let seen = person.until_ended().await;
    assert!(matches!(seen.offer, Offer::Rejected(_)), "{:?}", seen.offer);
    assert!(seen.sockets.is_empty() && seen.answered_at.is_none());
    rig.stop().await;
}

#[tokio::test]
async fn events_of_another_resource_are_refused() {
    let elsewhere = |config: &mut Config| {
        config.acs.as_mut().unwrap().incoming.topic = Some("/subscriptions/another".to_owned());
    };
    let rig = open().change(elsewhere).start().await;
    assert_eq!(rig.acs.subscribe(&url(PATHS[0], INCOMING_TOKEN)).await, (false, Some(401)));
    let person = rig.acs.ring(CALLER, OURS).await;
    assert_eq!(person.seen().delivered[0].status, Some(401));
    assert_eq!(person.seen().offer, Offer::Open);
    rig.app.shutdown().await;
}

/// Deliveries that Entra ID protects: signed by the directory, for our application, for Event Grid.
fn protected(acs: &FakeAcs) -> impl FnOnce(&mut Config) + Send + 'static {
    let keys = acs.jwks_url();
    move |config: &mut Config| {
        let incoming = &mut config.acs.as_mut().unwrap().incoming;
        incoming.token = None;
        incoming.entra = Some(TrustConfig {
            issuers: vec!["https://sts.windows.net/tenant/".to_owned()],
            source: Source::Keys(keys),
            audience: Some("api://offhook".to_owned()),
            application: None,
            accept_missing: false,
            timing: Timing::default(),
        });
    }
}

async fn handshake(rig: &AcsRig, path: &str, bearer: Option<&str>) -> u16 {
    let event = json!([{ "id": "1", "topic": "t", "subject": "", "eventTime": "2026-11-21T12:00:00Z",
        "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
        "data": { "validationCode": "512d38b6" } }]);
    let mut asked = request(rig, Method::POST, path).json(&event);
    if let Some(bearer) = bearer {
        asked = asked.bearer_auth(bearer);
    }
    let answer = asked.send().await.unwrap();
    let status = answer.status().as_u16();
    if status == 200 {
        assert_eq!(answer.json::<Value>().await.unwrap(), json!({ "validationResponse": "512d38b6" }));
    }
    status
}

#[tokio::test]
async fn a_delivery_protected_by_entra_needs_no_other_secret() {
    let directory = FakeAcs::start().await;
    let rig = setup().change(protected(&directory)).start().await;
    let token = |audience: &str, issuer: &str| {
        directory.token(|claims| {
            (claims.audience, claims.issuer) = (audience.to_owned(), issuer.to_owned());
        })
    };
    let issuer = "https://sts.windows.net/tenant/";
    for (what, bearer, expected) in [
        ("good", Some(token("api://offhook", issuer)), 200),
        ("missing", None, 401),
        ("for another application", Some(token("api://another", issuer)), 401),
        ("of another tenant", Some(token("api://offhook", "https://sts.windows.net/other/")), 401),
        ("of the carrier", Some(rig.acs.token(|_| ())), 401),
    ] {
        assert_eq!(handshake(&rig, PATHS[0], bearer.as_deref()).await, expected, "{what}");
    }
    let ready = rig.admin().await.get("/readyz").await.json();
    let of_entra = |check: &&Value| check["name"] == "ACS keys" && check["subject"] == "Entra ID";
    let keys = ready["checks"].as_array().unwrap().iter().find(of_entra).cloned();
    assert_eq!(keys.expect("the keys of the directory are looked at")["state"], "ok");
    let odd = format!("{}?token=something", PATHS[0]);
    let good = token("api://offhook", issuer);
    assert_eq!(handshake(&rig, &odd, Some(&good)).await, 401, "a secret nobody asked for is none of ours");
    rig.stop().await;
}

#[tokio::test]
async fn a_secret_nobody_configured_outlives_a_restart() {
    let not_configured = |config: &mut Config| config.acs.as_mut().unwrap().incoming.token = None;
    let rig = setup().change(not_configured).start().await;
    let secret = offhook::gateway::Secret::load_or_create(&rig.config.data_dir.join("secret")).unwrap();
    let token = secrecy::ExposeSecret::expose_secret(&secret.incoming_token()).to_owned();
    assert!(token.len() >= 40, "256 bits");
    assert_eq!(rig.acs.subscribe(&url(PATHS[0], &token)).await, (true, Some(200)));
    assert_eq!(rig.acs.subscribe(&url(PATHS[0], INCOMING_TOKEN)).await, (false, Some(401)));
    let config = rig.config.clone();
    rig.app.shutdown().await;
    let again = offhook::app::App::start(config).await.unwrap();
    assert_eq!(
        rig.acs.subscribe(&url(PATHS[0], &token)).await,
        (true, Some(200)),
        "the same after a restart"
    );
    again.shutdown().await;
}
