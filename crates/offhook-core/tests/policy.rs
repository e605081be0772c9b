//! The calling rules: for each what passes, what does not, and what the caller is told.

use std::time::Duration;

use offhook_core::policy::{
    Ask, CallerAllow, CallerFacts, Countries, Country, Decision, Facts, LimitRange, LineRules, NumberPattern,
    OwnerLimits, Policy, PolicyConfig, Recent, Refusal, RefusalCode, Rule, UserNumbers,
};
use offhook_core::{PhoneNumber, Timestamp};

const NOW: Timestamp = Timestamp::from_unix_millis(1_763_712_000_000);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

fn number(text: &str) -> PhoneNumber {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn patterns(texts: &[&str]) -> Vec<NumberPattern> {
    texts.iter().map(|text| text.parse().expect("a pattern")).collect()
}

fn refused(config: &PolicyConfig, to: &str, facts: &Facts<'_>) -> Option<Refusal> {
    let policy = Policy::new(config.clone());
    policy.decide(&Ask::outbound(&number(to)), facts, NOW).into_result().err()
}

/// `-` where the call may happen, else rule and API code.
fn verdict(config: &PolicyConfig, to: &str, facts: &Facts<'_>) -> String {
    refused(config, to, facts).map_or("-".to_owned(), |refusal| format!("{} {}", refusal.rule, refusal.code))
}

/// Somebody without a number, on a line that is open.
fn let_in() -> CallerAllow {
    LineRules::default().decide(None, &CallerFacts::default()).expect("the line is open")
}

#[test]
fn destinations_under_the_default_rules() {
    let ours = [number("+12067797000")];
    let facts = Facts { own_lines: &ours, ..Facts::default() };
    for (to, expected) in [
        ("+12067797979", "-"),
        ("+18002752273", "-"),
        ("+12067797000", "own_line destination_blocked"),
        ("+14155550100", "sandbox_number invalid_phone"),
        ("+12065550142", "sandbox_number invalid_phone"),
        ("+19110000000", "emergency invalid_phone"),
        ("+19115550100", "emergency invalid_phone"),
        ("+19005551234", "premium_number unsupported_destination"),
        ("+16135550200", "country unsupported_destination"),
        ("+18765230123", "country unsupported_destination"),
        ("+18092345678", "country unsupported_destination"),
        ("+12842291234", "country unsupported_destination"),
        ("+17872345678", "country unsupported_destination"),
        ("+442079460958", "country unsupported_destination"),
        ("+4930123456", "country unsupported_destination"),
        ("+80012345678", "country unsupported_destination"),
        ("+12992345678", "country unsupported_destination"),
    ] {
        assert_eq!(verdict(&PolicyConfig::default(), to, &facts), expected, "{to}");
    }
}

#[test]
fn countries_are_configurable() {
    let only = |codes: &[&str]| PolicyConfig {
        countries: Countries::Only(codes.iter().map(|code| code.parse().expect("a country")).collect()),
        ..PolicyConfig::default()
    };
    let any = PolicyConfig { countries: Countries::Any, ..PolicyConfig::default() };
    for (config, to, allowed) in [
        (&only(&["US", "ca"]), "+16137797979", true),
        (&only(&["DE"]), "+4930123456", true),
        (&only(&["DE"]), "+12067797979", false),
        (&only(&[]), "+12067797979", false),
        (&any, "+442079460958", true),
        (&any, "+80012345678", true),
        (&any, "+449098765432", false),
        (&any, "+491801234567", false),
    ] {
        assert_eq!(
            verdict(config, to, &Facts::default()) == "-",
            allowed,
            "{to} with {:?}",
            config.countries
        );
    }
    let priced = PolicyConfig { premium_numbers: true, ..any.clone() };
    assert_eq!(verdict(&priced, "+449098765432", &Facts::default()), "-");
    assert!(
        "USA".parse::<Country>().is_err()
            && "".parse::<Country>().is_err()
            && "1A".parse::<Country>().is_err()
    );
}

#[test]
fn blocked_is_stronger_than_allowed() {
    let config = PolicyConfig {
        allowed_destinations: patterns(&["+1206*", "+1 (425) 277-9797"]),
        blocked_destinations: patterns(&["+1206779*", "+12062779797"]),
        ..PolicyConfig::default()
    };
    for (to, expected) in [
        ("+12062779798", "-"),
        ("+14252779797", "-"),
        ("+14252779798", "allowed_destination destination_blocked"),
        ("+12067797979", "blocked_destination destination_blocked"),
        ("+12062779797", "blocked_destination destination_blocked"),
    ] {
        assert_eq!(verdict(&config, to, &Facts::default()), expected, "{to}");
    }
}

#[test]
fn a_pattern_is_a_number_or_the_beginning_of_one() {
    for text in ["+1*", "+1415*", "+14155550100", "+1 415-555-0100", "+4930123456"] {
        assert!(text.parse::<NumberPattern>().is_ok(), "{text}");
    }
    for text in ["", "*", "+*", "1415*", "+1415", "+1415x*", "+1415**", "+1234567890123456*"] {
        assert!(text.parse::<NumberPattern>().is_err(), "{text}");
    }
    let pattern: NumberPattern = "+14155550123".parse().expect("a pattern");
    assert_eq!(format!("{pattern:?}"), "+…23");
}

#[test]
fn the_sandbox_answers_its_numbers_and_is_exempt_from_country_and_daily_limits() {
    let config = PolicyConfig {
        sandbox: true,
        countries: Countries::Only(vec!["DE".parse().expect("a country")]),
        ..PolicyConfig::default()
    };
    let busy_day = Recent { count: 10_000, oldest_at: Some(NOW - HOUR) };
    let facts = Facts { calls_of_owner: busy_day, calls_to_destination: busy_day, ..Facts::default() };
    assert_eq!(verdict(&config, "+14155550100", &facts), "-");
    assert_eq!(verdict(&config, "+4930123456", &facts), "calls_per_day_per_owner quota_exceeded");
}

#[test]
fn limits_hold_from_the_first_call_too_many() {
    let config = PolicyConfig {
        concurrent_calls: 5,
        concurrent_calls_per_owner: 3,
        concurrent_calls_per_destination: 1,
        calls_per_day_per_owner: 10,
        calls_per_day_per_destination: 4,
        cool_down: 10 * MINUTE,
        ..PolicyConfig::default()
    };
    let none = Facts::default();
    let recent = |count| Recent { count, oldest_at: Some(NOW - 20 * HOUR) };
    let ended = |ago| Some(NOW - ago);
    let secs = |secs| Some(Duration::from_secs(secs));
    let table: &[(Facts<'_>, &str, Option<Duration>)] = &[
        (Facts { live_calls: 4, ..none }, "-", None),
        (Facts { live_calls: 5, ..none }, "concurrent_calls too_many_calls", secs(15)),
        (Facts { live_calls_of_owner: 2, ..none }, "-", None),
        (Facts { live_calls_of_owner: 3, ..none }, "concurrent_calls_per_owner too_many_calls", secs(15)),
        (
            Facts { live_calls_to_destination: 1, ..none },
            "concurrent_calls_per_destination destination_busy",
            secs(15),
        ),
        (Facts { last_call_to_destination_ended_at: ended(10 * MINUTE), ..none }, "-", None),
        (
            Facts { last_call_to_destination_ended_at: ended(4 * MINUTE), ..none },
            "cool_down destination_busy",
            secs(360),
        ),
        (Facts { calls_of_owner: recent(9), ..none }, "-", None),
        (
            Facts { calls_of_owner: recent(10), ..none },
            "calls_per_day_per_owner quota_exceeded",
            Some(4 * HOUR),
        ),
        (Facts { calls_to_destination: recent(3), ..none }, "-", None),
        (
            Facts { calls_to_destination: recent(4), ..none },
            "calls_per_day_per_destination quota_exceeded",
            Some(4 * HOUR),
        ),
    ];
    for (facts, expected, retry_after) in table {
        assert_eq!(verdict(&config, "+12067797979", facts), *expected, "{facts:?}");
        let refusal = refused(&config, "+12067797979", facts);
        assert_eq!(refusal.and_then(|refusal| refusal.retry_after), *retry_after, "{facts:?}");
    }
}

#[test]
fn an_owner_may_have_limits_of_their_own() {
    let config = PolicyConfig::default();
    let own = |owner_limits| Facts { owner_limits, ..Facts::default() };
    let more =
        OwnerLimits { concurrent_calls: Some(50), calls_per_day: Some(1_000), ..OwnerLimits::default() };
    let less = OwnerLimits { concurrent_calls: Some(1), calls_per_day: Some(1), ..OwnerLimits::default() };
    let busy = Facts { live_calls_of_owner: 20, ..own(more) };
    assert_eq!(verdict(&config, "+12067797979", &busy), "-");
    assert_eq!(
        verdict(&config, "+12067797979", &Facts { live_calls_of_owner: 1, ..own(less) }),
        "concurrent_calls_per_owner too_many_calls"
    );
    let often = Recent { count: 500, oldest_at: Some(NOW - HOUR) };
    assert_eq!(verdict(&config, "+12067797979", &Facts { calls_of_owner: often, ..own(more) }), "-");
    assert_eq!(
        verdict(&config, "+12067797979", &Facts { calls_of_owner: often, ..own(less) }),
        "calls_per_day_per_owner quota_exceeded"
    );
}

#[test]
fn limits_are_granted_within_what_is_permitted() {
    let secs = Duration::from_secs;
    let table = [
        // asked to ring, talk; the owner's talk limit; granted to ring, talk
        (None, None, None, secs(60), 15 * MINUTE),
        (Some(secs(20)), Some(3 * MINUTE), None, secs(20), 3 * MINUTE),
        (Some(secs(500)), Some(100 * HOUR), None, secs(180), 4 * HOUR),
        (Some(secs(0)), Some(secs(0)), None, LimitRange::MIN, LimitRange::MIN),
        (None, None, Some(5 * MINUTE), secs(60), 5 * MINUTE),
        (None, Some(HOUR), Some(5 * MINUTE), secs(60), 5 * MINUTE),
        (None, None, Some(6 * HOUR), secs(60), 15 * MINUTE),
        (None, Some(5 * HOUR), Some(6 * HOUR), secs(60), 5 * HOUR),
    ];
    let to = number("+12067797979");
    for (ring_limit, talk_limit, of_owner, ring, talk) in table {
        let facts = Facts {
            owner_limits: OwnerLimits { talk_limit: of_owner, ..OwnerLimits::default() },
            ..Facts::default()
        };
        let ask = Ask { ring_limit, talk_limit, ..Ask::outbound(&to) };
        let allow = Policy::default().decide(&ask, &facts, NOW).into_result().expect("allowed");
        assert_eq!((allow.ring_limit(), allow.talk_limit()), (ring, talk), "{ring_limit:?} {talk_limit:?}");
    }
}

#[test]
fn a_permission_names_the_rules_that_were_consulted() {
    let allow = Policy::default().decide(&Ask::outbound(&number("+12067797979")), &Facts::default(), NOW);
    let Decision::Allow(allow) = allow else { panic!("{allow:?}") };
    assert_eq!(
        allow.policy(),
        "emergency,own_line,sandbox_number,country,premium_number,concurrent_calls,concurrent_calls_per_owner,\
         concurrent_calls_per_destination,calls_per_day_per_owner,calls_per_day_per_destination"
    );
}

#[test]
fn of_an_inbound_call_only_the_caller_and_the_number_of_calls_matter() {
    let caller = let_in();
    let policy = Policy::default();
    let crowded = Recent { count: 10_000, oldest_at: Some(NOW) };
    let facts = Facts { calls_of_owner: crowded, live_calls_to_destination: 7, ..Facts::default() };
    let allow = policy.decide(&Ask::inbound(&caller), &facts, NOW).into_result().expect("allowed");
    assert_eq!(allow.policy(), "inbound_closed,concurrent_calls,concurrent_calls_per_owner");
    let full = Facts { live_calls: 1_000, ..facts };
    let refusal = policy.decide(&Ask::inbound(&caller), &full, NOW).into_result().expect_err("full");
    assert_eq!(refusal.code, RefusalCode::TooManyCalls);
}

#[test]
fn what_never_can_be_is_said_before_what_is_too_much_now() {
    let config = PolicyConfig { blocked_destinations: patterns(&["+1*"]), ..PolicyConfig::default() };
    let ours = [number("+19110000000")];
    let facts =
        Facts { own_lines: &ours, live_calls: 5_000, live_calls_to_destination: 1, ..Facts::default() };
    assert_eq!(verdict(&config, "+19110000000", &facts), "emergency invalid_phone");
    assert_eq!(verdict(&config, "+442079460958", &facts), "country unsupported_destination");
    assert_eq!(verdict(&config, "+12067797979", &facts), "blocked_destination destination_blocked");
    assert_eq!(verdict(&PolicyConfig::default(), "+12067797979", &facts), "concurrent_calls too_many_calls");
}

#[test]
fn codes_are_unique_and_read_back() {
    for (n, rule) in Rule::ALL.iter().enumerate() {
        assert_eq!(Rule::from_code(rule.code()), Some(*rule));
        assert!(Rule::ALL[..n].iter().all(|other| other.code() != rule.code()));
    }
    for code in RefusalCode::ALL {
        assert_eq!(RefusalCode::from_code(code.code()), Some(*code));
    }
}

#[test]
fn a_refusal_says_what_to_do_and_never_the_number() {
    let config = PolicyConfig { blocked_destinations: patterns(&["+1425*"]), ..PolicyConfig::default() };
    for to in ["+19110000000", "+14155550100", "+442079460958", "+14252779797", "+19005551234"] {
        let refusal = refused(&config, to, &Facts::default()).expect("refused");
        assert!(refusal.message.len() > 30 && !refusal.message.ends_with('.'), "{}", refusal.message);
        assert!(!refusal.message.contains(&to[to.len() - 7..]), "{}", refusal.message);
    }
    assert_eq!(
        refused(&config, "+442079460958", &Facts::default()).map(|refusal| refusal.message).as_deref(),
        Some("this number belongs to GB, which calls are not allowed to; allowed: US")
    );
}

#[test]
fn a_user_who_is_connected_is_a_number_that_may_be_called() {
    let ours = [number("+12067797000")];
    let config = PolicyConfig {
        blocked_destinations: patterns(&["+1312*"]),
        concurrent_calls: 0,
        ..PolicyConfig::default()
    };
    let remote = number("+12067797979");
    for (user, expected) in [
        ("+13605551234", "-"),
        ("+12067797979", "handoff invalid_loop_in_destination"),
        ("+12067797000", "handoff invalid_loop_in_destination"),
        ("+13125551234", "handoff destination_blocked"),
        ("+14155550190", "handoff invalid_phone"),
        ("+19110000000", "handoff invalid_phone"),
        ("+442079460958", "handoff unsupported_destination"),
        ("+19005551234", "handoff unsupported_destination"),
    ] {
        let user = number(user);
        let policy = Policy::new(config.clone());
        let facts = Facts { own_lines: &ours, ..Facts::default() };
        let decided = policy.decide_handoff(&user, Some(&remote), &facts, NOW);
        let told = decided.as_ref().map_or_else(|no| format!("{} {}", no.rule, no.code), |_| "-".to_owned());
        assert_eq!(told, expected, "{user:?}");
        // Told of a call before how many there are, as the contract has it.
        let ask = Ask { handoff: Some(&user), ..Ask::outbound(&remote) };
        let refusal = policy.decide(&ask, &facts, NOW).into_result().expect_err("there is no room");
        let expected = if expected == "-" { "concurrent_calls too_many_calls" } else { expected };
        assert_eq!(format!("{} {}", refusal.rule, refusal.code), expected, "{user:?}");
    }
    let user = number("+13605551234");
    let ask = Ask { handoff: Some(&user), ..Ask::outbound(&remote) };
    let allow = Policy::default().decide(&ask, &Facts::default(), NOW).into_result().expect("allowed");
    assert_eq!(allow.handoff().map(|handoff| handoff.user()), Some(&user));
}

#[test]
fn a_key_that_is_bound_has_its_target_called_and_nobody_else() {
    let (target, other) = (number("+13605551234"), number("+12067797979"));
    let bound = [target.clone()];
    for (bound_to, to, user, expected) in [
        (None, &other, None, "-"),
        (None, &other, Some(&target), "-"),
        (Some(&bound[..]), &target, None, "-"),
        (Some(&bound[..]), &other, None, "target destination_blocked"),
        // Nor is anybody else called into the call, nor the target into another's.
        (Some(&bound[..]), &target, Some(&other), "handoff destination_blocked"),
        (Some(&bound[..]), &other, Some(&target), "target destination_blocked"),
        (Some(&[]), &target, None, "target destination_blocked"),
    ] {
        let facts = Facts { bound_to, ..Facts::default() };
        let ask = Ask { handoff: user, ..Ask::outbound(to) };
        let decided = Policy::default().decide(&ask, &facts, NOW).into_result();
        let told = decided.map_or_else(|no| format!("{} {}", no.rule, no.code), |_| "-".to_owned());
        assert_eq!(told, expected, "{bound_to:?} {to:?} {user:?}");
    }
    // The same for the user of a call that reached us, and of one under way.
    let facts = Facts { bound_to: Some(&bound), ..Facts::default() };
    let joins = |user| Policy::default().decide_handoff(user, None, &facts, NOW).is_ok();
    assert_eq!((joins(&target), joins(&other)), (true, false));
    let none_set = Facts { bound_to: Some(&[]), ..Facts::default() };
    let refusal = refused(&PolicyConfig::default(), "+13605551234", &none_set).expect("there is no target");
    assert!(refusal.message.contains("/phone"), "{}", refusal.message);
    // Whoever calls us was not called by anybody.
    let caller = let_in();
    let inbound = Policy::default().decide(&Ask::inbound(&caller), &none_set, NOW);
    assert!(matches!(inbound, Decision::Allow(_)));
}

#[test]
fn who_may_be_the_user_and_how_often() {
    let (user, own) = (number("+13605551234"), [number("+13605551234")]);
    let often = Recent { count: 2, oldest_at: Some(NOW - HOUR) };
    let once = Recent { count: 1, ..often };
    for (user_numbers, own_phones, calls_to_user, expected) in [
        (UserNumbers::Any, &[][..], once, "-"),
        (UserNumbers::Any, &[], often, "handoff quota_exceeded"),
        (UserNumbers::Any, &own, often, "-"),
        (UserNumbers::Account, &[], once, "handoff destination_blocked"),
        (UserNumbers::Account, &own, once, "-"),
        (UserNumbers::Account, &own, often, "-"),
    ] {
        let calls_per_day_per_destination = 2;
        let config = PolicyConfig { user_numbers, calls_per_day_per_destination, ..PolicyConfig::default() };
        let facts = Facts { own_phones, calls_to_user, ..Facts::default() };
        let decided = Policy::new(config).decide_handoff(&user, None, &facts, NOW);
        let told = decided.map_or_else(|no| format!("{} {}", no.rule, no.code), |_| "-".to_owned());
        assert_eq!(told, expected, "{user_numbers:?} {own_phones:?} {calls_to_user:?}");
    }
}

#[test]
fn a_talk_limit_that_was_asked_for_holds_for_the_user_too() {
    let to = number("+12067797979");
    for (talk_limit, talk_per_day_per_owner, holds) in
        [(None, None, false), (Some(MINUTE), None, true), (None, Some(HOUR), true)]
    {
        let config = PolicyConfig { talk_per_day_per_owner, ..PolicyConfig::default() };
        let ask = Ask { talk_limit, ..Ask::outbound(&to) };
        let allow = Policy::new(config).decide(&ask, &Facts::default(), NOW).into_result().expect("allowed");
        assert_eq!(allow.limits_user(), holds, "{talk_limit:?} {talk_per_day_per_owner:?}");
    }
}
