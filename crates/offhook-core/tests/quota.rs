//! What an owner may use up, and what a call is granted of it.

use std::time::Duration;

use offhook_core::policy::{
    Amount, Ask, CallerAllow, CallerFacts, Countries, DayUse, Facts, LineRules, OwnerLimits, Policy,
    PolicyConfig, Prepaid, Prices, Refusal, Tariff, Trial, TrialUse,
};
use offhook_core::{PhoneNumber, Timestamp};

const NOW: Timestamp = Timestamp::from_unix_millis(1_763_712_000_000);
const HOUR: Duration = Duration::from_secs(3_600);

fn mins(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

fn amount(text: &str) -> Amount {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Conversations of these lengths, at this price a minute.
fn talks_at(price: &str, lengths: &[Duration]) -> DayUse {
    let mut used = DayUse::default();
    lengths.iter().for_each(|talk| used.count(*talk, amount(price), Some(NOW)));
    used
}

fn talks(lengths: &[Duration]) -> DayUse {
    talks_at("0", lengths)
}

/// The minutes that are granted, or the refusal.
fn decide(config: &PolicyConfig, facts: &Facts<'_>) -> Result<Duration, Refusal> {
    let to: PhoneNumber = "+12067797979".parse().expect("a number");
    let allow = Policy::new(config.clone()).decide(&Ask::outbound(&to), facts, NOW).into_result()?;
    Ok(allow.talk_limit())
}

fn code(decided: Result<Duration, Refusal>) -> String {
    decided.expect_err("refused").code.to_string()
}

#[test]
fn sums_are_written_without_a_currency() {
    for (text, millionths, shown) in [
        ("5", 5_000_000, "5.00"),
        ("5.00", 5_000_000, "5.00"),
        ("0.014", 14_000, "0.014"),
        (" 12.5 ", 12_500_000, "12.50"),
        ("0.000001", 1, "0.000001"),
    ] {
        assert_eq!((amount(text).millionths(), amount(text).to_string().as_str()), (millionths, shown));
    }
    for wrong in ["", ".5", "5.", "-1", "1,5", "$5", "0.0000001", "99999999999999999999", "1e3"] {
        assert!(wrong.parse::<Amount>().is_err(), "{wrong}");
    }
}

#[test]
fn a_conversation_is_no_longer_than_what_is_left_of_the_day() {
    let config = PolicyConfig { talk_per_day_per_owner: Some(mins(60)), ..PolicyConfig::default() };
    for (used, promised, granted) in [
        (&[][..], &[][..], Some(mins(15))),
        (&[mins(50)], &[], Some(mins(10))),
        (&[mins(30)], &[mins(15), mins(10)], Some(mins(5))),
        (&[mins(59), Duration::from_secs(50)], &[], Some(Duration::from_secs(10))),
        (&[mins(59), Duration::from_secs(56)], &[], None),
        (&[mins(45)], &[mins(15)], None),
        (&[mins(70)], &[], None),
    ] {
        let facts = Facts { used_today: talks(used), promised: talks(promised), ..Facts::default() };
        assert_eq!(decide(&config, &facts).ok(), granted, "{used:?} {promised:?}");
    }
}

#[test]
fn money_pays_for_begun_minutes() {
    let config = PolicyConfig {
        spend_per_day_per_owner: Some(amount("0.10")),
        prices: Prices::flat(amount("0.02")),
        ..PolicyConfig::default()
    };
    for (used, granted) in [
        (&[][..], Some(mins(5))),
        (&[Duration::from_secs(61)], Some(mins(3))),
        (&[Duration::from_secs(1); 4], Some(mins(1))),
        (&[Duration::from_secs(1); 5], None),
    ] {
        let facts = Facts { used_today: talks_at("0.02", used), ..Facts::default() };
        assert_eq!(decide(&config, &facts).ok(), granted, "{used:?}");
    }
    // What costs nothing is not limited by money.
    let free = PolicyConfig { prices: Prices::default(), ..config };
    assert_eq!(decide(&free, &Facts { used_today: talks(&[mins(900)]), ..Facts::default() }), Ok(mins(15)));
}

#[test]
fn a_refusal_says_when_to_come_back_and_how_much_was_used() {
    let config = PolicyConfig { talk_per_day_per_owner: Some(mins(60)), ..PolicyConfig::default() };
    let mut used = DayUse::default();
    used.count(mins(60), Amount::ZERO, Some(NOW - HOUR));
    let refusal = decide(&config, &Facts { used_today: used, ..Facts::default() }).expect_err("used up");
    assert_eq!((refusal.code.code(), refusal.retry_after), ("balance_depleted", Some(23 * HOUR)));
    let quota = refusal.quota.expect("a limit of conversation");
    assert_eq!((quota.used, quota.left(), quota.limit), (mins(60), Duration::ZERO, mins(60)));
    // What calls under way do not use comes back soon.
    let facts = Facts { promised: talks(&[mins(60)]), ..Facts::default() };
    let refusal = decide(&config, &facts).expect_err("promised");
    assert_eq!(refusal.retry_after, Some(Duration::from_secs(15)));
}

#[test]
fn an_owner_may_have_limits_of_its_own() {
    let config = PolicyConfig {
        talk_per_day_per_owner: Some(mins(60)),
        prices: Prices::flat(amount("1")),
        ..PolicyConfig::default()
    };
    let used_today = talks_at("1", &[mins(55)]);
    for (owner_limits, granted) in [
        (OwnerLimits::default(), Some(mins(5))),
        (OwnerLimits { talk_per_day: Some(mins(600)), ..OwnerLimits::default() }, Some(mins(15))),
        (OwnerLimits { talk_per_day: Some(mins(10)), ..OwnerLimits::default() }, None),
        (OwnerLimits { spend_per_day: Some(amount("57")), ..OwnerLimits::default() }, Some(mins(2))),
        (OwnerLimits { spend_per_day: Some(amount("55.99")), ..OwnerLimits::default() }, None),
        (OwnerLimits { unlimited: true, ..OwnerLimits::default() }, Some(mins(15))),
    ] {
        let facts = Facts { owner_limits, used_today, ..Facts::default() };
        assert_eq!(decide(&config, &facts).ok(), granted, "{owner_limits:?}");
    }
}

#[test]
fn a_trial_is_over_when_calls_and_minutes_are_used() {
    let trial = Some(Trial { calls: 2, talk: mins(10) });
    let config = PolicyConfig { trial, ..PolicyConfig::default() };
    for (calls, talk, granted) in [
        (0, mins(0), Some(mins(15))),
        (1, mins(30), Some(mins(15))),
        (2, mins(4), Some(mins(6))),
        (9, mins(9), Some(mins(1))),
        (2, mins(10), None),
        (3, mins(11), None),
    ] {
        let facts = Facts { trial: Some(TrialUse { calls, talk }), ..Facts::default() };
        let decided = decide(&config, &facts);
        assert_eq!(decided.clone().ok(), granted, "{calls} {talk:?}");
        if granted.is_none() {
            assert_eq!(code(decided), "trial_exhausted");
        }
    }
    // Whoever has an account is not on trial.
    assert!(decide(&config, &Facts::default()).is_ok());
}

#[test]
fn a_call_without_a_conversation_is_not_counted() {
    let mut used = TrialUse::default();
    for secs in [0, 4, 5, 60] {
        used.count(Duration::from_secs(secs));
    }
    assert_eq!(used, TrialUse { calls: 2, talk: Duration::from_secs(65) });
}

#[test]
fn a_price_is_that_of_the_longest_beginning_or_of_the_country() {
    let tariff = |text: &str| -> Tariff { text.parse().expect("a tariff") };
    let special = [("DE", "0.02"), ("+49", "0.03"), ("+4917", "0.12"), ("CA", "0.01")];
    let special = special.map(|(numbers, price)| (tariff(numbers), amount(price))).to_vec();
    let prices = Prices { usual: amount("0.014"), special };
    for (number, expected) in [
        ("+12067797979", "0.014"),
        ("+16137797979", "0.01"),
        ("+4930123456", "0.03"),
        ("+4917612345678", "0.12"),
    ] {
        let number: PhoneNumber = number.parse().expect("a number");
        assert_eq!(prices.of(&number), amount(expected), "{expected}");
    }
    for wrong in ["", "+", "USA", "49", "+49x", "+1234567890123456"] {
        assert!(wrong.parse::<Tariff>().is_err(), "{wrong}");
    }
    // Money lasts as long as the call costs.
    let (config, dear): (_, PhoneNumber) = (
        PolicyConfig {
            spend_per_day_per_owner: Some(amount("0.12")),
            countries: offhook_core::policy::Countries::Any,
            prices,
            ..PolicyConfig::default()
        },
        "+4917612345678".parse().expect("a number"),
    );
    let policy = Policy::new(config.clone());
    let allow = policy.decide(&Ask::outbound(&dear), &Facts::default(), NOW).into_result().expect("allowed");
    assert_eq!((allow.talk_limit(), allow.promised().spent), (mins(1), amount("0.12")));
    assert_eq!(decide(&config, &Facts::default()), Ok(mins(8)));
}

#[test]
fn what_is_paid_for_in_advance_is_used_up_once() {
    let config = PolicyConfig::default();
    for (used, promised, granted, comes_back) in [
        (0, 0, Some(mins(15)), false),
        (55, 0, Some(mins(5)), false),
        (30, 20, Some(mins(10)), false),
        (30, 30, None, true),
        (60, 0, None, false),
        (70, 0, None, false),
    ] {
        let prepaid = Some(Prepaid { paid: mins(60), used: mins(used) });
        let facts = Facts { prepaid, promised: talks(&[mins(promised)]), ..Facts::default() };
        let decided = decide(&config, &facts);
        assert_eq!(decided.clone().ok(), granted, "{used} {promised}");
        if let Err(refusal) = decided {
            assert_eq!((refusal.code.code(), refusal.rule.code()), ("balance_depleted", "balance"));
            assert_eq!(refusal.retry_after.is_some(), comes_back, "{used} {promised}");
            assert_eq!(refusal.quota.map(|quota| (quota.left(), quota.limit)), Some((mins(0), mins(60))));
        }
    }
}

#[test]
fn where_a_plan_is_required_the_operator_gives_it() {
    let config = PolicyConfig { require_plan: true, ..PolicyConfig::default() };
    let limits = OwnerLimits { calls_per_day: Some(5), ..OwnerLimits::default() };
    let unlimited = OwnerLimits { unlimited: true, ..OwnerLimits::default() };
    let prepaid = Some(Prepaid { paid: mins(60), used: mins(0) });
    for (facts, expected) in [
        (Facts::default(), "plan_required"),
        (Facts { owner_limits: limits, ..Facts::default() }, "-"),
        (Facts { owner_limits: unlimited, ..Facts::default() }, "-"),
        (Facts { prepaid, ..Facts::default() }, "-"),
        // Whoever is on trial has that.
        (Facts { trial: Some(TrialUse::default()), ..Facts::default() }, "-"),
    ] {
        let told =
            decide(&config, &facts).map_or_else(|refusal| refusal.code.to_string(), |_| "-".to_owned());
        assert_eq!(told, expected, "{facts:?}");
    }
}

/// A limit of 1.00 a day, where calls to GB cost 0.30 a minute, to CA 0.10, and the rest nothing.
#[test]
fn the_user_in_a_call_costs_as_much_as_a_call() {
    let prices = [("GB", "0.30"), ("CA", "0.10")];
    let prices = prices.map(|(country, price)| (country.parse().expect("a country"), amount(price)));
    let config = PolicyConfig {
        countries: Countries::Any,
        spend_per_day_per_owner: Some(amount("1.00")),
        prices: Prices { usual: Amount::ZERO, special: prices.to_vec() },
        ..PolicyConfig::default()
    };
    let [us, ca, gb] = ["+12067797979", "+16135550200", "+442079460958"]
        .map(|text| text.parse::<PhoneNumber>().expect("a number"));
    let caller = let_in();
    for (to, user, metered, price, talk) in [
        (Some(&us), None, false, "0", mins(15)),
        (Some(&us), Some(&gb), true, "0.30", mins(3)),
        (Some(&ca), None, true, "0.10", mins(10)),
        (Some(&ca), Some(&gb), true, "0.40", mins(2)),
        (None, None, false, "0", mins(15)),
        (None, Some(&ca), true, "0.10", mins(10)),
        (None, Some(&gb), true, "0.30", mins(3)),
    ] {
        let ask = Ask { handoff: user, ..to.map_or_else(|| Ask::inbound(&caller), Ask::outbound) };
        let decided = Policy::new(config.clone()).decide(&ask, &Facts::default(), NOW);
        let allow = decided.into_result().expect("allowed");
        let found = (allow.is_metered(), allow.price(), allow.talk_limit());
        assert_eq!(found, (metered, amount(price), talk), "{to:?} {user:?}");
        assert_eq!(allow.handoff().map(|allow| allow.user()), user);
    }
}

/// Whoever calls is answered, but with nothing left nobody is called for them.
#[test]
fn an_owner_with_nothing_left_has_nobody_called_into_calls_to_its_line() {
    let user = "+12067797979".parse().expect("a number");
    let config = PolicyConfig { talk_per_day_per_owner: Some(mins(10)), ..PolicyConfig::default() };
    let caller = let_in();
    for (used, put_through, expected) in [
        (mins(4), false, "connects, 360 s"),
        (mins(4), true, "connects, 360 s"),
        (mins(10), false, "answers, 900 s"),
        (mins(10), true, "minutes_per_day_per_owner balance_depleted"),
    ] {
        let facts = Facts { used_today: talks(&[used]), ..Facts::default() };
        let ask = Ask { handoff: Some(&user), put_through, ..Ask::inbound(&caller) };
        let told = match Policy::new(config.clone()).decide(&ask, &facts, NOW).into_result() {
            Ok(allow) => {
                let what = if allow.handoff().is_some() { "connects" } else { "answers" };
                format!("{what}, {} s", allow.talk_limit().as_secs())
            }
            Err(refusal) => format!("{} {}", refusal.rule, refusal.code),
        };
        assert_eq!(told, expected, "{used:?} {put_through}");
    }
}

/// Somebody without a number, on a line that is open.
fn let_in() -> CallerAllow {
    LineRules::default().decide(None, &CallerFacts::default()).expect("the line is open")
}
