//! Who may call which line: what is asked of a caller, and as whom each is answered.

use offhook_core::PhoneNumber;
use offhook_core::policy::{
    Access, CallerFacts, Hours, LineRules, Listed, LocalTime, Outside, Rule, Standing, Trust, Window,
};

const ANA: &str = "+12065551001";
const BEN: &str = "+12065551002";
const STRANGER: &str = "+13605559999";

fn listed(number: &str) -> Listed {
    let number = number.parse().expect("a pattern");
    Listed { number, trusted: false, has_pin: false, put_through: false }
}

fn trusted(number: &str) -> Listed {
    Listed { trusted: true, ..listed(number) }
}

fn rules(access: Access) -> LineRules {
    LineRules { access, has_pin: true, listed: vec![trusted(ANA), listed(BEN)], ..LineRules::default() }
}

/// The rule that refuses, or as whom the caller is answered.
fn verdict(rules: &LineRules, caller: &str, facts: &CallerFacts) -> String {
    let number: Option<PhoneNumber> = (caller != "-").then(|| caller.parse().expect("a number"));
    match rules.decide(number.as_ref(), facts) {
        Err(refusal) => refusal.rule.code().to_owned(),
        Ok(allow) if allow.put_through() => "put through".to_owned(),
        Ok(allow) if allow.messages_only() => "messages".to_owned(),
        Ok(allow) => match allow.standing() {
            Standing::Stranger => "stranger",
            Standing::Trusted => "trusted",
            Standing::AfterPin => "pin",
        }
        .to_owned(),
    }
}

#[test]
fn who_may_call_and_as_whom() {
    let none = CallerFacts::default();
    for (access, trust, of_ana, of_ben, of_stranger, of_nobody) in [
        (Access::Closed, Trust::Pin, "inbound_closed", "inbound_closed", "inbound_closed", "inbound_closed"),
        (
            Access::Closed,
            Trust::Number,
            "inbound_closed",
            "inbound_closed",
            "inbound_closed",
            "inbound_closed",
        ),
        (Access::Listed, Trust::Pin, "pin", "stranger", "inbound_list", "inbound_list"),
        (Access::Listed, Trust::Number, "trusted", "stranger", "inbound_list", "inbound_list"),
        (Access::Open, Trust::Pin, "pin", "stranger", "stranger", "stranger"),
        (Access::Open, Trust::Number, "trusted", "stranger", "stranger", "stranger"),
        (Access::Pin, Trust::Pin, "pin", "pin", "pin", "pin"),
        (Access::Pin, Trust::Number, "trusted", "pin", "pin", "pin"),
    ] {
        let rules = LineRules { trust, ..rules(access) };
        for (caller, expected) in [(ANA, of_ana), (BEN, of_ben), (STRANGER, of_stranger), ("-", of_nobody)] {
            assert_eq!(verdict(&rules, caller, &none), expected, "{access} {trust} {caller}");
        }
    }
}

#[test]
fn without_a_pin_a_number_alone_gets_nobody_any_further() {
    let none = CallerFacts::default();
    for (access, trust, of_ana, of_stranger) in [
        (Access::Open, Trust::Pin, "stranger", "stranger"),
        (Access::Listed, Trust::Pin, "stranger", "inbound_list"),
        (Access::Pin, Trust::Pin, "inbound_pin", "inbound_pin"),
        (Access::Pin, Trust::Number, "trusted", "inbound_pin"),
    ] {
        let rules = LineRules { trust, has_pin: false, ..rules(access) };
        assert_eq!(verdict(&rules, ANA, &none), of_ana, "{access} {trust}");
        assert_eq!(verdict(&rules, STRANGER, &none), of_stranger, "{access} {trust}");
    }
    // A PIN of one's own is one.
    let own = Listed { has_pin: true, ..trusted(ANA) };
    let rules = LineRules { has_pin: false, listed: vec![own], ..rules(Access::Open) };
    assert_eq!(verdict(&rules, ANA, &none), "pin");
}

#[test]
fn the_entry_that_says_most_counts() {
    let many = ["+1*", "+1206*", ANA, "+1206555*", ANA];
    let rules = LineRules { listed: many.map(listed).to_vec(), ..LineRules::default() };
    for (caller, expected) in [
        (ANA, Some(2)),
        (BEN, Some(3)),
        ("+12067797979", Some(1)),
        (STRANGER, Some(0)),
        ("+442079460958", None),
    ] {
        let caller: PhoneNumber = caller.parse().expect("a number");
        let allow = rules.decide(Some(&caller), &CallerFacts::default()).expect("an open line");
        assert_eq!(allow.listed(), expected, "{caller:?}");
    }
}

#[test]
fn who_is_not_wanted_is_not_answered() {
    let none = CallerFacts::default();
    let spam = CallerFacts { spam_calls: 2, ..none };
    let open = rules(Access::Open);
    let blocked = LineRules { blocked: vec!["+1360*".parse().expect("a pattern")], ..open.clone() };
    let shown = LineRules { anonymous: false, ..open.clone() };
    let patient = LineRules { spam_calls: None, ..open.clone() };
    for (rules, caller, facts, expected) in [
        (&blocked, STRANGER, none, "inbound_blocked"),
        (&blocked, BEN, none, "stranger"),
        (&blocked, "-", none, "stranger"),
        (&shown, "-", none, "inbound_anonymous"),
        (&shown, STRANGER, none, "stranger"),
        (&open, STRANGER, spam, "inbound_spam"),
        (&open, STRANGER, CallerFacts { spam_calls: 1, ..none }, "stranger"),
        // Whoever is listed is wanted, and callers without a number are not one.
        (&open, BEN, spam, "stranger"),
        (&open, "-", spam, "stranger"),
        (&patient, STRANGER, CallerFacts { spam_calls: 99, ..none }, "stranger"),
    ] {
        assert_eq!(verdict(rules, caller, &facts), expected, "{caller} {facts:?}");
    }
}

#[test]
fn a_wrong_pin_is_given_so_often_and_no_more() {
    let none = CallerFacts::default();
    let (of_caller, on_line) =
        (CallerFacts { wrong_pins_of_caller: 6, ..none }, CallerFacts { wrong_pins_on_line: 30, ..none });
    let few = CallerFacts { wrong_pins_of_caller: 5, wrong_pins_on_line: 29, ..none };
    for (access, trust, caller, facts, expected) in [
        (Access::Pin, Trust::Pin, STRANGER, few, "pin"),
        (Access::Pin, Trust::Pin, STRANGER, of_caller, "inbound_pin"),
        (Access::Pin, Trust::Pin, "-", of_caller, "inbound_pin"),
        (Access::Pin, Trust::Pin, STRANGER, on_line, "inbound_pin"),
        // Trusted by number is not asked for one.
        (Access::Pin, Trust::Number, ANA, on_line, "trusted"),
        // Where strangers are answered, whoever guesses is one.
        (Access::Open, Trust::Pin, ANA, of_caller, "stranger"),
        (Access::Open, Trust::Pin, STRANGER, of_caller, "stranger"),
    ] {
        let rules = LineRules { trust, ..rules(access) };
        assert_eq!(verdict(&rules, caller, &facts), expected, "{access} {trust} {caller} {facts:?}");
    }
}

#[test]
fn how_often_and_how_many_at_once() {
    let none = CallerFacts::default();
    let rules = LineRules {
        calls_per_day: Some(10),
        calls_per_day_per_caller: Some(3),
        concurrent_calls: Some(2),
        concurrent_calls_per_caller: Some(1),
        ..rules(Access::Open)
    };
    for (facts, expected) in [
        (CallerFacts { calls_on_line: 9, calls_of_caller: 2, live_calls_on_line: 1, ..none }, "stranger"),
        (CallerFacts { calls_of_caller: 3, ..none }, "inbound_calls_per_day_per_caller"),
        (CallerFacts { calls_on_line: 10, ..none }, "inbound_calls_per_day"),
        (CallerFacts { live_calls_of_caller: 1, ..none }, "inbound_concurrent_calls_per_caller"),
        (CallerFacts { live_calls_on_line: 2, ..none }, "inbound_concurrent_calls"),
    ] {
        assert_eq!(verdict(&rules, STRANGER, &facts), expected, "{facts:?}");
        assert_eq!(
            verdict(&LineRules { listed: vec![], ..LineRules::default() }, STRANGER, &facts),
            "stranger"
        );
    }
}

fn hours(windows: &[&str]) -> Hours {
    Hours::new(windows.iter().map(|window| window.parse().expect("hours")))
}

/// `2 09:30` is half past nine on Tuesday.
fn local(text: &str) -> LocalTime {
    let (weekday, time) = text.split_once(' ').expect("day and time");
    let (hour, minute) = time.split_once(':').expect("hour and minute");
    let number = |text: &str| text.parse::<u16>().expect("a number");
    LocalTime { weekday: number(weekday) as u8, minute: number(hour) * 60 + number(minute) }
}

#[test]
fn when_somebody_is_there() {
    let office = hours(&["Mon-Fri 09:00-12:00", "Mon-Thursday 13:00-17:30", "Sat 10:00-14:00"]);
    let night = hours(&["Fri-Sun 22:00-06:00"]);
    let always = hours(&["daily 00:00-24:00"]);
    for (hours, at, open) in [
        (&office, "1 08:59", false),
        (&office, "1 09:00", true),
        (&office, "1 12:00", false),
        (&office, "4 17:29", true),
        (&office, "5 13:00", false),
        (&office, "6 13:59", true),
        (&office, "7 11:00", false),
        (&night, "5 21:59", false),
        (&night, "5 22:00", true),
        (&night, "6 05:59", true),
        (&night, "1 05:59", true),
        (&night, "1 06:00", false),
        (&night, "5 03:00", false),
        (&always, "7 23:59", true),
        (&hours(&[]), "1 09:00", false),
    ] {
        assert_eq!(hours.are_open(local(at)), open, "{at} in {:?}", hours.windows());
    }
    let read = |text: &str| text.parse::<Window>().map(|window| window.to_string());
    for (written, read_as) in [
        ("Mon-Fri 9:00-17:00", "Mon,Tue,Wed,Thu,Fri 09:00-17:00"),
        ("fri - mon 09:00-24:00", "Mon,Fri,Sat,Sun 09:00-24:00"),
        ("Mon,Wed,sunday 22:00-2:00", "Mon,Wed,Sun 22:00-02:00"),
        ("daily 08:00-20:00", "daily 08:00-20:00"),
        ("Mon-Sun 08:00-20:00", "daily 08:00-20:00"),
    ] {
        assert_eq!(read(written).as_deref(), Ok(read_as), "{written}");
        assert_eq!(read(read_as).as_deref(), Ok(read_as));
    }
    for wrong in [
        "",
        "Mon",
        "09:00-17:00",
        "Mon 09:00",
        "Mon 9-17",
        "Mon 09:00-09:00",
        "Mon 24:00-09:00",
        "Mon 09:60-10:00",
        "Mon 09:00-24:01",
        "Moon 09:00-10:00",
        "Mo 09:00-10:00",
        "Mon,, 09:00-10:00",
        "Mon +9:00-10:00",
    ] {
        assert!(read(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn what_becomes_of_callers_outside_of_the_hours() {
    let (day, night) = (local("1 10:00"), local("1 20:00"));
    let at = |local: LocalTime| CallerFacts { local: Some(local), ..CallerFacts::default() };
    let user = Listed { put_through: true, ..listed(BEN) };
    let rules = |outside: Outside| LineRules {
        hours: Some(hours(&["Mon-Fri 09:00-17:00"])),
        outside,
        listed: vec![trusted(ANA), user.clone()],
        ..rules(Access::Open)
    };
    for (outside, caller, at_day, at_night) in [
        (Outside::Decline, STRANGER, "stranger", "inbound_hours"),
        (Outside::Messages, STRANGER, "stranger", "messages"),
        (Outside::Decline, ANA, "pin", "inbound_hours"),
        // Who is put through has the user's phone, not the office.
        (Outside::Decline, BEN, "put through", "put through"),
    ] {
        assert_eq!(verdict(&rules(outside), caller, &at(day)), at_day, "{outside} {caller}");
        assert_eq!(verdict(&rules(outside), caller, &at(night)), at_night, "{outside} {caller}");
    }
}

#[test]
fn a_permission_names_the_rules_that_were_consulted() {
    let rules = LineRules { calls_per_day: Some(3), ..rules(Access::Pin) };
    let caller: PhoneNumber = STRANGER.parse().expect("a number");
    let allow = rules.decide(Some(&caller), &CallerFacts::default()).expect("allowed");
    assert_eq!(
        allow.rules(),
        [Rule::InboundClosed, Rule::InboundSpam, Rule::InboundPin, Rule::InboundCallsPerDay]
    );
    let closed = LineRules { access: Access::Closed, ..LineRules::default() };
    let refusal = closed.decide(Some(&caller), &CallerFacts::default()).expect_err("closed");
    assert!(!refusal.why.is_empty() && !refusal.why.contains(&STRANGER[1..]));
}
