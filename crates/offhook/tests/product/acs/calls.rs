//! From the wish to the end: what becomes of a call, and that each is its own.

use std::time::Duration;

use offhook_testkit::acs::{Callee, Delivery, Offer, Operation, Outcome, Reaction, Stage, finds, speech};
use offhook_testkit::realtime::Reply;
use serde_json::{Value, json};

use super::rig::{CALLEE, HELLO, OPENING, OTHER, OURS, Setup, codes, ending, goodbye, within};
use crate::realtime::turns;

const A_SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_conversation_comes_back_as_its_result() {
    let rig =
        Setup::new(vec![goodbye("Thank you, goodbye.")], &[HELLO, "We are open on Sunday."]).start().await;
    let (call, person) = rig.greeted(&rig.owner(), CALLEE).await;
    person.says(&speech(24_000, 900, 2)).await;
    let over = call.over().await;
    assert_eq!(ending(&over), ("answered", "voice.finished"));
    let expected = [
        ("user", HELLO),
        ("assistant", OPENING),
        ("user", "We are open on Sunday."),
        ("assistant", "Thank you, goodbye."),
    ];
    assert_eq!(turns(&over).into_iter().filter(|(role, _)| *role != "tool").collect::<Vec<_>>(), expected);
    let times: Vec<u64> = over["transcript"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|turn| turn["started_ms"].as_u64())
        .collect();
    assert!(times.is_sorted() && times.len() >= 4, "{times:?}");
    assert_eq!((&over["numbers"]["to"], &over["numbers"]["from"]), (&json!(CALLEE), &json!(OURS)));
    assert!(over["recording_url"].is_string());

    // Asked for once, and ended for everyone.
    let create = rig.acs.requests_to(Operation::Create);
    assert_eq!(create.len(), 1);
    assert_eq!(create[0].body["mediaStreamingOptions"]["audioFormat"], "pcm24KMono");
    assert!(create[0].path_and_query.ends_with("?api-version=2026-03-12"));
    let seen = person.until_ended().await;
    assert_eq!(seen.stage, Stage::Ended);
    assert!(
        rig.acs
            .requests()
            .iter()
            .any(|request| { request.operation == Operation::Terminate && request.status == Some(204) }),
        "the call is ended at the service"
    );
    rig.stop().await;
}

/// How someone behaves, and what is said of it.
fn behaviours() -> Vec<(&'static str, Callee, &'static str, &'static str)> {
    let fails = |outcome: Outcome| Callee::reacts(Reaction::Fails(outcome));
    vec![
        ("busy", Callee::busy(), "busy", "remote.busy"),
        ("declines", Callee::declines(), "rejected", "remote.declined"),
        ("declines with code 200", Callee::declines_quietly(), "rejected", "remote.declined"),
        ("does not answer", Callee::no_answer(), "no_answer", "remote.no_answer"),
        ("has no such number", Callee::no_such_number(), "invalid_number", "remote.invalid_number"),
        ("is behind a faulty network", Callee::unreachable(), "network_error", "carrier.failed"),
        (
            "is not to be called by us",
            fails(Outcome::sip(403, 510_403, "Forbidden", None)),
            "failed",
            "carrier.refused",
        ),
    ]
}

#[tokio::test]
async fn every_end_has_its_own_reason() {
    let rig = Setup::new(vec![Reply::say("Certainly.")], &[HELLO]).start().await;
    let owner = rig.owner();
    // However the two events of a failure come.
    let deliveries = [
        Delivery::default(),
        Delivery { reversed: true, ..Delivery::default() },
        Delivery { doubled: true, before_reply: true, ..Delivery::default() },
        Delivery { together: true, ..Delivery::default() },
    ];
    for (number, (what, callee, outcome, reason)) in behaviours().into_iter().enumerate() {
        let to = format!("+1202555{:04}", 400 + number);
        rig.acs.callee(&to, callee.told(deliveries[number % deliveries.len()]));
        let call = owner.call(&to).await;
        let over = call.over().await;
        assert_eq!(ending(&over), (outcome, reason), "who {what}");
        assert_eq!(over["timestamps"]["answered_at"], Value::Null, "who {what}");
        let ended = codes(&call.journal().await).into_iter().filter(|code| *code == "call.ended").count();
        assert_eq!(ended, 1, "one end, whatever is told");
    }
    for (what, outcome, reason) in [
        ("hangs up", Outcome::remote_hung_up(), "remote.hung_up"),
        (
            "is cut off by the network",
            Outcome::new(410, 301_005, "The media was lost."),
            "carrier.media_lost",
        ),
    ] {
        let (call, person) = rig.connected(&owner, CALLEE).await;
        person.is_cut_off(outcome);
        assert_eq!(ending(&call.over().await), ("answered", reason), "who {what}");
    }
    let (call, person) = rig.connected(&owner, CALLEE).await;
    call.hang_up().await;
    assert_eq!(ending(&call.over().await), ("answered", "owner.cancelled"));
    person.until_ended().await;
    rig.until_quiet().await;
    rig.stop().await;
}

#[tokio::test]
async fn each_limit_ends_a_call_for_its_own_reason() {
    let limited = |change: fn(&mut offhook::config::Config)| {
        Setup::new(vec![Reply::say("Certainly.")], &[HELLO]).change(change)
    };
    let range = |limit| offhook_core::policy::LimitRange { default: limit, max: limit };
    let rig = limited(|config| {
        config.policy.ring_limit = offhook_core::policy::LimitRange {
            default: Duration::from_millis(400),
            max: Duration::from_millis(400),
        }
    });
    let rig = rig.start().await;
    rig.acs.callee(CALLEE, Callee::waits());
    let over = rig.owner().call(CALLEE).await.over().await;
    assert_eq!(ending(&over), ("no_answer", "policy.ring_limit"));
    let person = rig.acs.person(CALLEE).await;
    person.until_ended().await;
    rig.stop().await;

    let rig = Setup::new(vec![Reply::say("Certainly.")], &[HELLO])
        .change(move |config| config.policy.talk_limit = range(Duration::from_millis(900)))
        .start()
        .await;
    let (call, person) = rig.connected(&rig.owner(), CALLEE).await;
    assert_eq!(ending(&call.over().await), ("answered", "policy.talk_limit"));
    person.until_ended().await;
    rig.stop().await;

    let rig = limited(|config| config.limits.silence = Duration::from_millis(1_500)).start().await;
    let (call, person) = rig.connected(&rig.owner(), CALLEE).await;
    assert_eq!(ending(&call.over().await), ("answered", "policy.silence"));
    person.until_ended().await;
    rig.stop().await;
}

#[tokio::test]
async fn a_failure_is_final_within_a_second() {
    let rig = Setup::new(vec![Reply::say("Certainly.")], &[HELLO]).start().await;
    rig.acs.callee(CALLEE, Callee::waits());
    let call = rig.owner().call(CALLEE).await;
    let person = rig.acs.person(CALLEE).await;
    call.until_code("call.dialing").await;
    let busy = Outcome::sip(486, 560_486, "Busy Here", Some(17));
    let (over, _) = within(A_SECOND, "the end", async {
        person.fails(busy).await;
        call.over().await
    })
    .await;
    assert_eq!(ending(&over), ("busy", "remote.busy"));
    rig.until_quiet().await;
    rig.stop().await;
}

#[tokio::test]
async fn hanging_up_on_either_side_closes_the_model() {
    let rig = Setup::new(vec![Reply::say("Certainly.")], &[HELLO]).start().await;
    let owner = rig.owner();
    for by_person in [true, false] {
        let (call, person) = rig.connected(&owner, CALLEE).await;
        assert_eq!(rig.model.open_sessions(), 1);
        match by_person {
            true => person.hang_up(),
            false => drop(call.hang_up().await),
        }
        within(A_SECOND, "the model", rig.model.until_closed()).await;
        within(A_SECOND, "the service", person.until_ended()).await;
        call.over().await;
    }
    rig.stop().await;
}

#[tokio::test]
async fn a_call_nobody_answers_leaves_nothing_behind() {
    let rig = Setup::new(vec![Reply::say("Certainly.")], &[HELLO]).start().await;
    let owner = rig.owner();
    rig.acs.callee(OTHER, Callee::no_answer());
    let wish = json!({ "to": OTHER, "task": "Tell nobody but Robin of the surprise.", "greeting": "Robin?" });
    assert_eq!(ending(&owner.place(&wish).await.over().await), ("no_answer", "remote.no_answer"));
    rig.until_quiet().await;

    let (call, person) = rig.greeted(&owner, CALLEE).await;
    let told = rig.model.recorded().into_iter().filter(|recorded| recorded.connection == 2);
    let told: String = told.map(|recorded| recorded.event.to_string()).collect();
    assert!(!told.contains("Robin") && !told.contains("surprise"), "the next call knows nothing of it");
    person.hang_up();
    call.over().await;
    rig.stop().await;
}

#[tokio::test]
async fn calls_that_overlap_keep_their_own_instructions() {
    let tables = r#"
        [inbound]
        callers = "open"
        instructions = "You answer for the bicycle workshop."
        "#;
    let rig = Setup::new(vec![Reply::say("Certainly.")], &[HELLO]).tables(tables).start().await;
    rig.subscribe().await;
    let (owner, caller) = (rig.admin().await, "+12025550347");
    for number in [CALLEE, OTHER] {
        rig.acs.callee(number, Callee::answers().after(Duration::from_millis(300)));
    }
    // All at once: the one that was asked for first need not be the one that is answered first.
    let one = json!({ "to": CALLEE, "task": "Ask about the blue bicycle.", "voice": "sarah" });
    let two = json!({ "to": OTHER, "task": "Ask about the red bicycle.", "voice": "chris" });
    let (one, two, three) = tokio::join!(owner.place(&one), owner.place(&two), rig.acs.ring(caller, OURS));
    let people = [rig.acs.person(CALLEE).await, rig.acs.person(OTHER).await, three];
    for (person, seed) in people.iter().zip(11..) {
        person.until_streaming().await;
        person.say(&speech(24_000, 700, seed));
    }
    let journals = (one.until_code("turn.remote").await, two.until_code("turn.remote").await);
    assert!(codes(&journals.0).contains(&"call.answered") && codes(&journals.1).contains(&"call.answered"));
    for (words, seed, number) in
        [("blue bicycle", 11, CALLEE), ("red bicycle", 12, OTHER), ("bicycle workshop", 13, caller)]
    {
        let session = rig.session_with(words);
        let spoken = speech(24_000, 700, seed);
        rig.until_model_heard(session, &spoken).await;
        let others = (1..=3).filter(|other| *other != session);
        for other in others {
            assert_eq!(
                finds(&rig.model_heard(other), &spoken[..480]),
                None,
                "{number} is heard by one model only"
            );
        }
    }
    assert_eq!(rig.model.connections(), 3);
    let updates = rig.model.events("session.update");
    let voices: std::collections::BTreeSet<&str> =
        updates.iter().filter_map(|update| update.pointer("/session/audio/output/voice")?.as_str()).collect();
    assert!(voices.len() >= 2, "each call has its own voice: {voices:?}");
    people.iter().for_each(|person| person.hang_up());
    one.over().await;
    two.over().await;
    for person in &people {
        person.until_ended().await;
    }
    assert_eq!(rig.acs.calls().iter().filter(|seen| seen.offer == Offer::Answered).count(), 1);
    rig.until_quiet().await;
    rig.stop().await;
}
