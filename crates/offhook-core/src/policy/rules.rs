//! The rules, one small function each. [`Rule::ALL`] is the order in which they are asked.

use std::time::Duration;

use super::quota::minutes;
use super::{Amount, Ask, DayUse, Facts, LimitRange, PolicyConfig, Quota, Recent, Refusal};
use crate::journal::codes;
use crate::number::{NumberKind, PhoneNumber};
use crate::time::{DAY, Timestamp};

codes! {
    /// What a call is checked against, first things first: what never can be, what the operator forbids, what is
    /// too much right now.
    Rule {
        /// Emergency services are never called, not even by a number that only looks like theirs.
        Emergency = "emergency",
        /// Our own lines are no destination: offhook would talk to itself and pay twice.
        OwnLine = "own_line",
        /// The fictional numbers of the sandbox, outside of the sandbox.
        SandboxNumber = "sandbox_number",
        Country = "country",
        BlockedDestination = "blocked_destination",
        AllowedDestination = "allowed_destination",
        PremiumNumber = "premium_number",
        /// A key that is bound to its target has nobody else called.
        Target = "target",
        /// The number of the user who may be connected: as good as any that is called, and neither the other side's
        /// nor ours.
        Handoff = "handoff",
        /// Where only those may call whom the operator gave a plan.
        Plan = "plan",
        ConcurrentCalls = "concurrent_calls",
        ConcurrentCallsPerOwner = "concurrent_calls_per_owner",
        ConcurrentCallsPerDestination = "concurrent_calls_per_destination",
        CoolDown = "cool_down",
        /// What the user wishes of calls that are an agent's own idea.
        Proactive = "proactive",
        /// Before a key is linked to an account.
        Trial = "trial",
        /// What was paid for in advance.
        Balance = "balance",
        MinutesPerDayPerOwner = "minutes_per_day_per_owner",
        SpendPerDayPerOwner = "spend_per_day_per_owner",
        CallsPerDayPerOwner = "calls_per_day_per_owner",
        CallsPerDayPerDestination = "calls_per_day_per_destination",
        // Of calls that reach us, in this order; `callers.rs` asks them.
        /// Nobody may call this line.
        InboundClosed = "inbound_closed",
        /// The caller is one of those whom nobody wants.
        InboundBlocked = "inbound_blocked",
        /// Calls of this number were spam before.
        InboundSpam = "inbound_spam",
        /// Callers have to show their number.
        InboundAnonymous = "inbound_anonymous",
        /// Only those who are listed may call.
        InboundList = "inbound_list",
        /// Nobody is there at this time.
        InboundHours = "inbound_hours",
        /// The PIN was wrong too often lately.
        InboundPin = "inbound_pin",
        InboundConcurrentCallsPerCaller = "inbound_concurrent_calls_per_caller",
        InboundConcurrentCalls = "inbound_concurrent_calls",
        InboundCallsPerDayPerCaller = "inbound_calls_per_day_per_caller",
        InboundCallsPerDay = "inbound_calls_per_day",
    }

    /// The error code of the API for a refusal.
    RefusalCode {
        /// The number can't be called at all (400).
        InvalidPhone = "invalid_phone",
        /// A real number, outside of what is served here (400).
        UnsupportedDestination = "unsupported_destination",
        /// The operator forbids this one (403).
        DestinationBlocked = "destination_blocked",
        /// A call to this number is live, or was a moment ago (409).
        DestinationBusy = "destination_busy",
        /// Too many calls at once (429).
        TooManyCalls = "too_many_calls",
        /// Too many calls in a day (429).
        QuotaExceeded = "quota_exceeded",
        /// The conversation or the money of a day, or what was paid for in advance, is used up (429).
        BalanceDepleted = "balance_depleted",
        /// The user is not to be called at this hour (429).
        QuietHours = "quiet_hours",
        /// The operator lets only those call who have a plan (402).
        PlanRequired = "plan_required",
        /// What a key may use before it is linked is used up (402).
        TrialExhausted = "trial_exhausted",
        /// The user to be connected is the other side, or this very phone line (400).
        InvalidLoopInDestination = "invalid_loop_in_destination",
    }
}

/// What a rule says.
pub(super) enum Verdict {
    Pass,
    /// The rule is switched off, or has nothing to say about such a call.
    Silent,
    Refuse(Refusal),
}

/// When to come back after a limit of concurrent calls: a short call is over by then.
const SOON: Duration = Duration::from_secs(15);

/// What a rule looks at.
pub(super) struct Case<'a> {
    pub config: &'a PolicyConfig,
    pub ask: &'a Ask<'a>,
    pub facts: &'a Facts<'a>,
    pub now: Timestamp,
}

impl Rule {
    pub(super) fn judge(self, case: &Case<'_>) -> Verdict {
        match (self, case.ask.destination) {
            (Self::ConcurrentCalls, _) => case.concurrent_calls(),
            (Self::ConcurrentCallsPerOwner, _) => case.concurrent_calls_per_owner(),
            // Not asked here: what passes them is a permission of its own.
            (
                Self::Handoff
                | Self::InboundClosed
                | Self::InboundBlocked
                | Self::InboundSpam
                | Self::InboundAnonymous
                | Self::InboundList
                | Self::InboundHours
                | Self::InboundPin
                | Self::InboundConcurrentCallsPerCaller
                | Self::InboundConcurrentCalls
                | Self::InboundCallsPerDayPerCaller
                | Self::InboundCallsPerDay,
                _,
            ) => Verdict::Silent,
            // Who calls us is not ours to choose; how many we talk to at once is.
            (_, None) => Verdict::Silent,
            (Self::Emergency, Some(number)) => emergency(number),
            (Self::OwnLine, Some(number)) => case.own_line(number),
            (Self::SandboxNumber, Some(number)) => case.sandbox_number(number),
            (Self::Country, Some(number)) => case.country(number),
            (Self::BlockedDestination, Some(number)) => case.blocked_destination(number),
            (Self::AllowedDestination, Some(number)) => case.allowed_destination(number),
            (Self::PremiumNumber, Some(number)) => case.premium_number(number),
            (Self::Target, Some(number)) => case.target(number),
            (Self::ConcurrentCallsPerDestination, Some(_)) => case.concurrent_calls_per_destination(),
            (Self::CoolDown, Some(_)) => case.cool_down(),
            (Self::Proactive, Some(_)) => {
                case.facts.proactive.map_or(Verdict::Silent, |proactive| proactive.judge(case.now))
            }
            (Self::CallsPerDayPerOwner, Some(number)) => case.calls_per_day_per_owner(number),
            (Self::CallsPerDayPerDestination, Some(number)) => case.calls_per_day_per_destination(number),
            (Self::Plan, Some(_)) => case.plan(),
            (Self::Trial, Some(_)) => case.trial(),
            (Self::Balance, Some(_)) => case.balance(),
            (Self::MinutesPerDayPerOwner, Some(_)) => case.minutes_per_day_per_owner(),
            (Self::SpendPerDayPerOwner, Some(_)) => case.spend_per_day_per_owner(),
        }
    }
}

fn emergency(number: &PhoneNumber) -> Verdict {
    refuse_if(number.resembles_emergency(), || {
        let message = "emergency services are never called; dial them yourself";
        refusal(Rule::Emergency, RefusalCode::InvalidPhone, message)
    })
}

impl Case<'_> {
    fn own_line(&self, number: &PhoneNumber) -> Verdict {
        refuse_if(self.facts.own_lines.contains(number), || {
            refusal(
                Rule::OwnLine,
                RefusalCode::DestinationBlocked,
                "this is a number of this very phone line; call another one",
            )
        })
    }

    fn sandbox_number(&self, number: &PhoneNumber) -> Verdict {
        refuse_if(number.is_fictional() && !self.config.sandbox, || {
            refusal(
                Rule::SandboxNumber,
                RefusalCode::InvalidPhone,
                "555-01xx numbers are fictional and nobody has them; only the sandbox answers them",
            )
        })
    }

    fn country(&self, number: &PhoneNumber) -> Verdict {
        if self.is_sandbox_call(number) {
            return Verdict::Silent;
        }
        refuse_if(!self.config.countries.allow(number), || {
            let where_to = number.region().map_or("a country that can't be told".to_owned(), str::to_owned);
            let message = format!(
                "this number belongs to {where_to}, which calls are not allowed to; allowed: {}",
                self.config.countries
            );
            refusal(Rule::Country, RefusalCode::UnsupportedDestination, message)
        })
    }

    fn blocked_destination(&self, number: &PhoneNumber) -> Verdict {
        let blocked = &self.config.blocked_destinations;
        if blocked.is_empty() {
            return Verdict::Silent;
        }
        refuse_if(blocked.iter().any(|pattern| pattern.matches(number)), || {
            let message = "this number is blocked by the operator of this line; do not try again";
            refusal(Rule::BlockedDestination, RefusalCode::DestinationBlocked, message)
        })
    }

    fn allowed_destination(&self, number: &PhoneNumber) -> Verdict {
        let allowed = &self.config.allowed_destinations;
        if allowed.is_empty() {
            return Verdict::Silent;
        }
        refuse_if(!allowed.iter().any(|pattern| pattern.matches(number)), || {
            let message = "this line may call listed numbers only; ask its operator to add this one";
            refusal(Rule::AllowedDestination, RefusalCode::DestinationBlocked, message)
        })
    }

    fn premium_number(&self, number: &PhoneNumber) -> Verdict {
        if self.config.premium_numbers {
            return Verdict::Silent;
        }
        let costs_extra = matches!(number.kind(), NumberKind::PremiumRate | NumberKind::SharedCost);
        refuse_if(costs_extra, || {
            let message =
                "calls to premium-rate and shared-cost numbers are not placed; find an ordinary number";
            refusal(Rule::PremiumNumber, RefusalCode::UnsupportedDestination, message)
        })
    }

    fn target(&self, number: &PhoneNumber) -> Verdict {
        let Some(bound_to) = self.facts.bound_to else { return Verdict::Silent };
        refuse_if(!bound_to.contains(number), || {
            let message = match bound_to {
                [] => "this key may have only its target called, and none is set; set one with /phone",
                _ => "this key may have only its target called, and this is another number; do not try again",
            };
            refusal(Rule::Target, RefusalCode::DestinationBlocked, message)
        })
    }

    fn concurrent_calls(&self) -> Verdict {
        refuse_if(self.facts.live_calls >= self.config.concurrent_calls, || {
            let message = "as many calls as permitted are under way; try again in 15 seconds";
            refusal(Rule::ConcurrentCalls, RefusalCode::TooManyCalls, message).after(SOON)
        })
    }

    fn concurrent_calls_per_owner(&self) -> Verdict {
        let limits = &self.facts.owner_limits;
        let limit = limits.concurrent_calls.unwrap_or(self.config.concurrent_calls_per_owner);
        refuse_if(self.facts.live_calls_of_owner >= limit, || {
            let message = format!("{limit} of your calls at once are permitted; wait for one to end");
            refusal(Rule::ConcurrentCallsPerOwner, RefusalCode::TooManyCalls, message).after(SOON)
        })
    }

    fn concurrent_calls_per_destination(&self) -> Verdict {
        refuse_if(
            self.facts.live_calls_to_destination >= self.config.concurrent_calls_per_destination,
            || {
                let message = "a call with this number is under way; wait for it to end";
                refusal(Rule::ConcurrentCallsPerDestination, RefusalCode::DestinationBusy, message)
                    .after(SOON)
            },
        )
    }

    fn cool_down(&self) -> Verdict {
        if self.config.cool_down.is_zero() {
            return Verdict::Silent;
        }
        let Some(ended_at) = self.facts.last_call_to_destination_ended_at else { return Verdict::Pass };
        let wait = (ended_at + self.config.cool_down).since(self.now);
        refuse_if(!wait.is_zero(), || {
            let message = format!("this number was called a moment ago; try again in {}", in_words(wait));
            refusal(Rule::CoolDown, RefusalCode::DestinationBusy, message).after(wait)
        })
    }

    fn calls_per_day_per_owner(&self, number: &PhoneNumber) -> Verdict {
        let recent = self.facts.calls_of_owner;
        match self.facts.owner_limits.calls_per_day {
            // What was set for this owner holds for every call, also for one that costs nothing.
            Some(limit) => self.count_daily(Rule::CallsPerDayPerOwner, recent, limit, "your calls"),
            None => {
                let limit = self.config.calls_per_day_per_owner;
                self.daily(number, Rule::CallsPerDayPerOwner, recent, limit, "your calls")
            }
        }
    }

    fn calls_per_day_per_destination(&self, number: &PhoneNumber) -> Verdict {
        let limit = self.config.calls_per_day_per_destination;
        self.daily(
            number,
            Rule::CallsPerDayPerDestination,
            self.facts.calls_to_destination,
            limit,
            "calls to this number",
        )
    }

    /// Of a user who may be called into a call.
    pub(super) fn calls_per_day_to_user(&self, user: &PhoneNumber) -> Verdict {
        let (recent, limit) = (self.facts.calls_to_user, self.config.calls_per_day_per_destination);
        self.daily(user, Rule::Handoff, recent, limit, "calls to the user to connect")
    }

    /// What a call that reached us must pass for its owner to have somebody called into it.
    pub(super) fn judge_user_of_inbound(&self) -> Option<Refusal> {
        let rules =
            [self.plan(), self.balance(), self.minutes_per_day_per_owner(), self.spend_per_day_per_owner()];
        rules.into_iter().find_map(|verdict| match verdict {
            Verdict::Refuse(refusal) => Some(refusal),
            Verdict::Pass | Verdict::Silent => None,
        })
    }

    fn daily(&self, number: &PhoneNumber, rule: Rule, recent: Recent, limit: u32, of_what: &str) -> Verdict {
        if self.is_sandbox_call(number) {
            return Verdict::Silent;
        }
        self.count_daily(rule, recent, limit, of_what)
    }

    fn count_daily(&self, rule: Rule, recent: Recent, limit: u32, of_what: &str) -> Verdict {
        refuse_if(recent.count >= limit, || {
            let wait = recent.oldest_at.map_or(DAY, |oldest_at| (oldest_at + DAY).since(self.now)).max(SOON);
            let message =
                format!("{limit} of {of_what} a day are permitted; try again in {}", in_words(wait));
            refusal(rule, RefusalCode::QuotaExceeded, message).after(wait)
        })
    }

    fn plan(&self) -> Verdict {
        let facts = self.facts;
        if !self.config.require_plan || facts.trial.is_some() {
            return Verdict::Silent;
        }
        refuse_if(!facts.owner_limits.are_set() && facts.prepaid.is_none(), || {
            let message = "calls are for accounts with a plan; ask whoever runs this line for one";
            refusal(Rule::Plan, RefusalCode::PlanRequired, message)
        })
    }

    fn balance(&self) -> Verdict {
        let Some(prepaid) = self.facts.prepaid else { return Verdict::Silent };
        let left = prepaid.left().saturating_sub(self.facts.promised.talk);
        refuse_if(left < LimitRange::MIN, || {
            let quota =
                Quota { used: prepaid.paid.saturating_sub(left), limit: prepaid.paid, is_trial: false };
            let message = "the minutes of this account are used, or promised to calls under way";
            let refusal = refusal(Rule::Balance, RefusalCode::BalanceDepleted, message).about(quota);
            // What calls under way were promised comes back when they end; what is used does not.
            if prepaid.left() >= LimitRange::MIN { refusal.after(SOON) } else { refusal }
        })
    }

    fn trial(&self) -> Verdict {
        let Some((trial, used)) = self.config.trial.zip(self.facts.trial) else { return Verdict::Silent };
        refuse_if(trial.is_over(used), || {
            let message = "what this key may use before it is linked to an account is used up; link it";
            let quota = Quota { used: used.talk, limit: trial.talk, is_trial: true };
            refusal(Rule::Trial, RefusalCode::TrialExhausted, message).about(quota)
        })
    }

    fn minutes_per_day_per_owner(&self) -> Verdict {
        let Some(limit) = self.talk_per_day() else { return Verdict::Silent };
        self.depleted(Rule::MinutesPerDayPerOwner, limit, limit.saturating_sub(self.committed().talk))
    }

    fn spend_per_day_per_owner(&self) -> Verdict {
        let Some((limit, left)) = self.paid_for() else { return Verdict::Silent };
        self.depleted(Rule::SpendPerDayPerOwner, minutes(limit), minutes(left))
    }

    fn depleted(&self, rule: Rule, limit: Duration, left: Duration) -> Verdict {
        refuse_if(left < LimitRange::MIN, || {
            let day = self.facts.used_today.oldest_at.map(|oldest_at| (oldest_at + DAY).since(self.now));
            // What calls under way were promised comes back when they end.
            let underway = self.facts.promised.talk > Duration::ZERO;
            let wait = if underway { SOON } else { day.unwrap_or(DAY).max(SOON) };
            let message = format!(
                "{} minutes of conversation a day are permitted, and used or promised to calls under way; \
                 try again in {}",
                limit.as_secs() / 60,
                in_words(wait)
            );
            let quota = Quota { used: limit.saturating_sub(left), limit, is_trial: false };
            refusal(rule, RefusalCode::BalanceDepleted, message).after(wait).about(quota)
        })
    }

    /// The longest this conversation may be by what is left of a day and of a trial; `None`: as long as one likes.
    pub(super) fn talk_left(&self) -> Option<Duration> {
        let today = self.talk_per_day().map(|limit| limit.saturating_sub(self.committed().talk));
        let money = self.paid_for().map(|(_, left)| minutes(left));
        // With calls left a trial goes on, however much was talked.
        let trial = self.config.trial.zip(self.facts.trial);
        let trial = trial.filter(|(trial, used)| trial.calls_left(*used) == 0);
        let trial = trial.map(|(trial, used)| trial.talk_left(used));
        let prepaid = self.facts.prepaid;
        let prepaid = prepaid.map(|prepaid| prepaid.left().saturating_sub(self.facts.promised.talk));
        today.into_iter().chain(money).chain(trial).chain(prepaid).min()
    }

    fn talk_per_day(&self) -> Option<Duration> {
        if self.facts.owner_limits.unlimited {
            return None;
        }
        self.facts.owner_limits.talk_per_day.or(self.config.talk_per_day_per_owner)
    }

    /// What a begun minute of this call costs, with the user who may be called into it.
    pub(super) fn price(&self) -> Amount {
        let prices = &self.config.prices;
        let of = |number: Option<&PhoneNumber>| number.map(|number| prices.of(number));
        match (of(self.ask.destination), of(self.ask.handoff)) {
            (None, None) => prices.usual,
            (destination, user) => destination.unwrap_or_default().plus(user.unwrap_or_default()),
        }
    }

    /// How many minutes of such a call the owner's money of a day pays for, and how many of them are left. The last,
    /// begun minute is never given in part.
    fn paid_for(&self) -> Option<(u64, u64)> {
        if self.facts.owner_limits.unlimited {
            return None;
        }
        let limit = self.facts.owner_limits.spend_per_day.or(self.config.spend_per_day_per_owner)?;
        let (price, left) = (self.price(), limit.minus(self.committed().spent));
        (!price.is_zero()).then(|| (limit.minutes(price), left.minutes(price)))
    }

    /// What was used, and what calls under way may yet use.
    fn committed(&self) -> DayUse {
        let (used, promised) = (self.facts.used_today, self.facts.promised);
        DayUse {
            talk: used.talk + promised.talk,
            spent: used.spent.plus(promised.spent),
            oldest_at: used.oldest_at,
        }
    }

    /// Calls that cost nothing and disturb nobody.
    fn is_sandbox_call(&self, number: &PhoneNumber) -> bool {
        self.config.sandbox && number.is_fictional()
    }
}

pub(super) fn refuse_if(refused: bool, refusal: impl FnOnce() -> Refusal) -> Verdict {
    if refused { Verdict::Refuse(refusal()) } else { Verdict::Pass }
}

pub(super) fn refusal(rule: Rule, code: RefusalCode, message: impl Into<String>) -> Refusal {
    Refusal { rule, code, message: message.into(), retry_after: None, quota: None }
}

/// Rounded up, so that whoever comes back then is not too early.
pub(super) fn in_words(wait: Duration) -> String {
    let seconds = wait.as_millis().div_ceil(1_000);
    match seconds {
        0..=1 => "a second".to_owned(),
        2..=119 => format!("{seconds} seconds"),
        120..=7_199 => format!("{} minutes", seconds.div_ceil(60)),
        _ => format!("{} hours", seconds.div_ceil(3_600)),
    }
}
