//! May this call happen? Every refusal names its rule.
//!
//! A pure function of what is asked, what is the case and what time it is. The shell gathers [`Facts`] and acts on
//! the [`Decision`]; it can't start a call without an [`Allow`], and only this module makes one.

mod callers;
mod config;
mod handoff;
mod hours;
mod prices;
mod proactive;
mod quota;
mod rules;

use std::time::Duration;

pub use callers::{
    Access, CallerAllow, CallerFacts, CallerRefusal, LineRules, Listed, Outside, Standing, Trust,
};
pub use config::{
    Countries, Country, LimitRange, NumberPattern, OwnerLimits, ParseCountryError, ParsePatternError,
    PolicyConfig, UserNumbers,
};
pub use handoff::HandoffAllow;
pub use hours::{Hours, LocalTime, ParseHoursError, Window};
pub use prices::{ParseTariffError, Prices, Tariff};
pub use proactive::Proactive;
pub use quota::{Amount, DayUse, ParseAmountError, Prepaid, Quota, Trial, TrialUse};
pub use rules::{RefusalCode, Rule};

use crate::number::PhoneNumber;
use crate::time::Timestamp;
use rules::{Case, Verdict};

/// The rules in force.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    config: PolicyConfig,
}

/// The call somebody wants.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// Whom to call; `None` when it is we who are called.
    pub destination: Option<&'a PhoneNumber>,
    /// Who calls us, if anybody does, was let in.
    pub caller: Option<&'a CallerAllow>,
    /// The line to call from; the pool chooses when `None`.
    pub line: Option<&'a PhoneNumber>,
    /// The user's own number, where the user may be connected.
    pub handoff: Option<&'a PhoneNumber>,
    /// The user is all the call is for.
    pub put_through: bool,
    /// `None`: what is usual.
    pub ring_limit: Option<Duration>,
    pub talk_limit: Option<Duration>,
}

/// What is the case just now, not counting the call asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'a> {
    /// The numbers of our own lines.
    pub own_lines: &'a [PhoneNumber],
    /// All whom the key that asks may have called, by whatever route; `None`: anybody.
    pub bound_to: Option<&'a [PhoneNumber]>,
    /// Calls that are not over yet, queued ones included.
    pub live_calls: u32,
    pub live_calls_of_owner: u32,
    pub live_calls_to_destination: u32,
    pub calls_of_owner: Recent,
    pub calls_to_destination: Recent,
    pub last_call_to_destination_ended_at: Option<Timestamp>,
    /// The confirmed phones of the account.
    pub own_phones: &'a [PhoneNumber],
    /// Calls to the user who is named, and those that it was called into or may yet be.
    pub calls_to_user: Recent,
    pub owner_limits: OwnerLimits,
    /// What is over of the owner's conversations.
    pub used_today: DayUse,
    /// What the owner's calls under way may yet use.
    pub promised: DayUse,
    /// Used and promised of the trial; `None` for an owner who is not on trial.
    pub trial: Option<TrialUse>,
    /// Where the call is an agent's own idea: what its user wishes of such; `None` for any other call.
    pub proactive: Option<Proactive>,
    /// What the owner paid for in advance, and used of it; `None` for an owner who did not.
    pub prepaid: Option<Prepaid>,
}

/// The outbound calls of the last 24 hours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recent {
    pub count: u32,
    /// When the first of them was placed; tells when there is room again.
    pub oldest_at: Option<Timestamp>,
}

#[derive(Debug)]
#[must_use]
pub enum Decision {
    Allow(Allow),
    Refuse(Refusal),
}

/// The permission for one call, to one number. Made by [`Policy::decide`] only, and used up by the call it permits.
///
/// ```compile_fail
/// use offhook_core::policy::Allow;
/// fn twice(allow: Allow) -> (Allow, Allow) {
///     (allow.clone(), allow)
/// }
/// ```
#[derive(Debug)]
pub struct Allow {
    destination: Option<PhoneNumber>,
    line: Option<PhoneNumber>,
    handoff: Option<HandoffAllow>,
    put_through: bool,
    ring_limit: Duration,
    talk_limit: Duration,
    metered: bool,
    talk_limit_asked: bool,
    price: Amount,
    rules: Vec<Rule>,
}

/// Why a call may not happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub rule: Rule,
    pub code: RefusalCode,
    /// What the caller can do.
    pub message: String,
    /// When asking again can help.
    pub retry_after: Option<Duration>,
    /// Where a limit of conversation is used up: which, and how far.
    pub quota: Option<Quota>,
}

impl Policy {
    pub fn new(config: PolicyConfig) -> Self {
        Self { config }
    }

    pub fn config(&self) -> &PolicyConfig {
        &self.config
    }

    /// Asks every rule in the order of [`Rule::ALL`]; the first that refuses decides.
    pub fn decide(&self, ask: &Ask<'_>, facts: &Facts<'_>, now: Timestamp) -> Decision {
        let case = Case { config: &self.config, ask, facts, now };
        let mut handoff = None;
        let mut rules = Vec::with_capacity(Rule::ALL.len());
        rules.extend_from_slice(ask.caller.map(CallerAllow::rules).unwrap_or_default());
        for rule in Rule::ALL {
            let verdict = match (rule, ask.handoff) {
                (Rule::Handoff, Some(user)) => match self.decide_handoff(user, ask.destination, facts, now) {
                    Ok(allowed) => {
                        handoff = Some(allowed);
                        Verdict::Pass
                    }
                    // Whoever calls us is answered all the same, where somebody else than the user can.
                    Err(_) if ask.destination.is_none() && !ask.put_through => Verdict::Silent,
                    Err(refusal) => Verdict::Refuse(refusal),
                },
                (rule, _) => rule.judge(&case),
            };
            match verdict {
                Verdict::Pass => rules.push(*rule),
                Verdict::Silent => {}
                Verdict::Refuse(refusal) => return Decision::Refuse(refusal),
            }
        }
        if ask.destination.is_none() && handoff.is_some() {
            match case.judge_user_of_inbound() {
                Some(refusal) if ask.put_through => return Decision::Refuse(refusal),
                Some(_) => handoff = None,
                None => {}
            }
        }
        // A call that reached us costs its owner nothing as long as nobody is called into it.
        let counts = ask.destination.is_some() || handoff.is_some();
        let talk_left = case.talk_left().filter(|_| counts);
        let talk_limit = self.config.talk_limit.with_max(facts.owner_limits.talk_limit);
        Decision::Allow(Allow {
            destination: ask.destination.cloned(),
            line: ask.line.cloned(),
            handoff,
            put_through: ask.put_through,
            ring_limit: self.config.ring_limit.grant(ask.ring_limit),
            // A conversation can't outlast what is left.
            talk_limit: talk_limit.grant(ask.talk_limit).min(talk_left.unwrap_or(Duration::MAX)),
            metered: talk_left.is_some(),
            talk_limit_asked: ask.talk_limit.is_some(),
            price: case.price(),
            rules,
        })
    }

    /// What an owner may talk today, by its minutes and its money; `None`: as long as it likes.
    pub fn talk_left(&self, facts: &Facts<'_>, now: Timestamp) -> Option<Duration> {
        Case { config: &self.config, ask: &Ask::NOBODY, facts, now }.talk_left()
    }
}

impl<'a> Ask<'a> {
    const NOBODY: Ask<'static> = Ask {
        destination: None,
        caller: None,
        line: None,
        handoff: None,
        put_through: false,
        ring_limit: None,
        talk_limit: None,
    };

    /// An outbound call with the usual limits.
    pub fn outbound(destination: &'a PhoneNumber) -> Self {
        Self { destination: Some(destination), ..Self::NOBODY }
    }

    /// A call that reached us and waits to be answered; who calls was let in.
    pub fn inbound(caller: &'a CallerAllow) -> Self {
        Self { caller: Some(caller), put_through: caller.put_through(), ..Self::NOBODY }
    }
}

impl Decision {
    pub fn into_result(self) -> Result<Allow, Refusal> {
        match self {
            Self::Allow(allow) => Ok(allow),
            Self::Refuse(refusal) => Err(refusal),
        }
    }
}

impl Allow {
    /// The one number that may be called; `None` when it is we who are called.
    pub fn destination(&self) -> Option<&PhoneNumber> {
        self.destination.as_ref()
    }

    /// The line it may be called from; any of ours when `None`.
    pub fn line(&self) -> Option<&PhoneNumber> {
        self.line.as_ref()
    }

    /// The user's number, where the user may be called into this call.
    pub fn handoff(&self) -> Option<&HandoffAllow> {
        self.handoff.as_ref()
    }

    /// The user, where it is only the user that the caller may be connected with.
    pub fn put_through(&self) -> Option<&HandoffAllow> {
        self.handoff.as_ref().filter(|_| self.put_through)
    }

    pub fn ring_limit(&self) -> Duration {
        self.ring_limit
    }

    pub fn talk_limit(&self) -> Duration {
        self.talk_limit
    }

    /// Whether the conversation counts against what its owner may talk: then it ends at [`Self::talk_limit`], whoever
    /// talks.
    pub fn is_metered(&self) -> bool {
        self.metered
    }

    /// Whether [`Self::talk_limit`] holds for the user in the call too: it was asked for, or promised.
    pub fn limits_user(&self) -> bool {
        self.metered || self.talk_limit_asked
    }

    /// The rules that were consulted, in order.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// What a begun minute of the call costs, with the user in it from the first: the most it can come to.
    pub fn price(&self) -> Amount {
        self.price
    }

    /// What the call may use up at most.
    pub fn promised(&self) -> DayUse {
        let mut promised = DayUse::default();
        promised.count(self.talk_limit, self.price, None);
        promised
    }

    /// The rules that were consulted, for [`crate::Fact::Queued`].
    pub fn policy(&self) -> String {
        self.rules.iter().map(|rule| rule.code()).collect::<Vec<_>>().join(",")
    }
}

impl Refusal {
    fn after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }

    fn about(self, quota: Quota) -> Self {
        Self { quota: Some(quota), ..self }
    }
}
