//! Who may call which of our lines, when, and as whom they are answered. Every refusal names its rule.
//!
//! A pure function of the rules of a line, of who calls and of what is the case. What a caller is trusted with is
//! decided here and nowhere else: the shell gives the powers of an agent to those who are [`Standing::Trusted`], and
//! to those who are [`Standing::AfterPin`] once they gave the PIN.
//!
//! The number a caller shows is what the network passes on; most networks let a caller choose it. So it opens doors
//! only where the operator says so ([`Trust::Number`]).

use std::time::Duration;

use super::hours::{Hours, LocalTime};
use super::{NumberPattern, Rule};
use crate::journal::codes;
use crate::number::PhoneNumber;

codes! {
    /// Who may call a line.
    Access {
        /// Nobody.
        Closed = "closed",
        /// Who is listed.
        Listed = "list",
        Open = "open",
        /// Whoever gives the PIN, by keys or by voice.
        Pin = "pin",
    }

    /// What shows that a trusted caller is the one.
    Trust {
        /// The PIN.
        Pin = "pin",
        /// The number that is shown, which can be forged.
        Number = "number",
    }

    /// What becomes of callers outside of the hours.
    Outside {
        Decline = "decline",
        /// The voice takes a message and does nothing else.
        Messages = "message",
    }
}

/// The rules of one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineRules {
    pub access: Access,
    pub trust: Trust,
    /// There is a PIN for whoever is not listed with one.
    pub has_pin: bool,
    pub listed: Vec<Listed>,
    pub blocked: Vec<NumberPattern>,
    /// Whether callers who show no number are let in, as strangers.
    pub anonymous: bool,
    /// `None`: at any time.
    pub hours: Option<Hours>,
    pub outside: Outside,
    /// In any 24 hours; `None`: however many.
    pub calls_per_day: Option<u32>,
    pub calls_per_day_per_caller: Option<u32>,
    /// At a time; the line itself may carry fewer.
    pub concurrent_calls: Option<u32>,
    pub concurrent_calls_per_caller: Option<u32>,
    /// After so many calls that were spam is a caller not answered any more; `None`: always.
    pub spam_calls: Option<u32>,
    /// Wrong PINs until one caller, and all callers together, are not asked for it any more for a while.
    pub wrong_pins_of_caller: u32,
    pub wrong_pins_on_line: u32,
}

/// A caller, or callers, the line knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub number: NumberPattern,
    pub trusted: bool,
    /// A PIN of their own.
    pub has_pin: bool,
    /// Their calls go to the user's phone, at any time.
    pub put_through: bool,
}

/// What is the case just now, not counting the call that came in. Callers without a number count as one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallerFacts {
    /// Where the line has hours.
    pub local: Option<LocalTime>,
    /// Of the last 24 hours.
    pub calls_of_caller: u32,
    pub calls_on_line: u32,
    pub live_calls_of_caller: u32,
    pub live_calls_on_line: u32,
    /// Calls of this number that were spam.
    pub spam_calls: u32,
    /// Within the lockout, [`LineRules::LOCKOUT`].
    pub wrong_pins_of_caller: u32,
    pub wrong_pins_on_line: u32,
}

/// As whom a caller is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// As anybody: without the powers of an agent, without a word that is not for everybody.
    Stranger,
    /// As the one the line is for.
    Trusted,
    /// As the one the line is for, once the PIN was given; not at all before.
    AfterPin,
}

/// The permission to answer one caller. Made by [`LineRules::decide`] only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerAllow {
    standing: Standing,
    listed: Option<usize>,
    messages_only: bool,
    put_through: bool,
    rules: Vec<Rule>,
}

/// Why a caller is not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerRefusal {
    pub rule: Rule,
    /// For whoever reads the record of the call; the caller hears nothing.
    pub why: &'static str,
}

impl Default for LineRules {
    fn default() -> Self {
        Self {
            access: Access::Open,
            trust: Trust::Pin,
            has_pin: false,
            listed: Vec::new(),
            blocked: Vec::new(),
            anonymous: true,
            hours: None,
            outside: Outside::Decline,
            calls_per_day: None,
            calls_per_day_per_caller: None,
            concurrent_calls: None,
            concurrent_calls_per_caller: None,
            spam_calls: Some(2),
            wrong_pins_of_caller: 6,
            wrong_pins_on_line: 30,
        }
    }
}

impl LineRules {
    /// How long wrong PINs count.
    pub const LOCKOUT: Duration = Duration::from_secs(60 * 60);

    /// Asks every rule; the first that refuses decides.
    pub fn decide(
        &self,
        caller: Option<&PhoneNumber>,
        facts: &CallerFacts,
    ) -> Result<CallerAllow, CallerRefusal> {
        let case = Case { rules: self, caller, listed: self.find(caller), facts };
        let mut asked = Vec::new();
        for (rule, judge) in RULES {
            match judge(&case) {
                None => {}
                Some(true) => asked.push(*rule),
                Some(false) => return Err(CallerRefusal { rule: *rule, why: why(*rule) }),
            }
        }
        Ok(CallerAllow {
            standing: case.standing(),
            listed: case.listed.map(|(at, _)| at),
            messages_only: case.is_outside() && !case.is_put_through(),
            put_through: case.is_put_through(),
            rules: asked,
        })
    }

    /// The entry that fits best: a whole number before the beginning of one, a longer beginning before a shorter.
    fn find(&self, caller: Option<&PhoneNumber>) -> Option<(usize, &Listed)> {
        let caller = caller?;
        let fits = self.listed.iter().enumerate().filter(|(_, listed)| listed.number.matches(caller));
        // Of two that fit as well the one that was written first.
        fits.rev().max_by_key(|(_, listed)| listed.number.precision())
    }
}

/// Whether a rule lets a caller pass; `None` where it is switched off or has nothing to say.
type Judge = fn(&Case<'_>) -> Option<bool>;

const RULES: &[(Rule, Judge)] = &[
    (Rule::InboundClosed, |case| Some(case.rules.access != Access::Closed)),
    (Rule::InboundBlocked, |case| {
        let is_blocked =
            |caller: &PhoneNumber| case.rules.blocked.iter().any(|pattern| pattern.matches(caller));
        (!case.rules.blocked.is_empty()).then(|| !case.caller.is_some_and(is_blocked))
    }),
    (Rule::InboundSpam, |case| {
        // Whoever is listed is wanted. Callers without a number are not one.
        let most = case.rules.spam_calls.filter(|_| case.listed.is_none() && case.caller.is_some())?;
        Some(case.facts.spam_calls < most)
    }),
    (Rule::InboundAnonymous, |case| (!case.rules.anonymous).then_some(case.caller.is_some())),
    (Rule::InboundList, |case| (case.rules.access == Access::Listed).then_some(case.listed.is_some())),
    (Rule::InboundHours, |case| {
        case.rules.hours.as_ref().filter(|_| !case.is_put_through())?;
        Some(!case.is_outside() || case.rules.outside == Outside::Messages)
    }),
    (Rule::InboundPin, |case| {
        (case.rules.access == Access::Pin && case.standing() != Standing::Trusted && !case.is_put_through())
            .then(|| case.may_try_pin())
    }),
    (Rule::InboundConcurrentCallsPerCaller, |case| {
        Some(case.facts.live_calls_of_caller < case.rules.concurrent_calls_per_caller?)
    }),
    (Rule::InboundConcurrentCalls, |case| Some(case.facts.live_calls_on_line < case.rules.concurrent_calls?)),
    (Rule::InboundCallsPerDayPerCaller, |case| {
        Some(case.facts.calls_of_caller < case.rules.calls_per_day_per_caller?)
    }),
    (Rule::InboundCallsPerDay, |case| Some(case.facts.calls_on_line < case.rules.calls_per_day?)),
];

struct Case<'a> {
    rules: &'a LineRules,
    caller: Option<&'a PhoneNumber>,
    listed: Option<(usize, &'a Listed)>,
    facts: &'a CallerFacts,
}

impl Case<'_> {
    fn standing(&self) -> Standing {
        let trusted = self.listed.is_some_and(|(_, listed)| listed.trusted);
        match (self.rules.access, self.rules.trust) {
            (_, Trust::Number) if trusted => Standing::Trusted,
            // Without a PIN that could be given, nobody gets any further with one.
            (Access::Pin, _) if self.has_pin() => Standing::AfterPin,
            // Somebody who shows this number is a stranger as long as the PIN is not to be had.
            _ if trusted && self.has_pin() && self.may_try_pin() => Standing::AfterPin,
            _ => Standing::Stranger,
        }
    }

    fn has_pin(&self) -> bool {
        self.rules.has_pin || self.listed.is_some_and(|(_, listed)| listed.has_pin)
    }

    fn may_try_pin(&self) -> bool {
        self.has_pin()
            && self.facts.wrong_pins_of_caller < self.rules.wrong_pins_of_caller
            && self.facts.wrong_pins_on_line < self.rules.wrong_pins_on_line
    }

    fn is_put_through(&self) -> bool {
        self.listed.is_some_and(|(_, listed)| listed.put_through)
    }

    fn is_outside(&self) -> bool {
        let (Some(hours), Some(local)) = (&self.rules.hours, self.facts.local) else { return false };
        !hours.are_open(local)
    }
}

fn why(rule: Rule) -> &'static str {
    match rule {
        Rule::InboundClosed => "nobody may call this line",
        Rule::InboundBlocked => "this caller is blocked",
        Rule::InboundSpam => "calls of this number were spam",
        Rule::InboundAnonymous => "callers have to show their number",
        Rule::InboundList => "only those who are listed may call this line",
        Rule::InboundHours => "nobody is there at this time",
        Rule::InboundPin => "the PIN of this line was wrong too often, or there is none",
        Rule::InboundConcurrentCallsPerCaller => "this caller is on the line already",
        Rule::InboundConcurrentCalls => "as many callers as permitted are on the line",
        Rule::InboundCallsPerDayPerCaller => "this caller has called as often as permitted in a day",
        Rule::InboundCallsPerDay => "this line was called as often as permitted in a day",
        _ => "a calling rule refused the call",
    }
}

impl CallerAllow {
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// Which entry of [`LineRules::listed`] the caller is.
    pub fn listed(&self) -> Option<usize> {
        self.listed
    }

    /// It is outside of the hours, and all there is to do is to take a message.
    pub fn messages_only(&self) -> bool {
        self.messages_only
    }

    /// The call goes to the user's phone.
    pub fn put_through(&self) -> bool {
        self.put_through
    }

    /// The rules that were consulted, in order.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }
}
